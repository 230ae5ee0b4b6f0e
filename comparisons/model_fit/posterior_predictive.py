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

from comparisons.capabilities import Distribution, Parameters, Simulation
from comparisons.quantities import INTERVAL
from comparisons.results.report_data import PredictiveChecks, PredictiveCurve, PredictiveStatistic
from models.inputs import Floats


def predictive_checks(
    simulation: Simulation, draws: Sequence[Parameters], random: np.random.Generator
) -> PredictiveChecks:
    """Compare the data with one replicate from each of the draws, of which one at a time is held."""
    observed, distributions = simulation.statistics(), simulation.distributions()
    every, shapes = [], []
    for data in simulation.replicates(draws, random):
        every.append(simulation.statistics(data))
        shapes.append([distribution.of(data) for distribution in distributions])
    of_replicates = {name: np.array([each[name] for each in every]) for name in observed}
    # What is the same in every replicate and in the data says nothing.
    telling = [name for name, value in observed.items() if (of_replicates[name] != value).any()]
    found = [_placed(name, observed[name], of_replicates[name]) for name in telling or observed]
    curves = [
        _curve(each, np.array(drawn)) for each, drawn in zip(distributions, zip(*shapes, strict=True), strict=True)
    ]
    return PredictiveChecks(_sentence(found, len(every)), found, curves, len(every), INTERVAL)


def _placed(name: str, observed: float, drawn: Floats) -> PredictiveStatistic:
    # Sums in another order differ by rounding; that is a tie.
    ties = np.isclose(drawn, observed, rtol=1e-9, atol=0)
    p = float(((drawn > observed) & ~ties).mean() + ties.mean() / 2)
    low, high = _interval(drawn)
    return PredictiveStatistic(name, observed, float(drawn.mean()), float(low), float(high), p)


def _interval(drawn: Floats) -> Any:
    return np.quantile(drawn, [(1 - INTERVAL) / 2, (1 + INTERVAL) / 2], axis=0)


def _curve(of: Distribution, drawn: Floats) -> PredictiveCurve:
    low, high = _interval(drawn)
    values = [np.asarray(v).tolist() for v in (of.grid, of.observed, drawn.mean(axis=0), low, high)]
    return PredictiveCurve(of.kind, of.variable, *values)


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
