"""Simulated data sets on which EM has many optima; ``python -m benchmarks.search`` asks whether a search finds the best.

Thirty with one or two features: three to five components that overlap. And sixty with 3 to 10 features: long parallel clusters
that only their short side separates, and components that overlap. What a search does was chosen on the first thirty of
these; what is reported is how it does on the others.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from models.gaussians.covariances import Covariance
from models.inputs import Floats, Integers

NUMBER = 30
# The first of the sets with many features on which nothing was chosen.
UNSEEN = 30


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


class HardSet(NamedTuple):
    """Rows ``(n, d)``, the component ``(n,)`` that each was drawn from, their number, and the covariances to fit."""

    y: Floats
    component: Integers
    k: int
    covariance: Covariance


def hard_set_of_many_features(number: int) -> HardSet:
    """Alternately parallel clusters, 6 standard deviations apart along the one short side of ten, and overlap in all features."""
    random = np.random.default_rng([21, number])
    parallel, d = number % 2 == 0, (3, 5, 7, 10)[number // 4 % 4]
    covariance: Covariance = "full" if number // 2 % 2 == 0 else "tied"
    if parallel:
        k = int(random.integers(2, 4))
        component = random.integers(k, size=int(random.choice([120, 150, 180])))
        y = random.normal(size=(len(component), d)) * np.append(np.full(d - 1, 10.0), 1.0)
        y[:, -1] += 6.0 * component
        return HardSet(y @ np.linalg.qr(random.normal(size=(d, d)))[0].T, component, k, covariance)
    k = int(random.integers(3, 5))
    component = random.choice(k, size=150 * k, p=random.dirichlet(np.full(k, 4.0)))
    # Two centres are as far apart, on average, in any number of features.
    centres = random.normal(scale=2.5 / np.sqrt(d), size=(k, d))
    roots = random.normal(scale=0.2, size=(k, d, d)) + np.eye(d) * random.uniform(0.7, 1.4, size=(k, 1, 1))
    if covariance == "tied":
        roots[:] = roots[0]
    y = centres[component] + np.einsum("nab,nb->na", roots[component], random.normal(size=(len(component), d)))
    return HardSet(y, component, k, covariance)
