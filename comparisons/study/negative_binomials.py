"""Overdispersed counts in the studies: populations, easy and hard on purpose."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from comparisons.study.poissons import PoissonSetting
from models import NegativeBinomialParameters, NegativeBinomialPrior

# Rates of some 5, as of Poisson counts; dispersions of 1/3, the middle half of them between 0.16 and 0.45.
PRIOR = NegativeBinomialPrior(2.0, 0.4, 2.0, 2.0, 6.0)
# Shares of ``--replicates`` of a study of sound engines and of a calibration, as of `comparisons.study.poissons`.
SHARE = 0.4
CALIBRATED, SHOW_LITTLE = 0.3, ()


@dataclass(frozen=True, slots=True)
class NegativeBinomialSetting(PoissonSetting):
    """Events over exposures, as `comparisons.study.poissons` has them."""

    @property
    def form(self) -> str:
        return self.family

    def separation(self, truth: Any) -> float:
        rates, over = truth.rates, float(np.mean(self.exposure))
        deviations = np.sqrt(np.maximum(rates, 1e-9) / over + truth.dispersions * rates**2)
        pairs = [(a, b) for a in range(len(rates)) for b in range(a)]
        return float(min(abs(rates[a] - rates[b]) / max(deviations[a], deviations[b]) for a, b in pairs))


APART = NegativeBinomialParameters([0.4, 0.6], [3, 40], [0.1, 0.05])
CLEAN = (
    NegativeBinomialSetting(
        "negative-binomials-free", 150, "Rates, dispersions and weights from the prior.", PRIOR, share=SHARE
    ),
    NegativeBinomialSetting("negative-binomials-few", 40, "Few rows.", PRIOR, share=SHARE),
    NegativeBinomialSetting(
        "negative-binomials-exposed", 120, "Exposures from 1/2 to 3.", PRIOR, exposure=(0.5, 3.0), share=SHARE
    ),
    NegativeBinomialSetting("negative-binomials-equal", 120, "Equal weights.", PRIOR, weights="equal", share=SHARE),
    NegativeBinomialSetting("negative-binomials-labelled", 80, "A third labelled.", PRIOR, labelled=1 / 3, share=SHARE),
    NegativeBinomialSetting(
        "negative-binomials-one-poisson",
        150,
        "A component without dispersion; default prior.",
        None,
        NegativeBinomialParameters([0.5, 0.5], [4, 40], [0, 0.2]),
        share=SHARE,
    ),
)
CALIBRATION = (
    NegativeBinomialSetting("sbc-negative-binomials", 20, "Two rates and dispersions.", PRIOR),
    NegativeBinomialSetting(
        "sbc-negative-binomials-exposed", 20, "The same, exposures from 1/2 to 3.", PRIOR, exposure=(0.5, 3.0)
    ),
)
PLANTED = (
    NegativeBinomialSetting(
        "negative-binomials-repeated",
        80,
        "Rows that were seen several times, over exposures from 1/2 to 2.",
        PRIOR,
        APART,
        repeated=3,
        exposure=(0.5, 2.0),
    ),
)


def of_everyone(statistics: Any) -> Any:
    """Statistics with which the M-step takes every row for an equal share of each component."""
    return replace(statistics, r=np.broadcast_to(statistics.r.mean(axis=-1, keepdims=True), statistics.r.shape))
