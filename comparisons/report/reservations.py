"""What a reader may not make of a number: points of a ridge, and draws of chains that have not converged."""

from __future__ import annotations

from dataclasses import replace

from comparisons.results.result import Quantity, Result
from comparisons.results.strict_json import Number

# Stands beside an estimate that the footnote is about.
MARK = "†"
RIDGE = (
    "One point of a ridge: the data do not identify this quantity, and other points have the same likelihood. "
    "A gap from one of them would mean nothing."
)
# Stands beside an end of a profile-likelihood interval.
END_MARK = "‡"
COINCIDING = (
    "This end of the profile interval is unreliable: when the quantity is fixed at this value, the best-fitting model has two "
    "identical components."
)
NOT_CONVERGED = "The chains have not converged, so their draws do not describe the posterior."
# Where one M-step is the maximum, the rate is 0 but for the rounding of an eigenvalue.
NO_RATE = 1e-9


def converged(result: Result) -> bool:
    """Whether no check found that the chains have not converged."""
    return not any(
        check.name == "sampler-converged" and check.outcome in ("inconclusive", "fail") for check in result.checks
    )


def em_on_ridge(result: Result, quantity: Quantity) -> bool:
    """Whether EM's estimate of the quantity is one of many with the same likelihood."""
    return result.em.status == "ridge" and quantity.em_se is None and quantity.em is not None


def map_on_ridge(result: Result, quantity: Quantity) -> bool:
    """Whether the posterior mode of the quantity is one of many with the same density."""
    return result.em.map_status == "ridge" and quantity.em_se is None and quantity.map is not None


def end_marks(quantity: Quantity) -> tuple[str, str]:
    """What stands beside the lower and the upper end of the profile-likelihood interval."""
    lower, upper = quantity.profile_coinciding
    return END_MARK * lower, END_MARK * upper


def footnotes(result: Result) -> dict[str, str]:
    """What the marks in the table of quantities mean, of those that are in it."""
    found = {}
    if any(em_on_ridge(result, quantity) for quantity in result.quantities):
        found[MARK] = RIDGE
    if any(any(end_marks(quantity)) for quantity in result.quantities):
        found[END_MARK] = COINCIDING
    return found


def readable(result: Result) -> list[Quantity]:
    """Return the quantities without the comparisons of EM and posterior that one of the two does not bear."""
    if not converged(result):
        return [
            replace(quantity, tail_below=None, tail_above=None, gap=None, shift=None, se_ratio=None)
            for quantity in result.quantities
        ]
    return [
        replace(quantity, gap=None, shift=None) if em_on_ridge(result, quantity) else quantity
        for quantity in result.quantities
    ]


def rate(result: Result) -> Number:
    """Rate of EM, where its iterations approach a single maximum in more than one step."""
    known = result.em.rate is not None and result.em.rate > NO_RATE and result.em.status != "ridge"
    return result.em.rate if known else None
