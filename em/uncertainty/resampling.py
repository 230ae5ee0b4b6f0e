"""Bootstrap standard errors and intervals: the fit repeated on data drawn anew, its components told apart each time.

Parametric: rows drawn from the fitted mixture, with the tosses of each bag, and which rows are labelled, as they were.
Nonparametric: the rows themselves drawn with replacement, their labels with them. Each replicate is fitted from the
estimate, so that it stays in its basin. Efron & Tibshirani (1993), An Introduction to the Bootstrap; for mixtures
O'Hagan, Murphy, Scrucca & Gormley (2019), Computational Statistics 34, 1779.

Components that the model cannot tell apart come out in any order. A replicate's are assigned to the fit's so that both
give the rows that were fitted to the same components (the largest sum of products of responsibilities), and the
assignment is verified: by the distance of the parameters, in complete-data standard errors, it has to be the best one
too, and no other may be as good.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from em.ascent.climb import climb
from em.fit import Fit, checked_fit
from em.mixture import Mixture, log_weights, responsibilities
from em.search.collapse import collapsed
from em.uncertainty.curvature import derivatives
from em.uncertainty.quantities import Interval, quantity
from em.weights import drawn_components
from models.display import displayed
from models.inputs import Floats, Integers, read_only, shown, whole_counts, whole_number

# Share of the replicates that may be lost, without a maximum or with components that cannot be told apart: what is left
# out are the extreme ones, and of a 94 % interval each tail holds 3 %.
MOST_LOST = 0.03
# Steps of a replicate, accelerated; from the estimate a regular one takes some tens.
MOST_STEPS = 2000
# Share of the rows by which the best assignment has to beat every other, for components that nearly coincide.
MARGIN = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Bootstrap[E]:
    """Replicates of a fit.

    Attributes
    ----------
    standard_errors : their standard deviations, in the form of ``fit.standard_errors``
    vectors : ``(replicates, p)`` aligned estimates by ``standard_errors.names``, in the user's own units
    lost : replicates without a regular maximum
    ambiguous : replicates whose components cannot be told apart
    reason : why standard errors and intervals are withheld, None where they are not
    """

    standard_errors: E
    vectors: Floats
    lost: int
    ambiguous: int
    reason: str | None
    _mixture: Mixture[Any, Any]

    __repr__ = displayed

    def interval(self, name: str, probability: float = 0.94) -> Interval:
        """Percentile interval of one quantity, by the names that `em.profile_interval` takes."""
        wanted = quantity(self._mixture, name)
        if self.reason is not None:
            return Interval(name, np.nan, np.nan, probability, self.reason)
        told = [wanted.told(vector) for vector in self.vectors]
        low, high = np.quantile(told, [0.5 - 0.5 * probability, 0.5 + 0.5 * probability])
        return Interval(name, float(low), float(high), probability, None)


def bootstrap[E](
    fit: Fit[Any, E],
    random: np.random.Generator | int,
    kind: Literal["parametric", "nonparametric"] = "parametric",
    replicates: int = 200,
) -> Bootstrap[E]:
    """Fit data drawn anew, again and again.

    Parameters
    ----------
    fit : as `em.coin_mixture` or `em.gaussian_mixture` return
    random : what draws the data, or its seed
    kind : ``"parametric"`` from the fitted mixture, ``"nonparametric"`` from the rows
    replicates : 200 for standard errors; an interval's ends ask for 1000 or more

    Returns
    -------
    `em.Bootstrap`; withheld with a reason where the fit's standard errors are (at a bound or on a ridge the bootstrap
    is not consistent: Andrews 2000, Econometrica 68, 399), and where more than 3 % of the replicates are lost or
    ambiguous

    Raises
    ------
    ValueError
        for another kind, fewer than two replicates, or a fit of rows that are not in memory, that was read from a file, or
        whose counts are not whole
    """
    checked_fit(fit)
    if not isinstance(kind, str) or kind not in ("parametric", "nonparametric"):
        raise ValueError(f'kind is {shown(kind)}; give "parametric" or "nonparametric"')
    whole_number("replicates", replicates, least=2)
    if not isinstance(random, np.random.Generator):
        random = np.random.default_rng(whole_number("random", random, least=0))
    mixture: Any = fit._mixture
    if not mixture.in_memory:
        raise ValueError(
            "fit is of rows that are not in memory, which are not drawn again; take em.sandwich(fit) instead"
        )
    whole_counts(mixture.counts, "rows are drawn again as often as they were seen: take em.sandwich(fit) instead")
    estimate = mixture.from_vector(fit.path._vectors[-1])
    withheld: str | None = fit.standard_errors.reason  # type: ignore[attr-defined]
    vectors, lost, ambiguous = [], 0, 0
    draw = partial(_simulated, mixture, estimate) if kind == "parametric" else partial(_resampled, mixture)
    align = _Alignment.to(mixture, estimate)
    for _ in range(0 if withheld else replicates):
        vector = _refitted(draw, random, estimate)
        if vector is None:
            lost += 1
            continue
        places = align.places(vector)
        if places is None:
            ambiguous += 1
        else:
            vectors.append(vector[places])
    reason = withheld or _reason(lost, ambiguous, replicates)
    p = mixture.n_parameters
    covariance = np.full((p, p), np.nan) if reason else np.cov(np.array(vectors).T).reshape(p, p)
    published = [mixture.to_vector(mixture.published(mixture.from_vector(v))) for v in vectors]
    errors: E = mixture.standard_errors(estimate, covariance, reason)
    return Bootstrap(errors, read_only(np.array(published).reshape(-1, p)), lost, ambiguous, reason, mixture)


def _reason(lost: int, ambiguous: int, replicates: int) -> str | None:
    if lost > MOST_LOST * replicates:
        return f"{lost} of {replicates} replicates have no regular maximum"
    if lost + ambiguous > MOST_LOST * replicates:
        return f"in {ambiguous} of {replicates} replicates the components cannot be told apart"
    return None


def _refitted(draw: Any, random: np.random.Generator, estimate: Any) -> Floats | None:
    """Full vector of the maximum that EM reaches from the estimate on data drawn anew, None where there is none."""
    try:
        again = draw(random)
    except ValueError:  # a column without spread, as in a few rows drawn with replacement
        return None
    run = climb(again, estimate, "squarem", MOST_STEPS)
    vector = np.asarray(run.points[-1])
    if run.ending != "converged" or collapsed(again, again.from_vector(vector)):
        return None
    return vector


def _resampled(mixture: Any, random: np.random.Generator) -> Mixture[Any, Any]:
    """The same problem on rows drawn with replacement."""
    n = int(mixture.counts.sum())
    counts = random.multinomial(n, mixture.counts / n)
    seen = counts > 0
    again: Mixture[Any, Any] = mixture.drawn_again(np.flatnonzero(seen), counts[seen])
    return again


def _simulated(mixture: Any, parameters: Any, random: np.random.Generator) -> Mixture[Any, Any]:
    """The same problem on rows drawn from the mixture."""
    rows = np.repeat(np.arange(len(mixture.counts)), mixture.counts)
    components = drawn_components(mixture, parameters, rows, random)
    labels = np.where(mixture.labels[rows] >= 0, components, -1)
    again: Mixture[Any, Any] = mixture.simulated(parameters, rows, components, labels, random)
    return again


@dataclass(frozen=True, slots=True, eq=False)
class _Alignment:
    """The components of the estimate, to which those of a replicate are assigned.

    Attributes
    ----------
    shares : ``(n, K)`` the estimate's probability of each component for each row fitted, the rows summing to 1 / n
    own : ``(K, q)`` places of each component's weight and parameters in the full vector
    centre, scales : ``(K, q)`` the estimate there, and complete-data standard errors
    """

    mixture: Mixture[Any, Any]
    shares: Floats
    own: Integers
    centre: Floats
    scales: Floats

    @classmethod
    def to(cls, mixture: Mixture[Any, Any], estimate: Any) -> _Alignment:
        k = mixture.n_components
        own = np.array([[j, *mixture.own_coordinates(j)] for j in range(k)])
        complete = np.diag(derivatives(mixture, estimate)[2])[own]
        scales = 1 / np.sqrt(np.maximum(complete, np.finfo(float).tiny))
        shares = _shares(mixture, estimate) * (mixture.counts / mixture.counts.sum())[:, None]
        return cls(mixture, shares, own, mixture.to_vector(estimate)[own], scales)

    def places(self, vector: Floats) -> Integers | None:
        """Where each entry of the aligned vector stands in the replicate's; None where it is ambiguous."""
        k, groups = self.mixture.n_components, self.mixture.groups
        if len(np.unique(groups)) == k:  # nothing to exchange
            return np.arange(len(vector))
        apart = groups[:, None] != groups
        overlap = np.where(apart, -np.inf, self.shares.T @ _shares(self.mixture, self.mixture.from_vector(vector)))
        distances = (((vector[self.own] - self.centre[:, None]) / self.scales[:, None]) ** 2).sum(axis=2)
        best, gain = _assigned(overlap)
        nearest, nearer = _assigned(-np.where(apart, np.inf, distances))
        if gain < MARGIN or nearer <= 0 or not np.array_equal(best, nearest):
            return None
        places = np.arange(len(vector))
        places[self.own] = self.own[best]
        return places


def _shares(mixture: Mixture[Any, Any], parameters: Any) -> Floats:
    """``(n, K)`` responsibilities as if no label were known: what the components themselves say of the rows."""
    unknown = np.full(len(mixture.counts), -1)
    return responsibilities(log_weights(parameters.weights) + mixture.log_densities(parameters), unknown)[0]


def _assigned(gains: Floats) -> tuple[Integers, float]:
    """The assignment ``(K,)`` of columns to rows with the largest sum, and by how much it beats the next best."""
    from scipy.optimize import linear_sum_assignment

    finite = np.where(np.isfinite(gains), gains, -1e12)
    rows, best = linear_sum_assignment(finite, maximize=True)
    total = finite[rows, best].sum()
    second = -np.inf
    for j in rows:  # every other assignment gives up at least one pair of the best
        without = finite.copy()
        without[j, best[j]] = -1e12
        again = linear_sum_assignment(without, maximize=True)
        second = max(second, without[again].sum())
    return best.astype(np.int64), float(total - second)
