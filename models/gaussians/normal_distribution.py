"""Normal distributions for PyMC, as `pymc.CustomDist` asks for them: log densities in tensors, draws in NumPy.

A vector's density is the product of its conditional normals, each PyMC's own, with the forward substitution written out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from models.gaussians.inverse_wishart import entries_of, in_units, normal_logp, unpack
from models.gaussians.white import variances_in_units
from models.inputs import Floats
from models.mixture_distribution import draw_components, mixture_log_density, take_components


def means_logp(value: Any, m: Any, factor: Any, shrinkage: Any, per_unit: Any, *_: Any) -> Any:
    """Log density of means given packed Cholesky factors: normal about ``m`` with covariance L L' / shrinkage."""
    import pytensor.tensor as pt

    entries = entries_of(in_units(factor, per_unit) / pt.sqrt(shrinkage)[..., None])
    d, value, m = len(entries), value * per_unit, m * per_unit
    density = normal_logp([value[..., j] for j in range(d)], [m[..., j] for j in range(d)], entries)
    return density + pt.log(per_unit).sum(-1)


def means_random(m: Any, factor: Any, shrinkage: Any, *_: Any, rng: Any = None, size: Any = None) -> Floats:
    """Means drawn from that distribution."""
    d = m.shape[-1]
    shape = np.broadcast_shapes(m.shape[:-1], factor.shape[:-1]) if size is None else tuple(size)
    z = rng.standard_normal((*shape, d, 1)) / np.sqrt(np.asarray(shrinkage))[..., None, None]
    return np.asarray(m + (unpack(factor) @ z)[..., 0])


def independent_means_logp(value: Any, m: Any, deviations: Any, per_unit: Any, *_: Any) -> Any:
    """Log density of means ``(..., d)`` of independent features; ``deviations`` are in units."""
    import pymc as pm
    import pytensor.tensor as pt

    return (pm.logp(pm.Normal.dist(m * per_unit, deviations), value * per_unit) + pt.log(per_unit)).sum(-1)


def variances_logp(value: Any, half_degrees: Any, half_scale: Any, per_unit: Any) -> Any:
    """Log density of variances, inverse-gamma; ``half_scale`` is in squares of the unit."""
    import pymc as pm
    import pytensor.tensor as pt

    inside = variances_in_units(value, per_unit)
    return pm.logp(pm.InverseGamma.dist(half_degrees, half_scale), inside) + 2 * pt.log(per_unit)


def variances_random(half_degrees: Any, half_scale: Any, per_unit: Any, rng: Any = None, size: Any = None) -> Floats:
    """Variances drawn from that distribution."""
    return np.asarray(half_scale / rng.standard_gamma(half_degrees, size=size) / per_unit**2)


def independent_means_random(
    m: Any, deviations: Any, per_unit: Any, *_: Any, rng: Any = None, size: Any = None
) -> Floats:
    """Means drawn from that distribution."""
    shape = np.broadcast_shapes(m.shape, deviations.shape) if size is None else (*size, m.shape[-1])
    return np.asarray(m + deviations / per_unit * rng.standard_normal(shape))


def variances_support_point(rv: Any, size: Any, half_degrees: Any, half_scale: Any, per_unit: Any) -> Any:
    """Where samplers start: at the prior's mean, or its mode where there is no mean."""
    import pytensor.tensor as pt

    inside = half_scale / (half_degrees + pt.switch(half_degrees > 1, -1.0, 1.0))
    return pt.broadcast_to(inside / per_unit**2, rv.shape)


def full_logp(y: Any, weights: Any, means: Any, factors: Any, per_unit: Any, counts: Any, labels: Any) -> Any:
    """Log density of rows of a mixture of normals with packed Cholesky factors ``(..., K, p)``."""
    import pytensor.tensor as pt

    entries = entries_of(in_units(factors, per_unit[..., None, :]))
    d, y, means = len(entries), y * per_unit, means * per_unit[..., None, :]
    columns = [y[..., j, None] for j in range(d)]
    log_densities = (
        normal_logp(columns, [means[..., j] for j in range(d)], entries) + pt.log(per_unit).sum(-1)[..., None]
    )
    return mixture_log_density(pt.log(weights), log_densities, counts, labels)


def full_random(
    weights: Any, means: Any, factors: Any, per_unit: Any, counts: Any, labels: Any, rng: Any = None, size: Any = None
) -> Floats:
    """Rows drawn from that mixture."""
    component = draw_components(weights, labels, size, rng)
    z = rng.standard_normal((*component.shape, means.shape[-1], 1))
    return np.asarray(
        take_components(means, component, core=1) + (take_components(unpack(factors), component, core=2) @ z)[..., 0]
    )


def diagonal_logp(y: Any, weights: Any, means: Any, deviations: Any, per_unit: Any, counts: Any, labels: Any) -> Any:
    """Log density of rows of a mixture of normals with independent features of standard deviations ``(..., K, d)`` in units."""
    import pymc as pm
    import pytensor.tensor as pt

    d, y, means = int(means.type.shape[-1]), y * per_unit, means * per_unit[..., None, :]
    log_densities = sum(pm.logp(pm.Normal.dist(means[..., j], deviations[..., j]), y[..., j, None]) for j in range(d))
    log_densities += pt.log(per_unit).sum(-1)[..., None]
    return mixture_log_density(pt.log(weights), log_densities, counts, labels)


def diagonal_random(
    weights: Any,
    means: Any,
    deviations: Any,
    per_unit: Any,
    counts: Any,
    labels: Any,
    rng: Any = None,
    size: Any = None,
) -> Floats:
    """Rows drawn from that mixture."""
    component = draw_components(weights, labels, size, rng)
    z = rng.standard_normal((*component.shape, means.shape[-1]))
    deviations = deviations / np.asarray(per_unit)[..., None, :]
    return np.asarray(take_components(means, component, core=1) + take_components(deviations, component, core=1) * z)
