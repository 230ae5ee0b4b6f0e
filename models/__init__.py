"""The nouns of each model family (data, parameters, prior) and its PyMC model.

Importing this package loads no PyMC; building or reading a model does.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from models.coins import CoinParameters, CoinPrior, CoinTosses, coin_mixture
from models.gaussians import GaussianParameters, GaussianPrior, Measurements, gaussian_mixture

if TYPE_CHECKING:
    from models.draws import canonical_order
    from models.maximum import Maximum, find_map
    from models.posterior import LogPosterior

__all__ = [
    "CoinParameters",
    "CoinPrior",
    "CoinTosses",
    "GaussianParameters",
    "GaussianPrior",
    "LogPosterior",
    "Maximum",
    "Measurements",
    "canonical_order",
    "coin_mixture",
    "find_map",
    "gaussian_mixture",
]

# What needs PyMC anyway is imported at its first use.
_LATER = {
    "LogPosterior": "models.posterior",
    "Maximum": "models.maximum",
    "canonical_order": "models.draws",
    "find_map": "models.maximum",
}


def __getattr__(name: str) -> Any:
    """What is imported at its first use."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)


def __dir__() -> list[str]:
    """All that the package offers, loaded or not."""
    return sorted({*globals(), *__all__})
