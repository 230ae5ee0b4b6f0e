"""Claims about what is a quantity: all that the declaration leaves free, once, and nothing that it holds."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xarray as xr

from comparisons import quantities
from comparisons.families.mixtures import drawn, exchangeable
from comparisons.posterior.nuts import described
from em.uncertainty.quantities import quantity as quantity_of
from tests.declared import CASES, Case

each_case = pytest.mark.parametrize("case", CASES, ids=str)


@each_case
def test_no_quantity_is_constant_by_declaration_and_none_is_listed_twice(case: Case) -> None:
    problem = case.problem(1)
    random = np.random.default_rng(2)
    at = [quantities.of_parameters(problem, problem.random_parameters(random)) for _ in range(20)]
    table = np.array([list(point.values()) for point in at])
    assert (np.ptp(table, axis=0) > 0).all()
    assert len(np.unique(table, axis=1).T) == len(quantities.names(problem)) == table.shape[1]


@each_case
def test_every_free_parameter_moves_some_quantity(case: Case) -> None:
    problem = case.problem(1)
    mixture: Any = problem.mixture(None)
    at = problem.random_parameters(np.random.default_rng(3))
    slopes = problem.gradients(at)
    moved = np.array([mixture.basis.T @ slope for slope in slopes.values()])
    assert (np.abs(moved).max(axis=1) > 0).all()
    # Quantities are in units that differ by orders of magnitude.
    unit = np.abs(moved).max(axis=1, keepdims=True)
    assert np.linalg.matrix_rank(moved / unit, tol=1e-6) == mixture.basis.shape[1]


@each_case
def test_em_names_every_quantity(case: Case) -> None:
    problem = case.problem(1)
    mixture: Any = problem.mixture(None)
    at = problem.random_parameters(np.random.default_rng(4))
    names = problem.em_names
    for name, value in quantities.of_parameters(problem, at).items():
        assert quantity_of(mixture, names[name]).told(mixture.to_vector(at)) == pytest.approx(value, rel=1e-12)


@each_case
def test_draws_of_every_quantity_have_an_r_hat(case: Case) -> None:
    problem = case.problem(1)
    model = problem.model()
    draws = drawn(problem.family, problem.comparison, problem.prior, exchangeable(model), 400, np.random.default_rng(5))
    dims = ("component", "feature", "feature_2")
    variables = {
        name: (("chain", "draw", *dims[: values.ndim - 1]), values.reshape(4, 100, *values.shape[1:]))
        for name, values in draws.items()
    }
    every = ("energy", "max_energy_error", "diverging")
    statistics = {name: (("chain", "draw"), np.zeros((4, 100))) for name in every}
    statistics["logp"] = (("chain", "draw"), np.random.default_rng(6).normal(size=(4, 100)))
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset(variables), "sample_stats": xr.Dataset(statistics)})
    density: Any = SimpleNamespace(model=model)
    summary = described(problem, density, tree, 0.9, 0).summary
    assert list(summary.index) == [*quantities.names(problem), "log_density"]
    assert np.isfinite(summary["r_hat"]).all()


@pytest.mark.parametrize(
    ("covariance", "prior", "formula"),
    [
        ("full", "covariances[k] ~ inverse-Wishart(", "Normal(means[z[i]], covariances[z[i]])"),
        ("tied", "covariances ~ inverse-Wishart(", "Normal(means[z[i]], covariances)"),
        ("diagonal", "covariances[k, 2, 2] ~ inverse-gamma(", "Normal(means[z[i]], covariances[z[i]])"),
        ("tied-diagonal", "covariances[2, 2] ~ inverse-gamma(", "Normal(means[z[i]], covariances)"),
        ("spherical", "variances[k] ~ inverse-gamma(", "Normal(means[z[i]], variances[z[i]] I)"),
        ("tied-spherical", "variances ~ inverse-gamma(", "Normal(means[z[i]], variances I)"),
    ],
)
def test_the_model_is_told_as_its_form_has_it(covariance: Any, prior: str, formula: str) -> None:
    told = Case(2, 2, "free", covariance).problem(1).in_words()
    assert any(line.startswith(prior) for line in told.prior)
    assert formula in told.formula[-1]
