"""Claims about comparisons of rows of which cells are missing: what is kept, what is said, and what is made of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import comparisons
from comparisons import own, toml_files
from comparisons.command.command_line import main
from comparisons.declaration import Comparison
from comparisons.families import FAMILIES
from comparisons.model_fit.goodness_of_fit import goodness_of_fit
from comparisons.pipeline import _data
from models import Measurements
from tests.declared import declare
from tests.em.test_missing_cells import two_clusters

TEXT = """height (cm);weight (kg);sex;n
181,5;80;male;1
;75;female;2
160,5;;;1
;;;1
;;male;3
170;60;;1
176;71;;1
165;62;female;1
"""


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text(TEXT)
    return path


def marginal(people: Path, **changed: Any) -> own.Own[Comparison]:
    options: dict[str, Any] = {"columns": ["height", "weight"], "labels": "sex", "counts": "n", "missing": "marginal"}
    return own.declared(people, **(options | changed))


def test_rows_with_a_value_or_a_label_are_kept_and_what_is_missing_is_counted(people: Path) -> None:
    found = marginal(people)
    rows = found.comparison.data(found.dataset)
    assert isinstance(rows, Measurements)
    expected = [[181.5, 80], [np.nan, 75], [160.5, np.nan], [np.nan, np.nan], [170, 60], [176, 71], [165, 62]]
    np.testing.assert_array_equal(rows.y, expected)
    assert rows.labels.tolist() == [1, 0, -1, 1, -1, -1, 0]
    assert "1 of 8 rows is left out: it has neither a value nor a label." in found.notes
    told = "9 of 20 cells are missing. Rows are kept by the marginal density of what was seen"
    assert any(note.startswith(told) for note in found.notes)
    assert told in found.comparison.description
    assert found.command.endswith("--missing marginal")
    assert found.told["dropped"] == 1


def test_rows_are_refused_by_default_with_all_that_can_be_done(people: Path) -> None:
    with pytest.raises(ValueError, match=r'or keep them with missing="marginal" \(--missing marginal\)'):
        marginal(people, missing="refuse")
    others = [family for family in FAMILIES.values() if not family.marginal]
    assert others
    for family in others:
        data = {role: [1, None] for role in family.roles[:2] or ("y", "x")}
        with pytest.raises(ValueError, match=f"rows of {family.name} have no density of their other cells"):
            own.declared(data, family.name, 1, missing="marginal", columns=list(data))
    with pytest.raises(ValueError, match="of counts none may be missing"):
        own.declared({"y": [1.0, 2, 3], "n": [1, None, 2]}, n_components=1, columns="y", counts="n", missing="marginal")
    with pytest.raises(ValueError, match=r"missing is for tables, and data are models.Measurements"):
        own.declared(Measurements([1.0, 2.0, 3.0]), n_components=1, missing="marginal")


def test_a_toml_file_and_the_command_line_know_it(people: Path) -> None:
    options: dict[str, Any] = {"columns": ["height", "weight"], "labels": "sex", "counts": "n", "missing": "marginal"}
    path = people.parent / "study.toml"
    asked = own.declared(people, name="study", **options)
    path.write_text(toml_files.template(asked, options | {"data": people.name}))
    assert own.key_of(own.declared(**toml_files.read(path))) == own.key_of(asked)
    done = CliRunner().invoke(main, ["run", "--data", str(people), "--missing", "keep"])
    assert "'keep' is not one of 'refuse', 'drop', 'marginal'" in done.output


def test_what_is_drawn_has_the_same_cells_missing() -> None:
    data = Measurements(two_clusters(np.random.default_rng(1), d=2).round(1), missing="marginal")
    problem = declare(data)
    family, random = problem.family, np.random.default_rng(2)
    point = problem.random_parameters(random)
    for drawn in family.replicates(data, [point] * 2, random):
        np.testing.assert_array_equal(drawn.observed, data.observed)
        seen = drawn.y[drawn.observed]
        np.testing.assert_allclose(seen, seen.round(1), atol=1e-9)
    drawn = family.simulated(data, point, random.integers(2, size=data.n), random)
    np.testing.assert_array_equal(drawn.observed, data.observed)


def test_statistics_margins_and_stored_columns_are_of_what_was_seen() -> None:
    y = two_clusters(np.random.default_rng(3), d=2)
    problem = declare(Measurements(y, missing="marginal"))
    family, column = problem.family, y[~np.isnan(y[:, 0]), 0]
    found = family.statistics(problem.comparison, problem.data)
    assert found["smallest 1"] == column.min()
    assert found["skewness of 1"] == pytest.approx(((column - column.mean()) ** 3).mean() / column.std() ** 3)
    margin = family.margins(problem)[0]
    assert np.isfinite(margin.grid).all()
    np.testing.assert_array_equal(np.sort(margin.values[~np.isnan(margin.values)]), np.sort(column))
    gap = int(np.flatnonzero(np.isnan(problem.data.y[:, 0]))[0])
    assert family.row(problem, gap).startswith("1 missing, 2 ")
    stored = _data(problem, own.declared({"y": [1.0, 2.0]}, n_components=1).dataset).columns["1"]
    assert stored[gap] is None
    assert stored.count(None) == np.isnan(y[:, 0]).sum()


def test_distances_are_placed_among_replicates_with_the_same_cells_missing() -> None:
    problem = declare(Measurements(two_clusters(np.random.default_rng(4), n=60, d=2), missing="marginal"))
    found = goodness_of_fit(problem, problem.fit(None), np.random.default_rng(5))
    assert len(found.distances) == 2
    assert all(d.p_value is not None and d.p_value > 0.01 for d in found.distances)


@pytest.mark.sampling
@pytest.mark.long
def test_a_comparison_of_rows_with_missing_cells_finds_both_engines_right(tmp_path: Path) -> None:
    y = two_clusters(np.random.default_rng(6), n=150, d=2).round(2)
    result = comparisons.compare(y, n_components=2, missing="marginal", name="gaps", out=tmp_path, draws=500)
    assert {check.outcome for check in result.checks} == {"pass"}
    assert result.verdict in ("agree", "differ")
    columns = json.loads((tmp_path / "gaps" / "result.json").read_bytes())["data"]["columns"]
    assert (
        sum(columns["counts"][i] for name in ("y1", "y2") for i, v in enumerate(columns[name]) if v is None)
        == np.isnan(y).sum()
    )
    page = (tmp_path / "gaps" / "report.html").read_text(encoding="utf-8")
    assert f"{np.isnan(y).sum()} of {y.size} cells are missing" in page
