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
from typing import Any

import numpy as np

from comparisons.capabilities import Simulation
from comparisons.problem import Fit, Problem
from comparisons.results.report_data import Distance, GoodnessOfFit
from comparisons.results.strict_json import number

LEVEL = 0.05
# (REPLICATES + 1) * LEVEL is whole, so that a test at this level has it; twice as many would be past three seconds.
REPLICATES = 159
# With fewer bags than this no table of head counts has a cell to speak of.
FEW_BAGS = 20


def goodness_of_fit(problem: Problem, fit: Fit, random: np.random.Generator) -> GoodnessOfFit:
    """Measure the distance of the data from EM's fit, and of replicates from their own."""
    simulation = problem.simulation
    if simulation is None:
        return GoodnessOfFit("Not applicable. This model cannot simulate data.", [], [], 0, 0)
    reason = simulation.nothing_to_test()
    if reason is None and fit.status == "collapsed":
        reason = "A component collapsed: the likelihood has no maximum whose fit could be tested."
    if reason is not None:
        return GoodnessOfFit(f"Not applicable. {reason}", [], [], 0, 0)
    starts = [fit.parameters, *(m.parameters for m in fit.modes[1:] if m.regular)]
    drawn = simulation.replicates([fit.parameters] * REPLICATES, random)
    refits = [(data, simulation.refitted(data, starts)) for data in drawn]
    regular = [(data, parameters) for data, parameters in refits if parameters is not None]
    distances, plots = simulation.distances(fit.parameters, regular, _distance)
    left_out = len(refits) - len(regular)
    return GoodnessOfFit(_sentence(simulation, problem.n, distances, left_out), distances, plots, REPLICATES, left_out)


def _distance(name: str, distance: Any, observed: Any, drawn: Sequence[Any]) -> Distance:
    """P-value with the data counted among the replicates, so that it is never 0 (Davison & Hinkley 1997, eq. 4.11)."""
    value = distance(observed)
    if not drawn:
        return Distance(name, number(value), None, None, None)
    # Equal data have equal distances but for where their refits stopped.
    beyond = sum(distance(each) >= value - 1e-6 * abs(value) for each in drawn)
    p = (1 + beyond) / (1 + len(drawn))
    return Distance(name, number(value), None, p, float(np.sqrt(p * (1 - p) / len(drawn))))


def _sentence(simulation: Simulation, n: int, distances: list[Distance], left_out: int) -> str:
    tested = [(d, d.p_value, d.p_error) for d in distances if d.p_value is not None and d.p_error is not None]
    if not tested:
        return "Not applicable. A component collapsed in every replicate, so there is nothing to compare the data with."
    departing = [j for j, (_, p, _) in enumerate(tested) if p <= LEVEL]
    found = simulation.departure(departing)
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
    rival = simulation.rival()
    instead = f" Another model of these data: comparisons run {rival}." if rival else ""
    few = f" With {n} bags only a gross misfit could show." if free is not None and n < FEW_BAGS else ""
    return (
        f"{found} the fitted model at the {LEVEL:.0%} level{settled} ({told}{freedom_told}; parametric bootstrap of "
        f"{REPLICATES - left_out} samples, each refitted{collapsed}; ± is the Monte Carlo standard error).{few}{instead}"
    )
