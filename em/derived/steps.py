"""The steps of a derived EM: an exact E-step by enumeration, an M-step in closed form or by a quasi-Newton method.

A parameter's M-step is in closed form where Q is one of four functions of it, whatever the other parameters are: shares w of a
whole with sum c_k log w_k, a probability with a log p + b log(1 - p), a positive number with a log x - b x, a real one with
a x - b x^2 / 2. These are the conjugate factors: Dirichlet with categories, beta with coins, gamma with counts and waits,
normal with means of known spread. Which parameters are of them is seen from Q's derivatives at random points, and a and b are
solved from its derivatives at two. All others are moved together by quasi-Newton methods on exact derivatives, in coordinates
without bounds but without their Jacobian, so that the mode is that of the density on the natural scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.special import logsumexp

from em.derived.coordinates import Block
from em.derived.densities import Densities, Values
from models.inputs import Floats

# Places at which derivatives are taken, of a probability; of a positive number times its value, of a real one more than it.
PLACES, FACTORS, MOVED = (0.3, 0.6), (1.0, 2.0), (0.0, 1.0)
# Relative difference of coefficients that is rounding, and random points at which they are compared.
SAME, TRIED = 1e-7, 3
# How near to a bound a parameter is led.
NEAREST = 1e-14
# Q may fall by rounding, relative to its size.
ROUNDING = 1e-13
# Derivative by a coordinate at which BFGS stops, and relative precision of the polished end; steps at most.
SLOPE, END, MOST_STEPS = 1e-8, 1e-13, 500


class NoDerivatives(ValueError):
    """A point from which no M-step is to be had: the density has a value there and no derivatives."""


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """Parameters with what the E-step finds there.

    Attributes
    ----------
    shares : responsibilities ``(K, n)`` of each table
    log_likelihood, log_prior : in nats
    """

    values: Values
    shares: list[Floats]
    log_likelihood: float
    log_prior: float


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """E- and M-step of a program, by maximum likelihood or, with ``prior``, for the posterior mode.

    Attributes
    ----------
    closed : by ``prior`` the names of the parameters whose M-step is in closed form
    """

    densities: Densities
    closed: dict[bool, tuple[str, ...]] = field(default_factory=dict)

    def at(self, values: Values) -> Point:
        """E-step: exact, by enumeration. Where the data have no density the log-likelihood is -inf, or NaN."""
        known = self._known(values)
        with np.errstate(invalid="ignore", divide="ignore"):
            totals = [logsumexp(table, axis=0) for table in known.tables]
            shares = [np.exp(table - total) for table, total in zip(known.tables, totals, strict=True)]
        likelihood = float(sum(total.sum() for total in totals)) + known.rest
        return Point(values, shares, likelihood, known.prior)

    def tables(self, values: Values) -> list[Floats]:
        """Joint log densities ``(K, n)`` of the states and entries of each group."""
        tables: list[Floats] = self._known(values).tables
        return tables

    def _known(self, values: Values) -> Any:
        return self.densities.at(values, [np.zeros(shape) for shape in self.densities.shapes], prior=True)

    def m_step(self, shares: Sequence[Floats], start: Values, *, prior: bool, near: bool = False) -> Values:
        """Maximise Q from ``start``, where it never ends lower; ``near`` whether the start is near the maximum, as in a run."""
        space, closed = self.densities.space, self.closed[prior]
        values = {name: np.array(start[name], dtype=float) for name in space.names}
        if closed:
            values |= self._conjugate(shares, values, prior=prior)
        if len(closed) < len(space.names):
            values = self._quasi_newton(shares, values, prior, near)
        before, after = (self.densities.at(v, shares, prior=prior).height for v in (start, values))
        return values if after >= before - ROUNDING * max(1.0, abs(before)) else dict(start)

    def _quasi_newton(self, shares: Sequence[Floats], start: Values, prior: bool, near: bool) -> Values:
        """Powell's hybrid method to where the derivatives vanish; from afar, or where that is not higher, BFGS before it."""
        from scipy.optimize import minimize, root

        space, closed = self.densities.space, self.closed[prior]
        x = space.off_bounds(space.of(start))
        kept = np.concatenate([np.full(block.free, block.name not in closed) for block in space.blocks])

        def values_at(free: Floats) -> tuple[Values, Floats]:
            moved = x.copy()
            moved[kept] = free
            moved = space.off_bounds(moved)
            return space.values(moved) | {name: start[name] for name in closed}, moved

        def minus(free: Floats) -> tuple[float, Floats]:
            values, moved = values_at(free)
            known = self.densities.at(values, shares, prior=prior)
            if not np.isfinite(known.height):
                return np.inf, np.zeros(len(free))
            return -known.height, -space.pulled(moved, known.gradient)[kept]

        def slopes(free: Floats) -> Any:
            return minus(free)[1]

        def polished(free: Floats, value: float, steepest: float) -> Floats | None:
            end: Floats = root(slopes, free, method="hybr", options={"xtol": END}).x
            reached, left = minus(end)
            higher = reached <= value + ROUNDING * max(1.0, abs(value))
            return end if higher and np.abs(left).max() < steepest else None

        first, slope = minus(x[kept])
        if np.isfinite(first) and not np.isfinite(slope).all():
            raise NoDerivatives(
                "Q is finite, but its derivatives are not: a state gives a parameter no part in the density but divides by it; "
                "write that state apart, as by pm.math.switch(z, rate, 1e-10) in place of z * rate"
            )
        with np.errstate(all="ignore"):
            # The method may give up on its way, higher and less steep than at the start, which is no maximum.
            if near and (end := polished(x[kept], first, SLOPE)) is not None:
                return values_at(end)[0]
            found = minimize(minus, x[kept], jac=True, method="BFGS", options={"gtol": SLOPE, "maxiter": MOST_STEPS})
            end = polished(found.x, found.fun, float(np.abs(minus(found.x)[1]).max()))
        return values_at(found.x if end is None else end)[0]

    def _conjugate(self, shares: Sequence[Floats], start: Values, *, prior: bool) -> Values:
        """The M-step of the parameters that have one in closed form."""
        found = {}
        blocks = {block.name: block for block in self.densities.space.blocks}
        places = [{name: _placed(blocks[name], start[name], k) for name in self.closed[prior]} for k in (0, 1)]
        for name, (a, b) in self.coefficients(shares, start, places, prior=prior).items():
            block = blocks[name]
            with np.errstate(divide="ignore", invalid="ignore"):
                if block.kind == "simplex":
                    best = np.maximum(a, 0.0) / np.maximum(a, 0.0).sum(axis=-1, keepdims=True)
                elif block.kind == "logit":
                    best = np.clip(a / (a + b), 0.0, 1.0)
                else:
                    best = a / b if block.kind == "identity" else np.maximum(a, 0.0) / b
            # What no data and no prior speak of stays where it is.
            found[name] = np.where(np.isfinite(best), best, start[name])
        return self.off_bounds(found)

    def off_bounds(self, values: Values) -> Values:
        """Parameters no nearer to a bound than the coordinates reach."""
        told = {}
        for block in self.densities.space.blocks:
            if block.name in values:
                each = np.asarray(values[block.name])
                if block.kind in ("logit", "simplex"):
                    near = NEAREST * (block.high - block.low)
                    each = np.clip(each, block.low + near, block.high - near)
                    each = each / each.sum(axis=-1, keepdims=True) if block.kind == "simplex" else each
                elif block.kind == "log":
                    each = np.maximum(each, block.low + NEAREST)
                told[block.name] = each
        return told

    def coefficients(
        self, shares: Sequence[Floats], start: Values, places: Sequence[Values], *, prior: bool
    ) -> dict[str, tuple[Floats, Floats]]:
        """By parameter ``a`` and ``b`` as they follow from the derivatives at two places, were Q such a function of it."""
        space, told = self.densities.space, []
        for place in places:
            told.append(space.by_name(self.densities.at(start | place, shares, prior=prior).gradient))
        first, second = places
        return {
            block.name: _solved(block, first[block.name], told[0][block.name], second[block.name], told[1][block.name])
            for block in space.blocks
            if block.name in first
        }


def _placed(block: Block, value: Floats, second: int) -> Floats:
    """Where a derivative is taken."""
    if block.kind == "simplex":
        tilted = np.arange(1.0, block.shape[-1] + 1) ** second
        return np.broadcast_to(tilted / tilted.sum(), block.shape)
    if block.kind == "logit":
        return np.full(block.shape, PLACES[second])
    if block.kind == "log":
        return np.asarray(FACTORS[second] * np.maximum(value, NEAREST))
    return np.asarray(value + MOVED[second])


def _solved(block: Block, x: Floats, at_x: Floats, y: Floats, at_y: Floats) -> tuple[Floats, Floats]:
    """The two numbers that two derivatives tell; of shares the numbers at either place, which have to be the same."""
    if block.kind == "simplex":
        return x * at_x, y * at_y
    if block.kind == "logit":
        a = (at_x * (1 - x) - at_y * (1 - y)) / ((1 - x) / x - (1 - y) / y)
        return a, (a / x - at_x) * (1 - x)
    if block.kind == "log":
        a = (at_x - at_y) / (1 / x - 1 / y)
        return a, a / x - at_x
    b = (at_x - at_y) / (y - x)
    return at_x + b * x, b


def steps_of(densities: Densities) -> Steps:
    """See which parameters have an M-step in closed form."""
    steps, random, space = Steps(densities), np.random.default_rng(1), densities.space
    blocks = {block.name: block for block in space.blocks}
    candidates = [
        block.name
        for block in space.blocks
        if not (block.kind == "logit" and (block.low, block.high) != (0, 1))
        and not (block.kind == "log" and block.low != 0)
    ]

    def drawn() -> Values:
        return space.values(0.5 * random.normal(size=space.size))

    for prior in (False, True):
        shares, told = steps.at(drawn()).shares, []
        for _ in range(TRIED):
            start, first, second = drawn(), drawn(), drawn()
            told.append(
                {
                    name: steps.coefficients(shares, start, [{name: first[name]}, {name: second[name]}], prior=prior)[
                        name
                    ]
                    for name in candidates
                }
            )
        steps.closed[prior] = tuple(name for name in candidates if _are_same([t[name] for t in told], blocks[name]))
    return steps


def _are_same(told: Sequence[tuple[Floats, Floats]], block: Block) -> bool:
    """Whether coefficients are the same wherever they were taken, and have a maximum."""
    numbers: Any = np.array([np.stack(each) for each in told])
    if block.kind == "simplex":
        numbers = numbers.reshape(-1, *block.shape)
    with np.errstate(invalid="ignore"):
        same = np.abs(numbers - numbers[0]) <= SAME * np.maximum(1.0, np.abs(numbers).max())
    return bool(same.all() and np.isfinite(numbers).all())
