"""Claims about the check that asks whether EM found the best mode: draws of a better one are followed and adopted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from comparisons import best_mode as modes
from comparisons.engines import Problem
from comparisons.result import Check
from models import (
    GaussianParameters,
    GaussianPrior,
    Measurements,
)
from tests.declared import declare

# Three clumps for two components: either two of them are one component, with a better and a worse choice.
CLUMPS = declare(
    Measurements(np.concatenate([np.linspace(-1, 1, 15) + centre for centre in (0.0, 8.0, 15.0)])),
    prior=GaussianPrior(mean=7.5, shrinkage=0.01, degrees_of_freedom=5, scale=5.0),
)


def modes_of_clumps() -> tuple[Any, Any]:
    starts = [GaussianParameters([w, 1 - w], m, [4, 4]) for w, m in ((1 / 3, [0, 11.5]), (2 / 3, [4, 15]))]
    fits = [CLUMPS.fit(CLUMPS.prior, start=start) for start in starts]
    better, worse = sorted(fits, key=lambda fit: -float(fit.log_posterior or 0.0))
    assert float(better.log_posterior or 0) > float(worse.log_posterior or 0) + 0.1
    return better, worse


def draws_at(problem: Problem, parameters: list[Any], log_density: list[float]) -> Any:
    """Two chains that have visited these parameters."""
    import xarray as xr

    points = [problem.to_pymc(p) for p in parameters]
    variables: dict[str, Any] = {}
    for name in points[0]:
        values = np.array([[point[name] for point in points]] * 2)
        variables[name] = (("chain", "draw", *(f"{name}_{j}" for j in range(values.ndim - 2))), values)
    if isinstance(parameters[0], GaussianParameters):
        covariances = np.array([[p.covariances for p in parameters]] * 2)
        variables["covariances"] = (("chain", "draw", "component", "feature", "feature_2"), covariances)
    statistics = {"logp": (("chain", "draw"), np.array([log_density] * 2))}
    return xr.DataTree.from_dict({"posterior": xr.Dataset(variables), "sample_stats": xr.Dataset(statistics)})


def best_mode(map_fit: Any, visited: list[Any]) -> tuple[Any, Any, Check]:
    tree = draws_at(CLUMPS, visited, [0.0] * len(visited))
    fit = CLUMPS.fit(None)
    found = modes.best_mode(CLUMPS, fit, map_fit, tree["posterior"].to_dataset(), tree, seed=1)
    return found.fit, found.map_fit, found.check


def near(parameters: Any) -> Any:
    return GaussianParameters(parameters.weights, parameters.means + 0.1, parameters.covariances * 1.1)


def test_draws_of_no_better_mode_leave_the_fit_as_it_is() -> None:
    better, worse = modes_of_clumps()
    _, kept, check = best_mode(better, [near(better.parameters), near(worse.parameters), near(better.parameters)])
    assert kept is better
    assert check.outcome == "pass"


def test_a_better_mode_among_the_draws_is_adopted() -> None:
    better, worse = modes_of_clumps()
    _, adopted, check = best_mode(worse, [near(better.parameters)] * 3)
    assert adopted.log_posterior == pytest.approx(better.log_posterior, abs=1e-9)
    assert check.outcome == "pass"
    assert check.statistic == pytest.approx(better.log_posterior - worse.log_posterior, abs=1e-6)


def test_a_better_mode_that_ems_own_search_misses_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    better, worse = modes_of_clumps()
    right = Problem.fit

    def blind(self: Problem, prior: Any, start: Any = None, seed: int = 0, **options: Any) -> Any:
        return right(self, prior, start, seed, **options) if start is not None or prior is None else worse

    monkeypatch.setattr(Problem, "fit", blind)
    _, adopted, check = best_mode(worse, [near(better.parameters)] * 3)
    assert (check.outcome, check.engine) == ("fail", "em")
    assert adopted.log_posterior == pytest.approx(better.log_posterior, abs=1e-9)


def test_a_draw_above_the_best_mode_fails() -> None:
    best = modes.Searched(CLUMPS.fit(CLUMPS.prior))
    height = modes.objective(best.kept)
    for draw, outcome in ((height + 1, "fail"), (height - 1, "pass"), (np.nan, "fail")):
        assert modes.verdict(best, best, 4, draw, "").outcome == outcome


def test_a_better_maximum_of_the_likelihood_that_ems_own_search_misses_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    lesser = [m for m in CLUMPS.fit(None).modes if m.regular][1]
    right = Problem.fit
    blind = right(CLUMPS, None, start=lesser.parameters)
    monkeypatch.setattr(
        Problem,
        "fit",
        lambda self, prior, start=None, seed=0, **options: (
            blind if start is None and prior is None else right(self, prior, start, seed, **options)
        ),
    )
    better, worse = modes_of_clumps()
    visited = [near(better.parameters), near(worse.parameters)]
    _, _, check = best_mode(better, visited)
    assert check.outcome == "pass"  # standard deviations in a ratio of 0.17 are not held against EM
    monkeypatch.setattr(modes, "MINIMUM_RATIO", 0.1)
    adopted, _, check = best_mode(better, visited)
    assert (check.outcome, check.engine) == ("fail", "em")
    assert adopted.log_likelihood > blind.log_likelihood
