"""Claims about the figure of all quantities: every interval is drawn on one scale, its misfit marked; nothing else changes."""

from __future__ import annotations

from dataclasses import replace

import matplotlib
import numpy as np
import pytest

from comparisons.report.appearance import EM, POSTERIOR
from comparisons.report.digits import decimals_for, rounded
from comparisons.report.forest import MOST, figure_of, illustration_of
from comparisons.sampled import SampledResult
from tests.report_pages import RESULTS
from tests.stored_results import two_coins


def lines(result: SampledResult) -> list[dict[str, set[tuple[float, ...]]]]:
    """Horizontal places of what is drawn, by colour, of each quantity."""
    found: list[dict[str, set[tuple[float, ...]]]] = [{EM: set(), POSTERIOR: set()} for _ in result.quantities]
    (ax,) = figure_of(result, result.posterior).axes
    for line in ax.get_lines():
        if line.get_color() in (EM, POSTERIOR):
            place = round(float(np.asarray(line.get_ydata())[0]))
            found[place][str(line.get_color())].add(tuple(np.round(np.asarray(line.get_xdata()), 9).tolist()))
    return found


@pytest.mark.parametrize("name", ["two-coin", "faithful-2d"])
def test_every_interval_and_every_point_is_drawn_in_posterior_standard_deviations(name: str) -> None:
    result = RESULTS[name]()
    for drawn, quantity in zip(lines(result), result.quantities, strict=True):
        mean, sd, posterior = quantity.mean, quantity.sd, quantity.posterior
        assert mean is not None
        assert sd is not None
        ends = [(quantity.em,), (quantity.em_low, quantity.em_high), (quantity.profile_low, quantity.profile_high)]
        known = [[end for end in pair if end is not None] for pair in ends]
        whole = [values for values, pair in zip(known, ends, strict=True) if len(values) == len(pair)]
        assert drawn[EM] == {tuple(np.round((np.array(values) - mean) / sd, 9).tolist()) for values in whole}
        hdi = np.array([posterior.hdi_low, posterior.hdi_high], dtype=np.float64)
        assert drawn[POSTERIOR] == {(0.0,), tuple(np.round((hdi - mean) / sd, 9).tolist())}


def test_an_interval_far_wider_than_the_posterior_is_cut_and_its_cut_marked() -> None:
    result = two_coins()
    wide = replace(result.quantities[0], em_low=-1e6, em_high=1e6)
    drawn = lines(replace(result, quantities=[wide, result.quantities[1]]))[0][EM]
    assert {(-MOST, MOST), (-MOST,), (MOST,)} <= drawn


def test_every_quantity_has_its_name_in_prose_and_its_mark() -> None:
    result = two_coins()
    first, second = result.quantities
    for changed, mark in (
        (replace(second, verdict="differ", degree="slight"), "≈ slight"),
        (replace(second, verdict="differ", degree="marked"), "✗ marked"),
        (replace(second, verdict="differ", degree="no interval"), "✗ no interval"),
        (replace(second, verdict="inconclusive"), "?"),
    ):
        (ax,) = figure_of(replace(result, quantities=[first, changed]), result.posterior).axes
        assert [text.get_text() for text in ax.texts] == ["✓", mark]
        assert [label.get_text() for label in ax.get_yticklabels()] == [
            "head probability of\ncomponent B",
            "head probability of\ncomponent A",
        ]
        assert ax.yaxis_inverted()


@pytest.mark.parametrize("name", RESULTS)
def test_who_cannot_see_the_figure_is_told_its_numbers(name: str) -> None:
    result = RESULTS[name]()
    told = illustration_of(result, result.posterior).alt
    for quantity in result.quantities:
        decimals = decimals_for(quantity.em_se, quantity.posterior.sd)
        for end in (quantity.em_low, quantity.em_high, quantity.posterior.hdi_low, quantity.posterior.hdi_high):
            assert end is None or rounded(end, decimals) in told


def test_a_point_of_a_ridge_is_not_drawn_and_chains_that_have_not_converged_are_told() -> None:
    ridge = RESULTS["ridge"]()
    estimate, mean, sd = ridge.quantities[0].em, ridge.quantities[0].mean, ridge.quantities[0].sd
    assert estimate is not None
    assert mean is not None
    assert sd is not None
    drawn = lines(ridge)
    assert (round((estimate - mean) / sd, 9),) not in drawn[0][EM]
    assert sorted(len(x) for x in drawn[1][EM]) == [1, 2, 2], "of the quantity that is identified"
    for name, told in (("two-coin", False), ("unconverged", True)):
        result = RESULTS[name]()
        legend = figure_of(result, result.posterior).legends[0]
        assert ("chains not converged" in legend.get_texts()[0].get_text()) == told


def test_settings_outside_stay_as_they_were() -> None:
    before = dict(matplotlib.rcParams)
    figure = two_coins().plot()
    assert figure._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]
    assert dict(matplotlib.rcParams) == before


def test_a_result_without_quantities_says_why_there_is_nothing() -> None:
    figure = replace(two_coins(), quantities=[]).plot()
    assert [text.get_text() for text in figure.texts] == ["No quantities: an engine stopped with an error."]
