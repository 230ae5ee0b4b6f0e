"""One simulated data set through the whole pipeline, to one row of a study's table."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm

from comparisons.judgement import Clock, Judgement, judge
from comparisons.study import faults
from comparisons.study.settings import SETTINGS, simulate
from em.climb import ObjectiveDecreased
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
    verdict : of the pipeline, or "raised" where a broken EM ended with an error
    failed, undecided : names of the checks that failed or were inconclusive, in their order
    engine : who the verdict says is at fault
    changed : for a fault, whether it changes anything in these data; "" without a fault
    differing, quantities : how many quantities differ, of how many
    statistics : of every check, ``name=value``
    seconds : of the processor's time it took
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


def judged(setting_name: str, seed: int, fault_name: str = "") -> Row:
    """Simulate, judge with the fault planted, and tell in one row what was found."""
    setting = SETTINGS[setting_name]
    simulated = simulate(setting, seed)
    problem = simulated.problem
    fault = faults.FAULTS[fault_name] if fault_name else None
    began = time.process_time()
    with nullcontext() if fault is None else fault.planted(problem) as plant:
        graph = (*problem.structure, fault.name if fault is not None and fault.own_graph else "")

        def density(model: pm.Model) -> LogPosterior:
            if graph not in _densities:
                _densities[graph] = LogPosterior(model, compiled=True)
            else:
                _densities[graph].take_data(model)
            return _densities[graph]

        found: Judgement | None
        broken: list[Any] = []
        raised = ""
        try:
            broken = [] if fault is None else fault.estimates(problem, seed)
            found = judge(
                problem, seed=seed, draws=DRAWS, chains=CHAINS, clock=Clock(lambda stage: None), density=density
            )
        except (ObjectiveDecreased, FloatingPointError, np.linalg.LinAlgError) as error:
            # A broken EM that stops with an error has been noticed.
            if fault is None or fault.engines[0] != "em":
                raise
            found, raised = None, type(error).__name__
    seconds = time.process_time() - began
    changed = "" if fault is None or plant is None else "yes" if fault.changed(problem, broken, plant, seed) else "no"
    shared = (setting.family, setting.name, seed, fault_name, problem.data.n, round(simulated.separation, 3))
    if found is None:
        return Row(*shared, "raised", raised, "", "em", changed, 0, 0, "", round(seconds, 2))
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
    )
