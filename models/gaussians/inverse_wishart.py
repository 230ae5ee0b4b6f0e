"""Inverse-Wishart covariances for PyMC, carried by their Cholesky factors.

The free variable is the packed lower triangle of L, ``Sigma = L L'``, but its log density is that of *Sigma* on its natural
scale, so that PyMC without Jacobian has the mode that EM has. The transform to unconstrained values (logarithms on the
diagonal) carries the whole Jacobian of Sigma by those values; sampling needs it, the mode must not see it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from models.inputs import Floats


def packed_index(d: int) -> dict[tuple[int, int], int]:
    """Position of each entry ``(i, j)``, ``j <= i``, of a lower triangle packed row by row."""
    return {(i, j): i * (i + 1) // 2 + j for i in range(d) for j in range(i + 1)}


def _dimension(n_packed: int) -> int:
    return int(np.rint((np.sqrt(8 * n_packed + 1) - 1) / 2))


def entries_of(packed: Any) -> list[list[Any]]:
    """Lower triangle of scalars-per-component: ``entries[i][j]`` is ``L[..., i, j]``."""
    d = _dimension(int(packed.type.shape[-1]))
    at = packed_index(d)
    return [[packed[..., at[i, j]] for j in range(i + 1)] for i in range(d)]


def solve_lower(entries: Sequence[Sequence[Any]], columns: Sequence[Any]) -> list[Any]:
    """Forward substitution, written out: ``L z = x`` for a list of d tensors ``x``."""
    solved: list[Any] = []
    for i, x in enumerate(columns):
        for j in range(i):
            x = x - entries[i][j] * solved[j]
        solved.append(x / entries[i][i])
    return solved


def in_units(packed: Any, per_unit: Any) -> Any:
    """Packed lower triangles ``(..., p)`` in units of the features, of which ``per_unit`` ``(..., d)`` are the reciprocals."""
    rows = np.array([i for i, _ in packed_index(int(per_unit.type.shape[-1]))])
    return packed * per_unit[..., rows]


def normal_logp(columns: Sequence[Any], means: Sequence[Any], entries: Sequence[Sequence[Any]]) -> Any:
    """Log density of N(means, L L') as the product of its conditional normals."""
    import pymc as pm

    total: Any = 0.0
    solved: list[Any] = []
    for i, (x, m) in enumerate(zip(columns, means, strict=True)):
        for j in range(i):
            m = m + entries[i][j] * solved[j]
        total = total + pm.logp(pm.Normal.dist(m, entries[i][i]), x)
        solved.append((x - m) / entries[i][i])
    return total


def inverse_wishart_logp(packed: Any, degrees_of_freedom: Any, scale: Any, per_unit: Any, *_: Any) -> Any:
    """Inverse-Wishart log density of ``Sigma = L L'``, a density over ``vech(Sigma)``.

    Parameters
    ----------
    packed
        Tensor ``(..., d (d + 1) / 2)``, the lower triangle of L, row by row.
    degrees_of_freedom
        Scalar tensor.
    scale
        Tensor ``(..., d (d + 1) / 2)``: the Cholesky factor of the scale matrix, packed alike.
    per_unit
        Tensor ``(..., d)``: one over the unit of each feature in which the density is computed. It is that of the matrix as given
        all the same.

    Returns
    -------
    TensorVariable
        Tensor ``(...)``. There is no Jacobian in it.
    """
    import pytensor.tensor as pt

    packed, scale = in_units(packed, per_unit), in_units(scale, per_unit)
    lower, root = entries_of(packed), entries_of(scale)
    d = len(lower)
    nu = degrees_of_freedom
    trace: Any = 0.0
    for j in range(d):  # squared length of column j of inv(L) C, which is lower triangular
        tail = [row[j:] for row in lower[j:]]
        for z in solve_lower(tail, [root[i][j] for i in range(j, d)]):
            trace = trace + z**2
    log_det = 2 * pt.log(packed[..., [packed_index(d)[i, i] for i in range(d)]]).sum(-1)
    log_det_scale = 2 * pt.log(scale[..., [packed_index(d)[i, i] for i in range(d)]]).sum(-1)
    log_gamma: Any = d * (d - 1) / 4 * np.log(np.pi)
    for i in range(d):
        log_gamma = log_gamma + pt.gammaln((nu - i) / 2)
    constant = nu / 2 * log_det_scale - nu * d / 2 * np.log(2) - log_gamma + (d + 1) * pt.log(per_unit).sum(-1)
    return constant - (nu + d + 1) / 2 * log_det - trace / 2


def inverse_wishart_factor(
    degrees_of_freedom: float, scale_factor: Floats, shape: tuple[int, ...], rng: np.random.Generator
) -> Floats:
    """Draw Cholesky factors of inverse-Wishart matrices by Bartlett's decomposition.

    Parameters
    ----------
    degrees_of_freedom
        More than ``d - 1``.
    scale_factor
        Lower Cholesky factor C of the scale matrix, ``(d, d)``.
    shape
        Shape of the batch of draws.
    rng
        Random generator.

    Returns
    -------
    numpy.ndarray
        Lower factors ``shape + (d, d)`` with positive diagonal.
    """
    d = len(scale_factor)
    # Sigma = C inv(A A') C' with A A' ~ Wishart(nu, I): here A = U is *upper* triangular, so that
    # inv(A)' is lower triangular and C inv(A)' is already the Cholesky factor.
    upper = np.zeros((*shape, d, d))
    for i in range(d):
        upper[..., i, i] = np.sqrt(rng.chisquare(degrees_of_freedom - (d - 1 - i), size=shape))
        upper[..., i, i + 1 :] = rng.standard_normal((*shape, d - 1 - i))
    return scale_factor @ np.swapaxes(np.linalg.inv(upper), -1, -2)


def pack(lower: Floats) -> Floats:
    """Pack lower triangles ``(..., d, d)`` row by row into ``(..., d (d + 1) / 2)``."""
    rows, columns = np.tril_indices(lower.shape[-1])
    return lower[..., rows, columns]


def unpack(packed: Floats) -> Floats:
    """Inverse of `pack`."""
    d = _dimension(packed.shape[-1])
    lower = np.zeros((*packed.shape[:-1], d, d))
    rows, columns = np.tril_indices(d)
    lower[..., rows, columns] = packed
    return lower


def random_factor(nu: Any, scale_factor: Any, *_: Any, rng: Any = None, size: Any = None) -> Floats:
    """Packed factors drawn from the prior, as `pymc.CustomDist` asks for them."""
    shape = np.broadcast_shapes(np.shape(nu), np.shape(scale_factor)[:-1]) if size is None else tuple(size)
    one = np.reshape(scale_factor, (-1, np.shape(scale_factor)[-1]))[0]
    return pack(inverse_wishart_factor(float(np.ravel(nu)[0]), unpack(one), shape, rng))


def factor_support_point(rv: Any, size: Any, nu: Any, scale_factor: Any, *_: Any) -> Any:
    """Where samplers start: a factor of about the prior mean of the precision."""
    import pytensor.tensor as pt

    return pt.broadcast_to(scale_factor / pt.sqrt(nu)[..., None], rv.shape)


def covariance_factor_transform(d: int) -> Any:
    """Transform of a packed Cholesky factor: that of what is white inside, with logarithms on the diagonal.

    Its ``log_jac_det`` is that of ``vech(L L')`` with respect to the unconstrained values, not of L:
    so a log density of ``Sigma`` is what the variable must have, and what PyMC evaluates without Jacobian.

    Parameters
    ----------
    d
        Dimension of the covariance matrix. The last inputs of the variable are the map from where the data are white, whose
        product with the factor inside is the factor, and its inverse; see `models.gaussians.white`.

    Returns
    -------
    pymc.distributions.transforms.Transform
    """
    import pytensor.tensor as pt
    from pymc.distributions.transforms import Transform

    from models.gaussians.white import log_diagonal, on_packed, times

    at = packed_index(d)
    on_diagonal = np.zeros(d * (d + 1) // 2, dtype=bool)
    on_diagonal[[at[i, i] for i in range(d)]] = True
    # d vech(LL') / d vech(L) has determinant 2^d prod L_ii^(d - i), i = 0..d-1; and d L_ii / d log L_ii = L_ii
    powers = np.array([float(d - i + 1) for i in range(d)])
    diagonal_index = [at[i, i] for i in range(d)]

    class CovarianceFactor(Transform):  # type: ignore[misc]  # PyMC has no types
        name = "log_diagonal"
        ndim_supp = 1

        def forward(self, value: Any, *inputs: Any) -> Any:
            inside = times(on_packed(inputs[-1]), value)
            return pt.switch(on_diagonal, pt.log(pt.switch(on_diagonal, inside, 1.0)), inside)

        def backward(self, value: Any, *inputs: Any) -> Any:
            return times(
                on_packed(inputs[-2]), pt.switch(on_diagonal, pt.exp(pt.switch(on_diagonal, value, 0.0)), value)
            )

        def log_jac_det(self, value: Any, *inputs: Any) -> Any:
            from_white = (d + 1) * log_diagonal(inputs[-2]).sum(-1)
            return (value[..., diagonal_index] * powers).sum(-1) + d * np.log(2.0) + from_white

    return CovarianceFactor()


def covariance_of(factors: Any) -> Any:
    """``(..., d, d)`` L L' of packed factors ``(..., d (d + 1) / 2)``."""
    import pytensor.tensor as pt

    rows = entries_of(factors)
    d, nothing = len(rows), pt.zeros_like(rows[0][0])
    lower = pt.stack([pt.stack([*row, *[nothing] * (d - len(row))], axis=-1) for row in rows], axis=-2)
    return (lower[..., :, None, :] * lower[..., None, :, :]).sum(-1)
