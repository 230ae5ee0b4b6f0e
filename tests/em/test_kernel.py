"""One E-step, three ways to compute it: which one is taken shows in no digit."""

from __future__ import annotations

import tracemalloc
from dataclasses import fields
from typing import Any

import mpmath
import numpy as np
import pytest

from em.exponentials import WaitMixture
from em.gammas import GammaMixture
from em.gaussians.normal_rows import NormalRows
from em.gaussians.steps import m_step
from em.mixture import trusted
from em.poissons import PoissonMixture
from em.rows.compiled import compiled_sums
from em.uncertainty.curvature import missing_information
from models import (
    EventCounts,
    ExponentialParameters,
    GammaParameters,
    GaussianParameters,
    PoissonParameters,
    PositiveTimes,
    WaitingTimes,
)
from models.gaussians.covariances import CovarianceForm
from models.inputs import Floats
from models.mixtures import MixtureWeights


def rows_of(y: Floats, k: int, *, diagonal: bool = False) -> NormalRows:
    return NormalRows(y, np.ones(len(y), dtype=np.int64), np.full(len(y), -1), k, diagonal=diagonal)


def exact_log_likelihood(parameters: GaussianParameters, y: Floats) -> Any:
    """With 50 digits, by the definition."""
    with mpmath.workdps(50):
        total = mpmath.mpf(0)
        inverses = [mpmath.matrix(c.tolist()) ** -1 for c in parameters.covariances]
        determinants = [mpmath.det(mpmath.matrix(c.tolist())) for c in parameters.covariances]
        for row in y:
            terms = []
            for w, mean, inverse, determinant in zip(
                parameters.weights, parameters.means, inverses, determinants, strict=True
            ):
                z = mpmath.matrix([mpmath.mpf(float(a)) - mpmath.mpf(float(b)) for a, b in zip(row, mean, strict=True)])
                size = mpmath.sqrt((2 * mpmath.pi) ** len(row) * determinant)
                terms.append(mpmath.mpf(float(w)) * mpmath.exp(-(z.T * inverse * z)[0] / 2) / size)
            total += mpmath.log(mpmath.fsum(terms))
        return total


@pytest.mark.parametrize(("width", "away"), [(1.0, 0.0), (1e-3, 0.0), (1e-6, 0.0), (1e-6, 3.0), (1.0, 1e8)])
@pytest.mark.parametrize("d", [1, 2])
def test_tight_and_distant_components_keep_ten_digits(width: float, away: float, d: int) -> None:
    random = np.random.default_rng(d)
    centre = np.full(d, away)
    y = np.concatenate([random.normal(size=(20, d)), centre + width * random.normal(size=(10, d))])
    shape = np.eye(d) + 0.3 * (np.ones((d, d)) - np.eye(d))
    parameters = GaussianParameters([0.7, 0.3], [np.zeros(d), centre], [np.eye(d), width**2 * shape])
    found = rows_of(y, 2).statistics(parameters)
    assert found.log_likelihood == pytest.approx(float(exact_log_likelihood(parameters, y)), rel=1e-10)
    step = m_step(found, None, MixtureWeights.of("free", 2), CovarianceForm.of("full"))
    # The rows know of the tight component's width no more than their own rounding allows.
    rounding = np.spacing(np.abs(y).max()) / width
    assert np.sqrt(step.covariances[1, 0, 0]) / width == pytest.approx(
        np.std(y[20:, 0]) / width, rel=1e-6 + 10 * rounding
    ) or (away < 5 * width or width == 1.0 or away == 0.0)


@pytest.mark.parametrize(
    ("d", "k", "diagonal"), [(1, 3, False), (2, 5, False), (8, 4, False), (8, 4, True), (20, 3, False)]
)
@pytest.mark.parametrize("counted", [False, True])
def test_compiled_and_array_passes_agree_with_the_exact_one(d: int, k: int, diagonal: bool, counted: bool) -> None:
    random = np.random.default_rng(d)
    n = 1500  # no multiple of a block
    y = random.normal(size=(n, d)) + random.integers(3, size=(n, 1))
    counts = random.integers(1, 4, size=n) if counted else np.ones(n, dtype=np.int64)
    roots = np.eye(d) + 0.2 * random.normal(size=(k, d, d)) / np.sqrt(d)
    covariances = roots @ roots.swapaxes(1, 2)
    if diagonal:
        covariances = covariances * np.eye(d)
    parameters = GaussianParameters(random.dirichlet(np.full(k, 5.0)), y[:k], covariances)
    rows = NormalRows(y, counts, np.full(n, -1), k, diagonal=diagonal)
    arrays = rows.statistics(parameters)
    rows.compiled = True
    compiled = rows.statistics(parameters)
    differences = y[:, None, :] - parameters.means
    distances = np.einsum("nka,kab,nkb->nk", differences, np.linalg.inv(covariances), differences)
    joint = np.log(parameters.weights) - 0.5 * (distances + np.linalg.slogdet(2 * np.pi * covariances)[1])
    row = np.logaddexp.reduce(joint, axis=1)
    shares = np.exp(joint - row[:, None]) * counts[:, None]
    second = np.einsum("nk,nka,nkb->kab", shares, differences, differences)
    if diagonal:
        second = second * np.eye(d)
    for found in (arrays, compiled):
        assert found.log_likelihood == pytest.approx(float(row @ counts), rel=1e-12)
        np.testing.assert_allclose(found.rows, shares.sum(axis=0), rtol=1e-11)
        np.testing.assert_allclose(found.second, second, rtol=1e-11, atol=1e-11 * np.abs(second).max())


def test_a_row_that_is_impossible_to_rounding_still_belongs_somewhere() -> None:
    y = np.concatenate([np.zeros((700, 1)), [[1e4]]])
    rows = rows_of(y, 2)
    parameters = GaussianParameters([0.5, 0.5], [-1.0, 1.0], [1.0, 1.0])
    for rows.compiled in (False, True):
        found = rows.statistics(parameters)
        assert np.isfinite(found.log_likelihood)
        assert found.rows.sum() == pytest.approx(701, rel=1e-13)


def problem(n: int, d: int, k: int) -> tuple[Floats, Floats]:
    """Natural parameters ``(k, F)`` of normals with identity covariances, and columns ``(d, n)``."""
    random = np.random.default_rng(n)
    means, columns = random.normal(size=(k, d)), random.normal(size=(d, n))
    squares = np.where(np.equal(*np.tril_indices(d)), -0.5, 0.0)
    at_origin = -0.5 * (means * means).sum(axis=1, keepdims=True)
    return np.concatenate([at_origin, means, np.tile(squares, (k, 1))], axis=1), columns


def test_the_number_of_threads_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    theta, columns = problem(60_001, 8, 8)
    found = []
    for threads in ("1", "2", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        found.append(compiled_sums(theta, columns, np.zeros(0), np.tril_indices(8)))
    for other in found[1:]:
        np.testing.assert_array_equal(other[0], found[0][0])
        assert other[1:] == found[0][1:]


def test_a_pass_needs_no_memory_of_the_size_of_the_data() -> None:
    theta, columns = problem(400_000, 8, 8)  # 26 MB, and as much again for responsibilities if there were any
    compiled_sums(theta, columns[:, :1000].copy(), np.zeros(0), np.tril_indices(8))
    tracemalloc.start()
    compiled_sums(theta, columns, np.zeros(0), np.tril_indices(8))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10e6


def test_the_exponential_is_that_of_the_library_to_rounding() -> None:
    from numba import njit

    from models.compiled.lanes import LEAST_EXPONENT, exponential, load, store

    @njit  # type: ignore[untyped-decorator]
    def apply(x: Any, out: Any) -> None:
        for at in range(0, x.size, 8):
            store(out, at, exponential(load(x, at, 8)))

    x = -np.concatenate([np.geomspace(1e-20, -LEAST_EXPONENT, 99_999), [0.0], np.linspace(0, 699.9, 100_000)])
    found = np.empty_like(x)
    apply(x, found)
    # Half a unit in the last place of the last sum, one of the polynomial's, and what is left of log(2)'s two parts.
    inside = x > LEAST_EXPONENT
    np.testing.assert_allclose(found[inside], np.exp(x[inside]), rtol=2 * np.finfo(float).eps, atol=0)
    assert (found[~inside] == 0).all()


def of_family(family: str, *, cut: bool = False) -> tuple[Any, Any]:
    """A mixture of 1500 rows, some counted several times and some labelled, and parameters of it."""
    random = np.random.default_rng(3)
    first, counts = random.random(1500) < 0.4, random.integers(1, 4, 1500)
    labels = np.where(random.random(1500) < 0.2, random.integers(2, size=1500), -1)
    waits, limits = (
        random.exponential(np.where(first, 1, 5)),
        random.uniform(0, 20, 1500) if cut else np.full(1500, np.inf),
    )
    rest, free = (counts, labels), MixtureWeights.of("free", 2)
    if family == "poissons":
        exposed = EventCounts(random.poisson(np.where(first, 3, 8)), random.uniform(0.5, 2, 1500), *rest)
        return PoissonMixture(exposed, free, None), PoissonParameters([0.3, 0.7], [2.0, 9.0])
    seen = np.minimum(waits, limits), waits > limits
    if family == "exponentials":
        return WaitMixture(WaitingTimes(*seen, *rest), free, None), ExponentialParameters([0.3, 0.7], [0.2, 0.9])
    return GammaMixture(PositiveTimes(*seen, *rest), free, None), GammaParameters([0.3, 0.7], [2.0, 0.8], [2.0, 0.1])


@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize("family", ["poissons", "exponentials", "gammas"])
def test_a_compiled_pass_over_any_exponential_family_agrees(
    family: str, cut: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays, parameters = of_family(family, cut=cut)
    assert arrays.compiled is None
    monkeypatch.setattr("em.exponential.available", lambda n: True)
    compiled, _ = of_family(family, cut=cut)
    assert compiled.compiled is not None
    empty = trusted(type(parameters), **vars_of(parameters) | {"weights": np.array([0.0, 1.0])})
    for each in (parameters, empty):
        one, other = arrays.e_step(each), compiled.e_step(each)
        assert other.log_likelihood == pytest.approx(one.log_likelihood, rel=1e-13)
        np.testing.assert_allclose(other.rows, one.rows, rtol=1e-12)
        np.testing.assert_allclose(arrays.sums(other), arrays.sums(one), rtol=1e-12)


def vars_of(parameters: Any) -> dict[str, Any]:
    return {each.name: getattr(parameters, each.name) for each in fields(parameters)}


@pytest.mark.parametrize("family", ["poissons", "exponentials", "gammas"])
def test_missing_information_by_features_is_that_of_the_rows(family: str) -> None:
    mixture, parameters = of_family(family)
    assert mixture.only_components
    by_rows = missing_information(mixture, parameters)[0]
    np.testing.assert_allclose(mixture.missing(parameters), by_rows, rtol=1e-9, atol=1e-10 * np.abs(by_rows).max())
    assert family == "poissons" or not of_family(family, cut=True)[0].only_components
