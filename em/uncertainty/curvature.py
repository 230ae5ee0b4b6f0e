"""Gradient, observed information and what they say of a point: maximum, bound, saddle or ridge.

The observed information is exact. For the log-likelihood of a mixture (Louis 1982, JRSS B 44, 226), with ``s_i`` the
score of row ``i`` and ``g_ik`` that of component ``k``,

    Hessian = sum_i [ sum_k r_ik (d2 log w_k f_k + g_ik g_ik') - s_i s_i' ],

to which the Hessian of the log prior is added. All constraints are linear in the full vector, so the Hessian in the
free coordinates is ``basis' Hessian basis``.

Where cells of rows are missing ``f_k`` is the density of what was seen, and complete data have these cells too.

Judged relative to the complete-data information, the eigenvalues are 1 - rate, with ``rate`` the linear rates at which
EM converges: negative at a saddle, 0 on a ridge, whatever the units.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

import numpy as np

from em.mixture import Mixture, evaluated, parts
from em.uncertainty.scores import own_places, row_scores, shares_of
from models.inputs import Floats, Integers

type Kind = Literal["maximum", "boundary", "saddle", "ridge"]

# Relative information below this is rounding error of an exact 0: plain EM would need 1e8 iterations to move a digit.
FLAT = 1e-8
# Below this EM creeps: steps drown in rounding before they arrive. The slowest real problem known is at 1e-3.
CREEPING = 1e-5
# Directions in which a finite step is worth trying: at a coincidence of components the second derivative may vanish.
NEARLY_FLAT = 1e-4
# Closer than this to a bound, with a gradient that points outward, a probability is at it.
AT_BOUND = 1e-5
# A Newton step on the scale of logarithms above which a probability is on its way to 0: there a maximum is infinitely far, and
# the objective, linear in the probability, makes every step 1; at a maximum inside the step goes to 0.
ON_ITS_WAY = 0.5
# Steps inside from a bound, at which the objective is looked at again: rows say in what unit, and any may be.
BESIDE = 10.0 ** -np.arange(4, 17, 2)


@dataclass(frozen=True, slots=True, eq=False)
class Curvature:
    """The objective to second order at a point.

    Attributes
    ----------
    kind : what the point would be if the gradient were 0; a ridge may be at bounds as well
    gradient : ``(f,)`` by the free coordinates that are not at a bound
    information : ``(f, f)`` observed information, minus the Hessian
    basis : ``(p, f)`` the free coordinates in the full vector
    decrement : distance to the maximum in standard errors, sqrt(g' I^-1 g); NaN where the information is not positive
        definite
    identified_decrement : the same over those directions alone in which EM does not creep; 0 if there are none
    step : length of the next EM step in complete-data standard errors, sqrt(g' I_c^-1 g)
    rate : largest linear rate of convergence of plain EM here
    direction : ``(p,)`` in the full vector, along which the objective rises (saddle) or is (nearly) flat; zeros else
    flat_directions : ``(p, m)`` all directions with information 0 to rounding, each in complete-data standard errors
    slow_directions : ``(p, m)`` the same of those with next to none
    at_bounds : places in the full vector that are at a bound
    limits : by such a place what the component is there, where that has a name
    """

    kind: Kind
    gradient: Floats
    information: Floats
    basis: Floats
    decrement: float
    identified_decrement: float
    step: float
    rate: float
    direction: Floats
    flat_directions: Floats
    slow_directions: Floats
    at_bounds: tuple[int, ...]
    limits: Mapping[int, str] = field(default_factory=dict)

    @property
    def covariance(self) -> Floats:
        """``(p, p)`` inverse of the observed information, in the full vector."""
        # Of probabilities of 1e-12 the information is 1e24: units first.
        unit = 1 / np.sqrt(np.diag(self.information))
        turned = self.basis * unit
        return turned @ np.linalg.solve(self.information * unit * unit[:, None], turned.T)

    def permuted(self, places: Integers, signs: Floats | None = None) -> Curvature:
        """The same with the full vector in another order: entry ``j`` is what stands at ``places[j]`` here.

        Where ``signs`` ``(p,)`` are given, entry ``j`` moves as that one times ``signs[j]``.
        """
        signs = np.ones(len(places)) if signs is None else signs
        held = tuple(int(j) for j in np.flatnonzero(np.isin(places, self.at_bounds)))
        turned = {
            name: (getattr(self, name)[places].T * signs).T
            for name in ("basis", "direction", "flat_directions", "slow_directions")
        }
        named = {j: self.limits[k] for j, k in enumerate(places.tolist()) if k in self.limits}
        return replace(self, at_bounds=held, limits=named, **turned)


def derivatives(mixture: Mixture[Any, Any], parameters: Any) -> tuple[Floats, Floats, Floats]:
    """Gradient ``(p,)``, Hessian ``(p, p)`` and complete-data information ``(p, p)`` of the objective, full vector."""
    p = mixture.n_parameters
    of_rows = mixture.summed(partial(_of_rows, parameters=parameters))
    by_prior, prior_hessian = mixture.prior_derivatives(parameters)
    return of_rows[0] + by_prior, of_rows[1 : p + 1] + prior_hessian, of_rows[p + 1 :] - prior_hessian


def _of_rows(mixture: Mixture[Any, Any], parameters: Any) -> Floats:
    """``(1 + 2 p, p)`` what the rows add to the gradient, the Hessian and the complete-data information."""
    return np.asarray(sum(_of_part(part, parameters) for part in parts(mixture)))


def _of_part(mixture: Mixture[Any, Any], parameters: Any) -> Floats:
    """The same of rows that are few enough to hold their scores."""
    k, counts, p = mixture.n_components, mixture.counts, mixture.n_parameters
    rows, r, ratio, scores = row_scores(mixture, parameters)
    derived = np.zeros((1 + 2 * p, p))
    gradient, hessian, complete = derived[0], derived[1 : p + 1], derived[p + 1 :]
    gradient[:] = counts @ rows
    curved = mixture.complete_hessian(parameters, r * counts[:, None])
    own = own_places(mixture)
    blocks = own[:, :, None], own[:, None, :]
    by_weight = np.arange(k)[:, None], own
    with np.errstate(over="ignore"):  # at a spike
        weighted = np.moveaxis(scores * counts[:, None, None], 0, 2)
        hessian[blocks] = weighted @ np.moveaxis(rows[:, own], 0, 1) + curved
        complete[blocks] = mixture.further_missing(parameters, r * counts[:, None]) - curved
        hessian[by_weight] = hessian.T[by_weight] = (weighted @ ratio.T[:, :, None])[..., 0]
        hessian -= (rows * counts[:, None]).T @ rows
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        complete[range(k), range(k)] = counts @ ratio / parameters.weights
    # The same for every component, so that it is no part of what varies between them.
    by_row, summed = mixture.of_weights(parameters)
    gradient += (counts[:, None] * by_row).sum(axis=0)
    hessian += summed
    complete -= summed
    return derived


def missing_information(mixture: Mixture[Any, Any], parameters: Any) -> tuple[Floats, Floats]:
    """``(p, p)`` information that is missing with the components, and ``(K,)`` expected rows of each, of the rows in memory."""
    p, k = mixture.n_parameters, mixture.n_components
    of_rows = _of_rows(mixture, parameters)
    hessian, complete = of_rows[1 : p + 1], of_rows[p + 1 :]
    return hessian + complete, np.diag(complete)[:k] * parameters.weights**2


def curvature(mixture: Mixture[Any, Any], parameters: Any) -> Curvature:
    """Judge the point ``parameters`` by the first two derivatives of the objective there.

    Raises
    ------
    numpy.linalg.LinAlgError
        where they have no digits, as next to a spike
    """
    gradient, hessian, complete = derivatives(mixture, parameters)
    at_bounds, stuck, basis = _inside_bounds(mixture, parameters, gradient, np.diag(hessian))
    size = max(len(basis.T), 1)
    information = -basis.T @ hessian @ basis
    reference = basis.T @ np.where(np.isfinite(complete), complete, 0.0) @ basis
    free = basis.T @ gradient
    direction = stuck
    kind: Kind = "saddle" if stuck.any() else "boundary" if at_bounds else "maximum"
    limits = _limits(mixture, parameters, at_bounds)
    if len(free) == 0:
        return Curvature(
            kind, free, information, basis, 0.0, 0.0, 0.0, 0.0, direction, basis[:, :0], basis[:, :0], at_bounds, limits
        )
    # Units first, so that the factorisation of the complete-data information loses nothing to them. Where there is
    # none, as of a coin that was never tossed, any unit serves: the direction is flat.
    none = np.diag(reference) == 0
    if (np.diag(reference) < 0).any():
        raise np.linalg.LinAlgError("the complete-data information is not positive definite")
    scale = 1 / np.sqrt(np.where(none, 1.0, np.diag(reference)))
    root = np.linalg.cholesky(reference * scale * scale[:, None] + np.diag(none.astype(float)))
    turn = np.linalg.solve(root, np.diag(scale))
    values, vectors = np.linalg.eigh(turn @ information @ turn.T)
    if values[0] < max(FLAT * size, CREEPING) and not stuck.any():
        direction = basis @ (turn.T @ vectors[:, 0])
        direction /= np.abs(direction).max()
        direction *= np.sign(direction[np.argmax(np.abs(direction) > 1 - 1e-6)])
    if values[0] < -FLAT * size:
        kind = "saddle"
    elif values[0] < FLAT * size and kind != "saddle":
        # At a bound too: of three coins one may never fall heads while the other two are one and the same.
        kind = "ridge"
    projected = vectors.T @ (turn @ free)
    decrement = np.nan
    if values[0] >= FLAT * size:
        decrement = float(np.sqrt((projected**2 / values).sum()))
    firm = values > CREEPING
    identified = float(np.sqrt((projected[firm] ** 2 / values[firm]).sum()))
    step, rate = float(np.linalg.norm(projected)), float(1 - values[0])
    steps = basis @ (turn.T @ vectors)
    flat, slow = steps[:, np.abs(values) < FLAT * size], steps[:, np.abs(values) < NEARLY_FLAT]
    distances = (decrement, identified, step, rate)
    return Curvature(kind, free, information, basis, *distances, direction, flat, slow, at_bounds, limits)


def _limits(mixture: Mixture[Any, Any], parameters: Any, at_bounds: tuple[int, ...]) -> dict[int, str]:
    """What components are whose parameters at these places are at a bound, where that has a name."""
    if not (at_bounds and mixture.limits):
        return {}
    names, vector = mixture.names(), mixture.to_vector(parameters)
    told = {j: mixture.limits.get(names[j].partition("[")[0], {}).get(round(vector[j])) for j in at_bounds}
    return {j: name for j, name in told.items() if name is not None}


def curvature_near_rest(mixture: Mixture[Any, Any], parameters: Any) -> Curvature | None:
    """`curvature`, or None so far from a maximum that not even complete data would bend downward."""
    try:
        with np.errstate(invalid="raise"):
            return curvature(mixture, parameters)
    except (FloatingPointError, np.linalg.LinAlgError):
        return None


def _inside_bounds(
    mixture: Mixture[Any, Any], parameters: Any, gradient: Floats, second: Floats
) -> tuple[tuple[int, ...], Floats, Floats]:
    """Places at a bound, the way ``(p,)`` in which the objective rises inward from one, and the basis of what is free.

    A place near a bound is at it where the gradient points outward and, on a scale on which the bound is infinitely far, so does
    Newton's step, of which ``second`` ``(p,)`` are the second derivatives. Where it points inward EM moves away, unless the
    place is at the bound exactly: from there EM cannot leave, and the point is a saddle. The gradient there lacks the rows
    that are impossible at the bound and not beside it, so the objective beside it decides too.
    """
    k, vector = mixture.n_components, mixture.to_vector(parameters)
    stuck = np.zeros(len(vector))
    held: list[int] = []
    dropped: list[int] = []
    free_weights = np.abs(mixture.basis[:k]).sum() > 0
    if free_weights:
        # Weights sum to 1: at the maximum the gradient by each that is not at 0 equals this multiplier.
        multiplier = gradient[:k] @ vector[:k]
        empty = [j for j in range(k) if _at_bound(vector[j], gradient[j] - multiplier, second[j])]
        # Beyond rounding: two equal components have equal gradients.
        least = float(multiplier * (1 + 1e-9))
        for j in empty:
            if gradient[j] > least:
                stuck[j] = 1.0
            else:
                stuck += _way_to_gain(mixture, parameters, j, least)
        held += empty
        # Nothing can be said of the parameters of a component that is not there.
        dropped += [int(c) for j in empty for c in mixture.own_coordinates(j)]
    for place, bound in mixture.bounds():
        inward = 1.0 if bound == 0 else -1.0
        distance, slope = abs(vector[place] - bound), gradient[place] * inward
        if place not in dropped and _at_bound(distance, slope, second[place]):
            held.append(place)
            if slope > 0 or (distance == 0 and _rises(mixture, vector, place, inward)):
                stuck[place] = inward
    gone = sorted({*held, *dropped})
    if not gone:
        return (), stuck, mixture.basis
    kept = np.setdiff1d(np.arange(len(vector)), gone)
    basis = _leaving(mixture.basis, gone)
    return tuple(sorted(held)), stuck, basis if len(kept) else basis[:, :0]


def _leaving(basis: Floats, places: list[int]) -> Floats:
    """Free directions ``(p, m)`` that leave these places where they are: the null space of their rows."""
    _, singular, rows = np.linalg.svd(basis[places], full_matrices=True)
    rank = int((singular > 1e-12).sum())
    left = basis @ rows[rank:].T
    left[np.abs(left) < 1e-15] = 0.0
    return np.asarray(left)


def _by_weight(mixture: Mixture[Any, Any], parameters: Any, j: int) -> Floats:
    """Gradient of the log-likelihood by a component's weight."""
    return np.asarray(mixture.counts @ shares_of(mixture, parameters)[1][:, j])


def _way_to_gain(mixture: Mixture[Any, Any], parameters: Any, j: int, least: float) -> Floats:
    """``(p,)`` the way of an empty component's own parameters to where the gradient by its weight is above ``least``; else zeros.

    Without weight they move at no cost, so that nothing holds them where that gradient rises. Where the component coincides
    with another one its gradient by them is 0 and that by its weight the multiplier, to rounding; whether it gains when the two
    come apart is told by the second derivatives. One is tried as far as a standard error, had the component all rows; there the
    gradient is computed again. A prior on the parameters does hold them, as what is gained is in proportion to the weight.
    """
    vector, own, nowhere = mixture.to_vector(parameters), mixture.own_coordinates(j), np.zeros(mixture.n_parameters)
    by_prior, curved_prior = mixture.prior_derivatives(parameters)
    others = np.setdiff1d(np.arange(len(vector)), own)
    ends = [place for place, bound in mixture.bounds() if place in own and abs(vector[place] - bound) < AT_BOUND]
    ways = _leaving(mixture.basis, [*others, *ends])
    if by_prior[own].any() or curved_prior[np.ix_(own, own)].any() or not ways.shape[1]:
        return nowhere

    def derived(some: Mixture[Any, Any]) -> Floats:
        rows = row_scores(some, parameters)
        weighted = np.where(np.arange(some.n_components) == j, rows.ratio * some.counts[:, None], 0.0)
        scores, curved = rows.own[:, j], some.complete_hessian(parameters, weighted)[j]
        return np.vstack([weighted[:, j] @ scores, weighted[:, j] * scores.T @ scores, curved])

    found = mixture.summed(lambda some: np.asarray(sum(derived(part) for part in parts(some))))
    first, (squares, curved) = found[0], found[1:].reshape(2, len(own), len(own))
    # In standard errors, and not at all where there is no information.
    sizes = -np.einsum("qm,qr,rm->m", ways[own], curved, ways[own])
    ways = ways * np.divide(1, np.sqrt(np.abs(sizes)), out=np.zeros_like(sizes), where=sizes > 0)
    slope = first @ ways[own]
    _, axes = np.linalg.eigh(ways[own].T @ (squares + curved) @ ways[own])
    tried = [axes[:, -1], -axes[:, -1], slope / max(float(np.linalg.norm(slope)), 1.0)]
    for way in (ways @ each for each in tried):
        there = mixture.from_vector(vector + way) if mixture.exists(vector + way) else parameters
        if mixture.summed(partial(_by_weight, parameters=there, j=j)) > least:
            return np.asarray(way / np.abs(way).max())
    return nowhere


def _at_bound(distance: float, slope: float, second: float) -> bool:
    """Whether a probability so far from its bound, with these derivatives inward, is at it."""
    if distance == 0 or not (distance < AT_BOUND and slope < 0):
        return bool(distance == 0)
    rise = -slope * distance  # of the objective by the logarithm of the distance, outward
    bend = second * distance**2 - rise
    return bool(bend >= 0 or rise > -bend * ON_ITS_WAY)


def _rises(mixture: Mixture[Any, Any], vector: Floats, place: int, inward: float) -> bool:
    """Whether the objective is higher a little inside of a bound than at it, beyond rounding."""
    beside = np.repeat(vector[None], 1 + len(BESIDE), axis=0)
    beside[1:, place] += inward * BESIDE
    at, *inside = np.asarray(evaluated(mixture, mixture.from_vector(beside))[1])
    return bool(max(inside) - at > 64 * np.finfo(float).eps * abs(at))
