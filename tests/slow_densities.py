"""The log densities written once more, slowly, with `scipy.stats` straight from the declaration: an oracle for both engines."""

from __future__ import annotations

import numpy as np
from scipy import stats
from scipy.special import logsumexp

from models import CoinParameters, CoinPrior, CoinTosses, GaussianParameters, GaussianPrior, Measurements
from models.gaussians.covariances import CovarianceForm
from models.inputs import Floats, Integers
from models.mixtures import MixtureWeights


def coin_log_likelihood(parameters: CoinParameters, tosses: CoinTosses) -> float:
    table = stats.binom.logpmf(tosses.heads[:, None], tosses.tosses[:, None], parameters.head_probabilities)
    return _mixed(parameters.weights, np.asarray(table), tosses.counts, tosses.labels)


def coin_log_prior(parameters: CoinParameters, prior: CoinPrior, weights: MixtureWeights) -> float:
    heads = stats.beta.logpdf(parameters.head_probabilities, prior.heads, prior.tails)
    return float(np.sum(heads)) + _weights_log_prior(parameters.weights, prior.concentration, weights)


def gaussian_log_likelihood(parameters: GaussianParameters, data: Measurements) -> float:
    components = zip(parameters.means, parameters.covariances, strict=True)
    columns = [np.atleast_1d(stats.multivariate_normal.logpdf(data.y, mean, cov)) for mean, cov in components]
    return _mixed(parameters.weights, np.column_stack(columns), data.counts, data.labels)


def gaussian_log_prior(
    parameters: GaussianParameters, prior: GaussianPrior, weights: MixtureWeights, form: CovarianceForm
) -> float:
    total = _weights_log_prior(parameters.weights, prior.concentration, weights)
    nu, d = prior.degrees_of_freedom, len(prior.mean)
    for k, (mean, covariance) in enumerate(zip(parameters.means, parameters.covariances, strict=True)):
        total += float(stats.multivariate_normal.logpdf(mean, prior.mean, covariance / prior.shrinkage))
        if k > 0 and form.tied:
            continue
        if form.shape == "full":
            total += float(stats.invwishart.logpdf(covariance, nu, prior.scale))
        elif form.shape == "diagonal":
            scales = np.diag(prior.scale) / 2
            total += float(np.sum(stats.invgamma.logpdf(np.diag(covariance), nu / 2, scale=scales)))
        else:
            scale = float(np.trace(prior.scale)) / (2 * d)
            total += float(stats.invgamma.logpdf(covariance[0, 0], nu / 2, scale=scale))
    return total


def _weights_log_prior(values: Floats, concentration: float, weights: MixtureWeights) -> float:
    if not weights.free:
        return 0.0
    return float(stats.dirichlet.logpdf(values / values.sum(), np.full(len(values), concentration)))


def _mixed(weights: Floats, log_densities: Floats, counts: Integers, labels: Integers) -> float:
    with np.errstate(divide="ignore"):
        joint = np.log(weights) + log_densities
    own = joint[np.arange(len(labels)), labels]
    return float(np.where(labels < 0, logsumexp(joint, axis=1), own) @ counts)
