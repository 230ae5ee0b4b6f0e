"""Parameters whose components can change places: found by letting them."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

from em.derived.densities import Values
from em.derived.steps import Steps
from models.inputs import Floats, Integers

# Random points at which densities have to be the same, and the relative difference that is rounding.
POINTS, SAME = 3, 1e-9


def exchangeable(steps: Steps) -> tuple[str, ...]:
    """Names of the parameters whose entries along the first axis can change places together; the one to order by first.

    Likelihood and prior have to be the same by themselves. Empty where there are none.
    """
    blocks = steps.densities.space.blocks
    for k in sorted({block.shape[0] for block in blocks if block.shape and block.shape[0] > 1}, reverse=True):
        # Shares of one whole come last, since their order tells components apart least.
        names = [b.name for b in sorted(blocks, key=lambda b: b.kind == "simplex") if b.shape and b.shape[0] == k]
        for size in range(len(names), 0, -1):
            for some in combinations(names, size):
                if _symmetric(steps, some, k):
                    return some
    return ()


def _symmetric(steps: Steps, names: tuple[str, ...], k: int) -> bool:
    """Whether neighbours can change places, and so all can."""
    space, random = steps.densities.space, np.random.default_rng(2)
    for _ in range(POINTS):
        values = space.values(0.5 * random.normal(size=space.size))
        here = steps.at(values)
        for j in range(k - 1):
            order = np.arange(k)
            order[[j, j + 1]] = j + 1, j
            there = steps.at(permuted(values, names, order))
            for one, other in ((here.log_likelihood, there.log_likelihood), (here.log_prior, there.log_prior)):
                if not abs(one - other) <= SAME * max(1.0, abs(one)):
                    return False
    return True


def permuted(values: Values, names: tuple[str, ...], order: Integers) -> Values:
    """Parameters with the entries of some along their first axis in another order."""
    return values | {name: np.asarray(values[name])[order] for name in names}


def canonical(values: Values, names: tuple[str, ...]) -> Integers:
    """The order in which the first number of the first of the names ascends; of one entry where nothing is exchangeable."""
    if not names:
        return np.arange(1)
    first: Floats = np.asarray(values[names[0]])
    return np.argsort(first.reshape(len(first), -1)[:, 0], kind="stable")


def places(space: Any, names: tuple[str, ...], order: Integers) -> Integers:
    """``(p,)`` where each number of the full vector is taken from."""
    numbers = space.by_name(np.arange(float(sum(block.size for block in space.blocks))))
    return np.asarray(space.vector(permuted(numbers, names, order) if names else numbers), dtype=int)
