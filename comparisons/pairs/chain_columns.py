"""Which columns of a table a hidden Markov chain is of: what was seen, in the order of time, and the sequence of each row."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from comparisons.columns import by_line, numbers_rows
from comparisons.families.columns import Missing
from comparisons.hidden_markov_chains import NAME, VALUES
from comparisons.missing_rows import MissingCells
from comparisons.tables import Table, name_and_unit
from models.hidden_markov_chains import Emissions, Sequences
from models.inputs import Integers, shown, some_of

TOSSES, SEQUENCE = "tosses", "sequence"
# What states emit where a column is called so, or named for it; one of any other name holds measurements.
EMITTED: dict[str, Emissions] = {VALUES[each]: each for each in ("poisson", "binomial")}
ROLES = (*EMITTED, TOSSES, SEQUENCE)
# What `em` says of its arguments, in the words of columns.
SAID = (
    ("n_states", "n_components"),
    ("make it NaN", "empty the cell"),
    ('give emissions="normal" for measurements', "name the column without events= for measurements"),
    (
        "give tosses of Sequences where these are more",
        "name a column of tosses where these are more (--column tosses=NAME)",
    ),
)
WORDS: dict[Emissions, str] = {"normal": "normal values", "poisson": "Poisson counts", "binomial": "heads of tosses"}


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """Sequences taken from a table.

    Attributes
    ----------
    roles : header of each column by role, that of measurements by its title
    title, unit : of what was seen
    order : ``(n,)`` rows of the table in the order of the sequences
    notes : what was recognised, a sentence each
    """

    sequences: Sequences
    emissions: Emissions
    roles: dict[str, str]
    title: str
    unit: str
    order: Integers
    notes: list[str]


def in_words_of(message: str, table: Table, roles: Mapping[str, str], order: Integers) -> str:
    """What is wrong with sequences of columns by ``roles``, of the rows in this ``order``, by column and line."""
    value = next(header for role, header in roles.items() if role not in (TOSSES, SEQUENCE))
    told = by_line(message, {"y": value, TOSSES: roles.get(TOSSES)}, table, order)
    told = re.sub(r"\by (is|has)\b", rf"column {value!r} of {table.source} \1", told)
    told = re.sub(r"y\[(\d+)\]", lambda at: table.place(int(order[int(at[1])])), told)
    for of_em, here in SAID:
        told = told.replace(of_em, here)
    return told


def chosen(table: Table, columns: Any, missing: Missing | None) -> Chosen:
    """Take the sequences from a table; see `comparisons.compare`.

    Raises
    ------
    TypeError, ValueError
        for columns that are not there or no numbers, cells that may not be missing, and values that states cannot emit
    """
    roles, notes = _named(table, columns)
    value = next((role for role in roles if role not in (TOSSES, SEQUENCE)), None)
    if value is None:
        raise ValueError(
            f"{table.source} needs a column of what was seen for {NAME}; name it in columns (--column NAME)"
        )
    emissions = EMITTED.get(value, "normal")
    if TOSSES in roles and emissions != "binomial":
        raise ValueError("columns has tosses and no heads; name these too, as heads (--column heads=NAME)")
    if len(set(roles.values())) < len(roles):
        raise ValueError(f"a column of {table.source} is named for two purposes; name each for one")
    header = roles[value]
    order, lengths, of_sequences = _sequences(table, roles.get(SEQUENCE))
    seen = table.numbers(header)[order]
    gone = np.isnan(seen)
    if gone.any() and missing == "refuse":
        first = table.place(int(order[int(np.argmax(gone))]))
        raise MissingCells(
            f"{table.source}: column {header!r} has {_counted(int(gone.sum()), 'missing value')}, the first in {first}; fill "
            "them, or leave missing out, which keeps them"
        )
    tosses: Any = 1
    if TOSSES in roles:
        tosses = table.numbers(roles[TOSSES])[order]
        if (unknown := np.isnan(tosses) & ~gone).any():
            first = table.place(int(order[int(np.argmax(unknown))]))
            raise ValueError(
                f"column {roles[TOSSES]!r} has no value in {first} of {table.source}, where heads were seen; fill it, or empty "
                "both"
            )
        tosses = np.where(gone, 1, tosses)
    title, unit = name_and_unit(value if emissions == "normal" else header)
    unit = unit or name_and_unit(header)[1]
    notes = [*table.notes, *notes]
    try:
        sequences = Sequences(seen, lengths, tosses)
    except ValueError as error:
        raise ValueError(in_words_of(str(error), table, roles, order)) from error
    other = "" if emissions != "normal" else "; counts are named --column events=NAME, heads --column heads=NAME"
    notes.append(f"States emit {WORDS[emissions]}, in column {header!r}{other}.")
    notes += of_sequences
    if gone.any():
        are = "is" if gone.sum() == 1 else "are"
        notes.append(f"{gone.sum()} of {len(seen)} values {are} missing, and kept with density 1.")
    return Chosen(sequences, emissions, roles, title, unit, order, notes)


def _counted(n: int, what: str) -> str:
    return f"{n} {what}{'s' * (n != 1)}"


def _named(table: Table, columns: Any) -> tuple[dict[str, str], list[str]]:
    """The header of each role, of measurements by their title, and how they were found."""
    if columns is None:
        return _by_their_names(table)
    if isinstance(columns, Mapping):
        given = {str(role): table.header(header) for role, header in columns.items()}
        roles = {role.lower() if role.lower() in ROLES else role: header for role, header in given.items()}
    elif isinstance(columns, str | list | tuple):
        headers = [table.header(each) for each in ([columns] if isinstance(columns, str) else columns)]
        roles = {header.lower() if header.lower() in ROLES else header: header for header in headers}
    else:
        raise TypeError(f"columns is {shown(columns)}; give the name of a column, a list of names, or names by role")
    seen = [role for role in roles if role not in (TOSSES, SEQUENCE)]
    if len(seen) > 1:
        raise ValueError(
            f"columns has {some_of(seen)}, but states emit one of them; name that, and as sequence the column that tells the "
            "sequence of each row"
        )
    return roles, []


def _by_their_names(table: Table) -> tuple[dict[str, str], list[str]]:
    """Columns that are called as roles are; else the only one of numbers."""
    called = {header.lower(): header for header in table.columns}
    roles = {role: called[role] for role in ROLES if role in called}
    values = [role for role in EMITTED if role in roles]
    if not values:
        there = [header for header in table.columns if header not in roles.values()]
        numeric = [header for header in there if table.why_not_numeric(header) is None]
        numeric = [header for header in numeric if len(numeric) == 1 or not numbers_rows(table, header)]
        if len(numeric) != 1:
            raise ValueError(
                f"{table.source} has {some_of(table.columns)}; name the column of what was seen, as columns={there[0]!r} "
                f"(--column {there[0]}), and as sequence the one that tells the sequence of each row"
            )
        roles = {numeric[0]: numeric[0], **roles}
    if len(values) > 1:
        raise ValueError(f"{table.source} has {some_of(values)}, but states emit one of them; name that (--column)")
    left = [header for header in table.columns if header not in roles.values()]
    notes = [f"Columns are taken by their names: {some_of(roles.values())}."]
    return roles, [*notes, f"Columns left out: {some_of(left)}."] if left else notes


def _sequences(table: Table, header: str | None) -> tuple[Integers, Any, list[str]]:
    """Rows with those of one sequence together, in the order in which they stand; the lengths, and what was done."""
    if header is None:
        return np.arange(table.n), None, []
    if len(gone := table.missing(header)):
        raise ValueError(
            f"column {header!r} has no value in {table.place(int(gone[0]))} of {table.source}; say there of which sequence the "
            "row is"
        )
    words: dict[str | None, int] = {}
    codes = np.array([words.setdefault(word, len(words)) for word in table.words(header)])
    order, lengths = np.argsort(codes, kind="stable"), np.bincount(codes)
    least, most = int(lengths.min()), int(lengths.max())
    rows = f"{least} to {most}" if least < most else f"{most}"
    told = [f"{_counted(len(lengths), 'sequence')} by column {header!r}, of {rows} row{'s' * (most > 1)}."]
    if (np.diff(order) != 1).any():
        told.append("Rows of one sequence are put together, in the order in which they stand.")
    return order, lengths, told
