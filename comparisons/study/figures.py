"""Figures of the studies, drawn as those of the reports are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from comparisons.families import FAMILIES
from comparisons.report import appearance
from comparisons.study import rates
from comparisons.study.calibration import RANKED
from comparisons.study.ranks import band, shares
from comparisons.study.rates import CalibrationRates, CleanRates, CurvePoint, FaultRates, Rate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# As in the reports: agreement, difference, no conclusion, alarm.
COLOURS = {"agree": "#009E73", "differ": "#E69F00", "inconclusive": "#B8B8B8", "wrong": "#D55E00"}
NOMINAL = 0.94


def _saved(directory: Path, name: str, figure: Figure) -> str:
    figure.savefig(directory / f"{name}.svg", metadata={"Date": None})
    figure.savefig(directory / f"{name}.pdf", metadata={"CreationDate": None})
    return f"{name}.svg"


def _figure(height: float, columns: int = 1, rows: int = 1, **options: Any) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(appearance.WIDTH, height), layout="constrained")
    return figure, figure.subplots(rows, columns, **options)


def clean(directory: Path, found: list[CleanRates]) -> str:
    """Share of each verdict in each setting."""
    with appearance.style():
        figure, axes = _figure(0.26 * len(found) + 1.0)
        left = np.zeros(len(found))
        for verdict, colour in COLOURS.items():
            width = np.array([each.verdicts[verdict].count / each.verdicts[verdict].of for each in found])
            axes.barh([each.name for each in found], width, left=left, color=colour, label=verdict, height=0.7)
            left += width
        axes.invert_yaxis()
        axes.set_xlim(0, 1)
        axes.set_xlabel("share of the simulated data sets")
        figure.legend(loc="outside upper center", ncols=4)
        return _saved(directory, "clean", figure)


def faults(directory: Path, found: list[FaultRates]) -> str:
    """Share of each fault that was detected and laid at the right door, with exact intervals."""
    shown = [each for each in found if each.detected.of]
    with appearance.style():
        figure, axes = _figure(0.24 * len(shown) + 1.0)
        places = np.arange(len(shown))
        _points(axes, places - 0.15, [each.detected for each in shown], appearance.POSTERIOR, "o", "detected")
        _points(axes, places + 0.15, [each.named for each in shown], appearance.EM, "s", "engine named, of those")
        axes.set_yticks(places, [each.name for each in shown])
        axes.invert_yaxis()
        axes.set_xlim(0, 1.02)
        axes.set_xlabel("share, with the exact 95 % interval")
        figure.legend(loc="outside upper center", ncols=2)
        return _saved(directory, "faults", figure)


def curves(directory: Path, found: list[CurvePoint]) -> str:
    """Share found by the size of a fault, a panel for each kind."""
    kinds = list(dict.fromkeys(point.curve for point in found))
    with appearance.style():
        figure, grid = _figure(2.6, len(kinds), 1, squeeze=False, sharey=True)
        for axes, kind in zip(grid[0], kinds, strict=True):
            for family, colour, marker in zip(FAMILIES, (appearance.EM, appearance.POSTERIOR), "so", strict=False):
                points = [p for p in found if (p.curve, p.family) == (kind, family)]
                share = np.array([p.detected.count / p.detected.of for p in points])
                ends = np.array([[p.detected.low, p.detected.high] for p in points]).reshape(-1, 2).T
                size = [p.size for p in points]
                axes.errorbar(
                    size, share, yerr=np.abs(ends - share), fmt=f"{marker}-", color=colour, markersize=3, label=family
                )
            axes.set_title(kind)
            axes.set_xlabel("size")
        grid[0, 0].set_ylabel("share detected")
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=2)
        return _saved(directory, "curves", figure)


def _points(axes: Axes, places: Any, found: list[Rate], colour: str, marker: str, label: str) -> None:
    share = np.array([rate.count / max(rate.of, 1) for rate in found])
    error = np.abs(np.array([[rate.low, rate.high] for rate in found]).T - share)
    axes.errorbar(share, places, xerr=error, fmt=marker, color=colour, markersize=4, elinewidth=1, label=label)


def calibration(directory: Path, rows: list[dict[str, str]], found: CalibrationRates) -> list[str]:
    """Distribution functions of the ranks, and coverage with refusal."""
    with appearance.style():
        return [_ranks(directory, rows), _coverage(directory, found)]


def _ranks(directory: Path, rows: list[dict[str, str]]) -> str:
    table = rates.rank_table(rows)
    settings = sorted({setting for setting, _ in table})
    kinds = ["", *sorted({fault for _, fault in table} - {""})]
    figure, grid = _figure(1.7 * len(settings) + 0.4, len(kinds), len(settings), sharex=True, squeeze=False)
    for axes_row, setting in zip(grid, settings, strict=True):
        for axes, fault in zip(axes_row, kinds, strict=True):
            quantities = table.get((setting, fault), {})
            if not quantities:
                axes.set_axis_off()
                continue
            n = len(next(iter(quantities.values())))
            points, low, high = band(n, RANKED)
            expected = (points + 1) / (RANKED + 1)
            axes.fill_between(points, low - expected, high - expected, color=appearance.DATA_FILL)
            for ranks in quantities.values():
                axes.plot(points, shares(ranks, RANKED) - expected, color=appearance.POSTERIOR, linewidth=0.8)
            axes.set_title(f"{setting}\n{fault or 'as it is'}, {n} simulations", fontsize=7.5)
    for axes in grid[-1]:
        axes.set_xlabel("rank of the truth")
    figure.supylabel("share at or below, minus expected", fontsize=9)
    return _saved(directory, "ranks", figure)


def _coverage(directory: Path, found: CalibrationRates) -> str:
    families = sorted({cell.family for cell in found.coverage})
    figure, grid = _figure(2.4 * len(families) + 0.5, 2, len(families), squeeze=False, sharex=True)
    steps = sorted({cell.separation_from for cell in found.coverage})
    shades = [str(0.75 - 0.75 * j / max(len(steps) - 1, 1)) for j in range(len(steps))]
    for axes_row, family in zip(grid, families, strict=True):
        for axes, name in zip(axes_row, ("held", "withheld"), strict=True):
            for j, (step, shade) in enumerate(zip(steps, shades, strict=True)):
                cells = [c for c in found.coverage if c.family == family and c.separation_from == step]
                cells = [c for c in cells if getattr(c, name).of]
                share = np.array([getattr(c, name).count / getattr(c, name).of for c in cells])
                error = np.abs(
                    np.array([[getattr(c, name).low, getattr(c, name).high] for c in cells]).reshape(-1, 2).T - share
                )
                size = np.array([c.n for c in cells]) * 1.04**j
                upper = next((f" to {c.separation_to:g}" for c in cells if c.separation_to), " and more")
                axes.errorbar(
                    size,
                    share,
                    yerr=error,
                    fmt="o-",
                    color=shade,
                    markersize=3,
                    linewidth=1,
                    label=f"{step:g}{upper} sd",
                )
            axes.set_xscale("log")
            axes.set_xticks([20, 50, 100, 200, 500], ["20", "50", "100", "200", "500"])
            axes.minorticks_off()
            axes.set_title(f"{family}: intervals {'that hold the truth' if name == 'held' else 'withheld'}")
        axes_row[0].axhline(NOMINAL, color=appearance.EM, linestyle="--", linewidth=1)
    for axes in grid[-1]:
        axes.set_xlabel("rows")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(steps), title="separation of the components")
    return _saved(directory, "coverage", figure)
