"""nutpie's second callback: it asks of every draw what there is to store, and gets the point as it is."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def copied() -> Any:
    """Compiled once a machine."""
    import numba

    types = numba.types
    double = types.CPointer(types.double)
    return numba.cfunc(types.int64(types.uint64, types.uint64, double, double, types.voidptr), cache=True)(_copied)


def _copied(size: int, stored: int, x: Any, out: Any, arguments: Any) -> int:
    for j in range(size):
        out[j] = x[j]
    return 0
