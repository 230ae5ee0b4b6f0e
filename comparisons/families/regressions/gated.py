"""Mixtures of linear regressions whose weights depend on concomitants: what a comparison has to know of them beside their lines.

The gating coefficients are told as what a concomitant does to the log odds of each component against the first, and the weights
at the average of the concomitants.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from scipy.linalg import helmert

import em
from comparisons.declaration import Comparison
from comparisons.declared_rows import DeclaredRows
from comparisons.families.family import Setup
from comparisons.families.regressions import rows, third
from comparisons.families.regressions.lines import Regressions
from em.mixture import Scale
from em.regressions.concomitants import ConcomitantMixture, GatingUnits
from em.regressions.units import Units
from models import ConcomitantParameters, RegressionPrior, RegressionRows
from models.inputs import Floats, Integers, cut
from models.regressions.nouns import refuse_held
from models.regressions.regressors import OF_WEIGHTS, Regressors


class GatedRegressions(Regressions):
    """See `comparisons.families.family.Family`; the concomitants are the last of the columns and of the features."""

    parameters = ConcomitantParameters
    variables = (*Regressions.variables, "gating")
    prior_numbers = (*Regressions.prior_numbers, "gating")
    scales: ClassVar[dict[str, Scale]] = {**Regressions.scales, "log_odds": "identity", "gating": "identity"}
    default_reason = (
        f"{Regressions.default_reason} A standard deviation of a concomitant moves the log odds of two components by about 2.5, "
        "so that they have a maximum where the components are apart along it too."
    )

    # The declaration and its data

    def fitting(self, comparison: Comparison, data: RegressionRows) -> Comparison:
        refuse_held(comparison.weights)
        if comparison.n_components == 1:
            raise ValueError("n_components is 1, whose weight depends on nothing; leave concomitants out")
        fitted = super().fitting(comparison, data)
        lines, beside = fitted.features[: -data.n_concomitants], fitted.features[-data.n_concomitants :]
        features = (*lines, *(f"{OF_WEIGHTS}{name.removeprefix(OF_WEIGHTS)}" for name in beside))
        return replace(fitted, features=features)

    # Both engines

    def structure(self, problem: Setup) -> tuple[Any, ...]:
        return *super().structure(problem), problem.data.n_concomitants

    def mixture(self, problem: Setup, prior: RegressionPrior | None, *, standardise: bool) -> ConcomitantMixture:
        data, shared = problem.data, rows.is_shared(problem.comparison)
        if standardise:
            return ConcomitantMixture(data, problem.weights, prior, shared)
        units, gates = Units.plain(len(data.lines.covariates)), GatingUnits.of(data).plain
        return ConcomitantMixture(data, problem.weights, prior, shared, units, gates)

    def log_densities(self, data: RegressionRows, parameters: Any) -> Floats:
        return super().log_densities(data.lines, parameters) + rows.gates(data, parameters)

    def to_pymc(self, problem: Setup, parameters: Any) -> dict[str, Floats]:
        return {**super().to_pymc(problem, parameters), "gates": parameters.gating.T}

    def free_numbers(self, problem: Setup, natural: dict[str, Floats]) -> Floats:
        # Along orthonormal directions in which they sum to 0.
        gates = natural["gates"] @ helmert(problem.comparison.n_components).T
        return np.concatenate([super().free_numbers(problem, natural), gates.ravel()])

    def refuse_others(self, problem: Setup, parameters: Any) -> None:
        super().refuse_others(problem, parameters)
        gating = parameters.gating
        if not (np.abs(gating.sum(axis=0)) <= 1e-8 * np.abs(gating).max(axis=0)).all():
            raise ValueError(f"gating is {cut(str(gating))}, which does not sum to 0 over the components")

    def random_parameters(self, problem: Setup, weights: Floats, random: np.random.Generator) -> ConcomitantParameters:
        p = super().random_parameters(problem, weights, random)
        gating = random.normal(size=(len(weights), problem.data.n_concomitants))
        gating /= Regressors.of_concomitants(problem.data).sizes[1:]
        return ConcomitantParameters(weights, p.coefficients, p.variances, gating - gating.mean(axis=0))

    def rows_of_em(self, problem: Setup, mixture: Any) -> tuple[DeclaredRows, DeclaredRows]:
        m = mixture.m
        both = zip(
            super().rows_of_em(problem, mixture),
            (problem.declared.columns[:, -m:], mixture.data.concomitants),
            strict=True,
        )
        declared, held = (replace(told, columns=np.column_stack([told.columns, beside])) for told, beside in both)
        return declared, held

    def columns_of_pymc(self, values: dict[str, Any]) -> Floats:
        return np.column_stack([super().columns_of_pymc(values), values["concomitants"]])

    # Quantities and names

    def _log_odds(self, comparison: Comparison) -> dict[str, tuple[int, int]]:
        """Names of the effects on log odds against the first component, with component and concomitant."""
        first, *others = comparison.components
        return {
            f"log_odds[{component}, {first}, {name}]": (k, j)
            for k, component in enumerate(others, 1)
            for j, name in enumerate(_concomitants(comparison))
        }

    def arrays(self, parameters: Any) -> dict[str, Floats]:
        # In the order of EM's vector.
        return {name: getattr(parameters, name) for name in ("weights", "gating", *Regressions.variables)}

    def quantities(self, problem: Setup, arrays: dict[str, Any]) -> dict[str, Any]:
        gating, odds = arrays["gating"], self._log_odds(problem.comparison)
        found = {name: gating[..., k, j] - gating[..., 0, j] for name, (k, j) in odds.items()}
        return found | super().quantities(problem, arrays)

    def from_quantities(self, problem: Setup, values: dict[str, Floats]) -> dict[str, Floats]:
        found = super().from_quantities(problem, values)
        n, k = found["variances"].shape
        against = np.zeros((n, k, problem.data.n_concomitants))
        for name, (component, j) in self._log_odds(problem.comparison).items():
            against[:, component, j] = values[name]
        return {**found, "gating": against - against.mean(axis=1, keepdims=True)}

    def places(self, problem: Setup, arrays: dict[str, Floats]) -> dict[str, Integers]:
        k, m = arrays["gating"].shape
        return super().places(problem, arrays) | {"gating": np.arange(k * m).reshape(m, k).T}

    def vector_names(self, problem: Setup) -> list[str]:
        c = problem.comparison
        gating = [f"gating[{k}, {name}]" for name in _concomitants(c) for k in c.components]
        return [*gating, *super().vector_names(problem)]

    def em_names(self, problem: Setup) -> dict[str, str]:
        own = problem.data.concomitant_names
        odds = {name: f"log_odds[{k + 1}, 1, {own[j]}]" for name, (k, j) in self._log_odds(problem.comparison).items()}
        return odds | super().em_names(problem)

    def of_fit(self, problem: Setup, fit: em.Fit[Any, Any]) -> dict[str, tuple[float, float]]:
        gating, e, found = fit.parameters.gating, fit.standard_errors, {}
        for name, (k, j) in self._log_odds(problem.comparison).items():
            of = problem.data.concomitant_names[j]
            a, b = (e.names.index(f"gating[{component + 1}, {of}]") for component in (k, 0))
            variance = e.covariance[a, a] + e.covariance[b, b] - 2 * e.covariance[a, b]
            found[name] = float(gating[k, j] - gating[0, j]), float(np.sqrt(variance))
        return found | super().of_fit(problem, fit)

    def entries(self, problem: Setup, values: Any) -> Floats:
        k = len(values.weights)
        own = super().entries(problem, values)
        return np.concatenate([own[:k], values.gating.T.ravel(), own[k:]])

    def varied(self, problem: Setup, parameters: Any, changed: dict[str, float]) -> ConcomitantParameters:
        p = super().varied(problem, parameters, changed)
        return ConcomitantParameters(p.weights, p.coefficients, p.variances, parameters.gating)

    def hidden_told(self, problem: Setup) -> str:
        centres = Regressors.of_concomitants(problem.data).centres[1:]
        at = zip(_concomitants(problem.comparison), centres, strict=True)
        told = [f"gating[{name}] ({name}[i] − {centre:.6g})" for name, centre in at]
        return f"z[i] ~ Categorical(softmax({' + '.join(['log(weights)', *told])}))"

    def words(self, problem: Setup) -> tuple[dict[str, str], str, list[str]]:
        options, formula, told = super().words(problem)
        names = _concomitants(problem.comparison)
        gating = [
            f"gating[k, {name}] − gating[l, {name}] ~ Normal(0, {size:.6g}), over the components summing to 0"
            for name, size in zip(names, problem.prior.gating, strict=True)
        ]
        return options | {"concomitants": ", ".join(names)}, formula, [*told, *gating]

    def notes(self, problem: Setup) -> dict[str, str]:
        return super().notes(problem) | {
            "prior": "weights, gating coefficients, lines and variances",
            "replicates": "at the same covariates and concomitants, ",
        }

    # A third density and a second reading

    def third_density(self, rows: DeclaredRows, parameters: Any, component: int) -> Floats:
        return third.gate(rows, parameters, component) + super().third_density(
            third.without(rows, parameters.gating.shape[1]), parameters, component
        )

    def third_prior_numbers(self, problem: Setup) -> dict[str, Any]:
        return super().third_prior_numbers(self._lines_alone(problem)) | {"gating": third.gating_scales(problem)}

    def third_log_prior(self, problem: Setup, parameters: Any, numbers: dict[str, Any]) -> float:
        return super().third_log_prior(problem, parameters, numbers) + third.log_prior_of_gating(parameters, numbers)

    def third_rounding(self, problem: Setup, parameters: Any) -> float:
        lines = super().third_rounding(self._lines_alone(problem), parameters)
        return lines + third.rounding_of_gating(problem, parameters)

    def _lines_alone(self, problem: Setup) -> Setup:
        return replace(problem, declared=third.without(problem.declared, problem.data.n_concomitants))

    def reread(self, problem: Setup, values: dict[str, Floats], n: int) -> dict[str, Floats]:
        return {**super().reread(problem, values, n), "gating": np.swapaxes(values["gates"], 1, 2)}

    def reread_quantities(self, problem: Setup, arrays: dict[str, Floats]) -> dict[str, Floats]:
        return super().reread_quantities(problem, arrays) | third.log_odds(problem, arrays)

    # The prior

    def prior_draws(
        self, comparison: Comparison, prior: RegressionPrior, n: int, random: np.random.Generator
    ) -> dict[str, Floats]:
        found = super().prior_draws(comparison, prior, n, random)
        assert prior.gating is not None
        gating = random.normal(size=(n, comparison.n_components, len(prior.gating))) * prior.gating / np.sqrt(2)
        return {**found, "gating": gating - gating.mean(axis=1, keepdims=True)}

    def changed_priors(self, prior: RegressionPrior) -> dict[str, RegressionPrior]:
        assert prior.gating is not None
        changed = {
            f"scale of the log odds {word}": replace(prior, gating=prior.gating * by)
            for word, by in (("halved", 0.5), ("doubled", 2.0))
        }
        return super().changed_priors(prior) | changed


def _concomitants(comparison: Comparison) -> list[str]:
    """Names of what the weights depend on."""
    return [name.removeprefix(OF_WEIGHTS) for name in comparison.features if name.startswith(OF_WEIGHTS)]
