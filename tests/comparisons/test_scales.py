"""Claims about units: data times a power of two have the same fits, errors, checks and verdict, quantities times that power."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy import stats

from comparisons import families, judgement, quantities
from comparisons.checks.evidence import curvature_of, modes
from comparisons.checks.identified import identified
from comparisons.checks.posterior_agrees import posterior_agrees
from comparisons.checks.standard_errors import _in_errors
from comparisons.checks.stationary import stationary
from comparisons.families.mixtures import MixtureProblem
from comparisons.posterior import importance
from comparisons.problem import em_densities
from comparisons.summary import adequacy
from em.uncertainty.wald import wald
from models import CoinTosses, LogPosterior, Measurements
from models.gaussians.covariances import Covariance, CovarianceForm
from models.inputs import Floats
from tests.declared import declare

# Powers of two, by which data are multiplied without rounding: 1e-153 to 1e152.
POWERS = (-500, -490, -100, -55, 100, 490, 500)
FORMS: tuple[tuple[int, Covariance], ...] = (
    (1, "full"),
    (1, "tied"),
    (2, "full"),
    (2, "diagonal"),
    (3, "tied-spherical"),
)


def rows(d: int, n: int = 40) -> Floats:
    random = np.random.default_rng(3)
    z = random.random(n) < 0.4
    return random.normal(size=(n, d)) + 4 * z[:, None]


def problem(d: int, covariance: Covariance, power: int) -> MixtureProblem:
    return declare(Measurements(np.ldexp(rows(d), power)), 2, covariance=covariance)


@dataclasses.dataclass(frozen=True)
class Told:
    """What is said of one problem without any draws of a sampler."""

    values: dict[str, float]
    errors: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    of_fit: dict[str, tuple[float, float]]
    correlated: Floats
    heights: Floats
    words: tuple[str, ...]
    means: dict[str, float]
    route: Any


@cache
def told(d: int, covariance: Covariance, power: int) -> Told:
    p = problem(d, covariance, power)
    fit, map_fit = p.fit(None), p.fit(p.prior)
    judged = curvature_of(p, None, fit)
    assert judged is not None
    values = quantities.of_parameters(p, fit.parameters)
    errors = quantities.standard_errors(judged, p.gradients(fit.parameters))
    units = p.entries(fit.standard_errors)
    random = np.random.default_rng(0)
    heights = [sum(em_densities(p, at)) for at in (fit.parameters, p.random_parameters(random))]
    rest = stationary(judged, p.names, None)
    told_apart = identified(p, judged, {})
    route = importance.sample(p, map_fit, np.random.default_rng(0), draws=400)
    assert not isinstance(route, str)
    return Told(
        values,
        errors,
        {name: wald(p.family.scale(name), values[name], errors[name]) for name in values},
        p.of_fit(fit),
        _in_errors(p, fit, None, np.where(units > 0, units, 1.0)),
        np.array(heights),
        (
            fit.status,
            map_fit.status,
            rest.outcome,
            rest.explanation,
            told_apart.outcome,
            modes(p, map_fit),
        ),
        {name: float(route.weights @ v) for name, v in route.values.items()},
        route,
    )


def times(name: str, value: float, power: int) -> float:
    """The same quantity of data times two to the power."""
    return float(np.ldexp(value, _unit(name) * power))


def _unit(name: str) -> int:
    """The power of the data's unit that the quantity has."""
    return 0 if name.startswith("weights") else 2 if name.startswith(("covariances", "variances")) else 1


@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize(("d", "covariance"), FORMS)
def test_what_em_says_is_the_same_in_every_unit(d: int, covariance: Covariance, power: int) -> None:
    one, other = told(d, covariance, 0), told(d, covariance, power)
    assert other.words == one.words
    np.testing.assert_allclose(other.correlated, one.correlated, rtol=1e-7, atol=1e-9)
    assert np.diff(other.heights) == pytest.approx(
        np.diff(one.heights), rel=1e-9, abs=1e-10 * np.abs(other.heights).max()
    )
    for name, value in one.values.items():
        assert np.isfinite(one.errors[name])
        pairs = [
            (value, other.values[name]),
            (one.errors[name], other.errors[name]),
            (one.intervals[name][0], other.intervals[name][0]),
            (one.intervals[name][1], other.intervals[name][1]),
            (one.of_fit[name][1], other.of_fit[name][1]),
        ]
        for before, after in pairs:
            assert after == pytest.approx(times(name, before, power), rel=1e-8, abs=0)
        # The second route begins at published modes, whose rounding may lead its optimiser another way to a peak.
        here, there = one.route.values[name], np.ldexp(other.route.values[name], -_unit(name) * power)
        noise = np.hypot(one.route.mean(here)[1], other.route.mean(there)[1])
        assert abs(np.ldexp(other.means[name], -_unit(name) * power) - one.means[name]) < 5 * noise


@pytest.mark.parametrize("power", [*(-2 * p for p in (250, 60)), 120, 500])
def test_a_quantity_is_judged_the_same_in_every_unit(power: int) -> None:
    """Of a covariance off the diagonal, whose unit is a square."""
    random = np.random.default_rng(1)
    draws = 2.0 + 0.3 * random.gamma(4.0, size=(4, 500))
    name = "covariances[1, a, b]"
    found = []
    for unit in (1.0, float(np.ldexp(1.0, power))):
        points = adequacy.Points(2.9 * unit, 2.95 * unit, 3.0 * unit)
        summary = _summary({name: draws * unit})
        circumstances = adequacy.Circumstances(True, "one", None)
        q = adequacy.judge(
            name, families.GAUSSIANS.scale(name), points, 0.5 * unit, draws * unit, summary.loc[name], circumstances
        )
        route = importance.SecondRoute({name: draws.ravel() * unit}, np.full(2000, 1 / 2000), 0.1, 2000.0, 0.0, 0.1, 0)
        check = posterior_agrees(route, None, True, summary, {name: draws * unit}, {name: [2.9 * unit]})
        found.append((q, check, unit))
    (one, one_check, _), (other, other_check, unit) = found
    assert one.posterior is not None
    assert other.posterior is not None
    assert one.gap is not None
    assert other.gap is not None
    assert (other.verdict, other.reason) == (one.verdict, one.reason)
    assert "skewness" in one.reason
    assert other.shift == pytest.approx(one.shift, rel=1e-9)
    assert other.se_ratio == pytest.approx(one.se_ratio, rel=1e-9)
    for field in ("mean", "sd", "hdi_low", "hdi_high", "mcse"):
        assert getattr(other.posterior, field) == pytest.approx(unit * getattr(one.posterior, field), rel=1e-9)
    assert other.posterior.r_hat == one.posterior.r_hat
    assert other.gap.averaging == pytest.approx(unit * one.gap.averaging, rel=1e-9)
    assert other_check.outcome == one_check.outcome
    assert other_check.statistic == pytest.approx(one_check.statistic, rel=1e-9)


def _summary(values: dict[str, Floats]) -> Any:
    from comparisons.posterior.nuts import summarised

    return summarised(values)


def test_draws_that_round_to_a_bound_do_not_decide_where_a_rare_event_lies() -> None:
    """Probabilities of 1e-14, of which some are 0 to rounding: their logits stay where they are."""
    random = np.random.default_rng(2)
    draws = 1e-14 * random.gamma(9.0, size=(4, 500)) / 9
    draws[0, 0] = 0.0
    row = _summary({"p": draws}).loc["p"]
    judged = adequacy.of_draws(draws, "logit", 1e-15, 1e-13, row)
    assert judged.centre == pytest.approx(float(np.log(1e-14)), abs=0.2)
    assert judged.spread == pytest.approx(1 / 3, rel=0.15)


@pytest.mark.parametrize("tosses", [10**3, 10**9, 10**12])
def test_the_second_route_finds_a_posterior_however_narrow_it_is(tosses: int) -> None:
    """One coin, whose posterior is a beta distribution, and two that nobody takes for one."""
    heads = [int(0.3 * tosses), int(0.3004 * tosses)]
    one = declare(CoinTosses(heads, tosses), 1)
    route = importance.sample(one, one.fit(one.prior), np.random.default_rng(0))
    assert not isinstance(route, str)
    assert route.trusted
    exact = stats.beta(1.0 + sum(heads), 1.0 + 2 * tosses - sum(heads))
    mean, error = route.mean(route.values["head_probabilities[1]"] / exact.mean())
    assert abs(mean - 1) < 5 * error
    assert error < exact.std() / exact.mean() / 20
    two = declare(CoinTosses([heads[0], int(0.6 * tosses)], tosses), 2, weights="equal")
    route = importance.sample(two, two.fit(two.prior), np.random.default_rng(0))
    assert not isinstance(route, str)
    assert route.trusted


def test_of_features_in_different_units_each_is_held_to_its_own() -> None:
    form = CovarianceForm.of("diagonal")
    matrix = np.diag([1e6, 1e-6])
    assert form.checked(np.stack([matrix])).shape == (1, 2, 2)
    with pytest.raises(ValueError, match="off the diagonal"):
        form.checked(np.stack([matrix + np.array([[0.0, 1e-4], [1e-4, 0.0]])]))
    with pytest.raises(ValueError, match="tied"):
        CovarianceForm.of("tied").checked(np.stack([matrix, matrix * [[1.0, 1.0], [1.0, 1.5]]]))
    with pytest.raises(ValueError, match="spherical"):
        CovarianceForm.of("spherical").checked(np.stack([matrix]))


def judged(y: Floats, density: list[LogPosterior]) -> judgement.Judgement:
    p = declare(Measurements(y), 2)

    def of_model(model: Any) -> LogPosterior:
        if not density:
            density.append(LogPosterior(model))
        else:
            density[0].take_data(model)
        return density[0]

    clock = judgement.Clock(lambda stage: None)
    return judgement.judge(p, seed=4, draws=1000, chains=4, clock=clock, density=of_model)


@pytest.mark.sampling
@pytest.mark.long
def test_a_whole_judgement_is_the_same_in_other_units_and_elsewhere() -> None:
    """Draws in other units are other draws, so the data are such that no limit of adequacy is near."""
    y = rows(1, 400)
    density: list[LogPosterior] = []
    one = judged(y, density)
    assert {c.name: c.outcome for c in one.checks}["standard-errors"] == "pass"
    for power, shift in ((-500, 0.0), (500, 0.0), (4, 1e2)):
        unit = float(np.ldexp(1.0, power))
        other = judged(unit * (y + shift), density)
        assert (other.verdict, [c.outcome for c in other.checks]) == (one.verdict, [c.outcome for c in one.checks])
        for q, r in zip(one.quantities, other.quantities, strict=True):
            moved, size = (shift, unit) if q.name.startswith("means") else (0.0, unit)
            size = 1.0 if q.name.startswith("weights") else size
            assert q.em is not None
            assert q.em_se is not None
            assert q.mean is not None
            assert q.sd is not None
            assert r.verdict == q.verdict
            assert r.em == pytest.approx(size * (q.em + moved), rel=1e-7)
            assert r.em_se == pytest.approx(size * q.em_se, rel=1e-6)
            # Draws of their own: within five Monte Carlo errors of a difference.
            assert r.mean is not None
            assert abs(r.mean / size - moved - q.mean) < 5 * 1.5 * q.sd / np.sqrt(400)


@pytest.mark.parametrize(("d", "covariance"), FORMS, ids=str)
@pytest.mark.parametrize("power", [-500, 500])
@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=pytest.mark.long)])
def test_densities_of_pymc_and_their_slopes_are_the_same_in_other_units(
    d: int, covariance: Covariance, power: int, *, compiled: bool
) -> None:
    """As the sampler computes them: simplified before it is differentiated, and rewritten as for machine code.

    Evaluated operation by operation that takes a tenth of the time.
    """
    import pytensor
    from pytensor.compile.mode import Mode, get_mode
    from pytensor.graph import rewrite_graph
    from pytensor.link.basic import PerformLinker

    mode = get_mode("NUMBA") if compiled else Mode(PerformLinker(), get_mode("NUMBA").optimizer)

    def slopes(p: MixtureProblem) -> Floats:
        model = p.model()
        simple = rewrite_graph(model.logp(), include=["canonicalize", "stabilize", "local_remove_check_parameter"])
        with pytensor.config.change_flags(cxx=""):
            gradient = pytensor.function(
                model.value_vars, pytensor.grad(simple, model.value_vars), mode=mode, on_unused_input="ignore"
            )
        start = model.initial_point()
        moved = [
            start[v.name] + 0.3 * np.cos(np.arange(start[v.name].size)).reshape(start[v.name].shape)
            for v in model.value_vars
        ]
        return np.concatenate([np.ravel(slope) for slope in gradient(*moved)])

    np.testing.assert_allclose(slopes(problem(d, covariance, power)), slopes(problem(d, covariance, 0)), rtol=1e-9)
