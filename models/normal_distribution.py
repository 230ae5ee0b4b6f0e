"""Normal distributions for PyMC, as `pymc.CustomDist` asks for them: log densities in tensors, draws in NumPy.

A vector's density is the product of its conditional normals, each PyMC's own, with the forward substitution written out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from models.inputs import Floats
from models.inverse_wishart import entries_of, normal_logp, unpack
from models.mixture_distribution import draw_components, mixture_log_density, take_components


def means_logp(value: Any, m: Any, factor: Any, shrinkage: Any, *_: Any) -> Any:
    """Log density of means given packed Cholesky factors: normal about ``m`` with covariance L L' / shrinkage."""
    import pytensor.tensor as pt

    entries = entries_of(factor / pt.sqrt(shrinkage)[..., None])
    d = len(entries)
    return normal_logp([value[..., j] for j in range(d)], [m[..., j] for j in range(d)], entries)


def means_random(m: Any, factor: Any, shrinkage: Any, *_: Any, rng: Any = None, size: Any = None) -> Floats:
    """Means drawn from that distribution."""
    d = m.shape[-1]
    shape = np.broadcast_shapes(m.shape[:-1], factor.shape[:-1]) if size is None else tuple(size)
    z = rng.standard_normal((*shape, d, 1)) / np.sqrt(np.asarray(shrinkage))[..., None, None]
    return np.asarray(m + (unpack(factor) @ z)[..., 0])


def independent_means_logp(value: Any, m: Any, deviations: Any, *_: Any) -> Any:
    """Log density of means ``(..., d)`` of independent features."""
    import pymc as pm

    return pm.logp(pm.Normal.dist(m, deviations), value).sum(-1)


def independent_means_random(m: Any, deviations: Any, *_: Any, rng: Any = None, size: Any = None) -> Floats:
    """Means drawn from that distribution."""
    shape = np.broadcast_shapes(m.shape, deviations.shape) if size is None else (*size, m.shape[-1])
    return np.asarray(m + deviations * rng.standard_normal(shape))


def full_logp(y: Any, weights: Any, means: Any, factors: Any, counts: Any, labels: Any) -> Any:
    """Log density of rows of a mixture of normals with packed Cholesky factors ``(..., K, p)``."""
    import pytensor.tensor as pt

    entries = entries_of(factors)
    d = len(entries)
    columns = [y[..., j, None] for j in range(d)]
    log_densities = normal_logp(columns, [means[..., j] for j in range(d)], entries)
    return mixture_log_density(pt.log(weights), log_densities, counts, labels)


def full_random(
    weights: Any, means: Any, factors: Any, counts: Any, labels: Any, rng: Any = None, size: Any = None
) -> Floats:
    """Rows drawn from that mixture."""
    component = draw_components(weights, labels, size, rng)
    z = rng.standard_normal((*component.shape, means.shape[-1], 1))
    return np.asarray(
        take_components(means, component, core=1) + (take_components(unpack(factors), component, core=2) @ z)[..., 0]
    )


def diagonal_logp(y: Any, weights: Any, means: Any, deviations: Any, counts: Any, labels: Any) -> Any:
    """Log density of rows of a mixture of normals with independent features of standard deviations ``(..., K, d)``."""
    import pymc as pm
    import pytensor.tensor as pt

    d = int(means.type.shape[-1])
    log_densities = sum(pm.logp(pm.Normal.dist(means[..., j], deviations[..., j]), y[..., j, None]) for j in range(d))
    return mixture_log_density(pt.log(weights), log_densities, counts, labels)


def diagonal_random(
    weights: Any, means: Any, deviations: Any, counts: Any, labels: Any, rng: Any = None, size: Any = None
) -> Floats:
    """Rows drawn from that mixture."""
    component = draw_components(weights, labels, size, rng)
    z = rng.standard_normal((*component.shape, means.shape[-1]))
    return np.asarray(take_components(means, component, core=1) + take_components(deviations, component, core=1) * z)
