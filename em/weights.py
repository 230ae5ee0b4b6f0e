"""The weights of a mixture: mode and density of their Dirichlet posterior, and coordinates in which they sum to 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from em.mixture import Mixture, log_weights
from models.inputs import Floats, Integers
from models.mixtures import MixtureWeights

# What a declared constraint is called.
MINIMUM_RATIO = "at the declared minimum_ratio of standard deviations"


class SameWeights:
    """What `em.mixture.Mixture` has of mixtures whose weights are the same in every row."""

    def of_weights(self, parameters: Any) -> tuple[Floats | float, Floats | float]:
        return 0.0, 0.0

    def row_weights(self, parameters: Any, rows: slice | Integers) -> Floats:
        return np.asarray(parameters.weights)

    def held_by(self, parameters: Any) -> str:
        return MINIMUM_RATIO


def drawn_components(
    mixture: Mixture[Any, Any], parameters: Any, rows: Integers, random: np.random.Generator
) -> Integers:
    """``(m,)`` components of these rows, drawn by their weights."""
    weights = mixture.row_weights(parameters, rows)
    if weights.ndim == 1:
        return random.choice(len(weights), size=len(rows), p=weights)
    return np.asarray((random.random(len(rows))[:, None] > np.cumsum(weights, axis=1)[:, :-1]).sum(axis=1))


def mode_of_weights(component_counts: Floats, fixed: Floats | None, concentration: float) -> Floats:
    """Mode of the Dirichlet posterior of the weights ``(K,)`` given expected counts, or the values they are held at."""
    if fixed is not None:
        return fixed if component_counts.ndim == 1 else np.broadcast_to(fixed, component_counts.shape)
    mode = component_counts + (concentration - 1)
    return np.asarray(mode / np.add.reduce(mode, axis=-1, keepdims=True))


def log_dirichlet(weights: Floats, fixed: Floats | None, concentration: float) -> Floats | float:
    """``(...)`` log density of the symmetric Dirichlet at the weights, by their first K - 1; 0 where they are held."""
    if fixed is not None:
        return 0.0
    from scipy.special import gammaln

    k = weights.shape[-1]
    constant = float(gammaln(k * concentration) - k * gammaln(concentration))
    if concentration == 1:  # flat, also where a weight is 0
        return constant
    return np.asarray(constant + (concentration - 1) * log_weights(weights).sum(axis=-1))


def weight_prior_derivatives(weights: Floats, treated: MixtureWeights, concentration: float) -> tuple[Floats, Floats]:
    """Gradient ``(K,)`` and Hessian ``(K, K)`` of `log_dirichlet`, as if all weights were free coordinates."""
    extra = concentration - 1 if treated.free else 0.0
    if extra == 0:
        return np.zeros_like(weights), np.zeros((len(weights),) * 2)
    with np.errstate(divide="ignore"):
        return extra / weights, np.diag(-extra / weights**2)


def weight_basis(k: int, fixed: Floats | None) -> Floats:
    """``(K, K - 1)`` directions in which weights move while they sum to 1; none where they are held."""
    if fixed is not None:
        return np.zeros((k, 0))
    return np.vstack([np.eye(k - 1), -np.ones(k - 1)])


def weight_coordinates(weights: Floats, fixed: Floats | None, *, unbounded: bool) -> Floats:
    """Weights ``(..., K)`` as the coordinates of an optimiser: all but the last, or their log ratios to it; none where held."""
    if fixed is not None:
        return np.zeros((*weights.shape[:-1], 0))
    return np.asarray(np.log(weights[..., :-1] / weights[..., -1:]) if unbounded else weights[..., :-1])


def from_weight_coordinates(x: Floats, fixed: Floats | None, *, unbounded: bool) -> tuple[Floats, Floats]:
    """Weights ``(..., K)`` and their Jacobian ``(..., K, K - 1)`` by `weight_coordinates`."""
    many = x.shape[:-1]
    if fixed is not None:
        return np.broadcast_to(fixed, (*many, len(fixed))), np.zeros((*many, len(fixed), 0))
    if not unbounded:
        basis = weight_basis(x.shape[-1] + 1, None)
        return np.concatenate([x, 1 - x.sum(axis=-1, keepdims=True)], axis=-1), np.broadcast_to(
            basis, (*many, *basis.shape)
        )
    logs = np.concatenate([x, np.zeros((*many, 1))], axis=-1)
    ratios = np.exp(logs - logs.max(axis=-1, keepdims=True))
    weights = ratios / ratios.sum(axis=-1, keepdims=True)
    return weights, (weights[..., None] * (np.eye(x.shape[-1] + 1) - weights[..., None, :]))[..., :-1]
