"""EM derived from PyMC programs beside the hand-written one, and in many random problems: ``python -m benchmarks.derived``.

    python -m benchmarks.derived same [--name faithful ...] [--rows docs/derived.csv] [--page docs/i-have-a-pymc-model.md]
    python -m benchmarks.derived rises [--problems 1000] [--seed 0] [--page docs/i-have-a-pymc-model.md]

``same`` writes every comparison of the catalogue, and a simulated data set of each further form of every family, as a program: as
a `pm.Mixture` where `comparisons.study.audits.programs` has it, else with a component for each row as in `benchmarks.programs`.
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
from benchmarks.random_problems import PROGRAMS, Climbed, climbed
from benchmarks.report import table, write_between
from comparisons import catalogue, datasets, families
from comparisons.declaration import Comparison
from comparisons.families.mixtures import MixtureProblem
from comparisons.pair import Values
from comparisons.study.audits.house import House
from comparisons.study.audits.programs import expressed
from comparisons.study.setting import simulate
from comparisons.study.settings import SETTINGS
from em.derived.ascent import rough
from em.derived.derive import DerivedEM
from models import ItemResponses
from models.inputs import Floats

# Plain steps that are compared, and the step of derivatives in standard errors.
STEPS, MOVED = 25, 1e-4
# What has to be the same: nats, and relative differences of standard errors and of numbers along the path.
NATS, ERRORS, PATH = 1e-7, 1e-5, 1e-8
NUMBERS = ("likelihood", "posterior", "errors", "path")
# Populations of the studies whose form the catalogue does not have.
FORMS = (
    "coins-three",
    "coins-labelled",
    "coins-equal-apart",
    "normals-labelled",
    "normals-line-tied",
    "normals-plane-tied",
    "normals-plane-spherical",
    "normals-plane-tied-diagonal",
    "normals-plane-tied-spherical",
    "normals-plane-labelled",
    "normals-space-full",
    "poissons-exposed",
    "poissons-labelled",
    "exponentials-labelled",
    "exponentials-repeated",
    "gammas-free",
    "negative-binomials-exposed",
    "negative-binomials-labelled",
    "beta-binomials-free",
    "classes-mixed",
    "classes-missing",
    "classes-labelled",
    "regressions-free",
    "regressions-tied",
    "regressions-labelled",
)


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
    def same(self) -> bool:
        """Whether nothing differs by more than it may."""
        told = (self.likelihood, NATS), (self.posterior, NATS), (self.errors, ERRORS), (self.path, PATH)
        return all(np.isnan(value) or value <= most for value, most in told)

    def cells(self) -> list[str]:
        """A line of the table."""
        numbers = (
            "–" if np.isnan(v) else f"{v:.0e}" for v in (self.likelihood, self.posterior, self.errors, self.path)
        )
        return [self.name, self.program, self.closed, self.status, *numbers]


# What is latent in comparisons that are no mixtures.
PAIRS = {
    "linkage": "what is latent is a count without a state for each row",
    "earthquakes": "each state depends on the one before, which is more than can be enumerated",
}


def problems() -> dict[str, MixtureProblem | str]:
    """By name the mixture and its data, or why no EM can be derived for it."""
    found: dict[str, MixtureProblem | str] = {}
    for name in catalogue.names():
        declared = catalogue.declared(name)
        if not isinstance(declared, Comparison):
            found[name] = f"no mixture but a pair: {PAIRS[name]}"
            continue
        problem = families.problem(declared, declared.data(datasets.load(declared.dataset)))
        found[name] = problem
        if declared.n_components == 1 or (problem.data.labels >= 0).all():
            found[name] = "nothing is latent: one component, or every component known"
    found["gammas-repeated"] = (
        "waits cut short: PyTensor has no second derivatives of a gamma's tail, and `em.derive` refuses"
    )
    return found | {name: simulate(SETTINGS[name], 1).problem for name in FORMS}


def is_cut(data: Any) -> bool:
    """Whether some waits had not ended."""
    return bool(np.any(getattr(data, "censored", 0)))


def house_of(problem: MixtureProblem) -> House:
    """The EM beside a mixture that says its rows' distribution, or beside a component for each row."""
    data, whole = problem.data, problem.comparison.covariance in ("full", "own")
    # Patterns of items as one outcome are products, of which PyTensor has no second derivatives.
    plain = whole and not is_cut(data) and not isinstance(data, ItemResponses)
    return House.of(problem) if plain and expressed(problem.prior) else Explicit.of(problem)


def compared(name: str, problem: MixtureProblem) -> Compared:
    """Both EMs by maximum likelihood and, where priors are the same, for the posterior mode."""
    house = house_of(problem)
    derived = em.derive(house.program())
    mine, theirs = problem.fit(None), derived.fit()
    posterior = np.nan
    if not isinstance(house, Explicit):
        # Both by the hand-written density: PyMC holds some numbers of a prior in 32 bits, which adds a constant of 1e-7.
        ends = house.values(problem.fit(problem.prior).parameters), derived.fit(prior=True).parameters
        one, other = (house.log_likelihood(end) + house.log_prior(end) for end in ends)
        posterior = abs(one - other)
    told = f"; derived: {theirs.status}" if mine.status != theirs.status else ""
    if (lower := mine.log_likelihood - theirs.log_likelihood) > NATS:
        told = f"; its own search ends {lower:.3g} nats lower"
        end = derived.steps.at(derived.steps.off_bounds(house.values(mine.parameters)))
        if rough(derived.steps, end, prior=False):
            told += "; the program's density is rounding at the hand-written one's end"
        else:
            told += "; this is from the hand-written one's end"
            theirs = derived.fit(start=end.values)
    elif lower < -NATS:
        mine = problem.fit(None, start=house.parameters(theirs.parameters))
        told = f" by hand, whose search ends {-lower:.3g} nats lower; derived: {theirs.status}"
    kind = "z" if isinstance(house, Explicit) else "mixture"
    return Compared(
        name,
        kind,
        ", ".join(derived.closed) or "none",
        mine.status + told,
        abs(mine.log_likelihood - theirs.log_likelihood),
        posterior,
        errors_apart(house, mine, theirs),
        # By hand the rest of a wait that had not ended is latent too: another EM, with another path to the same maximum.
        np.nan if is_cut(problem.data) else path_apart(house, derived),
    )


def errors_apart(house: House, mine: Any, theirs: Any) -> float:
    """Largest relative difference of the standard errors, components matched by their parameters."""
    if mine.standard_errors.reason is not None or theirs.standard_errors.reason is not None:
        return np.nan
    problem = house.problem
    of_theirs, at = house.parameters(theirs.parameters), problem.entries(mine.parameters)

    def entries(values: Values, order: Sequence[int]) -> Floats:
        arrays = problem.arrays(house.parameters(values))
        return problem.entries(problem.of_arrays({key: each[list(order)] for key, each in arrays.items()}))

    orders = itertools.permutations(range(len(of_theirs.weights)))
    order = min(orders, key=lambda each: float(np.abs(entries(theirs.parameters, each) - at).sum()))
    space, errors = theirs._em.steps.densities.space, theirs.standard_errors
    sizes, directions = np.linalg.eigh(errors.covariance)
    moves = (directions * np.sqrt(np.maximum(sizes, 0))).T
    centre = space.vector(theirs.parameters)
    above, below = (
        np.array([entries(space.by_name(centre + sign * MOVED * move), order) for move in moves]) for sign in (1, -1)
    )
    carried = np.sqrt((((above - below) / (2 * MOVED)) ** 2).sum(axis=0))
    own = problem.entries(mine.standard_errors)
    held = np.isnan(own) | (own == 0)
    return float(np.abs(carried[~held] / own[~held] - 1).max())


def path_apart(house: House, derived: DerivedEM) -> float:
    """Largest relative difference along plain steps from one random start."""
    # That is an M-step from random responsibilities, so off any bound.
    at, furthest = house.start(np.random.default_rng(1)), 0.0
    for there in derived.fit(start=at, accelerated=False, max_iterations=STEPS).path:
        mine, theirs = (house.problem.arrays(house.parameters(values)) for values in (at, there))
        apart = (float(np.abs(theirs[key] - each).max() / np.abs(each).max()) for key, each in mine.items())
        furthest = max(furthest, *apart)
        at = house.em_step(at, prior=False)
    return furthest


def same(names: Sequence[str], kept: Path) -> str:
    """The table of ``same``, and what is in none."""
    found, columns = problems(), [f.name for f in fields(Compared)]
    rows = dict[str, Compared]()
    if kept.exists():
        with kept.open(newline="", encoding="utf-8") as file:
            for line in csv.DictReader(file):
                cells: dict[str, Any] = {key: float(v) if key in NUMBERS else v for key, v in line.items()}
                rows[line["name"]] = Compared(**cells)
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
    lower = sum("; its own search" in row.status for row in rows.values())
    told += f" In {lower} of them its own search ended lower." if lower else ""
    later = ", ".join(
        f"`{name}`" for name, problem in found.items() if name not in rows and not isinstance(problem, str)
    )
    told += f" Not run yet: {later}." if later else ""
    return f"{table(head, lines)}\n\n{told} Not in the table: {left}."


def rises(number: int, seed: int, page: Path | None) -> str:
    """The table of ``rises``, kept in the page as it comes."""
    share, done = -(-number // len(PROGRAMS)), dict[str, Climbed]()
    for at, (name, make) in enumerate(PROGRAMS.items()):
        done[name] = climbed(make, share, np.random.default_rng([seed, at]))
        print(name, done[name], file=sys.stderr, flush=True)
        if page is not None:
            write_between(page, "derived, rises", told(done))
    return told(done)


def told(done: dict[str, Climbed]) -> str:
    """A table of random problems by program, and of all."""
    of = list(done.values())
    problems, runs, steps = (sum(getattr(c, what) for c in of) for what in ("problems", "runs", "steps"))
    every = Climbed(problems, runs, steps, max(c.fall for c in of))
    lines = [
        [name, str(c.problems), str(c.runs), str(c.steps), f"{c.fall:.0e}"]
        for name, c in (done | {f"all of {len(done)}": every}).items()
    ]
    left = [name for name in PROGRAMS if name not in done]
    later = f"\n\nNot run yet: {', '.join(left)}." if left else ""
    return table(["program", "problems", "runs", "steps", "largest fall, relative"], lines) + later


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["same", "rises"])
    parser.add_argument("--name", nargs="*", default=[], help="data sets of same; all where left out")
    parser.add_argument("--rows", type=Path, default=Path("docs/derived.csv"), help="what keeps the rows of same")
    parser.add_argument("--problems", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--page", type=Path, help="whose part between the marks of this name is written")
    options = parser.parse_args()
    if options.what == "rises":
        print(rises(options.problems, options.seed, options.page))
        return
    text = same(options.name, options.rows)
    if options.page is not None:
        write_between(options.page, "derived, same", text)
    print(text)


if __name__ == "__main__":
    main()
