"""One audit of a pair of the house, to one row of the table."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from comparisons.auditing.steps import audited
from comparisons.pair import Pair, Values
from comparisons.pairs import own
from comparisons.study import faults, settings
from comparisons.study.audits import programs, slips
from comparisons.study.audits.house import House
from comparisons.study.setting import Setting, simulate
from models.inputs import Floats

SLIPS = {slip.name: slip for slip in slips.SUBTLE}
# Responsibilities from which a step is made to see whether a slip changes anything, and by what share of itself.
TRIED, CHANGED = 3, 1e-7
# Audits of right steps for one of each fault in each population.
RIGHT_FOR_ONE = 1000


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One audit.

    Attributes
    ----------
    family, setting, seed, fault : what to give `audit_of` to have it again; no fault is ""
    form : whether the pair has its steps in one function or in two
    changed : whether the fault changes anything in these data, by a rule that knows nothing of the audit; "" without one
    step : that has to be named, empty where nothing may be
    named, parameter, slip, size : of the first finding, empty where there is none
    findings : how many there are
    compiling, seconds : of the processor's time until the pair was ready, and of the audit
    told : the first finding as printed, or the error where the audit ended with one
    commit : of the sources that made the row
    """

    family: str
    setting: str
    seed: int
    fault: str
    form: str
    changed: str
    step: str
    named: str
    parameter: str
    slip: str
    size: float
    findings: int
    compiling: float
    seconds: float
    told: str
    commit: str = ""

    @property
    def right(self) -> bool:
        """Whether the step was named, or nothing where nothing is wrong."""
        return self.named == self.step


def setting_of(name: str) -> Setting:
    """A population, with every wait watched to its end: of one that is cut short the rest is latent too, which no mixture has."""
    setting: Any = settings.SETTINGS[name]
    return cast(Setting, replace(setting, watched=np.inf) if hasattr(setting, "watched") else setting)


def expressed(name: str) -> bool:
    """Whether a plain program says the model of the population."""
    setting = setting_of(name)
    if setting.covariance not in ("full", "own") or getattr(setting, "missing", False):
        return False
    problem = simulate(setting, 0).problem
    # The program's weights are the same for all rows.
    gated = int(getattr(problem.data, "n_concomitants", 0)) > 0
    return programs.expressed(problem.prior) and not gated


def planned(replicates: int) -> list[tuple[str, str, int]]:
    """Populations, faults planted in them, and how many audits of each; so many of right steps in all families alike."""
    audited = [name for name in settings.SETTINGS if expressed(name)]
    of_family = {family: [n for n in audited if setting_of(n).family == family] for family in settings.PARTS}
    found = []
    for family, names in of_family.items():
        found += [(name, "", -(-replicates // (len(settings.PARTS) * len(names)))) for name in names]
        first = settings.PARTS[family].PLANTED[0].name
        labelled = next(name for name in names if setting_of(name).labelled)
        subtle = [(labelled if slip.labelled else first, slip.name) for slip in slips.SUBTLE]
        of_studies = [
            (name, fault) for fault in slips.PLANTED for name in names if name in faults.FAULTS[fault].settings
        ]
        found += [(name, fault, -(-replicates // RIGHT_FOR_ONE)) for name, fault in (*subtle, *of_studies)]
    return [each for each in found if setting_of(each[0]).weights == "free" or not each[1]]


def audit_of(setting_name: str, seed: int, fault: str = "") -> AuditRow:
    """Simulate, audit with the fault planted, and tell in one row what was found."""
    setting = setting_of(setting_name)
    problem = simulate(setting, seed).problem
    # Right steps are tried in either form.
    whole = fault in slips.PLANTED or (not fault and seed % 2 == 1)
    random, sound = np.random.default_rng(seed), House.of(problem)
    start, *points = (sound.start(random) for _ in range(1 + TRIED))
    before = _steps(sound.pair(start, whole=whole), points)
    house = House.of(problem)
    with faults.FAULTS[fault].planted(problem) if fault in slips.PLANTED else nullcontext():
        broken = SLIPS[fault].broken(house) if fault in SLIPS else {}
        pair = house.pair(start, whole=whole, **broken)
        elsewhere = {"start", "stop", "log_likelihood"} & set(broken)
        changed = "" if not fault else "yes" if elsewhere or _differ(before, _steps(pair, points)) else "no"
        began = time.process_time()
        named, told, compiling = _found(pair, seed)
        seconds = time.process_time() - began - compiling
    step = "" if not fault else slips.PLANTED[fault] if fault in slips.PLANTED else SLIPS[fault].step
    form = "one function" if whole else "two functions"
    numbers = (round(compiling, 2), round(seconds, 2), told)
    return AuditRow(setting.family, setting.name, seed, fault, form, changed, step, *named, *numbers)


def _found(pair: Pair, seed: int) -> tuple[tuple[str, str, str, float, int], str, float]:
    """The first finding, what is told, and seconds until the pair was ready; an audit that ends with an error has crashed."""
    began = time.process_time()
    ready = began
    try:
        problem = own.declared(pair, audited=True, name="audit").problem
        ready = time.process_time()
        found = audited(problem, seed).findings
    except (ArithmeticError, AssertionError, LookupError, RuntimeError, TypeError, ValueError) as error:
        return ("crashed", "", "", 0.0, 0), f"{type(error).__name__}: {' '.join(str(error).split())}", ready - began
    if not found:
        return ("", "", "", 0.0, 0), "", ready - began
    first = found[0]
    return (first.step, first.parameter, first.slip, first.size, len(found)), str(first), ready - began


def _steps(pair: Pair, points: list[Values]) -> list[Floats]:
    """What the pair's steps give from a few points."""
    found = []
    for at in points:
        for prior in (False, True):
            if pair.em_step is not None:
                after = pair.em_step(**at, prior=prior)
            else:
                assert pair.e_step is not None
                assert pair.m_step is not None
                after = pair.m_step(pair.e_step(**at), prior=prior)
            found += after.values()
    return found


def _differ(before: list[Floats], after: list[Floats]) -> bool:
    return not all(np.allclose(a, b, rtol=CHANGED, atol=0) for a, b in zip(before, after, strict=True))
