"""Rows of three clusters, with counts and a few labels, and ways to store them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from models import GaussianParameters
from models.inputs import Floats, Integers

N = 5000


def table() -> pd.DataFrame:
    """Three clusters in two features of different units, one far from 0, with a few labels and counts from 0 to 3."""
    random = np.random.default_rng(1)
    z = random.choice(3, size=N, p=[0.5, 0.3, 0.2])
    y = np.array([[0.0, 0.0], [4.0, 1.0], [-2.0, 5.0]])[z] + random.normal(size=(N, 2)) * [1.0, 0.7]
    labels = np.where(random.random(N) < 0.01, z, -1)
    return pd.DataFrame({"u": y[:, 0] + 1e4, "v": 30 * y[:, 1], "n": random.integers(0, 4, size=N), "z": labels})


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


CENTRES = [[1e4, 0.0], [1e4 + 4, 30.0], [1e4 - 2, 150.0]]


def start(weights: Any = (0.4, 0.3, 0.3), covariance: Any = ((1.0, 0.0), (0.0, 400.0))) -> GaussianParameters:
    """Near the three clusters."""
    return GaussianParameters(weights, CENTRES, [covariance] * 3)
