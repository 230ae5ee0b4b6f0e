"""A family of somebody's own as a comparison sees it: all from its densities by SciPy's and PyMC's names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

import em
from comparisons.capabilities import Margin
from comparisons.declaration import Comparison
from comparisons.declared_rows import DeclaredRows
from comparisons.families.family import Family, Setup
from comparisons.families.tried import tried
from comparisons.results.report_data import Distance, PredictiveCurve, QuantilePlot
from em.general import GeneralMixture
from em.general import family_mixture as fitted
from models import family as declared
from models.family import FamilyPrior, Rows
from models.inputs import Floats, Integers, instance_of

if TYPE_CHECKING:
    import pymc as pm

# Points of a density, and numbers of a count that are drawn at most.
GRID, MOST_NUMBERS = 200, 400


class OwnFamily(Family):
    """See `comparisons.families.family.Family`; EM's densities are the third ones here, so PyMC's are held against one other."""

    data, prior, prior_numbers = Rows, FamilyPrior, ()
    columns_told = "one, of the numbers that the family is of"
    default_reason = "Declared with the family; of free weights one row more for each."

    def __init__(self, own: declared.Family) -> None:
        self.own, self.name, self.parameters = own, own.name, own.kind
        self.variables = tuple(own.parameters)
        self.scales = {name: each.scale for name, each in own.parameters.items()}  # type: ignore[misc]
        self.roles, self.ordered_by = (own.data,), self.variables[0].replace("_", " ")

    def distribution(self, arrays: dict[str, Floats]) -> Any:
        """Of SciPy, with arrays that broadcast."""
        return self.own.scipy(**{name: arrays[name] for name in self.variables})

    @property
    def discrete(self) -> bool:
        """Whether rows are counts."""
        frozen = self.distribution({n: np.array(float(p.prior.scipy().mean())) for n, p in self.own.parameters.items()})
        return not hasattr(getattr(frozen, "dist", frozen), "pdf")

    def fitting(self, comparison: Comparison, data: Rows) -> Comparison:
        if comparison.prior is not None:
            instance_of("prior", comparison.prior, FamilyPrior)
        prior = self.own.prior if comparison.prior is None else comparison.prior
        tried(self.own, data.y, comparison.n_components, prior)
        return comparison

    def default_prior(self, data: Rows, n_components: int) -> FamilyPrior:
        return self.own.prior

    def columns(self, data: Rows) -> Floats:
        return data.y[:, None]

    def column_names(self, comparison: Comparison) -> list[str]:
        return [self.own.data]

    def with_columns(self, data: Rows, columns: Floats, counts: Any, labels: Any) -> Rows:
        return Rows(columns[:, 0], counts, labels)

    def from_roles(self, values: dict[str, Floats], counts: Any, labels: Any) -> Rows:
        return Rows(values[self.own.data], counts, labels)

    def row(self, problem: Setup, i: int) -> str:
        return f"{self.own.data} {problem.data.y[i]:.6g}"

    def fit(self, problem: Setup, **options: Any) -> em.Fit[Any, Any]:
        c = problem.comparison
        return fitted(self.own, problem.data, c.n_components, c.weights, **options)

    def mixture(self, problem: Setup, prior: FamilyPrior | None, *, standardise: bool) -> GeneralMixture:
        return GeneralMixture(self.own, problem.data, problem.weights, prior)

    def model(self, problem: Setup) -> pm.Model:
        c = problem.comparison
        return declared.family_mixture(self.own, problem.data, c.n_components, c.weights, problem.prior)

    def _log_density(self, y: Floats, arrays: dict[str, Floats]) -> Floats:
        with np.errstate(all="ignore"):
            frozen = self.distribution(arrays)
            return np.asarray(frozen.logpmf(y) if self.discrete else frozen.logpdf(y))

    def log_densities(self, data: Rows, parameters: Any) -> Floats:
        return self._log_density(data.y[:, None], {n: getattr(parameters, n)[..., None, :] for n in self.variables})

    def refuse_others(self, problem: Setup, parameters: Any) -> None:
        mixture = self.mixture(problem, None, standardise=False)
        if not mixture.exists(mixture.to_vector(parameters)):
            raise ValueError(f"a parameter of {self.name} has left its domain")

    def random_parameters(self, problem: Setup, weights: Floats, random: np.random.Generator) -> Any:
        k = problem.comparison.n_components
        drawn = self.prior_draws(problem.comparison, problem.prior, 1, random)
        return self.parameters(weights, *(drawn[name].reshape(k) for name in self.variables))

    def columns_of_pymc(self, values: dict[str, Any]) -> Floats:
        return np.asarray(values["observed_y"])[:, None]

    def words(self, problem: Setup) -> tuple[dict[str, str], str, list[str]]:
        priors = [f"{name}[k] ~ {prior!r}" for name, prior in problem.prior.parameters.items()]
        inside = ", ".join(f"{name}[k]" for name in self.variables)
        return {}, f"{self.own.data}[i] | z[i] = k ~ {self.name}({inside})", priors

    def notes(self, problem: Setup) -> dict[str, str]:
        return super().notes(problem) | {"prior": "weights and the family's parameters", "distances": "Of the rows. "}

    def third_density(self, rows: DeclaredRows, parameters: Any, component: int) -> Floats:
        own = {name: np.asarray(getattr(parameters, name)[component]) for name in self.variables}
        return self._log_density(rows.columns[:, 0], own)

    def third_prior_numbers(self, problem: Setup) -> dict[str, Any]:
        return {"concentration": 2.0}

    def third_log_prior(self, problem: Setup, parameters: Any, numbers: dict[str, Any]) -> float:
        priors = problem.prior.parameters
        return float(sum(priors[name].scipy().logpdf(getattr(parameters, name)).sum() for name in self.variables))

    def prior_draws(
        self, comparison: Comparison, prior: FamilyPrior, n: int, random: np.random.Generator
    ) -> dict[str, Floats]:
        size = (n, comparison.n_components)
        return {name: prior.parameters[name].scipy().rvs(size=size, random_state=random) for name in self.variables}

    def changed_priors(self, prior: FamilyPrior) -> dict[str, FamilyPrior]:
        return {}

    def replicates(self, data: Rows, every: Iterable[Any], random: np.random.Generator) -> Iterator[Rows]:
        labels = np.repeat(data.labels, data.counts)
        for parameters in every:
            drawn = random.choice(parameters.n_components, size=len(labels), p=parameters.weights)
            component = np.where(labels < 0, drawn, labels)
            yield Rows(self._drawn(parameters, component, random), labels=labels)

    def _drawn(self, parameters: Any, component: Integers, random: np.random.Generator) -> Floats:
        own = {name: getattr(parameters, name)[component] for name in self.variables}
        return np.asarray(self.distribution(own).rvs(size=len(component), random_state=random), dtype=float)

    def simulated(self, data: Rows, parameters: Any, components: Integers, random: np.random.Generator) -> Rows:
        return Rows(self._drawn(parameters, components, random))

    def distances(
        self, problem: Setup, fit: Any, refits: Sequence[tuple[Rows, Any]], placed: Any
    ) -> tuple[list[Distance], list[QuantilePlot]]:
        def apart(pair: tuple[Rows, Any]) -> float:
            """Largest distance of the distribution functions, times the root of the rows (Kolmogorov & Smirnov)."""
            data, parameters = pair
            order = np.argsort(data.y, kind="stable")
            y, counts = data.y[order], data.counts[order]
            last = np.append(np.diff(y) > 0, True)
            upto, expected = np.cumsum(counts)[last] / data.n, self._below(y[last], self.arrays(parameters), data)
            before = 0.0 if self.discrete else np.abs(expected - np.append(0.0, upto[:-1])).max()
            return float(np.sqrt(data.n) * max(np.abs(upto - expected).max(), before))

        return [placed("Kolmogorov–Smirnov", apart, (problem.data, fit), list(refits))], []

    def departure(self, problem: Setup, departing: list[int]) -> str:
        return f"The distribution of {self.own.data} {'departs' if departing else 'shows no departure'} from"

    def _below(self, at: Any, arrays: dict[str, Floats], data: Rows) -> Floats:
        """Distribution function at ``at``, known components counted for their own rows."""
        values = np.asarray(at, dtype=float)
        cdf = self.distribution({n: arrays[n][..., None, :] for n in self.variables}).cdf(values.reshape(-1, 1))
        k = cdf.shape[-1]
        known = np.bincount(data.labels[data.labels >= 0], weights=data.counts[data.labels >= 0], minlength=k)
        hidden = float(data.counts[data.labels < 0].sum())
        shares = (known + hidden * arrays["weights"]) / data.n
        return np.asarray((cdf * shares[..., None, :]).sum(axis=-1)).reshape((*shares.shape[:-1], *values.shape))

    def statistics(self, comparison: Comparison, data: Rows) -> dict[str, float]:
        y = np.repeat(data.y, data.counts)
        z = (y - y.mean()) / (y.std() or 1.0)
        of = self.own.data
        return {
            f"skewness of {of}": float((z**3).mean()),
            f"smallest {of}": float(y.min()),
            f"largest {of}": float(y.max()),
        }

    def predictive_curves(self, problem: Setup, drawn: Sequence[Rows], curve: Any) -> list[PredictiveCurve]:
        grid = np.linspace(problem.data.y.min(), problem.data.y.max(), GRID)

        def shares(data: Rows) -> Floats:
            values = np.sort(np.repeat(data.y, data.counts))
            return np.searchsorted(values, grid, side="right") / len(values)

        return [curve("distribution", self.own.data, grid, shares(problem.data), np.array([shares(d) for d in drawn]))]

    def margins(self, problem: Setup) -> list[Margin]:
        data, name = problem.data, self.own.data
        low, high = float(data.y.min()), float(data.y.max())
        if self.discrete:
            grid = np.arange(low, min(high, low + MOST_NUMBERS) + 1)
            observed = np.array([data.counts @ (data.y == number) for number in grid])
            size = float(data.n)
        else:
            grid, observed, size = np.linspace(low, high, GRID), None, 1.0

        def expected(arrays: dict[str, Floats]) -> Floats:
            own = {n: arrays[n][..., None] for n in self.variables}
            return size * arrays["weights"][..., None] * np.exp(self._log_density(grid, own))

        return [
            Margin(
                kind="counts" if self.discrete else "density",
                name=name,
                unit=problem.comparison.unit or name,
                values=data.y,
                ties=0.0,
                most=np.inf,
                grid=grid,
                observed=observed,
                expected=expected,
                below=lambda at, arrays: self._below(at, arrays, data),
            )
        ]


@cache
def of_family(own: declared.Family) -> OwnFamily:
    """The family as a comparison sees it, one for each."""
    return OwnFamily(own)
