"""Quantities and canonical order read a second time, from PyMC's own variables by name: the judge of the code that reads them.

Nothing here is shared with `comparisons.summary.quantities`, `models.draws` or `models.mixtures` but names. A wrong canonical
order, or variances under the name of standard deviations, would be the same on both sides of every comparison.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from comparisons.problem import Parameters, Problem
from comparisons.results.result import Check
from comparisons.results.strict_json import number
from models import CoinParameters
from models.inputs import Floats, Integers

if TYPE_CHECKING:
    import xarray as xr

# Relative, of one quantity computed twice from the same draw: a few roundings of products, with a margin of thousands.
SAME_QUANTITY = 1e-10
ESTIMATE = "EM's estimate"


def natural(problem: Problem, sampled: xr.Dataset) -> dict[str, Floats]:
    """Weights, head probabilities or means and covariances ``(draws, K, ...)``, from PyMC's free variables as sampled."""
    k, d = len(problem.comparison.components), len(problem.comparison.features)
    values = {
        str(name): v.transpose("chain", "draw", ...).values.reshape(-1, *v.shape[2:])
        for name, v in sampled.data_vars.items()
    }
    n = sampled.sizes["chain"] * sampled.sizes["draw"]
    found = {"weights": values["weights"] if "weights" in values else np.tile(_held(problem), (n, 1))}
    if d == 0:
        return found | {"head_probabilities": values["head_probabilities"]}
    covariances = np.zeros((n, k, d, d))
    form = str(problem.comparison.covariance)
    for j in range(k):
        if "covariance_factors" in values:
            packed = values["covariance_factors"]
            own = packed if form.startswith("tied") else packed[:, j]
            root, place = np.zeros((n, d, d)), 0
            for a in range(d):
                for b in range(a + 1):
                    root[:, a, b] = own[:, place]
                    place += 1
            covariances[:, j] = np.einsum("nab,ncb->nac", root, root)
            continue
        own = values["variances"] if form.startswith("tied") else values["variances"][:, j]
        for a in range(d):
            covariances[:, j, a, a] = own if form.endswith("spherical") else own[:, a]
    return found | {"means": values["means"], "covariances": covariances}


def _held(problem: Problem) -> Floats:
    """Weights that are no variable, as declared."""
    k, weights = len(problem.comparison.components), problem.comparison.weights
    return np.full(k, 1 / k) if isinstance(weights, str) else np.asarray(weights, dtype=float)


def in_order(problem: Problem, arrays: dict[str, Floats]) -> Integers:
    """``(draws, K)`` order of the components: ascending head probability, or mean feature by feature, then weight.

    Where the comparison orders components along a direction, that comes first. Components trade places only where no row is
    labelled as theirs and, if weights are held, theirs are the same.
    """
    k, labelled = len(problem.comparison.components), set(problem.declared.labels.tolist())
    free = isinstance(problem.comparison.weights, str)
    held = np.zeros(k) if free else _held(problem)
    groups = {tuple(j for j in range(k) if j not in labelled and held[j] == value) for value in held.tolist()}
    keys = arrays["head_probabilities"][..., None] if "head_probabilities" in arrays else arrays["means"]
    if problem.order.direction is not None:
        keys = np.concatenate([_along(problem, arrays), keys], axis=2)
    order = np.tile(np.arange(k), (len(keys), 1))
    for group in groups:
        for row, (key, weight) in enumerate(zip(keys.tolist(), arrays["weights"].tolist(), strict=True)):
            order[row, list(group)] = sorted(group, key=lambda j: (*key[j], weight[j]))
    return order


def _along(problem: Problem, arrays: dict[str, Floats]) -> Floats:
    """``(draws, K, 1)`` place along the direction: means, log of the determinant and of the weight, times their coefficients."""
    direction, units = problem.order.direction, problem.order.units
    assert direction is not None
    assert units is not None
    d = len(units)
    told = sum(direction[a] * arrays["means"][:, :, a] / units[a] for a in range(d))
    if direction[d]:
        told = told + direction[d] * np.log(np.linalg.det(arrays["covariances"] / np.outer(units, units)))
    if direction[d + 1]:
        told = told + direction[d + 1] * np.log(arrays["weights"])
    return np.asarray(told)[:, :, None]


def quantities_of(problem: Problem, arrays: dict[str, Floats]) -> dict[str, Floats]:
    """Every quantity ``(draws,)`` that a comparison may have, by the name that it would go under."""
    c = problem.comparison
    found: dict[str, Floats] = {}
    for k, component in enumerate(c.components):
        found[f"weights[{component}]"] = arrays["weights"][:, k]
        if "head_probabilities" in arrays:
            found[f"head_probabilities[{component}]"] = arrays["head_probabilities"][:, k]
            continue
        for a, feature in enumerate(c.features):
            mean, variance = arrays["means"][:, k, a], arrays["covariances"][:, k, a, a]
            if len(c.features) == 1:
                found[f"means[{component}]"] = mean
                found[f"standard_deviations[{component}]"] = found["standard_deviations"] = variance**0.5
                continue
            found[f"means[{component}, {feature}]"] = mean
            if str(c.covariance).endswith("spherical"):
                found[f"variances[{component}]"] = found["variances"] = variance
            for b, other in enumerate(c.features[: a + 1]):
                entry = arrays["covariances"][:, k, b, a]
                found[f"covariances[{component}, {other}, {feature}]"] = entry
                found[f"covariances[{other}, {feature}]"] = entry  # where all components share one
    if "head_probabilities" in arrays:
        found["chance_of_heads"] = np.einsum("nk,nk->n", arrays["weights"], arrays["head_probabilities"])
    return found


def of_parameters(parameters: Parameters) -> dict[str, Floats]:
    """One point as arrays ``(1, K, ...)``."""
    if isinstance(parameters, CoinParameters):
        return {"weights": parameters.weights[None], "head_probabilities": parameters.head_probabilities[None]}
    return {
        "weights": parameters.weights[None],
        "means": parameters.means[None],
        "covariances": parameters.covariances[None],
    }


def misread(
    problem: Problem,
    sampled: xr.Dataset,
    values: dict[str, Floats],
    estimates: list[tuple[Parameters, dict[str, float]]],
) -> Check | None:
    """A failed check where draws or estimates were put in another order, or read as other quantities, than their names say.

    Parameters
    ----------
    sampled : draws as the sampler gave them
    values : ``(chains, draws)`` of every quantity by name, as the comparison has them
    estimates : of EM, each with its quantities by name
    """
    sides = [("the draws", natural(problem, sampled), {name: v.ravel() for name, v in values.items()})]
    sides += [(ESTIMATE, of_parameters(p), {name: np.array([v]) for name, v in told.items()}) for p, told in estimates]
    for whose, arrays, told in sides:
        order = in_order(problem, arrays)
        if whose == ESTIMATE and _tied(arrays, order):
            order = np.arange(order.shape[1])[None]
        ordered = {
            name: np.take_along_axis(v, order.reshape(*order.shape, *[1] * (v.ndim - 2)), axis=1)
            for name, v in arrays.items()
        }
        expected = quantities_of(problem, ordered)
        for name, got in told.items():
            if name not in expected:
                return _failed(f"{name} is no quantity that a second reading of the variables knows.", None)
            size = np.maximum(np.abs(expected[name]), _size(name, ordered))
            errors = np.abs(got - expected[name]) / size
            worst = float(np.max(np.where(np.isnan(errors), np.inf, errors), initial=0.0))
            if not worst <= SAME_QUANTITY:
                place = int(np.argmax(np.where(np.isnan(errors), np.inf, errors)))
                other = quantities_of(problem, arrays).get(name)
                mixed = len(np.unique(order, axis=0)) > 1 or not (order == np.arange(order.shape[1])).all()
                cause = (
                    " Its components are not in canonical order."
                    if mixed and other is not None and np.isclose(got[place], other[place], rtol=1e-9, atol=0)
                    else ""
                )
                return _failed(
                    f"{name} of {whose} is {got[place]:.10g}, where a second reading of the same variables gives "
                    f"{expected[name][place]:.10g}.{cause}",
                    worst,
                )
    return None


def _tied(arrays: dict[str, Floats], order: Integers) -> bool:
    """Whether another order moves nothing but rounding: EM's components were ordered in units of its own."""
    key = arrays["head_probabilities"][0] if "head_probabilities" in arrays else arrays["means"][0, :, 0]
    return bool(np.abs(key[order[0]] - key).max() <= SAME_QUANTITY * np.abs(key).max())


def _size(name: str, arrays: dict[str, Floats]) -> Floats | float:
    """What rounding of a quantity is measured by where it may be near 0: covariances by the variances."""
    if not name.startswith("covariances"):
        return float(np.finfo(float).tiny)
    return np.asarray(np.einsum("nkaa->nk", arrays["covariances"]).max(axis=1))


def _failed(text: str, statistic: float | None) -> Check:
    return Check(
        "draws-belong",
        "The draws belong to this model and these data",
        "fail",
        None if statistic is None else number(statistic),
        SAME_QUANTITY,
        text,
        "comparison",
        "Look at what puts components in order and reads quantities; both sides of the comparison use it.",
    )
