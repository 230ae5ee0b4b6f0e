"""Draws from the prior in canonical order: what the posterior is contracted from."""

from __future__ import annotations

import numpy as np

from comparisons.problem import Prior, Problem
from comparisons.summary.quantities import of_arrays, parameters_of
from models import CoinPrior
from models.covariances import CovarianceForm
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
    arrays = drawn(problem.prior, problem.weights, problem.form, exchangeable, n, random, problem.order)
    return {name: middle_half(values) for name, values in of_arrays(problem, arrays).items()}


def drawn(
    prior: Prior,
    treated: MixtureWeights,
    form: CovarianceForm,
    exchangeable: Integers,
    n: int,
    random: np.random.Generator,
    order: Order = FIRST,
) -> dict[str, Floats]:
    """``n`` draws of weights and parameters by PyMC's names, exchangeable components in canonical order."""
    from scipy import stats

    k, fixed = treated.n_components, treated.fixed
    weights = np.tile(fixed, (n, 1)) if fixed is not None else random.dirichlet(np.full(k, prior.concentration), n)
    arrays: dict[str, Floats] = {"weights": weights}
    if isinstance(prior, CoinPrior):
        arrays["head_probabilities"] = random.beta(prior.heads, prior.tails, size=(n, k))
    else:
        d, matrices = len(prior.mean), 1 if form.tied else k
        nu, scale = prior.degrees_of_freedom, prior.scale
        if form.shape == "full" and d > 1:
            drawn = stats.invwishart(nu, scale).rvs(size=n * matrices, random_state=random)
            covariances = drawn.reshape(n, matrices, d, d)
        else:
            spherical = form.shape == "spherical"
            size = np.array([np.trace(scale) / d]) if spherical else np.diag(scale)
            variances = stats.invgamma(nu / 2).rvs(size=(n, matrices, len(size)), random_state=random) * size / 2
            covariances = np.eye(d) * variances[..., None, :]
        arrays["covariances"] = np.repeat(covariances, k // matrices, axis=1)
        roots = np.linalg.cholesky(arrays["covariances"] / prior.shrinkage)
        arrays["means"] = prior.mean + np.einsum("nkab,nkb->nka", roots, random.normal(size=(n, k, d)))
    permutation = order.permutation(parameters_of(arrays), exchangeable)
    for name, values in arrays.items():
        index = permutation.reshape(n, k, *([1] * (values.ndim - 2)))
        arrays[name] = np.take_along_axis(values, np.broadcast_to(index, values.shape), axis=1)
    return arrays
