"""Weibull lifetimes: a family of one's own whose M-step takes Newton's method.

For row ``i`` of component ``k``, with z = shape (log y - log scale),

    log f = log shape - log y + z - exp(z),

which is concave in log shape, and in log scale too: Newton's method is at home there, and all components take its steps at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
from scipy import stats

from models.family import Family, Gamma, Positive


def m_step(y: Any, r: Any, prior: Any) -> dict[str, Any]:
    """Steps of Newton's method, shape and scale by turns, from the moments of the logarithms.

    These have the standard deviation pi / (sqrt(6) shape). No step is longer than a factor of e, in case that they are far off.
    """
    of_shape, of_scale = prior["shapes"], prior["scales"]
    log_y, n = np.log(y)[:, None], r.sum(axis=0)
    mean = (r * log_y).sum(axis=0) / n
    log_shape = np.log(np.pi / np.sqrt(6 * (r * (log_y - mean) ** 2).sum(axis=0) / n))
    log_scale = mean + np.euler_gamma * np.exp(-log_shape)
    for _ in range(200):
        shape = np.exp(log_shape)
        z = shape * (log_y - log_scale)
        e = np.exp(z)
        slope = n + (r * z * (1 - e)).sum(axis=0) + of_shape.alpha - 1 - of_shape.beta * shape
        bend = (r * z * (e - 1 + e * z)).sum(axis=0) + of_shape.beta * shape
        by_shape = np.clip(slope / bend, -1, 1)
        log_shape = log_shape + by_shape
        shape, scale = np.exp(log_shape), np.exp(log_scale)
        e = (r * np.exp(shape * (log_y - log_scale))).sum(axis=0)
        slope = shape * (e - n) + of_scale.alpha - 1 - of_scale.beta * scale
        by_scale = np.clip(slope / (shape**2 * e + of_scale.beta * scale), -1, 1)
        log_scale = log_scale + by_scale
        if max(np.abs(by_shape).max(), np.abs(by_scale).max()) < 1e-10:
            break
    return {"shapes": np.exp(log_shape), "scales": np.exp(log_scale)}


weibulls = Family(
    "weibulls",
    data="waiting",
    parameters={"scales": Positive(prior=Gamma(2, 0.03)), "shapes": Positive(prior=Gamma(2, 0.2))},
    scipy=lambda scales, shapes: stats.weibull_min(shapes, scale=scales),
    pymc=lambda scales, shapes: pm.Weibull.dist(alpha=shapes, beta=scales),
    m_step=m_step,
)
