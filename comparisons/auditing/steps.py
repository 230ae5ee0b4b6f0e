"""Every step of a pair's EM tried at random points and along its own path, from the complete-data log density."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from comparisons.auditing import tried
from comparisons.auditing.ending import MOST_STEPS, ended, in_domain
from comparisons.auditing.expected import Expected
from comparisons.auditing.latent import latent_of
from comparisons.auditing.record import Audit, Finding
from comparisons.auditing.tried import SAME_DENSITY
from comparisons.pair import Values
from comparisons.pairs.ascent import Run, further, run, where_lost
from comparisons.pairs.problem import PairProblem
from em import ObjectiveDecreased
from em.derived.coordinates import INSIDE

# Random points, and points of EM's own path, at which steps are tried.
RANDOM, OF_PATH, STEPS = 5, 4, 20


# Far from the data functions under- and overflow, and a slip may be no number.
@np.errstate(all="ignore")
def audited(problem: PairProblem, seed: int) -> Audit:
    """Try every step of a pair's EM; see `comparisons.audit`."""
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
    began = None
    for prior in (False, True) if problem.pair.knows_prior else (False,):
        if exact:
            findings += tried.findings(expected, _points(problem, seed, prior), prior, looked)
        runs = _runs(problem, seed, prior, looked)
        findings += [runs] if isinstance(runs, Finding) else _astray(problem, runs, prior, looked, exact, not findings)
        if not prior and not isinstance(runs, Finding):
            began = next((each for each in runs if not each.lost), None)
    if not findings:
        findings += ended(problem, began, seed, looked, not_looked)
    if not problem.pair.knows_prior:
        not_looked.append("a step for the posterior mode: the pair's step takes no argument prior")
    return Audit(problem.pair.name, findings, looked, not_looked, exact)


def _densities(problem: PairProblem, seed: int, looked: list[str]) -> Iterator[Finding]:
    """EM's densities beside the program's, up to a constant."""
    looked.append("log-likelihood and log prior beside the program's, up to a constant")
    points = _random(problem, seed)
    told = np.array([problem.of_program(point) for point in points])
    for place, (which, mine, constant) in enumerate(
        zip(
            ("log_likelihood", "log_prior"), (problem.log_likelihood, problem.log_prior), problem.constants, strict=True
        )
    ):
        if which == "log_prior" and "log_prior" not in problem.functions:
            continue
        heights = np.stack([[mine(point) for point in points], told[:, place]], axis=1)
        off = heights[:, 0] - heights[:, 1]
        spread = float(np.ptp(off))
        if not spread <= SAME_DENSITY * max(1.0, float(np.abs(heights).max())):
            apart = f"it is not the program's: they differ by {min(off):.5g} to {max(off):.5g} nats"
            yield Finding("objective", which, spread, apart, "")
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


def _runs(problem: PairProblem, seed: int, prior: bool, looked: list[str]) -> list[Run] | Finding:
    """EM from every start, each with its share of the steps, and the first that is not lost with all: nothing may be lowered."""
    of = _objective(prior)
    looked.append(f"that the {of} rises along EM's path")
    objective = in_domain(problem, prior=prior)
    starts = [start for start in problem.starts(seed) if np.isfinite(objective.height(start))]
    runs: list[Run] = []
    try:
        for start in starts:
            runs.append(run(objective, start, MOST_STEPS // len(starts)))
        first = next((place for place, each in enumerate(runs) if not each.lost), None)
        if first is not None and not prior:
            runs[first] = further(objective, runs[first], MOST_STEPS)
    except ObjectiveDecreased as error:
        told = f"step {error.step} lowers the {of} by {error.loss:.3g} nats, which no right step does"
        return Finding("objective", "", error.loss, told, "")
    return runs


def _objective(prior: bool) -> str:
    return "log posterior" if prior else "log-likelihood"


def _astray(
    problem: PairProblem, runs: list[Run], prior: bool, looked: list[str], exact: bool, right: bool
) -> Iterator[Finding]:
    """Runs that come to where nothing is a number; where every step was seen to be ``right`` none that is lost was wrong."""
    astray, of = [each for each in runs if each.lost], _objective(prior)
    if astray and len(astray) == len(runs) and not (exact and right):
        # Where steps could not be tried one by one.
        left = None if exact else tried.stepped(problem, astray[0].path[-1], prior)[0]
        step, name = left or ("objective", "")
        yield Finding(step, name, float("nan"), where_lost(astray), "")
    elif astray:
        looked.append(
            f"{len(astray)} of {len(runs)} starts are left out: EM comes to where the {of} is no number, at "
            f"{max(each.trace[-1] for each in astray):.6g} nats before it. Where the likelihood has no bound that is no fault"
        )
