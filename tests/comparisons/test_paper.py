"""The text for an article: every number in it is the result's, it is one text in three formats, and holds any name."""

from __future__ import annotations

import copy
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from comparisons import paper
from comparisons.command import command_line
from comparisons.paper import grolts, references
from comparisons.paper.markup import FORMATS, LATEX, MARKDOWN, TYPST, Cite, Code
from comparisons.paper.text import methods, results
from comparisons.report import error_rates, write_report
from comparisons.report.digits import posterior_decimals
from comparisons.results import store
from comparisons.results.result import Limits, Result
from tests.report_pages import RESULTS
from tests.stored_results import geyser, two_coins

NUMBER = re.compile(r"\d+(?:\.\d+)?")
# What figures alone are drawn of.
NOT_TOLD = ("posterior", "curves", "surface", "path", "trace", "trace_iterations", "columns", "memberships", "notes")
HOSTILE = (
    "<script>alert(1)</script>",
    "$%_{}&~^\\#",
    "#typst *bold* `raw` [link](x) @key // no",
    "}{",
    "\u202eturned\u202c \u200fright",
    "x" * 10_000,
    "\"quoted\" 'twice'",
    "1. first\n\n= heading",
    "=1+2",
)


def told() -> Result:
    """A result in which everything that is told of one is there."""
    result = two_coins()
    em = replace(result.em, stop_change=1e-12)
    sampler = replace(result.sampler, divergences=3, reruns=2)
    return replace(result, em=em, sampler=sampler, limits=Limits(0.25, (0.8, 1.25), (0.01, 0.06), 2.0))


def leaves(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every number and text of a result, or of what is published of error rates, and where it is."""
    if is_dataclass(value):
        for field in fields(value):
            if field.name not in NOT_TOLD or is_dataclass(getattr(value, field.name)):
                yield from leaves(getattr(value, field.name), (*place, field.name))
    elif isinstance(value, dict):
        for key in value:
            yield from leaves(value[key], (*place, key))
    elif isinstance(value, list | tuple):
        for index, each in enumerate(value):
            yield from leaves(each, (*place, index))
    elif isinstance(value, int | float | str) and not isinstance(value, bool):
        yield place, value


def changed(value: Any, place: tuple[Any, ...], factor: float = 1.7) -> Any:
    """The same with the number there another one, or with other digits in the text."""
    if not place:
        if isinstance(value, str):
            return NUMBER.sub(
                lambda found: "".join(str((int(c) + 3) % 10) if c.isdigit() else c for c in found[0]), value
            )
        return value + 3 if isinstance(value, int) else (value * factor if value else 0.123)
    first, *rest = place
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{first: changed(getattr(value, first), tuple(rest), factor)})
    if isinstance(value, dict):
        return value | {first: changed(value[first], tuple(rest), factor)}
    several = list(value)
    several[first] = changed(value[first], tuple(rest), factor)
    return type(value)(several)


def paragraphs(result: Result) -> str:
    """Methods and results without what is cited, whose years are literature's."""
    return "\n".join(
        "".join("" if isinstance(part, Cite) else part.text if isinstance(part, Code) else part for part in each)
        for each in (*methods(result), *results(result))
    )


def everything(result: Result) -> str:
    text = paper.texts(result)
    whole = "\n".join([paragraphs(result), text["table.csv"], text["table.tex"].partition("midrule")[2]])
    # The base of a power, the probability of the studies' own intervals, and the columns that a name spans are no results.
    return re.sub(r"\u00a0×\u00a010(?=[⁻⁰¹²³⁴⁵⁶⁷⁸⁹])|(?<=\()95\u00a0% interval|multicolumn\{5\}", " ", whole)


def test_every_number_in_the_paper_is_one_of_the_result_and_changes_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    result = told()
    before = everything(result)
    numbers = NUMBER.findall(before)
    traced = [False] * len(numbers)
    used = set()

    def compare(place: tuple[Any, ...], after: str) -> None:
        if after != before:
            used.add(place)
        found = NUMBER.findall(after)
        if len(found) == len(numbers):
            traced[:] = [known or old != new for known, old, new in zip(traced, numbers, found, strict=True)]

    for place, value in leaves(result):
        # Of the smallest of several that are alike only a smaller one is told.
        for factor in (1.7, 0.4) if isinstance(value, float) and place[-1] in ("ess_bulk", "ess_tail") else (1.7,):
            compare(place, everything(changed(result, place, factor)))
    published = error_rates._published()
    for place, value in leaves(published):
        if not isinstance(value, str):  # by much, so that a rate of 0.003 % is told otherwise too
            monkeypatch.setattr(error_rates, "_published", lambda place=place: changed(published, place, 5000.0))
            compare(("rates", *place), everything(result))
        elif NUMBER.search(value):
            other = copy.deepcopy(published)
            *way, last = place
            inner: Any = other
            for key in way:
                inner = inner[key]
            inner[last] = NUMBER.sub(lambda found: f"{found[0]}7", value)
            monkeypatch.setattr(error_rates, "_published", lambda other=other: other)
            compare(("rates", *place), everything(result))
    untraced = [number for number, known in zip(numbers, traced, strict=True) if not known]
    # How many there are of something is counted from the result, not one of its numbers.
    counts = {
        len(result.em.modes),
        *(sum(c.outcome == o for c in result.checks) for o in ("pass", "fail", "not applicable")),
    }
    assert [number for number in untraced if number not in {str(count) for count in counts}] == []
    told_of = {place[2:] for place in used if place[0] == "quantities"}
    assert {
        ("em",),
        ("em_se",),
        ("em_low",),
        ("em_high",),
        ("posterior", "hdi_low"),
        ("posterior", "hdi_high"),
    } <= told_of
    assert {("exact", "mean"), ("posterior", "mean"), ("posterior", "mcse")} & told_of
    for name in ("chains", "draws", "tune", "target_accept", "divergences", "reruns"):
        assert ("sampler", name) in used
    for place in (
        ("em", "stop_change"),
        ("em", "iterations"),
        ("em", "log_likelihood"),
        ("em", "modes", 0, "starts"),
        ("seed",),
    ):
        assert place in used
    assert {place for place, _ in leaves(result) if place[0] == "limits"} <= used
    assert any(place[0] == "rates" for place in used)


def test_counts_follow_what_is_counted() -> None:
    result = told()
    assert "2 end points, of which 1 is a regular maximum" in paragraphs(result)
    regular = [replace(mode, regular=True) for mode in result.em.modes]
    assert "2 distinct maxima" in paragraphs(replace(result, em=replace(result.em, modes=regular)))
    assert "1 distinct maximum" in paragraphs(replace(result, em=replace(result.em, modes=regular[:1])))
    assert "1 passed" in paragraphs(result)
    assert "2 passed" in paragraphs(replace(result, checks=[result.checks[0], *result.checks]))


@pytest.mark.parametrize("name", RESULTS)
def test_only_methods_that_were_used_are_cited_and_all_that_are_cited_are_listed(name: str) -> None:
    result = RESULTS[name]()
    cited = {
        key
        for each in (*methods(result), *results(result))
        for part in each
        if isinstance(part, Cite)
        for key in part.keys
    }
    listed = set(re.findall(r"^@\w+\{(\w+),$", references.bibliography(result), re.MULTILINE))
    assert cited == listed


def test_a_method_that_was_not_used_is_not_cited() -> None:
    result = RESULTS["bare"]()
    bare = replace(result, sampler=replace(result.sampler, draws=0))
    listed = references.bibliography(bare)
    assert not any(key in listed for key in ("louis1982", "hoffman2014", "vehtari2021", "gelman1996", "stephens2000"))
    assert "hoffman2014" in references.bibliography(result)


def test_digits_stop_at_the_monte_carlo_error_but_for_quadrature() -> None:
    quantity = two_coins().quantities[0]
    drawn = replace(quantity, exact=None, posterior=replace(quantity.posterior, sd=0.0951, mcse=0.0024))
    assert posterior_decimals(drawn) == 2
    assert posterior_decimals(replace(drawn, posterior=replace(drawn.posterior, mcse=0.0009))) == 3
    assert posterior_decimals(replace(drawn, posterior=replace(drawn.posterior, mcse=3.0))) == 0
    exact = replace(geyser().quantities[0].posterior, mcse=0.5)
    assert posterior_decimals(replace(drawn, posterior=exact), drawn=True) == 0


def test_the_list_ticks_what_is_in_the_result() -> None:
    states = {item.number: item.state for item in grolts.items(two_coins())}
    without = {item.number: item.state for item in grolts.items(RESULTS["bare"]())}
    assert list(states) == (
        ["1", "2", "3a", "3b", "3c", "4", "5", "6a", "6b", *map(str, range(7, 14)), "14a", "14b", "14c", "15", "16"]
    )
    assert states["14a"] == states["15"] == "reported"
    assert without["14a"] == without["15"] == "to add"


def test_formats_escape_what_they_take_for_their_own() -> None:
    assert LATEX.code("a --b") == r"\texttt{a -{}-b}"
    assert LATEX.text("√n") == r"$\surd$n"
    assert MARKDOWN.code("a `b`") == "`` a `b` ``"
    assert TYPST.text("#x; [1] -- 2") == r"\#x\; \[1\] \-\- 2"
    assert TYPST.text("1. first") == r"1\. first"
    assert MARKDOWN.text("<b> @key $1$") == r"\<b\> \@key \$1\$"


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: repr(name)[:12])
def test_any_name_holds_in_every_format(name: str, tmp_path: Path) -> None:
    result = two_coins()
    quantities = [replace(q, name=f"head_probabilities[{name}, {k}]") for k, q in enumerate(result.quantities)]
    hostile = replace(
        result,
        title=name,
        question=name,
        summary=name,
        quantities=quantities,
        data=replace(result.data, name=name, source=name, description=name),
        model=replace(result.model, component_names=[name, "A"], formula=[name], prior=[name], prior_reason=name),
    )
    (tmp_path / "figures").mkdir()
    paper.write(hostile, tmp_path)
    folder = tmp_path / "paper"
    assert paper.write_pdf(tmp_path).read_bytes().startswith(b"%PDF")
    rows = list(csv.reader(io.StringIO((folder / "table.csv").read_text(encoding="utf-8"), newline="")))
    assert name in rows[1][0]
    assert {len(row) for row in rows} == {9}
    for form in FORMATS:
        text = "".join((folder / f"{part}.{form.suffix}").read_text(encoding="utf-8") for part in ("methods", "table"))
        assert not re.search("[\u202a-\u202e\u200f]", text)
        assert len(text) < 20_000
    for file in ("methods.tex", "results.tex", "table.tex", "references.bib"):
        bare = re.sub(r"\\[{}]", "", (folder / file).read_text(encoding="utf-8"))
        assert bare.count("{") == bare.count("}")
    lines = (folder / "table.md").read_text(encoding="utf-8").splitlines()[: len(rows) + 1]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {10}


def test_show_writes_the_pdf_and_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = tmp_path / "two-coin"
    store.write(two_coins(), directory)
    write_report(directory)
    asked = ["show", "two-coin", "--out", str(tmp_path), "--pdf"]
    shown = CliRunner().invoke(command_line.main, asked)
    assert shown.exit_code == 0, shown.output
    assert (directory / "paper" / "paper.pdf").read_bytes().startswith(b"%PDF")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    refused = CliRunner().invoke(command_line.main, asked)
    assert refused.exit_code == 2
    assert "pip install em-comparisons[pdf]" in refused.output
