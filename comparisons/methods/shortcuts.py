"""Ways to a posterior other than a long run of NUTS: what each says of every quantity, on the scale on which that has no bounds.

EM with Wald's intervals is a normal distribution for each quantity, and with profile intervals an estimate and an interval. The
Laplace approximation is a multivariate normal at the highest peak of the posterior in coordinates without bounds, from EM's
densities; importance sampling is the second route of a comparison. All else is PyMC's own, with its default settings but for what
is told here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from comparisons import quantities
from comparisons.checks.evidence import curvature_of
from comparisons.judgement import standard_errors_of
from comparisons.posterior import importance, nuts, proposals
from comparisons.problem import Fit, Problem
from em.mixture import Scale
from em.uncertainty.wald import on_scale, slope
from em.uncertainty.wald import wald as wald_interval
from models import LogPosterior
from models.inputs import Floats

if TYPE_CHECKING:
    import pymc as pm
    import xarray as xr

DRAWS, CHAINS, TUNE = 1000, 4, 1000
# Independent draws from an approximation, whose Monte Carlo error is then that of the chains at best.
APPROXIMATE_DRAWS = 4000
# Steps of ADVI: PyMC's default is half as many, and too few to converge on some comparisons of the catalogue.
STEPS = 20_000
ENDS = (0.03, 0.97)
NO_COORDINATES = "No coordinates without bounds are known for this model."


class CameToNothing(RuntimeError):
    """A method has no answer; the message says why."""


@dataclass(frozen=True, slots=True)
class Marginal:
    """What a method says of one quantity, on its own scale: mean, sd and the ends of a 94 % interval; NaN for what it has not."""

    mean: float
    sd: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One comparison with both fits, components in its order, and the seconds of what came before, see `BEGINS_AT`."""

    problem: Problem
    density: LogPosterior
    fit: Fit
    map_fit: Fit
    seed: int
    seconds: dict[str, float]

    @property
    def model(self) -> pm.Model:
        """The PyMC model."""
        return self.density.model

    def marginals(self, values: dict[str, Floats], weights: Floats | None = None) -> dict[str, Marginal]:
        """Of draws of every quantity, each with its weight."""
        return {
            name: marginal(on_scale(self.problem.scale(name), each.ravel()), weights) for name, each in values.items()
        }


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a method came to: every quantity, draws by name where they are of chains, and a reservation of its own."""

    marginals: dict[str, Marginal]
    chains: dict[str, Floats] | None = None
    reservation: str = ""


def marginal(values: Floats, weights: Floats | None = None) -> Marginal:
    """Of draws ``(n,)`` that have these weights, summing to 1, or all the same."""
    weights = np.full(len(values), 1 / len(values)) if weights is None else weights
    kept = weights > 0
    values, weights = values[kept], weights[kept]
    order = np.argsort(values)
    with np.errstate(invalid="ignore"):
        mean = float(weights @ values)
        sd = float(np.sqrt(weights @ (values - mean) ** 2))
    below = np.cumsum(weights[order]) - 0.5 * weights[order]
    low, high = (float(end) for end in np.interp(ENDS, below, values[order]))
    return Marginal(mean, sd, low, high)


def wald(case: Case) -> Answer:
    """EM's estimates with standard errors from the observed information."""
    problem, fit = case.problem, case.fit
    estimates = quantities.of_parameters(problem, fit.parameters)
    errors = standard_errors_of(problem, fit, curvature_of(problem, None, fit), estimates)
    return Answer({name: _normal(problem.scale(name), value, errors[name]) for name, value in estimates.items()})


def profile(case: Case) -> Answer:
    """EM's estimates with intervals of the profile likelihood."""
    estimates, found, reasons = quantities.of_parameters(case.problem, case.fit.parameters), {}, {}
    for name, value in estimates.items():
        interval = case.problem.profile_interval(case.fit, name, ENDS[1] - ENDS[0])
        if interval.reason:
            reasons[name] = interval.reason
        with np.errstate(divide="ignore"):
            centre, low, high = (
                float(on_scale(case.problem.scale(name), v)) for v in (value, interval.low, interval.high)
            )
        found[name] = Marginal(centre, np.nan, low, high)
    if len(reasons) == len(found):
        raise CameToNothing(next(iter(reasons.values())))
    return Answer(found)


def laplace(case: Case) -> Answer:
    """A multivariate normal at the highest peak of the posterior, in coordinates without bounds."""
    target = case.problem.unconstrained
    if target is None:
        raise CameToNothing(NO_COORDINATES)
    peaks = proposals.at_modes(target, case.map_fit)
    best = int(np.argmax(target(peaks.centres)))
    z = np.random.default_rng(case.seed).normal(size=(APPROXIMATE_DRAWS, peaks.centres.shape[1]))
    points = target.parameters(peaks.centres[best] + z @ peaks.roots[best].T)
    return Answer(case.marginals(case.problem.quantities(case.problem.arrays(case.problem.in_order(points)))))


def importance_sampling(case: Case) -> Answer:
    """Importance sampling at EM's modes, the second route of a comparison."""
    route = importance.sample(case.problem, case.map_fit, np.random.default_rng(case.seed))
    if isinstance(route, str):
        raise CameToNothing(route)
    told = (
        ""
        if route.trusted
        else f"k-hat is {route.k_hat:.2f}, above {importance.K_HAT:g}: its weights cannot be trusted."
    )
    return Answer(case.marginals(route.values, route.weights), reservation=told)


def nutpie(case: Case) -> Answer:
    """NUTS by nutpie, with the settings of a comparison."""
    tree = nuts.sample(case.problem, case.density, DRAWS, CHAINS, case.seed, nuts.TARGET_ACCEPT)
    return of_chains(case, tree)


def by_pymc(sampler: str) -> Callable[[Case], Answer]:
    """NUTS by one of PyMC's samplers."""

    def sampled(case: Case) -> Answer:
        import pymc as pm

        if sampler != "pymc" and find_spec(sampler) is None:
            raise CameToNothing(f"{sampler} is not installed.")
        with case.model:
            tree = pm.sample(
                DRAWS,
                tune=TUNE,
                chains=CHAINS,
                cores=1,
                random_seed=case.seed,
                nuts_sampler=sampler,
                progressbar=False,
                compute_convergence_checks=False,
            )
        return of_chains(case, tree)

    return sampled


def smc(case: Case) -> Answer:
    """Sequential Monte Carlo from the prior to the posterior."""
    import pymc as pm

    with case.model:
        tree = pm.sample_smc(
            DRAWS, chains=CHAINS, cores=1, random_seed=case.seed, progressbar=False, compute_convergence_checks=False
        )
    return of_chains(case, tree)


def variational(method: str) -> Callable[[Case], Answer]:
    """Automatic differentiation variational inference, of independent coordinates or of a full covariance."""

    def fitted(case: Case) -> Answer:
        import pymc as pm

        with case.model:
            approximation = pm.fit(STEPS, method=method, random_seed=case.seed, progressbar=False)
            tree = approximation.sample(APPROXIMATE_DRAWS, random_seed=case.seed)
        return Answer(case.marginals(of_tree(case, tree)))

    return fitted


def pathfinder(case: Case) -> Answer:
    """Multi-path Pathfinder of pymc-extras."""
    if find_spec("pymc_extras") is None:
        raise CameToNothing("pymc-extras is not installed.")
    from pymc_extras import fit

    tree = fit(method="pathfinder", model=case.model, num_draws=APPROXIMATE_DRAWS, random_seed=case.seed)
    return Answer(case.marginals(of_tree(case, tree)))


def of_tree(case: Case, tree: xr.DataTree) -> dict[str, Floats]:
    """Every quantity of draws, components in the comparison's order."""
    posterior = nuts.canonical(case.problem, tree, case.problem.exchangeable(case.model))
    return quantities.of_draws(case.problem, posterior)


def of_chains(case: Case, tree: xr.DataTree) -> Answer:
    """Every quantity of chains, and whether these have met."""
    values = of_tree(case, tree)
    r_hat = float(nuts.summarised(values)["r_hat"].max(skipna=False))
    told = "" if r_hat <= nuts.R_HAT else f"Its chains have not met: the largest R-hat is {r_hat:.3f}."
    return Answer(case.marginals(values), values, told)


METHODS: dict[str, Callable[[Case], Answer]] = {
    "EM with Wald": wald,
    "EM with profile": profile,
    "Laplace at the mode": laplace,
    "importance sampling from EM": importance_sampling,
    "mean-field ADVI": variational("advi"),
    "full-rank ADVI": variational("fullrank_advi"),
    "Pathfinder": pathfinder,
    "SMC": smc,
    "NUTS by nutpie": nutpie,
    "NUTS by PyMC": by_pymc("pymc"),
    "NUTS by NumPyro": by_pymc("numpyro"),
    "NUTS by BlackJAX": by_pymc("blackjax"),
}


# What had to be there before, whose time counts.
BEGINS_AT = {
    "EM with Wald": "fit",
    "EM with profile": "fit",
    "Laplace at the mode": "mode",
    "importance sampling from EM": "mode",
    "NUTS by nutpie": "code",
}


def _normal(scale: Scale, value: float, error: float) -> Marginal:
    """What an estimate and its standard error say, by the delta method; NaN where there is none."""
    low, high = wald_interval(scale, value, error)
    if not np.isfinite([low, high]).all():
        return Marginal(np.nan, np.nan, np.nan, np.nan)
    low, high = (float(on_scale(scale, end)) for end in (low, high))
    return Marginal(float(on_scale(scale, value)), error * slope(scale, value), low, high)
