"""The published numbers, to their printed digits, and those computed afresh two independent ways, to full precision."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import em
from comparisons.datasets import load
from em.coins.mixture import CoinMixture
from em.uncertainty.curvature import derivatives
from models import CoinParameters, CoinTosses, GaussianParameters
from models.mixtures import MixtureWeights

# Do & Batzoglou (2008), Nature Biotechnology 26, 897: heads in five bags of ten tosses.
HEADS = np.strings.count(load("two_coin").columns["tosses"], "H")
BAGS = CoinTosses(HEADS, 10)
PUBLISHED_START = CoinParameters([0.5, 0.5], [0.6, 0.5])
FAITHFUL = load("faithful").columns
WAITING = FAITHFUL["waiting"]


def computed(expected: Any) -> Any:
    """Equal to a number computed afresh and kept to ten decimals."""
    return pytest.approx(expected, rel=1e-6, abs=1e-9)


def in_nats(expected: float) -> Any:
    return pytest.approx(expected, abs=1e-7)


def test_labelled_coins_are_their_proportions_of_heads() -> None:
    coin = load("two_coin").columns["coin"]
    fit = em.coin_mixture(CoinTosses(HEADS, 10, labels=np.where(coin == "A", 0, 1)), 2, weights="equal")
    np.testing.assert_allclose(fit.parameters.head_probabilities, [24 / 30, 9 / 20], rtol=1e-15)


def test_two_coin_steps_are_those_printed() -> None:
    fit = em.coin_mixture(BAGS, 2, weights="equal", start=PUBLISHED_START)
    joint = np.exp(em.coins.steps.log_densities(PUBLISHED_START, BAGS))
    np.testing.assert_allclose(
        (joint / joint.sum(axis=1, keepdims=True))[:, 0].round(3), [0.449, 0.805, 0.733, 0.352, 0.647]
    )
    assert fit.path[1].head_probabilities.round(4).tolist() == [0.7130, 0.5813]
    assert fit.path[10].head_probabilities.round(5).tolist() == [0.79674, 0.51966]
    assert fit.path[10].head_probabilities.round(2).tolist() == [0.80, 0.52]


@pytest.mark.parametrize("start", [PUBLISHED_START, None])
def test_two_coin_limit(start: CoinParameters | None) -> None:
    fit = em.coin_mixture(BAGS, 2, weights="equal", start=start)
    higher, lower = (0, 1) if start else (1, 0)  # by default canonical order, the lower first
    assert fit.parameters.head_probabilities[[higher, lower]] == computed([0.7967890669, 0.5195831201])
    assert fit.log_likelihood == in_nats(-9.7969242923)
    assert fit.standard_errors.head_probabilities[[higher, lower]] == computed([0.1014991720, 0.1307689033])
    assert fit.status == "converged"


def test_equal_starts_are_a_saddle() -> None:
    fit = em.coin_mixture(BAGS, 2, weights="equal", start=CoinParameters([0.5, 0.5], [0.66, 0.66]))
    assert fit.status == "saddle"
    # Its seven decimals are cut off, not rounded.
    assert fit.log_likelihood == pytest.approx(-10.2784978, abs=2e-7)
    assert em.coin_mixture(BAGS, 1).log_likelihood == pytest.approx(fit.log_likelihood, rel=1e-14)
    np.testing.assert_allclose(fit.parameters.head_probabilities, 0.66, rtol=1e-15)
    hessian = derivatives(CoinMixture(BAGS, MixtureWeights.of("equal", 2), None), fit.parameters)[1][2:, 2:]
    together, apart = np.array([1, 1]), np.array([1, -1])
    assert round(together @ hessian @ together, 1) == -222.8
    assert round(apart @ hessian @ apart, 1) == 118.8


def test_three_coin_stops_where_it_was_printed() -> None:
    start = CoinParameters([0.6, 0.4], [0.5, 0.8])
    fit = em.coin_mixture(BAGS, 2, start=start)
    # The article counts from 0 and stops when A moves less than 1e-6.
    moves = np.abs(np.diff([p.head_probabilities[0] for p in fit.path[:50]]))
    assert int(np.argmax(moves < 1e-6)) + 1 == 43
    where = fit.path[43]
    printed = [0.51392121603987106, 0.79337052912023864, 0.47726196801164544]
    np.testing.assert_allclose([*where.head_probabilities, where.weights[0]], printed, rtol=1e-14)
    assert [*fit.parameters.head_probabilities, fit.parameters.weights[0]] == computed(
        [0.5139165912, 0.7933676496, 0.4772486831]
    )
    assert fit.log_likelihood == in_nats(-9.7954189562)
    errors = fit.standard_errors
    assert [*errors.head_probabilities, errors.weights[0]] == pytest.approx([0.1659, 0.1192, 0.4102], abs=5e-5)
    # What the rule costs: it watches A alone.
    gaps = np.abs(where.head_probabilities - fit.parameters.head_probabilities)
    assert gaps[0] == pytest.approx(4.6e-6, abs=5e-8)
    assert abs(where.weights[0] - fit.parameters.weights[0]) == pytest.approx(1.3e-5, abs=5e-7)


def test_three_coin_by_default_is_the_same_optimum() -> None:
    fit = em.coin_mixture(BAGS, 2)
    assert fit.parameters.head_probabilities == computed([0.5139165912, 0.7933676496])
    assert fit.parameters.weights[0] == computed(0.4772486831)


def test_one_coin_against_two() -> None:
    two, one = em.coin_mixture(BAGS, 2, weights="equal"), em.coin_mixture(BAGS, 1)
    assert round(2 * (two.log_likelihood - one.log_likelihood), 3) == 0.963


@pytest.mark.parametrize(
    ("start", "limit"),
    [((0.5, 0.5, 0.5), (0.5, 0.6, 0.6)), ((0.4, 0.6, 0.7), (0.4064, 0.5368, 0.6432))],
)
def test_single_tosses_stay_after_one_step(start: tuple[float, ...], limit: tuple[float, ...]) -> None:
    """Li Hang, Statistical Learning Methods, example 9.1."""
    tosses = CoinTosses(load("single_tosses").columns["heads"], 1)
    weight, *heads = start
    fit = em.coin_mixture(tosses, 2, start=CoinParameters([weight, 1 - weight], heads))
    found = fit.parameters
    assert [found.weights[0].round(4), *found.head_probabilities.round(4)] == list(limit)
    np.testing.assert_allclose(fit.path[1].head_probabilities, found.head_probabilities, rtol=1e-14)
    assert found.weights @ found.head_probabilities == pytest.approx(0.6, rel=1e-14)
    assert fit.status == "ridge"
    assert "not identified" in str(fit.standard_errors.reason)


def test_every_toss_its_own_coin_identifies_the_mean_only() -> None:
    tosses = CoinTosses([0, 1], 1, counts=[50 - HEADS.sum(), HEADS.sum()])
    fit = em.coin_mixture(tosses, 2, weights="equal", start=PUBLISHED_START)
    assert fit.path[1].head_probabilities == computed([0.7043478261, 0.6136363636])
    assert fit.parameters.head_probabilities == computed([0.7052902412, 0.6147097588])
    assert fit.parameters.head_probabilities.mean() == pytest.approx(0.66, rel=1e-8)
    assert fit.status == "ridge"


def test_saxony_families() -> None:
    columns = load("saxony").columns
    boys = CoinTosses(columns["boys"], 12, counts=columns["families"])
    one = em.coin_mixture(boys, 1)
    assert one.parameters.head_probabilities[0] == pytest.approx(0.519215, abs=5e-7)
    assert one.log_likelihood == pytest.approx(-12534.1721, abs=5e-5)
    two = em.coin_mixture(boys, 2, acceleration="squarem")
    assert two.status == "converged"
    assert two.parameters.weights == pytest.approx([0.720047, 0.279953], abs=5e-7)
    assert two.parameters.head_probabilities == pytest.approx([0.48143, 0.61640], abs=5e-6)
    assert two.log_likelihood == pytest.approx(-12492.40622, abs=5e-6)
    assert two.standard_errors.weights[0] == pytest.approx(0.107, abs=5e-4)
    assert two.standard_errors.head_probabilities.round(4).tolist() == [0.0109, 0.0253]


def test_plain_em_is_slow_on_saxony_families_and_gets_there() -> None:
    columns = load("saxony").columns
    boys = CoinTosses(columns["boys"], 12, counts=columns["families"])
    fit = em.coin_mixture(boys, 2, start=CoinParameters([0.5, 0.5], [0.4, 0.6]))
    assert fit.iterations > 5000
    assert fit.parameters.weights == pytest.approx([0.720047, 0.279953], abs=5e-7)
    assert fit.decrement < 1e-6


def test_faithful_by_nelder_mead_as_published() -> None:
    start = GaussianParameters([0.5, 0.5], [50.0, 80.0], [100.0, 100.0])
    fit = em.gaussian_mixture(WAITING, 2, start=start, method="nelder-mead")
    found = fit.parameters
    values = [found.weights[0], *np.column_stack([found.means[:, 0], found.standard_deviations[:, 0]]).ravel()]
    printed = [0.36088303, 54.61479245, 5.87121392, 80.09109663, 5.86777145]
    # Its own last two digits may differ.
    np.testing.assert_allclose(values, printed, atol=1e-6, rtol=0)


@pytest.mark.parametrize("method", ["em", "bfgs"])
def test_faithful_waiting(method: Any) -> None:
    start = None if method == "em" else GaussianParameters([0.5, 0.5], [50.0, 80.0], [100.0, 100.0])
    fit = em.gaussian_mixture(WAITING, 2, method=method, start=start)
    found, errors = fit.parameters, fit.standard_errors
    assert found.weights == computed([0.360886074, 0.639113926])
    assert found.means[:, 0] == computed([54.614856141, 80.091069403])
    assert found.standard_deviations[:, 0] == computed([5.871219412, 5.867734424])
    assert fit.log_likelihood == in_nats(-1034.0017498316)
    assert errors.weights == computed([0.031164755] * 2)
    assert errors.means[:, 0] == computed([0.699674980, 0.504594714])
    assert errors.standard_deviations[:, 0] == computed([0.537322382, 0.400961504])


@pytest.mark.parametrize(
    ("weights", "weight", "means", "spread", "log_likelihood"),
    [
        ("free", 0.360849443, [54.613626337, 80.090303624], 5.869091398, -1034.0017603578),
        ("equal", 0.5, [54.901918089, 80.263320892], 5.859107008, -1044.0173135526),
    ],
)
def test_faithful_with_a_shared_spread(
    weights: Any, weight: float, means: list[float], spread: float, log_likelihood: float
) -> None:
    fit = em.gaussian_mixture(WAITING, 2, covariance="tied", weights=weights)
    assert fit.parameters.weights[0] == computed(weight)
    assert fit.parameters.means[:, 0] == computed(means)
    assert fit.parameters.standard_deviations[:, 0] == computed([spread] * 2)
    assert fit.log_likelihood == in_nats(log_likelihood)


def test_faithful_both_columns() -> None:
    fit = em.gaussian_mixture(np.column_stack([FAITHFUL["eruptions"], WAITING]), 2)
    assert fit.parameters.weights == computed([0.355872857, 0.644127143])
    assert fit.parameters.means.ravel() == computed([2.036388455, 54.478516377, 4.289661973, 79.968115174])
    lower = [[0.069167673, 0.435167624, 33.697282072], [0.169968436, 0.940609319, 36.046211318]]
    assert fit.parameters.covariances[:, [0, 1, 1], [0, 0, 1]].ravel() == computed(np.ravel(lower))
    assert fit.log_likelihood == in_nats(-1130.26396018)


def test_geyser_waiting() -> None:
    fit = em.gaussian_mixture(load("geyser").columns["waiting"], 2)
    assert fit.parameters.weights[0] == computed(0.307593563)
    assert fit.parameters.means[:, 0] == computed([54.202649036, 80.360309139])
    assert fit.parameters.standard_deviations[:, 0] == computed([4.952001303, 7.507636442])
    assert fit.log_likelihood == in_nats(-1157.5420159954)


def test_posteriordb_mixture() -> None:
    fit = em.gaussian_mixture(load("posteriordb_low_dim_gauss_mix").columns["y"], 2)
    assert fit.parameters.weights.round(4).tolist() == [0.6226, 0.3774]
    assert fit.parameters.means[:, 0].round(4).tolist() == [-2.7344, 2.8720]
    assert fit.parameters.standard_deviations[:, 0].round(4).tolist() == [1.0259, 1.0186]
    assert round(fit.log_likelihood, 3) in (-2096.677, -2096.678)


def test_heights_with_the_exchanged_row_have_no_regular_maximum() -> None:
    fit = em.gaussian_mixture(load("davis").columns["height"], 2)
    assert fit.status == "collapsed"
    assert not any(mode.regular for mode in fit.modes)
    on_row_12 = [m for m in fit.modes if np.abs(m.parameters.means - 57).min() < 0.01]
    assert sum(m.starts for m in on_row_12) > sum(m.starts for m in fit.modes) / 2
    assert np.isfinite(fit.trace).all()
    assert "collapsed" in str(fit.standard_errors.reason)
    assert np.isnan(fit.standard_errors.means).all()


def test_heights_without_that_row_have_two_modes_and_neither_is_the_sexes() -> None:
    heights = np.delete(load("davis").columns["height"], 11)
    best, second = [m for m in em.gaussian_mixture(heights, 2).modes if m.regular][:2]
    assert round(best.log_likelihood, 3) == -714.195
    assert best.parameters.weights.round(3).tolist() == [0.141, 0.859]
    assert best.parameters.means[:, 0].round(2).tolist() == [163.62, 171.74]
    assert best.parameters.standard_deviations[:, 0].round(2).tolist() == [2.46, 9.08]
    assert round(second.log_likelihood, 3) == -714.815
    assert second.parameters.weights.round(3).tolist() == [0.593, 0.407]
    assert second.parameters.means[:, 0].round(2).tolist() == [165.21, 178.41]
    assert second.parameters.standard_deviations[:, 0].round(2).tolist() == [5.95, 6.39]
    one = em.gaussian_mixture(heights, 1)
    assert round(one.log_likelihood, 3) == -717.981
    n = np.log(len(heights))
    assert -2 * one.log_likelihood + 2 * n < -2 * best.log_likelihood + 5 * n, "BIC prefers one"


def test_heights_by_sex() -> None:
    columns = load("davis").columns
    heights, sex = np.delete(columns["height"], 11), np.delete(columns["sex"], 11)
    fit = em.gaussian_mixture(heights, 2, labels=np.where(sex == "F", 0, 1))
    assert fit.parameters.means[:, 0].round(3).tolist() == [164.703, 178.011]
    # The reference's are with the divisor n - 1.
    n = np.array([(sex == "F").sum(), (sex == "M").sum()])
    spread = fit.parameters.standard_deviations[:, 0]
    assert [spread.round(3).tolist(), (spread * np.sqrt(n / (n - 1))).round(3).tolist()].count([5.658, 6.404]) == 1


@pytest.mark.parametrize(("k", "expected"), [(2, [-220.058, -220.243]), (3, [-203.179]), (4, [-197.454])])
def test_galaxies(k: int, expected: list[float]) -> None:
    """Roeder (1990), in 1000 km/s."""
    fit = em.gaussian_mixture(load("galaxies").columns["velocity_km_s"] / 1000, k)
    regular = [m.log_likelihood for m in fit.modes if m.regular]
    assert [round(value, 3) for value in regular[: len(expected)]] == expected
    assert round(fit.log_likelihood, 3) == expected[0]
