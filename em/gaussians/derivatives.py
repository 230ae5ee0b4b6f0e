"""Derivatives of normal log densities and of their prior, by means and lower entries of covariances, and informations.

In the full vector the weights come first, then the means of one component after the other, then the lower entries likewise.
"""

from __future__ import annotations

import numpy as np

from em.gaussians.covariances import CovariancePrior, lower_directions
from em.mixture import block_diagonal
from models.gaussians.covariances import CovarianceForm
from models.gaussians.nouns import GaussianParameters, GaussianPrior
from models.inputs import Floats, Integers


def own_coordinates(k: int, d: int, component: int) -> Integers:
    """``(d + q,)`` places of a component's mean and lower entries in the full vector."""
    q = d * (d + 1) // 2
    return np.concatenate([k + component * d + np.arange(d), k + k * d + component * q + np.arange(q)])


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
    precision: Floats, directions: Floats, sizes: tuple[float, float], first: Floats, second: Floats
) -> tuple[Floats, Floats]:
    """Gradient and Hessian by (mean, lower entries of Sigma) of a sum of normal log densities given its moments.

    ``sizes`` are how often the log determinant and how often the squared distance of the mean is counted;
    ``directions`` ``(q, d, d)`` is what one unit of each entry adds to Sigma. From
    d log f = u'dmu + tr((uu' - P) dSigma) / 2 with u = P (y - mu), differentiated once more.
    """
    determinants, located = sizes
    turned = precision @ directions
    moved = precision @ second
    scatter = np.einsum("sab,ba->s", turned, moved)
    gradient = np.concatenate([precision @ first, 0.5 * (scatter - determinants * np.trace(turned, axis1=1, axis2=2))])
    mixed = -np.einsum("sab,b->as", turned, precision @ first)
    traces = turned.reshape(len(turned), -1)  # of products of two, as one product of matrices
    curved = traces @ (0.5 * determinants * turned - turned @ moved).swapaxes(1, 2).reshape(len(turned), -1).T
    return gradient, np.block([[-located * precision, mixed], [mixed.T, curved]])


def component_prior_derivatives(
    means: Floats, covariances: Floats, prior: GaussianPrior, form: CovarianceForm, directions: Floats
) -> tuple[Floats, Floats]:
    """Gradient ``(K, d + q)`` and Hessian ``(K, d + q, d + q)`` of `log_component_prior`, component by component.

    A covariance that is tied has its prior once, with the first component.
    """
    covariance_prior = CovariancePrior.of(prior, form, means.shape[1])
    gradients, hessians = [], []
    for j, precision in enumerate(np.linalg.inv(covariances)):
        difference = prior.mean - means[j]
        first, second = prior.shrinkage * difference, prior.shrinkage * np.outer(difference, difference)
        determinants = 1.0
        if j == 0 or not form.tied:
            second, determinants = second + covariance_prior.scatter, 1.0 + covariance_prior.exponent
        sizes = (determinants, prior.shrinkage)
        gradient, hessian = normal_derivatives(precision, directions, sizes, first, second)
        gradients.append(gradient)
        hessians.append(hessian)
    return np.stack(gradients), np.stack(hessians)


def information_of_rows(parameters: GaussianParameters, rows: Floats, divisors: Floats, located: Floats) -> Floats:
    """``(p, p)`` expected information of rows whose components are known.

    There are ``(K,)`` ``rows``; they count ``divisors`` times for the covariances and ``located`` times for the means.
    """
    k, d = parameters.means.shape
    directions, nowhere = lower_directions(d), np.zeros(d)
    information = block_diagonal(np.diag(rows / parameters.weights**2), np.zeros((k * (d + len(directions)),) * 2))
    for j, precision in enumerate(np.linalg.inv(parameters.covariances)):
        own = own_coordinates(k, d, j)
        sizes, second = (divisors[j], located[j]), divisors[j] * parameters.covariances[j]
        information[np.ix_(own, own)] = -normal_derivatives(precision, directions, sizes, nowhere, second)[1]
    return information


def information_missing(parameters: GaussianParameters, products: Floats) -> Floats:
    """``(p, p)`` what of the information is missing with the components: the variance of the scores given each row, summed.

    ``products``, ``(K, K, F, F)``, are those of two responsibilities and two features; see `em.gaussians.normal_rows`.
    """
    (k, d), f = parameters.means.shape, products.shape[-1]
    by_features = np.zeros((k * f, k, f))  # full vector, component, feature
    own = score_features(parameters.means, parameters.covariances)
    for j in range(k):
        by_features[j, j, 0] = 1 / parameters.weights[j]
        by_features[own_coordinates(k, d, j), j] = own[j]
    scores = by_features.reshape(k * f, k * f)
    variances = block_diagonal(*products.sum(axis=1)) - np.moveaxis(products, 2, 1).reshape(k * f, k * f)
    return np.asarray(scores @ variances @ scores.T)
