"""Hidden Markov chains as a pair, and the comparison `earthquakes`: digits, two densities, a sound and a broken step."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any

import numpy as np
import pytest
import xarray as xr

import comparisons
from comparisons import catalogue, datasets
from comparisons.checks.same_density import same_density
from comparisons.declaration import Fitted
from comparisons.draws_by_name import draws_of
from comparisons.hidden_markov_chains import pair_of
from comparisons.judgement import Clock, judge
from comparisons.pairs.making import problem_of
from comparisons.pairs.problem import PairProblem
from comparisons.quantity_names import in_prose, named
from em.hidden_markov_steps import Expected
from models import LogPosterior, Sequences

DECLARED: Any = catalogue.declared("earthquakes")
YEARS = DECLARED.data(datasets.load("earthquakes"))


@pytest.fixture(scope="module")
def problem() -> PairProblem:
    return problem_of(DECLARED, YEARS)


def test_earthquakes_have_the_digits_of_their_references(problem: PairProblem) -> None:
    # See tests/em/test_hidden_markov.py; the errors here are by differences of the pair's own objective.
    fit = problem.fit(None)
    assert fit.status == "converged"
    assert fit.log_likelihood == pytest.approx(-342.3182667880589, abs=1e-9)
    p, e = fit.parameters, fit.standard_errors.values
    found = [*p["rates"], p["transitions"][0, 1], p["transitions"][1, 0]]
    np.testing.assert_allclose(
        found, [15.472276994823, 26.125438510639, 0.065959361806312, 0.12850914826784], rtol=1e-6
    )
    errors = [*e["rates"], e["transitions"][0, 1], e["transitions"][1, 0]]
    np.testing.assert_allclose(errors, [0.702560863283, 1.36011996254, 0.035422292246, 0.0637730543184], rtol=1e-4)


def test_three_states_of_earthquakes_end_at_a_boundary_of_one_transition() -> None:
    # Height and rates as in tests/em/test_hidden_markov.py; beside the empty transition the others of its row are free.
    three = dataclasses.replace(DECLARED, pair=pair_of(3, "poisson"))
    fit = problem_of(three, YEARS).fit(None)
    assert fit.status == "boundary"
    assert fit.log_likelihood == pytest.approx(-329.4602762645099, abs=1e-8)
    np.testing.assert_allclose(fit.parameters["rates"], [13.145744385621, 19.721054252385, 29.714447716294], rtol=1e-5)
    reason = str(fit.standard_errors.reason)
    assert reason.endswith("not quadratic: transitions[state 3, state 1]"), reason


def test_both_engines_have_the_same_density_with_nothing_left_out(problem: PairProblem) -> None:
    assert problem.constants == (0.0, 0.0)
    check = same_density(
        problem, LogPosterior(problem.program), (problem.fit(None), problem.fit(True)), np.random.default_rng(1)
    )
    assert check.outcome == "pass", check.explanation
    one_year_less = problem_of(DECLARED, Sequences(YEARS.y[:-1]))
    check = same_density(
        one_year_less, LogPosterior(problem.program), (one_year_less.fit(None),), np.random.default_rng(1)
    )
    assert check.outcome == "fail"


def test_states_are_ordered_by_rate_with_their_moves_along_both_axes(problem: PairProblem) -> None:
    swapped = {"rates": np.array([26.0, 15.0]), "transitions": np.array([[0.8, 0.2], [0.1, 0.9]])}
    ordered = problem.in_order(swapped)
    np.testing.assert_array_equal(ordered["rates"], [15.0, 26.0])
    np.testing.assert_array_equal(ordered["transitions"], [[0.9, 0.1], [0.2, 0.8]])
    assert problem.log_likelihood(ordered) == pytest.approx(problem.log_likelihood(swapped), rel=1e-12)


def test_a_state_is_told_as_one_in_names_prose_and_draws(problem: PairProblem) -> None:
    assert problem.names[1] == "transitions[state 1, state 2]"
    assert problem.names[-1] == "rates[state 2]"
    told = named(problem.names[:2]), in_prose(problem.names[-1])
    assert told == ("transitions from state 1 to states 1 and 2", "rate of state 2")
    of = {"state": ["1", "2"], "next_state": ["1", "2"]}
    drawn = np.arange(8.0).reshape(1, 2, 2, 2)
    data = xr.Dataset({"transitions": (("chain", "draw", *of), drawn)}, coords=of)
    found = draws_of(xr.DataTree.from_dict({"posterior": data}), "transitions[state 1, state 2]")
    np.testing.assert_array_equal(found, [[1.0, 5.0]])


@pytest.mark.parametrize(
    ("emissions", "initial"),
    [
        ("poisson", "stationary"),
        *(pytest.param(*each, marks=pytest.mark.long) for each in (("normal", "free"), ("binomial", [0.5, 0.5]))),
    ],
)
def test_the_audit_finds_nothing_in_right_steps(emissions: Any, initial: Any) -> None:
    y = YEARS.y if emissions != "binomial" else (YEARS.y > 18).astype(float)
    found = comparisons.audit(pair_of(2, emissions, initial), Sequences(y))
    assert found.sound, str(found)


def test_the_audit_names_a_move_too_many() -> None:
    right = DECLARED.pair.e_step

    def one_too_many(transitions: Any, rates: Any, y: Sequences) -> Expected:
        found: Expected = right(y=y, transitions=transitions, rates=rates)
        return dataclasses.replace(found, moves=found.moves + np.array([[0.0, 1.0], [0.0, 0.0]]))

    wrong = dataclasses.replace(DECLARED.pair, e_step=one_too_many)
    found = comparisons.audit(wrong, YEARS)
    assert not found.sound
    assert {each.parameter for each in found.findings} <= {"transitions", ""}


def test_findings_tell_what_the_order_is_worth(problem: PairProblem) -> None:
    fit: Any = problem.fit(None)
    fitted = Fitted(datasets.load("earthquakes"), YEARS, fit, {}, {})
    (told,) = DECLARED.findings(fitted)
    # 1 / .06596 and 1 / .12851; the mixture's -360.3690436 is of two routes as well.
    assert "lasts 15.2 years on average, a lively one 7.8" in told.text
    assert "of -360.37; the chain, with one parameter more, has 18.05 nats more" in told.text


@pytest.mark.sampling
@pytest.mark.long
def test_earthquakes_are_judged_by_every_check(problem: PairProblem) -> None:
    compiled = partial(LogPosterior, compiled=True)
    found = judge(problem, seed=1, draws=1000, chains=4, clock=Clock(lambda stage: None), density=compiled)
    assert {check.outcome for check in found.checks} == {"pass"}
    # Few moves were made in 107 years: their posterior is skewed, and the prior counts.
    assert found.verdict == "differ"
    assert any(
        reason.startswith("The posterior is not symmetric about its mode. This concerns the transitions")
        for reason in found.reasons
    )
