"""Standard errors from the observed information, or the reason why there are none.

Efron & Hinkley (1978), Biometrika 65, 457: the inverse of the observed, not the expected, information. With a prior it
is that of the log posterior, on the natural scale of the parameters.
"""

from __future__ import annotations

import numpy as np

from em.uncertainty.curvature import Curvature
from em.weights import MINIMUM_RATIO
from models.inputs import Floats


def describe(direction: Floats, names: tuple[str, ...]) -> str:
    """A direction in the parameters as a formula, largest part 1: ``head_probabilities[1] - head_probabilities[2]``."""
    direction = direction / np.abs(direction).max()
    direction = direction * np.sign(direction[np.argmax(np.abs(direction) > 1 - 1e-6)])
    terms: list[str] = []
    for j in np.argsort(-np.abs(direction).round(6), kind="stable"):
        size = abs(direction[j])
        if size < 5e-3:
            break
        sign = "-" if direction[j] < 0 else "+" if terms else ""
        factor = "" if size > 0.9995 else f"{size:.2g} "
        terms.append(f"{sign} {factor}{names[j]}".strip())
    return " ".join(terms)


def withheld_reason(
    status: str,
    judged: Curvature | None,
    names: tuple[str, ...],
    *,
    given_bounds: bool = False,
    held_by: str = MINIMUM_RATIO,
    part: str = "component",
) -> str | None:
    """Why a point of this status and curvature has no standard errors; None where it has, also ``given_bounds``.

    Where rows have no components ``part`` says what they have.
    """
    if status == "iteration limit":
        return "stopped short of the maximum, by the limit of iterations or where no step moves, as beside a kink of the density"
    if judged is None and status == "converged":
        return f"not computed: of {len(names)} parameters the information would cost more than the fit"
    if judged is None and status == "boundary":
        return f"{held_by}, where the objective is not at rest"
    if judged is None or status == "collapsed":
        return f"a {part} has collapsed onto rows that (almost) coincide: the likelihood grows without limit there"
    if judged.kind == "saddle":
        return f"a saddle, not a maximum: the objective rises along {describe(judged.direction, names)}"
    if judged.kind == "ridge":
        return f"not identified: the objective is flat along {describe(judged.direction, names)}"
    if judged.kind == "boundary" and not given_bounds:
        told = {j: f" ({limit})" for j, limit in judged.limits.items()}
        held = ", ".join(names[j] + told.get(j, "") for j in judged.at_bounds)
        return f"at a bound, where the objective is not quadratic: {held}"
    return None


def covariance_of(judged: Curvature | None, reason: str | None, p: int) -> Floats:
    """``(p, p)`` covariance of the full vector, NaN where withheld: one that takes no memory."""
    if judged is None or reason is not None:
        return np.broadcast_to(np.nan, (p, p))
    return judged.covariance
