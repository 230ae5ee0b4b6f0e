"""Slips that people make in an M-step or E-step, each with what it would return: the one that a step did return is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from models.inputs import Floats

# Share of its own size by which a slip may miss what the step returned.
NAMED = 1e-3

type Values = dict[str, Floats]


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """One step from one point.

    Attributes
    ----------
    before, right : parameters before the step, and after it if it is right
    r : ``(n, K)`` responsibilities; None where the complete-data log density is the pair's own
    unweighted : the same as if all weights were equal
    rests : of responsibilities ``(n, K)``, whether each parameter that the step returned, by name, is where the expected
        complete-data log density is largest, with a multiple of the log prior and of the log Jacobian of unbounded coordinates
        added, and the other parameters as they were ``before`` the step or as returned
    kinds : domain of each parameter, as in `em.derived.coordinates.Block`
    prior : whether the prior is part of the step
    """

    before: Values
    right: Values
    r: Floats | None
    unweighted: Floats | None
    rests: Callable[..., set[str]]
    kinds: dict[str, str]
    prior: bool


def of_e_step(place: Place) -> Iterator[tuple[str, Floats]]:
    """Wrong responsibilities, each with the slip that makes them."""
    if place.r is None or place.unweighted is None:
        return
    yield "the weights are forgotten in the E-step", place.unweighted
    yield (
        "hard assignment: each row goes whole to its likeliest component",
        np.eye(place.r.shape[1])[place.r.argmax(axis=1)],
    )
    yield "responsibilities belong to another row", np.roll(place.r, 1, axis=0)
    yield "responsibilities belong to another row", np.roll(place.r, -1, axis=0)
    yield "components are exchanged", place.r[:, ::-1]
    for row, word in ((0, "first"), (-1, "last")):
        without = place.r.copy()
        without[row] = 0.0
        yield f"the {word} row is left out", without
    _, first, alike, counts = np.unique(place.r, axis=0, return_index=True, return_inverse=True, return_counts=True)
    # An EM may count rows that are alike, and drop half of those that are not.
    distinct = np.argsort(np.argsort(first))[alike.ravel()]
    for of, number, total in (("", np.arange(len(place.r)), len(place.r)), ("distinct ", distinct, len(first))):
        for part, word in ((number >= (total + 1) // 2, "last"), (number < total // 2, "first")):
            yield f"the {word} half of the {of}rows is left out", np.where(part[:, None], 0.0, place.r)
    yield "rows that are alike count once", place.r / counts[alike.ravel(), None]


def of_parameters(place: Place, given: Values) -> Iterator[tuple[str, str, set[str]]]:
    """The step, the slip, and the parameters that it would have returned as ``given``."""
    for slip, r in of_e_step(place):
        yield "E-step", slip, place.rests(r)
    if place.prior:
        yield "M-step", "the prior is left out", place.rests(place.r, prior=0.0)
        yield "M-step", "the prior is counted twice", place.rests(place.r, prior=2.0)
    else:
        told = "the prior is counted, though the step is to maximise the likelihood"
        yield "M-step", told, place.rests(place.r, prior=1.0)
    for slip, values in (*_rescaled(place), ("it is not updated", place.before)):
        yield "M-step", slip, {name for name, value in values.items() if alike(value, given[name], place.right[name])}
    told = "the mode is that on an unbounded scale, or a count of the prior is one too many"
    yield "M-step", told, place.rests(place.r, jacobian=1.0)
    yield "M-step", "a count of the prior is one too few", place.rests(place.r, jacobian=-1.0)
    if len(place.right) > 1:
        yield "M-step", "old values of the other parameters are used", place.rests(place.r, before=True)


def alike(told: Floats, returned: Floats, right: Floats) -> bool:
    """Whether a slip misses what was returned by no more than a share of how far that is off."""
    return np.shape(told) == np.shape(returned) and bool(
        np.abs(told - returned).max() <= NAMED * np.abs(returned - right).max()
    )


def _rescaled(place: Place) -> Iterator[tuple[str, Values]]:
    """Parameters that are right but for a power or a factor."""
    positive = {name: v for name, v in place.right.items() if place.kinds[name] in ("log", "logit", "identity")}
    above = {name: np.abs(v) for name, v in positive.items()}
    yield "the root is taken, such as a standard deviation for a variance", {n: np.sqrt(v) for n, v in above.items()}
    yield "the root is forgotten, such as a variance for a standard deviation", {n: v**2 for n, v in above.items()}
    if place.r is None:
        return
    sizes, n = place.r.sum(axis=0), len(place.r)
    fitting = {name: v for name, v in positive.items() if v.shape and v.shape[0] == len(sizes)}

    def scaled(factors: Floats) -> Values:
        return {name: v * factors.reshape(-1, *[1] * (v.ndim - 1)) for name, v in fitting.items()}

    for power, of in ((1.0, ""), (0.5, ", under the root")):
        yield f"it is divided by n in place of n_k{of}", scaled((sizes / n) ** power)
        yield f"it is divided by n_k - 1 in place of n_k{of}", scaled((sizes / (sizes - 1)) ** power)
        yield f"it is divided by n_k + 1 in place of n_k{of}", scaled((sizes / (sizes + 1)) ** power)
    yield "it is not divided by n_k", scaled(sizes)
