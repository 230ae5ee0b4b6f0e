"""What is said of single quantities, each sentence once, with the quantities that it is said of."""

from __future__ import annotations

import re
from collections.abc import Callable

from comparisons.quantity_names import grouped, listed
from comparisons.report.digits import percent
from comparisons.report.reservations import NOT_CONVERGED, converged
from comparisons.results.result import Degree, Limits, Quantity, Result

# What a reader who divides the columns of a table by each other has to know.
SCALES = (
    "Wald interval and marks are made on the logit scale for probabilities, on the log scale for positive numbers: the interval "
    "is not the estimate ± 2 SE, and a mark may differ from what the columns suggest."
)
# What to report of a quantity, by what it is that EM's interval is replaced by, or by how far it is off.
INSTEAD = {"posterior": "posterior", "profile": "posterior, or EM (profile)", "nothing": "no number: components mix"}
# Names of checks as a reader has them, who knows neither this suite nor what they look at.
CHECKS = {
    "same-density": "EM and PyMC have one density",
    "stationary": "EM at a maximum",
    "best-mode": "no higher maximum found",
    "map-agrees": "PyMC finds the same mode",
    "draws-belong": "draws are of this posterior",
    "posterior-agrees": "a second method gives this posterior",
    "identified": "identified at the estimate",
    "standard-errors": "standard errors right",
}
# What a row of checks is, and is not.
ENGINES_ASKED = "Integrity checks ask whether EM, PyMC's model and the sampler did their work, not whether they agree."
# How the outcome of a check is told in a row of them.
OUTCOMES = {"pass": "✓", "fail": "✗", "inconclusive": "?", "not applicable": "–"}
# How a verdict is told with the degree of a difference.
DIFFERING = {"slight": "differ slightly", "marked": "differ markedly", "no interval": "differ, Wald interval missing"}
# Of results that were stored before they had their limits.
LIMITS = Limits(0.25, (0.8, 1.25), (0.01, 0.06), 2.0)
# Fewer are a label and may be said again.
FEWEST_WORDS = 4
# How a limit is told in a table; a difference that is no miss of one has no interval.
MET, SLIGHTLY, MISSED, NOT_JUDGED = "✓", "≈", "✗", "–"


def sentences(text: str) -> list[str]:
    """Take a text apart at its full stops.

    Examples
    --------
    >>> sentences("The gap is +0.65 sd: i.e. large. EM's interval fits.")
    ['The gap is +0.65 sd: i.e. large.', "EM's interval fits."]
    """
    return re.split(r"(?<=[.!?])\s+(?=[A-Z])", text.strip())


def explained(result: Result) -> list[tuple[str, str]]:
    """Names of quantities and what is said of them, in the order of the table; what is said of several stands once."""
    of: dict[str, list[str]] = {}
    for quantity in result.quantities:
        missing = f"Profile: {quantity.profile_reason}." if quantity.profile_reason else ""
        # A reason that compares the profile interval tells of a missing end by itself.
        also = missing if quantity.profile_reason and quantity.profile_reason not in quantity.reason else ""
        for sentence in sentences(f"{quantity.reason} {also}"):
            of.setdefault(sentence, []).append(quantity.name)
    told: dict[tuple[str, ...], list[str]] = {}
    for sentence, names in of.items():
        told.setdefault(tuple(names), []).append(sentence)
    everything = tuple(quantity.name for quantity in result.quantities)
    return [
        ("All quantities" if names == everything and len(names) > 1 else _each(names), " ".join(said))
        for names, said in told.items()
    ]


def once(result: Result) -> Callable[[str | None], str]:
    """Return what leaves out of a text the sentences that the page has told before, the verdict's and those of earlier texts."""
    told = [*result.reasons, result.advice, *([] if converged(result) else [NOT_CONVERGED])]

    def untold(text: str | None) -> str:
        new = [
            each
            for each in sentences(text or "")
            if len(each.split()) < FEWEST_WORDS or not any(each in before for before in told)
        ]
        told.extend(new)
        return " ".join(new)

    return untold


def told(verdict: str, degree: Degree | None) -> str:
    """Return a verdict as a reader has it, with the degree of a difference.

    Examples
    --------
    >>> told("differ", "slight"), told("agree", None)
    ('differ slightly', 'agree')
    """
    return DIFFERING[degree] if degree else verdict


def limits(result: Result) -> Limits:
    """Return what EM's numbers have to keep to as a summary of a quantity."""
    return result.limits or LIMITS


def key(result: Result) -> str:
    """Return what the marks of a table say, whose columns are called by their first letters."""
    return f"{marks(result)} M, S and T: {limits_told(result)} {SCALES}"


def marks(result: Result) -> str:
    """Return what each mark means, as far as they occur."""
    slightly = f" {SLIGHTLY} beyond it, but the quantity is only slightly off;" if _differing(result) else ""
    return f"{MET} within the limit;{slightly} {MISSED} beyond it; {NOT_JUDGED} not judged, or not found."


def limits_told(result: Result) -> str:
    """Return the limits, and what is slightly off where a quantity differs."""
    asked = limits(result)
    told = (
        f"Mean: the posterior mean is within {asked.shift:g} posterior SDs of EM's estimate. "
        f"Spread: EM's SE is {asked.se_ratio[0]:g} to {asked.se_ratio[1]:g} posterior SDs. "
        f"Tails: {percent(asked.tail[0], 0)} to {percent(asked.tail[1], 0)} of the posterior lies beyond each end of EM's Wald "
        "interval. Monte Carlo error is allowed for."
    )
    if not _differing(result):
        return told
    low, high = (percent(share, 0) for share in asked.slight_share)
    return (
        f"{told} Slightly off means that EM's interval still holds {low} to {high} of the posterior, and that the posterior mean "
        f"is within {asked.slight_shift:g} posterior SDs of EM's estimate."
    )


def _differing(result: Result) -> bool:
    return any(quantity.degree for quantity in result.quantities)


def check_in_words(name: str) -> str:
    """Return the name of a check as a reader has it.

    Examples
    --------
    >>> check_in_words("posterior-agrees"), check_in_words("sampler-converged")
    ('a second method gives this posterior', 'sampler converged')
    """
    return CHECKS.get(name, name.replace("-", " "))


def ticks(quantity: Quantity) -> list[str]:
    """Return a mark each for mean, spread and tails: whether EM's point, standard error and interval keep to the limits."""
    if quantity.shift is None:
        return [NOT_JUDGED] * 3
    missed = SLIGHTLY if quantity.degree == "slight" else MISSED
    return [missed if limit in quantity.missed else MET for limit in ("mean", "spread", "tails")]


def to_report(quantity: Quantity) -> str:
    """Return what may be reported of a quantity, in a few words."""
    if quantity.verdict == "inconclusive":
        return "nothing yet"
    return INSTEAD.get(
        quantity.instead or "", "EM (Wald), slightly off" if quantity.degree == "slight" else "EM (Wald)"
    )


def _each(names: tuple[str, ...]) -> str:
    told = listed(grouped(names))
    return f"{told[0].upper()}{told[1:]}"
