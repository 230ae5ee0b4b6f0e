"""Mixtures of overdispersed coins: what a comparison has to know of them, beside what they share with coins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from scipy import stats

import em
import models
from comparisons.families.coins import CHANCE, Coins, counts
from comparisons.families.elementwise import ElementwiseFamily
from comparisons.families.family import Setup
from comparisons.families.limits import AT_LIMIT, TINY, WithLimit
from comparisons.families.shares import component_shares
from comparisons.results.report_data import Distance, QuantilePlot
from em.beta_binomials import BetaBinomialMixture
from em.mixture import Scale
from models import BetaBinomialParameters, BetaBinomialPrior, CoinTosses
from models.inputs import Floats, Integers


class BetaBinomials(ElementwiseFamily):
    """See `comparisons.families.family.Family`."""

    name = "beta-binomials"
    m_step_told = "Newton's method, for both parameters of a component"
    acceleration = "newton"
    data, parameters, prior, mixtures = CoinTosses, BetaBinomialParameters, BetaBinomialPrior, BetaBinomialMixture
    fitted, built = staticmethod(em.beta_binomial_mixture), staticmethod(models.beta_binomial_mixture)
    variables, design = ("head_probabilities", "correlations"), ("tosses",)
    prior_numbers = ("heads", "tails", "correlated", "uncorrelated")
    scales: ClassVar[dict[str, Scale]] = {"head_probabilities": "logit", "correlations": "logit", CHANCE: "logit"}
    average, ordered_by, bounds_told = CHANCE, "head probability", "probability or correlation"
    discrete, rows_told = True, "bags of tosses"
    default_reason = (
        "Uniform in head probabilities; correlations of two tosses of a bag are Beta(2, 8), which nine in ten times lie between "
        "0.04 and 0.43, with density 0 at 0, so that no mode is a binomial component; and one bag more for each weight, so that "
        "the mode empties no component."
    )
    # Columns are those of coins.
    roles, in_words, meanings, columns_told = Coins.roles, Coins.in_words, Coins.meanings, Coins.columns_told
    complete, from_roles, column_names, row = Coins.complete, Coins.from_roles, Coins.column_names, Coins.row
    departure, distributions = Coins.departure, Coins.distributions

    def prior_note(self, n_components: int) -> str:
        return "The same for every K."

    def distribution(self, arrays: dict[str, Floats], *design: Any) -> Any:
        p, correlations = np.asarray(arrays["head_probabilities"]), np.asarray(arrays["correlations"])
        bags = np.asarray(design[0], dtype=np.int64)
        precisions = np.maximum(1 - correlations, TINY) / np.maximum(correlations, AT_LIMIT)
        varied = stats.betabinom(bags, *(np.maximum(x * precisions, TINY) for x in (p, 1 - p)))
        return WithLimit(varied, stats.binom(bags, p), correlations <= AT_LIMIT)

    def prior_of(self, numbers: dict[str, Any]) -> dict[str, Any]:
        return {
            "head_probabilities": stats.beta(numbers["heads"], numbers["tails"]),
            "correlations": stats.beta(numbers["correlated"], numbers["uncorrelated"]),
        }

    def third_prior_numbers(self, problem: Setup) -> dict[str, Any]:
        return {"concentration": 2.0, "heads": 1.0, "tails": 1.0, "correlated": 2.0, "uncorrelated": 8.0}

    def third_rounding(self, problem: Setup, parameters: BetaBinomialParameters) -> float:
        # Log-gamma functions of the sums of both numbers of the beta distribution cancel.
        precision = 1 / np.maximum(parameters.correlations, AT_LIMIT).min()
        own = problem.declared.columns[:, 1] + precision
        return float(8 * np.finfo(float).eps * (problem.declared.counts @ (own * np.log(1 + own))))

    def random_parameters(self, problem: Setup, weights: Floats, random: np.random.Generator) -> BetaBinomialParameters:
        k = problem.comparison.n_components
        return BetaBinomialParameters(weights, random.beta(2, 2, size=k), random.beta(2, 8, size=k))

    def structurally_unidentified(self, problem: Setup) -> str | None:
        k, longest = problem.comparison.n_components, int(problem.data.tosses.max())
        need = 3 * k - 1 if problem.weights.free else 2 * k
        if longest >= need or (longest > 1 and (problem.data.labels >= 0).any()):
            return None
        what = f"{k} beta-binomials" if k > 1 else "a correlation"
        return f"{what} need{'' if k > 1 else 's'} bags of at least {need} tosses, and the longest has {longest}"

    def again(
        self, data: CoinTosses, parameters: BetaBinomialParameters, components: Integers, random: np.random.Generator
    ) -> CoinTosses:
        return CoinTosses(parameters.simulate(components, data.tosses, random), data.tosses)

    def changed_priors(self, prior: BetaBinomialPrior) -> dict[str, BetaBinomialPrior]:
        found = {}
        for word, by in (("halved", 0.5), ("doubled", 2.0)):
            told = f"head probabilities Beta({prior.heads * by:g}, {prior.tails * by:g})"
            found[told] = replace(prior, heads=prior.heads * by, tails=prior.tails * by)
            found[f"odds of a correlation {word}"] = replace(prior, uncorrelated=prior.uncorrelated / by)
        return found

    def inside(self, parameters: BetaBinomialParameters, *, free: bool) -> BetaBinomialParameters:
        p = np.clip(parameters.head_probabilities, 1e-3, 1 - 1e-3)
        weights = np.maximum(parameters.weights, 1e-3) if free else parameters.weights
        return BetaBinomialParameters(weights / weights.sum(), p, np.minimum(parameters.correlations, 1 - 1e-3))

    def words(self, problem: Setup) -> tuple[dict[str, str], str, list[str]]:
        prior = problem.prior
        told = [
            f"head_probabilities[k] ~ Beta({prior.heads:.6g}, {prior.tails:.6g})",
            f"correlations[k] ~ Beta({prior.correlated:.6g}, {prior.uncorrelated:.6g})",
        ]
        formula = "heads[i] | z[i] = k ~ BetaBinomial(tosses[i], head_probabilities[k], correlations[k])"
        return {}, formula, told

    def notes(self, problem: Setup) -> dict[str, str]:
        return Coins.notes(self, problem) | {  # type: ignore[arg-type]
            "prior": "weights, head probabilities and correlations",
            "distances": "Over the head counts of equal bags. Expected counts may be too small for the chi-squared "
            "distribution, so the p-value is not taken from it: ",
        }

    # Head counts as a table

    def nothing_to_test(self, problem: Setup) -> str | None:
        cells = counts.outcomes(problem.data)
        if len(cells.heads) > counts.MOST_CELLS:
            return f"The bags could show more than {counts.MOST_CELLS} different head counts, next to none of them seen twice."
        free = len(cells.heads) - counts.groups_of(cells).max() - 1
        if free > self.mixture(problem, None, standardise=False).basis.shape[1]:
            return None
        return "The model has as many parameters as these bags have free frequencies of head counts, so nothing is left to test."

    def distances(
        self,
        problem: Setup,
        fit: BetaBinomialParameters,
        refits: Sequence[tuple[CoinTosses, BetaBinomialParameters]],
        placed: Any,
    ) -> tuple[list[Distance], list[QuantilePlot]]:
        def table(tosses: CoinTosses, of: BetaBinomialParameters) -> tuple[Floats, Floats]:
            cells = counts.outcomes(tosses)
            bags = np.bincount(counts.groups_of(cells), weights=cells.counts)[counts.groups_of(cells)]
            shares = component_shares(of.weights, cells.labels) * np.exp(self.log_densities(cells, of))
            return cells.counts.astype(float), bags * shares.sum(axis=1)

        observed, drawn = table(problem.data, fit), [table(*refit) for refit in refits]
        both = (("Pearson X²", counts.pearson), ("likelihood ratio G²", counts.likelihood_ratio))
        return [placed(name, lambda pair, d=distance: d(*pair), observed, drawn) for name, distance in both], []

    def statistics(self, comparison: Any, data: CoinTosses) -> dict[str, float]:
        return counts.statistics(data)


BETA_BINOMIALS = BetaBinomials()
