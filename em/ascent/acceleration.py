"""Steps beyond the next EM step: by Newton's method, or guessed from the last steps by SQUAREM and Anderson's method.

Each is a guess. It is taken only where the objective does not fall, and one by SQUAREM or Anderson's method only where it rises
by what the next EM step would gain, as the last two let expect; where it does not, that step is made. After a refusal these make
more and more plain steps before the next guess, so that a problem on which guesses fail costs next to nothing more than EM.

All work on the full vector of parameters, in the directions that its linear constraints leave.

Newton's method: Louis (1982), JRSS B 44, 226, section 5, with the direction of each rate by itself. SQUAREM: Varadhan & Roland
(2008), Scandinavian Journal of Statistics 35, 335, scheme S3. Anderson: Walker & Ni (2011), SIAM Journal on Numerical Analysis
49, 1715; for EM, Henderson & Varadhan (2019), Journal of Computational and Graphical Statistics 28, 834; with plain steps between
two guesses, after Pratapa, Suryanarayana & Pask (2016), Journal of Computational Physics 306, 43. Guesses of Anderson's method at
every step took twice as many evaluations on poorly separated normals.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Literal, Protocol

import numpy as np

from em.ascent.arrival import MOST_PARAMETERS
from em.mixture import Mixture
from models.inputs import Floats

type Acceleration = Literal["auto", "newton", "squarem", "anderson"] | None

# Plain steps before a run is accelerated by leaps: enough to choose the basin that plain EM would go to.
PLAIN_STEPS = 30
# Distinct rows from which "auto" accelerates. Below, a run is short in time and its path that of plain EM.
MANY_ROWS = 1000
# Plain steps before the next guess, at most, however many were refused.
LONGEST_PAUSE = 15
# Steps that Anderson's method remembers; plain ones between two of its guesses, and at most after refusals: where all its guesses
# fail it takes a tenth more evaluations than EM.
DEPTH, BETWEEN, LONGEST_BETWEEN = 10, 2, 9
# Newton's method: by how much an EM step is made longer at first and at most, by what that changes, guesses from one look
# at the information, and guesses after which it has to have halved the EM step; E-steps that such a look may cost.
FIRST_FACTOR, LARGEST_FACTOR, FACTOR, USES, STALLED, MOST_INFORMATION_STEPS = 4.0, 1e8, 4.0, 2, 10, 8.0
# Relative size of a direction of the remembered steps that is taken for rounding.
DEPENDENT = 1e-10


class Extrapolation(Protocol):
    """Guesses from the steps of one run.

    Attributes
    ----------
    demanding : whether a guess has to gain what the next EM step would, and not only not to lose
    looks : passes over the rows that were made for guesses
    """

    demanding: bool
    looks: int

    def beyond(self, point: Floats, following: Floats) -> Floats | None:
        """A full vector beyond the EM step from ``point`` to ``following``; None for the step itself."""

    def learn(self, *, taken: bool) -> None:
        """Whether the last guess was taken."""


class Plain:
    """No guesses."""

    demanding, looks = True, 0

    def beyond(self, point: Floats, following: Floats) -> Floats | None:
        return None

    def learn(self, *, taken: bool) -> None:
        return None


class Squarem:
    """From two EM steps, the second of which need not be evaluated."""

    demanding, looks = True, 0

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

    demanding, looks = True, 0

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


class Newton:
    """Newton's method for the fixed point of EM, of which the linear map is computed at every second step.

    In the directions that the map keeps apart an EM step is so much too short as its rate says, 1 / (1 - rate) times, and is
    made longer by no more than a factor that grows while guesses are taken and shrinks where they are not. The information
    that decides the rates is never negative, whether the point is near a maximum or not.
    """

    demanding = False

    def __init__(self, mixture: Mixture[Any, Any], *, settled: bool) -> None:
        self.mixture = mixture
        self.into_free = np.linalg.pinv(mixture.basis)
        self.longest, self.waiting = FIRST_FACTOR, 1 if settled else PLAIN_STEPS
        self.known: tuple[Floats, Floats, Floats] | None = None
        self.looks = self.uses = 0
        # The shortest EM step so far, guesses since there was one half as long, and the plain steps that are made in want of it.
        self.shortest, self.since, self.pause = np.inf, 0, 0

    def beyond(self, point: Floats, following: Floats) -> Floats | None:
        if self.waiting:
            self.waiting -= 1
            return None
        if self.known is None or self.uses == USES:
            self.known, self.uses = self._rates(point), 0
            self.looks += 1
        if self.known is None:
            self.waiting = LONGEST_PAUSE
            return None
        self.uses += 1
        left, directions, from_free = self.known
        step = from_free @ (following - point)
        if self._stalls(float(np.linalg.norm(step))):
            return None
        return np.asarray(point + directions @ (step / np.maximum(left, 1 / self.longest)))

    def _stalls(self, length: float) -> bool:
        """Whether EM's own step, of this length in complete-data standard errors, shrinks no more from guess to guess.

        Then guesses wander within the rounding of the objective, and ever more plain steps are made, which do arrive.
        """
        self.since += 1
        if length < 0.5 * self.shortest:
            self.shortest, self.since, self.pause = length, 0, 0
        if self.since < STALLED:
            return False
        self.since, self.pause = 0, 2 * self.pause + 1
        self.waiting, self.known = self.pause, None
        return True

    def _rates(self, point: Floats) -> tuple[Floats, Floats, Floats] | None:
        """``(f,)`` 1 - rate, ``(p, f)`` directions of unit complete-data information, and ``(f, p)`` steps in them."""
        mixture = self.mixture
        parameters = mixture.from_vector(point)
        try:
            with np.errstate(divide="raise", invalid="raise"):
                complete, missing = mixture.summed(partial(_informations, parameters=parameters))
                complete = mixture.basis.T @ (complete + mixture.prior_information(parameters)) @ mixture.basis
                scale = 1 / np.sqrt(np.diag(complete))
                root = np.linalg.cholesky(complete * scale * scale[:, None])
                turn = np.linalg.solve(root, np.diag(scale))
                rates, vectors = np.linalg.eigh(turn @ (mixture.basis.T @ missing @ mixture.basis) @ turn.T)
        except (FloatingPointError, np.linalg.LinAlgError):  # a component is empty, or about to collapse
            return None
        return 1 - rates, mixture.basis @ turn.T @ vectors, vectors.T @ np.linalg.inv(turn).T @ self.into_free

    def learn(self, *, taken: bool) -> None:
        self.longest = min(FACTOR * self.longest, LARGEST_FACTOR) if taken else max(self.longest / FACTOR, 1.0)
        if not taken:
            self.known = None
            if self.longest == 1.0:  # no better than EM here, for the time being
                self.longest, self.waiting = FIRST_FACTOR, LONGEST_PAUSE


def fastest(mixture: Mixture[Any, Any]) -> Literal["newton", "anderson"]:
    """Newton's method where a look at the information costs few E-steps."""
    cheap = mixture.n_parameters <= MOST_PARAMETERS and mixture.information_steps <= MOST_INFORMATION_STEPS
    return "newton" if cheap else "anderson"


def _informations(mixture: Mixture[Any, Any], parameters: Any) -> Floats:
    return mixture.informations(parameters)


def extrapolation(acceleration: Acceleration, mixture: Mixture[Any, Any], *, settled: bool) -> Extrapolation:
    """What an argument ``acceleration`` means for the mixture; ``settled``: the start is in the basin where EM would go."""
    if acceleration == "auto":
        acceleration = fastest(mixture) if len(mixture.counts) >= MANY_ROWS else None
    if acceleration is None:
        return Plain()
    if acceleration == "newton":
        return Newton(mixture, settled=settled)
    return Squarem() if acceleration == "squarem" else Anderson()
