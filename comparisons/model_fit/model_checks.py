"""Does the model fit? What the verdict, which is about the two fits, does not say; nothing here changes it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from comparisons import quantities
from comparisons.model_fit.goodness_of_fit import goodness_of_fit
from comparisons.model_fit.posterior_predictive import predictive_checks
from comparisons.model_fit.power_scaling import THRESHOLD, prior_sensitivity
from comparisons.posterior.nuts import parameters_at, thinned
from comparisons.problem import Fit, Problem
from comparisons.quantities import INTERVAL
from comparisons.results.report_data import GoodnessOfFit, ModelChecks, PredictiveChecks, PriorSensitivity

if TYPE_CHECKING:
    import xarray as xr

# Draws from which replicates are drawn and which are reweighted: enough for a p-value to 0.016.
MOST_DRAWS = 1000
# Distinct rows that are looked at; of more, so many are drawn, as each check simulates hundreds of data sets.
MOST_ROWS = 20_000
NOT_CONVERGED = "Not applicable. The chains have not converged, so their draws do not describe the posterior."


def not_made(why: str) -> ModelChecks:
    """No checks, and the sentence that says why."""
    return ModelChecks(
        GoodnessOfFit(why, [], [], 0, 0),
        PredictiveChecks(why, [], [], 0, INTERVAL),
        PriorSensitivity(why, [], THRESHOLD),
    )


def model_checks(
    problem: Problem, fit: Fit, posterior: xr.Dataset, converged: bool, seed: int, *, several: bool = False
) -> ModelChecks:
    """Check the model of one comparison against its data.

    Parameters
    ----------
    fit : maximum likelihood by EM
    posterior : draws in canonical order
    converged : whether the chains have; if not, their draws say nothing
    seed : of the replicates; the same seed gives the same result
    several : whether the posterior has several modes
    """
    random = np.random.default_rng([seed, len("model checks")])
    some = problem.sampled(MOST_ROWS, random)
    told = "" if some is problem else f"{some.n:,} of the {problem.n:,} rows, drawn at random, stand for all here. "
    fitted = goodness_of_fit(some, fit if some is problem else some.fit(None, start=fit.parameters), random)
    if fitted.distances:
        fitted = replace(fitted, sentence=told + fitted.sentence)
    if not converged:
        return ModelChecks(
            fitted, PredictiveChecks(NOT_CONVERGED, [], [], 0, INTERVAL), PriorSensitivity(NOT_CONVERGED, [], THRESHOLD)
        )
    kept = thinned(posterior, MOST_DRAWS)
    places = np.ndindex(kept.sizes["chain"], kept.sizes["draw"])
    draws = [parameters_at(problem, kept, *place) for place in places]
    simulation = some.simulation
    why = "This model cannot simulate data." if simulation is None else simulation.nothing_to_test()
    if simulation is None or why is not None:
        predictive = PredictiveChecks(f"Not applicable. {why}", [], [], 0, INTERVAL)
    else:
        predictive = predictive_checks(simulation, draws, random)
        predictive = replace(predictive, sentence=told + predictive.sentence)
    sensitivity = prior_sensitivity(problem, draws, quantities.of_draws(problem, kept), several=several)
    return ModelChecks(fitted, predictive, sensitivity)
