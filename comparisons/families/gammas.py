"""Mixtures of gamma-distributed waiting times: what a comparison has to know of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from scipy import stats

import em
import models
from comparisons.declaration import Comparison
from comparisons.families.family import Setup
from comparisons.families.waits import WaitFamily
from em.gammas import GammaMixture
from em.mixture import Scale
from models import GammaParameters, GammaPrior, PositiveTimes
from models.inputs import Floats


class Gammas(WaitFamily):
    """See `comparisons.families.family.Family`."""

    name = "gammas"
    m_step_told = "Newton's method, for the shape"
    data, parameters, prior, mixtures = PositiveTimes, GammaParameters, GammaPrior, GammaMixture
    fitted, built = staticmethod(em.gamma_mixture), staticmethod(models.gamma_mixture)
    variables, ordered_by, bounds_told = ("shapes", "rates"), "mean", "shape or rate"
    prior_numbers = ("shape_shape", "shape_rate", "rate_shape", "rate_rate")
    scales: ClassVar[dict[str, Scale]] = {"shapes": "log", "rates": "log"}
    default_reason = (
        "Read off the data: one over the mean of a component is gamma about that of all waits, worth two of them; shapes are "
        "gamma about those of components as many times narrower than all waits as there are; and one row more for each weight, "
        "so that the mode empties no component and none is without width."
    )

    def default_prior(self, data: PositiveTimes, n_components: int) -> GammaPrior:
        return GammaPrior.weakly_informative(data, n_components)

    def prior_note(self, n_components: int) -> str:
        return f"Of the shapes as for K = {n_components}: read off how wide all waits are together and K."

    def distribution(self, arrays: dict[str, Floats], *design: Any) -> Any:
        return stats.gamma(arrays["shapes"], scale=1 / np.asarray(arrays["rates"]))

    def prior_of(self, numbers: dict[str, Any]) -> dict[str, Any]:
        return {
            "shapes": stats.gamma(numbers["shape_shape"], scale=1 / numbers["shape_rate"]),
            "over_means": stats.gamma(numbers["rate_shape"], scale=1 / numbers["rate_rate"]),
        }

    def third_log_prior(self, problem: Setup, parameters: GammaParameters, numbers: dict[str, Any]) -> float:
        priors, a = self.prior_of(numbers), parameters.shapes
        by_rate = priors["over_means"].logpdf(parameters.rates / a) - np.log(a)
        return float((priors["shapes"].logpdf(a) + by_rate).sum())

    def third_prior_numbers(self, problem: Setup) -> dict[str, Any]:
        rows, k = problem.declared, problem.comparison.n_components
        y, ended = rows.columns[:, 0], rows.counts @ (1 - rows.columns[:, 1])
        mean = np.average(y, weights=rows.counts)
        shape = mean**2 / np.average((y - mean) ** 2, weights=rows.counts)
        numbers = (3.0, 1 / (k * k * shape), 2.0, 2 * (rows.counts @ y) / ended)
        return {"concentration": 2.0, **dict(zip(self.prior_numbers, numbers, strict=True))}

    def third_rounding(self, problem: Setup, parameters: GammaParameters) -> float:
        # Terms as large as the shape times its logarithm cancel in each row.
        a = parameters.shapes.max()
        return float(8 * np.finfo(float).eps * problem.data.n * a * (1 + np.abs(np.log(a))))

    def prior_draws(
        self, comparison: Comparison, prior: GammaPrior, n: int, random: np.random.Generator
    ) -> dict[str, Floats]:
        priors, size = self.prior_of(self.numbers_of(prior)), (n, comparison.n_components)
        shapes, over = (priors[name].rvs(size=size, random_state=random) for name in ("shapes", "over_means"))
        return {"shapes": shapes, "rates": shapes * over}

    def changed_priors(self, prior: GammaPrior) -> dict[str, GammaPrior]:
        found = {}
        for word, by in (("halved", 0.5), ("doubled", 2.0)):
            found[f"mean of the shapes {word}"] = replace(prior, shape_rate=prior.shape_rate / by)
            found[f"waits that the means are worth {word}"] = replace(
                prior, rate_shape=prior.rate_shape * by, rate_rate=prior.rate_rate * by
            )
        return found

    def random_parameters(self, problem: Setup, weights: Floats, random: np.random.Generator) -> GammaParameters:
        k, data = problem.comparison.n_components, problem.data
        shapes = data.shape * random.gamma(2.0, 0.5 * k, size=k)
        return GammaParameters(weights, shapes, shapes * data.rate * random.gamma(4.0, 0.25, size=k))

    def reread_keys(self, arrays: dict[str, Floats]) -> Floats:
        return (arrays["shapes"] / arrays["rates"])[..., None]

    def words(self, problem: Setup) -> tuple[dict[str, str], str, list[str]]:
        numbers = [f"{value:.6g}" for value in self.numbers_of(problem.prior).values()]
        told = [
            f"shapes[k] ~ Gamma({numbers[0]}, {numbers[1]})",
            f"rates[k] / shapes[k] ~ Gamma({numbers[2]}, {numbers[3]})",
        ]
        return {}, f"y[i] | z[i] = k ~ Gamma(shape = shapes[k], rate = rates[k]){self.of_censored(problem)}", told

    def notes(self, problem: Setup) -> dict[str, str]:
        found = super().notes(problem) | {"prior": "weights, shapes and rates"}
        if problem.comparison.n_components == 1:
            return found
        return found | {
            "unbounded": "The likelihood grows without bound as a component narrows onto one wait, so the estimate is the "
            "highest local maximum found at which every component narrower than 5 % of the spread of the waits’ logarithms is "
            "held by more rows than chance puts together.",
            "profile": " (locally, from the estimate outwards)",
        }


GAMMAS = Gammas()
