"""Gaussian rows of which cells are missing: the fit by the marginal density of what was seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import em
from em.gaussians.missing import IncompleteGaussianMixture, mixture_of
from em.uncertainty.curvature import curvature, derivatives
from em.uncertainty.scores import row_scores
from models import GaussianParameters, GaussianPrior, Measurements
from models.gaussians.covariances import Covariance, CovarianceForm
from models.inputs import Floats
from models.mixtures import MixtureWeights, Weights
from tests.em.test_information import rates, sem_covariance
from tests.problems import COVARIANCES

each_form = pytest.mark.parametrize("covariance", COVARIANCES)


def two_clusters(random: np.random.Generator, n: int = 120, d: int = 3, share: float = 0.25) -> Floats:
    """Rows of two correlated clusters in unlike units, a share of their cells missing and none of the rows empty."""
    component = random.integers(2, size=n)
    root = np.eye(d) + np.tril(np.full((d, d), 0.6), -1)
    y = (random.normal(size=(n, d)) @ root.T + 4.0 * component[:, None]) * 10.0 ** np.arange(d)
    absent = random.random((n, d)) < share
    absent[absent.all(axis=1), 0] = False
    return np.where(absent, np.nan, y)


def log_likelihood(parameters: GaussianParameters, data: Measurements) -> float:
    """By `scipy.stats`, with the marginal normals of the cells that were seen."""
    logs = np.tile(np.log(parameters.weights), (len(data.y), 1))
    for seen in np.unique(~np.isnan(data.y), axis=0):
        rows = (~np.isnan(data.y) == seen).all(axis=1)
        for k, (mean, covariance) in enumerate(zip(parameters.means, parameters.covariances, strict=True)):
            if seen.any():
                y = data.y[np.ix_(rows, seen)]
                logs[rows, k] += stats.multivariate_normal.logpdf(y, mean[seen], covariance[np.ix_(seen, seen)])
    known = data.labels >= 0
    of_rows = np.where(known, logs[np.arange(len(logs)), data.labels], np.logaddexp.reduce(logs, axis=1))
    return float(of_rows @ data.counts)


def problem(covariance: Covariance, seed: int, *, weights: Weights = "free", prior: bool = False) -> Any:
    """A mixture of two components of rows with counts and labels, one of them labelled only."""
    random = np.random.default_rng(seed)
    y = two_clusters(random, n=60)
    y[7] = np.nan
    labels = np.where(random.random(60) < 0.2, random.integers(2, size=60), -1)
    labels[7] = 1
    data = Measurements(y, random.integers(1, 4, size=60), labels, missing="marginal")
    own = GaussianPrior.weakly_informative(data, 2) if prior else None
    return mixture_of(data, MixtureWeights.of(weights, 2), CovarianceForm.of(covariance), own)


@each_form
def test_the_likelihood_is_that_of_single_rows_by_scipy(covariance: Covariance) -> None:
    mixture = problem(covariance, seed=1)
    rows = Measurements(mixture.inside, mixture.counts, mixture.labels, missing="marginal")
    parameters = mixture.start_from(np.random.default_rng(2).dirichlet([1, 1], size=len(mixture.counts)))
    expected = log_likelihood(parameters, rows)
    assert mixture.e_step(parameters).log_likelihood == pytest.approx(expected, rel=1e-12)
    outside = Measurements(
        mixture.units.by_feature(rows.y) * mixture.units.unit + mixture.units.location,
        rows.counts,
        rows.labels,
        missing="marginal",
    )
    there = log_likelihood(mixture.published(parameters), outside)
    assert expected + mixture.likelihood_offset == pytest.approx(there, rel=1e-12)


@each_form
@pytest.mark.parametrize("prior", [False, True])
def test_gradient_and_information_are_the_derivatives_of_the_objective(covariance: Covariance, prior: bool) -> None:
    mixture = problem(covariance, seed=3, prior=prior)
    parameters = mixture.start_from(np.random.default_rng(4).dirichlet([2, 2], size=len(mixture.counts)))
    vector, basis = mixture.to_vector(parameters), mixture.basis
    gradient, hessian, _ = derivatives(mixture, parameters)

    def objective(x: Floats) -> float:
        there = mixture.from_vector(vector + basis @ x)
        return float(mixture.e_step(there).log_likelihood + mixture.log_prior(there))

    def slopes(x: Floats) -> Floats:
        return np.asarray(basis.T @ derivatives(mixture, mixture.from_vector(vector + basis @ x))[0])

    steps = 1e-4 * np.eye(basis.shape[1])
    numerical = [(8 * (objective(h) - objective(-h)) - objective(2 * h) + objective(-2 * h)) / 12e-4 for h in steps]
    # Central differences of fourth order: rounding of some hundred nats, 1e-13, over the step.
    np.testing.assert_allclose(basis.T @ gradient, numerical, rtol=1e-7, atol=1e-7)
    by_slopes = [(8 * (slopes(h) - slopes(-h)) - slopes(2 * h) + slopes(-2 * h)) / 12e-4 for h in steps]
    size = np.abs(basis.T @ hessian @ basis).max()
    np.testing.assert_allclose(basis.T @ hessian @ basis, by_slopes, rtol=1e-7, atol=1e-9 * size)
    both = mixture.counts @ row_scores(mixture, parameters).full + mixture.prior_derivatives(parameters)[0]
    np.testing.assert_allclose(both, gradient, rtol=1e-10, atol=1e-10 * np.abs(gradient).max())


@each_form
@pytest.mark.parametrize("weights", ["free", "equal", [0.3, 0.7]])
def test_em_climbs_to_a_maximum_whose_error_and_rate_are_those_of_its_own_steps(
    covariance: Covariance, weights: Weights
) -> None:
    """That the objective never falls is seen by `climb`, which raises where it does."""
    y = two_clusters(np.random.default_rng(5), n=150)
    prior = GaussianPrior.weakly_informative(y, 2, missing="marginal") if weights == "equal" else None
    fit = em.gaussian_mixture(y, 2, covariance, weights, prior=prior, missing="marginal")
    mixture: Any = fit._mixture
    assert fit.status == "converged"
    assert (np.diff(fit.trace) > -1e-9).all()
    vector = fit.path._vectors[-1]
    at = mixture.from_vector(vector)
    own = rates(mixture, vector)
    assert fit.rate == pytest.approx(np.linalg.eigvals(own).real.max(), rel=1e-5)
    free = np.linalg.inv(curvature(mixture, at).information)
    size = np.sqrt(np.diag(free))
    np.testing.assert_allclose(
        sem_covariance(mixture, vector) / np.outer(size, size), free / np.outer(size, size), atol=1e-5
    )
    complete, missing = mixture.informations(at)
    both = complete + mixture.prior_information(at) - missing
    by_size = (mixture.basis.T @ both @ mixture.basis) * np.outer(size, size)
    np.testing.assert_allclose(by_size, curvature(mixture, at).information * np.outer(size, size), atol=1e-5)


def test_a_bivariate_normal_with_one_feature_cut_short_is_andersons_closed_form() -> None:
    """Anderson (1957), JASA 52, 200: the first feature by all rows, the second by its regression in the whole ones."""
    random = np.random.default_rng(6)
    n, whole = 80, 50
    y = random.multivariate_normal([1, 20], [[4, 3], [3, 9]], size=n)
    y[whole:, 1] = np.nan
    x, z = y[:whole].T
    mean, variance = y[:, 0].mean(), y[:, 0].var()
    slope = np.cov(x, z, bias=True)[0, 1] / x.var()
    left = (z - z.mean() - slope * (x - x.mean())).var()
    fit = em.gaussian_mixture(y, 1, missing="marginal")
    np.testing.assert_allclose(fit.parameters.means[0], [mean, z.mean() + slope * (mean - x.mean())], rtol=1e-7)
    expected = [[variance, slope * variance], [slope * variance, left + slope**2 * variance]]
    np.testing.assert_allclose(fit.parameters.covariances[0], expected, rtol=1e-6)
    # Of the mean of the second feature: the variance of a prediction, and of the slope at the mean of all rows.
    error = left * (1 / whole + (mean - x.mean()) ** 2 / (whole * x.var())) + slope**2 * variance / n
    assert fit.standard_errors.means[0] == pytest.approx([np.sqrt(variance / n), np.sqrt(error)], rel=1e-6)


def test_no_other_way_finds_a_higher_maximum() -> None:
    y = two_clusters(np.random.default_rng(7), n=70, d=2)
    fit = em.gaussian_mixture(y, 2, missing="marginal")
    mixture: Any = fit._mixture
    data = Measurements(y, missing="marginal")

    def negative(x: Floats) -> float:
        vector, _ = mixture.from_coordinates(x, unbounded=True)
        return -log_likelihood(mixture.published(mixture.from_vector(vector)), data)

    estimate = mixture.coordinates(mixture.from_published(fit.parameters), unbounded=True)
    random = np.random.default_rng(8)
    starts = [estimate + random.normal(scale=0.2, size=estimate.shape) for _ in range(4)]
    found = [-optimize.minimize(negative, start, method="BFGS").fun for start in starts]
    # BFGS stops where differences of its gradient drown, at about 1e-8 of some hundred nats.
    assert max(found) == pytest.approx(fit.log_likelihood, abs=1e-5)
    assert -negative(estimate) == pytest.approx(fit.log_likelihood, rel=1e-12)


@each_form
def test_with_no_cell_missing_nothing_changes(covariance: Covariance) -> None:
    y = two_clusters(np.random.default_rng(9), share=0.0)
    plain, marginal, dropped = (
        em.gaussian_mixture(y, 2, covariance, missing=m) for m in ("refuse", "marginal", "drop")
    )
    for other in (marginal, dropped):
        np.testing.assert_array_equal(other.trace, plain.trace)
        np.testing.assert_array_equal(other.standard_errors.covariance, plain.standard_errors.covariance)


@each_form
def test_the_general_way_is_the_fast_one_on_whole_rows(covariance: Covariance) -> None:
    y = two_clusters(np.random.default_rng(9), share=0.0)
    plain = em.gaussian_mixture(y, 2, covariance)
    weights, form = MixtureWeights.of("free", 2), CovarianceForm.of(covariance)
    mixture: Any = IncompleteGaussianMixture(Measurements(y), weights, form, None)
    at = mixture.from_published(plain.parameters)
    assert mixture.e_step(at).log_likelihood + mixture.likelihood_offset == pytest.approx(
        plain.log_likelihood, rel=1e-12
    )
    covariances = mixture.standard_errors(at, curvature(mixture, at).covariance, None).covariance
    size = np.sqrt(np.diag(covariances))
    size[size == 0] = 1.0
    expected = plain.standard_errors.covariance / np.outer(size, size)
    np.testing.assert_allclose(covariances / np.outer(size, size), expected, atol=1e-6)


def test_rows_that_drop_leaves_out_are_those_with_a_missing_cell() -> None:
    y = two_clusters(np.random.default_rng(10))
    labels = np.where(np.arange(len(y)) % 5 == 0, np.arange(len(y)) % 2, -1)
    whole = ~np.isnan(y).any(axis=1)
    dropped = em.gaussian_mixture(y, 2, labels=labels, missing="drop")
    np.testing.assert_array_equal(dropped.trace, em.gaussian_mixture(y[whole], 2, labels=labels[whole]).trace)


def test_order_of_rows_and_units_do_not_matter() -> None:
    random = np.random.default_rng(11)
    y = two_clusters(random)
    fit = em.gaussian_mixture(y, 2, missing="marginal")
    units, origin = np.array([1e6, 1e-5, 3.0]), np.array([5.0, -2.0, 1e4])
    other = em.gaussian_mixture(y[random.permutation(len(y))] * units + origin, 2, missing="marginal")
    np.testing.assert_allclose(other.parameters.means, fit.parameters.means * units + origin, rtol=1e-6)
    np.testing.assert_allclose(other.standard_errors.means, fit.standard_errors.means * units, rtol=1e-5)
    cells = (~np.isnan(y)).sum(axis=0)
    assert other.log_likelihood == pytest.approx(fit.log_likelihood - cells @ np.log(units), rel=1e-9)


def test_responsibilities_are_of_what_was_seen() -> None:
    y = two_clusters(np.random.default_rng(12))
    frame = pd.DataFrame(y, columns=["a", "b", "c"])
    fit = em.gaussian_mixture(frame, 2, missing="marginal")
    shares = fit.responsibilities(frame[["c", "a", "b"]])
    p = fit.parameters
    for row in (0, 5, 17):
        seen = ~np.isnan(y[row])
        joint = p.weights * [
            stats.multivariate_normal.pdf(y[row, seen], m[seen], c[np.ix_(seen, seen)])
            for m, c in zip(p.means, p.covariances, strict=True)
        ]
        np.testing.assert_allclose(shares[row], joint / joint.sum(), rtol=1e-9)
    whole = em.gaussian_mixture(frame.fillna(frame.mean()), 2)
    with pytest.raises(ValueError, match='keep them with missing="marginal"'):
        whole.responsibilities(frame)
    assert np.isfinite(whole.responsibilities(Measurements(frame, missing="marginal"))).all()


@each_form
def test_rows_are_scored_by_what_was_seen_also_by_a_fit_that_was_read(tmp_path: Path, covariance: Covariance) -> None:
    y = two_clusters(np.random.default_rng(12))
    fit = em.gaussian_mixture(y, 2, covariance=covariance, missing="marginal")
    fit.write(tmp_path / "fit.json")
    read = em.read_fit(tmp_path / "fit.json")
    scores = [log_likelihood(fit.parameters, Measurements(row[None], missing="marginal")) for row in y]
    for each in (fit, read):
        np.testing.assert_allclose(each.score_rows(y), scores, rtol=1e-10)
        assert each.score_rows(y).sum() == pytest.approx(fit.log_likelihood, rel=1e-12)
        np.testing.assert_array_equal(each.predict(y), fit.responsibilities(y).argmax(axis=1))


def test_what_was_seen_once_is_no_support_for_a_narrow_component() -> None:
    """A component of many rows, of which one has the second feature: its variance there goes to 0."""
    random = np.random.default_rng(13)
    y = np.column_stack([np.r_[random.normal(size=40), random.normal(9, 1, size=40)], random.normal(size=80)])
    y[1:40, 1] = np.nan
    fit = em.gaussian_mixture(y, 2, "diagonal", missing="marginal")
    spikes = [mode for mode in fit.modes if mode.parameters.standard_deviations[:, 1].min() < 1e-3]
    assert all(not mode.regular for mode in spikes)
    start = GaussianParameters([0.5, 0.5], [[0, y[0, 1]], [9, 0]], [np.diag([1, 1e-4]), np.eye(2)])
    assert em.gaussian_mixture(y, 2, "diagonal", missing="marginal", start=start).status == "collapsed"


def test_features_never_seen_together_leave_their_covariance_open() -> None:
    random = np.random.default_rng(14)
    y = random.normal(size=(60, 2))
    y[:30, 0], y[30:, 1] = np.nan, np.nan
    fit = em.gaussian_mixture(y, 1, missing="marginal")
    assert fit.status == "ridge"
    assert "covariances[1, 2, 1]" in str(fit.standard_errors.reason)
    assert em.gaussian_mixture(y, 1, "diagonal", missing="marginal").status == "converged"


@pytest.mark.parametrize("kind", ["parametric", "nonparametric"])
def test_the_bootstrap_keeps_which_cells_are_missing(kind: Any) -> None:
    y = two_clusters(np.random.default_rng(15), n=200, d=2)
    fit = em.gaussian_mixture(y, 2, missing="marginal")
    replicate = em.bootstrap(fit, 1, kind, replicates=60)
    assert replicate.reason is None
    # A standard deviation of 60 draws is off by 9 %; three times that, for 2 x 2 means.
    expected = fit.standard_errors if kind == "parametric" else em.sandwich(fit)
    np.testing.assert_allclose(replicate.standard_errors.means, expected.means, rtol=0.27)
    mixture: Any = fit._mixture
    rows = np.arange(len(mixture.counts))
    drawn = mixture.simulated(
        mixture.from_vector(fit.path._vectors[-1]), rows, rows % 2, np.full(len(rows), -1), np.random.default_rng(0)
    )
    assert np.isnan(drawn.inside).sum() == np.isnan(y).sum()


def test_sandwich_and_profile_know_missing_cells() -> None:
    y = two_clusters(np.random.default_rng(16), n=400, d=2)
    fit = em.gaussian_mixture(y, 2, missing="marginal")
    # The rows follow the model.
    np.testing.assert_allclose(em.sandwich(fit).means, fit.standard_errors.means, rtol=0.3)
    told = em.profile_interval(fit, "means[1, 1]")
    assert told.reason is None
    wald = fit.parameters.means[0, 0] + np.array([-1.88, 1.88]) * fit.standard_errors.means[0, 0]
    np.testing.assert_allclose([told.low, told.high], wald, atol=0.2 * fit.standard_errors.means[0, 0])


@pytest.mark.parametrize("method", ["bfgs", "nelder-mead"])
def test_the_same_objective_is_maximised_directly(method: Any) -> None:
    y = two_clusters(np.random.default_rng(17), n=80, d=2)
    fit = em.gaussian_mixture(y, 2, "diagonal", missing="marginal")
    other = em.gaussian_mixture(y, 2, "diagonal", missing="marginal", method=method, start=fit.path[0])
    assert other.log_likelihood == pytest.approx(fit.log_likelihood, abs=1e-4)


def test_the_default_prior_has_means_and_variances_of_what_was_seen() -> None:
    y = two_clusters(np.random.default_rng(18))
    prior = GaussianPrior.weakly_informative(y, 2, missing="marginal")
    np.testing.assert_allclose(prior.mean, np.nanmean(y, axis=0))
    np.testing.assert_allclose(np.diag(prior.scale), np.nanvar(y, axis=0, ddof=1) / 2 ** (2 / 3))
    both = ~np.isnan(y[:, :2]).any(axis=1)
    products = ((y[both, 0] - prior.mean[0]) * (y[both, 1] - prior.mean[1])).sum()
    seen = (~np.isnan(y)).sum(axis=0) - 1
    assert prior.scale[0, 1] == pytest.approx(products / np.sqrt(seen[0] * seen[1]) / 2 ** (2 / 3))


def test_what_cannot_be_kept_is_refused(tmp_path: Any) -> None:
    y = two_clusters(np.random.default_rng(19), n=30, d=2)
    with pytest.raises(ValueError, match=r'as missing="drop" does, or keep them with missing="marginal"'):
        em.gaussian_mixture(y, 2)
    with pytest.raises(ValueError, match='missing is \'keep\'; give "refuse", "drop" or "marginal"'):
        em.gaussian_mixture(y, 2, missing="keep")  # type: ignore[arg-type]
    empty = np.concatenate([y, [[np.nan, np.nan]]])
    with pytest.raises(ValueError, match="1 rows with neither a value nor a label, the first at row 30"):
        em.gaussian_mixture(empty, 2, missing="marginal")
    with pytest.raises(ValueError, match="column '2' of y has no value at all"):
        em.gaussian_mixture(np.column_stack([y[:, 0], np.full(30, np.nan)])[~np.isnan(y[:, 0])], 2, missing="marginal")
    with pytest.raises(ValueError, match="the first at row 2, column 1"):
        em.gaussian_mixture([[1, 2], [3, 4], [5, np.inf], [np.nan, 3]], 2, missing="marginal")
    np.save(tmp_path / "rows.npy", y)
    with pytest.raises(ValueError, match="y is read in chunks, where no cell may be missing"):
        em.gaussian_mixture(np.load(tmp_path / "rows.npy", mmap_mode="r"), 2, missing="marginal")
    with pytest.raises(ValueError, match="has labels, counts and missing of its own"):
        em.gaussian_mixture(Measurements(y, missing="marginal"), 2, missing="marginal")


def test_very_many_rows_are_searched_in_a_sample() -> None:
    y = two_clusters(np.random.default_rng(20), n=4000, d=2)
    fit = em.gaussian_mixture(y, 2, missing="marginal")
    assert fit.status == "converged"
    few = em.gaussian_mixture(y[:2500], 2, missing="marginal", start=fit.parameters)
    distances = np.abs(few.parameters.means - fit.parameters.means) / few.standard_errors.means
    assert distances.max() < 4
