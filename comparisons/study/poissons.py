"""Poisson counts in the studies: populations, easy and hard on purpose."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from comparisons.study.setting import Setting
from models import EventCounts, PoissonParameters, PoissonPrior
from models.inputs import Integers

# Rates of some 5, the middle half of them between 2.4 and 6.7.
PRIOR = PoissonPrior(2.0, 0.4, 2.0)
# Share of ``--replicates`` of a study of sound engines; the same of a calibration, and faults planted there of which it takes
# as many as of sound ones.
SHARE = 0.4
CALIBRATED, SHOW_LITTLE = 0.3, ()


@dataclass(frozen=True, slots=True)
class PoissonSetting(Setting):
    """Events over an ``exposure`` between the smallest and the largest, drawn evenly."""

    _: KW_ONLY
    exposure: tuple[float, float] = (1.0, 1.0)

    @property
    def form(self) -> str:
        return "poissons"

    def rows(
        self, truth: PoissonParameters, components: Integers, random: np.random.Generator, **known: Any
    ) -> EventCounts:
        exposure = random.uniform(*self.exposure, size=self.n)
        return EventCounts(truth.simulate(components, exposure, random), exposure, **known)

    def separation(self, truth: PoissonParameters) -> float:
        rates, over = truth.rates, float(np.mean(self.exposure))
        pairs = [(a, b) for a in range(len(rates)) for b in range(a)]
        return float(min(abs(rates[a] - rates[b]) / np.sqrt(max(rates[a], rates[b], 1e-9) / over) for a, b in pairs))


def _rates(rates: list[float], weights: list[float] | None = None) -> PoissonParameters:
    return PoissonParameters(weights or [1 / len(rates)] * len(rates), rates)


CLEAN = (
    PoissonSetting("poissons-free", 80, "Rates and weights from the prior.", PRIOR, share=SHARE),
    PoissonSetting("poissons-few", 25, "Few rows.", PRIOR, share=SHARE),
    PoissonSetting("poissons-exposed", 60, "Exposures from 1/2 to 3.", PRIOR, exposure=(0.5, 3.0), share=SHARE),
    PoissonSetting("poissons-equal", 60, "Equal weights.", PRIOR, weights="equal", share=SHARE),
    PoissonSetting("poissons-labelled", 60, "A third of the rows labelled.", PRIOR, labelled=1 / 3, share=SHARE),
    PoissonSetting(
        "poissons-rare", 200, "Few rows have an event; default prior.", None, _rates([0.05, 0.5]), share=SHARE
    ),
)

CALIBRATION = (
    PoissonSetting("sbc-poissons", 20, "Two rates.", PRIOR),
    PoissonSetting("sbc-poissons-exposed", 20, "Two rates, exposures from 1/2 to 3.", PRIOR, exposure=(0.5, 3.0)),
)

PLANTED = (
    PoissonSetting(
        "poissons-repeated",
        60,
        "Rows that were seen several times, over exposures from 1/2 to 2.",
        PRIOR,
        _rates([2.0, 8.0], [0.4, 0.6]),
        repeated=3,
        exposure=(0.5, 2.0),
    ),
)
