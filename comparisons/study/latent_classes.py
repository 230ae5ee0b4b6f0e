"""Latent classes in the studies: populations, easy and hard on purpose, and what is broken of them alone."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

import numpy as np

from comparisons.study.setting import Setting
from models import ItemResponses, LatentClassParameters, LatentClassPrior
from models.inputs import Floats, Integers
from models.latent_classes import MISSING

BINARY = LatentClassPrior(1.5, 2.0, (2,) * 6)
MIXED = LatentClassPrior(1.5, 2.0, (3, 2, 3, 2, 4))
# Shares, as those of the other families.
SHARE = 0.4
CALIBRATED, SHOW_LITTLE = 0.3, ()


@dataclass(frozen=True, slots=True)
class LatentClassSetting(Setting):
    """Items with so many categories as the prior or the truth has, and a share of cells that are missing."""

    _: KW_ONLY
    missing: float = 0.0

    @property
    def form(self) -> str:
        return "latent-classes"

    def rows(
        self, truth: LatentClassParameters, components: Integers, random: np.random.Generator, **known: Any
    ) -> ItemResponses:
        items = truth.simulate(components, random)
        gone = random.random(items.shape) < self.missing
        # Of each row one item at least is there.
        gone[np.arange(len(gone)), random.integers(items.shape[1], size=len(gone))] = False
        sizes = (truth.item_probabilities > 0).any(axis=0).sum(axis=1)
        return ItemResponses(
            np.where(gone, MISSING, items), categories=[list(map(str, range(size))) for size in sizes], **known
        )

    def separation(self, truth: LatentClassParameters) -> float:
        p = truth.item_probabilities
        pairs = [(a, b) for a in range(len(p)) for b in range(a)]
        # Of a row: the root of the sum over items of the squared differences over the larger variance.
        spreads = [np.maximum(np.maximum(p[a] * (1 - p[a]), p[b] * (1 - p[b])), 1e-3) for a, b in pairs]
        return float(
            min(np.sqrt(((p[a] - p[b]) ** 2 / s).max(axis=-1).sum()) for (a, b), s in zip(pairs, spreads, strict=True))
        )


def _classes(*chances: list[float], weights: list[float] | None = None) -> LatentClassParameters:
    """Items with two categories, of each class the probabilities of the second ones."""
    p = np.array(chances)
    return LatentClassParameters(weights or [1 / len(p)] * len(p), np.stack([1 - p, p], axis=-1))


CLEAN = (
    LatentClassSetting("classes-free", 150, "Six items, all from the prior.", BINARY, share=SHARE),
    LatentClassSetting("classes-few", 40, "Few rows.", BINARY, share=SHARE),
    LatentClassSetting("classes-mixed", 150, "Items with two to four categories.", MIXED, share=SHARE),
    LatentClassSetting("classes-missing", 150, "A fifth of the cells missing.", BINARY, missing=0.2, share=SHARE),
    LatentClassSetting("classes-labelled", 80, "A third labelled.", BINARY, labelled=1 / 3, share=SHARE),
    LatentClassSetting("classes-equal", 100, "Equal weights.", BINARY, weights="equal", share=SHARE),
    LatentClassSetting(
        "classes-at-bound",
        120,
        "Two items are never in their second category in one class; default prior.",
        None,
        _classes([0.0, 0.0, 0.1, 0.2, 0.1], [0.6, 0.5, 0.9, 0.8, 0.9]),
        share=SHARE,
    ),
)

CALIBRATION = (
    LatentClassSetting("sbc-classes-free", 40, "Two classes.", LatentClassPrior(1.5, 2.0, (2,) * 4)),
    LatentClassSetting(
        "sbc-classes-mixed", 40, "Items with two and three categories.", LatentClassPrior(1.5, 2.0, (2, 3, 2, 3))
    ),
)

PLANTED = (
    LatentClassSetting(
        "classes-repeated",
        60,
        "Rows that were seen several times.",
        BINARY,
        _classes([0.1, 0.2, 0.1, 0.3, 0.2, 0.1], [0.8, 0.7, 0.9, 0.8, 0.6, 0.7], weights=[0.4, 0.6]),
        repeated=3,
    ),
)


def near(columns: Floats) -> Floats:
    """By what rows are taken for one: their first items."""
    return columns[:, :-1]


def neighbour(columns: Floats) -> Floats:
    """The other category in the first cell that is there."""
    changed = np.array(columns)
    row, item = np.argwhere(~np.isnan(changed))[0]
    changed[row, item] = 1 - min(changed[row, item], 1)
    return changed


def all_equal(p: LatentClassParameters) -> LatentClassParameters:
    """Every class at the average of all."""
    average = np.einsum("k,kjc->jc", p.weights, p.item_probabilities)
    return LatentClassParameters(p.weights, np.broadcast_to(average, p.item_probabilities.shape))


def of_everyone(statistics: Any) -> Any:
    """Statistics with which the M-step counts half of the answers of each class as if they were of all."""
    features = np.array(statistics.features)
    return replace(statistics, features=0.5 * (features + features.mean(axis=-2, keepdims=True)))


def own_axes(mixture: Any) -> dict[str, int]:
    """Where the component's axis stands in parameters of a component alone, counted from the end."""
    return {"item_probabilities": 3}


def other_prior(prior: LatentClassPrior) -> LatentClassPrior:
    """A row more in each category."""
    return replace(prior, item_concentration=prior.item_concentration + 1)


def prior_on_other_scale(prior: LatentClassPrior) -> LatentClassPrior:
    """With which the mode is that of logits."""
    return other_prior(prior)
