"""What is regular and still to be doubted: narrow components that chance may make, components of next to no rows, close rivals.

A maximum of the likelihood is no more than that. With a component much narrower than another it may be a few rows that lie
together (McLachlan & Peel 2000, sec. 3.10), and where another maximum is almost as high the likelihood hardly chooses between
them. Such a fit is returned, as nothing higher that is regular is known; what a reader should weigh is said in numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from em.ascent.climb import climb
from em.mixture import Mixture
from em.search.collapse import chance_gain, supports

if TYPE_CHECKING:
    from em.search.optima import Optimum

type Ground = Literal["narrow component", "few rows", "close rival"]

# Ratio of standard deviations below which a component is narrow: with 50 to 100 rows of overlapping components nearly all
# maxima that mean nothing lie below it (Hathaway 1985).
MINIMUM_RATIO = 0.25
# Nats below the best within which another maximum is a rival: half of 3.84, as far as a 95 % interval of one parameter goes.
RIVAL = 1.92
# Steps to the maximum that a fit comes to when it is held to that ratio.
HELD_STEPS = 200


@dataclass(frozen=True, slots=True)
class Doubt:
    """One ground on which to doubt a regular optimum.

    Attributes
    ----------
    ground : a component much narrower than another that chance may have made; or one of no more rows than it goes through
        whatever they are; or another optimum that is almost as high
    component : its place in the fit's parameters, from 0; where the ground is a rival the narrowest
    spread_ratio : smallest standard deviation of the component over the largest of any, each relative to the data's own in the
        same direction, as ``minimum_ratio`` has it; inf where a family has none
    rows : expected number of rows in the component
    below : nats from the fit down to the next regular optimum that is known; NaN where there is none
    below_at_ratio : nats down to the best maximum that is known with ``minimum_ratio=0.25``: of the other optima, and of the
        fit itself brought to that ratio
    by_chance : nats that a component may gain where there is none; NaN of a rival, and of a fit that was stored before this was
        said
    """

    ground: Ground
    component: int
    spread_ratio: float
    rows: float
    below: float
    below_at_ratio: float
    by_chance: float

    def told(self, names: Sequence[str] | None = None) -> str:
        """The doubt in a sentence; components bear their ``names``, else numbers from 1."""
        if self.ground == "close rival":
            return f"Another maximum is only {self.below:.2g} lower in log density, so the data hardly choose between the two."
        component = names[self.component] if names else self.component + 1
        rows = f"{self.rows:{'.0f' if self.rows >= 10 else '.2g'}} row{'' if round(self.rows, 2) == 1 else 's'}"
        if self.ground == "few rows":
            return f"Component {component} has {rows}, at no more values than its parameters fit whatever these are."
        narrow = (
            f"Component {component} has about {rows} and is very narrow: its standard deviation is {self.spread_ratio:.2g} times "
            "that of the widest component."
        )
        above = f"{self.below_at_ratio:.2g} above the best fit without so narrow a component."
        # Many rows that could as well be somewhat wider are no accident of a few that lie together.
        if self.below_at_ratio < RIVAL:
            return f"{narrow} EM's fit has a log density only {above} The data hardly ask for one so narrow."
        gain = f"EM's fit has a log density {above}"
        if np.isnan(self.by_chance):
            return f"{narrow} {gain}"
        here = f"the {self.below_at_ratio:.2g} here"
        if self.below_at_ratio > self.by_chance:
            here = "what its own rows gain here"
        chance = "By chance alone, a narrow component that is not real can raise the log density by"
        return f"{narrow} {gain} {chance} {self.by_chance:.2g}, more than {here}. So this one may be spurious."


def doubts_of(mixture: Mixture[Any, Any], best: Optimum, others: Sequence[Optimum]) -> tuple[Doubt, ...]:
    """The doubts about the ``best`` optimum, where the ``others`` are the regular ones that are known beside it."""
    if not best.regular:
        return ()
    ratios, weights = mixture.spread_ratios(best.parameters), best.parameters.weights
    below = best.objective - max((o.objective for o in others), default=np.nan)
    few, narrow = mixture.interpolated, bool(ratios.min() < MINIMUM_RATIO)
    # Rows are counted only where that may matter: where weights are free, n times the weight is next to their number.
    if few and (narrow or mixture.n * weights.min() < few + 1):
        distinct, rows, gains = supports(mixture, best.parameters)
        chance = chance_gain(mixture)
        wide = _below_at_ratio(mixture, best, others) if narrow else 0.0
        found = []
        for k in range(mixture.n_components):
            if distinct[k] < few + 0.5:
                ground: Ground = "few rows"
            elif ratios[k] < MINIMUM_RATIO and min(gains[k], wide) <= chance:
                ground = "narrow component"
            else:
                continue
            found.append(Doubt(ground, k, float(ratios[k]), float(rows[k]), below, wide, chance))
        if found:
            return tuple(found)
    if below < RIVAL:
        k = int(ratios.argmin())
        wide = _below_at_ratio(mixture, best, others) if narrow else 0.0
        return (Doubt("close rival", k, float(ratios[k]), float(mixture.n * weights[k]), below, wide, np.nan),)
    return ()


def _below_at_ratio(mixture: Mixture[Any, Any], best: Optimum, others: Sequence[Optimum]) -> float:
    """Nats from the best optimum down to what is known to be within the ratio."""
    held, start = mixture.within_ratio(MINIMUM_RATIO, best.parameters)
    heights = [climb(held, start, "squarem", HELD_STEPS).trace[-1]]
    heights += [o.objective for o in others if mixture.spread_ratios(o.parameters).min() >= MINIMUM_RATIO]
    return best.objective - max(heights)
