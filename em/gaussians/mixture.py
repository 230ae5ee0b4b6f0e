"""Mixtures of normals as the layers that all mixtures share see them: data, options and prior of one fit, and its derivatives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import astuple, fields, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from em.gaussians.covariances import CovariancePrior, from_lower
from em.gaussians.derivatives import (
    component_prior_derivatives,
    information_missing,
    information_of_rows,
    normal_derivatives,
    normal_scores,
    own_places,
)
from em.gaussians.moments import GaussianStatistics, statistics_of
from em.gaussians.normal_rows import NormalRows
from em.gaussians.results import GaussianStandardErrors, standard_errors_of, told_of_rows
from em.gaussians.spread_ratio import ROUNDING as RATIO_ROUNDING
from em.gaussians.spread_ratio import SpreadRatio
from em.gaussians.steps import log_densities, log_prior, m_step
from em.gaussians.summary import Summary
from em.gaussians.units import Units
from em.gaussians.vectors import NO_WIDTH, GaussianVectors
from em.mixture import AT_A_TIME, EPSILON, REPLAY_STEPS, Sum
from em.rows.sample import SAMPLE, drawn, keys
from em.uncertainty.curvature import missing_information
from em.weights import weight_prior_derivatives
from models.gaussians.covariances import CovarianceForm
from models.gaussians.measurements import Measurements, Missing
from models.gaussians.nouns import GaussianParameters, GaussianPrior
from models.inputs import Floats, Integers
from models.mixtures import MixtureWeights, exchangeable_groups
from models.tables import Columns

# Widths of a component that is tried elsewhere, as shares of the data's spread.
WIDTHS = (0.125, 0.25, 0.5, 1.0)


class GaussianMixture(GaussianVectors):
    """The Gaussian family as the shared layers see it, in units of its own; see `em.mixture.Mixture`."""

    kind, given_bounds = "gaussians", False
    parameters, errors = GaussianParameters, GaussianStandardErrors
    in_memory, rowless, replay_steps = True, False, REPLAY_STEPS
    by_first = True
    average = ""
    limits: ClassVar[dict[str, dict[float, str]]] = {}
    # What its rows may have.
    missing: Missing = "refuse"

    def __init__(
        self,
        data: Measurements,
        weights: MixtureWeights,
        form: CovarianceForm,
        prior: GaussianPrior | None,
        *,
        minimum_ratio: float | None = None,
        standardise: bool = True,
        summary: Summary | None = None,
        told: Callable[[int, Floats | float], None] | None = None,
    ) -> None:
        distinct = data.distinct()
        whole = summary is None
        measured = summary or Summary.of(distinct)
        summary = measured.of_full_rank(distinct.features, form, prior)
        self.told = told
        self.weights, self.form = weights, form
        self.n = summary.n
        self.n_components = k = weights.n_components
        self.groups = exchangeable_groups(weights, summary.labels)
        self.d = d = distinct.d
        self.units = Units(np.zeros(d), np.ones(d))
        if standardise:
            self.units = Units.of(summary.mean, summary.covariance, form.shape, turned=self.missing == "refuse")
        self.features, self.columns = distinct.features, distinct.columns
        self.keys = keys(distinct.labels, distinct.y) if len(distinct.y) > SAMPLE else None
        # Where rows come in chunks, how many there are in all and the largest size in each column.
        self.extent: tuple[int, Floats] | None = None
        self._hold(self.units.rows(distinct.y), distinct.counts, distinct.labels)
        self.total = self.units.matrices(summary.covariance)
        if self.units.turn is not None and whole and summary is measured:
            # As it is, and not as the rounding of nearly dependent columns left it.
            centred = self.inside - np.average(self.inside, axis=0, weights=self.counts)
            self.total = (centred * self.counts[:, None]).T @ centred / (self.n - 1)
        self.total_inverse_root = np.linalg.inv(np.linalg.cholesky(self.total))
        self.ratio = None if minimum_ratio is None else SpreadRatio.of(minimum_ratio, self.total, form.shape)
        entries = {"full": d * (d + 1) // 2, "diagonal": d, "spherical": 1}[form.shape]
        self.own_parameters, self.interpolated = d + entries, d + 1 if form.shape == "full" else 2
        # One covariance of all components has a width as long as more rows are left than its centres go through.
        within = form.tied and len(distinct.y) >= k + self.interpolated
        labelled = bool((distinct.labels >= 0).all())
        self.bounded = self.ratio is not None or prior is not None or within or labelled
        self.unit = 1.0
        self.prior = None if prior is None else self.units.prior(prior)
        self.likelihood_offset = self.offset = -self.n * self.units.log_volume
        if prior is not None:
            each = {"full": d + 1.0, "diagonal": 2.0, "spherical": 2.0 / d}[form.shape]
            self.offset -= self.units.log_volume * (k + each * (1 if form.tied else k))
        # No entry of a full vector may be below these; for several features eigenvalues decide as well.
        self.least = np.repeat([0.0, -np.finfo(float).max], [k, self.n_parameters - k])
        if d == 1:
            self.least[2 * k :] = NO_WIDTH**2
        # Starts: a tenth of the data's own covariance, worth d + 2 rows, keeps the smallest cluster from a width of 0.
        self.start_prior = GaussianPrior(
            mean=self.units.rows(summary.mean[None])[0],
            shrinkage=1e-3,
            degrees_of_freedom=d + 2.0,
            scale=0.1 * (d + 2.0) * self.total,
        )

    @cached_property
    def rows(self) -> NormalRows:
        """The rows as an E-step wants them, which not every part is asked for."""
        return NormalRows(
            self.inside,
            self.counts,
            self.labels,
            self.n_components,
            diagonal=self.form.shape != "full",
            extent=self.extent,
        )

    @property
    def whole(self) -> Floats:
        """``(n, d)`` the rows, where cells are missing with what is expected there."""
        return self.inside

    @property
    def points(self) -> Floats:
        """``(n, d)`` the features of the rows, each in its own unit."""
        return self.units.by_feature(self.whole)

    def _hold(self, inside: Floats, counts: Integers, labels: Integers) -> None:
        self.inside, self.counts, self.labels = inside, counts, labels
        vars(self).pop("rows", None)

    def part(self, rows: slice | Integers) -> GaussianMixture:
        some = copy(self)
        some.keys = None
        some._hold(self.inside[rows], self.counts[rows], self.labels[rows])
        return some

    def sample(self, seed: int) -> GaussianMixture:
        return self if self.keys is None else self.part(np.flatnonzero(drawn(self.keys, self.labels, seed)))

    def summed[T: Sum](self, of: Callable[[GaussianMixture], T]) -> T:
        return of(self)

    def e_step(self, parameters: GaussianParameters) -> GaussianStatistics:
        statistics = self._expected(parameters)
        if self.told is not None:
            rows = len(self.counts) if self.extent is None else self.extent[0]
            self.told(rows, statistics.log_likelihood + self.likelihood_offset)
        return statistics

    def _expected(self, parameters: GaussianParameters) -> GaussianStatistics:
        return self.rows.statistics(parameters)

    def m_step(self, statistics: GaussianStatistics) -> GaussianParameters:
        return m_step(statistics, self.prior, self.weights, self.form, self.ratio)

    def log_prior(self, parameters: GaussianParameters) -> Floats | float:
        return 0.0 if self.prior is None else log_prior(parameters, self.prior, self.weights, self.form)

    def rounding(self, parameters: GaussianParameters, statistics: GaussianStatistics) -> float:
        held_rows = statistics.rows
        # A component that is empty has no finite log weight, and no row whose density could be rounded.
        sizes = self.rows.sizes(parameters, held_rows > 0) + self.d
        if self.form.shape == "full":
            # The error of a Cholesky factor is that of a covariance whose smallest variance is rounded.
            variances = np.linalg.eigvalsh(parameters.covariances)
            sizes += self.d**2 * variances[:, -1] / variances[:, 0]
        objective = abs(statistics.log_likelihood) + abs(float(self.log_prior(parameters)))
        # A ratio that is held up to rounding may be lost and found again by as much, in every direction.
        held = 0.0 if self.ratio is None else 2 * self.n * self.d * RATIO_ROUNDING
        return float(EPSILON * (objective + held_rows @ sizes) + held)

    def log_densities(self, parameters: GaussianParameters) -> Floats:
        return log_densities(parameters, self.inside, diagonal=self.form.shape != "full")

    def scores(self, parameters: GaussianParameters) -> Floats:
        return normal_scores(self.inside, parameters.means, parameters.covariances)

    def summed_scores(self, parameters: GaussianParameters) -> tuple[Floats, Floats] | None:
        moments, precisions = self.e_step(parameters), np.linalg.inv(parameters.covariances)
        sizes = moments.rows, moments.rows
        return moments.rows, normal_derivatives(precisions, sizes, moments.first, moments.second)[0]

    def complete_hessian(self, parameters: GaussianParameters, weighted: Floats) -> Floats:
        precisions = np.linalg.inv(parameters.covariances)
        moments = statistics_of(weighted, np.nan, self.inside, parameters.means)
        sizes = moments.rows, moments.rows
        return normal_derivatives(precisions, sizes, moments.first, moments.second)[1]

    def further_missing(self, parameters: GaussianParameters, weighted: Floats) -> Floats | float:
        return 0.0

    def sees_narrowest(self, parameters: GaussianParameters) -> NDArray[np.bool_] | bool:
        return True

    def informations(self, parameters: GaussianParameters) -> Floats:
        products = self.rows.products(parameters)
        if products is None:
            missing, rows = missing_information(self, parameters)
        else:
            missing = information_missing(parameters, products)
            known = self.labels >= 0
            rows = products.sum(axis=1)[:, 0, 0]
            rows += np.bincount(self.labels[known], self.counts[known], self.n_components)
        return np.stack([information_of_rows(parameters, rows, rows, rows), missing])

    def prior_information(self, parameters: GaussianParameters) -> Floats:
        k, prior = self.n_components, self.prior
        if prior is None:
            return np.zeros((self.n_parameters,) * 2)
        divisors = np.full(k, 1.0 + CovariancePrior.of(prior, self.form, self.d).exponent)
        if self.form.tied:  # one covariance has its prior once
            divisors[1:] = 1.0
        rows, located = np.full((2, k), [[prior.concentration - 1], [prior.shrinkage]])
        return information_of_rows(parameters, rows, divisors, located)

    @property
    def information_steps(self) -> float:
        if self.form.shape != "full" and self.d > 1:  # by the scores of single rows
            return float(self.n_parameters)
        return (self.n_components + 1) * (2 + self.d + self.entries) / 8 + 1

    def prior_derivatives(self, parameters: GaussianParameters) -> tuple[Floats, Floats]:
        p, k = len(self.basis), self.n_components
        gradient, hessian = np.zeros(p), np.zeros((p, p))
        if self.prior is not None:
            concentration = self.prior.concentration
            gradient[:k], hessian[:k, :k] = weight_prior_derivatives(parameters.weights, self.weights, concentration)
            means, covariances = parameters.means, parameters.covariances
            own = own_places(k, self.d)
            gradient[own], hessian[own[:, :, None], own[:, None, :]] = component_prior_derivatives(
                means, covariances, self.prior, self.form
            )
        return gradient, hessian

    def spreads(self, parameters: GaussianParameters) -> Floats:
        """``(..., K)`` smallest standard deviation of each component as a share of the data's in the same direction."""
        relative = np.linalg.eigvalsh(self.total_inverse_root @ parameters.covariances @ self.total_inverse_root.T)
        return np.sqrt(np.maximum(relative[..., 0], 0.0))

    def spread_ratios(self, parameters: GaussianParameters) -> Floats:
        return SpreadRatio.of(1.0, self.total, self.form.shape).ratios(parameters.covariances)

    def within_ratio(self, least: float, parameters: GaussianParameters) -> tuple[GaussianMixture, GaussianParameters]:
        held = copy(self)
        held.ratio, held.bounded = SpreadRatio.of(least, self.total, self.form.shape), True
        rows = self.n * parameters.weights
        return held, replace(parameters, covariances=held.ratio.constrain(parameters.covariances, rows))

    def start_from(self, responsibilities: Floats, *, wide: bool = True) -> GaussianParameters:
        expected = responsibilities * self.counts[:, None]
        means = np.zeros((*responsibilities.shape[:-2], self.n_components, self.d))
        diagonal = self.form.shape != "full"
        return self._started(statistics_of(expected, np.nan, self.inside, means, diagonal=diagonal), wide=wide)

    def _started(self, statistics: GaussianStatistics, *, wide: bool) -> GaussianParameters:
        return m_step(statistics, self.start_prior if wide else self.prior, self.weights, self.form, self.ratio)

    def _white(self) -> Floats:
        centre = np.average(self.whole, axis=0, weights=self.counts)
        return (self.whole - centre) @ self.total_inverse_root.T

    def white(self) -> Floats | None:
        return self._white() if self.d > 1 and self.form.shape == "full" else None

    def elsewhere(self, random: np.random.Generator) -> Iterator[tuple[Floats, Floats]]:
        white = self._white()
        places = _some_rows(random, self.counts)
        half_distances, constant, features = self._about(white, places)
        for width in WIDTHS:
            log_densities = half_distances * (-1 / width**2)
            log_densities += constant - features * np.log(width)
            yield log_densities, white[places] / width

    def _about(self, white: Floats, places: Integers) -> tuple[Floats, Any, Any]:
        """Half the squared distances ``(n, C)`` of rows from places, in standard deviations of the data.

        The log density there of a normal of the data's own covariance, and how many features of each row it is of.
        """
        squares = (white**2).sum(axis=1)
        half_distances = white @ -white[places].T
        half_distances += 0.5 * squares[:, None]
        half_distances += 0.5 * squares[places]
        constant = np.log(np.diagonal(self.total_inverse_root)).sum() - 0.5 * self.d * np.log(2 * np.pi)
        return half_distances, constant, self.d

    def held(self, vector: Floats) -> Floats:
        if self.ratio is None:
            return vector
        k, d = self.n_components, self.d
        covariances = from_lower(vector[k + k * d :], d)
        if not np.isfinite(vector).all() or (self._variances(covariances) <= 0).any() or (vector[:k] <= 0).any():
            return vector
        covariances = self.ratio.constrain(covariances, self.n * vector[:k])
        return np.concatenate([vector[: k + k * d], covariances[..., *self.lower].ravel()])

    def constrained(self, parameters: GaussianParameters) -> bool:
        return self.ratio is not None and self.ratio.reached(parameters.covariances)

    def published(self, parameters: GaussianParameters) -> GaussianParameters:
        return self.units.published(parameters)

    def from_published(self, published: GaussianParameters) -> GaussianParameters:
        return self.units.parameters(published)

    @property
    def vector_units(self) -> Floats:
        return self.units.vector(self.n_components)

    def by_feature(self, directions: Floats) -> Floats:
        return self.units.entries_by_feature(directions, self.n_components)

    def of_rows(
        self, data: Any, published: GaussianParameters, of: Callable[[Floats, Integers], Floats], columns: int
    ) -> Any:
        return told_of_rows(data, self.columns, self.units, published, of, columns, self.missing)

    def design(self) -> tuple[Integers, Integers]:
        return np.zeros(1, dtype=np.int64), np.array([self.n])

    def drawn(
        self, published: GaussianParameters, rows: Integers, components: Integers, random: np.random.Generator
    ) -> Measurements:
        columns = None if self.columns is None else Columns(self.features)
        return Measurements(published.simulate(components, random)).named(self.features, columns)

    def kept(self) -> dict[str, Any]:
        columns = None if self.columns is None else astuple(self.columns)
        own = {
            "n": self.n,
            "form": astuple(self.form),
            "features": self.features,
            "columns": columns,
            "missing": self.missing,
        }
        return own | {field.name: getattr(self.units, field.name) for field in fields(self.units)}

    @classmethod
    def without_rows(cls, weights: MixtureWeights, kept: dict[str, Any]) -> GaussianMixture:
        """The mixture of which this was ``kept``: its units, and what vectors need."""
        mixture: GaussianMixture = object.__new__(cls)
        mixture.weights, mixture.n_components = weights, weights.n_components
        mixture.rowless, mixture.n, mixture.missing = True, kept["n"], kept["missing"]
        mixture.form, mixture.features = CovarianceForm(*kept["form"]), tuple(kept["features"])
        mixture.columns = None if kept["columns"] is None else Columns(mixture.features, *kept["columns"][1:])
        units: Any = (None if kept[each.name] is None else np.array(kept[each.name]) for each in fields(Units))
        mixture.units = Units(*units)
        mixture.d = len(mixture.features)
        return mixture

    def drawn_again(self, rows: Integers, counts: Integers) -> GaussianMixture:
        return self._on(Measurements(self.inside[rows], counts, self.labels[rows], missing="marginal"))

    def simulated(
        self,
        parameters: GaussianParameters,
        rows: Integers,
        components: Integers,
        labels: Integers,
        random: np.random.Generator,
    ) -> GaussianMixture:
        return self._on(Measurements(parameters.simulate(components, random), labels=labels))

    def _on(self, inside: Measurements) -> GaussianMixture:
        """The same problem on other rows, in the units of these."""
        return GaussianMixture(inside, self.weights, self.form, self.prior, standardise=False)

    def doubt_of_derivatives(self, parameters: GaussianParameters, covariance: Floats) -> str | None:
        return None

    def standard_errors(
        self, parameters: GaussianParameters, covariance: Floats, reason: str | None
    ) -> GaussianStandardErrors:
        deviations = self.published(parameters).standard_deviations
        if reason is None:
            covariance = self.by_feature(self.by_feature(covariance).T)
        return standard_errors_of(covariance, reason, deviations, self.vector_units, tuple(self.names()))


def _some_rows(random: np.random.Generator, counts: Integers) -> Integers:
    """Numbers of so many rows that their densities take little memory; all of few."""
    most = 2 * AT_A_TIME // len(counts)
    if len(counts) <= most:
        return np.arange(len(counts))
    return random.choice(len(counts), size=max(most, 1), replace=False, p=counts / counts.sum())
