"""A posterior without Monte Carlo error, where a family has one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Moments of logits are to be right to so much less.
LOGITS = 1e-3


@dataclass(frozen=True, slots=True)
class ExactPosterior:
    """Numbers without error, components in canonical order.

    Attributes
    ----------
    means, sds : of each quantity by name
    unbounded : mean and sd of its logit
    below : of each quantity, the probabilities below its thresholds
    log_evidence : log marginal likelihood over all labellings
    """

    means: dict[str, float]
    sds: dict[str, float]
    unbounded: dict[str, tuple[float, float]]
    below: dict[str, list[float]]
    log_evidence: float

    def distance(self, other: ExactPosterior) -> float:
        """Largest difference in any number; of those of logits, which have no Taylor series at 0 and 1, a thousandth."""
        one, two = (
            np.array(
                [e.log_evidence, *e.means.values(), *e.sds.values(), *(p for row in e.below.values() for p in row)]
            )
            for e in (self, other)
        )
        logits = np.abs(np.array([*self.unbounded.values()]) - np.array([*other.unbounded.values()])).max()
        return float(max(np.abs(one - two).max(), LOGITS * logits))
