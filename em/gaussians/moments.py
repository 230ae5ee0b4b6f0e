"""Sufficient statistics of a mixture of normals, as moments about the means of the E-step.

About the *current* means adding does not cancel digits, however far the rows are from 0: the correction to the new
means vanishes at the optimum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.inputs import Floats


@dataclass(frozen=True, slots=True, eq=False)
class GaussianStatistics:
    """What the E-step sends to the M-step: expected rows and moments about ``means``, which adding does not cancel.

    Attributes
    ----------
    rows : ``(K,)``
    first, second : ``(K, d)`` and ``(K, d, d)`` sums of (y - mean) and of its outer products
    means : ``(K, d)`` the means of the E-step
    """

    log_likelihood: float
    rows: Floats
    first: Floats
    second: Floats
    means: Floats

    def __add__(self, other: GaussianStatistics) -> GaussianStatistics:
        """Statistics of both sets of rows together; both must come from the same parameters."""
        if not np.array_equal(self.means, other.means):
            raise ValueError("statistics about different means do not add; run both E-steps at the same parameters")
        return GaussianStatistics(
            self.log_likelihood + other.log_likelihood,
            self.rows + other.rows,
            self.first + other.first,
            self.second + other.second,
            self.means,
        )


def statistics_of(
    expected: Floats, log_likelihood: float, y: Floats, means: Floats, *, diagonal: bool = False
) -> GaussianStatistics:
    """Moments about ``means`` of rows ``y`` ``(n, d)`` that belong to the components ``expected`` ``(..., n, K)`` times.

    ``diagonal`` leaves out the products of two features, which take d times as long as all else.
    """
    *many, k, d = means.shape
    first, second = np.empty((*many, k, d)), np.zeros((*many, k, d, d))
    for j in range(k):
        difference = y - means[..., j, None, :]
        weighted = difference * expected[..., j, None]
        first[..., j, :] = weighted.sum(axis=-2)
        if diagonal:
            second[..., j, range(d), range(d)] = (weighted * difference).sum(axis=-2)
        else:
            second[..., j, :, :] = weighted.swapaxes(-1, -2) @ difference
    return GaussianStatistics(log_likelihood, expected.sum(axis=-2), first, second, means)
