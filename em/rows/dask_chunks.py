"""Dask arrays and DataFrames: what is asked of the rows is asked of every partition where it is, and added up in a tree.

Every question is one graph: the parameters once, one task for each partition, sums of eight in the order of the partitions.
So a result does not depend on which worker is first, and what a lost worker held is computed again by Dask. Whoever has
called ``persist`` has the rows read once; else each question reads them anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from em.mixture import Sum
from em.rows.chunks import MappedRows, Rows, added, columns_of, features_of_array, not_empty, one_per_row
from models.inputs import Floats, as_array
from models.tables import Columns

# Partial sums that one task adds.
ADDED = 8


@dataclass(frozen=True, slots=True, eq=False)
class DaskRows:
    """Partitions with their counts and labels; `em.rows.chunks.Chunks`.

    Attributes
    ----------
    partitions : of y, each with counts and labels, delayed
    own : names of the columns of y, of counts and of labels in partitions that are DataFrames
    lengths : of the partitions, NaN where not known
    """

    partitions: tuple[tuple[Any, Any, Any], ...]
    own: tuple[list[Any], Any, Any]
    features: tuple[str, ...]
    lengths: tuple[float, ...]
    columns: Columns | None = None

    @classmethod
    def of(cls, y: Any, counts: Any, labels: Any, known: Columns | None = None) -> DaskRows:
        """Read a Dask array, with counts and labels beside it, or a Dask DataFrame, with both as columns."""
        import dask.array

        if isinstance(y, dask.array.Array):
            return cls(*_of_array(y, counts, labels))
        if not hasattr(y, "to_delayed") or not hasattr(y, "columns"):
            raise TypeError(f"y is a {type(y).__name__} of Dask; give a Dask array or DataFrame")
        columns = columns_of(y.columns, counts, labels, known)
        own = columns.found_in(y.columns)
        partitions = tuple((part, None, None) for part in y.to_delayed())
        return cls(partitions, own, columns.features, (np.nan,) * len(partitions), columns)

    def summed[T: Sum](self, of: Callable[[Rows], T | None]) -> T:
        import dask

        parts = self._asked(partial(_added, of=of))
        add = dask.delayed(added)
        while len(parts) > 1:
            parts = [add(parts[i : i + ADDED]) for i in range(0, len(parts), ADDED)]
        total: T | None = parts[0].compute()
        return not_empty(total)

    def mapped(self, of: Callable[[Rows], Floats], columns: int) -> Any:
        import dask.array

        parts = zip(self._asked(partial(_stacked, of=of, columns=columns)), self.lengths, strict=True)
        arrays = [dask.array.from_delayed(part, shape=(n, columns), dtype=np.float64) for part, n in parts]
        return dask.array.concatenate(arrays, axis=0)

    def _asked(self, of: Callable[[Iterable[Rows]], Any]) -> list[Any]:
        """The same asked of every partition; what is asked is one value in the graph."""
        import dask

        question = dask.delayed(partial(_of_partition, of=of, own=self.own))
        ask = dask.delayed(_call)
        return [ask(question, i, *partition) for i, partition in enumerate(self.partitions)]


def _added(rows: Iterable[Rows], of: Callable[[Rows], Any]) -> Any:
    return added(of(some) for some in rows)


def _stacked(rows: Iterable[Rows], of: Callable[[Rows], Floats], columns: int) -> Floats:
    return np.concatenate([np.empty((0, columns)), *(of(some) for some in rows)])


def _of_array(y: Any, counts: Any, labels: Any) -> tuple[Any, ...]:
    """Blocks of an array, and of counts and labels cut as it is."""
    import dask.array

    features = features_of_array(y)
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
        one_per_row(name, values, y.shape[0])
        if not isinstance(values, dask.array.Array):
            values = dask.array.from_array(values, chunks=(y.chunks[0],))
        beside.append(values.rechunk((y.chunks[0],)).to_delayed().ravel())
    return tuple(zip(blocks, *beside, strict=True)), ([], None, None), features, tuple(y.chunks[0])


def _call(of: Callable[..., Any], *arguments: Any) -> Any:
    return of(*arguments)


def _of_partition(
    number: int,
    y: Any,
    counts: Any,
    labels: Any,
    *,
    of: Callable[[Iterable[Rows]], Any],
    own: tuple[list[Any], Any, Any],
) -> Any:
    """What a partition adds up to; a few of its rows at a time, so that nothing as large is made beside it."""
    place = f"partition {number} of y"
    if hasattr(y, "columns"):
        features, *beside = own
        counts, labels = (None if name is None else np.asarray(y[name]) for name in beside)
        y = as_array(y[features])
    return of(replace(MappedRows.of(y, counts, labels), place=place))
