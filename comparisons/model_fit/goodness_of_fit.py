"""Does EM's fit describe the data? Distances with p-values by parametric bootstrap, and quantiles against quantiles.

Coins: Pearson's X2 and the likelihood-ratio G2 over the head counts of equal bags. Gaussians: the Anderson-Darling distance
of each feature from its marginal. No distance has a textbook distribution here: expected counts are small and parameters
were estimated from the same data. So data sets are drawn from the fit and *fitted again*, and the p-value is the share of
them as far from their own fits. Replicates of rounded data are rounded alike, so that ties count for nothing by themselves.

Source: Davison & Hinkley (1997), Bootstrap Methods and their Application, section 4.4; Stute, Gonzalez Manteiga & Presedo
Quindimil (1993), Metrika 40, 243; for the band, Myllymaki et al. (2017), JRSS B 79, 381 (studentised envelope).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import log_ndtr, ndtr, ndtri, xlogy

import em
from comparisons.engine_failures import failing
from comparisons.model_fit.replicates import component_shares, groups_of, outcome_probabilities, outcomes, replicates
from comparisons.problem import Parameters, Problem
from comparisons.results.report_data import Distance, GoodnessOfFit, QuantilePlot
from comparisons.results.strict_json import number
from em.ascent.climb import Climb, climb
from em.coin_steps import log_densities
from em.search.collapse import collapsed
from models import CoinParameters, CoinTosses, GaussianParameters, Measurements
from models.inputs import Floats

LEVEL = 0.05
# (REPLICATES + 1) * LEVEL is whole, so that a test at this level has it; twice as many would be past three seconds.
REPLICATES = 159
BAND = 0.95
# Points of a quantile plot; more cannot be told apart.
MOST_POINTS = 150
# With fewer bags than this no table of head counts has a cell to speak of.
FEW_BAGS = 20
# A table of head counts with more cells holds next to no bag in any.
MOST_CELLS = 5000
# A refit goes on in runs of so many steps until one gains less than a hundredth of a nat, which no distance shows.
STEPS = 15
GAIN = 1e-2
MOST_RUNS = 20


def goodness_of_fit(problem: Problem, fit: em.Fit[Any, Any], random: np.random.Generator) -> GoodnessOfFit:
    """Measure the distance of the data from EM's fit, and of replicates from their own."""
    reason = nothing_to_test(problem)
    if reason is None and fit.status == "collapsed":
        reason = "A component collapsed: the likelihood has no maximum whose fit could be tested."
    if reason is not None:
        return GoodnessOfFit(f"Not applicable. {reason}", [], [], 0, 0)
    starts = [fit.parameters, *(m.parameters for m in fit.modes[1:] if m.regular)]
    drawn = replicates(problem.data, [fit.parameters] * REPLICATES, random)
    refits = [(data, _refitted(replace(problem, data=data.distinct()), starts)) for data in drawn]
    regular = [(data, parameters) for data, parameters in refits if parameters is not None]
    distances: list[Distance] = []
    plots: list[QuantilePlot] = []
    if isinstance(problem.data, CoinTosses):
        distances = _distances_of_counts(problem.data, fit.parameters, regular, freedom(problem))
    else:
        for j, feature in enumerate(problem.comparison.features):
            scores = [_scores(data, parameters, j) for data, parameters in regular]
            observed = _scores(problem.data, fit.parameters, j)
            distances.append(_distance(f"Anderson–Darling A² of {feature}", anderson_darling, observed, scores))
            plots.append(_quantile_plot(feature, problem.data, fit.parameters, j, observed, np.array(scores)))
    left_out = len(refits) - len(regular)
    return GoodnessOfFit(_sentence(problem, distances, left_out), distances, plots, REPLICATES, left_out)


def nothing_to_test(problem: Problem) -> str | None:
    """Return why the data cannot contradict the model, None where they can."""
    if not isinstance(problem.data, CoinTosses):
        return None
    groups = np.unique(np.column_stack([problem.data.labels, problem.data.tosses]), axis=0)
    if (groups[:, 1] + 1).sum() > MOST_CELLS:
        return f"The bags could show more than {MOST_CELLS} different head counts, next to none of them seen twice."
    if freedom(problem) > 0:
        return None
    return (
        "The model is saturated: it has as many parameters that these bags can tell of as there are free frequencies of head "
        "counts, so nothing is left over to test it with."
    )


def freedom(problem: Problem) -> int:
    """Degrees of freedom: cells of the table of head counts, less the groups of equal bags and the parameters identified.

    Identified is what moves a probability of a cell, at parameters in general position.
    """
    assert isinstance(problem.data, CoinTosses)
    cells = outcomes(problem.data)
    point = problem.random_parameters(np.random.default_rng(0))
    assert isinstance(point, CoinParameters)
    p, h, t = point.head_probabilities, cells.heads[:, None], cells.tosses[:, None]
    densities = np.exp(log_densities(point, cells))
    by_weights = np.where(cells.labels[:, None] < 0, densities, 0.0)
    by_heads = component_shares(point.weights, cells.labels) * densities * (h - t * p) / (p * (1 - p))
    identified = np.linalg.matrix_rank(np.hstack([by_weights, by_heads]) @ problem.mixture(None).basis)
    return int(len(cells.heads) - groups_of(cells).max() - 1 - identified)


def _refitted(problem: Problem, starts: Sequence[Parameters]) -> Parameters | None:
    """Fit by EM from the optima of the original; None where the best of them collapses."""
    mixture: Any = problem.mixture(None, standardise=True)
    inside = [mixture.from_published(_off_the_bounds(start, problem.weights.free)) for start in starts]

    def height(run: Climb | None) -> float:
        """Objective, -inf where a component has collapsed."""
        if run is None or run.ending == "collapsed":
            return -np.inf
        return -np.inf if collapsed(mixture, mixture.from_vector(run.points[-1])) else run.trace[-1]

    best = max((_climbed(mixture, start) for start in inside), key=height)
    for _ in range(MOST_RUNS):
        if best is None or best.ending != "iteration limit":
            break
        before, best = height(best), _climbed(mixture, mixture.from_vector(best.points[-1]))
        if not height(best) - before >= GAIN:
            break
    if best is None or np.isneginf(height(best)):
        return None
    parameters: Parameters = mixture.published(mixture.from_vector(best.points[-1]))
    return parameters


def _climbed(mixture: Any, start: Any) -> Climb | None:
    """Climb some steps; None where a component is left with so little that derivatives no longer exist."""
    with failing("em"):
        try:
            with np.errstate(invalid="raise"):
                return climb(mixture, start, "squarem", STEPS)
        except (FloatingPointError, np.linalg.LinAlgError):
            return None


def _off_the_bounds(parameters: Any, free: bool) -> Any:
    """From a probability of 0 EM cannot leave, and a replicate may hold what the data did not; normals as they are."""
    if not isinstance(parameters, CoinParameters):
        return parameters
    p = np.clip(parameters.head_probabilities, 1e-3, 1 - 1e-3)
    weights = np.maximum(parameters.weights, 1e-3) if free else parameters.weights
    return CoinParameters(weights / weights.sum(), p)


def pearson(observed: Floats, expected: Floats) -> float:
    """X2, the sum of (observed - expected)^2 / expected; a cell that cannot occur and did not adds nothing."""
    return float(np.divide((observed - expected) ** 2, expected, out=np.zeros_like(expected), where=expected > 0).sum())


def likelihood_ratio(observed: Floats, expected: Floats) -> float:
    """G2, twice the log-likelihood that the data would gain by cells of their own."""
    ratio = np.divide(observed, expected, out=np.ones_like(expected), where=observed > 0)
    return float(2 * xlogy(observed, ratio).sum())


def _distances_of_counts(data: CoinTosses, parameters: Any, refits: Any, free: int) -> list[Distance]:
    def table(tosses: CoinTosses, of: CoinParameters) -> tuple[Floats, Floats]:
        cells = outcomes(tosses)
        groups = groups_of(cells)
        bags = np.bincount(groups, weights=cells.counts)[groups]
        return cells.counts.astype(float), bags * outcome_probabilities(of, cells)

    observed, drawn = table(data, parameters), [table(*refit) for refit in refits]
    return [
        replace(_distance(name, lambda pair, d=distance: d(*pair), observed, drawn), degrees_of_freedom=free)
        for name, distance in (("Pearson X²", pearson), ("likelihood ratio G²", likelihood_ratio))
    ]


def _distance(name: str, distance: Any, observed: Any, drawn: Sequence[Any]) -> Distance:
    """P-value with the data counted among the replicates, so that it is never 0 (Davison & Hinkley 1997, eq. 4.11)."""
    value = distance(observed)
    if not drawn:
        return Distance(name, number(value), None, None, None)
    # Equal data have equal distances but for where their refits stopped.
    beyond = sum(distance(each) >= value - 1e-6 * abs(value) for each in drawn)
    p = (1 + beyond) / (1 + len(drawn))
    return Distance(name, number(value), None, p, float(np.sqrt(p * (1 - p) / len(drawn))))


def _marginal(data: Measurements, parameters: GaussianParameters, j: int) -> tuple[Floats, Floats, Floats]:
    """Weights, means and standard deviations of a feature over all rows, known labels counted."""
    shares = np.average(component_shares(parameters.weights, data.labels), axis=0, weights=data.counts)
    return shares, parameters.means[:, j], parameters.standard_deviations[:, j]


def normal_scores(y: Floats, shares: Floats, means: Floats, deviations: Floats) -> Floats:
    """Standard normal quantiles of the mixture's distribution function at ``y``, exact in both tails."""
    z = (y[..., None] - means) / deviations
    below, above = ndtr(z) @ shares, ndtr(-z) @ shares
    tiny = np.finfo(float).tiny
    return np.where(below < above, ndtri(np.maximum(below, tiny)), -ndtri(np.maximum(above, tiny)))


def at_scores(scores: Floats, shares: Floats, means: Floats, deviations: Floats) -> Floats:
    """Values with these normal scores, by bisection."""
    reach = 40 * deviations.max()
    low, high = np.full(len(scores), means.min() - reach), np.full(len(scores), means.max() + reach)
    for _ in range(80):
        middle = (low + high) / 2
        above = normal_scores(middle, shares, means, deviations) > scores
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return (low + high) / 2


def _scores(data: Any, parameters: Any, j: int) -> Floats:
    y = np.sort(np.repeat(data.y[:, j], data.counts))
    return normal_scores(y, *_marginal(data, parameters, j))


def anderson_darling(scores: Floats) -> float:
    """A2 of sorted normal scores: the squared distance of distribution functions, weighted up in the tails."""
    n = len(scores)
    odd = 2 * np.arange(n) + 1
    return float(-n - (odd * (log_ndtr(scores) + log_ndtr(-scores[::-1]))).mean())


def _quantile_plot(feature: str, data: Any, parameters: Any, j: int, observed: Floats, drawn: Floats) -> QuantilePlot:
    """Points at up to ``MOST_POINTS`` ranks, the ends among them, with a studentised band in normal scores."""
    n = len(observed)
    ranks = np.unique(np.rint(np.linspace(0, n - 1, min(n, MOST_POINTS))).astype(int))
    marginal = _marginal(data, parameters, j)
    values = np.sort(np.repeat(data.y[:, j], data.counts))[ranks]
    fitted = at_scores(ndtri((ranks + 0.5) / n), *marginal)
    low = high = np.zeros(0)
    outside = 0
    if len(drawn) > 1:
        centre, spread = drawn[:, ranks].mean(axis=0), drawn[:, ranks].std(axis=0)
        reach = np.quantile(np.abs((drawn[:, ranks] - centre) / spread).max(axis=1), BAND)
        low, high = centre - reach * spread, centre + reach * spread
        outside = int(((observed[ranks] < low) | (observed[ranks] > high)).sum())
        low, high = at_scores(low, *marginal), at_scores(high, *marginal)
    return QuantilePlot(feature, fitted.tolist(), values.tolist(), low.tolist(), high.tolist(), BAND, outside)


def _sentence(problem: Problem, distances: list[Distance], left_out: int) -> str:
    tested = [(d, d.p_value, d.p_error) for d in distances if d.p_value is not None and d.p_error is not None]
    if not tested:
        return "Not applicable. A component collapsed in every replicate, so there is nothing to compare the data with."
    coins = isinstance(problem.data, CoinTosses)
    departing = [j for j, (_, p, _) in enumerate(tested) if p <= LEVEL]
    if coins:
        found = "The head counts depart from" if departing else "The head counts show no departure from"
    else:
        features = problem.comparison.features
        which = " and ".join(features[j] for j in departing or range(len(features)))
        found = f"The distribution of {which} {'departs' if departing else 'shows no departure'} from"
    close = any(abs(p - LEVEL) < 2 * error for _, p, error in tested)
    settled = ", but Monte Carlo error leaves it unsettled" if close else ""
    # No p-value is smaller than that of data further off than every sample.
    least = 1.5 / (REPLICATES - left_out + 1)
    told = "; ".join(
        f"{d.name} = {d.value:.3g}, p = {p:.2g}{' with no sample as far off' if p < least else f' ± {error:.1g}'}"
        for d, p, error in tested
    )
    freedom_told = f" on {distances[0].degrees_of_freedom} degrees of freedom" if coins else ""
    collapsed = f", {left_out} more left out because a component collapsed" if left_out else ""
    few = f" With {problem.data.n} bags only a gross misfit could show." if coins and problem.data.n < FEW_BAGS else ""
    return (
        f"{found} the fitted model at the {LEVEL:.0%} level{settled} ({told}{freedom_told}; parametric bootstrap of "
        f"{REPLICATES - left_out} samples, each refitted{collapsed}; ± is the Monte Carlo standard error).{few}"
    )
