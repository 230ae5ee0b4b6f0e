"""Mixtures of Poisson counts: what a comparison has to know of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, cast

import numpy as np
from scipy import stats
from scipy.special import gammaln

import em
import models
from comparisons.capabilities import Distribution
from comparisons.declaration import Comparison
from comparisons.families.elementwise import MOST_NUMBERS
from comparisons.families.family import Setup
from comparisons.families.rates import Rates
from comparisons.results.report_data import Distance, QuantilePlot
from em.elementwise import ElementwiseMixture
from em.poissons import PoissonMixture
from models import EventCounts, PoissonParameters, PoissonPrior
from models.inputs import Floats, Integers


class Poissons(Rates):
    """See `comparisons.families.family.Family`."""

    name = "poissons"
    data, parameters, prior = EventCounts, cast("type[Any]", PoissonParameters), cast("type[Any]", PoissonPrior)
    mixtures: ClassVar[type[ElementwiseMixture]] = PoissonMixture
    fitted: Callable[..., Any] = staticmethod(em.poisson_mixture)
    built: Callable[..., Any] = staticmethod(models.poisson_mixture)
    roles, design = ("events", "exposure"), ("exposure",)
    discrete, rows_told = True, "counts of events"
    columns_told = "events, whole numbers from 0, and exposure, where that is not the same for all rows"
    default_reason = (
        "Read off the data: gamma about the rate of all rows, worth two events, and one row more for each weight, so that the "
        "mode empties no component and no rate is 0."
    )

    def row(self, problem: Setup, i: int) -> str:
        data = problem.data
        over = "" if (data.exposure == 1).all() else f" over {data.exposure[i]:.6g}"
        return f"{data.events[i]} events{over}"

    def fusable(self, problem: Setup) -> bool:
        return True

    def distribution(self, arrays: dict[str, Floats], *design: Any) -> Any:
        return stats.poisson(design[0] * arrays["rates"])

    def again(
        self, data: EventCounts, parameters: PoissonParameters, components: Integers, random: np.random.Generator
    ) -> EventCounts:
        return EventCounts(parameters.simulate(components, data.exposure, random), data.exposure)

    def words(self, problem: Setup) -> tuple[dict[str, str], str, list[str]]:
        over = "" if (problem.data.exposure == 1).all() else "exposure[i] * "
        return {}, f"events[i] | z[i] = k ~ Poisson({over}rates[k])", self.priors_told(problem)

    def notes(self, problem: Setup) -> dict[str, str]:
        return super().notes(problem) | {
            "distances": "Over the numbers of events. Expected counts may be too small for the chi-squared distribution, so the "
            "p-value is not taken from it: ",
            "replicates": "over the same exposures, ",
            "averaged": "Sum of weight times rate over the components: the rate of a row of which only the mixture is known.",
        }

    def third_rounding(self, problem: Setup, parameters: Any) -> float:
        # Logarithms of large factorials lose digits to one another.
        rows = problem.declared
        return float(4 * np.finfo(float).eps * (rows.counts @ gammaln(rows.columns[:, 0] + 1)))

    def distances(
        self,
        problem: Setup,
        fit: PoissonParameters,
        refits: Sequence[tuple[EventCounts, PoissonParameters]],
        placed: Any,
    ) -> tuple[list[Distance], list[QuantilePlot]]:
        largest = int(min(problem.data.events.max(), MOST_NUMBERS))

        def table(data: EventCounts, of: PoissonParameters) -> tuple[Floats, Floats]:
            """Rows seen and expected by number of events, the largest and all above it together."""
            seen = np.bincount(np.minimum(data.events, largest), weights=data.counts, minlength=largest + 1)
            expected = data.n * self._averaged(lambda f: f.pmf(np.arange(largest)), self.arrays(of), data).sum(axis=0)
            return seen, np.append(expected, data.n - expected.sum())

        def pearson(pair: tuple[Floats, Floats]) -> float:
            seen, expected = pair
            return float(((seen - expected) ** 2 / np.maximum(expected, np.finfo(float).tiny)).sum())

        observed, drawn = table(problem.data, fit), [table(*refit) for refit in refits]
        return [placed("Pearson X²", pearson, observed, drawn)], []

    def departure(self, problem: Setup, departing: list[int]) -> str:
        return f"The numbers of events {'depart' if departing else 'show no departure'} from"

    def statistics(self, comparison: Comparison, data: EventCounts) -> dict[str, float]:
        rates = data.events / data.exposure
        mean = np.average(rates, weights=data.counts)
        squares = np.average((rates - mean) ** 2, weights=data.counts)
        return {
            "variance over mean": float(squares / mean) if mean else 0.0,
            "share of rows without events": float(data.counts @ (data.events == 0) / data.n),
            "largest number of events": float(data.events.max()),
        }

    def distributions(self, problem: Setup) -> list[Distribution]:
        numbers = np.arange(min(int(problem.data.events.max()), MOST_NUMBERS) + 1.0)

        def table(data: EventCounts) -> Floats:
            return np.bincount(data.events, weights=data.counts, minlength=len(numbers))[: len(numbers)]

        return [Distribution("counts", problem.comparison.unit or "events", numbers, table(problem.data), table)]


POISSONS = Poissons()
