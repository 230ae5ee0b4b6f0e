"""What a comparison comes to: the value that `comparisons.run` returns and ``result.json`` holds, field by field.

The dataclasses are the schema; msgspec writes them as strict JSON and refuses a file that does not fit them. A number
that does not exist is null, and a reason stands beside it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

SCHEMA_VERSION = 2

type Verdict = Literal["agree", "differ", "wrong", "inconclusive"]
type Outcome = Literal["pass", "fail", "inconclusive", "not applicable"]
type Engine = Literal["em", "pymc", "sampler", "comparison"]
type Number = float | None


def number(value: float) -> Number:
    """Return the value for JSON, None where it is NaN or infinite."""
    value = float(value)
    return value if math.isfinite(value) else None


@dataclass(frozen=True, slots=True)
class Data:
    """The data as fitted: ``columns`` by name, one value per row; ``counts`` and ``labels`` are among them."""

    name: str
    source: str
    n: int
    sha256: str
    description: str
    unit: str
    columns: dict[str, list[Number]]


@dataclass(frozen=True, slots=True)
class Model:
    """What both engines were asked to fit, in words and numbers.

    ``formula`` is plain text, one line per statement; ``prior`` likewise, with numbers that ``prior_reason`` defends.
    """

    family: Literal["coins", "gaussians"]
    n_components: int
    component_names: list[str]
    options: dict[str, str]
    formula: list[str]
    prior: list[str]
    prior_reason: str


@dataclass(frozen=True, slots=True)
class PosteriorSummary:
    """Marginal posterior of one quantity from NUTS, with the highest-density interval of probability ``hdi_prob``."""

    mean: Number
    sd: Number
    hdi_low: Number
    hdi_high: Number
    hdi_prob: float
    ess_bulk: Number
    ess_tail: Number
    r_hat: Number
    mcse: Number


@dataclass(frozen=True, slots=True)
class Gap:
    """Posterior mean minus maximum likelihood, as a sum that adds up, in the units of the quantity.

    ``prior``: from the maximum likelihood to the posterior mode reached from it; ``mode_switch``: on to the best mode;
    ``averaging``: from there to the posterior mean (skewness, ordering, other modes). ``cancelling``: large terms of
    opposite sign, of which nothing is made.
    """

    prior: float
    mode_switch: float
    averaging: float
    total: float
    cancelling: bool


@dataclass(frozen=True, slots=True)
class Quantity:
    """One quantity: maximum likelihood by EM, mode by MAP-EM, posterior by NUTS, and whether EM is a summary of it.

    ``em_low``, ``em_high``: EM's Wald interval of probability ``posterior.hdi_prob``, on the log or logit ``scale``
    where the parameter is bounded. ``profile_low``, ``profile_high``: its interval of the same probability from the
    profile likelihood; ``profile_reason`` says why an end is missing. ``tail_below``, ``tail_above``: posterior
    probability beyond each end of Wald's. ``verdict``: "agree", "differ", or "inconclusive" where no interval or no
    posterior exists; always with a reason.
    """

    name: str
    em: Number
    em_se: Number
    em_low: Number
    em_high: Number
    profile_low: Number
    profile_high: Number
    profile_reason: str | None
    scale: Literal["identity", "log", "logit"]
    map: Number
    posterior: PosteriorSummary
    tail_below: Number
    tail_above: Number
    gap: Gap | None
    verdict: Literal["agree", "differ", "inconclusive"]
    reason: str


@dataclass(frozen=True, slots=True)
class Check:
    """One integrity check; ``engine`` is who is at fault where it failed, ``remedy`` what to do then."""

    name: str
    title: str
    outcome: Outcome
    statistic: Number
    threshold: Number
    explanation: str
    engine: Engine | None = None
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class ModeFound:
    """One optimum that EM found: its quantities by name, and how many starts reached it."""

    log_likelihood: float
    starts: int
    regular: bool
    parameters: dict[str, Number]


@dataclass(frozen=True, slots=True)
class EMFit:
    """Maximum likelihood by EM.

    ``trace`` is the log-likelihood at ``trace_iterations`` (long traces are thinned, ends kept) and ``path`` each
    parameter at the same iterations, by the names of the quantities.
    """

    status: str
    iterations: int
    log_likelihood: Number
    standard_error_reason: str | None
    rate: Number
    trace_iterations: list[int]
    trace: list[Number]
    path: dict[str, list[Number]]
    modes: list[ModeFound]
    map_status: str
    map_log_posterior: Number


@dataclass(frozen=True, slots=True)
class Sampler:
    """How the posterior was sampled."""

    name: str
    chains: int
    draws: int
    tune: int
    target_accept: float
    divergences: int
    reruns: int


@dataclass(frozen=True, slots=True)
class Curves:
    """Fitted distributions of one observed variable, for the figure of data and fits.

    ``kind`` "density": ``grid`` in the data's units, densities of the whole mixture and of EM's components.
    ``kind`` "counts": ``grid`` are head counts, values are expected numbers of bags, ``observed`` those seen.
    The posterior's curve is the pointwise mean over draws, its band holds ``band_prob`` of them at each point.
    """

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

    x: str
    y: str
    x_grid: list[float]
    y_grid: list[float]
    values: list[list[Number]]
    note: str


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

    sentence: str
    statistics: list[PredictiveStatistic]
    curves: list[PredictiveCurve]
    replicates: int
    interval_prob: float


@dataclass(frozen=True, slots=True)
class PowerScaling:
    """Sensitivity of one quantity to raising prior and likelihood to a power; ``prior`` is null where the prior is flat."""

    name: str
    prior: Number
    likelihood: Number
    diagnosis: str


@dataclass(frozen=True, slots=True)
class PriorSensitivity:
    """Prior sensitivity by power-scaling; ``threshold`` is what the diagnosis compares with."""

    sentence: str
    quantities: list[PowerScaling]
    threshold: float


@dataclass(frozen=True, slots=True)
class ModelChecks:
    """Whether the model fits the data, which the verdict says nothing of; ``sentence`` of each part stands alone."""

    goodness_of_fit: GoodnessOfFit
    predictive: PredictiveChecks
    prior_sensitivity: PriorSensitivity


@dataclass(frozen=True, slots=True)
class Difference:
    """The largest difference of a kind of probability between EM and the posterior, and the row or rows it is at."""

    where: str
    em: float
    posterior: float


@dataclass(frozen=True, slots=True)
class RowMemberships:
    """Probability of each component for distinct rows: EM's responsibilities, and the mean of the aligned draws.

    ``em[k][i]`` and ``posterior[k][i]`` belong to component ``k`` and to row ``rows[i]`` of `Data.columns`; there are ``of``
    distinct rows, of which many are thinned evenly.
    """

    rows: list[int]
    of: int
    em: list[list[float]]
    posterior: list[list[float]]


@dataclass(frozen=True, slots=True)
class DistributionFunction:
    """Probability of a value up to ``at``: share of the data, by EM, and by the posterior with an equal-tailed interval."""

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
    probability that two rows share a component.
    """

    verdict: Literal["told apart", "not by order", "not told apart", "nothing to tell apart"]
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


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a comparison has to tell beside its verdict: a title, and sentences with the numbers in them."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """All that may differ between two equal runs, and what a rerun needs."""

    versions: dict[str, str]
    seed: int
    command: str
    git_commit: str | None
    started: str
    seconds: dict[str, float]
    key: str


@dataclass(frozen=True, slots=True)
class Result:
    """One comparison: the question, the verdict with its reasons, and every number behind it."""

    schema_version: int
    name: str
    title: str
    question: str
    verdict: Verdict
    summary: str
    reasons: list[str]
    data: Data
    model: Model
    quantities: list[Quantity]
    checks: list[Check]
    em: EMFit
    sampler: Sampler
    curves: list[Curves]
    surface: Surface | None
    labels: Labels
    model_checks: ModelChecks
    findings: list[Finding]
    seed: int
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class SampledResult(Result):
    """A `Result` together with the draws, as `comparisons.run` returns it.

    ``posterior``: an `xarray.DataTree` with the group ``posterior``, in canonical order and with the comparison's
    component names, as stored in ``posterior.nc``.
    """

    posterior: Any = None
