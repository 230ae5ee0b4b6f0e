"""From checks and quantities to a verdict, its sentence and its reasons."""

from __future__ import annotations

from collections.abc import Sequence

from comparisons.problem import Fit, Problem
from comparisons.quantity_names import variable_and_labels
from comparisons.results.report_data import Labels
from comparisons.results.result import Check, Quantity, Verdict
from comparisons.summary.adequacy import SHIFT, Modes
from models.inputs import some_of

# What decides whether the engines are right; "identified" decides only whether a point can be a summary.
NOT_INTEGRITY = ("identified",)
ENGINES = {
    "em": "the EM fit",
    "pymc": "the PyMC model or its optimiser",
    "sampler": "the sampler",
    "comparison": "the comparison itself",
}
OTHER_SHAPE = "the posterior has another shape or width than EM's interval"
# Quantities named in one sentence.
MOST_NAMED = 5
STATUS = {
    "boundary": "the maximum lies at a bound of the parameters",
    "saddle": "EM ended at a saddle",
    "ridge": "the likelihood has a ridge of maxima, of which no point stands out",
    "collapsed": "a component collapsed, and the likelihood has no maximum",
    "iteration limit": "EM was stopped before it arrived",
}


def reach(
    checks: list[Check],
    quantities: list[Quantity],
    fit: Fit,
    problem: Problem,
    modes: Modes,
) -> tuple[Verdict, str, list[str]]:
    """Reach the verdict.

    Returns
    -------
    The verdict, a sentence that says it, and its reasons, the weightiest first
    """
    if (found := faulty(checks)) is not None:
        return found
    unknown = [q for q in quantities if q.verdict == "inconclusive"]
    if unknown:
        names = ", ".join(q.name for q in unknown)
        told = [f"{q.name}: {q.reason}" for q in unknown]
        return "inconclusive", f"Nothing can be said of {names}, and so nothing of agreement.", told
    repeated = {q.name: problem.repeated[q.name] for q in quantities if q.name in problem.repeated}
    judged = [q for q in quantities if q.name not in repeated]
    differing = [q for q in judged if q.verdict == "differ"]
    unidentified = any(c.name == "identified" and c.outcome == "fail" for c in checks)
    doubted = [f"EM's maximum is to be doubted. {d.sentence}" for d in problem.doubts(fit)]
    if not differing and not unidentified:
        return (
            "agree",
            "No check finds a fault in either fit, and the EM estimate with its standard errors is an adequate "
            "summary of the posterior.",
            [
                f"All {len(quantities)} quantities: none misses the bounds on interval, mean and spread "
                "beyond Monte Carlo error.",
                *doubted,
            ],
        )
    status = STATUS.get(fit.status, "")
    reasons = [f"{status[0].upper()}{status[1:]}."] if status else []
    if unidentified:
        reasons += [f"Not identified: {c.explanation}" for c in checks if c.name == "identified"]
        agreeing = [q.name for q in quantities if q.verdict == "agree"]
        if agreeing:
            reasons.append(f"What is identified agrees: {', '.join(agreeing)}.")
    reasons += doubted
    told_of: dict[str, list[str]] = {}
    for q in differing:
        told_of.setdefault(q.reason, []).append(q.name)
    reasons += [f"{', '.join(names)}: {reason}" for reason, names in told_of.items()]
    once = f" ({', '.join(repeated.values())})" if repeated else ""
    return "differ", _summary(judged, once, status, modes, unidentified=unidentified), reasons


def _summary(judged: list[Quantity], once: str, status: str, modes: Modes, *, unidentified: bool) -> str:
    """What a reader has to know of quantities that differ, and of the point that EM ended at."""
    unknown = "the data do not identify all parameters"
    without, marked, slight = (
        [q for q in judged if q.degree == degree] for degree in ("no interval", "marked", "slight")
    )
    if without:
        more = f" For {len(marked)} more it misleads: {_why(marked, modes)}." if marked else ""
        of = f"{len(without)} of {len(judged)} quantities{once}"
        why = unknown if unidentified else status or "it has no standard error there"
        return f"No check finds a fault, but EM has no interval for {of}: {why}.{more}"
    if marked:
        but = f"but {unknown}, and" if unidentified else "but"
        misled = f"{len(marked)} of {len(judged)} quantities{once}: {_why(marked, modes)}"
        return f"No check finds a fault, {but} EM's interval misleads for {misled}."
    if slight and not unidentified:
        return (
            f"No check finds a fault, and EM's intervals may be reported: {len(slight)} of {len(judged)} quantities{once} "
            f"differ slightly, as {_why(slight, modes)}."
        )
    return f"No check finds a fault, but {unknown}."


def advice(quantities: list[Quantity]) -> str | None:
    """What to report of a comparison that differs; None where nothing does."""
    slight = [q.name for q in quantities if q.degree == "slight"]
    profile = [q.name for q in quantities if q.instead == "profile"]
    posterior = [q.name for q in quantities if q.instead == "posterior"]
    if not (slight or profile or posterior):
        return None
    others = [f"EM's profile-likelihood interval of {some_of(profile)}"] if profile else []
    others += [f"the posterior of {some_of(posterior)}"] if posterior else []
    if len(profile) + len(posterior) == len(quantities):
        return f"What to report: {' and '.join(others)}."
    off = f" Those of {some_of(slight)} are slightly off." if slight else ""
    rest = " of all others" if others else ""
    return f"What to report: {'; '.join([*others, f"EM's estimates and intervals{rest}"])}.{off}"


def of_labels(components: Sequence[str], quantities: list[Quantity], labels: Labels) -> str | None:
    """What to make of components that no order tells apart in the draws, by what has no labels; None where nothing differs so."""
    free = [q for q in quantities if not set(variable_and_labels(q.name)[1][:1]).intersection(components)]
    differing = [q.name for q in quantities if q.verdict == "differ" and q not in free]
    if labels.verdict not in ("not by order", "not told apart") or not differing:
        return None
    inside = sum(each.posterior_low <= each.em <= each.posterior_high for each in labels.distribution)
    told = [f"{q.name}: {q.verdict}" for q in free]
    if labels.distribution:
        interval = f"{labels.distribution[0].interval_prob:.0%}"
        places = f"{inside} of {len(labels.distribution)} quantiles of the data"
        told.insert(0, f"EM's distribution function lies in the posterior's {interval} interval at {places}")
    return (
        f"No order tells the components apart in every draw, so part of what differs may be label switching alone "
        f"({_some(differing)}). Judge by what has no labels: {'; '.join(told)}."
    )


def faulty(checks: list[Check]) -> tuple[Verdict, str, list[str]] | None:
    """The verdict where an integrity check failed or could not decide, which needs no quantity; else None."""
    integrity = [c for c in checks if c.name not in NOT_INTEGRITY]
    failed = [c for c in integrity if c.outcome == "fail"]
    undecided = [c for c in checks if c.outcome == "inconclusive"]
    if failed:
        who = ENGINES[failed[0].engine or "comparison"]
        told = [f"{c.title}: no. {c.explanation} {c.remedy or ''}".strip() for c in failed]
        return "wrong", f"An integrity check failed: {who} is not right, so nothing else may be read off.", told
    if undecided:
        told = [f"{c.title}: not established. {c.explanation} {c.remedy or ''}".strip() for c in undecided]
        who = ENGINES[undecided[0].engine or "comparison"]
        return "inconclusive", f"{who[0].upper()}{who[1:]} did not converge, so nothing may be said of agreement.", told
    return None


def _why(differing: list[Quantity], modes: Modes) -> str:
    """Where what differs comes from, in a few words."""
    several = " of a posterior with several modes" if modes == "several" else ""
    causes = ("the prior moves the mode", "the best posterior mode is another", f"the mean{several} lies off the mode")
    found = set()
    for q in differing:
        off = abs(q.shift or 0.0) > SHIFT
        large: list[str] = []
        if off and q.gap is not None and not q.gap.cancelling and q.sd:
            # What goes against the gap is not what makes it; what is half of the limit is worth a word.
            sign = 1 if q.gap.total > 0 else -1
            terms = (q.gap.prior, q.gap.mode_switch, q.gap.averaging)
            large = [c for c, term in zip(causes, terms, strict=True) if sign * term / q.sd >= SHIFT / 2]
        found.update(large or ["the posterior mean lies off the estimate" if off else OTHER_SHAPE])
    order = (*causes, "the posterior mean lies off the estimate", OTHER_SHAPE)
    return " and ".join(cause for cause in order if cause in found)


def _some(names: list[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (" and others" if len(names) > MOST_NAMED else "")
