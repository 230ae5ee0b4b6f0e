"""What a comparison comes to: what ``result.json`` holds, field by field; `comparisons.sampled` has it with its draws.

The dataclasses are the schema; msgspec writes them as strict JSON and refuses a file that does not fit them. A number
that does not exist is null, and a reason stands beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from comparisons.display import displayed, displayed_result
from comparisons.results.report_data import Curves, Finding, Labels, ModelChecks, Surface
from comparisons.results.strict_json import Number

SCHEMA_VERSION = 8
# Option of a model whose rows have states, which are no components.
N_STATES = "n_states"
# What a report may have to say of one model alone; see `comparisons.families.family.Family.notes`.
NOTES = ("unbounded", "profile", "distribution", "irregular", "distances", "replicates", "prior", "average", "averaged")

type Verdict = Literal["agree", "differ", "wrong", "inconclusive"]
type Outcome = Literal["pass", "fail", "inconclusive", "not applicable"]
# How far EM is from a summary of the posterior, the worst last.
type Degree = Literal["slight", "marked", "no interval"]
# What is asked of EM's estimate, standard error and interval.
type Limit = Literal["mean", "spread", "tails"]
type Engine = Literal["em", "pymc", "sampler", "comparison"]


@dataclass(frozen=True, slots=True)
class Data:
    """The data as fitted: ``columns`` by name, one value per row; ``counts`` and ``labels`` are among them.

    ``unit`` is of all that was measured, ``units`` are of single features, where these have units of their own.
    """

    __repr__ = displayed

    name: str
    source: str
    n: int
    sha256: str
    description: str
    unit: str
    columns: dict[str, list[Number]]
    units: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Model:
    """What both engines were asked to fit, in words and numbers.

    ``formula`` is plain text, one line per statement; ``prior`` likewise, with numbers that ``prior_reason`` defends.
    ``unit_powers`` are of variables that have the unit of the data, ``notes`` what a report says of this model alone, each of
    `NOTES`, empty where there is nothing to say.
    """

    __repr__ = displayed

    family: str
    n_components: int
    component_names: list[str]
    options: dict[str, str]
    formula: list[str]
    prior: list[str]
    prior_reason: str
    unit_powers: dict[str, int]
    notes: dict[str, str]

    @property
    def has_states(self) -> bool:
        """Whether rows follow each other, each in a state."""
        return N_STATES in self.options

    @property
    def parts(self) -> str:
        """How many components there are, or states, in words."""
        n, word = (int(self.options[N_STATES]), "state") if self.has_states else (self.n_components, "component")
        return f"{n} {word}{'s' * (n != 1)}"

    @property
    def given(self) -> bool:
        """Whether a number of components was given that one may ask for: `comparisons components`."""
        return bool(self.component_names) and not self.has_states

    @property
    def further_options(self) -> dict[str, str]:
        """Options beside how many there are."""
        return {name: told for name, told in self.options.items() if name not in ("n_components", N_STATES)}


@dataclass(frozen=True, slots=True)
class PosteriorSummary:
    """Marginal posterior of one quantity from NUTS, with the highest-density interval of probability ``hdi_prob``."""

    __repr__ = displayed

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
class Exact:
    """Posterior mean and standard deviation of one quantity by quadrature, without Monte Carlo error."""

    mean: float
    sd: float


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

    ``exact``: the posterior by quadrature, where it is to be had. Gap, tails and verdict are then of it, else of the draws.

    ``em_low``, ``em_high``: EM's Wald interval of probability ``posterior.hdi_prob``, on the log or logit ``scale``
    where the parameter is bounded. On that scale, ``shift``: posterior mean minus estimate, in posterior sds; ``se_ratio``:
    standard error over posterior sd. ``profile_low``,
    ``profile_high``: its interval of the same probability from the profile likelihood; ``profile_reason`` says why an end is
    missing, ``profile_coinciding`` at which ends components coincide. ``tail_below``, ``tail_above``: posterior
    probability beyond each end of Wald's. ``verdict``: "agree", "differ", or "inconclusive" where no interval or no
    posterior exists; always with a reason. ``degree`` of one that differs: "slight" where EM's interval holds 90 to 98 % of the
    posterior and the mean is within half a posterior sd, "marked" beyond, "no interval" where EM has none; None
    else. ``missed``: the limits that it misses beyond Monte Carlo error. ``instead``: what to report in place of Wald's interval
    where the difference is more than slight, or the profile interval fits better; "nothing" of a component that the posterior
    does not keep apart from the others.
    """

    __repr__ = displayed

    name: str
    em: Number
    em_se: Number
    em_low: Number
    em_high: Number
    shift: Number
    se_ratio: Number
    profile_low: Number
    profile_high: Number
    profile_reason: str | None
    profile_coinciding: tuple[bool, bool]
    scale: Literal["identity", "log", "logit"]
    map: Number
    posterior: PosteriorSummary
    exact: Exact | None
    tail_below: Number
    tail_above: Number
    gap: Gap | None
    verdict: Literal["agree", "differ", "inconclusive"]
    reason: str
    degree: Degree | None = None
    instead: Literal["profile", "posterior", "nothing"] | None = None
    missed: list[Limit] = field(default_factory=list)

    @property
    def mean(self) -> Number:
        """Posterior mean, by quadrature where that is exact."""
        return self.exact.mean if self.exact else self.posterior.mean

    @property
    def sd(self) -> Number:
        """Posterior standard deviation, by quadrature where that is exact."""
        return self.exact.sd if self.exact else self.posterior.sd


@dataclass(frozen=True, slots=True)
class Check:
    """One integrity check; ``engine`` is who is at fault where it failed, ``remedy`` what to do then."""

    __repr__ = displayed

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

    __repr__ = displayed

    log_likelihood: float
    starts: int
    regular: bool
    parameters: dict[str, Number]


@dataclass(frozen=True, slots=True)
class DoubtFound:
    """One ground on which to doubt EM's maximum, as `em.Doubt` has it, with the name of the component and a sentence."""

    ground: str
    component: str
    spread_ratio: Number
    rows: float
    below: Number
    below_at_ratio: Number
    sentence: str


@dataclass(frozen=True, slots=True)
class EMFit:
    """Maximum likelihood by EM; ``doubts`` are about it, not about the mode.

    ``trace`` is the log-likelihood at ``trace_iterations`` (long traces are thinned, ends kept) and ``path`` each
    parameter at the same iterations, by the names of the quantities. ``stop_change``: change of the objective, in nats, below
    which a run may stop; null where the EM is somebody's own, with its own rule.
    """

    __repr__ = displayed

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
    doubts: list[DoubtFound] = field(default_factory=list)
    stop_change: Number = None


@dataclass(frozen=True, slots=True)
class Sampler:
    """How the posterior was sampled."""

    __repr__ = displayed

    name: str
    chains: int
    draws: int
    tune: int
    target_accept: float
    divergences: int
    reruns: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What EM's numbers have to keep to as a summary of a quantity, as `comparisons.summary.adequacy` has it.

    ``shift`` is in posterior sds, ``se_ratio`` of standard error to posterior sd, ``tail`` the share of the posterior beyond
    either end of EM's interval; a limit is missed beyond so many Monte Carlo errors. A difference is slight where EM's interval
    holds ``slight_share`` of the posterior and its mean is within ``slight_shift`` posterior sds.
    """

    __repr__ = displayed

    shift: float
    se_ratio: tuple[float, float]
    tail: tuple[float, float]
    monte_carlo_errors: float
    slight_share: tuple[float, float] = (0.90, 0.98)
    slight_shift: float = 0.5


@dataclass(frozen=True, slots=True)
class Provenance:
    """All that may differ between two equal runs, and what a rerun needs."""

    __repr__ = displayed

    versions: dict[str, str]
    seed: int
    command: str
    git_commit: str | None
    started: str
    seconds: dict[str, float]
    key: str


@dataclass(frozen=True, slots=True)
class Result:
    """One comparison: the question, the verdict with its reasons, and every number behind it.

    ``summary`` says in one sentence what may be reported and why, ``advice`` which of EM's numbers, and what in place of others.
    """

    __repr__ = displayed_result

    schema_version: int
    name: str
    title: str
    question: str
    verdict: Verdict
    summary: str
    advice: str
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
    limits: Limits | None = None

    @property
    def degree(self) -> Degree | None:
        """The worst of its quantities where the verdict is `differ`, None else."""
        found = [q.degree for q in self.quantities if self.verdict == "differ" and q.degree is not None]
        return max(found, key=get_args(Degree.__value__).index, default=None)
