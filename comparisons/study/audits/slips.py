"""Slips planted in the steps of a pair, each in the step that has to be named: those of the studies, and subtle ones.

A subtle slip changes what one of the pair's functions takes or returns. A fault of the studies is at work in the family's own EM,
whose steps are then one function, as a fit makes them; those of its search, its standard errors or its reports are nothing that
an audit of steps could see.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from comparisons.pair import Values
from comparisons.study.audits.house import House
from models.inputs import Floats

# Of what a slip of one percent is.
PERCENT = 0.01


@dataclass(frozen=True, slots=True)
class Slip:
    """One slip.

    Attributes
    ----------
    step : that has to be named first
    broken : of a house, the functions of the pair that are to be replaced, by their names in `House`
    labelled : whether it shows only where labels are known
    """

    name: str
    step: str
    broken: Callable[[House], dict[str, Callable[..., Any]]]
    labelled: bool = False


def _chances(name: str, change: Callable[[Floats], Floats], **options: Any) -> Slip:
    """In the E-step, of right responsibilities."""
    return Slip(name, "E-step", lambda house: {"e_step": lambda values: change(house.e_step(values))}, **options)


def _sent(name: str, change: Callable[[Floats], Floats]) -> Slip:
    """In the M-step, which takes right responsibilities for others."""
    return Slip(name, "M-step", lambda house: {"m_step": lambda r, *, prior: house.m_step(change(r), prior=prior)})


def _returned(name: str, change: Callable[[Values, Floats, int], Values], **options: Any) -> Slip:
    """In what the M-step returns, of responsibilities and the number of rows."""

    def broken(house: House) -> dict[str, Callable[..., Any]]:
        def m_step(r: Floats, *, prior: bool) -> Values:
            right = house.m_step(r, prior=prior)
            return right | change(right, r, len(r))

        return {"m_step": m_step}

    return Slip(name, "M-step", broken, **options)


def normalised(r: Floats) -> Floats:
    """Each row with a sum of 1."""
    return np.asarray(r / r.sum(axis=1, keepdims=True))


def hard(r: Floats) -> Floats:
    """Each row in its likeliest component."""
    return np.eye(r.shape[1])[r.argmax(axis=1)]


def without(r: Floats, row: int) -> Floats:
    """The rows but for one."""
    left = np.array(r)
    left[row] = 0.0
    return left


def scaled(r: Floats, factor: float) -> Floats:
    """The first component that much likelier."""
    more = np.array(r)
    more[:, 0] *= factor
    return normalised(more)


def own(values: Values) -> list[str]:
    """Parameters that are no weights."""
    return [name for name in values if name != "weights"]


def off(value: Floats, factor: float) -> Floats:
    """A parameter a factor off: shares and probabilities that much of the way to their middle."""
    inside = ((value >= 0) & (value <= 1)).all()
    return (value + (factor - 1) * (1 / max(value.shape[-1:] or (2,)) - value)) if inside else value * factor


def by_component(value: Floats, factors: Floats) -> Floats:
    """Each component's times its factor."""
    return value * factors.reshape(-1, *[1] * (value.ndim - 1))


def _parameters_of_before(house: House, some: Callable[[Values], list[str]]) -> dict[str, Callable[..., Any]]:
    """An M-step that returns some parameters as they were when the E-step was made."""
    last: dict[str, Values] = {}

    def e_step(values: Values) -> Floats:
        last["before"] = values
        return house.e_step(values)

    def m_step(r: Floats, *, prior: bool) -> Values:
        right = house.m_step(r, prior=prior)
        return right | {name: last["before"][name] for name in some(right)}

    return {"e_step": e_step, "m_step": m_step}


def _weights_forgotten(house: House) -> dict[str, Callable[..., Any]]:
    def e_step(values: Values) -> Floats:
        return normalised(house.e_step(values) / values["weights"])

    return {"e_step": e_step}


def _prior_exchanged(house: House) -> dict[str, Callable[..., Any]]:
    return {"m_step": lambda r, *, prior: house.m_step(r, prior=not prior)}


def _count_of_prior(more: float) -> Callable[[House], dict[str, Callable[..., Any]]]:
    """A count of the weights' prior that many off."""

    def broken(house: House) -> dict[str, Callable[..., Any]]:
        def m_step(r: Floats, *, prior: bool) -> Values:
            right = house.m_step(r, prior=prior)
            if not prior:
                return right
            counts = house.known + r.sum(axis=0) + house.problem.prior.concentration - 1 + more
            return right | {"weights": np.maximum(counts, 0) / np.maximum(counts, 0).sum()}

        return {"m_step": m_step}

    return broken


def _labels_ignored(house: House) -> dict[str, Callable[..., Any]]:
    """Rows whose component is known are left out of the M-step."""

    def m_step(r: Floats, *, prior: bool) -> Values:
        return house.m_step(r, prior=prior, labels=False)

    return {"m_step": m_step}


def _likelihood(change: Callable[[House, Values], float]) -> Callable[[House], dict[str, Callable[..., Any]]]:
    return lambda house: {"log_likelihood": lambda values: house.log_likelihood(values) + change(house, values)}


def _saddle(house: House) -> dict[str, Any]:
    """A start from responsibilities that are all alike."""
    k = house.problem.comparison.n_components
    return {"start": house.m_step(np.full((len(house.rows), k), 1 / k), prior=False)}


def _stops_early(house: House) -> dict[str, Any]:
    """When one parameter moves by less than a hundredth of its size."""

    def stop(before: Values, after: Values) -> bool:
        name = own(before)[0]
        return bool(np.abs(after[name] - before[name]).flat[0] < PERCENT * np.abs(before[name]).flat[0])

    return {"stop": stop}


SUBTLE = (
    _chances("one-percent-of-a-responsibility", lambda r: scaled(r, 1 + PERCENT)),
    _chances("responsibilities-not-normalised", lambda r: r * (1 - PERCENT)),
    _chances("responsibilities-tempered", lambda r: normalised(r ** (1 + PERCENT))),
    _chances("responsibilities-floored", lambda r: normalised(np.maximum(r, 1e-3))),
    _chances("row-dropped", lambda r: without(r, -1)),
    _chances("another-rows-responsibilities", lambda r: np.roll(r, 1, axis=0)),
    _chances("hard-assignment", hard),
    _chances("components-exchanged", lambda r: r[:, ::-1]),
    Slip("weights-forgotten", "E-step", _weights_forgotten),
    _sent("row-dropped-in-the-m-step", lambda r: without(r, 0)),
    _sent("another-rows-data", lambda r: np.roll(r, 1, axis=0)),
    _sent("hard-assignment-in-the-m-step", hard),
    _sent("half-the-rows-in-the-m-step", lambda r: r * (np.arange(len(r)) < len(r) / 2)[:, None]),
    _sent("one-percent-of-a-count", lambda r: r * np.array([1 + PERCENT, *[1] * (r.shape[1] - 1)])),
    _returned("one-percent-of-a-step", lambda v, r, n: {own(v)[0]: off(v[own(v)[0]], 1 + PERCENT)}),
    _returned("one-percent-of-the-last", lambda v, r, n: {own(v)[-1]: off(v[own(v)[-1]], 1 + PERCENT)}),
    _returned("one-percent-of-the-weights", lambda v, r, n: {"weights": off(v["weights"], 1 + PERCENT)}),
    _returned("root-taken", lambda v, r, n: {own(v)[0]: np.sqrt(np.abs(v[own(v)[0]]))}),
    _returned("divided-by-n", lambda v, r, n: {own(v)[0]: by_component(v[own(v)[0]], r.sum(axis=0) / n)}),
    _returned(
        "divided-by-n-k-minus-1",
        lambda v, r, n: {own(v)[0]: by_component(v[own(v)[0]], 1 + 1 / (r.sum(axis=0) + 1))},
    ),
    _returned("components-of-one-exchanged", lambda v, r, n: {own(v)[0]: v[own(v)[0]][::-1]}),
    _returned("weights-equal", lambda v, r, n: {"weights": np.full_like(v["weights"], 1 / r.shape[1])}),
    Slip("not-updated", "M-step", lambda house: _parameters_of_before(house, lambda v: own(v)[:1])),
    Slip(
        "weights-of-before",
        "M-step",
        lambda house: _parameters_of_before(house, lambda v: ["weights"]),
    ),
    Slip("prior-forgotten-or-counted", "M-step", _prior_exchanged),
    Slip("prior-count-one-too-many", "M-step", _count_of_prior(1.0)),
    Slip("prior-count-one-too-few", "M-step", _count_of_prior(-1.0)),
    Slip("labels-ignored", "M-step", _labels_ignored, labelled=True),
    Slip(
        "likelihood-without-a-row",
        "objective",
        _likelihood(lambda house, values: -float(house.row_log_likelihoods(values)[0])),
    ),
    Slip(
        "likelihood-without-weights",
        "objective",
        _likelihood(lambda house, values: PERCENT * float(np.log(values["weights"]).sum())),
    ),
    Slip("saddle-at-the-start", "start", _saddle),
    Slip("stops-early", "stop rule", _stops_early),
)

# Faults of `comparisons.study.faults` that are in a step, and the step.
PLANTED = {
    "em-divides-by-n": "M-step",
    "em-forgets-weights": "E-step",
    "em-weights-not-updated": "M-step",
    "em-hard-assignment": "E-step",
    "em-variance-n-minus-1": "M-step",
    "em-sd-for-variance": "M-step",
    "em-one-number-of-tosses": "E-step",
    "em-counts-ignored": "E-step",
    "em-half-the-data": "E-step",
    "em-prior-forgotten": "M-step",
    "em-mode-on-other-scale": "M-step",
    "em-lowers-its-objective": "M-step",
}
