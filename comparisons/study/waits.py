"""Waiting times in the studies, of whatever family."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from comparisons import families
from comparisons.study.setting import Setting
from models.inputs import Integers


@dataclass(frozen=True, slots=True)
class WaitSetting(Setting):
    """Waits, each watched until a time drawn evenly up to ``watched`` mean waits."""

    _: KW_ONLY
    watched: float = np.inf

    @property
    def form(self) -> str:
        return self.family

    def rows(self, truth: Any, components: Integers, random: np.random.Generator, **known: Any) -> Any:
        waits, noun = truth.simulate(components, random), families.of(truth).data
        if np.isinf(self.watched):
            return noun(waits, **known)
        limits = self.watched * float(truth.weights @ truth.means) * (1 - random.random(self.n))
        return noun(np.minimum(waits, limits), waits > limits, **known)

    def separation(self, truth: Any) -> float:
        means, deviations = truth.means, truth.deviations
        pairs = [(a, b) for a in range(len(means)) for b in range(a)]
        return float(min(abs(means[a] - means[b]) / max(deviations[a], deviations[b]) for a, b in pairs))
