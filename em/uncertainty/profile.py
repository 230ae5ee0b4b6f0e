"""Profile-likelihood intervals: the values of one quantity that the likelihood does not rule out.

An interval of probability ``P`` holds the values ``c`` of a quantity ``q`` with

    2 (max l - max l subject to q = c)  <=  the P quantile of chi-squared with 1 degree of freedom.

It needs no quadratic likelihood, follows the quantity through any change of scale, stays inside its bounds, and exists
where a standard error does not: at a bound, and of what is identified on a ridge. With a prior the objective is the log
posterior. The maximum is followed outwards from the estimate, so an interval is the part that holds the estimate.

Components that the model cannot tell apart are told apart by their order (head probability, mean of the first feature),
and keep it: the likelihood is maximised over ordered parameters, as canonical draws are of the ordered posterior. Where
something else separates components better (see `models.order.Order`), nothing but the way from the estimate holds them. A
component whose standard deviation falls under 5 % of the data's leaves the region in which a Gaussian likelihood has a
maximum; an end beyond that is not given. Source: Venzon & Moolgavkar (1988), Applied Statistics 37, 87.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtri

from em.fit import Fit, checked_fit
from em.mixture import Mixture, off_bounds
from em.uncertainty.constrained import ConstrainedMaximum, Point
from em.uncertainty.quantities import FAR, Interval, Quantity, quantity
from models.inputs import Floats, finite_array, shown
from models.order import Order

# First step where no curvature says how far: on the log and logit scales, and in spreads of the data.
FIRST_STEP = 0.5
# Accuracy of the root of the deviance at an end: a share of the half-width.
ACCURACY = 1e-7
# Nats by which a profile may exceed the estimate's log-likelihood by rounding.
HIGHER = 1e-6
MAX_SOLUTIONS = 60


def profile_interval(fit: Fit[Any, Any], name: str, probability: float = 0.94) -> Interval:
    """Interval of one quantity from the profile likelihood of a fit.

    Parameters
    ----------
    fit : as `em.coin_mixture` or `em.gaussian_mixture` return
    name : one of ``fit.standard_errors.names``, as ``"weights[1]"``; ``"standard_deviations[1]"`` or, with several
        features, ``"standard_deviations[1, waiting]"``; for coins also ``"chance_of_heads"``, the sum of weight times
        head probability
    probability : nominal, as of an interval from standard errors

    Returns
    -------
    `em.Interval`; what is held fixed has its value as both ends

    Raises
    ------
    ValueError
        for a name that the fit does not have, a probability outside of (0, 1), or a fit that was read from a file
    """
    checked_fit(fit)
    if not 0 < float(finite_array("probability", probability, (0,))) < 1:
        raise ValueError(f"probability is {shown(probability)}; give a number between 0 and 1")
    mixture = fit._mixture
    wanted = quantity(mixture, name)
    # Where something holds the maximum that the profile does not know of, it would run past it.
    held = mixture.constrained(mixture.from_vector(fit.path._vectors[-1]))
    if held or fit.status not in ("converged", "boundary", "ridge"):
        return Interval(name, np.nan, np.nan, probability, fit.standard_errors.reason)
    vector = _inside(mixture, fit)
    if not (wanted.gradient(vector) @ mixture.basis).any():
        value = wanted.told(mixture.to_vector(fit.parameters))
        return Interval(name, value, value, probability, None)
    x = mixture.coordinates(mixture.from_vector(vector), unbounded=True)
    # Components that their order does not separate are told apart by where the maximum is followed from.
    by = Order.of(fit.parameters, mixture.groups)
    order = _order(mixture, vector) if mixture.by_first and by.direction is None and by.first == 0 else []
    problem = ConstrainedMaximum(mixture, wanted.on_scale, order)
    limit = float(ndtri(0.5 + 0.5 * probability))
    with np.errstate(
        all="ignore"
    ):  # far from the estimate densities under- and overflow; what is not finite is refused
        best = ConstrainedMaximum(mixture, None, order).maximise(x)
        ends = [_Side(problem, wanted, best, sign, limit).end() for sign in (-1, 1)]
    reason = "; ".join(end.reason for end in ends if end.reason) or None
    return Interval(name, ends[0].value, ends[1].value, probability, reason, (ends[0].coinciding, ends[1].coinciding))


def _inside(mixture: Mixture[Any, Any], fit: Fit[Any, Any]) -> Floats:
    """The full vector of the estimate, in the mixture's units, off its bounds by what no data can tell."""
    vector = mixture.to_vector(mixture.from_vector(fit.path._vectors[-1])).copy()
    margin = np.exp(-FAR)
    k = mixture.n_components
    vector[:k] = np.maximum(vector[:k], margin)
    vector[:k] /= vector[:k].sum()
    return off_bounds(mixture, vector, margin)


def _order(mixture: Mixture[Any, Any], vector: Floats) -> list[tuple[int, int]]:
    """Neighbours in the order of each group of exchangeable components, by the first of their own parameters."""
    key = np.array([mixture.own_coordinates(k)[0] for k in range(mixture.n_components)])
    pairs = []
    for group in np.unique(mixture.groups):
        members = key[mixture.groups == group]
        ordered = members[np.argsort(vector[members], kind="stable")]
        pairs += [(int(a), int(b)) for a, b in itertools.pairwise(ordered)]
    return pairs


@dataclass(frozen=True, slots=True, eq=False)
class _Trial:
    """A maximum with the quantity held at ``place`` on its scale, and the root of the deviance there."""

    place: float
    root: float
    point: Point


class _End(NamedTuple):
    """Value of the quantity at an end, NaN with the reason where there is none, and whether components coincide there."""

    value: float
    reason: str | None
    coinciding: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """One end: the maximum followed outwards until the root of the deviance reaches ``limit``."""

    problem: ConstrainedMaximum
    wanted: Quantity
    best: Point
    sign: int
    limit: float

    def end(self) -> _End:
        """Follow the maximum to the end."""
        centre, gradient = self.wanted.on_scale(self.best.vector)
        jacobian = self.problem.mixture.from_coordinates(self.best.x, unbounded=True)[1]
        error = float(np.sqrt((gradient @ jacobian) @ self.best.spread @ (gradient @ jacobian)))
        # Half of the way that the standard error promises: the branch is not to be lost at the first step.
        step = min(0.5 * self.limit * error, FIRST_STEP * self.wanted.unit)
        edge = self.sign * self.wanted.farthest
        inside, outside, blocked, why = _Trial(centre, 0.0, self.best), None, np.nan, ""
        if self.sign * (edge - centre) < 1e-6:
            return self._at_edge(inside)
        target = centre + self.sign * step
        for count in range(MAX_SOLUTIONS):
            target = min(target, edge) if self.sign > 0 else max(target, edge)
            trial = self._solved(inside, target)
            if trial is None or trial.point.value > self.best.value + HIGHER:
                # Perhaps a step too far, across a valley: what lies between decides.
                blocked, why = target, "no maximum is regular" if trial is None else "the likelihood is higher"
                trial = None
            elif abs(trial.root - self.limit) < ACCURACY * self.limit:
                return self._found(trial.point)
            elif trial.root > self.limit:
                outside = trial
            elif target == edge:
                return self._at_edge(trial)
            else:
                step, inside = max(step, abs(trial.place - centre)), trial
            walls = [w for w in (blocked, np.nan if outside is None else outside.place) if np.isfinite(w)]
            wall = self.sign * min((self.sign * w for w in walls), default=np.inf)
            if abs(wall - inside.place) < (1e-2 if wall == blocked else 1e-10) * abs(wall - centre):
                break
            target = self._next(trial or inside, inside, wall, 2 * step, count)
        else:
            return self._no_end(f"not found in {MAX_SOLUTIONS} steps")
        if wall == blocked:
            return self._no_end(f"{'above' if self.sign > 0 else 'below'} {self._told(inside.point):.2g} {why}")
        return self._found(inside.point)  # where the profile jumps past the limit

    def _next(self, trial: _Trial, inside: _Trial, wall: float, longest: float, count: int) -> float:
        """Where to look next: by Newton on the root of the deviance, whose slope the multiplier gives, kept in bounds."""
        slope = -trial.point.slope / trial.root if trial.root > 0 else 0.0
        ahead = (self.limit - trial.root) / slope if slope * self.sign > 0 else self.sign * np.inf
        place = trial.place + ahead
        if not np.isfinite(wall):
            return inside.place + self.sign * min(longest, abs(place - inside.place))
        if self.sign * (place - inside.place) > 0 and self.sign * (wall - place) > 0 and count < MAX_SOLUTIONS // 4:
            return place
        return 0.5 * (inside.place + wall)

    def _solved(self, inside: _Trial, target: float) -> _Trial | None:
        """The maximum with the quantity at ``target``, from the last one inside; None outside the regular region."""
        mixture = self.problem.mixture
        gradient = self.wanted.on_scale(inside.point.vector)[1]
        gradient = gradient @ mixture.from_coordinates(inside.point.x, unbounded=True)[1]
        along = inside.point.spread @ gradient
        tangent = along * ((target - inside.place) / float(gradient @ along))
        # Along a flat direction the tangent leads nowhere; then the last maximum itself is the start.
        for start in (inside.point.x + tangent, inside.point.x):
            try:
                point = self.problem.maximise(start, target, inside.point.equal)
            except (FloatingPointError, np.linalg.LinAlgError):
                continue
            return _Trial(target, float(np.sqrt(max(2 * (self.best.value - point.value), 0.0))), point)
        return None

    def _at_edge(self, trial: _Trial) -> _End:
        if self.wanted.scale == "logit":
            return _End(1.0 if self.sign > 0 else 0.0, None)
        fall = 0.5 * trial.root**2
        return self._no_end(f"however far away, it costs {fall:.2g} nats of log-likelihood")

    def _found(self, point: Point) -> _End:
        return _End(self._told(point), None, bool(point.equal))

    def _told(self, point: Point) -> float:
        mixture = self.problem.mixture
        published = mixture.to_vector(mixture.published(mixture.from_vector(point.vector)))
        return self.wanted.told(published)

    def _no_end(self, why: str) -> _End:
        return _End(np.nan, f"no {'upper' if self.sign > 0 else 'lower'} end: {why}")
