"""From checks and quantities to a verdict, its sentence and its reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from comparisons.problem import Fit, Problem
from comparisons.quantity_names import MOST_NAMED, component_of, grouped, in_prose, named
from comparisons.results.report_data import Labels
from comparisons.results.result import Check, Quantity, Verdict
from comparisons.summary.adequacy import SHIFT, SLIGHT_SHARE, SLIGHT_SHIFT, Modes

# What decides whether the engines are right; "identified" decides only whether a point can be a summary.
NOT_INTEGRITY = ("identified",)
ENGINES = {
    "em": "the EM fit",
    "pymc": "the PyMC model or its optimiser",
    "sampler": "the sampler",
    "comparison": "the comparison itself",
}
UNIDENTIFIED = "the data do not identify all parameters"
STATUS = {
    "boundary": "EM's maximum lies at a bound",
    "saddle": "EM ended at a saddle",
    "ridge": "the likelihood has a ridge of equal maxima",
    "collapsed": "a component collapsed, and the likelihood has no maximum",
    "iteration limit": "EM was stopped before it arrived",
}
# Posterior sds by which a prior moves EM's own estimate from where on the posterior is no report of the data.
OVERRULED = 2.0
# Why a quantity differs: the three parts of its gap, what is left where they cancel, and what is no gap.
PRIOR, SWITCH = "the prior shifts the posterior mode", "the highest posterior mode is a different solution"
BOUND = "the estimate is close to a bound"
AVERAGING = {
    "one": "the posterior is not symmetric about its mode",
    "several": "the posterior has several modes",
    "ridge": "the posterior has a ridge of modes",
}
OFF, OTHER_SHAPE = (
    "the posterior mean lies off the estimate",
    "EM's interval does not match the posterior's width or shape",
)
# What says no more than that there is a difference is no reason for it in a sentence.
NO_REASON = (OFF, OTHER_SHAPE)
# Of a first sentence.
MOST_WORDS = 30
# What a quantity that agrees keeps to.
WITHIN = "All quantities keep to the limits for mean, spread and tails (see the table), give or take Monte Carlo error."


def reach(
    checks: list[Check],
    quantities: list[Quantity],
    fit: Fit,
    problem: Problem,
    modes: Modes,
    *,
    mixed: bool = False,
) -> tuple[Verdict, str, list[str]]:
    """Reach the verdict.

    Parameters
    ----------
    mixed : no order tells the components apart in the draws, and a component's numbers differ more than slightly

    Returns
    -------
    The verdict; a sentence of at most thirty words that says what may be reported, and why; and its reasons, the weightiest
    first. Why a single quantity differs stands with the quantity.
    """
    if (found := faulty(checks)) is not None:
        return found
    if unknown := [q for q in quantities if q.verdict == "inconclusive"]:
        of = _of(unknown, quantities)
        told = [f"Not judged: {named([q.name for q in unknown])}."]
        return "inconclusive", f"Report nothing yet: {of} could not be judged.", told
    differing = [q for q in quantities if q.verdict == "differ"]
    unidentified = any(c.name == "identified" and c.outcome == "fail" for c in checks)
    doubted = [f"EM's maximum may not be the one to report. {d.sentence}" for d in problem.doubts(fit)]
    if doubted:
        doubted[-1] += " All maxima that were found stand under “Where EM's starts ended”."
    doubted += [problem.one_density] if problem.one_density else []
    if not differing and not unidentified:
        of = _of(quantities, quantities)
        return (
            "agree",
            f"EM's estimates and intervals may be reported: they agree with the posterior for {of}.",
            [WITHIN, *doubted],
        )
    status = STATUS.get(fit.status, "")
    reasons = [_point(status, differing)] if status else []
    if unidentified:
        # The first sentence says what is not; how it was found stands with the check.
        told = [c.explanation.partition(". ")[0].removesuffix(".") for c in checks if c.name == "identified"]
        reasons += [f"Not identified: {each}." for each in told]
        if agreeing := [q.name for q in quantities if q.verdict == "agree"]:
            reasons.append(f"What is identified agrees: {named(agreeing)}.")
    summary = (
        _unlabelled(unidentified=unidentified)
        if mixed
        else _summary(quantities, status, modes, unidentified=unidentified)
    )
    with_interval = [q for q in differing if q.degree != "no interval"]
    causes = _weighed(with_interval, modes)
    # What is about another mode needs no reason beside it.
    for cause in causes[:1] if causes[:1] == [SWITCH] else causes:
        moved = [q.name for q in with_interval if cause in _causes(q, modes)]
        of = "" if len(moved) == len(quantities) else f". This concerns {_few(moved)}"
        if cause == SWITCH:
            another = "The highest posterior mode is a different solution from EM's estimate."
            reasons.append(f"{another} It differs most in {_the(moved)}.")
        elif of or cause not in summary:
            reasons.append(f"{cause[0].upper()}{cause[1:]}{of}.")
        if (
            cause == PRIOR
            and (most := max(_causes(q, modes)[PRIOR] for q in with_interval if q.name in moved)) > OVERRULED
        ):
            reasons.append(
                f"It moves EM's own estimate by up to {most:.1f} posterior sds, so it says more than the data there: "
                "before you report the posterior, look at the prior and give one of your own."
            )
    return "differ", summary, [*reasons, *doubted]


def _summary(quantities: list[Quantity], status: str, modes: Modes, *, unidentified: bool) -> str:
    """What may be reported of quantities of which some differ, and the weightiest reason."""
    without, marked, slight = (
        [q for q in quantities if q.degree == degree] for degree in ("no interval", "marked", "slight")
    )
    report = f"Report the posterior for {_of([*without, *marked], quantities)}"
    if without:
        but = f" for {len(without)}, a misleading one for {len(marked)}" if marked else " there"
        why = UNIDENTIFIED if unidentified else status or "it has no standard error"
        if _at_ends(without) == without and not unidentified:
            if marked:
                at = f"for {len(without)} of them EM's estimate is {_ends(without)} without a Wald interval"
                return f"{report}: {at}; for {len(marked)} more its estimate or interval misleads."
            why = f"it puts {'it' if len(without) == 1 else 'them'} at {_ends(without)}"
        return f"{report}: EM has no Wald interval{but}, because {why}."
    if marked:
        why = UNIDENTIFIED if unidentified else _why(marked, modes)
        told = f"{report}: {_off(marked)}{'' if why in NO_REASON else f', because {why}'}."
        several = len(_weighed(marked, modes)) > 1 and why not in (UNIDENTIFIED, SWITCH)
        return told.replace(", because", ", mainly because") if several and len(told.split()) < MOST_WORDS else told
    if slight and not unidentified:
        differ = "differs" if len(slight) == 1 else "differ"
        agree = len(quantities) - len(slight)
        told = (
            f"{agree} of {len(quantities)} quantities agree{'s' * (agree == 1)} and {len(slight)}"
            if agree
            else _of(slight, quantities)
        )
        return f"EM's intervals may be reported: {told} {differ} only slightly."
    return f"EM's intervals may be reported, but {UNIDENTIFIED}."


def _point(status: str, differing: list[Quantity]) -> str:
    """What kind of point EM ended at, with the quantities that are at the end of their range."""
    at = _at_ends(differing)
    told = f", {_ends(at)}, for {_few([q.name for q in at])}" if status == STATUS["boundary"] and at else ""
    return f"{status[0].upper()}{status[1:]}{told}."


def _at_ends(some: list[Quantity]) -> list[Quantity]:
    """Those that EM puts at a bound of theirs."""
    return [q for q in some if (q.scale != "identity" and q.em == 0.0) or (q.scale == "logit" and q.em == 1.0)]


def _ends(at: list[Quantity]) -> str:
    """The bounds that these are at."""
    return " or ".join(dict.fromkeys(f"{q.em:g}" for q in sorted(at, key=lambda q: q.em or 0.0)))


def _of(some: list[Quantity], quantities: list[Quantity]) -> str:
    """How many of all, in words."""
    n = len(quantities)
    if len(some) < n:
        return f"{len(some)} of {n} quantities"
    return {1: "the one quantity", 2: "both quantities"}.get(n, f"all {n} quantities")


def _off(marked: list[Quantity]) -> str:
    """By how much intervals mislead: the share of the posterior that they hold, or how far they are, whichever of more is off."""
    one = len(marked) == 1
    subject = "its EM interval" if one else "EM's intervals"
    tails = [(q.tail_below, q.tail_above) for q in marked]
    both = [(below, above) for below, above in tails if below is not None and above is not None]
    shares = [1 - below - above for below, above in both]
    low, high = SLIGHT_SHARE
    held_otherwise = sum(not low <= share <= high for share in shares)
    if 2 * held_otherwise >= len(marked) and held_otherwise >= sum(abs(q.shift or 0.0) > SLIGHT_SHIFT for q in marked):
        ends = dict.fromkeys(
            "nearly 100" if share >= 0.995 else f"{100 * share:.0f}" for share in (min(shares), max(shares))
        )
        # Too narrow leaves more than it should on both sides; what misses on one lies elsewhere.
        nominal = (1 - marked[0].posterior.hdi_prob) / 2
        narrow = sum(min(each) > nominal for each in both)
        few = "too narrow" if narrow == len(both) else "off" if narrow else "misplaced"
        width = few if max(shares) < low else "too wide" if min(shares) > high else ""
        hold = f"{'holds' if one else 'hold'} {' to '.join(ends)}% of the posterior"
        if width:
            return f"{subject} {'is' if one else 'are'} {width} and {hold}"
        return f"{subject} {hold}, not {marked[0].posterior.hdi_prob:.0%}"
    subject = "its EM estimate lies" if one else "EM's estimates lie up to"
    # In the units of the table and of the figure, not on the scale on which they are judged: what is read can be worked out.
    gaps = [abs(q.mean - q.em) / q.sd for q in marked if q.em is not None and q.mean is not None and q.sd]
    return f"{subject} {max(gaps, default=0.0):.1f} posterior sd off the posterior mean"


def advice(verdict: Verdict, quantities: list[Quantity], checks: list[Check]) -> str:
    """Whether EM's numbers may be reported, with which interval, and what in place of them."""
    if verdict in ("wrong", "inconclusive"):
        outcome = "fail" if verdict == "wrong" else "inconclusive"
        remedies = [c.remedy for c in checks if c.outcome == outcome and c.remedy]
        return " ".join(["Not yet.", *dict.fromkeys(remedies)])
    shared = [q.name for q in quantities if q.instead != "nothing"]
    if len(shared) < len(quantities):
        of = f" and {_the(shared)}" if shared else ""
        return (
            "Not for single components: the draws do not tell them apart. "
            f"Report the posterior of the fitted distribution as a whole{of} (see “Label switching”)."
        )
    mislead = [q for q in quantities if q.degree not in (None, "slight")]
    others = [q.name for q in mislead if q.instead != "profile"]
    either = [q.name for q in mislead if q.instead == "profile"]
    good = [q for q in quantities if q not in mislead]
    by_profile = [q.name for q in good if q.instead == "profile"]
    by_wald = [q.name for q in good if q.instead != "profile"]
    slight = [q.name for q in good if q.degree == "slight" and q.instead != "profile"]
    off = f" (slightly off: {named(slight)})" if slight else ""
    whose = f", {'whose Wald interval is' if len(by_profile) == 1 else 'whose Wald intervals are'} slightly off,"
    profiled = f" For {_the(by_profile)}{whose} report EM's estimate with its profile interval." if by_profile else ""
    also = ""
    if either:
        numbers = "estimate with its profile interval" if len(either) == 1 else "estimates with profile intervals"
        told = _the(either).removeprefix(f"{len(either)} quantities, ")
        some = f"{'one' if len(either) == 1 else len(either)} of them, {told},"
        which = "" if len(mislead) == 1 else "for all of them " if len(either) == len(mislead) else f"for {some} "
        also = f"; {which}EM's {numbers} would also do"
    if not mislead:
        kind = "Wald" if by_wald else "profile"
        return f"Yes, its estimates with {kind} intervals{off}.{profiled if by_wald else ''}"
    if not good:
        return f"No. Report posterior means and highest-density intervals{also}."
    numbers = "estimate with its Wald interval" if len(by_wald) == 1 else "estimates with Wald intervals"
    if 0 < len(by_wald) < len(mislead) and len(by_wald) <= MOST_NAMED:
        return (
            f"Only in part. EM's {numbers} will do for {_the(by_wald)}{off}. For {'' if by_profile else 'the other '}"
            f"{len(mislead)} quantities report posterior mean and highest-density interval{also}.{profiled}"
        )
    other = "the other quantity" if len(by_wald) == 1 else f"the other {len(by_wald)} quantities"
    rest = f" For {other} EM's {numbers} will do{off}." if by_wald else ""
    told = f"Only in part. Report posterior mean and highest-density interval of {_the([*others, *either])}{also}."
    return f"{told}{profiled}{rest}"


def _the(names: list[str]) -> str:
    """Quantities as a sentence has them, with their article; of many how many there are."""
    told = named(names)
    return told if told[0].isdigit() else f"the {told}"


# Share of the draws with components in another order from which on single components have no numbers of their own: as many as
# lie beyond an interval of theirs.
MIXED = 0.06


def switched(labels: Labels) -> bool:
    """Whether the order of the components is in doubt in so many draws that this may make a difference."""
    return labels.verdict in ("not by order", "not told apart") and (labels.ordering_ecr or 0.0) > MIXED


def mixes(labels: Labels) -> bool:
    """Whether no order, and no alignment either, tells the components apart in so many draws that their numbers mix."""
    return labels.verdict == "not told apart" and switched(labels)


def label_free(components: Sequence[str], quantities: list[Quantity], labels: Labels) -> list[Quantity] | None:
    """The quantities without labels, where the order of the components is in doubt and a component's number differs."""
    free = [q for q in quantities if component_of(q.name) not in components]
    differing = any(q.verdict == "differ" and q not in free for q in quantities)
    return free if switched(labels) and differing else None


def without_numbers(quantities: list[Quantity], unlabelled: list[Quantity]) -> list[Quantity]:
    """The quantities, of which those of single components have no number to be reported."""
    shared = {q.name for q in unlabelled}
    return [q if q.name in shared else replace(q, instead="nothing") for q in quantities]


def _unlabelled(*, unidentified: bool) -> str:
    """What may be reported where a component's number differs that no order holds apart from the others."""
    also = f" and {UNIDENTIFIED.removeprefix('the data ')}" if unidentified else ""
    return (
        "Report the fitted distribution as a whole, from the posterior, and no numbers of single components: the data do not "
        f"tell the components apart{also}."
    )


def of_labels(free: list[Quantity], labels: Labels) -> str:
    """What to make of components that no order tells apart in the draws, by what has no labels."""
    inside = sum(each.posterior_low <= each.em <= each.posterior_high for each in labels.distribution)
    told = [_shared(q) for q in free]
    if labels.distribution:
        interval = f"{labels.distribution[0].interval_prob:.0%}"
        n = len(labels.distribution)
        places = f"{inside} of the {n} points" if inside < n else "the one point" if n == 1 else f"all {n} points"
        whole = "agrees with" if inside == n else "differs from"
        where = f"it lies within the posterior's {interval} band at {places} checked"
        told.insert(0, f"Whatever the labels, EM's fitted distribution {whole} the posterior's: {where}.")
    share = f"{labels.ordering_ecr or 0.0:.1%}"
    return (
        f"Part of the difference may be label switching: in {share} of the draws it is unclear which component is which. "
        f"{' '.join(told)}"
    )


def _shared(quantity: Quantity) -> str:
    """What is said of a quantity that all components share."""
    if quantity.degree == "no interval":
        profile = "; its profile interval fits the posterior" if quantity.instead == "profile" else ""
        return f"EM has no Wald interval for the {in_prose(quantity.name)}{profile}."
    agreed = {"agree": "EM and the posterior agree on", "differ": "EM and the posterior differ on"}
    return f"{agreed.get(quantity.verdict, 'Nothing is said of')} the {in_prose(quantity.name)}."


def faulty(checks: list[Check]) -> tuple[Verdict, str, list[str]] | None:
    """The verdict where an integrity check failed or could not decide, which needs no quantity; else None."""
    integrity = [c for c in checks if c.name not in NOT_INTEGRITY]
    failed = [c for c in integrity if c.outcome == "fail"]
    undecided = [c for c in checks if c.outcome == "inconclusive"]
    if failed:
        who = ENGINES[failed[0].engine or "comparison"]
        told = [f"Check {c.name}: {c.explanation}" for c in failed]
        return "wrong", f"Report nothing yet: the check “{failed[0].title}” failed, and {who} is at fault.", told
    if undecided:
        told = [f"Check {c.name}: {c.explanation}" for c in undecided]
        first = undecided[0]
        if first.engine in (None, "comparison"):
            return "inconclusive", f"Report nothing yet: the check “{first.title}” could not decide.", told
        return "inconclusive", f"Report nothing yet: {ENGINES[first.engine]} did not converge.", told
    return None


def _causes(quantity: Quantity, modes: Modes) -> dict[str, float]:
    """Why a quantity differs, and how much of it each cause makes, in posterior sds."""
    if _near_bound(quantity):
        return {BOUND: abs(quantity.shift or 0.0)}
    if not abs(quantity.shift or 0.0) > SHIFT or (quantity.missed and "mean" not in quantity.missed):
        return {OTHER_SHAPE: 0.0}
    gap, sd = quantity.gap, quantity.sd
    if gap is None or gap.cancelling or not sd:
        return {OFF: 0.0}
    # What goes against the gap is not what makes it; what is half of the limit, and no trifle beside another, is worth a word.
    sign = 1 if gap.total > 0 else -1
    terms = {PRIOR: gap.prior, SWITCH: gap.mode_switch, AVERAGING[modes]: gap.averaging}
    shares = {cause: sign * term / sd for cause, term in terms.items()}
    least = max(SHIFT / 2, max(shares.values()) / 5)
    return {cause: share for cause, share in shares.items() if share >= least} or {OFF: 0.0}


def _near_bound(quantity: Quantity) -> bool:
    """Whether a bound is so near that a normal approximation does not hold between it and the estimate."""
    if quantity.scale == "identity" or quantity.em is None:
        return False
    to_bound = quantity.em if quantity.scale == "log" else min(quantity.em, 1 - quantity.em)
    return to_bound < (quantity.em_se or 0.0)


def _few(names: list[str]) -> str:
    """Names where they are few, else how many there are: no table tells of which quantities a reason is."""
    return _the(names) if len(grouped(names)) <= MOST_NAMED else f"{len(names)} quantities"


def _why(differing: list[Quantity], modes: Modes) -> str:
    """The weightiest cause, all quantities together."""
    return _weighed(differing, modes)[0]


def _weighed(differing: list[Quantity], modes: Modes) -> list[str]:
    """Causes of all quantities together, the weightiest first."""
    weights: dict[str, float] = {}
    for q in differing:
        for cause, weight in _causes(q, modes).items():
            weights[cause] = weights.get(cause, 0.0) + weight
    return sorted(weights, key=weights.__getitem__, reverse=True)
