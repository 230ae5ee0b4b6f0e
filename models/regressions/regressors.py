"""Responses with their covariates, and coordinates in which the covariates of all rows are white."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from models.elementwise import CountedRows
from models.inputs import (
    Floats,
    Integers,
    distinct_rows,
    finite_array,
    names_of,
    read_only,
    row_counts,
    row_labels,
    shown,
    some_of,
)

INTERCEPT = "intercept"
# Before the name of a column that weights depend on.
OF_WEIGHTS = "weights ~ "
# A column that is closer to a combination of those before it than this, relative to its spread, is one by rounding.
COLLINEAR = 1e-9
# Share of the largest number below which what is left of a column, or of y, is rounding.
ROUNDED = 32 * float(np.finfo(float).eps)


class _Named:
    """Names of the columns of a design, which belong to all rows together."""

    __slots__ = ("covariates",)
    covariates: tuple[str, ...]


@dataclass(frozen=True, slots=True, init=False, eq=False, repr=False)
class RegressionRows(_Named, CountedRows):
    """Responses with their covariates.

    Parameters
    ----------
    y : ``(n,)`` responses
    x : ``(n,)`` or ``(n, m)`` covariates, an array or a DataFrame; with the intercept alone an array ``(n, 0)``
    counts : ``(n,)`` how many such rows were seen; 1 each where left out
    labels : ``(n,)`` index of the component, -1 where not known; all unknown where left out
    intercept : whether an intercept stands before them
    covariates : their names; where left out those of a DataFrame's columns, else x, or x1, x2, ...

    Attributes
    ----------
    design : ``(n, p)`` covariates, the intercept first
    covariates : ``(p,)`` names

    Raises
    ------
    TypeError, ValueError
        if a value is missing or no number, lengths differ, or names are not one for each column, all different
    """

    y: Floats
    design: Floats
    counts: Integers
    labels: Integers

    def __init__(
        self,
        y: ArrayLike,
        x: ArrayLike,
        counts: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        intercept: bool = True,
        covariates: Sequence[str] | None = None,
    ) -> None:
        responses = finite_array("y", y, (1,))
        n, own = len(responses), names_of(x)
        table = np.empty((n, 0)) if np.shape(x) == (n, 0) else finite_array("x", x, (1, 2))
        table = table.reshape(len(table), -1)
        if len(table) != n:
            raise ValueError(f"x has {len(table)} rows but y has {n}; give one row of covariates for each response")
        m = table.shape[1]
        given = covariates if covariates is not None else own
        names = (
            tuple(map(str, given)) if given is not None else ("x",) if m == 1 else tuple(f"x{j + 1}" for j in range(m))
        )
        if len(names) != m:
            raise ValueError(f"covariates has {len(names)} names but x has {m} columns; give one name per column")
        if intercept:
            names, table = (INTERCEPT, *names), np.column_stack([np.ones(n), table])
        if not names:
            raise ValueError("x has no column and there is no intercept; give a covariate, or intercept=True")
        twice = next((name for j, name in enumerate(names) if name in names[:j]), None)
        if twice is not None:
            raise ValueError(f"covariates has {shown(twice)} twice; give each column a name of its own")
        self._set(names, responses, read_only(table), row_counts(counts, n), row_labels(labels, n))

    def _set(self, covariates: tuple[str, ...], *columns: Any) -> Self:
        for name, value in zip(("covariates", *self.__slots__), (covariates, *columns), strict=True):
            object.__setattr__(self, name, value)
        return self

    def __getstate__(self) -> list[Any]:
        """What is pickled: the names too, which are no field."""
        return [getattr(self, name) for name in ("covariates", *self.__slots__)]

    def __setstate__(self, state: list[Any]) -> None:
        """Take up what was pickled."""
        self._set(*state)

    def like(self, y: Floats, design: Floats, counts: Integers | None = None, labels: Integers | None = None) -> Self:
        """Other rows of the same covariates, which are known to be sound; each counted once and not labelled by default."""
        n = len(y)
        made: Self = object.__new__(type(self))
        return made._set(
            self.covariates, y, design, row_counts(None, n) if counts is None else counts, row_labels(labels, n)
        )

    @property
    def n_concomitants(self) -> int:
        """How many of the last columns are what weights depend on."""
        return sum(name.startswith(OF_WEIGHTS) for name in self.covariates)

    @property
    def concomitants(self) -> Floats:
        """``(n, m)`` what the weights depend on, as measured; ``(n, 0)`` where on nothing."""
        return self.design[:, self.design.shape[1] - self.n_concomitants :]

    @property
    def concomitant_names(self) -> tuple[str, ...]:
        """``m`` names of these columns, as they were given."""
        return tuple(name.removeprefix(OF_WEIGHTS) for name in self.covariates if name.startswith(OF_WEIGHTS))

    @property
    def lines(self) -> Self:
        """The rows as lines see them: without what only the weights depend on."""
        if not self.n_concomitants:
            return self
        p = self.design.shape[1] - self.n_concomitants
        made: Self = object.__new__(type(self))
        return made._set(self.covariates[:p], self.y, self.design[:, :p], self.counts, self.labels)

    def with_concomitants(self, concomitants: Any, names: Sequence[str] | None = None) -> Self:
        """Return the rows with what their weights depend on beside, as models and fits with concomitants take them.

        Parameters
        ----------
        concomitants : ``(n,)`` or ``(n, m)``, an array or a DataFrame, without a constant
        names : ``m`` of its columns; where left out those of a DataFrame, else w, or w1, w2, ...

        Raises
        ------
        TypeError, ValueError
            as for x, and for rows that have some already
        """
        if self.n_concomitants:
            raise ValueError(f"y has {some_of(self.concomitant_names)} as concomitants already; leave the argument out")
        table = finite_array("concomitants", concomitants, (1, 2))
        table = table.reshape(len(table), -1)
        if len(table) != len(self.y):
            raise ValueError(
                f"concomitants has {len(table)} rows but y has {len(self.y)}; give one row for each response"
            )
        m = table.shape[1]
        own = names or names_of(concomitants) or (["w"] if m == 1 else [f"w{j + 1}" for j in range(m)])
        # They may be covariates too.
        every = (*self.covariates, *(f"{OF_WEIGHTS}{name}" for name in own))
        made: Self = object.__new__(type(self))
        return made._set(every, self.y, read_only(np.column_stack([self.design, table])), self.counts, self.labels)

    def taken(self, rows: Integers) -> Self:
        """Some of the rows."""
        return self.like(self.y[rows], self.design[rows], self.counts[rows], self.labels[rows])

    def distinct(self) -> Self:
        """The same data as sorted distinct rows (the label first, the response last) with their counts."""
        seen = self.seen()
        rows, counts = distinct_rows(np.column_stack([seen.labels, seen.design, seen.y]), seen.counts)
        labels, design, y = np.split(rows, [1, -1], axis=1)
        columns = read_only(y[:, 0].copy()), read_only(design.copy())
        return self.like(*columns, read_only(counts), read_only(labels[:, 0].astype(np.int64)))


@dataclass(frozen=True, slots=True, eq=False)
class Regressors:
    """Covariates as the rows have them, and coordinates in which all rows together are white.

    Attributes
    ----------
    turn, turn_back : ``(p, p)`` upper triangle, with which ``design @ turn`` has the identity as its mean products; its inverse
    centres, sizes : ``(p,)`` mean and standard deviation of each column, 0 and 1 of an intercept; without one 0 and root mean
        square
    coefficients : ``(p,)`` of least squares over all rows
    residuals : ``(n,)`` from these
    """

    turn: Floats
    turn_back: Floats
    centres: Floats
    sizes: Floats
    coefficients: Floats
    residuals: Floats

    @classmethod
    def of_concomitants(cls, data: RegressionRows) -> Regressors:
        """Read what the weights depend on off the rows, about its means; its first column is the constant.

        Raises
        ------
        ValueError
            as `of`
        """
        return cls.of(RegressionRows(data.y, data.concomitants, data.counts, covariates=data.concomitant_names))

    @classmethod
    def of(cls, data: RegressionRows) -> Regressors:
        """Read them off the rows.

        Raises
        ------
        ValueError
            if a column is constant beside an intercept or a combination of others, or y one of all of them
        """
        y, design, names, shares = data.y, data.design, data.covariates, data.counts / data.n
        p, shifted = len(names), names[0] == INTERCEPT
        centres, largest = np.zeros(p), np.abs(design).max(axis=0)
        if shifted:
            centres[1:] = shares @ design[:, 1:]
        centred = design - centres
        sizes = np.sqrt(shares @ centred**2)
        for name, size, most in zip(names, sizes, largest, strict=True):
            if size <= ROUNDED * most:
                told = "constant, as the intercept is" if shifted else "0 in every row"
                raise ValueError(f"column {name!r} of x is {told}; leave it out")
        z = centred / sizes
        root = np.linalg.qr(z * np.sqrt(shares)[:, None], mode="r")
        if len(root) < p:
            raise ValueError(
                f"there are {len(root)} distinct rows for {p} coefficients; give more rows, or fewer covariates"
            )
        root *= np.where(np.diag(root) < 0, -1.0, 1.0)[:, None]
        dependent = np.flatnonzero(np.diag(root) <= COLLINEAR + ROUNDED * largest / sizes)
        if len(dependent):
            j = int(dependent[0])
            raise ValueError(f"column {names[j]!r} of x is a linear combination of {some_of(names[:j])}; leave it out")
        back, scaled, unscaled = np.linalg.inv(root), np.diag(1 / sizes), np.diag(sizes)
        scaled[0, 1:], unscaled[0, 1:] = -centres[1:] / sizes[1:], centres[1:]
        inside = z @ back
        middle = shares @ y if shifted else 0.0
        along = inside.T @ (shares * (y - middle))
        residuals = (y - middle) - inside @ along
        # Once more, for the digits that the first lost.
        more = inside.T @ (shares * residuals)
        residuals = residuals - inside @ more
        turn = scaled @ back
        coefficients = turn @ (along + more)
        if shifted:
            coefficients[0] += middle
        if np.sqrt(shares @ residuals**2) <= ROUNDED * np.abs(y).max():
            raise ValueError("y is a linear combination of the covariates in every row; there is no error to model")
        return cls(turn, root @ unscaled, centres, sizes, coefficients, residuals)
