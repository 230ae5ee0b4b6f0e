"""The draws of one quantity, found in the posterior by the quantity's name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from comparisons.quantity_names import along, component_of, variable_and_labels

if TYPE_CHECKING:
    import xarray

type Floats = NDArray[np.float64]

# Variable of a posterior with the draws of quantities that no labels of its other variables tell, along ``quantity``.
QUANTITIES = "quantities"


def draws_of(posterior: xarray.DataTree, name: str) -> Floats | None:
    """Draws of the quantity ``(chains, draws)``, or None where the posterior has no such variable.

    What stands under its whole name is that. Else each label chooses along the first dimension left that has it. Dimensions
    that no label speaks of must not matter: of length one, or, as with a shared variance, the same all along.
    """
    dataset = posterior["posterior"].dataset
    if QUANTITIES in dataset and name in (told := dataset[QUANTITIES])["quantity"]:
        return np.asarray(told.sel(quantity=name).transpose("chain", "draw").values, dtype=np.float64)
    variable, labels = variable_and_labels(name)
    if variable not in dataset:
        return None
    values = dataset[variable]
    free: list[Any] = [dim for dim in values.dims if dim not in ("chain", "draw")]
    shared = component_of(name) is None
    for label in labels:
        eligible = [dim for dim in free if not (shared and dim == "component")]
        called = {dim: [along(dim, str(value)) for value in values.coords[dim].values] for dim in eligible}
        dim = next((dim for dim in eligible if label in called[dim]), None)
        if dim is None:
            return None
        free.remove(dim)
        values = values.isel({dim: called[dim].index(label)})
    for dim in free:
        first = values.isel({dim: 0})
        if not bool((values == first).all()):
            raise ValueError(f"{name!r} does not say which {dim} is meant, and the draws differ along it")
        values = first
    return np.asarray(values.transpose("chain", "draw").values, dtype=np.float64)
