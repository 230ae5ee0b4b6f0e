"""Steps beyond the next EM step, guessed from the last ones: SQUAREM and Anderson's method.

An extrapolation is a guess. It is taken only where the objective rises by what the next EM step would gain, as the last two
let expect, so that every accelerated run rises as EM does; where it does not, that step is made. After a refusal more and more
plain steps are made before the next guess, so that a problem on which guesses fail costs next to nothing more than EM.

Both work on the full vector of parameters: a combination whose factors sum to 1 keeps every linear constraint.

SQUAREM: Varadhan & Roland (2008), Scandinavian Journal of Statistics 35, 335, scheme S3. Anderson: Walker & Ni (2011),
SIAM Journal on Numerical Analysis 49, 1715; for EM, Henderson & Varadhan (2019), Journal of Computational and Graphical
Statistics 28, 834; with plain steps between two guesses, after Pratapa, Suryanarayana & Pask (2016), Journal of Computational
Physics 306, 43. Guesses at every step took twice as many evaluations on poorly separated normals.
"""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np

from models.inputs import Floats

type Acceleration = Literal["auto", "squarem", "anderson"] | None

# Distinct rows from which "auto" accelerates. Below, a run is short in time and its path that of plain EM.
MANY_ROWS = 1000
# Plain steps before the next guess, at most, however many were refused.
LONGEST_PAUSE = 15
# Steps that Anderson's method remembers; plain ones between two of its guesses, and at most after refusals: where all its guesses
# fail it takes a tenth more evaluations than EM.
DEPTH, BETWEEN, LONGEST_BETWEEN = 10, 2, 9
# Relative size of a direction of the remembered steps that is taken for rounding.
DEPENDENT = 1e-10


class Extrapolation(Protocol):
    """Guesses from the steps of one run."""

    def beyond(self, point: Floats, following: Floats) -> Floats | None:
        """A full vector beyond the EM step from ``point`` to ``following``; None for the step itself."""

    def learn(self, *, taken: bool) -> None:
        """Whether the last guess was taken."""


class Plain:
    """No guesses."""

    def beyond(self, point: Floats, following: Floats) -> Floats | None:
        return None

    def learn(self, *, taken: bool) -> None:
        return None


class Squarem:
    """From two EM steps, the second of which need not be evaluated."""

    def __init__(self) -> None:
        self.before: Floats | None = None
        self.waiting = self.pause = 0

    def beyond(self, point: Floats, following: Floats) -> Floats | None:
        if self.waiting:
            self.waiting -= 1
            return None
        before, self.before = self.before, point
        return None if before is None else squared(before, point, following)

    def learn(self, *, taken: bool) -> None:
        self.before = None
        self.waiting = self.pause = 0 if taken else min(2 * self.pause + 1, LONGEST_PAUSE)


def squared(first: Floats, second: Floats, third: Floats) -> Floats | None:
    """The squared extrapolation of two steps; None where it would not lead beyond the second."""
    step = second - first
    bend = (third - second) - step
    size = np.linalg.norm(bend)
    length = np.linalg.norm(step) / size if size > 0 else 0.0
    return None if length <= 1 else first + 2 * length * step + length**2 * bend


class Anderson:
    """At every third step, the combination of the last ones whose next step would be shortest, were EM linear."""

    def __init__(self) -> None:
        self.points: list[Floats] = []
        self.steps: list[Floats] = []
        self.pause, self.waiting = 0, 1

    def beyond(self, point: Floats, following: Floats) -> Floats | None:
        self.points = [*self.points[-DEPTH:], point]
        self.steps = [*self.steps[-DEPTH:], following - point]
        if self.waiting:
            self.waiting -= 1
            return None
        bends = np.diff(self.steps, axis=0).T
        sizes = np.linalg.norm(bends, axis=0)
        if not sizes.all():
            return None
        factors = np.linalg.lstsq(bends / sizes, self.steps[-1], rcond=DEPENDENT)[0] / sizes
        return np.asarray(following - (np.diff(self.points, axis=0).T + bends) @ factors)

    def learn(self, *, taken: bool) -> None:
        if not taken:
            self.points, self.steps = [], []
        self.pause = 0 if taken else min(2 * self.pause + 1, LONGEST_BETWEEN - BETWEEN)
        self.waiting = BETWEEN + self.pause


def extrapolation(acceleration: Acceleration, distinct_rows: int) -> Extrapolation:
    """What an argument ``acceleration`` means for so many distinct rows."""
    if acceleration == "auto":
        acceleration = "anderson" if distinct_rows >= MANY_ROWS else None
    if acceleration is None:
        return Plain()
    return Squarem() if acceleration == "squarem" else Anderson()
