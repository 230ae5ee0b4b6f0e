"""The objective maximised with one quantity held: Newton steps with exact derivatives, in coordinates without bounds.

Maximise ``l(x)`` subject to ``q(x) = c``, where ``x`` are log ratios of weights, logits, means and logarithms of Cholesky
diagonals. With ``g`` and ``a`` the gradients of both and ``Z`` a basis of the directions orthogonal to ``a``, a step is

    Z (Z' W Z)^-1 Z' g,    W = -(d2 l - lambda d2 q),   lambda = dl/dq the multiplier,

with negative curvature turned round, halved until the objective rises, and led back to ``q(x) = c`` exactly.

Components that the model cannot tell apart keep their order: where the maximum would exchange two of them, they are held
equal in what orders them, as the maximum over ordered parameters asks. Source: Nocedal & Wright (2006), Numerical
Optimization, ch. 15 and 18.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from em.mixture import EPSILON, Mixture, evaluated
from em.search.collapse import collapsed
from em.uncertainty.curvature import derivatives
from em.uncertainty.quantities import FAR
from models.inputs import Floats

# Squared distance to the maximum in standard errors, twice the nats that are missing: far below what moves an interval.
NEAR = 1e-9
# Newton needs a handful; along a nuisance parameter that goes to its bound it takes one step for every factor e.
MAX_STEPS = 80
MAX_HALVINGS = 40
# Relative information below which a direction is flat, as in `em.uncertainty.curvature`.
FLAT = 1e-8
# Where moving a coordinate by 1 moves no parameter by this, and all data know less of it than 1 (of a coin: an expected toss on
# its rarer side), it is at a bound and sees no gradient: it is put back to 12, a probability of 6e-6, whence it finds its way.
ASLEEP, KNOWN, AWAKE = 1e-5, 1.0, 12.0
# Rounding of the logit of a probability that is 1e-10 from 1, and at most that of one nearer to it.
ROUNDED, COARSEST = 1e-5, 1.0
# Relative step of the differences of an analytic Jacobian, and how many numbers of such Jacobians are held at once.
DIFFERENCE = 1e-6
AT_ONCE = 2**22

# Value of a quantity on a scale without bounds, and its gradient ``(p,)`` there, by the full vector.
type Held = Callable[[Floats], tuple[float, Floats]]


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """A maximum with the quantity held.

    Attributes
    ----------
    x, vector : unbounded coordinates ``(f,)`` and full vector ``(p,)``
    value : the objective, nats
    slope : multiplier, derivative of the maximised objective by the held quantity; 0 where none is held
    spread : ``(f, f)`` inverse of the curvature there, all eigenvalues made positive
    equal : pairs of components held equal in what orders them
    """

    x: Floats
    vector: Floats
    value: float
    slope: float
    spread: Floats
    equal: frozenset[tuple[int, int]]


@dataclass(frozen=True, slots=True, eq=False)
class _Local:
    """The objective to second order at a point, and the constraints there."""

    vector: Floats
    gradient: Floats
    curvature: Floats
    complete: Floats
    rows: Floats
    multipliers: Floats


@dataclass(slots=True, eq=False)
class ConstrainedMaximum:
    """The constrained problem of one mixture and, where ``held`` is given, one quantity.

    Attributes
    ----------
    order : pairs of places in the full vector, of which the first is not to exceed the second
    """

    mixture: Mixture[Any, Any]
    held: Held | None
    order: list[tuple[int, int]] = field(default_factory=list)

    def maximise(self, x: Floats, target: float = 0.0, equal: frozenset[tuple[int, int]] = frozenset()) -> Point:
        """Maximise from ``x`` with the quantity at ``target``.

        Raises
        ------
        FloatingPointError, numpy.linalg.LinAlgError
            where the parameters do not exist, or a component has collapsed
        """
        equal |= self._exchanged(self._vector(x))
        for _ in range(2 * len(self.order) + 2):
            point, multipliers = self._climb(x, target, equal)
            exchanged = self._exchanged(point.vector) - equal
            # Held equal while the objective rises towards their order: they come apart.
            apart = {pair for pair, m in zip(sorted(equal), multipliers, strict=True) if m < -1e-7}
            if not exchanged and not apart:
                break
            x, equal = (x, equal | exchanged) if exchanged else (point.x, equal - apart)
        return point

    def _climb(self, x: Floats, target: float, equal: frozenset[tuple[int, int]]) -> tuple[Point, Floats]:
        """Newton steps to the maximum, and the multipliers of the pairs held equal."""
        x = self._restored(self._awake(x), target, equal)
        value = self._value(x)
        if not np.isfinite(value):
            raise FloatingPointError("the data are impossible here")
        near = max(NEAR, 64 * np.finfo(float).eps * abs(value))
        bend: Floats | None = None
        for count in range(MAX_STEPS):
            # What coordinates and constraints bring in costs as much as all else, and changes little in the first step.
            local, bend = self._local(x, equal, bend if count == 1 else None)
            m = len(local.rows)
            across = np.linalg.qr(local.rows.T, mode="complete")[0][:, m:]
            inverse = _positive_inverse(across.T @ local.curvature @ across, across.T @ local.complete @ across)
            slope = across.T @ local.gradient
            step = across @ (inverse @ slope)
            gain = float(slope @ inverse @ slope)
            if not gain > near:
                break
            found = self._uphill(x, value, step, gain, target, equal)
            if found is None:  # nothing to gain but rounding
                break
            x, value = found
            if self.held is not None and collapsed(self.mixture, self._parameters(x)):
                raise FloatingPointError("a component collapses")
        n = 0 if self.held is None else 1
        slope_of_held = float(local.multipliers[0]) if n else 0.0
        spread = _positive_inverse(local.curvature, local.complete)
        return Point(x, local.vector, value, slope_of_held, spread, equal), local.multipliers[n:]

    def _uphill(
        self, x: Floats, value: float, step: Floats, gain: float, target: float, equal: frozenset[tuple[int, int]]
    ) -> tuple[Floats, float] | None:
        """Halve the step until the objective rises by a share of what the step promises."""
        length = 1.0
        for _ in range(MAX_HALVINGS):
            try:
                there = self._restored(x + length * step, target, equal)
                risen = self._value(there)
            except (FloatingPointError, np.linalg.LinAlgError):
                risen = -np.inf
            if risen > value + 1e-4 * length * gain:
                return there, risen
            length /= 2
        return None

    def _local(self, x: Floats, equal: frozenset[tuple[int, int]], bend: Floats | None) -> tuple[_Local, Floats]:
        vector, jacobian = self.mixture.from_coordinates(x, unbounded=True)
        gradient, hessian, complete = derivatives(self.mixture, self.mixture.from_vector(vector))
        rows = self._rows(vector, jacobian, equal)[1]
        multipliers = np.linalg.lstsq(rows.T, jacobian.T @ gradient, rcond=1e-14)[0]
        if bend is None:
            bend = self._bend(x, equal, gradient, multipliers)
        curvature = -(jacobian.T @ hessian @ jacobian + bend)
        complete = jacobian.T @ np.where(np.isfinite(complete), complete, 0.0) @ jacobian
        return _Local(vector, jacobian.T @ gradient, curvature, complete, rows, multipliers), bend

    def _bend(self, x: Floats, equal: frozenset[tuple[int, int]], gradient: Floats, multipliers: Floats) -> Floats:
        """Second derivatives that coordinates and constraints bring in, ``(f, f)``: analytic first ones, differenced."""
        f, p = len(x), len(gradient)
        points = np.vstack([x, x + np.diag(DIFFERENCE * np.maximum(1.0, np.abs(x)))])
        first = np.empty((f + 1, f))
        for some in np.array_split(np.arange(f + 1), (f + 1) * p * f // AT_ONCE + 1):
            vectors, jacobians = self.mixture.from_coordinates(points[some], unbounded=True)
            first[some] = gradient @ jacobians
            if len(multipliers):
                for j, vector, jacobian in zip(some, vectors, jacobians, strict=True):
                    first[j] -= multipliers @ self._rows(vector, jacobian, equal)[1]
        bend = (first[1:] - first[0]) / np.diag(points[1:] - x)[:, None]
        return np.asarray(0.5 * (bend + bend.T))

    def _rows(self, vector: Floats, jacobian: Floats, equal: frozenset[tuple[int, int]]) -> tuple[Floats, Floats]:
        """What is held, ``(m,)``, and its gradients ``(m, f)``: the quantity first, then differences held at 0."""
        values, rows = [], []
        if self.held is not None:
            value, slope = self.held(vector)
            values.append(value)
            rows.append(slope @ jacobian)
        for low, high in sorted(equal):
            values.append(vector[low] - vector[high])
            rows.append(jacobian[low] - jacobian[high])
        return np.array(values), np.array(rows).reshape(len(values), jacobian.shape[1])

    def _restored(self, x: Floats, target: float, equal: frozenset[tuple[int, int]]) -> Floats:
        """The point near ``x`` where the constraints hold, by Newton steps along their gradients."""
        m = (self.held is not None) + len(equal)
        targets = np.zeros(m)
        targets[: 1 if self.held is not None else 0] = target
        before, rounded = np.inf, max(ROUNDED, min(4 * EPSILON * float(np.exp(min(abs(target), FAR))), COARSEST))
        for _ in range(20 if m else 0):
            values, rows = self._rows(*self.mixture.from_coordinates(x, unbounded=True), equal)
            sizes = np.maximum(np.linalg.norm(rows, axis=1), 1e-300)
            missing = (targets - values) / sizes
            size = float(np.abs(missing).max())
            # Near a bound the quantity itself is rounded; then it is held where it comes no closer.
            if size <= 1e-12 * max(1.0, float(np.abs(x).max())) or before <= size < rounded:
                return x
            before = size
            x = x + np.linalg.lstsq(rows / sizes[:, None], missing, rcond=1e-12)[0]
        if m:
            raise FloatingPointError("the quantity cannot be held at this value from here")
        return x

    def _awake(self, x: Floats) -> Floats:
        vector, jacobian = self.mixture.from_coordinates(x, unbounded=True)
        asleep = np.abs(jacobian).max(axis=0) < ASLEEP
        if not asleep.any():
            return x
        complete = derivatives(self.mixture, self.mixture.from_vector(vector))[2]
        known = np.diag(jacobian.T @ np.where(np.isfinite(complete), complete, 0.0) @ jacobian)
        return np.where(asleep & (known < KNOWN), np.clip(x, -AWAKE, AWAKE), x)

    def _vector(self, x: Floats) -> Floats:
        return self.mixture.from_coordinates(x, unbounded=True)[0]

    def _parameters(self, x: Floats) -> Any:
        return self.mixture.from_vector(self._vector(x))

    def _value(self, x: Floats) -> float:
        value = float(evaluated(self.mixture, self._parameters(x))[1])
        return value if np.isfinite(value) else -np.inf

    def _exchanged(self, vector: Floats) -> frozenset[tuple[int, int]]:
        """Pairs that are out of order, beyond rounding."""
        return frozenset((a, b) for a, b in self.order if vector[a] - vector[b] > 1e-10 * max(1.0, abs(vector[a])))


def _positive_inverse(matrix: Floats, reference: Floats) -> Floats:
    """Inverse with every eigenvalue, relative to the complete-data information, made positive and kept off 0."""
    sizes = np.abs(np.diag(reference))
    unit = 1 / np.sqrt(np.maximum(np.where(sizes > 0, sizes, 1.0), np.finfo(float).tiny))
    values, vectors = np.linalg.eigh(matrix * unit * unit[:, None])
    turned = unit[:, None] * vectors
    return np.asarray((turned / np.maximum(np.abs(values), FLAT)) @ turned.T)
