"""How components of a program can change places, as its users write them."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pymc as pm
import pytest

import em
from em.derived.ascent import climb
from em.derived.fit import fitted
from em.derived.symmetry import Exchange, Part
from models import CoinTosses

RANDOM = np.random.default_rng(4)
HEADS = np.array([1, 2, 1, 3, 2, 8, 7, 9, 1, 2, 8, 2])
ITEMS = (RANDOM.random((30, 3)) < np.where(RANDOM.random(30) < 0.4, 0.8, 0.2)[:, None]).astype(int)


def share_and_vectors(a: float = 2, b: float = 2) -> pm.Model:
    with pm.Model() as model:
        share = pm.Beta("share", a, b)
        mu, sd = pm.Normal("mu", 0, 5, shape=2), pm.HalfNormal("sd", 3, shape=2)
        z = pm.Bernoulli("z", share, shape=len(HEADS))
        pm.Normal("y", mu[z], sd[z], observed=HEADS.astype(float))
    return model


def a_name_each(second: float = 5) -> pm.Model:
    with pm.Model() as model:
        share = pm.Uniform("share", 0, 1)
        one, other = pm.Normal("one", 0, 5), pm.Normal("other", 0, second)
        z = pm.Bernoulli("z", share, shape=len(HEADS))
        pm.Normal("y", pm.math.switch(z, other, one), pm.HalfNormal("sd", 3), observed=HEADS.astype(float))
    return model


def three_names() -> pm.Model:
    with pm.Model() as model:
        heads = pm.math.stack([pm.Beta(name, 1, 1) for name in ("a", "b", "c")])
        z = pm.Categorical("z", pm.Dirichlet("w", np.ones(3)), shape=len(HEADS))
        pm.Binomial("y", 10, heads[z], observed=HEADS)
    return model


def two_tests(a: float = 1, b: float = 1) -> pm.Model:
    with pm.Model() as model:
        ill = pm.Beta("ill", 1, 1)
        sensitivity, specificity = pm.Beta("sensitivity", a, b, shape=3), pm.Beta("specificity", a, b, shape=3)
        z = pm.Bernoulli("z", ill, shape=len(ITEMS))[:, None]
        pm.Bernoulli("items", z * sensitivity + (1 - z) * (1 - specificity), observed=ITEMS)
    return model


def accuracies() -> pm.Model:
    with pm.Model() as model:
        right = pm.Beta("right", 1, 1, shape=2)
        z = pm.Bernoulli("z", pm.Beta("p", 1, 1), shape=len(HEADS))
        pm.Binomial("y", 10, pm.math.stack([1 - right[0], right[1]])[z], observed=HEADS)
    return model


def classes_last(k: int = 2) -> pm.Model:
    with pm.Model() as model:
        w, items = pm.Dirichlet("w", np.ones(k)), pm.Beta("items", 1, 1, shape=(3, k))
        z = pm.Categorical("z", w, shape=len(ITEMS))
        pm.Bernoulli("y", items[:, z].T, observed=ITEMS)
    return model


def coins() -> pm.Model:
    with pm.Model() as model:
        heads = pm.Beta("heads", 2, 2, shape=2)
        z = pm.Bernoulli("z", pm.Beta("share", 3, 3), shape=len(HEADS))
        pm.Binomial("y", 10, heads[z], observed=HEADS)
    return model


FOUND: dict[str, tuple[Any, tuple[Part, ...], tuple[str, ...]]] = {
    "share and vectors": (share_and_vectors, (Part(("mu",), (0,)), Part(("sd",), (0,))), ("share",)),
    "a name each": (a_name_each, (Part(("one", "other")),), ("share",)),
    "three names": (three_names, (Part(("a", "b", "c")), Part(("w",), (0,))), ()),
    "two tests": (two_tests, (Part(("sensitivity", "specificity"), (), mirrored=True),), ("ill",)),
    "accuracies": (accuracies, (Part(("right",), (0,), mirrored=True),), ("p",)),
    "classes last": (classes_last, (Part(("items",), (1,)), Part(("w",), (0,))), ()),
    "three classes last": (lambda: classes_last(3), (Part(("items",), (1,)), Part(("w",), (0,))), ()),
}
NONE = {
    "shares have a prior of their own": lambda: share_and_vectors(2, 5),
    "means have priors of their own": lambda: a_name_each(4),
    "tests are better than guessing": lambda: two_tests(8, 2),
}


@cache
def exchange(which: str) -> Exchange:
    return em.derive(FOUND[which][0](), compiled=False).exchange


@pytest.mark.parametrize("which", FOUND)
def test_the_exchange_of_a_program_is_found(which: str) -> None:
    _, parts, alone = FOUND[which]
    assert (exchange(which).parts, exchange(which).alone) == (parts, alone)


@pytest.mark.parametrize("which", NONE)
def test_what_tells_components_apart_leaves_them_in_their_places(which: str) -> None:
    found = em.derive(NONE[which](), compiled=False)
    assert found.exchangeable == ()
    values = found.steps.densities.space.values(np.ones(found.n_parameters))
    ordered = found.exchange.in_order(values)
    assert all((ordered[name] == values[name]).all() for name in values)


@pytest.mark.parametrize("which", FOUND)
def test_draws_are_in_one_order_whatever_their_labels(which: str) -> None:
    found = exchange(which)
    draws = found.space.values(RANDOM.normal(size=(3, 5, found.space.size)))
    orders = np.array([RANDOM.permutation(found.components) for _ in range(15)]).reshape(3, 5, -1)
    ordered, relabelled = found.in_order(draws), found.in_order(found.permuted(draws, orders))
    for name in found.space.names:
        assert ordered[name].shape == draws[name].shape
        np.testing.assert_allclose(relabelled[name], ordered[name], atol=1e-12)
    assert (np.diff(found.order(ordered)) == 1).all()


def test_the_order_is_the_one_that_is_told() -> None:
    low_first = exchange("a name each").in_order({"one": 3.0, "other": 1.0, "share": 0.2, "sd": 2.0})
    assert low_first == pytest.approx({"one": 1.0, "other": 3.0, "share": 0.8, "sd": 2.0})
    told = {"ill": np.array(0.3), "sensitivity": np.full(3, 0.2), "specificity": np.full(3, 0.1)}
    better = exchange("two tests").in_order(told)
    np.testing.assert_allclose(better["sensitivity"], 0.9)
    np.testing.assert_allclose(better["specificity"], 0.8)
    assert better["ill"] == pytest.approx(0.7)
    space = exchange("accuracies").space
    alone = Exchange(space, alone=("p",))
    np.testing.assert_allclose(alone.in_order({"right": [0.2, 0.4], "p": 0.9})["p"], 0.1)
    np.testing.assert_allclose(alone.in_order({"right": [0.2, 0.4], "p": 0.1})["p"], 0.1)


TOLD = {
    "share and vectors": "mu ascends",
    "a name each": "one <= other",
    "three names": "a <= b <= c",
    "two tests": "the first numbers of sensitivity and specificity are together at least 1",
    "accuracies": "the two numbers of right are together at least 1",
    "classes last": "the first number of items ascends",
}


@pytest.mark.parametrize("which", TOLD)
def test_the_order_is_told_in_words(which: str) -> None:
    assert exchange(which).told == TOLD[which]


def test_the_order_of_a_lone_probability_and_of_nothing_is_told_in_words() -> None:
    space = exchange("accuracies").space
    assert Exchange(space).told == ""
    assert Exchange(space, alone=("p",)).told == "p is at most 0.5"


def test_standard_errors_follow_a_fit_into_its_order() -> None:
    derived = em.derive(coins(), compiled=False)
    fit, ours = derived.fit(prior=False), em.coin_mixture(CoinTosses(HEADS, 10), n_components=2)
    assert fit.log_likelihood == pytest.approx(ours.log_likelihood, abs=1e-7)
    turned = derived.exchange.permuted(fit.parameters, np.array([1, 0]))
    # From `turned` the search ends with the labels the other way about, and the errors of share and heads have to turn with it.
    for start in (fit.parameters, turned):
        run = climb(derived.steps, start, prior=False, accelerated=False)
        ordered = fitted(derived, [run], 0, prior=False, in_order=True, accelerated=False)
        assert ordered.parameters["share"] == pytest.approx(ours.parameters.weights[1], abs=1e-6)
        same = ours.standard_errors.covariance[np.ix_([2, 3, 1], [2, 3, 1])]
        np.testing.assert_allclose(ordered.standard_errors.covariance, same, rtol=1e-4)
