"""Claims about mixtures of gamma-distributed waiting times: reference results, tails, censored rows, collapses, PyMC."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
from scipy import optimize, stats
from scipy.special import expit

import em
from comparisons import datasets
from comparisons.checks.same_density import same_density
from comparisons.families import third_density
from comparisons.problem import em_densities
from comparisons.study.setting import simulate
from comparisons.study.settings import CALIBRATION, SETTINGS
from em import gammas
from em.gamma_tails import tail
from em.gammas import GammaMixture
from em.uncertainty.curvature import derivatives
from models import GammaParameters, GammaPrior, LogPosterior, PositiveTimes
from models.mixtures import MixtureWeights
from tests.declared import declare
from tests.differences import derivatives_are_those_of

PRIOR = GammaPrior(3.2, 0.3, 1.7, 5.0, 1.4)

# By two programs that share nothing with this one: EM and Newton's method in fifty digits, and BFGS with automatic derivatives.
# Log-likelihood; weights, shapes and rates; their standard errors.
REFERENCE: dict[tuple[str, int], tuple[float, list[list[float]], list[list[float]]]] = {
    ("eruptions", 1): (
        -431.776774755309,
        [[1.0], [7.966375788], [2.284080055]],
        [[0.0], [0.669294839], [0.1980708873]],
    ),
    ("eruptions", 2): (
        -276.833574694163,
        [[0.3560899918, 0.6439100082], [63.83574978, 103.7295402], [31.33539654, 24.17946048]],
        [[0.02918396225, 0.02918396225], [10.33532408, 12.47208795], [5.143999104, 2.897017869]],
    ),
    ("waiting", 1): (
        -1102.925120137358,
        [[1.0], [25.12315864], [0.3543610843]],
        [[0.0], [2.140146627], [0.0304895292]],
    ),
    ("waiting", 2): (
        -1033.058212484278,
        [[0.3709220416, 0.6290779584], [79.70567955, 199.7043604], [1.449992362, 2.487341893]],
        [[0.03141436255, 0.03141436255], [14.53577338, 26.8981567], [0.2721224191, 0.3315383412]],
    ),
}


@pytest.mark.parametrize("case", REFERENCE, ids=str)
def test_old_faithful_has_its_reference_results(case: tuple[str, int]) -> None:
    value, parameters, errors = REFERENCE[case]
    fit = em.gamma_mixture(datasets.load("faithful").columns[case[0]], case[1])
    assert fit.status == "converged"
    assert fit.log_likelihood == pytest.approx(value, abs=1e-7)
    for name, estimate, error in zip(("weights", "shapes", "rates"), parameters, errors, strict=True):
        np.testing.assert_allclose(getattr(fit.parameters, name), estimate, rtol=1e-6)
        np.testing.assert_allclose(getattr(fit.standard_errors, name), error, rtol=1e-6)


@pytest.mark.parametrize("shape", [0.05, 0.7, 3.0, 150.0])
@pytest.mark.parametrize("share", [1e-6, 0.3, 1.0, 2.0, 20.0])
def test_tails_are_those_of_thirty_digits(shape: float, share: float) -> None:
    found = tail(np.array([shape]), np.array([shape * share]))
    with mpmath.workdps(30):
        a, x = mpmath.mpf(shape), mpmath.mpf(shape * share)

        def log_tail(b: Any) -> Any:
            return mpmath.log(mpmath.gammainc(b, x))

        probability = log_tail(a) - mpmath.loggamma(a)
        # Cumulants of log u are derivatives of the logarithm of the integral by the shape; moments of u those of other shapes.
        mean = mpmath.gammainc(a + 1, x) / mpmath.gammainc(a, x)
        square = mpmath.gammainc(a + 2, x) / mpmath.gammainc(a, x)
        slope_of_mean = mpmath.diff(lambda b: mpmath.gammainc(b + 1, x) / mpmath.gammainc(b, x), a)
        expected = [
            probability,
            mpmath.diff(log_tail, a),
            mean,
            mpmath.diff(log_tail, a, 2),
            slope_of_mean,
            square - mean**2,
        ]
    np.testing.assert_allclose(np.array(found).ravel(), [float(value) for value in expected], rtol=1e-10, atol=1e-12)


def rows(seed: int, labelled: bool) -> PositiveTimes:
    random = np.random.default_rng(seed)
    waits, limits = random.gamma([[3.0], [9.0]], [[0.5], [1.0]], size=(2, 20)).ravel(), random.uniform(1, 14, 40)
    labels = np.where(random.random(40) < 0.3, random.integers(2, size=40), -1) if labelled else None
    return PositiveTimes(np.minimum(waits, limits), waits > limits, random.integers(1, 4, 40), labels)


def mixture(seed: int, prior: GammaPrior | None, labelled: bool) -> GammaMixture:
    return GammaMixture(rows(seed, labelled), MixtureWeights.of("free", 2), prior)


@pytest.mark.parametrize("labelled", [False, True])
@pytest.mark.parametrize("prior", [None, PRIOR])
def test_densities_and_derivatives_are_those_of_scipy(prior: GammaPrior | None, labelled: bool) -> None:
    one = mixture(3, prior, labelled)
    parameters = GammaParameters([0.3, 0.7], [2.2, 7.0], [1.3, 0.9])

    def height(vector: Any) -> float:
        w, a, b = vector[:2], vector[2:4], vector[4:]
        frozen = stats.gamma(a, scale=1 / b)
        y, cut, known = one.data.y[:, None], one.data.censored[:, None] == 1, one.labels[:, None]
        joint = np.log(w) + np.where(cut, frozen.logsf(y), frozen.logpdf(y))
        by_row = np.logaddexp.reduce(np.where((known < 0) | (known == np.arange(2)), joint, -np.inf), axis=1)
        own = 0.0
        if prior is not None:
            own = stats.gamma(prior.shape_shape, scale=1 / prior.shape_rate).logpdf(a).sum()
            own += (stats.gamma(prior.rate_shape, scale=1 / prior.rate_rate).logpdf(b / a) - np.log(a)).sum()
            own += stats.dirichlet([prior.concentration] * 2).logpdf(w / w.sum())
        return float(one.counts @ by_row + own)

    derivatives_are_those_of(height, one, parameters, 1 / 20)


@pytest.mark.parametrize("prior", [None, PRIOR])
def test_no_step_lowers_the_objective_and_the_last_one_is_stationary(prior: GammaPrior | None) -> None:
    one = mixture(4, prior, labelled=True)
    for seed in range(20):
        random = np.random.default_rng(seed)
        parameters = GammaParameters(random.dirichlet([2, 2]), random.gamma(2, 3, 2), random.gamma(2, 1, 2))
        before = float(one.e_step(parameters).log_likelihood + one.log_prior(parameters))
        after = one.m_step(one.e_step(parameters))
        assert float(one.e_step(after).log_likelihood + one.log_prior(after)) >= before - 1e-11
    fit = em.gamma_mixture(rows(4, True), prior=prior)
    gradient, _, _ = derivatives(one, fit.parameters)
    errors = np.sqrt(np.diag(fit.standard_errors.covariance))
    assert np.abs((gradient @ one.basis) * errors[[0, 2, 3, 4, 5]]).max() < 1e-6


def test_plain_steps_shrink_by_the_rate_that_is_told() -> None:
    fit = em.gamma_mixture(rows(4, True), acceleration=None)
    vectors = np.array([np.concatenate([p.weights, p.shapes, p.rates]) for p in fit.path])
    steps = np.linalg.norm(np.diff(vectors, axis=0), axis=1)
    late = np.flatnonzero(steps > 1e-8)[-1]
    assert steps[late] / steps[late - 1] == pytest.approx(fit.rate, abs=1e-3)


def test_equal_waits_collapse_and_a_component_on_them_is_no_estimate() -> None:
    assert em.gamma_mixture([2.0, 2.0, 2.0], 1).status == "collapsed"
    random = np.random.default_rng(5)
    waits = np.concatenate([random.gamma(3, 1, 60), np.full(3, 2.0)])
    fit = em.gamma_mixture(waits, start=GammaParameters([0.95, 0.05], [3.0, 1e6], [1.0, 5e5]))
    assert fit.status == "collapsed"
    assert not em.gamma_mixture(waits).modes[0].parameters.shapes.max() > 1e4


def test_bad_rows_and_priors_are_named() -> None:
    with pytest.raises(ValueError, match=r"y\[1\] is 0, where a gamma density is 0 or infinite"):
        PositiveTimes([1.0, 0.0])
    with pytest.raises(ValueError, match=r"prior.shape_shape is 1.5; below 2 the prior density is infinite"):
        em.gamma_mixture(rows(1, False), prior=GammaPrior(1.5, 1.0, 2.0, 1.0))
    with pytest.raises(ValueError, match="all waits are equal, so a prior cannot be read off them"):
        GammaPrior.weakly_informative(PositiveTimes([2.0, 2.0]), 1)


@pytest.mark.parametrize("labelled", [False, True])
def test_pymc_em_and_the_third_density_are_one(labelled: bool) -> None:
    problem = declare(rows(5, labelled), prior=PRIOR)
    density, fit = LogPosterior(problem.model()), problem.fit(PRIOR)
    check = same_density(problem, density, [problem.fit(None), fit], np.random.default_rng(1))
    assert check.outcome == "pass", check.explanation
    point = problem.random_parameters(np.random.default_rng(2))
    assert third_density.log_likelihood(problem, point) == pytest.approx(em_densities(problem, point)[0], rel=1e-11)


def test_the_default_prior_is_worked_out_again_from_the_rows() -> None:
    problem = declare(rows(6, False))
    numbers = third_density.prior_numbers(problem)
    assert {name: getattr(problem.prior, name) for name in numbers} == pytest.approx(numbers)


def test_the_gradient_of_censored_waits_exists_wherever_chains_start() -> None:
    """A sampler that meets no number on its way diverges."""
    random = np.random.default_rng(1)
    y, limits = np.concatenate([random.gamma(2, 1, 60), random.gamma(6, 3, 60)]), random.uniform(2, 40, 120)
    density = LogPosterior(declare(PositiveTimes(np.minimum(y, limits), y > limits), prior=PRIOR).model())
    for seed in range(5):
        x = density.spread_out_start(np.random.default_rng(seed))
        step = np.random.default_rng([seed, 1]).normal(size=len(x))
        value, gradient = density.value_and_gradient(x)
        assert np.isfinite(value)

        def along(t: float, x: Any = x, step: Any = step) -> float:
            return density.value_and_gradient(x + t * step)[0]

        by_differences = (along(1e-5) - along(-1e-5)) / 2e-5
        assert gradient @ step == pytest.approx(by_differences, rel=1e-6, abs=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_a_component_that_collapses_onto_a_tie_is_told_without_a_warning(seed: int) -> None:
    fit = em.gamma_mixture([0.5, 1.5, 2.5] * 4, 2, seed=seed)
    assert np.isfinite(fit.log_likelihood)


def test_profile_intervals_of_components_in_the_order_of_their_means_go_past_equal_shapes() -> None:
    random = np.random.default_rng(3)
    y = np.concatenate([random.gamma(7, 1 / 1.2, 40), random.gamma(6, 5, 60)])
    fit = em.gamma_mixture(y, 2)
    shapes = fit.parameters.shapes

    def lost(shape: float) -> float:
        """Nats that are lost with the second shape held, by a search over all else."""

        def minus(t: Any) -> float:
            a, b = np.array([np.exp(t[1]), shape]), np.exp(t[2:4])
            density = stats.gamma.pdf(y[:, None], a, scale=1 / b) @ np.array([expit(t[0]), expit(-t[0])])
            return -float(np.log(density).sum())

        w, rates = fit.parameters.weights, fit.parameters.rates
        start = [np.log(w[0] / w[1]), np.log(shapes[0]), *np.log(rates)]
        return fit.log_likelihood + float(optimize.minimize(minus, start, method="BFGS").fun)

    interval = em.profile_interval(fit, "shapes[2]")
    assert interval.coinciding == (False, False)
    assert [lost(interval.low), lost(interval.high)] == pytest.approx([stats.chi2.ppf(0.94, 1) / 2] * 2, abs=1e-4)


def test_starts_know_that_waits_which_were_cut_short_go_on() -> None:
    waits = simulate(SETTINGS["gammas-censored"], 30008).problem
    mixture = GammaMixture(waits.data, MixtureWeights.of("free", 1), None)
    start = mixture.published(mixture.start_from(np.ones((len(mixture.counts), 1)), wide=False))
    maximum = em.gamma_mixture(waits.data, 1).parameters
    np.testing.assert_allclose(start.means, maximum.means, rtol=1e-3)
    np.testing.assert_allclose(start.shapes, maximum.shapes, rtol=0.02)
    # Starts that took them for over found the maximum that is higher by .92 nats for one seed in six.
    assert waits.fit(None, seed=30008).log_likelihood == pytest.approx(-199.9322467, abs=1e-6)


def test_a_component_that_closes_in_on_one_time_does_not_fall_by_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    """With shapes of 1e14 a log density is rounding of ten nats, and a search ended in `em.ObjectiveDecreased`."""
    # Starts that complete no wait lead there.
    monkeypatch.setattr(gammas, "COMPLETIONS", 0)
    setting = CALIBRATION["sbc-gammas-censored"]
    waits = simulate(setting.of_size(100, simulate(setting, 40052).truth), 40052)
    fit = waits.problem.fit(None, seed=40052)
    assert fit.modes[0].regular
    assert fit.log_likelihood == pytest.approx(-177.6171225, abs=1e-6)
