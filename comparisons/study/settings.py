"""All populations of the studies, and what each family breaks of itself.

Every prior is a few numbers fixed before any data are drawn. Where ``truth`` is None the parameters are drawn from that
prior, else they are the hard case that the setting is named for.
"""

from __future__ import annotations

from types import SimpleNamespace

from comparisons.families import (
    BETA_BINOMIALS,
    COINS,
    EXPONENTIALS,
    GAMMAS,
    GAUSSIANS,
    LATENT_CLASSES,
    NEGATIVE_BINOMIALS,
    POISSONS,
    REGRESSIONS,
)
from comparisons.families.family import Family
from comparisons.study import (
    beta_binomials,
    coins,
    elementwise,
    exponentials,
    gammas,
    gaussians,
    latent_classes,
    negative_binomials,
    poissons,
    regressions,
)

PARTS = {
    COINS.name: coins,
    GAUSSIANS.name: gaussians,
    POISSONS.name: poissons,
    EXPONENTIALS.name: exponentials,
    GAMMAS.name: gammas,
    NEGATIVE_BINOMIALS.name: negative_binomials,
    BETA_BINOMIALS.name: beta_binomials,
    LATENT_CLASSES.name: latent_classes,
    REGRESSIONS.name: regressions,
}

CLEAN = tuple(setting for part in PARTS.values() for setting in part.CLEAN)
PLANTED = tuple(setting for part in PARTS.values() for setting in part.PLANTED)
SETTINGS = {setting.name: setting for setting in (*CLEAN, *PLANTED)}
CALIBRATION = {setting.name: setting for part in PARTS.values() for setting in part.CALIBRATION}


def part_of(family: Family) -> SimpleNamespace:
    """The family's own part of the studies; what it leaves out is that of numbers, one a component."""
    return SimpleNamespace(**(vars(elementwise) | vars(PARTS[family.name])))
