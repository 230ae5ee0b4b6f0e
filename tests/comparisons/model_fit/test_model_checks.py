"""Claims about the checks of the model: distances and their p-values, replicates, power-scaling."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy import integrate, stats

import em
from comparisons.families import COINS, GAUSSIANS
from comparisons.families.coins.counts import freedom, likelihood_ratio, outcome_probabilities, outcomes, pearson
from comparisons.families.gaussians.rows import anderson_darling, at_scores, normal_scores, rounding_steps
from comparisons.families.mixtures import MixtureProblem
from comparisons.model_fit import goodness_of_fit, posterior_predictive, power_scaling
from comparisons.model_fit.model_checks import NOT_CONVERGED, model_checks
from comparisons.results.report_data import GoodnessOfFit
from models import (
    CoinParameters,
    CoinPrior,
    CoinTosses,
    ExponentialParameters,
    GaussianParameters,
    Measurements,
    WaitingTimes,
)
from tests.declared import declare

RANDOM = np.random.default_rng(7)
SKEWED = RANDOM.exponential(size=80)
TWO_COINS = CoinTosses(np.repeat([1, 2, 8, 9], 10), 10)


def goodness(problem: MixtureProblem, seed: int = 0) -> GoodnessOfFit:
    """Goodness of fit of EM's own fit."""
    return goodness_of_fit.goodness_of_fit(problem, problem.fit(None), np.random.default_rng(seed))


def p_values(problem: MixtureProblem, seed: int = 0) -> list[float]:
    return [d.p_value for d in goodness(problem, seed).distances if d.p_value is not None]


def conjugate_draws(data: CoinTosses, prior: CoinPrior, seed: int, draws: int = 250) -> xr.Dataset:
    """Independent draws of the posterior of one coin, four chains."""
    a, b = prior.heads + data.heads @ data.counts, prior.tails + (data.tosses - data.heads) @ data.counts
    drawn = np.random.default_rng(seed).beta(a, b, size=(4, draws, 1))
    return xr.Dataset({"head_probabilities": (("chain", "draw", "component"), drawn)})


# Replicates


def test_one_replicate_at_a_time_is_held() -> None:
    problem = declare(Measurements(np.random.default_rng(1).normal(size=10_000)), 1)
    simulation, at = problem.simulation, problem.fit(None).parameters
    assert simulation is not None
    tracemalloc.start()
    checks = posterior_predictive.predictive_checks(simulation, [at] * 100, np.random.default_rng(1))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert checks.replicates == 100
    assert peak < 25 * problem.data.y.nbytes


@pytest.mark.parametrize(
    ("y", "step"),
    [
        ([43.0, 45.0, 45.0, 48.0, 96.0], 1.0),
        (np.array([62, 65, 65, 70, 71]) * 2.54, 2.54),
        (np.array([1.6, 1.75, 1.75, 1.753, 5.1]), 0.001),
        (1e9 + np.array([0.25, 0.5, 0.5, 1.25]), 0.25),
        (np.array([3.0, 4.0, 4.0, 9.0]) * 1e-12, 1e-12),
        ([0.0, 0.0, 2.0, 5.0], 1.0),  # no two values are one step apart
        (np.repeat(np.random.default_rng(0).normal(size=30), 2), 0.0),  # rows given twice are no rounding
        (np.random.default_rng(0).normal(size=100), 0.0),
    ],
)
def test_rounding_is_found_in_any_unit(y: Any, step: float) -> None:
    assert rounding_steps(Measurements(y)) == pytest.approx([step], rel=1e-6)


def test_replicates_of_rounded_rows_are_rounded_alike() -> None:
    units = np.array([0.1, 1.0])
    y = np.rint(np.random.default_rng(1).normal(size=(50, 2)) * [10, 5]) * units
    one = GaussianParameters([1.0], [[0, 0]], [np.diag([1.0, 25.0])])
    (drawn,) = GAUSSIANS.replicates(Measurements(y), [one], np.random.default_rng(2))
    assert isinstance(drawn, Measurements)
    assert drawn.n == 50
    np.testing.assert_allclose(drawn.y, np.rint(drawn.y / units) * units, atol=1e-9)
    assert len(np.unique(drawn.y[:, 1])) > 5


def test_replicates_of_bags_have_the_model_s_frequencies_and_keep_sizes_and_labels() -> None:
    data = CoinTosses([1, 0, 2, 3, 3], [2, 2, 3, 3, 3], [300, 100, 50, 200, 150], [-1, -1, 1, 0, 0])
    parameters = CoinParameters([0.3, 0.7], [0.2, 0.6])
    two = [stats.binom.pmf(range(3), 2, p) for p in (0.2, 0.6)]
    three = [stats.binom.pmf(range(4), 3, p) for p in (0.2, 0.6)]
    # Bags whose coin is not known come first.
    p = np.concatenate([0.3 * two[0] + 0.7 * two[1], *three])
    cells = outcomes(data)
    np.testing.assert_allclose(outcome_probabilities(parameters, cells), p, rtol=1e-12)
    bags = np.repeat([400, 350, 50], [3, 4, 4])
    drawn = list(COINS.replicates(data, [parameters] * 100, np.random.default_rng(3)))
    counts = np.array([outcomes(each).counts for each in drawn])
    assert all(each.n == data.n for each in drawn)
    assert (np.abs(counts.mean(axis=0) - bags * p) < 5 * np.sqrt(bags * p * (1 - p) / 100)).all()


# Distances


def test_distances_of_counts_are_those_of_scipy() -> None:
    observed, expected = np.array([0.0, 3, 7, 2]), np.array([1.5, 2.5, 6, 2])
    assert pearson(observed, expected) == pytest.approx(stats.chisquare(observed, expected).statistic)
    g2 = stats.power_divergence(observed, expected, lambda_="log-likelihood").statistic
    assert likelihood_ratio(observed, expected) == pytest.approx(g2)
    assert pearson(np.array([0.0, 2.0]), np.array([0.0, 2.0])) == 0


def test_anderson_darling_is_its_integral() -> None:
    u = np.sort(np.random.default_rng(4).uniform(size=7))
    ends = np.concatenate([[0], u, [1]])
    parts = [
        integrate.quad(lambda x, share=i / 7: (share - x) ** 2 / (x * (1 - x)), ends[i], ends[i + 1])[0]
        for i in range(8)
    ]
    assert anderson_darling(stats.norm.ppf(u)) == pytest.approx(7 * sum(parts), rel=1e-7)


def test_normal_scores_are_exact_in_both_tails_and_are_undone() -> None:
    mixture = np.array([0.3, 0.7]), np.array([-2.0, 3.0]), np.array([1.0, 0.5])
    y = np.linspace(-25, 15, 81)
    cdf = stats.norm.cdf((y[:, None] - mixture[1]) / mixture[2]) @ mixture[0]
    middle = np.abs(y) < 3
    np.testing.assert_allclose(stats.norm.cdf(normal_scores(y, *mixture))[middle], cdf[middle], rtol=1e-12)
    # Far out, where a distribution function is 1 to all digits: the logarithm of what is above.
    far = stats.norm.logsf(normal_scores(np.array([12.0]), *mixture))
    exact = np.logaddexp(np.log(0.3) + stats.norm.logsf(14.0), np.log(0.7) + stats.norm.logsf(18.0))
    np.testing.assert_allclose(far, exact, rtol=1e-9)
    np.testing.assert_allclose(at_scores(normal_scores(y, *mixture), *mixture), y, atol=1e-8)


@pytest.mark.parametrize(
    ("tosses", "k", "weights", "labels", "expected"),
    [
        (10, 2, "equal", None, 8),
        (10, 2, "free", None, 7),
        (1, 1, "free", None, 0),
        (1, 2, "free", None, 0),  # three parameters, of which single tosses tell one
        (3, 3, "free", None, 0),
        ([3, 5, 5, 3], 2, "free", None, 5),
        (10, 2, "free", [0, 1, 0, 1], 18),  # the weights are not estimated from heads
    ],
)
def test_degrees_of_freedom(tosses: Any, k: int, weights: Any, labels: Any, expected: int) -> None:
    assert freedom(declare(CoinTosses([1, 0, 1, 1], tosses, labels=labels), k, weights)) == expected


# P-values


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    """Few replicates, for p-values in steps of 1/20 by the hundred."""
    monkeypatch.setattr(goodness_of_fit, "REPLICATES", 19)
    return 19


@pytest.mark.parametrize("family", ["coins", "gaussians"])
def test_p_values_are_uniform_where_the_model_is_true(family: str, few: int) -> None:
    random, n = np.random.default_rng(11), 60
    found = []
    for seed in range(n):
        if family == "coins":
            problem = declare(CoinTosses(random.binomial(6, 0.3, size=25), 6), 1)
        else:
            problem = declare(Measurements(random.normal(size=15)), 1)
        found.append(p_values(problem, seed)[0])
    # Uniform on 1/20 ... 20/20, for the normal exactly: Anderson and Darling's distance is pivotal there.
    mean, sd = 21 / 40, np.sqrt((20**2 - 1) / 12) / 20
    assert abs(np.mean(found) - mean) < 4 * sd / np.sqrt(n)
    assert abs(np.mean(np.array(found) <= 0.25) - 0.25) < 4 * np.sqrt(0.25 * 0.75 / n)
    assert abs(np.mean(np.array(found) > 0.75) - 0.25) < 4 * np.sqrt(0.25 * 0.75 / n)


@pytest.mark.parametrize("data", [TWO_COINS, Measurements(SKEWED)], ids=["one coin of two", "a normal of skewed rows"])
def test_a_wrong_model_is_found_out(data: Any) -> None:
    found = goodness(declare(data, 1))
    smallest = 1 / (goodness_of_fit.REPLICATES + 1)
    assert [d.p_value for d in found.distances] == pytest.approx([smallest] * len(found.distances))
    assert "depart" in found.sentence
    assert "no departure" not in found.sentence
    assert all(plot.outside > 0 for plot in found.quantile_plots)


def test_goodness_of_fit_names_the_other_model_of_the_data_where_there_is_one() -> None:
    problem = declare(TWO_COINS, 1)
    rival = replace(problem, comparison=replace(problem.comparison, rival="saxony-overdispersed"))
    told = " Another model of these data: comparisons run saxony-overdispersed."
    assert goodness(rival).sentence == goodness(problem).sentence + told


def test_the_right_number_of_coins_is_not() -> None:
    found = goodness(declare(CoinTosses(np.random.default_rng(5).binomial(10, np.repeat([0.2, 0.8], 20)), 10), 2))
    assert min(d.p_value or 0.0 for d in found.distances) > 0.05
    assert "show no departure" in found.sentence


def test_rounding_is_not_held_against_a_model() -> None:
    y = np.round(np.random.default_rng(6).normal(size=1000) / 0.75) * 0.75
    found = goodness(declare(Measurements(y), 1))
    # Above the 1 % point of a normal with both parameters estimated (Stephens 1974), which knows no ties.
    assert (found.distances[0].value or 0) > 1.09
    assert (found.distances[0].p_value or 0) > 0.05


def test_a_quantile_plot_puts_the_ranks_of_the_data_against_the_fit() -> None:
    y = np.random.default_rng(8).normal(10, 2, size=60)
    problem = declare(Measurements(y), 1)
    (plot,) = goodness(problem).quantile_plots
    np.testing.assert_array_equal(plot.observed, np.sort(y))
    expected = stats.norm.ppf((np.arange(60) + 0.5) / 60, y.mean(), y.std())
    np.testing.assert_allclose(plot.fitted, expected, rtol=1e-6)
    inside = (np.array(plot.low) <= plot.observed) & (plot.observed <= np.array(plot.high))
    assert plot.outside == (~inside).sum() == 0


def test_known_labels_count_in_the_marginal() -> None:
    random = np.random.default_rng(9)
    labels = np.repeat([0, 1], [90, 10])
    problem = declare(Measurements(random.normal(labels * 5, 1), labels=labels), 2, "equal")
    assert min(p_values(problem)) > 0.05  # not with half of each, which is what the weights are held at


# Posterior predictive


def test_statistics_are_those_of_scipy_and_counted_rows_are_rows() -> None:
    y = np.array([1.0, 1.0, 2.5, 7.0, 7.0, 7.0])
    problem = declare(Measurements(y), 1)
    found = list(problem.family.statistics(problem.comparison, problem.data).values())
    assert found == pytest.approx([stats.skew(y), stats.kurtosis(y, fisher=False), 1, 7, 4.5])
    bags = declare(CoinTosses([1, 2, 2, 4], [2, 4, 4, 5]), 1)
    shares = np.array([0.5, 0.5, 0.5, 0.8])
    assert list(bags.family.statistics(bags.comparison, bags.data).values()) == pytest.approx([shares.var(), 0.5, 0.8])


def test_replicates_of_one_coin_do_not_vary_as_two_do() -> None:
    problem = declare(TWO_COINS, 1)
    draws = conjugate_draws(TWO_COINS, CoinPrior(), 1)["head_probabilities"].values.reshape(-1, 1)
    parameters = [CoinParameters([1.0], p) for p in draws]
    found = posterior_predictive.predictive_checks(problem.simulation, parameters, np.random.default_rng(1))
    variance = next(s for s in found.statistics if s.name.startswith("variance"))
    # Beta-binomial by hand: within bags p (1 - p) / 10 at the posterior's mean, bags of 40 by one degree of freedom less.
    assert variance.mean == pytest.approx((draws * (1 - draws)).mean() / 10 * 39 / 40, rel=0.03)
    assert variance.p_value == 0
    assert variance.observed > variance.high
    assert "lie outside the 94% of data replicated" in found.sentence
    (curve,) = found.curves
    assert curve.observed == [0, 10, 10, 0, 0, 0, 0, 0, 10, 10, 0]
    assert sum(curve.mean) == pytest.approx(40)


def test_ties_count_half() -> None:
    drawn = np.array([1.0, 2.0, 2.0, 3.0])
    assert posterior_predictive._placed("x", 2.0, drawn).p_value == 0.5
    assert posterior_predictive._placed("x", 0.0, drawn).p_value == 1


# Power-scaling


def distance_per_doubling(at: Any, low: float, high: float) -> float:
    """Sensitivity from exact distributions ``at(power)``, by the formula of Kallioinen et al. over the range of the draws."""
    x = np.linspace(low, high, 20_001)
    found = []
    for power in (0.99, 1.01):
        sides = []
        for side in ("cdf", "sf"):
            p, q = (np.clip(getattr(at(each), side)(x), 1e-300, 1) for each in (1.0, power))
            m = (p + q) / 2
            pq = integrate.trapezoid(p * np.log2(p / m), x) + integrate.trapezoid(q - p, x) / (2 * np.log(2))
            qp = integrate.trapezoid(q * np.log2(q / m), x) + integrate.trapezoid(p - q, x) / (2 * np.log(2))
            sides.append(np.sqrt((pq + qp) / integrate.trapezoid(p + q, x)))
        found.append(max(sides) / abs(np.log2(power)))
    return float(np.mean(found))


def test_power_scaling_agrees_with_a_conjugate_posterior() -> None:
    prior, data = CoinPrior(heads=8.0, tails=2.0), CoinTosses([3], 10)
    problem = declare(data, 1, prior=prior)
    errors = []
    for seed in range(5):
        values = conjugate_draws(data, prior, seed, 500)["head_probabilities"].values[..., 0]
        draws = [CoinParameters([1.0], [p]) for p in values.ravel()]
        told = power_scaling.prior_sensitivity(problem, draws, {"p": values}).quantities[0]
        assert told.diagnosis == power_scaling.CONFLICT
        ends = values.min(), values.max()
        exact = [
            distance_per_doubling(lambda power: stats.beta(1 + power * 7 + 3, 1 + power * 1 + 7), *ends),
            distance_per_doubling(lambda power: stats.beta(8 + power * 3, 2 + power * 7), *ends),
        ]
        errors.append([(told.prior or 0.0) / exact[0] - 1, (told.likelihood or 0.0) / exact[1] - 1])
    # The distance is a root of squares, to which the noise of 2000 draws adds: a hundredth beside the Monte Carlo error.
    assert (np.abs(np.mean(errors, axis=0)) < 4 * np.std(errors, axis=0, ddof=1) / np.sqrt(5) + 0.01).all(), errors


def test_the_diagnosis_is_arviz_s() -> None:
    import arviz as az

    random = np.random.default_rng(12)
    x = random.normal(size=(4, 500))
    densities = {"strong": (-8 * x**2 + 4 * x, 0.02 * x), "conflict": (3 * x, -3 * x), "neither": (0.01 * x, x)}
    for prior, likelihood in densities.values():
        tree = az.from_dict({"posterior": {"x": x}, "log_likelihood": {"y": likelihood}})
        tree["log_prior"] = xr.DataTree(xr.Dataset({"p": (("chain", "draw"), prior)}))
        told = az.psense_summary(tree, round_to=12).loc["x"]
        ours = [power_scaling.sensitivities({"x": x}, part)["x"] for part in (prior, likelihood)]
        assert ours == pytest.approx([told["prior"], told["likelihood"]], abs=1e-11)
        assert power_scaling.diagnosis(*ours) == told["diagnosis"].replace("✓", "")
    assert power_scaling.diagnosis(0.2, 0.01) == power_scaling.STRONG_PRIOR


@pytest.mark.parametrize(
    ("prior", "weights", "flat"),
    [
        (CoinPrior(), "free", True),
        (CoinPrior(concentration=2.0), "free", False),
        (CoinPrior(concentration=2.0), "equal", True),  # no weights, no prior of theirs
        (CoinPrior(heads=2.0), "free", False),
    ],
)
def test_a_flat_prior_has_no_sensitivity_and_the_sentence_says_why(prior: CoinPrior, weights: Any, flat: bool) -> None:
    problem = declare(TWO_COINS, 2, weights, prior=prior)
    random = np.random.default_rng(13)
    drawn = np.sort(random.beta(3, 3, size=(2, 50, 2)), axis=-1)
    draws = [
        CoinParameters([0.5, 0.5] if weights == "equal" else random.dirichlet([5, 5]), p) for p in drawn.reshape(-1, 2)
    ]
    told = power_scaling.prior_sensitivity(problem, draws, {"p": drawn[..., 0]})
    assert (told.quantities[0].prior is None) == flat
    assert told.sentence.startswith("Not applicable to this prior: it is uniform") == flat


# All together


def test_the_same_seed_gives_the_same_checks() -> None:
    problem = declare(TWO_COINS, 1, prior=CoinPrior(2.0, 2.0))
    posterior, fit = conjugate_draws(TWO_COINS, CoinPrior(2.0, 2.0), 1), problem.fit(None)
    one, again, other = (model_checks(problem, fit, posterior, True, seed) for seed in (1, 1, 2))
    assert one == again
    assert one.predictive != other.predictive


def test_of_very_many_rows_some_are_drawn_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = CoinTosses(np.arange(1, 9), 12, np.full(8, 5), [0, 1, *[-1] * 6])
    some = declare(whole, 2).sampled(6, np.random.default_rng(3)).data
    assert some.counts.sum() == 6
    assert (
        dict(zip(some.heads, some.labels, strict=True)).items()
        <= dict(zip(whole.heads, whole.labels, strict=True)).items()
    )
    many = CoinTosses(np.arange(1, 9), 12, np.full(8, 10**9))
    assert declare(many, 2).sampled(6, np.random.default_rng(3)).n == 6
    problem = declare(TWO_COINS, 1, prior=CoinPrior(2.0, 2.0))
    posterior, fit = conjugate_draws(TWO_COINS, CoinPrior(2.0, 2.0), 1), problem.fit(None)
    assert problem.sampled(5, np.random.default_rng(3)) is problem
    monkeypatch.setattr("comparisons.model_fit.model_checks.MOST_ROWS", 3)
    told, all_of_them = model_checks(problem, fit, posterior, True, 1), problem.simulation.statistics()
    for part in (told.goodness_of_fit, told.predictive):
        assert part.sentence.startswith("3 of the 40 rows, drawn at random, stand for all here. ")
    assert {s.name: s.observed for s in told.predictive.statistics}.items() != all_of_them.items()


def test_what_cannot_be_checked_says_why() -> None:
    single = declare(CoinTosses([1, 0], 1, [6, 4]), 1)
    told = model_checks(single, single.fit(None), conjugate_draws(single.data, CoinPrior(), 1), True, 1)
    for part in (told.goodness_of_fit, told.predictive):
        assert part.sentence.startswith("Not applicable. The model is saturated")
    assert told.goodness_of_fit.distances == []
    problem = declare(TWO_COINS, 1)
    fit: em.Fit[Any, Any] = problem.fit(None)
    told = model_checks(problem, fit, conjugate_draws(TWO_COINS, CoinPrior(), 1), False, 1)
    assert told.predictive.sentence == told.prior_sensitivity.sentence == NOT_CONVERGED
    assert told.goodness_of_fit.distances
    collapsed = goodness_of_fit.goodness_of_fit(problem, replace(fit, status="collapsed"), np.random.default_rng(0))
    assert collapsed.sentence.startswith("Not applicable. A component collapsed")
    assert collapsed.distances == []


def test_replicates_in_which_a_component_collapses_are_left_out_and_counted() -> None:
    # Two rows in the second component: replicates of three rows or fewer fall onto a point.
    y = np.concatenate([np.random.default_rng(14).normal(size=30), [8.0, 8.9]])
    found = goodness(declare(Measurements(y), 2))
    assert 0 < found.left_out < found.replicates
    assert f"{found.left_out} more left out because a component collapsed" in found.sentence


def test_a_refit_that_is_narrow_is_no_fit() -> None:
    y = np.concatenate([np.random.default_rng(15).normal(size=30), [8.0, 8.001]])
    problem = declare(Measurements(y), 2)
    # Two rows with a component to themselves: a maximum, as every likelihood of this kind has many.
    narrow = GaussianParameters([30 / 32, 2 / 32], [0.0, 8.0005], [1.0, 1e-6])
    assert problem.simulation.refitted(problem.data, [narrow]) is None


def test_replicates_without_a_censored_wait_are_checked_like_others() -> None:
    problem = declare(WaitingTimes([1, 2, 3, 0.5, 50], censored=[0, 0, 0, 0, 1]))
    simulation = problem.simulation
    assert simulation is not None
    short, whole = ExponentialParameters([1.0], [3.0]), WaitingTimes([1, 2, 3, 0.5, 50])
    found = posterior_predictive.predictive_checks(simulation, [short] * 3, np.random.default_rng(1)).statistics
    (cut,) = [each for each in found if each.name == "share of waits censored"]
    assert (cut.observed, cut.high) == (0.2, 0.0)
    # Of waits none of which was censored it is 0 in every replicate too, and not told.
    simulation = declare(whole).simulation
    assert simulation is not None
    found = posterior_predictive.predictive_checks(simulation, [short] * 3, np.random.default_rng(1)).statistics
    assert "share of waits censored" not in [each.name for each in found]
    # All waits of a component may last for ever.
    assert np.isinf(
        ExponentialParameters([0.5, 0.5], [0.0, 1.0]).simulate(np.zeros(3, int), np.random.default_rng(1))
    ).all()
