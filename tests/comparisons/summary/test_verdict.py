"""Claims about the verdict: what beats what, what it says, and what it tells to report."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from scipy import stats

import em
from comparisons.results.result import Check, Gap, Quantity
from comparisons.summary import verdict
from models import CoinTosses
from tests.comparisons.summary.test_adequacy import judged
from tests.declared import declare

COINS = declare(CoinTosses([5, 9, 8, 4, 7], 10), weights="equal")
FIT = COINS.fit(None)


def check(name: str, outcome: Any, engine: Any = None, explanation: str = "Because.") -> Check:
    return Check(name, name.capitalize(), outcome, 0.0, 1.0, explanation, engine)


def quantity(outcome: Any, gap: Gap | None = None, name: str = "means[1]") -> Quantity:
    right = judged(stats.norm.ppf)
    gap = gap or right.gap
    assert gap
    degree: Any = "marked" if outcome == "differ" else None
    return dataclasses.replace(
        right, name=name, verdict=outcome, gap=gap, shift=gap.total, reason="So it is.", degree=degree
    )


PASSED = [check("same-density", "pass"), check("posterior-agrees", "not applicable"), check("identified", "pass")]
FAILED = check("stationary", "fail", "em")
UNDECIDED = check("sampler-converged", "inconclusive", "sampler")
UNIDENTIFIED = check("identified", "fail", explanation="Flat along weights[A] - weights[B].")


@pytest.mark.parametrize(
    ("checks", "quantities", "reached"),
    [
        (PASSED, ["agree", "agree"], "agree"),
        (PASSED, ["agree", "differ"], "differ"),
        (PASSED, ["agree", "inconclusive"], "inconclusive"),
        (PASSED, ["differ", "inconclusive"], "inconclusive"),
        ([*PASSED[:2], UNIDENTIFIED], ["agree", "agree"], "differ"),
        ([*PASSED, UNDECIDED], ["differ"], "inconclusive"),
        ([*PASSED[:2], UNIDENTIFIED, UNDECIDED], ["differ"], "inconclusive"),
        ([*PASSED, UNDECIDED, FAILED], ["differ"], "wrong"),
        ([*PASSED, FAILED], ["agree"], "wrong"),
    ],
)
def test_wrong_beats_inconclusive_beats_differ_beats_agree(
    checks: list[Check], quantities: list[Any], reached: str
) -> None:
    told = verdict.reach(checks, [quantity(q) for q in quantities], FIT, COINS, modes="one")
    assert told[0] == reached
    assert told[1]
    assert told[2]
    assert all(told[2])


@pytest.mark.parametrize(
    ("engine", "who"), [("em", "the EM fit"), ("pymc", "the PyMC model"), ("comparison", "the comparison itself")]
)
def test_a_failed_check_names_the_engine_and_says_why(engine: str, who: str) -> None:
    _, sentence, reasons = verdict.reach([check("stationary", "fail", engine)], [], FIT, COINS, modes="one")
    assert who in sentence
    assert reasons == ["Stationary: no. Because."]


def test_what_is_not_identified_is_named_and_what_is_compared() -> None:
    quantities = [quantity("differ", name="weights[A]"), quantity("agree", name="chance_of_heads")]
    reached, sentence, reasons = verdict.reach([*PASSED[:2], UNIDENTIFIED], quantities, FIT, COINS, modes="one")
    assert reached == "differ"
    opening = "No check finds a fault, but the data do not identify all parameters"
    assert sentence.startswith(f"{opening}, and EM's interval misleads for 1 of 2 quantities: ")
    slight = [dataclasses.replace(q, degree="slight") if q.degree else q for q in quantities]
    assert verdict.reach([*PASSED[:2], UNIDENTIFIED], slight, FIT, COINS, modes="one")[1] == f"{opening}."
    assert "Not identified: Flat along weights[A] - weights[B]." in reasons
    assert "What is identified agrees: chance_of_heads." in reasons


def test_what_is_identified_and_differs_has_a_cause_of_its_own() -> None:
    flat = dataclasses.replace(quantity("differ", name="head_probabilities[A]"), degree="no interval")
    identified = quantity("differ", Gap(0.0, 0.0, -0.3, -0.3, False), "chance_of_heads")
    _, sentence, _ = verdict.reach([*PASSED[:2], UNIDENTIFIED], [flat, identified], FIT, COINS, modes="ridge")
    assert sentence == (
        "No check finds a fault, but EM has no interval for 1 of 2 quantities: the data do not identify all parameters. For 1 "
        "more it misleads: the mean lies off the mode."
    )


def test_of_two_weights_one_counts() -> None:
    names = [f"weights[{name}]" for name in COINS.comparison.components]
    told = verdict.reach(PASSED, [quantity("differ", name=name) for name in names], FIT, COINS, modes="one")[1]
    assert "for 1 of 1 quantities (the two weights counted once): " in told


@pytest.mark.parametrize(
    ("gap", "cause"),
    [
        (Gap(0.6, 0.0, 0.1, 0.7, False), "the prior moves the mode"),
        (Gap(0.0, 0.6, 0.1, 0.7, False), "the best posterior mode is another"),
        (Gap(0.1, 0.0, 0.6, 0.7, False), "the mean lies off the mode"),
        (Gap(0.6, 0.0, -0.6, 0.0, True), verdict.OTHER_SHAPE),
        (Gap(1.0, 0.0, -0.7, 0.3, True), "the posterior mean lies off the estimate"),
    ],
)
def test_the_largest_cause_of_a_difference_is_told(gap: Gap, cause: str) -> None:
    assert cause in verdict.reach(PASSED, [quantity("differ", gap)], FIT, COINS, modes="one")[1]


def test_the_sentence_of_a_slight_difference_lets_intervals_be_reported() -> None:
    slight = dataclasses.replace(quantity("differ"), degree="slight")
    told = verdict.reach(PASSED, [slight, quantity("agree", name="means[2]")], FIT, COINS, modes="one")[1]
    assert told.startswith(
        "No check finds a fault, and EM's intervals may be reported: 1 of 2 quantities differ slightly"
    )


def test_what_to_report_is_told_by_quantity() -> None:
    told = verdict.advice(
        [
            quantity("agree", name="means[1]"),
            dataclasses.replace(quantity("differ", name="means[2]"), degree="slight"),
            dataclasses.replace(quantity("differ", name="means[3]"), instead="profile"),
            dataclasses.replace(quantity("differ", name="means[4]"), instead="posterior"),
        ]
    )
    assert told == (
        "What to report: EM's profile-likelihood interval of means[3]; the posterior of means[4]; EM's estimates and intervals "
        "of all others. Those of means[2] are slightly off."
    )
    slight = dataclasses.replace(quantity("differ", name="means[2]"), degree="slight")
    assert verdict.advice([slight, quantity("agree")]) == (
        "What to report: EM's estimates and intervals. Those of means[2] are slightly off."
    )
    assert verdict.advice([dataclasses.replace(quantity("differ"), instead="posterior")]) == (
        "What to report: the posterior of means[1]."
    )
    assert verdict.advice([quantity("agree")]) is None


def test_the_kind_of_point_that_em_ended_at_is_told() -> None:
    fit: em.Fit[Any, Any] = dataclasses.replace(FIT, status="boundary")
    reasons = verdict.reach(PASSED, [quantity("differ")], fit, COINS, modes="one")[2]
    assert reasons[0].startswith("The maximum lies at a bound")
