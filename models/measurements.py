"""Rows of measurements, as both engines take them, and the sample covariance that they must have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from models.inputs import Floats, Integers, finite_array, names_of, read_only, row_counts, row_labels, shown
from models.tables import Columns


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

    @property
    def n(self) -> int:
        """Number of rows, each counted as often as it was seen."""
        return int(self.counts.sum())

    @property
    def d(self) -> int:
        """Number of features."""
        return int(self.y.shape[1])

    def distinct(self) -> Measurements:
        """The same data as sorted distinct (label, row) with their counts: what row order cannot change."""
        seen = self.counts > 0
        labels, y = self.labels[seen], self.y[seen]
        order = np.lexsort((*y.T[::-1], labels))
        labels, y = labels[order], y[order]
        first = np.ones(len(y), dtype=bool)
        first[1:] = (labels[1:] != labels[:-1]) | (y[1:] != y[:-1]).any(axis=1)
        counts = np.add.reduceat(self.counts[seen][order], np.flatnonzero(first))
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
    low = data.y.min(axis=0)
    # Division by the range keeps squares of very large or small numbers from overflowing; what is subtracted first
    # loses no digits to an origin far away.
    size = spread_of(data.n, low, data.y.max(axis=0), data.features)
    from_low = (data.y - low) / size
    centred = from_low - np.average(from_low, axis=0, weights=data.counts)
    covariance = (centred * data.counts[:, None]).T @ centred / (data.n - 1)
    return of_full_rank(covariance, data.features) * size * size[:, None]


def spread_of(n: int, low: Floats, high: Floats, features: Sequence[str]) -> Floats:
    """Return the range ``(d,)`` of each column, or refuse ``n`` rows that are too few or a column that is constant."""
    if n <= len(low):
        raise ValueError(f"y has {n} rows and {len(low)} columns; a covariance needs more rows than columns")
    constant = np.flatnonzero(low == high)
    if len(constant):
        j = int(constant[0])
        raise ValueError(f"column {features[j]!r} of y is constant ({low[j]:g}); drop it, it has no spread to model")
    return np.asarray(high - low)


def of_full_rank(covariance: Floats, features: Sequence[str]) -> Floats:
    """Return a covariance ``(d, d)`` unless its columns are collinear, which raises ValueError naming them."""
    spread = np.sqrt(np.diag(covariance))
    values, vectors = np.linalg.eigh(covariance / spread / spread[:, None])
    # Below this the smallest direction is rounding error of the correlation matrix.
    if values[0] < 1e-12 * len(spread):
        involved = [features[int(j)] for j in np.flatnonzero(np.abs(vectors[:, 0]) > 1e-3)]
        raise ValueError(f"columns {', '.join(map(repr, involved))} of y are collinear; drop one of them")
    return covariance
