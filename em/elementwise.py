"""Mixtures whose parameters are numbers, one of each a component: coordinates, bounds and names follow from their domains."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass
from typing import Any, ClassVar, Self, Unpack

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from em.fit import Fit, Options, fit_mixture, taken
from em.mixture import (
    REPLAY_STEPS,
    Scale,
    Sum,
    block_diagonal,
    fitting_start,
    has_mode,
    log_weights,
    trusted,
)
from em.rows.sample import SAMPLE, drawn, keys
from em.weights import SameWeights, from_weight_coordinates, weight_basis, weight_coordinates, weight_prior_derivatives
from models.elementwise import as_rows, asked
from models.inputs import Floats, Integers, instance_of, read_only
from models.mixtures import MixtureWeights, Weights, checked_labels, exchangeable_groups


@dataclass(frozen=True, slots=True)
class Domain:
    """Where a parameter may be, its ends included, and the scale on which it has none; with two derivatives by that scale."""

    scale: Scale
    low: float
    high: float
    unbounded: Callable[[Floats], Floats]
    bounded: Callable[[Floats], Floats]
    slope: Callable[[Floats], Floats]
    bend: Callable[[Floats], Floats]

    @property
    def ends(self) -> list[float]:
        """Those that are finite."""
        return [end for end in (self.low, self.high) if np.isfinite(end)]


# Functions with names, so that what holds a domain can be pickled.
def _itself(x: Floats) -> Floats:
    return x


def _slope_of_expit(p: Floats) -> Floats:
    return p * (1 - p)


def _bend_of_expit(p: Floats) -> Floats:
    return p * (1 - p) * (1 - 2 * p)


PROBABILITY = Domain("logit", 0.0, 1.0, logit, expit, _slope_of_expit, _bend_of_expit)
POSITIVE = Domain("log", 0.0, np.inf, np.log, np.exp, _itself, _itself)
REAL = Domain("identity", -np.inf, np.inf, _itself, _itself, np.ones_like, np.zeros_like)


class ElementwiseMixture(SameWeights, ABC):
    """What such a mixture has of `em.mixture.Mixture` whatever its densities.

    Attributes
    ----------
    kind : name of the family
    noun : of `models`, what the data are: the outcome first, then the design, at last ``counts`` and ``labels``
    parameters, priors : the other nouns of `models`; of parameters ``weights`` first
    modal : numbers of a prior, and below what it has no mode
    domains : of its other fields, by name
    average : what the first of them, averaged over the mixture, is called, which has no labels
    errors : the same fields for standard errors, 0 where held fixed and NaN where withheld; then the ``reason`` why they
        are withheld, None where they are not, the ``covariance`` ``(p, p)`` of the estimates and their ``names``
    """

    kind: str
    noun: ClassVar[type[Any]]
    parameters: ClassVar[type[Any]]
    priors: ClassVar[type[Any]]
    modal: ClassVar[dict[str, float]] = {"shape": 1.0, "concentration": 1.0}
    domains: ClassVar[dict[str, Domain]]
    errors: ClassVar[type[Any]]
    in_memory, rowless, replay_steps = True, False, REPLAY_STEPS
    bounded, interpolated, unit = True, 0, 0.0
    given_bounds = False
    by_first = True
    average = ""
    limits: ClassVar[dict[str, dict[float, str]]] = {}
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

    def summed_scores(self, parameters: Any) -> tuple[Floats, Floats] | None:
        return None

    # What a family tells

    @abstractmethod
    def places(self) -> Floats:
        """``(n, d)`` where the rows are, each feature in a unit of its own."""

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
    def elsewhere(self, random: np.random.Generator) -> Iterator[tuple[Floats, Floats]]:
        """See `em.mixture.Mixture.elsewhere`."""

    @abstractmethod
    def drawn(self, published: Any, rows: Integers, components: Integers, random: np.random.Generator) -> Any:
        """See `em.mixture.Mixture.drawn`."""

    @abstractmethod
    def log_densities(self, parameters: Any) -> Floats:
        """``(..., n, K)`` log density of each row under each component, weights left out."""

    @abstractmethod
    def numbers(self) -> Floats:
        """``(n, m)`` what tells rows apart."""

    @abstractmethod
    def _collect(self) -> None:
        """Make ready what is asked of the rows in every step; called again for a part of them."""

    # What follows

    def made(self, weights: Floats, *fields: Floats) -> Any:
        """Parameters, unchecked and along any leading axes."""
        return trusted(self.parameters, weights=weights, **dict(zip(self.domains, fields, strict=True)))

    def fields(self, parameters: Any) -> list[Floats]:
        """``(..., K)`` each."""
        return [getattr(parameters, name) for name in self.domains]

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

    def _of_components(self, own: Floats) -> Floats:
        """``(q K, q K)`` of matrices ``(K, q, q)``, one a component."""
        q, k = self.own_parameters, self.n_components
        spread = np.zeros((q, k, q, k))
        spread[:, np.arange(k), :, np.arange(k)] = own
        return spread.reshape(q * k, q * k)

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

    def summed[T: Sum](self, of: Callable[[Self], T]) -> T:
        return of(self)

    def further_missing(self, parameters: Any, weighted: Floats) -> Floats | float:
        return 0.0

    def sees_narrowest(self, parameters: Any) -> bool:
        return True

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
        k = self.n_components
        return [vector[..., j : j + k] for j in range(0, (1 + self.own_parameters) * k, k)]

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
        return np.full(parameters.weights.shape, np.inf)

    def within_ratio(self, least: float, parameters: Any) -> tuple[Self, Any]:
        return self, parameters

    def white(self) -> Floats | None:
        return None

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

    def of_rows(self, data: Any, published: Any, of: Callable[[Floats, Integers], Floats], columns: int) -> Floats:
        instance_of("data", data, self.noun)
        there = copy(self)
        there.data, there.counts = data, data.counts
        there.labels = checked_labels(data.labels, self.n_components)
        there._collect()
        return of(log_weights(published.weights) + there.log_densities(published), there.labels)

    def design(self) -> tuple[Integers, Integers]:
        own = [getattr(self.data, name) for name in self.design_names()]
        by_row = np.column_stack([np.zeros(len(self.counts)), *own])
        _, first, place = np.unique(by_row, axis=0, return_index=True, return_inverse=True)
        counts = np.zeros(len(first), dtype=self.counts.dtype)
        np.add.at(counts, place.ravel(), self.counts)
        return first, counts

    def design_names(self) -> tuple[str, ...]:
        """What a simulation has to know of a row: what it has beside its outcome, count and label."""
        return tuple(self.noun.__slots__[1:-2])

    def kept(self) -> dict[str, Any]:
        rows, counts = self.design()
        return {name: getattr(self.data, name)[rows] for name in self.design_names()} | {"counts": counts}

    @classmethod
    def without_rows(cls, weights: MixtureWeights, kept: dict[str, Any], *own: Any) -> Self:
        """The mixture of which this was ``kept``, over rows of the same design that nothing is known of."""
        nothing = {cls.noun.__slots__[0]: np.ones(len(kept["counts"]))}
        make: Any = cls
        mixture: Self = make(*own, cls.noun(**nothing | kept), weights, None)
        mixture.rowless = True
        return mixture

    def _like(self, data: Any) -> Self:
        """The same problem of other data."""
        return type(self)(data, self.weights, self.prior)

    def drawn_again(self, rows: Integers, counts: Integers) -> Self:
        return self._like(_rows_of(self.data, rows, counts))

    def simulated(
        self, parameters: Any, rows: Integers, components: Integers, labels: Integers, random: np.random.Generator
    ) -> Self:
        data = self.drawn(parameters, rows, components, random)
        return self._like(_rows_of(data, slice(None), labels=labels))

    def doubt_of_derivatives(self, parameters: Any, covariance: Floats) -> str | None:
        return None

    def standard_errors(self, _: Any, covariance: Floats, reason: str | None) -> Any:
        return self.errors(*self._split(np.sqrt(np.diag(covariance))), reason, covariance, tuple(self.names()))


def fit_elementwise(
    mixture: type[ElementwiseMixture],
    name: str,
    data: Any,
    n_components: int,
    weights: Weights,
    prior: Any,
    further: dict[str, Any],
    **options: Unpack[Options],
) -> Fit[Any, Any]:
    """Fit a mixture of such a family, whose ``further`` arguments belong to data that are no noun yet.

    Raises
    ------
    TypeError, ValueError
        for what does not fit, or a prior without a mode
    ObjectiveDecreased
        if the objective falls beyond rounding
    """
    start, seed, method, acceleration, starts = taken(options, [name, *further, "n_components", "weights", "prior"])
    data = as_rows(mixture.noun, name, data, **further)
    treated = asked(name, data, mixture.noun, n_components, weights, prior, mixture.priors)
    for number, least in mixture.modal.items() if prior is not None else ():
        has_mode(number, getattr(prior, number), least)
    if start is not None:
        instance_of("start", start, mixture.parameters)
        fitting_start(start.weights, treated)
    made: Any = mixture(data, treated, prior)
    return fit_mixture(made, start=start, seed=seed, method=method, acceleration=acceleration, starting=starts)


def _rows_of(data: Any, rows: slice | Integers, counts: Any = None, labels: Any = None) -> Any:
    """Some rows of data, with other counts or labels if there are any; unchecked, in their order."""
    # What is no array is of all rows.
    own = {name: getattr(data, name) for name in data.__slots__}
    fields = {name: value[rows] if isinstance(value, np.ndarray) else value for name, value in own.items()}
    changed = {name: value for name, value in (("counts", counts), ("labels", labels)) if value is not None}
    return trusted(type(data), **(fields | changed))
