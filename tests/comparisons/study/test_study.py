"""Claims about the studies: what they simulate and break, how they resume, and what their tables come to."""

from __future__ import annotations

import dataclasses
import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from comparisons import quantities
from comparisons.families import FAMILIES
from comparisons.families.mixtures import permuted
from comparisons.report import error_rates
from comparisons.results import provenance
from comparisons.study import calibration, campaign, faults, ranks, rates, replicate, settings, summary
from comparisons.study.campaign import StudyError, Task
from comparisons.study.fault import Plant
from comparisons.study.gaussians import FORMS
from comparisons.study.rates import Rate
from comparisons.study.setting import Setting, simulate

ROOT = Path(__file__).resolve().parents[3]


def row(**changed: Any) -> dict[str, str]:
    """A row of a table as `rates.read` gives it."""
    fields = {
        "family": "coins", "setting": "coins-equal", "seed": "1", "fault": "", "verdict": "agree", "failed": "",
        "undecided": "", "engine": "", "changed": "", "statistics": "same-density=1e-16 best-mode=0",
    }  # fmt: skip
    return fields | {name: str(value) for name, value in changed.items()}


@pytest.mark.parametrize("setting", [*settings.SETTINGS.values(), *settings.CALIBRATION.values()], ids=lambda s: s.name)
def test_a_seed_gives_the_same_data_and_the_next_seed_others(setting: Setting) -> None:
    def data(seed: int) -> Any:
        problem = simulate(setting, seed).problem
        cells = np.nan_to_num(problem.family.columns(problem.data), nan=-1.0)
        return cells.tolist(), problem.data.counts.tolist()

    assert data(3) == data(3)
    assert data(3) != data(4)


def test_separation_is_the_distance_in_standard_deviations() -> None:
    apart = settings.SETTINGS["normals-separated"]
    assert apart.separation(apart.truth) == pytest.approx(4.0)
    fair = settings.SETTINGS["coins-separated"]
    assert fair.separation(fair.truth) == pytest.approx(0.6 / np.sqrt(0.25 / 20))


def test_every_fault_is_planted_in_settings_that_exist_and_named_once() -> None:
    assert len(faults.FAULTS) == len(faults.ALL) + len(faults.SIZED)
    for fault in (*faults.ALL, *faults.SIZED):
        assert fault.settings
        assert set(fault.settings) <= set(settings.SETTINGS)


def test_a_planted_fault_breaks_nothing_beyond_its_block() -> None:
    problem = simulate(settings.SETTINGS["coins-repeated"], 1).problem
    before = problem.fit(None, seed=1)
    for fault in faults.ALL:
        if "coins-repeated" in fault.settings:
            with fault.planted(problem):
                pass
    after = problem.fit(None, seed=1)
    np.testing.assert_array_equal(after.trace, before.trace)


# A broken EM leads anywhere, and with roots for variances to an error.
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    "name", [f.name for f in faults.ALL if f.in_em and not f.guarded and f.name != "em-sd-for-variance"]
)
def test_the_rule_for_what_a_fault_in_em_changes(name: str) -> None:
    fault = faults.FAULTS[name]
    # Binomial coefficients, priors and weights that are there to be forgotten, and no mode but one to be missed.
    setting = settings.SETTINGS[fault.settings[-1]]
    problem = simulate(setting, 1).problem
    with fault.planted(problem) as plant:
        broken = fault.estimates(problem, 1)
    unchanged = (setting.name, fault.name) == ("normals-overlap", "em-counts-ignored")
    assert fault.changed(problem, broken, plant, 1) == (not unchanged)


# Of every family some, and of all faults that any family can have each in one of them; steps of gammas are slow.
IN_TURN = [
    (fault.name, [name for name in faults.FAMILIES if not name.startswith("gammas")][j % (len(faults.FAMILIES) - 1)])
    for j, fault in enumerate(
        f for f in faults.ALL if f.in_em and not f.guarded and set(faults.FAMILIES) <= set(f.settings)
    )
]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("name", "setting"), IN_TURN, ids=str)
def test_what_is_broken_in_every_family_changes_its_fit(name: str, setting: str) -> None:
    problem, fault = simulate(settings.SETTINGS[setting], 1).problem, faults.FAULTS[name]
    with fault.planted(problem) as plant:
        broken = fault.estimates(problem, 1)
    assert fault.changed(problem, broken, plant, 1)


def test_sound_estimates_change_nothing() -> None:
    fault = faults.FAULTS["em-divides-by-n"]
    problem = simulate(settings.SETTINGS["coins-repeated"], 1).problem
    assert not fault.changed(problem, fault.estimates(problem, 1), Plant(), 1)


def test_plans_have_every_setting_and_no_replicate_twice() -> None:
    for study, expected in (("clean", None), ("calibration", None), ("faults", None), ("curves", 2 * 3 * 17)):
        tasks = campaign.plan(study, 3, 1)  # type: ignore[arg-type]
        assert len(tasks) == len(set(tasks))
        assert expected in (None, len(tasks))
    planted = campaign.plan("faults", 30, 1)
    assert sum(task.fault == "em-saddle" for task in planted) == len(faults.EVERY) * campaign.DETERMINISTIC
    assert 30 <= sum(task.fault == "sampler-tails-cut" for task in planted) < 30 + len(faults.EVERY)
    sizes = dict.fromkeys(FAMILIES, 0)
    for task in campaign.plan("clean", 100, 1):
        sizes[settings.SETTINGS[task.setting].family] += 1
    counts = {"coins": 800, "gaussians": 800, "poissons": 240, "exponentials": 240, "gammas": 240}
    assert sizes == counts | {
        "negative-binomials": 240,
        "beta-binomials": 200,
        "latent-classes": 280,
        "regressions": 280,
    }


@pytest.mark.parametrize("study", ["clean", "faults", "curves", "calibration"])
def test_a_study_of_one_family_is_its_part_of_the_study_of_all(study: campaign.Study) -> None:
    everything = campaign.plan(study, 20, 1)
    parts = {family: campaign.plan(study, 20, 1, family) for family in FAMILIES}
    assert all(campaign.setting_of(task).family == family for family, part in parts.items() for task in part)
    assert sorted(map(repr, everything)) == sorted(repr(task) for part in parts.values() for task in part)
    assert all(parts.values()) or study == "curves"


def test_every_form_in_one_two_and_three_features_is_simulated_soundly() -> None:
    found = set()
    for setting in settings.CLEAN:
        if setting.family == "gaussians":
            data: Any = simulate(setting, 1).problem.data
            found.add((setting.covariance, data.d))
    assert found == {(form, d) for form in FORMS for d in (1, 2, 3)}


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """A cluster inside this process, so that what a test replaces is replaced for its workers too."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0", silence_logs="CRITICAL"
    ) as cluster:
        yield cluster.scheduler_address


def judged(setting: str, seed: int, fault: str) -> replicate.Row:
    """Stands for the pipeline, which takes seconds: crashes at one seed."""
    if seed == 12:
        raise ArithmeticError("no number")
    found = settings.SETTINGS[setting]
    return replicate.Row(
        found.family, setting, seed, fault, found.n, 1.0, "agree", "", "", "", "", 0, 3, "best-mode=0", 0.1
    )


def run(out: Path, scheduler: str, replicates: int) -> tuple[campaign.Ended, list[tuple[int, int]]]:
    told: list[tuple[int, int]] = []
    ended = campaign.run(
        "clean",
        out,
        replicates=replicates,
        seed=10,
        scheduler=scheduler,
        progress=lambda done, of: told.append((done, of)),
    )
    return ended, told


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_study_resumes_where_it_was_and_tells_what_crashed(
    tmp_path: Path, scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replicate, "judged", judged)
    monkeypatch.setattr(settings, "CLEAN", tuple(dataclasses.replace(s, share=1.0) for s in settings.CLEAN[:2]))
    first, _ = run(tmp_path, scheduler, 2)
    assert (first.rows, first.crashed) == (4, {})
    assert {r["commit"] for r in rates.read(tmp_path, "clean")} == {provenance.git_commit() or ""}
    ended, told = run(tmp_path, scheduler, 4)
    assert told[0] == (4, 8)
    assert told[-1] == (8, 8)
    assert ended.rows == 8
    assert {(t.setting, t.seed): e for t, e in ended.crashed.items()} == {
        (s.name, 12): "ArithmeticError: no number" for s in settings.CLEAN
    }
    rows = rates.read(tmp_path, "clean")
    assert len({(r["setting"], r["seed"]) for r in rows}) == len(rows) == 8
    assert [r["reason"] for r in rows if r["verdict"] == "crashed"] == ["ArithmeticError: no number"] * 2
    again, _ = run(tmp_path, scheduler, 4)
    assert (again.rows, again.crashed) == (8, {})
    made = json.loads((tmp_path / "coins" / "clean.json").read_text())
    assert made["command"] == "comparisons study clean --replicates 4 --seed 10"


def test_a_table_of_other_sources_is_refused(tmp_path: Path, scheduler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicate, "judged", judged)
    monkeypatch.setattr(settings, "CLEAN", (dataclasses.replace(settings.CLEAN[0], share=1.0),))
    run(tmp_path, scheduler, 1)
    monkeypatch.setattr(campaign, "_simulating", lambda study: "others")
    with pytest.raises(StudyError, match="made by other sources"):
        run(tmp_path, scheduler, 2)


def test_exact_intervals_are_those_of_clopper_and_pearson() -> None:
    none = Rate.counted([False] * 100)
    assert none.low == 0
    assert none.high == pytest.approx(1 - 0.025 ** (1 / 100))
    assert Rate.counted([True] * 100).low == pytest.approx(0.025 ** (1 / 100))
    # Two of ten: 2.521 % to 55.610 % (Clopper & Pearson 1934, as in every table).
    two = Rate.counted([True] * 2 + [False] * 8)
    assert two.low == pytest.approx(0.02521, abs=1e-5)
    assert two.high == pytest.approx(0.55610, abs=1e-5)


def test_an_alarm_counts_as_wrong_and_its_check_as_failed() -> None:
    rows = [
        row(),
        row(verdict="wrong", failed="best-mode stationary"),
        row(verdict="inconclusive", undecided="map-agrees"),
    ]
    everything, setting = rates.clean(rows)
    assert everything.name == "all coins"
    assert setting.verdicts["wrong"].count == everything.verdicts["wrong"].count == 1
    assert everything.failed["best-mode"].count == 1
    assert everything.failed["same-density"].count == 0
    assert everything.reasons == {"best-mode stationary": 1, "map-agrees": 1}


def test_intervals_that_hold_the_truth_are_counted_by_degree() -> None:
    rows = [
        row(intervals="agree:1:1:weights[1];marked:0:1:sd: of component 1;no interval:-:0:weights[2]"),
        row(intervals="marked:1:-:means[1]"),
        row(),
    ]
    agree, marked, none = rates.degrees(rows)
    assert (agree.degree, agree.em.count, agree.em.of) == ("agree", 1, 1)
    assert (marked.degree, marked.em.count, marked.em.of, marked.posterior.of) == ("marked", 1, 2, 1)
    assert (none.degree, none.em.of, none.posterior.count, none.posterior.of) == ("no interval", 0, 0, 1)


@pytest.mark.parametrize("name", ["coins-free", "normals-plane", "classes-free", "regressions-free"])
def test_whether_intervals_hold_the_truth_does_not_depend_on_the_order_it_is_told_in(name: str) -> None:
    simulated = simulate(settings.SETTINGS[name], 5)
    problem = simulated.problem
    told = quantities.of_parameters(problem, problem.in_order(simulated.truth))

    def narrow(name: str, value: float) -> Any:
        around = SimpleNamespace(hdi_low=value - 1e-9, hdi_high=value + 1e-9)
        return SimpleNamespace(
            name=name, degree="", verdict="agree", em_low=value - 1e-9, em_high=value + 1e-9, posterior=around
        )

    found: Any = SimpleNamespace(problem=problem, quantities=[narrow(*each) for each in told.items()])
    backwards = np.arange(len(problem.comparison.components))[::-1]
    turned = problem.family.of_arrays(permuted(problem.arrays(simulated.truth), backwards))
    assert quantities.of_parameters(problem, turned) != told
    for truth in (simulated.truth, turned):
        entries = replicate._intervals(found, truth).split(";")
        assert len(entries) == len(told)
        assert {entry.split(":", 3)[:3] == ["agree", "1", "1"] for entry in entries} == {True}


def test_only_the_sampler_is_detected_by_no_conclusion() -> None:
    undecided = {"verdict": "inconclusive", "undecided": "sampler-converged", "engine": "sampler"}
    assert rates.detected(row(fault="sampler-few-draws", **undecided))
    assert not rates.detected(row(fault="em-saddle", **undecided))
    assert rates.detected(row(fault="em-saddle", verdict="wrong"))
    assert not rates.detected(row(fault="em-saddle", verdict="crashed"))
    assert not rates.detected(row(fault="sampler-few-draws", verdict="inconclusive", engine="pymc"))
    assert rates.detected(row(fault="nan-mcse-sd", verdict="inconclusive"))
    assert not rates.detected(row(fault="nan-mcse-sd", verdict="differ"))
    assert not rates.detected(row(fault="em-saddle", verdict="differ"))


def test_a_fault_that_changes_nothing_need_not_be_found() -> None:
    rows = [
        row(fault="em-saddle", changed="yes", verdict="wrong", failed="stationary", engine="em"),
        row(fault="em-saddle", changed="yes", verdict="wrong", failed="posterior-agrees", engine="sampler"),
        row(fault="em-saddle", changed="yes", verdict="agree"),
        row(fault="em-saddle", changed="no", verdict="agree"),
    ]
    (found,) = rates.planted(rows)
    assert (found.changed.count, found.changed.of) == (3, 4)
    assert (found.detected.count, found.detected.of) == (2, 3)
    assert (found.named.count, found.named.of) == (1, 2)


def test_uniform_ranks_pass_as_often_as_they_should_and_others_fail() -> None:
    random = np.random.default_rng(1)
    p_values = np.array([ranks.uniformity(random.integers(0, 100, size=150), 99) for _ in range(400)])
    # Binomial standard error .011 at 5 %; the statistic is discrete, so it may only be on the safe side.
    assert 0.01 < (p_values <= 0.05).mean() < 0.05 + 4 * 0.011
    assert ranks.uniformity(np.clip(random.normal(50, 20, size=150), 0, 99).astype(int), 99) < 0.001
    assert ranks.uniformity((100 * random.beta(1.5, 1, size=300)).astype(int), 99) < 0.001


def test_the_band_holds_all_of_a_uniform_distribution_function_at_once() -> None:
    random = np.random.default_rng(2)
    _, low, high = ranks.band(200, 99)
    inside = [
        bool(((s >= low) & (s <= high)).all())
        for s in (ranks.shares(random.integers(0, 100, size=200), 99) for _ in range(500))
    ]
    assert 0.95 - 4 * 0.01 < np.mean(inside) <= 1


def test_coverage_is_counted_by_rows_and_separation() -> None:
    told = "20:converged:a=1;20:converged:b=0;50:ridge:a=-;50:ridge:b=-"
    rows = [
        row(separation=2.5, coverage=told, ranks="a=3;b=4"),
        row(seed=2, separation=7.0, coverage="20:converged:a=1", ranks="a=9;b=50"),
    ]
    found = rates.calibration(rows)
    cells = {(c.n, c.separation_from): c for c in found.coverage}
    assert (cells[20, 2.0].held.count, cells[20, 2.0].held.of) == (1, 2)
    assert (cells[50, 2.0].withheld.count, cells[50, 2.0].held.of) == (2, 0)
    assert cells[20, 5.0].separation_to is None
    assert found.ranks[0].simulations == 2


def test_faults_without_a_trace_have_a_test_of_one_step() -> None:
    for _, where, _ in summary.ONE_STEP:
        module, name = where.split(".")
        (file,) = (ROOT / "tests").rglob(f"{module}.py")
        place = ".".join(file.relative_to(ROOT).with_suffix("").parts)
        assert callable(getattr(importlib.import_module(place), name))


def test_the_reports_quote_the_published_rates() -> None:
    published = ROOT / "docs" / "calibration" / summary.RATES
    assert json.loads(error_rates.PUBLISHED.read_text()) == json.loads(published.read_text())


def test_the_published_page_is_what_the_published_tables_come_to(tmp_path: Path) -> None:
    source = ROOT / "docs" / "calibration"
    copied = tmp_path / "calibration"
    for path in (*source.glob("*/*.csv"), *source.glob("*/*.json")):
        (copied / path.parent.name).mkdir(parents=True, exist_ok=True)
        (copied / path.parent.name / path.name).write_bytes(path.read_bytes())
    page = summary.write(copied)
    assert page.read_text() == source.with_suffix(".md").read_text()
    assert json.loads((copied / summary.RATES).read_text()) == json.loads((source / summary.RATES).read_text())


# Of the engines in turn, and quick: they share one compiled model.
FOUND_IN_A_MINUTE = (
    "em-divides-by-n",
    "em-stopped-early",
    "em-saddle",
    "em-mode-on-other-scale",
    "pymc-other-prior",
    "pymc-row-dropped",
    "sampler-copied-chain",
    "sampler-tails-cut",
    "sampler-neighbouring-data",
    "comparison-one-parameter-permuted",
    "comparison-stale-fit",
)


@pytest.mark.sampling
def test_sound_engines_raise_no_alarm_and_broken_ones_are_named() -> None:
    sound = replicate.judged("coins-repeated", 3)
    assert sound.verdict in ("agree", "differ")
    degrees = {entry.split(":", 3)[3]: entry.split(":")[0] for entry in sound.intervals.split(";")}
    assert {"head_probabilities[1]", "head_probabilities[2]"} <= set(degrees)
    assert sum(degree != "agree" for degree in degrees.values()) == sound.differing
    for name in FOUND_IN_A_MINUTE:
        found = replicate.judged("coins-repeated", 3, name)
        told = {field.name: str(getattr(found, field.name)) for field in dataclasses.fields(found)}
        assert rates.detected(told), name
        assert told["engine"] in faults.FAULTS[name].engines, name
        assert told["changed"] == "yes", name


@pytest.mark.sampling
def test_a_truth_is_ranked_and_intervals_are_tried_on_it() -> None:
    found = calibration.calibrated("sbc-coins-equal", 5)
    ranked = dict(entry.split("=") for entry in found.ranks.split(";"))
    assert set(ranked) == {"head_probabilities[1]", "head_probabilities[2]", "chance_of_heads", "log_likelihood"}
    assert all(0 <= int(rank) <= calibration.RANKED for rank in ranked.values())
    assert len(found.coverage.split(";")) == 3 * len(calibration.SIZES)
    assert Task("sbc-coins-equal", 5) in campaign.plan("calibration", 10, 1)
