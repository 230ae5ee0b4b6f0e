"""One figure of all quantities: EM's intervals beside the posterior, a line each, all on one scale.

The scale is that of the posterior: standard deviations from its mean, so that an interval too narrow, too wide or off centre
looks so whatever the unit. It is linear in each quantity; no interval is bent.
"""

from __future__ import annotations

import io
import textwrap
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from comparisons.quantity_names import in_prose
from comparisons.report.appearance import DATA, EM, INK, POSTERIOR, Illustration, drawn, style
from comparisons.report.digits import decimals_for, percent, rounded
from comparisons.report.draws import Floats, draws_of
from comparisons.report.marginals import drawable
from comparisons.report.reservations import converged
from comparisons.results.result import Quantity, Result
from comparisons.results.strict_json import Number

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

# Inches, fewer than a page is wide, so that a phone can show it.
BROAD = 5.8
# Inches of a line where there are few and where there are many, of all lines where there are many, and of what stands about.
TALLEST, LOWEST, TOGETHER, AROUND = 0.5, 0.42, 4.6, 0.95
NOTHING = "No quantities: an engine stopped with an error."
# Places below the middle of a line, in lines: of the posterior, of Wald's interval, of the profile's.
HDI, WALD, PROFILE = 0.08, 0.22, 0.36
# Height of a density, in lines.
HEIGHT = 0.48
# Posterior standard deviations: shown at least, and at most, whatever an interval does.
SHOWN, MOST = 3.0, 6.0
# Characters of a name on one line, and lines.
LONGEST, MOST_LINES = 24, 3
MARKS = {"agree": "✓", "slight": "≈ slight", "marked": "✗ marked", "no interval": "✗ no interval"}


class Forest(Figure):
    """A figure that a notebook shows, whether `matplotlib.pyplot` is loaded or not."""

    def _repr_png_(self) -> bytes:
        drawn = io.BytesIO()
        with style():
            self.savefig(drawn, format="png", dpi=110)
        return drawn.getvalue()


def marked(quantity: Quantity) -> str:
    """Return the mark of a quantity: whether EM's interval serves, and by how much it does not."""
    return MARKS.get(quantity.degree or quantity.verdict, "?")


def illustration_of(result: Result, posterior: xarray.DataTree) -> Illustration:
    """Return the figure as the first of a report."""
    probability = percent(result.quantities[0].posterior.hdi_prob, 0) if result.quantities else ""
    told = []
    for q in result.quantities:
        d = decimals_for(q.em_se, q.posterior.sd)
        ends = ((q.em_low, q.em_high), (q.posterior.hdi_low, q.posterior.hdi_high))
        em, hdi = (f"{rounded(low, d)} to {rounded(high, d)}" if low is not None else "none" for low, high in ends)
        told.append(f"{in_prose(q.name)}: EM {em}, posterior {hdi}, {q.degree or q.verdict}")
    return Illustration(
        name="forest",
        title="EM beside the posterior",
        caption=(
            "A line for each quantity, in posterior standard deviations from the posterior mean. Curve and thick line: density "
            f"of the draws and the highest-density interval of probability {probability}. Below: EM’s Wald and profile "
            "intervals of the same probability, with arrows where they run past the frame. They should cover what the thick line "
            "covers."
        ),
        alt=f"Intervals of probability {probability}. {'; '.join(told)}.",
        figure=figure_of(result, posterior),
    )


def figure_of(result: Result, posterior: xarray.DataTree) -> Figure:
    """Return the figure, as wide as a page and as high as its lines."""
    n = len(result.quantities)
    with style():
        figure = Forest(
            figsize=(BROAD, AROUND + n * min(TALLEST, max(LOWEST, TOGETHER / max(n, 1)))), layout="constrained"
        )
        if not n:
            figure.text(0.5, 0.5, NOTHING, horizontalalignment="center", verticalalignment="center")
            return figure
        ax: Axes = figure.subplots()
        limits = _limits(result)
        ax.axvline(0, color=DATA, linewidth=0.6, zorder=0)
        for place, quantity in enumerate(result.quantities):
            draws = draws_of(posterior, quantity.name)
            _line(ax, place, drawable(result, quantity), draws, limits)
            ax.text(1.01, place, marked(quantity), transform=ax.get_yaxis_transform(), va="center", fontsize=8.5)
        ax.set_yticks(range(n), [_label(quantity.name) for quantity in result.quantities])
        ax.tick_params(axis="y", length=0, labelsize=8.5)
        ax.set_ylim(n - 0.5, -0.6)
        ax.set_xlim(limits)
        ax.set_xlabel("posterior standard deviations from posterior mean")
        ax.spines["left"].set_visible(False)
        probability = percent(result.quantities[0].posterior.hdi_prob, 0)
        left_out = "" if converged(result) else ", chains not converged"
        handles = [
            Patch(facecolor=POSTERIOR, alpha=0.3, label=f"posterior{left_out}"),
            Line2D([], [], color=POSTERIOR, marker="s", markersize=5, linewidth=3, label=f"mean, {probability} HDI"),
            Line2D([], [], color=EM, marker="o", markersize=5, linewidth=2, label=f"EM, {probability} Wald"),
            Line2D([], [], color=EM, linewidth=1.2, linestyle="--", label=f"EM, {probability} profile"),
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=4, columnspacing=0.9, handlelength=1.4)
    return figure


def _label(name: str) -> str:
    """The name in prose, broken where it is long and cut where it is very long."""
    first, *others = textwrap.wrap(in_prose(name), LONGEST)
    last = [f"... {others[-1]}"] if len(others) >= MOST_LINES else others
    return "\n".join(drawn(line) for line in [first, *last])


def _limits(result: Result) -> tuple[float, float]:
    """Ends of the axis: all intervals, unless one is far wider than the posterior."""
    ends = [-SHOWN, SHOWN]
    for q in result.quantities:
        if q.mean is not None and q.sd:
            told = (q.em_low, q.em_high, q.profile_low, q.profile_high)
            ends += [(end - q.mean) / q.sd for end in told if end is not None]
    return max(min(ends) - 0.1, -MOST), min(max(ends) + 0.1, MOST)


def _line(ax: Axes, place: int, quantity: Quantity, draws: Floats | None, limits: tuple[float, float]) -> None:
    """One quantity: the posterior's density and interval, and both of EM's."""
    mean, sd, summary = quantity.mean, quantity.sd, quantity.posterior
    if mean is None or not sd:
        return

    def scaled(value: Number) -> Number:
        return None if value is None else (value - mean) / sd

    if draws is not None and np.ptp(draws) > 0:
        from scipy.stats import gaussian_kde

        x = np.linspace(*limits, 300)
        density = gaussian_kde((draws.ravel() - mean) / sd)(x)
        ax.fill_between(x, place - HEIGHT * density / density.max(), place, color=POSTERIOR, alpha=0.3, linewidth=0)
    hdi, wald, profile = (
        (scaled(low), scaled(high))
        for low, high in (
            (summary.hdi_low, summary.hdi_high),
            (quantity.em_low, quantity.em_high),
            (quantity.profile_low, quantity.profile_high),
        )
    )
    _interval(ax, place + HDI, hdi, limits, POSTERIOR, linewidth=3.0)
    _interval(ax, place + WALD, wald, limits, EM, linewidth=2.0)
    _interval(ax, place + PROFILE, profile, limits, EM, linewidth=1.2, linestyle="--")
    ax.plot(0, place + HDI, "s", color=POSTERIOR, markersize=5)
    if (point := scaled(quantity.em)) is not None:
        inside = float(np.clip(point, *limits))
        ax.plot(inside, place + WALD, "o" if inside == point else "<>"[point > 0], color=EM, markersize=5)


def _interval(
    ax: Axes, y: float, ends: tuple[Number, Number], limits: tuple[float, float], colour: str, **look: object
) -> None:
    """An interval, with arrows where it runs past the frame; nothing where an end does not exist."""
    low, high = ends
    if low is None or high is None:
        return
    seen = [float(np.clip(end, *limits)) for end in (low, high)]
    ax.plot(seen, [y, y], color=colour, solid_capstyle="butt", **look)  # type: ignore[arg-type]
    for end, kept, marker in zip((low, high), seen, "<>", strict=True):
        if end != kept:
            ax.plot(
                kept, y, marker, color=colour, markersize=5, clip_on=False, markeredgecolor=INK, markeredgewidth=0.4
            )
