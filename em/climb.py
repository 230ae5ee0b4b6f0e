"""The loop: from a start to where the objective stops rising, by plain EM or with its steps extrapolated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from em.acceleration import Acceleration, extrapolation
from em.curvature import CREEPING, Curvature, curvature_near_rest
from em.mixture import Mixture, evaluated
from models.inputs import Floats

type Ending = Literal["converged", "collapsed", "iteration limit"]

# Plain EM on the slowest reference problem (a binomial mixture at rate 0.999) takes about 20,000.
MAX_ITERATIONS = 200_000
# The objective may fall by rounding, relative to its size, and by no more.
ROUNDING = 1e-10
# Change of the objective, in nats, above which no run stops.
CHANGE = 1e-12
# Standard errors to the optimum within which a run may stop.
DISTANCE = 1e-8
# Complete-data standard errors below which a step is rounding error.
STANDSTILL = 1e-10
# The same where EM creeps, as it does ever more slowly to where two components coincide.
STANDSTILL_CREEPING = 1e-7


class ObjectiveDecreased(ArithmeticError):
    """EM lowered its objective beyond rounding: an error in an E-step or M-step, never a reason to stop."""


@dataclass(frozen=True, slots=True, eq=False)
class Climb:
    """One run from one start.

    Attributes
    ----------
    points : full vectors, the start first
    trace : objective at each point, in the mixture's own units
    ending : why it stopped
    evaluations : E-steps made
    extrapolations, refused : guesses that were taken, and those that were not since the objective fell
    judged : the curvature at the end, where it was looked at
    """

    points: list[Floats]
    trace: list[float]
    ending: Ending
    evaluations: int
    extrapolations: int = 0
    refused: int = 0
    judged: Curvature | None = None


def climb(
    mixture: Mixture[Any, Any],
    start: Any,
    acceleration: Acceleration = None,
    max_iterations: int = MAX_ITERATIONS,
) -> Climb:
    """Raise the objective from ``start`` until it is at a stationary value, or a component has no width.

    A small step proves nothing where EM is slow. Once the change is below ``CHANGE`` or below rounding, the distance to
    the optimum, sqrt(g' I^-1 g) standard errors, must be below ``DISTANCE`` too; where the information is not positive
    definite (a saddle, a ridge) or nearly so, the next step must be nothing but rounding, or EM might be passing by.

    Raises
    ------
    ObjectiveDecreased
        if the objective falls beyond rounding
    """
    parameters = start
    points = [mixture.to_vector(start)]
    statistics, value = _evaluate(mixture, start)
    if not np.isfinite(value):
        raise ValueError("the start gives the data probability 0; move its probabilities off 0 and 1")
    trace = [value]
    ahead = extrapolation(acceleration, len(mixture.counts))
    taken = refused = next_check = 0

    def ended(ending: Ending, judged: Curvature | None = None) -> Climb:
        return Climb(points, trace, ending, len(trace) + refused, taken, refused, judged)

    while len(trace) <= max_iterations:
        parameters = mixture.m_step(statistics)
        following = mixture.to_vector(parameters)
        guess = ahead.beyond(points[-1], following)
        jump = None if guess is None else _no_worse(mixture, guess, trace[-1])
        if guess is not None:
            ahead.learn(taken=jump is not None)
            taken, refused = taken + (jump is not None), refused + (jump is None)
        if jump is not None:
            following, parameters, statistics, value = jump
        elif mixture.exists(following):
            statistics, value = _evaluate(mixture, parameters)
        else:
            return ended("collapsed")
        if not value >= trace[-1] - ROUNDING * max(1.0, abs(value)):
            raise ObjectiveDecreased(f"step {len(trace)} lowered the objective from {trace[-1]!r} to {value!r}")
        change = value - trace[-1]
        points.append(following)
        trace.append(value)
        if change <= max(CHANGE, 4 * np.finfo(float).eps * abs(value)) and len(trace) >= next_check:
            arrived, judged = _arrived(mixture, parameters, points)
            if arrived:
                return ended("converged", judged)
            next_check = int(len(trace) * 1.1) + 10
    return ended("iteration limit")


def _evaluate(mixture: Mixture[Any, Any], parameters: Any) -> tuple[Any, float]:
    statistics, value = evaluated(mixture, parameters)
    return statistics, float(value)


def _arrived(mixture: Mixture[Any, Any], parameters: Any, points: list[Floats]) -> tuple[bool, Curvature | None]:
    if not mixture.bounded and mixture.smallest_spread(parameters) < 1e-6:
        return bool(np.array_equal(points[-1], points[-2])), None  # about to collapse; derivatives would overflow
    if mixture.constrained(parameters):
        return _standing(points), None
    judged = curvature_near_rest(mixture, parameters)
    if judged is None:
        return False, None
    # With 1e15 tosses the distance in standard errors is never small to rounding; then parameters that stand still are it.
    still = np.abs(points[-1] - points[-2]) <= 4 * np.finfo(float).eps * np.maximum(1.0, np.abs(points[-1]))
    if judged.decrement < DISTANCE or (judged.kind != "saddle" and bool(still.all())):
        return True, judged
    if judged.kind != "saddle" and judged.rate > 1 - CREEPING:
        return judged.identified_decrement < DISTANCE and judged.step < STANDSTILL_CREEPING, judged
    return judged.step < STANDSTILL, judged


def _standing(points: list[Floats]) -> bool:
    """Whether what is left of the way, by Aitken's estimate from the last two steps, is rounding."""
    if len(points) < 3:
        return False
    before, last = np.linalg.norm(points[-2] - points[-3]), np.linalg.norm(points[-1] - points[-2])
    return bool(last * last <= STANDSTILL * (before - last)) or last == 0


def _no_worse(mixture: Mixture[Any, Any], guess: Floats, least: float) -> tuple[Floats, Any, Any, float] | None:
    """A guess with its parameters, statistics and objective; None where it has none or the objective is below."""
    # Long jumps multiply rounding, and weights whose sum is off by 1e-10 would seem to gain n times that.
    guess[: mixture.n_components] /= guess[: mixture.n_components].sum()
    if not mixture.exists(guess):
        return None
    parameters = mixture.from_vector(guess)
    statistics, value = _evaluate(mixture, parameters)
    return (guess, parameters, statistics, value) if value >= least else None
