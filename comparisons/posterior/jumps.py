"""Chains that jump between the modes that EM knows, for a posterior whose modes no chain of NUTS leaves.

Each draw is a jump and a trajectory. The jump is a Metropolis-Hastings proposal that does not look at where the chain is
(Tierney 1994, Annals of Statistics 22(4)): a mixture of multivariate t distributions at EM's modes, in every labelling, each
scaled by the curvature of PyMC's density there. The trajectory is one of Hamiltonian Monte Carlo, so that the chain also goes
where no jump leads. Both leave PyMC's posterior as it is, whatever EM says; where the modes are wrong, or one is missing, the
jumps are refused. Chains begin where those of NUTS ended: one that found a mode which EM does not know cannot leave it, and
R-hat shows that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from comparisons.engine_failures import failing
from comparisons.posterior import proposals
from comparisons.posterior.natural_scale import by_name
from comparisons.posterior.proposals import Proposal
from comparisons.problem import Fit, Problem
from models import LogPosterior
from models.inputs import Floats

if TYPE_CHECKING:
    import xarray as xr

# Warm-up draws of each chain, in which the step size is found (dual averaging, Hoffman and Gelman 2014, JMLR 15).
TUNE = 500
TARGET_ACCEPT = 0.8
FORGETTING, EARLY, FADING = 0.05, 10, 0.75
# Length of a trajectory where the posterior is normal, in its standard deviations: about a quarter of an orbit, drawn anew each
# time between half and three halves of this, so that no orbit closes (Neal 2011, section 3.2).
QUARTER = 1.5
MOST_STEPS = 64
# Error of the energy, in nats, from which on a trajectory is a divergence; nutpie gives up there, and records one without bound.
DIVERGED = 1000.0
# Peaks of the proposal in all labellings: beyond, a jump takes longer than the trajectory.
MOST_PEAKS = 1000
# Steps of the differences of PyMC's gradient, in its own units.
STEP = 1e-4
STATISTICS = ("logp", "energy", "diverging", "max_energy_error", "n_steps", "step_size", "jumped")


class Target:
    """PyMC's log posterior with the Jacobian of its transforms, and the gradient, at a point of its unconstrained scale."""

    def __init__(self, density: LogPosterior) -> None:
        self._parts, self._code = np.empty(3), density.code
        self._arguments = density.code.arguments(np.ones(2), self._parts)

    def __call__(self, x: Floats) -> tuple[float, Floats]:
        """Value and gradient; -inf and zeros where there is none."""
        gradient = self._code.gradient(x, self._arguments)
        value = -np.inf if gradient is None else float(self._parts.sum())
        if gradient is None or not (np.isfinite(value) and np.isfinite(gradient).all()):
            return -np.inf, np.zeros(len(x))
        return value, gradient


def proposal_of(problem: Problem, density: LogPosterior, map_fit: Fit) -> Proposal | None:
    """Where jumps lead: every mode of MAP-EM in every labelling, by PyMC's own density; None with one mode, or too many."""
    there = problem.unconstrained
    if there is None or sum(m.regular for m in map_fit.modes) < 2:
        return None
    known = proposals.at_modes(there, map_fit)
    labellings = there.labellings() if there.n_labellings > 1 else np.eye(known.centres.shape[1])[None]
    if len(known.chances) * len(labellings) > MOST_PEAKS:
        return None
    everywhere = np.einsum("lab,mb->mla", labellings, known.centres).reshape(-1, known.centres.shape[1])
    arrays = problem.arrays(there.parameters(everywhere))
    points = [problem.of_arrays({name: each[j] for name, each in arrays.items()}) for j in range(len(everywhere))]
    centres = np.stack([density.unconstrained(problem.to_pymc(point)) for point in points])
    target = Target(density)
    roots = np.stack([_root(target, centre, density.scale) for centre in centres])
    return Proposal(np.repeat(known.chances, len(labellings)) / len(labellings), centres, roots)


def _root(target: Target, centre: Floats, scale: Floats) -> Floats:
    """Cholesky root of the inverse negative Hessian, by differences of the gradient, as wide as any proposal at most."""
    moves = np.diag(STEP * scale)
    slopes = np.array([target(centre + move)[1] - target(centre - move)[1] for move in moves]) / (2 * STEP)
    hessian = slopes * scale
    return proposals.root_of(-0.5 * (hessian + hessian.T)) * scale[:, None]


def sample(
    problem: Problem, density: LogPosterior, draws: int, chains: int, seed: int, begun: tuple[Proposal, Floats]
) -> xr.DataTree:
    """Sample the posterior by chains that jump.

    Parameters
    ----------
    problem, density : as those of `nuts.sample`
    draws, chains, seed : draws kept of each chain; the same seed gives the same draws
    begun : where jumps lead, and the points ``(chains, size)`` on PyMC's unconstrained scale at which the chains begin
    """
    import xarray as xr

    proposal, starts = begun
    streams = np.random.default_rng(seed).spawn(chains)
    with failing("sampler"), np.errstate(over="ignore"):
        found = [
            _chain(Target(density), proposal, start, draws, random)
            for start, random in zip(starts, streams, strict=True)
        ]
    points = np.stack([points for points, _ in found])
    told = np.stack([told for _, told in found])
    statistics = xr.Dataset({name: (("chain", "draw"), told[..., j]) for j, name in enumerate(STATISTICS)})
    for name in ("diverging", "jumped"):
        statistics[name] = statistics[name].astype(bool)
    return by_name(density, points, statistics)


def _chain(
    target: Target, proposal: Proposal, start: Floats, draws: int, random: np.random.Generator
) -> tuple[Floats, Floats]:
    """The points ``(draws, size)`` of one chain, and their `STATISTICS`."""
    points, told = np.empty((draws, len(start))), np.empty((draws, len(STATISTICS)))
    covariances = proposal.roots @ proposal.roots.swapaxes(1, 2)
    root = np.linalg.cholesky(np.einsum("m,mab->ab", proposal.chances, covariances))
    x, (height, slope) = start, target(start)
    proposed = float(proposal.log_density(x[None])[0])
    # Jumps do not look at where the chain is, so that all are drawn at once.
    jumps = proposal.draw(TUNE + draws, random)
    step, steps = 0.5, _StepSize(0.5)
    for t, to, proposed_there in zip(range(-TUNE, draws), jumps, proposal.log_density(jumps), strict=True):
        height_there, slope_there = target(to)
        jumped = bool(np.log(random.uniform()) < height_there - height + proposed - proposed_there)
        if jumped:
            x, height, slope, proposed = to, height_there, slope_there, float(proposed_there)
        momentum = random.normal(size=len(x))
        energy = 0.5 * momentum @ momentum - height
        n = int(np.clip(np.ceil(random.uniform(0.5, 1.5) * QUARTER / step), 1, MOST_STEPS))
        end, height_there, slope_there = x, height, slope
        for _ in range(n):
            momentum = momentum + 0.5 * step * (root.T @ slope_there)
            end = end + step * (root @ momentum)
            height_there, slope_there = target(end)
            momentum = momentum + 0.5 * step * (root.T @ slope_there)
            if height_there == -np.inf:
                break
        energy_there = 0.5 * momentum @ momentum - height_there
        error = float(energy_there - energy)
        # A trajectory that overflows has no energy, and leads nowhere.
        accepted = float(np.exp(min(0.0, -error))) if np.isfinite(error) else 0.0
        if random.uniform() < accepted:
            x, height, slope, energy = end, height_there, slope_there, energy_there
            proposed = float(proposal.log_density(x[None])[0])
        if t < 0:
            step = steps.after(accepted, last=t == -1)
        else:
            points[t] = x
            told[t] = np.array([height, energy, error > DIVERGED, min(error, DIVERGED + 1), n, step, jumped])
    return points, told


class _StepSize:
    """Dual averaging to an acceptance of `TARGET_ACCEPT`."""

    def __init__(self, first: float) -> None:
        self._aim, self._error, self._average, self._t = np.log(10 * first), 0.0, 0.0, 0

    def after(self, accepted: float, *, last: bool) -> float:
        """The next step size, or the one to keep."""
        self._t += 1
        self._error += (TARGET_ACCEPT - accepted - self._error) / (self._t + EARLY)
        step = self._aim - np.sqrt(self._t) / FORGETTING * self._error
        self._average += self._t**-FADING * (step - self._average)
        return float(np.exp(self._average if last else step))
