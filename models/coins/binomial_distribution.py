"""The binomial for PyMC where bags have so many tosses that `pymc.Binomial` loses digits.

It is a difference of terms as large as t log t, which at 1e8 tosses leaves five digits after the point. The ratio of the
probability at p to the largest that there is, at p = h / t, has none: it is exp(-t D), D the Kullback-Leibler divergence of the
two coins, a series in their difference where that is small. The largest is a number of the data (Loader 2000).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import gammaln

from models.inputs import Floats, Integers

# Tosses of a bag up to which PyMC's binomial has the eleventh digit after the point.
FEW_TOSSES = 1000
# Below this |v| a deviance is its series to so many terms, of which the first left out is under rounding.
NEAR, TERMS = 0.1, 8


def many_tosses(tosses: Integers) -> bool:
    """Whether some bag needs the densities of this file."""
    return bool(np.max(tosses) > FEW_TOSSES)


def log_largest(heads: Integers, tosses: Integers) -> Floats:
    """``(n,)`` log probability of so many heads at p = heads / tosses."""
    h, t = heads.astype(float), tosses.astype(float)
    both = (h > 0) & (h < t)
    h, t = np.where(both, h, 1.0), np.where(both, t, 2.0)
    gaps = _gap(t) - _gap(h) - _gap(t - h)
    return np.asarray(np.where(both, gaps - 0.5 * np.log(2 * np.pi * h * ((t - h) / t)), 0.0))


def _gap(n: Floats) -> Floats:
    """What Stirling's formula lacks of log n!."""
    few = np.minimum(n, 20.0)
    lacking = gammaln(few + 1) - (few * np.log(few) - few + 0.5 * np.log(2 * np.pi * few))
    terms = 1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188
    return np.asarray(np.where(n <= 20, lacking, sum(c / n ** (2 * j + 1) for j, c in enumerate(terms))))


def binomial_logp(heads: Any, tosses: Any, p: Any, largest: Any) -> Any:
    """Log probability of heads, of which ``largest`` is the largest, at p."""
    import pytensor.tensor as pt

    heads, tosses = pt.cast(heads, "float64"), pt.cast(tosses, "float64")
    expected, missed, tails = tosses * p, tosses * (1 - p), tosses - heads
    above = pt.switch(p <= 0.5, heads - expected, missed - tails)
    return largest - _deviance(heads, expected, above) - _deviance(tails, missed, -above)


def _deviance(x: Any, m: Any, above: Any) -> Any:
    """Deviance x log(x / m) - x + m, with ``above`` = x - m."""
    import pytensor.tensor as pt

    v = above / (x + m)
    near = pt.switch(pt.abs(v) < NEAR, v, 0.0)
    series = pt.zeros_like(near)
    for j in range(TERMS, 0, -1):
        series = (series + 1 / (2 * j + 1)) * near**2
    far = x * pt.log(pt.switch(x > 0, x, 1.0) / m) - above
    return pt.switch(pt.abs(v) < NEAR, (x + m) * near * (near + (1 + near) * series), far)
