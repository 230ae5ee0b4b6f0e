"""What single figures of a report show, and whose draws they show."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.patches import Rectangle
from numpy.testing import assert_array_equal

from comparisons.draws_by_name import draws_of
from comparisons.report.appearance import DATA_FILL, INK, POSTERIOR, Illustration, style, unit_of
from comparisons.report.data_and_fits import _covariance, figures_of_data
from comparisons.report.em_trace import figures_of_trace
from comparisons.report.marginals import figures_of_ranks
from comparisons.report.model_fit import figures_of_model_checks
from comparisons.report.surface import HEIGHT, NAME, WIDTH, _free, figures_of_surface
from tests.stored_results import geyser, two_coins


def trace(*values: float) -> Illustration:
    result = two_coins()
    em = replace(result.em, trace=list(values), trace_iterations=list(range(len(values))), iterations=len(values) - 1)
    with style():
        (drawn,) = figures_of_trace(replace(result, em=em))
    return drawn


def test_a_climb_of_one_step_shows_no_rate() -> None:
    assert len(trace(-12.0, -10.0, -10.0).figure.axes) == 1
    assert len(trace(-12.0, -11.0, -10.5, -10.25, -10.2).figure.axes) == 2


def test_no_bar_of_a_rootogram_is_cut() -> None:
    with style():
        (drawn,) = (each for each in figures_of_model_checks(two_coins()) if each.name == "rootogram")
    (ax,) = drawn.figure.axes
    low, high = ax.get_ylim()
    ends = [
        end for bar in ax.patches if isinstance(bar, Rectangle) for end in (bar.get_y(), bar.get_y() + bar.get_height())
    ]
    assert low < min(ends)
    assert max(ends) < high


@pytest.mark.parametrize("counted", [False, True])
def test_a_wait_that_was_cut_short_is_not_drawn_as_one_that_ended(counted: bool) -> None:
    # Of five waits the third and the fourth were cut short: 1/5 ended, then 1/4 of what was left, then all of it.
    columns: dict[str, list[float | None]]
    columns = {"wait": [1.0, 2.0, 2.0, 3.0, 4.0], "censored": [0.0, 0.0, 1.0, 1.0, 0.0]}
    expected = {1.0: 1 / 5, 2.0: 1 / 5, 4.0: 3 / 5}
    if counted:
        columns = {"wait": [1.0, 2.0, 3.0, 4.0], "censored": [0.0, 1.0, 0.0, 1.0], "counts": [2.0, 3.0, 1.0, 4.0]}
        expected = {1.0: 2 / 10, 3.0: 8 / 10 / 5}
    made = geyser()
    curve = replace(made.curves[0], variable="wait", grid=[1.0, 2.0, 3.0], em=[0.1] * 3, em_components=[[0.1] * 3],
                    posterior_mean=[0.1] * 3, posterior_low=[0.1] * 3, posterior_high=[0.1] * 3)  # fmt: skip
    with style():
        (drawn,) = figures_of_data(
            replace(made, curves=[curve], data=replace(made.data, columns=columns)), made.posterior
        )
    bars = [bar for bar in drawn.figure.axes[0].patches if isinstance(bar, Rectangle) and bar.get_height() > 0]
    shares = {round(bar.get_x() + bar.get_width() / 2, 9): bar.get_width() * bar.get_height() for bar in bars}
    assert shares == pytest.approx(expected)
    assert f"by Kaplan and Meier, as {7 if counted else 2} are censored" in drawn.caption


def test_a_climb_ends_where_rounding_begins() -> None:
    unit = np.spacing(1e4)
    climb = trace(-1e4 - 4, -1e4 - 2, -1e4 - 1, -1e4 - unit, -1e4 - 2 * unit, -1e4)
    assert_array_equal(climb.figure.axes[1].lines[0].get_xdata(), [0, 1, 2])
    assert "nats are rounding and not drawn" in climb.caption


def test_every_chain_has_its_own_look() -> None:
    result = two_coins()
    with style():
        (ranks,) = figures_of_ranks(result, result.posterior)
    looks = {(line.get_edgecolor(), line.get_linestyle()) for line in ranks.figure.axes[0].patches}
    assert len(looks) == 4


def test_draws_are_found_by_the_name_of_their_quantity() -> None:
    posterior = geyser().posterior
    draws = posterior["posterior"].dataset
    assert_array_equal(draws_of(posterior, "weights[long]"), draws["weights"].values[..., 1])
    assert_array_equal(draws_of(posterior, "means[short, waiting]"), draws["means"].values[..., 0, 1])
    assert_array_equal(
        draws_of(posterior, "covariances[long, eruptions, waiting]"), draws["covariances"].values[..., 1, 0, 1]
    )
    assert draws_of(two_coins().posterior, "weights[A]") is None
    assert draws_of(posterior, "weights[middle]") is None


def test_a_name_that_leaves_open_which_draws_are_meant_is_refused() -> None:
    with pytest.raises(ValueError, match="does not say which feature"):
        draws_of(geyser().posterior, "means[short]")


def test_draws_of_one_feature_need_not_name_it() -> None:
    posterior = geyser().posterior
    one = posterior.map_over_datasets(
        lambda dataset: dataset.isel(feature=[0]) if "feature" in dataset.dims else dataset
    )
    assert_array_equal(draws_of(one, "means[short]"), posterior["posterior"].dataset["means"].values[..., 0, 0])


@pytest.mark.parametrize(
    ("covariance", "entries", "expected"),
    [
        (
            "tied",
            {"covariances[a, a]": 2.0, "covariances[a, b]": 0.5, "covariances[b, b]": 3.0},
            [[2.0, 0.5], [0.5, 3.0]],
        ),
        ("diagonal", {"covariances[long, a, a]": 2.0, "covariances[long, b, b]": 3.0}, [[2.0, 0.0], [0.0, 3.0]]),
        ("tied-diagonal", {"covariances[a, a]": 2.0, "covariances[b, b]": 3.0}, [[2.0, 0.0], [0.0, 3.0]]),
        ("spherical", {"variances[long]": 2.0}, [[2.0, 0.0], [0.0, 2.0]]),
        ("tied-spherical", {"variances": 2.0}, [[2.0, 0.0], [0.0, 2.0]]),
    ],
)
def test_ellipses_have_the_covariance_of_the_form(
    covariance: str, entries: dict[str, float], expected: list[list[float]]
) -> None:
    result = geyser()
    first = result.quantities[0]
    result = replace(
        result,
        quantities=[replace(first, name=name, em=value) for name, value in entries.items()],
        model=replace(result.model, options={**result.model.options, "covariance": covariance}),
    )
    found = _covariance(result, "long", "a", "b")
    assert found is not None
    assert_array_equal(found, expected)


def test_every_axis_has_the_unit_of_its_own_feature() -> None:
    made = two_coins()
    powers = {"means": 1, "covariances": 2, "variances": 2, "height": 1, "weight": 1, "ratio": 1}
    model = replace(made.model, unit_powers=powers)
    several = replace(made.data, unit="", units={"height": "cm", "weight": "kg"})
    one = replace(made.data, unit="cm", units={})
    for data, name, told in (
        (several, "height", "cm"),
        (several, "means[1, weight]", "kg"),
        (several, "means[height, weight]", "kg"),
        (several, "covariances[1, height, height]", "cm²"),
        (several, "covariances[1, height, weight]", "cm·kg"),
        (several, "covariances[height, weight]", "cm·kg"),
        (several, "variances[1]", ""),
        (several, "means[1, ratio]", ""),
        (several, "covariances[1, height, ratio]", ""),
        (several, "weights[1]", ""),
        (one, "means[1]", "cm"),
        (one, "covariances[1, height, weight]", "cm²"),
        (one, "weights[1]", ""),
        (replace(one, unit="heads in ten"), "variances[1]", ""),
    ):
        assert unit_of(replace(made, model=model, data=data), name) == told, name


def test_a_figure_in_a_page_has_the_ink_and_the_paper_of_the_page(out: Path) -> None:
    page = (out / "faithful-2d" / "report.html").read_text(encoding="utf-8")
    drawn = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    assert drawn
    for svg in drawn:
        assert not re.search(f"({INK}|#000000|#ffffff|{DATA_FILL}|{POSTERIOR})", svg, flags=re.IGNORECASE)
        assert "currentColor" in svg
    saved = (out / "faithful-2d" / "figures" / "forest.svg").read_text(encoding="utf-8")
    assert INK in saved
    assert "var(--" not in saved


def test_no_name_of_a_contour_is_over_another() -> None:
    surface = two_coins().surface
    assert surface is not None
    across, down = np.ptp(surface.x_grid) / WIDTH, np.ptp(surface.y_grid) / HEIGHT
    line = np.column_stack([np.arange(100) * across, np.full(100, 50 * down)])
    first = _free(line, [], surface)
    assert first[0] == pytest.approx(33 * across)
    second = _free(line + np.array([0, 2 * down]), [tuple(first)], surface)
    assert second[0] >= first[0] + NAME[0] * across * (1 - 1e-12)
    assert _free(line[30:40], [tuple(first)], surface) is None


def test_points_outside_of_the_frame_of_the_surface_are_left_out_and_told() -> None:
    result, posterior = two_coins(), two_coins().posterior
    surface = result.surface
    assert surface is not None
    half = replace(surface, x_grid=[(x + surface.x_grid[-1]) / 2 for x in surface.x_grid])
    (whole,), (cut,) = (figures_of_surface(replace(result, surface=each), posterior) for each in (surface, half))
    drawn = [_points(each.figure) for each in (whole, cut)]
    assert 0 < len(drawn[1]) < len(drawn[0])
    assert min(x for x, _ in drawn[1]) >= half.x_grid[0] > min(x for x, _ in drawn[0])
    assert "of all draws lie outside the frame" in cut.caption


def _points(figure: Any) -> list[tuple[float, float]]:
    """Draws of the posterior in a figure of a surface."""
    told = figure.to_dict()
    (layer,) = (layer for layer in told["layer"] if layer["mark"].get("strokeOpacity") == 0)
    assert not layer["mark"].get("clip")
    return [(row["x"], row["y"]) for row in told["datasets"][layer["data"]["name"]]]
