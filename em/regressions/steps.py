"""EM for mixtures of linear regressions with normal errors.

    E-step:  r_ik  proportional to  w_k Normal(y_i; x_i' b_k, s_k)
    M-step:  with the residuals e_ik = y_i - x_i' b_k from the lines of the E-step, least squares with the weights r_ik:
             d_k = (sum_i r_ik x_i x_i' + R'R)^-1 (sum_i r_ik e_ik x_i + R'R (m - b_k)),    b_k + d_k,
             s_k^2 = (sum_i r_ik (e_ik - x_i' d_k)^2 + |R (b_k + d_k - m)|^2 + scale) / (n_k + p + degrees_of_freedom + 2),
             w_k = (n_k + c - 1) / (n + K (c - 1)),    n_k = sum_i r_ik

with the prior of `models.regressions`, R its root and m its mean; without one R is 0 and the divisor n_k. Sums are about the
current lines: the step vanishes at the optimum, so that nothing is lost where errors are small. Source: DeSarbo & Cron (1988),
Journal of Classification 5, 249; the starts from lines through few rows after Rousseeuw (1984), JASA 79, 871.

The divisor is n_k, that of the maximum. flexmix divides by n_k (n - p) / n, as for the unbiased variance of one regression, and
so ends below it: on `npreg` at -642.545166 with standard deviations 3.4757 and 3.4802, where the maximum is -642.532014 with
3.4444 and 3.4509.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import gammaln

from em.gaussians.spread_ratio import SpreadRatio
from em.mixture import trusted
from em.weights import log_dirichlet, mode_of_weights
from models.inputs import Floats
from models.mixtures import MixtureWeights
from models.regressions.nouns import RegressionParameters, RegressionPrior

# Eigenvalues of a component's squares and products below this share of the largest say nothing.
NOTHING = 1e-13


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """What the E-step sends to the M-step.

    Attributes
    ----------
    log_likelihood : ``(...)``
    rows : ``(..., K)`` expected rows
    lines : ``(..., K, p)`` coefficients of the E-step, about which these sums are
    first, second, squares : ``(..., K, p)``, ``(..., K, p, p)`` and ``(..., K)`` sums of residuals times covariates, of products
        of covariates, and of squared residuals
    further : ``(..., K, m)`` sums of concomitants; m is 0 where the weights depend on nothing
    gating : ``(..., K, 1 + m)`` log weights and gating coefficients of the E-step; ``(..., K, 0)`` where there are none
    """

    log_likelihood: Any
    rows: Floats
    lines: Floats
    first: Floats
    second: Floats
    squares: Floats
    further: Floats
    gating: Floats

    def __add__(self, other: Moments) -> Moments:
        """Statistics of both sets of rows together."""
        sums = {n: getattr(self, n) + getattr(other, n) for n in self.__slots__ if n not in ("lines", "gating")}
        return Moments(lines=self.lines, gating=self.gating, **sums)


def m_step(
    statistics: Moments,
    prior: RegressionPrior | None,
    weights: MixtureWeights,
    *,
    tied: bool,
    otherwise: float,
    ratio: SpreadRatio | None = None,
) -> RegressionParameters:
    """Mode of the conjugate posterior given the statistics; ``otherwise`` the variance of one that nothing tells of."""
    rows, lines, p = statistics.rows, statistics.lines, statistics.lines.shape[-1]
    first, second, squares, divisors, scale = statistics.first, statistics.second, statistics.squares, rows, 0.0
    concentration, more = 1.0, 0.0
    if prior is not None:
        concentration, scale, more = prior.concentration, prior.scale, prior.degrees_of_freedom + 2
        apart = (prior.mean - lines) @ prior.root.T
        first, second = first + apart @ prior.root, second + prior.root.T @ prior.root
        squares, divisors = squares + (apart**2).sum(axis=-1), rows + p
    # In directions that no row tells of a line stays where it is.
    steps = (np.linalg.pinv(second, rcond=NOTHING, hermitian=True) @ first[..., None])[..., 0]
    squares = np.maximum(squares - (steps * first).sum(axis=-1), 0.0)
    if tied:
        squares, divisors = (np.broadcast_to(v.sum(axis=-1, keepdims=True), v.shape) for v in (squares, divisors))
    found = np.full(squares.shape, otherwise)
    variances = np.divide(squares + scale, divisors + more, out=found, where=divisors + more > 0)
    if ratio is not None:
        variances = in_ratio(ratio, variances, divisors + more)
    chances = mode_of_weights(rows, weights.fixed, concentration)
    return trusted(RegressionParameters, weights=chances, coefficients=lines + steps, variances=variances)


def in_ratio(ratio: SpreadRatio, variances: Floats, rows: Floats) -> Floats:
    """The best variances ``(..., K)`` under the least ratio, of components that count ``rows``."""
    return ratio.constrain(variances[..., None, None], rows)[..., 0, 0]


def log_prior(
    parameters: RegressionParameters, prior: RegressionPrior, weights: MixtureWeights, *, tied: bool
) -> Floats:
    """``(...)`` log density of the prior in weights, coefficients and variances, of which one that is tied counts once."""
    v, half, rate = parameters.variances, prior.degrees_of_freedom / 2, prior.scale / 2
    z = ((parameters.coefficients - prior.mean) @ prior.root.T) ** 2
    own = np.linalg.slogdet(prior.root)[1] - 0.5 * (z.shape[-1] * np.log(2 * np.pi * v) + z.sum(axis=-1) / v)
    free = v[..., :1] if tied else v
    widths = half * np.log(rate) - gammaln(half) - (half + 1) * np.log(free) - rate / free
    total: Floats = own.sum(axis=-1) + widths.sum(axis=-1)
    return total + log_dirichlet(parameters.weights, weights.fixed, prior.concentration)


def prior_derivatives(parameters: RegressionParameters, prior: RegressionPrior, *, tied: bool) -> tuple[Floats, Floats]:
    """``(K, p + 1)`` and ``(K, p + 1, p + 1)`` of the log prior by coefficients and variance of one component."""
    v, (k, p) = parameters.variances, parameters.coefficients.shape
    apart = (prior.mean - parameters.coefficients) @ prior.root.T
    second = np.broadcast_to(prior.root.T @ prior.root, (k, p, p))
    # The inverse-gamma is that of so many rows, and one that is shared stands once.
    once = np.eye(k)[0] if tied else np.ones(k)
    rows, squares = p + once * (prior.degrees_of_freedom + 2), (apart**2).sum(axis=-1) + once * prior.scale
    first = apart @ prior.root
    slopes = np.concatenate([first / v[:, None], ((squares / v - rows) / (2 * v))[:, None]], axis=1)
    return slopes, second_derivatives(v, rows, first, second, squares)


def second_derivatives(v: Floats, rows: Floats, first: Floats, second: Floats, squares: Floats) -> Floats:
    """``(K, p + 1, p + 1)`` of log densities by coefficients and variance, of rows with these sums about the lines."""
    k, p = first.shape
    found = np.empty((k, p + 1, p + 1))
    found[:, :p, :p] = -second / v[:, None, None]
    found[:, :p, p] = found[:, p, :p] = -first / v[:, None] ** 2
    found[:, p, p] = (0.5 * rows - squares / v) / v**2
    return found
