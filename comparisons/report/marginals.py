"""Figures of each quantity's draws: its marginal posterior beside EM and MAP, and the ranks of its chains."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from comparisons.draws_by_name import draws_of
from comparisons.report.appearance import CHAINS, EM, LINES, MAP, POSTERIOR, WIDTH, Illustration, axis_label, drawn
from comparisons.report.digits import percent, rounded, significant
from comparisons.report.reservations import em_on_ridge, map_on_ridge
from comparisons.results.result import Quantity, Result

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

type Floats = NDArray[np.float64]

BINS = 40
RANK_BINS = 20
# Characters below a panel of a third of the figure's width.
LONGEST_LABEL = 30
# Shown of the draws; a single far draw must not squeeze the rest into one bin.
SHOWN = (0.002, 0.998)


def figures_of_marginals(result: Result, posterior: xarray.DataTree) -> list[Illustration]:
    """Return the marginals of all quantities that the posterior has draws of."""
    known = _known(result, posterior)
    return [_marginals(result, known)] if known else []


def figures_of_ranks(result: Result, posterior: xarray.DataTree) -> list[Illustration]:
    """Return the ranks by chain of all quantities that the posterior has draws of."""
    known = _known(result, posterior)
    return [_ranks(known)] if known else []


def _known(result: Result, posterior: xarray.DataTree) -> list[tuple[Quantity, Floats]]:
    found = [(quantity, draws_of(posterior, quantity.name)) for quantity in result.quantities]
    return [(quantity, draws) for quantity, draws in found if draws is not None]


def _grid(n: int, height: float) -> tuple[Figure, list[Axes]]:
    """A figure of so many panels of this height in inches, and these."""
    columns = 2 if n == 4 else min(n, 3)
    rows = -(-n // columns)
    figure = Figure(figsize=(WIDTH, height * rows + 0.4), layout="constrained")
    axes: list[Any] = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for spare in axes[n:]:
        spare.remove()
    return figure, axes[:n]


def _two_lines(label: str) -> str:
    """Return the label broken after its first comma where a small panel would not hold it."""
    return label.replace(", ", ",\n", 1) if len(label) > LONGEST_LABEL else label


def _marginals(result: Result, known: list[tuple[Quantity, Floats]]) -> Illustration:
    figure, axes = _grid(len(known), 1.75)
    for ax, (quantity, draws) in zip(axes, known, strict=True):
        _marginal(ax, drawable(result, quantity), draws.ravel())
        ax.set_xlabel(_two_lines(axis_label(result, quantity.name)))
    hdi = interval = percent(known[0][0].posterior.hdi_prob, 0)
    left_out = [
        engine
        for engine, on_ridge in (("EM", em_on_ridge), ("MAP", map_on_ridge))
        if any(on_ridge(result, quantity) for quantity, _ in known)
    ]
    figure.legend(
        handles=[
            Line2D([], [], color=EM, marker="o", markersize=4, linewidth=2, label=f"EM and its {interval} interval"),
            Line2D([], [], color=MAP, marker="^", markersize=6, linestyle="none", label="MAP"),
            Patch(facecolor=POSTERIOR, alpha=0.35, label="posterior draws"),
            Line2D(
                [], [], color=POSTERIOR, marker="s", markersize=4, linewidth=2, label=f"posterior mean and {hdi} HDI"
            ),
        ],
        loc="outside upper center",
        ncols=4,
    )
    return Illustration(
        name="marginals",
        title="Marginal posteriors beside the EM estimates",
        caption=(
            "Histograms: marginal posterior draws, the far 0.2\u00a0% at each end not shown. Below each: the posterior mean "
            f"with the highest-density interval of probability {hdi} (square), EM with its Wald interval of probability "
            f"{interval} (circle; computed on the scale given in the table; arrows where it runs past the frame) and the "
            "posterior mode by MAP-EM (triangle). Where the standard error is withheld EM has no Wald interval."
            + (f" Not drawn where it is one point of a ridge: {' and '.join(left_out)}." if left_out else "")
        ),
        alt="For every quantity a histogram of posterior draws, with EM, MAP, posterior mean and both intervals below: "
        + "; ".join(f"{quantity.name} about {significant(quantity.mean)}" for quantity, _ in known)
        + ".",
        figure=figure,
    )


def drawable(result: Result, quantity: Quantity) -> Quantity:
    """Return the quantity without estimates that are one point of a ridge: a line there would look like knowledge."""
    return replace(
        quantity,
        em=None if em_on_ridge(result, quantity) else quantity.em,
        map=None if map_on_ridge(result, quantity) else quantity.map,
    )


def _marginal(ax: Axes, quantity: Quantity, draws: Floats) -> None:
    draws = draws[np.isfinite(draws)]
    points = [value for value in (quantity.em, quantity.map) if value is not None]
    low, high = np.quantile(draws, SHOWN) if len(draws) else (min(points, default=0.0), max(points, default=1.0))
    low, high = min([low, *points]), max([high, *points])
    if not high > low:
        low, high = low - 0.5, high + 0.5
    spread = high - low
    if quantity.em_low is not None and quantity.em_high is not None:
        # An interval much wider than the posterior is cut, not the posterior squeezed.
        low, high = (
            max(min(low, quantity.em_low), low - 0.5 * spread),
            min(max(high, quantity.em_high), high + 0.5 * spread),
        )
    margin = 0.04 * (high - low)
    ax.set_xlim(low - margin, high + margin)
    heights, _, _ = ax.hist(
        draws, bins=BINS, range=(float(low), float(high)), histtype="stepfilled", color=POSTERIOR, alpha=0.35
    )
    top = float(np.max(heights)) or 1.0
    lanes = {"posterior": -0.12 * top, "em": -0.27 * top, "map": -0.42 * top}
    summary = quantity.posterior
    if summary.hdi_low is not None and summary.hdi_high is not None:
        ax.plot([summary.hdi_low, summary.hdi_high], [lanes["posterior"]] * 2, color=POSTERIOR, linewidth=2.2)
    if summary.mean is not None:
        ax.plot(summary.mean, lanes["posterior"], "s", color=POSTERIOR, markersize=4.5)
    if quantity.em_low is not None and quantity.em_high is not None:
        ends = np.clip([quantity.em_low, quantity.em_high], low, high)
        ax.plot(ends, [lanes["em"]] * 2, color=EM, linewidth=2.2)
        for end, cut, marker in zip(ends, (quantity.em_low < low, quantity.em_high > high), "<>", strict=True):
            if cut:
                ax.plot(end, lanes["em"], marker, color=EM, markersize=5)
    if quantity.em is not None:
        ax.plot([quantity.em] * 2, [lanes["em"], top], color=EM, linewidth=1.1, linestyle="--")
        ax.plot(quantity.em, lanes["em"], "o", color=EM, markersize=5)
    if quantity.map is not None:
        ax.plot(quantity.map, lanes["map"], "^", color=MAP, markersize=6)
    ax.set_ylim(-0.56 * top, 1.04 * top)
    ax.axhline(0, color="#999999", linewidth=0.6)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.xaxis.set_major_locator(MaxNLocator(4))


def _ranks(known: list[tuple[Quantity, Floats]]) -> Illustration:
    figure, axes = _grid(len(known), 1.45)
    n_chains, n_draws = known[0][1].shape
    expected = n_draws / RANK_BINS
    edges = np.linspace(0, n_chains * n_draws, RANK_BINS + 1)
    for ax, (quantity, draws) in zip(axes, known, strict=True):
        ranks = draws.ravel().argsort(kind="stable").argsort(kind="stable").reshape(draws.shape)
        for chain, values in enumerate(ranks):
            heights, _ = np.histogram(values, edges)
            ax.stairs(
                heights,
                edges,
                baseline=None,
                color=CHAINS[chain % len(CHAINS)],
                linestyle=LINES[(chain + chain // len(CHAINS)) % len(LINES)],
                linewidth=1.1,
                label=f"chain {chain + 1}",
            )
        ax.axhline(expected, color="#999999", linewidth=0.7, zorder=0)
        ax.set_ylim(0, max(2.2 * expected, ax.get_ylim()[1]))
        ax.set_title(_two_lines(drawn(quantity.name)))
        ax.set_xticks([])
        ax.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    figure.supxlabel("rank among the draws of all chains", fontsize=9)
    figure.supylabel("draws in each twentieth", fontsize=9)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles[:8], labels[:8], loc="outside upper center", ncols=4)
    return Illustration(
        name="ranks",
        title="Ranks of the draws by chain",
        caption=(
            f"Each of the {n_chains} chains of {n_draws} draws: how often its draws fall into each twentieth of all draws ranked "
            "together. Chains that explore the same posterior lie about the grey line all along; one that is high at an end "
            "may have been stuck there."
        ),
        alt="For every quantity the histogram of ranks of each chain, which is level where the chains agree: "
        + "; ".join(f"{quantity.name}, R-hat {rounded(quantity.posterior.r_hat, 3)}" for quantity, _ in known)
        + ".",
        figure=figure,
    )
