"""Claims about the verdict: what beats what, what it says, and what it tells to report."""

from __future__ import annotations

import dataclasses
import itertools
import re
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


def moved(name: str, gap: float, shift: float, below: float, above: float) -> Quantity:
    """A quantity that differs, with a gap in its own posterior sds and a shift on the scale where it is judged."""
    of = quantity("differ", name=name)
    assert of.mean is not None
    assert of.sd is not None
    return dataclasses.replace(of, em=of.mean - gap * of.sd, shift=shift, tail_below=below, tail_above=above)


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
    assert reasons == ["Check stationary: Because."]


def test_what_is_not_identified_is_named_and_what_is_compared() -> None:
    quantities = [quantity("differ", name="weights[A]"), quantity("agree", name="chance_of_heads")]
    reached, sentence, reasons = verdict.reach([*PASSED[:2], UNIDENTIFIED], quantities, FIT, COINS, modes="one")
    assert reached == "differ"
    assert sentence == (
        "Report the posterior for 1 of 2 quantities: its EM estimate lies 0.0 posterior sd off the posterior mean, "
        "because the data do not identify all parameters."
    )
    slight = [dataclasses.replace(q, degree="slight") if q.degree else q for q in quantities]
    assert verdict.reach([*PASSED[:2], UNIDENTIFIED], slight, FIT, COINS, modes="one")[1] == (
        "EM's intervals may be reported, but the data do not identify all parameters."
    )
    assert "Not identified: Flat along weights[A] - weights[B]." in reasons
    assert "What is identified agrees: chance of heads." in reasons


def test_what_is_identified_and_differs_has_a_cause_of_its_own() -> None:
    flat = dataclasses.replace(quantity("differ", name="head_probabilities[A]"), degree="no interval")
    identified = quantity("differ", Gap(0.0, 0.0, -0.3, -0.3, False), "chance_of_heads")
    told = verdict.reach([*PASSED[:2], UNIDENTIFIED], [flat, identified], FIT, COINS, modes="one")
    assert told[1] == (
        "Report the posterior for both quantities: EM has no Wald interval for 1, a misleading one for 1, because the data do "
        "not identify all parameters."
    )
    assert "The posterior is not symmetric about its mode. This concerns the chance of heads." in told[2]


@pytest.mark.parametrize(
    ("gap", "cause"),
    [
        (Gap(0.6, 0.0, 0.1, 0.7, False), verdict.PRIOR),
        (Gap(0.0, 0.6, 0.1, 0.7, False), verdict.SWITCH),
        (Gap(0.3, 0.0, 0.4, 0.7, False), verdict.AVERAGING["one"]),
        (Gap(0.6, 0.0, -0.6, 0.0, True), verdict.OTHER_SHAPE),
        (Gap(1.0, 0.0, -0.7, 0.3, True), verdict.OFF),
    ],
)
def test_the_largest_cause_of_a_difference_is_told(gap: Gap, cause: str) -> None:
    sentence = verdict.reach(PASSED, [quantity("differ", gap)], FIT, COINS, modes="one")[1]
    if cause in verdict.NO_REASON:
        assert "because" not in sentence
    else:
        assert sentence.endswith(f"because {cause}.")


def test_every_cause_is_told_with_its_quantities() -> None:
    both = [
        quantity("differ", Gap(0.3, 0.0, 0.4, 0.7, False)),
        quantity("differ", Gap(0.7, 0.0, 0.0, 0.7, False), "means[2]"),
    ]
    assert verdict.reach(PASSED, both, FIT, COINS, modes="several")[2] == [
        "The posterior has several modes. This concerns the mean of component 1.",
    ]
    third = quantity("agree", name="means[3]")
    assert verdict.reach(PASSED, [*both, third], FIT, COINS, modes="several")[2] == [
        "The prior shifts the posterior mode. This concerns the means of components 1 and 2.",
        "The posterior has several modes. This concerns the mean of component 1.",
    ]


def test_a_prior_that_overrules_the_data_is_to_be_looked_at() -> None:
    for sds, told in ((1.0, False), (6.0, True)):
        both = [quantity("differ", Gap(sds, 0.0, 0.0, sds, False)), quantity("agree", name="means[2]")]
        reasons = verdict.reach(PASSED, both, FIT, COINS, modes="one")[2]
        assert any("moves EM's own estimate by up to 6.0 posterior sds" in each for each in reasons) == told


def test_the_weightiest_cause_is_told_first() -> None:
    """The one of the first sentence."""
    two = [
        quantity("differ", Gap(0.4, 0.0, 0.3, 0.7, False)),
        quantity("differ", Gap(0.0, 0.0, 0.9, 0.9, False), "means[2]"),
    ]
    _, summary, reasons = verdict.reach(PASSED, [*two, quantity("agree", name="means[3]")], FIT, COINS, modes="several")
    assert summary.endswith("because the posterior has several modes.")
    assert [each.partition(".")[0] for each in reasons] == [
        "The posterior has several modes",
        "The prior shifts the posterior mode",
    ]


def test_the_sentence_of_a_slight_difference_lets_intervals_be_reported() -> None:
    slight = dataclasses.replace(quantity("differ"), degree="slight")
    told = verdict.reach(PASSED, [slight, quantity("agree", name="means[2]")], FIT, COINS, modes="one")[1]
    assert told == ("EM's intervals may be reported: 1 of 2 quantities agrees and 1 differs only slightly.")


@pytest.mark.parametrize(
    ("tails", "shifts", "told"),
    [
        (
            [(0.14, 0.16), (0.1, 0.14)],
            [0.5, 0.6],
            "intervals are too narrow and hold 70 to 76% of the posterior",
        ),
        ([(0.08, 0.04), (0.09, 0.05)], [0.1, 0.1], "intervals are too narrow and hold 86 to 88% of the posterior"),
        ([(0.3, 0.0), (0.02, 0.28)], [0.5, 0.6], "intervals are misplaced and hold 70% of the posterior"),
        (
            [(0.0, 0.0), (0.001, 0.0)],
            [0.0, 0.0],
            "intervals are too wide and hold nearly 100% of the posterior",
        ),
        ([(0.0, 0.0), (0.03, 0.04)], [0.0, 0.8], "intervals hold 93 to nearly 100% of the posterior, not 94%"),
        ([(0.0, 0.06), (0.01, 0.08)], [0.84, -0.6], "estimates lie up to 0.8 posterior sd off the posterior mean"),
    ],
)
def test_the_sentence_of_a_marked_difference_says_how_far_off_intervals_are(
    tails: list[tuple[float, float]], shifts: list[float], told: str
) -> None:
    made = [
        moved(f"means[{k}]", shift, shift, below, above)
        for k, ((below, above), shift) in enumerate(zip(tails, shifts, strict=True))
    ]
    sentence = verdict.reach(PASSED, made, FIT, COINS, modes="one")[1]
    assert sentence.startswith(f"Report the posterior for both quantities: EM's {told}")


def test_the_sentence_of_one_marked_difference_is_of_one_interval() -> None:
    wide = dataclasses.replace(quantity("differ"), tail_below=0.0, tail_above=0.001, shift=0.0)
    told = verdict.reach(PASSED, [wide, quantity("agree", name="means[2]")], FIT, COINS, modes="one")[1]
    opening = "1 of 2 quantities: its EM interval is too wide and holds nearly 100% of the posterior"
    assert told.startswith(f"Report the posterior for {opening}")


def every_sentence() -> list[str]:
    """What `reach` says first, of every kind of outcome: engines, degrees, causes, modes, points that EM ends at."""
    gaps = [Gap(*terms, False) for terms in ((0.7, 0.0, 0.0, 0.7), (0.0, 0.7, 0.0, 0.7), (0.0, 0.0, 0.7, 0.7))]
    gaps += [Gap(1.0, 0.0, -0.7, 0.3, True), Gap(0.0, 0.0, 0.0, 0.0, False)]
    many = [quantity("agree", name=f"means[{k}]") for k in range(3, 120)]
    told = [
        verdict.reach([check("stationary", outcome, engine)], many, FIT, COINS, modes="one")[1]
        for outcome in ("fail", "inconclusive")
        for engine in (*verdict.ENGINES, None)
    ]
    degrees: list[Any] = ["slight", "marked", "no interval"]
    statuses: list[Any] = ["converged", *verdict.STATUS]
    kinds: list[Any] = list(verdict.AVERAGING)
    for status, modes, checks, others in itertools.product(
        statuses, kinds, [PASSED, [*PASSED[:2], UNIDENTIFIED]], [[], many]
    ):
        fit: em.Fit[Any, Any] = dataclasses.replace(FIT, status=status)
        told += [verdict.reach(checks, many, fit, COINS, modes=modes)[1]]
        for (one, other), gap, tail in itertools.product(itertools.product(degrees, degrees), gaps, (0.0, 0.04, 0.3)):
            # Shifted by a little, so that it is the width that is told of.
            both = [
                dataclasses.replace(
                    quantity("differ", gap, f"means[{k}]"),
                    degree=degree,
                    shift=0.3 if gap.total else 0.0,
                    tail_below=min(tail, k * 0.1),
                    tail_above=tail,
                )
                for k, degree in ((1, one), (2, other))
            ]
            told.append(verdict.reach(checks, [*both, *others], fit, COINS, modes=modes)[1])
        at_ends = [dataclasses.replace(q, scale="logit", em=1.0, degree="no interval") for q in both]
        near = [
            dataclasses.replace(q, scale="logit", em=0.99, em_se=0.02, tail_below=0.0, tail_above=0.0) for q in both
        ]
        near = [dataclasses.replace(q, degree="marked", shift=0.3) for q in near]
        told += [
            verdict.reach(checks, [*some, *others], fit, COINS, modes=modes, mixed=mixed)[1]
            for some, mixed in ((both, True), (at_ends, False), ([both[0], at_ends[1]], False), (near, False))
        ]
    return told


def test_an_estimate_close_to_a_bound_is_a_cause_of_its_own() -> None:
    near = dataclasses.replace(quantity("differ"), scale="logit", em=0.993, em_se=0.025, tail_below=0.0, tail_above=0.0)
    told = verdict.reach(PASSED, [near, quantity("agree", name="means[2]")], FIT, COINS, modes="one")
    assert told[1].endswith(
        "is too wide and holds nearly 100% of the posterior, because the estimate is close to a bound."
    )
    far = dataclasses.replace(near, em_se=0.005)
    assert (
        verdict.BOUND
        not in verdict.reach(PASSED, [far, quantity("agree", name="means[2]")], FIT, COINS, modes="one")[1]
    )


def test_the_first_sentence_is_one_of_at_most_thirty_words_without_a_bracketed_list() -> None:
    for sentence in set(every_sentence()):
        assert len(sentence.split()) <= verdict.MOST_WORDS == 30, sentence
        assert not re.search(r"[()\[\]]", sentence), sentence
        assert re.fullmatch(r"[A-Z].*\.", sentence), sentence
        assert not re.search(r"[.!?] [A-Z]", sentence), sentence


def test_what_may_be_reported_is_told_by_quantity() -> None:
    slight = dataclasses.replace(quantity("differ", name="means[2]"), degree="slight")
    profile = dataclasses.replace(quantity("differ", name="means[3]"), instead="profile")
    posterior = dataclasses.replace(quantity("differ", name="means[4]"), instead="posterior")
    assert verdict.advice("differ", [quantity("agree"), slight, profile, posterior], PASSED) == (
        "Only in part. Report posterior mean and highest-density interval of the means of components 4 and 3; for one "
        "of them, the mean of component 3, EM's estimate with its profile interval would also do. For the other 2 quantities "
        "EM's estimates with Wald intervals will do (slightly off: mean of component 2)."
    )
    many = [dataclasses.replace(posterior, name=f"{name}[1]") for name in ("weights", "rates", "means", "sizes")]
    assert verdict.advice("differ", [*many, quantity("agree")], PASSED) == (
        "Only in part. EM's estimate with its Wald interval will do for the mean of component 1. For the other 4 quantities "
        "report posterior mean and highest-density interval."
    )
    right = [quantity("agree", name=f"{name}[2]") for name in ("weights", "rates", "means", "sizes")]
    assert verdict.advice("differ", [*many, *right], PASSED).startswith(
        "Only in part. Report posterior mean and highest-density interval of 4 quantities, named in the table. For the "
        "other 4 quantities"
    )
    assert verdict.advice("differ", [slight, quantity("agree")], PASSED) == (
        "Yes, its estimates with Wald intervals (slightly off: mean of component 2)."
    )
    by_profile = dataclasses.replace(slight, name="means[5]", instead="profile")
    assert verdict.advice("differ", [slight, by_profile, quantity("agree")], PASSED) == (
        "Yes, its estimates with Wald intervals (slightly off: mean of component 2). For the mean of component 5, whose Wald "
        "interval is slightly off, report EM's estimate with its profile interval."
    )
    assert verdict.advice("differ", [by_profile], PASSED) == "Yes, its estimates with profile intervals."
    assert verdict.advice("differ", [by_profile, posterior], PASSED) == (
        "Only in part. Report posterior mean and highest-density interval of the mean of component 4. For the mean of component "
        "5, whose Wald interval is slightly off, report EM's estimate with its profile interval."
    )
    assert verdict.advice("differ", [posterior], PASSED) == (
        "No. Report posterior means and highest-density intervals."
    )
    assert verdict.advice("agree", [quantity("agree")], PASSED) == "Yes, its estimates with Wald intervals."
    mixed = verdict.without_numbers([slight, posterior, quantity("agree")], [])
    whole = "Report the posterior of the fitted distribution as a whole"
    assert verdict.advice("differ", mixed, PASSED).startswith("Not for single components: ")
    assert f"{whole} (see" in verdict.advice("differ", mixed, PASSED)
    assert f"{whole} and the mean (see" in verdict.advice("differ", [*mixed, quantity("agree", name="mean")], PASSED)
    to_do = dataclasses.replace(FAILED, remedy="Mend it.")
    assert verdict.advice("wrong", [posterior], [*PASSED, to_do, UNDECIDED]) == "Not yet. Mend it."
    assert verdict.advice("inconclusive", [posterior], [*PASSED, UNDECIDED]) == "Not yet."


def test_the_first_sentence_tells_what_misleads_in_most_quantities() -> None:
    """Of intervals that hold a little less than they should, about estimates far from the mean, the distance in own units."""
    off = [
        moved(f"means[{k}]", gap, shift, 0.02, above)
        for k, (gap, shift, above) in enumerate([(0.9, 0.8, 0.09), (-0.7, -0.6, 0.09), (0.6, 0.6, 0.07)])
    ]
    table = [*off, quantity("agree", name="means[4]")]
    assert (
        "EM's estimates lie up to 0.9 posterior sd off the posterior mean"
        in verdict.reach(PASSED, table, FIT, COINS, modes="one")[1]
    )
    table[2] = dataclasses.replace(table[2], shift=0.2)
    assert "EM's intervals hold 89 to 91% of the posterior" in verdict.reach(PASSED, table, FIT, COINS, modes="one")[1]


def test_of_many_quantities_a_cause_tells_how_many() -> None:
    many = [quantity("differ", name=f"{name}[1]") for name in ("weights", "rates", "means", "sizes")]
    reasons = verdict.reach(PASSED, [*many, quantity("agree", name="means[2]")], FIT, COINS, modes="one")[2]
    assert any(each.endswith(". This concerns 4 quantities.") for each in reasons)
    assert "table" not in " ".join(reasons)


@pytest.mark.parametrize("mixed", [False, True])
def test_the_first_sentence_and_the_advice_say_the_same(mixed: bool) -> None:
    degrees: list[Any] = [None, "slight", "marked", "no interval"]
    for checks, *of_each in itertools.product([PASSED, [*PASSED[:2], UNIDENTIFIED]], degrees, degrees):
        table = [
            dataclasses.replace(quantity("differ" if degree else "agree", name=f"means[{k}]"), degree=degree)
            for k, degree in enumerate(of_each)
        ]
        apart = not mixed or not {"marked", "no interval"} & set(of_each)
        reached, summary, _ = verdict.reach(checks, table, FIT, COINS, modes="one", mixed=not apart)
        advice = verdict.advice(reached, table if apart else verdict.without_numbers(table, []), checks)
        assert ("may be reported" in summary) == advice.startswith("Yes"), (summary, advice)
        assert ("no numbers of single components" in summary) == advice.startswith("Not for single"), (summary, advice)
        assert summary.startswith("Report the posterior for") == advice.startswith(("No.", "Only in part.")), (
            summary,
            advice,
        )


def test_the_kind_of_point_that_em_ended_at_is_told() -> None:
    fit: em.Fit[Any, Any] = dataclasses.replace(FIT, status="boundary")
    reasons = verdict.reach(PASSED, [quantity("differ")], fit, COINS, modes="one")[2]
    assert reasons[0] == "EM's maximum lies at a bound."
    at = [
        dataclasses.replace(quantity("differ", name=f"weights[{k}]"), degree="no interval", scale="logit", em=float(k))
        for k in (0, 1)
    ]
    _, sentence, reasons = verdict.reach(PASSED, at, fit, COINS, modes="one")
    assert sentence == (
        "Report the posterior for both quantities: EM has no Wald interval there, because it puts them at 0 or 1."
    )
    assert reasons[0] == "EM's maximum lies at a bound, 0 or 1, for the weights of components 0 and 1."
    misled = [*at, dataclasses.replace(quantity("differ", name="means[1]"), degree="marked")]
    assert verdict.reach(PASSED, misled, fit, COINS, modes="one")[1] == (
        "Report the posterior for all 3 quantities: for 2 of them EM's estimate is 0 or 1 without a Wald interval; for 1 more "
        "its estimate or interval misleads."
    )


def test_where_components_mix_the_sentence_speaks_of_the_whole_and_the_causes_are_told() -> None:
    two = [quantity("differ", Gap(0.0, 0.0, 0.7, 0.7, False)), quantity("agree", name="means[2]")]
    _, sentence, reasons = verdict.reach(PASSED, two, FIT, COINS, modes="several", mixed=True)
    assert sentence == (
        "Report the fitted distribution as a whole, from the posterior, and no numbers of single components: the data do not "
        "tell the components apart."
    )
    assert reasons == ["The posterior has several modes. This concerns the mean of component 1."]
