"""What is wrong with a pair, its functions or its data is told before anything long runs, in three lines at most."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import comparisons
from comparisons.catalogue import linkage
from models.inputs import Floats
from tests.comparisons.test_pairs import ANIMALS, HEADS, problem, two_coins


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"exchangeable": "p"}, "exchangeable is 'p'; give a list of parameters' names"),
        ({"exchangeable": 3}, "exchangeable is 3; give a list"),
        ({"exchangeable": ("p", "p")}, "exchangeable has 'p' 2 times; name each parameter once"),
        ({"moves": 3}, "moves is 3; give a list"),
        ({"generalised": "no"}, "generalised is 'no'; give True or False"),
        ({"derived": 3}, "derived is 3; leave it out"),
        ({"start": [{"p": 1}]}, r"start is \[\{'p': 1\}\]; give a function, or parameters by name"),
    ],
)
def test_an_argument_of_the_wrong_kind_is_refused_where_the_pair_is_made(parts: dict[str, Any], told: str) -> None:
    with pytest.raises((TypeError, ValueError), match=told):
        two_coins(**parts)


def _rows_missing(p: Floats, w: Floats, heads: Any) -> Floats:
    return np.ones((len(heads) - 1, 2)) / 2


def _updated(r: Floats, heads: Any) -> dict[str, Floats]:
    return {"p": heads @ r / (10 * r.sum(axis=0)), "w": r.mean(axis=0)}


APART: dict[str, Any] = {"em_step": None, "m_step": _updated}
NAN = float("nan")


@pytest.mark.parametrize(
    ("parts", "data", "told"),
    [
        ({}, np.array([]), "data is array.*, which holds nothing; give the rows"),
        ({}, {}, "data is .*, which holds nothing; give the rows"),
        ({}, {"tails": HEADS}, r"model raised [\s\S]* a mapping of which no entry has this name: it has tails"),
        pytest.param(
            {}, np.array([1.0, NAN, 3.0]), "heads has missing values, which PyMC makes latent variables of",
            marks=pytest.mark.filterwarnings("ignore"),
        ),
        ({"model": lambda heads: {"y": heads}["n"]}, HEADS, r"model raised KeyError: 'n' in line \d+\nIt was called with h"),
        (
            {**APART, "e_step": _rows_missing}, HEADS,
            r"m_step raised ValueError: matmul.* in line \d+\nIt was called with its first argument ndarray of shape \(4, 2\); "
            r"heads ndarray of shape \(5,\)\nMend m_step, what e_step returned, ",
        ),
        ({**APART, "e_step": lambda p, w, heads: None}, HEADS, "e_step returned None; return what m_step needs"),
        ({**APART, "m_step": lambda: 1, "e_step": _rows_missing}, HEADS, "m_step takes no argument; its first one gets"),
        ({"em_step": lambda p, w, heads: w @ heads}, HEADS, r"em_step raised ValueError[\s\S]*w of shape \(2,\)"),
        ({"em_step": lambda p, w, heads: {"p": "a", "w": w}}, HEADS, r"em_step returned p = 'a', of which no .*; give numbers"),
        ({"em_step": lambda p, w, heads: {"p": [[1], [1, 2]], "w": w}}, HEADS, "em_step returned p = .*; give numbers of shape"),
        ({"log_likelihood": lambda p, w, heads: "a"}, HEADS, "log_likelihood returned 'a' at the start; return one number"),
        ({"log_likelihood": lambda p, w, heads: None}, HEADS, "log_likelihood returned None at the start; return one number"),
        ({"log_prior": lambda p, w: p}, HEADS, "log_prior returned array.* at the start; return one number"),
        ({"start": {}}, HEADS, "start has values for nothing; the program has p, w"),
        ({"start": {"p": [0.2, NAN], "w": [0.5, 0.5]}}, HEADS, r"start has p = \[0.2, nan\], outside its domain .*, 0 to 1"),
        ({"start": {"p": "a", "w": [0.5, 0.5]}}, HEADS, "start has p = 'a', of which no array of numbers can be made"),
        ({"start": lambda heads: []}, HEADS, "start returned an empty list; return parameters by name"),
        ({"stop": lambda after: True}, HEADS, r"stop takes \(after\), but is called with two .*; write it as stop"),
        ({"stop": lambda before, after: before["p"] == after["p"]}, HEADS, "stop returned array.*; return True or False"),
        (
            {**APART, "e_step": lambda p, w, heads: np.ones((5, 2)) / 2, "complete": lambda r, p, w, heads: NAN}, HEADS,
            "complete returned nan at the start; return one number",
        ),
    ],
)  # fmt: skip
def test_what_a_function_cannot_do_is_told_before_anything_long_runs(
    parts: dict[str, Any], data: Any, told: str
) -> None:
    with pytest.raises(ValueError, match=told) as refused:
        problem(two_coins(**parts), data)
    assert len(str(refused.value).splitlines()) <= 3


def test_an_audit_refuses_what_is_no_pair_and_no_seed() -> None:
    with pytest.raises(TypeError, match=r"pair is 3; give a comparisons\.Pair"):
        comparisons.audit(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="seed is -1, but must be at least 0"):
        comparisons.audit(linkage.LINKAGE, ANIMALS, seed=-1)
