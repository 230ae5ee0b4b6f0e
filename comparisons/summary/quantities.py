"""The quantities of a comparison by name: from parameters, from standard errors, from draws.

Weights are quantities where they are free. For one feature the spread is told as ``standard_deviations``, for several as
``covariances``, or as ``variances`` where all features share one. What the declaration holds at 0 is no quantity, and what all
components share stands once, without a component: ``standard_deviations``. Mixtures of coins also have ``chance_of_heads``,
the probability of heads of a toss of which only the mixture is known: it has no labels, and it is identified where the coins
are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from comparisons.problem import Parameters, Problem
from comparisons.summary.quantity_names import variable_and_labels
from em.mixture import trusted
from em.uncertainty.curvature import Curvature
from models import CoinParameters, GaussianParameters
from models.inputs import Floats

if TYPE_CHECKING:
    import xarray as xr

type Scale = Literal["identity", "log", "logit"]

# A direction is along the flat ones where less than this share of it is not.
ALONG = 1e-6


def names(problem: Problem) -> list[str]:
    """Names of all quantities, in the order of the table."""
    return list(of_arrays(problem, _example(problem)))


def of_parameters(problem: Problem, parameters: Parameters) -> dict[str, float]:
    """Every quantity at one point."""
    return {name: float(value) for name, value in of_arrays(problem, _arrays(parameters)).items()}


def of_draws(problem: Problem, posterior: xr.Dataset) -> dict[str, Floats]:
    """Draws ``(chains, draws)`` of every quantity, from draws in canonical order."""
    arrays = {str(name): variable.values for name, variable in posterior.data_vars.items()}
    if problem.weights.fixed is not None:
        arrays["weights"] = problem.weights.fixed
    return of_arrays(problem, arrays)


def scale(name: str) -> Scale:
    """On which scale the quantity has no bounds, so that a Wald interval stays inside them."""
    if name.startswith(("weights", "head_probabilities", "chance_of_heads")):
        return "logit"
    variable, labels = variable_and_labels(name)
    if variable in ("standard_deviations", "variances"):
        return "log"
    return "log" if variable == "covariances" and labels[-1] == labels[-2] else "identity"


def unit_of(values: Floats) -> float:
    """The power of two next below the largest of the values: divided by it, without rounding, none has too large a square."""
    largest = float(np.abs(values).max(initial=0.0))
    return float(2.0 ** np.floor(np.log2(largest))) if 0 < largest < np.inf else 1.0


def of_arrays(problem: Problem, arrays: dict[str, Any]) -> dict[str, Any]:
    """Quantities by name from arrays by PyMC's names, component and feature axes last."""
    c = problem.comparison
    found: dict[str, Any] = {}
    if problem.weights.free:
        found |= {f"weights[{name}]": arrays["weights"][..., k] for k, name in enumerate(c.components)}
    if "head_probabilities" in arrays:
        p = arrays["head_probabilities"]
        found |= {f"head_probabilities[{name}]": p[..., k] for k, name in enumerate(c.components)}
        if c.n_components > 1:
            found["chance_of_heads"] = (arrays["weights"] * p).sum(axis=-1)
        return found
    one = len(c.features) == 1
    for k, name in enumerate(c.components):
        for j, feature in enumerate(c.features):
            found[f"means[{name}]" if one else f"means[{name}, {feature}]"] = arrays["means"][..., k, j]
    for name, (k, a, b) in spreads(problem).items():
        entry = arrays["covariances"][..., k, a, b]
        found[name] = np.sqrt(entry) if one else entry
    return found


def spreads(problem: Problem) -> dict[str, tuple[int, int, int]]:
    """Component, row and column in the covariances of every spread by name: each that the declaration leaves free, once."""
    c, form = problem.comparison, problem.form
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


def parameters_of(arrays: Mapping[str, Any]) -> Any:
    """The parameters with these arrays, unchecked and along any leading axes: of all draws at once."""
    if "head_probabilities" in arrays:
        return trusted(CoinParameters, weights=arrays["weights"], head_probabilities=arrays["head_probabilities"])
    fields = {name: arrays[name] for name in ("weights", "means", "covariances")}
    return trusted(GaussianParameters, **fields)


def arrays_of(problem: Problem, values: dict[str, Floats]) -> dict[str, Floats]:
    """Invert `of_arrays`: the parameters ``(n, K, ...)`` of ``n`` draws from their quantities by name."""
    c = problem.comparison
    n, d = len(next(iter(values.values()))), len(c.features)

    def stacked(variable: str) -> Floats:
        return np.stack([values[f"{variable}[{name}]"] for name in c.components], axis=1)

    held = problem.weights.fixed
    weights = stacked("weights") if held is None else np.tile(held, (n, 1))
    if not c.features:
        return {"weights": weights, "head_probabilities": stacked("head_probabilities")}
    means, covariances = np.empty((n, c.n_components, d)), np.zeros((n, c.n_components, d, d))
    for k, name in enumerate(c.components):
        for a, feature in enumerate(c.features):
            means[:, k, a] = values[f"means[{name}]" if d == 1 else f"means[{name}, {feature}]"]
    for name, (k, a, b) in spreads(problem).items():
        alike = [(j, j) for j in range(d)] if problem.form.shape == "spherical" else [(a, b), (b, a)]
        for component in range(c.n_components) if problem.form.tied else [k]:
            for row, column in alike:
                covariances[:, component, row, column] = values[name] ** 2 if d == 1 else values[name]
    return {"weights": weights, "means": means, "covariances": covariances}


def _arrays(parameters: Parameters) -> dict[str, Any]:
    if isinstance(parameters, CoinParameters):
        return {"weights": parameters.weights, "head_probabilities": parameters.head_probabilities}
    return {"weights": parameters.weights, "means": parameters.means, "covariances": parameters.covariances}


def _example(problem: Problem) -> dict[str, Any]:
    return _arrays(problem.random_parameters(np.random.default_rng(0)))


def gradients(problem: Problem, parameters: Parameters) -> dict[str, Floats]:
    """Gradient ``(p,)`` of every quantity by the full vector of EM: weights, head probabilities or means, covariances."""
    value = of_parameters(problem, parameters)
    slopes = of_arrays(problem, _unit_vectors(parameters))
    for name in slopes:
        if name.startswith("standard_deviations"):
            # The root of a unit vector is itself, to which the root's own slope is still missing.
            slopes[name] /= 2 * value[name]
        elif name == "chance_of_heads" and isinstance(parameters, CoinParameters):
            slopes[name] = np.concatenate([parameters.head_probabilities, parameters.weights])
    return slopes


def _unit_vectors(parameters: Parameters) -> dict[str, Floats]:
    """By name the derivative of each array by each entry of the full vector, which stand along a leading axis."""
    arrays = _arrays(parameters)
    places = {name: np.arange(values.size).reshape(values.shape) for name, values in arrays.items()}
    if "covariances" in arrays:
        k, d = arrays["means"].shape
        a, b = np.tril_indices(d)
        places["covariances"][:, a, b] = places["covariances"][:, b, a] = np.arange(k * len(a)).reshape(k, -1)
    sizes = {name: int(values.max()) + 1 for name, values in places.items()}
    ends = dict(zip(sizes, np.cumsum(list(sizes.values())), strict=True))
    unit = np.eye(sum(sizes.values()))
    return {name: unit[:, places[name] + ends[name] - size] for name, size in sizes.items()}


def standard_errors(judged: Curvature, slopes: dict[str, Floats]) -> dict[str, float]:
    """Standard error of every quantity from the observed information; NaN where the data do not identify it.

    On a ridge a quantity that does not change along the flat directions still has one: it is identified.
    """
    if judged.kind in ("saddle", "boundary"):
        return dict.fromkeys(slopes, np.nan)
    basis, information = judged.basis, judged.information
    sizes = np.abs(np.diag(information))
    unit = 1 / np.sqrt(np.where(sizes > 0, sizes, 1.0))
    values, vectors = np.linalg.eigh(information * unit * unit[:, None])
    # At a maximum the information has an inverse, however unequal its directions are; a ridge has at least one without.
    flat = max(judged.flat_directions.shape[1], 1) if judged.kind == "ridge" else 0
    kept = (np.arange(len(values)) >= flat) & (values > 0)
    found = {}
    for name, slope in slopes.items():
        turned = vectors.T @ (unit * (basis.T @ slope))
        # Relative to the largest, so that squares of what is itself a square of the data's unit do not overflow.
        size = np.abs(turned).max(initial=0.0) or 1.0
        turned = turned / size
        identified = np.linalg.norm(turned[~kept]) <= ALONG * np.linalg.norm(turned)
        found[name] = float(size * np.sqrt((turned[kept] ** 2 / values[kept]).sum())) if identified else np.nan
    return found
