"""All starts together, to the neighbourhood of where each leads: short runs first, and only what is distinct goes on.

Every start takes the same steps at the same time, in one pass over the rows. Runs that have come to say the same of every
row are one from then on. After plain steps, which choose the basin, steps are extrapolated (SQUAREM), each run by itself
and never to a lower objective. After Biernacki, Celeux & Govaert (2003), Computational Statistics & Data Analysis 41, 561
(emEM).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from em.ascent.acceleration import PLAIN_STEPS
from em.kernel import ROWS
from em.mixture import AT_A_TIME, Mixture, evaluated, row_posteriors
from em.search.collapse import collapsed
from em.search.starts import Starts
from models.inputs import Floats

# Steps between two looks for runs that have met.
LOOK_EVERY = 10
# Extrapolations after which only the best runs go on, and after which those are finished one by one.
SHORT, CYCLES = 12, 100
# How many for each component go on, of the default starts and of a thorough search.
BEST, BEST_OF_MANY = 5, 12
# Gain of two steps and an extrapolation, in nats, below which a run is near its end.
NEAR = 1e-7
# Runs have met where the log-likelihoods of every single row agree this closely, in nats.
SAME_ROWS = 1e-3
# Rows on which all runs are compared, before all rows are on which some agree.
FEW_ROWS = 8


type RunEnding = Literal["collapsed", "near", "under way", "given up"]


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Where some starts lead.

    Attributes
    ----------
    starts : their numbers
    vector : the full vector there, ``(p,)``
    value, gain : the objective there, and what the last steps added
    ending : whether a component has no width left, the run is near its end, or under way, or was given up for better ones
    """

    starts: list[int]
    vector: Floats
    value: float
    gain: float
    ending: RunEnding


@dataclass(slots=True, eq=False)
class _Runs:
    """Runs under way: one row for each, ``statistics`` and ``values`` those at ``vectors``."""

    starts: list[list[int]]
    vectors: Floats
    statistics: Any
    values: Floats
    gains: Floats

    def part(self, which: NDArray[Any]) -> _Runs:
        kept = [s for s, k in zip(self.starts, which, strict=True) if k]
        statistics = _each(self.statistics, lambda field: field[which])
        return _Runs(kept, self.vectors[which], statistics, self.values[which], self.gains[which])

    def found(self, which: NDArray[Any], ending: RunEnding) -> list[Found]:
        return [
            Found(self.starts[j], self.vectors[j], float(self.values[j]), float(self.gains[j]), ending)
            for j in np.flatnonzero(which)
        ]


def search(
    mixture: Mixture[Any, Any], vectors: Floats, how: Starts = "default", known: Sequence[Floats] = ()
) -> tuple[list[Found], int]:
    """Follow all starts, full vectors ``(number, p)``, and count the E-steps made.

    Every start is in one of the results, best first; those not collapsed are near an optimum or have run out of steps, or
    are where an optimum is ``known``, given as the log-likelihoods ``(n,)`` of the rows there.
    """
    statistics, values = _evaluate(mixture, vectors)
    runs = _Runs([[j] for j in range(len(vectors))], vectors, statistics, values, np.full(len(vectors), np.inf))
    found: list[Found] = []
    evaluations = len(vectors)
    for step in range(1, PLAIN_STEPS + 1):
        runs, following, parameters = _alive(mixture, runs, found)
        if len(runs.starts) < 2:
            break
        statistics, values = evaluated(mixture, parameters)
        evaluations += len(values)
        runs = _Runs(runs.starts, following, statistics, values, values - runs.values)
        if step % LOOK_EVERY == 0:
            runs = _met(mixture, runs, known, found)
    for cycle in range(1, CYCLES + 1):
        near = runs.gains < NEAR
        found += runs.found(near, "near")
        runs = runs.part(~near)
        if cycle % (LOOK_EVERY // 2) == 0 or cycle == SHORT:
            runs = _met(mixture, runs, known, found)
        if cycle == SHORT:
            best = _best(mixture, runs, mixture.n_components * (BEST if how == "default" else BEST_OF_MANY))
            found += runs.found(~best, "given up")
            runs = runs.part(best)
        runs, following, parameters = _alive(mixture, runs, found)
        if len(runs.starts) < 2:  # nothing to choose among
            break
        runs, made = _cycle(mixture, runs, following, parameters, found)
        evaluations += made
    found += runs.found(np.ones(len(runs.starts), dtype=bool), "under way")
    ended = [f for f in found if f.ending in ("collapsed", "given up")]
    going = [f for f in found if f.ending in ("near", "under way")]
    vectors = np.array([f.vector for f in going]).reshape(len(going), mixture.n_parameters)
    for group in _groups(_rows(mixture, vectors), np.array([f.value for f in going])):
        ended.append(replace(going[group[0]], starts=[start for j in group for start in going[j].starts]))
    return sorted(ended, key=lambda f: -f.value), evaluations


def _best(mixture: Mixture[Any, Any], runs: _Runs, number: int) -> NDArray[np.bool_]:
    """Runs that go on: the best, and those on their way to a collapse, whose objective says nothing."""
    if not runs.starts:
        return np.zeros(0, dtype=bool)
    narrow = collapsed(mixture, mixture.from_vector(runs.vectors))
    ranked = np.argsort(np.argsort(np.where(narrow, np.inf, -runs.values), kind="stable"))
    return np.asarray(narrow | (ranked < number))


def _cycle(
    mixture: Mixture[Any, Any], runs: _Runs, following: Floats, parameters: Any, found: list[Found]
) -> tuple[_Runs, int]:
    """One EM step and an extrapolation from it, of every run; where that is lower, the step alone."""
    statistics, values = evaluated(mixture, parameters)
    stepped = _Runs(runs.starts, following, statistics, values, values - runs.values)
    made, first = len(values), runs.vectors
    index = {starts[0]: j for j, starts in enumerate(stepped.starts)}
    stepped, third, _ = _alive(mixture, stepped, found)
    if not stepped.starts:
        return stepped, made
    kept = [index[starts[0]] for starts in stepped.starts]
    first, start_values = first[kept], runs.values[kept]
    step = stepped.vectors - first
    bend = third - stepped.vectors - step
    with np.errstate(divide="ignore", invalid="ignore"):
        length = np.linalg.norm(step, axis=1) / np.linalg.norm(bend, axis=1)
    beyond = length > 1
    length = np.where(beyond & np.isfinite(length), length, 1.0)[:, None]
    guess = first + 2 * length * step + length**2 * bend
    k = mixture.n_components
    guess[:, :k] /= guess[:, :k].sum(axis=1, keepdims=True)
    guess = np.where(mixture.exists(guess)[:, None], guess, third)
    statistics, values = _evaluate(mixture, guess)
    lower = ~(values >= stepped.values)

    def chosen(one: Any, other: Any) -> Any:
        return np.where(lower.reshape(-1, *(1,) * (np.ndim(one) - 1)), one, other)

    both = [chosen(getattr(stepped.statistics, f.name), getattr(statistics, f.name)) for f in fields(statistics)]
    values = chosen(stepped.values, values)
    runs = _Runs(stepped.starts, chosen(stepped.vectors, guess), type(statistics)(*both), values, values - start_values)
    return runs, made + len(values)


def _evaluate(mixture: Mixture[Any, Any], vectors: Floats) -> tuple[Any, Floats]:
    done = [evaluated(mixture, some) for some in _few_at_a_time(mixture, vectors, ROWS)]
    if len(done) == 1:
        return done[0]
    kind = type(done[0][0])
    joined = kind(*(np.concatenate([getattr(s, field.name) for s, _ in done]) for field in fields(kind)))
    return joined, np.concatenate([values for _, values in done])


def _few_at_a_time(mixture: Mixture[Any, Any], vectors: Floats, rows: int) -> Iterator[Any]:
    """The parameters of some runs after the others, so that what is computed of so many rows takes little memory."""
    some = max(AT_A_TIME // (mixture.n_components * rows), 1)
    return (mixture.from_vector(vectors[j : j + some]) for j in range(0, len(vectors), some))


def _alive(mixture: Mixture[Any, Any], runs: _Runs, found: list[Found]) -> tuple[_Runs, Floats, Any]:
    """The runs whose next EM step exists, and that step; the others have collapsed and are added to ``found``."""
    if not runs.starts:
        return runs, runs.vectors, None
    parameters = mixture.m_step(runs.statistics)
    following = mixture.to_vector(parameters)
    exists = mixture.exists(following)
    if exists.all():
        return runs, following, parameters
    found += runs.found(~exists, "collapsed")
    return runs.part(exists), following[exists], mixture.from_vector(following[exists])


def _met(mixture: Mixture[Any, Any], runs: _Runs, known: Sequence[Floats], found: list[Found]) -> _Runs:
    """The runs that differ, the best of those that have met; those that have come to what is ``known`` are ``found``."""
    rows = _rows(mixture, runs.vectors)
    there = np.zeros(len(rows), dtype=bool)
    for others in known:
        there |= np.abs(rows - others).max(axis=1) < SAME_ROWS
    found += runs.found(there, "under way")
    runs, rows = runs.part(~there), rows[~there]
    groups = _groups(rows, runs.values)
    best = np.zeros(len(runs.starts), dtype=bool)
    best[[group[0] for group in groups]] = True
    starts = {group[0]: [start for j in group for start in runs.starts[j]] for group in groups}
    kept = runs.part(best)
    kept.starts = [starts[int(j)] for j in np.flatnonzero(best)]
    return kept


def _rows(mixture: Mixture[Any, Any], vectors: Floats) -> Floats:
    """``(runs, n)`` log-likelihood of each row at each full vector."""
    parts = _few_at_a_time(mixture, vectors, len(mixture.counts))
    return np.concatenate([np.empty((0, len(mixture.counts))), *(row_posteriors(mixture, some)[1] for some in parts)])


def _groups(rows: Floats, values: Floats) -> list[list[int]]:
    """Which of several runs say the same of every row, the best of each group first."""
    if len(rows) < 2:
        return [[j] for j in range(len(rows))]
    few = rows[:, :: max(rows.shape[1] // FEW_ROWS, 1)]
    alike = np.abs(few[:, None] - few).max(axis=2) < SAME_ROWS
    groups: list[list[int]] = []
    left = np.ones(len(rows), dtype=bool)
    for j in np.argsort(-values, kind="stable"):
        if not left[j]:
            continue
        left[j] = False
        others = np.flatnonzero(alike[j] & left)
        if len(others):
            others = others[np.abs(rows[others] - rows[j]).max(axis=1) < SAME_ROWS]
            left[others] = False
        groups.append([int(j), *others.tolist()])
    return groups


def _each(statistics: Any, change: Any) -> Any:
    """Statistics with every field changed alike."""
    return type(statistics)(*(change(getattr(statistics, field.name)) for field in fields(statistics)))
