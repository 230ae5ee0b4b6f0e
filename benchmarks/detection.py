"""How small a fault of draws Stein's identities show: draws too wide, off in one coordinate, or in part from other data.

The draws are independent and exact, by rejection from the proposal of the second route, so that they are those of a
perfect sampler until something is done to them; their densities are right wherever they are, so that nothing but the
identities can tell. ``python -m benchmarks.detection [replicates]`` prints each rate with its standard error.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import logsumexp

from comparisons import catalogue, datasets, families
from comparisons.families.mixtures import MixtureProblem
from comparisons.families.unconstrained import UnconstrainedPosterior
from comparisons.posterior import proposals, stein
from comparisons.study.broken_em import neighbour
from models.inputs import Floats

COMPARISONS = ("two-coin", "saxony-families", "faithful")
CHAINS, DRAWS = 4, 1000
# Size of a fault: factor of the width, shift in posterior standard deviations, share of the draws.
SIZES = {
    "too wide": (1.02, 1.05, 1.1, 1.2),
    "one coordinate off": (0.02, 0.05, 0.1, 0.2),
    "from neighbouring data": (0.1, 0.2, 0.5, 1.0),
}
type Fault = Callable[[Floats, float, "Posterior", np.random.Generator], Floats]


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """The posterior of one problem in coordinates, and a way to draw from it exactly."""

    problem: MixtureProblem
    target: UnconstrainedPosterior
    proposal: proposals.Proposal
    bound: float

    @classmethod
    def of(cls, problem: MixtureProblem, random: np.random.Generator) -> Posterior:
        """Bound the density by the proposal's, with room: over so many trials no ratio is above it by more."""
        target = UnconstrainedPosterior(problem.mixture(problem.prior, standardise=True))
        proposal = proposals.at_modes(target, problem.fit(problem.prior))
        trial = cls(problem, target, proposal, 0.0)
        return cls(problem, target, proposal, float(trial.ratios(proposal.draw(100_000, random)).max()) + 0.1)

    def ratios(self, x: Floats) -> Floats:
        """Log density over the proposal's, averaged over labellings."""
        labellings = self.target.labellings()
        proposed = logsumexp([self.proposal.log_density(x @ p.T) for p in labellings], axis=0) - np.log(len(labellings))
        return np.asarray(self.target(x) - proposed)

    def draw(self, n: int, random: np.random.Generator) -> Floats:
        """``(n, f)`` exact draws, each around the labelling of the modes."""
        kept: list[Floats] = []
        while sum(map(len, kept)) < n:
            x = self.proposal.draw(2 * n, random)
            kept.append(x[np.log(random.random(len(x))) < self.ratios(x) - self.bound])
        return np.concatenate(kept)[:n]


def wider(x: Floats, size: float, other: Posterior, random: np.random.Generator) -> Floats:
    """All draws moved away from their mean."""
    return np.asarray(x.mean(axis=0) + size * (x - x.mean(axis=0)))


def shifted(x: Floats, size: float, other: Posterior, random: np.random.Generator) -> Floats:
    """The last coordinate moved by a share of its standard deviation."""
    moved = x.copy()
    moved[:, -1] += size * x[:, -1].std()
    return moved


def elsewhere(x: Floats, size: float, other: Posterior, random: np.random.Generator) -> Floats:
    """A share of the draws from data with one row changed."""
    moved, number = x.copy(), int(size * len(x))
    moved[random.permutation(len(x))[:number]] = other.draw(number, random)
    return moved


FAULTS: dict[str, Fault] = dict(zip(SIZES, (wider, shifted, elsewhere), strict=True))


def found(posterior: Posterior, x: Floats) -> bool:
    """Whether the identities fail."""
    home = posterior.proposal.log_density
    told = posterior.problem.names
    identities = stein.worst(posterior.target, home, x.reshape(CHAINS, -1, x.shape[1]), told)
    return identities is not None and not identities.hold


def rates(name: str, replicates: int, random: np.random.Generator) -> dict[tuple[str, float], float]:
    """Share of replicates in which each fault of each size is found; that of sound draws under ``("sound", 0)``."""
    comparison = catalogue.declaration(name)
    problem = families.problem(comparison, comparison.data(datasets.load(comparison.dataset)))
    posterior, other = Posterior.of(problem, random), Posterior.of(neighbour(problem), random)
    times: dict[tuple[str, float], int] = {}
    for _ in range(replicates):
        x = posterior.draw(CHAINS * DRAWS, random)
        tried: dict[tuple[str, float], Any] = {("sound", 0.0): x}
        tried |= {(kind, size): FAULTS[kind](x, size, other, random) for kind, sizes in SIZES.items() for size in sizes}
        for fault, draws in tried.items():
            times[fault] = times.get(fault, 0) + found(posterior, draws)
    return {fault: number / replicates for fault, number in times.items()}


def main() -> None:
    """Print a table of rates."""
    replicates = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    for name in COMPARISONS:
        for (kind, size), rate in rates(name, replicates, np.random.default_rng(0)).items():
            error = np.sqrt(rate * (1 - rate) / replicates)
            print(f"{name:18} {kind:24} {size:5g}  {rate:.2f} ({error:.2f})", flush=True)


if __name__ == "__main__":
    main()
