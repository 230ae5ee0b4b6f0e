"""Claims about rows that were counted 0 times: they are not there, for either engine or what judges them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import em
import models
from comparisons.families import third_density, third_reading
from models import CoinTosses, GaussianPrior, Measurements
from models.gaussians.covariances import Covariance
from models.inputs import Floats
from tests.declared import declare

Y = np.concatenate([np.linspace(-2, 2, 9), np.linspace(6, 10, 9)])[:, None]
PLANE = np.column_stack([Y, np.cos(Y)])


def with_one_more(y: Floats, value: float, label: int = -1) -> Measurements:
    """The rows, and one that was counted 0 times."""
    n = len(y)
    return Measurements(
        np.append(y, np.full((1, y.shape[1]), value), axis=0), np.repeat([1, 0], [n, 1]), np.repeat([-1, label], [n, 1])
    )


@pytest.mark.parametrize("value", [3.0, 1e9, 1e160, -1e300])
@pytest.mark.parametrize(("y", "covariance"), [(Y, "full"), (PLANE, "full"), (PLANE, "diagonal")])
def test_a_row_counted_0_times_decides_nothing(y: Floats, covariance: Covariance, value: float) -> None:
    rows, more = Measurements(y), with_one_more(y, value)
    prior, same = (GaussianPrior.weakly_informative(data, 2) for data in (rows, more))
    assert np.array_equal(prior.scale, same.scale)
    assert np.array_equal(prior.mean, same.mean)
    fit, again = (em.gaussian_mixture(data, covariance=covariance, prior=prior) for data in (rows, more))
    assert fit.log_posterior == again.log_posterior
    model, other = (models.gaussian_mixture(data, covariance=covariance) for data in (rows, more))
    for variable in model.data_vars:
        assert np.array_equal(variable.get_value(), other[variable.name].get_value())
    # Nor does it decide what judges both.
    problem, declared = (declare(data, covariance=covariance) for data in (rows, more))
    judged = (
        third_density.log_likelihood(problem, fit.parameters),
        third_density.log_prior(problem, fit.parameters),
        third_density.rounding(problem, fit.parameters),
    )
    assert judged == (
        third_density.log_likelihood(declared, fit.parameters),
        third_density.log_prior(declared, fit.parameters),
        third_density.rounding(declared, fit.parameters),
    )


@pytest.mark.parametrize(
    "data",
    [
        with_one_more(Y, 3.0, label=0),
        CoinTosses([1, 2, 8, 9, 5], 10, counts=[1, 1, 1, 1, 0], labels=[-1, -1, -1, -1, 1]),
    ],
    ids=["normals", "coins"],
)
def test_a_label_of_a_row_counted_0_times_tells_no_component_apart(data: Any) -> None:
    coins = isinstance(data, CoinTosses)
    fit: Any = em.coin_mixture(data) if coins else em.gaussian_mixture(data)
    assert fit._mixture.groups.tolist() == [0, 0]
    model = models.coin_mixture(data) if coins else models.gaussian_mixture(data)
    assert model["exchangeable"].get_value().tolist() == [0, 0]
    swapped = {"weights": np.full((1, 2), 0.5)} | (
        {"head_probabilities": np.array([[0.9, 0.1]])}
        if coins
        else {"means": np.array([[[8.0], [0.0]]]), "covariances": np.ones((1, 2, 1, 1))}
    )
    assert third_reading.in_order(declare(data), swapped).tolist() == [[1, 0]]


@pytest.mark.parametrize(
    "data",
    [
        CoinTosses([1, 2, 8], [4, 5, 9], counts=[2, 0, 1], labels=[-1, 0, 1]),
        Measurements([1.0, 2.0, 8.0], counts=[2, 0, 1], labels=[-1, 0, 1]),
    ],
    ids=["coins", "normals"],
)
def test_rows_that_were_seen_keep_their_counts_and_labels(data: CoinTosses | Measurements) -> None:
    seen = data.seen()
    assert seen.counts.tolist() == [2, 1]
    assert seen.labels.tolist() == [-1, 1]
    assert seen.n == data.n
    assert seen.seen() is seen
