"""EM for mixtures of Poisson counts: events ``y`` over exposures ``e``, from one of K components that is not known.

    E-step:  r_ik  proportional to  w_k (e_i lambda_k)^y_i exp(-e_i lambda_k)
    M-step:  lambda_k = (sum_i r_ik y_i + a - 1) / (sum_i r_ik e_i + b),
             w_k = (sum_i r_ik + c - 1) / (n + K (c - 1))

with the prior ``lambda_k ~ Gamma(a, b)``, ``w ~ Dirichlet(c)``; a = c = 1 and b = 0 without one. Source: Hasselblad (1969), JASA
64, 1459; Dempster, Laird & Rubin (1977), JRSS B 39, 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, xlogy

from em.ascent.acceleration import Acceleration
from em.elementwise import fit_elementwise
from em.fit import Fit, Method
from em.rates import RateMixture, RateStandardErrors
from em.search.starts import Starts
from models.inputs import Floats, Integers
from models.mixtures import Weights
from models.poissons import EventCounts, PoissonParameters, PoissonPrior

# Rates at which a component is tried.
TRIED = 201


class PoissonMixture(RateMixture):
    """Features are events and exposure; see `em.exponential.ExponentialMixture`."""

    kind = "poissons"
    noun, parameters, priors = EventCounts, PoissonParameters, PoissonPrior
    data: EventCounts

    def places(self) -> Floats:
        return np.asarray((self.data.events / self.data.exposure)[:, None])

    def features(self) -> tuple[Floats, Floats]:
        y, e = self.data.events.astype(float), self.data.exposure
        return np.stack([y, e]), xlogy(y, e) - gammaln(y + 1)

    def tried(self) -> tuple[Floats, Floats]:
        # Over the rates there are, in standard deviations of such a one, which are alike on the scale of roots.
        roots = np.sqrt(self.points)
        tried = np.linspace(roots.min(), roots.max(), TRIED)
        return tried**2, 2 * np.sqrt(self.data.exposure.mean()) * tried

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
) -> Fit[PoissonParameters, RateStandardErrors]:
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
    further = {"exposure": exposure, "counts": counts, "labels": labels}
    return fit_elementwise(
        PoissonMixture,
        "events",
        events,
        n_components,
        weights,
        prior,
        further,
        start=start,
        seed=seed,
        method=method,
        acceleration=acceleration,
        starts=starts,
    )
