"""Regressions read and computed again, by `scipy.stats` and names alone: shares nothing with the rest of the suite."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy import stats
from scipy.special import logsumexp

from comparisons.declared_rows import DeclaredRows
from comparisons.families.family import Setup
from models import ConcomitantParameters, RegressionParameters
from models.inputs import Floats

# What an intercept is called, before what weights depend on, and the numbers of a prior.
INTERCEPT = "intercept"
OF_WEIGHTS = "weights ~ "
NUMBERS = ("mean", "root", "degrees_of_freedom", "scale")


def normal(rows: DeclaredRows, parameters: RegressionParameters, component: int) -> Floats:
    """See `comparisons.families.family.Family.third_density`."""
    y, x = rows.columns[:, 0], rows.columns[:, 1:]
    line = parameters.coefficients[component]
    height = (line[0] if len(line) > x.shape[1] else 0.0) + x @ line[len(line) - x.shape[1] :]
    return np.asarray(stats.norm(height, np.sqrt(parameters.variances[component])).logpdf(y))


def prior_numbers(problem: Setup) -> dict[str, Any]:
    """See `comparisons.families.family.Family.third_prior_numbers`."""
    rows, names = problem.declared, problem.comparison.features[1:]
    y, x, w = rows.columns[:, 0], rows.columns[:, 1:], np.sqrt(rows.counts / rows.counts.sum())
    shifted = INTERCEPT in names
    middle = w**2 @ rows.columns if shifted else np.zeros(rows.columns.shape[1])
    size = np.sqrt(w**2 @ (x - middle[1:]) ** 2)
    z = (x - middle[1:]) / size
    line = np.linalg.lstsq(w[:, None] * z, w * (y - middle[0]), rcond=None)[0]
    mean, root = line / size, np.diag(size)
    if shifted:
        mean = np.append(middle[0] - middle[1:] @ mean, mean)
        root = np.block([[np.ones((1, 1)), middle[None, 1:]], [np.zeros((len(size), 1)), root]])
    square = float(w**2 @ (y - middle[0] - z @ line) ** 2)
    numbers = (mean, np.sqrt(0.05) * root, 5.0, square / problem.comparison.n_components**2)
    return {"concentration": 2.0, **dict(zip(NUMBERS, numbers, strict=True))}


def number_sizes(numbers: dict[str, Any]) -> dict[str, Floats]:
    """See `comparisons.families.family.Family.number_sizes`."""
    mean, root = np.abs(numbers["mean"]), np.abs(numbers["root"])
    deviation = np.sqrt(numbers["scale"])
    # A coefficient is as exact as its own last digits, or a small part of what the rows tell it to.
    return {
        "mean": mean + deviation * np.abs(np.linalg.inv(numbers["root"])).sum(axis=1),
        "root": root + root.max(axis=0),
    }


def log_prior(problem: Setup, parameters: RegressionParameters, numbers: dict[str, Any]) -> float:
    """See `comparisons.families.family.Family.third_log_prior`."""
    tied = problem.comparison.covariance == "tied"
    v, root = parameters.variances, np.asarray(numbers["root"])
    widths = stats.invgamma(numbers["degrees_of_freedom"] / 2, scale=numbers["scale"] / 2).logpdf(v[:1] if tied else v)
    z = (parameters.coefficients - numbers["mean"]) @ root.T
    lines = stats.norm(0, np.sqrt(v)[:, None]).logpdf(z).sum() + len(v) * np.linalg.slogdet(root)[1]
    return float(widths.sum() + lines)


def rounding(problem: Setup, parameters: RegressionParameters) -> float:
    """See `comparisons.families.family.Family.third_rounding`."""
    rows, worst = problem.declared, 0.0
    x = rows.columns[:, 1:]
    for line, deviation in zip(parameters.coefficients, np.sqrt(parameters.variances), strict=True):
        slopes, middle = line[len(line) - x.shape[1] :], line[0] if len(line) > x.shape[1] else 0.0
        terms = np.abs(rows.columns[:, 0]) + np.abs(middle) + np.abs(x) @ np.abs(slopes)
        z = (rows.columns[:, 0] - middle - x @ slopes) / deviation
        worst = max(worst, float(4 * np.finfo(float).eps * (rows.counts @ ((1 + np.abs(z)) * terms / deviation))))
    return worst


def natural(problem: Setup, values: dict[str, Floats], n: int) -> dict[str, Floats]:
    """See `comparisons.families.family.Family.reread`."""
    k = len(problem.comparison.components)
    v = values["variances"] if "variances" in values else np.repeat(values["shared_variance"][:, None], k, axis=1)
    return {"coefficients": values["coefficients"], "variances": v}


def quantities_of(problem: Setup, arrays: dict[str, Floats]) -> dict[str, Floats]:
    """See `comparisons.families.family.Family.reread_quantities`."""
    found = {}
    for k, component in enumerate(problem.comparison.components):
        lines = [name for name in problem.comparison.features[1:] if not name.startswith(OF_WEIGHTS)]
        for j, covariate in enumerate(lines):
            found[f"coefficients[{component}, {covariate}]"] = arrays["coefficients"][:, k, j]
        found[f"standard_deviations[{component}]"] = arrays["variances"][:, k] ** 0.5
    # Where all components have one.
    return found | {"standard_deviations": arrays["variances"][:, 0] ** 0.5}


def without(rows: DeclaredRows, m: int) -> DeclaredRows:
    """The rows without their last ``m`` columns, what weights depend on."""
    return replace(rows, columns=rows.columns[:, :-m])


def _beside(rows: DeclaredRows, m: int) -> Floats:
    """``(n, m)`` the last columns about their means."""
    return rows.columns[:, -m:] - rows.mean[-m:]


def gate(rows: DeclaredRows, parameters: ConcomitantParameters, component: int) -> Floats:
    """``(n,)`` log of the weight that a component has in each row over the one that it has at the average."""
    moved = _beside(rows, parameters.gating.shape[1]) @ parameters.gating.T
    return np.asarray(moved[:, component] - logsumexp(moved, axis=1, b=parameters.weights))


def gating_scales(problem: Setup) -> Floats:
    """``(m,)`` standard deviations of the default prior."""
    rows = problem.declared
    z = _beside(rows, sum(name.startswith(OF_WEIGHTS) for name in problem.comparison.features))
    return np.asarray(2.5 / np.sqrt(rows.counts @ z**2 / rows.counts.sum()))


def log_prior_of_gating(parameters: ConcomitantParameters, numbers: dict[str, Any]) -> float:
    """Log density along orthonormal directions, from that of the differences to the last component."""
    k, total = len(parameters.weights), 0.0
    for gating, scale in zip(parameters.gating.T, numbers["gating"], strict=True):
        covariance = scale**2 / 2 * (np.eye(k - 1) + 1)
        total += stats.multivariate_normal(np.zeros(k - 1), covariance).logpdf(gating[:-1] - gating[-1])
        # The differences take up the root of K as much room.
        total += 0.5 * np.log(k)
    return float(total)


def rounding_of_gating(problem: Setup, parameters: ConcomitantParameters) -> float:
    """Nats by which weights of these rows may differ by rounding alone."""
    rows = problem.declared
    sizes = np.abs(rows.columns[:, -parameters.gating.shape[1] :]) @ np.abs(parameters.gating).sum(axis=0)
    return float(4 * np.finfo(float).eps * (rows.counts @ (1 + sizes)))


def log_odds(problem: Setup, arrays: dict[str, Floats]) -> dict[str, Floats]:
    """Every effect of a concomitant on the log odds against the first component."""
    names = [name[len(OF_WEIGHTS) :] for name in problem.comparison.features if name.startswith(OF_WEIGHTS)]
    first, *others = problem.comparison.components
    return {
        f"log_odds[{component}, {first}, {name}]": arrays["gating"][:, k, j] - arrays["gating"][:, 0, j]
        for k, component in enumerate(others, 1)
        for j, name in enumerate(names)
    }
