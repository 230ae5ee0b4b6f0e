"""What is wrong with a pair, its functions or its data is told before anything long runs, in three lines at most."""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
import pytest

import comparisons
from comparisons.catalogue import linkage
from models.inputs import Floats
from tests.comparisons.test_pairs import ANIMALS, HEADS, changed, problem, two_coins


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


def of_ordered(animals: Any) -> pm.Model:
    with pm.Model() as model:
        pm.Normal("theta", shape=2, transform=pm.distributions.transforms.ordered, initval=[0, 1])
        pm.Normal("animals", observed=animals)
    return model


def of_a_latent_variable(animals: Any) -> pm.Model:
    with pm.Model() as model:
        pm.Bernoulli("z", 0.5)
        pm.Normal("animals", observed=animals)
    return model


def of_no_parameter(animals: Any) -> pm.Model:
    with pm.Model() as model:
        pm.Normal("animals", observed=animals)
    return model


def of_another_name(animals: Any) -> pm.Model:
    with pm.Model() as model:
        pm.Poisson("y", pm.Gamma("lambda", 1, 1), observed=animals)
    return model


def three(animals: Any) -> pm.Model:
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("p", shape=3).sum() + pm.Uniform("q", 0, 1), observed=animals)
    return model


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no parameter": ({"model": of_no_parameter}, "model has no free variables; declare the parameters as variables"),
    "a step that is missing": ({"m_step": None}, "e_step given; give em_step alone, or e_step and m_step"),
    "two kinds of step": ({"em_step": lambda theta, animals: theta}, "give em_step alone"),
    "no function": ({"log_likelihood": 3.0}, "log_likelihood is 3.0; give a function"),
    "no program": ({"model": lambda animals: "a text"}, "model returned 'a text'; return the pymc.Model"),
    "an ordered transform": ({"model": of_ordered}, "variable theta has the transform Ordered"),
    "a latent variable": ({"model": of_a_latent_variable}, "discrete free variable z; sum it out"),
    "another name": (
        {"em_step": lambda theta, animals: {"thetas": theta}, "e_step": None, "m_step": None},
        "em_step returned values for thetas; the program has theta",
    ),
    "another shape": (
        {"m_step": lambda made, animals: [0.1, 0.2]},
        r"m_step returned theta of shape \(2,\); the program has \(\)",
    ),
    "outside the domain": (
        {"m_step": lambda made, animals: 1.5},
        "one step from the start makes theta .*1.5.*, outside its domain in the program, 0 to 1",
    ),
    "two data arguments": (
        {"log_likelihood": lambda theta, animals, plants: 0.0},
        "log_likelihood has the arguments animals, plants beside the parameters theta",
    ),
    "no number": (
        {"log_likelihood": lambda theta, animals: np.zeros(3)},
        "log_likelihood returned .* at the start; return one number",
    ),
    "components that are none": (
        {"exchangeable": ("p",)},
        "exchangeable names 'p'; the program's parameters are theta",
    ),
    "a mirror of what is unknown": ({"mirrored": ("p",)}, "mirrored names 'p'; the program's parameters are theta"),
    "a mirror among three": (
        {"model": three, "log_likelihood": lambda p, q, animals: 0.0, "exchangeable": ("p",), "mirrored": ("q",)},
        "mirrored names q, but only two components mirror a probability",
    ),
    "a mirror of a real number": (
        {"model": three, "log_likelihood": lambda p, q, animals: 0.0, "mirrored": ("p",)},
        "mirrored names p, which is not between two numbers",
    ),
    "unlike components": (
        {"model": three, "log_likelihood": lambda p, q, animals: 0.0, "exchangeable": [("p", "q")]},
        "exchangeable has p and q together, whose shapes or domains differ",
    ),
    "a name that no argument has": (
        {"model": of_another_name, "log_likelihood": lambda animals: 0.0},
        "the program's parameter lambda can be no argument of a function of yours; call it otherwise there",
    ),
    "components of a number": ({"exchangeable": ("theta",)}, "exchangeable has theta alone, which is one number"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_does_not_fit_is_refused_before_anything_long_runs(why: str) -> None:
    parts, told = REFUSED[why]
    with pytest.raises((TypeError, ValueError), match=told):
        problem(changed(**parts))
