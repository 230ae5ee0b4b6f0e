"""Somebody's own data as a comparison: which columns are what, which family they are of, and what was recognised."""

from __future__ import annotations

import difflib
import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from comparisons import catalogue, families
from comparisons.datasets import Dataset
from comparisons.declaration import Comparison
from comparisons.families.family import Family as Asked
from comparisons.tables import Table, name_and_unit, read, rows_without
from models.family import Family
from models.inputs import Integers, component_number, shown, some_of

type Missing = Literal["refuse", "drop"]


@dataclass(frozen=True, slots=True, eq=False)
class Own:
    """A comparison of own data, ready to run.

    Attributes
    ----------
    comparison, dataset : as of one in the catalogue
    told : what decides it beside the data, for the key under which a result is used again
    notes : what was recognised, a sentence each
    command : that asks for the same again
    columns : headers taken, by role where these have names
    """

    comparison: Comparison
    dataset: Dataset
    told: dict[str, Any]
    notes: tuple[str, ...]
    command: str
    columns: list[str]


def declared(
    data: Any,
    family: Any = None,
    n_components: int | None = None,
    *,
    columns: str | Sequence[str] | Mapping[str, str] | None = None,
    labels: Any = None,
    counts: Any = None,
    weights: Any = "free",
    covariance: Any = "full",
    prior: Any = None,
    components: Sequence[str] | None = None,
    name: str | None = None,
    title: str | None = None,
    question: str | None = None,
    unit: str | None = None,
    missing: Missing = "refuse",
    separator: str | None = None,
    decimal: str | None = None,
) -> Own:
    """Read own data and say what is compared; see `comparisons.compare`."""
    if missing not in ("refuse", "drop"):
        raise ValueError(f'missing is {shown(missing)}; give "refuse" or "drop"')
    theirs = families.of_family(family) if isinstance(family, Family) else None
    if theirs is None and family is not None and family not in families.FAMILIES:
        near = difflib.get_close_matches(str(family), list(families.FAMILIES), n=1, cutoff=0.4)
        meant = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(families.FAMILIES)}"
        raise ValueError(f"family is {shown(family)}; {meant}")
    if n_components is not None:
        n_components = component_number(n_components)
    noun = theirs is None and any(isinstance(data, each.data) for each in families.FAMILIES.values())
    notes: list[str] = []
    if noun:
        kind, rows = families.of(data), data
        roles: dict[str, str] = {}
        dropped = 0
        if columns is not None or labels is not None or counts is not None:
            raise ValueError(f"columns, labels and counts are in models.{type(data).__name__}; leave the arguments out")
        source, digest, words, own_unit = f"models.{type(data).__name__}", _digest(kind, data), None, ""
        features: tuple[str, ...] = getattr(data, "features", ())
    else:
        table = read(data, separator, decimal)
        notes += table.notes
        if theirs is None:
            kind, roles, why = _roles(table, family, columns, labels, counts)
        else:
            kind, roles, why = theirs, _one_column(table, theirs, columns, labels, counts), []
        notes += why
        counted = table.header(counts) if isinstance(counts, str) else None
        kept, left = _kept(table, [*roles.values(), *([counted] if counted else [])], missing)
        notes += left
        dropped = table.n - len(kept)
        values = {
            role: _codes(table.words(header))[kept] if role in kind.in_words else table.numbers(header)[kept]
            for role, header in roles.items()
        }
        told_labels, words = _labels(table, labels, kept, components)
        _apart(roles, labels, counts, table)
        seen = table.numbers(counted)[kept] if counted else _beside("counts", counts, table.n, kept)
        rows = kind.from_roles(values, seen, told_labels)
        source, digest = table.source, table.sha256
        own_unit, features = _unit_and_features(list(roles.values())) if kind.measures else ("", ())
    if components is None:
        components = words or [str(j + 1) for j in range(n_components or (int(rows.labels.max()) + 1))]
        if n_components is not None and len(components) < n_components:
            components = [*components, *(str(j + 1) for j in range(len(components), n_components))]
    if n_components is not None and n_components != len(components):
        raise ValueError(
            f"n_components is {shown(n_components)} but there are {len(components)} components ({some_of(components)}); give as "
            "many of both, or one of the two"
        )
    if len(components) < 1 or (n_components is None and words is None and not (rows.labels >= 0).any()):
        raise ValueError(
            "n_components is missing; say how many components there are, such as n_components=2 (--components 2)"
        )
    stem = Path(source).stem if not noun and isinstance(data, str | Path) else "own-data"
    if name in catalogue.names():
        raise ValueError(f"name is {shown(name)}, which is a comparison of the catalogue; give another one (--name)")
    own_name = f"own-{stem}" if stem in catalogue.names() else stem
    what = " and ".join(features) if features else kind.name
    comparison = Comparison(
        name=own_name if name is None else name,
        title=title or f"{what[:1].upper()}{what[1:]} of {source}",
        question=question or f"Do EM and the posterior of {len(components)} {kind.name} agree on {source}?",
        dataset=stem,
        description=" ".join([f"{rows.n} rows of {source}.", *notes]),
        unit=unit if unit is not None else own_unit,
        data=_Given(rows),
        components=tuple(components),
        weights=weights,
        covariance=covariance,
        features=features,
        prior=prior,
        family=None if theirs is None else family,
        prior_reason=kind.default_reason if prior is None else "Given with the data.",
    )
    observed, names = kind.columns(rows), kind.column_names(comparison)
    held = {each: observed[:, j] for j, each in enumerate(names)} | {"counts": rows.counts, "labels": rows.labels}
    dataset = Dataset(stem, source, held, digest)
    told_options = {
        "family": kind.name,
        "rows": _digest(kind, rows),
        "components": list(components),
        "weights": weights if isinstance(weights, str) else np.asarray(weights).tolist(),
        "covariance": str(covariance),
        "prior": repr(prior),
        "code": "" if theirs is None else _code(family),
        "texts": [comparison.title, comparison.question, comparison.unit, list(features)],
        "dropped": dropped,
    }
    # Whatever EM refuses is refused now.
    families.problem(comparison, rows).mixture(None, standardise=True)
    asked = {
        "data": data if isinstance(data, str | Path) else source,
        "family": kind.name,
        "column": None if noun else list(roles.values()),
        "labels": labels if isinstance(labels, str) else None,
        "counts": counts if isinstance(counts, str) else None,
        "components": len(components),
        "weights": weights if isinstance(weights, str) and weights != "free" else None,
        "covariance": covariance if covariance != "full" else None,
        "missing": missing if missing != "refuse" else None,
        "name": name,
    }
    return Own(comparison, dataset, told_options, tuple(notes), _command(asked), list(roles.values()))


@dataclass(frozen=True, slots=True, eq=False)
class _Given:
    """Rows that are there already, where a comparison of the catalogue makes them from a data set."""

    rows: Any

    def __call__(self, dataset: Dataset) -> Any:
        return self.rows


def _digest(family: Asked, rows: Any) -> str:
    digest = hashlib.sha256(family.name.encode())
    for array in (family.columns(rows), rows.counts, rows.labels):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _code(family: Family) -> str:
    """A digest of what a family of one's own does."""
    digest = hashlib.sha256(repr(sorted(family.parameters.items())).encode())
    for function in (family.scipy, family.pymc, family.m_step):
        code = getattr(function, "__code__", None)
        digest.update(repr(function).encode() if code is None else code.co_code + repr(code.co_consts).encode())
        digest.update(repr(getattr(code, "co_names", ())).encode())
    return digest.hexdigest()


def _roles(
    table: Table, family: str | None, columns: Any, labels: Any, counts: Any
) -> tuple[Asked, dict[str, str], list[str]]:
    """The family, the header of each of its roles, and how they were found."""
    others = {table.header(each) for each in (labels, counts) if isinstance(each, str)}
    kinds = families.FAMILIES
    if isinstance(columns, Mapping):
        given = {str(role): table.header(header) for role, header in columns.items()}
        kind = _having(given, family)
        return kind, kind.complete(given, table.source), []
    if columns is not None:
        headers = [table.header(each) for each in ([columns] if isinstance(columns, str) else columns)]
        if family is None:
            for kind in kinds.values():
                called = {header.lower(): header for header in headers}
                if kind.roles and set(called) <= set(kind.roles):
                    return (
                        kind,
                        kind.complete(called, table.source),
                        [f"The family is {kind.name}, by the names of the columns."],
                    )
        if not headers:
            raise ValueError("columns is empty; name the columns of the data, or leave the argument out")
        kind = _measuring(kinds) if family is None else kinds[family]
        roles = kind.complete(kind.in_order(headers), table.source)
        return kind, roles, [] if family else [_guessed(kind)]
    for kind in kinds.values() if family is None else [kinds[family]]:
        called = {header.lower(): header for header in table.columns if header not in others}
        found = {role: called[role] for role in kind.roles if role in called}
        if found:
            try:
                return (
                    kind,
                    kind.complete(found, table.source),
                    [f"Columns are taken by their names: {', '.join(found)}."],
                )
            except ValueError:
                continue
    kind = _measuring(kinds) if family is None else kinds[family]
    headers = [header for header in table.columns if header not in others and table.is_numeric(header)]
    if not headers:
        raise ValueError(
            f"{table.source} has no column of numbers among {some_of(table.columns)}; choose one of numbers"
        )
    told = [f"Columns taken: {some_of(headers)}."]
    return kind, kind.complete(kind.in_order(headers), table.source), told if family else [*told, _guessed(kind)]


def _one_column(table: Table, kind: Asked, columns: Any, labels: Any, counts: Any) -> dict[str, str]:
    """The column of a family of one's own: as named, else by its name, else the only one of numbers."""
    others = {table.header(each) for each in (labels, counts) if isinstance(each, str)}
    numbers = [header for header in table.columns if header not in others and table.is_numeric(header)]
    if isinstance(columns, Mapping):
        columns = list(columns.values())
    named = [columns] if isinstance(columns, str) else list(columns or [])
    found = named or [header for header in numbers if header in kind.roles] or numbers
    if len(found) != 1:
        raise ValueError(f"{kind.name} take one column, but there are {some_of(found)} in {table.source}; name one")
    return {kind.roles[0]: table.header(found[0])}


def _measuring(kinds: Mapping[str, Asked]) -> Asked:
    """The family of measurements, which is taken where nothing says otherwise."""
    return next(kind for kind in kinds.values() if kind.measures)


def _guessed(kind: Asked) -> str:
    return f"The family is {kind.name}: numbers are taken for measurements unless another one is named."


def _having(given: Mapping[str, str], family: str | None) -> Asked:
    """The family with these roles."""
    kinds = families.FAMILIES if family is None else {family: families.FAMILIES[family]}
    for kind in kinds.values():
        if set(given) <= set(kind.roles):
            return kind
    known = "; ".join(f"{kind.name}: {', '.join(kind.roles) or 'any names'}" for kind in kinds.values())
    raise ValueError(f"columns has {some_of(given)}, which are no columns of one family; they are called so – {known}")


def _kept(table: Table, headers: Sequence[str], missing: Missing) -> tuple[Integers, list[str]]:
    """Rows of which nothing is missing, and what was left out."""
    empty = rows_without(table, headers)
    every = np.arange(table.n)
    if not empty:
        return every, []
    told = "; ".join(
        f"column {header!r} has {len(rows)} missing value{'s' * (len(rows) > 1)}, the first in {table.place(int(rows[0]))}"
        for header, rows in empty.items()
    )
    if missing == "refuse":
        raise ValueError(
            f'{table.source}: {told}; fill them, or leave such rows out with missing="drop" (--missing drop)'
        )
    gone = np.unique(np.concatenate(list(empty.values())))
    if len(gone) == table.n:
        raise ValueError(f"{table.source}: {told}, so no row is complete; choose other columns")
    return np.setdiff1d(every, gone), [f"{len(gone)} of {table.n} rows are left out: {told}."]


def _labels(
    table: Table, labels: Any, kept: Integers, components: Sequence[str] | None
) -> tuple[Integers | None, list[str] | None]:
    """Known components of the rows that are kept, and their names; None where none is told."""
    if labels is None:
        return None, None
    if isinstance(labels, str):
        words = table.words(table.header(labels))
    else:
        array = np.asarray(labels)
        if array.shape != (table.n,):
            raise ValueError(f"labels has shape {array.shape} but there are {table.n} rows; give one label for each")
        if array.dtype.kind in "iu":
            return array[kept].astype(np.int64), None
        words = [None if each is None or each != each or each == "" else str(each) for each in array.tolist()]
    levels = sorted({word for word in words if word is not None}, key=_as_read)
    if not levels:
        raise ValueError(f"labels {shown(labels)} is empty in every row; leave it out")
    if components is not None:
        unknown = [word for word in levels if word not in components]
        if unknown:
            raise ValueError(
                f"labels has {shown(unknown[0])}, which is none of the components {some_of(components)}; name them as labels do"
            )
        levels = list(components)
    places = {word: place for place, word in enumerate(levels)}
    return np.array([-1 if words[row] is None else places[words[row]] for row in kept], dtype=np.int64), levels


def _unit_and_features(headers: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """The unit that all columns have by their headers, and their names without it; headers as they are where units differ."""
    told = [name_and_unit(header) for header in headers]
    units = {unit for _, unit in told}
    if len(units) == 1:
        return units.pop(), tuple(name for name, _ in told)
    return "", tuple(headers)


def _codes(words: Sequence[str | None]) -> Any:
    """A number for each word."""
    codes: dict[str | None, int] = {}
    return np.array([float(codes.setdefault(word, len(codes))) for word in words])


def _apart(roles: Mapping[str, str], labels: Any, counts: Any, table: Table) -> None:
    """Refuse one column for two purposes."""
    used = [*roles.values(), *(table.header(each) for each in (labels, counts) if isinstance(each, str))]
    twice = next((header for place, header in enumerate(used) if header in used[:place]), None)
    if twice is not None:
        raise ValueError(f"column {twice!r} of {table.source} is named for two purposes; name it for one")


def _as_read(word: str) -> tuple[bool, float, str]:
    """Numbers by size, then words by letter."""
    try:
        return False, float(word), word
    except ValueError:
        return True, 0.0, word


def _beside(name: str, values: Any, n: int, kept: Integers) -> Any:
    if values is None:
        return None
    array = np.asarray(values)
    if array.shape != (n,):
        raise ValueError(f"{name} has shape {array.shape} but there are {n} rows; give one number for each")
    return array[kept]


def _command(asked: dict[str, Any]) -> str:
    words = ["comparisons", "run"]
    for option, value in asked.items():
        for each in value if isinstance(value, list) else [] if value is None else [value]:
            words += [f"--{option}", str(each)]
    return shlex.join(words)


def key_of(own: Own) -> str:
    """What decides the comparison beside data, settings and sources."""
    return json.dumps(own.told, sort_keys=True)
