"""The model in words, and parameters with some quantities changed by name."""

from __future__ import annotations

import numpy as np

from comparisons.problem import Parameters, Problem
from comparisons.results.result import Model
from comparisons.summary.quantity_names import variable_and_labels
from models import CoinParameters, CoinPrior, CoinTosses, GaussianParameters


def _number(value: float) -> str:
    return f"{value:.6g}"


def model(problem: Problem) -> Model:
    """What both engines were asked to fit."""
    c, prior = problem.comparison, problem.prior
    k = c.n_components
    held = problem.weights.fixed
    known = (problem.data.labels >= 0).any()
    hidden = "z[i] ~ Categorical(weights)" if k > 1 else ""
    options = {"n_components": str(k)}
    if k > 1:
        options["weights"] = "free" if held is None else f"held at {', '.join(_number(w) for w in held)}"
        options["labels"] = "known" if (problem.data.labels >= 0).all() else "partly known" if known else "hidden"
    told = []
    if held is None:
        told.append(f"weights ~ Dirichlet({', '.join([_number(prior.concentration)] * k)})")
    if isinstance(prior, CoinPrior):
        formula = [hidden, "heads[i] | z[i] = k ~ Binomial(tosses[i], head_probabilities[k])"]
        told.append(f"head_probabilities[k] ~ Beta({_number(prior.heads)}, {_number(prior.tails)})")
        return Model("coins", k, list(c.components), options, [f for f in formula if f], told, c.prior_reason)
    options["covariance"] = c.covariance
    one = len(c.features) == 1
    at, its = ("[z[i]]" if k > 1 else "", "[k]")
    own, each = ("", "") if problem.form.tied else (at, its)
    nu, scale = prior.degrees_of_freedom, prior.scale
    half = _number(nu / 2)
    if one:
        spread, over = f"standard_deviations{own}", f"standard_deviations{each} / sqrt({_number(prior.shrinkage)})"
        told.append(f"standard_deviations{each}^2 ~ inverse-gamma({half}, {_number(scale[0, 0] / 2)})")
    elif problem.form.shape == "spherical":
        spread, over = f"variances{own} I", f"variances{each} I / {_number(prior.shrinkage)}"
        told.append(f"variances{each} ~ inverse-gamma({half}, {_number(np.trace(scale) / len(scale) / 2)})")
    else:
        spread, over = f"covariances{own}", f"covariances{each} / {_number(prior.shrinkage)}"
        if problem.form.shape == "full":
            rows = "; ".join(", ".join(_number(v) for v in row) for row in scale)
            told.append(f"covariances{each} ~ inverse-Wishart({_number(nu)}, [{rows}])")
        else:
            inside = "" if problem.form.tied else "k, "
            told += [
                f"covariances[{inside}{f}, {f}] ~ inverse-gamma({half}, {_number(scale[j, j] / 2)})"
                for j, f in enumerate(c.features)
            ]
    formula = [hidden, f"y[i] ~ Normal(means{at}, {spread})"]
    centre = ", ".join(_number(v) for v in prior.mean)
    told.append(f"means[k] ~ Normal({centre if one else f'[{centre}]'}, {over})")
    return Model("gaussians", k, list(c.components), options, [f for f in formula if f], told, c.prior_reason)


def row(problem: Problem, i: int) -> str:
    """What was observed in a row, and its component where that is known."""
    data, c = problem.data, problem.comparison
    known = f" ({c.components[data.labels[i]]})" if data.labels[i] >= 0 else ""
    if isinstance(data, CoinTosses):
        return f"heads {data.heads[i]} of {data.tosses[i]}{known}"
    values = zip(c.features, data.y[i], strict=True)
    return ", ".join(f"{feature} {_number(value)}" for feature, value in values) + known


def with_quantities(problem: Problem, parameters: Parameters, changed: dict[str, float]) -> Parameters:
    """The parameters with head probabilities, means or standard deviations set to new values, by name."""
    c = problem.comparison
    if isinstance(parameters, CoinParameters):
        p = np.array(parameters.head_probabilities)
        for name, value in changed.items():
            p[list(c.components).index(_labels(name)[0])] = value
        return CoinParameters(parameters.weights, p)
    means, covariances = np.array(parameters.means), np.array(parameters.covariances)
    for name, value in changed.items():
        labels = _labels(name)
        k = list(c.components).index(labels[0])
        if name.startswith("means"):
            means[k, list(c.features).index(labels[1]) if len(labels) > 1 else 0] = value
        else:
            covariances[k, 0, 0] = value**2
    return GaussianParameters(parameters.weights, means, covariances)


def _labels(name: str) -> list[str]:
    return variable_and_labels(name)[1]
