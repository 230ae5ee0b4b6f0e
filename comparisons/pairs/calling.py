"""The functions of a pair, called by the names of their arguments, and what they return."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from comparisons.pair import PRIOR, Values
from models.inputs import shown, some_of


def arguments(
    function: Callable[..., Any], of: str, names: tuple[str, ...], data: Any, skip: int = 0
) -> dict[str, str]:
    """By argument of a function what it gets: a parameter's name, ``PRIOR``, or the data (empty) or an entry of theirs.

    ``names`` are those of the parameters, ``of`` the function's name, ``skip`` how many leading arguments are told anyhow.

    Raises
    ------
    ValueError
        for an argument that is neither, where the data are no mapping, and one without a name
    """
    told: dict[str, str] = {}
    wanted = list(inspect.signature(function).parameters.values())
    if len(wanted) < skip:
        raise ValueError(f"{of} takes no argument; its first one gets what e_step returned")
    wanted = wanted[skip:]
    beside = f" beside the parameters {', '.join(names)}" if names else ""
    others = [a.name for a in wanted if a.name not in (*names, PRIOR) and a.default is a.empty]
    entries = isinstance(data, Mapping)
    for argument in wanted:
        if argument.kind in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD, argument.POSITIONAL_ONLY):
            raise ValueError(
                f"{of} takes {argument}; name its arguments: {f'parameters as {", ".join(names)}, and ' if names else ''}the data"
            )
        if argument.name in names or argument.name == PRIOR:
            told[argument.name] = argument.name
        elif argument.name in others:
            told[argument.name] = f"data:{argument.name}" if entries and argument.name in data else "data:"
    if not entries and len(others) > 1:
        raise ValueError(
            f"{of} has the arguments {', '.join(others)}{beside}, but the data are one value; "
            "give the data as a mapping with these names, or name parameters as the program does"
        )
    if entries and (unknown := [each for each in others if each not in data]) and len(others) > 1:
        raise ValueError(
            f"{of} has the argument {unknown[0]}, which is no parameter and no entry of the data; "
            f"name it as one of these: {some_of([*names, *data])}"
        )
    return told


@dataclass(frozen=True, slots=True, eq=False)
class Called:
    """A function of a pair, called by name."""

    function: Callable[..., Any]
    told: dict[str, str]
    data: Any

    def __call__(self, values: Mapping[str, Any], *leading: Any, prior: bool = False) -> Any:
        """Call it with the parameters, the data, and ``leading`` arguments before them."""
        given = {
            argument: prior
            if what == PRIOR
            else (self.data[what[5:]] if what[5:] else self.data)
            if what.startswith("data:")
            else values[what]
            for argument, what in self.told.items()
        }
        return self.function(*leading, **given)


@dataclass(frozen=True, slots=True, eq=False)
class OfAll:
    """A function of the parameters as one mapping, whatever their names, with or without an argument ``prior``; see `Called`."""

    function: Callable[..., Any]
    takes_prior: bool = False
    told: Mapping[str, str] = field(default_factory=dict)
    data: Any = None

    def __call__(self, values: Mapping[str, Any], *leading: Any, prior: bool = False) -> Any:
        """Call it with ``leading`` arguments and the parameters."""
        return self.function(*leading, values, **({PRIOR: prior} if self.takes_prior else {}))


type Function = Called | OfAll


def called(function: Callable[..., Any], of: str, names: tuple[str, ...], data: Any, skip: int = 0) -> Function:
    """Give a function of a pair as one of the parameters' values; see `arguments`."""
    if isinstance(function, OfAll):
        return function
    return Called(function, arguments(function, of, names, data, skip), data)


def values_of(returned: Any, of: str, shapes: Mapping[str, tuple[int, ...]]) -> Values:
    """What a function of a pair returned, by parameter, each of the program's shape.

    Raises
    ------
    ValueError
        where names or shapes are others; the message says which and what to return
    """
    gave = "has" if of == "start" else "returned"
    if not isinstance(returned, Mapping):
        if len(shapes) > 1:
            raise ValueError(f"{of} {gave} {shown(returned)}; give a mapping with {', '.join(shapes)}")
        returned = dict.fromkeys(shapes, returned)
    if set(returned) != set(shapes):
        has = some_of(returned) if returned else "nothing"
        raise ValueError(f"{of} {gave} values for {has}; the program has {', '.join(shapes)}: give one for each")
    found = {}
    for name in shapes:
        try:
            found[name] = np.asarray(returned[name], dtype=float)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{of} {gave} {name} = {shown(returned[name])}, of which no array of numbers can be made; "
                f"give numbers of shape {shapes[name]}"
            ) from error
    for name, shape in shapes.items():
        if found[name].shape != shape:
            raise ValueError(
                f"{of} {gave} {name} of shape {found[name].shape}; the program has {shape}: give one of that shape"
            )
    return found
