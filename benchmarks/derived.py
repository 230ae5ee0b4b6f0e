"""EM derived from PyMC programs beside the hand-written one, and in many random problems: ``python -m benchmarks.derived``.

    python -m benchmarks.derived same [--name faithful ...] [--rows docs/derived.csv] [--page docs/i-have-a-pymc-model.md]
    python -m benchmarks.derived rises [--problems 1000] [--seed 0] [--page docs/i-have-a-pymc-model.md]

``same`` writes every comparison of the catalogue, and a simulated data set of each further form of every family, as a program: as a
`pm.Mixture` where `comparisons.study.audits.programs` has it, else with a component for each row as in `benchmarks.programs`.
Both EMs search by themselves. Held against each other are the maxima, in nats; where a mixture has the family's own prior, the
posterior modes as well; the standard errors, those of the program's parameters carried over to the family's by first
derivatives; and `STEPS` plain steps from one random start, relative to the largest number of each kind. Each row is kept in the
file ``rows`` as it comes, those of other names stay, and the table is of all that are there.

``rises`` draws parameters and data of the programs of `benchmarks.random_problems` from their priors, and climbs by plain steps
from other draws, by maximum likelihood and with the prior. A fall beyond rounding would raise `em.ObjectiveDecreased`.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import csv
import itertools
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

import em
from benchmarks.programs import Explicit
from benchmarks.random_problems import PROGRAMS, climbed
from benchmarks.report import table, write_between
from comparisons import catalogue, datasets, families
from comparisons.declaration import Comparison
from comparisons.families.mixtures import MixtureProblem
from comparisons.pair import Values
from comparisons.study.audits.house import House
from comparisons.study.audits.programs import expressed
from comparisons.study.setting import simulate
from comparisons.study.settings import SETTINGS
from em.derived.derive import DerivedEM
from models.inputs import Floats

# Plain steps that are compared, and the step of derivatives in standard errors.
STEPS, MOVED = 25, 1e-4
# What has to be the same: nats, and relative differences of standard errors and of numbers along the path.
NATS, ERRORS, PATH = 1e-7, 1e-5, 1e-8
NUMBERS = ("likelihood", "posterior", "errors", "path")
# Populations of the studies whose form the catalogue does not have.
FORMS = (
    "coins-three coins-labelled coins-equal-apart normals-labelled normals-line-tied normals-plane-tied normals-plane-spherical "
    "normals-plane-tied-diagonal normals-plane-tied-spherical normals-plane-labelled normals-space-full poissons-exposed "
    "poissons-labelled exponentials-labelled exponentials-repeated gammas-free gammas-repeated negative-binomials-exposed "
    "negative-binomials-labelled beta-binomials-free classes-mixed classes-missing classes-labelled regressions-free "
    "regressions-tied regressions-labelled"
).split()


@dataclass(frozen=True)
class Compared:
    """Both EMs on one data set: what they are of, and by how much they differ; NaN where there is nothing to compare."""

    name: str
    program: str
    closed: str
    status: str
    likelihood: float
    posterior: float
    errors: float
    path: float

    @property
    def same(names: Sequence[str], kept: Path) -> str:
    """The table of ``same``, and what is in none."""
    found, columns = problems(), [f.name for f in fields(Compared)]
    rows = dict[str, Compared]()
    if kept.exists():
        with kept.open(newline="", encoding="utf-8") as file:
            for line in csv.DictReader(file):
                told: dict[str, Any] = {key: float(v) if key in NUMBERS else v for key, v in line.items()}
                rows[line["name"]] = Compared(**told)
    for name in names or found:
        problem = found[name]
        if isinstance(problem, str):
            continue
        rows[name] = compared(name, problem)
        print(" | ".join(rows[name].cells()), "" if rows[name].same else "DIFFERS", file=sys.stderr, flush=True)
        with kept.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows([getattr(rows[each], column) for column in columns] for each in found if each in rows)
    head = ["data", "program", "closed M-step", "status", "maximum, nats", "mode, nats", "standard errors", "path"]
    lines = [rows[name].cells() for name in found if name in rows]
    alike = sum(row.same for row in rows.values())
    left = "; ".join(f"`{name}` ({why})" for name, why in found.items() if isinstance(why, str))
    told = f"{alike} of {len(rows)} within {NATS:g} nats, {ERRORS:g} and {PATH:g}."
    return f"{table(head, lines)}\n\n{told} Not in the table: {left}."


def rises(number: int, seed: int) -> str:
    """The table of ``rises``."""
    random = np.random.default_rng(seed)
    share, lines, total = -(-number // len(PROGRAMS)), [], np.zeros(3, dtype=int)
    worst = 0.0
    for name, make in PROGRAMS.items():
        told = climbed(make, share, random)
        print(name, told, file=sys.stderr, flush=True)
        total += (told.problems, told.runs, told.steps)
        worst = max(worst, told.fall)
        lines.append([name, *map(str, (told.problems, told.runs, told.steps)), f"{told.fall:.0e}"])
    lines.append(["all", *map(str, total), f"{worst:.0e}"])
    return table(["program", "problems", "runs", "steps", "largest fall, relative"], lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["same", "rises"])
    parser.add_argument("--name", nargs="*", default=[], help="data sets of same; all where left out")
    parser.add_argument("--rows", type=Path, default=Path("docs/derived.csv"), help="what keeps the rows of same")
    parser.add_argument("--problems", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--page", type=Path, help="whose part between the marks of this name is written")
    options = parser.parse_args()
    text = same(options.name, options.rows) if options.what == "same" else rises(options.problems, options.seed)
    if options.page is not None:
        write_between(options.page, f"derived, {options.what}", text)
    print(text)


if __name__ == "__main__":
    main()
