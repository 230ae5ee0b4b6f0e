"""Searches, accelerations and constraints: what they promise beyond plain EM."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

import em
import em.gaussians.steps
from benchmarks.hard_sets import hard_set
from comparisons.datasets import load
from em.ascent.climb import climb
from em.gaussians.mixture import GaussianMixture
from em.gaussians.spread_ratio import SpreadRatio
from em.rows.sample import SAMPLE
from em.uncertainty.curvature import derivatives
from models import CoinParameters, CoinTosses, GaussianParameters, Measurements
from models.gaussians.covariances import CovarianceForm
from models.inputs import Floats
from models.mixtures import MixtureWeights
from tests.problems import problems

HEIGHTS = load("davis").columns["height"]
SAXONY = load("saxony").columns
BOYS = CoinTosses(SAXONY["boys"], 12, counts=SAXONY["families"])
SLOW_START = CoinParameters([0.5, 0.5], [0.4, 0.6])


def overlapping(seed: int) -> Floats:
    """Two normals 2.2 standard deviations apart: EM needs a hundred steps and more."""
    random = np.random.default_rng(seed)
    return np.where(random.random(150) < 0.4, random.normal(size=150), random.normal(2.2, 1.0, size=150))


def test_many_parameters_at_once_give_what_each_gives() -> None:
    for number, problem in enumerate(problems(seed=3, number=60)):
        mixture = problem.mixture
        random = np.random.default_rng(number)
        shares = random.dirichlet(np.ones(mixture.n_components), size=(4, len(mixture.counts)))
        together = mixture.e_step(mixture.start_from(shares))
        stepped = mixture.to_vector(mixture.m_step(together))
        for j, share in enumerate(shares):
            alone = mixture.e_step(mixture.start_from(share))
            assert together.log_likelihood[j] == pytest.approx(alone.log_likelihood, rel=1e-12)
            step = mixture.to_vector(mixture.m_step(alone))
            np.testing.assert_allclose(stepped[j], step, rtol=1e-9, atol=1e-12 * np.abs(step).max())


@pytest.mark.parametrize("number", [0, 3, 6])
def test_the_default_search_finds_what_a_thorough_one_finds(number: int) -> None:
    y, k = hard_set(number)
    thorough = em.gaussian_mixture(y, k, acceleration="squarem", starts="thorough", seed=1)
    default = em.gaussian_mixture(y, k, acceleration="squarem")
    assert default.status == thorough.status == "converged"
    assert default.log_likelihood == pytest.approx(thorough.log_likelihood, abs=1e-6)
    assert sum(m.starts for m in thorough.modes) > sum(m.starts for m in default.modes)


@pytest.mark.parametrize("acceleration", ["newton", "squarem", "anderson"])
def test_acceleration_never_falls_and_reaches_the_limit_of_plain_em_in_fewer_steps(acceleration: Any) -> None:
    start = GaussianParameters([0.5, 0.5], [-1.0, 3.0], [1.0, 1.0])
    for seed in range(4):
        y = overlapping(seed)
        plain = em.gaussian_mixture(y, start=start, acceleration=None)
        fast = em.gaussian_mixture(y, start=start, acceleration=acceleration)
        assert fast.status == plain.status == "converged"
        assert fast.log_likelihood == pytest.approx(plain.log_likelihood, rel=1e-13)
        assert (np.diff(fast.trace) >= -1e-13 * np.abs(fast.trace[0])).all()
        assert fast.extrapolations > 0
        looks = fast.evaluations - len(fast.trace) - fast.refused
        assert looks == 0 if acceleration != "newton" else 0 < looks < fast.extrapolations
        assert fast.evaluations < 0.7 * plain.evaluations
        assert plain.extrapolations == plain.refused == 0
    coins = em.coin_mixture(BOYS, start=SLOW_START, acceleration=acceleration)
    assert coins.status == "converged"
    assert coins.evaluations < 1000, "plain EM takes more than 5000"


@pytest.mark.parametrize("acceleration", ["newton", "squarem", "anderson"])
def test_acceleration_costs_next_to_nothing_where_it_does_not_help(acceleration: Any) -> None:
    for number, problem in enumerate(problems(seed=4, number=80)):
        plain = climb(problem.mixture, problem.start)
        fast = climb(problem.mixture, problem.start, acceleration)
        if plain.ending == fast.ending == "converged" and abs(plain.trace[-1] - fast.trace[-1]) < 1e-6:
            assert fast.evaluations <= 1.1 * plain.evaluations + 12, f"problem {number}"


def test_what_remains_is_no_more_than_the_fit_says() -> None:
    """The limit by Newton's method, which converges where EM is slow."""
    slow: list[em.Fit[Any, Any]] = [em.coin_mixture(BOYS, start=SLOW_START)]
    slow += [em.gaussian_mixture(overlapping(seed), acceleration="squarem") for seed in range(3)]
    for fit in slow:
        mixture: Any = fit._mixture
        assert fit.status == "converged"
        assert fit.rate > 0.8
        inside = mixture.from_vector(mixture.to_vector(fit.parameters))
        if hasattr(mixture, "units"):
            inside = mixture.units.parameters(fit.parameters)
        vector = mixture.to_vector(inside)
        for _ in range(4):
            gradient, hessian, _ = derivatives(mixture, mixture.from_vector(vector))
            basis = mixture.basis
            vector = vector - basis @ np.linalg.solve(basis.T @ hessian @ basis, basis.T @ gradient)
        limit = mixture.e_step(mixture.from_vector(vector)).log_likelihood + mixture.likelihood_offset
        rounding = 64 * np.finfo(float).eps * abs(limit)
        assert limit - fit.log_likelihood <= fit.remaining + rounding
        assert fit.remaining < 1e-12


def test_a_minimum_ratio_is_the_way_out_of_a_degenerate_likelihood() -> None:
    free = em.gaussian_mixture(HEIGHTS)
    assert free.status == "collapsed"
    held = em.gaussian_mixture(HEIGHTS, minimum_ratio=0.1)
    spread = held.parameters.standard_deviations.ravel()
    assert spread.min() / spread.max() == pytest.approx(0.1, rel=1e-6)
    assert held.status == "boundary"
    assert held.modes[0].regular
    assert "minimum_ratio" in str(held.standard_errors.reason)
    assert np.isnan(held.standard_errors.means).all()
    # A ratio of 1 is one variance for both, whose likelihood has a maximum.
    same = em.gaussian_mixture(HEIGHTS, minimum_ratio=1, acceleration="squarem")
    assert same.log_likelihood == pytest.approx(
        em.gaussian_mixture(HEIGHTS, covariance="tied").log_likelihood, abs=1e-7
    )


def test_a_minimum_ratio_that_is_kept_anyway_changes_nothing() -> None:
    y = overlapping(1)
    free, held = em.gaussian_mixture(y), em.gaussian_mixture(y, minimum_ratio=0.2)
    assert held.status == "converged"
    assert held.log_likelihood == pytest.approx(free.log_likelihood, rel=1e-12)
    np.testing.assert_allclose(held.standard_errors.means, free.standard_errors.means, rtol=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_the_constrained_step_is_the_best_under_the_ratio(seed: int) -> None:
    """Against a search over the lower end of the range, the one number that decides."""
    random = np.random.default_rng(seed)
    k, d, least = 3, 2, [0.3, 0.6][seed % 2]
    roots = random.normal(size=(k, d, d)) * random.uniform(0.05, 2, size=(k, 1, 1))
    covariances, rows = roots @ roots.swapaxes(1, 2), random.uniform(1, 50, size=k)
    total = np.array([[2.0, 0.5], [0.5, 1.0]])
    ratio = SpreadRatio.of(least, total, "full")
    found = ratio.constrain(covariances, rows)
    assert ratio.ratio(found) >= least * (1 - 1e-9)
    inside = ratio.into @ covariances @ ratio.into.T
    values, vectors = np.linalg.eigh(inside)

    def cost(matrices: Floats) -> float:
        terms = np.linalg.slogdet(matrices)[1] + np.trace(np.linalg.solve(matrices, inside), axis1=1, axis2=2)
        return float(rows @ terms)

    def at(log_low: Any) -> float:
        low = np.exp(np.ravel(log_low)[0])
        clipped = np.clip(values, low, low / least**2)
        return cost((vectors * clipped[:, None, :]) @ vectors.swapaxes(1, 2))

    best = min(
        minimize(at, [x], method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-12}).fun
        for x in np.linspace(-6, 2, 9)
    )
    assert cost(ratio.into @ found @ ratio.into.T) == pytest.approx(best, rel=1e-9)


def test_a_ratio_that_cannot_be_kept_is_refused() -> None:
    y = overlapping(0)
    for wrong in (0.0, 1.5, -1):
        with pytest.raises(ValueError, match=r"a smallest over a largest standard deviation lies in \(0, 1\]"):
            em.gaussian_mixture(y, minimum_ratio=wrong)
    with pytest.raises(ValueError, match="minimum_ratio is kept by EM alone"):
        em.gaussian_mixture(y, minimum_ratio=0.1, method="bfgs")
    with pytest.raises(
        ValueError, match=r"ratio of standard deviations of 0.1, below minimum_ratio=0.5; start from wider"
    ):
        em.gaussian_mixture(y, minimum_ratio=0.5, start=GaussianParameters([0.5, 0.5], [0, 1], [0.01, 1.0]))
    with pytest.raises(ValueError, match='starts is \'all\'; give "default" or "thorough"'):
        em.gaussian_mixture(y, starts="all")  # type: ignore[arg-type]


def two_clusters() -> Floats:
    """More rows than a search looks at."""
    random = np.random.default_rng(6)
    return random.normal(size=SAMPLE + 1100) + 6.0 * (random.random(SAMPLE + 1100) < 0.4)


def test_steps_of_many_rows_are_those_that_were_asked_for() -> None:
    y = two_clusters()
    plain, squarem, anderson = (em.gaussian_mixture(y, acceleration=a) for a in (None, "squarem", "anderson"))
    assert plain.extrapolations == plain.refused == 0
    assert squarem.extrapolations > 0
    assert anderson.extrapolations > 0
    for fit in (squarem, anderson):
        assert fit.log_likelihood == pytest.approx(plain.log_likelihood, rel=1e-12)
    data = Measurements(y)
    for k in range(plain.iterations):
        step = em.gaussians.steps.m_step(
            em.gaussians.steps.e_step(plain.path[k], data),
            None,
            MixtureWeights.of("free", 2),
            CovarianceForm.of("full"),
        )
        np.testing.assert_allclose(step.means, plain.path[k + 1].means, rtol=1e-9)


class Timid:
    """Guesses that gain a millionth of what an EM step would: from the last point a millionth of the way."""

    demanding, looks = True, 0

    def __init__(self, *_: Any) -> None:
        self.taken: list[bool] = []

    def beyond(self, point: Floats, following: Floats) -> Floats | None:
        self.taken.append(False)
        return point + 1e-6 * (following - point) if len(self.taken) > 1 else None

    def learn(self, *, taken: bool) -> None:
        self.taken[-1] = taken


def test_a_guess_that_gains_less_than_the_next_step_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = GaussianMixture(
        Measurements(two_clusters()[:500]), MixtureWeights.of("free", 2), CovarianceForm.of("full"), None
    )
    start = GaussianParameters([0.5, 0.5], [0.0, 1.0], [1.0, 1.0])
    plain = climb(problem, start, max_iterations=8)
    guesses = Timid()
    monkeypatch.setattr("em.ascent.climb.extrapolation", lambda *_, **__: guesses)
    run = climb(problem, start, max_iterations=8)
    assert (run.extrapolations, run.refused) == (0, 7)
    np.testing.assert_array_equal(run.trace, plain.trace)


def test_a_search_in_a_sample_says_how_many_starts_led_to_an_optimum() -> None:
    fit = em.gaussian_mixture(two_clusters())
    assert fit.modes[0].starts > 10
    assert fit.evaluations > fit.iterations
