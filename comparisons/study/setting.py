"""One population of a study: its parameters, fixed or from a fixed prior, and data simulated from it."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, Literal

import numpy as np

from comparisons import families
from comparisons.capabilities import Parameters
from comparisons.declaration import Comparison
from comparisons.families.mixtures import MixtureProblem, drawn
from comparisons.problem import Prior
from models.gaussians.covariances import Covariance
from models.inputs import Integers

type Weights = Literal["free", "equal"]


@dataclass(frozen=True, slots=True)
class Setting(ABC):
    """One population and the model fitted to samples of it.

    Attributes
    ----------
    n : rows
    why : what the setting is there for
    truth : parameters held fixed; drawn from the prior where None
    prior : numbers, or None for the default of the family, made from the data as for a user; ``truth`` is fixed then
    share : of the replicates that are asked for in a study of sound engines
    labelled : share of rows whose component is told
    repeated : each distinct row counts 1 to this many times
    """

    name: str
    n: int
    why: str
    prior: Prior | None
    truth: Parameters | None = None
    _: KW_ONLY
    share: float = 1.0
    n_components: int = 2
    weights: Weights = "free"
    labelled: float = 0.0
    repeated: int = 1

    @property
    def family(self) -> str:
        """By the prior or the truth."""
        return families.of(self.prior or self.truth).name

    @property
    def covariance(self) -> Covariance:
        """Of families that have one."""
        return "full"

    @property
    @abstractmethod
    def form(self) -> str:
        """What kind of model it is, in a few words."""

    @abstractmethod
    def rows(self, truth: Parameters, components: Integers, random: np.random.Generator, **known: Any) -> Any:
        """Data of these components, with the counts and labels that are ``known``."""

    @abstractmethod
    def separation(self, truth: Parameters) -> float:
        """Smallest distance of two components, in standard deviations of one row (the larger of the two)."""

    def of_size(self, n: int, truth: Parameters) -> Setting:
        """The same model of so many rows in which EM's intervals are tried."""
        return replace(self, n=n, truth=truth)


@dataclass(frozen=True, slots=True, eq=False)
class Simulated:
    """One data set ready to be fitted, and the truth behind it in canonical order."""

    problem: MixtureProblem
    truth: Parameters
    separation: float


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
        family=setting.family,
    )
    # Where the truth has more components than the model, the data come from the truth.
    truth = _from_prior(setting, asked, random) if setting.truth is None else setting.truth
    component = random.choice(len(truth.weights), size=setting.n, p=truth.weights)
    told = random.random(setting.n) < setting.labelled
    labels = np.where(told, component, -1) if setting.labelled else None
    counts = random.integers(1, setting.repeated + 1, size=setting.n)
    rows = setting.rows(truth, component, random, counts=counts, labels=labels)
    features = ("x", "y", "z")[: len(getattr(rows, "features", ()))]
    return Simulated(families.problem(replace(asked, features=features), rows), truth, setting.separation(truth))


def _from_prior(setting: Setting, asked: Comparison, random: np.random.Generator) -> Parameters:
    assert setting.prior is not None, f"{setting.name} has neither a prior nor a truth"
    groups = np.arange(setting.n_components) if setting.labelled else np.zeros(setting.n_components, dtype=np.int64)
    family = families.of(setting.prior)
    arrays = drawn(family, asked, setting.prior, groups, 1, random)
    return family.parameters(*(arrays[name][0] for name in ("weights", *family.variables)))
