"""What the checks judge, worked out from both fits: curvature, modes reached from draws, distances, densities of draws."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

import em
import models
from comparisons import checks, draw_checks
from comparisons.engines import Parameters, Problem
from comparisons.result import Check
from em.curvature import Curvature, curvature
from em.mixture import log_weights, responsibilities
from models import CoinParameters, CoinTosses, LogPosterior
from models.inputs import Floats

if TYPE_CHECKING:
    import xarray as xr

# Restarts of EM from draws: the highest and some spread-out ones of each chain.
SPREAD_OUT_DRAWS = 3
# A mode counts as better only with standard deviations in this ratio or closer (Hathaway 1985): below it lie the spurious
# maxima that every Gaussian likelihood has.
MINIMUM_RATIO = 0.25
# Nats below the best mode at which another has a few percent of the posterior at most.
NEGLIGIBLE = 4.0
STORED_DRAWS_CHECKED = 100


def names(problem: Problem) -> tuple[str, ...]:
    """Names of EM's full vector in the words of the comparison."""
    c = problem.comparison
    told = [f"weights[{name}]" for name in c.components]
    if isinstance(problem.data, CoinTosses):
        return tuple(told + [f"head_probabilities[{name}]" for name in c.components])
    one, d = len(c.features) == 1, len(c.features)
    for name in c.components:
        told += [f"means[{name}]" if one else f"means[{name}, {feature}]" for feature in c.features]
    for name in c.components:
        for a in range(d):
            for b in range(a + 1):
                told.append(f"variances[{name}]" if one else f"covariances[{name}, {c.features[b]}, {c.features[a]}]")
    return tuple(told)


def curvature_of(problem: Problem, prior: Any, fit: em.Fit[Any, Any]) -> Curvature | None:
    """Second-order picture at a fit; None where a component has collapsed."""
    if fit.status == "collapsed":
        return None
    judged = curvature(problem.mixture(prior), fit.parameters)
    return dataclasses.replace(judged, kind="saddle") if fit.status == "saddle" else judged


def _ratio(parameters: Parameters) -> float:
    """Smallest over largest standard deviation of the components, feature by feature; 1 for coins."""
    if isinstance(parameters, CoinParameters):
        return 1.0
    deviations = parameters.standard_deviations
    return float((deviations.min(axis=0) / deviations.max(axis=0)).min())


def best_mode(
    problem: Problem,
    fit: em.Fit[Any, Any],
    map_fit: em.Fit[Any, Any],
    posterior: xr.Dataset,
    tree: xr.DataTree,
    seed: int,
) -> tuple[em.Fit[Any, Any], em.Fit[Any, Any], Check]:
    """Start EM again from high and from spread-out draws of each chain, and adopt a better mode."""
    log_density = np.asarray(tree["sample_stats"]["logp"])
    starts = []
    for chain in range(log_density.shape[0]):
        spread = np.linspace(0, log_density.shape[1] - 1, SPREAD_OUT_DRAWS).astype(int)
        for draw in {int(log_density[chain].argmax()), *spread.tolist()}:
            starts.append(problem.from_pymc(_values(posterior, chain, draw)))
    best_draw = max(sum(checks.em_densities(problem, start)) for start in starts)
    better_map, better = map_fit, fit
    missed: list[tuple[float, int]] = []
    for j, start in enumerate(starts):
        again = problem.fit(problem.prior, start=start)
        gain = objective(again) - objective(map_fit)
        if gain > checks.SAME_MAXIMUM and again.status in ("converged", "boundary", "ridge"):
            missed.append((gain, j))
            better_map = max(better_map, again, key=objective)
        likelier = problem.fit(None, start=start)
        regular = likelier.modes[0].regular and _ratio(likelier.parameters) >= MINIMUM_RATIO
        if regular and likelier.log_likelihood > better.log_likelihood + checks.SAME_MAXIMUM:
            better = likelier
    found_again = False
    if missed:
        second = problem.fit(problem.prior, seed=seed + 1)
        found_again = objective(second) >= objective(better_map) - checks.SAME_MAXIMUM
        better_map = second if found_again else better_map
    check = checks.best_mode(missed, found_again, len(starts), best_draw, objective(better_map))
    return better, better_map, check


def _values(posterior: xr.Dataset, chain: int, draw: int) -> dict[str, Floats]:
    return {str(name): variable.values[chain, draw] for name, variable in posterior.data_vars.items()}


def objective(fit: em.Fit[Any, Any]) -> float:
    """What the fit maximised, in nats."""
    return float(fit.log_likelihood if fit.log_posterior is None else fit.log_posterior)


def map_agrees(problem: Problem, map_fit: em.Fit[Any, Any], maximum: models.Maximum) -> Check:
    """Both modes in canonical order, their distance measured by the observed information."""
    mixture: Any = problem.mixture(problem.prior)
    there = problem.from_pymc(maximum.parameters)
    permutation = models.mixtures.canonical_permutation(there.order_keys, mixture.groups)
    step = mixture.to_vector(there.permuted(permutation)) - mixture.to_vector(map_fit.parameters)
    judged = curvature_of(problem, problem.prior, map_fit)
    if judged is None or judged.kind == "ridge":
        # What is identified is what the parameters say of the rows.
        rows = [_row_log_likelihoods(mixture, p) for p in (there, map_fit.parameters)]
        return checks.map_agrees(map_fit, maximum, float(np.abs(rows[0] - rows[1]).max()), flat=True)
    free = np.linalg.lstsq(judged.basis, step, rcond=None)[0]
    distance = float(np.sqrt(max(free @ judged.information @ free, 0.0)))
    return checks.map_agrees(map_fit, maximum, distance, flat=False)


def _row_log_likelihoods(mixture: Any, parameters: Parameters) -> Floats:
    joint = log_weights(parameters.weights) + mixture.log_densities(parameters)
    return responsibilities(joint, mixture.labels)[1]


def draws_belong(problem: Problem, density: LogPosterior, tree: xr.DataTree) -> Check:
    """Recompute the log density, Jacobian included, at some draws of each chain as the sampler left them."""
    posterior = tree["posterior"].to_dataset()
    log_density = np.asarray(tree["sample_stats"]["logp"])
    recorded, recomputed = [], []
    per_chain = max(1, STORED_DRAWS_CHECKED // posterior.sizes["chain"])
    for chain in range(posterior.sizes["chain"]):
        for draw in np.linspace(0, posterior.sizes["draw"] - 1, per_chain).astype(int):
            values = _values(posterior, chain, int(draw))
            x = density.unconstrained({name: values[name] for name in density.names})
            recomputed.append(sum(density.parts(x)))
            recorded.append(log_density[chain, draw])
    return draw_checks.draws_belong(np.array(recorded), np.array(recomputed))


def several_modes(problem: Problem, map_fit: em.Fit[Any, Any]) -> bool:
    """Whether MAP-EM knows a second regular mode that is not negligibly lower than the best."""
    heights = [sum(checks.em_densities(problem, m.parameters)) for m in map_fit.modes if m.regular]
    return sum(height > max(heights) - NEGLIGIBLE for height in heights) > 1 if heights else False
