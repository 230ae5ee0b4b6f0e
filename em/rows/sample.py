"""A sample of the distinct rows that neither their order nor the chunks they come in can change.

Each distinct (label, row) has a key, a hash of its numbers, mixed with the seed; the sample is the rows with the smallest
keys, and some of each known label, however rare. What is among the smallest of all rows is among the smallest of every part
of them, so samples of parts add up to the sample of the whole, and the counts of the rows in it are complete. Source: Cohen
& Kaplan (2007), Summarizing data using bottom-k sketches, PODC.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.gaussians.measurements import Measurements
from models.inputs import Floats, Integers

# Distinct rows up to which a search is made among all; of more, among so many, and the best optima there are where the runs
# over all rows start.
SAMPLE = 3000
# Rows of each known label that are in the sample at least: without any, nothing tells its component from the others.
OF_EACH_LABEL = 30


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Rows drawn from all, and whether these are all that differ.

    Attributes
    ----------
    rows : distinct and sorted, with their counts
    whole : whether no row was left out
    seed : of the keys
    """

    rows: Measurements
    whole: bool
    seed: int

    @classmethod
    def of(cls, rows: Measurements, seed: int) -> Sample:
        """Draw from rows of which each was seen."""
        chosen = drawn(keys(rows.labels, rows.y), rows.labels, seed)
        some = Measurements(rows.y[chosen], rows.counts[chosen], rows.labels[chosen])
        return cls(some.distinct(), bool(chosen.all()), seed)

    def __add__(self, other: Sample) -> Sample:
        """Draw from what two were drawn from."""
        y, counts, labels = (
            np.concatenate([getattr(s.rows, f) for s in (self, other)]) for f in ("y", "counts", "labels")
        )
        both = Measurements(y, counts, labels)
        added = Sample.of(both, self.seed)
        return Sample(added.rows, self.whole and other.whole and added.whole, self.seed)


def drawn(key: NDArray[np.uint64], labels: Integers, seed: int) -> NDArray[np.bool_]:
    """``(n,)`` whether each row is in the sample, given the keys and labels ``(n,)`` of all."""
    key = _mixed(key ^ np.uint64(seed % 2**64))
    chosen = key <= _smallest(key, SAMPLE)
    for label in np.unique(labels[labels >= 0]):
        of_label = labels == label
        chosen |= of_label & (key <= _smallest(key[of_label], OF_EACH_LABEL))
    return np.asarray(chosen)


def _smallest(key: NDArray[np.uint64], number: int) -> np.uint64:
    """The largest of so many smallest keys, equal ones taken once."""
    # NumPy's `unique` makes a table of them first, six times as large.
    ordered = np.sort(key)
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    return np.uint64(ordered[first[:number][-1]])


def keys(labels: Integers, rows: Floats) -> NDArray[np.uint64]:
    """``(n,)`` a hash of each row ``(n, d)`` with its label: 64 bits, mixed column by column as splitmix64 does."""
    key = _mixed(labels.astype(np.uint64))
    column: Floats
    for column in rows.T:
        # Adding 0 makes -0.0 the 0.0 that it equals.
        key = _mixed(key ^ (column + 0.0).view(np.uint64))
    return key


def _mixed(key: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Steele, Lea & Flood (2014), Fast splittable pseudorandom number generators, OOPSLA."""
    key = key + np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        key ^= key >> np.uint64(shift)
        key *= np.uint64(factor)
    return key ^ (key >> np.uint64(31))
