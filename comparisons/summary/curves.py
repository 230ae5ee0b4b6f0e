"""What the figures need: fitted distributions on a grid, and the log-likelihood over two quantities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from comparisons.capabilities import Margin, Parameters
from comparisons.problem import Problem
from comparisons.results.report_data import Curves, Surface
from comparisons.results.strict_json import number
from models.inputs import Floats

if TYPE_CHECKING:
    import xarray as xr

BAND = 0.94
DRAWS_FOR_A_BAND = 400
SURFACE_GRID = 61


def fitted(problem: Problem, fit: Parameters, posterior: xr.Dataset) -> list[Curves]:
    """The observed distribution of each variable, by EM and by the posterior."""
    draws = {name: _thinned(values) for name, values in problem.arrays_of_draws(posterior).items()}
    by_em = problem.arrays(fit)
    return [
        _curves(margin, margin.expected(by_em), margin.expected(draws).sum(axis=-2)) for margin in problem.margins()
    ]


def _thinned(values: Floats) -> Floats:
    flat = values.reshape(-1, *values.shape[2:])
    return np.asarray(flat[np.linspace(0, len(flat) - 1, min(DRAWS_FOR_A_BAND, len(flat))).astype(int)])


def _curves(margin: Margin, by_component: Floats, drawn: Floats) -> Curves:
    low, high = np.quantile(drawn, [(1 - BAND) / 2, (1 + BAND) / 2], axis=0)
    return Curves(
        kind=margin.kind,
        variable=margin.unit,
        grid=margin.grid.tolist(),
        observed=None if margin.observed is None else margin.observed.tolist(),
        em=[number(v) for v in by_component.sum(axis=0)],
        em_components=[[number(v) for v in row] for row in by_component],
        posterior_mean=[number(v) for v in drawn.mean(axis=0)],
        posterior_low=[number(v) for v in low],
        posterior_high=[number(v) for v in high],
        band_prob=BAND,
    )


def surface(problem: Problem, log_likelihood: Any, reach: dict[str, tuple[float, float]], vary: Any) -> Surface | None:
    """The log-likelihood over two quantities, the rest held at the estimate.

    Parameters
    ----------
    log_likelihood : of parameters
    reach : lowest and highest value worth showing for each
    vary : gives the parameters with two quantities set to new values, by name
    """
    pair = problem.surface()
    if pair is None:
        return None
    grids = []
    for name in pair:
        low, high = reach[name]
        # Off the bounds by a small share of what is shown, however rare an event is.
        if problem.scale(name) != "identity":
            low = max(low, 1e-4 * high)
        if problem.scale(name) == "logit":
            high = min(high, 1 - 1e-4 * (1 - low))
        grids.append(np.linspace(low, high, SURFACE_GRID))
    top = log_likelihood(vary({}))
    values = [
        [number(log_likelihood(vary({pair[0]: x, pair[1]: y})) - top) for x in grids[0].tolist()]
        for y in grids[1].tolist()
    ]
    note = "all other parameters held at EM's estimate"
    return Surface(pair[0], pair[1], grids[0].tolist(), grids[1].tolist(), values, note)
