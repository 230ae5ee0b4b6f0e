"""Claims about the estimators: the same fit as of `em`, the same optimum as scikit-learn's, and scikit-learn's habits."""

from __future__ import annotations

import doctest
import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.mixture
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import comparisons
import em
import em.sklearn.estimator
import em.sklearn.families
from comparisons import own
from comparisons.declaration import Comparison
from em.sklearn import (
    BetaBinomialMixture,
    BinomialMixture,
    ExponentialMixture,
    GammaMixture,
    GaussianMixture,
    LatentClassMixture,
    MixtureEstimator,
    NegativeBinomialMixture,
    PoissonMixture,
    RegressionMixture,
)
from models import GaussianPrior, LatentClassPrior

RANDOM = np.random.default_rng(16)
N = 90
SECOND = np.arange(N) % 3 == 0
EXPOSURE = RANDOM.uniform(1, 3, N)
PLANE = RANDOM.normal(size=(N, 2)) * [1, 0.5] + np.where(SECOND, 4, 0)[:, None] + [10, -3]
EVENTS = np.column_stack([RANDOM.poisson(EXPOSURE * np.where(SECOND, 8, 1)), EXPOSURE])
BAGS = np.column_stack([RANDOM.binomial(12, np.where(SECOND, 0.8, 0.25)), np.full(N, 12)])
WAITS = np.column_stack([RANDOM.gamma(3, np.where(SECOND, 20, 1)), RANDOM.random(N) < 0.1]).astype(float)
ITEMS = (RANDOM.random((N, 5)) < np.where(SECOND, 0.85, 0.2)[:, None]).astype(float)
LINES = np.column_stack([PLANE[:, 0], np.where(SECOND, 20, 3 * PLANE[:, 0]) + RANDOM.normal(size=N)])

# An estimator of each family, and rows of its kind.
FAMILIES: list[tuple[MixtureEstimator, Any]] = [
    (GaussianMixture(2, random_state=3), PLANE),
    (PoissonMixture(2, exposure=1, random_state=3), EVENTS),
    (NegativeBinomialMixture(exposure=1, random_state=3), EVENTS),
    (BinomialMixture(2, random_state=3), BAGS),
    (BetaBinomialMixture(random_state=3), BAGS),
    (ExponentialMixture(2, censored=1, random_state=3), WAITS),
    (GammaMixture(2, censored=1, random_state=3), WAITS),
    (LatentClassMixture(2, prior=LatentClassPrior.weakly_informative(), random_state=3), ITEMS),
    (RegressionMixture(2, response=1, random_state=3), LINES),
]
each_family = pytest.mark.parametrize(("estimator", "x"), FAMILIES, ids=[type(each).__name__ for each, _ in FAMILIES])


@pytest.mark.parametrize("form", ["full", "tied", "diag", "spherical"])
def test_the_optimum_is_the_one_of_scikit_learn(form: str) -> None:
    ours = GaussianMixture(2, covariance_type=form, random_state=0).fit(PLANE)
    # From where we are, so that only steps of its EM, which has no floor under variances here, could leave it.
    theirs = sklearn.mixture.GaussianMixture(
        2,
        covariance_type=form,
        reg_covar=0,
        tol=1e-14,
        max_iter=5000,
        means_init=ours.means_,
        weights_init=ours.weights_,
    ).fit(PLANE)
    for name in ("weights_", "means_", "covariances_"):
        assert getattr(ours, name).shape == getattr(theirs, name).shape
        # Its stop rule leaves about the root of what its change of the mean log-likelihood is.
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-6)
    np.testing.assert_allclose(ours.score_samples(PLANE), theirs.score_samples(PLANE), rtol=1e-7)
    np.testing.assert_allclose(ours.predict_proba(PLANE), theirs.predict_proba(PLANE), atol=1e-7)
    assert ours.bic(PLANE) == pytest.approx(theirs.bic(PLANE), rel=1e-9)
    assert ours.aic(PLANE) == pytest.approx(theirs.aic(PLANE), rel=1e-9)
    assert ours.lower_bound_ == pytest.approx(theirs.lower_bound_, rel=1e-9)
    assert ours.score(PLANE) == pytest.approx(theirs.score(PLANE), rel=1e-9)


@each_family
def test_weights_are_rows_repeated(estimator: MixtureEstimator, x: Any) -> None:
    often = np.random.default_rng(1).integers(0, 4, N)
    weighted, repeated = clone(estimator).fit(x, sample_weight=often), clone(estimator).fit(np.repeat(x, often, axis=0))
    for name in (name for name in vars(weighted) if isinstance(getattr(weighted, name), np.ndarray)):
        np.testing.assert_allclose(getattr(weighted, name), getattr(repeated, name), rtol=1e-8)
    assert weighted.score(x, sample_weight=often) == pytest.approx(repeated.lower_bound_, rel=1e-8)


@each_family
def test_weights_need_not_be_whole(estimator: MixtureEstimator, x: Any) -> None:
    once, more = clone(estimator).fit(x), clone(estimator)
    if more.prior is None:  # which is worth as many rows whatever these count
        more.fit(x, sample_weight=np.full(N, 1.5))
        np.testing.assert_allclose(more.score_samples(x), once.score_samples(x), rtol=1e-5, atol=1e-7)
    half = clone(estimator).fit(np.repeat(x, 2, axis=0), sample_weight=np.full(2 * N, 0.5))
    np.testing.assert_allclose(half.score_samples(x), once.score_samples(x), rtol=1e-5, atol=1e-7)


@each_family
def test_rows_come_back_as_the_mixture_draws_them(estimator: MixtureEstimator, x: Any) -> None:
    fitted = pickle.loads(pickle.dumps(clone(estimator).fit(x)))
    drawn, components = fitted.sample(4000)
    assert drawn.shape == (4000, x.shape[1])
    np.testing.assert_array_equal(fitted.sample(4000)[0], drawn)
    share = components.mean() if estimator.n_components == 2 else fitted.weights_[0]
    assert share == pytest.approx(fitted.weights_[-1], abs=4 * np.sqrt(0.25 / 4000))
    # Drawn rows are as likely as the mixture says on average, which rows of another column order are not.
    spread = fitted.score_samples(drawn).std() / np.sqrt(4000) + fitted.score_samples(x).std() / np.sqrt(N)
    assert abs(fitted.score(drawn) - fitted.score(x)) < 4 * spread
    assert fitted.predict_proba(drawn).shape == (4000, estimator.n_components)


def test_a_whole_number_is_the_seed_of_em_and_any_other_state_draws_one() -> None:
    fit = em.poisson_mixture(EVENTS[:, 0], 2, exposure=EXPOSURE, seed=7)
    ours = PoissonMixture(2, exposure=1, random_state=7).fit(EVENTS)
    np.testing.assert_array_equal(ours.rates_, fit.parameters.rates)
    assert ours.n_iter_ == fit.iterations
    states = [PoissonMixture(2, exposure=1, random_state=np.random.RandomState(5)).fit(EVENTS) for _ in range(2)]
    np.testing.assert_array_equal(states[0].sample(9)[0].shape, states[1].sample(9)[0].shape)
    assert states[0].n_iter_ == states[1].n_iter_


def test_columns_have_their_roles_by_name_in_a_search() -> None:
    table = pd.DataFrame({"people": EVENTS[:, 1], "town": np.arange(N), "deaths": EVENTS[:, 0]})
    mixture = PoissonMixture(events="deaths", exposure="people", remainder="drop", random_state=0)
    search = GridSearchCV(mixture, {"n_components": [1, 2], "weights": ["free", "equal"]}, cv=3).fit(table)
    assert search.best_params_["n_components"] == 2
    np.testing.assert_allclose(
        search.best_estimator_.rates_,
        PoissonMixture(2, exposure=1, weights=search.best_params_["weights"], random_state=0).fit(EVENTS).rates_,
        rtol=1e-8,
    )
    drawn, _ = search.best_estimator_.sample(5)
    assert np.isnan(drawn[:, 1]).all()
    assert np.isin(drawn[:, 0], table["people"]).all()


def test_a_pipeline_is_searched() -> None:
    piped = make_pipeline(StandardScaler(), GaussianMixture(random_state=0))
    asked = {"gaussianmixture__n_components": [1, 2], "gaussianmixture__covariance_type": ["full", "spherical"]}
    search = GridSearchCV(piped, asked, cv=3).fit(PLANE)
    assert search.best_params_["gaussianmixture__n_components"] == 2
    assert (search.predict(PLANE) == np.argmax(search.predict_proba(PLANE), axis=1)).all()


def test_a_response_in_y_is_the_one_in_x() -> None:
    inside = RegressionMixture(2, response=1, random_state=0).fit(LINES)
    beside = RegressionMixture(2, random_state=0).fit(LINES[:, :1], LINES[:, 1])
    np.testing.assert_array_equal(inside.coefficients_, beside.coefficients_)
    assert inside.score(LINES) == beside.score(LINES[:, :1], LINES[:, 1])
    assert inside.bic(LINES) == beside.bic(LINES[:, :1], LINES[:, 1])
    with pytest.raises(AttributeError, match="'RegressionMixture' has no attribute 'predict'"):
        _ = beside.predict
    search = GridSearchCV(RegressionMixture(random_state=0), {"n_components": [1, 2]}, cv=3)
    assert search.fit(LINES[:, :1], LINES[:, 1]).best_params_ == {"n_components": 2}


def test_cells_may_be_missing_where_that_is_asked_for() -> None:
    x = PLANE.copy()
    x[::7, 1] = np.nan
    fitted = GaussianMixture(2, missing="marginal", random_state=0).fit(x)
    np.testing.assert_array_equal(
        fitted.means_, em.gaussian_mixture(x, 2, missing="marginal", progress=False).parameters.means
    )
    assert np.isfinite(fitted.score_samples(x)).all()
    with pytest.raises(ValueError, match="Input X contains NaN"):
        GaussianMixture(2).fit(x)
    classes = LatentClassMixture(2, random_state=0).fit(np.where(np.arange(5) == np.arange(N)[:, None], np.nan, ITEMS))
    assert classes.predict([[1, np.nan, 1, 1, np.nan]]) == [1]


def test_the_prior_of_columns_alone_holds_what_has_no_maximum() -> None:
    x = np.column_stack([PLANE, PLANE @ [1.0, 2.0]])
    with pytest.raises(ValueError, match="collinear"):
        GaussianMixture(2).fit(x)
    with pytest.raises(ValueError, match="collinear"):
        GaussianPrior.weakly_informative(x, 2)
    fitted = GaussianMixture(2, prior="weakly_informative").fit(x)
    assert fitted.converged_
    prior = GaussianPrior.weakly_informative(x, 2, correlated=False)
    np.testing.assert_allclose(prior.scale, np.diag(np.var(x, axis=0, ddof=1)) / 2 ** (2 / 3), rtol=1e-12)
    with pytest.raises(ValueError, match="is constant"):
        GaussianPrior.weakly_informative(np.column_stack([x, np.ones(N)]), 2, correlated=False)


class Late(PoissonMixture):
    """Does not arrive."""

    @staticmethod
    def fitting(*rows: Any, **options: Any) -> em.Fit[Any, Any]:
        return replace(em.poisson_mixture(*rows, **options), status="iteration limit")


def test_a_fit_that_did_not_arrive_warns() -> None:
    with pytest.warns(ConvergenceWarning, match="EM did not arrive in"):
        fitted = Late(2, remainder="drop").fit(EVENTS)
    assert not fitted.converged_


REFUSED: list[tuple[MixtureEstimator, Any, str]] = [
    (PoissonMixture(), EVENTS, "X has 2 columns, of which 1 have no role; name them as events, exposure"),
    (PoissonMixture(exposure=0), EVENTS, "events, exposure are columns 0, 0 of X; give each one of its own"),
    (
        PoissonMixture(exposure="people"),
        EVENTS,
        r"exposure is 'people', but X has 2 feature\(s\); give the name or place",
    ),
    (PoissonMixture(exposure=2), EVENTS, r"exposure is 2, but X has 2 feature\(s\)"),
    (PoissonMixture(remainder="keep"), EVENTS, 'remainder is \'keep\'; give "refuse" or "drop"'),
    (BinomialMixture(), BAGS[:, :1], r"tosses is 1, but X has 1 feature\(s\)"),
    (RegressionMixture(response="y"), LINES, "response is 'y'"),
    (RegressionMixture(), LINES, "the target y is None"),
    (GaussianMixture(covariance_type="diagonal"), PLANE, "covariance_type is 'diagonal'; give one of full, tied, diag"),
    (GaussianMixture(missing="drop"), PLANE, 'missing is \'drop\'; give "refuse" or "marginal"'),
    (LatentClassMixture(), -ITEMS, "Negative values in data"),
]


@pytest.mark.parametrize(("estimator", "x", "message"), REFUSED)
def test_what_does_not_fit_is_refused(estimator: MixtureEstimator, x: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        estimator.fit(x)


@each_family
def test_a_comparison_is_of_the_same_rows_and_settings(
    estimator: MixtureEstimator, x: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def declared(data: Any, seed: int, draws: int, **options: Any) -> own.Own[Comparison]:
        asked.append({"seed": seed, "draws": draws})
        return own.declared(data, **options)

    monkeypatch.setattr(comparisons, "compare", declared)
    fitted = clone(estimator).fit(x)
    said = fitted.comparison(draws=50)
    assert asked == [{"seed": 3, "draws": 50}]
    assert said.comparison.n_components == estimator.n_components
    rows = said.comparison.data(said.dataset)
    assert rows.n == N
    again = em.sklearn.families.__dict__[type(estimator).__name__].fitting(
        rows, n_components=estimator.n_components, prior=estimator.prior, seed=3
    )
    assert again.log_likelihood == pytest.approx(fitted.fit_.log_likelihood, rel=1e-10)


def test_a_comparison_has_the_covariances_and_the_prior_of_the_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparisons, "compare", lambda data, **options: own.declared(data, **options))
    said = GaussianMixture(2, covariance_type="tied-diag", prior="weakly_informative").fit(PLANE).comparison()
    assert said.comparison.covariance == "tied-diagonal"
    assert said.prior.scale[0, 1] == 0
    weighted = GaussianMixture(2).fit(PLANE, sample_weight=np.full(N, 0.5))
    with pytest.raises(ValueError, match="which is not a whole number; a comparison is of rows"):
        weighted.comparison()


@pytest.mark.parametrize("module", [em.sklearn, em.sklearn.estimator, em.sklearn.families])
def test_examples_are_true(module: Any) -> None:
    assert doctest.testmod(module).failed == 0
