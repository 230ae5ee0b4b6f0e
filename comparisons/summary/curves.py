"""What the figures need: fitted distributions on a grid, and the log-likelihood over two quantities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import gammaln, xlog1py, xlogy

from comparisons.problem import Parameters, Problem
from comparisons.results.report_data import Curves, Surface
from comparisons.results.strict_json import number
from comparisons.summary.quantities import scale
from models import CoinParameters, CoinTosses, GaussianParameters, Measurements
from models.inputs import Floats

if TYPE_CHECKING:
    import xarray as xr

BAND = 0.94
DRAWS_FOR_A_BAND = 400
GRID = 200
SURFACE_GRID = 61


def fitted(problem: Problem, fit: Parameters, posterior: xr.Dataset) -> list[Curves]:
    """The observed distribution of each variable, by EM and by the posterior."""
    if isinstance(problem.data, CoinTosses):
        return [_counts(problem, problem.data, fit, posterior)]
    return [_density(problem, problem.data, fit, posterior, j) for j in range(problem.data.d)]


def _thinned(posterior: xr.Dataset, name: str) -> Floats:
    values = posterior[name].values
    flat = values.reshape(-1, *values.shape[2:])
    return np.asarray(flat[np.linspace(0, len(flat) - 1, min(DRAWS_FOR_A_BAND, len(flat))).astype(int)])


def _weights(problem: Problem, posterior: xr.Dataset, n: int) -> Floats:
    if problem.weights.fixed is not None:
        return np.tile(problem.weights.fixed, (n, 1))
    return _thinned(posterior, "weights")


def _curves(kind: Any, variable: str, grid: Floats, observed: Any, by_component: Floats, drawn: Floats) -> Curves:
    low, high = np.quantile(drawn, [(1 - BAND) / 2, (1 + BAND) / 2], axis=0)
    return Curves(
        kind=kind,
        variable=variable,
        grid=grid.tolist(),
        observed=observed,
        em=[number(v) for v in by_component.sum(axis=0)],
        em_components=[[number(v) for v in row] for row in by_component],
        posterior_mean=[number(v) for v in drawn.mean(axis=0)],
        posterior_low=[number(v) for v in low],
        posterior_high=[number(v) for v in high],
        band_prob=BAND,
    )


def _counts(problem: Problem, data: CoinTosses, fit: Parameters, posterior: xr.Dataset) -> Curves:
    """Expected bags by number of heads, all bags together, a known coin counted for its own bags only."""
    heads = np.arange(data.tosses.max() + 1)
    sizes, place = np.unique(np.column_stack([data.tosses, data.labels]), axis=0, return_inverse=True)
    bags = np.bincount(place.ravel(), weights=data.counts)

    def expected(weights: Floats, p: Floats) -> Floats:
        """``(..., K, heads)`` expected bags of each coin."""
        total = np.zeros((*p.shape, len(heads)))
        for (tosses, label), count in zip(sizes, bags, strict=True):
            tails = tosses - heads
            possible = tails >= 0
            constant = gammaln(tosses + 1) - gammaln(heads + 1) - gammaln(np.where(possible, tails, 0) + 1)
            with np.errstate(invalid="ignore", divide="ignore"):
                pmf = np.where(
                    possible, np.exp(constant + xlogy(heads, p[..., None]) + xlog1py(tails, -p[..., None])), 0.0
                )
            share = weights if label < 0 else np.eye(p.shape[-1])[label] * np.ones_like(p)
            total += count * share[..., None] * pmf
        return total

    assert isinstance(fit, CoinParameters)
    p = _thinned(posterior, "head_probabilities")
    drawn = expected(_weights(problem, posterior, len(p)), p).sum(axis=-2)
    observed = np.bincount(data.heads, weights=data.counts, minlength=len(heads)).tolist()
    by_component = expected(fit.weights, fit.head_probabilities)
    return _curves("counts", problem.comparison.unit, heads.astype(float), observed, by_component, drawn)


def _density(problem: Problem, data: Measurements, fit: Parameters, posterior: xr.Dataset, feature: int) -> Curves:
    """Marginal density of one feature; where labels are known the weights are the labelled shares."""
    assert isinstance(fit, GaussianParameters)
    y = data.y[:, feature]
    margin = 0.08 * np.ptp(y)
    grid = np.linspace(y.min() - margin, y.max() + margin, GRID)

    def density(weights: Floats, means: Floats, variances: Floats) -> Floats:
        z = (grid - means[..., None]) ** 2 / variances[..., None]
        return weights[..., None] * np.exp(-0.5 * z) / np.sqrt(2 * np.pi * variances[..., None])

    means = _thinned(posterior, "means")[..., feature]
    variances = _thinned(posterior, "covariances")[..., feature, feature]
    drawn = density(_weights(problem, posterior, len(means)), means, variances).sum(axis=-2)
    by_component = density(fit.weights, fit.means[:, feature], fit.covariances[:, feature, feature])
    return _curves("density", problem.comparison.features[feature], grid, None, by_component, drawn)


def surface(problem: Problem, log_likelihood: Any, reach: dict[str, tuple[float, float]], vary: Any) -> Surface | None:
    """The log-likelihood over two quantities, the rest held at the estimate.

    Parameters
    ----------
    log_likelihood : of parameters
    reach : lowest and highest value worth showing for each
    vary : gives the parameters with two quantities set to new values, by name
    """
    pair = _pair(problem)
    if pair is None:
        return None
    grids = []
    for name in pair:
        low, high = reach[name]
        if scale(name) == "logit":
            # Off the bounds by a small share of what is shown, however rare an event is.
            low, high = max(low, 1e-4 * high), min(high, 1 - 1e-4 * (1 - low))
        grids.append(np.linspace(low, high, SURFACE_GRID))
    top = log_likelihood(vary({}))
    values = [
        [number(log_likelihood(vary({pair[0]: x, pair[1]: y})) - top) for x in grids[0].tolist()]
        for y in grids[1].tolist()
    ]
    note = "all other parameters held at EM's estimate"
    return Surface(pair[0], pair[1], grids[0].tolist(), grids[1].tolist(), values, note)


def _pair(problem: Problem) -> tuple[str, str] | None:
    c = problem.comparison
    if isinstance(problem.data, CoinTosses):
        if c.n_components < 2:
            return None
        return f"head_probabilities[{c.components[0]}]", f"head_probabilities[{c.components[1]}]"
    one = len(c.features) == 1
    if c.n_components == 1:
        return (f"means[{c.components[0]}]", f"standard_deviations[{c.components[0]}]") if one else None
    first, second = c.components[0], c.components[1]
    if one:
        return f"means[{first}]", f"means[{second}]"
    return f"means[{first}, {c.features[0]}]", f"means[{first}, {c.features[1]}]"
