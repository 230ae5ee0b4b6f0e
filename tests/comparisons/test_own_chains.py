"""Claims about own sequences: what columns become a hidden Markov chain, what is refused and how, and that both engines agree."""

from __future__ import annotations

import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import comparisons
import models
from comparisons import toml_files
from comparisons.checks.same_density import same_density
from comparisons.command import own_data
from comparisons.command.command_line import main
from comparisons.datasets import Dataset
from comparisons.declaration import Fitted
from comparisons.own import Own
from comparisons.pairs import own_chains
from comparisons.pairs.making import problem_of
from comparisons.pairs.own_chains import LEFT_OUT, OwnChain, declared
from comparisons.results.result import Model
from comparisons.settings import REUSED
from models import LogPosterior

# Two patients, one day without a visit each, their rows not all together.
VISITS = "patient,day,seizures,score (mm)\n" + "".join(
    f"{who},{day},{seen},{score}\n"
    for who, day, seen, score in [
        ("a", 0, 1, 9.5),
        ("a", 1, 0, 10.5),
        ("b", 0, 7, 14.5),
        ("a", 2, "", ""),
        ("b", 1, 5, 13.5),
        ("a", 3, 2, 10.0),
        ("b", 2, "", 13.0),
        ("b", 3, 0, 9.0),
    ]
)
ROLES = {"events": "seizures", "sequence": "patient"}


@pytest.fixture
def visits(tmp_path: Path) -> Path:
    path = tmp_path / "visits.csv"
    path.write_text(VISITS)
    return path


def chain(*given: Any, **options: Any) -> OwnChain:
    found = declared(*given, **options)
    assert isinstance(found, OwnChain)
    return found


def sequences(found: OwnChain) -> models.Sequences:
    y = found.comparison.data(found.dataset)
    assert isinstance(y, models.Sequences)
    return y


def test_a_sequence_column_tells_rows_apart_and_what_was_not_seen_stays(visits: Path) -> None:
    found = chain(visits, "hidden-markov", 2, columns=ROLES)
    y = sequences(found)
    np.testing.assert_array_equal(y.y, [1, 0, np.nan, 2, 7, 5, np.nan, 0])
    np.testing.assert_array_equal(y.lengths, [4, 4])
    told = " ".join(found.notes)
    for each in ("2 sequences by column 'patient', of 4 rows", "are put together", "2 of 8 values are missing"):
        assert each in told
    assert "Where a sequence begins it has the stationary distribution" in found.comparison.description
    # In the words of the user, missing as missing.
    np.testing.assert_array_equal(found.dataset.columns["events"], y.y)
    np.testing.assert_array_equal(found.dataset.columns["sequence"], [1, 1, 1, 1, 2, 2, 2, 2])


def test_the_name_of_a_column_says_what_states_emit(visits: Path) -> None:
    measured = chain(visits, "hidden-markov", 2, columns="score")
    assert measured.told["emissions"] == "normal"
    assert (measured.comparison.unit, measured.comparison.title) == ("mm", "score of visits.csv")
    assert "counts are named --column events=NAME" in " ".join(measured.notes)
    assert chain({"events": [0, 4, 2]}, "hidden-markov", 2).told["emissions"] == "poisson"
    coins = chain({"heads": [1, None, 3], "tosses": [4, None, 5]}, "hidden-markov", 2)
    assert coins.told["emissions"] == "binomial"
    np.testing.assert_array_equal(sequences(coins).tosses, [4, 1, 5])
    np.testing.assert_array_equal(sequences(chain({"heads": [1, 0, 1]}, "hidden-markov", 2)).tosses, [1, 1, 1])


def test_the_command_asks_for_the_same_again(visits: Path) -> None:
    found = chain(str(visits), "hidden-markov", 2, columns=ROLES)
    words = shlex.split(found.command)
    assert words[:2] == ["comparisons", "run"]
    context = main.commands["run"].make_context("run", words[2:])
    own = {key: context.params[key] for key in ("data", "family", "columns", "n_components")}
    (again,) = own_data.asked(context, (), own, None)
    assert again.own.told == found.told
    assert again.own.dataset.sha256 == found.dataset.sha256
    in_python = chain({"events": [0, 4, 2]}, "hidden-markov", 2, prior=models.PoissonPrior(2.0, 1.0))
    assert in_python.command.startswith("comparisons.compare(a_mapping_of_columns, family='hidden-markov'")


def test_another_prior_or_number_of_states_is_another_comparison() -> None:
    data = {"events": [0, 4, 2, 0, 5]}
    told = [
        chain(data, "hidden-markov", 2).told,
        chain(data, "hidden-markov", 3).told,
        chain(data, "hidden-markov", 2, prior=models.PoissonPrior(2.0, 1.0)).told,
        chain({"events": [0, 4, 2, 0, 6]}, "hidden-markov", 2).told,
        chain({"events": [0, 4, 2, 0, 5], "sequence": [1, 1, 2, 2, 2]}, "hidden-markov", 2).told,
    ]
    assert all(a != b for place, a in enumerate(told) for b in told[:place])


@pytest.mark.parametrize("option", LEFT_OUT)
def test_what_belongs_to_mixtures_is_refused_with_the_reason(option: str, visits: Path) -> None:
    value: Any = ["x", "y"] if option == "components" else "patient"
    with pytest.raises(
        ValueError, match=rf"^{option} is .*, but in a hidden Markov chain {LEFT_OUT[option]}; leave it"
    ):
        declared(visits, "hidden-markov", 2, columns=ROLES, **{option: value})


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "rows left out": ({"missing": "drop"}, "without a row others would follow each other in time"),
    "cells that are refused": ({"missing": "refuse"}, r"column 'seizures' has 2 missing values, the first in line 5"),
    "no number of states": ({"n_components": None}, "say how many states there are"),
    "one state": ({"n_components": 1}, "a chain of one state has no order"),
    "several numbers": ({"n_components": [2, 3]}, "compare one number at a time"),
    "more states than values": (
        {"n_components": 7},
        r"n_components is 7 but column 'seizures' of visits.csv has 6 values",
    ),
    "counts that are none": (
        {"columns": {"events": "score"}},
        r"column 'score \(mm\)' in line 2 of visits.csv is 9.5; poisson states .* name the column without events=",
    ),
    "heads beyond the tosses": (
        {"columns": {"heads": "seizures", "sequence": "patient"}},
        r"column 'seizures' in line 7 of visits.csv is 2; .* or name a column of tosses",
    ),
    "words": ({"columns": {"events": "patient"}}, "column 'patient' is not numeric: it has 'a' in line 2"),
    "two columns": ({"columns": ["score", "seizures"]}, r"columns has score \(mm\), seizures, but states emit one"),
    "none of them named": ({"columns": None}, "name the column of what was seen"),
    "tosses alone": ({"columns": {"tosses": "day"}}, "needs a column of what was seen"),
    "one for two purposes": ({"columns": {"events": "day", "sequence": "day"}}, "named for two purposes"),
    "a prior of others": ({"prior": models.CoinPrior()}, "of poisson states give a models.PoissonPrior"),
    "a name of the catalogue": ({"name": "earthquakes"}, "which is a comparison of the catalogue"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_does_not_fit_is_refused_by_column_and_line(what: str, visits: Path) -> None:
    changed, message = REFUSED[what]
    with pytest.raises((ValueError, TypeError), match=message) as refused:
        declared(visits, "hidden-markov", **{"n_components": 2, "columns": ROLES, **changed})
    assert len(str(refused.value)) < 3 * 130


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"y": [3.0, 3.0, 3.0]}, "column 'y' of a mapping of columns is 3 wherever it was seen, from row 0 on"),
        ({"events": [0, 0, 0]}, "column 'events' of a mapping of columns is 0 wherever it was seen"),
        ({"events": [1, None, 2], "sequence": ["a", None, "b"]}, "column 'sequence' has no value in row 1"),
        ({"heads": [1, 0], "tosses": [1, None]}, "column 'tosses' has no value in row 1 .* where heads were seen"),
        (models.Sequences([1.0, 2.0]), "models.Sequences, which does not say what states emit"),
    ],
)
def test_data_that_say_nothing_are_refused(data: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        declared(data, "hidden-markov", 2)


def test_it_is_told_how_long_states_last() -> None:
    moves = np.array([[0.9, 0.1, 0.0], [0.25, 0.75, 0.0], [0.0, 0.0, 1.0]])
    fit: Any = SimpleNamespace(parameters={"transitions": moves})
    (told,) = own_chains.findings(Fitted(Dataset("", "", {}, ""), None, fit, {}, {}))
    assert told.text == "By EM, on average: state 1 10 rows, state 2 4 rows and state 3 for good."


def test_numbers_of_states_are_not_compared(visits: Path) -> None:
    asked = ["--data", str(visits), "--family", "hidden-markov", "--column", "events=seizures"]
    for command in (["run", "--components", "2:3"], ["components", "--components", "2"]):
        ended = CliRunner().invoke(main, [command[0], *asked, *command[1:], "--out", str(visits.parent / "results")])
        assert ended.exit_code == 2, ended.output
        assert "numbers of states are not compared with each other" in " ".join(ended.output.split())


def test_a_file_asks_for_a_chain_too(visits: Path) -> None:
    written = visits.parent / "study.toml"
    columns = ["--column", "events=seizures", "--column", "sequence=patient"]
    asked = ["init", str(written), "--data", str(visits), "--family", "hidden-markov", *columns, "--components", "2"]
    ended = CliRunner().invoke(main, asked)
    assert ended.exit_code == 0, ended.output
    text = written.read_text()
    assert "how many states" in text
    keys = {line.removeprefix("# ").partition(" =")[0] for line in text.splitlines()}
    assert not keys & {*LEFT_OUT, "missing"}
    options = toml_files.read(written)
    again = chain(**options)
    assert again.told["rows"] == chain(visits, "hidden-markov", 2, columns=ROLES).told["rows"]
    written.write_text(f"{text}\n[prior]\nshape = 2\nrate = 1\n")
    with pytest.raises(ValueError, match="prior of hidden-markov is told in Python alone"):
        toml_files.read(written)


def test_mixtures_go_their_own_way_and_the_family_is_listed(visits: Path) -> None:
    assert isinstance(declared({"events": [0, 4, 2]}, None, 2), Own)
    with pytest.raises(ValueError, match="did you mean 'hidden-markov'"):
        declared({"events": [0, 4, 2]}, "hidden-markow", 2)
    told = CliRunner().invoke(main, ["families"]).output
    assert "hidden-markov\n    columns: measurements of any name, or events, or heads and tosses" in told


@pytest.mark.parametrize(
    "data",
    [
        {"events": [1, 0, None, 2, 7, 5, None, 6, 0, 1], "sequence": list("aaaaabbbbb")},
        {"height": [1.0, 1.5, None, 4.0, 4.4, 1.1, 0.7, 4.2]},
        {"heads": [1, 2, 0, None, 9, 8, 9, 2, 1], "tosses": [9, 9, 9, None, 9, 9, 10, 9, 9]},
    ],
)
def test_both_engines_have_the_same_density_of_own_sequences(data: dict[str, Any]) -> None:
    found = chain(data, "hidden-markov", 2)
    problem = problem_of(found.comparison, sequences(found))
    assert problem.constants == (0.0, 0.0)
    fits = (problem.fit(None), problem.fit(True))
    check = same_density(problem, LogPosterior(problem.program), fits, np.random.default_rng(1))
    assert check.outcome == "pass", check.explanation
    told: Model = problem.in_words()
    assert (told.family, told.parts) == ("hidden-markov", "2 states")
    assert not any("<constant>" in line for line in [*told.formula, *told.prior])
    # What was not seen is no 0 in the result.
    (first, *_) = problem.observed().values()
    assert first[[*next(iter(data.values()))].index(None)] is None


@pytest.mark.sampling
@pytest.mark.long
def test_own_sequences_come_to_a_verdict_with_a_report(tmp_path: Path) -> None:
    random, states = np.random.default_rng(3), [0]
    for _ in range(119):
        states.append(int(random.random() < (0.1, 0.8)[states[-1]]))
    seen = random.poisson(np.array([1.0, 8.0])[states]).astype(float)
    seen[[10, 77]] = np.nan
    data = {"events": seen, "sequence": np.repeat(["a", "b"], 60)}
    result = comparisons.compare(data, "hidden-markov", 2, name="visits", out=tmp_path, draws=500)
    assert {check.outcome for check in result.checks} == {"pass"}
    assert result.verdict in ("agree", "differ")
    report = (tmp_path / "visits" / "report.html").read_text(encoding="utf-8")
    assert "2 states. Family: hidden-markov; emissions: poisson; first state: stationary." in report
    assert "a state depends on the one before" in report
    assert "rate of state 1" in report
    assert "of component 1" not in report
    assert "2 of 120 values are missing, and kept with density 1" in report
    method = (tmp_path / "visits" / "paper" / "methods.md").read_text(encoding="utf-8")
    assert "a model of the family hidden-markov with 2 states" in method
    list_of_reporting = (tmp_path / "visits" / "paper" / "grolts.md").read_text(encoding="utf-8")
    assert "comparisons components" not in list_of_reporting
    reused: list[str] = []
    comparisons.compare(data, "hidden-markov", 2, name="visits", out=tmp_path, draws=500, progress=reused.append)
    assert reused == [REUSED]
