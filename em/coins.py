"""EM for mixtures of coins: bags of tosses, each bag tossed with one of K coins that is not known.

    E-step:  r_ik  proportional to  w_k p_k^h_i (1 - p_k)^(t_i - h_i)
    M-step:  p_k = (sum_i r_ik h_i + a - 1) / (sum_i r_ik t_i + a + b - 2),
             w_k = (sum_i r_ik + c - 1) / (n + K (c - 1))

with the prior ``p_k ~ Beta(a, b)``, ``w ~ Dirichlet(c)``; a = b = c = 1 without one. Source: Do & Batzoglou (2008),
Nature Biotechnology 26, 897; Dempster, Laird & Rubin (1977), JRSS B 39, 1.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaln, expit, gammaln, logit, xlog1py, xlogy

from em.acceleration import Acceleration
from em.fit import Fit, Method, checked_options, fit_mixture
from em.kernel import IMPOSSIBLE, LOG_OF_ZERO, blocks_of, posterior_sums
from em.mixture import (
    Sum,
    block_diagonal,
    fitting_start,
    from_weight_coordinates,
    has_mode,
    log_dirichlet,
    log_weights,
    mode_of_weights,
    responsibilities,
    row_posteriors,
    trusted,
    weight_basis,
    weight_coordinates,
    weight_prior_derivatives,
)
from em.sample import SAMPLE, drawn, keys
from em.starts import Starts
from models.coins import CoinParameters, CoinPrior, CoinTosses
from models.inputs import Floats, Integers, instance_of
from models.mixtures import MixtureWeights, Weights, checked_labels, enough_rows, exchangeable_groups

FLAT = CoinPrior()
# A start is the M-step under one extra head, tail and bag per coin: from 0 or 1, where none starts, EM cannot leave.
START = CoinPrior(heads=2.0, tails=2.0, concentration=2.0)
# Head probabilities at which another coin is tried, and the difference of two below which they are one.
TRIED = np.linspace(0.0, 1.0, 401)
SAME_COIN = 1e-3
# Gain a row by a little weight of another coin, in nats by unit of weight, that is not rounding.
RISING = 1e-10


def log_densities(parameters: CoinParameters, tosses: CoinTosses) -> Floats:
    """``(..., n_bags, n_components)`` log probability of each bag's heads under each coin, binomial coefficient included."""
    h, t = tosses.heads[:, None], tosses.tosses[:, None]
    coefficient = gammaln(t + 1) - gammaln(h + 1) - gammaln(t - h + 1)
    p = parameters.head_probabilities[..., None, :]
    return np.asarray(coefficient + xlogy(h, p) + xlog1py(t - h, -p))


def log_likelihood(parameters: CoinParameters, tosses: CoinTosses) -> float:
    """Log probability of all tosses, the hidden coins summed out.

    Natural log, summed over bags, binomial coefficients included, so it compares across models.

    Parameters
    ----------
    parameters : weights ``(n_components,)``, head probabilities ``(n_components,)``
    tosses : heads and tosses ``(n_bags,)``, each row counted ``counts`` times

    References
    ----------
    Do & Batzoglou (2008), Nature Biotechnology 26, 897.
    """
    return e_step(parameters, tosses).log_likelihood


def log_prior(parameters: CoinParameters, prior: CoinPrior, weights: MixtureWeights) -> Floats:
    """``(...)`` log density of the prior at the parameters, in nats; weights held fixed have none."""
    p = parameters.head_probabilities
    beta = xlogy(prior.heads - 1, p) + xlog1py(prior.tails - 1, -p) - betaln(prior.heads, prior.tails)
    return np.asarray(beta).sum(axis=-1) + log_dirichlet(parameters.weights, weights.fixed, prior.concentration)


@dataclass(frozen=True, slots=True, eq=False)
class CoinStatistics:
    """What the E-step sends to the M-step: expected bags, heads and tosses of each coin, all ``(n_components,)``."""

    log_likelihood: float
    bags: Floats
    heads: Floats
    tosses: Floats

    def __add__(self, other: CoinStatistics) -> CoinStatistics:
        """Statistics of both sets of bags together."""
        return CoinStatistics(
            self.log_likelihood + other.log_likelihood,
            self.bags + other.bags,
            self.heads + other.heads,
            self.tosses + other.tosses,
        )


def _statistics(expected: Floats, log_likelihood: float, tosses: CoinTosses) -> CoinStatistics:
    """Statistics of bags that belong to the coins ``expected`` ``(..., n, K)`` times."""
    return CoinStatistics(log_likelihood, expected.sum(axis=-2), tosses.heads @ expected, tosses.tosses @ expected)


def e_step(parameters: CoinParameters, tosses: CoinTosses) -> CoinStatistics:
    """Expected sufficient statistics of the tosses at the parameters, known labels respected."""
    joint = log_weights(parameters.weights) + log_densities(parameters, tosses)
    r, row_log_likelihood = responsibilities(joint, tosses.labels)
    return _statistics(r * tosses.counts[:, None], float(row_log_likelihood @ tosses.counts), tosses)


def m_step(statistics: CoinStatistics, prior: CoinPrior | None, weights: MixtureWeights) -> CoinParameters:
    """Mode of the conjugate posterior given the statistics; ``prior=None`` is maximum likelihood.

    A coin that nothing was assigned to, under a flat prior, has no mode; any value serves, and 1/2 is returned.
    """
    heads, tosses, concentration = statistics.heads, statistics.tosses, 1.0
    if prior is not None:
        heads, tosses = heads + (prior.heads - 1), tosses + (prior.heads + prior.tails - 2)
        concentration = prior.concentration
    p = (
        heads / tosses
        if tosses.min() > 0
        else np.divide(heads, tosses, out=np.full(heads.shape, 0.5), where=tosses > 0)
    )
    w = mode_of_weights(statistics.bags, weights.fixed, concentration)
    return trusted(CoinParameters, weights=w, head_probabilities=np.minimum(p, 1.0))


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


class CoinMixture:
    """The coin family as the shared layers see it; see `em.mixture.Mixture`."""

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
        self.bounded = True
        self._collect()

    def _collect(self) -> None:
        """Features of the bags whose coin is not known, in blocks, and their sums over those of each known coin."""
        tails = self.tosses.tosses - self.tosses.heads
        coefficients = gammaln(self.tosses.tosses + 1) - gammaln(self.tosses.heads + 1) - gammaln(tails + 1)
        features = np.stack([np.ones_like(coefficients), self.tosses.heads, tails, coefficients])
        unknown = self.labels < 0
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
        sums, log_likelihood = posterior_sums(logs, self.blocks)
        if self.labelled is not None:
            of_labelled = (logs * self.labelled).sum(axis=(-2, -1))
            sums += self.labelled
            log_likelihood = np.where(of_labelled > IMPOSSIBLE, log_likelihood + of_labelled, -np.inf)
        total: Any = log_likelihood[()]
        return CoinStatistics(total, sums[..., 0], sums[..., 1], sums[..., 1] + sums[..., 2])

    def m_step(self, statistics: CoinStatistics) -> CoinParameters:
        return m_step(statistics, self.prior, self.weights)

    def log_prior(self, parameters: CoinParameters) -> Floats | float:
        return 0.0 if self.prior is None else log_prior(parameters, self.prior, self.weights)

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

    def smallest_spread(self, parameters: CoinParameters) -> Floats:
        return np.full(parameters.weights.shape[:-1], np.inf)

    def start_from(self, responsibilities: Floats) -> CoinParameters:
        return m_step(_statistics(responsibilities * self.counts[:, None], np.nan, self.tosses), START, self.weights)

    def moved_apart(self, parameters: CoinParameters) -> CoinParameters | None:
        w, p, counts = parameters.weights, parameters.head_probabilities, self.counts
        pairs = [
            sorted(pair, key=lambda j: -w[j])
            for pair in map(list, combinations(range(self.n_components), 2))
            if self.groups[pair[0]] == self.groups[pair[1]] and (np.ptp(p[pair]) < SAME_COIN or w[pair].min() == 0)
        ]
        if self.weights.fixed is not None or not pairs:
            return None
        tried = log_densities(trusted(CoinParameters, head_probabilities=TRIED), self.tosses)
        # What each row gains by a little weight of a coin more, the others giving way; known rows only lose.
        gains = np.exp(tried - row_posteriors(self, parameters)[1][:, None]) * (self.labels < 0)[:, None] - 1
        slope = counts @ gains
        at = int(slope.argmax())
        if not slope[at] > RISING * self.n:
            return None
        share = min(slope[at] / (counts @ gains[:, at] ** 2), 0.5)
        kept, free = pairs[0]
        weights, probabilities = w.copy(), p.copy()
        if w[kept] > 0:
            probabilities[kept] = np.average(p[pairs[0]], weights=w[pairs[0]])
        weights[kept], weights[free], probabilities[free] = w[kept] + w[free], 0.0, TRIED[at]
        weights = (1 - share) * weights
        weights[free] = share
        return trusted(CoinParameters, weights=weights, head_probabilities=probabilities)

    def constrained(self, parameters: CoinParameters) -> bool:
        return False

    def published(self, parameters: CoinParameters) -> CoinParameters:
        return CoinParameters(parameters.weights, parameters.head_probabilities)

    def responsibilities(self, data: CoinTosses, published: CoinParameters) -> Floats:
        joint = log_weights(published.weights) + log_densities(published, data)
        return responsibilities(joint, checked_labels(data.labels, self.n_components))[0]

    def standard_errors(self, _: CoinParameters, covariance: Floats, reason: str | None) -> CoinStandardErrors:
        sizes, k = np.sqrt(np.diag(covariance)), self.n_components
        return CoinStandardErrors(sizes[:k], sizes[k:], reason, covariance, tuple(self.names()))


def coin_mixture(
    tosses: CoinTosses,
    n_components: int = 2,
    weights: Weights = "free",
    prior: CoinPrior | None = None,
    *,
    start: CoinParameters | None = None,
    seed: int = 0,
    method: Method = "em",
    acceleration: Acceleration = "auto",
    starts: Starts = "default",
) -> Fit[CoinParameters, CoinStandardErrors]:
    """Fit a mixture of coins by EM.

    Parameters
    ----------
    tosses : bags ``(n_bags,)``, with counts and known labels if there are any
    n_components : number of coins, K
    weights : ``"free"``, ``"equal"``, or ``(K,)`` values held fixed
    prior : maximise the log posterior under it; maximum likelihood where None
    start : where to start, its labelling kept; several starts and canonical order where None
    seed : of the random starts
    method : ``"em"``, or ``"nelder-mead"`` or ``"bfgs"`` to maximise the same objective directly
    acceleration : ``"squarem"`` or ``"anderson"`` extrapolate the steps of EM, and never lower the objective; None leaves
        ``path[k]`` what k plain iterations give; ``"auto"`` is None below 1000 distinct rows, else ``"anderson"``

    starts : ``"thorough"`` tries four times as many starts and follows more of them to the end

    Returns
    -------
    `em.Fit` with `models.CoinParameters`, in every case: ``status`` tells a boundary, saddle or ridge from a maximum

    Raises
    ------
    ValueError
        for bags fewer than coins, weights, labels or a start that do not fit, or a prior without a mode
    ObjectiveDecreased
        if the objective falls beyond rounding

    References
    ----------
    Do & Batzoglou (2008), Nature Biotechnology 26, 897.
    """
    checked_options(method, acceleration, starts)
    instance_of("tosses", tosses, CoinTosses)
    treated = MixtureWeights.of(weights, n_components)
    enough_rows(tosses.n, n_components)
    checked_labels(tosses.labels, n_components)
    if prior is not None:
        instance_of("prior", prior, CoinPrior)
        for name in ("heads", "tails", "concentration"):
            has_mode(name, getattr(prior, name))
    if start is not None:
        instance_of("start", start, CoinParameters)
        fitting_start(start.weights, treated)
    mixture = CoinMixture(tosses, treated, prior)
    return fit_mixture(mixture, start=start, seed=seed, method=method, acceleration=acceleration, starting=starts)


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
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(top == 0, 0.0, top / denominator)
