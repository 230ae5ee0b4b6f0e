"""Figure of the log-likelihood over two quantities, with EM's way to the top and draws of the posterior."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from comparisons.draws_by_name import draws_of
from comparisons.report.appearance import EM, INK, POSTERIOR, Illustration, axis_label, short, shown, thinned
from comparisons.report.charts import chart, styled
from comparisons.report.digits import significant
from comparisons.results.report_data import Surface
from comparisons.results.result import Result

if TYPE_CHECKING:
    import altair as alt
    import xarray

# Pixels.
WIDTH, HEIGHT = 460, 320
MOST_DRAWS = 600
# Nats below the maximum. Not the drops that bound an interval: those are for a profile, and this is mostly a slice.
DROPS = (0.5, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0)
MOST_CONTOURS = 7
# Pixels across and down within which there is one name of a contour.
NAME = np.array([30.0, 13.0])
KINDS = ("posterior draws", "EM iterations", "start of EM", "EM estimate")


def figures_of_surface(result: Result, posterior: xarray.DataTree) -> list[Illustration]:
    """Return the figure of the surface, or nothing where the result has none."""
    surface = result.surface
    if surface is None:
        return []
    draws, told = _draws(posterior, surface)
    path, start = _path(result, surface)
    alt = (
        f"Log-likelihood over {surface.x} and {surface.y} with the path of EM and posterior draws; EM ends at "
        + " and ".join(significant(q.em) for q in result.quantities if q.name in (surface.x, surface.y))
        + "."
    )
    return [
        Illustration(
            name="surface",
            title="Log-likelihood, path of EM and posterior draws",
            caption=(
                f"Contours: log-likelihood in nats below its maximum. {_slice(result, surface)}Line: the estimates of successive "
                f"EM iterations from the start ({start}) to {_end(result)} (cross). {told}"
            ),
            alt=alt,
            figure=styled(_layers(result, surface, draws, path), alt, width=WIDTH, height=HEIGHT),
        )
    ]


def _layers(
    result: Result, surface: Surface, draws: list[dict[str, Any]], path: list[dict[str, Any]]
) -> list[alt.Chart]:
    import altair as alt

    x_range, y_range = _ranges(surface)
    x = alt.X("x:Q").scale(domain=x_range, nice=False).title(axis_label(result, surface.x, short))
    y = alt.Y("y:Q").scale(domain=y_range, nice=False).title(axis_label(result, surface.y, short))
    looks = {
        "fill": alt.Fill("kind:N").scale(domain=KINDS, range=[POSTERIOR, EM, "#ffffff", EM]),
        "stroke": alt.Stroke("kind:N").scale(domain=KINDS, range=[POSTERIOR, EM, EM, INK]),
        "shape": alt.Shape("kind:N").scale(domain=KINDS, range=["circle", "circle", "circle", "cross"]),
        "size": alt.Size("kind:N").scale(domain=KINDS, range=[9, 18, 60, 90]),
        "fillOpacity": alt.FillOpacity("kind:N").scale(domain=KINDS, range=[0.45, 1, 1, 1]),
    }
    estimates = {quantity.name: quantity.em for quantity in result.quantities}
    ends = [{"x": estimates.get(surface.x), "y": estimates.get(surface.y), "kind": KINDS[3]}]
    ends += [{"x": row["x"], "y": row["y"], "kind": KINDS[2]} for row in path[:1]]
    ends = [each for each in ends if _inside(surface, each["x"], each["y"])]
    # Points outside of the frame are left out: to clip them makes the picture of a file twice as slow.
    layers = [
        *_contours(surface, x, y),
        chart(draws).mark_point(opacity=1, strokeOpacity=0).encode(x=x, y=y, **looks),
    ]
    if len(path) > 1:
        last = path[-1]["iteration"]
        slider = alt.binding_range(min=path[0]["iteration"], max=last, step=1, name="Iteration of EM ")
        iteration = alt.param(name="iteration", value=last, bind=slider)
        so_far = chart(path).transform_filter("datum.iteration <= iteration")
        now = so_far.transform_filter("datum.until > iteration")
        seen, seen_now = (each.transform_filter("datum.inside") for each in (so_far, now))
        numbers = [alt.Tooltip(f"{name}:N", title=told) for name, told in _TOLD.items()]
        layers += [
            so_far.mark_line(clip=True, color=EM, strokeWidth=1.5).encode(x=x, y=y, order=alt.Order("iteration:Q")),
            seen.mark_point(opacity=1, strokeWidth=0).encode(x=x, y=y, tooltip=numbers, **looks),
            seen_now.mark_point(opacity=1, color=EM, strokeWidth=2, size=170).encode(x=x, y=y, tooltip=numbers),
            now.mark_text(align="right", baseline="bottom").encode(
                x=alt.value(WIDTH), y=alt.value(-5), text=alt.Text("told:N")
            ),
        ]
        layers[0] = layers[0].add_params(iteration)
    layers.append(chart(ends).mark_point(opacity=1, strokeWidth=1.4).encode(x=x, y=y, **looks))
    return layers


_TOLD = {"iteration": "Iteration", "log_likelihood": "Log-likelihood", "x_told": "Horizontal", "y_told": "Vertical"}


def _ranges(surface: Surface) -> tuple[tuple[float, float], tuple[float, float]]:
    return (min(surface.x_grid), max(surface.x_grid)), (min(surface.y_grid), max(surface.y_grid))


def _inside(surface: Surface, x: Any, y: Any) -> Any:
    """Whether points are in the frame; not where one is missing."""
    (left, right), (low, high) = _ranges(surface)
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    return (x >= left) & (x <= right) & (y >= low) & (y <= high)


def _contours(surface: Surface, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """Shades between the levels, the lighter the higher; lines at the levels, each with its name at one place."""
    import altair as alt
    from contourpy import FillType, LineType, contour_generator

    values = np.ma.masked_invalid(np.array(surface.values, dtype=np.float64))
    levels = sorted(-drop for drop in DROPS if values.min() < -drop < values.max())[-MOST_CONTOURS:]
    found = contour_generator(
        surface.x_grid, surface.y_grid, values, fill_type=FillType.OuterOffset, line_type=LineType.Separate
    )
    bounds = [min(float(values.min()), -1.0) - 1.0, *levels, 1.0]
    grey = [f"#{3 * f'{round(255 * step):02x}'}" for step in np.linspace(0.62, 1, len(levels) + 1)]
    grey[-1] = "#fefefe"  # white is the page's, which is dark in the dark
    shades: list[dict[str, Any]] = []
    lines: list[dict[str, Any]] = []
    names: list[dict[str, Any]] = []
    for shade, (low, high) in zip(grey, pairwise(bounds), strict=True):
        for points, offsets in zip(*found.filled(low, high), strict=True):
            # A hole is gone around the other way, from the same corner and back to it.
            rings = [points[a:b] for a, b in pairwise(offsets)]
            whole = np.concatenate([*rings, *(ring[:1] for ring in rings[-2::-1])])
            shades += _rows(whole, f"{shade}-{len(shades)}", shade=shade)
    for level in levels:
        parts: Any = found.lines(level)
        for part in parts:
            lines += _rows(part, f"{level}-{len(lines)}")
        longest = max(parts, key=len, default=np.empty((0, 2)))
        at = _free(longest, [(each["x"], each["y"]) for each in names], surface)
        if at is not None:
            names.append({"x": float(at[0]), "y": float(at[1]), "told": f"−{-level:g}"})
    path = {"x": x, "y": y, "detail": alt.Detail("part:N"), "order": alt.Order("order:Q")}
    named = chart(names).encode(x=x, y=y, text=alt.Text("told:N"))
    return [
        chart(shades)
        .mark_line(filled=True, fillOpacity=0.45, strokeWidth=0)
        .encode(**path, fill=alt.Fill("shade:N").scale(None)),
        chart(lines).mark_line(color="#666666", strokeWidth=0.8).encode(**path),
        named.mark_text(fontSize=9, stroke="#ffffff", strokeWidth=3),
        named.mark_text(fontSize=9),
    ]


def _free(line: Any, taken: list[tuple[float, float]], surface: Surface) -> Any:
    """Point of a contour, from a third of it on, at which a name is over no other; None where there is none."""
    pixel = np.ptp(np.array(_ranges(surface)), axis=1) / (WIDTH, HEIGHT)
    for point in np.roll(line, -(len(line) // 3), axis=0):
        if all((np.abs(point - other) >= NAME * pixel).any() for other in taken):
            return point
    return None


def _rows(points: Any, part: str, **told: str) -> list[dict[str, Any]]:
    """Corners of a line in their order; four digits are finer than a pixel."""
    return [
        {"x": float(f"{a:.5g}"), "y": float(f"{b:.5g}"), "order": order, "part": part, **told}
        for order, (a, b) in enumerate(points)
    ]


def _draws(posterior: xarray.DataTree, surface: Surface) -> tuple[list[dict[str, Any]], str]:
    """Draws of both quantities, and how many there are, in words."""
    xs, ys = draws_of(posterior, surface.x), draws_of(posterior, surface.y)
    if xs is None or ys is None or not xs.size:
        return [], ""
    xs, ys = xs.ravel(), ys.ravel()
    inside = _inside(surface, xs, ys)
    beyond = int((~inside).sum())
    outside = f" {beyond} of all draws lie outside the frame." if beyond else ""
    keep = np.arange(xs.size)[thinned(xs.size, MOST_DRAWS)]
    rows = [
        {"x": float(f"{x:.5g}"), "y": float(f"{y:.5g}"), "kind": KINDS[0]}
        for x, y in zip(xs[keep[inside[keep]]], ys[keep[inside[keep]]], strict=True)
    ]
    return rows, f"Dots: the two quantities in {shown(xs.size, MOST_DRAWS)}.{outside}"


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


def _path(result: Result, surface: Surface) -> tuple[list[dict[str, Any]], str]:
    """What is known of the iterations, each until the next that is; and where the start is, in words."""
    em = result.em
    if surface.x not in em.path or surface.y not in em.path:
        return [], "not shown"
    rows: list[dict[str, Any]] = []
    for iteration, value, a, b in zip(
        em.trace_iterations, em.trace, em.path[surface.x], em.path[surface.y], strict=True
    ):
        if a is not None and b is not None and np.isfinite([a, b]).all():
            log_likelihood = significant(value, 9)
            row = {"x": a, "y": b, "x_told": significant(a, 5), "y_told": significant(b, 5), "kind": KINDS[1]}
            row |= {"iteration": iteration, "log_likelihood": log_likelihood, "inside": bool(_inside(surface, a, b))}
            rows.append(row | {"told": f"iteration {iteration}: {log_likelihood} nats"})
    if not rows:
        return [], "not shown"
    for row, following in zip(
        rows, [*(each["iteration"] for each in rows[1:]), rows[-1]["iteration"] + 1], strict=True
    ):
        row["until"] = following
    return rows, "open circle" if rows[0]["inside"] else "outside the frame"
