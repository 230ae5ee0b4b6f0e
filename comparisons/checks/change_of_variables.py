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
    """Nats between the log Jacobian of the model at ``x`` and the log determinant of its free numbers by ``x``; NaN for none."""
    step = np.cbrt(np.finfo(float).eps) * density.scale
    columns = []
    for j, h in enumerate(step):
        above, below = x.copy(), x.copy()
        above[j], below[j] = x[j] + h, x[j] - h
        # By the step that was really made: one that is added to a large number is rounded.
        columns.append(
            (_free_numbers(problem, density, above) - _free_numbers(problem, density, below)) / (above - below)[j]
        )
    matrix = np.stack(columns, axis=1)
    # Units apart, so that none of them under- or overflows.
    unit = np.abs(matrix).max(axis=1)
    log_determinant = np.linalg.slogdet(matrix / unit[:, None])[1] + np.log(unit).sum()
    return float(abs(density.parts(x)[2] - log_determinant))


def _free_numbers(problem: Problem, density: LogPosterior, x: Floats) -> Floats:
    """Each number that the declaration leaves free once, on its natural scale: what the densities are densities over."""
    return problem.free_numbers(density.natural(x))
