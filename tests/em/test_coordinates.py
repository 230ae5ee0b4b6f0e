"""Coordinates of shares at their bounds: what is at one is found, and the others stay to each other as they are."""

from __future__ import annotations

import numpy as np
import pytest

from em.derived.coordinates import FARTHEST, Block, Coordinates

ROWS = np.array([[0.2, 0.3, 0.5], [1e-40, 0.2, 0.8], [1.0, 1e-30, 0.0]])
SPACE = Coordinates(
    (Block("shares", (3, 3), "simplex"), Block("mean", (), "identity"), Block("rate", (), "log", low=0.0))
)
AT = SPACE.of({"shares": ROWS, "mean": np.array(7.0), "rate": np.array(0.0)})


def test_a_share_off_its_bound_leaves_the_others_to_each_other() -> None:
    rows = SPACE.values(SPACE.off_bounds(AT))["shares"]
    np.testing.assert_allclose(rows[0], ROWS[0], rtol=1e-12)
    assert rows[1, 0] > 1e-25
    assert rows[1, 2] / rows[1, 1] == pytest.approx(4.0, rel=1e-12)


def test_what_is_at_a_bound_is_named_and_the_only_share_that_is_left_too() -> None:
    expected = [[False] * 3, [True, False, False], [True] * 3]
    np.testing.assert_array_equal(SPACE.at_bounds(AT), [*np.ravel(expected), False, True])


def test_ways_from_a_bound_move_what_is_inside_alone() -> None:
    x, ways = SPACE.off_bounds(AT), SPACE.ways(AT)
    # Two of the first row, one of the second, the mean.
    assert ways.shape == (len(x), 4)
    np.testing.assert_allclose(ways.T @ ways, np.eye(4), atol=1e-12)
    for way in ways.T:
        moved = SPACE.values(x + way)
        assert moved["shares"][1, 0] < 1e-15
        np.testing.assert_allclose(moved["shares"][2], [1, 0, 0], atol=1e-15)
        assert moved["rate"] < 1e-12


def test_two_shares_are_at_a_bound_where_their_coordinate_is() -> None:
    coins = Coordinates((Block("shares", (2,), "simplex"),))
    for far in (1 - 1e-9, 1 + 1e-9):
        x = np.array([far * FARTHEST])
        assert bool(coins.inside(x)[0]) == (far < 1)
        np.testing.assert_allclose(coins.off_bounds(x), [min(far, 1) * FARTHEST], rtol=1e-12)
