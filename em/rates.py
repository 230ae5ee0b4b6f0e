"""Mixtures of what happens at a rate, with the conjugate prior of rates: features are events and what they are counted over.

    M-step:  lambda_k = (events_k + a - 1) / (exposure_k + b),     w_k = (rows_k + c - 1) / (n + K (c - 1))

with the prior ``lambda_k ~ Gamma(a, b)``, ``w ~ Dirichlet(c)``; a = c = 1 and b = 0 without one.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from scipy.special import gammaln, xlogy

from em.elementwise import POSITIVE, Domain
from em.exponential import ExponentialMixture, Sums
from em.mixture import trusted
from em.weights import log_dirichlet, mode_of_weights
from models.display import displayed
from models.inputs import Floats


@dataclass(frozen=True, slots=True, eq=False)
class RateStandardErrors:
    """Standard errors of weights and rates, the same shapes; 0 where held fixed, NaN where withheld.

    Attributes
    ----------
    reason : why they are withheld, None where they are not
    covariance : ``(2 K, 2 K)`` of the estimates, ordered as ``names``
    """

    weights: Floats
    rates: Floats
    reason: str | None
    covariance: Floats
    names: tuple[str, ...]

    __repr__ = displayed


class RateMixture(ExponentialMixture):
    """A family tells features, events and exposure, and where rates are tried."""

    errors = RateStandardErrors
    domains: ClassVar[dict[str, Domain]] = {"rates": POSITIVE}
    average = "mean_rate"

    @abstractmethod
    def tried(self) -> tuple[Floats, Floats]:
        """``(C,)`` rates at which a component is tried, and on a scale on which its standard deviation is 1."""

    def natural(self, parameters: Any) -> Floats:
        rates = parameters.rates
        with np.errstate(divide="ignore"):
            return np.stack([np.log(rates), -rates], axis=-1)

    def natural_derivatives(self, parameters: Any) -> tuple[Floats, Floats]:
        rates = parameters.rates[:, None]
        with np.errstate(divide="ignore", over="ignore"):
            first = np.stack([1 / rates, -np.ones_like(rates)], axis=1)
            return first, np.stack([-1 / rates**2, np.zeros_like(rates)], axis=1)[..., None]

    def m_step(self, statistics: Sums) -> Any:
        prior = self.prior
        more, over, concentration = (
            (0.0, 0.0, 1.0) if prior is None else (prior.shape - 1, prior.rate, prior.concentration)
        )
        events, exposure = statistics.features[..., 0] + more, statistics.features[..., 1] + over
        # Of a component without rows nothing is known: any rate serves, and that of all rows is returned.
        otherwise = np.where(events > 0, np.inf, self.data.rate)
        with np.errstate(over="ignore"):
            rates = np.divide(events, exposure, out=otherwise, where=exposure > 0)
        weights = mode_of_weights(statistics.rows, self.weights.fixed, concentration)
        return trusted(self.parameters, weights=weights, rates=rates)

    def weak(self) -> Self:
        weak = copy(self)
        # One event more in the exposure in which one is expected, and a row: from a rate of 0 EM cannot leave.
        weak.prior = self.priors(2.0, 1.0 / max(self.data.rate, np.finfo(float).tiny), 2.0)
        return weak

    def log_prior(self, parameters: Any) -> Floats | float:
        prior = self.prior
        if prior is None:
            return 0.0
        constant = xlogy(prior.shape, prior.rate) - gammaln(prior.shape)
        own = constant + xlogy(prior.shape - 1, parameters.rates) - prior.rate * parameters.rates
        total: Floats = own.sum(axis=-1) + log_dirichlet(parameters.weights, self.weights.fixed, prior.concentration)
        return total

    def own_prior_derivatives(self, parameters: Any) -> tuple[Floats, Floats]:
        rates, more = parameters.rates, self.prior.shape - 1
        if more == 0:
            return np.full((len(rates), 1), -self.prior.rate), np.zeros((len(rates), 1, 1))
        with np.errstate(divide="ignore"):
            return (more / rates - self.prior.rate)[:, None], (-more / rates**2)[:, None, None]

    def elsewhere(self, random: np.random.Generator) -> Iterator[tuple[Floats, Floats]]:
        rates, places = self.tried()
        yield self.log_densities(trusted(self.parameters, rates=rates)), places[:, None]
