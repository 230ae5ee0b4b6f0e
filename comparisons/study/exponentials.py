"""Exponential waiting times in the studies: populations, easy and hard on purpose."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from comparisons.study.setting import Setting
from models import ExponentialParameters, ExponentialPrior, WaitingTimes
from models.inputs import Integers

# Rates of some 0.2, so waits of some five.
PRIOR = ExponentialPrior(2.0, 10.0, 2.0)
# Shares of ``--replicates`` of a study of sound engines and of a calibration, as of `comparisons.study.poissons`.
SHARE = 0.4
CALIBRATED, SHOW_LITTLE = 0.3, ()


@dataclass(frozen=True, slots=True)
class ExponentialSetting(Setting):
    """Waits, each watched until a time drawn evenly up to ``watched`` mean waits."""

    _: KW_ONLY
    watched: float = np.inf

    @property
    def form(self) -> str:
        return "exponentials"

    def rows(
        self, truth: ExponentialParameters, components: Integers, random: np.random.Generator, **known: Any
    ) -> WaitingTimes:
        waits = truth.simulate(components, random)
        if np.isinf(self.watched):
            return WaitingTimes(waits, **known)
        limits = self.watched * float(truth.weights @ (1 / truth.rates)) * (1 - random.random(self.n))
        return WaitingTimes(np.minimum(waits, limits), waits > limits, **known)

    def separation(self, truth: ExponentialParameters) -> float:
        means = np.sort(1 / truth.rates)
        return float((np.diff(means) / means[1:]).min())


CLEAN = (
    ExponentialSetting("exponentials-free", 120, "Rates and weights from the prior.", PRIOR, share=SHARE),
    ExponentialSetting("exponentials-few", 30, "Few rows.", PRIOR, share=SHARE),
    ExponentialSetting("exponentials-censored", 120, "Some half are censored.", PRIOR, watched=2.0, share=SHARE),
    ExponentialSetting("exponentials-equal", 120, "Equal weights.", PRIOR, weights="equal", share=SHARE),
    ExponentialSetting("exponentials-labelled", 80, "A third labelled.", PRIOR, labelled=1 / 3, share=SHARE),
    ExponentialSetting(
        "exponentials-apart", 200, "Default prior.", None, ExponentialParameters([0.5, 0.5], [0.1, 2.0]), share=SHARE
    ),
)
PLANTED = (
    ExponentialSetting(
        "exponentials-repeated",
        60,
        "Waits that were seen several times, some of them censored.",
        PRIOR,
        ExponentialParameters([0.4, 0.6], [0.05, 1.0]),
        repeated=3,
        watched=4.0,
    ),
)
