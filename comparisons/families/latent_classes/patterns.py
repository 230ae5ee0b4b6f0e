"""Patterns of answers: as tables, expected, and as distances from a fit; and how items go together."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import xlogy

from comparisons.families.family import Setup
from comparisons.families.latent_classes import identification
from comparisons.families.shares import component_shares
from comparisons.results.report_data import Distance
from em.latent_classes import LatentClassMixture
from em.mixture import row_posteriors
from models import ItemResponses, LatentClassParameters
from models.inputs import Floats
from models.mixtures import MixtureWeights

# Pairs of items whose association is told one by one.
MOST_PAIRS = 36


def table(data: ItemResponses, j: int) -> Floats:
    """``(C,)`` rows in each category of an item."""
    return np.asarray([data.counts @ (data.items[:, j] == c) for c in range(data.sizes[j])], dtype=float)


def pair_table(data: ItemResponses, j: int, k: int) -> Floats:
    """``(C_j, C_k)`` rows in each two categories of a pair of items."""
    first, second = (data.items[:, [item]] == np.arange(data.sizes[item]) for item in (j, k))
    return np.asarray((first * data.counts[:, None]).T.astype(float) @ second)


def pearson(observed: Floats, expected: Floats) -> float:
    """X2, the sum of (observed - expected)^2 / expected; a cell that cannot occur and did not adds nothing."""
    return float(np.divide((observed - expected) ** 2, expected, out=np.zeros_like(expected), where=expected > 0).sum())


def residual(data: ItemResponses, of: LatentClassParameters, j: int, k: int) -> float:
    """Bivariate residual: X2 of the table of two items from the one that a fit expects, over its degrees of freedom."""
    observed = pair_table(data, j, k)
    both = data.counts * data.observed[:, j] * data.observed[:, k]
    shares = both @ component_shares(of.weights, data.labels)
    p = of.item_probabilities
    expected = np.einsum("c,ca,cb->ab", shares, p[:, j, : data.sizes[j]], p[:, k, : data.sizes[k]])
    return pearson(observed, expected) / float((data.sizes[j] - 1) * (data.sizes[k] - 1))


def pairs(data: ItemResponses) -> list[tuple[int, int]]:
    """All pairs of items."""
    return list(itertools.combinations(range(len(data.sizes)), 2))


def of_patterns(data: ItemResponses, of: LatentClassParameters) -> tuple[Floats, Floats, float]:
    """Rows seen and expected of each pattern that was seen, and rows expected of all others.

    Rows with the same items missing and the same label are a table of their own.
    """
    seen = data.distinct()
    mixture = LatentClassMixture(seen, MixtureWeights(of.n_components, None), None)
    log_likelihoods = row_posteriors(mixture, mixture.from_published(of))[1]
    place = np.unique(np.column_stack([seen.labels, seen.observed]), axis=0, return_inverse=True)[1]
    rows = np.bincount(place.ravel(), weights=seen.counts)[place.ravel()]
    known = np.where(seen.labels < 0, 1.0, of.weights[np.maximum(seen.labels, 0)])
    expected = rows * np.exp(log_likelihoods) / known
    return seen.counts.astype(float), expected, max(float(seen.n - expected.sum()), 0.0)


def distances(
    problem: Setup,
    fit: LatentClassParameters,
    refits: Sequence[tuple[ItemResponses, LatentClassParameters]],
    placed: Any,
) -> list[Distance]:
    """Pearson's X2 and the likelihood ratio over patterns, and the largest residual of a pair of items."""
    free = identification.freedom(problem)

    def x2(pair: tuple[Floats, Floats, float]) -> float:
        observed, expected, unseen = pair
        return pearson(observed, expected) + unseen

    def g2(pair: tuple[Floats, Floats, float]) -> float:
        observed, expected, _ = pair
        return float(2 * xlogy(observed, observed / expected).sum())

    observed, drawn = of_patterns(problem.data, fit), [of_patterns(*refit) for refit in refits]
    found = [placed(name, of, observed, drawn) for name, of in (("Pearson X²", x2), ("likelihood ratio G²", g2))]
    found = [replace(each, degrees_of_freedom=free) for each in found]
    every = pairs(problem.data)
    if not every:
        return found

    def largest(refit: tuple[ItemResponses, LatentClassParameters]) -> float:
        return max(residual(*refit, j, k) for j, k in every)

    names = problem.data.names
    j, k = max(every, key=lambda pair: residual(problem.data, fit, *pair))
    name = f"largest bivariate residual, of {names[j]} and {names[k]}"
    return [*found, placed(name, largest, (problem.data, fit), list(refits))]


def nothing_to_test(problem: Setup) -> str | None:
    """Return why the data cannot contradict the model, None where they can."""
    free = identification.freedom(problem)
    if free is None or free > 0:
        return None
    return (
        "The model is saturated: it has as many parameters that these items can tell of as there are free frequencies of "
        "patterns, so nothing is left over to test it with."
    )


def associations(data: ItemResponses) -> dict[str, float]:
    """Cramér's V of each pair of items, the largest alone where there are many: within a class it would be 0."""
    names = data.names
    found = {f"association of {names[j]} and {names[k]}": _cramer(pair_table(data, j, k)) for j, k in pairs(data)}
    if len(found) > MOST_PAIRS:
        values = np.array(list(found.values()))
        found = {"largest association of two items": values.max(), "mean association of two items": values.mean()}
    return {name: float(value) for name, value in found.items()}


def _cramer(observed: Floats) -> float:
    total = observed.sum()
    expected = observed.sum(axis=1)[:, None] * observed.sum(axis=0) / max(total, 1.0)
    return float(np.sqrt(pearson(observed, expected) / max(total * (min(observed.shape) - 1), 1.0)))
