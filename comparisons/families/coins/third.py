"""Log densities of coins straight from `scipy.stats`: shares nothing with the rest of the suite."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats
from scipy.special import gammaln, xlogy

from comparisons.declared_rows import DeclaredRows
from models.inputs import Floats

# Tosses above which logarithms of factorials lose digits to one another.
MANY_TOSSES = 1000


def binomial(heads: Floats, tosses: Floats, p: float) -> Floats:
    """Log probability of heads; of many tosses by their deviance (Loader 2000), which subtracts no large numbers."""
    many = tosses > MANY_TOSSES
    few = stats.binom.logpmf(heads, np.where(many, heads, tosses), p)
    if not many.any():
        return np.asarray(few)
    tails, q = tosses - heads, 1 - p
    with np.errstate(all="ignore"):
        away = _deviance(heads, tosses * p, heads - tosses * p) + _deviance(tails, tosses * q, tosses * p - heads)
        inside = (
            _stirling(tosses) - _stirling(heads) - _stirling(tails)
            - away + 0.5 * np.log(tosses / (2 * np.pi * heads * tails))
        )  # fmt: skip
    ends = xlogy(heads, p) + tails * np.log1p(-p) if p < 1 else np.where(tails == 0, 0.0, -np.inf)
    at_an_end = (heads == 0) | (tails == 0)
    return np.where(many, np.where(at_an_end, ends, inside), few)


def _deviance(seen: Floats, expected: Floats, excess: Floats) -> Floats:
    """``seen log(seen / expected) + expected - seen``."""
    share = excess / expected
    return np.where(expected > 0, expected * ((1 + share) * np.log1p(share) - share), np.inf)


def _stirling(n: Floats) -> Floats:
    """Log of a factorial less Stirling's approximation of it."""
    series = 1 / (12 * n) - 1 / (360 * n**3) + 1 / (1260 * n**5)
    # From 64 on the next term of the series is below the rounding of the first.
    return np.where(n < 64, gammaln(n + 1) - (n + 0.5) * np.log(n) + n - 0.5 * np.log(2 * np.pi), series)


def log_prior(parameters: Any, numbers: dict[str, Any]) -> float:
    """Log density of head probabilities."""
    return float(stats.beta.logpdf(parameters.head_probabilities, numbers["heads"], numbers["tails"]).sum())


def rounding(rows: DeclaredRows) -> float:
    """Nats: logarithms of large factorials lose digits to one another."""
    return float(4 * np.finfo(float).eps * (rows.counts @ gammaln(rows.columns[:, 1] + 1)))
