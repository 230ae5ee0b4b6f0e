"""Mixtures of normals of which cells are missing, as the layers that all mixtures share see them.

The E-step is that of each pattern of cells seen, led to all features; see `em.gaussians.patterns`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from em.gaussians.derivatives import normal_derivatives, normal_scores
from em.gaussians.mixture import GaussianMixture
from em.gaussians.moments import GaussianStatistics, statistics_of
from em.gaussians.normal_rows import NormalRows
from em.gaussians.patterns import Pattern, marginal_log_densities, patterns_of
from em.mixture import trusted
from models.gaussians.covariances import CovarianceForm
from models.gaussians.measurements import Measurements
from models.gaussians.nouns import GaussianParameters, GaussianPrior
from models.inputs import Floats, Integers
from models.mixtures import MixtureWeights

# Times the least variance, relative to the data's own, up to which what was seen of a row shows where a component is narrow.
AS_NARROW = 4.0


class PatternRows:
    """Rows with cells missing as an E-step wants them: `NormalRows` of what was seen, pattern by pattern."""

    def __init__(self, y: Floats, counts: Integers, labels: Integers, k: int, *, diagonal: bool) -> None:
        self.patterns = patterns_of(y)
        self.seen = [
            NormalRows(
                y[each.rows[:, None], each.seen],
                counts[each.rows],
                labels[each.rows],
                k,
                diagonal=diagonal and len(each.seen) > 0,
            )
            for each in self.patterns
        ]

    def statistics(self, parameters: GaussianParameters) -> GaussianStatistics:
        """As `NormalRows.statistics`, with expectations in place of the missing cells."""
        first, *others = (
            each.filled(rows.statistics(each.marginal(parameters)), parameters.means, parameters.covariances)
            for each, rows in zip(self.patterns, self.seen, strict=True)
        )
        return sum(others, start=first)

    def sizes(self, parameters: GaussianParameters, held: NDArray[np.bool_]) -> Floats:
        """As `NormalRows.sizes`."""
        both = zip(self.patterns, self.seen, strict=True)
        return np.asarray(np.max([rows.sizes(each.marginal(parameters), held) for each, rows in both], axis=0))

    def products(self, _: GaussianParameters) -> None:
        """Products of features, which are not those of all rows."""
        return


class IncompleteGaussianMixture(GaussianMixture):
    """Rows with cells missing; inside the features stay what they are, as combinations of them were not seen.

    Starts take rows with their expectations, under one normal of the data's own covariance, in place of what is missing.
    """

    missing = "marginal"

    def __init__(
        self,
        data: Measurements,
        weights: MixtureWeights,
        form: CovarianceForm,
        prior: GaussianPrior | None,
        *,
        minimum_ratio: float | None = None,
        standardise: bool = True,
        told: Callable[[int, Floats | float], None] | None = None,
    ) -> None:
        super().__init__(data, weights, form, prior, minimum_ratio=minimum_ratio, standardise=standardise, told=told)
        # A missing cell has no volume.
        spare = float(self.counts @ (np.isnan(self.inside) @ np.log(self.units.unit)))
        self.likelihood_offset, self.offset = self.likelihood_offset + spare, self.offset + spare
        self.bounded = self.ratio is not None or prior is not None or self._widths_are_held()

    def _widths_are_held(self) -> bool:
        """Whether, for the cells of any row, so many rows have all of them that no width there goes to 0."""
        unseen, labels = np.isnan(self.inside), self.labels

        def least(among: NDArray[np.bool_]) -> int:
            return min(int((among & ~unseen[:, each.seen].any(axis=1)).sum()) for each in self.rows.patterns)

        if self.form.tied:
            return least(labels < self.n_components) >= self.n_components + self.interpolated
        return bool((labels >= 0).all()) and all(least(labels == k) >= self.interpolated for k in np.unique(labels))

    @cached_property
    def rows(self) -> PatternRows:  # type: ignore[override]
        diagonal = self.form.shape != "full"
        return PatternRows(self.inside, self.counts, self.labels, self.n_components, diagonal=diagonal)

    def _hold(self, inside: Floats, counts: Integers, labels: Integers) -> None:
        super()._hold(inside, counts, labels)
        vars(self).pop("whole", None)

    @cached_property
    def whole(self) -> Floats:
        filled, centre = np.array(self.inside), self.start_prior.mean
        for each in self.rows.patterns:
            turn, _ = each.expectation(self.total)
            filled[each.rows] = centre + (filled[each.rows[:, None], each.seen] - centre[each.seen]) @ turn.T
        return filled

    def log_densities(self, parameters: GaussianParameters) -> Floats:
        return marginal_log_densities(parameters, self.inside, diagonal=self.form.shape != "full")

    def scores(self, parameters: GaussianParameters) -> Floats:
        scores = np.zeros((len(self.inside), self.n_components, self.d + self.entries))
        for each in self.rows.patterns:
            marginal = each.marginal(parameters)
            own = normal_scores(self.inside[each.rows[:, None], each.seen], marginal.means, marginal.covariances)
            scores[each.rows[:, None], :, each.entries] = own.swapaxes(1, 2)
        return scores

    def summed_scores(self, parameters: GaussianParameters) -> None:
        return None

    def complete_hessian(self, parameters: GaussianParameters, weighted: Floats) -> Floats:
        curved = np.zeros((self.n_components, *(self.d + self.entries,) * 2))
        for each, seen in self._moments(weighted, parameters):
            if not len(each.seen):
                continue
            precisions, sizes = np.linalg.inv(each.marginal(parameters).covariances), (seen.rows, seen.rows)
            own = normal_derivatives(precisions, sizes, seen.first, seen.second)[1]
            curved[:, each.entries[:, None], each.entries] += own
        return curved

    def further_missing(self, parameters: GaussianParameters, weighted: Floats) -> Floats:
        moments = self._filled(weighted, parameters)
        precisions, sizes = np.linalg.inv(parameters.covariances), (moments.rows, moments.rows)
        whole = normal_derivatives(precisions, sizes, moments.first, moments.second)[1]
        return self.complete_hessian(parameters, weighted) - whole

    def _moments(
        self, expected: Floats, parameters: GaussianParameters
    ) -> Iterator[tuple[Pattern, GaussianStatistics]]:
        """Each pattern, and moments of what was seen about the means ``(..., K, d)`` of rows expected ``(..., n, K)`` times."""
        for each in self.rows.patterns:
            y, means = self.inside[each.rows[:, None], each.seen], parameters.means[..., each.seen]
            yield each, statistics_of(expected[..., each.rows, :], np.nan, y, means)

    def _filled(self, expected: Floats, parameters: GaussianParameters) -> GaussianStatistics:
        """The same of all features, summed, with expectations at the parameters in place of missing cells."""
        means, covariances = parameters.means, parameters.covariances
        first, *others = (each.filled(seen, means, covariances) for each, seen in self._moments(expected, parameters))
        return sum(others, start=first)

    @property
    def information_steps(self) -> float:
        return float(self.n_parameters)

    def sees_narrowest(self, parameters: GaussianParameters) -> NDArray[np.bool_]:
        spreads = np.empty((len(self.inside), self.n_components))
        for each in self.rows.patterns:
            root = np.linalg.inv(np.linalg.cholesky(self.total[each.seen[:, None], each.seen]))
            relative = root @ each.marginal(parameters).covariances @ root.T
            spreads[each.rows] = np.linalg.eigvalsh(relative)[:, 0] if len(each.seen) else np.inf
        return np.asarray(spreads <= AS_NARROW * spreads.min(axis=0))

    def start_from(self, responsibilities: Floats, *, wide: bool = True) -> GaussianParameters:
        many, k = responsibilities.shape[:-2], self.n_components
        one = trusted(
            GaussianParameters,
            weights=np.ones((*many, k)),
            means=np.broadcast_to(self.start_prior.mean, (*many, k, self.d)),
            covariances=np.broadcast_to(self.total, (*many, k, self.d, self.d)),
        )
        return self._started(self._filled(responsibilities * self.counts[:, None], one), wide=wide)

    def _about(self, white: Floats, places: Integers) -> tuple[Floats, Floats, Floats]:
        half_distances, constants = np.empty((len(self.inside), len(places))), np.empty((len(self.inside), 1))
        features = np.empty((len(self.inside), 1))
        for each in self.rows.patterns:
            root = np.linalg.inv(np.linalg.cholesky(self.total[each.seen[:, None], each.seen]))
            rows, theirs = (y[:, each.seen] @ root.T for y in (self.inside[each.rows], self.whole[places]))
            half_distances[each.rows] = 0.5 * ((rows[:, None] - theirs) ** 2).sum(axis=2)
            constants[each.rows] = np.log(np.diagonal(root)).sum() - 0.5 * len(each.seen) * np.log(2 * np.pi)
            features[each.rows] = len(each.seen)
        return half_distances, constants, features

    def simulated(
        self,
        parameters: GaussianParameters,
        rows: Integers,
        components: Integers,
        labels: Integers,
        random: np.random.Generator,
    ) -> GaussianMixture:
        drawn = np.where(np.isnan(self.inside[rows]), np.nan, parameters.simulate(components, random))
        return self._on(Measurements(drawn, labels=labels, missing="marginal"))

    def _on(self, inside: Measurements) -> GaussianMixture:
        return mixture_of(inside, self.weights, self.form, self.prior, standardise=False)


def mixture_of(
    data: Measurements, weights: MixtureWeights, form: CovarianceForm, prior: GaussianPrior | None, **options: Any
) -> GaussianMixture:
    """The mixture of rows in memory, of which cells may be missing; ``options`` as `GaussianMixture` has them."""
    kind = GaussianMixture if data.complete else IncompleteGaussianMixture
    return kind(data, weights, form, prior, **options)
