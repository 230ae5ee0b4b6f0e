"""The draws of one quantity, found in the posterior by the quantity's name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import xarray

type Floats = NDArray[np.float64]

_NAME = re.compile(r"(?P<variable>\w+)(?:\[(?P<labels>.*)\])?")


def variable_and_labels(name: str) -> tuple[str, list[str]]:
    """Take the name of a quantity apart.

    Examples
    --------
    >>> variable_and_labels("means[short, eruptions]")
    ('means', ['short', 'eruptions'])
    >>> variable_and_labels("noise")
    ('noise', [])
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"{name!r} is not the name of a quantity; those read like 'means[short, eruptions]'")
    labels = match["labels"]
    return match["variable"], [label.strip() for label in labels.split(",")] if labels else []


def draws_of(posterior: xarray.DataTree, name: str) -> Floats | None:
    """Draws of the quantity ``(chains, draws)``, or None where the posterior has no such variable.

    Each label chooses along the first dimension left that has it. Dimensions that no label speaks of must not matter:
    of length one, or, as with a shared variance, the same all along.
    """
    variable, labels = variable_and_labels(name)
    dataset = posterior["posterior"].dataset
    if variable not in dataset:
        return None
    values = dataset[variable]
    free: list[Any] = [dim for dim in values.dims if dim not in ("chain", "draw")]
    for label in labels:
        dim = next((dim for dim in free if label in [str(value) for value in values.coords[dim].values]), None)
        if dim is None:
            return None
        free.remove(dim)
        values = values.isel({dim: [str(value) for value in values.coords[dim].values].index(label)})
    for dim in free:
        first = values.isel({dim: 0})
        if not bool((values == first).all()):
            raise ValueError(f"{name!r} does not say which {dim} is meant, and the draws differ along it")
        values = first
    return np.asarray(values.transpose("chain", "draw").values, dtype=np.float64)
