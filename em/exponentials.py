"""EM for mixtures of exponential waiting times, from one of K components that is not known; some waits are cut short at ``y``.

    E-step:  r_ik  proportional to  w_k lambda_k exp(-lambda_k y_i),   of a censored wait to  w_k exp(-lambda_k y_i),
             and a censored wait of component k goes on for 1 / lambda_k
    M-step:  lambda_k = (sum_i r_ik + a - 1) / (sum_i r_ik (y_i + c_i / lambda_k) + b),
             w_k = (sum_i r_ik + c - 1) / (n + K (c - 1))

with the prior ``lambda_k ~ Gamma(a, b)``, ``w ~ Dirichlet(c)``; a = c = 1 and b = 0 without one. ``c_i`` is 1 where row i is
censored, and the ``lambda_k`` beside it that of the E-step: both the components and the rest of such waits are latent. Source:
Dempster, Laird & Rubin (1977), JRSS B 39, 1, section 4.2.
"""

from __future__ import annotations

from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from em.elementwise import fit_elementwise
from em.exponential import Sums
from em.fit import Fit, Options
from em.rates import RateMixture, RateStandardErrors
from em.waits import WatchedWaits
from models.exponentials import ExponentialParameters, ExponentialPrior, WaitingTimes
from models.inputs import Floats
from models.mixtures import Weights

# Rates at which a component is tried, and the standard deviation of the logarithm of an exponential.
TRIED, LOG_SPREAD = 201, np.pi / np.sqrt(6)
# A mean wait of this share of all is that of waits of 0 alone.
NOTHING = 1e-12


class WaitMixture(WatchedWaits, RateMixture):
    """Features are the end of a wait, 1 where it was seen, and its length; see `em.exponential.ExponentialMixture`."""

    kind = "exponentials"
    noun, parameters, priors = WaitingTimes, ExponentialParameters, ExponentialPrior
    data: WaitingTimes
    # A wait of 0 alone is all that a component can narrow onto.
    interpolated = 1

    def _collect(self) -> None:
        super()._collect()
        self.only_components = not self.data.censored.any()
        # A wait of 0 that was seen to end has the rate as its density.
        self.mean = float(self.counts @ self.data.y / self.counts.sum())
        self.bounded = self.prior is not None or not (self.data.y == 0).any()

    def exists(self, vector: Floats) -> NDArray[np.bool_]:
        there = super().exists(vector)
        if self.bounded:
            return there
        return np.asarray(there & (vector[..., self.n_components :].max(axis=-1) * self.mean < 1 / NOTHING))

    def places(self) -> Floats:
        # Cube roots are nearly normal (Wilson & Hilferty 1931).
        return np.cbrt(self.data.y)[:, None]

    def features(self) -> tuple[Floats, Floats]:
        return np.stack([1.0 - self.data.censored, self.data.y]), np.zeros(len(self.data.y))

    def e_step(self, parameters: ExponentialParameters) -> Sums:
        seen: Sums = super().e_step(parameters)
        rows, (ended, waited) = seen.rows, np.moveaxis(seen.features, -1, 0)
        # At a rate of 0 a wait has no expectation; where none was seen to end that is where EM would only come in the limit.
        going = (parameters.rates > 0) & (ended > 0)
        rest = np.divide(rows - ended, parameters.rates, out=np.zeros_like(rows), where=going)
        return Sums(seen.log_likelihood, rows, np.stack([np.where(going, rows, ended), waited + rest], axis=-1))

    def further_missing(self, parameters: ExponentialParameters, weighted: Floats) -> Floats:
        # The variance of what is left of a censored wait.
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            lost = (self.data.censored @ weighted) / parameters.rates**2
        return np.nan_to_num(lost, posinf=np.inf)[:, None, None]

    def spreads(self, parameters: ExponentialParameters) -> Floats:
        with np.errstate(divide="ignore", over="ignore"):
            return np.asarray(1 / (parameters.rates * self.mean))

    def tried(self) -> tuple[Floats, Floats]:
        y = self.data.y[self.data.y > 0]
        rates = np.geomspace(1 / y.max(), 1 / y.min(), TRIED) if len(y) else np.ones(1)
        return rates, np.log(rates) / LOG_SPREAD


def exponential_mixture(
    y: WaitingTimes | ArrayLike,
    n_components: int = 2,
    weights: Weights = "free",
    prior: ExponentialPrior | None = None,
    *,
    censored: ArrayLike | None = None,
    counts: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    **options: Unpack[Options],
) -> Fit[ExponentialParameters, RateStandardErrors]:
    """Fit a mixture of exponential distributions to waiting times by EM.

    Parameters
    ----------
    y : ``(n,)`` waits from 0, or `models.WaitingTimes` with all that belongs to them
    n_components : K
    weights : ``"free"``, ``"equal"``, or ``(K,)`` values held fixed
    prior : maximise the log posterior under it; maximum likelihood where None
    censored, counts, labels : as in `models.WaitingTimes`; a censored row is 1 or True where its wait had not ended at ``y``
    options : ``start``, ``seed``, ``method``, ``acceleration`` and ``starts`` as in `em.coin_mixture`

    Returns
    -------
    `em.Fit` with `models.ExponentialParameters`, in every case: ``status`` tells a boundary, saddle or ridge from a maximum

    Raises
    ------
    TypeError, ValueError
        for rows fewer than components, weights, labels or a start that do not fit, or a prior without a mode
    ObjectiveDecreased
        if the objective falls beyond rounding
    """
    further = {"censored": censored, "counts": counts, "labels": labels}
    return fit_elementwise(WaitMixture, "y", y, n_components, weights, prior, further, **options)
