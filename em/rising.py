"""Sums of a smooth function over the whole numbers below a count, for many counts at once: what rising factorials are made of.

Between two neighbouring counts a sum over many whole numbers is a weighted one over few: Gauss's rule for sums, whose nodes and
weights are those of discrete Chebyshev polynomials, exact for polynomials of twice their number of degrees (Gautschi 2004,
Orthogonal Polynomials: Computation and Approximation, sec. 1.5). Logarithms and powers of ``x + r d``, x and d not negative,
are alike over an octave, so that no digit is lost, at any d, 0 included, where differences of log-gamma functions lose all.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh_tridiagonal

from models.inputs import Floats, Integers

# Nodes of a rule: over an octave of such a function an error of 6^-24.
NODES = 12


class Rising:
    """The whole numbers from 1 to y - 1 of some counts ``y`` ``(n,)``, as ``nodes`` with ``weights`` ``(J,)``."""

    def __init__(self, y: Integers) -> None:
        ends, place = np.unique(np.maximum(y, 1), return_inverse=True)
        nodes, weights, upto = [np.zeros(0)], [np.zeros(0)], []
        first = 1
        for end in ends.tolist():
            while first < end:
                many = min(end, max(2 * first, NODES + 1)) - first
                more = rule(first, many)
                nodes.append(more[0])
                weights.append(more[1])
                first += many
            upto.append(sum(map(len, nodes)))
        self._upto = np.array(upto, dtype=np.int64)[place.ravel()]
        self.nodes, self.weights = np.concatenate(nodes)[:, None], np.concatenate(weights)[:, None]

    def __call__(self, terms: Floats) -> Floats:
        """Sums ``(..., n, K)`` of a function that is ``terms`` ``(..., J, K)`` at the nodes."""
        sums = np.cumsum(terms * self.weights, axis=-2)
        none = np.zeros((*sums.shape[:-2], 1, sums.shape[-1]))
        return np.concatenate([none, sums], axis=-2)[..., self._upto, :]


def rule(first: int, many: int) -> tuple[Floats, Floats]:
    """Nodes and weights for a sum over so ``many`` whole numbers from the ``first``."""
    if many <= NODES:
        return first + np.arange(many, dtype=float), np.ones(many)
    k = np.arange(1.0, NODES)
    beside = 0.5 * k * np.sqrt((float(many) ** 2 - k**2) / (4 * k**2 - 1))
    nodes, vectors = eigh_tridiagonal(np.full(NODES, 0.5 * (many - 1)), beside)
    return first + nodes, many * vectors[0] ** 2
