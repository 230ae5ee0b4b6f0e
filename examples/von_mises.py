"""Directions: mixtures of von Mises distributions, with an own distribution for SciPy.

Rows are directions in radians, from -pi to pi. The mean direction of a component is told in turns from -pi, a number between 0
and 1, as a direction that may be any number has infinitely many names, and the posterior a copy for each. Cut the circle where
few directions are: a component across the cut has its mean at both ends of 0 to 1.

`scipy.stats.vonmises` goes on around the circle beyond pi, and its distribution function with it. What a comparison needs is a
distribution of numbers between -pi and pi: any object will do that has ``pdf``, ``logpdf``, ``cdf`` and ``rvs``.

turtles.csv has the directions of 76 turtles after they laid eggs (Stephens 1969, Techniques for directional data, Stanford; in
many books since): most walk to the sea, some the other way.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
from scipy import special, stats

from models.family import Beta, Family, Gamma, Positive, Probability


class Directions:
    """The von Mises distribution of directions from -pi to pi."""

    def __init__(self, turns: Any, concentrations: Any) -> None:
        self.around = stats.vonmises(concentrations, loc=2 * np.pi * turns - np.pi)

    def logpdf(self, y: Any) -> Any:
        """Log density, nothing beyond a turn."""
        return np.where(np.abs(y) <= np.pi, self.around.logpdf(y), -np.inf)

    def pdf(self, y: Any) -> Any:
        """Density."""
        return np.exp(self.logpdf(y))

    def cdf(self, y: Any) -> Any:
        """Probability from -pi on."""
        return self.around.cdf(np.clip(y, -np.pi, np.pi)) - self.around.cdf(-np.pi)

    def rvs(self, size: Any = None, random_state: Any = None) -> Any:
        """Rows, which SciPy turns back to -pi to pi."""
        return self.around.rvs(size=size, random_state=random_state)


def m_step(y: Any, r: Any, prior: Any) -> dict[str, Any]:
    """The mean direction, then the concentration by Newton's method; again while the prior moves the two."""
    of_turn, of_concentration = prior["turns"], prior["concentrations"]
    n, sine, cosine = r.sum(axis=0), r.T @ np.sin(y), r.T @ np.cos(y)
    mean, length = np.arctan2(sine, cosine), np.hypot(sine, cosine)
    turn, share = (mean + np.pi) / (2 * np.pi), length / n
    log_concentration = np.log(share * (2 - share**2) / (1 - share**2))  # Banerjee et al. (2005), to a few per cent
    for _ in range(100):
        concentration = np.exp(log_concentration)
        angle = 2 * np.pi * turn - np.pi - mean
        slope = -2 * np.pi * concentration * length * np.sin(angle)
        slope = slope + (of_turn.alpha - 1) / turn - (of_turn.beta - 1) / (1 - turn)
        bend = 4 * np.pi**2 * concentration * length * np.cos(angle)
        bend = bend + (of_turn.alpha - 1) / turn**2 + (of_turn.beta - 1) / (1 - turn) ** 2
        further = np.clip(turn + slope / bend, turn / 2, (1 + turn) / 2)
        # Mean cosine of a von Mises distribution, and its derivative.
        a = special.i1e(concentration) / special.i0e(concentration)
        by_log = concentration * (length * np.cos(angle) - n * a - of_concentration.beta) + of_concentration.alpha - 1
        bends = concentration**2 * n * (1 - a / concentration - a**2) + of_concentration.alpha - 1 - by_log
        step = np.clip(by_log / np.maximum(bends, 1e-12), -1, 1)
        moved = max(np.abs(further - turn).max(), np.abs(step).max())
        turn, log_concentration = further, log_concentration + step
        if moved < 1e-10:
            break
    return {"turns": turn, "concentrations": np.exp(log_concentration)}


von_mises = Family(
    "von-mises",
    data="radians",
    parameters={"turns": Probability(prior=Beta(1, 1)), "concentrations": Positive(prior=Gamma(2, 0.2))},
    scipy=Directions,
    pymc=lambda turns, concentrations: pm.VonMises.dist(mu=2 * np.pi * turns - np.pi, kappa=concentrations),
    m_step=m_step,
)
