"""Claims about the tables that go on: every digit for programs, and lines narrow enough for a paper."""

from __future__ import annotations

import csv
import io
import itertools
import re
from dataclasses import replace
from pathlib import Path

from comparisons.paper.markup import latex
from comparisons.paper.tables import ON_A_PAGE, latex_table
from tests.report_pages import RESULTS


def test_csv_holds_every_digit_and_nothing_for_what_does_not_exist(out: Path, name: str) -> None:
    rows = list(csv.DictReader(io.StringIO((out / name / "estimates.csv").read_text())))
    quantities = RESULTS[name]().quantities
    assert [row["name"] for row in rows] == [quantity.name for quantity in quantities]
    for row, quantity in zip(rows, quantities, strict=True):
        assert row["em"] == ("" if quantity.em is None else repr(float(quantity.em)))
        assert row["hdi_high"] == ("" if quantity.posterior.hdi_high is None else repr(quantity.posterior.hdi_high))


def test_latex_has_three_lines_for_each_quantity_of_which_none_is_wide(out: Path, name: str) -> None:
    text = (out / name / "paper" / "table.tex").read_text(encoding="utf-8")
    assert text == latex_table(RESULTS[name]())
    rows = text.partition("\\midrule")[2].partition("\\bottomrule")[0].strip().splitlines()
    assert len(rows) == 3 * len(RESULTS[name]().quantities)
    assert all(row.endswith(r"\\") for row in rows)
    for _, em, posterior in itertools.batched(rows, 3):
        assert [len(re.findall(r"(?<!\\)&", row)) for row in (em, posterior)] == [4, 4]
        # At 8 points a character is 4 points wide or less, and the text of an article 345.
        assert max(len(re.sub(r"\\text\w+\{\}|[\\$&]", "", row)) for row in (em, posterior)) < 75
    assert text.count("{") == text.count("}")


def test_latex_escapes_what_it_takes_for_its_own() -> None:
    assert latex("a_b & 5% of {x} #1 ~ $2 ^ \\ <>") == (
        r"a\_b \& 5\% of \{x\} \#1 \textasciitilde{} \$2 \textasciicircum{} \textbackslash{} \textless{}\textgreater{}"
    )
    assert latex("−2.1×10⁻³") == r"$-$2.1$\times$10$^{-}$$^{3}$"


def test_latex_goes_on_to_further_pages_where_one_cannot_hold_all_quantities() -> None:
    result = RESULTS["faithful-2d"]()
    whole, longer = (
        replace(result, quantities=list(itertools.islice(itertools.cycle(result.quantities), n)))
        for n in (ON_A_PAGE, ON_A_PAGE + 1)
    )
    assert latex_table(whole).count(r"\begin{table*}") == 1
    text = latex_table(longer)
    first, second = text.split("\\addtocounter{table}{-1}\n")
    assert r"\caption{(continued)}" in second
    assert text.count(r"\label{") == 1
    assert text.count("Estimate & SE") == 2, "the head is not on each page"
    rows = [part.partition("\\midrule\n")[2].partition("\\bottomrule")[0].splitlines()[:-1] for part in (first, second)]
    assert [len(part) for part in rows] == [3 * ON_A_PAGE, 3]
    assert text.count("{") == text.count("}")
