"""What a study of audits comes to."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True, slots=True)
class AuditRates:
    """Audits of one fault, of all families together; of right steps where ``fault`` is empty.

    Attributes
    ----------
    audits : how many, without those in whose data the fault changes nothing
    named : of how many the right step was named first; of right steps, in how many nothing was found
    found : in how many anything was found
    elsewhere : other answers and how often they were given
    seconds : of the processor's time, the middle of all, after compiling
    """

    fault: str
    step: str
    audits: int
    named: int
    found: int
    elsewhere: dict[str, int]
    seconds: float


def read(out: Path) -> list[dict[str, str]]:
    """All rows of the tables of audits in ``out``."""
    rows = []
    for path in sorted(out.glob("*/audits.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            rows += list(csv.DictReader(file))
    return rows


def rates(rows: list[dict[str, str]]) -> list[AuditRates]:
    """Right steps first, then fault by fault."""
    counted = [row for row in rows if row["changed"] != "no"]
    return [_of([row for row in counted if row["fault"] == fault]) for fault in sorted({r["fault"] for r in counted})]


def _of(rows: list[dict[str, str]]) -> AuditRates:
    wrong = [row["named"] or "nothing" for row in rows if row["named"] != row["step"]]
    return AuditRates(
        rows[0]["fault"],
        rows[0]["step"],
        len(rows),
        len(rows) - len(wrong),
        sum(bool(row["named"]) for row in rows),
        {each: wrong.count(each) for each in sorted(set(wrong))},
        median(float(row["seconds"]) for row in rows),
    )


def lines(found: list[AuditRates]) -> Iterator[str]:
    """The table in Markdown."""
    yield "| fault | step | audits | step named | anything found | named instead | seconds |"
    yield "|---|---|---:|---:|---:|---|---:|"
    for each in found:
        instead = ", ".join(f"{name}: {number}" for name, number in each.elsewhere.items())
        told = (each.fault or "none: right steps", each.step or "–", each.audits, each.named, each.found, instead)
        yield f"| {' | '.join(map(str, told))} | {each.seconds:.2f} |"
