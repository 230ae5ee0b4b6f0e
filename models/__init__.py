"""The nouns of each model family (data, parameters, prior) and its PyMC model."""

from models.coins import CoinParameters, CoinPrior, CoinTosses
from models.gaussians import GaussianParameters, GaussianPrior, Measurements

__all__ = [
    "CoinParameters",
    "CoinPrior",
    "CoinTosses",
    "GaussianParameters",
    "GaussianPrior",
    "Measurements",
]
