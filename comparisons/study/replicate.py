"""One simulated data set through the whole pipeline, to one row of a study's table."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import pymc as pm

from comparisons import quantities
from comparisons.capabilities import Parameters
from comparisons.judgement import Clock, Judgement, judge
from comparisons.results.result import Check
from comparisons.results.strict_json import Number
from comparisons.study import faults
from comparisons.study.setting import simulate
from comparisons.study.settings import SETTINGS
from models import LogPosterior

DRAWS, CHAINS = 1000, 4

# Compiling is most of the time and data are no part of the graph: one for each structure, graph and process.
_densities: dict[tuple[Any, ...], LogPosterior] = {}


@dataclass(frozen=True, slots=True)
class Row:
    """One replicate.

    Attributes
    ----------
    family, setting, seed, fault : what to give `judged` to have it again; no fault is ""
    n, separation : rows, and the smallest distance of two components in sd of a row
    verdict : of the pipeline, or "crashed" where it ended with an error
    failed, undecided : names of the checks that failed or were inconclusive, in their order
    engine : who the verdict says is at fault
    changed : for a fault, whether it changes anything in these data; "" without a fault
    differing, quantities : how many quantities differ, of how many
    statistics : of every check, ``name=value``
    seconds : of the processor's time it took
    reason : what the first check that failed or was inconclusive says, where the verdict is neither agree nor differ; or
        the error
    commit : of the sources that made the row
    intervals : without a fault, of every quantity ``degree:em:posterior:name``: how far it differs (or "agree", "inconclusive"),
        and whether EM's and the posterior's interval hold the truth, 1 or 0, ``-`` where there is none
    """

    family: str
    setting: str
    seed: int
    fault: str
    n: int
    separation: float
    verdict: str
    failed: str
    undecided: str
    engine: str
    changed: str
    differing: int
    quantities: int
    statistics: str
    seconds: float
    reason: str = ""
    commit: str = ""
    intervals: str = ""


def crashed(setting_name: str, seed: int, fault: str, error: str) -> Row:
    """A row of a replicate that ended with an error: a fault that does so has not been found, it is only not hidden."""
    setting = SETTINGS[setting_name]
    simulated = simulate(setting, seed)
    return Row(
        setting.family, setting.name, seed, fault, simulated.problem.data.n, round(simulated.separation, 3),
        "crashed", "", "", "", "yes" if fault else "", 0, 0, "", 0.0, " ".join(error.split()),
    )  # fmt: skip


def judged(setting_name: str, seed: int, fault_name: str = "") -> Row:
    """Simulate, judge with the fault planted, and tell in one row what was found."""
    setting = SETTINGS[setting_name]
    simulated = simulate(setting, seed)
    problem = simulated.problem
    fault = faults.FAULTS[fault_name] if fault_name else None
    began = time.process_time()
    with nullcontext() if fault is None else fault.planted(problem) as plant:
        if fault is not None and fault.shared:
            # What both engines share is at work before either of them is.
            problem = simulate(setting, seed).problem
        graph = (*problem.structure, fault.name if fault is not None and fault.own_graph else "")

        def density(model: pm.Model) -> LogPosterior:
            if graph not in _densities:
                _densities[graph] = LogPosterior(model, compiled=True)
            else:
                _densities[graph].take_data(model)
            return _densities[graph]

        broken = [] if fault is None else fault.estimates(problem, seed)
        found = judge(problem, seed=seed, draws=DRAWS, chains=CHAINS, clock=Clock(lambda stage: None), density=density)
    seconds = time.process_time() - began
    changed = "" if fault is None or plant is None else "yes" if fault.changed(problem, broken, plant, seed) else "no"
    shared = (setting.family, setting.name, seed, fault_name, problem.data.n, round(simulated.separation, 3))
    failed = [c for c in found.checks if c.outcome == "fail" and c.name != "identified"]
    undecided = [c for c in found.checks if c.outcome == "inconclusive"]
    engine = next((c.engine for c in [*failed, *undecided] if c.engine), None)
    return Row(
        *shared,
        found.verdict,
        " ".join(c.name for c in failed),
        " ".join(c.name for c in undecided),
        engine or "",
        changed,
        sum(q.verdict == "differ" for q in found.quantities),
        len(found.quantities),
        " ".join(f"{c.name}={c.statistic:.4g}" for c in found.checks if c.statistic is not None),
        round(seconds, 2),
        _reason(found, [*failed, *undecided]),
        intervals="" if fault else _intervals(found, simulated.truth),
    )


def _intervals(found: Judgement, parameters: Parameters) -> str:
    """Which intervals hold the truth, by the degree that the verdict gives the quantity."""
    # The judgement has chosen an order of the components: the truth is read in the same one.
    truth = quantities.of_parameters(found.problem, found.problem.in_order(parameters))

    def held(low: Number, high: Number, value: float) -> str:
        return "-" if low is None or high is None else str(int(low <= value <= high))

    return ";".join(
        f"{q.degree or q.verdict}:{held(q.em_low, q.em_high, truth[q.name])}"
        f":{held(q.posterior.hdi_low, q.posterior.hdi_high, truth[q.name])}:{q.name}"
        for q in found.quantities
        if q.name in truth
    )


def _reason(found: Judgement, checks: list[Check]) -> str:
    """What stands in the way of a conclusion, in a line."""
    if found.verdict in ("agree", "differ"):
        return ""
    return " ".join((checks[0].explanation if checks else " ".join(found.reasons)).split())
