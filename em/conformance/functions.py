"""Whether the functions of a family take arrays that broadcast, and give what they should by name and shape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from em.conformance.telling import telling, telling_of
from em.conformance.trial import DRAWS, Trial, at, log_densities
from em.general import DOMAINS
from models.family import log_densities_by_pymc, log_prior_by_pymc
from models.inputs import Floats, cut

# Numbers at which the prior of a parameter is asked by both engines, and what they may differ by, in nats or as a share.
QUANTILES, CLOSE = np.array([0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99]), 1e-6


def prior_fits(trial: Trial) -> Iterator[str]:
    """Each prior draws numbers of its domain, and is the same in both engines."""
    for name, prior in trial.prior.parameters.items():
        domain = DOMAINS[trial.family.parameters[name].scale]
        with telling(f"prior of {name}", ""):
            frozen = prior.scipy()
            values = np.asarray(frozen.ppf(QUANTILES), dtype=float)
            by_scipy, by_pymc = np.asarray(frozen.logpdf(values), dtype=float), log_prior_by_pymc(prior, values)
            prior.flat()
        outside = ~((values >= domain.low) & (values <= domain.high))
        if outside.any():
            kind = type(trial.family.parameters[name]).__name__
            yield (
                f"the prior of {name} goes to {values[outside][0]:.6g}, which is no number of the kind {kind}; give a prior of "
                "such numbers, or another kind"
            )
        apart = differences(by_scipy, by_pymc)
        if apart.any():
            j = int(apart.argmax())
            yield (
                f"the log density of the prior of {name} at {values[j]:.6g} is {by_scipy[j]:.6g} by scipy and "
                f"{by_pymc[j]:.6g} by pymc; mend one of the two"
            )


def differences(one: Floats, other: Floats) -> Floats:
    """By how much log densities differ beyond what they may, else 0; in nats, or as a share of large ones."""
    # Below the smallest number there is SciPy's logarithm of a density is -inf, where PyMC's may not be.
    lowest = np.log(np.finfo(float).tiny)
    one, other = np.maximum(one, lowest), np.maximum(other, lowest)
    with np.errstate(invalid="ignore"):  # both may be infinite
        off = np.where(one == other, 0.0, np.abs(one - other) / (1 + np.abs(one)))
    return np.where(off <= CLOSE, 0.0, np.where(np.isnan(off), np.inf, off))


def functions_fit(trial: Trial) -> Iterator[str]:
    """The first thing that keeps a function from being used at all."""
    family, y, k = trial.family, trial.y, trial.n_components
    drawn = trial.draws()
    m = len(next(iter(drawn.values())))
    sets = {name: np.stack([np.roll(v, j) for j in range(k)], axis=-1)[:, None] for name, v in drawn.items()}
    with telling_of(family, "scipy"):
        density = log_densities(family, y, sets)
    if density.shape != (m, len(y), k):
        yield f"scipy of {family.name} gave shape {density.shape}; mend it to take arrays that broadcast"
        return
    if np.isnan(density).any():
        s, i, j = np.argwhere(np.isnan(density))[0]
        where = at({name: v[s, 0] for name, v in sets.items()}, j)
        yield f"the density of {family.name} at {family.data} = {y[i]:.6g} is NaN where {where}; mend scipy"
        return
    nowhere = np.isneginf(density).all(axis=(0, 2))
    if nowhere.any():
        yield (
            f"{family.data} = {y[np.argmax(nowhere)]:.6g} has density 0 at all {DRAWS} draws from the prior of {family.name}; "
            "take the row out, or choose another family"
        )
        return
    first = {name: v[:k] for name, v in drawn.items()}
    with telling_of(family, "scipy"):
        frozen = family.scipy(**first)
        shapes = np.shape(frozen.rvs(size=k, random_state=np.random.default_rng(1))), np.shape(frozen.cdf(y[:, None]))
    if shapes != ((k,), (len(y), k)):
        yield (
            f"of {k} values of each parameter scipy of {family.name} drew rows of shape {shapes[0]} and gave a cdf of shape "
            f"{shapes[1]} for ({len(y)}, 1) rows; mend it to take arrays that broadcast"
        )
        return
    with telling_of(family, "pymc"):
        shape = log_densities_by_pymc(family, y, first).shape
    if shape != (len(y), k):
        yield f"pymc of {family.name} gave log densities of shape {shape} where ({len(y)}, {k}) belongs; take arrays"
    if family.m_step is not None:
        yield from _m_step_fits(trial)


def given(family: Any, priors: dict[str, Any]) -> Any:
    """What an M-step is given of priors by name."""
    return next(iter(priors.values())) if len(priors) == 1 else priors


def _m_step_fits(trial: Trial) -> Iterator[str]:
    family, k = trial.family, trial.n_components
    with telling_of(family, "m_step"), np.errstate(all="ignore"):
        prior = given(family, dict(trial.prior.parameters))
        found: Any = family.m_step(trial.y, np.full((len(trial.y), k), 1 / k), prior)  # type: ignore[misc]
        shapes = {name: np.shape(value) for name, value in dict(found).items()}
    if shapes != dict.fromkeys(family.parameters, (k,)):
        told = ", ".join(family.parameters)
        yield f"m_step of {family.name} gave {cut(str(shapes)) if shapes else 'nothing'}; give {told}, each of shape ({k},)"
