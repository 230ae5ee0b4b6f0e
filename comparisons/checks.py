"""The integrity checks of both fits: are the engines right? Each is one function with a statistic, a threshold and its reason.

Those of the draws stand in `comparisons.draw_checks`.

A comparison of NaN is never a pass: thresholds are written ``not (statistic <= threshold)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import em
from comparisons import shared_code, third_density
from comparisons.change_of_variables import SAME_JACOBIAN, jacobian_error
from comparisons.engine_failures import EngineFailure, failing
from comparisons.engines import Parameters, Problem
from comparisons.results.result import Check, Engine
from comparisons.results.strict_json import number
from em.coin_steps import log_likelihood as coin_log_likelihood
from em.coin_steps import log_prior as coin_log_prior
from em.gaussian_steps import log_likelihood as gaussian_log_likelihood
from em.gaussian_steps import log_prior as gaussian_log_prior
from em.uncertainty.curvature import Curvature
from em.uncertainty.standard_errors import describe
from models import CoinTosses, LogPosterior, Maximum
from models.inputs import Floats, some_of

# Relative: rounding of a sum of a thousand logarithms, with a margin of thousands.
SAME_DENSITY = 1e-9
RANDOM_POINTS = 20
# A wrong Jacobian is wrong nearly everywhere.
JACOBIAN_POINTS = 2
# Of these points at how many the third density is asked too, the estimate among them: it reads every row as declared.
THIRD_POINTS = 4
# Width of the middle half of a posterior over its prior's, from which on it is not shown to be the narrower one. Of draws of
# the prior itself, 400 effective ones, the smallest of 70,000 such ratios, of all quantities of five comparisons, was 0.785, and
# one in 10,000 was below 0.80: python -m benchmarks.contraction --repeats 2000.
CONTRACTED = 0.75
# Standard errors: three digits more than any report prints.
STATIONARY = 1e-3
# Nats between two maxima of one function: BFGS and EM both end closer than 1e-9.
SAME_MAXIMUM = 1e-6
MAP_DISTANCE = 1e-3
# Nats in the log probability of one row, where modes form a ridge: both optimisers stop within this of it.
SAME_ROWS = 1e-4


def em_densities(problem: Problem, parameters: Parameters) -> tuple[float, float]:
    """Log-likelihood and log prior as `em` has them."""
    if isinstance(problem.data, CoinTosses):
        return (
            coin_log_likelihood(parameters, problem.data),  # type: ignore[arg-type]
            float(coin_log_prior(parameters, problem.prior, problem.weights)),  # type: ignore[arg-type]
        )
    return (
        gaussian_log_likelihood(parameters, problem.data),  # type: ignore[arg-type]
        float(gaussian_log_prior(parameters, problem.prior, problem.weights, problem.form)),  # type: ignore[arg-type]
    )


def pymc_densities(problem: Problem, density: LogPosterior, parameters: Parameters) -> Floats:
    """Log-likelihood and log prior as PyMC has them; NaN where its density stops with an error."""
    try:
        return np.array(density.parts(density.unconstrained(problem.to_pymc(parameters)))[:2])
    except (ArithmeticError, np.linalg.LinAlgError):
        return np.full(2, np.nan)


def same_variables(problem: Problem, density: LogPosterior) -> None:
    """See that the PyMC model has the free variables of the declaration, without which nothing of it can be read.

    Raises
    ------
    EngineFailure
        with a check that names what differs
    """
    values = problem.to_pymc(problem.random_parameters(np.random.default_rng(0)))
    declared = {name: np.shape(value) for name, value in values.items()}
    with failing("pymc"):
        natural = density.natural(density.start)
    built = {name: natural[name].shape for name in density.names}
    if built != declared:
        has, should = (
            ", ".join(f"{n} {s}" for n, s in sorted(v.items()) if (n, s) not in o.items()) or "none beside"
            for v, o in ((built, declared), (declared, built))
        )
        text = f"The PyMC model has other free variables than the declaration: {has} in place of {should}."
        remedy = "Build the model with the weights, covariances and number of components that are declared."
        raise EngineFailure(Check("same-density", shared_code.TITLE, "fail", None, SAME_DENSITY, text, "pymc", remedy))


def same_density(
    problem: Problem, density: LogPosterior, fits: Sequence[em.Fit[Any, Any]], random: np.random.Generator
) -> Check:
    """Log-likelihood and log prior of both engines are the same functions, and EM reports what they are at its estimates."""
    other = shared_code.other_data(problem, density) or shared_code.other_prior(problem)
    if other is not None:
        return other
    at = fits[-1].parameters
    worst, where, parts = 0.0, at, (0.0, 0.0)
    judged: list[tuple[Parameters, Sequence[float]]] = []
    # On PyMC's unconstrained scale an empty component is infinitely far away.
    inside = bool((at.weights > 0).all())
    points = [*([at] if inside else []), *(problem.random_parameters(random) for _ in range(RANDOM_POINTS))]
    for point in points:
        by_em = np.array(em_densities(problem, point))
        by_pymc = pymc_densities(problem, density, point)
        if len(judged) < THIRD_POINTS:
            judged.append((point, by_em.tolist()))
        errors = np.abs(by_em - by_pymc) / np.maximum(1.0, np.abs(by_em))
        error = float(np.max(np.where(np.isnan(errors), np.inf, errors)))
        if not error <= worst:
            worst, where, parts = error, point, tuple(np.abs(by_em - by_pymc))
    title = shared_code.TITLE
    if worst <= SAME_DENSITY:
        neither = shared_code.other_density(problem, judged, SAME_DENSITY)
        if neither is not None:
            return neither
        off = max(_misreported(problem, fit) for fit in fits)
        if not off <= SAME_DENSITY:
            return Check(
                "same-density",
                title,
                "fail",
                number(off),
                SAME_DENSITY,
                "The densities agree, but the log-likelihood or log posterior that EM reports is not theirs at its estimate: "
                "it is of other data, or of other parameters.",
                "em",
                "Fit these data again; a stored fit may be stale.",
            )
        shifts = [
            jacobian_error(problem, density, density.unconstrained(problem.to_pymc(point)))
            for point in points[-JACOBIAN_POINTS:]
        ]
        shift = max(s if s == s else np.inf for s in shifts)
        if not shift <= SAME_JACOBIAN:
            return Check(
                "same-density",
                title,
                "fail",
                number(shift),
                SAME_JACOBIAN,
                "The densities agree on the natural scale, but the log Jacobian that PyMC counts for its transforms is "
                f"{shift:.3g} nats off at one point: its sampler draws from another density.",
                "pymc",
                "Give each transform the log determinant of its own derivative.",
            )
        return Check(
            "same-density",
            title,
            "pass",
            worst,
            SAME_DENSITY,
            f"Log-likelihood and log prior of EM and of PyMC agree {'at the estimate and ' * inside}at {RANDOM_POINTS} random "
            "points; the largest relative difference is within the rounding of such sums. So does a third density of the rows as "
            f"declared, by scipy.stats, at {len(judged)} of them, and each engine got the rows and prior as declared. What "
            "EM reports of its estimates is their density, and PyMC counts the right Jacobian.",
        )
    third = np.array([third_density.log_likelihood(problem, where), third_density.log_prior(problem, where)])
    by_em = np.array(em_densities(problem, where))
    by_pymc = pymc_densities(problem, density, where)
    tolerance = SAME_DENSITY * np.maximum(1.0, np.abs(third))
    em_off, pymc_off = (bool((~(np.abs(v - third) <= tolerance)).any()) for v in (by_em, by_pymc))
    engine: Engine = "comparison" if em_off == pymc_off else "em" if em_off else "pymc"
    return Check(
        "same-density",
        title,
        "fail",
        number(worst),
        SAME_DENSITY,
        f"The densities differ: by {parts[0]:.3g} nats in the log-likelihood and {parts[1]:.3g} in the log prior at one "
        f"point. A third density, by scipy.stats, agrees with {'neither' if engine == 'comparison' else 'the other engine'}.",
        engine,
        "The engines solve different problems; nothing below means anything until their densities agree.",
    )


def _misreported(problem: Problem, fit: em.Fit[Any, Any]) -> float:
    """Relative distance of the reported log-likelihood and log posterior from the densities at the estimate, beyond rounding."""
    likelihood, prior = em_densities(problem, fit.parameters)
    pairs = [(fit.log_likelihood, likelihood)]
    if fit.log_posterior is not None:
        pairs.append((fit.log_posterior, likelihood + prior))
    # Of a component that has all but collapsed a log density has few digits in any units.
    spare = third_density.rounding(problem, fit.parameters) if fit.status == "collapsed" else 0.0
    errors = [max(abs(told - true) - spare, 0.0) / max(1.0, abs(true)) for told, true in pairs if told != true]
    return max((e if e == e else np.inf for e in errors), default=0.0)


def stationary(fit: em.Fit[Any, Any], judged: Curvature | None, names: tuple[str, ...]) -> Check:
    """The EM estimate is a stationary point, by the distance to the optimum in standard errors."""
    title = "The EM estimate is a maximum"

    def check(outcome: Any, statistic: float | None, text: str, engine: Any = None, remedy: str | None = None) -> Check:
        return Check("stationary", title, outcome, statistic, STATIONARY, text, engine, remedy)

    if judged is None:
        text = "A component has collapsed: the likelihood grows without limit and has no maximum there."
        return check("not applicable", None, text)
    if judged.kind == "saddle":
        return check(
            "fail",
            None,
            f"The point is a saddle: the objective rises along {describe(judged.direction, names)}.",
            "em",
            "Start EM elsewhere: equal components stay equal.",
        )
    distance = judged.step if judged.kind == "ridge" else judged.decrement
    if np.isnan(distance):
        return check("inconclusive", None, "The distance of the estimate to the maximum is not a number.", "em")
    if judged.kind == "ridge":
        flat = judged.flat_directions.shape[1]
        ways, across = (f"in {flat} directions, one of them", "them") if flat > 1 else ("along", "it")
        text = f"The objective is flat {ways} {describe(judged.direction, names)}: there is no single maximum to be at."
        if judged.step <= STATIONARY:
            return check("not applicable", judged.step, f"{text} Across {across} the estimate is at rest.")
        text += f" Across {across} EM has not come to rest."
        return check("fail", judged.step, text, "em", "Allow more iterations.")
    if judged.decrement <= STATIONARY:
        bound = ""
        if judged.at_bounds:
            bound = f" At the bound of {', '.join(names[j] for j in judged.at_bounds)} the gradient points outward."
        text = (
            f"The Newton step from the estimate to the maximum is {judged.decrement:.1e} standard errors long, and the observed "
            f"information is positive definite{' in what is not at its bound' if judged.at_bounds else ''}: a local maximum."
        )
        return check("pass", judged.decrement, text + bound)
    return check(
        "fail",
        number(judged.decrement),
        f"EM stopped {judged.decrement:.2g} standard errors short of the maximum.",
        "em",
        "Allow more iterations; a small last step is no sign of arrival.",
    )


def map_agrees(height: float, maximum: Maximum, distance: float, flat: bool) -> Check:
    """PyMC's own posterior mode is MAP-EM's, in value and in place."""
    title = "PyMC finds the same posterior mode"
    difference = maximum.log_posterior - height
    starts = f"{maximum.reached} of {maximum.starts} jittered starts of PyMC reached its best point"
    if difference > SAME_MAXIMUM:
        return Check(
            "map-agrees",
            title,
            "fail",
            difference,
            SAME_MAXIMUM,
            f"PyMC found a point {difference:.3g} nats higher than MAP-EM; {starts}.",
            "em",
            "EM missed a mode: start it from PyMC's point.",
        )
    if not abs(difference) <= SAME_MAXIMUM:
        return Check(
            "map-agrees",
            title,
            "inconclusive",
            number(difference),
            SAME_MAXIMUM,
            f"PyMC's optimiser ended {-difference:.3g} nats below MAP-EM ({maximum.kind}); {starts}.",
            "pymc",
            "Its optimiser failed: more starts.",
        )
    if flat and distance <= SAME_ROWS:
        return Check(
            "map-agrees",
            title,
            "pass",
            abs(difference),
            SAME_MAXIMUM,
            f"The log posteriors agree to {abs(difference):.1e} nats. The mode is flat in some direction, so what is "
            f"identified is compared: the log probabilities of the rows agree to {distance:.1e} nats; {starts}.",
        )
    if not flat and distance <= MAP_DISTANCE:
        return Check(
            "map-agrees",
            title,
            "pass",
            abs(difference),
            SAME_MAXIMUM,
            f"The log posteriors agree to {abs(difference):.1e} nats and the parameters to {distance:.1e} standard errors; "
            f"{starts}.",
        )
    if np.isnan(distance):
        text = f"The values agree to {abs(difference):.1e} nats, but the distance of the parameters is not a number."
        return Check("map-agrees", title, "inconclusive", None, MAP_DISTANCE, text, "comparison")
    return Check(
        "map-agrees",
        title,
        "fail",
        number(distance),
        SAME_ROWS if flat else MAP_DISTANCE,
        f"The values agree to {abs(difference):.1e} nats, but the parameters lie {distance:.3g} "
        f"{'nats in the log probability of a row' if flat else 'standard errors'} apart.",
        "comparison",
        "Two modes of one height, or parameters that are read differently: compare them one by one.",
    )


def identified(
    problem: Problem, judged: Curvature | None, names: tuple[str, ...], contraction: dict[str, float]
) -> Check:
    """The data tell the parameters apart: by structure and by the rank of the information; contraction is told beside it."""
    title = "The parameters are identified at the estimate"
    k = problem.comparison.n_components
    reasons = []
    if isinstance(problem.data, CoinTosses) and k > 1 and (problem.data.labels < 0).any():
        longest = int(problem.data.tosses.max())
        need = 2 * k - 1 if problem.weights.free else k
        if longest < need and (problem.data.labels < 0).all():
            kind = "free" if problem.weights.free else "fixed"
            reasons.append(
                f"{k} coins with {kind} weights need bags of at least {need} tosses, and the longest has {longest}"
            )
    if judged is not None and judged.kind == "ridge":
        reasons.append(
            f"the likelihood is flat in {judged.flat_directions.shape[1]} of {len(judged.gradient)} directions, such as "
            f"{describe(judged.direction, names)}"
        )
    told = _contracted(contraction)
    rank = None if judged is None else 1 - judged.rate
    if reasons:
        sentence = "; ".join(reasons)
        return Check(
            "identified",
            title,
            "fail",
            number(rank) if rank is not None else None,
            1e-8,
            f"{sentence[0].upper()}{sentence[1:]}. What the data do identify is compared in the table.{told}",
        )
    if judged is None or judged.kind in ("saddle",):
        return Check("identified", title, "not applicable", None, 1e-8, "There is no maximum at which to look.")
    if rank is None or np.isnan(rank):
        text = f"The rank of the observed information is not a number.{told}"
        return Check("identified", title, "inconclusive", None, 1e-8, text, "em")
    return Check(
        "identified",
        title,
        "pass",
        rank,
        1e-8,
        f"The observed information has full rank; its smallest share of the complete-data information is {rank:.4g}.{told}",
    )


def _contracted(contraction: dict[str, float]) -> str:
    """Which posteriors are not shown to be narrower than their priors, or that all are; nothing without draws."""
    if not contraction:
        return ""
    weakest = min(contraction, key=lambda name: contraction[name])
    wide = (
        f"the middle half of the posterior of {weakest} is {1 - contraction[weakest]:.0%} as wide as its prior's, both in "
        "canonical order"
    )
    unshown = [name for name, share in contraction.items() if not 1 - share < CONTRACTED]
    if not unshown:
        return f" All quantities contract, the least of them so: {wide}."
    return (
        f" Contraction does not show that the data tell anything of {some_of(unshown)}: {wide}, and {CONTRACTED:.0%} or more "
        "may be Monte Carlo error."
    )
