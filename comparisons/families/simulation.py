"""Data like these from a mixture, and fits of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from comparisons.capabilities import Data, Distribution, Parameters, Simulation
from comparisons.engine_failures import failing
from comparisons.families.family import Setup
from comparisons.results.report_data import Distance, QuantilePlot
from em.ascent.climb import Climb, climb
from em.search.collapse import collapsed

# A refit goes on in runs of so many steps until one gains less than a hundredth of a nat, which no distance shows.
STEPS = 15
GAIN = 1e-2
MOST_RUNS = 20


@dataclass(frozen=True, slots=True, eq=False)
class MixtureSimulation(Simulation):
    """See `comparisons.capabilities.Simulation`."""

    setup: Setup

    def nothing_to_test(self) -> str | None:
        return self.setup.family.nothing_to_test(self.setup)

    def replicates(self, every: Sequence[Parameters], random: np.random.Generator) -> Iterator[Data]:
        return self.setup.family.replicates(self.setup.data, every, random)

    def refitted(self, data: Data, starts: Sequence[Parameters]) -> Parameters | None:
        """Fit by EM from the optima of the original; None where the best of them collapses."""
        setup = replace(self.setup, data=data.distinct())
        family, free = setup.family, setup.weights.free
        mixture = family.mixture(setup, None, standardise=True)
        inside = [mixture.from_published(family.inside(start, free=free)) for start in starts]

        def climbed(start: Any) -> Climb | None:
            """Climb some steps; None where a component is left with so little that derivatives no longer exist."""
            with failing("em"):
                try:
                    with np.errstate(invalid="raise"):
                        return climb(mixture, start, family.acceleration, STEPS, settled=True)
                except (FloatingPointError, np.linalg.LinAlgError):
                    return None

        def height(run: Climb | None) -> float:
            """Objective, -inf where a component has collapsed."""
            if run is None or run.ending == "collapsed":
                return -np.inf
            return -np.inf if collapsed(mixture, mixture.from_vector(run.points[-1])) else run.trace[-1]

        best = max((climbed(start) for start in inside), key=height)
        for _ in range(MOST_RUNS):
            if best is None or best.ending != "iteration limit":
                break
            before, best = height(best), climbed(mixture.from_vector(best.points[-1]))
            if not height(best) - before >= GAIN:
                break
        if best is None or np.isneginf(height(best)):
            return None
        return mixture.published(mixture.from_vector(best.points[-1]))

    def distances(
        self, fit: Parameters, refits: Sequence[tuple[Data, Parameters]], placed: Any
    ) -> tuple[list[Distance], list[QuantilePlot]]:
        return self.setup.family.distances(self.setup, fit, refits, placed)

    def departure(self, departing: list[int]) -> str:
        return self.setup.family.departure(self.setup, departing)

    def rival(self) -> str:
        return self.setup.comparison.rival

    def statistics(self, data: Data | None = None) -> dict[str, float]:
        return self.setup.family.statistics(self.setup.comparison, self.setup.data if data is None else data)

    def distributions(self) -> list[Distribution]:
        return self.setup.family.distributions(self.setup)
