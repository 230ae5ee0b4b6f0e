"""Mixtures of coins: bags of tosses, each bag tossed with one of K coins that is not known.

    z_i ~ Categorical(w),    h_i | z_i = k ~ Binomial(t_i, p_k)

with ``h_i`` heads in the ``t_i`` tosses of bag ``i``. Source: Do & Batzoglou (2008), Nature Biotechnology 26, 897; the
binomial mixture of Lindsey (1995). Prior: ``w ~ Dirichlet(concentration)``, ``p_k ~ Beta(heads, tails)``.

What it does not do: overdispersed bags, which `models.beta_binomials` does; coins that depend on covariates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from models.display import displayed
from models.elementwise import CountedRows
from models.inputs import (
    Floats,
    Integers,
    distinct_rows,
    one_each,
    positive_number,
    read_only,
    reordered,
    weight_vector,
    whole_numbers,
)

if TYPE_CHECKING:
    pass


# Kinds of bags for which counting needs no sorting, however few the bags: half a megabyte of counts.
FEW_KINDS = 2**16


@dataclass(frozen=True, slots=True, init=False, eq=False, repr=False)
class CoinTosses(CountedRows):
    """Bags of coin tosses.

    Parameters
    ----------
    heads : ``(n_bags,)`` heads in each bag, whole numbers
    tosses : tosses in each bag, one whole number for all or ``(n_bags,)``, at least 1
    counts : ``(n_bags,)`` how many such bags were seen; 1 each where left out
    labels : ``(n_bags,)`` index of the coin used, -1 where not known; all unknown where left out

    Raises
    ------
    TypeError
        if booleans, strings or other objects stand where numbers belong
    ValueError
        if a value is missing, not whole, negative, or more heads than tosses; the message names the first such bag
    """

    heads: Integers
    tosses: Integers
    counts: Integers
    labels: Integers

    def __init__(
        self,
        heads: ArrayLike,
        tosses: ArrayLike,
        counts: ArrayLike | None = None,
        labels: ArrayLike | None = None,
    ) -> None:
        head_numbers = whole_numbers("heads", heads, least=0)
        n = len(head_numbers)
        toss_numbers = whole_numbers("tosses", tosses, least=1, also_one=True)
        if toss_numbers.ndim == 0:
            toss_numbers = read_only(np.full(n, toss_numbers))
        if len(toss_numbers) != n:
            raise ValueError(
                f"tosses has {len(toss_numbers)} values but heads has {n}; give one number for all bags or one per bag"
            )
        above = head_numbers > toss_numbers
        if above.any():
            row = int(np.argmax(above))
            raise ValueError(
                f"heads[{row}] is {head_numbers[row]} but only {toss_numbers[row]} coins were tossed; "
                "heads must lie in 0..tosses"
            )
        self._hold(counts, labels, heads=head_numbers, tosses=toss_numbers)

    def seen(self) -> CoinTosses:
        """The same data without the bags that were counted 0 times, which are not there."""
        if self.counts.all():
            return self
        kept = self.counts > 0
        return CoinTosses(self.heads[kept], self.tosses[kept], self.counts[kept], self.labels[kept])

    def distinct(self) -> CoinTosses:
        """The same data as sorted distinct (label, tosses, heads) with their counts: what row order cannot change."""
        seen = self.seen()
        counted = seen.counts
        rows = np.column_stack([seen.labels + 1, seen.tosses, seen.heads])
        kinds = tuple(1 + int(largest) for largest in rows.max(axis=0, initial=0))
        if math.prod(kinds) <= max(len(rows), FEW_KINDS):  # a place for each kind of bag, and nothing to sort
            counts = np.zeros(math.prod(kinds), dtype=counted.dtype)
            np.add.at(counts, np.ravel_multi_index(tuple(rows.T), kinds), counted)
            unique = np.column_stack(np.unravel_index(np.flatnonzero(counts), kinds))
            counts = counts[counts > 0]
        else:
            unique, counts = distinct_rows(rows, counted)
        return CoinTosses(heads=unique[:, 2], tosses=unique[:, 1], counts=counts, labels=unique[:, 0] - 1)


@dataclass(frozen=True, slots=True, init=False, eq=False)
class CoinParameters:
    """A mixture of coins.

    Parameters
    ----------
    weights : ``(n_components,)`` probability of choosing each coin, summing to 1
    head_probabilities : ``(n_components,)`` probability of heads of each coin

    Raises
    ------
    ValueError
        if lengths differ, a value lies outside [0, 1], or the weights do not sum to 1
    """

    weights: Floats
    head_probabilities: Floats

    def __init__(self, weights: ArrayLike, head_probabilities: ArrayLike) -> None:
        chances = weight_vector("weights", weights)
        heads = one_each("head_probabilities", head_probabilities, chances)
        outside = (heads < 0) | (heads > 1)
        if outside.any():
            k = int(np.argmax(outside))
            raise ValueError(f"head_probabilities[{k}] is {heads[k]:g}; probabilities must lie in [0, 1]")
        object.__setattr__(self, "weights", chances)
        object.__setattr__(self, "head_probabilities", heads)

    __repr__ = displayed

    @property
    def n_components(self) -> int:
        """Number of coins."""
        return len(self.weights)

    @property
    def order_keys(self) -> Floats:
        """``(..., n_components, 2)`` what canonical order compares: head probability, then weight."""
        return np.stack([self.head_probabilities, self.weights], axis=-1)

    def simulate(self, components: Integers, tosses: Integers, random: np.random.Generator) -> Integers:
        """Toss the coins ``components`` ``(n,)``, counted from 0, ``tosses`` ``(n,)`` times each: heads ``(n,)``."""
        return np.asarray(random.binomial(tosses, self.head_probabilities[components]))

    def permuted(self, permutation: ArrayLike) -> CoinParameters:
        """The same mixture with its coins read in the order ``permutation``."""
        return reordered(self, permutation)


@dataclass(frozen=True, slots=True)
class CoinPrior:
    """The conjugate prior of a mixture of coins; the same for every coin.

    Parameters
    ----------
    heads, tails : ``p_k ~ Beta(heads, tails)``. 1 and 1, the default, is uniform: the mode is then the maximum of the
        likelihood, and the prior is worth no toss beyond the two that Laplace's rule adds to the mean.
    concentration : ``weights ~ Dirichlet(concentration, ..., concentration)``. 1, the default, is uniform.

    Raises
    ------
    ValueError
        if a number is not positive: the prior would not be proper
    """

    heads: float = 1.0
    tails: float = 1.0
    concentration: float = 1.0

    def __post_init__(self) -> None:
        for name in ("heads", "tails", "concentration"):
            object.__setattr__(self, name, positive_number(name, getattr(self, name)))
