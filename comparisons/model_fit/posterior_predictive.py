"""Posterior predictive checks: statistics of the data among those of replicates, one from each of many posterior draws.

The statistics are none that the model has a parameter for: for coins how much shares of heads vary between bags, and the
smallest and largest; for Gaussians shape, ends and the largest gap of each feature. A mixture bends towards some of them all
the same, and the data are used twice, so the p-values are conservative: near 1/2 more often than chance would have it.

Source: Gelman, Meng & Stern (1996), Statistica Sinica 6, 733.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from comparisons.model_fit.replicates import replicates
from comparisons.problem import Parameters, Problem
from comparisons.results.report_data import PredictiveChecks, PredictiveCurve, PredictiveStatistic
from comparisons.summary.adequacy import INTERVAL
from models import CoinTosses
from models.inputs import Floats

# Points at which the distribution of a feature is compared.
GRID = 120


def predictive_checks(problem: Problem, draws: Sequence[Parameters], random: np.random.Generator) -> PredictiveChecks:
    """Compare the data with one replicate from each of the draws."""
    drawn = list(replicates(problem.data, draws, random))
    observed = statistics(problem, problem.data)
    every = [statistics(problem, data) for data in drawn]
    found = [_placed(name, value, np.array([each[name] for each in every])) for name, value in observed.items()]
    if isinstance(problem.data, CoinTosses):
        curves = [_counts(problem, problem.data, drawn)]
    else:
        curves = [_distribution(problem, drawn, j) for j in range(problem.data.d)]
    return PredictiveChecks(_sentence(found, len(drawn)), found, curves, len(drawn), INTERVAL)


def statistics(problem: Problem, data: Any) -> dict[str, float]:
    """Every statistic of one data set by name."""
    if isinstance(data, CoinTosses):
        seen = data.counts > 0
        equal = (data.tosses == data.tosses[0]).all()
        share = (data.heads / data.tosses)[seen]
        mean = np.average(share, weights=data.counts[seen])
        size, what = (int(data.tosses[0]), "head count") if equal else (1, "share of heads")
        return {
            "variance of the share of heads": float(np.average((share - mean) ** 2, weights=data.counts[seen])),
            f"smallest {what}": float(np.round(share.min() * size, 12)),
            f"largest {what}": float(np.round(share.max() * size, 12)),
        }
    found: dict[str, float] = {}
    for j, feature in enumerate(problem.comparison.features):
        y = np.sort(np.repeat(data.y[:, j], data.counts))
        z = (y - y.mean()) / y.std()
        found |= {
            f"skewness of {feature}": float((z**3).mean()),
            f"kurtosis of {feature}": float((z**4).mean()),
            f"smallest {feature}": float(y[0]),
            f"largest {feature}": float(y[-1]),
            f"largest gap in {feature}": float(np.diff(y).max()),
        }
    return found


def _placed(name: str, observed: float, drawn: Floats) -> PredictiveStatistic:
    # Sums in another order differ by rounding; that is a tie.
    ties = np.isclose(drawn, observed, rtol=1e-9, atol=0)
    p = float(((drawn > observed) & ~ties).mean() + ties.mean() / 2)
    low, high = _interval(drawn)
    return PredictiveStatistic(name, observed, float(drawn.mean()), float(low), float(high), p)


def _interval(drawn: Floats) -> Any:
    return np.quantile(drawn, [(1 - INTERVAL) / 2, (1 + INTERVAL) / 2], axis=0)


def _curve(kind: Any, variable: str, grid: Floats, observed: Floats, drawn: Floats) -> PredictiveCurve:
    low, high = _interval(drawn)
    values = [np.asarray(v).tolist() for v in (grid, observed, drawn.mean(axis=0), low, high)]
    return PredictiveCurve(kind, variable, *values)


def _counts(problem: Problem, data: CoinTosses, drawn: Sequence[Any]) -> PredictiveCurve:
    """Bags by number of heads, bags of all sizes together."""
    heads = np.arange(data.tosses.max() + 1.0)
    tables = [np.bincount(each.heads, weights=each.counts, minlength=len(heads)) for each in (data, *drawn)]
    return _curve("counts", problem.comparison.unit or "heads", heads, tables[0], np.array(tables[1:]))


def _distribution(problem: Problem, drawn: Sequence[Any], j: int) -> PredictiveCurve:
    """Share of rows at or below each point, so that no choice of bins comes in."""
    y = problem.data.y[:, j]  # type: ignore[union-attr]
    grid = np.linspace(y.min(), y.max(), GRID)

    def shares(data: Any) -> Floats:
        values = np.sort(np.repeat(data.y[:, j], data.counts))
        return np.searchsorted(values, grid, side="right") / len(values)

    return _curve(
        "distribution", problem.comparison.features[j], grid, shares(problem.data), np.array([shares(d) for d in drawn])
    )


def outside(statistic: PredictiveStatistic) -> bool:
    """Whether the data are beyond the interval, by the p-value: it counts ties half, where an interval's end is one."""
    tail = (1 - INTERVAL) / 2
    return not tail <= statistic.p_value <= 1 - tail


def _sentence(found: list[PredictiveStatistic], n: int) -> str:
    missed = [s for s in found if outside(s)]
    if not missed:
        ps = [s.p_value for s in found]
        fixed = [s.name for s in found if s.low == s.high]
        idle = (
            f" Next to all replicates have one value of {' and '.join(fixed)}, which so tests nothing." if fixed else ""
        )
        return (
            f"Data replicated from the posterior reproduce the {len(found)} statistics looked at, none of them a parameter "
            f"(posterior predictive p-values from {min(ps):.2f} to {max(ps):.2f}; {n} replicates).{idle}"
        )
    told = "; ".join(
        f"{s.name}, observed {s.observed:.4g}, replicated {s.low:.4g} to {s.high:.4g}, p = {s.p_value:.2g}"
        for s in missed
    )
    return (
        f"Of the {len(found)} statistics looked at {len(missed)} lie outside the {INTERVAL:.0%} of data replicated from the "
        f"posterior, where some {(1 - INTERVAL) * len(found):.1f} would be expected were the p-values uniform ({told}; "
        f"{n} replicates)."
    )
