"""Claims about the sandwich and the bootstrap: closed forms, differences of slow densities, labels aligned and verified."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

import em
from comparisons import datasets
from em.coins.mixture import CoinMixture
from em.uncertainty.resampling import _Alignment, _simulated
from models import CoinParameters, CoinPrior, CoinTosses, GaussianParameters
from models.inputs import Floats
from models.mixtures import MixtureWeights
from tests.differences import slope

TWO_COIN = CoinTosses(heads=[5, 9, 8, 4, 7], tosses=10)
REPLICATES = 400
# Four standard deviations of the relative error of a standard deviation of as many normal draws, 1 / sqrt(2 n).
NOISE = 4 / math.sqrt(2 * REPLICATES)


def separated_coins() -> CoinTosses:
    random = np.random.default_rng(0)
    return CoinTosses(random.binomial(20, np.where(random.random(60) < 0.4, 0.2, 0.75)), 20)


def test_sandwich_of_one_normal_has_its_closed_form() -> None:
    y, counts = np.array([1.0, 2.5, 3.0, 7.0]), np.array([3, 1, 2, 1])
    rows = np.repeat(y, counts)
    moments = {k: ((rows - rows.mean()) ** k).mean() for k in (2, 3, 4)}
    errors = em.sandwich(em.gaussian_mixture(y, n_components=1, counts=counts))
    assert errors.reason is None
    expected = np.array([[moments[2], moments[3]], [moments[3], moments[4] - moments[2] ** 2]]) / len(rows)
    np.testing.assert_allclose(errors.covariance[1:, 1:], expected, rtol=1e-12)
    assert errors.standard_deviations[0, 0] == pytest.approx(errors.covariances[0, 0, 0] / (2 * rows.std()), rel=1e-12)


def test_sandwich_of_labelled_coins_has_its_closed_form() -> None:
    tosses = CoinTosses(heads=[5, 9, 8, 4], tosses=10, counts=[1, 1, 2, 3], labels=[0, 1, 1, 0])
    errors = em.sandwich(em.coin_mixture(tosses))
    p = np.array([17 / 40, 25 / 30])
    squares = np.array(
        [(5 - 10 * p[0]) ** 2 + 3 * (4 - 10 * p[0]) ** 2, (9 - 10 * p[1]) ** 2 + 2 * (8 - 10 * p[1]) ** 2]
    )
    np.testing.assert_allclose(errors.head_probabilities, np.sqrt(squares) / [40, 30], rtol=1e-12)
    # Of a proportion, 4 of 7 here, the sandwich is the usual standard error.
    np.testing.assert_allclose(errors.weights, math.sqrt(4 / 7 * 3 / 7 / 7), rtol=1e-12)


def test_sandwich_is_that_of_the_slow_density() -> None:
    fit = em.coin_mixture(TWO_COIN, weights="equal")

    x, errors = fit.parameters.head_probabilities, fit.standard_errors.head_probabilities

    def rows(step: Floats) -> Floats:
        return np.log(0.5 * np.asarray(binom.pmf(TWO_COIN.heads[:, None], 10, x + errors * step)).sum(axis=1))

    scores = np.stack([slope(rows, direction) for direction in np.eye(2)], axis=1) / errors
    covariance = fit.standard_errors.covariance[2:, 2:]
    expected = covariance @ scores.T @ scores @ covariance
    np.testing.assert_allclose(em.sandwich(fit).covariance[2:, 2:], expected, rtol=1e-6)


def test_sandwich_with_a_prior_shares_its_gradient_among_the_rows() -> None:
    prior = CoinPrior(heads=3, tails=2)
    fit = em.coin_mixture(TWO_COIN, n_components=1, prior=prior)
    p = 35 / 53
    scores = (TWO_COIN.heads - 10 * p) / (p * (1 - p)) + (2 / p - 1 / (1 - p)) / 5
    assert abs(scores.sum()) < 1e-10
    expected = math.sqrt((scores**2).sum()) * p * (1 - p) / 53
    assert em.sandwich(fit).head_probabilities[0] == pytest.approx(expected, rel=1e-10)


def test_where_the_model_holds_the_sandwich_nears_the_information() -> None:
    random = np.random.default_rng(2)
    n = 50_000
    y = np.round(np.where(random.random(n) < 0.4, random.normal(0, 1, n), random.normal(5, 2, n)), 1)
    fit = em.gaussian_mixture(y)
    ratio = em.sandwich(fit).means / fit.standard_errors.means
    # The meat is a mean over n rows of products of scores, whose kurtosis is below 10 for a normal.
    np.testing.assert_allclose(ratio, 1, atol=4 * math.sqrt(10 / n))


@pytest.mark.parametrize("kind", ["parametric", "nonparametric"])
def test_bootstrap_of_one_mean_has_its_known_error(kind: Any) -> None:
    y = datasets.load("faithful").columns["waiting"].astype(float)
    fit = em.gaussian_mixture(y, n_components=1)
    found = em.bootstrap(fit, np.random.default_rng(3), kind, REPLICATES)
    assert (found.reason, found.lost, found.ambiguous) == (None, 0, 0)
    assert found.standard_errors.means[0, 0] == pytest.approx(y.std() / math.sqrt(len(y)), rel=NOISE)
    variances = {"parametric": 2 * y.var() ** 2, "nonparametric": ((y - y.mean()) ** 4).mean() - y.var() ** 2}
    expected = math.sqrt(variances[kind] / len(y))
    # Relative to n = 272, the error of a variance is normal to a tenth.
    assert found.standard_errors.covariances[0, 0, 0] == pytest.approx(expected, rel=1.1 * NOISE)


def test_nonparametric_bootstrap_respects_counts_and_labels() -> None:
    tosses = CoinTosses(heads=[5, 9, 8, 4], tosses=10, counts=[10, 10, 20, 30], labels=[0, 1, 1, 0])
    fit = em.coin_mixture(tosses)
    found = em.bootstrap(fit, np.random.default_rng(4), "nonparametric", REPLICATES)
    np.testing.assert_allclose(
        found.standard_errors.head_probabilities, em.sandwich(fit).head_probabilities, rtol=1.1 * NOISE
    )
    np.testing.assert_allclose(found.standard_errors.weights, math.sqrt(4 / 7 * 3 / 7 / 70), rtol=NOISE)


def test_parametric_bootstrap_of_a_mixture_nears_the_information() -> None:
    fit = em.coin_mixture(separated_coins())
    found = em.bootstrap(fit, np.random.default_rng(5), replicates=REPLICATES)
    assert (found.reason, found.lost, found.ambiguous) == (None, 0, 0)
    expected, errors = fit.standard_errors, found.standard_errors
    # 60 bags: the information is that of large samples to some percent.
    np.testing.assert_allclose(errors.head_probabilities, expected.head_probabilities, rtol=NOISE + 0.05)
    np.testing.assert_allclose(errors.weights, expected.weights, rtol=NOISE + 0.05)


def test_an_interval_is_quantiles_of_the_replicates() -> None:
    y = datasets.load("faithful").columns["waiting"].astype(float)
    fit = em.gaussian_mixture(y, n_components=1)
    found = em.bootstrap(fit, np.random.default_rng(6), replicates=51)  # the 6th from either end
    column = found.vectors[:, found.standard_errors.names.index("covariances[1]")]
    interval = found.interval("standard_deviations[1]", probability=0.8)
    assert (interval.low, interval.high) == pytest.approx(np.sqrt(np.sort(column)[[5, 45]]), rel=1e-12)
    assert interval.reason is None


def test_a_seed_stands_for_its_generator() -> None:
    fit = em.coin_mixture(CoinTosses([5, 9, 8, 4, 7], 10), weights="equal")
    drawn, seeded = (em.bootstrap(fit, random, replicates=8) for random in (np.random.default_rng(7), 7))
    np.testing.assert_array_equal(drawn.vectors, seeded.vectors)
    assert not np.array_equal(seeded.vectors, em.bootstrap(fit, 8, replicates=8).vectors)


def test_simulated_data_have_the_design_of_the_data() -> None:
    tosses = CoinTosses(heads=[1, 2, 3, 4], tosses=[4, 5, 6, 7], counts=[2, 1, 1, 3], labels=[0, 1, -1, -1])
    mixture = CoinMixture(tosses, MixtureWeights.of("free", 2), None)
    drawn: Any = _simulated(mixture, CoinParameters([0.3, 0.7], [0.2, 0.6]), np.random.default_rng(7))
    assert np.repeat(drawn.tosses.tosses, drawn.counts).tolist().count(7) == 3
    assert sorted(np.repeat(drawn.tosses.tosses, drawn.counts)) == [4, 4, 5, 6, 7, 7, 7]
    assert drawn.counts[drawn.labels >= 0].sum() == 3


def test_components_that_come_out_in_another_order_are_put_back() -> None:
    y = datasets.load("galaxies").columns["velocity_km_s"].astype(float)
    fit = em.gaussian_mixture(y, n_components=3)
    mixture: Any = fit._mixture
    estimate = mixture.from_vector(fit.path._vectors[-1])
    align = _Alignment.to(mixture, estimate)
    for order in ([0, 1, 2], [2, 0, 1], [1, 0, 2]):
        permuted = mixture.to_vector(
            GaussianParameters(estimate.weights, estimate.means, estimate.covariances).permuted(order)
        )
        places = align.places(permuted)
        assert places is not None
        np.testing.assert_array_equal(permuted[places], mixture.to_vector(estimate))


def test_labelled_components_are_never_exchanged() -> None:
    tosses = CoinTosses(heads=[2, 8, 5], tosses=10, labels=[0, 1, -1])
    mixture = CoinMixture(tosses, MixtureWeights.of("free", 2), None)
    align = _Alignment.to(mixture, CoinParameters([0.5, 0.5], [0.2, 0.8]))
    crossed = np.array([0.5, 0.5, 0.8, 0.2])
    places = align.places(crossed)
    assert places is not None
    np.testing.assert_array_equal(crossed[places], crossed)


def test_components_that_coincide_are_not_assigned() -> None:
    mixture = CoinMixture(TWO_COIN, MixtureWeights.of("equal", 2), None)
    align = _Alignment.to(mixture, CoinParameters([0.5, 0.5], [0.52, 0.8]))
    assert align.places(np.array([0.5, 0.5, 0.66, 0.66])) is None
    assert align.places(np.array([0.5, 0.5, 0.5, 0.85])) is not None


def test_an_alignment_that_fails_too_often_withholds_the_errors_with_a_reason() -> None:
    # In five bags two equal coins are often the maximum: components of such a replicate have no names.
    fit = em.coin_mixture(TWO_COIN, weights="equal")
    found = em.bootstrap(fit, np.random.default_rng(8), replicates=60)
    assert found.ambiguous > 0.03 * 60
    assert found.reason == f"in {found.ambiguous} of 60 replicates the components cannot be told apart"
    assert found.standard_errors.reason == found.reason
    assert np.isnan(found.standard_errors.covariance).all()
    interval = found.interval("head_probabilities[1]")
    assert math.isnan(interval.low)
    assert interval.reason == found.reason


def test_replicates_without_a_regular_maximum_withhold_the_errors_with_a_reason() -> None:
    y = np.concatenate([np.linspace(0, 1, 5), np.linspace(4, 6, 6)])
    fit = em.gaussian_mixture(y)
    assert fit.status == "converged"
    found = em.bootstrap(fit, np.random.default_rng(9), "nonparametric", 60)
    assert found.lost > 0.03 * 60
    assert found.reason == f"{found.lost} of 60 replicates have no regular maximum"


@pytest.mark.parametrize("heads", [[10, 10, 3, 4], [5, 5, 5, 5]])
def test_what_has_no_standard_errors_has_no_sandwich_and_no_bootstrap(heads: list[int]) -> None:
    fit = em.coin_mixture(CoinTosses(heads, 10))
    assert fit.standard_errors.reason is not None
    found = em.bootstrap(fit, np.random.default_rng(10))
    for errors in (em.sandwich(fit), found.standard_errors):
        assert errors.reason == fit.standard_errors.reason
        assert np.isnan(errors.head_probabilities).all()
    assert len(found.vectors) == 0


def test_wrong_arguments_of_the_bootstrap_are_refused() -> None:
    fit = em.coin_mixture(TWO_COIN, weights="equal")
    wrong: Any = "smooth"
    with pytest.raises(ValueError, match="kind is 'smooth'"):
        em.bootstrap(fit, np.random.default_rng(0), wrong)
    with pytest.raises(ValueError, match="replicates is 1"):
        em.bootstrap(fit, np.random.default_rng(0), replicates=1)
