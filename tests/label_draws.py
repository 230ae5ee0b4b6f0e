"""Draws whose labels are known: of random parameters, and of components that nothing confuses."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.testing import assert_array_equal
from scipy import stats

from comparisons.families.mixtures import MixtureProblem
from models import CoinParameters, CoinTosses, GaussianParameters, Measurements
from models.inputs import Floats
from tests.declared import declare
from tests.result_parts import tree


def draws_of(problem: MixtureProblem, n: int, random: np.random.Generator) -> Any:
    """Random parameters of a problem, as two chains of draws."""
    points = [problem.random_parameters(random) for _ in range(2 * n)]
    names = ["head_probabilities"] if isinstance(problem.data, CoinTosses) else ["means", "covariances"]
    if problem.weights.free:
        names.append("weights")
    arrays = {name: np.array([getattr(p, name) for p in points]) for name in names}
    return points, tree(
        {name: a.reshape(2, n, *a.shape[1:]) for name, a in arrays.items()},
        list("abc")[: problem.comparison.n_components],
    )


def by_bayes(problem: MixtureProblem, p: CoinParameters | GaussianParameters, row: int) -> Floats:
    """Membership probabilities of a row, from `scipy.stats`."""
    data, k = problem.data, problem.comparison.n_components
    if data.labels[row] >= 0:
        return np.asarray(np.eye(k)[data.labels[row]])
    if isinstance(p, CoinParameters):
        assert isinstance(data, CoinTosses)
        density = stats.binom.pmf(data.heads[row], data.tosses[row], p.head_probabilities)
    else:
        assert isinstance(data, Measurements)
        density = np.array([stats.multivariate_normal.pdf(data.y[row], p.means[j], p.covariances[j]) for j in range(k)])
    return np.asarray(p.weights * density / (p.weights * density).sum())


def same_draws(one: Any, other: Any) -> None:
    for name in one["posterior"].data_vars:
        assert_array_equal(one["posterior"][name].values, other["posterior"][name].values)


def separated_coins(random: np.random.Generator) -> tuple[MixtureProblem, Any]:
    """Three coins that no bag of twenty tosses confuses, and draws near the truth."""
    z = np.arange(30) % 3
    problem = declare(CoinTosses(np.array([1, 10, 19])[z], 20), 3)
    p = np.clip(np.array([0.05, 0.5, 0.95]) + random.normal(scale=0.01, size=(2, 100, 3)), 0.001, 0.999)
    return problem, tree({"head_probabilities": p, "weights": random.dirichlet([50] * 3, size=(2, 100))}, list("abc"))


def separated_clusters(random: np.random.Generator) -> tuple[MixtureProblem, Any]:
    """Three clusters in the plane, twenty standard deviations apart."""
    centres = np.array([[-20.0, 5], [0, -20], [20, 0]])
    y = centres[np.arange(45) % 3] + random.normal(size=(45, 2))
    problem = declare(Measurements(y), 3)
    means = centres + random.normal(scale=0.3, size=(2, 100, 3, 2))
    covariances = np.eye(2) * random.gamma(20, 1 / 20, size=(2, 100, 3, 1, 1))
    weights = random.dirichlet([15] * 3, size=(2, 100))
    return problem, tree({"means": means, "covariances": covariances, "weights": weights}, list("abc"), ["x", "y"])
