"""Prior sensitivity by power-scaling: how the posterior moves when prior or likelihood is raised to a power near 1.

The draws are reweighted, with `em`'s densities on the natural scale and Pareto-smoothed weights, and ArviZ measures how far
each quantity's distribution moves: the cumulative Jensen-Shannon distance per doubling of the power. A prior to which a
quantity is sensitive beyond 0.05 either stands against the likelihood or takes its place.

Source: Kallioinen, Paananen, Burkner & Vehtari (2024), Statistics and Computing 34, 57.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from comparisons.capabilities import Parameters
from comparisons.problem import Problem
from comparisons.quantities import unit_of
from comparisons.quantity_names import in_prose
from comparisons.results.report_data import PowerScaling, PriorSensitivity
from comparisons.results.strict_json import number
from models.inputs import Floats

if TYPE_CHECKING:
    import xarray as xr

# Of Kallioinen et al. and of ArviZ.
THRESHOLD = 0.05
CONFLICT = "potential prior-data conflict"
STRONG_PRIOR = "potential strong prior / weak likelihood"
MODES = "shift of the balance of several modes, no conflict by itself,"


def prior_sensitivity(
    problem: Problem, draws: Sequence[Parameters], values: dict[str, Floats], *, several: bool = False
) -> PriorSensitivity:
    """Power-scale prior and likelihood.

    Parameters
    ----------
    draws : parameters at every draw, chain after chain
    values : ``(chains, draws)`` of every quantity, the same draws
    several : whether the posterior has several modes, whose balance any power shifts
    """
    shape = next(iter(values.values())).shape
    height = problem.heights()
    log_likelihood = np.array([height(parameters) for parameters in draws]).reshape(shape)
    log_prior = np.array([problem.log_prior(parameters) for parameters in draws]).reshape(shape)
    by_likelihood = sensitivities(values, log_likelihood)
    flat = problem.prior_is_flat()
    by_prior = dict.fromkeys(values) if flat else sensitivities(values, log_prior)
    found = [
        PowerScaling(name, prior, likelihood, diagnosis(prior, likelihood, several=several))
        for name, prior, likelihood in ((n, by_prior[n], number(by_likelihood[n])) for n in values)
    ]
    return PriorSensitivity(_sentence(found, flat), found, THRESHOLD)


def sensitivities(values: dict[str, Floats], log_density: Floats) -> dict[str, float]:
    """ArviZ's sensitivity of every quantity to the power of one part of the posterior, ``log_density`` at each draw."""
    import arviz_stats
    import xarray as xr
    from arviz_base import from_dict

    # By numbers: xarray takes a slash in a name for a path.
    draws = from_dict({"posterior": {f"x{j}": v / unit_of(v) for j, v in enumerate(values.values())}})
    draws["log_prior"] = xr.DataTree(xr.Dataset({"part": (("chain", "draw"), log_density)}))
    stats: Any = arviz_stats
    found: xr.Dataset = stats.psense(draws, group="prior")
    return {name: float(found[f"x{j}"]) for j, name in enumerate(values)}


def diagnosis(prior: float | None, likelihood: float | None, *, several: bool = False) -> str:
    """ArviZ's words for the two sensitivities, which mean little of several modes; empty where the prior is of no concern."""
    if prior is None or likelihood is None or not prior >= THRESHOLD:
        return ""
    if several:
        return MODES
    return CONFLICT if likelihood >= THRESHOLD else STRONG_PRIOR


def _sentence(found: list[PowerScaling], flat: bool) -> str:
    if flat:
        return (
            "Not applicable to this prior: it is uniform, and a uniform density raised to any power is the same density, so "
            "power-scaling cannot move the posterior. The prior may matter nevertheless: a uniform one is a prior too."
        )
    concerned = {
        words: [f"{in_prose(q.name)} ({q.prior:.2g})" for q in found if q.diagnosis == words]
        for words in (CONFLICT, STRONG_PRIOR, MODES)
    }
    if not any(concerned.values()):
        largest = max(q.prior or 0.0 for q in found)
        return (
            f"No quantity is sensitive to the prior: power-scaling it moves each posterior by at most {largest:.2g} "
            f"(cumulative Jensen–Shannon distance per doubling of the power; of concern from {THRESHOLD})."
        )
    told = "; ".join(f"{words} for {', '.join(names)}" for words, names in concerned.items() if names)
    return (
        f"Power-scaling the prior moves {sum(map(len, concerned.values()))} of {len(found)} posteriors noticeably: {told} "
        f"(cumulative Jensen–Shannon distance per doubling of the power of {THRESHOLD} or more)."
    )
