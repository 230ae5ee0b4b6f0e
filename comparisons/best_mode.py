"""Check 3: did EM find the best mode? Posterior draws are the evidence.

EM is started again from the highest and from spread-out draws of each chain, for the log posterior and for the likelihood
of components whose standard deviations are not too unequal (Hathaway 1985): the unrestricted likelihood of normals has a
higher spike somewhere, which says nothing of EM. A better regular mode is adopted and shown; the check fails only where
EM's own search, run again with other starts, still misses it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import chdtri

import em
from comparisons import checks
from comparisons.checks import SAME_MAXIMUM
from comparisons.engines import Parameters, Prior, Problem
from comparisons.result import Check
from comparisons.sampling import log_likelihoods, parameters_at
from comparisons.strict_json import number
from em.curvature import curvature
from models import CoinParameters
from models.inputs import Floats

if TYPE_CHECKING:
    import xarray as xr

TITLE = "No better mode than EM's was found"
# Restarts of EM from draws: the highest and some spread-out ones of each chain.
SPREAD_OUT_DRAWS = 3
# A mode of the likelihood counts only with standard deviations in this ratio or closer (Hathaway 1985): with 50 to 100 rows
# of overlapping components nearly all maxima that mean nothing lie below it.
MINIMUM_RATIO = 0.25
# Draws at which the log-likelihood is compared with EM's.
COMPARED_DRAWS = 200
# Nats within which two heights are of one mode.
SAME_BASIN = 1e-4
ENDED = ("converged", "boundary", "ridge")


@dataclass(frozen=True, slots=True, eq=False)
class BestMode:
    """Both fits, with a better mode in their place where draws led to one, and the check."""

    fit: em.Fit[Any, Any]
    map_fit: em.Fit[Any, Any]
    check: Check


@dataclass(frozen=True, slots=True, eq=False)
class Searched:
    """What restarts say of one objective.

    Attributes
    ----------
    kept : the best fit that is known
    gain : nats from the first search to it
    restarts : how many reached something better than the first search
    found_again : whether EM's own search, run again, finds as good a mode
    """

    kept: em.Fit[Any, Any]
    gain: float = 0.0
    restarts: int = 0
    found_again: bool = True


def best_mode(
    problem: Problem,
    fit: em.Fit[Any, Any],
    map_fit: em.Fit[Any, Any],
    posterior: xr.Dataset,
    tree: xr.DataTree,
    seed: int,
) -> BestMode:
    """Start EM again from draws, adopt what is better, and say what the draws tell.

    Parameters
    ----------
    fit, map_fit : maximum likelihood and posterior mode by EM's own search
    posterior : draws in canonical order
    tree : the draws as sampled, for their log densities
    seed : of the first search; the second uses the next
    """
    starts = _starts(posterior, np.asarray(tree["sample_stats"]["logp"]))
    points = [parameters_at(problem, posterior, *place) for place in starts]
    again = [problem.fit(problem.prior, start=point) for point in points]
    likelier = [problem.fit(None, start=point) for point in points]
    at_posterior = _searched(
        problem, map_fit, [f for f in again if f.status in ENDED and f.modes[0].regular], problem.prior, seed
    )
    at_likelihood = _searched(
        problem, fit, [f for f in likelier if f.modes[0].regular and ratio(f.parameters) >= MINIMUM_RATIO], None, seed
    )
    best_draw = max(sum(checks.em_densities(problem, point)) for point in points)
    told = [
        _basins(
            problem, at_posterior.kept, [(chain, objective(f)) for (chain, _), f in zip(starts, again, strict=True)]
        ),
        _likelihood_ratios(problem, at_likelihood.kept, posterior),
    ]
    check = verdict(at_posterior, at_likelihood, len(points), best_draw, " ".join(told))
    return BestMode(at_likelihood.kept, at_posterior.kept, check)


def ratio(parameters: Parameters) -> float:
    """Smallest over largest standard deviation of the components, feature by feature; 1 for coins."""
    if isinstance(parameters, CoinParameters):
        return 1.0
    deviations = parameters.standard_deviations
    return float((deviations.min(axis=0) / deviations.max(axis=0)).min())


def objective(fit: em.Fit[Any, Any]) -> float:
    """What the fit maximised, in nats."""
    return float(fit.log_likelihood if fit.log_posterior is None else fit.log_posterior)


def _starts(posterior: xr.Dataset, log_density: Floats) -> list[tuple[int, int]]:
    """Chain and draw of the highest and of spread-out draws."""
    spread = np.linspace(0, posterior.sizes["draw"] - 1, SPREAD_OUT_DRAWS).astype(int).tolist()
    return [
        (chain, draw)
        for chain in range(posterior.sizes["chain"])
        for draw in sorted({int(log_density[chain].argmax()), *spread})
    ]


def _searched(
    problem: Problem, known: em.Fit[Any, Any], again: Sequence[em.Fit[Any, Any]], prior: Prior | None, seed: int
) -> Searched:
    better = [f for f in again if objective(f) > objective(known) + SAME_MAXIMUM]
    if not better:
        return Searched(known)
    best = max(better, key=objective)
    second = problem.fit(prior, seed=seed + 1)
    heights = [
        sum(checks.em_densities(problem, m.parameters)[: 1 if prior is None else 2]) for m in second.modes if m.regular
    ]
    found_again = any(height >= objective(best) - SAME_MAXIMUM for height in heights)
    return Searched(best, objective(best) - objective(known), len(better), found_again)


def _basins(problem: Problem, map_fit: em.Fit[Any, Any], reached: list[tuple[int, float]]) -> str:
    """Modes that EM's starts know beside modes whose basins the chains visited."""
    known = [sum(checks.em_densities(problem, m.parameters)) for m in map_fit.modes if m.regular] or [
        objective(map_fit)
    ]
    chains = {chain for chain, _ in reached}
    best = [chain for chain in chains if any(c == chain and h >= max(known) - SAME_BASIN for c, h in reached)]
    visited: list[float] = []
    for _, height in reached:
        if not any(abs(height - other) < SAME_BASIN for other in visited):
            visited.append(height)
    modes = "one regular mode" if len(known) == 1 else f"{len(known)} regular modes"
    opening, place = f"EM's own starts know {modes} of the posterior", "basin"
    if map_fit.status == "ridge":
        opening, place = "The posterior mode is one of a ridge", "height"
    places = f"one {place}" if len(visited) == 1 else f"{len(visited)} {place}s"
    return f"{opening}; the restarts end in {places}, in the best one from {len(best)} of {len(chains)} chains."


def _likelihood_ratios(problem: Problem, fit: em.Fit[Any, Any], posterior: xr.Dataset) -> str:
    """Twice the log-likelihood from the draws up to EM, beside what it would be in a regular model."""
    gaps = 2 * (fit.log_likelihood - log_likelihoods(problem, posterior, COMPARED_DRAWS))
    mixture = problem.mixture(None)
    flat = curvature(mixture, fit.parameters).flat_directions.shape[1] if fit.status == "ridge" else 0
    free = mixture.basis.shape[1] - flat
    likelier = int((gaps < 0).sum())
    told = f" {likelier} of {len(gaps)} draws are likelier than it, through narrower components." if likelier else ""
    return (
        f"Twice the log-likelihood ratio of EM's estimate to the draws has median {np.median(gaps):.1f}; in a regular model "
        f"with much data it would be near {float(chdtri(free, 0.5)):.1f}, the median of chi-squared with {free} "
        f"degree{'' if free == 1 else 's'} of freedom{', one for each direction that is identified' if flat else ''}.{told}"
    )


def verdict(posterior: Searched, likelihood: Searched, started: int, best_draw: float, told: str) -> Check:
    """Judge the searches: the log posterior first, then the likelihood."""
    if not best_draw <= objective(posterior.kept):
        text = "A posterior draw has a higher log posterior than the best mode that EM knows."
        return _check("fail", best_draw - objective(posterior.kept), f"{text} {told}")
    for searched, name in ((posterior, "log posterior"), (likelihood, "likelihood")):
        if not searched.found_again:
            text = (
                f"{searched.restarts} of {started} restarts from posterior draws reached a mode of the {name} "
                f"{searched.gain:.3g} nats higher, which EM's own search misses even with other starts. The better mode is "
                f"the one reported. {told}"
            )
            return _check("fail", searched.gain, text)
    gain = max(posterior.gain, likelihood.gain)
    if gain:
        text = (
            f"{max(posterior.restarts, likelihood.restarts)} of {started} restarts from posterior draws reached a mode "
            f"{gain:.3g} nats higher than the first search; the search with other starts finds it too, and it is the one "
            f"reported. {told}"
        )
        return _check("pass", gain, text)
    text = (
        f"EM, started again from {started} high and spread-out posterior draws, reaches no higher mode; the highest draw is "
        f"{objective(posterior.kept) - best_draw:.2f} nats below the best. {told} This is evidence, not proof."
    )
    return _check("pass", 0.0, text)


def _check(outcome: Any, gain: float, text: str) -> Check:
    failed = outcome == "fail"
    return Check(
        "best-mode",
        TITLE,
        outcome,
        number(gain),
        SAME_MAXIMUM,
        text,
        "em" if failed else None,
        "Run EM with more starts, or from the draws." if failed else None,
    )
