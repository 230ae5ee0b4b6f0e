"""Claims about mixtures of overdispersed counts: reference results, the Poisson limit as a bound, and PyMC."""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy import optimize, stats

import em
from comparisons import catalogue, datasets, families
from comparisons.checks.same_density import same_density
from comparisons.families import third_density
from comparisons.problem import em_densities
from em.mixture import trusted
from em.negative_binomials import NegativeBinomialMixture
from em.uncertainty.curvature import derivatives
from models import EventCounts, LogPosterior, NegativeBinomialParameters, NegativeBinomialPrior, find_map
from models.inputs import Floats
from models.mixtures import MixtureWeights
from tests.declared import declare
from tests.differences import derivatives_are_those_of

FAMILY = "negative-binomials"
PRIOR = NegativeBinomialPrior(1.7, 0.6, 1.4, 1.3, 2.0)


def quine() -> EventCounts:
    return EventCounts(datasets.load("quine").columns["days"])


def dmft() -> EventCounts:
    with (Path(__file__).parents[1] / "data" / "dmft.csv").open() as file:
        rows = list(csv.DictReader(file))
    return EventCounts([int(row["dmft"]) for row in rows], counts=[int(row["children"]) for row in rows])


# By two programs that share nothing with this one: EM and Newton's method in fifty digits, and BFGS with automatic derivatives.
# Log-likelihood; rate, size, and their standard errors. MASS's glm.nb has -559.133481349 and 1.06678458313 for quine.
ONE: dict[str, tuple[EventCounts, float, list[float]]] = {
    "quine": (quine(), -559.1334813489171, [16.458904109589, 1.066784583136, 1.36089058894, 0.129221244286]),
    "dmft": (dmft(), -1833.861734884245, [3.3237139272271, 1.9998215606805, 0.105362753403, 0.194094374783]),
}
# Of two components for quine the highest maximum of which all sizes are finite: weights, rates, sizes, and standard errors.
INSIDE = (
    -557.9351768292609,
    [[0.88730610943668, 0.11269389056332], [12.619736088916, 46.686960154766], [1.246950746491, 13.212360168833]],
    [[0.102292407396, 0.102292407396], [3.04146324227, 9.34907617933], [0.256554395388, 14.5287993873]],
)


def errors_of_sizes(fit: Any) -> Floats:
    return np.asarray(fit.standard_errors.dispersions * fit.parameters.sizes**2)


@pytest.mark.parametrize("name", ONE)
def test_one_component_has_its_reference_results(name: str) -> None:
    data, height, (rate, size, *errors) = ONE[name]
    fit = em.negative_binomial_mixture(data, 1)
    assert fit.status == "converged"
    assert fit.log_likelihood == pytest.approx(height, abs=1e-7)
    np.testing.assert_allclose([fit.parameters.rates[0], fit.parameters.sizes[0]], [rate, size], rtol=1e-6)
    np.testing.assert_allclose([fit.standard_errors.rates[0], errors_of_sizes(fit)[0]], errors, rtol=1e-6)


def test_of_quine_the_best_of_two_components_is_a_poisson_one_and_the_maximum_inside_is_listed() -> None:
    fit = em.negative_binomial_mixture(quine())
    # To BFGS, which runs along the size without end, the supremum was -557.5991595958.
    assert fit.log_likelihood == pytest.approx(-557.5991596, abs=2e-7)
    assert fit.status == "boundary"
    assert "dispersions[1] (a Poisson component)" in str(fit.standard_errors.reason)
    assert fit.parameters.dispersions[0] == 0
    assert fit.parameters.rates == pytest.approx([5.63457, 17.8141], rel=4e-5)
    assert fit.parameters.weights[0] == pytest.approx(0.111268, rel=2e-5)
    assert fit.parameters.sizes[1] == pytest.approx(1.05859, rel=1e-5)
    height, parameters, errors = INSIDE
    mode = min((m for m in fit.modes if m.regular), key=lambda m: abs(m.log_likelihood - height))
    assert mode.log_likelihood == pytest.approx(height, abs=1e-7)
    inside = em.negative_binomial_mixture(quine(), start=mode.parameters)
    assert inside.status == "converged"
    for values, expected in zip(
        (inside.parameters.weights, inside.parameters.rates, inside.parameters.sizes), parameters, strict=True
    ):
        np.testing.assert_allclose(values, expected, rtol=1e-6)
    told = (inside.standard_errors.weights, inside.standard_errors.rates, errors_of_sizes(inside))
    for values, expected in zip(told, errors, strict=True):
        np.testing.assert_allclose(values, expected, rtol=1e-6)


def test_of_dmft_the_best_of_two_components_is_a_poisson_one_too() -> None:
    data, fit = dmft(), em.negative_binomial_mixture(dmft())
    assert fit.status == "boundary"
    assert fit.parameters.dispersions[1] == 0

    def lost(x: Floats) -> float:
        weight, (rate, size, other) = 1 / (1 + np.exp(-x[0])), np.exp(x[1:])
        density = weight * stats.nbinom.pmf(data.events, size, size / (size + rate))
        return -float(data.counts @ np.log(density + (1 - weight) * stats.poisson.pmf(data.events, other)))

    found = optimize.minimize(lost, [0.0, 0.0, 0.0, 1.5], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10})
    assert fit.log_likelihood == pytest.approx(-found.fun, abs=1e-7)
    assert fit.parameters.rates == pytest.approx(np.exp(found.x[[1, 3]]), rel=1e-4)


def test_where_exposures_differ_the_poisson_limit_may_be_a_maximum_and_not_the_highest() -> None:
    data = EventCounts([100, 2], [100.0, 0.1], [1, 5])
    fit, poisson = em.negative_binomial_mixture(data, 1), em.poisson_mixture(data, 1)
    assert fit.status == "converged"
    # By brute force on a grid of rates and dispersions.
    sizes, rates = np.meshgrid(np.geomspace(0.02, 20, 150), np.geomspace(0.5, 30, 150))
    every = stats.nbinom.logpmf(
        [100, 2], sizes[..., None], 1 / (1 + rates[..., None] * data.exposure / sizes[..., None])
    )
    assert (every @ data.counts).max() == pytest.approx(fit.log_likelihood, abs=2e-3)
    held = em.negative_binomial_mixture(
        data, 1, start=NegativeBinomialParameters([1.0], poisson.parameters.rates, [0.0])
    )
    assert held.status == "boundary"
    assert held.log_likelihood == pytest.approx(poisson.log_likelihood, abs=1e-10)
    assert fit.log_likelihood > held.log_likelihood + 9


@pytest.mark.parametrize("alpha", [0.0, 1e-12, 1e-7, 1e-3, 0.04, 1.0, 300.0])
def test_densities_and_their_slopes_have_all_digits_at_and_near_the_poisson_limit(alpha: float) -> None:
    rows = [(0, 1.0), (1, 0.5), (7, 2.0), (300, 3.0), (10**6, 4e5)]
    data = EventCounts(*zip(*rows, strict=True))
    one = NegativeBinomialMixture(data, MixtureWeights.of("free", 1), None)
    at = trusted(NegativeBinomialParameters, weights=np.ones(1), rates=np.array([2.5]), dispersions=np.array([alpha]))
    seen, slopes = one.log_densities(at)[:, 0], one.scores(at)[:, 0]
    with mpmath.workdps(60):

        def log_density(a: Any, y: int, t: Any) -> Any:
            if a == 0:
                return y * mpmath.log(t) - t - mpmath.loggamma(y + 1)
            rising = mpmath.loggamma(1 / a + y) - mpmath.loggamma(1 / a) + y * mpmath.log(a)
            return rising + y * mpmath.log(t) - (y + 1 / a) * mpmath.log1p(a * t) - mpmath.loggamma(y + 1)

        for y, e in rows:
            (i,) = np.flatnonzero((one.data.events == y) & (one.data.exposure == e))
            rate, a, t = mpmath.mpf(2.5), mpmath.mpf(alpha), mpmath.mpf(e) * mpmath.mpf(2.5)
            # Terms as large as y log y cancel, and their squares in the slope.
            size = max(1.0, y * np.log(max(y, 2)))
            assert seen[i] == pytest.approx(float(log_density(a, y, t)), abs=4e-15 * size, rel=1e-14)
            by_rate = (y - t) / (rate * (1 + a * t))
            by_dispersion = ((y - t) ** 2 - y) / 2 if a == 0 else mpmath.diff(partial(log_density, y=y, t=t), a)
            assert slopes[i, 0] == pytest.approx(float(by_rate), rel=1e-12, abs=1e-12 * e)
            assert slopes[i, 1] == pytest.approx(float(by_dispersion), rel=1e-11, abs=1e-14 * size**2)


def rows(seed: int, labelled: bool) -> EventCounts:
    random = np.random.default_rng(seed)
    labels = np.where(random.random(30) < 0.3, random.integers(2, size=30), -1) if labelled else None
    drawn = NegativeBinomialParameters([0.5, 0.5], [2.0, 7.0], [0.3, 0.2]).simulate(
        np.repeat([0, 1], 15), exposure := random.uniform(0.5, 3, 30), random
    )
    return EventCounts(drawn, exposure, random.integers(1, 4, 30), labels)


def mixture(seed: int, prior: NegativeBinomialPrior | None, labelled: bool) -> NegativeBinomialMixture:
    return NegativeBinomialMixture(rows(seed, labelled), MixtureWeights.of("free", 2), prior)


@pytest.mark.parametrize("labelled", [False, True])
@pytest.mark.parametrize("prior", [None, PRIOR])
def test_densities_and_derivatives_are_those_of_scipy(prior: NegativeBinomialPrior | None, labelled: bool) -> None:
    one = mixture(3, prior, labelled)

    def height(vector: Any) -> float:
        w, rates, alphas = vector[:2], vector[2:4], vector[4:]
        means, known = one.data.exposure[:, None] * rates, one.labels[:, None]
        joint = np.log(w) + stats.nbinom(1 / alphas, 1 / (1 + alphas * means)).logpmf(one.data.events[:, None])
        by_row = np.logaddexp.reduce(np.where((known < 0) | (known == np.arange(2)), joint, -np.inf), axis=1)
        own = 0.0
        if prior is not None:
            own = stats.gamma(prior.shape, scale=1 / prior.rate).logpdf(rates).sum()
            own += stats.gamma(prior.dispersion_shape, scale=1 / prior.dispersion_rate).logpdf(alphas).sum()
            own += stats.dirichlet([prior.concentration] * 2).logpdf(w / w.sum())
        return float(one.counts @ by_row + own)

    derivatives_are_those_of(height, one, NegativeBinomialParameters([0.3, 0.7], [1.5, 6.0], [0.5, 0.2]), 1 / 50)


@pytest.mark.parametrize("prior", [None, PRIOR])
def test_no_step_lowers_the_objective_and_the_last_one_is_stationary(prior: NegativeBinomialPrior | None) -> None:
    one = mixture(4, prior, labelled=True)
    for seed in range(30):
        random = np.random.default_rng(seed)
        alphas = random.gamma(1, 2, 2) * (random.random(2) < 0.7)
        if prior is not None:
            alphas += 0.01
        parameters = NegativeBinomialParameters(random.dirichlet([2, 2]), random.gamma(2, 3, 2), alphas)
        before = float(one.e_step(parameters).log_likelihood + one.log_prior(parameters))
        after = one.m_step(one.e_step(parameters))
        assert float(one.e_step(after).log_likelihood + one.log_prior(after)) >= before - 1e-11
    fit = em.negative_binomial_mixture(rows(4, True), prior=prior)
    gradient = derivatives(one, fit.parameters)[0] @ one.basis
    at_bound = np.append(False, np.concatenate([fit.parameters.rates, fit.parameters.dispersions]) == 0)
    assert np.abs(gradient[~at_bound]).max() < 1e-6
    assert (gradient[at_bound] <= 0).all()


def test_counts_that_vary_less_than_poisson_ones_and_none_at_all_are_at_their_bounds() -> None:
    even = em.negative_binomial_mixture([3, 4, 4, 5, 3, 5], 1)
    assert even.status == "boundary"
    assert even.parameters.dispersions.tolist() == [0.0]
    assert even.log_likelihood == pytest.approx(em.poisson_mixture([3, 4, 4, 5, 3, 5], 1).log_likelihood, abs=1e-12)
    none = em.negative_binomial_mixture(EventCounts([0] * 12 + [2, 7, 20, 9, 7, 1], labels=[0] * 12 + [1] * 6))
    assert none.status == "boundary"
    assert none.parameters.rates[0] == none.parameters.dispersions[0] == 0
    assert none.parameters.dispersions[1] > 0


def test_a_profile_interval_of_the_mean_rate_ends_where_the_objective_has_dropped() -> None:
    one, fit = mixture(4, PRIOR, labelled=True), em.negative_binomial_mixture(rows(4, True), prior=PRIOR)
    found = em.profile_interval(fit, "mean_rate")
    assert found.reason is None
    top = fit.trace[-1]

    def parameters(x: Floats) -> Any:
        weight = 1 / (1 + np.exp(-x[0]))
        return NegativeBinomialParameters([weight, 1 - weight], np.exp(x[1:3]), np.exp(x[3:]))

    def lost(x: Floats) -> float:
        p = parameters(x)
        return float(top - one.e_step(p).log_likelihood - one.log_prior(p))

    p = fit.parameters
    start = np.concatenate([[np.log(p.weights[0] / p.weights[1])], np.log(p.rates), np.log(p.dispersions)])
    for end in (found.low, found.high):

        def off(x: Floats, end: float = end) -> Floats:
            return np.log([parameters(x).weights @ parameters(x).rates / end])

        held = optimize.NonlinearConstraint(off, 0.0, 0.0)
        lowest = optimize.minimize(lost, start, method="SLSQP", constraints=[held], options={"ftol": 1e-10})
        assert 2 * lowest.fun == pytest.approx(stats.chi2(1).ppf(found.probability), abs=1e-3)


def test_pymc_em_and_the_third_density_are_one() -> None:
    problem = declare(rows(5, True), prior=PRIOR, family=FAMILY)
    density, fit = LogPosterior(problem.model()), problem.fit(PRIOR)
    check = same_density(problem, density, [problem.fit(None), fit], np.random.default_rng(1))
    assert check.outcome == "pass", check.explanation
    point = problem.random_parameters(np.random.default_rng(2))
    assert third_density.log_likelihood(problem, point) == pytest.approx(em_densities(problem, point)[0], rel=1e-12)


def test_a_mode_at_the_bound_is_the_same_to_both_engines() -> None:
    prior = NegativeBinomialPrior(1.7, 0.6, 2.0, 1.0, 300.0)
    problem = declare(rows(5, False), prior=prior, family=FAMILY)
    density, fit = LogPosterior(problem.model()), problem.fit(prior)
    assert (fit.parameters.dispersions == 0).any()
    assert same_density(problem, density, [fit], np.random.default_rng(1)).outcome == "pass"
    assert find_map(density, starts=3).log_posterior == pytest.approx(fit.log_posterior, abs=1e-6)


def test_the_default_prior_is_worked_out_again_from_the_rows() -> None:
    problem = declare(quine(), family=FAMILY)
    numbers = third_density.prior_numbers(problem)
    assert {name: getattr(problem.prior, name) for name in numbers} == pytest.approx(numbers)


def test_what_is_simulated_has_the_moments_of_the_fit() -> None:
    comparison = catalogue.declaration("school-absences")
    problem = families.problem(comparison, comparison.data(datasets.load(comparison.dataset)))
    fit = problem.fit(None)
    drawn = list(problem.family.replicates(problem.data, [fit.parameters] * 40, np.random.default_rng(1)))
    w, rates, alphas = fit.parameters.weights, fit.parameters.rates, fit.parameters.dispersions
    mean, square = w @ rates, w @ (rates + (1 + alphas) * rates**2)
    for power, expected in ((1, mean), (2, square)):
        moments = np.array([(each.events.astype(float) ** power).mean() for each in drawn])
        assert abs(moments.mean() - expected) < 4 * moments.std() / np.sqrt(len(moments))
    (margin,) = problem.family.margins(problem)
    arrays = problem.family.arrays(fit.parameters)
    assert margin.below(3.0, arrays) == pytest.approx(margin.expected(arrays).sum(axis=0)[:4].sum() / problem.data.n)


def test_bad_numbers_and_priors_are_named() -> None:
    with pytest.raises(ValueError, match=r"dispersions\[1\] is -1; a dispersion is 0 at least"):
        NegativeBinomialParameters([0.5, 0.5], [1, 2], [0, -1])
    with pytest.raises(ValueError, match=r"prior.dispersion_shape is 0.5; below 1 the prior density is infinite"):
        em.negative_binomial_mixture(quine(), prior=NegativeBinomialPrior(2.0, 1.0, 1.0, 0.5))


def test_a_fit_is_read_as_it_was_written(tmp_path: Path) -> None:
    fit = em.negative_binomial_mixture(rows(4, True))
    fit.write(tmp_path / "fit.json")
    again = em.read_fit(tmp_path / "fit.json")
    np.testing.assert_array_equal(again.parameters.dispersions, fit.parameters.dispersions)
    np.testing.assert_array_equal(again.predict(rows(5, False)), fit.predict(rows(5, False)))
    assert again.simulate(7, seed=1).events.tolist() == fit.simulate(7, seed=1).events.tolist()
