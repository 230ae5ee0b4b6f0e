"""Claims about draws of the PyMC models: of the prior and of data, and put into canonical order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import digamma

import models
from models import CoinPrior, CoinTosses, GaussianPrior, Measurements
from models.inputs import Floats
from models.mixture_distribution import take_components
from tests.declared import Case, compiled, declare, given


def drawn(problem: Any, names: list[str], draws: int = 4000) -> list[Floats]:
    """Independent draws from prior and data model."""
    import pymc as pm
    import pytensor
    from pytensor.compile.mode import Mode
    from pytensor.link.vm import VMLinker

    model = problem.model()
    mode = Mode(VMLinker(use_cloop=False, c_thunks=False), "fast_compile")
    with pytensor.config.change_flags(cxx=""):
        return list(pm.draw([model[name] for name in names], draws=draws, random_seed=11, mode=mode))


def assert_mean(sample: Floats, expected: Any) -> None:
    """The mean of independent draws is the expected one within 5 Monte Carlo standard errors."""
    error = sample.std(axis=0) / np.sqrt(len(sample))
    assert (np.abs(sample.mean(axis=0) - expected) <= 5 * error + 1e-12).all()


@pytest.mark.parametrize("covariance", ["full", "tied", "diagonal", "spherical"])
def test_draws_of_normal_mixtures_follow_the_prior(covariance: Any) -> None:
    scale = np.array([[2.0, 0.6], [0.6, 1.0]])
    prior = GaussianPrior([1.0, -1.0], shrinkage=0.5, degrees_of_freedom=14.0, scale=scale, concentration=2.0)
    rows = np.random.default_rng(0).normal(size=(3, 2))
    problem = declare(Measurements(rows, labels=[-1, 0, 1]), 2, "free", covariance, prior)
    weights, means, covariances, y = drawn(problem, ["weights", "means", "covariances", "y"])
    assert_mean(weights, [0.5, 0.5])
    assert_mean(weights**2, 0.5 * 3 / 5)  # Beta(2, 2)
    # Bartlett: the mean of an inverse-Wishart is scale / (nu - d - 1), of an inverse-gamma scale / (nu - 2).
    expected = {"diagonal": np.diag(np.diag(scale)) / 12, "spherical": 1.5 * np.eye(2) / 12}.get(covariance, scale / 11)
    assert_mean(covariances, expected)
    if expected[0, 1]:
        log_determinant = np.log(np.linalg.det(scale / 2)) - digamma([7.0, 6.5]).sum()
        assert_mean(np.linalg.slogdet(covariances)[1], log_determinant)
    if covariance == "tied":
        np.testing.assert_array_equal(covariances[:, 0], covariances[:, 1])
    roots = np.linalg.inv(np.linalg.cholesky(covariances))
    z = np.sqrt(0.5) * np.einsum("nkab,nkb->nka", roots, means - prior.mean)
    assert_mean(z, 0.0)
    assert_mean(z[..., :, None] * z[..., None, :], np.eye(2))
    # Rows come sorted by label; the first is drawn from the mixture, the others from the component they belong to.
    assert problem.data.labels.tolist() == [-1, 0, 1]
    own = np.einsum("nkab,nkb->nka", roots, y[:, 1:] - means)
    assert_mean(own, 0.0)
    assert_mean(own[..., :, None] * own[..., None, :], np.eye(2))
    centre = np.einsum("nk,nka->na", weights, means)
    about = means - centre[:, None]
    spread = np.einsum("nk,nkab->nab", weights, covariances + about[..., :, None] * about[..., None, :])
    mixed = np.einsum("nab,nb->na", np.linalg.inv(np.linalg.cholesky(spread)), y[:, 0] - centre)
    assert_mean(mixed, 0.0)
    assert_mean(mixed[..., :, None] * mixed[..., None, :], np.eye(2))


def test_draws_of_coin_mixtures_follow_the_prior() -> None:
    problem = declare(CoinTosses([3, 5, 5], [10, 10, 8], labels=[-1, 0, 1]), 2, [0.3, 0.7], prior=CoinPrior(3.0, 2.0))
    p, heads = drawn(problem, ["head_probabilities", "heads"])
    assert_mean(p, 3 / 5)
    assert_mean(p**2, 3 * 4 / (5 * 6))
    np.testing.assert_array_equal(heads, np.rint(heads))
    assert_mean(heads[:, 1:] - p * [10, 8], 0.0)
    assert_mean((heads[:, 1:] - p * [10, 8]) ** 2 - [10, 8] * p * (1 - p), 0.0)
    chance = p @ [0.3, 0.7]
    variance = 10 * (p * (1 - p)) @ [0.3, 0.7] + 100 * ((p - chance[:, None]) ** 2) @ [0.3, 0.7]
    assert_mean(heads[:, 0] - 10 * chance, 0.0)
    assert_mean((heads[:, 0] - 10 * chance) ** 2 - variance, 0.0)


def test_components_are_taken_draw_by_draw() -> None:
    random = np.random.default_rng(12)
    parameters = random.normal(size=(4, 3, 2))
    component = random.integers(3, size=(4, 5))
    expected = np.array([parameters[i][component[i]] for i in range(4)])
    np.testing.assert_array_equal(take_components(parameters, component, core=1), expected)
    np.testing.assert_array_equal(take_components(parameters[:1], component[0], core=1), expected[0])


def tree(posterior: dict[str, Any], **constant_data: Any) -> Any:
    import arviz as az

    dims = {
        "weights": ["component"],
        "head_probabilities": ["component"],
        "means": ["component", "feature"],
        "covariances": ["component", "feature", "feature_2"],
        "variances": ["component"],
        "exchangeable": ["component"],
    }
    groups = {"posterior": posterior, **({"constant_data": constant_data} if constant_data else {})}
    return az.from_dict(groups, dims={name: d for name, d in dims.items() if name in {**posterior, **constant_data}})


def ordered_draws(*arguments: Any) -> dict[str, Floats]:
    posterior: Any = models.canonical_order(*arguments)["posterior"].to_dataset()
    return {name: variable.values for name, variable in posterior.data_vars.items()}


def test_canonical_order_permutes_all_of_a_component_together_and_nothing_else() -> None:
    random = np.random.default_rng(13)
    means = random.normal(size=(2, 50, 3, 2))
    draws = {
        "means": means,
        "weights": means[..., 0] + 10,
        "covariances": means[..., 0, None, None] * np.ones((2, 2)),
        "chance": random.normal(size=(2, 50)),
    }
    given_draws = tree(draws)
    ordered = ordered_draws(given_draws)
    rank = np.sort(means[..., 0], axis=-1)
    np.testing.assert_array_equal(ordered["means"][..., 0], rank)
    np.testing.assert_array_equal(ordered["weights"], rank + 10)
    np.testing.assert_array_equal(ordered["covariances"][..., 1, 0], rank)
    np.testing.assert_array_equal(ordered["chance"], draws["chance"])
    np.testing.assert_array_equal(given_draws["posterior"]["means"].values, means)


def test_canonical_order_compares_feature_by_feature_and_then_weights() -> None:
    means = np.array([[[[1.0, 5.0], [1.0, 4.0], [1.0, 4.0]]]])
    ordered = ordered_draws(tree({"means": means, "weights": np.array([[[0.2, 0.5, 0.3]]])}))
    np.testing.assert_array_equal(ordered["weights"], [[[0.3, 0.5, 0.2]]])


def test_means_of_a_family_of_ones_own_have_no_features() -> None:
    import arviz as az

    draws = {
        "means": np.array([[[3.0, 1.0, 2.0], [2.0, 2.0, 1.0]]]),
        "sds": np.array([[[0.3, 0.1, 0.2], [0.5, 0.4, 0.1]]]),
    }
    weights = np.array([[[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]]])
    dims = {name: ["component"] for name in ("means", "sds", "weights")}
    ordered = ordered_draws(az.from_dict({"posterior": draws | {"weights": weights}}, dims=dims))
    np.testing.assert_array_equal(ordered["means"], [[[1.0, 2.0, 3.0], [1.0, 2.0, 2.0]]])
    np.testing.assert_array_equal(ordered["sds"], [[[0.1, 0.2, 0.3], [0.1, 0.4, 0.5]]])


def test_canonical_order_leaves_components_that_are_told_apart_where_they_are() -> None:
    draws = {"head_probabilities": np.array([[[0.9, 0.8, 0.7, 0.1]]])}
    groups = np.array([0, 1, 1, 3])
    as_sampled = tree(draws, exchangeable=groups)  # where `pymc.sample` leaves it
    assert as_sampled["constant_data"]["exchangeable"].shape == (4,)
    for ordered in (ordered_draws(tree(draws), groups), ordered_draws(as_sampled)):
        np.testing.assert_array_equal(ordered["head_probabilities"], [[[0.9, 0.7, 0.8, 0.1]]])
    alike = ordered_draws(tree(draws))["head_probabilities"]
    np.testing.assert_array_equal(alike, [[[0.1, 0.7, 0.8, 0.9]]])


def test_canonical_order_does_not_change_the_log_density() -> None:
    case = Case(3, 3, "free", "spherical")
    problem = case.problem(14)
    density = given(problem, compiled(case))
    random = np.random.default_rng(15)
    points = [problem.to_pymc(problem.random_parameters(random)) for _ in range(10)]
    draws = {name: np.array([point[name] for point in points])[None] for name in density.names}
    ordered = ordered_draws(tree(draws))
    assert not np.array_equal(ordered["means"], draws["means"])
    for j, point in enumerate(points):
        there = {name: ordered[name][0, j] for name in density.names}
        expected = density.parts(density.unconstrained(point))[:2]
        # The Jacobian belongs to the coordinates of the sampler; the logarithms of a simplex single out its last weight.
        assert density.parts(density.unconstrained(there))[:2] == pytest.approx(expected, rel=1e-12)


def test_canonical_order_says_what_it_needs() -> None:
    with pytest.raises(ValueError, match="the posterior has the variables rate, but canonical order needs"):
        models.canonical_order(tree({"rate": np.zeros((1, 3))}))
