"""The exact posterior of one or two coins, by quadrature: a third route, with an arithmetic of its own and no Monte Carlo error.

The likelihood is a polynomial in the head probabilities and the weight. In ``y = (2 / pi) arcsin sqrt(p)`` priors with whole
or half numbers are smooth too, so Gauss-Legendre quadrature converges geometrically, and so do Legendre series through its
nodes: they give the density between the nodes and its integral up to any point, and with these the posterior below a
threshold, or with the coins in order, without an edge in any integrand. Two sizes of the grid must agree in every number to
1e-8; where they do not, as with very uneven priors, there is no exact posterior.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import pairwise

import numpy as np
from scipy.special import betainc, betaln, digamma, gammaln, logit, polygamma, xlog1py, xlogy

from comparisons.families.exact import ExactPosterior
from comparisons.families.family import Setup
from models import CoinTosses
from models.inputs import Floats

# Nodes along each axis, until two sizes agree; of the largest the grid has half a million points.
SIZES = (24, 36, 54, 80)
AGREEMENT = 1e-8
# Convergence is geometric: numbers that move by more than this from the first size to the second will not settle by the last.
HOPELESS = 1e-2
# Nats below its highest point at which a density counts as 0.
NEGLIGIBLE = 45.0
# How often the grid is drawn in about the posterior: each time to the nodes that matter, so 1/10 or less while there are few.
ZOOMS = 4


def exact(problem: Setup, thresholds: dict[str, list[float]]) -> ExactPosterior | None:
    """Integrate the posterior, None where it has no such form or the grids do not agree.

    Parameters
    ----------
    thresholds : of each quantity by name, as `comparisons.quantities` names them
    """
    if problem.comparison.n_components > 2:
        return None
    if problem.comparison.n_components == 1:
        return _one_coin(problem, thresholds)
    density = _Density(problem)
    boxes = density.boxes()
    before: ExactPosterior | None = None
    for size in SIZES:
        found = _Grid(density, boxes, size).posterior(problem, thresholds)
        moved = np.inf if before is None else found.distance(before)
        if moved <= AGREEMENT:
            return found
        if before is not None and not moved <= HOPELESS:
            return None
        before = found
    return None


def _one_coin(problem: Setup, thresholds: dict[str, list[float]]) -> ExactPosterior:
    """One coin has a Beta posterior."""
    data, prior = problem.data, problem.prior
    a = float(data.counts @ data.heads + prior.heads)
    b = float(data.counts @ (data.tosses - data.heads) + prior.tails)
    (name,) = thresholds
    evidence = data.counts @ _coefficients(data) + betaln(a, b) - betaln(prior.heads, prior.tails)
    return ExactPosterior(
        {name: a / (a + b)},
        {name: float(np.sqrt(a * b / (a + b + 1)) / (a + b))},
        {name: (float(digamma(a) - digamma(b)), float(np.sqrt(polygamma(1, a) + polygamma(1, b))))},
        {name: [float(betainc(a, b, t)) for t in thresholds[name]]},
        float(evidence),
    )


def _coefficients(data: CoinTosses) -> Floats:
    """Logs ``(n,)`` of the binomial coefficients."""
    h, t = data.heads, data.tosses
    return np.asarray(gammaln(t + 1) - gammaln(h + 1) - gammaln(t - h + 1))


@cache
def _gauss_legendre(size: int) -> tuple[Floats, Floats]:
    return np.polynomial.legendre.leggauss(size)


class _Axis:
    """Gauss-Legendre nodes ``y`` on an interval, and the Legendre series through values at them."""

    def __init__(self, low: float, high: float, size: int) -> None:
        self.low, self.high, self.size = low, high, size
        s, w = _gauss_legendre(size)
        self.y = low + (high - low) * (s + 1) / 2
        self.steps = w * (high - low) / 2
        degrees = np.arange(size)[:, None]
        self._series = (degrees + 0.5) * w * np.polynomial.legendre.legvander(s, size - 1).T

    def _scaled(self, y: Floats) -> Floats:
        return np.clip(2 * (y - self.low) / (self.high - self.low) - 1, -1.0, 1.0)

    def at(self, y: Floats) -> Floats:
        """``(..., size)`` by which values at the nodes are multiplied to have the function at ``y``."""
        return np.asarray(np.polynomial.legendre.legvander(self._scaled(y), self.size - 1) @ self._series)

    def up_to(self, y: Floats) -> Floats:
        """``(..., size)`` by which values at the nodes are multiplied to have the integral up to ``y``."""
        s = self._scaled(y)
        p = np.polynomial.legendre.legvander(s, self.size)
        integrals = np.empty((*s.shape, self.size))
        integrals[..., 0] = s + 1
        integrals[..., 1:] = (p[..., 2:] - p[..., :-2]) / (2 * np.arange(1, self.size) + 1)
        return np.asarray(integrals @ self._series * (self.high - self.low) / 2)


def _probability(y: Floats) -> Floats:
    return np.asarray(np.sin(0.5 * np.pi * y) ** 2)


def _place(p: Floats | float) -> Floats:
    return np.asarray(2 / np.pi * np.arcsin(np.sqrt(np.clip(p, 0.0, 1.0))))


class _Density:
    """Log of likelihood times prior times Jacobian over (weight of the first coin, both coins), in ``y``."""

    def __init__(self, problem: Setup) -> None:
        self.data, self.prior, self.fixed = problem.data, problem.prior, problem.weights.fixed

    def __call__(self, w: Floats, first: Floats, second: Floats) -> Floats:
        """``(w, first, second)`` log density at all combinations of the places on the three axes."""
        data, a, b, c = self.data, self.prior.heads, self.prior.tails, self.prior.concentration
        chances = self.chances(w)
        total = np.zeros((len(chances), len(first), len(second)))
        if self.fixed is None:
            total += _log_beta(chances, w, c, c)[:, None, None]
        p, q = _probability(first), _probability(second)
        total += _log_beta(p, first, a, b)[:, None] + _log_beta(q, second, a, b)
        for h, t, count, label, constant in zip(
            data.heads, data.tosses, data.counts, data.labels, _coefficients(data), strict=True
        ):
            of_first, of_second = (xlogy(h, x) + xlog1py(t - h, -x) for x in (p, q))
            height = max(of_first.max(), of_second.max())
            one = chances[:, None] * np.exp(of_first - height)
            other = (1 - chances)[:, None] * np.exp(of_second - height)
            if label >= 0:
                known = np.log(one)[:, :, None] if label == 0 else np.log(other)[:, None, :]
                total += count * (constant + height + known)
            else:
                total += count * (constant + height + np.log(one[:, :, None] + other[:, None, :]))
        return total

    def chances(self, w: Floats) -> Floats:
        """Weight of the first coin at the places of its axis; the value it is held at, where it is."""
        return _probability(w) if self.fixed is None else self.fixed[:1]

    def boxes(self) -> list[tuple[float, float]]:
        """Interval of each axis outside of which the density is negligible."""
        boxes = [(0.0, 1.0)] * 3
        for _ in range(ZOOMS):
            axes = [np.concatenate([[low], _Axis(low, high, SIZES[0]).y, [high]]) for low, high in boxes]
            with np.errstate(divide="ignore"):
                inside = self(axes[0][1:-1], axes[1][1:-1], axes[2][1:-1])
            matters = inside > inside.max() - NEGLIGIBLE
            for j, axis in enumerate(axes):
                if j == 0 and self.fixed is not None:
                    continue
                seen = np.flatnonzero(matters.any(axis=tuple({0, 1, 2} - {j}))) + 1
                boxes[j] = (float(axis[seen[0] - 1]), float(axis[seen[-1] + 1]))
        return boxes


def _log_beta(p: Floats, y: Floats, a: float, b: float) -> Floats:
    """Log density of a Beta(a, b) at ``p`` by its place ``y``: that of ``p`` and pi sin(pi y / 2) cos(pi y / 2)."""
    return np.asarray(xlogy(a - 0.5, p) + xlog1py(b - 0.5, -p) - betaln(a, b) + np.log(np.pi))


class _Grid:
    """The density at all nodes of one size, and its integrals over what the quantities ask."""

    def __init__(self, density: _Density, boxes: list[tuple[float, float]], size: int) -> None:
        self.chance_axis, self.first, self.second = (_Axis(low, high, size) for low, high in boxes)
        self.free = density.fixed is None
        with np.errstate(divide="ignore"):
            logs = density(self.chance_axis.y, self.first.y, self.second.y)
        self.height = float(logs.max())
        self.values = np.exp(logs - self.height)
        self.w = density.chances(self.chance_axis.y)
        self.steps = self.chance_axis.steps if self.free else np.ones(1)
        self.p, self.q = _probability(self.first.y), _probability(self.second.y)
        self.both = np.tensordot(self.steps, self.values, 1)
        self.total = self._all(self.both)
        fixed = None if self.free else density.fixed
        self.exchangeable = bool((density.data.labels < 0).all() and (fixed is None or fixed[0] == fixed[1]))

    def posterior(self, problem: Setup, thresholds: dict[str, list[float]]) -> ExactPosterior:
        """Every quantity, named."""
        one, other = problem.comparison.components
        tails = {
            f"weights[{one}]": self._weight_below,
            f"weights[{other}]": lambda t: 1 - self._weight_below(1 - t),
            f"head_probabilities[{one}]": self._first_below,
            f"head_probabilities[{other}]": self._second_below,
            "chance_of_heads": self._chance_below,
        }
        names = list(tails)[0 if self.free else 2 :]
        means, sds = self._mean_and_sd(lambda p: p)
        of_logits = zip(*self._mean_and_sd(logit), strict=True)
        below = {name: [tails[name](t) for t in thresholds[name]] for name in names}
        return ExactPosterior(
            dict(zip(names, means.tolist(), strict=True)),
            dict(zip(names, sds.tolist(), strict=True)),
            {name: (float(mean), float(sd)) for name, (mean, sd) in zip(names, of_logits, strict=True)},
            below,
            self.height + float(np.log(self.total)),
        )

    def _mean_and_sd(self, of: Callable[[Floats], Floats]) -> tuple[Floats, Floats]:
        """Of a function of each quantity."""
        means = self._moments(of, np.zeros(5 if self.free else 3), 1)
        # On a grid that is too coarse, and will not agree with the next, an integral of squares may be negative.
        return means, np.sqrt(np.maximum(self._moments(of, means, 2), 0.0))

    def _moments(self, of: Callable[[Floats], Floats], centres: Floats, power: int) -> Floats:
        """Of both weights, where they are free, both head probabilities and the chance of heads, each about its centre."""
        *of_weights, first, second, chance = centres.tolist()
        w, p, q = self.w[:, None, None], self.p[:, None], self.q
        found = []
        if self.free:
            for weight, centre in zip((self.w, 1 - self.w), of_weights, strict=True):
                found.append(self._ordered(np.tensordot(self.steps * (of(weight) - centre) ** power, self.values, 1)))
        found += [
            self._ordered(self.both * (of(p) - first) ** power),
            self._ordered(self.both * (of(q) - second) ** power),
        ]
        distance = (of(w * p + (1 - w) * q) - chance) ** power
        return np.array([*found, self._all(np.tensordot(self.steps, self.values * distance, 1)) / self.total])

    def _all(self, surface: Floats) -> float:
        return float(self.first.steps @ surface @ self.second.steps)

    def _ordered(self, surface: Floats) -> float:
        """Integral over both coins, in ascending order where they are exchangeable, as a share of that of the density."""
        if not self.exchangeable:
            return self._all(surface) / self.total
        above = self.second.steps - self.second.up_to(self.first.y)
        return float(self.first.steps @ (surface * above).sum(axis=1)) / (0.5 * self.total)

    def _weight_below(self, t: float) -> float:
        return self._ordered(np.tensordot(self.chance_axis.up_to(_place(t)), self.values, 1))

    def _first_below(self, t: float) -> float:
        first, second = self.first.up_to(_place(t)), self.second.up_to(_place(t))
        if not self.exchangeable:
            return float(first @ self.both @ self.second.steps) / self.total
        return 1 - float((self.first.steps - first) @ self.both @ (self.second.steps - second)) / self.total

    def _second_below(self, t: float) -> float:
        first = self.first.up_to(_place(t)) if self.exchangeable else self.first.steps
        return float(first @ self.both @ self.second.up_to(_place(t))) / self.total

    def _chance_below(self, t: float) -> float:
        """Integral where w p + (1 - w) q < t; for w on either side of t and 1 - t that has another shape."""
        if not self.free:
            return float(self._slices_below(self.values, self.w, t)[0]) / self.total
        axis = self.chance_axis
        ends = np.unique(np.clip([axis.low, _place(t), _place(1 - t), axis.high], axis.low, axis.high))
        found = 0.0
        for low, high in pairwise(ends.tolist()):
            part = _Axis(low, high, axis.size)
            slices = np.tensordot(axis.at(part.y), self.values, 1)
            found += float(part.steps @ self._slices_below(slices, _probability(part.y), t))
        return found / self.total

    def _slices_below(self, slices: Floats, w: Floats, t: float) -> Floats:
        """The same at each weight: all q where p is below one bound, and q below a line where it is below another."""
        first, second, w = self.first, self.second, w[:, None]
        low, high = (np.clip(_place(p), first.low, first.high) for p in ((t - 1 + w) / w, t / w))
        whole = (first.up_to(low) @ slices @ second.steps)[:, 0]
        # Nodes crowd at both ends, where the place of q on its axis has a square root.
        s = _Axis(0.0, 1.0, first.size)
        y = low + (high - low) * _probability(s.y)
        steps = s.steps * (high - low) * 0.5 * np.pi * np.sin(np.pi * s.y)
        lines = second.up_to(_place((t - w * _probability(y)) / (1 - w)))
        shares: Floats = whole + (steps * ((first.at(y) @ slices) * lines).sum(axis=-1)).sum(axis=-1)
        return shares
