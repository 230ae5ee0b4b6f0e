"""Quantities and canonical order read a second time, from PyMC's own variables by name: the judge of the code that reads them.

Nothing here is shared with `comparisons.quantities`, `models.draws` or `models.mixtures` but names. A wrong canonical
order, or variances under the name of standard deviations, would be the same on both sides of every comparison.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from comparisons.capabilities import Parameters
from comparisons.families.family import Setup
from comparisons.results.result import Check
from comparisons.results.strict_json import number
from models.inputs import Floats, Integers

if TYPE_CHECKING:
    import xarray as xr

# Relative, of one quantity computed twice from the same draw: a few roundings of products, with a margin of thousands.
SAME_QUANTITY = 1e-10
ESTIMATE = "EM's estimate"


def natural(problem: Setup, sampled: xr.Dataset) -> dict[str, Floats]:
    """Weights and the family's arrays ``(draws, K, ...)``, from PyMC's free variables as sampled."""
    values = {
        str(name): v.transpose("chain", "draw", ...).values.reshape(-1, *v.shape[2:])
        for name, v in sampled.data_vars.items()
    }
    n = sampled.sizes["chain"] * sampled.sizes["draw"]
    weights = values["weights"] if "weights" in values else np.tile(_held(problem), (n, 1))
    return {"weights": weights, **problem.family.reread(problem, values, n)}


def _held(problem: Setup) -> Floats:
    """Weights that are no variable, as declared."""
    k, weights = len(problem.comparison.components), problem.comparison.weights
    return np.full(k, 1 / k) if isinstance(weights, str) else np.asarray(weights, dtype=float)


def in_order(problem: Setup, arrays: dict[str, Floats]) -> Integers:
    """``(draws, K)`` order of the components: ascending by the keys of the family, then by weight.

    Where the comparison orders components along a direction, that comes first. Components trade places only where no row is
    labelled as theirs and, if weights are held, theirs are the same.
    """
    k, labelled = len(problem.comparison.components), set(problem.declared.labels.tolist())
    free = isinstance(problem.comparison.weights, str)
    held = np.zeros(k) if free else _held(problem)
    groups = {tuple(j for j in range(k) if j not in labelled and held[j] == value) for value in held.tolist()}
    keys = problem.family.reread_keys(arrays)
    if problem.order.direction is not None:
        keys = np.concatenate([_along(problem, arrays), keys], axis=2)
    if problem.order.first:
        keys = np.concatenate([keys[:, :, problem.order.first, None], keys], axis=2)
    order = np.tile(np.arange(k), (len(keys), 1))
    for group in groups:
        for row, (key, weight) in enumerate(zip(keys.tolist(), arrays["weights"].tolist(), strict=True)):
            order[row, list(group)] = sorted(group, key=lambda j: (*key[j], weight[j]))
    return order


def _along(problem: Setup, arrays: dict[str, Floats]) -> Floats:
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


def quantities_of(problem: Setup, arrays: dict[str, Floats]) -> dict[str, Floats]:
    """Every quantity ``(draws,)`` that a comparison may have, by the name that it would go under."""
    weights = {f"weights[{c}]": arrays["weights"][:, k] for k, c in enumerate(problem.comparison.components)}
    return weights | problem.family.reread_quantities(problem, arrays)


def of_parameters(problem: Setup, parameters: Parameters) -> dict[str, Floats]:
    """One point as arrays ``(1, K, ...)``."""
    return {name: getattr(parameters, name)[None] for name in ("weights", *problem.family.variables)}


def misread(
    problem: Setup,
    sampled: xr.Dataset,
    values: dict[str, Floats],
    estimates: Sequence[tuple[Parameters, dict[str, float]]],
) -> Check | None:
    """A failed check where draws or estimates were put in another order, or read as other quantities, than their names say.

    Parameters
    ----------
    sampled : draws as the sampler gave them
    values : ``(chains, draws)`` of every quantity by name, as the comparison has them
    estimates : of EM, each with its quantities by name
    """
    sides = [("the draws", natural(problem, sampled), {name: v.ravel() for name, v in values.items()})]
    sides += [
        (ESTIMATE, of_parameters(problem, p), {name: np.array([v]) for name, v in told.items()})
        for p, told in estimates
    ]
    for whose, arrays, told in sides:
        order = in_order(problem, arrays)
        if whose == ESTIMATE and _tied(problem, arrays, order):
            order = np.arange(order.shape[1])[None]
        ordered = {
            name: np.take_along_axis(v, order.reshape(*order.shape, *[1] * (v.ndim - 2)), axis=1)
            for name, v in arrays.items()
        }
        expected = quantities_of(problem, ordered)
        for name, got in told.items():
            if name not in expected:
                return _failed(f"{name} is no quantity that a second reading of the variables knows.", None)
            size = np.maximum(np.abs(expected[name]), problem.family.reread_size(name, ordered))
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


def _tied(problem: Setup, arrays: dict[str, Floats], order: Integers) -> bool:
    """Whether another order moves nothing but rounding: EM's components were ordered in units of its own."""
    key = problem.family.reread_keys(arrays)[0, :, problem.order.first]
    return bool(np.abs(key[order[0]] - key).max() <= SAME_QUANTITY * np.abs(key).max())


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
