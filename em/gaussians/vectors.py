"""Full vectors and free coordinates of the parameters of Gaussian mixtures: what stands where, and which vectors exist."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from em.gaussians.covariances import free_entries, from_lower, from_root_coordinates, root_coordinates
from em.gaussians.derivatives import own_places
from em.gaussians.spread_ratio import SpreadRatio
from em.mixture import Scale, block_diagonal, trusted
from em.weights import SameWeights, from_weight_coordinates, weight_basis, weight_coordinates
from models.gaussians.covariances import CovarianceForm
from models.gaussians.nouns import GaussianParameters
from models.inputs import Floats, Integers
from models.mixtures import MixtureWeights

# Below this share of the data's own spread a component has no width that double precision can hold.
NO_WIDTH = 1e-10


class GaussianVectors(SameWeights):
    """Weights, means and the lower triangles of covariances in one vector; see `em.mixture.Mixture`.

    Attributes
    ----------
    d : features
    least : ``(p,)`` below which no number of a full vector may be
    ratio : what standard deviations may differ by, None where they are free
    """

    weights: MixtureWeights
    form: CovarianceForm
    n_components: int
    d: int
    features: tuple[str, ...]
    least: Floats
    ratio: SpreadRatio | None

    @cached_property
    def lower(self) -> tuple[Integers, Integers]:
        """Rows and columns of the entries of a lower triangle."""
        return np.tril_indices(self.d)

    @property
    def entries(self) -> int:
        """Entries of a lower triangle."""
        return self.d * (self.d + 1) // 2

    @cached_property
    def basis(self) -> Floats:
        k, d = self.n_components, self.d
        return block_diagonal(weight_basis(k, self.weights.fixed), np.eye(k * d), free_entries(self.form, k, d))

    @property
    def n_parameters(self) -> int:
        return self.n_components * (1 + self.d + self.entries)

    def own_coordinates(self, component: int) -> Integers:
        return np.asarray(own_places(self.n_components, self.d)[component])

    def bounds(self) -> list[tuple[int, float]]:
        return []

    def names(self) -> list[str]:
        k, features = self.n_components, self.features

        def place(j: int, *which: int) -> str:
            return f"[{j + 1}]" if self.d == 1 else f"[{', '.join([str(j + 1), *(features[a] for a in which)])}]"

        entries = [(int(a), int(b)) for a, b in zip(*self.lower, strict=True)]
        return (
            [f"weights[{j + 1}]" for j in range(k)]
            + [f"means{place(j, a)}" for j in range(k) for a in range(self.d)]
            + [f"covariances{place(j, a, b)}" for j in range(k) for a, b in entries]
        )

    def scales(self) -> list[Scale]:
        k, d = self.n_components, self.d
        of_matrix: list[Scale] = ["log" if a == b else "identity" for a in range(d) for b in range(a + 1)]
        of_weights: list[Scale] = ["logit"] * k
        of_means: list[Scale] = ["identity"] * (k * d)
        return of_weights + of_means + of_matrix * k

    def to_vector(self, parameters: GaussianParameters) -> Floats:
        a, b = self.lower
        many = parameters.weights.shape[:-1]
        entries = parameters.covariances if self.d == 1 else parameters.covariances[..., a, b]
        entries = entries.reshape(*many, -1)
        return np.concatenate([parameters.weights, parameters.means.reshape(*many, -1), entries], axis=-1)

    def exists(self, vector: Floats) -> NDArray[np.bool_]:
        d, entries = self.d, vector[..., self.n_components * (1 + self.d) :]
        possible = ((vector >= self.least) & (vector < np.inf)).all(axis=-1)
        if d == 1 and self.ratio is None:
            return np.asarray(possible)
        covariances = from_lower(np.where(possible[..., None], entries, 1.0), d)
        if self.ratio is not None:
            possible &= self.ratio.kept(covariances)
        variances = self._variances(covariances)
        # Beyond rounding of the largest, so that a Cholesky factor exists.
        least = np.maximum(NO_WIDTH**2, 8 * d * np.finfo(float).eps * variances[..., -1])
        return np.asarray(possible & (variances[..., 0] > least).all(axis=-1))

    def _variances(self, covariances: Floats) -> Floats:
        """``(..., d)`` along the axes of covariances, the smallest first."""
        if self.form.shape == "full":
            return np.linalg.eigvalsh(covariances)
        return np.sort(np.diagonal(covariances, axis1=-2, axis2=-1), axis=-1)

    def from_vector(self, vector: Floats) -> GaussianParameters:
        k, d = self.n_components, self.d
        weights, means = vector[..., :k], vector[..., k : k + k * d].reshape(*vector.shape[:-1], k, d)
        covariances = from_lower(vector[..., k + k * d :], d)
        if not (np.isfinite(vector).all() and (weights >= 0).all()):
            raise FloatingPointError("a weight left [0, 1] or a number is not finite")
        return trusted(GaussianParameters, weights=weights, means=means, covariances=covariances)

    def coordinates(self, parameters: GaussianParameters, *, unbounded: bool) -> Floats:
        weights = weight_coordinates(parameters.weights, self.weights.fixed, unbounded=unbounded)
        roots = root_coordinates(parameters.covariances, self.form, unbounded=unbounded)
        means = parameters.means.reshape(*parameters.means.shape[:-2], -1)
        return np.concatenate([weights, means, roots], axis=-1)

    def from_coordinates(self, x: Floats, *, unbounded: bool) -> tuple[Floats, Floats]:
        k, d = self.n_components, self.d
        free = 0 if self.weights.fixed is not None else k - 1
        w, by_w = from_weight_coordinates(x[..., :free], self.weights.fixed, unbounded=unbounded)
        means, roots = x[..., free : free + k * d], x[..., free + k * d :]
        entries, by_roots = from_root_coordinates(roots, self.form, k, d, unbounded=unbounded)
        return np.concatenate([w, means, entries], axis=-1), block_diagonal(by_w, np.eye(k * d), by_roots)
