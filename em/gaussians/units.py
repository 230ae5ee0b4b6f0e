"""The units in which a Gaussian fit works, and the way into them and back.

Rows are shifted to mean 0 and divided by a power of two near their standard deviation, so that neither a unit of 1e-150
nor an origin 1e9 away costs a digit. Where covariances are free they are then made white: features that nearly are
combinations of others are as far from that inside as any, and no step of EM loses the digits of their small differences.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from em.gaussians.covariances import from_lower
from em.mixture import trusted
from models.gaussians.covariances import Shape
from models.gaussians.nouns import GaussianParameters, GaussianPrior
from models.inputs import Floats, read_only


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """An affine map of the rows: inside = turn^-1 (outside - location) / unit.

    Attributes
    ----------
    location, unit : ``(d,)``
    turn, turn_back : ``(d, d)`` lower triangle that makes features of what is inside, and its inverse; None where inside they
        are the features
    """

    location: Floats
    unit: Floats
    turn: Floats | None = None
    turn_back: Floats | None = None

    @classmethod
    def of(cls, mean: Floats, covariance: Floats, shape: Shape, *, turned: bool = True) -> Units:
        """Units for data of this mean and covariance ``(d, d)``; one for all features where a common variance needs it.

        Only what has no cell missing can be ``turned``.
        """
        exponents = np.rint(0.5 * np.log2(np.diag(covariance)))
        unit = np.exp2(np.full_like(exponents, exponents.max()) if shape == "spherical" else exponents)
        if shape != "full" or len(unit) == 1 or not turned:
            return cls(mean, unit)
        turn = np.linalg.cholesky(covariance / unit / unit[:, None])
        return cls(mean, unit, turn, np.linalg.inv(turn))

    @property
    def log_volume(self) -> float:
        """Log of the volume of a unit: what a log density of rows gains inside."""
        turned = 0.0 if self.turn is None else np.log(np.diag(self.turn)).sum()
        return float(np.log(self.unit).sum() + turned)

    def rows(self, y: Floats) -> Floats:
        """Rows, or means, inside, column after column in memory."""
        inside = np.subtract(y, self.location, out=np.empty(y.shape, order="F"))
        inside /= self.unit
        if self.turn_back is None:
            return inside
        return np.asarray((self.turn_back @ inside.T).T if y.ndim == 2 else inside @ self.turn_back.T)

    def by_feature(self, rows: Floats) -> Floats:
        """Rows from inside as features, each in its own unit and about its location."""
        return rows if self.turn is None else rows @ self.turn.T

    def matrices(self, covariances: Floats) -> Floats:
        """Covariances inside."""
        scaled = covariances / self.unit / self.unit[:, None]
        return scaled if self.turn_back is None else _turned(self.turn_back, scaled)

    def entries_by_feature(self, entries: Floats, k: int) -> Floats:
        """``(p, m)`` directions in the full vector inside, as such of features that are each in their own unit."""
        if self.turn is None:
            return entries
        d, many = len(self.unit), entries.T
        means = many[:, k : k + k * d].reshape(-1, k, d) @ self.turn.T
        covariances = _turned(self.turn, from_lower(many[:, k + k * d :], d))[..., *np.tril_indices(d)]
        # Sizes told, as there may be no direction at all.
        turned = means.reshape(len(many), k * d), covariances.reshape(len(many), k * d * (d + 1) // 2)
        return np.concatenate([many[:, :k], *turned], axis=1).T

    def parameters(self, parameters: GaussianParameters) -> GaussianParameters:
        """Parameters inside, unchecked and along any leading axes."""
        means, covariances = self.rows(parameters.means), self.matrices(parameters.covariances)
        return trusted(GaussianParameters, weights=parameters.weights, means=means, covariances=covariances)

    def vector(self, k: int) -> Floats:
        """``(p,)`` what one unit of each entry of the full vector of ``k`` components is outside."""
        a, b = np.tril_indices(len(self.unit))
        return np.concatenate([np.ones(k), np.tile(self.unit, k), np.tile(self.unit[a] * self.unit[b], k)])

    def prior(self, prior: GaussianPrior) -> GaussianPrior:
        """Return the same prior, of parameters inside."""
        return GaussianPrior(
            mean=self.rows(prior.mean[None])[0],
            shrinkage=prior.shrinkage,
            degrees_of_freedom=prior.degrees_of_freedom,
            scale=self.matrices(prior.scale),
            concentration=prior.concentration,
        )

    def published(self, parameters: GaussianParameters) -> GaussianParameters:
        """Parameters outside, from those inside."""
        means, covariances = self.by_feature(parameters.means), parameters.covariances
        if self.turn is not None:
            covariances = _turned(self.turn, covariances)
        return trusted(
            GaussianParameters,
            weights=read_only(parameters.weights.copy()),
            means=read_only(means * self.unit + self.location),
            covariances=read_only(covariances * self.unit * self.unit[:, None]),
        )


def _turned(turn: Floats, matrices: Floats) -> Floats:
    """Covariances ``(..., d, d)`` of what is turned, symmetric to the last digit."""
    turned = turn @ matrices @ turn.T
    return np.asarray(0.5 * (turned + turned.swapaxes(-1, -2)))
