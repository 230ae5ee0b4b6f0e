"""Mixtures of linear regressions in a declaration: their rows from columns, by role or by formula, and what these are called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from comparisons.declaration import Comparison
from comparisons.families.family import Family, Setup
from comparisons.quantity_names import listed
from em.mixture import Scale, has_mode
from models import RegressionDesign, RegressionParameters, RegressionPrior, RegressionRows
from models.inputs import Floats, instance_of, some_of
from models.regressions.formula import columns_of
from models.regressions.nouns import is_tied
from models.regressions.regressors import INTERCEPT, OF_WEIGHTS


class DeclaredRegressions(Family):
    """See `comparisons.families.family.Family`.

    Columns are the response and the covariates, named by ``features``, in which an intercept stands behind the response. What
    weights depend on comes last.
    """

    name = "regressions"
    data, prior = RegressionRows, RegressionPrior
    parameters: type[Any] = RegressionParameters
    variables: tuple[str, ...] = ("coefficients", "variances")
    prior_numbers: tuple[str, ...] = ("mean", "root", "degrees_of_freedom", "scale")
    scales: ClassVar[dict[str, Scale]] = {"coefficients": "identity", "standard_deviations": "log", "variances": "log"}
    options, formulas = ("covariance",), True
    of_weights = OF_WEIGHTS
    columns_told = (
        "the response and then the covariates, with names of their own, or a --formula; --concomitant names what the weights "
        "depend on; --covariance tied gives all one variance"
    )
    default_reason = (
        "Read off the data: lines about that of least squares over all rows, worth a twentieth of a row at the mean of the "
        "covariates and another at a standard deviation of each, and variances about the mean squared residual over K^2, with so "
        "many degrees of freedom that posterior variances and their Monte Carlo errors exist; and one row more for each weight, "
        "so that the mode empties no component."
    )

    # The declaration and its data

    def fitting(self, comparison: Comparison, data: RegressionRows) -> Comparison:
        # What a declaration has where nothing is said is each its own.
        covariance: Any = "own" if comparison.covariance == "full" else comparison.covariance
        is_tied(covariance)
        prior, told = comparison.prior, [name for name in comparison.features if name != INTERCEPT]
        own = data.covariates[first_covariate(data) :]
        if told and len(told) != 1 + len(own):
            raise ValueError(
                f"features is {some_of(told)} but the covariates are {some_of(own)}; name the response, and then these"
            )
        if prior is not None:
            instance_of("prior", prior, RegressionPrior)
            has_mode("concentration", prior.checked(data).concentration)
        response, *covariates = told or ("y", *own)
        features = (response, *data.covariates[: first_covariate(data)], *covariates)
        return replace(comparison, features=features, covariance=covariance)

    def default_prior(self, data: RegressionRows, n_components: int) -> RegressionPrior:
        return RegressionPrior.weakly_informative(data, n_components)

    def prior_note(self, n_components: int) -> str:
        return f"Of the variances as for K = {n_components}: read off the residuals from one regression and K."

    def columns(self, data: RegressionRows) -> Floats:
        return np.column_stack([data.y, data.design[:, first_covariate(data) :]])

    def column_names(self, problem: Setup) -> list[str]:
        return [name for name in problem.comparison.features if name != INTERCEPT]

    def told_of(self, data: RegressionRows) -> list[str]:
        if not data.n_concomitants:
            return []
        at = zip(data.concomitant_names, data.concomitants.T, strict=True)
        told = listed([f"{name} {np.average(values, weights=data.counts):.6g}" for name, values in at])
        return [f"Weights are told at the average of what they depend on: {told}."]

    def from_roles(self, values: dict[str, Floats], counts: Any, labels: Any) -> RegressionRows:
        own, beside = _apart(values)
        response, *covariates = own
        x = np.column_stack([np.empty((len(own[response]), 0)), *(own[name] for name in covariates)])
        return _with_concomitants(RegressionRows(own[response], x, counts, labels, covariates=covariates), beside)

    def named_in(self, formula: str, columns: Sequence[str]) -> list[str]:
        return columns_of(formula, columns)

    def from_formula(
        self, formula: str, values: dict[str, Any], counts: Any, labels: Any
    ) -> tuple[RegressionRows, tuple[str, ...]]:
        own, beside = _apart(values)
        design = RegressionDesign(formula, own)
        rows = _with_concomitants(design.rows(own, counts, labels), beside)
        return rows, (design.response, *design.covariates, *beside)

    def with_columns(self, data: RegressionRows, columns: Floats, counts: Any, labels: Any) -> RegressionRows:
        ones = np.ones((len(columns), first_covariate(data)))
        x = np.column_stack([ones, columns[:, 1:]])
        return RegressionRows(columns[:, 0], x, counts, labels, intercept=False, covariates=data.covariates)

    def row(self, problem: Setup, i: int) -> str:
        values = zip(self.column_names(problem), self.columns(problem.data)[i], strict=True)
        return ", ".join(f"{name} {value:.6g}" for name, value in values)


def terms(comparison: Comparison) -> tuple[str, ...]:
    """Names of what lines have coefficients for, an intercept first."""
    return tuple(name for name in comparison.features[1:] if not name.startswith(OF_WEIGHTS))


def first_covariate(data: RegressionRows) -> int:
    """The place of the first covariate that is no intercept."""
    return int(data.covariates[0] == INTERCEPT)


def _apart(values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Columns by role: those of lines, and those that weights depend on."""
    beside = {role: column for role, column in values.items() if role.startswith(OF_WEIGHTS)}
    return {role: column for role, column in values.items() if role not in beside}, beside


def _with_concomitants(rows: RegressionRows, beside: dict[str, Any]) -> RegressionRows:
    if not beside:
        return rows
    table = np.column_stack(list(beside.values()))
    return rows.with_concomitants(table, [role.removeprefix(OF_WEIGHTS) for role in beside])
