"""Thirty simulated data sets on which EM has many optima: three to five components that overlap, one or two features.

Whether a search finds the best of them is asked by ``python -m benchmarks.search``.
"""

from __future__ import annotations

import numpy as np

from models.inputs import Floats

NUMBER = 30


def hard_set(number: int) -> tuple[Floats, int]:
    """Rows ``(n, d)`` and the number of components they were drawn from."""
    random = np.random.default_rng([20, number])
    k, d = 3 + number % 3, 1 + number // 3 % 2
    weights = random.dirichlet(np.full(k, 4.0))
    component = random.choice(k, size=150 * k, p=weights)
    centres = random.normal(scale=2.5, size=(k, d))
    roots = random.normal(scale=0.2, size=(k, d, d)) + np.eye(d) * random.uniform(0.7, 1.4, size=(k, 1, 1))
    noise = random.normal(size=(len(component), d))
    return centres[component] + np.einsum("nab,nb->na", roots[component], noise), k
