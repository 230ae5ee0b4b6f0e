"""One comparison by every method, each held against a long run of NUTS."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from comparisons import DEFAULT_SEED, catalogue, datasets
from comparisons.declaration import Comparison
from comparisons.engine_failures import EngineFailure
from comparisons.methods import record, shortcuts
from comparisons.methods.record import SCHEMA_VERSION, Method, Methods, share_of, share_of_tail
from comparisons.methods.shortcuts import Answer, CameToNothing, Case, Marginal
from comparisons.own import Own, key_of
from comparisons.pipeline import declared_problem
from comparisons.posterior import nuts
from comparisons.problem import Problem
from comparisons.quantity_names import listed
from comparisons.results import provenance
from comparisons.results.files import directory_name
from comparisons.results.result import Limits
from comparisons.results.strict_json import number
from comparisons.summary import adequacy
from em.uncertainty.wald import on_scale
from models import LogPosterior
from models.inputs import Floats

# Draws of each chain of the run that all methods are held against.
LONG = 5000
LIMITS = Limits(adequacy.SHIFT, adequacy.RATIO, adequacy.TAILS, adequacy.BEYOND)


class NoReference(RuntimeError):
    """A long run of NUTS did not converge, so that there is nothing to hold methods against."""


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """The long run: draws of every quantity, on the scale on which it has no bounds, ascending, with their moments."""

    draws: dict[str, Floats]
    marginals: dict[str, Marginal]
    told: str

    def beyond(self, name: str, each: Marginal) -> tuple[float, float]:
        """Posterior probability below and above an interval."""
        draws = self.draws[name]
        below, not_above = np.searchsorted(draws, [each.low, each.high]) / len(draws)
        return float(below), float(1 - not_above)


def compare(
    asked: str | Own[Comparison],
    *,
    seed: int = DEFAULT_SEED,
    out: Path | str | None = None,
    progress: Callable[[str], None] = lambda stage: None,
    command: str = "",
    methods: Sequence[str] = tuple(shortcuts.METHODS),
) -> Methods:
    """Find the posterior of a comparison by every method.

    Parameters
    ----------
    asked : one of those in ``comparisons list``, or own data as `comparisons.own.declared` reads them
    seed : of all random numbers
    out : directory in which ``<name>/methods.json`` is stored; None writes nothing
    progress : called with the method that is at work
    command : that asked for it; where empty it was Python
    methods : those to try, of `shortcuts.METHODS`

    Raises
    ------
    comparisons.catalogue.UnknownComparison
        No comparison has this name.
    NoReference
        The chains of the long run have not met.
    """
    started, began = datetime.now(UTC), time.perf_counter()
    if isinstance(asked, str):
        comparison, own = catalogue.declared(asked), {}
        dataset = datasets.load(comparison.dataset)
    else:
        comparison, dataset, own = asked.comparison, asked.dataset, {"told": key_of(asked)}
    case = _case(declared_problem(comparison, comparison.data(dataset)), seed)
    progress("long run of NUTS")
    reference = _reference(case)
    found = []
    for name in methods:
        progress(name)
        found.append(tried(name, case, reference))
    told = command or "comparisons.methods.comparing.compare, in Python"
    compared = Methods(
        schema_version=SCHEMA_VERSION,
        name=comparison.name,
        title=comparison.title,
        n=case.problem.n,
        data_sha256=dataset.sha256,
        reference=reference.told,
        limits=LIMITS,
        methods=found,
        conclusion=conclusion(found),
        provenance=provenance.made(
            f"{told} --seed {seed}",
            seed,
            started,
            {"all": round(time.perf_counter() - began, 3)},
            provenance.key(comparison.name, dataset.sha256, {"methods": list(methods), "seed": seed, **own}),
        ),
    )
    if out is not None:
        record.write(compared, Path(out) / directory_name(comparison.name))
    return compared


def tried(name: str, case: Case, reference: Reference) -> Method:
    """One method held against the long run; why, where it came to nothing."""
    began = time.process_time()
    try:
        with _silent():
            answer = shortcuts.METHODS[name](case)
    except (CameToNothing, EngineFailure) as error:
        return _nothing(name, str(error))
    except Exception as error:  # of whatever library: a failure is an answer too
        return _nothing(name, f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
    seconds = time.process_time() - began + case.seconds.get(shortcuts.BEGINS_AT.get(name, ""), 0.0)
    per_second = None
    if answer.chains is not None:
        summary = nuts.summarised(answer.chains)
        per_second = float(summary[["ess_bulk", "ess_tail"]].min().min()) / seconds
    return held_against(name, answer, reference, seconds, per_second)


def held_against(
    name: str, answer: Answer, reference: Reference, seconds: float, per_second: float | None = None
) -> Method:
    """The worst of every number over all quantities; a quantity of which the method says nothing is a failure of it."""
    means, ratios, tails = {}, {}, {}
    silent = []
    for quantity, each in answer.marginals.items():
        right = reference.marginals[quantity]
        if not np.isfinite(each.mean) or np.isnan([each.low, each.high]).any():
            silent.append(quantity)
            continue
        means[quantity] = (each.mean - right.mean) / right.sd
        if np.isfinite(each.sd):
            ratios[quantity] = each.sd / right.sd
        tails[quantity] = max(reference.beyond(quantity, each), key=_share)
    if not means:
        return _nothing(name, "It has no interval, or an estimate at a bound, for every quantity.")
    mean_of = max(means, key=lambda q: abs(means[q]))
    ratio_of = max(ratios, key=lambda q: share_of(ratios[q], LIMITS.se_ratio), default="")
    tail_of = max(tails, key=lambda q: _share(tails[q]))
    kept = (
        abs(means[mean_of]) <= LIMITS.shift
        and (not ratio_of or LIMITS.se_ratio[0] <= ratios[ratio_of] <= LIMITS.se_ratio[1])
        and LIMITS.tail[0] <= tails[tail_of] <= LIMITS.tail[1]
    )
    reasons = [answer.reservation] if answer.reservation else []
    if silent:
        reasons.append(
            f"It has no interval, or an estimate at a bound, for {len(silent)} of {len(answer.marginals)} quantities."
        )
    return Method(
        name,
        number(means[mean_of]),
        mean_of,
        number(ratios[ratio_of]) if ratio_of else None,
        ratio_of,
        number(tails[tail_of]),
        tail_of,
        round(seconds, 3),
        number(per_second) if per_second is not None else None,
        bool(kept and not reasons),
        " ".join(reasons) or None,
    )


@contextmanager
def _silent() -> Iterator[None]:
    """Nothing of what a library tells or warns of on its way: its answer is looked at."""
    logger = logging.getLogger("pymc")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def conclusion(found: Sequence[Method]) -> str:
    """Which methods would have been good enough, and which of those is the quickest."""
    good = sorted((m for m in found if m.good), key=lambda m: m.seconds or 0.0)
    if not good:
        return "No method keeps to the limits for every quantity; take the long run."
    first, rest = good[0], good[1:]
    told = f"The quickest that keeps to the limits for every quantity is {first.name}, {first.seconds:.3g} s of the processor"
    return f"{told}{f'; so do {listed([m.name for m in rest])}' if rest else ''}."


def _share(tail: float) -> float:
    return share_of_tail(tail, LIMITS)


def _nothing(name: str, reason: str) -> Method:
    return Method(name, None, "", None, "", None, "", None, None, None, reason)


def _case(problem: Problem, seed: int) -> Case:
    """Both fits by EM and the density of PyMC, as a comparison has them."""
    began = time.process_time()
    fit = problem.fit(None, seed=seed)
    fitted = time.process_time()
    map_fit = problem.fit(problem.prior, seed=seed)
    at_mode = time.process_time()
    problem = problem.ordered_by(map_fit.parameters).sampled_near(fit.parameters, map_fit.parameters)
    density = LogPosterior(problem.model(), compiled=True)
    modelled = time.process_time()
    assert density.code.address, "machine code is found or made by whoever asks for it"
    seconds = {"fit": fitted - began, "mode": at_mode - fitted, "code": time.process_time() - modelled}
    return Case(problem, density, problem.relabelled(fit), problem.relabelled(map_fit), seed, seconds)


def _reference(case: Case) -> Reference:
    drawn = nuts.sampled(case.problem, case.density, case.map_fit, LONG, shortcuts.CHAINS, case.seed + 1)
    r_hat = float(drawn.summary["r_hat"].max(skipna=False))
    if not r_hat <= nuts.R_HAT:
        raise NoReference(
            f"the chains of the long run have not met (largest R-hat {r_hat:.3f}), so there is nothing to hold methods against"
        )
    values = shortcuts.of_tree(case, drawn.tree)
    draws = {name: np.sort(on_scale(case.problem.scale(name), each.ravel())) for name, each in values.items()}
    smallest = float(drawn.summary[["ess_bulk", "ess_tail"]].min().min())
    told = f"{drawn.sampler}, {shortcuts.CHAINS} chains of {values[next(iter(values))].shape[1]} draws"
    return Reference(
        draws,
        {name: shortcuts.marginal(each) for name, each in draws.items()},
        f"{told}, at least {smallest:.0f} effective, largest R-hat {r_hat:.4f}",
    )
