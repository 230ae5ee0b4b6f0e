"""What the states of a hidden Markov chain emit: log densities, closed M-steps, priors, and derivatives of all of these."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from scipy.special import gammaln, xlog1py, xlogy

from em.mixture import has_mode
from em.uncertainty.curvature import AT_BOUND
from models.hidden_markov_chains import OWN, Sequences
from models.inputs import Floats

type Own = Mapping[str, Floats]
LOG_2_PI = float(np.log(2 * np.pi))
# In place of 0 where a derivative would be infinite: its square is still a number.
LEAST = 1e-100


class State(ABC):
    """The distributions of K states over the data; what was not seen has density 1.

    Attributes
    ----------
    names : of the parameters, ``(K,)`` each
    places : ``(n,)`` where what was seen is among such parameters, NaN where it was not
    upper : of the parameters, where they end beside 0; None where they do not end at 0 either
    """

    names: ClassVar[tuple[str, ...]]
    upper: ClassVar[float | None]

    def __init__(self, data: Sequences) -> None:
        self.missing = np.isnan(data.y)
        self.seen = (~self.missing).astype(float)
        self.y, self.tosses = np.where(self.missing, 0.0, data.y), data.tosses
        self.places = data.y / (data.tosses if self.upper == 1 else 1)
        self.spread = float(np.nanstd(self.places)) or 1.0

    def log_densities(self, own: Own) -> Floats:
        """``(n, K)`` of each value in each state."""
        found = self.densities(own)
        found[self.missing] = 0.0
        return found

    def derivatives(self, own: Own) -> tuple[Floats, Floats]:
        """``(n, K, q)`` and ``(n, K, q, q)`` derivatives of these by the state's own parameters."""
        first, second = self.of_rows(own)
        return first * self.seen[:, None, None], second * self.seen[:, None, None, None]

    def summed(self, states: Floats, values: Floats) -> tuple[Floats, Floats]:
        """``(K,)`` expected times that were seen of each state, and ``values`` ``(n,)`` summed over them."""
        return self.seen @ states, (self.seen * values) @ states

    def at_bounds(self, vector: Floats, gradient: Floats) -> Any:
        """Which of all own parameters ``(K q,)`` are at a bound, by their derivatives too."""
        if self.upper is None:
            return np.zeros(len(vector), dtype=bool)
        low = (vector == 0) | ((vector < AT_BOUND) & (gradient < 0))
        away = self.upper - vector
        return low | (away == 0) | ((away < AT_BOUND) & (gradient > 0))

    def exist(self, own: Own) -> bool:
        """Whether there are such states."""
        return self.upper is None or all(((v >= 0) & (v <= self.upper)).all() for v in own.values())

    def narrowest(self, own: Own, states: Floats | None = None, few: float = np.inf) -> float:
        """Least standard deviation of the states, of those that ``few`` times hold, as a share of the data's; inf without one."""
        return np.inf

    def middle(self, k: int) -> Own:
        """Parameters of K states that are all alike, with which nothing is said of any."""
        return self.m_step(np.full((len(self.y), k), 1 / k), {}, None)

    @abstractmethod
    def densities(self, own: Own) -> Floats: ...

    @abstractmethod
    def of_rows(self, own: Own) -> tuple[Floats, Floats]: ...

    @abstractmethod
    def m_step(self, states: Floats, before: Own, prior: Any) -> dict[str, Floats]:
        """The mode given state probabilities ``(n, K)``; a state without any stays as it was ``before``."""

    @abstractmethod
    def log_prior(self, own: Own, prior: Any) -> float:
        """In nats, of all states."""

    @abstractmethod
    def prior_derivatives(self, own: Own, prior: Any) -> tuple[Floats, Floats]:
        """Gradient ``(K q,)`` and Hessian of that by all own parameters, one name after the other; 0 without a prior."""


def _or_before(value: Floats, by: Floats, before: Own, name: str) -> Floats:
    """``value / by``, or what was before where ``by`` is 0."""
    return np.where(by > 0, value / np.where(by > 0, by, 1.0), before.get(name, np.zeros_like(by)))


class Poisson(State):
    """Counts."""

    names, upper = OWN["poisson"], np.inf

    def densities(self, own: Own) -> Floats:
        y = self.y[:, None]
        return np.asarray(xlogy(y, own["rates"]) - own["rates"] - gammaln(y + 1))

    def of_rows(self, own: Own) -> tuple[Floats, Floats]:
        rates = np.maximum(own["rates"], LEAST)
        share = self.y[:, None] / rates
        return (share - 1)[..., None], (-share / rates)[..., None, None]

    def m_step(self, states: Floats, before: Own, prior: Any) -> dict[str, Floats]:
        times, events = self.summed(states, self.y)
        if prior is not None:
            times, events = times + prior.rate, events + prior.shape - 1
        return {"rates": _or_before(events, times, before, "rates")}

    def log_prior(self, own: Own, prior: Any) -> float:
        a, b, rates = prior.shape, prior.rate, own["rates"]
        return float((a * np.log(b) - gammaln(a) + xlogy(a - 1, rates) - b * rates).sum())

    def prior_derivatives(self, own: Own, prior: Any) -> tuple[Floats, Floats]:
        rates = own["rates"]
        if prior is None:
            return np.zeros(len(rates)), np.zeros((len(rates),) * 2)
        return (prior.shape - 1) / rates - prior.rate, np.diag(-(prior.shape - 1) / rates**2)


class Binomial(State):
    """Heads of tosses of a coin."""

    names, upper = OWN["binomial"], 1.0

    def densities(self, own: Own) -> Floats:
        heads, tosses, p = self.y[:, None], self.tosses[:, None], own["head_probabilities"]
        constant = gammaln(tosses + 1) - gammaln(heads + 1) - gammaln(tosses - heads + 1)
        return np.asarray(constant + xlogy(heads, p) + xlog1py(tosses - heads, -p))

    def of_rows(self, own: Own) -> tuple[Floats, Floats]:
        p = np.clip(own["head_probabilities"], LEAST, 1 - np.finfo(float).eps)
        heads = self.y[:, None] / p
        tails = (self.tosses - self.y)[:, None] / (1 - p)
        return (heads - tails)[..., None], (-heads / p - tails / (1 - p))[..., None, None]

    def m_step(self, states: Floats, before: Own, prior: Any) -> dict[str, Floats]:
        _, heads = self.summed(states, self.y)
        _, tosses = self.summed(states, self.tosses.astype(float))
        if prior is not None:
            heads, tosses = heads + prior.heads - 1, tosses + prior.heads + prior.tails - 2
        return {"head_probabilities": np.minimum(_or_before(heads, tosses, before, "head_probabilities"), 1.0)}

    def log_prior(self, own: Own, prior: Any) -> float:
        a, b, p = prior.heads, prior.tails, own["head_probabilities"]
        constant = gammaln(a + b) - gammaln(a) - gammaln(b)
        return float((constant + xlogy(a - 1, p) + xlog1py(b - 1, -p)).sum())

    def prior_derivatives(self, own: Own, prior: Any) -> tuple[Floats, Floats]:
        p = own["head_probabilities"]
        heads, tails = (0.0, 0.0) if prior is None else (prior.heads - 1, prior.tails - 1)
        inside = np.clip(p, LEAST, 1 - np.finfo(float).eps)
        return heads / inside - tails / (1 - inside), np.diag(-heads / inside**2 - tails / (1 - inside) ** 2)


class Normal(State):
    """Measurements."""

    names, upper = OWN["normal"], None

    def densities(self, own: Own) -> Floats:
        off = self.y[:, None] - own["means"]
        return np.asarray(-0.5 * (off**2 / own["variances"] + np.log(own["variances"]) + LOG_2_PI))

    def of_rows(self, own: Own) -> tuple[Floats, Floats]:
        v = own["variances"]
        z = (self.y[:, None] - own["means"]) / v
        first = np.stack([z, 0.5 * (z**2 - 1 / v)], axis=-1)
        second = np.empty((*z.shape, 2, 2))
        second[..., 0, 0], second[..., 1, 1] = -1 / v, 0.5 / v**2 - z**2 / v
        second[..., 0, 1] = second[..., 1, 0] = -z / v
        return first, second

    def m_step(self, states: Floats, before: Own, prior: Any) -> dict[str, Floats]:
        times, total = self.summed(states, self.y)
        located, scatter, divisors = times, np.zeros_like(times), times
        if prior is not None:
            located, total = times + prior.shrinkage, total + prior.shrinkage * prior.mean[0]
        means = _or_before(total, located, before, "means")
        off = (self.y[:, None] - means) ** 2 * self.seen[:, None]
        scatter = (states * off).sum(axis=0)
        if prior is not None:
            scatter = scatter + prior.scale[0, 0] + prior.shrinkage * (means - prior.mean[0]) ** 2
            divisors = times + prior.degrees_of_freedom + 3
        return {"means": means, "variances": _or_before(scatter, divisors, before, "variances")}

    def log_prior(self, own: Own, prior: Any) -> float:
        a, b, v = prior.degrees_of_freedom / 2, prior.scale[0, 0] / 2, own["variances"]
        of_variances = a * np.log(b) - gammaln(a) - (a + 1) * np.log(v) - b / v
        width = v / prior.shrinkage
        of_means = -0.5 * ((own["means"] - prior.mean[0]) ** 2 / width + np.log(width) + LOG_2_PI)
        return float((of_variances + of_means).sum())

    def prior_derivatives(self, own: Own, prior: Any) -> tuple[Floats, Floats]:
        v, k = own["variances"], len(own["variances"])
        if prior is None:
            return np.zeros(2 * k), np.zeros((2 * k, 2 * k))
        a, b, s = prior.degrees_of_freedom / 2, prior.scale[0, 0] / 2, prior.shrinkage
        off = own["means"] - prior.mean[0]
        by_variances = -(a + 1.5) / v + (b + 0.5 * s * off**2) / v**2
        twice = (a + 1.5) / v**2 - 2 * (b + 0.5 * s * off**2) / v**3
        both = np.diag(s * off / v**2)
        return np.concatenate([-s * off / v, by_variances]), np.block([[np.diag(-s / v), both], [both, np.diag(twice)]])

    def exist(self, own: Own) -> bool:
        return bool((own["variances"] > 0).all())

    def narrowest(self, own: Own, states: Floats | None = None, few: float = np.inf) -> float:
        held = np.inf if states is None else self.seen @ states
        narrow = np.sqrt(own["variances"])[(held <= few) | (states is None)] / self.spread
        return float(narrow.min(initial=np.inf))


EMISSIONS: dict[str, type[State]] = {"normal": Normal, "poisson": Poisson, "binomial": Binomial}


def checked_mode(prior: Any) -> None:
    """Refuse a prior of the states whose density is infinite at a bound; ValueError."""
    for name in ("shape", "heads", "tails"):
        if hasattr(prior, name):
            has_mode(name, getattr(prior, name))
