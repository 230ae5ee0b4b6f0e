"""What several checks look at: the curvature at a fit, and the modes it knows."""

from __future__ import annotations

import dataclasses

import numpy as np

from comparisons.engine_failures import EngineFailure, failing
from comparisons.not_numbers import all_numbers
from comparisons.problem import Fit, Prior, Problem, em_densities
from comparisons.summary.adequacy import Modes
from em.uncertainty.curvature import Curvature

# Nats below the best mode at which another has a few percent of the posterior at most.
NEGLIGIBLE = 4.0


def curvature_of(problem: Problem, prior: Prior | None, fit: Fit) -> Curvature | None:
    """Second-order picture at a fit, ``basis`` alone in the user's units.

    None where a component has collapsed, and so far towards a bound without a point that derivatives have no digits, as of gates
    at infinity.
    """
    if fit.status == "collapsed":
        return None
    try:
        with failing("em"):
            judged = problem.curvature(prior, fit.parameters)
    except EngineFailure as failure:
        if fit.status == "boundary" and isinstance(failure.__cause__, np.linalg.LinAlgError):
            return None
        raise
    if judged is None:
        return None
    # Where there is no maximum there is no distance to one.
    there = judged.kind in ("maximum", "boundary")
    all_numbers("em", "The curvature at EM's estimate", judged if there else dataclasses.replace(judged, decrement=0.0))
    # What is neither but almost is known to the fit alone: it has tried steps along it.
    if fit.status == "saddle" or (fit.status == "ridge" and judged.kind == "maximum"):
        return dataclasses.replace(judged, kind=fit.status)
    return judged


def modes(problem: Problem, map_fit: Fit) -> Modes:
    """The modes that MAP-EM knows: a ridge of them, or regular ones that are not negligibly lower than the best."""
    if map_fit.status == "ridge":
        return "ridge"
    heights = [sum(em_densities(problem, m.parameters)) for m in map_fit.modes if m.regular]
    return "several" if heights and sum(height > max(heights) - NEGLIGIBLE for height in heights) > 1 else "one"
