"""Figures of the data with both fits: densities over a histogram, expected over observed counts, clusters in the plane."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from comparisons.draws_by_name import draws_of
from comparisons.report.appearance import (
    DATA,
    DATA_FILL,
    EM,
    MAP,
    POSTERIOR,
    WIDTH,
    ComponentLook,
    Illustration,
    add_legend,
    axis_label,
    component_looks,
    drawn,
    shown,
    thinned,
)
from comparisons.report.digits import percent, significant
from comparisons.report.regression_lines import lines
from comparisons.results.report_data import Curves
from comparisons.results.result import Result

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

type Floats = NDArray[np.float64]

# More strokes than this below an axis are a solid bar.
# Points that a character and a line of a component's name take.
CHARACTER, LINE = 5.2, 10.0
MOST_RUG = 400
MOST_BINS = 60
MOST_DRAWS = 300
MOST_POINTS = 800
# Of a component's distribution, inside its two ellipses.
ELLIPSES = (0.5, 0.95)


def figures_of_data(result: Result, posterior: xarray.DataTree) -> list[Illustration]:
    """Return the data with EM's fit and the posterior's, one figure for each kind of curve."""
    made = []
    densities = [curve for curve in result.curves if curve.kind == "density"]
    if densities:
        made.append(_densities(result, densities))
    counts = [curve for curve in result.curves if curve.kind == "counts"]
    if counts:
        made.append(_counts(result, counts))
    made += lines(result, posterior)
    if len(densities) >= 2:
        made.append(_plane(result, posterior, densities[0].variable, densities[1].variable))
    return made


def panels(n: int, height: float) -> tuple[Figure, list[Axes]]:
    """Return a figure with so many panels, two in a row, of this height in inches."""
    columns = min(n, 2)
    rows = -(-n // columns)
    figure = Figure(figsize=(WIDTH, height * rows + 0.5), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for spare in axes[n:]:
        spare.remove()
    return figure, axes[:n]


def column(result: Result, name: str) -> tuple[Floats, Floats]:
    """Values of a data column and how often each row counts, rows with a missing value left out."""
    values = np.array(result.data.columns.get(name, []), dtype=np.float64)
    weights = np.ones(len(values))
    if (counts := result.data.columns.get("counts")) is not None and len(counts) == len(values):
        weights = np.array(counts, dtype=np.float64)
    known = np.isfinite(values) & np.isfinite(weights)
    return values[known], weights[known]


def _seen(result: Result, name: str) -> tuple[Floats, Floats, int]:
    """Values of a data column that were seen, the share of the data at each, and how many of the rows were cut short before.

    Of waits that were cut short before they ended, the shares are those of the estimate of Kaplan and Meier (1958), JASA 53,
    457; what lies beyond the last end that was seen has no place, so that they then sum to less than 1.
    """
    values, counts = column(result, name)
    censored = np.array(result.data.columns.get("censored", []), dtype=np.float64)
    if len(censored) != len(values) or not (censored == 1).any():
        return values, counts / counts.sum(), 0
    from scipy.stats import CensoredData, ecdf

    every, cut = (np.repeat(each, counts.astype(int)) for each in (values, censored == 1))
    found = ecdf(CensoredData(uncensored=every[~cut], right=every[cut])).cdf
    shares = np.diff(found.probabilities, prepend=0.0)
    return np.asarray(found.quantiles)[shares > 0], shares[shares > 0], int(cut.sum())


def _bins(values: Floats) -> list[float]:
    """Edges of bins; where data are rounded, each bin holds equally many of the values that they could have."""
    low, high = float(values.min()), float(values.max())
    n_bins = min(MOST_BINS, math.ceil(2 * math.sqrt(len(values))))
    different = np.unique(values)
    step = float(np.diff(different).min()) if len(different) > 1 else 1.0
    if (high - low) / step > 1000:
        return [float(edge) for edge in np.linspace(low, high, n_bins + 1)]
    width = step * max(1, round((high - low) / step / n_bins))
    return [low - step / 2 + width * k for k in range(math.floor((high - low + step / 2) / width) + 2)]


def _band_label(curve: Curves) -> str:
    return f"posterior mean and {percent(curve.band_prob, 0)} band"


def _densities(result: Result, curves: list[Curves]) -> Illustration:
    figure, axes = panels(len(curves), 3.1)
    strokes, cut, looks = False, 0, component_looks(result).values()
    for ax, curve in zip(axes, curves, strict=True):
        values, shares, cut = _seen(result, curve.variable)
        if len(values):
            edges = _bins(values)
            ax.hist(
                values,
                bins=edges,
                weights=shares / (edges[1] - edges[0]),
                color=DATA_FILL,
                edgecolor="white",
                label="data",
            )
            different = np.unique(values)
            if len(different) <= MOST_RUG:
                strokes = True
                ax.plot(different, np.zeros(len(different)), "|", color=DATA, markersize=7, alpha=0.6, clip_on=False)
        grid = np.array(curve.grid)
        low, high = _array(curve.posterior_low), _array(curve.posterior_high)
        ax.fill_between(grid, low, high, color=POSTERIOR, alpha=0.25, linewidth=0, label="_band")
        ax.plot(grid, _array(curve.posterior_mean), color=POSTERIOR, linewidth=1.6, label=_band_label(curve))
        for component, look in zip(curve.em_components, looks, strict=True) if len(curve.em_components) > 1 else []:
            ax.plot(grid, _array(component), color=look.colour, linestyle=look.dash, linewidth=1.7, label=look.label)
        ax.plot(grid, _array(curve.em), "--", color=EM, linewidth=1.6, label="EM")
        _name_components(ax, result, curve)
        ax.set_xlabel(axis_label(result, curve.variable))
        ax.set_ylabel("density")
        ax.set_ylim(0, 1.05 * ax.get_ylim()[1])
        ax.margins(x=0.01)
    add_legend(figure, axes[0])
    variables = " and ".join(curve.variable for curve in curves)
    scaled = "scaled to area 1"
    if cut:
        scaled = f"by Kaplan and Meier, as {cut} {'is' if cut == 1 else 'are'} censored, up to the last that ended"
    return Illustration(
        name="data-and-fits",
        title=f"Data with both fits: {variables}",
        caption=(
            f"Grey: histogram of {variables}, n = {result.data.n}, {scaled}"
            f"{', with a stroke at each value that occurs' if strokes else ''}. Dashed: density at the EM estimate, and by "
            "its name each component's, times its weight. Solid: posterior mean of the density; at each point the band holds "
            f"{percent(curves[0].band_prob, 0)} of the draws."
        ),
        alt=f"Histogram of {variables}, n = {result.data.n}, with the density at the EM estimate and the posterior mean density "
        "with its band: " + "; ".join(_peaks(curve) for curve in curves) + ".",
        figure=figure,
    )


def _peaks(curve: Curves) -> str:
    """Where the two densities are highest."""
    both = ((engine, _array(heights)) for engine, heights in (("EM", curve.em), ("posterior", curve.posterior_mean)))
    told = [
        f"{engine} at {significant(curve.grid[int(np.nanargmax(heights))])}"
        for engine, heights in both
        if np.isfinite(heights).any()
    ]
    return f"{curve.variable} is densest by {' and by '.join(told) or 'neither'}"


def _name_components(ax: Axes, result: Result, curve: Curves) -> None:
    names = result.model.component_names
    if len(curve.em_components) < 2 or len(names) != len(curve.em_components):
        return
    placed: list[tuple[float, float, float]] = []
    for name, component in zip(names, curve.em_components, strict=True):
        heights = _array(component)
        if not np.isfinite(heights).any():
            continue
        peak = int(np.nanargmax(heights))
        place = (curve.grid[peak], float(np.nanmax([curve.em[peak], curve.posterior_high[peak]])))
        told = drawn(name)
        across, up = (float(each) for each in ax.transData.transform(place) * 72 / ax.figure.dpi)
        half, above = len(told) * CHARACTER / 2, 3.0
        # Over the names that it would else be written on.
        while any(abs(across - x) < half + other and abs(up + above - y) < LINE for x, y, other in placed):
            above += LINE
        placed.append((across, up + above, half))
        ax.annotate(
            told,
            place,
            xytext=(0, above),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=8,
        )


def _counts(result: Result, curves: list[Curves]) -> Illustration:
    figure, axes = panels(len(curves), 3.1)
    for ax, curve in zip(axes, curves, strict=True):
        grid = np.array(curve.grid)
        width = 0.84 * (float(np.min(np.diff(grid))) if len(grid) > 1 else 1.0)
        if curve.observed is not None:
            ax.bar(grid, curve.observed, width=width, color=DATA_FILL, edgecolor=DATA, linewidth=0.5, label="observed")
        low, mean, high = (_array(c) for c in (curve.posterior_low, curve.posterior_mean, curve.posterior_high))
        # Side by side, so that neither hides the other.
        ax.errorbar(
            grid + width / 6,
            mean,
            yerr=np.clip([mean - low, high - mean], 0, None),
            fmt="o",
            color=POSTERIOR,
            markersize=4,
            capsize=2,
            linewidth=1.2,
            label=_band_label(curve),
        )
        ax.plot(grid - width / 6, _array(curve.em), "D", color=EM, markersize=4.5, label="EM")
        ax.set_xlabel(drawn(result.data.unit or curve.variable))
        ax.set_ylabel("count")
        ax.set_ylim(bottom=0)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    add_legend(figure, axes[0])
    variable = result.data.unit or curves[0].variable
    return Illustration(
        name="data-and-fits",
        title="Observed counts and both fits",
        caption=(
            f"Bars: how often each number of {variable} was observed, n = {result.data.n}. Diamonds: count expected at the EM "
            f"estimate. Circles: posterior mean of the count expected, with a band of {percent(curves[0].band_prob, 0)} of "
            "the draws. The band is that of the expectation; observed counts scatter about it as well."
        ),
        alt=f"Bars of how often each number of {variable} was observed, with the counts that EM and the posterior expect: "
        + "; ".join(_largest(curve) for curve in curves)
        + ".",
        figure=figure,
    )


def _largest(curve: Curves) -> str:
    """Where observed and expected counts differ most."""
    if curve.observed is None:
        return f"no counts of {curve.variable}"
    off = np.nan_to_num(np.abs(np.array(curve.observed) - _array(curve.em)))
    at = int(np.argmax(off))
    return f"at {curve.grid[at]:g}, where they differ most, {curve.observed[at]:g} observed and {significant(curve.em[at])} by EM"


def _plane(result: Result, posterior: xarray.DataTree, x: str, y: str) -> Illustration:
    figure = Figure(figsize=(WIDTH * 0.85, 4.6), layout="constrained")
    ax = figure.subplots()
    xs, ys = (np.array(result.data.columns.get(name, []), dtype=np.float64) for name in (x, y))
    data = "the data"
    if len(xs) == len(ys):
        some = thinned(len(xs), MOST_POINTS)
        if len(xs) > MOST_POINTS:
            data = f"{len(xs[some]):,} of the {len(xs):,} distinct rows, evenly spread"
        ax.plot(xs[some], ys[some], "o", color=DATA, markersize=3, alpha=0.5, markeredgewidth=0, label="data")
    values = {quantity.name: quantity for quantity in result.quantities}
    ellipses, dots = False, ""
    centres: dict[str, tuple[float, float]] = {}
    for name, look in component_looks(result).items():
        draws = [draws_of(posterior, f"means[{name}, {feature}]") for feature in (x, y)]
        if draws[0] is not None and draws[1] is not None:
            keep = thinned(draws[0].size, MOST_DRAWS)
            dots = f" Dots: the means in {shown(draws[0].size, MOST_DRAWS)}."
            points = [d.ravel()[keep] for d in draws if d is not None]
            ax.plot(
                *points,
                "o",
                color=look.colour,
                markersize=2.2,
                alpha=0.4,
                markeredgewidth=0,
            )
        means = [values.get(f"means[{name}, {feature}]") for feature in (x, y)]
        if means[0] is None or means[1] is None or means[0].em is None or means[1].em is None:
            continue
        centre = centres[name] = (means[0].em, means[1].em)
        ax.plot([], [], color=look.colour, linestyle=look.dash, linewidth=1.7, label=look.label)
        covariance = _covariance(result, name, x, y)
        if covariance is not None:
            ellipses = True
            for probability in ELLIPSES:
                ax.add_patch(_ellipse(centre, covariance, probability, look))
        if means[0].map is not None and means[1].map is not None:
            ax.plot(means[0].map, means[1].map, "^", color=MAP, markersize=6, label="means, MAP")
        ax.plot(*centre, "+", color=EM, markersize=11, markeredgewidth=2, label="means, EM")
    ax.set_xlabel(axis_label(result, x))
    ax.set_ylabel(axis_label(result, y))
    add_legend(figure, ax)
    inside = " and ".join(percent(probability, 0) for probability in ELLIPSES)
    return Illustration(
        name="plane",
        title=f"{x} and {y}: the clusters",
        caption=(
            f"Grey: {data}. Crosses: means by EM"
            + (f", with the ellipses that hold {inside} of each component as EM estimates it" if ellipses else "")
            + f". Triangles: means at the posterior mode.{dots}"
        ),
        alt=f"Scatter of {y} against {x} with EM's clusters and posterior draws of the means. EM's means: "
        + "; ".join(f"{name} at {significant(a)}, {significant(b)}" for name, (a, b) in centres.items())
        + ".",
        figure=figure,
    )


def _covariance(result: Result, component: str, x: str, y: str) -> Floats | None:
    """EM's covariance of two features: an entry that is no quantity is 0, or shared by all components or by both features."""
    values = {quantity.name: quantity.em for quantity in result.quantities}

    def entry(a: str, b: str) -> float | None:
        names = [f"covariances[{own}{place}]" for own in (f"{component}, ", "") for place in (f"{a}, {b}", f"{b}, {a}")]
        names += [f"variances[{component}]", "variances"] if a == b else []
        off_form = a != b and result.model.options["covariance"] not in ("full", "tied")
        return 0.0 if off_form else next((values[name] for name in names if name in values), None)

    xx, xy, yy = entry(x, x), entry(x, y), entry(y, y)
    if xx is None or xy is None or yy is None:
        return None
    return np.array([[xx, xy], [xy, yy]], dtype=np.float64)


def _ellipse(centre: tuple[float, float], covariance: Floats, probability: float, look: ComponentLook) -> Ellipse:
    variances, directions = np.linalg.eigh(covariance)
    # The squared Mahalanobis distance in the plane is exponential with mean 2.
    radius = math.sqrt(-2 * math.log1p(-probability))
    height, width = 2 * radius * np.sqrt(np.clip(variances, 0, None))
    angle = math.degrees(math.atan2(directions[1, 1], directions[0, 1]))
    drawing = {"fill": False, "edgecolor": look.colour, "linestyle": look.dash, "linewidth": 1.4, "zorder": 3}
    return Ellipse(centre, float(width), float(height), angle=angle, **drawing)


def _array(values: list[float | None]) -> Floats:
    return np.array(values, dtype=np.float64)
