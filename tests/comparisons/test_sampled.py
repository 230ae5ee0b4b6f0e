"""Claims about what people go on with from a result: its table, its figure, a notebook's page, and files. Nothing is fitted."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path

import pandas as pd
import pytest

from comparisons import report
from comparisons.quantity_names import in_prose
from comparisons.report.digits import prose
from comparisons.report.estimates import csv_table
from comparisons.report.explanations import check_in_words, to_report
from comparisons.results import store
from comparisons.results.result import Result
from comparisons.sampled import SampledResult
from tests.report_pages import RESULTS, Page
from tests.stored_results import geyser, two_coins

each_result = pytest.mark.parametrize("result", [make() for make in RESULTS.values()], ids=list(RESULTS))


@each_result
def test_the_table_is_that_of_the_file(result: SampledResult) -> None:
    assert result.table.to_csv(lineterminator="\n") == csv_table(result)
    words = {
        "profile_reason",
        "profile_coinciding",
        "scale",
        "verdict",
        "degree",
        "instead",
        "missed",
        "reason",
        "note",
    }
    assert not result.table[list(words)].isna().any(axis=None)
    assert {dtype.kind for dtype in result.table.drop(columns=list(words)).dtypes} == {"f"}


def test_the_table_has_what_the_result_has_and_nan_where_that_is_nothing() -> None:
    result = geyser()
    for quantity in result.quantities:
        told = result.table.loc[quantity.name]
        assert told["em"] == quantity.em
        assert told["posterior_mean"] == quantity.posterior.mean
        assert told["verdict"] == quantity.verdict
    assert pd.isna(result.table["em_se"]).tolist() == [q.em_se is None for q in result.quantities]
    nothing = replace(result, quantities=[]).table
    assert (len(nothing), nothing.index.name) == (0, "name")


def test_what_is_saved_is_what_a_run_writes(tmp_path: Path) -> None:
    result = geyser()
    page = result.save(tmp_path / "saved")
    by_run = tmp_path / "run" / result.name
    store.write(result, by_run)
    report.write_report(by_run, own=True)
    saved = tmp_path / "saved" / result.name
    assert page == saved / "report.html"
    files = {path.relative_to(by_run) for path in by_run.rglob("*") if path.is_file()}
    assert files == {path.relative_to(saved) for path in saved.rglob("*") if path.is_file()}
    for name in files - {Path(store.POSTERIOR)}:
        assert (saved / name).read_bytes() == (by_run / name).read_bytes(), name
    assert report.is_current(saved)
    assert store.read(saved) == Result(**{each.name: getattr(result, each.name) for each in fields(Result)})
    assert f"{result.name}/report.html" in Page((tmp_path / "saved" / "index.html").read_text()).links


def test_saving_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    result = two_coins()
    first = result.save(tmp_path).parent
    store.begin_run(result.name, first)
    replace(result, summary="Another.").save(tmp_path)
    assert store.later_run(first) is None
    assert store.read(first).summary == "Another."
    assert replace(result, name="my/own").save(str(tmp_path)).parent == tmp_path / "my%2Fown"
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        result.save(tmp_path / "file")


@each_result
def test_a_notebook_shows_verdict_summary_and_table(result: SampledResult) -> None:
    page = Page(result._repr_html_())
    assert page.words[0] == f"{result.title}: {result.verdict}"
    assert prose(result.summary) in page.text
    assert prose(result.advice) in page.text
    assert all(check_in_words(check.name) in page.text for check in result.checks)
    assert [row[0] for row in page.rows[1:]] == [in_prose(q.name) for q in result.quantities]
    assert [row[-1] for row in page.rows[1:]] == [to_report(q) for q in result.quantities]
    assert page.elements["script"] == 0


def test_a_notebook_shows_words_as_words_and_rounds_by_the_uncertainty() -> None:
    coins = replace(two_coins(), title="<script>alert(1)</script>")
    assert "script" not in Page(coins._repr_html_()).elements
    row = Page(coins._repr_html_()).rows[1]
    assert row[:4] == ["head probability of component B", "0.520", "0.095", "0.346 to 0.689"]
    assert "† One point of a ridge" in RESULTS["ridge"]()._repr_html_()
    assert "The chains have not converged" in RESULTS["unconverged"]()._repr_html_()
    assert "The chains have not converged" not in coins._repr_html_()
    nothing = replace(coins, quantities=[])
    assert Page(nothing._repr_html_()).rows == []


def test_a_result_is_frozen_and_its_module_loads_nothing_heavy() -> None:
    with pytest.raises(FrozenInstanceError):
        two_coins().verdict = "agree"  # type: ignore[misc]
    code = "import sys, comparisons.sampled; print({'pandas', 'matplotlib', 'pymc', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_figure_is_one_to_save(tmp_path: Path) -> None:
    two_coins().plot().save(tmp_path / "intervals.png")
    assert (tmp_path / "intervals.png").read_bytes().startswith(b"\x89PNG")
