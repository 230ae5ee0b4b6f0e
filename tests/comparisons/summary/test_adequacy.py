"""Claims about adequacy: each bound is missed by its own fault, and only beyond Monte Carlo error."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from comparisons import families
from comparisons.quantities import INTERVAL
from comparisons.results.result import Quantity
from comparisons.summary.adequacy import (
    Circumstances,
    Modes,
    Points,
    Posterior,
    degree_of,
    described,
    explained,
    judge,
    tail_fits,
)
from em.uncertainty.wald import wald
from models import CoinTosses
from tests.declared import declare

COINS = declare(CoinTosses([5, 9, 8, 4, 7], 10), weights="equal")
FIT = COINS.fit(None)
finite = st.floats(-1e6, 1e6)


def scale_of(name: str) -> Any:
    """Of a quantity of either family."""
    return (families.COINS if name.startswith(("head", "chance")) else families.GAUSSIANS).scale(name)


@pytest.mark.parametrize(
    ("name", "value", "error", "link", "back", "slope"),
    [
        ("means[1]", -3.0, 0.7, lambda v: v, lambda u: u, 1.0),
        ("covariances[1, a, b]", -3.0, 0.7, lambda v: v, lambda u: u, 1.0),
        ("standard_deviations[1]", 2.0, 0.9, np.log, np.exp, 1 / 2.0),
        ("standard_deviations", 2.0, 0.9, np.log, np.exp, 1 / 2.0),
        ("covariances[1, a, a]", 2.0, 0.9, np.log, np.exp, 1 / 2.0),
        ("covariances[a, a]", 2.0, 0.9, np.log, np.exp, 1 / 2.0),
        ("weights[1]", 0.9, 0.2, lambda p: np.log(p / (1 - p)), lambda u: 1 / (1 + np.exp(-u)), 1 / 0.09),
        ("head_probabilities[A]", 0.1, 0.2, lambda p: np.log(p / (1 - p)), lambda u: 1 / (1 + np.exp(-u)), 1 / 0.09),
        ("chance_of_heads", 0.1, 0.2, lambda p: np.log(p / (1 - p)), lambda u: 1 / (1 + np.exp(-u)), 1 / 0.09),
    ],
)
def test_wald_intervals_are_symmetric_where_the_quantity_has_no_bounds(
    name: str, value: float, error: float, link: Any, back: Any, slope: float
) -> None:
    half = stats.norm.ppf((1 + INTERVAL) / 2) * error * slope
    assert wald(scale_of(name), value, error) == pytest.approx(
        (back(link(value) - half), back(link(value) + half)), rel=1e-12
    )


def test_without_a_standard_error_there_is_no_interval() -> None:
    assert all(math.isnan(end) for end in wald("identity", 3.0, math.nan))


def draws_of(quantiles: Any, chains: int = 4, draws: int = 1000) -> Any:
    """Draws with exactly these quantiles, spread over chains and shuffled within them: no noise but that of rounding."""
    u = (np.arange(chains * draws) + 0.5) / (chains * draws)
    values = np.asarray(quantiles(u))
    return np.random.default_rng(0).permuted(values.reshape(draws, chains).T, axis=1)


def judged(
    quantiles: Any,
    estimate: float = 0.0,
    error: float = 1.0,
    ess: float = 4000.0,
    name: str = "means[1]",
    withheld: str | None = None,
    converged: bool = True,
    exact: Posterior | None = None,
) -> Quantity:
    """A quantity judged on such draws, with Monte Carlo errors as ``ess`` independent draws have them."""
    draws = draws_of(quantiles)
    sd = float(draws.std())
    # Of independent draws: the error of a standard deviation is sd sqrt((kurtosis - 1) / (4 ess)).
    kurtosis = float(stats.kurtosis(draws.ravel(), fisher=False)) if sd > 0 else np.nan
    row = {
        "mean": float(draws.mean()),
        "sd": sd,
        "hdi94_lb": -2.0,
        "hdi94_ub": 2.0,
        "ess_bulk": ess,
        "ess_tail": ess,
        "r_hat": 1.0,
        "mcse_mean": sd / np.sqrt(ess),
        "mcse_sd": sd * np.sqrt((kurtosis - 1) / (4 * ess)),
    }
    circumstances = Circumstances(converged=converged, modes="one", withheld=withheld)
    return judge(name, scale_of(name), Points(estimate, estimate, estimate), error, draws, row, circumstances, exact)


def test_a_normal_posterior_about_the_estimate_agrees() -> None:
    quantity = judged(stats.norm.ppf)
    assert quantity.verdict == "agree"
    assert quantity.tail_below == pytest.approx(0.03, abs=1e-3)
    assert quantity.tail_above == pytest.approx(0.03, abs=1e-3)


@pytest.mark.parametrize(
    ("quantiles", "error", "told"),
    [
        (stats.norm(0.33, 1).ppf, 1.0, "The posterior mean lies 0.33 posterior sd above the estimate"),
        (stats.norm(-0.33, 1).ppf, 1.0, "The posterior mean lies 0.33 posterior sd below the estimate"),
        (stats.norm.ppf, 0.75, "The standard error is 0.75 of the posterior sd"),
        (stats.norm.ppf, 1.35, "The standard error is 1.35 of the posterior sd"),
    ],
)
def test_shift_and_ratio_have_bounds_of_their_own(quantiles: Any, error: float, told: str) -> None:
    quantity = judged(quantiles, error=error)
    assert quantity.verdict == "differ"
    assert told in quantity.reason
    assert quantity.missed[0] == ("mean" if "mean" in told else "spread")


def test_tails_have_a_bound_of_their_own() -> None:
    # Skewed, with the mean and the sd of the estimate: an exponential less 1. It ends at -1 and has a long upper tail.
    quantity = judged(lambda u: -np.log1p(-u) - 1)
    assert quantity.verdict == "differ"
    assert quantity.reason.startswith("0% of the posterior lies below EM's interval, where 1% to 6% may.")
    assert quantity.missed == ["tails"]
    heavy = judged(lambda u: -1.5 * np.log1p(-u) - 1.5, error=1.25, estimate=-0.2)
    assert re.search(
        r"0% of the posterior lies below EM's interval and \S+% above it, where 1% to 6% may", heavy.reason
    )
    assert "below EM's interval and 100% above it" in judged(stats.norm(30, 1).ppf).reason


def test_exact_numbers_are_judged_without_monte_carlo_error() -> None:
    # 100 effective draws show no violation of a limit that the exact mean, or an exact tail, violates by a hair.
    near = judged(stats.norm(0.26, 1).ppf, ess=100)
    assert near.verdict == "agree"
    assert near.reason.endswith("beyond a limit, but by less than two Monte Carlo errors.")
    shifted = judged(stats.norm(0.26, 1).ppf, ess=100, exact=Posterior(0.26, 1.0, 0.26, 1.0, 0.03, 0.03))
    assert shifted.reason.startswith("The posterior mean lies 0.26 posterior sd above the estimate.")
    cut = judged(stats.norm.ppf, ess=100, exact=Posterior(0.0, 1.0, 0.0, 1.0, 0.009, 0.03))
    assert (cut.verdict, cut.tail_below) == ("differ", 0.009)
    assert cut.reason.startswith("0.9% of the posterior lies below EM's interval")
    assert (
        judged(stats.norm(0.26, 1).ppf, ess=100, exact=Posterior(0.24, 1.0, 0.24, 1.0, 0.03, 0.03)).reason
        == "Mean, spread and tails are within their limits."
    )


def test_intervals_are_judged_on_the_scale_without_bounds() -> None:
    # A log-normal standard deviation: about 1.02 its log is normal with sd 0.2, which the interval on the log scale holds.
    quantity = judged(stats.lognorm(0.2).ppf, estimate=1.0, error=0.2, name="standard_deviations[1]")
    assert quantity.scale == "log"
    assert quantity.shift == pytest.approx(0, abs=1e-6)
    assert quantity.se_ratio == pytest.approx(1, abs=0.01)
    assert quantity.tail_below == pytest.approx(0.03, abs=1e-3)
    assert quantity.tail_above == pytest.approx(0.03, abs=1e-3)
    assert quantity.verdict == "agree"


@pytest.mark.parametrize(
    ("quantiles", "error"),
    [
        (stats.norm(0.27, 1).ppf, 1.0),  # 0.02 beyond the bound
        (stats.norm.ppf, 0.78),  # 0.02 below it
        (stats.norm.ppf, 1.29),
    ],
)
def test_a_bound_is_missed_only_beyond_monte_carlo_error(quantiles: Any, error: float) -> None:
    assert judged(quantiles, error=error, ess=40_000).verdict == "differ"
    close = judged(quantiles, error=error, ess=300)
    assert close.verdict == "agree"
    assert "beyond a limit, but by less than two Monte Carlo errors" in close.reason


def test_tails_are_missed_only_beyond_monte_carlo_error() -> None:
    # Upper tail 6.6 %, mean and sd as they should be: a little skewed.
    shape = stats.gamma(25.0)

    def quantiles(u: Any) -> Any:
        return (shape.ppf(u) - 25.0) / 5.0

    sharp, blunt = (judged(quantiles, error=0.84, ess=ess) for ess in (40_000, 100))
    assert sharp.tail_above is not None
    assert 0.06 < sharp.tail_above < 0.08
    assert (sharp.verdict, blunt.verdict) == ("differ", "agree")


def test_draws_without_spread_and_chains_that_have_not_met_are_inconclusive() -> None:
    assert judged(lambda u: np.full_like(u, 1.0)).verdict == "inconclusive"
    assert judged(stats.norm.ppf, converged=False).verdict == "inconclusive"


def test_a_withheld_standard_error_differs_with_its_reason() -> None:
    quantity = judged(stats.norm.ppf, error=math.nan, withheld="at a bound")
    assert (quantity.verdict, quantity.em_se, quantity.em_low) == ("differ", None, None)
    assert quantity.reason == "EM gives no standard error: at a bound."


def test_an_empty_tail_is_missed_as_soon_as_a_tail_at_the_limit_would_have_had_draws() -> None:
    # Of 620 effective draws 6 would lie in a tail of 1 %, and none with a probability of .002; of 300 none with one of .05.
    assert not tail_fits(0.0, 620.0)
    assert tail_fits(0.0, 300.0)
    assert tail_fits(0.005, 620.0)


@pytest.mark.parametrize("missing", ["mean", "sd", "mcse_mean", "mcse_sd", "ess_tail"])
def test_not_a_number_never_agrees(missing: str) -> None:
    draws = draws_of(stats.norm.ppf)
    row = {"mean": 0.0, "sd": 1.0, "hdi94_lb": -2.0, "hdi94_ub": 2.0, "ess_bulk": 4e3, "ess_tail": 4e3, "r_hat": 1.0}
    row |= {"mcse_mean": 0.016, "mcse_sd": 0.011}
    point, circumstances = Points(0.0, 0.0, 0.0), Circumstances(True, "one", None)
    assert judge("means[1]", "identity", point, 1.0, draws, row, circumstances).verdict == "agree"
    row[missing] = math.nan
    assert judge("means[1]", "identity", point, 1.0, draws, row, circumstances).verdict == "inconclusive"


@pytest.mark.parametrize("missing", ["maximum_likelihood", "mode_from_it", "best_mode"])
def test_a_point_that_is_not_a_number_is_inconclusive(missing: str) -> None:
    draws = draws_of(stats.norm.ppf)
    row = {"mean": 0.0, "sd": 1.0, "hdi94_lb": -2.0, "hdi94_ub": 2.0, "ess_bulk": 4e3, "ess_tail": 4e3, "r_hat": 1.0}
    row |= {"mcse_mean": 0.016, "mcse_sd": 0.011}
    point = dataclasses.replace(Points(0.0, 0.0, 0.0), **{missing: math.nan})
    found = judge("means[1]", "identity", point, 1.0, draws, row, Circumstances(True, "one", None))
    assert found.verdict == "inconclusive"
    assert missing in found.reason


def test_a_standard_error_that_is_missing_without_a_reason_is_inconclusive() -> None:
    found = judged(stats.norm.ppf, error=math.nan)
    assert (found.verdict, found.reason.split(":")[1]) == ("inconclusive", " EM's standard error.")


@pytest.mark.parametrize(
    ("modes", "told"),
    [
        ("one", "skewness +0.0"),
        ("several", "several modes"),
        ("ridge", "a ridge of modes"),
    ],
)
def test_what_lies_between_mode_and_mean_is_described(modes: Modes, told: str) -> None:
    assert told in described(draws_of(stats.norm.ppf), modes)


@given(finite, finite, finite, finite)
def test_the_gap_adds_up(maximum: float, reached: float, best: float, mean: float) -> None:
    gap = explained(Points(maximum, reached, best), mean, 1.0)
    size = max(abs(v) for v in (maximum, reached, best, mean))
    assert gap.prior + gap.mode_switch + gap.averaging == pytest.approx(gap.total, abs=8 * np.finfo(float).eps * size)
    assert gap.total == mean - maximum


@pytest.mark.parametrize(
    ("points", "mean", "cancelling"),
    [
        (Points(0.0, 1.0, 1.0), 0.1, True),  # +1 by the prior, -0.9 by averaging
        (Points(0.0, 1.0, 1.0), 0.6, False),  # the gap is as large as its terms
        (Points(0.0, 0.05, 0.05), 0.01, False),  # nothing worth explaining
        (Points(0.0, 1.0, 1.0), 1.5, False),  # one sign
        (Points(0.0, 0.0, -2.0), 0.1, True),  # a switch of mode against averaging
    ],
)
def test_large_terms_of_opposite_sign_are_called_cancelling(points: Points, mean: float, cancelling: bool) -> None:
    assert explained(points, mean, 1.0).cancelling is cancelling


@pytest.mark.parametrize(
    ("below", "above", "shift", "degree"),
    [
        (0.05, 0.04, 0.5, "slight"),
        (0.01, 0.02, -0.5, "slight"),
        (0.06, 0.05, 0.0, "marked"),
        (0.0, 0.01, 0.0, "marked"),
        (0.03, 0.03, 0.51, "marked"),
        (0.03, 0.03, -0.51, "marked"),
    ],
)
def test_a_difference_is_slight_where_the_interval_still_serves(
    below: float, above: float, shift: float, degree: str
) -> None:
    assert degree_of(Posterior(0.0, 1.0, 0.0, 1.0, below, above), shift) == degree


def test_without_an_interval_there_is_no_degree_to_measure() -> None:
    assert degree_of(None, np.nan) == "no interval"
