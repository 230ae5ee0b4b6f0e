"""Baum-Welch, EM for hidden Markov chains with normal, Poisson or binomial states.

    E-step:  s_tk = P(z_t = k | y),  n_jk = expected moves from j to k, by the forward and the backward pass
    M-step:  transitions_jk proportional to n_jk + c - 1,  initial_k to the sum of s_tk where sequences begin + c - 1,
             and of each state the weighted fit of its distribution

with the prior Dirichlet(c) for the first state and for each row of transitions, and a conjugate one of the states; c = 1 without.
Where the first state has the stationary distribution of the transitions these are the maximum of ``sum n_jk log transitions_jk +
sum u_k log stationary_k``, which has no closed form (`stationary_rows`). What was not seen has density 1. Sources: Baum et al.
(1970), Annals of Mathematical Statistics 41, 164; Zucchini & MacDonald (2009), Hidden Markov Models for Time Series.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from em.ascent.acceleration import MANY_ROWS, Anderson, Plain, Squarem
from em.ascent.climb import MAX_ITERATIONS, ObjectiveDecreased
from em.hidden_markov_steps import Chain, Expected, chain_of
from em.mixture import EPSILON
from em.search.optima import SAME_OBJECTIVE, Mode, Status
from em.uncertainty.curvature import Curvature
from em.uncertainty.standard_errors import covariance_of, withheld_reason
from models.display import displayed
from models.hidden_markov_chains import (
    ChainPrior,
    Emissions,
    HiddenMarkovParameters,
    Initial,
    Sequences,
)
from models.inputs import Floats, Integers, read_only, shown, whole_number
from models.mixtures import canonical_permutation

# Starts: one by the sizes of what was seen, the others at random.
STARTS = 20
# Steps of a run of the search at most: one that creeps for longer is given up.
SEARCH = 1000
# Nats that a step gains below which the distance to the maximum is looked at, and standard errors within which it is reached.
CHANGE, DISTANCE = 1e-12, 1e-8
# What is rounded in an objective of n terms, in roundings of it.
ROUNDING = 64.0
# A state narrower than this share of the spread of what was seen has collapsed, and one that so few hold, narrower than that.
SPIKE, NARROW, FEW = 1e-6, 0.05, 3.0
# Derivatives of a parameter by all that is free below which it stays where it is.
STILL = 1e-12

type Acceleration = Literal["auto", "squarem", "anderson"] | None


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One run: full vectors and objectives, the start first, how it ended, and the curvature there."""

    points: list[Floats]
    trace: list[float]
    status: Status
    judged: Curvature | None

    @property
    def regular(self) -> bool:
        """Whether its end is an optimum."""
        return self.status in ("converged", "boundary", "ridge")


def climb(chain: Chain, start: HiddenMarkovParameters, acceleration: Acceleration, most: int = MAX_ITERATIONS) -> Run:
    """Raise the objective until it is at a maximum, within `DISTANCE` where that can be told.

    Raises
    ------
    ObjectiveDecreased
        if the objective falls beyond rounding
    """
    if acceleration == "auto":
        acceleration = "anderson" if len(chain.data.y) >= MANY_ROWS else None
    ahead: Any = {None: Plain, "squarem": Squarem, "anderson": Anderson}[acceleration]()

    def evaluated(p: HiddenMarkovParameters) -> tuple[Expected, float]:
        e = chain.e_step(p)
        return e, float(e.log_likelihood + chain.log_prior(p))

    (e, value), p = evaluated(start), start
    if not np.isfinite(value):
        raise ValueError("the start gives the data probability 0; move its probabilities off 0 and 1")
    points, trace, look = [chain.vector(p)], [value], 0
    while len(trace) <= most:
        p = chain.m_step(e, p)
        if chain.state.narrowest(p.emissions) < SPIKE:
            return Run(points, trace, "collapsed", None)
        following, jump = chain.vector(p), None
        guess = ahead.beyond(points[-1], following)
        if guess is not None:
            if chain.exists(guess):
                at = chain.parameters(chain.summing_to_1(guess))
                jump = (at, *evaluated(at))
                jump = jump if jump[-1] >= trace[-1] else None
            ahead.learn(taken=jump is not None)
        p, e, value = jump or (p, *evaluated(p))
        rounding = ROUNDING * EPSILON * (abs(trace[-1]) + len(chain.data.y))
        if not value >= trace[-1] - rounding:
            raise ObjectiveDecreased(len(trace), trace[-1], value)
        points.append(chain.vector(p))
        trace.append(value)
        small = value - trace[-2] <= max(CHANGE, 4 * EPSILON * abs(value))
        if small and len(trace) >= look:
            judged = chain.curvature(p)
            still = bool((np.abs(points[-1] - points[-2]) <= 4 * EPSILON * np.abs(points[-1])).all())
            arrived = judged.identified_decrement <= DISTANCE
            if still or arrived:
                status: Status = "converged" if judged.kind == "maximum" else judged.kind
                narrow = chain.state.narrowest(p.emissions, e.states, FEW) < NARROW and chain.prior is None
                return Run(points, trace, "collapsed" if narrow else status, judged)
            look = len(trace) + len(trace) // 10
    return Run(points, trace, "iteration limit", None)


def starts(chain: Chain, random: np.random.Generator) -> Iterator[HiddenMarkovParameters]:
    """Chains that stay in a state more often than not, their states where some of what was seen is."""
    k, seen = chain.k, chain.state.places[~np.isnan(chain.state.places)]
    for j in range(STARTS if k > 1 else 1):
        centres = np.quantile(seen, (np.arange(k) + 0.5) / k) if j == 0 else random.choice(seen, size=k)
        centres = centres + (0 if j == 0 else 1e-3 * np.ptp(seen)) * random.normal(size=k)
        near = np.argmin(np.abs(chain.state.places[:, None] - centres), axis=1)
        states = 0.1 / k + 0.9 * np.eye(k)[near]
        rows = 0.5 * np.eye(k) + 0.5 * (1 / k if j == 0 else random.dirichlet(np.ones(k), size=k))
        first = np.full(k, 1 / k) if chain.held is None else chain.held
        own = chain.state.m_step(states, chain.state.middle(k), chain.prior)
        yield chain.parameters(np.concatenate([first, rows.ravel(), *(own[n] for n in chain.state.names)]))


@dataclass(frozen=True, slots=True, eq=False)
class ChainErrors:
    """Standard errors, as the parameters; NaN where withheld, for the ``reason``.

    What is at a bound has none, and the reason names it; the others are given that it stays there. What is held fixed has 0.
    """

    initial: Floats
    transitions: Floats
    emissions: Mapping[str, Floats]
    covariance: Floats
    names: tuple[str, ...]
    reason: str | None

    __repr__ = displayed


@dataclass(frozen=True, slots=True, eq=False)
class HiddenMarkovFit:
    """A hidden Markov chain fitted by Baum-Welch; fields as of `em.Fit`.

    Attributes
    ----------
    parameters : states ascend in their first parameter where they can change places; with ``start=`` as there
    standard_errors : from the exact observed information; none of what is at a bound, the others given that
    decrement : distance to the maximum in standard errors
    """

    parameters: HiddenMarkovParameters
    log_likelihood: float
    log_posterior: float | None
    trace: Floats
    path: tuple[HiddenMarkovParameters, ...]
    status: Status
    standard_errors: ChainErrors
    modes: tuple[Mode[HiddenMarkovParameters], ...]
    decrement: float
    _chain: Chain

    @property
    def iterations(self) -> int:
        """Steps of the run that won."""
        return len(self.trace) - 1

    def __repr__(self) -> str:
        """The result, without the path to it."""
        return displayed(
            self, ("parameters", "log_likelihood", "log_posterior", "status", "iterations", "standard_errors")
        )

    def state_probabilities(self) -> Floats:
        """``(n, K)`` of every time, given all that was seen."""
        return self._chain.e_step(self.parameters).states

    def states(self) -> Integers:
        """``(n,)`` the likeliest sequence of states, counted from 0 (Viterbi 1967)."""
        from em.hidden_markov_pass import likeliest

        p = self.parameters
        with np.errstate(divide="ignore"):
            logs = np.log(p.initial), np.log(p.transitions)
        path: Integers = likeliest(self._chain.state.log_densities(p.emissions), *logs, self._chain.data.begins)
        return path


def hidden_markov(
    y: ArrayLike | Sequences,
    n_states: int = 2,
    emissions: Emissions = "normal",
    initial: Initial = "free",
    prior: ChainPrior | None = None,
    *,
    start: HiddenMarkovParameters | None = None,
    seed: int = 0,
    acceleration: Acceleration = "auto",
) -> HiddenMarkovFit:
    """Fit a hidden Markov chain by Baum-Welch.

    Parameters
    ----------
    y, n_states, emissions, initial : as in `models.hidden_markov`
    prior : maximise the log posterior under it; maximum likelihood where None
    start : where to start, its labelling kept; 20 starts and states in order where None
    seed : of the random starts
    acceleration : None, ``"squarem"`` or ``"anderson"``; ``"auto"`` is the last from 1000 values on

    Returns
    -------
    HiddenMarkovFit
        In every case: ``status`` tells a boundary, saddle or ridge from a maximum

    Raises
    ------
    TypeError, ValueError
        for what does not fit, with its place
    ObjectiveDecreased
        if the objective falls beyond rounding

    References
    ----------
    Baum, Petrie, Soules & Weiss (1970), Annals of Mathematical Statistics 41, 164.
    """
    chain = chain_of(y, n_states, emissions, initial, prior)
    whole_number("seed", seed, least=0)
    if acceleration not in (None, "auto", "squarem", "anderson"):
        raise ValueError(f'acceleration is {shown(acceleration)}; give None, "auto", "squarem" or "anderson"')
    if start is not None:
        if not isinstance(start, HiddenMarkovParameters):
            raise TypeError(
                f"start is {shown(start)}; give models.HiddenMarkovParameters(initial, transitions, emissions)"
            )
        if start.transitions.shape != (n_states, n_states) or tuple(start.emissions) != chain.state.names:
            raise ValueError(f"start has other states than {n_states} with {', '.join(chain.state.names)}; give these")
        if not chain.exists(chain.vector(start)):
            ends = {"normal": "variances above 0", "poisson": "rates from 0"}.get(
                emissions, "probabilities from 0 to 1"
            )
            told = ", ".join(f"{name} {shown(each)}" for name, each in start.emissions.items())
            raise ValueError(f"start.emissions has {told}; give {ends}")
        start = start if chain.held is None else replace_initial(start, chain.held)
        runs = [climb(chain, start, acceleration)]
    else:
        each = starts(chain, np.random.default_rng(seed))
        runs = [climb(chain, one, "squarem", SEARCH) for one in each]
    runs.sort(key=lambda run: (run.regular, run.trace[-1]), reverse=True)
    modes: list[Mode[HiddenMarkovParameters]] = []
    heights: list[float] = []
    for run in runs:
        same = [j for j, h in enumerate(heights) if abs(h - run.trace[-1]) < SAME_OBJECTIVE]
        if same:
            modes[same[0]] = replace(modes[same[0]], starts=modes[same[0]].starts + 1)
        elif run.status != "iteration limit" or run is runs[0]:
            p = chain.parameters(run.points[-1])
            heights.append(run.trace[-1])
            p = chain.parameters(run.points[-1][_places(chain, p)])
            modes.append(Mode(run.trace[-1] - chain.log_prior(p), p, 1, run.regular))
    best = runs[0]
    if start is None and acceleration != "squarem":
        # The way there by the steps that were asked for; or from there, where these lead elsewhere.
        best = climb(chain, chain.parameters(best.points[0]), acceleration)
        if not best.regular or abs(best.trace[-1] - runs[0].trace[-1]) >= SAME_OBJECTIVE:
            best = climb(chain, chain.parameters(runs[0].points[-1]), acceleration)
    places = np.arange(len(best.points[-1]))
    if start is None:
        places = _places(chain, chain.parameters(best.points[-1]))
    judged = None if best.judged is None else best.judged.permuted(places)
    vector = best.points[-1][places]
    final = chain.parameters(vector if judged is None else chain.at_bounds(vector, judged.at_bounds))
    reason = withheld_reason(best.status, judged, chain.names(), given_bounds=True, part="state")
    covariance = covariance_of(judged, reason, len(places))
    errors = chain_errors(chain, judged, covariance, reason)
    prior_there = chain.log_prior(final)
    return HiddenMarkovFit(
        final,
        best.trace[-1] - prior_there,
        None if prior is None else best.trace[-1],
        read_only(np.array(best.trace)),
        tuple(chain.parameters(point[places]) for point in best.points),
        best.status,
        errors,
        tuple(modes),
        np.nan if judged is None else judged.decrement,
        chain,
    )


def replace_initial(p: HiddenMarkovParameters, initial: Floats) -> HiddenMarkovParameters:
    """The parameters with the initial distribution that is held."""
    return HiddenMarkovParameters(initial, p.transitions, p.emissions)


def chain_errors(chain: Chain, judged: Curvature | None, covariance: Floats, reason: str | None) -> ChainErrors:
    """Standard errors in the shape of the parameters, without any of what is at a bound."""
    k = chain.k
    if judged is not None and reason is None:
        still = np.abs(judged.basis).max(axis=1, initial=0.0) <= STILL
        still[:k] &= chain.held is None
        if still.any():
            reason = f"at a bound: {', '.join(np.array(chain.names())[still])}; the errors of the others are given that"
            covariance = np.where(still | still[:, None], np.nan, covariance)
    with np.errstate(invalid="ignore"):
        told = np.sqrt(np.diag(covariance))
    own = told[k + k * k :].reshape(-1, k)
    by_name = {name: read_only(each.copy()) for name, each in zip(chain.state.names, own, strict=True)}
    return ChainErrors(told[:k], told[k : k + k * k].reshape(k, k), by_name, covariance, chain.names(), reason)


def _places(chain: Chain, p: HiddenMarkovParameters) -> Integers:
    """Where each entry of the full vector in canonical order stands now."""
    keys = np.stack([p.emissions[name] for name in chain.state.names], axis=1)
    order, k = canonical_permutation(keys, chain.groups), chain.k
    moves = k + order[:, None] * k + order
    own = [k + k * k + j * k + order for j in range(len(chain.state.names))]
    return np.concatenate([order, moves.ravel(), *own])
