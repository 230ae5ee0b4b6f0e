"""Rows of measurements, as both engines take them, and the sample covariance that they must have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.display import displayed
from models.gaussians.covariances import Shape
from models.inputs import Floats, Integers, finite_array, names_of, read_only, row_counts, row_labels, shown, some_of
from models.tables import Columns

# Ranges of a column whose squares, and those of a component ten digits narrower, are numbers of double precision.
SMALLEST_RANGE, LARGEST_RANGE = 1e-152, 1e152

REMEDY = ', as missing="drop" does, or keep them with missing="marginal"'
type Missing = Literal["refuse", "drop", "marginal"]


@dataclass(frozen=True, slots=True, init=False, eq=False)
class Measurements:
    """Rows of measurements.

    Parameters
    ----------
    y : ``(n,)`` or ``(n, d)``, an array or a DataFrame, in any units
    counts : ``(n,)`` how many such rows were seen, or the name of that column of y; 1 each where left out. They need not be
        whole: a row counted 2.5 times has 2.5 times its log density, in standard errors and BIC too, so that weights which only
        tell rows from one another should have the mean 1
    labels : ``(n,)`` index of the component, -1 where not known, or the name of that column of y; all unknown where left out
    missing : what to do where cells of y are NaN, None or masked: ``"refuse"`` them; ``"drop"`` their rows; or ``"marginal"``,
        keep these by the marginal density of the cells that were seen, which is right where cells are missing at random: whether
        one is may depend on what was seen of its row, not on its own value (Rubin 1976, Biometrika 63, 581)

    Attributes
    ----------
    y : NaN where a cell is missing
    features : names of the columns of y; of an array "1", "2", ...
    columns : what they and the counts and labels are called in the table that they came from; None where y was an array

    Raises
    ------
    TypeError
        if booleans, strings or other objects stand where numbers belong
    ValueError
        if a value is infinite, or missing and refused; if lengths differ, or a column has no name or that of another; if under
        ``"marginal"`` a column has no value, or a row that was seen has neither a value nor a label and so says nothing
    """

    y: Floats
    counts: Integers
    labels: Integers
    features: tuple[str, ...]
    columns: Columns | None

    def __init__(
        self,
        y: ArrayLike,
        counts: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        missing: Missing = "refuse",
    ) -> None:
        if not isinstance(missing, str) or missing not in get_args(Missing.__value__):
            raise ValueError(f'missing is {shown(missing)}; give "refuse", "drop" or "marginal"')
        y, counts, labels, columns = _columns_taken(y, counts, labels)
        array = finite_array("y", y, (1, 2), missing=missing != "refuse", remedy=REMEDY)
        rows = array.reshape(len(array), -1)
        features = columns.features if columns else tuple(str(j + 1) for j in range(rows.shape[1]))
        seen, known = row_counts(counts, len(rows)), row_labels(labels, len(rows))
        if missing == "drop":
            rows, seen, known = _complete(rows, seen, known)
        elif missing == "marginal":
            _say_something(rows, seen, known)
        object.__setattr__(self, "y", read_only(rows))
        object.__setattr__(self, "counts", seen)
        object.__setattr__(self, "labels", known)
        object.__setattr__(self, "features", features)
        object.__setattr__(self, "columns", columns)

    __repr__ = displayed

    @property
    def n(self) -> int:
        """Number of rows, each counted as often as it was seen; no whole number where counts are not."""
        return self.counts.sum().item()

    @property
    def d(self) -> int:
        """Number of features."""
        return int(self.y.shape[1])

    @property
    def observed(self) -> NDArray[np.bool_]:
        """``(n, d)`` which cells were seen."""
        return ~np.isnan(self.y)

    @property
    def complete(self) -> bool:
        """Whether no cell is missing."""
        return not np.isnan(self.y).any()

    def seen(self) -> Measurements:
        """The same data without the rows that were counted 0 times, which are not there."""
        if self.counts.all():
            return self
        kept = self.counts > 0
        seen = Measurements(self.y[kept], self.counts[kept], self.labels[kept], missing="marginal")
        return seen.named(self.features, self.columns)

    def distinct(self) -> Measurements:
        """The same data as sorted distinct (label, row) with their counts: what row order cannot change."""
        seen = self.seen()
        if seen._ascending():
            return seen
        order = np.lexsort((*seen.y.T[::-1], seen.labels))
        labels, y = seen.labels[order], seen.y[order]
        first = np.ones(len(y), dtype=bool)
        differ = y[1:] != y[:-1]
        if not self.complete:
            differ &= ~(np.isnan(y[1:]) & np.isnan(y[:-1]))
        first[1:] = (labels[1:] != labels[:-1]) | differ.any(axis=1)
        counts = np.add.reduceat(seen.counts[order], np.flatnonzero(first))
        distinct = Measurements(y[first], counts, labels[first], missing="marginal")
        return distinct.named(self.features, self.columns)

    def _ascending(self) -> bool:
        """Whether each row is larger than the one before, by label and then by one feature after the other."""
        undecided = np.ones(len(self.y) - 1, dtype=bool)
        for column in (self.labels, *self.y.T):
            if (undecided & ~(column[1:] >= column[:-1])).any():
                return False
            undecided &= column[1:] == column[:-1]
        return not undecided.any()

    def named(self, features: tuple[str, ...], columns: Columns | None) -> Measurements:
        """These rows, just made from arrays, under the names of the table that they came from."""
        object.__setattr__(self, "features", features)
        object.__setattr__(self, "columns", columns)
        return self


def _complete(rows: Floats, counts: Integers, labels: Integers) -> tuple[Floats, Integers, Integers]:
    """The rows of which no cell is missing, as some has to be."""
    kept = ~np.isnan(rows).any(axis=1)
    if not counts[kept].any():
        raise ValueError(
            'y has no row without a missing value; keep its rows with missing="marginal", or give fewer columns'
        )
    return rows[kept], counts[kept], labels[kept]


def _say_something(rows: Floats, counts: Integers, labels: Integers) -> None:
    """Refuse a row with neither value nor label."""
    silent = np.flatnonzero(np.isnan(rows).all(axis=1) & (labels < 0) & (counts > 0))
    if len(silent):
        raise ValueError(
            f"y has {len(silent)} rows with neither a value nor a label, the first at row {silent[0]}; they say nothing: leave "
            "them out"
        )


def measured(y: Any, counts: Any = None, labels: Any = None, missing: Missing = "refuse") -> Measurements:
    """Rows as a user hands them in: `Measurements`, or what these are made of.

    Raises
    ------
    TypeError, ValueError
        as `Measurements` does, and where counts, labels or missing stand beside such as have their own
    """
    if not isinstance(y, Measurements):
        return Measurements(y, counts, labels, missing)
    if labels is not None or counts is not None or missing != "refuse":
        given = "labels and counts" if missing == "refuse" else "labels, counts and missing"
        raise ValueError(f"y is Measurements, which has {given} of its own; give them there, not beside it")
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
    fit_for(covariance, mean_of(data), data.n, data.features, "full")
    return covariance


def spread_covariance(data: Measurements) -> Floats:
    """Return the sample variances as a matrix ``(d, d)``, or refuse data with a constant column; ValueError."""
    variances = np.diag(np.diag(covariance_of(data)))
    fit_for(variances, mean_of(data), data.n, data.features, "diagonal")
    return variances


def mean_of(data: Measurements) -> Floats:
    """Return the mean ``(d,)`` of what was seen of each feature, or refuse one of which nothing was; ValueError."""
    empty = np.flatnonzero(np.isnan(data.y[data.counts > 0]).all(axis=0))
    if len(empty):
        raise ValueError(f"column {shown(data.features[int(empty[0])])} of y has no value at all; leave it out")
    return _mean(data.y, data.counts)


def _mean(values: Floats, counts: Integers) -> Floats:
    absent = np.isnan(values)
    if not absent.any():
        return np.asarray(np.average(values, axis=0, weights=counts))
    return np.asarray(counts @ np.where(absent, 0.0, values) / (counts @ ~absent))


def covariance_of(data: Measurements) -> Floats:
    """Return the sample covariance ``(d, d)``, divisor n - 1, of full rank or not.

    Where cells are missing the variances are those of what was seen, and each covariance is the sum of products over the rows
    that have both, by the root of the product of both divisors: with few such rows it is small, and the matrix is one always.
    """
    mean_of(data)
    low, high = np.fmin.reduce(data.y), np.fmax.reduce(data.y)
    # Division by the range keeps squares of very large or small numbers from overflowing; what is subtracted first
    # loses no digits to an origin far away.
    size = spread_of(low, high, data.features)
    from_low = (data.y - low) / size
    centred = from_low - _mean(from_low, data.counts)
    absent = np.isnan(centred)
    centred[absent] = 0.0
    divisors = np.maximum(data.n - data.counts @ absent - 1, 1).astype(float)
    products = (centred * data.counts[:, None]).T @ centred
    return np.asarray(products / np.sqrt(divisors * divisors[:, None]) * size * size[:, None])


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
