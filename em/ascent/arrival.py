"""Whether a run has arrived: the stop rule of EM, in terms of what is left to the limit and not of the last step.

Near its limit EM is linear: the steps of a run fall by its rate, ``rho``, and a plain step that gains ``g`` leaves at most
``g rho^2 / (1 - rho^2)`` nats to the limit (Aitken). The rate is taken from differences of steps, which
extrapolations in between do not falsify; gains that drown in rounding are taken from the squared lengths of the steps, to
which they are in proportion. That estimate costs next to nothing. It says when to look at the curvature, which decides: the
distance to the optimum is sqrt(g' I^-1 g) standard errors, by gradient and information.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from em.mixture import EPSILON, Mixture
from em.search.collapse import NEVER_REGULAR, collapsed
from em.uncertainty.curvature import CREEPING, Curvature, curvature_near_rest
from models.inputs import Floats

TINY = float(np.finfo(float).tiny)
# Change of the objective, in nats, above which no run stops.
CHANGE = 1e-12
# Standard errors to the optimum within which a run may stop, and what that is in nats.
DISTANCE = 1e-8
NATS = 0.5 * DISTANCE**2
# Complete-data standard errors below which a step is rounding error.
STANDSTILL = 1e-10
# The same where EM creeps, as it does ever more slowly to where two components coincide.
STANDSTILL_CREEPING = 1e-7
# Gain of a step over the rounding of the objective, above which it says what a step of its length gains.
MEASURED = 1e3
# Steps that the estimate looks back on: after an extrapolation the slowest direction is missing from some.
LOOK_BACK = 20
# Parameters up to which the information is computed: of p parameters it costs as much as p / 8 E-steps.
MOST_PARAMETERS = 1000


class Arrival:
    """The stop rule of one run, of which it sees all ``points`` and the ``trace``.

    Attributes
    ----------
    judged : the curvature where it was looked at last, None before that
    rate, remaining : Aitken's estimates, of plain steps and in nats, where the objective rises no more; NaN before that
    """

    def __init__(self, mixture: Mixture[Any, Any], points: list[Floats], trace: list[float]) -> None:
        self.mixture, self.points, self.trace = mixture, points, trace
        self.judged: Curvature | None = None
        self.rate = self.remaining = math.nan
        self._plain: list[int] = []
        self._gaps: dict[int, float] = {}
        self._measured = self._next_look = 0
        self._looked = False

    def reached(self, parameters: Any, *, plain: bool) -> bool:
        """Whether the run may stop after its last step, ``plain`` or extrapolated, which led to ``parameters``."""
        last, value = len(self.trace) - 1, self.trace[-1]
        change, rounding = value - self.trace[-2], 4 * EPSILON * abs(value)
        if plain:
            self._plain.append(last)
            if change > MEASURED * rounding or not self._measured:
                self._measured = last
        if change > max(CHANGE, rounding):
            return False
        self._estimate(rounding)
        if len(self.points[-1]) > MOST_PARAMETERS or self.mixture.constrained(parameters):
            return self.remaining <= max(CHANGE, rounding)
        self._next_look = self._next_look or last + last // 10 + 10
        # Where no two plain steps were made there is no estimate, and the curvature is asked at once.
        if last < self._next_look and (self._looked or self.remaining > NATS):
            return False
        if collapsed(self.mixture, parameters, NEVER_REGULAR):
            # About to collapse, or as narrow as rounding lets it be; numerical M-steps never return to the same bits.
            return self.remaining <= max(CHANGE, rounding) or bool(np.array_equal(self.points[-1], self.points[-2]))
        self.judged, self._looked = curvature_near_rest(self.mixture, parameters), True
        self._next_look = last + self._wait(self.judged)
        return self.judged is not None and self._at_rest(self.judged)

    @property
    def stuck(self) -> bool:
        """Whether steps go nowhere at a point that is none to stop at, as beside a kink of the objective."""
        return self._looked and self.judged is None and self._returned

    def _estimate(self, rounding: float) -> None:
        """Aitken's estimates from the last plain steps and the points at which they were made."""
        number = len(self._plain)
        if number < 2:
            return
        recent = range(max(number - LOOK_BACK, 0) + 1, number)
        self._gaps = {j: self._gaps[j] if j in self._gaps else self._gap(j) for j in recent}
        self.rate = max(1 - min(self._gaps.values()), 0.0)
        k = self._measured
        measured, step = self._step(k), self._step(self._plain[-1])
        gain = max(self.trace[k] - self.trace[k - 1], rounding)
        shorter = float(step @ step) / max(float(measured @ measured), TINY)
        self.remaining = gain * shorter * self.rate**2 / (1 - self.rate**2) if self.rate < 1 else math.inf

    def _step(self, k: int) -> Floats:
        return self.points[k] - self.points[k - 1]

    def _gap(self, j: int) -> float:
        """Change of the step between two plain steps, the one before and the ``j``-th, over the way between their points."""
        before, after = self._plain[j - 1], self._plain[j]
        apart = self.points[after - 1] - self.points[before - 1]
        bend = self._step(after) - self._step(before)
        length = math.sqrt(apart @ apart)
        return math.sqrt(bend @ bend) / length if length > 0 else 1.0

    def _wait(self, judged: Curvature | None) -> int:
        """Steps until the curvature is worth another look: as many as the rate says, but not many more for a long run."""
        longest = len(self.trace) // 10 + 10
        if judged is None or not judged.decrement > DISTANCE or not 0 < judged.rate < 1:
            return longest
        return min(longest, math.ceil(math.log(DISTANCE / judged.decrement) / math.log(judged.rate)))

    @property
    def _returned(self) -> bool:
        """Whether the last point is one of those shortly before: what moves it is rounding, step by step or in a circle."""
        return any(np.array_equal(self.points[-1], other) for other in self.points[-LOOK_BACK:-1])

    def _at_rest(self, judged: Curvature) -> bool:
        """Whether the optimum is within `DISTANCE`; where there is none, whether the next step is rounding error."""
        # With 1e15 tosses the distance in standard errors is never small to rounding; then parameters that stand still are it.
        # So do those that return to where they were: what moves them is the rounding of a probability near 1.
        point, before = self.points[-1], self.points[-2]
        still = np.abs(point - before) <= 4 * EPSILON * np.maximum(self.mixture.unit, np.abs(point))
        if judged.decrement < DISTANCE or (judged.kind != "saddle" and bool(still.all())):
            return True
        if self._returned:
            return True
        if judged.kind != "saddle" and judged.rate > 1 - CREEPING:
            return judged.identified_decrement < DISTANCE and judged.step < STANDSTILL_CREEPING
        return judged.step < STANDSTILL
