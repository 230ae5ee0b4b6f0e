"""Figure of EM's convergence: the log-likelihood at each iteration, and how far below the last it still was."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from comparisons.report.appearance import EM, WIDTH, Illustration
from comparisons.report.digits import significant
from comparisons.results.result import Result

# Units in the last place of the log-likelihood: sums over rows are no finer, and smaller differences say nothing.
ROUNDING = 16
# Fewer points do not show a rate.
FEWEST = 3


def figures_of_trace(result: Result) -> list[Illustration]:
    """Return the figure of the trace, or nothing where EM took no iteration."""
    iterations = np.array(result.em.trace_iterations)
    trace = np.array(result.em.trace, dtype=np.float64)
    known = np.isfinite(trace)
    iterations, trace = iterations[known], trace[known]
    if len(trace) < 2:
        return []
    below = trace[-1] - trace
    floor = ROUNDING * float(np.spacing(abs(trace[-1])))
    seen = below > floor
    rate_shows = int(seen.sum()) >= FEWEST
    figure = Figure(figsize=(WIDTH, 2.7), layout="constrained")
    climb, *others = figure.subplots(1, 1 + rate_shows, squeeze=False)[0]
    marker = "o" if len(trace) <= 60 else ""
    climb.plot(iterations, trace, color=EM, linewidth=1.3, marker=marker, markersize=3)
    climb.ticklabel_format(axis="y", useOffset=False)
    climb.set_ylabel("log-likelihood (nats)")
    for distance in others:
        distance.semilogy(iterations[seen], below[seen], color=EM, linewidth=1.3, marker=marker, markersize=3)
        distance.set_ylabel("below the last value (nats)")
    for ax in (climb, *others):
        ax.set_xlabel("iteration")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    caption = f"Log-likelihood at each of {result.em.iterations} iterations from the start that won"
    if len(trace) <= result.em.iterations:
        caption += ", not every one drawn"
    if rate_shows:
        caption = (
            f"Left: {caption[0].lower()}{caption[1:]}. Right: how far each lies below the last, on a logarithmic scale; a "
            "straight line is convergence at a constant rate. Differences up to "
            f"{significant(floor, 2)} nats are rounding and not drawn"
        )
    return [
        Illustration(
            name="em-trace",
            title="Convergence of EM",
            caption=f"{caption}.",
            alt=f"Log-likelihood by iteration: from {trace[0]:.3f} to {trace[-1]:.3f} nats in {result.em.iterations} iterations"
            + (", and its distance to the last value on a logarithmic scale." if rate_shows else "."),
            figure=figure,
        )
    ]
