"""Claims about check 9: sound standard errors pass, wrong ones are found with their size, as is a table that prints others."""

from __future__ import annotations

import dataclasses
from functools import cache, partial
from typing import Any

import numpy as np
import pytest

from comparisons import quantities
from comparisons.checks.evidence import curvature_of
from comparisons.checks.standard_errors import SAME_ERRORS, against_pymc, standard_errors
from comparisons.families.mixtures import MixtureProblem
from comparisons.results.result import Check, Quantity
from comparisons.results.strict_json import number
from comparisons.study.setting import simulate
from comparisons.study.settings import SETTINGS
from em.mixture import Mixture
from em.uncertainty.curvature import Curvature, derivatives
from models import CoinTosses, GaussianParameters, LogPosterior, Measurements
from tests.declared import CASES, Case, compiled, declare, given
from tests.result_parts import quantity

PLANE = Case(2, 2, "free")
TIED = Case(1, 2, "fixed", "tied")
COIN_CASE = Case(0, 2, "free")


def table_of(problem: MixtureProblem, fit: Any, judged: Curvature | None) -> list[Quantity]:
    """What a comparison prints of the fit."""
    values = quantities.of_parameters(problem, fit.parameters)
    errors = quantities.standard_errors(judged, problem.gradients(fit.parameters)) if judged else {}
    like = quantity("any", 0.5, 0.1, np.linspace(0.3, 0.7, 40).reshape(4, 10), "identity")
    return [
        dataclasses.replace(like, name=name, em=number(value), em_se=number(errors.get(name, np.nan)))
        for name, value in values.items()
    ]


def checked(
    problem: MixtureProblem, density: LogPosterior, fit: Any, map_fit: Any, table: list[Quantity] | None = None
) -> Check:
    judged = curvature_of(problem, None, fit)
    table = table_of(problem, fit, judged) if table is None else table
    return standard_errors(problem, density, (fit, map_fit), judged, table, [])


@cache
def sound(case: Case) -> tuple[MixtureProblem, Any, Any]:
    problem = case.problem(1)
    return problem, problem.fit(None), problem.fit(problem.prior)


def at(case: Case) -> LogPosterior:
    return given(sound(case)[0], compiled(case))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_sound_standard_errors_pass_in_every_form(case: Case) -> None:
    problem, fit, map_fit = sound(case)
    check = checked(problem, at(case), fit, map_fit)
    assert check.outcome == ("pass" if fit.standard_errors.reason is None else check.outcome), check.explanation
    assert check.outcome in ("pass", "not applicable")
    # Differences of PyMC's gradient are good to a millionth, and the table is the fit's to rounding.
    if check.outcome == "pass":
        assert check.statistic is not None
        assert check.statistic < 1e-4
        assert check.engine is None


def scaled(fit: Any, information: float) -> Any:
    """The fit as if its information were so many times as large."""
    errors, size = fit.standard_errors, information**-0.5
    names = [f.name for f in dataclasses.fields(errors) if f.name not in ("reason", "covariance", "names")]
    changed = {name: getattr(errors, name) * size for name in names}
    changed["covariance"] = errors.covariance / information
    return dataclasses.replace(fit, standard_errors=dataclasses.replace(errors, **changed))


@pytest.mark.parametrize(
    ("case", "factor"),
    [
        *((COIN_CASE, factor) for factor in (0.5, 2.0, 1.2, 1.05, 1.003, 1e-4, 1e4)),
        (TIED, 1.05),
        (PLANE, 0.5),
        (PLANE, 1.05),
    ],
    ids=str,
)
def test_an_information_of_another_size_is_found_with_the_size_of_the_fault(case: Case, factor: float) -> None:
    problem, fit, map_fit = sound(case)
    check = checked(problem, at(case), scaled(fit, factor), map_fit, table_of(problem, fit, None))
    assert (check.outcome, check.engine) == ("fail", "em")
    assert check.statistic == pytest.approx(max(factor, 1 / factor) ** 0.5 - 1, rel=0.01)
    assert f"{factor**-0.5:.3g} times" in check.explanation
    of_mode = checked(problem, at(case), fit, scaled(map_fit, factor))
    assert (of_mode.outcome, of_mode.engine) == ("fail", "em")
    assert "posterior mode" in of_mode.explanation


@pytest.mark.parametrize("case", [COIN_CASE, Case(1, 2, "free"), PLANE], ids=str)
def test_complete_data_information_in_place_of_observed_is_found(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = dataclasses.replace(case.problem(1), data=blurred(case))
    density = given(problem, compiled(case))

    def complete(mixture: Mixture[Any, Any], parameters: Any) -> Any:
        gradient, _, information = derivatives(mixture, parameters)
        return gradient, -information, information

    assert checked(problem, density, problem.fit(None), problem.fit(problem.prior)).outcome == "pass"
    monkeypatch.setattr("em.uncertainty.curvature.derivatives", complete)
    check = checked(problem, density, problem.fit(None), problem.fit(problem.prior))
    assert (check.outcome, check.engine) == ("fail", "em")
    assert check.statistic is not None
    assert check.statistic > 0.05


def blurred(case: Case) -> Any:
    """Data of components that overlap, so that much information is missing."""
    random = np.random.default_rng(5)
    if case.d == 0:
        return CoinTosses(random.binomial(10, np.where(random.random(80) < 0.5, 0.3, 0.65)), 10).distinct()
    truth = GaussianParameters([0.4, 0.6], np.outer([0.0, 2.6], np.ones(case.d)), np.stack([np.eye(case.d)] * 2))
    return Measurements(truth.simulate(random.choice(2, size=150, p=truth.weights), random))


def test_a_correlation_that_is_lost_is_found_though_every_error_is_right() -> None:
    problem, fit, map_fit = sound(PLANE)
    errors = fit.standard_errors
    alone = dataclasses.replace(errors, covariance=np.diag(np.diag(errors.covariance)))
    check = checked(problem, at(PLANE), dataclasses.replace(fit, standard_errors=alone), map_fit)
    assert (check.outcome, check.engine) == ("fail", "em")


@pytest.mark.parametrize("case", [COIN_CASE, TIED, pytest.param(PLANE, marks=pytest.mark.long)], ids=str)
def test_a_table_that_prints_other_numbers_than_the_fit_is_found(case: Case) -> None:
    problem, fit, map_fit = sound(case)
    right = table_of(problem, fit, curvature_of(problem, None, fit))
    for place, q in enumerate(right):
        assert q.em is not None
        assert q.em_se is not None
        for wrong in ({"em_se": 1.01 * q.em_se}, {"em_se": None}, {"em": q.em + 0.01 * q.em_se}, {"em": None}):
            table = [*right[:place], dataclasses.replace(q, **wrong), *right[place + 1 :]]
            check = checked(problem, at(case), fit, map_fit, table)
            assert (check.outcome, check.engine) == ("fail", "comparison")
            assert q.name in check.explanation
    renamed = [dataclasses.replace(right[0], name="another"), *right[1:]]
    assert checked(problem, at(case), fit, map_fit, renamed).engine == "comparison"


def test_two_errors_that_change_places_in_the_table_are_found() -> None:
    problem, fit, map_fit = sound(PLANE)
    right = table_of(problem, fit, curvature_of(problem, None, fit))
    names = [q.name for q in right]
    a, b = names.index("means[1, 1]"), names.index("means[2, 1]")
    table = list(right)
    table[a] = dataclasses.replace(right[a], em_se=right[b].em_se)
    table[b] = dataclasses.replace(right[b], em_se=right[a].em_se)
    assert checked(problem, at(PLANE), fit, map_fit, table).outcome == "fail"


def test_where_em_withholds_errors_nothing_is_compared_and_the_reason_is_told() -> None:
    bound = declare(CoinTosses([0, 0, 0, 9, 8], 10))
    fit = bound.fit(None)
    check = checked(bound, LogPosterior(bound.model()), fit, fit)
    assert check.outcome == "not applicable"
    assert str(fit.standard_errors.reason) in check.explanation
    printed = [dataclasses.replace(q, em_se=0.1) for q in table_of(bound, fit, None)]
    assert checked(bound, LogPosterior(bound.model()), fit, fit, printed).engine == "comparison"


def test_of_a_ridge_the_table_may_have_errors_of_what_is_identified() -> None:
    ridge = declare(CoinTosses([1, 1, 0, 1, 0], 1), weights="equal")
    fit = ridge.fit(None)
    judged = curvature_of(ridge, None, fit)
    table = table_of(ridge, fit, judged)
    assert any(q.em_se is not None for q in table)
    assert checked(ridge, LogPosterior(ridge.model()), fit, fit).outcome == "not applicable"


def test_without_one_density_or_a_maximum_there_is_nothing_to_compare() -> None:
    problem, fit, map_fit = sound(COIN_CASE)
    for name in ("same-density", "stationary"):
        failed = Check(name, "title", "fail", None, None, "", "em")
        check = standard_errors(problem, at(COIN_CASE), (scaled(fit, 2.0), map_fit), None, [], [failed])
        assert check.outcome == "not applicable"


def test_derivatives_that_are_too_rough_decide_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    problem, fit, map_fit = sound(COIN_CASE)
    density, random = at(COIN_CASE), np.random.default_rng(0)
    right = density.gradient

    def noisy(size: float, x: Any, *, prior: bool) -> Any:
        return right(x, prior=prior) * (1 + size * random.normal(size=len(x)))

    # Rounding of single precision still decides; a gradient that is good to three digits does not.
    monkeypatch.setattr(density, "gradient", partial(noisy, 1e-7))
    assert checked(problem, density, fit, map_fit).outcome == "pass"
    monkeypatch.setattr(density, "gradient", partial(noisy, 1e-2))
    assert checked(problem, density, fit, map_fit).outcome == "inconclusive"
    monkeypatch.setattr(density, "gradient", lambda x, *, prior: np.full(len(x), np.nan))
    check = checked(problem, density, fit, map_fit)
    assert (check.outcome, check.engine) == ("inconclusive", "pymc")


def test_the_fit_is_read_by_name() -> None:
    problem, fit, _ = sound(PLANE)
    found = problem.of_fit(fit)
    assert sorted(found) == sorted(quantities.names(problem))
    judged = curvature_of(problem, None, fit)
    assert judged is not None
    errors = quantities.standard_errors(judged, problem.gradients(fit.parameters))
    for name, value in quantities.of_parameters(problem, fit.parameters).items():
        assert found[name] == pytest.approx((value, errors[name]), rel=1e-9)


def test_gradients_of_quantities_are_their_derivatives() -> None:
    for case in CASES:
        problem = case.problem(2)
        parameters = problem.random_parameters(np.random.default_rng(1))
        mixture: Any = problem.mixture(None)
        vector, slopes = mixture.to_vector(parameters), problem.gradients(parameters)
        for column in mixture.basis.T:
            step = 1e-5 * np.abs(vector[column != 0]).min() * column / np.abs(column).max()
            ends = [quantities.of_parameters(problem, mixture.from_vector(vector + sign * step)) for sign in (1, -1)]
            for name, slope in slopes.items():
                assert slope @ step * 2 == pytest.approx(
                    ends[0][name] - ends[1][name], rel=1e-6, abs=1e-12 * abs(ends[0][name])
                )


def test_an_error_below_the_limit_is_none() -> None:
    problem, fit, _ = sound(COIN_CASE)
    compared = against_pymc(problem, at(COIN_CASE), scaled(fit, 1 + SAME_ERRORS), None)
    assert compared.possible == pytest.approx(0.5 * SAME_ERRORS, rel=0.01)
    assert compared.shown == pytest.approx(0.5 * SAME_ERRORS, rel=0.01)


@pytest.mark.parametrize(
    ("setting", "seed", "what"),
    [
        (
            "coins-free",
            16015,
            "an interior maximum at p = 5e-5, whose standard error is far outside on the logit's scale",
        ),
        ("normals-plane", 16006, "a component of four rows, whose directions differ by more than 1e8 in information"),
        ("normals-tied", 16006, "two means that coincide but for a thousandth, which the fit calls a ridge"),
    ],
)
def test_sound_errors_of_hard_points_are_no_fault(setting: str, seed: int, what: str) -> None:
    problem = simulate(SETTINGS[setting], seed).problem
    fit, map_fit = problem.fit(None, seed=seed, path=True), problem.fit(problem.prior, seed=seed)
    check = checked(problem, LogPosterior(problem.model()), fit, map_fit)
    assert check.outcome == "pass", f"{what}: {check.explanation}"


def test_what_the_error_of_derivatives_may_hide_decides_no_adequacy() -> None:
    """Two features that are one but for a hundredth of their spread leave room for 0.001, which is no reason to say nothing."""
    problem = simulate(SETTINGS["normals-near-singular"], 18004).problem
    fit, map_fit = problem.fit(None, seed=18004), problem.fit(problem.prior, seed=18004)
    check = checked(problem, LogPosterior(problem.model()), fit, map_fit)
    assert check.outcome == "pass", check.explanation
    assert check.threshold is not None
    assert check.statistic is not None
    assert check.statistic <= check.threshold
