"""Latent classes: what a comparison has to know of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy import stats

import em
import models
from comparisons.capabilities import Distribution, Margin
from comparisons.declaration import Comparison
from comparisons.declared_rows import DeclaredRows
from comparisons.families.columns import Missing
from comparisons.families.family import Family, Setup
from comparisons.families.latent_classes import identification, patterns
from comparisons.quantity_names import variable_and_labels
from comparisons.results.report_data import Distance, QuantilePlot
from em.latent_classes import LatentClassMixture
from em.mixture import Scale, has_mode, trusted
from models import ItemResponses, LatentClassParameters, LatentClassPrior
from models.inputs import Floats, Integers, instance_of
from models.latent_classes import MISSING, coded

if TYPE_CHECKING:
    import pymc as pm

P = "item_probabilities"


class LatentClasses(Family):
    """See `comparisons.families.family.Family`.

    Of an item with two categories the probability of the second is a quantity, of others those of all.
    """

    name = "latent-classes"
    also_called = ("multinomials", "categorical")
    data, parameters, prior = ItemResponses, LatentClassParameters, LatentClassPrior
    variables, prior_numbers = (P,), ("item_concentration",)
    columns_told = "two or more items, each a column of categories in words or numbers; cells may be missing"
    measures, categorical, marginal = False, True, True
    missing: Missing = "marginal"
    scales: ClassVar[dict[str, Scale]] = {P: "logit"}
    default_reason = (
        "Half a row more in each category of every item, and one row more for each weight, so that the mode empties no class and "
        "no probability is 0 or 1."
    )

    def in_order(self, headers: Sequence[str]) -> dict[str, str]:
        return {header: header for header in headers}

    def from_roles(self, values: dict[str, Any], counts: Any, labels: Any) -> ItemResponses:
        codes, levels = coded(list(values.values()), [None] * len(values))
        return ItemResponses(codes, counts, labels, tuple(values), levels)

    def told_of(self, data: ItemResponses) -> list[str]:
        told = "; ".join(f"{name}: {', '.join(each)}" for name, each in zip(data.names, data.categories, strict=True))
        gone = int(data.counts @ (~data.observed).sum(axis=1))
        cells = f" {gone} cells are missing and left out of their rows, as if missing at random." if gone else ""
        return [f"Categories of the items – {told}.{cells}"]

    def fitting(self, comparison: Comparison, data: ItemResponses) -> Comparison:
        if comparison.features:
            raise ValueError("features is given but items have names of their own; leave it out")
        if len(data.categories) < 2 and comparison.n_components > 1:
            raise ValueError(
                f"items has 1 column, which cannot tell {comparison.n_components} classes apart; give two items or more"
            )
        if comparison.prior is not None:
            instance_of("prior", comparison.prior, LatentClassPrior)
            for name in ("item_concentration", "concentration"):
                has_mode(name, getattr(comparison.prior, name))
            return replace(comparison, prior=comparison.prior.of(data))
        return comparison

    def default_prior(self, data: ItemResponses, n_components: int) -> LatentClassPrior:
        return LatentClassPrior.weakly_informative().of(data)

    def columns(self, data: ItemResponses) -> Floats:
        return data.columns

    def column_names(self, problem: Setup) -> list[str]:
        return list(problem.data.names)

    def with_columns(self, data: ItemResponses, columns: Floats, counts: Any, labels: Any) -> ItemResponses:
        return data.with_rows(columns, counts, labels)

    def row(self, problem: Setup, i: int) -> str:
        data = problem.data
        told = zip(data.names, data.categories, data.items[i].tolist(), strict=True)
        return ", ".join(f"{name}={'missing' if c == MISSING else each[c]}" for name, each, c in told)

    def structure(self, problem: Setup) -> tuple[Any, ...]:
        return tuple(problem.data.sizes.tolist())

    def fit(self, problem: Setup, **options: Any) -> em.Fit[Any, Any]:
        c = problem.comparison
        return em.latent_class_mixture(problem.data, c.n_components, c.weights, **options)

    def mixture(self, problem: Setup, prior: LatentClassPrior | None, *, standardise: bool) -> LatentClassMixture:
        return LatentClassMixture(problem.data, problem.weights, prior)

    def model(self, problem: Setup) -> pm.Model:
        c = problem.comparison
        return models.latent_class_mixture(problem.data, c.n_components, c.weights, problem.prior)

    def log_densities(self, data: ItemResponses, parameters: LatentClassParameters) -> Floats:
        p = parameters.item_probabilities
        with np.errstate(divide="ignore"):
            each = np.log(p)[..., np.arange(p.shape[-2]), np.maximum(data.items, 0)]
        return np.asarray(np.swapaxes(np.where(data.observed, each, 0.0).sum(axis=-1), -1, -2))

    def to_pymc(self, problem: Setup, parameters: LatentClassParameters) -> dict[str, Floats]:
        p, sizes = parameters.item_probabilities, problem.data.sizes
        alike = sorted(set(sizes.tolist()))
        return {_variable(alike, size): p[:, sizes == size, :size] for size in alike}

    def free_numbers(self, problem: Setup, natural: dict[str, Floats]) -> Floats:
        item, category = problem.data.cells
        free = category < problem.data.sizes[item] - 1
        return np.asarray(natural[P][:, item[free], category[free]].ravel())

    def refuse_others(self, problem: Setup, parameters: LatentClassParameters) -> None:
        p, sizes = parameters.item_probabilities, problem.data.sizes
        beyond = np.arange(p.shape[-1]) >= sizes[:, None]
        if not ((p >= 0).all() and np.abs(p.sum(axis=-1) - 1).max() <= 1e-8 and (p[:, beyond] == 0).all()):
            raise ValueError(
                "some item probabilities are below 0, do not sum to 1, or are of a category that there is not"
            )

    def random_parameters(self, problem: Setup, weights: Floats, random: np.random.Generator) -> LatentClassParameters:
        p = _drawn(problem.data.sizes.tolist(), 2.0, (problem.comparison.n_components,), random)
        return LatentClassParameters(weights, p)

    def columns_of_pymc(self, values: dict[str, Any]) -> Floats:
        rows = values["observed_items"]
        return np.where(rows == MISSING, np.nan, rows)

    def structurally_unidentified(self, problem: Setup) -> str | None:
        return identification.unidentified(problem)

    def identifiability(self, problem: Setup) -> str:
        return identification.told(problem)

    def order_told(self, problem: Setup) -> str:
        data, j = problem.data, problem.order.first
        later = data.categories[j][1:]
        beyond = later[0] if len(later) == 1 else f"any but {data.categories[j][0]}"
        why = ", the first item that separates them about as well as any" if j else ""
        return f"by the probability of {data.names[j]}={beyond}{why}"

    def cells(self, problem: Setup) -> list[tuple[str, int, int]]:
        """Name, item and category of every probability that is a quantity."""
        data = problem.data
        named = zip(data.cell_names, *(each.tolist() for each in data.cells), strict=True)
        return [(name, j, c) for name, j, c in named if data.sizes[j] > 2 or c == 1]

    def quantities(self, problem: Setup, arrays: dict[str, Any]) -> dict[str, Any]:
        components = enumerate(problem.comparison.components)
        cells = self.cells(problem)
        return {f"{P}[{k}, {name}]": arrays[P][..., i, j, c] for i, k in components for name, j, c in cells}

    def from_quantities(self, problem: Setup, values: dict[str, Floats]) -> dict[str, Floats]:
        data, components = problem.data, problem.comparison.components
        n = len(next(iter(values.values())))
        p = np.zeros((n, len(components), len(data.sizes), int(data.sizes.max())))
        for i, k in enumerate(components):
            for name, j, c in self.cells(problem):
                p[:, i, j, c] = values[f"{P}[{k}, {name}]"]
        two = data.sizes == 2
        p[:, :, two, 0] = 1 - p[:, :, two, 1]
        return {P: p}

    def places(self, problem: Setup, arrays: dict[str, Floats]) -> dict[str, Integers]:
        (item, category), k = problem.data.cells, len(arrays["weights"])
        of_cells = np.zeros(arrays[P].shape, dtype=np.int64)
        of_cells[:, item, category] = np.arange(k)[:, None] + k * np.arange(len(item))
        return {"weights": np.arange(k), P: of_cells}

    def entries(self, problem: Setup, values: Any) -> Floats:
        item, category = problem.data.cells
        return np.concatenate([values.weights, getattr(values, P)[:, item, category].T.ravel()])

    def vector_names(self, problem: Setup) -> list[str]:
        return [f"{P}[{k}, {cell}]" for cell in problem.data.cell_names for k in problem.comparison.components]

    def em_names(self, problem: Setup) -> dict[str, str]:
        components = enumerate(problem.comparison.components)
        return {
            f"{P}[{k}, {name}]": f"{P}[{i + 1}, {name}]" for i, k in components for name, _, _ in self.cells(problem)
        }

    def of_fit(self, problem: Setup, fit: em.Fit[Any, Any]) -> dict[str, tuple[float, float]]:
        p, e = fit.parameters.item_probabilities, fit.standard_errors.item_probabilities
        components, cells = enumerate(problem.comparison.components), self.cells(problem)
        return {f"{P}[{k}, {n}]": (float(p[i, j, c]), float(e[i, j, c])) for i, k in components for n, j, c in cells}

    def varied(
        self, problem: Setup, parameters: LatentClassParameters, changed: dict[str, float]
    ) -> LatentClassParameters:
        p, weights = np.array(parameters.item_probabilities), np.array(parameters.weights)
        places = {name: (j, c) for name, j, c in self.cells(problem)}
        for name, value in changed.items():
            variable, labels = variable_and_labels(name)
            k = problem.comparison.components.index(labels[0])
            if variable == "weights":
                weights[k] = value
                continue
            j, c = places[", ".join(labels[1:])]
            # The others of its item share the rest as before.
            rest = 1 - p[k, j, c]
            p[k, j] *= (1 - value) / rest if rest > 0 else 0.0
            p[k, j, c] = value
        return LatentClassParameters(weights, p)

    def pair(self, problem: Setup) -> tuple[str, str] | None:
        name = next(name for name, j, _ in self.cells(problem) if j == problem.order.first)
        first = [f"{P}[{k}, {name}]" for k in problem.comparison.components[:2]]
        return (first[0], first[1]) if len(first) > 1 else None

    def words(self, problem: Setup) -> tuple[dict[str, str], str, list[str]]:
        a = f"{problem.prior.item_concentration:.6g}"
        row = f"items[i, j] | z[i] = k ~ Categorical({P}[k, j])"
        return {"items": f"{len(problem.data.names)}"}, row, [f"{P}[k, j] ~ Dirichlet({a}, ..., {a})"]

    def notes(self, problem: Setup) -> dict[str, str]:
        return super().notes(problem) | {
            "distances": "Over patterns of answers, and of every pair of items over their table (the largest is told). Many "
            "expected counts are too small for the chi-squared distribution, so degrees of freedom are told and not used: ",
            "replicates": "with the same cells missing, " if not problem.data.observed.all() else "",
            "prior": "weights and item probabilities",
        }

    def third_density(self, rows: DeclaredRows, parameters: LatentClassParameters, component: int) -> Floats:
        total = np.zeros(len(rows.counts))
        for column, p in zip(rows.columns.T, parameters.item_probabilities[component], strict=True):
            seen = ~np.isnan(column)
            total[seen] += stats.rv_discrete(values=(np.arange(len(p)), p / p.sum())).logpmf(column[seen])
        return total

    def third_prior_numbers(self, problem: Setup) -> dict[str, Any]:
        return {"concentration": 2.0, "item_concentration": 1.5}

    def third_log_prior(self, problem: Setup, parameters: LatentClassParameters, numbers: dict[str, Any]) -> float:
        return float(
            sum(
                stats.dirichlet(np.full(size, numbers["item_concentration"])).logpdf(p[:size] / p[:size].sum())
                for of_class in parameters.item_probabilities
                for p, size in zip(of_class, problem.data.sizes.tolist(), strict=True)
            )
        )

    def reread(self, problem: Setup, values: dict[str, Floats], n: int) -> dict[str, Floats]:
        sizes = [len(each) for each in problem.data.categories]
        whole = np.zeros((n, len(problem.comparison.components), len(sizes), max(sizes)))
        seen = dict.fromkeys(sizes, 0)
        for j, size in enumerate(sizes):
            whole[:, :, j, :size] = values[_variable(list(seen), size)][:, :, seen[size]]
            seen[size] += 1
        return {P: whole}

    def reread_keys(self, arrays: dict[str, Floats]) -> Floats:
        return np.asarray(1 - arrays[P][..., 0])

    def reread_quantities(self, problem: Setup, arrays: dict[str, Floats]) -> dict[str, Floats]:
        found = {}
        for j, (item, categories) in enumerate(zip(problem.data.item_names, problem.data.categories, strict=True)):
            for c, category in enumerate(categories):
                for k, component in enumerate(problem.comparison.components):
                    found[f"{P}[{component}, {item}={category}]"] = arrays[P][:, k, j, c]
        return found

    def prior_draws(
        self, comparison: Comparison, prior: LatentClassPrior, n: int, random: np.random.Generator
    ) -> dict[str, Floats]:
        assert prior.sizes is not None, "a declared prior has the sizes of its items"
        return {P: _drawn(prior.sizes, prior.item_concentration, (n, comparison.n_components), random)}

    def changed_priors(self, prior: LatentClassPrior) -> dict[str, LatentClassPrior]:
        changed = [replace(prior, item_concentration=prior.item_concentration * by) for by in (0.5, 2.0)]
        return {f"Dirichlet({each.item_concentration:g}, ...)": each for each in changed}

    def prior_is_flat(self, prior: LatentClassPrior) -> bool:
        return prior.item_concentration == 1

    def replicates(
        self, data: ItemResponses, every: Iterable[LatentClassParameters], random: np.random.Generator
    ) -> Iterator[ItemResponses]:
        rows = data.taken(np.repeat(np.arange(len(data.counts)), data.counts))
        for parameters in every:
            drawn = random.choice(parameters.n_components, size=data.n, p=parameters.weights)
            items = parameters.simulate(np.where(rows.labels < 0, drawn, rows.labels), random)
            yield data.with_rows(np.where(rows.observed, items, MISSING), None, rows.labels)

    def simulated(
        self, data: ItemResponses, parameters: LatentClassParameters, components: Integers, random: np.random.Generator
    ) -> ItemResponses:
        observed = np.repeat(data.observed, data.counts, axis=0)
        return data.with_rows(np.where(observed, parameters.simulate(components, random), MISSING))

    def nothing_to_test(self, problem: Setup) -> str | None:
        return patterns.nothing_to_test(problem)

    def inside(self, parameters: LatentClassParameters, *, free: bool) -> LatentClassParameters:
        weights = np.maximum(parameters.weights, 1e-3) if free else parameters.weights
        # A probability that is 0 in every class may be of a category that there is not; the mixture leaves such out.
        p = np.maximum(parameters.item_probabilities, 1e-3)
        return trusted(LatentClassParameters, weights=weights / weights.sum(), item_probabilities=p)

    def distances(
        self,
        problem: Setup,
        fit: LatentClassParameters,
        refits: Sequence[tuple[ItemResponses, LatentClassParameters]],
        placed: Any,
    ) -> tuple[list[Distance], list[QuantilePlot]]:
        return patterns.distances(problem, fit, refits, placed), []

    def departure(self, problem: Setup, departing: list[int]) -> str:
        return f"The patterns of answers {'depart' if departing else 'show no departure'} from"

    def statistics(self, comparison: Comparison, data: ItemResponses) -> dict[str, float]:
        return patterns.associations(data)

    def distributions(self, problem: Setup) -> list[Distribution]:
        data, found = problem.data, []
        for j, (name, each) in enumerate(zip(data.names, data.categories, strict=True)):
            of, grid = partial(patterns.table, j=j), np.arange(len(each), dtype=float)
            found.append(Distribution("counts", _numbered(name, each), grid, of(data), of))
        return found

    def margins(self, problem: Setup) -> list[Margin]:
        return [self._margin(problem.data, j) for j in range(len(problem.data.sizes))]

    def _margin(self, data: ItemResponses, j: int) -> Margin:
        """Of one item, over the rows that have it."""
        size, name, seen = int(data.sizes[j]), data.names[j], data.observed[:, j]
        rows = data.counts * seen

        def expected(arrays: dict[str, Floats]) -> Floats:
            weights, p = arrays["weights"], arrays[P][..., j, :size]
            known = np.array([rows @ (data.labels == k) for k in range(weights.shape[-1])])
            shares = rows @ (data.labels < 0) * weights + known
            return np.asarray(shares[..., None] * p)

        return Margin(
            kind="counts",
            name=name,
            unit=_numbered(name, data.categories[j]),
            values=np.where(seen, data.items[:, j], np.nan),
            ties=0.0,
            most=float(size - 1),
            grid=np.arange(size, dtype=float),
            observed=patterns.table(data, j),
            expected=expected,
            below=lambda at, arrays: expected(arrays)[..., : int(at) + 1].sum(axis=(-2, -1)) / rows.sum(),
        )


def _variable(alike: Sequence[int], size: int) -> str:
    """PyMC's name of the probabilities of the items with so many categories."""
    return P if len(alike) == 1 else f"{P}_{size}"


def _numbered(name: str, categories: Sequence[str]) -> str:
    """An item with what its numbers stand for, where these are not what they are called."""
    if list(categories) == [str(c) for c in range(len(categories))]:
        return name
    return f"{name} ({', '.join(f'{c}: {word}' for c, word in enumerate(categories))})"


def _drawn(sizes: Sequence[int], concentration: float, many: tuple[int, ...], random: np.random.Generator) -> Floats:
    """``(*many, J, C)`` item probabilities from the prior."""
    p = np.zeros((*many, len(sizes), max(sizes)))
    for j, size in enumerate(sizes):
        p[..., j, :size] = random.dirichlet(np.full(size, concentration), many)
    return p


LATENT_CLASSES = LatentClasses()
