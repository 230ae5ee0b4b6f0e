"""The posterior of one problem: sampled until there are enough draws, in canonical order, and as it is stored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from comparisons import quantities
from comparisons.capabilities import Parameters
from comparisons.draws_by_name import QUANTITIES, draws_of
from comparisons.engine_failures import failing
from comparisons.posterior import jumps, traces
from comparisons.posterior.jumps import DIVERGED
from comparisons.posterior.natural_scale import by_name
from comparisons.posterior.proposals import root_of
from comparisons.problem import Fit, Problem, em_densities
from comparisons.settings import JUMPS, NEAR, NUTS
from models import LogPosterior
from models.inputs import Floats, Integers

if TYPE_CHECKING:
    import xarray as xr

R_HAT = 1.01
ESS = 400
# Standard deviations of the log density of draws between chains of which one is elsewhere for good.
APART = 10.0
# Warm-up draws of each chain, not kept.
TUNE = 1000
# From so many rows on a posterior is so narrow, and its modes lie so many nats apart, that a chain from elsewhere only tells
# that it began elsewhere. EM's search and PyMC's optimiser have begun elsewhere by then; chains begin around the mode, so many
# times as wide as the posterior, in coordinates of its curvature, and warm up for less.
MANY_ROWS, WIDE, NEAR_TUNE = 100_000, 2.0, 200
# What is kept of what nutpie says of each draw.
STATISTICS = ("logp", "energy", "diverging", "max_energy_error", "n_steps", "step_size")
# What the vector of free variables is called on its way through nutpie.
POINT = "point"
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
class Near:
    """Coordinates in which a posterior is about normal: a mode is 0, and its curvature that of a standard normal.

    Attributes
    ----------
    mode : ``(f,)`` in the density's coordinates without bounds
    root : ``(f, f)`` of the inverse curvature there
    """

    mode: Floats
    root: Floats

    def start(self, seed: int) -> Floats:
        """Where a chain begins."""
        return WIDE * np.random.default_rng(seed).normal(size=len(self.mode))

    def point(self, z: Floats) -> Floats:
        """In the density's coordinates."""
        return np.asarray(self.mode + self.root @ z)


def low_chain(tree: xr.DataTree) -> tuple[int, float] | None:
    """The chain, counted from 1, that stays where the posterior is low, and by how many nats; None where none does."""
    log_densities = np.asarray(tree["sample_stats"]["logp"].transpose("chain", "draw").values)
    middles, spread = np.median(log_densities, axis=1), np.median(log_densities.std(axis=1))
    gap = float(np.ptp(middles))
    return (int(middles.argmin()) + 1, gap) if gap > APART * spread else None


def diverging(statistics: xr.Dataset) -> NDArray[np.bool_]:
    """``(chains, draws)`` whether a transition diverged, by its flag or, if that was lost, by the error of its energy."""
    # NaN, like an error without bound, is a divergence.
    lost = ~(np.abs(statistics["max_energy_error"].values) < DIVERGED)
    return np.asarray(statistics["diverging"].values.astype(bool) | lost)


def sample(
    problem: Problem,
    density: LogPosterior,
    draws: int,
    chains: int,
    seed: int,
    target_accept: float,
    near: Near | None = None,
) -> xr.DataTree:
    """Sample the posterior by NUTS (nutpie), with the machine code of the density, which is compiled once a machine.

    The same seed gives the same draws to the last bit, whatever the number of cores and whatever was compiled before. Chains
    start spread out over the data, so that what they fail to find together shows; or ``near`` a mode, in its coordinates.

    Raises
    ------
    comparisons.engine_failures.EngineFailure
        where no chain can be started, or the sampler gives up
    """
    nutpie = traces.imported()
    ready, tune = (_callbacks(density), TUNE) if near is None else (_whitened(density, near), NEAR_TUNE)
    with failing("sampler"):
        trace = nutpie.sample(
            ready,
            draws=draws,
            tune=tune,
            chains=chains,
            seed=seed,
            target_accept=target_accept,
            progress_bar=False,
            return_raw_trace=True,
        )
    return by_name(density, *traces.read(trace, tune, STATISTICS))


def _callbacks(density: LogPosterior) -> Any:
    """What nutpie samples: the machine code of the density, and draws as they are, on the unconstrained scale."""
    from nutpie.compile_pymc import CompiledPyMCModel

    from comparisons.posterior.copied import copied

    arguments = density.code.arguments(np.ones(2))
    return CompiledPyMCModel(
        compiled_logp_func=density.code,
        compiled_expand_func=copied(),
        user_data=arguments.table,
        shared_data={POINT: arguments},
        shared_var_keys={},
        initial_point_func=lambda seed: density.spread_out_start(np.random.default_rng(seed)),
        n_expanded=density.size,
        shape_info=([POINT], [slice(0, density.size)], [(density.size,)]),
        logp_func=None,
        expand_func=None,
        _n_dim=density.size,
        _shapes={POINT: (density.size,)},
        _coords={},
        dims={},
    )


def _whitened(density: LogPosterior, near: Near) -> Any:
    """The same in coordinates near a mode, by way of Python: its microseconds are nothing beside so many rows."""
    from nutpie.compiled_pyfunc import from_pyfunc

    def heights() -> Any:
        target = jumps.Target(density)

        def height(z: Floats) -> tuple[float, Floats]:
            value, gradient = target(near.point(z))
            return value, near.root.T @ gradient

        return height

    return from_pyfunc(
        density.size,
        heights,
        lambda *_: lambda z: {POINT: near.point(z)},
        [np.dtype(float)],
        [(density.size,)],
        [POINT],
        make_initial_point_fn=near.start,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Draws that are enough, or all that were tried, with ArviZ's summary of every quantity on canonical draws.

    ``apart``: the largest R-hat of chains of NUTS that stayed in different modes, where chains that jump came in their place.
    ``near``: chains began around the mode.
    """

    tree: xr.DataTree
    summary: Any
    label_free: dict[str, Floats]
    target_accept: float
    reruns: int
    divergences: int
    apart: float | None = None
    near: bool = False

    @property
    def sampler(self) -> str:
        """What drew them."""
        return JUMPS if self.apart is not None else NEAR if self.near else NUTS

    @property
    def tune(self) -> int:
        """Warm-up draws of each chain, not kept."""
        return jumps.TUNE if self.apart is not None else NEAR_TUNE if self.near else TUNE


def sampled(problem: Problem, density: LogPosterior, map_fit: Fit, draws: int, chains: int, seed: int) -> Drawn:
    """Sample, and again from other starts where a chain stays low, stricter where transitions diverge, or longer.

    A chain that stays low is seldom in another mode: one of its components was left without rows while it warmed up. Where EM
    knows several modes of the posterior and the chains have not met, chains that jump between them take their place.
    """
    targets, factors, seeds = list(STRICTER), list(MORE_DRAWS), [seed + j for j in range(1, OTHER_STARTS + 1)]
    target, factor, reruns = TARGET_ACCEPT, 1, 0
    jumped = False
    near = _around_the_mode(problem, density, map_fit)
    while True:
        tree = sample(problem, density, draws * factor, chains, seed, target, near)
        drawn = replace(described(problem, density, tree, target, reruns), near=near is not None)
        if low_chain(tree) is not None and seeds:
            seed = seeds.pop(0)
        elif drawn.divergences and targets:
            target = targets.pop(0)
        elif not _enough(drawn.summary) and factors:
            if not jumped:
                jumped = True
                with_jumps = _jumping(problem, density, map_fit, draws, seed, drawn)
                if with_jumps is not None:
                    return with_jumps
            factor = factors.pop(0)
        else:
            return drawn
        reruns += 1


def _around_the_mode(problem: Problem, density: LogPosterior, map_fit: Fit) -> Near | None:
    """Where chains go that have very many rows; None where they are not so many, or the mode has no coordinates."""
    if problem.n < MANY_ROWS or not problem.interior(map_fit.parameters):
        return None
    mode = density.unconstrained(problem.to_pymc(map_fit.parameters))
    return Near(mode, root_of(-density.hessian(mode)))


def _jumping(
    problem: Problem, density: LogPosterior, map_fit: Fit, draws: int, seed: int, apart: Drawn
) -> Drawn | None:
    """Chains that jump between EM's modes, begun where these ended; None where there is nowhere to jump or they do not meet."""
    r_hat = float(apart.summary["r_hat"].max(skipna=False))
    # Chains that have met want more draws, and those without an R-hat are broken.
    proposal = jumps.proposal_of(problem, density, map_fit) if r_hat > R_HAT else None
    if proposal is None:
        return None
    last = apart.tree["posterior"].to_dataset().isel(draw=-1)
    starts = np.stack([density.unconstrained({n: last[n].values[c] for n in density.names}) for c in last["chain"]])
    for factor in (1, *MORE_DRAWS):
        tree = jumps.sample(problem, density, draws * factor, len(starts), seed, (proposal, starts))
        drawn = described(problem, density, tree, jumps.TARGET_ACCEPT, apart.reruns)
        if _enough(drawn.summary):
            return replace(drawn, apart=r_hat)
    return None


def _enough(summary: Any) -> bool:
    """Whether the chains have met, or have drawn so much that they would have if they could."""
    ess = np.minimum(summary["ess_bulk"], summary["ess_tail"])
    met = bool((summary["r_hat"] <= R_HAT).all() and (ess >= ESS).all())
    return met or bool((ess >= ENOUGH_ESS).all())


def described(problem: Problem, density: LogPosterior, tree: xr.DataTree, target: float, reruns: int) -> Drawn:
    """ArviZ's summary of every quantity and of the log density, which knows no labels."""
    posterior = canonical(problem, tree, problem.exchangeable(density.model))
    label_free = {"log_density": np.asarray(tree["sample_stats"]["logp"])}
    every = {**quantities.of_draws(problem, posterior), **label_free}
    summary = summarised(every)
    divergences = int(diverging(tree["sample_stats"].to_dataset()).sum())
    return Drawn(tree, summary, label_free, target, reruns, divergences)


def summarised(every: dict[str, Floats]) -> Any:
    """ArviZ's summary of draws ``(chains, draws)`` by name; computed near 1, as squares of very small or large draws are lost."""
    import arviz_stats
    from arviz_base import from_dict

    stats: Any = arviz_stats
    units = {name: quantities.unit_of(values) for name, values in every.items()}
    # By numbers: xarray takes a slash in a name for a path.
    scaled = {f"x{j}": values / units[name] for j, (name, values) in enumerate(every.items())}
    summary = stats.summary(
        from_dict({"posterior": scaled}), ci_prob=quantities.INTERVAL, ci_kind="hdi", round_to="none"
    )
    summary.index = list(every)
    in_units = [name for name in summary.columns if name.startswith(("mean", "sd", "mcse", "hdi"))]
    summary[in_units] = summary[in_units].mul([units[name] for name in summary.index], axis=0)
    return summary


def canonical(problem: Problem, tree: xr.DataTree, groups: Any) -> xr.Dataset:
    """Draws in canonical order, components and features named as the comparison names them."""
    ordered = problem.draws_in_order(tree, groups)
    return ordered.assign_coords({dim: names for dim, names in problem.coordinates.items() if dim in ordered.dims})


def stored(problem: Problem, posterior: xr.Dataset, tree: xr.DataTree) -> xr.DataTree:
    """What is stored: the canonical draws, with the quantities that are no variable of the model, and the statistics."""
    import xarray as xr

    kept, further = posterior.copy(), {}
    named = xr.DataTree.from_dict({"posterior": posterior})
    for name, values in quantities.of_draws(problem, posterior).items():
        if "[" not in name and name not in kept:
            kept[name] = (("chain", "draw"), values)
        elif draws_of(named, name) is None:
            further[name] = values
    if further:
        kept[QUANTITIES] = (("chain", "draw", "quantity"), np.stack(list(further.values()), axis=-1))
        kept = kept.assign_coords(quantity=list(further))
    statistics = tree["sample_stats"].to_dataset()
    statistics = statistics[[name for name in jumps.STATISTICS if name in statistics]]
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
    return np.array([em_densities(problem, point)[0] for point in points])


def spread_places(total: int, n: int) -> Integers:
    """``(n,)`` places spread over ``total``."""
    return np.linspace(0, total - 1, n).astype(int)


def thinned(posterior: xr.Dataset, most: int) -> xr.Dataset:
    """At most so many of the draws, every so many-th of each chain."""
    step = -(-posterior.sizes["chain"] * posterior.sizes["draw"] // most)
    return posterior.isel(draw=slice(None, None, step))
