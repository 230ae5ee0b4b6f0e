"""The nouns of each model family (data, parameters, prior) and its PyMC model.

Importing this package loads no PyMC; building or reading a model does.
"""

from typing import TYPE_CHECKING

from models.beta_binomials import BetaBinomialParameters, BetaBinomialPrior, beta_binomial_mixture
from models.coins.model import coin_mixture
from models.coins.nouns import CoinParameters, CoinPrior, CoinTosses
from models.exponentials import ExponentialParameters, ExponentialPrior, WaitingTimes, exponential_mixture
from models.gammas import GammaParameters, GammaPrior, PositiveTimes, gamma_mixture
from models.gaussians.measurements import Measurements
from models.gaussians.model import gaussian_mixture
from models.gaussians.nouns import GaussianParameters, GaussianPrior
from models.hidden_markov_chains import HiddenMarkovParameters, Sequences, hidden_markov
from models.latent_classes import ItemResponses, LatentClassParameters, LatentClassPrior, latent_class_mixture
from models.later import at_first_use
from models.negative_binomials import (
    NegativeBinomialParameters,
    NegativeBinomialPrior,
    negative_binomial_mixture,
)
from models.poissons import EventCounts, PoissonParameters, PoissonPrior, poisson_mixture
from models.regressions.formula import RegressionDesign
from models.regressions.model import regression_mixture
from models.regressions.nouns import ConcomitantParameters, RegressionParameters, RegressionPrior
from models.regressions.regressors import RegressionRows

if TYPE_CHECKING:
    from models.draws import canonical_order
    from models.maximum import Maximum, find_map
    from models.posterior import LogPosterior

__all__ = [
    "BetaBinomialParameters",
    "BetaBinomialPrior",
    "CoinParameters",
    "CoinPrior",
    "CoinTosses",
    "ConcomitantParameters",
    "EventCounts",
    "ExponentialParameters",
    "ExponentialPrior",
    "GammaParameters",
    "GammaPrior",
    "GaussianParameters",
    "GaussianPrior",
    "HiddenMarkovParameters",
    "ItemResponses",
    "LatentClassParameters",
    "LatentClassPrior",
    "LogPosterior",
    "Maximum",
    "Measurements",
    "NegativeBinomialParameters",
    "NegativeBinomialPrior",
    "PoissonParameters",
    "PoissonPrior",
    "PositiveTimes",
    "RegressionDesign",
    "RegressionParameters",
    "RegressionPrior",
    "RegressionRows",
    "Sequences",
    "WaitingTimes",
    "beta_binomial_mixture",
    "canonical_order",
    "coin_mixture",
    "exponential_mixture",
    "find_map",
    "gamma_mixture",
    "gaussian_mixture",
    "hidden_markov",
    "latent_class_mixture",
    "negative_binomial_mixture",
    "poisson_mixture",
    "regression_mixture",
]

# What needs PyMC anyway is imported at its first use.
__getattr__, __dir__ = at_first_use(
    __name__,
    __all__,
    {
        "LogPosterior": "models.posterior",
        "Maximum": "models.maximum",
        "canonical_order": "models.draws",
        "find_map": "models.maximum",
    },
)
