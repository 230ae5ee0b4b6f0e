"""Claims about regular optima that a reader should doubt: which are, and that the numbers told of them are right."""

from __future__ import annotations

import numpy as np
import pytest

import em
from comparisons.datasets import load
from comparisons.results.result import Check
from comparisons.summary import verdict
from em.search.doubts import MINIMUM_RATIO, RIVAL, Doubt
from models import CoinTosses, Measurements
from tests.declared import declare

WAITING = load("faithful").columns["waiting"]
VELOCITIES = load("galaxies").columns["velocity_km_s"]
HEIGHTS = np.delete(load("davis").columns["height"], 11)


def test_a_narrow_component_is_doubted_with_its_numbers() -> None:
    fit = em.gaussian_mixture(VELOCITIES, 4)
    assert fit.status == "converged"
    spreads = fit.parameters.standard_deviations.ravel()
    shares = fit.responsibilities(VELOCITIES)
    regular = [m.log_likelihood for m in fit.modes if m.regular]
    held = em.gaussian_mixture(VELOCITIES, 4, minimum_ratio=MINIMUM_RATIO, acceleration="squarem")
    narrow = np.flatnonzero(spreads < MINIMUM_RATIO * spreads.max())
    assert [d.component for d in fit.doubts] == narrow.tolist() != []
    for doubt in fit.doubts:
        assert doubt.ground == "narrow component"
        assert doubt.spread_ratio == pytest.approx(spreads[doubt.component] / spreads.max(), rel=1e-9)
        assert doubt.rows == pytest.approx(shares[:, doubt.component].sum(), rel=1e-9)
        assert doubt.below == pytest.approx(regular[0] - regular[1], abs=1e-6)
        assert doubt.below_at_ratio == pytest.approx(fit.log_likelihood - held.log_likelihood, abs=1e-3)
        assert f"about {doubt.rows:{'.0f' if doubt.rows >= 10 else '.2g'}} rows" in doubt.told()
        assert f"Component {'abcd'[doubt.component]} has about" in doubt.told("abcd")


def test_many_rows_that_could_as_well_be_wider_are_not_called_chance() -> None:
    told = {below: Doubt("narrow component", 0, 0.2, 40, 9.0, below, 10.0).told() for below in (0.8, 6.0, 30.0)}
    assert told[0.8].endswith("The data hardly ask for one so narrow.")
    assert "hance" not in told[0.8]
    chance = "By chance alone, a narrow component that is not real can raise the log density by 10, more than"
    assert told[6.0].endswith(f"without so narrow a component. {chance} the 6 here. So this one may be spurious.")
    assert told[30.0].endswith(f"{chance} what its own rows gain here. So this one may be spurious.")


def test_an_almost_equal_maximum_is_a_rival() -> None:
    fit = em.gaussian_mixture(HEIGHTS)
    best, second = [m.log_likelihood for m in fit.modes if m.regular][:2]
    (doubt,) = fit.doubts
    assert doubt.ground == "close rival"
    assert doubt.below == pytest.approx(best - second, abs=1e-6)
    assert doubt.below < RIVAL
    assert em.coin_mixture(CoinTosses([1, 2, 5, 8, 9, 9], 10), 2).doubts == ()


def test_a_component_of_a_single_row_is_doubted_where_it_is_regular() -> None:
    fit = em.gaussian_mixture(np.append(WAITING, 1e4), 2, "tied")
    assert fit.status == "converged"
    (doubt,) = fit.doubts
    assert (doubt.ground, doubt.component) == ("few rows", 1)
    assert doubt.rows == pytest.approx(1, abs=1e-9)
    assert doubt.spread_ratio == pytest.approx(1)


def test_what_many_rows_support_is_not_doubted() -> None:
    random = np.random.default_rng(0)
    peak = np.concatenate([random.normal(0.3, 0.02, size=200), random.normal(size=100)])
    far = np.concatenate([random.normal(size=50), random.normal(9999, 1, size=50)])
    for y in (peak, far, WAITING):
        fit = em.gaussian_mixture(y)
        assert fit.status == "converged"
        assert fit.doubts == ()


def test_the_verdict_says_the_doubts() -> None:
    problem = declare(Measurements(VELOCITIES), 4)
    fit = problem.fit(None)
    check = Check("stationary", "", "pass", 0.0, 1.0, "")
    reached, _, reasons = verdict.reach([check], [], fit, problem, modes="one")
    assert reached == "agree"
    assert fit.doubts
    for doubt in fit.doubts:
        assert any(doubt.told() in reason for reason in reasons)
