"""Claims about mixtures of overdispersed coins: another optimiser, both limits as bounds with a name, and the PyMC model."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
from scipy import optimize, stats
from scipy.special import expit

import em
from comparisons import datasets, own
from comparisons.checks.same_density import same_density
from comparisons.families import third_density
from comparisons.problem import em_densities
from em.beta_binomials import BetaBinomialMixture
from em.mixture import trusted
from em.uncertainty.curvature import derivatives
from models import BetaBinomialParameters, BetaBinomialPrior, CoinTosses, LogPosterior, find_map
from models.inputs import Floats
from models.mixtures import MixtureWeights
from tests.declared import declare
from tests.differences import derivatives_are_those_of, second_derivatives

FAMILY = "beta-binomials"
PRIOR = BetaBinomialPrior(1.7, 2.2, 1.6, 3.0, 1.4)


def saxony() -> CoinTosses:
    columns = datasets.load("saxony").columns
    return CoinTosses(columns["boys"], columns["children"], columns["families"])


def test_of_saxony_one_component_is_where_another_optimiser_ends() -> None:
    data, fit = saxony(), em.beta_binomial_mixture(saxony(), 1)

    def height(x: Floats) -> float:
        p, rho = expit(x)
        a, b = p * (1 - rho) / rho, (1 - p) * (1 - rho) / rho
        return float(data.counts @ stats.betabinom(data.tosses, a, b).logpmf(data.heads))

    def lost(x: Floats) -> float:
        return -height(x)

    found = optimize.minimize(lost, [0.0, -3.0], method="Nelder-Mead", options={"xatol": 1e-11, "fatol": 1e-11})
    assert fit.log_likelihood == pytest.approx(-found.fun, abs=1e-7)
    p, rho = expit(found.x)
    assert fit.parameters.head_probabilities[0] == pytest.approx(p, rel=1e-6)
    assert fit.parameters.correlations[0] == pytest.approx(rho, rel=1e-5)
    # In steps of three tenths of a standard error, beyond the rounding of SciPy's densities, by the logits, of which the standard
    # errors are those over p (1 - p).
    steps = 3 * np.array([0.0008, 0.012])
    hessian = second_derivatives(lambda t: height(found.x + t * steps), 2) / np.outer(steps, steps)
    errors = np.sqrt(np.diag(np.linalg.inv(-hessian))) * [p * (1 - p), rho * (1 - rho)]
    told = [fit.standard_errors.head_probabilities[0], fit.standard_errors.correlations[0]]
    np.testing.assert_allclose(told, errors, rtol=1e-4)


@pytest.mark.parametrize("rho", [0.0, 1e-12, 1e-6, 0.02, 0.9, 1.0])
def test_densities_have_all_digits_from_the_binomial_limit_to_bags_that_fall_alike(rho: float) -> None:
    bags = [(0, 1), (1, 1), (0, 7), (3, 7), (7, 7), (500, 3000), (10**5, 10**6)]
    one = BetaBinomialMixture(CoinTosses(*zip(*bags, strict=True)), MixtureWeights.of("free", 1), None)
    at = trusted(
        BetaBinomialParameters,
        weights=np.ones(1),
        head_probabilities=np.array([0.3]),
        correlations=np.array([rho]),
    )
    seen = one.log_densities(at)[:, 0]
    with mpmath.workdps(60):
        p, q, c = mpmath.mpf(0.3), 1 - mpmath.mpf(0.3), mpmath.mpf(rho)
        for h, t in bags:
            (i,) = np.flatnonzero((one.data.heads == h) & (one.data.tosses == t))
            chosen = mpmath.loggamma(t + 1) - mpmath.loggamma(h + 1) - mpmath.loggamma(t - h + 1)
            if rho == 0:
                expected = chosen + h * mpmath.log(p) + (t - h) * mpmath.log(q)
            elif rho == 1:
                expected = mpmath.log(p if h == t else q if h == 0 else mpmath.mpf(0))
            else:
                a, b = p * (1 - c) / c, q * (1 - c) / c
                gammas = [mpmath.loggamma(x + m) - mpmath.loggamma(x) for x, m in ((a, h), (b, t - h), (a + b, t))]
                expected = chosen + gammas[0] + gammas[1] - gammas[2]
            # Log-gamma functions of the bags cancel.
            assert seen[i] == pytest.approx(float(expected), rel=1e-13, abs=1e-15 * t * np.log(t + 1))


def rows(seed: int, labelled: bool) -> CoinTosses:
    random = np.random.default_rng(seed)
    labels = np.where(random.random(30) < 0.3, random.integers(2, size=30), -1) if labelled else None
    drawn = BetaBinomialParameters([0.5, 0.5], [0.25, 0.7], [0.1, 0.2])
    tosses = random.integers(6, 13, 30)
    heads = drawn.simulate(np.repeat([0, 1], 15), tosses, random)
    return CoinTosses(heads, tosses, random.integers(1, 4, 30), labels)


def mixture(seed: int, prior: BetaBinomialPrior | None, labelled: bool) -> BetaBinomialMixture:
    return BetaBinomialMixture(rows(seed, labelled), MixtureWeights.of("free", 2), prior)


@pytest.mark.parametrize("labelled", [False, True])
@pytest.mark.parametrize("prior", [None, PRIOR])
def test_densities_and_derivatives_are_those_of_scipy(prior: BetaBinomialPrior | None, labelled: bool) -> None:
    one = mixture(3, prior, labelled)

    def height(vector: Any) -> float:
        w, p, rho = vector[:2], vector[2:4], vector[4:]
        a, b, known = p * (1 - rho) / rho, (1 - p) * (1 - rho) / rho, one.labels[:, None]
        joint = np.log(w) + stats.betabinom(one.data.tosses[:, None], a, b).logpmf(one.data.heads[:, None])
        by_row = np.logaddexp.reduce(np.where((known < 0) | (known == np.arange(2)), joint, -np.inf), axis=1)
        own = 0.0
        if prior is not None:
            own = stats.beta(prior.heads, prior.tails).logpdf(p).sum()
            own += stats.beta(prior.correlated, prior.uncorrelated).logpdf(rho).sum()
            own += stats.dirichlet([prior.concentration] * 2).logpdf(w / w.sum())
        return float(one.counts @ by_row + own)

    derivatives_are_those_of(height, one, BetaBinomialParameters([0.3, 0.7], [0.3, 0.6], [0.2, 0.05]), 1 / 100)


@pytest.mark.parametrize("prior", [None, PRIOR])
def test_no_step_lowers_the_objective_and_the_last_one_is_stationary(prior: BetaBinomialPrior | None) -> None:
    one = mixture(4, prior, labelled=True)
    for seed in range(30):
        random = np.random.default_rng(seed)
        rho = random.beta(1, 2, 2) * ((random.random(2) < 0.7) if prior is None else 1)
        parameters = BetaBinomialParameters(random.dirichlet([2, 2]), random.beta(1, 1, 2), rho)
        before = float(one.e_step(parameters).log_likelihood + one.log_prior(parameters))
        after = one.m_step(one.e_step(parameters))
        assert float(one.e_step(after).log_likelihood + one.log_prior(after)) >= before - 1e-11
    fit = em.beta_binomial_mixture(rows(4, True), prior=prior)
    gradient = derivatives(one, fit.parameters)[0] @ one.basis
    at_bound = np.append(False, np.concatenate([fit.parameters.head_probabilities, fit.parameters.correlations]) == 0)
    assert np.abs(gradient[~at_bound]).max() < 1e-5
    assert (gradient[at_bound] <= 0).all()


@pytest.mark.parametrize("logit", [-800.0, 40.0, 800.0])
def test_a_step_to_where_a_probability_is_0_or_1_by_rounding_is_refused_without_a_warning(logit: float) -> None:
    one = mixture(4, None, labelled=False)
    value, _, _ = one._by_scale(one.counts[:, None], np.array([[logit], [0.0]]))
    assert np.isneginf(value)


@pytest.mark.parametrize(
    ("heads", "rho", "told"),
    [([3, 3, 4, 3, 4, 3], 0.0, "a binomial component"), ([0, 7, 7, 0, 7], 1.0, "all tosses of a bag alike")],
)
def test_both_ends_of_a_correlation_are_bounds_with_a_name(heads: list[int], rho: float, told: str) -> None:
    fit = em.beta_binomial_mixture(CoinTosses(heads, 7), 1)
    assert fit.status == "boundary"
    assert fit.parameters.correlations.tolist() == [rho]
    assert f"correlations[1] ({told})" in str(fit.standard_errors.reason)
    assert fit.parameters.head_probabilities[0] == pytest.approx(sum(heads) / (7 * len(heads)))


@pytest.mark.parametrize("prior", [PRIOR, BetaBinomialPrior(1.0, 1.0, 1.0, 300.0, 2.0)])
def test_pymc_em_and_the_third_density_are_one_also_with_a_mode_at_the_bound(prior: BetaBinomialPrior) -> None:
    problem = declare(rows(5, True), prior=prior, family=FAMILY)
    density, fit = LogPosterior(problem.model()), problem.fit(prior)
    assert (fit.parameters.correlations == 0).any() == (prior is not PRIOR)
    check = same_density(problem, density, [problem.fit(None), fit], np.random.default_rng(1))
    assert check.outcome == "pass", check.explanation
    behind = fit.trace[-1] - find_map(density, starts=3).log_posterior
    # Where PyMC takes the limit its density is a step, by the slope times so small a correlation, which stops its optimiser.
    assert -1e-6 < behind < (1e-6 if prior is PRIOR else 1e-6 * prior.uncorrelated)
    point = problem.random_parameters(np.random.default_rng(2))
    assert third_density.log_likelihood(problem, point) == pytest.approx(em_densities(problem, point)[0], rel=1e-12)


def test_short_bags_tell_no_correlation_and_the_default_prior_is_worked_out_again() -> None:
    problem = declare(CoinTosses([0, 1, 1, 0], 1), 1, family=FAMILY)
    assert problem.structurally_unidentified() == "a correlation needs bags of at least 2 tosses, and the longest has 1"
    assert declare(CoinTosses([0, 1, 2, 0], 2), 1, family=FAMILY).structurally_unidentified() is None
    numbers = third_density.prior_numbers(problem)
    assert {name: getattr(problem.prior, name) for name in numbers} == numbers


def test_own_columns_are_those_of_coins_and_the_family_is_asked_for_by_name() -> None:
    table = {"heads": [3, 4, 9, 8], "tails": [7, 6, 1, 2]}
    asked = own.declared(table, FAMILY, 1)
    assert asked.comparison.family == FAMILY
    assert own.declared(table, None, 1).comparison.family is None
    tosses = CoinTosses([3, 4, 9, 8], 10)
    assert own.declared(tosses, FAMILY, 1).told["family"] == FAMILY
    assert own.declared(tosses, None, 1).told["family"] == "coins"


def test_bad_numbers_are_named() -> None:
    with pytest.raises(ValueError, match=r"correlations\[1\] is 1.5; it must lie in \[0, 1\]"):
        BetaBinomialParameters([0.5, 0.5], [0.1, 0.2], [0, 1.5])
