"""The E-step of every mixture: one matrix product for the log densities, another for the expected statistics.

Both families are exponential families, so the joint log density of a row and a component is linear in features of the
row that never change,

    log w_k f_k(y) = theta_k . phi(y),    coins: phi = (1, heads, tails, log binomial coefficient),
                                          normals: phi = (1, y_a, y_a y_b),

and what the M-step needs is the same features summed over rows, ``sum_i r_ik phi(y_i)``. Rows come in blocks that stay in
the processor's cache: no array of rows by components ever exists. Parameters may be many, along leading axes: then all
starts of a search share one pass over the data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from models.inputs import Floats

# Stands for log 0: finite times the counts of a row, so that what never happened (0 times it) contributes nothing.
LOG_OF_ZERO = -1e250
# Below this a row is impossible under every component.
IMPOSSIBLE = -1e200
# Rows of a block: its log densities and features stay in a core's own cache.
ROWS = 512


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some rows: ``rows`` of the data, ``features`` ``(F, n)`` of each, and ``counts`` ``(n,)``."""

    rows: slice
    features: Floats
    counts: Floats


def posterior_sums(
    theta: Floats,
    blocks: Iterable[Block],
    replace: Callable[[Floats, Block], None] | None = None,
    also: Callable[[Floats, Block], None] | None = None,
) -> tuple[Floats, Floats]:
    """Features summed with the responsibilities, and the log-likelihood.

    Parameters
    ----------
    theta : ``(..., K, F)`` natural parameters
    blocks : the rows
    replace : puts log densities ``(..., K, n)`` of a block right where the product would lose digits
    also : is given the expected counts ``(..., K, n)`` of each block

    Returns
    -------
    ``(..., K, F)`` sums and ``(...)`` log-likelihoods, -inf where a row is impossible
    """
    *many, k, f = theta.shape
    flat = theta.reshape(-1, f)
    sums = np.zeros(flat.shape)
    log_likelihood = np.zeros(many)
    for block in blocks:
        joint = (flat @ block.features).reshape(*many, k, -1)
        if replace is not None:
            replace(joint, block)
        largest = np.maximum.reduce(joint, axis=-2)
        joint -= largest[..., None, :]
        np.exp(joint, out=joint)
        total = np.add.reduce(joint, axis=-2)
        joint *= (block.counts / total)[..., None, :]
        np.log(total, out=total)
        total += largest
        log_likelihood += total @ block.counts
        sums += joint.reshape(len(flat), -1) @ block.features.T
        if also is not None:
            also(joint, block)
    # A row that is impossible has a log density so low that the sum is as low as no other data are.
    return sums.reshape(theta.shape), np.where(log_likelihood > IMPOSSIBLE, log_likelihood, -np.inf)


def blocks_of(features: Floats, counts: Floats) -> list[Block]:
    """Rows whose features ``(F, n)`` are all there, in blocks."""
    starts = range(0, max(len(counts), 1), ROWS)
    parts = [slice(start, start + ROWS) for start in starts]
    return [Block(rows, np.ascontiguousarray(features[:, rows]), counts[rows]) for rows in parts]
