"""Figures to explore: one Vega-Lite specification each, for the page, for paper and for a notebook.

A page shows the same picture twice: still, as SVG, for print and wherever no script runs, and alive, from the specification,
by Vega, which stands in the page once. It evaluates no text (``ast``), so that the page's policy can forbid that.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comparisons.report.appearance import INK, of_the_page
from comparisons.results.files import write_text

if TYPE_CHECKING:
    import altair as alt

# Matplotlib's, which brings it along, so that a figure looks the same on every machine; Verdana is as wide.
FONT = "DejaVu Sans, Verdana, sans-serif"


def chart(rows: list[dict[str, Any]]) -> alt.Chart:
    """Return a layer of these rows, which has neither mark nor scales yet."""
    import altair as alt

    # Altair copies a figure at each step of its making, and with it every row that stands in a list.
    values: Any = tuple(rows)
    return alt.Chart(alt.InlineData(values=values))


def styled(layers: list[alt.Chart], told: str, **size: float) -> alt.LayerChart:
    """Return the figure with the look of all others, and what it tells who cannot see it."""
    import altair as alt

    axis = {"grid": False, "domainColor": "#666666", "tickColor": "#666666", "labelColor": INK, "titleColor": INK}
    text = {"labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal"}
    looks: dict[str, Any] = {
        "axis": axis | text,
        "background": "#ffffff",
        "font": FONT,
        "legend": {"labelColor": INK, "labelLimit": 0, "orient": "top", "title": None} | text,
        "mark": {"aria": False},
        "text": {"color": INK, "fontSize": 11},
        "view": {"stroke": None},
    }
    layered: Any = alt.layer(*layers)
    figure: alt.LayerChart = layered.properties(description=told, config=looks, **size)
    return figure


def compiled(chart: alt.LayerChart) -> dict[str, Any]:
    """Return the figure's specification as Vega's, which the page and every file are drawn from."""
    import vl_convert

    return vl_convert.vegalite_to_vega(chart.to_dict(validate=False))


@contextmanager
def unchecked() -> Iterator[None]:
    """Build figures without holding each part of them against the schema of Vega-Lite, as the tests of each figure do."""
    from altair.utils.schemapi import debug_mode

    with debug_mode(False):
        yield


def for_page(specification: dict[str, Any]) -> str:
    """Return the specification as JSON with the page's colours, which cannot end the element that it stands in."""
    return of_the_page(json.dumps(specification, separators=(",", ":"))).replace("<", r"\u003c")


@functools.cache
def script() -> str:
    """Return what a page needs to show its specifications: Vega with all that it needs, and a few lines of our own."""
    own = (Path(__file__).parent / "charts.js").read_text(encoding="utf-8")
    return f"{_vega()}\n{{\n{own}}}\n"


def _vega() -> str:
    """Vega, which takes seconds to put together, so that it is kept where a user's programs keep what they can make again."""
    from platformdirs import user_cache_path

    kept = user_cache_path("em-comparisons") / f"vega-{version('vl-convert-python')}.js"
    if kept.exists():
        return kept.read_text(encoding="utf-8")
    import vl_convert

    made = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    # Where it cannot be kept it costs the seconds again.
    with suppress(OSError):
        write_text(kept, made)
    return made
