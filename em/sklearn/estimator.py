"""What the estimators of all families have in common: scikit-learn's methods on top of a fit by `em`."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from dataclasses import fields
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, check_non_negative, validate_data

from em.fit import Fit
from models.inputs import Floats, Integers, shown, some_of
from models.mixtures import Weights


class MixtureEstimator(ABC, DensityMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is published without types
    """A mixture fitted by EM, with scikit-learn's habits.

    Parameters
    ----------
    n_components : K
    weights : ``"free"``, ``"equal"``, or ``(K,)`` values held fixed
    prior : of `models`, whose posterior is maximised; maximum likelihood where None
    starts : ``"thorough"`` tries four times as many starts
    random_state : of the random starts and of `sample`; a whole number is the ``seed`` that `em` takes

    Attributes
    ----------
    weights_ : ``(K,)``; the other parameters of the family bear their names in `models` likewise, such as ``rates_``
    converged_ : whether the fit is a maximum, at a bound or inside; ``fit_.status`` says what else it is
    n_iter_ : steps of the run that won
    lower_bound_ : log-likelihood by row
    fit_ : `em.Fit`, with standard errors, all optima, doubts and a table
    n_features_in_, feature_names_in_ : of X
    """

    fitting: ClassVar[Any]
    fit_: Fit[Any, Any]
    _data: Any

    def __init__(
        self,
        n_components: int = 1,
        *,
        weights: Weights = "free",
        prior: Any = None,
        starts: str = "default",
        random_state: Any = None,
    ) -> None:
        self.n_components, self.weights, self.prior = n_components, weights, prior
        self.starts, self.random_state = starts, random_state

    @abstractmethod
    def _rows(self, x: Floats, y: Any = None, counts: Any = None) -> Any:
        """Rows as `em` and `comparisons` take them."""

    @abstractmethod
    def _as_x(self, rows: Any) -> Floats:
        """``(n, n_features_in_)`` such rows as X has them."""

    def _further_rows(self, x: Floats, y: Any = None) -> Any:
        """Rows that were not fitted."""
        return self._rows(x, y)

    def _options(self) -> dict[str, Any]:
        """What the family takes beside what all take."""
        return {}

    def _prior(self, rows: Any) -> Any:
        return self.prior

    def _parameters(self) -> dict[str, Floats]:
        """What is published with a trailing underscore."""
        told = self.fit_.parameters
        return {field.name: getattr(told, field.name) for field in fields(told)}

    def fit(self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the mixture.

        Parameters
        ----------
        X : ``(n_samples, n_features)`` rows, an array or a table
        y : not used, as in all density estimators, unless the family says so
        sample_weight : ``(n_samples,)`` how often each row counts, from 0; once where None

        Returns
        -------
        The estimator

        Raises
        ------
        ValueError
            for what the family refuses: values, too few rows, parameters that do not fit
        """
        x = self._checked(X, reset=True)
        counts = sample_weight
        if counts is not None:
            counts = _check_sample_weight(counts, x, dtype=np.float64, ensure_non_negative=True)
        self._data = self._rows(x, y, counts)
        self.fit_ = type(self).fitting(
            self._data,
            n_components=self.n_components,
            weights=self.weights,
            prior=self._prior(self._data),
            starts=self.starts,
            seed=self._seed(),
            **self._options(),
        )
        for name, value in self._parameters().items():
            setattr(self, f"{name}_", value)
        self.converged_ = self.fit_.status in ("converged", "boundary")
        self.n_iter_ = self.fit_.iterations
        self.lower_bound_ = self.fit_.log_likelihood / self._data.n
        if self.fit_.status == "iteration limit":
            warnings.warn(
                f"EM did not arrive in {self.n_iter_} steps; see fit_.doubts", ConvergenceWarning, stacklevel=2
            )
        return self

    def fit_predict(self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None) -> Integers:
        """Fit, and return the most probable component of each row, as `predict` does."""
        return self.fit(X, y, sample_weight).predict(X)

    def predict(self, X: Any) -> Integers:
        """Most probable component of each row, from 0 as in ``weights_``; -1 where a row is impossible under each."""
        rows = self._new(X)
        return np.asarray(self.fit_.predict(rows))

    def predict_proba(self, X: Any) -> Floats:
        """``(n_samples, n_components)`` posterior probability of each component."""
        rows = self._new(X)
        return np.asarray(self.fit_.responsibilities(rows))

    def score_samples(self, X: Any) -> Floats:
        """``(n_samples,)`` log-likelihood of each row, in nats, all constants included."""
        return self._scores(self._new(X))

    def score(self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None) -> float:
        """Mean log-likelihood of a row, each as often as it counts: larger is better."""
        rows = self._new(X, y)
        weights = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        return float(np.average(self._scores(rows), weights=weights))

    def bic(self, X: Any, y: Any = None) -> float:
        """Schwarz's criterion of the fitted mixture on these rows: smaller is better."""
        rows = self._new(X, y)
        return float(-2 * self._scores(rows).sum() + self.fit_._free_parameters * np.log(rows.n))

    def aic(self, X: Any, y: Any = None) -> float:
        """Akaike's criterion of the fitted mixture on these rows: smaller is better."""
        rows = self._new(X, y)
        return float(-2 * self._scores(rows).sum() + 2 * self.fit_._free_parameters)

    def sample(self, n_samples: int = 1) -> tuple[Floats, Integers]:
        """Draw rows from the fitted mixture.

        Returns
        -------
        ``(n_samples, n_features)`` rows as X has them, NaN in columns that were not read, with exposures, tosses or covariates of
        rows that are drawn from those fitted; and the component ``(n_samples,)`` of each
        """
        check_is_fitted(self)
        rows, components = self.fit_._drawn(n_samples, self._seed())
        return self._as_x(rows), components

    def comparison(self, **options: Any) -> Any:
        """Sample the posterior of the same model on the rows that were fitted, and reach the verdict.

        Parameters
        ----------
        options : further ones of `comparisons.compare`, such as ``out``, ``components``, ``draws``

        Returns
        -------
        As of `comparisons.compare`: with the prior that was given, else with the default one

        Raises
        ------
        ValueError
            for sample weights that are not whole numbers: a posterior is of rows that were seen
        """
        # The one arrow from `em` upward, taken by who asks for a verdict: nothing else of this package needs `comparisons`.
        from comparisons import compare

        check_is_fitted(self)
        same = {
            "family": self.fit_._mixture.kind,
            "n_components": self.n_components,
            "weights": self.weights,
            "prior": self._prior(self._data),
            **{name: value for name, value in self._options().items() if name == "covariance"},
        }
        if isinstance(self.random_state, Integral):
            same["seed"] = int(self.random_state)
        return compare(self._data, **(same | options))

    def _scores(self, rows: Any) -> Floats:
        return np.asarray(self.fit_.score_rows(rows))

    def _seed(self) -> int:
        if isinstance(self.random_state, Integral):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _new(self, x: Any, y: Any = None) -> Any:
        check_is_fitted(self)
        return self._further_rows(self._checked(x, reset=False), y)

    def _checked(self, x: Any, *, reset: bool) -> Floats:
        finite = "allow-nan" if self.__sklearn_tags__().input_tags.allow_nan else True
        least = 2 if reset else 1
        checked: Floats = validate_data(
            self, x, reset=reset, dtype=np.float64, ensure_all_finite=finite, ensure_min_samples=least
        )
        return checked


class ColumnEstimator(MixtureEstimator):
    """Of families whose rows are an outcome and what belongs to it, each in a column of X.

    ``roles`` are the parameters that name these columns, and what each is called in the family's ``noun`` of `models`. Columns
    of X that have no role are refused; with ``remainder="drop"`` they are not read.
    """

    noun: ClassVar[type[Any]]
    roles: ClassVar[dict[str, str]]
    remainder: str

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        return tags

    def _rows(self, x: Floats, y: Any = None, counts: Any = None) -> Any:
        check_non_negative(x, type(self).__name__)
        places = self._places(x.shape[1])
        return self.noun(**{self.roles[role]: x[:, place] for role, place in places.items()}, counts=counts)

    def _as_x(self, rows: Any) -> Floats:
        x = np.full((len(rows.counts), self.n_features_in_), np.nan)
        for role, place in self._places(self.n_features_in_).items():
            x[:, place] = getattr(rows, self.roles[role])
        return x

    def _places(self, n: int) -> dict[str, int]:
        """The column of each role that has one; ValueError for columns that are not there, or have no role."""
        if self.remainder not in ("refuse", "drop"):
            raise ValueError(f'remainder is {shown(self.remainder)}; give "refuse" or "drop"')
        named = {role: getattr(self, role) for role in self.roles}
        places = {role: place_of(self, role, column, n) for role, column in named.items() if column is not None}
        if len(set(places.values())) < len(places):
            raise ValueError(f"{some_of(places)} are columns {some_of(places.values())} of X; give each one of its own")
        if len(places) < n and self.remainder == "refuse":
            without = [j for j in range(n) if j not in places.values()]
            raise ValueError(
                f"X has {n} columns, of which {some_of(without)} have no role; name them as {some_of(self.roles)}, or leave "
                'them unread with remainder="drop"'
            )
        return places


def place_of(estimator: Any, role: str, column: Any, n: int) -> int:
    """Where a column stands, counted from 0; ValueError for one that X does not have."""
    names = list(getattr(estimator, "feature_names_in_", ()))
    if isinstance(column, Integral) and not isinstance(column, bool) and -n <= int(column) < n:
        return int(column) % n
    if isinstance(column, str) and column in names:
        return names.index(column)
    there = f": {some_of(names)}" if names else ""
    raise ValueError(f"{role} is {shown(column)}, but X has {n} feature(s){there}; give the name or place of one")
