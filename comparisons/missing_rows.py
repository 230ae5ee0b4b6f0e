"""Rows of a table of which cells are missing: refused, left out, or kept by what else they tell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from comparisons.families.columns import FromColumns, Missing
from comparisons.tables import Table
from models.inputs import Integers


class MissingCells(ValueError):
    """Cells are missing; the message says in which columns, how many, and where the first is."""


def kept_rows(
    table: Table,
    headers: Sequence[str],
    counted: str | None,
    known: Integers | None,
    missing: Missing,
    kind: FromColumns,
) -> tuple[Integers, list[str]]:
    """The rows of which nothing is missing, and what was left out, a sentence each; with "marginal" those that say something.

    Parameters
    ----------
    headers : of what was measured
    counted : header of the counts
    known : ``(n,)`` label of each row, -1 where it has none; None where no row has

    Raises
    ------
    MissingCells
        where they are refused
    ValueError
        for counts that are missing; where no row is left;
        and for "marginal" with a family whose rows have no density of their other cells
    """
    if missing == "marginal" and not kind.marginal:
        raise ValueError(
            f'missing is "marginal", but rows of {kind.name} have no density of their other cells; give "refuse" or "drop"'
        )
    every = np.arange(table.n)
    every_header = [*headers, *([counted] if counted else [])]
    empty = {header: rows for header in every_header if len(rows := table.missing(header))}
    if not empty:
        return every, []
    told = "; ".join(
        f"column {header!r} has {len(rows)} missing value{'s' * (len(rows) > 1)}, the first in {table.place(int(rows[0]))}"
        for header, rows in empty.items()
    )
    if missing == "refuse":
        keep = ', or keep them with missing="marginal" (--missing marginal)' if kind.marginal else ""
        raise MissingCells(
            f'{table.source}: {told}; fill them, or leave such rows out with missing="drop" (--missing drop){keep}'
        )
    if missing == "drop":
        gone = np.unique(np.concatenate(list(empty.values())))
        if len(gone) == table.n:
            raise ValueError(f"{table.source}: {told}, so no row is complete; choose other columns")
        return np.setdiff1d(every, gone), [f"{len(gone)} of {table.n} rows {_are(len(gone))} left out: {told}."]
    if counted in empty:
        raise ValueError(f"{table.source}: {told}; of counts none may be missing: fill them, or leave such rows out")
    silent = np.array([all(row in empty.get(header, ()) for header in headers) for row in every])
    if known is not None:
        silent &= known < 0
    there = "it has" if silent.sum() == 1 else "they have"
    left = f"{silent.sum()} of {table.n} rows {_are(silent.sum())} left out: {there} neither a value nor a label."
    return every[~silent], [left] if silent.any() else []


def _are(n: int) -> str:
    return "is" if n == 1 else "are"
