"""The same objective maximised directly by SciPy: Nelder-Mead without derivatives, BFGS with the analytic gradient.

Nelder-Mead moves in the coordinates a user would write down: weights but the last, head probabilities or means, and the
lower entries of the Cholesky factors of the covariances, which for one feature are the standard deviations. BFGS moves
in unbounded ones: log ratios of weights, logits, and logarithms of the Cholesky diagonals.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from em.ascent.climb import Climb, Ending
from em.mixture import Mixture, evaluated
from em.uncertainty.curvature import derivatives
from models.inputs import Floats

# Evaluations after which Nelder-Mead gives up; SciPy's own 200 per parameter stop short of an optimum in 11 dimensions.
MAX_EVALUATIONS = 20_000

# What asking for a density raises where a parameter has left its domain, or a covariance is singular to rounding.
NOT_THERE = (FloatingPointError, np.linalg.LinAlgError)


def maximise(mixture: Mixture[Any, Any], start: Any, method: Literal["nelder-mead", "bfgs"]) -> Climb:
    """Maximise the objective from ``start``; a point where it does not exist counts as minus infinity.

    The trace has one entry for every iteration of SciPy's optimiser. Nelder-Mead keeps SciPy's tolerances (1e-4 in
    coordinates and objective), as in the published example.
    """
    from scipy.optimize import minimize

    unbounded = method == "bfgs"
    origin = mixture.coordinates(start, unbounded=unbounded)
    evaluations = 0

    def objective(x: Floats) -> float:
        nonlocal evaluations
        evaluations += 1
        try:
            parameters = mixture.from_vector(mixture.from_coordinates(x, unbounded=unbounded)[0])
            value = evaluated(mixture, parameters)[1]
        except NOT_THERE:
            return np.inf
        return -float(value) if np.isfinite(value) else np.inf

    def gradient(x: Floats) -> Floats:
        vector, jacobian = mixture.from_coordinates(x, unbounded=unbounded)
        try:
            return -jacobian.T @ derivatives(mixture, mixture.from_vector(vector))[0]
        except NOT_THERE:
            # SciPy asks for it wherever a step has led; from there its line search goes half the way back.
            return np.full(len(x), np.nan)

    points = [origin]
    values = [objective(origin)]

    def record(intermediate_result: Any) -> None:
        points.append(intermediate_result.x.copy())
        values.append(float(intermediate_result.fun))

    result: Any  # the stubs have a type of their own for each method
    with np.errstate(over="ignore", invalid="ignore"):
        if method == "nelder-mead":
            result = minimize(
                objective,
                origin,
                method="Nelder-Mead",
                callback=record,
                options={"maxiter": MAX_EVALUATIONS, "maxfev": MAX_EVALUATIONS},
            )
        else:
            # SciPy stops earlier by itself when rounding keeps the line search from gaining anything.
            result = minimize(objective, origin, jac=gradient, method="BFGS", callback=record, options={"gtol": 1e-7})
    if result.fun < values[-1]:
        points.append(result.x)
        values.append(float(result.fun))
    vectors = [mixture.from_coordinates(x, unbounded=unbounded)[0] for x in points]
    ending: Ending = "iteration limit" if result.status == 1 else "converged"
    return Climb(vectors, [-v for v in values], ending, evaluations)
