"""Claims about the figure of all quantities: every number is drawn, in the panel of its unit, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace

import matplotlib
import numpy as np
import pytest

from comparisons.quantity_names import component_of
from comparisons.report.appearance import EM, POSTERIOR
from comparisons.report.forest import figure_of
from comparisons.results.result import Result
from tests.report_pages import RESULTS
from tests.stored_results import geyser, two_coins


def lines(result: Result) -> dict[str, dict[str, list[tuple[float, ...]]]]:
    """Horizontal places of what is drawn, by panel and colour."""
    found: dict[str, dict[str, list[tuple[float, ...]]]] = {}
    for ax in figure_of(result).axes:
        colours = found.setdefault(ax.get_xlabel().replace(",\n", ", "), {})
        for line in ax.get_lines():
            colours.setdefault(str(line.get_color()), []).append(tuple(np.asarray(line.get_xdata()).tolist()))
    return found


@pytest.mark.parametrize("name", ["two-coin", "faithful-2d"])
def test_every_interval_and_every_point_is_drawn(name: str) -> None:
    result = RESULTS[name]()
    drawn = {colour: {x for panel in lines(result).values() for x in panel[colour]} for colour in (EM, POSTERIOR)}
    expected: dict[str, set[tuple[float | None, ...]]] = {EM: set(), POSTERIOR: set()}
    for quantity in result.quantities:
        posterior = quantity.posterior
        expected[EM] |= {(quantity.em,)} | (
            {(quantity.em_low, quantity.em_high)} if quantity.em_low is not None else set()
        )
        expected[POSTERIOR] |= {(posterior.mean,), (posterior.hdi_low, posterior.hdi_high)}
    assert drawn == expected


def test_components_share_a_panel_and_units_do_not() -> None:
    assert list(lines(geyser())) == [
        "weights",
        "means[eruptions] (minutes)",
        "means[waiting] (minutes)",
        "covariances[eruptions, eruptions] (minutes²)",
        "covariances[eruptions, waiting] (minutes²)",
        "covariances[waiting, waiting] (minutes²)",
    ]
    ax = figure_of(geyser()).axes[1]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["short", "long"]
    assert ax.yaxis_inverted()


def test_what_components_share_has_a_panel_of_its_own() -> None:
    result = geyser()
    tied = [replace(q, name=q.name.replace("[short, ", "[")) for q in result.quantities if "[short, " in q.name]
    shared = [q for q in tied if q.name.startswith("covariances")]
    assert [component_of(q.name) for q in shared] == [None, None, None]
    assert list(lines(replace(result, quantities=shared))) == [
        f"covariances[{pair}] (minutes²)" for pair in ("eruptions, eruptions", "eruptions, waiting", "waiting, waiting")
    ]


def test_a_point_of_a_ridge_is_not_drawn_and_chains_that_have_not_converged_are_told() -> None:
    drawn = lines(RESULTS["ridge"]())["head_probabilities"][EM]
    assert [len(x) for x in drawn] == [2, 1], "of the quantity that is identified"
    for name, told in (("two-coin", False), ("unconverged", True)):
        legend = figure_of(RESULTS[name]()).legends[0]
        assert ("chains not converged" in legend.get_texts()[1].get_text()) == told


def test_settings_outside_stay_as_they_were() -> None:
    before = dict(matplotlib.rcParams)
    figure = figure_of(two_coins())
    assert figure._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]
    assert dict(matplotlib.rcParams) == before


def test_a_result_without_quantities_says_why_there_is_nothing() -> None:
    figure = figure_of(replace(two_coins(), quantities=[]))
    assert [text.get_text() for text in figure.texts] == ["No quantities: an engine stopped with an error."]
