"""A declared pair and its data, checked and made a problem of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from comparisons.pair import PairDeclaration, Values
from comparisons.pairs.calling import called
from comparisons.pairs.problem import POINTS, SAME_CONSTANT, PairProblem
from em.derived.coordinates import INSIDE, coordinates_of
from models.inputs import shown


def problem_of(comparison: PairDeclaration, data: Any, *, audited: bool = False) -> PairProblem:
    """Check a declared pair with its data, and make a problem of them; nothing long runs.

    Where it is ``audited`` a step may leave the parameters' domains, which is for the audit to tell.

    Raises
    ------
    TypeError, ValueError
        where a function and the program do not fit together; the message names the function, what it gave, and what to return
    """
    pair = comparison.pair
    program = called(pair.model, "model", (), data)({})
    if not hasattr(program, "free_RVs"):
        raise TypeError(f"model returned {shown(program)}; return the pymc.Model")
    if program.potentials and pair.log_prior is None:
        raise ValueError(
            "the program has a potential; give log_prior=, EM's side of the prior, with what the potential counts"
        )
    coordinates = coordinates_of(program)
    names = coordinates.names
    if unknown := [each for each in pair.exchangeable if each not in names]:
        raise ValueError(f"exchangeable names {unknown[0]!r}; the program's parameters are {', '.join(names)}")
    sizes = {coordinates.shapes[each][:1] for each in pair.exchangeable}
    if len(sizes) > 1 or () in sizes:
        raise ValueError(
            f"exchangeable is {', '.join(pair.exchangeable)}, whose first axes differ; give parameters with one entry a component"
        )
    for each in pair.moves:
        if len(set(coordinates.shapes[each][:2])) > 1 or len(coordinates.shapes[each]) < 2:
            raise ValueError(
                f"moves names {each}, of shape {coordinates.shapes[each]}; its first two axes are no components"
            )
    functions = {
        of: called(function, of, names, data, skip=of in ("m_step", "complete"))
        for of in ("log_likelihood", "em_step", "e_step", "m_step", "log_prior", "start", "complete")
        if callable(function := getattr(pair, of))
    }
    problem = PairProblem(comparison, program, coordinates, functions)
    start = _tried(problem, audited=audited)
    return replace(problem, constants=_constants(problem, start))


def _constants(problem: PairProblem, start: Values) -> tuple[float, float]:
    """What the program's log-likelihood and log prior are more than EM's everywhere; 0 where that is not the same everywhere."""
    random, off = np.random.default_rng(0), []
    x = problem.space.off_bounds(problem.space.of(start), INSIDE)
    for _ in range(POINTS):
        point = problem.space.values(x + 0.3 * problem.units * random.normal(size=len(x)))
        off.append(np.subtract(problem.of_program(point), [problem.log_likelihood(point), problem.log_prior(point)]))
    middle = np.median(off, axis=0)
    same = (np.abs(np.array(off) - middle) <= SAME_CONSTANT * np.maximum(1.0, np.abs(middle))).all(axis=0)
    likelihood, prior = np.where(same & (np.abs(middle) > SAME_CONSTANT), middle, 0.0).tolist()
    return likelihood, prior


def _tried(problem: PairProblem, *, audited: bool) -> Values:
    """See once that every function returns what it has to; where EM begins. Where a step leaves its domain an audit says why."""
    start = problem.starts(0)[0]
    problem.refuse_others(start)
    height = problem.functions["log_likelihood"](start)
    if np.ndim(height) or np.isnan(float(height)):
        raise ValueError(f"log_likelihood returned {shown(height)} at the start; return one number, in nats")
    after = problem.step(start)
    if not audited and (name := problem.space.outside(after)) is not None:
        raise ValueError(
            f"one step from the start makes {name} {shown(after[name])}, which is outside its domain in the program; "
            "mend the step: comparisons.audit says where it is wrong"
        )
    told = problem.log_prior(start)
    if np.isnan(told):
        raise ValueError(f"log_prior returned {shown(told)} at the start; return one number, in nats")
    return start
