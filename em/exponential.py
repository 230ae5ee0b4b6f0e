"""Mixtures of exponential families: three functions of a family, and all the rest from the kernel.

The log density of a row in a component is ``theta(parameters) . phi(y) + base(y)``. What a family tells is the features
``phi``, the natural parameters ``theta`` with their derivatives, and the M-step from summed features; see `ExponentialMixture`.
Its parameters are numbers, one of each a component, in `Domain`. E-step, known labels, counts, all starts in one pass, scores,
information and coordinates follow.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from em.kernel import IMPOSSIBLE, LOG_OF_ZERO, Block, blocks_of, posterior_sums
from em.mixture import (
    EPSILON,
    Scale,
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
from models.inputs import Floats, Integers, read_only
from models.mixtures import MixtureWeights, checked_labels, exchangeable_groups


@dataclass(frozen=True, slots=True)
class Domain:
    """Where a parameter may be, its ends included, and the scale on which it has none."""

    scale: Scale
    low: float
    high: float
    unbounded: Callable[[Floats], Floats]
    bounded: Callable[[Floats], Floats]
    slope: Callable[[Floats], Floats]

    @property
    def ends(self) -> list[float]:
        """Those that are finite."""
        return [end for end in (self.low, self.high) if np.isfinite(end)]


PROBABILITY = Domain("logit", 0.0, 1.0, logit, expit, lambda p: p * (1 - p))
POSITIVE = Domain("log", 0.0, np.inf, np.log, np.exp, lambda x: x)


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


class ExponentialMixture(ABC):
    """What the shared layers see of a mixture, `em.mixture.Mixture`, from what an exponential family tells.

    Attributes
    ----------
    parameters : the noun of `models`, ``weights`` first
    domains : of its other fields, by name
    average : what the first of them, averaged over the mixture, is called, which has no labels
    errors : the same fields for standard errors, 0 where held fixed and NaN where withheld; then the ``reason`` why they
        are withheld, None where they are not, the ``covariance`` ``(p, p)`` of the estimates and their ``names``
    """

    parameters: ClassVar[type[Any]]
    domains: ClassVar[dict[str, Domain]]
    errors: ClassVar[type[Any]]
    in_memory = True
    bounded, interpolated, unit = True, 0, 0.0
    average = ""
    likelihood_offset = offset = 0.0

    def __init__(self, data: Any, weights: MixtureWeights, prior: Any) -> None:
        self.data = data.distinct()
        self.weights, self.prior = weights, prior
        self.n, self.labels, self.counts = self.data.n, self.data.labels, self.data.counts
        self.n_components = k = weights.n_components
        self.own_parameters = len(self.domains)
        self.groups = exchangeable_groups(weights, self.labels)
        self.points = self.places()
        self.basis = block_diagonal(weight_basis(k, weights.fixed), np.eye(k * self.own_parameters))
        self._collect()

    # What a family tells

    @abstractmethod
    def places(self) -> Floats:
        """``(n, d)`` where the rows are, each feature in a unit of its own."""

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
    def m_step(self, statistics: Any) -> Any:
        """``...`` mode of the conjugate posterior given the statistics; maximum likelihood without a prior."""

    @abstractmethod
    def log_prior(self, parameters: Any) -> Floats | float:
        """``(...)`` log density of the prior, 0 without one."""

    @abstractmethod
    def own_prior_derivatives(self, parameters: Any) -> tuple[Floats, Floats]:
        """``(K, q)`` and ``(K, q, q)`` derivatives of the log prior by the parameters of one component."""

    @abstractmethod
    def weak(self) -> Any:
        """The same with a weak prior, under which no start is at a bound."""

    @abstractmethod
    def elsewhere(self, random: np.random.Generator) -> Iterator[tuple[Floats, Floats]]:
        """See `em.mixture.Mixture.elsewhere`."""

    @abstractmethod
    def drawn(self, parameters: Any, rows: Integers, components: Integers, random: np.random.Generator) -> Any:
        """Data in the design of these rows, each from its component, without labels."""

    def statistics(self, log_likelihood: Any, rows: Floats, features: Floats) -> Any:
        """What the M-step is given."""
        return Sums(log_likelihood, rows, features)

    def sums(self, statistics: Any) -> Floats:
        """``(..., K, F)`` summed features of the statistics."""
        features: Floats = statistics.features
        return features

    # What follows

    def _collect(self) -> None:
        """Features of the rows whose component is not known, in blocks, and their sums over those of each known one."""
        own, base = self.features()
        self.phi = np.concatenate([np.ones((1, own.shape[1])), own, base[None]])
        self.unknown, known = self.labels < 0, np.flatnonzero(self.labels >= 0)
        self.known_rows = known
        self.blocks = blocks_of(self.phi[:, self.unknown], self.counts[self.unknown].astype(float))
        told = np.equal.outer(np.arange(self.n_components), self.labels)
        self.labelled = (told * self.counts) @ self.phi.T if len(known) else None

    def theta(self, parameters: Any) -> Floats:
        """``(..., K, F + 2)`` natural parameters by the features with 1 before and what has no parameters behind them."""
        own = self.natural(parameters)
        joint = np.empty((*own.shape[:-1], own.shape[-1] + 2))
        joint[..., 0], joint[..., 1:-1], joint[..., -1] = log_weights(parameters.weights), own, 1.0
        if not np.isfinite(joint).all():
            np.maximum(joint, LOG_OF_ZERO, out=joint)
        return joint

    def made(self, weights: Floats, *fields: Floats) -> Any:
        """Parameters, unchecked and along any leading axes."""
        return trusted(self.parameters, weights=weights, **dict(zip(self.domains, fields, strict=True)))

    def fields(self, parameters: Any) -> list[Floats]:
        """``(..., K)`` each."""
        return [getattr(parameters, name) for name in self.domains]

    def e_step(self, parameters: Any) -> Any:
        joint = self.theta(parameters)
        sums, log_likelihood = posterior_sums(joint, self.blocks, self.replaced(parameters, joint))
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
        return _products(self.phi[1:-1], slopes, "fn,kfq->nkq")

    def complete_hessian(self, parameters: Any, weighted: Floats) -> Floats:
        curved = self.natural_derivatives(parameters)[1]
        return _products((self.phi[1:-1] @ weighted), curved, "fk,kfqr->kqr")

    def informations(self, parameters: Any) -> Floats:
        missing, rows = missing_information(self, parameters)
        features = self.sums(self.e_step(parameters)).T
        own = -_products(features, self.natural_derivatives(parameters)[1], "fk,kfqr->kqr")
        # Of a component that is as good as empty it is as good as infinite.
        with np.errstate(over="ignore"):
            of_weights = np.diag(rows / parameters.weights**2)
        return np.stack([block_diagonal(of_weights, self._of_components(own)), missing])

    def _of_components(self, own: Floats) -> Floats:
        """``(q K, q K)`` of matrices ``(K, q, q)``, one a component."""
        q, k = self.own_parameters, self.n_components
        spread = np.zeros((q, k, q, k))
        spread[:, np.arange(k), :, np.arange(k)] = own
        return spread.reshape(q * k, q * k)

    def prior_information(self, parameters: Any) -> Floats:
        if self.prior is None:
            return np.zeros((self.n_parameters, self.n_parameters))
        return -self.prior_derivatives(parameters)[1]

    @property
    def information_steps(self) -> float:
        return float(self.n_components)

    def prior_derivatives(self, parameters: Any) -> tuple[Floats, Floats]:
        concentration = 1.0 if self.prior is None else self.prior.concentration
        gradient, hessian = weight_prior_derivatives(parameters.weights, self.weights, concentration)
        q, k = self.own_parameters, self.n_components
        if self.prior is None:
            return np.concatenate([gradient, np.zeros(q * k)]), block_diagonal(hessian, np.zeros((q * k, q * k)))
        slope, curved = self.own_prior_derivatives(parameters)
        return np.concatenate([gradient, slope.T.ravel()]), block_diagonal(hessian, self._of_components(curved))

    @property
    def n_parameters(self) -> int:
        return (1 + self.own_parameters) * self.n_components

    def part(self, rows: slice | Integers) -> Self:
        some = copy(self)
        some.data = _rows_of(self.data, rows)
        some.points, some.counts, some.labels = self.points[rows], some.data.counts, some.data.labels
        some._collect()
        return some

    def sample(self, seed: int) -> Self:
        if len(self.counts) <= SAMPLE:
            return self
        return self.part(np.flatnonzero(drawn(keys(self.labels, self.numbers()), self.labels, seed)))

    def numbers(self) -> Floats:
        """``(n, m)`` what tells rows apart."""
        return np.ascontiguousarray(self.phi[1:-1].T)

    def summed[T: Sum](self, of: Callable[[Self], T]) -> T:
        return of(self)

    def own_coordinates(self, component: int) -> Integers:
        return np.arange(1, self.own_parameters + 1) * self.n_components + component

    def bounds(self) -> list[tuple[int, float]]:
        k = self.n_components
        return [
            ((1 + j) * k + component, end)
            for j, domain in enumerate(self.domains.values())
            for component in range(k)
            for end in domain.ends
        ]

    def names(self) -> list[str]:
        return [f"{name}[{k + 1}]" for name in ("weights", *self.domains) for k in range(self.n_components)]

    def scales(self) -> list[Scale]:
        k = self.n_components
        return [*["logit"] * k, *(d.scale for d in self.domains.values() for _ in range(k))]  # type: ignore[list-item]

    def to_vector(self, parameters: Any) -> Floats:
        return np.concatenate([parameters.weights, *self.fields(parameters)], axis=-1)

    def exists(self, vector: Floats) -> NDArray[np.bool_]:
        weights, *fields = self._split(vector)
        there = ((weights >= 0) & (weights <= 1)).all(axis=-1)
        for values, domain in zip(fields, self.domains.values(), strict=True):
            there = there & ((values >= domain.low) & (values <= domain.high) & np.isfinite(values)).all(axis=-1)
        return np.asarray(there)

    def _split(self, vector: Floats) -> list[Floats]:
        return np.split(vector, 1 + self.own_parameters, axis=-1)

    def from_vector(self, vector: Floats) -> Any:
        if not self.exists(vector).all():
            raise FloatingPointError("a parameter left its domain")
        return self.made(*self._split(vector))

    def coordinates(self, parameters: Any, *, unbounded: bool) -> Floats:
        weights = weight_coordinates(parameters.weights, self.weights.fixed, unbounded=unbounded)
        own = zip(self.fields(parameters), self.domains.values(), strict=True)
        return np.concatenate([weights, *(d.unbounded(v) if unbounded else v for v, d in own)], axis=-1)

    def from_coordinates(self, x: Floats, *, unbounded: bool) -> tuple[Floats, Floats]:
        k, q = self.n_components, self.own_parameters
        w, by_w = from_weight_coordinates(x[..., : -q * k], self.weights.fixed, unbounded=unbounded)
        parts = zip(np.split(x[..., -q * k :], q, axis=-1), self.domains.values(), strict=True)
        values = [(d.bounded(v) if unbounded else v, d) for v, d in parts]
        slopes = [d.slope(v) if unbounded else np.ones_like(v) for v, d in values]
        by_x = np.concatenate(slopes, axis=-1)[..., None] * np.eye(q * k)
        return np.concatenate([w, *(v for v, _ in values)], axis=-1), block_diagonal(by_w, by_x)

    def spreads(self, parameters: Any) -> Floats:
        return np.full(parameters.weights.shape, np.inf)

    def spread_ratios(self, parameters: Any) -> Floats:
        return self.spreads(parameters)

    def within_ratio(self, least: float, parameters: Any) -> tuple[Self, Any]:
        return self, parameters

    def white(self) -> None:
        return None

    def start_from(self, responsibilities: Floats, *, wide: bool = True) -> Any:
        weighted = responsibilities * self.counts[:, None]
        sums = np.moveaxis(self.phi[1:-1] @ weighted, -2, -1)
        return (self.weak() if wide else self).m_step(self.statistics(np.nan, weighted.sum(axis=-2), sums))

    def held(self, vector: Floats) -> Floats:
        return vector

    def constrained(self, parameters: Any) -> bool:
        return False

    def published(self, parameters: Any) -> Any:
        return self.made(*(read_only(v.copy()) for v in (parameters.weights, *self.fields(parameters))))

    def from_published(self, published: Any) -> Any:
        return published

    @property
    def vector_units(self) -> Floats:
        return np.ones(self.n_parameters)

    def by_feature(self, directions: Floats) -> Floats:
        return directions

    def responsibilities(self, data: Any, published: Any) -> Floats:
        there = copy(self)
        there.data = self.checked_data(data)
        there.counts, there.labels = data.counts, checked_labels(data.labels, self.n_components)
        there._collect()
        joint = log_weights(published.weights) + there.log_densities(published)
        return responsibilities(joint, there.labels)[0]

    @abstractmethod
    def checked_data(self, data: Any) -> Any:
        """Return data of this family, refuse others; TypeError."""

    def drawn_again(self, rows: Integers, counts: Integers) -> Self:
        return type(self)(_rows_of(self.data, rows, counts), self.weights, self.prior)

    def simulated(
        self, parameters: Any, rows: Integers, components: Integers, labels: Integers, random: np.random.Generator
    ) -> Self:
        data = self.drawn(parameters, rows, components, random)
        return type(self)(_rows_of(data, slice(None), labels=labels), self.weights, self.prior)

    def standard_errors(self, _: Any, covariance: Floats, reason: str | None) -> Any:
        return self.errors(*self._split(np.sqrt(np.diag(covariance))), reason, covariance, tuple(self.names()))


def _products(features: Floats, derivatives: Floats, summed: str) -> Floats:
    """Features times derivatives, summed; what never happened contributes nothing, also at a bound."""
    if np.isfinite(derivatives).all():
        return np.asarray(np.einsum(summed, features, derivatives))
    finite = np.where(np.isfinite(derivatives), derivatives, 0.0)
    # A feature that is 0 takes no part, any other makes the sum as infinite as its derivative.
    infinite = np.where(np.isfinite(derivatives), 0.0, np.sign(derivatives))
    signs = np.einsum(summed, (features != 0).astype(float), infinite)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.einsum(summed, features, finite) + np.where(signs != 0, signs * np.inf, 0.0))


def _rows_of(data: Any, rows: slice | Integers, counts: Any = None, labels: Any = None) -> Any:
    """Some rows of data, with other counts or labels if there are any; unchecked, in their order."""
    fields = {name: getattr(data, name)[rows] for name in data.__slots__}
    changed = {name: value for name, value in (("counts", counts), ("labels", labels)) if value is not None}
    return trusted(type(data), **(fields | changed))
