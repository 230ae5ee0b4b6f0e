"""The index tells of every directory what its result tells, in order, small enough for a thousand of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html import escape
from pathlib import Path
from urllib.parse import unquote

import pytest

from comparisons.report import write_index
from comparisons.report.index import SEVEREST_FIRST, Row
from comparisons.results import store
from comparisons.results.result import Quantity, Verdict
from comparisons.sampled import SampledResult
from tests.report_pages import RESULTS, Page, page
from tests.stored_results import two_coins

PAGE_ALONE = 20_000
HOSTILE = "\"><script>alert('run')</script>&amp;\u202e"


def stored(out: Path, name: str, **changes: object) -> SampledResult:
    result = replace(two_coins(), name=name, **changes)  # type: ignore[arg-type]
    store.write(result, out / name)
    return result


def rows(out: Path) -> list[list[str]]:
    return [[" ".join(cell.split()) for cell in row] for row in page(out / "index.html").rows[1:]]


def test_each_row_tells_verdict_quantities_that_differ_rows_and_date(out: Path) -> None:
    found = rows(out)
    assert len(found) == len(RESULTS)
    for make in RESULTS.values():
        result = make()
        (row,) = (each for each in found if f" {result.name} " in each[0])
        differing = [q for q in result.quantities if q.verdict == "differ"]
        assert row[0].startswith(result.title)
        assert row[1].split(maxsplit=1)[1] == f"{result.verdict} {result.degree or ''}".strip()
        assert row[2] == f"{len(differing)} of {len(result.quantities)}"
        assert row[3:5] == [str(result.data.n), result.provenance.started[:10]]


def test_pictures_are_files_that_are_loaded_when_seen(out: Path) -> None:
    text = (out / "index.html").read_text(encoding="utf-8")
    pictures = re.findall(r'<img src="([^"]*)" alt="" loading="lazy"', text)
    assert sorted(pictures) == sorted(f"{name}/figures/forest.svg" for name in RESULTS)
    assert all((out / picture).exists() for picture in pictures)
    assert "<svg" not in text


def test_a_row_needs_little_more_than_its_words(tmp_path: Path) -> None:
    result = stored(tmp_path, "first")
    sizes = [write_index(tmp_path).stat().st_size]
    stored(tmp_path, "other")
    sizes.append(write_index(tmp_path).stat().st_size)
    words = len(result.title) * 2 + len(result.question) + len(result.summary)
    assert sizes[0] < PAGE_ALONE
    assert sizes[1] - sizes[0] < words + 1000


def test_those_asked_for_come_first_the_others_by_name_and_what_has_no_result_last(tmp_path: Path) -> None:
    for name in ("b", "z", "c"):
        stored(tmp_path, name)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / store.RESULT).write_text("{")
    store.fail_run("crashed", tmp_path / "crashed", "ZeroDivisionError: by zero")
    store.fail_run("b", tmp_path / "b", "ValueError: of a later run")
    write_index(tmp_path, ["z"])
    found = rows(tmp_path)
    title = two_coins().title
    assert [row[0].removeprefix(title).split()[0] for row in found] == ["z", "b", "c", "a", "crashed"]
    assert [row[1].split(maxsplit=1)[1] for row in found][3:] == ["no result"] * 2
    assert "run the comparison again" in found[3][0]
    assert "crashed: ZeroDivisionError: by zero." in found[4][0]
    assert "crashed: ValueError: of a later run. What follows is of an earlier run." in found[1][0]
    assert found[4][2:] == ["–", "–", "–", ""]


def test_verdicts_are_sorted_by_what_needs_a_reader_first() -> None:
    def severity(verdict: str, degree: str | None = None) -> int:
        return Row("", "", "", "", verdict, degree).severity  # type: ignore[arg-type]

    order = [severity("no result"), severity("wrong"), severity("inconclusive")]
    order += [severity("differ", degree) for degree in ("no interval", "marked", "slight")] + [severity("agree")]
    assert order == sorted(set(order))
    assert set(SEVEREST_FIRST) == {"no result", *Verdict.__value__.__args__}


def test_of_a_directory_that_was_renamed_the_links_lead_into_it(tmp_path: Path) -> None:
    stored(tmp_path, "two-coin")
    (tmp_path / "two-coin").rename(tmp_path / 'my "copy" #1')
    links = page(write_index(tmp_path)).links
    assert [unquote(link) for link in links] == ["data:,", 'my "copy" #1/result.json']


@pytest.mark.parametrize("field", ["title", "question", "summary", "name"])
def test_no_name_is_more_than_text(field: str, tmp_path: Path) -> None:
    store.write(replace(two_coins(), **{field: HOSTILE}), tmp_path / "hostile")  # type: ignore[arg-type]
    text = write_index(tmp_path).read_text(encoding="utf-8")
    assert Page(text).elements["script"] == 1
    assert HOSTILE not in text
    assert escape(HOSTILE, quote=False).split("'")[0].split('"')[1] in text


def test_degree_and_count_follow_the_quantities(tmp_path: Path) -> None:
    worst: Callable[[Quantity], Quantity] = lambda q: replace(q, verdict="differ", degree="no interval")  # noqa: E731
    stored(tmp_path, "worst", verdict="differ", quantities=[worst(q) for q in two_coins().quantities])
    write_index(tmp_path)
    ((_, verdict, differing, *_),) = rows(tmp_path)
    assert verdict == "≠ differ, Wald interval missing"
    assert differing == "2 of 2"
