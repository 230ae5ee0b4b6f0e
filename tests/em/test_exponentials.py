"""Claims about mixtures of exponential waiting times: reference results, densities by SciPy, censored rows, bounds, PyMC."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

import em
import models
from comparisons import datasets
from comparisons.checks.same_density import same_density
from comparisons.families import third_density
from comparisons.problem import em_densities
from em.exponentials import WaitMixture
from em.mixture import row_posteriors
from em.uncertainty.curvature import curvature
from models import ExponentialParameters, ExponentialPrior, LogPosterior, WaitingTimes
from models.mixtures import MixtureWeights
from tests.declared import declare
from tests.differences import derivatives_are_those_of

PRIOR = ExponentialPrior(1.7, 2.6, 1.4)


def intervals() -> WaitingTimes:
    return WaitingTimes(datasets.load("coal_intervals").columns["days"])


# By two programs that share nothing with this one: EM and Newton's method in fifty digits, and BFGS with automatic derivatives.
REFERENCE = {
    1: (-1209.016041971641, [1.0], [0.00468568892], [0.0], [0.0003399356027]),
    2: (
        -1196.257559030933,
        [0.1785853012, 0.8214146988],
        [0.001739069745, 0.007418467548],
        [0.1003724845, 0.1003724845],
        [0.0005903757466, 0.0011151773],
    ),
}


@pytest.mark.parametrize("k", REFERENCE)
def test_intervals_have_their_reference_results(k: int) -> None:
    value, weights, rates, of_weights, of_rates = REFERENCE[k]
    fit = em.exponential_mixture(intervals(), k)
    assert fit.status == "converged"
    assert fit.log_likelihood == pytest.approx(value, abs=1e-7)
    for found, expected in (
        (fit.parameters.weights, weights),
        (fit.parameters.rates, rates),
        (fit.standard_errors.weights, of_weights),
        (fit.standard_errors.rates, of_rates),
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def rows(seed: int, labelled: bool) -> WaitingTimes:
    random = np.random.default_rng(seed)
    waits, limits = random.exponential([[1.0], [8.0]], size=(2, 20)).ravel(), random.uniform(1, 12, 40)
    labels = np.where(random.random(40) < 0.3, random.integers(2, size=40), -1) if labelled else None
    return WaitingTimes(np.minimum(waits, limits), waits > limits, random.integers(1, 4, 40), labels)


def mixture(seed: int, prior: ExponentialPrior | None, labelled: bool) -> WaitMixture:
    return WaitMixture(rows(seed, labelled), MixtureWeights.of("free", 2), prior)


@pytest.mark.parametrize("labelled", [False, True])
@pytest.mark.parametrize("prior", [None, PRIOR])
def test_densities_and_derivatives_are_those_of_scipy(prior: ExponentialPrior | None, labelled: bool) -> None:
    one = mixture(3, prior, labelled)
    parameters = ExponentialParameters([0.3, 0.7], [0.2, 1.1])

    def height(vector: Any) -> float:
        w, frozen = vector[:2], stats.expon(scale=1 / vector[2:])
        y, cut, known = one.data.y[:, None], one.data.censored[:, None] == 1, one.labels[:, None]
        joint = np.log(w) + np.where(cut, frozen.logsf(y), frozen.logpdf(y))
        by_row = np.logaddexp.reduce(np.where((known < 0) | (known == np.arange(2)), joint, -np.inf), axis=1)
        own = 0.0
        if prior is not None:
            own = stats.gamma(prior.shape, scale=1 / prior.rate).logpdf(vector[2:]).sum()
            own += stats.dirichlet([prior.concentration] * 2).logpdf(w / w.sum())
        return float(one.counts @ by_row + own)

    derivatives_are_those_of(height, one, parameters, 1 / 10)


def test_the_rest_of_a_censored_wait_is_what_integration_says() -> None:
    """The E-step by brute force: each censored wait goes on for its expectation under each component."""
    one = mixture(7, None, labelled=False)
    parameters = ExponentialParameters([0.4, 0.6], [0.3, 0.9])
    density = [lambda t, rate=rate: rate * np.exp(-rate * t) for rate in parameters.rates]
    waited = np.zeros(2)
    shares = row_posteriors(one, parameters)[0]
    for i, (y, cut) in enumerate(zip(one.data.y, one.data.censored, strict=True)):
        for k, f in enumerate(density):
            whole = y
            if cut:
                tail = integrate.quad(f, y, np.inf)[0]
                whole = integrate.quad(lambda t, f=f: t * f(t), y, np.inf)[0] / tail
            waited[k] += one.counts[i] * shares[i, k] * whole
    statistics = one.e_step(parameters)
    np.testing.assert_allclose(statistics.features[:, 1], waited, rtol=1e-8)
    np.testing.assert_allclose(one.m_step(statistics).rates, one.counts @ shares / waited, rtol=1e-8)


@pytest.mark.parametrize("prior", [None, PRIOR])
def test_plain_steps_shrink_by_the_rate_that_is_told(prior: ExponentialPrior | None) -> None:
    fit = em.exponential_mixture(rows(3, False), prior=prior, acceleration=None)
    vectors = np.array([np.concatenate([p.weights, p.rates]) for p in fit.path])
    steps = np.linalg.norm(np.diff(vectors, axis=0), axis=1)
    late = np.flatnonzero(steps > 1e-9)[-1]
    assert steps[late] / steps[late - 1] == pytest.approx(fit.rate, abs=1e-4)


def test_one_rate_is_ended_waits_over_time_and_slowed_by_the_share_that_is_censored() -> None:
    data = rows(4, False)
    fit = em.exponential_mixture(data, 1)
    ended = data.counts @ (1 - data.censored)
    assert fit.parameters.rates[0] == pytest.approx(ended / (data.counts @ data.y), rel=1e-12)
    assert fit.standard_errors.rates[0] == pytest.approx(fit.parameters.rates[0] / np.sqrt(ended), rel=1e-12)
    assert fit.rate == pytest.approx(1 - ended / data.n, rel=1e-9)


def test_waits_that_never_end_are_a_component_at_the_bound() -> None:
    random = np.random.default_rng(1)
    waits, limits = np.where(random.random(200) < 0.5, random.exponential(1, 200), np.inf), random.uniform(5, 12, 200)
    fit = em.exponential_mixture(np.minimum(waits, limits), censored=waits > limits)
    assert fit.status == "boundary"
    assert fit.parameters.rates[0] == 0
    assert "rates[1]" in str(fit.standard_errors.reason)
    labelled = em.exponential_mixture([1, 2, 3, 4], censored=[0, 0, 1, 1], labels=[1, 1, 0, 0])
    assert labelled.parameters.rates.tolist() == pytest.approx([0.0, 2 / 3])
    assert em.exponential_mixture([1, 2], 1, censored=[1, 1]).parameters.rates.tolist() == [0.0]


def test_a_component_on_waits_of_zero_is_a_collapse_and_no_estimate() -> None:
    drawn = np.random.default_rng(2).exponential([[1.0], [30.0]], size=(2, 60))
    waits = np.concatenate([np.zeros(2), drawn.ravel()])
    fit = em.exponential_mixture(waits)
    assert fit.status == "converged"
    spike = em.exponential_mixture(waits, start=ExponentialParameters([0.98, 0.02], [0.03, 1e4]))
    assert spike.status == "collapsed"
    assert not spike.modes[0].regular
    one = WaitMixture(WaitingTimes(waits), MixtureWeights.of("free", 2), None)
    assert curvature(one, fit.parameters).kind == "maximum"
    # There is no largest likelihood.
    narrow = ExponentialParameters([0.98, 0.02], [0.03, 1e60])
    assert float(one.e_step(narrow).log_likelihood) > fit.log_likelihood
    assert not one.bounded
    assert WaitMixture(WaitingTimes(waits), MixtureWeights.of("free", 2), PRIOR).bounded


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"y": [1, -1]}, "y[1] is -1; a wait is 0 at least"),
        ({"y": [1, 2], "censored": [0, 2]}, "censored[1] is 2; give 1 where a wait had not ended, else 0"),
        ({"y": [1, 2], "censored": [True]}, "censored has 1 values but y has 2"),
        ({"y": [1, 0], "censored": [False, True]}, "y[1] is 0 and censored, so nothing was seen"),
        ({"y": [0, 0]}, "y is 0 in every row"),
    ],
)
def test_bad_rows_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("[", r"\[").replace("]", r"\]")):
        WaitingTimes(**options)
    with pytest.raises(ValueError, match=message.replace("[", r"\[").replace("]", r"\]")):
        models.exponential_mixture(**options)


def test_the_arguments_of_rows_belong_to_them() -> None:
    with pytest.raises(ValueError, match="y has its censored, counts and labels"):
        em.exponential_mixture(intervals(), censored=[0] * 190)


@pytest.mark.parametrize("labelled", [False, True])
def test_pymc_em_and_the_third_density_are_one(labelled: bool) -> None:
    problem = declare(rows(5, labelled), prior=PRIOR)
    density, fit = LogPosterior(problem.model()), problem.fit(PRIOR)
    check = same_density(problem, density, [problem.fit(None), fit], np.random.default_rng(1))
    assert check.outcome == "pass", check.explanation
    point = problem.random_parameters(np.random.default_rng(2))
    assert third_density.log_likelihood(problem, point) == pytest.approx(em_densities(problem, point)[0], rel=1e-12)


def test_the_default_prior_is_worked_out_again_from_the_rows() -> None:
    problem = declare(rows(6, False))
    numbers = third_density.prior_numbers(problem)
    assert {name: getattr(problem.prior, name) for name in numbers} == pytest.approx(numbers)


def test_replicates_are_watched_and_rounded_as_the_data_are() -> None:
    random = np.random.default_rng(3)
    waits, limits = np.ceil(random.exponential(20, 400)), np.ceil(random.uniform(10, 60, 400))
    data = WaitingTimes(np.minimum(waits, limits), waits > limits)
    problem = declare(data, 1)
    truth = ExponentialParameters([1.0], [1 / 20])
    new = list(problem.family.replicates(data, [truth] * 200, random))
    assert all((each.y == np.rint(each.y)).all() for each in new)
    # Both indicators are means of 400 of a share of about 0.45.
    shares = np.array([each.censored.mean() for each in new])
    assert abs(shares.mean() - data.censored.mean()) < 4 * np.sqrt(0.25 / 400)
    # A distribution function that forgets censoring lies above that of the waits.
    values, upto = problem.family.steps(data)  # type: ignore[attr-defined]
    seen = values < 50
    assert np.abs(upto - stats.expon(scale=20).cdf(values))[seen].max() < 1.63 / np.sqrt(400 * 0.3)
    whole = np.searchsorted(np.sort(data.y), values, side="right") / 400
    assert (whole - upto)[seen].max() > 0.05


def test_profile_and_bootstrap_go_with_censored_rows() -> None:
    fit = em.exponential_mixture(rows(3, False), 1)
    found = em.profile_interval(fit, "rates[1]")
    rate, ended = fit.parameters.rates[0], rows(3, False).counts @ (1 - rows(3, False).censored)
    for end in (found.low, found.high):
        # Log-likelihood of one rate: ended log(rate) - rate time, with time = ended / estimate.
        drop = 2 * ended * (np.log(rate / end) + end / rate - 1)
        assert drop == pytest.approx(stats.chi2(1).ppf(found.probability), abs=1e-6)
    drawn = em.bootstrap(fit, 1, replicates=400)
    # A standard error by so many replicates is off by 1 / sqrt(800) of itself.
    assert drawn.standard_errors.rates[0] == pytest.approx(fit.standard_errors.rates[0], rel=4 / np.sqrt(800) + 0.05)
