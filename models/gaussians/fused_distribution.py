"""Normal mixtures as exponential families, for one compiled pass over the rows: ``phi = (1, y_a, y_a y_b)``.

Rows are taken where the data are white, so that the squares of ``theta . phi`` are no larger than a component is narrow beside
the data; the means and standard deviations of the model are carried there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from models.gaussians.inverse_wishart import entries_of, solve_lower
from models.gaussians.white import log_diagonal, on_packed, times
from models.mixture_distribution import fused_log_density

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


def full_logp_in_one_pass(location: Any, back: Any) -> Callable[..., Any]:
    """Log density of rows as `models.gaussians.normal_distribution.full_logp` has it; `models.gaussians.white` has the map."""

    def logp(y: Any, weights: Any, means: Any, factors: Any, per_unit: Any, counts: Any, labels: Any) -> Any:
        import pytensor.tensor as pt

        inside = times(back, means - location)
        entries, d = entries_of(times(on_packed(back), factors)), int(means.type.shape[-1])
        nothing = pt.zeros_like(inside[..., 0])
        # Column j of the inverse of the factor, from its diagonal on.
        inverse = [
            solve_lower([row[j:] for row in entries[j:]], [nothing + 1.0, *[nothing] * (d - 1 - j)]) for j in range(d)
        ]
        standard = solve_lower(entries, [inside[..., j] for j in range(d)])
        turned = [sum(inverse[j][i - j] * standard[i] for i in range(j, d)) for j in range(d)]
        pairs = [(i, j) for i in range(d) for j in range(i + 1)]
        precisions = [sum(inverse[i][m - i] * inverse[j][m - j] for m in range(i, d)) for i, j in pairs]
        constant = log_diagonal(back).sum(-1) - d * HALF_LOG_2PI
        constant -= sum(pt.log(entries[j][j]) + 0.5 * standard[j] ** 2 for j in range(d))
        squares = [(-0.5 if i == j else -1.0) * each for (i, j), each in zip(pairs, precisions, strict=True)]
        natural = [pt.log(weights) + constant, *turned, *squares]
        return fused_log_density(natural, counts, labels, [y[:, j] for j in range(d)], location, back, pairs)

    return logp


def diagonal_logp_in_one_pass(location: Any, back: Any) -> Callable[..., Any]:
    """The same of independent features of standard deviations ``(..., K, d)`` in units; the map has no other entries then."""

    def logp(y: Any, weights: Any, means: Any, deviations: Any, per_unit: Any, counts: Any, labels: Any) -> Any:
        import pytensor.tensor as pt

        d = range(int(means.type.shape[-1]))
        inside = times(back, means - location)
        precise = per_unit[..., None, :] / (deviations * back[d, d])
        standard = inside * precise
        constant = (pt.log(precise) - 0.5 * standard**2 - HALF_LOG_2PI).sum(-1) + log_diagonal(back).sum(-1)
        turned, squares = standard * precise, -0.5 * precise**2
        natural = [pt.log(weights) + constant, *(turned[..., j] for j in d), *(squares[..., j] for j in d)]
        pairs = [(j, j) for j in d]
        return fused_log_density(natural, counts, labels, [y[:, j] for j in d], location, back, pairs)

    return logp
