"""From data to a result: many starts, their optima told apart, the best regular one returned with all known of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from em.climb import MAX_ITERATIONS, Acceleration, Climb, climb
from em.curvature import CREEPING, Curvature, curvature
from em.mixture import Mixture, log_weights, responsibilities
from em.standard_errors import covariance_of, withheld_reason
from em.starts import starts
from models.inputs import Floats, Integers, read_only
from models.mixtures import canonical_permutation

type Method = Literal["em", "nelder-mead", "bfgs"]
type Status = Literal["converged", "boundary", "saddle", "ridge", "collapsed", "iteration limit"]

# Plain steps before a search run is accelerated: enough to choose the basin that plain EM would go to.
PLAIN_STEPS = 30
# Accelerated steps of a search run; on the reference problems all but plateaus are done in 400.
SEARCH_STEPS = 400
# Plain steps in which the way to the best optimum is shown; the slowest reference problem takes a third of them.
REPLAY_STEPS = 30_000
# Nats below the best known optimum at which an unfinished search run is given up.
HOPELESS = 5.0
# It is given up too where it would take more than so many times as long as the last tenth of it to reach that optimum.
PATIENCE = 100
# Two optima are one where their objectives and the log-likelihoods of every single row agree this closely, in nats.
SAME_OBJECTIVE = 1e-6
SAME_ROWS = 1e-3
# What counts as rising from a ridge, in nats: what is flat rises by rounding alone.
RISE = 1e-9
# A component narrower than this share of the data's spread has collapsed.
COLLAPSED = 0.05
# Narrower than this, second derivatives overflow and say nothing.
NEVER_REGULAR = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Mode[P]:
    """One distinct optimum.

    Attributes
    ----------
    log_likelihood : nats, all constants included
    parameters : in canonical order
    starts : how many starts reached it
    regular : False for a saddle, and where a component has collapsed (its smallest standard deviation, in any
        direction, is under 5 % of the data's in that direction)
    """

    log_likelihood: float
    parameters: P
    starts: int
    regular: bool


class Path[P](Sequence[P]):
    """The parameters at every iteration, built when they are asked for: ``path[0]`` is the start."""

    def __init__(self, vectors: Floats, mixture: Mixture[P, Any]) -> None:
        self._vectors, self._mixture = vectors, mixture

    def __len__(self) -> int:
        """Iterations plus one."""
        return len(self._vectors)

    def __getitem__(self, index: Any) -> Any:
        """Parameters at one iteration, or a Path of several."""
        if isinstance(index, slice):
            return Path(self._vectors[index], self._mixture)
        return self._mixture.published(self._mixture.from_vector(self._vectors[index]))

    def __iter__(self) -> Iterator[P]:
        """From the start to the returned parameters."""
        return (self[index] for index in range(len(self)))

    def __repr__(self) -> str:
        """How long it is, and where it ends."""
        return f"Path(of {len(self)} parameters, ending at {self[-1]})"


@dataclass(frozen=True, slots=True, eq=False)
class Fit[P, E]:
    """A mixture fitted by maximising its log-likelihood, or its log posterior where a prior was given.

    Attributes
    ----------
    parameters : canonical order; with ``start=`` the start's labelling
    log_likelihood : nats, summed, all constants included
    log_posterior : log-likelihood plus log prior density, None without a prior
    trace : ``(iterations + 1,)`` the objective, of the run that won
    path : the parameters at every entry of the trace
    iterations : steps of that run
    evaluations : E-steps (or calls of the objective) over all runs
    status : "converged" to a maximum, or "boundary", "saddle", "ridge", "collapsed", "iteration limit"
    standard_errors : same fields and shapes as the parameters, with ``reason`` where withheld
    modes : every distinct optimum, best first
    rate : largest linear rate at which plain EM converges at the result; NaN where it has no meaning
    decrement : distance to the optimum in standard errors, sqrt(g' I^-1 g); NaN where not identified
    """

    parameters: P
    log_likelihood: float
    log_posterior: float | None
    trace: Floats
    path: Path[P]
    iterations: int
    evaluations: int
    status: Status
    standard_errors: E
    modes: tuple[Mode[P], ...]
    rate: float
    decrement: float
    _mixture: Mixture[P, Any]

    def responsibilities(self, data: Any) -> Floats:
        """Posterior probability of each component for each row of ``data``, known labels respected.

        Parameters
        ----------
        data : what was fitted or new rows: `models.CoinTosses`; or y ``(n,)`` or ``(n, d)``, or `models.Measurements`

        Returns
        -------
        ``(n, n_components)``, each row summing to 1
        """
        return responsibilities(*self._mixture.log_joint(data, self.parameters))[0]

    def __repr__(self) -> str:
        """The result, without the path to it."""
        return (
            f"Fit({self.parameters}, log_likelihood={self.log_likelihood:.10g}, log_posterior={self.log_posterior}, "
            f"status={self.status!r}, iterations={self.iterations}, modes={len(self.modes)})"
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Optimum:
    """Where a run ended, judged."""

    parameters: Any
    objective: float
    rows: Floats
    status: Status
    regular: bool
    judged: Curvature | None


def fit_mixture(
    mixture: Mixture[Any, Any],
    *,
    start: Any,
    seed: int,
    method: Method,
    acceleration: Acceleration,
    max_iterations: int = MAX_ITERATIONS,
) -> Fit[Any, Any]:
    """Fit a mixture of any family; the families' own functions say what the arguments are."""
    if method not in ("em", "nelder-mead", "bfgs"):
        raise ValueError(f'method is {method!r}; give "em", "nelder-mead" or "bfgs"')
    if acceleration not in (None, "squarem"):
        raise ValueError(f'acceleration is {acceleration!r}; give None or "squarem"')
    if method != "em" and acceleration is not None:
        raise ValueError(f'acceleration="{acceleration}" is a variant of EM; leave it out with method="{method}"')

    def run(first: Any, *, search: bool = False, steps: int = max_iterations) -> Climb:
        if method != "em":
            from em.direct import maximise

            return maximise(mixture, first, method)
        if not search:
            return climb(mixture, first, acceleration, steps)
        basin = climb(mixture, first, None, PLAIN_STEPS)
        return basin if basin.ending != "iteration limit" else _continued(mixture, basin, SEARCH_STEPS)

    if start is not None:
        won = run(start)
        found = [_judged(mixture, won)]
        best, evaluations = found[0], won.evaluations
        permutation = np.arange(mixture.n_components)
    else:
        first = starts(mixture, np.random.default_rng(seed))
        alone = len(first) == 1
        climbs = [run(s, search=not alone) for s in first]
        if method == "em":
            climbs = _worth_finishing(mixture, climbs, max_iterations)
        found = [_judged(mixture, c) for c in climbs]
        evaluations = sum(c.evaluations for c in climbs)
        best = max(found, key=lambda o: (o.regular, o.objective))
        won = climbs[found.index(best)]
        if method == "em" and not alone:
            reached = [s for s, o in zip(first, found, strict=True) if _same(o, best)]
            won, more = _replayed(mixture, reached, best, run)
            evaluations += more
            best = _judged(mixture, won)
        permutation = canonical_permutation(mixture.published(best.parameters).order_keys, mixture.groups)

    places = _places(mixture, permutation)
    final = mixture.from_vector(mixture.to_vector(best.parameters)[places])
    # In the order of ``final``; of what kind the point is has been judged, and by more than its curvature.
    judged = None if best.judged is None else replace(curvature(mixture, final), kind=best.judged.kind)
    reason = withheld_reason(best.status, judged, tuple(mixture.names()))
    covariance = covariance_of(judged, reason, len(mixture.basis))
    log_likelihood = mixture.e_step(final).log_likelihood
    log_posterior = None if mixture.prior is None else float(log_likelihood + mixture.log_prior(final) + mixture.offset)
    return Fit(
        parameters=mixture.published(final),
        log_likelihood=float(log_likelihood + mixture.likelihood_offset),
        log_posterior=log_posterior,
        trace=read_only(np.array(won.trace) + mixture.offset),
        path=Path(np.array(won.points)[:, places], mixture),
        iterations=len(won.trace) - 1,
        evaluations=evaluations,
        status=best.status,
        standard_errors=mixture.standard_errors(final, covariance, reason),
        modes=_modes(mixture, found),
        rate=np.nan if judged is None else judged.rate,
        decrement=np.nan if judged is None else judged.decrement,
        _mixture=mixture,
    )


def _continued(mixture: Mixture[Any, Any], run: Climb, steps: int) -> Climb:
    """Go on from the end of a run, accelerated."""
    rest = climb(mixture, mixture.from_vector(run.points[-1]), "squarem", steps)
    return Climb(rest.points, rest.trace, rest.ending, run.evaluations + rest.evaluations)


def _worth_finishing(mixture: Mixture[Any, Any], runs: list[Climb], steps: int) -> list[Climb]:
    """Finish the runs that the search left unfinished, the best first, but for those that another has left behind.

    Such a run is far below the best optimum that is known, or so slow that it would not get there, or is on its way to
    the same one: it creeps along a plateau, most often with two components that coincide.
    """
    runs = list(runs)
    best = max((r.trace[-1] for r in runs if r.ending == "converged"), default=-np.inf)
    for j in sorted(range(len(runs)), key=lambda j: -runs[j].trace[-1]):
        trace = runs[j].trace
        behind, speed = best - trace[-1], trace[-1] - trace[-len(trace) // 10]
        if runs[j].ending == "iteration limit" and behind < min(HOPELESS, PATIENCE * speed):
            runs[j] = _continued(mixture, runs[j], steps)
            best = max(best, runs[j].trace[-1])
    return runs


def _places(mixture: Mixture[Any, Any], permutation: Integers) -> Integers:
    """Where each entry of the permuted full vector stands in the one before."""
    places = np.arange(len(mixture.basis))
    places[: mixture.n_components] = permutation
    for j, k in enumerate(permutation):
        places[mixture.own_coordinates(j)] = mixture.own_coordinates(int(k))
    return places


def _judged(mixture: Mixture[Any, Any], run: Climb) -> _Optimum:
    """What the end of a run is: a maximum, or which of the things that only look like one."""
    parameters = mixture.from_vector(run.points[-1])
    rows = responsibilities(log_weights(parameters.weights) + mixture.log_densities(parameters), mixture.labels)[1]
    spread = mixture.smallest_spread(parameters)
    if run.ending == "collapsed" or spread < NEVER_REGULAR:
        return _Optimum(parameters, run.trace[-1], rows, "collapsed", False, None)
    judged = curvature(mixture, parameters)
    if judged.kind == "maximum" and judged.rate > 1 - CREEPING:
        judged = replace(judged, kind="ridge")
    status: Status = "converged" if judged.kind == "maximum" else judged.kind
    if run.ending == "iteration limit":
        status = "iteration limit"
    elif spread < COLLAPSED:
        status = "collapsed"
    elif judged.kind == "ridge" and _rises_beyond(mixture, parameters, judged, run.trace[-1]):
        judged, status = replace(judged, kind="saddle"), "saddle"
    return _Optimum(parameters, run.trace[-1], rows, status, status in ("converged", "boundary", "ridge"), judged)


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


def _same(one: _Optimum, other: _Optimum) -> bool:
    """Whether two optima are one, judged on what they say of the rows: labels and flat directions do not matter.

    Collapses have no objective to compare; they are one where all but the height of their spikes is.
    """
    if one.status == other.status == "collapsed":
        keys = [np.concatenate([o.parameters.weights, o.parameters.order_keys.ravel()]) for o in (one, other)]
        return bool(np.abs(np.sort(keys[0]) - np.sort(keys[1])).max() < SAME_ROWS)
    return abs(one.objective - other.objective) < max(SAME_OBJECTIVE, _rounding(one.objective)) and bool(
        np.abs(one.rows - other.rows).max() < SAME_ROWS
    )


def _replayed(
    mixture: Mixture[Any, Any], reached: list[Any], best: _Optimum, run: Callable[..., Climb]
) -> tuple[Climb, int]:
    """The whole way to the best optimum by the steps that the user asked for, and what finding it cost.

    The search accelerates, so a start near the border of two basins may go elsewhere in plain steps; then the next is
    tried, and at last, or where plain steps take too long, the optimum itself is the start.
    """
    evaluations = 0
    for start in reached[:3]:
        whole = run(start, steps=REPLAY_STEPS)
        evaluations += whole.evaluations
        if whole.ending == "iteration limit":
            break
        if _same(_judged(mixture, whole), best):
            return whole, evaluations
    whole = run(best.parameters)
    return whole, evaluations + whole.evaluations


def _modes(mixture: Mixture[Any, Any], found: list[_Optimum]) -> tuple[Mode[Any], ...]:
    """Distinct optima, regular ones first and then by objective, with the number of starts that reached each.

    Runs that were given up are not among them, unless they are all there is; most reached one of the others.
    """
    distinct: list[tuple[_Optimum, int]] = []
    reached_any = any(o.status != "iteration limit" for o in found)
    for optimum in sorted(found, key=lambda o: (o.status == "iteration limit", not o.regular, -o.objective)):
        for j, (known, reached) in enumerate(distinct):
            if _same(known, optimum):
                distinct[j] = (known, reached + 1)
                break
        else:
            if optimum.status != "iteration limit" or not reached_any:
                distinct.append((optimum, 1))
    modes = []
    for optimum, reached in distinct:
        permutation = canonical_permutation(mixture.published(optimum.parameters).order_keys, mixture.groups)
        vector = mixture.to_vector(optimum.parameters)[_places(mixture, permutation)]
        value = float(optimum.rows @ mixture.counts + mixture.likelihood_offset)
        modes.append(Mode(value, mixture.published(mixture.from_vector(vector)), reached, optimum.regular))
    return tuple(modes)
