"""Where runs end: a maximum told from what only looks like one, and distinct optima told apart."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from em.ascent.acceleration import PLAIN_STEPS
from em.ascent.arrival import MOST_PARAMETERS
from em.ascent.climb import Climb, climb
from em.mixture import Mixture, permuted_places, row_log_likelihoods
from em.search.collapse import NEVER_REGULAR, collapsed
from em.search.search import SAME_ROWS
from em.uncertainty.curvature import CREEPING, Curvature, curvature
from models.display import displayed
from models.inputs import Floats
from models.mixtures import canonical_permutation

type Status = Literal["converged", "boundary", "saddle", "ridge", "collapsed", "iteration limit"]

# Two optima are one where their objectives and the log-likelihoods of every single row in memory agree this closely, in nats.
SAME_OBJECTIVE = 1e-6
# What counts as rising from a ridge, in nats: what is flat rises by rounding alone.
RISE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Mode[P]:
    """One distinct optimum.

    Attributes
    ----------
    log_likelihood : nats, all constants included
    parameters : in canonical order
    starts : how many starts reached it
    regular : False for a saddle, and where a component has collapsed: it is narrower than 5 % of the data's spread, in some
        direction, and held by no more rows than it goes through whatever they are, or than lie together by chance; never
        where the objective is bounded, as it is under a prior, a ``minimum_ratio`` or one covariance for all
    """

    log_likelihood: float
    parameters: P
    starts: int
    regular: bool

    __repr__ = displayed


@dataclass(frozen=True, slots=True, eq=False)
class Optimum:
    """Where a run ended, judged."""

    parameters: Any
    objective: float
    rows: Floats
    status: Status
    regular: bool
    judged: Curvature | None


def judged_end(mixture: Mixture[Any, Any], run: Climb) -> Optimum:
    """What the end of a run is: a maximum, or which of the things that only look like one."""
    parameters = mixture.from_vector(run.points[-1])
    rows = row_log_likelihoods(mixture, parameters)
    if run.ending == "collapsed" or collapsed(mixture, parameters, NEVER_REGULAR):
        return Optimum(parameters, run.trace[-1], rows, "collapsed", False, None)
    if run.ending == "iteration limit":
        return Optimum(parameters, run.trace[-1], rows, "iteration limit", False, None)
    if mixture.constrained(parameters):
        return Optimum(parameters, run.trace[-1], rows, "boundary", True, None)
    if len(run.points[-1]) > MOST_PARAMETERS:
        # What a look at the curvature would tell of a saddle or a ridge is not known; the run has come to rest.
        regular = not collapsed(mixture, parameters)
        return Optimum(parameters, run.trace[-1], rows, "converged" if regular else "collapsed", regular, None)
    try:
        judged = run.judged or curvature(mixture, parameters)
    except np.linalg.LinAlgError:
        # On the way into a spike second derivatives have lost their digits before it is as narrow as `NEVER_REGULAR`.
        if not collapsed(mixture, parameters):
            raise
        return Optimum(parameters, run.trace[-1], rows, "collapsed", False, None)
    if judged.kind == "maximum" and judged.rate > 1 - CREEPING:
        judged = replace(judged, kind="ridge")
    status: Status = "converged" if judged.kind == "maximum" else judged.kind
    if collapsed(mixture, parameters):
        status = "collapsed"
    elif judged.kind == "ridge" and _rises_beyond(mixture, parameters, judged, run.trace[-1]):
        judged, status = replace(judged, kind="saddle"), "saddle"
    return Optimum(parameters, run.trace[-1], rows, status, status in ("converged", "boundary", "ridge"), judged)


def _rises_beyond(mixture: Mixture[Any, Any], parameters: Any, judged: Curvature, objective: float) -> bool:
    """Whether a point that is flat to second order is a saddle of higher order, as where tied normals coincide.

    From a finite step along each flat direction to either side, a few EM steps climb above a saddle but never above a
    ridge of maxima. A complete-data standard error is far enough for higher orders to show, and no way to other modes.
    """
    vector = mixture.to_vector(parameters)
    for direction in np.hstack([judged.slow_directions, -judged.slow_directions]).T:
        try:
            aside = climb(mixture, mixture.from_vector(vector + direction), "squarem", PLAIN_STEPS)
        except (FloatingPointError, np.linalg.LinAlgError, ValueError):  # outside of what parameters may be
            continue
        if aside.trace[-1] > objective + max(RISE, _rounding(objective)):
            return True
    return False


def _rounding(objective: float) -> float:
    """Error of an objective that is a sum over rows, in nats."""
    return float(64 * np.finfo(float).eps * abs(objective))


def same_optimum(one: Optimum, other: Optimum) -> bool:
    """Whether two optima are one, judged on what they say of the rows: labels and flat directions do not matter.

    Collapses have no objective to compare; they are one where all but the height of their spikes is.
    """
    if one.status == other.status == "collapsed":
        return bool(np.abs(_without_heights(one) - _without_heights(other)).max() < SAME_ROWS)
    return abs(one.objective - other.objective) < max(SAME_OBJECTIVE, _rounding(one.objective)) and bool(
        np.abs(one.rows - other.rows).max() < SAME_ROWS
    )


def _without_heights(optimum: Optimum) -> Floats:
    """What tells one collapse from another: weights and means, whatever the labels."""
    return np.sort(np.concatenate([optimum.parameters.weights, optimum.parameters.order_keys.ravel()]))


def distinct_optima(found: list[tuple[Optimum, int]]) -> list[tuple[Optimum, int]]:
    """Distinct optima, regular ones first and then by objective, with the number of starts that reached each.

    Runs that were given up are not among them, unless they are all there is; most reached one of the others.
    """
    distinct: list[tuple[Optimum, int]] = []
    reached_any = any(o.status != "iteration limit" for o, _ in found)
    order = sorted(found, key=lambda f: (f[0].status == "iteration limit", not f[0].regular, -f[0].objective))
    # Of few rows there are thousands of collapses, which are compared with all others at once.
    collapses: list[int] = []
    told = np.array([_without_heights(o) for o, _ in order if o.status == "collapsed"])
    for optimum, starts_there in order:
        same: int | None
        if optimum.status == "collapsed":
            near = np.abs(told[: len(collapses)] - _without_heights(optimum)).max(axis=1, initial=0.0) < SAME_ROWS
            same = collapses[int(near.argmax())] if near.any() else None
        else:
            same = next((j for j, (known, _) in enumerate(distinct) if same_optimum(known, optimum)), None)
        if same is not None:
            distinct[same] = (distinct[same][0], distinct[same][1] + starts_there)
        elif optimum.status != "iteration limit" or not reached_any:
            if optimum.status == "collapsed":
                told[len(collapses)] = _without_heights(optimum)
                collapses.append(len(distinct))
            distinct.append((optimum, starts_there))
    return distinct


def modes_of(mixture: Mixture[Any, Any], distinct: list[tuple[Optimum, int]]) -> tuple[Mode[Any], ...]:
    """Distinct optima, with the starts that reached each, as a user sees them."""
    modes = []
    for optimum, reached in distinct:
        permutation = canonical_permutation(mixture.published(optimum.parameters).order_keys, mixture.groups)
        vector = mixture.to_vector(optimum.parameters)[permuted_places(mixture, permutation)]
        value = float(optimum.objective - mixture.log_prior(optimum.parameters) + mixture.likelihood_offset)
        modes.append(Mode(value, mixture.published(mixture.from_vector(vector)), reached, optimum.regular))
    return tuple(modes)
