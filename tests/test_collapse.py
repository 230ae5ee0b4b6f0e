"""Mixtures of normals where the likelihood has no maximum, or a point is none: spikes, saddles, ridges, empty components."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import em
from comparisons.datasets import load
from models import GaussianParameters, GaussianPrior

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


def test_a_narrow_component_with_a_maximum_of_its_own_is_no_regular_optimum() -> None:
    # One row far out and a variance shared with all others: a maximum to the letter, 1e-4 of the data's spread wide.
    fit = em.gaussian_mixture(
        np.append(WAITING, 1e6), 2, "tied", start=GaussianParameters([0.9, 0.1], [70, 1e6], [90, 90])
    )
    assert fit.status == "collapsed"
    assert not fit.modes[0].regular
    assert np.isnan(fit.standard_errors.means).all()
    assert "collapsed" in str(fit.standard_errors.reason)


def test_a_component_of_one_labelled_row_collapses() -> None:
    fit = em.gaussian_mixture(WAITING, 2, labels=np.r_[1, np.zeros(len(WAITING) - 1)])
    assert fit.status == "collapsed"
    assert np.isfinite(fit.trace).all()
