"""The units in which a Gaussian fit works, and the way into them and back.

Rows are shifted to mean 0 and divided by a power of two near their standard deviation, so that neither a unit of 1e-150
nor an origin 1e9 away costs a digit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from em.mixture import trusted
from models.gaussians import GaussianParameters, GaussianPrior
from models.inputs import Floats, read_only


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """An affine map of the rows: inside = (outside - location) / unit.

    Attributes
    ----------
    location, unit : ``(d,)``
    """

    location: Floats
    unit: Floats

    @classmethod
    def of(cls, mean: Floats, standard_deviations: Floats, *, shared: bool) -> Units:
        """Units for data of this mean and spread; one for all features where ``shared``, as a common variance needs."""
        exponents = np.rint(np.log2(standard_deviations))
        unit = np.exp2(np.full_like(exponents, exponents.max()) if shared else exponents)
        return cls(mean, unit)

    @property
    def log_volume(self) -> float:
        """Log of the product of the units: what a log density of rows gains inside."""
        return float(np.log(self.unit).sum())

    def rows(self, y: Floats) -> Floats:
        """Rows, or means, inside, column after column in memory."""
        inside = np.subtract(y, self.location, out=np.empty(y.shape, order="F"))
        inside /= self.unit
        return inside

    def matrices(self, covariances: Floats) -> Floats:
        """Covariances inside."""
        return covariances / self.unit / self.unit[:, None]

    def parameters(self, parameters: GaussianParameters) -> GaussianParameters:
        """Parameters inside."""
        means, covariances = self.rows(parameters.means), self.matrices(parameters.covariances)
        return GaussianParameters(parameters.weights, means, covariances)

    def prior(self, prior: GaussianPrior) -> GaussianPrior:
        """Return the same prior, of parameters inside."""
        return GaussianPrior(
            mean=self.rows(prior.mean),
            shrinkage=prior.shrinkage,
            degrees_of_freedom=prior.degrees_of_freedom,
            scale=self.matrices(prior.scale),
            concentration=prior.concentration,
        )

    def published(self, parameters: GaussianParameters) -> GaussianParameters:
        """Parameters outside, from those inside."""
        return trusted(
            GaussianParameters,
            weights=read_only(parameters.weights.copy()),
            means=read_only(parameters.means * self.unit + self.location),
            covariances=read_only(parameters.covariances * self.unit * self.unit[:, None]),
        )
