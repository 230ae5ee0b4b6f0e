"""The families that comparisons know: each in a file or folder of its own here, and nowhere else."""

from __future__ import annotations

from typing import Any

from comparisons.declaration import Comparison
from comparisons.families.beta_binomials import BETA_BINOMIALS
from comparisons.families.coins import COINS
from comparisons.families.exponentials import EXPONENTIALS
from comparisons.families.family import Family
from comparisons.families.gammas import GAMMAS
from comparisons.families.gaussians import GAUSSIANS
from comparisons.families.latent_classes import LATENT_CLASSES
from comparisons.families.mixtures import MixtureProblem
from comparisons.families.negative_binomials import NEGATIVE_BINOMIALS
from comparisons.families.own_family import of_family
from comparisons.families.poissons import POISSONS
from comparisons.families.regressions import REGRESSIONS
from models.family import FamilyParameters
from models.inputs import instance_of, whole_counts
from models.mixtures import MixtureWeights, checked_labels, enough_rows

__all__ = [
    "BETA_BINOMIALS",
    "COINS",
    "EXPONENTIALS",
    "FAMILIES",
    "GAMMAS",
    "GAUSSIANS",
    "LATENT_CLASSES",
    "NEGATIVE_BINOMIALS",
    "POISSONS",
    "REGRESSIONS",
    "fitting",
    "of",
    "of_family",
    "problem",
]

# Of families of the same columns, or of the same data, the first is taken where none is named.
FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        COINS,
        GAUSSIANS,
        POISSONS,
        EXPONENTIALS,
        GAMMAS,
        NEGATIVE_BINOMIALS,
        BETA_BINOMIALS,
        LATENT_CLASSES,
        REGRESSIONS,
    )
}


def of(noun: Any) -> Family:
    """The family of data, of parameters or of a prior.

    Raises
    ------
    TypeError
        for what is a noun of none
    """
    if isinstance(noun, FamilyParameters):
        return of_family(noun.family)
    for family in FAMILIES.values():
        if isinstance(noun, (family.data, family.parameters, family.prior)):
            return family.variant(noun)
    *others, last = dict.fromkeys(f"models.{family.data.__name__}" for family in FAMILIES.values())
    raise TypeError(f"data must be {', '.join(others)} or {last}, but is {type(noun).__name__}")


def fitting(comparison: Comparison, data: Any) -> Comparison:
    """Return the declaration, its features named, or refuse what would end a run that has taken minutes.

    Raises
    ------
    TypeError, ValueError
        for data of no family, counts that are not whole, fewer rows than components, labels that are no component, weights,
        covariance, features or a prior that do not fit
    """
    family, k = _asked(comparison, data), comparison.n_components
    MixtureWeights.of(comparison.weights, k)
    whole_counts(data.counts, "a comparison is of rows that were seen so many times: give whole numbers")
    enough_rows(data.n, k)
    checked_labels(data.labels, k)
    return family.fitting(comparison, data)


def _asked(comparison: Comparison, data: Any) -> Family:
    """The family that is declared, else that of the data."""
    if isinstance(comparison.family, str):
        family = FAMILIES[comparison.family]
        instance_of("data", data, family.data)
        return family.variant(data)
    return of(data) if comparison.family is None else of_family(comparison.family)


def problem(comparison: Comparison, data: Any) -> MixtureProblem:
    """Make the prior where the declaration leaves it to the family, and refuse data that do not fit the declaration.

    Raises
    ------
    TypeError, ValueError
        as `fitting`
    """
    comparison, family = fitting(comparison, data), _asked(comparison, data)
    declared = family.declared(data)
    prior = comparison.prior
    if prior is None:
        prior = family.default_prior(data, comparison.n_components)
    return MixtureProblem(family, comparison, data.distinct(), prior, declared)
