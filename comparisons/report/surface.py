"""Figure of the log-likelihood over two quantities, with EM's way to the top and draws of the posterior."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from comparisons.report.appearance import (
    EM,
    INK,
    POSTERIOR,
    WIDTH,
    Illustration,
    add_legend,
    axis_label,
    shown,
    thinned,
)
from comparisons.report.digits import significant
from comparisons.report.draws import draws_of
from comparisons.results.report_data import Surface
from comparisons.results.result import Result

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

MOST_DRAWS = 600
# Nats below the maximum. Not the drops that bound an interval: those are for a profile, and this is mostly a slice.
DROPS = (0.5, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0)
MOST_CONTOURS = 7


def figures_of_surface(result: Result, posterior: xarray.DataTree) -> list[Illustration]:
    """Return the figure of the surface, or nothing where the result has none."""
    surface = result.surface
    if surface is None:
        return []
    figure = Figure(figsize=(WIDTH * 0.85, 4.9), layout="constrained")
    ax = figure.subplots()
    x_range, y_range = (min(surface.x_grid), max(surface.x_grid)), (min(surface.y_grid), max(surface.y_grid))
    values = np.ma.masked_invalid(np.array(surface.values, dtype=np.float64))
    levels = sorted(-drop for drop in DROPS if values.min() < -drop < values.max())[-MOST_CONTOURS:]
    if levels:
        steps = np.linspace(0.62, 1, len(levels) + 1)
        shades = [(step, step, step) for step in steps]
        ax.contourf(
            surface.x_grid, surface.y_grid, values, levels=[*levels, 0.001], colors=shades[1:], extend="min", alpha=0.45
        )
        lines = ax.contour(surface.x_grid, surface.y_grid, values, levels=levels, colors="#555555", linewidths=0.7)
        lines.set_linestyle("solid")
        for label in ax.clabel(lines, fmt=lambda level: f"−{-level:g}", fontsize=7):
            label.set_bbox({"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6})
            label.set_zorder(5)
    draws = _draws(ax, posterior, surface.x, surface.y, x_range, y_range)
    start = _path(ax, result, surface.x, surface.y, x_range, y_range)
    ax.set_xlim(x_range)
    ax.set_ylim(y_range)
    ax.set_xlabel(axis_label(result, surface.x))
    ax.set_ylabel(axis_label(result, surface.y))
    add_legend(figure, ax)
    return [
        Illustration(
            name="surface",
            title="Log-likelihood, path of EM and posterior draws",
            caption=(
                f"Contours: log-likelihood in nats below its maximum. {_slice(result, surface)}Line: the estimates of successive "
                f"EM iterations from the start ({start}) to {_end(result)} (cross). {draws}"
            ),
            alt=f"Log-likelihood over {surface.x} and {surface.y} with the path of EM and posterior draws; EM ends at "
            + " and ".join(significant(q.em) for q in result.quantities if q.name in (surface.x, surface.y))
            + ".",
            figure=figure,
        )
    ]


def _draws(
    ax: Axes,
    posterior: xarray.DataTree,
    x: str,
    y: str,
    x_range: tuple[float, float],
    y_range: tuple[float, float],
) -> str:
    xs, ys = draws_of(posterior, x), draws_of(posterior, y)
    if xs is None or ys is None:
        return ""
    xs, ys = xs.ravel(), ys.ravel()
    if not xs.size:
        return ""
    keep = thinned(xs.size, MOST_DRAWS)
    ax.plot(
        xs[keep], ys[keep], "o", color=POSTERIOR, markersize=2.4, alpha=0.4, markeredgewidth=0, label="posterior draws"
    )
    inside = (xs >= x_range[0]) & (xs <= x_range[1]) & (ys >= y_range[0]) & (ys <= y_range[1])
    beyond = int((~inside).sum())
    outside = f" {beyond} of all draws lie outside the frame." if beyond else ""
    return f"Dots: the two quantities in {shown(xs.size, MOST_DRAWS)}.{outside}"


def _slice(result: Result, surface: Surface) -> str:
    """What is held fixed; nothing where the two quantities are all the free parameters."""
    if all(quantity.name in (surface.x, surface.y, result.model.notes["average"]) for quantity in result.quantities):
        return ""
    note = surface.note.strip().removesuffix(".")
    return (
        f"This is a slice: {note[:1].lower()}{note[1:]}. Draws may lie far outside the contours, because the other parameters "
        "move with them. "
    )


def _end(result: Result) -> str:
    return "where EM ended, one point of a ridge" if result.em.status == "ridge" else "the maximum"


def _path(ax: Axes, result: Result, x: str, y: str, x_range: tuple[float, float], y_range: tuple[float, float]) -> str:
    path = result.em.path
    start = "not shown"
    if x in path and y in path:
        xs, ys = (np.array(path[name], dtype=np.float64) for name in (x, y))
        known = np.isfinite(xs) & np.isfinite(ys)
        xs, ys = xs[known], ys[known]
        if len(xs):
            ax.plot(xs, ys, "-", color=EM, linewidth=1.3, marker=".", markersize=4, label="EM iterations")
            ax.plot(
                xs[0],
                ys[0],
                "o",
                color=EM,
                markersize=8,
                markerfacecolor="white",
                markeredgewidth=1.6,
                label="start of EM",
            )
            inside = x_range[0] <= xs[0] <= x_range[1] and y_range[0] <= ys[0] <= y_range[1]
            start = "open circle" if inside else "outside the frame"
    estimates = {quantity.name: quantity.em for quantity in result.quantities}
    x_estimate, y_estimate = estimates.get(x), estimates.get(y)
    if x_estimate is not None and y_estimate is not None:
        ax.plot(x_estimate, y_estimate, "P", color=EM, markersize=9, markeredgecolor=INK, label="EM estimate")
    return start
