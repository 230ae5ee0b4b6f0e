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
from itertools import combinations
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from em.mixture import Mixture, row_posteriors
from models.inputs import Floats

# Places at most for each pair and each width.
PLACES = 3
# Exponent of a ratio of densities at most: so that the squares of two of them have a product.
LARGEST_LOG = 150.0
# Weight of a component elsewhere, at most.
MOST = 0.5
# What counts as a gain, in nats.
LEAST_GAIN = 1e-9
# Two components are one where the shares of every row are in the ratio of their weights, but for so much of them.
ONE = 0.02


class _Move(NamedTuple):
    """One pair made one, the free component elsewhere: what that promises, and the rows' odds of it and its weight."""

    promised: float
    pair: int
    odds: Floats
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

    Only the given ``pairs`` of components are made one, or else all; ``wide`` as in `Mixture.start_from`.
    """
    pairs = pairs or list(combinations(range(mixture.n_components), 2))
    made_one = (mixture.start_from(_as_one(shares, pair), wide=wide) for pair in pairs)
    rows = np.stack([row_posteriors(mixture, parameters)[1] for parameters in made_one])
    for move in nlargest(number, _moves(mixture, rows, random), key=attrgetter("promised")):
        yield _moved(shares, pairs[move.pair], move)


def one_component(parameters: Any, shares: Floats) -> list[tuple[int, int]]:
    """The pairs of components that say the same of every row, or one of which is empty."""
    w = parameters.weights

    def same(j: int, k: int) -> bool:
        return bool(np.abs(shares[:, j] * w[k] - shares[:, k] * w[j]).max() <= ONE * w[j] * w[k])

    return [(j, k) for j, k in combinations(range(len(w)), 2) if same(j, k)]


def _moves(mixture: Mixture[Any, Any], rows: Floats, random: np.random.Generator) -> Iterator[_Move]:
    """Where a free component promises most: with each pair one, for each width that it may have.

    ``rows``, ``(pairs, n)``, are the log-likelihoods of the rows with each pair one.
    """
    counts, known = mixture.counts, mixture.labels >= 0
    usual = rows.max(axis=0)
    rarer = np.exp(np.minimum(usual - rows, LARGEST_LOG))
    for log_densities, places in mixture.elsewhere(random):
        odds = log_densities  # in its place, as it is large
        odds -= usual[:, None]
        np.exp(np.minimum(odds, LARGEST_LOG, out=odds), out=odds)
        odds[known] = 0.0  # their component is known, and is another
        first = (counts * rarer) @ odds
        squares = (counts * rarer**2) @ (odds * odds)
        slopes, bends = first - mixture.n, squares - 2 * first + mixture.n
        with np.errstate(divide="ignore", invalid="ignore"):
            weights = np.where(slopes < MOST * bends, slopes / bends, MOST)
            gains = np.where(slopes > 0, weights * (slopes - 0.5 * weights * bends), -np.inf)
        for pair, gain in enumerate(gains):
            for _ in range(PLACES):
                at = int(gain.argmax())
                if not gain[at] > LEAST_GAIN:
                    break
                yield _Move(counts @ rows[pair] + gain[at], pair, rarer[pair] * odds[:, at], weights[pair, at])
                gain[((places - places[at]) ** 2).sum(axis=1) < 1] = -np.inf


def _as_one(shares: Floats, pair: tuple[int, int]) -> Floats:
    kept, free = pair
    merged = shares.copy()
    merged[:, kept] += merged[:, free]
    merged[:, free] = 0.0
    return merged


def _moved(shares: Floats, pair: tuple[int, int], move: _Move) -> Floats:
    """Responsibilities with the pair made one and the free component at its new place."""
    free = move.weight * move.odds / (1 - move.weight + move.weight * move.odds)
    moved = _as_one(shares, pair) * (1 - free)[:, None]
    moved[:, pair[1]] += free
    return moved
