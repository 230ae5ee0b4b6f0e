"""Draws from the prior in canonical order: what the posterior is contracted from."""

from __future__ import annotations

import numpy as np

from comparisons.declaration import Comparison
from comparisons.problem import Family, Prior, Problem
from comparisons.quantities import of_arrays
from models.inputs import Floats, Integers
from models.mixtures import MixtureWeights
from models.order import FIRST, Order


def middle_half(values: Floats) -> float:
    """Interquartile range, which priors have whose standard deviation is infinite or told badly by any number of draws."""
    low, high = np.quantile(values, [0.25, 0.75])
    return float(high - low)


def prior_spreads(
    problem: Problem, exchangeable: Integers, random: np.random.Generator, n: int = 4000
) -> dict[str, float]:
    """Interquartile range of every quantity under the prior, components in canonical order."""
    arrays = drawn(problem.family, problem.comparison, problem.prior, exchangeable, n, random, problem.order)
    return {name: middle_half(values) for name, values in of_arrays(problem, arrays).items()}


def drawn(
    family: Family,
    comparison: Comparison,
    prior: Prior,
    exchangeable: Integers,
    n: int,
    random: np.random.Generator,
    order: Order = FIRST,
) -> dict[str, Floats]:
    """``n`` draws of weights and parameters by PyMC's names, exchangeable components in canonical order."""
    k = comparison.n_components
    fixed = MixtureWeights.of(comparison.weights, k).fixed
    weights = np.tile(fixed, (n, 1)) if fixed is not None else random.dirichlet(np.full(k, prior.concentration), n)
    arrays = {"weights": weights, **family.prior_draws(comparison, prior, n, random)}
    permutation = order.permutation(family.of_arrays(arrays), exchangeable)
    for name, values in arrays.items():
        index = permutation.reshape(n, k, *([1] * (values.ndim - 2)))
        arrays[name] = np.take_along_axis(values, np.broadcast_to(index, values.shape), axis=1)
    return arrays
