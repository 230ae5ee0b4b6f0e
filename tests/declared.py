"""Problems as a comparison declares them, of both families and with every option: what both engines are given at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np

from comparisons import families
from comparisons.capabilities import Parameters
from comparisons.declaration import Comparison
from comparisons.families.mixtures import MixtureProblem
from models import CoinPrior, CoinTosses, GaussianPrior, LogPosterior, Measurements
from models.gaussians.covariances import Covariance, CovarianceForm
from models.inputs import Floats
from models.mixtures import Weights, canonical_permutation, exchangeable_groups

type Labels = Literal["hidden", "partly known", "known"]


def declare(
    data: Any,
    n_components: int = 2,
    weights: Weights = "free",
    covariance: Covariance = "full",
    prior: Any = None,
    family: str | None = None,
) -> MixtureProblem:
    """The problem that a comparison with these options would be."""
    comparison = Comparison(
        name="declared",
        title="",
        question="",
        dataset="two_coin",
        description="",
        unit="",
        data=lambda _: data,
        components=[str(j + 1) for j in range(n_components)],
        weights=weights,
        covariance=covariance,
        features=list(getattr(data, "features", ())),
        prior=prior,
        family=family,
    )
    return families.problem(comparison, data)


@dataclass(frozen=True)
class Case:
    """A structure of problems: family (coins where d is 0), components, weights, covariance."""

    d: int
    k: int
    weights: Literal["free", "equal", "fixed"]
    covariance: Covariance = "full"

    def __str__(self) -> str:
        family = "coins" if self.d == 0 else f"{self.covariance}, d={self.d}"
        return f"{family}, K={self.k}, {self.weights}"

    def problem(self, seed: int, labels: Labels = "hidden", n: int = 40) -> MixtureProblem:
        """Rows about K centres with counts, labels and prior; the same seed gives the same."""
        random = np.random.default_rng(seed)
        k, d = self.k, self.d
        z = random.permutation(np.arange(n) % k)
        counts = random.integers(1, 4, size=n)
        known = {"hidden": np.full(n, -1), "known": z, "partly known": np.where(random.random(n) < 0.7, -1, z)}[labels]
        weights: Weights = self.weights if self.weights != "fixed" else _unequal(k)
        if d == 0:
            bags = random.integers(8, 16, size=n)
            heads = random.binomial(bags, (z + 0.5) / k)
            prior = CoinPrior(*random.uniform(1.1, 4, size=3))
            return declare(CoinTosses(heads, bags, counts, known), k, weights, prior=prior)
        units = 10.0 ** random.uniform(-1, 1, size=d)
        y = (4 * z[:, None] * [1, -1, 1][:d] + random.normal(size=(n, d))) * units
        root = random.normal(size=(d, d)) + 3 * np.eye(d)
        normal_prior = GaussianPrior(
            mean=random.normal(size=d) * units,
            shrinkage=random.uniform(0.01, 0.5),
            degrees_of_freedom=d + random.uniform(0.5, 5),
            scale=root @ root.T * units * units[:, None],
            concentration=random.uniform(1.1, 4),
        )
        return declare(Measurements(y, counts, known), k, weights, self.covariance, normal_prior)


def _unequal(k: int) -> Floats:
    shares = np.arange(1.0, k + 1)
    return shares / shares.sum()


# Every form of covariance, one to three features and components, and all ways to treat weights, without all combinations.
CASES = (
    Case(0, 1, "equal"),
    Case(0, 2, "free"),
    Case(0, 2, "equal"),
    Case(0, 3, "free"),
    Case(0, 3, "fixed"),
    Case(1, 1, "free"),
    Case(1, 2, "free"),
    Case(1, 2, "fixed", "tied"),
    Case(1, 3, "free", "spherical"),
    Case(1, 3, "equal", "tied-diagonal"),
    Case(2, 1, "free"),
    Case(2, 2, "free"),
    Case(2, 2, "free", "diagonal"),
    Case(2, 2, "fixed", "spherical"),
    Case(2, 2, "equal", "tied"),
    Case(2, 2, "free", "tied-diagonal"),
    Case(2, 2, "free", "tied-spherical"),
    Case(3, 2, "fixed", "tied"),
    Case(3, 3, "free", "tied-diagonal"),
    Case(3, 2, "equal", "diagonal"),
    Case(3, 3, "free", "spherical"),
)


@cache
def compiled(case: Case) -> LogPosterior:
    """The log posterior of a structure, compiled once; `given` sets the problem it speaks of."""
    return LogPosterior(case.problem(0).model())


def given(problem: MixtureProblem, density: LogPosterior) -> LogPosterior:
    """The compiled log posterior with data and prior of this problem, which are no part of its graph."""
    for variable in problem.model().data_vars:
        density.model[variable.name].set_value(variable.get_value())
    return density


def canonical(problem: MixtureProblem, parameters: Parameters) -> Parameters:
    """The parameters in canonical order."""
    groups = exchangeable_groups(problem.weights, problem.data.labels)
    return parameters.permuted(canonical_permutation(parameters.order_keys, groups))


def free_entries(problem: MixtureProblem, values: dict[str, Any]) -> Floats:
    """Each free number once, on its natural scale: what the densities are densities over."""
    parts = [values["weights"][:-1]] if problem.weights.free else []
    if "head_probabilities" in values:
        return np.concatenate([*parts, values["head_probabilities"]])
    form = CovarianceForm.of(problem.comparison.covariance)
    covariances = values["covariances"][:1] if form.tied else values["covariances"]
    d = covariances.shape[1]
    places = {"full": np.tril_indices(d), "diagonal": np.diag_indices(d), "spherical": ([0], [0])}[form.shape]
    return np.concatenate([*parts, values["means"].ravel(), covariances[:, *places].ravel()])


# Two coins under a prior that is not flat.
BAGS = CoinTosses([5, 9, 8, 4, 7], 10)
PRIOR = CoinPrior(2.0, 3.0, 1.5)
COINS = declare(BAGS, prior=PRIOR)


@cache
def coins_density() -> LogPosterior:
    """The log posterior of `COINS`, compiled once; its data stay."""
    return LogPosterior(COINS.model())
