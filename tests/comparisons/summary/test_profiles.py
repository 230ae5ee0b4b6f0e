"""Claims about EM's second interval in a comparison: its quantity, its words, and the posterior it is held against."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import em
from comparisons import catalogue, datasets, families, quantities
from comparisons.families import COINS, GAUSSIANS
from comparisons.results.result import PosteriorSummary, Quantity
from comparisons.summary import profiles
from em.uncertainty.quantities import quantity as quantity_of
from models.inputs import Floats

NOT_YET = PosteriorSummary(0.5, 0.1, 0.3, 0.7, 0.94, 4000.0, 4000.0, 1.0, 0.001)


def quantity(name: str = "means[1]", **fields: Any) -> Quantity:
    """A quantity whose Wald interval fits, but for what is changed."""
    values: dict[str, Any] = {
        "em": 0.5,
        "em_se": 0.1,
        "em_low": 0.31,
        "em_high": 0.69,
        "profile_low": None,
        "profile_high": None,
        "profile_reason": None,
        "profile_coinciding": (False, False),
        "shift": 0.0,
        "se_ratio": 1.0,
        "scale": (COINS if name.startswith(("head", "chance")) else GAUSSIANS).scale(name),
        "map": 0.5,
        "posterior": NOT_YET,
        "exact": None,
        "tail_below": 0.03,
        "tail_above": 0.03,
        "gap": None,
        "verdict": "differ",
        "reason": "Because.",
    }
    return Quantity(name=name, **(values | fields))


def interval(low: float, high: float, reason: str | None = None) -> em.Interval:
    return em.Interval("means[1]", low, high, 0.94, reason)


def uniform_draws() -> Floats:
    return ((np.arange(4000) + 0.5) / 4000).reshape(4, 1000)


@pytest.mark.parametrize("name", [n for n in catalogue.names() if n not in ("linkage", "earthquakes")])
def test_every_quantity_of_every_comparison_is_the_one_that_em_names(name: str) -> None:
    comparison = catalogue.declaration(name)
    problem = families.problem(comparison, comparison.data(datasets.load(comparison.dataset)))
    mixture: Any = problem.mixture(None)
    random = np.random.default_rng(0)
    parameters = problem.random_parameters(random)
    told = quantities.of_parameters(problem, parameters)
    names = problem.em_names
    for quantity_name, value in told.items():
        found = quantity_of(mixture, names[quantity_name]).told(mixture.to_vector(parameters))
        assert found == pytest.approx(value, rel=1e-12)


def test_nothing_is_said_where_walds_interval_fits() -> None:
    assert profiles.compared(quantity(), interval(0.4, 0.6), uniform_draws()) is None


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        (
            0.03,
            0.96,
            "The profile-likelihood interval fits: of the posterior 3.0% below it and 4.0% above it.",
        ),
        (
            0.03,
            0.90,
            "The profile-likelihood interval does not fit either: of the posterior 3.0% below it and 10.0% above it.",
        ),
        (
            -0.5,
            0.97,
            "The profile-likelihood interval does not fit either: of the posterior 0.0% below it and 3.0% above it.",
        ),
    ],
)
@pytest.mark.parametrize("wald", [{"tail_above": 0.1}, {"tail_below": None, "tail_above": None, "em_se": None}])
def test_where_walds_interval_fails_the_profile_is_held_against_the_posterior(
    low: float, high: float, told: str, wald: dict[str, Any]
) -> None:
    assert profiles.compared(quantity(**wald), interval(low, high), uniform_draws()) == told


@pytest.mark.parametrize(
    ("degree", "changed", "low", "high", "instead"),
    [
        (None, {}, 0.03, 0.96, None),
        ("slight", {"missed": ["tails"]}, 0.3, 0.9, None),
        ("slight", {"missed": ["tails"]}, 0.03, 0.96, "profile"),
        ("slight", {"missed": ["spread"]}, 0.03, 0.96, None),
        ("marked", {}, 0.03, 0.96, "profile"),
        ("marked", {"shift": 0.51}, 0.03, 0.96, "posterior"),
        ("marked", {}, 0.03, 0.9, "posterior"),
        ("no interval", {"shift": None}, 0.0, 0.97, "profile"),
        ("no interval", {"shift": None}, 0.0, 1.0, "posterior"),
    ],
)
def test_what_to_report_instead_is_the_profile_where_it_fits(
    degree: Any, changed: dict[str, Any], low: float, high: float, instead: str | None
) -> None:
    asked = replace(quantity(), degree=degree, scale="logit", **changed)
    assert profiles._instead(asked, interval(low, high), uniform_draws(), on_ridge=False) == instead
    if instead == "profile":
        assert profiles._instead(asked, interval(low, high), uniform_draws(), on_ridge=True) == (
            None if degree == "slight" else "posterior"
        )


def test_an_end_at_a_bound_has_no_tail_to_judge() -> None:
    at_a_bound = quantity("weights[1]", tail_above=0.1)
    one_sided = profiles.compared(at_a_bound, interval(0.0, 0.97), uniform_draws())
    assert one_sided == (
        "The profile-likelihood interval fits: of the posterior 3.0% above it. The data alone set no lower bound."
    )
    everything = profiles.compared(at_a_bound, interval(0.0, 1.0), uniform_draws())
    assert everything is not None
    assert "rule out no value" in everything
    agreeing = replace(at_a_bound, verdict="agree", tail_above=0.03)
    assert "fits the posterior is chance" in str(profiles.compared(agreeing, interval(0.0, 1.0), uniform_draws()))
    # 0 and 1 are bounds of probabilities alone.
    assert "either: of the posterior 0.0% below it" in str(
        profiles.compared(quantity(tail_above=0.1), interval(0.0, 0.97), uniform_draws())
    )


def test_an_end_without_a_nominal_probability_is_not_judged() -> None:
    beyond = quantity("means[1]", tail_above=0.1)
    lower = em.Interval("means[1]", 0.2, 0.97, 0.94, None, (True, False))
    told = "The profile-likelihood interval fits: of the posterior 3.0% above it."
    assert profiles.compared(beyond, lower, uniform_draws()) == told
    both = em.Interval("means[1]", 0.2, 0.8, 0.94, None, (True, True))
    not_judged = "The profile-likelihood interval is not judged: none of its ends has a nominal probability."
    assert profiles.compared(beyond, both, uniform_draws()) == not_judged
    assert profiles.compared(beyond, interval(0.2, 0.8), uniform_draws(), on_ridge=True) == not_judged


def test_a_missing_end_is_told_with_its_reason() -> None:
    reason = "no lower end: below 0.2 no maximum is regular"
    told = profiles.compared(quantity(tail_above=0.1), interval(np.nan, 0.6, reason), uniform_draws())
    assert told == f"The profile-likelihood interval has {reason}."


def test_nothing_is_said_of_a_posterior_that_is_not_known() -> None:
    unknown = quantity(verdict="inconclusive", tail_above=None)
    assert profiles.compared(unknown, interval(0.4, 0.6), uniform_draws()) is None


def test_profiles_change_no_verdict_and_hold_the_estimate() -> None:
    comparison = catalogue.declaration("two-coin")
    problem = families.problem(comparison, comparison.data(datasets.load(comparison.dataset)))
    fit = problem.fit(None)
    told = quantities.of_parameters(problem, fit.parameters)
    table = [quantity(name, em=value, em_low=None, tail_below=None) for name, value in told.items()]
    values = {name: uniform_draws() for name in told}
    for before, after in zip(table, profiles.with_profiles(problem, fit, table, values), strict=True):
        assert after.profile_low is not None
        assert after.profile_high is not None
        assert after.em is not None
        assert after.profile_low < after.em < after.profile_high
        unchanged: dict[str, Any] = {
            "profile_low": None,
            "profile_high": None,
            "profile_reason": None,
            "profile_coinciding": (False, False),
            "shift": 0.0,
            "se_ratio": 1.0,
            "reason": before.reason,
        }
        assert replace(after, **unchanged) == before
        assert after.reason.startswith(before.reason + " The profile-likelihood interval")
