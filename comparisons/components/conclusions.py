"""What the numbers say of how many components there are, in sentences, and where they disagree."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

from comparisons.components.record import Candidate, LikelihoodRatio, Rival
from comparisons.report.digits import ratio
from comparisons.results.strict_json import Number

AIC, BIC, ICL, LOO, EVIDENCE, BOOTSTRAP = "AIC", "BIC", "ICL", "leave-one-out", "marginal likelihood", "bootstrap test"
SIGNIFICANCE = 0.05
# Nats between two maxima of one function.
SAME = 1e-6
# Kass & Raftery (1995), JASA 90, 773: below 3 a Bayes factor is not worth more than a bare mention, from 20 on strong.
BARE, STRONG = 3.0, 20.0
# Burnham & Anderson (2002), Model Selection, p. 70: models within 2 of the lowest have substantial support too.
MARGIN = 2.0
# What each asks, for where they disagree.
ASKS = {
    AIC: "AIC and leave-one-out ask what predicts the next row best, and forgive a component too many",
    BIC: "BIC and the marginal likelihood ask which model the data came from, the latter under this prior",
    ICL: "ICL asks for clusters that can be told apart",
    BOOTSTRAP: "the bootstrap test adds a component only against an error rate of 5%",
}
SAME_QUESTION = {LOO: AIC, EVIDENCE: BIC}


def choices(candidates: list[Candidate]) -> dict[str, int | None]:
    """Give the number of components that each criterion chooses, None where it cannot."""
    return {
        AIC: _lowest(candidates, lambda c: c.criteria.aic),
        BIC: _lowest(candidates, lambda c: c.criteria.bic),
        ICL: _lowest(candidates, lambda c: c.criteria.icl),
        LOO: _lowest(candidates, lambda c: _negative(c.leave_one_out.elpd)),
        EVIDENCE: _lowest(candidates, lambda c: _negative(c.evidence.log_evidence)),
        BOOTSTRAP: _first_not_rejected(candidates),
    }


def _negative(value: Number) -> Number:
    return None if value is None else -value


def _lowest(candidates: list[Candidate], key: Callable[[Candidate], Number]) -> int | None:
    """Number of components with the lowest value; None where a number beside it has no value and might have a lower one."""
    known = {c.n_components: value for c in candidates if (value := key(c)) is not None}
    lowest = min(known, key=lambda k: (known[k], k), default=None)
    tried = {c.n_components for c in candidates}
    return None if lowest is None or {lowest - 1, lowest + 1} & (tried - set(known)) else lowest


def _first_not_rejected(candidates: list[Candidate]) -> int | None:
    """Go up until one component more is not significant; None where a test is missing on the way, or all reject."""
    for candidate in candidates[1:]:
        test = candidate.likelihood_ratio
        if test is None or test.p_value is None:
            return None
        if test.p_value > SIGNIFICANCE:
            return candidate.n_components - 1
    return None


def sentences(candidates: list[Candidate], chosen: dict[str, int | None], *, free: bool) -> list[str]:
    """Tell what each says, whether they agree, and what is to be held against which number; weights are ``free`` or equal."""
    told = [_criteria(chosen), _leave_one_out(candidates, chosen[LOO]), _bayes(candidates), _bootstrap(candidates)]
    return [*told, _together(candidates, chosen), *_falls(candidates, free), *_reservations(candidates)]


def against(own: Candidate, rival: Rival) -> str:
    """Tell what each criterion says of another model of the same data."""
    other = rival.candidate
    pairs = (
        (AIC, own.criteria.aic, other.criteria.aic, MARGIN),
        (BIC, own.criteria.bic, other.criteria.bic, MARGIN),
    )
    told = [_preferred(name, two - one, margin) for name, one, two, margin in pairs]
    gain, error = other.leave_one_out.difference, other.leave_one_out.difference_error
    if gain is not None and error is not None:
        told.append(_preferred(LOO, -gain, 2 * error, f" nats, standard error {error:.2f}"))
    factor = None if other.bayes_factor is None else other.bayes_factor.log_value
    if factor is not None:
        told.append(_preferred(EVIDENCE, -factor, math.log(BARE), " nats"))
    models = [f"{_components(c.n_components)} of {f}" for c, f in ((own, rival.own_family), (other, rival.family))]
    return f"This model ({models[0]}) and that of {rival.name} ({models[1]}): {'; '.join(told)}."


def _preferred(name: str, by: float, margin: float, unit: str = "") -> str:
    """Which of both a criterion prefers, ``by`` how much where that is this model, and whether that is worth a word."""
    which = "this model" if by > 0 else "that one"
    return f"{name} prefers {which} by {abs(by):.2f}{unit}" + (", which is next to nothing" if abs(by) < margin else "")


def _components(k: int) -> str:
    return f"{k} component{'s' if k != 1 else ''}"


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _criteria(chosen: dict[str, int | None]) -> str:
    by_number: dict[int, list[str]] = {}
    for name in (AIC, BIC, ICL):
        number = chosen[name]
        assert number is not None  # they always exist
        by_number.setdefault(number, []).append(name)
    parts = [
        f"{_and(names)} {'are' if len(names) > 1 else 'is'} lowest with {_components(k)}"
        for k, names in by_number.items()
    ]
    return "; ".join(parts) + "."


def _leave_one_out(candidates: list[Candidate], best: int | None) -> str:
    if best is None:
        unknown = [str(c.n_components) for c in candidates if c.leave_one_out.elpd is None]
        if len(unknown) == len(candidates):
            return "Leave-one-out has no number that can be relied on."
        return f"Leave-one-out chooses none: it cannot be relied on with {_and(unknown)} components, which might predict better."
    gain = candidates[best - 1].leave_one_out
    told = f"Leave-one-out predicts best with {_components(best)}"
    if gain.difference is None or gain.difference_error is None:
        return told + "."
    told += f": by {gain.difference:.2f} nats more than with {best - 1}, standard error {gain.difference_error:.2f}"
    return told + (", which is no difference to rely on." if gain.difference < 2 * gain.difference_error else ".")


def _bayes(candidates: list[Candidate]) -> str:
    parts = []
    for candidate in candidates[1:]:
        factor, k = candidate.bayes_factor, candidate.n_components
        if factor is None or factor.log_value is None or factor.error is None:
            parts.append(f"{k} against {k - 1} unknown, the estimate being unreliable")
            continue
        known = [factor.log_value, *(value for value in factor.under.values() if value is not None)]
        unknown = ", where that can be relied on" if len(known) <= len(factor.under) else ""
        spread = f"; {ratio(min(known))} to {ratio(max(known))} as the prior's numbers are halved and doubled{unknown}"
        told = f": {ratio(factor.log_value)} ({_strength(factor.log_value)}{spread if factor.under else ''})"
        parts.append(f"{k} against {k - 1}{told}")
    return f"Bayes factors: {', '.join(parts)}."


def _strength(log_value: float) -> str:
    if abs(log_value) < math.log(BARE):
        return "hardly worth a mention"
    return ("strong" if abs(log_value) >= math.log(STRONG) else "positive") + (
        " for more" if log_value > 0 else " for fewer"
    )


def _bootstrap(candidates: list[Candidate]) -> str:
    parts = []
    for candidate in candidates[1:]:
        test, k = candidate.likelihood_ratio, candidate.n_components
        if test is None or test.p_value is None:
            parts.append(f"{k - 1} against {k} withheld, since {test.reason if test else 'it was not made'}")
        else:
            parts.append(f"{k - 1} against {k}: {_p_value(test)}")
    return f"Bootstrap p-values: {', '.join(parts)}."


def _p_value(test: LikelihoodRatio) -> str:
    at_least = "at most " if test.exceeding == 0 else ""
    return f"{at_least}{test.p_value:.2g} ({test.exceeding} of {test.samples} samples exceed)"


def _together(candidates: list[Candidate], chosen: dict[str, int | None]) -> str:
    by_number: dict[int, list[str]] = {}
    for name, number in chosen.items():
        if number is not None:
            by_number.setdefault(number, []).append(name)
    silent = [name for name, number in chosen.items() if number is None]
    unsaid = f" {_and(silent).capitalize()} cannot choose." if silent else ""
    if len(by_number) == 1:
        (number,) = by_number
        return f"Together: all that choose say {_components(number)}.{_edge(candidates, number)}{unsaid}"
    close = _close_calls(candidates, chosen)
    parts = [
        f"{_components(k)} by {_and([f'{name} (hardly)' if name in close else name for name in names])}"
        for k, names in sorted(by_number.items())
    ]
    asked = dict.fromkeys(SAME_QUESTION.get(name, name) for names in by_number.values() for name in names)
    largest = max(by_number)
    return f"They disagree: {'; '.join(parts)}. {'; '.join(ASKS[name] for name in asked)}.{_edge(candidates, largest)}{unsaid}"


def _close_calls(candidates: list[Candidate], chosen: dict[str, int | None]) -> set[str]:
    """Give the criteria whose choice is no better than the next best by a margin to rely on."""
    close = set()
    keys: dict[str, tuple[Callable[[Candidate], Number], float]] = {
        AIC: (lambda c: c.criteria.aic, MARGIN),
        BIC: (lambda c: c.criteria.bic, MARGIN),
        ICL: (lambda c: c.criteria.icl, MARGIN),
        EVIDENCE: (lambda c: _negative(c.evidence.log_evidence), math.log(BARE)),
    }
    for name, (key, margin) in keys.items():
        values = sorted(value for c in candidates if (value := key(c)) is not None)
        if len(values) > 1 and values[1] - values[0] < margin:
            close.add(name)
    best = chosen[LOO]
    gain = None if best is None else candidates[best - 1].leave_one_out
    if gain and gain.difference is not None and gain.difference_error and gain.difference < 2 * gain.difference_error:
        close.add(LOO)
    return close


def _edge(candidates: list[Candidate], number: int) -> str:
    further = f" That is the most that was tried: look further with --max {number + 2} of `comparisons components`."
    return further if number == candidates[-1].n_components else ""


def _falls(candidates: list[Candidate], free: bool) -> list[str]:
    """Where one component more has a lower likelihood, and why that can be."""
    why = (
        "the best regular optima are compared, and a component narrow enough to raise it would be spurious"
        if free
        else "with equal weights the smaller model is no special case of the larger one (they are not nested)"
    )
    return [
        f"With {_components(more.n_components)} the log-likelihood is {fewer.log_likelihood - more.log_likelihood:.3g} nats "
        f"lower than with {fewer.n_components}: {why}."
        for fewer, more in pairwise(candidates)
        if more.log_likelihood < fewer.log_likelihood - SAME
    ]


def _reservations(candidates: list[Candidate]) -> list[str]:
    told = []
    for candidate in candidates:
        with_k = f"With {_components(candidate.n_components)}"
        if candidate.reservation:
            told.append(f"{with_k} the criteria are to be read with care: {candidate.reservation}.")
        if candidate.evidence.reason:
            told.append(f"{with_k} {candidate.evidence.reason}.")
        rows = candidate.leave_one_out.unreliable_rows
        if rows and not candidate.leave_one_out.reason:
            told.append(
                f"{with_k} leave-one-out is uncertain for {rows} row{'s' if rows > 1 else ''}, whose Pareto k is above 0.7."
            )
    return told
