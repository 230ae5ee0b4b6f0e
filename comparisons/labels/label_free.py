"""Whether components can be told apart in the draws, and both fits compared by what has no labels.

The draws come in canonical order. Two further alignments look at the rows instead, with EM's allocation as pivot and EM's
responsibilities as start: see `comparisons.labels.relabelling`. Where components are told apart, all three name them alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

import em
from comparisons.families import words
from comparisons.families.mixtures import MixtureProblem
from comparisons.labels import relabelling as labels
from comparisons.labels.memberships import Memberships, all_chains
from comparisons.posterior.nuts import thinned
from comparisons.quantities import INTERVAL
from comparisons.results.report_data import Difference, DistributionFunction, Labels, RowMemberships
from models.inputs import Floats, Integers

if TYPE_CHECKING:
    import xarray as xr

# Share of draws that two alignments may name differently before components cannot be told apart.
THRESHOLD = 0.01
# Draws looked at, evenly thinned: enough for a Monte Carlo error of 0.16 points on a share of 1 %.
MOST_DRAWS = 4000
# Distinct rows, evenly spread over the sorted ones, for pairs (each has a number with each) and for the figure.
MOST_ROWS = 500
# The same for the alignments, which take every draw with every row several times.
MOST_ALIGNED = 5000
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)

type Apart = Literal["told apart", "not by order", "not told apart"]


def compare(
    problem: MixtureProblem, fit: em.Fit[Any, Any], posterior: xr.Dataset, random: np.random.Generator
) -> Labels:
    """Compare both fits without regard to labels, and say whether components can be told apart.

    Parameters
    ----------
    posterior : draws in canonical order
    random : for the sampled allocations of ECR
    """
    fewer = thinned(posterior, MOST_DRAWS)
    fixed = problem.weights.fixed
    # Rows by their places among the distinct ones of the problem, and those of the figure among these.
    n = len(problem.data.counts)
    looked_at = _spread(n, MOST_ALIGNED)
    some = problem if len(looked_at) == n else problem.of_rows(looked_at)
    memberships = Memberships.of_draws(fewer, some.data, "free" if fixed is None else fixed, problem.family)
    responsibilities = fit.responsibilities(some.data)
    n_draws, _, k = memberships.shape
    order = np.arange(k)
    mean: Floats | None = None
    shares: list[float | None] = [None, None, None]
    hidden = bool((problem.data.labels < 0).any()) and k > 1
    if hidden and len(np.unique(memberships.exchangeable)) < k:
        by_ecr = labels.ecr(memberships, responsibilities.argmax(axis=1), random)
        by_stephens, mean = labels.stephens_and_mean(memberships, responsibilities)
        pairs = ((order, by_ecr), (order, by_stephens), (by_ecr, by_stephens))
        shares = [labels.share_different(*pair) for pair in pairs]
    verdict, sentence = _told(k, hidden, shares)
    if hidden and some is not problem:
        sentence = f"{sentence} Looked at are {len(looked_at):,} of the {n:,} distinct rows, evenly spread."
    rows = _spread(len(responsibilities), MOST_ROWS)
    if hidden and mean is None:
        mean = memberships.mean(np.tile(order, (n_draws, 1)))
    paired = Memberships.of_draws(fewer, some.of_rows(rows).data, "free" if fixed is None else fixed, problem.family)
    return Labels(
        verdict=verdict,
        sentence=sentence,
        threshold=THRESHOLD,
        draws=n_draws,
        ordering_ecr=shares[0],
        ordering_stephens=shares[1],
        ecr_stephens=shares[2],
        memberships=None
        if mean is None
        else RowMemberships(looked_at[rows].tolist(), n, responsibilities[rows].T.tolist(), mean[rows].T.tolist()),
        membership_difference=None if mean is None else _membership_difference(some, responsibilities, mean),
        co_membership_difference=_co_membership_difference(some, responsibilities, paired, rows) if hidden else None,
        distribution=_distribution(problem, fit, fewer),
        order=f"Components are ordered {problem.family.order_told(problem)}." if k > 1 else "",
    )


def _told(k: int, hidden: bool, shares: list[float | None]) -> tuple[Any, str]:
    ordering_ecr, ordering_stephens, ecr_stephens = shares
    if ordering_ecr is None or ordering_stephens is None or ecr_stephens is None:
        why = "the model itself tells the components apart, by known labels or unequal fixed weights"
        if not hidden:
            why = "there is one component" if k == 1 else "the component of every row is known"
        return "nothing to tell apart", f"No draw can have its labels switched: {why}."
    (least, third), (worst, other) = sorted([(ordering_ecr, "ECR"), (ordering_stephens, "Stephens' algorithm")])
    if worst <= THRESHOLD:
        alike = "in every draw" if worst == 0 else f"in all but {_percent(worst)} of the draws"
        return "told apart", (
            "The components can be told apart: their order and the two alignments that look at the rows, ECR and Stephens' "
            f"algorithm, name them alike {alike}."
        )
    cannot = "cannot be told apart" if k == 2 else "cannot all be told apart"
    # Components may be far apart all the same: a rule that counts sampled rows follows where most of them are.
    by_chance = " ECR samples the component of each row, so with few rows or uneven weights part of this is chance."
    by_chance = by_chance if other == "ECR" else ""
    spared = f"; their order and {third} never do" if least == 0 else ""
    if ecr_stephens <= THRESHOLD and min(ordering_ecr, ordering_stephens) > THRESHOLD:
        return "not by order", (
            f"The components {cannot} by their order: in {_percent(worst)} of the draws it names them otherwise than {other}, "
            f"while the two alignments that look at the rows differ in {_percent(ecr_stephens)}. What is told of single "
            "components mixes them up; draws aligned by ECR would not."
        )
    return "not told apart", (
        f"By the rules compared here the components {cannot} in every draw: their order and {other} name them differently in "
        f"{_percent(worst)} of the draws looked at, more than {THRESHOLD:.0%}{spared}. What is told of single components may "
        f"depend on the rule by which draws are labelled; what has no labels does not.{by_chance}"
    )


def not_compared(why: str) -> Labels:
    """No comparison, and the sentence that says why."""
    return Labels("not looked at", why, THRESHOLD, 0, None, None, None, None, None, None, [])


def _percent(share: float) -> str:
    return "less than 0.1%" if 0 < share < 0.001 else f"{100 * share:.1f}%"


def _spread(n: int, most: int) -> Integers:
    """At most so many of ``n`` rows, evenly spread."""
    return np.linspace(0, n - 1, min(n, most)).astype(np.int64)


def _membership_difference(problem: MixtureProblem, responsibilities: Floats, mean: Floats) -> Difference:
    """Over all distinct rows looked at and components."""
    row, component = divmod(int(np.argmax(np.abs(mean - responsibilities))), mean.shape[1])
    where = f"{words.row(problem, row)}, component {problem.comparison.components[component]}"
    return Difference(where, float(responsibilities[row, component]), float(mean[row, component]))


def _co_membership_difference(
    problem: MixtureProblem, responsibilities: Floats, memberships: Memberships, rows: Integers
) -> Difference:
    """Over all pairs of the rows that the memberships are of; a row is paired with itself where it was seen twice."""
    by_em = responsibilities[rows] @ responsibilities[rows].T
    by_draws = labels.co_membership(memberships)
    difference = np.abs(by_draws - by_em)
    np.fill_diagonal(difference, np.where(problem.data.counts[rows] > 1, np.diag(difference), 0.0))
    i, j = divmod(int(np.argmax(difference)), len(rows))
    first, second = (words.row(problem, int(rows[place])) for place in (i, j))
    where = f"two rows of {first}" if i == j else f"{first}; {second}"
    return Difference(where, float(by_em[i, j]), float(by_draws[i, j]))


def _distribution(problem: MixtureProblem, fit: em.Fit[Any, Any], posterior: xr.Dataset) -> list[DistributionFunction]:
    """Distribution function of each observed variable at quantiles of the data."""
    fixed, names = problem.weights.fixed, problem.family.variables
    draws = {name: all_chains(posterior[name]) for name in names}
    draws["weights"] = all_chains(posterior["weights"]) if fixed is None else fixed
    by_em = problem.family.arrays(fit.parameters)
    return [
        _at(margin.name, at, observed, margin.below(at, by_em), margin.below(at, draws))
        for margin in problem.margins()
        for at, observed in _quantiles(*_seen(margin.values, problem.data.counts), ties=margin.ties)
        if at < margin.most
    ]


def _at(variable: str, at: float, observed: float, by_em: Floats, by_draws: Floats) -> DistributionFunction:
    low, high = np.quantile(by_draws, [(1 - INTERVAL) / 2, (1 + INTERVAL) / 2])
    return DistributionFunction(
        variable, at, observed, float(by_em), float(by_draws.mean()), float(low), float(high), INTERVAL
    )


def _seen(values: Floats, counts: Integers) -> tuple[Floats, Integers]:
    """Values that are not missing, and their counts."""
    seen = ~np.isnan(values)
    return values[seen], counts[seen]


def _quantiles(values: Any, counts: Integers, *, ties: float) -> list[tuple[float, float]]:
    """Distinct quantiles of the data, each with the share of the data up to it, less so much of those that are equal to it.

    Measurements are rounded: half of those that are equal are below.
    """
    order = np.argsort(values)
    shares = np.cumsum(counts[order]) / counts.sum()
    # A quantile is the first value up to which there is that share, but for rounding; equal values count together.
    chosen = values[order][np.searchsorted(shares, np.array(QUANTILES) - 1e-12)]
    upto = [(at, counts[values <= at].sum(), counts[values == at].sum()) for at in np.unique(chosen)]
    return [(float(at), float((up - ties * tied) / counts.sum())) for at, up, tied in upto]
