"""EM's second interval: the profile likelihood of every quantity, and whether it fits the posterior where Wald's does not."""

from __future__ import annotations

import dataclasses
from typing import Literal

from comparisons.engine_failures import failing
from comparisons.problem import Fit, Problem
from comparisons.results.result import Quantity
from comparisons.results.strict_json import number
from comparisons.summary import adequacy
from em import Interval
from models.inputs import Floats


def with_profiles(problem: Problem, fit: Fit, table: list[Quantity], values: dict[str, Floats]) -> list[Quantity]:
    """Add its profile-likelihood interval to every quantity; verdicts stay as they are.

    Parameters
    ----------
    fit : maximum likelihood by EM, components in the order of the comparison
    values : ``(chains, draws)`` of every quantity by name
    """
    found = []
    for q in table:
        with failing("em"):
            interval = problem.profile_interval(fit, q.name, q.posterior.hdi_prob)
        # On a ridge the components of one of its points say nothing of the quantity.
        coinciding = (False, False) if fit.status == "ridge" else interval.coinciding
        interval = dataclasses.replace(interval, coinciding=coinciding)
        on_ridge = fit.status == "ridge" and q.em_se is None
        repeats = interval.reason is not None and interval.reason == fit.standard_errors.reason
        told = None if repeats else compared(q, interval, values[q.name], on_ridge=on_ridge)
        found.append(
            dataclasses.replace(
                q,
                profile_low=number(interval.low),
                profile_high=number(interval.high),
                profile_reason=interval.reason,
                profile_coinciding=interval.coinciding,
                reason=f"{q.reason} {told}" if told else q.reason,
                instead=_instead(q, interval, values[q.name], on_ridge=on_ridge),
            )
        )
    return found


def compared(quantity: Quantity, interval: Interval, draws: Floats, *, on_ridge: bool = False) -> str | None:
    """Whether the profile interval fits the posterior, in a sentence; None where Wald's tails already do, or none is known.

    Where it rules out no value, an agreement of Wald's says nothing.

    An end at a bound has no tail beyond it, and one at which components coincide has no nominal probability, nor has any end
    along a ridge: these are not judged.
    """
    ess_tail = quantity.posterior.ess_tail or 0.0
    tails = [quantity.tail_below, quantity.tail_above]
    if quantity.verdict == "inconclusive":
        return None
    at_bounds = _at_bounds(quantity, interval)
    everything = "The profile-likelihood interval is everything from 0 to 1: the data alone rule out no value"
    if len(at_bounds) == 2 and quantity.verdict == "agree":
        return f"{everything}, and that Wald's interval fits the posterior is chance."
    if all(t is not None and adequacy.tail_fits(t, ess_tail) for t in tails):
        return None
    if interval.reason is not None:
        return f"The profile-likelihood interval has {interval.reason}."
    if len(at_bounds) == 2:
        return f"{everything}."
    alone = f" The data alone set no {at_bounds[0]} bound." if at_bounds else ""
    inner = _inner_tails(quantity, interval, draws)
    if on_ridge or not inner:
        return f"The profile-likelihood interval is not judged: none of its ends has a nominal probability.{alone}"
    told = " and ".join(f"{tail:.1%} {side} it" for side, tail in inner)
    fits = all(adequacy.tail_fits(tail, ess_tail) for _, tail in inner)
    judged = "fits" if fits else "does not fit either"
    return f"The profile-likelihood interval {judged}: of the posterior {told}.{alone}"


def _at_bounds(quantity: Quantity, interval: Interval) -> list[str]:
    """Ends of the interval that are bounds of the quantity; 0 and 1 are, of probabilities alone."""
    ends = {"lower": interval.low, "upper": interval.high} if quantity.scale == "logit" else {}
    return [side for side, end in ends.items() if end in (0.0, 1.0)]


def _inner_tails(quantity: Quantity, interval: Interval, draws: Floats) -> list[tuple[str, float]]:
    """Posterior probability beyond each end that has a nominal one, and on which side that is."""
    at_bounds = _at_bounds(quantity, interval)
    sides = (
        ("below", "lower", draws < interval.low, interval.coinciding[0]),
        ("above", "upper", draws > interval.high, interval.coinciding[1]),
    )
    return [
        (name, float(beyond.mean()))
        for name, side, beyond, coinciding in sides
        if side not in at_bounds and not coinciding
    ]


def _instead(
    quantity: Quantity, interval: Interval, draws: Floats, *, on_ridge: bool
) -> Literal["profile", "posterior"] | None:
    """What to report in place of Wald's interval: the profile interval where it fits and the estimate is near enough.

    Of a quantity that is only slightly off, Wald's will do, unless both ends of the profile interval are known to fit better.
    """
    slight = quantity.degree == "slight"
    if quantity.degree is None or (slight and ("tails" not in quantity.missed or any(interval.coinciding))):
        return None
    inner = _inner_tails(quantity, interval, draws)
    ess_tail = quantity.posterior.ess_tail or 0.0
    fits = all(adequacy.tail_fits(tail, ess_tail) for _, tail in inner)
    near = abs(quantity.shift or 0.0) <= adequacy.SLIGHT_SHIFT
    if interval.reason is None and inner and fits and near and not on_ridge:
        return "profile"
    return None if slight else "posterior"
