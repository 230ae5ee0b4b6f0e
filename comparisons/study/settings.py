"""What the studies simulate: populations with a fixed prior, easy and hard on purpose.

Every prior is a few numbers fixed before any data are drawn. Where ``truth`` is None the parameters are drawn from that
prior, else they are the hard case that the setting is named for.
"""

from __future__ import annotations

import zlib
from dataclasses import KW_ONLY, dataclass, replace
from typing import Literal

import numpy as np

from comparisons import families
from comparisons.declaration import Comparison
from comparisons.posterior.prior_draws import drawn
from comparisons.problem import Parameters, Prior, Problem
from models import CoinParameters, CoinPrior, CoinTosses, GaussianParameters, GaussianPrior, Measurements
from models.gaussians import Covariance
from models.inputs import Floats

FLAT = CoinPrior()
# Expected variance 1 and means within some 4.5 of 0; for d features the same for each.
UNIT_PRIOR = GaussianPrior(mean=[0.0], shrinkage=0.05, degrees_of_freedom=5.0, scale=[[3.0]], concentration=2.0)
UNIT_PRIOR_2D, UNIT_PRIOR_3D = (
    GaussianPrior(
        mean=np.zeros(d), shrinkage=0.05, degrees_of_freedom=d + 4.0, scale=3.0 * np.eye(d), concentration=2.0
    )
    for d in (2, 3)
)
FORMS: tuple[Covariance, ...] = ("full", "tied", "diagonal", "spherical", "tied-diagonal", "tied-spherical")
# Shares of ``--replicates`` that make 800 of coins and 800 of normals of a hundred.
COINS, RARE, NORMALS, FORM, OTHER = 0.7, 0.6, 0.4, 0.2, 0.2


@dataclass(frozen=True, slots=True)
class Setting:
    """One population and the model fitted to samples of it.

    Attributes
    ----------
    n : rows: bags of tosses, or measurements
    why : what the setting is there for
    truth : parameters held fixed; drawn from the prior where None
    prior : numbers, or None for the default of the family, made from the data as for a user; ``truth`` is fixed then
    share : of the replicates that are asked for in a study of sound engines
    tosses : smallest and largest number of tosses in a bag, for coins; drawn evenly
    labelled : share of rows whose component is told
    repeated : each distinct row counts 1 to this many times
    rounded : measurements are multiples of this, as read off a scale; 0 where they are not
    """

    name: str
    n: int
    why: str
    prior: Prior | None
    truth: Parameters | None = None
    _: KW_ONLY
    share: float = 1.0
    n_components: int = 2
    weights: Literal["free", "equal"] = "free"
    covariance: Covariance = "full"
    tosses: tuple[int, int] = (10, 10)
    labelled: float = 0.0
    repeated: int = 1
    rounded: float = 0.0

    @property
    def family(self) -> str:
        """By the prior or the truth."""
        return families.of(self.prior or self.truth).name


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


def _clusters(means: list[list[float]], covariance: Floats, weights: list[float] | None = None) -> GaussianParameters:
    """Normals of several features with one covariance ``(d, d)``."""
    k = len(means)
    return GaussianParameters(weights or [1 / k] * k, means, np.repeat(covariance[None], k, axis=0))


TUTORIAL = (
    Setting(
        "coins-equal-few", 5, "Five bags as in the tutorial, coins from the prior.", FLAT, weights="equal", share=COINS
    ),
    Setting("coins-equal", 40, "Coins from the prior, equal weights.", FLAT, weights="equal", share=COINS),
    Setting("coins-free", 30, "Coins and weights from the prior, bags of 5 to 15.", FLAT, tosses=(5, 15), share=COINS),
    Setting(
        "coins-separated", 100, "Far apart: 5.4 sd of a bag.", FLAT, _coins([0.2, 0.8]), tosses=(20, 20), share=COINS
    ),
    Setting(
        "coins-coinciding",
        40,
        "Two coins that are one: the maximum is often a boundary.",
        FLAT,
        _coins([0.5, 0.5]),
        share=COINS,
    ),
    Setting(
        "coins-at-bound",
        30,
        "A coin that never falls heads: the maximum lies at 0.",
        FLAT,
        _coins([0.0, 0.6]),
        share=COINS,
    ),
    Setting(
        "coins-single-toss", 40, "One toss a bag: not identified.", FLAT, _coins([0.3, 0.8]), tosses=(1, 1), share=COINS
    ),
    Setting("coins-three", 60, "Three coins from the prior.", FLAT, n_components=3, tosses=(20, 20), share=COINS),
    Setting("normals-few", 25, "Parameters from the prior, few rows.", UNIT_PRIOR, share=NORMALS),
    Setting("normals-free", 80, "Parameters from the prior.", UNIT_PRIOR, share=NORMALS),
    Setting("normals-separated", 120, "Four sd apart.", UNIT_PRIOR, _normals([-2, 2], [1, 1]), share=NORMALS),
    Setting(
        "normals-overlap", 80, "1.5 sd apart: one hump.", UNIT_PRIOR, _normals([-0.75, 0.75], [1, 1]), share=NORMALS
    ),
    Setting(
        "normals-nested",
        100,
        "A narrow component inside a wide one: maxima that mean nothing abound.",
        UNIT_PRIOR,
        _normals([0.0, 0.5], [1.0, 0.3], [0.7, 0.3]),
        share=NORMALS,
    ),
    Setting(
        "normals-tied",
        60,
        "Equal weights, one variance.",
        UNIT_PRIOR,
        weights="equal",
        covariance="tied",
        share=NORMALS,
    ),
    Setting("normals-labelled", 60, "A third of the rows labelled.", UNIT_PRIOR, labelled=1 / 3, share=NORMALS),
    Setting("normals-plane", 60, "Two features, full covariances.", UNIT_PRIOR_2D, share=NORMALS),
)


# What users bring that is neither of one unit nor of one kind.
OTHERS = (
    Setting(
        "coins-rare-3",
        20,
        "Rare events: 3 heads in 100,000 tosses, and 30.",
        FLAT,
        _coins([3e-5, 3e-4]),
        tosses=(100_000, 100_000),
        share=RARE,
    ),
    Setting(
        "coins-rare-tails",
        20,
        "The same near 1: 3 tails in 100,000 tosses, and 30.",
        FLAT,
        _coins([1 - 3e-4, 1 - 3e-5]),
        tosses=(100_000, 100_000),
        share=RARE,
    ),
    Setting(
        "coins-labelled",
        40,
        "The coin of a third of the bags is told.",
        FLAT,
        _coins([0.35, 0.6]),
        labelled=1 / 3,
        share=RARE,
    ),
    Setting("coins-counted", 40, "Bags that were seen up to five times.", FLAT, repeated=5, share=RARE),
    Setting(
        "normals-near-singular",
        80,
        "The second feature is the first but for a hundredth of its spread; default prior.",
        None,
        _clusters([[-2.0, -2.0], [2.0, 2.02]], np.array([[1.0, 1.0], [1.0, 1.0001]])),
        share=OTHER,
    ),
    Setting(
        "normals-sharp-peak",
        300,
        "A sharp peak on a broad background: a fiftieth as wide; default prior.",
        None,
        _normals([0.0, 0.3], [1.0, 0.02], [0.4, 0.6]),
        share=OTHER,
    ),
    Setting(
        "normals-far-from-unit",
        100,
        "Lengths of 20 and 60 micrometres told in metres, in the plane of a temperature in kelvins; default prior.",
        None,
        _clusters([[2e-5, 290.0], [6e-5, 291.0]], np.diag([1e-10, 0.25])),
        share=OTHER,
    ),
    Setting(
        "normals-rounded",
        100,
        "Read off a scale in steps of half a standard deviation: many ties.",
        UNIT_PRIOR,
        _normals([-1.5, 1.5], [1.0, 1.0]),
        rounded=0.5,
        share=OTHER,
    ),
    Setting(
        "normals-second-feature",
        80,
        "Clusters that differ in the second feature only.",
        UNIT_PRIOR_2D,
        _clusters([[0.0, -2.5], [0.0, 2.5]], np.eye(2)),
        share=OTHER,
    ),
    Setting(
        "normals-equal-means",
        150,
        "One mean, two variances.",
        UNIT_PRIOR,
        _normals([0.0, 0.0], [0.4, 2.5]),
        share=OTHER,
    ),
    Setting(
        "normals-plane-labelled",
        60,
        "Two features, a third of the rows labelled.",
        UNIT_PRIOR_2D,
        labelled=1 / 3,
        share=OTHER,
    ),
    Setting("normals-counted", 60, "Rows that were seen up to five times.", UNIT_PRIOR, repeated=5, share=OTHER),
)


def _of_every_form() -> tuple[Setting, ...]:
    """Parameters from the prior, in one, two and three features, for every form of covariance that has no setting yet."""
    priors = {"line": UNIT_PRIOR, "plane": UNIT_PRIOR_2D, "space": UNIT_PRIOR_3D}
    return tuple(
        Setting(
            f"normals-{where}-{form}",
            60 + 20 * (d - 1),
            f"Parameters from the prior, {d} feature{'s' * (d > 1)}, {form} covariances.",
            prior,
            covariance=form,
            share=FORM,
        )
        for d, (where, prior) in enumerate(priors.items(), 1)
        for form in FORMS
        if (where, form) not in (("line", "full"), ("plane", "full"))
    )


CLEAN = (*TUTORIAL, *OTHERS, *_of_every_form())

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
    Setting(
        "normals-plane-tied-apart",
        60,
        "Two features, one covariance, rows seen up to three times.",
        UNIT_PRIOR_2D,
        _clusters([[-1.5, -0.5], [1.5, 0.5]], np.array([[0.8, 0.2], [0.2, 1.1]]), [0.4, 0.6]),
        covariance="tied",
        repeated=3,
    ),
    Setting(
        "normals-plane-diagonal-apart",
        60,
        "Two features, diagonal covariances, rows seen up to three times.",
        UNIT_PRIOR_2D,
        _clusters([[-1.5, -0.5], [1.5, 0.5]], np.diag([0.8, 1.1]), [0.4, 0.6]),
        covariance="diagonal",
        repeated=3,
    ),
    Setting("coins-equal-apart", 40, "Equal weights.", FLAT, _coins([0.3, 0.75]), weights="equal"),
    Setting(
        "normals-default-prior",
        60,
        "The default prior, made from the data.",
        None,
        _normals([-1.5, 1.5], [0.8, 1.2], [0.4, 0.6]),
    ),
    Setting(
        "normals-plane-default-prior",
        60,
        "The default prior in the plane, made from the data.",
        None,
        _clusters([[-1.5, -0.5], [1.5, 0.5]], np.diag([0.8, 1.1]), [0.4, 0.6]),
        covariance="diagonal",
    ),
)

SETTINGS = {setting.name: setting for setting in (*CLEAN, *PLANTED)}


def simulate(setting: Setting, seed: int) -> Simulated:
    """Draw parameters where they are not fixed, and data; the same seed gives the same data set."""
    random = np.random.default_rng([seed, zlib.crc32(setting.name.encode())])
    asked = Comparison(
        name=setting.name,
        title=setting.why,
        question=setting.why,
        dataset="",
        description="simulated",
        unit="",
        data=lambda dataset: dataset,
        components=tuple(str(k + 1) for k in range(setting.n_components)),
        weights=setting.weights,
        covariance=setting.covariance,
        prior=setting.prior,
    )
    # Where the truth has more components than the model, the data come from the truth.
    truth = _from_prior(setting, asked, random) if setting.truth is None else setting.truth
    component = random.choice(len(truth.weights), size=setting.n, p=truth.weights)
    told = random.random(setting.n) < setting.labelled
    labels = np.where(told, component, -1) if setting.labelled else None
    counts = random.integers(1, setting.repeated + 1, size=setting.n)
    rows: CoinTosses | Measurements
    if isinstance(truth, CoinParameters):
        tosses = random.integers(setting.tosses[0], setting.tosses[1] + 1, size=setting.n)
        rows = CoinTosses(truth.simulate(component, tosses, random), tosses, counts=counts, labels=labels)
    else:
        y = truth.simulate(component, random)
        if setting.rounded:
            y = setting.rounded * np.round(y / setting.rounded)
        rows = Measurements(y, counts=counts, labels=labels)
        asked = replace(asked, features=("x", "y", "z")[: rows.d])
    return Simulated(families.problem(asked, rows), truth, separation(truth, float(np.mean(setting.tosses))))


def _from_prior(setting: Setting, asked: Comparison, random: np.random.Generator) -> Parameters:
    assert setting.prior is not None, f"{setting.name} has neither a prior nor a truth"
    groups = np.arange(setting.n_components) if setting.labelled else np.zeros(setting.n_components, dtype=np.int64)
    family = families.of(setting.prior)
    arrays = drawn(family, asked, setting.prior, groups, 1, random)
    return family.parameters(*(arrays[name][0] for name in ("weights", *family.variables)))


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
