"""The quantities of a comparison by name: from parameters, from standard errors, from draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from comparisons.capabilities import Parameters
from comparisons.problem import Problem
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
    return list(problem.quantities(problem.arrays(problem.random_parameters(np.random.default_rng(0)))))


def of_parameters(problem: Problem, parameters: Parameters) -> dict[str, float]:
    """Every quantity at one point."""
    return {name: float(value) for name, value in problem.quantities(problem.arrays(parameters)).items()}


def of_draws(problem: Problem, posterior: xr.Dataset) -> dict[str, Floats]:
    """Draws ``(chains, draws)`` of every quantity, from draws in canonical order."""
    return problem.quantities(problem.arrays_of_draws(posterior))


def unit_of(values: Floats) -> float:
    """The power of two next below the largest of the values: divided by it, without rounding, none has too large a square."""
    largest = float(np.abs(values).max(initial=0.0))
    return float(2.0 ** np.floor(np.log2(largest))) if 0 < largest < np.inf else 1.0


def standard_errors(judged: Curvature, slopes: dict[str, Floats], *, given_bounds: bool = False) -> dict[str, float]:
    """Standard error of every quantity from the observed information; NaN where the data do not identify it.

    At a bound there are none, unless they are ``given_bounds``: then what is there has an error of 0. On a ridge a quantity that
    does not change along the flat directions still has one: it is identified.
    """
    if judged.kind == "saddle" or (judged.kind == "boundary" and not given_bounds):
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
