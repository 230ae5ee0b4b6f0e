"""The order of components that can change places: ascending in a parameter of theirs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from comparisons.pair import Values
from models.inputs import Integers


@dataclass(frozen=True, slots=True)
class Order:
    """Components along the first axis of some parameters, in the order of the first of these.

    Attributes
    ----------
    shapes : of every parameter
    exchangeable : names of those with components
    moves : names of those among them whose second axis are the components too
    """

    shapes: Mapping[str, tuple[int, ...]]
    exchangeable: tuple[str, ...]
    moves: tuple[str, ...]

    def of(self, values: Mapping[str, Any]) -> Integers:
        """``(..., K)`` places of the components, ascending in the first number of the first exchangeable parameter."""
        first = self.exchangeable[0]
        key = np.asarray(values[first])
        lead = key.ndim - len(self.shapes[first])
        return np.argsort(key.reshape(*key.shape[: lead + 1], -1)[..., 0], axis=-1, kind="stable")

    def permuted(self, values: Mapping[str, Any], order: Integers) -> Values:
        """Components of every exchangeable parameter in this order ``(..., K)``, or ``(K,)`` for all."""
        found = {name: np.asarray(each) for name, each in values.items()}
        for name in self.exchangeable:
            lead = found[name].ndim - len(self.shapes[name])
            index = order if order.ndim == lead + 1 else np.broadcast_to(order, (*found[name].shape[:lead], len(order)))
            index = index.reshape(*index.shape, *[1] * (found[name].ndim - index.ndim))
            found[name] = np.take_along_axis(found[name], index, axis=lead)
            if name in self.moves:
                found[name] = np.take_along_axis(found[name], index.swapaxes(lead, lead + 1), axis=lead + 1)
        return found
