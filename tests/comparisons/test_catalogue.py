"""Claims about the declarations: each is a value that both engines can read, a script, and has sentences to tell."""

from __future__ import annotations

import dataclasses
import re
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from comparisons import catalogue, datasets, families, quantities
from comparisons.declaration import Comparison, Fitted
from comparisons.families.mixtures import MixtureProblem
from comparisons.problem import em_densities

FOLDER = Path(catalogue.__file__).parent
MIXTURES = [name for name in catalogue.names() if isinstance(catalogue.declared(name), Comparison)]
each_name = pytest.mark.parametrize("name", MIXTURES)


def problem_of(name: str) -> MixtureProblem:
    comparison = catalogue.declaration(name)
    return families.problem(comparison, comparison.data(datasets.load(comparison.dataset)))


def test_there_is_one_file_for_each_comparison() -> None:
    files = {path.stem.replace("_", "-") for path in FOLDER.glob("*.py")} - {"--init--"}
    assert files == set(catalogue.names())
    assert len(files) == 27
    assert set(catalogue.names()) - set(MIXTURES) == {"linkage", "earthquakes"}


def test_questions_are_those_of_the_declarations() -> None:
    assert catalogue.questions() == {name: catalogue.declared(name).question for name in catalogue.names()}


@each_name
def test_a_declaration_is_a_value_that_says_what_it_asks(name: str) -> None:
    comparison = catalogue.declaration(name)
    assert comparison.name == name
    assert comparison.question.endswith("?")
    for field in (comparison.title, comparison.description, comparison.prior_reason):
        assert field
    assert len(set(comparison.components)) == comparison.n_components
    with pytest.raises(dataclasses.FrozenInstanceError):
        comparison.name = "another"  # type: ignore[misc]


@each_name
def test_both_engines_can_read_a_declaration(name: str) -> None:
    problem = problem_of(name)
    again = problem_of(name)
    for field in ("counts", "labels"):
        np.testing.assert_array_equal(getattr(problem.data, field), getattr(again.data, field))
    point = problem.random_parameters(np.random.default_rng(1))
    assert np.isfinite(em_densities(problem, point)).all()
    free = {variable.name for variable in problem.model().free_RVs}
    assert free == set(problem.to_pymc(point))
    assert list(quantities.of_parameters(problem, point)) == quantities.names(problem)
    told = problem.in_words()
    assert len(told.component_names) == told.n_components
    assert told.formula
    assert told.prior


@pytest.mark.parametrize("name", catalogue.names())
def test_a_declaration_is_a_script(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[Any] = []
    monkeypatch.setattr("comparisons.command.command_line.main", lambda arguments, **_: called.append(arguments))
    monkeypatch.setattr(sys, "argv", ["script", "--seed", "3"])
    runpy.run_path(str(FOLDER / f"{name.replace('-', '_')}.py"), run_name="__main__")
    assert called == [["run", name, "--seed", "3"]]


def told_by(comparison: Comparison) -> str:
    dataset = datasets.load(comparison.dataset)
    problem = families.problem(comparison, comparison.data(dataset))
    fit = problem.fit(None, path=True)
    means = quantities.of_parameters(problem, fit.parameters)
    fitted = Fitted(dataset, problem.data, fit, means, dict.fromkeys(means, 0.1))
    findings = comparison.findings(fitted)
    assert all(finding.title for finding in findings)
    return " ".join(finding.text for finding in findings)


@each_name
def test_findings_are_sentences_with_numbers(name: str) -> None:
    text = told_by(catalogue.declaration(name))
    assert text.endswith(".")
    assert re.search(r"\d", text)
    assert not re.search(r"\b(nan|inf|None)\b|\{|\}", text)


def test_rivals_are_models_of_the_same_rows() -> None:
    pairs = [(name, rival) for name in MIXTURES if (rival := catalogue.declaration(name).rival)]
    assert pairs
    for one, other in ((problem_of(a), problem_of(b)) for a, b in pairs):
        assert one.comparison.dataset == other.comparison.dataset
        assert one.family is not other.family
        np.testing.assert_array_equal(one.family.columns(one.data), other.family.columns(other.data))
        np.testing.assert_array_equal(one.data.counts, other.data.counts)
