"""nutpie without ArviZ: what it drew, from the tables that it keeps while it samples."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.metadata import version
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from models.inputs import Floats

if TYPE_CHECKING:
    import xarray as xr


def imported() -> Any:
    """Import nutpie without ArviZ, whose plots take longer to import than nutpie; where nutpie asks for ArviZ, it gets it."""
    if "nutpie" in sys.modules or "arviz" in sys.modules:
        return import_module("nutpie")
    stand_in: Any = ModuleType("arviz")
    stand_in.__getattr__ = lambda name: getattr(import_module("arviz"), name)
    sys.modules["arviz"] = stand_in
    try:
        return import_module("nutpie")
    finally:
        del sys.modules["arviz"]


def read(trace: Any, tune: int, names: tuple[str, ...]) -> tuple[Floats, xr.Dataset]:
    """The points ``(chains, draws, size)`` after ``tune`` warm-up draws, and the statistics of these names."""
    import pyarrow
    import xarray as xr

    drawn, told = trace.get_arrow_trace()
    # A draw is a list of its coordinates.
    points = [pyarrow.array(table.column(0)).flatten().to_numpy().reshape(table.num_rows, -1)[tune:] for table in drawn]
    statistics = {
        name: (("chain", "draw"), np.stack([pyarrow.array(t.column(name)).to_numpy(False)[tune:] for t in told]))
        for name in names
    }
    places = {"chain": np.arange(len(told)), "draw": np.arange(len(points[0]))}
    drawn_by = {"inference_library": "nutpie", "inference_library_version": version("nutpie")}
    return np.stack(points), xr.Dataset(statistics, coords=places, attrs=drawn_by)
