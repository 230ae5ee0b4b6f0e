"""Slips that people make in an M-step or E-step, each with what it would return.

A slip is named only where it returns what the step did return at every point that was tried, far closer than what is right.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from models.inputs import Floats, Integers

# Share of what a step is off by which a slip may miss what it returned.
NAMED = 1e-3
# Components of which every order is tried; of more only those that exchange two.
FEW = 4

type Values = dict[str, Floats]
type Chances = tuple[str, Callable[[Place], Floats]]


@dataclass(frozen=True, eq=False)
class Place:
    """One step from one point.

    Attributes
    ----------
    before, given : parameters before the step, and as the step returned them
    off : names of those that are not where they should be
    best : gives the parameters after the step if it is right
    r : ``(n, K)`` responsibilities; None where the complete-data log density is the pair's own
    unweighted : the same as if all weights were equal
    rests : of responsibilities ``(n, K)``, whether each parameter that the step returned, by name, is where the expected
        complete-data log density is largest, with a multiple of the log prior and of the log Jacobian of unbounded coordinates
        added, and the other parameters as they were ``before`` the step or as returned
    kinds : domain of each parameter, as in `em.derived.coordinates.Block`
    prior : whether the prior is part of the step
    """

    before: Values
    given: Values
    off: set[str]
    best: Callable[[], Values]
    r: Floats | None
    unweighted: Floats | None
    rests: Callable[..., set[str]]
    kinds: dict[str, str]
    prior: bool

    @cached_property
    def right(self) -> Values:
        """The parameters after the step if it is right."""
        return self.best()


@dataclass(frozen=True, slots=True)
class Slip:
    """One slip: the step that it is in, in words, and the parameters that it would have returned as the step did."""

    step: str
    told: str
    explains: Callable[[Place], set[str]]


def guesses(places: Sequence[Place], names: set[str]) -> dict[str, list[Slip]]:
    """By parameter the slips that return it as the step did at every place, at one of which at least it is off."""
    found: dict[str, list[Slip]] = {name: [] for name in names}
    names = names & set().union(*(place.off for place in places))
    for slip in of_parameters(places[0]) if names else ():
        left = set(names)
        for place in places:
            left &= slip.explains(place)
            if not left:
                break
        for name in left:
            found[name].append(slip)
    return found


def orders(k: int) -> list[Integers]:
    """Other orders ``(k,)`` of so many components."""
    if k <= FEW:
        return [np.array(order) for order in itertools.permutations(range(k))][1:]
    exchanged = [np.arange(k) for _ in range(k * (k - 1) // 2)]
    for order, pair in zip(exchanged, itertools.combinations(range(k), 2), strict=True):
        order[list(pair)] = pair[::-1]
    return exchanged


def of_e_step(place: Place) -> Iterator[Chances]:
    """Slips of an E-step, each with the responsibilities that it makes at a place."""
    if place.r is None or place.unweighted is None:
        return
    k = place.r.shape[1]
    yield "the weights are forgotten in the E-step", lambda at: _known(at.unweighted)
    yield "hard assignment: each row goes whole to its likeliest component", _hard
    for by in (1, -1):
        yield "responsibilities belong to another row", partial(_rolled, by=by)
    for order in orders(k):
        yield "components are exchanged, or one gets what is another's", partial(_ordered, order=order)
    for row, word in ((0, "first"), (-1, "last")):
        yield f"the {word} row is left out", partial(_without, row=row)
    for of in ("", "distinct "):
        for word in ("last", "first"):
            yield f"the {word} half of the {of}rows is left out", partial(_without_half, which=word, distinct=bool(of))
    yield "rows that are alike count once", lambda at: _known(at.r) / _distinct(at)[1][:, None]


def of_parameters(first: Place) -> Iterator[Slip]:
    """Every slip that can be made where such a step is made."""
    for told, chances in of_e_step(first):
        yield Slip("E-step", told, partial(_rests, chances=chances))
    if first.prior:
        yield Slip("M-step", "the prior is left out", lambda at: at.rests(at.r, prior=0.0))
        yield Slip("M-step", "the prior is counted twice", lambda at: at.rests(at.r, prior=2.0))
    else:
        told = "the prior is counted, though the step is to maximise the likelihood"
        yield Slip("M-step", told, lambda at: at.rests(at.r, prior=1.0))
    for told, values in _changed(first):
        yield Slip("M-step", told, partial(_alike, values=values))
    told = "the mode is that on an unbounded scale, or a count of the prior is one too many"
    yield Slip("M-step", told, lambda at: at.rests(at.r, jacobian=1.0))
    yield Slip("M-step", "a count of the prior is one too few", lambda at: at.rests(at.r, jacobian=-1.0))
    if len(first.given) > 1:
        yield Slip("M-step", "old values of the other parameters are used", lambda at: at.rests(at.r, before=True))


def same(told: Floats, returned: Floats, right: Floats, least: float = 0.0) -> bool:
    """Whether a slip misses what was returned by no more than a share of how far that is off, or than ``least``."""
    if np.shape(told) != np.shape(returned):
        return False
    miss, off = np.abs(told - returned).max(initial=0.0), np.abs(returned - right).max(initial=0.0)
    return bool(miss <= max(NAMED * off, least))


def _rests(place: Place, chances: Callable[[Place], Floats]) -> set[str]:
    """Parameters that the step returned as an M-step does that is right but for its responsibilities."""
    return place.rests(chances(place))


def _alike(place: Place, values: Callable[[Place], Values]) -> set[str]:
    """Parameters that the step returned so."""
    given, right = place.given, place.right
    # What is not off says little: a slip may not be seen there either.
    least = {name: 0.0 if name in place.off else 1e-6 * float(np.abs(v).max(initial=0.0)) for name, v in given.items()}
    return {name for name, value in values(place).items() if same(value, given[name], right[name], least[name])}


def _changed(first: Place) -> Iterator[tuple[str, Callable[[Place], Values]]]:
    """Parameters that are right but for their order, a power or a factor."""

    def above(at: Place) -> Values:
        return {n: np.abs(v) for n, v in at.right.items() if at.kinds[n] in ("log", "logit", "identity")}

    yield (
        "the root is taken, such as a standard deviation for a variance",
        lambda at: {n: np.sqrt(v) for n, v in above(at).items()},
    )
    yield (
        "the root is forgotten, such as a variance for a standard deviation",
        lambda at: {n: v**2 for n, v in above(at).items()},
    )
    yield "it is not updated", lambda at: at.before
    if first.r is None:
        return
    (n, k), total = first.r.shape, float(first.r.sum())
    for order in orders(k):
        yield "its components are exchanged, or one gets what is another's", partial(_by_component, order=order)
    factors: dict[str, Callable[[Floats], Floats]] = {
        "it is divided by n in place of n_k": lambda sizes: sizes / n,
        "it is divided by n_k - 1 in place of n_k": lambda sizes: sizes / (sizes - 1),
        "it is divided by n_k + 1 in place of n_k": lambda sizes: sizes / (sizes + 1),
    }
    for power, of in ((1.0, ""), (0.5, ", under the root")):
        for told, factor in factors.items():
            yield told + of, partial(_scaled, factors=factor, power=power)
        for told, by in (("n - K", total - k), ("n - 1", total - 1), ("n + 1", total + 1)):
            if by > 0:
                yield f"it is divided by {told} in place of n{of}", partial(_shared, factor=(total / by) ** power)
    yield "it is not divided by n_k", partial(_scaled, factors=lambda sizes: sizes)


def _by_component(place: Place, order: Any = slice(None)) -> Values:
    """Right parameters that have a value for each component, in an order of these."""
    k = _known(place.r).shape[1]
    return {name: v[order] for name, v in place.right.items() if v.shape[:1] == (k,)}


def _shared(place: Place, factor: float) -> Values:
    """Right parameters that all components share, times a factor."""
    k = _known(place.r).shape[1]
    return {n: v * factor for n, v in place.right.items() if v.shape[:1] != (k,) and place.kinds[n] == "log"}


def _scaled(place: Place, factors: Callable[[Floats], Floats], power: float = 1.0) -> Values:
    """Those that are no shares, times a factor by the components' sizes."""
    by = factors(_known(place.r).sum(axis=0)) ** power
    fitting = {name: v for name, v in _by_component(place).items() if place.kinds[name] != "simplex"}
    return {name: v * by.reshape(-1, *[1] * (v.ndim - 1)) for name, v in fitting.items()}


def _known(r: Floats | None) -> Floats:
    """Responsibilities, where such slips are tried."""
    assert r is not None
    return r


def _hard(place: Place) -> Floats:
    r = _known(place.r)
    return np.eye(r.shape[1])[r.argmax(axis=1)]


def _rolled(place: Place, by: int) -> Floats:
    return np.roll(_known(place.r), by, axis=0)


def _ordered(place: Place, order: Integers) -> Floats:
    return _known(place.r)[:, order]


def _without(place: Place, row: int) -> Floats:
    left = np.array(_known(place.r))
    left[row] = 0.0
    return left


def _without_half(place: Place, which: str, distinct: bool) -> Floats:
    r = _known(place.r)
    numbers, total = (
        (np.arange(len(r)), len(r)) if not distinct else (_distinct(place)[0], _distinct(place)[0].max() + 1)
    )
    left_out = numbers >= (total + 1) // 2 if which == "last" else numbers < total // 2
    return np.where(left_out[:, None], 0.0, r)


def _distinct(place: Place) -> tuple[Integers, Integers]:
    """``(n,)`` number of each row among those that differ, in their order, and how often it is there.

    An EM may count rows that are alike, and drop half of those that are not.
    """
    _, first, alike, counts = np.unique(
        _known(place.r), axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    return np.argsort(np.argsort(first))[alike.ravel()], counts[alike.ravel()]
