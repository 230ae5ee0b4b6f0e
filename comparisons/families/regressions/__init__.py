"""Mixtures of linear regressions, with weights of all rows or of each."""

from __future__ import annotations

from typing import Any

from comparisons.families.family import Family
from comparisons.families.regressions.gated import GatedRegressions
from comparisons.families.regressions.lines import Regressions


class EveryRegression(Regressions):
    """The family as it is asked for by name."""

    def variant(self, noun: Any) -> Family:
        return GATED if noun.n_concomitants else self


REGRESSIONS, GATED = EveryRegression(), GatedRegressions()
