"""What a value shows of itself fits a screen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

import em
import models
from comparisons import datasets
from comparisons.memberships import Memberships
from models import (
    CoinParameters,
    CoinPrior,
    CoinTosses,
    GaussianPrior,
    LogPosterior,
    Maximum,
    Measurements,
)
from tests.stored_results import geyser, two_coins

# Lines and characters of a terminal.
LINES, WIDTH = 24, 100

RANDOM = np.random.default_rng(17)
FRAME = pd.DataFrame(RANDOM.normal(size=(400, 5)) + 9 * (np.arange(400) % 3)[:, None], columns=list("abcde"))
TOSSES = CoinTosses(RANDOM.integers(0, 10, size=300), 10)
LARGE = em.gaussian_mixture(FRAME, 3)
SMALL = em.gaussian_mixture(FRAME[["a", "b"]], 2)
COINS = em.coin_mixture(CoinTosses([5, 9, 8, 4, 7], 10), weights="equal")
WITHHELD = em.coin_mixture(CoinTosses([0, 0, 10], 10), 2)


def values() -> Iterator[Any]:
    yield from (TOSSES, CoinTosses([5, 9], 10), Measurements(FRAME), Measurements([1.0, 2.0]))
    yield from (CoinPrior(), GaussianPrior.weakly_informative(FRAME, 3), CoinParameters([0.5, 0.5], [0.1, 0.2]))
    yield Measurements(pd.DataFrame({"x" * 10_000: [1.0, 2.0], "y\n\n\n" * 50: [2.0, 3.0]}))
    for fit in (LARGE, SMALL, COINS, WITHHELD):
        yield from (fit, fit.parameters, fit.path, fit.modes[0], fit.standard_errors, em.sandwich(fit))
    yield em.profile_interval(COINS, "head_probabilities[1]")
    yield em.profile_interval(WITHHELD, "weights[1]")
    yield em.bootstrap(SMALL, 1, replicates=3)
    yield Maximum({"means": np.ones((9, 9)), "weights": np.ones(9)}, -3.0, np.ones(200), "saddle", 0.1, 3, 8)
    yield Memberships.of_probabilities(np.full((50, 40, 2), 0.5))
    yield from (datasets.load("saxony"), datasets.load("galaxies"))
    for result in (two_coins(), geyser()):
        yield result
        for name in result.__dataclass_fields__:
            part = getattr(result, name)
            yield from part if isinstance(part, list) else [part]


# Text and numbers are the user's, and xarray's tree of draws is xarray's.
SHOWN = [
    v for v in values() if not isinstance(v, str | int | float | None) and type(v).__module__.split(".")[0] != "xarray"
]


@pytest.mark.parametrize("value", SHOWN, ids=lambda value: type(value).__name__)
def test_a_repr_fits_a_screen(value: Any) -> None:
    told = repr(value)
    assert len(told.split("\n")) <= LINES
    assert max(map(len, told.split("\n"))) <= WIDTH
    assert type(value).__name__ in told
    assert " at 0x" not in told


def test_a_repr_says_what_is_wanted_of_it() -> None:
    assert "head_probabilities=array([0.51958312, 0.79678907])" in repr(COINS)
    assert "status='converged'" in repr(LARGE)
    assert f"log_likelihood={LARGE.log_likelihood!r}" in repr(LARGE)
    assert "covariance=<array of shape (63, 63)" in repr(LARGE.standard_errors)
    assert "y=<array of shape (400, 5)" in repr(Measurements(FRAME))
    assert "features=('a', 'b', 'c', 'd', 'e')" in repr(Measurements(FRAME))
    result = two_coins()
    told = repr(result)
    assert told.startswith(f"SampledResult of 'two-coin': {result.verdict}")
    assert all(q.name in told and q.verdict in told for q in result.quantities)
    assert all(f"{c.name} {c.outcome}" in told for c in result.checks)


@pytest.mark.sampling
def test_a_log_posterior_names_its_variables() -> None:
    density = LogPosterior(models.coin_mixture(TOSSES, 2))
    assert repr(density) == "LogPosterior(weights (1,), head_probabilities (2,); 3 in all)"
