"""Numbers that are none: NaN found wherever it stands in what an engine gave, so that nothing is judged by it.

A comparison with NaN is false whichever way it is written, so a limit that is asked of NaN is met or missed by the accident of
how it is asked. What comes from an engine is therefore looked through once, whatever fields it has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from comparisons.engine_failures import NAME, TITLE, WORDS, EngineFailure
from comparisons.problem import Fit, Problem
from comparisons.results.result import Check, Engine

# Places named in one sentence.
MOST_NAMED = 3


def not_numbers(value: Any, place: str = "") -> Iterator[str]:
    """Places of NaN in a number, an array, a table or a dataset, and in what is made of these."""
    if is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from not_numbers(getattr(value, field.name), f"{place}.{field.name}" if place else field.name)
    elif isinstance(value, Mapping) or hasattr(value, "data_vars") or hasattr(value, "columns"):
        for name in value:
            yield from not_numbers(value[name], f"{place}[{name}]" if place else str(name))
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for position, item in enumerate(value):
            yield from not_numbers(item, f"{place}[{position}]")
    elif isinstance(value, float | np.ndarray) or hasattr(value, "dtype"):
        array = np.asarray(value)
        if array.dtype.kind == "f" and np.isnan(array).any():
            yield place


def all_numbers(engine: Engine, what: str, value: Any) -> None:
    """See that no number in what an engine gave is NaN.

    Raises
    ------
    EngineFailure
        with a check that names the engine, ``what`` it gave, and where the NaN stand
    """
    places = list(not_numbers(value))
    if places:
        more = f" and {len(places) - MOST_NAMED} more" if len(places) > MOST_NAMED else ""
        text = f"{what} holds numbers that are none (NaN): {', '.join(places[:MOST_NAMED])}{more}. No limit can be asked of them."
        remedy = f"Find out where {WORDS[engine]} loses its numbers."
        raise EngineFailure(Check(NAME, TITLE, "inconclusive", None, None, text, engine, remedy))


def all_fitted(problem: Problem, *fits: Fit) -> None:
    """The same of fits by EM, of what checks read of them, and that their parameters are some of the declared model.

    Standard errors and rates do not exist everywhere.

    Raises
    ------
    EngineFailure
        as `all_numbers`; it fails where parameters are none of the model
    """
    for fit in fits:
        regular = [mode for mode in fit.modes if mode.regular]
        read = {name: getattr(fit, name) for name in ("parameters", "log_likelihood", "log_posterior")}
        all_numbers("em", "What EM returns", {**read, "modes": regular})
        for parameters in (fit.parameters, *(mode.parameters for mode in regular)):
            try:
                problem.refuse_others(parameters)
            except ValueError as error:
                text = f"EM returned parameters that the declared model does not have: {str(error).partition(';')[0]}."
                remedy = (
                    "Look for the step of EM that leaves the model: its M-step, or the way back to natural parameters."
                )
                raise EngineFailure(Check(NAME, TITLE, "fail", None, None, text, "em", remedy)) from error
