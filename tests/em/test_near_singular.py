"""Features that nearly are combinations of others: the fit is that of the rows with the combination taken out."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest

import em
from models import GaussianParameters
from models.gaussians.covariances import Covariance
from models.inputs import Floats

NOISE = (1e-1, 1e-3, 1e-5)
MIXED = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 1.0, 1.0]])


def nearly_singular(noise: float) -> tuple[Floats, Floats]:
    """Rows (a, b, a + b + noise), and (a, b, noise / its size) of the very same numbers, differences taken to 60 digits."""
    random = np.random.default_rng(7)
    y = random.normal(size=(200, 2)) + 3 * random.integers(2, size=(200, 1))
    rows = np.column_stack([y, y.sum(axis=1) + noise * random.normal(size=200)])
    with mpmath.workdps(60):
        exact = [(mpmath.mpf(c) - mpmath.mpf(a) - mpmath.mpf(b)) / mpmath.mpf(noise) for a, b, c in rows]
    return rows, np.column_stack([y, np.array(exact, dtype=float)])


def digits(noise: float) -> float:
    """Rounding of features of size 1, over the size of what tells them apart."""
    return float(16 * np.finfo(float).eps / noise)


@pytest.mark.parametrize("covariance", ["full", "tied"])
@pytest.mark.parametrize("noise", NOISE)
def test_a_fit_of_nearly_singular_rows_is_that_of_white_ones(noise: float, covariance: Covariance) -> None:
    rows, apart = nearly_singular(noise)
    fit, known = (em.gaussian_mixture(y, 2, covariance) for y in (rows, apart))
    mixed = MIXED * [1, 1, noise]
    assert fit.status == known.status == "converged"
    assert fit.log_likelihood == pytest.approx(known.log_likelihood - 200 * np.log(noise), abs=200 * digits(noise))
    assert fit.parameters.means == pytest.approx(known.parameters.means @ mixed.T, rel=1e-7)
    back = np.linalg.inv(mixed)
    # The entries of a covariance are rounded each, and what tells features apart is the square of the noise.
    assert back @ fit.parameters.covariances @ back.T == pytest.approx(
        known.parameters.covariances, rel=1e-6, abs=digits(noise**2)
    )
    # Of the third feature's mean, a sum of three.
    places = [[known.standard_errors.names.index(f"means[{j}, {a}]") for a in (1, 2, 3)] for j in (1, 2)]
    errors = [np.sqrt(mixed[2] @ known.standard_errors.covariance[np.ix_(p, p)] @ mixed[2]) for p in places]
    assert fit.standard_errors.means[:, 2] == pytest.approx(errors, rel=1e-6)


@pytest.mark.parametrize("noise", NOISE)
def test_the_log_likelihood_of_nearly_singular_rows_to_sixty_digits(noise: float) -> None:
    rows, _ = nearly_singular(noise)
    fit = em.gaussian_mixture(rows, 2)
    with mpmath.workdps(60):
        exact = log_likelihood(rows, fit.parameters)
    # What is told is the objective at the maximum; the parameters are rounded, and away from it by the square of that.
    assert abs(fit.log_likelihood - exact) < 200 * (digits(noise) + digits(noise**2) ** 2)


def log_likelihood(rows: Floats, parameters: Any) -> Any:
    precise = [
        (mpmath.mpf(w), mpmath.matrix(m.tolist()), mpmath.matrix(s.tolist()))
        for w, m, s in zip(parameters.weights, parameters.means, parameters.covariances, strict=True)
    ]
    inverses = [(w, m, s**-1, mpmath.sqrt(mpmath.det(2 * mpmath.pi * s))) for w, m, s in precise]
    total = mpmath.mpf(0)
    for row in rows:
        y = mpmath.matrix(row.tolist())
        total += mpmath.log(sum(w * mpmath.exp(-((y - m).T * p * (y - m))[0] / 2) / root for w, m, p, root in inverses))
    return total


@pytest.mark.parametrize("acceleration", [None, "newton", "squarem", "anderson"])
@pytest.mark.parametrize("method", ["em", "bfgs"])
def test_a_copy_of_a_feature_with_little_noise_ends_no_method(method: Any, acceleration: Any) -> None:
    if method != "em" and acceleration is not None:
        return
    random = np.random.default_rng(3)
    a = np.concatenate([random.normal(size=80), random.normal(5, 1, size=80)])
    fit = em.gaussian_mixture(
        np.column_stack([a, 2 * a + 0.01 * random.normal(size=160)]), 2, method=method, acceleration=acceleration
    )
    assert fit.status == "converged"


def test_what_is_flat_or_rises_is_told_of_the_features_and_not_of_what_is_white() -> None:
    rows, _ = nearly_singular(1e-3)
    mean, covariance = rows.mean(axis=0), np.cov(rows.T)
    fit = em.gaussian_mixture(rows, 2, "tied", start=GaussianParameters([0.5, 0.5], [mean] * 2, [covariance] * 2))
    assert fit.status == "saddle"
    assert fit.standard_errors.reason is not None
    assert "means[1, 1]" in fit.standard_errors.reason
