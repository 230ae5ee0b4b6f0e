"""Hand-written EM for finite mixtures: maximum likelihood, or the posterior mode where a prior is given."""

from em.climb import ObjectiveDecreased
from em.coins import coin_mixture
from em.fit import Fit, Mode
from em.gaussians import gaussian_mixture
from em.profile import ProfileInterval, profile_interval

__all__ = [
    "Fit",
    "Mode",
    "ObjectiveDecreased",
    "ProfileInterval",
    "coin_mixture",
    "gaussian_mixture",
    "profile_interval",
]
