"""The tables of the studies as a page with figures, and the rates that the reports quote.

Beside the directory of the tables stands a page of the same name (``docs/calibration`` and ``docs/calibration.md``). It is
written again after every study from whatever tables are there, each with the command that made it.
"""

from __future__ import annotations

import csv
import json
import shlex
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from comparisons.results.files import write_text
from comparisons.study import faults, figures, rates
from comparisons.study.audits import slips
from comparisons.study.audits import table as audits
from comparisons.study.audits.row import CHANGED
from comparisons.study.calibration import FAULTS as CALIBRATION_FAULTS
from comparisons.study.campaign import REPLICATES, Study, plan
from comparisons.study.fault import SAME_HEIGHT
from comparisons.study.rates import CalibrationRates, CleanRates, CurvePoint, DegreeRates, FaultRates, NotReached, Rate
from comparisons.study.settings import SETTINGS

RATES = "rates.json"
# Faults that leave no trace in any output of a whole run, and the tests of one step that find them.
ONE_STEP = (
    (
        "The variance is taken about the old mean.",
        "test_gaussians.test_one_em_step_is_the_brute_force_step",
        "A valid generalised EM, with the same end.",
    ),
    (
        "The log-likelihood is from before the last M-step.",
        "test_mixtures.test_the_last_entry_of_the_trace_belongs_to_the_parameters_returned",
        "Where EM has converged both are equal.",
    ),
    (
        "A chain in canonical order is relabelled.",
        "test_mixtures.test_canonical_order_permutes_within_exchangeable_components_only",
        "The posterior is symmetric: nothing is wrong with the draws.",
    ),
)


def write(directory: Path) -> Path:
    """Write the page beside ``directory``, its figures into it, and the rates as JSON."""
    parts = [_introduction(directory)]
    quoted: dict[str, Any] = {}
    if rows := rates.read(directory, "clean"):
        found = rates.clean(rows)
        parts.append(_clean(directory, found, rates.not_reached(rows), rates.degrees(rows)))
        quoted["clean"] = [_quoted_clean(each) for each in found if each.name.startswith("all ")]
    if rows := rates.read(directory, "faults"):
        planted = rates.planted(rows)
        parts.append(_faults(directory, planted, rows))
        quoted["faults"] = _quoted_faults(planted)
    if rows := rates.read(directory, "curves"):
        parts.append(_curves(directory, rates.curves(rows)))
    if rows := rates.read(directory, "calibration"):
        parts.append(_calibration(directory, rows, rates.calibration(rows)))
    if rows := rates.read(directory, "audits"):
        parts.append(_audits(directory, rows))
    write_text(directory / RATES, json.dumps(quoted, indent=2) + "\n")
    return write_text(directory.with_suffix(".md"), "\n".join(parts))


def _introduction(directory: Path) -> str:
    return f"""# How often is the verdict wrong?

Written by `comparisons study` from the tables in `{directory.name}/`, one folder a family; each section names its
commands. Every number is a count of simulated data sets with its exact (Clopper–Pearson) 95 % interval. As published a study has
{REPLICATES["clean"]} clean data sets times the share of each setting, {REPLICATES["faults"]} for each fault whose effect
depends on chance, and {REPLICATES["calibration"]} simulations in each calibration setting of coins; a smaller number is what
has been run so far. Priors and populations are numbers fixed beforehand, in the files of the families in `comparisons/study/`.
"""


def _made(directory: Path, study: Study) -> str:
    """What made the families' tables, a line for each command and commit."""
    made: dict[tuple[str, str, str], list[str]] = {}
    planned = missing = 0
    for path in sorted(directory.glob(f"*/{study}.json")):
        one, family = json.loads(path.read_text(encoding="utf-8")), path.parent.name
        versions = ", ".join(f"{name} {version}" for name, version in one["versions"].items())
        made.setdefault((one["command"], one["git_commit"], versions), []).append(family)
        words = shlex.split(one["command"])
        asked = dict(pairwise(words))
        asked_for = len(plan(study, int(asked["--replicates"]), int(asked["--seed"]), family))
        with path.with_suffix(".csv").open(encoding="utf-8", newline="") as file:
            missing += max(0, asked_for - sum(1 for _ in csv.DictReader(file)))
        planned += asked_for
    lines = [
        f"* {', '.join(families)}: `{command} --out docs/{directory.name}` at commit `{commit}` ({versions})"
        for (command, commit, versions), families in made.items()
    ]
    if missing:
        lines.append(f"\nOf {planned} replicates {missing} are missing: not reached, or ended with an error.")
    return "\n".join(lines) + "\n\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines)


def _clean(directory: Path, found: list[CleanRates], not_reached: list[NotReached], degrees: list[DegreeRates]) -> str:
    figure = figures.clean(directory, [each for each in found if not each.name.startswith("all ")])
    rows = []
    for each in found:
        why = "; ".join(f"{name}: {count}" for name, count in sorted(each.reasons.items()))
        told = SETTINGS[each.name].why if each.name in SETTINGS else "**All together.**"
        rows.append([each.name, told, *(str(rate) for rate in each.verdicts.values()), why])
    checks = sorted({name for each in found for name in each.failed})
    families = [each for each in found if each.name.startswith("all ")]
    cases = [[case.setting, str(case.seed), case.verdict, case.checks, case.reason] for case in not_reached]
    by_check = [
        [name, *(str(each.failed[name]) if name in each.failed else "–" for each in families)] for name in checks
    ]
    return f"""## Clean data: false alarms

{_made(directory, "clean")}Both engines are right in every data set, so `wrong` is a false alarm. Boundaries, coinciding
coins and overlapping components are common here and no faults.

{_table(["setting", "what it is", "agree", "differ", "inconclusive", "wrong", "wrong or inconclusive by"], rows)}

How often each check failed ("identified" is no integrity check: it fails where the data do not identify the parameters, and
the verdict is then `differ`):

{_table(["check", *(each.name for each in families)], by_check)}

![Verdicts on clean data by setting]({directory.name}/{figure})

Each that was not `agree` or `differ`, with the seed that makes it again and what its first check of these says:

{_table(["setting", "seed", "verdict", "checks", "reason"], cases)}
{_degrees(degrees)}"""


def _degrees(found: list[DegreeRates]) -> str:
    """Nothing where all tables are of before."""
    if not found:
        return ""
    held = [[each.family, each.degree, str(each.em), str(each.posterior)] for each in found]
    return f"""
### What a degree is worth

Intervals of probability 94 % that hold the truth, by the degree that the verdict gives the quantity. Some settings hold the
truth fixed, where the prior does not promise the posterior's 94 %. Intervals of one data set are not independent, so the
binomial intervals are too narrow.

{_table(["family", "degree", "EM's interval holds the truth", "the posterior's does"], held)}
"""


def _faults(directory: Path, found: list[FaultRates], table: list[dict[str, str]]) -> str:
    figure = figures.faults(directory, found)
    rows = [
        [
            each.name,
            each.words,
            each.kind,
            str(each.changed),
            str(each.detected),
            str(each.named),
            "; ".join(f"{name}: {count}" for name, count in each.by.items()),
        ]
        for each in found
    ]
    broken = rates.found_by(table, lambda row: " or ".join(faults.FAULTS[row["fault"]].engines) or "any")
    kinds = rates.found_by(table, lambda row: faults.FAULTS[row["fault"]].kind)
    groups = [
        [group.name, str(group.detected), str(group.named), str(group.crashed)]
        for group in (*kinds, *broken, *rates.found_by(table, rates.form))
    ]
    one_step = [[what, f"`{where}`", why] for what, where, why in ONE_STEP]
    return f"""## Planted faults: detection

{_made(directory, "faults")}One fault at a time, none told to a check; EM's own guard against a falling objective is off.
"Changes anything" follows a rule that knows nothing of the checks: a fault in EM counts where one of its two estimates is
lower than sound EM's by more than {SAME_HEIGHT:g} nats or reports a height that is not its own; one in the sampler
says itself whether it had any effect. Detected: the verdict is `wrong`, or, for the sampler, `inconclusive` with the
sampler named; where a number is none, any `inconclusive`. A crash finds nothing.

{_table(["fault", "what is wrong", "kind", "changes anything", "detected where it does", "engine named", "first check"], rows)}

By kind, by where the fault is, and by model:

{_table(["", "detected where it changes anything", "detected and named", "crashed"], groups)}

![Share of each planted fault that was detected]({directory.name}/{figure})

No output of a whole run can show these; tests of one step do:

{_table(["fault", "test", "why"], one_step)}
"""


def _curves(directory: Path, found: list[CurvePoint]) -> str:
    figure = figures.curves(directory, found)
    words = {fault.curve: fault.words for fault in faults.SIZED}
    rows = [[words[each.curve], each.family, f"{each.size:g}", str(each.detected)] for each in found]
    return f"""## Draws that are slightly wrong: from which size on is it seen?

{_made(directory, "curves")}The log density of every draw is made right after it was moved, so that only the distribution
of the draws is wrong. A size of 0 is no fault: what is detected there is a false alarm.

{_table(["what is wrong", "family", "size", "detected"], rows)}

![Share detected by the size of the fault]({directory.name}/{figure})
"""


def _calibration(directory: Path, rows: list[dict[str, str]], found: CalibrationRates) -> str:
    names = figures.calibration(directory, rows, found)
    ranks = [
        [
            each.setting,
            each.fault or "none",
            str(each.simulations),
            f"{each.smallest:.2g}",
            min(each.p_values, key=lambda name: each.p_values[name]),
        ]
        for each in found.ranks
    ]
    coverage = [
        [
            cell.family,
            str(cell.n),
            f"{cell.separation_from:g} to {cell.separation_to:g}"
            if cell.separation_to
            else f"over {cell.separation_from:g}",
            str(cell.data_sets),
            str(cell.held),
            str(cell.withheld),
        ]
        for cell in found.coverage
    ]
    return f"""## Calibration: the PyMC models, and EM's intervals

{_made(directory, "calibration")}Parameters are drawn from the prior, 20 rows from the model, and the truth is ranked among
99 posterior draws, both in canonical order. The p-value is of the whole distribution function of the ranks (simultaneous
band), the smallest over all quantities times their number. With a fault ({", ".join(CALIBRATION_FAULTS)}) it has to be small.

{_table(["setting", "fault", "simulations", "smallest p", "of"], ranks)}

![Ranks of the truth, with simultaneous 95 % bands]({directory.name}/{names[0]})

### Where may one trust EM with its standard errors?

Wald intervals of probability 94 % from the same truths, on more and more rows: how many of those that EM gives hold the
truth, and how many it withholds. Intervals of one data set are not independent, so the binomial intervals are too narrow.

{_table(["family", "rows", "separation (sd)", "data sets", "intervals that hold the truth", "withheld"], coverage)}

![Coverage and refusal of EM's intervals by rows and separation]({directory.name}/{names[1]})
"""


def _audits(directory: Path, rows: list[dict[str, str]]) -> str:
    found = audits.rates(rows)
    sound, planted = ([each for each in found if bool(each.fault) is broken] for broken in (False, True))
    counted = [row for row in rows if row["changed"] != "no"]
    right = [row for row in counted if not row["fault"]]
    of_studies, subtle = (
        [row for row in counted if row["fault"] and (row["fault"] in slips.PLANTED) is study] for study in (True, False)
    )
    groups = [
        [name, str(Rate.counted(row["named"] == row["step"] for row in chosen)), str(audits.anything(chosen))]
        for name, chosen in (
            ("faults of the studies", of_studies),
            ("subtle slips", subtle),
            ("all faults", of_studies + subtle),
        )
    ]
    families = sorted({row["family"] for row in rows})
    of_family = [[name, str(audits.anything(row for row in right if row["family"] == name))] for name in families]
    missed = [
        [
            row["fault"] or "none",
            row["setting"],
            row["seed"],
            row["step"] or "–",
            row["named"] or "nothing",
            row["told"],
        ]
        for row in counted
        if row["named"] != row["step"]
    ]
    cells = [[cell.replace("|", "/") for cell in line] for line in missed]
    return f"""## Audits: is the right step named?

{_made(directory, "audits")}Each family's own EM, beside a plain program of the same model, is tried by
`comparisons.audit`. One slip is planted at a time, and the step it is in has to be the first that is named. A slip that changes
no step by more than {CHANGED:g} of its size in these data is not counted. An audit that ends with an error has named nothing.
Seconds are of the processor, from a pair that is ready to the answer, the middle of all.

{_table(["", "right step named", "anything found"], groups)}

Right steps, in which nothing may be found:

{_table(["family", "anything found"], [*of_family, ["**all**", str(audits.anything(right))]])}

{chr(10).join(audits.lines([*sound, *planted]))}

Each that named another step, or nothing, or found what is not there:

{_table(["fault", "setting", "seed", "step", "named", "told"], cells)}
"""


def _quoted(rate: Rate) -> dict[str, float]:
    return {"count": rate.count, "of": rate.of, "low": round(rate.low, 5), "high": round(rate.high, 5)}


def _quoted_clean(found: CleanRates) -> dict[str, Any]:
    return {
        "family": found.family,
        "verdicts": {name: _quoted(rate) for name, rate in found.verdicts.items()},
        "failed": {name: _quoted(rate) for name, rate in found.failed.items()},
        "undecided": {name: _quoted(rate) for name, rate in found.undecided.items()},
    }


def _quoted_faults(found: list[FaultRates]) -> dict[str, Any]:
    detected = [each for each in found if each.detected.of]
    return {
        "faults": len(detected),
        "detected": sum(each.detected.count for each in detected),
        "of": sum(each.detected.of for each in detected),
        "named": sum(each.named.count for each in detected),
        "missed": [
            f"{each.words.rstrip('.')} ({each.detected.count} of {each.detected.of})"
            for each in detected
            if each.detected.count < each.detected.of
        ],
    }
