"""Each step of a pair's EM at each of some points, held against the exact one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from comparisons.auditing import slips
from comparisons.auditing.expected import SAME_STEP, Expected, objective_of
from comparisons.auditing.record import Finding
from comparisons.pair import Values
from comparisons.pairs.problem import PairProblem
from em.differences import along_axes
from models.inputs import Floats

# Of probabilities; of densities relative to their size, as PyMC holds what fits of a program into 32 bits; and of gradients.
SAME_CHANCE, SAME_DENSITY, SAME_GRADIENT = 1e-8, float(np.finfo(np.float32).eps), 1e-6
# A slip is named where the step is that many times farther from what is right than a slip may be from the step.
CLEARLY = 10
# Coordinates off a bound, and nats by which a right step onto it may be lower there than anywhere.
BESIDE, LOST_NATS = 20.0, 1e-3
NONE_FITS = "; none of the slips that are tried gives that"


@dataclass(frozen=True, slots=True, eq=False)
class _EStep:
    """What the M-step gets, how far the E-step is off the exact one, the exact one, and what the pair's own returned.

    ``turned`` says that it is right in another order of the components, which is for the M-step to know.
    """

    found: Any
    off: float
    exact: Any
    given: Any
    turned: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _MStep:
    """A step from a point, of right expectations, and by parameter how far it is off."""

    before: Values
    found: Any
    after: Values
    slopes: dict[str, float]

    @property
    def steepest(self) -> float:
        """Of all parameters."""
        return max(self.slopes.values())


def findings(expected: Expected, points: list[Values], prior: bool, looked: list[str]) -> list[Finding]:
    """Each step at each point, held against the exact one."""
    problem = expected.problem
    tried, turned = len(points), False
    e_steps: list[tuple[Values, _EStep]] = []
    m_steps: list[_MStep] = []
    lowered: Finding | None = None
    at_bound: list[Finding] = []
    lost: tuple[str, str, Values, Any] | None = None
    for before in points:
        left, after = stepped(problem, before, prior)
        if left and left[0] == "E-step":
            lost = lost or (*left, before, None)
            continue
        expectation = _e_step(expected, before)
        found, turned = expectation.found, turned or expectation.turned
        e_steps.append((before, expectation))
        if expectation.off > SAME_CHANCE:
            continue
        if left:
            lost = lost or (*left, before, found)
        elif not expected.exists(found, after, prior=float(prior)):
            at_bound += _at_bound(expected, before, found, after, prior)
            tried -= 1
        elif problem.pair.generalised:
            rise = expected.by(found, prior=float(prior))
            loss = rise(before) - rise(after)
            if loss > SAME_DENSITY * max(1.0, abs(rise(before))) and (lowered is None or loss > lowered.size):
                told = f"it lowers the expected complete-data log density, by {loss:.3g} nats"
                lowered = Finding("M-step", "", loss, told, "")
        else:
            slopes = expected.slopes(found, after, prior=float(prior))[0]
            if any(slopes.values()) and expected.level(found, before, prior=float(prior)):
                tried -= 1
                continue
            m_steps.append(_MStep(before, found, after, slopes))
    looked.append(
        f"each step{' of the log posterior' if prior else ''} at {tried} points, from the complete-data log density"
    )
    found_here = [*_of_e_step(expected, e_steps, prior), *([lowered] if lowered else [])]
    found_here += _of_m_step(expected, m_steps, prior, turned)
    found_here = found_here or at_bound[:1]
    return found_here or ([_lost(expected, prior, *lost)] if lost else [])


def stepped(problem: PairProblem, before: Values, prior: bool) -> tuple[tuple[str, str] | None, Values]:
    """The step that is no number or leaves its domain from a point and the parameter that does, or None; where EM comes to."""
    given = problem.functions["e_step"](before, prior=prior) if "e_step" in problem.functions else ()
    if any(np.isnan(each).any() for each in _numbers(given)):
        return ("E-step", ""), before
    after = problem.step(before, prior=prior)
    outside = problem.space.outside(after)
    return None if outside is None else ("M-step" if "m_step" in problem.functions else "step", outside), after


def _at_bound(expected: Expected, before: Values, found: Any, after: Values, prior: bool) -> Iterator[Finding]:
    """A step onto a bound where what it is to maximise is no number, and right beside it lower than inside."""
    space, height = expected.problem.space, expected.by(found, prior=float(prior))
    x = space.of(after)
    best, beside = expected.best(found, before, prior=float(prior)), space.values(space.off_bounds(x, BESIDE))
    loss = height(best) - height(beside)
    if not loss <= LOST_NATS:
        parts = np.split(space.inside(x), np.cumsum([block.free for block in space.blocks])[:-1])
        name = next(block.name for block, inside in zip(space.blocks, parts, strict=True) if not inside.all())
        told = f"it is {_shown(after[name])}, a bound of its domain, after a step of which the maximum is at {_shown(best[name])}"
        yield Finding("M-step", name, loss, f"{told}; beside the bound {loss:.3g} nats are lost", "")


def _numbers(given: Any) -> Iterator[Floats]:
    """All numbers in what an E-step returned, whatever its kind."""
    if isinstance(given, Mapping):
        given = tuple(given.values())
    if isinstance(given, tuple):
        for each in given:
            yield from _numbers(each)
    elif (numbers := _as_chances(given)) is not None:
        yield numbers


def _lost(expected: Expected, prior: bool, step: str, name: str, before: Values, found: Any) -> Finding:
    """A step that is no number or leaves its domain, where nothing else is wrong."""
    if step == "E-step":
        told = "what it expects of the latent variables is no number at a point inside the parameters' domains"
        return Finding(step, name, float("nan"), told, "")
    after = expected.problem.step(before, prior=prior)
    told = f"it is {_shown(after[name])} after a step from a point inside its domain, {expected.problem.space.domain(name)}"
    if step == "M-step":
        return Finding(step, name, float("nan"), told, "")
    # Responsibilities that are right leave no component without rows.
    place = _place(expected, prior, _MStep(before, found, after, {}))
    for slip, chances in slips.of_e_step(place):
        r = chances(place)
        if r.sum(axis=0).min() == 0 and _returned(after, expected.best(r, before, prior=float(prior)), place.right):
            return Finding("E-step", name, float("nan"), told, slip)
    return Finding(step, name, float("nan"), told, "")


def _returned(after: Values, slip: Values, right: Values) -> bool:
    """Whether a slip gives what is a number in what a step returned."""

    def kept(values: Values) -> Floats:
        return np.concatenate([np.ravel(values[name][np.isfinite(after[name])]) for name in after])

    return bool(kept(after).size) and slips.same(kept(slip), kept(after), kept(right))


def _e_step(expected: Expected, before: Values) -> _EStep:
    """The pair's own E-step held against the exact one: chance by chance, or by Fisher's identity.

    The gradient of the log-likelihood is that of the expected complete-data log density, where the E-step was made.
    """
    problem, latent = expected.problem, expected.latent
    exact = None if latent is None else latent.responsibilities(before)
    given = problem.functions["e_step"](before) if "e_step" in problem.functions else None
    if "complete" in problem.functions and given is not None:
        mine = _gradient(problem, expected.by(given), before)
        apart = mine - _gradient(problem, problem.log_likelihood, before)
        size = float(np.abs(apart).max() / max(1.0, float(np.abs(mine).max())))
        # An expectation of which the complete-data log density is no number, as of fewer rows than none, is wrong.
        return _EStep(given, 0.0 if size <= SAME_GRADIENT else np.nan_to_num(size, nan=np.inf), exact, given)
    told = None if exact is None or given is None else _as_chances(given[0] if isinstance(given, tuple) else given)
    if exact is None or told is None:
        return _EStep(exact, 0.0, exact, given)
    told = told.T if told.shape != exact.shape and told.T.shape == exact.shape else told
    if told.shape == exact.shape[:1] and exact.shape[1] == 2:
        told = np.stack([told, 1 - told], axis=1)
    if told.shape != exact.shape:
        return _EStep(exact, 0.0, exact, given)
    off = float(np.abs(told - exact).max())
    others = slips.orders(exact.shape[1]) if off > SAME_CHANCE else []
    other = min((float(np.abs(told - exact[:, order]).max()) for order in others), default=off)
    return _EStep(exact, min(off, other), exact, told, other < off)


def _as_chances(given: Any) -> Floats | None:
    """What an E-step returned as numbers; None where it is of some other kind, such as sums by name."""
    try:
        return np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        return None


def _gradient(problem: PairProblem, of: Callable[[Values], float], at: Values) -> Floats:
    """By the coordinates, in steps of their own unit."""
    objective = objective_of(problem, of)
    x = problem.space.off_bounds(problem.space.of(at))
    steps = 1e-3 * problem.units[:, None]
    return np.asarray(along_axes(objective.of(x), x[:, None], steps)[1][:, 0] / steps[:, 0])


def _of_e_step(expected: Expected, tried: Sequence[tuple[Values, _EStep]], prior: bool) -> Iterator[Finding]:
    """How far the E-step is off, and the slip that gives its responsibilities at every point."""
    worst = max((e for _, e in tried), key=lambda e: e.off, default=None)
    if worst is None or worst.off <= SAME_CHANCE:
        return
    if "complete" in expected.problem.functions:
        by, fitting, none = "Fisher's identity is off by, relative to the gradient,", [], ""
    else:
        places = [_place(expected, prior, _MStep(before, e.exact, before, {})) for before, e in tried]
        fitting = [
            told
            for told, r in slips.of_e_step(places[0])
            if all(slips.same(r(at), e.given, e.exact, SAME_CHANCE) for at, (_, e) in zip(places, tried, strict=True))
        ]
        by, none = "chances are off by", "" if fitting else NONE_FITS
    told = f"what it expects of the latent variables is not the exact conditional: {by} up to {worst.off:.3g}{none}"
    yield Finding("E-step", "", worst.off, told, _either(fitting))


def _of_m_step(expected: Expected, tried: Sequence[_MStep], prior: bool, turned: bool) -> Iterator[Finding]:
    """By parameter how far the M-step is off where it is farthest, and the slip that returns it at every point."""
    problem = expected.problem
    steepest = max(tried, key=lambda each: each.steepest, default=None)
    if steepest is None or steepest.steepest == 0:
        return
    place = _place(expected, prior, steepest)
    apart = expected.off(steepest.found, steepest.after, steepest.before, prior=float(prior))
    wrong = {name: size for name, size in apart.items() if not size <= SAME_STEP}
    # Where nothing has a slope but no number, no slip can be told from another.
    others = [each for each in tried if each is not steepest and np.isfinite(each.steepest)]
    places = [place, *(_place(expected, prior, each) for each in others)]
    guesses = slips.guesses(places if np.isfinite(steepest.steepest) else places[1:], set(wrong))
    # Whatever a step makes of them depends on the responsibilities: where one parameter is right, so are they.
    told_apart = ("e_step" in problem.functions and not turned) or not set(problem.space.names) <= set(wrong)
    for name, size in wrong.items():
        right, returned = (_shown(each[name]) for each in (place.right, steepest.after))
        told = f"it is {returned} after a step of which the maximum is at {right}, {size:.3g} complete-data standard errors away"
        fitting = guesses[name]
        where = fitting[0].step if fitting and not told_apart else "M-step" if told_apart else "step"
        same = [slip.told for slip in fitting if slip.step == fitting[0].step]
        yield Finding(where, name, size, told + ("" if same else NONE_FITS), _either(same))


def _place(expected: Expected, prior: bool, step: _MStep) -> slips.Place:
    """What slips are tried at: a step, with what they need."""
    latent, problem, asked = expected.latent, expected.problem, float(prior)
    own = "complete" in problem.functions or latent is None
    names = problem.space.names

    def rests(r: Any, *, prior: float = asked, jacobian: float = 0.0, before: bool = False) -> set[str]:
        found = step.found if r is None else r
        if before:
            there = {n: step.before | {n: step.after[n]} for n in names}
            missed = {n: expected.slopes(found, at, prior=prior)[0][n] for n, at in there.items()}
        else:
            missed = expected.missed(found, step.found, step.after, prior=prior, jacobian=jacobian, asked=asked)
        return {n for n in names if missed[n] <= max(slips.NAMED * step.slopes[n], SAME_STEP)}

    return slips.Place(
        step.before,
        step.after,
        {name for name, slope in step.slopes.items() if slope > CLEARLY * SAME_STEP},
        partial(expected.best, step.found, step.before, prior=asked),
        None if own else step.found,
        None if own or latent is None else latent.responsibilities(step.before, weighted=False),
        rests,
        {block.name: block.kind for block in problem.space.blocks},
        prior,
    )


def _either(fitting: Sequence[str]) -> str:
    """Slips that nothing tells apart, the first two."""
    return "; or ".join(list(dict.fromkeys(fitting))[:2])


def _shown(values: Floats) -> str:
    return np.array2string(np.asarray(values), precision=5, separator=", ", threshold=6)
