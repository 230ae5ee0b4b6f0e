"""Stein's identities, asked of exact draws: accepted ones of the prior. Then of draws with something done to them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import xarray as xr

from comparisons.checks.draws_belong import draws_belong
from comparisons.families.mixtures import MixtureProblem
from comparisons.families.unconstrained import UnconstrainedPosterior
from comparisons.posterior import proposals, stein
from comparisons.posterior.stein import Identities
from models import CoinTosses, GaussianPrior, Measurements
from tests.declared import COINS, coins_density, declare

CHAINS, DRAWS = 4, 250
NORMALS = declare(
    Measurements(np.array([-1.4, -0.9, 0.2, 1.1, 1.3, 2.0])[:, None]),
    prior=GaussianPrior(mean=[0.0], shrinkage=0.2, degrees_of_freedom=5.0, scale=[[3.0]], concentration=2.0),
)
LABELLED = declare(
    CoinTosses([5, 9, 8, 4, 7], 10, labels=[1, 0, 0, 1, -1]),
    prior=COINS.prior,
)
PROBLEMS = {"two coins": COINS, "labelled coins": LABELLED, "two normals": NORMALS}


@cache
def exact(name: str) -> dict[str, Any]:
    """Draws from the posterior: each of the prior's is kept with a chance in proportion to its likelihood."""
    problem, random = PROBLEMS[name], np.random.default_rng(31)
    groups = problem.mixture(None).groups
    highest = float(problem.fit(problem.prior).log_likelihood) + 3.0
    kept: list[dict[str, Any]] = []
    while sum(len(k["weights"]) for k in kept) < CHAINS * DRAWS:
        arrays = problem.prior_draws(groups, 20_000, random)
        height = likelihoods(problem, arrays)
        assert height.max() < highest
        took = random.random(len(height)) < np.exp(height - highest)
        kept.append({n: v[took] for n, v in arrays.items()})
    return {n: np.concatenate([k[n] for k in kept])[: CHAINS * DRAWS] for n in kept[0]}


def likelihoods(problem: MixtureProblem, arrays: dict[str, Any]) -> Any:
    return problem.mixture(None).e_step(problem.family.of_arrays(arrays)).log_likelihood


def posterior(arrays: dict[str, Any]) -> xr.Dataset:
    dims = {"weights": ("component",), "head_probabilities": ("component",), "means": ("component", "feature")}
    dims["covariances"] = ("component", "feature", "feature_2")
    return xr.Dataset(
        {n: (("chain", "draw", *dims[n]), v.reshape(CHAINS, -1, *v.shape[1:])) for n, v in arrays.items()}
    )


def asked(name: str, arrays: dict[str, Any]) -> Identities:
    problem = PROBLEMS[name]
    found = stein.identities(problem, problem.fit(problem.prior), posterior(arrays))
    assert found is not None
    return found


@pytest.mark.parametrize("name", PROBLEMS)
def test_exact_draws_meet_all_identities(name: str) -> None:
    found = asked(name, exact(name))
    assert found.hold
    assert found.n_identities == 2 * PROBLEMS[name].mixture(None).basis.shape[1] + 1


def locations(arrays: dict[str, Any]) -> Any:
    return arrays["means"][:, 0, 0] if "means" in arrays else arrays["head_probabilities"][:, 0]


@pytest.mark.parametrize("name", PROBLEMS)
def test_tails_that_were_cut_are_found(name: str) -> None:
    arrays = exact(name)
    at = locations(arrays)
    low, high = np.quantile(at, [0.05, 0.95])
    inside = np.flatnonzero((at >= low) & (at <= high))
    taken = np.where((at >= low) & (at <= high), np.arange(len(at)), np.random.default_rng(3).choice(inside, len(at)))
    found = asked(name, {n: v[taken] for n, v in arrays.items()})
    assert not found.hold
    assert found.field.startswith("spread")


@pytest.mark.parametrize("name", PROBLEMS)
def test_draws_of_other_data_are_found(name: str) -> None:
    problem = PROBLEMS[name]
    if isinstance(problem.data, CoinTosses):
        other = replace(problem, data=CoinTosses([2, 9, 8, 1, 7], 10, labels=problem.data.labels))
    else:
        other = replace(problem, data=Measurements(problem.data.y * [[0.6]]))
    found = stein.identities(other, other.fit(other.prior), posterior(exact(name)))
    assert found is not None
    assert not found.hold


def test_the_share_of_a_labelling_is_differentiated_too() -> None:
    # With five bags of ten both labellings overlap, so that a share taken for a constant shows.
    arrays = exact("two coins")
    target = UnconstrainedPosterior(COINS.mixture(COINS.prior))
    home = proposals.at_modes(target, COINS.fit(COINS.prior)).log_density
    x = stein.coordinates(COINS, target, posterior(arrays))
    terms = stein.stein_terms(target, home, x)
    swapped = x @ target.labellings()[1].T
    np.testing.assert_allclose(stein.stein_terms(target, home, swapped), terms, rtol=1e-4, atol=1e-5)
    departures = terms.mean(axis=0) / (terms.std(axis=0) / np.sqrt(len(terms)))
    assert np.abs(departures).max() < 4


def test_a_departure_fails_the_check_and_names_the_sampler() -> None:
    density = coins_density()
    arrays = exact("two coins")
    p = arrays["head_probabilities"]
    kept = np.flatnonzero(p[:, 0] > np.quantile(p[:, 0], 0.1))
    draws = posterior({n: v[kept][np.arange(CHAINS * DRAWS) % len(kept)] for n, v in arrays.items()})
    logp = np.empty((CHAINS, DRAWS))
    for c, d in np.ndindex(CHAINS, DRAWS):
        values = {n: draws[n].values[c, d] for n in density.names}
        logp[c, d] = sum(density.parts(density.unconstrained(values)))
    tree = xr.DataTree.from_dict({"posterior": draws, "sample_stats": xr.Dataset({"logp": (("chain", "draw"), logp)})})
    assert draws_belong(COINS, density, draws, tree).outcome == "pass"
    check = draws_belong(COINS, density, draws, tree, COINS.fit(COINS.prior))
    assert (check.outcome, check.engine) == ("fail", "sampler")
    assert "Stein" in check.explanation


def test_draws_too_wide_in_every_direction_are_found() -> None:
    problem = PROBLEMS["two normals"]
    target = UnconstrainedPosterior(problem.mixture(problem.prior, standardise=True))
    home = proposals.at_modes(target, problem.fit(problem.prior)).log_density
    x = stein.coordinates(problem, target, posterior(exact("two normals"))).reshape(CHAINS, DRAWS, -1)
    told = problem.names
    sound = stein.worst(target, home, x, told)
    wide = stein.worst(target, home, x.mean(axis=(0, 1)) + 1.15 * (x - x.mean(axis=(0, 1))), told)
    assert sound is not None and wide is not None  # noqa: PT018
    assert sound.hold
    assert not wide.hold
    assert wide.field == "spread of all coordinates together"


@pytest.mark.parametrize(("rows", "least", "most"), [(1, 1000, 1000), (2000, 200, 250)])
def test_all_draws_are_asked_but_where_rows_are_many(
    rows: int, least: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def worst(target: Any, home: Any, x: Any, names: Any) -> None:
        asked.append(x.shape[1])

    monkeypatch.setattr(stein, "worst", worst)
    bags = np.arange(2, rows + 2)
    problem = declare(CoinTosses(bags // 2, bags, counts=np.full(rows, 1 if rows > 1 else 5)), prior=COINS.prior)
    # One draw of bags so many costs twelve thousand densities of a bag; ten times as dear, and only a part is affordable.
    monkeypatch.setattr(stein, "ROW_DENSITIES", 10_000_000)
    weights = np.full((CHAINS, 1000, 2), 0.5)
    p = np.random.default_rng(1).beta(2, 2, (CHAINS, 1000, 2))
    dims = ("chain", "draw", "component")
    draws = xr.Dataset({"weights": (dims, weights), "head_probabilities": (dims, p)})
    stein.identities(problem, problem.fit(problem.prior), draws)
    assert least <= asked[0] <= most
