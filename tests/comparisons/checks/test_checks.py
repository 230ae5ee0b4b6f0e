"""Claims about the integrity checks: each passes on a right problem, and each planted fault is found and named."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import em
import models
from comparisons.checks import best_mode as modes
from comparisons.checks.evidence import curvature_of
from comparisons.checks.identified import CONTRACTED, identified
from comparisons.checks.map_agrees import MORE_STARTS, map_agrees, mode_again, same_mode
from comparisons.checks.same_density import SAME_DENSITY, _misreported, same_density
from comparisons.checks.stationary import stationary
from comparisons.families import third_density
from comparisons.families.mixtures import MixtureProblem, exchangeable
from comparisons.posterior import prior_draws
from comparisons.problem import em_densities
from comparisons.results.result import Check
from comparisons.study.setting import simulate
from comparisons.study.settings import SETTINGS
from em.uncertainty.curvature import curvature
from models import CoinParameters, CoinPrior, CoinTosses, LogPosterior
from models.gaussians import normal_distribution
from tests.declared import BAGS, COINS, PRIOR, Case, coins_density, declare

RANDOM = 16
NORMALS = Case(1, 2, "free").problem(1)
# Fitted before any test breaks a density.
SOUND = {problem: problem.fit(problem.prior) for problem in (COINS, NORMALS)}


def random() -> np.random.Generator:
    return np.random.default_rng(RANDOM)


def compared(problem: MixtureProblem, density: LogPosterior) -> Check:
    return same_density(problem, density, [SOUND.get(problem) or problem.fit(problem.prior)], random())


@pytest.fixture(scope="module")
def density() -> LogPosterior:
    return coins_density()


@pytest.mark.parametrize("problem", [COINS, NORMALS], ids=["coins", "normals"])
def test_the_same_density_passes(problem: MixtureProblem) -> None:
    check = compared(problem, LogPosterior(problem.model()))
    assert (check.outcome, check.engine) == ("pass", None)
    assert check.statistic is not None
    assert check.statistic < 1e-12


def test_a_prior_other_than_declared_is_found_in_pymc() -> None:
    for other in (CoinPrior(2.0, 3.0, 1.6), CoinPrior(2.0, 3.001, 1.5)):
        check = compared(COINS, LogPosterior(declare(BAGS, prior=other).model()))
        assert (check.outcome, check.engine) == ("fail", "pymc")


def test_a_row_dropped_on_the_way_to_pymc_is_found() -> None:
    check = compared(COINS, LogPosterior(declare(CoinTosses([5, 9, 8, 4], 10), prior=PRIOR).model()))
    assert (check.outcome, check.engine) == ("fail", "pymc")


def test_a_standard_deviation_for_a_variance_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = normal_distribution.diagonal_logp

    def wrong(y: Any, weights: Any, means: Any, deviations: Any, *rest: Any) -> Any:
        return right(y, weights, means, deviations**2, *rest)

    monkeypatch.setattr("models.gaussians.normal_distribution.diagonal_logp", wrong)
    check = compared(NORMALS, LogPosterior(NORMALS.model()))
    assert (check.outcome, check.engine) == ("fail", "pymc")


@pytest.mark.parametrize("fault", [lambda right: right - 1.0, lambda right: np.full_like(right, np.nan)])
def test_an_em_density_without_its_constant_or_without_a_number_is_found(
    fault: Callable[[Any], Any], density: LogPosterior, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = em.coins.steps.log_densities
    monkeypatch.setattr(em.coins.steps, "log_densities", lambda parameters, tosses: fault(right(parameters, tosses)))
    check = compared(COINS, density)
    assert (check.outcome, check.engine) == ("fail", "em")
    assert "agrees with the other engine" in check.explanation


def test_where_both_densities_are_off_neither_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    right = em.coins.steps.log_densities
    monkeypatch.setattr(em.coins.steps, "log_densities", lambda parameters, tosses: right(parameters, tosses) - 1.0)
    other = LogPosterior(declare(BAGS, prior=CoinPrior(2.0, 4.0, 1.5)).model())
    check = compared(COINS, other)
    assert (check.outcome, check.engine) == ("fail", "comparison")


def test_an_empty_component_is_no_difference_of_densities() -> None:
    empty = dataclasses.replace(
        SOUND[COINS], parameters=CoinParameters([1.0, 0.0], [0.66, 0.5]), log_likelihood=0.0, log_posterior=None
    )
    own = dataclasses.replace(empty, log_likelihood=em_densities(COINS, empty.parameters)[0])
    check = same_density(COINS, coins_density(), [own], random())
    assert check.outcome == "pass"
    assert "at the estimate" not in check.explanation


def test_the_third_density_exists_where_a_weight_is_zero() -> None:
    empty = CoinParameters([1.0, 0.0], [0.6, 0.5])
    assert third_density.log_likelihood(COINS, empty) == pytest.approx(em_densities(COINS, empty)[0])
    impossible = CoinParameters([1.0, 0.0], [0.0, 0.5])
    assert third_density.log_likelihood(COINS, impossible) == -np.inf


def test_densities_are_compared_at_a_bound_too() -> None:
    problem = declare(CoinTosses([10, 10, 3, 4], 10, labels=[1, 1, 0, 0]), weights="equal")
    fit = problem.fit(problem.prior)
    assert fit.parameters.head_probabilities[1] == 1.0
    assert same_density(problem, LogPosterior(problem.model()), [fit], random()).outcome == "pass"


def test_a_log_likelihood_that_is_not_of_the_estimate_is_found() -> None:
    density, fit = coins_density(), SOUND[COINS]
    for off in (1e-6, np.nan):
        for told in (
            dataclasses.replace(fit, log_likelihood=fit.log_likelihood + off),
            dataclasses.replace(fit, log_posterior=modes.objective(fit) + off),
        ):
            check = same_density(COINS, density, [told], random())
            assert (check.outcome, check.engine) == ("fail", "em")


def judged(problem: MixtureProblem, parameters: Any) -> Any:
    return curvature(problem.mixture(None), parameters)


def at_rest(problem: MixtureProblem, fit: Any, parameters: Any = None) -> Check:
    at = fit.parameters if parameters is None else parameters
    return stationary(judged(problem, at), problem.names, None)


@pytest.mark.parametrize("problem", [COINS, NORMALS], ids=["coins", "normals"])
def test_em_at_rest_is_stationary_and_em_stopped_early_is_not(problem: MixtureProblem) -> None:
    fit = problem.fit(None, path=True)
    assert at_rest(problem, fit).outcome == "pass"
    early = at_rest(problem, fit, fit.path[2])
    assert (early.outcome, early.engine) == ("fail", "em")
    assert "short of the maximum" in early.explanation


def test_a_saddle_is_not_stationary_in_the_sense_of_a_maximum() -> None:
    problem = declare(BAGS, weights="equal")
    fit = problem.fit(None, start=CoinParameters([0.5, 0.5], [0.66, 0.66]))
    check = stationary(curvature_of(problem, None, fit), problem.names, None)
    assert (check.outcome, check.engine) == ("fail", "em")
    assert "rises along head_probabilities[1] - head_probabilities[2]" in check.explanation


def test_on_a_ridge_stationarity_is_not_applicable_and_the_flat_direction_is_named() -> None:
    problem = declare(CoinTosses([1, 1, 0, 1, 0], 1), weights="equal")
    check = at_rest(problem, problem.fit(None, start=CoinParameters([0.5, 0.5], [0.5, 0.7])))
    assert check.outcome == "not applicable"
    assert "flat along head_probabilities[1] - head_probabilities[2]" in check.explanation


def test_off_a_ridge_em_is_not_at_rest() -> None:
    problem = declare(CoinTosses([1, 1, 0, 1, 0] * 20, 1), weights="equal")
    check = at_rest(problem, problem.fit(None), CoinParameters([0.5, 0.5], [0.45, 0.7]))
    assert (check.outcome, check.engine) == ("fail", "em")


def test_at_a_bound_the_gradient_points_outward() -> None:
    problem = declare(CoinTosses([0, 0, 0, 9, 8], 10))
    check = at_rest(problem, problem.fit(None))
    assert check.outcome == "pass"
    assert "At the bound of head_probabilities[1] the gradient points outward" in check.explanation


def test_a_bound_that_the_objective_rises_away_from_fails() -> None:
    problem = declare(CoinTosses([1, 2, 1, 9, 8], 10))
    check = at_rest(problem, problem.fit(None), CoinParameters([0.6, 0.4], [0.0, 0.85]))
    assert (check.outcome, check.engine) == ("fail", "em")


def test_a_collapsed_component_has_no_maximum_to_be_at() -> None:
    none = stationary(None, (), "a component has collapsed")
    assert (none.outcome, none.explanation) == (
        "not applicable",
        "There is no maximum to be at: a component has collapsed.",
    )


@pytest.fixture(scope="module")
def maximum(density: LogPosterior) -> models.Maximum:
    return models.find_map(density, starts=4)


def test_the_mode_of_pymc_agrees_with_map_em(maximum: models.Maximum) -> None:
    check = map_agrees(COINS, COINS.fit(PRIOR), maximum)
    assert check.outcome == "pass"


def test_pymc_below_em_is_its_optimiser_and_pymc_above_em_is_em(maximum: models.Maximum) -> None:
    fit = COINS.fit(PRIOR)
    for error, outcome, engine in (
        (-1e-3, "inconclusive", "pymc"),
        (np.nan, "inconclusive", "pymc"),
        (1e-3, "fail", "em"),
    ):
        off = dataclasses.replace(maximum, log_posterior=maximum.log_posterior + error)
        check = map_agrees(COINS, fit, off)
        assert (check.outcome, check.engine) == (outcome, engine)


def test_a_mode_of_pymc_below_em_is_sought_again(density: LogPosterior, maximum: models.Maximum) -> None:
    fit = COINS.fit(PRIOR)
    lower = dataclasses.replace(maximum, log_posterior=maximum.log_posterior - 1.0)
    found = mode_again(COINS, fit, density, lower, seed=0)
    assert found.starts == MORE_STARTS
    assert map_agrees(COINS, fit, found).outcome == "pass"
    assert mode_again(COINS, fit, density, maximum, seed=0) is maximum


def test_parameters_of_one_component_read_in_another_order_fail(maximum: models.Maximum) -> None:
    swapped = {**maximum.parameters, "weights": maximum.parameters["weights"][::-1]}
    check = map_agrees(COINS, COINS.fit(PRIOR), dataclasses.replace(maximum, parameters=swapped))
    assert (check.outcome, check.engine) == ("fail", "comparison")
    both = {name: values[::-1] for name, values in maximum.parameters.items()}
    assert map_agrees(COINS, COINS.fit(PRIOR), dataclasses.replace(maximum, parameters=both)).outcome == "pass"


def test_a_distance_that_is_not_a_number_is_inconclusive(maximum: models.Maximum) -> None:
    fit = COINS.fit(PRIOR)
    for flat in (True, False):
        assert same_mode(modes.objective(fit), maximum, np.nan, flat).outcome == "inconclusive"


def test_on_a_ridge_modes_are_compared_by_what_they_say_of_the_rows() -> None:
    problem = declare(CoinTosses([1, 1, 0, 1, 0], 1), weights="equal")
    fit = problem.fit(problem.prior)
    value = float(fit.log_posterior or 0.0)
    there = {"head_probabilities": np.array([0.3, 0.9])}
    along = models.Maximum(there, value, np.zeros(2), "ridge", 0.0, 4, 4)
    assert map_agrees(problem, fit, along).outcome == "pass"
    off = dataclasses.replace(along, parameters={"head_probabilities": np.array([0.3, 0.95])})
    assert map_agrees(problem, fit, off).outcome == "fail"


def told_apart(problem: MixtureProblem) -> Check:
    fit = problem.fit(None)
    return identified(problem, judged(problem, fit.parameters), {"chance": 0.4})


@pytest.mark.parametrize(
    ("k", "weights", "tosses", "enough"),
    [(2, "equal", 1, False), (2, "equal", 2, True), (2, "free", 2, False), (2, "free", 3, True), (3, "free", 4, False)],
)
def test_coins_need_bags_of_k_tosses_and_twice_less_one_where_weights_are_free(
    k: int, weights: Any, tosses: int, enough: bool
) -> None:
    heads = np.arange(tosses + 1)
    counts = [4, 1, 5] if tosses == 2 else [6, 1, 2, 5] if tosses == 3 else np.ones(tosses + 1)
    check = told_apart(declare(CoinTosses(heads, tosses, counts), k, weights))
    structural = "need bags of at least" in check.explanation
    assert structural is not enough
    assert check.outcome == ("pass" if enough else "fail")


def test_labelled_bags_identify_coins_of_single_tosses() -> None:
    heads, labels = [1, 1, 0, 1, 0, 1, 0, 0, 1, 1], [0, 0, 0, 1, 1, 1, 1, 1, -1, -1]
    assert told_apart(declare(CoinTosses(heads, 1))).outcome == "fail"
    assert told_apart(declare(CoinTosses(heads, 1, labels=labels))).outcome == "pass"


def test_a_flat_direction_is_named() -> None:
    check = told_apart(declare(CoinTosses([1, 1, 0, 1, 0], 1), weights="equal"))
    assert check.outcome == "fail"
    assert "flat in 1 of 2 directions, such as head_probabilities[1] - head_probabilities[2]" in check.explanation


def test_contraction_is_told_where_it_is_more_than_monte_carlo_error() -> None:
    fit = NORMALS.fit(None)

    def told(**contraction: float) -> str:
        check = identified(NORMALS, judged(NORMALS, fit.parameters), contraction)
        assert check.outcome == "pass"
        return check.explanation

    assert "All quantities contract" in told(weights=0.6, means=0.3)
    assert "the middle half of the posterior of means is 70% as wide as its prior's" in told(weights=0.6, means=0.3)
    for share in (0.25, 0.2, -1.36):
        unshown = told(weights=0.6, means=share)
        assert "Of means the data narrow the prior little or not at all: " in unshown
        assert "weights" not in unshown.partition("Of means")[2]


def test_draws_of_the_prior_itself_show_no_contraction() -> None:
    random = np.random.default_rng(5)
    for _ in range(20):
        before, after = (prior_draws.prior_spreads(COINS, np.zeros(2, dtype=int), random, n) for n in (4000, 400))
        assert all(not after[name] / before[name] < CONTRACTED for name in before)


def test_without_a_maximum_nothing_is_said_of_identification() -> None:
    assert identified(NORMALS, None, {"means[1]": 0.5}).outcome == "not applicable"


def test_exchangeable_components_are_read_from_the_model(density: LogPosterior) -> None:
    assert exchangeable(density.model).tolist() == [0, 0]


def test_a_log_likelihood_of_a_collapse_may_be_rounded_as_its_covariance_is() -> None:
    """Three features, condition 6e12: EM's units and the user's give 9e-5 nats apart, and no density has more digits."""
    problem = simulate(SETTINGS["normals-space-full"], 18004).problem
    fit = problem.fit(None, seed=18004)
    assert fit.status == "collapsed"
    assert _misreported(problem, fit) == 0
    assert _misreported(problem, dataclasses.replace(fit, log_likelihood=fit.log_likelihood - 1e4)) > SAME_DENSITY
    assert np.isinf(_misreported(problem, dataclasses.replace(fit, log_likelihood=np.nan)))
