"""Mixtures of coins: bags of tosses, each bag tossed with one of K coins that is not known.

    z_i ~ Categorical(w),    h_i | z_i = k ~ Binomial(t_i, p_k)

with ``h_i`` heads in the ``t_i`` tosses of bag ``i``. Source: Do & Batzoglou (2008), Nature Biotechnology 26, 897; the
binomial mixture of Lindsey (1995). Prior: ``w ~ Dirichlet(concentration)``, ``p_k ~ Beta(heads, tails)``.

What it does not do: overdispersed bags (beta-binomial), coins that depend on covariates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from models.binomial_distribution import binomial_logp, log_largest, many_tosses
from models.display import displayed
from models.inputs import (
    Floats,
    Integers,
    finite_array,
    instance_of,
    positive_number,
    read_only,
    reordered,
    row_counts,
    row_labels,
    weight_vector,
    whole_numbers,
)
from models.mixture_distribution import add_weights, draw_components, mixture_log_density, take_components
from models.mixtures import MixtureWeights, Weights, checked_labels, enough_rows

if TYPE_CHECKING:
    import pymc as pm

# Kinds of bags for which counting needs no sorting, however few the bags: half a megabyte of counts.
FEW_KINDS = 2**16


@dataclass(frozen=True, slots=True, init=False, eq=False)
class CoinTosses:
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
        object.__setattr__(self, "heads", head_numbers)
        object.__setattr__(self, "tosses", toss_numbers)
        object.__setattr__(self, "counts", row_counts(counts, n))
        object.__setattr__(self, "labels", row_labels(labels, n))

    __repr__ = displayed

    @property
    def n(self) -> int:
        """Number of bags, each counted as often as it was seen."""
        return int(self.counts.sum())

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
            counts = np.zeros(math.prod(kinds), dtype=np.int64)
            np.add.at(counts, np.ravel_multi_index(tuple(rows.T), kinds), counted)
            unique = np.column_stack(np.unravel_index(np.flatnonzero(counts), kinds))
            counts = counts[counts > 0]
        else:
            unique, index = np.unique(rows, axis=0, return_inverse=True)
            counts = np.zeros(len(unique), dtype=np.int64)
            np.add.at(counts, index.ravel(), counted)
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
        heads = finite_array("head_probabilities", head_probabilities, (1,))
        if len(heads) != len(chances):
            raise ValueError(
                f"head_probabilities has {len(heads)} values but weights has {len(chances)}; give one per component"
            )
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


def _logp(heads: Any, tosses: Any, weights: Any, probabilities: Any, counts: Any, labels: Any) -> Any:
    import pymc as pm
    import pytensor.tensor as pt

    binomial = pm.Binomial.dist(n=tosses[..., None], p=probabilities)
    return mixture_log_density(pt.log(weights), pm.logp(binomial, heads[..., None]), counts, labels)


def _logp_of_many(
    heads: Any, tosses: Any, weights: Any, probabilities: Any, counts: Any, labels: Any, largest: Any
) -> Any:
    import pytensor.tensor as pt

    log_densities = binomial_logp(heads[..., None], tosses[..., None], probabilities, largest[..., None])
    return mixture_log_density(pt.log(weights), log_densities, counts, labels)


def _random(
    tosses: Any, weights: Any, probabilities: Any, counts: Any, labels: Any, *_: Any, rng: Any = None, size: Any = None
) -> Integers:
    component = draw_components(weights, labels, size, rng)
    drawn = rng.binomial(np.asarray(tosses).astype(np.int64), take_components(probabilities, component, core=0))
    return np.asarray(drawn if tosses.dtype.kind == "i" else drawn.astype(float))


def coin_mixture(
    tosses: CoinTosses,
    n_components: int = 2,
    weights: Weights = "free",
    prior: CoinPrior | None = None,
) -> pm.Model:
    """Build the PyMC model of a mixture of coins.

    Data and prior numbers are `pymc.Data`, so that a compiled model serves other bags with ``with_data``. Rows stay as they
    are given, but for those counted 0 times; many equal bags cost much less as ``tosses.distinct()``, which counts them, and
    then a posterior predictive draw is one draw for each distinct bag.

    Parameters
    ----------
    tosses : bags ``(n_bags,)``, with counts and known labels if there are any
    n_components : number of coins, K
    weights : ``"free"``, ``"equal"``, or ``(K,)`` values held fixed
    prior : uniform where None

    Returns
    -------
    pymc.Model
        Free variables ``head_probabilities`` and, unless held, ``weights``, both with the dim ``component``; observed
        ``heads``. Its posterior is symmetric in exchangeable coins: see `models.canonical_order`.

    Raises
    ------
    ValueError
        for bags fewer than coins, or weights or labels that do not fit

    References
    ----------
    Do & Batzoglou (2008), Nature Biotechnology 26, 897.
    """
    import pymc as pm

    instance_of("tosses", tosses, CoinTosses)
    treated = MixtureWeights.of(weights, n_components)
    enough_rows(tosses.n, n_components)
    prior = CoinPrior() if prior is None else prior
    instance_of("prior", prior, CoinPrior)
    checked_labels(tosses.labels, n_components)
    data = tosses.seen()
    many = many_tosses(data.tosses)
    # Bounds need no checks: the transforms keep every value inside, and the graph compiles faster without.
    with pm.Model(coords={"component": range(n_components)}, check_bounds=False) as model:
        # PyMC holds whole numbers in 32 bits, which 2e9 tosses leave without a word.
        numbers = np.float64 if many else np.int64
        observed = pm.Data("observed_heads", data.heads.astype(numbers))
        bags = pm.Data("tosses", data.tosses.astype(numbers))
        counts = pm.Data("counts", data.counts.astype(float))
        known = pm.Data("labels", np.array(data.labels))
        largest = [pm.Data("log_largest", log_largest(data.heads, data.tosses))] if many else []
        w = add_weights(treated, prior.concentration, data.labels)
        p = pm.Beta(
            "head_probabilities",
            pm.Data("prior_heads", prior.heads),
            pm.Data("prior_tails", prior.tails),
            dims="component",
            shape=(n_components,),
        )
        pm.CustomDist(
            "heads",
            bags,
            w,
            p,
            counts,
            known,
            *largest,
            logp=_logp_of_many if many else _logp,
            random=_random,
            signature="(),(k),(k),(),(),()->()" if many else "(),(k),(k),(),()->()",
            dtype="float64" if many else "int64",
            class_name="CoinMixture",
            observed=observed,
        )
    return model
