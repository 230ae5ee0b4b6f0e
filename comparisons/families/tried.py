"""A family of somebody's own tried on the rows before anything runs, so that what is wrong in it is told with its line."""

from __future__ import annotations

from contextlib import AbstractContextManager

import numpy as np

from comparisons.families.from_file import telling
from models.family import Family, FamilyPrior
from models.inputs import Floats

# Distinct rows, and draws from the prior, at which it is tried.
MOST_ROWS, DRAWS = 200, 100


def tried(family: Family, y: Floats, n_components: int, prior: FamilyPrior) -> None:
    """See that the functions of a family take arrays and give what they should, at rows ``(n,)`` and draws from the prior.

    Raises
    ------
    ValueError
        for a function that stops with an error, gives NaN, other names or other shapes, and a row that no draw makes possible
    """
    values = np.unique(y)
    values = values[np.unique(np.linspace(0, len(values) - 1, MOST_ROWS).astype(int))]
    random = np.random.default_rng(0)
    drawn = {
        name: each.scipy().rvs(size=(DRAWS, n_components), random_state=random)
        for name, each in prior.parameters.items()
    }
    _try_densities(family, values, drawn)
    _try_m_step(family, values, n_components, prior)


def _try_densities(family: Family, values: Floats, drawn: dict[str, Floats]) -> None:
    first = {name: v[0] for name, v in drawn.items()}
    k = len(next(iter(first.values())))
    with _telling(family, "scipy"), np.errstate(all="ignore"):
        distribution = family.scipy(**{name: v[:, None, :] for name, v in drawn.items()})
        discrete = not hasattr(getattr(distribution, "dist", distribution), "pdf")
        density = np.asarray((distribution.logpmf if discrete else distribution.logpdf)(values[:, None]))
    if density.shape != (DRAWS, len(values), k):
        raise ValueError(f"scipy of {family.name} gave shape {density.shape}; mend it to take arrays that broadcast")
    if np.isnan(density).any():
        s, i, j = np.argwhere(np.isnan(density))[0]
        at = ", ".join(f"{name} = {v[s, j]:.6g}" for name, v in drawn.items())
        raise ValueError(
            f"the density of {family.name} at {family.data} = {values[i]:.6g} is NaN where {at}; mend scipy"
        )
    with _telling(family, "scipy"):
        family.scipy(**first).rvs(size=k, random_state=1)
    with _telling(family, "pymc"):
        import pymc as pm

        pm.logp(family.pymc(**first), values[:, None])
    nowhere = np.isneginf(density).all(axis=(0, 2))
    if nowhere.any():
        raise ValueError(
            f"{family.data} = {values[np.argmax(nowhere)]:.6g} has density 0 at all {DRAWS} draws from the prior of "
            f"{family.name}; take the row out, or choose another family"
        )


def _try_m_step(family: Family, values: Floats, k: int, prior: FamilyPrior) -> None:
    if family.m_step is None:
        return
    priors = prior.parameters
    given = next(iter(priors.values())) if len(priors) == 1 else priors
    with _telling(family, "m_step"):
        found = dict(family.m_step(values, np.full((len(values), k), 1 / k), given))
    shapes = {name: np.shape(value) for name, value in found.items()}
    if shapes != dict.fromkeys(family.parameters, (k,)):
        told = ", ".join(family.parameters)
        raise ValueError(f"m_step of {family.name} gave {shapes or 'nothing'}; give {told}, each of shape ({k},)")


def _telling(family: Family, function: str) -> AbstractContextManager[None]:
    code = getattr(getattr(family, function), "__code__", None)
    return telling(f"{function} of {family.name}", "" if code is None else code.co_filename)
