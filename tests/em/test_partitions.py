"""Starts where the rows are white: clusters that only a short side separates, and partitions that one covariance makes best."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest

import em
import em.search.starts
from benchmarks.hard_sets import hard_set_of_many_features
from benchmarks.search import SAME, true_value
from em.ascent.climb import climb
from em.gaussians.mixture import GaussianMixture
from em.search.partitions import CUTS, about_centres, line_partitions, telling_directions
from em.search.starts import shaken_starts
from models import Measurements
from models.gaussians.covariances import Covariance, CovarianceForm
from models.inputs import Floats
from models.mixtures import MixtureWeights


def parallel(seed: int, d: int, second: float = 0.5) -> tuple[Floats, Floats]:
    """Two long clusters 6 standard deviations apart along their short side, and the direction of that side."""
    random = np.random.default_rng(seed)
    y = random.normal(size=(150, d)) * np.append(np.full(d - 1, 10.0), 1.0)
    y[:, -1] += 6.0 * (random.random(150) < second)
    turn = np.linalg.qr(random.normal(size=(d, d)))[0]
    return y @ turn.T, turn[:, -1]


def mixture_of(y: Floats, covariance: Covariance = "full") -> GaussianMixture:
    return GaussianMixture(Measurements(y), MixtureWeights.of("free", 2), CovarianceForm.of(covariance), None)


@pytest.mark.parametrize("d", [3, 10])
@pytest.mark.parametrize(("second", "which"), [(0.5, 0), (0.08, 1)])
def test_the_kurtosis_shows_the_short_side(d: int, second: float, which: int) -> None:
    """Least for clusters of like size, greatest for a few rows aside."""
    y, side = parallel(d, d, second)
    mixture = mixture_of(y)
    white = mixture.white()
    assert white is not None
    np.testing.assert_allclose(np.cov(white.T), np.eye(d), atol=1e-10)
    found = telling_directions(white, mixture.counts.astype(float), np.random.default_rng(0))[which]
    # A direction of white rows is one of the rows themselves through the map that made them white.
    assert mixture.units.turn_back is not None
    along = found[0] @ mixture.total_inverse_root @ mixture.units.turn_back / mixture.units.unit
    assert abs(along @ side) / np.linalg.norm(along) > 0.97


@pytest.mark.parametrize("number", [4, 6, 8, 16, 24, pytest.param(28, marks=pytest.mark.long)])
def test_the_default_search_finds_what_the_true_clusters_lead_to(number: int) -> None:
    drawn = hard_set_of_many_features(number)
    fit = em.gaussian_mixture(drawn.y, drawn.k, drawn.covariance, acceleration="squarem")
    assert fit.status == "converged"
    assert fit.log_likelihood > true_value(drawn) - SAME


@pytest.mark.long
def test_an_optimum_a_few_rows_below_another_is_left_when_it_is_shaken() -> None:
    drawn = hard_set_of_many_features(105)
    fit = em.gaussian_mixture(drawn.y, drawn.k, drawn.covariance, acceleration="squarem")
    best, lower = [mode for mode in fit.modes if mode.regular][:2]
    mixture = fit._mixture
    starts = shaken_starts(mixture, [mixture.from_published(lower.parameters)], np.random.default_rng(0))
    ends = [climb(mixture, mixture.from_vector(start), "squarem").trace[-1] for start in starts]
    assert max(ends) + mixture.likelihood_offset == pytest.approx(best.log_likelihood, abs=SAME)


def test_rows_in_another_order_and_other_units_are_searched_alike() -> None:
    y, _ = parallel(1, 5)
    random = np.random.default_rng(2)
    fit = em.gaussian_mixture(y, acceleration="squarem")
    mixed = em.gaussian_mixture(y[random.permutation(len(y))], acceleration="squarem")
    assert mixed.log_likelihood == pytest.approx(fit.log_likelihood, rel=1e-12)
    scaled = em.gaussian_mixture(y * 1e5, acceleration="squarem")
    assert scaled.log_likelihood + y.size * np.log(1e5) == pytest.approx(fit.log_likelihood, rel=1e-11)


def test_the_best_partition_about_two_centres_is_that_of_all_partitions() -> None:
    random = np.random.default_rng(3)
    rows = random.normal(size=(12, 2)) + np.repeat([[0.0, 0.0], [2.0, 1.0]], 6, axis=0)

    def within(first: Any) -> float:
        sides = [rows[list(first)], np.delete(rows, list(first), axis=0)]
        return float(sum(((side - side.mean(axis=0)) ** 2).sum() for side in sides))

    best = min(within(first) for size in range(1, 7) for first in combinations(range(12), size))
    parts = about_centres(rows, np.ones(12), 2, random)[0]
    assert within(np.flatnonzero(parts == 0)) == pytest.approx(best, rel=1e-12)


def test_a_thorough_search_never_ends_below_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the further starts of a thorough search are: those of the default are among them."""
    made = em.search.starts.starts
    y, _ = parallel(5, 4)
    best = em.gaussian_mixture(y, acceleration="squarem")
    poor = best.modes[-1].log_likelihood
    assert poor < best.log_likelihood - 1
    seen: list[str] = []

    def starts(mixture: Any, random: np.random.Generator, how: Any) -> Floats:
        seen.append(how)
        vectors = made(mixture, random, how)
        return vectors if how == "default" else vectors[:1]

    monkeypatch.setattr("em.fit.starts", starts)
    for many in (y, np.concatenate([y + 1e-3 * j for j in range(25)])):  # the second is searched in a sample
        seen.clear()
        default = em.gaussian_mixture(many, acceleration="squarem")
        thorough = em.gaussian_mixture(many, acceleration="squarem", starts="thorough")
        assert seen == ["default", "default", "thorough"]
        assert thorough.log_likelihood >= default.log_likelihood - 1e-6
        assert sum(m.starts for m in thorough.modes) >= sum(m.starts for m in default.modes)


def test_few_tied_values_are_cut_at_every_place() -> None:
    """A search that ends in nothing but spikes where one regular optimum exists."""
    random = np.random.default_rng([3, 2])
    values = np.round(np.concatenate([random.normal(0.2, 0.05, 8), random.normal(0.5, 0.1, 8)]), 2)
    y = random.choice(values, size=30)
    fit = em.gaussian_mixture(y, 4, acceleration="squarem")
    assert fit.status == "converged"
    assert fit.modes[0].regular


def test_every_partition_between_cuts_is_one_of_distinct_values() -> None:
    values = np.array([3.0, 1.0, 1.0, 2.0, 5.0])
    parts = list(line_partitions(values, 3, 1, np.random.default_rng(0)))
    assert len(parts) == 3
    for part in parts:
        assert part[1] == part[2] == 0
        assert sorted(set(part.tolist())) == [0, 1, 2]
        assert (np.diff(part[np.argsort(values, kind="stable")]) >= 0).all()
    assert not list(line_partitions(values[:3], 3, 1, np.random.default_rng(0)))
    assert len(list(line_partitions(np.arange(40.0), 4, 6, np.random.default_rng(0)))) == 6 * CUTS
