"""One figure of all quantities: EM's intervals beside the posterior, a line each, all on one scale.

The scale is that of the posterior: standard deviations from its mean, so that an interval too narrow, too wide or off centre
looks so whatever the unit. It is linear in each quantity; no interval is bent.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from comparisons.draws_by_name import Floats, draws_of
from comparisons.quantity_names import in_prose
from comparisons.report import explanations
from comparisons.report.appearance import DATA, EM, FIRST, POSTERIOR, Illustration, short
from comparisons.report.charts import chart, styled
from comparisons.report.digits import MISSING, decimals_for, percent, rounded
from comparisons.report.marginals import drawable
from comparisons.report.reservations import converged
from comparisons.results.result import Quantity, Result
from comparisons.results.strict_json import Number

if TYPE_CHECKING:
    import altair as alt
    import xarray

# Pixels: of the frame, narrow enough that a phone can show it with the names; of a line where there are few and where there
# are many, and of all lines where there are many.
BROAD = 330
TALLEST, LOWEST, TOGETHER = 46, 39, 430
NOTHING = "No quantities: an engine stopped with an error."
# Places below the middle of a line, in lines: of the posterior, of Wald's interval, of the profile's.
HDI, WALD, PROFILE = 0.08, 0.22, 0.36
# Height of a density, in lines, and the points that it is drawn with.
HEIGHT, POINTS = 0.48, 120
# Posterior standard deviations: shown at least, and at most, whatever an interval does.
SHOWN, MOST = 3.0, 6.0
# Characters of a name on one line, lines, and pixels of one.
LONGEST, MOST_LINES, LINE = 24, 3, 14
MARKS = {"agree": "✓", "slight": "≈ slightly off", "marked": "✗ markedly off", "no interval": "– no Wald interval"}


def marked(quantity: Quantity) -> str:
    """Return the mark of a quantity: whether EM's interval serves, and by how much it does not."""
    return MARKS.get(quantity.degree or quantity.verdict, "?")


def illustration_of(result: Result, posterior: xarray.DataTree) -> Illustration:
    """Return the figure as the first of a report."""
    probability = percent(result.quantities[0].posterior.hdi_prob, 0) if result.quantities else ""
    profile = any(q.profile_low is not None or q.profile_high is not None for q in result.quantities)
    profiles = ", profile interval (dashes)" if profile else ""
    return Illustration(
        name=FIRST,
        title="EM beside the posterior",
        caption=(
            "A line for each quantity, in posterior standard deviations from the posterior mean. Blue: the posterior's density, "
            f"mean (square) and {probability} highest-density interval. Orange: EM's estimate (point), {probability} Wald "
            f"interval (line){profiles}. Arrows point to what lies beyond the figure. On the right: is EM close enough? The "
            "key below the table explains the marks."
        ),
        alt=_alt(result),
        figure=chart_of(result, posterior),
    )


def _alt(result: Result) -> str:
    probability = percent(result.quantities[0].posterior.hdi_prob, 0) if result.quantities else ""
    told = []
    for q in result.quantities:
        d = decimals_for(q.em_se, q.posterior.sd)
        ends = ((q.em_low, q.em_high), (q.posterior.hdi_low, q.posterior.hdi_high))
        em, hdi = (f"{rounded(low, d)} to {rounded(high, d)}" if low is not None else "none" for low, high in ends)
        told.append(f"{in_prose(q.name)}: EM {em}, posterior {hdi}, {explanations.told(q.verdict, q.degree)}")
    return f"Intervals of probability {probability}. {'; '.join(told)}."


def chart_of(result: Result, posterior: xarray.DataTree) -> alt.LayerChart:
    """Return the figure, as high as its lines; hovering over a line tells its numbers."""
    import altair as alt

    n = len(result.quantities)
    if not n:
        return styled([chart([{"told": NOTHING}]).mark_text().encode(text=alt.Text("told:N"))], NOTHING)
    limits, names = _limits(result), [_label(quantity.name) for quantity in result.quantities]
    # Names of several lines do not run into each other.
    tall = max(min(TALLEST, max(LOWEST, TOGETHER // n)), LINE * max(map(len, names)) + 4)
    probability = percent(result.quantities[0].posterior.hdi_prob, 0)
    left_out = "" if converged(result) else ", chains not converged"
    kinds = [f"posterior, {probability} HDI{left_out}", f"EM, {probability} Wald", f"EM, {probability} profile"]
    densities, intervals, points, told = [], [], [], []
    for place, (quantity, name) in enumerate(zip(result.quantities, names, strict=True)):
        draws = draws_of(posterior, quantity.name)
        densities += _density(place, quantity, draws, limits)
        lines, marks = _line(place, drawable(result, quantity), limits)
        intervals += [{**line, "kind": kinds[line["kind"]]} for line in lines]
        points += marks
        # The first of several lines is as far above the middle as the last is below.
        at = round(place - (len(name) - 1) / 2 * LINE / tall, 4)
        told.append({"place": place, "at": at, "name": name, "mark": marked(quantity), **_numbers(quantity)})
    # A legend of what is drawn; where nothing is, it tells what is missing.
    drawn = [k for k in range(len(kinds)) if any(line["kind"] == kinds[k] for line in intervals)] or range(len(kinds))

    def of_drawn(looks: list[Any]) -> list[Any]:
        return [looks[k] for k in drawn]

    x = alt.X("x:Q").scale(domain=limits, nice=False).axis(format="~g", tickCount=7)
    x = x.title("posterior standard deviations from posterior mean")
    y = alt.Y("y:Q").scale(domain=[n - 0.5, -0.6], nice=False).axis(None)
    broad = chart(told).encode(y=alt.Y("place:Q"))
    layers = [
        chart([{"x": 0}]).mark_rule(color=DATA, strokeWidth=0.8).encode(x=x),
        chart(densities)
        .mark_area(color=POSTERIOR, fillOpacity=0.3)
        .encode(x=x, y=y, y2=alt.Y2("place:Q"), detail=alt.Detail("place:N")),
        chart(intervals)
        .mark_rule()
        .encode(
            x=alt.X("low:Q"),
            x2=alt.X2("high:Q"),
            y=y,
            color=alt.Color("kind:N")
            .scale(domain=of_drawn(kinds), range=of_drawn([POSTERIOR, EM, EM]))
            .legend(symbolType="stroke"),
            strokeDash=alt.StrokeDash("kind:N").scale(domain=of_drawn(kinds), range=of_drawn([[1, 0], [1, 0], [5, 3]])),
            strokeWidth=alt.StrokeWidth("kind:N").scale(domain=of_drawn(kinds), range=of_drawn([4, 2.6, 1.6])),
        ),
        chart(points)
        .mark_point(filled=True, size=42, opacity=1)
        .encode(x=x, y=y, color=alt.Color("colour:N").scale(None), shape=alt.Shape("shape:N").scale(None)),
        broad.mark_text(align="right", baseline="middle", lineHeight=LINE).encode(
            x=alt.value(-10), y=alt.Y("at:Q"), text=alt.Text("name:N")
        ),
        broad.mark_text(align="left", baseline="middle").encode(x=alt.value(BROAD + 8), text=alt.Text("mark:N")),
        # Over all else, so that it is the whole line that is hovered over.
        chart(told)
        .transform_calculate(top="datum.place - 0.5", bottom="datum.place + 0.5")
        .mark_rect(fillOpacity=0)
        .encode(
            x=alt.value(0),
            x2=alt.value(BROAD),
            y=alt.Y("top:Q"),
            y2=alt.Y2("bottom:Q"),
            tooltip=[alt.Tooltip(f"{name}:N", title=name) for name in _numbers(result.quantities[0])],
        ),
    ]
    return styled(layers, _alt(result), width=BROAD, height=n * tall)


def _label(name: str) -> list[str]:
    """The name in prose, shorter where a component has a name of its own, broken where long and cut where very long."""
    first, *others = textwrap.wrap(in_prose(name).replace(" in component “", ", “"), LONGEST) or [""]
    last = [f"... {others[-1]}"] if len(others) >= MOST_LINES else others
    return [short(line) for line in [first, *last]]


def _numbers(quantity: Quantity) -> dict[str, str]:
    """What is told of a quantity that is hovered over."""
    d, summary = decimals_for(quantity.em_se, quantity.posterior.sd), quantity.posterior

    def interval(low: Number, high: Number) -> str:
        return MISSING if low is None and high is None else f"{rounded(low, d)} to {rounded(high, d)}"

    return {
        "Quantity": short(in_prose(quantity.name)),
        "EM": rounded(quantity.em, d),
        "SE": rounded(quantity.em_se, d),
        "Wald": interval(quantity.em_low, quantity.em_high),
        "Profile": interval(quantity.profile_low, quantity.profile_high),
        "Mean": rounded(quantity.mean, d),
        "SD": rounded(quantity.sd, d),
        "HDI": interval(summary.hdi_low, summary.hdi_high),
    }


def _limits(result: Result) -> tuple[float, float]:
    """Ends of the axis: all intervals, unless one is far wider than the posterior."""
    ends = [-SHOWN, SHOWN]
    for q in result.quantities:
        if q.mean is not None and q.sd:
            told = (q.em_low, q.em_high, q.profile_low, q.profile_high)
            ends += [(end - q.mean) / q.sd for end in told if end is not None]
    return max(min(ends) - 0.1, -MOST), min(max(ends) + 0.1, MOST)


def _density(
    place: int, quantity: Quantity, draws: Floats | None, limits: tuple[float, float]
) -> list[dict[str, float]]:
    """Outline of the posterior's density, above the middle of the line."""
    if draws is None or quantity.mean is None or not quantity.sd or not np.ptp(draws) > 0:
        return []
    from scipy.stats import gaussian_kde

    x = np.linspace(*limits, POINTS)
    density = gaussian_kde((draws.ravel() - quantity.mean) / quantity.sd)(x)
    heights = place - HEIGHT * density / density.max()
    return [{"x": float(a), "y": float(b), "place": place} for a, b in zip(x.round(3), heights.round(4), strict=True)]


def _line(
    place: int, quantity: Quantity, limits: tuple[float, float]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Intervals and points of one quantity, with arrows where they run past the frame."""
    mean, sd, summary = quantity.mean, quantity.sd, quantity.posterior
    if mean is None or not sd:
        return [], []
    lines, points = [], [{"x": 0.0, "y": place + HDI, "shape": "square", "colour": POSTERIOR}]

    def point(value: float, y: float, shape: str, colour: str) -> float:
        """Draw what is in the frame as it is, and what is not as an arrow at the end; return where that is."""
        x = (value - mean) / sd
        inside = float(np.clip(x, *limits))
        look = shape if x == inside else f"triangle-{'right' if x > inside else 'left'}"
        if look:
            points.append({"x": inside, "y": place + y, "shape": look, "colour": colour})
        return inside

    for kind, (y, low, high) in enumerate(
        (
            (HDI, summary.hdi_low, summary.hdi_high),
            (WALD, quantity.em_low, quantity.em_high),
            (PROFILE, quantity.profile_low, quantity.profile_high),
        )
    ):
        if low is not None and high is not None:
            ends = [point(end, y, "", POSTERIOR if y == HDI else EM) for end in (low, high)]
            lines.append({"low": ends[0], "high": ends[1], "y": place + y, "kind": kind})
    if quantity.em is not None:
        point(quantity.em, WALD, "circle", EM)
    return lines, points
