"""What the checks judge, worked out from both fits: curvature, distances, densities of draws."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

import em
import models
from comparisons import checks, draw_checks, third_reading
from comparisons.engine_failures import failing
from comparisons.engines import Problem
from comparisons.not_numbers import all_numbers
from comparisons.posterior import stein
from comparisons.posterior.sampling import draw_values
from comparisons.results.result import Check
from comparisons.summary import quantities
from comparisons.summary.adequacy import Modes
from em.mixture import row_posteriors
from em.uncertainty.curvature import Curvature, curvature
from models import CoinTosses, LogPosterior

if TYPE_CHECKING:
    import xarray as xr

# Nats below the best mode at which another has a few percent of the posterior at most.
NEGLIGIBLE = 4.0
STORED_DRAWS_CHECKED = 100
# Starts of PyMC's optimiser where the first few all ended below EM.
MORE_STARTS = 64


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
    """Second-order picture at a fit, ``basis`` alone in the user's units; None where a component has collapsed."""
    if fit.status == "collapsed":
        return None
    # In the units of a fit, in which no power of the data's own unit is too large or too small for a double.
    mixture: Any = problem.mixture(prior, standardise=True)
    with failing("em"):
        judged = curvature(mixture, mixture.from_published(fit.parameters))
    basis, flat, slow = (mixture.by_feature(d) for d in (judged.basis, judged.flat_directions, judged.slow_directions))
    judged = dataclasses.replace(
        judged,
        basis=basis * mixture.vector_units[:, None],
        direction=mixture.by_feature(judged.direction[:, None])[:, 0],
        flat_directions=flat,
        slow_directions=slow,
    )
    # Where there is no maximum there is no distance to one.
    there = judged.kind in ("maximum", "boundary")
    all_numbers("em", "The curvature at EM's estimate", judged if there else dataclasses.replace(judged, decrement=0.0))
    # What is neither but almost is known to the fit alone: it has tried steps along it.
    if fit.status == "saddle" or (fit.status == "ridge" and judged.kind == "maximum"):
        return dataclasses.replace(judged, kind=fit.status)
    return judged


def mode_again(
    problem: Problem, map_fit: em.Fit[Any, Any], density: LogPosterior, maximum: models.Maximum, seed: int
) -> models.Maximum:
    """PyMC's mode, sought again from more and other starts where it is below MAP-EM's; EM's answer is no start of it."""
    behind = sum(checks.em_densities(problem, map_fit.parameters)) - maximum.log_posterior
    if not behind > checks.SAME_MAXIMUM:
        return maximum
    return max(maximum, models.find_map(density, MORE_STARTS, seed + 1), key=lambda found: found.log_posterior)


def map_agrees(problem: Problem, map_fit: em.Fit[Any, Any], maximum: models.Maximum) -> Check:
    """Both modes in canonical order, their distance measured by the observed information."""
    mixture: Any = problem.mixture(problem.prior, standardise=True)
    there = problem.from_pymc(maximum.parameters)
    there = there.permuted(problem.order.permutation(there, mixture.groups))
    there, here = mixture.from_published(there), mixture.from_published(map_fit.parameters)
    step = mixture.by_feature((mixture.to_vector(there) - mixture.to_vector(here))[:, None])[:, 0]
    judged = curvature_of(problem, problem.prior, map_fit)
    # Not what EM reports of itself, but what its estimate is worth on these data.
    height = sum(checks.em_densities(problem, map_fit.parameters))
    if judged is None or judged.kind == "ridge":
        # What is identified is what the parameters say of the rows.
        rows = [row_posteriors(mixture, p)[1] for p in (there, here)]
        return checks.map_agrees(height, maximum, float(np.abs(rows[0] - rows[1]).max()), flat=True)
    free = np.linalg.lstsq(judged.basis / mixture.vector_units[:, None], step, rcond=None)[0]
    distance = float(np.sqrt(max(free @ judged.information @ free, 0.0)))
    return checks.map_agrees(height, maximum, distance, flat=False)


def draws_belong(
    problem: Problem,
    density: LogPosterior,
    posterior: xr.Dataset,
    tree: xr.DataTree,
    map_fit: em.Fit[Any, Any] | None = None,
    fits: Sequence[em.Fit[Any, Any]] = (),
) -> Check:
    """Recompute the log density, Jacobian included, at some draws of each chain, as sampled and in canonical order.

    All quantities, of draws and of EM's ``fits``, are read a second time by code that nothing else uses.
    Where ``map_fit`` is given, which is for chains that have met, Stein's identities are asked of the draws too.
    """
    sampled = tree["posterior"].to_dataset()
    log_density = np.asarray(tree["sample_stats"]["logp"])
    recorded: list[float] = []
    recomputed: dict[str, list[float]] = {"sampled": [], "canonical": []}
    per_chain = max(1, STORED_DRAWS_CHECKED // sampled.sizes["chain"])
    for chain in range(sampled.sizes["chain"]):
        for draw in np.linspace(0, sampled.sizes["draw"] - 1, per_chain).astype(int):
            recorded.append(log_density[chain, draw])
            for name, draws in (("sampled", sampled), ("canonical", posterior)):
                values = draw_values(draws, chain, int(draw))
                with failing("pymc"):
                    parts = density.parts(density.unconstrained({n: values[n] for n in density.names}))
                recomputed[name].append(sum(parts))
    check = draw_checks.draws_belong(*(np.array(v) for v in (recorded, recomputed["sampled"], recomputed["canonical"])))
    if check.outcome == "pass":
        estimates = [(f.parameters, quantities.of_parameters(problem, f.parameters)) for f in fits]
        misread = third_reading.misread(problem, sampled, quantities.of_draws(problem, posterior), estimates)
        check = misread or draw_checks.named(check, _misnamed(problem, posterior))
    if map_fit is None or check.outcome != "pass":
        return check
    return draw_checks.meets_identities(check, stein.identities(problem, map_fit, posterior, names(problem)))


def _misnamed(problem: Problem, posterior: xr.Dataset) -> list[str]:
    """Coordinates of the draws that do not have the names declared."""
    c = problem.comparison
    named = {"component": list(c.components), "feature": list(c.features), "feature_2": list(c.features)}
    return [dim for dim, names in named.items() if dim in posterior.coords and posterior[dim].values.tolist() != names]


def modes(problem: Problem, map_fit: em.Fit[Any, Any]) -> Modes:
    """The modes that MAP-EM knows: a ridge of them, or regular ones that are not negligibly lower than the best."""
    if map_fit.status == "ridge":
        return "ridge"
    heights = [sum(checks.em_densities(problem, m.parameters)) for m in map_fit.modes if m.regular]
    return "several" if heights and sum(height > max(heights) - NEGLIGIBLE for height in heights) > 1 else "one"
