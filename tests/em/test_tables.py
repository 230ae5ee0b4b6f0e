"""What a table of rows may be, in memory or not: columns go by their names, and what is refused is named with its place."""

from __future__ import annotations

from pathlib import Path

import dask.array
import dask.dataframe
import numpy as np
import pandas as pd
import pyarrow
import pyarrow.dataset
import pytest

import em
from em.rows import chunks
from models import Measurements
from tests.stored_rows import COUNTS, LABELS, TABLE, N, Y, mapped, parquet, start


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chunk is a thousand rows here."""
    monkeypatch.setattr(chunks, "AT_A_TIME", 2000)


def test_labels_and_counts_may_be_columns_of_a_table_in_memory_too() -> None:
    rows, others = Measurements(TABLE, counts="n", labels="z"), Measurements(Y, COUNTS, LABELS)
    assert rows.features == ("u", "v")
    for name in ("y", "counts", "labels"):
        assert np.array_equal(getattr(rows, name), getattr(others, name))
    with pytest.raises(ValueError, match="counts is 'm', which is no column of y"):
        Measurements(TABLE, counts="m")


def test_columns_may_have_numbers_for_names() -> None:
    frame = pd.DataFrame(Y)
    fit = em.gaussian_mixture(dask.dataframe.from_pandas(frame, npartitions=3), 3, start=start())
    assert fit.standard_errors.names[3:5] == ("means[1, 0]", "means[1, 1]")
    shares = fit.responsibilities(frame[[1, 0]])
    np.testing.assert_array_equal(shares, fit.responsibilities(frame))


@pytest.mark.parametrize("where", ["here", "on a cluster"])
def test_the_columns_that_were_fitted_are_found_in_any_order(where: str) -> None:
    frame = TABLE[["u", "v"]]
    fit = em.gaussian_mixture(frame, 3, start=start())
    turned = frame[["v", "u"]]
    given = turned if where == "here" else dask.dataframe.from_pandas(turned, npartitions=2)
    np.testing.assert_allclose(np.asarray(fit.responsibilities(given)), fit.responsibilities(frame), rtol=0, atol=1e-12)


def test_one_column_is_not_both_counts_and_labels(tmp_path: Path) -> None:
    rows = parquet(tmp_path, pd.DataFrame({"a": Y[:, 0], "n": COUNTS}))
    with pytest.raises(ValueError, match="counts and labels are both 'n'; give a column for each, or leave one out"):
        em.gaussian_mixture(rows, 2, counts="n", labels="n")


def test_options_are_checked_before_any_row_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr("em.gaussians.fit.chunks_of", None)
    with pytest.raises(ValueError, match="acceleration is 'SQUAREM'; give None"):
        em.gaussian_mixture(Y, 2, acceleration="SQUAREM")  # type: ignore[arg-type]


def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"y is the path .*nowhere, where there is no file or directory"):
        em.gaussian_mixture(tmp_path / "nowhere", 2)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"y is the directory .*empty, which has no file; give Parquet or Arrow files"):
        em.gaussian_mixture(tmp_path / "empty", 2)


def test_what_is_refused_is_named_with_its_chunk(tmp_path: Path) -> None:
    bad, lost = Y.copy(), TABLE.drop(columns=["n", "z"]).copy()
    bad[1003, 1] = np.nan
    lost.loc[4010, "u"] = None
    with pytest.raises(
        ValueError, match=r"in y from row 1000 on, counted from there: y holds 1 values.*row 3, column 1 \(nan\)"
    ):
        em.gaussian_mixture(mapped(tmp_path, "bad", bad))
    with pytest.raises(
        ValueError, match=r"in partition 1 of y from row 0 on, counted from there: .* at row 3, column 1"
    ):
        em.gaussian_mixture(dask.array.from_array(bad, chunks=(1000, 2)))
    files = parquet(tmp_path, lost)
    with pytest.raises(
        ValueError, match=r"rows/1\.parquet from row 1400 on, counted from there: .* at row 110, column 0"
    ):
        em.gaussian_mixture(files)
    TABLE[["u"]].to_parquet(files / "2.parquet")
    with pytest.raises(
        ValueError, match=r"rows/2\.parquet has no column 'v', which y has elsewhere; add it to that file"
    ):
        em.gaussian_mixture(pyarrow.dataset.dataset(files).filter(pyarrow.dataset.field("u") > 0))
    y = mapped(tmp_path, "y", Y)
    with pytest.raises(ValueError, match=r"in y from row 0 on.*labels\[0\] is 2 but there are 2 components"):
        em.gaussian_mixture(y, 2, labels=np.full(N, 2))
    with pytest.raises(ValueError, match=r"counts has shape \(3,\) but y has 5000 rows"):
        em.gaussian_mixture(y, 2, counts=[1, 2, 3])
    with pytest.raises(ValueError, match="y has 5000 rows; give one of the labels per row"):
        em.gaussian_mixture(dask.array.from_array(Y), 2, labels=[0, 1])
    frame = dask.dataframe.from_pandas(TABLE.assign(name="a"), npartitions=2)
    with pytest.raises(ValueError, match="labels is 'sex', which is no column of y; give one of u, v, n, z, name"):
        em.gaussian_mixture(frame, labels="sex")
    with pytest.raises(
        TypeError, match="counts must be the name of a column where y is a table on disk or on a cluster"
    ):
        em.gaussian_mixture(frame, counts=COUNTS)
    TABLE.assign(name="a").to_parquet(tmp_path / "named.parquet")
    with pytest.raises(
        TypeError, match=r"column 'name' of y is of type .*string, but y must hold numbers; leave it out"
    ):
        em.gaussian_mixture(tmp_path / "named.parquet")


def test_a_bag_that_cannot_be_is_named_with_its_chunk(tmp_path: Path) -> None:
    rows = np.full((N, 2), 7)
    rows[1500, 0] = 8
    with pytest.raises(ValueError, match=r"in y from row 1000 on, counted from there: heads\[500\] is 8 but only 7"):
        em.distinct_tosses(mapped(tmp_path, "rows", rows))
    with pytest.raises(ValueError, match="y has the columns 1, 2, 3; give two: heads, and the tosses of each bag"):
        em.distinct_tosses(mapped(tmp_path, "three", np.full((N, 3), 7)))
    with pytest.raises(TypeError, match=r"y is in memory; give its columns to models\.CoinTosses"):
        em.distinct_tosses(rows)
