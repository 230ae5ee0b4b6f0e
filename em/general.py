"""Mixtures of any family that has a log density: EM with a weighted M-step, closed or numerical, and numerical derivatives.

Slower than `em.exponential`, and right for whatever has densities: the E-step weights every row, the M-step maximises the
weighted log density of each component, by the family's own formula or by Newton's method on the scale without bounds, and never
ends lower than it began. Derivatives of log densities are central differences; see `em.differences`. Standard errors are withheld
where such differences in steps of twice the length say something else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass, make_dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from em.ascent.acceleration import Acceleration
from em.differences import STEP, Function, expanded, maximised, right_steps
from em.elementwise import POSITIVE, PROBABILITY, REAL, Domain, ElementwiseMixture
from em.fit import Fit, Method, checked_options, fit_mixture
from em.limits import towards_limits
from em.mixture import DEAR_STEPS, EPSILON, REPLAY_STEPS, block_diagonal, fitting_start, log_weights, responsibilities
from em.search.starts import Starts
from em.uncertainty.curvature import derivatives, missing_information
from em.weights import log_dirichlet, mode_of_weights
from models.display import displayed
from models.elementwise import asked
from models.family import Family, FamilyPrior, Rows
from models.inputs import Floats, Integers, instance_of
from models.mixtures import MixtureWeights, Weights

DOMAINS = {"log": POSITIVE, "logit": PROBABILITY, "identity": REAL}
# Farthest from 0 that a parameter is taken to be on the scale without bounds: there a probability is at its bound to rounding,
# and a component of a continuous family has collapsed.
FARTHEST = {"log": 100.0, "logit": 30.0, "identity": np.inf}
# Numbers of which the densities are asked at a time.
NUMBERS = 2**20
# Relative steps of differences of the prior.
FIRST, SECOND = EPSILON ** (1 / 3), EPSILON**0.25
# Least rows that a component is taken to have where a step is sought.
LEAST_ROWS = 1e-3
# Share of a standard error by which it may differ with steps of twice the length.
UNCERTAIN = 0.01
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
    step = STEP
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
        self.replay_steps = DEAR_STEPS if family.m_step is None else REPLAY_STEPS
        super().__init__(data, weights, prior)
        self._priors = self._densities_of(prior)
        self.discrete = is_discrete(family.scipy(**dict(zip(self.domains, self._prior_means(), strict=True))))
        self.bounded, self.interpolated = (
            prior is not None or self.discrete,
            0 if self.discrete else self.own_parameters,
        )

    def _with_prior(self, prior: FamilyPrior | None) -> GeneralMixture:
        other = copy(self)
        other.prior, other._priors = prior, self._densities_of(prior)
        return other

    def _densities_of(self, prior: FamilyPrior | None) -> list[Callable[[Floats], Floats]]:
        """Log densities of the parameters, made once: SciPy takes longer to make a distribution than to ask it."""
        return [] if prior is None else [prior.parameters[name].scipy().logpdf for name in self.domains]

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
            y = self.data.y[:, None]
            values = distribution.logpmf(y) if self.discrete else distribution.logpdf(y)
        return np.where(np.isnan(values), -np.inf, values)

    def exists(self, vector: Floats) -> NDArray[np.bool_]:
        there = super().exists(vector)
        if not self.discrete:
            for values, domain in zip(self._split(vector)[1:], self.domains.values(), strict=True):
                if domain.scale == "log":
                    ends = np.exp([-FARTHEST["log"], FARTHEST["log"]])
                    there &= ((values > ends[0]) & (values < ends[1])).all(axis=-1)
        return there

    def bounds(self) -> list[tuple[int, float]]:
        scales = self.scales()
        return [(j, end) for j, end in super().bounds() if self.discrete or scales[j] != "log"]

    def spreads(self, parameters: Any) -> Floats:
        """Of a normal with the highest density that a component has on a row; inf for counts, which have probabilities."""
        if self.discrete:
            return super().spreads(parameters)
        with np.errstate(all="ignore"):
            width = np.exp(-self.log_densities(parameters).max(axis=-2)) / np.sqrt(2 * np.pi)
        return np.asarray(width / (self.data.y.std() or 1.0))

    def e_step(self, parameters: Any) -> Weighted:
        joint = log_weights(parameters.weights)[..., None, :] + self.log_densities(parameters)
        r, rows = responsibilities(joint, self.labels)
        return Weighted((rows @ self.counts)[()], r * self.counts[:, None], self.to_vector(parameters))

    def m_step(self, statistics: Weighted) -> Any:
        r = statistics.r
        concentration = 1.0 if self.prior is None else self.prior.concentration
        weights = mode_of_weights(r.sum(axis=-2), self.weights.fixed, concentration)
        if self.family.m_step is None:
            return self.made(weights, *self._maximised(statistics))
        each = [self._by_formula(one) for one in r.reshape(-1, *r.shape[-2:])]
        return self.made(weights, *(np.stack(v).reshape(weights.shape) for v in zip(*each, strict=True)))

    def _by_formula(self, r: Floats) -> list[Floats]:
        priors = (
            {n: each.prior.flat() for n, each in self.family.parameters.items()}
            if self.prior is None
            else self.prior.parameters
        )
        given: Any = next(iter(priors.values())) if len(priors) == 1 else priors
        with np.errstate(all="ignore"):
            found = self.family.m_step(self.data.y, r, given)  # type: ignore[misc]
        fields = [np.asarray(found[name], dtype=float) for name in self.domains]
        # Of a component without rows and without a prior nothing is known; the mean of the family's prior serves.
        return [np.where(np.isfinite(v), v, o) for v, o in zip(fields, self._prior_means(), strict=True)]

    def _prior_means(self) -> list[float]:
        return [float(each.prior.scipy().mean()) for each in self.family.parameters.values()]

    def _maximised(self, statistics: Weighted) -> list[Floats]:
        """``(..., K)`` each, that maximise the weighted log density of each component, from those before."""
        n, k, q = *statistics.r.shape[-2:], self.own_parameters
        # Each component of each run is a function of its own.
        r = np.moveaxis(statistics.r, -2, 0).reshape(n, -1)
        before = np.moveaxis(statistics.before.reshape(-1, 1 + q, k)[:, 1:], 1, 0).reshape(q, -1)
        if np.isnan(before).any():
            before = np.where(np.isnan(before), np.array(self._prior_means())[:, None], before)
        at, some = self._unbounded(list(before)), max(NUMBERS // (n * (1 + 2 * q * (q + 1))), 1)
        for start in range(0, r.shape[1], some):
            few = slice(start, start + some)
            at[:, few] = self._maxima(r[:, few], at[:, few])
        return [v.reshape(*statistics.r.shape[:-2], k) for v in self._bounded(at)]

    def _maxima(self, r: Floats, at: Floats) -> Floats:
        def of_some(which: Integers) -> Function:
            return self._weighted(r[:, which], self._priors)

        return maximised(of_some, at, self._rows(r), self._first_steps(at))

    def _unbounded(self, fields: list[Floats]) -> Floats:
        """``(q, ...)`` on the scales without bounds."""
        with np.errstate(divide="ignore"):
            own = [
                np.clip(d.unbounded(v), -FARTHEST[d.scale], FARTHEST[d.scale])
                for v, d in zip(fields, self.domains.values(), strict=True)
            ]
        return np.stack(own)

    def _bounded(self, at: Floats) -> list[Floats]:
        return [d.bounded(v) for v, d in zip(at, self.domains.values(), strict=True)]

    def _rows(self, r: Floats) -> Floats:
        return np.maximum(r.sum(axis=-2), LEAST_ROWS)

    def _first_steps(self, at: Floats) -> Floats:
        """``(q, ...)`` from which steps of differences are sought: of a number without a scale, in units of the data."""
        unit = self.data.y.std() or 1.0
        units = np.array([unit if d.scale == "identity" else 1.0 for d in self.domains.values()])
        return np.broadcast_to(self.step * units.reshape(-1, *(1,) * (at.ndim - 1)), at.shape)

    def _by_row(self, points: Floats) -> Floats:
        """``(m, ..., n, K)`` log densities at points ``(m, q, ..., K)`` on the scales without bounds."""
        own = self._bounded(np.moveaxis(points, 1, 0))
        return self.log_density({name: v[..., None, :] for name, v in zip(self.domains, own, strict=True)})

    def _weighted(self, r: Floats, priors: list[Callable[[Floats], Floats]] | None = None) -> Function:
        """Sums of log densities with expected counts ``(..., n, K)``, with log priors where these are given."""

        def of(points: Floats) -> Floats:
            with np.errstate(all="ignore"):
                total = np.einsum("...nk,...nk->...k", np.where(r > 0, self._by_row(points), 0.0), r)
                if priors:
                    own = self._bounded(np.moveaxis(points, 1, 0))
                    total = total + sum(p(v) for p, v in zip(priors, own, strict=True))
            return np.asarray(total)

        return of

    def log_prior(self, parameters: Any) -> Floats | float:
        if self.prior is None:
            return 0.0
        own = sum(p(v) for p, v in zip(self._priors, self.fields(parameters), strict=True))
        total: Floats = np.asarray(own).sum(axis=-1) + log_dirichlet(
            parameters.weights, self.weights.fixed, self.prior.concentration
        )
        return total

    def own_prior_derivatives(self, parameters: Any) -> tuple[Floats, Floats]:
        q, k = self.own_parameters, self.n_components
        first, second = np.zeros((k, q)), np.zeros((k, q, q))
        for j, (density, values) in enumerate(zip(self._priors, self.fields(parameters), strict=True)):
            h, wide = FIRST * np.maximum(np.abs(values), FIRST), SECOND * np.maximum(np.abs(values), SECOND)
            first[:, j] = (density(values + h) - density(values - h)) / (2 * h)
            second[:, j, j] = (density(values + wide) - 2 * density(values) + density(values - wide)) / wide**2
        return first, second

    def rounding(self, parameters: Any, statistics: Weighted) -> float:
        size = np.abs(np.where(statistics.r > 0, self.log_densities(parameters), 0.0) * statistics.r).sum()
        return float(EPSILON * (abs(statistics.log_likelihood) + self.n + size))

    def scores(self, parameters: Any) -> Floats:
        at, r = self._unbounded(self.fields(parameters)), self.e_step(parameters).r
        steps = right_steps(self._weighted(r), at, self._rows(r), self._first_steps(at), self.step)
        with np.errstate(all="ignore"):
            first = expanded(self._by_row, at, steps)[1] / steps[:, None]
        return np.moveaxis(first / self._slopes(at)[:, None], 0, -1)

    def complete_hessian(self, parameters: Any, weighted: Floats) -> Floats:
        at, of = self._unbounded(self.fields(parameters)), self._weighted(weighted)
        steps = right_steps(of, at, self._rows(weighted), self._first_steps(at), self.step)
        slopes, q = self._slopes(at), len(at)
        with np.errstate(all="ignore"):
            _, first, second = expanded(of, at, steps)
            second /= steps * steps[:, None]
            bends = np.stack([d.bend(v) for v, d in zip(self._bounded(at), self.domains.values(), strict=True)])
            second[range(q), range(q)] -= first / steps * bends / slopes
            return np.moveaxis(second / (slopes * slopes[:, None]), -1, 0)

    def _slopes(self, at: Floats) -> Floats:
        return np.stack([d.slope(v) for v, d in zip(self._bounded(at), self.domains.values(), strict=True)])

    def error_of_derivatives(self, parameters: Any, covariance: Floats) -> float:
        """Share of a standard error by which it may be off, from steps of twice the length; a covariance ``(p, p)`` is given."""
        other = copy(self)
        other.step = 2 * self.step
        change = derivatives(other, parameters)[1] - derivatives(self, parameters)[1]
        # A variance of x times a change of information by y is a variance that is off by x y of itself.
        return 0.5 * float(np.abs(np.linalg.eigvals(covariance @ change)).max())

    def doubt_of_derivatives(self, parameters: Any, covariance: Floats) -> str | None:
        share = self.error_of_derivatives(parameters, covariance)
        if share <= UNCERTAIN:
            return None
        return (
            f"the log density is not smooth enough for numerical derivatives: in steps of twice the length a standard error "
            f"differs by {100 * share:.2g} %"
        )

    def standard_errors(self, parameters: Any, covariance: Floats, reason: str | None) -> Any:
        if gone := [] if self.rowless else towards_limits(self, parameters):
            reason = f"the objective has a limit and no maximum, as {' and '.join(gone)}"
            covariance = np.full_like(covariance, np.nan)
        return super().standard_errors(parameters, covariance, reason)

    def informations(self, parameters: Any) -> Floats:
        missing, rows = missing_information(self, parameters)
        own = -self.complete_hessian(parameters, self.e_step(parameters).r)
        with np.errstate(over="ignore"):
            of_weights = np.diag(rows / parameters.weights**2)
        return np.stack([block_diagonal(of_weights, self._of_components(own)), missing])

    def start_from(self, responsibilities: Floats, *, wide: bool = True) -> Any:
        maker = self._with_prior(self.family.prior) if wide else self
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
        tried = self._with_prior(self.family.prior)
        tried.n_components = len(windows)
        tried.weights = MixtureWeights.of("equal", len(windows))
        components = tried.m_step(Weighted(np.nan, r, tried._nowhere(r)))
        middle = np.array([self.data.y[part].mean() for part in windows])
        yield self.log_densities(components), (middle / (self.data.y.std() or 1.0) * WINDOWS)[:, None]

    def drawn(self, published: Any, rows: Integers, components: Integers, random: np.random.Generator) -> Rows:
        chosen = {n: v[components] for n, v in self.named(published, over_rows=False).items()}
        return Rows(self.family.scipy(**chosen).rvs(size=len(components), random_state=random))


def is_discrete(distribution: Any) -> bool:
    """Whether a frozen distribution has probabilities, and no density."""
    return not hasattr(getattr(distribution, "dist", distribution), "pdf")


def _all_possible(mixture: GeneralMixture) -> None:
    """Refuse rows to which no component of a first start gives a density, from which no search can begin."""
    n, k = len(mixture.data.y), mixture.n_components
    densities = mixture.log_densities(mixture.start_from(np.full((n, k), 1 / k)))
    impossible = mixture.data.y[(densities == -np.inf).all(axis=-1)]
    if len(impossible):
        raise ValueError(
            f"{mixture.family.data} has {len(impossible)} distinct values to which {mixture.family.name} gives density 0, the "
            f"first is {impossible[0]:g}; leave out what is outside of its support, and where a density is only too small for a "
            "number, let scipy's distribution have a logpdf of its own"
        )


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
    if start is None:
        _all_possible(mixture)
    return fit_mixture(mixture, start=start, seed=seed, method=method, acceleration=acceleration, starting=starts)
