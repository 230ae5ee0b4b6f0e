"""The six forms of covariances: what each shape keeps, its prior, its free entries, and derivatives by them.

A covariance matrix enters the full vector by its lower entries, row by row: ``(1,1), (2,1), (2,2), (3,1), ...``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, multigammaln

from models.gaussians import CovarianceForm, GaussianPrior
from models.inputs import Floats


@dataclass(frozen=True, slots=True, eq=False)
class CovariancePrior:
    """A prior on covariances as the exponent and scatter that it adds; zeros where there is none.

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
    def of(cls, prior: GaussianPrior | None, form: CovarianceForm, d: int) -> CovariancePrior:
        """Inverse-Wishart for full covariances, inverse-gamma for diagonal and spherical ones."""
        if prior is None:
            return cls(0.0, np.zeros((d, d)), 0.0)
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
    """Keep of ``(K, d, d)`` what the shape has: everything, the diagonal, or its average."""
    if form.shape == "full":
        return 0.5 * (covariances + covariances.transpose(0, 2, 1))
    variances = np.diagonal(covariances, axis1=1, axis2=2)
    if form.shape == "spherical":
        variances = np.broadcast_to(variances.mean(axis=1, keepdims=True), variances.shape)
    return np.eye(covariances.shape[1]) * variances[:, None, :]


def normal_derivatives(
    precision: Floats, directions: Floats, sizes: tuple[float, float], first: Floats, second: Floats
) -> tuple[Floats, Floats]:
    """Gradient and Hessian by (mean, lower entries of Sigma) of a sum of normal log densities given its moments.

    ``sizes`` are how often the log determinant and how often the squared distance of the mean is counted; ``directions``
    ``(q, d, d)`` is what one unit of each entry adds to Sigma. From d log f = u'dmu + tr((uu' - P) dSigma) / 2 with
    u = P (y - mu), differentiated once more.
    """
    determinants, located = sizes
    turned = precision @ directions
    moved = precision @ second
    scatter = np.einsum("sab,ba->s", turned, moved)
    gradient = np.concatenate([precision @ first, 0.5 * (scatter - determinants * np.trace(turned, axis1=1, axis2=2))])
    mixed = -np.einsum("sab,b->as", turned, precision @ first)
    curved = 0.5 * determinants * np.einsum("sab,tba->st", turned, turned)
    curved -= np.einsum("sab,tba->st", turned, turned @ moved)
    return gradient, np.block([[-located * precision, mixed], [mixed.T, curved]])


def lower_directions(d: int) -> Floats:
    """``(q, d, d)`` what one unit of each lower entry adds to a symmetric matrix, q = d (d + 1) / 2."""
    a, b = np.tril_indices(d)
    directions = np.zeros((len(a), d, d))
    directions[np.arange(len(a)), a, b] = directions[np.arange(len(a)), b, a] = 1.0
    return directions


def free_entries(form: CovarianceForm, k: int, d: int) -> Floats:
    """``(K q, f)`` how the lower entries of all covariances depend on those that are free."""
    a, b = np.tril_indices(d)
    shape = {
        "full": np.eye(len(a)),
        "diagonal": np.eye(len(a))[:, a == b],
        "spherical": (a == b).astype(float)[:, None],
    }
    return np.tile(shape[form.shape], (k, 1)) if form.tied else np.kron(np.eye(k), shape[form.shape])


def root_coordinates(covariances: Floats, form: CovarianceForm, *, unbounded: bool) -> Floats:
    """Free entries of the Cholesky factors as one vector; their diagonals in logarithms where ``unbounded``."""
    roots = np.linalg.cholesky(covariances[:1] if form.tied else covariances)
    a, b = np.tril_indices(covariances.shape[1])
    x = roots[:, a, b]
    if unbounded:
        x[:, a == b] = np.log(x[:, a == b])
    keep = {"full": np.full(len(a), True), "diagonal": a == b, "spherical": (a == 0)}
    return np.asarray(x[:, keep[form.shape]].ravel())


def from_root_coordinates(x: Floats, form: CovarianceForm, k: int, d: int, *, unbounded: bool) -> tuple[Floats, Floats]:
    """Lower entries ``(K q,)`` of the covariances and their Jacobian ``(K q, f)`` by `root_coordinates`.

    Raises
    ------
    FloatingPointError
        if a diagonal entry of a Cholesky factor is not positive
    """
    a, b = np.tril_indices(d)
    places = {
        "full": [(i, j) for i, j in zip(a, b, strict=True)],
        "diagonal": [(i, i) for i in range(d)],
        "spherical": [(0, 0)],
    }
    free = places[form.shape]
    matrices = 1 if form.tied else k
    entries, jacobian = np.empty((matrices, len(a))), np.zeros((matrices, len(a), matrices, len(free)))
    for m, values in enumerate(x.reshape(matrices, len(free))):
        root = np.zeros((d, d))
        scale = np.ones(len(free))
        for s, (i, j) in enumerate(free):
            root[i, j] = values[s]
            if i == j and unbounded:
                root[i, j] = scale[s] = np.exp(values[s])
        if form.shape == "spherical":
            root = np.eye(d) * root[0, 0]
        if not (np.diag(root) > 0).all():
            raise FloatingPointError("a standard deviation is not positive")
        entries[m] = (root @ root.T)[a, b]
        for s, (i, j) in enumerate(free):
            moved = np.zeros((d, d))
            moved[i, j] = scale[s]
            if form.shape == "spherical":
                moved = np.eye(d) * scale[s]
            jacobian[m, :, m, s] = (moved @ root.T + root @ moved.T)[a, b]
    full = jacobian.reshape(matrices * len(a), -1)
    if form.tied:
        return np.tile(entries.ravel(), k), np.tile(full, (k, 1))
    return entries.ravel(), full
