"""Components that can change places: how parameters change with them, in which order they are read, found by trying."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, islice
from typing import Any

import numpy as np

from em.derived.coordinates import Block, Coordinates
from em.derived.densities import Values
from em.derived.steps import Steps
from models.inputs import Floats, Integers

# Random points at which densities have to be the same, and the relative difference that is rounding.
POINTS, SAME = 3, 1e-11
# Difference of slopes, relative to the largest, that is no rounding.
EQUAL = 1e-6
# Ways of changing places that are tried for a number of components, those of most parameters first.
TRIED = 1000


@dataclass(frozen=True, slots=True)
class Part:
    """What of the parameters belongs to components, one after the other: entries along axes of one, or parameters as a whole.

    Attributes
    ----------
    names : of one parameter, or of as many as there are components
    axes : along which the components are; of transitions from one to the other both. Empty where names are the components'
    mirrored : whether a number ``x`` between ``low`` and ``high`` changes to ``low + high - x`` with it
    """

    names: tuple[str, ...]
    axes: tuple[int, ...] = ()
    mirrored: bool = False


@dataclass(frozen=True)
class Exchange:
    """How parameters change where components change places, and the order in which they are read.

    Attributes
    ----------
    space : the parameters
    parts : components ascend in the first number of the first part; of one that is mirrored too, the two numbers are together at
        least as large as mirrored. Empty where no components can change places
    alone : names of what is mirrored alone where two components change places, as the probability of the second
    """

    space: Coordinates
    parts: tuple[Part, ...] = ()
    alone: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Of the parameters that change; the one to order by first."""
        return (*(name for part in self.parts for name in part.names), *self.alone)

    @cached_property
    def components(self) -> int:
        """How many can change places; 0 for none."""
        if not self.parts:
            return 2 if self.alone else 0
        return len(self._slots[0])

    @property
    def told(self) -> str:
        """The order, in words; empty where there is none."""
        if not self.components:
            return ""
        if not self.parts:
            return f"{self.alone[0]} is at most {self._ends[np.isfinite(self._ends)][0] / 2:g}"
        part = self.parts[0]
        several = len(self.space.shapes[part.names[0]]) > len(part.axes)
        if part.mirrored:
            ends = self._ends[self._slots[0].flat[0]]
            of = f"{'first ' * several}numbers of "
            names = " and ".join(part.names)
            one = f"the two {of}{names}" if part.axes else f"the {of}{names}" if several else names
            return f"{one} are together at least {ends:g}"
        first = "the first number of " if several else ""
        return f"{first}{part.names[0]} ascends" if part.axes else " <= ".join(first + name for name in part.names)

    @cached_property
    def _slots(self) -> list[Integers]:
        """Of each part ``(K, m)`` where the numbers of each component stand in the full vector; of two axes ``(K, K, m)``."""
        numbers = self.space.by_name(np.arange(float(sum(b.size for b in self.space.blocks))))
        found = []
        for part in self.parts:
            whole = np.stack([numbers[name] for name in part.names]) if not part.axes else numbers[part.names[0]]
            axes = part.axes or (0,)
            turned = np.moveaxis(whole, axes, range(len(axes)))
            found.append(turned.reshape((*turned.shape[: len(axes)], -1)).astype(int))
        return found

    @cached_property
    def _ends(self) -> Floats:
        """``(p,)`` of a number that is mirrored the sum of its bounds; NaN else."""
        mirrored = {*self.alone, *(name for part in self.parts if part.mirrored for name in part.names)}
        return np.concatenate(
            [np.full(b.size, b.low + b.high if b.name in mirrored else np.nan) for b in self.space.blocks]
        )

    def order(self, values: Mapping[str, Any]) -> Integers:
        """``(..., K)`` places of the components in the order in which they are read."""
        x, (ends, k) = self._vector(values), (self._ends, self.components)
        if not k:
            return np.zeros((*x.shape[:-1], 0), dtype=int)
        if not self.parts:
            first = int(np.flatnonzero(np.isfinite(ends))[0])
            keys = np.stack([x[..., first], ends[first] - x[..., first]], axis=-1)
        else:
            slots = self._slots[0].reshape(k, -1)[:, 0]
            keys = x[..., slots]
            if self.parts[0].mirrored:
                keys = np.stack([ends[slots[0]] - keys[..., 1], keys[..., 0]], axis=-1)
        return np.argsort(keys, axis=-1, kind="stable")

    def places(self, order: Integers) -> Integers:
        """``(..., p)`` where each number is taken from where components are read in an order ``(..., K)``."""
        lead = order.shape[:-1]
        found = np.broadcast_to(np.arange(len(self._ends)), (*lead, len(self._ends))).copy()
        for slots in self._slots:
            taken = slots[order] if slots.ndim == 2 else slots[order[..., :, None], order[..., None, :]]
            found[..., slots.ravel()] = taken.reshape((*lead, slots.size))
        return found

    def signs(self, order: Integers) -> Floats:
        """``(..., p)`` 1, or -1 of numbers that are mirrored in that order."""
        swapped = (
            (order[..., :1] != 0) & np.isfinite(self._ends) if self.components else np.zeros(len(self._ends), bool)
        )
        return np.where(swapped, -1.0, 1.0)

    def permuted(self, values: Mapping[str, Any], order: Integers) -> Values:
        """Parameters ``(..., *shape)`` with the components read in an order ``(..., K)``, or ``(K,)`` for all."""
        found = {name: np.asarray(each) for name, each in values.items()}
        if not self.components:
            return found
        x = self._vector(found)
        order = np.broadcast_to(order, (*x.shape[:-1], self.components))
        x = np.take_along_axis(x, self.places(order), axis=-1)
        x = np.where(self.signs(order) < 0, self._ends - x, x)
        parts = np.split(x, np.cumsum([b.size for b in self.space.blocks])[:-1], axis=-1)
        changed = {
            b.name: part.reshape((*x.shape[:-1], *b.shape)) for b, part in zip(self.space.blocks, parts, strict=True)
        }
        return found | {name: changed[name] for name in self.names}

    def in_order(self, values: Mapping[str, Any]) -> Values:
        """Parameters ``(..., *shape)`` with their components in order."""
        return self.permuted(values, self.order(values))

    def _vector(self, values: Mapping[str, Any]) -> Floats:
        """``(..., p)`` all numbers of parameters ``(..., *shape)``."""
        each = [(np.asarray(values[b.name], dtype=float), b) for b in self.space.blocks]
        return np.concatenate([v.reshape((*v.shape[: v.ndim - len(b.shape)], b.size)) for v, b in each], axis=-1)


def exchange_of(steps: Steps) -> Exchange:
    """How components of a program can change places, likelihood and prior each the same; of most parameters together.

    Components are looked for along the axes of parameters and in parameters of one shape and domain; of two also in
    probabilities that change to 1 - p, as that of a `pm.Bernoulli`.
    """
    space = steps.densities.space
    random = np.random.default_rng(2)
    points = [space.values(0.5 * random.normal(size=space.size)) for _ in range(POINTS)]
    here = [steps.at(values) for values in points]
    slopes = _slopes(steps)
    sizes = {
        2,
        *(n for b in space.blocks for n in b.shape),
        *(sum(alike(a, b) for b in space.blocks) for a in space.blocks),
    }
    for k in sorted(sizes - {0, 1}, reverse=True):
        ways = islice(_ways(space.blocks, k, slopes), TRIED)
        for parts in sorted(ways, key=lambda way: -sum(len(part.names) for part in way)):
            exchange = _exchange(space, parts)
            if exchange.names and all(
                _same(steps, exchange, values, point) for values, point in zip(points, here, strict=True)
            ):
                return exchange
    return Exchange(space)


def _slopes(steps: Steps) -> Values:
    """The gradient of the log posterior where all that could change places is equal, in units in which it is told from rounding.

    No exchange moves that point, so that it leaves the gradient alone as well: what changes places has equal slopes, and what is
    mirrored opposite ones.
    """
    space = steps.densities.space
    values = {b.name: np.full(b.shape, _middle(b)) for b in space.blocks}
    gradient = steps.densities.at(values, steps.at(values).shares, prior=True).gradient
    return space.by_name(gradient / max(1.0, float(np.abs(gradient).max())))


def _middle(block: Block) -> float:
    """A number of its domain, in a share of 1 the middle."""
    if block.kind == "simplex":
        return 1 / block.shape[-1]
    if block.kind == "logit":
        return (block.low + block.high) / 2
    return block.low + 1.0 if block.kind == "log" else 0.3


def _ways(blocks: Sequence[Block], k: int, slopes: Values) -> Iterator[tuple[Part, ...]]:
    """Parts that every parameter may have in an exchange of ``k`` components, and none."""
    if not blocks:
        yield ()
        return
    block, others = blocks[0], blocks[1:]
    for part in _parts(block, others, k, slopes):
        yield from ((part, *rest) for rest in _ways([b for b in others if b.name not in part.names], k, slopes))
    yield from _ways(others, k, slopes)


def _parts(block: Block, others: Sequence[Block], k: int, slopes: Values) -> Iterator[Part]:
    """What a parameter may have in an exchange, alone or with others, by the slopes of the density."""
    own = slopes[block.name]
    signs = (1, -1) if k == 2 and block.kind == "logit" else (1,)
    along = [axis for axis, n in enumerate(block.shape) if n == k]
    for sign in signs:
        for axis in along:
            turned = np.moveaxis(own, axis, 0)
            if _equal(turned[1:], sign * turned[:1]):
                yield Part((block.name,), (axis,), sign < 0)
        partners = [other for other in others if alike(block, other) and _equal(slopes[other.name], sign * own)]
        for group in combinations(partners, k - 1):
            yield Part((block.name, *(other.name for other in group)), (), sign < 0)
    for axes in combinations(along, 2):
        square = np.moveaxis(own, axes, (0, 1))
        same = np.eye(k, dtype=bool)
        if _equal(square[same], square[same][:1]) and _equal(square[~same], square[~same][:1]):
            yield Part((block.name,), axes)
    if len(signs) > 1 and _equal(own, 0.0):
        yield Part((block.name,), mirrored=True)


def _equal(one: Any, other: Any) -> bool:
    # Where there is no slope nothing is ruled out.
    return not (np.abs(one - other) > EQUAL).any()


def alike(one: Block, other: Block) -> bool:
    """Whether two parameters have one shape and one domain."""
    return (one.shape, one.kind, one.low, one.high) == (other.shape, other.kind, other.low, other.high)


def _exchange(space: Coordinates, parts: Sequence[Part]) -> Exchange:
    """Parts in the order in which they tell components apart best: shares of one whole do least."""
    kinds = {b.name: b.kind for b in space.blocks}
    swapped = [part for part in parts if part.axes or len(part.names) > 1]
    swapped.sort(key=lambda part: (kinds[part.names[0]] == "simplex", part.mirrored))
    alone = tuple(part.names[0] for part in parts if part not in swapped)
    return Exchange(space, tuple(swapped), alone)


def _same(steps: Steps, exchange: Exchange, values: Values, here: Any) -> bool:
    """Whether neighbours can change places at a point, and so all can."""
    for j in range(exchange.components - 1):
        order = np.arange(exchange.components)
        order[[j, j + 1]] = j + 1, j
        there = steps.at(exchange.permuted(values, order))
        for one, other in ((here.log_likelihood, there.log_likelihood), (here.log_prior, there.log_prior)):
            if not abs(one - other) <= SAME * max(1.0, abs(one)):
                return False
    return True
