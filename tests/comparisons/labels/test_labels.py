"""Claims about labels: what alignments undo, where they differ, and what cannot be aligned."""

from __future__ import annotations

from itertools import permutations, product
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import models
from comparisons.families.mixtures import MixtureProblem
from comparisons.labels import label_free, memberships
from comparisons.labels import relabelling as labels
from comparisons.labels.memberships import Memberships
from models import CoinTosses
from models.inputs import Floats, Integers
from tests.declared import CASES, Case, declare
from tests.label_draws import by_bayes, draws_of, same_draws, separated_clusters, separated_coins
from tests.result_parts import tree

TOLD_BY_THE_MODEL = "the model itself tells the components apart"


def held(problem: MixtureProblem) -> Any:
    return "free" if problem.weights.free else problem.weights.fixed


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
def test_where_nothing_is_exchangeable_nothing_is_aligned(problem: MixtureProblem, why: str) -> None:
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
