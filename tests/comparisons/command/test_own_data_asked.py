"""The command line for own data: what is asked for, what goes before what, and how a stored result is asked for again."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from comparisons.command import own_data, processes, progress
from comparisons.command.command_line import main
from comparisons.command.processes import Finished, Outcome, Stage, Task
from comparisons.components import comparing, record
from comparisons.results import store
from comparisons.settings import REUSED
from tests.stored_components import components as stored_components
from tests.stored_results import two_coins

PEOPLE = "height,sex,day\n" + "".join(f"{150 + 7 * k % 40}.5,{'fm'[k % 2]},2024-01-{k + 1:02}\n" for k in range(24))


def comparisons(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a data set and a TOML file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "people.csv").write_text(PEOPLE)
    (tmp_path / "study.toml").write_text('data = "people.csv"\ncolumns = "height"\nn_components = 2\nseed = 5\n')
    return tmp_path


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[Task]:
    """What is given to run; a result with its command is stored for each."""
    found: list[Task] = []

    def pretended(tasks: Sequence[Task], jobs: int, tell: Callable[[Stage | Outcome], None]) -> list[Outcome]:
        from comparisons import own

        found[:] = tasks
        for each in tasks:
            made = two_coins()
            told = dataclasses.replace(
                made.provenance, command=f"{each.command} --seed {each.seed} --draws 1000 --chains 4"
            )
            sha256 = own.declared(**each.own or {}).dataset.sha256
            data = dataclasses.replace(made.data, sha256=sha256)
            store.write(dataclasses.replace(made, name=each.name, provenance=told, data=data), each.out / each.name)
        return [Finished(each.name, "agree", "a summary.", 1.0) for each in tasks]

    monkeypatch.setattr(processes, "run_all", pretended)
    return found


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What numbers of components are compared; the record is one that was stored."""
    found: list[tuple[Any, ...]] = []

    def pretended(asked: Any, most: int | None = None, **options: Any) -> record.Components:
        found.append((asked, most, options["command"], options["seed"]))
        made = stored_components()
        key = "" if isinstance(asked, str) else comparing._key(asked, asked.dataset.sha256, most or 0, options["seed"])
        return dataclasses.replace(made, provenance=dataclasses.replace(made.provenance, key=key))

    monkeypatch.setattr(comparing, "compare", pretended)
    return found


def test_the_rows_are_told_again_at_the_end(folder: Path, ran: list[Task]) -> None:
    (folder / "people.csv").write_text(PEOPLE + ",f,2024-02-01\n")
    told = comparisons("run", "--data", "people.csv", "--column", "height", "--components", "2", "--missing", "drop")
    last = told.stderr.splitlines()[-2]
    assert last.startswith("24 rows of people.csv.")
    assert "1 of 25 rows is left out" in last


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--prior", "prior stands in a file: comparisons init FILE.toml"),
        ("--n-components", "Did you mean '--components'?"),
        ("--colum", "--column"),
    ],
)
def test_an_option_that_is_called_otherwise_is_told(folder: Path, option: str, message: str) -> None:
    answer = comparisons("run", "--data", "people.csv", option, "2")
    assert answer.exit_code == 2
    assert message in answer.output


def test_a_column_beside_one_with_a_title_stands_for_itself(folder: Path, ran: list[Task]) -> None:
    (folder / "plane.csv").write_text("x,y\n" + "".join(f"{k % 7},{k % 5}\n" for k in range(30)))
    comparisons("run", "--data", "plane.csv", "--column", "x", "--column", "height (cm)=y", "--components", "2")
    assert (ran[0].own or {})["columns"] == {"x": "x", "height (cm)": "y"}


def test_several_numbers_are_a_comparison_each_and_one_table(
    folder: Path, ran: list[Task], compared: list[tuple[Any, ...]]
) -> None:
    answer = comparisons("run", "--data", "people.csv", "--column", "height", "--components", "2:4")
    assert answer.exit_code == 0, answer.output
    assert [(each.name, (each.own or {})["n_components"]) for each in ran] == [(f"people-{k}", k) for k in (2, 3, 4)]
    assert [each.command for each in ran] == [
        f"comparisons run --data people.csv --family gaussians --column height --components {k} --name people-{k}"
        for k in (2, 3, 4)
    ]
    ((asked, most, command, _),) = compared
    assert (asked.comparison.n_components, most) == (4, 4)
    assert command.startswith("comparisons components --data people.csv")
    tables = {(folder / "results" / f"people-{k}" / record.FILE).read_text() for k in (2, 3, 4)}
    assert len(tables) == 1
    assert "how many components?" in answer.stdout
    again = ["run", "--data", "people.csv", "--column", "height", "--components", "2:4"]
    comparisons(*again)
    assert len(compared) == 1
    comparisons(*again, "--fresh")
    assert len(compared) == 2


def test_the_name_of_several_numbers_points_at_each(
    folder: Path, ran: list[Task], compared: list[tuple[Any, ...]]
) -> None:
    comparisons("run", "--data", "people.csv", "--column", "height", "--components", "1:2")
    answer = comparisons("show", "people")
    assert answer.exit_code == 2
    assert "each a result of its own: people-1, people-2; see one with: comparisons show people-1" in answer.stderr
    assert "comparisons show people-1" not in comparisons("show", "peo").stderr


@pytest.mark.parametrize("told", ['"2:3"', "[3, 2]"])
def test_a_file_may_ask_for_several_numbers(
    told: str, folder: Path, ran: list[Task], compared: list[tuple[Any, ...]]
) -> None:
    (folder / "study.toml").write_text(f'data = "people.csv"\ncolumns = "height"\nn_components = {told}\n')
    assert comparisons("run", "study.toml").exit_code == 0
    assert [each.command for each in ran] == [
        f"comparisons run study.toml --components {k} --name study-{k}" for k in (2, 3)
    ]
    assert compared[0][1] == 3


def test_the_command_line_goes_before_the_file_and_that_is_said(folder: Path, ran: list[Task]) -> None:
    answer = comparisons("run", "study.toml")
    assert (ran[0].seed, ran[0].name, ran[0].command) == (5, "study", "comparisons run study.toml")
    assert "taken from the command line" not in answer.stderr
    answer = comparisons("run", "study.toml", "--seed", "7", "--components", "3", "--weights", "equal")
    assert (ran[0].seed, (ran[0].own or {})["n_components"], (ran[0].own or {})["weights"]) == (7, 3, "equal")
    assert ran[0].command == "comparisons run study.toml --components 3 --weights equal"
    assert "study.toml: n_components is taken from the command line, in place of 2." in answer.stderr
    assert "study.toml: seed is taken from the command line, in place of 5." in answer.stderr


def test_a_stored_result_is_asked_for_again_by_its_name(
    folder: Path, ran: list[Task], compared: list[tuple[Any, ...]]
) -> None:
    comparisons("run", "--data", "people.csv", "--column", "height", "--components", "2", "--seed", "9")
    assert "people " in comparisons("list").stdout
    assert "people " not in comparisons("list", "--out", folder / "elsewhere").stdout
    first = ran[0]
    assert comparisons("run", "people").exit_code == 0
    assert (ran[0].name, ran[0].seed, ran[0].command) == ("people", 9, first.command)
    assert comparisons("components", "people").exit_code == 0
    (asked, most, command, _) = compared[0]
    assert (asked.comparison.n_components, most) == (2, None)
    assert command == first.command.replace(" run ", " components ")
    comparisons("run", "study.toml")
    comparisons("components", "study", "--out", folder / "results")
    assert compared[1][2] == "comparisons components study.toml"
    (folder / "people.csv").write_text(PEOPLE + "160.5,f,2024-02-01\n")
    assert "people.csv has changed since people was run" in comparisons("components", "people").stderr


def test_a_result_of_other_data_is_not_replaced_in_silence(folder: Path, ran: list[Task]) -> None:
    asked = ("run", "--data", "people.csv", "--column", "height", "--components", "2")
    assert "will be replaced" not in comparisons(*asked).stderr
    # What is stored now is of five bags of tosses.
    assert "people: the stored result is of other data or columns and will be replaced" in comparisons(*asked).stderr
    assert "will be replaced" not in comparisons(*asked, "--name", "other").stderr


def test_a_result_of_another_version_is_run_again_by_its_name(folder: Path, ran: list[Task]) -> None:
    comparisons("run", "study.toml")
    path = folder / "results" / "study" / store.RESULT
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 1}))
    assert comparisons("run", "study").exit_code == 0
    assert ran[0].command == "comparisons run study.toml"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 1}))
    answer = comparisons("components", "study")
    assert (answer.exit_code, "schema version 1" in answer.stderr) == (2, True)
    path.write_text("{")
    assert "the result of study in results is damaged" in comparisons("run", "study").stderr


def test_a_result_from_python_is_asked_for_in_python(folder: Path) -> None:
    made = two_coins()
    told = dataclasses.replace(made.provenance, command="comparisons.compare(a_pandas_DataFrame, n_components=2)")
    store.write(dataclasses.replace(made, name="mine", provenance=told), folder / "results" / "mine")
    for command in ("run", "components"):
        answer = comparisons(command, "mine")
        assert answer.exit_code == 2
        assert "mine was made in Python; ask there, as it was: comparisons.compare(a_pandas_DataFrame" in answer.stderr


def test_components_of_own_data_need_no_number(folder: Path, compared: list[tuple[Any, ...]]) -> None:
    assert comparisons("components", "--data", "people.csv", "--column", "height").exit_code == 0
    assert compared[0][0].comparison.n_components == 2
    assert comparisons("components", "study.toml", "--max", "4").exit_code == 0
    assert compared[1][1:] == (4, "comparisons components study.toml", 5)
    assert comparisons("components", "study.toml", "--seed", "6").exit_code == 0
    assert compared[2][3] == 6


REFUSED: dict[str, tuple[list[str], str]] = {
    "two data": (["--data", "people.csv", "study.toml"], "--data and study.toml are two things to do"),
    "no data": (["--column", "height"], "--column belongs to your own data, whose file --data names"),
    "the catalogue too": (["study.toml", "two-coin", "--components", "2"], "and two-coin is of the catalogue"),
    "one name twice": (["study.toml", "sub/study.toml"], "two results would be called 'study'"),
    "labels say how many": (
        ["--data", "people.csv", "--column", "height", "--labels", "sex", "--components", "2:3"],
        "rows of people are labelled",
    ),
    "no numbers": (["--data", "people.csv", "--components", "4:2"], "'4:2'; give a whole number from 1, or the first"),
    "none": (["--data", "people.csv", "--components", "0"], "'0'; give a whole number from 1"),
    "a file as a name": (["people.csv"], "for your own data: comparisons run --data people.csv"),
    "no such file": (["none.toml"], "there is no file none.toml; write one with: comparisons init none.toml"),
    "a wrong line": (["study.toml", "--column", "heigth"], "study.toml: people.csv has no column 'heigth'"),
    "more than rows": (["--data", "people.csv", "--column", "height", "--components", "24:25"], "there are 24 rows for 25"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_contradicts_itself_is_refused_before_anything_runs(kind: str, folder: Path, ran: list[Task]) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "study.toml").write_text('data = "../people.csv"\ncolumns = "height"\nn_components = 2\n')
    arguments, told = REFUSED[kind]
    answer = comparisons("run", *arguments)
    assert answer.exit_code == 2, answer.output
    assert told in " ".join(answer.stderr.split())
    assert not ran


def test_init_writes_what_was_asked_for(folder: Path, ran: list[Task], compared: list[tuple[Any, ...]]) -> None:
    (folder / "people.csv").write_text(PEOPLE + ",f,\n")
    asked = ["--data", "people.csv", "--column", "stature (cm)=height", "--weights", "equal", "--covariance", "tied"]
    written = comparisons("init", "mine.toml", *asked, "--components", "1:2", "--name", "ours")
    assert written.exit_code == 0, written.output
    assert "1 of 25 rows is left out" in written.stderr
    assert comparisons("run", "mine.toml").exit_code == 0
    assert [each.name for each in ran] == ["ours-1", "ours-2"]
    assert (ran[0].own or {}) == {
        "data": "people.csv",
        "family": "gaussians",
        "columns": {"stature (cm)": "height"},
        "n_components": 1,
        "weights": "equal",
        "covariance": "tied",
        "missing": "drop",
        "name": "ours-1",
    }
    for arguments, told in (
        (["mine.toml", *asked], "mine.toml is there already"),
        (["mine", *asked], "mine has to end in .toml"),
        (["other.toml"], "the file of your data is missing; name it with --data"),
        (["other.toml", "--data", "people.csv", "--column", "day"], "it is a date"),
    ):
        assert told in comparisons("init", *arguments).stderr


def test_families_are_listed_with_their_columns() -> None:
    listed = comparisons("families").stdout
    assert all(word in listed for word in ("coins", "events, whole numbers from 0", "FILE.py:NAME"))


@pytest.mark.parametrize(("told", "found"), [(2, [2]), ("3", [3]), ("2:4", [2, 3, 4]), ([4, 2, 2], [2, 4])])
def test_numbers_of_components_are_one_or_several(told: Any, found: list[int]) -> None:
    assert own_data.numbers(told) == found


@pytest.mark.parametrize("told", [0, -1, 2.5, "", "2:", "4:2", "2:3:4", "x", [], [0, 1], True, ["2:3"]])
def test_what_is_no_number_of_components_is_refused(told: Any) -> None:
    with pytest.raises(ValueError, match="give a whole number from 1, or the first and the last of several"):
        own_data.numbers(told)


def test_where_there_is_no_terminal_each_stage_has_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.shown(2) as show:
        for event in (Stage("a", "sampling"), Stage("b", REUSED), Finished("b", "agree", "", 0.1, True)):
            show(event)
    assert capsys.readouterr().err.splitlines() == ["a: sampling ...", f"b: agree ({REUSED})"]
