"""Check 4: PyMC's own posterior mode is MAP-EM's, in value and in place."""

from __future__ import annotations

import numpy as np

import models
from comparisons.checks.evidence import curvature_of
from comparisons.problem import Fit, Problem, em_densities
from comparisons.results.result import Check
from comparisons.results.strict_json import number
from models import LogPosterior, Maximum

# Nats between two maxima of one function: BFGS and EM both end closer than 1e-9.
SAME_MAXIMUM = 1e-6
MAP_DISTANCE = 1e-3
# Nats in the log probability of one row, where modes form a ridge: both optimisers stop within this of it.
SAME_ROWS = 1e-4
# Starts of PyMC's optimiser where the first few all ended below EM.
MORE_STARTS = 64

# What to do where components change places and nothing puts them in order.
TO_ORDER = (
    "Let components be put in order: write each parameter of components as one vector, which the latent variable indexes; of a "
    "Pair, name them in exchangeable=."
)


def same_mode(height: float, maximum: Maximum, distance: float, flat: bool, *, two: bool = False) -> Check:
    """PyMC's own posterior mode is MAP-EM's, in value and in place; ``two``: EM's density is as high at both, and orders none."""
    title = "PyMC finds the same posterior mode"
    difference = maximum.log_posterior - height
    starts = f"{maximum.reached} of {maximum.starts} jittered starts of PyMC reached its best point"
    if difference > SAME_MAXIMUM:
        return Check(
            "map-agrees",
            title,
            "fail",
            difference,
            SAME_MAXIMUM,
            f"PyMC found a point {difference:.3g} nats higher than MAP-EM; {starts}.",
            "em",
            "EM missed a mode: start it from PyMC's point.",
        )
    if not abs(difference) <= SAME_MAXIMUM:
        return Check(
            "map-agrees",
            title,
            "inconclusive",
            number(difference),
            SAME_MAXIMUM,
            f"PyMC's optimiser ended {-difference:.3g} nats below MAP-EM ({maximum.kind}); {starts}.",
            "pymc",
            "Its optimiser failed: more starts.",
        )
    if flat and distance <= SAME_ROWS:
        return Check(
            "map-agrees",
            title,
            "pass",
            abs(difference),
            SAME_MAXIMUM,
            f"The log posteriors agree to {abs(difference):.1e} nats. The mode is flat in some direction, so what is "
            f"identified is compared: the log probabilities of the rows agree to {distance:.1e} nats; {starts}.",
        )
    if not flat and distance <= MAP_DISTANCE:
        return Check(
            "map-agrees",
            title,
            "pass",
            abs(difference),
            SAME_MAXIMUM,
            f"The log posteriors agree to {abs(difference):.1e} nats and the parameters to {distance:.1e} standard errors; "
            f"{starts}.",
        )
    if np.isnan(distance):
        text = f"The values agree to {abs(difference):.1e} nats, but the distance of the parameters is not a number."
        return Check("map-agrees", title, "inconclusive", None, MAP_DISTANCE, text, "comparison")
    if two:
        return Check(
            "map-agrees",
            title,
            "inconclusive",
            number(distance),
            MAP_DISTANCE,
            f"The posterior has two maxima of one height: the values agree to {abs(difference):.1e} nats, EM's density is as "
            f"high at PyMC's point, and the parameters lie {distance:.3g} standard errors apart. So it is where components "
            "change places (label switching) and nothing puts them in order.",
            "comparison",
            TO_ORDER,
        )
    return Check(
        "map-agrees",
        title,
        "fail",
        number(distance),
        SAME_ROWS if flat else MAP_DISTANCE,
        f"The values agree to {abs(difference):.1e} nats, but the parameters lie {distance:.3g} "
        f"{'nats in the log probability of a row' if flat else 'standard errors'} apart.",
        "comparison",
        "Two modes of one height, or parameters that are read differently: compare them one by one.",
    )


def mode_again(
    problem: Problem, map_fit: Fit, density: LogPosterior, maximum: models.Maximum, seed: int
) -> models.Maximum:
    """PyMC's mode, sought again from more and other starts where it is below MAP-EM's; EM's answer is no start of it."""
    behind = sum(em_densities(problem, map_fit.parameters)) - maximum.log_posterior
    if not behind > SAME_MAXIMUM:
        return maximum
    return max(maximum, models.find_map(density, MORE_STARTS, seed + 1), key=lambda found: found.log_posterior)


def map_agrees(problem: Problem, map_fit: Fit, maximum: models.Maximum) -> Check:
    """Both modes in canonical order, their distance measured by the observed information."""
    there, here = problem.in_order(problem.from_pymc(maximum.parameters)), map_fit.parameters
    judged = curvature_of(problem, problem.prior, map_fit)
    # Not what EM reports of itself, but what its estimate is worth on these data.
    height = sum(em_densities(problem, map_fit.parameters))
    if judged is None or judged.kind == "ridge":
        # What is identified is what the parameters say of the rows.
        rows = [problem.row_log_likelihoods(p) for p in (there, here)]
        return same_mode(height, maximum, float(np.abs(rows[0] - rows[1]).max()), flat=True)
    # Each entry in a unit of its own: variances of data at 1e-100 are lost beside weights.
    units = np.abs(judged.basis).max(axis=1, initial=0.0)
    units = np.where(units > 0, units, 1.0)
    step = (problem.entries(there) - problem.entries(here)) / units
    free = np.linalg.lstsq(judged.basis / units[:, None], step, rcond=None)[0]
    distance = float(np.sqrt(max(free @ judged.information @ free, 0.0)))
    # Parameters that were read differently would have another density.
    two = not problem.ordered and abs(sum(em_densities(problem, there)) - maximum.log_posterior) <= SAME_MAXIMUM
    return same_mode(height, maximum, distance, flat=False, two=two)
