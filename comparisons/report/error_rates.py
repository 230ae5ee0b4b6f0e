"""What the verdict's error rates are, as measured by simulation, and why each threshold is what it is.

The rates are the summary of the studies that is installed with the package (``comparisons/study/rates.json``, a copy of
``docs/calibration/rates.json``); a test holds the two equal.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from comparisons.report.digits import percent
from comparisons.results.result import Result

NOT_STUDIED = "not studied for this family"
PUBLISHED = Path(__file__).resolve().parent.parent / "study" / "rates.json"

# Why each check has the threshold it has; what the studies found of it stands beside.
REASONS = {
    "same-density": "The rounding of a sum of a thousand logarithms, with a margin of thousands; every planted error is larger "
    "by orders of magnitude.",
    "stationary": "A thousandth of a standard error moves no conclusion; EM itself stops at 1e-8.",
    "best-mode": "Two searches that end in one maximum agree to 1e-9 nats, so a gain of 1e-6 is another maximum. It fails only "
    "where EM’s own search, run again, misses it too.",
    "map-agrees": "As for best-mode; parameters within a thousandth of a standard error.",
    "sampler-converged": "R-hat 1.01 and 400 effective draws after Vehtari et al. (2021); draws are added to 1500 effective "
    "ones before the chains are given up, since a perfect sampler fails 1.01 in a third of the cases at 400. A transition whose "
    "energy is off by 1000 nats has diverged, whatever its flag says.",
    "draws-belong": "Rounding, as for same-density; Stein’s identities fail with probability 0.001 at most, all together, "
    "where the draws are right (Bonferroni).",
    "posterior-agrees": "All means and probabilities together fail with probability 0.001 at most where both routes are right "
    "(Bonferroni, Student t), and the check fails only where draws with another seed fail again.",
    "identified": "Below 1e-8 of the complete-data information nothing is left but rounding.",
    "standard-errors": "A thousandth of a standard error changes no digit that is printed. The numerical derivatives are good to "
    "1e-6, and where they are not, their own error is allowed for.",
}


@dataclass(frozen=True, slots=True)
class Measured:
    """A check's threshold in words: why, and how often it failed or could not decide where no fault was planted."""

    title: str
    reason: str
    failed: str
    undecided: str


@cache
def _published() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    return found


def measured(result: Result) -> list[Measured]:
    """Every check of the result, with its reason and its rate in the family of the result."""
    rates = _clean(result)
    if rates is None:
        return [
            Measured(check.title, REASONS[check.name], "" if check.name == "identified" else NOT_STUDIED, "")
            for check in result.checks
            if check.name in REASONS
        ]
    told = []
    for check in result.checks:
        if check.name in rates["failed"]:
            # "identified" is no integrity check: it fails where the data do not identify the parameters.
            outcomes = () if check.name == "identified" else ("failed", "undecided")
            failed, undecided = [_rate(rates[outcome][check.name]) for outcome in outcomes] or ("", "")
            told.append(Measured(check.title, REASONS[check.name], failed, undecided))
    return told


def sentences(result: Result) -> list[str]:
    """The error rates of the verdict, and how much was looked at."""
    clean, faults = _clean(result), _published()["faults"]
    if clean is None:
        return [
            f"No study of simulated data has been published for the family {result.model.family}: how often its verdict is wrong "
            "is not known. The checks and their limits are those of the other families."
        ]
    margin = ""
    if any(quantity.exact is None for quantity in result.quantities):
        margin = ", and the margin of two Monte Carlo errors that keeps chance from turning a verdict also hides small violations"
    wrong, undecided = clean["verdicts"]["wrong"], clean["verdicts"]["inconclusive"]
    return [
        f"On simulated data of this family with no fault planted the verdict was “wrong” (an integrity check failed) in "
        f"{_rate(wrong)} and “inconclusive” (a check could not decide) in {_rate(undecided)}: averages over the populations that "
        f"were simulated, easy and hard on purpose, which need not be those of data like these.{_missed(clean)}",
        f"Over the families studied, of {faults['of']} data sets in which one of {faults['faults']} faults, planted on purpose, "
        f"changed an estimate, a density or the draws, "
        f"{faults['detected']} were found out, and {faults['named']} of these laid at the right engine. Other or smaller faults "
        "may not be." + (f" Not always found: {'; '.join(faults['missed'])}." if faults["missed"] else ""),
        f"This comparison looked at {len(result.quantities)} quantities and {len(result.checks)} checks. These rates are of the "
        "checks. The limits that tell “agree” from “differ”, under Estimates, are conventions without an error rate: they are "
        f"not corrected for the number of quantities{margin}.",
    ]


def _missed(clean: dict[str, Any]) -> str:
    """What a failure without a fault was, where EM's search had missed a mode."""
    missed = any(clean["failed"][name]["count"] for name in ("best-mode", "map-agrees"))
    return (
        " A better mode that EM’s own search has missed, found by PyMC or from draws, counts among them, though the verdict is "
        "right to say so."
        if missed
        else ""
    )


def _clean(result: Result) -> dict[str, Any] | None:
    """None where no study of this family has been published."""
    return next((each for each in _published()["clean"] if each["family"] == result.model.family), None)


def _rate(rate: dict[str, Any]) -> str:
    return (
        f"{rate['count']} of {rate['of']} (95\u00a0% interval {percent(rate['low'], 1)} to {percent(rate['high'], 1)})"
    )
