"""The least ratio of standard deviations: what makes the likelihood of a mixture of normals bounded.

Hathaway (1985), Annals of Statistics 13, 795: under ``min_jk sigma_j / sigma_k >= c`` the maximum exists and is consistent
where c is below the true ratio. For several features the ratio is that of the smallest to the largest standard deviation
of any component in any direction, each relative to the data's own in that direction, so that units do not matter. The
M-step is exact: the eigenvalues of the covariances are raised or lowered to one range ``[m, m / c^2]``, with the m of the
highest objective (Fritz, Garcia-Escudero & Mayo-Iscar 2013, Computational Statistics & Data Analysis 61, 124).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.gaussians.covariances import Shape
from models.inputs import Floats

# Closer to the least ratio than this, relative to it, a covariance is at it; below by less it is so by rounding.
AT_RATIO, ROUNDING = 1e-6, 1e-10


@dataclass(frozen=True, slots=True, eq=False)
class SpreadRatio:
    """A least ratio, and the ``(d, d)`` maps to where the data have a spread of 1 in every direction, and back."""

    least: float
    into: Floats
    back: Floats

    @classmethod
    def of(cls, least: float, total: Floats, shape: Shape) -> SpreadRatio:
        """The ratio for data of covariance ``total``; forms without covariances keep to the axes."""
        variances = np.diag(total) if shape == "diagonal" else np.full(len(total), np.trace(total) / len(total))
        back = np.linalg.cholesky(total) if shape == "full" else np.diag(np.sqrt(variances))
        return cls(least, np.linalg.inv(back), back)

    def ratios(self, covariances: Floats) -> Floats:
        """``(..., K)`` smallest standard deviation of each of covariances ``(..., K, d, d)`` over the largest of any."""
        values = np.linalg.eigvalsh(self.into @ covariances @ self.into.T)
        return np.asarray(np.sqrt(np.maximum(values[..., 0], 0.0) / values[..., -1].max(axis=-1, keepdims=True)))

    def ratio(self, covariances: Floats) -> Floats:
        """``(...)`` smallest over largest standard deviation of covariances ``(..., K, d, d)``."""
        return np.asarray(self.ratios(covariances).min(axis=-1))

    def kept(self, covariances: Floats) -> NDArray[np.bool_]:
        """``(...)`` whether covariances have the ratio, up to rounding."""
        return np.asarray(self.ratio(covariances) >= self.least * (1 - ROUNDING))

    def reached(self, covariances: Floats) -> bool:
        """Whether covariances ``(K, d, d)`` are at the ratio, so that they could not go on."""
        return bool(self.ratio(covariances) <= self.least * (1 + AT_RATIO))

    def constrain(self, covariances: Floats, rows: Floats) -> Floats:
        """The best covariances ``(..., K, d, d)`` under the constraint, of components that count ``rows`` ``(..., K)``."""
        values, vectors = np.linalg.eigh(self.into @ covariances @ self.into.T)
        lengths, shape = values.reshape(-1, *values.shape[-2:]), values.shape
        counted = np.broadcast_to(rows, shape[:-1]).reshape(-1, shape[-2])
        clipped = np.stack([self._clipped(v, n) for v, n in zip(lengths, counted, strict=True)]).reshape(shape)
        turned = self.back @ vectors
        better = (turned * clipped[..., None, :]) @ turned.swapaxes(-1, -2)
        inside = (clipped == values).all(axis=(-2, -1))[..., None, None, None]
        return np.where(inside, covariances, 0.5 * (better + better.swapaxes(-1, -2)))

    def _clipped(self, values: Floats, rows: Floats) -> Floats:
        """Variances ``(K, d)`` clipped to the range that costs the least of sum n (log v + s / v)."""
        factor = self.least**-2
        if values.max() <= factor * values.min():
            return values
        # The cost is smooth between the places where a variance enters or leaves the range; one m is best in each part.
        edges = np.sort(np.concatenate([values.ravel(), values.ravel() / factor]))
        between = np.concatenate([edges[:1] / 2, (edges[1:] + edges[:-1]) / 2, edges[-1:] * 2])[:, None, None]
        low, high = values < between, values > factor * between
        n = rows[:, None]
        moved = (n * (low | high)).sum(axis=(1, 2))
        total = (n * values * (low + high / factor)).sum(axis=(1, 2))
        m = np.where((moved > 0) & (total > 0), total / np.where(moved > 0, moved, 1.0), between[:, 0, 0])[
            :, None, None
        ]
        clipped = np.clip(values, m, factor * m)
        cost = (n * (np.log(clipped) + values / clipped)).sum(axis=(1, 2))
        return np.asarray(clipped[np.argmin(cost)])
