"""Draws that are not what the sampler should have given, and draws that the comparison has mixed up."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np

from comparisons import checks, sampling
from comparisons.best_mode import objective
from comparisons.engines import Problem, exchangeable
from comparisons.study.broken_em import neighbour
from models import LogPosterior
from models.inputs import Floats

if TYPE_CHECKING:
    import xarray as xr

FEW = 25
CUT = 0.05


def _sampled(change: Callable[..., Any]) -> list[Any]:
    """`sampling.sample` replaced; ``change(sound, problem, density, draws, chains, seed, target_accept)``."""
    sound = sampling.sample  # type: ignore[attr-defined]
    return [patch.object(sampling, "sample", lambda *arguments: change(sound, *arguments))]


def _with(tree: xr.DataTree, change: Callable[[str, Floats], Floats]) -> xr.DataTree:
    """The same draws with every array ``(chain, draw, ...)`` changed."""
    import xarray as xr

    groups = {}
    for group in ("posterior", "sample_stats"):
        data = tree[group].to_dataset()
        changed = {
            name: (v.dims, change(str(name), v.values)) for name, v in data.data_vars.items() if "draw" in v.dims
        }
        groups[group] = data.assign(changed)
    return xr.DataTree.from_dict(groups)


def frozen_chain(problem: Problem, plant: Any) -> list[Any]:
    """The first chain repeats its first draw."""

    def first(name: str, values: Floats) -> Floats:
        values = values.copy()
        values[0] = values[0, :1]
        return values

    return _sampled(lambda sound, *arguments: _with(sound(*arguments), first))


def copied_chain(problem: Problem, plant: Any) -> list[Any]:
    """The second chain is the first."""

    def same(name: str, values: Floats) -> Floats:
        values = values.copy()
        values[1] = values[0]
        return values

    return _sampled(lambda sound, *arguments: _with(sound(*arguments), same))


def few_draws(problem: Problem, plant: Any) -> list[Any]:
    """25 draws of each chain, however many were asked for."""

    def few(sound: Any, asked: Problem, density: Any, draws: int, *rest: Any) -> Any:
        return sound(asked, density, FEW, *rest)

    return _sampled(few)


def tails_cut(problem: Problem, plant: Any) -> list[Any]:
    """Draws in the outer twentieths of the first component's location are replaced by draws that are not."""

    def cut(sound: Any, asked: Problem, density: Any, *rest: Any) -> Any:
        tree = sound(asked, density, *rest)
        posterior = sampling.canonical(asked, tree, exchangeable(density.model))
        name = "means" if "means" in posterior else "head_probabilities"
        values = posterior[name].values.reshape(*posterior[name].shape[:2], -1)[..., 0]
        low, high = np.quantile(values, [CUT, 1 - CUT])
        random = np.random.default_rng(0)
        places = np.empty(values.shape, dtype=int)
        for chain, row in enumerate(values):
            inside = np.flatnonzero((row >= low) & (row <= high))
            places[chain] = np.where((row >= low) & (row <= high), np.arange(len(row)), random.choice(inside, len(row)))
        return _with(tree, lambda _, v: np.stack([v[chain][places[chain]] for chain in range(len(v))]))

    return _sampled(cut)


def neighbouring_data(problem: Problem, plant: Any) -> list[Any]:
    """Draws from the posterior of other data."""
    other = neighbour(problem)

    def elsewhere(sound: Any, asked: Problem, density: Any, *rest: Any) -> Any:
        return sound(other, LogPosterior(other.model()), *rest)

    return _sampled(elsewhere)


class _StartsAt:
    """A log posterior whose chains all start near one point."""

    def __init__(self, density: LogPosterior, x: Floats) -> None:
        self.model, self._x, self._scale = density.model, x, density.scale

    def spread_out_start(self, random: np.random.Generator) -> Floats:
        return np.asarray(self._x + 0.01 * self._scale * random.normal(size=len(self._x)))


def in_lesser_mode(problem: Problem, plant: Any) -> list[Any]:
    """All chains start at the second mode; it counts where they stay, so that none sees the first."""
    fit = problem.fit(problem.prior)
    lesser = [m for m in fit.modes if m.regular][1:]
    plant.active = False

    def stay(sound: Any, asked: Problem, density: LogPosterior, *rest: Any) -> Any:
        if not lesser:
            return sound(asked, density, *rest)
        x = density.unconstrained(asked.to_pymc(lesser[0].parameters))
        tree = sound(asked, _StartsAt(density, x), *rest)
        posterior = sampling.canonical(asked, tree, exchangeable(density.model))
        plant.active = all(_reaches(asked, posterior, chain) < objective(fit) - 1e-3 for chain in range(4))
        return tree

    return _sampled(stay)


def _reaches(problem: Problem, posterior: Any, chain: int) -> float:
    """Highest mode to which MAP-EM climbs from some draws of a chain."""
    heights = []
    for draw in np.linspace(0, posterior.sizes["draw"] - 1, 10).astype(int):
        start = sampling.parameters_at(problem, posterior, chain, int(draw))
        heights.append(sum(checks.em_densities(problem, problem.fit(problem.prior, start=start).parameters)))
    return float(max(heights))


def divergences_hidden(problem: Problem, plant: Any) -> list[Any]:
    """Steps as long as a low acceptance target allows, and no word of those that diverged."""
    plant.active = False

    def hide(sound: Any, asked: Problem, density: Any, draws: int, chains: int, seed: int, _: float) -> Any:
        tree = sound(asked, density, draws, chains, seed, 0.4)
        plant.active = bool(tree["sample_stats"]["diverging"].values.any())
        return _with(tree, lambda name, v: np.zeros_like(v) if name == "diverging" else v)

    return _sampled(hide)


def one_parameter_permuted(problem: Problem, plant: Any) -> list[Any]:
    """Locations of the components in the other order, weights and spreads where they were."""
    sound = sampling.canonical

    def permuted(asked: Problem, tree: Any, groups: Any) -> Any:
        posterior = sound(asked, tree, groups)
        name = "means" if "means" in posterior else "head_probabilities"
        values = posterior[name]
        return posterior.assign({name: (values.dims, values.values[:, :, ::-1].copy())})

    return [patch.object(sampling, "canonical", permuted)]
