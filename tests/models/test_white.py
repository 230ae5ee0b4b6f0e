"""PyMC's coordinates are those of white data: units and dependent features change a posterior there by a constant."""

from __future__ import annotations

import numpy as np
import pytest

import em
import models
from models import GaussianPrior
from models.gaussians.covariances import Covariance
from models.inputs import Floats


def rows() -> Floats:
    random = np.random.default_rng(5)
    return random.normal(size=(60, 2)) + 4.0 * (np.arange(60)[:, None] < 25)


@pytest.mark.parametrize(
    ("covariance", "map_of"),
    [
        ("full", [[1.0, 0.0], [2e2, 1e-1]]),  # the second feature is the first, and a 2000th part of its own
        ("tied", [[1e40, 0.0], [1e-30, 1e-33]]),
        ("diagonal", [[1e3, 0.0], [0.0, 1e-20]]),
        ("spherical", [[1e-9, 0.0], [0.0, 1e-9]]),
    ],
)
def test_a_posterior_in_white_coordinates_does_not_depend_on_units_or_dependence(
    covariance: Covariance, map_of: list[list[float]]
) -> None:
    y, turn = rows(), np.array(map_of)
    there = y @ turn.T + [3.0, -2.0] * np.diag(turn)
    densities = [models.LogPosterior(models.gaussian_mixture(data, 2, covariance)) for data in (y, there)]
    x = densities[0].spread_out_start(np.random.default_rng(1))
    moved = x.copy()
    if (
        "variances" in densities[0].names
    ):  # whose logarithms alone are shifted, by what a power of two leaves of the unit
        per_unit = [density.model["per_unit"].get_value() for density in densities]
        shift = 2 * np.log(np.diag(turn) * per_unit[1] / per_unit[0])
        assert np.abs(shift).max() <= 2 * np.log(2)
        moved += densities[1].start - densities[0].start
        assert np.unique((moved - x).round(9)) == pytest.approx(np.unique([0, *shift]), abs=1e-8)
    assert densities[1].spread_out_start(np.random.default_rng(1)) == pytest.approx(moved, abs=1e-6)
    one, other = densities[0].parts(x), densities[1].parts(moved)
    # The small difference of two features loses the digits of the square of 2000 in the covariance that whitens.
    assert sum(other) == pytest.approx(sum(one) - 60 * np.log(np.diag(turn)).sum(), abs=1e-6)
    assert other[0] == pytest.approx(one[0] - 60 * np.log(np.diag(turn)).sum(), abs=1e-6)


def test_every_start_finds_the_mode_of_a_feature_and_its_double() -> None:
    random = np.random.default_rng(3)
    a = np.concatenate([random.normal(size=80), random.normal(5, 1, size=80)])
    y = np.column_stack([a, 2 * a + 0.01 * random.normal(size=160)])
    found = models.find_map(models.gaussian_mixture(y, 2), starts=2)
    fit = em.gaussian_mixture(y, 2, prior=GaussianPrior.weakly_informative(y, 2))
    assert (found.kind, found.reached) == ("maximum", 2)
    assert found.log_posterior == pytest.approx(fit.log_posterior, abs=1e-6)
