"""The two passes over a hidden Markov chain, compiled: forward and backward, and the forward pass with its derivatives.

Scaled as in Rabiner (1989), Proceedings of the IEEE 77, 257: the forward probabilities of each time are divided by their sum, so
that no sequence is too long. Derivatives are carried along, divided by the same numbers, so that the information is exact
(Lystig & Hughes 2002, Journal of Computational and Graphical Statistics 11, 678).

This module loads numba; `em.hidden_markov_steps` imports it at its first pass.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def forward_backward(log_f: Any, initial: Any, transitions: Any, begins: Any) -> Any:
    """Log-likelihood; state probabilities ``(n, K)``; and what of expected first states and moves is left but for their chances.

    ``log_f`` are log densities ``(n, K)`` of what was seen, ``begins`` ``(n,)`` where sequences begin. Expected moves
    from j to k are ``transitions[j, k]`` times the last array ``(K, K)``, that of first states ``initial`` times the one before.
    """
    n, k = log_f.shape
    f, forward, scale = np.empty((n, k)), np.empty((n, k)), np.empty(n)
    total = 0.0
    for t in range(n):
        largest = log_f[t].max()
        for j in range(k):
            f[t, j] = math.exp(log_f[t, j] - largest)
            if begins[t]:
                forward[t, j] = initial[j] * f[t, j]
            else:
                came = 0.0
                for i in range(k):
                    came += forward[t - 1, i] * transitions[i, j]
                forward[t, j] = came * f[t, j]
        scale[t] = forward[t].sum()
        forward[t] /= scale[t]
        total += math.log(scale[t]) + largest
    states, first, moves = np.empty((n, k)), np.zeros(k), np.zeros((k, k))
    backward, before = np.ones(k), np.ones(k)
    for t in range(n - 1, -1, -1):
        for j in range(k):
            states[t, j] = forward[t, j] * backward[j]
        states[t] /= states[t].sum()
        for j in range(k):
            before[j] = f[t, j] * backward[j] / scale[t]
        if begins[t]:
            first += before
            backward[:] = 1.0
        else:
            for i in range(k):
                backward[i] = 0.0
                for j in range(k):
                    moves[i, j] += forward[t - 1, i] * before[j]
                    backward[i] += transitions[i, j] * before[j]
    return total, states, first, moves


@njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def derivatives(
    log_f: Any,
    slopes: Any,
    bends: Any,
    first: Any,
    first1: Any,
    first2: Any,
    moves: Any,
    moves1: Any,
    begins: Any,
) -> Any:
    """Gradient ``(f,)`` and Hessian ``(f, f)`` of the log-likelihood by free coordinates.

    ``slopes`` ``(n, K, f)`` and ``bends`` ``(n, K, f, f)`` are derivatives of ``log_f``; ``first`` is the initial distribution
    ``(K,)`` with its derivatives ``(K, f)`` and ``(K, f, f)``; ``moves`` the transitions ``(K, K)`` and, linear in the
    coordinates, with their first derivatives ``(K, K, f)``.
    """
    n, k, p = slopes.shape
    gradient, hessian = np.zeros(p), np.zeros((p, p))
    a, a1, a2 = np.zeros(k), np.zeros((k, p)), np.zeros((k, p, p))
    b, b1, b2 = np.zeros(k), np.zeros((k, p)), np.zeros((k, p, p))
    for t in range(n):
        largest, total = log_f[t].max(), 0.0
        for j in range(k):
            b[j] = first[j] if begins[t] else 0.0
            for r in range(p):
                b1[j, r] = first1[j, r] if begins[t] else 0.0
                for s in range(p):
                    b2[j, r, s] = first2[j, r, s] if begins[t] else 0.0
            for i in range(0 if begins[t] else k):
                chance = moves[i, j]
                b[j] += a[i] * chance
                for r in range(p):
                    b1[j, r] += a1[i, r] * chance + a[i] * moves1[i, j, r]
                    for s in range(p):
                        crossed = a1[i, r] * moves1[i, j, s] + moves1[i, j, r] * a1[i, s]
                        b2[j, r, s] += a2[i, r, s] * chance + crossed
            density = math.exp(log_f[t, j] - largest)
            for r in range(p):
                for s in range(p):
                    g, h = slopes[t, j, r], slopes[t, j, s]
                    b2[j, r, s] += b1[j, r] * h + g * b1[j, s] + b[j] * (g * h + bends[t, j, r, s])
                    b2[j, r, s] *= density
            for r in range(p):
                b1[j, r] = (b1[j, r] + b[j] * slopes[t, j, r]) * density
            b[j] *= density
            total += b[j]
        ends = t == n - 1 or begins[t + 1]
        for j in range(k):
            a[j] = b[j] / total
            for r in range(p):
                a1[j, r] = b1[j, r] / total
                for s in range(p):
                    a2[j, r, s] = b2[j, r, s] / total
                    if ends:
                        hessian[r, s] += a2[j, r, s]
        if ends:
            summed = a1.sum(axis=0)
            for r in range(p):
                gradient[r] += summed[r]
                for s in range(p):
                    hessian[r, s] -= summed[r] * summed[s]
    return gradient, hessian


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def likeliest(log_f: Any, log_initial: Any, log_transitions: Any, begins: Any) -> Any:
    """``(n,)`` the likeliest states all together, by the algorithm of Viterbi (1967)."""
    n, k = log_f.shape
    best, came = np.empty((n, k)), np.zeros((n, k), dtype=np.int64)
    for t in range(n):
        for j in range(k):
            if begins[t]:
                came[t, j] = 0 if t == 0 else np.argmax(best[t - 1])
                best[t, j] = log_initial[j]
            else:
                came[t, j] = np.argmax(best[t - 1] + log_transitions[:, j])
                best[t, j] = best[t - 1, came[t, j]] + log_transitions[came[t, j], j]
            best[t, j] += log_f[t, j]
    path = np.empty(n, dtype=np.int64)
    path[-1] = np.argmax(best[-1])
    for t in range(n - 1, 0, -1):
        path[t - 1] = came[t, path[t]]
    return path
