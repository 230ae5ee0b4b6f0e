"""EM for mixtures of overdispersed counts ``y`` over exposures ``e``, from one of K components that is not known.

    E-step:  r_ik  proportional to  w_k f_k(y_i),   with t = e_i mu_k,
             f_k(y) = t^y / y!  prod_{r < y} (1 + r alpha_k)  (1 + alpha_k t)^-(y + 1 / alpha_k),   exp(-t) at alpha_k = 0
    M-step:  mu_k and alpha_k that maximise sum_i r_ik log f_k(y_i); see `em.overdispersed`

and with a prior the mode of the same with it. The product is a sum of logarithms over the whole numbers below y, so that
no difference of log-gamma functions loses digits near alpha = 0. Source: Lawless (1987), Canadian Journal of Statistics 15, 209.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Unpack

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, xlogy

from em.elementwise import POSITIVE, Domain, fit_elementwise
from em.fit import Fit, Options
from em.mixture import trusted
from em.overdispersed import OverdispersedMixture
from em.rising import Rising
from models.display import displayed
from models.inputs import Floats, Integers
from models.mixtures import Weights
from models.negative_binomials import NegativeBinomialParameters, NegativeBinomialPrior
from models.poissons import EventCounts

# Rates at which a component is tried, and dispersions.
TRIED, DISPERSIONS = 101, (0.0, 0.1, 1.0)
# Below this the second derivative of log(1 + u) / u is its series, of which the first term left out is under rounding.
SMALL = 0.05
SERIES = np.array([(-1.0) ** k * (k + 1) * (k + 2) / (k + 3) for k in range(13)])


@dataclass(frozen=True, slots=True, eq=False)
class NegativeBinomialStandardErrors:
    """Standard errors of `models.NegativeBinomialParameters`, the same shapes; 0 where held fixed, NaN where withheld.

    Attributes
    ----------
    reason : why they are withheld, None where they are not
    covariance : ``(3 K, 3 K)`` of the estimates, ordered as ``names``
    """

    weights: Floats
    rates: Floats
    dispersions: Floats
    reason: str | None
    covariance: Floats
    names: tuple[str, ...]

    __repr__ = displayed


class NegativeBinomialMixture(OverdispersedMixture):
    """See `em.overdispersed.OverdispersedMixture`."""

    kind = "negative-binomials"
    noun, parameters, priors = EventCounts, NegativeBinomialParameters, NegativeBinomialPrior
    errors = NegativeBinomialStandardErrors
    domains: ClassVar[dict[str, Domain]] = {"rates": POSITIVE, "dispersions": POSITIVE}
    limits: ClassVar[dict[str, dict[float, str]]] = {"dispersions": {0.0: "a Poisson component"}}
    modal: ClassVar[dict[str, float]] = {"shape": 1.0, "dispersion_shape": 1.0, "concentration": 1.0}
    prior_fields = (("shape", "rate"), ("dispersion_shape", "dispersion_rate"))
    average = "mean_rate"
    data: EventCounts

    def _collect(self) -> None:
        super()._collect()
        self.rising, self.factorials = Rising(self.data.events), gammaln(self.seen + 1)

    def totals(self) -> tuple[Floats, Floats]:
        return self.data.events.astype(float), self.data.exposure

    def places(self) -> Floats:
        return np.asarray((self.data.events / self.data.exposure)[:, None])

    def densities(self, place: Floats, dispersion: Floats) -> Floats:
        y, t, u = self.seen[:, None], *self._means(place, dispersion)
        log = np.log1p(u)
        rising = self.rising(np.log1p(self.rising.nodes * dispersion))
        return np.asarray(
            xlogy(y, t) + rising - y * log - np.where(dispersion > 0, log / dispersion, t) - self.factorials[:, None]
        )

    def derivatives(self, place: Floats, dispersion: Floats) -> list[Floats]:
        y, e, (t, u) = self.seen[:, None], self.over[:, None], self._means(place, dispersion)
        share = 1 / (1 + u)
        rise = self.rising.nodes / (1 + self.rising.nodes * dispersion)
        spread, by_place = e * (1 + y * dispersion) * share, np.where(y == 0, 0.0, y / place)
        by_u, by_u_twice = slopes_of_log_ratio(u, share)
        return [
            by_place - spread,
            self.rising(rise) - y * t * share - t**2 * by_u,
            e * dispersion * spread * share - np.where(y == 0, 0.0, by_place / place),
            e * (t - y) * share**2,
            y * (t * share) ** 2 - self.rising(rise**2) - t**3 * by_u_twice,
        ]

    def _means(self, place: Floats, dispersion: Floats) -> tuple[Floats, Floats]:
        t = self.over[:, None] * place
        return t, t * dispersion

    def at_0(self, place: Floats) -> tuple[Floats, Floats, Floats]:
        y, t = self.seen[:, None], self.over[:, None] * place
        return xlogy(y, t) - t - self.factorials[:, None], 0.5 * ((y - t) ** 2 - y), 0.5 * t**2

    def sizes(self) -> Floats:
        return np.asarray(4 * (self.factorials + np.abs(xlogy(self.seen, self.over))))

    def weak_prior(self) -> NegativeBinomialPrior:
        return NegativeBinomialPrior(2.0, 1.0 / max(self.data.rate, np.finfo(float).tiny), 2.0)

    def elsewhere(self, random: np.random.Generator) -> Iterator[tuple[Floats, Floats]]:
        roots = np.sqrt(self.points)
        tried = np.linspace(roots.min(), roots.max(), TRIED)
        over = np.sqrt(self.over.mean())
        for alpha in DISPERSIONS:
            components = trusted(self.parameters, rates=tried**2, dispersions=np.full(TRIED, alpha))
            # Standard deviations are alike on the scale of roots, and of their inverse hyperbolic sines.
            root = np.sqrt(alpha)
            places = 2 * (np.arcsinh(root * over * tried) / root if alpha else over * tried)
            yield self.log_densities(components), places[:, None]

    def drawn(
        self,
        published: NegativeBinomialParameters,
        rows: Integers,
        components: Integers,
        random: np.random.Generator,
    ) -> EventCounts:
        exposure = self.data.exposure[rows]
        return EventCounts(published.simulate(components, exposure, random), exposure)


def slopes_of_log_ratio(u: Floats, share: Floats) -> tuple[Floats, Floats]:
    """First two derivatives of ``log(1 + u) / u`` at ``u`` from 0, of which ``share`` is 1 / (1 + u)."""
    with np.errstate(all="ignore"):
        lost = u * share
        second = (2 * np.log1p(u) - 2 * lost - lost**2) / u**3
    small = u < SMALL
    if small.any():
        second = np.where(small, np.polynomial.polynomial.polyval(np.where(small, u, 0.0), SERIES), second)
    return -0.5 * (share**2 + u * second), second


def negative_binomial_mixture(
    events: EventCounts | ArrayLike,
    n_components: int = 2,
    weights: Weights = "free",
    prior: NegativeBinomialPrior | None = None,
    *,
    exposure: ArrayLike | None = None,
    counts: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    **options: Unpack[Options],
) -> Fit[NegativeBinomialParameters, NegativeBinomialStandardErrors]:
    """Fit a mixture of negative binomial distributions by EM.

    Parameters
    ----------
    events : ``(n,)`` whole numbers, or `models.EventCounts` with all that belongs to them
    n_components : K
    weights : ``"free"``, ``"equal"``, or ``(K,)`` values held fixed
    prior : maximise the log posterior under it; maximum likelihood where None
    exposure, counts, labels : as in `models.EventCounts`; means are in proportion to the exposure, which dispersions do not
        depend on
    options : ``start``, ``seed``, ``method``, ``acceleration`` and ``starts`` as in `em.coin_mixture`

    Returns
    -------
    `em.Fit` with `models.NegativeBinomialParameters`, in every case: ``status`` tells a boundary, saddle or ridge from a maximum.
    A dispersion of 0, where the size is infinite and the component a Poisson one, is a boundary.

    Raises
    ------
    TypeError, ValueError
        for rows fewer than components, weights, labels or a start that do not fit, or a prior without a mode
    ObjectiveDecreased
        if the objective falls beyond rounding
    """
    further = {"exposure": exposure, "counts": counts, "labels": labels}
    return fit_elementwise(NegativeBinomialMixture, "events", events, n_components, weights, prior, further, **options)
