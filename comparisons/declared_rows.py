"""The rows as declared, before anything counted or sorted them, and the totals by which two sets of rows are compared.

What judges both engines must not read the data through code that both of them use: `CoinTosses.distinct` or
`Measurements.distinct` gone wrong would give both the same wrong rows, and they would agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.inputs import Floats, Integers, alike_once, read_only

# Rows whose densities are held at a time.
AT_A_TIME = 2**16


@dataclass(frozen=True, slots=True, eq=False)
class DeclaredRows:
    """Plain columns, row by row as they were declared, without rows that were declared to be seen 0 times.

    Attributes
    ----------
    columns : ``(n, c)`` heads and tosses, or measurements; NaN where a cell is missing
    counts : ``(n,)`` how many times each row was seen
    labels : ``(n,)`` known component, -1 where unknown
    """

    columns: Floats
    counts: Floats
    labels: Integers

    @classmethod
    def from_arrays(cls, columns: Any, counts: Any, labels: Any) -> DeclaredRows:
        """Copy three arrays, but for rows that were seen 0 times: neither their values nor their labels tell anything."""
        rows, seen, known = np.array(columns, float), np.array(counts, float), np.array(labels, np.int64)
        there = seen != 0
        if not there.all():
            rows, seen, known = rows[there], seen[there], known[there]
        return cls(read_only(rows), alike_once(seen), alike_once(known))

    def parts(self) -> Iterator[DeclaredRows]:
        """The same rows in parts, of whose densities little memory is taken."""
        for first in range(0, len(self.counts), AT_A_TIME):
            rows = slice(first, first + AT_A_TIME)
            yield DeclaredRows(self.columns[rows], self.counts[rows], self.labels[rows])

    @property
    def mean(self) -> Floats:
        """``(c,)`` mean of what was seen of each column; what is subtracted first loses no digits to an origin far away."""
        seen = ~np.isnan(self.columns)
        first = self.columns[seen.argmax(axis=0), range(len(seen.T))]
        return np.asarray(first + self.counts @ np.where(seen, self.columns - first, 0.0) / (self.counts @ seen))

    @property
    def spread(self) -> Floats:
        """``(c,)`` largest distance of each column from its mean, 1 where it is constant: a unit in which nothing overflows."""
        widest = np.nanmax(np.abs(self.columns - self.mean), axis=0)
        return np.where(widest > 0, widest, 1.0)


def differing_total(declared: DeclaredRows, got: DeclaredRows, names: list[str]) -> tuple[str, float, float] | None:
    """The first total of the declared rows that the others do not have: in words, declared and got; None where all are met.

    Compared are, for each label, the number of rows, and of the columns the number of values, and the sums and sums of products
    about their means.
    """
    if got.columns.shape[1] != declared.columns.shape[1]:
        return "number of columns", float(declared.columns.shape[1]), float(got.columns.shape[1])
    # The sum of n terms is rounded by at most n units in the last place of their sizes; twice, for two sums.
    rounding = 4 * np.finfo(float).eps * max(len(declared.counts), len(got.counts))
    origin, unit = declared.mean, declared.spread
    labels = np.union1d(declared.labels, got.labels)
    for label in labels:
        of = (
            ""
            if len(labels) == 1
            else f" of the rows with label {label}"
            if label >= 0
            else " of the rows without label"
        )
        here, there = (_totals(rows, int(label), origin, unit, names) for rows in (declared, got))
        for (told, ours, size), (_, theirs, _) in zip(here, there, strict=True):
            if not abs(ours - theirs) <= rounding * max(size, 1.0):
                return f"{told}{of}", ours, theirs
    return None


def _totals(
    rows: DeclaredRows, label: int, origin: Floats, unit: Floats, names: list[str]
) -> Iterator[tuple[str, float, float]]:
    """Each total in words, its value, and the sum of the sizes of its terms."""
    counts = np.where(rows.labels == label, rows.counts, 0.0)
    yield "number of rows", float(counts.sum()), float(counts.sum())
    seen = ~np.isnan(rows.columns)
    z = np.where(seen, (rows.columns - origin) / unit, 0.0)
    for a, first in enumerate(names):
        yield f"number of values of {first}", float(counts @ seen[:, a]), float(counts.sum())
        yield f"sum of {first} about its mean", float(counts @ z[:, a]), float(counts.sum())
        for b, second in enumerate(names[: a + 1]):
            told = f"sum of squares of {first}" if a == b else f"sum of products of {second} and {first}"
            yield f"{told} about the mean", float(counts @ (z[:, a] * z[:, b])), float(counts.sum())
