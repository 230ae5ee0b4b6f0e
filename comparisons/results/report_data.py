"""What a result holds beside the verdict, for its report: figures, model checks, labels and findings, field by field.

Part of the schema of `comparisons.results.result`; nothing here decides a verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from comparisons.display import displayed
from comparisons.results.strict_json import Number


@dataclass(frozen=True, slots=True)
class Curves:
    """Fitted distributions of one observed variable, for the figure of data and fits.

    ``kind`` "density": ``grid`` in the data's units, densities of the whole mixture and of EM's components.
    ``kind`` "counts": ``grid`` are head counts, values are expected numbers of bags, ``observed`` those seen.
    The posterior's curve is the pointwise mean over draws, its band holds ``band_prob`` of them at each point.
    """

    __repr__ = displayed

    kind: Literal["density", "counts"]
    variable: str
    grid: list[float]
    observed: list[float] | None
    em: list[Number]
    em_components: list[list[Number]]
    posterior_mean: list[Number]
    posterior_low: list[Number]
    posterior_high: list[Number]
    band_prob: float


@dataclass(frozen=True, slots=True)
class Surface:
    """The log-likelihood over two quantities, minus its maximum, the other parameters held at EM's estimate.

    ``values[j][i]`` belongs to ``y_grid[j]``, ``x_grid[i]``; null where it is minus infinity.
    """

    __repr__ = displayed

    x: str
    y: str
    x_grid: list[float]
    y_grid: list[float]
    values: list[list[Number]]
    note: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a comparison has to tell beside its verdict: a title, and sentences with the numbers in them."""

    __repr__ = displayed

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Distance:
    """How far the data are from EM's fit, with a p-value by parametric bootstrap and its Monte Carlo standard error."""

    name: str
    value: Number
    degrees_of_freedom: int | None
    p_value: Number
    p_error: Number


@dataclass(frozen=True, slots=True)
class QuantilePlot:
    """Sorted values of one variable against the quantiles of EM's fit, in the data's units.

    The simultaneous band holds all points of a replicate with probability ``band_prob``, its own refit taken into account;
    ``outside`` of the data's points lie outside.
    """

    __repr__ = displayed

    variable: str
    fitted: list[float]
    observed: list[float]
    low: list[float]
    high: list[float]
    band_prob: float
    outside: int


@dataclass(frozen=True, slots=True)
class GoodnessOfFit:
    """EM's fit against the data: ``replicates`` were drawn from it and refitted, of which ``left_out`` collapsed."""

    __repr__ = displayed

    sentence: str
    distances: list[Distance]
    quantile_plots: list[QuantilePlot]
    replicates: int
    left_out: int


@dataclass(frozen=True, slots=True)
class PredictiveStatistic:
    """A statistic of the data among those of replicates from the posterior: their mean and ``interval_prob`` interval.

    ``p_value``: share of replicates with more than observed, ties counted half.
    """

    __repr__ = displayed

    name: str
    observed: float
    mean: float
    low: float
    high: float
    p_value: float


@dataclass(frozen=True, slots=True)
class PredictiveCurve:
    """The data among replicates from the posterior, with their mean and a band that holds ``interval_prob`` at each point.

    ``kind`` "counts": bags by head count. ``kind`` "distribution": share of the rows at or below each point of the grid.
    """

    __repr__ = displayed

    kind: Literal["counts", "distribution"]
    variable: str
    grid: list[float]
    observed: list[float]
    mean: list[float]
    low: list[float]
    high: list[float]


@dataclass(frozen=True, slots=True)
class PredictiveChecks:
    """Posterior predictive checks."""

    __repr__ = displayed

    sentence: str
    statistics: list[PredictiveStatistic]
    curves: list[PredictiveCurve]
    replicates: int
    interval_prob: float


@dataclass(frozen=True, slots=True)
class PowerScaling:
    """Sensitivity of one quantity to raising prior and likelihood to a power; ``prior`` is null where the prior is flat."""

    __repr__ = displayed

    name: str
    prior: Number
    likelihood: Number
    diagnosis: str


@dataclass(frozen=True, slots=True)
class PriorSensitivity:
    """Prior sensitivity by power-scaling; ``threshold`` is what the diagnosis compares with."""

    __repr__ = displayed

    sentence: str
    quantities: list[PowerScaling]
    threshold: float


@dataclass(frozen=True, slots=True)
class ModelChecks:
    """Whether the model fits the data, which the verdict says nothing of; ``sentence`` of each part stands alone."""

    __repr__ = displayed

    goodness_of_fit: GoodnessOfFit
    predictive: PredictiveChecks
    prior_sensitivity: PriorSensitivity


@dataclass(frozen=True, slots=True)
class Difference:
    """The largest difference of a kind of probability between EM and the posterior, and the row or rows it is at."""

    __repr__ = displayed

    where: str
    em: float
    posterior: float


@dataclass(frozen=True, slots=True)
class RowMemberships:
    """Probability of each component for distinct rows: EM's responsibilities, and the mean of the aligned draws.

    ``em[k][i]`` and ``posterior[k][i]`` belong to component ``k`` and to row ``rows[i]`` of `Data.columns`; there are ``of``
    distinct rows, of which many are thinned evenly.
    """

    __repr__ = displayed

    rows: list[int]
    of: int
    em: list[list[float]]
    posterior: list[list[float]]


@dataclass(frozen=True, slots=True)
class DistributionFunction:
    """Probability of a value up to ``at``: share of the data, by EM, and by the posterior with an equal-tailed interval."""

    __repr__ = displayed

    variable: str
    at: float
    observed: float
    em: float
    posterior_mean: float
    posterior_low: float
    posterior_high: float
    interval_prob: float


@dataclass(frozen=True, slots=True)
class Labels:
    """Whether the components can be told apart in the draws, and what needs no labels to be compared.

    ``ordering_ecr``, ``ordering_stephens``, ``ecr_stephens``: share of the ``draws`` that two alignments put into different
    orders, at most ``threshold`` where the components can be told apart; null where nothing is exchangeable.
    ``memberships`` and the differences are null where no row's component is hidden. ``co_membership_difference`` is of the
    probability that two rows share a component. ``order``: by what the components are ordered, a sentence.
    """

    __repr__ = displayed

    verdict: Literal["told apart", "not by order", "not told apart", "nothing to tell apart", "not looked at"]
    sentence: str
    threshold: float
    draws: int
    ordering_ecr: Number
    ordering_stephens: Number
    ecr_stephens: Number
    memberships: RowMemberships | None
    membership_difference: Difference | None
    co_membership_difference: Difference | None
    distribution: list[DistributionFunction]
    order: str = ""
