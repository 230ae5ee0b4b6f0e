"""Coordinates for PyMC in which the data are white: means in spreads of the rows from their centre, covariances likewise.

The variables stay in the user's units, and so do their densities; it is the transforms to unconstrained values that carry the
affine map and its Jacobian. A sampler that adapts a diagonal mass matrix, and an optimiser that starts from a multiple of the
identity, so see no correlation and no unit of the data. The map is `pymc.Data`: one compiled model serves other rows. PyMC
finds it only among the inputs of a variable, so it comes last among the parameters of the variables it is for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.gaussians.covariances import CovarianceForm
from models.gaussians.measurements import Measurements, collinear, covariance_of, mean_of
from models.inputs import Floats

if TYPE_CHECKING:
    from models.gaussians.nouns import GaussianPrior


def add_white(data: Measurements, form: CovarianceForm, prior: GaussianPrior) -> tuple[Any, Any, Any, Any]:
    """Add the map, outside = location + factor @ inside, to the model on the context stack.

    Returns
    -------
    One over the unit of each feature ``(d,)``, a power of two about its spread; location ``(d,)``; factor ``(d, d)``, a lower
    triangle; and its inverse. Densities and their gradients are computed in these units, where no square overflows. Nothing is
    rounded by a power of two, and nothing divided by one: PyTensor would collect such divisors, and square them.
    """
    import pymc as pm

    centre, factor = mean_of(data), spread_factor(data, form, prior)
    per_unit = np.ldexp(1.0, -np.frexp(np.diag(factor))[1])
    return (
        pm.Data("per_unit", per_unit, shape=per_unit.shape),
        pm.Data("white_location", centre, shape=centre.shape),
        pm.Data("white_factor", factor, shape=factor.shape),
        pm.Data("white_back", np.linalg.inv(factor), shape=factor.shape),
    )


def spread_factor(data: Measurements, form: CovarianceForm, prior: GaussianPrior) -> Floats:
    """Lower Cholesky factor ``(d, d)`` of the data's covariance as far as a form has it, of the prior's where data have none."""
    covariance = covariance_of(data)
    variances = np.diag(covariance)
    variances = np.where(variances > 0, variances, np.diag(prior.scale) / prior.degrees_of_freedom)
    if form.shape == "spherical":
        variances = np.full_like(variances, variances.mean())
    if form.shape != "full" or (np.diag(covariance) == 0).any() or len(collinear(covariance)):
        return np.diag(np.sqrt(variances))
    return np.asarray(np.linalg.cholesky(covariance))


def on_packed(matrix: Any) -> Any:
    """The map ``(p, p)`` of packed lower triangles that multiplies them by a lower triangle ``(d, d)`` from the left."""
    a, b = np.tril_indices(int(matrix.type.shape[-1]))
    return matrix[..., a[:, None], a] * (b[:, None] == b)


def times(matrix: Any, vectors: Any) -> Any:
    """Matrices ``(..., m, m)`` times vectors ``(..., m)``, in elementwise operations, which compile soonest."""
    return (matrix * vectors[..., None, :]).sum(-1)


def log_diagonal(factor: Any) -> Any:
    """``(..., d)`` logarithms of the diagonal."""
    import pytensor.tensor as pt

    d = range(int(factor.type.shape[-1]))
    return pt.log(factor[..., d, d])


def variances_transform() -> Any:
    """The transform of variances: logarithms in squares of the unit; one over the unit is the last input of the variable."""
    import pytensor.tensor as pt
    from pymc.distributions.transforms import Transform

    class LogInUnits(Transform):  # type: ignore[misc]  # PyMC has no types
        name = "log"
        ndim_supp = 0

        def forward(self, value: Any, *inputs: Any) -> Any:
            return pt.log(value) + 2 * pt.log(inputs[-1])

        def backward(self, value: Any, *inputs: Any) -> Any:
            return pt.exp(value - 2 * pt.log(inputs[-1]))

        def log_jac_det(self, value: Any, *inputs: Any) -> Any:
            return value - 2 * pt.log(inputs[-1])

    return LogInUnits()


def variances_in_units(variances: Any, per_unit: Any) -> Any:
    """Variances in squares of the unit, by their logarithms, in which no product of many units can arise."""
    import pytensor.tensor as pt

    return pt.exp(pt.log(variances) + 2 * pt.log(per_unit))


def means_transform() -> Any:
    """The transform of means; location, factor and its inverse are the last inputs of the variable."""
    import pytensor.tensor as pt
    from pymc.distributions.transforms import Transform

    class White(Transform):  # type: ignore[misc]  # PyMC has no types
        name = "white"
        ndim_supp = 1

        def forward(self, value: Any, *inputs: Any) -> Any:
            return times(inputs[-1], value - inputs[-3])

        def backward(self, value: Any, *inputs: Any) -> Any:
            return inputs[-3] + times(inputs[-2], value)

        def log_jac_det(self, value: Any, *inputs: Any) -> Any:
            return pt.zeros_like(value[..., 0]) + log_diagonal(inputs[-2]).sum(-1)

    return White()
