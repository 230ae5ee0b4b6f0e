"""Figures of responses with the lines that were fitted: along a single covariate, or component by component."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from comparisons.draws_by_name import draws_of
from comparisons.report.appearance import DATA, WIDTH, Illustration, add_legend, axis_label, component_looks, drawn
from comparisons.report.digits import percent
from comparisons.results.result import Result

if TYPE_CHECKING:
    import xarray

type Floats = NDArray[np.float64]

# Points of a line, and what its band holds of the draws.
POINTS, BAND = 80, 0.94
INTERCEPT = "intercept"


def lines(result: Result, posterior: xarray.DataTree) -> list[Illustration]:
    """Return a figure where quantities are coefficients of columns of the data, else none."""
    values = {q.name: q.em for q in result.quantities if q.name.startswith("coefficients[")}
    columns = [name for name in result.data.columns if name not in ("counts", "labels")]
    names = result.model.component_names
    if not (values and names):
        return []
    # Other columns are what weights depend on.
    covariates = [x for x in columns[1:] if f"coefficients[{names[0]}, {x}]" in values]
    data = {name: np.array(result.data.columns[name], dtype=np.float64) for name in columns}
    terms = [x for x in (INTERCEPT, *covariates) if f"coefficients[{names[0]}, {x}]" in values]

    def design(of: dict[str, Floats], n: int) -> Floats:
        return np.column_stack([np.ones(n) if x == INTERCEPT else of[x] for x in terms])

    lines_of_em = {k: np.array([values[f"coefficients[{k}, {x}]"] for x in terms], dtype=np.float64) for k in names}
    if len(covariates) != 1:
        heights = {k: design(data, len(data[columns[0]])) @ line for k, line in lines_of_em.items()}
        return [_by_component(result, columns[0], data[columns[0]], heights)]
    x, y = covariates[0], columns[0]
    grid = np.linspace(data[x].min(), data[x].max(), POINTS)
    figure = Figure(figsize=(WIDTH * 0.85, 4.2), layout="constrained")
    ax = figure.subplots()
    ax.plot(data[x], data[y], "o", color=DATA, markersize=3, alpha=0.5, markeredgewidth=0, label="data")
    at, bands, looks = design({x: grid}, POINTS), False, component_looks(result)
    for k, line in lines_of_em.items():
        draws = [draws_of(posterior, f"coefficients[{k}, {term}]") for term in terms]
        found = [each.ravel() for each in draws if each is not None]
        if len(found) == len(terms):
            bands = True
            low, high = np.quantile(np.stack(found, axis=-1) @ at.T, [(1 - BAND) / 2, (1 + BAND) / 2], axis=0)
            ax.fill_between(grid, low, high, color=looks[k].colour, alpha=0.3, linewidth=0)
        ax.plot(grid, at @ line, color=looks[k].colour, linestyle=looks[k].dash, linewidth=1.6, label=looks[k].label)
    ax.set_xlabel(axis_label(result, x))
    ax.set_ylabel(axis_label(result, y))
    add_legend(figure, ax)
    told = f" Bands hold {percent(BAND, 0)} of the draws of each line, point by point." if bands else ""
    return [
        Illustration(
            name="lines",
            title=f"{y} against {x}: the lines",
            caption=f"Grey: the data. Lines: of each component by EM.{told}",
            alt=f"Scatter of {y} against {x} with the lines of EM and bands of posterior draws.",
            figure=figure,
        )
    ]


def _by_component(result: Result, y: str, observed: Floats, heights: dict[str, Floats]) -> Illustration:
    """Each component's fitted responses against the observed ones: its own rows lie along the diagonal."""
    n = len(heights)
    figure = Figure(figsize=(WIDTH, 3.4 * -(-n // 2)), layout="constrained")
    axes = figure.subplots(-(-n // 2), min(n, 2), squeeze=False).ravel()
    for spare in axes[n:]:
        spare.remove()
    looks = component_looks(result)
    ends = [observed.min(), observed.max()]
    for ax, (k, fitted) in zip(axes, heights.items(), strict=False):
        ax.plot(fitted, observed, "o", color=DATA, markersize=3, alpha=0.5, markeredgewidth=0, label="data")
        ax.plot(ends, ends, color=looks[k].colour, linestyle=looks[k].dash, linewidth=1.4, label="observed as fitted")
        ax.set_xlabel(f"fitted by {drawn(k)}")
        ax.set_ylabel(axis_label(result, y))
    add_legend(figure, axes[0])
    return Illustration(
        name="lines",
        title=f"{y} against what each component expects",
        caption="Each row in each panel, at what EM's coefficients of that component expect. Rows of the component lie about the "
        "diagonal, with its standard deviation.",
        alt=f"Panels of {y} against the response that each component expects, with the diagonal.",
        figure=figure,
    )
