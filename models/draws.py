"""Draws of a mixture put into canonical order: an exact sample of the ordered posterior.

The priors are the same for exchangeable components, so the posterior is symmetric in them, and relabelling every draw by
itself, all its parameters together, leaves the distribution of what does not depend on labels as it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.inputs import Integers, some_of
from models.mixtures import canonical_permutation
from models.order import Order

if TYPE_CHECKING:
    import xarray as xr


def canonical_order(
    draws: xr.DataTree, exchangeable: Integers | None = None, order: Order | None = None
) -> xr.DataTree:
    """Put the draws of a coin or Gaussian mixture into canonical order.

    Components are sorted by head probability, or by the mean of the first feature, then of the next; ties by weight; or in
    an ``order`` chosen from a fit. They are permuted within the groups that the model cannot tell apart, and no further.

    Parameters
    ----------
    draws : with the group ``posterior`` of dims ``chain``, ``draw`` and ``component``
    exchangeable : ``(K,)`` group of each component, as in ``model["exchangeable"].get_value()``. Where None it is read from
        ``constant_data``, which `pymc.sample` stores and ``nutpie.sample`` does not; where that is missing too, all
        components are taken to be exchangeable, which is wrong only with labelled rows or unequal fixed weights
    order : as `models.order.Order.of` chooses it from the estimate of EM, where the first feature does not separate the
        components

    Returns
    -------
    A new tree; every variable with the dim ``component`` is permuted, all else is as it was

    Raises
    ------
    TypeError, ValueError
        if there is no group ``posterior``, or the draws hold no ``means`` nor another variable of components, or not
        ``covariances`` though the order asks for them
    """
    if "posterior" not in getattr(draws, "children", {}):
        raise TypeError(f"draws is a {type(draws).__name__} without the group posterior; give what pymc.sample returns")
    posterior: Any = draws["posterior"].to_dataset()
    own = [v for name, v in posterior.data_vars.items() if "component" in v.dims and name != "weights"]
    several = next((name for name in ("means", "coefficients") if name in posterior), None)
    if several is not None:
        means = posterior[several].transpose("chain", "draw", "component", ...).values
        # Of one's own family they may be numbers, without features.
        keys = list(np.moveaxis(means.reshape(*means.shape[:3], -1), -1, 0))
    elif "item_probabilities" in posterior:
        first = (
            posterior["item_probabilities"].transpose("chain", "draw", "component", "item", "category").values[..., 0]
        )
        keys = list(np.moveaxis(1 - first, -1, 0))
    elif own and own[0].ndim == len(("chain", "draw", "component")):
        keys = [own[0].transpose("chain", "draw", "component").values]
    else:
        raise ValueError(
            f"the posterior has the variables {some_of(posterior)}, but canonical order needs means, or another with one "
            "number a component, such as head_probabilities"
        )
    if order is not None and order.first:
        keys.insert(0, keys[order.first])
    if "weights" in posterior:
        keys.append(posterior["weights"].transpose("chain", "draw", "component").values)
    if order is not None and order.direction is not None:
        if "means" not in posterior or "covariances" not in posterior:
            raise ValueError("the order is one of normal components, but the posterior lacks means or covariances")
        means, covariances = (
            posterior[name].transpose("chain", "draw", "component", ...).values for name in ("means", "covariances")
        )
        keys.insert(0, order.along(keys[-1] if "weights" in posterior else 1.0, means, covariances))
    if exchangeable is None:
        stored = draws.children.get("constant_data")
        k = posterior.sizes["component"]
        exchangeable = (
            np.asarray(stored["exchangeable"]) if stored is not None and "exchangeable" in stored else np.zeros(k)
        )
    permutation = canonical_permutation(np.stack(keys, axis=-1), np.asarray(exchangeable, dtype=np.int64))
    tree = draws.copy()
    tree["posterior"] = type(draws)(permuted(posterior, permutation))
    return tree


def permuted(posterior: xr.Dataset, permutation: Integers) -> xr.Dataset:
    """Read the components of every draw in another order, all variables together.

    Parameters
    ----------
    posterior : with the dims ``chain``, ``draw`` and ``component``
    permutation : ``(chains, draws, K)``: component ``k`` becomes component ``permutation[..., k]`` of the same draw
    """
    ordered = posterior.copy()
    for name, variable in posterior.data_vars.items():
        if "component" in variable.dims:
            front = variable.transpose("chain", "draw", "component", ...)
            index = permutation.reshape(permutation.shape + (1,) * (front.ndim - 3))
            values = np.take_along_axis(front.values, np.broadcast_to(index, front.shape), axis=2)
            ordered[name] = front.copy(data=values).transpose(*variable.dims)
    return ordered
