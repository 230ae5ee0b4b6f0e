"""The estimators, one for each family of `em`."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_array, check_non_negative

import em
from em.sklearn.estimator import ColumnEstimator, MixtureEstimator, place_of
from models.coins.nouns import CoinTosses
from models.exponentials import WaitingTimes
from models.gammas import PositiveTimes
from models.gaussians.measurements import Measurements
from models.gaussians.nouns import GaussianPrior
from models.inputs import Floats, shown
from models.latent_classes import ItemResponses
from models.mixtures import Weights
from models.poissons import EventCounts
from models.regressions.regressors import RegressionRows

# scikit-learn's word for each form of covariances, and the one of `em`.
FORMS = {
    "full": "full",
    "tied": "tied",
    "diag": "diagonal",
    "spherical": "spherical",
    "tied-diag": "tied-diagonal",
    "tied-spherical": "tied-spherical",
}


class GaussianMixture(MixtureEstimator):
    """A mixture of normal distributions of all columns of X; see `em.gaussian_mixture`.

    Parameters
    ----------
    covariance_type : ``"full"``, ``"tied"``, ``"diag"``, ``"spherical"``, as in `sklearn.mixture.GaussianMixture`, or
        ``"tied-diag"``, ``"tied-spherical"``
    prior : `models.GaussianPrior`, or ``"weakly_informative"`` for the one that is read off the spread of each column, with which
        any rows can be fitted; where None maximum likelihood, without a floor under variances: collinear columns, or fewer rows
        than columns, are refused
    missing : ``"marginal"`` keeps rows with NaN by the density of what was seen, right where cells are missing at random
    n_components, weights, starts, random_state : as in `MixtureEstimator`

    Attributes
    ----------
    means_ : ``(K, d)``
    covariances_ : full ``(K, d, d)``, tied ``(d, d)``, diag ``(K, d)``, spherical ``(K,)``, tied-diag ``(d,)``, tied-spherical
        one number

    Examples
    --------
    >>> import numpy as np
    >>> from em.sklearn import GaussianMixture
    >>> X = np.array([[1.0, 2.1], [1.2, 1.9], [0.8, 2.2], [8.1, 7.7], [7.9, 8.4], [8.2, 8.0]])
    >>> GaussianMixture(2, covariance_type="tied", random_state=0).fit_predict(X)
    array([0, 0, 0, 1, 1, 1])
    """

    fitting: ClassVar[Any] = em.gaussian_mixture

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: str = "full",
        weights: Weights = "free",
        prior: Any = None,
        missing: str = "refuse",
        starts: str = "default",
        random_state: Any = None,
    ) -> None:
        super().__init__(n_components, weights=weights, prior=prior, starts=starts, random_state=random_state)
        self.covariance_type, self.missing = covariance_type, missing

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = isinstance(self.missing, str) and self.missing == "marginal"
        return tags

    def _options(self) -> dict[str, Any]:
        if self.covariance_type not in FORMS:
            raise ValueError(f"covariance_type is {shown(self.covariance_type)}; give one of {', '.join(FORMS)}")
        return {"covariance": FORMS[self.covariance_type], "progress": False}

    def _prior(self, rows: Measurements) -> Any:
        if isinstance(self.prior, str) and self.prior == "weakly_informative":
            return GaussianPrior.weakly_informative(rows, self.n_components, correlated=False)
        return self.prior

    def _rows(self, x: Floats, y: Any = None, counts: Any = None) -> Measurements:
        if not isinstance(self.missing, str) or self.missing not in ("refuse", "marginal"):
            raise ValueError(f'missing is {shown(self.missing)}; give "refuse" or "marginal"')
        return Measurements(x, counts, missing=self.missing)  # type: ignore[arg-type]

    def _as_x(self, rows: Measurements) -> Floats:
        return np.array(rows.y)

    def _parameters(self) -> dict[str, Floats]:
        told = super()._parameters()
        full = told["covariances"][0] if "tied" in self.covariance_type else told["covariances"]
        if "diag" in self.covariance_type:
            full = np.diagonal(full, axis1=-2, axis2=-1).copy()
        elif "spherical" in self.covariance_type:
            full = full[..., 0, 0]
        return {**told, "covariances": full}


def _response_in_x(estimator: RegressionMixture) -> bool:
    """Whether rows of X have a response, or why what needs it is not there; AttributeError."""
    if estimator.response is None:
        raise AttributeError("response is None, so that nothing is known of the response of rows; name a column of X")
    return True


class RegressionMixture(MixtureEstimator):
    """A mixture of linear regressions; see `em.regression_mixture`.

    Rows belong to components by their response, so that whoever asks of new rows has to bring theirs: ``response`` names its
    column of X, and all other columns are covariates. Where it is None, `fit`, `score`, `bic` and `aic` take the response as y,
    as regressions of scikit-learn do, and there are no `predict`, `predict_proba`, `score_samples` and `sample`.

    Parameters
    ----------
    response : column of X, by name or place, or None
    covariance : ``"own"`` variances of the components, or one that is ``"tied"``
    intercept : whether an intercept stands before the covariates
    n_components, weights, prior, starts, random_state : as in `MixtureEstimator`

    Attributes
    ----------
    coefficients_ : ``(K, p)``, the intercept first
    variances_ : ``(K,)``

    Examples
    --------
    >>> import numpy as np
    >>> from em.sklearn import RegressionMixture
    >>> x = np.arange(8.0)
    >>> y = np.where(x % 2, 1 + 2 * x, 9 - x) + [0.1, 0, -0.1, 0.2, 0, -0.1, 0.1, 0]
    >>> RegressionMixture(2, covariance="tied", random_state=0).fit(x[:, None], y).coefficients_.round(1)
    array([[ 1.1,  2. ],
           [ 9. , -1. ]])
    """

    fitting: ClassVar[Any] = em.regression_mixture
    predict = available_if(_response_in_x)(MixtureEstimator.predict)
    predict_proba = available_if(_response_in_x)(MixtureEstimator.predict_proba)
    score_samples = available_if(_response_in_x)(MixtureEstimator.score_samples)
    fit_predict = available_if(_response_in_x)(MixtureEstimator.fit_predict)
    sample = available_if(_response_in_x)(MixtureEstimator.sample)

    def __init__(
        self,
        n_components: int = 1,
        *,
        response: int | str | None = None,
        covariance: str = "own",
        intercept: bool = True,
        weights: Weights = "free",
        prior: Any = None,
        starts: str = "default",
        random_state: Any = None,
    ) -> None:
        super().__init__(n_components, weights=weights, prior=prior, starts=starts, random_state=random_state)
        self.response, self.covariance, self.intercept = response, covariance, intercept

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.response is None
        return tags

    def _options(self) -> dict[str, Any]:
        return {"covariance": self.covariance}

    def _rows(self, x: Floats, y: Any = None, counts: Any = None) -> RegressionRows:
        names = list(getattr(self, "feature_names_in_", ())) or [f"x{j + 1}" for j in range(x.shape[1])]
        if self.response is not None:
            place = place_of(self, "response", self.response, x.shape[1])
            y, x = x[:, place], np.delete(x, place, axis=1)
            del names[place]
        elif y is None:
            raise ValueError(
                "response is None, which requires y to be passed, but the target y is None; give y, or name a column of X"
            )
        y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
        return RegressionRows(y, x, counts, intercept=self.intercept, covariates=names)

    def _as_x(self, rows: RegressionRows) -> Floats:
        covariates = rows.design[:, int(self.intercept) :]
        return np.insert(covariates, place_of(self, "response", self.response, self.n_features_in_), rows.y, axis=1)


class LatentClassMixture(MixtureEstimator):
    """Latent classes: each column of X is an item, in whole numbers from 0, NaN where missing; see `em.latent_class_mixture`.

    Categories that are words become such numbers by `sklearn.preprocessing.OrdinalEncoder`.

    Attributes
    ----------
    item_probabilities_ : ``(K, J, C)`` of each class, item and category, NaN beyond the categories of an item

    Examples
    --------
    >>> import numpy as np
    >>> from em.sklearn import LatentClassMixture
    >>> kinds = np.array([[0, 0, 0], [0, 0, 1], [0, 1, 0], [1, 1, 1], [1, 1, 0], [1, 0, 1]])
    >>> X = kinds.repeat([8, 2, 2, 6, 1, 1], axis=0)
    >>> LatentClassMixture(2, random_state=0).fit(X).predict([[0, 0, 0], [1, np.nan, 1]])
    array([0, 1])
    """

    fitting: ClassVar[Any] = em.latent_class_mixture

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = tags.input_tags.allow_nan = tags.input_tags.positive_only = True
        return tags

    def _rows(self, x: Floats, y: Any = None, counts: Any = None) -> ItemResponses:
        check_non_negative(np.nan_to_num(x), type(self).__name__)
        return ItemResponses(x, counts)

    def _further_rows(self, x: Floats, y: Any = None) -> ItemResponses:
        rows: ItemResponses = self._data.with_rows(x)
        return rows

    def _as_x(self, rows: ItemResponses) -> Floats:
        return rows.columns


class _Counts(ColumnEstimator):
    """Whole numbers, which scikit-learn's checks give to no estimator but such as call them categories."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = True
        return tags


class BinomialMixture(_Counts):
    """A mixture of binomial distributions, bags of coin tosses; see `em.coin_mixture`.

    Parameters
    ----------
    heads, tosses : columns of X, by name or place
    remainder : ``"drop"`` leaves further columns unread, which are refused by default
    n_components, weights, prior, starts, random_state : as in `MixtureEstimator`

    Attributes
    ----------
    head_probabilities_ : ``(K,)``

    Examples
    --------
    >>> from em.sklearn import BinomialMixture
    >>> bags = [[5, 10], [9, 10], [8, 10], [4, 10], [7, 10]]
    >>> BinomialMixture(2, random_state=0).fit(bags).head_probabilities_.round(2)
    array([0.51, 0.79])
    """

    fitting: ClassVar[Any] = em.coin_mixture
    noun: ClassVar[type[Any]] = CoinTosses
    roles: ClassVar[dict[str, str]] = {"heads": "heads", "tosses": "tosses"}

    def __init__(
        self,
        n_components: int = 1,
        *,
        heads: int | str = 0,
        tosses: int | str = 1,
        remainder: str = "refuse",
        weights: Weights = "free",
        prior: Any = None,
        starts: str = "default",
        random_state: Any = None,
    ) -> None:
        super().__init__(n_components, weights=weights, prior=prior, starts=starts, random_state=random_state)
        self.heads, self.tosses, self.remainder = heads, tosses, remainder


class BetaBinomialMixture(BinomialMixture):
    """A mixture of beta-binomial distributions, overdispersed bags; see `em.beta_binomial_mixture`.

    Parameters are those of `BinomialMixture`.

    Attributes
    ----------
    head_probabilities_, correlations_ : ``(K,)``, correlations between tosses of one bag
    """

    fitting: ClassVar[Any] = em.beta_binomial_mixture


class PoissonMixture(_Counts):
    """A mixture of Poisson distributions; see `em.poisson_mixture`.

    Parameters
    ----------
    events : column of X, by name or place
    exposure : likewise; 1 in each row where None
    remainder : ``"drop"`` leaves further columns unread, which are refused by default
    n_components, weights, prior, starts, random_state : as in `MixtureEstimator`

    Attributes
    ----------
    rates_ : ``(K,)`` events for each unit of exposure

    Examples
    --------
    >>> from em.sklearn import PoissonMixture
    >>> PoissonMixture(2, random_state=0).fit([[0], [1], [1], [9], [11], [2]]).rates_.round(1)
    array([ 1., 10.])
    """

    fitting: ClassVar[Any] = em.poisson_mixture
    noun: ClassVar[type[Any]] = EventCounts
    roles: ClassVar[dict[str, str]] = {"events": "events", "exposure": "exposure"}

    def __init__(
        self,
        n_components: int = 1,
        *,
        events: int | str = 0,
        exposure: int | str | None = None,
        remainder: str = "refuse",
        weights: Weights = "free",
        prior: Any = None,
        starts: str = "default",
        random_state: Any = None,
    ) -> None:
        super().__init__(n_components, weights=weights, prior=prior, starts=starts, random_state=random_state)
        self.events, self.exposure, self.remainder = events, exposure, remainder


class NegativeBinomialMixture(PoissonMixture):
    """A mixture of negative binomial distributions, overdispersed counts; see `em.negative_binomial_mixture`.

    Parameters are those of `PoissonMixture`.

    Attributes
    ----------
    rates_, dispersions_ : ``(K,)``, dispersions one over the sizes
    """

    fitting: ClassVar[Any] = em.negative_binomial_mixture


class ExponentialMixture(ColumnEstimator):
    """A mixture of exponential waiting times; see `em.exponential_mixture`.

    Parameters
    ----------
    waits : column of X, by name or place
    censored : likewise; 1 where a wait had not ended, else 0. None was censored where None
    remainder : ``"drop"`` leaves further columns unread, which are refused by default
    n_components, weights, prior, starts, random_state : as in `MixtureEstimator`

    Attributes
    ----------
    rates_ : ``(K,)``

    Examples
    --------
    >>> from em.sklearn import ExponentialMixture
    >>> waits = [[1.0, 0], [2.0, 0], [1.5, 0], [40.0, 0], [60.0, 1], [0.5, 0]]
    >>> ExponentialMixture(censored=1).fit(waits).rates_.round(3)
    array([0.048])
    """

    fitting: ClassVar[Any] = em.exponential_mixture
    noun: ClassVar[type[Any]] = WaitingTimes
    roles: ClassVar[dict[str, str]] = {"waits": "y", "censored": "censored"}

    def __init__(
        self,
        n_components: int = 1,
        *,
        waits: int | str = 0,
        censored: int | str | None = None,
        remainder: str = "refuse",
        weights: Weights = "free",
        prior: Any = None,
        starts: str = "default",
        random_state: Any = None,
    ) -> None:
        super().__init__(n_components, weights=weights, prior=prior, starts=starts, random_state=random_state)
        self.waits, self.censored, self.remainder = waits, censored, remainder


class GammaMixture(ExponentialMixture):
    """A mixture of gamma-distributed waiting times, all above 0; see `em.gamma_mixture`.

    Parameters are those of `ExponentialMixture`.

    Attributes
    ----------
    shapes_, rates_ : ``(K,)``, means being shapes over rates
    """

    fitting: ClassVar[Any] = em.gamma_mixture
    noun = PositiveTimes
