"""From starts to optima: what a search found is followed to its ends, and the best optima are where further starts come from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from em.ascent.acceleration import fastest
from em.ascent.arrival import MOST_PARAMETERS
from em.ascent.climb import Climb, climb
from em.mixture import EPSILON, Mixture, evaluated, row_log_likelihoods
from em.search.collapse import NEVER_REGULAR, collapsed
from em.search.optima import SAME_OBJECTIVE, Optimum, judged_end, same_optimum
from em.search.search import SAME_ROWS, Found, search
from em.search.starts import REARRANGED, Starts, shaken_starts, start_apart, starts_from
from em.uncertainty.curvature import curvature_near_rest
from models.inputs import Floats

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
# Such stretches in a row that gain nothing but rounding, after which a run has nowhere to go.
IDLE = 3
# Rate of EM this close to 1 is a plateau's.
PLATEAU = 1e-4


class Run(NamedTuple):
    """Where some starts lead: the optimum there, the run that went there, and their numbers."""

    optimum: Optimum
    climb: Climb
    starts: list[int]


def runs_of(mixture: Mixture[Any, Any], climbs: Iterable[tuple[Climb, list[int]]]) -> list[Run]:
    """Runs that have ended, with the numbers of their starts, each judged by where it is."""
    return [Run(judged_end(mixture, climb), climb, reached) for climb, reached in climbs]


def rank(run: Run) -> tuple[bool, float]:
    """What makes a run the best: that its optimum is regular, and then the objective."""
    return run.optimum.regular, run.optimum.objective


def explored(
    mixture: Mixture[Any, Any],
    starts: Floats,
    how: Starts,
    random: np.random.Generator,
    steps: int,
    before: tuple[list[Run], Floats] | None = None,
) -> tuple[list[Run], Floats, int]:
    """Where the ``starts`` lead, and others that are made from the best optima, until all of these were tried.

    A search goes on from runs, and the starts of these, that were made ``before``.

    Returns
    -------
    the runs, all starts ``(number, p)``, and the E-steps made
    """
    runs, vectors = ([], starts[:0]) if before is None else before
    given_up: list[Found] = []
    tried: list[Optimum] = []
    shaken: list[Optimum] = []
    evaluations = 0
    for _ in range(ROUNDS):
        known = [r.optimum.rows for r in runs if r.optimum.regular]
        found, made = search(mixture, starts, how, known)
        found = [replace(f, starts=[len(vectors) + j for j in f.starts]) for f in found]
        given_up += [f for f in found if f.ending == "given up"]
        climbs, finishing = finished(mixture, found, steps, [(r.climb, r.starts) for r in runs])
        runs += runs_of(mixture, climbs[len(runs) :])
        vectors = np.concatenate([vectors, starts])
        evaluations += made + finishing
        best = [o for o in _to_rearrange(runs, how) if not _among(o, tried)]
        some_regular, starts = any(r.optimum.regular for r in runs), starts[:0]
        if best and (best[0].regular or not some_regular):  # one spike after the other leads nowhere
            tried += best
            starts = starts_from(mixture, [o.parameters for o in best], random, how)
        if not len(starts):
            still = [o for o in _best_regular(runs, REARRANGED[how].shaken) if not _among(o, shaken)]
            shaken += still
            starts = shaken_starts(mixture, [o.parameters for o in still], random)
        if not len(starts):
            break
    if not any(r.optimum.regular for r in runs):
        # Better a low optimum than a spike: what was given up for spikes may lead to one.
        climbs, made = finished(mixture, [replace(f, ending="under way") for f in given_up], steps)
        runs += runs_of(mixture, climbs)
        evaluations += made
    return runs, vectors, evaluations


def _to_rearrange(runs: list[Run], how: Starts) -> list[Optimum]:
    """The best regular optima, and the best that have collapsed: their other components may be where they should."""
    regular, collapsed = REARRANGED[how][:2]
    if not any(r.optimum.regular for r in runs):
        collapsed = regular
    spikes = [r.optimum for r in sorted(runs, key=rank, reverse=True) if r.optimum.status == "collapsed"]
    return _best_regular(runs, regular) + _distinct(spikes, collapsed)


def _best_regular(runs: list[Run], number: int) -> list[Optimum]:
    return _distinct([r.optimum for r in sorted(runs, key=rank, reverse=True) if r.optimum.regular], number)


def _distinct(optima: list[Optimum], number: int) -> list[Optimum]:
    """The first of them, as many as that, none of which is another again."""
    first: list[Optimum] = []
    for optimum in optima:
        if len(first) < number and not _among(optimum, first):
            first.append(optimum)
    return first


def _among(optimum: Optimum, others: list[Optimum]) -> bool:
    return any(same_optimum(optimum, other) for other in others)


def from_sample(mixture: Mixture[Any, Any], runs: list[Run], before: Sequence[Found] = ()) -> list[Found]:
    """The best optima of a sample, with the starts that lead there, as the starts of runs over all rows; the best first.

    Those that were chosen ``before`` stay among them.
    """
    best = sorted((r for r in runs if r.climb.ending == "converged"), key=rank, reverse=True)[:OF_SAMPLE]
    found = list(before)
    for run in best or runs[:1]:
        vector = run.climb.points[-1]
        if any(np.array_equal(vector, other.vector) for other in found):
            continue
        value = float(evaluated(mixture, mixture.from_vector(vector))[1])
        found.append(Found(run.starts, vector, value, np.inf, "under way"))
    return sorted(found, key=lambda f: -f.value)


def finished(
    mixture: Mixture[Any, Any], found: list[Found], steps: int, ended: Sequence[tuple[Climb, list[int]]] = ()
) -> tuple[list[tuple[Climb, list[int]]], int]:
    """The runs of a search to their ends, with the starts that lead there, after those that have ``ended``; and the E-steps made.

    Where one has come to what another has ended at, it is the same. One that the search left unfinished is given up where
    it is far below the best optimum that is known, or so slow that it would not get there: it creeps along a plateau,
    most often with two components that coincide.
    """
    climbs, evaluations = list(ended), 0
    known = [
        (row_log_likelihoods(mixture, mixture.from_vector(c.points[-1])), reached)
        for c, reached in climbs
        if c.ending == "converged"
    ]
    for run in found:
        best = max((c.trace[-1] for c, _ in climbs if c.ending == "converged"), default=-np.inf)
        whole = Climb([run.vector], [run.value], "collapsed" if run.ending == "collapsed" else "iteration limit", 0)
        gain, met, idle = run.gain, None, 0
        for _ in range(steps // STRETCH if run.ending in ("near", "under way") else 0):
            parameters = mixture.from_vector(whole.points[-1])
            rows, behind = row_log_likelihoods(mixture, parameters), best - whole.trace[-1]
            met = next((reached for others, reached in known if np.abs(rows - others).max() < SAME_ROWS), None)
            hopeless = behind >= min(HOPELESS, PATIENCE * gain) and not _near_a_maximum(mixture, parameters)
            if whole.ending != "iteration limit" or met is not None or hopeless or idle == IDLE:
                break
            # Newton's steps know nothing of a ratio that is held, and leave the optimum there as often as they near it.
            how = "squarem" if mixture.constrained(parameters) else fastest(mixture)
            rest = climb(mixture, parameters, how, STRETCH, settled=True)
            gain = rest.trace[-1] - rest.trace[-min(len(rest.trace), 4)]
            whole = replace(rest, evaluations=whole.evaluations + rest.evaluations)
            measured = 4 * EPSILON * abs(rest.trace[-1])
            idle = 0 if rest.trace[-1] - rest.trace[0] > measured else idle + 1
            stands = whole.ending == "iteration limit" and rest.trace[-1] - rest.trace[0] < SAME_OBJECTIVE
            if stands and collapsed(mixture, mixture.from_vector(whole.points[-1])):
                # So close to a spike that no derivatives say so.
                whole = replace(whole, ending="collapsed")
        evaluations += whole.evaluations
        if met is not None:
            met += run.starts
        else:
            climbs.append((whole, list(run.starts)))
            if whole.ending == "converged":
                known.append((rows, climbs[-1][1]))
    return climbs, evaluations


def climbed_on(
    mixture: Mixture[Any, Any],
    searched: Mixture[Any, Any],
    best: Optimum,
    random: np.random.Generator,
    number: int,
) -> tuple[list[Run], int]:
    """Ever higher optima, each from the last by a component that coincides with another there; and the E-steps made.

    Where it goes is asked of the rows ``searched``. The starts are counted on from ``number``.
    """
    higher: list[Run] = []
    evaluations = 0
    while best.regular and len(start := start_apart(searched, best.parameters, random)):
        climbed = climb(mixture, mixture.from_vector(start[0]), "squarem")
        evaluations += climbed.evaluations
        (run,) = runs_of(mixture, [(climbed, [number + len(higher)])])
        if not (run.optimum.regular and run.optimum.objective > best.objective + SAME_OBJECTIVE):
            break
        best = run.optimum
        higher.append(run)
    return higher, evaluations


def _near_a_maximum(mixture: Mixture[Any, Any], parameters: Any) -> bool:
    """Whether a local maximum is within a standard error, and not on a plateau."""
    if mixture.constrained(parameters):
        # Where the objective is not at rest its derivatives tell nothing of a maximum.
        return False
    if mixture.n_parameters > MOST_PARAMETERS or collapsed(mixture, parameters, NEVER_REGULAR):
        return False
    judged = curvature_near_rest(mixture, parameters)
    return judged is not None and judged.decrement < 1 and judged.rate < 1 - PLATEAU
