"""One problem judged: fit by EM, find PyMC's mode, sample, check, compare every quantity, reach the verdict.

Whoever has a `Problem` can have it judged; what is stored and drawn of it is made from the judgement in
`comparisons.pipeline`, and the studies of error rates judge thousands of simulated ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

import models
from comparisons import quantities
from comparisons.checks import standard_errors
from comparisons.checks.best_mode import best_mode
from comparisons.checks.draws_belong import draws_belong
from comparisons.checks.evidence import curvature_of, modes
from comparisons.checks.identified import identified
from comparisons.checks.map_agrees import map_agrees, mode_again
from comparisons.checks.posterior_agrees import confirmed, posterior_agrees
from comparisons.checks.same_density import same_density, same_variables
from comparisons.checks.sampler_converged import all_finite, sampler_converged
from comparisons.checks.stationary import stationary
from comparisons.engine_failures import EngineFailure, failing
from comparisons.families.exact import ExactPosterior
from comparisons.not_numbers import all_fitted, all_numbers
from comparisons.posterior import importance, nuts
from comparisons.posterior.prior_draws import middle_half, prior_spreads
from comparisons.problem import Fit, Problem
from comparisons.results.result import Check, Quantity, Verdict
from comparisons.summary import adequacy, verdict
from em.mixture import Scale
from em.uncertainty.curvature import Curvature
from em.uncertainty.standard_errors import withheld_reason
from em.uncertainty.wald import wald
from models import LogPosterior
from models.inputs import Floats

if TYPE_CHECKING:
    import pymc as pm
    import xarray as xr

# From the seed of the draws to that of others, which have to show a difference again before it convicts the sampler; sampling
# once more from other starts takes those between.
CONFIRMING_SEED = nuts.OTHER_STARTS + 1


class Clock:
    """Seconds by stage; ``progress`` is told the stage as it begins."""

    def __init__(self, progress: Callable[[str], None]) -> None:
        self.seconds: dict[str, float] = {}
        self._progress = progress

    @contextmanager
    def stage(self, name: str, told: str | None = None) -> Iterator[None]:
        """Count the time of the block to the stage, ``told`` in these words."""
        self._progress(told or name)
        began = time.perf_counter()
        yield
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - began, 3)


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """Both fits of one problem, every check and quantity, and the verdict on them.

    Attributes
    ----------
    fit, map_fit : maximum likelihood and posterior mode by EM, the best that are known after all checks; None where an
        engine stopped before
    posterior : draws in canonical order, components named; None where an engine stopped, so that no quantity was judged
    drawn : the draws as sampled, with ArviZ's summary; None likewise
    values : ``(chains, draws)`` of every quantity by name
    withheld : why EM gives no standard errors, None where it does
    verdict, summary, reasons : as in a result
    problem : as judged, its components in the order chosen from the posterior mode by EM's own search
    """

    fit: Fit | None
    map_fit: Fit | None
    posterior: xr.Dataset | None
    drawn: nuts.Drawn | None
    values: dict[str, Floats]
    withheld: str | None
    quantities: list[Quantity]
    checks: list[Check]
    verdict: Verdict
    summary: str
    reasons: list[str]
    problem: Problem

    def with_failure(self, check: Check) -> Judgement:
        """The same after an engine stopped later, as in a profile fit."""
        checks = [*self.checks, check]
        found = verdict.faulty(checks)
        assert found is not None
        return replace(self, checks=checks, verdict=found[0], summary=found[1], reasons=found[2])


@dataclass(slots=True, eq=False)
class _Known:
    """What a judgement has come to so far, in case an engine stops."""

    fit: Fit | None = None
    map_fit: Fit | None = None
    checks: list[Check] = field(default_factory=list)


def judge(
    problem: Problem,
    *,
    seed: int,
    draws: int,
    chains: int,
    clock: Clock,
    density: Callable[[pm.Model], LogPosterior] = LogPosterior,
) -> Judgement:
    """Judge one problem; the same seed gives the same judgement.

    ``density`` makes PyMC's log posterior from its model; whoever judges many problems has a faster way than to begin anew.
    An engine that stops with an error ends the judgement with that as its last check.
    """
    known = _Known()
    try:
        return _judged(problem, known, seed, draws, chains, clock, density)
    except EngineFailure as failure:
        so_far = Judgement(
            known.fit, known.map_fit, None, None, {}, None, [], known.checks, "inconclusive", "", [], problem
        )
        return so_far.with_failure(failure.check)


def _judged(
    problem: Problem,
    known: _Known,
    seed: int,
    draws: int,
    chains: int,
    clock: Clock,
    density: Callable[[pm.Model], LogPosterior],
) -> Judgement:
    """The judgement of engines that run to their end; ``known`` is told what was found on the way."""
    random = np.random.default_rng(seed)
    with clock.stage("EM"), failing("em"):
        known.fit = fit = problem.fit(None, seed=seed, path=True)
        known.map_fit = map_fit = problem.fit(problem.prior, seed=seed)
    all_fitted(problem, fit, map_fit)
    problem = problem.ordered_by(map_fit.parameters).sampled_near(fit.parameters, map_fit.parameters)
    known.fit, known.map_fit = fit, map_fit = problem.relabelled(fit), problem.relabelled(map_fit)
    with clock.stage("checks", "checks (a model that is new to this machine is compiled, which takes a minute or two)"):
        log_posterior = density(problem.model())
        same_variables(problem, log_posterior)
        same = same_density(problem, log_posterior, (fit, map_fit), random)
        known.checks.append(same)
    with clock.stage("PyMC's mode"), failing("pymc"):
        maximum = models.find_map(log_posterior, seed=seed)
    with clock.stage("sampling"):
        groups = problem.exchangeable(log_posterior.model)
        drawn = nuts.sampled(problem, log_posterior, map_fit, draws, chains, seed)
        all_finite(drawn.tree)
    with clock.stage("second route"):
        # From EM's own modes, before any draw of the sampler is looked at.
        route = importance.sample(problem, map_fit, random)
        all_numbers("comparison", "Importance sampling guided by EM", route)
    with clock.stage("checks"):
        posterior = nuts.canonical(problem, drawn.tree, groups)
        all_numbers("comparison", "The draws in canonical order", posterior)
        with failing("em"):
            best = best_mode(problem, fit, map_fit, posterior, drawn.tree, seed)
        all_fitted(problem, best.fit, best.map_fit)
        fit, map_fit = problem.relabelled(best.fit), problem.relabelled(best.map_fit)
    with clock.stage("PyMC's mode"), failing("pymc"):
        maximum = mode_again(problem, map_fit, log_posterior, maximum, seed)
    all_numbers("pymc", "PyMC's mode", maximum)
    with clock.stage("checks"):
        values = quantities.of_draws(problem, posterior)
        judged = curvature_of(problem, None, fit)
        all_numbers("comparison", "The table of draws", values)
        converged = sampler_converged(
            drawn.summary,
            drawn.tree,
            drawn.label_free,
            drawn.reruns,
            sum(m.regular for m in map_fit.modes),
            posterior,
            drawn.apart,
            near=drawn.near,
            ordered=problem.ordered,
            lower=best.lower,
        )
        before = prior_spreads(problem, groups, random)
        met = converged.outcome == "pass"
        contraction = {n: 1 - middle_half(values[n]) / spread for n, spread in before.items()} if met else {}
        own = fit.standard_errors.reason if judged is None else None
        reason = own or withheld_reason(fit.status, judged, problem.names)
        circumstances = adequacy.Circumstances(met, modes(problem, map_fit), reason)
        points, errors = _points(problem, fit, map_fit, values), standard_errors_of(problem, fit, judged, values)
        thresholds = {name: _thresholds(problem.scale(name), points[name], errors[name]) for name in values}
        exact = problem.exact(thresholds)
        all_numbers("comparison", "What the draws are held against", [contraction, thresholds, exact])
        table = [
            adequacy.judge(
                name,
                problem.scale(name),
                points[name],
                errors[name],
                values[name],
                drawn.summary.loc[name],
                circumstances,
                None if exact is None else _exactly(exact, name),
            )
            for name in values
        ]
        agreeing = posterior_agrees(route, exact, met, drawn.summary, values, thresholds)
        if agreeing.outcome == "fail" and exact is None:
            route = importance.sample(problem, map_fit, random, importance.CONFIRMING_DRAWS)
            all_numbers("comparison", "Importance sampling guided by EM", route)
            agreeing = posterior_agrees(route, exact, met, drawn.summary, values, thresholds)
    if agreeing.outcome == "fail":
        with clock.stage("sampling"):
            others = nuts.sampled(problem, log_posterior, map_fit, draws, chains, seed + CONFIRMING_SEED)
            all_finite(others.tree)
        of_others = quantities.of_draws(problem, nuts.canonical(problem, others.tree, groups))
        agreeing = confirmed(agreeing, posterior_agrees(route, exact, met, others.summary, of_others, thresholds))
    with clock.stage("checks"):
        found = [
            same,
            stationary(judged, problem.names, reason),
            best.check,
            map_agrees(problem, map_fit, maximum),
            converged,
            draws_belong(problem, log_posterior, posterior, drawn.tree, map_fit if met else None, (fit, map_fit)),
            agreeing,
            identified(problem, judged, contraction),
        ]
        found.append(standard_errors.standard_errors(problem, log_posterior, (fit, map_fit), judged, table, found))
    reached, summary, reasons = verdict.reach(found, table, fit, problem, circumstances.modes)
    return Judgement(fit, map_fit, posterior, drawn, values, reason, table, found, reached, summary, reasons, problem)


def _thresholds(kind: Scale, points: adequacy.Points, error: float) -> list[float]:
    """Where probabilities of two routes are compared: EM's estimate and interval, else its mode; no draw decides."""
    low, high = wald(kind, points.maximum_likelihood, error)
    ends = [low, points.maximum_likelihood, high] if np.isfinite(error) else [points.best_mode]
    return [end for end in ends if np.isfinite(end)]


def _exactly(exact: ExactPosterior, name: str) -> adequacy.Posterior:
    """Of a quantity with an interval the probabilities beyond its ends, which are the first and last of the thresholds."""
    below = exact.below[name]
    return adequacy.Posterior(exact.means[name], exact.sds[name], *exact.unbounded[name], below[0], 1 - below[-1])


def _points(problem: Problem, fit: Fit, map_fit: Fit, values: dict[str, Floats]) -> dict[str, adequacy.Points]:
    """Every quantity at the maximum of the likelihood, at the mode reached from it, and at the best mode."""
    with failing("em"):
        reached = problem.fit(problem.prior, start=fit.parameters)
    all_fitted(problem, reached)
    at = [quantities.of_parameters(problem, p) for p in (fit.parameters, reached.parameters, map_fit.parameters)]
    return {name: adequacy.Points(at[0][name], at[1][name], at[2][name]) for name in values}


def standard_errors_of(problem: Problem, fit: Fit, judged: Curvature | None, values: Iterable[str]) -> dict[str, float]:
    """EM's standard error of every quantity, NaN where there is none."""
    if judged is None or fit.status == "iteration limit":
        return dict.fromkeys(values, np.nan)
    given_bounds = fit.standard_errors.reason is None
    return quantities.standard_errors(judged, problem.gradients(fit.parameters), given_bounds=given_bounds)
