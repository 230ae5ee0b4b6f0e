"""Every step of a pair's EM tried at random points and along its own path, from the complete-data log density."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from comparisons.auditing import slips
from comparisons.auditing.latent import Latent, latent_of
from comparisons.auditing.record import Audit, Finding
from comparisons.pair import Values
from comparisons.pairs.ascent import Objective, curvature, run
from comparisons.pairs.problem import PairProblem
from em import ObjectiveDecreased
from em.derived.coordinates import INSIDE
from em.differences import expanded, maximised, right_steps
from models.inputs import Floats

# Random points, and points of EM's own path, at which steps are tried.
RANDOM, OF_PATH, STEPS = 5, 4, 20
# Complete-data standard errors by which a step may miss the maximum: differences are right to a hundredth of that.
SAME_STEP = 1e-5
# Of probabilities, and of densities relative to their size.
SAME_CHANCE, SAME_DENSITY, SAME_GRADIENT = 1e-8, 1e-7, 1e-6
# Share of its own size by which a slip may miss what the step returned.
NAMED = 1e-3
# Steps of differences, in complete-data standard errors, and where they are sought from.
STEP, SOUGHT_FROM = 0.01, 0.05
# Nats and standard errors that a rule may leave where it stops.
LEFT_NATS, LEFT_ERRORS = 1e-6, 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """What an M-step maximises: the expected complete-data log density at parameters, given what the E-step found.

    Attributes
    ----------
    problem : the pair with its data
    latent : the components of its rows; None where ``complete`` of the pair is used, or nothing
    """

    problem: PairProblem
    latent: Latent | None

    def height(self, values: Values, found: Any) -> float:
        """Of parameters, given responsibilities or what the pair's own E-step returned."""
        if "complete" in self.problem.functions:
            return float(self.problem.functions["complete"](values, found))
        assert self.latent is not None
        return self.latent.expected(values, found)

    def by(self, found: Any, *, prior: float = 0.0, jacobian: float = 0.0) -> Callable[[Values], float]:
        """The function of the parameters, with so many log priors and log Jacobians added."""
        space = self.problem.space

        def told(values: Values) -> float:
            height = self.height(values, found)
            if prior:
                height += prior * self.problem.log_prior(values)
            return height + (jacobian * float(space.log_jacobian(space.of(values))) if jacobian else 0.0)

        return told

    def best(
        self, found: Any, start: Values, *, prior: float = 0.0, jacobian: float = 0.0, held: tuple[str, ...] = ()
    ) -> Values:
        """Where that is largest, with some parameters ``held`` as they were."""
        space = self.problem.space
        objective = _objective(self.problem, self.by(found, prior=prior, jacobian=jacobian))
        x = space.off_bounds(space.of(start), INSIDE)
        kept = np.concatenate([np.full(block.free, block.name not in held) for block in space.blocks])
        of = objective.of(x, np.flatnonzero(kept))
        x[kept] = maximised(
            lambda _: of,
            x[kept][:, None],
            np.array([float(self.problem.n)]),
            SOUGHT_FROM * self.problem.units[kept, None],
        )[:, 0]
        return space.values(x)

    def off(self, found: Any, at: Values, start: Values, *, prior: float) -> dict[str, float]:
        """By parameter how far a point is from where the function is largest, in complete-data standard errors.

        Where nothing slopes at the point it is there; else the maximum is sought from ``start``.
        """
        of, space = self.by(found, prior=prior), self.problem.space
        slopes, curved = self._second_order(of, at)
        with np.errstate(divide="ignore", invalid="ignore"):
            sloping = np.abs(slopes) > SAME_STEP * np.sqrt(curved)
            if not sloping.any():
                return dict.fromkeys(space.names, 0.0)
            right = self.best(found, start, prior=prior)
            # A parameter that stands right beside others that do not has no slope there, or no way to go.
            apart = sloping * np.abs(space.of(at) - space.of(right)) * np.sqrt(self._second_order(of, right)[1])
        parts = np.split(np.nan_to_num(apart, nan=np.inf), np.cumsum([block.free for block in space.blocks])[:-1])
        return {name: float(part.max(initial=0.0)) for name, part in zip(space.names, parts, strict=True)}

    def _second_order(self, of: Callable[[Values], float], at: Values) -> tuple[Floats, Floats]:
        """Slopes and curvatures ``(f,)`` along the coordinates, 0 along those at a bound."""
        space = self.problem.space
        x = space.of(at)
        inside = np.flatnonzero(space.inside(x))
        x = space.off_bounds(x)
        heights = _objective(self.problem, of).of(x, inside)
        where = x[inside][:, None]
        steps = right_steps(heights, where, np.ones(1), SOUGHT_FROM * self.problem.units[inside, None], STEP)
        _, first, second = expanded(heights, where, steps)
        slopes, curved = np.zeros(len(x)), np.zeros(len(x))
        slopes[inside] = first[:, 0] / steps[:, 0]
        curved[inside] = np.abs(np.diagonal(second[..., 0])) / steps[:, 0] ** 2
        return slopes, curved


def _objective(problem: PairProblem, of: Callable[[Values], float]) -> Objective:
    """A function of the parameters, which no step of EM's maximises."""
    return replace(problem.objective(prior=False), height=of, step=None, stop=None)


# Far from the data functions under- and overflow, and a slip may be no number.
@np.errstate(all="ignore")
def audited(problem: PairProblem, seed: int) -> Audit:
    """Try every step of a pair's EM; see `comparisons.audit`."""
    if problem.pair.derived is not None:
        raise ValueError(
            "the EM was derived from its program, so there is nothing to hold its steps against; give a Pair with an EM of yours"
        )
    looked: list[str] = []
    not_looked: list[str] = []
    findings = [*_densities(problem, seed, looked)]
    expected = Expected(problem, latent_of(problem.program))
    known = expected.latent is not None or {"complete", "e_step"} <= set(problem.functions)
    if not known:
        not_looked.append(
            "E-step and M-step apart: the program has no mixture whose components are its latent variable, and the pair has no "
            "complete=, the complete-data log density"
        )
    elif findings:
        not_looked.append("each step: it is held against the program's densities, so mend these first")
    exact = known and not findings
    for prior in (False, True) if problem.pair.knows_prior else (False,):
        if exact:
            findings += _steps(expected, _points(problem, seed, prior), prior, looked)
        findings += _ascent(problem, seed, prior, looked)
    if not findings:
        findings += _end(problem, seed, looked)
    if not problem.pair.knows_prior:
        not_looked.append("a step for the posterior mode: the pair's step takes no argument prior")
    return Audit(problem.pair.name, findings, looked, not_looked)


def _densities(problem: PairProblem, seed: int, looked: list[str]) -> Iterator[Finding]:
    """EM's densities beside the program's, up to a constant."""
    looked.append("log-likelihood and log prior beside the program's, up to a constant")
    density = problem.density
    for which, mine, constant in zip(
        ("log_likelihood", "log_prior"), (problem.log_likelihood, problem.log_prior), problem.constants, strict=True
    ):
        if which == "log_prior" and "log_prior" not in problem.functions:
            continue
        off = []
        for point in _random(problem, seed):
            by_program = density.parts(density.unconstrained(problem.to_pymc(point)))[int(which == "log_prior")]
            off.append(mine(point) - by_program)
        spread = float(np.ptp(off))
        if not spread <= SAME_DENSITY * max(1.0, float(np.abs(off).max())):
            told = f"it is not the program's: they differ by {min(off):.5g} to {max(off):.5g} nats"
            yield Finding("objective", which, spread, told, "")
        elif constant:
            looked.append(
                f"a constant of {constant:.5g} nats that {which} leaves out: a binomial coefficient? It is no fault"
            )


def _random(problem: PairProblem, seed: int) -> list[Values]:
    """Points near the start, of no fit."""
    random, (start, *_) = np.random.default_rng(seed), problem.starts(seed)
    x = problem.space.off_bounds(problem.space.of(start), INSIDE / 2)
    return [problem.space.values(x + 0.5 * problem.units * random.normal(size=len(x))) for _ in range(RANDOM)]


def _points(problem: PairProblem, seed: int, prior: bool) -> list[Values]:
    """Random points, and points of EM's own path while it stays in the parameters' domains."""
    path = [problem.starts(seed)[0]]
    for _ in range(STEPS):
        following = problem.step(path[-1], prior=prior)
        if problem.space.outside(following) is not None or not problem.interior(following):
            break
        path.append(following)
    own = [path[int(k)] for k in np.unique(np.linspace(0, len(path) - 1, OF_PATH).astype(int))]
    return [*_random(problem, seed), *own]


def _ascent(problem: PairProblem, seed: int, prior: bool, looked: list[str]) -> Iterator[Finding]:
    """A right step never lowers the objective."""
    of = "log posterior" if prior else "log-likelihood"
    looked.append(f"that the {of} rises along EM's path")
    objective = problem.objective(prior=prior)
    for start in problem.starts(seed):
        if not np.isfinite(objective.height(start)):
            continue
        try:
            run(objective, start)
        except ObjectiveDecreased as error:
            told = f"step {error.step} lowers the {of} by {error.loss:.3g} nats, which no right step does"
            yield Finding("objective", "", error.loss, told, "")
            return


def _steps(expected: Expected, points: list[Values], prior: bool, looked: list[str]) -> list[Finding]:
    """Each step at each point, held against the exact one."""
    of = " of the log posterior" if prior else ""
    looked.append(f"each step{of} at {len(points)} points, from the complete-data log density")
    problem = expected.problem
    worst: dict[tuple[str, str], tuple[float, Values, Any, Any]] = {}
    lost = ""
    for before in points:
        expectation = _e_step(expected, before)
        found, wrong = expectation.found, expectation.off
        if wrong > SAME_CHANCE:
            if wrong > worst.get(("E-step", ""), (0.0,))[0]:
                worst["E-step", ""] = (wrong, before, expectation.exact, expectation.given)
            continue
        after = problem.step(before, prior=prior)
        if (outside := problem.space.outside(after)) is not None:
            lost = lost or outside
            continue
        if problem.pair.generalised:
            rise = expected.by(found, prior=float(prior))
            loss = rise(before) - rise(after)
            if loss > SAME_DENSITY * max(1.0, abs(rise(before))) and loss > worst.get(("M-step", ""), (0.0,))[0]:
                worst["M-step", ""] = (loss, before, found, after)
            continue
        for name, distance in expected.off(found, after, before, prior=float(prior)).items():
            if not distance <= SAME_STEP and not distance <= worst.get(("M-step", name), (0.0,))[0]:
                worst["M-step", name] = (distance, before, found, after)
    if lost and not worst:
        told = "it leaves its domain, or is no number, after a step from a point inside"
        return [Finding("M-step" if "m_step" in problem.functions else "step", lost, float("nan"), told, "")]
    return [
        _finding(step, name, size, _place(expected, before, found, prior), given, problem)
        for (step, name), (size, before, found, given) in worst.items()
    ]


@dataclass(frozen=True, slots=True, eq=False)
class _EStep:
    """What the M-step gets, how far the E-step is off the exact one, the exact one, and what the pair's own returned."""

    found: Any
    off: float
    exact: Any
    given: Any


def _e_step(expected: Expected, before: Values) -> _EStep:
    """The pair's own E-step held against the exact one: chance by chance, or by Fisher's identity.

    The gradient of the log-likelihood is that of the expected complete-data log density, where the E-step was made.
    """
    problem, latent = expected.problem, expected.latent
    exact = None if latent is None else latent.responsibilities(before)
    given = problem.functions["e_step"](before) if "e_step" in problem.functions else None
    if "complete" in problem.functions and given is not None:
        mine = _gradient(problem, expected.by(given), before)
        off = mine - _gradient(problem, problem.log_likelihood, before)
        size = float(np.abs(off).max() / max(1.0, float(np.abs(mine).max())))
        return _EStep(given, size if size > SAME_GRADIENT else 0.0, exact, given)
    if exact is None or given is None:
        return _EStep(exact, 0.0, exact, given)
    told = np.asarray(given[0] if isinstance(given, tuple) else given, dtype=float)
    told = told.T if told.shape != exact.shape and told.T.shape == exact.shape else told
    if told.shape == exact.shape[:1] and exact.shape[1] == 2:
        told = np.stack([told, 1 - told], axis=1)
    if told.shape != exact.shape:
        return _EStep(exact, 0.0, exact, given)
    other = min(
        float(np.abs(told - exact).max()), float(np.abs(told - exact[:, ::-1]).max()) if exact.shape[1] == 2 else np.inf
    )
    return _EStep(exact, other, exact, told)


def _gradient(problem: PairProblem, of: Callable[[Values], float], at: Values) -> Floats:
    """By the coordinates, in steps of their own unit."""
    objective = _objective(problem, of)
    x = problem.space.off_bounds(problem.space.of(at))
    steps = 1e-3 * problem.units[:, None]
    return np.asarray(expanded(objective.of(x), x[:, None], steps)[1][:, 0] / steps[:, 0])


def _place(expected: Expected, before: Values, found: Any, prior: bool) -> slips.Place:
    latent, problem = expected.latent, expected.problem
    own = "complete" in problem.functions

    def best(r: Any, *, prior: float = float(prior), **how: Any) -> Values:
        return expected.best(r if r is not None else found, before, prior=prior, **how)

    return slips.Place(
        before,
        best(found) if found is not None else before,
        None if own or latent is None else found,
        None if own or latent is None else latent.responsibilities(before, weighted=False),
        best,
        {block.name: block.kind for block in problem.space.blocks},
        prior,
    )


def _finding(step: str, name: str, size: float, place: slips.Place, given: Any, problem: PairProblem) -> Finding:
    """What is wrong, and the slip that would make it."""
    if step == "E-step":
        alike = [
            s for s, r in slips.of_e_step(place) if np.shape(r) == np.shape(given) and np.allclose(r, given, atol=1e-9)
        ]
        by = "chances are off by" if place.r is not None else "Fisher's identity is off by, relative to the gradient,"
        told = f"what it expects of the latent variables is not the exact conditional: {by} up to {size:.3g}"
        return Finding(step, "", size, told, alike[0] if alike else "")
    if not name:
        return Finding(step, "", size, f"it lowers the expected complete-data log density, by {size:.3g} nats", "")
    right, returned = np.asarray(place.right[name]), np.asarray(given[name])
    told = (
        f"it is {_shown(returned)} after a step of which the maximum is at {_shown(right)}, {size:.3g} complete-data standard "
        "errors away"
    )
    if "m_step" not in problem.functions:
        step = "step"
    for where, slip, values in slips.of_parameters(place):
        if name in values and np.shape(values[name]) == returned.shape:
            apart = np.abs(values[name] - returned).max()
            if apart <= NAMED * np.abs(returned - right).max():
                return Finding(where, name, size, told, slip)
    return Finding(step, name, size, told, "")


def _shown(values: Floats) -> str:
    return np.array2string(np.asarray(values), precision=5, separator=", ", threshold=6)


def _end(problem: PairProblem, seed: int, looked: list[str]) -> Iterator[Finding]:
    """Where EM begins and stops: a saddle, and what the rule leaves."""
    looked.append("where EM begins and what its rule leaves")
    objective = problem.objective(prior=False)
    start = problem.starts(seed)[0]
    reached = run(objective, start).path[-1]
    judged = curvature(objective, reached)
    if judged.kind == "saddle":
        told = "EM started here ends at a saddle: components that are equal stay equal"
        yield Finding("start", "", float("nan"), told, "a start at which all components are equal")
    elif problem.pair.stop is not None:
        further = run(replace(objective, stop=None), reached)
        nats = further.trace[-1] - further.trace[0]
        if nats > LEFT_NATS or judged.decrement > LEFT_ERRORS:
            told = (
                f"the rule stops {nats:.3g} nats and {judged.decrement:.3g} standard errors short of the maximum, which "
                f"{len(further.path) - 1} more steps reach"
            )
            yield Finding("stop rule", "", nats, told, "a small step is taken for arrival")
