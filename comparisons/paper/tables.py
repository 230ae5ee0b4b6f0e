"""The table of quantities for an article: as LaTeX with booktabs, Markdown, CSV and Typst, digits by their error."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass

from comparisons.paper.markup import MARKDOWN, TYPST, latex, short
from comparisons.quantity_names import in_prose
from comparisons.report.digits import MISSING, decimals_for, percent, posterior_decimals, rounded
from comparisons.report.explanations import told
from comparisons.report.reservations import MARK, NOT_CONVERGED, converged, em_on_ridge, end_marks, footnotes
from comparisons.results.files import directory_name
from comparisons.results.result import Quantity, Result
from comparisons.results.strict_json import Number

# Characters of a name that fit the text's width in one line, at 8 points.
WIDEST = 70
# Quantities that fit a page: three lines of 9.5 points each, in the 550 points of an article on letter paper at 10 points, less
# 120 for a caption of eight lines with its skips and for the head.
ON_A_PAGE = 15


@dataclass(frozen=True, slots=True)
class Row:
    """One quantity as it is printed: estimate, standard error, Wald's and profile interval; mean, sd and HDI."""

    name: str
    verdict: str
    em: tuple[str, str, str, str]
    posterior: tuple[str, str, str]


def row(result: Result, quantity: Quantity) -> Row:
    """Return a quantity with the digits that its standard error, and those of the draws, allow."""
    summary = quantity.posterior
    of_em = decimals_for(quantity.em_se, summary.sd)
    of_draws = posterior_decimals(quantity)
    # An interval is of the draws even where the mean is by quadrature.
    of_interval = posterior_decimals(quantity, drawn=True)
    hdi = interval(summary.hdi_low, summary.hdi_high, of_interval)
    profile = interval(quantity.profile_low, quantity.profile_high, of_em, end_marks(quantity))
    return Row(
        in_prose(quantity.name),
        told(quantity.verdict, quantity.degree),
        (
            rounded(quantity.em, of_em) + MARK * em_on_ridge(result, quantity),
            rounded(quantity.em_se, of_em),
            interval(quantity.em_low, quantity.em_high, of_em),
            profile,
        ),
        (rounded(quantity.mean, of_draws), rounded(quantity.sd, of_draws), hdi),
    )


def interval(low: Number, high: Number, decimals: int | None, marks: tuple[str, str] = ("", "")) -> str:
    """Return both ends, or that there is none."""
    if low is None and high is None:
        return MISSING
    return f"[{rounded(low, decimals)}{marks[0]}, {rounded(high, decimals)}{marks[1]}]"


def probability(result: Result) -> str:
    """Return the probability of all intervals."""
    return percent(result.quantities[0].posterior.hdi_prob, 0) if result.quantities else ""


def caption(result: Result) -> str:
    """Return what the table shows, with what its marks mean."""
    notes = "" if converged(result) else f" {NOT_CONVERGED}"
    notes += "".join(f" {mark} {sentence}" for mark, sentence in footnotes(result).items())
    return (
        f"{short(result.title)}. EM: maximum likelihood, standard error, {probability(result)} Wald and profile-likelihood "
        f"intervals. Posterior: mean, standard deviation and {probability(result)} highest-density interval of "
        f"{result.sampler.chains} chains of {result.sampler.draws} draws. Verdict: {told(result.verdict, result.degree)}.{notes}"
    )


def latex_table(result: Result) -> str:
    r"""Return a table for a paper, as wide as its text; it needs ``\usepackage{booktabs}``.

    Each quantity has three lines, its name, EM's numbers and the posterior's, so that no name makes the table wide. It is a
    ``table*``, which spans both columns of a page where there are two, and is a ``table`` where there is one. What no page can
    hold goes on in further ones of the same number.
    """
    printed = [_three(row(result, quantity)) for quantity in result.quantities]
    parts = [printed[at : at + ON_A_PAGE] for at in range(0, len(printed), ON_A_PAGE)] or [[]]
    above = rf"{latex(caption(result))}}}\label{{tab:{_key(result.name)}}}\medskip"
    lines = [r"% Needs \usepackage{booktabs}.", *_part(above, parts[0])]
    for part in parts[1:]:
        lines += ["", r"\addtocounter{table}{-1}", *_part(r"(continued)}\medskip", part)]
    return "\n".join(lines) + "\n"


def _part(above: str, printed: list[list[str]]) -> list[str]:
    """Return as much of the table as a page holds, under the rest of its caption."""
    return [
        r"\begin{table*}",
        r"  \centering\footnotesize",
        rf"  \caption{{{above}",
        r"  \begin{tabular}{lrrcc}",
        r"    \toprule",
        r"    & Estimate & SE, SD & Wald, HDI & Profile \\",
        r"    \midrule",
        *(f"    {line}" for three in printed for line in three),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table*}",
    ]


def _three(row: Row) -> list[str]:
    name = f"{short(_capital(row.name))} ({row.verdict})"
    # A long one is broken in a box, which would make the table of short ones wider than it is.
    column = "l" if len(name) <= WIDEST else r"p{0.85\linewidth}"
    return [
        rf"\multicolumn{{5}}{{{column}}}{{{latex(name)}}} \\",
        rf"\quad EM & {' & '.join(map(latex, row.em))} \\",
        rf"\quad Posterior & {' & '.join(map(latex, row.posterior))} & \\",
    ]


def _cells(result: Result) -> tuple[list[str], list[list[str]]]:
    """Return a head and one line a quantity."""
    p = probability(result)
    head = ["Quantity", "EM", "SE", f"Wald {p}", f"Profile {p}", "Posterior mean", "SD", f"HDI {p}", "Verdict"]
    rows = [row(result, quantity) for quantity in result.quantities]
    return head, [[each.name, *each.em, *each.posterior, each.verdict] for each in rows]


def markdown_table(result: Result) -> str:
    """Return one line a quantity, and the caption as Pandoc takes it."""
    head, rows = _cells(result)
    lines = [head, ["---"] * len(head), *([short(_capital(name)), *rest] for name, *rest in rows)]
    cells = [[each if each == "---" else MARKDOWN.text(each) for each in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells) + f"\n\nTable: {MARKDOWN.text(caption(result))}\n"


def csv_table(result: Result) -> str:
    """Return one line a quantity, as printed; ``estimates.csv`` has every digit."""
    text = io.StringIO()
    head, rows = _cells(result)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    # A name that begins so is a formula to a spreadsheet.
    writer.writerows([f"'{name}" if name[:1] in "=+-@" else name, *rest] for name, *rest in rows)
    return text.getvalue()


def typst_table(result: Result) -> str:
    """Return three lines a quantity, as LaTeX's table has."""

    def cells(*texts: str) -> str:
        return ", ".join(f"[{TYPST.text(text)}]" for text in texts)

    lines = []
    for each in (row(result, quantity) for quantity in result.quantities):
        lines += [
            f"table.cell(colspan: 5)[{TYPST.text(f'{short(_capital(each.name))} ({each.verdict})')}]",
            cells("EM", *each.em),
            cells("Posterior", *each.posterior, ""),
        ]
    return (
        "#show figure: set block(breakable: true)\n#figure(\n  kind: table,\n"
        f"  caption: [{TYPST.text(caption(result))}],\n"
        "  text(size: 8pt, table(columns: 5, align: (left, right, right, center, center), stroke: none,\n"
        "    table.hline(), table.header("
        + cells("", "Estimate", "SE, SD", "Wald, HDI", "Profile")
        + "), table.hline(),\n"
        + "".join(f"    {line},\n" for line in lines)
        + "    table.hline())),\n)\n"
    )


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]


def _key(name: str) -> str:
    """Return a name as a label of LaTeX, which takes no special characters."""
    return re.sub(r"[^A-Za-z0-9.-]", "-", directory_name(name))
