"""EM for latent classes: items ``y_j`` with categories ``c``, independent given one of K classes that is not known.

    E-step:  r_ik  proportional to  w_k prod_j p_kj(y_ij),  over the items j that row i has
    M-step:  p_kjc = (sum_i r_ik [y_ij = c] + a - 1) / sum_c (the same),     w_k = (sum_i r_ik + b - 1) / (n + K (b - 1))

with the prior ``p_kj ~ Dirichlet(a)``, ``w ~ Dirichlet(b)``; a = b = 1 without one. Source: Goodman (1974), Biometrika 61, 215.
Probabilities are often 0 at the maximum; EM gets there in the limit, and standard errors are those given these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln, xlogy

from em.ascent.acceleration import Acceleration
from em.elementwise import PROBABILITY, Domain, fit_elementwise
from em.exponential import ExponentialMixture, Sums
from em.fit import Fit, Method
from em.mixture import block_diagonal, trusted
from em.search.starts import Starts
from em.weights import from_weight_coordinates, log_dirichlet, mode_of_weights, weight_basis, weight_coordinates
from models.display import displayed
from models.elementwise import as_rows
from models.inputs import Floats, Integers, instance_of
from models.latent_classes import MISSING, ItemResponses, LatentClassParameters, LatentClassPrior
from models.mixtures import MixtureWeights, Weights

# Rows around which a class is tried, at most, and how much of it is like them.
TRIED, ALIKE = 200, 0.8


@dataclass(frozen=True, slots=True, eq=False)
class LatentClassStandardErrors:
    """Standard errors of `models.LatentClassParameters`, the same shapes; NaN where withheld.

    They are 0 of what is held fixed and of probabilities at 0 or 1: those of all others are given these.

    Attributes
    ----------
    reason : why they are withheld, None where they are not
    covariance : ``(p, p)`` of the estimates, ordered as ``names``
    """

    weights: Floats
    item_probabilities: Floats
    reason: str | None
    covariance: Floats
    names: tuple[str, ...]

    __repr__ = displayed


class LatentClassMixture(ExponentialMixture):
    """Features say which category each item is in; see `em.exponential.ExponentialMixture`.

    The full vector has the probabilities of every category, and free coordinates move those of an item on their simplex. Beside
    it densities are those of the probabilities over their sum, so that derivatives by one probability are those of moving it
    while the others of its item give way alike.
    """

    kind = "latent-classes"
    noun, parameters, priors = ItemResponses, LatentClassParameters, LatentClassPrior
    errors = LatentClassStandardErrors
    modal: ClassVar[dict[str, float]] = {"item_concentration": 1.0, "concentration": 1.0}
    domains: dict[str, Domain]  # type: ignore[misc]
    data: ItemResponses
    given_bounds = True

    def __init__(self, data: ItemResponses, weights: MixtureWeights, prior: LatentClassPrior | None) -> None:
        self.domains = dict.fromkeys(data.cell_names, PROBABILITY)
        self.cells, self.sizes = data.cells, data.sizes
        # ``(D, D)`` 1 where two categories are of one item.
        self.of_item = np.equal.outer(self.cells[0], self.cells[0]).astype(float)
        super().__init__(data, weights, prior)
        each = np.eye(self.n_components)
        steps = [np.asarray(np.kron(weight_basis(size, None), each), dtype=float) for size in self.sizes]
        self.basis = block_diagonal(weight_basis(self.n_components, weights.fixed), *steps)

    def places(self) -> Floats:
        observed, indicators, item = self.data.observed, self.data.indicators, self.cells[0]
        if observed.all():
            return indicators
        shares = self.counts @ indicators / np.maximum(self.counts @ observed, 1)[item]
        return np.where(observed[:, item], indicators, shares)

    def features(self) -> tuple[Floats, Floats]:
        return self.data.indicators.T, np.zeros(len(self.data.counts))

    def made(self, weights: Floats, *fields: Floats) -> LatentClassParameters:
        whole = np.zeros((*fields[0].shape, len(self.sizes), int(self.sizes.max())))
        whole[..., self.cells[0], self.cells[1]] = np.stack(fields, axis=-1)
        return trusted(LatentClassParameters, weights=weights, item_probabilities=whole)

    def side_by_side(self, parameters: Any) -> Floats:
        """``(..., K, D)`` probabilities of all categories."""
        return np.asarray(parameters.item_probabilities[..., self.cells[0], self.cells[1]])

    def fields(self, parameters: Any) -> list[Floats]:
        return list(np.moveaxis(self.side_by_side(parameters), -1, 0))

    def natural(self, parameters: Any) -> Floats:
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.side_by_side(parameters)))

    def natural_derivatives(self, parameters: Any) -> tuple[Floats, Floats]:
        p, unit = self.side_by_side(parameters), np.eye(len(self.of_item))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            first = np.where(unit > 0, 1 / p[:, :, None], 0.0) - self.of_item
            own = np.where(unit > 0, -1 / p[:, :, None] ** 2, 0.0)
        # Of a category, by itself twice; and by any two of its item, as the sum is divided by.
        twice = self.of_item[:, :, None] * self.of_item[:, None, :]
        return first, np.where(unit[:, :, None] > 0, own[:, None], 0.0) + twice

    def m_step(self, statistics: Sums) -> LatentClassParameters:
        more, concentration = (
            (0.0, 1.0) if self.prior is None else (self.prior.item_concentration - 1, self.prior.concentration)
        )
        rows = statistics.features + more
        total = rows @ self.of_item
        # Of an item that no row of a class has, or a class without rows, nothing is known.
        p = np.divide(
            rows, total, out=np.broadcast_to(1 / self.sizes[self.cells[0]], rows.shape).copy(), where=total > 0
        )
        weights = mode_of_weights(statistics.rows, self.weights.fixed, concentration)
        return self.made(weights, *np.moveaxis(p, -1, 0))

    def weak(self) -> LatentClassMixture:
        weak = copy(self)
        # A row more in each category: from 0 EM cannot leave.
        weak.prior = LatentClassPrior(2.0, 2.0)
        return weak

    def log_prior(self, parameters: Any) -> Floats | float:
        if self.prior is None:
            return 0.0
        a = self.prior.item_concentration
        constant = self.n_components * (gammaln(a * self.sizes) - self.sizes * gammaln(a)).sum()
        own = constant + xlogy(a - 1, self.side_by_side(parameters)).sum(axis=(-2, -1))
        total: Floats = own + log_dirichlet(parameters.weights, self.weights.fixed, self.prior.concentration)
        return total

    def own_prior_derivatives(self, parameters: Any) -> tuple[Floats, Floats]:
        more, p = self.prior.item_concentration - 1, self.side_by_side(parameters)
        if more == 0:
            return np.zeros_like(p), np.zeros((*p.shape, p.shape[1]))
        sizes = self.sizes[self.cells[0]]
        with np.errstate(divide="ignore", over="ignore"):
            curved = np.where(np.eye(len(sizes)) > 0, -more / p[:, :, None] ** 2, 0.0)
            return more / p - more * sizes, curved + more * sizes * self.of_item

    def bounds(self) -> list[tuple[int, float]]:
        # A probability of 1 is one whose others are 0.
        return [(place, 0.0) for place in range(self.n_components, self.n_parameters)]

    def names(self) -> list[str]:
        k = self.n_components
        own = [f"item_probabilities[{j + 1}, {cell}]" for cell in self.domains for j in range(k)]
        return [*(f"weights[{j + 1}]" for j in range(k)), *own]

    def exists(self, vector: Floats) -> NDArray[np.bool_]:
        return np.asarray((np.isfinite(vector) & (vector >= 0)).all(axis=-1))

    def from_vector(self, vector: Floats) -> LatentClassParameters:
        if not self.exists(vector).all():
            raise FloatingPointError("a probability left its domain")
        weights, *own = self._split(vector)
        p = np.stack(own, axis=-1)
        return self.made(weights, *np.moveaxis(p / (p @ self.of_item), -1, 0))

    def from_published(self, published: LatentClassParameters) -> LatentClassParameters:
        return self.from_vector(self.to_vector(published))

    def coordinates(self, parameters: Any, *, unbounded: bool) -> Floats:
        weights = weight_coordinates(parameters.weights, self.weights.fixed, unbounded=unbounded)
        p = np.moveaxis(self.side_by_side(parameters), -1, -2)
        last = np.cumsum(self.sizes) - 1
        own = np.log(p / p[..., last[self.cells[0]], :]) if unbounded else p
        own = np.delete(own, last, axis=-2)
        return np.concatenate([weights, own.reshape(*own.shape[:-2], -1)], axis=-1)

    def from_coordinates(self, x: Floats, *, unbounded: bool) -> tuple[Floats, Floats]:
        k, item, many = self.n_components, self.cells[0], x.shape[:-1]
        ends = np.cumsum(self.sizes)
        kept = np.delete(np.arange(len(item)), ends - 1)
        free = x.shape[-1] - len(kept) * k
        w, by_w = from_weight_coordinates(x[..., :free], self.weights.fixed, unbounded=unbounded)
        own = np.zeros((*many, len(item), k))
        own[..., kept, :] = x[..., free:].reshape(*many, len(kept), k)
        # As of weights, for all items at once.
        unit, alike = (m[:, kept, None] for m in (np.eye(len(item)), self.of_item))
        if unbounded:
            ratios = np.exp(own - np.maximum.reduceat(own, ends - self.sizes, axis=-2)[..., item, :])
            p = ratios / (self.of_item @ ratios)
            slopes = p[..., :, None, :] * (unit - alike * p[..., None, kept, :])
        else:
            own[..., ends - 1, :] = 1 - np.add.reduceat(own, ends - self.sizes, axis=-2)
            last = np.isin(np.arange(len(item)), ends - 1)[:, None, None]
            p, slopes = own, np.broadcast_to(np.where(last, -alike, unit), (*many, *alike.shape[:2], k))
        by_own = np.moveaxis(slopes, -1, -2)[..., None] * np.eye(k)[:, None, :]
        sized = by_own.reshape(*many, len(item) * k, len(kept) * k)
        return np.concatenate([w, p.reshape(*many, -1)], axis=-1), block_diagonal(by_w, sized)

    def standard_errors(self, _: Any, covariance: Floats, reason: str | None) -> LatentClassStandardErrors:
        errors = self.made(*self._split(np.sqrt(np.diag(covariance))))
        told = errors.weights, errors.item_probabilities
        return LatentClassStandardErrors(*told, reason, covariance, tuple(self.names()))

    def elsewhere(self, random: np.random.Generator) -> Iterator[tuple[Floats, Floats]]:
        # Around rows, most of such a class being like one of them; places are in standard deviations of an even share.
        rows = random.permutation(len(self.counts))[:TRIED]
        shares = self.counts @ self.points / self.n
        p = ALIKE * self.points[rows] + (1 - ALIKE) * (shares + 1 / self.n) / (1 + self.sizes[self.cells[0]] / self.n)
        yield self.log_densities(self.made(np.ones(len(rows)), *p.T)), 2 * p

    def of_rows(self, data: Any, published: Any, of: Callable[[Floats, Integers], Floats], columns: int) -> Floats:
        instance_of("data", data, self.noun)
        return super().of_rows(coded_as(data, self.data), published, of, columns)

    def design_names(self) -> tuple[str, ...]:
        return ("observed",)

    def kept(self) -> dict[str, Any]:
        return super().kept() | {"item_names": self.data.item_names, "categories": self.data.categories}

    @classmethod
    def without_rows(cls, weights: MixtureWeights, kept: dict[str, Any], *own: Any) -> LatentClassMixture:
        codes = np.where(np.array(kept["observed"], dtype=bool), 0, MISSING)
        mixture = cls(ItemResponses(codes, kept["counts"], None, kept["item_names"], kept["categories"]), weights, None)
        mixture.rowless = True
        return mixture

    def drawn(
        self, published: LatentClassParameters, rows: Integers, components: Integers, random: np.random.Generator
    ) -> ItemResponses:
        items = published.simulate(components, random)
        return self.data.with_rows(np.where(self.data.observed[rows], items, MISSING))


def coded_as(data: ItemResponses, known: ItemResponses) -> ItemResponses:
    """The same rows with categories counted as in other data of the same items; ValueError for what these do not have."""
    if data.item_names != known.item_names:
        raise ValueError(f"data has the items {data.item_names}; give those that were fitted: {known.item_names}")
    codes = np.array(data.items)
    for j, (name, here, there) in enumerate(zip(data.names, data.categories, known.categories, strict=True)):
        for code in np.unique(data.items[:, j][data.observed[:, j]]):
            if here[code] not in there:
                raise ValueError(f"data has {name}={here[code]}, a category that the fit does not have")
            codes[data.items[:, j] == code, j] = there.index(here[code])
    return known.with_rows(codes, data.counts, data.labels)


def latent_class_mixture(
    items: ItemResponses | Any,
    n_components: int = 2,
    weights: Weights = "free",
    prior: LatentClassPrior | None = None,
    *,
    counts: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    start: LatentClassParameters | None = None,
    seed: int = 0,
    method: Method = "em",
    acceleration: Acceleration = "auto",
    starts: Starts = "default",
) -> Fit[LatentClassParameters, LatentClassStandardErrors]:
    """Fit latent classes by EM.

    Parameters
    ----------
    items : ``(n, J)`` categories from 0, -1 or NaN where missing, a DataFrame of categories, or `models.ItemResponses`
    n_components : K
    weights : ``"free"``, ``"equal"``, or ``(K,)`` values held fixed
    prior : maximise the log posterior under it; maximum likelihood where None
    counts, labels : as in `models.ItemResponses`
    start : where to start, its labelling kept; several starts and canonical order where None
    seed : of the random starts
    method : ``"em"``, or ``"nelder-mead"`` or ``"bfgs"`` to maximise the same objective directly
    acceleration : as in `em.coin_mixture`
    starts : ``"thorough"`` tries four times as many starts, follows more of them to the end, and rearranges more of the optima

    Returns
    -------
    `em.Fit` with `models.LatentClassParameters`, in every case: ``status`` tells a boundary, saddle or ridge from a maximum. With
    probabilities at 0 or 1 it is a boundary, and standard errors are given these.

    Raises
    ------
    TypeError, ValueError
        for rows fewer than classes, weights, labels or a start that do not fit, or a prior without a mode
    ObjectiveDecreased
        if the objective falls beyond rounding

    References
    ----------
    Goodman (1974), Biometrika 61, 215.
    """
    data = as_rows(ItemResponses, "items", items, counts=counts, labels=labels)
    if isinstance(start, LatentClassParameters):
        shape = (n_components, len(data.sizes), int(data.sizes.max()))
        if start.item_probabilities.shape != shape:
            raise ValueError(
                f"start.item_probabilities has shape {start.item_probabilities.shape} but {shape} belongs to these items"
            )
    if isinstance(prior, LatentClassPrior):
        prior.of(data)
    return fit_elementwise(
        LatentClassMixture,
        "items",
        data,
        n_components,
        weights,
        prior,
        {},
        start=start,
        seed=seed,
        method=method,
        acceleration=acceleration,
        starts=starts,
    )
