"""Mixtures of linear regressions whose weights are those of every row: what a comparison has to know of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

import em
import models
from comparisons.capabilities import Distribution, Margin
from comparisons.declaration import Comparison
from comparisons.declared_rows import DeclaredRows
from comparisons.families.family import Setup
from comparisons.families.regressions import rows, third
from comparisons.families.regressions.declared import DeclaredRegressions, first_covariate, terms
from comparisons.families.regressions.rows import is_shared
from comparisons.quantity_names import quoted
from comparisons.results.report_data import Distance, QuantilePlot
from em.regressions.mixture import RegressionMixture
from em.regressions.units import Units
from models import RegressionParameters, RegressionPrior, RegressionRows
from models.inputs import Floats, Integers, cut
from models.order import AS_WELL, FIRST, Order
from models.regressions.regressors import INTERCEPT, Regressors

if TYPE_CHECKING:
    import pymc as pm


class Regressions(DeclaredRegressions):
    """See `comparisons.families.family.Family`; a variance is told as its root, and once where it is tied."""

    # Both engines

    def structure(self, problem: Setup) -> tuple[Any, ...]:
        return len(problem.data.covariates), is_shared(problem.comparison)

    def fit(self, problem: Setup, **options: Any) -> em.Fit[Any, Any]:
        c: Any = problem.comparison
        return em.regression_mixture(problem.data, None, c.n_components, c.covariance, c.weights, **options)

    def mixture(self, problem: Setup, prior: RegressionPrior | None, *, standardise: bool) -> RegressionMixture:
        units = None if standardise else Units.plain(len(problem.data.covariates))
        return RegressionMixture(problem.data, problem.weights, prior, is_shared(problem.comparison), units)

    def model(self, problem: Setup) -> pm.Model:
        c: Any = problem.comparison
        tied: Any = "tied" if is_shared(c) else "own"
        return models.regression_mixture(problem.data, None, c.n_components, tied, c.weights, problem.prior)

    def log_densities(self, data: RegressionRows, parameters: RegressionParameters) -> Floats:
        heights = data.design @ np.swapaxes(parameters.coefficients, -1, -2)
        v = parameters.variances[..., None, :]
        return np.asarray(-0.5 * ((data.y[:, None] - heights) ** 2 / v + np.log(2 * np.pi * v)))

    def to_pymc(self, problem: Setup, parameters: RegressionParameters) -> dict[str, Floats]:
        v = parameters.variances
        widths = {"shared_variance": v[0]} if is_shared(problem.comparison) else {"variances": v}
        return {**widths, "coefficients": parameters.coefficients}

    def free_numbers(self, problem: Setup, natural: dict[str, Floats]) -> Floats:
        widths = natural["variances"][:1] if is_shared(problem.comparison) else natural["variances"]
        return np.concatenate([natural["coefficients"].ravel(), widths])

    def refuse_others(self, problem: Setup, parameters: RegressionParameters) -> None:
        v = parameters.variances
        if not (v > 0).all():
            raise ValueError(f"the variances are {cut(str(v))}, which are not all above 0")
        if is_shared(problem.comparison) and np.ptp(v) > 1e-8 * v.max():
            raise ValueError(f"the variances are {cut(str(v))} where all components have one")

    def random_parameters(self, problem: Setup, weights: Floats, random: np.random.Generator) -> RegressionParameters:
        data, k = problem.data.lines, problem.comparison.n_components
        told = Regressors.of(data)
        spread = np.sqrt(data.counts @ told.residuals**2 / data.n)
        lines = told.coefficients + spread * random.normal(size=(k, len(data.covariates))) @ told.turn.T
        v = spread**2 * random.uniform(0.1, 2.0, size=k)
        return RegressionParameters(weights, lines, np.full(k, v[0]) if is_shared(problem.comparison) else v)

    def rows_of_em(self, problem: Setup, mixture: RegressionMixture) -> tuple[DeclaredRows, DeclaredRows]:
        told, first = problem.declared, first_covariate(problem.data)
        y, x = mixture.units.rows(self.with_columns(problem.data, told.columns, told.counts, told.labels).lines)
        declared = DeclaredRows.from_arrays(np.column_stack([y, x[:, first:]]), told.counts, told.labels)
        held = np.column_stack([mixture.y, mixture.x[:, first:]])
        return declared, DeclaredRows.from_arrays(held, mixture.counts, mixture.labels)

    def columns_of_pymc(self, values: dict[str, Any]) -> Floats:
        design = values["design"]
        # An intercept is no column, and the only one that is constant.
        return np.column_stack([values["observed_y"], design[:, int((design[:, 0] == 1).all()) :]])

    def standard_deviation_ratio(self, parameters: RegressionParameters) -> float:
        v = parameters.variances
        return float(np.sqrt(v.min() / v.max()))

    def structurally_unidentified(self, problem: Setup) -> str | None:
        data, held, k = problem.data, problem.weights.fixed, problem.comparison.n_components
        alike = held is not None and bool((held == held[0]).all()) and is_shared(problem.comparison)
        points, p = len(np.unique(data.lines.design, axis=0)), data.lines.design.shape[1]
        # So many points lie in K planes through the origin of the design (Hennig 2000, Journal of Classification 17, 273).
        if not alike or (data.labels >= 0).any() or points > k * (p - 1):
            return None
        return (
            f"the covariates take only {points} values, at each of which {k} components of equal weight and one variance can be "
            "joined to lines in any way"
        )

    def order(self, problem: Setup, point: RegressionParameters, groups: Integers) -> Order:
        data, lines = problem.data.lines, point.coefficients
        # Variances of each coefficient for a single row, were its component known.
        own = (Regressors.of(data).turn ** 2).sum(axis=1) * (point.variances / np.maximum(point.weights, 1e-12))[
            :, None
        ]
        pairs = [(a, b) for a, b in combinations(range(len(lines)), 2) if groups[a] == groups[b]]
        if not pairs:
            return FIRST
        apart = np.min([np.abs(lines[a] - lines[b]) / np.sqrt(own[a] + own[b]) for a, b in pairs], axis=0)
        return Order(first=int(np.argmax(apart >= AS_WELL * apart.max())))

    def order_told(self, problem: Setup) -> str:
        first, *names = terms(problem.comparison)
        called = [name if name == INTERCEPT else f"slope for {quoted(name)}" for name in (first, *names)]
        better = f", which separates them better than the {called[0]}" if problem.order.first else ""
        return f"by the {called[problem.order.first]}{better}"

    # Quantities and names

    def _widths(self, comparison: Comparison) -> dict[str, int]:
        """Names of the standard deviations, each with a component that has it."""
        if is_shared(comparison):
            return {"standard_deviations": 0}
        return {f"standard_deviations[{name}]": k for k, name in enumerate(comparison.components)}

    def _lines(self, comparison: Comparison) -> dict[str, tuple[int, int]]:
        """Names of the coefficients, with component and covariate."""
        c = comparison
        return {
            f"coefficients[{name}, {covariate}]": (k, j)
            for k, name in enumerate(c.components)
            for j, covariate in enumerate(terms(c))
        }

    def quantities(self, problem: Setup, arrays: dict[str, Any]) -> dict[str, Any]:
        c = problem.comparison
        found = {name: arrays["coefficients"][..., k, j] for name, (k, j) in self._lines(c).items()}
        return found | {name: np.sqrt(arrays["variances"][..., k]) for name, k in self._widths(c).items()}

    def from_quantities(self, problem: Setup, values: dict[str, Floats]) -> dict[str, Floats]:
        c, n = problem.comparison, len(next(iter(values.values())))
        lines, v = np.empty((n, c.n_components, len(terms(c)))), np.empty((n, c.n_components))
        for name, (k, j) in self._lines(c).items():
            lines[:, k, j] = values[name]
        for name, k in self._widths(c).items():
            v[:, k if not is_shared(c) else slice(None)] = (values[name] ** 2).reshape(n, *[1] * is_shared(c))
        return {"coefficients": lines, "variances": v}

    def slopes(
        self, parameters: RegressionParameters, slopes: dict[str, Floats], values: dict[str, float]
    ) -> dict[str, Floats]:
        # The root of a unit vector is itself, to which the root's own slope is still missing.
        roots = {name: slope / (2 * values[name]) for name, slope in slopes.items() if name.startswith("standard_dev")}
        return slopes | roots

    def places(self, problem: Setup, arrays: dict[str, Floats]) -> dict[str, Integers]:
        k, p = arrays["coefficients"].shape
        return super().places(problem, arrays) | {"coefficients": np.arange(k * p).reshape(p, k).T}

    def vector_names(self, problem: Setup) -> list[str]:
        c = problem.comparison
        lines = [f"coefficients[{name}, {covariate}]" for covariate in terms(c) for name in c.components]
        return [*lines, *(f"variances[{name}]" for name in c.components)]

    def em_names(self, problem: Setup) -> dict[str, str]:
        c = problem.comparison
        own = problem.data.covariates
        lines = {name: f"coefficients[{k + 1}, {own[j]}]" for name, (k, j) in self._lines(c).items()}
        return lines | {name: f"standard_deviations[{k + 1}]" for name, k in self._widths(c).items()}

    def of_fit(self, problem: Setup, fit: em.Fit[Any, Any]) -> dict[str, tuple[float, float]]:
        p, e, c = fit.parameters, fit.standard_errors, problem.comparison
        found = {}
        for k, component in enumerate(c.components):
            for j, covariate in enumerate(terms(c)):
                found[f"coefficients[{component}, {covariate}]"] = (
                    float(p.coefficients[k, j]),
                    float(e.coefficients[k, j]),
                )
            name = "standard_deviations" if is_shared(c) else f"standard_deviations[{component}]"
            found[name] = float(p.standard_deviations[k]), float(e.standard_deviations[k])
        return found

    def entries(self, problem: Setup, values: Any) -> Floats:
        return np.concatenate([values.weights, values.coefficients.T.ravel(), values.variances])

    def varied(
        self, problem: Setup, parameters: RegressionParameters, changed: dict[str, float]
    ) -> RegressionParameters:
        c, lines, v = problem.comparison, np.array(parameters.coefficients), np.array(parameters.variances)
        for name, value in changed.items():
            if name in (own := self._lines(c)):
                lines[own[name]] = value
            else:
                v[slice(None) if is_shared(c) else self._widths(c)[name]] = value**2
        return RegressionParameters(parameters.weights, lines, v)

    def pair(self, problem: Setup) -> tuple[str, str] | None:
        c = problem.comparison
        names = [f"coefficients[{name}, {terms(c)[-1]}]" for name in c.components[:2]]
        return (names[0], names[1]) if len(names) > 1 else None

    def words(self, problem: Setup) -> tuple[dict[str, str], str, list[str]]:
        c, prior = problem.comparison, problem.prior
        at, its = ("[z[i]]", "[k]") if c.n_components > 1 else ("", "")
        tied = "" if is_shared(c) else its
        summands = [
            f"coefficients{at}[{name}] {'' if name == INTERCEPT else f'{name}[i]'}".strip() for name in terms(c)
        ]
        width = f"standard_deviations{'' if is_shared(c) else at}"
        half, rate = prior.degrees_of_freedom / 2, prior.scale / 2
        rows = "; ".join(", ".join(f"{v:.6g}" for v in row) for row in prior.root)
        centre = ", ".join(f"{v:.6g}" for v in prior.mean)
        told = [
            f"standard_deviations{tied}^2 ~ inverse-gamma({half:.6g}, {rate:.6g})",
            f"R (coefficients{its} − [{centre}]) ~ Normal(0, standard_deviations{tied}) with the matrix R = [{rows}]",
        ]
        return {"covariance": str(c.covariance)}, f"{c.features[0]}[i] ~ Normal({' + '.join(summands)}, {width})", told

    def unit_powers(self, comparison: Comparison) -> dict[str, int]:
        return {comparison.features[0]: 1, "standard_deviations": 1}

    def notes(self, problem: Setup) -> dict[str, str]:
        found = super().notes(problem) | {
            "distribution": "below a value and half of those at it, since measurements are rounded",
            "distances": "Between the normal scores of each response given its covariates, by the fitted mixture, and a standard "
            "normal distribution. Parameters estimated from the same data bring the two closer, so no table applies: ",
            "replicates": "at the same covariates, ",
            "prior": "weights, coefficients and variances",
        }
        if self.mixture(problem, None, standardise=True).bounded or problem.comparison.n_components == 1:
            return found
        return found | {
            "irregular": "a saddle, or where a start was left because a component collapses onto as many rows as it has "
            "coefficients: the likelihood has no bound there, and its value is only where the run stopped.",
            "unbounded": "The likelihood of regressions grows without bound as one goes through as many rows as it has "
            "coefficients, so the estimate is the highest local maximum found at which every component narrower than 5 % of the "
            "spread about one regression is held by more rows than chance puts together.",
            "profile": " (locally, from the estimate outwards)",
        }

    # A third density and a second reading

    def third_density(self, rows: DeclaredRows, parameters: RegressionParameters, component: int) -> Floats:
        return third.normal(rows, parameters, component)

    def third_prior_numbers(self, problem: Setup) -> dict[str, Any]:
        return third.prior_numbers(problem)

    def number_sizes(self, numbers: dict[str, Any]) -> dict[str, Floats]:
        return third.number_sizes(numbers)

    def third_log_prior(self, problem: Setup, parameters: RegressionParameters, numbers: dict[str, Any]) -> float:
        return third.log_prior(problem, parameters, numbers)

    def third_rounding(self, problem: Setup, parameters: RegressionParameters) -> float:
        return third.rounding(problem, parameters)

    def reread(self, problem: Setup, values: dict[str, Floats], n: int) -> dict[str, Floats]:
        return third.natural(problem, values, n)

    def reread_keys(self, arrays: dict[str, Floats]) -> Floats:
        return arrays["coefficients"]

    def reread_quantities(self, problem: Setup, arrays: dict[str, Floats]) -> dict[str, Floats]:
        return third.quantities_of(problem, arrays)

    # The prior

    def prior_draws(
        self, comparison: Comparison, prior: RegressionPrior, n: int, random: np.random.Generator
    ) -> dict[str, Floats]:
        return rows.prior_draws(comparison, prior, n, random)

    def changed_priors(self, prior: RegressionPrior) -> dict[str, RegressionPrior]:
        found = {}
        for word, by in (("halved", 0.5), ("doubled", 2.0)):
            found[f"rows that the lines are worth {word}"] = replace(prior, root=prior.root * np.sqrt(by))
            found[f"scale {word}"] = replace(prior, scale=prior.scale * by)
        return found

    # The data beside the fit

    def simulated(
        self, data: RegressionRows, parameters: RegressionParameters, components: Integers, random: np.random.Generator
    ) -> RegressionRows:
        return rows.simulated(data, parameters, components, random)

    def replicates(
        self, data: RegressionRows, every: Iterable[RegressionParameters], random: np.random.Generator
    ) -> Iterator[RegressionRows]:
        return rows.replicates(data, every, random)

    def distances(
        self,
        problem: Setup,
        fit: RegressionParameters,
        refits: Sequence[tuple[RegressionRows, RegressionParameters]],
        placed: Any,
    ) -> tuple[list[Distance], list[QuantilePlot]]:
        return rows.distances(problem, fit, refits, placed)

    def departure(self, problem: Setup, departing: list[int]) -> str:
        of = problem.comparison.features[0]
        return f"The distribution of {of} given its covariates {'departs' if departing else 'shows no departure'} from"

    def statistics(self, comparison: Comparison, data: RegressionRows) -> dict[str, float]:
        return rows.statistics(comparison, data)

    def distributions(self, problem: Setup) -> list[Distribution]:
        return [rows.distribution(problem)]

    def margins(self, problem: Setup) -> list[Margin]:
        return rows.margins(problem)
