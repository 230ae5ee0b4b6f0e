"""Wald intervals: an estimate and its standard error, on the scale on which the quantity has no bounds."""

from __future__ import annotations

import math

import numpy as np

from em.mixture import Scale
from models.inputs import Floats


def wald(kind: Scale, value: float, error: float) -> tuple[float, float]:
    """Interval of probability 94 %, on the scale on which the quantity has no bounds.

    NaN without a standard error, and at a bound, where that scale has no such point.
    """
    z = 1.8807936081512509  # the 97th percentile of the standard normal
    at_bound = value <= 0 if kind == "log" else kind == "logit" and not 0 < value < 1
    if at_bound or not math.isfinite(error):
        return math.nan, math.nan
    with np.errstate(all="ignore"):
        if kind == "logit":
            centre, spread = float(on_scale(kind, value)), error * slope(kind, value)
            low, high = (float(from_scale(kind, centre + sign * z * spread)) for sign in (-1, 1))
        elif kind == "log":
            low, high = (value * np.exp(sign * z * error * slope(kind, value)) for sign in (-1, 1))
        else:
            low, high = value - z * error, value + z * error
    return float(low), float(high)


def on_scale(kind: Scale, values: Floats | float) -> Floats:
    """Values of a quantity on the scale on which it has no bounds."""
    values = np.asarray(values)
    if kind == "logit":
        return np.asarray(np.log(values / (1 - values)))
    return np.asarray(np.log(values)) if kind == "log" else values


def from_scale(kind: Scale, values: Floats | float) -> Floats:
    """Values of a quantity in its own units, from those on the scale on which it has no bounds."""
    values = np.asarray(values)
    with np.errstate(over="ignore"):
        if kind == "logit":
            return np.asarray(1 / (1 + np.exp(-values)))
        return np.asarray(np.exp(values)) if kind == "log" else values


def slope(kind: Scale, value: float) -> float:
    """Derivative of `on_scale` at a value."""
    if kind == "identity":
        return 1.0
    return 1 / value if kind == "log" else 1 / (value * (1 - value))
