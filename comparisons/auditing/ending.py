"""Where somebody's EM begins and where it stops: a saddle, and what its rule leaves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from comparisons.auditing.record import Finding
from comparisons.pair import Values
from comparisons.pairs.ascent import Objective, Run, curvature, run
from comparisons.pairs.problem import PairProblem
from em.derived.coordinates import INSIDE

# Steps along EM's path at most, of which each start has its share, so that an audit takes no longer than a slow EM's first part.
MOST_STEPS = 1000
# Nats and standard errors that a rule may leave where it stops; units of the coordinates by which a
# saddle is left to see if it is one.
LEFT_NATS, LEFT_ERRORS, BESIDE = 1e-6, 1e-3, 0.1


def in_domain(problem: PairProblem, *, prior: bool) -> Objective:
    """What EM maximises, which is no number where a step left the parameters' domains: no function is asked for it there."""
    objective = problem.objective(prior=prior)

    def height(values: Values) -> float:
        if problem.space.outside(values) is not None:
            return float("nan")
        if problem.interior(values):
            return objective.height(values)
        try:
            return objective.height(values)
        except (ValueError, ArithmeticError):  # at a bound, as of a logarithm that refuses 0
            return float("nan")

    return replace(objective, height=height)


def ended(
    problem: PairProblem, began: Run | None, seed: int, looked: list[str], not_looked: list[str]
) -> Iterator[Finding]:
    """Where EM begins and stops, of the first run that ``began`` and was not lost: a saddle, and what the rule leaves."""
    objective = in_domain(problem, prior=False)
    if began is None:
        not_looked.append("where EM ends: from every start it comes to where its objective is no number")
        return
    if not began.ended:
        not_looked.append(f"where EM ends: it had not come there after {MOST_STEPS} steps")
        return
    looked.append("where EM begins and what its rule leaves")
    reached, free = began.path[-1], replace(objective, stop=None)
    beyond = began if problem.pair.stop is None else run(free, reached, MOST_STEPS)
    # A start at a saddle stays there, or leaves it by rounding alone.
    gains = np.diff(began.trace)
    rests = [beyond.path[-1], *began.path[1:2]] if len(gains) > 1 and gains[1] < LEFT_NATS else [beyond.path[-1]]
    for at in rests:
        judged = curvature(free, at)
        if judged.kind == "saddle" and _leaves(problem, free, at, seed):
            told = "EM started here ends at a saddle: components that are equal stay equal"
            if at is not beyond.path[-1]:
                told = "EM started here leaves a saddle by rounding alone: components that are equal stay equal"
            yield Finding("start", "", float("nan"), told, "a start at which all components are equal")
            return
    if problem.pair.stop is not None:
        nats, judged = beyond.trace[-1] - beyond.trace[0], curvature(free, reached)
        if nats > LEFT_NATS or judged.decrement > LEFT_ERRORS:
            left = f" and {judged.decrement:.3g} standard errors" if np.isfinite(judged.decrement) else ""
            told = f"the rule stops {nats:.3g} nats{left} short of the maximum, which {len(beyond.path) - 1} more steps reach"
            yield Finding("stop rule", "", nats, told, "a small step is taken for arrival")


def _leaves(problem: PairProblem, objective: Objective, at: Values, seed: int) -> bool:
    """Whether EM rises from a point beside, which it does not where it is on its way to a bound and nothing bends."""
    space, random = problem.space, np.random.default_rng(seed)
    x = space.off_bounds(space.of(at), INSIDE)
    beside = space.values(x + BESIDE * problem.units * random.normal(size=len(x)))
    return run(objective, beside, MOST_STEPS).trace[-1] > objective.height(at) + LEFT_NATS
