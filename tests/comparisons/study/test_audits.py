"""Right steps of every family pass the audit against a plain program; planted slips are named at their step, and counted."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from comparisons.auditing.expected import Expected
from comparisons.study import campaign, rates, settings, summary
from comparisons.study.audits import row, slips, table

ROOT = Path(__file__).parents[3]
FIRST = [part.PLANTED[0].name for part in settings.PARTS.values()]


@pytest.mark.parametrize("setting", FIRST)
def test_right_steps_of_every_family_have_no_finding(setting: str) -> None:
    found = row.audit_of(setting, 1)
    assert found.right, found.told
    assert (found.step, found.named, found.findings, found.form) == ("", "", 0, "one function")


@pytest.mark.parametrize(
    ("setting", "fault", "step"),
    [
        ("poissons-repeated", "divided-by-n", "M-step"),
        ("exponentials-repeated", "components-exchanged", "E-step"),
        ("coins-repeated", "row-dropped-in-the-m-step", "M-step"),
        ("coins-repeated", "saddle-at-the-start", "start"),
        ("normals-repeated", "stops-early", "stop rule"),
        ("poissons-repeated", "likelihood-without-a-row", "objective"),
        ("coins-repeated", "em-divides-by-n", "M-step"),
        ("coins-labelled", "labels-ignored", "M-step"),
    ],
)
def test_a_slip_in_a_family_is_named_at_its_step(setting: str, fault: str, step: str) -> None:
    found = row.audit_of(setting, 50_001, fault)
    assert (found.changed, found.step, found.named) == ("yes", step, step), found.told


def test_a_component_at_its_bound_is_no_finding() -> None:
    # The path ends at item probabilities of 1e-15, where nothing has a slope but rounding.
    assert row.audit_of("classes-repeated", 1).right


def test_a_step_onto_a_bound_where_the_program_has_no_density_is_no_finding() -> None:
    # A beta-binomial whose correlation is 0 after the step.
    assert row.audit_of("beta-binomials-one-binomial", 50_002).right
    # A line through one row, whose likelihood has no bound and is no number at last.
    assert row.audit_of("regressions-few", 50_002).right


def test_a_start_from_which_components_meet_for_good_is_no_saddle() -> None:
    # The weights of components that are equal are level, and the curvature along them an error of differences.
    assert row.audit_of("gammas-free", 52_011).right


def test_a_variance_far_below_that_of_all_rows_has_its_digits() -> None:
    # A line through all rows but for 2e-6 of a response.
    assert row.audit_of("regressions-labelled", 52_016).right


def test_what_bends_more_than_differences_follow_is_no_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dispersion near 0, on whose logarithm the density is far from a parabola; and no slip is named by it."""
    slopes, seen = Expected.slopes, []

    def kept(expected: Expected, found: Any, at: Any, *given: Any, **options: Any) -> Any:
        told = slopes(expected, found, at, *given, **options)
        prior = options.get("prior", 0.0)
        seen.append((told[0], expected.missed(found, found, at, prior=prior, asked=prior)))
        return told

    monkeypatch.setattr(Expected, "slopes", kept)
    assert row.audit_of("negative-binomials-labelled", 52_005).right
    level = [(slope, missed) for slope, missed in seen if not any(slope.values())]
    assert level
    assert all(slope == missed for slope, missed in level)


def test_the_plan_has_as_many_audits_of_right_steps_in_every_family() -> None:
    tasks = campaign.plan("audits", 90, 7)
    right = [row.setting_of(task.setting).family for task in tasks if not task.fault]
    assert set(right) == set(settings.PARTS)
    assert all(right.count(family) >= 10 for family in settings.PARTS)
    assert {task.fault for task in tasks} == {"", *row.SLIPS, *slips.PLANTED}
    assert tasks == campaign.plan("audits", 90, 7)
    # Their weights differ from row to row, which the program does not say.
    assert not {task.setting for task in tasks} & {"regressions-gated", "regressions-gated-fixed"}
    labelled = [row.setting_of(task.setting).labelled > 0 for task in tasks if task.fault == "labels-ignored"]
    assert labelled
    assert all(labelled)


def test_rates_count_named_found_and_what_was_named_instead(tmp_path: Path) -> None:
    right = row.AuditRow("f", "s", 1, "", "one function", "", "", "", "", "", 0.0, 0, 0.5, 0.2, "")
    slip = dataclasses.replace(right, fault="slip", changed="yes", step="E-step", named="E-step", findings=1)
    rows = [right, slip, dataclasses.replace(slip, named="M-step"), dataclasses.replace(slip, named="", findings=0)]
    rows.append(dataclasses.replace(slip, named="M-step", changed="no"))
    held = campaign._Table(tmp_path / "f" / "audits.csv", row.AuditRow)
    held.path.parent.mkdir()
    for each in rows:
        held.append(each)
    sound, planted = table.rates(rates.read(tmp_path, "audits"))
    assert (sound.fault, sound.named.count, sound.named.of, sound.found.count) == ("", 1, 1, 0)
    assert (planted.named.count, planted.named.of, planted.found.count) == (1, 3, 2)
    assert planted.elsewhere == {"M-step": 1, "nothing": 1}
    told = [*table.lines([planted])][2]
    assert told == "| slip | E-step | 1 of 3 (0.8 to 90.6 %) | 2 of 3 (9.4 to 99.2 %) | M-step: 1, nothing: 1 | 0.20 |"


def test_the_page_tells_of_audits_what_was_named_and_what_was_not(tmp_path: Path) -> None:
    right = row.AuditRow("coins", "s", 7, "", "one function", "", "", "", "", "", 0.0, 0, 0.5, 0.2, "")
    slip = dataclasses.replace(right, fault="row-dropped", changed="yes", step="E-step", named="E-step", findings=1)
    of_study = dataclasses.replace(slip, fault="em-half-the-data", named="step", told="step, weights: a | b")
    crashed = dataclasses.replace(slip, named="crashed", findings=0, told="ValueError: no")
    directory = tmp_path / "tables"
    held = campaign._Table(directory / "coins" / "audits.csv", row.AuditRow)
    campaign._claim(held.path, "audits", "comparisons study audits --replicates 1 --seed 7 --family coins")
    for each in (right, slip, of_study, crashed, dataclasses.replace(slip, changed="no", named="")):
        held.append(each)
    page = summary.write(directory).read_text()
    assert "| faults of the studies | 0 of 1 (0.0 to 97.5 %) | 1 of 1 (2.5 to 100.0 %) |" in page
    assert "| subtle slips | 1 of 2 (1.3 to 98.7 %) | 1 of 2 (1.3 to 98.7 %) |" in page
    assert "| **all** | 0 of 1 (0.0 to 97.5 %) |" in page
    assert "| em-half-the-data | s | 7 | E-step | step | step, weights: a / b |" in page
    assert "| row-dropped | s | 7 | E-step | crashed | ValueError: no |" in page
    assert "`comparisons study audits --replicates 1 --seed 7 --family coins --out docs/tables`" in page


def test_the_page_on_the_audit_tells_the_rates_of_the_published_tables() -> None:
    rows = [each for each in rates.read(ROOT / "docs" / "calibration", "audits") if each["changed"] != "no"]
    planted = [each for each in rows if each["fault"]]
    named, found = rates.Rate.counted(r["named"] == r["step"] for r in planted), table.anything(planted)
    right = table.anything(each for each in rows if not each["fault"])
    page = " ".join((ROOT / "docs" / "is-my-em-right.md").read_text(encoding="utf-8").split())
    assert f"{named.count} of {named.of} were named at their step, and in {found.count} something was found" in page
    assert f"something was found in {right.count} of {right.of} audits" in page
