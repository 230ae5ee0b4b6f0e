"""Log-likelihood of a mixture whose joint log densities are ``theta_k . phi(y)``, and its gradient by ``theta``, in one pass.

By Fisher's identity that gradient is what an E-step sums: the features, times the responsibilities. A row's columns are an
affine map of what was observed, so that normals are about their centre and in units of their spread, and made a chunk at a
time: no copy of the rows exists. A row whose component is known adds its features to that component alone.

This module loads numba; `models.compiled.operation` imports it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import literal_unroll, njit

from models.compiled.row_pass import COMPONENTS, FEATURES, GROUP, PARTS, ROWS, STRIDE, pass_over

# Rows whose columns are made at a time: they stay in the fastest cache of a core.
CHUNK = 4 * ROWS
# Stands for log 0: finite times the counts of a row, so that what never happened (0 times it) contributes nothing.
LOG_OF_ZERO = -1e250
# Below this a row is impossible under every component.
IMPOSSIBLE = -1e200
CACHE_LINE = 64


@njit  # type: ignore[untyped-decorator]
def aligned(size: int) -> Any:
    """Zeros that begin at a cache line."""
    zeros = np.zeros(size + CACHE_LINE // 8)
    start = -zeros.ctypes.data % CACHE_LINE // 8
    return zeros[start : start + size]


@njit  # type: ignore[untyped-decorator]
def read(begin: int, rows: Any, m: int, observed: Any, shift: Any, turn: Any, raw: Any, columns: Any) -> None:
    """``turn (observed - shift)`` of ``m`` rows into ``columns``, flat ``(C, m)``; ``raw`` ``(D, CHUNK)`` is space.

    They are ``rows``, or those from ``begin`` on where none are named.
    """
    u = -1
    for column in literal_unroll(observed):  # which cannot be enumerated
        u += 1
        centred, about = raw[u], shift[u]
        if rows.size:
            for i in range(m):
                centred[i] = column[rows[i]] - about
        else:
            here = column[begin : begin + m]
            for i in range(m):
                centred[i] = here[i] - about
    for c in range(turn.shape[0]):
        made = columns[c * m : (c + 1) * m]
        for v in range(turn.shape[1]):
            centred, factor = raw[v], turn[c, v]
            if v == 0:
                for i in range(m):
                    made[i] = factor * centred[i]
            elif factor != 0.0:
                for i in range(m):
                    made[i] += factor * centred[i]


@njit  # type: ignore[untyped-decorator]
def sorted_out(
    begin: int, end: int, counts: Any, labels: Any, rows: Any, seen: Any, known: Any
) -> tuple[int, int, bool]:
    """Number of rows from ``begin`` on whose component is not known, into ``rows``, and of others, into ``known``.

    ``seen`` gets the counts of the first, unless all are 1, which the last of what is returned says. Where no component is
    known, as nearly always, ``rows`` is left as it is.
    """
    highest, many, m, told = -1, 0, 0, 0
    # Numbers that are all alike may be held once.
    here = labels[begin : end if labels.strides[0] else begin + 1]
    for i in range(here.size):
        highest = max(highest, here[i])
    times = counts[begin : end if counts.strides[0] else begin + 1]
    for i in range(times.size):
        many += times[i] != 1.0
    if highest < 0:
        if many:
            seen[: end - begin] = counts[begin:end]
        return end - begin, 0, many == 0
    for i in range(begin, end):
        if labels[i] < 0:
            rows[m], seen[m] = i, counts[i]
            m += 1
        else:
            known[told] = i
            told += 1
    return m, told, many == 0


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def value_and_sums(theta: Any, counts: Any, labels: Any, shift: Any, turn: Any, pairs: Any, observed: Any) -> Any:
    """Log-likelihood, and the features ``(K, F)`` summed with responsibilities and counts.

    Parameters
    ----------
    theta : ``(K, F)`` of the features 1, the columns, and the products of the pairs of them
    counts, labels : ``(n,)``; a label is -1 where the component is not known
    shift, turn : ``(D,)`` and ``(C, D)``: the columns of a row are ``turn (observed - shift)``
    pairs : ``(2, P)`` columns, counted from 0
    observed : ``D`` arrays ``(n,)``
    """
    k, f = theta.shape
    n, d = counts.size, turn.shape[0]
    k4, f4 = k + -k % COMPONENTS, f + -f % FEATURES
    filled, own = np.zeros((f4, k4)), np.zeros((k, f))
    for j in range(k):
        for i in range(f):
            value = max(theta[j, i], LOG_OF_ZERO)
            if not math.isfinite(value):
                return math.nan, np.full((k, f), math.nan)
            filled[i, j] = value
    a, b = np.zeros(f4, dtype=np.int64), np.zeros(f4, dtype=np.int64)
    for i in range(d):
        b[1 + i] = STRIDE * (1 + i)
    for i in range(pairs.shape[1]):
        a[1 + d + i], b[1 + d + i] = STRIDE * (1 + pairs[0, i]), STRIDE * (1 + pairs[1, i])
    x, weights = aligned((1 + d) * STRIDE), aligned(ROWS)
    joint, expected = aligned(k4 * GROUP), aligned(k4 * STRIDE)
    largest, total, sums = aligned(ROWS), aligned(ROWS), aligned(k4 * f4 * PARTS)
    x[:ROWS], weights[:] = 1.0, 1.0
    raw, columns, seen = np.empty((turn.shape[1], CHUNK)), np.empty(d * CHUNK), np.empty(CHUNK)
    rows, known = np.empty(CHUNK, dtype=np.int64), np.empty(CHUNK, dtype=np.int64)
    found, smallest, flat = 0.0, math.inf, filled.reshape(-1)
    for begin in range(0, n, CHUNK):
        m, told, once = sorted_out(begin, min(begin + CHUNK, n), counts, labels, rows, seen, known)
        if m > 0:
            read(begin, rows[: m if told else 0], m, observed, shift, turn, raw, columns)
            some = seen[:0] if once else seen[:m]
            weights[:] = 1.0
            logs = pass_over(
                flat, a, b, k, columns[: d * m], some, 0, m, x, weights, joint, expected, largest, total, sums
            )
            found += logs + largest[:GROUP].sum()
            smallest = min(smallest, total[:GROUP].min())
        if told > 0:
            read(begin, known, told, observed, shift, turn, raw, columns)
            for i in range(told):
                row, density = own[labels[known[i]]], 0.0
                for j in range(f):
                    feature = feature_of(columns, i, told, d, pairs, j)
                    density += filled[j, labels[known[i]]] * feature
                    row[j] += counts[known[i]] * feature
                found += counts[known[i]] * density
                smallest = min(smallest, density)
    own += sums.reshape(k4, f4, PARTS).sum(axis=2)[:k, :f]
    return found if smallest > IMPOSSIBLE else -math.inf, own


@njit  # type: ignore[untyped-decorator]
def feature_of(columns: Any, i: int, m: int, d: int, pairs: Any, j: int) -> float:
    """Feature ``j`` of row ``i`` of ``m``."""
    if j == 0:
        return 1.0
    if j <= d:
        return columns[(j - 1) * m + i]  # type: ignore[no-any-return]
    return columns[pairs[0, j - 1 - d] * m + i] * columns[pairs[1, j - 1 - d] * m + i]  # type: ignore[no-any-return]


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def log_densities(theta: Any, counts: Any, labels: Any, shift: Any, turn: Any, pairs: Any, observed: Any) -> Any:
    """``(n,)`` log density of each row times its counts; parameters as in `value_and_sums`."""
    k, f = theta.shape
    n, d = counts.size, turn.shape[0]
    found, joint = np.empty(n), np.empty(k)
    raw, columns, none = np.empty((turn.shape[1], CHUNK)), np.empty(d * CHUNK), np.empty(0, dtype=np.int64)
    for begin in range(0, n, CHUNK):
        m = min(CHUNK, n - begin)
        read(begin, none, m, observed, shift, turn, raw, columns)
        for i in range(m):
            joint[:] = 0.0
            for j in range(f):
                feature = feature_of(columns, i, m, d, pairs, j)
                for c in range(k):
                    joint[c] += max(theta[c, j], LOG_OF_ZERO) * feature
            label = labels[begin + i]
            top = joint.max() if label < 0 else joint[label]
            density = top + math.log(np.exp(joint - top).sum()) if label < 0 else top
            found[begin + i] = counts[begin + i] * density if density > IMPOSSIBLE else -math.inf
    return found
