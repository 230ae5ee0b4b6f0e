"""Claims about regressions whose weights depend on concomitants."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats
from scipy.special import logsumexp

import em
import models
from comparisons import families
from comparisons.declaration import Comparison
from comparisons.study.setting import simulate
from comparisons.study.settings import SETTINGS
from em.ascent.climb import climb
from em.mixture import evaluated
from em.regressions.concomitants import ConcomitantMixture
from em.uncertainty.curvature import derivatives
from models import ConcomitantParameters, RegressionPrior, RegressionRows
from models.mixtures import MixtureWeights

TEXTS = dict.fromkeys(("name", "title", "question", "dataset", "description", "unit"), "gated")
X, W, Y = np.loadtxt(Path(__file__).parents[1] / "data" / "concomitants.csv", delimiter=",", skiprows=1).T
# flexmix 2.3-18, FLXPmultinom(~w), its best of eight starts; its divisor stops it short of the maximum.
FLEXMIX, SLOPE, CONSTANT = -280.47116447, -1.652464959521, 0.482325248471
LINES, WIDTHS = [[1.023779922021, 1.999947104722], [4.160831898101, -1.000904608366]], [0.478770753526, 0.791817226153]


def log_joint(p: Any, y: Any, x: Any, w: Any, mean: Any) -> Any:
    """``(n, K)`` by `scipy.stats`, straight from the definition."""
    odds = np.log(p.weights) + (w - mean) @ p.gating.T
    heights = p.coefficients[:, 0] + x[:, None] * p.coefficients[:, 1]
    density = stats.norm(heights, np.sqrt(p.variances)).logpdf(y[:, None])
    return odds - logsumexp(odds, axis=1, keepdims=True) + density


def three(n: int = 150) -> tuple[Any, ...]:
    """Three lines, two concomitants that are correlated and far from 0, counts, and some labels."""
    random = np.random.default_rng(5)
    x, w = random.normal(size=n), random.normal(size=(n, 2)) @ [[1, 0.5], [0, 2]] + [100, 3]
    odds = np.column_stack([np.zeros(n), 0.5 + 0.8 * (w[:, 0] - 100), 0.6 * (w[:, 1] - 3)])
    z = (odds + random.gumbel(size=(n, 3))).argmax(axis=1)
    lines = np.array([[0, 2.0], [5, -1], [-5, 0.5]])
    y = lines[z, 0] + lines[z, 1] * x + random.normal(size=n) * 0.6
    start = ConcomitantParameters(np.ones(3) / 3, lines, [0.3, 0.3, 0.3], np.zeros((3, 2)))
    return y, x, w, random.integers(1, 3, n), np.where(random.random(n) < 0.1, z, -1), start


def test_the_maximum_is_that_of_a_direct_search_and_above_where_flexmix_stops() -> None:
    def minus(t: Any) -> float:
        odds = np.column_stack([np.zeros_like(W), t[6] + t[7] * W])
        density = stats.norm(t[[0, 2]] + np.outer(X, t[[1, 3]]), np.exp(t[4:6])).logpdf(Y[:, None])
        return -float(logsumexp(odds - logsumexp(odds, axis=1, keepdims=True) + density, axis=1).sum())

    theirs = np.array([*LINES[0], *LINES[1], *np.log(WIDTHS), CONSTANT, SLOPE])
    assert -minus(theirs) == pytest.approx(FLEXMIX, abs=1e-7)
    direct = optimize.minimize(minus, theirs, method="BFGS", options={"gtol": 1e-5})
    fit = em.regression_mixture(Y, X, 2, concomitants=W)
    assert fit.status == "converged"
    assert fit.log_likelihood == pytest.approx(-direct.fun, abs=1e-8)
    assert fit.log_likelihood > FLEXMIX + 0.005
    apart = fit.parameters.gating[1] - fit.parameters.gating[0]  # type: ignore[attr-defined]
    np.testing.assert_allclose(apart, direct.x[7], atol=1e-5)
    constant = np.log(fit.parameters.weights[1] / fit.parameters.weights[0]) - apart[0] * W.mean()
    assert constant == pytest.approx(direct.x[6], abs=1e-5)


@pytest.mark.parametrize("covariance", ["own", "tied"])
def test_likelihood_derivatives_and_the_way_up_are_those_of_the_definition(covariance: Any) -> None:
    y, x, w, counts, labels, start = three()
    fit = em.regression_mixture(
        y, x, 3, covariance, counts=counts, labels=labels, concomitants=w, acceleration=None, start=start
    )
    mean = counts @ w / counts.sum()
    joint = log_joint(fit.parameters, y, x, w, mean)
    by_row = np.where(labels >= 0, joint[np.arange(len(y)), labels], logsumexp(joint, axis=1))
    assert fit.log_likelihood == pytest.approx(counts @ by_row, rel=1e-13)
    assert (np.diff(fit.trace) > -1e-9).all()
    rows = RegressionRows(y, x).with_concomitants(w)
    np.testing.assert_allclose(fit.score_rows(rows), logsumexp(joint, axis=1), rtol=1e-10)
    mixture: Any = fit._mixture
    at = mixture.coordinates(mixture.from_published(fit.parameters), unbounded=False)
    # Beside the maximum, where nothing cancels.
    at = at + 0.02 * np.random.default_rng(1).normal(size=len(at)) * np.maximum(np.abs(at), 0.1)

    def height(c: Any) -> float:
        vector = mixture.from_coordinates(c, unbounded=False)[0]
        return float(evaluated(mixture, mixture.from_vector(vector))[1])

    def slope(c: Any) -> Any:
        vector, by_c = mixture.from_coordinates(c, unbounded=False)
        return by_c.T @ derivatives(mixture, mixture.from_vector(vector))[0]

    def differences(of: Any) -> Any:
        # Of fourth order in the step.
        steps = 1e-5 * np.eye(len(at))
        return np.array([8 * (of(at + e) - of(at - e)) - of(at + 2 * e) + of(at - 2 * e) for e in steps]) / 12e-5

    gradient, hessian = differences(height), differences(slope)
    np.testing.assert_allclose(slope(at), gradient, atol=1e-6 * np.abs(gradient).max())
    exact = (
        mixture.basis.T @ derivatives(mixture, mixture.from_vector(mixture.from_coordinates(at, unbounded=False)[0]))[1]
    )
    exact = exact @ mixture.basis
    np.testing.assert_allclose(exact, hessian, atol=1e-6 * np.abs(hessian).max())
    complete = mixture.basis.T @ derivatives(mixture, mixture.from_published(fit.parameters))[2] @ mixture.basis
    assert np.linalg.eigvalsh(complete)[0] > 0


def test_the_m_step_is_a_stationary_point_that_scipy_finds_too() -> None:
    y, x, w, counts, labels, start = three()
    fit = em.regression_mixture(y, x, 3, counts=counts, labels=labels, concomitants=w, start=start)
    mixture: Any = fit._mixture
    shares = np.random.default_rng(2).dirichlet(np.ones(3), size=len(mixture.counts))
    statistics = mixture.e_step(mixture.start_from(shares))
    sums = np.concatenate([statistics.rows[:, None], statistics.further], axis=1)
    z = np.column_stack([np.ones(len(mixture.counts)), mixture.beside])

    def minus(g: Any) -> float:
        gating = np.vstack([np.zeros(3), g.reshape(2, 3)])
        return float(mixture.counts @ logsumexp(z @ gating.T, axis=1) - (sums * gating).sum())

    direct = optimize.minimize(minus, np.zeros(6), method="BFGS", options={"gtol": 1e-6}).x.reshape(2, 3)
    after = mixture.m_step(statistics)
    np.testing.assert_allclose(after.gating[1:] - after.gating[0], direct[:, 1:], atol=1e-5)
    np.testing.assert_allclose(np.log(after.weights[1:] / after.weights[0]), direct[:, 0], atol=1e-5)


def test_the_m_step_comes_to_its_maximum_from_beside_it() -> None:
    """Where it stays beside it EM has another fixed point from every side, and no run comes to rest."""
    y, x, w, counts, labels, start = three()
    mixture: Any = em.regression_mixture(y, x, 3, counts=counts, labels=labels, concomitants=w, start=start)._mixture
    random = np.random.default_rng(5)
    statistics = mixture.e_step(mixture.start_from(random.dirichlet(np.ones(3), size=len(mixture.counts))))
    sums = np.concatenate([statistics.rows[:, None], statistics.further], axis=1)
    here = mixture.gating(mixture.m_step(statistics))
    for _ in range(20):
        aside = 1e-8 * random.normal(size=here.shape)
        left = mixture._logit(sums, here + aside) - here
        assert np.abs(left - left.mean(axis=0)).max() < 1e-13


def test_no_m_step_loses_where_gates_are_far_out() -> None:
    random, falls = np.random.default_rng(6), []
    w = np.linspace(-2, 2, 40)
    mixture: Any = em.regression_mixture(random.normal(size=40), random.normal(size=40), 2, concomitants=w)._mixture
    z = np.column_stack([np.ones(len(mixture.counts)), mixture.beside])

    def height(g: Any) -> float:
        return float((sums * g).sum() - mixture.counts @ logsumexp(z @ g.T, axis=1))

    for _ in range(300):
        g = 10.0 ** random.uniform(-1, 2.3) * random.normal(size=(2, 2))
        g -= g.mean(axis=0)
        shares = np.where(z @ (g[1] - g[0]) > 0, 1.0, 0.0) if random.random() < 0.5 else random.random(len(z))
        r = np.stack([1 - shares, shares]) * mixture.counts
        sums = r @ z
        falls.append(height(g) - height(mixture._logit(sums, g)))
    assert max(falls) < 1e-11


def test_units_origin_and_labelling_do_not_matter() -> None:
    fit = em.regression_mixture(Y, X, 2, concomitants=W)
    moved = em.regression_mixture(Y * 1e6 + 3e7, X * 1e-5 + 2, 2, concomitants=1e8 + 1e3 * W)
    assert moved.log_likelihood + len(Y) * np.log(1e6) == pytest.approx(fit.log_likelihood, abs=1e-7)
    pairs: Any = (moved.parameters, fit.parameters), (moved.standard_errors, fit.standard_errors)
    for one, other in pairs:
        np.testing.assert_allclose(1e3 * one.gating, other.gating, rtol=1e-6)
    turned = em.regression_mixture(Y, X, 2, concomitants=W, start=fit.parameters.permuted([1, 0]))
    assert turned.log_likelihood == pytest.approx(fit.log_likelihood, abs=1e-9)
    np.testing.assert_allclose(turned.parameters.gating, fit.parameters.gating[::-1], atol=1e-7)  # type: ignore[attr-defined]


def test_errors_agree_and_rows_are_simulated_with_their_own_weights() -> None:
    fit = em.regression_mixture(Y, X, 2, concomitants=W)
    own: Any = fit.standard_errors
    robust: Any = em.sandwich(fit)
    replicates: Any = em.bootstrap(fit, 1, replicates=60).standard_errors
    # A standard deviation of 60 has a standard error of 9 %.
    np.testing.assert_allclose(replicates.gating / own.gating, 1, atol=0.35)
    np.testing.assert_allclose(robust.gating / own.gating, 1, atol=0.35)
    drawn = fit.simulate(100_000, 3)
    shares = fit.responsibilities(drawn)[:, 0]
    p: Any = fit.parameters
    w = drawn.design[:, -1]
    odds = np.log(p.weights) + (w - W.mean())[:, None] * p.gating[:, 0]
    expected = np.exp(odds - logsumexp(odds, axis=1, keepdims=True))[:, 0]
    for side in (w < -1, w > 1):
        # A share of n rows has a standard error below 1 / (2 sqrt n).
        assert shares[side].mean() == pytest.approx(expected[side].mean(), abs=2 / np.sqrt(side.sum()))


def test_concomitants_that_tell_all_rows_apart_are_a_bound_with_a_name() -> None:
    random = np.random.default_rng(5)
    x, w = random.normal(size=80), random.normal(size=80)
    y = np.where(w > 0.1, 3 + x, -3 - x) + random.normal(size=80) * 0.4
    start = ConcomitantParameters([0.5, 0.5], [[-3, -1], [3, 1]], [1, 1], [[0], [0]])
    fit = em.regression_mixture(y, x, 2, concomitants=w, start=start)
    assert fit.status == "boundary"
    assert "gating coefficients run to infinity" in str(fit.standard_errors.reason)
    apart = sum(em.regression_mixture(y[side], x[side], 1).log_likelihood for side in (w > 0.1, w <= 0.1))
    assert fit.log_likelihood == pytest.approx(apart, abs=1e-6)


def test_a_row_that_lies_between_components_that_are_apart_keeps_no_run_from_its_end() -> None:
    problem = simulate(SETTINGS["regressions-gated"], 30021).problem
    start = ConcomitantParameters([0.17, 0.83], [[5.5, 1.9], [6.8, 1.1]], [0.55, 1.7], [[1.0], [-1.0]])
    mixture = ConcomitantMixture(problem.data, MixtureWeights.of("free", 2), None)
    run = climb(mixture, mixture.from_published(start), "squarem", 2000)
    assert run.ending == "converged"
    fit = em.regression_mixture(problem.data, n_components=2)
    assert fit.status == "boundary"
    # Where a run there had no end, the search took a maximum 12 nats lower.
    assert fit.log_likelihood > -241.27


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"weights": "equal"}, "weights is 'equal' but concomitants say what they depend on"),
        ({"prior": RegressionPrior([0, 0], np.eye(2), 3.0, 1.0)}, "prior.gating is for 0 concomitants but there are 1"),
        ({"concomitants": W[:5]}, "concomitants has 5 rows but y has 200"),
        ({"concomitants": np.ones(200)}, "is constant"),
        ({"concomitants": np.column_stack([W, 2 * W])}, "is a linear combination of"),
    ],
)
def test_what_concomitants_leave_no_place_for_is_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 (what is told is the claim)
        em.regression_mixture(Y, X, **{"n_components": 2, "concomitants": W} | options)
    assert told in str(refused.value)


def test_a_single_component_has_nothing_to_gate() -> None:
    one, plain = (em.regression_mixture(Y, X, 1, concomitants=w) for w in (W, None))
    assert one.log_likelihood == pytest.approx(plain.log_likelihood, abs=1e-9)
    assert one.aic == pytest.approx(plain.aic)
    assert one.status == "converged"
    with pytest.raises(ValueError, match="n_components is 1, whose weight depends on nothing"):
        models.regression_mixture(Y, X, 1, concomitants=W)


def test_gating_coefficients_sum_to_0() -> None:
    with pytest.raises(ValueError, match=r"gating sums to .* over the components; take their mean off"):
        ConcomitantParameters([0.5, 0.5], np.eye(2), [1, 1], [[1], [1]])


def test_no_step_loses_likelihood_where_a_weight_at_the_average_is_next_to_none() -> None:
    # The components are apart along w, by a little and away from its average.
    w = np.append(np.linspace(-1, 1, 20), [1.01, 1.02, 1.03])
    x, apart = np.tile([-1.0, 0.0, 1.0], 8)[: len(w)], w > 1.005
    y = np.where(apart, 8 + x, -2 * x) + 0.3 * np.sin(np.arange(len(w)))
    mixture = ConcomitantMixture(RegressionRows(y, x).with_concomitants(w), MixtureWeights.of("free", 2), None)
    told = mixture.data.concomitants[:, 0] > 1.005
    point, heights = mixture.start_from(np.column_stack([~told, told]).astype(float)), []
    for _ in range(60):
        statistics = mixture.e_step(point)
        heights.append(float(statistics.log_likelihood))
        point = mixture.m_step(statistics)
    assert np.diff(heights).min() > -1e-9
    assert point.weights.min() > 0


def test_the_posterior_mode_and_density_are_those_of_the_pymc_program() -> None:
    y, x, w, counts, labels, _ = three()
    rows = RegressionRows(y, x, counts, labels).with_concomitants(w)
    prior = RegressionPrior.weakly_informative(rows, 3)
    fit = em.regression_mixture(rows, n_components=3, prior=prior)
    density = models.LogPosterior(models.regression_mixture(rows, n_components=3, prior=prior))
    p: Any = fit.parameters
    values = {"weights": p.weights, "variances": p.variances, "coefficients": p.coefficients, "gates": p.gating.T}
    at = density.unconstrained(values)
    likelihood, of_prior, _ = density.parts(at)
    assert likelihood == pytest.approx(fit.log_likelihood, rel=1e-12)
    assert likelihood + of_prior == pytest.approx(fit.log_posterior, rel=1e-12)
    # A gradient of 1e-6 of what a unit of the prior is worth.
    assert np.abs(density.value_and_gradient(at)[1]).max() < 1e-5
    assert (np.diff(fit.trace) > -1e-9).all()
    # Exact curvature: differences of PyMC's gradient, by the coordinates of its own.
    mixture: Any = fit._mixture
    inside = mixture.from_published(p)
    x0 = mixture.coordinates(inside, unbounded=False)
    slopes = []
    for e in 1e-5 * np.eye(len(x0)):
        ends = [mixture.from_vector(mixture.from_coordinates(x0 + s * e, unbounded=False)[0]) for s in (1, -1)]
        slopes.append([mixture.basis.T @ derivatives(mixture, end)[0] for end in ends])
    hessian = np.array([(a - b) / 2e-5 for a, b in slopes])
    exact = mixture.basis.T @ derivatives(mixture, inside)[1] @ mixture.basis
    np.testing.assert_allclose(exact, hessian, atol=1e-6 * np.abs(hessian).max())


def test_the_prior_treats_all_components_alike() -> None:
    random = np.random.default_rng(4)
    rows = RegressionRows(Y, X).with_concomitants(W)
    prior = RegressionPrior([0, 0], np.eye(2), 3.0, 1.0, gating=[0.7])
    gating = random.normal(size=(3, 1))
    p = ConcomitantParameters(
        random.dirichlet([1, 1, 1]), random.normal(size=(3, 2)), [1, 2, 3], gating - gating.mean()
    )
    mixture: Any = em.regression_mixture(rows, n_components=3, prior=prior, start=p)._mixture
    told = [mixture.log_prior(mixture.from_published(p.permuted(order))) for order in ([0, 1, 2], [2, 0, 1], [1, 0, 2])]
    np.testing.assert_allclose(told, told[0], rtol=1e-12)
    # Two components differ by a normal number of the standard deviation that is declared.
    drawn = families.REGRESSIONS.variant(rows).prior_draws(
        Comparison(**TEXTS, data=lambda _: rows, components=("1", "2", "3")),  # type: ignore[arg-type]
        prior,
        40_000,
        random,
    )["gating"]
    for a, b in ((0, 1), (1, 2), (2, 0)):
        # The standard error of a standard deviation of n draws is 1 / sqrt(2 n) of it.
        assert (drawn[:, a] - drawn[:, b]).std() == pytest.approx(0.7, rel=4 / np.sqrt(80_000))


def test_log_odds_are_told_with_errors_and_profile_intervals_and_a_fit_has_a_file(tmp_path: Path) -> None:
    rows = RegressionRows(Y, X).with_concomitants(W)
    fit = em.regression_mixture(rows, n_components=2)
    told = fit.table.loc["log_odds[2, 1, w]"]
    p, e = fit.parameters, fit.standard_errors
    # Of two components one is the other's negative.
    assert told["estimate"] == pytest.approx(2 * p.gating[1, 0])  # type: ignore[attr-defined]
    assert told["standard_error"] == pytest.approx(2 * e.gating[1, 0])  # type: ignore[attr-defined]
    interval = em.profile_interval(fit, "log_odds[2, 1, w]")
    assert interval.reason is None
    np.testing.assert_allclose([interval.low, interval.high], [told["low"], told["high"]], atol=0.2)
    fit.write(tmp_path / "fit.json")
    again = em.read_fit(tmp_path / "fit.json")
    np.testing.assert_array_equal(again.responsibilities(rows), fit.responsibilities(rows))
    assert again.simulate(4, 1).covariates == rows.covariates
