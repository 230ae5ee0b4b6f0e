"""The quantities of a comparison by name: from parameters, from standard errors, from draws.

Weights are quantities where they are free; the others are told by the family.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from comparisons.problem import Parameters, Problem
from em.uncertainty.curvature import Curvature
from models.inputs import Floats

if TYPE_CHECKING:
    import xarray as xr

# Probability of all intervals.
INTERVAL = 0.94
# A direction is along the flat ones where less than this share of it is not.
ALONG = 1e-6


def names(problem: Problem) -> list[str]:
    """Names of all quantities, in the order of the table."""
    return list(of_arrays(problem, _example(problem)))


def of_parameters(problem: Problem, parameters: Parameters) -> dict[str, float]:
    """Every quantity at one point."""
    return {name: float(value) for name, value in of_arrays(problem, problem.family.arrays(parameters)).items()}


def of_draws(problem: Problem, posterior: xr.Dataset) -> dict[str, Floats]:
    """Draws ``(chains, draws)`` of every quantity, from draws in canonical order."""
    arrays = {str(name): variable.values for name, variable in posterior.data_vars.items()}
    if problem.weights.fixed is not None:
        arrays["weights"] = problem.weights.fixed
    return of_arrays(problem, arrays)


def unit_of(values: Floats) -> float:
    """The power of two next below the largest of the values: divided by it, without rounding, none has too large a square."""
    largest = float(np.abs(values).max(initial=0.0))
    return float(2.0 ** np.floor(np.log2(largest))) if 0 < largest < np.inf else 1.0


def of_arrays(problem: Problem, arrays: dict[str, Any]) -> dict[str, Any]:
    """Quantities by name from arrays by PyMC's names, component and feature axes last."""
    free, components = problem.weights.free, problem.comparison.components
    found = {f"weights[{name}]": arrays["weights"][..., k] for k, name in enumerate(components) if free}
    return found | problem.family.quantities(problem, arrays)


def arrays_of(problem: Problem, values: dict[str, Floats]) -> dict[str, Floats]:
    """Invert `of_arrays`: the parameters ``(n, K, ...)`` of ``n`` draws from their quantities by name."""
    held, n = problem.weights.fixed, len(next(iter(values.values())))
    weights = (
        np.stack([values[f"weights[{name}]"] for name in problem.comparison.components], axis=1)
        if held is None
        else np.tile(held, (n, 1))
    )
    return {"weights": weights, **problem.family.from_quantities(problem, values)}


def _example(problem: Problem) -> dict[str, Any]:
    return problem.family.arrays(problem.random_parameters(np.random.default_rng(0)))


def gradients(problem: Problem, parameters: Parameters) -> dict[str, Floats]:
    """Gradient ``(p,)`` of every quantity by the full vector of EM: weights, head probabilities or means, covariances."""
    slopes = of_arrays(problem, _unit_vectors(problem, parameters))
    return problem.family.slopes(parameters, slopes, of_parameters(problem, parameters))


def _unit_vectors(problem: Problem, parameters: Parameters) -> dict[str, Floats]:
    """By name the derivative of each array by each entry of the full vector, which stand along a leading axis."""
    places = problem.family.places(problem.family.arrays(parameters))
    sizes = {name: int(values.max()) + 1 for name, values in places.items()}
    ends = dict(zip(sizes, np.cumsum(list(sizes.values())), strict=True))
    unit = np.eye(sum(sizes.values()))
    return {name: unit[:, places[name] + ends[name] - size] for name, size in sizes.items()}


def standard_errors(judged: Curvature, slopes: dict[str, Floats]) -> dict[str, float]:
    """Standard error of every quantity from the observed information; NaN where the data do not identify it.

    On a ridge a quantity that does not change along the flat directions still has one: it is identified.
    """
    if judged.kind in ("saddle", "boundary"):
        return dict.fromkeys(slopes, np.nan)
    basis, information = judged.basis, judged.information
    sizes = np.abs(np.diag(information))
    unit = 1 / np.sqrt(np.where(sizes > 0, sizes, 1.0))
    values, vectors = np.linalg.eigh(information * unit * unit[:, None])
    # At a maximum the information has an inverse, however unequal its directions are; a ridge has at least one without.
    flat = max(judged.flat_directions.shape[1], 1) if judged.kind == "ridge" else 0
    kept = (np.arange(len(values)) >= flat) & (values > 0)
    found = {}
    for name, slope in slopes.items():
        turned = vectors.T @ (unit * (basis.T @ slope))
        # Relative to the largest, so that squares of what is itself a square of the data's unit do not overflow.
        size = np.abs(turned).max(initial=0.0) or 1.0
        turned = turned / size
        identified = np.linalg.norm(turned[~kept]) <= ALONG * np.linalg.norm(turned)
        found[name] = float(size * np.sqrt((turned[kept] ** 2 / values[kept]).sum())) if identified else np.nan
    return found
