"""From data to a result: many starts, their optima told apart, the best regular one returned with all known of it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypedDict

import numpy as np

from em.ascent.acceleration import Acceleration
from em.ascent.arrival import MOST_PARAMETERS
from em.ascent.climb import MAX_ITERATIONS, Climb, climb
from em.fitted import FittedMixture
from em.mixture import Mixture, permuted_places
from em.search.doubts import Doubt, doubts_of
from em.search.optima import Mode, Optimum, Status, distinct_optima, judged_end, modes_of, same_optimum
from em.search.runs import climbed_on, explored, finished, from_sample, rank, runs_of
from em.search.starts import Starts, starts
from em.uncertainty.standard_errors import covariance_of, withheld_reason
from em.written import content
from models.display import displayed
from models.inputs import Floats, read_only, shown, some_of, whole_number
from models.mixtures import canonical_permutation

type Method = Literal["em", "nelder-mead", "bfgs"]

# Starts from which the way to the best optimum is tried in plain steps.
REPLAYED = 3
# What a fit shows of itself.
SHOWN = ("parameters", "log_likelihood", "log_posterior", "status", "iterations", "standard_errors", "modes")


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
        """How long it is."""
        return f"<Path of {len(self)} parameters>"


@dataclass(frozen=True, slots=True, eq=False)
class Fit[P, E](FittedMixture):
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
    doubts : why to doubt a regular optimum, in numbers: a narrow component that chance may make, one of next to no rows, or
        another optimum that is almost as high; empty where there is no such reason
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
    doubts: tuple[Doubt, ...]
    rate: float
    decrement: float
    remaining: float
    _mixture: Mixture[P, Any]

    def __eq__(self, other: object) -> bool:
        """Whether the other is a fit of the same family that is equal in every number, whatever rows it remembers."""
        if not isinstance(other, Fit):
            return NotImplemented
        return self is other or content(self) == content(other)

    def __hash__(self) -> int:
        """Of what equal fits have in common."""
        return hash((self._mixture.kind, self.status, self.iterations, self.log_likelihood))

    def __repr__(self) -> str:
        """The result, without the path to it."""
        return displayed(self, SHOWN)


def checked_fit(fit: Any) -> None:
    """Refuse what is no fit, or one without the rows that were fitted."""
    if not isinstance(fit, Fit):
        raise TypeError(f"fit must be an em.Fit, as em.coin_mixture returns, but is {type(fit).__name__}")
    if fit._mixture.rowless:
        raise ValueError("fit was read from a file, which has no rows; fit them again, with start=fit.parameters")


def checked_options(method: Method, acceleration: Acceleration, starting: Starts) -> None:
    """Refuse what is no option, before any row is read."""
    if not isinstance(method, str) or method not in ("em", "nelder-mead", "bfgs"):
        raise ValueError(f'method is {shown(method)}; give "em", "nelder-mead" or "bfgs"')
    known = acceleration is None or isinstance(acceleration, str)
    if not known or acceleration not in (None, "auto", "newton", "squarem", "anderson"):
        raise ValueError(f'acceleration is {shown(acceleration)}; give None, "auto", "newton", "squarem" or "anderson"')
    if not isinstance(starting, str) or starting not in ("default", "thorough"):
        raise ValueError(f'starts is {shown(starting)}; give "default" or "thorough"')
    if method != "em" and acceleration in ("newton", "squarem", "anderson"):
        raise ValueError(f'acceleration="{acceleration}" is a variant of EM; leave it out with method="{method}"')


class Options(TypedDict, total=False):
    """How a mixture is fitted, as in `em.coin_mixture`."""

    start: Any
    seed: int
    method: Method
    acceleration: Acceleration
    starts: Starts


def taken(options: Options, own: Iterable[str]) -> tuple[Any, int, Method, Acceleration, Starts]:
    """Return start, seed, method, acceleration and starts; refuse what is neither these nor an ``own`` argument."""
    known = [*own, *Options.__annotations__]
    for name in options:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            remedy = f"did you mean {near[0]}?" if near else f"give {some_of(known)}"
            raise TypeError(f"{name} is not an argument of this fit; {remedy}")
    method, acceleration = options.get("method", "em"), options.get("acceleration", "auto")
    starts = options.get("starts", "default")
    checked_options(method, acceleration, starts)
    return options.get("start"), options.get("seed", 0), method, acceleration, starts


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
    whole_number("seed", seed, least=0)
    if acceleration == "newton" and mixture.n_parameters > MOST_PARAMETERS:
        raise ValueError(
            f'acceleration is "newton" but the fit has {mixture.n_parameters} parameters, and above {MOST_PARAMETERS} their '
            'information is not computed; give "anderson" or "squarem"'
        )

    def run(first: Any, steps: int = max_iterations, *, settled: bool = False) -> Climb:
        if method != "em":
            from em.ascent.direct import maximise

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
        vectors = starts(searched, random, "default")
        # A thorough search is the default one and more, so that it never ends lower.
        thorough = starting == "thorough" and len(vectors) > 1
        if method != "em" or len(vectors) == 1:
            if thorough:
                vectors = np.concatenate([vectors, starts(searched, random, "thorough")])
            runs = runs_of(mixture, [(run(mixture.from_vector(v)), [j]) for j, v in enumerate(vectors)])
            evaluations = sum(r.climb.evaluations for r in runs)
        else:
            runs, vectors, evaluations = explored(searched, vectors, "default", random, max_iterations)
            found = [] if searched is mixture else from_sample(mixture, runs)
            if thorough:
                further = starts(searched, random, "thorough")
                runs, vectors, made = explored(searched, further, "thorough", random, max_iterations, (runs, vectors))
                evaluations += made
                found = [] if searched is mixture else from_sample(mixture, runs, found)
            if searched is not mixture:
                # The best of the sample as the user asked for it, from where its starts lead there.
                climbs = [(run(mixture.from_vector(found[0].vector), settled=True), found[0].starts)]
                for each in found:
                    vectors[each.starts] = each.vector
                evaluations += climbs[0][0].evaluations
                climbs, made = finished(mixture, found[1:], max_iterations, climbs)
                runs, evaluations = runs_of(mixture, climbs), evaluations + made
            higher, made = climbed_on(mixture, searched, max(runs, key=rank).optimum, random, len(vectors))
            evaluations += made
            runs += higher
            vectors = np.array([*vectors, *(r.climb.points[0] for r in higher)])
        best, won, reached = max(runs, key=rank)
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
    vector = mixture.to_vector(best.parameters)[places]
    if best.judged is not None and mixture.given_bounds:
        # EM gets there in the limit alone, and what is given is the bound.
        held = {*best.judged.permuted(places).at_bounds}
        for place, bound in mixture.bounds():
            vector[place] = bound if place in held else vector[place]
    final = mixture.from_vector(vector)
    optima = distinct_optima(distinct)
    others = [o for o, _ in optima if o.regular and not same_optimum(o, best)]
    judged = None if best.judged is None else best.judged.permuted(places)
    named = None
    if judged is not None:
        named = replace(judged, direction=mixture.by_feature(judged.direction[:, None])[:, 0])
    held_by = mixture.held_by(best.parameters)
    reason = withheld_reason(
        best.status, named, tuple(mixture.names()), given_bounds=mixture.given_bounds, held_by=held_by
    )
    covariance = covariance_of(judged, reason, len(places))
    if reason is None and (reason := mixture.doubt_of_derivatives(final, covariance)) is not None:
        covariance = covariance_of(None, reason, len(places))
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
        modes=modes_of(mixture, optima),
        doubts=doubts_of(mixture, replace(best, parameters=final), others),
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


def _replayed(
    mixture: Mixture[Any, Any], reached: list[Any], best: Optimum, run: Callable[..., Climb]
) -> tuple[Optimum, Climb, int]:
    """The best optimum at the end of the whole way there by the steps that the user asked for, and what finding it cost.

    The search accelerates, so a start near the border of two basins may go elsewhere in plain steps; then the next is
    tried, and at last, or where plain steps take too long, the optimum itself is the start.
    """
    evaluations = 0
    for start in reached:
        whole = run(start, mixture.replay_steps)
        evaluations += whole.evaluations
        if whole.ending == "iteration limit":
            break
        end = judged_end(mixture, whole)
        if same_optimum(end, best) and end.regular == best.regular:
            return end, whole, evaluations
    whole = run(best.parameters)
    return judged_end(mixture, whole), whole, evaluations + whole.evaluations
