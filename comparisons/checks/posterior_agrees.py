"""Check 7: the posterior by NUTS is that of a second, independent route, within Monte Carlo error."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import ndtri, stdtr

from comparisons.families.exact import ExactPosterior
from comparisons.posterior import importance
from comparisons.posterior.importance import SecondRoute
from comparisons.quantities import unit_of
from comparisons.results.result import Check
from comparisons.results.strict_json import number
from models.inputs import Floats

# Chance that check 7 fails where both routes are right: with sixteen comparisons one in sixty runs of all.
FALSE_ALARMS = 0.001
# Draws beyond a threshold below which a probability has no normal Monte Carlo error.
FEWEST_BEYOND = 20


def posterior_agrees(
    route: SecondRoute | str,
    exact: ExactPosterior | None,
    converged: bool,
    summary: Any,
    values: dict[str, Floats],
    thresholds: dict[str, list[float]],
) -> Check:
    """NUTS and another route have the same means, and the same probabilities below fixed thresholds.

    Parameters
    ----------
    route : importance sampling guided by EM, None where there are too many labellings for it
    exact : the posterior by quadrature, None where it is not to be had; where it is, NUTS is held to it alone
    converged : whether the chains have
    summary : ArviZ's summary of the chains, by quantity
    values : ``(chains, draws)`` of each quantity
    thresholds : of each quantity, fixed without looking at any draw
    """
    title = "A second route to the posterior agrees"
    told = _told(route, exact)
    if exact is None and (isinstance(route, str) or not route.trusted):
        k_hat = None if isinstance(route, str) else number(route.k_hat)
        return Check("posterior-agrees", title, "not applicable", k_hat, importance.K_HAT, told)
    if not converged:
        text = f"{told} The chains have not converged, so there is nothing to hold against it."
        return Check("posterior-agrees", title, "not applicable", None, None, text)
    scores = _scores(route, exact, summary, values, thresholds)
    allowed = float(-ndtri(FALSE_ALARMS / 2 / len(scores)))
    worst = max(scores, key=lambda name: abs(scores[name]) if np.isfinite(scores[name]) else np.inf)
    statistic = abs(scores[worst])
    against = "importance sampling" if exact is None else "the exact numbers"
    rate = f"at a false-alarm rate of at most {FALSE_ALARMS:g} for all together"
    counted = f"{len(scores)} means and probabilities compared, {rate}"
    if np.isnan(statistic):
        text = f"{told} The difference of NUTS from {against} in {worst} is not a number."
        return Check("posterior-agrees", title, "inconclusive", None, allowed, text, "sampler")
    if statistic <= allowed:
        text = (
            f"{told} NUTS agrees with {against}: {counted}; the largest difference, in {worst}, is {statistic:.1f} standard "
            "errors."
        )
        return Check("posterior-agrees", title, "pass", statistic, allowed, text)
    return Check(
        "posterior-agrees",
        title,
        "fail",
        number(statistic),
        allowed,
        f"{told} NUTS differs from {against} in {worst} by {statistic:.1f} Monte Carlo standard errors ({counted}).",
        "sampler",
        "Look at the chains: a mode that they miss, draws that were cut, or a file of another run.",
    )


def confirmed(first: Check, second: Check) -> Check:
    """The check that a second route agrees, failed by the ``first`` draws, beside the same of draws with another seed."""
    if second.outcome != "pass":
        told = "Draws with another seed do not agree either."
        return replace(first, explanation=f"{first.explanation} {told}")
    assert first.statistic is not None
    told = (
        f"The draws reported were off by {first.statistic:.1f} in one of these at first; draws with another seed are not, so "
        f"that was chance, which does so in one of {1 / FALSE_ALARMS:.0f} comparisons."
    )
    return replace(second, explanation=f"{second.explanation} {told}")


def _told(route: SecondRoute | str, exact: ExactPosterior | None) -> str:
    """What each route says of the log marginal likelihood."""
    sentences = []
    if exact is not None:
        sentences.append(
            f"Quadrature gives the exact posterior, with a log marginal likelihood of {exact.log_evidence:.4f}."
        )
    if isinstance(route, str):
        return " ".join([*sentences, route])
    doubt = "."
    if not route.trusted:
        doubt = f", but a k-hat above {importance.K_HAT} means that it cannot be trusted here."
    elif exact is None:
        doubt = ". It draws around the modes that EM knows; a mode far from all of them it would miss."
    sentences.append(
        f"Importance sampling guided by EM ({route.effective:.0f} effective draws, Pareto k-hat {route.k_hat:.2f}) puts the "
        f"log marginal likelihood at {route.log_evidence:.3f} (standard error {route.log_evidence_error:.3f}){doubt}"
    )
    return " ".join(sentences)


def _scores(
    route: SecondRoute | str,
    exact: ExactPosterior | None,
    summary: Any,
    values: dict[str, Floats],
    thresholds: dict[str, list[float]],
) -> dict[str, float]:
    """Differences in standard errors, NUTS less the exact numbers or, where there are none, importance sampling.

    The standard error of a weighted mean is itself uncertain where few draws carry it, so a difference is judged by Student's
    t (Welch) and given as the standard normal deviate of the same probability.
    """
    scores: dict[str, float] = {}
    for name, draws in values.items():
        row = summary.loc[name]
        ess, unit = float(min(row["ess_bulk"], row["ess_tail"])), unit_of(draws)
        there = _Other(exact.means[name] / unit) if exact is not None else _Other.of(route, name, unit=unit)
        scores[f"the mean of {name}"] = there.score(float(row["mean"]) / unit, float(row["mcse_mean"]) / unit, ess)
        for j, threshold in enumerate(thresholds[name]):
            there = _Other(exact.below[name][j]) if exact is not None else _Other.of(route, name, threshold)
            here = float((draws < threshold).mean())
            other = 0.0 if isinstance(route, str) or exact is not None else route.effective
            pooled = there.value if exact is not None else (ess * here + other * there.value) / (ess + other)
            spread = pooled * (1 - pooled)
            if spread * ess < FEWEST_BEYOND or there.draws < FEWEST_BEYOND:
                continue  # too few draws beyond the threshold for a standard error of the difference
            scores[f"P({name} < {threshold:.4g})"] = there.score(here, float(np.sqrt(spread / ess)), ess)
    return scores


@dataclass(frozen=True, slots=True)
class _Other:
    """A number of the other route, its standard error, and how many draws that rests on."""

    value: float
    error: float = 0.0
    draws: float = np.inf

    @classmethod
    def of(cls, route: SecondRoute | str, name: str, threshold: float | None = None, unit: float = 1.0) -> _Other:
        """Mean of a quantity by importance sampling, in such units, or its probability below a threshold."""
        assert not isinstance(route, str)
        values = route.values[name]
        values = values / unit if threshold is None else (values < threshold).astype(float)
        return cls(*route.mean(values), route.contributing(values))

    def score(self, here: float, error: float, ess: float) -> float:
        """Difference of NUTS from this number as a standard normal deviate."""
        both = np.hypot(self.error, error)
        freedom = both**4 / (self.error**4 / max(self.draws, 1.0) + error**4 / ess)
        difference = (here - self.value) / both
        return float(np.sign(difference) * -ndtri(max(stdtr(freedom, -abs(difference)), np.finfo(float).tiny)))
