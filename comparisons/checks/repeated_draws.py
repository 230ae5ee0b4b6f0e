"""Draws that occur more than once: copies, whatever their order, their number, or the labels of their components.

A continuous posterior gives no point twice, to the last bit. NUTS may stay where it is for a step, which repeats a draw beside
itself in the same chain, and nowhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.inputs import Floats, Integers

if TYPE_CHECKING:
    import xarray as xr

# Relative, of the log density: wider than the rounding of a density that was computed anew at the same point. It tells apart
# points whose parameters have met in the last bit, as near a probability of 1.
SAME_DENSITY = 1e-11


def repeated(posterior: xr.Dataset, log_density: Floats) -> str | None:
    """Say which draws occur more than once, in a clause; None where none does.

    Parameters
    ----------
    posterior : canonical draws ``(chain, draw, ...)``, so that components that were only permuted are where they were
    log_density : ``(chains, draws)`` as recorded
    """
    chains, kept = log_density.shape
    chain = np.repeat(np.arange(chains), kept)
    point = _points(posterior, log_density)
    # A draw beside its like in the same chain is a step that was refused.
    moved = np.ones(len(point), dtype=bool)
    moved[1:] = (point[1:] != point[:-1]) | (chain[1:] != chain[:-1])
    point, chain = point[moved], chain[moved]
    times = np.bincount(point)
    copies = times[point] > 1
    if not copies.any():
        return None
    first = int(np.flatnonzero(copies)[0])
    places = sorted({int(c) for c in chain[point == point[first]]})
    where = f"in chains {places[0]} and {places[1]}" if len(places) > 1 else f"at several places of chain {places[0]}"
    return (
        f"{int(copies.sum())} of {len(point)} draws occur more than once, the first of them {where}: they are copies, "
        "which no sampler of a continuous posterior gives"
    )


def _points(posterior: xr.Dataset, log_density: Floats) -> Integers:
    """``(chains * draws,)`` number of the point of each draw: equal numbers are one point. What is no number equals nothing."""
    n = log_density.size
    columns = [v.transpose("chain", "draw", ...).values.reshape(n, -1) for v in posterior.data_vars.values()]
    rows = np.ascontiguousarray(np.concatenate(columns, axis=1))
    keys = np.unique(rows, axis=0, return_inverse=True, equal_nan=False)[1].ravel()
    density = log_density.ravel()
    # Of one row the densities are compared in order of size, so that no border of rounding falls between two of them.
    order = np.lexsort((density, keys))
    apart = np.ones(n, dtype=bool)
    near = np.diff(density[order]) <= SAME_DENSITY * np.maximum(1.0, np.abs(density[order][1:]))
    apart[1:] = (np.diff(keys[order]) != 0) | ~near
    point = np.empty(n, dtype=np.int64)
    point[order] = np.cumsum(apart) - 1
    return point
