"""Check 1: log-likelihood and log prior are the same functions in both engines, and what EM reports is theirs.

A comparison of NaN is never a pass, here and in all checks: thresholds are written ``not (statistic <= threshold)``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from comparisons.capabilities import Parameters, Third
from comparisons.checks.change_of_variables import SAME_JACOBIAN, jacobian_error
from comparisons.checks.fused_likelihood import unlike_pymc
from comparisons.engine_failures import EngineFailure, failing
from comparisons.families.shared_code import TITLE
from comparisons.problem import Fit, Problem, em_densities
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
# What the check is worth where EM's density was made of PyMC's.
READ = " EM's density was derived from the program's: that they agree says that it was read right, and no more."


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
        raise EngineFailure(Check("same-density", TITLE, "fail", None, SAME_DENSITY, text, "pymc", remedy))


def same_density(problem: Problem, density: LogPosterior, fits: Sequence[Fit], random: np.random.Generator) -> Check:
    """Log-likelihood and log prior of both engines are the same functions, and EM reports what they are at its estimates."""
    third = problem.third
    other = None if third is None else third.other_declaration(density)
    if other is not None:
        return other
    at = fits[-1].parameters
    worst, where, parts = 0.0, at, (0.0, 0.0)
    judged: list[tuple[Parameters, Sequence[float]]] = []
    inside = problem.interior(at)
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
    if worst <= SAME_DENSITY:
        neither = None if third is None else _other_density(third, judged)
        if neither is not None:
            return neither
        sampled = unlike_pymc(problem, density, at, SAME_DENSITY, random)
        if isinstance(sampled, Check):
            return sampled
        off = max(_misreported(problem, fit) for fit in fits)
        if not off <= SAME_DENSITY:
            return Check(
                "same-density",
                TITLE,
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
                TITLE,
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
            TITLE,
            "pass",
            worst,
            SAME_DENSITY,
            f"Log-likelihood and log prior of EM and of PyMC agree {'at the estimate and ' * inside}at {RANDOM_POINTS} random "
            f"points; the largest relative difference is within the rounding of such sums. {_by_third(third, len(judged))} What "
            "EM reports of its estimates is their density, and PyMC counts the right Jacobian."
            f"{_of_constants(problem.constants)}{READ * bool(problem.one_density)}{sampled}",
        )
    if third is None:
        engine: Engine = "comparison"
        judgement = "There is no third density to say which of the two is off."
    else:
        by_third = np.array([third.log_likelihood(where), third.log_prior(where)])
        tolerance = SAME_DENSITY * np.maximum(1.0, np.abs(by_third))
        sides = np.array(em_densities(problem, where)), pymc_densities(problem, density, where)
        em_off, pymc_off = (bool((~(np.abs(v - by_third) <= tolerance)).any()) for v in sides)
        engine = "comparison" if em_off == pymc_off else "em" if em_off else "pymc"
        judgement = (
            "A third density, by scipy.stats, agrees with "
            f"{'neither' if engine == 'comparison' else 'the other engine'}."
        )
    return Check(
        "same-density",
        TITLE,
        "fail",
        number(worst),
        SAME_DENSITY,
        f"The densities differ: by {parts[0]:.3g} nats in the log-likelihood and {parts[1]:.3g} in the log prior at one "
        f"point. {judgement}",
        engine,
        "The engines solve different problems; nothing below means anything until their densities agree.",
    )


def _of_constants(constants: tuple[float, float]) -> str:
    """A sentence for each density of which EM leaves out a constant."""
    return "".join(
        f" EM's log {which} as written differs from PyMC's by {off:.5g} nats everywhere: a constant, such as a binomial "
        "coefficient or a normalising constant. It is added here, and moves no estimate."
        for which, off in zip(("likelihood", "prior"), constants, strict=True)
        if off
    )


def _by_third(third: Third | None, points: int) -> str:
    if third is None:
        return "There is no third density of the rows as declared, so what both engines share is not looked at."
    return (
        f"So does a third density of the rows as declared, by scipy.stats, at {points} of them, and each engine got the rows and "
        "prior as declared."
    )


def _other_density(third: Third, points: Sequence[tuple[Parameters, Sequence[float]]]) -> Check | None:
    """A failed check where the density that both engines have at these points is not that of the rows as declared."""
    for parameters, ours in points:
        theirs, spare = (third.log_likelihood(parameters), third.log_prior(parameters)), third.rounding(parameters)
        for told, one, other in zip(("likelihood", "prior"), ours, theirs, strict=True):
            if one == other or abs(one - other) <= SAME_DENSITY * max(1.0, abs(other)) + spare:
                continue
            return Check(
                "same-density",
                TITLE,
                "fail",
                number(abs(one - other) / max(1.0, abs(other))),
                SAME_DENSITY,
                f"The engines agree with each other, but not with a third density of the rows as declared, by scipy.stats: their "
                f"log {told} is {one:.10g} at one point, where it gives {other:.10g}.",
                "comparison",
                "Look at what both engines share: the data as counted, how labels and weights are read, and the prior numbers.",
            )
    return None


def _misreported(problem: Problem, fit: Fit) -> float:
    """Relative distance of the reported log-likelihood and log posterior from the densities at the estimate, beyond rounding."""
    likelihood, prior = em_densities(problem, fit.parameters)
    pairs = [(fit.log_likelihood, likelihood)]
    if fit.log_posterior is not None:
        pairs.append((fit.log_posterior, likelihood + prior))
    # Of a component that has all but collapsed a log density has few digits in any units.
    third = problem.third
    spare = 0.0 if third is None or fit.status != "collapsed" else third.rounding(fit.parameters)
    errors = [max(abs(told - true) - spare, 0.0) / max(1.0, abs(true)) for told, true in pairs if told != true]
    return max((e if e == e else np.inf for e in errors), default=0.0)
