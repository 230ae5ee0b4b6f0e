"""From data to a result: many starts, their optima told apart, the best regular one returned with all known of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np

from em.acceleration import Acceleration, fastest
from em.arrival import MOST_PARAMETERS, NEVER_REGULAR
from em.climb import MAX_ITERATIONS, Climb, climb
from em.curvature import curvature_near_rest
from em.mixture import Mixture, evaluated, permuted_places, row_posteriors
from em.optima import SAME_OBJECTIVE, Mode, Optimum, Status, judged_end, modes_of, same_optimum
from em.search import SAME_ROWS, Found, search
from em.standard_errors import covariance_of, withheld_reason
from em.starts import REARRANGED, Starts, start_apart, starts, starts_from
from models.inputs import Floats, read_only
from models.mixtures import canonical_permutation

type Method = Literal["em", "nelder-mead", "bfgs"]

# Plain steps in which the way to the best optimum is shown; the slowest reference problem takes a third of them.
REPLAY_STEPS = 30_000
# Starts from which that is tried.
REPLAYED = 3
# Times that the best optima are rearranged, at most.
ROUNDS = 10
# Optima of a sample from which runs over all rows start.
OF_SAMPLE = 2
# Nats below the best known optimum at which an unfinished search run is given up.
HOPELESS = 5.0
# It is given up too where it would take more than so many times its last steps to reach that optimum.
PATIENCE = 1000
# Steps of an unfinished run after which that is asked again.
STRETCH = 300
# Rate of EM this close to 1 is a plateau's.
PLATEAU = 1e-4


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
    parameters : canonical order; with ``start=`` the start's labelling, and components of known labels are those
    log_likelihood : nats, summed, all constants included
    log_posterior : log-likelihood plus log prior density, None without a prior
    trace : ``(iterations + 1,)`` the objective, of the run that won
    path : the parameters at every entry of the trace
    iterations : steps of that run
    evaluations : E-steps (or calls of the objective), and looks at the information for Newton's method, over all runs
    extrapolations, refused : guesses of an acceleration that were taken in that run, and those that were not
    status : "converged" to a maximum, or "boundary", "saddle", "ridge", "collapsed", "iteration limit"; above 1000
        parameters "converged" to a point of rest, which may be a saddle or on a ridge
    standard_errors : same fields and shapes as the parameters, with ``reason`` where withheld
    modes : every distinct optimum, best first
    rate : largest linear rate at which plain EM converges at the result; NaN where it has no meaning
    decrement : distance to the optimum in standard errors, sqrt(g' I^-1 g); NaN where not identified, or where the
        information I was not computed
    remaining : nats between the objective and its limit, rounding apart: half the squared decrement, over the identified
        directions alone on a ridge; Aitken's estimate from the last steps above 1000 parameters, where the information would
        cost more than the fit, and where the fit is held at a ``minimum_ratio``; NaN where there is no such limit
    """

    parameters: P
    log_likelihood: float
    log_posterior: float | None
    trace: Floats
    path: Path[P]
    iterations: int
    evaluations: int
    extrapolations: int
    refused: int
    status: Status
    standard_errors: E
    modes: tuple[Mode[P], ...]
    rate: float
    decrement: float
    remaining: float
    _mixture: Mixture[P, Any]

    def responsibilities(self, data: Any) -> Any:
        """Posterior probability of each component for each row of ``data``, known labels respected.

        Parameters
        ----------
        data : what was fitted or new rows: `models.CoinTosses`; or `models.Measurements`; or y as `em.gaussian_mixture`
            takes it, of a table the columns that were fitted

        Returns
        -------
        ``(n, n_components)``, each row summing to 1: of Dask's rows a `dask.array.Array` that is not computed yet, else
        an array in memory, for which files and mapped arrays are read a chunk at a time
        """
        return self._mixture.responsibilities(data, self.parameters)

    def __repr__(self) -> str:
        """The result, without the path to it."""
        return (
            f"Fit({self.parameters}, log_likelihood={self.log_likelihood:.10g}, log_posterior={self.log_posterior}, "
            f"status={self.status!r}, iterations={self.iterations}, modes={len(self.modes)})"
        )


def checked_options(method: Method, acceleration: Acceleration, starting: Starts) -> None:
    """Refuse what is no option, before any row is read."""
    if method not in ("em", "nelder-mead", "bfgs"):
        raise ValueError(f'method is {method!r}; give "em", "nelder-mead" or "bfgs"')
    if acceleration not in (None, "auto", "newton", "squarem", "anderson"):
        raise ValueError(f'acceleration is {acceleration!r}; give None, "auto", "newton", "squarem" or "anderson"')
    if starting not in ("default", "thorough"):
        raise ValueError(f'starts is {starting!r}; give "default" or "thorough"')
    if method != "em" and acceleration in ("newton", "squarem", "anderson"):
        raise ValueError(f'acceleration="{acceleration}" is a variant of EM; leave it out with method="{method}"')


def fit_mixture(
    mixture: Mixture[Any, Any],
    *,
    start: Any,
    seed: int,
    method: Method,
    acceleration: Acceleration,
    starting: Starts = "default",
    max_iterations: int = MAX_ITERATIONS,
) -> Fit[Any, Any]:
    """Fit a mixture of any family; the families' own functions say what the arguments are, and check them."""
    if acceleration == "newton" and mixture.n_parameters > MOST_PARAMETERS:
        raise ValueError(
            f'acceleration is "newton" but the fit has {mixture.n_parameters} parameters, and above {MOST_PARAMETERS} their '
            'information is not computed; give "anderson" or "squarem"'
        )

    def run(first: Any, steps: int = max_iterations, *, settled: bool = False) -> Climb:
        if method != "em":
            from em.direct import maximise

            return maximise(mixture, first, method)
        return climb(mixture, first, acceleration, steps, settled=settled)

    permutation = np.arange(mixture.n_components)
    if start is not None:
        won = run(start)
        best, evaluations = judged_end(mixture, won), won.evaluations
        distinct = [(best, 1)]
    else:
        random = np.random.default_rng(seed)
        searched = mixture.sample(seed)
        vectors = starts(searched, random, starting)
        if method != "em" or len(vectors) == 1:
            runs = _judged(mixture, [(run(mixture.from_vector(v)), [j]) for j, v in enumerate(vectors)])
            evaluations = sum(r.climb.evaluations for r in runs)
        else:
            runs, vectors, evaluations = _explored(searched, vectors, starting, random, max_iterations)
            if searched is not mixture:
                found = _from_sample(mixture, runs)
                # The best of the sample as the user asked for it, from where its starts lead there.
                climbs = [(run(mixture.from_vector(found[0].vector), settled=True), found[0].starts)]
                for each in found:
                    vectors[each.starts] = each.vector
                evaluations += climbs[0][0].evaluations
                climbs, made = _finished(mixture, found[1:], max_iterations, climbs)
                runs, evaluations = _judged(mixture, climbs), evaluations + made
            higher, made = _climbed_on(mixture, searched, max(runs, key=_rank).optimum, random, len(vectors))
            evaluations += made
            runs += higher
            vectors = np.array([*vectors, *(r.climb.points[0] for r in higher)])
        best, won, reached = max(runs, key=_rank)
        as_asked = searched is not mixture and won is runs[0].climb
        if method == "em" and len(vectors) > 1 and not as_asked:
            firsts = [
                mixture.from_vector(v) for v in vectors[sorted(reached)[: REPLAYED if searched is mixture else 1]]
            ]
            best, won, more = _replayed(mixture, firsts, best, run)
            evaluations += more
        distinct = [(r.optimum, len(r.starts)) for r in runs]
        permutation = canonical_permutation(mixture.published(best.parameters).order_keys, mixture.groups)

    places = permuted_places(mixture, permutation)
    final = mixture.from_vector(mixture.to_vector(best.parameters)[places])
    judged = None if best.judged is None else best.judged.permuted(places)
    reason = withheld_reason(best.status, judged, tuple(mixture.names()))
    covariance = covariance_of(judged, reason, len(places))
    log_posterior = None if mixture.prior is None else float(best.objective + mixture.offset)
    return Fit(
        parameters=mixture.published(final),
        log_likelihood=float(best.objective - mixture.log_prior(final) + mixture.likelihood_offset),
        log_posterior=log_posterior,
        trace=read_only(np.array(won.trace) + mixture.offset),
        path=Path(np.array(won.points)[:, places], mixture),
        iterations=len(won.trace) - 1,
        evaluations=evaluations,
        extrapolations=won.extrapolations,
        refused=won.refused,
        status=best.status,
        standard_errors=mixture.standard_errors(final, covariance, reason),
        modes=modes_of(mixture, distinct),
        rate=_rate(best, won),
        decrement=np.nan if judged is None else judged.decrement,
        remaining=_remaining(best, won),
        _mixture=mixture,
    )


def _rate(best: Optimum, won: Climb) -> float:
    """The largest rate of plain EM by the curvature; Aitken's estimate where a run came to rest without one."""
    if best.judged is not None:
        return best.judged.rate
    return won.rate if best.status in ("converged", "boundary") else np.nan


def _remaining(best: Optimum, won: Climb) -> float:
    """Nats up to the maximum of the quadratic that has the objective's first two derivatives; else Aitken's estimate."""
    judged = best.judged
    if judged is None:
        return won.remaining if best.status in ("converged", "boundary") else np.nan
    if judged.kind == "saddle":
        return np.nan
    return 0.5 * (judged.identified_decrement if np.isnan(judged.decrement) else judged.decrement) ** 2


class _Run(NamedTuple):
    """Where some starts lead: the optimum there, the run that went there, and their numbers."""

    optimum: Optimum
    climb: Climb
    starts: list[int]


def _judged(mixture: Mixture[Any, Any], climbs: Iterable[tuple[Climb, list[int]]]) -> list[_Run]:
    return [_Run(judged_end(mixture, climb), climb, reached) for climb, reached in climbs]


def _rank(run: _Run) -> tuple[bool, float]:
    return run.optimum.regular, run.optimum.objective


def _explored(
    mixture: Mixture[Any, Any], starts: Floats, how: Starts, random: np.random.Generator, steps: int
) -> tuple[list[_Run], Floats, int]:
    """Where the ``starts`` lead, and others that are made from the best optima, until all of the best were rearranged.

    Returns
    -------
    the runs, all starts ``(number, p)``, and the E-steps made
    """
    runs: list[_Run] = []
    given_up: list[Found] = []
    tried: list[Optimum] = []
    vectors, evaluations = starts[:0], 0
    for _ in range(ROUNDS):
        known = [r.optimum.rows for r in runs if r.optimum.regular]
        found, made = search(mixture, mixture.from_vector(starts), how, known)
        found = [replace(f, starts=[len(vectors) + j for j in f.starts]) for f in found]
        given_up += [f for f in found if f.ending == "given up"]
        climbs, finishing = _finished(mixture, found, steps, [(r.climb, r.starts) for r in runs])
        runs += _judged(mixture, climbs[len(runs) :])
        vectors = np.concatenate([vectors, starts])
        evaluations += made + finishing
        best = [o for o in _to_rearrange(runs, how) if not any(same_optimum(o, other) for other in tried)]
        if not len(best) or (any(r.optimum.regular for r in runs) and not any(o.regular for o in best)):
            break  # one spike after the other leads nowhere
        tried += best
        starts = starts_from(mixture, [o.parameters for o in best], random, how)
        if not len(starts):
            break
    if not any(r.optimum.regular for r in runs):
        # Better a low optimum than a spike: what was given up for spikes may lead to one.
        climbs, made = _finished(mixture, [replace(f, ending="under way") for f in given_up], steps)
        runs += _judged(mixture, climbs)
        evaluations += made
    return runs, vectors, evaluations


def _to_rearrange(runs: list[_Run], how: Starts) -> list[Optimum]:
    """The best regular optima, and the best that have collapsed: their other components may be where they should."""
    regular, collapsed, _ = REARRANGED[how]
    if not any(r.optimum.regular for r in runs):
        collapsed = regular
    best: list[Optimum] = []
    for number, kind in ((regular, "regular"), (collapsed, "collapsed")):
        distinct: list[Optimum] = []
        for optimum in sorted((r.optimum for r in runs if _kind(r.optimum) == kind), key=lambda o: -o.objective):
            if len(distinct) < number and not any(same_optimum(optimum, other) for other in distinct):
                distinct.append(optimum)
        best += distinct
    return best


def _kind(optimum: Optimum) -> str:
    return "regular" if optimum.regular else optimum.status


def _from_sample(mixture: Mixture[Any, Any], runs: list[_Run]) -> list[Found]:
    """The best optima of a sample, with the starts that lead there, as the starts of runs over all rows; the best first."""
    best = sorted((r for r in runs if r.climb.ending == "converged"), key=_rank, reverse=True)[:OF_SAMPLE]
    found = []
    for run in best or runs[:1]:
        vector = run.climb.points[-1]
        value = float(evaluated(mixture, mixture.from_vector(vector))[1])
        found.append(Found(run.starts, vector, value, np.inf, "under way"))
    return sorted(found, key=lambda f: -f.value)


def _finished(
    mixture: Mixture[Any, Any], found: list[Found], steps: int, ended: Sequence[tuple[Climb, list[int]]] = ()
) -> tuple[list[tuple[Climb, list[int]]], int]:
    """The runs of a search to their ends, with the starts that lead there, after those that have ``ended``; and the E-steps made.

    Where one has come to what another has ended at, it is the same. One that the search left unfinished is given up where
    it is far below the best optimum that is known, or so slow that it would not get there: it creeps along a plateau,
    most often with two components that coincide.
    """
    climbs, evaluations = list(ended), 0
    known = [
        (row_posteriors(mixture, mixture.from_vector(c.points[-1]))[1], reached)
        for c, reached in climbs
        if c.ending == "converged"
    ]
    for run in found:
        best = max((c.trace[-1] for c, _ in climbs if c.ending == "converged"), default=-np.inf)
        whole = Climb([run.vector], [run.value], "collapsed" if run.ending == "collapsed" else "iteration limit", 0)
        gain, met = run.gain, None
        for _ in range(steps // STRETCH if run.ending in ("near", "under way") else 0):
            parameters = mixture.from_vector(whole.points[-1])
            rows, behind = row_posteriors(mixture, parameters)[1], best - whole.trace[-1]
            met = next((reached for others, reached in known if np.abs(rows - others).max() < SAME_ROWS), None)
            hopeless = behind >= min(HOPELESS, PATIENCE * gain) and not _near_a_maximum(mixture, parameters)
            if whole.ending != "iteration limit" or met is not None or hopeless:
                break
            rest = climb(mixture, parameters, fastest(mixture), STRETCH, settled=True)
            gain = rest.trace[-1] - rest.trace[-min(len(rest.trace), 4)]
            whole = replace(rest, evaluations=whole.evaluations + rest.evaluations)
        evaluations += whole.evaluations
        if met is not None:
            met += run.starts
        else:
            climbs.append((whole, list(run.starts)))
            if whole.ending == "converged":
                known.append((rows, climbs[-1][1]))
    return climbs, evaluations


def _climbed_on(
    mixture: Mixture[Any, Any],
    searched: Mixture[Any, Any],
    best: Optimum,
    random: np.random.Generator,
    number: int,
) -> tuple[list[_Run], int]:
    """Ever higher optima, each from the last by a component that coincides with another there; and the E-steps made.

    Where it goes is asked of the rows ``searched``. The starts are counted on from ``number``.
    """
    higher: list[_Run] = []
    evaluations = 0
    while len(start := start_apart(searched, best.parameters, random)):
        climbed = climb(mixture, mixture.from_vector(start[0]), "squarem")
        evaluations += climbed.evaluations
        (run,) = _judged(mixture, [(climbed, [number + len(higher)])])
        if not (run.optimum.regular and run.optimum.objective > best.objective + SAME_OBJECTIVE):
            break
        best = run.optimum
        higher.append(run)
    return higher, evaluations


def _near_a_maximum(mixture: Mixture[Any, Any], parameters: Any) -> bool:
    """Whether a local maximum is within a standard error, and not on a plateau."""
    if mixture.constrained(parameters):
        return True
    if mixture.smallest_spread(parameters) < NEVER_REGULAR or mixture.n_parameters > MOST_PARAMETERS:
        return False
    judged = curvature_near_rest(mixture, parameters)
    return judged is not None and judged.decrement < 1 and judged.rate < 1 - PLATEAU


def _replayed(
    mixture: Mixture[Any, Any], reached: list[Any], best: Optimum, run: Callable[..., Climb]
) -> tuple[Optimum, Climb, int]:
    """The best optimum at the end of the whole way there by the steps that the user asked for, and what finding it cost.

    The search accelerates, so a start near the border of two basins may go elsewhere in plain steps; then the next is
    tried, and at last, or where plain steps take too long, the optimum itself is the start.
    """
    evaluations = 0
    for start in reached:
        whole = run(start, REPLAY_STEPS)
        evaluations += whole.evaluations
        if whole.ending == "iteration limit":
            break
        end = judged_end(mixture, whole)
        if same_optimum(end, best):
            return end, whole, evaluations
    whole = run(best.parameters)
    return judged_end(mixture, whole), whole, evaluations + whole.evaluations
