"""Claims about profile-likelihood intervals: closed forms, brute force and an independent optimiser as oracles."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq, minimize
from scipy.stats import binom, chi2, norm

import em
from comparisons import datasets
from em.uncertainty.profile import ACCURACY
from models import CoinParameters, CoinPrior, CoinTosses, GaussianParameters
from models.inputs import Floats

LIMIT = float(chi2.ppf(0.94, 1))
TWO_COIN = CoinTosses(heads=[5, 9, 8, 4, 7], tosses=10)
# An end is where the root of the deviance is off by ACCURACY of itself; a share of the half-width, then, to first order.
CLOSE = 20 * ACCURACY


def waiting() -> Floats:
    return datasets.load("faithful").columns["waiting"].astype(float)


def ends(fit: Any, name: str) -> tuple[float, float]:
    interval = em.profile_interval(fit, name)
    assert interval.reason is None
    return interval.low, interval.high


def roots(deviance: Callable[[float], float], low: float, estimate: float, high: float) -> tuple[float, float]:
    """Where the deviance is LIMIT to either side of the estimate."""
    return tuple(brentq(lambda c: deviance(c) - LIMIT, a, estimate, xtol=1e-13) for a in (low, high))  # type: ignore[return-value]


def test_interval_of_the_mean_of_one_normal_has_its_closed_form() -> None:
    y, counts = np.array([1.0, 2.5, 3.0, 7.0]), np.array([3, 1, 2, 1])
    all_rows = np.repeat(y, counts)
    n, mean, s = len(all_rows), all_rows.mean(), all_rows.std()
    half = s * math.sqrt(math.expm1(LIMIT / n))  # n log(1 + (mean - c)^2 / s^2) = LIMIT
    fit = em.gaussian_mixture(y, n_components=1, counts=counts)
    assert ends(fit, "means[1]") == pytest.approx((mean - half, mean + half), abs=CLOSE * half)


def test_interval_of_the_deviation_of_one_normal_has_its_closed_form() -> None:
    y = np.random.default_rng(1).normal(50, 4, size=12)
    s = y.std()
    expected = roots(lambda c: len(y) * ((s / c) ** 2 - 1 - 2 * math.log(s / c)), s / 10, s, 10 * s)
    fit = em.gaussian_mixture(y, n_components=1)
    found = ends(fit, "standard_deviations[1]")
    assert found == pytest.approx(expected, rel=CLOSE)
    assert ends(fit, "covariances[1]") == pytest.approx((found[0] ** 2, found[1] ** 2), rel=1e-12)


def binomial_deviance(heads: int, tosses: int) -> Callable[[float], float]:
    best = binom.logpmf(heads, tosses, heads / tosses)
    return lambda p: float(2 * (best - binom.logpmf(heads, tosses, p)))


def test_interval_of_one_proportion_has_its_closed_form() -> None:
    fit = em.coin_mixture(TWO_COIN, n_components=1)
    expected = roots(binomial_deviance(33, 50), 1e-9, 33 / 50, 1 - 1e-9)
    assert ends(fit, "head_probabilities[1]") == pytest.approx(expected, abs=CLOSE)
    assert ends(fit, "chance_of_heads") == pytest.approx(expected, abs=CLOSE)


def test_labelled_coins_have_the_intervals_of_their_own_tosses() -> None:
    tosses = CoinTosses(heads=[5, 9, 8, 4, 7], tosses=10, labels=[0, 1, 1, 0, 1])
    fit = em.coin_mixture(tosses)
    for name, heads, n in (("head_probabilities[1]", 9, 20), ("head_probabilities[2]", 24, 30), ("weights[1]", 2, 5)):
        assert ends(fit, name) == pytest.approx(
            roots(binomial_deviance(heads, n), 1e-9, heads / n, 1 - 1e-9), abs=CLOSE
        )


def test_labelled_components_may_pass_one_another() -> None:
    # Labels that are known have no order to keep: the low coin's interval reaches beyond the high coin's estimate.
    tosses = CoinTosses(heads=[4, 6], tosses=10, labels=[0, 1])
    interval = ends(em.coin_mixture(tosses, weights="equal"), "head_probabilities[1]")
    assert interval == pytest.approx(roots(binomial_deviance(4, 10), 1e-9, 0.4, 1 - 1e-9), abs=CLOSE)
    assert interval[1] > 0.6


def test_with_a_prior_the_interval_is_that_of_the_log_posterior() -> None:
    prior = CoinPrior(heads=3, tails=2)  # two heads and one tail more
    fit = em.coin_mixture(TWO_COIN, n_components=1, prior=prior)
    expected = roots(binomial_deviance(35, 53), 1e-9, 35 / 53, 1 - 1e-9)
    assert ends(fit, "head_probabilities[1]") == pytest.approx(expected, abs=CLOSE)


@pytest.mark.parametrize(("heads", "bound"), [(0, 0.0), (7, 1.0)])
def test_an_end_at_a_bound_is_that_bound(heads: int, bound: float) -> None:
    fit = em.coin_mixture(CoinTosses([heads], 7), n_components=1)
    assert fit.status == "boundary"
    root = math.exp(-LIMIT / 14)  # 2 * 7 log p = -LIMIT
    expected = (root, 1.0) if bound == 1 else (0.0, 1 - root)
    found = ends(fit, "head_probabilities[1]")
    assert found == pytest.approx(expected, abs=CLOSE)
    assert bound in found


def test_intervals_of_two_coins_are_those_of_a_grid() -> None:
    # The coins are told apart by their order, so the likelihood is maximised over p1 <= p2.
    fit = em.coin_mixture(TWO_COIN, weights="equal")
    p = np.linspace(0.0005, 0.9995, 1000)
    chances = np.asarray(binom.pmf(TWO_COIN.heads[:, None], 10, p))
    log_likelihood = np.log(0.5 * (chances[:, :, None] + chances[:, None, :])).sum(axis=0)
    inside = (2 * (fit.log_likelihood - log_likelihood) <= LIMIT) & (p[:, None] <= p)
    for name, values in (
        ("head_probabilities[1]", np.broadcast_to(p[:, None], inside.shape)),
        ("head_probabilities[2]", np.broadcast_to(p, inside.shape)),
        ("chance_of_heads", 0.5 * (p[:, None] + p)),
    ):
        # The set of the grid is smaller by less than two of its steps.
        low, high = ends(fit, name)
        assert low <= values[inside].min() <= low + 0.002
        assert high - 0.002 <= values[inside].max() <= high


def test_ends_at_which_components_coincide_are_told() -> None:
    fit = em.coin_mixture(TWO_COIN, weights="equal")
    lower, upper = (em.profile_interval(fit, f"head_probabilities[{k}]").coinciding for k in (1, 2))
    assert (lower, upper) == ((False, True), (True, False))
    apart = em.coin_mixture(CoinTosses(heads=[1, 2, 1, 9, 8, 9], tosses=10), weights="equal")
    assert em.profile_interval(apart, "head_probabilities[1]").coinciding == (False, False)


def test_weights_of_which_the_data_say_nothing_reach_from_0_to_1() -> None:
    # One coin is within the interval, and then any share of two equal coins serves.
    fit = em.coin_mixture(TWO_COIN)
    assert 2 * (fit.log_likelihood - em.coin_mixture(TWO_COIN, n_components=1).log_likelihood) < LIMIT
    assert ends(fit, "weights[1]") == (0.0, 1.0)


def test_on_a_ridge_what_is_identified_keeps_its_interval() -> None:
    fit = em.coin_mixture(CoinTosses(heads=[1, 1, 0, 1, 0, 0, 1, 0, 1, 1], tosses=1))
    assert fit.status == "ridge"
    low, high = roots(binomial_deviance(6, 10), 1e-9, 0.6, 1 - 1e-9)
    assert ends(fit, "chance_of_heads") == pytest.approx((low, high), abs=CLOSE)
    # The lower coin may be anything up to where both are one coin, the higher anything from there.
    assert ends(fit, "head_probabilities[1]") == pytest.approx((0.0, high), abs=CLOSE)
    assert ends(fit, "head_probabilities[2]") == pytest.approx((low, 1.0), abs=CLOSE)


def gaussian_log_likelihood(parameters: Floats, y: Floats) -> float:
    weight, means, deviations = parameters[0], parameters[1:3], parameters[3:]
    return float(np.log(norm.pdf(y[:, None], means, deviations) @ [weight, 1 - weight]).sum())


def test_intervals_of_old_faithful_are_those_of_another_optimiser() -> None:
    y = waiting()
    fit = em.gaussian_mixture(y)
    p = fit.parameters
    estimate = np.array([p.weights[0], *p.means[:, 0], *p.standard_deviations[:, 0]])
    unit = np.array([0.03, 0.7, 0.5, 0.54, 0.4])  # standard errors, so that SLSQP sees one scale
    names = ["weights[1]", "means[1]", "means[2]", "standard_deviations[1]", "standard_deviations[2]"]

    def room(x: Floats) -> float:
        return gaussian_log_likelihood(estimate + unit * x, y) - fit.log_likelihood + LIMIT / 2

    for j, name in enumerate(names):
        for sign, end in zip((1, -1), ends(fit, name), strict=True):

            def along(x: Floats, j: int = j, sign: int = sign) -> float:
                return float(sign * x[j])

            # From where Wald's interval ends, the others left at their estimates.
            found = minimize(
                along,
                -1.9 * sign * np.eye(5)[j],
                constraints=[{"type": "ineq", "fun": room}],
                method="SLSQP",
                options={"ftol": 1e-8, "maxiter": 200},
            )
            assert found.success
            assert abs(room(found.x)) < 1e-5
            # With derivatives by differences SLSQP is good to 1e-4 standard errors.
            assert end == pytest.approx(estimate[j] + unit[j] * found.x[j], abs=2e-4 * unit[j])


def test_intervals_of_covariances_are_those_of_the_profile_at_their_ends() -> None:
    # By definition: EM started at an end and left free climbs by half the limit; held there, no optimiser climbs higher.
    loaded = datasets.load("faithful").columns
    y = np.column_stack([loaded["eruptions"], loaded["waiting"]]).astype(float)
    fit = em.gaussian_mixture(y)
    low, high = ends(fit, "covariances[1, 2, 1]")
    p = fit.parameters
    z = (y - y.mean(axis=0)) / y.std(axis=0)
    scale = float(np.prod(y.std(axis=0)))

    def unpack(x: Floats, held: float) -> tuple[Floats, Floats, Floats]:
        w, m = np.array([x[0], 1 - x[0]]), x[1:5].reshape(2, 2)
        s = np.array([[[x[5], held], [held, x[6]]], [[x[7], x[8]], [x[8], x[9]]]])
        return w, m, s

    def minus(x: Floats, held: float) -> float:
        w, m, s = unpack(x, held)
        d = z[:, None] - m
        quadratic = np.einsum("nka,kab,nkb->nk", d, np.linalg.inv(s), d)
        return -float(np.log(np.exp(-0.5 * quadratic) / np.sqrt(np.linalg.det(s)) / (2 * np.pi) @ w).sum())

    scaled = p.covariances / np.outer(y.std(axis=0), y.std(axis=0))
    means = (p.means - y.mean(axis=0)) / y.std(axis=0)
    start = np.array([p.weights[0], *means.ravel(), scaled[0, 0, 0], scaled[0, 1, 1], *scaled[1][[0, 0, 1], [0, 1, 1]]])
    top = -minus(start, scaled[0, 0, 1])
    for end in (low, high):
        found = minimize(minus, start, args=(end / scale,), method="BFGS", options={"gtol": 1e-6})
        assert 2 * (top + found.fun) == pytest.approx(LIMIT, abs=1e-5)


@pytest.mark.parametrize("name", ["weights[1]", "means[2]", "standard_deviations[1]"])
def test_intervals_follow_the_units_of_the_data(name: str) -> None:
    y = waiting()
    one, other = em.gaussian_mixture(y), em.gaussian_mixture(1e6 + 1e-3 * y)
    expected = np.array(ends(one, name))
    if name != "weights[1]":
        expected = 1e-3 * expected + (1e6 if name.startswith("means") else 0)
    # Adding 1e6 to numbers of 0.05 costs ten of their sixteen digits.
    np.testing.assert_allclose(ends(other, name), expected, rtol=1e-6 if name != "means[2]" else 1e-11)


def test_intervals_of_large_samples_are_those_of_the_standard_errors() -> None:
    random = np.random.default_rng(5)
    n = 40_000
    y = np.where(random.random(n) < 0.3, random.normal(0, 1, n), random.normal(6, 2, n))
    fit = em.gaussian_mixture(np.round(y, 1))  # few distinct rows
    half = math.sqrt(LIMIT) * fit.standard_errors.means[1, 0]
    centre = fit.parameters.means[1, 0]
    # What the Wald interval leaves out is of relative order 1 / sqrt(n).
    assert ends(fit, "means[2]") == pytest.approx((centre - half, centre + half), abs=5 / math.sqrt(n) * half)


def test_no_number_where_the_likelihood_does_not_end_the_interval() -> None:
    # Twelve rows of one normal: a second component may be anywhere, at the price of its weight.
    y = norm.ppf((np.arange(12) + 0.5) / 12)
    fit = em.gaussian_mixture(y, n_components=2, covariance="tied")
    intervals = [em.profile_interval(fit, name) for name in ("means[1]", "means[2]", "standard_deviations[1]")]
    missing = [i for i in intervals if not (math.isfinite(i.low) and math.isfinite(i.high))]
    assert missing
    for interval in missing:
        assert interval.reason is not None
        assert ("lower" in interval.reason) == math.isnan(interval.low)
        assert ("upper" in interval.reason) == math.isnan(interval.high)


def test_an_end_beyond_the_regular_region_is_withheld_with_its_reason() -> None:
    davis = datasets.load("davis").columns["height"].astype(float)
    fit = em.gaussian_mixture(np.delete(davis, 11))  # without the row whose height and weight are swapped
    interval = em.profile_interval(fit, "standard_deviations[1]")
    assert math.isnan(interval.low)
    assert interval.reason is not None
    assert interval.reason.startswith("no lower end: below 0.")
    assert interval.high > fit.parameters.standard_deviations[0, 0]


def test_a_lesser_mode_says_where_the_likelihood_rises_above_it() -> None:
    davis = datasets.load("davis").columns["height"].astype(float)
    lesser = em.gaussian_mixture(np.delete(davis, 11), start=GaussianParameters([0.6, 0.4], [165, 178], [35, 41]))
    assert lesser.log_likelihood == pytest.approx(-714.815, abs=1e-3)  # the best is -714.195, with a weight of 0.14
    interval = em.profile_interval(lesser, "weights[1]")
    assert math.isnan(interval.low)
    assert str(interval.reason).startswith("no lower end: below 0.")
    assert str(interval.reason).endswith("the likelihood is higher")


def test_a_saddle_has_no_intervals() -> None:
    fit = em.coin_mixture(TWO_COIN, weights="equal", start=CoinParameters([0.5, 0.5], [0.66, 0.66]))
    interval = em.profile_interval(fit, "head_probabilities[1]")
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)
    assert interval.reason == fit.standard_errors.reason


def test_components_keep_the_labelling_of_the_fit() -> None:
    canonical = em.coin_mixture(TWO_COIN)
    swapped = em.coin_mixture(TWO_COIN, start=CoinParameters([0.5, 0.5], [0.8, 0.5]))
    for k in (1, 2):
        expected = ends(canonical, f"head_probabilities[{3 - k}]")
        assert ends(swapped, f"head_probabilities[{k}]") == pytest.approx(expected, abs=CLOSE)


def test_a_fit_by_nelder_mead_has_the_same_intervals() -> None:
    y = waiting()
    start = GaussianParameters([0.5, 0.5], [50, 80], [100, 100])
    rough = em.gaussian_mixture(y, start=start, method="nelder-mead")
    expected = ends(em.gaussian_mixture(y), "means[1]")
    assert ends(rough, "means[1]") == pytest.approx(expected, abs=1e-6)


def test_what_is_held_fixed_has_its_value_as_interval() -> None:
    fit = em.coin_mixture(TWO_COIN, weights="equal")
    assert ends(fit, "weights[1]") == (0.5, 0.5)


def test_wrong_names_and_probabilities_are_refused() -> None:
    fit = em.coin_mixture(TWO_COIN, weights="equal")
    with pytest.raises(ValueError, match=r'name is "means\[1\]"; give one of weights\[1\], .*chance_of_heads'):
        em.profile_interval(fit, "means[1]")
    with pytest.raises(ValueError, match="probability is 94"):
        em.profile_interval(fit, "weights[1]", probability=94)


def test_there_is_no_interval_where_a_ratio_of_widths_holds_the_maximum() -> None:
    """The profile knows nothing of the ratio, and would run past it."""
    y = np.concatenate([np.random.default_rng(1).normal(0, 1, 60), [3.0, 3.001, 3.002]])
    fit = em.gaussian_mixture(y, 2, minimum_ratio=0.1)
    assert fit.status == "boundary"
    interval = em.profile_interval(fit, "means[1]")
    assert np.isnan([interval.low, interval.high]).all()
    assert interval.reason == fit.standard_errors.reason
    assert "minimum_ratio" in (interval.reason or "")
