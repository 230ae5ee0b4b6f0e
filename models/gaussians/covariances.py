"""Covariance matrices of mixtures: what the six words allow, and what a user may hand in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from models.inputs import Floats, cut, finite_array, read_only, shown

type Shape = Literal["full", "diagonal", "spherical"]
type Covariance = Literal["full", "tied", "diagonal", "spherical", "tied-diagonal", "tied-spherical"]

# Share of the product of two spreads that in a matrix declared of some form is rounding.
ROUNDING = 1e-8


@dataclass(frozen=True, slots=True)
class CovarianceForm:
    """What the covariances of the components may be, read from the argument ``covariance``.

    Attributes
    ----------
    shape : of each matrix
    tied : whether all components share one matrix
    """

    shape: Shape
    tied: bool

    @classmethod
    def of(cls, covariance: Covariance) -> CovarianceForm:
        """Read one of the six words, or raise ValueError listing them."""
        known = get_args(Covariance.__value__)
        if not isinstance(covariance, str) or covariance not in known:
            raise ValueError(f"covariance is {shown(covariance)}; give one of {', '.join(known)}")
        word = covariance.removeprefix("tied").removeprefix("-") or "full"
        return cls(shape=word, tied=covariance.startswith("tied"))  # type: ignore[arg-type]

    def checked(self, covariances: Floats) -> Floats:
        """Return covariances ``(K, d, d)`` that have this form, or raise ValueError naming what they break."""
        spread = np.sqrt(np.diagonal(covariances, axis1=1, axis2=2).max(axis=0))
        # What is rounding does not depend on the units of the features, but where all have one.
        spread = np.full_like(spread, spread.max()) if self.shape == "spherical" else spread
        relative = covariances / spread / spread[:, None]
        if self.tied and np.ptp(relative, axis=0).max() > ROUNDING:
            raise ValueError(
                "covariances differ between components but are declared tied; give the same matrix for all"
            )
        variances = np.diagonal(relative, axis1=1, axis2=2)
        if self.shape != "full" and np.abs(relative - np.eye(len(spread)) * variances[:, None]).max() > ROUNDING:
            raise ValueError(f"covariances have entries off the diagonal but are declared {self.shape}; set them to 0")
        if self.shape == "spherical" and np.ptp(variances, axis=1).max() > ROUNDING:
            raise ValueError(
                "variances differ between features but are declared spherical; give the same value for all"
            )
        return covariances


def square_matrices(name: str, value: ArrayLike, k: int, d: int) -> Floats:
    """Covariances as ``(K, d, d)``; for d = 1 also variances ``(K,)`` or ``(K, 1)`` are taken."""
    array = finite_array(name, value, (1, 2, 3) if d == 1 else (3,))
    if array.size != k * d * d:
        raise ValueError(f"{name} has shape {array.shape}; {k} components with {d} features need ({k}, {d}, {d})")
    matrices = array.reshape(k, d, d)
    for j, matrix in enumerate(matrices):
        positive_definite(f"{name}[{j}]", matrix)
    return read_only(matrices)


def positive_definite(place: str, matrix: Floats) -> Floats:
    """Return a covariance ``(d, d)``, or raise ValueError saying why it is none."""
    variances = matrix.diagonal()
    if (variances <= 0).any():
        raise ValueError(
            f"{place} has a diagonal entry that is not positive: {cut(str(variances))}; variances must be above 0"
        )
    if len(variances) == 1:
        return matrix
    # Unit diagonal first: whether a matrix is positive definite does not depend on the units of the features.
    spread = np.sqrt(variances)
    correlation = matrix / spread / spread[:, None]
    if not np.abs(correlation - correlation.T).max() <= 1e-10:
        raise ValueError(f"{place} is not symmetric; a covariance equals its transpose")
    if np.linalg.eigvalsh(correlation)[0] <= 0:
        raise ValueError(f"{place} is not positive definite; its columns are linearly dependent")
    return matrix
