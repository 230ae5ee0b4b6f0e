"""Results as text: the table at the end of a run, and one result in full."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from comparisons.processes import Crashed, Outcome
from comparisons.progress import COLOURS
from comparisons.report.digits import MISSING, decimals_for, percent, prose, rounded, significant, statistic
from comparisons.report.reservations import MARK, NOT_CONVERGED, RIDGE, converged, em_on_ridge, map_on_ridge
from comparisons.result import Number, Result

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

# Columns where the output is no terminal: wide enough that no cell of a table breaks.
PLAIN_WIDTH = 200
NUMBERS = ("EM", "SE", "MAP", "Mean", "SD")


def print_outcomes(outcomes: Sequence[Outcome]) -> None:
    """Print name, verdict and summary of each comparison: a table on a terminal, else a line each."""
    rows = [
        (each.name, "crashed", each.reason) if isinstance(each, Crashed) else (each.name, each.verdict, each.summary)
        for each in outcomes
    ]
    if not sys.stdout.isatty():
        width = max((len(name) for name, _, _ in rows), default=0)
        for name, verdict, summary in rows:
            print(f"{name:<{width}}  {verdict:<12}  {summary}")
        return
    table = _table("Comparison", "Verdict", "Summary")
    for name, verdict, summary in rows:
        table.add_row(name, _coloured(verdict), summary)
    _console().print(table)


def print_result(result: Result) -> None:
    """Print the question, the verdict with its reasons, the table of quantities and the checks."""
    from rich.text import Text

    console = _console()
    console.print(Text(result.title, style="bold"))
    console.print(prose(result.question))
    console.print()
    console.print(Text.assemble("Verdict: ", _coloured(result.verdict), " – ", prose(result.summary)))
    for reason in result.reasons:
        console.print(f"  * {prose(reason)}")
    console.print()
    if not converged(result):
        console.print(NOT_CONVERGED)
    console.print(_quantities(result))
    if any(em_on_ridge(result, quantity) for quantity in result.quantities):
        console.print(f"  {MARK} {RIDGE}")
    for quantity in result.quantities:
        console.print(
            Text.assemble(f"  {quantity.name}: ", _coloured(quantity.verdict), f" – {prose(quantity.reason)}")
        )
    console.print()
    console.print(_checks(result))
    console.print()
    console.print(
        f"{result.sampler.name}, {result.sampler.chains} chains of {result.sampler.draws} draws, seed {result.seed}. "
        "The verdict is about the two fits, not about whether the model is a good one for these data."
    )


def _quantities(result: Result) -> Table:
    probability = percent(result.quantities[0].posterior.hdi_prob, 0) if result.quantities else ""
    table = _table("Quantity", "EM", "SE", f"{probability} interval", "MAP", "Mean", "SD", f"{probability} HDI")
    for column in table.columns[1:]:
        column.justify = "right"
        # On a narrow terminal names and intervals break; a number stays whole.
        column.no_wrap = str(column.header) in NUMBERS
    for quantity in result.quantities:
        summary = quantity.posterior
        d = decimals_for(quantity.em_se, summary.sd)
        table.add_row(
            quantity.name,
            rounded(quantity.em, d) + MARK * em_on_ridge(result, quantity),
            rounded(quantity.em_se, d),
            _interval(quantity.em_low, quantity.em_high, d),
            rounded(quantity.map, d) + MARK * map_on_ridge(result, quantity),
            rounded(summary.mean, d),
            rounded(summary.sd, d),
            _interval(summary.hdi_low, summary.hdi_high, d),
        )
    return table


def _checks(result: Result) -> Table:
    table = _table("Check", "Outcome", "Statistic", "Threshold", "What it means")
    for check in result.checks:
        fault = f" At fault: {check.engine}." if check.engine else ""
        remedy = f" To do: {check.remedy}" if check.remedy else ""
        table.add_row(
            check.name,
            _coloured(check.outcome),
            statistic(check.statistic, check.threshold),
            significant(check.threshold),
            prose(check.explanation + fault + remedy),
        )
    return table


def _interval(low: Number, high: Number, decimals: int | None) -> str:
    return MISSING if low is None or high is None else f"{rounded(low, decimals)} to {rounded(high, decimals)}"


def _coloured(word: str) -> Text:
    from rich.text import Text

    return Text(word, style=COLOURS.get(word, {"pass": "green", "fail": "red", "crashed": "red"}.get(word, "")))


def _table(*headings: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _console() -> Console:
    from rich.console import Console

    width = None if sys.stdout.isatty() else PLAIN_WIDTH
    return Console(width=width, markup=False, highlight=False, emoji=False, soft_wrap=False)
