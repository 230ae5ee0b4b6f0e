"""Rows beside a mixture of regressions: draws of its prior, replicates, distances from a fit, curves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from scipy import stats
from scipy.special import log_ndtr, ndtr, ndtri

from comparisons.capabilities import Distribution, Margin
from comparisons.declaration import Comparison
from comparisons.families.family import Setup
from comparisons.families.rounding import rounding_step
from comparisons.families.shares import component_shares
from comparisons.results.report_data import Distance, QuantilePlot
from models import RegressionParameters, RegressionPrior, RegressionRows
from models.inputs import Floats, Integers

# Of a quantile plot: nominal probability, and points, as more cannot be told apart.
BAND, MOST_POINTS = 0.95, 150
# Points of a density.
GRID = 200


def is_shared(comparison: Comparison) -> bool:
    """Whether several components have one variance."""
    return comparison.covariance == "tied" and comparison.n_components > 1


def prior_draws(
    comparison: Comparison, prior: RegressionPrior, n: int, random: np.random.Generator
) -> dict[str, Floats]:
    """See `comparisons.families.family.Family.prior_draws`."""
    k, p = comparison.n_components, len(prior.mean)
    own = 1 if is_shared(comparison) else k
    v = stats.invgamma(prior.degrees_of_freedom / 2, scale=prior.scale / 2).rvs(size=(n, own), random_state=random)
    v = np.repeat(v, k // own, axis=1)
    z = random.normal(size=(n, k, p)) * np.sqrt(v)[..., None]
    return {"coefficients": prior.mean + np.linalg.solve(prior.root, z[..., None])[..., 0], "variances": v}


def simulated(
    data: RegressionRows, parameters: RegressionParameters, components: Integers, random: np.random.Generator
) -> RegressionRows:
    """See `comparisons.families.family.Family.simulated`."""
    lines, design = (np.repeat(rows.design, data.counts, axis=0) for rows in (data.lines, data))
    return data.like(parameters.simulate(components, lines, random), design)


def about_average(data: RegressionRows) -> Floats:
    """``(n, m)`` concomitants about their means; what is subtracted first loses no digits to an origin far away."""
    beside = data.concomitants - data.concomitants[0]
    return np.asarray(beside - data.counts @ beside / data.n)


def gates(data: RegressionRows, parameters: Any) -> Floats:
    """``(..., n, K)`` logs of the weights of each row over those at the average of its concomitants."""
    odds = about_average(data) @ np.swapaxes(parameters.gating, -1, -2)
    largest = odds.max(axis=-1, keepdims=True)
    total = (parameters.weights[..., None, :] * np.exp(odds - largest)).sum(axis=-1, keepdims=True)
    return np.asarray(odds - largest - np.log(total))


def weights_of_rows(data: RegressionRows, parameters: Any) -> Floats:
    """``(..., n, K)``, or ``(..., 1, K)`` where all rows have the same."""
    weights: Floats = parameters.weights[..., None, :]
    return weights * np.exp(gates(data, parameters)) if data.n_concomitants else weights


def hidden(data: RegressionRows, parameters: RegressionParameters, random: np.random.Generator) -> Integers:
    """``(n,)`` components drawn by the weights of the rows."""
    if not data.n_concomitants:
        return random.choice(parameters.n_components, size=data.n, p=parameters.weights)
    shares = np.repeat(weights_of_rows(data, parameters), data.counts, axis=0)
    return np.asarray((random.random(data.n)[:, None] > np.cumsum(shares, axis=1)[:, :-1]).sum(axis=1))


def replicates(
    data: RegressionRows, every: Iterable[RegressionParameters], random: np.random.Generator
) -> Iterator[RegressionRows]:
    """See `comparisons.families.family.Family.replicates`."""
    labels = np.repeat(data.labels, data.counts)
    origin, step = data.y.min(), rounding_step(np.unique(data.y), data.n)
    for parameters in every:
        drawn = hidden(data, parameters, random)
        new = simulated(data, parameters, np.where(labels < 0, drawn, labels), random)
        y = origin + np.rint((new.y - origin) / step) * step if step else new.y
        yield data.like(y, new.design, labels=labels)


def scores(data: RegressionRows, parameters: RegressionParameters) -> Floats:
    """Normal scores ``(n,)`` of each response given its covariates, sorted; exact in both tails."""
    z = (data.y[:, None] - data.lines.design @ parameters.coefficients.T) / parameters.standard_deviations
    shares = component_shares(weights_of_rows(data, parameters), data.labels)
    below, above = (ndtr(z) * shares).sum(axis=1), (ndtr(-z) * shares).sum(axis=1)
    tiny = np.finfo(float).tiny
    found = np.where(below < above, ndtri(np.maximum(below, tiny)), -ndtri(np.maximum(above, tiny)))
    return np.sort(np.repeat(found, data.counts))


def distances(
    problem: Setup,
    fit: RegressionParameters,
    refits: Sequence[tuple[RegressionRows, RegressionParameters]],
    placed: Any,
) -> tuple[list[Distance], list[QuantilePlot]]:
    """See `comparisons.families.family.Family.distances`."""
    observed = scores(problem.data, fit)
    drawn = [scores(data, parameters) for data, parameters in refits]
    n, of = len(observed), problem.comparison.features[0]
    ranks = np.unique(np.rint(np.linspace(0, n - 1, min(n, MOST_POINTS))).astype(int))
    low = high = np.zeros(0)
    outside = 0
    if len(drawn) > 1:
        those = np.array(drawn)[:, ranks]
        centre, spread = those.mean(axis=0), those.std(axis=0)
        reach = np.quantile(np.abs((those - centre) / spread).max(axis=1), BAND)
        low, high = centre - reach * spread, centre + reach * spread
        outside = int(((observed[ranks] < low) | (observed[ranks] > high)).sum())
    name, expected = f"normal score of {of}", ndtri((ranks + 0.5) / n)
    plot = QuantilePlot(name, expected.tolist(), observed[ranks].tolist(), low.tolist(), high.tolist(), BAND, outside)
    return [placed(f"Anderson–Darling A² of {of} given its covariates", _anderson_darling, observed, drawn)], [plot]


def statistics(comparison: Comparison, data: RegressionRows) -> dict[str, float]:
    """See `comparisons.families.family.Family.statistics`."""
    told, of = np.repeat(data.y, data.counts), comparison.features[0]
    return {
        f"skewness of {of}": float(stats.skew(told)),
        f"smallest {of}": float(told.min()),
        f"largest {of}": float(told.max()),
    }


def distribution(problem: Setup) -> Distribution:
    """Of the response."""
    y, name = problem.data.y, problem.comparison.features[0]
    grid = np.linspace(y.min(), y.max(), GRID)

    def shares(data: RegressionRows) -> Floats:
        told = np.sort(np.repeat(data.y, data.counts))
        return np.searchsorted(told, grid, side="right") / len(told)

    return Distribution("distribution", name, grid, shares(problem.data), shares)


def margins(problem: Setup) -> list[Margin]:
    """See `comparisons.families.family.Family.margins`."""
    data, name = problem.data, problem.comparison.features[0]
    grid = np.linspace(data.y.min(), data.y.max(), GRID)
    shares, beside = data.counts / data.n, about_average(data)

    def averaged(of: Callable[[Floats, Floats], Floats], at: Floats, arrays: dict[str, Floats]) -> Floats:
        """``(..., K, G)`` what ``of`` says of distances in standard deviations, and of these, averaged over the rows.

        A known component counts for its own ones.
        """
        widths = np.sqrt(arrays["variances"])[..., None]
        total: Any = 0.0
        for x, c, share, label in zip(data.lines.design, beside, shares, data.labels, strict=True):
            heights = (arrays["coefficients"] @ x)[..., None]
            weights = arrays["weights"]
            if len(c):
                odds = arrays["gating"] @ c
                weights = weights * np.exp(odds - odds.max(axis=-1, keepdims=True))
                weights = weights / weights.sum(axis=-1, keepdims=True)
            weights = weights if label < 0 else np.eye(weights.shape[-1])[label] * np.ones_like(weights)
            total = total + share * weights[..., None] * of((at - heights) / widths, widths)
        return np.asarray(total)

    return [
        Margin(
            kind="density",
            name=name,
            unit=name,
            values=data.y,
            ties=0.5,
            most=np.inf,
            grid=grid,
            observed=None,
            expected=lambda arrays: averaged(_density, grid, arrays),
            below=lambda at, arrays: averaged(lambda z, _: ndtr(z), np.array([at]), arrays).sum(axis=-2)[..., 0],
        )
    ]


def _density(z: Floats, widths: Floats) -> Floats:
    return np.asarray(np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi) / widths)


def _anderson_darling(scores: Floats) -> float:
    """A2 of sorted normal scores: the squared distance of distribution functions, weighted up in the tails."""
    n = len(scores)
    odd = 2 * np.arange(n) + 1
    return float(-n - (odd * (log_ndtr(scores) + log_ndtr(-scores[::-1]))).mean())
