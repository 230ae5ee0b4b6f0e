"""Claims about counts that are no whole numbers: each row has its log density so many times."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import comparisons
import em
from models import CoinTosses, EventCounts, ItemResponses, Measurements, RegressionRows

RANDOM = np.random.default_rng(8)
N = 60
ABOVE = np.arange(N) % 2
Y = RANDOM.normal(5 * ABOVE)
EVENTS = RANDOM.poisson(1 + 6 * ABOVE)
HEADS = RANDOM.binomial(12, 0.2 + 0.6 * ABOVE)
TIMES = RANDOM.gamma(3, 1 + 9 * ABOVE)
CUT = RANDOM.random(N) < 0.1
X = RANDOM.normal(size=N)
ITEMS = RANDOM.binomial(1, np.where(ABOVE, 0.8, 0.25)[:, None], (N, 4))
REAL = RANDOM.uniform(0.2, 3, N)

ALL = np.arange(N)

type Fitted = Callable[[Any, Any], em.Fit[Any, Any]]
# Rows and their counts.
FITS: dict[str, Fitted] = {
    "gaussians": lambda i, c: em.gaussian_mixture(Y[i], 2, counts=c),
    "coins": lambda i, c: em.coin_mixture(CoinTosses(HEADS[i], 12, c), 2),
    "poissons": lambda i, c: em.poisson_mixture(EVENTS[i], 2, counts=c),
    "exponentials": lambda i, c: em.exponential_mixture(TIMES[i], 2, censored=CUT[i], counts=c),
    "gammas": lambda i, c: em.gamma_mixture(TIMES[i], 2, censored=CUT[i], counts=c),
    "negative binomials": lambda i, c: em.negative_binomial_mixture(EVENTS[i], 1, counts=c),
    "beta-binomials": lambda i, c: em.beta_binomial_mixture(CoinTosses(HEADS[i], 12, c), 1),
    "latent classes": lambda i, c: em.latent_class_mixture(ItemResponses(ITEMS[i], c), 2),
    "regressions": lambda i, c: em.regression_mixture(RegressionRows(Y[i] + X[i], X[i], c), n_components=2),
}


@pytest.mark.parametrize("fitted", FITS.values(), ids=FITS)
def test_counts_that_are_multiplied_leave_the_maximum_and_divide_its_covariance(fitted: Fitted) -> None:
    whole = RANDOM.integers(1, 4, N)
    once, more = fitted(ALL, whole), fitted(ALL, 2.5 * whole)
    np.testing.assert_allclose(more.log_likelihood, 2.5 * once.log_likelihood, rtol=1e-10)
    for name in (field for field in more.parameters.__slots__ if field not in ("item_names", "categories")):
        np.testing.assert_allclose(getattr(more.parameters, name), getattr(once.parameters, name), rtol=1e-5, atol=1e-8)
    assert once.standard_errors.reason is None
    # The statistics add the same numbers, rounded otherwise.
    np.testing.assert_allclose(
        2.5 * more.standard_errors.covariance, once.standard_errors.covariance, rtol=1e-3, atol=1e-8
    )


@pytest.mark.parametrize("fitted", FITS.values(), ids=FITS)
def test_a_row_counts_as_much_as_its_parts(fitted: Fitted) -> None:
    once, parts = fitted(ALL, REAL), fitted(np.repeat(ALL, 2), np.outer(REAL, [0.3, 0.7]).ravel())
    assert parts.log_likelihood == pytest.approx(once.log_likelihood, rel=1e-10)
    assert parts.bic == pytest.approx(once.bic, rel=1e-10)
    weights = once.parameters.weights, parts.parameters.weights
    np.testing.assert_allclose(*weights, rtol=1e-5)


def test_one_component_is_the_weighted_mean_and_variance() -> None:
    fit = em.gaussian_mixture(Y, 1, counts=REAL).parameters
    mean = np.average(Y, weights=REAL)
    assert fit.means[0, 0] == pytest.approx(mean, rel=1e-12)
    assert fit.covariances[0, 0, 0] == pytest.approx(np.average((Y - mean) ** 2, weights=REAL), rel=1e-12)
    assert em.poisson_mixture(EVENTS, 1, counts=REAL).parameters.rates[0] == pytest.approx(
        np.average(EVENTS, weights=REAL), rel=1e-12
    )


def test_log_likelihoods_of_rows_add_up_by_their_counts() -> None:
    fit = em.poisson_mixture(EVENTS, 2, counts=REAL)
    assert float(REAL @ fit.score_rows(EventCounts(EVENTS))) == pytest.approx(fit.log_likelihood, rel=1e-12)


def test_rows_in_chunks_keep_their_parts(tmp_path: Path) -> None:
    y = np.random.default_rng(4).normal(np.repeat([0.0, 6.0], 4000))
    counts = np.random.default_rng(5).uniform(0, 2, len(y))
    np.save(tmp_path / "y.npy", y)
    mapped = em.gaussian_mixture(np.load(tmp_path / "y.npy", mmap_mode="r"), 2, counts=counts)
    np.testing.assert_allclose(
        mapped.parameters.means, em.gaussian_mixture(y, 2, counts=counts).parameters.means, rtol=1e-8
    )


def test_what_takes_rows_apart_refuses_parts_of_rows() -> None:
    fit = em.poisson_mixture(EVENTS, 2, counts=REAL)
    with pytest.raises(ValueError, match=r"counts\[0\] is .*, which is not a whole number; rows are drawn again"):
        em.bootstrap(fit, 1, replicates=2)
    with pytest.raises(ValueError, match=r"counts\[0\] is .*not a whole number; a comparison is of rows"):
        comparisons.compare(Measurements(Y, REAL), n_components=2)
    with pytest.raises(ValueError, match="not a whole number"):
        comparisons.compare({"y": Y.tolist(), "n": REAL.tolist()}, "gaussians", 2, columns="y", counts="n")
