"""Overdispersed coins in the studies: populations, easy and hard on purpose."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from comparisons.study.coins import CoinSetting, near, neighbour
from comparisons.study.negative_binomials import of_everyone
from models import BetaBinomialParameters, BetaBinomialPrior

__all__ = ["CALIBRATED", "CALIBRATION", "CLEAN", "PLANTED", "SHOW_LITTLE", "near", "neighbour", "of_everyone"]

PRIOR = BetaBinomialPrior(2.0, 2.0, 2.0, 8.0, 2.0)
# Shares of ``--replicates`` of a study of sound engines and of a calibration, as of `comparisons.study.poissons`.
SHARE = 0.4
CALIBRATED, SHOW_LITTLE = 0.3, ()


@dataclass(frozen=True, slots=True)
class BetaBinomialSetting(CoinSetting):
    """Bags of tosses, as `comparisons.study.coins` has them."""

    @property
    def form(self) -> str:
        return self.family

    def separation(self, truth: Any) -> float:
        p, tosses = truth.head_probabilities, float(np.mean(self.tosses))
        spreads = np.sqrt(np.maximum(p * (1 - p), 1e-9) * (1 + (tosses - 1) * truth.correlations) / tosses)
        pairs = [(a, b) for a in range(len(p)) for b in range(a)]
        return float(min(abs(p[a] - p[b]) / max(spreads[a], spreads[b]) for a, b in pairs))


CLEAN = (
    BetaBinomialSetting(
        "beta-binomials-free", 150, "All from the prior, bags of 15 to 25.", PRIOR, tosses=(15, 25), share=SHARE
    ),
    BetaBinomialSetting("beta-binomials-few", 40, "Few bags.", PRIOR, tosses=(20, 20), share=SHARE),
    BetaBinomialSetting(
        "beta-binomials-equal", 120, "Equal weights.", PRIOR, tosses=(20, 20), weights="equal", share=SHARE
    ),
    BetaBinomialSetting(
        "beta-binomials-labelled", 80, "A third labelled.", PRIOR, tosses=(20, 20), labelled=1 / 3, share=SHARE
    ),
    BetaBinomialSetting(
        "beta-binomials-one-binomial",
        150,
        "A component without correlation; default prior.",
        None,
        BetaBinomialParameters([0.5, 0.5], [0.2, 0.7], [0, 0.1]),
        tosses=(20, 20),
        share=SHARE,
    ),
)
CALIBRATION = (BetaBinomialSetting("sbc-beta-binomials", 20, "Two coins and correlations.", PRIOR, tosses=(4, 8)),)
PLANTED = (
    BetaBinomialSetting(
        "beta-binomials-repeated",
        80,
        "Bags of 10 to 20 that were seen several times.",
        PRIOR,
        BetaBinomialParameters([0.4, 0.6], [0.2, 0.75], [0.05, 0.1]),
        repeated=3,
        tosses=(10, 20),
    ),
)


def other_prior(prior: BetaBinomialPrior) -> BetaBinomialPrior:
    """One head and one tail more."""
    return replace(prior, heads=prior.heads + 1, tails=prior.tails + 1)


# With which the mode is that of logits.
prior_on_other_scale = other_prior
