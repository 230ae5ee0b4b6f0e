"""What is said of single quantities, each sentence once, with the quantities that it is said of."""

from __future__ import annotations

import re
from collections.abc import Callable

from comparisons.quantity_names import grouped, listed
from comparisons.report.digits import percent
from comparisons.report.reservations import NOT_CONVERGED, converged
from comparisons.results.result import Degree, Limit, Limits, Quantity, Result

# What a reader who divides the columns of a table by each other has to know.
SCALES = (
    "marks and Wald intervals are computed on the logit scale (probabilities) or the log scale (positive numbers). So they "
    "cannot be worked out from the columns alone."
)
# What to report of a quantity, by what it is that EM's interval is replaced by, or by how far it is off.
INSTEAD = {"posterior": "posterior", "profile": "posterior, or EM (profile)", "nothing": "no number: components mix"}
SLIGHT = {"profile": "EM (profile)"}
# Names of checks as a reader has them, who knows neither this suite nor what they look at.
CHECKS = {
    "same-density": "EM and PyMC fit the same model",
    "stationary": "EM at a maximum of the likelihood",
    "best-mode": "no higher likelihood found",
    "map-agrees": "MAP by EM and by PyMC agree",
    "draws-belong": "draws belong to this model",
    "posterior-agrees": "a second method gives this posterior",
    "identified": "locally identified",
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
MET, NEARLY, SLIGHTLY, MISSED, NOT_JUDGED = "✓", "(✓)", "≈", "✗", "–"
# Draws to ask for, for each that there are, where a mark hangs on Monte Carlo error: which they halve.
MORE = 4


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


def legend(result: Result) -> dict[str, str]:
    """Return what the marks of a table say, by the word that is explained."""
    asked = limits(result)
    slightly = f" {SLIGHTLY} beyond it, but only slightly off;" if _differing(result) else ""
    said = {
        "Marks": f"{MET} within the limit; {NEARLY} beyond it by no more than Monte Carlo error;{slightly} {MISSED} beyond "
        f"it; {NOT_JUDGED} not judged, or not found.",
        "Mean": f"the posterior mean should be within {asked.shift:g} posterior SDs of EM's estimate.",
        "Spread": f"EM's SE should be {asked.se_ratio[0]:g} to {asked.se_ratio[1]:g} posterior SDs.",
        "Tails": f"{percent(asked.tail[0], 0)} to {percent(asked.tail[1], 0)} of the posterior should lie beyond each end of "
        "EM's Wald interval.",
    }
    if _differing(result):
        low, high = (percent(share, 0) for share in asked.slight_share)
        said["Slightly off"] = (
            f"EM's interval still holds {low} to {high} of the posterior, and the posterior mean is within "
            f"{asked.slight_shift:g} posterior SDs of EM's estimate."
        )
    if any(NEARLY in ticks(result, quantity) for quantity in result.quantities):
        said["More draws"] = (
            f"a {NEARLY} may become {MET} or {MISSED}: run again with --draws {MORE * result.sampler.draws}."
        )
    if any(quantity.scale != "identity" for quantity in result.quantities):
        said["Scale"] = SCALES
    if any(quantity.exact for quantity in result.quantities):
        said["Exact"] = (
            "this posterior can be computed exactly, so mean and SD come from numerical integration. "
            "The HDI comes from the draws."
        )
    return said


def key(result: Result) -> list[str]:
    """Return the legend line by line, for a table whose columns of marks are called by their first letters."""
    lettered = ("Mean", "Spread", "Tails")
    return [
        f"{f'{term[0]}, {term.lower()}' if term in lettered else term}: {told}" for term, told in legend(result).items()
    ]


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


def ticks(result: Result, quantity: Quantity) -> list[str]:
    """Return a mark each for mean, spread and tails: whether EM's point, standard error and interval keep to the limits."""
    asked, shift, ratio = limits(result), quantity.shift, quantity.se_ratio
    tails = [tail for tail in (quantity.tail_below, quantity.tail_above) if tail is not None]
    if shift is None or ratio is None:
        return [NOT_JUDGED] * 3
    within: dict[Limit, bool] = {
        "mean": abs(shift) <= asked.shift,
        "spread": asked.se_ratio[0] <= ratio <= asked.se_ratio[1],
        "tails": all(asked.tail[0] <= tail <= asked.tail[1] for tail in tails),
    }
    missed = SLIGHTLY if quantity.degree == "slight" else MISSED
    return [missed if limit in quantity.missed else MET if met else NEARLY for limit, met in within.items()]


def to_report(quantity: Quantity) -> str:
    """Return what may be reported of a quantity, in a few words."""
    if quantity.verdict == "inconclusive":
        return "nothing yet"
    if quantity.degree == "slight":
        return SLIGHT.get(quantity.instead or "", "EM (Wald), slightly off")
    return INSTEAD.get(quantity.instead or "", "EM (Wald)")


def _each(names: tuple[str, ...]) -> str:
    told = listed(grouped(names))
    return f"{told[0].upper()}{told[1:]}"
