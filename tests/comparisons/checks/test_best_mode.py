"""Claims about the check that asks whether EM found the best mode: draws of a better one are followed and adopted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from comparisons import families
from comparisons.checks import best_mode as modes
from comparisons.families import mixtures
from comparisons.families.mixtures import MixtureProblem
from comparisons.problem import em_densities
from comparisons.results.result import Check
from em.search.doubts import MINIMUM_RATIO
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


def draws_at(problem: MixtureProblem, parameters: list[Any], log_density: list[float]) -> Any:
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
    right = MixtureProblem.fit

    def blind(self: MixtureProblem, prior: Any, start: Any = None, seed: int = 0, **options: Any) -> Any:
        return right(self, prior, start, seed, **options) if start is not None or prior is None else worse

    monkeypatch.setattr(MixtureProblem, "fit", blind)
    _, adopted, check = best_mode(worse, [near(better.parameters)] * 3)
    assert (check.outcome, check.engine) == ("fail", "em")
    assert adopted.log_posterior == pytest.approx(better.log_posterior, abs=1e-9)


def test_a_draw_above_the_best_mode_fails() -> None:
    best = modes.Searched(CLUMPS.fit(CLUMPS.prior))
    height = modes.objective(best.kept)
    for draw, outcome in ((height + 1, "fail"), (height - 1, "pass"), (np.nan, "inconclusive")):
        assert modes.verdict(best, best, 4, draw, "").outcome == outcome


def test_a_better_maximum_of_the_likelihood_that_ems_own_search_misses_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    lesser = [m for m in CLUMPS.fit(None).modes if m.regular][1]
    right = MixtureProblem.fit
    blind = right(CLUMPS, None, start=lesser.parameters)
    monkeypatch.setattr(
        MixtureProblem,
        "fit",
        lambda self, prior, start=None, seed=0, **options: (
            blind if start is None and prior is None else right(self, prior, start, seed, **options)
        ),
    )
    better, worse = modes_of_clumps()
    visited = [near(better.parameters), near(worse.parameters)]
    _, _, check = best_mode(better, visited)
    assert check.outcome == "pass"  # standard deviations in a ratio of 0.17 are not held against EM
    monkeypatch.setattr(mixtures, "MINIMUM_RATIO", 0.1)
    adopted, _, check = best_mode(better, visited)
    assert (check.outcome, check.engine) == ("fail", "em")
    assert adopted.log_likelihood > blind.log_likelihood


def test_a_lower_regular_mode_beside_a_search_that_collapses_is_adopted_and_no_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    right, rows = MixtureProblem.fit, CLUMPS.data.y
    spike = GaussianParameters([44 / 45, 1 / 45], [rows.mean(), rows[0, 0]], [rows.var(), 1e-40])
    regular = CLUMPS.fit(None)
    collapsed = replace(regular, parameters=spike, status="collapsed", modes=())
    assert em_densities(CLUMPS, spike)[0] > regular.log_likelihood + 1
    monkeypatch.setattr(
        MixtureProblem,
        "fit",
        lambda self, prior, start=None, seed=0, **options: (
            collapsed if start is None and prior is None else right(self, prior, start, seed, **options)
        ),
    )
    monkeypatch.setattr(mixtures, "MINIMUM_RATIO", 0.0)
    better, worse = modes_of_clumps()
    adopted, _, check = best_mode(better, [near(better.parameters), near(worse.parameters)])
    assert check.outcome == "pass"
    assert "where a component collapses the likelihood has no maximum" in check.explanation
    assert adopted.status == "converged"
    assert adopted.log_likelihood == pytest.approx(regular.log_likelihood, abs=1e-9)


def searched_again(problem: MixtureProblem, visited: list[Any]) -> Check:
    """The check of what EM's own search returns now, of the likelihood and of the posterior."""
    fit, map_fit = problem.fit(None, seed=1), problem.fit(problem.prior, seed=1)
    tree = draws_at(problem, visited, [-np.inf] * len(visited))
    return modes.best_mode(problem, fit, map_fit, tree["posterior"].to_dataset(), tree, seed=1).check


def clumps(*centres: float) -> MixtureProblem:
    rows = np.concatenate([np.linspace(-1, 1, 15) + centre for centre in centres])
    prior = GaussianPrior(mean=7.5, shrinkage=0.01, degrees_of_freedom=5, scale=5.0)
    return declare(Measurements(rows), prior=prior)


RANKINGS: dict[str, Any] = {
    "sound": lambda run: (run.optimum.regular, run.optimum.objective),
    "reversed": lambda run: (not run.optimum.regular, -run.optimum.objective),
    "lowest regular first": lambda run: (run.optimum.regular, -run.optimum.objective),
}


# With the third clump at 15.977 the two best modes are 0.08 nats apart; there the lowest run of all is no optimum and goes on.
@pytest.mark.parametrize(
    ("name", "third"), [*((name, 15.0) for name in RANKINGS), ("sound", 15.977), ("lowest regular first", 15.977)]
)
def test_a_fit_that_is_not_the_best_of_its_own_search_is_ems_fault(
    name: str, third: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever draws say: those of this posterior have all been where the broken search is."""
    problem = clumps(0.0, 8.0, third)
    best, second = [m.log_likelihood for m in problem.fit(None).modes if m.regular][:2]
    assert third == 15.0 or best - second == pytest.approx(0.08, abs=0.03)
    monkeypatch.setattr("em.fit.rank", RANKINGS[name])
    fit = problem.fit(None, seed=1)
    visited = [fit.parameters if fit.status == "converged" else modes_of_clumps()[1].parameters]
    check = searched_again(problem, visited)
    assert (check.outcome, check.engine) == (("pass", None) if name == "sound" else ("fail", "em"))


def test_a_collapsed_component_where_a_regular_optimum_is_known_is_ems_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(1)
    problem = declare(Measurements(np.concatenate([random.normal(size=60), [0.3] * 6])))
    regular = problem.fit(None)
    visited = [regular.parameters, near(regular.parameters)]
    assert searched_again(problem, visited).outcome == "pass"
    monkeypatch.setattr("em.fit.rank", lambda run: (not run.optimum.regular, run.optimum.objective))
    assert problem.fit(None).status == "collapsed"
    check = searched_again(problem, visited)
    assert (check.outcome, check.engine) == ("fail", "em")


def test_a_search_of_one_start_at_a_saddle_is_ems_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("em.fit.starts", lambda mixture, *_: mixture.to_vector(at_one_place(mixture))[None])
    fit = CLUMPS.fit(None)
    assert fit.status == "saddle"
    check = searched_again(CLUMPS, [near(m.parameters) for m in modes_of_clumps()])
    assert (check.outcome, check.engine) == ("fail", "em")


def at_one_place(mixture: Any) -> GaussianParameters:
    return GaussianParameters([0.5, 0.5], [0.0, 0.0], [1.0, 1.0])


def test_a_mode_far_higher_counts_however_unequal_its_components_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sharp peak on a broad background, and a search that does not see it: a hundred nats are no chance."""
    random = np.random.default_rng(4)
    y = np.concatenate([random.normal(0.3, 0.1, size=60), random.normal(size=60)])
    problem = declare(Measurements(y))
    truth = GaussianParameters([0.5, 0.5], [0.3, 0.0], [0.01, 1.0])
    best = problem.fit(None, start=truth)
    assert families.of(best.parameters).standard_deviation_ratio(best.parameters) < MINIMUM_RATIO
    blind = problem.fit(None, start=[m for m in problem.fit(None).modes if m.regular][1].parameters)
    assert best.log_likelihood > blind.log_likelihood + 20
    right = MixtureProblem.fit
    monkeypatch.setattr(
        MixtureProblem,
        "fit",
        lambda self, prior, start=None, seed=0, **options: (
            blind if start is None and prior is None else right(self, prior, start, seed, **options)
        ),
    )
    check = searched_again(problem, [truth])
    assert (check.outcome, check.engine) == ("fail", "em")
    assert check.statistic == pytest.approx(best.log_likelihood - blind.log_likelihood, abs=1e-6)


def test_chains_whose_draws_lead_em_to_lower_modes_alone_are_told() -> None:
    best = CLUMPS.fit(CLUMPS.prior)
    top = modes.objective(best)
    heights = [top - 3, top - 5, top, top - 3, top - 4, top - 4, top - 9, top - 9]
    at_modes = [True, True, True, True, True, False, True, True]
    searched = modes.Searched(best, heights, at_modes)
    # The second reached the best, and one end of the third is no mode.
    assert modes._lower([0, 0, 1, 1, 2, 2, 3, 3], searched) == pytest.approx({1: 3.0, 4: 9.0})
