"""Figures of whether the model fits: quantiles against quantiles, and the data among replicates from the posterior."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import MaxNLocator

from comparisons.report.appearance import (
    DATA,
    EM,
    INK,
    POSTERIOR,
    Illustration,
    add_legend,
    axis_label,
    drawn,
)
from comparisons.report.data_and_fits import panels
from comparisons.report.digits import percent
from comparisons.results.report_data import PredictiveCurve, QuantilePlot
from comparisons.results.result import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def figures_of_model_checks(result: Result) -> list[Illustration]:
    """Return the quantile plot and the predictive figure, where the result has them."""
    checks = result.model_checks
    made = []
    if checks.goodness_of_fit.quantile_plots:
        made.append(_quantiles(result, checks.goodness_of_fit.quantile_plots))
    for kind, draw in (("counts", _rootogram), ("distribution", _distributions)):
        curves = [curve for curve in checks.predictive.curves if curve.kind == kind]
        if curves:
            made.append(draw(result, curves))
    return made


def _quantiles(result: Result, plots: list[QuantilePlot]) -> Illustration:
    figure, axes = panels(len(plots), 3.3)
    for ax, plot in zip(axes, plots, strict=True):
        fitted, observed = np.array(plot.fitted), np.array(plot.observed)
        ends = [min(fitted.min(), observed.min()), max(fitted.max(), observed.max())]
        if plot.low:
            label = f"{percent(plot.band_prob, 0)} simultaneous band"
            ax.fill_between(fitted, plot.low, plot.high, color=EM, alpha=0.2, linewidth=0, label=label)
        ax.plot(ends, ends, "--", color=EM, linewidth=1.2, label="EM")
        ax.plot(fitted, observed, "o", color=INK, markersize=2.6, markeredgewidth=0, label="data")
        margin = 0.06 * (ends[1] - ends[0])
        # A band that runs far out at the ends is cut, not the data squeezed.
        ax.set_ylim(ends[0] - 2 * margin, ends[1] + 2 * margin)
        ax.set_xlabel(f"quantile of the fit: {axis_label(result, plot.variable)}")
        ax.set_ylabel("quantile of the data")
    add_legend(figure, axes[0])
    variables = " and ".join(plot.variable for plot in plots)
    outside = " and ".join(f"{plot.outside} of {len(plot.observed)}" for plot in plots)
    return Illustration(
        name="quantiles",
        title=f"Quantiles of the data against the fit: {variables}",
        caption=(
            f"Sorted values of {variables} against the quantiles of the mixture at the EM estimate; on the dashed line they are "
            f"equal. The band holds all points of {percent(plots[0].band_prob, 0)} of the data sets drawn from the fit, each "
            f"compared with a fit of its own and, where the data are rounded, rounded alike. Points outside: {outside}."
        ),
        alt=f"Quantiles of {variables} in the data against those of the fit, with a band; {outside} points lie outside.",
        figure=figure,
    )


def _rootogram(result: Result, curves: list[PredictiveCurve]) -> Illustration:
    figure, axes = panels(len(curves), 3.0)
    for ax, curve in zip(axes, curves, strict=True):
        grid, observed, mean, low, high = _roots(curve)
        width = 0.84 * (float(np.min(np.diff(grid))) if len(grid) > 1 else 1.0)
        ax.bar(grid, high - low, width, low - mean, color=POSTERIOR, alpha=0.25, label=_interval(result))
        ax.bar(grid, observed - mean, 0.5 * width, color=DATA, label="observed")
        ax.axhline(0, color=POSTERIOR, linewidth=1.3, label="mean of the replicates")
        ax.set_xlabel(drawn(result.data.unit or curve.variable))
        ax.set_ylabel("difference of square roots")
        # Bars stick to where they begin, which would cut those that hang lowest.
        ends = np.concatenate([low - mean, high - mean, observed - mean, [0.0]])
        room = 0.06 * (ends.max() - ends.min())
        ax.set_ylim(ends.min() - room, ends.max() + room)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    add_legend(figure, axes[0])
    return Illustration(
        name="rootogram",
        title="Observed counts among replicates from the posterior",
        caption=(
            "Suspended rootogram: square root of each observed count minus that of the mean over "
            f"{result.model_checks.predictive.replicates} replicates from the posterior, so that large and small counts scatter "
            f"alike. Shaded: {percent(result.model_checks.predictive.interval_prob, 0)} of the replicates at each count. Unlike "
            "the band about the expected counts above, it holds the scatter of the counts themselves."
        ),
        alt="Bars of how far observed counts are from those that replicates have on average. "
        f"{' '.join(_outside(curve) for curve in curves)}",
        figure=figure,
    )


def _roots(curve: PredictiveCurve) -> list[np.ndarray]:
    roots = [np.sqrt(np.array(values)) for values in (curve.observed, curve.mean, curve.low, curve.high)]
    return [np.array(curve.grid), *roots]


def _outside(curve: PredictiveCurve) -> str:
    rows = zip(curve.observed, curve.low, curve.high, strict=True)
    outside = sum(not low <= seen <= high for seen, low, high in rows)
    return f"Of {curve.variable} {outside} of {len(curve.observed)} counts lie outside the interval of the replicates."


def _distributions(result: Result, curves: list[PredictiveCurve]) -> Illustration:
    figure, axes = panels(len(curves), 2.9)
    for ax, curve in zip(axes, curves, strict=True):
        _distribution(ax, result, curve)
    add_legend(figure, axes[0])
    variables = " and ".join(curve.variable for curve in curves)
    return Illustration(
        name="predictive",
        title=f"Distribution of {variables} among replicates from the posterior",
        caption=(
            f"Share of the rows at or below each value of {variables}, observed minus mean over "
            f"{result.model_checks.predictive.replicates} replicates from the posterior. At each value the band holds "
            f"{percent(result.model_checks.predictive.interval_prob, 0)} of the replicates, so that a line may leave it now and "
            "then."
        ),
        alt=f"Observed minus replicated distribution function of {variables}, with the band of the replicates about zero: "
        + " and ".join(f"largest distance {_farthest(curve):.3f}" for curve in curves)
        + ".",
        figure=figure,
    )


def _distribution(ax: Axes, result: Result, curve: PredictiveCurve) -> None:
    grid, mean = np.array(curve.grid), np.array(curve.mean)
    band = [np.array(values) - mean for values in (curve.low, curve.high)]
    ax.fill_between(grid, *band, color=POSTERIOR, alpha=0.25, linewidth=0, label=_interval(result))
    ax.axhline(0, color=POSTERIOR, linewidth=1.3, label="mean of the replicates")
    ax.plot(grid, np.array(curve.observed) - mean, color=INK, linewidth=1.3, label="observed")
    ax.set_xlabel(axis_label(result, curve.variable))
    ax.set_ylabel("difference of shares")
    ax.margins(x=0.01)


def _farthest(curve: PredictiveCurve) -> float:
    return max(abs(seen - mean) for seen, mean in zip(curve.observed, curve.mean, strict=True))


def _interval(result: Result) -> str:
    return f"{percent(result.model_checks.predictive.interval_prob, 0)} of the replicates"
