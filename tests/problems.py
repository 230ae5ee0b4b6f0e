"""Small random problems of both families, over all their options, for claims that hold of every mixture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from em.coins.mixture import CoinMixture
from em.gaussians.mixture import GaussianMixture
from em.mixture import Mixture
from models import CoinPrior, CoinTosses, GaussianPrior, Measurements
from models.gaussians.covariances import Covariance, CovarianceForm
from models.inputs import Floats, Integers
from models.mixtures import MixtureWeights, Weights

COVARIANCES: tuple[Covariance, ...] = get_args(Covariance.__value__)


@dataclass(frozen=True)
class Problem:
    """Data, options and a place to start; Gaussian rows are left in their units."""

    data: Any
    mixture: Mixture[Any, Any]
    start: Any

    def with_data(self, data: Any) -> Mixture[Any, Any]:
        """The same problem of other data, the very same prior."""
        return _mixture(data, self.mixture)


def _mixture(data: Any, like: Any) -> Mixture[Any, Any]:
    if isinstance(like, CoinMixture):
        return CoinMixture(data, like.weights, like.prior)
    return GaussianMixture(data, like.weights, like.form, like.prior, standardise=False)


def coin_problem(random: np.random.Generator, n: int, k: int) -> Problem:
    """Bags of 1 to 12 tosses; counts, labels, prior and the treatment of the weights drawn too."""
    bags = random.integers(1, 13, size=n)
    tosses = CoinTosses(
        heads=random.binomial(bags, random.choice([0.05, 0.4, 0.7, 1.0], size=n)),
        tosses=bags,
        counts=_counts(random, n),
        labels=_labels(random, n, k),
    )
    prior = CoinPrior(*random.uniform(1, 4, size=3)) if random.random() < 0.5 else None
    mixture = CoinMixture(tosses, MixtureWeights.of(_weights(random, k), k), prior)
    return Problem(tosses, mixture, _start(random, mixture))


def gaussian_problem(random: np.random.Generator, n: int, k: int, d: int, covariance: Covariance) -> Problem:
    """Rows about three centres, features of different units; counts, labels, prior and weights drawn too."""
    units = 10.0 ** random.uniform(-1, 1, size=d)
    centres = random.normal(scale=3, size=(3, d))
    y = (centres[random.integers(3, size=n)] + random.normal(size=(n, d))) * units
    data = Measurements(y, counts=_counts(random, n), labels=_labels(random, n, k))
    prior = None
    if random.random() < 0.5:
        root = random.normal(size=(d, d)) + 3 * np.eye(d)
        prior = GaussianPrior(
            mean=random.normal(size=d) * units,
            shrinkage=random.uniform(0.01, 2),
            degrees_of_freedom=d - 1 + random.uniform(0.5, 5),
            scale=root @ root.T * units * units[:, None],
            concentration=random.uniform(1, 4),
        )
    form = CovarianceForm.of(covariance)
    mixture = GaussianMixture(data, MixtureWeights.of(_weights(random, k), k), form, prior, standardise=False)
    return Problem(data, mixture, _start(random, mixture))


def problems(seed: int, number: int) -> Iterator[Problem]:
    """Alternately coins and Gaussians of every form, one to four components, one to three features."""
    random = np.random.default_rng(seed)
    for i in range(number):
        k, n = int(random.integers(1, 5)), int(random.integers(8, 40))
        if i % 2:
            yield coin_problem(random, n, k)
        else:
            yield gaussian_problem(random, n, k, int(random.integers(1, 4)), COVARIANCES[i // 2 % 6])


def _weights(random: np.random.Generator, k: int) -> Weights:
    kind = random.integers(4)
    return "free" if kind < 2 else "equal" if kind == 2 else random.dirichlet(np.full(k, 5.0))


def _counts(random: np.random.Generator, n: int) -> Integers | None:
    return random.integers(1, 4, size=n) if random.random() < 0.5 else None


def _labels(random: np.random.Generator, n: int, k: int) -> Integers | None:
    """None, some rows known, or all."""
    kind = random.integers(4)
    if kind < 2:
        return None
    labels = random.integers(k, size=n)
    labels[:k] = np.arange(k)
    return labels if kind == 2 else np.where(random.random(n) < 0.7, -1, labels)


def _start(random: np.random.Generator, mixture: Mixture[Any, Any]) -> Any:
    shares: Floats = random.dirichlet(np.ones(mixture.n_components), size=len(mixture.counts))
    return mixture.start_from(shares)
