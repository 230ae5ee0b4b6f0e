"""Mixtures of coins as the layers that all mixtures share see them: data, options and prior of one fit, and its derivatives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, gammaln, logit, xlog1py, xlogy

from em.coins.binomials import deviances, largest_log_probability
from em.coins.steps import CoinStatistics, log_densities, log_prior, m_step, many_tosses, statistics_of
from em.kernel import IMPOSSIBLE, LOG_OF_ZERO, Block, blocks_of, posterior_sums
from em.mixture import (
    AT_A_TIME,
    EPSILON,
    Sum,
    block_diagonal,
    from_weight_coordinates,
    log_weights,
    responsibilities,
    trusted,
    weight_basis,
    weight_coordinates,
    weight_prior_derivatives,
)
from em.rows.sample import SAMPLE, drawn, keys
from em.uncertainty.curvature import missing_information
from models.coins.nouns import CoinParameters, CoinPrior, CoinTosses
from models.display import displayed
from models.inputs import Floats, Integers, instance_of, read_only
from models.mixtures import MixtureWeights, checked_labels, exchangeable_groups

FLAT = CoinPrior()
# A start is the M-step under one extra head, tail and bag per coin: from 0 or 1, where none starts, EM cannot leave.
START = CoinPrior(heads=2.0, tails=2.0, concentration=2.0)
# Head probabilities at which a coin is tried, at least for very many bags, and at most.
TRIED = 41, 401


@dataclass(frozen=True, slots=True, eq=False)
class CoinStandardErrors:
    """Standard errors of `models.CoinParameters`, the same shapes; 0 where held fixed, NaN where withheld.

    Attributes
    ----------
    reason : why they are withheld, None where they are not
    covariance : ``(2 K, 2 K)`` of the estimates, ordered as ``names``
    """

    weights: Floats
    head_probabilities: Floats
    reason: str | None
    covariance: Floats
    names: tuple[str, ...]

    __repr__ = displayed


class CoinMixture:
    """The coin family as the shared layers see it; see `em.mixture.Mixture`."""

    in_memory = True

    def __init__(self, tosses: CoinTosses, weights: MixtureWeights, prior: CoinPrior | None) -> None:
        self.tosses = tosses.distinct()
        self.weights, self.prior = weights, prior
        self.n = self.tosses.n
        self.labels, self.counts = self.tosses.labels, self.tosses.counts
        self.n_components = k = weights.n_components
        self.groups = exchangeable_groups(weights, self.labels)
        self.points = (self.tosses.heads / self.tosses.tosses)[:, None]
        self.basis = block_diagonal(weight_basis(k, weights.fixed), np.eye(k))
        self.likelihood_offset = self.offset = 0.0
        self.bounded, self.own_parameters, self.interpolated = True, 1, 0
        self.unit = 0.0
        self._collect()

    def _collect(self) -> None:
        """Features of the bags whose coin is not known, in blocks, and their sums over those of each known coin."""
        h, t = self.tosses.heads, self.tosses.tosses
        self.many_tosses = many_tosses(self.tosses)
        # Of many tosses the last feature is the largest log probability there is, from which deviances are taken.
        constants = (
            largest_log_probability(h, t) if self.many_tosses else gammaln(t + 1) - gammaln(h + 1) - gammaln(t - h + 1)
        )
        features = np.stack([np.ones_like(constants), h, t - h, constants])
        unknown, known = self.labels < 0, np.flatnonzero(self.labels >= 0)
        self.bags, self.known_bags = np.stack([h, t])[:, unknown], np.stack([h, t])[:, known]
        self.known_labels, self.known_counts = self.labels[known], self.counts[known]
        self.blocks = blocks_of(features[:, unknown], self.counts[unknown].astype(float))
        own = np.equal.outer(np.arange(self.n_components), self.labels)
        self.labelled = None if unknown.all() else (own * self.counts) @ features.T

    @property
    def n_parameters(self) -> int:
        return 2 * self.n_components

    def part(self, rows: slice | Integers) -> CoinMixture:
        some, t = copy(self), self.tosses
        fields = {"heads": t.heads[rows], "tosses": t.tosses[rows], "counts": t.counts[rows], "labels": t.labels[rows]}
        some.tosses = trusted(CoinTosses, **fields)
        some.points, some.counts, some.labels = self.points[rows], some.tosses.counts, some.tosses.labels
        some._collect()
        return some

    def sample(self, seed: int) -> CoinMixture:
        if len(self.counts) <= SAMPLE:
            return self
        numbers = np.stack([self.tosses.tosses, self.tosses.heads], axis=1).astype(float)
        return self.part(np.flatnonzero(drawn(keys(self.labels, numbers), self.labels, seed)))

    def summed[T: Sum](self, of: Callable[[CoinMixture], T]) -> T:
        return of(self)

    def e_step(self, parameters: CoinParameters) -> CoinStatistics:
        logs = _log_parameters(parameters)
        p = parameters.head_probabilities[..., None]

        def replace(joint: Floats, block: Block) -> None:
            h, t = self.bags[:, block.rows]
            joint[...] = logs[..., :1] + block.features[3] - deviances(h, t, p)
            np.maximum(joint, LOG_OF_ZERO, out=joint)

        sums, log_likelihood = posterior_sums(logs, self.blocks, replace if self.many_tosses else None)
        if self.labelled is not None:
            of_labelled = (logs * self.labelled).sum(axis=(-2, -1))
            if self.many_tosses:
                h, t = self.known_bags
                missed = deviances(h, t, parameters.head_probabilities[..., self.known_labels])
                of_labelled = (logs * self.labelled)[..., [0, 3]].sum(axis=(-2, -1)) - missed @ self.known_counts
            sums += self.labelled
            log_likelihood = np.where(of_labelled > IMPOSSIBLE, log_likelihood + of_labelled, -np.inf)
        total: Any = log_likelihood[()]
        return CoinStatistics(total, sums[..., 0], sums[..., 1], sums[..., 1] + sums[..., 2], sums[..., 2])

    def m_step(self, statistics: CoinStatistics) -> CoinParameters:
        return m_step(statistics, self.prior, self.weights, many_tosses=self.many_tosses)

    def log_prior(self, parameters: CoinParameters) -> Floats | float:
        return 0.0 if self.prior is None else log_prior(parameters, self.prior, self.weights)

    def rounding(self, parameters: CoinParameters, statistics: CoinStatistics) -> float:
        p, heads, tosses = parameters.head_probabilities, statistics.heads, statistics.tosses
        logs = _log_parameters(parameters)
        size: Any = abs(statistics.log_likelihood) + self.n
        if self.many_tosses:
            # What is rounded is p, or 1 - p: by the inequality of Cauchy and Schwarz |h - t p| / (1 - p) adds up to no more than
            # sqrt(2 deviance) sqrt(t p / (1 - p)), and the deviance is of the size of the objective.
            odds = p / np.maximum(1 - p, EPSILON)
            size += np.sqrt(2 * size * (tosses * odds).sum())
        else:
            size += -(xlogy(heads, p) + xlog1py(tosses - heads, -p)).sum() + (statistics.bags @ np.abs(logs[:, 0]))
        return float(EPSILON * size)

    def log_densities(self, parameters: CoinParameters) -> Floats:
        return log_densities(parameters, self.tosses)

    def scores(self, parameters: CoinParameters) -> Floats:
        p = parameters.head_probabilities
        h, tails = self.tosses.heads[:, None], (self.tosses.tosses - self.tosses.heads)[:, None]
        return (_ratio(h, p) - _ratio(tails, 1 - p))[:, :, None]

    def complete_hessian(self, parameters: CoinParameters, weighted: Floats) -> Floats:
        p = parameters.head_probabilities
        h, tails = self.tosses.heads @ weighted, (self.tosses.tosses - self.tosses.heads) @ weighted
        return -np.asarray(_ratio(h, p * p) + _ratio(tails, (1 - p) ** 2))[:, None, None]

    def informations(self, parameters: CoinParameters) -> Floats:
        missing, rows = missing_information(self, parameters)
        return np.stack([_information_of(parameters, rows, self.e_step(parameters).tosses), missing])

    def prior_information(self, parameters: CoinParameters) -> Floats:
        prior = self.prior or FLAT
        bags, tosses = np.full((2, self.n_components), [[prior.concentration - 1], [prior.heads + prior.tails - 2]])
        return _information_of(parameters, bags, tosses)

    @property
    def information_steps(self) -> float:
        return float(self.n_components)

    def prior_derivatives(self, parameters: CoinParameters) -> tuple[Floats, Floats]:
        prior = self.prior or FLAT
        p, a, b = parameters.head_probabilities, prior.heads - 1, prior.tails - 1
        gradient, hessian = weight_prior_derivatives(parameters.weights, self.weights, prior.concentration)
        curved = -_ratio(a, p * p) - _ratio(b, (1 - p) ** 2)
        return np.concatenate([gradient, _ratio(a, p) - _ratio(b, 1 - p)]), block_diagonal(hessian, np.diag(curved))

    def own_coordinates(self, component: int) -> Integers:
        return np.array([self.n_components + component])

    def bounds(self) -> list[tuple[int, float]]:
        return [(self.n_components + k, bound) for k in range(self.n_components) for bound in (0.0, 1.0)]

    def names(self) -> list[str]:
        return [f"{name}[{k + 1}]" for name in ("weights", "head_probabilities") for k in range(self.n_components)]

    def to_vector(self, parameters: CoinParameters) -> Floats:
        return np.concatenate([parameters.weights, parameters.head_probabilities], axis=-1)

    def exists(self, vector: Floats) -> NDArray[np.bool_]:
        return np.asarray(((vector >= 0) & (vector <= 1)).all(axis=-1))

    def from_vector(self, vector: Floats) -> CoinParameters:
        if not self.exists(vector).all():
            raise FloatingPointError("a probability left [0, 1]")
        k = self.n_components
        return trusted(CoinParameters, weights=vector[..., :k], head_probabilities=vector[..., k:])

    def coordinates(self, parameters: CoinParameters, *, unbounded: bool) -> Floats:
        weights = weight_coordinates(parameters.weights, self.weights.fixed, unbounded=unbounded)
        p = parameters.head_probabilities
        return np.concatenate([weights, logit(p) if unbounded else p], axis=-1)

    def from_coordinates(self, x: Floats, *, unbounded: bool) -> tuple[Floats, Floats]:
        k = self.n_components
        w, by_w = from_weight_coordinates(x[..., :-k], self.weights.fixed, unbounded=unbounded)
        p = expit(x[..., -k:]) if unbounded else x[..., -k:]
        by_x = p * (1 - p) if unbounded else np.ones_like(p)
        return np.concatenate([w, p], axis=-1), block_diagonal(by_w, by_x[..., None] * np.eye(k))

    def spreads(self, parameters: CoinParameters) -> Floats:
        return np.full(parameters.weights.shape, np.inf)

    def spread_ratios(self, parameters: CoinParameters) -> Floats:
        return self.spreads(parameters)

    def within_ratio(self, least: float, parameters: CoinParameters) -> tuple[CoinMixture, CoinParameters]:
        return self, parameters

    def white(self) -> None:
        return None

    def start_from(self, responsibilities: Floats, *, wide: bool = True) -> CoinParameters:
        statistics = statistics_of(responsibilities * self.counts[:, None], np.nan, self.tosses)
        return m_step(statistics, START if wide else self.prior, self.weights)

    def elsewhere(self, random: np.random.Generator) -> Iterator[tuple[Floats, Floats]]:
        # Over the shares of heads there are, in standard deviations of such a share, which are alike on this scale.
        number, angles = int(np.clip(2 * AT_A_TIME // len(self.counts), *TRIED)), np.arcsin(np.sqrt(self.points))
        tried = np.linspace(angles.min(), angles.max(), number)
        coins = trusted(CoinParameters, head_probabilities=np.sin(tried) ** 2)
        yield self.log_densities(coins), 2 * np.sqrt(self.tosses.tosses.mean()) * tried[:, None]

    def held(self, vector: Floats) -> Floats:
        return vector

    def constrained(self, parameters: CoinParameters) -> bool:
        return False

    def published(self, parameters: CoinParameters) -> CoinParameters:
        weights, p = (read_only(v.copy()) for v in (parameters.weights, parameters.head_probabilities))
        return trusted(CoinParameters, weights=weights, head_probabilities=p)

    def from_published(self, published: CoinParameters) -> CoinParameters:
        return published

    @property
    def vector_units(self) -> Floats:
        return np.ones(self.n_parameters)

    def by_feature(self, directions: Floats) -> Floats:
        return directions

    def responsibilities(self, data: CoinTosses, published: CoinParameters) -> Floats:
        instance_of("data", data, CoinTosses)
        joint = log_weights(published.weights) + log_densities(published, data)
        return responsibilities(joint, checked_labels(data.labels, self.n_components))[0]

    def drawn_again(self, rows: Integers, counts: Integers) -> CoinMixture:
        t = self.tosses
        return CoinMixture(CoinTosses(t.heads[rows], t.tosses[rows], counts, t.labels[rows]), self.weights, self.prior)

    def simulated(
        self,
        parameters: CoinParameters,
        rows: Integers,
        components: Integers,
        labels: Integers,
        random: np.random.Generator,
    ) -> CoinMixture:
        tosses = self.tosses.tosses[rows]
        heads = parameters.simulate(components, tosses, random)
        return CoinMixture(CoinTosses(heads, tosses, labels=labels), self.weights, self.prior)

    def standard_errors(self, _: CoinParameters, covariance: Floats, reason: str | None) -> CoinStandardErrors:
        sizes, k = np.sqrt(np.diag(covariance)), self.n_components
        return CoinStandardErrors(sizes[:k], sizes[k:], reason, covariance, tuple(self.names()))


def _information_of(parameters: CoinParameters, bags: Floats, tosses: Floats) -> Floats:
    """``(2 K, 2 K)`` information of so many bags and tosses of each coin."""
    p = parameters.head_probabilities
    # Of a component that is as good as empty it is as good as infinite.
    with np.errstate(over="ignore"):
        return np.diag(np.concatenate([bags / parameters.weights**2, tosses / (p * (1 - p))]))


def _log_parameters(parameters: CoinParameters) -> Floats:
    """``(..., K, 4)`` natural parameters of each coin, by the features that `CoinMixture` makes of bags."""
    w, p = parameters.weights, parameters.head_probabilities
    logs = np.empty((*p.shape, 4))
    if w.min() > 0 and p.min() > 0 and p.max() < 1:  # silencing a warning takes longer than the logarithms
        _log_into(logs, w, p)
    else:
        with np.errstate(divide="ignore"):
            _log_into(logs, w, p)
        np.maximum(logs, LOG_OF_ZERO, out=logs)
    return logs


def _log_into(logs: Floats, w: Floats, p: Floats) -> None:
    np.log(w, out=logs[..., 0])
    np.log(p, out=logs[..., 1])
    np.log1p(-p, out=logs[..., 2])
    logs[..., 3] = 1.0


def _ratio(numerator: ArrayLike, denominator: Floats) -> Floats:
    """Quotient with 0 / 0 = 0: what never happened contributes nothing, also at a bound."""
    top = np.broadcast_to(
        np.asarray(numerator, dtype=float), np.broadcast_shapes(np.shape(numerator), denominator.shape)
    )
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(top == 0, 0.0, top / denominator)
