"""Mixtures of Poisson counts: what a comparison has to know of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy import stats
from scipy.special import gammaln, pdtr

import em
import models
from comparisons.capabilities import Margin
from comparisons.declaration import Comparison
from comparisons.declared_rows import DeclaredRows
from comparisons.families.family import Family, Setup
from comparisons.results.report_data import Distance, PredictiveCurve, QuantilePlot
from em.mixture import Scale, has_mode
from em.poissons import PoissonMixture
from models import EventCounts, PoissonParameters, PoissonPrior
from models.inputs import Floats, Integers, cut, instance_of, some_of

if TYPE_CHECKING:
    import pymc as pm

# Numbers of events that are drawn and tabled at most; beyond, none has more than a few rows.
MOST_NUMBERS = 400


class Poissons(Family):
    """See `comparisons.families.family.Family`."""

    name = "poissons"
    data, parameters, prior = EventCounts, PoissonParameters, PoissonPrior
    variables = ("rates",)
    prior_numbers = ("shape", "rate")
    average, ordered_by = "mean_rate", "rate"
    roles = ("events", "exposure")
    columns_told = "events, whole numbers from 0, and exposure, where that is not the same for all rows"
    default_reason = (
        "Read off the data: gamma about the rate of all rows, worth two events, and one row more for each weight, so that the "
        "mode empties no component and no rate is 0."
    )
    scales: ClassVar[dict[str, Scale]] = {"rates": "log", "mean_rate": "log"}

    def fitting(self, comparison: Comparison, data: EventCounts) -> Comparison:
        if comparison.features:
            raise ValueError(
                f"features is {some_of(comparison.features)} but counts of events have none; leave them out"
            )
        prior = comparison.prior
        if prior is not None:
            instance_of("prior", prior, PoissonPrior)
            for name in ("shape", "concentration"):
                has_mode(name, getattr(prior, name))
        return comparison

    def default_prior(self, data: EventCounts, n_components: int) -> PoissonPrior:
        return PoissonPrior.weakly_informative(data)

    def prior_note(self, n_components: int) -> str:
        return "The same for every K: read off the rate of all rows together."

    def columns(self, data: EventCounts) -> Floats:
        return np.column_stack([data.events, data.exposure])

    def from_roles(self, values: dict[str, Floats], counts: Any, labels: Any) -> EventCounts:
        return EventCounts(values["events"], values.get("exposure", 1.0), counts, labels)

    def column_names(self, comparison: Comparison) -> list[str]:
        return ["events", "exposure"]

    def with_columns(self, data: EventCounts, columns: Floats, counts: Any, labels: Any) -> EventCounts:
        return EventCounts(columns[:, 0], columns[:, 1], counts, labels)

    def row(self, problem: Setup, i: int) -> str:
        data = problem.data
        over = "" if (data.exposure == 1).all() else f" over {data.exposure[i]:.6g}"
        return f"{data.events[i]} events{over}"

    def fit(self, problem: Setup, **options: Any) -> em.Fit[Any, Any]:
        c = problem.comparison
        return em.poisson_mixture(problem.data, c.n_components, c.weights, **options)

    def mixture(self, problem: Setup, prior: PoissonPrior | None, *, standardise: bool) -> PoissonMixture:
        return PoissonMixture(problem.data, problem.weights, prior)

    def model(self, problem: Setup) -> pm.Model:
        c = problem.comparison
        return models.poisson_mixture(problem.data, c.n_components, c.weights, problem.prior)

    def log_densities(self, data: EventCounts, parameters: PoissonParameters) -> Floats:
        y, e = data.events[:, None], data.exposure[:, None]
        return np.asarray(stats.poisson.logpmf(y, e * parameters.rates[..., None, :]))

    def refuse_others(self, problem: Setup, parameters: PoissonParameters) -> None:
        if not (parameters.rates >= 0).all():
            raise ValueError(f"the rates are {cut(str(parameters.rates))}, some of which are no rate")

    def random_parameters(self, problem: Setup, weights: Floats, random: np.random.Generator) -> PoissonParameters:
        about = problem.data.rate * random.gamma(2.0, 0.5, size=problem.comparison.n_components)
        return PoissonParameters(weights, about)

    def columns_of_pymc(self, values: dict[str, Any]) -> Floats:
        return np.column_stack([values["observed_events"], values["exposure"]])

    def words(self, problem: Setup) -> tuple[dict[str, str], str, list[str]]:
        prior, over = problem.prior, "" if (problem.data.exposure == 1).all() else "exposure[i] * "
        told = f"rates[k] ~ Gamma({prior.shape:.6g}, {prior.rate:.6g})"
        return {}, f"events[i] | z[i] = k ~ Poisson({over}rates[k])", [told]

    def notes(self, problem: Setup) -> dict[str, str]:
        return {
            "distribution": "up to a value",
            "irregular": "a saddle, or a bound that EM cannot leave though the likelihood rises beside it.",
            "distances": "Over the numbers of events. Expected counts may be too small for the chi-squared distribution, so the "
            "p-value is not taken from it: ",
            "replicates": "over the same exposures, ",
            "prior": "weights and rates",
            "averaged": "Sum of weight times rate over the components: the rate of a row of which only the mixture is known.",
        }

    def third_density(self, rows: DeclaredRows, parameters: PoissonParameters, component: int) -> Floats:
        y, e = rows.columns.T
        return np.asarray(stats.poisson(e * float(parameters.rates[component])).logpmf(y))

    def third_prior_numbers(self, problem: Setup) -> dict[str, Any]:
        rows = problem.declared
        events, exposure = rows.counts @ rows.columns
        return {"concentration": 2.0, "shape": 2.0, "rate": 2.0 * exposure / events}

    def third_log_prior(self, problem: Setup, parameters: PoissonParameters, numbers: dict[str, Any]) -> float:
        gamma = stats.gamma(numbers["shape"], scale=1 / numbers["rate"])
        return float(gamma.logpdf(parameters.rates).sum())

    def third_rounding(self, problem: Setup, parameters: PoissonParameters) -> float:
        # Logarithms of large factorials lose digits to one another.
        rows = problem.declared
        return float(4 * np.finfo(float).eps * (rows.counts @ gammaln(rows.columns[:, 0] + 1)))

    def prior_draws(
        self, comparison: Comparison, prior: PoissonPrior, n: int, random: np.random.Generator
    ) -> dict[str, Floats]:
        return {"rates": random.gamma(prior.shape, 1 / prior.rate, size=(n, comparison.n_components))}

    def changed_priors(self, prior: PoissonPrior) -> dict[str, PoissonPrior]:
        changed = [PoissonPrior(prior.shape * by, prior.rate * by, prior.concentration) for by in (0.5, 2.0)]
        return {f"Gamma({each.shape:g}, {each.rate:.4g})": each for each in changed}

    def replicates(
        self, data: EventCounts, every: Iterable[PoissonParameters], random: np.random.Generator
    ) -> Iterator[EventCounts]:
        exposure, labels = np.repeat(data.exposure, data.counts), np.repeat(data.labels, data.counts)
        for parameters in every:
            drawn = random.choice(parameters.n_components, size=len(labels), p=parameters.weights)
            events = parameters.simulate(np.where(labels < 0, drawn, labels), exposure, random)
            yield EventCounts(events, exposure, labels=labels)

    def simulated(
        self, data: EventCounts, parameters: PoissonParameters, components: Integers, random: np.random.Generator
    ) -> EventCounts:
        exposure = np.repeat(data.exposure, data.counts)
        return EventCounts(parameters.simulate(components, exposure, random), exposure)

    def inside(self, parameters: PoissonParameters, *, free: bool) -> PoissonParameters:
        rates = np.maximum(parameters.rates, 1e-3 * parameters.rates.max())
        weights = np.maximum(parameters.weights, 1e-3) if free else parameters.weights
        return PoissonParameters(weights / weights.sum(), rates)

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
            expected = _expected(data, self.arrays(of), np.arange(largest)).sum(axis=0)
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

    def predictive_curves(self, problem: Setup, drawn: Sequence[EventCounts], curve: Any) -> list[PredictiveCurve]:
        numbers = self._numbers(problem)
        tables = [
            np.bincount(d.events, weights=d.counts, minlength=len(numbers))[: len(numbers)]
            for d in (problem.data, *drawn)
        ]
        return [curve("counts", problem.comparison.unit or "events", numbers, tables[0], np.array(tables[1:]))]

    def margins(self, problem: Setup) -> list[Margin]:
        data, numbers = problem.data, self._numbers(problem)

        def below(at: float, arrays: dict[str, Floats]) -> Floats:
            """Share of the rows expected to have so many events at most, a known component counted for its own rows."""
            total: Floats = np.zeros(np.shape(arrays["rates"])[:-1])
            for e, label, rows in zip(data.exposure, data.labels, data.counts, strict=True):
                chance = pdtr(at, e * arrays["rates"])
                total = total + rows * (chance[..., label] if label >= 0 else (arrays["weights"] * chance).sum(axis=-1))
            return np.asarray(total / data.n)

        return [
            Margin(
                kind="counts",
                name="events",
                unit=problem.comparison.unit,
                values=data.events,
                ties=0.0,
                most=np.inf,
                grid=numbers.astype(float),
                observed=np.bincount(data.events, weights=data.counts, minlength=len(numbers))[: len(numbers)],
                expected=lambda arrays: _expected(data, arrays, numbers),
                below=below,
            )
        ]

    def _numbers(self, problem: Setup) -> Integers:
        """Numbers of events that are drawn."""
        return np.arange(min(int(problem.data.events.max()), MOST_NUMBERS) + 1)


def _expected(data: EventCounts, arrays: dict[str, Floats], numbers: Integers) -> Floats:
    """``(..., K, numbers)`` rows expected to have these numbers of events, a known component counted for its own rows."""
    rates = arrays["rates"]
    total = np.zeros((*rates.shape, len(numbers)))
    kinds, place = np.unique(np.column_stack([data.exposure, data.labels]), axis=0, return_inverse=True)
    rows = np.bincount(place.ravel(), weights=data.counts)
    for (e, label), count in zip(kinds, rows, strict=True):
        chance = stats.poisson.pmf(numbers, e * rates[..., None])
        share = arrays["weights"] if label < 0 else np.eye(rates.shape[-1])[int(label)] * np.ones_like(rates)
        total += count * share[..., None] * chance
    return total


POISSONS = Poissons()
