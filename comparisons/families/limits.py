"""A distribution of `scipy.stats` that loses its digits near a limit, and the limit in its place there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from models.inputs import Floats

# So near to it differences of log-gamma functions have fewer digits than the limit.
AT_LIMIT = 1e-8
# Stands for 0 where its logarithm would be taken.
TINY = 1e-300


class WithLimit:
    """Frozen distributions that broadcast: the ``limit`` where ``at_limit`` is true, else ``inside``."""

    def __init__(self, inside: Any, limit: Any, at_limit: Any) -> None:
        self._both, self._at_limit = (limit, inside), at_limit

    def _either(self, of: Callable[[Any], Floats]) -> Floats:
        with np.errstate(all="ignore"):
            return np.asarray(np.where(self._at_limit, *map(of, self._both)))

    def logpmf(self, y: Any) -> Floats:
        """Log probability."""
        return self._either(lambda frozen: frozen.logpmf(y))

    def pmf(self, y: Any) -> Floats:
        """Probability."""
        return self._either(lambda frozen: frozen.pmf(y))

    def cdf(self, y: Any) -> Floats:
        """Distribution function."""
        return self._either(lambda frozen: frozen.cdf(y))
