"""Data that are read a chunk at a time: memory-mapped arrays, Parquet and Arrow files; Dask's are in `em.rows.dask_chunks`.

Whatever is asked of the rows is a function of a few of them whose results add up, in the order of the rows. So memory holds
one chunk, and its copy in the units of a fit.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np

from em.mixture import AT_A_TIME, Sum
from models.gaussians.measurements import Measurements
from models.inputs import Floats, shown, some_of
from models.tables import Columns


class Rows(NamedTuple):
    """Some rows as they are stored.

    Attributes
    ----------
    y : ``(n,)`` or ``(n, d)``
    counts, labels : ``(n,)``, or None where there are none
    place : where they stand, for a message
    """

    y: Any
    counts: Any
    labels: Any
    place: str

    def checked(self) -> Measurements:
        """The rows as measurements; what is refused is said with its place."""
        try:
            return Measurements(self.y, self.counts, self.labels)
        except (TypeError, ValueError) as error:
            raise type(error)(f"in {self.place}: {error}") from None


class Chunks(Protocol):
    """Rows that come in chunks."""

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the columns of y."""

    @property
    def columns(self) -> Columns | None:
        """What they and those of counts and labels are called in the table; None where y is an array."""

    def summed[T: Sum](self, of: Callable[[Rows], T | None]) -> T:
        """Sum of what ``of`` says of some rows, over all; None says nothing."""

    def mapped(self, of: Callable[[Rows], Floats], columns: int) -> Any:
        """``(n, columns)`` what ``of`` says of each row; in memory, or of a cluster's rows a Dask array."""


def added[T: Sum](parts: Iterable[T | None]) -> T | None:
    """The sum of all that is there, from the first to the last."""
    total: T | None = None
    for part in parts:
        if part is not None:
            total = part if total is None else total + part
    return total


def rows_at_a_time(d: int) -> int:
    """How many rows of ``d`` numbers are a chunk."""
    return max(AT_A_TIME // d, 1)


class ReadHere(ABC):
    """Rows that this process reads, one chunk after the other; `Chunks`."""

    __slots__ = ()

    @abstractmethod
    def __iter__(self) -> Iterator[Rows]:
        """The chunks in order."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of rows."""

    def summed[T: Sum](self, of: Callable[[Rows], T | None]) -> T:
        return not_empty(added(of(rows) for rows in self))

    def mapped(self, of: Callable[[Rows], Floats], columns: int) -> Floats:
        joined, start = np.empty((len(self), columns)), 0
        for rows in self:
            part = of(rows)
            joined[start : start + len(part)] = part
            start += len(part)
        return joined


def features_of_array(y: Any) -> tuple[str, ...]:
    """Names of the columns of an array; what is no table is refused."""
    if y.ndim not in (1, 2):
        raise ValueError(f"y must be a vector or a table of rows and columns, but has shape {y.shape}")
    return tuple(str(j + 1) for j in range(1 if y.ndim == 1 else y.shape[1]))


def one_per_row(name: str, values: Any, n: float) -> None:
    """Refuse counts or labels of other than ``n`` rows; of as many as it likes where NaN, which is not known."""
    shape = np.shape(values)
    if len(shape) != 1 or (np.isfinite(n) and shape[0] != n):
        raise ValueError(f"{name} has shape {shape} but y has {n} rows; give one of the {name} per row")


@dataclass(frozen=True, slots=True, eq=False)
class MappedRows(ReadHere):
    """Rows of an array, most often memory-mapped, with arrays of counts and labels beside it."""

    y: Any
    counts: Any
    labels: Any
    features: tuple[str, ...]
    columns: Columns | None = None
    place: str = "y"

    @classmethod
    def of(cls, y: Any, counts: Any, labels: Any) -> MappedRows:
        """Refuse what is no table, and counts and labels of another length."""
        features = features_of_array(y)
        for name, values in (("counts", counts), ("labels", labels)):
            if values is not None:
                one_per_row(name, values, len(y))
        counts, labels = (None if v is None else np.asanyarray(v) for v in (counts, labels))
        return cls(y, counts, labels, features)

    def __len__(self) -> int:
        return len(self.y)

    def __iter__(self) -> Iterator[Rows]:
        step = rows_at_a_time(len(self.features))
        for start in range(0, len(self.y), step):
            some = slice(start, start + step)
            counts, labels = (None if v is None else v[some] for v in (self.counts, self.labels))
            yield Rows(self.y[some], counts, labels, f"{self.place} from row {start} on, counted from there")


@dataclass(frozen=True, slots=True, eq=False)
class ArrowRows(ReadHere):
    """Rows of Parquet or Arrow files, their counts and labels in columns of their own."""

    dataset: Any
    counts: str | None
    labels: str | None
    features: tuple[str, ...]
    columns: Columns

    @classmethod
    def of(cls, dataset: Any, counts: Any, labels: Any, known: Columns | None = None) -> ArrowRows:
        """Refuse columns that are not there or hold no numbers."""
        import pyarrow.types as kinds

        names = dataset.schema.names
        columns = columns_of(names, counts, labels, known)
        _, counts, labels = columns.found_in(names)
        for name in columns.features:
            kind = dataset.schema.field(name).type
            if not (kinds.is_integer(kind) or kinds.is_floating(kind)):
                raise TypeError(
                    f"column {shown(name)} of y is of type {kind}, but y must hold numbers; leave it out: give "
                    "pyarrow.dataset.dataset(path).replace_schema(...) with the columns that are meant"
                )
        return cls(dataset, counts, labels, columns.features, columns)

    def __len__(self) -> int:
        return int(self.dataset.count_rows())

    def __iter__(self) -> Iterator[Rows]:
        wanted = [*self.features, *(name for name in (self.counts, self.labels) if name is not None)]
        scanner = self.dataset.scanner(
            columns=wanted,
            batch_size=rows_at_a_time(len(self.features)),
            batch_readahead=1,
            fragment_readahead=1,
            cache_metadata=False,
        )
        file, start = None, 0
        for batch, fragment in scanner.scan_batches():
            path = getattr(fragment, "path", "y")
            if path != file:
                file, start = path, 0
                _complete(fragment, path, wanted)
            counts, labels = (None if name is None else _column(batch, name) for name in (self.counts, self.labels))
            y = np.empty((batch.num_rows, len(self.features)))
            for j, name in enumerate(self.features):
                y[:, j] = _column(batch, name)
            yield Rows(y, counts, labels, f"{path} from row {start} on, counted from there")
            start += batch.num_rows


def _complete(fragment: Any, path: str, wanted: Sequence[str]) -> None:
    """Refuse a file without a column that others have, which Arrow would fill with missing values."""
    from pyarrow.dataset import get_partition_keys

    there = {*fragment.physical_schema.names, *get_partition_keys(fragment.partition_expression)}
    lacking = [name for name in wanted if name not in there]
    if lacking:
        raise ValueError(
            f"{path} has no column {shown(lacking[0])}, which y has elsewhere; add it to that file, or leave the file out"
        )


def _column(batch: Any, name: str) -> Any:
    """A column; a value that is missing is NaN, which is refused."""
    return batch.column(name).to_numpy(zero_copy_only=False)


def columns_of(names: Iterable[Any], counts: Any, labels: Any, known: Columns | None) -> Columns:
    """What the columns of a table on disk or on a cluster are; counts and labels have to be names of some.

    Where ``known``, its features are those of the table, and its counts and labels unless these are given.
    """
    there = tuple(names)
    for argument, name in (("counts", counts), ("labels", labels)):
        if name is not None and not isinstance(name, str):
            raise TypeError(
                f"{argument} must be the name of a column where y is a table on disk or on a cluster, but is of type "
                f"{type(name).__name__}; give one of {some_of(there)}"
            )
    if known is not None and counts is None and labels is None:
        return known
    columns = Columns.of(there, counts, labels)
    return columns if known is None else replace(columns, features=known.features)


def not_empty[T](total: T | None) -> T:
    """What rows add up to, of which there is at least one."""
    if total is None:
        raise ValueError("y is empty; give at least one row that was seen")
    return total
