"""The part of a PyMC mixture that all families share: one observed variable that carries counts, labels and weights.

A `pymc.CustomDist` with the log density

    counts * logsumexp_k(log w_k + log f_k(y)),      a row with a known label keeping its own component only,

where ``log f_k`` is that of PyMC's own distributions. Its arguments arrive with leading batch axes, so components and
features are counted from the end.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from models.inputs import Floats, Integers
from models.mixtures import MixtureWeights, exchangeable_groups


def mixture_log_density(log_weights: Any, log_densities: Any, counts: Any, labels: Any) -> Any:
    """Log density of each row of a mixture, times the number of times the row was seen.

    Parameters
    ----------
    log_weights
        Tensor ``(..., K)`` of log mixture weights.
    log_densities
        Tensor ``(n, K)`` of log densities of every row under every component.
    counts
        Tensor ``(n,)``: how often each row was seen.
    labels
        Tensor ``(n,)``: the component of the row, -1 where unknown.

    Returns
    -------
    TensorVariable
        Tensor ``(n,)``.
    """
    import pytensor.tensor as pt

    joint = log_weights + log_densities
    known = labels[..., None]
    component = np.arange(int(joint.type.shape[-1]))
    possible = pt.or_(pt.lt(known, 0), pt.eq(known, component))
    return counts * pt.logsumexp(pt.switch(possible, joint, -np.inf), axis=-1)


def draw_components(weights: Floats, labels: Integers, size: Any, rng: np.random.Generator) -> Integers:
    """Draw the component of each row; a known label stays what it is.

    Parameters
    ----------
    weights
        Array ``(..., K)`` of mixture weights.
    labels
        Array ``(n,)``, -1 where unknown.
    size
        Shape of the result, ``None`` for the shape that the arguments broadcast to.
    rng
        Random generator.

    Returns
    -------
    numpy.ndarray
        Component indices of shape `size`.
    """
    shape = np.broadcast_shapes(np.shape(weights)[:-1], np.shape(labels)) if size is None else tuple(size)
    below = np.cumsum(weights, axis=-1)[..., :-1]
    drawn = (rng.random(shape)[..., None] > below).sum(axis=-1)
    return np.where(np.asarray(labels) < 0, drawn, labels).astype(np.int64)


def take_components(parameters: Floats, component: Integers, core: int) -> Floats:
    """Parameters of the given components: ``parameters[..., component, <core axes>]``.

    The parameters come with leading batch axes (often of length one) before the component axis.
    """
    batch = parameters.shape[: parameters.ndim - core - 1]
    if np.prod(batch, dtype=int) == 1:
        return parameters.reshape(parameters.shape[len(batch) :])[component]
    where = [np.arange(n).reshape((-1,) + (1,) * (component.ndim - 1 - i)) for i, n in enumerate(batch)]
    where = [np.zeros(1, dtype=int) if n == 1 else w for w, n in zip(where, batch, strict=True)]
    return np.asarray(parameters[(*where, component)])


def add_weights(weights: MixtureWeights, concentration: float, labels: Integers) -> Any:
    """Add the free variable ``weights``, or the constant ``fixed_weights``, to the PyMC model on the context stack.

    The constant ``exchangeable`` beside it tells `models.canonical_order` which components the model cannot tell apart.
    """
    import pymc as pm

    k = weights.n_components
    pm.Data("exchangeable", np.array(exchangeable_groups(weights, labels)), dims="component")
    if weights.fixed is not None:
        return pm.Data("fixed_weights", np.array(weights.fixed), shape=(k,))
    alpha = pm.Data("prior_concentration", np.full(k, concentration), dims="component")
    return pm.Dirichlet("weights", a=alpha, dims="component", shape=(k,))
