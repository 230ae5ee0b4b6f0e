"""Rows of measurements, as both engines take them, and the sample covariance that they must have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from models.display import displayed
from models.gaussians.covariances import Shape
from models.inputs import Floats, Integers, finite_array, names_of, read_only, row_counts, row_labels, shown, some_of
from models.tables import Columns

# Ranges of a column whose squares, and those of a component ten digits narrower, are numbers of double precision.
SMALLEST_RANGE, LARGEST_RANGE = 1e-152, 1e152


@dataclass(frozen=True, slots=True, init=False, eq=False)
class Measurements:
    """Rows of measurements.

    Parameters
    ----------
    y : ``(n,)`` or ``(n, d)``, an array or a DataFrame, in any units
    counts : ``(n,)`` how many such rows were seen, or the name of that column of y; 1 each where left out
    labels : ``(n,)`` index of the component, -1 where not known, or the name of that column of y; all unknown where left out

    Attributes
    ----------
    features : names of the columns of y; of an array "1", "2", ...
    columns : what they and the counts and labels are called in the table that they came from; None where y was an array

    Raises
    ------
    TypeError
        if booleans, strings or other objects stand where numbers belong
    ValueError
        if a value is NaN or infinite, lengths differ, or a column has no name or that of another
    """

    y: Floats
    counts: Integers
    labels: Integers
    features: tuple[str, ...]
    columns: Columns | None

    def __init__(self, y: ArrayLike, counts: ArrayLike | None = None, labels: ArrayLike | None = None) -> None:
        y, counts, labels, columns = _columns_taken(y, counts, labels)
        array = finite_array("y", y, (1, 2))
        rows = array.reshape(len(array), -1)
        object.__setattr__(self, "y", read_only(rows))
        object.__setattr__(self, "counts", row_counts(counts, len(rows)))
        object.__setattr__(self, "labels", row_labels(labels, len(rows)))
        features = columns.features if columns else tuple(str(j + 1) for j in range(rows.shape[1]))
        object.__setattr__(self, "features", features)
        object.__setattr__(self, "columns", columns)

    __repr__ = displayed

    @property
    def n(self) -> int:
        """Number of rows, each counted as often as it was seen."""
        return int(self.counts.sum())

    @property
    def d(self) -> int:
        """Number of features."""
        return int(self.y.shape[1])

    def seen(self) -> Measurements:
        """The same data without the rows that were counted 0 times, which are not there."""
        if self.counts.all():
            return self
        kept = self.counts > 0
        seen = Measurements(self.y[kept], counts=self.counts[kept], labels=self.labels[kept])
        return seen.named(self.features, self.columns)

    def distinct(self) -> Measurements:
        """The same data as sorted distinct (label, row) with their counts: what row order cannot change."""
        seen = self.seen()
        order = np.lexsort((*seen.y.T[::-1], seen.labels))
        labels, y = seen.labels[order], seen.y[order]
        first = np.ones(len(y), dtype=bool)
        first[1:] = (labels[1:] != labels[:-1]) | (y[1:] != y[:-1]).any(axis=1)
        counts = np.add.reduceat(seen.counts[order], np.flatnonzero(first))
        distinct = Measurements(y[first], counts=counts, labels=labels[first])
        return distinct.named(self.features, self.columns)

    def named(self, features: tuple[str, ...], columns: Columns | None) -> Measurements:
        """These rows, just made from arrays, under the names of the table that they came from."""
        object.__setattr__(self, "features", features)
        object.__setattr__(self, "columns", columns)
        return self


def measured(y: Any, counts: Any = None, labels: Any = None) -> Measurements:
    """Rows as a user hands them in: `Measurements`, or what these are made of.

    Raises
    ------
    TypeError, ValueError
        as `Measurements` does, and where counts or labels stand beside such as have their own
    """
    if not isinstance(y, Measurements):
        return Measurements(y, counts, labels)
    if labels is not None or counts is not None:
        raise ValueError("y is Measurements, which has labels and counts of its own; give them there, not beside it")
    return y


def _columns_taken(y: Any, counts: Any, labels: Any) -> tuple[Any, Any, Any, Columns | None]:
    """Rows, counts and labels, the last two taken out of the table y where they are names of its columns."""
    names = names_of(y)
    beside = {"counts": counts, "labels": labels}
    named = {argument: given for argument, given in beside.items() if isinstance(given, str)}
    if names is None:
        for argument, given in named.items():
            raise ValueError(
                f"{argument} is {shown(given)}, which is no column of y, an array; give a value for each row, or y as a table"
            )
        return y, counts, labels, None
    columns = Columns.of(names, named.get("counts"), named.get("labels"))
    features, *own = columns.found_in(names)
    taken = [given if name is None else y[name] for given, name in zip(beside.values(), own, strict=True)]
    return y[features], *taken, columns


def sample_covariance(data: Measurements) -> Floats:
    """Return the sample covariance ``(d, d)``, divisor n - 1, or refuse data that have none of full rank.

    Raises
    ------
    ValueError
        if n <= d, a column is constant, or columns are collinear; the message names the columns
    """
    covariance = covariance_of(data)
    fit_for(covariance, np.average(data.y, axis=0, weights=data.counts), data.n, data.features, "full")
    return covariance


def covariance_of(data: Measurements) -> Floats:
    """Return the sample covariance ``(d, d)``, divisor n - 1, of full rank or not."""
    low = data.y.min(axis=0)
    # Division by the range keeps squares of very large or small numbers from overflowing; what is subtracted first
    # loses no digits to an origin far away.
    size = spread_of(low, data.y.max(axis=0), data.features)
    from_low = (data.y - low) / size
    centred = from_low - np.average(from_low, axis=0, weights=data.counts)
    return (centred * data.counts[:, None]).T @ centred / max(data.n - 1, 1) * size * size[:, None]


def spread_of(low: Floats, high: Floats, features: Sequence[str]) -> Floats:
    """Return the range ``(d,)`` of each column, 1 of a constant one, or refuse one whose square no double holds."""
    with np.errstate(over="ignore"):
        size = np.asarray(high - low)
    wrong = np.flatnonzero((size > LARGEST_RANGE) | ((size > 0) & (size < SMALLEST_RANGE)))
    if len(wrong):
        j = int(wrong[0])
        power = int(np.log10(size[j])) if np.isfinite(size[j]) else 308
        raise ValueError(
            f"column {features[j]!r} of y ranges from {low[j]:g} to {high[j]:g}, whose variance is beyond double precision; "
            f"give it in another unit: divide it by 1e{power}"
        )
    return np.where(size > 0, size, 1.0)


def fit_for(covariance: Floats, mean: Floats, n: int, features: Sequence[str], shape: Shape) -> None:
    """Refuse so many rows of this covariance ``(d, d)`` and mean ``(d,)`` if a likelihood of this form has no meaning for them.

    Raises
    ------
    ValueError
        for covariances of shape full if n <= d, a column is constant, or columns are collinear; for diagonal ones if a
        column is constant; for spherical ones if all are. The message names the columns.
    """
    variances = np.diag(covariance)
    if shape == "full" and n <= len(variances):
        raise ValueError(
            f"y has {n} rows and {len(variances)} columns; a covariance needs more rows than columns, or a prior; "
            'so do not covariance="diagonal" and "spherical"'
        )
    constant = np.flatnonzero(variances == 0)
    if len(constant) and (shape != "spherical" or len(constant) == len(variances)):
        j = int(constant[0])
        raise ValueError(
            f"column {shown(features[j])} of y is constant ({mean[j]:g}); drop it, it has no spread to model"
        )
    if shape == "full":
        involved = collinear(covariance)
        if len(involved):
            names = some_of([repr(features[int(j)]) for j in involved])
            raise ValueError(f"columns {names} of y are collinear; drop one of them")


def collinear(covariance: Floats) -> Integers:
    """Columns of a covariance ``(d, d)`` without zeros on its diagonal that are collinear, empty where none are."""
    spread = np.sqrt(np.diag(covariance))
    values, vectors = np.linalg.eigh(covariance / spread / spread[:, None])
    # Below this the smallest direction is rounding error of the correlation matrix.
    if values[0] >= 1e-12 * len(spread):
        return np.empty(0, dtype=np.int64)
    return np.flatnonzero(np.abs(vectors[:, 0]) > 1e-3)
