"""The posterior of one problem: sampled until there are enough draws, in canonical order, and as it is stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import models
from comparisons import checks, draw_checks
from comparisons.engines import Parameters, Problem, exchangeable, sample
from comparisons.summary import adequacy, quantities
from models import LogPosterior
from models.inputs import Floats, Integers

if TYPE_CHECKING:
    import xarray as xr

SAMPLER = "NUTS (nutpie)"
TARGET_ACCEPT = 0.9
# A stray divergence is sampled again with these.
STRICTER = (0.95, 0.99)
# Effective draws before chains that have not met are called unconverged: at 400 a perfect sampler fails R-hat 1.01 in a
# third of the cases, at 1500 hardly ever.
ENOUGH_ESS = 1500
MORE_DRAWS = (3, 8)
# One chain in a hundred stays low where p is 1e-5.
OTHER_STARTS = 1


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Draws that are enough, or all that were tried, with ArviZ's summary of every quantity on canonical draws."""

    tree: xr.DataTree
    summary: Any
    label_free: dict[str, Floats]
    target_accept: float
    reruns: int
    divergences: int


def sampled(problem: Problem, density: LogPosterior, draws: int, chains: int, seed: int) -> Drawn:
    """Sample, and again from other starts where a chain stays low, stricter where transitions diverge, or longer.

    A chain that stays low is seldom in another mode: one of its components was left without rows while it warmed up.
    """
    targets, factors, seeds = list(STRICTER), list(MORE_DRAWS), [seed + j for j in range(1, OTHER_STARTS + 1)]
    target, factor, reruns = TARGET_ACCEPT, 1, 0
    while True:
        tree = sample(problem, density, draws * factor, chains, seed, target)
        drawn = described(problem, density, tree, target, reruns)
        if draw_checks.low_chain(tree) is not None and seeds:
            seed = seeds.pop(0)
        elif drawn.divergences and targets:
            target = targets.pop(0)
        elif not _enough(drawn.summary) and factors:
            factor = factors.pop(0)
        else:
            return drawn
        reruns += 1


def _enough(summary: Any) -> bool:
    """Whether the chains have met, or have drawn so much that they would have if they could."""
    ess = np.minimum(summary["ess_bulk"], summary["ess_tail"])
    met = bool((summary["r_hat"] <= draw_checks.R_HAT).all() and (ess >= draw_checks.ESS).all())
    return met or bool((ess >= ENOUGH_ESS).all())


def described(problem: Problem, density: LogPosterior, tree: xr.DataTree, target: float, reruns: int) -> Drawn:
    """ArviZ's summary of every quantity and of the log density, which knows no labels."""
    posterior = canonical(problem, tree, exchangeable(density.model))
    label_free = {"log_density": np.asarray(tree["sample_stats"]["logp"])}
    every = {**quantities.of_draws(problem, posterior), **label_free}
    summary = summarised(every)
    divergences = int(draw_checks.diverging(tree["sample_stats"].to_dataset()).sum())
    return Drawn(tree, summary, label_free, target, reruns, divergences)


def summarised(every: dict[str, Floats]) -> Any:
    """ArviZ's summary of draws ``(chains, draws)`` by name; computed near 1, as squares of very small or large draws are lost."""
    import arviz as az

    units = {name: quantities.unit_of(values) for name, values in every.items()}
    # By numbers: xarray takes a slash in a name for a path.
    scaled = {f"x{j}": values / units[name] for j, (name, values) in enumerate(every.items())}
    summary = az.summary(az.from_dict({"posterior": scaled}), ci_prob=adequacy.INTERVAL, ci_kind="hdi", round_to="none")
    summary.index = list(every)
    in_units = [name for name in summary.columns if name.startswith(("mean", "sd", "mcse", "hdi"))]
    summary[in_units] = summary[in_units].mul([units[name] for name in summary.index], axis=0)
    return summary


def canonical(problem: Problem, tree: xr.DataTree, groups: Any) -> xr.Dataset:
    """Draws in canonical order, components and features named as the comparison names them."""
    ordered: xr.Dataset = models.canonical_order(tree, groups, problem.order)["posterior"].to_dataset()
    names = {"component": list(problem.comparison.components)}
    if problem.comparison.features:
        features = list(problem.comparison.features)
        names |= {"feature": features, "feature_2": features}
    return ordered.assign_coords({dim: values for dim, values in names.items() if dim in ordered.dims})


def stored(problem: Problem, posterior: xr.Dataset, tree: xr.DataTree) -> xr.DataTree:
    """What is stored: the canonical draws, with the quantities that are no variable of the model, and the statistics."""
    import xarray as xr

    kept = posterior.copy()
    for name, values in quantities.of_draws(problem, posterior).items():
        if "[" not in name and name not in kept:
            kept[name] = (("chain", "draw"), values)
    told = ["logp", "energy", "diverging", "max_energy_error", "n_steps", "step_size"]
    statistics = tree["sample_stats"].to_dataset()[told]
    return xr.DataTree.from_dict({"posterior": kept, "sample_stats": statistics})


def nothing_drawn() -> xr.DataTree:
    """What is stored where there are no draws: the same groups, empty."""
    import xarray as xr

    return xr.DataTree.from_dict({"posterior": xr.Dataset(), "sample_stats": xr.Dataset()})


def draw_values(posterior: xr.Dataset, chain: int, draw: int) -> dict[str, Floats]:
    """Every variable of one draw, by name."""
    return {str(name): variable.values[chain, draw] for name, variable in posterior.data_vars.items()}


def parameters_at(problem: Problem, posterior: xr.Dataset, chain: int, draw: int) -> Parameters:
    """The parameters of one draw."""
    return problem.from_pymc(draw_values(posterior, chain, draw))


def log_likelihoods(problem: Problem, posterior: xr.Dataset, n: int) -> Floats:
    """``(n,)`` log-likelihood by EM's density at draws that are spread over all."""
    shape = posterior.sizes["chain"], posterior.sizes["draw"]
    places = np.unravel_index(spread_places(shape[0] * shape[1], n), shape)
    points = [parameters_at(problem, posterior, int(c), int(d)) for c, d in zip(*places, strict=True)]
    return np.array([checks.em_densities(problem, point)[0] for point in points])


def spread_places(total: int, n: int) -> Integers:
    """``(n,)`` places spread over ``total``."""
    return np.linspace(0, total - 1, n).astype(int)


def thinned(posterior: xr.Dataset, most: int) -> xr.Dataset:
    """At most so many of the draws, every so many-th of each chain."""
    step = -(-posterior.sizes["chain"] * posterior.sizes["draw"] // most)
    return posterior.isel(draw=slice(None, None, step))
