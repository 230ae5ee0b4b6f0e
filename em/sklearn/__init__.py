"""Mixtures with scikit-learn's habits: an estimator for every family of `em`, which leads to a verdict.

All that belongs to a row is in the columns of X, and a parameter of the estimator says which column is what: its place, or its
name where X is a table. So exposures, tosses and censoring go with their rows through pipelines, folds and searches, and new
rows bring theirs. ``sample_weight`` is how often a row counts, `models`' ``counts``; 0 and parts of a row are allowed.

Importing this package needs scikit-learn, which ``pip install em-comparisons[sklearn]`` brings; ``import em`` does not.

Examples
--------
Deaths that were counted in cities of different sizes, of two kinds of cities:

>>> import pandas as pd
>>> from em.sklearn import PoissonMixture
>>> cities = pd.DataFrame({"deaths": [3, 5, 41, 4, 38, 19], "people": [10, 21, 19, 15, 20, 9]})
>>> mixture = PoissonMixture(2, events="deaths", exposure="people", random_state=1).fit(cities)
>>> mixture.rates_.round(2)
array([0.26, 2.04])
>>> mixture.predict(cities)
array([0, 0, 1, 0, 1, 1])

Whether its standard errors may be reported is what `MixtureEstimator.comparison` tells, by sampling the posterior:

>>> mixture.comparison().verdict  # doctest: +SKIP
'agree'
"""

from em.sklearn.estimator import MixtureEstimator
from em.sklearn.families import (
    BetaBinomialMixture,
    BinomialMixture,
    ExponentialMixture,
    GammaMixture,
    GaussianMixture,
    LatentClassMixture,
    NegativeBinomialMixture,
    PoissonMixture,
    RegressionMixture,
)

__all__ = [
    "BetaBinomialMixture",
    "BinomialMixture",
    "ExponentialMixture",
    "GammaMixture",
    "GaussianMixture",
    "LatentClassMixture",
    "MixtureEstimator",
    "NegativeBinomialMixture",
    "PoissonMixture",
    "RegressionMixture",
]
