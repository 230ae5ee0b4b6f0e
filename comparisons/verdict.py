"""From checks and quantities to a verdict, its sentence and its reasons."""

from __future__ import annotations

from typing import Any

import em
from comparisons.engines import Problem
from comparisons.result import Check, Quantity, Verdict

# What decides whether the engines are right; "identified" decides only whether a point can be a summary.
NOT_INTEGRITY = ("identified",)
ENGINES = {
    "em": "the EM fit",
    "pymc": "the PyMC model or its optimiser",
    "sampler": "the sampler",
    "comparison": "the comparison itself",
}
STATUS = {
    "boundary": "The maximum lies at a bound of the parameters, where EM has no standard errors.",
    "saddle": "EM ended at a saddle.",
    "ridge": "The likelihood has a ridge of maxima: a single point says nothing there.",
    "collapsed": "A component collapsed: the likelihood has no maximum.",
    "iteration limit": "EM was stopped before it arrived.",
}


def reach(
    checks: list[Check], quantities: list[Quantity], fit: em.Fit[Any, Any], problem: Problem
) -> tuple[Verdict, str, list[str]]:
    """Reach the verdict.

    Returns
    -------
    The verdict, a sentence that says it, and its reasons, the weightiest first
    """
    integrity = [c for c in checks if c.name not in NOT_INTEGRITY]
    failed = [c for c in integrity if c.outcome == "fail"]
    undecided = [c for c in integrity if c.outcome == "inconclusive"]
    if failed:
        who = ENGINES[failed[0].engine or "comparison"]
        told = [f"{c.title}: no. {c.explanation} {c.remedy or ''}".strip() for c in failed]
        return "wrong", f"An integrity check failed: {who} is not right, so nothing else may be read off.", told
    if undecided:
        told = [f"{c.title}: not established. {c.explanation} {c.remedy or ''}".strip() for c in undecided]
        who = ENGINES[undecided[0].engine or "comparison"]
        return "inconclusive", f"{who[0].upper()}{who[1:]} did not converge, so nothing may be said of agreement.", told
    unknown = [q for q in quantities if q.verdict == "inconclusive"]
    if unknown:
        names = ", ".join(q.name for q in unknown)
        told = [f"{q.name}: {q.reason}" for q in unknown]
        return "inconclusive", f"The draws say nothing of {names}, so nothing may be said of agreement.", told
    differing = [q for q in quantities if q.verdict == "differ"]
    unidentified = any(c.name == "identified" and c.outcome == "fail" for c in checks)
    if not differing and not unidentified:
        return (
            "agree",
            "Both fits solve the same problem correctly, and the EM estimate with its standard errors is an adequate "
            "summary of the posterior.",
            [
                f"All {len(quantities)} quantities: none misses the bounds on interval, mean and spread beyond Monte Carlo error."
            ],
        )
    reasons = []
    if fit.status in STATUS:
        reasons.append(STATUS[fit.status])
    if unidentified:
        reasons += [f"Not identified: {c.explanation}" for c in checks if c.name == "identified"]
        agreeing = [q.name for q in quantities if q.verdict == "agree"]
        if agreeing:
            reasons.append(f"What is identified agrees: {', '.join(agreeing)}.")
    reasons += [f"{q.name}: {q.reason}" for q in differing]
    why = "the data do not identify all parameters" if unidentified else _why(differing)
    return (
        "differ",
        f"Both fits solve the same problem correctly, but the EM estimate is not an adequate summary of the posterior: {why}.",
        reasons,
    )


def _why(differing: list[Quantity]) -> str:
    """The largest cause among the quantities that differ, in a few words."""
    totals = {
        "the prior moves the estimate": 0.0,
        "the best posterior mode is another": 0.0,
        "the posterior is skewed": 0.0,
    }
    for q in differing:
        if q.gap is None or q.gap.cancelling or not q.posterior.sd:
            continue
        terms = (q.gap.prior, q.gap.mode_switch, q.gap.averaging)
        for cause, term in zip(totals, terms, strict=True):
            totals[cause] = max(totals[cause], abs(term) / q.posterior.sd)
    cause = max(totals, key=lambda c: totals[c])
    names = ", ".join(q.name for q in differing[:3]) + (" and others" if len(differing) > 3 else "")
    if totals[cause] <= 0.1:
        return f"the posterior of {names} is no normal distribution with EM's standard error"
    return f"{cause} ({names})"
