"""Mixtures of coins: what a comparison has to know of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

import em
import models
from comparisons.capabilities import Distribution, Margin
from comparisons.declaration import UNIFORM, Comparison
from comparisons.declared_rows import DeclaredRows
from comparisons.families.coins import counts, quadrature, third
from comparisons.families.family import Family, Setup
from comparisons.results.report_data import Distance, QuantilePlot
from em.coins.mixture import CoinMixture
from em.coins.steps import log_densities, log_likelihood, log_prior
from em.mixture import Scale, has_mode
from models import CoinParameters, CoinPrior, CoinTosses
from models.coins.binomial_distribution import many_tosses
from models.inputs import Floats, Integers, cut, instance_of, some_of, whole_numbers

if TYPE_CHECKING:
    import pymc as pm

# The probability of heads of a toss of which only the mixture is known: it has no labels, and it is identified where the
# coins are not.
CHANCE = "chance_of_heads"
# How a toss is written, in small letters.
ONE, ZERO = ("1", "h", "head", "heads", "yes", "true"), ("0", "t", "tail", "tails", "no", "false")


class Coins(Family):
    """See `comparisons.families.family.Family`."""

    name = "coins"
    also_called = ("binomials", "bernoulli")
    data, parameters, prior = CoinTosses, CoinParameters, CoinPrior
    variables = ("head_probabilities",)
    prior_numbers = ("heads", "tails")
    average, ordered_by = CHANCE, "head probability"
    in_words = ("bag",)
    meanings: ClassVar[dict[str, dict[str, int]]] = {"toss": dict.fromkeys(ONE, 1) | dict.fromkeys(ZERO, 0)}
    columns_told = (
        "heads and tosses, or heads and tails, of each bag; or toss (1 or 0, H or T, yes or no) and bag, one row a toss"
    )
    roles, default_reason = ("heads", "tosses", "tails", "toss", "bag"), UNIFORM
    scales: ClassVar[dict[str, Scale]] = {"head_probabilities": "logit", CHANCE: "logit"}

    def fitting(self, comparison: Comparison, data: CoinTosses) -> Comparison:
        if comparison.features:
            raise ValueError(
                f"features is {some_of(comparison.features)} but tosses of coins have none; leave them out"
            )
        prior = comparison.prior
        if prior is not None:
            instance_of("prior", prior, CoinPrior)
            for name in ("heads", "tails", "concentration"):
                has_mode(name, getattr(prior, name))
        return comparison

    def default_prior(self, data: CoinTosses, n_components: int) -> CoinPrior:
        return CoinPrior()

    def prior_note(self, n_components: int) -> str:
        return "The same for every K: coins are uniform, and free weights too, on the simplex of K weights."

    def columns(self, data: CoinTosses) -> Floats:
        return np.column_stack([data.heads, data.tosses])

    def complete(self, given: dict[str, str], source: str) -> dict[str, str]:
        there = set(given)
        if there not in ({"heads", "tosses"}, {"heads", "tails"}, {"toss", "bag"}):
            raise ValueError(
                f"{source} has columns of {', '.join(given) or 'nothing'} for {self.name}; name heads and tosses, or heads "
                "and tails, or toss (1 for heads, 0 for tails) and bag, one row a toss"
            )
        return given

    def from_roles(self, values: dict[str, Floats], counts: Any, labels: Any) -> CoinTosses:
        if "toss" not in values:
            tails = values.get("tails")
            tosses = values["tosses"] if tails is None else values["heads"] + whole_numbers("tails", tails, least=0)
            return CoinTosses(values["heads"], tosses, counts, labels)
        if counts is not None:
            raise ValueError("counts cannot be given where each row is one toss; leave them out")
        _, first, place = np.unique(values["bag"], return_index=True, return_inverse=True)
        known = None if labels is None else np.asarray(labels)[first]
        if known is not None and (differing := np.flatnonzero(known[place] != labels)).size:
            raise ValueError(f"labels[{differing[0]}] is not that of the first toss of its bag; a bag is of one coin")
        return CoinTosses(np.bincount(place, weights=values["toss"]), np.bincount(place), labels=known)

    def column_names(self, problem: Setup) -> list[str]:
        return ["heads", "tosses"]

    def with_columns(self, data: CoinTosses, columns: Floats, counts: Any, labels: Any) -> CoinTosses:
        return CoinTosses(columns[:, 0], columns[:, 1], counts, labels)

    def row(self, problem: Setup, i: int) -> str:
        return f"heads {problem.data.heads[i]} of {problem.data.tosses[i]}"

    def structure(self, problem: Setup) -> tuple[Any, ...]:
        return (many_tosses(problem.data.tosses),)

    def fit(self, problem: Setup, **options: Any) -> em.Fit[Any, Any]:
        c = problem.comparison
        return em.coin_mixture(problem.data, c.n_components, c.weights, **options)

    def mixture(self, problem: Setup, prior: CoinPrior | None, *, standardise: bool) -> CoinMixture:
        return CoinMixture(problem.data, problem.weights, prior)

    def fusable(self, problem: Setup) -> bool:
        return not many_tosses(problem.data.tosses)

    def model(self, problem: Setup) -> pm.Model:
        c = problem.comparison
        return models.coin_mixture(problem.data, c.n_components, c.weights, problem.prior, problem.likelihood)

    def log_likelihood(self, problem: Setup, parameters: CoinParameters) -> float:
        return log_likelihood(parameters, problem.data)

    def log_prior(self, problem: Setup, parameters: CoinParameters) -> float:
        return float(log_prior(parameters, problem.prior, problem.weights))

    def log_densities(self, data: CoinTosses, parameters: CoinParameters) -> Floats:
        return log_densities(parameters, data)

    def refuse_others(self, problem: Setup, parameters: CoinParameters) -> None:
        p = parameters.head_probabilities
        if not ((p >= 0) & (p <= 1)).all():
            raise ValueError(f"the head probabilities are {cut(str(p))}, which do not all lie in [0, 1]")

    def random_parameters(self, problem: Setup, weights: Floats, random: np.random.Generator) -> CoinParameters:
        return CoinParameters(weights, random.beta(2, 2, size=problem.comparison.n_components))

    def columns_of_pymc(self, values: dict[str, Any]) -> Floats:
        return np.column_stack([values["observed_heads"], values["tosses"]])

    def structurally_unidentified(self, problem: Setup) -> str | None:
        k, longest = problem.comparison.n_components, int(problem.data.tosses.max())
        need = 2 * k - 1 if problem.weights.free else k
        if k == 1 or longest >= need or (problem.data.labels >= 0).any():
            return None
        kind = "free" if problem.weights.free else "fixed"
        return f"{k} coins with {kind} weights need bags of at least {need} tosses, and the longest has {longest}"

    def words(self, problem: Setup) -> tuple[dict[str, str], str, list[str]]:
        prior = problem.prior
        told = f"head_probabilities[k] ~ Beta({prior.heads:.6g}, {prior.tails:.6g})"
        return {}, "heads[i] | z[i] = k ~ Binomial(tosses[i], head_probabilities[k])", [told]

    def notes(self, problem: Setup) -> dict[str, str]:
        return {
            "distribution": "up to a value",
            "irregular": "a saddle, or a bound that EM cannot leave though the likelihood rises beside it.",
            "distances": "Over the head counts of equal bags. Expected counts may be too small for the chi-squared "
            "distribution, so the degrees of freedom are told and not used: ",
            "prior": "weights and head probabilities",
            "averaged": "Sum of weight times head probability over the components: the chance that a toss of which only the "
            "mixture is known shows heads. With fixed weights it need not be the share of heads in the data.",
        }

    def third_density(self, rows: DeclaredRows, parameters: CoinParameters, component: int) -> Floats:
        return third.binomial(rows.columns[:, 0], rows.columns[:, 1], float(parameters.head_probabilities[component]))

    def third_prior_numbers(self, problem: Setup) -> dict[str, Any]:
        return {"concentration": 1.0, "heads": 1.0, "tails": 1.0}

    def third_log_prior(self, problem: Setup, parameters: CoinParameters, numbers: dict[str, Any]) -> float:
        return third.log_prior(parameters, numbers)

    def third_rounding(self, problem: Setup, parameters: CoinParameters) -> float:
        return third.rounding(problem.declared)

    def prior_draws(
        self, comparison: Comparison, prior: CoinPrior, n: int, random: np.random.Generator
    ) -> dict[str, Floats]:
        return {"head_probabilities": random.beta(prior.heads, prior.tails, size=(n, comparison.n_components))}

    def changed_priors(self, prior: CoinPrior) -> dict[str, CoinPrior]:
        changed = [CoinPrior(prior.heads * by, prior.tails * by, prior.concentration) for by in (0.5, 2.0)]
        return {f"Beta({each.heads:g}, {each.tails:g})": each for each in changed}

    def prior_is_flat(self, prior: CoinPrior) -> bool:
        return prior.heads == prior.tails == 1

    def exact(self, problem: Setup, thresholds: dict[str, list[float]]) -> Any:
        return quadrature.exact(problem, thresholds)

    def replicates(
        self, data: CoinTosses, every: Iterable[CoinParameters], random: np.random.Generator
    ) -> Iterator[CoinTosses]:
        return counts.replicates(data, every, random)

    def simulated(
        self, data: CoinTosses, parameters: CoinParameters, components: Integers, random: np.random.Generator
    ) -> CoinTosses:
        tosses = np.repeat(data.tosses, data.counts)
        return CoinTosses(parameters.simulate(components, tosses, random), tosses)

    def nothing_to_test(self, problem: Setup) -> str | None:
        return counts.nothing_to_test(problem)

    def inside(self, parameters: CoinParameters, *, free: bool) -> CoinParameters:
        p = np.clip(parameters.head_probabilities, 1e-3, 1 - 1e-3)
        weights = np.maximum(parameters.weights, 1e-3) if free else parameters.weights
        return CoinParameters(weights / weights.sum(), p)

    def distances(
        self,
        problem: Setup,
        fit: CoinParameters,
        refits: Sequence[tuple[CoinTosses, CoinParameters]],
        placed: Any,
    ) -> tuple[list[Distance], list[QuantilePlot]]:
        return counts.distances(problem, fit, refits, placed), []

    def departure(self, problem: Setup, departing: list[int]) -> str:
        return f"The head counts {'depart' if departing else 'show no departure'} from"

    def statistics(self, comparison: Comparison, data: CoinTosses) -> dict[str, float]:
        return counts.statistics(data)

    def distributions(self, problem: Setup) -> list[Distribution]:
        heads = np.arange(problem.data.tosses.max() + 1.0)

        def table(data: CoinTosses) -> Floats:
            return np.bincount(data.heads, weights=data.counts, minlength=len(heads))

        return [Distribution("counts", problem.comparison.unit or "heads", heads, table(problem.data), table)]

    def margins(self, problem: Setup) -> list[Margin]:
        data = problem.data
        heads = np.arange(data.tosses.max() + 1)
        return [
            Margin(
                kind="counts",
                name="heads",
                unit=problem.comparison.unit,
                values=data.heads,
                ties=0.0,
                most=float(data.tosses.max()),
                grid=heads.astype(float),
                observed=np.bincount(data.heads, weights=data.counts, minlength=len(heads)),
                expected=lambda arrays: counts.expected(data, arrays["weights"], arrays["head_probabilities"]),
                below=lambda at, arrays: counts.heads_up_to(at, data, arrays["weights"], arrays["head_probabilities"]),
            )
        ]


COINS = Coins()
