"""What both engines share broken in one place each, and what the comparison makes of what they found.

Both engines are given the same wrong numbers, so that they agree with each other: only what was declared can tell.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import numpy as np

import models.mixtures
from comparisons import quantities
from comparisons.families.mixtures import MixtureProblem
from comparisons.posterior import nuts
from comparisons.study import settings
from comparisons.study.broken_em import with_rows
from comparisons.study.replaced import everywhere
from comparisons.summary import adequacy
from models import GaussianPrior

WRONG_SHRINKAGE = 1.0


def _distinct(problem: MixtureProblem, change: Callable[[Any], Any]) -> list[Any]:
    """Rows counted otherwise than they are, before either engine sees them; those of this family alone."""
    kind = problem.family.data
    sound = kind.distinct
    return [patch.object(kind, "distinct", lambda self: change(sound(self)))]


def merges_rows(problem: MixtureProblem, plant: Any) -> list[Any]:
    """Bags of equal heads are one, whatever their tosses; rows that are near each other are one."""

    def merged(rows: Any) -> Any:
        keys = settings.part_of(problem.family).near(problem.family.columns(rows))
        _, first, place = np.unique(
            np.column_stack([rows.labels, keys]), axis=0, return_index=True, return_inverse=True
        )
        counts = np.bincount(place.ravel(), weights=rows.counts).astype(np.int64)
        return with_rows(rows, problem.family.columns(rows)[first], counts, rows.labels[first])

    return _distinct(problem, merged)


def drops_counts(problem: MixtureProblem, plant: Any) -> list[Any]:
    """Every distinct row counts once."""
    return _distinct(problem, lambda rows: with_rows(rows, counts=np.ones_like(rows.counts)))


def sorts_columns_apart(problem: MixtureProblem, plant: Any) -> list[Any]:
    """Each column is sorted by itself."""

    def sorted_apart(rows: Any) -> Any:
        return with_rows(rows, np.sort(problem.family.columns(rows), axis=0))

    return _distinct(problem, sorted_apart)


def wrong_shrinkage(problem: MixtureProblem, plant: Any) -> list[Any]:
    """The default prior with another shrinkage than it says it has."""
    sound = GaussianPrior.weakly_informative

    def broken(*arguments: Any, **options: Any) -> GaussianPrior:
        prior = sound(*arguments, **options)
        return GaussianPrior(prior.mean, WRONG_SHRINKAGE, prior.degrees_of_freedom, prior.scale, prior.concentration)

    return [patch.object(GaussianPrior, "weakly_informative", broken)]


def wrong_canonical_order(problem: MixtureProblem, plant: Any) -> list[Any]:
    """Components descend."""

    def descending(sound: Any, keys: Any, groups: Any) -> Any:
        return sound(-np.asarray(keys, dtype=np.float64), groups)

    return everywhere(models.mixtures.canonical_permutation, descending)


def variances_for_deviations(problem: MixtureProblem, plant: Any) -> list[Any]:
    """Variances stand where standard deviations are named; of several features roots where variances are."""
    sound = MixtureProblem.quantities

    def broken(asked: MixtureProblem, arrays: Any) -> Any:
        found = sound(asked, arrays)
        for name, values in found.items():
            variable, _, place = name.partition("[")
            labels = place.rstrip("]").split(", ")
            if variable == "standard_deviations":
                found[name] = values**2
            elif variable == "covariances" and labels[-1] == labels[-2]:
                found[name] = np.sqrt(values)
        return found

    return [patch.object(MixtureProblem, "quantities", broken)]


def errors_of_others(problem: MixtureProblem, plant: Any) -> list[Any]:
    """The table prints each standard error in the row of the quantity before."""

    def standard_errors(sound: Any, *arguments: Any, **options: Any) -> Any:
        found = sound(*arguments, **options)
        return dict(zip(found, [*list(found.values())[1:], next(iter(found.values()))], strict=True))

    return everywhere(quantities.standard_errors, standard_errors)


def labels_rotated(problem: MixtureProblem, plant: Any) -> list[Any]:
    """All parameters of the draws are read under the name of the next component."""
    sound = nuts.canonical

    def rotated(asked: MixtureProblem, tree: Any, groups: Any) -> Any:
        posterior = sound(asked, tree, groups)
        turned = {
            name: (v.dims, np.roll(v.values, 1, axis=v.dims.index("component")))
            for name, v in posterior.data_vars.items()
            if "component" in v.dims
        }
        return posterior.assign(turned)

    return [patch.object(nuts, "canonical", rotated)]


def no_number(column: str) -> Callable[[MixtureProblem, Any], list[Any]]:
    """One statistic of one quantity, of those that ArviZ summarises, is no number when it is judged."""

    def planted(problem: MixtureProblem, plant: Any) -> list[Any]:
        def described(sound: Any, *arguments: Any) -> Any:
            drawn = sound(*arguments)
            drawn.summary.loc[drawn.summary.index[0], column] = np.nan
            return drawn

        return everywhere(described, described)

    return planted


def no_estimate(name: str) -> Callable[[MixtureProblem, Any], list[Any]]:
    """Of the first quantity one of the points at which EM tells it is no number when it is judged."""

    def planted(problem: MixtureProblem, plant: Any) -> list[Any]:
        import dataclasses

        first: list[str] = []

        def judge(sound: Any, quantity: str, kind: Any, points: Any, *rest: Any) -> Any:
            first[:] = first or [quantity]
            if quantity == first[0]:
                points = dataclasses.replace(points, **{name: np.nan})
            return sound(quantity, kind, points, *rest)

        return everywhere(adequacy.judge, judge)

    return planted
