"""The loop: from a start to where the objective stops rising, by plain EM or with its steps extrapolated."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from em.ascent.acceleration import Acceleration, extrapolation
from em.ascent.arrival import Arrival
from em.mixture import EPSILON, Mixture, evaluated
from em.uncertainty.curvature import Curvature
from models.inputs import Floats

type Ending = Literal["converged", "collapsed", "iteration limit"]

# Plain EM on the slowest reference problem (a binomial mixture at rate 0.999) takes about 20,000.
MAX_ITERATIONS = 200_000
# Steps after which a bound is tried that a parameter creeps to, and again after twice as many.
CREPT = 256
# The objective may fall by so many roundings of all that it is made of, and by no more.
ROUNDING = 64.0


class ObjectiveDecreased(ArithmeticError):
    """EM lowered its objective beyond rounding: an error in an E-step or M-step, never a reason to stop.

    Attributes
    ----------
    step : counted from 1
    before, after : the objective, in nats
    """

    def __init__(self, step: int, before: float, after: float) -> None:
        super().__init__(step, before, after)
        self.step, self.before, self.after = step, before, after

    @property
    def loss(self) -> float:
        """Nats by which the objective fell; NaN where it ceased to be a number."""
        return self.before - self.after

    def __str__(self) -> str:
        """Step, and both values."""
        return f"step {self.step} lowered the objective from {self.before!r} to {self.after!r}"


@dataclass(frozen=True, slots=True, eq=False)
class Climb:
    """One run from one start.

    Attributes
    ----------
    points : full vectors, the start first
    trace : objective at each point, in the mixture's own units
    ending : why it stopped
    evaluations : E-steps made, and passes over the rows for guesses
    extrapolations, refused : guesses that were taken, and those that were not since the objective fell
    judged : the curvature at the end, where it was looked at
    rate, remaining : Aitken's estimates at the end, NaN where it was not at rest: of plain steps, and in nats to the limit
    """

    points: list[Floats]
    trace: list[float]
    ending: Ending
    evaluations: int
    extrapolations: int = 0
    refused: int = 0
    judged: Curvature | None = None
    rate: float = math.nan
    remaining: float = math.nan


def climb(
    mixture: Mixture[Any, Any],
    start: Any,
    acceleration: Acceleration = None,
    max_iterations: int = MAX_ITERATIONS,
    *,
    settled: bool = False,
) -> Climb:
    """Raise the objective from ``start`` until it is at a stationary value, or a component has no width.

    When it stops says `em.ascent.arrival`. From a ``settled`` start, where a search has ended, leaps are made at once.

    Raises
    ------
    ObjectiveDecreased
        if the objective falls beyond rounding
    """
    parameters = start
    points = [mixture.to_vector(start)]
    statistics, value = _evaluate(mixture, start)
    # At a bound the prior may have no density where the data have one: a step of EM leaves it.
    if not np.isfinite(statistics.log_likelihood):
        raise ValueError("the start gives the data probability 0; move its probabilities off 0 and 1")
    trace = [value]
    ahead, arrival = extrapolation(acceleration, mixture, settled=settled), Arrival(mixture, points, trace)
    taken = refused = looks = 0

    def ended(ending: Ending) -> Climb:
        evaluations, judged = (
            len(trace) + refused + ahead.looks + looks,
            arrival.judged if ending == "converged" else None,
        )
        return Climb(points, trace, ending, evaluations, taken, refused, judged, arrival.rate, arrival.remaining)

    while len(trace) <= max_iterations:
        parameters = mixture.m_step(statistics)
        following = mixture.to_vector(parameters)
        # A component that has collapsed onto a tie is at infinity, from where nothing is extrapolated.
        guess = ahead.beyond(points[-1], following) if np.isfinite(following).all() else None
        jump = None
        if guess is not None:
            jump = _no_worse(mixture, guess, trace[-1] + (next_gain(trace) if ahead.demanding else 0.0))
            ahead.learn(taken=jump is not None)
            taken, refused = taken + (jump is not None), refused + (jump is None)
        if len(trace) >= CREPT and len(trace) & (len(trace) - 1) == 0:
            bounded, looked = _at_bound(mixture, points[len(points) // 2], following, trace[-1])
            jump, looks = bounded or jump, looks + looked
        if jump is not None:
            following, parameters, statistics, value = jump
        elif mixture.exists(following):
            statistics, value = _evaluate(mixture, parameters)
        else:
            return ended("collapsed")
        if not value >= trace[-1] and not trace[-1] - value <= ROUNDING * mixture.rounding(parameters, statistics):
            raise ObjectiveDecreased(len(trace), trace[-1], value)
        points.append(following)
        trace.append(value)
        if arrival.reached(parameters, plain=jump is None):
            return ended("converged")
        if arrival.stuck:
            break
    return ended("iteration limit")


def _evaluate(mixture: Mixture[Any, Any], parameters: Any) -> tuple[Any, float]:
    statistics, value = evaluated(mixture, parameters)
    return statistics, float(value)


type _Guess = tuple[Floats, Any, Any, float]


def _at_bound(mixture: Mixture[Any, Any], before: Floats, point: Floats, least: float) -> tuple[_Guess | None, int]:
    """The point with a parameter at the bound that it creeps towards, where the objective rises on all of the way; E-steps made.

    Where less is known of what is latent the nearer the bound is, steps shorten as fast as the way that is left: EM halves it
    with twice as many steps, and never arrives.
    """
    best, looks = None, 0
    for place, bound in mixture.bounds():
        left, there = abs(point[place] - bound), point.copy()
        if not 0 < left < abs(before[place] - bound):
            continue
        there[place] = (point[place] + bound) / 2
        half = _no_worse(mixture, there.copy(), least)
        there[place] = bound
        found = half and _no_worse(mixture, there, half[-1])
        best, looks = found or best, looks + 1 + (half is not None)
    return best, looks


def next_gain(trace: list[float]) -> float:
    """What the next EM step would gain, were gains to go on in the ratio of the last two: what a guess has to gain too."""
    last = trace[-1] - trace[-2]
    before = trace[-2] - trace[-3] if len(trace) > 2 else last
    return max(last, 0.0) * last / before if before > 0 else 0.0


def _no_worse(mixture: Mixture[Any, Any], guess: Floats, least: float) -> _Guess | None:
    """A guess with its parameters, statistics and objective; None where it has none or the objective is below, but for rounding.

    Near the end what a guess gains is less than the rounding of the objective, and half of all guesses would be refused.
    """
    # Long jumps multiply rounding, and weights whose sum is off by 1e-10 would seem to gain n times that.
    guess[: mixture.n_components] /= guess[: mixture.n_components].sum()
    guess = mixture.held(guess)
    if not mixture.exists(guess):
        return None
    parameters = mixture.from_vector(guess)
    statistics, value = _evaluate(mixture, parameters)
    return (guess, parameters, statistics, value) if value >= least - 4 * EPSILON * abs(least) else None
