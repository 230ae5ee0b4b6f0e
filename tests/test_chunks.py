"""Rows that are not in memory, read chunk by chunk or on a cluster, give the fit that the same rows in memory give."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dask.array
import dask.dataframe
import numpy as np
import pandas as pd
import pyarrow
import pyarrow.dataset
import pytest

import em
from em import chunks
from em.sample import SAMPLE, Sample, drawn, keys
from models import GaussianPrior, Measurements
from models.inputs import Floats, Integers

ROOT = Path(__file__).parent.parent
N = 5000
# Both fits end within 1e-8 standard errors of the same maximum, and a standard error here is under a tenth of a column's
# standard deviation.
PARAMETERS = 1e-9
LOG_LIKELIHOOD = 1e-10


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three numbers would be a chunk as well; here it is some hundreds of rows."""
    monkeypatch.setattr(chunks, "NUMBERS", 2000)


def table() -> pd.DataFrame:
    """Three clusters in two features of different units, one far from 0, with a few labels and counts from 0 to 3."""
    random = np.random.default_rng(1)
    z = random.choice(3, size=N, p=[0.5, 0.3, 0.2])
    y = np.array([[0.0, 0.0], [4.0, 1.0], [-2.0, 5.0]])[z] + random.normal(size=(N, 2)) * [1.0, 0.7]
    labels = np.where(random.random(N) < 0.01, z, -1)
    return pd.DataFrame({"u": y[:, 0] + 1e4, "v": 1e-3 * y[:, 1], "n": random.integers(0, 4, size=N), "z": labels})


TABLE = table()
Y: Floats = TABLE[["u", "v"]].to_numpy()
COUNTS: Integers = TABLE["n"].to_numpy()
LABELS: Integers = TABLE["z"].to_numpy()


def mapped(folder: Path, name: str, array: Any) -> Any:
    np.save(folder / f"{name}.npy", array)
    return np.load(folder / f"{name}.npy", mmap_mode="r")


def parquet(folder: Path, table: pd.DataFrame) -> Path:
    """A directory of two files of several row groups each."""
    (folder / "rows").mkdir()
    for part in range(2):
        half = table.iloc[part * N // 2 : (part + 1) * N // 2]
        half.to_parquet(folder / "rows" / f"{part}.parquet", row_group_size=700, index=False)
    return folder / "rows"


def in_memory_map(folder: Path, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    return mapped(folder, "y", Y), {name: mapped(folder, name, values) for name, values in options.items()}


def in_files(folder: Path, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    return parquet(folder, TABLE[["u", "v", *_columns(options).values()]]), _columns(options)


def in_dataset(folder: Path, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    rows = pyarrow.Table.from_pandas(TABLE[["u", "v", *_columns(options).values()]])
    with pyarrow.OSFile(str(folder / "rows.arrow"), "wb") as file, pyarrow.ipc.new_file(file, rows.schema) as writer:
        writer.write_table(rows, max_chunksize=900)
    return pyarrow.dataset.dataset(folder / "rows.arrow", format="ipc"), _columns(options)


def in_dask_array(_: Path, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    y = dask.array.from_array(Y, chunks=(1300, 1))
    return y, {name: dask.array.from_array(values, chunks=1000) for name, values in options.items()}


def in_dask_frame(_: Path, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    frame = dask.dataframe.from_pandas(TABLE[["u", "v", *_columns(options).values()]], npartitions=11)
    return frame[frame["u"] > -np.inf], _columns(options)


def _columns(options: dict[str, Any]) -> dict[str, str]:
    return {name: {"counts": "n", "labels": "z"}[name] for name in options}


PLACES = [in_memory_map, in_files, in_dataset, in_dask_array, in_dask_frame]


def same(one: Any, other: Any) -> None:
    """Log-likelihood, parameters in standard deviations of their columns, and standard errors."""
    assert one.status == other.status == "converged"
    assert abs(one.log_likelihood - other.log_likelihood) <= LOG_LIKELIHOOD * abs(other.log_likelihood)
    unit = Y.std(axis=0)
    for name, size in (("weights", 1.0), ("means", unit), ("covariances", unit * unit[:, None])):
        assert np.abs((getattr(one.parameters, name) - getattr(other.parameters, name)) / size).max() < PARAMETERS
    errors, others = one.standard_errors.covariance, other.standard_errors.covariance
    scale = np.sqrt(np.outer(np.diag(others), np.diag(others)))
    assert np.abs((errors - others) / np.where(scale == 0, 1.0, scale)).max() < 1e-6
    assert [m.regular for m in one.modes] == [m.regular for m in other.modes]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("given", [{}, {"counts": COUNTS, "labels": LABELS}], ids=["rows", "counts and labels"])
def test_a_fit_is_the_same_wherever_the_rows_are(
    place: Callable[..., tuple[Any, dict[str, Any]]], given: dict[str, Any], tmp_path: Path
) -> None:
    y, options = place(tmp_path, given)
    same(em.gaussian_mixture(y, 3, **options), em.gaussian_mixture(Y, 3, **given))


PRIOR = GaussianPrior.weakly_informative(Y, 3)


@pytest.mark.parametrize(
    "options",
    [
        {"covariance": "tied"},
        {"covariance": "spherical", "counts": COUNTS},
        {"covariance": "diagonal", "weights": [0.2, 0.5, 0.3]},
        {"covariance": "tied-diagonal", "weights": "equal"},
        {"prior": PRIOR, "labels": LABELS, "seed": 3},
        {"acceleration": "anderson"},
        {"acceleration": None},
        {"minimum_ratio": 0.1},
        {"covariance": "tied-spherical", "method": "bfgs"},
    ],
    ids=str,
)
def test_every_option_means_the_same_over_chunks(options: dict[str, Any], tmp_path: Path) -> None:
    y = mapped(tmp_path, "y", Y)
    bfgs = options.get("method") == "bfgs"  # which is started from the first start alone, and stops at gradients of 1e-7
    start = em.gaussian_mixture(Y, 3, covariance=options["covariance"]).parameters if bfgs else None
    same(em.gaussian_mixture(y, 3, start=start, **options), em.gaussian_mixture(Y, 3, start=start, **options))
