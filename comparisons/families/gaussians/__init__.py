"""Mixtures of normal distributions: what a comparison has to know of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

import em
import models
from comparisons.capabilities import Distribution, Margin
from comparisons.declaration import WEAKLY_INFORMATIVE, Comparison
from comparisons.declared_rows import DeclaredRows
from comparisons.families.family import Family, Setup
from comparisons.families.gaussians import quantities, rows, third
from comparisons.families.gaussians.words import OF_SEEN_CELLS, of_missing_cells, of_rows_and_prior
from comparisons.names import distinct_names
from comparisons.quantity_names import variable_and_labels
from comparisons.results.report_data import Distance, QuantilePlot
from em.gaussians.missing import mixture_of
from em.gaussians.mixture import GaussianMixture
from em.gaussians.patterns import marginal_log_densities, marginal_log_likelihood
from em.gaussians.steps import log_densities, log_likelihood, log_prior
from em.mixture import Scale, has_mode
from models import GaussianParameters, GaussianPrior, Measurements
from models.gaussians.covariances import CovarianceForm
from models.gaussians.measurements import covariance_of, mean_of
from models.gaussians.white import spread_factor
from models.inputs import Floats, Integers, instance_of, shown

if TYPE_CHECKING:
    import pymc as pm

# Of the data's spread: the standard deviation of a component below which a fused likelihood loses a tenth digit.
NARROWEST = 1e-3


def form(comparison: Comparison) -> CovarianceForm:
    """What the covariances may be."""
    return CovarianceForm.of(comparison.covariance)


class Gaussians(Family):
    """See `comparisons.families.family.Family`.

    For one feature the spread is told as ``standard_deviations``, for several as ``covariances``, or as ``variances`` where
    all features share one. What the declaration holds at 0 is no quantity, and what all components share stands once,
    without a component: ``standard_deviations``.
    """

    name = "gaussians"
    also_called = ("normals",)
    data, parameters, prior = Measurements, GaussianParameters, GaussianPrior
    variables = ("means", "covariances")
    columns_told = (
        "one or more of measurements, with names of their own; --covariance says what they share, --missing marginal keeps rows "
        "of which some are missing"
    )
    marginal = True
    default_reason = WEAKLY_INFORMATIVE
    prior_numbers = ("shrinkage", "degrees_of_freedom", "mean", "scale")
    options = ("covariance",)
    scales: ClassVar[dict[str, Scale]] = {"means": "identity", "standard_deviations": "log", "variances": "log"}

    def fitting(self, comparison: Comparison, data: Measurements) -> Comparison:
        form(comparison)
        prior = comparison.prior
        if prior is not None:
            instance_of("prior", prior, GaussianPrior)
            has_mode("concentration", prior.concentration)
            prior.checked(data.d, data.columns)
        return replace(comparison, features=_features(comparison, data))

    def default_prior(self, data: Measurements, n_components: int) -> GaussianPrior:
        return GaussianPrior.weakly_informative(data, n_components)

    def prior_note(self, n_components: int) -> str:
        return (
            f"The same numbers for every K, those of the comparison's own K = {n_components}: a scale that shrank with K "
            "would change the question from row to row. Read off the data once, with their mean and covariance."
        )

    def columns(self, data: Measurements) -> Floats:
        return data.y

    def from_roles(self, values: dict[str, Floats], counts: Any, labels: Any) -> Measurements:
        rows = Measurements(np.column_stack(list(values.values())), counts, labels, missing="marginal")
        return rows.named(tuple(values), None)

    def column_names(self, problem: Setup) -> list[str]:
        return list(problem.comparison.features)

    def with_columns(self, data: Measurements, columns: Floats, counts: Any, labels: Any) -> Measurements:
        return Measurements(columns, counts, labels, missing="marginal")

    def told_of(self, data: Measurements) -> list[str]:
        return of_missing_cells(data)

    def row(self, problem: Setup, i: int) -> str:
        values = zip(problem.comparison.features, problem.data.y[i], strict=True)
        return ", ".join(f"{feature} {'missing' if np.isnan(value) else f'{value:.6g}'}" for feature, value in values)

    def structure(self, problem: Setup) -> tuple[Any, ...]:
        return problem.data.d, form(problem.comparison), problem.data.complete

    def fit(self, problem: Setup, **options: Any) -> em.Fit[Any, Any]:
        c = problem.comparison
        return em.gaussian_mixture(problem.data, c.n_components, c.covariance, c.weights, **options)

    def mixture(self, problem: Setup, prior: GaussianPrior | None, *, standardise: bool) -> GaussianMixture:
        return mixture_of(problem.data, problem.weights, form(problem.comparison), prior, standardise=standardise)

    def fusable(self, problem: Setup) -> bool:
        return bool(problem.data.complete)

    def fused_near(self, problem: Setup, point: GaussianParameters) -> bool:
        # Squares and products of whitened rows, times a precision, are added up: their rounding grows with it.
        factor = spread_factor(problem.data, form(problem.comparison), problem.prior)
        back = np.linalg.inv(factor)
        return bool(np.linalg.eigvalsh(back @ point.covariances @ back.T).min() >= NARROWEST**2)

    def model(self, problem: Setup) -> pm.Model:
        c, likelihood = problem.comparison, problem.likelihood
        return models.gaussian_mixture(
            problem.data, c.n_components, c.covariance, c.weights, prior=problem.prior, likelihood=likelihood
        )

    def log_likelihood(self, problem: Setup, parameters: GaussianParameters) -> float:
        data = problem.data
        return log_likelihood(parameters, data) if data.complete else marginal_log_likelihood(parameters, data)

    def log_prior(self, problem: Setup, parameters: GaussianParameters) -> float:
        return float(log_prior(parameters, problem.prior, problem.weights, form(problem.comparison)))

    def log_densities(self, data: Measurements, parameters: GaussianParameters) -> Floats:
        return (log_densities if data.complete else marginal_log_densities)(parameters, data.y)

    def to_pymc(self, problem: Setup, parameters: GaussianParameters) -> dict[str, Floats]:
        held = form(problem.comparison)
        covariances = parameters.covariances[0] if held.tied else parameters.covariances
        d = parameters.means.shape[1]
        if held.shape == "full" and d > 1:
            a, b = np.tril_indices(d)
            free = {"covariance_factors": np.linalg.cholesky(covariances)[..., a, b]}
        else:
            variances = np.diagonal(covariances, axis1=-2, axis2=-1)
            free = {"variances": variances[..., 0] if held.shape == "spherical" else variances}
        return {**free, "means": parameters.means}

    def free_numbers(self, problem: Setup, natural: dict[str, Floats]) -> Floats:
        covariances = [natural["covariances"][place] for place in quantities.spreads(problem.comparison).values()]
        return np.concatenate([natural["means"].ravel(), covariances])

    def refuse_others(self, problem: Setup, parameters: GaussianParameters) -> None:
        form(problem.comparison).checked(parameters.covariances)

    def random_parameters(self, problem: Setup, weights: Floats, random: np.random.Generator) -> GaussianParameters:
        k, held = problem.comparison.n_components, form(problem.comparison)
        y, d, total = problem.data.y, problem.data.d, covariance_of(problem.data)
        rows = y[random.choice(len(y), size=k)]
        means = np.where(np.isnan(rows), mean_of(problem.data), rows) + random.normal(size=(k, d)) * np.sqrt(
            np.diag(total)
        )
        covariances = np.empty((k, d, d))
        for j in range(k):
            root = np.linalg.cholesky(total) @ (np.eye(d) + 0.3 * np.tril(random.normal(size=(d, d)), -1))
            covariances[j] = root @ root.T * random.uniform(0.1, 2.0)
        if held.shape != "full":
            covariances *= np.eye(d)
        if held.shape == "spherical":
            covariances = np.einsum("kaa->k", covariances)[:, None, None] / d * np.eye(d)
        return GaussianParameters(weights, means, np.repeat(covariances[:1], k, axis=0) if held.tied else covariances)

    def rows_of_em(self, problem: Setup, mixture: GaussianMixture) -> tuple[DeclaredRows, DeclaredRows]:
        told = problem.declared
        in_its_units = DeclaredRows.from_arrays(mixture.units.rows(told.columns), told.counts, told.labels)
        held = mixture.units.by_feature(mixture.inside)
        return in_its_units, DeclaredRows.from_arrays(held, mixture.counts, mixture.labels)

    def columns_of_pymc(self, values: dict[str, Any]) -> Floats:
        return np.asarray(values["observed_y"])

    def standard_deviation_ratio(self, parameters: GaussianParameters) -> float:
        deviations = parameters.standard_deviations
        return float((deviations.min(axis=0) / deviations.max(axis=0)).min())

    def quantities(self, problem: Setup, arrays: dict[str, Any]) -> dict[str, Any]:
        return quantities.of_arrays(problem.comparison, arrays)

    def from_quantities(self, problem: Setup, values: dict[str, Floats]) -> dict[str, Floats]:
        return quantities.to_arrays(problem.comparison, values)

    def slopes(
        self, parameters: GaussianParameters, slopes: dict[str, Floats], values: dict[str, float]
    ) -> dict[str, Floats]:
        for name in slopes:
            if name.startswith("standard_deviations"):
                # The root of a unit vector is itself, to which the root's own slope is still missing.
                slopes[name] /= 2 * values[name]
        return slopes

    def places(self, problem: Setup, arrays: dict[str, Floats]) -> dict[str, Integers]:
        places = super().places(problem, arrays)
        k, d = arrays["means"].shape
        a, b = np.tril_indices(d)
        places["covariances"][:, a, b] = places["covariances"][:, b, a] = np.arange(k * len(a)).reshape(k, -1)
        return places

    def vector_names(self, problem: Setup) -> list[str]:
        return quantities.vector_names(problem.comparison)

    def em_names(self, problem: Setup) -> dict[str, str]:
        return quantities.em_names(problem)

    def of_fit(self, problem: Setup, fit: em.Fit[Any, Any]) -> dict[str, tuple[float, float]]:
        return quantities.of_fit(problem.comparison, fit)

    def entries(self, problem: Setup, values: Any) -> Floats:
        a, b = np.tril_indices(values.means.shape[1])
        return np.concatenate([values.weights, values.means.ravel(), values.covariances[:, a, b].ravel()])

    def varied(self, problem: Setup, parameters: GaussianParameters, changed: dict[str, float]) -> GaussianParameters:
        return quantities.varied(problem.comparison, parameters, changed)

    def pair(self, problem: Setup) -> tuple[str, str] | None:
        c, one = problem.comparison, len(problem.comparison.features) == 1
        if c.n_components == 1:
            return (f"means[{c.components[0]}]", f"standard_deviations[{c.components[0]}]") if one else None
        first, second = c.components[0], c.components[1]
        if one:
            return f"means[{first}]", f"means[{second}]"
        return f"means[{first}, {c.features[0]}]", f"means[{first}, {c.features[1]}]"

    def scale(self, name: str) -> Scale:
        variable, labels = variable_and_labels(name)
        if variable != "covariances":
            return super().scale(name)
        return "log" if labels[-1] == labels[-2] else "identity"

    def words(self, problem: Setup) -> tuple[dict[str, str], str, list[str]]:
        return of_rows_and_prior(problem)

    def unit_powers(self, comparison: Comparison) -> dict[str, int]:
        powers = {"means": 1, "standard_deviations": 1, "covariances": 2, "variances": 2}
        return dict.fromkeys(comparison.features, 1) | powers

    def notes(self, problem: Setup) -> dict[str, str]:
        found = {
            "distribution": "below a value and half of those at it, since measurements are rounded",
            "irregular": "a saddle, or where a start was left because a component collapses onto a few rows: the likelihood "
            "has no bound there, and its value is only where the run stopped.",
            "distances": "A distance of each variable by itself; the joint distribution may be off where these are not. "
            "Parameters estimated from the same data bring the fit closer, and rounded values repeat themselves, so no "
            "table applies: ",
            "replicates": "rounded as the data are, ",
            "prior": "weights, means and covariances",
        }
        if not problem.data.complete:
            found["distances"] = OF_SEEN_CELLS + found["distances"]
            found["replicates"] += "with the same cells missing, "
        if problem.comparison.n_components == 1:
            return found
        several = any(name.startswith("covariances") for name in quantities.spreads(problem.comparison))
        narrow = "a covariance matrix becomes singular" if several else "a standard deviation goes to 0"
        return found | {
            "unbounded": f"The likelihood of normals grows without bound as {narrow}, so the estimate is the highest local "
            "maximum found at which every component narrower than 5 % of the data’s spread is held by more rows than "
            "chance puts together.",
            "profile": " (locally, from the estimate outwards)",
        }

    def third_density(self, rows: DeclaredRows, parameters: GaussianParameters, component: int) -> Floats:
        unit = third.unit_of(rows)
        return third.normal(rows.columns, parameters.means[component], parameters.covariances[component], unit)

    def third_prior_numbers(self, problem: Setup) -> dict[str, Any]:
        return third.prior_numbers(problem)

    def third_log_prior(self, problem: Setup, parameters: GaussianParameters, numbers: dict[str, Any]) -> float:
        return third.log_prior(problem, parameters, numbers)

    def third_rounding(self, problem: Setup, parameters: GaussianParameters) -> float:
        return third.rounding(problem.declared, parameters)

    def number_sizes(self, numbers: dict[str, Any]) -> dict[str, Floats]:
        deviations = np.sqrt(np.diag(numbers["scale"]))
        # A mean is as exact as its own last digits, or a small part of the spread.
        return {
            "mean": deviations + 1e-6 * np.abs(numbers["mean"]),
            "scale": deviations * deviations[:, None],
        }

    def reread(self, problem: Setup, values: dict[str, Floats], n: int) -> dict[str, Floats]:
        return third.natural(problem, values, n)

    def reread_keys(self, arrays: dict[str, Floats]) -> Floats:
        return arrays["means"]

    def reread_quantities(self, problem: Setup, arrays: dict[str, Floats]) -> dict[str, Floats]:
        return third.quantities_of(problem, arrays)

    def reread_size(self, name: str, arrays: dict[str, Floats]) -> Floats | float:
        if not name.startswith("covariances"):
            return super().reread_size(name, arrays)
        # Covariances by the variances.
        return np.asarray(np.einsum("nkaa->nk", arrays["covariances"]).max(axis=1))

    def prior_draws(
        self, comparison: Comparison, prior: GaussianPrior, n: int, random: np.random.Generator
    ) -> dict[str, Floats]:
        return rows.prior_draws(comparison.n_components, form(comparison), prior, n, random)

    def changed_priors(self, prior: GaussianPrior) -> dict[str, GaussianPrior]:
        found = {}
        for word, factor in (("halved", 0.5), ("doubled", 2.0)):
            found[f"scale {word}"] = replace(prior, scale=factor * prior.scale)
            found[f"shrinkage {word}"] = replace(prior, shrinkage=factor * prior.shrinkage)
        return found

    def replicates(
        self, data: Measurements, every: Iterable[GaussianParameters], random: np.random.Generator
    ) -> Iterator[Measurements]:
        return rows.replicates(data, every, random)

    def simulated(
        self, data: Measurements, parameters: GaussianParameters, components: Integers, random: np.random.Generator
    ) -> Measurements:
        observed = np.repeat(data.observed, data.counts, axis=0)
        drawn = np.where(observed, parameters.simulate(components, random), np.nan)
        return Measurements(drawn, missing="marginal")

    def distances(
        self,
        problem: Setup,
        fit: GaussianParameters,
        refits: Sequence[tuple[Measurements, GaussianParameters]],
        placed: Any,
    ) -> tuple[list[Distance], list[QuantilePlot]]:
        return rows.distances(problem, fit, refits, placed)

    def departure(self, problem: Setup, departing: list[int]) -> str:
        features = problem.comparison.features
        which = " and ".join(features[j] for j in departing or range(len(features)))
        return f"The distribution of {which} {'departs' if departing else 'shows no departure'} from"

    def statistics(self, comparison: Comparison, data: Measurements) -> dict[str, float]:
        return rows.statistics(comparison.features, data)

    def distributions(self, problem: Setup) -> list[Distribution]:
        return [rows.distribution(problem, j) for j in range(problem.data.d)]

    def margins(self, problem: Setup) -> list[Margin]:
        return [rows.margin(problem, j, feature) for j, feature in enumerate(problem.comparison.features)]


def _features(comparison: Comparison, data: Measurements) -> tuple[str, ...]:
    """Names of the columns: as declared, else as the data have them, else ``y``, or ``y1``, ``y2``, ..."""
    told, own = tuple(comparison.features), data.features if data.columns is not None else ()
    if not told:
        unnamed = ("y",) if data.d == 1 else tuple(f"y{j + 1}" for j in range(data.d))
        return distinct_names("feature", own or unnamed)
    if len(told) != data.d:
        raise ValueError(
            f"features has {len(told)} names but y has {data.d} columns; give one name per column, or none"
        )
    for j, name in enumerate(told):
        if name in own and own.index(name) != j:
            raise ValueError(
                f"features[{j}] is {shown(name)} but column {j + 1} of y is {shown(own[j])}; keep to their order"
            )
    return told


GAUSSIANS = Gaussians()
