"""The loop: from a start to where the objective stops rising, by plain EM or with its steps extrapolated (SQUAREM).

SQUAREM: Varadhan & Roland (2008), Scandinavian Journal of Statistics 35, 335, scheme S3, with a safeguard: an
extrapolated point is taken only where the objective does not fall below that of the plain step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from em.curvature import CREEPING, curvature
from em.mixture import Mixture
from models.inputs import Floats

type Acceleration = Literal["squarem"] | None
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
    """

    points: list[Floats]
    trace: list[float]
    ending: Ending
    evaluations: int


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
    point = start
    points = [mixture.to_vector(start)]
    statistics, value = _evaluate(mixture, start)
    if not np.isfinite(value):
        raise ValueError("the start gives the data probability 0; move its probabilities off 0 and 1")
    trace = [value]
    evaluations = 1
    next_check = 0

    def ended(ending: Ending) -> Climb:
        return Climb(points, trace, ending, evaluations)

    while len(trace) <= max_iterations:
        try:
            following = mixture.m_step(statistics)
            statistics, value = _evaluate(mixture, following)
        except (FloatingPointError, np.linalg.LinAlgError):
            return ended("collapsed")
        evaluations += 1
        tolerance = ROUNDING * max(1.0, abs(value))
        if not value >= trace[-1] - tolerance:
            raise ObjectiveDecreased(f"step {len(trace)} lowered the objective from {trace[-1]!r} to {value!r}")
        change = value - trace[-1]
        points.append(mixture.to_vector(following))
        trace.append(value)
        point = following
        if change <= max(CHANGE, 4 * np.finfo(float).eps * abs(value)) and len(trace) >= next_check:
            if _arrived(mixture, point, points):
                return ended("converged")
            next_check = int(len(trace) * 1.1) + 10
        if acceleration == "squarem" and len(points) >= 3 and len(points) % 3 == 0:
            jump = _extrapolated(mixture, points[-3:])
            if jump is not None:
                evaluations += 1
                if jump[2] >= value:
                    point, statistics, value = jump
                    points.append(mixture.to_vector(point))
                    trace.append(value)
    return ended("iteration limit")


def _evaluate(mixture: Mixture[Any, Any], parameters: Any) -> tuple[Any, float]:
    statistics = mixture.e_step(parameters)
    return statistics, float(statistics.log_likelihood + mixture.log_prior(parameters))


def _arrived(mixture: Mixture[Any, Any], parameters: Any, points: list[Floats]) -> bool:
    if mixture.smallest_spread(parameters) < 1e-6:
        return bool(np.array_equal(points[-1], points[-2]))  # on its way to a collapse; derivatives would overflow
    judged = curvature(mixture, parameters)
    # With 1e15 tosses the distance in standard errors is never small to rounding; then parameters that stand still are it.
    still = np.abs(points[-1] - points[-2]) <= 4 * np.finfo(float).eps * np.maximum(1.0, np.abs(points[-1]))
    if judged.decrement < DISTANCE or (judged.kind != "saddle" and bool(still.all())):
        return True
    if judged.kind != "saddle" and judged.rate > 1 - CREEPING:
        return judged.identified_decrement < DISTANCE and judged.step < STANDSTILL_CREEPING
    return judged.step < STANDSTILL


def _extrapolated(mixture: Mixture[Any, Any], points: list[Floats]) -> tuple[Any, Any, float] | None:
    """Point beyond two EM steps, with its statistics and objective; None where the parameters there do not exist."""
    first, second, third = points
    step = second - first
    bend = (third - second) - step
    size = np.linalg.norm(bend)
    if size == 0:
        return None
    length = np.linalg.norm(step) / size
    if length <= 1:  # not slower than the plain step
        return None
    beyond = first + 2 * length * step + length**2 * bend
    # Long jumps multiply rounding, and weights whose sum is off by 1e-10 would seem to gain n times that.
    beyond[: mixture.n_components] /= beyond[: mixture.n_components].sum()
    try:
        parameters = mixture.from_vector(beyond)
        statistics, value = _evaluate(mixture, parameters)
    except (FloatingPointError, np.linalg.LinAlgError):
        return None
    return parameters, statistics, value
