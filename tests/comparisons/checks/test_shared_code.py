"""Faults in what both engines share: each is the same in both, so that only a judge that shares nothing can find it."""

from __future__ import annotations

import dataclasses
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest

from comparisons.checks.same_density import same_density
from comparisons.declared_rows import DeclaredRows, differing_total
from comparisons.families import third_density
from comparisons.families.coins import third
from comparisons.families.mixtures import MixtureProblem
from comparisons.results.result import Check
from comparisons.study import broken_comparison
from models import CoinParameters, CoinTosses, GaussianParameters, GaussianPrior, LogPosterior, Measurements
from tests.declared import CASES, Case, compiled, declare, given

RANDOM = 41


def checked(problem: MixtureProblem, density: LogPosterior | None = None) -> Check:
    fits = [problem.fit(problem.prior)]
    return same_density(problem, density or LogPosterior(problem.model()), fits, np.random.default_rng(RANDOM))


def found(check: Check, told: str) -> None:
    assert (check.outcome, check.engine) == ("fail", "comparison")
    assert told in check.explanation


def coins() -> MixtureProblem:
    return declare(CoinTosses([5, 5, 8, 4, 7, 5], [10, 12, 10, 9, 10, 10], counts=[1, 2, 1, 3, 1, 1]))


def normals() -> MixtureProblem:
    y = np.random.default_rng(RANDOM).normal(size=(30, 2)) * [1.0, 40.0]
    return declare(
        Measurements(np.concatenate([y, y + np.array([6.0, 90.0])]), counts=np.arange(60) % 3 + 1),
        covariance="diagonal",
    )


@pytest.mark.parametrize("problem", [coins, normals], ids=["coins", "normals"])
def test_rows_that_are_counted_rightly_pass(problem: Any) -> None:
    check = checked(problem())
    assert check.outcome == "pass"
    assert "a third density of the rows as declared" in check.explanation


def test_bags_of_equal_heads_merged_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = CoinTosses.distinct

    def merged(self: CoinTosses) -> CoinTosses:
        sound = right(self)
        heads, first, back = np.unique(sound.heads, return_index=True, return_inverse=True)
        counts = np.bincount(back, weights=sound.counts).astype(int)
        return CoinTosses(heads, sound.tosses[first], counts, sound.labels[first])

    monkeypatch.setattr(CoinTosses, "distinct", merged)
    found(checked(coins()), "both engines got them are not those that were declared: the sum of tosses")


@pytest.mark.parametrize("problem", [coins, normals], ids=["coins", "normals"])
def test_counts_that_were_dropped_are_found(problem: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for noun in (CoinTosses, Measurements):
        right: Any = noun.distinct

        def dropped(self: Any, right: Any = right) -> Any:
            sound = right(self)
            object.__setattr__(sound, "counts", np.ones_like(sound.counts))
            return sound

        monkeypatch.setattr(noun, "distinct", dropped)
    found(checked(problem()), "the number of rows is")


def test_columns_sorted_apart_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Measurements.distinct

    def apart(self: Measurements) -> Measurements:
        sound = right(self)
        return Measurements(np.sort(sound.y, axis=0), sound.counts, sound.labels)

    monkeypatch.setattr(Measurements, "distinct", apart)
    found(checked(normals()), "both engines got them are not those that were declared: the sum of")


def test_labels_that_were_lost_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = CoinTosses.distinct
    monkeypatch.setattr(CoinTosses, "distinct", lambda self: right(CoinTosses(self.heads, self.tosses, self.counts)))
    problem = declare(CoinTosses([5, 9, 8, 4, 7], 10, labels=[1, 0, 0, 1, -1]))
    found(checked(problem), "the number of rows of the rows")


@pytest.mark.parametrize(
    ("number", "wrong"),
    [("shrinkage", 0.5), ("degrees_of_freedom", 5.0), ("concentration", 1.0), ("mean", [0.0, 45.0])],
)
def test_a_wrong_number_of_the_default_prior_is_found(number: str, wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    right = GaussianPrior.weakly_informative

    def off(*arguments: Any, **options: Any) -> GaussianPrior:
        sound = right(*arguments, **options)
        numbers = {f.name: getattr(sound, f.name) for f in dataclasses.fields(sound)} | {number: wrong}
        return GaussianPrior(**numbers)

    monkeypatch.setattr(GaussianPrior, "weakly_informative", off)
    found(checked(normals()), f"The prior that both engines got is not the declared one: {number}")


def test_a_default_scale_that_forgets_the_counts_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = GaussianPrior.weakly_informative
    monkeypatch.setattr(GaussianPrior, "weakly_informative", lambda data, k: right(data.y, k))
    found(checked(normals()), "is not the declared one")


def test_a_label_read_as_another_in_both_engines_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    # Rows within a label have the same totals in another order of bags: only the density shows which bag is whose.
    right = CoinTosses.distinct

    def exchanged(self: CoinTosses) -> CoinTosses:
        sound = right(self)
        heads = np.array(sound.heads)
        heads[:4] = [2, 3, 5, 6]  # for 1, 4, 4, 7: the same sum, other bags
        return CoinTosses(heads, sound.tosses, sound.counts, sound.labels)

    monkeypatch.setattr(CoinTosses, "distinct", exchanged)
    check = checked(declare(CoinTosses([1, 4, 4, 7, 9], [10, 10, 11, 10, 10])))
    assert (check.outcome, check.engine) == ("fail", "comparison")


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("labels", ["hidden", "partly known"])
def test_every_structure_passes_with_its_rows_as_declared(case: Case, labels: Any) -> None:
    problem = case.problem(3, labels)
    check = checked(problem, given(problem, compiled(case)))
    assert check.outcome == "pass", check.explanation


@pytest.mark.parametrize("size", [1e-120, 1e-6, 1e6, 1e120])
@pytest.mark.parametrize("covariance", ["full", "diagonal", "spherical", "tied"])
def test_the_third_density_changes_with_the_unit_as_a_density_does(size: float, covariance: Any) -> None:
    random = np.random.default_rng(RANDOM)
    y = random.normal(size=(40, 2)) + 5.0
    one, other = (declare(Measurements(u * y), covariance=covariance) for u in (1.0, size))
    point: Any = one.random_parameters(random)
    moved = GaussianParameters(point.weights, size * point.means, size**2 * point.covariances)
    difference = third_density.log_likelihood(one, point) - third_density.log_likelihood(other, moved)
    assert difference == pytest.approx(40 * 2 * np.log(size), rel=1e-11, abs=1e-9)
    numbers, there = third_density.prior_numbers(one), third_density.prior_numbers(other)
    np.testing.assert_allclose(there["scale"], size**2 * numbers["scale"], rtol=1e-10)
    matrices = 1 if covariance == "tied" else 2
    powers = 2 * 2 + matrices * {"full": 6, "tied": 6, "diagonal": 4, "spherical": 2}[covariance]
    difference = third_density.log_prior(one, point) - third_density.log_prior(other, moved)
    assert difference == pytest.approx(powers * np.log(size), rel=1e-11, abs=1e-9)


def test_many_tosses_have_the_probability_that_exact_arithmetic_gives() -> None:
    from fractions import Fraction
    from math import comb

    for heads, tosses, p in ((3, 4000, 0.0009765625), (1000, 2048, 0.5), (0, 5000, 0.0009765625), (4990, 5000, 0.75)):
        q = Fraction(p)
        exact = comb(tosses, heads) * q**heads * (1 - q) ** (tosses - heads)
        # The logarithm of a fraction of large integers, without a float between that could vanish.
        shift = exact.denominator.bit_length() - exact.numerator.bit_length()
        expected = np.log(float(exact * 2**shift)) - shift * np.log(2)
        got = third.binomial(np.array([float(heads)]), np.array([float(tosses)]), p)[0]
        assert got == pytest.approx(expected, rel=1e-12)


def test_bags_of_one_row_of_an_impossible_coin_have_no_density() -> None:
    problem = declare(CoinTosses([2000, 1990], 2000))
    impossible = CoinParameters([0.5, 0.5], [1.0, 1.0])
    assert third_density.log_likelihood(problem, impossible) == -np.inf


@pytest.mark.parametrize(
    ("planted", "problem"),
    [
        (broken_comparison.merges_rows, coins),
        (broken_comparison.drops_counts, coins),
        (broken_comparison.drops_counts, normals),
        (broken_comparison.sorts_columns_apart, normals),
        (broken_comparison.wrong_shrinkage, normals),
    ],
)
def test_faults_that_studies_plant_in_shared_code_are_found(planted: Any, problem: Any) -> None:
    with ExitStack() as stack:
        for replaced in planted(problem(), None):
            stack.enter_context(replaced)
        check = checked(problem())
        assert (check.outcome, check.engine) == ("fail", "comparison")
    assert checked(problem()).outcome == "pass"


def test_totals_are_those_of_the_rows_and_of_no_others() -> None:
    rows = normals().family.declared(normals().data)
    order = np.random.default_rng(2).permutation(len(rows.counts))
    shuffled = DeclaredRows.from_arrays(rows.columns[order], rows.counts[order], rows.labels[order])
    assert differing_total(rows, shuffled, ["1", "2"]) is None
    moved = np.array(rows.columns)
    moved[7, 1] += 1e-9 * rows.spread[1]
    assert differing_total(rows, DeclaredRows.from_arrays(moved, rows.counts, rows.labels), ["1", "2"]) is not None
