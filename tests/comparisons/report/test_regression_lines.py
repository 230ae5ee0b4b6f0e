"""Claims about figures of regressions: a line for each component, or a panel."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import xarray as xr

from comparisons.report.regression_lines import lines

X = [0.0, 1.0, 2.0, 4.0]
# By component: the intercept, and the slope of the first covariate.
LINES = {"a": (1.0, 2.0), "b": (5.0, -1.0)}


def result(covariates: list[str]) -> Any:
    values = {f"coefficients[{k}, intercept]": line[0] for k, line in LINES.items()}
    values |= {
        f"coefficients[{k}, {x}]": line[1] / (j + 1) for k, line in LINES.items() for j, x in enumerate(covariates)
    }
    return SimpleNamespace(
        quantities=[SimpleNamespace(name=name, em=value) for name, value in values.items()],
        model=SimpleNamespace(component_names=[*LINES], unit_powers={}),
        data=SimpleNamespace(columns={"y": X, **dict.fromkeys(covariates, X), "counts": [1] * 4}, unit="", units={}),
    )


def drawn(posterior: xr.Dataset) -> Any:
    return xr.DataTree.from_dict({"posterior": posterior})


def test_a_single_covariate_has_a_line_for_each_component() -> None:
    (made,) = lines(result(["x"]), drawn(xr.Dataset()))
    ax = made.figure.axes[0]
    of_components: list[Any] = [line for line in ax.lines if str(line.get_label()).startswith("component ")]
    for line, (middle, slope) in zip(of_components, LINES.values(), strict=True):
        np.testing.assert_allclose(line.get_ydata(), middle + slope * line.get_xdata())
    assert "Bands" not in made.caption


def test_bands_hold_the_lines_of_the_draws() -> None:
    values = np.array([list(LINES.values())] * 50)[None] + np.linspace(-1, 1, 50)[None, :, None, None] * [1.0, 0.0]
    coefficients = xr.DataArray(values, dims=("chain", "draw", "component", "covariate"))
    coords = {"component": [*LINES], "covariate": ["intercept", "x"]}
    posterior = xr.Dataset({"coefficients": coefficients.assign_coords(coords)})
    (made,) = lines(result(["x"]), drawn(posterior))
    band: Any = made.figure.axes[0].collections[0]
    heights = band.get_paths()[0].vertices[:, 1] - (1.0 + 2.0 * band.get_paths()[0].vertices[:, 0])
    np.testing.assert_allclose([heights.min(), heights.max()], [-0.94, 0.94], atol=1e-12)


def test_several_covariates_have_a_panel_for_each_component() -> None:
    (made,) = lines(result(["x", "z"]), drawn(xr.Dataset()))
    for ax, (middle, slope) in zip(made.figure.axes, LINES.values(), strict=True):
        np.testing.assert_allclose(np.asarray(ax.lines[0].get_xdata()), middle + 1.5 * slope * np.array(X))


def test_other_models_have_none() -> None:
    other = result(["x"])
    other.quantities = [SimpleNamespace(name="means[a]", em=1.0)]
    assert lines(other, drawn(xr.Dataset())) == []


def test_a_program_with_coefficients_and_no_components_has_none_either() -> None:
    of_a_program = result(["x"])
    of_a_program.model.component_names = []
    assert lines(of_a_program, drawn(xr.Dataset())) == []
