"""Both engines under one roof: the same declaration fitted by EM and built, maximised and sampled by PyMC."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

import em
import models
from comparisons import catalogue, datasets
from comparisons.declaration import Comparison
from comparisons.declared_rows import DeclaredRows
from comparisons.fitting import fitting
from em.coin_family import CoinMixture
from em.coin_steps import log_likelihood as coin_log_likelihood
from em.coin_steps import log_prior as coin_log_prior
from em.gaussian_family import GaussianMixture
from em.gaussian_steps import log_likelihood as gaussian_log_likelihood
from em.gaussian_steps import log_prior as gaussian_log_prior
from em.relabelled import relabelled
from models import (
    CoinParameters,
    CoinPrior,
    CoinTosses,
    GaussianParameters,
    GaussianPrior,
    Measurements,
)
from models.binomial_distribution import many_tosses
from models.gaussians import CovarianceForm
from models.inputs import Floats, Integers, cut
from models.mixtures import MixtureWeights
from models.order import FIRST, Order

if TYPE_CHECKING:
    import pymc as pm

type Parameters = CoinParameters | GaussianParameters
type Prior = CoinPrior | GaussianPrior
# What a share may be off by for rounding.
SAME_SHARES = 1e-8


def em_densities(problem: Problem, parameters: Parameters) -> tuple[float, float]:
    """Log-likelihood and log prior as `em` has them."""
    if isinstance(problem.data, CoinTosses):
        return (
            coin_log_likelihood(parameters, problem.data),  # type: ignore[arg-type]
            float(coin_log_prior(parameters, problem.prior, problem.weights)),  # type: ignore[arg-type]
        )
    return (
        gaussian_log_likelihood(parameters, problem.data),  # type: ignore[arg-type]
        float(gaussian_log_prior(parameters, problem.prior, problem.weights, problem.form)),  # type: ignore[arg-type]
    )


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """One declaration with its data read and its prior made: what both engines are given.

    Attributes
    ----------
    data : `models.CoinTosses` or `models.Measurements`, distinct rows with counts
    prior : the same numbers for MAP-EM and PyMC
    declared : the rows before they were counted, for what judges both engines
    order : of exchangeable components, the same for fits, modes and draws
    """

    comparison: Comparison
    data: CoinTosses | Measurements
    prior: Prior
    declared: DeclaredRows
    order: Order = FIRST

    @classmethod
    def of(cls, comparison: Comparison, data: CoinTosses | Measurements) -> Problem:
        """Make the prior where the declaration leaves it to the family, and refuse data that do not fit the declaration.

        Raises
        ------
        TypeError, ValueError
            as `comparisons.fitting.fitting`
        """
        comparison = fitting(comparison, data)
        declared = DeclaredRows.of(data)
        prior = comparison.prior
        if prior is None:
            if isinstance(data, CoinTosses):
                prior = CoinPrior()
            else:
                prior = GaussianPrior.weakly_informative(data, comparison.n_components)
        return cls(comparison, data.distinct(), prior, declared)

    def ordered_by(self, point: Parameters) -> Problem:
        """The same problem with components in the order that separates those of a point."""
        return replace(self, order=Order.of(point, self.mixture(None).groups))

    @property
    def weights(self) -> MixtureWeights:
        """How the weights are treated."""
        return MixtureWeights.of(self.comparison.weights, self.comparison.n_components)

    @property
    def form(self) -> CovarianceForm:
        """What the covariances may be."""
        return CovarianceForm.of(self.comparison.covariance)

    @property
    def structure(self) -> tuple[Any, ...]:
        """What decides the PyMC graph: two problems that agree in it share one compiled model."""
        k, free = self.comparison.n_components, self.weights.free
        if isinstance(self.data, CoinTosses):
            return ("coins", k, free, many_tosses(self.data.tosses))
        return ("gaussians", k, free, self.data.d, self.form)

    def fit(
        self, prior: Prior | None, start: Parameters | None = None, seed: int = 0, *, path: bool = False
    ) -> em.Fit[Any, Any]:
        """Fit by EM: maximum likelihood, or the posterior mode under a prior; in plain steps where the path matters.

        A ``start`` keeps its labelling; else components are in the problem's order.
        """
        c, acceleration = self.comparison, None if path else "squarem"
        options: dict[str, Any] = {"prior": prior, "start": start, "seed": seed, "acceleration": acceleration}
        if isinstance(self.data, CoinTosses):
            fit: em.Fit[Any, Any] = em.coin_mixture(self.data, c.n_components, c.weights, **options)
        else:
            fit = em.gaussian_mixture(self.data, c.n_components, c.covariance, c.weights, **options)
        return fit if start is not None else relabelled(fit, self.order)

    def mixture(self, prior: Prior | None, *, standardise: bool = False) -> CoinMixture | GaussianMixture:
        """The objective of EM as an object, for its derivatives at any point; in the user's own units, or in those of a fit."""
        if isinstance(self.data, CoinTosses):
            return CoinMixture(self.data, self.weights, prior)  # type: ignore[arg-type]
        return GaussianMixture(self.data, self.weights, self.form, prior, standardise=standardise)  # type: ignore[arg-type]

    def model(self) -> pm.Model:
        """The PyMC model of the same data, options and prior."""
        c = self.comparison
        if isinstance(self.data, CoinTosses):
            return models.coin_mixture(self.data, c.n_components, c.weights, self.prior)  # type: ignore[arg-type]
        return models.gaussian_mixture(self.data, c.n_components, c.covariance, c.weights, prior=self.prior)  # type: ignore[arg-type]

    def from_pymc(self, values: dict[str, Any]) -> Parameters:
        """Parameters from PyMC's values by name, all at one point."""
        fixed = self.weights.fixed
        weights = values["weights"] if fixed is None else fixed
        if isinstance(self.data, CoinTosses):
            return CoinParameters(weights / np.sum(weights), values["head_probabilities"])
        return GaussianParameters(weights / np.sum(weights), values["means"], values["covariances"])

    def to_pymc(self, parameters: Parameters) -> dict[str, Floats]:
        """Values of PyMC's free variables by name."""
        values = {"weights": parameters.weights} if self.weights.free else {}
        if isinstance(parameters, CoinParameters):
            return {**values, "head_probabilities": parameters.head_probabilities}
        covariances = parameters.covariances[0] if self.form.tied else parameters.covariances
        d = parameters.means.shape[1]
        if self.form.shape == "full" and d > 1:
            a, b = np.tril_indices(d)
            free = {"covariance_factors": np.linalg.cholesky(covariances)[..., a, b]}
        else:
            variances = np.diagonal(covariances, axis1=-2, axis2=-1)
            free = {"variances": variances[..., 0] if self.form.shape == "spherical" else variances}
        return {**values, **free, "means": parameters.means}

    def refuse_others(self, parameters: Parameters) -> None:
        """See that parameters are some of the declared model.

        Raises
        ------
        ValueError
            for weights that are no shares or not those held fixed, covariances of another form, or a head probability that is
            none
        """
        weights = parameters.weights
        if not ((weights >= 0).all() and abs(weights.sum() - 1) <= SAME_SHARES):
            raise ValueError(f"the weights are {cut(str(weights))}, which are no shares of 1")
        fixed = self.weights.fixed
        if fixed is not None and not np.allclose(weights, fixed, rtol=0, atol=SAME_SHARES):
            raise ValueError(f"the weights are {cut(str(weights))} where they are held at {cut(str(fixed))}")
        if isinstance(parameters, CoinParameters):
            p = parameters.head_probabilities
            if not ((p >= 0) & (p <= 1)).all():
                raise ValueError(f"the head probabilities are {cut(str(p))}, which do not all lie in [0, 1]")
        else:
            self.form.checked(parameters.covariances)

    def random_parameters(self, random: np.random.Generator) -> Parameters:
        """Parameters anywhere near the data, in no order and of no fit: where two densities are compared."""
        k = self.comparison.n_components
        fixed = self.weights.fixed
        weights = random.dirichlet(np.full(k, 2.0)) if fixed is None else fixed
        if isinstance(self.data, CoinTosses):
            return CoinParameters(weights, random.beta(2, 2, size=k))
        y, d = self.data.y, self.data.d
        total = np.atleast_2d(np.cov(y.T, fweights=self.data.counts))
        means = y[random.choice(len(y), size=k)] + random.normal(size=(k, d)) * np.sqrt(np.diag(total))
        covariances = np.empty((k, d, d))
        for j in range(k):
            root = np.linalg.cholesky(total) @ (np.eye(d) + 0.3 * np.tril(random.normal(size=(d, d)), -1))
            covariances[j] = root @ root.T * random.uniform(0.1, 2.0)
        if self.form.shape != "full":
            covariances *= np.eye(d)
        if self.form.shape == "spherical":
            covariances = np.einsum("kaa->k", covariances)[:, None, None] / d * np.eye(d)
        return GaussianParameters(
            weights, means, np.repeat(covariances[:1], k, axis=0) if self.form.tied else covariances
        )


def exchangeable(model: pm.Model) -> Integers:
    """Groups of components that the model cannot tell apart."""
    return np.asarray(model["exchangeable"].get_value(), dtype=np.int64)


def structure(name: str) -> tuple[Any, ...]:
    """What decides the PyMC graph of a comparison of the catalogue."""
    comparison = catalogue.declaration(name)
    return Problem.of(comparison, comparison.data(datasets.load(comparison.dataset))).structure
