"""The six forms of covariances: what each shape keeps, its prior, and its free entries.

A covariance matrix enters the full vector by its lower entries, row by row: ``(1,1), (2,1), (2,2), (3,1), ...``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import gammaln, multigammaln

from em.mixture import block_diagonal
from models.gaussians.covariances import CovarianceForm, Shape
from models.gaussians.nouns import GaussianPrior
from models.inputs import Floats, Integers, read_only


@dataclass(frozen=True, slots=True, eq=False)
class CovariancePrior:
    """A prior on covariances as the exponent and scatter that it adds.

    Attributes
    ----------
    exponent : e, in ``|Sigma|^(-e/2)``
    scatter : ``(d, d)`` S, in ``exp(-tr(S Sigma^-1) / 2)``
    log_constant : what makes the density integrate to 1 over the entries that are free
    """

    exponent: float
    scatter: Floats
    log_constant: float

    @classmethod
    def of(cls, prior: GaussianPrior, form: CovarianceForm, d: int) -> CovariancePrior:
        """Inverse-Wishart for full covariances, inverse-gamma for diagonal and spherical ones."""
        nu, scale = prior.degrees_of_freedom, prior.scale
        if form.shape == "full":
            determinant = np.linalg.slogdet(scale)[1]
            constant = 0.5 * nu * (determinant - d * np.log(2)) - multigammaln(nu / 2, d)
            return cls(nu + d + 1, scale, float(constant))
        variances = np.diag(scale) if form.shape == "diagonal" else np.array([np.trace(scale) / d])
        constant = (0.5 * nu * np.log(variances / 2) - gammaln(nu / 2)).sum()
        if form.shape == "diagonal":
            return cls(nu + 2, np.diag(variances), float(constant))
        return cls((nu + 2) / d, np.eye(d) * variances / d, float(constant))


def project(covariances: Floats, form: CovarianceForm) -> Floats:
    """Keep of ``(..., d, d)`` what the shape has: everything, the diagonal, or its average."""
    d = covariances.shape[-1]
    if d == 1:
        return covariances
    if form.shape == "full":
        return 0.5 * (covariances + covariances.swapaxes(-1, -2))
    variances = np.diagonal(covariances, axis1=-2, axis2=-1)
    if form.shape == "spherical":
        variances = np.broadcast_to(variances.mean(axis=-1, keepdims=True), variances.shape)
    return np.eye(d) * variances[..., None, :]


def log_component_prior(means: Floats, covariances: Floats, prior: GaussianPrior, form: CovarianceForm) -> Floats:
    """``(...)`` log density of the prior in all means and free entries of the covariances; tied ones count once."""
    d = means.shape[-1]
    covariance_prior = CovariancePrior.of(prior, form, d)
    precisions = np.linalg.inv(covariances)
    determinants = np.linalg.slogdet(covariances)[1]
    shapes = (
        covariance_prior.log_constant
        - 0.5 * covariance_prior.exponent * determinants
        - 0.5 * np.einsum("ab,...kba->...k", covariance_prior.scatter, precisions)
    )
    difference = means - prior.mean
    distances = prior.shrinkage * np.einsum("...ka,...kab,...kb->...k", difference, precisions, difference)
    locations = 0.5 * (d * np.log(prior.shrinkage / (2 * np.pi)) - determinants - distances)
    return np.asarray((shapes[..., :1] if form.tied else shapes).sum(axis=-1) + locations.sum(axis=-1))


@cache
def lower_directions(d: int) -> Floats:
    """``(q, d, d)`` what one unit of each lower entry adds to a symmetric matrix, q = d (d + 1) / 2."""
    a, b = np.tril_indices(d)
    directions = np.zeros((len(a), d, d))
    directions[np.arange(len(a)), a, b] = directions[np.arange(len(a)), b, a] = 1.0
    return read_only(directions)


def from_lower(entries: Floats, d: int) -> Floats:
    """Symmetric matrices ``(..., K, d, d)`` with these lower entries, ``(..., K q)``."""
    q = d * (d + 1) // 2
    rows = entries.reshape(*entries.shape[:-1], entries.shape[-1] // q, q)
    if d == 1:
        return rows[..., None]
    return rows[..., places_of_lower(d)]


@cache
def places_of_lower(d: int) -> Integers:
    """``(d, d)`` where among the lower entries each entry of a symmetric matrix stands."""
    a, b = np.tril_indices(d)
    places = np.empty((d, d), dtype=np.int64)
    places[a, b] = places[b, a] = np.arange(len(a))
    return read_only(places)


def free_entries(form: CovarianceForm, k: int, d: int) -> Floats:
    """``(K q, f)`` how the lower entries of all covariances depend on those that are free."""
    a, b = np.tril_indices(d)
    every = np.eye(len(a))
    shape = {"full": every, "diagonal": every[:, a == b], "spherical": every[:, a == b].sum(axis=1, keepdims=True)}
    return np.tile(shape[form.shape], (k, 1)) if form.tied else np.kron(np.eye(k), shape[form.shape])


def _free_places(shape: Shape, d: int) -> tuple[Integers, Integers]:
    """Rows and columns of the Cholesky factor that are free."""
    if shape == "full":
        a, b = np.tril_indices(d)
        return a.astype(np.int64), b.astype(np.int64)
    diagonal = np.arange(d if shape == "diagonal" else 1)
    return diagonal, diagonal


def root_coordinates(covariances: Floats, form: CovarianceForm, *, unbounded: bool) -> Floats:
    """Free entries of the Cholesky factors of ``(..., K, d, d)``, ``(..., f)``; logarithms on diagonals if ``unbounded``."""
    roots = np.linalg.cholesky(covariances[..., :1, :, :] if form.tied else covariances)
    a, b = _free_places(form.shape, covariances.shape[-1])
    x = roots[..., a, b]
    if unbounded:
        x[..., a == b] = np.log(x[..., a == b])
    return np.asarray(x.reshape(*covariances.shape[:-3], -1))


def from_root_coordinates(x: Floats, form: CovarianceForm, k: int, d: int, *, unbounded: bool) -> tuple[Floats, Floats]:
    """Lower entries ``(..., K q)`` of the covariances and their Jacobian ``(..., K q, f)`` by `root_coordinates`.

    Raises
    ------
    FloatingPointError
        if a diagonal entry of a Cholesky factor is not positive
    """
    a, b = _free_places(form.shape, d)
    directions = np.zeros((len(a), d, d))
    directions[np.arange(len(a)), a, b] = 1.0
    if form.shape == "spherical":
        directions[0] = np.eye(d)
    many = x.shape[:-1]
    values = x.reshape(*many, 1 if form.tied else k, len(a)).copy()
    if unbounded:
        values[..., a == b] = np.exp(values[..., a == b])
    if not (values[..., a == b] > 0).all():
        raise FloatingPointError("a standard deviation is not positive")
    scales = np.where(a == b, values, 1.0) if unbounded else np.ones_like(values)
    roots = np.einsum("...mf,fab->...mab", values, directions)
    moved = scales[..., None, None] * directions @ roots.swapaxes(-1, -2)[..., None, :, :]
    moved += moved.swapaxes(-1, -2)
    lower = np.tril_indices(d)
    entries = (roots @ roots.swapaxes(-1, -2))[..., *lower].reshape(*many, -1)
    jacobians = moved[..., *lower].swapaxes(-1, -2)
    if form.tied:
        return np.tile(entries, k), np.tile(jacobians[..., 0, :, :], (k, 1))
    return entries, block_diagonal(*np.moveaxis(jacobians, -3, 0))
