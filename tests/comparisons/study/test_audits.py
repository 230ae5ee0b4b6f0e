"""Right steps of every family pass the audit against a plain program; planted slips are named at their step, and counted."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from comparisons.study import campaign, settings
from comparisons.study.audits import row, slips, table

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


def test_the_plan_has_as_many_audits_of_right_steps_in_every_family() -> None:
    tasks = campaign.plan("audits", 90, 7)
    right = [row.setting_of(task.setting).family for task in tasks if not task.fault]
    assert set(right) == set(settings.PARTS)
    assert all(right.count(family) >= 10 for family in settings.PARTS)
    assert {task.fault for task in tasks} == {"", *row.SLIPS, *slips.PLANTED}
    assert tasks == campaign.plan("audits", 90, 7)
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
    sound, planted = table.rates(table.read(tmp_path))
    assert (sound.fault, sound.audits, sound.named, sound.found) == ("", 1, 1, 0)
    assert (planted.audits, planted.named, planted.found) == (3, 1, 2)
    assert planted.elsewhere == {"M-step": 1, "nothing": 1}
    assert [*table.lines([planted])][2] == "| slip | E-step | 3 | 1 | 2 | M-step: 1, nothing: 1 | 0.20 |"
