"""Rows that are not in memory, read chunk by chunk or on a cluster, give the fit that the same rows in memory give."""

from __future__ import annotations

import os
import signal
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array
import dask.dataframe
import distributed
import numpy as np
import pandas as pd
import pyarrow
import pyarrow.dataset
import pytest

import em
from em.mixture import AT_A_TIME
from em.rows import chunks
from em.rows.compiled import available, compiled_sums
from em.rows.dask_chunks import DaskRows
from em.rows.sample import SAMPLE, Sample, drawn, keys
from models import CoinTosses, GaussianParameters, GaussianPrior, Measurements
from models.inputs import Integers
from tests.stored_rows import COUNTS, LABELS, TABLE, N, Y, mapped, parquet, start

# Both fits end within 1e-8 standard errors of the same maximum, and a standard error here is under a tenth of a column's
# standard deviation.
PARAMETERS = 1e-9
LOG_LIKELIHOOD = 1e-10


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chunk is a thousand rows here."""
    monkeypatch.setattr(chunks, "AT_A_TIME", 2000)


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


LONG = [pytest.param(place, marks=pytest.mark.long) for place in (in_files, in_dataset, in_dask_frame)]
PLACES: list[Any] = [in_memory_map, in_dask_array, *LONG]


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
        {"covariance": "spherical", "counts": COUNTS, "start": start(covariance=100 * np.eye(2))},
        {"covariance": "diagonal", "weights": [0.2, 0.5, 0.3], "start": start([0.2, 0.5, 0.3])},
        {"covariance": "tied-diagonal", "weights": "equal", "start": start(np.full(3, 1 / 3))},
        {"prior": PRIOR, "labels": LABELS},
        {"acceleration": "anderson"},
        {"acceleration": "newton"},
        {"acceleration": None},
        {"minimum_ratio": 0.1},
        {"method": "bfgs"},
    ],
    ids=lambda options: " ".join(options),
)
def test_every_option_means_the_same_over_chunks(options: dict[str, Any], tmp_path: Path) -> None:
    given = {"start": start(), **options}
    same(em.gaussian_mixture(mapped(tmp_path, "y", Y), 3, **given), em.gaussian_mixture(Y, 3, **given))


def test_few_distinct_rows_are_collapsed_and_fitted_in_memory_exactly(tmp_path: Path) -> None:
    y = np.round(Y[:, 0] - 1e4, 1)
    one, other = em.gaussian_mixture(mapped(tmp_path, "y", y), 2), em.gaussian_mixture(y, 2)
    assert np.array_equal(one.trace, other.trace)
    assert np.array_equal(one.parameters.means, other.parameters.means)


def test_the_sample_depends_neither_on_order_nor_on_chunks() -> None:
    random = np.random.default_rng(2)
    order = random.permutation(N)
    rows = Measurements(np.round(Y, 2)[order], COUNTS[order], LABELS[order])
    seen = np.flatnonzero(rows.counts > 0)

    def of(which: Integers) -> Sample:
        return Sample.of(Measurements(rows.y[which], rows.counts[which], rows.labels[which]), seed=5)

    first, *others = [of(part) for part in np.array_split(seen, 7)]
    for other in others:
        first += other
    distinct = Measurements(np.round(Y, 2), COUNTS, LABELS).distinct()
    chosen = drawn(keys(distinct.labels, distinct.y), distinct.labels, 5)
    assert SAMPLE < chosen.sum() < len(distinct.y)
    assert not first.whole
    for name in ("y", "counts", "labels"):
        assert np.array_equal(getattr(first.rows, name), getattr(distinct, name)[chosen])


def test_every_known_label_is_in_the_sample_however_rare() -> None:
    labels = np.full(20_000, -1)
    labels[[17, 4000]] = 1
    chosen = drawn(keys(labels, np.random.default_rng(3).normal(size=(20_000, 1))), labels, 0)
    assert chosen[[17, 4000]].all()
    assert SAMPLE <= chosen.sum() <= SAMPLE + 2


@pytest.mark.parametrize("place", PLACES)
def test_responsibilities_of_rows_that_are_not_in_memory_are_theirs(
    place: Callable[..., tuple[Any, dict[str, Any]]], tmp_path: Path
) -> None:
    fit = em.gaussian_mixture(TABLE[["u", "v"]], 3, start=start())
    data, _ = place(
        tmp_path, {"counts": COUNTS} if place in (in_files, in_dask_frame) else {}
    )  # a column to leave alone
    assert np.abs(np.asarray(fit.responsibilities(data)) - fit.responsibilities(Y)).max() < 1e-12


def test_sandwich_errors_sum_over_chunks_and_a_bootstrap_is_refused(tmp_path: Path) -> None:
    y = mapped(tmp_path, "y", Y)
    fit, other = (em.gaussian_mixture(rows, 3, start=start(), counts=COUNTS) for rows in (y, Y))
    one, two = em.sandwich(fit).covariance, em.sandwich(other).covariance
    assert np.abs((one - two) / np.sqrt(np.outer(np.diag(two), np.diag(two)))).max() < 1e-6
    with pytest.raises(ValueError, match=r"take em\.sandwich\(fit\) instead"):
        em.bootstrap(fit, np.random.default_rng(1))


def test_a_fit_of_many_rows_takes_ten_megabytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    n = 600_000
    y = np.lib.format.open_memmap(tmp_path / "y.npy", mode="w+", dtype=np.float64, shape=(n, 2))
    random = np.random.default_rng(4)
    for first in range(0, n, 50_000):
        y[first : first + 50_000] = random.normal(size=(50_000, 2)) + [[8.0, 0.0]] * random.integers(
            2, size=(50_000, 1)
        )
    if available(n):  # the compiler takes what it takes
        compiled_sums(np.zeros((2, 6)), np.zeros((2, 8)), np.zeros(0), np.tril_indices(2))
    tracemalloc.start()
    fit = em.gaussian_mixture(np.load(tmp_path / "y.npy", mmap_mode="r"), 2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert fit.status == "converged"
    chunk = 8 * AT_A_TIME
    assert peak < 10e6 + chunk < y.nbytes + 2e6


def test_a_worker_killed_in_the_middle_of_a_fit_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    asked: list[int] = []
    ask = DaskRows.summed
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs="ERROR"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        y = dask.array.from_array(Y, chunks=(500, 2)).persist()
        distributed.wait(y)

        def asked_and_killed(rows: Any, of: Any) -> Any:
            asked.append(1)
            if len(asked) == 6:
                os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)
            return ask(rows, of)

        monkeypatch.setattr(DaskRows, "summed", asked_and_killed)
        fit = em.gaussian_mixture(y, 3, start=start())
    assert len(asked) > 10
    same(fit, em.gaussian_mixture(Y, 3, start=start()))


@pytest.mark.parametrize("where", ["mapped", "files", "cluster"])
def test_bags_of_coins_are_counted_in_chunks(where: str, tmp_path: Path) -> None:
    random = np.random.default_rng(6)
    bags = pd.DataFrame({"tosses": random.integers(1, 12, size=N), "n": COUNTS, "z": LABELS})
    bags["heads"] = random.binomial(bags["tosses"], 0.4)
    rows: Any = mapped(tmp_path, "bags", bags[["heads", "tosses"]])
    given: Any = (COUNTS, LABELS)
    if where != "mapped":
        rows = parquet(tmp_path, bags) if where == "files" else dask.dataframe.from_pandas(bags, npartitions=3)
        given = ("n", "z")
    counted = em.distinct_tosses(rows, *given)
    expected = CoinTosses(bags["heads"], bags["tosses"], COUNTS, LABELS).distinct()
    for name in ("heads", "tosses", "counts", "labels"):
        assert np.array_equal(getattr(counted, name), getattr(expected, name))


def test_a_chunk_of_known_labels_alone_is_fitted_as_in_memory(tmp_path: Path) -> None:
    # Of so many rows that the pass is compiled where numba is installed: the first chunks have nothing for it.
    random = np.random.default_rng(9)
    z = np.repeat([0, 1], [20_000, 40_000])
    y = random.normal(size=len(z)) + 5.0 * z
    labels = np.where(np.arange(len(z)) < 20_000, z, -1)
    first = GaussianParameters([0.5, 0.5], [0.5, 4.0], [2.0, 2.0])
    there = em.gaussian_mixture(mapped(tmp_path, "y", y), 2, labels=labels, start=first)
    here = em.gaussian_mixture(y, 2, labels=labels, start=first)
    assert there.log_likelihood == pytest.approx(here.log_likelihood, rel=1e-12)
    np.testing.assert_allclose(there.parameters.means, here.parameters.means, rtol=0, atol=1e-8)
