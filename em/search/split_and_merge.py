"""Starts for a higher optimum from one that is known: two components made one, and the one set free put elsewhere.

Optima that differ in the place of a single component lie close together in likelihood and far apart for EM. Each pair of
components is made one in turn. A little weight of a component elsewhere, with density ``h``, the others ``f`` giving way, raises
the log-likelihood by ``D = sum_i (h_i / f_i - 1)`` for each unit of weight, and with the second derivative one knows by how much
in all: where that is most, the free component goes.

Sources: Ueda, Nakano, Ghahramani & Hinton (2000), Neural Computation 12, 2109 (the move); Lindsay (1983), Annals of Statistics
11, 86 (the gradient function D); Verbeek, Vlassis & Kroese (2003), Neural Computation 15, 469 (places drawn from the rows).
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import nlargest
from itertools import permutations
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from em.mixture import Mixture, row_log_likelihoods
from models.inputs import Floats

# Places at most for each pair and each width.
PLACES = 3
# Logarithm of a ratio of densities at most, so that the product of two squared ratios does not overflow.
LARGEST_LOG = 150.0
# Largest weight of a component elsewhere.
MOST = 0.5
# What counts as a gain, in nats.
LEAST_GAIN = 1e-9
# Two components coincide where their responsibilities are in the ratio of their weights, up to so much of them.
COINCIDING = 0.02


class _Move(NamedTuple):
    """One pair merged, the free component elsewhere.

    Attributes
    ----------
    promised : log-likelihood of the rows, to second order in the weight of the free component
    pair : the number of the pair
    ratios : ``(n,)`` density of the free component over that of the others
    weight : of the free component
    """

    promised: float
    pair: int
    ratios: Floats
    weight: float


def rearranged(
    mixture: Mixture[Any, Any],
    shares: Floats,
    number: int,
    random: np.random.Generator,
    pairs: list[tuple[int, int]] | None = None,
    *,
    wide: bool = True,
) -> Iterator[Floats]:
    """Responsibilities ``(n, K)`` of the ``number`` starts that promise most, or fewer, from the ``shares`` at an optimum.

    Only the given ``pairs`` of components, one to keep and one to set free, are merged, or else all; ``wide`` as in
    `Mixture.start_from`.
    """
    pairs = all_pairs(mixture) if pairs is None else pairs
    if not pairs:
        return
    rows = np.stack([_rows_merged(mixture, shares, pair, wide=wide) for pair in pairs])
    for move in nlargest(number, _moves(mixture, rows, random), key=attrgetter("promised")):
        yield _moved(shares, pairs[move.pair], move)


def all_pairs(mixture: Mixture[Any, Any]) -> list[tuple[int, int]]:
    """A component to keep and one to set free: none of which rows are known to be, and either of two that differ."""
    free = np.setdiff1d(np.arange(mixture.n_components), mixture.labels)
    groups = mixture.groups
    every = permutations(range(mixture.n_components), 2)
    return [(j, k) for j, k in every if k in free and not (groups[j] == groups[k] and j in free and j > k)]


def emptied(mixture: Mixture[Any, Any], shares: Floats) -> Iterator[Floats]:
    """Responsibilities ``(n, K)`` with each pair of components made one, and no rows left for the other."""
    for pair in all_pairs(mixture):
        yield _merged(shares, pair)


def coinciding_pairs(mixture: Mixture[Any, Any], parameters: Any, shares: Floats) -> list[tuple[int, int]]:
    """The pairs of components that say the same of every row, or one of which is empty."""
    w = parameters.weights

    def same(j: int, k: int) -> bool:
        return bool(np.abs(shares[:, j] * w[k] - shares[:, k] * w[j]).max() <= COINCIDING * w[j] * w[k])

    return [(j, k) for j, k in all_pairs(mixture) if same(j, k)]


def _moves(mixture: Mixture[Any, Any], rows: Floats, random: np.random.Generator) -> Iterator[_Move]:
    """Where a free component promises most: with each pair merged, for each width that it may have.

    ``rows``, ``(pairs, n)``, are the log-likelihoods of the rows with each pair merged.
    """
    counts, known = mixture.counts, mixture.labels >= 0
    n = counts.sum()
    usual = rows.max(axis=0)
    relative = np.exp(np.minimum(usual - rows, LARGEST_LOG))
    for log_densities, places in mixture.elsewhere(random):
        ratios = log_densities  # in its place, as it is large
        ratios -= usual[:, None]
        np.exp(np.minimum(ratios, LARGEST_LOG, out=ratios), out=ratios)
        ratios[known] = 0.0  # their component is known, and is another
        sums, squares = (counts * relative) @ ratios, (counts * relative**2) @ (ratios * ratios)
        slopes, curvatures = sums - n, squares - 2 * sums + n
        with np.errstate(divide="ignore", invalid="ignore"):
            weights = np.where(slopes < MOST * curvatures, slopes / curvatures, MOST)
            gains = np.where(slopes > 0, weights * (slopes - 0.5 * weights * curvatures), -np.inf)
        for pair, gain in enumerate(gains):
            for _ in range(PLACES):
                at = int(gain.argmax())
                if not gain[at] > LEAST_GAIN:
                    break
                yield _Move(counts @ rows[pair] + gain[at], pair, relative[pair] * ratios[:, at], weights[pair, at])
                gain[((places - places[at]) ** 2).sum(axis=1) < 1] = -np.inf


def _rows_merged(mixture: Mixture[Any, Any], shares: Floats, pair: tuple[int, int], *, wide: bool) -> Floats:
    """``(n,)`` log-likelihood of each row with the pair merged, the free component without weight."""
    kept, free = pair
    vector = mixture.to_vector(mixture.start_from(_merged(shares, pair), wide=wide))
    vector[kept] += vector[free]
    vector[free] = 0.0
    return row_log_likelihoods(mixture, mixture.from_vector(vector))


def _merged(shares: Floats, pair: tuple[int, int]) -> Floats:
    kept, free = pair
    merged = shares.copy()
    merged[:, kept] += merged[:, free]
    merged[:, free] = 0.0
    return merged


def _moved(shares: Floats, pair: tuple[int, int], move: _Move) -> Floats:
    """Responsibilities with the pair merged and the free component at its new place."""
    free = move.weight * move.ratios / (1 - move.weight + move.weight * move.ratios)
    moved = _merged(shares, pair) * (1 - free)[:, None]
    moved[:, pair[1]] += free
    return moved
