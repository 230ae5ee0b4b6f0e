"""What the studies simulate: populations with a fixed prior, easy and hard on purpose.

Every prior is a few numbers fixed before any data are drawn. Where ``truth`` is None the parameters are drawn from that
prior, else they are the hard case that the setting is named for.
"""

from __future__ import annotations

import zlib
from dataclasses import KW_ONLY, dataclass
from typing import Literal

import numpy as np

from comparisons.declaration import Comparison
from comparisons.engines import Parameters, Prior, Problem
from comparisons.prior_draws import drawn
from models import CoinParameters, CoinPrior, CoinTosses, GaussianParameters, GaussianPrior, Measurements
from models.gaussians import Covariance, CovarianceForm
from models.mixtures import MixtureWeights

type Family = Literal["coins", "gaussians"]

FLAT = CoinPrior()
# Expected variance 1 and means within some 4.5 of 0; for d features the same for each.
UNIT_PRIOR = GaussianPrior(mean=[0.0], shrinkage=0.05, degrees_of_freedom=5.0, scale=[[3.0]], concentration=2.0)
UNIT_PRIOR_2D = GaussianPrior(
    mean=[0.0, 0.0], shrinkage=0.05, degrees_of_freedom=6.0, scale=[[3.0, 0.0], [0.0, 3.0]], concentration=2.0
)


@dataclass(frozen=True, slots=True)
class Setting:
    """One population and the model fitted to samples of it.

    Attributes
    ----------
    n : rows: bags of tosses, or measurements
    why : what the setting is there for
    truth : parameters held fixed; drawn from the prior where None
    tosses : smallest and largest number of tosses in a bag, for coins; drawn evenly
    labelled : share of rows whose component is told
    repeated : each distinct row counts 1 to this many times
    """

    name: str
    n: int
    why: str
    prior: Prior
    truth: Parameters | None = None
    _: KW_ONLY
    n_components: int = 2
    weights: Literal["free", "equal"] = "free"
    covariance: Covariance = "full"
    tosses: tuple[int, int] = (10, 10)
    labelled: float = 0.0
    repeated: int = 1

    @property
    def family(self) -> Family:
        """Coins or Gaussians, by the prior."""
        return "coins" if isinstance(self.prior, CoinPrior) else "gaussians"


@dataclass(frozen=True, slots=True, eq=False)
class Simulated:
    """One data set ready to be fitted, and the truth behind it in canonical order."""

    problem: Problem
    truth: Parameters
    separation: float


def _coins(p: list[float], weights: list[float] | None = None) -> CoinParameters:
    return CoinParameters(weights or [1 / len(p)] * len(p), p)


def _normals(means: list[float], deviations: list[float], weights: list[float] | None = None) -> GaussianParameters:
    k = len(means)
    return GaussianParameters(weights or [1 / k] * k, means, np.square(deviations))


CLEAN = (
    Setting("coins-equal-few", 5, "Five bags as in the tutorial, coins from the prior.", FLAT, weights="equal"),
    Setting("coins-equal", 40, "Coins from the prior, equal weights.", FLAT, weights="equal"),
    Setting("coins-free", 30, "Coins and weights from the prior, bags of 5 to 15.", FLAT, tosses=(5, 15)),
    Setting("coins-separated", 100, "Far apart: 5.4 sd of a bag.", FLAT, _coins([0.2, 0.8]), tosses=(20, 20)),
    Setting(
        "coins-coinciding", 40, "Two coins that are one: the maximum is often a boundary.", FLAT, _coins([0.5, 0.5])
    ),
    Setting("coins-at-bound", 30, "A coin that never falls heads: the maximum lies at 0.", FLAT, _coins([0.0, 0.6])),
    Setting("coins-single-toss", 40, "One toss a bag: not identified.", FLAT, _coins([0.3, 0.8]), tosses=(1, 1)),
    Setting("coins-three", 60, "Three coins from the prior.", FLAT, n_components=3, tosses=(20, 20)),
    Setting("normals-few", 25, "Parameters from the prior, few rows.", UNIT_PRIOR),
    Setting("normals-free", 80, "Parameters from the prior.", UNIT_PRIOR),
    Setting("normals-separated", 120, "Four sd apart.", UNIT_PRIOR, _normals([-2, 2], [1, 1])),
    Setting("normals-overlap", 80, "1.5 sd apart: one hump.", UNIT_PRIOR, _normals([-0.75, 0.75], [1, 1])),
    Setting(
        "normals-nested",
        100,
        "A narrow component inside a wide one: maxima that mean nothing abound.",
        UNIT_PRIOR,
        _normals([0.0, 0.5], [1.0, 0.3], [0.7, 0.3]),
    ),
    Setting("normals-tied", 60, "Equal weights, one variance.", UNIT_PRIOR, weights="equal", covariance="tied"),
    Setting("normals-labelled", 60, "A third of the rows labelled.", UNIT_PRIOR, labelled=1 / 3),
    Setting("normals-plane", 60, "Two features, full covariances.", UNIT_PRIOR_2D),
)

PLANTED = (
    Setting(
        "coins-repeated",
        40,
        "Bags of 8 to 12 that were seen several times.",
        FLAT,
        _coins([0.3, 0.75], [0.35, 0.65]),
        tosses=(8, 12),
        repeated=4,
    ),
    Setting("coins-informed", 30, "A prior that is not flat.", CoinPrior(2.0, 3.0, 2.0), _coins([0.3, 0.75])),
    Setting(
        "normals-repeated",
        60,
        "Rows that were seen several times.",
        UNIT_PRIOR,
        _normals([-1.5, 1.5], [0.8, 1.2], [0.4, 0.6]),
        repeated=3,
    ),
    Setting(
        "normals-tied-apart",
        80,
        "One variance, equal weights.",
        UNIT_PRIOR,
        _normals([-1.2, 1.2], [1, 1]),
        weights="equal",
        covariance="tied",
    ),
    Setting(
        "normals-three-clusters",
        90,
        "Three clusters where the model has two components: several modes, and chains that stay in one.",
        UNIT_PRIOR,
        _normals([-6.0, 0.0, 5.0], [0.6, 0.6, 0.6], [0.4, 0.35, 0.25]),
    ),
)

SETTINGS = {setting.name: setting for setting in (*CLEAN, *PLANTED)}


def simulate(setting: Setting, seed: int) -> Simulated:
    """Draw parameters where they are not fixed, and data; the same seed gives the same data set."""
    random = np.random.default_rng([seed, zlib.crc32(setting.name.encode())])
    # Where the truth has more components than the model, the data come from the truth.
    truth = _from_prior(setting, random) if setting.truth is None else setting.truth
    component = random.choice(len(truth.weights), size=setting.n, p=truth.weights)
    told = random.random(setting.n) < setting.labelled
    labels = np.where(told, component, -1) if setting.labelled else None
    counts = random.integers(1, setting.repeated + 1, size=setting.n)
    features: tuple[str, ...] = ()
    rows: CoinTosses | Measurements
    if isinstance(truth, CoinParameters):
        tosses = random.integers(setting.tosses[0], setting.tosses[1] + 1, size=setting.n)
        rows = CoinTosses(truth.simulate(component, tosses, random), tosses, counts=counts, labels=labels)
    else:
        rows = Measurements(truth.simulate(component, random), counts=counts, labels=labels)
        features = ("x", "y", "z")[: rows.d]
    comparison = Comparison(
        name=setting.name,
        title=setting.why,
        question=setting.why,
        dataset="",
        description="simulated",
        unit="",
        data=lambda _: rows,
        components=tuple(str(k + 1) for k in range(setting.n_components)),
        weights=setting.weights,
        covariance=setting.covariance,
        features=features,
        prior=setting.prior,
    )
    return Simulated(Problem.of(comparison, rows), truth, separation(truth, float(np.mean(setting.tosses))))


def _from_prior(setting: Setting, random: np.random.Generator) -> Parameters:
    treated = MixtureWeights.of(setting.weights, setting.n_components)
    groups = np.arange(setting.n_components) if setting.labelled else np.zeros(setting.n_components, dtype=np.int64)
    arrays = drawn(setting.prior, treated, CovarianceForm.of(setting.covariance), groups, 1, random)
    if isinstance(setting.prior, CoinPrior):
        return CoinParameters(arrays["weights"][0], arrays["head_probabilities"][0])
    return GaussianParameters(arrays["weights"][0], arrays["means"][0], arrays["covariances"][0])


def separation(truth: Parameters, tosses: float) -> float:
    """Smallest distance of two components, in standard deviations of one row (the larger of the two for normals)."""
    k = len(truth.weights)
    pairs = [(a, b) for a in range(k) for b in range(a)]
    if isinstance(truth, CoinParameters):
        p = truth.head_probabilities
        spreads = [np.sqrt(max(q * (1 - q), 1e-9) / tosses) for a, b in pairs for q in [(p[a] + p[b]) / 2]]
        return float(min(abs(p[a] - p[b]) / spread for (a, b), spread in zip(pairs, spreads, strict=True)))
    distances = []
    for a, b in pairs:
        apart = truth.means[a] - truth.means[b]
        distances.append(min(float(np.sqrt(apart @ np.linalg.solve(truth.covariances[j], apart))) for j in (a, b)))
    return min(distances)
