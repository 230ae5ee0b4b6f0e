"""Every step of a pair's EM tried at random points and along its own path, from the complete-data log density."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from comparisons.auditing import slips
from comparisons.auditing.ending import MOST_STEPS, ended
from comparisons.auditing.expected import SAME_STEP, Expected, objective_of
from comparisons.auditing.latent import latent_of
from comparisons.auditing.record import Audit, Finding
from comparisons.pair import Values
from comparisons.pairs.ascent import Run, run, where_lost
from comparisons.pairs.problem import PairProblem
from em import ObjectiveDecreased
from em.derived.coordinates import INSIDE
from em.differences import along_axes
from models.inputs import Floats

# Random points, and points of EM's own path, at which steps are tried.
RANDOM, OF_PATH, STEPS = 5, 4, 20
# Of probabilities; of densities relative to their size, as PyMC holds what fits of a program into 32 bits; and of gradients.
SAME_CHANCE, SAME_DENSITY, SAME_GRADIENT = 1e-8, float(np.finfo(np.float32).eps), 1e-6


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
        lacks = "complete= is given, which needs e_step= and m_step= in place of em_step="
        if "complete" not in problem.functions:
            lacks = "the pair has no complete=, the complete-data log density, with e_step= and m_step="
        not_looked.append(
            f"E-step and M-step apart: the program has no mixture whose components are its latent variable, and {lacks}"
        )
    elif findings:
        not_looked.append("each step: it is held against the program's densities, so mend these first")
    exact = known and not findings
    for prior in (False, True) if problem.pair.knows_prior else (False,):
        if exact:
            findings += _steps(expected, _points(problem, seed, prior), prior, looked)
        findings += _ascent(problem, seed, prior, looked, right=exact and not findings)
    if not findings:
        findings += ended(problem, seed, looked, not_looked)
    if not problem.pair.knows_prior:
        not_looked.append("a step for the posterior mode: the pair's step takes no argument prior")
    return Audit(problem.pair.name, findings, looked, not_looked, exact)


def _densities(problem: PairProblem, seed: int, looked: list[str]) -> Iterator[Finding]:
    """EM's densities beside the program's, up to a constant."""
    looked.append("log-likelihood and log prior beside the program's, up to a constant")
    density = problem.density
    for which, mine, constant in zip(
        ("log_likelihood", "log_prior"), (problem.log_likelihood, problem.log_prior), problem.constants, strict=True
    ):
        if which == "log_prior" and "log_prior" not in problem.functions:
            continue
        heights = np.array(
            [
                (mine(point), density.parts(density.unconstrained(problem.to_pymc(point)))[int(which == "log_prior")])
                for point in _random(problem, seed)
            ]
        )
        off = heights[:, 0] - heights[:, 1]
        spread = float(np.ptp(off))
        if not spread <= SAME_DENSITY * max(1.0, float(np.abs(heights).max())):
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
            # Where the likelihood has no bound a right step leaves the domain too; a wrong one does so at random points.
            path = path[:1] + path[1:-1]
            break
        path.append(following)
    own = [path[int(k)] for k in np.unique(np.linspace(0, len(path) - 1, OF_PATH).astype(int))]
    return [*_random(problem, seed), *own]


def _ascent(problem: PairProblem, seed: int, prior: bool, looked: list[str], *, right: bool) -> Iterator[Finding]:
    """A right step never lowers the objective; where every step was seen to be ``right`` none that is lost was wrong."""
    of = "log posterior" if prior else "log-likelihood"
    looked.append(f"that the {of} rises along EM's path")
    objective = problem.objective(prior=prior)
    starts = [start for start in problem.starts(seed) if np.isfinite(objective.height(start))]
    runs: list[Run] = []
    for start in starts:
        try:
            runs.append(run(objective, start, MOST_STEPS // len(starts)))
        except ObjectiveDecreased as error:
            told = f"step {error.step} lowers the {of} by {error.loss:.3g} nats, which no right step does"
            yield Finding("objective", "", error.loss, told, "")
            return
    astray = [each for each in runs if each.lost]
    if astray and len(astray) == len(runs) and not right:
        yield Finding("objective", "", float("nan"), where_lost(astray), "")
    elif astray:
        looked.append(
            f"{len(astray)} of {len(runs)} starts are left out: EM comes to where the {of} is no number, at "
            f"{max(each.trace[-1] for each in astray):.6g} nats before it. Where the likelihood has no bound that is no fault"
        )


def _steps(expected: Expected, points: list[Values], prior: bool, looked: list[str]) -> list[Finding]:
    """Each step at each point, held against the exact one."""
    of = " of the log posterior" if prior else ""
    problem = expected.problem
    tried = len(points)
    worst: dict[tuple[str, str], tuple[float, Values, Any, Any]] = {}
    steepest: tuple[float, Values, Any, Values] | None = None
    lost: tuple[str, Values, Any] | None = None
    turned = False
    for before in points:
        expectation = _e_step(expected, before)
        found, wrong = expectation.found, expectation.off
        turned = turned or expectation.turned
        if wrong > SAME_CHANCE:
            if wrong > worst.get(("E-step", ""), (0.0,))[0]:
                worst["E-step", ""] = (wrong, before, expectation.exact, expectation.given)
            continue
        after = problem.step(before, prior=prior)
        if (outside := problem.space.outside(after)) is not None:
            lost = lost or (outside, before, found)
        elif not expected.exists(found, after, prior=float(prior)):
            tried -= 1
        elif problem.pair.generalised:
            rise = expected.by(found, prior=float(prior))
            loss = rise(before) - rise(after)
            if loss > SAME_DENSITY * max(1.0, abs(rise(before))) and loss > worst.get(("M-step", ""), (0.0,))[0]:
                worst["M-step", ""] = (loss, before, found, after)
        else:
            slope = max(expected.slopes(found, after, prior=float(prior))[0].values())
            if slope > (0.0 if steepest is None else steepest[0]):
                steepest = (slope, before, found, after)
    looked.append(f"each step{of} at {tried} points, from the complete-data log density")
    if steepest is not None:
        _, before, found, after = steepest
        apart = expected.off(found, after, before, prior=float(prior))
        worst |= {("M-step", n): (d, before, found, after) for n, d in apart.items() if not d <= SAME_STEP}
    if lost and not worst:
        name, before, found = lost
        told = "it leaves its domain, or is no number, after a step from a point inside"
        if "m_step" in problem.functions:
            return [Finding("M-step", name, float("nan"), told, "")]
        # Responsibilities that are right leave no component without rows.
        place = _place(expected, before, found, prior, before)
        emptied = [slip for slip, r in slips.of_e_step(place) if r.sum(axis=0).min() == 0]
        step, slip = ("E-step", emptied[0]) if emptied else ("step", "")
        return [Finding(step, name, float("nan"), told, slip)]
    # Whatever a step makes of them depends on the responsibilities: where one parameter is right, so are they.
    e_step_right = ("e_step" in problem.functions and not turned) or not set(problem.space.names) <= {
        name for _, name in worst
    }
    return [
        _finding(step, name, size, _place(expected, before, found, prior, given), given, problem, e_step_right)
        for (step, name), (size, before, found, given) in worst.items()
    ]


@dataclass(frozen=True, slots=True, eq=False)
class _EStep:
    """What the M-step gets, how far the E-step is off the exact one, the exact one, and what the pair's own returned.

    ``turned`` says that it is right in the other order of two components, which is for the M-step to know.
    """

    found: Any
    off: float
    exact: Any
    given: Any
    turned: bool = False


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
    told = None if exact is None or given is None else _as_chances(given[0] if isinstance(given, tuple) else given)
    if exact is None or told is None:
        return _EStep(exact, 0.0, exact, given)
    told = told.T if told.shape != exact.shape and told.T.shape == exact.shape else told
    if told.shape == exact.shape[:1] and exact.shape[1] == 2:
        told = np.stack([told, 1 - told], axis=1)
    if told.shape != exact.shape:
        return _EStep(exact, 0.0, exact, given)
    other, reverse = (float(np.abs(told - each).max()) for each in (exact, exact[:, ::-1]))
    turned = exact.shape[1] == 2 and reverse < other
    return _EStep(exact, reverse if turned else other, exact, told, turned)


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


def _place(expected: Expected, before: Values, found: Any, prior: bool, given: Values) -> slips.Place:
    latent, problem = expected.latent, expected.problem
    own = "complete" in problem.functions
    names = problem.space.names

    def slopes(r: Any, at: Values, steps: Floats | None = None, **how: float) -> tuple[dict[str, float], Floats]:
        return expected.slopes(r if r is not None else found, at, steps, **how)

    def rests(r: Any, *, prior: float = float(prior), jacobian: float = 0.0, before: bool = False) -> set[str]:
        if before:
            return {n for n in names if slopes(r, old | {n: given[n]}, prior=prior)[0][n] <= SAME_STEP}
        right, steps = slopes(None, given, prior=asked)
        there = slopes(r, given, steps, prior=prior, jacobian=jacobian)[0]
        return {n for n in names if there[n] <= max(slips.NAMED * right[n], SAME_STEP)}

    old, asked = before, float(prior)
    return slips.Place(
        before,
        expected.best(found, before, prior=asked) if found is not None else before,
        None if own or latent is None else found,
        None if own or latent is None else latent.responsibilities(before, weighted=False),
        rests,
        {block.name: block.kind for block in problem.space.blocks},
        prior,
    )


def _finding(
    step: str, name: str, size: float, place: slips.Place, given: Any, problem: PairProblem, e_step_right: bool
) -> Finding:
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
    if not e_step_right:
        step = "step"
    for where, slip, explained in slips.of_parameters(place, given):
        if name in explained:
            return Finding(step if e_step_right else where, name, size, told, slip)
    return Finding(step, name, size, told, "")


def _shown(values: Floats) -> str:
    return np.array2string(np.asarray(values), precision=5, separator=", ", threshold=6)
