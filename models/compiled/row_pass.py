"""One pass over the rows of a mixture whose joint log densities are ``theta_k . phi(y)``: responsibilities and summed features.

`em.rows.compiled` runs it on every chunk of rows for an E-step, `models.compiled.fused` for a log-likelihood and its gradient.

Every feature is the product of two of (1, y_1, ..., y_d), so it is made where it is used, in registers, and so are the two
matrix products: four components by 32 rows of log densities, four components by two features of moments. What is stored
between them is a block of rows and its responsibilities, which stay in the core's own cache. One logarithm serves 32
rows where every row counts once: that of the product of their sums, each between 1 and K.

This module loads numba; it is imported where the first large data come.
"""

from __future__ import annotations

import math
from typing import Any

from numba import njit

from models.compiled.lanes import (
    add,
    divide,
    every,
    exponential,
    fma,
    folded,
    larger,
    load,
    multiply,
    smaller,
    store,
    subtract,
)

# Rows of a block, and the rows and the partial sums that are computed at once.
ROWS, GROUP, HALF, PARTS = 256, 32, 16, 8
# From one row of a block's arrays to the next: a cache line more, or all would fall into the same few sets of the cache.
STRIDE = ROWS + 8
# Components that are computed at once, and features of moments.
COMPONENTS, FEATURES = 4, 2


@njit(inline="always")  # type: ignore[untyped-decorator]
def log_densities(theta: Any, k: int, f: int, x: Any, a: Any, b: Any, at: int, joint: Any) -> None:
    """``theta . phi`` of a group of rows, ``joint`` ``(k, GROUP)``; ``theta`` is ``(f, k)``, the first feature always 1."""
    for j in range(0, k, COMPONENTS):
        s0, s1 = every(theta[j], GROUP), every(theta[j + 1], GROUP)
        s2, s3 = every(theta[j + 2], GROUP), every(theta[j + 3], GROUP)
        for i in range(1, f):
            feature = multiply(load(x, a[i] + at, GROUP), load(x, b[i] + at, GROUP))
            here = i * k + j
            s0 = fma(every(theta[here], GROUP), feature, s0)
            s1 = fma(every(theta[here + 1], GROUP), feature, s1)
            s2 = fma(every(theta[here + 2], GROUP), feature, s2)
            s3 = fma(every(theta[here + 3], GROUP), feature, s3)
        store(joint, j * GROUP, s0)
        store(joint, (j + 1) * GROUP, s1)
        store(joint, (j + 2) * GROUP, s2)
        store(joint, (j + 3) * GROUP, s3)


@njit(inline="always")  # type: ignore[untyped-decorator]
def expected_counts(joint: Any, k: int, counts: Any, at: int, expected: Any, largest: Any, total: Any) -> None:
    """Responsibilities of a group of rows times their counts, into ``expected`` ``(k, ROWS)``."""
    most = load(joint, 0, GROUP)
    for j in range(1, k):
        most = larger(most, load(joint, j * GROUP, GROUP))
    both = every(0.0, GROUP)
    for j in range(k):
        share = exponential(subtract(load(joint, j * GROUP, GROUP), most))
        store(joint, j * GROUP, share)
        both = add(both, share)
    scale = divide(load(counts, at, GROUP), both)
    for j in range(k):
        store(expected, j * STRIDE + at, multiply(load(joint, j * GROUP, GROUP), scale))
    store(largest, at, most)
    store(total, at, both)


@njit(inline="always")  # type: ignore[untyped-decorator]
def add_to(sums: Any, at: int, s0: Any, s1: Any) -> None:
    """Add the moments of one component and two features."""
    store(sums, at, add(load(sums, at, PARTS), folded(s0)))
    store(sums, at + PARTS, add(load(sums, at + PARTS, PARTS), folded(s1)))


@njit(inline="always")  # type: ignore[untyped-decorator]
def moments(expected: Any, k: int, f: int, x: Any, a: Any, b: Any, sums: Any) -> None:
    """Add the features of a block, times its expected counts, to ``sums`` ``(k, f, PARTS)``."""
    for i in range(0, f, FEATURES):
        a0, a1, b0, b1 = a[i], a[i + 1], b[i], b[i + 1]
        for j in range(0, k, COMPONENTS):
            s00 = s01 = s10 = s11 = s20 = s21 = s30 = s31 = every(0.0, HALF)
            for at in range(0, ROWS, HALF):
                p0 = multiply(load(x, a0 + at, HALF), load(x, b0 + at, HALF))
                p1 = multiply(load(x, a1 + at, HALF), load(x, b1 + at, HALF))
                r = load(expected, j * STRIDE + at, HALF)
                s00, s01 = fma(r, p0, s00), fma(r, p1, s01)
                r = load(expected, (j + 1) * STRIDE + at, HALF)
                s10, s11 = fma(r, p0, s10), fma(r, p1, s11)
                r = load(expected, (j + 2) * STRIDE + at, HALF)
                s20, s21 = fma(r, p0, s20), fma(r, p1, s21)
                r = load(expected, (j + 3) * STRIDE + at, HALF)
                s30, s31 = fma(r, p0, s30), fma(r, p1, s31)
            here, row = (j * f + i) * PARTS, f * PARTS
            add_to(sums, here, s00, s01)
            add_to(sums, here + row, s10, s11)
            add_to(sums, here + 2 * row, s20, s21)
            add_to(sums, here + 3 * row, s30, s31)


@njit(inline="always")  # type: ignore[untyped-decorator]
def read_block(columns: Any, counts: Any, d: int, start: int, m: int, x: Any, weights: Any) -> None:
    """Rows from ``start`` on into ``x`` ``(1 + d, ROWS)``; beyond the last it is repeated, and counts 0 times."""
    n = columns.size // d
    for u in range(d):
        first, row = u * n + start, (u + 1) * STRIDE
        if m == ROWS:
            for at in range(0, ROWS, GROUP):
                store(x, row + at, load(columns, first + at, GROUP))
        else:
            for i in range(ROWS):
                x[row + i] = columns[first + (i if i < m else m - 1)]
    if counts.size:
        for i in range(m):
            weights[i] = counts[start + i]
    for i in range(m, ROWS):
        weights[i] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def pass_over(
    theta: Any,
    a: Any,
    b: Any,
    k: int,
    columns: Any,
    counts: Any,
    begin: int,
    end: int,
    x: Any,
    weights: Any,
    joint: Any,
    expected: Any,
    largest: Any,
    total: Any,
    sums: Any,
) -> float:
    """The rows from ``begin`` to ``end``: returns the sum of the logarithms of ``total``.

    All arrays are flat, and those that are written begin at a cache line. Into the first group of ``largest`` goes the sum
    of the rows' largest log densities times their counts, into that of ``total`` the smallest of them.

    Parameters
    ----------
    theta : ``(F, K)`` natural parameters, K a multiple of `COMPONENTS`, of which ``k`` count
    a, b : ``(F,)`` where the factors of a feature begin in ``x``, F a multiple of `FEATURES`
    columns : ``(d, n)`` all rows, column after column
    counts : ``(n,)`` of the rows; empty where each counts once
    x : ``(1 + d, STRIDE)`` space for a block, its first row of ones
    weights : ``(ROWS,)`` ones, space for the counts of a block
    joint, expected, largest, total : ``(K, GROUP)``, ``(K, STRIDE)``, ``(ROWS,)`` and ``(ROWS,)``, space
    sums : ``(K, F, PARTS)`` what the features times the responsibilities are added to
    """
    f, d = a.size, x.size // STRIDE - 1
    k4 = theta.size // f
    once = counts.size == 0
    logs, tops, lowest = 0.0, every(0.0, GROUP), every(math.inf, GROUP)
    for start in range(begin, end, ROWS):
        m = ROWS if start + ROWS <= end else end - start
        read_block(columns, counts, d, start, m, x, weights)
        products = every(1.0, GROUP)
        for at in range(0, ROWS, GROUP):
            log_densities(theta, k4, f, x, a, b, at, joint)
            expected_counts(joint, k, weights, at, expected, largest, total)
            top = load(largest, at, GROUP)
            tops = fma(load(weights, at, GROUP), top, tops)
            lowest = smaller(lowest, top)
            products = multiply(products, load(total, at, GROUP))
        if once and m == ROWS:
            store(total, 0, products)
            for i in range(0, GROUP, GROUP * GROUP // ROWS):
                logs += math.log(total[i] * total[i + 1] * total[i + 2] * total[i + 3])
        else:
            for i in range(m):
                logs += weights[i] * math.log(total[i])
        moments(expected, k4, f, x, a, b, sums)
    store(largest, 0, tops)
    store(total, 0, lowest)
    return logs
