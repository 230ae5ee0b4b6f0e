"""A second route to the posterior, guided by EM: importance sampling with densities from `em` alone.

In unconstrained coordinates the posterior with its Jacobian has a peak near every mode that EM found, and one more for every
way to permute exchangeable components. The proposal is a mixture of multivariate t distributions at these peaks, scaled by the
curvature there. The weights are Pareto-smoothed (Vehtari et al. 2024, JMLR 25(72)); where their shape k-hat is above 1/2 the
proposal is fitted anew, by EM, to the draws it gave, and if that does not help the route says that it cannot be trusted.

What is asked of the posterior does not depend on the labelling, so draws are made around one labelling alone and their density
is averaged over all of them, as if each draw had been relabelled at random. To give weight only to draws in canonical order, or
nearest to the mode's, would be exact too and cheaper, but it misses what lies near other labellings, and k-hat does not tell
(galaxies with three components: a twentieth of the posterior). With too many labellings the route is therefore not to be had.

Nothing here has seen PyMC or its draws, so the two posteriors share nothing but the model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from comparisons.posterior import proposals
from comparisons.problem import Fit, Problem
from models.inputs import Floats

DRAWS = 4000
# A region of little weight can be missed without k-hat noticing: a difference counts only if so many draws show it too. On
# simulated normals with 25 rows 4000 draws missed one of 6 %, with k-hat .40; 16000 found it, with k-hat above .5.
CONFIRMING_DRAWS = 16000
# Above 1/2 the weights have no variance. Means still converge up to 0.7 (Vehtari et al. 2024), but a test needs their standard
# error: with k-hat up to 0.7 one of sixty simulated coin data sets failed NUTS draws that were exact, time and again.
K_HAT = 0.5
REFRESHES = 3
# Labellings over which the proposal's density is averaged: those of five components; of six they would take most of a run.
LABELLINGS = 120


@dataclass(frozen=True, slots=True, eq=False)
class SecondRoute:
    """Weighted draws of every quantity, components in canonical order.

    Attributes
    ----------
    values : ``(n,)`` draws of each quantity by name
    weights : ``(n,)`` summing to 1, Pareto-smoothed
    k_hat : shape of the tail of the raw weights; above 1/2 no standard error here can be trusted
    effective : effective number of draws, 1 / sum of squared weights
    log_evidence, log_evidence_error : log marginal likelihood over all labellings, and its Monte Carlo standard error
    refreshes : how often the proposal was fitted anew
    """

    values: dict[str, Floats]
    weights: Floats
    k_hat: float
    effective: float
    log_evidence: float
    log_evidence_error: float
    refreshes: int

    @property
    def trusted(self) -> bool:
        """Whether the weights allow a conclusion."""
        return bool(self.k_hat <= K_HAT)

    def mean(self, values: Floats) -> tuple[float, float]:
        """Posterior mean of a function of the draws, and its Monte Carlo standard error."""
        mean = float(self.weights @ values)
        return mean, float(np.sqrt((self.weights**2) @ (values - mean) ** 2))

    def contributing(self, values: Floats) -> float:
        """How many draws the standard error of the mean rests on: few, where one weight outdoes the others in a tail."""
        away = np.abs(self.weights * (values - self.weights @ values))
        if not away.any():
            return 0.0
        squares = (away / away.max()) ** 2
        return float(squares.sum() ** 2 / (squares**2).sum())


def sample(problem: Problem, map_fit: Fit, random: np.random.Generator, draws: int = DRAWS) -> SecondRoute | str:
    """Draw from the posterior by importance sampling at the modes of MAP-EM, or say in a sentence why not.

    Parameters
    ----------
    map_fit : MAP-EM with all its modes
    random : for the proposal's draws
    draws : how many
    """
    target = problem.unconstrained
    if target is None:
        return "No coordinates without bounds are known for importance sampling guided by EM."
    if target.n_labellings > LABELLINGS:
        return (
            "With so many exchangeable components there are too many labellings for importance sampling guided by EM."
        )
    labellings = target.labellings()
    proposal = proposals.at_modes(target, map_fit)
    for refreshes in range(REFRESHES + 1):
        x = proposal.draw(draws, random)
        log_target = target(x)
        # Where the density is 0 there may be no parameters; such draws have no weight, so any values serve.
        points = target.parameters(np.where(np.isfinite(log_target)[:, None], x, proposal.centres[0]))
        proposed = [proposal.log_density(x @ relabelled.T) for relabelled in labellings]
        raw = log_target - logsumexp(proposed, axis=0) + np.log(len(labellings))
        smoothed, k_hat = pareto_smoothed(np.where(np.isfinite(raw), raw, raw[np.isfinite(raw)].min() - 50))
        weights = np.exp(smoothed - logsumexp(smoothed))
        if float(k_hat) <= K_HAT or refreshes == REFRESHES:
            break
        proposal = proposals.refreshed(x, weights, random)
    raw_weights = np.exp(raw - raw.max())
    error = float(raw_weights.std() / raw_weights.mean() / np.sqrt(len(raw)))
    return SecondRoute(
        values=problem.quantities(problem.arrays(problem.in_order(points))),
        weights=weights,
        k_hat=float(k_hat),
        effective=float(1 / (weights**2).sum()),
        log_evidence=float(logsumexp(raw) - np.log(len(raw))),
        log_evidence_error=error,
        refreshes=refreshes,
    )


def pareto_smoothed(log_weights: Floats) -> tuple[Floats, Floats]:
    """Pareto-smoothed log weights along the last axis, and the k-hat of each (Vehtari et al. 2024, JMLR 25(72))."""
    from arviz_stats.base.array import BaseArray

    # ArviZ's function is written for leave-one-out and takes the negative of the log weights.
    smoothed, k_hats = BaseArray().psislw(-log_weights)  # type: ignore[no-untyped-call]
    return np.asarray(smoothed), np.asarray(k_hats)
