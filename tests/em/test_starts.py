"""Where a search starts from, and how it rearranges what it found: optima that no step of EM leads to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import em
import em.gaussians.steps
from comparisons.study.broken_em import with_fields
from em.ascent.climb import climb
from em.coins.mixture import CoinMixture
from em.gaussians.mixture import GaussianMixture
from em.mixture import evaluated
from em.rows.sample import SAMPLE
from em.search.split_and_merge import all_pairs
from em.search.starts import REARRANGED, start_apart, starts_from
from models import CoinParameters, CoinTosses, GaussianParameters, GaussianPrior, Measurements
from models.gaussians.covariances import CovarianceForm
from models.inputs import Floats
from models.mixtures import MixtureWeights

# One coin fewer than is fitted is a maximum here, flat to second order. The higher one gives a coin a weight of .011, .006 and
# .002: bags, a point near it, and how many nats higher it is.
ONE_COIN_FEWER = {
    "two": ((10, [2, 3, 4, 5, 6, 7, 8], [1, 5, 8, 8, 9, 5, 4]), [0.989, 0.011], [0.5246, 0.5622], 2.49e-6),
    "three": (
        (20, [10, 12, 13, 14, 15, 16, 17, 18], [2, 5, 7, 11, 10, 11, 9, 5]),
        [0.006, 0.294, 0.7],
        [0.681, 0.7454, 0.7454],
        7.3e-5,
    ),
    "three, one of them rare": (
        (20, [4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17], [1, 4, 2, 6, 3, 9, 10, 12, 7, 4, 1, 1]),
        [0.13, 0.868, 0.002],
        [0.361, 0.558, 0.816],
        4.9e-3,
    ),
}


@pytest.mark.parametrize("name", ONE_COIN_FEWER)
def test_a_coin_that_stands_for_hardly_any_bag_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tosses, heads, counts), weights, probabilities, gain = ONE_COIN_FEWER[name]
    bags = CoinTosses(heads, tosses, counts=counts)
    near = CoinParameters(weights, probabilities)
    best = em.coin_mixture(bags, len(weights), start=near, acceleration="squarem").log_likelihood
    fit = em.coin_mixture(bags, len(weights), acceleration="squarem")
    assert fit.log_likelihood == pytest.approx(best, abs=1e-7)
    monkeypatch.setattr("em.search.runs.start_apart", lambda *_: ())
    without = em.coin_mixture(bags, len(weights), acceleration="squarem").log_likelihood
    assert best - without == pytest.approx(gain, rel=0.05)


def test_no_coin_is_moved_where_none_is_missing() -> None:
    mixture = CoinMixture(CoinTosses([0, 1, 9, 10], 10), MixtureWeights.of("free", 3), None)
    # Two kinds of bags: the likelihood of one more coin is nowhere higher.
    two = em.coin_mixture(mixture.tosses, 2).parameters
    p1, p2 = two.head_probabilities
    random = np.random.default_rng(0)
    assert not len(start_apart(mixture, CoinParameters([0.5, 0.25, 0.25], [p1, p2, p2]), random))
    assert not len(start_apart(mixture, CoinParameters([0.5, 0.25, 0.25], [p1, p2, p2 - 0.2]), random))
    # From one coin for all there is a way up.
    for weights in ([0.4, 0.6, 0.0], [0.2, 0.2, 0.6]):
        (moved,) = start_apart(mixture, CoinParameters(weights, [0.5, 0.5, 0.5]), random)
        at_one = evaluated(mixture, CoinParameters([1.0, 0.0, 0.0], [0.5] * 3))[1]
        assert evaluated(mixture, mixture.from_vector(moved))[1] > at_one


def test_a_component_is_moved_to_where_one_is_missing() -> None:
    """Of four clusters two are one component, and one has two: no step of EM leads from there to the other optimum."""
    random = np.random.default_rng(8)
    y = np.concatenate([random.normal(centre, 1.0, size=(60, 2)) for centre in ([0, 0], [7, 0], [0, 30], [14, 30])])
    mixture = GaussianMixture(Measurements(y), MixtureWeights.of("free", 4), CovarianceForm.of("full"), None)
    two_in_one = GaussianParameters(
        [0.5, 0.125, 0.125, 0.25],
        [[3.5, 0.0], [-0.5, 30.0], [0.5, 30.0], [14.0, 30.0]],
        np.stack([np.diag([14.0, 1.0]), *[np.eye(2)] * 3]),
    )
    stuck = climb(mixture, mixture.units.parameters(two_in_one), "squarem")
    assert stuck.ending == "converged"
    starts = starts_from(mixture, [mixture.from_vector(stuck.points[-1])], random, "default")
    assert len(starts) == REARRANGED["default"].starts * 4
    ends = [climb(mixture, mixture.from_vector(start), "squarem") for start in starts]
    best = max((end for end in ends if end.ending == "converged"), key=lambda end: end.trace[-1])
    assert best.trace[-1] > stuck.trace[-1] + 50
    centres = mixture.published(mixture.from_vector(best.points[-1])).means
    np.testing.assert_allclose(sorted(centres.round().tolist()), [[0, 0], [0, 30], [7, 0], [14, 30]], atol=1)
    # Most of the starts go to where the likelihood is least understood, and not to where a component was taken from.
    assert sum(end.trace[-1] > best.trace[-1] - 1e-6 for end in ends) >= 3


def test_no_rearrangement_gives_a_labelled_row_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of a known component have it in every start."""
    random = np.random.default_rng(2)
    y = np.concatenate([random.normal(size=40), random.normal(6, 1, size=40)])
    labels = np.full(80, -1)
    labels[:10], labels[-10:] = 0, 2
    mixture = GaussianMixture(
        Measurements(y, None, labels), MixtureWeights.of("free", 3), CovarianceForm.of("full"), None
    )
    apart = np.where(mixture.labels[:, None] == [0, 1, 2], 1.0, 0.0)
    given = GaussianParameters([1 / 3] * 3, [-1.0, 0.0, 1.0], [0.5] * 3)
    seen: list[Floats] = []
    made = mixture.start_from

    def start_from(shares: Floats, **options: Any) -> Any:
        seen.append(shares[..., mixture.labels >= 0, :])
        return made(shares, **options)

    monkeypatch.setattr(mixture, "start_from", start_from)
    assert len(starts_from(mixture, [given], random, "default"))
    for start in seen[-1]:
        np.testing.assert_array_equal(start, apart[mixture.labels >= 0])


def test_a_sample_of_many_rows_is_rearranged_like_few_rows() -> None:
    """Gains are those of the rows that are looked at, not of all that there are."""
    random = np.random.default_rng(5)
    y = random.normal(size=12_000) + np.repeat([0.0, 4.0, 9.0], 4000)
    mixture = GaussianMixture(Measurements(y), MixtureWeights.of("free", 3), CovarianceForm.of("full"), None)
    searched = mixture.sample(0)
    two_in_one = mixture.units.parameters(GaussianParameters([0.3, 0.3, 0.4], [2.0, 2.5, 9.0], [5.0, 5.0, 1.0]))
    assert len(searched.counts) == SAMPLE
    assert len(starts_from(searched, [two_in_one], random, "default")) == 3 * REARRANGED["default"].starts


def test_rearranged_under_fixed_weights_and_known_labels() -> None:
    random = np.random.default_rng(3)
    y = np.concatenate([random.normal(size=90), random.normal(7, 1, size=10)])
    form = CovarianceForm.of("full")
    for weights in ([0.9, 0.1], [0.1, 0.9]):
        mixture = GaussianMixture(Measurements(y), MixtureWeights.of(weights, 2), form, None)
        # Either component may be the one that is elsewhere, as their weights differ.
        assert all_pairs(mixture) == [(0, 1), (1, 0)]
        best = em.gaussian_mixture(y, 2, weights=weights, seed=1)
        assert best.log_likelihood == pytest.approx(em.gaussian_mixture(y, 2, weights=[0.9, 0.1]).log_likelihood)
    labels = np.where(np.arange(100) < 5, 0, -1)
    known = GaussianMixture(Measurements(y, None, labels), MixtureWeights.of("free", 3), form, None)
    assert all_pairs(known) == [(0, 1), (0, 2), (1, 2)]
    assert all_pairs(GaussianMixture(Measurements(y), MixtureWeights.of("free", 3), form, None)) == all_pairs(known)


def test_a_start_that_has_no_width_is_none() -> None:
    """A hundred times the same row: a component there alone has no covariance."""
    random = np.random.default_rng(1)
    y = np.concatenate([random.normal(size=(400, 2)), np.full((100, 2), 9.0)])
    mixture = GaussianMixture(Measurements(y), MixtureWeights.of("free", 2), CovarianceForm.of("full"), None)
    one = mixture.units.parameters(GaussianParameters([0.5, 0.5], [y.mean(axis=0)] * 2, [np.cov(y.T)] * 2))
    assert not len(start_apart(mixture, one, random))


def test_thousands_of_collapses_are_told_apart_like_a_few() -> None:
    """Twenty rows for ten components: nearly every start ends in a spike of its own."""
    fit = em.gaussian_mixture(np.random.default_rng(0).normal(size=20), 10)
    keys = np.array(
        [
            np.sort(np.concatenate([m.parameters.weights, m.parameters.means.ravel()]))
            for m in fit.modes
            if not m.regular
        ]
    )
    assert fit.status == "collapsed"
    assert len(keys) > 1000
    some = np.random.default_rng(1).choice(len(keys), 200, replace=False)
    apart = np.abs(keys[some, None] - keys[some]).max(axis=2)
    assert (apart[~np.eye(200, dtype=bool)] > 1e-4).all()


@pytest.mark.parametrize("k", [2, 3])
def test_a_mode_with_a_component_that_has_no_rows_is_found(k: int) -> None:
    """The prior's mean is far from all rows, so its own mode is a place to which no row leads."""
    y = np.sort(np.random.default_rng(5).normal(-9.0, 1.0, size=25))
    prior = GaussianPrior(mean=[0.0], shrinkage=0.05, degrees_of_freedom=5.0, scale=[[3.0]], concentration=2.0)
    fit = em.gaussian_mixture(y, k, prior=prior)
    free, full = MixtureWeights.of("free", k), CovarianceForm.of("full")
    heights = [
        m.log_likelihood + float(em.gaussians.steps.log_prior(m.parameters, prior, free, full)) for m in fit.modes
    ]
    empty = [mode for mode in fit.modes if np.abs(mode.parameters.means - 0.0).min() < 1e-6]
    assert empty, heights
    assert fit.log_posterior == pytest.approx(max(heights), abs=1e-9)
    # 1 / (n + K): what a Dirichlet prior of 2 leaves to it.
    emptied = empty[0].parameters
    assert emptied.weights[np.abs(emptied.means[:, 0]).argmin()] == pytest.approx(1 / (25 + k), rel=1e-6)


def test_components_are_reordered_unchecked() -> None:
    """A covariance that has collapsed is no valid input, and its component can be put elsewhere all the same."""
    fit = em.gaussian_mixture(np.arange(6.0), 2)
    flat = with_fields(fit.parameters, covariances=np.zeros((2, 1, 1)))
    turned = flat.permuted([1, 0])
    np.testing.assert_array_equal(turned.means, fit.parameters.means[::-1])
    np.testing.assert_array_equal(turned.covariances, 0.0)
    assert not turned.means.flags.writeable
