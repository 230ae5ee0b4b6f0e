"""What an M-step maximises, the expected complete-data log density, and how far a point is from where it is largest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from comparisons.auditing.latent import Latent
from comparisons.pair import Values
from comparisons.pairs.ascent import FLAT, Objective
from comparisons.pairs.problem import PairProblem
from em.derived.coordinates import INSIDE
from em.differences import Function, along_axes, expanded, maximised, right_steps
from models.inputs import Floats, Integers

# Complete-data standard errors by which a step may miss the maximum: differences are right to a hundredth of that.
SAME_STEP = 1e-5
# Steps of differences, in complete-data standard errors, and where they are sought from.
STEP, SOUGHT_FROM = 0.01, 0.05
# Share of the information on a parameter below which a function knows next to nothing of it.
KNOWS = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """What an M-step maximises: the expected complete-data log density at parameters, given what the E-step found.

    Attributes
    ----------
    problem : the pair with its data
    latent : the components of its rows; None where ``complete`` of the pair is used, or nothing
    """

    problem: PairProblem
    latent: Latent | None

    def height(self, values: Values, found: Any) -> float:
        """Of parameters, given responsibilities or what the pair's own E-step returned."""
        if "complete" in self.problem.functions:
            return float(self.problem.functions["complete"](values, found))
        assert self.latent is not None
        return self.latent.expected(values, found)

    def by(self, found: Any, *, prior: float = 0.0, jacobian: float = 0.0) -> Callable[[Values], float]:
        """The function of the parameters, with so many log priors and log Jacobians added."""
        space = self.problem.space

        def told(values: Values) -> float:
            height = self.height(values, found)
            if prior:
                height += prior * self.problem.log_prior(values)
            return height + (jacobian * float(space.log_jacobian(space.of(values))) if jacobian else 0.0)

        return told

    def exists(self, found: Any, at: Values, *, prior: float) -> bool:
        """Whether the function is finite; False only at a bound, as at a variance of 0, where no point near it says anything."""
        space = self.problem.space
        return bool(space.inside(space.of(at)).all() or np.isfinite(self.by(found, prior=prior)(at)))

    def best(self, found: Any, start: Values, *, prior: float = 0.0) -> Values:
        """Where that is largest."""
        space = self.problem.space
        x = space.off_bounds(space.of(start), INSIDE)
        of = objective_of(self.problem, self.by(found, prior=prior)).of(x)
        rows, steps = np.array([float(self.problem.n)]), SOUGHT_FROM * self.problem.units[:, None]
        return space.values(maximised(lambda _: of, x[:, None], rows, steps)[:, 0])

    def level(self, found: Any, start: Values, *, prior: float = 0.0) -> bool:
        """Whether the function is level where it is largest, but for rounding, along some direction.

        So it is of a line through one row: where a step goes along that direction is for rounding to say.
        """
        heights, where, steps, _ = self._around(self.by(found, prior=prior), self.best(found, start, prior=prior))
        second = expanded(heights, where, steps)[2][..., 0]
        unit = 1 / np.sqrt(np.maximum(np.abs(np.diag(second)), np.finfo(float).tiny))
        scaled = second * unit * unit[:, None]
        return bool(np.isfinite(scaled).all() and np.abs(np.linalg.eigvalsh(scaled)).min(initial=np.inf) < FLAT)

    def slopes(
        self, found: Any, at: Values, steps: Floats | None = None, *, prior: float = 0.0, jacobian: float = 0.0
    ) -> tuple[dict[str, float], Floats]:
        """By parameter how far the function is from level at a point, in complete-data standard errors, and the steps taken."""
        slopes, curved, steps = self._second_order(self.by(found, prior=prior, jacobian=jacobian), at, steps)
        with np.errstate(divide="ignore", invalid="ignore"):
            apart = np.where(np.abs(slopes) > SAME_STEP * np.sqrt(curved), np.abs(slopes) / np.sqrt(curved), 0.0)
        return self._by_name(apart), steps

    def missed(
        self, found: Any, right: Any, at: Values, *, prior: float = 0.0, jacobian: float = 0.0, asked: float = 0.0
    ) -> dict[str, float]:
        """By parameter how far a point is from where the function is largest, in the unit of what is ``right`` there.

        By its own curvature: what knows next to nothing of a parameter is level in it everywhere. Infinite where it does so.
        """
        slopes, curved, steps = self._second_order(self.by(right, prior=asked), at)
        slope, curve, _ = self._second_order(self.by(found, prior=prior, jacobian=jacobian), at, steps)
        level = (np.abs(slopes) <= SAME_STEP * np.sqrt(curved)) & (np.abs(slope) <= SAME_STEP * np.sqrt(curve))
        with np.errstate(divide="ignore", invalid="ignore"):
            apart = np.where(curve > KNOWS * curved, np.abs(slope) / curve * np.sqrt(curved), np.inf)
        return self._by_name(np.where(level, 0.0, apart))

    def off(self, found: Any, at: Values, start: Values, *, prior: float) -> dict[str, float]:
        """By parameter how far a point is from where the function is largest, sought from ``start``, in the same unit.

        A parameter that stands right beside others that do not has no slope there, or no way to go.
        """
        space = self.problem.space
        sloping = self.slopes(found, at, prior=prior)[0]
        right = self.best(found, start, prior=prior)
        curved = self._second_order(self.by(found, prior=prior), right)[1]
        apart = self._by_name(np.abs(space.of(at) - space.of(right)) * np.sqrt(curved))
        return {name: distance if sloping[name] else 0.0 for name, distance in apart.items()}

    def _by_name(self, apart: Floats) -> dict[str, float]:
        """The largest of each parameter's coordinates."""
        space = self.problem.space
        parts = np.split(np.nan_to_num(apart, nan=np.inf), np.cumsum([block.free for block in space.blocks])[:-1])
        return {name: float(part.max(initial=0.0)) for name, part in zip(space.names, parts, strict=True)}

    def _around(
        self, of: Callable[[Values], float], at: Values, steps: Floats | None = None
    ) -> tuple[Function, Floats, Floats, Integers]:
        """A function by the coordinates at no bound, the point in these ``(q, 1)``, steps of differences, and which they are."""
        space = self.problem.space
        x = space.of(at)
        inside = np.flatnonzero(space.inside(x))
        x = space.off_bounds(x)
        heights, where = objective_of(self.problem, of).of(x, np.eye(len(x))[:, inside]), x[inside][:, None]
        if steps is None:
            steps = right_steps(heights, where, np.ones(1), SOUGHT_FROM * self.problem.units[inside, None], STEP)
        return heights, where, steps, inside

    def _second_order(
        self, of: Callable[[Values], float], at: Values, steps: Floats | None = None
    ) -> tuple[Floats, Floats, Floats]:
        """Slopes and curvatures ``(f,)`` along the coordinates, 0 along those at a bound, and the steps of differences."""
        heights, where, steps, inside = self._around(of, at, steps)
        height, first, second = along_axes(heights, where, steps)
        slopes, curved = np.zeros(len(self.problem.units)), np.zeros(len(self.problem.units))
        slope = first / steps
        if (np.abs(first) > SAME_STEP * np.sqrt(np.abs(second))).any():
            # Of steps half as long a slope is the same, and what bends beyond their order leaves a small part of itself.
            again = along_axes(heights, where, steps / 2)[1] / (steps / 2)
            slope = np.where(np.abs(again) < np.abs(slope), again, slope)
        slopes[inside] = slope[:, 0]
        # What is level but for rounding has a slope and a curvature of rounding, whose ratio says nothing.
        rounded = np.finfo(float).eps * max(1.0, abs(float(height[0])))
        curved[inside] = (np.abs(second[:, 0]) + rounded) / steps[:, 0] ** 2
        return slopes, curved, steps


def objective_of(problem: PairProblem, of: Callable[[Values], float]) -> Objective:
    """A function of the parameters, which no step of EM's maximises."""
    return replace(problem.objective(prior=False), height=of, step=None, stop=None)
