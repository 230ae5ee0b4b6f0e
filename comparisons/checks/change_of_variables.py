"""The change of variables of a PyMC model: the log Jacobian that it counts, beside the determinant of what it does.

A sampler moves in unconstrained coordinates, so a Jacobian that is wrong or missing makes it draw from another posterior,
while the density on the natural scale, which optimisers see, is right.
"""

from __future__ import annotations

import numpy as np

from comparisons.problem import Problem
from models import LogPosterior
from models.inputs import Floats

# Nats. Central differences of smooth maps of unit scale are right to ten digits, their log determinant to nine; what is left
# out of a Jacobian changes by tenths from one point to the next.
SAME_JACOBIAN = 1e-6


def jacobian_error(problem: Problem, density: LogPosterior, x: Floats) -> float:
    """Nats between the log Jacobian of the model at ``x`` and the log determinant of its free numbers by ``x``; NaN for none.

    What numbers far from 0, as means of years, lose to rounding between two points of a difference counts for nothing.
    """
    step = np.cbrt(np.finfo(float).eps) * density.scale
    columns, lost = [], []
    for j, h in enumerate(step):
        above, below = x.copy(), x.copy()
        above[j], below[j] = x[j] + h, x[j] - h
        # By the step that was really made: one that is added to a large number is rounded.
        ends = [_free_numbers(problem, density, end) for end in (above, below)]
        columns.append((ends[0] - ends[1]) / (above - below)[j])
        lost.append(np.finfo(float).eps * np.abs(ends[0]) / h)
    matrix = np.stack(columns, axis=1)
    # Units apart, so that none of them under- or overflows.
    unit = np.abs(matrix).max(axis=1)
    log_determinant = np.linalg.slogdet(matrix / unit[:, None])[1] + np.log(unit).sum()
    rounding = (np.stack(lost, axis=1) / unit[:, None]).max(axis=1).sum()
    return float(np.maximum(abs(density.parts(x)[2] - log_determinant) - rounding, 0.0))


def _free_numbers(problem: Problem, density: LogPosterior, x: Floats) -> Floats:
    """Each number that the declaration leaves free once, on its natural scale: what the densities are densities over."""
    return problem.free_numbers(density.natural(x))
