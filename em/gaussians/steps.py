"""EM for mixtures of normal distributions in d dimensions, with six forms of the covariances.

    E-step:  r_ik  proportional to  w_k Normal_d(y_i; mu_k, Sigma_k)
    M-step:  the mode of the normal-inverse-Wishart posterior given  N_k = sum_i r_ik  and the moments about the current
             means,  A_k = sum_i r_ik (y_i - mu_k),  B_k = sum_i r_ik (y_i - mu_k)(y_i - mu_k)'.

Source: McLachlan & Peel (2000), Finite Mixture Models, ch. 3; the mode after Fraley & Raftery (2007), Journal of
Classification 24, 155. The mode is in (weights, means, covariances): the divisor of a full covariance is
``nu + N_k + d + 2``.

A prior on a covariance of any shape is, up to a constant, ``|Sigma|^(-e/2) exp(-tr(S Sigma^-1) / 2)``: it adds ``S`` to
the scatter and ``e`` to its divisor, so one M-step, one gradient and one Hessian serve all forms.
"""

from __future__ import annotations

import numpy as np

from em.gaussians.covariances import CovariancePrior, log_component_prior, project
from em.gaussians.moments import GaussianStatistics, statistics_of
from em.gaussians.spread_ratio import SpreadRatio
from em.mixture import log_weights, responsibilities, trusted
from em.weights import log_dirichlet, mode_of_weights
from models.gaussians.covariances import CovarianceForm
from models.gaussians.measurements import Measurements
from models.gaussians.nouns import GaussianParameters, GaussianPrior
from models.inputs import Floats
from models.mixtures import MixtureWeights

# Rows whose densities a log-likelihood holds at a time.
ROWS = 65_536


def log_densities(parameters: GaussianParameters, y: Floats, *, diagonal: bool = False) -> Floats:
    """``(..., n, n_components)`` log density of each row ``y`` ``(n, d)`` under each component; ``diagonal`` where all are."""
    if y.shape[1] == 1:
        means, variances = parameters.means[..., 0], parameters.covariances[..., 0, 0]
        distances = np.moveaxis(_by_component(means.shape, len(y)), -1, 0)
        for j, each in enumerate(distances):
            np.subtract(y[:, 0], means[..., j, None], out=each)
            each *= each
            each /= variances[..., j, None]
        distances = np.moveaxis(distances, 0, -1)
        return np.asarray(-0.5 * distances - 0.5 * np.log(2 * np.pi * variances)[..., None, :])
    if diagonal:
        return _independent_log_densities(parameters, y)
    inverse_cholesky = np.linalg.inv(np.linalg.cholesky(parameters.covariances))
    half_log_determinant = -np.log(np.diagonal(inverse_cholesky, axis1=-2, axis2=-1)).sum(axis=-1)[..., None, :]
    *many, k, d = parameters.means.shape
    distances = _by_component((*many, k), len(y))
    for j in range(k):
        root = inverse_cholesky[..., j, :, :]
        standardised = (y - parameters.means[..., j, None, :]) @ root.swapaxes(-1, -2)
        distances[..., j] = np.einsum("...ij,...ij->...i", standardised, standardised)
    return np.asarray(-0.5 * distances - half_log_determinant - 0.5 * d * np.log(2 * np.pi))


def _by_component(many: tuple[int, ...], n: int) -> Floats:
    """Room for numbers ``(..., n, K)`` of ``many`` ``(..., K)``, component after component, as NumPy is fastest."""
    return np.moveaxis(np.empty((many[-1], *many[:-1], n)), 0, -1)


def _independent_log_densities(parameters: GaussianParameters, y: Floats) -> Floats:
    """The same of features that are independent, without matrices of them."""
    variances = np.diagonal(parameters.covariances, axis1=-2, axis2=-1)
    if not variances.min() > 0:
        raise np.linalg.LinAlgError("a variance is not positive")
    *many, k, _ = parameters.means.shape
    distances = _by_component((*many, k), len(y))
    for j in range(k):
        squares = (y - parameters.means[..., j, None, :]) ** 2
        distances[..., j] = (squares @ (1 / variances[..., j, :, None]))[..., 0]
    return np.asarray(-0.5 * (distances + np.log(2 * np.pi * variances).sum(axis=-1)[..., None, :]))


def log_likelihood(parameters: GaussianParameters, data: Measurements) -> float:
    """Log density of all rows, the hidden components summed out, in nats, all constants included."""
    parts = (slice(first, first + ROWS) for first in range(0, len(data.y), ROWS))
    return float(sum(_joint(parameters, data, part)[1] @ data.counts[part] for part in parts))


def log_prior(
    parameters: GaussianParameters, prior: GaussianPrior, weights: MixtureWeights, form: CovarianceForm
) -> Floats:
    """``(...)`` log density of the prior in (weights, means, free entries of the covariances); tied ones count once."""
    both = log_component_prior(parameters.means, parameters.covariances, prior, form)
    return both + log_dirichlet(parameters.weights, weights.fixed, prior.concentration)


def e_step(parameters: GaussianParameters, data: Measurements) -> GaussianStatistics:
    """Expected sufficient statistics of the rows at the parameters, known labels respected."""
    r, row_log_likelihood = _joint(parameters, data, slice(None))
    log_likelihood = float(row_log_likelihood @ data.counts)
    return statistics_of(r * data.counts[:, None], log_likelihood, data.y, parameters.means)


def _joint(parameters: GaussianParameters, data: Measurements, rows: slice) -> tuple[Floats, Floats]:
    """``(m, K)`` responsibilities and ``(m,)`` log-likelihoods of some rows."""
    joint = log_weights(parameters.weights) + log_densities(parameters, data.y[rows])
    return responsibilities(joint, data.labels[rows])


def m_step(
    statistics: GaussianStatistics,
    prior: GaussianPrior | None,
    weights: MixtureWeights,
    form: CovarianceForm,
    ratio: SpreadRatio | None = None,
) -> GaussianParameters:
    """Mode of the conjugate posterior given the statistics; ``prior=None`` is maximum likelihood.

    A component that nothing was assigned to, without a prior, has no mode; any values serve, and it keeps its mean and
    is given the covariance of all.
    """
    rows, first, second = statistics.rows, statistics.first, statistics.second
    located = divisors = rows
    if prior is not None:
        # The prior mean is a row there that counts ``shrinkage`` times for the mean and once for the determinant.
        difference = prior.mean - statistics.means
        first = first + prior.shrinkage * difference
        second = second + prior.shrinkage * (difference[..., :, None] * difference[..., None, :])
        located, divisors = rows + prior.shrinkage, rows + 1.0
    empty = None if located.min() > 0 else located <= 0
    shift = first / (located if empty is None else np.where(empty, 1.0, located))[..., None]
    scatter = second - first[..., :, None] * shift[..., None, :]
    if form.tied:
        scatter, divisors = scatter.sum(axis=-3, keepdims=True), divisors.sum(axis=-1, keepdims=True)
    elif empty is not None:
        scatter = np.where(empty[..., None, None], scatter.sum(axis=-3, keepdims=True), scatter)
        divisors = np.where(empty, divisors.sum(axis=-1, keepdims=True), divisors)
    if prior is not None:
        covariance_prior = CovariancePrior.of(prior, form, first.shape[-1])
        scatter, divisors = scatter + covariance_prior.scatter, divisors + covariance_prior.exponent
    covariances = project(scatter / divisors[..., None, None], form)
    if ratio is not None:
        covariances = ratio.constrain(covariances, divisors)
    return trusted(
        GaussianParameters,
        weights=mode_of_weights(rows, weights.fixed, 1.0 if prior is None else prior.concentration),
        means=statistics.means + shift,
        covariances=np.repeat(covariances, rows.shape[-1], axis=-3) if form.tied else covariances,
    )
