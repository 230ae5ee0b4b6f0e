"""The nouns of each model family (data, parameters, prior) and its PyMC model.

Importing this package loads no PyMC; building or reading a model does.
"""

from models.coins import CoinParameters, CoinPrior, CoinTosses, coin_mixture
from models.draws import canonical_order
from models.gaussians import GaussianParameters, GaussianPrior, Measurements, gaussian_mixture
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
