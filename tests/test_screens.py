"""What a value shows of itself fits a screen, and what is refused is said in three lines, whatever was handed in."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

import comparisons
import em
import models
from comparisons import catalogue, datasets, pipeline
from comparisons.labels import relabelling as labels
from comparisons.labels.memberships import Memberships
from comparisons.results import store
from comparisons.settings import checked_settings
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
# Three lines of a terminal that is not narrow.
MESSAGE = 3 * 120

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


MONSTERS: dict[str, Any] = {
    "array": RANDOM.normal(size=(3000, 3)),
    "column of strings": np.array(["x" * 500] * 3000),
    "frame of strings": FRAME.astype(str),
    "frame": FRAME,
    "measurements": Measurements(FRAME),
    "tosses": TOSSES,
    "class": Measurements,
    "long string": "y\n" * 10_000,
    "list of lists": [[1, 2], [3]] * 2000,
    "large whole numbers": np.arange(5000),
    "dictionary": {str(j): j for j in range(5000)},
    "object": object(),
    "result": two_coins(),
    "fit": LARGE,
    "nan": np.nan,
    "minus": -7,
    "set": set(range(5000)),
    "bytes": b"\0" * 5000,
    "complex": np.full(3000, 1j),
    "dates": np.full(3000, np.datetime64("2020-01-01")),
    "missing": [None] * 3000,
    "huge": 10**400,
}
GOOD: dict[Callable[..., Any], dict[str, Any]] = {
    em.coin_mixture: {"tosses": TOSSES, "n_components": 2},
    em.gaussian_mixture: {"y": FRAME[["a"]].to_numpy(), "n_components": 2},
    em.profile_interval: {"fit": COINS, "name": "weights[1]"},
    em.sandwich: {"fit": COINS},
    em.bootstrap: {"fit": COINS, "random": 1, "replicates": 2},
    em.distinct_tosses: {"y": FRAME},
    COINS.responsibilities: {"data": TOSSES},
    SMALL.responsibilities: {"data": FRAME},
    COINS.predict: {"data": TOSSES},
    SMALL.score_rows: {"data": FRAME},
    COINS.simulate: {"n": 5, "seed": 1},
    em.read_fit: {"path": "nowhere.json"},
    models.CoinTosses: {"heads": [5, 9], "tosses": 10},
    models.CoinParameters: {"weights": [0.5, 0.5], "head_probabilities": [0.1, 0.2]},
    models.CoinPrior: {},
    models.GaussianParameters: {"weights": [1.0], "means": [[0.0, 0.0]], "covariances": [np.eye(2)]},
    models.GaussianPrior: {"mean": 0.0, "shrinkage": 1.0, "degrees_of_freedom": 3.0, "scale": 1.0},
    models.GaussianPrior.weakly_informative: {"y": [1.0, 2.0, 4.0], "n_components": 2},
    models.Measurements: {"y": [1.0, 2.0]},
    models.coin_mixture: {"tosses": TOSSES},
    models.gaussian_mixture: {"y": FRAME},
    models.find_map: {"model": None},
    models.canonical_order: {"draws": None},
    models.LogPosterior: {"model": None},
    comparisons.run: {"name": "two-coin"},
    datasets.load: {"name": "faithful"},
    Memberships.of_probabilities: {"probabilities": np.full((2, 3, 2), 0.5)},
    Memberships.of_allocations: {"allocations": np.zeros((2, 3), dtype=int), "n_components": 2},
    labels.ecr: {"memberships": Memberships.of_probabilities(np.full((2, 3, 2), 0.5)), "pivot": [0, 1, 0]},
}
# Any value is true or false, and a callable is called; of too many replicates there is only the wait.
NOT_ASKED = {"progress", "fresh", "replicates", "kwargs", "args"}
# What may be acted on: wrong use, and a file that is not there.
ALLOWED = (TypeError, ValueError, OSError, store.StoredResultError)


def calls() -> Iterator[Any]:
    for function, good in GOOD.items():
        for argument in inspect.signature(function).parameters:
            if argument not in NOT_ASKED:
                name = getattr(function, "__qualname__", repr(function))
                yield pytest.param(function, good, argument, id=f"{function.__module__}.{name}-{argument}")


@pytest.mark.parametrize(("function", "good", "argument"), list(calls()))
def test_what_is_refused_is_said_in_three_lines(
    function: Callable[..., Any], good: dict[str, Any], argument: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "run", _refusing)
    for kind, monster in MONSTERS.items():
        try:
            function(**{**good, argument: monster})
        except ALLOWED as error:
            if isinstance(error, OSError):
                continue  # the system quotes a path whole
            told = str(error)
            assert len(told) <= MESSAGE, (kind, told[:2000])
            assert len(told.split("\n")) <= 3, (kind, told[:2000])
            assert told, kind


def _refusing(name: Any, out: Any, *, seed: Any, draws: Any, chains: Any, **_: Any) -> None:
    """What a run asks before it begins, without the run."""
    catalogue.declaration(name)
    checked_settings(seed, draws, chains)
    raise ValueError("nothing is run here")
