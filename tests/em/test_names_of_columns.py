"""Rows that come in a second time go by the names of their columns, and what does not match is refused, never guessed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.dataframe
import numpy as np
import pandas as pd
import pyarrow
import pyarrow.dataset
import pytest

import em
import models
from models import CoinTosses, GaussianPrior, Measurements
from models.inputs import Floats

RANDOM = np.random.default_rng(14)
N = 120
HEIGHTS = np.where(np.arange(N) % 2 == 0, 164.0, 178.0) + 6 * RANDOM.normal(size=N)
FRAME = pd.DataFrame({"height": HEIGHTS, "weight": 0.9 * (HEIGHTS - 100) + 7 * RANDOM.normal(size=N)})
SEX = np.where(np.arange(N) < 20, np.arange(N) % 2, -1)
SEEN = RANDOM.integers(0, 3, size=N)
FIT = em.gaussian_mixture(FRAME, 2)
SHARES: Floats = FIT.responsibilities(FRAME)


def in_memory(_: Path, frame: pd.DataFrame) -> Any:
    return frame


def as_measurements(_: Path, frame: pd.DataFrame) -> Any:
    return Measurements(frame)


def on_a_cluster(_: Path, frame: pd.DataFrame) -> Any:
    return dask.dataframe.from_pandas(frame, npartitions=3)


def in_a_file(folder: Path, frame: pd.DataFrame) -> Any:
    frame.to_parquet(folder / "rows.parquet", index=False)
    return folder / "rows.parquet"


def in_arrow(folder: Path, frame: pd.DataFrame) -> Any:
    return pyarrow.dataset.dataset(in_a_file(folder, frame))


type Place = Callable[[Path, pd.DataFrame], Any]
PLACES = [in_memory, as_measurements, on_a_cluster, in_a_file, in_arrow]


@pytest.mark.parametrize("place", PLACES)
def test_columns_are_found_by_name_in_any_order(place: Place, tmp_path: Path) -> None:
    given = place(tmp_path, FRAME[["weight", "height"]])
    np.testing.assert_allclose(np.asarray(FIT.responsibilities(given)), SHARES, rtol=0, atol=1e-12)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("new", ["Height", "hight", "height_cm", "stature"])
def test_a_renamed_column_is_refused_with_the_nearest(place: Place, new: str, tmp_path: Path) -> None:
    given = place(tmp_path, FRAME.rename(columns={"height": new})[["weight", new]])
    remedy = f"give one of {new}" if new == "stature" else f"the nearest is '{new}'"
    message = f"the table has no column 'height', which is needed; {remedy}"
    with pytest.raises(ValueError, match=re.escape(message)):
        FIT.responsibilities(given)


@pytest.mark.parametrize("place", [p for p in PLACES if p is not as_measurements])
def test_other_columns_are_left_alone(place: Place, tmp_path: Path) -> None:
    given = place(tmp_path, FRAME.assign(name="x", age=40)[["age", "weight", "name", "height"]])
    np.testing.assert_allclose(np.asarray(FIT.responsibilities(given)), SHARES, rtol=0, atol=1e-12)


def test_what_has_no_names_goes_by_its_places() -> None:
    by_place = em.gaussian_mixture(FRAME.to_numpy(), 2)
    numbered = pd.DataFrame(FRAME.to_numpy())
    np.testing.assert_array_equal(by_place.responsibilities(numbered), SHARES)
    np.testing.assert_array_equal(FIT.responsibilities(FRAME.to_numpy()), SHARES)
    # "1" and "2" are the places of the fit's features, and no names of columns.
    with pytest.raises(ValueError, match="data has 3 features but the fit has 2"):
        by_place.responsibilities(numbered.assign(**{"2": 1.0}).set_axis([0, 1, 2], axis=1))


@pytest.mark.parametrize("place", [in_memory, on_a_cluster])
def test_columns_that_cannot_be_told_apart_are_refused(place: Place, tmp_path: Path) -> None:
    for names, message in (
        ([1, "1"], "y has 2 columns named '1'; give each a name of its own"),
        (["a", "a"], "y has 2 columns named 'a'; give each a name of its own"),
        (["a", " "], "column 2 of y has an empty name"),
    ):
        with pytest.raises(ValueError, match=message):
            em.gaussian_mixture(place(tmp_path, FRAME.set_axis(names, axis=1)), 2)
    twice = pd.concat([FRAME, FRAME["height"]], axis=1)
    with pytest.raises(ValueError, match="the table has 2 columns named 'height'; leave one of them"):
        FIT.responsibilities(place(tmp_path, twice))


@pytest.mark.parametrize("kind", ["Float64", "double[pyarrow]", "float32[pyarrow]", None])
@pytest.mark.parametrize("place", [in_memory, as_measurements, on_a_cluster, in_a_file])
def test_nullable_frames_are_taken_where_nullable_columns_are(place: Place, kind: Any, tmp_path: Path) -> None:
    whole = FRAME.round().assign(n=SEEN)
    nullable = whole.convert_dtypes() if kind is None else whole.astype(kind)
    expected = em.gaussian_mixture(whole[["height", "weight"]], 2)
    np.testing.assert_allclose(
        np.asarray(expected.responsibilities(place(tmp_path, nullable[["weight", "height"]]))),
        expected.responsibilities(whole),
        rtol=0,
        atol=1e-12,
    )
    if place is in_memory:
        rows = Measurements(nullable, counts="n")
        assert rows.y.dtype == np.float64
        assert np.array_equal(rows.y, whole[["height", "weight"]])
        assert np.array_equal(rows.counts, SEEN)


def test_a_value_missing_from_a_nullable_frame_is_named_and_a_boolean_is_no_number() -> None:
    lost = FRAME.convert_dtypes()
    lost.loc[7, "weight"] = pd.NA
    with pytest.raises(ValueError, match=r"y holds 1 values that are NaN or infinite, the first at row 7, column 1"):
        em.gaussian_mixture(lost, 2)
    with pytest.raises(TypeError, match="y must hold numbers, but holds True of type bool at row 0, column 2"):
        em.gaussian_mixture(FRAME.assign(smokes=True), 2)


@pytest.mark.parametrize("place", [in_memory, on_a_cluster, in_a_file])
def test_labels_and_counts_in_a_table_are_as_in_the_fit(place: Place, tmp_path: Path) -> None:
    whole = FRAME.assign(sex=SEX, n=SEEN)
    fit = em.gaussian_mixture(place(tmp_path, whole), 2, labels="sex", counts="n")
    known = SEX >= 0
    again = np.asarray(fit.responsibilities(place(tmp_path, whole[["n", "weight", "sex", "height"]])))
    assert np.array_equal(again[known], np.eye(2)[SEX[known]])
    # New rows may have no such column: nothing is known of them.
    unknown = np.asarray(fit.responsibilities(place(tmp_path, whole[["weight", "height"]])))
    assert np.array_equal(unknown[~known], again[~known])
    assert (unknown[known] < 1).all()
    rows = fit.responsibilities(Measurements(whole, labels="sex", counts="n"))
    np.testing.assert_allclose(again, rows, rtol=0, atol=1e-12)


def test_counts_and_labels_that_are_no_columns_are_refused_with_the_nearest() -> None:
    for name, given in (("labels", "Sex"), ("counts", "nn")):
        options: dict[str, Any] = {name: given}
        with pytest.raises(ValueError, match=f"{name} is '{given}', which is no column of y; the nearest is"):
            em.gaussian_mixture(FRAME.assign(sex=SEX, n_n=SEEN), 2, **options)
    with pytest.raises(ValueError, match="labels is 'sex', which is no column of y, an array"):
        em.gaussian_mixture(HEIGHTS, 2, labels="sex")


def test_bags_of_coins_go_by_the_names_of_their_columns(tmp_path: Path) -> None:
    bags = pd.DataFrame({"n_tosses": [10] * 5, "heads": [5, 9, 8, 4, 7]})
    with pytest.raises(
        ValueError, match="the table has no column 'tosses', which is needed; the nearest is 'n_tosses'"
    ):
        em.distinct_tosses(in_a_file(tmp_path, bags))
    fit = em.coin_mixture(CoinTosses(bags["heads"], 10), 2)
    with pytest.raises(TypeError, match=r"data must be models\.CoinTosses, but is DataFrame"):
        fit.responsibilities(bags)


def test_a_prior_is_for_the_columns_that_it_was_made_from() -> None:
    prior = GaussianPrior.weakly_informative(FRAME, 2)
    turned = FRAME[["weight", "height"]]
    for build in (em.gaussian_mixture, models.gaussian_mixture):
        with pytest.raises(ValueError, match="prior is for the columns height, weight but y has weight, height"):
            build(turned, 2, prior=prior)
    assert em.gaussian_mixture(FRAME, 2, prior=prior).status == "converged"


def test_em_takes_measurements_as_models_does() -> None:
    rows = Measurements(FRAME.assign(sex=SEX), labels="sex")
    fit, other = em.gaussian_mixture(rows, 2), em.gaussian_mixture(FRAME, 2, labels=SEX)
    assert fit.log_likelihood == other.log_likelihood
    assert fit.standard_errors.names == other.standard_errors.names
    for build in (em.gaussian_mixture, models.gaussian_mixture):
        with pytest.raises(ValueError, match="y is Measurements, which has labels and counts of its own"):
            build(rows, 2, labels=SEX)
    with pytest.raises(ValueError, match="y is Measurements, which has labels and counts of its own"):
        GaussianPrior.weakly_informative(rows, 2, counts=SEEN)
