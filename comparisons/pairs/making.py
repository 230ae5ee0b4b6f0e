"""A declared pair and its data, checked and made a problem of."""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from comparisons.pair import PRIOR, Pair, PairDeclaration, Values
from comparisons.pairs.calling import called
from comparisons.pairs.problem import POINTS, SAME_CONSTANT, PairProblem
from comparisons.pairs.program import observed
from comparisons.pairs.trial import once, tried
from em.derived.coordinates import INSIDE, Coordinates, coordinates_of
from em.derived.symmetry import Exchange, Part, alike
from models.inputs import shown, some_of


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
    if pair.derived is None and (odd := [each for each in names if not _argument(each)]):
        raise ValueError(
            f"the program's parameter {odd[0]} can be no argument of a function of yours; call it otherwise there"
        )
    exchange = _exchange(pair, coordinates)
    functions = {
        of: called(function, of, names, data, skip=of in ("m_step", "complete"))
        for of in ("log_likelihood", "em_step", "e_step", "m_step", "log_prior", "start", "complete")
        if callable(function := getattr(pair, of))
    }
    problem = PairProblem(comparison, program, coordinates, exchange, functions, data)
    start = tried(problem, audited=audited)
    return replace(problem, constants=_constants(problem, start))


def _exchange(pair: Pair, space: Coordinates) -> Exchange:
    """How components of a pair change places: as declared, or as found of a derived one."""
    if pair.derived is not None:
        return replace(pair.derived.exchange, space=space)
    blocks = {block.name: block for block in space.blocks}
    together = [each if isinstance(each, tuple) else (each,) for each in pair.exchangeable]
    for argument, told in (("exchangeable", [name for each in together for name in each]), ("mirrored", pair.mirrored)):
        if unknown := [name for name in told if name not in blocks]:
            raise ValueError(f"{argument} names {unknown[0]!r}; the program's parameters are {', '.join(blocks)}")
    if lone := [each[0] for each in together if len(each) == 1 and not blocks[each[0]].shape]:
        raise ValueError(
            f"exchangeable has {lone[0]} alone, which is one number; give the names of all components together, as "
            f"({lone[0]!r}, ...)"
        )
    sizes = {len(each) if len(each) > 1 else blocks[each[0]].shape[0] for each in together}
    if len(sizes) > 1:
        raise ValueError(
            f"exchangeable has parameters of {some_of(sorted(sizes))} components; give those with one entry or name a component"
        )
    for each in together:
        if unlike := [name for name in each if not alike(blocks[name], blocks[each[0]])]:
            raise ValueError(f"exchangeable has {each[0]} and {unlike[0]} together, whose shapes or domains differ")
    for name in pair.moves:
        shape = blocks[name].shape
        if len(set(shape[:2])) > 1 or len(shape) < 2:
            raise ValueError(f"moves names {name}, of shape {shape}; its first two axes are no components")
    if pair.mirrored and sizes - {2}:
        raise ValueError(
            f"mirrored names {pair.mirrored[0]}, but only two components mirror a probability; leave it out"
        )
    if wrong := [name for name in pair.mirrored if blocks[name].kind != "logit"]:
        raise ValueError(f"mirrored names {wrong[0]}, which is not between two numbers; name probabilities")
    parts = []
    for each in together:
        mirrored = [name in pair.mirrored for name in each]
        if any(mirrored) != all(mirrored):
            raise ValueError(f"mirrored names some of {', '.join(each)}, which change places; name all of them or none")
        axes = () if len(each) > 1 else (0, 1) if each[0] in pair.moves else (0,)
        parts.append(Part(each, axes, all(mirrored)))
    alone = tuple(name for name in pair.mirrored if not any(name in each for each in together))
    return Exchange(space, tuple(parts), alone)


def _argument(name: str) -> bool:
    """Whether an argument of a pair's function may have a parameter's name."""
    return name.isidentifier() and not keyword.iskeyword(name) and name != PRIOR


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
