"""The pass of `em.kernel.posterior_sums` over many rows of normals, compiled by numba, which is loaded at the first call.

The matrix products are BLAS, as there. What compiling saves is the memory traffic between them: features are made, and
exponentials taken, a block at a time in the core's own cache. The exponential is a polynomial of degree 12 on
``|r| <= log(2) / 2``, whose remainder is below 2e-16, times a power of two that is written as bits, so that the compiler
can take several at once; below -700 it is 0. Where every row counts once, one logarithm serves a run of rows: that of the
product of their sums, each between 1 and K.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from models.inputs import Floats

# Rows from which compiling is used: an import of numba costs as much as some twenty passes over so many.
MANY_ROWS = 50_000
# Rows of a block; a multiple of RUN.
ROWS = 256
# Rows that share a logarithm: 2^10 components to this power are below the largest number.
RUN = 32
LOG2E, LN2_HIGH, LN2_LOW = 1.4426950408889634, 6.93147180369123816490e-01, 1.90821492927058770002e-10
# Taylor coefficients of exp from degree 12 down to 0.
COEFFICIENTS = tuple(1.0 / math.factorial(n) for n in range(12, -1, -1))


def available(n: int) -> bool:
    """Whether ``n`` rows are worth compiling for, and numba is installed."""
    return n >= MANY_ROWS and find_spec("numba") is not None


@cache
def normal_pass() -> Callable[[Floats, Floats, Floats, bool, bool], tuple[Floats, float, float]]:
    """The compiled pass: ``(theta, y, counts, diagonal, once)`` to sums, log-likelihood and smallest row maximum."""
    from numba import njit

    c12, c11, c10, c9, c8, c7, c6, c5, c4, c3, c2, c1, c0 = COEFFICIENTS

    @njit(cache=True, fastmath={"contract", "reassoc", "nsz"}, error_model="numpy")
    def pass_over(theta: Any, y: Any, counts: Any, diagonal: bool, once: bool) -> Any:
        k, f = theta.shape
        n, d = y.shape
        features, joint = np.zeros((f, ROWS)), np.empty((k, ROWS))
        largest, total = np.empty(ROWS), np.empty(ROWS)
        bits = np.empty(ROWS, dtype=np.int64)
        powers = bits.view(np.float64)
        sums, part = np.zeros((k, f)), np.empty((k, f))
        log_likelihood, smallest = 0.0, np.inf
        features[0] = 1.0
        for start in range(0, n, ROWS):
            m = min(ROWS, n - start)
            for a in range(d):
                for i in range(m):
                    features[1 + a, i] = y[start + i, a]
            at = d + 1
            for a in range(d):
                for b in range(a if diagonal else 0, a + 1):
                    for i in range(m):
                        features[at, i] = features[1 + a, i] * features[1 + b, i]
                    at += 1
            np.dot(theta, features, joint)
            for i in range(ROWS):
                largest[i] = joint[0, i]
            for j in range(1, k):
                for i in range(ROWS):
                    largest[i] = max(largest[i], joint[j, i])
            total[:] = 0.0
            for j in range(k):
                for i in range(ROWS):
                    x = max(joint[j, i] - largest[i], -700.0)
                    whole = np.floor(x * LOG2E + 0.5)
                    r = (x - whole * LN2_HIGH) - whole * LN2_LOW
                    q = c12
                    q = q * r + c11
                    q = q * r + c10
                    q = q * r + c9
                    q = q * r + c8
                    q = q * r + c7
                    q = q * r + c6
                    q = q * r + c5
                    q = q * r + c4
                    q = q * r + c3
                    q = q * r + c2
                    q = q * r + c1
                    q = q * r + c0
                    bits[i] = (np.int64(whole) + 1023) << 52
                    joint[j, i] = q if x > -700.0 else 0.0
                for i in range(ROWS):
                    joint[j, i] *= powers[i]
                    total[i] += joint[j, i]
            for i in range(m):
                smallest = min(smallest, largest[i])
            if once:
                for i in range(m):
                    log_likelihood += largest[i]
                for first in range(0, m, RUN):
                    product = 1.0
                    for i in range(first, min(first + RUN, m)):
                        product *= total[i]
                    log_likelihood += np.log(product)
                for i in range(ROWS):
                    total[i] = 1.0 / total[i]
            else:
                for i in range(m):
                    log_likelihood += counts[start + i] * (largest[i] + np.log(total[i]))
                    total[i] = counts[start + i] / total[i]
            for i in range(m, ROWS):
                total[i] = 0.0
            for j in range(k):
                for i in range(ROWS):
                    joint[j, i] *= total[i]
            np.dot(joint, features.T, part)
            sums += part
        return sums, log_likelihood, smallest

    compiled: Any = pass_over
    return compiled  # type: ignore[no-any-return]
