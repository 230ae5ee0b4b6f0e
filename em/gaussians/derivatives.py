"""Derivatives of normal log densities and of their prior, by means and lower entries of covariances, and informations.

In the full vector the weights come first, then the means of one component after the other, then the lower entries likewise.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from em.gaussians.covariances import CovariancePrior, lower_directions
from em.mixture import block_diagonal
from models.gaussians.covariances import CovarianceForm
from models.gaussians.nouns import GaussianParameters, GaussianPrior
from models.inputs import Floats, Integers, read_only


@cache
def own_places(k: int, d: int) -> Integers:
    """``(K, d + q)`` places of the components' means and lower entries in the full vector."""
    q, component = d * (d + 1) // 2, np.arange(k)[:, None]
    return read_only(np.hstack([k + component * d + np.arange(d), k + k * d + component * q + np.arange(q)]))


def normal_scores(y: Floats, means: Floats, covariances: Floats) -> Floats:
    """``(n, K, d + q)`` derivatives of each row's log density by each component's mean and lower entries of Sigma."""
    precisions = np.linalg.inv(covariances)
    u = np.einsum("kab,nkb->nka", precisions, y[:, None, :] - means)
    a, b = np.tril_indices(y.shape[1])
    twice = np.where(a == b, 0.5, 1.0)  # an entry off the diagonal stands in Sigma twice
    return np.concatenate([u, twice * (u[..., a] * u[..., b] - precisions[:, a, b])], axis=2)


def score_features(means: Floats, covariances: Floats) -> Floats:
    """``(K, d + q, F)`` what `normal_scores` are of the features (1, y_a, y_a y_b for a >= b), in which they are linear."""
    k, d = means.shape
    a, b = np.tril_indices(d)
    q = len(a)
    precisions = np.linalg.inv(covariances)
    turned = (precisions @ means[..., None])[..., 0]
    scores = np.zeros((k, d + q, 1 + d + q))
    scores[:, :d, 0], scores[:, :d, 1 : d + 1] = -turned, precisions
    twice = np.where(a == b, 0.5, 1.0)[:, None]
    rows, columns = precisions[:, a], precisions[:, b]
    scores[:, d:, 0] = twice[:, 0] * (turned[:, a] * turned[:, b] - precisions[:, a, b])
    scores[:, d:, 1 : d + 1] = -twice * (rows * turned[:, b, None] + turned[:, a, None] * columns)
    squares = rows[..., a] * columns[..., b]
    scores[:, d:, d + 1 :] = twice * np.where(a == b, squares, squares + rows[..., b] * columns[..., a])
    return scores


def normal_derivatives(
    precisions: Floats, sizes: tuple[Floats, Floats], first: Floats, second: Floats
) -> tuple[Floats, Floats]:
    """Gradients and Hessians by (mean, lower entries of Sigma) of sums of normal log densities given their moments.

    Each of the K sums has its ``sizes``, how often the log determinant and how often the squared distance of the mean is
    counted: ``(K,)`` both. From d log f = u'dmu + tr((uu' - P) dSigma) / 2 with u = P (y - mu), differentiated once more.
    """
    k, d = first.shape
    determinants, located = sizes
    turned = precisions[:, None] @ lower_directions(d)  # of one unit of each entry
    moved, pulled = precisions @ second, (precisions @ first[..., None])[..., 0]
    traces = turned.reshape(k, -1, d * d)  # of products of two, as one product of matrices
    scatter = (traces @ moved.swapaxes(1, 2).reshape(k, -1, 1))[..., 0]
    gradients = [pulled, 0.5 * (scatter - determinants[:, None] * np.trace(turned, axis1=2, axis2=3))]
    bends = 0.5 * determinants[:, None, None, None] * turned - turned @ moved[:, None]
    hessians = np.empty((k, d + turned.shape[1], d + turned.shape[1]))
    hessians[:, :d, :d] = -located[:, None, None] * precisions
    hessians[:, d:, :d] = -(turned @ pulled[:, None, :, None])[..., 0]
    hessians[:, :d, d:] = hessians[:, d:, :d].swapaxes(1, 2)
    hessians[:, d:, d:] = traces @ bends.swapaxes(2, 3).reshape(k, -1, d * d).swapaxes(1, 2)
    return np.concatenate(gradients, axis=1), hessians


def component_prior_derivatives(
    means: Floats, covariances: Floats, prior: GaussianPrior, form: CovarianceForm
) -> tuple[Floats, Floats]:
    """Gradient ``(K, d + q)`` and Hessian ``(K, d + q, d + q)`` of `log_component_prior`, component by component.

    A covariance that is tied has its prior once, with the first component.
    """
    covariance_prior = CovariancePrior.of(prior, form, means.shape[1])
    once = np.full(len(means), 1.0)
    if form.tied:
        once[1:] = 0.0
    difference = prior.mean - means
    second = prior.shrinkage * (difference[:, :, None] * difference[:, None, :])
    second += once[:, None, None] * covariance_prior.scatter
    sizes = 1.0 + once * covariance_prior.exponent, np.full(len(means), prior.shrinkage)
    return normal_derivatives(np.linalg.inv(covariances), sizes, prior.shrinkage * difference, second)


def information_of_rows(parameters: GaussianParameters, rows: Floats, divisors: Floats, located: Floats) -> Floats:
    """``(p, p)`` expected information of rows whose components are known.

    There are ``(K,)`` ``rows``; they count ``divisors`` times for the covariances and ``located`` times for the means.
    """
    k, d = parameters.means.shape
    own, precisions = own_places(k, d), np.linalg.inv(parameters.covariances)
    turned = precisions[:, None] @ lower_directions(d)
    flat = turned.reshape(k, -1, d * d)
    products = flat @ turned.swapaxes(2, 3).reshape(k, -1, d * d).swapaxes(1, 2)  # traces of products of two
    information = np.zeros((k + own.size,) * 2)
    information[range(k), range(k)] = rows / parameters.weights**2
    information[own[:, :d, None], own[:, None, :d]] = located[:, None, None] * precisions
    information[own[:, d:, None], own[:, None, d:]] = 0.5 * divisors[:, None, None] * products
    return information


def information_missing(parameters: GaussianParameters, products: Floats) -> Floats:
    """``(p, p)`` what of the information is missing with the components: the variance of the scores given each row, summed.

    ``products``, ``(K, K, F, F)``, are those of two responsibilities and two features; see `em.gaussians.normal_rows`.
    """
    (k, d), f = parameters.means.shape, products.shape[-1]
    by_features = np.zeros((k * f, k, f))  # full vector, component, feature
    own = score_features(parameters.means, parameters.covariances)
    component = np.arange(k)
    by_features[component, component, 0] = 1 / parameters.weights
    by_features[own_places(k, d), component[:, None]] = own
    scores = by_features.reshape(k * f, k * f)
    variances = block_diagonal(*products.sum(axis=1)) - np.moveaxis(products, 2, 1).reshape(k * f, k * f)
    return np.asarray(scores @ variances @ scores.T)
