"""The log posterior of a pair as its EM has it, in coordinates without bounds."""

from __future__ import annotations

import itertools
from math import factorial
from typing import Any

import numpy as np

from comparisons.capabilities import Unconstrained
from comparisons.pair import Values
from em.derived.coordinates import INSIDE, Coordinates
from models.inputs import Floats


class PairPosterior(Unconstrained):
    """See `comparisons.capabilities.Unconstrained`: EM's own densities, one point after the other."""

    def __init__(self, problem: Any) -> None:
        self.problem = problem
        self.c: Coordinates = problem.space
        self.height = problem.objective(prior=True).height

    def __call__(self, x: Floats) -> Floats:
        jacobian = self.c.log_jacobian(x)
        with np.errstate(all="ignore"):
            values = np.array([self.height(self.c.values(point)) for point in x]) + jacobian
        return np.where(np.isfinite(values), values, -np.inf)

    def at(self, parameters: Values) -> Floats:
        x = self.c.of(parameters)
        return x if self.problem.interior(parameters) else self.c.off_bounds(x, INSIDE)

    def coordinates(self, parameters: Values) -> Floats:
        return self.c.of(parameters)

    def parameters(self, x: Floats) -> Values:
        return self.c.values(x)

    def moves(self, x: Floats) -> Floats:
        return self.c.moves(x)

    @property
    def row_densities(self) -> int:
        return int(self.problem.n)

    @property
    def n_labellings(self) -> int:
        return factorial(self.problem.components)

    def labellings(self) -> Floats:
        k, unit = self.problem.components, np.eye(self.c.size)
        orders = itertools.permutations(range(k)) if k else [()]
        return np.stack(
            [
                np.stack(
                    [
                        self.c.of(self.problem.exchange.permuted(self.c.values(e), np.array(order, dtype=int)))
                        for e in unit
                    ],
                    axis=1,
                )
                if k
                else unit
                for order in orders
            ]
        )
