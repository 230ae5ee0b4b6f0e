"""Check 2: the EM estimate is a stationary point, by the distance to the optimum in standard errors."""

from __future__ import annotations

from typing import Any

import numpy as np

from comparisons.results.result import Check
from comparisons.results.strict_json import number
from em.uncertainty.curvature import Curvature
from em.uncertainty.standard_errors import describe

# Standard errors: three digits more than any report prints.
STATIONARY = 1e-3


def stationary(judged: Curvature | None, names: tuple[str, ...], withheld: str | None) -> Check:
    """The EM estimate is a stationary point, by the distance to the optimum in standard errors; ``withheld``: why it has none."""
    title = "The EM estimate is a maximum"

    def check(outcome: Any, statistic: float | None, text: str, engine: Any = None, remedy: str | None = None) -> Check:
        return Check("stationary", title, outcome, statistic, STATIONARY, text, engine, remedy)

    if judged is None:
        return check("not applicable", None, f"There is no maximum to be at: {withheld}.")
    if judged.kind == "saddle":
        return check(
            "fail",
            None,
            f"The point is a saddle: the objective rises along {describe(judged.direction, names)}.",
            "em",
            "Start EM elsewhere: equal components stay equal.",
        )
    distance = judged.step if judged.kind == "ridge" else judged.decrement
    if np.isnan(distance):
        return check("inconclusive", None, "The distance of the estimate to the maximum is not a number.", "em")
    if judged.kind == "ridge":
        flat = judged.flat_directions.shape[1]
        ways, across = (f"in {flat} directions, one of them", "them") if flat > 1 else ("along", "it")
        text = f"The objective is flat {ways} {describe(judged.direction, names)}: there is no single maximum to be at."
        if judged.step <= STATIONARY:
            return check("not applicable", judged.step, f"{text} Across {across} the estimate is at rest.")
        text += f" Across {across} EM has not come to rest."
        return check("fail", judged.step, text, "em", "Allow more iterations.")
    if judged.decrement <= STATIONARY:
        bound = ""
        if judged.at_bounds:
            bound = f" At the bound of {', '.join(names[j] for j in judged.at_bounds)} the gradient points outward."
        text = (
            f"The Newton step from the estimate to the maximum is {judged.decrement:.1e} standard errors long, and the observed "
            f"information is positive definite{' in what is not at its bound' if judged.at_bounds else ''}: a local maximum."
        )
        return check("pass", judged.decrement, text + bound)
    return check(
        "fail",
        number(judged.decrement),
        f"EM stopped {judged.decrement:.2g} standard errors short of the maximum.",
        "em",
        "Allow more iterations; a small last step is no sign of arrival.",
    )
