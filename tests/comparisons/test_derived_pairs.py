"""Claims about the fourth door: a PyMC program alone is compared with the EM that is derived from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pymc as pm
import pytest
from click.testing import CliRunner
from scipy.special import gammaln, logsumexp

import comparisons
from comparisons.checks.evidence import curvature_of
from comparisons.checks.map_agrees import map_agrees
from comparisons.checks.same_density import same_density
from comparisons.command.command_line import main
from comparisons.pairs import own
from comparisons.pairs.derived import NOT_FOUND, ONE_DENSITY, fingerprint, pair_of
from comparisons.pairs.own import OwnPair
from em.derived import derive
from models import LogPosterior, Maximum
from tests import pymc_programs as programs

MAKE: dict[str, Callable[[], pm.Model]] = {
    "zero-inflated": lambda: programs.zero_inflated(programs.many_zeros()),
    "regressions": lambda: programs.regressions(*programs.counts_in_groups()),
    "outliers": lambda: programs.outliers(*programs.line()),
    "raters": lambda: programs.raters(*programs.rated()),
    "change-point": lambda: programs.change_point(programs.DISASTERS),
}
FILE = """
from tests import pymc_programs as programs

def disasters():
    return programs.change_point(programs.DISASTERS)

def nothing():
    return 3
"""


@pytest.fixture(autouse=True)
def few_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """How many starts there are is no matter of these claims."""
    monkeypatch.setattr(derive, "STARTS", 2)


def two_kinds() -> pm.Model:
    """Two kinds of counts, told by a coin."""
    random = np.random.default_rng(3)
    with pm.Model() as model:
        share, rates = pm.Beta("share", 2, 2), pm.Gamma("rates", 2, 0.2, shape=2)
        kind = pm.Bernoulli("kind", share, shape=60)
        pm.Poisson("y", rates[kind], observed=random.poisson(np.where(np.arange(60) < 25, 4, 15)))
    return model


def kinds_in_one_vector() -> pm.Model:
    """Two kinds of pairs of counts, whose four rates are in one vector: nothing puts the kinds in order."""
    random = np.random.default_rng(3)
    with pm.Model() as model:
        rates = pm.Gamma("rates", 2, 0.2, shape=4)
        kind = pm.Categorical("kind", pm.Dirichlet("shares", np.ones(2)), shape=60)
        for name, first, means in (("x", 0, (3, 12)), ("y", 2, (20, 5))):
            pm.Poisson(name, rates[first + kind], observed=random.poisson(np.repeat(means, (20, 40))))
    return model


@cache
def asked(name: str) -> OwnPair:
    return own.declared(MAKE[name](), name=name)


def test_components_that_nothing_puts_in_order_are_no_fault() -> None:
    """PyMC's mode is EM's with two kinds exchanged; a point that is as far off and as high by PyMC alone is read differently."""
    problem = own.declared(kinds_in_one_vector(), name="kinds").problem
    assert not problem.ordered
    fit = problem.fit(True)
    here = fit.parameters
    mirrored = {"rates": np.asarray(here["rates"])[[1, 0, 3, 2]], "shares": np.asarray(here["shares"])[::-1]}
    maximum = Maximum({}, float(fit.log_posterior or 0.0), np.zeros(3), "maximum", 0.0, 8, 8)
    check = map_agrees(problem, fit, replace(maximum, parameters=mirrored))
    assert (check.outcome, check.engine) == ("inconclusive", "comparison")
    assert "label switching" in check.explanation
    assert "one vector" in (check.remedy or "")
    check = map_agrees(problem, fit, replace(maximum, parameters={**mirrored, "shares": here["shares"]}))
    assert (check.outcome, check.engine) == ("fail", "comparison")


def test_parameters_may_have_any_name() -> None:
    """Words of Python, names of this package's own arguments, and names with a space."""
    with pm.Model() as model:
        rates = pm.Gamma("lambda", 2, 0.2, shape=2) * pm.Gamma("a b", 2, 2)
        kind = pm.Categorical("kind", pm.Dirichlet("shares", np.ones(2)), shape=4)
        pm.Poisson("y", pm.Gamma("prior", 2, 2) + rates[kind], observed=[1, 2, 8, 9])
    problem = own.declared(model, name="kinds").problem
    assert problem.names == ("lambda[0]", "lambda[1]", "a b", "shares[0]", "shares[1]", "prior")
    start = problem.starts(0)[0]
    heights = [problem.log_likelihood(start) + problem.log_prior(start)]
    for _ in range(3):
        start = problem.step(start, prior=True)
        heights.append(problem.log_likelihood(start) + problem.log_prior(start))
    assert (np.diff(heights) >= 0).all()


def test_components_told_by_a_probability_are_put_in_order() -> None:
    """PyMC's mode with both kinds exchanged is EM's."""
    problem = own.declared(two_kinds(), name="kinds").problem
    fit = problem.fit(True)
    assert fit.parameters["rates"][0] < fit.parameters["rates"][1]
    mirrored = {"share": 1 - np.asarray(fit.parameters["share"]), "rates": np.asarray(fit.parameters["rates"])[::-1]}
    maximum = Maximum({}, float(fit.log_posterior or 0.0), np.zeros(3), "maximum", 0.0, 8, 8)
    assert map_agrees(problem, fit, replace(maximum, parameters=mirrored)).outcome == "pass"


@pytest.mark.parametrize("name", MAKE)
def test_a_program_alone_is_a_pair_of_one_density(name: str) -> None:
    problem = asked(name).problem
    derived = problem.pair.derived
    assert derived is not None
    fits = problem.fit(None), problem.fit(True)
    for fit, prior in zip(fits, (False, True), strict=True):
        mine = derived.fit(prior=prior)
        assert fit.status == mine.status
        assert fit.trace[-1] == pytest.approx(mine.trace[-1], abs=1e-7)
        if mine.standard_errors.reason is None:
            # Those of the pair are by differences of EM's own objective, and know nothing of PyTensor's.
            np.testing.assert_allclose(
                problem.entries(fit.standard_errors), problem.entries(mine.standard_errors.values), rtol=1e-5
            )
    check = same_density(problem, LogPosterior(problem.program), fits, np.random.default_rng(0))
    assert check.outcome == "pass"
    assert check.explanation.endswith("it was read right, and no more.")
    order = " Components that can change places are put in order: intercept ascends." if problem.ordered else ""
    assert problem.in_words().prior_reason == ONE_DENSITY + order
    latents = {variable.name for variable in problem.program.free_RVs if "int" in variable.dtype}
    assert not latents
    assert any("counts" in line or "y" in line or "rater" in line for line in problem.in_words().formula)


def test_components_that_can_change_places_are_declared() -> None:
    assert asked("regressions").problem.exchange.names == ("intercept", "slope", "w")
    assert asked("regressions").problem.components == 2
    assert asked("outliers").problem.components == 0


def test_a_program_of_other_numbers_is_another_one() -> None:
    again = programs.zero_inflated(programs.many_zeros())
    with pm.Model() as third:
        psi, mu = pm.Beta("psi", 1, 1), pm.Exponential("mu", 0.3)
        pm.ZeroInflatedPoisson("counts", psi=psi, mu=mu, observed=programs.many_zeros())
    told = asked("zero-inflated").told["program"]
    assert fingerprint(pair_of(again, compiled=False)) == told != fingerprint(pair_of(third, compiled=False))


def test_a_program_is_told_by_its_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    found = own.declared("mine.py:disasters")
    assert found.comparison.name == "disasters"
    assert found.command == "comparisons run mine.py:disasters"
    assert found.problem.space.names == ("early", "late")
    with pytest.raises(ValueError, match=r"nothing returned 3; return the pymc\.Model"):
        own.declared("mine.py:nothing")
    with pytest.raises(ValueError, match=r"called 'disaster'; did you mean mine\.py:disasters"):
        own.declared("mine.py:disaster")
    with pytest.raises(ValueError, match="a program has its data in it"):
        own.declared("mine.py:disasters", [1, 2])
    refused = CliRunner().invoke(main, ["run", "mine.py:nothing"])
    assert refused.exit_code == 2
    assert "return the pymc.Model" in refused.output


def two_tests() -> pm.Model:
    """Two tests of an illness say three numbers, and are asked for five."""
    random = np.random.default_rng(11)
    ill = random.random(150) < 0.3
    with pm.Model() as model:
        prevalence = pm.Beta("prevalence", 1, 1)
        sensitivity = pm.Beta("sensitivity", [18, 16], [2, 4])
        specificity = pm.Beta("specificity", [27, 25], [3, 5])
        z = pm.Bernoulli("ill", prevalence, shape=150)
        for j, (right, wrong) in enumerate(((0.9, 0.08), (0.8, 0.15))):
            found = (random.random(150) < np.where(ill, right, wrong)).astype(int)
            pm.Bernoulli(f"test_{j}", pm.math.switch(z, sensitivity[j], 1 - specificity[j]), observed=found)
    return model


def test_the_curvature_of_a_ridge_has_its_numbers() -> None:
    """The distance in what is identified was none, so that a comparison said that EM did not converge."""
    assert own.is_pair(two_tests)  # so that compare takes it for no data
    problem = own.declared(two_tests, name="tests").problem
    fit = problem.fit(None)
    assert fit.status == "ridge"
    judged = curvature_of(problem, None, fit)
    assert judged is not None
    assert judged.kind == "ridge"
    assert judged.identified_decrement < 1e-3
    assert problem.fit(None, seed=5) is fit  # starts that are told are the same whatever the seed


def test_a_derived_em_has_nothing_to_be_audited_by() -> None:
    with pytest.raises(ValueError, match=r"derived from its program.*EM of yours"):
        comparisons.audit(MAKE["zero-inflated"]())


@pytest.mark.sampling
@pytest.mark.long
def test_a_change_point_is_compared_and_says_what_nothing_can_find(tmp_path: Path) -> None:
    result: Any = comparisons.compare(MAKE["change-point"](), name="disasters", out=tmp_path)
    assert result.verdict == "agree"
    assert result.reasons[-1] == NOT_FOUND
    assert all(check.outcome == "pass" for check in result.checks)
    page = (tmp_path / "disasters" / "report.html").read_text(encoding="utf-8")
    told = page.replace("&#39;", "'")
    assert NOT_FOUND in told
    assert "one density, not two" in told
    # In closed form: given the year both rates are gamma.
    before, after = np.cumsum(programs.DISASTERS), programs.DISASTERS.sum() - np.cumsum(programs.DISASTERS)
    years = np.arange(1, len(before) + 1)
    rest = len(before) - years
    logs = sum(gammaln(s + 1) - (s + 1) * np.log(n + 1) for s, n in ((before, years), (after, rest)))
    chances = np.exp(logs - logsumexp(logs))
    for quantity, sums, n in zip(result.quantities, (before, after), (years, rest), strict=True):
        exact = float(chances @ ((sums + 1) / (n + 1)))
        assert abs(quantity.posterior.mean - exact) < 4 * quantity.posterior.mcse


def test_a_comparison_of_a_program_says_first_that_an_em_is_derived() -> None:
    with pm.Model() as nothing_hidden:
        pm.Normal("y", pm.Normal("mu"), observed=[1.0, 2.0])
    told: list[str] = []
    with pytest.raises(ValueError, match="no discrete latent variable"):
        comparisons.compare(nothing_hidden, progress=told.append)
    assert told == ["deriving EM"]
