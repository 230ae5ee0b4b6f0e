"""Many rows: the compiled pass over chunks of them, on one or several threads, to the same bits.

Chunks are the same whatever the number of threads, and their sums are added in the order of the rows. numba is loaded, and
the pass compiled or read from numba's cache on disk, when the first data of so many rows come.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import numpy as np

from models.inputs import Floats, Integers

# Rows from which compiling is used: an import of numba costs as much as some hundred passes over so many.
MANY_ROWS = 50_000
# Multiplications of a chunk, so that it takes a millisecond or two, and an exponential's worth of them; rows at least.
CHUNK, EXPONENTIAL, CHUNK_ROWS = 2**24, 20, 2**13
CACHE_LINE = 64


def available(n: int) -> bool:
    """Whether ``n`` rows are worth compiling for, and numba is installed."""
    return n >= MANY_ROWS and find_spec("numba") is not None


def threads() -> int:
    """``OMP_NUM_THREADS`` where it is set, as BLAS has it, else the processors that this process may use."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, int(told)) if told.isdecimal() else getattr(os, "process_cpu_count", os.cpu_count)() or 1


def compiled_sums(
    theta: Floats, columns: Floats, counts: Floats, products: tuple[Integers, Integers] | None = None
) -> tuple[Floats, float, float]:
    """Features summed with the responsibilities, log-likelihood, and the smallest of the rows' largest log densities.

    Parameters
    ----------
    theta : ``(K, F)`` natural parameters, of 1, the columns, and the products of some of them
    columns : ``(d, n)`` rows, one feature after the other
    counts : ``(n,)`` of the rows; empty where each counts once
    products : of which two columns each, counted from 0; of none where None
    """
    from models.compiled.row_pass import COMPONENTS, FEATURES, GROUP, PARTS, ROWS, STRIDE, pass_over

    (k, f), (d, n) = theta.shape, columns.shape
    filled = np.zeros((f + -f % FEATURES, k + -k % COMPONENTS))
    filled[:f, :k] = theta.T
    f4, k4 = filled.shape
    a, b = np.zeros((2, f4), dtype=np.int64)
    b[1 : d + 1] = np.arange(1, d + 1)
    if products is not None:
        a[d + 1 : f], b[d + 1 : f] = np.add(products, 1)
    fixed = filled.reshape(-1), STRIDE * a, STRIDE * b, k, columns.reshape(-1), counts
    # A block, its counts, joint densities, expected counts, largest, total, and the sums: all multiples of a cache line.
    ends = np.cumsum([(1 + d) * STRIDE, ROWS, k4 * GROUP, k4 * STRIDE, ROWS, ROWS, k4 * f4 * PARTS])
    rows = max(CHUNK_ROWS, CHUNK // (k * (f + EXPONENTIAL)) // ROWS * ROWS)

    def of_chunk(begin: int) -> tuple[Floats, float, float]:
        # The pass lets go of Python's lock, and what it writes to is its own.
        space = np.split(_aligned(ends[-1]), ends[:-1])
        x, weights, *_, largest, total, sums = space
        x[:ROWS] = weights[:] = 1.0
        logs = pass_over(*fixed, begin, min(begin + rows, n), *space)
        parts = sums.reshape(k4, f4, PARTS)[:k, :f].sum(axis=-1)
        return parts, logs + largest[:GROUP].sum(), total[:GROUP].min()

    starts = range(0, n, rows)
    workers = min(threads(), len(starts))
    if workers == 1:
        return _added(map(of_chunk, starts))
    with ThreadPoolExecutor(workers) as pool:
        return _added(pool.map(of_chunk, starts))


def _aligned(size: int) -> Floats:
    """Zeros that begin at a cache line: a vector that lies across two is read at half the speed."""
    zeros = np.zeros(size + CACHE_LINE // 8)
    start = -zeros.ctypes.data % CACHE_LINE // 8
    return zeros[start : start + size]


def _added(chunks: Iterable[tuple[Floats, float, float]]) -> tuple[Floats, float, float]:
    sums, log_likelihood, smallest = np.zeros(()), 0.0, np.inf
    for part, logs, low in chunks:
        sums, log_likelihood, smallest = sums + part, log_likelihood + logs, min(smallest, low)
    return sums, log_likelihood, smallest
