"""How results show themselves at a prompt: on one screen. NumPy is loaded by what is shown, not by an import of this."""

from __future__ import annotations

import textwrap
from typing import Any

WIDTH = 100
# Lines of the summary, of the quantities and of the checks.
SUMMARY_LINES, MOST_QUANTITIES, CHECK_LINES = 4, 10, 3


def displayed(value: Any) -> str:
    """Show a part of a result field by field; see `models.display.displayed`."""
    from models.display import displayed as by_fields

    return by_fields(value)


def displayed_result(result: Any) -> str:
    """Show a `comparisons.results.result.Result` by its verdict, its first quantities and its checks."""
    from models.inputs import cut, shown

    title = f"{type(result).__name__} of {shown(result.name)}: {result.verdict}"
    lines = [title, *_wrapped(result.summary, SUMMARY_LINES)]
    if result.quantities:
        told = [
            [cut(" ".join(q.name.split()), 36), *map(_number, (q.em, q.em_se, q.mean, q.sd)), q.verdict]
            for q in result.quantities
        ]
        rows = [["quantity", "EM", "SE", "mean", "sd", "verdict"], *told[:MOST_QUANTITIES]]
        widths = [max(len(row[j]) for row in rows) for j in range(6)]
        lines += [
            "  " + "  ".join(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows
        ]
    if len(result.quantities) > MOST_QUANTITIES:
        lines.append(f"  ... and {len(result.quantities) - MOST_QUANTITIES} more in .quantities")
    lines += _wrapped("checks: " + ", ".join(f"{c.name} {c.outcome}" for c in result.checks), CHECK_LINES)
    return "\n".join(
        [*lines, "  also: .reasons, .em, .data, .model, .sampler, .model_checks, .labels, .findings, .provenance"]
    )


def _wrapped(text: str, most: int) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="  ", max_lines=most, placeholder=" ...")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.5g}"
