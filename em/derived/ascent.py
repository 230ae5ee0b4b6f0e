"""From a start to where a derived EM's objective rises no more, and what is there: a maximum, a bound, a saddle, a ridge."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from em.ascent.acceleration import Anderson, Plain
from em.ascent.climb import MAX_ITERATIONS, ObjectiveDecreased, next_gain
from em.derived.coordinates import Coordinates
from em.derived.densities import Values
from em.derived.steps import NEAREST, NoDerivatives, Point, Steps
from em.progress import Progress
from em.search.optima import Status
from em.uncertainty.curvature import CREEPING, FLAT, Curvature
from models.inputs import Floats

# A run ends where a step raises the objective by less than this many nats, or than its rounding, so many times in a row.
ARRIVED, TIMES = 1e-12, 2
# What the objective may fall by rounding, relative to its size.
FALL = 1e-11
# Nats by which the objective has to rise where a positive number is halved, for the density to have no bound there.
RISE = 1e-3
# Share of its range within which a number is tried at its bound; and how near to it a number is at it.
CLOSE, AT_BOUND = 0.05, 10 * NEAREST
# Share by which numbers are moved to see rounding, how often, and nats by which the objective may bend with it.
DIGIT, TRIED, ROUGH = 1e-10, 8, 1e-6
# Newton steps at the end of an accelerated run, and standard errors within which none is needed.
NEWTON, NEAR = 5, 1e-7
# Steps of a run before Newton's method is tried; after twice as many each time it is tried again. So many times as many steps
# are a run's that is given up, and so many nats below the best end that is known.
PATIENCE, TRIALS, HOPELESS = 200, 3, 5.0
# Information of the complete data, each number in a unit of its own, that is rounding.
LEVEL = 1e-12
# Complete-data standard errors by which a saddle is left.
ASIDE = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Climb:
    """One run: every point and height, the start first; ``ended`` whether it came to rest."""

    path: list[Values]
    trace: list[float]
    end: Point
    ended: bool
    evaluations: int
    extrapolations: int = 0
    refused: int = 0

    def followed_by(self, other: Climb) -> Climb:
        """Both runs as one, the second of which began where this one ended."""
        return Climb(
            self.path + other.path[1:],
            self.trace + other.trace[1:],
            other.end,
            other.ended,
            self.evaluations + other.evaluations,
            self.extrapolations + other.extrapolations,
            self.refused + other.refused,
        )


def height(point: Point, *, prior: bool) -> float:
    """What EM maximises, in nats."""
    return point.log_likelihood + (point.log_prior if prior else 0.0)


def climb(
    steps: Steps,
    start: Values,
    *,
    prior: bool,
    accelerated: bool,
    max_iterations: int = MAX_ITERATIONS,
    progress: Progress | None = None,
) -> Climb:
    """Step until the objective rises no more, and tell ``progress`` of each step.

    Raises
    ------
    ValueError
        where the data have no density at the start
    ObjectiveDecreased
        where a step lowers the objective beyond rounding
    """
    space, point = steps.densities.space, steps.at(start)
    path, trace = [start], [height(point, prior=prior)]
    if not np.isfinite(trace[0]):
        raise ValueError("the data have no density at the start; give another one, near the data and off the bounds")
    ahead: Any = Anderson() if accelerated else Plain()
    quiet = taken = refused = 0
    while len(trace) <= max_iterations:
        following = steps.m_step(point.shares, point.values, prior=prior, near=len(trace) > 1)
        here, there = (space.off_bounds(space.of(v)) for v in (point.values, following))
        guess = ahead.beyond(here, there)
        ahead_of = None
        if guess is not None:
            # A guess may lead anywhere; where it is no number it is refused.
            with np.errstate(over="ignore", invalid="ignore"):
                ahead_of = steps.at(space.values(space.off_bounds(guess)))
            better = bool(height(ahead_of, prior=prior) >= trace[-1] + next_gain(trace))
            ahead.learn(taken=better)
            taken, refused = taken + better, refused + (not better)
            ahead_of = ahead_of if better else None
        point = ahead_of or steps.at(following)
        reached = height(point, prior=prior)
        if not np.isfinite(reached):
            break
        size = max(1.0, abs(trace[-1]))
        if not reached >= trace[-1] - FALL * size:
            raise ObjectiveDecreased(len(trace), trace[-1], reached)
        quiet = quiet + 1 if reached - trace[-1] <= max(ARRIVED, np.finfo(float).eps * size) else 0
        path.append(point.values)
        trace.append(reached)
        if progress is not None:
            progress.step(sum(n for _, n in steps.densities.shapes), point.log_likelihood)
        if quiet == TIMES:
            return Climb(path, trace, point, True, len(trace) + refused, taken, refused)
    return Climb(path, trace, steps.at(path[-1]), False, len(trace) + refused, taken, refused)


def led_on(
    steps: Steps,
    run: Climb,
    *,
    prior: bool,
    max_iterations: int = MAX_ITERATIONS,
    progress: Progress | None = None,
    best: float = -np.inf,
) -> Climb:
    """An accelerated run that has not ended, to its maximum: by Newton's method where one is near, else by further steps.

    One that creeps far below the ``best`` end that is known is given up, as where components coincide.
    """
    patience = PATIENCE
    while not run.ended and len(run.trace) <= max_iterations:
        end = finished(steps, run, prior=prior)
        judged = curvature(steps, end.end, prior=prior)
        if judged.kind in ("maximum", "boundary") and judged.decrement <= NEAR:
            return replace(end, ended=True)
        if run.trace[-1] < best - HOPELESS and len(run.trace) > TRIALS * PATIENCE:
            break
        patience = min(2 * patience, max_iterations + 1 - len(run.trace))
        further = climb(
            steps,
            run.end.values,
            prior=prior,
            accelerated=True,
            max_iterations=patience,
            progress=progress,
        )
        if len(further.trace) == 1:
            break
        run = run.followed_by(further)
    return run


def finished(steps: Steps, run: Climb, *, prior: bool) -> Climb:
    """Lead an accelerated run where EM would come in the limit: onto bounds, and by Newton's method to the maximum.

    From bounds a run that has not ended goes on for a few steps only.
    """
    space = steps.densities.space
    bounded = _on_bounds(steps, run.end, run.trace[-1], prior=prior)
    if bounded is not None:
        with suppress(NoDerivatives):  # then it ends beside the bound
            most = MAX_ITERATIONS if run.ended else PATIENCE
            run = run.followed_by(climb(steps, bounded, prior=prior, accelerated=True, max_iterations=most))
    for _ in range(NEWTON):
        judged = curvature(steps, run.end, prior=prior)
        if not judged.decrement > NEAR:
            break
        # Units first: information of a number near its bound may be 1e30 of that of others.
        unit = 1 / np.sqrt(np.diag(judged.information))
        scaled = np.linalg.solve(judged.information * unit * unit[:, None], judged.gradient * unit)
        move = judged.basis @ (unit * scaled)
        values = space.by_name(space.vector(run.end.values) + move)
        if space.outside(values) is not None:
            break
        point = steps.at(values)
        reached = height(point, prior=prior)
        if not reached >= run.trace[-1] - FALL * max(1.0, abs(run.trace[-1])):
            break
        run = Climb(
            [*run.path, values],
            [*run.trace, reached],
            point,
            run.ended or judged.decrement < 1,
            run.evaluations + 1,
            run.extrapolations + 1,
            run.refused,
        )
    return run


def _on_bounds(steps: Steps, at: Point, reached: float, *, prior: bool) -> Values | None:
    """The point with numbers at their bounds that do not lower the objective there; None where there are none."""
    space, found = steps.densities.space, None
    values = at.values
    for block in space.blocks:
        if block.kind == "identity":
            continue
        for place in np.ndindex(block.shape):
            for bound in (block.low, block.high):
                away = abs(values[block.name][place] - bound)
                wide = CLOSE * (block.high - block.low) if np.isfinite(block.high) else np.inf
                if not np.isfinite(bound) or not AT_BOUND < away < wide:
                    continue
                moved = np.array(values[block.name])
                moved[place] = bound
                tried = values | steps.off_bounds({block.name: moved})
                level = height(steps.at(tried), prior=prior)
                if np.isfinite(level) and 0 <= level - reached + FALL * max(1.0, abs(reached)) < RISE:
                    values, reached, found = tried, level, tried
    return found


def rough(steps: Steps, at: Point, *, prior: bool) -> bool:
    """Whether the objective there is made of rounding: it moves with the tenth digit of the numbers.

    So it does of a beta-binomial density in PyMC whose alpha and beta are 1e14, the difference of logarithms of gamma functions.
    """
    space, random = steps.densities.space, np.random.default_rng(0)
    x = space.off_bounds(space.of(at.values))
    aside = DIGIT * np.maximum(1.0, np.abs(x)) * random.uniform(-1, 1, size=(TRIED, len(x)))
    here, *there = (height(steps.at(space.values(each)), prior=prior) for each in (x, *(x + aside), *(x - aside)))
    # On both sides together what is smooth cancels.
    one, other = np.array(there).reshape(2, TRIED)
    return not np.abs(one + other - 2 * here).max() <= max(ROUGH, FALL * abs(here))


def smooth_part(steps: Steps, run: Climb, *, prior: bool) -> Climb | None:
    """A run up to where its objective becomes rounding, which is not its end; None where it is from the start."""
    first, last = 0, len(run.path) - 1
    if rough(steps, steps.at(run.path[0]), prior=prior):
        return None
    while last - first > 1:
        middle = (first + last) // 2
        if rough(steps, steps.at(run.path[middle]), prior=prior):
            last = middle
        else:
            first = middle
    kept = first + 1
    end = steps.at(run.path[first])
    return replace(run, path=run.path[:kept], trace=run.trace[:kept], end=end, ended=False)


def beyond_rounding(steps: Steps, run: Climb, *, prior: bool) -> Climb:
    """A run that was cut where its objective becomes rounding, from the bound that it leads to; itself where none is as high."""
    bounded = _on_bounds(steps, run.end, run.trace[-1] - RISE / 2, prior=prior)
    if bounded is not None:
        with suppress(NoDerivatives):
            there = finished(steps, climb(steps, bounded, prior=prior, accelerated=True), prior=prior)
            if there.trace[-1] >= run.trace[-1] - ROUGH and not rough(steps, there.end, prior=prior):
                return replace(there, evaluations=there.evaluations + run.evaluations)
    return run


def collapsed(steps: Steps, at: Point, *, prior: bool) -> bool:
    """Whether the objective goes on rising as a positive number shrinks, so that it has no bound."""
    reached = height(at, prior=prior)
    for block in steps.densities.space.blocks:
        if block.kind != "log":
            continue
        for place in np.ndindex(block.shape):
            moved = np.array(at.values[block.name])
            moved[place] = block.low + (moved[place] - block.low) / 2
            if not height(steps.at(at.values | {block.name: moved}), prior=prior) <= reached + RISE:
                return True
    return False


def basis_of(space: Coordinates, values: Values) -> tuple[Floats, tuple[int, ...]]:
    """``(p, f)`` directions in which the numbers that are at no bound may move, and the places of those that are."""
    from scipy.linalg import block_diag

    from em.derived.coordinates import contrasts

    parts, held, first = [], [], 0
    for block in space.blocks:
        flat = np.ravel(values[block.name])
        bound = (flat - block.low <= AT_BOUND) | (block.high - flat <= AT_BOUND)
        if block.kind == "simplex":
            for row in bound.reshape(-1, block.shape[-1]):
                free = ~row if row.any() else np.ones(len(row), dtype=bool)
                part = np.zeros((len(row), max(int(free.sum()) - 1, 0)))
                if part.size:
                    part[free] = contrasts(int(free.sum()))
                parts.append(part)
        else:
            parts.append(np.eye(block.size)[:, ~bound])
        held += (first + np.flatnonzero(bound)).tolist()
        first += block.size
    return np.asarray(block_diag(*parts)), tuple(held)


def curvature(steps: Steps, at: Point, *, prior: bool) -> Curvature:
    """The objective to second order, exactly, in the directions that bounds leave, relative to the complete-data information."""
    densities = steps.densities
    basis, held = basis_of(densities.space, at.values)
    gradient = basis.T @ densities.at(at.values, at.shares, prior=prior).gradient
    whole, complete = (-basis.T @ h @ basis for h in densities.hessians(at.values, at.shares, prior=prior))
    kind: Any = "boundary" if held else "maximum"
    nothing = np.zeros((len(basis), 0))
    if not (np.isfinite(whole).all() and np.isfinite(complete).all()):
        nan = float("nan")
        return Curvature(
            "saddle", gradient, whole, basis, nan, nan, nan, nan, np.zeros(len(basis)), nothing, nothing, held
        )
    unit = 1 / np.sqrt(np.maximum(np.abs(np.diag(complete)), np.finfo(float).tiny))
    scaled = complete * unit * unit[:, None]
    try:
        # What is level in the complete data too would be rounding over rounding.
        if len(scaled) and np.linalg.eigvalsh(scaled)[0] < LEVEL:
            raise np.linalg.LinAlgError
        root = np.linalg.cholesky(scaled)
    except np.linalg.LinAlgError:
        # Where Q has no maximum, as where it is flat, a direction is judged by the size of its own second derivative.
        unit, root = 1 / np.sqrt(np.maximum(np.abs(np.diag(whole)), np.finfo(float).tiny)), np.eye(len(unit))
    turn = np.linalg.solve(root, np.diag(unit))
    left, vectors = np.linalg.eigh(turn @ whole @ turn.T)
    along, slopes = basis @ turn.T @ vectors, vectors.T @ turn @ gradient
    flat, slow = left < FLAT, left < CREEPING
    direction = np.zeros(len(basis))
    if len(left) and left[0] < -FLAT:
        kind, direction = "saddle", along[:, 0]
    elif slow.any():
        kind, direction = "ridge", along[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        decrement = float(np.sqrt((slopes**2 / left).sum())) if (left > 0).all() else float("nan")
        identified = float(np.sqrt((slopes[~slow] ** 2 / left[~slow]).sum()))
    return Curvature(
        kind,
        gradient,
        whole,
        basis,
        decrement,
        identified,
        float(np.sqrt((slopes**2).sum())),
        float((1 - left).max(initial=0.0)),
        direction,
        along[:, flat],
        along[:, slow & ~flat],
        held,
    )


def status_of(steps: Steps, run: Climb, judged: Curvature, *, prior: bool) -> Status:
    """What the end of a run is."""
    if collapsed(steps, run.end, prior=prior):
        return "collapsed"
    if not run.ended:
        return "iteration limit"
    return "converged" if judged.kind == "maximum" else judged.kind


def off_saddle(steps: Steps, run: Climb, judged: Curvature, *, prior: bool) -> Climb | None:
    """The run led on from its saddle, to the side where it rises more; None where no side is within the domains."""
    space, found = steps.densities.space, []
    for sign in (-1.0, 1.0):
        values = space.by_name(space.vector(run.end.values) + sign * ASIDE * judged.direction)
        if space.outside(values) is None and np.isfinite(height(steps.at(values), prior=prior)):
            aside = climb(steps, values, prior=prior, accelerated=True)
            if aside.trace[-1] > run.trace[-1]:
                found.append(aside)
    if not found:
        return None
    best = max(found, key=lambda each: each.trace[-1])
    # The step aside may have lowered the objective, and is no step of EM's: the trace begins after it.
    return replace(best, evaluations=best.evaluations + run.evaluations)
