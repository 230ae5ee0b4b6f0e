"""Families whose parameters are numbers, one of each a component: a comparison from their distribution by SciPy."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

import em
from comparisons.capabilities import Distribution, Margin
from comparisons.declaration import Comparison
from comparisons.declared_rows import DeclaredRows
from comparisons.families.family import Family, Setup
from comparisons.results.report_data import Distance, QuantilePlot
from em.elementwise import ElementwiseMixture
from em.mixture import has_mode
from models.inputs import Floats, Integers, cut, instance_of, some_of

if TYPE_CHECKING:
    import pymc as pm

# Points of a density, and numbers of a count that are drawn at most; beyond, none has more than a few rows.
GRID, MOST_NUMBERS = 200, 400


class ElementwiseFamily(Family):
    """See `comparisons.families.family.Family`.

    Attributes
    ----------
    mixtures : of `em`
    fitted, built : the functions of `em` and of `models`
    design : roles of columns that the distribution of the first one depends on
    rows_told : what rows are, in words
    bounds_told : what a parameter beyond its bounds is not, in words
    """

    mixtures: ClassVar[type[ElementwiseMixture]]
    fitted: Callable[..., Any]
    built: Callable[..., Any]
    rows_told: str
    bounds_told: str
    design: tuple[str, ...] = ()

    @property
    def discrete(self) -> bool:
        """Whether the first column holds counts."""
        return False

    # What a family tells

    @abstractmethod
    def distribution(self, arrays: dict[str, Floats], *design: Any) -> Any:
        """Of `scipy.stats`, frozen, with arrays that broadcast, those of the design among them."""

    @abstractmethod
    def prior_of(self, numbers: dict[str, Any]) -> dict[str, Any]:
        """Of `scipy.stats`, of each variable by the numbers of a prior."""

    @abstractmethod
    def again(self, data: Any, parameters: Any, components: Integers, random: np.random.Generator) -> Any:
        """Rows of these components ``(n,)`` in the design of as many, without labels."""

    # What follows

    def fitting(self, comparison: Comparison, data: Any) -> Comparison:
        if comparison.features:
            raise ValueError(
                f"features is {some_of(comparison.features)} but {self.rows_told} have none; leave them out"
            )
        if comparison.prior is not None:
            instance_of("prior", comparison.prior, self.prior)
            for name, least in self.mixtures.modal.items():
                has_mode(name, getattr(comparison.prior, name), least)
        return comparison

    def default_prior(self, data: Any, n_components: int) -> Any:
        return self.prior.weakly_informative(data)

    def columns(self, data: Any) -> Floats:
        columns: Floats = data.columns
        return columns

    def column_names(self, problem: Setup) -> list[str]:
        return list(self.roles)

    def from_roles(self, values: dict[str, Floats], counts: Any, labels: Any) -> Any:
        return self.data(**values, counts=counts, labels=labels)

    def with_columns(self, data: Any, columns: Floats, counts: Any, labels: Any) -> Any:
        return self.data(*columns.T, counts, labels)

    def fit(self, problem: Setup, **options: Any) -> em.Fit[Any, Any]:
        c = problem.comparison
        fit: em.Fit[Any, Any] = self.fitted(problem.data, c.n_components, c.weights, **options)
        return fit

    def mixture(self, problem: Setup, prior: Any, *, standardise: bool) -> Any:
        return self.mixtures(problem.data, problem.weights, prior)

    def model(self, problem: Setup) -> pm.Model:
        c = problem.comparison
        further = {"likelihood": problem.likelihood} if self.fusable(problem) else {}
        model: pm.Model = self.built(problem.data, c.n_components, c.weights, problem.prior, **further)
        return model

    def _arrays(self, parameters: Any) -> dict[str, Floats]:
        return {name: getattr(parameters, name) for name in self.variables}

    def log_density(self, columns: Floats, arrays: dict[str, Floats]) -> Floats:
        """Of rows ``(..., c)`` under parameters that broadcast over them."""
        with np.errstate(all="ignore"):
            frozen = self.distribution(arrays, *(columns[..., j] for j in self._places))
            return np.asarray(frozen.logpmf(columns[..., 0]) if self.discrete else frozen.logpdf(columns[..., 0]))

    @property
    def _places(self) -> list[int]:
        """Of the design among the columns."""
        return [self.roles.index(name) for name in self.design]

    def log_densities(self, data: Any, parameters: Any) -> Floats:
        return self.log_density(
            data.columns[:, None, :], {name: v[..., None, :] for name, v in self._arrays(parameters).items()}
        )

    def refuse_others(self, problem: Setup, parameters: Any) -> None:
        for name, domain in self.mixture(problem, None, standardise=False).domains.items():
            values = getattr(parameters, name)
            if not ((values >= domain.low) & (values <= domain.high)).all():
                raise ValueError(f"the {name} are {cut(str(values))}, some of which are no {self.bounds_told}")

    def columns_of_pymc(self, values: dict[str, Any]) -> Floats:
        names = self.data.__slots__[:-2]
        return np.column_stack([values[f"observed_{names[0]}"], *(values[name] for name in names[1:])])

    def third_density(self, rows: DeclaredRows, parameters: Any, component: int) -> Floats:
        own = {name: np.asarray(values[component]) for name, values in self._arrays(parameters).items()}
        return self.log_density(rows.columns, own)

    def third_log_prior(self, problem: Setup, parameters: Any, numbers: dict[str, Any]) -> float:
        priors = self.prior_of(numbers)
        return float(sum(priors[name].logpdf(values).sum() for name, values in self._arrays(parameters).items()))

    def numbers_of(self, prior: Any) -> dict[str, Any]:
        """Of a prior, the weights' left out."""
        return {name: getattr(prior, name) for name in self.prior_numbers}

    def prior_draws(self, comparison: Comparison, prior: Any, n: int, random: np.random.Generator) -> dict[str, Floats]:
        size, priors = (n, comparison.n_components), self.prior_of(self.numbers_of(prior))
        return {name: priors[name].rvs(size=size, random_state=random) for name in self.variables}

    def replicates(self, data: Any, every: Iterable[Any], random: np.random.Generator) -> Iterator[Any]:
        rows = data.taken(np.repeat(np.arange(len(data.counts)), data.counts))
        for parameters in every:
            drawn = random.choice(parameters.n_components, size=len(rows.labels), p=parameters.weights)
            new = self.again(rows, parameters, np.where(rows.labels < 0, drawn, rows.labels), random)
            yield self.with_columns(new, new.columns, None, rows.labels)

    def simulated(self, data: Any, parameters: Any, components: Integers, random: np.random.Generator) -> Any:
        rows = data.taken(np.repeat(np.arange(len(data.counts)), data.counts))
        return self.again(rows, parameters, components, random)

    def _averaged(self, of: Callable[[Any], Floats], arrays: dict[str, Floats], data: Any) -> Floats:
        """``(..., K, G)`` what ``of`` says of a distribution, averaged over the rows; a known component for its own ones."""
        kinds = np.column_stack([data.columns[:, self._places], data.labels])
        kinds, place = np.unique(kinds, axis=0, return_inverse=True)
        own = {name: arrays[name][..., None] for name in self.variables}
        total: Any = 0.0
        for (*design, label), rows in zip(kinds, np.bincount(place.ravel(), weights=data.counts), strict=True):
            weights = arrays["weights"]
            share = weights if label < 0 else np.eye(weights.shape[-1])[int(label)] * np.ones_like(weights)
            with np.errstate(all="ignore"):
                total = total + rows / data.n * share[..., None] * of(self.distribution(own, *design))
        return np.asarray(total)

    def below(self, at: Any, arrays: dict[str, Floats], data: Any) -> Floats:
        """Distribution function of the mixture at ``at``, a number or ``(G,)``."""
        found = self._averaged(lambda frozen: frozen.cdf(np.atleast_1d(at)), arrays, data).sum(axis=-2)
        return found if np.ndim(at) else np.asarray(found[..., 0])

    def steps(self, data: Any) -> tuple[Floats, Floats]:
        """Distinct values in order, and the share of the rows up to each."""
        y = data.columns[:, 0]
        values, place = np.unique(y, return_inverse=True)
        return values, np.cumsum(np.bincount(place, weights=data.counts)) / data.n

    def most(self, data: Any) -> float:
        """From where on the share of the rows up to a value is not known."""
        return np.inf

    def distances(
        self, problem: Setup, fit: Any, refits: Sequence[tuple[Any, Any]], placed: Any
    ) -> tuple[list[Distance], list[QuantilePlot]]:
        def apart(pair: tuple[Any, Any]) -> float:
            """Largest distance of the distribution functions, times the root of the rows (Kolmogorov & Smirnov)."""
            data, parameters = pair
            values, upto = self.steps(data)
            expected = self.below(values, self.arrays(parameters), data)
            before = 0.0 if self.discrete else np.abs(expected - np.append(0.0, upto[:-1])).max()
            return float(np.sqrt(data.n) * max(np.abs(upto - expected).max(), before))

        return [placed("Kolmogorov–Smirnov (√n D)", apart, (problem.data, fit), list(refits))], []

    def departure(self, problem: Setup, departing: list[int]) -> str:
        return f"The distribution of {self.roles[0]} {'departs' if departing else 'shows no departure'} from"

    def statistics(self, comparison: Comparison, data: Any) -> dict[str, float]:
        y, of = np.repeat(data.columns[:, 0], data.counts), self.roles[0]
        z = (y - y.mean()) / (y.std() or 1.0)
        return {
            f"skewness of {of}": float((z**3).mean()),
            f"smallest {of}": float(y.min()),
            f"largest {of}": float(y.max()),
        }

    def distributions(self, problem: Setup) -> list[Distribution]:
        y = problem.data.columns[:, 0]
        grid = np.linspace(y.min(), y.max(), GRID)

        def shares(data: Any) -> Floats:
            values, upto = self.steps(data)
            return np.asarray(np.append(0.0, upto)[np.searchsorted(values, grid, side="right")])

        return [Distribution("distribution", self.roles[0], grid, shares(problem.data), shares)]

    def margins(self, problem: Setup) -> list[Margin]:
        data, name = problem.data, self.roles[0]
        y = data.columns[:, 0]
        if self.discrete:
            grid = np.arange(y.min(), min(y.max(), y.min() + MOST_NUMBERS) + 1)
            observed = np.array([data.counts @ (y == number) for number in grid])
        else:
            grid, observed = np.linspace(y.min(), y.max(), GRID), None

        def expected(arrays: dict[str, Floats]) -> Floats:
            of = self._averaged(lambda frozen: frozen.pmf(grid) if self.discrete else frozen.pdf(grid), arrays, data)
            return np.asarray(data.n * of) if self.discrete else of

        return [
            Margin(
                kind="counts" if self.discrete else "density",
                name=name,
                unit=problem.comparison.unit or name if self.discrete else name,
                values=y,
                # Measurements are rounded.
                ties=0.0 if self.discrete else 0.5,
                most=self.most(data),
                grid=grid,
                observed=observed,
                expected=expected,
                below=lambda at, arrays: self.below(at, arrays, data),
            )
        ]
