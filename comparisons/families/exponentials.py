"""Mixtures of exponential waiting times: what a comparison has to know of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

import em
import models
from comparisons.families.family import Setup
from comparisons.families.rates import Rates
from comparisons.families.waits import WaitFamily
from em.exponentials import WaitMixture
from models import ExponentialParameters, ExponentialPrior, WaitingTimes
from models.inputs import Floats


class Exponentials(WaitFamily, Rates):
    """See `comparisons.families.family.Family`."""

    name = "exponentials"
    data, parameters, prior, mixtures = WaitingTimes, ExponentialParameters, ExponentialPrior, WaitMixture
    fitted, built = staticmethod(em.exponential_mixture), staticmethod(models.exponential_mixture)
    default_reason = (
        "Read off the data: gamma about the rate of all waits, worth two of them, and one row more for each weight, so that the "
        "mode empties no component and no rate is 0 or without bound."
    )

    def fusable(self, problem: Setup) -> bool:
        return True

    def distribution(self, arrays: dict[str, Floats], *design: Any) -> Any:
        return stats.expon(scale=1 / np.asarray(arrays["rates"]))

    def words(self, problem: Setup) -> tuple[dict[str, str], str, list[str]]:
        return (
            {},
            f"y[i] | z[i] = k ~ Exponential(rate = rates[k]){self.of_censored(problem)}",
            self.priors_told(problem),
        )

    def notes(self, problem: Setup) -> dict[str, str]:
        averaged = "Sum of weight times rate over the components: the rate at which waits end that have just begun."
        spike = "The likelihood grows without bound as a component narrows onto the waits of 0, so the estimate is the highest "
        told = (
            {}
            if self.mixture(problem, None, standardise=False).bounded
            else {"unbounded": f"{spike}maximum found beside that."}
        )
        return super().notes(problem) | {"averaged": averaged} | told

    def third_totals(self, problem: Setup) -> tuple[float, float]:
        rows = problem.declared
        return float(rows.counts @ (1 - rows.columns[:, 1])), float(rows.counts @ rows.columns[:, 0])


EXPONENTIALS = Exponentials()
