"""Marginal likelihood and leave-one-out of one number of components, both from the weighted draws of the second route.

The draws ``s`` have weights ``w_s`` proportional to posterior over proposal, so other distributions near the posterior cost
nothing more. Under another prior the evidence is that of this one times ``sum_s w_s prior'_s / prior_s``. Without row ``i``
the posterior has weights ``w_s / p(y_i | s)``, Pareto-smoothed once more, and predicts the row with ``p(y_i | s)`` averaged
over them (Vehtari, Gelman & Gabry 2017, Statistics and Computing 27, 1413). A k-hat of its own says whether each can be
trusted. One row is left out at a time: of rows that are equal, one, so their terms are equal and count as often.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import logsumexp

import em
from comparisons.components.record import BayesFactor, Evidence, LeaveOneOut
from comparisons.families.mixtures import MixtureProblem
from comparisons.posterior import importance
from comparisons.posterior.importance import LABELLINGS, pareto_smoothed
from comparisons.results.strict_json import Number, number
from em.mixture import row_posteriors
from models.inputs import Floats

# Vehtari et al. (2024): above this the error of importance sampling cannot be told from its own draws. Between 1/2, where
# weights cease to have a variance, and this, the standard error is somewhat too small.
K_HAT = 0.7


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """A log mean of importance weights with its Monte Carlo standard error, and the k-hat that vouches for both."""

    value: float
    error: float
    k_hat: float

    @property
    def trusted(self) -> bool:
        """Whether the error means anything."""
        return bool(self.k_hat <= K_HAT)


@dataclass(frozen=True, slots=True, eq=False)
class Marginal:
    """Log marginal likelihood under the prior and under changed ones, and every row predicted from the others.

    Attributes
    ----------
    under : log marginal likelihood by what was changed in the prior
    predictive : ``(m,)`` log predictive density of each distinct row, given all others
    k_hats : ``(m,)`` of these
    effective : effective number of draws
    """

    log_evidence: Estimate
    under: dict[str, Estimate]
    predictive: Floats
    k_hats: Floats
    effective: float


def marginal(problem: MixtureProblem, map_fit: em.Fit[Any, Any], random: np.random.Generator) -> Marginal:
    """Marginal likelihood, its change with the prior, and leave-one-out, from one run of the second route.

    All of it NaN where the components can be ordered in more ways than that route takes.

    Parameters
    ----------
    map_fit : MAP-EM under the problem's prior, with all its modes
    """
    route = importance.sample(problem, map_fit, random)
    if isinstance(route, str):
        unknown = Estimate(np.nan, np.nan, np.nan)
        missing = np.full(len(problem.data.counts), np.nan)
        return Marginal(
            unknown, dict.fromkeys(problem.family.changed_priors(problem.prior), unknown), missing, missing, 0.0
        )
    # A draw that is impossible has weight 0, of which there is no logarithm.
    log_w = np.log(np.maximum(route.weights, np.finfo(float).tiny))
    drawn = problem.family.of_arrays(problem.arrays_of(route.values))
    mixture: Any = problem.mixture(problem.prior)
    log_rows = row_posteriors(mixture, drawn)[1].T
    here = mixture.log_prior(drawn)
    smoothed, k_hats = pareto_smoothed(log_w - log_rows)
    under = {}
    for name, other in problem.family.changed_priors(problem.prior).items():
        mean = _log_mean(log_w + problem.mixture(other).log_prior(drawn) - here)
        under[name] = replace(mean, value=route.log_evidence + mean.value - logsumexp(log_w) + np.log(len(log_w)))
    return Marginal(
        log_evidence=Estimate(route.log_evidence, route.log_evidence_error, route.k_hat),
        # Nothing is known of draws that the route itself could not weigh.
        under={name: replace(each, k_hat=max(each.k_hat, route.k_hat)) for name, each in under.items()},
        predictive=np.asarray(logsumexp(smoothed + log_rows, axis=1) - logsumexp(smoothed, axis=1)),
        k_hats=k_hats,
        effective=route.effective,
    )


def _log_mean(log_weights: Floats) -> Estimate:
    relative = np.exp(log_weights - log_weights.max())
    return Estimate(
        value=float(logsumexp(log_weights) - np.log(len(log_weights))),
        error=float(relative.std() / relative.mean() / np.sqrt(len(relative))),
        k_hat=float(pareto_smoothed(log_weights)[1]),
    )


def _unreliable(estimate: Estimate, what: str) -> str | None:
    if estimate.trusted:
        return None
    if np.isnan(estimate.k_hat):
        return f"there is no {what}: the components can be ordered in more ways than importance sampling takes, {LABELLINGS}"
    return f"the {what} cannot be relied on: k-hat is {estimate.k_hat:.2f}, above {K_HAT}"


def evidence(found: Marginal) -> Evidence:
    """What is recorded of the evidence: no number where it cannot be relied on."""
    each = found.log_evidence
    reason = _unreliable(each, "log evidence")
    values: tuple[Number, Number] = (None, None) if reason else (number(each.value), number(each.error))
    return Evidence(*values, number(each.k_hat), found.effective, reason)


def bayes_factor(smaller: Marginal, larger: Marginal) -> BayesFactor:
    """One component more against one fewer, under the prior and under the changed ones."""
    both = (smaller.log_evidence, larger.log_evidence)
    reason = next((told for each in both if (told := _unreliable(each, "evidence of one of the two"))), None)
    under = {}
    for name, after in larger.under.items():
        before = smaller.under[name]
        under[name] = number(after.value - before.value) if before.trusted and after.trusted else None
    if reason:
        return BayesFactor(None, None, under, reason)
    value = both[1].value - both[0].value
    return BayesFactor(number(value), number(np.hypot(both[0].error, both[1].error)), under, None)


def leave_one_out(found: Marginal, smaller: Marginal | None, counts: Any) -> LeaveOneOut:
    """Sum over the rows, each distinct one as often as it was seen, and its standard error; the same of the gain."""
    largest, unreliable = number(found.k_hats.max()), int(counts[~(found.k_hats <= K_HAT)].sum())
    reason = _unreliable(found.log_evidence, "estimate from weighted draws")
    if reason:
        return LeaveOneOut(None, None, None, None, largest, unreliable, reason)
    elpd, error = _total(found.predictive, counts)
    if smaller is None or not smaller.log_evidence.trusted:
        return LeaveOneOut(elpd, error, None, None, largest, unreliable, None)
    return LeaveOneOut(elpd, error, *_total(found.predictive - smaller.predictive, counts), largest, unreliable, None)


def _total(terms: Floats, counts: Any) -> tuple[float, float]:
    """Sum over all rows and its standard error, root n times the standard deviation of one row's term."""
    n = counts.sum()
    mean = counts @ terms / n
    return float(n * mean), float(np.sqrt(counts @ (terms - mean) ** 2))
