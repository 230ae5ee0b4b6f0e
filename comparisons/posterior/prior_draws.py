"""Draws from the prior in canonical order: what the posterior is contracted from."""

from __future__ import annotations

import numpy as np

from comparisons.problem import Problem
from models.inputs import Floats, Integers


def middle_half(values: Floats) -> float:
    """Interquartile range, which priors have whose standard deviation is infinite or told badly by any number of draws."""
    low, high = np.quantile(values, [0.25, 0.75])
    return float(high - low)


def prior_spreads(problem: Problem, groups: Integers, random: np.random.Generator, n: int = 4000) -> dict[str, float]:
    """Interquartile range of every quantity under the prior, components in canonical order; nothing without draws of it."""
    arrays = problem.prior_draws(groups, n, random)
    found = {} if arrays is None else problem.quantities(arrays)
    return {name: middle_half(values) for name, values in found.items()}
