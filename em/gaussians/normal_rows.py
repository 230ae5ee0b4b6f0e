"""The rows of a mixture of normals as the kernel wants them, and the exact way for components too tight for it.

The features are (1, y_a, y_a y_b for a >= b), or (1, y_a, y_a^2) where covariances have no other entries. The expanded
square ``theta . phi`` of a component much tighter than the spread of the rows, or far from their centre, cancels: its
error is the rounding of its largest terms. Components where these are above `LARGEST` are computed from
differences to their own means instead, by Cholesky factors, and so are their moments.

Rows whose component is known need no E-step: their moments about their own mean are all that is ever needed of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from em.gaussians.covariances import places_of_lower
from em.gaussians.moments import GaussianStatistics, statistics_of
from em.kernel import IMPOSSIBLE, LOG_OF_ZERO, ROWS, Block, posterior_sums
from em.mixture import AT_A_TIME
from em.mixture import log_weights as log_of_weights
from em.rows.compiled import available, compiled_sums
from models.gaussians.nouns import GaussianParameters
from models.inputs import Floats, Integers

# Root of the summed squares of the largest terms of a log density up to which their rounding errors, which are independent,
# leave it twelve digits after the point.
LARGEST = 4e3
LOG_2PI = math.log(2 * math.pi)
# Products of two features that are made at a time.
PRODUCTS = 256
# Features kept rather than made anew in every pass: 1 MB.
KEPT = 2**17


class _Exact(NamedTuple):
    """Which components ``(..., K)`` are computed the exact way, their ``m`` constants and inverse Cholesky factors."""

    tight: NDArray[np.bool_]
    constants: Floats
    inverse_roots: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Tight:
    """The components that are computed exactly: log densities in place of the kernel's, and moments about their means."""

    y: Floats
    exact: _Exact
    means: Floats
    first: Floats
    second: Floats

    @classmethod
    def of(cls, y: Floats, exact: _Exact, means: Floats) -> _Tight:
        m, d = int(exact.tight.sum()), means.shape[-1]
        return cls(y, exact, means[exact.tight], np.zeros((m, d)), np.zeros((m, d, d)))

    def differences(self, block: Block) -> Floats:
        """``(m, n, d)`` rows about the mean of each such component."""
        return np.asarray(self.y[block.rows] - self.means[:, None, :])

    def replace(self, joint: Floats, block: Block) -> None:
        standardised = self.differences(block) @ self.exact.inverse_roots.swapaxes(-1, -2)
        distances = np.einsum("mij,mij->mi", standardised, standardised)
        joint[self.exact.tight] = self.exact.constants[:, None] - 0.5 * distances

    def add(self, expected: Floats, block: Block) -> None:
        differences = self.differences(block)
        weighted = differences * expected[self.exact.tight][:, :, None]
        self.first[...] += weighted.sum(axis=-2)
        self.second[...] += weighted.swapaxes(-1, -2) @ differences


class NormalRows:
    """Rows ``y`` ``(n, d)`` about their centre, in units of their spread; ``diagonal`` where no covariance is estimated.

    ``extent`` is given to some of many rows: how many there are in all, and the largest size in each column ``(d,)``.
    """

    def __init__(
        self,
        y: Floats,
        counts: Integers,
        labels: Integers,
        k: int,
        *,
        diagonal: bool,
        extent: tuple[int, Floats] | None = None,
    ) -> None:
        unknown = labels < 0
        self.diagonal = diagonal or y.shape[1] == 1
        whole = bool(unknown.all())
        # Column after column, as features are made of them; rows that already are so are not copied.
        self.y = np.asfortranarray(y if whole else y[unknown])
        self.once = bool((counts[unknown] == 1).all())
        self.counts = np.broadcast_to(1.0, len(self.y)) if self.once else counts[unknown].astype(float)
        self.d = d = y.shape[1]
        self.lower = np.tril_indices(d)
        a, b = self.pairs = (np.arange(d),) * 2 if self.diagonal else self.lower
        n, largest = extent or (len(self.y), np.abs(self.y).max(axis=0, initial=0.0))
        self.largest = np.concatenate([[1.0], largest, largest[a] * largest[b]])
        self.largest_squared = self.largest**2
        self.twice = np.where(a == b, -0.5, -1.0)  # an entry off the diagonal stands in a precision twice
        self.labelled = None if whole else _of_known(y[~unknown], counts[~unknown], labels[~unknown], k)
        self.compiled = len(self.y) > 0 and available(n)
        few = len(self.y) * len(self.largest) <= KEPT
        self.kept = [self._block(rows) for rows in self._parts()] if few else None

    def _parts(self) -> Iterator[slice]:
        return (slice(start, start + ROWS) for start in range(0, max(len(self.y), 1), ROWS))

    def _block(self, rows: slice) -> Block:
        columns, d = self.y[rows].T, self.d
        features = np.empty((len(self.largest), columns.shape[1]))
        features[0] = 1.0
        features[1 : d + 1] = columns
        if self.diagonal:
            np.multiply(columns, columns, out=features[d + 1 :])
        else:
            at = d + 1
            for a in range(d):
                np.multiply(features[1 : a + 2], features[a + 1], out=features[at : at + a + 1])
                at += a + 1
        return Block(rows, features, self.counts[rows])

    def natural(self, parameters: GaussianParameters) -> tuple[Floats, _Exact | None]:
        """Natural parameters ``(..., K, F)`` of every component, and what is needed of those that are too tight for them.

        Raises
        ------
        numpy.linalg.LinAlgError
            if a covariance is not positive definite
        """
        means, d = parameters.means, self.d
        inverse_roots = None
        if self.diagonal:
            variances = parameters.covariances[..., 0]
            if d > 1:
                variances = np.diagonal(parameters.covariances, axis1=-2, axis2=-1)
            if not variances.min() > 0:
                raise np.linalg.LinAlgError("a variance is not positive")
            entries = 1.0 / variances
            turned = entries * means
            log_determinants = np.add.reduce(np.log(variances), axis=-1)
        else:
            inverse_roots = np.linalg.inv(np.linalg.cholesky(parameters.covariances))
            precisions = inverse_roots.swapaxes(-1, -2) @ inverse_roots
            entries = precisions[..., *self.lower]
            turned = (precisions @ means[..., None])[..., 0]
            log_determinants = -2 * np.log(np.diagonal(inverse_roots, axis1=-2, axis2=-1)).sum(axis=-1)
        theta = np.empty((*means.shape[:-1], len(self.largest)))
        constants = -0.5 * (log_determinants + d * LOG_2PI)
        theta[..., 0] = constants - 0.5 * np.add.reduce(turned * means, axis=-1)
        theta[..., 1 : d + 1] = turned
        np.multiply(self.twice, entries, out=theta[..., d + 1 :])
        sizes = (theta * theta) @ self.largest_squared
        log_weights = np.maximum(log_of_weights(parameters.weights), LOG_OF_ZERO)
        theta[..., 0] += log_weights
        if sizes.max() <= LARGEST**2:
            return theta, None
        tight = ~(sizes <= LARGEST**2)
        theta[tight] = 0.0
        roots = np.sqrt(entries[tight])[..., None] * np.eye(d) if inverse_roots is None else inverse_roots[tight]
        return theta, _Exact(tight, (constants + log_weights)[tight], roots)

    def sizes(self, parameters: GaussianParameters, held: NDArray[np.bool_]) -> Floats:
        """``(K,)`` root of the summed squares of the largest terms of a row's log density, 0 of components without rows."""
        return np.asarray(
            np.sqrt(np.where(held[:, None], self.natural(parameters)[0], 0.0) ** 2 @ self.largest_squared)
        )

    def statistics(self, parameters: GaussianParameters) -> GaussianStatistics:
        """Expected moments of all rows about the means of the parameters, and the log-likelihood."""
        means, d = parameters.means, self.d
        theta, which = self.natural(parameters)
        exact = None if which is None else _Tight.of(self.y, which, means)
        log_likelihood: Any
        if exact is None and self.compiled and means.ndim == 2:
            counts = np.empty(0) if self.once else self.counts
            sums, log_likelihood, smallest = compiled_sums(theta, self.y.T, counts, self.pairs)
            log_likelihood = np.float64(log_likelihood if smallest > IMPOSSIBLE else -np.inf)
        else:
            blocks = self.kept if self.kept is not None else (self._block(rows) for rows in self._parts())
            by_hand = () if exact is None else (exact.replace, exact.add)
            sums, log_likelihood = posterior_sums(theta, blocks, *by_hand)
        rows = sums[..., 0]
        about_origin = sums[..., 1 : d + 1]
        first = about_origin - rows[..., None] * means
        if self.diagonal:
            squares = sums[..., d + 1 :] - means * (about_origin + first)
            second = squares[..., None] if d == 1 else squares[..., None] * np.eye(d)
        else:
            second = sums[..., d + 1 :][..., places_of_lower(d)]
            second -= means[..., :, None] * about_origin[..., None, :]
            second -= first[..., :, None] * means[..., None, :]
        if exact is not None:
            first[exact.exact.tight], second[exact.exact.tight] = exact.first, exact.second
        statistics = GaussianStatistics(log_likelihood[()], rows, first, second, means)
        return statistics if self.labelled is None else statistics + self._of_labelled(parameters)

    def products(self, parameters: GaussianParameters) -> Floats | None:
        """``(K, K, F, F)`` sums of r_ik r_il phi_i phi_i' over the rows whose component is not known.

        None where a component is too tight for the features, or where covariances are diagonal and d > 1.
        """
        theta, which = self.natural(parameters)
        if which is not None or (self.diagonal and self.d > 1):
            return None
        k, f = theta.shape
        a, b = np.tril_indices(k)
        left, right = np.tril_indices(f)
        sums = np.zeros((len(a), len(left)))
        some = max(AT_A_TIME // (len(a) + min(len(left), PRODUCTS) + 2 * f), ROWS)
        for start in range(0, len(self.y), some):
            block = self._block(slice(start, start + some))
            shares = theta @ block.features
            shares -= np.maximum.reduce(shares, axis=0)
            np.exp(shares, out=shares)
            shares /= np.add.reduce(shares, axis=0)
            weighted = shares[a] * shares[b]
            if not self.once:
                weighted *= block.counts
            for first in range(0, len(left), PRODUCTS):
                few = slice(first, first + PRODUCTS)
                sums[:, few] += weighted @ (block.features[left[few]] * block.features[right[few]]).T
        squares = np.empty((len(a), f, f))
        squares[:, left, right] = squares[:, right, left] = sums
        products = np.empty((k, k, f, f))
        products[a, b] = products[b, a] = squares
        return products

    def _of_labelled(self, parameters: GaussianParameters) -> GaussianStatistics:
        """Moments of the rows whose component is known, about the means of the parameters, and their log-likelihood."""
        assert self.labelled is not None
        rows, scatter = self.labelled.rows, self.labelled.second
        aside = self.labelled.means - parameters.means
        first = rows[:, None] * aside
        second = scatter + first[..., :, None] * aside[..., None, :]
        inverse_roots = np.linalg.inv(np.linalg.cholesky(parameters.covariances))
        distances = np.einsum("...kab,...kbc,...kac->...k", inverse_roots, second, inverse_roots)
        half_log_determinants = -np.log(np.diagonal(inverse_roots, axis1=-2, axis2=-1)).sum(axis=-1)
        logs = np.maximum(log_of_weights(parameters.weights), LOG_OF_ZERO) - half_log_determinants
        logs -= 0.5 * self.d * np.log(2 * np.pi)
        log_likelihood: Any = (rows * logs - 0.5 * distances).sum(axis=-1)
        log_likelihood = np.where(log_likelihood > IMPOSSIBLE, log_likelihood, -np.inf)[()]
        return GaussianStatistics(log_likelihood, np.broadcast_to(rows, logs.shape), first, second, parameters.means)


def _of_known(y: Floats, counts: Integers, labels: Integers, k: int) -> GaussianStatistics:
    """Moments about their own means of rows that all have a label."""
    own = np.equal.outer(labels, np.arange(k)) * counts[:, None].astype(float)
    means = own.T @ y / np.maximum(own.sum(axis=0), 1)[:, None]
    return statistics_of(own, 0.0, y, means)
