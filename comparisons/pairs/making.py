"""A declared pair and its data, checked and made a problem of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from comparisons.pair import PairDeclaration, Values
from comparisons.pairs.calling import called
from comparisons.pairs.problem import POINTS, SAME_CONSTANT, PairProblem
from comparisons.pairs.program import observed
from comparisons.pairs.trial import once, tried
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
    _refuse_empty(data)
    program = once(called(pair.model, "model", (), data), "model", {})
    if not hasattr(program, "free_RVs"):
        raise TypeError(f"model returned {shown(program)}; return the pymc.Model")
    _refuse_unseen(program)
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
    start = tried(problem, audited=audited)
    return replace(problem, constants=_constants(problem, start))


def _refuse_empty(data: Any) -> None:
    """Data of which there are none."""
    if np.size(data) == 0 or (isinstance(data, Mapping) and not data):
        raise ValueError(f"data is {shown(data)}, which holds nothing; give the rows, or a mapping of them by name")


def _refuse_unseen(program: Any) -> None:
    """What PyMC would take for missing, or for a number where it is none."""
    for variable in program.free_RVs:
        name = str(variable.name).removesuffix("_unobserved")
        if name != variable.name:
            raise ValueError(f"{name} has missing values, which PyMC makes latent variables of; leave these rows out")
    for name, values in observed(program).items():
        wrong = np.argwhere(~np.isfinite(np.asarray(values, dtype=float)))
        if len(wrong):
            place = f"[{', '.join(map(str, wrong[0]))}]" if np.ndim(values) else ""
            raise ValueError(f"{name}{place}, which is observed, is {values[tuple(wrong[0])]}; leave such rows out")


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
