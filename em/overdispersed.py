"""Mixtures of counts whose rows vary more than those of one rate do: a place and a dispersion for each component.

A row is of a distribution in one parameter, its own one being drawn about the ``place`` of its component; where the
``dispersion`` is 0 all rows have that place. So infinity of what is usually estimated, a size or a precision, is a bound where
densities and all derivatives exist. The M-step maximises over both by Newton's method on the scales without bounds, from where
the component was, never to a lower value; the bound itself is taken where the slope there does not point inside and nothing is
lost by it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from copy import copy
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, gammaln, xlog1py, xlogy

from em.elementwise import POSITIVE, Domain, ElementwiseMixture
from em.general import Weighted
from em.mixture import AT_A_TIME, EPSILON, block_diagonal, log_weights, responsibilities
from em.uncertainty.curvature import missing_information
from em.weights import log_dirichlet, mode_of_weights
from models.inputs import Floats

# Newton's steps at most, the longest on the scales without bounds, and a promise in nats after which the next is its square.
STEPS, LONGEST, LAST = 200, 2.0, 1e-8
# Curvature, relative to the slope, that a step is made with where there is next to none.
LEAST_CURVE = 1e-8
# Dispersions of which a start away from the bound is made, relative to the slope's own estimate.
LEAST, MOST = 1e-8, 0.9


class OverdispersedMixture(ElementwiseMixture):
    """What the shared layers see, `em.mixture.Mixture`, from what such a family tells.

    Attributes
    ----------
    prior_fields : of both parameters, the names of the two numbers of a gamma or beta prior
    """

    prior_fields: ClassVar[tuple[tuple[str, str], ...]]

    # What a family tells

    @abstractmethod
    def densities(self, place: Floats, dispersion: Floats) -> Floats:
        """``(..., n, K)`` log densities of the rows by parameters ``(..., 1, K)``."""

    @abstractmethod
    def derivatives(self, place: Floats, dispersion: Floats) -> list[Floats]:
        """The same of theirs by place and by dispersion, then second ones by place, by both, and by dispersion."""

    @abstractmethod
    def at_0(self, place: Floats) -> tuple[Floats, Floats, Floats]:
        """``(n, F)`` log density, slope by the dispersion and information on it, where that is 0."""

    @abstractmethod
    def totals(self) -> tuple[Floats, Floats]:
        """``(n,)`` each, of which the ratio of the sums is the place where the dispersion is 0."""

    @abstractmethod
    def sizes(self) -> Floats:
        """``(n,)`` of the terms that a log density is a sum of."""

    @abstractmethod
    def weak_prior(self) -> Any:
        """Under which no start is at a bound."""

    # The prior, of both parameters alike

    def _own_prior(self, j: int) -> tuple[Domain, float, float]:
        """Domain of a parameter and both numbers of its prior, without one those of a flat one."""
        domain = [*self.domains.values()][j]
        if self.prior is None:
            return domain, 1.0, 0.0 if domain is POSITIVE else 1.0
        a, b = (getattr(self.prior, name) for name in self.prior_fields[j])
        return domain, a, b

    def _log_density_of(self, j: int, x: Floats) -> Floats:
        domain, a, b = self._own_prior(j)
        if domain is POSITIVE:
            return np.asarray(xlogy(a - 1, x) - b * x + (xlogy(a, b) - gammaln(a) if b else 0.0))
        return np.asarray(xlogy(a - 1, x) + xlog1py(b - 1, -x) - betaln(a, b))

    def _slopes_of(self, j: int, x: Floats) -> tuple[Floats, Floats]:
        domain, a, b = self._own_prior(j)
        with np.errstate(divide="ignore", invalid="ignore"):
            first, second = (np.zeros_like(x),) * 2 if a == 1 else ((a - 1) / x, -(a - 1) / x**2)
            if domain is POSITIVE:
                return first - b, second
            return (first, second) if b == 1 else (first - (b - 1) / (1 - x), second - (b - 1) / (1 - x) ** 2)

    def log_prior(self, parameters: Any) -> Floats | float:
        if self.prior is None:
            return 0.0
        own = sum(self._log_density_of(j, x) for j, x in enumerate(self.fields(parameters)))
        total: Floats = np.asarray(own).sum(axis=-1) + log_dirichlet(
            parameters.weights, self.weights.fixed, self.prior.concentration
        )
        return total

    def own_prior_derivatives(self, parameters: Any) -> tuple[Floats, Floats]:
        first, second = zip(*(self._slopes_of(j, x) for j, x in enumerate(self.fields(parameters))), strict=True)
        return np.stack(first, axis=1), np.stack(second, axis=1)[..., None] * np.eye(2)

    # The E-step and derivatives of the rows

    def _collect(self) -> None:
        self.seen, self.over = self.totals()

    def _by_row(self, parameters: Any) -> Iterator[Floats]:
        return (v[..., None, :] for v in self.fields(parameters))

    def log_densities(self, parameters: Any) -> Floats:
        with np.errstate(all="ignore"):
            return self.densities(*self._by_row(parameters))

    def scores(self, parameters: Any) -> Floats:
        with np.errstate(all="ignore"):
            return np.stack(self.derivatives(*self._by_row(parameters))[:2], axis=-1)

    def complete_hessian(self, parameters: Any, weighted: Floats) -> Floats:
        with np.errstate(all="ignore"):
            parts = self.derivatives(*self._by_row(parameters))[2:]
        by_place, by_both, by_dispersion = (summed(weighted, part) for part in parts)
        return np.moveaxis(np.array([[by_place, by_both], [by_both, by_dispersion]]), -1, 0)

    def e_step(self, parameters: Any) -> Weighted:
        joint = log_weights(parameters.weights)[..., None, :] + self.log_densities(parameters)
        r, rows = responsibilities(joint, self.labels)
        return Weighted((rows @ self.counts)[()], r * self.counts[:, None], self.to_vector(parameters))

    def informations(self, parameters: Any) -> Floats:
        missing, rows = missing_information(self, parameters)
        own = -self.complete_hessian(parameters, self.e_step(parameters).r)
        with np.errstate(over="ignore"):
            of_weights = np.diag(rows / parameters.weights**2)
        return np.stack([block_diagonal(of_weights, self._of_components(own)), missing])

    def rounding(self, parameters: Any, statistics: Weighted) -> float:
        return float(EPSILON * (abs(statistics.log_likelihood) + self.n + self.counts @ self.sizes()))

    def numbers(self) -> Floats:
        return np.asarray(self.data.columns)

    # The M-step

    def m_step(self, statistics: Weighted) -> Any:
        r, k = statistics.r, self.n_components
        concentration = 1.0 if self.prior is None else self.prior.concentration
        weights = mode_of_weights(r.sum(axis=-2), self.weights.fixed, concentration)
        # Each component of each run is a function of its own.
        each = np.moveaxis(r, -2, 0).reshape(len(self.counts), -1)
        # What is lost in the rounding of the others would hold a component off its bound for ever.
        each = np.where(each > EPSILON * each.sum(axis=0), each, 0.0)
        before = np.moveaxis(statistics.before.reshape(-1, 3, k), 1, 0).reshape(3, -1)[1:]
        some = max(AT_A_TIME // len(self.counts), 1)
        parts = [self._maxima(each[:, j : j + some], before[:, j : j + some]) for j in range(0, each.shape[1], some)]
        place, dispersion = (v.reshape(weights.shape) for v in np.concatenate(parts, axis=1))
        return self.made(weights, place, dispersion)

    def _maxima(self, r: Floats, before: Floats) -> Floats:
        """``(2, F)`` places and dispersions that maximise sums with expected counts ``(n, F)``, from those before, if any."""
        best = np.stack([self._places_at_0(r), np.zeros(r.shape[1])])
        with np.errstate(all="ignore"):
            at_bound, slope, information = (summed(r, v) for v in self.at_0(best[:1]))
            at_bound = at_bound + sum(self._log_density_of(j, x) for j, x in enumerate(best))
            slope = slope + self._slopes_of(1, best[1])[0]
            away = np.clip(np.nan_to_num(slope / information, nan=LEAST, posinf=MOST), LEAST, MOST)
        inside = before[1] > 0
        start = np.where(inside, before, np.stack([best[0], away]))
        # Rows of one kind alone say nothing of a dispersion.
        going = (slope > 64 * EPSILON * information) & ~self._ended(best[0])
        # What was inside comes to the bound only if nothing is lost.
        doubtful = np.flatnonzero(inside & ~going)
        going[doubtful] = self._value(r[:, doubtful], before[:, doubtful]) > at_bound[doubtful]
        several = np.flatnonzero(going)
        if len(several):
            found, values = self._climbed(r[:, several], start[:, several])
            best[:, several] = np.where(values > at_bound[several], found, best[:, several])
        return self._all_or_none(r, best)

    def _places_at_0(self, r: Floats) -> Floats:
        domain, a, b = self._own_prior(0)
        over = self.over @ r + (b if domain is POSITIVE else a + b - 2)
        seen = self.seen @ r + a - 1
        # Of a component without rows nothing is known: that of all rows serves.
        otherwise = np.full_like(over, (self.seen @ self.counts) / (self.over @ self.counts))
        return np.divide(seen, over, out=otherwise, where=over > 0)

    def _ended(self, place: Floats) -> NDArray[np.bool_]:
        domain = self._own_prior(0)[0]
        return np.asarray((place == domain.low) | (place == domain.high))

    def _value(self, r: Floats, at: Floats) -> Floats:
        with np.errstate(all="ignore"):
            value = summed(r, self.densities(at[:1], at[1:]))
            return np.asarray(value + sum(self._log_density_of(j, x) for j, x in enumerate(at)))

    def _by_scale(self, r: Floats, x: Floats) -> tuple[Floats, Floats, Floats]:
        """Values ``(F,)``, slopes ``(2, F)`` and curvatures ``(2, 2, F)`` at ``(2, F)`` on the scales without bounds."""
        domains = [*self.domains.values()]
        with np.errstate(all="ignore"):
            at = np.stack([d.bounded(v) for d, v in zip(domains, x, strict=True)])
            value, by = self._value(r, at), [summed(r, v) for v in self.derivatives(at[:1], at[1:])]
            first, second = np.stack(by[:2]), np.array([[by[2], by[3]], [by[3], by[4]]])
            for j, v in enumerate(at):
                slope, curve = self._slopes_of(j, v)
                first[j], second[j, j] = first[j] + slope, second[j, j] + curve
            turned = np.stack([d.slope(v) for d, v in zip(domains, at, strict=True)])
            second = second * turned * turned[:, None]
            for j, (d, v) in enumerate(zip(domains, at, strict=True)):
                second[j, j] += first[j] * d.bend(v)
            return value, first * turned, second

    def _climbed(self, r: Floats, start: Floats) -> tuple[Floats, Floats]:
        """Where Newton's method leads from ``(2, F)``, and the values ``(F,)`` there."""
        domains = [*self.domains.values()]
        with np.errstate(divide="ignore"):
            x = np.stack([d.unbounded(v) for d, v in zip(domains, start, strict=True)])
        value, slope, curve = self._by_scale(r, x)
        step, promised = newton(slope, curve)
        going = np.flatnonzero(promised >= LAST)
        for _ in range(STEPS):
            if not len(going):
                break
            there = x[:, going] + step[:, going]
            new, by, bent = self._by_scale(r[:, going], there)
            better = new >= value[going] - 4 * EPSILON * (np.abs(value[going]) + self.n)
            taken, refused = going[better], going[~better]
            x[:, taken], value[taken] = there[:, better], new[better]
            step[:, taken], promised[taken] = newton(by[:, better], bent[..., better])
            step[:, refused], promised[refused] = step[:, refused] / 4, promised[refused] / 4
            going = going[promised[going] >= LAST]
        # The last step, that of quadratic convergence; one that was refused for ever is as short.
        x, value = x + step, value + promised
        return np.stack([d.bounded(v) for d, v in zip(domains, x, strict=True)]), value

    def _all_or_none(self, r: Floats, best: Floats) -> Floats:
        """The ``best`` ``(2, F)``, but at the upper end of the dispersion where all rows are; there may be no such end."""
        return best

    # Starts

    def start_from(self, responsibilities: Floats, *, wide: bool = True) -> Any:
        maker = self.weak() if wide else self
        shape = (*responsibilities.shape[:-2], 3 * responsibilities.shape[-1])
        return maker.m_step(Weighted(np.nan, responsibilities * self.counts[:, None], np.full(shape, np.nan)))

    def weak(self) -> Self:
        """The same with a weak prior."""
        weak = copy(self)
        weak.prior = self.weak_prior()
        return weak


def summed(r: Floats, terms: Floats) -> Floats:
    """``(F,)`` sums over the rows; what is impossible and has no rows contributes nothing."""
    return np.asarray(np.einsum("nf,nf->f", r, np.where(r > 0, terms, 0.0)))


def newton(slope: Floats, curve: Floats) -> tuple[Floats, Floats]:
    """Steps ``(2, F)`` of Newton's method, away from saddles too, and what they promise ``(F,)``, in nats."""
    sound = np.isfinite(curve).all(axis=(0, 1)) & np.isfinite(slope).all(axis=0)
    slopes = np.where(sound, slope, 0.0).T
    curves, axes = np.linalg.eigh(-np.where(sound, curve, 0.0).transpose(2, 0, 1))
    along = (axes.swapaxes(1, 2) @ slopes[..., None])[..., 0]
    curves = np.maximum(np.abs(curves), np.maximum(LEAST_CURVE * np.abs(along), np.finfo(float).tiny))
    moves = along / curves
    moves *= np.minimum(1.0, LONGEST / np.maximum(np.linalg.norm(moves, axis=1, keepdims=True), LONGEST))
    return (axes @ moves[..., None])[..., 0].T, 0.5 * (moves * along).sum(axis=1)
