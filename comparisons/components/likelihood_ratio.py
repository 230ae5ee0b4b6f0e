"""Is one more component there? The likelihood ratio of K - 1 against K components, by parametric bootstrap.

K - 1 components lie on the edge of K, and where they do the additional ones are not identified: the statistic has no
chi-squared distribution. So data are simulated from the fit with K - 1, and both numbers are fitted to each sample
(McLachlan 1987, Applied Statistics 36, 318).

The likelihood of normals with standard deviations of their own is unbounded, and a ratio of it means nothing unless the
standard deviations are held to a declared minimum ratio (Hathaway 1985, Annals of Statistics 13, 795). Here that is done
by taking only those optima of EM, among several starts, that satisfy it; a maximum on the edge of the constraint is not
found. What is not found is at least as good as K - 1 components, which with free weights are K of which two coincide. The
rule is the same for the data and for every sample, as are the number and the kind of starts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

import em
from comparisons import families
from comparisons.binomial import exact_interval
from comparisons.capabilities import Parameters
from comparisons.components.record import LikelihoodRatio
from comparisons.families.mixtures import MixtureProblem
from comparisons.results.strict_json import number
from em.ascent.climb import Climb, climb
from em.ascent.direct import maximise
from em.mixture import Mixture, row_posteriors
from em.search.doubts import MINIMUM_RATIO
from em.search.starts import starts
from em.weights import drawn_components
from models.inputs import Floats

# The smallest p-value is then 0.01, and its interval reaches to 0.037: enough to decide at 0.05.
SAMPLES = 99
# Beside those made from the fit with one component fewer.
RANDOM_STARTS = 4
# Plain steps of every start, after which the best are finished (Biernacki, Celeux & Govaert 2003, CSDA 41, 561), so many
# of those that satisfy the constraint.
SHORT_STEPS = 20
FINISHED = 2
# A run is left where so many accelerated steps gain less than this, in nats, or after ``MOST_STEPS``; the best is then taken
# all the way.
STEPS, GAIN, MOST_STEPS = 30, 0.01, 300
# Ratios closer than this are equal: no EM run is more exact.
SAME_STATISTIC = 1e-6


def admissible(fit: em.Fit[Any, Any]) -> em.Mode[Any] | None:
    """Best optimum of a fit that satisfies the constraint; None where there is none."""
    modes = [m for m in fit.modes if m.regular and _ratio(m.parameters) >= MINIMUM_RATIO]
    return max(modes, key=lambda m: m.log_likelihood, default=None)


def bootstrap(
    null: MixtureProblem,
    alternative: MixtureProblem,
    null_fit: em.Fit[Any, Any],
    random: np.random.Generator,
    progress: Callable[[int], None],
    samples: int = SAMPLES,
) -> LikelihoodRatio:
    """Likelihood ratio of two numbers of components on the data, and how many samples of the smaller one exceed it.

    Parameters
    ----------
    null, alternative : the same data with K - 1 and with K components
    null_fit : maximum likelihood with K - 1 components
    progress : called with the number of samples that are done
    """
    mode = admissible(null_fit)
    told = f"standard deviations in a ratio of {MINIMUM_RATIO} or closer"
    if mode is None:
        return _withheld(f"no optimum with {null.comparison.n_components} components has {told}")
    observed, ratio = statistic(null, alternative, null.data, mode.parameters, random)
    if ratio is None:
        return _withheld(f"no optimum with {alternative.comparison.n_components} components has {told}")
    exceeding = 0
    for done in range(samples):
        data = simulated(null, mode.parameters, random)
        exceeding += statistic(null, alternative, data, mode.parameters, random)[0] >= observed - SAME_STATISTIC
        progress(done + 1)
    low, high = exact_interval(exceeding, samples)
    p_value = (1 + exceeding) / (1 + samples)
    return LikelihoodRatio(number(observed), p_value, low, high, exceeding, samples, ratio, None)


def _withheld(reason: str) -> LikelihoodRatio:
    return LikelihoodRatio(None, None, None, None, 0, 0, None, reason)


def statistic(
    null: MixtureProblem,
    alternative: MixtureProblem,
    data: Any,
    generating: Parameters,
    random: np.random.Generator,
) -> tuple[float, float | None]:
    """Twice the gain in log-likelihood from K - 1 to K components, in nats, and the smallest ratio of the larger fit.

    The ratio is None where no optimum with K components satisfies the constraint; K - 1 components, split, then stand
    for the maximum where they are among the K.
    """
    small: Any = _mixture(null, data)
    large: Any = _mixture(alternative, data)
    start: Any = small.from_published(generating)
    # What the data were drawn from satisfies the constraint: the maximum is no lower.
    lowest = float(small.e_step(start).log_likelihood)
    found = _best(small, [start, *_random_starts(small, random)])
    value, parameters = (lowest, start) if found is None or found[0] < lowest else found
    reached = _best(large, [*_split(small, parameters, large, random), *_random_starts(large, random)])
    nested = alternative.weights.free or small.n_components == 1
    gain = (-np.inf if reached is None else reached[0]) - value
    ratio = None if reached is None else _ratio(large.published(reached[1]))
    return 2 * (max(gain, 0.0) if nested else gain), ratio


def _mixture(problem: MixtureProblem, data: Any) -> Mixture[Any, Any]:
    mixture: Mixture[Any, Any] = replace(problem, data=data).mixture(None, standardise=True)
    return mixture


def _best(mixture: Mixture[Any, Any], first: list[Any]) -> tuple[float, Any] | None:
    """Highest optimum that satisfies the constraint; None where no start leads to one."""
    begun = [climb(mixture, start, None, SHORT_STEPS) for start in first]
    found: list[Climb] = []
    for run in sorted(begun, key=lambda run: -run.trace[-1]):
        ended = _finished(mixture, run)
        if _admissible(mixture, ended):
            found.append(ended)
        if len(found) == FINISHED:
            break
    if not found:
        return None
    best = _polished(mixture, max(found, key=lambda run: run.trace[-1]))
    return best.trace[-1], mixture.from_vector(best.points[-1])


def _ratio(parameters: Any) -> float:
    return families.of(parameters).standard_deviation_ratio(parameters)


def _admissible(mixture: Mixture[Any, Any], run: Climb) -> bool:
    parameters = mixture.published(mixture.from_vector(run.points[-1]))
    return run.ending != "collapsed" and _ratio(parameters) >= MINIMUM_RATIO


def _polished(mixture: Mixture[Any, Any], run: Climb) -> Climb:
    """The rest of the way by BFGS: where EM creeps, a gain that is nearly 0 may go on for long."""
    if run.ending == "converged":
        return run
    try:
        with np.errstate(all="ignore"):  # at a bound there are no coordinates
            direct = maximise(mixture, mixture.from_vector(run.points[-1]), "bfgs")
            better = direct.trace[-1] > run.trace[-1] and _admissible(mixture, direct)
    except (FloatingPointError, ValueError, np.linalg.LinAlgError):
        return run
    return direct if better else run


def _finished(mixture: Mixture[Any, Any], run: Climb) -> Climb:
    for _ in range(MOST_STEPS // STEPS):
        before = run.trace[-1]
        if run.ending != "iteration limit":
            break
        run = climb(mixture, mixture.from_vector(run.points[-1]), "squarem", STEPS)
        if run.trace[-1] < before + GAIN:
            break
    return run


def _random_starts(mixture: Mixture[Any, Any], random: np.random.Generator) -> list[Any]:
    """Some of the starts that every fit has."""
    every = starts(mixture, random)
    return [mixture.from_vector(every[j]) for j in random.permutation(len(every))[:RANDOM_STARTS]]


def _split(small: Mixture[Any, Any], fitted: Any, large: Mixture[Any, Any], random: np.random.Generator) -> list[Any]:
    """One start for each component of the smaller fit: its rows are cut in two across a random direction."""
    shares = row_posteriors(small, fitted)[0]
    along: Floats = small.points @ random.normal(size=small.points.shape[1])
    divided = []
    for j in range(small.n_components):
        above = along > np.average(along, weights=shares[:, j] * small.counts + np.finfo(float).tiny)
        both = np.column_stack([shares[:, j] * above, shares[:, j] * ~above])
        divided.append(large.start_from(np.column_stack([np.delete(shares, j, axis=1), both])))
    return divided


def simulated(problem: MixtureProblem, parameters: Parameters, random: np.random.Generator) -> Any:
    """Data of the same size and design drawn from a fit."""
    mixture = problem.mixture(None, standardise=True)
    rows = np.repeat(np.arange(len(problem.data.counts)), problem.data.counts)
    hidden = drawn_components(mixture, mixture.from_published(parameters), rows, random)
    return problem.family.simulated(problem.data, parameters, hidden, random)
