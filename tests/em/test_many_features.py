"""Many features: which forms are defined on which data, and that nothing of the size of all pairs of covariances is made."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

import em
from models import GaussianPrior
from models.gaussians.covariances import Covariance
from models.inputs import Floats
from tests.problems import COVARIANCES

FREE: tuple[Covariance, ...] = ("full", "tied")
SCALED: tuple[Covariance, ...] = ("diagonal", "spherical", "tied-diagonal", "tied-spherical")


def prior_for(d: int) -> GaussianPrior:
    return GaussianPrior(np.zeros(d), 0.1, d + 4.0, (d + 4.0) * np.eye(d), 2.0)


def two_groups(n: int, d: int) -> Floats:
    random = np.random.default_rng(d)
    return random.normal(size=(n, d)) + 3.0 * (np.arange(n)[:, None] < n // 2)


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_one_normal_in_many_features_takes_the_memory_of_few_covariances(covariance: Covariance) -> None:
    n, d = 400, 300
    y = two_groups(n, d)
    tracemalloc.start()
    fit = em.gaussian_mixture(y, 1, covariance)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The features of all rows and their products are the largest of what is needed; all pairs of entries would take 16 GB.
    assert peak < 8 * 8 * n * d * d / 2
    spread = np.cov(y.T, bias=True)
    variances = np.diag(spread)
    expected = {"full": spread, "diagonal": np.diag(variances), "spherical": np.eye(d) * variances.mean()}
    shape = covariance.removeprefix("tied").removeprefix("-") or "full"
    assert fit.parameters.covariances[0] == pytest.approx(expected[shape], rel=1e-9, abs=1e-12)
    assert fit.standard_errors.reason is not None


@pytest.mark.parametrize("covariance", ["diagonal", pytest.param("tied-spherical", marks=pytest.mark.long)])
def test_two_groups_in_three_hundred_features_are_found(covariance: Covariance) -> None:
    y = two_groups(400, 300)
    y[:200] -= 2.0  # one sd apart in every feature
    fit = em.gaussian_mixture(y, 2, covariance)
    assert fit.status == "converged"
    assert fit.parameters.weights == pytest.approx([0.5, 0.5], abs=1e-12)


@pytest.mark.parametrize("covariance", SCALED)
def test_forms_without_covariances_need_no_more_rows_than_features(covariance: Covariance) -> None:
    y = two_groups(10, 20)
    fit = em.gaussian_mixture(y, 2, covariance)
    assert fit.parameters.means[0] == pytest.approx(y[5:].mean(axis=0), abs=1e-6)
    assert fit.status == "converged"


@pytest.mark.parametrize("covariance", COVARIANCES)
@pytest.mark.parametrize("labelled", [False, True])
def test_a_proper_prior_makes_any_data_do(covariance: Covariance, labelled: bool) -> None:
    y = two_groups(40, 3)
    y[:, 1] = 7.0
    few = two_groups(10, 20)
    twice = np.column_stack([y[:, 0], 2 * y[:, 0], y[:, 2]])
    for rows in (y, few, twice):
        labels = np.where(np.arange(len(rows)) % 3 == 0, np.arange(len(rows)) >= len(rows) // 2, -1)
        options: dict[str, Any] = {"labels": labels, "counts": np.full(len(rows), 2)} if labelled else {}
        fit = em.gaussian_mixture(rows, 2, covariance, prior=prior_for(rows.shape[1]), **options)
        assert fit.status == "converged"
        assert fit.log_posterior is not None
        assert np.isfinite(fit.log_posterior)


@pytest.mark.parametrize("covariance", FREE)
def test_free_covariances_without_prior_are_refused_where_they_have_no_maximum(covariance: Covariance) -> None:
    with pytest.raises(
        ValueError, match="10 rows and 20 columns; a covariance needs more rows than columns, or a prior"
    ):
        em.gaussian_mixture(two_groups(10, 20), 2, covariance)
    y = two_groups(40, 3)
    with pytest.raises(ValueError, match="columns '1', '2' of y are collinear"):
        em.gaussian_mixture(np.column_stack([y[:, 0], 2 * y[:, 0], y[:, 2]]), 2, covariance)


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_a_constant_column_is_refused_by_name_where_it_has_no_maximum(covariance: Covariance) -> None:
    y = two_groups(40, 3)
    y[:, 1] = 7.0
    if "spherical" in covariance:  # its variance is that of the others too
        assert em.gaussian_mixture(y, 2, covariance).parameters.means[:, 1] == pytest.approx([7, 7], rel=1e-12)
        y[:] = 7.0
    with pytest.raises(ValueError, match=f"column '{1 if 'spherical' in covariance else 2}' of y is constant"):
        em.gaussian_mixture(y, 2, covariance)


@pytest.mark.parametrize("covariance", COVARIANCES)
@pytest.mark.parametrize("scale", [1e-150, 1e-100, 1e100, 1e150])
def test_any_unit_whose_square_a_double_holds_gives_the_same_fit(covariance: Covariance, scale: float) -> None:
    y = two_groups(40, 2)
    one, other = em.gaussian_mixture(y, 2, covariance), em.gaussian_mixture(y * scale, 2, covariance)
    assert other.parameters.standard_deviations / scale == pytest.approx(one.parameters.standard_deviations, rel=1e-9)
    assert other.standard_errors.means / scale == pytest.approx(one.standard_errors.means, rel=1e-9)
    assert other.standard_errors.standard_deviations / scale == pytest.approx(
        one.standard_errors.standard_deviations, rel=1e-9
    )


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e160, 1e300])
def test_a_unit_whose_square_no_double_holds_is_refused_with_what_to_do(scale: float) -> None:
    for y in (two_groups(40, 2), two_groups(40, 1)):
        with pytest.raises(
            ValueError, match=r"beyond double precision; give it in another unit: divide it by 1e-?\d+"
        ) as refused:
            em.gaussian_mixture(y * scale, 2)
        assert len(str(refused.value)) < 3 * 100
