"""Every function of a pair called once where EM begins: what it cannot do is told before anything long runs."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Mapping
from typing import Any

import numpy as np

from comparisons.pair import PRIOR, Values
from comparisons.pairs.calling import Function, values_of
from comparisons.pairs.problem import PairProblem
from models.inputs import cut, shown, some_of

# Characters of what a function raised.
LONGEST = 200


def once(function: Function, of: str, values: Mapping[str, Any], *leading: Any) -> Any:
    """What a function of a pair returns.

    Raises
    ------
    ValueError
        where it raises: with what it raised, the line, and what it was called with
    """
    try:
        return function(values, *leading)
    except Exception as error:  # whatever it is, of somebody's own function, it is raised again with what led to it
        file = function.function.__code__.co_filename if hasattr(function.function, "__code__") else ""
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
        where = f" in line {lines[-1]}" if lines else ""
        given = [f"its first argument {_sort(each)}" for each in leading]
        given += [f"{name} {_got(function, what, values)}" for name, what in function.told.items() if what != PRIOR]
        of_e_step = "what e_step returned, " if leading else ""
        raise ValueError(
            f"{of} raised {type(error).__name__}: {cut(' '.join(str(error).split()), LONGEST)}{where}\n"
            f"It was called with {'; '.join(given) or 'nothing'}\n"
            f"Mend {of}, {of_e_step}the names of its arguments, or the data"
        ) from error


def tried(problem: PairProblem, *, audited: bool) -> Values:
    """See that every function returns what it has to; where EM begins. Where a step leaves its domain an audit says why.

    Raises
    ------
    ValueError
        for what does not; the message names the function, what it gave, and what to return
    """
    functions, start = problem.functions, _starts(problem)[0]
    _number("log_likelihood", once(functions["log_likelihood"], "log_likelihood", start))
    if "log_prior" in functions:
        _number("log_prior", once(functions["log_prior"], "log_prior", start))
    if np.isnan(told := problem.log_prior(start)):
        raise ValueError(
            f"the program's log prior is {told} at the start; give start=, parameters inside their domains"
        )
    of = "em_step" if "em_step" in functions else "m_step"
    leading: list[Any] = []
    if of == "m_step":
        leading = [once(functions["e_step"], "e_step", start)]
        if leading[0] is None:
            raise ValueError("e_step returned None; return what m_step needs, such as responsibilities")
    after = values_of(once(functions[of], of, start, *leading), of, problem.space.shapes)
    if leading and "complete" in functions:
        _number("complete", once(functions["complete"], "complete", start, *leading), audited=audited)
    name = problem.space.outside(after)
    if not audited and name is not None:
        raise ValueError(
            f"one step from the start makes {name} {shown(after[name])}, outside its domain in the program, "
            f"{problem.space.domain(name)}; mend the step: comparisons.audit says where it is wrong"
        )
    if problem.pair.stop is not None and name is None:
        try:
            inspect.signature(problem.pair.stop).bind(start, after)
        except TypeError as error:
            raise ValueError(
                f"stop takes {inspect.signature(problem.pair.stop)}, but is called with two arguments; write it as "
                "stop(before, after), the parameters by name before and after a step"
            ) from error
        _whether("stop", problem.pair.stop(start, after))
    return start


def _starts(problem: PairProblem) -> list[Values]:
    """Where EM begins, each inside the domains."""
    if "start" in problem.functions:
        once(problem.functions["start"], "start", {})
    starts = problem.starts(0)
    if not starts:
        raise ValueError("start returned an empty list; return parameters by name, or several such in a list")
    for values in starts:
        if (name := problem.space.outside(values)) is not None:
            told = shown(values[name].tolist())
            domain = problem.space.domain(name)
            raise ValueError(f"start has {name} = {told}, outside its domain in the program, {domain}; give one inside")
    return starts


def _number(of: str, told: Any, *, audited: bool = False) -> float:
    """One number; where it is ``audited`` no number is for the audit to tell."""
    try:
        number = float(told) if np.ndim(told) == 0 else np.nan
    except (TypeError, ValueError):
        number = np.nan
        audited = False
    if np.isnan(number) and not (audited and np.ndim(told) == 0):
        raise ValueError(f"{of} returned {shown(told)} at the start; return one number, in nats")
    return float(number)


def _whether(of: str, told: Any) -> None:
    """Yes or no."""
    if np.ndim(told) or not isinstance(told, bool | np.bool | int | float | np.ndarray | np.number):
        raise ValueError(f"{of} returned {shown(told)} after the first step; return True or False")


def _got(function: Function, what: str, values: Mapping[str, Any]) -> str:
    """What an argument was called with."""
    if not what.startswith("data:"):
        return f"of shape {np.shape(values[what])}"
    if what == "data:" and isinstance(function.data, Mapping):
        return f"all of the data, a mapping of which no entry has this name: it has {some_of(function.data)}"
    return _sort(function.data[what[5:]] if what[5:] else function.data)


def _sort(value: Any) -> str:
    """Shape of an array, kind of what is none."""
    if isinstance(value, int | float | str | None):
        return shown(value)
    shape = f" of shape {value.shape}" if hasattr(value, "shape") else ""
    return f"{type(value).__name__}{shape}"
