"""Claims about PyMC's own mode: where it is, and what is no mode."""

from __future__ import annotations

import numpy as np
import pytest

import em
import models
from models import CoinPrior, CoinTosses, LogPosterior
from tests.declared import Case, canonical, compiled, given


@pytest.mark.parametrize(
    "case",
    [
        Case(0, 2, "free"),
        Case(0, 3, "fixed"),
        Case(1, 2, "fixed", "tied"),
        Case(2, 2, "free"),
        Case(2, 2, "free", "diagonal"),
    ],
    ids=str,
)
def test_the_mode_that_pymc_finds_is_that_of_map_em(case: Case) -> None:
    problem = case.problem(10, n=60)
    maximum = models.find_map(given(problem, compiled(case)), starts=4, seed=3)
    fit = problem.fit(problem.prior)
    assert maximum.kind == "maximum"
    assert maximum.log_posterior == pytest.approx(fit.log_posterior, abs=1e-6)
    found = canonical(problem, problem.from_pymc(maximum.parameters))
    for name in found.__slots__:
        error = getattr(fit.standard_errors, name)
        distance = np.abs(getattr(found, name) - getattr(fit.parameters, name))
        assert (distance <= 1e-3 * error).all(), name


def test_a_saddle_is_told_from_a_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    model = models.coin_mixture(CoinTosses([5, 9, 8, 4, 7], 10), 2, "equal")
    monkeypatch.setattr(LogPosterior, "spread_out_start", lambda density, random, jitter: density.start)
    saddle = models.find_map(model, starts=1)
    np.testing.assert_allclose(saddle.parameters["head_probabilities"], 0.66, rtol=1e-6)
    assert saddle.kind == "saddle"
    monkeypatch.undo()
    mode = models.find_map(model, starts=4)
    assert mode.kind == "maximum"
    np.testing.assert_allclose(np.sort(mode.parameters["head_probabilities"]), [0.5195831, 0.7967891], rtol=1e-5)


def test_a_ridge_is_told_from_a_mode() -> None:
    maximum = models.find_map(models.coin_mixture(CoinTosses([1, 1, 0, 1, 0], 1), 2, "equal"), starts=2)
    assert maximum.kind == "ridge"


def test_a_mode_at_a_bound_is_found() -> None:
    # At the mode one coin always falls heads, which is infinitely far away in unconstrained coordinates; another is inside.
    tosses = CoinTosses([5, 6, 7, 7, 10], 10)
    maximum = models.find_map(models.coin_mixture(tosses, 2, "equal"))
    assert maximum.log_posterior == pytest.approx(em.coin_mixture(tosses, 2, "equal", prior=CoinPrior()).log_posterior)


@pytest.mark.parametrize("unit", [1e-100, *(pytest.param(each, marks=pytest.mark.long) for each in (1e-3, 1e6)), 1e100])
def test_find_map_does_not_depend_on_the_unit(unit: float) -> None:
    random = np.random.default_rng(0)
    y = np.concatenate([random.normal(0, 1, 50), random.normal(5, 1, 50)])
    one, other = (models.find_map(models.gaussian_mixture(y * u, 2)) for u in (1.0, unit))
    assert one.kind == other.kind == "maximum"
    np.testing.assert_allclose(
        np.sort(other.parameters["means"] / unit, axis=0), np.sort(one.parameters["means"], axis=0), rtol=1e-6
    )


def test_a_standard_deviation_that_is_zero_by_rounding_has_no_density() -> None:
    density = LogPosterior(models.gaussian_mixture([1.0, 2.0, 4.0], 2))
    far = density.start.copy()
    far[density.names.index("variances")] = -2000.0
    value, gradient = density.value_and_gradient(far)
    assert value == -np.inf
    assert np.isnan(gradient).all()
