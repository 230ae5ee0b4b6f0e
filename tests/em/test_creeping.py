"""Runs that crept: a constrained fit has its steps made longer, and the maximum it comes to is known in closed coordinates."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import em
from comparisons.datasets import load
from models import CoinTosses, ExponentialParameters, WaitingTimes
from tests.problems import COVARIANCES


def test_a_ratio_of_one_is_the_spherical_fit_of_white_rows_and_does_not_creep_there() -> None:
    y = np.column_stack([np.asarray(c, dtype=float) for c in load("faithful").columns.values()])
    fit = em.gaussian_mixture(y, 2, minimum_ratio=1)
    root = np.linalg.cholesky(np.cov(y.T))
    known = em.gaussian_mixture(np.linalg.solve(root, y.T).T, 2, "tied-spherical")
    assert fit.status == "boundary"
    assert fit.log_likelihood == pytest.approx(known.log_likelihood - len(y) * np.log(np.diag(root)).sum(), abs=1e-9)
    # Some eighty starts of thirty steps and what follows; steps that leave the ratio were refused, and 32,000 were made.
    assert fit.evaluations < 10_000


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_fewer_distinct_rows_than_components_are_fitted_without_a_word_of_numpy(covariance: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for rows in ([1.0, 1, 1, 2, 2, 2, 5, 5], [0.0] * 5 + [1.0] * 5):
            fit = em.gaussian_mixture(np.array(rows), 4, covariance)  # type: ignore[arg-type]
            assert np.isfinite(fit.log_likelihood)
        y = np.repeat([[0.0, 0], [1, 3], [4, 1]], 6, axis=0)
        assert np.isfinite(em.gaussian_mixture(y, 5, covariance).log_likelihood)  # type: ignore[arg-type]


def test_fewer_distinct_bags_than_coins_are_fitted_without_a_word_of_numpy() -> None:
    for heads, tosses in (([3] * 6, 10), ([0] * 6, 10), ([3, 3, 3, 8, 8, 8], 10), ([0, 0, 0, 10, 10, 10], 10)):
        fit = em.coin_mixture(CoinTosses(np.array(heads), tosses), 4)
        assert np.isfinite(fit.log_likelihood)


def test_a_plateau_under_a_ratio_is_given_up() -> None:
    """Two coincident components under ``minimum_ratio=1`` took minutes to come apart, below an optimum that was known."""
    random = np.random.default_rng(0)
    y = random.normal(size=(80, 2)) @ [[1, 0.5], [0, 1]]
    y[:40] += 3
    fit = em.gaussian_mixture(y, 2, minimum_ratio=1.0)
    assert fit.status == "boundary"
    np.testing.assert_allclose(
        fit.parameters.covariances / np.cov(y.T), fit.parameters.covariances[0, 0, 0] / np.cov(y.T)[0, 0]
    )
    assert fit.evaluations < 20_000


@pytest.mark.parametrize("acceleration", [None, "squarem"])
def test_a_parameter_that_creeps_to_its_bound_arrives(acceleration: Any) -> None:
    # All long waits were cut short: the nearer their rate is to 0, the less is known of when they end.
    waits = WaitingTimes([0.2, 0.5, 0.5, 1, 1, 1.5, 2, 3, 20, 30], censored=[0] * 8 + [1] * 2)
    found = em.exponential_mixture(waits, 2)
    start = ExponentialParameters([0.4, 0.6], [0.05, 0.5])
    crept = em.exponential_mixture(waits, 2, start=start, acceleration=acceleration)
    assert (crept.status, crept.parameters.rates[0]) == ("boundary", 0)
    assert crept.log_likelihood == pytest.approx(found.log_likelihood, abs=1e-9)
    assert np.diff(crept.trace).min() >= -1e-12
    # A component that comes near its bound and leaves it again is not held there.
    inside = em.exponential_mixture(WaitingTimes([*waits.y, 60.0], censored=[*waits.censored, 0]), 2, start=start)
    assert inside.status == "converged"
    assert inside.parameters.rates[0] > 0.005
