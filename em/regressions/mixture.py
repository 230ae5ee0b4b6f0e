"""Mixtures of linear regressions as the layers that all mixtures share see them: data, options and prior of one fit.

Starts beside those of all families are lines through as few rows as they have coefficients, as in Rousseeuw (1984), JASA 79, 871.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from em.elementwise import POSITIVE, REAL, ElementwiseMixture
from em.gaussians.spread_ratio import SpreadRatio
from em.kernel import LOG_OF_ZERO, ROWS, Block, posterior_sums
from em.mixture import AT_A_TIME, EPSILON, block_diagonal, log_weights, trusted
from em.regressions.steps import NOTHING, Moments, in_ratio, log_prior, m_step, prior_derivatives, second_derivatives
from em.regressions.units import RegressionStandardErrors, Units
from em.uncertainty.curvature import missing_information
from em.weights import weight_basis
from models.inputs import Floats, Integers, instance_of
from models.mixtures import MixtureWeights, checked_labels
from models.regressions.nouns import RegressionParameters, RegressionPrior
from models.regressions.regressors import INTERCEPT, RegressionRows

# Residuals of a block, where few components make it so long that calls of NumPy cost less than what they do.
TOGETHER = 2**14
# Below this share of the spread about the line of all rows an error has no width that double precision can hold.
NO_WIDTH = 1e-10
# Lines through as few rows as there are coefficients at which a component is tried, and its widths in that spread.
TRIED, WIDTHS = 400, (0.125, 0.25, 0.5, 1.0)


class RegressionMixture(ElementwiseMixture):
    """See `em.mixture.Mixture`; a component's own parameters are its coefficients and its variance."""

    kind = "regressions"
    noun, priors = RegressionRows, RegressionPrior
    parameters: ClassVar[type[Any]] = RegressionParameters
    errors: ClassVar[type[Any]] = RegressionStandardErrors
    data: RegressionRows
    domains: dict[str, Any]  # type: ignore[misc]
    unit, by_first = 1.0, False
    # What standard deviations may differ by, where they are held.
    ratio: SpreadRatio | None = None

    def __init__(
        self,
        data: RegressionRows,
        weights: MixtureWeights,
        prior: RegressionPrior | None,
        tied: bool = False,
        units: Units | None = None,
    ) -> None:
        data = data.distinct()
        self.tied, self.covariates = tied, data.covariates
        seen = self.regressors(data)
        self.units = units or Units.of(seen)
        self.regressed = seen.covariates
        self.p = p = len(seen.covariates)
        self.interpolated = p + 1
        self.domains = self.domains_before(data) | {f"coefficients, {name}": REAL for name in seen.covariates}
        self.domains |= {"variances": POSITIVE}
        super().__init__(data, weights, None if prior is None else self.units.prior(prior))
        k = weights.n_components
        if tied:
            self.basis = block_diagonal(weight_basis(k, weights.fixed), np.eye(p * k), np.ones((k, 1)))
        self.start_prior = RegressionPrior(np.zeros(p), np.sqrt(1e-3) * np.eye(p), 3.0, 0.3 * self.spread**2)

    def regressors(self, data: RegressionRows) -> RegressionRows:
        """The rows as the lines see them."""
        return data

    def domains_before(self, data: RegressionRows) -> dict[str, Any]:
        """What a component has before its line."""
        return {}

    def concomitants(self) -> Floats:
        """``(n, m)`` what the weights of a row depend on."""
        return np.zeros((len(self.data.y), 0))

    def gates(self, parameters: Any, rows: slice | Integers) -> Floats | float:
        """``(..., K, rows)`` logs of weights of single rows over those of all."""
        return 0.0

    def gating(self, parameters: Any) -> Floats:
        """``(..., K, 1 + m)`` log weights and what they depend on the concomitants by; ``(..., K, 0)`` without any."""
        return np.zeros((*parameters.weights.shape, 0))

    def _collect(self) -> None:
        self.y, self.x = self.units.rows(self.regressors(self.data))
        self.beside = self.concomitants()
        self.n = self.data.n
        k, p, n = self.n_components, self.p, len(self.y)
        self.products = (self.x[:, :, None] * self.x[:, None, :]).reshape(n, p * p)
        self.features = np.concatenate([np.ones((1, n)), self.products.T, self.beside.T])
        self.possible = (self.labels < 0) | np.equal.outer(np.arange(k), self.labels)
        self.spread = float(np.sqrt(self.counts @ self.y**2 / self.n)) or 1.0
        size, once = float(np.log(self.units.unit)), 1 if self.tied else k
        self.likelihood_offset = self.offset = -self.n * size
        if self.prior is not None:
            self.offset -= k * self.units.log_volume + 2 * once * size
        self.bounded = self.prior is not None or bool((self.labels >= 0).all()) or (self.tied and n > k * p)

    def places(self) -> Floats:
        y, x = self.units.rows(self.regressors(self.data))
        return np.column_stack([y, x[:, 1:] if self.covariates[0] == INTERCEPT else x])

    def white(self) -> Floats | None:
        shifted = self.covariates[0] == INTERCEPT and self.points.shape[1] > 1
        return self.points / np.append(self.spread, np.ones(self.points.shape[1] - 1)) if shifted else None

    def numbers(self) -> Floats:
        return self.data.columns

    # Densities and their derivatives

    def _constants(self, parameters: RegressionParameters) -> Floats:
        return np.asarray(-0.5 * np.log(2 * np.pi * parameters.variances))

    def log_densities(self, parameters: RegressionParameters) -> Floats:
        return self.about_lines(parameters)

    def about_lines(self, parameters: RegressionParameters) -> Floats:
        """``(..., n, K)`` log density of each response given its covariates."""
        residuals = self.y[:, None] - self.x @ np.swapaxes(parameters.coefficients, -1, -2)
        own = -0.5 * residuals**2 / parameters.variances[..., None, :]
        return np.asarray(own + self._constants(parameters)[..., None, :])

    def e_step(self, parameters: RegressionParameters) -> Moments:
        lines, p = parameters.coefficients, self.p
        *many, k, _ = lines.shape
        constants = np.maximum(log_weights(parameters.weights) + self._constants(parameters), LOG_OF_ZERO)[..., None]
        half = (-0.5 / parameters.variances)[..., None]
        first, squares = np.zeros((*many, k, p)), np.zeros((*many, k))
        some_known = not self.possible.all()
        # Residuals of the block that is passed over.
        residuals = np.empty(0)

        def replace(joint: Floats, block: Block) -> None:
            nonlocal residuals
            residuals = self.y[block.rows] - lines @ self.x[block.rows].T
            np.multiply(residuals**2, half, out=joint)
            joint += constants
            joint += self.gates(parameters, block.rows)
            if some_known:
                joint[..., ~self.possible[:, block.rows]] = 2 * LOG_OF_ZERO

        def also(expected: Floats, block: Block) -> None:
            nonlocal first, squares
            weighted = expected * residuals
            first += weighted @ self.x[block.rows]
            squares += (weighted * residuals).sum(axis=-1)

        to, counts = 1 + p * p, self.counts.astype(float)
        rows = max(ROWS, TOGETHER // squares.size)
        parts = [slice(begin, begin + rows) for begin in range(0, len(self.y), rows)]
        blocks = (Block(part, self.features[:, part], counts[part]) for part in parts)
        sums, height = posterior_sums(np.zeros((*many, k, to + self.beside.shape[1])), blocks, replace, also)
        second, gating = sums[..., 1:to].reshape(*many, k, p, p), self.gating(parameters)
        return Moments(height[()], sums[..., 0], lines, first, second, squares, sums[..., to:], gating)

    def rounding(self, parameters: RegressionParameters, statistics: Moments) -> float:
        lines, squares = parameters.coefficients, statistics.squares
        heights = np.einsum("kp,kpq,kq->k", lines, statistics.second, lines)
        own = (squares + 2 * np.sqrt(squares * np.maximum(heights, 0.0))) / parameters.variances
        return float(EPSILON * (abs(statistics.log_likelihood) + self.n + own.sum()))

    def scores(self, parameters: RegressionParameters) -> Floats:
        v = parameters.variances
        residuals = self.y[:, None] - self.x @ parameters.coefficients.T
        of_lines = (residuals / v)[..., None] * self.x[:, None, :]
        return np.concatenate([of_lines, ((residuals**2 / v - 1) / (2 * v))[..., None]], axis=-1)

    def complete_hessian(self, parameters: RegressionParameters, weighted: Floats) -> Floats:
        residuals = self.y[:, None] - self.x @ parameters.coefficients.T
        second = (weighted.T @ self.products).reshape(-1, self.p, self.p)
        first, squares = (weighted * residuals).T @ self.x, (weighted * residuals**2).sum(axis=0)
        return second_derivatives(parameters.variances, weighted.sum(axis=0), first, second, squares)

    def informations(self, parameters: RegressionParameters) -> Floats:
        missing, rows = missing_information(self, parameters)
        v, second = parameters.variances, self.e_step(parameters).second
        # Expected: residuals are as large as the variance says.
        own = -second_derivatives(v, rows, np.zeros(second.shape[:-1]), second, rows * v)
        with np.errstate(over="ignore"):
            of_weights = np.diag(rows / parameters.weights**2)
        return np.stack([block_diagonal(of_weights, self._of_components(own)), missing])

    # The M-step

    def m_step(self, statistics: Moments) -> RegressionParameters:
        return self._mode(statistics, self.prior)

    def _mode(self, statistics: Moments, prior: RegressionPrior | None) -> RegressionParameters:
        # A component without rows, and without a prior, has any width: that of all rows serves.
        return m_step(statistics, prior, self.weights, tied=self.tied, otherwise=self.spread**2, ratio=self.ratio)

    def within_ratio(self, least: float, parameters: RegressionParameters) -> tuple[Self, RegressionParameters]:
        held = copy(self)
        held.ratio, held.bounded = SpreadRatio.of(least, np.full((1, 1), self.spread**2), "full"), True
        variances = in_ratio(held.ratio, parameters.variances, self.n * parameters.weights)
        return held, self.made(parameters.weights, *self.fields(parameters)[:-1], variances)

    def held(self, vector: Floats) -> Floats:
        k = self.n_components
        if self.ratio is None or not (vector[:k] > 0).all() or not (vector[-k:] > 0).all():
            return vector
        return np.concatenate([vector[:-k], in_ratio(self.ratio, vector[-k:], self.n * vector[:k])])

    def constrained(self, parameters: RegressionParameters) -> bool:
        return self.ratio is not None and self.ratio.reached(parameters.variances[:, None, None])

    def start_from(self, responsibilities: Floats, *, wide: bool = True) -> RegressionParameters:
        r = np.swapaxes(responsibilities * self.counts[:, None], -1, -2)
        found = self._mode(self._about(np.zeros((*r.shape[:-1], self.p)), r), self.start_prior if wide else self.prior)
        # A variance far below that of all rows is rounding of the squares about 0: its own line has its digits.
        return found if wide else self._mode(self._about(found.coefficients, r), self.prior)

    def _about(self, lines: Floats, r: Floats) -> Moments:
        """Of rows that count ``r`` ``(..., K, n)``."""
        residuals = self.y - lines @ self.x.T
        weighted, shape = r * residuals, lines.shape
        second, squares = (r @ self.products).reshape(*shape, self.p), (weighted * residuals).sum(axis=-1)
        gating = np.zeros((*shape[:-1], 0))
        return Moments(np.nan, r.sum(axis=-1), lines, weighted @ self.x, second, squares, r @ self.beside, gating)

    # The prior

    def log_prior(self, parameters: RegressionParameters) -> Floats | float:
        return 0.0 if self.prior is None else log_prior(parameters, self.prior, self.weights, tied=self.tied)

    def own_prior_derivatives(self, parameters: RegressionParameters) -> tuple[Floats, Floats]:
        return prior_derivatives(parameters, self.prior, tied=self.tied)

    # Vectors, units and rows

    def made(self, weights: Floats, *fields: Floats) -> RegressionParameters:
        lines = np.stack(fields[:-1], axis=-1)
        return trusted(RegressionParameters, weights=weights, coefficients=lines, variances=fields[-1])

    def fields(self, parameters: Any) -> list[Floats]:
        return [*np.moveaxis(parameters.coefficients, -1, 0), parameters.variances]

    def names(self) -> list[str]:
        k = range(1, self.n_components + 1)
        lines = [f"coefficients[{j}, {name}]" for name in self.regressed for j in k]
        return [*(f"weights[{j}]" for j in k), *lines, *(f"variances[{j}]" for j in k)]

    def bounds(self) -> list[tuple[int, float]]:
        return []

    def exists(self, vector: Floats) -> NDArray[np.bool_]:
        v = vector[..., -self.n_components :]
        there = super().exists(vector) & (v > NO_WIDTH**2).all(axis=-1)
        if self.ratio is not None:
            there &= self.ratio.kept(np.where(there[..., None], v, 1.0)[..., None, None])
        return np.asarray(there)

    def coordinates(self, parameters: Any, *, unbounded: bool) -> Floats:
        x = super().coordinates(parameters, unbounded=unbounded)
        return x[..., : 1 - self.n_components or None] if self.tied else x

    def from_coordinates(self, x: Floats, *, unbounded: bool) -> tuple[Floats, Floats]:
        if not self.tied:
            return super().from_coordinates(x, unbounded=unbounded)
        k = self.n_components
        vector, slopes = super().from_coordinates(
            np.concatenate([x, *[x[..., -1:]] * (k - 1)], axis=-1), unbounded=unbounded
        )
        return vector, np.concatenate([slopes[..., :-k], slopes[..., -k:].sum(axis=-1, keepdims=True)], axis=-1)

    def spreads(self, parameters: RegressionParameters) -> Floats:
        return np.asarray(np.sqrt(parameters.variances) / self.spread)

    def spread_ratios(self, parameters: RegressionParameters) -> Floats:
        return np.asarray(np.sqrt(parameters.variances / parameters.variances.max(axis=-1, keepdims=True)))

    def elsewhere(self, random: np.random.Generator) -> Iterator[tuple[Floats, Floats]]:
        n, p = self.x.shape
        number = min(TRIED, max(2 * AT_A_TIME // n, 1))
        chosen = np.stack([random.choice(n, size=p, replace=n < p, p=self.counts / self.n) for _ in range(number)])
        through = self.x[chosen]
        singular = np.linalg.cond(through) > 1 / NOTHING
        lines = np.linalg.solve(through[~singular], self.y[chosen[~singular], None])[..., 0]
        for width in WIDTHS:
            v = np.full(len(lines), (width * self.spread) ** 2)
            tried = trusted(RegressionParameters, coefficients=lines, variances=v)
            yield self.about_lines(tried), lines / (width * self.spread)

    def published(self, parameters: Any) -> RegressionParameters:
        return self.units.published(parameters)

    def from_published(self, published: Any) -> RegressionParameters:
        return self.units.parameters(published)

    @property
    def vector_units(self) -> Floats:
        own = [np.ones(1), self.units.unit / self.units.sizes, np.array([self.units.unit**2])]
        return np.repeat(np.concatenate(own), self.n_components)

    def by_feature(self, directions: Floats) -> Floats:
        k, sizes = self.n_components, self.units.sizes
        by_part = directions.reshape(self.p + 2, k, -1).copy()
        by_part[1:-1] = np.tensordot(self.units.turn * sizes[:, None], by_part[1:-1], axes=1)
        return by_part.reshape(directions.shape)

    def of_rows(self, data: Any, published: Any, of: Callable[[Floats, Integers], Floats], columns: int) -> Floats:
        instance_of("data", data, RegressionRows)
        if data.covariates != self.covariates:
            raise ValueError(
                f"data has the covariates {', '.join(data.covariates)} but {', '.join(self.covariates)} were fitted; give these"
            )
        there = self._like(data, distinct=False)
        checked_labels(data.labels, self.n_components)
        density = there.log_densities(self.from_published(published)) - np.log(self.units.unit)
        return of(log_weights(published.weights) + density, data.labels)

    def drawn(
        self, published: Any, rows: Integers, components: Integers, random: np.random.Generator
    ) -> RegressionRows:
        design = self.data.design[rows]
        return self.data.like(published.simulate(components, design, random), design)

    def simulated(
        self, parameters: Any, rows: Integers, components: Integers, labels: Integers, random: np.random.Generator
    ) -> Self:
        drawn = self.drawn(self.published(parameters), rows, components, random)
        return self._like(drawn.like(drawn.y, drawn.design, labels=labels))

    def _like(self, data: Any, *, distinct: bool = True) -> Self:
        other = copy(self)
        other.data = data.distinct() if distinct else data
        other.labels, other.counts = other.data.labels, other.data.counts
        other.points = other.places()
        other._collect()
        return other

    def drawn_again(self, rows: Integers, counts: Integers) -> Self:
        some = self.data.taken(rows)
        return self._like(some.like(some.y, some.design, counts, some.labels))

    def kept(self) -> dict[str, Any]:
        units = {name: getattr(self.units, name) for name in Units.__slots__}
        return super().kept() | {"covariates": self.covariates, "tied": self.tied, "units": units}

    @classmethod
    def without_rows(cls, weights: MixtureWeights, kept: dict[str, Any], *own: Any) -> Self:
        design, names = np.array(kept["design"], dtype=float), kept["covariates"]
        data = RegressionRows(np.zeros(len(design)), design, kept["counts"], intercept=False, covariates=names)
        mixture = cls(data, weights, None, kept["tied"], *cls.units_of(kept))
        mixture.rowless = True
        return mixture

    @classmethod
    def units_of(cls, kept: dict[str, Any]) -> tuple[Any, ...]:
        """The units that were kept, as the mixture takes them."""
        told: dict[str, Any] = {
            name: value if name == "unit" else np.array(value, dtype=float) for name, value in kept["units"].items()
        }
        return (Units(**told),)

    def standard_errors(self, parameters: Any, covariance: Floats, reason: str | None) -> RegressionStandardErrors:
        if reason is None:
            covariance = self.by_feature(self.by_feature(covariance).T) * self.vector_units * self.vector_units[:, None]
        weights, *lines, variances = self._split(np.sqrt(np.diag(covariance)))
        deviations = variances / (2 * self.published(parameters).standard_deviations)
        names = tuple(self.names())
        return RegressionStandardErrors(
            weights, np.stack(lines, axis=-1), variances, deviations, reason, covariance, names
        )
