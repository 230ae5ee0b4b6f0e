"""Draws that are not what the sampler should have given, and draws that the comparison has mixed up."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
from scipy.special import expit, logit

import models
from comparisons.checks.best_mode import objective
from comparisons.families.mixtures import MixtureProblem, exchangeable
from comparisons.posterior import jumps, nuts
from comparisons.problem import em_densities
from comparisons.study.broken_em import neighbour
from models import LogPosterior
from models.inputs import Floats

if TYPE_CHECKING:
    import xarray as xr

FEW = 25
CUT = 0.05


def _sampled(change: Callable[..., Any]) -> list[Any]:
    """What samples replaced; ``change(sound, problem, density, draws, chains, seed, how)``, be it NUTS or chains that jump."""

    def broken(sound: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arguments: change(sound, *arguments)

    return [patch.object(module, "sample", broken(module.sample)) for module in (nuts, jumps)]


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


def frozen_chain(problem: MixtureProblem, plant: Any) -> list[Any]:
    """The first chain repeats its first draw."""

    def first(name: str, values: Floats) -> Floats:
        values = values.copy()
        values[0] = values[0, :1]
        return values

    return _sampled(lambda sound, *arguments: _with(sound(*arguments), first))


def copied_chain(problem: MixtureProblem, plant: Any) -> list[Any]:
    """The second chain is the first."""

    def same(name: str, values: Floats) -> Floats:
        values = values.copy()
        values[1] = values[0]
        return values

    return _sampled(lambda sound, *arguments: _with(sound(*arguments), same))


def shifted_copy(problem: MixtureProblem, plant: Any) -> list[Any]:
    """The other chains are the first, begun elsewhere: draws that count four times."""

    def same(name: str, values: Floats) -> Floats:
        steps = values.shape[1] // len(values)
        return np.stack([np.roll(values[0], chain * steps, axis=0) for chain in range(len(values))])

    return _sampled(lambda sound, *arguments: _with(sound(*arguments), same))


def reversed_copy(problem: MixtureProblem, plant: Any) -> list[Any]:
    """The second chain is the first, backwards."""

    def same(name: str, values: Floats) -> Floats:
        values = values.copy()
        values[1] = values[0, ::-1]
        return values

    return _sampled(lambda sound, *arguments: _with(sound(*arguments), same))


def no_number(statistic: str) -> Callable[[MixtureProblem, Any], list[Any]]:
    """One of the sampler's statistics is no number at one draw."""

    def planted(problem: MixtureProblem, plant: Any) -> list[Any]:
        def one(name: str, values: Floats) -> Floats:
            if name == statistic:
                values = values.copy()
                values[0, 0] = np.nan
            return values

        return _sampled(lambda sound, *arguments: _with(sound(*arguments), one))

    return planted


def _density_made_right(density: LogPosterior, tree: xr.DataTree) -> xr.DataTree:
    """The draws with the log density that they have, as if the sampler had meant them."""
    posterior = tree["posterior"].to_dataset()
    free = {name: posterior[name].values for name in density.names}

    def right(name: str, values: Floats) -> Floats:
        if name != "logp":
            return values
        return np.array(
            [
                [sum(density.parts(density.unconstrained({n: v[c, d] for n, v in free.items()}))) for d in range(row)]
                for c, row in enumerate([values.shape[1]] * len(values))
            ]
        )

    return _with(tree, right)


def wider(share: float) -> Callable[[MixtureProblem, Any], list[Any]]:
    """Locations of all components this share farther from their mean in the canonical draws, density made right."""
    return _locations_moved(lambda values: values.mean(axis=(0, 1)) + (1 + share) * (values - values.mean(axis=(0, 1))))


def shifted(deviations: float) -> Callable[[MixtureProblem, Any], list[Any]]:
    """The location of the first component off by a share of its standard deviation, density made right."""

    def off(values: Floats) -> Floats:
        moved = values.copy()
        first = values[:, :, 0]
        moved[:, :, 0] = first + deviations * first.std(axis=(0, 1))
        return moved

    return _locations_moved(off)


def _locations_moved(change: Callable[[Floats], Floats]) -> Callable[[MixtureProblem, Any], list[Any]]:
    def planted(problem: MixtureProblem, plant: Any) -> list[Any]:
        def move(sound: Any, asked: MixtureProblem, density: Any, *rest: Any) -> Any:
            tree = models.canonical_order(sound(asked, density, *rest), exchangeable(density.model))

            def moved(name: str, values: Floats) -> Floats:
                if name == "means":
                    return change(values)
                if name == "head_probabilities":
                    # On the scale of logits, so that a probability stays one.
                    return expit(change(logit(values)))
                return values

            return _density_made_right(density, _with(tree, moved))

        return _sampled(move)

    return planted


def share_of_neighbours(share: float) -> Callable[[MixtureProblem, Any], list[Any]]:
    """A share of the draws is from the posterior of data with one row changed, density made right."""

    def planted(problem: MixtureProblem, plant: Any) -> list[Any]:
        other = neighbour(problem)

        def mixed(sound: Any, asked: MixtureProblem, density: Any, *rest: Any) -> Any:
            tree = sound(asked, density, *rest)
            foreign = sound(other, LogPosterior(other.model()), *rest)["posterior"].to_dataset()
            shape = tree["posterior"].sizes["chain"], tree["posterior"].sizes["draw"]
            taken = np.random.default_rng(0).random(shape) < share

            def some(name: str, values: Floats) -> Floats:
                if name not in foreign:
                    return values
                return np.where(taken.reshape(*shape, *[1] * (values.ndim - 2)), foreign[name].values, values)

            return _density_made_right(density, _with(tree, some))

        return _sampled(mixed)

    return planted


def few_draws(problem: MixtureProblem, plant: Any) -> list[Any]:
    """25 draws of each chain, however many were asked for."""

    def few(sound: Any, asked: MixtureProblem, density: Any, draws: int, *rest: Any) -> Any:
        return sound(asked, density, FEW, *rest)

    return _sampled(few)


def tails_cut(problem: MixtureProblem, plant: Any) -> list[Any]:
    """Draws in the outer twentieths of the first component's location are replaced by draws that are not."""

    def cut(sound: Any, asked: MixtureProblem, density: Any, *rest: Any) -> Any:
        tree = sound(asked, density, *rest)
        posterior = nuts.canonical(asked, tree, exchangeable(density.model))
        name = asked.family.variables[0]
        values = posterior[name].values.reshape(*posterior[name].shape[:2], -1)[..., 0]
        low, high = np.quantile(values, [CUT, 1 - CUT])
        random = np.random.default_rng(0)
        places = np.empty(values.shape, dtype=int)
        for chain, row in enumerate(values):
            inside = np.flatnonzero((row >= low) & (row <= high))
            places[chain] = np.where((row >= low) & (row <= high), np.arange(len(row)), random.choice(inside, len(row)))
        return _with(tree, lambda _, v: np.stack([v[chain][places[chain]] for chain in range(len(v))]))

    return _sampled(cut)


def neighbouring_data(problem: MixtureProblem, plant: Any) -> list[Any]:
    """Draws from the posterior of other data."""
    other = neighbour(problem)

    def elsewhere(sound: Any, asked: MixtureProblem, density: Any, *rest: Any) -> Any:
        return sound(other, LogPosterior(other.model()), *rest)

    return _sampled(elsewhere)


class _StartsAt:
    """A log posterior whose chains all start near one point."""

    def __init__(self, density: LogPosterior, x: Floats) -> None:
        self.model, self._x, self._scale = density.model, x, density.scale

    def spread_out_start(self, random: np.random.Generator) -> Floats:
        return np.asarray(self._x + 0.01 * self._scale * random.normal(size=len(self._x)))


def in_lesser_mode(problem: MixtureProblem, plant: Any) -> list[Any]:
    """All chains start at the second mode; it counts where they stay, so that none sees the first."""
    fit = problem.fit(problem.prior)
    lesser = [m for m in fit.modes if m.regular][1:]
    plant.active = False

    def stay(sound: Any, asked: MixtureProblem, density: LogPosterior, *rest: Any) -> Any:
        if not lesser:
            return sound(asked, density, *rest)
        x = density.unconstrained(asked.to_pymc(lesser[0].parameters))
        tree = sound(asked, _StartsAt(density, x), *rest)
        posterior = nuts.canonical(asked, tree, exchangeable(density.model))
        plant.active = all(_reaches(asked, posterior, chain) < objective(fit) - 1e-3 for chain in range(4))
        return tree

    return _sampled(stay)


def _reaches(problem: MixtureProblem, posterior: Any, chain: int) -> float:
    """Highest mode to which MAP-EM climbs from some draws of a chain."""
    heights = []
    for draw in np.linspace(0, posterior.sizes["draw"] - 1, 10).astype(int):
        start = nuts.parameters_at(problem, posterior, chain, int(draw))
        heights.append(sum(em_densities(problem, problem.fit(problem.prior, start=start).parameters)))
    return float(max(heights))


def divergences_hidden(problem: MixtureProblem, plant: Any) -> list[Any]:
    """Steps as long as a low acceptance target allows, and no word of those that diverged."""
    plant.active = False

    def hide(sound: Any, asked: MixtureProblem, density: Any, draws: int, chains: int, seed: int, _: float) -> Any:
        tree = sound(asked, density, draws, chains, seed, 0.4)
        plant.active = bool(tree["sample_stats"]["diverging"].values.any())
        return _with(tree, lambda name, v: np.zeros_like(v) if name == "diverging" else v)

    return _sampled(hide)


def one_parameter_permuted(problem: MixtureProblem, plant: Any) -> list[Any]:
    """Locations of the components in the other order, weights and spreads where they were."""
    sound = nuts.canonical

    def permuted(asked: MixtureProblem, tree: Any, groups: Any) -> Any:
        posterior = sound(asked, tree, groups)
        name = asked.family.variables[0]
        values = posterior[name]
        return posterior.assign({name: (values.dims, values.values[:, :, ::-1].copy())})

    return [patch.object(nuts, "canonical", permuted)]
