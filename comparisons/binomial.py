"""Exact intervals of a probability from counted successes (Clopper & Pearson 1934, Biometrika 26, 404)."""

from __future__ import annotations

from scipy.special import betaincinv

INTERVAL = 0.95


def exact_interval(successes: int, trials: int) -> tuple[float, float]:
    """Interval of probability 95 % at least; from 0 without a success, up to 1 without a failure."""
    tail = (1 - INTERVAL) / 2
    low = betaincinv(successes, trials - successes + 1, tail) if successes else 0.0
    high = betaincinv(successes + 1, trials - successes, 1 - tail) if successes < trials else 1.0
    return float(low), float(high)
