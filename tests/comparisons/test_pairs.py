"""Somebody's own EM with somebody's own PyMC program: matched by name, read by its domains, fitted, judged, refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pymc as pm
import pytest
import xarray as xr
from scipy import optimize, stats

import comparisons
import em
from comparisons import catalogue, datasets
from comparisons.catalogue import linkage
from comparisons.components import comparing
from comparisons.declaration import Fitted
from comparisons.judgement import Clock, judge
from comparisons.pair import Pair, PairDeclaration
from comparisons.pairs import own
from comparisons.pairs.making import problem_of
from comparisons.pairs.problem import PairProblem
from comparisons.problem import em_densities
from em.derived.coordinates import Block, Coordinates, coordinates_of
from models import CoinTosses
from models.inputs import Floats

ANIMALS = np.array([125.0, 18.0, 20.0, 34.0])
# To twenty digits by mpmath: the root of the score, Louis' information, and the posterior under a uniform prior.
THETA, INFORMATION, ERROR, RATE = 0.62682149787098241421, 377.5169003946873, 0.05146734920088868, 0.1327787337455988
LIKELIHOOD, COEFFICIENT = -7.54865751633201645, 198.167229529566258
MEAN, SD = 0.6228061319107306, 0.05094036345169838
HEADS = np.array([5, 9, 8, 4, 7])


def declared(pair: Pair) -> PairDeclaration:
    texts: dict[str, Any] = {"title": "t", "question": "q?", "dataset": "d", "description": "", "unit": ""}
    return PairDeclaration(pair=pair, name=pair.name, data=lambda dataset: dataset, **texts)


def problem(pair: Pair, data: Any = ANIMALS) -> PairProblem:
    return problem_of(declared(pair), data)


def changed(**parts: Any) -> Pair:
    return dataclasses.replace(linkage.LINKAGE, **parts)


def two_coins(**parts: Any) -> Pair:
    """Two coins of equal chances, five bags of ten tosses."""

    def program(heads: Any) -> pm.Model:
        with pm.Model(coords={"coin": ["A", "B"]}) as model:
            p = pm.Beta("p", 1, 1, dims="coin")
            w = pm.Dirichlet("w", [1, 1], dims="coin")
            pm.Mixture("heads", w=w, comp_dists=pm.Binomial.dist(n=10, p=p), observed=heads)
        return model

    def joint(p: Floats, w: Floats, heads: Any) -> Floats:
        return np.asarray(w * stats.binom.pmf(heads[:, None], 10, p))

    def step(p: Floats, w: Floats, heads: Any) -> dict[str, Floats]:
        r = joint(p, w, heads)
        r /= r.sum(axis=1, keepdims=True)
        return {"p": heads @ r / (10 * r.sum(axis=0)), "w": r.mean(axis=0)}

    def likelihood(p: Floats, w: Floats, heads: Any) -> float:
        return float(np.log(joint(p, w, heads).sum(axis=1)).sum())

    asked: dict[str, Any] = {
        "model": program,
        "log_likelihood": likelihood,
        "em_step": step,
        "exchangeable": ("p", "w"),
    }
    return Pair(**asked | parts)


def test_linkage_has_the_digits_of_its_references() -> None:
    found = problem(linkage.LINKAGE)
    fit = found.fit(None)
    assert fit.status == "converged"
    assert fit.parameters["theta"] == pytest.approx(THETA, abs=1e-8)
    assert fit.log_likelihood == pytest.approx(LIKELIHOOD, abs=1e-9)
    assert found.constants == pytest.approx((COEFFICIENT, 0.0), abs=1e-9)
    assert fit.standard_errors.values["theta"] == pytest.approx(ERROR, rel=1e-6)
    assert fit.rate == pytest.approx(RATE, rel=1e-6)
    judged = found.curvature(None, fit.parameters)
    assert float(1 / judged.covariance[0, 0]) == pytest.approx(INFORMATION, rel=1e-6)
    assert found.prior_is_flat()


def test_the_findings_of_linkage_are_its_closed_form() -> None:
    comparison = catalogue.declared("linkage")
    dataset = datasets.load("linkage")
    rows = comparison.data(dataset)
    np.testing.assert_array_equal(rows, ANIMALS)
    (told,) = comparison.findings(Fitted(dataset, rows, problem(linkage.LINKAGE).fit(None), {}, {}))  # type: ignore[arg-type]
    assert "the root 0.6268215 of a quadratic equation, and EM ends at 0.6268215" in told.text
    assert "is 377.5; if all were seen it would be 435.3 (Louis 1982)" in told.text
    assert "0.1328, is the rate" in told.text


@pytest.mark.sampling
def test_a_pair_is_judged_and_a_wrong_step_of_it_is_found() -> None:
    found = judge(problem(linkage.LINKAGE), seed=1, draws=1000, chains=4, clock=Clock(lambda stage: None))
    assert found.verdict == "agree", found.reasons
    (theta,) = found.quantities
    assert theta.posterior.mean is not None
    assert abs(theta.posterior.mean - MEAN) < 4 * (theta.posterior.mcse or 0)
    assert theta.posterior.sd == pytest.approx(SD, rel=0.1)
    told = {check.name: check for check in found.checks}
    assert {c.outcome for c in found.checks} == {"pass"}
    assert "differs from PyMC's by 198.17 nats everywhere" in told["same-density"].explanation

    def half_an_animal_too_many(made: float, animals: Floats) -> float:
        return linkage.m_step(made + 0.5, animals)

    # Its objective falls near the maximum, so the rule of the pair itself has to stop it.
    wrong = changed(m_step=half_an_animal_too_many, stop=lambda before, after: bool(before["theta"] == after["theta"]))
    found = judge(problem(wrong), seed=1, draws=1000, chains=4, clock=Clock(lambda stage: None))
    assert found.verdict == "wrong"
    assert {check.engine for check in found.checks if check.outcome == "fail"} == {"em"}


@pytest.mark.parametrize("by_step", [True, False], ids=["a step that takes the prior", "differences"])
def test_the_posterior_mode_is_reached_with_a_step_for_it_and_without(by_step: bool) -> None:
    def program(animals: Any) -> pm.Model:
        with pm.Model() as model:
            theta = pm.Beta("theta", np.float64(3), np.float64(5))
            pm.Multinomial("animals", n=pm.Data("n", 197.0), p=pm.math.stack(linkage.cells(theta)), observed=animals)
        return model

    def m_step(made: float, animals: Floats, prior: bool) -> float:
        more, less = (2.0, 4.0) if prior else (0.0, 0.0)
        return float((made + animals[3] + more) / (made + animals[1:].sum() + more + less))

    found = problem(changed(model=program, **({"m_step": m_step} if by_step else {})))
    fit = found.fit(True)

    def score(t: float) -> float:
        return float(125 / (2 + t) + 36 / t - 42 / (1 - t))

    assert fit.parameters["theta"] == pytest.approx(optimize.brentq(score, 0.1, 0.9, xtol=1e-14), abs=1e-8)
    assert fit.status == "converged"
    point = {"theta": np.array(0.3)}
    assert fit.log_posterior == pytest.approx(sum(em_densities(found, fit.parameters)), abs=1e-12)
    assert found.log_prior(point) == pytest.approx(stats.beta.logpdf(0.3, 3, 5), abs=1e-9)
    assert not found.prior_is_flat()
    assert found.fit(None).parameters["theta"] == pytest.approx(THETA, abs=1e-8)


def test_exchangeable_components_are_put_in_order_and_the_fit_is_that_of_this_package() -> None:
    found = problem(two_coins(), HEADS)
    fit, ours = found.fit(None), em.coin_mixture(CoinTosses(HEADS, 10), n_components=2)
    assert fit.log_likelihood == pytest.approx(ours.log_likelihood, abs=1e-7)
    np.testing.assert_allclose(fit.parameters["p"], ours.parameters.head_probabilities, atol=1e-6)
    np.testing.assert_allclose(fit.parameters["w"], ours.parameters.weights, atol=1e-6)
    np.testing.assert_allclose(fit.standard_errors.values["p"], ours.standard_errors.head_probabilities, rtol=1e-5)
    np.testing.assert_allclose(fit.standard_errors.values["w"], ours.standard_errors.weights, rtol=1e-5)
    assert found.names == ("p[A]", "p[B]", "w[A]", "w[B]")
    assert found.coordinates == {"coin": ["A", "B"]}
    told = found.unconstrained
    x = np.random.default_rng(1).normal(size=(3, found.n_free))
    same, swapped = told.labellings()
    np.testing.assert_allclose(told(x @ swapped.T), told(x @ same.T), atol=1e-9)
    np.testing.assert_allclose(told.parameters(x @ swapped.T)["p"], told.parameters(x)["p"][:, ::-1], atol=1e-12)
    draws = {"p": np.array([[0.7, 0.2], [0.1, 0.3]]), "w": np.array([[0.4, 0.6], [0.5, 0.5]])}
    ordered = found.in_order(draws)
    np.testing.assert_array_equal(ordered["p"], [[0.2, 0.7], [0.1, 0.3]])
    np.testing.assert_array_equal(ordered["w"], [[0.6, 0.4], [0.5, 0.5]])


def test_components_with_a_name_each_and_a_mirrored_share_are_put_in_order() -> None:
    vectors = two_coins()

    def program(heads: Any) -> pm.Model:
        with pm.Model() as model:
            a, b, share = pm.Uniform("a", 0, 1), pm.Uniform("b", 0, 1), pm.Uniform("share", 0, 1)
            tosses = [pm.Binomial.dist(10, a), pm.Binomial.dist(10, b)]
            pm.Mixture("heads", pm.math.stack([1 - share, share]), tosses, observed=heads)
        return model

    def by_vectors(a: Any, b: Any, share: Any) -> tuple[Floats, Floats]:
        return np.array([a, b]), np.array([1 - share, share])

    def likelihood(a: Any, b: Any, share: Any, heads: Any) -> float:
        return float(vectors.log_likelihood(*by_vectors(a, b, share), heads))

    def step(a: Any, b: Any, share: Any, heads: Any) -> dict[str, Any]:
        assert vectors.em_step is not None
        found = vectors.em_step(*by_vectors(a, b, share), heads)
        return {"a": found["p"][0], "b": found["p"][1], "share": found["w"][1]}

    pair = Pair(
        model=program,
        log_likelihood=likelihood,
        em_step=step,
        exchangeable=[("a", "b")],  # type: ignore[arg-type]
        mirrored=["share"],  # type: ignore[arg-type]
        start={"a": 0.8, "b": 0.3, "share": 0.4},
    )
    found, ours = problem(pair, HEADS), em.coin_mixture(CoinTosses(HEADS, 10), n_components=2)
    fit = found.fit(None)
    assert found.components == 2
    told = [fit.parameters[name] for name in ("a", "b", "share")]
    np.testing.assert_allclose(told, [*ours.parameters.head_probabilities, ours.parameters.weights[1]], atol=1e-6)
    same = ours.standard_errors.covariance[np.ix_([2, 3, 1], [2, 3, 1])]
    np.testing.assert_allclose(fit.standard_errors.covariance, same, rtol=1e-4)
    x = np.random.default_rng(1).normal(size=(3, found.n_free))
    posterior = found.unconstrained
    same, swapped = posterior.labellings()
    np.testing.assert_allclose(posterior(x @ swapped.T), posterior(x @ same.T), atol=1e-9)
    np.testing.assert_allclose(posterior.parameters(x @ swapped.T)["share"], 1 - posterior.parameters(x)["share"])
    chains = {
        name: (("chain", "draw"), np.array([[value]])) for name, value in [("a", 0.9), ("b", 0.1), ("share", 0.2)]
    }
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset(chains)})
    ordered = found.draws_in_order(tree, found.exchangeable(found.program))
    assert [float(ordered[name][0, 0]) for name in ("a", "b", "share")] == pytest.approx([0.1, 0.9, 0.8])


def test_places_without_a_name_are_numbered_as_arviz_does_in_quantities_and_draws() -> None:
    def program(y: Any) -> pm.Model:
        with pm.Model() as model:
            pm.Normal("y", pm.Normal("mean", shape=2), 1.0, observed=y)
        return model

    pair = Pair(
        model=program,
        log_likelihood=lambda mean, y: -0.5 * float(((y - mean) ** 2).sum()),
        em_step=lambda mean, y: y.mean(axis=0),
        log_prior=lambda mean: -0.5 * float((mean**2).sum()),
    )
    found = problem(pair, np.array([[1.0, 2.0], [2.0, 4.0]]))
    assert found.names == ("mean[0]", "mean[1]")
    assert found.coordinates == {"mean_dim_0": ["0", "1"]}
    assert found.constants == pytest.approx((-2 * np.log(2 * np.pi), -np.log(2 * np.pi)), abs=1e-6)


@pytest.mark.parametrize("unit", [1.0, 1e6, 1e-6])
def test_real_parameters_have_no_bound_and_the_unit_of_the_data(unit: float) -> None:
    y = unit * (60 + np.concatenate([np.linspace(-9, 7, 20), np.linspace(15, 25, 30)]))

    def program(y: Any) -> pm.Model:
        with pm.Model() as model:
            mu = pm.Normal("mu", np.float64(70 * unit), np.float64(40 * unit), shape=2)
            w = pm.Dirichlet("w", np.ones(2))
            pm.NormalMixture("y", w=w, mu=mu, sigma=np.float64(5 * unit), observed=y)
        return model

    def joint(w: Floats, mu: Floats, y: Any) -> Floats:
        return np.asarray(w * stats.norm.pdf(y[:, None], mu, 5 * unit))

    def step(w: Floats, mu: Floats, y: Any) -> dict[str, Floats]:
        r = joint(w, mu, y)
        r /= r.sum(axis=1, keepdims=True)
        return {"w": r.mean(axis=0), "mu": y @ r / r.sum(axis=0)}

    pair = Pair(
        model=program,
        log_likelihood=lambda w, mu, y: float(np.log(joint(w, mu, y).sum(axis=1)).sum()),
        em_step=step,
        exchangeable=("mu", "w"),
        start={"w": [0.5, 0.5], "mu": [55 * unit, 85 * unit]},
    )
    found = problem(pair, y)
    fit = found.fit(None)
    assert fit.status == "converged"
    assert fit.standard_errors.reason is None
    np.testing.assert_allclose(fit.standard_errors.values["mu"], 5 * unit / np.sqrt([20, 30]), rtol=0.1)
    assert found.fit(True).status == "converged"
    for point in (found.random_parameters(np.random.default_rng(k)) for k in range(3)):
        assert np.isfinite(em_densities(found, point)).all()
        assert (point["mu"] > 40 * unit).all()
    assert comparisons.audit(pair, y).sound


BLOCKS = (
    Block("a", (), "identity"),
    Block("b", (2,), "log", 1.0),
    Block("c", (2, 2), "logit", -1.0, 3.0),
    Block("d", (2, 3), "simplex", 0.0, 1.0),
)


def test_coordinates_come_back_and_their_jacobian_is_that_of_the_free_numbers() -> None:
    space, random = Coordinates(BLOCKS), np.random.default_rng(3)
    x = random.normal(size=(2, space.size))
    values = space.values(x)
    np.testing.assert_allclose(space.of(values), x, atol=1e-12)
    assert space.outside({name: each[0] for name, each in values.items()}) is None

    def numbers(point: Floats) -> Floats:
        return space.free_numbers(space.values(point))

    step = 1e-6
    for point, jacobian in zip(x, space.log_jacobian(x), strict=True):
        moved = np.stack(
            [(numbers(point + step * e) - numbers(point - step * e)) / (2 * step) for e in np.eye(len(point))], 1
        )
        assert np.linalg.slogdet(moved)[1] == pytest.approx(jacobian, abs=1e-7)
        by_value = [
            space.vector(space.values(point + step * e)) - space.vector(space.values(point - step * e))
            for e in np.eye(len(point))
        ]
        np.testing.assert_allclose(space.moves(point), np.stack(by_value, 1) / (2 * step), atol=1e-8)


def test_domains_are_read_off_the_program() -> None:
    with pm.Model() as model:
        pm.Normal("real", shape=2)
        pm.HalfNormal("positive")
        pm.TruncatedNormal("above", 3, 1, lower=2)
        pm.Uniform("between", -1, 4)
        pm.Dirichlet("shares", [1, 1, 1])
    told = {b.name: (b.kind, b.shape, b.low, b.high) for b in coordinates_of(model).blocks}
    assert told["real"][:2] == ("identity", (2,))
    assert told["positive"][:3] == ("log", (), 0.0)
    assert told["above"][:3] == ("log", (), 2.0)
    assert told["between"] == ("logit", (), -1.0, 4.0)
    assert told["shares"][:2] == ("simplex", (3,))


def test_a_step_that_lowers_its_objective_stops_em_with_both_values() -> None:
    worse = changed(m_step=lambda made, animals: 0.2, start={"theta": 0.6})
    with pytest.raises(em.ObjectiveDecreased, match="step 1 lowered the objective from"):
        problem(worse).fit(None)


def test_a_rule_that_stops_early_leaves_the_estimate_where_it_is() -> None:
    early = changed(stop=lambda before, after: bool(abs(before["theta"] - after["theta"]) < 1e-2), start={"theta": 0.5})
    found = problem(early)
    fit = found.fit(None)
    assert fit.iterations < problem(changed(start={"theta": 0.5})).fit(None).iterations
    assert found.curvature(None, fit.parameters).decrement > 1e-3


OWN_FILE = """
import pymc as pm
import comparisons


def program(y):
    with pm.Model() as model:
        pm.Poisson("y", pm.Gamma("rate", 2, 1), observed=y)
    return model


counts = comparisons.Pair(
    model=program,
    log_likelihood=lambda rate, y: sum(y) * __import__("math").log(rate) - len(y) * rate,
    em_step=lambda rate, y: sum(y) / len(y),
    data=[1, 4, 2],
)
"""


def test_a_pair_in_a_file_is_known_by_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(OWN_FILE)
    monkeypatch.chdir(tmp_path)
    asked = own.declared("mine.py:counts", name="three-counts")
    assert asked.command == "comparisons run mine.py:counts"
    assert asked.comparison.name == "three-counts"
    made = problem_of(asked.comparison, asked.comparison.data(asked.dataset))
    assert made.fit(None).parameters["rate"] == pytest.approx(7 / 3, abs=1e-12)
    assert asked.told["code"] != own.declared("mine.py:counts", [1, 2]).told["texts"]
    with pytest.raises(
        ValueError,
        match=r"mine.py has no comparisons.Pair or PyMC program called 'count'; did you mean mine.py:counts\?",
    ):
        own.declared("mine.py:count")
    with pytest.raises(ValueError, match="columns is for mixtures of a family"):
        comparisons.compare("mine.py:counts", columns="y")
    with pytest.raises(ValueError, match="formula is for mixtures of a family"):
        comparisons.compare("mine.py:counts", formula="y")
    with pytest.raises(ValueError, match="weights is for mixtures of a family"):
        comparisons.compare("mine.py:counts", weights="equal")
    with pytest.raises(ValueError, match="the pair has no data"):
        own.declared(linkage.LINKAGE)
    with pytest.raises(ValueError, match="which is a comparison of the catalogue"):
        own.declared(linkage.LINKAGE, ANIMALS)


def test_a_pair_has_no_number_of_components() -> None:
    with pytest.raises(comparing.NoQuestion, match="linkage is a pair of an EM and a program"):
        comparing.compare("linkage", 3, seed=1)
