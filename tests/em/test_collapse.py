"""Mixtures of normals where the likelihood has no maximum, or a point is none: spikes, saddles, ridges, empty components."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

import em
from comparisons.datasets import load
from em.gaussians.mixture import GaussianMixture
from em.mixture import parts, row_log_likelihoods, row_posteriors
from em.search.collapse import NARROW, collapsed, supported, supports
from models import GaussianParameters, GaussianPrior, Measurements
from models.gaussians.covariances import CovarianceForm
from models.inputs import Floats
from models.mixtures import MixtureWeights

WAITING = load("faithful").columns["waiting"]


def test_a_regular_optimum_is_returned_though_a_spike_is_higher() -> None:
    random = np.random.default_rng(1)
    y = np.concatenate([random.normal(size=60), [0.3] * 6])
    fit = em.gaussian_mixture(y, 2)
    spikes = [m for m in fit.modes if not m.regular]
    assert fit.status == "converged"
    assert max(m.log_likelihood for m in spikes) > fit.log_likelihood
    assert fit.modes[0].regular
    assert fit.modes[0].log_likelihood == pytest.approx(fit.log_likelihood, rel=1e-12)


@pytest.mark.parametrize(("y", "k"), [([1.0, 2.0], 2), ([1.0, 2.0, 3.0] * 10, 2), ([1.0, 2.0, 3.0] * 10, 4)])
def test_fewer_distinct_rows_than_components_can_bear_collapse_and_say_so(y: list[float], k: int) -> None:
    fit = em.gaussian_mixture(y, k)
    assert fit.status == "collapsed"
    assert np.isfinite(fit.trace).all()
    assert not any(m.regular for m in fit.modes)
    assert np.isnan(fit.standard_errors.means).all()
    assert "collapsed" in str(fit.standard_errors.reason)


def test_a_prior_that_vanishes_at_zero_keeps_them_from_collapsing() -> None:
    y = [1.0, 2.0, 3.0] * 10
    fit = em.gaussian_mixture(y, 2, prior=GaussianPrior.weakly_informative(y, 2))
    assert fit.status == "converged"
    assert np.isfinite(fit.standard_errors.means).all()


def test_equal_starts_are_a_saddle() -> None:
    start = GaussianParameters([0.5, 0.5], [70, 70], [100, 100])
    fit = em.gaussian_mixture(WAITING, 2, start=start)
    assert fit.status == "saddle"
    assert "a saddle, not a maximum: the objective rises along means[1] - means[2]" in str(fit.standard_errors.reason)


def test_tied_normals_that_coincide_are_a_saddle_or_a_ridge_but_no_ordinary_maximum() -> None:
    # To second order nothing is lost by moving them apart at the same variance of the whole: only higher orders tell.
    start = GaussianParameters([0.5, 0.5], [70, 70], [100, 100])
    assert em.gaussian_mixture(WAITING, 2, "tied", start=start).status == "saddle"
    one_normal = stats.norm.ppf((np.arange(100) + 0.5) / 100)
    start = GaussianParameters([0.5, 0.5], [0.0, 0.0], [1.0, 1.0])
    heavy = em.gaussian_mixture(one_normal**3, 2, "tied", "equal", start=start)
    assert heavy.status == "ridge", "two tied normals of equal weight are lighter in the tails than one"


def test_a_search_that_creeps_ends() -> None:
    # Drawn from one normal: many starts creep to where the two tied components coincide.
    fit = em.gaussian_mixture(np.random.default_rng(1).normal(size=60), 2, "tied")
    assert fit.evaluations < 20_000


def test_a_component_with_nothing_in_it_is_empty() -> None:
    labels = np.zeros(len(WAITING))
    for covariance in ("full", "tied"):
        fit = em.gaussian_mixture(WAITING, 2, covariance, labels=labels)
        assert fit.status == "boundary"
        assert fit.parameters.weights.tolist() == [1, 0]
        assert fit.parameters.means[0, 0] == pytest.approx(WAITING.mean())
        assert fit.log_likelihood == pytest.approx(em.gaussian_mixture(WAITING, 1).log_likelihood, rel=1e-13)
    far = em.gaussian_mixture(WAITING, 2, start=GaussianParameters([0.5, 0.5], [70, 7000], [100, 100]))
    assert far.status == "boundary"


def test_one_variance_of_all_components_never_collapses_for_being_narrow() -> None:
    # One row far out: 1e-4 of the data's spread wide, and the likelihood has its maximum there.
    fit = em.gaussian_mixture(
        np.append(WAITING, 1e6), 2, "tied", start=GaussianParameters([0.9, 0.1], [70, 1e6], [90, 90])
    )
    n = len(WAITING)
    assert fit.status == "converged"
    assert fit.modes[0].regular
    assert fit.parameters.covariances[0, 0, 0] == pytest.approx(WAITING.var() * n / (n + 1), rel=1e-6)
    assert fit.standard_errors.means[0, 0] == pytest.approx(
        fit.parameters.standard_deviations[0, 0] / np.sqrt(n), rel=1e-3
    )


def far_clusters(first: int, second: int) -> tuple[Floats, float]:
    """Rows near 0 and near 9999, and the log-likelihood at its maximum in closed form: no row is of both clusters."""
    random = np.random.default_rng(0)
    parts = [random.normal(size=first), random.normal(9999, 1, size=second)]
    n = first + second
    height = sum(len(p) * np.log(len(p) / n) + stats.norm.logpdf(p, p.mean(), p.std()).sum() for p in parts)
    return np.concatenate(parts), float(height)


@pytest.mark.parametrize(("first", "second"), [(50, 50), (1000, 3)])
def test_tight_clusters_far_apart_have_a_maximum_in_closed_form(first: int, second: int) -> None:
    y, height = far_clusters(first, second)
    fit = em.gaussian_mixture(y, 2)
    assert fit.status == "converged"
    assert fit.log_likelihood == pytest.approx(height, rel=1e-12)
    # Means are rounded as the largest value is.
    np.testing.assert_allclose(fit.parameters.means.ravel(), [y[:first].mean(), y[first:].mean()], rtol=0, atol=1e-10)
    np.testing.assert_allclose(
        fit.standard_errors.means.ravel(), [y[:first].std() / first**0.5, y[first:].std() / second**0.5], rtol=1e-9
    )


def test_clusters_at_three_scales_are_found() -> None:
    y, height = far_clusters(50, 50)
    third = 1e7 + np.random.default_rng(1).normal(size=20)
    fit = em.gaussian_mixture(np.concatenate([y, third]), 3)
    within = height + 100 * np.log(100 / 120) + 20 * np.log(20 / 120)
    assert fit.status == "converged"
    assert fit.log_likelihood == pytest.approx(
        within + stats.norm.logpdf(third, third.mean(), third.std()).sum(), rel=1e-9
    )


def test_no_bounded_objective_is_said_to_grow_without_limit() -> None:
    y, height = far_clusters(50, 50)
    labelled = em.gaussian_mixture(y, 2, labels=np.repeat([0, 1], 50))
    prior = GaussianPrior(mean=5000, shrinkage=1e-6, degrees_of_freedom=5, scale=1.0)
    tied, posterior = em.gaussian_mixture(y, 2, "tied"), em.gaussian_mixture(y, 2, prior=prior)
    # Two rows, which a component goes through whatever they are: without a prior they would be a spike.
    few = em.gaussian_mixture(np.append(y[:50], [9999.0, 9999.1]), 2, prior=prior)
    assert labelled.log_likelihood == pytest.approx(height, rel=1e-12)
    for fit in (labelled, tied, posterior, few):
        assert fit.status == "converged"
        assert fit.parameters.means[1, 0] == pytest.approx(9999, abs=1)
        assert fit.modes[0].regular


def test_weights_that_are_all_but_zero_do_not_take_the_rows_of_the_other_component() -> None:
    y, _ = far_clusters(1000, 3)
    fit = em.gaussian_mixture(y, 2, weights=[1 - 1e-12, 1e-12])
    assert fit.status == "converged"
    # Each of three rows pays the logarithm of its weight.
    free = [stats.norm.logpdf(p, p.mean(), p.std()).sum() for p in (y[:1000], y[1000:])]
    assert fit.log_likelihood == pytest.approx(sum(free) + 3 * np.log(1e-12), rel=1e-9)


@pytest.mark.parametrize("ratio", [0.1, 0.03, 0.01])
@pytest.mark.parametrize("n", [300, 2000])
def test_a_sharp_peak_on_a_broad_background_is_regular(n: int, ratio: float) -> None:
    random = np.random.default_rng(n)
    peak = 2 * n // 3
    y = np.concatenate([random.normal(0.3, ratio, size=peak), random.normal(size=n - peak)])
    truth = em.gaussian_mixture(y, 2, start=GaussianParameters([2 / 3, 1 / 3], [0.3, 0.0], [ratio**2, 1.0]))
    fit = em.gaussian_mixture(y, 2)
    assert fit.status == truth.status == "converged"
    assert fit.log_likelihood == pytest.approx(truth.log_likelihood, abs=1e-6)
    assert fit.parameters.standard_deviations.min() == pytest.approx(ratio, rel=0.2)


def test_rows_that_lie_together_by_chance_are_no_component() -> None:
    """In samples of one normal a narrow component gains less than the bound that collapsed ones are told by."""
    for seed in range(20):
        y = np.sort(np.random.default_rng(seed).normal(size=150))
        mixture = GaussianMixture(Measurements(y), MixtureWeights.of("free", 2), CovarianceForm.of("full"), None)
        for rows in (3, 4, 6, 10):
            widths = y[rows - 1 :] - y[: 1 - rows]
            first = int(widths.argmin())
            there = y[first : first + rows]
            guess = GaussianParameters([rows / 150, 1 - rows / 150], [there.mean(), 0.0], [there.var(), 1.0])
            inside = mixture.units.parameters(guess)
            if mixture.spreads(inside).min() < NARROW:
                assert collapsed(mixture, inside)
                assert not supported(mixture, inside)[0]


def test_a_component_of_one_labelled_row_collapses() -> None:
    fit = em.gaussian_mixture(WAITING, 2, labels=np.r_[1, np.zeros(len(WAITING) - 1)])
    assert fit.status == "collapsed"
    assert np.isfinite(fit.trace).all()


@pytest.mark.parametrize(("method", "seed"), [("bfgs", 0), ("nelder-mead", 7)])
def test_a_direct_search_into_a_spike_ends_as_a_collapse(method: Any, seed: int) -> None:
    """Its steps lead to covariances that are singular to rounding, and to ends where second derivatives have no digits."""
    random = np.random.default_rng(seed)
    y = np.concatenate([random.normal(size=(45, 2)), random.normal(3, 1, (45, 2))])
    row, small, along = random.integers(90), 10.0 ** -random.uniform(1, 8), random.normal(size=2)
    narrow = (np.outer(along, along) + small * np.eye(2)) * random.choice([1, 0.1, 1e-3])
    start = GaussianParameters([0.03, 0.97], [y[row], y.mean(axis=0)], [narrow, np.cov(y.T)])
    assert em.gaussian_mixture(y, 2, method=method, start=start).status == "collapsed"


@pytest.mark.parametrize("d", [1, 2])
def test_what_is_summed_over_rows_is_the_same_in_parts(d: int, monkeypatch: pytest.MonkeyPatch) -> None:
    y = np.random.default_rng(1).normal(size=(1500, d)) + 3.0 * (np.arange(1500) % 2)[:, None]
    mixture = GaussianMixture(Measurements(y), MixtureWeights.of("free", 2), CovarianceForm.of("full"), None)
    parameters = mixture.start_from(np.random.default_rng(2).dirichlet([1, 1], len(mixture.counts)))
    rows, whole = row_log_likelihoods(mixture, parameters), supports(mixture, parameters)
    np.testing.assert_array_equal(rows, row_posteriors(mixture, parameters)[1])
    monkeypatch.setattr("em.mixture.AT_A_TIME", 1)
    assert len(list(parts(mixture))) == 6
    np.testing.assert_allclose(row_log_likelihoods(mixture, parameters), rows, rtol=1e-13)
    # Gains of single rows cancel.
    np.testing.assert_allclose(supports(mixture, parameters), whole, rtol=1e-12, atol=1e-12)
