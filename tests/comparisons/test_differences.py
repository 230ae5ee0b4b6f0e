"""Central differences: right, and of points that are not all in memory at once."""

from __future__ import annotations

import numpy as np

from comparisons import differences
from comparisons.differences import central_gradient
from models.inputs import Floats


def test_gradients_of_many_points_are_asked_in_parts() -> None:
    f, asked = 30, []

    def cubes(x: Floats) -> Floats:
        asked.append(len(x))
        return np.asarray((x**3).sum(axis=1))

    x = np.random.default_rng(1).normal(size=(3000, f))
    np.testing.assert_allclose(central_gradient(cubes, x, np.ones(f)), 3 * x**2, atol=1e-7)
    assert sum(asked) == 2 * f * len(x)
    assert max(asked) * f**2 <= differences.AT_A_TIME


def test_a_single_point_is_asked_however_many_coordinates_it_has() -> None:
    x = np.random.default_rng(1).normal(size=(2, 200))
    found = central_gradient(lambda points: points.sum(axis=1), x, np.ones(200))
    np.testing.assert_allclose(found, 1.0, atol=1e-6)
