"""Coins that fall heads, or tails, three times in 1e4 to 1e12 tosses: digits, maxima inside, their errors, the Poisson limit."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
from scipy.special import gammaln, logsumexp

import em
import models
from em.coins.binomials import deviances, largest_log_probability
from models import CoinTosses
from models.inputs import Floats, Integers
from tests.differences import second_derivatives

# Numbers of a Poisson mixture with rates 3 and 30; the tosses of a bag are so many more that they cannot be told from it.
HEADS = np.array([3, 1, 4, 2, 5, 3, 0, 6, 2, 3, 4, 1, 28, 31, 35, 22, 30, 27, 33, 40, 25, 29, 18, 36])
RARE = (10**4, 10**6, 10**8, 10**10, 10**12)


def binomial(heads: float, tosses: float, p: float) -> Any:
    """Log probability to 60 digits of so many heads, of which p is the very number that it is."""
    with mpmath.workdps(60):
        h, t, chance = mpmath.mpf(heads), mpmath.mpf(tosses), mpmath.mpf(p)
        coefficient = mpmath.loggamma(t + 1) - mpmath.loggamma(h + 1) - mpmath.loggamma(t - h + 1)
        return coefficient + (h and h * mpmath.log(chance)) + (t - h and (t - h) * mpmath.log1p(-chance))


@pytest.mark.parametrize("exponent", [-1, -2, -4, -6, -9, -12])
@pytest.mark.parametrize("near_one", [False, True])
def test_a_log_probability_loses_no_digits_in_many_tosses(exponent: int, near_one: bool) -> None:
    random = np.random.default_rng(-exponent)
    for _ in range(50):
        p = float(random.uniform(0.1, 1) * 10.0**exponent)
        p = 1 - p if near_one else p
        tosses = float(int(10 ** random.uniform(3, 15)))
        heads = float(np.clip(np.rint(tosses * p + 4 * random.normal() * np.sqrt(tosses * p * (1 - p))), 0, tosses))
        exact = binomial(heads, tosses, p)
        chance = np.array([p])
        found = (largest_log_probability(heads, tosses) - deviances(heads, tosses, chance)).item()
        # Logarithms are as large as log t; t p is rounded once, and that moves the deviance by the rounding of h - t p.
        missing = min(abs(heads - tosses * p), abs(tosses * (1 - p) - (tosses - heads)))
        assert abs(found - exact) < 8 * np.finfo(float).eps * (abs(exact) + 4 * np.log(tosses) + missing)


def poissons(x: Floats) -> float:
    """Log-likelihood of a Poisson mixture: logit of the first weight, and two rates."""
    logs = HEADS[:, None] * np.log(x[1:]) - x[1:] - gammaln(HEADS + 1)[:, None]
    return float(logsumexp(logs - np.logaddexp(0, [-x[0], x[0]]), axis=1).sum())


def poisson_fit() -> tuple[Floats, Floats]:
    """Weight of the first and rates by plain EM, and the standard errors of the rates by differences."""
    weight, rates = 0.5, np.array([3.0, 30.0])
    for _ in range(500):
        logs = HEADS[:, None] * np.log(rates) - rates + np.log([weight, 1 - weight])
        shares = np.exp(logs - logsumexp(logs, axis=1, keepdims=True))
        weight, rates = shares[:, 0].mean(), HEADS @ shares / shares.sum(axis=0)
    at = np.array([np.log(weight / (1 - weight)), *rates])
    unit = np.array([0.5, 0.5, 1.0])
    information = -second_derivatives(lambda s: poissons(at + unit * s), 3)
    return np.array([weight, *rates]), (np.sqrt(np.diag(np.linalg.inv(information))) * unit)[1:]


def heads_of(tosses: int, near_one: bool) -> Integers:
    return tosses - HEADS if near_one else HEADS


@pytest.mark.parametrize("tosses", RARE)
@pytest.mark.parametrize("near_one", [False, True])
def test_rare_events_are_a_poisson_mixture_with_its_standard_errors(tosses: int, near_one: bool) -> None:
    estimate, errors = poisson_fit()
    fit = em.coin_mixture(CoinTosses(heads_of(tosses, near_one), tosses))
    p, order = fit.parameters.head_probabilities, slice(None, None, -1 if near_one else 1)
    rates = (tosses * (1 - p if near_one else p))[order]
    # A probability of 30 / t differs from its limit by that; one near 1 has digits of 1e-16 t / 3.
    close = 40 / tosses + np.finfo(float).eps * tosses
    assert fit.status == "converged"
    assert fit.standard_errors.reason is None
    assert rates == pytest.approx(estimate[1:], rel=close)
    assert fit.parameters.weights[order][0] == pytest.approx(estimate[0], rel=close)
    assert (fit.standard_errors.head_probabilities * tosses)[order] == pytest.approx(errors, rel=close + 1e-8)
    assert fit.log_likelihood == pytest.approx(
        poissons(np.array([np.log(estimate[0] / (1 - estimate[0])), *estimate[1:]])), abs=1e3 * close
    )


@pytest.mark.parametrize("near_one", [False, True])
def test_a_profile_interval_of_rare_events_does_not_depend_on_how_rare(near_one: bool) -> None:
    ends = []
    for tosses in RARE:
        fit = em.coin_mixture(CoinTosses(heads_of(tosses, near_one), tosses))
        intervals = [em.profile_interval(fit, f"head_probabilities[{j}]") for j in (1, 2)]
        found = np.array(
            [tosses * ((1 - np.array([i.high, i.low])) if near_one else np.array([i.low, i.high])) for i in intervals]
        )
        ends.append(found[::-1] if near_one else found)
    for tosses, found in zip(RARE, ends, strict=True):
        assert found == pytest.approx(ends[2], rel=40 / tosses + 4 * np.finfo(float).eps * tosses)


def test_one_rare_coin_has_the_profile_of_a_poisson_rate() -> None:
    tosses, n, total = 10**9, len(HEADS), HEADS.sum()
    interval = em.profile_interval(em.coin_mixture(CoinTosses(HEADS, tosses), 1), "head_probabilities[1]")
    for end in (interval.low * tosses, interval.high * tosses):
        deviance = 2 * (total * np.log(total / n / end) - (total - n * end))
        assert deviance == pytest.approx(1.8807936081512504**2, rel=1e-6)


@pytest.mark.parametrize("tosses", [10**6, 10**8, 10**9, 10**12])
def test_many_tosses_are_climbed_without_a_fall(tosses: int) -> None:
    for seed in range(4):
        random = np.random.default_rng(seed)
        apart = random.choice([1.5, 3.0, 8.0]) / np.sqrt(tosses)
        heads = random.binomial(tosses, np.repeat([0.4, 0.4 + apart], 20))
        fit = em.coin_mixture(CoinTosses(heads, tosses))
        assert fit.status in ("converged", "ridge")
        w, p = fit.parameters.weights, fit.parameters.head_probabilities
        with mpmath.workdps(60):
            exact = sum(
                mpmath.log(sum(mpmath.mpf(w[k]) * mpmath.exp(binomial(h, tosses, p[k])) for k in (0, 1))) for h in heads
            )
        assert abs(fit.log_likelihood - exact) < 1e-9


@pytest.mark.parametrize("tosses", [10**3 + 1, 10**8, 10**12])
def test_no_heads_at_all_are_at_a_bound_however_many_tosses(tosses: int) -> None:
    fit = em.coin_mixture(CoinTosses(np.where(HEADS < 10, 0, HEADS), tosses))
    assert fit.status == "boundary"
    assert fit.parameters.head_probabilities[0] * tosses < 1e-6


def test_labels_and_counts_of_many_tosses_are_as_of_few() -> None:
    labels = np.where(np.arange(len(HEADS)) % 3 == 0, HEADS > 10, -1)
    counts = 1 + np.arange(len(HEADS)) % 2
    fits = [em.coin_mixture(CoinTosses(HEADS, tosses, counts=counts, labels=labels)) for tosses in (1000, 10**7)]
    assert fits[1].parameters.head_probabilities * 10**7 == pytest.approx(
        fits[0].parameters.head_probabilities * 1000, rel=40 / 1000
    )
    assert fits[1].log_likelihood == pytest.approx(fits[0].log_likelihood, rel=40 / 1000)


@pytest.mark.parametrize("tosses", [10**3, 10**6, 10**9, 10**12])
@pytest.mark.parametrize("near_one", [False, True])
def test_pymc_finds_the_mode_of_rare_events(tosses: int, near_one: bool) -> None:
    if near_one and tosses > 10**9:
        return  # a chance within 1e-11 of 1 has too few digits for second derivatives by differences
    data = CoinTosses(heads_of(tosses, near_one), tosses)
    density = models.LogPosterior(models.coin_mixture(data, 2))
    found = models.find_map(density, starts=8)
    assert found.kind == "maximum"
    assert found.reached > 1
    # The prior is flat and its density 1. Near 1 a chance has the digits of 1e-16 / (1 - p), and the deviance their square root.
    assert found.log_posterior == pytest.approx(em.coin_mixture(data, 2).log_likelihood, abs=1e-7)


@pytest.mark.parametrize("tosses", [1001, 10**6, 10**9, 10**12])
def test_pymc_has_all_digits_of_many_tosses(tosses: int) -> None:
    random = np.random.default_rng(tosses)
    p = np.array([0.3, 0.30001])
    heads = np.concatenate([random.binomial(tosses, 0.3, size=5), [0, tosses, 3, tosses - 2]])
    data = CoinTosses(heads, tosses)
    density = models.LogPosterior(models.coin_mixture(data, 2))
    found = density.parts(density.unconstrained({"weights": [0.5, 0.5], "head_probabilities": p}))[0]
    with mpmath.workdps(60):
        exact = sum(mpmath.log(sum(mpmath.exp(binomial(h, tosses, q)) for q in p) / 2) for h in heads)
    # A chance is rounded on its way from the logit: |h - t p| / (1 - p) times its relative rounding.
    missed = sum(np.abs(heads - 0.3 * tosses)) / 0.7
    assert abs(found - float(exact)) < 8 * np.finfo(float).eps * (abs(float(exact)) + missed + 30 * len(heads))


def test_pymc_finds_two_coins_that_only_very_many_tosses_tell_apart() -> None:
    heads = np.random.default_rng(3).binomial(10**8, np.repeat([0.4, 0.4006], 20))
    data = CoinTosses(heads, 10**8)
    found = models.find_map(models.coin_mixture(data, 2), starts=4)
    assert found.kind == "maximum"
    assert found.log_posterior == pytest.approx(em.coin_mixture(data, 2).log_likelihood, abs=1e-6)


@pytest.mark.filterwarnings("ignore:Numba will use object mode")
def test_pymc_draws_more_tosses_than_32_bits_hold() -> None:
    import pymc as pm

    with models.coin_mixture(CoinTosses(HEADS, 10**12), 2):
        drawn = pm.sample_prior_predictive(5, random_seed=1)["prior_predictive"]["heads"].values
    assert (drawn == np.rint(drawn)).all()
    assert 2**32 < drawn.max() <= 10**12
    assert drawn.min() >= 0
