"""EM for mixtures of Poisson counts: events ``y`` over exposures ``e``, from one of K components that is not known.

    E-step:  r_ik  proportional to  w_k (e_i lambda_k)^y_i exp(-e_i lambda_k)
    M-step:  lambda_k = (sum_i r_ik y_i + a - 1) / (sum_i r_ik e_i + b),
             w_k = (sum_i r_ik + c - 1) / (n + K (c - 1))

with the prior ``lambda_k ~ Gamma(a, b)``, ``w ~ Dirichlet(c)``; a = c = 1 and b = 0 without one. Source: Hasselblad (1969), JASA
64, 1459; Dempster, Laird & Rubin (1977), JRSS B 39, 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, xlogy

from em.ascent.acceleration import Acceleration
from em.elementwise import POSITIVE, Domain
from em.exponential import ExponentialMixture, Sums
from em.fit import Fit, Method, checked_options, fit_mixture
from em.mixture import fitting_start, has_mode, log_dirichlet, mode_of_weights, trusted
from em.search.starts import Starts
from models.display import displayed
from models.inputs import Floats, Integers, instance_of
from models.mixtures import MixtureWeights, Weights, checked_labels, enough_rows
from models.poissons import EventCounts, PoissonParameters, PoissonPrior

# Rates at which a component is tried.
TRIED = 201


@dataclass(frozen=True, slots=True, eq=False)
class PoissonStandardErrors:
    """Standard errors of `models.PoissonParameters`, the same shapes; 0 where held fixed, NaN where withheld.

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


class PoissonMixture(ExponentialMixture):
    """Features are events and exposure; see `em.exponential.ExponentialMixture`."""

    kind = "poissons"
    noun, parameters, errors = EventCounts, PoissonParameters, PoissonStandardErrors
    domains: ClassVar[dict[str, Domain]] = {"rates": POSITIVE}
    average = "mean_rate"
    data: EventCounts

    def places(self) -> Floats:
        return np.asarray((self.data.events / self.data.exposure)[:, None])

    def features(self) -> tuple[Floats, Floats]:
        y, e = self.data.events.astype(float), self.data.exposure
        return np.stack([y, e]), xlogy(y, e) - gammaln(y + 1)

    def natural(self, parameters: PoissonParameters) -> Floats:
        rates = parameters.rates
        with np.errstate(divide="ignore"):
            return np.stack([np.log(rates), -rates], axis=-1)

    def natural_derivatives(self, parameters: PoissonParameters) -> tuple[Floats, Floats]:
        rates = parameters.rates[:, None]
        with np.errstate(divide="ignore", over="ignore"):
            first = np.stack([1 / rates, -np.ones_like(rates)], axis=1)
            return first, np.stack([-1 / rates**2, np.zeros_like(rates)], axis=1)[..., None]

    def m_step(self, statistics: Sums) -> PoissonParameters:
        prior = self.prior
        more, over, concentration = (
            (0.0, 0.0, 1.0) if prior is None else (prior.shape - 1, prior.rate, prior.concentration)
        )
        events, exposure = statistics.features[..., 0] + more, statistics.features[..., 1] + over
        # Of a component without rows nothing is known: any rate serves, and that of all rows is returned.
        otherwise = np.full(events.shape, self.data.rate)
        rates = np.divide(events, exposure, out=otherwise, where=exposure > 0)
        weights = mode_of_weights(statistics.rows, self.weights.fixed, concentration)
        return trusted(PoissonParameters, weights=weights, rates=rates)

    def weak(self) -> PoissonMixture:
        weak = copy(self)
        # One event more in the exposure in which one is expected, and a row: from a rate of 0 EM cannot leave.
        weak.prior = PoissonPrior(2.0, 1.0 / max(self.data.rate, np.finfo(float).tiny), 2.0)
        return weak

    def log_prior(self, parameters: PoissonParameters) -> Floats | float:
        prior = self.prior
        if prior is None:
            return 0.0
        constant = xlogy(prior.shape, prior.rate) - gammaln(prior.shape)
        own = constant + xlogy(prior.shape - 1, parameters.rates) - prior.rate * parameters.rates
        total: Floats = own.sum(axis=-1) + log_dirichlet(parameters.weights, self.weights.fixed, prior.concentration)
        return total

    def own_prior_derivatives(self, parameters: PoissonParameters) -> tuple[Floats, Floats]:
        rates, more = parameters.rates, self.prior.shape - 1
        if more == 0:
            return np.full((len(rates), 1), -self.prior.rate), np.zeros((len(rates), 1, 1))
        with np.errstate(divide="ignore"):
            return (more / rates - self.prior.rate)[:, None], (-more / rates**2)[:, None, None]

    def elsewhere(self, random: np.random.Generator) -> Iterator[tuple[Floats, Floats]]:
        # Over the rates there are, in standard deviations of such a one, which are alike on the scale of roots.
        roots = np.sqrt(self.points)
        tried = np.linspace(roots.min(), roots.max(), TRIED)
        components = trusted(PoissonParameters, rates=tried**2)
        yield self.log_densities(components), 2 * np.sqrt(self.data.exposure.mean()) * tried[:, None]

    def drawn(
        self, published: PoissonParameters, rows: Integers, components: Integers, random: np.random.Generator
    ) -> EventCounts:
        exposure = self.data.exposure[rows]
        return EventCounts(published.simulate(components, exposure, random), exposure)


def poisson_mixture(
    events: EventCounts | ArrayLike,
    n_components: int = 2,
    weights: Weights = "free",
    prior: PoissonPrior | None = None,
    *,
    exposure: ArrayLike | None = None,
    counts: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    start: PoissonParameters | None = None,
    seed: int = 0,
    method: Method = "em",
    acceleration: Acceleration = "auto",
    starts: Starts = "default",
) -> Fit[PoissonParameters, PoissonStandardErrors]:
    """Fit a mixture of Poisson distributions by EM.

    Parameters
    ----------
    events : ``(n,)`` whole numbers, or `models.EventCounts` with all that belongs to them
    n_components : K
    weights : ``"free"``, ``"equal"``, or ``(K,)`` values held fixed
    prior : maximise the log posterior under it; maximum likelihood where None
    exposure, counts, labels : as in `models.EventCounts`
    start : where to start, its labelling kept; several starts and canonical order where None
    seed : of the random starts
    method : ``"em"``, or ``"nelder-mead"`` or ``"bfgs"`` to maximise the same objective directly
    acceleration : as in `em.coin_mixture`
    starts : ``"thorough"`` tries four times as many starts, follows more of them to the end, and rearranges more of the optima

    Returns
    -------
    `em.Fit` with `models.PoissonParameters`, in every case: ``status`` tells a boundary, saddle or ridge from a maximum

    Raises
    ------
    TypeError, ValueError
        for rows fewer than components, weights, labels or a start that do not fit, or a prior without a mode
    ObjectiveDecreased
        if the objective falls beyond rounding

    References
    ----------
    Hasselblad (1969), Journal of the American Statistical Association 64, 1459.
    """
    checked_options(method, acceleration, starts)
    if not isinstance(events, EventCounts):
        events = EventCounts(events, 1.0 if exposure is None else exposure, counts, labels)
    elif not exposure is counts is labels is None:
        raise ValueError("events has its exposure, counts and labels; leave the arguments of these names out")
    treated = MixtureWeights.of(weights, n_components)
    enough_rows(events.n, n_components)
    checked_labels(events.labels, n_components)
    if prior is not None:
        instance_of("prior", prior, PoissonPrior)
        for name in ("shape", "concentration"):
            has_mode(name, getattr(prior, name))
    if start is not None:
        instance_of("start", start, PoissonParameters)
        fitting_start(start.weights, treated)
    mixture = PoissonMixture(events, treated, prior)
    return fit_mixture(mixture, start=start, seed=seed, method=method, acceleration=acceleration, starting=starts)
