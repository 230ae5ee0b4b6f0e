"""Partitions of the rows where these are white: along the directions that tell most, and about K centres.

A cluster that is long in some directions and short in another is lost among distances: what separates it is a small share of
the spread. In coordinates in which all rows together have the identity as covariance the units and the long sides are gone.
There a projection on two or more clusters of like size has a kurtosis below the normal's, and one on a few rows aside has one
above it (Pena & Prieto 2001, Journal of the American Statistical Association 96, 1433): the rows are cut along the directions
in which it is least and greatest. And where all components have one covariance, the best partition is, but for the weights,
that about K means there (Scott & Symons 1971, Biometrics 27, 387), to which Lloyd's steps lead from random rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from math import comb
from typing import Any

import numpy as np

from em.mixture import Mixture
from models.inputs import Floats, Integers

# Directions from which the kurtosis is followed down and up, for every feature, and the steps of each. Sixty times each, with 3
# for every feature, the short side was missed once and twice on two hard sets of three clusters, and with 8 never.
FOLLOWED, STEPS = 8, 40
# Of those that are least and greatest, how many are cut along, at most; no more than there are features, and one fewer.
LEAST, GREATEST = 4, 2
# Directions are one where the cosine of their angle is above this.
SAME_DIRECTION = 0.95
# Shift that makes each step of the power method lower the kurtosis, for kurtosis of about 3.
SHIFT = 6.0
# Random sets of K centres, Lloyd's steps from each, and how many partitions of the best are kept.
CENTRES, LLOYD_STEPS, KEPT = 20, 12, 3
# Sets of cuts of one feature at most, for every pair of components.
CUTS = 60


def white_partitions(mixture: Mixture[Any, Any], white: Floats, random: np.random.Generator) -> Iterator[Floats]:
    """Responsibilities 0 and 1, ``(n, K)``, from rows ``white`` ``(n, d)``, in an order that says nothing."""
    k, counts = mixture.n_components, mixture.counts.astype(float)
    least, greatest = telling_directions(white, counts, random)
    for directions, spread in ((least, False), (greatest, True)):
        for direction in directions:
            yield np.eye(k)[_cut(white @ direction, counts, k, spread=spread)]
    few = least[: max(k - 1, 2)]
    for rows in (white, white @ few.T) if len(few) < white.shape[1] else (white,):
        for parts in about_centres(rows, counts, k, random):
            yield np.eye(k)[parts]


def line_partitions(values: Floats, k: int, times: int, random: np.random.Generator) -> Iterator[Integers]:
    """Parts ``(n,)`` of the rows of one feature between K - 1 cuts of their distinct ``values``: all, or some at random."""
    distinct, place = np.unique(values, return_inverse=True)
    most = CUTS * times
    places = len(distinct) - 1
    if places < k - 1:
        return
    if comb(places, k - 1) <= most:
        cuts = np.array(list(combinations(range(places), k - 1)))
    else:
        cuts = np.sort(np.stack([random.choice(places, size=k - 1, replace=False) for _ in range(most)]), axis=1)
    for cut in cuts:
        yield np.searchsorted(cut, place, side="left")


def gap_partition(values: Floats, k: int) -> Integers:
    """Parts ``(n,)`` of the rows of one feature between its K - 1 widest gaps."""
    distinct, place = np.unique(values, return_inverse=True)
    widest = np.argsort(-np.diff(distinct), kind="stable")[: k - 1]
    return np.searchsorted(np.sort(widest), place, side="left")


def telling_directions(white: Floats, counts: Floats, random: np.random.Generator) -> tuple[Floats, Floats]:
    """Unit vectors ``(m, d)`` along which the kurtosis of the rows is locally least, the least first, and greatest."""
    d, n = white.shape[1], counts.sum()
    first = random.normal(size=(FOLLOWED * d + 2, d))
    found = []
    for sign, shift, number in ((1, SHIFT, min(LEAST, d)), (-1, 0.0, min(GREATEST, d - 1))):
        vectors = first / np.linalg.norm(first, axis=1, keepdims=True)
        for _ in range(STEPS):
            along = white @ vectors.T
            along *= along * along
            vectors = shift * vectors - sign * ((along * counts[:, None]).T @ white) / n
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        squares = (white @ vectors.T) ** 2
        order = np.argsort(sign * (counts @ squares**2), kind="stable")
        chosen: list[int] = []
        for j in order:
            if len(chosen) < number and (np.abs(vectors[chosen] @ vectors[j]) < SAME_DIRECTION).all():
                chosen.append(int(j))
        found.append(vectors[chosen])
    return found[0], found[1]


def _cut(along: Floats, counts: Floats, k: int, *, spread: bool) -> Integers:
    """``(n,)`` part of each row: about K means of one coordinate, from quantiles or from places evenly ``spread``."""
    order = np.argsort(along, kind="stable")
    passed = np.cumsum(counts[order]) / counts.sum()
    middle = np.minimum(np.searchsorted(passed, (np.arange(k) + 0.5) / k), len(order) - 1)
    centres = np.linspace(along.min(), along.max(), k) if spread else along[order[middle]]
    parts, _ = _lloyd(along[:, None], counts, centres[None, :, None])
    return np.asarray(parts[0])


def about_centres(rows: Floats, counts: Floats, k: int, random: np.random.Generator) -> Integers:
    """``(KEPT, n)`` parts of the best partitions about K centres, or fewer that differ."""
    chance = counts / counts.sum()
    first = np.stack([rows[random.choice(len(rows), size=k, replace=len(rows) < k, p=chance)] for _ in range(CENTRES)])
    parts, within = _lloyd(rows, counts, first)
    # One of each: equal partitions have equal sums of squares, to rounding.
    _, distinct = np.unique(within.round(9), return_index=True)
    return parts[distinct[:KEPT]]


def _lloyd(rows: Floats, counts: Floats, centres: Floats) -> tuple[Integers, Floats]:
    """Nearest of ``(m, K, d)`` centres, ``(m, n)``, after some steps from there, and the sums of squares ``(m,)``."""
    squares, parts = (rows**2).sum(axis=1), np.full((len(centres), len(rows)), -1)
    for _ in range(LLOYD_STEPS):
        distances = (centres**2).sum(axis=2)[:, :, None] - 2 * centres @ rows.T
        before, parts = parts, distances.argmin(axis=1)
        if np.array_equal(before, parts):
            break
        own = (parts[:, None, :] == np.arange(centres.shape[1])[:, None]) * counts
        sizes = own.sum(axis=2)[..., None]
        centres = np.where(sizes > 0, own @ rows / np.where(sizes > 0, sizes, 1.0), centres)
    return parts, distances.min(axis=1) @ counts + counts @ squares
