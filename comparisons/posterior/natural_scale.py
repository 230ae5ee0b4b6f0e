"""What a sampler drew on PyMC's unconstrained scale, by the names of the model's variables on the natural one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models import LogPosterior
from models.inputs import Floats

if TYPE_CHECKING:
    import xarray as xr


def by_name(density: LogPosterior, points: Floats, statistics: Any) -> xr.DataTree:
    """Draws ``(chains, draws, size)`` of a sampler by the names of the model's variables, on the natural scale.

    ``statistics`` is the sampler's own data set of what it says of each draw.
    """
    import xarray as xr

    chains = points.shape[:2]
    model, variables = density.model, {}
    for name, values in density.naturals(points.reshape(-1, density.size)).items():
        dims = model.named_vars_to_dims.get(name) or [f"{name}_dim_{j}" for j in range(values.ndim - 1)]
        variables[name] = (("chain", "draw", *dims), values.reshape(*chains, *values.shape[1:]))
    used = {dim for dims, _ in variables.values() for dim in dims}
    coordinates: dict[str, Any] = {
        dim: list(names) for dim, names in model.coords.items() if dim in used and names is not None
    }
    coordinates |= {dim: np.arange(length) for dim, length in zip(("chain", "draw"), chains, strict=True)}
    posterior = xr.Dataset(variables, coords=coordinates)
    return xr.DataTree.from_dict({"posterior": posterior, "sample_stats": statistics})
