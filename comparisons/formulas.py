"""What a formula names in a table, as numbers or as words."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from comparisons import families
from comparisons.families.family import Family
from comparisons.tables import Table, name_and_unit
from models.inputs import shown


def named(table: Table, family: Family | None, columns: Any, formula: str) -> tuple[Family, dict[str, str], list[str]]:
    """Return the family, the header of each name in a formula, and what was recognised.

    Raises
    ------
    TypeError, ValueError
        for a family without formulas, columns beside one, and a name that is no column
    """
    if columns is not None:
        raise ValueError(f"formula is {shown(formula)}, which names the columns already; leave columns out (--column)")
    kind = family or next(kind for kind in families.FAMILIES.values() if kind.formulas)
    # A header may be named without its unit, where no other is called so.
    short = [name_and_unit(header)[0] for header in table.columns]
    headers = {name: each for name, each in zip(short, table.columns, strict=True) if short.count(name) == 1}
    headers |= {each: each for each in table.columns}
    roles = {name: headers[name] for name in kind.named_in(formula, list(headers))}
    if not roles:
        raise ValueError(f"formula is {shown(formula)}, which names no column of {table.source}; name a response")
    return kind, roles, [] if family else [f"The family is {kind.name}, as there is a formula."]


def numbers_or_words(table: Table, name: str, header: str, formula: str) -> Any:
    """``(n,)`` numbers of a column, words where it holds these; ValueError where most are meant as numbers."""
    try:
        return table.numbers(header)
    except ValueError:
        # Categories may be called by number, all but some.
        if not re.search(rf"\bC\(\s*`?{re.escape(name)}\b", formula):
            table.why_not_numeric(header)
    return np.array(table.words(header), dtype=object)
