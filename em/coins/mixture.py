"""Mixtures of coins as an exponential family: what it has beside `em.exponential.ExponentialMixture`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln, xlog1py, xlogy

from em.coins.binomials import deviances, largest_log_probability
from em.coins.steps import CoinStatistics, log_densities, log_prior, m_step, many_tosses
from em.elementwise import PROBABILITY, Domain
from em.exponential import ExponentialMixture
from em.kernel import LOG_OF_ZERO, Block
from em.mixture import AT_A_TIME, EPSILON, log_weights, trusted
from em.uncertainty.curvature import missing_information
from models.coins.nouns import CoinParameters, CoinPrior, CoinTosses
from models.display import displayed
from models.inputs import Floats, Integers

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


class CoinMixture(ExponentialMixture):
    """Features are heads and tails; of many tosses deviances stand in for their products, which would lose digits."""

    kind = "coins"
    noun, parameters, priors, errors = CoinTosses, CoinParameters, CoinPrior, CoinStandardErrors
    modal: ClassVar[dict[str, float]] = {"heads": 1.0, "tails": 1.0, "concentration": 1.0}
    domains: ClassVar[dict[str, Domain]] = {"head_probabilities": PROBABILITY}
    data: CoinTosses
    average = "chance_of_heads"

    @property
    def tosses(self) -> CoinTosses:
        """The distinct bags."""
        return self.data

    def places(self) -> Floats:
        return np.asarray((self.data.heads / self.data.tosses)[:, None])

    def numbers(self) -> Floats:
        return np.stack([self.data.tosses, self.data.heads], axis=1).astype(float)

    def features(self) -> tuple[Floats, Floats]:
        h, t = self.data.heads, self.data.tosses
        self.many_tosses = many_tosses(self.data)
        # Of many tosses the last feature is the largest log probability there is, from which deviances are taken.
        constants = (
            largest_log_probability(h, t) if self.many_tosses else gammaln(t + 1) - gammaln(h + 1) - gammaln(t - h + 1)
        )
        return np.stack([h, t - h]).astype(float), np.asarray(constants)

    def natural(self, parameters: CoinParameters) -> Floats:
        p = parameters.head_probabilities
        with np.errstate(divide="ignore"):
            return np.stack([np.log(p), np.log1p(-p)], axis=-1)

    def theta(self, parameters: CoinParameters) -> Floats:
        w, p = parameters.weights, parameters.head_probabilities
        if w.min() <= 0 or p.min() <= 0 or p.max() >= 1:
            return super().theta(parameters)
        joint = np.empty((*p.shape, 4))
        np.log(w, out=joint[..., 0])
        np.log(p, out=joint[..., 1])
        np.log1p(-p, out=joint[..., 2])
        joint[..., 3] = 1.0
        return joint

    def exists(self, vector: Floats) -> NDArray[np.bool_]:
        return np.asarray(((vector >= 0) & (vector <= 1)).all(axis=-1))

    def natural_derivatives(self, parameters: CoinParameters) -> tuple[Floats, Floats]:
        p = parameters.head_probabilities[:, None]
        with np.errstate(divide="ignore", over="ignore"):
            first = np.stack([1 / p, -1 / (1 - p)], axis=1)
            second = np.stack([-1 / p**2, -1 / (1 - p) ** 2], axis=1)
        return first, second[..., None]

    def informations(self, parameters: CoinParameters) -> Floats:
        missing, rows = missing_information(self, parameters)
        return np.stack([_information_of(parameters, rows, self.e_step(parameters).tosses), missing])

    def prior_information(self, parameters: CoinParameters) -> Floats:
        prior = self.prior or CoinPrior()
        rows, tosses = np.full((2, self.n_components), [[prior.concentration - 1], [prior.heads + prior.tails - 2]])
        return _information_of(parameters, rows, tosses)

    def statistics(self, log_likelihood: Any, rows: Floats, features: Floats) -> CoinStatistics:
        heads, tails = features[..., 0], features[..., 1]
        return CoinStatistics(log_likelihood, rows, heads, heads + tails, tails)

    def sums(self, statistics: CoinStatistics) -> Floats:
        return np.stack([statistics.heads, statistics.tails], axis=-1)

    def replaced(self, parameters: CoinParameters, joint: Floats) -> Callable[[Floats, Block], None] | None:
        if not self.many_tosses:
            return None
        bags = np.stack([self.data.heads, self.data.tosses])[:, self.unknown]
        p = parameters.head_probabilities[..., None]

        def by_deviance(into: Floats, block: Block) -> None:
            h, t = bags[:, block.rows]
            into[...] = joint[..., :1] + block.features[3] - deviances(h, t, p)
            np.maximum(into, LOG_OF_ZERO, out=into)

        return by_deviance

    def of_labelled(self, parameters: CoinParameters, joint: Floats) -> Floats:
        if not self.many_tosses:
            return super().of_labelled(parameters, joint)
        known, p = self.known_rows, parameters.head_probabilities
        missed = deviances(self.data.heads[known], self.data.tosses[known], p[..., self.labels[known]])
        labelled: Any = self.labelled
        return np.asarray((joint * labelled)[..., [0, 3]].sum(axis=(-2, -1)) - missed @ self.counts[known])

    def log_densities(self, parameters: CoinParameters) -> Floats:
        return log_densities(parameters, self.data)

    def m_step(self, statistics: CoinStatistics) -> CoinParameters:
        return m_step(statistics, self.prior, self.weights, many_tosses=self.many_tosses)

    def weak(self) -> CoinMixture:
        weak = copy(self)
        # As they always were, by heads and tosses.
        weak.prior, weak.many_tosses = START, False
        return weak

    def log_prior(self, parameters: CoinParameters) -> Floats | float:
        return 0.0 if self.prior is None else log_prior(parameters, self.prior, self.weights)

    def own_prior_derivatives(self, parameters: CoinParameters) -> tuple[Floats, Floats]:
        p, a, b = parameters.head_probabilities, self.prior.heads - 1, self.prior.tails - 1
        curved = -_ratio(a, p * p) - _ratio(b, (1 - p) ** 2)
        return (_ratio(a, p) - _ratio(b, 1 - p))[:, None], curved[:, None, None]

    def rounding(self, parameters: CoinParameters, statistics: CoinStatistics) -> float:
        p, heads, tosses = parameters.head_probabilities, statistics.heads, statistics.tosses
        size: Any = abs(statistics.log_likelihood) + self.n
        if self.many_tosses:
            # What is rounded is p, or 1 - p: by the inequality of Cauchy and Schwarz |h - t p| / (1 - p) adds up to no more than
            # sqrt(2 deviance) sqrt(t p / (1 - p)), and the deviance is of the size of the objective.
            odds = p / np.maximum(1 - p, EPSILON)
            size += np.sqrt(2 * size * (tosses * odds).sum())
        else:
            size += -(xlogy(heads, p) + xlog1py(tosses - heads, -p)).sum() + (
                statistics.bags @ np.abs(np.maximum(log_weights(parameters.weights), LOG_OF_ZERO))
            )
        return float(EPSILON * size)

    def elsewhere(self, random: np.random.Generator) -> Iterator[tuple[Floats, Floats]]:
        # Over the shares of heads there are, in standard deviations of such a share, which are alike on this scale.
        number, angles = int(np.clip(2 * AT_A_TIME // len(self.counts), *TRIED)), np.arcsin(np.sqrt(self.points))
        tried = np.linspace(angles.min(), angles.max(), number)
        coins = trusted(CoinParameters, head_probabilities=np.sin(tried) ** 2)
        yield self.log_densities(coins), 2 * np.sqrt(self.tosses.tosses.mean()) * tried[:, None]

    def drawn(
        self, published: CoinParameters, rows: Integers, components: Integers, random: np.random.Generator
    ) -> CoinTosses:
        tosses = self.data.tosses[rows]
        return CoinTosses(published.simulate(components, tosses, random), tosses)


def _information_of(parameters: CoinParameters, bags: Floats, tosses: Floats) -> Floats:
    """``(2 K, 2 K)`` expected information of so many bags and tosses of each coin, which has no heads to wait for."""
    p = parameters.head_probabilities
    # Of a component that is as good as empty it is as good as infinite.
    with np.errstate(over="ignore"):
        return np.diag(np.concatenate([bags / parameters.weights**2, tosses / (p * (1 - p))]))


def _ratio(numerator: ArrayLike, denominator: Floats) -> Floats:
    """Quotient with 0 / 0 = 0: what never happened contributes nothing, also at a bound."""
    top = np.broadcast_to(
        np.asarray(numerator, dtype=float), np.broadcast_shapes(np.shape(numerator), denominator.shape)
    )
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(top == 0, 0.0, top / denominator)
