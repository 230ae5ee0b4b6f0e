"""Claims about regressions in a comparison: one density, the default prior, what is identified, order."""

from __future__ import annotations

from typing import Any

import arviz as az
import numpy as np
import pytest

import models
from comparisons.checks.same_density import same_density
from comparisons.families import third_density
from comparisons.problem import em_densities
from models import LogPosterior, RegressionRows
from tests.declared import declare
from tests.regression_rows import PRIOR, crossing, rows


@pytest.mark.parametrize(("covariance", "labelled"), [("own", False), ("tied", True)])
def test_pymc_em_and_the_third_density_are_one(covariance: Any, labelled: bool) -> None:
    problem = declare(rows(5, labelled=labelled), covariance=covariance, prior=PRIOR)
    density, fit = LogPosterior(problem.model()), problem.fit(PRIOR)
    check = same_density(problem, density, [problem.fit(None), fit], np.random.default_rng(1))
    assert check.outcome == "pass", check.explanation
    point = problem.random_parameters(np.random.default_rng(2))
    assert third_density.log_likelihood(problem, point) == pytest.approx(em_densities(problem, point)[0], rel=1e-11)
    x = density.spread_out_start(np.random.default_rng(3))
    value, gradient = density.value_and_gradient(x)
    step = np.random.default_rng(4).normal(size=len(x))
    by_differences = (
        density.value_and_gradient(x + 1e-6 * step)[0] - density.value_and_gradient(x - 1e-6 * step)[0]
    ) / 2e-6
    assert np.isfinite(value)
    assert gradient @ step == pytest.approx(by_differences, rel=1e-5)


def test_the_default_prior_is_worked_out_again_from_the_rows() -> None:
    problem = declare(rows(6))
    for name, expected in third_density.prior_numbers(problem).items():
        np.testing.assert_allclose(getattr(problem.prior, name), expected, rtol=1e-12, atol=1e-13)


def test_few_values_of_the_covariates_do_not_identify_lines() -> None:
    data = rows(1)
    two = RegressionRows(data.y, np.round(data.design[:, 1] > 2))
    problem = declare(two, weights="equal", covariance="tied")
    told = problem.structurally_unidentified()
    assert told is not None
    assert told.startswith("the covariates take only 2 values")
    assert declare(data, weights="equal", covariance="tied").structurally_unidentified() is None
    assert declare(two).structurally_unidentified() is None


def test_components_are_ordered_by_the_coefficient_that_separates_them() -> None:
    problem = declare(crossing())
    fit = problem.fit(problem.prior)
    ordered = problem.ordered_by(fit.parameters)
    told = "by the slope for x, which separates them better than the intercept"
    assert ordered.family.order_told(ordered) == told
    assert ordered.relabelled(fit).parameters.coefficients[0, 1] == pytest.approx(-2, abs=0.3)
    lines = np.random.default_rng(1).normal(size=(2, 5, 2, 2))
    dims = {"coefficients": ["component", "covariate"]}
    tree = az.from_dict(
        {"posterior": {"coefficients": lines, "weights": np.full((2, 5, 2), 0.5)}},
        dims=dims | {"weights": ["component"]},
    )
    drawn: Any = models.canonical_order(tree, order=ordered.order)["posterior"]["coefficients"].values
    np.testing.assert_array_equal(np.sort(lines[..., 1]), drawn[..., 1])
    assert (drawn[..., 0, 0] > drawn[..., 1, 0]).any()
    apart = declare(
        RegressionRows(np.where(np.arange(60) % 2, 6.0, 0.0) + rows(1, n=60).y * 0.1, rows(1, n=60).design[:, 1] - 2)
    )
    assert apart.ordered_by(apart.fit(None).parameters).order.first == 0
