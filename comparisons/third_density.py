"""A third density, slow and written straight from the declaration with `scipy.stats`: the judge when two engines differ.

Row by row and component by component, on purpose: nothing here is shared with `em` or `models` but the numbers.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from comparisons.engines import Parameters, Problem
from models import CoinParameters, CoinPrior, CoinTosses, GaussianParameters, GaussianPrior


def log_likelihood(problem: Problem, parameters: Parameters) -> float:
    """Log-likelihood of all rows, in nats."""
    data, total = problem.data, 0.0
    for i, (count, label) in enumerate(zip(data.counts, data.labels, strict=True)):
        joint = []
        for k, weight in enumerate(parameters.weights):
            if isinstance(data, CoinTosses) and isinstance(parameters, CoinParameters):
                density = stats.binom.logpmf(data.heads[i], data.tosses[i], parameters.head_probabilities[k])
            elif not isinstance(data, CoinTosses) and isinstance(parameters, GaussianParameters):
                normal = stats.multivariate_normal(parameters.means[k], parameters.covariances[k])
                density = normal.logpdf(data.y[i])
            else:
                raise TypeError(f"parameters of {type(parameters).__name__} do not belong to {type(data).__name__}")
            if label in (-1, k):
                joint.append((math.log(weight) if weight > 0 else -math.inf) + float(density))
        largest = max(joint)
        if largest == -math.inf:
            return -math.inf
        total += int(count) * (largest + math.log(math.fsum(math.exp(value - largest) for value in joint)))
    return total


def log_prior(problem: Problem, parameters: Parameters) -> float:
    """Log prior density on the natural scale of weights, head probabilities or means, and covariances."""
    prior, total = problem.prior, 0.0
    k = len(parameters.weights)
    if problem.weights.free:
        total += float(stats.dirichlet(np.full(k, prior.concentration)).logpdf(parameters.weights))
    if isinstance(prior, CoinPrior) and isinstance(parameters, CoinParameters):
        return total + float(stats.beta.logpdf(parameters.head_probabilities, prior.heads, prior.tails).sum())
    if not (isinstance(prior, GaussianPrior) and isinstance(parameters, GaussianParameters)):
        raise TypeError(f"parameters of {type(parameters).__name__} do not belong to a {type(prior).__name__}")
    for mean, covariance in zip(parameters.means, parameters.covariances, strict=True):
        total += float(stats.multivariate_normal(prior.mean, covariance / prior.shrinkage).logpdf(mean))
    nu, scale, d = prior.degrees_of_freedom, prior.scale, len(prior.mean)
    for covariance in parameters.covariances[:1] if problem.form.tied else parameters.covariances:
        if problem.form.shape == "full":
            total += float(stats.invwishart(nu, scale).logpdf(covariance))
        elif problem.form.shape == "diagonal":
            total += float(stats.invgamma(nu / 2, scale=np.diag(scale) / 2).logpdf(np.diag(covariance)).sum())
        else:
            total += float(stats.invgamma(nu / 2, scale=np.trace(scale) / d / 2).logpdf(covariance[0, 0]))
    return total
