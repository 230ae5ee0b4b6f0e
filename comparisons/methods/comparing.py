"""One comparison by every method, each held against the posterior: by quadrature where that is exact, else a long run of NUTS."""

from __future__ import annotations

import logging
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from comparisons import DEFAULT_SEED, catalogue, datasets, quantities
from comparisons.declaration import Comparison
from comparisons.engine_failures import EngineFailure
from comparisons.methods import record, shortcuts
from comparisons.methods.record import NOMINAL, SCHEMA_VERSION, Grade, Method, Methods, share_of, share_of_tail
from comparisons.methods.shortcuts import Answer, CameToNothing, Case, Marginal
from comparisons.own import Own, key_of
from comparisons.pipeline import declared_problem
from comparisons.posterior import nuts
from comparisons.problem import Problem
from comparisons.quantity_names import in_prose, listed
from comparisons.results import provenance
from comparisons.results.files import directory_name
from comparisons.results.result import Limits
from comparisons.results.strict_json import number
from comparisons.summary import adequacy
from em.uncertainty.wald import from_scale, on_scale
from models import LogPosterior

# Draws of each chain of the run that all methods are held against.
LONG = 5000
LIMITS = Limits(
    adequacy.SHIFT, adequacy.RATIO, adequacy.TAILS, adequacy.BEYOND, adequacy.SLIGHT_SHARE, adequacy.SLIGHT_SHIFT
)
# From the best to the worst.
GRADES: tuple[Grade, ...] = ("yes", "slightly off", "no")


class NoReference(RuntimeError):
    """A long run of NUTS did not converge, so that there is nothing to hold methods against."""


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """The posterior that methods are held against, of every quantity on the scale on which it has no bounds.

    Attributes
    ----------
    marginals : by quantity
    below : of points by quantity, the posterior probability below each
    effective : draws that this rests on, infinite where there is no Monte Carlo error
    told : what it is
    """

    marginals: dict[str, Marginal]
    below: Callable[[dict[str, list[float]]], dict[str, list[float]]]
    effective: float
    told: str


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
    reference = _reference(case, progress)
    found = []
    for k, name in enumerate(methods, 1):
        progress(f"{name} ({k} of {len(methods)})")
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
    """One method held against the posterior; why, where it came to nothing."""
    began = time.process_time()
    try:
        with _interrupts(), _silent():
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
    told = {
        quantity: each
        for quantity, each in answer.marginals.items()
        if np.isfinite(each.mean) and not np.isnan([each.low, each.high]).any()
    }
    if not told:
        return _nothing(name, "It has no interval, or an estimate at a bound, for every quantity.")
    beyond = _beyond(reference, told)
    means = {q: (each.mean - reference.marginals[q].mean) / reference.marginals[q].sd for q, each in told.items()}
    ratios = {q: each.sd / reference.marginals[q].sd for q, each in told.items() if np.isfinite(each.sd)}
    tails = {q: max(both, key=_share) for q, both in beyond.items()}
    grades = {q: _grade(means[q], ratios.get(q), beyond[q], reference.effective) for q in told}
    mean_of, ratio_of, tail_of = _worst(means, ratios, tails)
    reasons = [answer.reservation] if answer.reservation else []
    if silent := len(answer.marginals) - len(told):
        reasons.append(
            f"It has no interval, or an estimate at a bound, for {silent} of {len(answer.marginals)} quantities."
        )
    good: Grade = max(grades.values(), key=GRADES.index) if not reasons else "no"
    if not reasons and good != "yes":
        off = [q for q in grades if grades[q] == good]
        reasons.append(_off(*({q: of[q] for q in off if q in of} for of in (means, ratios, tails))))
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
        good,
        " ".join(reasons) or None,
    )


def _beyond(reference: Reference, told: dict[str, Marginal]) -> dict[str, tuple[float, float]]:
    """Posterior probability below and above the interval of each quantity."""
    ends = {q: [end for end in (each.low, each.high) if np.isfinite(end)] for q, each in told.items()}
    known = reference.below({q: some for q, some in ends.items() if some})
    found = {}
    for q, each in told.items():
        below = dict(zip(ends[q], known.get(q, []), strict=True))
        # At a bound, which is infinitely far on this scale, nothing is beyond it.
        found[q] = (below.get(each.low, 0.0), 1 - below.get(each.high, 1.0))
    return found


def _grade(mean: float, ratio: float | None, beyond: tuple[float, float], effective: float) -> Grade:
    """As in the verdict, up to two Monte Carlo errors of what it is held against."""
    error = adequacy.BEYOND / np.sqrt(effective)
    low, high = LIMITS.se_ratio
    right = ratio is None or low * (1 - error) <= ratio <= high * (1 + error)
    if abs(mean) <= LIMITS.shift + error and right and all(adequacy.tail_fits(tail, effective) for tail in beyond):
        return "yes"
    least, most = LIMITS.slight_share
    return "slightly off" if least <= 1 - sum(beyond) <= most and abs(mean) <= LIMITS.slight_shift else "no"


def _worst(means: dict[str, float], ratios: dict[str, float], tails: dict[str, float]) -> tuple[str, str, str]:
    """The quantity that is farthest off by its limit in centre, in width, empty where none is known, and in a tail."""
    return (
        max(means, key=lambda q: abs(means[q])),
        max(ratios, key=lambda q: share_of(ratios[q], LIMITS.se_ratio), default=""),
        max(tails, key=lambda q: _share(tails[q])),
    )


def _off(means: dict[str, float], ratios: dict[str, float], tails: dict[str, float]) -> str:
    """The first of centre, width and tails that is off, in the quantity where it is farthest off."""
    mean_of, ratio_of, tail_of = _worst(means, ratios, tails)
    if abs(means[mean_of]) > LIMITS.shift:
        return f"Its mean is {abs(means[mean_of]):.2g} posterior SDs off for the {in_prose(mean_of)}."
    if ratio_of and share_of(ratios[ratio_of], LIMITS.se_ratio) > 1:
        return f"Its SD is {ratios[ratio_of]:.2g} times the posterior's for the {in_prose(ratio_of)}."
    left = f"{tails[tail_of]:.2g} of the posterior beyond one end, not {NOMINAL:g}"
    return f"Its interval leaves {left}, for the {in_prose(tail_of)}."


@contextmanager
def _interrupts() -> Iterator[None]:
    """An interrupt ends the whole, also where a library takes it for its own and goes on with half an answer."""
    usual = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or usual is signal.SIG_IGN:
        yield
        return
    seen = []

    def interrupted(number: int, frame: object) -> None:
        seen.append(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
        if seen:
            raise KeyboardInterrupt


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
    slight = [m.name for m in found if m.good == "slightly off"]
    also = f" Only slightly off: {listed(slight)}." if slight else ""
    good = [m for m in found if m.good == "yes"]
    if not good:
        return f"No method keeps to the limits for every quantity; take the long run.{also}"
    first = min(good, key=lambda m: m.seconds or 0.0)
    rest = [m.name for m in good if m is not first]
    others = f" Others that do: {listed(rest)}." if rest else ""
    quickest = f"{first.name}, in {first.seconds:.2g} s of processor time"
    return f"The quickest that keeps to the limits for every quantity is {quickest}.{others}{also}"


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


def _reference(case: Case, progress: Callable[[str], None]) -> Reference:
    """The posterior by quadrature where that is to be had, else by a long run of NUTS."""
    problem = case.problem
    scales = {name: problem.scale(name) for name in quantities.of_parameters(problem, case.fit.parameters)}

    def exactly(points: dict[str, list[float]]) -> Any:
        return problem.exact({q: [float(from_scale(scales[q], x)) for x in some] for q, some in points.items()})

    progress("the posterior")
    if (exact := exactly({name: [0.0] for name in scales})) is not None:
        marginals = {q: Marginal(mean, sd, np.nan, np.nan) for q, (mean, sd) in exact.unbounded.items()}
        return Reference(
            marginals, lambda points: dict(exactly(points).below), np.inf, "the posterior by quadrature, which is exact"
        )
    progress("long run of NUTS")
    drawn = nuts.sampled(problem, case.density, case.map_fit, LONG, shortcuts.CHAINS, case.seed + 1)
    r_hat = float(drawn.summary["r_hat"].max(skipna=False))
    if not r_hat <= nuts.R_HAT:
        raise NoReference(
            f"the chains of the long run have not met (largest R-hat {r_hat:.3f}), so there is nothing to hold methods against"
        )
    values = shortcuts.of_tree(case, drawn.tree)
    draws = {name: np.sort(on_scale(scales[name], each.ravel())) for name, each in values.items()}
    smallest = float(drawn.summary[["ess_bulk", "ess_tail"]].min().min())
    told = f"{drawn.sampler}, {shortcuts.CHAINS} chains of {values[next(iter(values))].shape[1]} draws"

    def below(points: dict[str, list[float]]) -> dict[str, list[float]]:
        return {q: [float(np.searchsorted(draws[q], x) / len(draws[q])) for x in some] for q, some in points.items()}

    return Reference(
        {name: shortcuts.marginal(each) for name, each in draws.items()},
        below,
        smallest,
        f"{told}, at least {smallest:.0f} effective, largest R-hat {r_hat:.4f}",
    )
