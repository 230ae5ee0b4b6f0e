"""The log posterior as `em` has it, Jacobian included, in unconstrained coordinates and at many points at once.

Coordinates are log ratios of weights, logits of head probabilities, means, and Cholesky factors with logarithms on their
diagonals. In them a permutation of exchangeable components is a linear map of determinant 1, and the posterior does not
change under it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations, product
from math import factorial, prod
from typing import Any

import numpy as np

from comparisons.capabilities import Unconstrained
from comparisons.differences import central_gradient
from em.mixture import Mixture, off_bounds, permuted_places
from em.uncertainty.scores import gradient
from models.inputs import Floats, Integers

# Numbers in the largest array of one block, 4 MB: about ten such arrays live at once.
BLOCK = 500_000


class UnconstrainedPosterior(Unconstrained):
    """Log posterior density of a mixture's parameters by their ``f`` coordinates, in nats, all constants included."""

    def __init__(self, mixture: Mixture[Any, Any]) -> None:
        self.mixture = mixture
        self._to_free = np.linalg.pinv(mixture.basis)

    def __call__(self, x: Floats) -> Floats:
        """Log density ``(m,)`` at the points ``(m, f)``; -inf where a number leaves what doubles can hold."""
        with np.errstate(all="ignore"):
            return np.concatenate([self._of_block(block) for block in self._blocks(x)])

    def gradient(self, x: Floats, reach: Floats) -> Floats:
        if self.row_densities < BLOCK:
            return super().gradient(x, reach)
        # Of many rows a pass tells the whole gradient, and differences are taken of what needs no rows.
        by_rows = np.stack([self._by_rows(point) for point in x])
        return by_rows + central_gradient(self._without_rows, x, reach)

    def _by_rows(self, x: Floats) -> Floats:
        """Gradient ``(f,)`` of the log-likelihood at one point."""
        vector, jacobian = self.mixture.from_coordinates(x, unbounded=True)
        return jacobian.T @ gradient(self.mixture, self.mixture.from_vector(vector))

    def _without_rows(self, x: Floats) -> Floats:
        """Log prior and log Jacobian ``(m,)`` at the points."""
        vector, jacobian = self.mixture.from_coordinates(x, unbounded=True)
        return self._of_prior(self.mixture.from_vector(vector), jacobian)

    def _of_prior(self, parameters: Any, jacobian: Floats) -> Floats:
        log_jacobian = np.linalg.slogdet(self._to_free @ jacobian)[1]
        return np.asarray(self.mixture.log_prior(parameters) + log_jacobian)

    def _blocks(self, x: Floats) -> Iterator[Floats]:
        """The points in parts for which memory suffices, whatever the number of rows and components."""
        numbers = max(len(self.mixture.counts) * self.mixture.n_components, self.mixture.basis.size)
        size = max(BLOCK // numbers, 1)
        return (x[first : first + size] for first in range(0, len(x), size))

    def _of_block(self, x: Floats) -> Floats:
        """Log density of one block; halved until the points that have none stand alone."""
        try:
            # Of a single point the rows go through compiled code, where there is some.
            vector, jacobian = self.mixture.from_coordinates(x[0] if len(x) == 1 else x, unbounded=True)
            parameters = self.mixture.from_vector(vector)
            log_likelihood = self.mixture.e_step(parameters).log_likelihood
        except (FloatingPointError, np.linalg.LinAlgError):
            if len(x) == 1:
                return np.array([-np.inf])
            half = len(x) // 2
            return np.concatenate([self._of_block(x[:half]), self._of_block(x[half:])])
        # Parameters and their density are both in the mixture's own units; only the data's units are left to account for.
        value = log_likelihood + self.mixture.likelihood_offset + self._of_prior(parameters, jacobian)
        return np.atleast_1d(np.where(np.isfinite(value), value, -np.inf))

    def coordinates(self, parameters: Any) -> Floats:
        """Coordinates ``(..., f)`` of parameters in the user's units, off all bounds."""
        return np.asarray(self.mixture.coordinates(self.mixture.from_published(parameters), unbounded=True))

    def at(self, parameters: Any) -> Floats:
        """Coordinates ``(f,)`` of parameters in the user's units; what is at a bound is moved a little inside."""
        vector = self.mixture.to_vector(self.mixture.from_published(parameters))
        k = self.mixture.n_components
        vector[:k] = np.maximum(vector[:k], 1e-4)
        vector[:k] /= vector[:k].sum()
        vector = off_bounds(self.mixture, vector, 1e-3)
        return np.asarray(self.mixture.coordinates(self.mixture.from_vector(vector), unbounded=True))

    def parameters(self, x: Floats) -> Any:
        """Parameters at the points ``(m, f)``, in the user's units, along a leading axis."""
        vectors = [self.mixture.from_coordinates(block, unbounded=True)[0] for block in self._blocks(x)]
        parameters = self.mixture.from_vector(np.concatenate(vectors))
        return self.mixture.published(parameters)

    def moves(self, x: Floats) -> Floats:
        """``(p, f)`` derivative of EM's full vector by the coordinates at ``(f,)``."""
        return self.mixture.from_coordinates(x, unbounded=True)[1]

    @property
    def row_densities(self) -> int:
        """How many densities of one row under one component a density takes."""
        return len(self.mixture.counts) * self.mixture.n_components

    @property
    def n_labellings(self) -> int:
        """In how many orders the exchangeable components can be read."""
        return prod(factorial(int(size)) for size in np.unique_counts(self.mixture.groups).counts)

    def labellings(self) -> Floats:
        """``(n_labellings, f, f)`` linear maps of the coordinates, one for every order of exchangeable components."""
        groups = self.mixture.groups
        members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
        maps = []
        for chosen in product(*(permutations(m) for m in members)):
            order = np.arange(len(groups))
            for places, permuted in zip(members, chosen, strict=True):
                order[places] = permuted
            maps.append(self._relabelling(order))
        return np.stack(maps)

    def _relabelling(self, order: Integers) -> Floats:
        """The linear map whose columns are the unit vectors with their components read in this order."""
        # Coordinates of 0 are the mixture of equal components, which stays where it is: the map is linear, not only affine.
        f = self.mixture.basis.shape[1]
        vectors = self.mixture.from_coordinates(np.eye(f), unbounded=True)[0][:, permuted_places(self.mixture, order)]
        columns = [self.mixture.coordinates(self.mixture.from_vector(v), unbounded=True) for v in vectors]
        return np.stack(columns, axis=1)
