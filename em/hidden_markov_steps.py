"""A hidden Markov chain to be fitted: its two steps, its prior, and its objective to second order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import block_diag

from em.hidden_states import EMISSIONS, State, checked_mode
from em.mixture import EPSILON, has_mode
from em.uncertainty.curvature import AT_BOUND, FLAT, Curvature
from em.weights import log_dirichlet
from models.hidden_markov_chains import (
    ChainPrior,
    Emissions,
    HiddenMarkovParameters,
    Initial,
    Sequences,
    checked_prior,
    held_initial,
)
from models.inputs import Floats, Integers, read_only

# Steps of the M-step of stationary transitions at most, and halvings of one.
MOST, HALVINGS = 200, 40
# Information on a chance that is rounding of none: of one move that is seen it is at least 1.
NOTHING = 1e-10


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

    def summing_to_1(self, vector: Floats) -> Floats:
        """A full vector whose distributions do: an extrapolated one is off by rounding, and each time multiplies that."""
        found, k = vector.copy(), self.k
        if self.held is None:
            found[:k] /= found[:k].sum()
        rows = found[k : k + k * k].reshape(k, k)
        rows /= rows.sum(axis=1, keepdims=True)
        return found

    def at_bounds(self, vector: Floats, places: tuple[int, ...]) -> Floats:
        """A full vector with what is next to a bound at these places put there: EM comes to it in the limit alone."""
        found, held = vector.copy(), list(places)
        found[held] = np.round(found[held])
        return self.summing_to_1(found)

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
        return _judged(gradient, information, basis, stuck, tuple(sorted(bounds)), n_shares)


def _judged(
    gradient: Floats, information: Floats, basis: Floats, stuck: Floats, bounds: tuple[int, ...], n_shares: int
) -> Curvature:
    """What a point is by these derivatives, each coordinate in its own standard error, chances before states' own."""
    of_shares = ~basis[n_shares:].any(axis=0)
    sizes = np.abs(np.diag(information))
    unit = 1 / np.sqrt(np.where(sizes > np.where(of_shares, NOTHING, np.finfo(float).tiny), sizes, 1.0))
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


def chain_of(
    y: ArrayLike | Sequences, n_states: int, emissions: Emissions, initial: Initial, prior: ChainPrior | None
) -> Chain:
    """Check data, options and prior; see `hidden_markov`."""
    held = held_initial(initial, n_states)
    data = (y if isinstance(y, Sequences) else Sequences(y)).checked(emissions, n_states, prior)
    if prior is not None:
        checked_prior(prior, emissions)
        has_mode("concentration", prior.concentration)
        checked_mode(prior)
    how: Any = "held" if held is not None else initial
    return Chain(data, n_states, EMISSIONS[emissions](data), how, held, prior)
