"""Which entries of the latent variables hang together, found by changing them: their joint states are what is enumerated.

A term of the log density hangs on those entries whose change changes it. Of a column of n entries half are changed at once, those
whose number has a certain binary digit: which halves change a term spells the number of the entry that it hangs on, in 2 log2(n)
evaluations instead of n. Whatever is found is tried on random states at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from em.derived.program import Latent
from models.inputs import Floats, Integers

# Joint states of a group at most, and numbers in the table of all: 160 MB.
MOST_STATES, MOST_NUMBERS = 4096, 20_000_000
# Times that every change of state is tried; a term that hangs on an entry in half of the others' states is missed in one of 2^16.
TIMES, LEAST_TRIALS = 8, 16
# Relative change of a term that is rounding.
ROUNDING = 1e-12
# Random states on which the groups are tried.
TRIED = 8


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Groups of entries that do not hang on each other, and their joint states.

    Attributes
    ----------
    n : how many
    states : by latent variable ``(K, *shape)`` its values in each joint state of its groups
    possible : ``(K, n)`` which of the ``K`` joint states a group has
    of_terms : by term ``(entries,)`` the group of each entry, -1 for none
    of_entries : by latent variable ``(*shape)`` the group of each of its entries
    """

    n: int
    states: tuple[Integers, ...]
    possible: Any
    of_terms: tuple[Integers, ...]
    of_entries: tuple[Integers, ...]


def groups_of(
    latents: tuple[Latent, ...], terms: Callable[[list[Integers]], list[Floats]], random: np.random.Generator
) -> Groups:
    """Find the groups of a program whose ``terms`` are a function of the values of its latent variables.

    Raises
    ------
    ValueError
        where a group has too many joint states to enumerate
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    sizes = [int(np.prod(each.shape, dtype=int)) for each in latents]
    first = np.concatenate([[0], np.cumsum(sizes)]).astype(int)
    drawn = terms(_drawn(latents, random))
    ends = np.concatenate([[0], np.cumsum([t.size for t in drawn])]).astype(int)
    rows, columns = [], []
    for number, each in enumerate(latents):
        length = each.shape[0] if each.shape else 1
        entries = first[number] + np.arange(sizes[number]).reshape(length, -1)
        for column in entries.T:
            place, several = _decoded(latents, number, column - first[number], terms, random)
            on = np.flatnonzero((place >= 0) & ~several)
            rows += [on, np.repeat(np.flatnonzero(several), len(column))]
            columns += [column[place[on]], np.tile(column, int(several.sum()))]
    at, on = np.concatenate(rows), np.concatenate(columns)
    total = int(first[-1] + ends[-1])
    links = coo_array((np.ones(len(at)), (on, first[-1] + at)), shape=(total, total))
    found = connected_components(links, directed=False)[1]
    names, of_entry = np.unique(found[: first[-1]], return_inverse=True)
    of_term = np.searchsorted(names, found[first[-1] :]).clip(max=len(names) - 1)
    of_term = np.where(names[of_term] == found[first[-1] :], of_term, -1)

    counts = np.concatenate([np.full(size, len(each.states)) for each, size in zip(latents, sizes, strict=True)])
    joint = np.exp(np.bincount(of_entry, weights=np.log(counts)))
    most = round(float(joint.max()))
    if most > MOST_STATES:
        worst = np.flatnonzero(of_entry == joint.argmax())
        named = sorted(
            {
                each.name
                for each, (a, b) in zip(latents, pairwise(first), strict=True)
                if ((worst >= a) & (worst < b)).any()
            }
        )
        raise ValueError(
            f"{len(worst)} entries of {', '.join(named)} hang on each other and have {joint.max():.3g} joint states; enumerated "
            f"are at most {MOST_STATES}. Rows that do not line up with the latent variable, or a chain, are for "
            "a comparisons.Pair, or for sampling"
        )
    if most * int(ends[-1]) > MOST_NUMBERS:
        raise ValueError(
            f"{most} joint states of {ends[-1]} densities are more than {MOST_NUMBERS:.0e} numbers; give fewer rows or states"
        )
    digits = _digits(of_entry, counts, most)
    states = tuple(
        each.states[digits[:, a:b]].reshape(most, *each.shape).astype(each.variable.dtype)
        for each, (a, b) in zip(latents, pairwise(first), strict=True)
    )
    result = Groups(
        len(names),
        states,
        np.arange(most)[:, None] < np.round(joint),
        tuple(of_term[a:b] for a, b in pairwise(ends)),
        tuple(of_entry[a:b].reshape(each.shape) for each, (a, b) in zip(latents, pairwise(first), strict=True)),
    )
    _try(result, latents, terms, random)
    return result


def _decoded(
    latents: tuple[Latent, ...],
    number: int,
    column: Integers,
    terms: Callable[[list[Integers]], list[Floats]],
    random: np.random.Generator,
) -> tuple[Integers, Any]:
    """Of every term's entry the place in a column of the one that it hangs on, -1 for none, and whether it hangs on several."""
    k, bits = len(latents[number].states), max(1, int(len(column) - 1).bit_length())
    ones = (np.arange(len(column))[:, None] >> np.arange(bits)) & 1
    changed: Any = False
    alone = len(column) == 1
    for trial in range(max((1 if alone else TIMES) * (k - 1), LEAST_TRIALS)):
        values = _drawn(latents, random)
        if alone:  # from its first state to each other one, so that none is left to chance
            values[number].reshape(-1)[column] = latents[number].states[0]
        before = _joined(terms(values))
        base = values[number].ravel()[column]
        place = np.searchsorted(latents[number].states, base)
        other = latents[number].states[(place + 1 + trial % (k - 1)) % k] if k > 1 else base
        told = np.empty((bits, 2, len(before)), dtype=bool)
        for bit in range(bits):
            for side in (0, 1):
                moved = values[number].copy()
                moved.reshape(-1)[column] = np.where(ones[:, bit] == side, other, base)
                after = _joined(terms([*values[:number], moved, *values[number + 1 :]]))
                told[bit, side] = _differ(before, after)
        changed = changed | told
    several = (changed[:, 0] & changed[:, 1]).any(axis=0)
    hangs = changed.any(axis=(0, 1))
    return np.where(hangs, (changed[:, 1] << np.arange(bits)[:, None]).sum(axis=0), -1), several


def _drawn(latents: tuple[Latent, ...], random: np.random.Generator) -> list[Integers]:
    return [np.asarray(random.choice(each.states, size=each.shape), dtype=each.variable.dtype) for each in latents]


def _joined(parts: list[Floats]) -> Floats:
    return np.concatenate([np.ravel(part) for part in parts])


def _differ(one: Floats, other: Floats) -> Any:
    with np.errstate(invalid="ignore"):
        near = np.abs(one - other) <= ROUNDING * (np.abs(one) + np.abs(other))
    near &= np.isfinite(one) & np.isfinite(other)
    return ~(near | (one == other) | (np.isnan(one) & np.isnan(other)))


def _digits(of_entry: Integers, counts: Integers, most: int) -> Integers:
    """``(most, entries)`` which of its states an entry has in each joint state of its group; the last varies fastest."""
    order = np.argsort(of_entry, kind="stable")[::-1]
    stride = np.ones(len(order), dtype=np.int64)
    for before, after in pairwise(order):
        if of_entry[before] == of_entry[after]:
            stride[after] = stride[before] * counts[before]
    return np.asarray(np.arange(most)[:, None] // stride % counts)


def _try(
    groups: Groups,
    latents: tuple[Latent, ...],
    terms: Callable[[list[Integers]], list[Floats]],
    random: np.random.Generator,
) -> None:
    """See that terms at random states are those of each group's own state, whatever the others are."""
    most = len(groups.possible)
    chosen = random.integers(0, groups.possible.sum(axis=0), size=(TRIED, groups.n))
    alone = [_joined(terms([s[k] for s in groups.states])) for k in range(most)]
    of_terms = np.concatenate(groups.of_terms)
    for states in chosen:
        values = [
            np.take_along_axis(s.reshape(most, -1), states[g.ravel()][None], axis=0).reshape(g.shape)
            for s, g in zip(groups.states, groups.of_entries, strict=True)
        ]
        together = _joined(terms(values))
        expected = np.array(alone)[np.where(of_terms >= 0, states[of_terms], 0), np.arange(len(of_terms))]
        if _differ(together, expected).any():
            entry = int(np.flatnonzero(_differ(together, expected))[0])
            raise ValueError(
                f"entry {entry} of the log densities hangs on latent variables in a way that their changes do not show; give a "
                "comparisons.Pair, or sample the program"
            )
