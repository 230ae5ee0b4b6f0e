"""Quantities and canonical order are read twice: what is wrong in the reading that both sides share is found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

import models
from comparisons import quantities
from comparisons.families import third_reading
from comparisons.families.mixtures import MixtureProblem, exchangeable
from comparisons.results.result import Check
from tests.declared import CASES, Case, compiled, given

CHAINS, DRAWS = 2, 15


def sampled(problem: MixtureProblem, case: Case) -> tuple[Any, Any]:
    """Points anywhere, as a sampler would return them, and the groups of components."""
    density, random = given(problem, compiled(case)), np.random.default_rng(5)
    points = [density.natural(density.start + 0.7 * random.normal(size=density.size)) for _ in range(CHAINS * DRAWS)]
    dims = {v.name: density.model.named_vars_to_dims[v.name] for v in density.model.unobserved_RVs}
    arrays = {n: np.stack([p[n] for p in points]).reshape(CHAINS, DRAWS, *points[0][n].shape) for n in dims}
    posterior = xr.Dataset({n: (("chain", "draw", *dims[n]), arrays[n]) for n in dims})
    return xr.DataTree.from_dict({"posterior": posterior}), exchangeable(density.model)


def read(case: Case, labels: Any = "hidden") -> Check | None:
    problem = case.problem(4, labels)
    tree, groups = sampled(problem, case)
    ordered = models.canonical_order(tree, groups)["posterior"].to_dataset()
    fit = problem.fit(problem.prior)
    estimates = [(fit.parameters, quantities.of_parameters(problem, fit.parameters))]
    values = quantities.of_draws(problem, ordered)
    return third_reading.misread(problem, tree["posterior"].to_dataset(), values, estimates)


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("labels", ["hidden", "partly known"])
def test_both_readings_are_the_same(case: Case, labels: Any) -> None:
    assert read(case, labels) is None


def found(check: Check | None, *told: str) -> None:
    assert check is not None
    assert (check.name, check.outcome, check.engine) == ("draws-belong", "fail", "comparison")
    assert all(words in check.explanation for words in told)


ONE, PLANE, COINS = Case(1, 2, "free"), Case(2, 2, "free"), Case(0, 3, "free")


def test_variances_called_standard_deviations_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = MixtureProblem.quantities

    def squared(problem: MixtureProblem, arrays: dict[str, Any]) -> dict[str, Any]:
        return {n: v**2 if n.startswith("standard_dev") else v for n, v in right(problem, arrays).items()}

    monkeypatch.setattr(MixtureProblem, "quantities", squared)
    found(read(ONE), "standard_deviations[", "of the draws is")


@pytest.mark.parametrize("case", [ONE, PLANE, COINS], ids=str)
def test_a_wrong_canonical_order_is_found(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    right = models.mixtures.canonical_permutation

    def descending(keys: Any, groups: Any) -> Any:
        return right(-np.asarray(keys), groups)

    for module in ("models.mixtures", "models.draws"):
        monkeypatch.setattr(f"{module}.canonical_permutation", descending)
    found(read(case))


def test_an_order_by_weight_is_found_of_the_estimate_too(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = ONE.problem(4)
    fit = problem.fit(problem.prior)
    turned = fit.parameters.permuted([1, 0])
    tree, groups = sampled(problem, ONE)
    values = quantities.of_draws(problem, models.canonical_order(tree, groups)["posterior"].to_dataset())
    estimates = [(turned, quantities.of_parameters(problem, turned))]
    found(third_reading.misread(problem, tree["posterior"].to_dataset(), values, estimates), "EM's estimate")


def test_a_quantity_of_one_component_under_the_name_of_another_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = MixtureProblem.quantities

    def rotated(problem: MixtureProblem, arrays: dict[str, Any]) -> dict[str, Any]:
        sound = right(problem, arrays)
        a, b = (f"covariances[{name}, 1, 2]" for name in ("1", "2"))
        return sound | {a: sound[b], b: sound[a]}

    monkeypatch.setattr(MixtureProblem, "quantities", rotated)
    found(read(PLANE), "covariances[1, 1, 2]")


def test_a_chance_that_forgets_the_weights_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = MixtureProblem.quantities

    def unweighted(problem: MixtureProblem, arrays: dict[str, Any]) -> Any:
        return right(problem, arrays) | {"chance_of_heads": arrays["head_probabilities"].mean(axis=-1)}

    monkeypatch.setattr(MixtureProblem, "quantities", unweighted)
    found(read(COINS), "chance_of_heads")


def test_a_draw_that_is_not_a_number_is_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    right = MixtureProblem.quantities

    def lost(problem: MixtureProblem, arrays: dict[str, Any]) -> dict[str, Any]:
        sound = right(problem, arrays)
        return sound | {"chance_of_heads": sound["chance_of_heads"] * np.nan}

    monkeypatch.setattr(MixtureProblem, "quantities", lost)
    found(read(COINS), "chance_of_heads")
