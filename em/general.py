"""Mixtures of any family that has a log density: EM with a weighted M-step, closed or numerical, and numerical derivatives.

Slower than `em.exponential`, and right for whatever has densities: the E-step weights every row, the M-step maximises the
weighted log density of each component, by the family's own formula or by BFGS on the scale without bounds, and never ends lower
than it began. Derivatives of log densities are central differences.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, make_dataclass
from typing import Any, ClassVar

import numpy as np

from em.ascent.acceleration import Acceleration
from em.elementwise import POSITIVE, PROBABILITY, REAL, Domain, ElementwiseMixture
from em.fit import Fit, Method, checked_options, fit_mixture
from em.mixture import (
    EPSILON,
    block_diagonal,
    fitting_start,
    log_dirichlet,
    log_weights,
    mode_of_weights,
    responsibilities,
)
from em.search.starts import Starts
from em.uncertainty.curvature import missing_information
from models.display import displayed
from models.elementwise import asked
from models.family import Family, FamilyPrior, Rows
from models.inputs import Floats, Integers, instance_of
from models.mixtures import MixtureWeights, Weights

DOMAINS = {"log": POSITIVE, "logit": PROBABILITY, "identity": REAL}
# Steps of first and of second differences, relative to a parameter.
FIRST, SECOND = EPSILON ** (1 / 3), EPSILON**0.25
# Windows of the sorted rows in which a component is tried.
WINDOWS = 24


@dataclass(frozen=True, slots=True, eq=False)
class Weighted:
    """What the E-step sends to the M-step.

    Attributes
    ----------
    log_likelihood : ``(...)``
    r : ``(..., n, K)`` expected counts of the distinct rows
    before : ``(..., p)`` full vector of the E-step, where a numerical M-step begins; NaN where there was none
    """

    log_likelihood: float
    r: Floats
    before: Floats

    def __add__(self, other: Weighted) -> Weighted:
        """Rows are in memory, so there is one part."""
        raise NotImplementedError("rows of one's own family are in memory")


class GeneralMixture(ElementwiseMixture):
    """See `em.mixture.Mixture`; the family is a value, so parameters and domains are its own."""

    noun, priors = Rows, FamilyPrior
    data: Rows
    kind, noun = "own", Rows
    domains: dict[str, Domain]  # type: ignore[misc]
    parameters: type[Any]  # type: ignore[misc]
    errors: type[Any]  # type: ignore[misc]
    _of_family: ClassVar[dict[Family, type[Any]]] = {}

    def __init__(self, family: Family, data: Rows, weights: MixtureWeights, prior: FamilyPrior | None) -> None:
        self.family, self.parameters = family, family.kind
        self.domains = {name: DOMAINS[each.scale] for name, each in family.parameters.items()}
        if family not in self._of_family:
            told = [(name, Any) for name in ("weights", *self.domains, "reason", "covariance", "names")]
            self._of_family[family] = make_dataclass(
                "StandardErrors", told, frozen=True, eq=False, namespace={"__repr__": displayed}
            )
        self.errors = self._of_family[family]
        super().__init__(data, weights, prior)

    def kept(self) -> dict[str, Any]:
        return super().kept() | {"family": self.family.name, "parameters": list(self.domains)}

    def _like(self, data: Any) -> GeneralMixture:
        return GeneralMixture(self.family, data, self.weights, self.prior)

    def places(self) -> Floats:
        return self.data.y[:, None]

    def numbers(self) -> Floats:
        return self.data.y[:, None]

    def _collect(self) -> None:
        """Nothing is made ready."""

    def named(self, parameters: Any, *, over_rows: bool = True) -> dict[str, Floats]:
        """Parameters by name ``(..., 1, K)``, to be broadcast over rows."""
        return {
            name: v[..., None, :] if over_rows else v
            for name, v in zip(self.domains, self.fields(parameters), strict=True)
        }

    def log_densities(self, parameters: Any) -> Floats:
        return self.log_density(self.named(parameters))

    def log_density(self, named: dict[str, Floats]) -> Floats:
        """``(..., n, K)`` by parameters that broadcast over rows; -inf where a row is impossible."""
        with np.errstate(all="ignore"):
            distribution = self.family.scipy(**named)
            discrete = not hasattr(getattr(distribution, "dist", distribution), "pdf")
            y = self.data.y[:, None]
            values = distribution.logpmf(y) if discrete else distribution.logpdf(y)
        return np.where(np.isnan(values), -np.inf, values)

    def e_step(self, parameters: Any) -> Weighted:
        joint = log_weights(parameters.weights)[..., None, :] + self.log_densities(parameters)
        r, rows = responsibilities(joint, self.labels)
        return Weighted((rows @ self.counts)[()], r * self.counts[:, None], self.to_vector(parameters))

    def m_step(self, statistics: Weighted) -> Any:
        if statistics.r.ndim > 2:
            many = statistics.r.shape[:-2]
            flat = statistics.r.reshape(-1, *statistics.r.shape[-2:])
            vectors = statistics.before.reshape(len(flat), -1)
            each = [self.m_step(Weighted(np.nan, r, v)) for r, v in zip(flat, vectors, strict=True)]
            stacked = [
                np.stack(v).reshape(*many, -1) for v in zip(*([p.weights, *self.fields(p)] for p in each), strict=True)
            ]
            return self.made(*stacked)
        concentration = 1.0 if self.prior is None else self.prior.concentration
        weights = mode_of_weights(statistics.r.sum(axis=0), self.weights.fixed, concentration)
        if self.family.m_step is None:
            return self.made(weights, *self._maximised(statistics))
        priors = (
            {n: each.prior.flat() for n, each in self.family.parameters.items()}
            if self.prior is None
            else self.prior.parameters
        )
        given: Any = next(iter(priors.values())) if len(priors) == 1 else priors
        with np.errstate(all="ignore"):
            found = self.family.m_step(self.data.y, statistics.r, given)
        fields = [np.asarray(found[name], dtype=float) for name in self.domains]
        otherwise = [float(each.prior.scipy().mean()) for each in self.family.parameters.values()]
        # Of a component without rows and without a prior nothing is known; the mean of the family's prior serves.
        return self.made(weights, *(np.where(np.isfinite(v), v, o) for v, o in zip(fields, otherwise, strict=True)))

    def _maximised(self, statistics: Weighted) -> list[Floats]:
        """The parameters of each component that maximise its weighted log density, from those before."""
        from scipy.optimize import minimize

        domains, k = list(self.domains.values()), self.n_components
        means = np.array([float(each.prior.scipy().mean()) for each in self.family.parameters.values()])
        vector = statistics.before.reshape(1 + len(domains), k)[1:]
        before = np.where(np.isnan(vector), means[:, None], vector)
        found = before.copy()
        for component in range(k):
            r = statistics.r[:, component]
            if not r.sum():
                continue

            def falling(x: Floats, r: Floats = r) -> float:
                own = [d.bounded(x[j : j + 1]) for j, d in enumerate(domains)]
                density = self.log_density({n: v[None] for n, v in zip(self.domains, own, strict=True)})[:, 0]
                value = -float(r @ np.where(r > 0, density, 0.0)) - float(np.sum(self._log_priors(own)))
                return value if np.isfinite(value) else 1e300

            start = np.array(
                [d.unbounded(v[component : component + 1])[0] for d, v in zip(domains, before, strict=True)]
            )
            ended = minimize(falling, start, method="BFGS", options={"gtol": 1e-9})
            if ended.fun <= falling(start):
                found[:, component] = [d.bounded(ended.x[j : j + 1])[0] for j, d in enumerate(domains)]
        return list(found)

    def _log_priors(self, own: list[Floats]) -> list[Floats]:
        if self.prior is None:
            return [np.zeros_like(own[0])]
        named = zip(self.domains, own, strict=True)
        return [self.prior.parameters[name].scipy().logpdf(v) for name, v in named]

    def log_prior(self, parameters: Any) -> Floats | float:
        if self.prior is None:
            return 0.0
        own = sum(self._log_priors(self.fields(parameters)))
        total: Floats = np.asarray(own).sum(axis=-1) + log_dirichlet(
            parameters.weights, self.weights.fixed, self.prior.concentration
        )
        return total

    def own_prior_derivatives(self, parameters: Any) -> tuple[Floats, Floats]:
        q, k = self.own_parameters, self.n_components
        first, second = np.zeros((k, q)), np.zeros((k, q, q))
        own = zip(self.domains, self.fields(parameters), strict=True)
        for j, (name, values) in enumerate(own):
            density = self.prior.parameters[name].scipy().logpdf
            h, wide = FIRST * np.maximum(np.abs(values), FIRST), SECOND * np.maximum(np.abs(values), SECOND)
            first[:, j] = (density(values + h) - density(values - h)) / (2 * h)
            second[:, j, j] = (density(values + wide) - 2 * density(values) + density(values - wide)) / wide**2
        return first, second

    def rounding(self, parameters: Any, statistics: Weighted) -> float:
        size = np.abs(np.where(statistics.r > 0, self.log_densities(parameters), 0.0) * statistics.r).sum()
        return float(EPSILON * (abs(statistics.log_likelihood) + self.n + size))

    def _moved(self, parameters: Any, steps: Floats) -> Floats:
        """``(n, K)`` log densities with each parameter moved by its steps ``(q, K)``, kept within its domain."""
        moved = [
            np.clip(v + step, d.low, d.high)
            for v, step, d in zip(self.fields(parameters), steps, self.domains.values(), strict=True)
        ]
        return self.log_density({n: v[None, :] for n, v in zip(self.domains, moved, strict=True)})

    def _steps(self, parameters: Any, relative: float) -> Floats:
        """``(q, K)`` steps of differences of this relative size."""
        return relative * np.maximum(np.abs(np.array(self.fields(parameters))), relative)

    def scores(self, parameters: Any) -> Floats:
        steps, found = self._steps(parameters, FIRST), []
        for j in range(self.own_parameters):
            one = np.zeros_like(steps)
            one[j] = steps[j]
            found.append((self._moved(parameters, one) - self._moved(parameters, -one)) / (2 * steps[j]))
        return np.stack(found, axis=-1)

    def complete_hessian(self, parameters: Any, weighted: Floats) -> Floats:
        q, steps = self.own_parameters, self._steps(parameters, SECOND)
        found = np.empty((self.n_components, q, q))

        def height(move: Floats) -> Floats:
            density = self._moved(parameters, move)
            return np.asarray((np.where(weighted > 0, density, 0.0) * weighted).sum(axis=0))

        for a in range(q):
            for b in range(a + 1):
                u, v = np.zeros_like(steps), np.zeros_like(steps)
                u[a], v[b] = steps[a], steps[b]
                corners = height(u + v) - height(u - v) - height(v - u) + height(-u - v)
                found[:, a, b] = found[:, b, a] = corners / (4 * steps[a] * steps[b])
        return found

    def informations(self, parameters: Any) -> Floats:
        missing, rows = missing_information(self, parameters)
        own = -self.complete_hessian(parameters, self.e_step(parameters).r)
        with np.errstate(over="ignore"):
            of_weights = np.diag(rows / parameters.weights**2)
        return np.stack([block_diagonal(of_weights, self._of_components(own)), missing])

    def start_from(self, responsibilities: Floats, *, wide: bool = True) -> Any:
        maker = self
        if wide:
            maker = copy(self)
            maker.prior = self.family.prior
        return maker.m_step(Weighted(np.nan, responsibilities * self.counts[:, None], self._nowhere(responsibilities)))

    def _nowhere(self, r: Floats) -> Floats:
        """The vector before of a start, which has none."""
        return np.full((*r.shape[:-2], (1 + self.own_parameters) * r.shape[-1]), np.nan)

    def elsewhere(self, random: np.random.Generator) -> Iterator[tuple[Floats, Floats]]:
        order = np.argsort(self.data.y, kind="stable")
        windows = [part for part in np.array_split(order, min(WINDOWS, len(order))) if len(part)]
        r = np.zeros((len(order), len(windows)))
        for j, part in enumerate(windows):
            r[part, j] = self.counts[part]
        tried = copy(self)
        tried.n_components, tried.prior = len(windows), self.family.prior
        tried.weights = MixtureWeights.of("equal", len(windows))
        components = tried.m_step(Weighted(np.nan, r, tried._nowhere(r)))
        middle = np.array([self.data.y[part].mean() for part in windows])
        yield self.log_densities(components), (middle / (self.data.y.std() or 1.0) * WINDOWS)[:, None]

    def drawn(self, published: Any, rows: Integers, components: Integers, random: np.random.Generator) -> Rows:
        chosen = {n: v[components] for n, v in self.named(published, over_rows=False).items()}
        return Rows(self.family.scipy(**chosen).rvs(random_state=random))


def family_mixture(
    family: Family,
    rows: Rows,
    n_components: int = 2,
    weights: Weights = "free",
    prior: FamilyPrior | None = None,
    *,
    start: Any = None,
    seed: int = 0,
    method: Method = "em",
    acceleration: Acceleration = "auto",
    starts: Starts = "default",
) -> Fit[Any, Any]:
    """Fit a mixture of one's own family by EM.

    Parameters
    ----------
    family, rows : what the components are, and the data
    n_components : K
    weights : ``"free"``, ``"equal"``, or ``(K,)`` values held fixed
    prior : maximise the log posterior under it; maximum likelihood where None
    start, seed, method, acceleration, starts : as in `em.coin_mixture`

    Returns
    -------
    `em.Fit` with the family's parameters

    Raises
    ------
    TypeError, ValueError
        for rows fewer than components, or weights, labels or a start that do not fit
    ObjectiveDecreased
        if the objective falls beyond rounding: the M-step is not that of the density
    """
    checked_options(method, acceleration, starts)
    instance_of("family", family, Family)
    treated = asked("rows", rows, Rows, n_components, weights, prior, FamilyPrior)
    if start is not None:
        instance_of("start", start, family.kind)
        fitting_start(start.weights, treated)
    mixture = GeneralMixture(family, rows, treated, prior)
    return fit_mixture(mixture, start=start, seed=seed, method=method, acceleration=acceleration, starting=starts)
