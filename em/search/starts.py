"""Where EM starts when the user does not say: several starts of different kinds, and none that depends on row order.

Six kinds, each as responsibilities that one M-step turns into parameters: *quantiles* (rows sorted along one axis and
cut into K equal parts), *extreme rows* (the first or last of them alone, the others cut into K - 1 parts: where components
overlap, the best maximum often gives one row a component of its own, at a bound), *k-means++* (Arthur & Vassilvitskii 2007:
centres drawn far apart, rows given to the nearest), *random rows* (K rows as centres, each row shared by its distance to
them), *random responsibilities* (each row shared at random) and, of two components, one *elsewhere* (`em.search.split_and_merge`:
both merged, and one put where the likelihood rises most). Of more components such starts are made of the optima that the others
lead to, and last the best optimum is *shaken*: an M-step from it with every row weighted at random. Under a prior one component
is also left without rows, at the prior's own mode. Measured with four components on the galaxies data, where the best mode is
hard to find: 60 starts of a kind reached it 5 times by k-means++, 20 times by random rows, once by random responsibilities.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import batched, chain
from typing import Any, Literal, NamedTuple

import numpy as np

from em.mixture import AT_A_TIME, Mixture, evaluated, row_posteriors
from em.search.partitions import gap_partition, line_partitions, white_partitions
from em.search.split_and_merge import coinciding_pairs, emptied, rearranged
from models.inputs import Floats, Integers

SPREAD_OUT_STARTS = 3
RANDOM_ROW_STARTS = 6
RANDOM_SHARE_STARTS = 2
# Rows of one feature up to which they are cut at every place, or at many: with few rows, or ties, most runs end in a spike.
FEW_ROWS = 60
# How many times as many a thorough search makes of those that are drawn.
THOROUGH = 4


class Rearranged(NamedTuple):
    """How many of the best optima are rearranged.

    Attributes
    ----------
    regular, collapsed : optima of both kinds
    starts : that are made of each, for every component
    shaken : regular optima that are shaken, the best, as often as there are features
    """

    regular: int
    collapsed: int
    starts: int
    shaken: int


REARRANGED = {"default": Rearranged(3, 2, 6, 1), "thorough": Rearranged(6, 2, 12, 6)}
# Features up to which components have so few parameters that no optimum was seen to be missed a few rows from the best.
FEW_FEATURES = 2

type Starts = Literal["default", "thorough"]


def starts(mixture: Mixture[Any, Any], random: np.random.Generator, how: Starts = "default") -> Floats:
    """Full vectors ``(number, p)`` of starts of every kind; a single one where nothing is hidden."""
    k, n = mixture.n_components, len(mixture.counts)
    if k == 1 or (mixture.labels >= 0).all():
        return _started(mixture, [np.full((n, k), 1.0 / k)])
    # The optima multiply with the pairs of components that can be exchanged for a pair elsewhere.
    times = (THOROUGH if how == "thorough" else 1) * k * (k - 1) // 2
    shares = chain(
        _quantile_shares(mixture),
        _extreme_row_shares(mixture),
        (spread_out(mixture, random) for _ in range(times * SPREAD_OUT_STARTS)),
        _near_random_rows(mixture, random, times * RANDOM_ROW_STARTS),
        (random.dirichlet(np.ones(k), size=n) for _ in range(times * RANDOM_SHARE_STARTS)),
    )
    if k == 2:  # which two are made one is no question, so no optimum has to be known
        shares = chain(shares, rearranged(mixture, np.full((n, k), 0.5), k * REARRANGED[how].starts, random))
    if mixture.points.shape[1] == 1 and mixture.counts.sum() <= FEW_ROWS and mixture.interpolated:
        shares = chain(shares, (np.eye(k)[part] for part in line_partitions(mixture.points[:, 0], k, times, random)))
    white = mixture.white()
    if white is not None:
        shares = chain(shares, white_partitions(mixture, white, random))
    vectors = _with_bounds(mixture, _there(mixture, _started(mixture, shares)))
    if k == 2:
        vectors = np.concatenate([vectors, _empty_starts(mixture, [np.full((n, k), 0.5)])])
    if mixture.points.shape[1] > 1 or not mixture.interpolated:
        return vectors
    # Between clusters far apart a tenth of the data's own variance is no small width: there they keep their own.
    apart = _started(mixture, [np.eye(k)[gap_partition(mixture.points[:, 0], k)]], wide=False)
    return np.concatenate([vectors, _there(mixture, apart)])


def starts_from(mixture: Mixture[Any, Any], optima: list[Any], random: np.random.Generator, how: Starts) -> Floats:
    """Full vectors ``(number, p)`` of starts in which a component of an optimum is elsewhere; none of two components."""
    k = mixture.n_components
    if k == 2:
        return np.empty((0, mixture.n_parameters))
    shares = [row_posteriors(mixture, parameters)[0] for parameters in optima]
    moved = chain(*(rearranged(mixture, r, k * REARRANGED[how].starts, random) for r in shares))
    return np.concatenate([_there(mixture, _started(mixture, moved)), _empty_starts(mixture, shares)])


def shaken_starts(mixture: Mixture[Any, Any], optima: list[Any], random: np.random.Generator) -> Floats:
    """Full vectors ``(number, p)`` of starts about a standard error from each optimum; none where features are few.

    A component of many parameters has optima that differ in a few of its rows. Each row is given a weight drawn from the
    exponential distribution, as by the weighted likelihood bootstrap (Newton & Raftery 1994, JRSS B 56, 3); to go on from there
    with all rows alike is to restart as Wood (2001, Biometrics 57, 240) does.
    """
    n, d = mixture.points.shape
    several = d if d > FEW_FEATURES else 0
    shares = (row_posteriors(mixture, parameters)[0] for parameters in optima)
    return _started(mixture, (r * random.exponential(size=(n, 1)) for r in shares for _ in range(several)))


def _there(mixture: Mixture[Any, Any], vectors: Floats) -> Floats:
    """Those starts that have parameters: an M-step of one's own may know no prior, and end in a spike where a row is alone."""
    return vectors[mixture.exists(vectors)]


def _empty_starts(mixture: Mixture[Any, Any], several: Iterable[Floats]) -> Floats:
    """Full vectors ``(number, p)`` of starts with a component that has no rows, the others as in ``several`` responsibilities.

    It stands where the prior's own mode is, which may be too far from all rows for EM to come there from anywhere else.
    """
    if mixture.prior is None:
        return np.empty((0, mixture.n_parameters))
    vectors = _started(mixture, chain(*(emptied(mixture, shares) for shares in several)), wide=False)
    return _there(mixture, vectors[(vectors[:, : mixture.n_components] > 0).all(axis=1)])


def start_apart(mixture: Mixture[Any, Any], parameters: Any, random: np.random.Generator) -> Floats:
    """Full vectors ``(1, p)`` of a start with one of two components that coincide elsewhere; none where that promises no gain."""
    shares = row_posteriors(mixture, parameters)[0]
    pairs = coinciding_pairs(mixture, parameters, shares)
    starts = _started(mixture, rearranged(mixture, shares, 1, random, pairs, wide=False), wide=False)
    return _there(mixture, starts)


def _started(mixture: Mixture[Any, Any], shares: Iterable[Floats], *, wide: bool = True) -> Floats:
    """Full vectors ``(number, p)`` from responsibilities ``(n, K)``, of which few are in memory at a time."""
    some = max(AT_A_TIME // (len(mixture.counts) * max(mixture.n_components, mixture.points.shape[1])), 1)
    labelled = (_with_labels(np.stack(few), mixture.labels) for few in batched(shares, some))
    starting = (mixture.start_from(few, wide=wide) for few in labelled)
    vectors = [mixture.to_vector(parameters) for parameters in starting]
    return np.concatenate([np.empty((0, mixture.n_parameters)), *vectors])


def _with_bounds(mixture: Mixture[Any, Any], vectors: Floats) -> Floats:
    """The starts, and the first of them once more for each bound, with that one parameter there.

    EM gets to a bound only in the limit, and from between two components it turns to the nearer optimum; started at the
    bound it stays there, which is where the maximum often is when components overlap.
    """
    at_bounds = np.repeat(vectors[:1], len(mixture.bounds()), axis=0)
    for vector, (place, bound) in zip(at_bounds, mixture.bounds(), strict=True):
        vector[place] = bound
    if not len(at_bounds):
        return vectors
    with np.errstate(divide="ignore", invalid="ignore"):
        statistics, value = evaluated(mixture, mixture.from_vector(at_bounds))
        possible = np.isfinite(value)
        # Where no row can be of the component it would only be emptied.
        possible &= (mixture.m_step(statistics).weights > 0).all(axis=-1)
    return np.concatenate([vectors, at_bounds[possible]])


def _with_labels(responsibilities: Floats, labels: Integers) -> Floats:
    """Give labelled rows to their component."""
    known = labels >= 0
    responsibilities[..., known, :] = 0.0
    responsibilities[..., known, labels[known]] = 1.0
    return responsibilities


def _axes(mixture: Mixture[Any, Any]) -> tuple[Floats, list[Floats]]:
    """Rows about their mean; each of the first features, and the axis of largest spread."""
    points, counts = mixture.points, mixture.counts
    centred = points - np.average(points, axis=0, weights=counts)
    axes = list(np.eye(points.shape[1])[:3])
    if points.shape[1] > 1:
        axes.append(np.linalg.eigh((centred * counts[:, None]).T @ centred)[1][:, -1])
    return centred, axes


def _quantile_shares(mixture: Mixture[Any, Any]) -> Iterator[Floats]:
    """Equal parts along each axis."""
    counts, k = mixture.counts, mixture.n_components
    centred, axes = _axes(mixture)
    for axis in axes:
        order = np.argsort(centred @ axis, kind="stable")
        passed = np.cumsum(counts[order]) - 0.5 * counts[order]
        part = np.minimum((passed / counts.sum() * k).astype(int), k - 1)
        share = np.zeros((len(counts), k))
        share[order, part] = 1.0
        yield share


def _extreme_row_shares(mixture: Mixture[Any, Any]) -> Iterator[Floats]:
    """The lowest or the highest row along an axis alone, the others in equal parts."""
    counts, k = mixture.counts, mixture.n_components
    centred, axes = _axes(mixture)
    for axis in axes:
        for sign in (1, -1):
            order = np.argsort(sign * (centred @ axis), kind="stable")
            rest = np.cumsum(counts[order]) - 0.5 * counts[order] - counts[order[0]]
            part = 1 + np.clip((rest / max(counts.sum() - counts[order[0]], 1) * (k - 1)).astype(int), 0, k - 2)
            share = np.zeros((len(counts), k))
            share[order, part] = 1.0
            share[order[0]] = np.eye(k)[0]
            yield share


def spread_out(mixture: Mixture[Any, Any], random: np.random.Generator) -> Floats:
    """Rows given to the nearest of K centres, each drawn with probability proportional to its squared distance."""
    points, counts, k = mixture.points, mixture.counts, mixture.n_components
    distances = np.empty((len(points), k))
    chance = counts / counts.sum()
    for j in range(k):
        centre = points[random.choice(len(points), p=chance)]
        distances[:, j] = ((points - centre) ** 2).sum(axis=1)
        far = counts * distances[:, : j + 1].min(axis=1)
        if far.sum() > 0:
            chance = far / far.sum()
    share = np.zeros_like(distances)
    share[np.arange(len(points)), distances.argmin(axis=1)] = 1.0
    return share


def _near_random_rows(mixture: Mixture[Any, Any], random: np.random.Generator, number: int) -> Iterator[Floats]:
    """Responsibilities of K equal normals about random rows, each with 1 / sqrt(K) of the variances of the data."""
    points, k = mixture.points, mixture.n_components
    chance = mixture.counts / mixture.counts.sum()
    variances = chance @ (points - chance @ points) ** 2
    scaled = points * np.sqrt(np.divide(np.sqrt(k), variances, out=np.zeros_like(variances), where=variances > 0))
    for _ in range(number):
        rows = random.choice(len(points), size=k, replace=len(points) < k, p=chance)
        distances = ((scaled[:, None, :] - scaled[rows]) ** 2).sum(axis=2)
        shares = np.exp(-0.5 * (distances - distances.min(axis=1, keepdims=True)))
        yield shares / shares.sum(axis=1, keepdims=True)
