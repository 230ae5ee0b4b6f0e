"""Mixtures of normal distributions in d dimensions.

    z_i ~ Categorical(w),    y_i | z_i = k ~ Normal_d(mu_k, Sigma_k)

Source: Day (1969), Biometrika 56, 463; McLachlan & Peel (2000), Finite Mixture Models. Prior, after Fraley & Raftery
(2007), Journal of Classification 24, 155:

    w ~ Dirichlet(concentration),   Sigma_k ~ inverse-Wishart(degrees_of_freedom, scale),
    mu_k | Sigma_k ~ Normal_d(mean, Sigma_k / shrinkage).

Diagonal and spherical covariances have independent inverse-gamma priors: ``Sigma_jj ~ IG(nu / 2, scale_jj / 2)``, and
``sigma^2 ~ IG(nu / 2, tr(scale) / (2 d))``. For d = 1 the three are the same distribution. Tied covariances have the
prior once.

A row of which cells are missing has the marginal density of those that were seen, as it is where cells are missing at random.

What it does not do: heavy tails, cells whose missing depends on their own value, constrained orientations as in mclust's VEV and
kin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from models.display import displayed
from models.gaussians.covariances import positive_definite, square_matrices
from models.gaussians.measurements import Measurements, Missing, mean_of, measured, sample_covariance, spread_covariance
from models.inputs import (
    Floats,
    Integers,
    component_number,
    finite_array,
    positive_number,
    read_only,
    reordered,
    some_of,
    weight_vector,
)
from models.tables import Columns

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, slots=True, init=False, eq=False)
class GaussianParameters:
    """A mixture of normal distributions.

    Parameters
    ----------
    weights : ``(n_components,)`` summing to 1
    means : ``(n_components, n_features)``; for one feature ``(n_components,)`` is taken too
    covariances : ``(n_components, n_features, n_features)``, also for tied, diagonal and spherical forms; for one
        feature ``(n_components,)`` variances are taken too

    Raises
    ------
    ValueError
        if shapes differ, weights do not sum to 1, or a covariance is not symmetric and positive definite
    """

    weights: Floats
    means: Floats
    covariances: Floats

    def __init__(self, weights: ArrayLike, means: ArrayLike, covariances: ArrayLike) -> None:
        chances = weight_vector("weights", weights)
        locations = finite_array("means", means, (1, 2))
        locations = locations.reshape(len(locations), -1)
        if len(locations) != len(chances):
            raise ValueError(
                f"means has {len(locations)} rows but weights has {len(chances)} values; give one row per component"
            )
        matrices = square_matrices("covariances", covariances, len(chances), locations.shape[1])
        object.__setattr__(self, "weights", chances)
        object.__setattr__(self, "means", read_only(locations))
        object.__setattr__(self, "covariances", matrices)

    __repr__ = displayed

    @property
    def n_components(self) -> int:
        """Number of components."""
        return len(self.weights)

    @property
    def standard_deviations(self) -> Floats:
        """``(n_components, n_features)`` square roots of the variances, in the units of y."""
        return read_only(np.sqrt(np.diagonal(self.covariances, axis1=1, axis2=2)))

    @property
    def order_keys(self) -> Floats:
        """``(..., n_components, d + 1)`` what canonical order compares: means feature by feature, then the weight."""
        return np.concatenate([self.means, self.weights[..., None]], axis=-1)

    def simulate(self, components: Integers, random: np.random.Generator) -> Floats:
        """Draw a row ``(d,)`` from each of the ``components`` ``(n,)``, counted from 0: ``(n, d)``."""
        roots = np.linalg.cholesky(self.covariances)[components]
        normal = random.normal(size=(len(components), self.means.shape[-1]))
        return np.asarray(self.means[components] + np.einsum("nab,nb->na", roots, normal))

    def permuted(self, permutation: ArrayLike) -> GaussianParameters:
        """The same mixture with its components read in the order ``permutation``."""
        return reordered(self, permutation)


@dataclass(frozen=True, slots=True, init=False, eq=False)
class GaussianPrior:
    """The conjugate prior of a mixture of normals; the same for every component.

    Parameters
    ----------
    mean : ``(d,)``, or one number for d = 1: prior mean of the means, in the units of y
    shrinkage : how many rows the prior mean is worth
    degrees_of_freedom : of the inverse-Wishart, above d - 1
    scale : ``(d, d)``, or one number for d = 1: scale matrix, in squared units of y
    concentration : of the Dirichlet on the weights
    features : ``(d,)`` names of the columns that mean and scale are of; a table that is fitted must then have these, in the
        same order

    Raises
    ------
    TypeError
        if booleans, strings or other objects stand where numbers belong
    ValueError
        if a number is not positive, degrees_of_freedom is at most d - 1, or scale is not positive definite
    """

    mean: Floats
    shrinkage: float
    degrees_of_freedom: float
    scale: Floats
    concentration: float
    features: tuple[str, ...] | None

    def __init__(
        self,
        mean: ArrayLike,
        shrinkage: float,
        degrees_of_freedom: float,
        scale: ArrayLike,
        concentration: float = 2.0,
        features: Sequence[str] | None = None,
    ) -> None:
        centre = read_only(finite_array("mean", mean, (0, 1)).reshape(-1))
        d = len(centre)
        matrix = np.asarray(finite_array("scale", scale, (0, 2) if d == 1 else (2,)))
        if matrix.size != d * d:
            raise ValueError(f"scale has shape {matrix.shape} but mean has {d} values; scale must be ({d}, {d})")
        object.__setattr__(self, "mean", centre)
        object.__setattr__(self, "scale", read_only(positive_definite("scale", matrix.reshape(d, d))))
        object.__setattr__(self, "shrinkage", positive_number("shrinkage", shrinkage))
        object.__setattr__(self, "concentration", positive_number("concentration", concentration))
        dof = positive_number("degrees_of_freedom", degrees_of_freedom, above=d - 1)
        object.__setattr__(self, "degrees_of_freedom", dof)
        if features is not None and len(features) != d:
            raise ValueError(f"features has {len(features)} names but mean has {d} values; give one name per value")
        object.__setattr__(self, "features", None if features is None else tuple(features))

    __repr__ = displayed

    def checked(self, d: int, columns: Columns | None) -> GaussianPrior:
        """The prior, unless it is for other features than the ``d`` of y, which a table calls ``columns``."""
        if len(self.mean) != d:
            raise ValueError(f"prior is for {len(self.mean)} features but y has {d}; give one prior mean per feature")
        if self.features is not None and columns is not None and columns.features != self.features:
            raise ValueError(
                f"prior is for the columns {some_of(self.features)} but y has {some_of(columns.features)}; make it from "
                "the same columns in the same order"
            )
        return self

    @classmethod
    def weakly_informative(
        cls,
        y: ArrayLike | Measurements,
        n_components: int,
        counts: ArrayLike | None = None,
        missing: Missing = "refuse",
        *,
        correlated: bool = True,
    ) -> GaussianPrior:
        """Return the default prior, read off the data as Fraley & Raftery (2007) do.

        ========================  ============================  =====================================================
        number                    value                         reason
        ========================  ============================  =====================================================
        ``mean``                  mean of y                     invariant to shift and scale
        ``shrinkage``             0.05                          a twentieth of a row: the mean of an empty component
                                                                is spread about 4.5 of its sds, not 10 (their 0.01)
        ``degrees_of_freedom``    d + 4                         their d + 2 leaves infinite variances and fourth
                                                                moments, so that no Monte Carlo error exists; from
                                                                d + 4 on it does
        ``scale``                 cov(y) / K^(2/d)              theirs: K components share the volume of the data
                                                                evenly. With more degrees of freedom the prior mean
                                                                of a covariance is a third of that, which leaves
                                                                clusters much tighter than the data as they are
        ``concentration``         2                             one row per component: the mode never empties one
        ========================  ============================  =====================================================

        The prior uses the data once, to set its location and size. Where that matters (simulation studies), give fixed
        numbers instead.

        Where cells are missing, mean and variances are those of what was seen of each feature, and cov(y) between two is the sum
        of products over the rows that have both, by the root of the product of both divisors n - 1: positive definite, and
        the more careful the fewer such rows there are.

        Parameters
        ----------
        y : ``(n,)`` or ``(n, d)``, an array or a DataFrame without columns of labels; or `Measurements`
        n_components : K
        counts : ``(n,)`` how many times each row was seen, or the name of that column of y
        missing : as `Measurements` has it
        correlated : whether the scale has the covariances of y beside its variances; without them it is of full rank where y
            has collinear columns or fewer rows than columns, too

        Raises
        ------
        ValueError
            if a column is constant or, where ``correlated``, n <= d or columns are collinear: the scale would be singular
        """
        k = component_number(n_components)
        data = measured(y, counts, missing=missing).seen()
        covariance = sample_covariance(data) if correlated else spread_covariance(data)
        return cls(
            mean=mean_of(data),
            shrinkage=0.05,
            degrees_of_freedom=data.d + 4.0,
            scale=covariance / k ** (2 / data.d),
            concentration=2.0,
            features=None if data.columns is None else data.features,
        )
