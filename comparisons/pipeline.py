"""One comparison from declaration to result: fit by EM, find PyMC's mode, sample, check, judge, store."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import em
import models
from comparisons import adequacy, catalogue, checks, curves, datasets, provenance, quantities, store, verdict, words
from comparisons.declaration import Comparison, Fitted
from comparisons.engines import TUNE, Parameters, Problem, exchangeable, sample
from comparisons.prior_draws import prior_standard_deviations
from comparisons.result import (
    SCHEMA_VERSION,
    Check,
    Data,
    EMFit,
    ModeFound,
    Provenance,
    Quantity,
    SampledResult,
    Sampler,
    number,
)
from em.curvature import Curvature, curvature
from em.mixture import log_weights, responsibilities
from em.standard_errors import withheld_reason
from models import CoinParameters, CoinTosses, LogPosterior
from models.inputs import Floats

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
# Restarts of EM from draws: the highest and some spread-out ones of each chain.
SPREAD_OUT_DRAWS = 3
# A mode counts as better only with standard deviations in this ratio or closer (Hathaway 1985): below it lie the spurious
# maxima that every Gaussian likelihood has.
MINIMUM_RATIO = 0.25
STORED_DRAWS_CHECKED = 100
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
    problem = Problem.of(comparison, comparison.data(dataset))
    random = np.random.default_rng(seed)

    with clock.stage("EM"):
        fit = problem.fit(None, seed=seed, path=True)
        map_fit = problem.fit(problem.prior, seed=seed)
    with clock.stage("PyMC's mode"):
        density = LogPosterior(problem.model())
        maximum = models.find_map(density, seed=seed)
    with clock.stage("sampling"):
        groups = exchangeable(density.model)
        drawn = _sampled(problem, density, draws, chains, seed)
    with clock.stage("checks"):
        posterior = _canonical(problem, drawn.tree, groups)
        fit, map_fit, best = _best_mode(problem, fit, map_fit, posterior, drawn.tree, seed)
        found = [
            checks.same_density(problem, density, map_fit.parameters, random),
            checks.stationary(fit, _curvature(problem, None, fit), _names(problem)),
            best,
            _map_check(problem, map_fit, maximum),
            checks.sampler_converged(
                drawn.summary, drawn.tree, drawn.label_free, drawn.reruns, sum(m.regular for m in fit.modes)
            ),
            _draws_check(problem, density, drawn.tree),
            checks.posterior_agrees(),
        ]
        prior_sd = prior_standard_deviations(problem, groups, random)
        values = quantities.of_draws(problem, posterior)
        contraction = {n: 1 - float(np.std(v)) / prior_sd[n] for n, v in values.items()}
        judged = _curvature(problem, None, fit)
        found.append(checks.identified(problem, judged, _names(problem), contraction))
        table = _judged(problem, fit, map_fit, judged, values, drawn.summary, seed)
    with clock.stage("figures"):
        fitted_curves = curves.fitted(problem, fit.parameters, posterior)
        surface = _surface(problem, fit, values, table)
    with clock.stage("findings"):
        told = comparison.findings(
            Fitted(
                dataset,
                problem.data,
                fit,
                {q.name: q.posterior.mean or 0.0 for q in table},
                {q.name: q.posterior.sd or 0.0 for q in table},
            )
        )
    reached, summary, reasons = verdict.reach(found, table, fit, problem)
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
        em=_em_fit(problem, fit, map_fit),
        sampler=Sampler(
            SAMPLER, chains, posterior.sizes["draw"], TUNE, drawn.target_accept, drawn.divergences, drawn.reruns
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
        posterior=_tree(problem, posterior, drawn.tree),
    )


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    """Draws that are enough, or all that were tried, with ArviZ's summary of every quantity on canonical draws."""

    tree: xr.DataTree
    summary: Any
    label_free: dict[str, Floats]
    target_accept: float
    reruns: int
    divergences: int


def _sampled(problem: Problem, density: LogPosterior, draws: int, chains: int, seed: int) -> _Drawn:
    """Sample, and again with a stricter target where transitions diverge, or with more draws where chains have not met."""
    targets, factors = list(STRICTER), list(MORE_DRAWS)
    target, factor, reruns = TARGET_ACCEPT, 1, 0
    while True:
        tree = sample(problem, density, draws * factor, chains, seed, target)
        drawn = _described(problem, density, tree, target, reruns)
        if drawn.divergences and targets:
            target = targets.pop(0)
        elif not _enough(drawn.summary) and factors:
            factor = factors.pop(0)
        else:
            return drawn
        reruns += 1


def _enough(summary: Any) -> bool:
    """Whether the chains have met, or have drawn so much that they would have if they could."""
    ess = np.minimum(summary["ess_bulk"], summary["ess_tail"])
    met = bool((summary["r_hat"] <= checks.R_HAT).all() and (ess >= checks.ESS).all())
    return met or bool((ess >= ENOUGH_ESS).all())


def _described(problem: Problem, density: LogPosterior, tree: xr.DataTree, target: float, reruns: int) -> _Drawn:
    import arviz as az

    posterior = _canonical(problem, tree, exchangeable(density.model))
    label_free = {"log_density": np.asarray(tree["sample_stats"]["logp"])}
    every = {**quantities.of_draws(problem, posterior), **label_free}
    summary = az.summary(az.from_dict({"posterior": every}), ci_prob=adequacy.INTERVAL, ci_kind="hdi", round_to="none")
    divergences = int(np.asarray(tree["sample_stats"]["diverging"]).sum())
    return _Drawn(tree, summary, label_free, target, reruns, divergences)


def _canonical(problem: Problem, tree: xr.DataTree, groups: Any) -> xr.Dataset:
    """Draws in canonical order, components and features named as the comparison names them."""
    ordered: xr.Dataset = models.canonical_order(tree, groups)["posterior"].to_dataset()
    names = {"component": list(problem.comparison.components)}
    if problem.comparison.features:
        features = list(problem.comparison.features)
        names |= {"feature": features, "feature_2": features}
    return ordered.assign_coords({dim: values for dim, values in names.items() if dim in ordered.dims})


def _tree(problem: Problem, posterior: xr.Dataset, tree: xr.DataTree) -> xr.DataTree:
    """What is stored: the canonical draws, with the quantities that are no variable of the model, and the statistics."""
    import xarray as xr

    stored = posterior.copy()
    for name, values in quantities.of_draws(problem, posterior).items():
        if "[" not in name and name not in stored:
            stored[name] = (("chain", "draw"), values)
    kept = ["logp", "energy", "diverging", "n_steps", "step_size"]
    statistics = tree["sample_stats"].to_dataset()[kept]
    return xr.DataTree.from_dict({"posterior": stored, "sample_stats": statistics})


def _names(problem: Problem) -> tuple[str, ...]:
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


def _curvature(problem: Problem, prior: Any, fit: em.Fit[Any, Any]) -> Curvature | None:
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


def _best_mode(
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
        gain = _objective(again) - _objective(map_fit)
        if gain > checks.SAME_MAXIMUM and again.status in ("converged", "boundary", "ridge"):
            missed.append((gain, j))
            better_map = max(better_map, again, key=_objective)
        likelier = problem.fit(None, start=start)
        regular = likelier.modes[0].regular and _ratio(likelier.parameters) >= MINIMUM_RATIO
        if regular and likelier.log_likelihood > better.log_likelihood + checks.SAME_MAXIMUM:
            better = likelier
    found_again = False
    if missed:
        second = problem.fit(problem.prior, seed=seed + 1)
        found_again = _objective(second) >= _objective(better_map) - checks.SAME_MAXIMUM
        better_map = second if found_again else better_map
    check = checks.best_mode(missed, found_again, len(starts), best_draw, _objective(better_map))
    return better, better_map, check


def _values(posterior: xr.Dataset, chain: int, draw: int) -> dict[str, Floats]:
    return {str(name): variable.values[chain, draw] for name, variable in posterior.data_vars.items()}


def _objective(fit: em.Fit[Any, Any]) -> float:
    return float(fit.log_likelihood if fit.log_posterior is None else fit.log_posterior)


def _map_check(problem: Problem, map_fit: em.Fit[Any, Any], maximum: models.Maximum) -> Check:
    """Both modes in canonical order, their distance measured by the observed information."""
    mixture: Any = problem.mixture(problem.prior)
    there = problem.from_pymc(maximum.parameters)
    permutation = models.mixtures.canonical_permutation(there.order_keys, mixture.groups)
    step = mixture.to_vector(there.permuted(permutation)) - mixture.to_vector(map_fit.parameters)
    judged = _curvature(problem, problem.prior, map_fit)
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


def _draws_check(problem: Problem, density: LogPosterior, tree: xr.DataTree) -> Check:
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
    return checks.draws_belong(np.array(recorded), np.array(recomputed))


def _judged(
    problem: Problem,
    fit: em.Fit[Any, Any],
    map_fit: em.Fit[Any, Any],
    judged: Curvature | None,
    values: dict[str, Floats],
    summary: Any,
    seed: int,
) -> list[Quantity]:
    """Every quantity judged."""
    mixture = problem.mixture(None)
    if judged is None:
        errors = dict.fromkeys(values, np.nan)
    else:
        errors = quantities.standard_errors(judged, quantities.gradients(problem, mixture, fit.parameters))
    reached = problem.fit(problem.prior, start=fit.parameters, seed=seed)
    at = [quantities.of_parameters(problem, p) for p in (fit.parameters, reached.parameters, map_fit.parameters)]
    reason = None if judged is None else withheld_reason(fit.status, judged, _names(problem))
    return [
        adequacy.judge(
            name,
            adequacy.Points(at[0][name], at[1][name], at[2][name]),
            errors[name],
            values[name],
            summary.loc[name],
            reason,
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

    return curves.surface(problem, log_likelihood, estimate, reach, vary)


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


def _em_fit(problem: Problem, fit: em.Fit[Any, Any], map_fit: em.Fit[Any, Any]) -> EMFit:
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
        standard_error_reason=fit.standard_errors.reason,
        rate=number(fit.rate),
        trace_iterations=kept.tolist(),
        trace=[number(v) for v in fit.trace[kept]],
        path={name: [number(point[name]) for point in path] for name in path[0]},
        modes=modes,
        map_status=map_fit.status,
        map_log_posterior=number(_objective(map_fit)),
    )
