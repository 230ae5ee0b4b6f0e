"""Rows that a concomitant tells apart: gates run to infinity, and a comparison still says what there is to say."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from comparisons.checks.evidence import curvature_of
from comparisons.checks.stationary import stationary
from comparisons.model_fit.goodness_of_fit import goodness_of_fit
from comparisons.study.setting import simulate
from comparisons.study.settings import CALIBRATION
from models import RegressionRows
from tests.declared import declare


@cache
def problem() -> Any:
    setting = CALIBRATION["sbc-regressions-gated"]
    return simulate(setting.of_size(100, simulate(setting, 40011).truth), 40011).problem


def test_there_is_a_bound_no_curvature_and_no_profile_interval() -> None:
    asked = problem()
    fit = asked.fit(None, seed=40011)
    assert fit.status == "boundary"
    assert np.abs(fit.parameters.gating).max() > 100
    assert curvature_of(asked, None, fit) is None
    reason = fit.standard_errors.reason
    check = stationary(None, asked.names, reason)
    assert check.outcome == "not applicable"
    assert "gating coefficients run to infinity" in check.explanation
    interval = asked.profile_interval(fit, "coefficients[1, x]", 0.94)
    assert np.isnan([interval.low, interval.high]).all()
    assert interval.reason == reason


def test_a_point_on_the_way_there_has_no_curvature_either() -> None:
    """Its derivatives have digits still, and by them EM stopped 1e9 standard errors short: a comparison said `wrong`."""
    random = np.random.default_rng(1)
    age, dose = random.uniform(20, 80, 250), random.normal(size=250)
    y = np.where(age > 50, 10 - 0.5 * dose, 1.7 + 1.5 * dose) + random.normal(size=250)
    asked = declare(RegressionRows(y, dose).with_concomitants(age), family="regressions")
    fit = asked.fit(None, seed=1)
    assert fit.status == "boundary"
    assert curvature_of(asked, None, fit) is None


def test_rows_that_are_simulated_from_there_are_fitted() -> None:
    asked = problem()
    goodness_of_fit(asked, asked.fit(None, seed=40011), np.random.default_rng(1))
