"""A family of somebody's own as a comparison sees it: all from its densities by SciPy's and PyMC's names."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

import em
from comparisons.declaration import Comparison
from comparisons.families.elementwise import ElementwiseFamily
from comparisons.families.family import Setup
from em.conformance.check import check_family
from em.general import GeneralMixture, is_discrete
from em.general import family_mixture as fitted
from models import family as declared
from models.family import FamilyPrior, Rows
from models.inputs import Floats, Integers, instance_of

if TYPE_CHECKING:
    import pymc as pm


class OwnFamily(ElementwiseFamily):
    """See `comparisons.families.family.Family`; EM's densities are the third ones here, so PyMC's are held against one other."""

    data, prior, prior_numbers = Rows, FamilyPrior, ()
    columns_told = "one, of the numbers that the family is of"
    m_step_told = "a function of yours, or Newton's method on numerical derivatives"
    default_reason = "Declared with the family; of free weights one row more for each."

    def __init__(self, own: declared.Family) -> None:
        self.own, self.name, self.parameters = own, own.name, own.kind
        self.variables = tuple(own.parameters)
        self.scales = {name: each.scale for name, each in own.parameters.items()}  # type: ignore[misc]
        self.roles, self.ordered_by = (own.data,), self.variables[0].replace("_", " ")

    def distribution(self, arrays: dict[str, Floats], *design: Any) -> Any:
        return self.own.scipy(**{name: arrays[name] for name in self.variables})

    @property
    def discrete(self) -> bool:
        frozen = self.distribution({n: np.array(float(p.prior.scipy().mean())) for n, p in self.own.parameters.items()})
        return is_discrete(frozen)

    def prior_of(self, numbers: dict[str, Any]) -> dict[str, Any]:
        return {name: numbers[name].scipy() for name in self.variables}

    def numbers_of(self, prior: FamilyPrior) -> dict[str, Any]:
        return dict(prior.parameters)

    def again(self, data: Rows, parameters: Any, components: Integers, random: np.random.Generator) -> Rows:
        own = {name: getattr(parameters, name)[components] for name in self.variables}
        return Rows(np.asarray(self.distribution(own).rvs(size=len(components), random_state=random), dtype=float))

    def fitting(self, comparison: Comparison, data: Rows) -> Comparison:
        if comparison.prior is not None:
            instance_of("prior", comparison.prior, FamilyPrior)
        prior = self.own.prior if comparison.prior is None else comparison.prior
        check_family(self.own, data.y[data.counts > 0], comparison.n_components, prior=prior)
        return comparison

    def default_prior(self, data: Rows, n_components: int) -> FamilyPrior:
        return self.own.prior

    def from_roles(self, values: dict[str, Floats], counts: Any, labels: Any) -> Rows:
        return Rows(values[self.own.data], counts, labels)

    def row(self, problem: Setup, i: int) -> str:
        return f"{self.own.data} {problem.data.y[i]:.6g}"

    def fit(self, problem: Setup, **options: Any) -> em.Fit[Any, Any]:
        c = problem.comparison
        return fitted(self.own, problem.data, c.n_components, c.weights, **options)

    def mixture(self, problem: Setup, prior: FamilyPrior | None, *, standardise: bool) -> GeneralMixture:
        return GeneralMixture(self.own, problem.data, problem.weights, prior)

    def model(self, problem: Setup) -> pm.Model:
        c = problem.comparison
        return declared.family_mixture(self.own, problem.data, c.n_components, c.weights, problem.prior)

    def refuse_others(self, problem: Setup, parameters: Any) -> None:
        mixture = self.mixture(problem, None, standardise=False)
        if not mixture.exists(mixture.to_vector(parameters)):
            raise ValueError(f"a parameter of {self.name} has left its domain")

    def random_parameters(self, problem: Setup, weights: Floats, random: np.random.Generator) -> Any:
        k = problem.comparison.n_components
        drawn = self.prior_draws(problem.comparison, problem.prior, 1, random)
        return self.parameters(weights, *(drawn[name].reshape(k) for name in self.variables))

    def words(self, problem: Setup) -> tuple[dict[str, str], str, list[str]]:
        priors = [f"{name}[k] ~ {prior!r}" for name, prior in problem.prior.parameters.items()]
        inside = ", ".join(f"{name}[k]" for name in self.variables)
        return {}, f"{self.own.data}[i] | z[i] = k ~ {self.name}({inside})", priors

    def notes(self, problem: Setup) -> dict[str, str]:
        return super().notes(problem) | {"prior": "weights and the family's parameters", "distances": "Of the rows. "}

    def third_prior_numbers(self, problem: Setup) -> dict[str, Any]:
        return {"concentration": 2.0}

    def third_log_prior(self, problem: Setup, parameters: Any, numbers: dict[str, Any]) -> float:
        return super().third_log_prior(problem, parameters, self.numbers_of(problem.prior))

    def changed_priors(self, prior: FamilyPrior) -> dict[str, FamilyPrior]:
        return {}

    def inside(self, parameters: Any, *, free: bool) -> Any:
        return parameters


@cache
def of_family(own: declared.Family) -> OwnFamily:
    """The family as a comparison sees it, one for each."""
    return OwnFamily(own)
