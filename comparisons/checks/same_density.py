"""Check 1: log-likelihood and log prior are the same functions in both engines, and what EM reports is theirs.

A comparison of NaN is never a pass, here and in all checks: thresholds are written ``not (statistic <= threshold)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import em
from comparisons.checks import shared_code, third_density
from comparisons.checks.change_of_variables import SAME_JACOBIAN, jacobian_error
from comparisons.engine_failures import EngineFailure, failing
from comparisons.problem import Parameters, Problem, em_densities
from comparisons.results.result import Check, Engine
from comparisons.results.strict_json import number
from models import LogPosterior
from models.inputs import Floats

# Relative: rounding of a sum of a thousand logarithms, with a margin of thousands.
SAME_DENSITY = 1e-9
RANDOM_POINTS = 20
# A wrong Jacobian is wrong nearly everywhere.
JACOBIAN_POINTS = 2
# Of these points at how many the third density is asked too, the estimate among them: it reads every row as declared.
THIRD_POINTS = 4


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
