"""First derivatives of a log-likelihood: of all rows from one E-step, or row by row (Fisher's identity)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from em.mixture import Mixture, log_weights, parts, responsibilities
from models.inputs import Floats, Integers

# Log of the largest ratio of a density under an empty component, whose square is still a number.
LARGEST_LOG = 300.0


def gradient(mixture: Mixture[Any, Any], parameters: Any) -> Floats:
    """``(p,)`` gradient of the log-likelihood by the full vector, weights above 0; of one E-step where it tells so much."""
    summed = mixture.summed_scores(parameters)
    if summed is None:
        return np.asarray(sum(_gradient_of_part(part, parameters) for part in parts(mixture)))
    rows, own = summed
    found = np.zeros(mixture.n_parameters)
    found[: mixture.n_components] = rows / parameters.weights
    found[own_places(mixture)] = own
    return found


def _gradient_of_part(mixture: Mixture[Any, Any], parameters: Any) -> Floats:
    """The same of rows that are few enough to hold their scores."""
    full = row_scores(mixture, parameters).full + mixture.of_weights(parameters)[0]
    return np.asarray(mixture.counts @ full)


class RowScores(NamedTuple):
    """What each row adds to the gradient, and what that is made of.

    Attributes
    ----------
    full : ``(n, p)`` gradient of each distinct row's log-likelihood by the full vector (Fisher's identity: the
        expectation of the complete-data gradient)
    shares : ``(n, K)`` responsibilities
    ratio : ``(n, K)`` the same over the weights, which exists where a weight is 0
    own : ``(n, K, q)`` gradient of each component's log density by its own parameters
    """

    full: Floats
    shares: Floats
    ratio: Floats
    own: Floats


def row_scores(mixture: Mixture[Any, Any], parameters: Any) -> RowScores:
    """Gradients of the log-likelihoods of single rows, known labels respected."""
    r, ratio = shares_of(mixture, parameters)
    # What is impossible under a component has no score there; its limit times 0 is 0.
    own = np.where(ratio[:, :, None] > 0, mixture.scores(parameters), 0.0)
    full = np.zeros((len(r), mixture.n_parameters))
    full[:, : mixture.n_components] = ratio
    full[:, own_places(mixture)] = r[:, :, None] * own
    return RowScores(full, r, ratio, own)


def shares_of(mixture: Mixture[Any, Any], parameters: Any) -> tuple[Floats, Floats]:
    """``(n, K)`` responsibilities, and the same over the weights, written so that a weight may be 0."""
    labels, log_densities = mixture.labels, mixture.log_densities(parameters)
    r, row_log_likelihood = responsibilities(log_weights(parameters.weights) + log_densities, labels)
    ratio = np.exp(np.minimum(log_densities - row_log_likelihood[:, None], LARGEST_LOG))
    # A labelled row counts its own component only.
    known = np.flatnonzero(labels >= 0)
    ratio[known] = 0.0
    ratio[known, labels[known]] = 1.0 / parameters.weights[labels[known]]
    return r, ratio


def own_places(mixture: Mixture[Any, Any]) -> Integers:
    """``(K, q)`` places of the components' own parameters in the full vector."""
    return np.array([mixture.own_coordinates(j) for j in range(mixture.n_components)])
