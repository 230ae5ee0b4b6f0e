"""What each component has of rows whose labels may be known."""

from __future__ import annotations

import numpy as np

from models.inputs import Floats, Integers


def component_shares(weights: Floats, labels: Integers) -> Floats:
    """``(n, K)`` probability of each component given the label: the weights, of all rows or of each, where it is not known."""
    return np.where(labels[:, None] < 0, weights, np.eye(weights.shape[-1])[labels])
