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
from scipy.linalg import block_diag

from em.ascent.acceleration import MANY_ROWS, Anderson, Plain, Squarem
from em.ascent.climb import MAX_ITERATIONS, ObjectiveDecreased
from em.hidden_states import EMISSIONS, State, checked_mode
from em.mixture import EPSILON, has_mode
from em.search.optima import SAME_OBJECTIVE, Mode, Status
from em.uncertainty.curvature import AT_BOUND, FLAT, Curvature
from em.uncertainty.standard_errors import covariance_of, withheld_reason
from em.weights import log_dirichlet
from models.display import displayed
from models.hidden_markov_chains import (
    ChainPrior,
    Emissions,
    HiddenMarkovParameters,
    Initial,
    Sequences,
    checked_prior,
    held_initial,
)
from models.inputs import Floats, Integers, read_only, shown, whole_number
from models.mixtures import canonical_permutation

# Starts: one by the sizes of what was seen, the others at random.
STARTS = 20
# Steps of a run of the search at most: one that creeps for longer is given up.
SEARCH = 1000
# Nats that a step gains below which the distance to the maximum is looked at, and standard errors within which it is reached.
CHANGE, DISTANCE = 1e-12, 1e-8
# Steps of the M-step of stationary transitions at most, and halvings of one.
MOST, HALVINGS = 200, 40
# What is rounded in an objective of n terms, in roundings of it.
ROUNDING = 64.0
# A state narrower than this share of the spread of what was seen has collapsed, and one that so few hold, narrower than that.
SPIKE, NARROW, FEW = 1e-6, 0.05, 3.0

type Acceleration = Literal["auto", "squarem", "anderson"] | None


def stationary(transitions: Floats) -> Floats:
    """``(K,)`` distribution that stays as it is under the transitions."""
    k = len(transitions)
    return np.asarray(np.linalg.solve((np.eye(k) - transitions + 1.0).T, np.ones(k)))


def fundamental(transitions: Floats, held: Floats) -> Floats:
    """``(K, K)`` matrix Z by which that distribution moves: d held = held dT Z (Schweitzer 1968, J. Appl. Prob. 5, 401)."""
    return np.asarray(np.linalg.inv(np.eye(len(held)) - transitions + held))


def stationary_rows(transitions: Floats, moves: Floats, first: Floats) -> Floats:
    """The M-step where the first states have the stationary distribution.

    The logarithm of that is made linear at the present transitions; what is left is concave with the same gradient, so that the
    way to its maximum, row by row a root of one number, leads up, and is halved until the objective is higher.
    """

    def height(rows: Floats) -> float:
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.where(moves > 0, moves * np.log(rows), 0.0), first * np.log(stationary(rows))
        return float(logs[0].sum() + np.nan_to_num(logs[1], nan=-np.inf).sum())

    best = height(transitions)
    for _ in range(MOST):
        held = stationary(transitions)
        slopes = held[:, None] * (fundamental(transitions, held) @ (first / held))
        multipliers = (slopes + moves).max(axis=1)
        for _ in range(MOST):  # Newton's method from below, on a convex function that falls
            gaps = np.where(moves > 0, multipliers[:, None] - slopes, 1.0)
            over, slope = (moves / gaps).sum(axis=1) - 1, (moves / gaps**2).sum(axis=1)
            multipliers = multipliers + np.divide(over, slope, out=np.zeros_like(over), where=slope > 0)
            if (np.abs(over) < 8 * EPSILON).all():
                break
        aim = moves / np.where(moves > 0, multipliers[:, None] - slopes, 1.0)
        total = aim.sum(axis=1, keepdims=True)
        step = np.where(total > 0, aim / np.where(total > 0, total, 1.0), transitions) - transitions
        for halving in range(HALVINGS):
            there = transitions + 0.5**halving * step
            if (value := height(there)) >= best:
                break
        else:
            return transitions
        if np.abs(there - transitions).max() < 4 * EPSILON or value - best < EPSILON:
            return there
        transitions, best = there, value
    return transitions


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """What an E-step finds: objective's likelihood, states ``(n, K)``, moves and first states, and both over their chances."""

    log_likelihood: float
    states: Floats
    moves: Floats
    first: Floats
    moves_over: Floats
    first_over: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """Data, options and prior of one fit.

    The full vector has the initial distribution, the transitions row by row, and the parameters of the states.
    """

    data: Sequences
    k: int
    state: State
    initial: Literal["free", "stationary", "held"]
    held: Floats | None
    prior: ChainPrior | None

    @property
    def concentration(self) -> float:
        """Of the Dirichlet priors."""
        return 1.0 if self.prior is None else self.prior.concentration

    @property
    def groups(self) -> Integers:
        """``(K,)`` equal numbers of states that can change places."""
        held = np.zeros(self.k) if self.held is None else self.held
        return np.unique(held, return_inverse=True)[1]

    def vector(self, p: HiddenMarkovParameters) -> Floats:
        return np.concatenate([p.initial, p.transitions.ravel(), *(p.emissions[name] for name in self.state.names)])

    def parameters(self, vector: Floats) -> HiddenMarkovParameters:
        """Unchecked."""
        k, own = self.k, vector[self.k + self.k**2 :].reshape(-1, self.k)
        found = object.__new__(HiddenMarkovParameters)
        object.__setattr__(found, "transitions", read_only(vector[k : k + k * k].reshape(k, k).copy()))
        object.__setattr__(
            found, "emissions", {n: read_only(o.copy()) for n, o in zip(self.state.names, own, strict=True)}
        )
        first = stationary(found.transitions) if self.initial == "stationary" else vector[:k].copy()
        object.__setattr__(found, "initial", read_only(first))
        return found

    def by_name(self, p: HiddenMarkovParameters) -> dict[str, Floats]:
        """Values of the free variables of `models.hidden_markov`."""
        first = {"initial": p.initial} if self.initial == "free" else {}
        return {"transitions": p.transitions, **first, **p.emissions}

    def from_names(self, values: Mapping[str, Any]) -> HiddenMarkovParameters:
        """Invert `by_name`."""
        first = values.get("initial", np.zeros(self.k) if self.held is None else self.held)
        own = [np.asarray(values[name], dtype=float) for name in self.state.names]
        return self.parameters(np.concatenate([first, np.ravel(values["transitions"]), *own]))

    def names(self) -> tuple[str, ...]:
        every = range(1, self.k + 1)
        moves = [f"transitions[{i}, {j}]" for i in every for j in every]
        return (*(f"initial[{j}]" for j in every), *moves, *(f"{n}[{j}]" for n in self.state.names for j in every))

    def e_step(self, p: HiddenMarkovParameters) -> Expected:
        """Expected states and moves by the two passes."""
        from em.hidden_markov_pass import forward_backward

        log_f = self.state.log_densities(p.emissions)
        total, states, first, moves = forward_backward(log_f, p.initial, p.transitions, self.data.begins)
        return Expected(total, states, moves * p.transitions, first * p.initial, moves, first)

    def m_step(self, e: Expected, before: HiddenMarkovParameters) -> HiddenMarkovParameters:
        """The mode given what is expected; rows of states without moves stay as they were ``before``."""
        more = self.concentration - 1
        moves, first = e.moves + more, e.first + (more if self.initial == "free" else 0.0)
        if self.initial == "stationary":
            rows = stationary_rows(before.transitions, moves, first)
        else:
            total = moves.sum(axis=1, keepdims=True)
            rows = np.where(total > 0, moves / np.where(total > 0, total, 1.0), before.transitions)
        begin = before.initial if self.held is not None else first / first.sum()
        own = self.state.m_step(e.states, before.emissions, self.prior)
        return self.parameters(np.concatenate([begin, rows.ravel(), *(own[n] for n in self.state.names)]))

    def log_prior(self, p: HiddenMarkovParameters) -> float:
        """In nats, on the natural scale; 0 without one."""
        if self.prior is None:
            return 0.0
        shares = [*p.transitions, *([p.initial] if self.initial == "free" else [])]
        dirichlet = sum(float(log_dirichlet(each, None, self.concentration)) for each in shares)
        return dirichlet + self.state.log_prior(p.emissions, self.prior)

    def exists(self, vector: Floats) -> bool:
        """Whether a full vector has parameters."""
        with np.errstate(invalid="ignore"):
            shares = bool((vector[: self.k + self.k**2] >= 0).all())
        return shares and bool(np.isfinite(vector).all()) and self.state.exist(self.parameters(vector).emissions)

    def curvature(self, p: HiddenMarkovParameters) -> Curvature:
        """The objective to second order, exact, in the directions that lead to no bound; ``rate`` and ``step`` are not known."""
        from em.hidden_markov_pass import derivatives

        e, k, more = self.e_step(p), self.k, self.concentration - 1
        vector, n_shares = self.vector(p), self.k + self.k**2
        slopes, bends = self.state.derivatives(p.emissions)  # (n, K, q) and (n, K, q, q)
        prior_slopes, prior_bends = self.state.prior_derivatives(p.emissions, self.prior)  # (K q,), (K q, K q)
        q = slopes.shape[2]
        with np.errstate(divide="ignore"):
            by_moves = e.moves_over + (more / p.transitions if more else 0.0)
        if self.initial == "stationary":
            by_moves = by_moves + p.initial[:, None] * (fundamental(p.transitions, p.initial) @ e.first_over)
        bounds: list[int] = []
        blocks: list[Floats] = []
        stuck = np.zeros(len(vector))
        for j in range(k + 1):
            at = np.arange(k) + (0 if j == k else k + j * k)
            if j == k and self.initial != "free":
                blocks.insert(0, np.zeros((k, 0)))
                continue
            gradient = e.first_over + (more / p.initial if more else 0.0) if j == k else by_moves[j]
            gain = gradient - vector[at] @ np.where(vector[at] > 0, gradient, 0.0)
            zero = (vector[at] == 0) | ((vector[at] < AT_BOUND) & (gain < 0))
            stuck[at[zero & (gain > 1e-9 * (1 + np.abs(gradient).max()))]] = 1.0
            bounds += at[zero].tolist()
            block = np.zeros((k, max(int((~zero).sum()) - 1, 0)))
            block[~zero] = np.vstack([np.eye(block.shape[1]), -np.ones(block.shape[1])])[: (~zero).sum()]
            blocks.insert(0 if j == k else len(blocks), block)
        own_gradient = np.einsum("tk,tkq->qk", e.states, slopes).ravel() + prior_slopes
        inside = ~self.state.at_bounds(vector[n_shares:], own_gradient)
        bounds += (n_shares + np.flatnonzero(~inside)).tolist()
        basis = block_diag(*blocks, np.eye(k * q)[:, inside])
        f = basis.shape[1]
        moved = basis[k:n_shares].reshape(k, k, f)
        first, second = basis[:k].copy(), np.zeros((k, f, f))
        if self.initial == "stationary":
            z = fundamental(p.transitions, p.initial)
            along = np.einsum("ijf,jk->ikf", moved, z)
            first = np.einsum("i,ikf->kf", p.initial, along)
            both = np.einsum("if,ikg->kfg", first, along)
            second = both + both.transpose(0, 2, 1)
        own = basis[n_shares:].reshape(q, k, f)
        slope = np.einsum("tkq,qkf->tkf", slopes, own)
        bend = np.einsum("tkqr,qkf,rkg->tkfg", bends, own, own)
        gradient, hessian = derivatives(
            self.state.log_densities(p.emissions),
            np.ascontiguousarray(slope),
            np.ascontiguousarray(bend),
            p.initial,
            np.ascontiguousarray(first),
            second,
            p.transitions,
            np.ascontiguousarray(moved),
            self.data.begins,
        )
        # Of what is at a bound nothing is asked, and its square may be no number.
        shares = np.where(vector[:n_shares] > np.sqrt(np.finfo(float).tiny), vector[:n_shares], 1.0)
        counted = more * np.ones(n_shares)
        counted[:k] *= self.initial == "free"
        gradient = gradient + basis.T @ np.concatenate([counted / shares, prior_slopes])
        information = -hessian + basis.T @ block_diag(np.diag(counted / shares**2), -prior_bends) @ basis
        if self.initial == "stationary":
            basis = basis.copy()
            basis[:k] = first
        return _judged(gradient, information, basis, stuck, tuple(sorted(bounds)))


def _judged(gradient: Floats, information: Floats, basis: Floats, stuck: Floats, bounds: tuple[int, ...]) -> Curvature:
    """What a point is by these derivatives, each coordinate in its own standard error."""
    unit = 1 / np.sqrt(np.maximum(np.abs(np.diag(information)), np.finfo(float).tiny))
    values, vectors = np.linalg.eigh(information * unit * unit[:, None])
    ways = basis @ (unit[:, None] * vectors)
    size, least = max(len(values), 1), values.min(initial=1.0)
    kind: Any = "boundary" if bounds else "maximum"
    direction, flat = stuck, ways[:, values < FLAT * size]
    if stuck.any():
        kind = "saddle"
    elif least < FLAT * size:
        kind, direction = "saddle" if least < -FLAT * size else "ridge", ways[:, 0]
    turned = vectors.T @ (unit * gradient)
    firm = values > FLAT * size
    identified = float(np.sqrt((turned[firm] ** 2 / values[firm]).sum()))
    decrement = identified if firm.all() else np.nan
    return Curvature(
        kind, gradient, information, basis, decrement, identified, np.nan, np.nan, direction, flat, flat, bounds
    )


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
                at = chain.parameters(guess)
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
    """Standard errors, as the parameters; NaN where withheld, for the ``reason``. What is at a bound is given, with 0."""

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
    standard_errors : from the exact observed information, given what is at a bound
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


def chain_of(
    y: ArrayLike | Sequences, n_states: int, emissions: Emissions, initial: Initial, prior: ChainPrior | None
) -> Chain:
    """Check data, options and prior; see `hidden_markov`."""
    data = (y if isinstance(y, Sequences) else Sequences(y)).checked(emissions)
    held = held_initial(initial, n_states)
    if prior is not None:
        checked_prior(prior, emissions)
        has_mode("concentration", prior.concentration)
        checked_mode(prior)
    how: Any = "held" if held is not None else initial
    return Chain(data, n_states, EMISSIONS[emissions](data), how, held, prior)


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
        if start.transitions.shape != (n_states, n_states) or tuple(start.emissions) != chain.state.names:
            raise ValueError(f"start has other states than {n_states} with {', '.join(chain.state.names)}; give these")
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
    final = chain.parameters(best.points[-1][places])
    reason = withheld_reason(best.status, judged, chain.names(), given_bounds=True)
    covariance = covariance_of(judged, reason, len(places))
    errors = chain_errors(chain, covariance, reason)
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


def chain_errors(chain: Chain, covariance: Floats, reason: str | None) -> ChainErrors:
    """Standard errors in the shape of the parameters."""
    k = chain.k
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
