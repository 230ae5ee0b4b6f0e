"""Head counts: as tables, expected, replicated, and as distances from a fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import bdtr, gammaln, xlog1py, xlogy

from comparisons.families.family import Setup
from comparisons.families.shares import component_shares
from comparisons.results.report_data import Distance
from em.coins.mixture import CoinMixture
from em.coins.steps import log_densities
from models import CoinParameters, CoinTosses
from models.inputs import Floats, Integers

# A table of head counts with more cells holds next to no bag in any.
MOST_CELLS = 5000


def replicates(data: CoinTosses, every: Iterable[CoinParameters], random: np.random.Generator) -> Iterator[CoinTosses]:
    """Draw one table of head counts at each of the parameters, given the bags' sizes and the labels that are known."""
    cells = outcomes(data)
    for parameters in every:
        counts = _drawn_counts(cells, outcome_probabilities(parameters, cells), random)
        yield CoinTosses(cells.heads, cells.tosses, counts, cells.labels)


def outcomes(tosses: CoinTosses) -> CoinTosses:
    """Every head count that bags of each size and label could show, with how many did: the cells of the data as a table."""
    seen = tosses.distinct()
    groups = np.unique(np.column_stack([seen.labels, seen.tosses]), axis=0)
    labels, sizes = np.repeat(groups, groups[:, 1] + 1, axis=0).T
    heads = np.concatenate([np.arange(size + 1) for size in groups[:, 1]])
    every = CoinTosses(
        np.concatenate([heads, seen.heads]),
        np.concatenate([sizes, seen.tosses]),
        np.concatenate([np.zeros_like(heads), seen.counts]),
        np.concatenate([labels, seen.labels]),
    )
    rows = np.column_stack([every.labels, every.tosses, every.heads])
    place = np.unique(rows, axis=0, return_inverse=True)[1].ravel()
    counts = np.bincount(place, weights=every.counts).astype(np.int64)
    return CoinTosses(heads, sizes, counts, labels)


def groups_of(cells: CoinTosses) -> Integers:
    """``(n_cells,)`` which group of equal bags each cell belongs to; a group begins with no heads."""
    return np.cumsum(cells.heads == 0) - 1


def outcome_probabilities(parameters: CoinParameters, cells: CoinTosses) -> Floats:
    """``(n_cells,)`` probability of each head count in a bag of its size and label."""
    return np.asarray(
        (component_shares(parameters.weights, cells.labels) * np.exp(log_densities(parameters, cells))).sum(axis=1)
    )


def _drawn_counts(cells: CoinTosses, probabilities: Floats, random: np.random.Generator) -> Integers:
    groups = groups_of(cells)
    bags = np.bincount(groups, weights=cells.counts).astype(np.int64)
    drawn = []
    for group, n in enumerate(bags):
        chances = probabilities[groups == group]
        drawn.append(random.multinomial(n, chances / chances.sum()))
    return np.concatenate(drawn)


def nothing_to_test(problem: Setup) -> str | None:
    """Return why the data cannot contradict the model, None where they can."""
    groups = np.unique(np.column_stack([problem.data.labels, problem.data.tosses]), axis=0)
    if (groups[:, 1] + 1).sum() > MOST_CELLS:
        return f"The bags could show more than {MOST_CELLS} different head counts, next to none of them seen twice."
    if freedom(problem) > 0:
        return None
    return (
        "The model is saturated: it has as many parameters that these bags can tell of as there are free frequencies of head "
        "counts, so nothing is left over to test it with."
    )


def freedom(problem: Setup) -> int:
    """Degrees of freedom: cells of the table of head counts, less the groups of equal bags and the parameters identified.

    Identified is what moves a probability of a cell, at parameters in general position.
    """
    cells = outcomes(problem.data)
    mixture = CoinMixture(problem.data, problem.weights, None)
    random, k, held = np.random.default_rng(0), mixture.n_components, problem.weights.fixed
    weights = random.dirichlet(np.full(k, 2.0)) if held is None else held
    point = CoinParameters(weights, random.beta(2, 2, size=k))
    p, h, t = point.head_probabilities, cells.heads[:, None], cells.tosses[:, None]
    densities = np.exp(log_densities(point, cells))
    by_weights = np.where(cells.labels[:, None] < 0, densities, 0.0)
    by_heads = component_shares(point.weights, cells.labels) * densities * (h - t * p) / (p * (1 - p))
    identified = np.linalg.matrix_rank(np.hstack([by_weights, by_heads]) @ mixture.basis)
    return int(len(cells.heads) - groups_of(cells).max() - 1 - identified)


def pearson(observed: Floats, expected: Floats) -> float:
    """X2, the sum of (observed - expected)^2 / expected; a cell that cannot occur and did not adds nothing."""
    return float(np.divide((observed - expected) ** 2, expected, out=np.zeros_like(expected), where=expected > 0).sum())


def likelihood_ratio(observed: Floats, expected: Floats) -> float:
    """G2, twice the log-likelihood that the data would gain by cells of their own."""
    ratio = np.divide(observed, expected, out=np.ones_like(expected), where=observed > 0)
    return float(2 * xlogy(observed, ratio).sum())


def distances(
    problem: Setup, fit: CoinParameters, refits: Sequence[tuple[CoinTosses, CoinParameters]], placed: Any
) -> list[Distance]:
    """Pearson's X2 and the likelihood ratio of the data and of replicates, each from its own fit."""

    def table(tosses: CoinTosses, of: CoinParameters) -> tuple[Floats, Floats]:
        cells = outcomes(tosses)
        groups = groups_of(cells)
        bags = np.bincount(groups, weights=cells.counts)[groups]
        return cells.counts.astype(float), bags * outcome_probabilities(of, cells)

    observed, drawn = table(problem.data, fit), [table(*refit) for refit in refits]
    return [
        replace(placed(name, lambda pair, d=distance: d(*pair), observed, drawn), degrees_of_freedom=freedom(problem))
        for name, distance in (("Pearson X²", pearson), ("likelihood ratio G²", likelihood_ratio))
    ]


def statistics(data: CoinTosses) -> dict[str, float]:
    """How much shares of heads vary between bags, and the smallest and largest."""
    seen = data.counts > 0
    equal = (data.tosses == data.tosses[0]).all()
    share = (data.heads / data.tosses)[seen]
    mean = np.average(share, weights=data.counts[seen])
    size, what = (int(data.tosses[0]), "head count") if equal else (1, "share of heads")
    return {
        "variance of the share of heads": float(np.average((share - mean) ** 2, weights=data.counts[seen])),
        f"smallest {what}": float(np.round(share.min() * size, 12)),
        f"largest {what}": float(np.round(share.max() * size, 12)),
    }


def expected(data: CoinTosses, weights: Floats, p: Floats) -> Floats:
    """``(..., K, heads)`` expected bags by number of heads, all together, a known coin counted for its own bags only."""
    heads = np.arange(data.tosses.max() + 1)
    sizes, place = np.unique(np.column_stack([data.tosses, data.labels]), axis=0, return_inverse=True)
    bags = np.bincount(place.ravel(), weights=data.counts)
    total = np.zeros((*p.shape, len(heads)))
    for (tosses, label), count in zip(sizes, bags, strict=True):
        tails = tosses - heads
        possible = tails >= 0
        constant = gammaln(tosses + 1) - gammaln(heads + 1) - gammaln(np.where(possible, tails, 0) + 1)
        with np.errstate(invalid="ignore", divide="ignore"):
            pmf = np.where(possible, np.exp(constant + xlogy(heads, p[..., None]) + xlog1py(tails, -p[..., None])), 0.0)
        share = weights if label < 0 else np.eye(p.shape[-1])[label] * np.ones_like(p)
        total += count * share[..., None] * pmf
    return total


def heads_up_to(at: float, tosses: CoinTosses, weights: Floats, p: Floats) -> Floats:
    """Share ``(...)`` of the bags that are expected to show so many heads at most, a known coin counted for its own bags."""
    kinds, place = np.unique(np.column_stack([tosses.tosses, tosses.labels]), axis=0, return_inverse=True)
    total = np.zeros(p.shape[:-1])
    for (size, label), bags in zip(kinds, np.bincount(place.ravel(), weights=tosses.counts), strict=True):
        by_coin = bdtr(at, size, p) if at < size else np.ones_like(p)
        total += bags * (by_coin[..., label] if label >= 0 else (weights * by_coin).sum(axis=-1))
    return total / tosses.n
