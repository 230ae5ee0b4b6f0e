"""Hand-written EM for finite mixtures: maximum likelihood, or the posterior mode where a prior is given."""

from em.climb import ObjectiveDecreased
from em.coins import coin_mixture
from em.distinct_tosses import distinct_tosses
from em.fit import Fit
from em.gaussians import gaussian_mixture
from em.optima import Mode
from em.profile import profile_interval
from em.quantities import Interval
from em.resampling import Bootstrap, bootstrap
from em.robust import sandwich

__all__ = [
    "Bootstrap",
    "Fit",
    "Interval",
    "Mode",
    "ObjectiveDecreased",
    "bootstrap",
    "coin_mixture",
    "distinct_tosses",
    "gaussian_mixture",
    "profile_interval",
    "sandwich",
]
