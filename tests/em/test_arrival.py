"""When a run stops: "converged" says how far the log-likelihood is from its limit, on problems where EM is slow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import em
from comparisons.datasets import load
from em.ascent import arrival
from em.ascent.climb import Climb, climb
from em.coins.mixture import CoinMixture
from em.gaussians.mixture import GaussianMixture
from em.mixture import EPSILON
from em.uncertainty.curvature import curvature
from models import CoinParameters, CoinTosses, GaussianParameters, Measurements
from models.gaussians.covariances import CovarianceForm
from models.mixtures import MixtureWeights

FREE = MixtureWeights.of("free", 2)


def families() -> tuple[Any, Any]:
    """Boys in families of twelve: plain EM takes thousands of steps."""
    saxony = load("saxony").columns
    boys = CoinTosses(saxony["boys"], 12, counts=saxony["families"])
    return CoinMixture(boys, FREE, None), CoinParameters([0.5, 0.5], [0.4, 0.6])


def overlapping(apart: float, d: int = 1) -> tuple[Any, Any]:
    """Two normals in ``d`` dimensions, their means ``apart`` standard deviations from each other in each."""
    random = np.random.default_rng(1)
    y = random.normal(size=(300, d)) + np.where(random.random(300) < 0.4, 0.0, apart)[:, None]
    mixture = GaussianMixture(Measurements(y), FREE, CovarianceForm.of("full"), None)
    start = GaussianParameters([0.5, 0.5], np.array([[-1.0], [1.0]]) * np.ones(d), [np.eye(d)] * 2)
    return mixture, start


SLOW = {"families": families(), "2.2 apart": overlapping(2.2), "two features": overlapping(1.8, 2)}


def left(mixture: Any, run: Climb) -> float:
    """Nats to the limit, by the quadratic with the objective's two first derivatives where the run ended."""
    judged = curvature(mixture, mixture.from_vector(run.points[-1]))
    assert judged.kind == "maximum"
    return 0.5 * judged.decrement**2


@pytest.mark.parametrize("acceleration", [None, "newton", "squarem", "anderson"])
@pytest.mark.parametrize("name", SLOW)
def test_a_run_that_looks_at_the_curvature_stops_within_the_stated_distance(name: str, acceleration: Any) -> None:
    mixture, start = SLOW[name]
    run = climb(mixture, start, acceleration)
    assert run.ending == "converged"
    assert left(mixture, run) < 0.5 * arrival.DISTANCE**2


@pytest.mark.parametrize("acceleration", [None, "newton", "squarem", "anderson"])
@pytest.mark.parametrize("name", SLOW)
def test_aitkens_estimate_alone_stops_where_no_more_is_left_than_it_says(
    name: str, acceleration: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrival, "MOST_PARAMETERS", 0)
    mixture, start = SLOW[name]
    run = climb(mixture, start, acceleration)
    rounding = 4 * EPSILON * abs(run.trace[-1])
    assert run.ending == "converged"
    assert run.judged is None
    assert run.remaining <= max(arrival.CHANGE, rounding)
    # The rate is estimated too, where extrapolations hide the slowest direction in most steps: an order of magnitude.
    assert left(mixture, run) <= (1.01 if acceleration is None else 10) * run.remaining


def test_the_limit_of_a_slow_problem_is_within_what_remains() -> None:
    """The limit by two thousand more plain steps, which at its rate shrink what is left by thirty digits."""
    mixture, start = SLOW["2.2 apart"]
    run = climb(mixture, start)
    assert run.rate < 0.98
    parameters = mixture.from_vector(run.points[-1])
    for _ in range(2000):
        parameters = mixture.m_step(mixture.e_step(parameters))
    limit = mixture.e_step(parameters).log_likelihood
    assert limit - run.trace[-1] <= run.remaining + 16 * EPSILON * abs(limit)


def test_a_last_step_that_is_small_does_not_stop_a_slow_run() -> None:
    mixture, start = SLOW["families"]
    run = climb(mixture, start)
    small = int(np.argmax(np.diff(run.trace) < 1e-6)) + 1
    assert run.trace[-1] - run.trace[small] > 1e-4
    assert run.rate == pytest.approx(curvature(mixture, mixture.from_vector(run.points[-1])).rate, rel=1e-3)


def test_a_model_of_very_many_parameters_needs_no_information() -> None:
    random = np.random.default_rng(1)
    k, d = 10, 14
    centres = random.normal(scale=1.2, size=(k, d))
    y = centres[random.integers(k, size=4000)] + random.normal(size=(4000, d))
    start = GaussianParameters(np.full(k, 1 / k), centres, [np.eye(d)] * k)
    fit = em.gaussian_mixture(y, k, start=start)
    assert len(fit.standard_errors.names) > arrival.MOST_PARAMETERS
    assert fit.status == "converged"
    assert "more than the fit" in str(fit.standard_errors.reason)
    assert np.isnan(fit.standard_errors.means).all()
    assert 0 < fit.rate < 1
    assert fit.remaining <= 4 * EPSILON * abs(fit.log_likelihood)
    assert np.isnan(fit.decrement)
