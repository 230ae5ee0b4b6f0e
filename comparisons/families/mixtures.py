"""The core's questions answered for a mixture of any family."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

import em
import models
from comparisons.capabilities import Margin, Parameters
from comparisons.declaration import Comparison
from comparisons.families import words
from comparisons.families.family import Family, Setup
from comparisons.families.simulation import MixtureSimulation
from comparisons.families.third import MixtureThird
from comparisons.families.unconstrained import UnconstrainedPosterior
from comparisons.problem import Prior, Problem
from comparisons.quantity_names import quoted
from comparisons.results.result import DoubtFound, Model
from comparisons.results.strict_json import number
from em.mixture import Scale, row_log_likelihoods
from em.relabelled import relabelled
from em.search.collapse import chance_gain
from em.search.doubts import MINIMUM_RATIO
from em.uncertainty.curvature import Curvature, curvature
from models.inputs import Floats, Integers, cut
from models.mixtures import MixtureWeights, exchangeable_groups
from models.order import FIRST, Order

if TYPE_CHECKING:
    import pymc as pm
    import xarray as xr

# What a share may be off by for rounding.
SAME_SHARES = 1e-8
# Rows on which a fused likelihood is held against PyMC's own distributions, and labelled ones as many at most.
SOME_ROWS = 500
# Rows from which NumPy draws without replacement; among more, none is drawn twice but by a rare chance.
MOST_TO_DRAW_FROM = 10**9


class MixtureProblem(Setup, Problem):
    """A declared mixture with its rows and its prior, for both engines."""

    __slots__ = ()

    @property
    def n(self) -> int:
        return int(self.data.n)

    @property
    def structure(self) -> tuple[Any, ...]:
        return (
            self.family.name,
            self.comparison.n_components,
            self.weights.free,
            self.likelihood,
            *self.family.structure(self),
        )

    def in_words(self) -> Model:
        return words.model(self)

    def observed(self) -> dict[str, list[Any]]:
        """Rows as fitted: distinct, with their counts, and with their labels where any is known."""
        values = self.family.columns(self.data)
        names = self.family.column_names(self)
        columns: dict[str, list[Any]] = {name: [number(v) for v in values[:, j]] for j, name in enumerate(names)}
        columns["counts"] = self.data.counts.tolist()
        if (self.data.labels >= 0).any():
            columns["labels"] = self.data.labels.tolist()
        return columns

    # EM's side

    def fit(
        self, prior: Prior | None, start: Parameters | None = None, seed: int = 0, *, path: bool = False
    ) -> em.Fit[Any, Any]:
        acceleration = None if path else self.family.acceleration
        fit = self.family.fit(self, prior=prior, start=start, seed=seed, acceleration=acceleration)
        return fit if start is not None else self.relabelled(fit)

    def mixture(self, prior: Prior | None, *, standardise: bool = False) -> Any:
        """The objective of EM as an object, for its derivatives at any point; in the user's own units, or in those of a fit."""
        return self.family.mixture(self, prior, standardise=standardise)

    def log_likelihood(self, parameters: Parameters) -> float:
        return self.family.log_likelihood(self, parameters)

    def heights(self) -> Callable[[Parameters], float]:
        mixture = self.mixture(None, standardise=True)

        def height(parameters: Parameters) -> float:
            statistics = mixture.e_step(mixture.from_published(parameters))
            return float(statistics.log_likelihood + mixture.likelihood_offset)

        return height

    def log_prior(self, parameters: Parameters) -> float:
        return self.family.log_prior(self, parameters)

    def row_log_likelihoods(self, parameters: Parameters) -> Floats:
        mixture = self.mixture(None, standardise=True)
        return row_log_likelihoods(mixture, mixture.from_published(parameters))

    @property
    def names(self) -> tuple[str, ...]:
        c = self.comparison
        return (*(f"weights[{name}]" for name in c.components), *self.family.vector_names(self))

    @property
    def n_free(self) -> int:
        return int(self.mixture(None).basis.shape[1])

    def entries(self, values: Any) -> Floats:
        return self.family.entries(self, values)

    def curvature(self, prior: Prior | None, parameters: Parameters) -> Curvature | None:
        # In the units of a fit, in which no power of the data's own unit is too large or too small for a double.
        mixture = self.mixture(prior, standardise=True)
        inside = mixture.from_published(parameters)
        if mixture.constrained(inside):
            return None
        judged = curvature(mixture, inside)
        basis, flat, slow = (
            mixture.by_feature(d) for d in (judged.basis, judged.flat_directions, judged.slow_directions)
        )
        return replace(
            judged,
            basis=basis * mixture.vector_units[:, None],
            direction=mixture.by_feature(judged.direction[:, None])[:, 0],
            flat_directions=flat,
            slow_directions=slow,
        )

    def profile_interval(self, fit: em.Fit[Any, Any], name: str, probability: float) -> em.Interval:
        return em.profile_interval(fit, self.em_names[name], probability)

    @property
    def em_names(self) -> dict[str, str]:
        """EM's name of every quantity by the comparison's."""
        components = enumerate(self.comparison.components, 1)
        weights = {f"weights[{component}]": f"weights[{k}]" for k, component in components}
        return weights | self.family.em_names(self)

    def made_by_chance(self, parameters: Parameters, gain: float) -> bool:
        narrow = self.family.standard_deviation_ratio(parameters) < MINIMUM_RATIO
        return narrow and not gain > chance_gain(self.mixture(None))

    def doubts(self, fit: em.Fit[Any, Any]) -> list[DoubtFound]:
        names = self.comparison.components
        return [
            DoubtFound(
                d.ground,
                names[d.component],
                number(d.spread_ratio),
                d.rows,
                number(d.below),
                number(d.below_at_ratio),
                d.told([*map(quoted, names)]),
            )
            for d in fit.doubts
        ]

    # PyMC's side

    def model(self) -> pm.Model:
        return self.family.model(self)

    def sampled_near(self, *points: Parameters) -> Self:
        exact = self.likelihood == "pymc" or all(self.family.fused_near(self, point) for point in points)
        return self if exact else replace(self, fused_from=np.inf)

    def of_some_rows(self, random: np.random.Generator) -> tuple[pm.Model, pm.Model] | None:
        if self.likelihood == "pymc":
            return None
        data = self.data
        drawn = random.choice(len(data.counts), min(SOME_ROWS, len(data.counts)), replace=False)
        labelled = np.flatnonzero(data.labels >= 0)[:SOME_ROWS]
        some = self.of_rows(np.union1d(drawn, labelled))
        own, sampled = (replace(some, fused_from=least) for least in (np.inf, 0))
        return own.model(), sampled.model()

    def from_pymc(self, values: dict[str, Any]) -> Parameters:
        fixed = self.weights.fixed
        weights = values["weights"] if fixed is None else fixed
        return self.family.from_pymc(weights / np.sum(weights), values)

    def to_pymc(self, parameters: Parameters) -> dict[str, Floats]:
        weights = {"weights": parameters.weights} if self.weights.free else {}
        return {**weights, **self.family.to_pymc(self, parameters)}

    def free_numbers(self, natural: dict[str, Floats]) -> Floats:
        weights = natural["weights"][:-1] if self.weights.free else np.zeros(0)
        return np.concatenate([weights, self.family.free_numbers(self, natural)])

    def interior(self, parameters: Parameters) -> bool:
        return bool((parameters.weights > 0).all())

    def refuse_others(self, parameters: Parameters) -> None:
        weights = parameters.weights
        if not ((weights >= 0).all() and abs(weights.sum() - 1) <= SAME_SHARES):
            raise ValueError(f"the weights are {cut(str(weights))}, which are no shares of 1")
        fixed = self.weights.fixed
        if fixed is not None and not np.allclose(weights, fixed, rtol=0, atol=SAME_SHARES):
            raise ValueError(f"the weights are {cut(str(weights))} where they are held at {cut(str(fixed))}")
        self.family.refuse_others(self, parameters)

    def random_parameters(self, random: np.random.Generator) -> Parameters:
        fixed = self.weights.fixed
        weights = random.dirichlet(np.full(self.comparison.n_components, 2.0)) if fixed is None else fixed
        return self.family.random_parameters(self, weights, random)

    def sampled(self, rows: int, random: np.random.Generator) -> Self:
        data = self.data
        if len(data.counts) <= rows:
            return self
        if data.counts.sum() < MOST_TO_DRAW_FROM:
            counts = random.multivariate_hypergeometric(data.counts, rows, method="marginals")
        else:
            counts = random.multinomial(rows, data.counts / data.counts.sum())
        return self.of_rows(np.flatnonzero(counts), counts)

    def of_rows(self, rows: Integers, counts: Integers | None = None) -> Self:
        """The same problem of some distinct rows, by their places, with other ``counts`` ``(n,)`` of all where given."""
        data = self.data
        counts = data.counts if counts is None else counts
        columns = self.family.columns(data)[rows]
        return replace(self, data=self.family.with_columns(data, columns, counts[rows], data.labels[rows]))

    # Components that can be exchanged

    @property
    def groups(self) -> Integers:
        """``(K,)`` group of each component; those of one group are exchangeable."""
        return exchangeable_groups(self.weights, self.data.labels)

    def ordered_by(self, point: Parameters) -> Self:
        return replace(self, order=self.family.order(self, point, self.groups))

    @property
    def ordered(self) -> bool:
        return True

    def relabelled(self, fit: em.Fit[Any, Any]) -> em.Fit[Any, Any]:
        return relabelled(fit, self.order)

    def in_order(self, parameters: Parameters) -> Parameters:
        return self.family.of_arrays(permuted(self.arrays(parameters), self.order.permutation(parameters, self.groups)))

    def exchangeable(self, model: pm.Model) -> Integers:
        return exchangeable(model)

    def draws_in_order(self, tree: xr.DataTree, groups: Integers) -> xr.Dataset:
        drawn: xr.Dataset = models.canonical_order(tree, groups, self.order)["posterior"].to_dataset()
        return drawn

    @property
    def coordinates(self) -> dict[str, list[str]]:
        features = list(self.comparison.features)
        told = {"feature": features, "feature_2": features} if features else {}
        return {"component": list(self.comparison.components), **told}

    # Quantities

    def arrays(self, parameters: Parameters) -> dict[str, Floats]:
        return self.family.arrays(parameters)

    def arrays_of_draws(self, posterior: xr.Dataset) -> dict[str, Floats]:
        arrays = {str(name): variable.values for name, variable in posterior.data_vars.items()}
        held = self.weights.fixed
        if held is not None:
            arrays["weights"] = np.broadcast_to(held, (posterior.sizes["chain"], posterior.sizes["draw"], len(held)))
        return arrays

    def of_arrays(self, arrays: dict[str, Floats]) -> Parameters:
        return self.family.of_arrays(arrays)

    def quantities(self, arrays: dict[str, Any]) -> dict[str, Any]:
        free, components = self.weights.free, self.comparison.components
        found = {f"weights[{name}]": arrays["weights"][..., k] for k, name in enumerate(components) if free}
        return found | self.family.quantities(self, arrays)

    def arrays_of(self, values: dict[str, Floats]) -> dict[str, Floats]:
        """Invert `quantities`: the parameters ``(n, K, ...)`` of ``n`` draws from their quantities by name."""
        held, n = self.weights.fixed, len(next(iter(values.values())))
        weights = (
            np.stack([values[f"weights[{name}]"] for name in self.comparison.components], axis=1)
            if held is None
            else np.tile(held, (n, 1))
        )
        return {"weights": weights, **self.family.from_quantities(self, values)}

    def gradients(self, parameters: Parameters) -> dict[str, Floats]:
        slopes = self.quantities(self._unit_vectors(parameters))
        at = {name: float(value) for name, value in self.quantities(self.arrays(parameters)).items()}
        return self.family.slopes(parameters, slopes, at)

    def _unit_vectors(self, parameters: Parameters) -> dict[str, Floats]:
        """By name the derivative of each array by each entry of the full vector, which stand along a leading axis."""
        places = self.family.places(self, self.family.arrays(parameters))
        sizes = {name: int(values.max()) + 1 for name, values in places.items()}
        ends = dict(zip(sizes, np.cumsum(list(sizes.values())), strict=True))
        unit = np.eye(sum(sizes.values()))
        return {name: unit[:, places[name] + ends[name] - size] for name, size in sizes.items()}

    def of_fit(self, fit: em.Fit[Any, Any]) -> dict[str, tuple[float, float]]:
        weights = zip(fit.parameters.weights.tolist(), fit.standard_errors.weights.tolist(), strict=True)
        found = {f"weights[{c}]": pair for c, pair in zip(self.comparison.components, weights, strict=True)}
        return found | self.family.of_fit(self, fit)

    def scale(self, name: str) -> Scale:
        return self.family.scale(name)

    def prior_draws(self, groups: Integers, n: int, random: np.random.Generator) -> dict[str, Floats]:
        return drawn(self.family, self.comparison, self.prior, groups, n, random, self.order)

    def prior_is_flat(self) -> bool:
        weights = not self.weights.free or self.prior.concentration == 1
        return weights and self.family.prior_is_flat(self.prior)

    # What a model may be without

    @property
    def unconstrained(self) -> UnconstrainedPosterior:
        return UnconstrainedPosterior(self.mixture(self.prior, standardise=True))

    @property
    def third(self) -> MixtureThird:
        return MixtureThird(self)

    @property
    def simulation(self) -> MixtureSimulation:
        return MixtureSimulation(self)

    def exact(self, thresholds: dict[str, list[float]]) -> Any:
        return self.family.exact(self, thresholds)

    def structurally_unidentified(self) -> str | None:
        return self.family.structurally_unidentified(self)

    def identifiability(self) -> str:
        return self.family.identifiability(self)

    def margins(self) -> list[Margin]:
        return self.family.margins(self)

    def surface(self) -> tuple[str, str] | None:
        return self.family.pair(self)

    def varied(self, parameters: Parameters, changed: dict[str, float]) -> Parameters:
        return self.family.varied(self, parameters, changed)


def exchangeable(model: pm.Model) -> Integers:
    """Groups of components that the model cannot tell apart."""
    return np.asarray(model["exchangeable"].get_value(), dtype=np.int64)


def drawn(
    family: Family,
    comparison: Comparison,
    prior: Prior,
    exchangeable: Integers,
    n: int,
    random: np.random.Generator,
    order: Order = FIRST,
) -> dict[str, Floats]:
    """``n`` draws of weights and parameters by PyMC's names, exchangeable components in canonical order."""
    k = comparison.n_components
    fixed = MixtureWeights.of(comparison.weights, k).fixed
    weights = np.tile(fixed, (n, 1)) if fixed is not None else random.dirichlet(np.full(k, prior.concentration), n)
    arrays = {"weights": weights, **family.prior_draws(comparison, prior, n, random)}
    return permuted(arrays, order.permutation(family.of_arrays(arrays), exchangeable))


def permuted(arrays: dict[str, Floats], permutation: Integers) -> dict[str, Floats]:
    """Arrays ``(..., K, ...)`` with their components in the order ``permutation`` ``(..., K)``."""
    axis = permutation.ndim - 1
    return {
        name: np.take_along_axis(values, permutation.reshape(*permutation.shape, *[1] * (values.ndim - axis - 1)), axis)
        for name, values in arrays.items()
    }
