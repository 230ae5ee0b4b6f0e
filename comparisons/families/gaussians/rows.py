"""Measurements beside a normal mixture: draws of its prior, replicates, distances from a fit, statistics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from scipy.special import log_ndtr, ndtr, ndtri

from comparisons.capabilities import Distribution, Margin
from comparisons.families.family import Setup
from comparisons.families.rounding import rounding_step
from comparisons.families.shares import component_shares
from comparisons.results.report_data import Distance, QuantilePlot
from models import GaussianParameters, GaussianPrior, Measurements
from models.gaussians.covariances import CovarianceForm
from models.inputs import Floats

# Of a quantile plot.
BAND = 0.95
# Points of a quantile plot; more cannot be told apart.
MOST_POINTS = 150
# Points at which the distribution of a feature is compared.
GRID = 120
# Points of a density.
DENSITY_GRID = 200


def prior_draws(
    k: int, form: CovarianceForm, prior: GaussianPrior, n: int, random: np.random.Generator
) -> dict[str, Floats]:
    """See `comparisons.families.family.Family.prior_draws`."""
    from scipy import stats

    d, matrices = len(prior.mean), 1 if form.tied else k
    nu, scale = prior.degrees_of_freedom, prior.scale
    if form.shape == "full" and d > 1:
        drawn = stats.invwishart(nu, scale).rvs(size=n * matrices, random_state=random)
        covariances = drawn.reshape(n, matrices, d, d)
    else:
        spherical = form.shape == "spherical"
        size = np.array([np.trace(scale) / d]) if spherical else np.diag(scale)
        variances = stats.invgamma(nu / 2).rvs(size=(n, matrices, len(size)), random_state=random) * size / 2
        covariances = np.eye(d) * variances[..., None, :]
    covariances = np.repeat(covariances, k // matrices, axis=1)
    roots = np.linalg.cholesky(covariances / prior.shrinkage)
    means = prior.mean + np.einsum("nkab,nkb->nka", roots, random.normal(size=(n, k, d)))
    return {"means": means, "covariances": covariances}


def replicates(
    data: Measurements, every: Iterable[GaussianParameters], random: np.random.Generator
) -> Iterator[Measurements]:
    """Draw one data set at each of the parameters, known labels and missing cells kept, rounded as the data are."""
    origin, steps = np.fmin.reduce(data.y), rounding_steps(data)
    labels, observed = np.repeat(data.labels, data.counts), np.repeat(data.observed, data.counts, axis=0)
    for parameters in every:
        drawn = random.choice(parameters.n_components, size=len(labels), p=parameters.weights)
        component = np.where(labels < 0, drawn, labels)
        y = parameters.simulate(component, random)
        rounded = origin + np.rint((y - origin) / np.where(steps > 0, steps, 1.0)) * steps
        drawn = np.where(observed, np.where(steps > 0, rounded, y), np.nan)
        yield Measurements(drawn, labels=labels, missing="marginal")


def values(data: Measurements, j: int) -> Floats:
    """What was seen of a feature, sorted, each value as often as its row."""
    seen = data.observed[:, j]
    return np.sort(np.repeat(data.y[seen, j], data.counts[seen]))


def rounding_steps(data: Measurements) -> Floats:
    """``(d,)`` the step of which all values of a feature are multiples apart, in any unit; 0 where they are not rounded."""
    columns = [values(data, j) for j in range(data.d)]
    return np.array([rounding_step(np.unique(column), len(column)) for column in columns])


def distances(
    problem: Setup,
    fit: GaussianParameters,
    refits: Sequence[tuple[Measurements, GaussianParameters]],
    placed: Any,
) -> tuple[list[Distance], list[QuantilePlot]]:
    """The Anderson-Darling distance of each feature from its marginal, and its quantiles against the fit's."""
    found, plots = [], []
    for j, feature in enumerate(problem.comparison.features):
        scores = [_scores(data, parameters, j) for data, parameters in refits]
        observed = _scores(problem.data, fit, j)
        found.append(placed(f"Anderson–Darling A² of {feature}", anderson_darling, observed, scores))
        plots.append(_quantile_plot(feature, problem.data, fit, j, observed, np.array(scores)))
    return found, plots


def _marginal(data: Measurements, parameters: GaussianParameters, j: int) -> tuple[Floats, Floats, Floats]:
    """Weights, means and standard deviations of a feature over all rows that have it, known labels counted."""
    counts = data.counts * data.observed[:, j]
    shares = np.average(component_shares(parameters.weights, data.labels), axis=0, weights=counts)
    return shares, parameters.means[:, j], parameters.standard_deviations[:, j]


def normal_scores(y: Floats, shares: Floats, means: Floats, deviations: Floats) -> Floats:
    """Standard normal quantiles of the mixture's distribution function at ``y``, exact in both tails."""
    z = (y[..., None] - means) / deviations
    below, above = ndtr(z) @ shares, ndtr(-z) @ shares
    tiny = np.finfo(float).tiny
    return np.where(below < above, ndtri(np.maximum(below, tiny)), -ndtri(np.maximum(above, tiny)))


def at_scores(scores: Floats, shares: Floats, means: Floats, deviations: Floats) -> Floats:
    """Values with these normal scores, by bisection."""
    reach = 40 * deviations.max()
    low, high = np.full(len(scores), means.min() - reach), np.full(len(scores), means.max() + reach)
    for _ in range(80):
        middle = (low + high) / 2
        above = normal_scores(middle, shares, means, deviations) > scores
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return (low + high) / 2


def _scores(data: Any, parameters: Any, j: int) -> Floats:
    return normal_scores(values(data, j), *_marginal(data, parameters, j))


def anderson_darling(scores: Floats) -> float:
    """A2 of sorted normal scores: the squared distance of distribution functions, weighted up in the tails."""
    n = len(scores)
    odd = 2 * np.arange(n) + 1
    return float(-n - (odd * (log_ndtr(scores) + log_ndtr(-scores[::-1]))).mean())


def _quantile_plot(feature: str, data: Any, parameters: Any, j: int, observed: Floats, drawn: Floats) -> QuantilePlot:
    """Points at up to ``MOST_POINTS`` ranks, the ends among them, with a studentised band in normal scores."""
    n = len(observed)
    ranks = np.unique(np.rint(np.linspace(0, n - 1, min(n, MOST_POINTS))).astype(int))
    marginal = _marginal(data, parameters, j)
    at_ranks = values(data, j)[ranks]
    fitted = at_scores(ndtri((ranks + 0.5) / n), *marginal)
    low = high = np.zeros(0)
    outside = 0
    if len(drawn) > 1:
        centre, spread = drawn[:, ranks].mean(axis=0), drawn[:, ranks].std(axis=0)
        reach = np.quantile(np.abs((drawn[:, ranks] - centre) / spread).max(axis=1), BAND)
        low, high = centre - reach * spread, centre + reach * spread
        outside = int(((observed[ranks] < low) | (observed[ranks] > high)).sum())
        low, high = at_scores(low, *marginal), at_scores(high, *marginal)
    return QuantilePlot(feature, fitted.tolist(), at_ranks.tolist(), low.tolist(), high.tolist(), BAND, outside)


def statistics(features: Sequence[str], data: Measurements) -> dict[str, float]:
    """Shape, ends and the largest gap of each feature."""
    found: dict[str, float] = {}
    for j, feature in enumerate(features):
        y = values(data, j)
        z = (y - y.mean()) / y.std()
        found |= {
            f"skewness of {feature}": float((z**3).mean()),
            f"kurtosis of {feature}": float((z**4).mean()),
            f"smallest {feature}": float(y[0]),
            f"largest {feature}": float(y[-1]),
            f"largest gap in {feature}": float(np.diff(y).max()),
        }
    return found


def distribution(problem: Setup, j: int) -> Distribution:
    """Share of rows at or below each point, so that no choice of bins comes in."""
    y = values(problem.data, j)
    grid = np.linspace(y[0], y[-1], GRID)

    def shares(data: Any) -> Floats:
        found = values(data, j)
        return np.searchsorted(found, grid, side="right") / len(found)

    return Distribution("distribution", problem.comparison.features[j], grid, shares(problem.data), shares)


def margin(problem: Setup, j: int, feature: str) -> Margin:
    """A feature by itself. Where labels are known the weights are the labelled shares."""
    y = problem.data.y[:, j]
    low, high = np.fmin.reduce(y), np.fmax.reduce(y)
    beside = 0.08 * (high - low)
    grid = np.linspace(low - beside, high + beside, DENSITY_GRID)

    def density(arrays: dict[str, Floats]) -> Floats:
        means, variances = arrays["means"][..., j, None], arrays["covariances"][..., j, j, None]
        z = (grid - means) ** 2 / variances
        return arrays["weights"][..., None] * np.exp(-0.5 * z) / np.sqrt(2 * np.pi * variances)

    def below(at: float, arrays: dict[str, Floats]) -> Floats:
        means, variances = arrays["means"][..., j], arrays["covariances"][..., j, j]
        return np.asarray((arrays["weights"] * ndtr((at - means) / np.sqrt(variances))).sum(axis=-1))

    return Margin(
        kind="density",
        name=feature,
        unit=feature,
        values=y,
        ties=0.5,
        most=np.inf,
        grid=grid,
        observed=None,
        expected=density,
        below=below,
    )
