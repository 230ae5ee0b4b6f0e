"""One figure of all quantities: EM's interval beside the posterior's, a panel for each unit."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from comparisons.quantity_names import SEPARATOR, component_of, variable_and_labels
from comparisons.report.appearance import EM, POSTERIOR, WIDTH, axis_label, drawn, style
from comparisons.report.digits import percent
from comparisons.report.marginals import drawable, grid, two_lines
from comparisons.report.reservations import converged
from comparisons.results.result import Quantity, Result
from comparisons.results.strict_json import Number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Inches of a quantity, and of what stands about the quantities of a panel.
ROW, AROUND = 0.34, 0.7
NOTHING = "No quantities: an engine stopped with an error."
# Of the two lines of a quantity from its middle.
APART = 0.14


class Forest(Figure):
    """A figure that a notebook shows, whether `matplotlib.pyplot` is loaded or not."""

    def _repr_png_(self) -> bytes:
        drawn = io.BytesIO()
        with style():
            self.savefig(drawn, format="png", dpi=110)
        return drawn.getvalue()


def figure_of(result: Result) -> Figure:
    """Return the figure: components share a panel, variables and features have their own."""
    panels: dict[str, list[tuple[str, Quantity]]] = {}
    for quantity in result.quantities:
        (variable, labels), component = variable_and_labels(quantity.name), component_of(quantity.name)
        features = labels if component is None else labels[1:]
        panel = f"{variable}[{SEPARATOR.join(features)}]" if features else variable
        panels.setdefault(panel, []).append((component or "", drawable(result, quantity)))
    with style():
        if not panels:
            figure: Figure = Forest(figsize=(WIDTH, AROUND))
            figure.text(0.5, 0.5, NOTHING, horizontalalignment="center", verticalalignment="center")
            return figure
        figure, axes = grid(len(panels), AROUND + ROW * max(map(len, panels.values())), Forest)
        for ax, (panel, rows) in zip(axes, panels.items(), strict=True):
            for place, (_, quantity) in enumerate(rows):
                posterior = quantity.posterior
                _line(ax, place - APART, (quantity.em, quantity.em_low, quantity.em_high), EM, "o")
                _line(ax, place + APART, (posterior.mean, posterior.hdi_low, posterior.hdi_high), POSTERIOR, "s")
            ax.set_yticks(range(len(rows)), [drawn(label) for label, _ in rows])
            ax.set_ylim(len(rows) - 0.5, -0.5)
            ax.xaxis.set_major_locator(MaxNLocator(4))
            ax.set_xlabel(two_lines(axis_label(result, panel)))
        probability = percent(result.quantities[0].posterior.hdi_prob, 0)
        left_out = "" if converged(result) else ", chains not converged"
        told = {
            f"EM and its {probability} interval": (EM, "o"),
            f"posterior mean and {probability} HDI{left_out}": (POSTERIOR, "s"),
        }
        handles = [
            Line2D([], [], color=colour, marker=marker, markersize=5, linewidth=2.2, label=label)
            for label, (colour, marker) in told.items()
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=2)
    return figure


def _line(ax: Axes, y: float, ends: tuple[Number, Number, Number], colour: str, marker: str) -> None:
    """A point and its interval, as far as they exist."""
    point, low, high = ends
    if low is not None and high is not None:
        ax.plot([low, high], [y, y], color=colour, linewidth=2.2)
    if point is not None:
        ax.plot([point], [y], marker, color=colour, markersize=5)
