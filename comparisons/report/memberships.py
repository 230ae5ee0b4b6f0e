"""Figure of membership probabilities: the posterior's against EM's, for distinct rows of the data."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from comparisons.report.appearance import DATA, WIDTH, Illustration, add_legend, component_looks, thinned
from comparisons.results.result import Result

# Marks of all components together, each of which is drawn twice.
MOST_MARKS = 500


def figures_of_memberships(result: Result) -> list[Illustration]:
    """Return the figure, or nothing where no row's component is hidden."""
    memberships = result.labels.memberships
    if memberships is None:
        return []
    names = result.model.component_names
    # Of two components the second has what the first leaves.
    shown = names[:1] if len(names) == 2 else names
    some = thinned(len(memberships.rows), MOST_MARKS // len(shown))
    figure = Figure(figsize=(WIDTH, 3.5), layout="constrained")
    both, difference = figure.subplots(1, 2)
    both.plot([0, 1], [0, 1], color=DATA, linewidth=0.9)
    difference.axhline(0, color=DATA, linewidth=0.9)
    looks = component_looks(result)
    for k, name in enumerate(shown):
        by_em, by_draws = np.array(memberships.em[k])[some], np.array(memberships.posterior[k])[some]
        for ax, values in ((both, by_draws), (difference, by_draws - by_em)):
            ax.plot(
                by_em,
                values,
                looks[name].marker,
                color=looks[name].colour,
                markersize=4.5,
                alpha=0.7,
                markeredgewidth=0,
                label=looks[name].label,
            )
    both.set_ylabel("posterior probability")
    difference.set_ylabel("posterior probability − EM")
    for ax in (both, difference):
        ax.set_xlabel("responsibility by EM")
        ax.set_xlim(-0.03, 1.03)
    both.set_ylim(-0.03, 1.03)
    largest = max(0.01, *(abs(float(y)) for line in difference.lines for y in np.asarray(line.get_ydata())))
    difference.set_ylim(-1.1 * largest, 1.1 * largest)
    add_legend(figure, both)
    n, of = len(memberships.rows[some]), memberships.of
    rows = f"the {n} distinct rows" if n == of else f"{n} of the {of} distinct rows, evenly spread"
    other = f" The probability of component {names[1]} is 1 minus this." if len(names) == 2 else ""
    return [
        Illustration(
            name="memberships",
            title="Which component each row comes from",
            caption=(
                f"A mark for each of {rows}: probability that it comes from the component, at EM's estimate (across) and on "
                f"average over the draws (up), these aligned by Stephens' algorithm.{other} Left: on the grey line both are "
                "equal. Right: their difference. EM takes its estimate for certain; where the draws do not agree on a row, its "
                "probability is mostly nearer to the middle."
            ),
            alt="Posterior probability of each row's component against EM's responsibility, and their difference, at most "
            f"{np.abs(np.subtract(memberships.posterior, memberships.em)).max():.3f}.",
            figure=figure,
        )
    ]
