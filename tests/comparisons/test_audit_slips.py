"""Slips that are in no list, orders of the components, and steps that leave their domains: what an audit says of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pymc as pm
import pytest
from scipy import stats

import comparisons
from comparisons.catalogue import linkage
from comparisons.pair import Pair
from models.inputs import Floats
from tests.normals_by_hand import WHOLE, Values, audit, changed, e_step, joint, whole

ANIMALS = np.array([125.0, 18.0, 20.0, 34.0])


def _of(change: Callable[[Floats], Floats]) -> Callable[..., Floats]:
    """An E-step of changed densities of the rows, which are then made chances."""

    def chances(w: Floats, mu: Floats, sigma: Floats, y: Floats) -> Floats:
        p = change(joint(w, mu, sigma, y))
        return np.asarray(p / p.sum(axis=1, keepdims=True))

    return chances


# In no list, each with the step that is to be named; several would pass for a listed slip at one point or another.
UNLISTED: dict[str, tuple[dict[str, Any], str]] = {
    "a variance for a deviation in the densities": (
        whole(lambda w, mu, sigma, y: e_step(w, mu, sigma**2, y)), "step",
    ),
    "chances that sum to 1 down the rows": (whole(lambda w, mu, sigma, y: (p := joint(w, mu, sigma, y)) / p.sum(axis=0)), "step"),
    "rows reversed": ({"e_step": lambda w, mu, sigma, y: e_step(w, mu, sigma, y)[::-1]}, "E-step"),
    "tempered": ({"e_step": _of(np.sqrt)}, "E-step"),
    "weights squared": ({"e_step": lambda w, mu, sigma, y: e_step(w**2, mu, sigma, y)}, "E-step"),
    "means exchanged in the densities": ({"e_step": lambda w, mu, sigma, y: e_step(w, mu[::-1], sigma, y)}, "E-step"),
    "no factor 1 / sigma": ({"e_step": lambda w, mu, sigma, y: e_step(w * sigma / (w @ sigma), mu, sigma, y)}, "E-step"),
    "one variance for all": (
        {"m_step": changed(sigma=lambda r, y, right: np.sqrt((r.sum(0) * right["sigma"] ** 2).sum() / len(y)) * np.ones(2))},
        "M-step",
    ),
    "about the mean of all": (
        {"m_step": changed(sigma=lambda r, y, right: np.sqrt((y - y.mean()) ** 2 @ r / r.sum(0)))}, "M-step"
    ),
    "mean absolute deviation": (
        {"m_step": changed(sigma=lambda r, y, right: (r * abs(y[:, None] - right["mu"])).sum(0) / r.sum(0))}, "M-step"
    ),
    "squared chances": ({"m_step": changed(mu=lambda r, y, right: y @ r**2 / (r**2).sum(0))}, "M-step"),
    "equal weights": ({"m_step": changed(w=lambda r, y, right: np.full(2, 0.5))}, "M-step"),
    "a mean shifted": ({"m_step": changed(mu=lambda r, y, right: right["mu"] + 0.1)}, "M-step"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNLISTED)
def test_no_slip_is_named_where_none_of_the_list_gives_what_was_returned(name: str) -> None:
    parts, step = UNLISTED[name]
    found = [each for each in audit(**parts).findings if each.step != "objective"]
    assert {each.step for each in found} == {step}
    assert {each.slip for each in found} == {""}
    assert all("none of the slips that are tried gives that" in each.told for each in found)


def test_a_slip_that_fits_at_one_point_only_is_not_named() -> None:
    heads = np.array([5, 9, 8, 4, 7])

    def both(c: Any, a: Any, b: Any, heads: Floats) -> Floats:
        return np.asarray(np.array([c, 1 - c]) * stats.binom.pmf(heads[:, None], 10, [a, b]))

    def step(c: Any, a: Any, b: Any, heads: Floats) -> Values:
        r = both(c, a, b, heads)
        r /= r.sum(axis=1, keepdims=True)
        a, b = heads @ r / (10 * r.sum(axis=0))
        # Tosses miscounted, which sends one coin up to what was thought the end of its range.
        return {"c": r[:, 0].mean(), "a": min(0.999, a / 0.9), "b": b}

    def program(heads: Floats) -> pm.Model:
        with pm.Model() as model:
            c, a, b = (pm.Beta(name, 1, 1) for name in "cab")
            tosses = pm.Binomial.dist(n=10, p=pm.math.stack([a, b]))
            pm.Mixture("heads", w=pm.math.stack([c, 1 - c]), comp_dists=tosses, observed=heads)
        return model

    coins = Pair(
        model=program,
        log_likelihood=lambda c, a, b, heads: float(np.log(both(c, a, b, heads).sum(axis=1)).sum()),
        em_step=step,
        start={"c": 0.6, "a": 0.5, "b": 0.8},
        data=heads,
        name="coins",
    )
    first = comparisons.audit(coins).findings[0]
    assert (first.step, first.parameter, first.slip) == ("M-step", "a", "")


EXCHANGED = "components are exchanged, or one gets what is another's"


def test_an_order_of_the_components_is_named() -> None:
    counts = np.concatenate([np.arange(4), np.arange(4, 11), np.arange(11, 20)]).astype(np.int64)

    def chances(w: Floats, rates: Floats, counts: Floats) -> Floats:
        p = w * stats.poisson.pmf(counts[:, None], rates)
        return np.asarray(p / p.sum(axis=1, keepdims=True))

    def program(counts: Floats) -> pm.Model:
        with pm.Model() as model:
            w = pm.Dirichlet("w", np.full(3, 2.0))
            rates = pm.Gamma("rates", np.float64(2), np.float64(0.2), shape=3)
            pm.Mixture("counts", w=w, comp_dists=pm.Poisson.dist(rates), observed=counts)
        return model

    def update(r: Floats, counts: Floats) -> Values:
        return {"w": r.mean(axis=0), "rates": counts @ r / r.sum(axis=0)}

    three = Pair(
        model=program,
        log_likelihood=lambda w, rates, counts: float(
            np.log((w * stats.poisson.pmf(counts[:, None], rates)).sum(axis=1)).sum()
        ),
        e_step=chances,
        m_step=update,
        start={"w": [0.3, 0.3, 0.4], "rates": [2.0, 7.0, 14.0]},
        data=counts,
        name="three",
    )
    assert audit(three).sound
    two = [1, 0, 2]
    of_e = audit(three, e_step=lambda w, rates, counts: chances(w, rates, counts)[:, two]).findings
    assert {(each.step, each.slip) for each in of_e} == {("E-step", EXCHANGED)}
    of_m = audit(three, m_step=lambda r, counts: update(r, counts) | {"w": r.mean(axis=0)[two]}).findings
    assert (of_m[0].step, of_m[0].parameter, of_m[0].slip) == ("M-step", "w", EXCHANGED)
    of_sigma = audit(m_step=changed(sigma=lambda r, y, right: right["sigma"][::-1])).findings
    assert (of_sigma[0].step, of_sigma[0].slip) == ("M-step", f"its {EXCHANGED}")


NAN = float("nan")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("parts", "step", "parameter"),
    [
        ({"m_step": changed(sigma=lambda r, y, right: -right["sigma"])}, "M-step", "sigma"),
        ({"m_step": changed(w=lambda r, y, right: 2 * right["w"])}, "M-step", "w"),
        ({"m_step": changed(sigma=lambda r, y, right: NAN * right["sigma"])}, "M-step", "sigma"),
        ({"m_step": changed(sigma=lambda r, y, right: 0 * right["sigma"])}, "M-step", "sigma"),
        ({"e_step": lambda w, mu, sigma, y: NAN * e_step(w, mu, sigma, y)}, "E-step", ""),
        ({"e_step": lambda w, mu, sigma, y: -e_step(w, mu, sigma, y)}, "E-step", ""),
        ({"e_step": lambda w, mu, sigma, y: 2 * e_step(w, mu, sigma, y)}, "E-step", ""),
        (whole(m=changed(sigma=lambda r, y, right: -right["sigma"])), "step", "sigma"),
    ],
)
def test_a_mixture_that_leaves_its_domain_is_named_at_its_step(
    parts: dict[str, Any], step: str, parameter: str
) -> None:
    def likelihood(w: Floats, mu: Floats, sigma: Floats, y: Floats) -> float:
        # As people write it: it raises where it is asked outside the domains.
        return sum(math.log(each) for each in joint(w, mu, sigma, y).sum(axis=1)) + 0 * math.log(min(*sigma, *w))

    first = audit(log_likelihood=likelihood, **parts).findings[0]
    assert (first.step, first.parameter) == (step, parameter)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("complete", [True, False], ids=["complete-data density", "without"])
@pytest.mark.parametrize(
    ("parts", "step", "parameter"),
    [
        ({"m_step": lambda made, animals: -0.1}, "M-step", "theta"),
        ({"m_step": lambda made, animals: 1.7}, "M-step", "theta"),
        ({"m_step": lambda made, animals: NAN}, "M-step", "theta"),
        ({"e_step": lambda theta, animals: NAN}, "E-step", ""),
        ({**WHOLE, "em_step": lambda theta, animals: 1.5}, "step", "theta"),
    ],
)
def test_a_step_that_is_no_mixtures_and_leaves_its_domain_is_named(
    complete: bool, parts: dict[str, Any], step: str, parameter: str
) -> None:
    def likelihood(theta: Any, animals: Floats) -> float:
        return 125 * math.log(2 + theta) + 38 * math.log(1 - theta) + 34 * math.log(theta)

    of_what = {} if complete else {"complete": None}
    first = audit(
        linkage.LINKAGE, log_likelihood=likelihood, data=ANIMALS, name="mine", **of_what, **parts
    ).findings[0]  # fmt: skip
    assert (first.step, first.parameter) == (step, parameter)


def test_a_step_onto_a_bound_that_is_no_maximum_is_named() -> None:
    first = audit(linkage.LINKAGE, m_step=lambda made, animals: 1.0, data=ANIMALS, name="mine").findings[0]
    assert (first.step, first.parameter) == ("M-step", "theta")
    assert "a bound of its domain" in first.told


@pytest.mark.parametrize(("divisor", "told"), [(-2, "n - K"), (0, "")])
def test_a_shared_variance_divided_by_another_number_is_named(divisor: int, told: str) -> None:
    random = np.random.default_rng(3)
    y = np.where(random.random(40) < 0.4, random.normal(3, 1, 40), random.normal(0, 1, 40))

    def program(y: Floats) -> pm.Model:
        with pm.Model() as model:
            w, mu = pm.Dirichlet("w", [1, 1]), pm.Normal("mu", 0, 9, shape=2)
            pm.NormalMixture("y", w, mu, sigma=pm.HalfNormal("sigma", 3), observed=y)
        return model

    def joint_of(w: Floats, mu: Floats, sigma: Floats, y: Floats) -> Floats:
        return np.asarray(w * stats.norm.pdf(y[:, None], mu, sigma))

    def chances(w: Floats, mu: Floats, sigma: Floats, y: Floats) -> Floats:
        p = joint_of(w, mu, sigma, y)
        return np.asarray(p / p.sum(axis=1, keepdims=True))

    def step(r: Floats, y: Floats) -> dict[str, Floats]:
        mu = y @ r / r.sum(axis=0)
        squares = (r * (y[:, None] - mu) ** 2).sum()
        return {"w": r.mean(axis=0), "mu": mu, "sigma": np.sqrt(squares / (len(y) + divisor))}

    pair = Pair(
        model=program,
        log_likelihood=lambda w, mu, sigma, y: np.log(joint_of(w, mu, sigma, y).sum(axis=1)).sum(),
        e_step=chances,
        m_step=step,
        start={"w": [0.5, 0.5], "mu": [0.0, 3.0], "sigma": 1.0},
        data=y,
        name="tied",
    )
    found = comparisons.audit(pair)
    assert found.sound == (divisor == 0)
    if divisor:
        first = found.findings[0]
        assert (first.step, first.parameter) == ("M-step", "sigma")
        assert first.slip == f"it is divided by {told} in place of n, under the root"
