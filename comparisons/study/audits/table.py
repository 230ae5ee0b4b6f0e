"""What a study of audits comes to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import median

from comparisons.study.rates import Rate


@dataclass(frozen=True, slots=True)
class AuditRates:
    """Audits of one fault, of all families together; of right steps where ``fault`` is empty.

    Attributes
    ----------
    named : in how many the right step was named first, without those in whose data the fault changes nothing; of right steps,
        in how many nothing was found
    found : in how many of the same anything was found
    elsewhere : other answers and how often they were given
    seconds : of the processor's time, the middle of all, after compiling
    """

    fault: str
    step: str
    named: Rate
    found: Rate
    elsewhere: dict[str, int]
    seconds: float


def rates(rows: list[dict[str, str]]) -> list[AuditRates]:
    """Right steps first, then fault by fault."""
    counted = [row for row in rows if row["changed"] != "no"]
    return [_of([row for row in counted if row["fault"] == fault]) for fault in sorted({r["fault"] for r in counted})]


def _of(rows: list[dict[str, str]]) -> AuditRates:
    wrong = [row["named"] or "nothing" for row in rows if row["named"] != row["step"]]
    return AuditRates(
        rows[0]["fault"],
        rows[0]["step"],
        Rate.counted(row["named"] == row["step"] for row in rows),
        anything(rows),
        {each: wrong.count(each) for each in sorted(set(wrong))},
        median(float(row["seconds"]) for row in rows),
    )


def anything(rows: Iterable[dict[str, str]]) -> Rate:
    """In how many audits anything was found; an error is no finding."""
    return Rate.counted(row["named"] not in ("", "crashed") for row in rows)


def lines(found: list[AuditRates]) -> Iterator[str]:
    """The table in Markdown."""
    yield "| fault | step | step named | anything found | named instead | seconds |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for each in found:
        instead = ", ".join(f"{name}: {number}" for name, number in each.elsewhere.items())
        told = (each.fault or "none: right steps", each.step or "–", each.named, each.found, instead)
        yield f"| {' | '.join(map(str, told))} | {each.seconds:.2f} |"
