"""Claims about labels: what alignments undo, where they differ, and what no relabelling changes."""

from __future__ import annotations

from itertools import permutations, product
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

import models
from comparisons import label_free, labels, memberships
from comparisons.engines import Problem
from comparisons.memberships import Memberships
from comparisons.report_data import Labels
from models import CoinParameters, CoinTosses, GaussianParameters, Measurements
from models.inputs import Floats, Integers
from models.mixtures import exchangeable_groups
from tests.declared import CASES, Case, declare
from tests.result_parts import tree

TOLD_BY_THE_MODEL = "the model itself tells the components apart"


def draws_of(problem: Problem, n: int, random: np.random.Generator) -> Any:
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


def held(problem: Problem) -> Any:
    return "free" if problem.weights.free else problem.weights.fixed


def by_bayes(problem: Problem, p: CoinParameters | GaussianParameters, row: int) -> Floats:
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


def relabelled(draws: Any, random: np.random.Generator, groups: Any = None) -> Any:
    """Draws with the components of each in an order drawn at random, within groups."""
    sizes = draws["posterior"].sizes
    n, k = sizes["chain"] * sizes["draw"], sizes["component"]
    groups = np.zeros(k) if groups is None else groups
    orders = np.tile(np.arange(k), (n, 1))
    for group in np.unique(groups):
        places = np.flatnonzero(groups == group)
        orders[:, places] = random.permuted(np.tile(places, (n, 1)), axis=1)
    return labels.aligned(draws, orders)


def same_draws(one: Any, other: Any) -> None:
    for name in one["posterior"].data_vars:
        assert_array_equal(one["posterior"][name].values, other["posterior"][name].values)


def separated_coins(random: np.random.Generator) -> tuple[Problem, Any]:
    """Three coins that no bag of twenty tosses confuses, and draws near the truth."""
    z = np.arange(30) % 3
    problem = declare(CoinTosses(np.array([1, 10, 19])[z], 20), 3)
    p = np.clip(np.array([0.05, 0.5, 0.95]) + random.normal(scale=0.01, size=(2, 100, 3)), 0.001, 0.999)
    return problem, tree({"head_probabilities": p, "weights": random.dirichlet([50] * 3, size=(2, 100))}, list("abc"))


def separated_clusters(random: np.random.Generator) -> tuple[Problem, Any]:
    """Three clusters in the plane, twenty standard deviations apart."""
    centres = np.array([[-20.0, 5], [0, -20], [20, 0]])
    y = centres[np.arange(45) % 3] + random.normal(size=(45, 2))
    problem = declare(Measurements(y), 3)
    means = centres + random.normal(scale=0.3, size=(2, 100, 3, 2))
    covariances = np.eye(2) * random.gamma(20, 1 / 20, size=(2, 100, 3, 1, 1))
    weights = random.dirichlet([15] * 3, size=(2, 100))
    return problem, tree({"means": means, "covariances": covariances, "weights": weights}, list("abc"), ["x", "y"])


@pytest.mark.parametrize("made", [separated_coins, separated_clusters])
def test_both_alignments_undo_any_relabelling_of_separated_draws(made: Any) -> None:
    random = np.random.default_rng(1)
    problem, draws = made(random)
    shuffled = relabelled(draws, random)
    found = Memberships.of_draws(shuffled, problem.data)
    responsibilities = problem.fit(None).responsibilities(problem.data)
    by_ecr = labels.ecr(found, responsibilities.argmax(axis=1), random)
    same_draws(labels.aligned(shuffled, by_ecr), draws)
    by_stephens = labels.stephens(found, responsibilities)
    same_draws(labels.aligned(shuffled, by_stephens), draws)
    # They are those of canonical order too.
    same_draws(models.canonical_order(shuffled), draws)
    assert labels.share_different(by_ecr, by_stephens) == 0.0
    assert labels.share_different(by_ecr, range(3)) > 0.5


@pytest.mark.parametrize(
    "case", [Case(0, 3, "free"), Case(1, 3, "equal", "tied-diagonal"), Case(2, 2, "free")], ids=str
)
def test_an_alignment_does_not_depend_on_the_labels_of_the_draws(case: Case) -> None:
    problem = case.problem(1)
    _, draws = draws_of(problem, 60, np.random.default_rng(2))
    shuffled = relabelled(draws, np.random.default_rng(3))
    responsibilities = problem.fit(None).responsibilities(problem.data)
    aligned = []
    for each in (draws, shuffled):
        found = Memberships.of_draws(each, problem.data, held(problem))
        by_ecr = labels.ecr(found, responsibilities.argmax(axis=1), np.random.default_rng(4))
        by_stephens = labels.stephens(found, responsibilities)
        aligned.append((labels.aligned(each, by_ecr), labels.aligned(each, by_stephens), labels.co_membership(found)))
    same_draws(aligned[0][0], aligned[1][0])
    same_draws(aligned[0][1], aligned[1][1])
    # Sums of at most a hundred numbers of at most 1.
    assert_allclose(aligned[0][2], aligned[1][2], rtol=0, atol=1e-13)


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("known", ["hidden", "partly known"])
def test_memberships_of_draws_are_those_of_bayes_rule(case: Case, known: Any) -> None:
    problem = case.problem(5, known, n=12)
    points, draws = draws_of(problem, 3, np.random.default_rng(6))
    found = Memberships.of_draws(draws, problem.data, held(problem))
    expected = [[by_bayes(problem, p, i) for i in range(len(problem.data.counts))] for p in points]
    # A log density of size 1e3 is rounded by 1e-13.
    assert_allclose(found.at(slice(None)), expected, rtol=0, atol=1e-11)
    assert_array_equal(found.counts, problem.data.counts)


def test_memberships_of_em_are_those_of_a_single_draw() -> None:
    problem = Case(2, 3, "free").problem(7)
    fit = problem.fit(None)
    p = fit.parameters
    arrays = {"means": p.means, "covariances": p.covariances, "weights": p.weights}
    one = tree({name: a[None, None] for name, a in arrays.items()}, list("abc"))
    found = Memberships.of_draws(one, problem.data).at(slice(None))[0]
    assert_allclose(found, fit.responsibilities(problem.data), rtol=0, atol=1e-11)


def test_the_size_of_a_block_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = Case(1, 3, "free", "spherical").problem(8)
    _, draws = draws_of(problem, 40, np.random.default_rng(9))
    start = problem.fit(None).responsibilities(problem.data)
    outcomes = []
    for size in (2**20, 7 * start.size, 1):
        monkeypatch.setattr(memberships, "BLOCK", size)
        found = Memberships.of_draws(draws, problem.data)
        assert max(len(block) for _, block in found.blocks()) == max(1, min(80, size // start.size))
        by_ecr = labels.ecr(found, start.argmax(axis=1), np.random.default_rng(1))
        by_stephens = labels.stephens(found, start)
        outcomes.append((by_ecr, by_stephens, found.mean(by_stephens), labels.co_membership(found)))
    for others in outcomes[1:]:
        for first, other in zip(outcomes[0], others, strict=True):
            assert_allclose(first, other, rtol=0, atol=1e-13)


def test_co_membership_is_that_of_all_allocations() -> None:
    problem = declare(CoinTosses([1, 5, 6, 9], 10))
    points, draws = draws_of(problem, 4, np.random.default_rng(10))
    expected = np.zeros((4, 4))
    for p in points:
        by_row = [by_bayes(problem, p, i) for i in range(4)]
        for z in product(range(2), repeat=4):
            chance = np.prod([by_row[i][k] for i, k in enumerate(z)]) / len(points)
            expected += chance * np.equal.outer(z, z)
    found = labels.co_membership(Memberships.of_draws(draws, problem.data))
    apart = ~np.eye(4, dtype=bool)  # on the diagonal stand two observations, not one and the same
    assert_allclose(found[apart], expected[apart], rtol=0, atol=1e-14)
    some = labels.co_membership(Memberships.of_draws(draws, problem.data), [3, 0])
    assert_allclose(some, found[np.ix_([3, 0], [3, 0])], rtol=0, atol=1e-14)


def test_ecr_has_the_most_matches_of_all_permutations() -> None:
    random = np.random.default_rng(11)
    allocations, pivot, counts = random.integers(3, size=(200, 9)), random.integers(3, size=9), random.integers(1, 4, 9)
    found = Memberships.of_allocations(allocations, 3, counts)
    chosen = labels.ecr(found, pivot, random)

    def matches(z: Integers, order: Any) -> int:
        return int(counts @ (z == np.asarray(order)[pivot]))

    for z, order in zip(allocations, chosen, strict=True):
        most = max(matches(z, other) for other in permutations(range(3)))
        assert matches(z, order) == most
        if matches(z, range(3)) == most:
            assert_array_equal(order, range(3))


def test_no_draw_is_nearer_to_the_mean_of_stephens_in_another_order() -> None:
    random = np.random.default_rng(12)
    probabilities, counts = random.dirichlet([0.7] * 3, size=(80, 10)), random.integers(1, 4, 10)
    found = Memberships.of_probabilities(probabilities, counts)
    chosen = labels.stephens(found, random.dirichlet([1] * 3, size=10))
    mean = found.mean(chosen)
    assert_allclose(mean, np.mean([p[:, s] for p, s in zip(probabilities, chosen, strict=True)], axis=0), atol=1e-14)

    def divergence(p: Floats, order: Any) -> float:
        return float(counts @ (p[:, order] * np.log(p[:, order] / mean)).sum(axis=1))

    for p, order in zip(probabilities, chosen, strict=True):
        assert divergence(p, order) <= min(divergence(p, list(s)) for s in permutations(range(3))) + 1e-8


def test_components_of_different_groups_are_never_exchanged() -> None:
    random = np.random.default_rng(13)
    found = Memberships.of_probabilities(random.dirichlet([1] * 3, size=(100, 6)), exchangeable=[0, 1, 0])
    for chosen in (
        labels.ecr(found, [0, 1, 2, 0, 1, 2], random),
        labels.stephens(found, random.dirichlet([1] * 3, size=6)),
    ):
        assert (chosen[:, 1] == 1).all()
        assert {tuple(order) for order in chosen} == {(0, 1, 2), (2, 1, 0)}


@pytest.mark.parametrize(
    ("problem", "why"),
    [
        (Case(1, 1, "free").problem(14), "there is one component"),
        (Case(1, 2, "free").problem(14, "known"), "the component of every row is known"),
        (Case(0, 3, "fixed").problem(14), TOLD_BY_THE_MODEL),
        (Case(2, 2, "free").problem(14, "partly known"), TOLD_BY_THE_MODEL),
    ],
    ids=["one", "known", "unequal weights", "partly known"],
)
def test_where_nothing_is_exchangeable_nothing_is_aligned(problem: Problem, why: str) -> None:
    random = np.random.default_rng(15)
    _, draws = draws_of(problem, 20, random)
    found = Memberships.of_draws(draws, problem.data, held(problem))
    start = problem.fit(None).responsibilities(problem.data)
    as_they_are = np.tile(np.arange(problem.comparison.n_components), (40, 1))
    assert_array_equal(labels.ecr(found, start.argmax(axis=1), random), as_they_are)
    assert_array_equal(labels.stephens(found, start), as_they_are)
    told = label_free.compare(problem, problem.fit(None), draws["posterior"].to_dataset(), random)
    assert told.verdict == "nothing to tell apart"
    assert why in told.sentence
    assert told.ordering_ecr is told.ordering_stephens is told.ecr_stephens is None
    assert (told.memberships is None) == (why != TOLD_BY_THE_MODEL)


def compared(problem: Problem, draws: Any, start: Any = None) -> Labels:
    groups = exchangeable_groups(problem.weights, problem.data.labels)
    posterior = models.canonical_order(draws, groups)["posterior"].to_dataset()
    return label_free.compare(problem, problem.fit(None, start=start), posterior, np.random.default_rng(16))


@pytest.mark.parametrize("made", [separated_coins, separated_clusters])
def test_separated_components_can_be_told_apart(made: Any) -> None:
    told = compared(*made(np.random.default_rng(17)))
    assert told.verdict == "told apart"
    assert "can be told apart" in told.sentence
    assert told.ordering_ecr == told.ordering_stephens == told.ecr_stephens == 0.0


def test_coinciding_components_cannot_be_told_apart() -> None:
    random = np.random.default_rng(18)
    heads = random.binomial(10, 0.6, size=20)
    problem = declare(CoinTosses(heads, 10), 2, "equal")
    # Both coins are the one that there is: its posterior with a uniform prior and half of the bags each.
    p = random.beta(1 + heads.sum() / 2, 1 + 100 - heads.sum() / 2, size=(2, 500, 2))
    told = compared(problem, tree({"head_probabilities": p}, ["A", "B"]))
    assert told.verdict == "not told apart"
    assert told.sentence.startswith("In some draws the components cannot be told apart: their order and ")
    assert max(told.ordering_ecr or 0, told.ordering_stephens or 0) > label_free.THRESHOLD


def test_ordering_by_mean_mixes_up_components_that_differ_in_variance_alone_and_the_sentence_says_so() -> None:
    random = np.random.default_rng(19)
    sds, n = np.array([1.0, 5.0, 20.0]), 200
    problem = declare(Measurements(np.concatenate([random.normal(scale=sd, size=n) for sd in sds])), 3)
    truth = GaussianParameters([1 / 3] * 3, [0.0, 0.1, 0.2], sds**2)
    shape = (2, 300, 3)
    draws = tree(
        {
            "means": random.normal(scale=sds / np.sqrt(n), size=shape)[..., None],
            "covariances": (sds**2 * random.gamma(n / 2, 2 / n, size=shape))[..., None, None],
            "weights": random.dirichlet([n] * 3, size=shape[:2]),
        },
        list("abc"),
    )
    told = compared(problem, draws, truth)
    assert told.verdict == "not by order"
    assert "cannot all be told apart by their order" in told.sentence
    # Of six orders of three means that are as good as equal, one is that of EM.
    assert (told.ordering_ecr or 0) > 0.5
    assert (told.ecr_stephens or 0) <= label_free.THRESHOLD
    # ECR gives the narrow component back its variance in every draw, whatever order the draws were in.
    ordered = models.canonical_order(draws)
    pivot = problem.fit(None, start=truth).responsibilities(problem.data).argmax(axis=1)
    by_ecr = labels.aligned(ordered, labels.ecr(Memberships.of_draws(ordered, problem.data), pivot, random))
    same_draws(by_ecr, draws)


def test_the_largest_differences_are_those_of_all_rows_and_pairs() -> None:
    random = np.random.default_rng(20)
    problem = declare(CoinTosses([1, 3, 5, 6, 9], 10, counts=[1, 1, 3, 1, 1]), 2, "equal")
    fit = problem.fit(None)
    points, draws = draws_of(problem, 30, random)
    told = compared(problem, draws)
    assert told.memberships is not None
    assert told.membership_difference is not None
    assert told.co_membership_difference is not None
    gaps = np.abs(np.array(told.memberships.posterior) - told.memberships.em)
    found = told.membership_difference
    assert abs(found.posterior - found.em) == gaps.max()
    row, component = np.unravel_index(gaps.T.argmax(), gaps.T.shape)
    assert found.where == f"heads {[1, 3, 5, 6, 9][row]} of 10, component {component + 1}"
    assert_allclose(np.array(told.memberships.em).T, fit.responsibilities(problem.data), rtol=0, atol=1e-15)
    largest = 0.0
    em_rows = fit.responsibilities(problem.data)
    for i in range(5):
        for j in range(i + 1):
            if i == j and problem.data.counts[i] == 1:
                continue  # no two such rows were seen
            by_draws = np.mean([by_bayes(problem, p, i) @ by_bayes(problem, p, j) for p in points])
            largest = max(largest, abs(by_draws - em_rows[i] @ em_rows[j]))
    pair = told.co_membership_difference
    assert abs(pair.posterior - pair.em) == pytest.approx(largest, abs=1e-12)


@pytest.mark.parametrize(
    ("counts", "where"), [([1, 1], "heads 1 of 10; heads 9 of 10"), ([1, 2], "two rows of heads 9 of 10")]
)
def test_a_row_is_paired_with_itself_only_where_it_was_seen_twice(counts: list[int], where: str) -> None:
    problem = declare(CoinTosses([1, 9], 10, counts=counts), 2, "equal")
    # EM is sure of both bags; at the one draw a tenth of the second bag's chances lie with the coin of the first.
    told = compared(problem, tree({"head_probabilities": np.array([[[0.6, 0.9]]])}, ["A", "B"]))
    assert told.co_membership_difference is not None
    assert told.co_membership_difference.where == where


def test_many_rows_are_thinned_for_pairs_and_the_figure_alone() -> None:
    random = np.random.default_rng(21)
    problem = declare(Measurements(np.concatenate([random.normal(-5, 1, 400), random.normal(5, 1, 400)])))
    _, draws = draws_of(problem, 5, random)
    told = compared(problem, draws)
    assert told.memberships is not None
    assert told.memberships.of == 800
    assert len(set(told.memberships.rows)) == label_free.MOST_ROWS
    assert (told.memberships.rows[0], told.memberships.rows[-1]) == (0, 799)


@pytest.mark.parametrize("known", ["hidden", "known"])
@pytest.mark.parametrize("case", [Case(0, 2, "equal"), Case(1, 3, "free"), Case(2, 2, "free")], ids=str)
def test_distribution_functions_are_those_of_scipy(case: Case, known: Any) -> None:
    problem = case.problem(22, known)
    fit, data = problem.fit(None), problem.data
    points, draws = draws_of(problem, 10, np.random.default_rng(23))

    def function(p: Any, variable: str, at: float) -> float:
        if isinstance(data, CoinTosses):
            table = np.asarray(stats.binom.cdf(at, data.tosses[:, None], p.head_probabilities))
            rows = zip(table, data.labels, strict=True)
            by_bag = [cdf[label] if label >= 0 else p.weights @ cdf for cdf, label in rows]
            return float(data.counts @ by_bag / data.n)
        j = data.features.index(variable)
        return float(p.weights @ stats.norm.cdf(at, p.means[:, j], np.sqrt(p.covariances[:, j, j])))

    told = compared(problem, draws).distribution
    assert len({each.variable for each in told}) == max(1, case.d)
    rows = data.heads[:, None] if isinstance(data, CoinTosses) else data.y
    every_row = np.repeat(rows, data.counts, axis=0)
    quantiles = {
        float(q) for column in every_row.T for q in np.quantile(column, label_free.QUANTILES, method="inverted_cdf")
    }
    assert {each.at for each in told} == {q for q in quantiles if case.d or q < data.tosses.max()}  # type: ignore[union-attr]
    for each in told:
        column = data.heads if isinstance(data, CoinTosses) else data.y[:, data.features.index(each.variable)]
        every = np.repeat(column, data.counts)
        assert each.observed == pytest.approx((every <= each.at).mean(), abs=1e-14)
        by_draws = [function(p, each.variable, each.at) for p in points]
        # Distribution functions of two libraries, each rounded to a few units in the last place.
        assert each.em == pytest.approx(function(fit.parameters, each.variable, each.at), abs=1e-12)
        assert each.posterior_mean == pytest.approx(np.mean(by_draws), abs=1e-12)
        assert (each.posterior_low, each.posterior_high) == pytest.approx(
            np.quantile(by_draws, [0.03, 0.97]), abs=1e-12
        )


def test_what_cannot_be_aligned_is_refused_with_the_place_and_a_remedy() -> None:
    problem = Case(0, 2, "equal").problem(24)
    _, draws = draws_of(problem, 3, np.random.default_rng(25))
    found = Memberships.of_draws(draws, problem.data, "equal")
    random = np.random.default_rng(26)
    with pytest.raises(ValueError, match=r"lacks weights; .* weights= where they were held fixed"):
        Memberships.of_draws(draws, problem.data)
    with pytest.raises(ValueError, match="lacks means, covariances"):
        Memberships.of_draws(draws, [1.0, 2.0], "equal")
    with pytest.raises(ValueError, match=r"pivot\[2\] is 2; it must name one of the components 0..1"):
        labels.ecr(found, [0, 1, 2], random)
    with pytest.raises(ValueError, match=r"pivot has 2 values but there are \d+ rows"):
        labels.ecr(found, [0, 1], random)
    with pytest.raises(ValueError, match="start has shape"):
        labels.stephens(found, [[0.5, 0.5]])
    with pytest.raises(ValueError, match=r"probabilities\[0, 1\] is .*sum to 1"):
        Memberships.of_probabilities([[[0.5, 0.5], [0.5, 0.6]]])
    with pytest.raises(ValueError, match=r"allocations\[0, 1\] is 0.5"):
        Memberships.of_allocations([[0, 0.5]], 2)
    with pytest.raises(ValueError, match="one group number for each of 2 components"):
        Memberships.of_probabilities([[[0.5, 0.5]]], exchangeable=[0, 1, 2])
