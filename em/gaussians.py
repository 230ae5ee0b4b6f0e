"""EM for mixtures of normal distributions in d dimensions, with six forms of the covariances.

    E-step:  r_ik  proportional to  w_k Normal_d(y_i; mu_k, Sigma_k)
    M-step:  the mode of the normal-inverse-Wishart posterior given  N_k = sum_i r_ik  and the moments about the current
             means,  A_k = sum_i r_ik (y_i - mu_k),  B_k = sum_i r_ik (y_i - mu_k)(y_i - mu_k)'.

Source: McLachlan & Peel (2000), Finite Mixture Models, ch. 3; the mode after Fraley & Raftery (2007), Journal of
Classification 24, 155. The mode is in (weights, means, covariances): the divisor of a full covariance is
``nu + N_k + d + 2``.

A prior on a covariance of any shape is, up to a constant, ``|Sigma|^(-e/2) exp(-tr(S Sigma^-1) / 2)``: it adds ``S`` to the
scatter and ``e`` to its divisor, so one M-step, one gradient and one Hessian serve all forms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from em.climb import Acceleration
from em.covariances import (
    CovariancePrior,
    free_entries,
    from_root_coordinates,
    lower_directions,
    normal_derivatives,
    project,
    root_coordinates,
)
from em.fit import Fit, Method, fit_mixture
from em.mixture import (
    block_diagonal,
    enough_rows,
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
)
from models.gaussians import (
    Covariance,
    CovarianceForm,
    GaussianParameters,
    GaussianPrior,
    Measurements,
    sample_covariance,
)
from models.inputs import Floats, Integers
from models.mixtures import MixtureWeights, Weights, checked_labels, exchangeable_groups

# Below this share of the data's own spread a component has no width that double precision can hold.
NO_WIDTH = 1e-10


def log_densities(parameters: GaussianParameters, y: Floats) -> Floats:
    """``(n, n_components)`` log density of each row ``y`` ``(n, d)`` under each component."""
    inverse_cholesky = np.linalg.inv(np.linalg.cholesky(parameters.covariances))
    half_log_determinant = -np.log(np.diagonal(inverse_cholesky, axis1=1, axis2=2)).sum(axis=1)
    distances = np.empty((len(y), parameters.n_components))
    for k, root in enumerate(inverse_cholesky):
        standardised = (y - parameters.means[k]) @ root.T
        distances[:, k] = np.einsum("ij,ij->i", standardised, standardised)
    return -0.5 * distances - half_log_determinant - 0.5 * y.shape[1] * np.log(2 * np.pi)


def log_likelihood(parameters: GaussianParameters, data: Measurements) -> float:
    """Log density of all rows, the hidden components summed out, in nats, all constants included."""
    return e_step(parameters, data).log_likelihood


def log_prior(
    parameters: GaussianParameters, prior: GaussianPrior, weights: MixtureWeights, form: CovarianceForm
) -> float:
    """Log density of the prior in (weights, means, free entries of the covariances); tied covariances count once."""
    k, d = parameters.means.shape
    covariance_prior = CovariancePrior.of(prior, form, d)
    precisions = np.linalg.inv(parameters.covariances)
    determinants = np.linalg.slogdet(parameters.covariances)[1]
    shapes = (
        covariance_prior.log_constant
        - 0.5 * covariance_prior.exponent * determinants
        - 0.5 * np.einsum("ab,kba->k", covariance_prior.scatter, precisions)
    )
    difference = parameters.means - prior.mean
    distances = prior.shrinkage * np.einsum("ka,kab,kb->k", difference, precisions, difference)
    locations = 0.5 * (d * np.log(prior.shrinkage / (2 * np.pi)) - determinants - distances)
    total = shapes[:1].sum() if form.tied else shapes.sum()
    return float(total + locations.sum()) + log_dirichlet(parameters.weights, weights.fixed, prior.concentration)


@dataclass(frozen=True, slots=True, eq=False)
class GaussianStatistics:
    """What the E-step sends to the M-step: expected rows and moments about ``means``, which adding does not cancel.

    Attributes
    ----------
    rows : ``(K,)``
    first, second : ``(K, d)`` and ``(K, d, d)`` sums of (y - mean) and of its outer products
    means : ``(K, d)`` the means of the E-step
    """

    log_likelihood: float
    rows: Floats
    first: Floats
    second: Floats
    means: Floats

    def __add__(self, other: GaussianStatistics) -> GaussianStatistics:
        """Statistics of both sets of rows together; both must come from the same parameters."""
        if not np.array_equal(self.means, other.means):
            raise ValueError("statistics about different means do not add; run both E-steps at the same parameters")
        return GaussianStatistics(
            self.log_likelihood + other.log_likelihood,
            self.rows + other.rows,
            self.first + other.first,
            self.second + other.second,
            self.means,
        )


def _statistics(expected: Floats, log_likelihood: float, y: Floats, means: Floats) -> GaussianStatistics:
    k, d = means.shape
    first, second = np.empty((k, d)), np.empty((k, d, d))
    for j in range(k):
        difference = y - means[j]
        weighted = difference * expected[:, j : j + 1]
        first[j] = weighted.sum(axis=0)
        second[j] = weighted.T @ difference
    return GaussianStatistics(log_likelihood, expected.sum(axis=0), first, second, means)


def e_step(parameters: GaussianParameters, data: Measurements) -> GaussianStatistics:
    """Expected sufficient statistics of the rows at the parameters, known labels respected."""
    joint = log_weights(parameters.weights) + log_densities(parameters, data.y)
    r, row_log_likelihood = responsibilities(joint, data.labels)
    log_likelihood = float(row_log_likelihood @ data.counts)
    return _statistics(r * data.counts[:, None], log_likelihood, data.y, parameters.means)


def m_step(
    statistics: GaussianStatistics, prior: GaussianPrior | None, weights: MixtureWeights, form: CovarianceForm
) -> GaussianParameters:
    """Mode of the conjugate posterior given the statistics; ``prior=None`` is maximum likelihood.

    Raises
    ------
    FloatingPointError
        if nothing was assigned to a component and no prior says what it should be
    """
    k, d = statistics.means.shape
    covariance_prior = CovariancePrior.of(prior, form, d)
    rows, first, second = statistics.rows, statistics.first, statistics.second
    on_means = 0.0
    if prior is not None:
        # The prior mean is a row at prior.mean that counts ``shrinkage`` times for the mean and once for the determinant.
        difference = prior.mean - statistics.means
        on_means = 1.0
        first = first + prior.shrinkage * difference
        second = second + prior.shrinkage * np.einsum("ka,kb->kab", difference, difference)
    located = rows + (0.0 if prior is None else prior.shrinkage)
    if (located <= 0).any():
        raise FloatingPointError("a component is empty")
    shift = first / located[:, None]
    scatter = second - np.einsum("k,ka,kb->kab", located, shift, shift)
    divisors = rows + on_means
    if form.tied:
        scatter, divisors = scatter.sum(axis=0, keepdims=True), divisors.sum(keepdims=True)
    scatter = covariance_prior.scatter + scatter
    covariances = scatter / (covariance_prior.exponent + divisors)[:, None, None]
    return trusted(
        GaussianParameters,
        weights=mode_of_weights(rows, weights.fixed, 1.0 if prior is None else prior.concentration),
        means=statistics.means + shift,
        covariances=np.repeat(project(covariances, form), k if form.tied else 1, axis=0),
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


class GaussianMixture:
    """The Gaussian family as the shared layers see it; see `em.mixture.Mixture`.

    It works on rows that are shifted to mean 0 and divided by a power of two near their standard deviation, so that
    neither a unit of 1e-150 nor an origin 1e9 away costs a digit; `published` maps back.
    """

    def __init__(
        self,
        data: Measurements,
        weights: MixtureWeights,
        form: CovarianceForm,
        prior: GaussianPrior | None,
        *,
        standardise: bool = True,
    ) -> None:
        distinct = data.distinct()
        covariance = sample_covariance(distinct)
        self.weights, self.form = weights, form
        self.labels, self.counts = checked_labels(distinct.labels, weights.n_components), distinct.counts
        self.n_components = k = weights.n_components
        self.groups = exchangeable_groups(weights, self.labels)
        self.d = d = distinct.d
        spread = np.sqrt(np.diag(covariance))
        self.location, self.unit = np.zeros(d), np.ones(d)
        if standardise:
            self.location = np.average(distinct.y, axis=0, weights=distinct.counts)
            exponents = np.rint(np.log2(spread))
            # One unit for all features where one variance is shared by them.
            self.unit = np.exp2(exponents if form.shape != "spherical" else np.full(d, exponents.max()))
        self.points = self.standardised(distinct.y)
        self.data = trusted(
            Measurements, y=self.points, counts=self.counts, labels=self.labels, features=distinct.features
        )
        self.total = covariance / self.unit / self.unit[:, None]
        self.prior = None if prior is None else self._standardised_prior(prior)
        log_unit = np.log(self.unit).sum()
        self.likelihood_offset = -distinct.n * float(log_unit)
        self.offset = self.likelihood_offset
        if prior is not None:
            entries = {"full": d + 1.0, "diagonal": 2.0, "spherical": 2.0 / d}[form.shape]
            self.offset -= float(log_unit) * (k + entries * (1 if form.tied else k))
        self.lower = np.tril_indices(d)
        self.directions = lower_directions(d)
        self.basis = block_diagonal(weight_basis(k, weights.fixed), np.eye(k * d), free_entries(form, k, d))
        # Starts: a tenth of the data's own covariance, worth d + 2 rows, keeps the smallest cluster from being singular.
        self.start_prior = GaussianPrior(
            mean=np.average(self.points, axis=0, weights=self.counts),
            shrinkage=1e-3,
            degrees_of_freedom=d + 2.0,
            scale=0.1 * (d + 2.0) * self.total,
        )

    def standardised(self, y: Floats) -> Floats:
        """Rows or means in the units that this object works in."""
        return (y - self.location) / self.unit

    def _standardised_prior(self, prior: GaussianPrior) -> GaussianPrior:
        return GaussianPrior(
            mean=self.standardised(prior.mean),
            shrinkage=prior.shrinkage,
            degrees_of_freedom=prior.degrees_of_freedom,
            scale=prior.scale / self.unit / self.unit[:, None],
            concentration=prior.concentration,
        )

    def e_step(self, parameters: GaussianParameters) -> GaussianStatistics:
        return e_step(parameters, self.data)

    def m_step(self, statistics: GaussianStatistics) -> GaussianParameters:
        parameters = m_step(statistics, self.prior, self.weights, self.form)
        widths = np.diagonal(np.linalg.cholesky(parameters.covariances), axis1=1, axis2=2)
        if not (widths > NO_WIDTH).all():
            raise FloatingPointError("a component has no width left")
        return parameters

    def log_prior(self, parameters: GaussianParameters) -> float:
        return 0.0 if self.prior is None else log_prior(parameters, self.prior, self.weights, self.form)

    def log_densities(self, parameters: GaussianParameters) -> Floats:
        return log_densities(parameters, self.points)

    def scores(self, parameters: GaussianParameters) -> Floats:
        precisions = np.linalg.inv(parameters.covariances)
        u = np.einsum("kab,nkb->nka", precisions, self.points[:, None, :] - parameters.means)
        a, b = self.lower
        twice = np.where(a == b, 0.5, 1.0)  # an entry off the diagonal stands in Sigma twice
        return np.concatenate([u, twice * (u[..., a] * u[..., b] - precisions[:, a, b])], axis=2)

    def complete_hessian(self, parameters: GaussianParameters, weighted: Floats) -> Floats:
        precisions = np.linalg.inv(parameters.covariances)
        moments = _statistics(weighted, np.nan, self.points, parameters.means)
        sizes = moments.rows
        return np.stack(
            [
                normal_derivatives(p, self.directions, (n, n), first, second)[1]
                for p, n, first, second in zip(precisions, sizes, moments.first, moments.second, strict=True)
            ]
        )

    def prior_derivatives(self, parameters: GaussianParameters) -> tuple[Floats, Floats]:
        p = len(self.basis)
        gradient, hessian = np.zeros(p), np.zeros((p, p))
        if self.prior is None:
            return gradient, hessian
        prior, k = self.prior, self.n_components
        if self.weights.fixed is None and prior.concentration != 1:
            w = parameters.weights
            gradient[:k] = (prior.concentration - 1) / w
            hessian[range(k), range(k)] = -(prior.concentration - 1) / w**2
        covariance_prior = CovariancePrior.of(prior, self.form, self.d)
        for j, precision in enumerate(np.linalg.inv(parameters.covariances)):
            difference = prior.mean - parameters.means[j]
            first, second = prior.shrinkage * difference, prior.shrinkage * np.outer(difference, difference)
            determinants = 1.0
            if j == 0 or not self.form.tied:
                second, determinants = second + covariance_prior.scatter, 1.0 + covariance_prior.exponent
            g, h = normal_derivatives(precision, self.directions, (determinants, prior.shrinkage), first, second)
            own = self.own_coordinates(j)
            gradient[own] += g
            hessian[np.ix_(own, own)] += h
        return gradient, hessian

    def own_coordinates(self, component: int) -> Integers:
        k, d, q = self.n_components, self.d, len(self.directions)
        means = k + component * d + np.arange(d)
        return np.concatenate([means, k + k * d + component * q + np.arange(q)])

    def bounds(self) -> list[tuple[int, float]]:
        return []

    def names(self) -> list[str]:
        k, features = self.n_components, self.data.features

        def place(j: int, *which: int) -> str:
            return f"[{j + 1}]" if self.d == 1 else f"[{', '.join([str(j + 1), *(features[a] for a in which)])}]"

        return (
            [f"weights[{j + 1}]" for j in range(k)]
            + [f"means{place(j, a)}" for j in range(k) for a in range(self.d)]
            + [f"covariances{place(j, a, b)}" for j in range(k) for a, b in zip(*self.lower, strict=True)]
        )

    def to_vector(self, parameters: GaussianParameters) -> Floats:
        a, b = self.lower
        return np.concatenate([parameters.weights, parameters.means.ravel(), parameters.covariances[:, a, b].ravel()])

    def from_vector(self, vector: Floats) -> GaussianParameters:
        k, d = self.n_components, self.d
        weights, means = vector[:k], vector[k : k + k * d].reshape(k, d)
        covariances = np.zeros((k, d, d))
        a, b = self.lower
        covariances[:, a, b] = covariances[:, b, a] = vector[k + k * d :].reshape(k, -1)
        if not (np.isfinite(vector).all() and (weights >= 0).all()):
            raise FloatingPointError("a weight left [0, 1] or a number is not finite")
        return trusted(GaussianParameters, weights=weights, means=means, covariances=covariances)

    def coordinates(self, parameters: GaussianParameters, *, unbounded: bool) -> Floats:
        weights = weight_coordinates(parameters.weights, self.weights.fixed, unbounded=unbounded)
        roots = root_coordinates(parameters.covariances, self.form, unbounded=unbounded)
        return np.concatenate([weights, parameters.means.ravel(), roots])

    def from_coordinates(self, x: Floats, *, unbounded: bool) -> tuple[Floats, Floats]:
        k, d = self.n_components, self.d
        free = 0 if self.weights.fixed is not None else k - 1
        w, by_w = from_weight_coordinates(x[:free], self.weights.fixed, unbounded=unbounded)
        means, roots = x[free : free + k * d], x[free + k * d :]
        entries, by_roots = from_root_coordinates(roots, self.form, k, d, unbounded=unbounded)
        return np.concatenate([w, means, entries]), block_diagonal(by_w, np.eye(k * d), by_roots)

    def standard_errors(
        self, standard_deviations: Floats, covariance: Floats, reason: str | None
    ) -> GaussianStandardErrors:
        """Read the covariance of the full vector, in standardised units, as standard errors in the user's units."""
        k, d, (a, b) = self.n_components, self.d, self.lower
        sizes = np.sqrt(np.diag(covariance))
        entries = np.zeros((k, d, d))
        entries[:, a, b] = entries[:, b, a] = sizes[k + k * d :].reshape(k, -1)
        variances = np.diagonal(entries, axis1=1, axis2=2)
        units = np.concatenate([np.ones(k), np.tile(self.unit, k), np.tile(self.unit[a] * self.unit[b], k)])
        with np.errstate(over="ignore", under="ignore"):  # variances of covariances, in units to the fourth power
            scaled = covariance * units * units[:, None]
        return GaussianStandardErrors(
            weights=sizes[:k],
            means=sizes[k : k + k * d].reshape(k, d) * self.unit,
            covariances=entries * self.unit * self.unit[:, None],
            standard_deviations=variances / (2 * standard_deviations) * self.unit,
            reason=reason,
            covariance=scaled,
            names=tuple(self.names()),
        )

    def smallest_spread(self, parameters: GaussianParameters) -> float:
        """Smallest standard deviation of a component as a share of the data's in the same direction, whatever the units."""
        root = np.linalg.inv(np.linalg.cholesky(self.total))
        return float(np.sqrt(max(np.linalg.eigvalsh(root @ parameters.covariances @ root.T).min(), 0.0)))

    def start_from(self, responsibilities: Floats) -> GaussianParameters:
        expected = responsibilities * self.counts[:, None]
        statistics = _statistics(expected, np.nan, self.points, np.zeros((self.n_components, self.d)))
        return m_step(statistics, self.start_prior, self.weights, self.form)

    def internal(self, parameters: GaussianParameters) -> GaussianParameters:
        """The user's parameters in the units that this object works in."""
        return GaussianParameters(
            parameters.weights,
            self.standardised(parameters.means),
            parameters.covariances / self.unit / self.unit[:, None],
        )

    def published(self, parameters: GaussianParameters) -> GaussianParameters:
        return trusted(
            GaussianParameters,
            weights=_frozen(parameters.weights),
            means=_frozen(parameters.means * self.unit + self.location),
            covariances=_frozen(parameters.covariances * self.unit * self.unit[:, None]),
        )


def gaussian_mixture(
    y: ArrayLike,
    n_components: int = 2,
    covariance: Covariance = "full",
    weights: Weights = "free",
    labels: ArrayLike | None = None,
    counts: ArrayLike | None = None,
    prior: GaussianPrior | None = None,
    *,
    start: GaussianParameters | None = None,
    seed: int = 0,
    method: Method = "em",
    acceleration: Acceleration = None,
) -> Fit[GaussianParameters, GaussianStandardErrors]:
    """Fit a mixture of normal distributions by EM.

    Parameters
    ----------
    y : ``(n,)`` or ``(n, d)``, an array or a DataFrame, in any units
    n_components : K
    covariance : ``"full"``, ``"tied"``, ``"diagonal"``, ``"spherical"``, ``"tied-diagonal"`` or ``"tied-spherical"``
    weights : ``"free"``, ``"equal"``, or ``(K,)`` values held fixed
    labels : ``(n,)`` known component of each row, -1 where unknown
    counts : ``(n,)`` how many times each row was seen
    prior : maximise the log posterior under it; maximum likelihood where None
    start : where to start, its labelling kept; several starts and canonical order where None
    seed : of the random starts
    method : ``"em"``, or ``"nelder-mead"`` or ``"bfgs"`` to maximise the same objective directly
    acceleration : ``"squarem"`` extrapolates the steps of EM; None leaves ``path[k]`` what k plain iterations give

    Returns
    -------
    `em.Fit` with `models.GaussianParameters`, in every case. The likelihood of components with their own covariances has
    no maximum: it grows without limit as one collapses onto a row. What is returned is the best *regular* optimum
    (Hathaway 1985, Annals of Statistics 13, 795); ``modes`` lists the others.

    Raises
    ------
    TypeError, ValueError
        for data that are not finite numbers, too few rows, constant or collinear columns, or arguments that do not fit
    ObjectiveDecreased
        if the objective falls beyond rounding

    References
    ----------
    McLachlan & Peel (2000), Finite Mixture Models; Fraley & Raftery (2007), Journal of Classification 24, 155.
    """
    data = Measurements(y, counts=counts, labels=labels)
    treated, form = MixtureWeights.of(weights, n_components), CovarianceForm.of(covariance)
    enough_rows(data.n, n_components)
    if prior is not None:
        if len(prior.mean) != data.d:
            raise ValueError(
                f"prior is for {len(prior.mean)} features but y has {data.d}; give one prior mean per feature"
            )
        has_mode("concentration", prior.concentration)
    if start is not None:
        fitting_start(start.weights, treated)
        if start.means.shape[1] != data.d:
            raise ValueError(f"start has {start.means.shape[1]} features but y has {data.d}")
        form.checked(start.covariances)
    # Nelder-Mead moves in the user's own units, as in the published example; its simplex is not invariant.
    mixture = GaussianMixture(data, treated, form, prior, standardise=method != "nelder-mead")

    def errors(parameters: GaussianParameters, covariance: Floats, reason: str | None) -> GaussianStandardErrors:
        return mixture.standard_errors(parameters.standard_deviations, covariance, reason)

    def log_joint(new: ArrayLike | Measurements, parameters: GaussianParameters) -> tuple[Floats, Integers]:
        rows = new if isinstance(new, Measurements) else Measurements(new)
        if rows.d != data.d:
            raise ValueError(f"data has {rows.d} features but the fit has {data.d}")
        inside = log_densities(mixture.internal(parameters), mixture.standardised(rows.y))
        return log_weights(parameters.weights) + inside, checked_labels(rows.labels, n_components)

    internal = None if start is None else mixture.internal(start)
    return fit_mixture(
        mixture, start=internal, seed=seed, method=method, acceleration=acceleration, errors=errors, log_joint=log_joint
    )


def _frozen(array: Floats) -> Floats:
    copy = array.copy()
    copy.flags.writeable = False
    return copy
