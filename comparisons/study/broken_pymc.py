"""PyMC's side broken in one place each: prior, likelihood or data are not the declared ones."""

from __future__ import annotations

import dataclasses
from typing import Any
from unittest.mock import patch

import numpy as np

import models.coins
import models.normal_distribution
from comparisons.engines import Problem
from comparisons.study.broken_em import with_rows
from models import CoinPrior, CoinTosses


def _of_another(change: Any) -> list[Any]:
    """The PyMC model of a problem that is not the declared one."""
    sound = Problem.model
    return [patch.object(Problem, "model", lambda self: sound(change(self)))]


def other_prior(problem: Problem, plant: Any) -> list[Any]:
    """Beta(2, 2) in place of the uniform, or twice the scale."""
    prior = problem.prior
    if isinstance(prior, CoinPrior):
        other: Any = dataclasses.replace(prior, heads=prior.heads + 1, tails=prior.tails + 1)
    else:
        other = dataclasses.replace(prior, scale=2 * prior.scale)
    return _of_another(lambda declared: dataclasses.replace(declared, prior=other))


def row_dropped(problem: Problem, plant: Any) -> list[Any]:
    """All observations but one."""
    data = problem.data
    counts = np.array(data.counts)
    counts[-1] -= 1
    kept = counts > 0
    names = ("heads", "tosses", "labels") if isinstance(data, CoinTosses) else ("y", "labels")
    fewer = with_rows(data, counts=counts[kept], **{name: getattr(data, name)[kept] for name in names})
    return _of_another(lambda declared: dataclasses.replace(declared, data=fewer))


def sd_for_variance(problem: Problem, plant: Any) -> list[Any]:
    """The likelihood takes the variance for the standard deviation."""
    sound = models.normal_distribution.diagonal_logp

    def logp(y: Any, weights: Any, means: Any, deviations: Any, *rest: Any) -> Any:
        return sound(y, weights, means, deviations**2, *rest)

    return [patch.object(models.normal_distribution, "diagonal_logp", logp)]


def weights_not_normalised(problem: Problem, plant: Any) -> list[Any]:
    """Weights that sum to the number of components."""
    shift = float(np.log(problem.comparison.n_components))
    found = []
    for module in (models.coins, models.normal_distribution):
        sound = module.mixture_log_density

        def density(log_weights: Any, *rest: Any, sound: Any = sound) -> Any:
            return sound(log_weights + shift, *rest)

        found.append(patch.object(module, "mixture_log_density", density))
    return found
