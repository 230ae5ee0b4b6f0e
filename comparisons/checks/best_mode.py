"""Check 3: did EM find the best mode? Posterior draws are the evidence.

A fit is compared with the best regular mode of its own search, with what a search from other starts returns, and with where EM
leads from the highest and from spread-out draws of each chain. That is asked of the log posterior and of the likelihood of
components whose standard deviations are not too unequal (Hathaway 1985): the unrestricted likelihood of normals has a
higher spike somewhere, which says nothing of EM. Beyond that ratio a mode counts where it is higher by more than rows that
lie together by chance make it. A better regular mode is adopted and shown; the check fails where the fit is not the best of
its own search, and where the search, run again, does not return one as good as the draws lead to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import chdtri

from comparisons.capabilities import Parameters
from comparisons.checks.map_agrees import SAME_MAXIMUM
from comparisons.not_numbers import all_fitted, all_numbers
from comparisons.posterior.nuts import log_likelihoods, parameters_at
from comparisons.problem import Fit, Prior, Problem, em_densities
from comparisons.results.result import Check
from comparisons.results.strict_json import number
from em.search.doubts import MINIMUM_RATIO
from models.inputs import Floats

if TYPE_CHECKING:
    import xarray as xr

TITLE = "No better mode than EM's was found"
# Restarts of EM from draws: the highest and some spread-out ones of each chain.
SPREAD_OUT_DRAWS = 3
# Draws at which the log-likelihood is compared with EM's.
COMPARED_DRAWS = 200
# Nats within which two heights are of one mode.
SAME_BASIN = 1e-4
ENDED = ("converged", "boundary", "ridge")
NO_OPTIMUM = ("collapsed", "saddle")


@dataclass(frozen=True, slots=True, eq=False)
class BestMode:
    """Both fits, with a better mode in their place where draws led to one, and the check.

    ``lower``: chains, counted from 1, from whose draws EM leads to lower modes of the posterior alone, and by how many nats.
    """

    fit: Fit
    map_fit: Fit
    check: Check
    lower: Mapping[int, float]


@dataclass(frozen=True, slots=True, eq=False)
class Searched:
    """What restarts say of one objective.

    Attributes
    ----------
    kept : the best fit that is known
    reached : what EM maximised, in nats, where it led from each draw
    at_modes : whether that was a mode
    gain : nats from the first search to it, or from where a component had collapsed; may be negative there
    restarts : how many, from draws, reached something better than the first search
    own_best : whether the first search returned the best regular mode that it knew
    found_again : whether EM's own search, run again, returns as good a mode
    by_chance : nats to a higher mode that is not counted, as its standard deviations are too unequal
    """

    kept: Fit
    reached: Sequence[float] = ()
    at_modes: Sequence[bool] = ()
    gain: float = 0.0
    restarts: int = 0
    own_best: bool = True
    found_again: bool = True
    by_chance: float = 0.0


def best_mode(
    problem: Problem,
    fit: Fit,
    map_fit: Fit,
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
    at_posterior = _searched(problem, map_fit, points, problem.prior, seed)
    at_likelihood = _searched(problem, fit, points, None, seed)
    all_numbers("em", "The search for modes", [(s.gain, s.by_chance, s.reached) for s in (at_posterior, at_likelihood)])
    best_draw = max(sum(em_densities(problem, point)) for point in points)
    told = [
        _basins(problem, at_posterior.kept, [(c, h) for (c, _), h in zip(starts, at_posterior.reached, strict=True)]),
        _likelihood_ratios(problem, at_likelihood.kept, posterior),
    ]
    check = verdict(at_posterior, at_likelihood, len(points), best_draw, " ".join(told))
    chains = [chain for chain, _ in starts]
    return BestMode(at_likelihood.kept, at_posterior.kept, check, _lower(chains, at_posterior))


def objective(fit: Fit) -> float:
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


def _searched(problem: Problem, known: Fit, points: Sequence[Parameters], prior: Prior | None, seed: int) -> Searched:
    """Compare one fit with its own modes, with a second search, and with where EM leads from the ``points`` of draws."""

    def height(parameters: Parameters) -> float:
        """What parameters are worth on these data, whatever a fit reports."""
        return sum(em_densities(problem, parameters)[: 1 if prior is None else 2])

    def rank(fit: Fit) -> tuple[bool, float]:
        return fit.status not in NO_OPTIMUM, height(fit.parameters)

    def better(one: tuple[bool, float], other: tuple[bool, float]) -> bool:
        return one[0] > other[0] or (one[0] == other[0] and one[1] > other[1] + SAME_MAXIMUM)

    first, second = rank(known), problem.fit(prior, seed=seed + 1)
    all_fitted(problem, second)
    own = max((m.parameters for m in known.modes if m.regular), key=height, default=known.parameters)
    own_best = own is known.parameters or not better((True, height(own)), first)
    # Of very many rows a fit is large: only one that is better is kept.
    higher, reached, at_modes = [], [], []
    for point in points:
        fit = problem.fit(prior, start=point)
        all_fitted(problem, fit)
        reached.append(objective(fit))
        at_modes.append(fit.status in ENDED)
        if fit.status in ENDED and better(rank(fit), first):
            higher.append(fit)
    if prior is None:
        # Above no known height nothing is known to be more than chance.
        counted = [
            fit
            for fit in higher
            if not problem.made_by_chance(fit.parameters, rank(fit)[1] - first[1] if first[0] else -np.inf)
        ]
    else:
        counted = higher
    by_chance = max((rank(fit)[1] - first[1] for fit in higher if fit not in counted and first[0]), default=0.0)
    candidates = [known, *counted]
    if better(rank(second), first):
        candidates.append(second)
    if not own_best:
        candidates.append(problem.fit(prior, start=own))
    kept = max(candidates, key=rank)
    # Where all starts of a search collapse the likelihood has no maximum, and a lower mode that is regular is no better find.
    other = rank(second)
    found_again = not any(better(rank(fit), other) and rank(fit)[1] > other[1] + SAME_MAXIMUM for fit in counted)
    return Searched(kept, reached, at_modes, rank(kept)[1] - first[1], len(counted), own_best, found_again, by_chance)


def _lower(chains: Sequence[int], searched: Searched) -> dict[int, float]:
    """Chains, counted from 1, whose restarts end in lower modes alone, and how far below the best the highest of these is."""
    best = objective(searched.kept)
    ends: dict[int, list[tuple[float, bool]]] = {}
    for chain, height, at_mode in zip(chains, searched.reached, searched.at_modes, strict=True):
        ends.setdefault(chain + 1, []).append((best - height, at_mode))
    return {
        chain: min(below for below, _ in told)
        for chain, told in ends.items()
        if all(at_mode and below > SAME_BASIN for below, at_mode in told)
    }


def _basins(problem: Problem, map_fit: Fit, reached: list[tuple[int, float]]) -> str:
    """Modes that EM's starts know beside modes whose basins the chains visited."""
    known = [sum(em_densities(problem, m.parameters)) for m in map_fit.modes if m.regular] or [objective(map_fit)]
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


def _likelihood_ratios(problem: Problem, fit: Fit, posterior: xr.Dataset) -> str:
    """Twice the log-likelihood from the draws up to EM, beside what it would be in a regular model."""
    gaps = 2 * (fit.log_likelihood - log_likelihoods(problem, posterior, COMPARED_DRAWS))
    judged = problem.curvature(None, fit.parameters) if fit.status == "ridge" else None
    flat = 0 if judged is None else judged.flat_directions.shape[1]
    free = problem.n_free - flat
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
        if not searched.own_best:
            text = (
                f"EM's search for the best mode of the {name} did not return the best regular one that it found, which is "
                f"{_higher(searched.gain)} and is the one reported. {told}"
            )
            return _check("fail", searched.gain, text)
        if not searched.found_again:
            text = (
                f"{searched.restarts} of {started} restarts from posterior draws reached a mode of the {name} "
                f"{_higher(searched.gain)}, which EM's own search does not return even with other starts. The better mode is "
                f"the one reported. {told}"
            )
            return _check("fail", searched.gain, text)
    if likelihood.by_chance:
        told += (
            f" Narrower components, with standard deviations in a ratio below {MINIMUM_RATIO:g}, reach a likelihood "
            f"{likelihood.by_chance:.3g} nats higher, which rows that lie together by chance may do; that is not held against EM."
        )
    gain = max(posterior.gain, likelihood.gain, key=abs)
    if gain:
        restarts = max(posterior.restarts, likelihood.restarts)
        too = (
            "the search with other starts finds it too"
            if gain > 0
            else "where a component collapses the likelihood has no maximum"
        )
        text = (
            f"{restarts} of {started} restarts from posterior draws reached a mode "
            f"{_higher(gain)}; {too}, and it is the one reported. {told}"
            if restarts
            else f"The search with other starts reached a mode {_higher(gain)}, and it is the one reported. {told}"
        )
        return _check("pass", gain, text)
    text = (
        f"EM, started again from {started} high and spread-out posterior draws, reaches no higher mode; the highest draw is "
        f"{objective(posterior.kept) - best_draw:.2f} nats below the best. {told} This is evidence, not proof."
    )
    return _check("pass", 0.0, text)


def _higher(gain: float) -> str:
    """How far a mode is above a fit; a component that collapsed may make that one higher."""
    return f"{gain:.3g} nats higher" if gain > 0 else "regular, as that of the fit is not"


def _check(outcome: Any, gain: float, text: str) -> Check:
    if np.isnan(gain):
        outcome, text = "inconclusive", f"The height of some mode or draw is not a number. {text}"
    failed = outcome != "pass"
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
