"""Draws whose labels may be switched: two alignments beside ordering, and pairs of rows, which have no labels.

With ``p_ik`` the probability that row ``i`` belongs to component ``k`` at one draw, an alignment gives each draw a
permutation ``s`` of its components:

* equivalence classes (ECR): most rows are where a pivot allocation has them, ``sum_i 1[z_i = s(pivot_i)]`` is largest, with
  the allocation ``z`` of the draw sampled from ``p`` (Papastamoulis & Iliopoulos 2010);
* Stephens' algorithm: ``sum_i sum_k p_i,s(k) log q_ik`` is largest, with ``q`` the mean of the aligned probabilities, found
  by turns: the least Kullback-Leibler divergence of all draws from their mean (Stephens 2000).

Both are assignment problems, and permute only components that the model cannot tell apart. What needs no alignment is the
probability that two rows share a component, ``sum_k p_ik p_jk``. Usable on anybody's draws of these models, and on arrays
of probabilities or allocations from elsewhere: see `comparisons.labels.memberships.Memberships`.

References
----------
Papastamoulis & Iliopoulos (2010), Journal of Computational and Graphical Statistics 19, 313.
Stephens (2000), Journal of the Royal Statistical Society B 62, 795.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment

from comparisons.labels.memberships import Memberships, allocation_of
from models.draws import permuted
from models.inputs import Floats, Integers, finite_array

if TYPE_CHECKING:
    import xarray as xr

# In rows or nats: above the rounding of a sum over the rows, below all that says something.
TIE = 1e-9


def ecr(memberships: Memberships, pivot: ArrayLike, random: np.random.Generator) -> Integers:
    """Align every draw with a pivot allocation: most rows are where the pivot has them.

    Parameters
    ----------
    pivot : ``(n,)`` component of each row, as ``fit.responsibilities(data).argmax(axis=1)`` of an EM fit. A component
        without a row in the pivot has nothing that it could be known by
    random : for the allocation of each draw, where the draws hold probabilities. Without that, draws in which the components
        hardly differ would still be aligned by the little that they do

    Returns
    -------
    ``(draws, K)``: component ``k`` of the aligned draw ``t`` is component ``permutation[t, k]`` of the draw as it was

    Raises
    ------
    TypeError, ValueError
        if the pivot does not name a component for each row, or random is no `numpy.random.Generator`
    """
    if not isinstance(random, np.random.Generator):
        raise TypeError(
            f"random is a {type(random).__name__}; give a generator, as numpy.random.default_rng(1) makes one"
        )
    _, n, k = memberships.shape
    allocation = allocation_of("pivot", pivot, k, (1,))
    if allocation.shape != (n,):
        raise ValueError(f"pivot has {len(allocation)} values but there are {n} rows; give one component per row")
    matches = np.eye(k)[allocation]
    # Sampling begins in the order of the most matches expected, so that it does not depend on the labels of the draws.
    expected = _assigned(memberships, memberships.blocks(), matches * memberships.counts[:, None])[0]

    def sampled() -> Iterator[tuple[slice, Floats]]:
        for part, block in memberships.blocks():
            ordered = np.take_along_axis(block, expected[part, None], axis=2)
            yield part, random.multinomial(memberships.counts, ordered).astype(np.float64)

    # Numbers of matches are whole: half a row for all components together decides between equal ones alone.
    permutation = _assigned(memberships, sampled(), matches, stay=0.5 / k)[0]
    return np.take_along_axis(expected, permutation, axis=1)


def stephens(memberships: Memberships, start: ArrayLike) -> Integers:
    """Align all draws with their common mean, by turns, until no draw is nearer to it in another order.

    Parameters
    ----------
    start : ``(n, K)`` probabilities that take the place of the mean at first and name the components, as
        ``fit.responsibilities(data)`` of an EM fit. Where they are equal for two components, the first turn leaves these
        as the draws have them

    Returns
    -------
    ``(draws, K)`` permutations, as `ecr` returns them
    """
    return stephens_and_mean(memberships, start)[0]


def stephens_and_mean(memberships: Memberships, start: ArrayLike) -> tuple[Integers, Floats]:
    """The same, and the mean ``(n, K)`` of the probabilities so aligned."""
    mean = finite_array("start", start, (2,))
    if mean.shape != memberships.shape[1:]:
        raise ValueError(f"start has shape {mean.shape}; give a probability for each of {memberships.shape[1:]}")
    reached, before = -np.inf, np.empty((0, 0), dtype=np.int64)
    while True:
        # What is rounded to 0 stays possible, as the logarithm of the smallest number that there is.
        logarithms = np.log(np.maximum(mean, np.finfo(float).tiny))
        permutation, score = _assigned(memberships, memberships.blocks(), logarithms * memberships.counts[:, None])
        if np.array_equal(permutation, before):
            return permutation, mean
        mean, better, reached, before = memberships.mean(permutation), score > reached, score, permutation
        # The score cannot fall, and rises as long as a draw finds a better order.
        if not better:
            return permutation, mean


def share_different(first: ArrayLike, second: ArrayLike) -> float:
    """Share of the draws that two alignments put into different orders.

    Parameters
    ----------
    first, second : ``(draws, K)`` permutations of the same draws; or ``(K,)``, as ``range(K)`` for the order they are in
    """
    return float(np.any(np.asarray(first) != np.asarray(second), axis=-1).mean())


def aligned(draws: xr.DataTree, permutation: Integers) -> xr.DataTree:
    """Draws with their components permuted together, all else as it was.

    Parameters
    ----------
    draws : with the group ``posterior``, those that ``permutation`` ``(draws, K)`` was found for
    """
    posterior = draws["posterior"].to_dataset()
    shape = (posterior.sizes["chain"], posterior.sizes["draw"], posterior.sizes["component"])
    tree = draws.copy()
    tree["posterior"] = type(draws)(permuted(posterior, permutation.reshape(shape)))
    return tree


def co_membership(memberships: Memberships, rows: ArrayLike | None = None) -> Floats:
    """Posterior probability that two rows share a component, which no labelling changes.

    Parameters
    ----------
    rows : indices of the rows to be paired, all where None. The result has the square of their number

    Returns
    -------
    ``(rows, rows)``; on the diagonal for two different observations with the values of that row
    """
    chosen = np.arange(memberships.shape[1]) if rows is None else np.asarray(rows)
    total = np.zeros((len(chosen), len(chosen)))
    for _, block in memberships.blocks():
        by_row = block[:, chosen].transpose(1, 0, 2).reshape(len(chosen), -1)
        total += by_row @ by_row.T
    return total / memberships.shape[0]


def _assigned(
    memberships: Memberships, numbers: Iterator[tuple[slice, Floats]], score: Floats, stay: float = TIE
) -> tuple[Integers, float]:
    """Permutations ``(draws, K)`` for which numbers ``(draws, n, K)`` times score ``(n, K)`` sum to most, and that sum.

    ``stay`` is added for each component that is left where it is: of equally good orders the present one.
    """
    n_draws, _, k = memberships.shape
    permutation = np.tile(np.arange(k), (n_draws, 1))
    groups = [np.flatnonzero(memberships.exchangeable == group) for group in np.unique(memberships.exchangeable)]
    total = 0.0
    for part, block in numbers:
        scores = np.moveaxis(np.moveaxis(block, -1, 0) @ score, 0, -1) + stay * np.eye(k)
        for group in groups:
            each = scores[:, group[:, None], group]
            # Where each component has its largest score as it is, the order is the best.
            stays = np.diagonal(each, axis1=1, axis2=2) >= each.max(axis=2)
            for draw in np.flatnonzero(~stays.all(axis=1)):
                permutation[part.start + draw, group] = group[linear_sum_assignment(each[draw], maximize=True)[1]]
        total += float(np.take_along_axis(scores, permutation[part, :, None], axis=2).sum())
    return permutation, total
