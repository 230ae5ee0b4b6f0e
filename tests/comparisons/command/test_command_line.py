"""The command line says what happened, in words and in its exit status, and pays only for what it uses."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from comparisons import catalogue, report
from comparisons.command import processes
from comparisons.command.command_line import main
from comparisons.command.processes import Crashed, Finished, Outcome, Stage, Task, run_all
from comparisons.components import comparing
from comparisons.results import store
from comparisons.results.result import SCHEMA_VERSION
from comparisons.study import campaign
from tests.pretended_runs import crash, pretend, task
from tests.stored_results import two_coins

HEAVY = {"numpy", "scipy", "xarray", "pandas", "matplotlib", "pymc", "pytensor", "arviz", "em", "models", "rich"}


def comparisons(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def results(tmp_path: Path) -> Path:
    store.write(two_coins(), tmp_path / "two-coin")
    return tmp_path


@pytest.fixture
def outcome(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let every comparison come to a verdict without running; to a crash where none is given."""

    def come_to(**verdicts: Any) -> None:
        def pretended(tasks: Sequence[Task], jobs: int, tell: Callable[[Stage | Outcome], None]) -> list[Outcome]:
            ended: list[Outcome] = []
            for each in tasks:
                verdict = verdicts.get(each.name.replace("-", "_"), "agree")
                if verdict is None:
                    ended.append(Crashed(each.name, "ValueError: bad luck", each.out / each.name / "run.log", 1.0))
                else:
                    store.write(two_coins(), each.out / each.name)
                    ended.append(Finished(each.name, verdict, "a summary.", 1.0))
                tell(ended[-1])
            return ended

        monkeypatch.setattr(processes, "run_all", pretended)

    return come_to


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["run", "--help"],
        ["components", "--help"],
        ["--version"],
        ["run", "tow-coin"],
        ["list"],
        ["show", "two-coin"],
    ],
)
def test_what_computes_nothing_loads_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from comparisons.command.command_line import main\n"
        "try:\n"
        f"    main({arguments!r})\n"
        "finally:\n"
        "    print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)\n"
    )
    # Where there is no result to show, which is printed by rich.
    ran = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    loaded = ran.stderr.split()
    assert "click" in loaded
    assert not HEAVY & set(loaded)


def test_list_has_a_line_for_every_comparison() -> None:
    listed = comparisons("list")
    assert listed.exit_code == 0
    assert [line.split()[0] for line in listed.stdout.splitlines()] == list(catalogue.names())


@pytest.mark.parametrize("command", ["run", "show"])
def test_an_unknown_name_is_wrong_use_and_the_nearest_is_named(command: str) -> None:
    answer = comparisons(command, "tow-coin")
    assert answer.exit_code == 2
    assert "'two-coin'" in answer.stderr


@pytest.mark.parametrize(
    "option", [["--jobs", "0"], ["--draws", "-1"], ["--chains", "1"], ["--seed", "x"], ["--color"]]
)
def test_options_out_of_range_are_wrong_use(option: list[str]) -> None:
    assert comparisons("run", "two-coin", *option).exit_code == 2


def test_a_directory_that_cannot_be_made_is_wrong_use(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    answer = comparisons("run", "two-coin", "--out", tmp_path / "file" / "results")
    assert answer.exit_code == 2
    assert "cannot be made" in answer.stderr


@pytest.mark.parametrize(
    ("verdicts", "status"),
    [
        ({}, 0),
        ({"heights": "differ"}, 0),
        ({"heights": "inconclusive"}, 3),
        ({"heights": "inconclusive", "two_coin": None}, 4),
        ({"heights": "wrong", "two_coin": None, "geyser": "inconclusive"}, 1),
    ],
)
def test_exit_status_is_that_of_the_worst_verdict(
    verdicts: dict[str, str | None], status: int, outcome: Callable[..., None], tmp_path: Path
) -> None:
    outcome(**verdicts)
    answer = comparisons("run", "two-coin", "heights", "geyser", "--out", tmp_path)
    assert answer.exit_code == status
    assert [line.split()[0] for line in answer.stdout.splitlines()] == ["two-coin", "heights", "geyser"]


def test_a_crash_says_which_and_why_and_the_others_go_on(outcome: Callable[..., None], tmp_path: Path) -> None:
    outcome(two_coin=None)
    answer = comparisons("run", "two-coin", "heights", "--out", tmp_path)
    assert "two-coin: crashed after 1.0 s: ValueError: bad luck (see" in answer.stderr
    assert "heights: agree" in answer.stderr
    assert (tmp_path / "index.html").exists()
    assert answer.stderr.splitlines()[-1] == f"Reports: {tmp_path / 'index.html'}"


def test_without_names_all_run(outcome: Callable[..., None], tmp_path: Path) -> None:
    outcome()
    answer = comparisons("run", "--out", tmp_path)
    assert [line.split()[0] for line in answer.stdout.splitlines()] == list(catalogue.names())


def test_json_is_one_object_for_one_name_and_else_an_array(outcome: Callable[..., None], tmp_path: Path) -> None:
    outcome()
    one = json.loads(comparisons("run", "two-coin", "--json", "--out", tmp_path).stdout)
    assert one["name"] == "two-coin"
    several = json.loads(comparisons("run", "two-coin", "heights", "--json", "--out", tmp_path).stdout)
    assert [each["schema_version"] for each in several] == [SCHEMA_VERSION] * 2


def test_show_tells_verdict_reasons_numbers_and_checks(results: Path) -> None:
    shown = comparisons("show", "two-coin", "--out", results)
    assert shown.exit_code == 0
    for text in (
        two_coins().summary,
        f"May I report EM's numbers? {two_coins().advice}",
        *two_coins().reasons,
        "head probability of component A",
        "0.797",
        "‡ This end of the profile interval is unreliable",
        "✓ EM and PyMC fit the same model",
        "✗ no higher likelihood found",
        "At fault in “no higher likelihood found”: em",
        *two_coins().model.formula,
        *two_coins().model.prior,
    ):
        assert text in shown.stdout


def test_show_of_what_has_not_run_names_the_command_to_run(results: Path) -> None:
    shown = comparisons("show", "heights", "--out", results)
    assert shown.exit_code == 2
    assert f"comparisons run heights --out {results}" in shown.stderr


def test_show_of_an_unknown_name_tells_the_nearest_and_what_there_is(results: Path) -> None:
    shown = comparisons("show", "tow-coin", "--out", results)
    assert shown.exit_code == 2
    assert "'two-coin'" in shown.stderr
    assert f"Results in {results}: " in shown.stderr


def test_report_writes_reports_and_index_from_the_files(results: Path) -> None:
    answer = comparisons("report", results)
    assert answer.exit_code == 0
    assert answer.stdout.strip() == str(results / "index.html")
    assert (results / "two-coin" / "report.html").exists()


def test_report_goes_on_past_a_damaged_result(results: Path) -> None:
    (results / "heights").mkdir()
    (results / "heights" / "result.json").write_text("{")
    answer = comparisons("report", results)
    assert answer.exit_code == 4
    assert "heights" in answer.stderr
    assert (results / "two-coin" / "report.html").exists()


def test_a_crash_is_told_wherever_the_older_result_is(results: Path) -> None:
    comparisons("report", results)
    page = results / "two-coin" / "report.html"
    run_all([task("two-coin", results)], 1, lambda event: None, crash)
    told = "crashed: ZeroDivisionError: two-coin was divided by zero"
    assert told in page.read_text(), "on the page as it stands"
    comparisons("report", results)
    assert told in page.read_text(), "on the page written again"
    assert page.read_text().count(told) == 1
    assert told in (results / "index.html").read_text()
    assert told in " ".join(comparisons("show", "two-coin", "--out", results).stdout.split())
    store.end_run(results / "two-coin")
    comparisons("report", results)
    assert told not in page.read_text() + (results / "index.html").read_text()
    assert "crashed" not in comparisons("show", "two-coin", "--out", results).stdout


def test_a_run_that_was_stopped_is_told_wherever_the_older_result_is(results: Path) -> None:
    store.begin_run("two-coin", results / "two-coin")
    comparisons("report", results)
    told = "has not ended: it is still under way, or was stopped"
    assert told in (results / "two-coin" / "report.html").read_text()
    assert told in (results / "index.html").read_text()
    assert told in " ".join(comparisons("show", "two-coin", "--out", results).stdout.split())
    report.write_report(results / "two-coin", own=True)
    assert told not in (results / "two-coin" / "report.html").read_text()


def test_a_run_of_own_data_that_left_no_result_is_run_again_as_it_was_begun(results: Path) -> None:
    for name in ("mine", "geyser"):
        store.begin_run(name, results / name)
        answer = comparisons("show", name, "--out", results)
        assert answer.exit_code == 2
        told = " ".join(answer.stderr.split())
        assert "has not ended" in told
        assert ("--data among them" in told) is (name == "mine")
        assert (f"comparisons run {name}" in told) is (name == "geyser")


def test_a_damaged_note_of_a_later_run_is_told(results: Path) -> None:
    (results / "two-coin" / store.LATER_RUN).write_text("{")
    for answer in (comparisons("show", "two-coin", "--out", results), comparisons("report", results)):
        assert answer.exit_code in (2, 4)
        assert f"{store.LATER_RUN} is damaged" in answer.stderr
    assert f"{store.LATER_RUN} is damaged" in (results / "index.html").read_text()
    store.fail_run("two-coin", results / "two-coin", "it crashed")
    assert "it crashed" in comparisons("show", "two-coin", "--out", results).stdout


def test_a_crash_of_what_never_ran_is_in_the_index(results: Path) -> None:
    run_all([task("raises", results)], 1, lambda event: None, pretend)
    comparisons("report", results)
    assert "crashed: ZeroDivisionError: raises was divided by zero" in (results / "index.html").read_text()


def test_any_stored_result_is_shown(results: Path) -> None:
    store.write(dataclasses.replace(two_coins(), name="my/own"), results / "my%2Fown")
    assert comparisons("show", "my/own", "--out", results).exit_code == 0


COMMANDS = {
    "list": ["list"],
    "run": ["run", "two-coin", "--out", "{out}"],
    "components": ["components", "two-coin", "--out", "{out}"],
    "report": ["report", "{out}"],
    "show": ["show", "two-coin", "--out", "{out}"],
    "study": ["study", "clean", "--replicates", "1", "--out", "{out}"],
}
# What each command does first that may fail.
WORK = {
    "list": (catalogue, "questions"),
    "run": (processes, "run_all"),
    "components": (comparing, "compare"),
    "report": (report, "write_report"),
    "show": (store, "read"),
    "study": (campaign, "run"),
}
ENDS = {
    "unforeseen": (KeyError("nobody\nknew"), 70, "The log is "),
    "recursion": (RecursionError("too deep"), 70, "The log is "),
    "read-only": (PermissionError(30, "Read-only file system", "results/two-coin"), 2, "results/two-coin: Read-only"),
    "full": (OSError(28, "No space left on device", "results/two-coin"), 2, "No space left on device"),
    "an error without a place": (OSError("odd"), 70, "The log is "),
    "interrupted": (KeyboardInterrupt(), 130, "nterrupted"),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("command", COMMANDS)
def test_only_a_verdict_ends_in_1(command: str, end: str, results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error, status, told = ENDS[end]

    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(*WORK[command], fail)
    answer = comparisons(*(part.format(out=results) for part in COMMANDS[command]))
    assert answer.exit_code == status
    assert told in answer.stderr
    assert "Traceback" not in answer.stderr
    if status == 70:
        log = Path(answer.stderr.rpartition("The log is ")[2].strip())
        assert "Traceback" in log.read_text()
        log.unlink()


@pytest.mark.parametrize("arguments", ["list", "--help", "--version", "run --help"])
def test_nobody_reading_on_is_no_verdict(arguments: str) -> None:
    program = f"{sys.executable} -m comparisons {arguments}"
    script = f"{program} | true; exit ${{PIPESTATUS[0]}}"
    ended = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert ended.returncode in (0, 141)
    assert not ended.stderr


@pytest.mark.parametrize("end", [KeyboardInterrupt(), KeyError("nobody knew"), OSError(28, "No space left on device")])
def test_the_help_ends_as_any_command_does(end: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(context: Any) -> None:
        raise end

    monkeypatch.setattr(main, "get_help", fail)
    status = {KeyboardInterrupt: 130, KeyError: 70, OSError: 2}[type(end)]
    assert comparisons("--help").exit_code == status


def test_an_error_is_told_where_no_log_can_be_written(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied", "a place for logs")

    def unforeseen(*_: Any) -> None:
        raise KeyError("nobody knew")

    monkeypatch.setattr("tempfile.NamedTemporaryFile", fail)
    monkeypatch.setattr(store, "read", unforeseen)
    answer = comparisons("show", "two-coin", "--out", results)
    assert answer.exit_code == 70
    assert "No log can be written (Permission denied)" in answer.stderr
    assert "in unforeseen" in answer.stderr


def test_report_of_a_directory_without_results_is_wrong_use(tmp_path: Path) -> None:
    assert comparisons("report", tmp_path).exit_code == 2
