"""Claims that hold of every mixture, whatever its family: one table of random problems serves both."""

from __future__ import annotations

import itertools
import multiprocessing
import operator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import em
import em.coins.steps
import em.gaussians.steps
from em.ascent.climb import climb
from em.ascent.direct import maximise
from em.coins.mixture import CoinMixture
from em.gaussians.mixture import GaussianMixture
from em.mixture import Mixture, responsibilities
from em.search.starts import starts
from em.uncertainty.curvature import curvature, derivatives
from models import (
    CoinParameters,
    CoinPrior,
    CoinTosses,
    ExponentialPrior,
    GaussianParameters,
    GaussianPrior,
    Measurements,
    WaitingTimes,
)
from models.gaussians.covariances import CovarianceForm
from models.inputs import Floats
from models.mixtures import MixtureWeights, canonical_permutation, exchangeable_groups
from tests.differences import slope
from tests.problems import COVARIANCES, Problem, coin_problem, gaussian_problem, problems
from tests.slow_densities import coin_log_likelihood, coin_log_prior, gaussian_log_likelihood, gaussian_log_prior

FEW = list(problems(seed=1, number=48))
each_problem = pytest.mark.parametrize("problem", FEW, ids=range(len(FEW)))


def objective(mixture: Mixture[Any, Any], parameters: Any) -> float:
    return float(mixture.e_step(parameters).log_likelihood + mixture.log_prior(parameters))


def slow_objective(problem: Problem, parameters: Any) -> float:
    mixture: Any = problem.mixture
    if isinstance(mixture, CoinMixture):
        prior = 0.0 if mixture.prior is None else coin_log_prior(parameters, mixture.prior, mixture.weights)
        return coin_log_likelihood(parameters, problem.data) + prior
    prior = 0.0
    if mixture.prior is not None:
        prior = gaussian_log_prior(parameters, mixture.prior, mixture.weights, mixture.form)
    return gaussian_log_likelihood(parameters, problem.data) + prior


def test_em_never_lowers_its_objective() -> None:
    for number, problem in enumerate(problems(seed=0, number=1000)):
        parameters = problem.start
        before = objective(problem.mixture, parameters)
        for step in range(8):
            parameters = problem.mixture.m_step(problem.mixture.e_step(parameters))
            if not problem.mixture.exists(problem.mixture.to_vector(parameters)):
                break  # collapsed onto a row
            after = objective(problem.mixture, parameters)
            assert after >= before - 1e-10 * max(1.0, abs(before)), f"problem {number}, step {step}"
            before = after


def test_a_step_that_lowers_the_objective_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = coin_problem(np.random.default_rng(3), n=20, k=2)

    def broken(self: Any, statistics: Any) -> CoinParameters:
        return CoinParameters([0.5, 0.5], np.clip(statistics.heads / statistics.tosses + 0.2, 0, 1))

    monkeypatch.setattr(CoinMixture, "m_step", broken)
    with pytest.raises(em.ObjectiveDecreased, match=r"step \d+ lowered the objective from -\d+"):
        climb(problem.mixture, problem.start)


@each_problem
def test_objective_is_the_density_that_was_declared(problem: Problem) -> None:
    # Both sum the same numbers in another order: rounding of each term.
    assert objective(problem.mixture, problem.start) == pytest.approx(slow_objective(problem, problem.start), rel=1e-12)


@each_problem
def test_gradient_and_hessian_are_those_of_the_density(problem: Problem) -> None:
    mixture = problem.mixture
    basis, vector = mixture.basis, mixture.to_vector(problem.start)
    gradient, hessian, complete = derivatives(mixture, problem.start)
    # In units of complete-data standard errors every derivative is of order 1 or sqrt(n).
    steps = basis @ np.linalg.inv(np.linalg.cholesky(basis.T @ complete @ basis)).T

    def objective_at(x: Floats) -> float:
        return slow_objective(problem, mixture.from_vector(vector + steps @ x))

    def gradient_at(x: Floats) -> Floats:
        return steps.T @ derivatives(mixture, mixture.from_vector(vector + steps @ x))[0]

    slopes, curves = zip(*((slope(objective_at, u), slope(gradient_at, u)) for u in np.eye(len(steps.T))), strict=True)
    np.testing.assert_allclose(steps.T @ gradient, slopes, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(steps.T @ hessian @ steps, curves, rtol=1e-6, atol=1e-6)


@each_problem
def test_statistics_add_over_chunks(problem: Problem) -> None:
    data, mixture = problem.data, problem.mixture
    whole = mixture.e_step(problem.start)
    parts = [chunk(data, slice(None, None, 3)), chunk(data, slice(1, None, 3)), chunk(data, slice(2, None, 3))]
    # A chunk may be constant in a feature, so the E-step is asked directly, not a mixture of that chunk.
    step: Any = em.coins.steps.e_step if isinstance(mixture, CoinMixture) else em.gaussians.steps.e_step
    first, second, third = (step(problem.start, part) for part in parts)
    added = first + second + third
    for name in whole.__slots__:
        expected, sums = np.asarray(getattr(whole, name)), np.asarray(getattr(added, name))
        if name == "second":  # a mixture keeps of it what its covariances have entries for
            form: CovarianceForm = mixture.form  # type: ignore[attr-defined]
            shape = np.ones(sums.shape[1:]) if form.shape == "full" else np.eye(sums.shape[-1])
            expected, sums = expected * shape, sums * shape
        size = max(np.abs(expected).max(), 1.0)
        np.testing.assert_allclose(sums, expected, rtol=1e-12, atol=1e-12 * size)


def chunk(data: Any, rows: slice) -> Any:
    if isinstance(data, CoinTosses):
        return CoinTosses(data.heads[rows], data.tosses[rows], data.counts[rows], data.labels[rows])
    return Measurements(data.y[rows], data.counts[rows], data.labels[rows])


@each_problem
def test_counts_are_repeated_rows(problem: Problem) -> None:
    data = problem.data
    times = np.repeat(np.arange(len(data.counts)), data.counts)
    if isinstance(data, CoinTosses):
        repeated: Any = CoinTosses(data.heads[times], data.tosses[times], labels=data.labels[times])
    else:
        repeated = Measurements(data.y[times], labels=data.labels[times])
    assert repeated.n == data.n
    other = problem.with_data(repeated)
    np.testing.assert_array_equal(other.counts, problem.mixture.counts)
    assert objective(other, problem.start) == objective(problem.mixture, problem.start)


@each_problem
def test_permuting_components_and_their_labels_permutes_the_step(problem: Problem) -> None:
    mixture: Any = problem.mixture
    k = mixture.n_components
    order = np.random.default_rng(5).permutation(k)
    data, fixed = problem.data, mixture.weights.fixed
    labels = np.where(data.labels < 0, -1, np.argsort(order)[data.labels])
    other_weights = MixtureWeights(k, None if fixed is None else fixed[order])
    if isinstance(data, CoinTosses):
        other: Any = CoinMixture(CoinTosses(data.heads, data.tosses, data.counts, labels), other_weights, mixture.prior)
    else:
        other = GaussianMixture(
            Measurements(data.y, data.counts, labels), other_weights, mixture.form, mixture.prior, standardise=False
        )
    one = mixture.to_vector(mixture.m_step(mixture.e_step(problem.start)).permuted(order))
    two = other.to_vector(other.m_step(other.e_step(problem.start.permuted(order))))
    np.testing.assert_allclose(two, one, rtol=1e-10, atol=1e-12)


@each_problem
def test_full_vector_and_coordinates_lead_back_to_the_parameters(problem: Problem) -> None:
    mixture = problem.mixture
    vector = mixture.to_vector(problem.start)
    np.testing.assert_array_equal(mixture.to_vector(mixture.from_vector(vector)), vector)
    assert len(vector) == len(mixture.basis) == len(mixture.names())
    for unbounded in (False, True):
        x = mixture.coordinates(problem.start, unbounded=unbounded)
        assert len(x) == len(mixture.basis.T)
        back, jacobian = mixture.from_coordinates(x, unbounded=unbounded)
        np.testing.assert_allclose(back, vector, rtol=1e-10, atol=1e-12)
        size = 1e-6 * np.maximum(np.abs(x), 1.0)
        numeric = [
            (
                mixture.from_coordinates(x + h * unit, unbounded=unbounded)[0]
                - mixture.from_coordinates(x - h * unit, unbounded=unbounded)[0]
            )
            / (2 * h)
            for h, unit in zip(size, np.eye(len(x)), strict=True)
        ]
        expected = np.array(numeric).T.reshape(jacobian.shape)
        np.testing.assert_allclose(jacobian, expected, rtol=1e-6, atol=1e-6 * max(np.abs(expected).max(initial=0), 1))


@each_problem
def test_responsibilities_of_each_row_sum_to_one_and_respect_labels(problem: Problem) -> None:
    labels = problem.data.labels
    published = problem.mixture.published(problem.start)
    k = problem.mixture.n_components
    shares = problem.mixture.of_rows(problem.data, published, lambda *joint: responsibilities(*joint)[0], k)
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-12)
    known = np.flatnonzero(labels >= 0)
    np.testing.assert_array_equal(shares[known, labels[known]], 1)


@pytest.mark.parametrize("acceleration", [None, "squarem"])
def test_the_last_entry_of_the_trace_belongs_to_the_parameters_returned(acceleration: Any) -> None:
    random = np.random.default_rng(8)
    coins = em.coin_mixture(coin_problem(random, 20, 2).data, 2, acceleration=acceleration)
    y = gaussian_problem(random, 40, 2, 2, "full").data.y
    prior = GaussianPrior.weakly_informative(y, 2)
    normals = em.gaussian_mixture(y, 2, prior=prior, acceleration=acceleration)
    for fit in (coins, normals):
        assert len(fit.trace) == len(fit.path) == fit.iterations + 1
        assert fit.trace[-1] == pytest.approx(fit.log_posterior or fit.log_likelihood, rel=1e-12)
        for name in fit.parameters.__slots__:
            np.testing.assert_array_equal(getattr(fit.path[-1], name), getattr(fit.parameters, name))


@pytest.mark.parametrize("seed", range(4))
def test_acceleration_and_direct_maximisation_reach_the_optimum_of_em(seed: int) -> None:
    random = np.random.default_rng(seed)
    for problem in (coin_problem(random, 30, 2), gaussian_problem(random, 60, 2, 2, COVARIANCES[seed])):
        plain = climb(problem.mixture, problem.start)
        end = problem.mixture.from_vector(plain.points[-1])
        near = problem.mixture.from_vector(0.9 * plain.points[-1] + 0.1 * plain.points[0])
        assert curvature(problem.mixture, end).kind in ("maximum", "boundary")
        for other in (climb(problem.mixture, near, "squarem"), maximise(problem.mixture, near, "bfgs")):
            # BFGS stops where its line search gains nothing more: at the rounding of the objective, squared distance.
            assert other.trace[-1] == pytest.approx(plain.trace[-1], rel=1e-9)


def test_the_first_point_of_a_path_is_the_start_and_each_next_one_plain_step() -> None:
    problem = coin_problem(np.random.default_rng(2), 20, 2)
    fit = em.coin_mixture(problem.data, 2, start=problem.start)
    weights = MixtureWeights.of("free", 2)
    for before, after in itertools.pairwise(fit.path[:5]):
        step = em.coins.steps.m_step(em.coins.steps.e_step(before, problem.data), None, weights)
        np.testing.assert_allclose(after.head_probabilities, step.head_probabilities, rtol=1e-13)
        np.testing.assert_allclose(after.weights, step.weights, rtol=1e-13)
    np.testing.assert_array_equal(fit.path[0].head_probabilities, problem.start.head_probabilities)


def test_the_first_start_cuts_the_rows_into_equal_parts_in_order() -> None:
    tosses = CoinTosses([0, 1, 2, 8, 9, 10], 10)
    coins = CoinMixture(tosses, MixtureWeights.of("free", 2), None)
    first = coins.from_vector(starts(coins, np.random.default_rng(0)))
    # Three bags each, with one more head, one more tail and one more bag of a start.
    np.testing.assert_allclose(first.head_probabilities[0], [4 / 32, 28 / 32])
    y = np.column_stack([np.tile([0.0, 0.1], 4), [1, 2, 3, 4, 11, 12, 13, 14]])
    normals = GaussianMixture(Measurements(y), MixtureWeights.of("free", 2), CovarianceForm.of("full"), None)
    by_feature = normals.published(normals.from_vector(starts(normals, np.random.default_rng(0)))).means[1]
    np.testing.assert_allclose(by_feature[:, 1], [2.5, 12.5], rtol=1e-2)


def test_fits_and_everything_in_them_can_be_sent_to_another_process() -> None:
    tosses = CoinTosses([5, 9, 8, 4, 7], 10, labels=[1, -1, -1, -1, -1])
    y = np.random.default_rng(0).normal(size=(30, 2))
    prior = GaussianPrior.weakly_informative(y, 1)
    sent: Any = [
        (em.coin_mixture(tosses, 2, prior=CoinPrior(2, 2, 2)), tosses),
        (em.gaussian_mixture(y, 1, prior=prior), Measurements(y)),
    ]
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        came_back = pool.submit(operator.itemgetter(0), (sent,)).result()
        prior_back = pool.submit(operator.itemgetter(0), (prior,)).result()
    for (fit, data), (back, data_back) in zip(sent, came_back, strict=True):
        assert back is not fit
        assert repr(back) == repr(fit)
        np.testing.assert_array_equal(back.responsibilities(data_back), fit.responsibilities(data))
        assert len(back.path) == len(fit.path)
    assert repr(prior_back) == repr(prior)


def test_values_cannot_be_changed() -> None:
    tosses = CoinTosses([5, 9], 10)
    fit = em.coin_mixture(tosses, 2)
    arrays = [tosses.heads, tosses.counts, fit.parameters.weights, fit.trace, fit.path[0].head_probabilities]
    arrays += [Measurements([1.0, 2.0]).y, GaussianParameters([1.0], [0.0], [1.0]).covariances]
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    with pytest.raises(AttributeError):
        fit.status = "saddle"  # type: ignore[misc]
    given = np.array([5, 9])
    assert CoinTosses(given, 10).heads is not given
    assert replace(CoinPrior(), heads=2.0).heads == 2.0


def test_canonical_order_permutes_within_exchangeable_components_only() -> None:
    free = MixtureWeights.of("free", 4)
    assert exchangeable_groups(free, np.array([-1, 2])).tolist() == [0, 0, 2, 0]
    held = MixtureWeights.of([0.2, 0.3, 0.2, 0.3], 4)
    assert exchangeable_groups(held, np.array([-1])).tolist() == [0, 1, 0, 1]
    keys = np.array([[4.0, 0], [3.0, 0], [2.0, 0], [1.0, 0]])
    assert canonical_permutation(keys, exchangeable_groups(held, np.array([-1]))).tolist() == [2, 3, 0, 1]
    assert canonical_permutation(keys, exchangeable_groups(free, np.array([2]))).tolist() == [3, 1, 2, 0]
    ties = np.array([[1.0, 0.7], [1.0, 0.3], [0.5, 0.0]])
    assert canonical_permutation(np.stack([ties, ties[::-1]]), np.zeros(3, int)).tolist() == [[2, 1, 0], [0, 1, 2]]


def emptied(problem: Problem) -> Any:
    """The start with all weight on the first component, where the objective exists there; else None."""
    mixture: Any = problem.mixture
    weights = problem.start.weights
    if mixture.weights.fixed is not None or len(weights) == 1 or (mixture.labels >= 0).any():
        return None
    empty = replace(problem.start, weights=np.eye(len(weights))[0])
    return empty if np.isfinite(objective(problem.mixture, empty)) else None


EMPTY = [(problem, point) for problem in FEW for point in [emptied(problem)] if point is not None]


@pytest.mark.parametrize(("problem", "point"), EMPTY, ids=range(len(EMPTY)))
def test_rounding_is_a_number_where_a_component_is_empty(problem: Problem, point: Any) -> None:
    size = problem.mixture.rounding(point, problem.mixture.e_step(point))
    assert 0 < size < 1e-10 * abs(objective(problem.mixture, point))


def test_a_step_leaves_a_bound_where_the_prior_has_no_density() -> None:
    tosses = CoinTosses([0, 0, 0, 7, 8], 10)
    waits = WaitingTimes([1, 2, 3, 0.5, 50, 60], censored=[0, 0, 0, 0, 1, 1])
    for fit in (
        em.coin_mixture(tosses, 2, prior=CoinPrior(2, 2, 2), start=CoinParameters([0.6, 0.4], [0, 0.75])),
        em.exponential_mixture(
            waits, 2, prior=ExponentialPrior(2, 2, 2), start=em.exponential_mixture(waits, 2).parameters
        ),
    ):
        assert fit.trace[0] == -np.inf
        assert np.isfinite(fit.trace[1:]).all()
        assert fit.status == "converged"
