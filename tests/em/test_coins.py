"""Mixtures of coins fitted by EM."""

from __future__ import annotations

import itertools
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy import stats

import em
from em.coins.mixture import CoinMixture
from em.coins.steps import CoinStatistics, log_likelihood, m_step
from em.uncertainty.curvature import derivatives
from models import CoinParameters, CoinPrior, CoinTosses
from models.mixtures import MixtureWeights, Weights
from tests.differences import slope
from tests.problems import coin_problem
from tests.slow_densities import coin_log_prior

FIVE_BAGS = CoinTosses([5, 9, 8, 4, 7], 10)


def brute_force_step(
    parameters: CoinParameters, tosses: CoinTosses, weights: MixtureWeights, prior: CoinPrior | None
) -> CoinParameters:
    """One EM step by the definition: every labelling of every single bag, weighed by its posterior probability."""
    bags = np.repeat(np.arange(len(tosses.heads)), tosses.counts)
    h, t, known = tosses.heads[bags], tosses.tosses[bags], tosses.labels[bags]
    k = parameters.n_components
    probability = []
    numbers = []
    for z in itertools.product(*(range(k) if label < 0 else [label] for label in known)):
        labels = np.array(z)
        chances = stats.binom.pmf(h, t, parameters.head_probabilities[labels]) * parameters.weights[labels]
        probability.append(np.prod(chances))
        own = labels == np.arange(k)[:, None]
        numbers.append(np.stack([own.sum(axis=1), own @ h, own @ t]))
    share = np.array(probability) / np.sum(probability)
    expected_bags, heads, number = np.tensordot(share, np.array(numbers), axes=1)
    a, b, c = (prior.heads, prior.tails, prior.concentration) if prior else (1.0, 1.0, 1.0)
    w = (expected_bags + c - 1) / (len(bags) + k * (c - 1)) if weights.free else weights.fixed
    assert w is not None
    return CoinParameters(w, (heads + a - 1) / (number + a + b - 2))


@pytest.mark.parametrize("seed", range(24))
def test_one_em_step_is_the_brute_force_step(seed: int) -> None:
    random = np.random.default_rng(seed)
    k = 2 + seed % 2
    problem = coin_problem(random, n=4, k=k)
    mixture: Any = problem.mixture
    expected = brute_force_step(problem.start, problem.data, mixture.weights, mixture.prior)
    step = mixture.m_step(mixture.e_step(problem.start))
    np.testing.assert_allclose(step.head_probabilities, expected.head_probabilities, rtol=1e-12)
    np.testing.assert_allclose(step.weights, expected.weights, rtol=1e-12)


@pytest.mark.parametrize("weights", ["free", "equal", [0.3, 0.7]])
def test_m_step_is_the_mode_given_the_statistics(weights: Weights) -> None:
    prior, treated = CoinPrior(2.5, 1.5, 3.0), MixtureWeights.of(weights, 2)
    statistics = CoinStatistics(
        0.0, np.array([2.2, 2.8]), np.array([9.0, 20.0]), np.array([22.0, 28.0]), np.array([13.0, 8.0])
    )
    mode = m_step(statistics, prior, treated)

    def log_posterior(x: Any) -> float:
        p, w = mode.head_probabilities + x[:2], mode.weights + x[2] * np.array([1.0, -1.0]) * treated.free
        there = CoinParameters(w, p)
        coins = statistics.heads @ np.log(p) + (statistics.tosses - statistics.heads) @ np.log(1 - p)
        return float(coins + statistics.bags @ np.log(w) + coin_log_prior(there, prior, treated))

    # The terms are of size 10 and their derivatives cancel to rounding of 100 over the step.
    assert [slope(log_posterior, u, h=1e-3) for u in np.eye(3)] == pytest.approx([0, 0, 0], abs=1e-8)


def test_one_coin_is_the_proportion_of_heads() -> None:
    fit = em.coin_mixture(FIVE_BAGS, 1)
    assert fit.parameters.head_probabilities[0] == pytest.approx(33 / 50, rel=1e-15)
    assert fit.standard_errors.head_probabilities[0] == pytest.approx(np.sqrt(0.66 * 0.34 / 50), rel=1e-12)
    assert fit.standard_errors.weights[0] == 0
    assert fit.log_likelihood == pytest.approx(float(np.sum(stats.binom.logpmf([5, 9, 8, 4, 7], 10, 0.66))), rel=1e-14)
    with_prior = em.coin_mixture(FIVE_BAGS, 1, prior=CoinPrior(heads=3, tails=2))
    assert with_prior.parameters.head_probabilities[0] == pytest.approx(35 / 53, rel=1e-15)
    assert with_prior.log_posterior == pytest.approx(
        with_prior.log_likelihood + stats.beta.logpdf(35 / 53, 3, 2), rel=1e-14
    )


@pytest.mark.parametrize("labels", [None, [1, -1, 0, -1, -1]])
@pytest.mark.parametrize("prior", [None, CoinPrior(2, 3, 2)])
def test_standard_errors_are_those_of_an_exact_hessian(labels: list[int] | None, prior: CoinPrior | None) -> None:
    fit = em.coin_mixture(CoinTosses([5, 9, 8, 4, 7], 10, labels=labels), 2, prior=prior)
    assert fit.status == "converged"

    def log_posterior(weight: Any, p: Any, q: Any) -> Any:
        total = mpmath.mpf(0)
        for row, h in enumerate([5, 9, 8, 4, 7]):
            terms = [weight * p**h * (1 - p) ** (10 - h), (1 - weight) * q**h * (1 - q) ** (10 - h)]
            known = -1 if labels is None else labels[row]
            total += mpmath.log(mpmath.fsum(terms) if known < 0 else terms[known])
        if prior is not None:
            total += sum(mpmath.log(x) + 2 * mpmath.log(1 - x) for x in (p, q))
            total += mpmath.log(weight) + mpmath.log(1 - weight)
        return total

    with mpmath.workdps(40):
        at = (fit.parameters.weights[0], *fit.parameters.head_probabilities)
        exact = np.empty((3, 3))
        for i, j in itertools.product(range(3), repeat=2):
            order = tuple(int((i == n) + (j == n)) for n in range(3))
            exact[i, j] = float(mpmath.diff(log_posterior, at, order))
    free = [0, 2, 3]
    np.testing.assert_allclose(fit.standard_errors.covariance[np.ix_(free, free)], np.linalg.inv(-exact), rtol=1e-9)
    expected = np.sqrt(np.diag(np.linalg.inv(-exact)))
    np.testing.assert_allclose(fit.standard_errors.weights, expected[[0, 0]], rtol=1e-9)
    np.testing.assert_allclose(fit.standard_errors.head_probabilities, expected[1:], rtol=1e-9)


def test_row_order_changes_nothing() -> None:
    random = np.random.default_rng(0)
    heads, tosses, labels = random.integers(0, 6, 30), random.integers(6, 12, 30), random.integers(-1, 1, 30)
    order = random.permutation(30)
    one = em.coin_mixture(CoinTosses(heads, tosses, labels=labels), 2)
    two = em.coin_mixture(CoinTosses(heads[order], tosses[order], labels=labels[order]), 2)
    np.testing.assert_allclose(two.parameters.head_probabilities, one.parameters.head_probabilities, rtol=1e-9)
    assert two.log_likelihood == pytest.approx(one.log_likelihood, rel=1e-14)


def test_the_seed_decides_the_starts_alone() -> None:
    one, same, other = (em.coin_mixture(FIVE_BAGS, 2, seed=seed) for seed in (1, 1, 2))
    assert one.trace.tolist() == same.trace.tolist()
    np.testing.assert_allclose(other.parameters.head_probabilities, one.parameters.head_probabilities, rtol=1e-7)


def test_a_start_keeps_its_labelling() -> None:
    low_first = em.coin_mixture(FIVE_BAGS, 2, "equal", start=CoinParameters([0.5, 0.5], [0.4, 0.7]))
    high_first = em.coin_mixture(FIVE_BAGS, 2, "equal", start=CoinParameters([0.5, 0.5], [0.7, 0.4]))
    np.testing.assert_allclose(
        high_first.parameters.head_probabilities[::-1], low_first.parameters.head_probabilities, rtol=1e-12
    )
    assert np.diff(low_first.parameters.head_probabilities)[0] > 0
    errors = high_first.standard_errors.head_probabilities[::-1]
    np.testing.assert_allclose(errors, low_first.standard_errors.head_probabilities, rtol=1e-8)
    assert np.diff(em.coin_mixture(FIVE_BAGS, 2).parameters.head_probabilities)[0] > 0


def test_a_label_keeps_its_component_in_its_place() -> None:
    fit = em.coin_mixture(CoinTosses([5, 9, 8, 4, 7], 10, labels=[-1, 0, -1, -1, -1]), 2)
    higher, lower = fit.parameters.head_probabilities
    assert higher > lower
    assert fit.responsibilities(CoinTosses([9, 9], 10, labels=[1, -1]))[:, 1].tolist() == pytest.approx(
        [1, 0.2], abs=0.2
    )


def test_equal_coins_may_be_the_maximum() -> None:
    tosses = CoinTosses([5, 5, 6, 4, 5], 10)
    equal = em.coin_mixture(tosses, 2, weights="equal")
    assert equal.status == "converged"
    np.testing.assert_allclose(equal.parameters.head_probabilities, 0.5, atol=1e-8)
    assert np.isfinite(equal.standard_errors.head_probabilities).all()
    free = em.coin_mixture(tosses, 2)
    assert free.status == "ridge", "any weights do"
    assert free.standard_errors.reason == "not identified: the objective is flat along weights[1] - weights[2]"
    assert np.isnan(free.standard_errors.weights).all()
    assert free.log_likelihood == pytest.approx(em.coin_mixture(tosses, 1).log_likelihood, abs=1e-9)


def test_more_coins_than_the_data_tell_apart_are_a_ridge() -> None:
    three, two = em.coin_mixture(FIVE_BAGS, 3), em.coin_mixture(FIVE_BAGS, 2)
    assert three.status == "ridge"
    assert three.log_likelihood == pytest.approx(two.log_likelihood, abs=1e-9)


@pytest.mark.parametrize(
    ("heads", "k", "expected"),
    [([10, 10, 10], 1, [1]), ([0, 0], 1, [0]), ([10, 0, 10, 0], 2, [0, 1])],
)
def test_a_coin_that_always_falls_alike_is_at_a_bound(heads: list[int], k: int, expected: list[float]) -> None:
    fit = em.coin_mixture(CoinTosses(heads, 10), k)
    assert fit.status == "boundary"
    np.testing.assert_allclose(fit.parameters.head_probabilities, expected, atol=1e-12)
    assert str(fit.standard_errors.reason).startswith("at a bound, where the objective is not quadratic: head_prob")
    assert np.isnan(fit.standard_errors.head_probabilities).all()
    assert np.isfinite(fit.trace).all()


def test_derivatives_at_a_bound_are_numbers() -> None:
    mixture = CoinMixture(CoinTosses([10, 0, 10, 3], 10), MixtureWeights.of("free", 3), CoinPrior())
    parameters = CoinParameters([0.5, 0.25, 0.25], [1, 0, 0.4])
    gradient, hessian, _ = derivatives(mixture, parameters)
    assert np.isfinite(gradient).all()
    assert np.isfinite(hessian).all()


def test_an_unused_coin_is_an_empty_component() -> None:
    fit = em.coin_mixture(CoinTosses([5, 9], 10, labels=[0, 0]), 2)
    assert fit.status == "boundary"
    assert fit.parameters.weights.tolist() == [1, 0]
    assert fit.standard_errors.reason == "at a bound, where the objective is not quadratic: weights[2]"
    held = em.coin_mixture(CoinTosses([5, 9], 10, labels=[0, 0]), 2, weights="equal")
    assert held.status == "ridge"
    assert held.standard_errors.reason == "not identified: the objective is flat along head_probabilities[2]"


def test_an_empty_component_that_would_be_filled_is_a_saddle_that_em_cannot_leave() -> None:
    fit = em.coin_mixture(FIVE_BAGS, 2, start=CoinParameters([1, 0], [0.3, 0.5]))
    assert fit.status == "saddle"
    assert fit.standard_errors.reason == "a saddle, not a maximum: the objective rises along weights[2]"
    assert not fit.modes[0].regular


@pytest.mark.parametrize(
    ("tosses", "weights", "start"),
    [
        (CoinTosses([10, 9, 9, 5, 6, 4, 5], 10), "free", CoinParameters([0.9, 0.1], [0.6, 1])),
        (CoinTosses([1, 0, 1], 1), "equal", CoinParameters([0.5, 0.5], [0, 1])),
    ],
)
def test_a_bound_beside_which_the_likelihood_rises_is_a_saddle_that_em_cannot_leave(
    tosses: CoinTosses, weights: Weights, start: CoinParameters
) -> None:
    # Bags with a single toss against it are impossible at the bound, and their gain beside it is missed by the gradient there.
    fit = em.coin_mixture(tosses, 2, weights=weights, start=start)
    p = fit.parameters.head_probabilities
    beside = CoinParameters(fit.parameters.weights, np.clip(p, 0.001, 0.999))
    assert log_likelihood(beside, tosses) > fit.log_likelihood
    assert fit.status == "saddle"
    assert not fit.modes[0].regular


def test_a_start_that_makes_the_data_impossible_is_refused() -> None:
    with pytest.raises(ValueError, match="the start gives the data probability 0; move its probabilities off 0 and 1"):
        em.coin_mixture(FIVE_BAGS, 2, start=CoinParameters([0.5, 0.5], [0, 1]))


def test_counts_of_any_size_give_the_same_estimate() -> None:
    few = em.coin_mixture(FIVE_BAGS, 2)
    many = em.coin_mixture(CoinTosses([5, 9, 8, 4, 7], 10, counts=[10**12] * 5), 2)
    # The objective is 1e13 nats: what EM sees of it is its rounding, 1e-3, against an information of 1e12.
    np.testing.assert_allclose(many.parameters.head_probabilities, few.parameters.head_probabilities, atol=1e-7)
    np.testing.assert_allclose(
        many.standard_errors.head_probabilities * 1e6, few.standard_errors.head_probabilities, rtol=1e-5
    )


def test_modes_are_distinct_and_count_their_starts() -> None:
    fit = em.coin_mixture(FIVE_BAGS, 2, weights=[0.3, 0.7])
    assert [round(m.log_likelihood, 4) for m in fit.modes] == [-9.8980, -9.9124]
    assert all(m.regular for m in fit.modes)
    assert sum(m.starts for m in fit.modes) > 20
    assert fit.modes[0].log_likelihood == pytest.approx(fit.log_likelihood, rel=1e-12)


@pytest.mark.parametrize("method", ["nelder-mead", "bfgs"])
def test_direct_maximisation_agrees_with_em(method: Any) -> None:
    fit = em.coin_mixture(FIVE_BAGS, 2, method=method, start=CoinParameters([0.5, 0.5], [0.4, 0.7]))
    # Nelder-Mead's own tolerance is 1e-4 in the coordinates.
    best = em.coin_mixture(FIVE_BAGS, 2)
    np.testing.assert_allclose(fit.parameters.head_probabilities, best.parameters.head_probabilities, atol=2e-4)
    assert fit.log_likelihood == pytest.approx(best.log_likelihood, abs=1e-6)
    assert len(fit.trace) == len(fit.path) == fit.iterations + 1


def test_tosses_in_distinct_form_are_the_same_data() -> None:
    tosses = CoinTosses([5, 9, 5, 4], [10, 10, 10, 8], counts=[1, 0, 2, 4], labels=[-1, -1, -1, 1])
    distinct = tosses.distinct()
    assert distinct.n == tosses.n == 7
    assert list(zip(distinct.heads, distinct.tosses, distinct.counts, distinct.labels, strict=True)) == [
        (5, 10, 3, -1),
        (4, 8, 4, 1),
    ]


def test_a_maximum_at_a_bound_where_two_coins_coincide_is_a_ridge() -> None:
    # One coin always falls heads, the other two are one and the same, with any weights that have the same sum.
    tosses = CoinTosses([16, 17, 18, 19, 20], 20, counts=[1, 1, 12, 18, 28])
    fit = em.coin_mixture(tosses, 3)
    assert fit.status == "ridge"
    np.testing.assert_allclose(fit.parameters.head_probabilities, [0.9521588, 0.9521588, 1.0], rtol=1e-6)
    assert str(fit.standard_errors.reason).startswith("not identified: the objective is flat along weights[1]")
    both = em.coin_mixture(CoinTosses([10, 10], 10), 2)
    assert both.status == "ridge", "any weights do"
    np.testing.assert_allclose(both.parameters.head_probabilities, 1, atol=1e-12)
