"""A component looks the same in every figure of a report, and unlike the others, to colour-blind readers too."""

from __future__ import annotations

import itertools
from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from numpy.typing import NDArray

from comparisons.report.appearance import EM, MAP, POSTERIOR, ComponentLook, component_looks, style
from comparisons.report.data_and_fits import figures_of_data
from comparisons.report.memberships import figures_of_memberships
from tests.stored_results import geyser

# What a colour is seen as, in linear RGB: Machado, Oliveira & Fernandes (2009), IEEE TVCG 15, 1291, severity 1.
SIGHT = {
    "full": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]]
    ),
}
# CIELAB distance that is just noticed, side by side: Mahy, Van Eycken & Oosterlinck (1994), Color Res. Appl. 19, 105.
NOTICED = 2.3


def looks(n: int) -> list[ComponentLook]:
    result: Any = SimpleNamespace(model=SimpleNamespace(component_names=[f"{k}" for k in range(n)]))
    return list(component_looks(result).values())


def lab(colour: str, sight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Place of the colour in CIELAB, as it is seen."""
    signal = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ np.clip(sight @ linear, 0, 1) / to_xyz.sum(axis=1)
    x, y, z = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("sight", SIGHT)
def test_colours_of_components_are_told_apart(sight: str) -> None:
    # Four components have colours of their own; apart by several differences that are just noticed, as marks are small.
    for one, other in itertools.combinations([look.colour for look in looks(4)], 2):
        assert np.linalg.norm(lab(one, SIGHT[sight]) - lab(other, SIGHT[sight])) > 5 * NOTICED


def test_twenty_components_look_unlike_each_other_and_none_like_an_engine() -> None:
    twenty = looks(20)
    assert len({(look.colour, look.dash) for look in twenty}) == 20
    assert len({(look.colour, look.marker) for look in twenty}) == 20
    assert not {look.colour for look in twenty} & {EM, MAP, POSTERIOR}


def test_a_component_has_one_colour_in_all_figures() -> None:
    result = geyser()
    with style():
        made = [*figures_of_data(result, result.posterior), *figures_of_memberships(result)]
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for each in made:
        assert isinstance(each.figure, Figure)
        for line in [line for ax in each.figure.axes for line in ax.lines]:
            if (label := str(line.get_label())).startswith("component "):
                found[label][each.name].add(to_hex(line.get_color()))
    names = {look.label: look.colour for look in component_looks(result).values()}
    assert {name: set().union(*of.values()) for name, of in found.items()} == {n: {c} for n, c in names.items()}
    assert set(found["component short"]) == {"data-and-fits", "plane", "memberships"}
    plane: Any = next(each.figure for each in made if each.name == "plane")
    ellipses = [to_hex(patch.get_edgecolor()) for patch in plane.axes[0].patches]
    assert ellipses == [names[f"component {name}"] for name in result.model.component_names for _ in range(2)]


def test_of_very_many_rows_some_are_drawn_in_the_plane_and_the_caption_says_how_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result = geyser()
    n = len(next(iter(result.data.columns.values())))
    monkeypatch.setattr("comparisons.report.data_and_fits.MOST_POINTS", n // 2)
    with style():
        plane = next(each for each in figures_of_data(result, result.posterior) if each.name == "plane")
    drawn: Any = plane.figure
    shown = next(len(line.get_xdata()) for line in drawn.axes[0].lines if line.get_label() == "data")
    assert 0 < shown <= n // 2
    assert f"Grey: {shown} of the {n} distinct rows, evenly spread." in plane.caption


def test_of_many_memberships_some_are_drawn_and_the_caption_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    result = geyser()
    assert result.labels.memberships is not None
    monkeypatch.setattr("comparisons.report.memberships.MOST_MARKS", len(result.labels.memberships.rows) // 2)
    with style():
        (each,) = figures_of_memberships(result)
    drawn: Any = each.figure
    marks = max(len(line.get_xdata()) for line in drawn.axes[0].lines if line.get_marker() not in ("None", "", None))
    assert 0 < marks < len(result.labels.memberships.rows)
    assert (
        f"A mark for each of {marks} of the {result.labels.memberships.of} distinct rows, evenly spread" in each.caption
    )
