"""Slips planted in somebody's EM are named at the right step and parameter, and right steps have no finding."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pymc as pm
import pytest
from click.testing import CliRunner
from scipy import stats

import comparisons
from comparisons.auditing.record import Audit
from comparisons.catalogue import linkage
from comparisons.command.command_line import main
from comparisons.pair import Pair
from comparisons.pairs import own
from models.inputs import Floats
from tests.normals_by_hand import (
    NORMALS,
    START,
    WHOLE,
    Values,
    Y,
    audit,
    changed,
    e_step,
    joint,
    log_likelihood,
    m_step,
)

ANIMALS = np.array([125.0, 18.0, 20.0, 34.0])


def of_old_mean(w: Floats, mu: Floats, sigma: Floats, y: Floats) -> Values:
    r = e_step(w, mu, sigma, y)
    return m_step(r, y) | {"sigma": np.sqrt((r * (y[:, None] - mu) ** 2).sum(axis=0) / r.sum(axis=0))}


def not_updated(w: Floats, mu: Floats, sigma: Floats, y: Floats) -> Values:
    return m_step(e_step(w, mu, sigma, y), y) | {"w": w}


def hard(w: Floats, mu: Floats, sigma: Floats, y: Floats) -> Floats:
    return np.eye(2)[e_step(w, mu, sigma, y).argmax(axis=1)]


def unweighted(w: Floats, mu: Floats, sigma: Floats, y: Floats) -> Floats:
    return e_step(np.ones(2), mu, sigma, y)


def of_others(w: Floats, mu: Floats, sigma: Floats, y: Floats) -> Floats:
    return np.roll(e_step(w, mu, sigma, y), 1, axis=0)


def without_last(w: Floats, mu: Floats, sigma: Floats, y: Floats) -> Floats:
    r = e_step(w, mu, sigma, y).copy()
    r[-1] = 0
    return r


# Of a standard deviation the same number as n_k - 1.
UNBOUNDED = "the mode is that on an unbounded scale, or a count of the prior is one too many"
PLANTED: dict[str, tuple[dict[str, Any], str, str, str]] = {
    "weights forgotten": ({"e_step": unweighted}, "E-step", "", "the weights are forgotten in the E-step"),
    "hard assignment": ({"e_step": hard}, "E-step", "", "hard assignment: each row goes whole to its likeliest component"),
    "another row": ({"e_step": of_others}, "E-step", "", "responsibilities belong to another row"),
    "a row dropped": ({"e_step": without_last}, "E-step", "", "the last row is left out"),
    "divided by n": (
        {"m_step": changed(mu=lambda r, y, right: y @ r / len(y))}, "M-step", "mu", "it is divided by n in place of n_k"
    ),
    "n_k - 1": (
        {"m_step": changed(sigma=lambda r, y, right: right["sigma"] * np.sqrt(r.sum(0) / (r.sum(0) - 1)))},
        "M-step", "sigma", f"it is divided by n_k - 1 in place of n_k, under the root; or {UNBOUNDED}",
    ),
    "a variance for a deviation": (
        {"m_step": changed(sigma=lambda r, y, right: right["sigma"] ** 2)},
        "M-step", "sigma", "the root is forgotten, such as a variance for a standard deviation",
    ),
    "the old mean": ({**WHOLE, "em_step": of_old_mean}, "M-step", "sigma", "old values of the other parameters are used"),
    "not updated": ({**WHOLE, "em_step": not_updated}, "M-step", "w", "it is not updated"),
    "the prior in a step of the likelihood": (
        {"m_step": changed(w=lambda r, y, right: (r.sum(0) + 2) / (len(y) + 4))},
        "M-step", "w", "the prior is counted, though the step is to maximise the likelihood",
    ),
    "a count too many": (
        {"m_step": changed(w=lambda r, y, right: (r.sum(0) + 1) / (len(y) + 2))},
        "M-step", "w", UNBOUNDED,
    ),
    "one percent": ({"m_step": changed(mu=lambda r, y, right: right["mu"] * 1.01)}, "M-step", "mu", ""),
}  # fmt: skip


@cache
def of_planted(name: str) -> Audit:
    return audit(**PLANTED[name][0])


@pytest.mark.parametrize("name", PLANTED)
def test_a_slip_is_named_at_its_step_and_parameter(name: str) -> None:
    _, step, parameter, slip = PLANTED[name]
    found = next(each for each in of_planted(name).findings if each.step != "objective")
    assert (found.step, found.parameter, found.slip) == (step, parameter, slip)
    assert {each.parameter for each in of_planted(name).findings if each.step == "M-step"} <= {parameter}
    assert found.size > 1e-5


def test_right_steps_have_no_finding() -> None:
    found = audit()
    assert found.sound, str(found)
    assert "each step at 9 points, from the complete-data log density" in found.looked_at
    assert any("takes no argument prior" in each for each in found.not_looked_at)
    assert audit(**WHOLE, em_step=lambda w, mu, sigma, y: m_step(e_step(w, mu, sigma, y), y)).sound


def test_an_e_step_may_return_sums_by_name() -> None:
    def sums(w: Floats, mu: Floats, sigma: Floats, y: Floats) -> Values:
        r = e_step(w, mu, sigma, y)
        return {"n": r.sum(axis=0), "y": y @ r, "squares": y**2 @ r}

    def of_sums(found: Values, y: Floats) -> Values:
        n, mu = found["n"], found["y"] / found["n"]
        return {"w": n / len(y), "mu": mu, "sigma": np.sqrt(found["squares"] / n - mu**2)}

    assert audit(e_step=sums, m_step=of_sums).sound
    (first, *_) = audit(e_step=sums, m_step=lambda found, y: of_sums(found, y) | {"mu": found["y"] / len(y)}).findings
    assert (first.step, first.parameter) == ("M-step", "mu")


def test_an_m_step_is_blamed_where_the_e_step_is_right() -> None:
    found = audit(m_step=lambda r, y: m_step(np.roll(r, 1, axis=0), y))
    assert {each.step for each in found.findings} - {"objective"} == {"M-step"}
    assert found.findings[0].slip == "responsibilities belong to another row"


def test_linkage_is_held_against_its_own_complete_data_density() -> None:
    sound = comparisons.audit(linkage.LINKAGE, ANIMALS)
    assert sound.sound, str(sound)
    assert any("constant of -198.17 nats" in each or "constant of 198.17 nats" in each for each in sound.looked_at)

    def half_too_many(theta: float, animals: Floats) -> float:
        return linkage.e_step(theta, animals) + 0.5

    (first, *_) = audit(linkage.LINKAGE, e_step=half_too_many, data=ANIMALS, name="mine").findings
    assert first.step == "E-step"
    assert "Fisher's identity" in first.told

    def of_all(made: float, animals: Floats) -> float:
        return float((made + animals[3]) / (made + animals[1:].sum() + 1))

    (first, *_) = audit(linkage.LINKAGE, m_step=of_all, data=ANIMALS, name="mine").findings
    assert (first.step, first.parameter) == ("M-step", "theta")


def test_a_prior_that_is_left_out_or_off_is_told() -> None:
    def with_prior(counts: float) -> Callable[..., Values]:
        def step(w: Floats, p: Floats, heads: Floats, prior: bool) -> Values:
            r = w * stats.binom.pmf(heads[:, None], 10, p)
            r /= r.sum(axis=1, keepdims=True)
            a = counts if prior else 0.0
            return {"w": (r.sum(0) + a) / (len(heads) + 2 * a), "p": (heads @ r + a) / (10 * r.sum(0) + 2 * a)}

        return step

    def likelihood(w: Floats, p: Floats, heads: Floats) -> float:
        return float(np.log((w * stats.binom.pmf(heads[:, None], 10, p)).sum(axis=1)).sum())

    def coins(heads: Floats) -> pm.Model:
        with pm.Model() as model:
            w = pm.Dirichlet("w", np.full(2, 3.0))
            p = pm.Beta("p", np.float64(3), np.float64(3), shape=2)
            pm.Mixture("heads", w=w, comp_dists=pm.Binomial.dist(n=10, p=p), observed=heads)
        return model

    asked: dict[str, Any] = {
        "model": coins,
        "log_likelihood": likelihood,
        "data": np.array([5, 9, 8, 4, 7]),
        "name": "coins",
    }
    asked |= {"start": {"w": [0.4, 0.6], "p": [0.4, 0.7]}}
    assert comparisons.audit(Pair(em_step=with_prior(2.0), **asked)).sound
    left_out = comparisons.audit(Pair(em_step=with_prior(0.0), **asked)).findings
    assert {(f.step, f.slip) for f in left_out if f.step == "M-step"} == {("M-step", "the prior is left out")}
    too_many = comparisons.audit(Pair(em_step=with_prior(3.0), **asked)).findings
    assert all("one too many" in f.slip for f in too_many if f.step == "M-step")
    assert {f.parameter for f in too_many if f.step == "M-step"} == {"w", "p"}


def test_a_density_that_is_not_the_programs_is_told_first() -> None:
    wrong = audit(log_likelihood=lambda w, mu, sigma, y: log_likelihood(w, mu, sigma**1.1, y))
    assert (wrong.findings[0].step, wrong.findings[0].parameter) == ("objective", "log_likelihood")
    assert any(each.startswith("each step: it is held against") for each in wrong.not_looked_at)


def test_a_start_of_equal_components_and_a_rule_that_stops_early_are_told() -> None:
    equal = {"w": [0.5, 0.5], "mu": [1.0, 1.0], "sigma": [1.0, 1.0]}
    (found,) = audit(start=equal).findings
    assert found.step == "start"
    assert "ends at a saddle" in found.told
    (found,) = audit(stop=lambda before, after: bool(np.abs(before["mu"] - after["mu"]).min() < 1e-2)).findings
    assert found.step == "stop rule"
    assert "standard errors short of the maximum" in found.told
    assert audit(stop=lambda before, after: bool(np.abs(before["mu"] - after["mu"]).max() < 1e-9)).sound


def test_a_generalised_step_need_only_raise_what_it_is_to_maximise() -> None:
    def half_way(w: Floats, mu: Floats, sigma: Floats, y: Floats) -> Values:
        right = m_step(e_step(w, mu, sigma, y), y)
        return {name: (value + before) / 2 for (name, value), before in zip(right.items(), (w, mu, sigma), strict=True)}

    step: dict[str, Any] = {**WHOLE, "em_step": half_way}
    assert not audit(**step).sound
    assert audit(**step, generalised=True).sound


def test_what_cannot_be_told_without_a_latent_variable_is_said() -> None:
    found = audit(linkage.LINKAGE, complete=None, data=ANIMALS, name="mine")
    assert found.sound
    assert any(
        each.startswith("E-step and M-step apart") and "has no complete=" in each for each in found.not_looked_at
    )
    assert str(found).startswith("mine: no fault was found, but E-step and M-step could not be tried apart")
    whole: dict[str, Any] = {
        "e_step": None,
        "m_step": None,
        "em_step": lambda theta, animals: linkage.m_step(linkage.e_step(theta, animals), animals),
    }
    told = audit(linkage.LINKAGE, **whole, generalised=True, data=ANIMALS, name="mine").not_looked_at
    assert any("complete= is given, which needs e_step= and m_step=" in each for each in told)


# One component sits on a row and narrows for ever, until its density there is infinite over infinite.
SPIKE = {"w": [0.02, 0.98], "mu": [Y[0], 1.5], "sigma": [1e-3, 1.5]}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_right_step_whose_likelihood_has_no_bound_has_no_finding() -> None:
    several = dataclasses.replace(NORMALS, start=lambda y: [START, SPIKE])
    found = audit(several)
    assert found.sound
    assert any(each.startswith("1 of 2 starts are left out") for each in found.looked_at)
    assert any(each == "where EM begins and what its rule leaves" for each in found.looked_at)
    fit = own.declared(several, Y).problem.fit(None)
    alone = own.declared(NORMALS, Y).problem.fit(None)
    assert fit.log_likelihood == pytest.approx(alone.log_likelihood, abs=1e-9)
    assert [mode.regular for mode in fit.modes] == [True, False]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_where_no_start_leads_to_an_end_it_is_told_what_to_give() -> None:
    lost = dataclasses.replace(NORMALS, start=SPIKE)
    finding = audit(lost).findings[-1]
    assert finding.step == "objective"
    with pytest.raises(ValueError, match="from every start") as refused:
        own.declared(lost, Y).problem.fit(None)
    for told in (str(finding), str(refused.value)):
        assert "from every start EM comes to where its objective is no number" in told
        assert "give start=, parameters near the data" in told


def test_a_step_that_leaves_its_domain_is_named_and_a_comparison_refuses_it() -> None:
    def unnormalised(w: Floats, mu: Floats, sigma: Floats, y: Floats) -> Floats:
        return joint(w, mu, sigma, y)

    def weights(r: Floats, y: Floats) -> Values:
        return m_step(r, y) | {"w": r.sum(axis=0) / len(r) / 2}

    assert audit(e_step=unnormalised, m_step=weights).findings[0].step == "E-step"
    found = audit(m_step=weights).findings[0]
    assert (found.step, found.parameter) == ("M-step", "w")
    with pytest.raises(ValueError, match=r"one step from the start makes w .* outside its domain"):
        own.declared(dataclasses.replace(NORMALS, m_step=weights), Y)


def test_a_name_that_is_no_place_is_told_how_to_give_one() -> None:
    with pytest.raises(ValueError, match=r"'linkage', which is no place of one; give it as FILE[.]py:NAME"):
        comparisons.audit("linkage")


FILE = """
from comparisons.catalogue.linkage import *
import dataclasses

mine = dataclasses.replace(LINKAGE, name="mine", data=np.array([125.0, 18.0, 20.0, 34.0]))
wrong = dataclasses.replace(mine, m_step=lambda made, animals: 0.5)
"""


def test_the_command_tells_findings_and_its_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    sound = CliRunner().invoke(main, ["audit", "mine.py:mine"])
    assert (sound.exit_code, sound.output.splitlines()[0]) == (0, "mine: no fault was found")
    wrong = CliRunner().invoke(main, ["audit", "mine.py:wrong"])
    assert wrong.exit_code == 1
    assert "* M-step, theta: it is 0.5 after a step" in wrong.output
    for place, told in (
        ("mine.py", "tell it as FILE.py:NAME"),
        ("mine.py:none", "has no comparisons.Pair or PyMC program called 'none'"),
    ):
        answer = CliRunner().invoke(main, ["audit", place])
        assert answer.exit_code == 2
        assert told in answer.output
