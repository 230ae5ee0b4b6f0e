"""Somebody's own data as a comparison: read, checked and declared, with all that asks for the same again."""

from __future__ import annotations

import difflib
import hashlib
import inspect
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from types import CodeType
from typing import Any, Protocol, get_args

import numpy as np

from comparisons import catalogue, families
from comparisons import columns as table_columns
from comparisons.datasets import Dataset
from comparisons.declaration import Comparison, Declaration
from comparisons.families import from_file
from comparisons.families.columns import Missing
from comparisons.families.family import Family as Kind
from comparisons.hidden_markov_chains import NAME as CHAINS
from comparisons.quantity_names import as_label
from comparisons.tables import read
from models.family import Family
from models.inputs import component_number, shown, some_of

# Options of `comparisons.compare` that the command line has too, by what they are called there.
ON_COMMAND_LINE = {
    "data": "data",
    "family": "family",
    "columns": "column",
    "formula": "formula",
    "labels": "labels",
    "counts": "counts",
    "concomitants": "concomitant",
    "n_components": "components",
    "weights": "weights",
    "covariance": "covariance",
    "missing": "missing",
    "separator": "separator",
    "decimal": "decimal",
    "name": "name",
}
DEFAULTS = {"weights": "free", "covariance": "full"}


@dataclass(frozen=True, slots=True, eq=False)
class Own[C: Declaration]:
    """A comparison of own data, ready to run.

    Attributes
    ----------
    comparison : of a mixture, or of a pair that was made of the data
    dataset : as of one in the catalogue
    told : what decides it beside the data, for the key under which a result is used again
    prior : in numbers, whether they were given or are the default
    notes : what was recognised, a sentence each
    asked : options of `comparisons.compare` that ask for the same again, family and columns named, defaults left out
    """

    comparison: C
    dataset: Dataset
    told: dict[str, Any]
    prior: Any
    notes: tuple[str, ...]
    asked: dict[str, Any]

    @property
    def command(self) -> str:
        """What asks for the same again."""
        return command_of(self.asked, self.dataset.source)


def command_of(asked: Mapping[str, Any], source: str) -> str:
    """What asks for the same again: on the command line where that has words for it, else in Python."""
    path = isinstance(asked["data"], str | Path)
    words = all(isinstance(asked.get(key, ""), str) for key in ("family", "labels", "counts", "weights"))
    if path and words and set(asked) <= set(ON_COMMAND_LINE):
        return command_line(asked)
    # What was in memory there is no text of.
    in_memory = {key for key in ("labels", "counts") if not isinstance(asked.get(key, ""), str)}
    told = {key: key if key in in_memory else _in_python(asked[key]) for key in asked if key != "data"}
    data = _in_python(asked["data"]) if path else source.replace("models.", "").replace(" ", "_")
    return f"comparisons.compare({', '.join([data, *(f'{key}={value}' for key, value in told.items())])})"


def is_default(option: str, value: Any) -> bool:
    """Whether an option asks for nothing that is not done anyhow."""
    return value is None or (isinstance(value, str) and DEFAULTS.get(option) == value)


def declared(
    data: Any,
    family: Any = None,
    n_components: int | None = None,
    *,
    columns: str | Sequence[str] | Mapping[str, str] | None = None,
    formula: str | None = None,
    labels: Any = None,
    counts: Any = None,
    concomitants: str | Sequence[str] | None = None,
    weights: Any = "free",
    covariance: Any = "full",
    prior: Any = None,
    components: Sequence[str] | None = None,
    name: str | None = None,
    title: str | None = None,
    question: str | None = None,
    unit: str | None = None,
    missing: Missing | None = None,
    separator: str | None = None,
    decimal: str | None = None,
) -> Own[Comparison]:
    """Read own data and say what is compared; see `comparisons.compare`."""
    asked = {option: value for option, value in locals().items() if not is_default(option, value)}
    if missing is not None and missing not in get_args(Missing.__value__):
        raise ValueError(f'missing is {shown(missing)}; give "refuse", "drop" or "marginal"')
    if name in catalogue.names():
        raise ValueError(f"name is {shown(name)}, which is a comparison of the catalogue; give another one (--name)")
    own_family, kind = _family(family)
    if table_columns.is_noun(data, kind):
        if any(each is not None for each in (columns, formula, labels, counts, concomitants)):
            raise ValueError(
                f"columns, formula, labels, counts and concomitants are in models.{type(data).__name__}; leave the arguments out"
            )
        if missing is not None:
            raise ValueError(
                f"missing is for tables, and data are models.{type(data).__name__}; say there what is to be done"
            )
        taken = table_columns.of_noun(data, kind)
    else:
        table = read(data, separator, decimal)
        taken = table_columns.chosen(table, kind, columns, labels, counts, components, missing, formula, concomitants)
        roles = dict(taken.roles)
        asked |= {
            "family": family or taken.family.name,
            **({} if formula else {"columns": [*roles] if [*roles] == [*roles.values()] else roles}),
        }
    kind, rows = taken.family.variant(taken.rows), taken.rows
    if covariance != "full" and "covariance" not in kind.options:
        raise ValueError(f"covariance is {shown(covariance)} but {kind.name} have none; leave it out")
    names = _names(n_components, components, taken.components, rows)
    asked["n_components"] = len(names)
    stem = Path(data).stem if isinstance(data, str | Path) else "own-data"
    one, units = taken.one_unit_or_several() if unit is None else (unit, {})
    measured = [name for name in taken.features if not kind.of_weights or not name.startswith(kind.of_weights)]
    what = formula or " and ".join(measured) or taken.outcome or kind.name.replace("-", " ").capitalize()
    comparison = Comparison(
        name=name if name is not None else f"own-{stem}" if stem in catalogue.names() else stem,
        title=title or f"{what} of {taken.source}",
        question=question
        or f"Do EM and the posterior agree on {taken.source}, {_counted(len(names))} of {kind.name.replace('-', ' ')}?",
        dataset=stem,
        description=" ".join([f"{rows.n} rows of {taken.source}.", *taken.notes]),
        unit=one,
        units=units,
        data=Given(rows),
        components=tuple(names),
        weights=weights,
        covariance=covariance,
        features=taken.features,
        prior=prior,
        family=kind.name if own_family is None and families.of(rows) is not kind else own_family,
        prior_reason=kind.default_reason if prior is None else "Given with the data.",
    )
    try:
        problem = families.problem(comparison, rows)
        # Whatever EM refuses is refused now.
        problem.mixture(None, standardise=True)
    except ValueError as error:
        # The nouns of `models` call a table y, or x.
        told = str(error).replace(" of y ", f" of {taken.source} ").replace(" of x is ", f" of {taken.source} is ")
        raise ValueError(told) from error
    observed = dict(zip(kind.column_names(problem), kind.columns(rows).T, strict=True))
    dataset = Dataset(stem, taken.source, observed | {"counts": rows.counts, "labels": rows.labels}, taken.sha256)
    return Own(comparison, dataset, _told(comparison, taken), problem.prior, tuple(taken.notes), asked)


def _counted(n: int) -> str:
    return f"{n} component{'s' if n > 1 else ''}"


def _told(comparison: Comparison, taken: table_columns.Chosen) -> dict[str, Any]:
    """What decides a comparison beside the file that its rows are from."""
    c = comparison
    return {
        "family": taken.family.name,
        "rows": table_columns.digest(taken.family, taken.rows),
        "components": list(c.components),
        "weights": plain(c.weights),
        "covariance": str(c.covariance),
        "prior": plain(c.prior),
        "code": _code(c.family) if isinstance(c.family, Family) else "",
        "texts": [c.title, c.question, c.unit, dict(c.units), list(c.features)],
        "dropped": taken.dropped,
    }


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """Rows that are there already, where a comparison of the catalogue makes them from a data set."""

    rows: Any

    def __call__(self, dataset: Dataset) -> Any:
        return self.rows


def _family(told: Any) -> tuple[Family | None, Kind | None]:
    """The family of one's own, where it is one, and the family as a comparison sees it, where one is named."""
    if isinstance(told, str) and from_file.is_place(told):
        told = from_file.load(told, Family, "family")
    if isinstance(told, Family):
        return told, families.of_family(told)
    if told is None:
        return None, None
    if told not in families.FAMILIES:
        known = [*families.FAMILIES, CHAINS]
        also = {word: name for name, family in families.FAMILIES.items() for word in family.also_called}
        near = difflib.get_close_matches(str(told), [*known, *also], n=1)
        near = [also.get(each, each) for each in near]
        meant = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}, and FILE.py:NAME"
        raise ValueError(f"family is {shown(told)}; {meant}")
    return None, families.FAMILIES[told]


def _names(n: int | None, given: Sequence[str] | None, labelled: Sequence[str] | None, rows: Any) -> list[str]:
    """What the components are called: as given, else as labels are, else by number."""
    if isinstance(n, range | list | tuple | str):
        raise TypeError(f"n_components is {shown(n)}; compare one number at a time, each under a name of its own")
    n = None if n is None else component_number(n)
    names = [as_label(name) for name in given or labelled or []]
    if not names and n is None:
        n = int(rows.labels.max()) + 1
        if n < 1:
            raise ValueError(
                "n_components is missing; say how many components there are, such as n_components=2 (--components 2)"
            )
    if given is None:
        names += [str(j + 1) for j in range(len(names), n or 0)]
    if n is not None and n != len(names):
        raise ValueError(
            f"n_components is {shown(n)} but there are {len(names)} components ({some_of(names)}); give as many of both, or one "
            "of the two"
        )
    return names


def _code(family: Family) -> str:
    """A digest of what a family of one's own does: its numbers, its functions, and the files that these stand in."""
    return code_of((family.scipy, family.pymc, family.m_step), repr(sorted(family.parameters.items())))


def code_of(functions: Sequence[Any], told: str = "") -> str:
    """A digest of what functions do, and of the files that they stand in."""
    digest = hashlib.sha256(told.encode())
    for function in functions:
        code = getattr(function, "__code__", None)
        digest.update(repr(function).encode() if code is None else repr(_instructions(code)).encode())
        if code is not None and Path(code.co_filename).is_file():
            digest.update(Path(code.co_filename).read_bytes())
    return digest.hexdigest()


def _instructions(code: CodeType) -> tuple[Any, ...]:
    """What a function does, wherever it lies in memory."""
    constants = [_instructions(each) if inspect.iscode(each) else each for each in code.co_consts]
    return code.co_code, code.co_names, constants


def plain(value: Any) -> Any:
    """Priors and arrays in the words of JSON and TOML, every digit kept."""
    if is_dataclass(value) and not isinstance(value, type):
        # What follows from the data is not asked for.
        told = {
            each.name: plain(getattr(value, each.name)) for each in fields(value) if not each.metadata.get("derived")
        }
        return {key: each for key, each in told.items() if each is not None}
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def command_line(asked: Mapping[str, Any], command: str = "comparisons run") -> str:
    """A command with these options of `comparisons.compare`, all of which the command line has."""
    words: list[str] = []
    for key, option in ON_COMMAND_LINE.items():
        value = asked.get(key)
        told = [f"{role}={header}" for role, header in value.items()] if isinstance(value, Mapping) else value
        for each in told if isinstance(told, list | tuple) else [] if told is None else [told]:
            words += [f"--{option}", str(each)]
    return f"{command} {shlex.join(words)}".rstrip()


def _in_python(value: Any) -> str:
    """A value as Python writes it."""
    if is_dataclass(value) and not isinstance(value, type):
        told = plain(value).items() if not isinstance(value, Family) else [("name", value.name)]
        return f"{type(value).__name__}({', '.join(f'{key}={each!r}' for key, each in told)})"
    return repr(str(value) if isinstance(value, Path) else plain(value))


class Told(Protocol):
    """What a comparison is decided by beside data, settings and sources."""

    @property
    def told(self) -> dict[str, Any]:
        """In the words of JSON."""


def key_of(own: Told) -> str:
    """What decides the comparison beside data, settings and sources."""
    return json.dumps(own.told, sort_keys=True)
