"""Mixtures of overdispersed counts: what a comparison has to know of them, beside what they share with Poisson counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from scipy import stats

import em
import models
from comparisons.families.family import Setup
from comparisons.families.limits import AT_LIMIT, WithLimit
from comparisons.families.poissons import Poissons
from em.mixture import Scale
from em.negative_binomials import NegativeBinomialMixture
from models import NegativeBinomialParameters, NegativeBinomialPrior
from models.inputs import Floats


class NegativeBinomials(Poissons):
    """See `comparisons.families.family.Family`."""

    name = "negative-binomials"
    m_step_told = "Newton's method, for both parameters of a component"
    acceleration = "newton"
    parameters, prior, mixtures = NegativeBinomialParameters, NegativeBinomialPrior, NegativeBinomialMixture
    fitted, built = staticmethod(em.negative_binomial_mixture), staticmethod(models.negative_binomial_mixture)
    variables, bounds_told = ("rates", "dispersions"), "rate or dispersion"
    prior_numbers = ("shape", "rate", "dispersion_shape", "dispersion_rate")
    scales: ClassVar[dict[str, Scale]] = {"rates": "log", "dispersions": "log", "mean_rate": "log"}
    default_reason = (
        "Gamma about the rate of all rows, worth two events; dispersions are gamma with mean 1, at which the rates of rows vary "
        "as exponential ones do, and density 0 at 0, so that no mode is a Poisson component; and one row more for each weight, "
        "so that the mode empties no component."
    )

    def fusable(self, problem: Setup) -> bool:
        # With a dispersion of its own a count is of no exponential family.
        return False

    def distribution(self, arrays: dict[str, Floats], *design: Any) -> Any:
        means, dispersions = design[0] * arrays["rates"], np.asarray(arrays["dispersions"])
        held = np.maximum(dispersions, AT_LIMIT)
        varied = stats.nbinom(1 / held, 1 / (1 + held * means))
        return WithLimit(varied, stats.poisson(means), dispersions <= AT_LIMIT)

    def prior_of(self, numbers: dict[str, Any]) -> dict[str, Any]:
        own = stats.gamma(numbers["dispersion_shape"], scale=1 / numbers["dispersion_rate"])
        return super().prior_of(numbers) | {"dispersions": own}

    def priors_told(self, problem: Setup) -> list[str]:
        prior = problem.prior
        told = f"dispersions[k] ~ Gamma({prior.dispersion_shape:.6g}, {prior.dispersion_rate:.6g})"
        return [*super().priors_told(problem), told]

    def third_prior_numbers(self, problem: Setup) -> dict[str, Any]:
        return super().third_prior_numbers(problem) | {"dispersion_shape": 2.0, "dispersion_rate": 2.0}

    def third_rounding(self, problem: Setup, parameters: Any) -> float:
        # Sizes and their log-gamma functions cancel, and so does 1 in the probability of an event.
        rows, spare = problem.declared, super().third_rounding(problem, parameters)
        varied = np.maximum(parameters.dispersions, AT_LIMIT)
        y, e = rows.columns.T
        with np.errstate(divide="ignore"):
            terms = (1 - np.log(varied)) / varied + y[:, None] / np.maximum(
                varied * e[:, None] * parameters.rates, 1e-3
            )
        return float(spare + 4 * np.finfo(float).eps * (rows.counts @ terms.max(axis=1)))

    def random_parameters(
        self, problem: Setup, weights: Floats, random: np.random.Generator
    ) -> NegativeBinomialParameters:
        k = problem.comparison.n_components
        return NegativeBinomialParameters(
            weights, problem.data.rate * random.gamma(2.0, 0.5, size=k), random.gamma(2.0, 0.5, size=k)
        )

    def changed_priors(self, prior: Any) -> dict[str, Any]:
        found = {}
        for word, by in (("halved", 0.5), ("doubled", 2.0)):
            found[f"events that rates are worth {word}"] = replace(prior, shape=prior.shape * by, rate=prior.rate * by)
            found[f"mean of the dispersions {word}"] = replace(prior, dispersion_rate=prior.dispersion_rate / by)
        return found

    def inside(self, parameters: NegativeBinomialParameters, *, free: bool) -> NegativeBinomialParameters:
        rates = np.maximum(parameters.rates, 1e-3 * parameters.rates.max())
        weights = np.maximum(parameters.weights, 1e-3) if free else parameters.weights
        return NegativeBinomialParameters(weights / weights.sum(), rates, parameters.dispersions)

    def words(self, problem: Setup) -> tuple[dict[str, str], str, list[str]]:
        over = "" if (problem.data.exposure == 1).all() else "exposure[i] * "
        formula = f"events[i] | z[i] = k ~ NegativeBinomial(mean {over}rates[k], size 1 / dispersions[k])"
        return {}, formula, self.priors_told(problem)

    def notes(self, problem: Setup) -> dict[str, str]:
        return super().notes(problem) | {"prior": "weights, rates and dispersions"}


NEGATIVE_BINOMIALS = NegativeBinomials()
