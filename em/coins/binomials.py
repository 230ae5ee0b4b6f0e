"""Log probabilities of binomials whose digits do not go lost in large numbers of tosses.

Of t tosses with h heads the terms h log p, (t - h) log(1 - p) and the log binomial coefficient are as large as t, and their sum
is as small as log t. So the largest that the probability can be, at p = h / t, is computed from the error of Stirling's formula,
and from it is taken what p differs from that, as deviances (Loader 2000, Fast and Accurate Computation of Binomial
Probabilities):

    log f(h; t, p) = log f(h; t, h / t) - D(h; t p) - D(t - h; t (1 - p)),    D(x; m) = x log(x / m) - (x - m).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, xlogy

from models.inputs import Floats

# Tosses of a bag up to which the plain formula loses no more than the 13th digit after the point.
FEW_TOSSES = 1000
# Up to here the error of Stirling's formula is the difference that it is by definition, of numbers of this size.
SMALL = 16.0
# Relative distance of heads from their mean below which the deviance is a series, and terms that leave less than rounding there:
# 0.1^16 / 17 < 1e-17.
NEAR, TERMS = 0.1, 8


def largest_log_probability(heads: ArrayLike, tosses: ArrayLike) -> Floats:
    """Log probability of so many heads at p = heads / tosses."""
    heads, tosses = np.asarray(heads, dtype=float), np.asarray(tosses, dtype=float)
    tails = tosses - heads
    inside = (heads > 0) & (tails > 0)
    h, t, m = (np.where(inside, x, 2.0) for x in (heads, tosses, tails))
    size = 0.5 * (np.log(t) - np.log(h) - np.log(m) - np.log(2 * np.pi))
    return np.where(inside, size + _stirling_error(t) - _stirling_error(h) - _stirling_error(m), 0.0)


def deviances(heads: ArrayLike, tosses: ArrayLike, p: Floats) -> Floats:
    """What the log probability of so many heads at p is below the largest, broadcast; infinite where they are impossible."""
    heads, tosses = np.asarray(heads, dtype=float), np.asarray(tosses, dtype=float)
    q = 1 - p  # exact from 1/2 on; below, a rounding of 1 - p that is 1 to all digits costs p of them
    tails = tosses - heads
    expected, missed = tosses * p, tosses * q
    # The same difference from either side; the smaller of both numbers is the one that has its digits.
    above = np.where(p <= 0.5, heads - expected, missed - tails)
    return np.asarray(_deviance(heads, expected, above) + _deviance(tails, missed, -above))


def _deviance(x: Floats, m: Floats, difference: Floats) -> Floats:
    """D(x; m), given also the difference x - m."""
    size = x + m
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        v = np.where(size > 0, difference / np.where(size > 0, size, 1.0), 0.0)
        far = np.where(x > 0, xlogy(x, x / m), 0.0) - difference
    square = v * v
    series = np.zeros_like(v)
    for j in range(TERMS, 0, -1):
        series = (series + 1 / (2 * j + 1)) * square
    near = size * v * (v + (1 + v) * series)
    return np.where(np.abs(v) < NEAR, near, far)


def _stirling_error(n: Floats) -> Floats:
    """Error of Stirling's formula for log n!, for n above 0."""
    small = np.minimum(n, SMALL)
    exact = gammaln(small + 1) - (small + 0.5) * np.log(small) + small - 0.5 * np.log(2 * np.pi)
    s = 1 / (np.maximum(n, SMALL) ** 2)
    series = (1 / 12 - s * (1 / 360 - s * (1 / 1260 - s * (1 / 1680 - s / 1188)))) / np.maximum(n, SMALL)
    return np.where(n <= SMALL, exact, series)
