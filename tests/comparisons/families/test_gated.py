"""Claims about regressions in a comparison whose weights depend on concomitants."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest

import comparisons
import em
from comparisons import families, own
from comparisons.checks.change_of_variables import jacobian_error
from comparisons.checks.same_density import same_density
from comparisons.families import third_density
from comparisons.families.mixtures import MixtureProblem
from comparisons.families.regressions.rows import weights_of_rows
from comparisons.problem import em_densities
from comparisons.quantity_names import grouped
from comparisons.study import faults
from comparisons.study.setting import simulate
from comparisons.study.settings import SETTINGS
from models import LogPosterior, RegressionRows
from tests.declared import declare


def rows(n: int = 80, k: int = 2) -> RegressionRows:
    """Lines whose weights depend on two concomitants, one far from 0 and the other a covariate too."""
    random = np.random.default_rng(8)
    x, w = random.normal(size=n), random.normal(1000, 20, size=n)
    odds = np.outer(0.05 * (w - 1000) + 0.5 * x, np.arange(k))
    z = (odds + random.gumbel(size=odds.shape)).argmax(axis=1)
    y = 4.0 * z + np.where(z, -1, 2) * x + random.normal(size=n) * 0.8
    labels = np.where(random.random(n) < 0.1, z, -1) if k == 2 else None
    data = RegressionRows(y, x, random.integers(1, 3, n), labels)
    return data.with_concomitants(np.column_stack([w, x]), ["year", "x"])


@pytest.mark.parametrize(("k", "covariance"), [(2, "own"), pytest.param(3, "tied", marks=pytest.mark.long)])
def test_em_pymc_and_the_third_density_are_one(k: int, covariance: Any) -> None:
    problem = declare(rows(k=k), k, covariance=covariance)
    density = LogPosterior(problem.model())
    fits = [problem.fit(None), problem.fit(problem.prior)]
    check = same_density(problem, density, fits, np.random.default_rng(1))
    assert check.outcome == "pass", check.explanation
    point = problem.random_parameters(np.random.default_rng(2))
    told = third_density.log_likelihood(problem, point), third_density.log_prior(problem, point)
    np.testing.assert_allclose(told, em_densities(problem, point), rtol=1e-11)
    for name, expected in third_density.prior_numbers(problem).items():
        np.testing.assert_allclose(getattr(problem.prior, name), expected, rtol=1e-11, atol=1e-13)
    assert jacobian_error(problem, density, density.spread_out_start(np.random.default_rng(3))) < 1e-6


def test_quantities_are_effects_on_log_odds_by_name_and_back() -> None:
    problem = declare(rows(k=3), 3)
    fit = problem.fit(None)
    told = problem.of_fit(fit)
    gating = fit.parameters.gating
    assert told["log_odds[3, 1, year]"][0] == pytest.approx(gating[2, 0] - gating[0, 0])
    arrays = problem.arrays(fit.parameters)
    values = problem.quantities(arrays)
    assert set(values) == set(told)
    slopes = problem.gradients(fit.parameters)
    for name, slope in slopes.items():
        variance = slope @ fit.standard_errors.covariance @ slope
        assert np.sqrt(variance) == pytest.approx(told[name][1], rel=1e-9), name
    again = problem.arrays_of({name: np.array([value]) for name, value in values.items()})
    for name, array in arrays.items():
        np.testing.assert_allclose(again[name][0], array, rtol=1e-10, atol=1e-12)
    entries = problem.entries(fit.parameters)
    mixture: Any = fit._mixture
    np.testing.assert_allclose(entries, mixture.to_vector(fit.parameters))
    assert grouped(["log_odds[2, 1, year]", "log_odds[3, 1, year]"]) == [
        "effect of “year” on the log odds of components 2 and 3 against component 1"
    ]
    # Another order of the components is told against another one.
    turned = problem.quantities(problem.arrays(fit.parameters.permuted([2, 1, 0])))
    back = turned["log_odds[3, 1, year]"]
    assert back == pytest.approx(-values["log_odds[3, 1, year]"])


def test_simulated_rows_have_weights_of_their_own() -> None:
    problem = declare(rows(400))
    p = problem.fit(problem.prior).parameters
    random = np.random.default_rng(5)
    shares = weights_of_rows(problem.data, p)[:, 1]
    high = shares > np.median(shares)
    found = []
    for drawn in problem.simulation.replicates([p] * 20, random):
        own_shares = em.regression_mixture(problem.data, n_components=2, start=p).responsibilities(drawn)[:, 1]
        by_year = drawn.concomitants[:, 0] > np.median(drawn.concomitants[:, 0])
        found.append(own_shares[by_year].mean() - own_shares[~by_year].mean())
    assert np.mean(found) > 0.2
    assert shares[high].mean() - shares[~high].mean() > 0.2


def test_columns_of_a_table_may_be_what_weights_depend_on() -> None:
    data = rows()
    x, (year, _) = data.design[:, 1], data.concomitants.T
    table = {"y (mm)": data.y, "x": x, "year": year}
    asked = own.declared(table, "regressions", 2, columns=["y", "x"], concomitants=["year", "x"])
    c = asked.comparison
    assert c.features == ("y", "x", "weights ~ year", "weights ~ x")
    assert asked.asked["concomitants"] == ["year", "x"]
    assert any(note.startswith("Weights are told at the average of what they depend on: year") for note in asked.notes)
    problem = families.problem(c, c.data(asked.dataset))
    np.testing.assert_array_equal(problem.declared.columns, np.column_stack([data.y, x, year, x]))
    line = own.declared({"y": data.y, "x": x, "year": year}, None, 2, formula="y ~ x + I(x**2)", concomitants="year")
    assert line.comparison.features[-1] == "weights ~ year"
    with pytest.raises(ValueError, match="weights of gaussians depend on nothing; leave it out"):
        own.declared(table, "gaussians", 2, columns=["y"], concomitants="year")
    with pytest.raises(ValueError, match="n_components is 1, whose weight depends on nothing"):
        comparisons.compare(table, "regressions", 1, columns=["y", "x"], concomitants="year")


@pytest.mark.parametrize("name", ["em-concomitants-ignored", "pymc-weights-at-zero"])
def test_a_fault_of_the_gating_is_seen_and_its_engine_named(name: str) -> None:
    fault = faults.FAULTS[name]
    (setting,) = fault.settings
    problem: MixtureProblem = simulate(SETTINGS[setting], 3).problem
    with ExitStack() as stack:
        stack.enter_context(fault.planted(problem))
        fits = [problem.fit(None), problem.fit(problem.prior)]
        check = same_density(problem, LogPosterior(problem.model()), fits, np.random.default_rng(1))
    assert check.outcome == "fail"
    assert check.engine in fault.engines
