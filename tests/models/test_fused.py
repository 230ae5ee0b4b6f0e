"""A fused likelihood is PyMC's own: value, gradient and the log density of each row, of every family and form."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import numpy as np
import pytest

import models
from models import LogPosterior
from models.compiled import fused, operation

N, K = 5000, 3
FORMS = "full", "tied", "diagonal", "spherical", "tied-diagonal", "tied-spherical"
# Rounding of some thousand terms and their sums, with a margin of a thousand.
SAME = 1e-10


def rows(seed: int = 1) -> tuple[np.random.Generator, dict[str, Any]]:
    """Five chunks: some components are known in two, some rows count more than once in three, and in the last neither."""
    random = np.random.default_rng(seed)
    at = np.arange(N)
    many = (random.random(N) < 0.1) & (at >= fused.CHUNK) & (at < 4 * fused.CHUNK)
    known = (random.random(N) < 0.05) & (at < 2 * fused.CHUNK)
    counts, labels = np.where(many, random.integers(2, 5, N), 1), np.where(known, random.integers(0, K, N), -1)
    assert 4 * fused.CHUNK < N
    return random, {"counts": counts, "labels": labels}


def coins(**options: Any) -> Any:
    random, seen = rows()
    tosses = random.integers(1, 40, N)
    return models.coin_mixture(models.CoinTosses(random.binomial(tosses, 0.4), tosses, **seen), K, **options)


def poissons(**options: Any) -> Any:
    random, seen = rows()
    exposure = random.uniform(0.5, 3, N)
    return models.poisson_mixture(models.EventCounts(random.poisson(4 * exposure), exposure, **seen), K, **options)


def exponentials(*, cut: bool, **options: Any) -> Any:
    random, seen = rows()
    censored = random.random(N) < 0.2 if cut else None
    return models.exponential_mixture(random.exponential(3, N), K, censored=censored, **seen, **options)


def gaussians(d: int, covariance: Any, **options: Any) -> Any:
    random, seen = rows()
    y = 1e3 + random.normal(size=(N, d)) @ random.normal(size=(d, d)) * 10.0 ** np.arange(d)
    return models.gaussian_mixture(y, K, covariance, **seen, **options)


def alike(**options: Any) -> Any:
    """Rows that are seen once and of which none is known, for which nothing is held."""
    return models.gaussian_mixture(np.random.default_rng(1).normal(size=(N, 2)), K, **options)


FAMILIES: dict[str, Callable[..., Any]] = {
    "coins": coins,
    "coins of equal weights": partial(coins, weights="equal"),
    "poissons": poissons,
    "exponentials": partial(exponentials, cut=False),
    "censored exponentials": partial(exponentials, cut=True),
    **{f"normals, {form}, d=2": partial(gaussians, 2, form) for form in FORMS},
    "normals, d=1": partial(gaussians, 1, "full"),
    "normals, full, d=3": partial(gaussians, 3, "full"),
    "normals, all alike": alike,
}


@pytest.mark.parametrize("family", FAMILIES)
def test_value_and_gradient_are_those_of_pymcs_own_distributions(family: str) -> None:
    own, fast = (LogPosterior(FAMILIES[family](likelihood=likelihood)) for likelihood in ("pymc", "fused"))
    assert own.names == fast.names
    random = np.random.default_rng(2)
    for _ in range(3):
        x = own.spread_out_start(random)
        np.testing.assert_allclose(fast.parts(x), own.parts(x), rtol=SAME)
        ours, theirs = fast.gradient(x, prior=True), own.gradient(x, prior=True)
        # Entries are sums that may cancel: what rounding leaves of them is measured by the largest.
        np.testing.assert_allclose(ours, theirs, rtol=SAME, atol=SAME * np.abs(theirs).max())


@pytest.mark.parametrize("family", ["coins", "censored exponentials", "normals, full, d=2"])
def test_log_densities_of_rows_are_those_of_pymcs_own_distributions(family: str) -> None:
    import pymc
    import pytensor

    found = []
    for likelihood in ("pymc", "fused"):
        model = FAMILIES[family](likelihood=likelihood)
        with pytensor.config.change_flags(cxx=""):
            rows_of = pymc.pytensorf.compile(
                model.value_vars, model.logp(vars=model.observed_RVs, sum=False)[0], mode="FAST_COMPILE"
            )
        found.append(rows_of(**model.initial_point()))
    assert found[0].shape == (N,)
    np.testing.assert_allclose(found[1], found[0], rtol=SAME, atol=SAME)


def test_value_and_gradient_are_one_pass() -> None:
    density = LogPosterior(coins(likelihood="fused"))
    nodes = [type(node.op) for node in density._evaluate.maker.fgraph.apply_nodes]
    assert nodes.count(operation.ValueAndSums) == 1
    assert operation.RowLogDensities not in nodes


def test_a_sum_that_was_rewritten_has_its_gradient_and_no_second_one() -> None:
    """PyMC and nutpie rewrite a log density before they differentiate it."""
    import pytensor
    import pytensor.tensor as pt
    from pytensor.graph.rewriting.utils import rewrite_graph

    theta, y = pt.matrix("theta", shape=(2, 2)), np.linspace(-1, 1, 9)
    density = operation.RowLogDensities(())(theta, np.ones(9), np.full(9, -1), np.zeros(1), np.eye(1), y).sum()
    early, late = (pt.grad(each, theta) for each in (density, rewrite_graph(density, include=("canonicalize",))))
    with pytensor.config.change_flags(cxx=""):
        one, other = pytensor.function([theta], [early, late], mode="FAST_COMPILE")(np.eye(2))
    np.testing.assert_array_equal(one, other)
    with pytest.raises(NotImplementedError, match="no second derivatives"):
        pt.grad(early.sum(), theta)


def test_weighted_rows_have_their_gradient() -> None:
    """Not only of the plain sum: whoever weighs rows differentiates by another way."""
    import pytensor
    import pytensor.tensor as pt

    random = np.random.default_rng(3)
    y, weight, at = random.normal(size=50), random.random(50), random.normal(size=(2, 2))
    theta = pt.matrix("theta", shape=(2, 2))
    density = operation.RowLogDensities(())(theta, np.ones(50), np.full(50, -1), np.zeros(1), np.eye(1), y)
    with pytensor.config.change_flags(cxx=""):
        gradient = pytensor.function([theta], pt.grad((density * weight).sum(), theta), mode="FAST_COMPILE")(at)
    joint = at @ np.stack([np.ones(50), y])
    r = np.exp(joint - joint.max(axis=0)) * weight
    r *= weight / r.sum(axis=0)
    np.testing.assert_allclose(gradient, r @ np.stack([np.ones(50), y]).T, rtol=SAME)


def test_an_impossible_row_is_told_and_nothing_is_hidden() -> None:
    plain = np.zeros(1), np.eye(1), np.zeros((2, 0), dtype=np.int64), (np.ones(3),)
    counts, unknown = np.ones(3), np.full(3, -1)
    impossible = np.array([[0.0, -np.inf], [0.0, -np.inf]])
    assert fused.value_and_sums(impossible, counts, unknown, *plain)[0] == -np.inf
    assert fused.value_and_sums(impossible[:1], counts, unknown * 0, *plain)[0] == -np.inf
    assert np.isnan(fused.value_and_sums(impossible * np.nan, counts, unknown, *plain)[0])


def test_what_it_cannot_do_is_refused() -> None:
    with pytest.raises(ValueError, match="likelihood is 'fast'; give"):
        coins(likelihood="fast")
    with pytest.raises(ValueError, match="a bag has 5000 tosses"):
        models.coin_mixture(models.CoinTosses([3, 4], 5000), 2, likelihood="fused")
    y = np.random.default_rng(4).normal(size=(20, 2))
    y[0, 0] = np.nan
    with pytest.raises(ValueError, match="cells of y are missing"):
        models.gaussian_mixture(y, 2, missing="marginal", likelihood="fused")


# One coin with a uniform prior, whose posterior is Beta(361, 241).
TOSSES = models.CoinTosses(np.repeat([3, 6, 9], 20), 10)


@pytest.mark.sampling
@pytest.mark.parametrize("sampler", ["nutpie", pytest.param("pymc", marks=pytest.mark.long)])
def test_samplers_take_it(sampler: Literal["nutpie", "pymc"]) -> None:
    """Held against a posterior in closed form."""
    import arviz
    import pymc

    mean, sd = 361 / 602, np.sqrt(361 * 241 / 602**2 / 603)
    with models.coin_mixture(TOSSES, 1, likelihood="fused"):
        tree = pymc.sample(
            500,
            tune=500,
            chains=2,
            cores=1,
            nuts_sampler=sampler,
            random_seed=5,
            progressbar=False,
            quiet=True,
        )
    p = tree["posterior"]["head_probabilities"]
    effective = float(arviz.ess(tree["posterior"].to_dataset())["head_probabilities"].squeeze())
    assert abs(float(p.mean()) - mean) < 4 * sd / np.sqrt(effective)


def test_its_mode_and_the_densities_of_its_rows_are_pymcs_own() -> None:
    import arviz
    import pymc
    import pytensor

    random = np.random.default_rng(5)
    # Without a sampler: what it gives is draws of the posterior.
    drawn = {"head_probabilities": random.beta(361, 241, size=(2, 200, 1))}
    tree = arviz.from_dict({"posterior": drawn})
    with pytensor.config.change_flags(mode="FAST_COMPILE", cxx=""):
        with models.coin_mixture(TOSSES, 1, likelihood="fused"):
            pymc.compute_log_likelihood(tree, progressbar=False)
            with pytest.warns(FutureWarning, match="InferenceData"):
                mode = pymc.find_MAP(progressbar=False, jitter=False)
        with models.coin_mixture(TOSSES, 1):
            rows = pymc.compute_log_likelihood(tree, extend_inferencedata=False, progressbar=False)
    assert mode["head_probabilities"] == pytest.approx([0.6], abs=1e-3)
    np.testing.assert_allclose(tree["log_likelihood"]["heads"], rows["heads"], rtol=SAME)
    assert np.isfinite(arviz.loo(tree).elpd)
