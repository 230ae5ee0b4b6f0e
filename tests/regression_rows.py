"""Rows of two lines, for tests of regressions."""

from __future__ import annotations

import numpy as np

from models import RegressionPrior, RegressionRows

PRIOR = RegressionPrior([0.5, -1.0], [[0.7, 0.2], [0.1, 0.4]], 4.5, 1.3, 1.7)


def rows(seed: int, *, labelled: bool = False, n: int = 40) -> RegressionRows:
    random = np.random.default_rng(seed)
    x, z = random.normal(2.0, 1.5, n), random.integers(2, size=n)
    y = np.where(z == 0, 1.0 + 2.0 * x, 4.0 - x) + random.normal(size=n) * np.where(z == 0, 0.4, 0.8)
    labels = np.where(random.random(n) < 0.3, z, -1) if labelled else None
    return RegressionRows(y, x, random.integers(1, 4, n), labels)


def crossing() -> RegressionRows:
    """Lines of one intercept."""
    random = np.random.default_rng(3)
    x, z = random.normal(size=150), random.integers(2, size=150)
    return RegressionRows(2.0 * x * (1 - 2 * z) + random.normal(size=150) * 0.7, x)
