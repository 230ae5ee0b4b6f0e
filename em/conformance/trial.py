"""At which rows and parameters a family is tried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from em.conformance.telling import telling_of
from em.general import is_discrete
from models.family import Family, FamilyPrior
from models.inputs import Floats

# Rows that are simulated, draws from the prior, and quantiles of it at which each parameter is tried beside these, with the
# others at their medians.
SIMULATED, DRAWS, ENDS = 60, 100, (1e-6, 1 - 1e-6)


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """A family, and where it is tried.

    Attributes
    ----------
    family, prior : the prior may be another than the family's own
    given : ``(n,)`` distinct rows of somebody's, or none
    n_components : K
    seed : of all random numbers
    """

    family: Family
    prior: FamilyPrior
    given: Floats
    n_components: int
    seed: int

    @property
    def y(self) -> Floats:
        """``(n,)`` distinct rows at which it is tried: simulated at two places of the prior where none are given."""
        if len(self.given):
            return self.given
        values = {name: np.resize(v, SIMULATED) for name, v in self.central(2, 0.3).items()}
        with telling_of(self.family, "scipy"):
            return np.unique(np.asarray(self.family.scipy(**values).rvs(random_state=self.random()), dtype=float))

    @property
    def discrete(self) -> bool:
        """Whether rows have probabilities, and no density."""
        middle = {name: each.scipy().ppf(0.5) for name, each in self.prior.parameters.items()}
        return is_discrete(self.family.scipy(**middle))

    def random(self, number: int = 0) -> np.random.Generator:
        """Numbers of one check, the same whichever other checks there are."""
        return np.random.default_rng([self.seed, number])

    def draws(self) -> dict[str, Floats]:
        """``(m,)`` of each parameter: draws from the prior, then its ends."""
        names, random = list(self.prior.parameters), self.random()
        frozen = [each.scipy() for each in self.prior.parameters.values()]
        found = np.stack([np.asarray(each.rvs(size=DRAWS, random_state=random), dtype=float) for each in frozen])
        middle = np.array([each.ppf(0.5) for each in frozen])
        for j, each in enumerate(frozen):
            ends = np.repeat(middle[:, None], len(ENDS), axis=1)
            ends[j] = each.ppf(ENDS)
            found = np.concatenate([found, ends], axis=1)
        return dict(zip(names, found, strict=True))

    def central(self, m: int, low: float = 0.25) -> dict[str, Floats]:
        """``(m,)`` of each parameter between two quantiles of the prior, rising."""
        shares = np.linspace(low, 1 - low, m) if m > 1 else np.array([0.5])
        return {name: np.asarray(each.scipy().ppf(shares)) for name, each in self.prior.parameters.items()}


def at(values: dict[str, Any], place: int | None = None) -> str:
    """Parameters as a sentence tells them."""
    return ", ".join(f"{name} = {v if place is None else v[place]:.6g}" for name, v in values.items())


def log_densities(family: Family, y: Floats, parameters: dict[str, Floats]) -> Floats:
    """``(n, m)`` by SciPy, of rows ``(n,)`` at parameters ``(m,)`` each."""
    with np.errstate(all="ignore"):
        distribution = family.scipy(**parameters)
        of = distribution.logpmf if is_discrete(distribution) else distribution.logpdf
        return np.asarray(of(y[:, None]), dtype=float)
