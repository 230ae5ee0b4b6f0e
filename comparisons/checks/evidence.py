"""What several checks look at: the curvature at a fit, the names of its parameters, the modes it knows."""

from __future__ import annotations

import dataclasses
from typing import Any

import em
from comparisons.engine_failures import failing
from comparisons.not_numbers import all_numbers
from comparisons.problem import Problem, em_densities
from comparisons.summary.adequacy import Modes
from em.uncertainty.curvature import Curvature, curvature

# Nats below the best mode at which another has a few percent of the posterior at most.
NEGLIGIBLE = 4.0


def names(problem: Problem) -> tuple[str, ...]:
    """Names of EM's full vector in the words of the comparison."""
    c = problem.comparison
    return (*(f"weights[{name}]" for name in c.components), *problem.family.vector_names(c))


def curvature_of(problem: Problem, prior: Any, fit: em.Fit[Any, Any]) -> Curvature | None:
    """Second-order picture at a fit, ``basis`` alone in the user's units; None where a component has collapsed."""
    if fit.status == "collapsed":
        return None
    # In the units of a fit, in which no power of the data's own unit is too large or too small for a double.
    mixture: Any = problem.mixture(prior, standardise=True)
    with failing("em"):
        judged = curvature(mixture, mixture.from_published(fit.parameters))
    basis, flat, slow = (mixture.by_feature(d) for d in (judged.basis, judged.flat_directions, judged.slow_directions))
    judged = dataclasses.replace(
        judged,
        basis=basis * mixture.vector_units[:, None],
        direction=mixture.by_feature(judged.direction[:, None])[:, 0],
        flat_directions=flat,
        slow_directions=slow,
    )
    # Where there is no maximum there is no distance to one.
    there = judged.kind in ("maximum", "boundary")
    all_numbers("em", "The curvature at EM's estimate", judged if there else dataclasses.replace(judged, decrement=0.0))
    # What is neither but almost is known to the fit alone: it has tried steps along it.
    if fit.status == "saddle" or (fit.status == "ridge" and judged.kind == "maximum"):
        return dataclasses.replace(judged, kind=fit.status)
    return judged


def modes(problem: Problem, map_fit: em.Fit[Any, Any]) -> Modes:
    """The modes that MAP-EM knows: a ridge of them, or regular ones that are not negligibly lower than the best."""
    if map_fit.status == "ridge":
        return "ridge"
    heights = [sum(em_densities(problem, m.parameters)) for m in map_fit.modes if m.regular]
    return "several" if heights and sum(height > max(heights) - NEGLIGIBLE for height in heights) > 1 else "one"
