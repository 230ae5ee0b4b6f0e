"""Mixtures of exponential families: three functions of a family, and all the rest from the kernel.

The log density of a row in a component is ``theta(parameters) . phi(y) + base(y)``. What a family tells is the features
``phi``, the natural parameters ``theta`` with their derivatives, and the M-step from summed features; see `ExponentialMixture`.
E-step, known labels, counts, all starts in one pass, scores and information follow.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from em.elementwise import ElementwiseMixture
from em.kernel import IMPOSSIBLE, LOG_OF_ZERO, Block, blocks_of, posterior_sums
from em.mixture import EPSILON, block_diagonal, log_weights
from em.rows.compiled import available, compiled_sums
from em.uncertainty.curvature import missing_information
from models.inputs import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """What the E-step sends to the M-step.

    Attributes
    ----------
    log_likelihood : ``(...)``
    rows : ``(..., K)`` expected rows
    features : ``(..., K, F)`` features of them, summed
    """

    log_likelihood: float
    rows: Floats
    features: Floats

    def __add__(self, other: Sums) -> Sums:
        """Statistics of both sets of rows together."""
        return Sums(self.log_likelihood + other.log_likelihood, self.rows + other.rows, self.features + other.features)


class ExponentialMixture(ElementwiseMixture):
    """What the shared layers see of a mixture, `em.mixture.Mixture`, from what an exponential family tells.

    Attributes
    ----------
    only_components : whether nothing but the components is latent
    """

    only_components = True

    # What a family tells

    @abstractmethod
    def features(self) -> tuple[Floats, Floats]:
        """``(F, n)`` features of the rows, and ``(n,)`` what their log densities have beside, without parameters."""

    @abstractmethod
    def natural(self, parameters: Any) -> Floats:
        """``(..., K, F)`` natural parameters."""

    @abstractmethod
    def natural_derivatives(self, parameters: Any) -> tuple[Floats, Floats]:
        """``(K, F, q)`` and ``(K, F, q, q)`` derivatives of the natural parameters by those of one component."""

    @abstractmethod
    def weak(self) -> Any:
        """The same with a weak prior, under which no start is at a bound."""

    # What follows

    def statistics(self, log_likelihood: Any, rows: Floats, features: Floats) -> Any:
        """What the M-step is given."""
        return Sums(log_likelihood, rows, features)

    def sums(self, statistics: Any) -> Floats:
        """``(..., K, F)`` summed features of the statistics."""
        features: Floats = statistics.features
        return features

    def _collect(self) -> None:
        """Features of the rows whose component is not known, in blocks, and their sums over those of each known one."""
        own, base = self.features()
        self.phi = np.concatenate([np.ones((1, own.shape[1])), own, base[None]])
        self.unknown, known = self.labels < 0, np.flatnonzero(self.labels >= 0)
        self.known_rows = known
        self.pass_over(self.unknown)
        told = np.equal.outer(np.arange(self.n_components), self.labels)
        self.labelled = (told * self.counts) @ self.phi.T if len(known) else None

    def pass_over(self, kept: NDArray[np.bool_]) -> None:
        """Choose the rows that an E-step sums over."""
        self.kept_rows = slice(None) if kept.all() else kept
        # Made where they are needed: of a part of the rows, of which scores are asked, they are not.
        for ready in ("blocks", "compiled"):
            self.__dict__.pop(ready, None)

    @cached_property
    def blocks(self) -> list[Block]:
        """These rows in blocks."""
        return blocks_of(self.phi[:, self.kept_rows], self.counts[self.kept_rows].astype(float))

    @cached_property
    def compiled(self) -> tuple[Floats, Floats] | None:
        """Their features and counts as the compiled pass takes them; None where they are too few for it."""
        counts = self.counts[self.kept_rows].astype(float)
        if not available(len(counts)):
            return None
        return np.ascontiguousarray(self.phi[1:, self.kept_rows]), np.empty(0) if (counts == 1).all() else counts

    def theta(self, parameters: Any) -> Floats:
        """``(..., K, F + 2)`` natural parameters by the features with 1 before and what has no parameters behind them."""
        own = self.natural(parameters)
        joint = np.empty((*own.shape[:-1], own.shape[-1] + 2))
        joint[..., 0], joint[..., 1:-1], joint[..., -1] = log_weights(parameters.weights), own, 1.0
        if not np.isfinite(joint).all():
            np.maximum(joint, LOG_OF_ZERO, out=joint)
        return joint

    def e_step(self, parameters: Any) -> Any:
        joint = self.theta(parameters)
        replace, log_likelihood = self.replaced(parameters, joint), np.zeros(())
        if self.compiled is not None and joint.ndim == 2 and replace is None:
            sums, logs, smallest = compiled_sums(joint, *self.compiled)
            log_likelihood += logs if smallest > IMPOSSIBLE else -np.inf
        else:
            sums, log_likelihood = posterior_sums(joint, self.blocks, replace)
        if self.labelled is not None:
            of_labelled = self.of_labelled(parameters, joint)
            sums += self.labelled
            log_likelihood = np.where(of_labelled > IMPOSSIBLE, log_likelihood + of_labelled, -np.inf)
        return self.statistics(log_likelihood[()], sums[..., 0], sums[..., 1:-1])

    def replaced(self, parameters: Any, joint: Floats) -> Callable[[Floats, Block], None] | None:
        """What puts log densities of a block right where the product would lose digits; see `em.kernel.posterior_sums`."""
        return None

    def of_labelled(self, parameters: Any, joint: Floats) -> Floats:
        """``(...)`` log-likelihood of the rows whose component is known."""
        labelled: Any = self.labelled
        return np.asarray((joint * labelled).sum(axis=(-2, -1)))

    def log_densities(self, parameters: Any) -> Floats:
        own = np.maximum(self.natural(parameters), LOG_OF_ZERO)
        found = np.moveaxis(own @ self.phi[1:-1] + self.phi[-1], -1, -2)
        return np.where(found > IMPOSSIBLE, found, -np.inf)

    def rounding(self, parameters: Any, statistics: Any) -> float:
        own = np.maximum(self.natural(parameters), LOG_OF_ZERO)
        size = abs(statistics.log_likelihood) + self.n + np.abs(own * self.sums(statistics)).sum()
        return float(EPSILON * (size + np.abs(self.phi[-1]) @ self.counts))

    def scores(self, parameters: Any) -> Floats:
        slopes = self.natural_derivatives(parameters)[0]
        return products(self.phi[1:-1], slopes, "fn,kfq->nkq")

    def summed_scores(self, parameters: Any) -> tuple[Floats, Floats] | None:
        if not self.only_components:
            return None
        statistics = self.e_step(parameters)
        slopes = self.natural_derivatives(parameters)[0]
        return statistics.rows, products(self.sums(statistics).T, slopes, "fk,kfq->kq")

    def complete_hessian(self, parameters: Any, weighted: Floats) -> Floats:
        curved = self.natural_derivatives(parameters)[1]
        return products((self.phi[1:-1] @ weighted), curved, "fk,kfqr->kqr")

    def informations(self, parameters: Any) -> Floats:
        statistics = self.e_step(parameters)
        rows, features = statistics.rows, self.sums(statistics).T
        missing = self.missing(parameters) if self.only_components else missing_information(self, parameters)[0]
        own = -products(features, self.natural_derivatives(parameters)[1], "fk,kfqr->kqr")
        # Of a component that is as good as empty it is as good as infinite.
        with np.errstate(over="ignore"):
            of_weights = np.diag(rows / parameters.weights**2)
        return np.stack([block_diagonal(of_weights, self._of_components(own)), missing])

    def missing(self, parameters: Any) -> Floats:
        """``(p, p)`` information that is missing with the components, where nothing else is.

        For each pair of them the squared difference of their complete-data scores, which are linear in the features.
        """
        k, p = self.n_components, self.n_parameters
        slopes, theta = self.natural_derivatives(parameters)[0], self.theta(parameters)
        scores = np.zeros((k, 1 + slopes.shape[1], 1 + slopes.shape[2]))
        scores[:, 0, 0], scores[:, 1:, 1:] = 1 / parameters.weights, slopes
        pairs = np.tril_indices(k, -1)
        squares = np.zeros((len(pairs[0]), scores.shape[1], scores.shape[1]))

        def add(expected: Floats, block: Block) -> None:
            phi = block.features[:-1]
            both = expected[pairs[0]] * expected[pairs[1]] / block.counts
            squares[...] += (both[:, None] * phi) @ phi.T

        posterior_sums(theta, self.blocks, self.replaced(parameters, theta), add)
        places = [np.array([j, *self.own_coordinates(j)]) for j in range(k)]
        found = np.zeros((p, p))
        for square, *pair in zip(squares, *pairs, strict=True):
            for i, j in product(pair, pair):
                found[np.ix_(places[i], places[j])] += (1 if i == j else -1) * scores[i].T @ square @ scores[j]
        return found

    def numbers(self) -> Floats:
        """``(n, m)`` what tells rows apart."""
        return np.ascontiguousarray(self.phi[1:-1].T)

    def start_from(self, responsibilities: Floats, *, wide: bool = True) -> Any:
        weighted = responsibilities * self.counts[:, None]
        sums = np.moveaxis(self.phi[1:-1] @ weighted, -2, -1)
        return (self.weak() if wide else self).m_step(self.statistics(np.nan, weighted.sum(axis=-2), sums))


def products(features: Floats, derivatives: Floats, summed: str) -> Floats:
    """Features times derivatives, summed; what never happened contributes nothing, also at a bound."""
    if np.isfinite(derivatives).all():
        return np.asarray(np.einsum(summed, features, derivatives))
    finite = np.where(np.isfinite(derivatives), derivatives, 0.0)
    # A feature that is 0 takes no part, any other makes the sum as infinite as its derivative.
    infinite = np.where(np.isfinite(derivatives), 0.0, np.sign(derivatives))
    signs = np.einsum(summed, (features != 0).astype(float), infinite)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.einsum(summed, features, finite) + np.where(signs != 0, signs * np.inf, 0.0))
