"""Hand-written EM for finite mixtures: maximum likelihood, or the posterior mode where a prior is given."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from em.climb import ObjectiveDecreased
from em.coins import coin_mixture
from em.fit import Fit
from em.gaussians import gaussian_mixture
from em.optima import Mode

if TYPE_CHECKING:
    from em.bags import distinct_tosses
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

# What comes after a fit is imported at its first use: an import of a package should cost little more than NumPy's.
_LATER = {
    "Bootstrap": "em.resampling",
    "Interval": "em.quantities",
    "bootstrap": "em.resampling",
    "distinct_tosses": "em.bags",
    "profile_interval": "em.profile",
    "sandwich": "em.robust",
}


def __getattr__(name: str) -> Any:
    """What is imported at its first use."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)


def __dir__() -> list[str]:
    """All that the package offers, loaded or not."""
    return sorted({*globals(), *__all__})
