"""A PyMC program alone: an EM is derived from it, and both are a pair, of which one density is all there is."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

import em
from comparisons.pair import Pair, Values
from comparisons.pairs.calling import OfAll
from comparisons.pairs.program import observed
from em.derived.marginal import marginal_of

if TYPE_CHECKING:
    import pymc as pm

# Random points at which two programs that are the same have the same densities, to so many digits.
POINTS, DIGITS = 5, 10
# Nats below the best maximum at which plain steps, which may creep, do not go to another one.
LOWER = 10.0
# What a report says of the model, and what a verdict says of itself.
ONE_DENSITY = "EM was derived from the program, so its likelihood and prior are the program's: one density, not two."
NOT_FOUND = "EM has the program's own density: an error of the program, its prior or its data is in both fits, unseen."


def is_program(told: Any) -> bool:
    """Whether something is a `pymc.Model`; asked without an import of PyMC."""
    return hasattr(told, "free_RVs") and hasattr(told, "observed_RVs")


def pair_of(model: pm.Model, name: str = "model", *, compiled: bool = True) -> Pair:
    """The EM that is derived from a program, with the program summed over its latent variables.

    ``compiled`` as of `em.derive`.

    Raises
    ------
    ValueError
        for a program of which no EM can be derived; see `em.derive`
    """
    derived = em.derive(model, compiled=compiled)
    program = marginal_of(derived.steps.densities)

    def m_step(shares: list[Any], values: Values, *, prior: bool) -> Values:
        return derived.steps.m_step(shares, values, prior=prior, near=True)

    @cache
    def starts() -> list[Values]:
        """Where the best fits of an accelerated search began, and the lower maxima that it found and that may matter."""
        fits = [derived.fit(prior=prior) for prior in (False, True)]
        lower = [
            m for fit in fits for m in fit.modes[1:] if m.regular and m.log_likelihood > fit.log_likelihood - LOWER
        ]
        return [fit.path[0] for fit in fits] + [m.parameters for m in lower]

    return Pair(
        model=lambda: program,
        log_likelihood=OfAll(derived.log_likelihood),
        e_step=OfAll(derived.e_step),
        m_step=OfAll(m_step, takes_prior=True),
        start=starts,
        data=observed(model),
        name=name,
        derived=derived,
    )


def fingerprint(pair: Pair) -> str:
    """What tells a program from others of the same data: its densities at some points."""
    assert pair.derived is not None
    space, random = pair.derived.steps.densities.space, np.random.default_rng(0)
    told = []
    for _ in range(POINTS):
        values = space.values(random.normal(size=space.size))
        told += [pair.derived.log_likelihood(values), pair.derived.log_prior(values)]
    return hashlib.sha256(" ".join(f"{each:.{DIGITS}g}" for each in told).encode()).hexdigest()
