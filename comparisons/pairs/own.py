"""A pair with its data as a comparison: checked and declared, with all that asks for the same again."""

from __future__ import annotations

import hashlib
import inspect
import pickle
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from comparisons import catalogue
from comparisons.datasets import Dataset
from comparisons.families import from_file
from comparisons.own import Given, code_of
from comparisons.pair import FUNCTIONS, Pair, PairDeclaration
from comparisons.pairs.derived import fingerprint, is_program, pair_of
from comparisons.pairs.making import problem_of
from comparisons.pairs.problem import PairProblem
from models.inputs import shown

if TYPE_CHECKING:
    import pymc as pm


@dataclass(frozen=True, slots=True, eq=False)
class OwnPair:
    """A pair, ready to run; attributes as of `comparisons.own.Own`, and the ``problem`` that it makes."""

    comparison: PairDeclaration
    dataset: Dataset
    told: dict[str, Any]
    command: str
    problem: PairProblem


def is_pair(told: Any) -> bool:
    """Whether a pair or a program is told, by itself, by a function that returns it, or by the file that it stands in."""
    told_so = isinstance(told, Pair) or is_program(told) or _makes(told)
    return told_so or (isinstance(told, str) and from_file.is_place(told))


def _makes(told: Any) -> bool:
    """Whether something is a function without arguments."""
    return inspect.isfunction(told) and not inspect.signature(told).parameters


def _makes_program(told: Any) -> bool:
    """Whether something of a file is a program, or a function of it that may return one."""
    return is_program(told) or (_makes(told) and told.__module__.startswith("own_in_"))


def pair_told(told: Any, *, audited: bool = False) -> Pair:
    """The pair that is told, or that is made of the program that is, unless it is to be ``audited``."""
    name = "model"
    if isinstance(told, str):
        name = told.rpartition(":")[2]
        told = from_file.load(told, Pair, "comparisons.Pair or PyMC program", _makes_program)
    if _makes(told):
        name = name if name != "model" else told.__name__.strip("<>")
        told = told()
        if not is_program(told):
            raise ValueError(f"{name} returned {shown(told)}; return the pymc.Model")
    if not (is_program(told) or isinstance(told, Pair)):
        raise TypeError(f"pair is {shown(told)}; give a comparisons.Pair, or its place as FILE.py:NAME")
    if isinstance(told, Pair):
        return told
    if audited:
        raise ValueError(
            "an EM derived from its program has nothing to hold its steps against; give a comparisons.Pair with an EM of yours"
        )
    return pair_of(told, told.name or name)


def declared(told: Pair | pm.Model | str, data: Any = None, *, audited: bool = False, **others: Any) -> OwnPair:
    """Check a pair with its data, and say what is compared.

    Parameters
    ----------
    told : the pair, or a program of which one is made, or the place of either as ``"FILE.py:NAME"``
    data : its data; those of the pair where None
    audited : whether a step that leaves the parameters' domains is for an audit to tell
    others : ``name``, ``title`` and ``question`` in place of the pair's

    Raises
    ------
    TypeError, ValueError
        for what does not fit; see `comparisons.pairs.making.problem_of`
    """
    pair = pair_told(told, audited=audited)
    if pair.derived is not None and data is not None:
        raise ValueError("a program has its data in it; call compare with the program alone")
    texts = {key: others.pop(key, None) or getattr(pair, key) for key in ("name", "title", "question")}
    if strange := next((key for key, value in others.items() if value is not None), None):
        raise ValueError(f"{strange} is for mixtures of a family; of a pair give data, name, title and question")
    data = pair.data if data is None else data
    if data is None:
        raise ValueError("the pair has no data; give them as the second argument, or as data= of the Pair")
    name = texts["name"]
    if name in catalogue.names():
        raise ValueError(f"name is {shown(name)}, which is a comparison of the catalogue; give another one")
    comparison = PairDeclaration(
        pair=pair,
        name=name,
        title=texts["title"] or name,
        question=texts["question"],
        dataset=name,
        description=f"The data of {name}.",
        unit="",
        data=Given(data),
        prior_reason="As the program says.",
    )
    problem = problem_of(comparison, data, audited=audited)
    dataset = Dataset(name, "Data given with the pair.", {}, hashlib.sha256(pickle.dumps(data)).hexdigest())
    functions = [getattr(pair, each) for each in FUNCTIONS]
    decides = {"family": "own program", "code": code_of(functions), "texts": texts}
    if pair.derived is not None:
        decides["program"] = fingerprint(pair)
    asked = f"comparisons run {shlex.quote(told)}" if isinstance(told, str) else f"comparisons.compare({name})"
    return OwnPair(comparison, dataset, decides, asked, problem)
