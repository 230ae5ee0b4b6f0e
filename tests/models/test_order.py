"""Claims about what components are ordered by: what separates those of one point, the same for fits, modes and draws."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import em
import models
from comparisons.families import third_reading
from comparisons.families.mixtures import MixtureProblem, drawn
from comparisons.judgement import Clock, Judgement, judge
from comparisons.labels import label_free
from comparisons.posterior.nuts import canonical
from em.relabelled import relabelled
from models import CoinParameters, GaussianParameters, Measurements
from models.inputs import Floats
from models.order import FIRST, Order
from tests.declared import declare
from tests.result_parts import tree

ALIKE = np.zeros(4, dtype=np.int64)
FAR_APART = GaussianParameters([0.5, 0.5], [[0.0, 0.0], [0.0, 10.0]], [np.eye(2)] * 2)
ONE_MEAN = GaussianParameters([0.4, 0.6], [0.0, 0.1], [1.0, 36.0])
WEIGHTS_ALONE = GaussianParameters([0.7, 0.3], [2.0, 2.0], [1.0, 1.0])
# Two on one value of the first feature, and none of the second twice.
THREE = GaussianParameters([0.3, 0.3, 0.4], [[0.0, 0.0], [0.0, 10.0], [10.0, 5.0]], [np.eye(2)] * 3)
CORNERS = GaussianParameters([0.25] * 4, [[0.0, 0.0], [0.0, 10.0], [10.0, 0.0], [10.0, 10.0]], [np.eye(2)] * 4)
# Two about one centre, and the third as wide as one of these.
CONCENTRIC = GaussianParameters([0.3, 0.3, 0.4], [0.0, 0.0, 20.0], [1.0, 36.0, 1.0])
# Side by side, across the diagonal along which they are long.
PARALLEL = GaussianParameters([0.5, 0.5], [[0.0, 0.0], [3.0, -3.0]], [[[50.5, 49.5], [49.5, 50.5]]] * 2)
EVERY = [FAR_APART, ONE_MEAN, WEIGHTS_ALONE, THREE, CORNERS, CONCENTRIC, PARALLEL]


def chosen(point: GaussianParameters) -> Order:
    return Order.of(point, ALIKE[: point.n_components])


def named(point: GaussianParameters) -> str:
    return chosen(point).told("ab"[: point.means.shape[1]])


def clusters(seed: int = 5, n: int = 150) -> MixtureProblem:
    """Two clusters one above the other."""
    random = np.random.default_rng(seed)
    y = np.concatenate([random.normal(size=(n, 2)), random.normal([0.0, 10.0], size=(n, 2))])
    return declare(Measurements(y))


def one_mean() -> MixtureProblem:
    """Two normals about one centre, one six times as wide."""
    random = np.random.default_rng(6)
    return declare(Measurements(np.concatenate([random.normal(size=300), 6 * random.normal(size=300)])))


def test_the_first_feature_orders_what_it_separates_as_well() -> None:
    old_faithful = GaussianParameters(
        [0.36, 0.64], [[2.04, 54.5], [4.29, 80.0]], [[[0.07, 0.44], [0.44, 33.7]], [[0.17, 0.94], [0.94, 36.0]]]
    )
    assert chosen(old_faithful).direction is None
    assert named(old_faithful) == "by the mean of a"
    sexes = GaussianParameters([0.5, 0.5], [165.0, 178.0], [5.6**2, 6.4**2])
    assert chosen(sexes).direction is None
    assert named(sexes) == "by the mean"


def test_coins_are_ordered_by_head_probability() -> None:
    order = Order.of(CoinParameters([0.2, 0.8], [0.5, 0.5]), ALIKE[:2])
    assert order.direction is None
    assert order.told([]) == "by head probability"


@pytest.mark.parametrize(
    ("point", "told"),
    [
        (FAR_APART, "by the mean of b"),
        (THREE, "by the mean of b"),
        (ONE_MEAN, "by variance, "),
        (WEIGHTS_ALONE, "by weight, as neither means nor covariances separate them"),
        (CORNERS, "along the direction that separates them best: "),
        (CONCENTRIC, "along the direction that separates them best: "),
        (
            PARALLEL,
            "along the direction that separates them best: +1.00 times the mean of a, −1.00 times the mean of b",
        ),
    ],
)
def test_what_separates_the_components_orders_them(point: GaussianParameters, told: str) -> None:
    assert named(point).startswith(told)


@pytest.mark.parametrize("point", EVERY)
def test_no_two_components_of_the_point_are_alike_in_what_orders_them(point: GaussianParameters) -> None:
    order = chosen(point)
    along = order.along(point.weights, point.means, point.covariances)
    assert np.diff(np.sort(along)).min() > 0.3  # of a standard deviation, or of a log of variances or weights


@pytest.mark.parametrize("point", EVERY)
def test_units_and_labels_of_the_point_do_not_matter(point: GaussianParameters) -> None:
    ordered = point.permuted(chosen(point).permutation(point, ALIKE[: point.n_components]))
    for factor in (1e-140, 1e140):
        scaled = GaussianParameters(point.weights, point.means * factor, point.covariances * factor**2)
        assert named(scaled) == named(point)
    backwards = point.permuted(np.arange(point.n_components)[::-1])
    again = backwards.permuted(chosen(backwards).permutation(backwards, ALIKE[: point.n_components]))
    if named(point) != named(backwards):  # several directions are as good
        assert point is CORNERS
    else:
        np.testing.assert_array_equal(again.means, ordered.means)
        np.testing.assert_array_equal(again.covariances, ordered.covariances)


def test_only_components_that_the_model_cannot_tell_apart_need_an_order() -> None:
    # The first and the second share the first feature, but the second is known by its rows.
    assert Order.of(THREE, np.array([0, 1, 0])).direction is None
    assert Order.of(THREE, np.array([0, 1, 2])).direction is None


def draws_of(point: GaussianParameters, n: int = 200) -> dict[str, Floats]:
    """Draws ``(2, n, ...)`` about a point."""
    random = np.random.default_rng(8)
    k, d = point.means.shape
    return {
        "weights": random.dirichlet(100 * point.weights, size=(2, n)),
        "means": point.means + 0.1 * random.normal(size=(2, n, k, d)),
        "covariances": point.covariances * random.gamma(50, 1 / 50, size=(2, n, k))[..., None, None],
    }


@pytest.mark.parametrize("point", EVERY)
def test_permuting_the_components_of_draws_leaves_canonical_draws_unchanged(point: GaussianParameters) -> None:
    k, order, draws = point.n_components, chosen(point), draws_of(point)
    shuffles = np.random.default_rng(9).permuted(np.tile(np.arange(k), (2, 200, 1)), axis=2)

    def shuffled(values: Floats) -> Floats:
        index = shuffles.reshape(shuffles.shape + (1,) * (values.ndim - 3))
        return np.take_along_axis(values, np.broadcast_to(index, values.shape), axis=2)

    names = [str(j) for j in range(k)]
    one, other = (
        models.canonical_order(tree(each, names), ALIKE[:k], order)["posterior"].to_dataset()
        for each in (draws, {name: shuffled(values) for name, values in draws.items()})
    )
    for name in draws:
        np.testing.assert_array_equal(one[name].values, other[name].values)
    if point is not WEIGHTS_ALONE:
        # And every draw has its components where the point has them.
        at = order.permutation(point, ALIKE[:k])
        np.testing.assert_array_equal(one["means"].values, draws["means"][:, :, at])


def test_an_order_of_normal_components_says_what_it_needs() -> None:
    draws = tree({"means": np.zeros((1, 3, 2, 1)), "weights": np.full((1, 3, 2), 0.5)}, ["1", "2"])
    with pytest.raises(ValueError, match="the posterior lacks means or covariances"):
        models.canonical_order(draws, ALIKE[:2], chosen(ONE_MEAN))


def test_a_relabelled_fit_is_the_fit_from_a_relabelled_start() -> None:
    y = clusters().data
    assert isinstance(y, Measurements)
    fit = em.gaussian_mixture(y, 2, acceleration=None)
    order = chosen(FAR_APART)
    if (order.permutation(fit.parameters, ALIKE[:2]) == [0, 1]).all():
        fit = em.gaussian_mixture(y, 2, acceleration=None, start=fit.parameters.permuted([1, 0]))
    told = relabelled(fit, order)
    from_start = em.gaussian_mixture(y, 2, acceleration=None, start=fit.path[0].permuted([1, 0]))
    assert told.parameters.means[0, 1] < told.parameters.means[1, 1]
    for name in ("weights", "means", "covariances"):
        np.testing.assert_array_equal(getattr(told.parameters, name), getattr(fit.parameters, name)[[1, 0]])
        np.testing.assert_allclose(getattr(told.parameters, name), getattr(from_start.parameters, name), atol=1e-7)
        np.testing.assert_allclose(
            getattr(told.standard_errors, name), getattr(from_start.standard_errors, name), rtol=1e-5
        )
    np.testing.assert_allclose(
        told.standard_errors.covariance, from_start.standard_errors.covariance, rtol=1e-4, atol=1e-9
    )
    np.testing.assert_array_equal(told.path[-1].means, told.parameters.means)
    assert told.log_likelihood == fit.log_likelihood
    assert [d.component for d in told.doubts] == [1 - d.component for d in fit.doubts]
    rows = told.responsibilities(y)
    np.testing.assert_array_equal(rows, fit.responsibilities(y)[:, [1, 0]])


def test_a_relabelled_reason_names_components_by_their_new_places() -> None:
    # The second cluster is of one value: a spike, which its reason does not name; a bound does.
    heads = models.CoinTosses([0, 0, 5, 6, 4], 10)
    fit = em.coin_mixture(heads, 2, start=CoinParameters([0.5, 0.5], [0.6, 0.01]))
    assert fit.status == "boundary"
    assert "head_probabilities[2]" in (fit.standard_errors.reason or "")
    told = relabelled(fit, FIRST)
    assert "head_probabilities[1]" in (told.standard_errors.reason or "")
    assert "head_probabilities[2]" not in (told.standard_errors.reason or "")


def test_both_engines_and_the_prior_are_put_into_one_order() -> None:
    problem = clusters()
    map_fit = problem.fit(problem.prior)
    problem = problem.ordered_by(map_fit.parameters)
    groups = ALIKE[:2]
    # The other labelling of PyMC's mode is the same mode.
    for labelling in ([0, 1], [1, 0]):
        point = map_fit.parameters.permuted(labelling)
        posterior = draws_of(point, 50)
        ordered = canonical(problem, tree(posterior, ["1", "2"]), groups)
        assert (ordered["means"].values[..., 0, 1] < 5).all()
        arrays = {str(n): v.values.reshape(-1, *v.shape[2:]) for n, v in ordered.data_vars.items()}
        assert (third_reading.in_order(problem, arrays) == [0, 1]).all()
    assert (third_reading.in_order(replace(problem, order=FIRST), arrays)[:, 0] == 1).sum() > 20
    for prior in (None, problem.prior):
        fit = problem.fit(prior)
        assert fit.parameters.means[0, 1] < 5 < fit.parameters.means[1, 1]
        assert all(m.parameters.means[0, 1] < m.parameters.means[1, 1] for m in fit.modes)
    before = drawn(
        problem.family, problem.comparison, problem.prior, groups, 200, np.random.default_rng(1), problem.order
    )
    assert (before["means"][:, 0, 1] < before["means"][:, 1, 1]).all()


def test_a_profile_is_not_cut_off_where_components_meet_in_what_does_not_order_them() -> None:
    data: Any = clusters().data
    fit = em.gaussian_mixture(data, 2)
    for place in range(2):
        name = f"means[{place + 1}, 1]"
        found = em.profile_interval(fit, name)
        assert found.coinciding == (False, False)
        # Of a mean of 150 rows, far from all others: about as wide as by its standard error.
        half = 1.8808 * fit.standard_errors.means[place, 0]
        assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.02)


def judged(problem: MixtureProblem) -> tuple[MixtureProblem, Judgement]:
    found = judge(problem, seed=1, draws=1000, chains=4, clock=Clock(lambda stage: None))
    assert isinstance(found.problem, MixtureProblem)
    return found.problem, found


@pytest.mark.sampling
@pytest.mark.parametrize(
    ("made", "told"),
    [
        pytest.param(
            clusters,
            "Components are ordered by the mean of 2, which separates them better than that of 1.",
            marks=pytest.mark.long,
        ),
        pytest.param(
            one_mean,
            "Components are ordered by variance, which separates them better than their means.",
            marks=pytest.mark.long,
        ),
    ],
)
def test_components_that_the_first_feature_does_not_separate_are_told_apart(made: Any, told: str) -> None:
    problem, found = judged(made())
    assert {c.outcome for c in found.checks} == {"pass"}
    assert found.fit is not None
    assert found.posterior is not None
    labels = label_free.compare(problem, found.fit, found.posterior, np.random.default_rng(0))
    assert (labels.verdict, labels.order) == ("told apart", told)
    # What is left are the pull of the prior and the skewness of variances.
    assert all("covariances" in q.name for q in found.quantities if q.verdict != "agree")
