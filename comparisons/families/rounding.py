"""How far measurements were rounded, so that replicates are rounded alike."""

from __future__ import annotations

import numpy as np

from models.inputs import Floats

# Steps between the two closest values: with many rows it is one, with few it may be more.
MOST_PARTS = 10
# Steps over the range of the data, above which rounding makes no difference to a distribution.
MOST_VALUES = 10_000


def rounding_step(values: Floats, n: int) -> float:
    """Step of the sorted distinct values of ``n`` rows; rounding that has made no two values equal is of no account."""
    if len(values) in (1, n):
        return 0.0
    smallest = float(np.diff(values).min())
    for parts in range(1, MOST_PARTS + 1):
        step = smallest / parts
        multiples = (values - values[0]) / step
        if multiples[-1] > MOST_VALUES:
            break
        if np.abs(multiples - np.rint(multiples)).max() < 1e-6:
            return step
    return 0.0
