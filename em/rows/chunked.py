"""A mixture of normals whose rows are not in memory: what is known of all of them, and sums over their chunks.

Two passes come first: one checks every number and draws a sample of the distinct rows, one takes mean and covariance. The
search for optima is made in the sample, which is the one that is drawn from rows in memory; the runs from there, their ends
and the standard errors are of all rows.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from em.gaussians.mixture import GaussianMixture
from em.gaussians.moments import GaussianStatistics, statistics_of
from em.gaussians.summary import Summary
from em.mixture import Sum
from em.rows.chunks import Chunks, Rows
from em.rows.sample import SAMPLE, Sample
from models.gaussians.covariances import CovarianceForm
from models.gaussians.measurements import Measurements, spread_of
from models.gaussians.nouns import GaussianParameters, GaussianPrior
from models.inputs import Floats, Integers
from models.mixtures import MixtureWeights, checked_labels, enough_rows


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """What one pass over the rows tells.

    Attributes
    ----------
    n : rows, each counted as often as it was seen
    rows : the same, each counted once
    low, high : ``(d,)``
    labels : that are known of some row
    sample : of the distinct rows
    """

    n: int
    rows: int
    low: Floats
    high: Floats
    labels: Integers
    sample: Sample

    @classmethod
    def of(cls, chunks: Chunks, n_components: int, seed: int) -> Survey:
        """Look at all rows.

        Raises
        ------
        TypeError, ValueError
            as `models.Measurements` does, with the chunk where the value is
        """
        found = chunks.summed(partial(_surveyed, n_components=n_components, seed=seed))
        found.sample.rows.named(chunks.features, chunks.columns)
        return found

    def __add__(self, other: Survey) -> Survey:
        """What both passes tell together."""
        return Survey(
            self.n + other.n,
            self.rows + other.rows,
            np.minimum(self.low, other.low),
            np.maximum(self.high, other.high),
            np.union1d(self.labels, other.labels),
            self.sample + other.sample,
        )


def _surveyed(rows: Rows, n_components: int, seed: int) -> Survey | None:
    """One chunk, checked; None where no row of it was seen."""
    seen = None if rows.counts is None else np.asarray(rows.counts) != 0
    if seen is not None and not seen.any():
        rows._replace(counts=None).checked()
        return None
    data = rows.checked()
    try:
        checked_labels(data.labels, n_components)
    except ValueError as error:
        raise ValueError(f"in {rows.place}: {error}") from None
    if seen is not None:
        data = Measurements(data.y[seen], data.counts[seen], data.labels[seen])
    low, high = data.y.min(axis=0), data.y.max(axis=0)
    return Survey(data.n, len(data.y), low, high, np.unique(data.labels), Sample.of(data, seed))


def _moments(rows: Rows, origin: Floats, size: Floats) -> GaussianStatistics | None:
    """Moments of one chunk about an origin, in units of the range."""
    y, counts, _ = _numbers(rows)
    inside = (y - origin) / size
    return statistics_of(counts[:, None], 0.0, inside, np.zeros((1, len(origin))))


def _numbers(rows: Rows) -> tuple[Floats, NDArray[Any], Integers]:
    """Rows ``(n, d)``, counts and labels of a chunk that was checked."""
    y = np.asarray(rows.y, dtype=np.float64)
    n = len(y)
    counts = np.ones(n) if rows.counts is None else np.asarray(rows.counts).astype(np.float64)
    labels = np.full(n, -1, dtype=np.int64) if rows.labels is None else np.asarray(rows.labels).astype(np.int64)
    return y.reshape(n, -1), counts, labels


def summary_of(chunks: Chunks, survey: Survey) -> Summary:
    """Mean and covariance of all rows."""
    size = spread_of(survey.low, survey.high, chunks.features)
    # About the middle of the sample, so that neither an origin far away nor rare large values cost digits.
    drawn = survey.sample.rows
    origin = np.average(drawn.y, axis=0, weights=drawn.counts)
    moments = chunks.summed(partial(_moments, origin=origin, size=size))
    shift = moments.first[0] / survey.n
    covariance = (moments.second[0] - survey.n * np.outer(shift, shift)) / (survey.n - 1)
    covariance[survey.low == survey.high] = covariance[:, survey.low == survey.high] = 0.0
    return Summary(survey.n, origin + shift * size, covariance * size * size[:, None], survey.labels)


def over_chunks(
    chunks: Chunks,
    seed: int,
    weights: MixtureWeights,
    form: CovarianceForm,
    prior: GaussianPrior | None,
    *,
    minimum_ratio: float | None,
    standardise: bool,
    told: Callable[[int, Floats | float], None] | None,
) -> GaussianMixture:
    """The mixture of rows in chunks; where few of them are distinct, these with their counts, in memory.

    Raises
    ------
    TypeError, ValueError
        as `em.gaussian_mixture` does for the same data in memory
    """
    survey = Survey.of(chunks, weights.n_components, seed)
    enough_rows(survey.n, weights.n_components)
    few = survey.sample.whole and len(survey.sample.rows.y) <= SAMPLE
    mixture = GaussianMixture(
        survey.sample.rows,
        weights,
        form,
        prior,
        minimum_ratio=minimum_ratio,
        standardise=standardise,
        summary=None if few else summary_of(chunks, survey),
        told=told,
    )
    if few:
        return mixture
    ends = [mixture.units.rows(survey.low), mixture.units.rows(survey.high)]
    return ChunkedGaussianMixture(mixture, chunks, (survey.rows, np.abs(ends).max(axis=0)))


class ChunkedGaussianMixture(GaussianMixture):
    """The Gaussian family over chunks: in all but what speaks of all rows it is the mixture of their sample."""

    in_memory = False

    def __init__(self, drawn: GaussianMixture, chunks: Chunks, extent: tuple[int, Floats]) -> None:
        vars(self).update(vars(drawn))
        self.sampled, self.chunks, self.extent, self.keys = drawn, chunks, extent, None
        # What goes to the chunks, and to the workers of a cluster: all but the rows.
        self.sent = drawn.part(slice(0))
        self.sent.extent, self.sent.told = extent, None

    def sample(self, seed: int) -> GaussianMixture:
        return self.sampled

    def part(self, rows: slice | Integers) -> GaussianMixture:
        return self.sampled.part(rows)

    def summed[T: Sum](self, of: Callable[[GaussianMixture], T]) -> T:
        return self.chunks.summed(partial(_of_chunk, mixture=self.sent, of=of))

    def _expected(self, parameters: GaussianParameters) -> GaussianStatistics:
        return self.summed(partial(_statistics, parameters=parameters))


def _of_chunk[T](rows: Rows, mixture: GaussianMixture, of: Callable[[GaussianMixture], T]) -> T:
    y, counts, labels = _numbers(rows)
    some = copy(mixture)
    some._hold(mixture.units.rows(y), counts, labels)
    return of(some)


def _statistics(mixture: GaussianMixture, parameters: GaussianParameters) -> GaussianStatistics:
    return mixture.e_step(parameters)
