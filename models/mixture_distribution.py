"""The part of a PyMC mixture that all families share: one observed variable that carries counts, labels and weights.

A `pymc.CustomDist` with the log density

    counts * logsumexp_k(log w_k + log f_k(y)),      a row with a known label keeping its own component only,

where ``log f_k`` is that of PyMC's own distributions. Its arguments arrive with leading batch axes, so components and
features are counted from the end.

``likelihood="fused"`` is the same density of an exponential family, ``log w_k f_k(y) = theta_k . phi(y)``, by one compiled pass
over the rows that yields value and gradient; parameters, priors and transforms are the same variables.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from models.inputs import Floats, Integers, one_line
from models.mixtures import MixtureWeights, exchangeable_groups

type Likelihood = Literal["pymc", "fused"]


def asks_for_fused(likelihood: Likelihood) -> bool:
    """Whether it does; ValueError for another word."""
    if likelihood not in ("pymc", "fused"):
        raise ValueError(
            f'likelihood is {one_line(repr(likelihood))}; give "pymc", by PyMC\'s own distributions, or "fused", in one pass'
        )
    return likelihood == "fused"


def fused_log_density(
    natural: Sequence[Any],
    counts: Any,
    labels: Any,
    observed: Sequence[Any],
    shift: Any = None,
    turn: Any = None,
    pairs: Sequence[tuple[int, int]] = (),
) -> Any:
    """Log density of each row of a mixture, times its counts, of which sum and gradient are one compiled pass.

    Parameters
    ----------
    natural
        Tensors ``(..., K)``: the log weights and what else is without a feature, then the natural parameter of each column, then
        of each product of two.
    counts, labels
        Tensors ``(n,)`` as in `mixture_log_density`.
    observed
        Tensors ``(n,)``, one for each thing observed of a row.
    shift, turn
        The columns of a row are ``turn (observed - shift)``; the observed themselves where None.
    pairs
        Columns, counted from 0, whose products are features.

    Returns
    -------
    TensorVariable
        Tensor ``(n,)``. It has first derivatives by the natural parameters, and no second ones.
    """
    import pytensor.tensor as pt

    from models.compiled.operation import RowLogDensities

    # How many weights there are is not written in their type.
    k, d = int(natural[1].type.shape[-1]), len(observed)
    theta = pt.stack([pt.broadcast_to(each, (*natural[0].shape[:-1], k)).reshape((k,)) for each in natural], axis=-1)
    shift, turn = np.zeros(d) if shift is None else shift, np.eye(d) if turn is None else turn
    columns = [pt.cast(column, "float64") for column in observed]
    return RowLogDensities(tuple(pairs))(theta, counts, labels, shift, turn, *columns)


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
