"""Coins in the studies: populations, easy and hard on purpose, and what is broken of coins alone."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

import numpy as np

from comparisons.study.setting import Setting
from models import CoinParameters, CoinPrior, CoinTosses
from models.inputs import Floats, Integers

FLAT = CoinPrior()
# Shares of ``--replicates`` that make 800 of a hundred.
COINS, RARE = 0.7, 0.6
# The same of ``--replicates`` of a calibration, and faults planted there of which it takes as many as of sound ones.
CALIBRATED, SHOW_LITTLE = 1.0, ("prior-changed",)
# Bags in which EM's intervals are tried: in shorter ones no two coins lie far apart.
TRIED = (10, 10)


@dataclass(frozen=True, slots=True)
class CoinSetting(Setting):
    """Bags of ``tosses``, from the smallest number to the largest, drawn evenly."""

    _: KW_ONLY
    tosses: tuple[int, int] = (10, 10)

    @property
    def form(self) -> str:
        return "coins"

    def rows(
        self, truth: CoinParameters, components: Integers, random: np.random.Generator, **known: Any
    ) -> CoinTosses:
        tosses = random.integers(self.tosses[0], self.tosses[1] + 1, size=self.n)
        return CoinTosses(truth.simulate(components, tosses, random), tosses, **known)

    def separation(self, truth: CoinParameters) -> float:
        p, tosses = truth.head_probabilities, float(np.mean(self.tosses))
        pairs = [(a, b) for a in range(len(p)) for b in range(a)]
        spreads = [np.sqrt(max(q * (1 - q), 1e-9) / tosses) for a, b in pairs for q in [(p[a] + p[b]) / 2]]
        return float(min(abs(p[a] - p[b]) / spread for (a, b), spread in zip(pairs, spreads, strict=True)))

    def of_size(self, n: int, truth: CoinParameters) -> CoinSetting:
        return replace(self, n=n, truth=truth, tosses=TRIED)


def _coins(p: list[float], weights: list[float] | None = None) -> CoinParameters:
    return CoinParameters(weights or [1 / len(p)] * len(p), p)


CLEAN = (
    CoinSetting(
        "coins-equal-few", 5, "Five bags as in the tutorial, coins from the prior.", FLAT, weights="equal", share=COINS
    ),
    CoinSetting("coins-equal", 40, "Coins from the prior, equal weights.", FLAT, weights="equal", share=COINS),
    CoinSetting(
        "coins-free", 30, "Coins and weights from the prior, bags of 5 to 15.", FLAT, tosses=(5, 15), share=COINS
    ),
    CoinSetting(
        "coins-separated", 100, "Far apart: 5.4 sd of a bag.", FLAT, _coins([0.2, 0.8]), tosses=(20, 20), share=COINS
    ),
    CoinSetting(
        "coins-coinciding",
        40,
        "Two coins that are one: the maximum is often a boundary.",
        FLAT,
        _coins([0.5, 0.5]),
        share=COINS,
    ),
    CoinSetting(
        "coins-at-bound",
        30,
        "A coin that never falls heads: the maximum lies at 0.",
        FLAT,
        _coins([0.0, 0.6]),
        share=COINS,
    ),
    CoinSetting(
        "coins-single-toss", 40, "One toss a bag: not identified.", FLAT, _coins([0.3, 0.8]), tosses=(1, 1), share=COINS
    ),
    CoinSetting("coins-three", 60, "Three coins from the prior.", FLAT, n_components=3, tosses=(20, 20), share=COINS),
    CoinSetting(
        "coins-rare-3",
        20,
        "Rare events: 3 heads in 100,000 tosses, and 30.",
        FLAT,
        _coins([3e-5, 3e-4]),
        tosses=(100_000, 100_000),
        share=RARE,
    ),
    CoinSetting(
        "coins-rare-tails",
        20,
        "The same near 1: 3 tails in 100,000 tosses, and 30.",
        FLAT,
        _coins([1 - 3e-4, 1 - 3e-5]),
        tosses=(100_000, 100_000),
        share=RARE,
    ),
    CoinSetting(
        "coins-labelled",
        40,
        "The coin of a third of the bags is told.",
        FLAT,
        _coins([0.35, 0.6]),
        labelled=1 / 3,
        share=RARE,
    ),
    CoinSetting("coins-counted", 40, "Bags that were seen up to five times.", FLAT, repeated=5, share=RARE),
)

CALIBRATION = (
    # Longer bags outweigh the prior: no change of it would show. With a uniform prior a dropped Jacobian leaves nothing that
    # can be normalised: one coin goes to 0 where the other explains all heads.
    CoinSetting("sbc-coins-equal", 20, "Two coins.", CoinPrior(1.5, 1.5), weights="equal", tosses=(1, 3)),
    CoinSetting("sbc-coins-free", 20, "Two coins, weights free.", CoinPrior(1.5, 1.5, 2.0), tosses=(1, 3)),
)

PLANTED = (
    CoinSetting(
        "coins-repeated",
        40,
        "Bags of 8 to 12 that were seen several times.",
        FLAT,
        _coins([0.3, 0.75], [0.35, 0.65]),
        tosses=(8, 12),
        repeated=4,
    ),
    CoinSetting("coins-informed", 30, "A prior that is not flat.", CoinPrior(2.0, 3.0, 2.0), _coins([0.3, 0.75])),
    CoinSetting("coins-equal-apart", 40, "Equal weights.", FLAT, _coins([0.3, 0.75]), weights="equal"),
)


def neighbour(columns: Floats) -> Floats:
    """One head more or fewer in the first bag."""
    changed = np.array(columns)
    changed[0, 0] += 1 if changed[0, 0] < changed[0, 1] else -1
    return changed


def near(columns: Floats) -> Floats:
    """By what bags are taken for one: their heads, whatever their tosses."""
    return columns[:, :1]


def all_equal(p: CoinParameters) -> CoinParameters:
    """Every coin at the fit of a single one."""
    return CoinParameters(p.weights, np.full(len(p.weights), np.average(p.head_probabilities, weights=p.weights)))


def of_everyone(statistics: Any) -> Any:
    """Statistics with which the M-step divides by all tosses instead of each coin's."""
    everyone = np.broadcast_to(statistics.tosses.sum(axis=-1, keepdims=True), statistics.tosses.shape)
    return replace(statistics, tosses=everyone)


def own_axes(mixture: Any) -> dict[str, int]:
    """Where the component's axis stands in parameters of a component alone, counted from the end."""
    return {"head_probabilities": 1}


def other_prior(prior: CoinPrior) -> CoinPrior:
    """Beta(2, 2) in place of the uniform."""
    return replace(prior, heads=prior.heads + 1, tails=prior.tails + 1)


def prior_on_other_scale(prior: CoinPrior) -> CoinPrior:
    """With which the mode is that of logits."""
    return other_prior(prior)
