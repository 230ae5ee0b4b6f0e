"""What the tables of the studies come to: counts with exact binomial intervals.

A fault is detected where the verdict is "wrong"; in the sampler also where it is "inconclusive" with the sampler named, for
then nothing is concluded from its draws, and a number that is none where nothing is concluded. A replicate that crashed has
found nothing.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np

from comparisons.binomial import exact_interval
from comparisons.families import FAMILIES
from comparisons.results.result import Degree
from comparisons.study import faults
from comparisons.study.calibration import RANKED
from comparisons.study.ranks import uniformity
from comparisons.study.settings import SETTINGS
from models.inputs import Integers

# Bins of the distance of two components, in standard deviations of a row.
SEPARATIONS = (0.0, 1.0, 2.0, 3.0, 5.0, float("inf"))


@dataclass(frozen=True, slots=True)
class Rate:
    """``count`` of ``of``, with the exact (Clopper–Pearson) interval of its probability."""

    count: int
    of: int
    low: float
    high: float

    @classmethod
    def counted(cls, events: Iterable[bool]) -> Rate:
        """Count what happened."""
        happened = list(events)
        return cls(sum(happened), len(happened), *exact_interval(sum(happened), len(happened)))

    def __str__(self) -> str:
        """In words; a dash where there is nothing to count."""
        return f"{self.count} of {self.of} ({100 * self.low:.1f} to {100 * self.high:.1f} %)" if self.of else "–"


@dataclass(frozen=True, slots=True)
class CleanRates:
    """Verdicts on sound engines in one setting, or in a whole family.

    ``failed`` and ``undecided`` count by check, over the same replicates.
    """

    name: str
    family: str
    verdicts: dict[str, Rate]
    failed: dict[str, Rate]
    undecided: dict[str, Rate]
    reasons: dict[str, int]


@dataclass(frozen=True, slots=True)
class DegreeRates:
    """How often EM's and the posterior's interval hold the truth, of quantities that agree or differ by one degree."""

    family: str
    degree: str
    em: Rate
    posterior: Rate


@dataclass(frozen=True, slots=True)
class NotReached:
    """A replicate on sound engines that came to no conclusion or a wrong one: what to run again, and what it says."""

    setting: str
    seed: int
    verdict: str
    checks: str
    reason: str


@dataclass(frozen=True, slots=True)
class FaultRates:
    """One planted fault: how often it changed anything, was detected where it did, and was laid at the right door."""

    name: str
    words: str
    kind: str
    changed: Rate
    detected: Rate
    named: Rate
    by: dict[str, int]


def read(directory: Path, study: str) -> list[dict[str, str]]:
    """Rows of all families' tables as text by column, in an order that does not depend on who was ready first."""
    rows = []
    for path in directory.glob(f"*/{study}.csv"):
        with path.open(newline="", encoding="utf-8") as file:
            rows += list(csv.DictReader(file))
    return sorted(rows, key=lambda row: (row["fault"], row["setting"], int(row["seed"])))


def clean(rows: list[dict[str, str]]) -> list[CleanRates]:
    """Rates of each family, then of each setting."""
    groups: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        groups["", row["family"]].append(row)
        groups[row["setting"], row["family"]].append(row)
    found = []
    for (setting, family), chosen in sorted(groups.items()):
        reasons: dict[str, int] = defaultdict(int)
        for row in chosen:
            if row["verdict"] == "wrong":
                reasons[row["failed"]] += 1
            if row["verdict"] == "inconclusive":
                reasons[row["undecided"] or "a quantity"] += 1
            if row["verdict"] == "crashed":
                reasons["crashed"] += 1
        names = dict.fromkeys(entry.split("=")[0] for row in chosen for entry in row["statistics"].split())
        found.append(
            CleanRates(
                setting or f"all {family}",
                family,
                {
                    v: Rate.counted(row["verdict"] == v for row in chosen)
                    for v in ("agree", "differ", "inconclusive", "wrong")
                },
                {name: Rate.counted(name in row["failed"].split() for row in chosen) for name in names},
                {name: Rate.counted(name in row["undecided"].split() for row in chosen) for name in names},
                dict(reasons),
            )
        )
    return found


def degrees(rows: list[dict[str, str]]) -> list[DegreeRates]:
    """How often intervals hold the truth, by family and degree; tables of before have no intervals."""
    held: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for row in rows:
        for entry in filter(None, row.get("intervals", "").split(";")):
            degree, em, posterior, _ = entry.split(":", 3)
            held[row["family"], degree].append((em, posterior))
    return [
        DegreeRates(
            family,
            degree,
            Rate.counted(em == "1" for em, _ in held[family, degree] if em != "-"),
            Rate.counted(posterior == "1" for _, posterior in held[family, degree] if posterior != "-"),
        )
        for family in sorted({family for family, _ in held})
        for degree in ("agree", *get_args(Degree.__value__), "inconclusive")
        if (family, degree) in held
    ]


def not_reached(rows: list[dict[str, str]]) -> list[NotReached]:
    """Every replicate whose verdict is neither agree nor differ; tables of before have no reasons."""
    return [
        NotReached(
            row["setting"],
            int(row["seed"]),
            row["verdict"],
            row["failed"] or row["undecided"] or "–",
            row.get("reason", "").replace("|", "/") or "–",
        )
        for row in rows
        if row["verdict"] not in ("agree", "differ")
    ]


@dataclass(frozen=True, slots=True)
class FoundRates:
    """Planted faults of some kind together: how many were found where they changed anything, and named, of these."""

    name: str
    detected: Rate
    named: Rate
    crashed: int


def found_by(rows: list[dict[str, str]], group: Callable[[dict[str, str]], str]) -> list[FoundRates]:
    """Rates of planted faults by any group of their rows, such as the engine that is broken."""
    groups: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        if row["changed"] == "yes" and row["fault"] in faults.FAULTS:
            groups[group(row)].append(row)
    return [
        FoundRates(
            name,
            Rate.counted(detected(row) for row in chosen),
            Rate.counted(detected(row) and named(row) for row in chosen),
            sum(row["verdict"] == "crashed" for row in chosen),
        )
        for name, chosen in sorted(groups.items())
    ]


def form(row: dict[str, str]) -> str:
    """What kind of model it is of."""
    form: str = SETTINGS[row["setting"]].form
    return form


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One size of a fault of a detection curve, by family."""

    curve: str
    family: str
    size: float
    detected: Rate


def curves(rows: list[dict[str, str]]) -> list[CurvePoint]:
    """Share found of each size. What has no size is no fault: there every alarm is false."""
    found = []
    for fault in faults.SIZED:
        for family in FAMILIES:
            chosen = [row for row in rows if row["fault"] == fault.name and row["family"] == family]
            if chosen:
                found.append(CurvePoint(fault.curve, family, fault.size, Rate.counted(detected(row) for row in chosen)))
    return found


def detected(row: dict[str, str]) -> bool:
    """Whether the verdict lets nobody rely on the broken result."""
    if row["verdict"] == "wrong":
        return True
    fault = faults.FAULTS[row["fault"]]
    return row["verdict"] == "inconclusive" and fault.undecided and named(row)


def named(row: dict[str, str]) -> bool:
    """Whether the verdict lays the fault at an engine where it belongs; of a number that is none, anywhere."""
    engines = faults.FAULTS[row["fault"]].engines
    return not engines or row["engine"] in engines


def planted(rows: list[dict[str, str]]) -> list[FaultRates]:
    """Rates of each fault, in the order of the list of faults."""
    found = []
    for fault in faults.ALL:
        chosen = [row for row in rows if row["fault"] == fault.name]
        if not chosen:
            continue
        changing = [row for row in chosen if row["changed"] == "yes"]
        caught = [row for row in changing if detected(row)]
        by: dict[str, int] = defaultdict(int)
        for row in caught:
            by[(row["failed"].split() or row["undecided"].split() or [row["verdict"]])[0]] += 1
        found.append(
            FaultRates(
                fault.name,
                fault.words,
                fault.kind,
                Rate.counted(row["changed"] == "yes" for row in chosen),
                Rate.counted(detected(row) for row in changing),
                Rate.counted(named(row) for row in caught),
                dict(by),
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class RankRates:
    """Ranks of one setting under one fault: a p-value of uniformity for each quantity.

    ``smallest``: the smallest of them times their number (Bonferroni), at most 1.
    """

    setting: str
    fault: str
    simulations: int
    p_values: dict[str, float]
    smallest: float


@dataclass(frozen=True, slots=True)
class CoverageRates:
    """EM's 94 % Wald intervals at one sample size and separation, all quantities of a family together.

    ``held``: intervals that hold the truth, of those that were given; ``withheld``: of all; ``data_sets``: how many data
    sets stand behind them, whose intervals are not independent of each other.
    """

    family: str
    n: int
    separation_from: float
    separation_to: float | None
    held: Rate
    withheld: Rate
    data_sets: int


@dataclass(frozen=True, slots=True)
class CalibrationRates:
    """What simulation-based calibration and the coverage of EM's intervals come to."""

    ranks: list[RankRates]
    coverage: list[CoverageRates]


def rank_table(rows: list[dict[str, str]]) -> dict[tuple[str, str], dict[str, Integers]]:
    """Ranks of every quantity by setting and fault."""
    found: dict[tuple[str, str], dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        for entry in row["ranks"].split(";"):
            name, rank = entry.rsplit("=", 1)
            found[row["setting"], row["fault"]][name].append(int(rank))
    return {key: {name: np.array(ranks) for name, ranks in table.items()} for key, table in found.items()}


def calibration(rows: list[dict[str, str]]) -> CalibrationRates:
    """Uniformity of ranks, and coverage by sample size and separation."""
    ranks = []
    for (setting, fault), table in sorted(rank_table(rows).items()):
        p_values = {name: uniformity(values, RANKED) for name, values in table.items()}
        smallest = min(1.0, min(p_values.values()) * len(p_values))
        ranks.append(RankRates(setting, fault, len(next(iter(table.values()))), p_values, smallest))
    return CalibrationRates(ranks, _coverage([row for row in rows if row["coverage"]]))


def _coverage(rows: list[dict[str, str]]) -> list[CoverageRates]:
    held: dict[tuple[str, int, float], list[str]] = defaultdict(list)
    sets: dict[tuple[str, int, float], set[str]] = defaultdict(set)
    for row in rows:
        low = max(edge for edge in SEPARATIONS if edge <= float(row["separation"]))
        for entry in row["coverage"].split(";"):
            size, _, outcome = entry.split(":", 2)
            key = row["family"], int(size), low
            held[key].append(outcome.rsplit("=", 1)[1])
            sets[key].add(f"{row['setting']} {row['seed']}")
    found = []
    for (family, n, low), told in sorted(held.items()):
        high = SEPARATIONS[SEPARATIONS.index(low) + 1]
        found.append(
            CoverageRates(
                family,
                n,
                low,
                high if high < float("inf") else None,
                Rate.counted(value == "1" for value in told if value != "-"),
                Rate.counted(value == "-" for value in told),
                len(sets[family, n, low]),
            )
        )
    return found
