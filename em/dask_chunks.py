"""Dask arrays and DataFrames: what is asked of the rows is asked of every partition where it is, and added up in a tree.

Every question is one graph: the parameters once, one task for each partition, sums of eight in the order of the partitions.
So a result does not depend on which worker is first, and what a lost worker held is computed again by Dask. Whoever has
called ``persist`` has the rows read once; else each question reads them anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import dask
import dask.array
import numpy as np

from em.chunks import MappedRows, Rows, added, feature_names, not_empty
from em.mixture import Sum

# Partial sums that one task adds.
ADDED = 8


@dataclass(frozen=True, slots=True, eq=False)
class DaskRows:
    """Partitions with their counts and labels; `em.chunks.Chunks`.

    Attributes
    ----------
    partitions : of y, each with counts and labels, delayed
    columns : names of the columns of counts and labels in partitions that are DataFrames
    """

    partitions: tuple[tuple[Any, Any, Any], ...]
    columns: tuple[str | None, str | None]
    features: tuple[str, ...]

    @classmethod
    def of(cls, y: Any, counts: Any, labels: Any) -> DaskRows:
        """Read a Dask array, with counts and labels beside it, or a Dask DataFrame, with both as columns."""
        if isinstance(y, dask.array.Array):
            return cls(*_of_array(y, counts, labels))
        if not hasattr(y, "to_delayed") or not hasattr(y, "columns"):
            raise TypeError(f"y is a {type(y).__name__} of Dask; give a Dask array or DataFrame")
        features = feature_names(y.columns, counts, labels)
        return cls(tuple((part, None, None) for part in y.to_delayed()), (counts, labels), features)

    def summed[T: Sum](self, of: Callable[[Rows], T | None]) -> T:
        shared = dask.delayed(partial(_of_partition, of=of, features=self.features, columns=self.columns))
        call = dask.delayed(_call)
        parts = [call(shared, i, *partition) for i, partition in enumerate(self.partitions)]
        add = dask.delayed(added)
        while len(parts) > 1:
            parts = [add(parts[i : i + ADDED]) for i in range(0, len(parts), ADDED)]
        total: T | None = parts[0].compute()
        return not_empty(total)


def _of_array(y: Any, counts: Any, labels: Any) -> tuple[tuple[tuple[Any, Any, Any], ...], Any, tuple[str, ...]]:
    """Blocks of an array, and of counts and labels cut as it is."""
    if y.ndim not in (1, 2):
        raise ValueError(f"y must be a vector or a table of rows and columns, but has shape {y.shape}")
    if y.ndim == 2 and len(y.chunks[1]) > 1:
        y = y.rechunk({1: -1})
    blocks = y.to_delayed().ravel()
    beside = []
    for name, values in (("counts", counts), ("labels", labels)):
        if values is None:
            beside.append([None] * len(blocks))
            continue
        if not isinstance(values, dask.array.Array):
            values = np.asanyarray(values)
            if not np.isfinite(y.shape[0]):
                raise ValueError(
                    f"{name} is in memory but the chunks of y have unknown lengths; call y.compute_chunk_sizes() first"
                )
        if values.ndim != 1 or (np.isfinite(y.shape[0]) and values.shape[0] not in (y.shape[0],)):
            raise ValueError(
                f"{name} has shape {values.shape} but y has {y.shape[0]} rows; give one of the {name} per row"
            )
        if not isinstance(values, dask.array.Array):
            values = dask.array.from_array(values, chunks=(y.chunks[0],))
        beside.append(values.rechunk((y.chunks[0],)).to_delayed().ravel())
    d = 1 if y.ndim == 1 else y.shape[1]
    features = tuple(str(j + 1) for j in range(d))
    return tuple(zip(blocks, *beside, strict=True)), (None, None), features


def _call(of: Callable[..., Any], *arguments: Any) -> Any:
    return of(*arguments)


def _of_partition(
    number: int,
    y: Any,
    counts: Any,
    labels: Any,
    *,
    of: Callable[[Rows], Any],
    features: Sequence[str],
    columns: tuple[str | None, str | None],
) -> Any:
    """What a partition adds up to; a few of its rows at a time, so that nothing as large is made beside it."""
    place = f"partition {number} of y"
    if hasattr(y, "columns"):
        counts, labels = (None if name is None else y[name].to_numpy() for name in columns)
        y = y[list(features)].to_numpy()
    if len(y) == 0:
        return None
    return added(of(rows) for rows in replace(MappedRows.of(y, counts, labels), place=place))
