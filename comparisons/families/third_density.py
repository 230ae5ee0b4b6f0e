"""A third density, written straight from the declaration with `scipy.stats`: the judge of both engines.

It reads the rows as declared, before anything counted or sorted them, and works out the prior numbers again from them. It
shares nothing with `em` or `models` but the numbers that were declared.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from comparisons.capabilities import Parameters
from comparisons.declared_rows import DeclaredRows
from comparisons.families.family import Setup


def log_likelihood(problem: Setup, parameters: Parameters) -> float:
    """Log-likelihood of all rows, in nats."""
    return sum(_log_likelihood_of(rows, problem, parameters) for rows in problem.declared.parts())


def _log_likelihood_of(rows: DeclaredRows, problem: Setup, parameters: Parameters) -> float:
    joint = np.empty((len(rows.counts), len(parameters.weights)))
    for k, weight in enumerate(parameters.weights):
        log_weight = np.log(weight) if weight > 0 else -np.inf
        density = problem.family.third_density(rows, parameters, k)
        joint[:, k] = np.where((rows.labels == -1) | (rows.labels == k), log_weight + density, -np.inf)
    largest = joint.max(axis=1)
    if not np.isfinite(largest).all():
        return float("-inf") if not np.isnan(largest).any() else float("nan")
    return float(rows.counts @ (largest + np.log(np.exp(joint - largest[:, None]).sum(axis=1))))


def prior_numbers(problem: Setup) -> dict[str, Any]:
    """The numbers of the declared prior or, where there is none, of the family's default worked out from the declared rows."""
    declared = problem.comparison.prior
    if declared is None:
        return problem.family.third_prior_numbers(problem)
    return {name: getattr(declared, name) for name in (*problem.family.prior_numbers, "concentration")}


def log_prior(problem: Setup, parameters: Parameters) -> float:
    """Log prior density on the natural scale."""
    numbers, total = prior_numbers(problem), 0.0
    k = len(parameters.weights)
    if isinstance(problem.comparison.weights, str) and problem.comparison.weights == "free" and k > 1:
        total += float(stats.dirichlet(np.full(k, numbers["concentration"])).logpdf(parameters.weights))
    return total + problem.family.third_log_prior(problem, parameters, numbers)


def rounding(problem: Setup, parameters: Parameters) -> float:
    """Nats by which densities of these data may differ by rounding alone, beyond that of sums of logarithms."""
    return problem.family.third_rounding(problem, parameters)
