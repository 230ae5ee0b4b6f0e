"""Does EM's fit describe the data? Distances with p-values by parametric bootstrap, and quantiles against quantiles.

Coins: Pearson's X2 and the likelihood-ratio G2 over the head counts of equal bags. Gaussians: the Anderson-Darling distance
of each feature from its marginal. No distance has a textbook distribution here: expected counts are small and parameters
were estimated from the same data. So data sets are drawn from the fit and *fitted again*, and the p-value is the share of
them as far from their own fits. Replicates of rounded data are rounded alike, so that ties count for nothing by themselves.

Source: Davison & Hinkley (1997), Bootstrap Methods and their Application, section 4.4; Stute, Gonzalez Manteiga & Presedo
Quindimil (1993), Metrika 40, 243; for the band, Myllymaki et al. (2017), JRSS B 79, 381 (studentised envelope).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

import em
from comparisons.engine_failures import failing
from comparisons.problem import Parameters, Problem
from comparisons.results.report_data import Distance, GoodnessOfFit
from comparisons.results.strict_json import number
from em.ascent.climb import Climb, climb
from em.search.collapse import collapsed

LEVEL = 0.05
# (REPLICATES + 1) * LEVEL is whole, so that a test at this level has it; twice as many would be past three seconds.
REPLICATES = 159
# With fewer bags than this no table of head counts has a cell to speak of.
FEW_BAGS = 20
# A refit goes on in runs of so many steps until one gains less than a hundredth of a nat, which no distance shows.
STEPS = 15
GAIN = 1e-2
MOST_RUNS = 20


def goodness_of_fit(problem: Problem, fit: em.Fit[Any, Any], random: np.random.Generator) -> GoodnessOfFit:
    """Measure the distance of the data from EM's fit, and of replicates from their own."""
    reason = problem.family.nothing_to_test(problem)
    if reason is None and fit.status == "collapsed":
        reason = "A component collapsed: the likelihood has no maximum whose fit could be tested."
    if reason is not None:
        return GoodnessOfFit(f"Not applicable. {reason}", [], [], 0, 0)
    starts = [fit.parameters, *(m.parameters for m in fit.modes[1:] if m.regular)]
    drawn = problem.family.replicates(problem.data, [fit.parameters] * REPLICATES, random)
    refits = [(data, _refitted(replace(problem, data=data.distinct()), starts)) for data in drawn]
    regular = [(data, parameters) for data, parameters in refits if parameters is not None]
    distances, plots = problem.family.distances(problem, fit.parameters, regular, _distance)
    left_out = len(refits) - len(regular)
    return GoodnessOfFit(_sentence(problem, distances, left_out), distances, plots, REPLICATES, left_out)


def _refitted(problem: Problem, starts: Sequence[Parameters]) -> Parameters | None:
    """Fit by EM from the optima of the original; None where the best of them collapses."""
    mixture: Any = problem.mixture(None, standardise=True)
    inside = [mixture.from_published(problem.family.inside(start, free=problem.weights.free)) for start in starts]

    def height(run: Climb | None) -> float:
        """Objective, -inf where a component has collapsed."""
        if run is None or run.ending == "collapsed":
            return -np.inf
        return -np.inf if collapsed(mixture, mixture.from_vector(run.points[-1])) else run.trace[-1]

    best = max((_climbed(mixture, start) for start in inside), key=height)
    for _ in range(MOST_RUNS):
        if best is None or best.ending != "iteration limit":
            break
        before, best = height(best), _climbed(mixture, mixture.from_vector(best.points[-1]))
        if not height(best) - before >= GAIN:
            break
    if best is None or np.isneginf(height(best)):
        return None
    parameters: Parameters = mixture.published(mixture.from_vector(best.points[-1]))
    return parameters


def _climbed(mixture: Any, start: Any) -> Climb | None:
    """Climb some steps; None where a component is left with so little that derivatives no longer exist."""
    with failing("em"):
        try:
            with np.errstate(invalid="raise"):
                return climb(mixture, start, "squarem", STEPS)
        except (FloatingPointError, np.linalg.LinAlgError):
            return None


def _distance(name: str, distance: Any, observed: Any, drawn: Sequence[Any]) -> Distance:
    """P-value with the data counted among the replicates, so that it is never 0 (Davison & Hinkley 1997, eq. 4.11)."""
    value = distance(observed)
    if not drawn:
        return Distance(name, number(value), None, None, None)
    # Equal data have equal distances but for where their refits stopped.
    beyond = sum(distance(each) >= value - 1e-6 * abs(value) for each in drawn)
    p = (1 + beyond) / (1 + len(drawn))
    return Distance(name, number(value), None, p, float(np.sqrt(p * (1 - p) / len(drawn))))


def _sentence(problem: Problem, distances: list[Distance], left_out: int) -> str:
    tested = [(d, d.p_value, d.p_error) for d in distances if d.p_value is not None and d.p_error is not None]
    if not tested:
        return "Not applicable. A component collapsed in every replicate, so there is nothing to compare the data with."
    departing = [j for j, (_, p, _) in enumerate(tested) if p <= LEVEL]
    found = problem.family.departure(problem, departing)
    close = any(abs(p - LEVEL) < 2 * error for _, p, error in tested)
    settled = ", but Monte Carlo error leaves it unsettled" if close else ""
    # No p-value is smaller than that of data further off than every sample.
    least = 1.5 / (REPLICATES - left_out + 1)
    told = "; ".join(
        f"{d.name} = {d.value:.3g}, p = {p:.2g}{' with no sample as far off' if p < least else f' ± {error:.1g}'}"
        for d, p, error in tested
    )
    free = distances[0].degrees_of_freedom
    freedom_told = "" if free is None else f" on {free} degrees of freedom"
    collapsed = f", {left_out} more left out because a component collapsed" if left_out else ""
    few = (
        f" With {problem.data.n} bags only a gross misfit could show."
        if free is not None and problem.data.n < FEW_BAGS
        else ""
    )
    return (
        f"{found} the fitted model at the {LEVEL:.0%} level{settled} ({told}{freedom_told}; parametric bootstrap of "
        f"{REPLICATES - left_out} samples, each refitted{collapsed}; ± is the Monte Carlo standard error).{few}"
    )
