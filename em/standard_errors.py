"""Standard errors from the observed information, or the reason why there are none.

Efron & Hinkley (1978), Biometrika 65, 457: the inverse of the observed, not the expected, information. With a prior it is
that of the log posterior, on the natural scale of the parameters.
"""

from __future__ import annotations

import numpy as np

from em.curvature import Curvature
from models.inputs import Floats


def describe(direction: Floats, names: tuple[str, ...]) -> str:
    """A direction in the parameters as a formula, largest part 1: ``head_probabilities[1] - head_probabilities[2]``."""
    terms = []
    for j in np.argsort(-np.abs(direction), kind="stable"):
        size = abs(direction[j])
        if size < 5e-3:
            break
        sign = "-" if direction[j] < 0 else "+" if terms else ""
        factor = "" if size > 0.9995 else f"{size:.2g} "
        terms.append(f"{sign} {factor}{names[j]}".strip())
    return " ".join(terms)


def withheld_reason(judged: Curvature, names: tuple[str, ...]) -> str | None:
    """Why a point with this curvature has no standard errors; None where it has."""
    if judged.kind == "saddle":
        return f"a saddle, not a maximum: the objective rises along {describe(judged.direction, names)}"
    if judged.kind == "ridge":
        return f"not identified: the objective is flat along {describe(judged.direction, names)}"
    if judged.kind == "boundary":
        held = ", ".join(names[j] for j in judged.at_bounds)
        return f"at a bound, where the objective is not quadratic: {held}"
    return None


def covariance_of(judged: Curvature, reason: str | None) -> Floats:
    """``(p, p)`` covariance of the full vector, NaN where withheld."""
    if reason is not None:
        return np.full((len(judged.basis),) * 2, np.nan)
    return judged.covariance
