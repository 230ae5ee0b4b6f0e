"""Simulation-based calibration of the PyMC models, and the coverage of EM's intervals.

If parameters are drawn from the prior and data from the model, the rank of the truth among posterior draws is uniform
(Talts et al. 2018; Modrák et al. 2023 for the log-likelihood among the quantities). Rows are few, so that a Jacobian that
is dropped or a prior that was changed shows. Truth and draws are both in canonical order. On more rows from the same truth
EM's Wald intervals are asked whether they hold the truth, or are withheld.
"""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from comparisons import quantities
from comparisons.checks.evidence import curvature_of
from comparisons.families.mixtures import MixtureProblem, exchangeable
from comparisons.posterior.nuts import canonical, described, log_likelihoods, sample, spread_places
from comparisons.problem import em_densities
from comparisons.study.broken_pymc import jacobian_dropped, other_prior
from comparisons.study.setting import Simulated, simulate
from comparisons.study.settings import CALIBRATION
from em.uncertainty.wald import wald
from models import LogPosterior

# Draws among which the truth is ranked, spread over all draws so that they hardly depend on each other.
RANKED = 99
DRAWS, CHAINS = 1000, 4
TARGET_ACCEPT = 0.9
# Rows on which EM's intervals are tried.
SIZES = (20, 50, 100, 200, 500)


@dataclass(frozen=True, slots=True)
class CalibrationRow:
    """One simulation.

    Attributes
    ----------
    family, setting, seed, fault : what to give `calibrated` to have it again
    n : rows of the ranked posterior
    separation : distance of the components in sd of a row, of those on which EM's intervals are tried
    r_hat, divergences : the worst of the quantities, and how many transitions diverged
    ranks : ``name=rank`` of the truth among 99 draws, 0 to 99
    coverage : ``n:status:name=1`` where EM's 94 % interval holds the truth, 0 where not, ``-`` where it is withheld
    seconds : of the processor's time it took
    """

    family: str
    setting: str
    seed: int
    fault: str
    n: int
    separation: float
    r_hat: float
    divergences: int
    ranks: str
    coverage: str
    seconds: float


FAULTS = ("prior-changed", "jacobian-dropped")


def calibrated(setting_name: str, seed: int, fault: str = "") -> CalibrationRow:
    """Draw a truth, rank it among the posterior draws, and try EM's intervals on it."""
    setting = CALIBRATION[setting_name]
    simulated = simulate(setting, seed)
    problem = simulated.problem
    began = time.process_time()
    with _planted(problem, fault):
        density = LogPosterior(problem.model())
        tree = sample(problem, density, DRAWS, CHAINS, seed, TARGET_ACCEPT)
    drawn = described(problem, density, tree, TARGET_ACCEPT, 0)
    ranks = _ranks(simulated, tree, exchangeable(density.model))
    tried = [simulate(setting.of_size(n, simulated.truth), seed) for n in SIZES]
    coverage = [] if fault else [told for rows in tried for told in _covered(rows, seed)]
    return CalibrationRow(
        setting.family,
        setting.name,
        seed,
        fault,
        problem.data.n,
        round(tried[0].separation, 3),
        round(float(drawn.summary["r_hat"].max()), 4),
        drawn.divergences,
        ";".join(f"{name}={rank}" for name, rank in ranks.items()),
        ";".join(coverage),
        round(time.process_time() - began, 2),
    )


def _planted(problem: MixtureProblem, fault: str) -> Any:
    if fault == "jacobian-dropped":
        return jacobian_dropped(problem, None)[0]
    if fault == "prior-changed":
        return other_prior(problem, None)[0]
    return nullcontext()


def _ranks(simulated: Simulated, tree: Any, groups: Any) -> dict[str, int]:
    """Rank of the truth of every quantity and of its log-likelihood among draws spread over all."""
    problem = simulated.problem
    posterior = canonical(problem, tree, groups)
    total = posterior.sizes["chain"] * posterior.sizes["draw"]
    places = spread_places(total, RANKED)
    truth = quantities.of_parameters(problem, simulated.truth)
    ranks = {
        name: int((values.ravel()[places] < truth[name]).sum())
        for name, values in quantities.of_draws(problem, posterior).items()
    }
    height = em_densities(problem, simulated.truth)[0]
    ranks["log_likelihood"] = int((log_likelihoods(problem, posterior, RANKED) < height).sum())
    return ranks


def _covered(simulated: Simulated, seed: int) -> list[str]:
    """Whether EM's Wald interval of each quantity holds the truth."""
    problem = simulated.problem
    fit = problem.fit(None, seed=seed)
    judged = curvature_of(problem, None, fit)
    truth = quantities.of_parameters(problem, simulated.truth)
    errors = dict.fromkeys(truth, np.nan)
    if judged is not None:
        errors = quantities.standard_errors(judged, problem.gradients(fit.parameters))
    estimate = quantities.of_parameters(problem, fit.parameters)
    told = []
    for name, value in truth.items():
        low, high = wald(problem.family.scale(name), estimate[name], errors[name])
        held = "-" if not np.isfinite(low + high) else str(int(low <= value <= high))
        told.append(f"{problem.data.n}:{fit.status}:{name}={held}")
    return told
