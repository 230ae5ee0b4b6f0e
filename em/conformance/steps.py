"""Whether an M-step maximises what it should, with a prior and without, and whether EM with it raises its objective."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from em.ascent.climb import ObjectiveDecreased, climb
from em.conformance.trial import Trial, at
from em.general import GeneralMixture, Weighted
from models.family import FamilyPrior, Rows
from models.inputs import Floats
from models.mixtures import MixtureWeights

# Nats that an M-step may miss: half the square of a distance of a thousandth of a standard error.
MISSED = 0.5e-6
# Steps of EM, the share of a component in its own rows where they begin, by what numbers of another prior differ, and how often
# a row is counted at most.
STEPS, OWN, OTHER, COUNTS = 20, 0.9, 1.5, 3


def m_step_is_a_maximum(trial: Trial) -> Iterator[str]:
    """No parameters near those of the M-step are higher in the expected log posterior of complete data."""
    if trial.family.m_step is None:
        return
    off = {name: _lower(trial, prior) for name, prior in _priors(trial).items()}
    name = trial.family.name
    wrong = {told: found for told, found in off.items() if found is not None}
    if not wrong:
        return
    told, found = next(iter(wrong.items()))
    if "without a prior" not in wrong:
        slip = "without a prior it is right, so the prior is left out or used wrongly"
        if "with the prior" not in wrong:
            slip = "with its own prior it is right, so it has the numbers of that instead of those that it is given"
    elif "with the prior" in wrong:
        slip = "with a prior and without, so it is not the maximum of r log f"
    else:
        slip = "with the prior it is right, so that the numbers of the prior are not those that it is given"
    yield f"m_step of {name} is no maximum {told}: {found}; {slip}; mend it, or leave m_step out"


def _priors(trial: Trial) -> dict[str, FamilyPrior | None]:
    found: dict[str, FamilyPrior | None] = {"without a prior": None, "with the prior": trial.prior}
    if all(is_dataclass(each) for each in trial.prior.parameters.values()):
        other = {
            name: replace(each, **{number.name: OTHER * getattr(each, number.name) for number in fields(each)})
            for name, each in trial.prior.parameters.items()
        }
        found["with a prior of other numbers"] = FamilyPrior(other, trial.prior.concentration)
    return found


def _mixture(trial: Trial, prior: FamilyPrior | None, *, numerical: bool = False) -> GeneralMixture:
    family = replace(trial.family, m_step=None) if numerical else trial.family
    counts = trial.random(10).integers(1, COUNTS + 1, len(trial.y))
    return GeneralMixture(family, Rows(trial.y, counts), MixtureWeights.of("free", trial.n_components), prior)


def _lower(trial: Trial, prior: FamilyPrior | None) -> str | None:
    """How far the M-step is from what Newton's method finds from there, where that is higher."""
    mixture, other = _mixture(trial, prior), _mixture(trial, prior, numerical=True)
    r = trial.random(11).dirichlet(np.ones(trial.n_components), len(trial.y)) * mixture.counts[:, None]
    found = mixture.m_step(Weighted(np.nan, r, mixture._nowhere(r)))
    vector = mixture.to_vector(found)
    if not mixture.exists(vector):
        return f"it gives {at(_named(mixture, found), 0)}, which is outside of the domain"
    higher = other.m_step(Weighted(np.nan, r, vector))
    objective = _objective(mixture, r, found)
    rise = _objective(mixture, r, higher) - objective
    k = int(np.argmax(np.where(np.isfinite(objective), rise, np.inf)))
    if np.isfinite(objective).all() and rise[k] <= MISSED:
        return None
    return f"it gives {at(_named(mixture, found), k)} where {at(_named(mixture, higher), k)} is higher by {rise[k]:.2g} nats"


def _named(mixture: GeneralMixture, parameters: Any) -> dict[str, Floats]:
    return mixture.named(parameters, over_rows=False)


def _objective(mixture: GeneralMixture, r: Floats, parameters: Any) -> Floats:
    """``(K,)`` expected log density of the rows of each component, with the log prior of its parameters."""
    own = mixture._unbounded(mixture.fields(parameters))
    return np.asarray(mixture._weighted(r, mixture._priors)(own[None])[0])


def objective_rises(trial: Trial) -> Iterator[str]:
    """Steps of EM never lower the objective, with the prior and without."""
    for told, prior in _priors(trial).items():
        mixture = _mixture(trial, prior)
        # Each component begins with most of its own part of the rows.
        own = np.arange(len(trial.y)) * trial.n_components // len(trial.y)
        r = np.where(own[:, None] == np.arange(trial.n_components), OWN, (1 - OWN) / max(trial.n_components - 1, 1))
        start = mixture.start_from(r / r.sum(axis=1, keepdims=True))
        if not np.isfinite(mixture.e_step(start).log_likelihood):
            densities = mixture.log_densities(start).max(axis=1)
            yield (
                f"scipy of {trial.family.name} gives density 0 to {trial.family.data} = {trial.y[densities.argmin()]:.6g} at "
                f"{at(_named(mixture, start), 0)}, where EM starts from these rows; give scipy's arguments by their names"
            )
            return
        try:
            climb(mixture, start, None, STEPS)
        except ObjectiveDecreased as error:
            yield (
                f"the objective of {trial.family.name} falls by {error.loss:.3g} nats in step {error.step} of EM {told}; its "
                "M-step is not that of its density for all rows and weights"
            )
            return
