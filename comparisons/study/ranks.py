"""Are ranks uniform? The empirical distribution function against a band that holds all of it at once.

The statistic is the smallest pointwise two-sided binomial probability along the distribution function; its distribution
under uniform ranks is simulated, which gives both the p-value and the band of a figure (Säilynoja, Bürkner & Vehtari 2022,
Statistics and Computing 32, 32).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.special import bdtr

from models.inputs import Floats, Integers

SIMULATIONS = 4000
# Points along the distribution function at which it is compared.
POINTS = 20


def uniformity(ranks: Integers, largest: int) -> float:
    """p-value of the hypothesis that ranks 0 to ``largest`` are equally likely."""
    as_small = (_null(len(ranks), largest) <= _smallest(np.asarray(ranks)[None], largest)[0]).sum()
    # The ranks themselves are one of the draws, so that no p-value is 0.
    return float((1 + as_small) / (1 + SIMULATIONS))


def band(n: int, largest: int, level: float = 0.95) -> tuple[Floats, Floats, Floats]:
    """Grid of ranks, and lower and upper end of the share of ``n`` ranks at or below it, all points together."""
    from scipy.stats import binom

    gamma = float(np.quantile(_null(n, largest), 1 - level))
    grid = _grid(largest)
    expected = (grid + 1) / (largest + 1)
    low, high = (np.asarray(binom.ppf(tail, n, expected) / n) for tail in (gamma / 2, 1 - gamma / 2))
    return grid, low, high


def shares(ranks: Integers, largest: int) -> Floats:
    """Share of the ranks at or below each point of the grid."""
    return np.asarray((np.asarray(ranks)[:, None] <= _grid(largest)).mean(axis=0))


def _grid(largest: int) -> Floats:
    return np.unique(np.linspace(0, largest, POINTS + 2)[1:-1].astype(int)).astype(float)


def _smallest(ranks: Integers, largest: int) -> Floats:
    """``(m,)`` smallest pointwise probability for each row of ``(m, n)`` ranks."""
    grid = _grid(largest)
    n = ranks.shape[1]
    below = np.stack([(ranks <= point).sum(axis=1) for point in grid], axis=1)
    expected = (grid + 1) / (largest + 1)
    lower, upper = bdtr(below, n, expected), 1 - np.where(below > 0, bdtr(np.maximum(below - 1, 0), n, expected), 0.0)
    return np.asarray(np.minimum(2 * np.minimum(lower, upper), 1.0).min(axis=1))


@lru_cache(maxsize=16)
def _null(n: int, largest: int) -> Floats:
    random = np.random.default_rng(n)
    return _smallest(random.integers(0, largest + 1, size=(SIMULATIONS, n)), largest)
