"""One comparison from declaration to result: fit by EM, find PyMC's mode, sample, check, judge, store."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from comparisons import catalogue, datasets, families, quantities
from comparisons.capabilities import Parameters
from comparisons.checks.best_mode import objective
from comparisons.checks.evidence import modes
from comparisons.declaration import Comparison, Declaration, Fitted
from comparisons.engine_failures import EngineFailure
from comparisons.families.mixtures import MixtureProblem
from comparisons.judgement import Clock, judge
from comparisons.labels import label_free
from comparisons.model_fit import model_checks
from comparisons.pair import PairDeclaration
from comparisons.pairs.making import problem_of
from comparisons.posterior.nuts import TARGET_ACCEPT, TUNE, nothing_drawn, stored
from comparisons.problem import Fit, Problem
from comparisons.results import provenance, store
from comparisons.results.files import check_writable, directory_name
from comparisons.results.result import (
    SCHEMA_VERSION,
    Data,
    EMFit,
    Limits,
    ModeFound,
    Provenance,
    Quantity,
    Sampler,
)
from comparisons.results.strict_json import number
from comparisons.sampled import SampledResult
from comparisons.settings import NUTS, REUSED, checked_settings
from comparisons.summary import adequacy, curves, profiles, verdict
from em.ascent.arrival import CHANGE
from models import LogPosterior
from models.inputs import Floats

LONGEST_TRACE = 300
NO_COMPONENTS = "Not applicable. The model is no mixture of rows, whose memberships could be compared."
NOT_JUDGED = "Not applicable. An engine stopped with an error, so there are no two fits to look at."


def run(
    name: str,
    out: Path | str | None = None,
    *,
    seed: int,
    draws: int,
    chains: int,
    fresh: bool,
    progress: Callable[[str], None],
) -> SampledResult:
    """Run one comparison of the catalogue; see `comparisons.run`."""
    comparison = catalogue.declared(name)
    dataset = datasets.load(comparison.dataset)
    return run_declared(comparison, dataset, out, seed=seed, draws=draws, chains=chains, fresh=fresh, progress=progress)


def run_declared(
    comparison: Declaration,
    dataset: datasets.Dataset,
    out: Path | str | None,
    *,
    seed: int,
    draws: int,
    chains: int,
    fresh: bool,
    progress: Callable[[str], None],
    told: str = "",
    command: str = "",
) -> SampledResult:
    """Run one comparison, or take its stored result; ``told`` is what decides a declaration that stands in no source file."""
    checked_settings(seed, draws, chains)
    settings = {"seed": seed, "draws": draws, "chains": chains, **({"told": told} if told else {})}
    key = provenance.key(comparison.name, dataset.sha256, settings)
    directory = None if out is None else Path(out) / directory_name(comparison.name)
    if directory is not None and not fresh:
        stored = store.reusable(directory, key)
        if stored is not None:
            store.end_run(directory)
            progress(REUSED)
            fields = {f.name: getattr(stored, f.name) for f in dataclasses.fields(stored)}
            return SampledResult(**fields, posterior=store.read_posterior(directory))
    if directory is not None:
        check_writable(directory)
        store.begin_run(comparison.name, directory)
    result = compare(
        comparison, dataset, key, seed=seed, draws=draws, chains=chains, progress=progress, command=command
    )
    if directory is not None:
        progress("storing")
        store.write(result, directory)
    return result


def compare(
    comparison: Declaration,
    dataset: datasets.Dataset,
    key: str,
    *,
    seed: int,
    draws: int,
    chains: int,
    progress: Callable[[str], None],
    command: str = "",
) -> SampledResult:
    """Fit, sample, check and judge one declaration on its data.

    Raises
    ------
    TypeError, ValueError
        for settings, data or a prior that do not fit, before anything is fitted
    """
    checked_settings(seed, draws, chains)
    rows = comparison.data(dataset)
    problem = declared_problem(comparison, rows)
    settings = {"seed": seed, "draws": draws, "chains": chains}
    return compared(problem, rows, dataset, key, **settings, progress=progress, command=command)


def compared(
    problem: Problem,
    rows: Any,
    dataset: datasets.Dataset,
    key: str,
    *,
    seed: int,
    draws: int,
    chains: int,
    progress: Callable[[str], None],
    command: str = "",
) -> SampledResult:
    """Fit, sample, check and judge one problem, which has these rows of the data set; see `compare`."""
    started = datetime.now(UTC)
    clock = Clock(progress)
    comparison = problem.comparison
    judged = judge(
        problem, seed=seed, draws=draws, chains=chains, clock=clock, density=partial(LogPosterior, compiled=True)
    )
    problem = judged.problem
    begun = SampledResult(
        schema_version=SCHEMA_VERSION,
        name=comparison.name,
        title=comparison.title,
        question=comparison.question,
        verdict=judged.verdict,
        summary=judged.summary,
        advice=verdict.advice(judged.verdict, judged.quantities, judged.checks),
        reasons=judged.reasons,
        data=_data(problem, dataset),
        model=problem.in_words(),
        quantities=judged.quantities,
        checks=judged.checks,
        em=_em_fit(problem, judged.fit, judged.map_fit, judged.withheld),
        sampler=Sampler(NUTS, chains, 0, TUNE, TARGET_ACCEPT, 0, 0),
        curves=[],
        surface=None,
        model_checks=model_checks.not_made(NOT_JUDGED),
        labels=label_free.not_compared(NOT_JUDGED),
        findings=[],
        seed=seed,
        provenance=_provenance(comparison, command, key, clock, started, seed=seed, draws=draws, chains=chains),
        limits=Limits(
            adequacy.SHIFT,
            adequacy.RATIO,
            adequacy.TAILS,
            adequacy.BEYOND,
            adequacy.SLIGHT_SHARE,
            adequacy.SLIGHT_SHIFT,
        ),
        posterior=nothing_drawn(),
    )
    fit, map_fit, posterior, drawn = judged.fit, judged.map_fit, judged.posterior, judged.drawn
    if fit is None or map_fit is None or posterior is None or drawn is None:
        return begun
    known_modes = modes(problem, map_fit)
    table, reached, fits = judged.quantities, judged, begun.model_checks
    with clock.stage("profile intervals"):
        try:
            table = profiles.with_profiles(problem, fit, table, judged.values)
        except EngineFailure as failure:
            reached = reached.with_failure(failure.check)
    with clock.stage("figures"):
        fitted_curves = curves.fitted(problem, fit.parameters, posterior)
        surface = _surface(problem, fit, judged.values, table)
    with clock.stage("model checks"):
        converged = all(c.outcome == "pass" for c in judged.checks if c.name == "sampler-converged")
        try:
            fits = model_checks.model_checks(problem, fit, posterior, converged, seed, several=known_modes == "several")
        except EngineFailure as failure:
            reached = reached.with_failure(failure.check)
    with clock.stage("labels"):
        told_apart = label_free.not_compared(NO_COMPONENTS)
        if isinstance(problem, MixtureProblem):
            told_apart = label_free.compare(problem, fit, posterior, np.random.default_rng(seed))
            free = verdict.label_free(problem.comparison.components, table, told_apart)
            if free is not None and reached.verdict == "differ":
                if verdict.mixes(told_apart) and any(q.degree in ("marked", "no interval") for q in table):
                    _, summary, reasons = verdict.reach(reached.checks, table, fit, problem, known_modes, mixed=True)
                    table = verdict.without_numbers(table, free)
                    reached = dataclasses.replace(reached, summary=summary, reasons=reasons)
                labels_told = verdict.of_labels(free, told_apart)
                reached = dataclasses.replace(reached, reasons=[*reached.reasons, labels_told])
    with clock.stage("findings"):
        told = comparison.findings(
            Fitted(
                dataset,
                rows,
                fit,
                {q.name: q.mean or 0.0 for q in table},
                {q.name: q.sd or 0.0 for q in table},
            )
        )
    return dataclasses.replace(
        begun,
        verdict=reached.verdict,
        summary=reached.summary,
        advice=verdict.advice(reached.verdict, table, reached.checks),
        reasons=reached.reasons,
        quantities=table,
        checks=reached.checks,
        sampler=Sampler(
            drawn.sampler,
            chains,
            posterior.sizes["draw"],
            drawn.tune,
            drawn.target_accept,
            drawn.divergences,
            drawn.reruns,
        ),
        curves=fitted_curves,
        surface=surface,
        model_checks=fits,
        labels=told_apart,
        findings=told,
        provenance=_provenance(comparison, command, key, clock, started, seed=seed, draws=draws, chains=chains),
        posterior=stored(problem, posterior, drawn.tree),
    )


def _provenance(
    comparison: Declaration,
    command: str,
    key: str,
    clock: Clock,
    started: datetime,
    *,
    seed: int,
    draws: int,
    chains: int,
) -> Provenance:
    command = command or f"comparisons run {shlex.quote(comparison.name)}"
    if command.startswith("comparisons.compare("):
        command = f"{command[:-1]}, seed={seed}, draws={draws}, chains={chains})"
    else:
        command = f"{command} --seed {seed} --draws {draws} --chains {chains}"
    return provenance.made(command, seed, started, clock.seconds, key)


def _surface(problem: Problem, fit: Fit, values: dict[str, Floats], table: list[Quantity]) -> Any:
    """The log-likelihood over two quantities, wide enough for the estimate, its path and the draws."""
    estimate = quantities.of_parameters(problem, fit.parameters)
    reach = {}
    for q in table:
        low, high = np.quantile(values[q.name], [0.005, 0.995])
        pad = 0.05 * (high - low)
        low, high = min(low, estimate[q.name]) - pad, max(high, estimate[q.name]) + pad
        if problem.scale(q.name) != "identity":
            low = max(low, 0.0)
        if problem.scale(q.name) == "logit":
            high = min(high, 1.0)
        reach[q.name] = (float(low), float(high))

    def vary(changed: dict[str, float]) -> Parameters:
        return problem.varied(fit.parameters, changed)

    return curves.surface(problem, problem.heights(), reach, vary)


def structure(name: str) -> tuple[Any, ...]:
    """What decides the PyMC graph of a comparison of the catalogue."""
    comparison = catalogue.declared(name)
    if isinstance(comparison, PairDeclaration):
        return (comparison.name,)
    assert isinstance(comparison, Comparison)
    return families.problem(comparison, comparison.data(datasets.load(comparison.dataset))).structure


def declared_problem(comparison: Declaration, rows: Any) -> Problem:
    """What a comparison declares of these rows, a mixture or a pair of an EM and a program."""
    if isinstance(comparison, PairDeclaration):
        return problem_of(comparison, rows)
    assert isinstance(comparison, Comparison)
    return families.problem(comparison, rows)


def _data(problem: Problem, dataset: datasets.Dataset) -> Data:
    c = problem.comparison
    return Data(
        dataset.name,
        dataset.source,
        problem.n,
        dataset.sha256,
        c.description,
        c.unit,
        problem.observed(),
        dict(c.units),
    )


def _em_fit(problem: Problem, fit: Fit | None, map_fit: Fit | None, reason: str | None) -> EMFit:
    """EM's part of the result, its trace thinned where it is long; nothing but that where EM stopped before its end."""
    if fit is None:
        return EMFit("stopped", 0, None, "EM stopped with an error", None, [], [], {}, [], "stopped", None)
    last = len(fit.trace) - 1
    kept = np.arange(last + 1)
    if last + 1 > LONGEST_TRACE:
        kept = np.unique(np.rint(np.geomspace(1, last + 1, LONGEST_TRACE)).astype(int) - 1)
    path = [quantities.of_parameters(problem, fit.path[int(k)]) for k in kept]
    found = [
        ModeFound(
            float(m.log_likelihood),
            m.starts,
            m.regular,
            {n: number(v) for n, v in quantities.of_parameters(problem, m.parameters).items()},
        )
        for m in fit.modes
        if np.isfinite(m.log_likelihood)
    ]
    return EMFit(
        status=fit.status,
        iterations=fit.iterations,
        log_likelihood=number(fit.log_likelihood),
        standard_error_reason=reason,
        rate=number(fit.rate),
        trace_iterations=kept.tolist(),
        trace=[number(v) for v in fit.trace[kept]],
        path={name: [number(point[name]) for point in path] for name in path[0]},
        modes=found,
        map_status="stopped" if map_fit is None else map_fit.status,
        map_log_posterior=None if map_fit is None else number(objective(map_fit)),
        doubts=problem.doubts(fit),
        stop_change=CHANGE if isinstance(problem, MixtureProblem) else None,
    )
