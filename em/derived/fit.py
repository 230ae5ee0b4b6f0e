"""A derived EM run from several starts, and what is known of where it ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

import numpy as np

from em.derived.ascent import (
    Climb,
    beyond_rounding,
    collapsed,
    curvature,
    finished,
    height,
    off_saddle,
    rough,
    smooth_part,
    status_of,
)
from em.derived.densities import Values
from em.derived.symmetry import Exchange
from em.search.doubts import Doubt
from em.search.optima import Mode, Status
from em.uncertainty.curvature import Curvature
from em.uncertainty.standard_errors import covariance_of, withheld_reason
from models.display import LONGEST_FIELD, displayed
from models.inputs import Floats

# Nats within which two ends are one mode.
SAME_MODE = 1e-6
SHOWN = ("parameters", "log_likelihood", "log_posterior", "status", "iterations", "standard_errors", "modes")


@dataclass(frozen=True, slots=True, eq=False)
class Errors:
    """Standard errors by parameter, NaN where withheld; ``covariance`` of all numbers in the order of ``names``."""

    values: Values
    covariance: Floats
    names: tuple[str, ...]
    reason: str | None

    def __repr__(self) -> str:
        """By parameter, or why they are withheld."""
        if self.reason is None:
            return displayed(self, ("values",))
        return "\n".join(["Errors(withheld:", *(f"    {line}" for line in wrap(self.reason, LONGEST_FIELD)), ")"])


@dataclass(frozen=True, slots=True, eq=False)
class DerivedFit:
    """What a derived EM found, with the names of `em.Fit`; parameters are by name as in the program.

    Attributes
    ----------
    parameters : by name; where components can change places, in the order of `em.derived.symmetry.Exchange`
    log_likelihood, log_posterior : nats, all constants included; the second None by maximum likelihood
    trace, path : the objective and the parameters at every step of the run that won, the start first
    evaluations : E-steps over all runs
    extrapolations, refused : guesses that were taken in the run that won, and those that were not
    status, standard_errors, modes, doubts, rate, decrement, remaining : as of `em.Fit`
    """

    parameters: Values
    log_likelihood: float
    log_posterior: float | None
    trace: Floats
    path: tuple[Values, ...]
    evaluations: int
    extrapolations: int
    refused: int
    status: Status
    standard_errors: Errors
    modes: tuple[Mode[Values], ...]
    doubts: tuple[Doubt, ...]
    rate: float
    decrement: float
    remaining: float
    _em: Any  # a `DerivedEM`, which imports this

    @property
    def iterations(self) -> int:
        """Steps of the run that won."""
        return len(self.trace) - 1

    @property
    def aic(self) -> float:
        """Akaike's criterion, smaller is better."""
        return float(-2 * self.log_likelihood + 2 * self._em.n_parameters)

    def responsibilities(self, latent: str | None = None) -> Floats:
        """Posterior probability of each state of a latent variable; see `DerivedEM.responsibilities`."""
        return np.asarray(self._em.responsibilities(self.parameters, latent))

    def __repr__(self) -> str:
        """The result, without the path to it."""
        return displayed(self, SHOWN)


def fitted(em: Any, runs: Sequence[Climb], spent: int, *, prior: bool, in_order: bool, accelerated: bool) -> DerivedFit:
    """Judge the ends of all runs, and return the best regular one with all known of it; ``spent`` are E-steps beside theirs."""
    steps, space = em.steps, em.steps.densities.space
    judged: list[tuple[Climb, Curvature, Status, int]] = []
    for each in sorted(runs, key=lambda r: r.trace[-1], reverse=True):
        same = [j for j, (r, *_) in enumerate(judged) if abs(r.trace[-1] - each.trace[-1]) < SAME_MODE]
        if same:
            run, *rest, starts = judged[same[0]]
            judged[same[0]] = (run, *rest, starts + 1)  # type: ignore[assignment]
            continue
        run = finished(steps, each, prior=prior) if accelerated else each
        if not collapsed(steps, run.end, prior=prior) and rough(steps, run.end, prior=prior):
            part = smooth_part(steps, run, prior=prior)
            if part is None:
                continue
            run = beyond_rounding(steps, part, prior=prior) if accelerated else part
        look = curvature(steps, run.end, prior=prior)
        status = status_of(steps, run, look, prior=prior)
        if status == "saddle" and in_order and (aside := off_saddle(steps, run, look, prior=prior)):
            # A saddle is kept among the modes, and so is where it led.
            beyond = finished(steps, aside, prior=prior)
            seen = curvature(steps, beyond.end, prior=prior)
            judged.append((beyond, seen, status_of(steps, beyond, seen, prior=prior), 1))
        judged.append((run, look, status, 1))
    if not judged:
        raise ValueError(
            "the program's density is rounding alone at every start, as of numbers that are too large; give start=, parameters "
            "near the data"
        )
    judged = _distinct(judged)
    won, look, status, _ = judged[0]
    exchange = em.exchange if in_order else Exchange(space)
    order = exchange.order(won.end.values)
    look = look.permuted(exchange.places(order), exchange.signs(order))
    values = exchange.permuted(won.end.values, order)
    reason = withheld_reason(status, look, em.names)
    covariance = covariance_of(look, reason, len(em.names))
    with np.errstate(invalid="ignore"):
        spread = np.sqrt(np.diag(covariance))
    return DerivedFit(
        parameters={name: np.asarray(value) for name, value in values.items()},
        log_likelihood=won.end.log_likelihood,
        log_posterior=height(won.end, prior=True) if prior else None,
        trace=np.array(won.trace),
        path=tuple(exchange.permuted(each, order) for each in won.path),
        evaluations=spent + sum(run.evaluations for run in runs),
        extrapolations=won.extrapolations,
        refused=won.refused,
        status=status,
        standard_errors=Errors(space.by_name(spread), np.array(covariance), em.names, reason),
        modes=tuple(_mode(em, each, in_order=in_order) for each in judged),
        doubts=(),
        rate=look.rate,
        decrement=look.decrement,
        remaining=0.5 * look.identified_decrement**2,
        _em=em,
    )


def _regular(status: Status) -> bool:
    return status in ("converged", "boundary", "ridge")


def _distinct(judged: list[tuple[Climb, Curvature, Status, int]]) -> list[tuple[Climb, Curvature, Status, int]]:
    """Each mode once, and what collapses once, regular ones first and the highest of them at the top."""
    found: list[tuple[Climb, Curvature, Status, int]] = []
    for each in sorted(judged, key=lambda j: (_regular(j[2]), j[0].trace[-1]), reverse=True):
        same = [
            j
            for j, other in enumerate(found)
            if other[2] == each[2] == "collapsed"
            or (_regular(other[2]) == _regular(each[2]) and abs(other[0].trace[-1] - each[0].trace[-1]) < SAME_MODE)
        ]
        if same:
            run, look, status, starts = found[same[0]]
            found[same[0]] = run, look, status, starts + each[3]
        else:
            found.append(each)
    return found


def _mode(em: Any, judged: tuple[Climb, Curvature, Status, int], *, in_order: bool) -> Mode[Any]:
    run, _, status, starts = judged
    values = run.end.values
    if in_order:
        values = em.exchange.in_order(values)
    return Mode(run.end.log_likelihood, values, starts, _regular(status))
