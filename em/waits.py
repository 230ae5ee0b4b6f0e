"""Waiting times, some of which were cut short: what mixtures of them have in common."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.inputs import Integers


class WatchedWaits:
    """New waits are watched as long as those at hand, which is what a simulation has to know of these."""

    data: Any

    def design_names(self) -> tuple[str, ...]:
        """Nothing but that all ended, where all did."""
        return ("y", "censored") if self.data.censored.any() else ("censored",)

    def drawn(self, published: Any, rows: Integers, components: Integers, random: np.random.Generator) -> Any:
        """See `em.mixture.Mixture.drawn`."""
        return self.data.taken(rows).again(published.simulate(components, random), random)
