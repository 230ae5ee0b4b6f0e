"""Claims about mixtures of Poisson counts: published estimates, densities by brute force, bounds, and the PyMC model."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import optimize, special, stats

import em
from comparisons import catalogue, datasets, families
from comparisons.checks.same_density import same_density
from comparisons.families import third_density
from comparisons.problem import em_densities
from em.mixture import off_bounds
from em.poissons import PoissonMixture
from em.uncertainty.curvature import curvature, derivatives
from models import EventCounts, LogPosterior, PoissonParameters, PoissonPrior
from models.inputs import Floats
from models.mixtures import MixtureWeights
from tests.declared import declare
from tests.differences import slope

DATA = Path(__file__).parents[1] / "data"


def read(name: str, events: str, exposure: str | None = None) -> EventCounts:
    with (DATA / f"{name}.csv").open() as file:
        rows = list(csv.DictReader(file))
    over: Any = 1.0 if exposure is None else [float(row[exposure]) for row in rows]
    return EventCounts([int(row[events]) for row in rows], over)


def notices() -> EventCounts:
    columns = datasets.load("death_notices").columns
    return EventCounts(columns["deaths"], counts=columns["days"])


# Log-likelihood, weights, rates and their standard errors, each by two programs that share nothing with this one: EM and
# Newton's method in fifty digits, and BFGS with automatic derivatives. Of K = 2 for the notices Hasselblad (1969) has .3599,
# 1.256 and 2.663, of the earthquakes Zucchini & MacDonald (2009) have -360.3690 and -356.8489.
PUBLISHED: dict[str, tuple[EventCounts, float, list[float], list[float], list[float]]] = {
    "notices, K = 1": (notices(), -2001.397847371757, [1.0], [2.1569343065693], [0.0443622108801]),
    "notices, K = 2": (
        notices(),
        -1989.945859882964,
        [0.35988539698493, 0.64011460301507],
        [1.2560951012243, 2.6634043566325],
        [0.350029711397, 0.250478270309],
    ),
    "earthquakes, K = 2": (
        read("earthquakes", "count"),
        -360.3690436105314,
        [0.67572565655929, 0.32427434344071],
        [15.777108083553, 26.839894795853],
        [0.92406911666, 1.89573711884],
    ),
    "earthquakes, K = 3": (
        read("earthquakes", "count"),
        -356.848939070805,
        [0.27756666727359, 0.59277963533882, 0.12965369738759],
        [12.736077746956, 19.785520950052, 31.629807061565],
        [2.32642205966, 2.22997197313, 3.22851659927],
    ),
    "sudden deaths, K = 2": (
        read("sids74", "deaths", "births"),
        -237.1353254484906,
        [0.79686628696899, 0.20313371303101],
        [0.0016928625179804, 0.0038047796682106],
        [0.00014919011155, 0.000870712622009],
    ),
    "faults in cloth, K = 2": (
        read("fabric_faults", "faults", "length"),
        -86.67826954598058,
        [0.74360173295255, 0.25639826704745],
        [0.011820457361639, 0.024218812309133],
        [0.00130348593326, 0.00340026818018],
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_maximum_likelihood_is_the_published_one(name: str) -> None:
    data, height, weights, rates, errors = PUBLISHED[name]
    fit = em.poisson_mixture(data, len(weights))
    assert fit.status == "converged"
    assert fit.log_likelihood == pytest.approx(height, abs=1e-7)
    np.testing.assert_allclose(fit.parameters.weights, weights, rtol=1e-6)
    np.testing.assert_allclose(fit.parameters.rates, rates, rtol=1e-6)
    np.testing.assert_allclose(fit.standard_errors.rates, errors, rtol=1e-6)


PRIOR = PoissonPrior(1.7, 0.6, 1.4)


def mixture(seed: int, prior: PoissonPrior | None, labelled: bool) -> PoissonMixture:
    random = np.random.default_rng(seed)
    labels = np.where(random.random(30) < 0.3, random.integers(2, size=30), -1) if labelled else None
    data = EventCounts(
        random.poisson([[2.0], [7.0]], size=(2, 15)).ravel(),
        random.uniform(0.5, 3, 30),
        random.integers(1, 4, 30),
        labels,
    )
    return PoissonMixture(data, MixtureWeights.of("free", 2), prior)


@pytest.mark.parametrize("labelled", [False, True])
@pytest.mark.parametrize("prior", [None, PRIOR])
def test_densities_and_derivatives_are_those_of_scipy(prior: PoissonPrior | None, labelled: bool) -> None:
    one = mixture(3, prior, labelled)
    parameters = PoissonParameters([0.3, 0.7], [1.5, 6.0])

    def height(vector: Any) -> float:
        w, rates = vector[:2], vector[2:]
        joint = np.log(w) + stats.poisson.logpmf(one.data.events[:, None], one.data.exposure[:, None] * rates)
        known = one.labels[:, None]
        rows = np.logaddexp.reduce(np.where((known < 0) | (known == np.arange(2)), joint, -np.inf), axis=1)
        own = 0.0
        if prior is not None:
            own = stats.gamma(prior.shape, scale=1 / prior.rate).logpdf(rates).sum()
            own += stats.dirichlet([prior.concentration] * 2).logpdf(w / w.sum())
        return float(one.counts @ rows + own)

    vector = one.to_vector(parameters)
    assert float(one.e_step(parameters).log_likelihood + one.log_prior(parameters)) == pytest.approx(height(vector))
    gradient, hessian, _ = derivatives(one, parameters)
    basis = one.basis
    for column in basis.T:
        step = column / 10

        def along(t: Any, step: Any = step) -> float:
            return height(vector + t * step)

        def turned(t: Any, step: Any = step) -> Any:
            return derivatives(one, one.from_vector(vector + t * step))[0] @ basis

        unit = np.ones(1)
        assert gradient @ step == pytest.approx(float(slope(along, unit)), rel=1e-6)
        np.testing.assert_allclose(hessian @ step @ basis, slope(turned, unit), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("prior", [None, PRIOR])
def test_the_m_step_ends_where_the_derivative_of_the_expected_density_is_0(prior: PoissonPrior | None) -> None:
    one = mixture(4, prior, labelled=True)
    for seed in range(20):
        random = np.random.default_rng(seed)
        parameters = PoissonParameters(random.dirichlet([2, 2]), random.gamma(2, 2, 2))
        before = float(one.e_step(parameters).log_likelihood + one.log_prior(parameters))
        after = one.m_step(one.e_step(parameters))
        assert float(one.e_step(after).log_likelihood + one.log_prior(after)) >= before - 1e-12


def test_a_component_without_events_is_at_its_bound_and_told() -> None:
    data = EventCounts([0] * 12 + [6, 7, 8, 9, 7, 8], labels=[0] * 12 + [1] * 6)
    fit = em.poisson_mixture(data)
    assert fit.status == "boundary"
    assert fit.parameters.rates.tolist() == [0.0, 7.5]
    assert "rates[1]" in str(fit.standard_errors.reason)
    assert fit.log_likelihood == pytest.approx(
        18 * np.log(12 / 18) - 6 * np.log(2) + stats.poisson(7.5).logpmf(data.events[12:]).sum(), rel=1e-12
    )


def test_equal_rows_in_any_order_are_one_problem() -> None:
    data = read("sids74", "deaths", "births")
    order = np.random.default_rng(1).permutation(len(data.events))
    other = EventCounts(data.events[order], data.exposure[order])
    assert em.poisson_mixture(other).log_likelihood == em.poisson_mixture(data).log_likelihood


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"events": [1, -1]}, "events[1] is -1"),
        ({"events": [1, 2.5]}, "events[1] is 2.5"),
        ({"events": [1, 2], "exposure": [1.0, 0.0]}, "exposure[1] is 0"),
        ({"events": [1, 2], "exposure": [1.0]}, "exposure has 1 values but events has 2"),
        ({"events": [1, 2], "exposure": [1.0, np.nan]}, "the first at index 1"),
    ],
)
def test_bad_rows_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("[", r"\[").replace("]", r"\]")):
        EventCounts(**options)


@pytest.mark.parametrize("labelled", [False, True])
def test_pymc_em_and_the_third_density_are_one(labelled: bool) -> None:
    data = mixture(5, None, labelled).data
    problem = declare(data, prior=PRIOR)
    density, fit = LogPosterior(problem.model()), problem.fit(PRIOR)
    check = same_density(problem, density, [problem.fit(None), fit], np.random.default_rng(1))
    assert check.outcome == "pass", check.explanation
    point = problem.random_parameters(np.random.default_rng(2))
    assert third_density.log_likelihood(problem, point) == pytest.approx(em_densities(problem, point)[0], rel=1e-12)


def test_the_default_prior_is_worked_out_again_from_the_rows() -> None:
    problem = declare(read("sids74", "deaths", "births"))
    numbers = third_density.prior_numbers(problem)
    assert {name: getattr(problem.prior, name) for name in numbers} == pytest.approx(numbers)


def test_what_is_simulated_has_the_moments_of_the_fit() -> None:
    comparison = catalogue.declaration("death-notices")
    problem = families.problem(comparison, comparison.data(datasets.load(comparison.dataset)))
    fit = problem.fit(None)
    drawn = list(problem.family.replicates(problem.data, [fit.parameters] * 50, np.random.default_rng(1)))
    means = np.array([each.events.mean() for each in drawn])
    expected = float(fit.parameters.weights @ fit.parameters.rates)
    assert abs(means.mean() - expected) < 4 * means.std() / np.sqrt(len(means))
    (margin,) = problem.family.margins(problem)
    arrays = problem.family.arrays(fit.parameters)
    assert margin.expected(arrays).sum() == pytest.approx(problem.data.n, rel=1e-3)
    assert margin.below(3.0, arrays) == pytest.approx(margin.expected(arrays).sum(axis=0)[:4].sum() / problem.data.n)


def test_the_ends_of_a_profile_interval_of_a_rate_are_where_the_likelihood_has_dropped() -> None:
    data = notices()
    fit = em.poisson_mixture(data)
    found = em.profile_interval(fit, "rates[1]")
    assert found.reason is None

    def highest(rate: float) -> float:
        """The largest log-likelihood with the first rate held, by a search that knows nothing of bounds."""

        def lost(free: Floats) -> float:
            weight, other = special.expit(free[0]), np.exp(free[1])
            terms = weight * stats.poisson.pmf(data.events, rate) + (1 - weight) * stats.poisson.pmf(data.events, other)
            return -float(data.counts @ np.log(terms))

        return -float(
            optimize.minimize(lost, [0.0, 1.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-9}).fun
        )

    for end in (found.low, found.high):
        drop = 2 * (fit.log_likelihood - highest(end))
        assert drop == pytest.approx(stats.chi2(1).ppf(found.probability), abs=1e-3)


def test_only_a_bound_that_there_is_moves_a_parameter() -> None:
    each = mixture(5, None, labelled=False)
    moved = off_bounds(each, np.array([0.5, 0.5, 0.0, 7.0]), 1e-3)
    assert moved.tolist() == [0.5, 0.5, 1e-3, 7.0]


def test_a_row_that_an_empty_component_explains_far_better_makes_a_saddle_without_a_word_of_numpy() -> None:
    empty = PoissonParameters([1, 0], [1e-3, 500.0])
    mixture = PoissonMixture(EventCounts([0, 0, 500]), MixtureWeights.of("free", 2), None)
    assert curvature(mixture, empty).kind == "saddle"
