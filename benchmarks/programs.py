"""Mixtures as PyMC programs with a component for each row, where `comparisons.study.audits.programs` does not say them.

Normals of several features stand as a chain of regressions, each feature on those before it, so that no parameter has to be a
positive definite matrix, a domain that `em.derive` does not know: with a_kj, b_kji and v_kj the intercept, slopes and variance
of feature j, the covariance is L diag(v_k) L' with L the inverse of I - B_k, and the mean L a_k. Without slopes covariances are
diagonal; what is tied has no axis of components. Source: Pourahmadi (1999), Biometrika 86, 677.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np
import pymc as pm

from comparisons.families.mixtures import MixtureProblem
from comparisons.pair import Values
from comparisons.study.audits.house import House
from models import ItemResponses, Measurements, RegressionRows
from models.gaussians.covariances import CovarianceForm
from models.inputs import Integers
from models.waits import Waits


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """A family as a program.

    Attributes
    ----------
    parameters : adds those of the components to the model on the context stack, and returns what adds rows to it: given a
        suffix of names, the places of the rows and the component of each
    natural : the family's own arrays from values of the variables
    values : inverts it, given the family's parameters
    """

    parameters: Callable[[], Callable[[str, Integers, Any], None]]
    natural: Callable[[Values], Values]
    values: Callable[[Any], Values]


@singledispatch
def written(data: Any, problem: MixtureProblem) -> Written:
    """By the kind of the data; see the module."""
    raise TypeError(f"no program is written for {type(data).__name__}")


@written.register
def _(data: Waits, problem: MixtureProblem) -> Written:
    k, names = problem.comparison.n_components, problem.family.variables
    limits = np.where(data.censored == 1, data.y, np.inf)
    ended = data.y[data.censored == 0].mean()

    def parameters() -> Callable[[str, Integers, Any], None]:
        numbers = [pm.Gamma(name, 2, 2 * (ended if name == "rates" else 1), shape=k) for name in names]
        distribution = pm.Exponential if len(names) == 1 else pm.Gamma

        def rows(suffix: str, at: Integers, of: Any) -> None:
            wait = distribution.dist(*(number[of] for number in numbers))
            pm.Censored(f"y{suffix}", wait, lower=None, upper=limits[at], observed=data.y[at])

        return rows

    return Written(parameters, lambda values: values, lambda p: {name: getattr(p, name) for name in names})


@written.register
def _(data: RegressionRows, problem: MixtureProblem) -> Written:
    k, p = problem.comparison.n_components, data.design.shape[1]
    own = () if problem.comparison.covariance == "tied" else (k,)
    spread = float(data.y.std())

    def parameters() -> Callable[[str, Integers, Any], None]:
        lines = pm.Normal("coefficients", 0, 10 * spread, shape=(k, p))
        variances = pm.InverseGamma("variances", 2, spread**2, shape=own)

        def rows(suffix: str, at: Integers, of: Any) -> None:
            heights = (lines[of] * data.design[at]).sum(axis=-1)
            pm.Normal(f"y{suffix}", heights, pm.math.sqrt(variances[of] if own else variances), observed=data.y[at])

        return rows

    def natural(values: Values) -> Values:
        return values | {"variances": np.broadcast_to(values["variances"], k)}

    def values(p: Any) -> Values:
        return {"coefficients": p.coefficients, "variances": p.variances if own else p.variances[0]}

    return Written(parameters, natural, values)


@written.register
def _(data: ItemResponses, problem: MixtureProblem) -> Written:
    k, sizes = problem.comparison.n_components, data.sizes

    def parameters() -> Callable[[str, Integers, Any], None]:
        chances = [pm.Dirichlet(f"item_{j}", np.ones(size), shape=(k, size)) for j, size in enumerate(sizes)]

        def rows(suffix: str, at: Integers, of: Any) -> None:
            for j, p in enumerate(chances):
                seen = np.flatnonzero(data.observed[at, j])
                pm.Categorical(f"seen_{j}{suffix}", p=p[of[seen]], observed=data.items[at[seen], j])

        return rows

    def natural(values: Values) -> Values:
        padded = np.zeros((k, len(sizes), sizes.max()))
        for j, size in enumerate(sizes):
            padded[:, j, :size] = values[f"item_{j}"]
        return values | {"item_probabilities": padded}

    def values(p: Any) -> Values:
        return {f"item_{j}": p.item_probabilities[:, j, :size] for j, size in enumerate(sizes)}

    return Written(parameters, natural, values)


@written.register
def _(data: Measurements, problem: MixtureProblem) -> Written:
    k, y = problem.comparison.n_components, problem.family.columns(data)
    d, form = y.shape[1], CovarianceForm.of(problem.comparison.covariance)
    after, before = np.tril_indices(d, -1)
    slopes = form.shape == "full" and d > 1
    own = () if form.tied else (k,)
    spread = y.std(axis=0)

    def parameters() -> Callable[[str, Integers, Any], None]:
        a = pm.Normal("intercepts", y.mean(axis=0), 2 * spread, shape=(k, d))
        b: Any = pm.Normal("slopes", 0, spread[after] / spread[before], shape=(*own, len(after))) if slopes else None
        each = () if form.shape == "spherical" else (d,)
        v = pm.InverseGamma("variances", 2, float((spread**2).mean()), shape=(*own, *each))

        def rows(suffix: str, at: Integers, of: Any) -> None:
            of_v, of_b = v if form.tied else v[of], b if form.tied or b is None else b[of]
            for j in range(d):
                mean = a[of, j]
                for i in range(j if slopes else 0):
                    mean = mean + of_b[..., int(np.flatnonzero((after == j) & (before == i))[0])] * y[at, i]
                variance = of_v[..., j] if each else of_v
                pm.Normal(f"y_{j}{suffix}", mean, pm.math.sqrt(variance), observed=y[at, j])

        return rows

    def natural(values: Values) -> Values:
        hung = np.zeros((k, d, d))
        if slopes:
            hung[:, after, before] = values["slopes"]
        root = np.linalg.inv(np.eye(d) - hung)
        variances = values["variances"] if form.shape != "spherical" else np.asarray(values["variances"])[..., None]
        scaled = root * np.broadcast_to(variances, (k, d))[:, None, :]
        means = (root @ values["intercepts"][..., None])[..., 0]
        return values | {"means": means, "covariances": scaled @ root.swapaxes(1, 2)}

    def values(p: Any) -> Values:
        hung, variances = np.zeros((k, d, d)), np.zeros((k, d))
        for component, s in enumerate(p.covariances):
            for j in range(d):
                hung[component, j, :j] = np.linalg.solve(s[:j, :j], s[:j, j])
                variances[component, j] = s[j, j] - hung[component, j, :j] @ s[:j, j]
        told = {"intercepts": p.means - (hung @ p.means[..., None])[..., 0]}
        told |= {"slopes": hung[:, after, before] if own else hung[0, after, before]} if slopes else {}
        shared = variances if own else variances[0]
        return told | {"variances": shared[..., 0] if form.shape == "spherical" else shared}

    return Written(parameters, natural, values)


class Explicit(House):
    """A family's EM beside a program that has the component of each row as a variable ``z``."""

    __slots__ = ()

    @property
    def written(self) -> Written:
        """The family's part of it."""
        return written(self.problem.data, self.problem)

    def program(self) -> pm.Model:
        data, k = self.problem.data, self.problem.comparison.n_components
        known = np.repeat(np.flatnonzero(data.labels >= 0), data.counts[data.labels >= 0])
        fixed = self.problem.weights.fixed
        with pm.Model() as model:
            weights = pm.Dirichlet("weights", np.ones(k)) if fixed is None else np.array(fixed)
            rows = self.written.parameters()
            rows("", self.rows, pm.Categorical("z", p=weights, shape=len(self.rows)))
            if len(known):
                pm.Categorical("z_known", p=weights, observed=data.labels[known])
                rows("_known", known, data.labels[known])
        return model

    def parameters(self, values: Values) -> Any:
        fixed = self.problem.weights.fixed
        weights = {} if fixed is None else {"weights": fixed}
        return self.problem.family.of_arrays(self.written.natural(values) | weights)

    def values(self, parameters: Any) -> Values:
        free = {"weights": parameters.weights} if self.problem.weights.fixed is None else {}
        found = free | self.written.values(parameters)
        return {name: np.asarray(each, dtype=float) for name, each in found.items()}
