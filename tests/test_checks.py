"""Claims about the integrity checks: each passes on a right problem, and each planted fault is found and named."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import em
import models
from comparisons import best_mode as modes
from comparisons import checks, draw_checks, engines, evidence, sampling, third_density
from comparisons.engines import Problem
from comparisons.result import Check
from em.curvature import curvature
from models import (
    CoinParameters,
    CoinPrior,
    CoinTosses,
    GaussianParameters,
    GaussianPrior,
    LogPosterior,
    Measurements,
    normal_distribution,
)
from models.inputs import Floats
from tests.declared import Case, declare, given

RANDOM = 16
BAGS = CoinTosses([5, 9, 8, 4, 7], 10)
PRIOR = CoinPrior(2.0, 3.0, 1.5)
COINS = declare(BAGS, prior=PRIOR)
NORMALS = Case(1, 2, "free").problem(1)
# Fitted before any test breaks a density.
SOUND = {problem: problem.fit(problem.prior) for problem in (COINS, NORMALS)}


def random() -> np.random.Generator:
    return np.random.default_rng(RANDOM)


def same_density(problem: Problem, density: LogPosterior) -> Check:
    return checks.same_density(problem, density, [SOUND.get(problem) or problem.fit(problem.prior)], random())


@pytest.fixture(scope="module")
def density() -> LogPosterior:
    return LogPosterior(COINS.model())


@pytest.mark.parametrize("problem", [COINS, NORMALS], ids=["coins", "normals"])
def test_the_same_density_passes(problem: Problem) -> None:
    check = same_density(problem, LogPosterior(problem.model()))
    assert (check.outcome, check.engine) == ("pass", None)
    assert check.statistic is not None
    assert check.statistic < 1e-12


def test_a_prior_other_than_declared_is_found_in_pymc() -> None:
    for other in (CoinPrior(2.0, 3.0, 1.6), CoinPrior(2.0, 3.001, 1.5)):
        check = same_density(COINS, LogPosterior(declare(BAGS, prior=other).model()))
        assert (check.outcome, check.engine) == ("fail", "pymc")


def test_a_row_dropped_on_the_way_to_pymc_is_found() -> None:
    check = same_density(COINS, LogPosterior(declare(CoinTosses([5, 9, 8, 4], 10), prior=PRIOR).model()))
    assert (check.outcome, check.engine) == ("fail", "pymc")


def test_a_standard_deviation_for_a_variance_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = normal_distribution.diagonal_logp

    def wrong(y: Any, weights: Any, means: Any, deviations: Any, counts: Any, labels: Any) -> Any:
        return right(y, weights, means, deviations**2, counts, labels)

    monkeypatch.setattr("models.gaussians.diagonal_logp", wrong)
    check = same_density(NORMALS, LogPosterior(NORMALS.model()))
    assert (check.outcome, check.engine) == ("fail", "pymc")


@pytest.mark.parametrize("fault", [lambda right: right - 1.0, lambda right: np.full_like(right, np.nan)])
def test_an_em_density_without_its_constant_or_without_a_number_is_found(
    fault: Callable[[Any], Any], density: LogPosterior, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = em.coins.log_densities
    monkeypatch.setattr(em.coins, "log_densities", lambda parameters, tosses: fault(right(parameters, tosses)))
    check = same_density(COINS, density)
    assert (check.outcome, check.engine) == ("fail", "em")
    assert "agrees with the other engine" in check.explanation


def test_where_both_densities_are_off_neither_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    right = em.coins.log_densities
    monkeypatch.setattr(em.coins, "log_densities", lambda parameters, tosses: right(parameters, tosses) - 1.0)
    other = LogPosterior(declare(BAGS, prior=CoinPrior(2.0, 4.0, 1.5)).model())
    check = same_density(COINS, other)
    assert (check.outcome, check.engine) == ("fail", "comparison")


def test_an_empty_component_is_no_difference_of_densities() -> None:
    empty = dataclasses.replace(
        SOUND[COINS], parameters=CoinParameters([1.0, 0.0], [0.66, 0.5]), log_likelihood=0.0, log_posterior=None
    )
    own = dataclasses.replace(empty, log_likelihood=checks.em_densities(COINS, empty.parameters)[0])
    check = checks.same_density(COINS, LogPosterior(COINS.model()), [own], random())
    assert check.outcome == "pass"
    assert "at the estimate" not in check.explanation


def test_the_third_density_exists_where_a_weight_is_zero() -> None:
    empty = CoinParameters([1.0, 0.0], [0.6, 0.5])
    assert third_density.log_likelihood(COINS, empty) == pytest.approx(checks.em_densities(COINS, empty)[0])
    impossible = CoinParameters([1.0, 0.0], [0.0, 0.5])
    assert third_density.log_likelihood(COINS, impossible) == -np.inf


def test_densities_are_compared_at_a_bound_too() -> None:
    problem = declare(CoinTosses([10, 10, 3, 4], 10, labels=[1, 1, 0, 0]), weights="equal")
    fit = problem.fit(problem.prior)
    assert fit.parameters.head_probabilities[1] == 1.0
    assert checks.same_density(problem, LogPosterior(problem.model()), [fit], random()).outcome == "pass"


def test_a_log_likelihood_that_is_not_of_the_estimate_is_found() -> None:
    density, fit = LogPosterior(COINS.model()), SOUND[COINS]
    for off in (1e-6, np.nan):
        for told in (
            dataclasses.replace(fit, log_likelihood=fit.log_likelihood + off),
            dataclasses.replace(fit, log_posterior=modes.objective(fit) + off),
        ):
            check = checks.same_density(COINS, density, [told], random())
            assert (check.outcome, check.engine) == ("fail", "em")


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


def judged(problem: Problem, parameters: Any) -> Any:
    return curvature(problem.mixture(None), parameters)


def stationary(problem: Problem, fit: Any, parameters: Any = None) -> Check:
    at = fit.parameters if parameters is None else parameters
    return checks.stationary(fit, judged(problem, at), evidence.names(problem))


@pytest.mark.parametrize("problem", [COINS, NORMALS], ids=["coins", "normals"])
def test_em_at_rest_is_stationary_and_em_stopped_early_is_not(problem: Problem) -> None:
    fit = problem.fit(None, path=True)
    assert stationary(problem, fit).outcome == "pass"
    early = stationary(problem, fit, fit.path[2])
    assert (early.outcome, early.engine) == ("fail", "em")
    assert "short of the maximum" in early.explanation


def test_a_saddle_is_not_stationary_in_the_sense_of_a_maximum() -> None:
    problem = declare(BAGS, weights="equal")
    fit = problem.fit(None, start=CoinParameters([0.5, 0.5], [0.66, 0.66]))
    check = checks.stationary(fit, evidence.curvature_of(problem, None, fit), evidence.names(problem))
    assert (check.outcome, check.engine) == ("fail", "em")
    assert "rises along head_probabilities[1] - head_probabilities[2]" in check.explanation


def test_on_a_ridge_stationarity_is_not_applicable_and_the_flat_direction_is_named() -> None:
    problem = declare(CoinTosses([1, 1, 0, 1, 0], 1), weights="equal")
    check = stationary(problem, problem.fit(None, start=CoinParameters([0.5, 0.5], [0.5, 0.7])))
    assert check.outcome == "not applicable"
    assert "flat along head_probabilities[1] - head_probabilities[2]" in check.explanation


def test_off_a_ridge_em_is_not_at_rest() -> None:
    problem = declare(CoinTosses([1, 1, 0, 1, 0] * 20, 1), weights="equal")
    check = stationary(problem, problem.fit(None), CoinParameters([0.5, 0.5], [0.45, 0.7]))
    assert (check.outcome, check.engine) == ("fail", "em")


def test_at_a_bound_the_gradient_points_outward() -> None:
    problem = declare(CoinTosses([0, 0, 0, 9, 8], 10))
    check = stationary(problem, problem.fit(None))
    assert check.outcome == "pass"
    assert "At the bound of head_probabilities[1] the gradient points outward" in check.explanation


def test_a_bound_that_the_objective_rises_away_from_fails() -> None:
    problem = declare(CoinTosses([1, 2, 1, 9, 8], 10))
    check = stationary(problem, problem.fit(None), CoinParameters([0.6, 0.4], [0.0, 0.85]))
    assert (check.outcome, check.engine) == ("fail", "em")


def test_a_collapsed_component_has_no_maximum_to_be_at() -> None:
    fit = COINS.fit(None)
    assert checks.stationary(fit, None, ()).outcome == "not applicable"


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


@pytest.fixture(scope="module")
def maximum(density: LogPosterior) -> models.Maximum:
    return models.find_map(density, starts=4)


def test_the_mode_of_pymc_agrees_with_map_em(maximum: models.Maximum) -> None:
    check = evidence.map_agrees(COINS, COINS.fit(PRIOR), maximum)
    assert check.outcome == "pass"


def test_pymc_below_em_is_its_optimiser_and_pymc_above_em_is_em(maximum: models.Maximum) -> None:
    fit = COINS.fit(PRIOR)
    for error, outcome, engine in (
        (-1e-3, "inconclusive", "pymc"),
        (np.nan, "inconclusive", "pymc"),
        (1e-3, "fail", "em"),
    ):
        off = dataclasses.replace(maximum, log_posterior=maximum.log_posterior + error)
        check = evidence.map_agrees(COINS, fit, off)
        assert (check.outcome, check.engine) == (outcome, engine)


def test_parameters_of_one_component_read_in_another_order_fail(maximum: models.Maximum) -> None:
    swapped = {**maximum.parameters, "weights": maximum.parameters["weights"][::-1]}
    check = evidence.map_agrees(COINS, COINS.fit(PRIOR), dataclasses.replace(maximum, parameters=swapped))
    assert (check.outcome, check.engine) == ("fail", "comparison")
    both = {name: values[::-1] for name, values in maximum.parameters.items()}
    assert evidence.map_agrees(COINS, COINS.fit(PRIOR), dataclasses.replace(maximum, parameters=both)).outcome == "pass"


def test_a_distance_that_is_not_a_number_fails(maximum: models.Maximum) -> None:
    fit = COINS.fit(PRIOR)
    for flat in (True, False):
        assert checks.map_agrees(modes.objective(fit), maximum, np.nan, flat).outcome == "fail"


def test_on_a_ridge_modes_are_compared_by_what_they_say_of_the_rows() -> None:
    problem = declare(CoinTosses([1, 1, 0, 1, 0], 1), weights="equal")
    fit = problem.fit(problem.prior)
    value = float(fit.log_posterior or 0.0)
    there = {"head_probabilities": np.array([0.3, 0.9])}
    along = models.Maximum(there, value, np.zeros(2), "ridge", 0.0, 4, 4)
    assert evidence.map_agrees(problem, fit, along).outcome == "pass"
    off = dataclasses.replace(along, parameters={"head_probabilities": np.array([0.3, 0.95])})
    assert evidence.map_agrees(problem, fit, off).outcome == "fail"


def chains(draws: int = 500, **changed: Any) -> Any:
    """Four chains of independent draws of the two coins, as a sampler would return them."""
    import xarray as xr

    source = np.random.default_rng(17)
    p = np.stack([source.beta(10, 12, (4, draws)), source.beta(24, 7, (4, draws))], axis=-1)
    sampled: dict[str, Any] = {
        "weights": source.dirichlet([5, 5], (4, draws)),
        "head_probabilities": p,
        "logp": -source.chisquare(3, (4, draws)),
        "energy": source.normal(size=(4, draws)),
        "diverging": np.zeros((4, draws), dtype=bool),
        **changed,
    }
    component = ("chain", "draw", "component")
    posterior = {name: (component, sampled[name]) for name in ("weights", "head_probabilities")}
    statistics = {name: (("chain", "draw"), sampled[name]) for name in ("logp", "energy", "diverging")}
    return xr.DataTree.from_dict({"posterior": xr.Dataset(posterior), "sample_stats": xr.Dataset(statistics)})


def converged(density: LogPosterior, tree: Any, regular_modes: int = 1) -> Check:
    described = sampling.described(COINS, density, tree, 0.9, 0)
    return draw_checks.sampler_converged(described.summary, tree, described.label_free, 0, regular_modes)


def test_chains_that_have_met_have_converged(density: LogPosterior) -> None:
    assert converged(density, chains()).outcome == "pass"


def copied(values: Floats) -> Floats:
    values = values.copy()
    values[2] = values[0]
    return values


def faulty_chains() -> dict[str, tuple[Any, str]]:
    right = chains()
    posterior, statistics = right["posterior"].to_dataset(), right["sample_stats"].to_dataset()
    p, log_density = posterior["head_probabilities"].values, statistics["logp"].values
    stuck = np.array([1, 0, 0, 0])[:, None]
    constant, missing, diverging = p.copy(), p.copy(), np.zeros((4, 500), dtype=bool)
    constant[1], missing[3, 7, 0], diverging[2, 5] = constant[1, 0], np.nan, True
    still = log_density.copy()
    still[1] = still[1, 0]
    walk = np.cumsum(np.random.default_rng(18).normal(size=(4, 500)), axis=1)
    copies = chains(head_probabilities=copied(p), weights=copied(posterior["weights"].values), logp=copied(log_density))
    return {
        "a constant chain": (chains(head_probabilities=constant, logp=still), "R-hat of"),
        "all chains constant": (chains(logp=np.zeros((4, 500))), "copies of one another"),
        "copied chains": (copies, "hains 0 and 2 are copies of one another"),
        "not a number": (chains(head_probabilities=missing), "R-hat of some quantity is nan"),
        "few draws": (chains(draws=80), "the smallest effective sample size is"),
        "a divergence": (chains(diverging=diverging), "1 transitions diverged"),
        "low energy": (chains(energy=walk), "E-BFMI is 0.0"),
        "energy not a number": (chains(energy=np.full((4, 500), np.nan)), "E-BFMI is nan"),
        "two modes": (chains(head_probabilities=np.where(stuck[..., None] == 1, p * 0.5, p)), "R-hat of"),
    }


FAULTS = faulty_chains()


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning:arviz_stats")
def test_chains_that_say_nothing_of_the_posterior_are_inconclusive(fault: str, density: LogPosterior) -> None:
    tree, told = FAULTS[fault]
    check = converged(density, tree)
    assert (check.outcome, check.engine) == ("inconclusive", "sampler")
    assert told in check.explanation


def test_stranded_chains_are_told_of_the_modes_that_em_knows(density: LogPosterior) -> None:
    assert "EM knows 3 regular modes" in converged(density, FAULTS["two modes"][0], regular_modes=3).explanation


def test_one_chain_of_wider_energy_does_not_condemn_the_others(density: LogPosterior) -> None:
    energy = np.random.default_rng(19).normal(size=(4, 500)) * [[1.0], [1.0], [1.0], [3.0]]
    assert converged(density, chains(energy=energy)).outcome == "pass"


def canonical(tree: Any) -> Any:
    return models.canonical_order(tree, np.zeros(2, dtype=np.int64))["posterior"].to_dataset()


def drawn_from(density: LogPosterior) -> Any:
    tree = chains(draws=50)
    values = {name: tree["posterior"][name].values for name in density.names}
    for place in np.ndindex(4, 50):
        x = density.unconstrained({name: value[place] for name, value in values.items()})
        tree["sample_stats"]["logp"].values[place] = sum(density.parts(x))
    return tree


def test_draws_belong_to_the_model_and_data_they_were_drawn_from(density: LogPosterior) -> None:
    tree = drawn_from(density)
    assert evidence.draws_belong(COINS, density, canonical(tree), tree).outcome == "pass"


def test_draws_whose_components_were_mixed_up_are_found(density: LogPosterior) -> None:
    tree = drawn_from(density)
    mixed = canonical(tree)
    values = mixed["head_probabilities"]
    mixed["head_probabilities"] = (values.dims, values.values[..., ::-1])
    check = evidence.draws_belong(COINS, density, mixed, tree)
    assert (check.outcome, check.engine) == ("fail", "comparison")


def test_draws_of_other_data_or_another_prior_are_found(density: LogPosterior) -> None:
    tree = drawn_from(density)
    for other in (
        declare(CoinTosses([5, 9, 8, 4, 8], 10), prior=PRIOR),
        declare(BAGS, prior=CoinPrior(2.0, 3.1, 1.5)),
    ):
        check = evidence.draws_belong(other, given(other, LogPosterior(COINS.model())), canonical(tree), tree)
        assert (check.outcome, check.engine) == ("fail", "sampler")


def test_a_recorded_density_that_is_not_a_number_is_found() -> None:
    assert (
        draw_checks.draws_belong(np.array([np.nan, 1.0]), np.array([1.0, 1.0]), np.array([1.0, 1.0])).outcome == "fail"
    )


def identified(problem: Problem) -> Check:
    fit = problem.fit(None)
    return checks.identified(problem, judged(problem, fit.parameters), evidence.names(problem), {"chance": 0.4})


@pytest.mark.parametrize(
    ("k", "weights", "tosses", "enough"),
    [(2, "equal", 1, False), (2, "equal", 2, True), (2, "free", 2, False), (2, "free", 3, True), (3, "free", 4, False)],
)
def test_coins_need_bags_of_k_tosses_and_twice_less_one_where_weights_are_free(
    k: int, weights: Any, tosses: int, enough: bool
) -> None:
    heads = np.arange(tosses + 1)
    counts = [4, 1, 5] if tosses == 2 else [6, 1, 2, 5] if tosses == 3 else np.ones(tosses + 1)
    check = identified(declare(CoinTosses(heads, tosses, counts), k, weights))
    structural = "need bags of at least" in check.explanation
    assert structural is not enough
    assert check.outcome == ("pass" if enough else "fail")


def test_labelled_bags_identify_coins_of_single_tosses() -> None:
    heads, labels = [1, 1, 0, 1, 0, 1, 0, 0, 1, 1], [0, 0, 0, 1, 1, 1, 1, 1, -1, -1]
    assert identified(declare(CoinTosses(heads, 1))).outcome == "fail"
    assert identified(declare(CoinTosses(heads, 1, labels=labels))).outcome == "pass"


def test_a_flat_direction_is_named() -> None:
    check = identified(declare(CoinTosses([1, 1, 0, 1, 0], 1), weights="equal"))
    assert check.outcome == "fail"
    assert "flat in 1 of 2 directions, such as head_probabilities[1] - head_probabilities[2]" in check.explanation


def test_without_a_maximum_nothing_is_said_of_identification() -> None:
    assert checks.identified(NORMALS, None, (), {"means[1]": 0.5}).outcome == "not applicable"


def test_exchangeable_components_are_read_from_the_model(density: LogPosterior) -> None:
    assert engines.exchangeable(density.model).tolist() == [0, 0]
