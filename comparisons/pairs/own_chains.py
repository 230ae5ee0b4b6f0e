"""A hidden Markov chain of own data as a comparison: a table in the order of time, made a pair of the two engines."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, get_args

import numpy as np

from comparisons import catalogue, own
from comparisons.datasets import Dataset
from comparisons.declaration import Comparison, Fitted
from comparisons.families.columns import Missing
from comparisons.hidden_markov_chains import NAME, REASONS, pair_of, words_of
from comparisons.pair import PairDeclaration
from comparisons.pairs.chain_columns import Chosen, chosen, in_words_of
from comparisons.quantity_names import listed
from comparisons.results.report_data import Finding
from comparisons.tables import Table, read
from em.hidden_markov_steps import chain_of
from models.hidden_markov_chains import Initial, Sequences, default_prior
from models.inputs import component_number, shown

# Where a sequence begins.
INITIAL: Initial = "stationary"
# Rows beyond which a state is never left.
FOREVER = 1e6
# Options of mixtures, and why a chain has none.
LEFT_OUT = {
    "formula": "columns are named",
    "labels": "no state is known beforehand",
    "counts": "each row is one time of a sequence",
    "concomitants": "transitions depend on nothing",
    "weights": "how often a state is visited follows from its transitions",
    "covariance": "each state has a variance of its own",
    "components": "states are numbered, in ascending order of what they emit",
}


class OwnChain(own.Own[PairDeclaration]):
    """A comparison of own sequences, ready to run."""

    __slots__ = ()


def declared(
    data: Any, family: Any = None, n_components: int | None = None, **options: Any
) -> own.Own[Comparison] | OwnChain:
    """Read own data and say what is compared, of a chain or of a mixture; see `comparisons.compare`."""
    if family == NAME and isinstance(family, str):
        return _chain(data, n_components, **options)
    return own.declared(data, family, n_components, **options)


def of_components(asked: own.Own[Comparison] | OwnChain) -> own.Own[Comparison]:
    """A comparison of a mixture, whose number of components may be asked for; ValueError for another."""
    if isinstance(asked, OwnChain):
        raise ValueError(
            "numbers of states are not compared with each other; ask for one at a time, each with a --name"
        )
    return asked


def _chain(
    data: Any,
    n_components: int | None,
    *,
    columns: Any = None,
    prior: Any = None,
    name: str | None = None,
    title: str | None = None,
    question: str | None = None,
    unit: str | None = None,
    missing: Missing | None = None,
    separator: str | None = None,
    decimal: str | None = None,
    **others: Any,
) -> OwnChain:
    given = {key: each for key, each in others.items() if not own.is_default(key, each)}
    if given:
        key, value = next(iter(given.items()))
        raise ValueError(f"{key} is {shown(value)}, but in a hidden Markov chain {LEFT_OUT[key]}; leave it out")
    if missing == "drop":
        raise ValueError(
            'missing is "drop", but without a row others would follow each other in time; leave it out: missing values are kept'
        )
    if missing not in (None, *get_args(Missing.__value__)):
        raise ValueError(f'missing is {shown(missing)}; give "refuse", or leave it out')
    if name in catalogue.names():
        raise ValueError(f"name is {shown(name)}, which is a comparison of the catalogue; give another one (--name)")
    if n_components is None:
        raise ValueError(
            "n_components is missing; say how many states there are, such as n_components=2 (--components 2)"
        )
    if isinstance(n_components, range | list | tuple | str):
        raise TypeError(
            f"n_components is {shown(n_components)}; compare one number at a time, each under a name of its own"
        )
    k = component_number(n_components)
    if k < 2:
        raise ValueError(
            f"n_components is {k}, but a chain of one state has no order; give 2 or more, or take a family of mixtures"
        )
    if isinstance(data, Sequences):
        raise TypeError(
            "data is models.Sequences, which does not say what states emit; give columns, such as {'events': [4, 0, 7]}"
        )
    table = read(data, separator, decimal)
    taken = chosen(table, columns, missing)
    y, emissions = taken.sequences, taken.emissions
    try:
        used = default_prior(y.checked(emissions, k, prior), emissions, k) if prior is None else prior
        chain_of(y, k, emissions, INITIAL, used)
        chain_of(y, k, emissions, INITIAL, None)
    except ValueError as error:
        raise ValueError(in_words_of(str(error), table, taken.roles, taken.order)) from error
    stem = Path(data).stem if isinstance(data, str | Path) else "own-data"
    comparison = PairDeclaration(
        pair=pair_of(k, emissions, INITIAL, prior),
        name=name if name is not None else f"own-{stem}" if stem in catalogue.names() else stem,
        title=title or f"{taken.title} of {table.source}",
        question=question
        or f"Do EM and the posterior agree on {table.source}, {k} state{'s' * (k > 1)} of a hidden Markov chain?",
        dataset=stem,
        description=_described(table, taken),
        unit=taken.unit if unit is None else unit,
        data=own.Given(y),
        prior_reason=REASONS[emissions] if prior is None else "Given with the data.",
        findings=findings,
    )
    headers = list(taken.roles)
    further = {"prior": prior, "name": name, "title": title, "question": question, "unit": unit, "missing": missing}
    further |= {"separator": separator, "decimal": decimal}
    asked = {
        "data": data,
        "family": NAME,
        "columns": headers if headers == list(taken.roles.values()) else taken.roles,
        "n_components": k,
        **{key: value for key, value in further.items() if value is not None},
    }
    told = {
        "family": NAME,
        "rows": _digest(y),
        "n_components": k,
        "emissions": emissions,
        "prior": own.plain(prior),
        "texts": [comparison.title, comparison.question, comparison.unit, taken.title],
    }
    kept = {key: np.asarray(each) for key, each in words_of(y, k, emissions, INITIAL, used).columns.items()}
    dataset = Dataset(stem, table.source, kept, table.sha256)
    return OwnChain(comparison, dataset, told, used, tuple(taken.notes), asked)


def findings(fitted: Fitted) -> list[Finding]:
    """How long the states last."""
    with np.errstate(divide="ignore"):
        rows = 1 / (1 - np.diag(fitted.maximum_likelihood.parameters["transitions"]))
    told = [f"state {j} {f'{n:.3g} rows' if n < FOREVER else 'for good'}" for j, n in enumerate(rows, 1)]
    return [Finding("How long states last", f"By EM, on average: {listed(told)}.")]


def _described(table: Table, taken: Chosen) -> str:
    """The rows as fitted, in sentences."""
    begin = "The first row has" if len(taken.sequences.lengths) == 1 else "Where a sequence begins it has"
    return " ".join(
        [
            f"{table.n} rows of {table.source}, in the order of time.",
            f"{begin} the stationary distribution of the states.",
            *taken.notes,
        ]
    )


def _digest(y: Sequences) -> str:
    found = hashlib.sha256()
    for array in (y.y, y.lengths, y.tosses):
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()
