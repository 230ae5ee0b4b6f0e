"""Claims about sums over the whole numbers below a count, which densities of overdispersed counts are made of."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from em.rising import NODES, Rising, rule


@pytest.mark.parametrize("many", [5, NODES, NODES + 1, 40, 5000])
def test_a_rule_sums_polynomials_of_twice_its_degrees(many: int) -> None:
    nodes, weights = rule(7, many)
    r = np.arange(7, 7 + many)
    for power in (0, 1, 5, 2 * NODES - 1):
        # About the middle, where large powers keep their digits.
        about = np.max(r)
        assert weights @ (nodes / about) ** power == pytest.approx(((r / about) ** power).sum(), rel=1e-13)


@pytest.mark.parametrize("d", [1e-9, 1e-3, 0.7, 50.0])
def test_logarithms_add_up_to_rising_factorials_of_thirty_digits(d: float) -> None:
    y = np.array([0, 1, 2, 5, 13, 14, 100, 1000, 123456, 10**9])
    rising = Rising(y)
    sums = rising(np.log1p(rising.nodes * d))[:, 0]
    with mpmath.workdps(40):
        z = 1 / mpmath.mpf(d)
        expected = [float(mpmath.loggamma(z + int(v)) - mpmath.loggamma(z) + int(v) * mpmath.log(d)) for v in y]
    assert sums[:2].tolist() == [0.0, 0.0]
    np.testing.assert_allclose(sums[2:], expected[2:], rtol=1e-14)


def test_counts_in_any_order_have_their_own_sums() -> None:
    rising = Rising(np.array([4, 0, 30, 4]))
    np.testing.assert_allclose(rising(rising.nodes)[:, 0], [6, 0, 435, 6], rtol=1e-14)
