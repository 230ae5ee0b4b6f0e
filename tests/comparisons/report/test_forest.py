"""Claims about the figure of all quantities: every interval is drawn on one scale, its misfit marked; nothing else changes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from comparisons.report.appearance import EM, POSTERIOR
from comparisons.report.digits import decimals_for, rounded
from comparisons.report.forest import LINE, MOST, chart_of, illustration_of
from comparisons.sampled import SampledResult
from tests.report_pages import RESULTS
from tests.stored_results import two_coins


def rows(result: SampledResult) -> list[dict[str, Any]]:
    """Every row of data that the figure is drawn from."""
    datasets = chart_of(result, result.posterior).to_dict()["datasets"]
    return [row for data in datasets.values() for row in data]


def lines(result: SampledResult) -> list[dict[str, set[tuple[float, ...]]]]:
    """Horizontal places of what is drawn, by colour, of each quantity."""
    found: list[dict[str, set[tuple[float, ...]]]] = [{EM: set(), POSTERIOR: set()} for _ in result.quantities]
    for row in rows(result):
        if "colour" in row:
            found[round(row["y"])][row["colour"]].add((round(row["x"], 9),))
        elif "kind" in row:
            colour = EM if row["kind"].startswith("EM") else POSTERIOR
            found[round(row["y"])][colour].add((round(row["low"], 9), round(row["high"], 9)))
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
        (replace(second, verdict="differ", degree="slight"), "≈ slightly off"),
        (replace(second, verdict="differ", degree="marked"), "✗ markedly off"),
        (replace(second, verdict="differ", degree="no interval"), "– no Wald interval"),
        (replace(second, verdict="inconclusive"), "?"),
    ):
        told = [row for row in rows(replace(result, quantities=[first, changed])) if "mark" in row]
        assert [row["mark"] for row in told] == ["✓", mark]
        assert [" ".join(row["name"]) for row in told] == [
            "head probability of component B",
            "head probability of component A",
        ]
        assert [row["place"] for row in told] == [0, 1]


def test_long_names_of_many_quantities_do_not_run_into_each_other() -> None:
    result = two_coins()
    many = [replace(result.quantities[0], name=f"head_probabilities[the coin of the {k}th bag]") for k in range(12)]
    chart = chart_of(replace(result, quantities=many), result.posterior).to_dict()
    longest = max(len(row["name"]) for data in chart["datasets"].values() for row in data if "mark" in row)
    assert longest == 3
    assert chart["height"] / len(many) > longest * LINE


def test_names_of_two_features_and_a_component_are_not_cut() -> None:
    result = two_coins()
    name = "covariances[short, eruptions, waiting]"
    one = replace(result, quantities=[replace(result.quantities[0], name=name)])
    (told,) = [row["name"] for row in rows(one) if "mark" in row]
    assert " ".join(told) == "covariance of “eruptions” and “waiting”, “short”"


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
        kinds = {row["kind"] for row in rows(result) if "kind" in row}
        assert any("chains not converged" in kind for kind in kinds) == told


def test_a_result_without_quantities_says_why_there_is_nothing() -> None:
    assert rows(replace(two_coins(), quantities=[])) == [{"told": "No quantities: an engine stopped with an error."}]
