"""Where rows are: in memory, or what reads them chunk by chunk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from em.rows.chunks import ArrowRows, Chunks, MappedRows
from em.rows.dask_chunks import DaskRows
from models.tables import Columns


def chunks_of(y: Any, counts: Any, labels: Any, known: Columns | None = None) -> Chunks | None:
    """What reads the rows of ``y``, of a table the columns ``known``, chunk by chunk; None where they are in memory.

    Raises
    ------
    TypeError, ValueError
        if counts or labels are not what belongs to such data
    ModuleNotFoundError
        for files, where pyarrow is not installed
    """
    if isinstance(y, np.memmap):
        return MappedRows.of(y, counts, labels)
    library = type(y).__module__.partition(".")[0]
    if library == "dask":
        return DaskRows.of(y, counts, labels, known)
    if isinstance(y, Path):
        return ArrowRows.of(_dataset(y), counts, labels, known)
    if library == "pyarrow" and hasattr(y, "to_batches") and hasattr(y, "replace_schema"):
        return ArrowRows.of(y, counts, labels, known)
    return None


def _dataset(path: Path) -> Any:
    """Files as `pyarrow.dataset` reads them: Arrow's own by their suffix, else Parquet."""
    try:
        import pyarrow.dataset
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"reading {os.fspath(path)} needs pyarrow, which is not installed; pip install em-comparisons[dask]"
        ) from error
    if not path.exists():
        raise FileNotFoundError(f"y is the path {os.fspath(path)}, where there is no file or directory")
    first = next((p for p in sorted(path.rglob("*")) if p.is_file()), None) if path.is_dir() else path
    if first is None:
        raise ValueError(f"y is the directory {os.fspath(path)}, which has no file; give Parquet or Arrow files")
    kind = "ipc" if first.suffix in (".arrow", ".feather", ".ipc") else "parquet"
    return pyarrow.dataset.dataset(path, format=kind)
