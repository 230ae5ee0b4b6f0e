"""Means and covariances of normal components with their conjugate prior, as free variables of a PyMC model.

The prior numbers are `pymc.Data`, so that one compiled model serves every prior of its structure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.gaussians.covariances import CovarianceForm
from models.gaussians.inverse_wishart import (
    covariance_factor_transform,
    covariance_of,
    factor_support_point,
    inverse_wishart_logp,
    pack,
    packed_index,
    random_factor,
)
from models.gaussians.normal_distribution import (
    independent_means_logp,
    independent_means_random,
    means_logp,
    means_random,
    variances_logp,
    variances_random,
    variances_support_point,
)
from models.gaussians.white import means_transform, variances_in_units, variances_transform

if TYPE_CHECKING:
    from models.gaussians.nouns import GaussianPrior


def add_diagonal(k: int, form: CovarianceForm, prior: GaussianPrior, white: tuple[Any, ...]) -> tuple[Any, Any]:
    """Add means and ``variances`` of independent features to the model on the context stack.

    ``white`` is as `models.gaussians.white` has it.

    Returns
    -------
    The means, and the standard deviations in units, both ``(K, d)``
    """
    import pymc as pm
    import pytensor.tensor as pt

    d, spherical = len(prior.mean), form.shape == "spherical"
    mean, shrinkage, nu = _prior_data(prior)
    per_unit = white[0][0] if spherical else white[0]
    half = (np.trace(prior.scale) / d if spherical else np.diag(prior.scale)) / 2 * per_unit.eval() ** 2
    features = () if spherical else (d,)
    variances = pm.CustomDist(
        "variances",
        nu / 2,
        pm.Data("prior_half_scale", half, shape=features),
        per_unit,
        logp=variances_logp,
        random=variances_random,
        support_point=variances_support_point,
        signature="(),(),()->()",
        class_name="InverseGammaInUnits",
        transform=variances_transform(),
        dims=(*(() if form.tied else ("component",)), *(() if spherical else ("feature",))),
        shape=(() if form.tied else (k,)) + features,
    )
    table, inside = (
        pt.broadcast_to(v[..., None] if spherical else v, (k, d))
        for v in (variances, variances_in_units(variances, per_unit))
    )
    deviations = pt.sqrt(inside)
    means = pm.CustomDist(
        "means",
        mean,
        deviations / pt.sqrt(shrinkage),
        *white,
        logp=independent_means_logp,
        random=independent_means_random,
        support_point=lambda rv, size, mean, *_: pt.broadcast_to(mean, rv.shape),
        signature="(d),(d),(d),(d),(d,d),(d,d)->(d)",
        class_name="IndependentNormals",
        transform=means_transform(),
        dims=("component", "feature"),
        shape=(k, d),
    )
    pm.Deterministic("covariances", table[..., None] * np.eye(d), dims=("component", "feature", "feature_2"))
    if d == 1:
        pm.Deterministic("standard_deviations", pt.sqrt(table), dims=("component", "feature"))
    return means, deviations


def add_full(k: int, form: CovarianceForm, prior: GaussianPrior, white: tuple[Any, ...]) -> tuple[Any, Any]:
    """Add means and ``covariance_factors`` to the model on the context stack.

    ``white`` is as `models.gaussians.white` has it.

    Returns
    -------
    The means ``(K, d)`` and the packed Cholesky factor of every component ``(K, d (d + 1) / 2)``
    """
    import pymc as pm
    import pytensor.tensor as pt

    d = len(prior.mean)
    p = d * (d + 1) // 2
    mean, shrinkage, nu = _prior_data(prior)
    pm.modelcontext(None).add_coord("factor_entry", [f"{i + 1}, {j + 1}" for i, j in packed_index(d)])
    factors = pm.CustomDist(
        "covariance_factors",
        nu,
        pm.Data("prior_scale_factor", pack(np.linalg.cholesky(prior.scale)), shape=(p,)),
        white[0],
        *white[2:],
        logp=inverse_wishart_logp,
        random=random_factor,
        support_point=factor_support_point,
        signature="(),(p),(d),(d,d),(d,d)->(p)",
        class_name="InverseWishartFactor",
        transform=covariance_factor_transform(d),
        dims=(*(() if form.tied else ("component",)), "factor_entry"),
        shape=(p,) if form.tied else (k, p),
    )
    means = pm.CustomDist(
        "means",
        mean,
        factors,
        shrinkage,
        *white,
        logp=means_logp,
        random=means_random,
        support_point=lambda rv, size, mean, *_: pt.broadcast_to(mean, rv.shape),
        signature="(d),(p),(),(d),(d),(d,d),(d,d)->(d)",
        class_name="NormalGivenFactor",
        transform=means_transform(),
        dims=("component", "feature"),
        shape=(k, d),
    )
    pm.Deterministic(
        "covariances", pt.broadcast_to(covariance_of(factors), (k, d, d)), dims=("component", "feature", "feature_2")
    )
    return means, pt.broadcast_to(factors, (k, p))


def _prior_data(prior: GaussianPrior) -> tuple[Any, Any, Any]:
    """Prior mean, shrinkage and degrees of freedom."""
    import pymc as pm

    return (
        pm.Data("prior_mean", np.array(prior.mean), shape=prior.mean.shape),
        pm.Data("prior_shrinkage", prior.shrinkage),
        pm.Data("prior_degrees_of_freedom", prior.degrees_of_freedom),
    )
