"""One comparison from declaration to result: fit by EM, find PyMC's mode, sample, check, judge, store."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import em
import models
from comparisons import (
    adequacy,
    catalogue,
    checks,
    curves,
    datasets,
    draw_checks,
    evidence,
    provenance,
    quantities,
    sampling,
    second_route,
    store,
    verdict,
    words,
)
from comparisons.declaration import Comparison, Fitted
from comparisons.engines import TUNE, Parameters, Problem, exchangeable
from comparisons.prior_draws import prior_standard_deviations
from comparisons.result import (
    SCHEMA_VERSION,
    Data,
    EMFit,
    ModeFound,
    Provenance,
    Quantity,
    SampledResult,
    Sampler,
    number,
)
from em.curvature import Curvature
from em.standard_errors import withheld_reason
from models import CoinTosses, LogPosterior
from models.inputs import Floats

LONGEST_TRACE = 300


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
    comparison = catalogue.declaration(name)
    dataset = datasets.load(comparison.dataset)
    key = provenance.key(comparison.name, dataset.sha256, {"seed": seed, "draws": draws, "chains": chains})
    directory = None if out is None else Path(out) / name
    if directory is not None and not fresh:
        stored = store.reusable(directory, key)
        if stored is not None:
            fields = {f.name: getattr(stored, f.name) for f in dataclasses.fields(stored)}
            return SampledResult(**fields, posterior=store.read_posterior(directory))
    result = compare(comparison, dataset, key, seed=seed, draws=draws, chains=chains, progress=progress)
    if directory is not None:
        progress("storing")
        store.write(result, directory)
    return result


class _Clock:
    """Seconds by stage."""

    def __init__(self, progress: Callable[[str], None]) -> None:
        self.seconds: dict[str, float] = {}
        self._progress = progress

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self._progress(name)
        began = time.perf_counter()
        yield
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - began, 3)


def compare(
    comparison: Comparison,
    dataset: datasets.Dataset,
    key: str,
    *,
    seed: int,
    draws: int,
    chains: int,
    progress: Callable[[str], None],
) -> SampledResult:
    """Fit, sample, check and judge one declaration on its data."""
    started = datetime.now(UTC)
    clock = _Clock(progress)
    rows = comparison.data(dataset)
    problem = Problem.of(comparison, rows)
    random = np.random.default_rng(seed)

    with clock.stage("EM"):
        fit = problem.fit(None, seed=seed, path=True)
        map_fit = problem.fit(problem.prior, seed=seed)
    with clock.stage("PyMC's mode"):
        density = LogPosterior(problem.model())
        maximum = models.find_map(density, seed=seed)
    with clock.stage("sampling"):
        groups = exchangeable(density.model)
        drawn = sampling.sampled(problem, density, draws, chains, seed)
    with clock.stage("second route"):
        # From EM's own modes, before any draw of the sampler is looked at.
        route = second_route.sample(problem, map_fit, random)
    with clock.stage("checks"):
        posterior = sampling.canonical(problem, drawn.tree, groups)
        fit, map_fit, best = evidence.best_mode(problem, fit, map_fit, posterior, drawn.tree, seed)
        values = quantities.of_draws(problem, posterior)
        judged = evidence.curvature_of(problem, None, fit)
        converged = draw_checks.sampler_converged(
            drawn.summary, drawn.tree, drawn.label_free, drawn.reruns, sum(m.regular for m in fit.modes)
        )
        prior_sd = prior_standard_deviations(problem, groups, random)
        met = converged.outcome == "pass"
        contraction = {n: 1 - float(np.std(v)) / prior_sd[n] for n, v in values.items()} if met else {}
        reason = withheld_reason(fit.status, judged, evidence.names(problem))
        circumstances = adequacy.Circumstances(met, evidence.several_modes(problem, map_fit), reason)
        table = _judged(problem, fit, map_fit, judged, values, drawn.summary, circumstances)
        found = [
            checks.same_density(problem, density, map_fit.parameters, random),
            checks.stationary(fit, judged, evidence.names(problem)),
            best,
            evidence.map_agrees(problem, map_fit, maximum),
            converged,
            evidence.draws_belong(problem, density, drawn.tree),
            draw_checks.posterior_agrees(route, met, drawn.summary, values, {q.name: _thresholds(q) for q in table}),
            checks.identified(problem, judged, evidence.names(problem), contraction),
        ]
    with clock.stage("figures"):
        fitted_curves = curves.fitted(problem, fit.parameters, posterior)
        surface = _surface(problem, fit, values, table)
    with clock.stage("findings"):
        told = comparison.findings(
            Fitted(
                dataset,
                rows,
                fit,
                {q.name: q.posterior.mean or 0.0 for q in table},
                {q.name: q.posterior.sd or 0.0 for q in table},
            )
        )
    reached, summary, reasons = verdict.reach(found, table, fit, problem, circumstances.several_modes)
    return SampledResult(
        schema_version=SCHEMA_VERSION,
        name=comparison.name,
        title=comparison.title,
        question=comparison.question,
        verdict=reached,
        summary=summary,
        reasons=reasons,
        data=_data(problem, dataset),
        model=words.model(problem),
        quantities=table,
        checks=found,
        em=_em_fit(problem, fit, map_fit, reason),
        sampler=Sampler(
            sampling.SAMPLER,
            chains,
            posterior.sizes["draw"],
            TUNE,
            drawn.target_accept,
            drawn.divergences,
            drawn.reruns,
        ),
        curves=fitted_curves,
        surface=surface,
        findings=told,
        seed=seed,
        provenance=Provenance(
            versions=provenance.versions(),
            seed=seed,
            command=f"comparisons run {comparison.name} --seed {seed} --draws {draws} --chains {chains}",
            git_commit=provenance.git_commit(),
            started=started.isoformat(timespec="seconds"),
            seconds=clock.seconds,
            key=key,
        ),
        posterior=sampling.stored(problem, posterior, drawn.tree),
    )


def _thresholds(quantity: Quantity) -> list[float]:
    """Where probabilities of two routes are compared: EM's estimate and interval, else its mode; no draw decides."""
    ends = [v for v in (quantity.em_low, quantity.em, quantity.em_high) if v is not None]
    return ends if quantity.em_se is not None else [v for v in (quantity.map,) if v is not None]


def _judged(
    problem: Problem,
    fit: em.Fit[Any, Any],
    map_fit: em.Fit[Any, Any],
    judged: Curvature | None,
    values: dict[str, Floats],
    summary: Any,
    circumstances: adequacy.Circumstances,
) -> list[Quantity]:
    """Every quantity judged."""
    mixture = problem.mixture(None)
    if judged is None:
        errors = dict.fromkeys(values, np.nan)
    else:
        errors = quantities.standard_errors(judged, quantities.gradients(problem, mixture, fit.parameters))
    reached = problem.fit(problem.prior, start=fit.parameters)
    at = [quantities.of_parameters(problem, p) for p in (fit.parameters, reached.parameters, map_fit.parameters)]
    return [
        adequacy.judge(
            name,
            adequacy.Points(at[0][name], at[1][name], at[2][name]),
            errors[name],
            values[name],
            summary.loc[name],
            circumstances,
        )
        for name in values
    ]


def _surface(problem: Problem, fit: em.Fit[Any, Any], values: dict[str, Floats], table: list[Quantity]) -> Any:
    """The log-likelihood over two quantities, wide enough for the estimate, its path and the draws."""
    estimate = quantities.of_parameters(problem, fit.parameters)
    reach = {}
    for q in table:
        low, high = np.quantile(values[q.name], [0.005, 0.995])
        pad = 0.05 * (high - low)
        low, high = min(low, estimate[q.name]) - pad, max(high, estimate[q.name]) + pad
        if quantities.scale(q.name) == "logit":
            low, high = max(low, 0.0), min(high, 1.0)
        reach[q.name] = (float(low), float(high))

    def vary(changed: dict[str, float]) -> Parameters:
        return words.with_quantities(problem, fit.parameters, changed)

    def log_likelihood(parameters: Parameters) -> float:
        return checks.em_densities(problem, parameters)[0]

    return curves.surface(problem, log_likelihood, reach, vary)


def _data(problem: Problem, dataset: datasets.Dataset) -> Data:
    """Rows as fitted: distinct, with their counts, and with their labels where any is known."""
    data, c = problem.data, problem.comparison
    if isinstance(data, CoinTosses):
        columns = {"heads": data.heads.tolist(), "tosses": data.tosses.tolist()}
    else:
        columns = {name: data.y[:, j].tolist() for j, name in enumerate(c.features)}
    columns["counts"] = data.counts.tolist()
    if (data.labels >= 0).any():
        columns["labels"] = data.labels.tolist()
    return Data(dataset.name, dataset.source, data.n, dataset.sha256, c.description, c.unit, columns)


def _em_fit(problem: Problem, fit: em.Fit[Any, Any], map_fit: em.Fit[Any, Any], reason: str | None) -> EMFit:
    """EM's part of the result, its trace thinned where it is long."""
    last = len(fit.trace) - 1
    kept = np.arange(last + 1)
    if last + 1 > LONGEST_TRACE:
        kept = np.unique(np.rint(np.geomspace(1, last + 1, LONGEST_TRACE)).astype(int) - 1)
    path = [quantities.of_parameters(problem, fit.path[int(k)]) for k in kept]
    modes = [
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
        modes=modes,
        map_status=map_fit.status,
        map_log_posterior=number(evidence.objective(map_fit)),
    )
