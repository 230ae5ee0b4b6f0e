"""Is EM with its standard error an adequate summary of the posterior? Quantity by quantity, and why not where not.

Adequate means: each tail of the posterior beyond EM's 94 % interval has a probability near its nominal 0.03, the posterior
mean lies within a quarter of a posterior sd, and the standard error is the posterior sd to a fifth or a quarter. Mean and sd
are those on the scale of the interval, on which the quantity has no bounds: a normal approximation is good or bad there.
Each bound is missed only where it is missed by more than twice the Monte Carlo error, so that chance alone does not turn a
verdict. The gap is taken apart in the quantity's own units.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from comparisons.not_numbers import not_numbers
from comparisons.quantities import INTERVAL, unit_of
from comparisons.results.result import Degree, Exact, Gap, Limit, PosteriorSummary, Quantity
from comparisons.results.strict_json import number
from em.mixture import Scale
from em.uncertainty.wald import on_scale, slope, wald
from models.inputs import Floats

# Nominal 0.03: a summary whose tails hold a third or twice of that is off by more than a reader would forgive.
TAILS = (0.01, 0.06)
# Posterior sds between mean and estimate: less is not seen in a figure.
SHIFT = 0.25
# Standard error over posterior sd.
RATIO = (0.8, 1.25)
# Monte Carlo standard errors by which a bound has to be missed.
BEYOND = 2.0
# Share of the posterior in EM's interval, and posterior sds between mean and estimate, within which a difference is slight.
SLIGHT_SHARE, SLIGHT_SHIFT = (0.90, 0.98), 0.5
# Shares of the posterior sd: a smaller gap needs no explanation, and larger terms of opposite sign cancel.
NOTICEABLE = 0.1

type Modes = Literal["one", "several", "ridge"]


@dataclass(frozen=True, slots=True)
class Points:
    """One quantity at three points: maximum likelihood, the mode reached from it, the best mode."""

    maximum_likelihood: float
    mode_from_it: float
    best_mode: float


@dataclass(frozen=True, slots=True)
class Posterior:
    """What is judged of the posterior of one quantity: by quadrature, or of draws with their Monte Carlo errors.

    Attributes
    ----------
    mean, sd : of the quantity
    centre, spread : mean and sd on the scale of EM's interval
    below, above : probability beyond each end of EM's interval
    mcse, mcse_sd : Monte Carlo standard errors of the mean and of the sd, in sds, which hardly depend on the scale
    ess_tail : effective draws of the tails
    """

    mean: float
    sd: float
    centre: float
    spread: float
    below: float
    above: float
    mcse: float = 0.0
    mcse_sd: float = 0.0
    ess_tail: float = math.inf


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What all quantities of a comparison share.

    Attributes
    ----------
    converged : whether the chains have; if not, nothing is judged
    modes : whether the posterior has one mode of any weight, several, or a ridge of them
    withheld : why EM gives no standard errors, None where it does
    """

    converged: bool
    modes: Modes
    withheld: str | None


def judge(
    name: str,
    kind: Scale,
    points: Points,
    error: float,
    draws: Floats,
    row: Any,
    circumstances: Circumstances,
    exact: Posterior | None = None,
) -> Quantity:
    """Judge one quantity.

    Parameters
    ----------
    name, kind : of the quantity, and the scale on which it has no bounds
    points : its values at the maximum and at the modes
    error : EM's standard error, NaN where withheld
    draws : ``(chains, draws)`` in canonical order
    row : its line of ArviZ's summary, with the highest-density interval of probability 94 %
    exact : the posterior by quadrature, which is judged in place of the draws
    """
    mean, sd, mcse = float(row["mean"]), float(row["sd"]), float(row["mcse_mean"])
    summary = PosteriorSummary(
        mean=number(mean),
        sd=number(sd),
        hdi_low=number(row["hdi94_lb"]),
        hdi_high=number(row["hdi94_ub"]),
        hdi_prob=INTERVAL,
        ess_bulk=number(row["ess_bulk"]),
        ess_tail=number(row["ess_tail"]),
        r_hat=number(row["r_hat"]),
        mcse=number(mcse),
    )
    estimate = points.maximum_likelihood
    low, high = wald(kind, estimate, error)
    gap: Gap | None = None
    judged: Posterior | None = None
    ratio = shift = math.nan
    verdict: Literal["agree", "differ", "inconclusive"]
    missed: list[Limit] = []
    usable = circumstances.converged and math.isfinite(mean) and math.isfinite(sd) and sd > 0
    missing = list(not_numbers(points))
    if math.isnan(error) and circumstances.withheld is None:
        missing.append("EM's standard error")
    if usable and math.isfinite(low):
        judged = exact or of_draws(draws, kind, low, high, row)
        missing += not_numbers(judged)
    if not usable:
        verdict, reason = (
            "inconclusive",
            "The chains have not converged, so they are no sample of the posterior to compare with.",
        )
    elif missing:
        verdict, judged = "inconclusive", None
        reason = f"Not a number, so that no limit can be asked of it: {', '.join(missing)}."
    elif judged is None:
        if math.isfinite(error):
            reason = "The estimate lies at the end of its range, where EM has no Wald interval."
        else:
            withheld = circumstances.withheld or "the data do not identify this quantity"
            reason = f"EM gives no standard error: {withheld}."
        verdict = "differ"
    else:
        gap = explained(points, judged.mean, judged.sd)
        shift = float((judged.centre - on_scale(kind, estimate)) / judged.spread)
        ratio = error * slope(kind, estimate) / judged.spread
        found = _problems(shift, ratio, judged)
        missed = [limit for limit, told in found.items() if told]
        verdict = "differ" if missed else "agree"
        reason = "Mean, spread and tails are within their limits."
        if missed:
            reason = f"{_in_a_row(kind, found)}."
        elif any((close := _problems(shift, ratio, judged, beyond=0.0)).values()):
            reason = f"{_in_a_row(kind, close)}: beyond a limit, but by less than two Monte Carlo errors."
        if "mean" in missed:
            reason = f"{reason} {_why(gap, judged.sd, draws, circumstances, kind)}"
    return Quantity(
        name=name,
        em=number(estimate),
        em_se=number(error),
        em_low=number(low),
        em_high=number(high),
        shift=number(shift),
        se_ratio=number(ratio),
        profile_low=None,
        profile_high=None,
        profile_reason="computed for reports alone",
        profile_coinciding=(False, False),
        scale=kind,
        map=number(points.best_mode),
        posterior=summary,
        exact=Exact(exact.mean, exact.sd) if exact else None,
        tail_below=number(judged.below) if judged else None,
        tail_above=number(judged.above) if judged else None,
        gap=gap,
        verdict=verdict,
        reason=reason[0].upper() + reason[1:],
        degree=degree_of(judged, shift) if verdict == "differ" else None,
        missed=missed,
    )


def degree_of(judged: Posterior | None, shift: float) -> Degree:
    """How much a reader loses who takes EM's interval for the posterior's; ``judged`` is None where EM has no Wald interval."""
    if judged is None:
        return "no interval"
    low, high = SLIGHT_SHARE
    slight = low <= 1 - judged.below - judged.above <= high and abs(shift) <= SLIGHT_SHIFT
    return "slight" if slight else "marked"


def of_draws(draws: Floats, kind: Scale, low: float, high: float, row: Any) -> Posterior:
    """What draws say: with ArviZ's Monte Carlo errors of ``row``, and tails beyond ``low`` and ``high``."""
    mean, sd = float(row["mean"]), float(row["sd"])
    inside = draws[(draws > 0) & (draws < 1)] if kind == "logit" else draws
    # A draw may round to 0 or 1: it is as far out as the last that did not.
    there = on_scale(kind, np.clip(draws, inside.min(), inside.max()) if len(inside) else draws)
    unit = unit_of(there)
    return Posterior(
        mean,
        sd,
        unit * float((there / unit).mean()),
        unit * float((there / unit).std()),
        float((draws < low).mean()),
        float((draws > high).mean()),
        float(row["mcse_mean"]) / sd,
        float(row["mcse_sd"]) / sd,
        float(row["ess_tail"]),
    )


def _problems(shift: float, ratio: float, judged: Posterior, beyond: float = BEYOND) -> dict[Limit, str]:
    """What is wrong with centre, width and tails, each beyond so many Monte Carlo errors; empty where nothing is."""
    found: dict[Limit, str] = {"mean": "", "spread": "", "tails": ""}
    if not abs(shift) - beyond * judged.mcse <= SHIFT:
        side = "above" if shift > 0 else "below"
        found["mean"] = f"the posterior mean lies {abs(shift):.2f} posterior sd {side} the estimate"
    slack = beyond * ratio * judged.mcse_sd
    if not (ratio + slack >= RATIO[0] and ratio - slack <= RATIO[1]):
        found["spread"] = f"the standard error is {ratio:.2f} of the posterior sd"
    tails = {"below": judged.below, "above": judged.above}
    missed = [(tail, side) for side, tail in tails.items() if not tail_fits(tail, judged.ess_tail, beyond)]
    if all(tail < 0.0005 for tail in tails.values()):
        found["tails"] = "EM's interval is far wider than the posterior: next to nothing of it lies beyond"
    elif missed:
        (tail, side), *other = missed
        also = "".join(f" and {_share(tail)} {side} it" for tail, side in other)
        limits = f"where {TAILS[0]:.0%} to {TAILS[1]:.0%} may"
        found["tails"] = f"{_share(tail)} of the posterior lies {side} EM's interval{also}, {limits}"
    return found


def _share(tail: float) -> str:
    """In percent, to two digits."""
    return f"{float(f'{100 * tail:.2g}'):g}%"


def _in_a_row(kind: Scale, found: dict[Limit, str]) -> str:
    """Say what is wrong, and on which scale mean and spread are."""
    where = f"on the {kind} scale " if kind != "identity" and (found["mean"] or found["spread"]) else ""
    return where + "; ".join(told for told in found.values() if told)


def tail_fits(tail: float, ess_tail: float, beyond: float = BEYOND) -> bool:
    """Whether a posterior probability beyond an end of an interval is within ``TAILS``, up to so many Monte Carlo errors."""
    # The Monte Carlo error that a tail at the limit itself would have: one in which no draw lies has none of its own.
    below, above = (beyond * math.sqrt(limit * (1 - limit) / max(ess_tail, 1.0)) for limit in TAILS)
    return TAILS[0] - below <= tail <= TAILS[1] + above


def explained(points: Points, mean: float, sd: float) -> Gap:
    """Posterior mean minus maximum likelihood as a sum: prior, switch of mode, averaging."""
    prior = points.mode_from_it - points.maximum_likelihood
    switch = points.best_mode - points.mode_from_it
    averaging = mean - points.best_mode
    terms = [prior, switch, averaging]
    total = mean - points.maximum_likelihood
    large = [t for t in terms if abs(t) > NOTICEABLE * sd]
    cancelling = bool(large) and min(large) < 0 < max(large) and max(abs(t) for t in large) > 2 * abs(total)
    return Gap(prior, switch, averaging, total, cancelling)


def _why(gap: Gap, sd: float, draws: Floats, circumstances: Circumstances, kind: Scale) -> str:
    """Where the gap lies, in words; part of what the prior does to the mean is in the last term."""
    where = "The gap" if kind == "identity" else "In its own units the gap"
    total = f"{gap.total / sd:+.2f} sd"
    if gap.cancelling:
        return f"{where} of {total} is what is left of larger parts that cancel."
    terms = {
        "from the prior": gap.prior,
        "from the switch to a higher mode": gap.mode_switch,
        f"from averaging ({described(draws, circumstances.modes)})": gap.averaging,
    }
    parts = [f"{value / sd:+.2f} {name}" for name, value in terms.items() if f"{abs(value) / sd:.2f}" != "0.00"]
    return f"{where} is {total}: {' and '.join(parts) or 'small parts'}."


def described(draws: Floats, modes: Modes) -> str:
    """What of the posterior's shape keeps its mean from its mode."""
    if modes == "several":
        return "several modes"
    if modes == "ridge":
        return "a ridge of modes that is not equally long for every value of this quantity"
    centred = draws - draws.mean()
    centred = centred / unit_of(centred)
    skewness = round(float((centred**3).mean() / centred.std() ** 3), 1)
    return f"skewness {skewness + 0.0:+.1f}"  # no -0.0
