"""Mixtures of linear regressions with normal errors.

    z_i ~ Categorical(w),    y_i | z_i = k ~ Normal(x_i' b_k, s_k)

with the covariates ``x_i`` given, the first of them the intercept. Source: DeSarbo & Cron (1988), Journal of Classification 5,
249. Prior, conjugate for each component:

    w ~ Dirichlet(concentration),   s_k^2 ~ inverse-gamma(degrees_of_freedom / 2, scale / 2),
    root (b_k - mean) | s_k ~ Normal_p(0, s_k^2 I).

It counts like p rows more with the covariates ``root`` and what lies there on ``mean``. The density vanishes at a variance of 0
faster than any power, so the posterior is proper and its mode no spike. A variance that is tied has its prior once.

Weights may depend on covariates ``c_i`` of their own, the concomitants (Dayton & Macready 1988, JASA 83, 173):

    w_ik  proportional to  w_k exp((c_i - mean)' g_k),    sum_k g_k = 0,

so that ``w_k`` are the weights at the average. Prior of the gating coefficients: ``g_k - g_l ~ Normal(0, gating^2)`` of each
concomitant for every two components, ``(g_1 .. g_K)`` jointly normal. As it treats all components alike, none is a reference.

What it does not do: errors in covariates, coefficients that components share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from models.display import displayed
from models.inputs import (
    Floats,
    Integers,
    component_number,
    cut,
    finite_array,
    instance_of,
    one_each,
    positive_number,
    read_only,
    reordered,
    shown,
    weight_vector,
)
from models.regressions.regressors import INTERCEPT, RegressionRows, Regressors

type Variances = Literal["own", "tied"]

# What the coefficients of the default prior are worth, in rows.
SHRINKAGE = 0.05
# What a standard deviation of a concomitant adds to the log odds of two components, in two cases of three no more.
LOG_ODDS = 2.5


@dataclass(frozen=True, slots=True, init=False, eq=False)
class RegressionParameters:
    """A mixture of linear regressions.

    Parameters
    ----------
    weights : ``(K,)`` summing to 1
    coefficients : ``(K, p)``, the intercept first
    variances : ``(K,)`` of the errors

    Raises
    ------
    ValueError
        if shapes differ, weights do not sum to 1, or a variance is not positive
    """

    weights: Floats
    coefficients: Floats
    variances: Floats

    def __init__(self, weights: ArrayLike, coefficients: ArrayLike, variances: ArrayLike) -> None:
        chances = weight_vector("weights", weights)
        lines, squares = finite_array("coefficients", coefficients, (2,)), one_each("variances", variances, chances)
        if len(lines) != len(chances):
            raise ValueError(
                f"coefficients has {len(lines)} rows but weights has {len(chances)} values; give one per component"
            )
        if (squares <= 0).any():
            k = int(np.argmax(squares <= 0))
            raise ValueError(f"variances[{k}] is {squares[k]:g}; a variance must be above 0")
        for name, value in (("weights", chances), ("coefficients", lines), ("variances", squares)):
            object.__setattr__(self, name, value)

    __repr__ = displayed

    @property
    def n_components(self) -> int:
        """Number of components."""
        return len(self.weights)

    @property
    def n_concomitants(self) -> int:
        """How many columns the weights depend on."""
        return 0

    @property
    def standard_deviations(self) -> Floats:
        """``(K,)`` of the errors, in the unit of y."""
        return read_only(np.sqrt(self.variances))

    @property
    def order_keys(self) -> Floats:
        """``(..., K, p + 1)`` what canonical order compares: coefficients one after the other, then the weight."""
        return np.concatenate([self.coefficients, self.weights[..., None]], axis=-1)

    def permuted(self, permutation: ArrayLike) -> RegressionParameters:
        """The same mixture with its components read in the order ``permutation``."""
        return reordered(self, permutation)

    def simulate(self, components: Integers, design: Floats, random: np.random.Generator) -> Floats:
        """Draw responses ``(n,)`` of these ``components`` ``(n,)``, counted from 0, at covariates ``(n, p)``."""
        heights = (design * self.coefficients[components]).sum(axis=1)
        return np.asarray(random.normal(heights, np.sqrt(self.variances)[components]))


@dataclass(frozen=True, slots=True, init=False, eq=False)
class ConcomitantParameters(RegressionParameters):
    """A mixture of linear regressions whose weights depend on concomitants.

    Parameters
    ----------
    weights : ``(K,)`` at the average of the concomitants, summing to 1
    coefficients, variances : as in `RegressionParameters`
    gating : ``(K, m)`` by how much a unit of each concomitant moves the log weights, over the components summing to 0

    Raises
    ------
    ValueError
        as `RegressionParameters`, and for gating coefficients of another shape or that do not sum to 0
    """

    gating: Floats

    def __init__(self, weights: ArrayLike, coefficients: ArrayLike, variances: ArrayLike, gating: ArrayLike) -> None:
        RegressionParameters.__init__(self, weights, coefficients, variances)
        gates = finite_array("gating", gating, (2,))
        if len(gates) != len(self.weights):
            raise ValueError(
                f"gating has {len(gates)} rows but weights has {len(self.weights)} values; give one per component"
            )
        if not np.allclose(gates.sum(axis=0), 0, atol=1e-8 * max(float(np.abs(gates).max(initial=0)), 1e-300)):
            raise ValueError(f"gating sums to {cut(str(gates.sum(axis=0)))} over the components; take their mean off")
        object.__setattr__(self, "gating", gates)

    __repr__ = displayed

    @property
    def n_concomitants(self) -> int:
        """How many columns the weights depend on."""
        return int(self.gating.shape[-1])


@dataclass(frozen=True, slots=True, init=False, eq=False)
class RegressionPrior:
    """The conjugate prior of a mixture of linear regressions, the same for every component.

    Parameters
    ----------
    mean : ``(p,)`` of the coefficients
    root : ``(p, p)`` covariates of the p rows that the prior of the coefficients is worth, of full rank
    degrees_of_freedom, scale : ``variances[k] ~ inverse-gamma(degrees_of_freedom / 2, scale / 2)``
    concentration : ``weights ~ Dirichlet(concentration, ..., concentration)``
    gating : ``(m,)`` standard deviations of what a unit of each concomitant adds to the log odds of two components; None where
        the weights depend on nothing

    Raises
    ------
    TypeError, ValueError
        if a number is not positive, shapes differ, or root is singular: the prior would not be proper
    """

    mean: Floats
    root: Floats
    degrees_of_freedom: float
    scale: float
    concentration: float
    gating: Floats | None

    def __init__(
        self,
        mean: ArrayLike,
        root: ArrayLike,
        degrees_of_freedom: float,
        scale: float,
        concentration: float = 2.0,
        gating: ArrayLike | None = None,
    ) -> None:
        centre, rows = finite_array("mean", mean, (1,)), finite_array("root", root, (2,))
        if rows.shape != (len(centre), len(centre)):
            raise ValueError(
                f"root has shape {rows.shape} but mean has {len(centre)} values; give ({len(centre)}, {len(centre)})"
            )
        if not np.isfinite(np.linalg.slogdet(rows)[1]):
            raise ValueError("root is singular, so the prior would not be proper; give rows of full rank")
        object.__setattr__(self, "mean", centre)
        object.__setattr__(self, "root", rows)
        numbers = {"degrees_of_freedom": degrees_of_freedom, "scale": scale, "concentration": concentration}
        for name, value in numbers.items():
            object.__setattr__(self, name, positive_number(name, value))
        gates = None if gating is None else finite_array("gating", gating, (1,))
        if gates is not None and not (gates > 0).all():
            j = int(np.argmin(gates > 0))
            raise ValueError(f"gating[{j}] is {gates[j]:g}; a standard deviation must be above 0")
        object.__setattr__(self, "gating", gates)

    __repr__ = displayed

    @property
    def n_concomitants(self) -> int:
        """How many columns the weights depend on."""
        return 0 if self.gating is None else len(self.gating)

    def checked(self, data: RegressionRows) -> RegressionPrior:
        """The prior, unless it is for another number of coefficients or concomitants than the rows have; ValueError."""
        p, m = len(data.lines.covariates), data.n_concomitants
        if len(self.mean) != p:
            raise ValueError(
                f"prior is for {len(self.mean)} coefficients but there are {p}; give one prior mean for each"
            )
        if self.n_concomitants != m:
            raise ValueError(
                f"prior.gating is for {self.n_concomitants} concomitants but there are {m}; "
                f"{'give one standard deviation for each' if m else 'leave it out'}"
            )
        return self

    @classmethod
    def weakly_informative(cls, data: RegressionRows, n_components: int) -> RegressionPrior:
        """Return the default prior, read off the data as that of normals is (Fraley & Raftery 2007).

        ======================  ==============================  =======================================================
        number                  value                           reason
        ======================  ==============================  =======================================================
        ``mean``                least squares over all rows     invariant to shift and scale of y and of covariates
        ``root``                a row at the mean covariates    a twentieth of a row: the line of an empty component
                                and one of a standard           lies about 4.5 of its own sds away, and moves as much
                                deviation of each covariate,    over a standard deviation of a covariate
                                times the root of 0.05
        ``degrees_of_freedom``  5                               posterior variances and their Monte Carlo errors exist
        ``scale``               mean squared residual / K^2     K components share the spread about that line evenly
        ``concentration``       2                               one row per component: the mode never empties one
        ``gating``              2.5 over the standard           over a standard deviation of a concomitant odds move
                                deviation of each concomitant   by more than 1 to 12 in one case of three: proper where
                                                                the components are apart along it
        ======================  ==============================  =======================================================

        Raises
        ------
        TypeError, ValueError
            if the data are no `models.RegressionRows`; if columns of x or of the concomitants are collinear, or y a linear
            combination of x
        """
        instance_of("data", data, RegressionRows)
        seen = data.seen()
        k, told = component_number(n_components), Regressors.of(seen.lines)
        root = np.diag(told.sizes)
        if data.covariates[0] == INTERCEPT:
            root[0, 1:] = told.centres[1:]
        square = float(seen.counts @ told.residuals**2 / seen.counts.sum())
        gating = LOG_ODDS / Regressors.of_concomitants(seen).sizes[1:] if data.n_concomitants else None
        return cls(told.coefficients, np.sqrt(SHRINKAGE) * root, 5.0, square / k**2, 2.0, gating)


def rows_of(
    y: Any, x: Any, counts: ArrayLike | None, labels: ArrayLike | None, intercept: bool, concomitants: Any
) -> RegressionRows:
    """Rows as a user hands them in: `RegressionRows`, or what these are made of; TypeError, ValueError."""
    if isinstance(y, RegressionRows):
        if x is not None or counts is not None or labels is not None or not intercept:
            raise ValueError(
                "y is RegressionRows, which has its x, counts, labels and intercept; leave the arguments out"
            )
        return y if concomitants is None else y.with_concomitants(concomitants)
    if x is None:
        raise TypeError("x is missing; give the covariates of each row, or y as models.RegressionRows")
    rows = RegressionRows(y, x, counts, labels, intercept)
    return rows if concomitants is None else rows.with_concomitants(concomitants)


def refuse_held(weights: Any) -> None:
    """Refuse weights that are told beside concomitants; ValueError."""
    if not isinstance(weights, str) or weights != "free":
        raise ValueError(
            f"weights is {shown(weights)} but concomitants say what they depend on; leave one of the two out"
        )


def is_tied(covariance: Variances) -> bool:
    """Whether all components have one variance; ValueError for another word."""
    if not isinstance(covariance, str) or covariance not in ("own", "tied"):
        raise ValueError(f'covariance is {shown(covariance)}; regressions have "own" or "tied" variances')
    return covariance == "tied"
