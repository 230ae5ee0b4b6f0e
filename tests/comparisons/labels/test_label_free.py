"""Claims about what no relabelling changes, and about the sentence that says whether components can be told apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

import models
from comparisons.families.mixtures import MixtureProblem
from comparisons.labels import label_free
from comparisons.labels import relabelling as labels
from comparisons.labels.memberships import Memberships
from comparisons.report.explanations import to_report
from comparisons.results.report_data import Labels
from comparisons.summary import verdict
from models import CoinTosses, GaussianParameters, Measurements
from models.mixtures import exchangeable_groups
from tests.declared import Case, declare
from tests.label_draws import by_bayes, draws_of, same_draws, separated_clusters, separated_coins
from tests.result_parts import tree
from tests.stored_results import two_coins


def compared(problem: MixtureProblem, draws: Any, start: Any = None) -> Labels:
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
    assert told.sentence.startswith(
        "By the rules compared here the components cannot be told apart in every draw: their order and "
    )
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


def test_many_rows_are_thinned_for_pairs_and_the_figure_and_very_many_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(21)
    problem = declare(Measurements(np.concatenate([random.normal(-5, 1, 400), random.normal(5, 1, 400)])))
    _, draws = draws_of(problem, 5, random)
    told = compared(problem, draws)
    assert told.memberships is not None
    assert told.memberships.of == 800
    assert len(set(told.memberships.rows)) == label_free.MOST_ROWS
    assert (told.memberships.rows[0], told.memberships.rows[-1]) == (0, 799)
    monkeypatch.setattr("comparisons.labels.label_free.MOST_ALIGNED", 600)
    fewer = compared(problem, draws)
    assert fewer.sentence.endswith("Looked at are 600 of the 800 distinct rows, evenly spread.")
    assert fewer.memberships is not None
    assert (fewer.memberships.of, fewer.memberships.rows[0], fewer.memberships.rows[-1]) == (800, 0, 799)
    of_all = problem.fit(None).responsibilities(problem.data)[fewer.memberships.rows]
    np.testing.assert_allclose(np.transpose(fewer.memberships.em), of_all, atol=1e-6)


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
    assert {each.at for each in told} == {q for q in quantiles if case.d or q < data.tosses.max()}
    for each in told:
        column = data.heads if isinstance(data, CoinTosses) else data.y[:, data.features.index(each.variable)]
        every = np.repeat(column, data.counts)
        # Of measurements those at the value are half below it.
        shares = (every <= each.at).mean(), ((every <= each.at).mean() + (every < each.at).mean()) / 2
        assert each.observed == pytest.approx(shares[bool(case.d)], abs=1e-14)
        by_draws = [function(p, each.variable, each.at) for p in points]
        # Distribution functions of two libraries, each rounded to a few units in the last place.
        assert each.em == pytest.approx(function(fit.parameters, each.variable, each.at), abs=1e-12)
        assert each.posterior_mean == pytest.approx(np.mean(by_draws), abs=1e-12)
        assert (each.posterior_low, each.posterior_high) == pytest.approx(
            np.quantile(by_draws, [0.03, 0.97]), abs=1e-12
        )


def test_where_no_order_holds_the_components_apart_a_difference_is_judged_by_what_has_no_labels() -> None:
    found = two_coins()
    mixed = replace(found.labels, verdict="not told apart", ordering_ecr=0.2)
    differing = [replace(q, verdict="differ", degree="marked", instead="posterior") for q in found.quantities]
    free = verdict.label_free(("B", "A"), differing, mixed)
    assert free is not None
    told = verdict.of_labels(free, mixed)
    assert told.startswith("Part of the difference may be label switching: ")
    assert "in 20.0% of the draws" in told
    assert (
        "EM's fitted distribution agrees with the posterior's: it lies within the posterior's 94% band at the one point checked"
        in told
    )
    without = verdict.without_numbers(differing, free)
    assert verdict.advice("differ", without, []).startswith("Not for single components: ")
    assert verdict.mixes(mixed)
    assert not verdict.mixes(replace(mixed, ordering_ecr=0.0108))
    assert not verdict.mixes(replace(mixed, verdict="not by order"))
    assert verdict.label_free(("B", "A"), differing, replace(mixed, verdict="not by order")) is not None
    # So few draws are no reason for a difference.
    assert verdict.label_free(("B", "A"), differing, replace(mixed, ordering_ecr=0.0108)) is None
    apart = replace(mixed, verdict="told apart")
    assert verdict.label_free(("B", "A"), differing, apart) is None
    agreeing = [replace(q, verdict="agree") for q in found.quantities]
    assert verdict.label_free(("B", "A"), agreeing, mixed) is None


OUTCOMES: tuple[tuple[str, Literal["agree", "differ"]], ...] = (
    ("means[1]", "differ"),
    ("standard_deviations", "agree"),
)


def test_what_all_components_share_has_no_labels() -> None:
    found = two_coins()
    problem = declare(Measurements([0.0, 1.0, 2.0, 10.0, 11.0, 12.0]), covariance="tied")
    quantities = [replace(found.quantities[0], name=name, verdict=outcome) for name, outcome in OUTCOMES]
    components = problem.comparison.components
    mixed = replace(found.labels, verdict="not told apart", ordering_ecr=0.2)
    free = verdict.label_free(components, quantities, mixed)
    assert free == quantities[1:]
    assert verdict.of_labels(free, mixed).endswith(". EM and the posterior agree on the standard deviations.")
    at_bound = [replace(q, verdict="differ", degree="no interval", instead="profile") for q in free]
    assert verdict.of_labels(at_bound, mixed).endswith(
        ". EM has no Wald interval for the standard deviations; its profile interval fits the posterior."
    )
    told = verdict.without_numbers(quantities, free)
    assert "the fitted distribution as a whole and the standard deviations (see" in verdict.advice("differ", told, [])
    assert [q.instead for q in told] == ["nothing", quantities[1].instead]
    assert to_report(told[0]) == "no number: components mix"
    assert verdict.label_free(components, [replace(quantities[1], verdict="differ")], mixed) is None
