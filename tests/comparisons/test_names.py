"""Names are the user's to choose: what they hold changes no quantity and breaks no file."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from comparisons import quantities, report
from comparisons.command import terminal
from comparisons.draws_by_name import draws_of
from comparisons.quantity_names import in_prose, named, variable_and_labels
from comparisons.results import store
from comparisons.results.files import directory_name
from comparisons.results.result import Result
from comparisons.sampled import SampledResult
from tests.declared import Case
from tests.stored_results import geyser

NASTY = [
    ("HbA1c [%]", "mmol/L", "../a/b"),
    ("a,b", "[x]", "x\\y"),
    ("one\ntwo\n\nthree", "<b>&amp;</b>", "a\nb"),
    ("$x$ \\frac{", "{}%$#_^~", "${}"),
    ('"quoted"', "'quoted'", '"'),
    ("שלום", "مرحبا", "עברית"),
    ("x" * 10_000, "y" * 10_000, "z" * 10_000),
    ("]", "[", "%2F"),
]


def renamed(first: str, second: str, name: str) -> SampledResult:
    """The stored result with its components and features called so, wherever they stand."""
    result = geyser()
    new = {"short": first, "long": second, "eruptions": first, "waiting": second}
    fields = json.loads(store.encode(Result(**{f: getattr(result, f) for f in Result.__dataclass_fields__})))

    def labels(text: str) -> str:
        variable, own = variable_and_labels(text)
        return f"{variable}[{', '.join(new[label] for label in own)}]" if own else new.get(text, text)

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {labels(k) if re.search(r"\[|^(eruptions|waiting)$", k) else k: walk(v) for k, v in value.items()}
        if isinstance(value, list):
            return [walk(v) for v in value]
        return labels(value) if isinstance(value, str) and re.fullmatch(r"\w+\[[\w, ]+\]|\w+", value) else value

    told = msgspec.convert({**walk(fields), "name": name, "title": f"{first} and {second}"}, Result)
    posterior = result.posterior.copy()
    dataset = posterior["posterior"].to_dataset()
    coords = {
        dim: [new[str(v)] for v in dataset[dim].values]
        for dim in ("component", "feature", "feature_2")
        if dim in dataset.dims
    }
    posterior["posterior"] = type(posterior)(dataset.assign_coords(coords))
    return SampledResult(**{f: getattr(told, f) for f in Result.__dataclass_fields__}, posterior=posterior)


@pytest.mark.parametrize(
    ("first", "second", "name"), [NASTY[0], *NASTY[2:4], *NASTY[5:7]], ids=lambda name: repr(name)[:20]
)
def test_every_file_holds_any_name(
    first: str, second: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = renamed(first, second, name)
    directory = tmp_path / directory_name(name)
    store.write(result, directory)
    again, posterior = store.read(directory), store.read_posterior(directory)
    assert again.model.component_names == [first, second]
    assert [q.name for q in again.quantities] == [q.name for q in result.quantities]
    for quantity, plain in zip(result.quantities, geyser().quantities, strict=True):
        drawn, expected = draws_of(posterior, quantity.name), draws_of(geyser().posterior, plain.name)
        assert drawn is not None
        assert expected is not None
        assert (drawn == expected).all()
        assert quantity.scale == plain.scale
    page = report.write_report(directory).read_text(encoding="utf-8")
    report.write_index(tmp_path)
    assert "<b>&amp;</b>" not in page
    rows = list(csv.DictReader(io.StringIO((directory / "estimates.csv").read_text(encoding="utf-8"), newline="")))
    assert [row["name"] for row in rows] == [q.name for q in result.quantities]
    latex = (directory / "paper" / "table.tex").read_text(encoding="utf-8")
    assert "\n\n" not in latex.strip()
    assert len([line for line in latex.splitlines() if line.endswith(r"\\")]) == 3 * len(rows) + 1
    assert json.loads((directory / "result.json").read_text(encoding="utf-8"))["name"] == name
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([directory_name(name), "index.html"])
    terminal.print_result(replace(again, quantities=again.quantities[:3]))
    assert "Verdict" in capsys.readouterr().out


def test_the_labels_of_a_quantity_are_read_as_they_were_written() -> None:
    for case in (Case(2, 2, "free"), Case(3, 2, "equal", "tied")):
        problem = case.problem(1)
        for first, second, _ in NASTY:
            comparison = replace(
                problem.comparison,
                components=(first, second),
                features=(first, second, "other")[: len(problem.comparison.features)],
            )
            declared = replace(problem, comparison=comparison)
            for name in quantities.names(declared):
                variable, labels = variable_and_labels(name)
                assert set(labels) <= {first, second, "other"}
                diagonal = variable == "covariances" and labels[-1] == labels[-2]
                assert (problem.family.scale(name) == "log") == diagonal


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["means[2]"], "mean of component 2"),
        (["head_probabilities[A]"], "head probability of component A"),
        (["covariances[short, a, a]"], "variance of a in component “short”"),
        (
            ["covariances[short, a, b]", "covariances[long, a, b]"],
            "covariances of a and b in components “short” and “long”",
        ),
        (["covariances[a, a]"], "variance of a"),
        (["chance_of_heads"], "chance of heads"),
        (["success[1]"], "success of component 1"),
        (["radius[1]"], "radius of component 1"),
        (["standard_deviations"], "standard deviations"),
        (["weights[1]", "means[1]", "weights[2]"], "weights of components 1 and 2 and mean of component 1"),
        (["means[1, HbA1c [%]]"], "mean of “HbA1c [%]” in component 1"),
        (["a", "b", "c", "d"], "4 quantities, named in the table"),
    ],
)
def test_quantities_have_names_that_a_sentence_can_bear(names: list[str], told: str) -> None:
    assert named(names) == told
    if len(names) == 1:
        assert in_prose(names[0]) == told
