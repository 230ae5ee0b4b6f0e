"""Independent draws of posteriors that are known: the component of every row is, so each has a conjugate one of its own."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import xarray as xr

from comparisons.families.mixtures import MixtureProblem
from models import CoinPrior, CoinTosses, GaussianPrior, LogPosterior, Measurements
from tests.declared import declare

DRAWS = (4, 500)


def coins() -> MixtureProblem:
    random = np.random.default_rng(1)
    z = np.arange(200) % 2
    return declare(
        CoinTosses(random.binomial(20, np.array([0.4, 0.6])[z]), 20, labels=z), prior=CoinPrior(2.0, 2.0, 2.0)
    )


def normals() -> MixtureProblem:
    random = np.random.default_rng(2)
    z = np.arange(1000) % 2
    prior = GaussianPrior([0.0], 0.05, 5.0, [[3.0]], 2.0)
    return declare(Measurements(random.normal(np.array([-1.5, 1.5])[z]), labels=z), prior=prior)


def conjugate_draws(problem: MixtureProblem, random: np.random.Generator) -> dict[str, Any]:
    """Independent draws of the posterior, the component of every row being known."""
    data, prior = problem.data, problem.prior
    counts = np.bincount(data.labels, weights=data.counts)
    draws: dict[str, Any] = {"weights": random.dirichlet(counts + prior.concentration, DRAWS)}
    own = [data.labels == k for k in range(2)]
    if isinstance(data, CoinTosses) and isinstance(prior, CoinPrior):
        heads = [(data.counts * data.heads)[rows].sum() for rows in own]
        tails = [(data.counts * (data.tosses - data.heads))[rows].sum() for rows in own]
        p = [random.beta(prior.heads + h, prior.tails + t, DRAWS) for h, t in zip(heads, tails, strict=True)]
        return {**draws, "head_probabilities": np.stack(p, axis=-1)}
    assert isinstance(data, Measurements)
    assert isinstance(prior, GaussianPrior)
    means, variances = [], []
    for k, rows in enumerate(own):
        y, n = data.y[rows, 0], counts[k]
        mean = np.average(y, weights=data.counts[rows])
        kappa = prior.shrinkage + n
        squares = data.counts[rows] @ (y - mean) ** 2 + prior.shrinkage * n / kappa * (mean - prior.mean[0]) ** 2
        scale = (prior.scale[0, 0] + squares) / 2
        variance = scale / random.gamma((prior.degrees_of_freedom + n) / 2, size=DRAWS)
        centre = (prior.shrinkage * prior.mean[0] + n * mean) / kappa
        means.append(random.normal(centre, np.sqrt(variance / kappa)))
        variances.append(variance)
    v = np.stack(variances, axis=-1)
    return {
        **draws,
        "means": np.stack(means, axis=-1)[..., None],
        "variances": v[..., None],
        "covariances": v[..., None, None],
    }


@cache
def density(make: Callable[[], MixtureProblem]) -> LogPosterior:
    return LogPosterior(make().model())


@cache
def tree(make: Callable[[], MixtureProblem]) -> xr.DataTree:
    """The draws as a sampler returns them, with the density that it would have recorded."""
    problem, random = make(), np.random.default_rng(zlib.crc32(make.__name__.encode()))
    draws, log_posterior = conjugate_draws(problem, random), density(make)
    logp = np.empty(DRAWS)
    for place in np.ndindex(*DRAWS):
        x = log_posterior.unconstrained({name: draws[name][place] for name in log_posterior.names})
        logp[place] = sum(log_posterior.parts(x))
    dims = ("component", "feature", "feature_2")
    posterior = {name: (("chain", "draw", *dims[: values.ndim - 2]), values) for name, values in draws.items()}
    statistics = {
        "logp": logp,
        "energy": random.normal(size=DRAWS),
        "max_energy_error": random.normal(size=DRAWS),
        "diverging": np.zeros(DRAWS, dtype=bool),
    }
    kept = {name: (("chain", "draw"), values) for name, values in statistics.items()}
    return xr.DataTree.from_dict({"posterior": xr.Dataset(posterior), "sample_stats": xr.Dataset(kept)})
