"""The units in which a fit of regressions works, the way into them and back, and what is told in the user's own.

Rows are residuals from least squares over all, divided by a power of two near their size, and covariates are white: neither
the unit nor the origin of a column costs a digit, nor do columns that nearly are combinations of others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from em.mixture import trusted
from models.display import displayed
from models.inputs import Floats, read_only
from models.regressions.nouns import RegressionParameters, RegressionPrior
from models.regressions.regressors import RegressionRows, Regressors


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """The way inside and back: coefficients are ``location + unit turn inside``, variances ``unit^2`` of those inside.

    Attributes
    ----------
    location, unit : ``(p,)`` least squares over all rows, and a power of two about the residuals from it
    turn, turn_back, centres, sizes : as `models.regressions.Regressors` has them
    """

    location: Floats
    unit: float
    turn: Floats
    turn_back: Floats
    centres: Floats
    sizes: Floats

    @classmethod
    def of(cls, data: RegressionRows) -> Units:
        """Units for these rows."""
        told = Regressors.of(data)
        spread = np.sqrt(data.counts @ told.residuals**2 / data.n)
        unit = float(np.exp2(np.rint(np.log2(spread))))
        return cls(told.coefficients, unit, told.turn, told.turn_back, told.centres, told.sizes)

    @classmethod
    def plain(cls, p: int) -> Units:
        """The user's own, as where rows are compared."""
        return cls(np.zeros(p), 1.0, np.eye(p), np.eye(p), np.zeros(p), np.ones(p))

    @property
    def log_volume(self) -> float:
        """Logarithm of the volume of coefficients outside for one inside."""
        return float(len(self.location) * np.log(self.unit) + np.log(np.diag(self.turn)).sum())

    def rows(self, data: RegressionRows) -> tuple[Floats, Floats]:
        """Responses ``(n,)`` and covariates ``(n, p)`` inside."""
        z = (data.design - self.centres) / self.sizes
        slopes, back = self.location * self.sizes, self.turn * self.sizes[:, None]
        # At the centres, so that an origin far away costs nothing.
        slopes[0] += self.centres @ self.location
        back[0] += self.centres @ self.turn
        return ((data.y - slopes[0] * z[:, 0]) - z[:, 1:] @ slopes[1:]) / self.unit, z @ back

    def parameters(self, p: RegressionParameters) -> RegressionParameters:
        """Parameters inside, from those outside; unchecked and along any leading axes."""
        lines = (p.coefficients - self.location) / self.unit @ self.turn_back.T
        return trusted(
            RegressionParameters, weights=p.weights, coefficients=lines, variances=p.variances / self.unit**2
        )

    def published(self, p: RegressionParameters) -> RegressionParameters:
        """Parameters outside, read-only, from those inside."""
        lines = self.location + self.unit * (p.coefficients @ self.turn.T)
        fields = {"weights": p.weights.copy(), "coefficients": lines, "variances": p.variances * self.unit**2}
        return trusted(RegressionParameters, **{name: read_only(values) for name, values in fields.items()})

    def prior(self, prior: RegressionPrior) -> RegressionPrior:
        """Return the same prior, of parameters inside."""
        mean = self.turn_back @ (prior.mean - self.location) / self.unit
        scale = prior.scale / self.unit**2
        # Gating coefficients have units of their own.
        return RegressionPrior(
            mean, prior.root @ self.turn, prior.degrees_of_freedom, scale, prior.concentration, prior.gating
        )


@dataclass(frozen=True, slots=True, eq=False)
class RegressionStandardErrors:
    """Standard errors of `models.RegressionParameters`, the same shapes; 0 where held fixed, NaN where withheld.

    Attributes
    ----------
    standard_deviations : ``(K,)`` by the delta method, se(variance) / (2 sd)
    reason : why they are withheld, None where they are not
    covariance : ``((p + 2) K, (p + 2) K)`` of the estimates, ordered as ``names``
    """

    weights: Floats
    coefficients: Floats
    variances: Floats
    standard_deviations: Floats
    reason: str | None
    covariance: Floats
    names: tuple[str, ...]

    __repr__ = displayed
