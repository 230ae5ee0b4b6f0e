"""Two results of one question, number by number: what differs, by how much, and whether chance alone may do that.

Numbers are equal where they differ by `ROUNDING` at most, relative to the larger. Beyond that some have an error of their own,
within which two sound runs differ when the draws are others (another seed, version or processor):

* of EM, `SAME_MAXIMUM` nats in the objective; where that is quadratic, the square root of twice that in standard errors for
  estimates, and no more than that for the ends of intervals;
* a posterior mean and the probabilities beyond EM's interval, so many Monte Carlo errors of both runs together; where they are
  by quadrature, what EM's interval may move.

All other numbers follow from these or belong to figures. They are told apart, and count where the draws are the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

import msgspec

from comparisons.results.result import Quantity, Result

type Section = Literal["data", "model", "settings", "versions", "EM", "posterior", "checks", "verdict", "figures"]
type Judged = Literal["beyond", "within", "told"]
# In the order in which one follows from the others.
SECTIONS: tuple[Section, ...] = get_args(Section.__value__)

# Sums of many terms in another order differ by about the root of their number in units of the last digit.
ROUNDING = 1e-9
# Two fits count as one maximum, as in the check map-agrees.
SAME_MAXIMUM = 1e-6
EM_ERROR = math.sqrt(2 * SAME_MAXIMUM)
# Of a hundred numbers one is beyond four by chance in one pair of sound runs of 160.
MONTE_CARLO_ERRORS = 4.0

BY_EM = ("em", "em_se", "em_low", "em_high", "profile_low", "profile_high", "map", "profile_coinciding", "scale")
OF_VERDICT = ("verdict", "degree", "instead", "missed")
SETTINGS = ("name", "chains", "tune")
# Words, where all else that is text are sentences about numbers.
WORDS = ("verdict", "degree", "outcome", "status", "map_status", "instead", "missed", "engine", "scale")


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that two results have otherwise.

    Attributes
    ----------
    section : of `SECTIONS`
    name : of the field in ``result.json``, parts of lists by their name, else by number from 1
    first, second : what the two have; None where one has none
    relative : difference over the larger of two numbers
    tolerance : on the scale of the numbers, within which they count as equal; None where they have no error of their own
    judged : "beyond" it, "within", or "told" where it follows from other draws
    """

    section: Section
    name: str
    first: Any
    second: Any
    relative: float | None
    tolerance: float | None
    judged: Judged


@dataclass(frozen=True, slots=True)
class Compared:
    """All that differs, the causes first, among ``n`` numbers and words."""

    found: list[Difference]
    n: int

    @property
    def beyond(self) -> list[Difference]:
        """Those that no error of their own explains."""
        return [each for each in self.found if each.judged == "beyond"]

    @property
    def first(self) -> Section | None:
        """The first section with a difference beyond error: what comes after it may follow from it."""
        return next((each.section for each in self.beyond), None)


def compare(first: Result, second: Result) -> Compared:
    """Hold two results against each other."""
    told, held = dict(_leaves(first)), dict(_leaves(second))
    numbers = {q.name: (q, next((o for o in second.quantities if o.name == q.name), None)) for q in first.quantities}
    same_versions = first.provenance.versions == second.provenance.versions
    same_draws = same_versions and not any(
        keys[2:] == ("posterior", "mean") and _differs(value, held.get(keys)) for keys, value in told.items()
    )
    found = []
    for keys in dict.fromkeys([*told, *held]):
        one: Any = told.get(keys)
        other: Any = held.get(keys)
        if not _differs(one, other):
            continue
        section = _section(keys)
        numeric = _is_number(one) and _is_number(other)
        tolerance = _tolerance(keys, *numbers.get(keys[1], (None, None))) if len(keys) > 1 and numeric else None
        if tolerance is not None:
            judged: Judged = "within" if abs(one - other) <= tolerance else "beyond"
        elif section in ("data", "model", "settings", "versions") or keys[-1] in WORDS:
            judged = "beyond"
        else:
            judged = "beyond" if same_draws else "told"
        relative = abs(one - other) / max(abs(one), abs(other)) if numeric else None
        found.append(Difference(section, _name(keys), one, other, relative, tolerance, judged))
    found.sort(key=lambda each: SECTIONS.index(each.section))
    return Compared(found, len({*told, *held}))


def _differs(one: Any, other: Any) -> bool:
    if _is_number(one) and _is_number(other):
        return bool(abs(one - other) > ROUNDING * max(abs(one), abs(other)))
    return bool(one != other)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _leaves(result: Result) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each number and each word with its place; no sentences, which say the same again, and nothing of the clock."""
    # Of its fields alone: one with draws has more.
    told = {each.name: msgspec.to_builtins(getattr(result, each.name)) for each in fields(Result)}
    for keys, value in _walk(told | {"degree": result.degree}, ()):
        section = _section(keys)
        if keys[0] == "provenance" and keys[1] not in ("versions", "git_commit"):
            continue
        if isinstance(value, str) and not (
            section in ("model", "settings", "versions") or keys[-1] in WORDS or keys[-1] in ("sha256", "source")
        ):
            continue
        yield keys, value


def _walk(value: Any, keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _walk(each, (*keys, str(key)))
    elif isinstance(value, list | tuple) and keys[-1] != "missed":
        for place, each in enumerate(value, 1):
            name = each.get("name") if isinstance(each, dict) else None
            yield from _walk(each, (*keys, f"{place}" if name is None else str(name)))
    else:
        yield keys, value


def _name(keys: tuple[str, ...]) -> str:
    """The place in words of ``result.json``, members of lists between brackets."""
    in_list = ("quantities", "checks")
    return "".join(
        f"[{key}]" if (k and keys[k - 1] in in_list) or key.isdecimal() else f".{key}" for k, key in enumerate(keys)
    ).removeprefix(".")


def _section(keys: tuple[str, ...]) -> Section:
    top, last = keys[0], keys[-1]
    if top in ("data", "model", "checks"):
        return top  # type: ignore[return-value]
    if top == "provenance":
        return "versions"
    if top == "seed" or (top == "sampler" and last in SETTINGS):
        return "settings"
    if top == "em" or (top == "quantities" and keys[2] in BY_EM):
        return "EM"
    if top in OF_VERDICT or (top == "quantities" and keys[2] in OF_VERDICT):
        return "verdict"
    return "posterior" if top in ("quantities", "sampler") else "figures"


def _tolerance(keys: tuple[str, ...], one: Quantity | None, other: Quantity | None) -> float | None:
    """What two sound runs may differ by in this number; None where that is not known."""
    if keys in (("em", "log_likelihood"), ("em", "map_log_posterior")):
        return SAME_MAXIMUM
    if keys[0] != "quantities" or one is None or other is None:
        return None
    spread = one.em_se or one.sd
    if keys[2] in BY_EM:
        return EM_ERROR * spread if spread else None
    errors = [q.posterior.mcse for q in (one, other)]
    if keys[2:] == ("posterior", "mean") and None not in errors:
        return MONTE_CARLO_ERRORS * math.hypot(*(error for error in errors if error is not None))
    if keys[2] in ("tail_below", "tail_above"):
        if one.exact is not None:
            # A density is hardly above one for each standard deviation.
            return EM_ERROR
        return MONTE_CARLO_ERRORS * math.hypot(*(_tail_error(q, getattr(q, keys[2])) for q in (one, other)))
    return SAME_MAXIMUM * abs(one.mean or 0.0) if keys[2] == "exact" else None


def _tail_error(quantity: Quantity, tail: float | None) -> float:
    """Monte Carlo error of a probability; of one that no draw fell into, that of one draw."""
    size = min(quantity.posterior.ess_bulk or 1.0, quantity.posterior.ess_tail or 1.0)
    share = min(max(tail or 0.0, 1 / size), 1 - 1 / size) if size > 2 else 0.5
    return math.sqrt(share * (1 - share) / size)
