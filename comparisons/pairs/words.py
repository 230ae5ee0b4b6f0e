"""A program in words: its variables as PyMC prints them, with the numbers for which it puts ``<constant>``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from comparisons.pair import Words

if TYPE_CHECKING:
    import pymc as pm

# What PyMC prints for an array, and numbers up to which one is told in full.
HIDDEN, FEW = re.compile(r"<(?:constant|shared)>"), 12
# Distributions whose last parameter is a scale, though their users give a rate.
BY_SCALE = ("gamma", "exponential")


def words_of(program: pm.Model, columns: Mapping[str, Any]) -> Words:
    """What a report says of a program and of what was observed."""
    lines, free = lines_of(program), {variable.name for variable in program.free_RVs}
    prior = [line for line in lines if line.split(" ~")[0].strip() in free]
    return Words(
        family="own program",
        options={},
        formula=[line for line in lines if line not in prior],
        prior=prior,
        columns=columns,
    )


def lines_of(program: pm.Model) -> list[str]:
    """A line for each variable of a program: data, parameters, then what follows from them."""
    lines = [re.sub(r"\s+", " ", line).strip() for line in program.str_repr().splitlines() if line.strip()]
    variables = {str(v.name): v for v in [*program.free_RVs, *program.observed_RVs]}
    data = {str(v.name): _numbers(v.get_value()) for v in program.data_vars}
    named = set(program.named_vars.values())
    told = []
    for line in lines:
        name = re.split(r" [~=] ", line)[0]
        numbers = [data[name]] if name in data else [*_arrays(variables[name], named)] if name in variables else []
        words = HIDDEN.split(line)
        if len(words) == len(numbers) + 1:
            line = words[0] + "".join(map("".join, zip(numbers, words[1:], strict=True)))
        told.append(line)
    return told


def _arrays(variable: Any, named: set[Any]) -> Iterator[str]:
    """The numbers that PyMC does not print in a distribution, in the order of its parameters."""
    node = variable.owner
    *first, last = node.op.dist_params(node)
    scale = "scale " if getattr(node.op, "name", None) in BY_SCALE else ""
    for argument in first:
        yield from _of_argument(argument, named)
    yield from (scale + each for each in _of_argument(last, named))


def _of_argument(argument: Any, named: set[Any]) -> Iterator[str]:
    """Those of one parameter of a distribution."""
    from pymc.logprob.abstract import MeasurableOp
    from pytensor.compile.sharedvalue import SharedVariable
    from pytensor.graph.basic import Constant
    from pytensor.graph.traversal import ancestors
    from pytensor.tensor.elemwise import DimShuffle

    if isinstance(argument, Constant | SharedVariable):
        value = np.asarray(argument.data if isinstance(argument, Constant) else argument.get_value())
        if value.size > 1 or value.ndim > 1:
            yield _numbers(value)
    elif argument in named:
        return
    elif isinstance(argument.owner.op, MeasurableOp):
        yield from _arrays(argument, named)
    elif isinstance(argument.owner.op, DimShuffle):
        yield from _of_argument(argument.owner.inputs[0], named)
    elif not any(v in named or (v.owner and isinstance(v.owner.op, MeasurableOp)) for v in ancestors([argument])):
        yield _numbers(argument.eval())


def _numbers(array: Any) -> str:
    """Numbers of an array, or how many where these are many."""
    value = np.asarray(array)
    if value.size > FEW:
        return f"{' x '.join(map(str, value.shape))} numbers"
    told = np.array2string(value, separator=", ", formatter={"all": lambda v: f"{v:.6g}"}, max_line_width=1000)
    return re.sub(r"\s+", " ", told)
