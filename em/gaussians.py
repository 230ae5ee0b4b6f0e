"""EM for mixtures of normal distributions in d dimensions, with six forms of the covariances.

    E-step:  r_ik  proportional to  w_k Normal_d(y_i; mu_k, Sigma_k)
    M-step:  the mode of the normal-inverse-Wishart posterior given  N_k = sum_i r_ik  and the moments about the current
             means,  A_k = sum_i r_ik (y_i - mu_k),  B_k = sum_i r_ik (y_i - mu_k)(y_i - mu_k)'.

Source: McLachlan & Peel (2000), Finite Mixture Models, ch. 3; the mode after Fraley & Raftery (2007), Journal of
Classification 24, 155. The mode is in (weights, means, covariances): the divisor of a full covariance is
``nu + N_k + d + 2``.

A prior on a covariance of any shape is, up to a constant, ``|Sigma|^(-e/2) exp(-tr(S Sigma^-1) / 2)``: it adds ``S`` to
the scatter and ``e`` to its divisor, so one M-step, one gradient and one Hessian serve all forms.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from em.acceleration import Acceleration
from em.chunks import Rows, chunks_of
from em.covariances import (
    CovariancePrior,
    component_prior_derivatives,
    free_entries,
    from_lower,
    from_root_coordinates,
    log_component_prior,
    lower_directions,
    normal_derivatives,
    normal_scores,
    project,
    root_coordinates,
)
from em.fit import Fit, Method, checked_options, fit_mixture
from em.mixture import (
    Sum,
    block_diagonal,
    fitting_start,
    from_weight_coordinates,
    has_mode,
    log_dirichlet,
    log_weights,
    mode_of_weights,
    responsibilities,
    trusted,
    weight_basis,
    weight_coordinates,
    weight_prior_derivatives,
)
from em.moments import GaussianStatistics, statistics_of
from em.normal_rows import NormalRows
from em.progress import Progress
from em.sample import SAMPLE, drawn, keys
from em.spread_ratio import SpreadRatio
from em.starts import Starts
from em.units import Units
from models.gaussians import (
    Covariance,
    CovarianceForm,
    GaussianParameters,
    GaussianPrior,
    Measurements,
    sample_covariance,
)
from models.inputs import Floats, Integers, finite_array, instance_of
from models.mixtures import MixtureWeights, Weights, checked_labels, enough_rows, exchangeable_groups

# Below this share of the data's own spread a component has no width that double precision can hold.
NO_WIDTH = 1e-10


def log_densities(parameters: GaussianParameters, y: Floats) -> Floats:
    """``(..., n, n_components)`` log density of each row ``y`` ``(n, d)`` under each component."""
    if y.shape[1] == 1:
        means, variances = parameters.means[..., 0], parameters.covariances[..., 0, 0]
        distances = (y - means[..., None, :]) ** 2 / variances[..., None, :]
        return np.asarray(-0.5 * distances - 0.5 * np.log(2 * np.pi * variances)[..., None, :])
    inverse_cholesky = np.linalg.inv(np.linalg.cholesky(parameters.covariances))
    half_log_determinant = -np.log(np.diagonal(inverse_cholesky, axis1=-2, axis2=-1)).sum(axis=-1)[..., None, :]
    *many, k, d = parameters.means.shape
    distances = np.empty((*many, len(y), k))
    for j in range(k):
        root = inverse_cholesky[..., j, :, :]
        standardised = (y - parameters.means[..., j, None, :]) @ root.swapaxes(-1, -2)
        distances[..., j] = np.einsum("...ij,...ij->...i", standardised, standardised)
    return np.asarray(-0.5 * distances - half_log_determinant - 0.5 * d * np.log(2 * np.pi))


def log_likelihood(parameters: GaussianParameters, data: Measurements) -> float:
    """Log density of all rows, the hidden components summed out, in nats, all constants included."""
    return e_step(parameters, data).log_likelihood


def log_prior(
    parameters: GaussianParameters, prior: GaussianPrior, weights: MixtureWeights, form: CovarianceForm
) -> Floats:
    """``(...)`` log density of the prior in (weights, means, free entries of the covariances); tied ones count once."""
    both = log_component_prior(parameters.means, parameters.covariances, prior, form)
    return both + log_dirichlet(parameters.weights, weights.fixed, prior.concentration)


def e_step(parameters: GaussianParameters, data: Measurements) -> GaussianStatistics:
    """Expected sufficient statistics of the rows at the parameters, known labels respected."""
    joint = log_weights(parameters.weights) + log_densities(parameters, data.y)
    r, row_log_likelihood = responsibilities(joint, data.labels)
    log_likelihood = float(row_log_likelihood @ data.counts)
    return statistics_of(r * data.counts[:, None], log_likelihood, data.y, parameters.means)


def m_step(
    statistics: GaussianStatistics,
    prior: GaussianPrior | None,
    weights: MixtureWeights,
    form: CovarianceForm,
    ratio: SpreadRatio | None = None,
) -> GaussianParameters:
    """Mode of the conjugate posterior given the statistics; ``prior=None`` is maximum likelihood.

    A component that nothing was assigned to, without a prior, has no mode; any values serve, and it keeps its mean and
    is given the covariance of all.
    """
    rows, first, second = statistics.rows, statistics.first, statistics.second
    located = divisors = rows
    if prior is not None:
        # The prior mean is a row there that counts ``shrinkage`` times for the mean and once for the determinant.
        difference = prior.mean - statistics.means
        first = first + prior.shrinkage * difference
        second = second + prior.shrinkage * (difference[..., :, None] * difference[..., None, :])
        located, divisors = rows + prior.shrinkage, rows + 1.0
    empty = None if located.min() > 0 else located <= 0
    shift = first / (located if empty is None else np.where(empty, 1.0, located))[..., None]
    scatter = second - first[..., :, None] * shift[..., None, :]
    if form.tied:
        scatter, divisors = scatter.sum(axis=-3, keepdims=True), divisors.sum(axis=-1, keepdims=True)
    elif empty is not None:
        scatter = np.where(empty[..., None, None], scatter.sum(axis=-3, keepdims=True), scatter)
        divisors = np.where(empty, divisors.sum(axis=-1, keepdims=True), divisors)
    if prior is not None:
        covariance_prior = CovariancePrior.of(prior, form, first.shape[-1])
        scatter, divisors = scatter + covariance_prior.scatter, divisors + covariance_prior.exponent
    covariances = project(scatter / divisors[..., None, None], form)
    if ratio is not None:
        covariances = ratio.constrain(covariances, divisors)
    return trusted(
        GaussianParameters,
        weights=mode_of_weights(rows, weights.fixed, 1.0 if prior is None else prior.concentration),
        means=statistics.means + shift,
        covariances=np.repeat(covariances, rows.shape[-1], axis=-3) if form.tied else covariances,
    )


@dataclass(frozen=True, slots=True, eq=False)
class GaussianStandardErrors:
    """Standard errors of `models.GaussianParameters`, the same shapes; 0 where held fixed, NaN where withheld.

    Attributes
    ----------
    standard_deviations : ``(K, d)`` by the delta method, se(variance) / (2 sd)
    reason : why they are withheld, None where they are not
    covariance : ``(p, p)`` of the weights, means and lower entries of the covariances, ordered as ``names``
    """

    weights: Floats
    means: Floats
    covariances: Floats
    standard_deviations: Floats
    reason: str | None
    covariance: Floats
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """What has to be known of all rows before any of them is fitted.

    Attributes
    ----------
    n : rows, each counted as often as it was seen
    mean, covariance : ``(d,)`` and ``(d, d)``, divisor n - 1
    labels : those that are known of some row
    """

    n: int
    mean: Floats
    covariance: Floats
    labels: Integers

    @classmethod
    def of(cls, data: Measurements) -> Summary:
        """Summarise rows in memory; data without a covariance of full rank are refused."""
        return cls(data.n, np.average(data.y, axis=0, weights=data.counts), sample_covariance(data), data.labels)


class GaussianMixture:
    """The Gaussian family as the shared layers see it, in units of its own; see `em.mixture.Mixture`."""

    def __init__(
        self,
        data: Measurements,
        weights: MixtureWeights,
        form: CovarianceForm,
        prior: GaussianPrior | None,
        *,
        minimum_ratio: float | None = None,
        standardise: bool = True,
        summary: Summary | None = None,
        told: Callable[[int, Floats | float], None] | None = None,
    ) -> None:
        distinct = data.distinct()
        summary = summary or Summary.of(distinct)
        self.told = told
        self.weights, self.form = weights, form
        self.n_components = k = weights.n_components
        self.groups = exchangeable_groups(weights, summary.labels)
        self.d = d = distinct.d
        self.units = Units(np.zeros(d), np.ones(d))
        if standardise:
            deviations = np.sqrt(np.diag(summary.covariance))
            self.units = Units.of(summary.mean, deviations, shared=form.shape == "spherical")
        self.features = distinct.features
        self.keys = keys(distinct.labels, distinct.y) if len(distinct.y) > SAMPLE else None
        # Where rows come in chunks, how many there are in all and the largest size in each column.
        self.extent: tuple[int, Floats] | None = None
        self._hold(self.units.rows(distinct.y), distinct.counts, distinct.labels)
        self.total = self.units.matrices(summary.covariance)
        self.total_inverse_root = np.linalg.inv(np.linalg.cholesky(self.total))
        self.ratio = None if minimum_ratio is None else SpreadRatio.of(minimum_ratio, self.total, form.shape)
        self.bounded = self.ratio is not None
        self.prior = None if prior is None else self.units.prior(prior)
        self.likelihood_offset = self.offset = -summary.n * self.units.log_volume
        if prior is not None:
            entries = {"full": d + 1.0, "diagonal": 2.0, "spherical": 2.0 / d}[form.shape]
            self.offset -= self.units.log_volume * (k + entries * (1 if form.tied else k))
        self.lower = np.tril_indices(d)
        self.directions = lower_directions(d)
        # No entry of a full vector may be below these; for several features eigenvalues decide as well.
        self.least = np.repeat([0.0, -np.finfo(float).max], [k, k * (d + len(self.directions))])
        if d == 1:
            self.least[2 * k :] = NO_WIDTH**2
        # Starts: a tenth of the data's own covariance, worth d + 2 rows, keeps the smallest cluster from a width of 0.
        self.start_prior = GaussianPrior(
            mean=self.units.rows(summary.mean),
            shrinkage=1e-3,
            degrees_of_freedom=d + 2.0,
            scale=0.1 * (d + 2.0) * self.total,
        )

    @cached_property
    def basis(self) -> Floats:
        k, d = self.n_components, self.d
        return block_diagonal(weight_basis(k, self.weights.fixed), np.eye(k * d), free_entries(self.form, k, d))

    def _hold(self, points: Floats, counts: Integers, labels: Integers) -> None:
        self.points, self.counts, self.labels = points, counts, labels
        diagonal = self.form.shape != "full"
        self.rows = NormalRows(points, counts, labels, self.n_components, diagonal=diagonal, extent=self.extent)

    def part(self, rows: slice | Integers) -> GaussianMixture:
        some = copy(self)
        some.keys = None
        some._hold(self.points[rows], self.counts[rows], self.labels[rows])
        return some

    def sample(self, seed: int) -> GaussianMixture:
        return self if self.keys is None else self.part(np.flatnonzero(drawn(self.keys, self.labels, seed)))

    def summed[T: Sum](self, of: Callable[[GaussianMixture], T]) -> T:
        return of(self)

    def e_step(self, parameters: GaussianParameters) -> GaussianStatistics:
        statistics = self.rows.statistics(parameters)
        if self.told is not None:
            self.told(len(self.counts), statistics.log_likelihood + self.likelihood_offset)
        return statistics

    def m_step(self, statistics: GaussianStatistics) -> GaussianParameters:
        return m_step(statistics, self.prior, self.weights, self.form, self.ratio)

    def log_prior(self, parameters: GaussianParameters) -> Floats | float:
        return 0.0 if self.prior is None else log_prior(parameters, self.prior, self.weights, self.form)

    def log_densities(self, parameters: GaussianParameters) -> Floats:
        return log_densities(parameters, self.points)

    def scores(self, parameters: GaussianParameters) -> Floats:
        return normal_scores(self.points, parameters.means, parameters.covariances)

    def complete_hessian(self, parameters: GaussianParameters, weighted: Floats) -> Floats:
        precisions = np.linalg.inv(parameters.covariances)
        moments = statistics_of(weighted, np.nan, self.points, parameters.means)
        by_component = zip(precisions, moments.rows, moments.first, moments.second, strict=True)
        return np.stack([normal_derivatives(p, self.directions, (n, n), a, b)[1] for p, n, a, b in by_component])

    def prior_derivatives(self, parameters: GaussianParameters) -> tuple[Floats, Floats]:
        p, k = len(self.basis), self.n_components
        gradient, hessian = np.zeros(p), np.zeros((p, p))
        if self.prior is not None:
            concentration = self.prior.concentration
            gradient[:k], hessian[:k, :k] = weight_prior_derivatives(parameters.weights, self.weights, concentration)
            by_component = component_prior_derivatives(
                parameters.means, parameters.covariances, self.prior, self.form, self.directions
            )
            for j, (first, second) in enumerate(zip(*by_component, strict=True)):
                own = self.own_coordinates(j)
                gradient[own] = first
                hessian[np.ix_(own, own)] = second
        return gradient, hessian

    def own_coordinates(self, component: int) -> Integers:
        k, d, q = self.n_components, self.d, len(self.directions)
        means = k + component * d + np.arange(d)
        return np.concatenate([means, k + k * d + component * q + np.arange(q)])

    def bounds(self) -> list[tuple[int, float]]:
        return []

    def names(self) -> list[str]:
        k, features = self.n_components, self.features

        def place(j: int, *which: int) -> str:
            return f"[{j + 1}]" if self.d == 1 else f"[{', '.join([str(j + 1), *(features[a] for a in which)])}]"

        entries = [(int(a), int(b)) for a, b in zip(*self.lower, strict=True)]
        return (
            [f"weights[{j + 1}]" for j in range(k)]
            + [f"means{place(j, a)}" for j in range(k) for a in range(self.d)]
            + [f"covariances{place(j, a, b)}" for j in range(k) for a, b in entries]
        )

    def to_vector(self, parameters: GaussianParameters) -> Floats:
        a, b = self.lower
        many = parameters.weights.shape[:-1]
        entries = parameters.covariances if self.d == 1 else parameters.covariances[..., a, b]
        entries = entries.reshape(*many, -1)
        return np.concatenate([parameters.weights, parameters.means.reshape(*many, -1), entries], axis=-1)

    def exists(self, vector: Floats) -> NDArray[np.bool_]:
        d, entries = self.d, vector[..., self.n_components * (1 + self.d) :]
        possible = ((vector >= self.least) & (vector < np.inf)).all(axis=-1)
        if d == 1 and self.ratio is None:
            return np.asarray(possible)
        covariances = from_lower(np.where(possible[..., None], entries, 1.0), d)
        if self.ratio is not None:
            possible &= self.ratio.kept(covariances)
        variances = np.linalg.eigvalsh(covariances)
        # Beyond rounding of the largest, so that a Cholesky factor exists.
        least = np.maximum(NO_WIDTH**2, 8 * d * np.finfo(float).eps * variances[..., -1])
        return np.asarray(possible & (variances[..., 0] > least).all(axis=-1))

    def from_vector(self, vector: Floats) -> GaussianParameters:
        k, d = self.n_components, self.d
        weights, means = vector[..., :k], vector[..., k : k + k * d].reshape(*vector.shape[:-1], k, d)
        covariances = from_lower(vector[..., k + k * d :], d)
        if not (np.isfinite(vector).all() and (weights >= 0).all()):
            raise FloatingPointError("a weight left [0, 1] or a number is not finite")
        return trusted(GaussianParameters, weights=weights, means=means, covariances=covariances)

    def coordinates(self, parameters: GaussianParameters, *, unbounded: bool) -> Floats:
        weights = weight_coordinates(parameters.weights, self.weights.fixed, unbounded=unbounded)
        roots = root_coordinates(parameters.covariances, self.form, unbounded=unbounded)
        means = parameters.means.reshape(*parameters.means.shape[:-2], -1)
        return np.concatenate([weights, means, roots], axis=-1)

    def from_coordinates(self, x: Floats, *, unbounded: bool) -> tuple[Floats, Floats]:
        k, d = self.n_components, self.d
        free = 0 if self.weights.fixed is not None else k - 1
        w, by_w = from_weight_coordinates(x[..., :free], self.weights.fixed, unbounded=unbounded)
        means, roots = x[..., free : free + k * d], x[..., free + k * d :]
        entries, by_roots = from_root_coordinates(roots, self.form, k, d, unbounded=unbounded)
        return np.concatenate([w, means, entries], axis=-1), block_diagonal(by_w, np.eye(k * d), by_roots)

    def smallest_spread(self, parameters: GaussianParameters) -> Floats:
        """Smallest standard deviation of a component as a share of the data's in the same direction."""
        relative = np.linalg.eigvalsh(self.total_inverse_root @ parameters.covariances @ self.total_inverse_root.T)
        return np.sqrt(np.maximum(relative.min(axis=(-2, -1)), 0.0))

    def start_from(self, responsibilities: Floats) -> GaussianParameters:
        expected = responsibilities * self.counts[:, None]
        means = np.zeros((*responsibilities.shape[:-2], self.n_components, self.d))
        statistics = statistics_of(expected, np.nan, self.points, means)
        return m_step(statistics, self.start_prior, self.weights, self.form, self.ratio)

    def constrained(self, parameters: GaussianParameters) -> bool:
        return self.ratio is not None and self.ratio.reached(parameters.covariances)

    def published(self, parameters: GaussianParameters) -> GaussianParameters:
        return self.units.published(parameters)

    def log_joint(self, data: Any, published: GaussianParameters) -> tuple[Floats, Integers]:
        if len(getattr(data, "columns", ())) > self.d and set(self.features) <= set(data.columns):
            data = data[list(self.features)]
        rows = data if isinstance(data, Measurements) else Measurements(data)
        if rows.d != self.d:
            raise ValueError(f"data has {rows.d} features but the fit has {self.d}; give the features that were fitted")
        inside = log_densities(self.units.parameters(published), self.units.rows(rows.y))
        return log_weights(published.weights) + inside, checked_labels(rows.labels, self.n_components)

    def by_chunks(self, data: Any, published: GaussianParameters) -> Any:
        chunks = chunks_of(data, None, None, self.features)
        if chunks is None:
            return None
        if len(chunks.features) != self.d:
            raise ValueError(
                f"data has {len(chunks.features)} features but the fit has {self.d}; give the features that were fitted"
            )
        return chunks.mapped(partial(_shares, units=self.units, published=published), self.n_components)

    def standard_errors(
        self, parameters: GaussianParameters, covariance: Floats, reason: str | None
    ) -> GaussianStandardErrors:
        """Read the covariance of the full vector, in units of its own, as standard errors in the user's units."""
        k, d, unit = self.n_components, self.d, self.units.unit
        a, b = self.lower
        units = np.concatenate([np.ones(k), np.tile(unit, k), np.tile(unit[a] * unit[b], k)])
        sizes = np.sqrt(np.diag(covariance)) * units
        covariances = from_lower(sizes[k + k * d :], d)
        variances = np.diagonal(covariances, axis1=1, axis2=2)
        with np.errstate(over="ignore", under="ignore"):  # variances of covariances, in units to the fourth power
            scaled = covariance if reason is not None else covariance * units * units[:, None]
        return GaussianStandardErrors(
            weights=sizes[:k],
            means=sizes[k : k + k * d].reshape(k, d),
            covariances=covariances,
            standard_deviations=variances / (2 * self.published(parameters).standard_deviations),
            reason=reason,
            covariance=scaled,
            names=tuple(self.names()),
        )


def gaussian_mixture(
    y: Any,
    n_components: int = 2,
    covariance: Covariance = "full",
    weights: Weights = "free",
    labels: Any = None,
    counts: Any = None,
    prior: GaussianPrior | None = None,
    *,
    start: GaussianParameters | None = None,
    seed: int = 0,
    method: Method = "em",
    acceleration: Acceleration = "auto",
    starts: Starts = "default",
    minimum_ratio: float | None = None,
    progress: bool = True,
) -> Fit[GaussianParameters, GaussianStandardErrors]:
    """Fit a mixture of normal distributions by EM.

    Parameters
    ----------
    y : ``(n,)`` or ``(n, d)`` in any units, in memory or in one of the other places of the table below
    n_components : K
    covariance : ``"full"``, ``"tied"``, ``"diagonal"``, ``"spherical"``, ``"tied-diagonal"`` or ``"tied-spherical"``
    weights : ``"free"``, ``"equal"``, or ``(K,)`` values held fixed
    labels : ``(n,)`` known component of each row, -1 where unknown; of a table also the name of a column
    counts : ``(n,)`` how many times each row was seen; of a table also the name of a column
    prior : maximise the log posterior under it; maximum likelihood where None
    start : where to start, its labelling kept; several starts and canonical order where None
    seed : of the random starts
    method : ``"em"``, or ``"nelder-mead"`` or ``"bfgs"`` to maximise the same objective directly
    acceleration : ``"squarem"`` or ``"anderson"`` extrapolate the steps of EM, and never lower the objective; None leaves
        ``path[k]`` what k plain iterations give; ``"auto"`` is None below 1000 distinct rows, else ``"squarem"``

    starts : ``"thorough"`` tries four times as many starts and follows more of them to the end
    minimum_ratio : c of ``min sigma_j / sigma_k >= c`` over all components, each relative to the data's own spread in the
        same direction; under it the likelihood is bounded
    progress : say on standard error how far a fit is that takes more than 5 seconds

    Returns
    -------
    `em.Fit` with `models.GaussianParameters`, in every case. The likelihood of components with their own covariances
    has no maximum: it grows without limit as one collapses onto a row. What is returned is the best *regular* optimum
    (Hathaway 1985, Annals of Statistics 13, 795); ``modes`` lists the others. With ``minimum_ratio`` it is the best of all;
    where it lies at that ratio the ``status`` is "boundary" and the standard errors are withheld.

    Raises
    ------
    TypeError, ValueError
        for data that are not finite numbers, too few rows, constant or collinear columns, or arguments that do not fit
    ObjectiveDecreased
        if the objective falls beyond rounding

    Notes
    -----
    Where the rows may be, and what memory a fit takes beside them:

    ======================================  =====================================  =====================================
    y                                       labels and counts                      memory
    ======================================  =====================================  =====================================
    array, list                             ``(n,)`` arrays                        some copies of the rows
    `pandas.DataFrame`                      ``(n,)`` arrays, or names of columns   the same
    `numpy.memmap`                          ``(n,)`` arrays, also mapped           10 MB
    `pathlib.Path` of a Parquet or Arrow    names of columns                       10 MB, and what pyarrow takes to read
    file or a directory of them, or                                                a row group
    `pyarrow.dataset.Dataset`
    `dask.array.Array`                      Dask arrays cut alike, or arrays       10 MB here and on each thread of a
                                                                                   worker, beside a partition
    `dask.dataframe.DataFrame`              names of columns                       the same, and a copy of the partition
    ======================================  =====================================  =====================================

    All columns of a table but those of labels and counts are features; give a DataFrame or Dataset with those that are meant.
    All but the first two are read in chunks of 1 MB, again and again: some hundred times for a fit. Memory grows with the
    square of the number of parameters and, where there are more than six components, with the number of starts: 24 kB for
    each of the ``22 K (K - 1) / 2``. Dask's rows stay where they are; ``y.persist()`` keeps them there between two passes,
    on the cluster of the active `distributed.Client` if there is one. The fit is the one that the same rows in memory have:
    the search is made in the same sample of 3000 distinct rows, and sums differ by rounding.

    References
    ----------
    McLachlan & Peel (2000), Finite Mixture Models; Fraley & Raftery (2007), Journal of Classification 24, 155.
    """
    checked_options(method, acceleration, starts)
    treated, form = MixtureWeights.of(weights, n_components), CovarianceForm.of(covariance)
    if minimum_ratio is not None:
        minimum_ratio = _checked_ratio(minimum_ratio, method)
    # Nelder-Mead moves in the user's own units, as in the published example; its simplex is not invariant.
    standardise = method != "nelder-mead"
    shown = Progress()
    told = shown.step if progress else None
    options: dict[str, Any] = {"minimum_ratio": minimum_ratio, "standardise": standardise, "told": told}
    chunks = chunks_of(y, counts, labels)
    if chunks is None:
        data = Measurements(y, counts, labels)
        enough_rows(data.n, n_components)
        checked_labels(data.labels, n_components)
        _check_numbers(data.d, prior, start, treated, form)
        mixture = GaussianMixture(data, treated, form, prior, **options)
    else:
        from em.chunked import over_chunks

        _check_numbers(len(chunks.features), prior, start, treated, form)
        mixture = over_chunks(chunks, seed, treated, form, prior, **options)
    internal = None if start is None else mixture.units.parameters(start)
    if internal is not None and mixture.ratio is not None and not mixture.ratio.kept(internal.covariances):
        raise ValueError(
            f"start.covariances have a ratio of standard deviations of {mixture.ratio.ratio(internal.covariances):.3g}, "
            f"below minimum_ratio={minimum_ratio:g}; start from wider components"
        )
    try:
        return fit_mixture(
            mixture, start=internal, seed=seed, method=method, acceleration=acceleration, starting=starts
        )
    finally:
        shown.end()


def _shares(rows: Rows, units: Units, published: GaussianParameters) -> Floats:
    """``(n, K)`` responsibilities of some rows, none with a label."""
    data = rows.checked()
    joint = log_weights(published.weights) + log_densities(units.parameters(published), units.rows(data.y))
    return responsibilities(joint, data.labels)[0]


def _check_numbers(
    d: int,
    prior: GaussianPrior | None,
    start: GaussianParameters | None,
    weights: MixtureWeights,
    form: CovarianceForm,
) -> None:
    """Refuse a prior or a start of other than ``d`` features, or that fits neither weights nor form."""
    if prior is not None:
        instance_of("prior", prior, GaussianPrior)
        if len(prior.mean) != d:
            raise ValueError(f"prior is for {len(prior.mean)} features but y has {d}; give one prior mean per feature")
        has_mode("concentration", prior.concentration)
    if start is not None:
        instance_of("start", start, GaussianParameters)
        fitting_start(start.weights, weights)
        if start.means.shape[1] != d:
            raise ValueError(f"start has {start.means.shape[1]} features but y has {d}; give as many of both")
        form.checked(start.covariances)


def _checked_ratio(minimum_ratio: float, method: Method) -> float:
    """A least ratio of standard deviations in (0, 1], and a method that keeps to it."""
    ratio = float(finite_array("minimum_ratio", minimum_ratio, (0,)))
    if not 0 < ratio <= 1:
        raise ValueError(f"minimum_ratio is {ratio:g}; a smallest over a largest standard deviation lies in (0, 1]")
    if method != "em":
        raise ValueError(f'minimum_ratio is kept by EM alone; leave it out with method="{method}"')
    return ratio
