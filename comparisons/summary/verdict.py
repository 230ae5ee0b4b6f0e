"""From checks and quantities to a verdict, its sentence and its reasons."""

from __future__ import annotations

from collections.abc import Sequence

from comparisons.problem import Fit, Problem
from comparisons.quantity_names import variable_and_labels
from comparisons.results.report_data import Labels
from comparisons.results.result import Check, Quantity, Verdict
from comparisons.summary.adequacy import SHIFT, Modes

# What decides whether the engines are right; "identified" decides only whether a point can be a summary.
NOT_INTEGRITY = ("identified",)
ENGINES = {
    "em": "the EM fit",
    "pymc": "the PyMC model or its optimiser",
    "sampler": "the sampler",
    "comparison": "the comparison itself",
}
# Quantities named in one sentence.
MOST_NAMED = 5
STATUS = {
    "boundary": "The maximum lies at a bound of the parameters, where EM has no standard errors.",
    "saddle": "EM ended at a saddle.",
    "ridge": "The likelihood has a ridge of maxima, of which no point stands out.",
    "collapsed": "A component collapsed: the likelihood has no maximum.",
    "iteration limit": "EM was stopped before it arrived.",
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
    without = [q for q in differing if q.em_low is None]
    missing = [q for q in differing if q.em_low is not None]
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
    reasons = []
    if fit.status in STATUS:
        reasons.append(STATUS[fit.status])
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
    sentences = ["No check finds a fault in either fit."]
    if without or unidentified:
        why = "the data do not identify all parameters" if unidentified else "it has no standard error there"
        of = f"For {len(without)} of {len(judged)} quantities{once} EM has no interval to compare with the posterior"
        sentences.append(f"{of}: {why}." if without else f"{why[0].upper()}{why[1:]}.")
    if missing:
        sentences.append(
            f"For {len(missing)} of {len(judged)} quantities{once} EM's estimate, its standard error or its interval is shown to "
            f"miss a limit that this suite sets for a summary of the posterior: {_why(missing, modes)}."
        )
    return "differ", " ".join(sentences), reasons


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
    """Where what differs comes from, in a few words, each with its quantities."""
    several = " of a posterior with several modes" if modes == "several" else ""
    shape = f"the mean{several} lies off the posterior mode"
    sizes: dict[str, dict[str, float]] = {
        "the prior moves the mode": {},
        "the best posterior mode is another": {},
        shape: {},
    }
    for q in differing:
        if q.gap is not None and not q.gap.cancelling and q.sd and abs(q.shift or 0.0) > SHIFT:
            terms = (q.gap.prior, q.gap.mode_switch, q.gap.averaging)
            for told, term in zip(sizes.values(), terms, strict=True):
                # What goes against the gap is not what makes it.
                told[q.name] = term / q.sd * (1 if q.gap.total > 0 else -1)
    # What is half of the limit is worth a word.
    causes = {cause: [name for name, size in told.items() if size >= SHIFT / 2] for cause, told in sizes.items()}
    explained = {name for names in causes.values() for name in names}
    rest = [q for q in differing if q.name not in explained]
    causes["the posterior mean lies off the estimate"] = [q.name for q in rest if abs(q.shift or 0.0) > SHIFT]
    causes["the interval does not fit the posterior"] = [q.name for q in rest if not abs(q.shift or 0.0) > SHIFT]
    return " and ".join(f"{cause} ({_some(names)})" for cause, names in causes.items() if names)


def _some(names: list[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (" and others" if len(names) > MOST_NAMED else "")
