"""Central differences of a function of many points at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from models.inputs import Floats

# Step of central differences, of log densities of order 100 by coordinates of order 1: ten digits are left. Where a posterior
# is narrower than a hundredth, this share of how far it reaches.
STEP, SHARE = 1e-5, 1e-3
# Below this, relative to the coordinate, there is only rounding.
LEAST_REACH = 1e-12
# Numbers in memory at a time, of a function that has a matrix of coordinates for each point.
AT_A_TIME = 4_000_000


def central_gradient(function: Callable[[Floats], Floats], x: Floats, reach: Floats) -> Floats:
    """``(m, f)`` gradients of a function of points at the points ``(m, f)``, of which many are asked at once.

    ``reach`` ``(f,)`` is how far each coordinate may move before the function changes much.
    """
    f = x.shape[1]
    step, some = np.minimum(STEP, SHARE * reach), max(AT_A_TIME // (2 * f**3), 1)
    moves = np.concatenate([np.diag(step), -np.diag(step)])
    blocks = (x[first : first + some, None] + moves for first in range(0, len(x), some))
    values = np.concatenate([function(points.reshape(-1, f)) for points in blocks]).reshape(len(x), 2, f)
    return np.asarray((values[:, 0] - values[:, 1]) / (2 * step))


def reach_of(function: Callable[[Floats], Floats], x: Floats) -> Floats:
    """``(f,)`` how far each coordinate may move from ``x`` until the function changes by about 1; 1 at most, to a factor of 4."""
    reach = np.ones(len(x))
    here = function(x[None])[0]
    with np.errstate(invalid="ignore"):
        while True:
            moved = function(np.concatenate([x + np.diag(reach), x - np.diag(reach)])) - here
            far = ~(np.abs(moved).reshape(2, -1) < 1).all(axis=0) & (reach > LEAST_REACH * np.maximum(1.0, np.abs(x)))
            if not far.any():
                return reach
            reach[far] /= 4
