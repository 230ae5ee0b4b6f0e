"""Quantities of normal mixtures: means and spreads by name, from arrays and back."""

from __future__ import annotations

from typing import Any

import numpy as np

import em
from comparisons.declaration import Comparison
from comparisons.families.family import Setup
from comparisons.quantity_names import variable_and_labels
from models import GaussianParameters
from models.gaussians.covariances import CovarianceForm
from models.inputs import Floats


def of_arrays(comparison: Comparison, arrays: dict[str, Any]) -> dict[str, Any]:
    """See `comparisons.families.family.Family.quantities`."""
    c = comparison
    found: dict[str, Any] = {}
    one = len(c.features) == 1
    for k, name in enumerate(c.components):
        for j, feature in enumerate(c.features):
            found[f"means[{name}]" if one else f"means[{name}, {feature}]"] = arrays["means"][..., k, j]
    for name, (k, a, b) in spreads(c).items():
        entry = arrays["covariances"][..., k, a, b]
        found[name] = np.sqrt(entry) if one else entry
    return found


def spreads(comparison: Comparison) -> dict[str, tuple[int, int, int]]:
    """Component, row and column in the covariances of every spread by name: each that the declaration leaves free, once."""
    c, form = comparison, CovarianceForm.of(comparison.covariance)
    shared = form.tied and c.n_components > 1
    # Of a variance that all features share the first entry stands for all.
    told = c.features[:1] if form.shape == "spherical" else c.features
    found = {}
    for k, component in enumerate(c.components[:1] if shared else c.components):
        own = [] if shared else [component]
        for a, first in enumerate(told):
            for b, second in enumerate(told[: a + 1]):
                if len(c.features) == 1:
                    variable, labels = "standard_deviations", own
                elif form.shape == "spherical":
                    variable, labels = "variances", own
                else:
                    variable, labels = "covariances", [*own, second, first]
                if form.shape == "full" or a == b:
                    found[f"{variable}[{', '.join(labels)}]" if labels else variable] = (k, a, b)
    return found


def to_arrays(comparison: Comparison, values: dict[str, Floats]) -> dict[str, Floats]:
    """Invert `of_arrays`."""
    c, form = comparison, CovarianceForm.of(comparison.covariance)
    n, d = len(next(iter(values.values()))), len(c.features)
    means, covariances = np.empty((n, c.n_components, d)), np.zeros((n, c.n_components, d, d))
    for k, name in enumerate(c.components):
        for a, feature in enumerate(c.features):
            means[:, k, a] = values[f"means[{name}]" if d == 1 else f"means[{name}, {feature}]"]
    for name, (k, a, b) in spreads(c).items():
        alike = [(j, j) for j in range(d)] if form.shape == "spherical" else [(a, b), (b, a)]
        for component in range(c.n_components) if form.tied else [k]:
            for row, column in alike:
                covariances[:, component, row, column] = values[name] ** 2 if d == 1 else values[name]
    return {"means": means, "covariances": covariances}


def vector_names(comparison: Comparison) -> list[str]:
    """See `comparisons.families.family.Family.vector_names`."""
    c = comparison
    told: list[str] = []
    one, d = len(c.features) == 1, len(c.features)
    for name in c.components:
        told += [f"means[{name}]" if one else f"means[{name}, {feature}]" for feature in c.features]
    for name in c.components:
        for a in range(d):
            for b in range(a + 1):
                told.append(f"variances[{name}]" if one else f"covariances[{name}, {c.features[b]}, {c.features[a]}]")
    return told


def em_names(problem: Setup) -> dict[str, str]:
    """See `comparisons.families.family.Family.em_names`."""
    c = problem.comparison
    components = [(name, str(k + 1)) for k, name in enumerate(c.components)]
    found: dict[str, str] = {}
    own, one = problem.data.features, len(c.features) == 1
    for feature, em_name in zip(c.features, own, strict=True):
        for name, k in components:
            found[f"means[{name}]" if one else f"means[{name}, {feature}]"] = (
                f"means[{k}{'' if one else f', {em_name}'}]"
            )
    for name, (component, row, column) in spreads(c).items():
        at = component + 1
        found[name] = f"standard_deviations[{at}]" if one else f"covariances[{at}, {own[row]}, {own[column]}]"
    return found


def of_fit(comparison: Comparison, fit: em.Fit[Any, Any]) -> dict[str, tuple[float, float]]:
    """See `comparisons.families.family.Family.of_fit`; read off by names, by code that nothing else uses."""
    c, p, e = comparison, fit.parameters, fit.standard_errors
    form = CovarianceForm.of(comparison.covariance)
    found: dict[str, tuple[float, float]] = {}
    for k, component in enumerate(c.components):
        several = len(c.features) > 1
        shared = form.tied and c.n_components > 1
        for a, first in enumerate(c.features):
            name = f"means[{component}, {first}]" if several else f"means[{component}]"
            found[name] = (float(p.means[k, a]), float(e.means[k, a]))
            if not several:
                name = "standard_deviations" if shared else f"standard_deviations[{component}]"
                found[name] = (float(p.standard_deviations[k, a]), float(e.standard_deviations[k, a]))
                continue
            for b, second in enumerate(c.features[: a + 1]):
                name = f"covariances[{second}, {first}]" if shared else f"covariances[{component}, {second}, {first}]"
                if form.shape == "spherical" and a == b:
                    name = "variances" if shared else f"variances[{component}]"
                found[name] = (float(p.covariances[k, a, b]), float(e.covariances[k, a, b]))
    return found


def varied(comparison: Comparison, parameters: GaussianParameters, changed: dict[str, float]) -> GaussianParameters:
    """See `comparisons.families.family.Family.varied`; of spreads only the standard deviation of one feature."""
    c = comparison
    means, covariances = np.array(parameters.means), np.array(parameters.covariances)
    for name, value in changed.items():
        labels = variable_and_labels(name)[1]
        k = list(c.components).index(labels[0])
        if name.startswith("means"):
            means[k, list(c.features).index(labels[1]) if len(labels) > 1 else 0] = value
        else:
            covariances[k, 0, 0] = value**2
    return GaussianParameters(parameters.weights, means, covariances)
