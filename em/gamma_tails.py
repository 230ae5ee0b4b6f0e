"""The tail of a gamma distribution of rate 1: its probability, and moments of ``log u`` and ``u`` in it, for any shape.

With ``t = log u`` the density is proportional to ``exp(a t - exp(t))``, which is log-concave with its mode at ``log a``. The
part above ``log x`` is integrated by Gauss and Legendre on panels that end where it has fallen by exp(-40); to the left, where
it is exponential for small shapes, they widen threefold. Derivatives of the tail by the shape, which no library has, are these
moments: ``d log Q / da = E[log u | u > x] - digamma(a)``, and with it all second ones.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.special import gammaln

from em.mixture import AT_A_TIME
from models.inputs import Floats

NODES, WEIGHTS = np.polynomial.legendre.leggauss(32)
# Nats by which what is left out lies below the mode, and the width of the first panel on the left.
DEPTH, FIRST = 40.0, 3.0
# Steps of Newton's method to the ends, from outside and on a convex function: what is left of the way is of no account.
STEPS = 12


class Tail(NamedTuple):
    """Of ``u > x``, each ``(...)``: log probability, means of ``log u`` and of ``u``, their variances and covariance."""

    log_probability: Floats
    mean_log: Floats
    mean: Floats
    variance_log: Floats
    covariance: Floats
    variance: Floats


def tail(shape: Floats, x: Floats) -> Tail:
    """The tail above ``x`` ``(...)`` of shapes that broadcast with it, both above 0."""
    a, above = np.broadcast_arrays(shape, x)
    flat = np.stack([a.ravel(), above.ravel()])
    some = max(AT_A_TIME // len(NODES), 1)
    parts = [_tail(*flat[:, j : j + some]) for j in range(0, flat.shape[1], some)]
    found = np.concatenate(parts, axis=1) if parts else np.zeros((6, 0))
    return Tail(*found.reshape(6, *a.shape))


def _tail(a: Floats, x: Floats) -> Floats:
    """``(6, n)`` the same of pairs ``(n,)``."""
    low = np.log(x)
    top = np.maximum(low, np.log(a))
    height = np.exp(top)
    right = _end(lambda h: (height * np.expm1(h) - a * h, height * np.exp(h) - a), _widest_right(height))
    depth = DEPTH / a
    widest = np.where(depth < 1 / 3, np.sqrt(3 * depth), depth + 1)
    left = np.minimum(_end(lambda h: (a * (h + np.expm1(-h)), -a * np.expm1(-h)), widest), top - low)
    edges = [np.zeros_like(a), right / 2, right]
    panels = list(pairwise(edges))
    end, width = np.zeros_like(a), FIRST
    while (end < left).any():
        start = np.minimum(end + width, left)
        panels.append((-start, -end))
        end, width = start, 3 * width
    sums = np.zeros((6, len(a)))
    for start, stop in panels:
        half = (stop - start) / 2
        s = half[:, None] * NODES + (start + half)[:, None]
        m = height[:, None]
        up = m * np.expm1(s)
        density = half[:, None] * WEIGHTS * np.exp(a[:, None] * s - up)
        sums += [(density * of).sum(axis=1) for of in (np.ones_like(s), s, up, s * s, s * up, up * up)]
    total, log_mean, mean, log_square, product, square = sums
    log_mean, mean = log_mean / total, mean / total
    return np.stack(
        [
            a * top - height + np.log(total) - gammaln(a),
            top + log_mean,
            height + mean,
            log_square / total - log_mean**2,
            product / total - log_mean * mean,
            square / total - mean**2,
        ]
    )


def _widest_right(height: Floats) -> Floats:
    """Where ``height (exp(h) - 1 - h)``, which is below the fall to the right, is `DEPTH` or more."""
    depth = DEPTH / height
    return np.asarray(np.minimum(np.sqrt(2 * depth), np.log1p(depth) + np.log1p(np.log1p(depth)) + 1))


def _end(fall: Callable[[Floats], tuple[Floats, Floats]], h: Floats) -> Floats:
    """Where a convex ``fall`` reaches `DEPTH`, from beyond."""
    for _ in range(STEPS):
        value, slope = fall(h)
        h = h - (value - DEPTH) / slope
    return np.asarray(h)
