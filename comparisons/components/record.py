"""What a comparison of numbers of components comes to, field by field, and ``components.json``, which holds it.

As with `comparisons.results.result` the dataclasses are the schema; a number that does not exist is null, and a reason stands
beside it. Reading a record fits nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from comparisons.display import displayed
from comparisons.results.files import write_text
from comparisons.results.result import Provenance
from comparisons.results.store import decoded, read_beside
from comparisons.results.strict_json import Number, sealed

SCHEMA_VERSION = 2
FILE = "components.json"


@dataclass(frozen=True, slots=True)
class Criteria:
    """Information criteria in deviance units, smaller is better.

    With ``l`` the log-likelihood of EM, ``p`` free parameters and ``n`` rows: AIC = -2 l + 2 p; BIC = -2 l + p log n;
    ICL = BIC + 2 ``entropy``, the entropy of the responsibilities in nats (Biernacki, Celeux & Govaert 2000, IEEE
    Transactions on Pattern Analysis and Machine Intelligence 22, 719).
    """

    __repr__ = displayed

    aic: float
    bic: float
    icl: float
    entropy: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """Log marginal likelihood over all labellings by the second route, in nats; null where k-hat is above 0.7."""

    __repr__ = displayed

    log_evidence: Number
    error: Number
    k_hat: Number
    effective: float
    reason: str | None


@dataclass(frozen=True, slots=True)
class LeaveOneOut:
    """Expected log predictive density of a new row, in nats, summed over the rows, each of which counts by itself.

    ``difference`` is to one component fewer, ``difference_error`` its standard error over the rows; ``largest_k`` is the
    largest Pareto k of a row, ``unreliable_rows`` the number of rows where it is above 0.7.
    """

    __repr__ = displayed

    elpd: Number
    standard_error: Number
    difference: Number
    difference_error: Number
    largest_k: Number
    unreliable_rows: int
    reason: str | None


@dataclass(frozen=True, slots=True)
class BayesFactor:
    """K components against K - 1: natural logarithm, with its Monte Carlo error, and again under other priors.

    ``under`` holds the logarithm by what was changed in the prior; null where it cannot be relied on.
    """

    __repr__ = displayed

    log_value: Number
    error: Number
    under: dict[str, Number]
    reason: str | None


@dataclass(frozen=True, slots=True)
class LikelihoodRatio:
    """Parametric bootstrap of K - 1 components against K.

    ``statistic`` is twice the gain in log-likelihood, both fits held to the minimum ratio of standard deviations;
    ``p_value`` = (1 + ``exceeding``) / (1 + ``samples``), with the exact binomial interval of probability 0.95 of the
    share that exceeds; ``smallest_ratio`` is that of the fit with K components.
    """

    __repr__ = displayed

    statistic: Number
    p_value: Number
    p_low: Number
    p_high: Number
    exceeding: int
    samples: int
    smallest_ratio: Number
    reason: str | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """One number of components, and all that was found about it; comparisons with K - 1 are None for K = 1.

    Of a `Rival` they are with the number of components that the comparison declares.

    ``smallest_ratio`` is that of standard deviations at the maximum-likelihood estimate (1 for coins), ``reservation``
    why the criteria may not mean there what they mean at a regular maximum.
    """

    __repr__ = displayed

    n_components: int
    status: str
    log_likelihood: float
    n_parameters: int
    smallest_ratio: float
    reservation: str | None
    criteria: Criteria
    evidence: Evidence
    leave_one_out: LeaveOneOut
    bayes_factor: BayesFactor | None
    likelihood_ratio: LikelihoodRatio | None


@dataclass(frozen=True, slots=True)
class Rival:
    """Another model of the same data, held against ``against`` components of the comparison's own.

    ``family`` and ``own_family`` are those of both; the Bayes factor is for the rival, and there is no likelihood-ratio test, as
    neither is a special case of the other.
    """

    __repr__ = displayed

    name: str
    family: str
    own_family: str
    against: int
    prior: list[str]
    candidate: Candidate


@dataclass(frozen=True, slots=True)
class Components:
    """A comparison's data with one component, two, and so on.

    ``prior`` is the one of every K, ``minimum_ratio`` what the fits of the likelihood-ratio test are held to, ``choices``
    the number of components by what chose it (null where it could not), ``conclusions`` sentences, ``rival`` another model of
    the same data, where one is declared.
    """

    __repr__ = displayed

    schema_version: int
    name: str
    title: str
    n: int
    data_sha256: str
    options: dict[str, str]
    prior: list[str]
    prior_note: str
    minimum_ratio: float
    candidates: list[Candidate]
    choices: dict[str, int | None]
    conclusions: list[str]
    provenance: Provenance
    rival: Rival | None = None


def encode(components: Components) -> str:
    """Return the record as strict JSON, indented, its digest last."""
    return sealed(msgspec.json.encode(components)).decode()


def write(components: Components, directory: Path | str) -> Path:
    """Store the record in the directory of its comparison, ``DIR/<name>``, in place of an older one.

    Raises
    ------
    StoredResultError
        A number that has to exist does not; nothing is written then.
    """
    path = Path(directory) / FILE
    text = encode(components)
    _decode(text.encode(), path)
    return write_text(path, text)


def read(directory: Path | str) -> Components | None:
    """Read the record in a comparison's directory; None where there is none.

    Raises
    ------
    StoredResultError
        It is damaged, of another version, or was changed since it was written.
    """
    return read_beside(Path(directory) / FILE, _decode)


def _decode(content: bytes, path: Path) -> Components:
    remedy = f"make it again: comparisons components {path.parent.name} --out {path.parent.parent}"
    return decoded(content, path, Components, SCHEMA_VERSION, "a comparison of numbers of components", remedy)
