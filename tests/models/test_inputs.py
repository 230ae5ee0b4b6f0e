"""Bad input is refused before either engine sees it: which argument, which value, where, and what to do instead."""

from __future__ import annotations

import re
import tracemalloc
from typing import Any

import numpy as np
import pandas as pd
import pytest

import em
import models
from models import CoinParameters, CoinPrior, CoinTosses, GaussianParameters, GaussianPrior, Measurements

Y = np.array([1.0, 2.0, 4.0, 7.0])
TWO = np.array([[1.0, 5.0], [2.0, 3.0], [4.0, 4.0], [7.0, 1.0]])
FIVE_BAGS = CoinTosses([5, 9, 8, 4, 7], 10)
EYE = np.eye(2)


def fit_coins(**options: Any) -> Any:
    return lambda: em.coin_mixture(FIVE_BAGS, **{"n_components": 2, **options})


def fit_normals(y: Any = Y, **options: Any) -> Any:
    return lambda: em.gaussian_mixture(y, **{"n_components": 2, **options})


def untyped(value: Any) -> Any:
    """What a user without a type checker may write."""
    return value


def prior(**numbers: Any) -> Any:
    return lambda: GaussianPrior(**{"mean": 0.0, "shrinkage": 1.0, "degrees_of_freedom": 3.0, "scale": 1.0, **numbers})


REFUSED: list[tuple[Any, type[Exception], str]] = [
    # Tosses
    (lambda: CoinTosses([5, 11], 10), ValueError,
     "heads[1] is 11 but only 10 coins were tossed; heads must lie in 0..tosses"),
    (lambda: CoinTosses([5, -1], 10), ValueError,
     "heads[1] is -1, which is below 0; heads must be whole numbers of at least 0"),
    (lambda: CoinTosses([5, 5.5], 10), ValueError, "heads[1] is 5.5, which is not a whole number"),
    (lambda: CoinTosses([5, 9], [10, 0]), ValueError,
     "tosses[1] is 0, which is below 1; tosses must be whole numbers of at least 1"),
    (lambda: CoinTosses([5, 9], 0), ValueError, "tosses is 0, which is below 1"),
    (lambda: CoinTosses([5, 9], [10]), ValueError,
     "tosses has 1 values but heads has 2; give one number for all bags or one per bag"),
    (lambda: CoinTosses([], 10), ValueError, "heads is empty (shape (0,)); give at least one row"),
    (lambda: CoinTosses([5, np.nan, np.inf], 10), ValueError,
     "heads holds 2 values that are NaN or infinite, the first at index 1 (nan); drop or correct those rows first"),
    (lambda: CoinTosses([True, False], 10), TypeError,
     "heads holds booleans where numbers belong; convert them with .astype(int) if 0 and 1 are meant"),
    (lambda: CoinTosses([5, True], 10), TypeError, "heads holds booleans where numbers belong"),
    (lambda: CoinTosses(["5", "9"], 10), TypeError,
     "heads must hold numbers, but holds '5' of type str at index 0; convert it to a number"),
    (lambda: CoinTosses([5, 9], "10"), TypeError, "tosses must hold numbers"),
    (lambda: CoinTosses([5, 9], True), TypeError, "tosses holds booleans"),
    (lambda: CoinTosses([[5], [9]], 10), ValueError, "heads must be a vector, but has shape (2, 1)"),
    (lambda: CoinTosses([[5], [9, 1]], 10), ValueError,
     "heads is ragged: its rows have different lengths; give a rectangular array"),
    (lambda: CoinTosses(untyped([5, None]), 10), ValueError,
     "heads holds 1 missing values, the first at index 1; drop those rows first"),
    (lambda: CoinTosses([2.0**60, 1], 2**61), ValueError, "heads[0] is 1.15292e+18, which is above 2^53"),
    (lambda: CoinTosses([5, 9], 10, counts=[1, -2]), ValueError, "counts[1] is -2, which is below 0"),
    (lambda: CoinTosses([5, 9], 10, counts=[1.5, -0.5]), ValueError, "counts[1] is -0.5, which is below 0"),
    (lambda: CoinTosses([5, 9], 10, counts=[1]), ValueError,
     "counts has 1 values but there are 2 rows; give one count per row"),
    (lambda: CoinTosses([5, 9], 10, counts=[0, 0]), ValueError, "counts are all zero: there are no data"),
    (lambda: CoinTosses([5, 9], 10, labels=[0, -2]), ValueError,
     "labels[1] is -2, which is below -1; labels must be whole numbers of at least -1"),
    (lambda: CoinTosses([5, 9], 10, labels=[0]), ValueError,
     "labels has 1 values but there are 2 rows; give one label per row, -1 where unknown"),
    (lambda: CoinTosses([5, 9], 10, labels=["A", "B"]), TypeError, "labels must hold numbers"),
    # Parameters and priors of coins
    (lambda: CoinParameters([0.5, 0.6], [0.1, 0.2]), ValueError,
     "weights sum to 1.1, not 1; divide them by their sum if proportions are meant"),
    (lambda: CoinParameters([1.5, -0.5], [0.1, 0.2]), ValueError,
     "weights[0] is 1.5; weights are probabilities and must lie in [0, 1]"),
    (lambda: CoinParameters([0.5, 0.5], [0.1, 1.2]), ValueError,
     "head_probabilities[1] is 1.2; probabilities must lie in [0, 1]"),
    (lambda: CoinParameters([0.5, 0.5], [0.1]), ValueError,
     "head_probabilities has 1 values but weights has 2; give one per component"),
    (lambda: CoinParameters([0.5, 0.5], [0.1, np.nan]), ValueError,
     "head_probabilities holds 1 values that are NaN or infinite, the first at index 1"),
    (lambda: CoinPrior(heads=0), ValueError, "heads is 0, but must be above 0 for the prior to be proper"),
    (lambda: CoinPrior(concentration=-1), ValueError, "concentration is -1, but must be above 0"),
    (lambda: CoinPrior(tails=np.inf), ValueError,
     "tails holds 1 values that are NaN or infinite, the first at its only value (inf)"),
    (lambda: CoinPrior(heads=True), TypeError, "heads holds booleans"),
    (lambda: CoinPrior(heads=untyped("1")), TypeError, "heads must hold numbers"),
    # Fitting coins
    (lambda: em.coin_mixture(untyped([5, 9]), 2), TypeError,
     "tosses must be models.CoinTosses, but is list; write CoinTosses(heads=..., tosses=..., ...)"),
    (fit_coins(n_components=0), ValueError, "n_components is 0; a mixture has at least 1 component"),
    (fit_coins(n_components=2.0), TypeError, "n_components must be a whole number, but is 2.0"),
    (fit_coins(n_components=True), TypeError, "n_components must be a whole number, but is True"),
    (fit_coins(n_components=6), ValueError, "there are 5 rows for 6 components; give at least one row per component"),
    (fit_coins(weights="even"), ValueError,
     'weights is "even"; give "free", "equal" or an array of 2 numbers that sum to 1'),
    (fit_coins(weights=[0.2, 0.3]), ValueError, "weights sum to 0.5, not 1"),
    (fit_coins(weights=[0.2, 0.3, 0.5]), ValueError,
     "weights has 3 values but n_components is 2; give one weight per component"),
    (fit_coins(weights=[1.0, 0.0]), ValueError, "weights[1] is held at 0: that component does not exist; leave it out"),
    (fit_coins(prior=CoinPrior(heads=0.5)), ValueError,
     "prior.heads is 0.5; below 1 the prior density is infinite at a bound and the posterior has no mode: give at "
     "least 1 here, or sample the model instead"),
    (fit_coins(prior=CoinPrior(concentration=0.5)), ValueError, "prior.concentration is 0.5"),
    (fit_coins(prior=3), TypeError, "prior must be models.CoinPrior, but is int"),
    (fit_coins(start=CoinParameters([1], [0.5])), ValueError, "start has 1 components but n_components is 2"),
    (fit_coins(weights="equal", start=CoinParameters([0.4, 0.6], [0.5, 0.6])), ValueError,
     "start.weights are [0.4 0.6] but the weights are held at [0.5 0.5]; give the same values"),
    (fit_coins(start=[0.5, 0.6]), TypeError, "start must be models.CoinParameters, but is list"),
    (fit_coins(method="newton"), ValueError, 'method is \'newton\'; give "em", "nelder-mead" or "bfgs"'),
    (fit_coins(acceleration="yes"), ValueError,
     'acceleration is \'yes\'; give None, "auto", "newton", "squarem" or "anderson"'),
    (fit_coins(method="bfgs", acceleration="squarem"), ValueError,
     'acceleration="squarem" is a variant of EM; leave it out with method="bfgs"'),
    (lambda: em.coin_mixture(CoinTosses([5, 9], 10, labels=[0, 2]), 2), ValueError,
     "labels[1] is 2 but there are 2 components; labels must lie in 0..1, or be -1 where the component is not "
     "known"),
    # Measurements
    (lambda: Measurements([]), ValueError, "y is empty (shape (0,)); give at least one row"),
    (lambda: Measurements(np.zeros((3, 0))), ValueError, "y is empty (shape (3, 0))"),
    (lambda: Measurements(np.zeros((2, 2, 2))), ValueError,
     "y must be a vector or a table of rows and columns, but has shape (2, 2, 2)"),
    (lambda: Measurements(3.0), ValueError, "y must be a vector or a table of rows and columns, but has shape ()"),
    (lambda: Measurements(untyped([[1.0, 2.0], [3.0]])), ValueError,
     "y is ragged: its rows have different lengths; give a rectangular array"),
    (lambda: Measurements([[1.0, np.inf], [2.0, 3.0], [np.nan, 0.0]]), ValueError,
     "y holds 2 values that are NaN or infinite, the first at row 0, column 1 (inf); drop or correct those rows "
     "first"),
    (lambda: Measurements(np.array([1 + 2j])), TypeError, "y must hold numbers, but holds (1+2j) of type complex at index 0"),
    (lambda: Measurements(pd.DataFrame({"a": [1.0], "b": ["x"]})), TypeError, "y must hold numbers"),
    (lambda: Measurements(pd.Series([1, 2, None], dtype="Int64")), ValueError,
     "y holds 1 values that are NaN or infinite, the first at index 2"),
    (lambda: Measurements(np.ma.masked_array([1.0, 2.0], [False, True])), ValueError,
     "y is a masked array with 1 masked values; drop those rows first"),
    (lambda: Measurements(Y, counts=[1, 1]), ValueError, "counts has 2 values but there are 4 rows"),
    (lambda: Measurements(Y, labels=[0.5, 0, 0, 0]), ValueError, "labels[0] is 0.5, which is not a whole number"),
    # Parameters and priors of normals
    (lambda: GaussianParameters([1], [[0, 0]], [EYE * 0]), ValueError,
     "covariances[0] has a diagonal entry that is not positive: [0. 0.]; variances must be above 0"),
    (lambda: GaussianParameters([1], [[0, 0]], [[[1.0, 0.5], [0.0, 1.0]]]), ValueError,
     "covariances[0] is not symmetric; a covariance equals its transpose"),
    (lambda: GaussianParameters([1], [[0, 0]], [[[1, 2], [2, 1]]]), ValueError,
     "covariances[0] is not positive definite; its columns are linearly dependent"),
    (lambda: GaussianParameters([1], [[0, 0]], EYE), ValueError,
     "covariances must be a stack of matrices, but has shape (2, 2)"),
    (lambda: GaussianParameters([0.5, 0.5], [0, 1], [1]), ValueError,
     "covariances has shape (1,); 2 components with 1 features need (2, 1, 1)"),
    (lambda: GaussianParameters([1], [0, 1], [1, 1]), ValueError,
     "means has 2 rows but weights has 1 values; give one row per component"),
    (prior(shrinkage=0), ValueError, "shrinkage is 0, but must be above 0 for the prior to be proper"),
    (prior(degrees_of_freedom=0), ValueError, "degrees_of_freedom is 0, but must be above 0"),
    (prior(mean=[0, 0], scale=EYE, degrees_of_freedom=1), ValueError,
     "degrees_of_freedom is 1, but must be above 1 for the prior to be proper"),
    (prior(mean=[0, 0], scale=np.ones((2, 2))), ValueError,
     "scale is not positive definite; its columns are linearly dependent"),
    (prior(scale=-1.0), ValueError, "scale has a diagonal entry that is not positive"),
    (prior(mean=[0, 0], scale=np.eye(3)), ValueError,
     "scale has shape (3, 3) but mean has 2 values; scale must be (2, 2)"),
    (prior(concentration=np.nan), ValueError, "concentration holds 1 values that are NaN or infinite"),
    (lambda: GaussianPrior.weakly_informative([1.0, 1.0], 2), ValueError,
     "column '1' of y is constant (1); drop it, it has no spread to model"),
    (lambda: GaussianPrior.weakly_informative([[1.0, 2.0], [2.0, 3.0]], 2), ValueError,
     "y has 2 rows and 2 columns; a covariance needs more rows than columns"),
    # Fitting normals
    (fit_normals([3.0, 3.0, 3.0]), ValueError, "column '1' of y is constant (3); drop it, it has no spread to model"),
    (fit_normals(pd.DataFrame({"a": [1.0, 2.0, 4.0], "b": [5.0, 5.0, 5.0]})), ValueError,
     "column 'b' of y is constant (5)"),
    (fit_normals(np.column_stack([TWO, TWO.sum(axis=1)])), ValueError,
     "columns '1', '2', '3' of y are collinear; drop one of them"),
    (fit_normals(np.column_stack([TWO, 1e6 - 3 * TWO[:, 1]])), ValueError,
     "columns '2', '3' of y are collinear; drop one of them"),
    (fit_normals(TWO[:2]), ValueError, "y has 2 rows and 2 columns; a covariance needs more rows than columns"),
    (fit_normals([1.0]), ValueError, "there are 1 rows for 2 components; give at least one row per component"),
    (fit_normals(covariance="diag"), ValueError,
     "covariance is 'diag'; give one of full, tied, diagonal, spherical, tied-diagonal, tied-spherical"),
    (fit_normals(covariance=["full"]), ValueError, "covariance is ['full']; give one of full"),
    (fit_normals(weights=[0.5, 0.5, 0.0]), ValueError, "weights has 3 values but n_components is 2"),
    (fit_normals(labels=[0, 1, 2, -1]), ValueError, "labels[2] is 2 but there are 2 components"),
    (fit_normals(prior=GaussianPrior([0, 0], 1, 3, EYE)), ValueError,
     "prior is for 2 features but y has 1; give one prior mean per feature"),
    (fit_normals(prior=GaussianPrior(0, 1, 3, 1, concentration=0.9)), ValueError,
     "prior.concentration is 0.9; below 1"),
    (fit_normals(prior=CoinPrior()), TypeError, "prior must be models.GaussianPrior, but is CoinPrior"),
    (fit_normals(start=CoinParameters([1], [0.5])), TypeError,
     "start must be models.GaussianParameters, but is CoinParameters"),
    (fit_normals(start=GaussianParameters([0.5, 0.5], TWO[:2], [EYE, EYE])), ValueError,
     "start has 2 features but y has 1; give as many of both"),
    (fit_normals(covariance="tied", start=GaussianParameters([0.5, 0.5], [1, 2], [1, 2])), ValueError,
     "covariances differ between components but are declared tied; give the same matrix for all"),
    (fit_normals(TWO, covariance="diagonal", start=GaussianParameters([0.5, 0.5], TWO[:2], [[[1, 0.5], [0.5,
     1]]] * 2)), ValueError,
     "covariances have entries off the diagonal but are declared diagonal; set them to 0"),
    (fit_normals(TWO, covariance="spherical", start=GaussianParameters([0.5, 0.5], TWO[:2], [np.diag([1,
     2])] * 2)), ValueError,
     "variances differ between features but are declared spherical; give the same value for all"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), REFUSED, ids=[message[:48] for *_, message in REFUSED])
def test_bad_input_is_refused_with_its_place_and_the_remedy(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        call()


def test_whole_numbers_may_be_written_as_floats() -> None:
    tosses = CoinTosses(np.array([5.0, 9.0]), 10.0, counts=[2.0, 1.0], labels=[-1.0, 0.0])
    assert tosses.heads.dtype == np.int64
    assert tosses.tosses.tolist() == [10, 10]


def test_frames_series_and_lists_are_taken_by_their_values() -> None:
    frame = pd.DataFrame({"a": [1, 2, 4], "b": [5.0, 3.0, 4.0]}, index=[7, 3, 5])
    assert Measurements(frame).y.tolist() == [[1, 5], [2, 3], [4, 4]]
    assert Measurements(frame).features == ("a", "b")
    assert Measurements(frame["a"]).y.tolist() == [[1], [2], [4]]
    assert Measurements([[1, 2], [3, 4]]).features == ("1", "2")
    assert CoinTosses(pd.Series([5, 9]), pd.Series([10, 12])).tosses.tolist() == [10, 12]


def test_what_was_handed_in_is_neither_kept_nor_locked() -> None:
    y, heads = np.array([1.0, 2.0]), np.array([5, 9])
    data, tosses = Measurements(y), CoinTosses(heads, 10)
    y[0], heads[0] = 9.0, 1
    assert data.y[0, 0] == 1
    assert tosses.heads[0] == 5


@pytest.mark.parametrize(
    ("fitted", "option", "told"),
    [
        (em.exponential_mixture, "censord", "censord is not an argument of this fit; did you mean censored?"),
        (em.negative_binomial_mixture, "exposures", "did you mean exposure?"),
        (em.regression_mixture, "concomitant", "did you mean concomitants?"),
        (em.gamma_mixture, "bogus", "bogus is not an argument of this fit; give y, censored"),
    ],
)
def test_an_argument_that_no_fit_has_is_refused_and_not_ignored(fitted: Any, option: str, told: str) -> None:
    with pytest.raises(TypeError, match=re.escape(told)):
        fitted(Y, **{option: Y})


@pytest.mark.parametrize(
    "asked",
    [
        lambda y: models.GammaPrior.weakly_informative(y, 2),
        lambda y: models.RegressionPrior.weakly_informative(y, 2),
        models.ExponentialPrior.weakly_informative,
    ],
)
def test_a_default_prior_asks_for_the_rows_of_its_family(asked: Any) -> None:
    with pytest.raises(TypeError, match=r"data (must be|is of type)"):
        asked(Y)


@pytest.mark.parametrize("told", [{}, {"counts": np.ones(100_000), "labels": np.full(100_000, -1)}])
def test_rows_that_were_seen_once_each_without_labels_are_held_without_a_number_for_each(told: dict[str, Any]) -> None:
    data = Measurements(np.arange(1e5)[::-1], **told)
    tracemalloc.start()
    distinct = data.distinct()
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < 1.1 * distinct.y.nbytes
    assert (data.n, distinct.n) == (100_000, 100_000)
    assert set(distinct.labels.tolist()) == {-1}


@pytest.mark.parametrize("labels", [None, [0, 0, 0, 1, 1]])
def test_rows_that_are_distinct_and_sorted_are_not_copied(labels: list[int] | None) -> None:
    y = np.array([[1.0, 5.0], [1.0, 7.0], [2.0, -3.0], [0.0, 1.0], [4.0, 0.0]])
    y = y if labels else y[[3, 0, 1, 2, 4]]
    data = Measurements(y, labels=labels)
    assert data.distinct() is data
    for other in ([1, 0, 2, 3, 4], [0, 1, 2, 4, 3], [0, 1, 2, 3, 3], [0, 0, 1, 2, 3]):
        found = Measurements(y[other], labels=None if labels is None else np.array(labels)[other]).distinct()
        assert (found.n, len(found.y)) == (5, len(set(other)))
        assert found.distinct() is found
    assert Measurements(y[[1, 0, 2, 3, 4]], labels=labels).distinct().y.tolist() == y.tolist()


def test_values_show_what_they_hold() -> None:
    assert repr(CoinTosses([5], 10)).startswith("CoinTosses(heads=array([5]), tosses=array([10])")
    assert repr(Measurements([1.0])).startswith("Measurements(y=array([[1.]])")
    assert repr(CoinPrior()) == "CoinPrior(heads=1.0, tails=1.0, concentration=1.0)"
    assert CoinPrior() == CoinPrior(heads=1)
