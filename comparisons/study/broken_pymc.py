"""PyMC's side broken in one place each: prior, likelihood or data are not the declared ones."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np

import models.gaussians.normal_distribution
import models.mixture_distribution
from comparisons.families.mixtures import MixtureProblem
from comparisons.study import settings
from comparisons.study.broken_em import as_if_ended, some_rows
from comparisons.study.replaced import everywhere

if TYPE_CHECKING:
    import pymc as pm


def _of_another(change: Any) -> list[Any]:
    """The PyMC model of a problem that is not the declared one."""
    sound = MixtureProblem.model
    return [patch.object(MixtureProblem, "model", lambda self: sound(change(self)))]


def other_prior(problem: MixtureProblem, plant: Any) -> list[Any]:
    """Beta(2, 2) in place of the uniform, or twice the scale."""
    other = settings.part_of(problem.family).other_prior(problem.prior)
    return _of_another(lambda declared: dataclasses.replace(declared, prior=other))


def row_dropped(problem: MixtureProblem, plant: Any) -> list[Any]:
    """All observations but one."""
    data = problem.data
    counts = np.array(data.counts)
    counts[-1] -= 1
    fewer = some_rows(data, counts > 0, counts)
    return _of_another(lambda declared: dataclasses.replace(declared, data=fewer))


def censoring_ignored(problem: MixtureProblem, plant: Any) -> list[Any]:
    """Every wait as if it had ended."""
    return _of_another(lambda declared: dataclasses.replace(declared, data=as_if_ended(declared.data)))


def sd_for_variance(problem: MixtureProblem, plant: Any) -> list[Any]:
    """The likelihood takes the variance for the standard deviation."""
    sound = models.gaussians.normal_distribution.diagonal_logp

    def logp(y: Any, weights: Any, means: Any, deviations: Any, *rest: Any) -> Any:
        return sound(y, weights, means, deviations**2, *rest)

    return [patch.object(models.gaussians.normal_distribution, "diagonal_logp", logp)]


def weights_not_normalised(problem: MixtureProblem, plant: Any) -> list[Any]:
    """Weights that sum to the number of components."""
    shift = float(np.log(problem.comparison.n_components))

    def density(sound: Any, log_weights: Any, *rest: Any) -> Any:
        return sound(log_weights + shift, *rest)

    return everywhere(models.mixture_distribution.mixture_log_density, density)


def _model(change: Callable[[pm.Model, MixtureProblem], None]) -> list[Any]:
    """The declared PyMC model, changed once it is built."""
    sound = MixtureProblem.model

    def model(self: MixtureProblem) -> pm.Model:
        made = sound(self)
        change(made, self)
        return made

    return [patch.object(MixtureProblem, "model", model)]


def _locations(model: pm.Model, problem: MixtureProblem) -> Any:
    """``(K,)`` the first number of each component."""
    variable = model[problem.family.variables[0]]
    return variable[(slice(None), *[0] * (variable.ndim - 1))]


def potential(problem: MixtureProblem, plant: Any) -> list[Any]:
    """A potential that pulls the locations towards each other, a tenth of a nat for each unit squared."""

    def add(model: pm.Model, problem: MixtureProblem) -> None:
        import pymc as pm

        with model:
            pm.Potential("pull", -0.1 * (_locations(model, problem) ** 2).sum())

    return _model(add)


def ordering(problem: MixtureProblem, plant: Any) -> list[Any]:
    """Components have to ascend, by a potential without the K! that belongs to it."""

    def add(model: pm.Model, problem: MixtureProblem) -> None:
        import pymc as pm
        import pytensor.tensor as pt

        with model:
            places = _locations(model, problem)
            pm.Potential("ascending", pt.switch(pt.all(places[1:] > places[:-1]), 0.0, -np.inf))

    return _model(add)


def jacobian_dropped(problem: MixtureProblem, plant: Any) -> list[Any]:
    """The transforms without the log of their Jacobians."""

    def drop(model: pm.Model, _: MixtureProblem) -> None:
        for variable, transform in model.rvs_to_transforms.items():
            if transform is not None:
                # A copy: the transforms of PyMC's own distributions are shared by all models.
                broken = copy.copy(transform)
                broken.log_jac_det = _nothing(transform.log_jac_det)
                model.rvs_to_transforms[variable] = broken

    return _model(drop)


def _nothing(sound: Callable[..., Any]) -> Callable[..., Any]:
    return lambda value, *inputs: 0.0 * sound(value, *inputs)


def weights_at_zero(problem: MixtureProblem, plant: Any) -> list[Any]:
    """Weights are those where the concomitants are 0, not at their average."""

    def move(model: pm.Model, _: MixtureProblem) -> None:
        average = model["average_concomitants"]
        average.set_value(np.zeros_like(average.get_value()))

    return _model(move)


def weights_left_free(problem: MixtureProblem, plant: Any) -> list[Any]:
    """Weights that are declared to be equal are free."""
    return _of_another(
        lambda declared: dataclasses.replace(
            declared, comparison=dataclasses.replace(declared.comparison, weights="free")
        )
    )
