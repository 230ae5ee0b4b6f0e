"""Families of one rate a component with its conjugate prior: what a comparison knows of all of them."""

from __future__ import annotations

from abc import ABC
from typing import Any, ClassVar

import numpy as np
from scipy import stats

from comparisons.families.elementwise import ElementwiseFamily
from comparisons.families.family import Setup
from em.mixture import Scale
from models.inputs import Floats


class Rates(ElementwiseFamily, ABC):
    """See `comparisons.families.family.Family`."""

    variables: tuple[str, ...] = ("rates",)
    prior_numbers: tuple[str, ...] = ("shape", "rate")
    average, ordered_by, bounds_told = "mean_rate", "rate", "rate"
    scales: ClassVar[dict[str, Scale]] = {"rates": "log", "mean_rate": "log"}

    def prior_note(self, n_components: int) -> str:
        return "The same for every K: read off the rate of all rows together."

    def random_parameters(self, problem: Setup, weights: Floats, random: np.random.Generator) -> Any:
        about = problem.data.rate * random.gamma(2.0, 0.5, size=problem.comparison.n_components)
        return self.parameters(weights, about)

    def prior_of(self, numbers: dict[str, Any]) -> dict[str, Any]:
        return {"rates": stats.gamma(numbers["shape"], scale=1 / numbers["rate"])}

    def priors_told(self, problem: Setup) -> list[str]:
        """The prior in words."""
        return [f"rates[k] ~ Gamma({problem.prior.shape:.6g}, {problem.prior.rate:.6g})"]

    def notes(self, problem: Setup) -> dict[str, str]:
        return super().notes(problem) | {
            "irregular": "a saddle, or a bound that EM cannot leave though the likelihood rises beside it.",
            "prior": "weights and rates",
        }

    def third_prior_numbers(self, problem: Setup) -> dict[str, Any]:
        events, exposure = self.third_totals(problem)
        return {"concentration": 2.0, "shape": 2.0, "rate": 2.0 * exposure / events}

    def third_totals(self, problem: Setup) -> tuple[float, float]:
        """Events and exposure of the declared rows."""
        events, exposure = problem.declared.counts @ problem.declared.columns
        return float(events), float(exposure)

    def changed_priors(self, prior: Any) -> dict[str, Any]:
        changed = [type(prior)(prior.shape * by, prior.rate * by, prior.concentration) for by in (0.5, 2.0)]
        return {f"Gamma({each.shape:g}, {each.rate:.4g})": each for each in changed}

    def inside(self, parameters: Any, *, free: bool) -> Any:
        rates = np.maximum(parameters.rates, 1e-3 * parameters.rates.max())
        weights = np.maximum(parameters.weights, 1e-3) if free else parameters.weights
        return self.parameters(weights / weights.sum(), rates)
