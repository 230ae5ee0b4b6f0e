"""The data of the benchmarks, each with its mixture and a start: random rows as means, the covariance of all for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from em.coins.mixture import CoinMixture
from em.gaussians.mixture import GaussianMixture
from models import CoinParameters, CoinTosses, GaussianParameters, Measurements
from models.gaussians.covariances import Covariance, CovarianceForm
from models.inputs import Floats, Integers
from models.mixtures import MixtureWeights


@dataclass(frozen=True)
class Workload:
    name: str
    k: int
    covariance: Covariance
    mixture: Any
    start: GaussianParameters


def simulated(n: int, d: int, k: int, apart: float, seed: int) -> Floats:
    """Rows of K normals of equal weight, centres ``apart`` and covariances of condition number ten or so."""
    random = np.random.default_rng(seed)
    centres, component = random.normal(scale=apart, size=(k, d)), random.integers(k, size=n)
    roots = np.eye(d) + random.normal(scale=0.3 / np.sqrt(d), size=(k, d, d))
    y = random.normal(size=(n, d))
    for j in range(k):
        y[component == j] = y[component == j] @ roots[j].T + centres[j]
    return y


def as_workload(name: str, y: Floats, k: int, covariance: Covariance = "full") -> Workload:
    mixture = GaussianMixture(Measurements(y), MixtureWeights.of("free", k), CovarianceForm.of(covariance), None)
    means = mixture.points[np.random.default_rng(0).choice(len(mixture.points), size=k, replace=False)]
    total = mixture.total if covariance == "full" else np.diag(np.diag(mixture.total))
    return Workload(name, k, covariance, mixture, GaussianParameters(np.full(k, 1 / k), means, [total] * k))


def _faithful() -> Workload:
    from comparisons.datasets import load

    y = load("faithful").columns["waiting"]
    # Every row apart, as a peer takes them.
    apart = y + np.random.default_rng(0).uniform(-0.5, 0.5, size=len(y))
    return as_workload("i", apart, 2)


WORKLOADS: dict[str, Callable[[], Workload]] = {
    "i": _faithful,
    "ii": lambda: as_workload("ii", simulated(100_000, 1, 3, 1.5, 3), 3),
    "iii": lambda: as_workload("iii", simulated(1_000_000, 2, 5, 2.0, 2), 5),
    "iv": lambda: as_workload("iv", simulated(1_000_000, 8, 8, 1.5, 3), 8),
    "iv-diagonal": lambda: as_workload("iv-diagonal", simulated(1_000_000, 8, 8, 1.5, 3), 8, "diagonal"),
    "v": lambda: as_workload("v", simulated(200_000, 32, 16, 1.0, 4), 16),
}


def coins(n: int, heads: Integers | None = None, times: int = 1) -> tuple[CoinTosses, CoinMixture, CoinParameters]:
    """Bags of ten tosses with one of two coins, drawn unless ``heads`` are given, each seen so many ``times``."""
    if heads is None:
        random = np.random.default_rng(5)
        heads = random.binomial(10, np.where(random.random(n) < 0.5, 0.45, 0.75))
    tosses = CoinTosses(heads, 10, counts=None if times == 1 else np.full(n, times))
    mixture = CoinMixture(tosses, MixtureWeights.of("free", 2), None)
    return tosses, mixture, CoinParameters([0.5, 0.5], [0.4, 0.7])
