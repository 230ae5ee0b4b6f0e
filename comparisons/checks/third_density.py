"""A third density, written straight from the declaration with `scipy.stats`: the judge of both engines.

It reads the rows as declared, before anything counted or sorted them, and works out the prior numbers again from them. It
shares nothing with `em` or `models` but the numbers that were declared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats
from scipy.special import gammaln, xlogy

from comparisons.declared_rows import DeclaredRows
from comparisons.problem import Parameters, Problem
from models import CoinParameters, CoinPrior, GaussianParameters
from models.inputs import Floats

# Tosses above which logarithms of factorials lose digits to one another.
MANY_TOSSES = 1000


def log_likelihood(problem: Problem, parameters: Parameters) -> float:
    """Log-likelihood of all rows, in nats."""
    rows = problem.declared
    joint = np.empty((len(rows.counts), len(parameters.weights)))
    unit = _unit(rows)
    for k, weight in enumerate(parameters.weights):
        log_weight = np.log(weight) if weight > 0 else -np.inf
        if isinstance(parameters, CoinParameters):
            density = binomial(rows.columns[:, 0], rows.columns[:, 1], float(parameters.head_probabilities[k]))
        else:
            density = _normal(rows.columns, parameters.means[k], parameters.covariances[k], unit)
        joint[:, k] = np.where((rows.labels == -1) | (rows.labels == k), log_weight + density, -np.inf)
    largest = joint.max(axis=1)
    if not np.isfinite(largest).all():
        return float("-inf") if not np.isnan(largest).any() else float("nan")
    return float(rows.counts @ (largest + np.log(np.exp(joint - largest[:, None]).sum(axis=1))))


def binomial(heads: Floats, tosses: Floats, p: float) -> Floats:
    """Log probability of heads; of many tosses by their deviance (Loader 2000), which subtracts no large numbers."""
    many = tosses > MANY_TOSSES
    few = stats.binom.logpmf(heads, np.where(many, heads, tosses), p)
    if not many.any():
        return np.asarray(few)
    tails, q = tosses - heads, 1 - p
    with np.errstate(all="ignore"):
        away = _deviance(heads, tosses * p, heads - tosses * p) + _deviance(tails, tosses * q, tosses * p - heads)
        inside = (
            _stirling(tosses) - _stirling(heads) - _stirling(tails)
            - away + 0.5 * np.log(tosses / (2 * np.pi * heads * tails))
        )  # fmt: skip
    ends = xlogy(heads, p) + tails * np.log1p(-p) if p < 1 else np.where(tails == 0, 0.0, -np.inf)
    at_an_end = (heads == 0) | (tails == 0)
    return np.where(many, np.where(at_an_end, ends, inside), few)


def _deviance(seen: Floats, expected: Floats, excess: Floats) -> Floats:
    """``seen log(seen / expected) + expected - seen``."""
    share = excess / expected
    return np.where(expected > 0, expected * ((1 + share) * np.log1p(share) - share), np.inf)


def _stirling(n: Floats) -> Floats:
    """Log of a factorial less Stirling's approximation of it."""
    series = 1 / (12 * n) - 1 / (360 * n**3) + 1 / (1260 * n**5)
    # From 64 on the next term of the series is below the rounding of the first.
    return np.where(n < 64, gammaln(n + 1) - (n + 0.5) * np.log(n) + n - 0.5 * np.log(2 * np.pi), series)


def _unit(rows: DeclaredRows) -> float:
    """One number by which measurements are divided, so that squares neither overflow nor vanish."""
    return float(rows.spread.max())


def _normal(y: Floats, mean: Floats, covariance: Floats, unit: float) -> Floats:
    """Log density ``(n,)`` of a normal distribution."""
    root = np.linalg.cholesky(covariance / unit / unit)
    normal = stats.multivariate_normal(cov=stats.Covariance.from_cholesky(root))
    return np.asarray(np.atleast_1d(normal.logpdf((y - mean) / unit)) - len(mean) * np.log(unit))


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorNumbers:
    """The numbers of a prior by name; those of the other family are None."""

    concentration: float
    heads: Any = None
    tails: Any = None
    mean: Any = None
    shrinkage: Any = None
    degrees_of_freedom: Any = None
    scale: Any = None


def prior_numbers(problem: Problem) -> PriorNumbers:
    """The declared prior or, where there is none, the default of the family worked out from the declared rows."""
    c, rows = problem.comparison, problem.declared
    declared = c.prior
    if isinstance(declared, CoinPrior):
        return PriorNumbers(concentration=declared.concentration, heads=declared.heads, tails=declared.tails)
    if declared is not None:
        return PriorNumbers(
            concentration=declared.concentration,
            mean=declared.mean,
            shrinkage=declared.shrinkage,
            degrees_of_freedom=declared.degrees_of_freedom,
            scale=declared.scale,
        )
    if not c.features:
        return PriorNumbers(concentration=1.0, heads=1.0, tails=1.0)
    d, k, n = len(c.features), len(c.components), rows.counts.sum()
    z = (rows.columns - rows.mean) / rows.spread
    covariance = np.empty((d, d))
    for a in range(d):
        for b in range(d):
            # The mean is rounded; what it is off by is taken from the sum of products.
            products = rows.counts @ (z[:, a] * z[:, b]) - (rows.counts @ z[:, a]) * (rows.counts @ z[:, b]) / n
            covariance[a, b] = products / (n - 1) * rows.spread[a] * rows.spread[b]
    return PriorNumbers(
        concentration=2.0,
        mean=rows.mean,
        shrinkage=1 / 20,
        degrees_of_freedom=d + 4.0,
        scale=covariance * np.exp(-2 / d * np.log(k)),
    )


def log_prior(problem: Problem, parameters: Parameters) -> float:
    """Log prior density on the natural scale of weights, head probabilities or means, and covariances."""
    prior, total = prior_numbers(problem), 0.0
    k = len(parameters.weights)
    if isinstance(problem.comparison.weights, str) and problem.comparison.weights == "free" and k > 1:
        total += float(stats.dirichlet(np.full(k, prior.concentration)).logpdf(parameters.weights))
    if isinstance(parameters, CoinParameters):
        return total + float(stats.beta.logpdf(parameters.head_probabilities, prior.heads, prior.tails).sum())
    return total + _normal_prior(problem, parameters, prior)


def _normal_prior(problem: Problem, parameters: GaussianParameters, prior: PriorNumbers) -> float:
    """Log density of means and covariances, by a unit as of the rows."""
    unit, total, d = _unit(problem.declared), 0.0, len(prior.mean)
    for mean, covariance in zip(parameters.means, parameters.covariances, strict=True):
        total += float(_normal(mean[None], prior.mean, covariance / prior.shrinkage, unit)[0])
    nu, scale, log_unit = prior.degrees_of_freedom, prior.scale / unit / unit, np.log(unit)
    form = str(problem.comparison.covariance)
    for covariance in parameters.covariances[:1] if form.startswith("tied") else parameters.covariances:
        own = covariance / unit / unit
        if form.endswith("diagonal"):
            total += float(stats.invgamma(nu / 2, scale=np.diag(scale) / 2).logpdf(np.diag(own)).sum())
            total -= 2 * d * log_unit
        elif form.endswith("spherical"):
            total += float(stats.invgamma(nu / 2, scale=np.trace(scale) / d / 2).logpdf(own[0, 0])) - 2 * log_unit
        else:
            total += float(stats.invwishart(nu, scale).logpdf(own)) - d * (d + 1) * log_unit
    return total


def rounding(problem: Problem, parameters: Parameters) -> float:
    """Nats by which densities of these data may differ by rounding alone, beyond that of sums of logarithms.

    Logarithms of large factorials lose digits to one another, and so do squared distances where a covariance is near singular.
    """
    rows, eps = problem.declared, np.finfo(float).eps
    if isinstance(parameters, CoinParameters):
        return float(4 * eps * (rows.counts @ gammaln(rows.columns[:, 1] + 1)))
    worst = 0.0
    for mean, covariance in zip(parameters.means, parameters.covariances, strict=True):
        deviations = np.sqrt(np.diag(covariance))
        distances = (((rows.columns - mean) / deviations) ** 2).sum(axis=1)
        condition = np.linalg.cond(covariance / deviations / deviations[:, None])
        worst = max(worst, float(4 * eps * condition * (rows.counts @ (1 + distances))))
    return worst
