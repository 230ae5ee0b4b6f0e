"""Data sets as a model would give them: the same bags or rows, the same labels known, values rounded as the data are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from comparisons.problem import Parameters
from em.coin_steps import log_densities
from models import CoinParameters, CoinTosses, GaussianParameters, Measurements
from models.inputs import Floats, Integers

# Steps between the two closest values: with many rows it is one, with few it may be more.
MOST_PARTS = 10
# Steps over the range of the data, above which rounding makes no difference to a distribution.
MOST_VALUES = 10_000


def replicates(
    data: CoinTosses | Measurements, every: Iterable[Parameters], random: np.random.Generator
) -> Iterator[CoinTosses | Measurements]:
    """Draw one data set at each of the parameters, given the bags' sizes and the labels that are known."""
    if isinstance(data, CoinTosses):
        cells = outcomes(data)
        for parameters in every:
            assert isinstance(parameters, CoinParameters)
            counts = _drawn_counts(cells, outcome_probabilities(parameters, cells), random)
            yield CoinTosses(cells.heads, cells.tosses, counts, cells.labels)
        return
    origin, steps = data.y.min(axis=0), rounding_steps(data)
    labels = np.repeat(data.labels, data.counts)
    for parameters in every:
        assert isinstance(parameters, GaussianParameters)
        drawn = random.choice(parameters.n_components, size=len(labels), p=parameters.weights)
        component = np.where(labels < 0, drawn, labels)
        y = parameters.simulate(component, random)
        rounded = origin + np.rint((y - origin) / np.where(steps > 0, steps, 1.0)) * steps
        yield Measurements(np.where(steps > 0, rounded, y), labels=labels)


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


def component_shares(weights: Floats, labels: Integers) -> Floats:
    """``(n, K)`` probability of each component given the label: the weights where it is not known."""
    return np.where(labels[:, None] < 0, weights, np.eye(len(weights))[labels])


def _drawn_counts(cells: CoinTosses, probabilities: Floats, random: np.random.Generator) -> Integers:
    groups = groups_of(cells)
    bags = np.bincount(groups, weights=cells.counts).astype(np.int64)
    drawn = []
    for group, n in enumerate(bags):
        chances = probabilities[groups == group]
        drawn.append(random.multinomial(n, chances / chances.sum()))
    return np.concatenate(drawn)


def rounding_steps(data: Measurements) -> Floats:
    """``(d,)`` the step of which all values of a feature are multiples apart, in any unit; 0 where they are not rounded."""
    return np.array([_step(np.unique(column), data.n) for column in data.y.T])


def _step(values: Floats, n: int) -> float:
    """Step of the sorted distinct values of ``n`` rows; rounding that has made no two values equal is of no account."""
    if len(values) in (1, n):
        return 0.0
    smallest = float(np.diff(values).min())
    for parts in range(1, MOST_PARTS + 1):
        step = smallest / parts
        multiples = (values - values[0]) / step
        if multiples[-1] > MOST_VALUES:
            break
        if np.abs(multiples - np.rint(multiples)).max() < 1e-6:
            return step
    return 0.0
