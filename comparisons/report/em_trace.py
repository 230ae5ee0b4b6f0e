"""Figure of EM's climb: the log-likelihood at each iteration, and what was still missing."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from comparisons.report.appearance import EM, WIDTH, Illustration
from comparisons.result import Result


def figures_of_trace(result: Result) -> list[Illustration]:
    """Return the figure of the trace, or nothing where EM took no iteration."""
    iterations = np.array(result.em.trace_iterations)
    trace = np.array(result.em.trace, dtype=np.float64)
    known = np.isfinite(trace)
    iterations, trace = iterations[known], trace[known]
    if len(trace) < 2:
        return []
    figure = Figure(figsize=(WIDTH, 2.7), layout="constrained")
    climb, missing = figure.subplots(1, 2)
    marker = "o" if len(trace) <= 60 else ""
    climb.plot(iterations, trace, color=EM, linewidth=1.3, marker=marker, markersize=3)
    climb.ticklabel_format(axis="y", useOffset=False)
    climb.set_ylabel("log-likelihood (nats)")
    gap = trace[-1] - trace
    above = gap > 0
    if above.any():
        missing.semilogy(iterations[above], gap[above], color=EM, linewidth=1.3, marker=marker, markersize=3)
    missing.set_ylabel("below the last value (nats)")
    for ax in (climb, missing):
        ax.set_xlabel("iteration")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    thin = "" if len(trace) > result.em.iterations else "; not every iteration is drawn"
    return [
        Illustration(
            name="em-trace",
            title="The climb of EM",
            caption=(
                f"Left: log-likelihood at each of {result.em.iterations} iterations from the start that won. Right: how far "
                f"each lies below the last, on a logarithmic scale; a straight line is convergence at a constant rate{thin}."
            ),
            alt="Log-likelihood against iteration, and its distance to the last value on a logarithmic scale.",
            figure=figure,
        )
    ]
