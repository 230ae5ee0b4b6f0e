"""What a planted fault is: where it is at work, who may be named for it, and whether it changed anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal
from unittest.mock import patch

import numpy as np

import em.ascent.climb
import em.elementwise
import em.gaussians.fit
from comparisons.checks.best_mode import objective
from comparisons.families.mixtures import MixtureProblem
from comparisons.problem import em_densities
from comparisons.results.result import Engine
from em.fit import fit_mixture

# A fault in EM changes nothing where both of its estimates are as high as the sound ones to a thousandth of a standard
# error (half its square in nats), which is what "stationary" lets pass, and report their own log-likelihood.
SAME_HEIGHT = 5e-7
MOST_STEPS = 600


@dataclass(slots=True)
class Plant:
    """What a planted fault notes of itself while it is at work.

    Attributes
    ----------
    active : whether it has had any effect that can be seen without the checks, None where it is not for it to say
    """

    active: bool | None = None


type Planting = Callable[[MixtureProblem, Plant], list[Any]]


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Attributes
    ----------
    engines : who may be named for it
    kind : whether its effect is the same in any data, or depends on draws
    settings : where it is planted
    words : what is wrong
    patches : what to replace, given the problem and the note of its effects
    own_graph : whether it changes the graph that PyMC compiles
    shared : whether it breaks what both engines share, at work before the rows are counted
    guarded : whether EM's guard against a falling objective stays on
    undecided : whether no conclusion, with one of ``engines`` named, is an answer to it; with none to be named, any is
    size : of a fault on a detection curve, which is all faults of one ``curve``; 0 of others
    """

    name: str
    engines: tuple[Engine, ...]
    kind: Literal["deterministic", "statistical"]
    settings: tuple[str, ...]
    words: str
    patches: Planting = field(repr=False)
    own_graph: bool = False
    shared: bool = False
    guarded: bool = False
    undecided: bool = False
    curve: str = ""
    size: float = 0.0

    @property
    def in_em(self) -> bool:
        """Whether EM is what is broken."""
        return self.engines[:1] == ("em",)

    @contextmanager
    def planted(self, problem: MixtureProblem) -> Iterator[Plant]:
        """Break what the fault breaks for as long as the block lasts."""
        plant = Plant()
        with ExitStack() as stack:
            for replaced in self.patches(problem, plant):
                stack.enter_context(replaced)
            if self.in_em and not self.guarded:
                stack.enter_context(patch.object(em.ascent.climb, "ROUNDING", np.inf))
                # Broken steps may go round for ever.
                bounded = partial(fit_mixture, max_iterations=MOST_STEPS)
                for family in (em.elementwise, em.gaussians.fit):
                    stack.enter_context(patch.object(family, "fit_mixture", bounded))
            yield plant

    def estimates(self, problem: MixtureProblem, seed: int) -> list[Any]:
        """Both estimates of EM as a judgement asks for them, for a fault in EM; none for others."""
        if not self.in_em or self.guarded:
            return []
        return [problem.fit(None, seed=seed, path=True), problem.fit(problem.prior, seed=seed)]

    def changed(self, problem: MixtureProblem, broken: list[Any], plant: Plant, seed: int) -> bool:
        """Whether the fault changes the answer in these data, by a rule that knows nothing of the checks' outcomes."""
        if plant.active is not None or not broken:
            return plant.active is not False
        return _em_is_off(problem, broken, self.estimates(problem, seed))


def _em_is_off(problem: MixtureProblem, broken: list[Any], sound: list[Any]) -> bool:
    """Whether either estimate or a reported height is not what sound EM gives, judged by the sound densities."""
    gaps = []
    for ill, well in zip(broken, sound, strict=True):
        parts = 1 if ill.log_posterior is None else 2
        heights = [sum(em_densities(problem, f.parameters)[:parts]) for f in (ill, well)]
        gaps += [heights[1] - heights[0], objective(ill) - heights[0]]
    return any(not abs(gap) <= SAME_HEIGHT for gap in gaps)
