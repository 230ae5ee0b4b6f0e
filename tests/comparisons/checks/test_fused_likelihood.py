"""A likelihood that is sampled in one compiled pass is held against PyMC's own distributions, value and gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from comparisons.checks.same_density import same_density
from comparisons.families import family
from comparisons.families.mixtures import MixtureProblem
from comparisons.results.result import Check
from models import CoinTosses, EventCounts, GaussianParameters, LogPosterior, Measurements, WaitingTimes
from models.compiled import operation
from tests.declared import declare

N = 80


def coins() -> Any:
    return CoinTosses(np.arange(N) % 13, 15, labels=np.where(np.arange(N) % 9 == 0, np.arange(N) % 2, -1))


def normals() -> Any:
    y = np.random.default_rng(6).normal(size=(N, 2)) * [1.0, 40.0]
    return Measurements(y + 100 + 5.0 * (np.arange(N) % 2)[:, None], np.arange(N) % 3 + 1)


def poissons() -> Any:
    return EventCounts(np.random.default_rng(6).poisson(2 + 6 * (np.arange(N) % 2)), np.linspace(0.5, 2, N))


def waits() -> Any:
    return WaitingTimes(np.random.default_rng(6).exponential(1 + 6 * (np.arange(N) % 2)), np.arange(N) % 5 == 0)


KINDS: dict[str, Callable[[], Any]] = {
    "coins": coins,
    "gaussians": normals,
    "poissons": poissons,
    "exponentials": waits,
}


def checked(kind: str) -> tuple[MixtureProblem, Check]:
    problem = replace(declare(KINDS[kind](), family=kind), fused_from=1)
    fits = [problem.fit(problem.prior)]
    return problem, same_density(problem, LogPosterior(problem.model()), fits, np.random.default_rng(7))


@pytest.mark.parametrize(("width", "likelihood"), [(0.1, "fused"), (1e-5, "pymc")])
def test_near_narrow_components_the_likelihood_is_of_pymcs_own_distributions(width: float, likelihood: str) -> None:
    rows = np.random.default_rng(6).normal(size=(N, 2)) * [1.0, 40.0]
    rows[: N // 2] = rows[0] + width * rows[: N // 2]
    problem = replace(declare(Measurements(rows), family="gaussians"), fused_from=1)
    halves = [rows[: N // 2], rows[N // 2 :]]
    point = GaussianParameters([0.5, 0.5], [y.mean(axis=0) for y in halves], [np.cov(y.T) for y in halves])
    assert problem.sampled_near(problem.fit(problem.prior).parameters, point).likelihood == likelihood


@pytest.mark.parametrize("kind", KINDS)
def test_the_check_says_what_was_sampled_and_that_it_is_pymcs(kind: str) -> None:
    problem, check = checked(kind)
    assert check.outcome == "pass", check.explanation
    assert f"because there are {problem.n:,} rows" in check.explanation
    assert "value and gradient" in check.explanation


def test_few_rows_are_sampled_by_pymcs_own_distributions() -> None:
    problem = declare(coins())
    assert problem.likelihood == "pymc"
    assert problem.of_some_rows(np.random.default_rng(0)) is None
    assert replace(problem, fused_from=len(problem.data.counts)).likelihood == "fused"
    assert replace(problem, fused_from=len(problem.data.counts) + 1).likelihood == "pymc"
    assert family.FUSED_ROWS > N
    assert replace(problem, fused_from=1).structure != problem.structure


def test_a_slip_in_the_gradient_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """One part in a million, in a gradient that nothing else of the densities looks at."""
    right = operation.ValueAndSums.perform

    def wrong(self: Any, node: Any, inputs: Any, outputs: Any) -> None:
        right(self, node, inputs, outputs)
        outputs[1][0] = outputs[1][0] * [1.0, 1 + 1e-6, 1.0, 1.0]

    monkeypatch.setattr(operation.ValueAndSums, "perform", wrong)
    check = checked("coins")[1]
    assert (check.outcome, check.engine) == ("fail", "pymc")
    assert "The gradient of the fused likelihood" in check.explanation


def test_a_slip_in_the_value_that_em_shares_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a pass that EM's E-step would run over too; here only some rows are off, so that the whole data agree."""
    right = operation.ValueAndSums.perform

    def wrong(self: Any, node: Any, inputs: Any, outputs: Any) -> None:
        right(self, node, inputs, outputs)
        outputs[0][0] = np.array(outputs[0][0] + 1e-4 * (inputs[1].size < 60))

    monkeypatch.setattr(operation.ValueAndSums, "perform", wrong)
    monkeypatch.setattr("comparisons.families.mixtures.SOME_ROWS", 30)
    check = checked("gaussians")[1]
    assert (check.outcome, check.engine) == ("fail", "pymc")
    assert "The value of the fused likelihood" in check.explanation
