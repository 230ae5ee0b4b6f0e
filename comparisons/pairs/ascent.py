"""Somebody's EM run to its end, and the curvature there by differences of its own objective."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from comparisons.pair import Values
from em.ascent.climb import ObjectiveDecreased
from em.derived.coordinates import Coordinates
from em.derived.fit import Errors
from em.differences import Function, expanded, maximised, right_steps
from em.search.optima import Mode
from em.uncertainty.curvature import Curvature
from em.uncertainty.standard_errors import withheld_reason
from models.inputs import Floats, shown

# EM goes on until a step raises its objective by less than this many nats, or than it is rounded by, so many times in a row.
ARRIVED, TIMES = 1e-12, 2
MOST_STEPS = 20_000
# What an objective may fall by rounding, relative to its size.
FALL = 1e-11
# Steps of differences in standard deviations of the posterior, sought from these units of the coordinates.
STEP, SOUGHT_FROM = 0.03, 0.05
# Share of a standard error by which it may differ with steps of twice the length.
UNCERTAIN = 0.01
# Eigenvalues of the information, each coordinate in its own standard errors, that are 0 but for the error of differences. A
# coordinate that bends by fewer nats in its unit than this is told in that unit: in its own all else would drown in that error.
FLAT, LEVEL = 1e-7, 10.0
# Standard errors from the maximum within which EM has arrived.
NEAR = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class PairFit:
    """What a comparison reads of a fit, named as in `em.Fit`."""

    parameters: Values
    log_likelihood: float
    log_posterior: float | None
    trace: Floats
    path: tuple[Values, ...]
    standard_errors: Errors
    modes: tuple[Mode[Any], ...]
    status: str
    rate: float

    @property
    def iterations(self) -> int:
        """Steps of the run that won."""
        return len(self.trace) - 1


@dataclass(frozen=True, slots=True, eq=False)
class Objective:
    """What EM maximises, and its step.

    Attributes
    ----------
    units : ``(f,)`` of the coordinates: 1, and of real parameters the spread of what was observed
    prior : whether the prior is part of it
    height : of parameters, in nats
    step : of parameters, those after one iteration; None where EM has no step for this objective
    stop : of the parameters before and after a step, whether to stop; None for a rule of the objective
    """

    coordinates: Coordinates
    units: Floats
    names: tuple[str, ...]
    prior: bool
    height: Callable[[Values], float]
    step: Callable[[Values], Values] | None
    stop: Callable[[Values, Values], bool] | None

    def of(self, x: Floats, ways: Floats | None = None) -> Function:
        """The objective about ``x`` ``(f,)`` at points ``(m, q, 1)``, told along ``ways`` ``(f, q)``, else in all coordinates."""
        held = x if ways is None else x - ways @ (ways.T @ x)

        def heights(points: Floats) -> Floats:
            told = []
            for point in points[..., 0]:
                moved = point if ways is None else held + ways @ point
                told.append(self.height(self.coordinates.values(moved)))
            return np.array(told)[:, None]

        return heights


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One run: every point and height, the start first, and whether it came to its end.

    ``lost`` says that the objective after the next step is no number: the step is wrong, or the likelihood has no bound there.
    """

    path: list[Values]
    trace: list[float]
    ended: bool
    lost: bool = False


def run(objective: Objective, start: Values, most: int = MOST_STEPS) -> Run:
    """Step until the objective rises no more; where EM has no step, by Newton's method on differences of the objective.

    After ``most`` steps it has not come to its end; where a step leads to what is no number it is lost.

    Raises
    ------
    ObjectiveDecreased
        where a step lowers the objective beyond rounding
    """
    path, trace = [start], [objective.height(start)]
    if objective.step is None:
        x = objective.coordinates.off_bounds(objective.coordinates.of(start))
        of = objective.of(x)
        found = maximised(lambda _: of, x[:, None], np.ones(1), SOUGHT_FROM * objective.units[:, None])
        path.append(objective.coordinates.values(found[:, 0]))
        trace.append(objective.height(path[-1]))
        return Run(path, trace, ended=True)
    quiet = 0
    while len(path) <= most:
        following = objective.step(path[-1])
        height = objective.height(following)
        if np.isnan(height) or height == np.inf:
            return Run(path, trace, ended=False, lost=True)
        gain = height - trace[-1]
        size = max(1.0, abs(trace[-1]))
        if gain < -FALL * size:
            raise ObjectiveDecreased(len(path), trace[-1], height)
        path.append(following)
        trace.append(height)
        if objective.stop is not None:
            if objective.stop(path[-2], path[-1]):
                return Run(path, trace, ended=True)
            continue
        quiet = quiet + 1 if gain <= max(ARRIVED, np.finfo(float).eps * size) else 0
        if quiet == TIMES:
            return Run(path, trace, ended=True)
    return Run(path, trace, ended=False)


def further(objective: Objective, begun: Run, most: int) -> Run:
    """A run that goes on to its end, or to so many steps in all."""
    left = most + 1 - len(begun.path)
    if begun.ended or begun.lost or left <= 0:
        return begun
    rest = run(objective, begun.path[-1], left)
    return replace(rest, path=begun.path + rest.path[1:], trace=begun.trace + rest.trace[1:])


def where_lost(runs: Sequence[Run]) -> str:
    """Where runs from every start end at what is no number."""
    last = max(runs, key=lambda each: each.trace[-1])
    at = ", ".join(f"{name} = {shown(np.asarray(value))}" for name, value in last.path[-1].items())
    return (
        f"from every start EM comes to where its objective is no number; from the highest, {last.trace[-1]:.6g} nats, step "
        f"{len(last.path)} does so, at {at}. The step is wrong there, or the likelihood has no bound: "
        "give start=, parameters near the data"
    )


def curvature(objective: Objective, at: Values) -> Curvature:
    """Second-order picture at a point: in the coordinates that are not at a bound, each number's place told by ``basis``."""
    c = objective.coordinates
    x = c.of(at)
    ways, bound = c.ways(x), tuple(int(j) for j in np.flatnonzero(c.at_bounds(x)))
    x = c.off_bounds(x)
    moves = c.moves(x) @ ways
    of, where = objective.of(x, ways), (ways.T @ x)[:, None]
    units = np.sqrt((ways**2).T @ objective.units**2)
    steps = right_steps(of, where, np.ones(1), SOUGHT_FROM * units[:, None], STEP)
    _, first, second = expanded(of, where, steps)
    gradient = first[:, 0] / steps[:, 0]
    information = -second[..., 0] / steps[:, 0] / steps[:, 0, None]
    unit = 1 / np.sqrt(np.maximum(np.abs(np.diag(information)), LEVEL / units**2))
    values, vectors = np.linalg.eigh(information * unit * unit[:, None])
    along = moves @ (unit[:, None] * vectors)
    far, firm = (vectors.T @ (unit * gradient)) ** 2, values >= FLAT
    decrement = float(np.sqrt((far / values).sum())) if (values > 0).all() else float("nan")
    kind: Any = "boundary" if bound else "maximum"
    direction, flat = np.zeros(len(moves)), np.zeros((len(moves), 0))
    if values[0] < -FLAT:
        kind, direction = "saddle", along[:, 0]
    elif values[0] < FLAT:
        kind, direction, flat = "ridge", along[:, 0], along[:, values < FLAT]
    # Without a step of EM the next one is Newton's, which leaves nothing.
    rate, short = (0.0, decrement) if objective.step is None else _of_step(objective, x, ways, gradient, steps[:, 0])
    return Curvature(
        kind,
        gradient,
        information,
        moves,
        decrement,
        float(np.sqrt((far[firm] / values[firm]).sum())),
        short,
        rate,
        direction,
        flat,
        flat[:, :0],
        bound,
    )


def _of_step(objective: Objective, x: Floats, ways: Floats, gradient: Floats, steps: Floats) -> tuple[float, float]:
    """Linear rate of plain EM, and the length of its next step in complete-data standard errors.

    The derivative of a step is the share of the information that is missing (Dempster, Laird & Rubin 1977, JRSS B 39, 1).
    """
    c, step = objective.coordinates, objective.step
    assert step is not None

    def moved(by: Floats) -> Floats:
        return np.asarray(ways.T @ c.off_bounds(c.of(step(c.values(x + ways @ by)))))

    shift = moved(np.zeros(len(steps))) - ways.T @ x
    columns = [(moved(h * e) - moved(-h * e)) / (2 * h) for h, e in zip(steps, np.eye(len(steps)), strict=True)]
    rate = np.linalg.eigvals(np.stack(columns, axis=1)).real.max(initial=0.0)
    return float(min(rate, 1.0)), float(np.sqrt(max(float(gradient @ shift), 0.0)))


def errors(objective: Objective, judged: Curvature, status: str, at: Values) -> Errors:
    """Standard errors from the observed information, withheld where there are none or differences do not agree on them."""
    c = objective.coordinates
    reason = withheld_reason(status, judged, objective.names)
    covariance = np.full((len(objective.names), len(objective.names)), np.nan)
    if reason is None:
        covariance = judged.covariance
        again = _with_longer_steps(objective, at, judged)
        off = np.abs(np.sqrt(np.diag(again) / np.diag(covariance)) - 1).max()
        if not off <= UNCERTAIN:
            reason = f"numerical second derivatives leave them uncertain by {off:.1%}"
            covariance = np.full_like(covariance, np.nan)
    with np.errstate(invalid="ignore"):
        return Errors(c.by_name(np.sqrt(np.diag(covariance))), covariance, objective.names, reason)


def _with_longer_steps(objective: Objective, at: Values, judged: Curvature) -> Floats:
    """The covariance by differences in steps of twice the length."""
    x = objective.coordinates.off_bounds(objective.coordinates.of(at))
    of = objective.of(x)
    steps = 2 * right_steps(of, x[:, None], np.ones(1), SOUGHT_FROM * objective.units[:, None], STEP)
    second = expanded(of, x[:, None], steps)[2][..., 0]
    longer = replace(judged, information=-second / steps[:, 0] / steps[:, 0, None])
    return np.asarray(longer.covariance)


def status_of(judged: Curvature, ended: bool) -> str:
    """How a run ended, by what the objective is there."""
    if judged.kind in ("saddle", "ridge"):
        return judged.kind
    arrived = judged.decrement <= NEAR
    if not (ended and arrived):
        return "iteration limit" if not ended else "converged"
    return "boundary" if judged.kind == "boundary" else "converged"
