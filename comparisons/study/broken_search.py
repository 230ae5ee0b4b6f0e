"""EM's search and its standard errors broken in one place each: the steps are right, what is made of them is not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

import em.search.runs
import em.search.starts
import em.uncertainty.curvature
from comparisons.families.mixtures import MixtureProblem
from comparisons.study import settings
from comparisons.study.broken_em import moved_to, reported, steps_replaced, with_fields
from comparisons.study.replaced import everywhere


def ranking_reversed(problem: MixtureProblem, plant: Any) -> list[Any]:
    """Of the runs of a search the worst is returned."""

    def rank(sound: Any, run: Any) -> Any:
        return tuple(-value for value in sound(run))

    return everywhere(em.search.runs.rank, rank)


def prefers_collapsed(problem: MixtureProblem, plant: Any) -> list[Any]:
    """The highest mode that is not regular, although regular ones are known, whenever there is one."""
    plant.active = False

    def change(problem: MixtureProblem, fit: Any, prior: Any, start: Any) -> Any:
        collapsed = [mode for mode in fit.modes if not mode.regular]
        if start is not None or not collapsed or not any(mode.regular for mode in fit.modes):
            return fit
        plant.active = True
        return dataclasses.replace(_kept(problem, fit, collapsed[0].parameters), status="collapsed")

    return reported(change)


def second_of_its_modes(problem: MixtureProblem, plant: Any) -> list[Any]:
    """The second of the regular modes, with the best beside it in the list, whenever there is one."""
    plant.active = False

    def change(problem: MixtureProblem, fit: Any, prior: Any, start: Any) -> Any:
        lesser = [mode for mode in fit.modes if mode.regular][1:]
        if start is not None or not lesser:
            return fit
        plant.active = True
        return _kept(problem, fit, lesser[0].parameters)

    return reported(change)


def _kept(problem: MixtureProblem, fit: Any, parameters: Any) -> Any:
    """The fit as if it had ended elsewhere, all that was found still in its list."""
    return dataclasses.replace(moved_to(problem, fit, parameters), modes=fit.modes)


def one_start(problem: MixtureProblem, plant: Any) -> list[Any]:
    """One start, at which all components are equal and where EM stays."""

    def starts(sound: Any, mixture: Any, *rest: Any, **options: Any) -> Any:
        shares = np.full((1, len(mixture.counts), mixture.n_components), 1.0 / mixture.n_components)
        return mixture.to_vector(mixture.start_from(shares))

    def nowhere(sound: Any, *arguments: Any, **options: Any) -> Any:
        return [], 0

    def none(sound: Any, mixture: Any, *rest: Any, **options: Any) -> Any:
        return np.empty((0, mixture.n_parameters))

    return [
        *everywhere(em.search.starts.starts, starts),
        *everywhere(em.search.runs.climbed_on, nowhere),
        *everywhere(em.search.starts.start_apart, none),
    ]


def lowers(problem: MixtureProblem, plant: Any) -> list[Any]:
    """An M-step that spreads the components' locations by a tenth, so that the objective falls where EM would rest."""

    def m_step(sound: Any, self: Any, statistics: Any) -> Any:
        parameters = sound(self, statistics)
        name = problem.family.variables[0]
        values = getattr(parameters, name)
        centre = values.mean(axis=-settings.part_of(problem.family).own_axes(self)[name], keepdims=True)
        return with_fields(parameters, **{name: centre + 0.9 * (values - centre)})

    return steps_replaced(problem, "m_step", m_step)


def information_times(factor: float) -> Callable[[MixtureProblem, Any], list[Any]]:
    """An observed information this many times what it is; where EM has come to rest it was told before."""

    def planted(problem: MixtureProblem, plant: Any) -> list[Any]:
        plant.active = True

        def curvature(sound: Any, mixture: Any, parameters: Any) -> Any:
            judged = sound(mixture, parameters)
            return dataclasses.replace(judged, information=factor * judged.information)

        return everywhere(em.uncertainty.curvature.curvature, curvature)

    return planted


def complete_data_information(problem: MixtureProblem, plant: Any) -> list[Any]:
    """The information of complete data, as if the components were seen, in place of the observed one."""
    plant.active = True

    def curvature(sound: Any, mixture: Any, parameters: Any) -> Any:
        judged = sound(mixture, parameters)
        complete = em.uncertainty.curvature.derivatives(mixture, parameters)[2]
        complete = np.where(np.isfinite(complete), complete, 0.0)
        return dataclasses.replace(judged, information=judged.basis.T @ complete @ judged.basis)

    return everywhere(em.uncertainty.curvature.curvature, curvature)
