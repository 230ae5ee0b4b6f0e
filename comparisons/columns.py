"""Which columns of a table are what: the family they are of, the role of each, labels, counts, and rows left out.

Nouns of `models` say what is wrong with a row by its number among those that they get; here it is told by column and line.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from comparisons import families, formulas
from comparisons.families.columns import Missing
from comparisons.families.family import Family
from comparisons.known_components import as_read, known_components
from comparisons.missing_rows import kept_rows
from comparisons.quantity_names import as_label
from comparisons.tables import Table, name_and_unit
from models.inputs import Integers, shown, some_of, whole_numbers

# Last words of headers of identifiers, and headers of how often rows were seen.
IDENTIFYING = frozenset({"id", "index", "key"})
COUNTING = frozenset({"count", "counts", "freq", "frequency", "frequencies"})
# How a noun begins a sentence about one of its rows.
OF_ROW = re.compile(r"(\w+)\[(\d+)\] is ")


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """Rows of one family, taken from a table.

    Attributes
    ----------
    family, rows : what they are of, and the noun of `models`
    source, sha256 : where they are from, and of what was there
    features : names of measurements, their units taken off; empty for other families
    units : of each column that has one, by its name
    roles : header of each column by role, or of measurements by title
    components : names of the components as labels tell them, None where they do not
    dropped : rows left out
    notes : what was recognised, a sentence each
    outcome : title of the column of what was seen, its unit taken off, where the family has a name of its own for it
    """

    family: Family
    rows: Any
    source: str
    sha256: str
    features: tuple[str, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)
    components: list[str] | None = None
    dropped: int = 0
    notes: Sequence[str] = ()
    outcome: str = ""

    def one_unit_or_several(self) -> tuple[str, dict[str, str]]:
        """The unit of all columns, where they have one; else those of each."""
        if len(set(self.units.values())) == 1 and len(self.units) == max(len(self.features), 1):
            return next(iter(self.units.values())), {}
        return "", dict(self.units)


def is_noun(data: Any, family: Family | None) -> bool:
    """Whether data are a noun of `models` already."""
    known = [*families.FAMILIES.values(), *([] if family is None else [family])]
    return any(isinstance(data, each.data) for each in known)


def of_noun(data: Any, family: Family | None) -> Chosen:
    """Rows that are a noun of `models` already; ValueError for those of another family."""
    name = f"models.{type(data).__name__}"
    if family is not None and not isinstance(data, family.data):
        raise ValueError(f"family is {family.name} but data is {name}; leave the family out")
    kind = family or families.of(data)
    told = kind.told_of(data)
    return Chosen(kind, data, name, digest(kind, data), features=getattr(data, "features", ()), notes=told)


def digest(family: Family, rows: Any) -> str:
    """Of rows as they stand."""
    found = hashlib.sha256(family.name.encode())
    for array in (family.columns(rows), rows.counts, rows.labels):
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def chosen(
    table: Table,
    family: Family | None,
    columns: Any,
    labels: Any,
    counts: Any,
    components: Sequence[str] | None,
    missing: Missing | None,
    formula: str | None = None,
    concomitants: str | Sequence[str] | None = None,
) -> Chosen:
    """Take the rows of a family from a table; see `comparisons.compare`.

    Raises
    ------
    TypeError, ValueError
        for columns that are not there or no numbers, missing cells that are refused, and rows that the family cannot have
    """
    beside = [table.header(each) for each in ([concomitants] if isinstance(concomitants, str) else concomitants or ())]
    others = {table.header(each) for each in (labels, counts) if isinstance(each, str)}
    if formula is None:
        kind, named, notes = _roles(table, family, columns, others)
        roles = {as_label(role): header for role, header in named.items()}
    else:
        kind, roles, notes = formulas.named(table, family, columns, formula)
    counted = table.header(counts) if isinstance(counts, str) else None
    missing = missing or kind.missing
    _refuse_two_purposes(table, [*roles.values(), *([counted] if counted else [])], labels)
    if beside and not kind.of_weights:
        raise ValueError(
            f"concomitants is {some_of(beside)} but weights of {kind.name} depend on nothing; leave it out"
        )
    # They may be columns of the data too.
    named_roles, roles = roles, roles | {f"{kind.of_weights}{as_label(header)}": header for header in beside}
    all_known = known_components(table, labels, np.arange(table.n), components)[0] if missing == "marginal" else None
    for role, header in roles.items():
        # A column of words is told as such before the cells that it lacks.
        if (
            (formula is None or role not in named_roles)
            and not kind.categorical
            and role not in kind.in_words
            and role not in kind.meanings
        ):
            try:
                table.numbers(header)
            except ValueError as error:
                if any(not as_read(word)[0] for word in table.words(header) if word is not None):
                    raise
                raise ValueError(
                    f"{error}; where it tells the component of rows, name it as labels={header!r} (--labels {header})"
                ) from error
    kept, left = kept_rows(table, list(roles.values()), counted, all_known, missing, kind)
    values = {}
    for role, header in roles.items():
        if formula is not None and role in named_roles:
            values[role] = formulas.numbers_or_words(table, role, header, formula)[kept]
            continue
        values[role], told = _values(table, kind, role, header, kept)
        notes += told
    known, words, of_labels = known_components(table, labels, kept, components)
    seen = table.numbers(counted)[kept] if counted else _beside("counts", counts, table.n, kept)
    made: tuple[str, ...] = ()
    try:
        if seen is not None:
            whole_numbers("counts", seen, least=0)
        if formula is None:
            rows = kind.from_roles(values, seen, known)
        else:
            rows, made = kind.from_formula(formula, values, seen, known)
            notes.append(f"The formula makes of {made[0]}: {', '.join(rows.covariates)}.")
    except ValueError as error:
        labelled = table.header(labels) if isinstance(labels, str) else None
        # A noun of one column may call it y.
        places = {"y": next(iter(roles.values())), **roles, "counts": counted, "labels": labelled, "formula": ""}
        raise ValueError(by_line(str(error), places, table, kept)) from error
    features, units = _titles_and_units(roles if kind.measures and formula is None else {})
    outcome = ""
    if formula is not None:
        of_headers = {name: name_and_unit(header)[1] for name, header in roles.items() if name in made}
        features, units = made, {name: unit for name, unit in of_headers.items() if unit}
    elif kind.roles and not kind.measures:
        # What was seen has a title and a unit, however many columns say more of it.
        header = next(iter(roles.values()))
        outcome, unit = name_and_unit(header)
        units = {header: unit} if unit else {}
        named = {role: name for role, name in roles.items() if role.lower() != name_and_unit(name)[0].lower()}
        notes += (
            [f"Columns by role: {', '.join(f'{role} is {name!r}' for role, name in named.items())}."] if named else []
        )
    of_units = [f"Units: {', '.join(f'{name} in {unit}' for name, unit in units.items())}."] if units else []
    told = [*table.notes, *notes, *of_units, *of_labels, *left, *kind.told_of(rows)]
    left_out = table.n - len(kept)
    return Chosen(kind, rows, table.source, table.sha256, features, units, named_roles, words, left_out, told, outcome)


def by_line(message: str, headers: Mapping[str, str | None], table: Table, kept: Integers) -> str:
    """What a noun says of one of its rows, by the header and the line that it came from."""
    found = OF_ROW.match(message)
    header = headers.get(found[1]) if found else None
    if found is None or header is None:
        return message
    place = table.place(int(kept[int(found[2])]))
    column = f"column {header!r}" if header else found[1]
    return f"{column} in {place} of {table.source} is {message[found.end() :]}"


def _roles(
    table: Table, family: Family | None, columns: Any, others: set[str]
) -> tuple[Family, dict[str, str], list[str]]:
    """The family, the header of each of its roles, and how they were found."""
    if columns is None:
        return _by_their_names(table, family, others)
    if isinstance(columns, Mapping):
        given = {str(role): table.header(header) for role, header in columns.items()}
        kind = family or _having(given)
        if unknown := [role for role in given if kind.roles and role not in kind.roles]:
            raise ValueError(
                f"{kind.name} have {', '.join(kind.roles)}, and no {shown(unknown[0])}; see: comparisons families"
            )
        return kind, kind.complete(given, table.source), _not_named(table, kind, given, others)
    if not isinstance(columns, str | list | tuple):
        raise TypeError(f"columns is {shown(columns)}; give the name of a column, a list of names, or names by role")
    headers = [table.header(each) for each in ([columns] if isinstance(columns, str) else columns)]
    if not headers:
        raise ValueError("columns is empty; name the columns of the data, or leave the argument out")
    called = {header.lower(): header for header in headers}
    for kind in families.FAMILIES.values() if family is None else [family]:
        if kind.roles and set(called) <= set(kind.roles):
            told = [] if family else [f"The family is {kind.name}, by the names of the columns."]
            return kind, kind.complete(called, table.source), [*told, *_not_named(table, kind, called, others)]
    kind = _measuring() if family is None else family
    roles = kind.complete(kind.in_order(headers), table.source)
    return kind, roles, [] if family else [_guessed(kind)]


def _not_named(table: Table, kind: Family, given: Mapping[str, str], others: set[str]) -> list[str]:
    """That a column called as the family calls its own is left out, where others are named."""
    left = [h for h in table.columns if h.lower() in kind.roles and h.lower() not in given and h not in others]
    left = [header for header in left if header not in given.values()]
    return [f"Columns left out, as others are named: {some_of(left)}."] if left else []


def _by_their_names(table: Table, family: Family | None, others: set[str]) -> tuple[Family, dict[str, str], list[str]]:
    """Columns that are called as a family calls its own; else all that hold numbers."""
    there = [header for header in table.columns if header not in others]
    if not there:
        raise ValueError(
            f"{table.source} has no column but {some_of(others)}, named for labels or counts; give a table of what was seen"
        )
    called = {header.lower(): header for header in there}
    for kind in families.FAMILIES.values() if family is None else [family]:
        found = {role: called[role] for role in kind.roles if role in called}
        if found and (family is not None or _is_complete(kind, found)):
            complete = kind.complete(found, table.source)
            why = "" if family else f" The family is {kind.name}, by these."
            notes = [f"Columns are taken by their names: {some_of(found.values())}.{why}"]
            rest = [header for header in there if header not in found.values()]
            if rest:
                notes.append(f"Columns left out: {some_of(rest)}. {kind.name.capitalize()} take {kind.columns_told}.")
            return kind, complete, notes
    kind = _measuring() if family is None else family
    why_not = {header: None if kind.categorical else table.why_not_numeric(header) for header in there}
    headers = [header for header in there if why_not[header] is None]
    several = len(headers) > 1 and not kind.categorical
    numbering = [header for header in headers if several and numbers_rows(table, header)]
    headers = [header for header in headers if header not in numbering] or headers
    counting = [header for header in headers if header.lower() in COUNTING]
    if len(headers) > 1 and counting:
        raise ValueError(
            f"column {counting[0]!r} of {table.source} is called as counts of rows are; name it as counts={counting[0]!r} "
            f"(--counts {counting[0]}), or name the columns of the data (--column)"
        )
    left = [told for told in why_not.values() if told is not None]
    if not headers:
        if len(there) == 1:
            table.numbers(there[0])
        told = f"; {left[0]}" if left else ""
        raise ValueError(
            f"{table.source} has no column of numbers among {some_of(table.columns)}{told}; choose one of numbers"
        )
    if kind.roles and not (len(headers) == 1 and _is_complete(kind, {kind.roles[0]: headers[0]})):
        first = kind.roles[0]
        raise ValueError(
            f"{table.source} has {some_of(there)}, none called as {kind.name} call theirs ({', '.join(kind.roles)}); say "
            f"which is which, as --column {first}={headers[0]}"
        )
    notes = [f"Columns taken: {some_of(headers)}."]
    gone = [header for header in numbering if header not in headers]
    notes += [f"Columns left out, as they number the rows: {some_of(gone)}."] if gone else []
    notes += [f"Columns left out, as they are not of numbers: {some_of(left)}."] if left else []
    return kind, kind.complete(kind.in_order(headers), table.source), notes if family else [*notes, _guessed(kind)]


def numbers_rows(table: Table, header: str) -> bool:
    """Whether a column only numbers the rows: in their order, or as an identifier by its name, each row by another number."""
    values = table.numbers(header)
    in_order = np.array_equal(values, np.arange(table.n) + values[0]) and values[0] in (0, 1)
    named = re.split(r"[\W_]+", header.lower())[-1] in IDENTIFYING
    return bool(in_order or (named and len(np.unique(values)) == table.n)) and table.n > 2


def _is_complete(kind: Family, roles: dict[str, str]) -> bool:
    try:
        kind.complete(roles, "")
    except ValueError:
        return False
    return True


def _measuring() -> Family:
    """The family of measurements, which is taken where nothing says otherwise."""
    return next(kind for kind in families.FAMILIES.values() if kind.measures)


def _guessed(kind: Family) -> str:
    return f"The family is {kind.name}: numbers are taken for measurements unless another one is named."


def _having(given: Mapping[str, str]) -> Family:
    """The family with these roles; that of measurements, whose columns may be called anything, where no other has any of them."""
    kinds = families.FAMILIES.values()
    for kind in kinds:
        if set(given) <= set(kind.roles):
            return kind
    if not any(role in kind.roles for kind in kinds for role in given):
        return _measuring()
    known = "; ".join(f"{kind.name}: {', '.join(kind.roles) or 'any names'}" for kind in kinds)
    raise ValueError(f"columns has {some_of(given)}, which are no columns of one family; they are called so – {known}")


def _values(table: Table, kind: Family, role: str, header: str, kept: Integers) -> tuple[Any, list[str]]:
    """Numbers of a column; where it may be words, those that they stand for, and which."""
    if kind.categorical:
        words = [None if word is None else as_label(word) for word in table.words(header)]
        return [words[row] for row in kept], []
    if role in kind.in_words:
        codes: dict[str | None, int] = {}
        return np.array([float(codes.setdefault(word, len(codes))) for word in table.words(header)])[kept], []
    meanings = kind.meanings.get(role)
    if meanings is None:
        return table.numbers(header)[kept], []
    words = [word or "" for word in table.words(header)]
    for row in kept:
        if words[row].lower() not in meanings:
            raise ValueError(
                f"column {header!r} has {shown(words[row])} in {table.place(int(row))} of {table.source}; a {role} is one of "
                f"{', '.join(meanings)}"
            )
    told = {words[row]: meanings[words[row].lower()] for row in kept}
    means = ", ".join(f"{word} for {number}" for word, number in sorted(told.items(), key=lambda each: -each[1]))
    plain = all(word == str(number) for word, number in told.items())
    return np.array([float(told[words[row]]) for row in kept]), [] if plain else [
        f"In column {header!r} stands {means}."
    ]


def _refuse_two_purposes(table: Table, used: Sequence[str], labels: Any) -> None:
    used = [*used, *([table.header(labels)] if isinstance(labels, str) else [])]
    twice = next((header for place, header in enumerate(used) if header in used[:place]), None)
    if twice is not None:
        raise ValueError(f"column {twice!r} of {table.source} is named for two purposes; name it for one")


def _beside(name: str, values: Any, n: int, kept: Integers) -> Any:
    if values is None:
        return None
    array = np.asarray(values)
    if array.shape != (n,):
        raise ValueError(f"{name} has shape {array.shape} but there are {n} rows; give one number for each")
    return array[kept]


def _titles_and_units(headers: Mapping[str, str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Names of measurements without their units, and the unit of each that has one; with them where two would be alike.

    A title without a unit has the one of the header that it stands for.
    """
    of_titles = [(name_and_unit(title), name_and_unit(header)[1]) for title, header in headers.items()]
    told = [(name, unit or of_header) for (name, unit), of_header in of_titles]
    names = [name for name, _ in told]
    if len(set(names)) < len(names):
        return tuple(headers), {}
    return tuple(names), {name: unit for name, unit in told if unit}
