"""Single numbers of the parameters by name: value, error, gradient, and the scale on which they have no bounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from em.mixture import Mixture, Scale
from em.uncertainty.wald import wald
from models.display import displayed
from models.inputs import Floats, one_line, shown, some_of

# Where a quantity counts as at its bound: a probability within 2e-16 of 0 or 1, which is as near to 1 as there are numbers.
FAR = 36.0
# Where it counts as unbounded, in spreads of the data (identity) or in logarithms of them (log).
FAR_AWAY, FAR_LOG = 1e4, 12.0


@dataclass(frozen=True, slots=True)
class Interval:
    """Interval of one quantity.

    Attributes
    ----------
    low, high : its ends, in the user's own units; NaN where there is none. 0 and 1 are the bounds of a probability.
    probability : nominal
    reason : why an end is missing, None where none is
    coinciding : whether components coincide at the lower and at the upper end of a profile-likelihood interval: at the edge
        of their order no such end has its nominal probability
    """

    name: str
    low: float
    high: float
    probability: float
    reason: str | None
    coinciding: tuple[bool, bool] = (False, False)

    __repr__ = displayed


@dataclass(frozen=True, slots=True, eq=False)
class Quantity:
    """One number of the parameters: value and gradient by the full vector, and the scale on which it has no bounds.

    Attributes
    ----------
    named : the same of the full vector in the user's units
    unit : what is a large change, in the mixture's units, on the identity scale
    power : what is told is this power of the value
    """

    value: Callable[[Floats], float]
    gradient: Callable[[Floats], Floats]
    scale: Scale
    named: Callable[[Floats], float]
    unit: float = 1.0
    power: float = 1.0

    def on_scale(self, vector: Floats) -> tuple[float, Floats]:
        """Value and gradient on the scale without bounds."""
        value, gradient = self.value(vector), self.gradient(vector)
        if self.scale == "logit":
            return float(np.log(value) - np.log1p(-value)), gradient / (value * (1 - value))
        if self.scale == "log":
            return float(np.log(value)), gradient / value
        return value, gradient

    def told(self, vector: Floats) -> float:
        """What is told of a full vector in the user's units."""
        return float(self.named(vector) ** self.power)

    @property
    def farthest(self) -> float:
        """Beyond this on its scale, to either side, there is nothing to be found."""
        return {"logit": FAR, "log": FAR_LOG, "identity": FAR_AWAY * self.unit}[self.scale]


class Estimate(NamedTuple):
    """One row of the table of a fit; see `em.Fit.table`."""

    name: str
    estimate: float
    standard_error: float
    low: float
    high: float
    scale: Scale


def estimates(mixture: Mixture[Any, Any], parameters: Any, errors: Any) -> list[Estimate]:
    """Every quantity of a fit, from its parameters, and its standard errors of the same shapes."""
    vector, sizes, k = mixture.to_vector(parameters), mixture.to_vector(errors), mixture.n_components
    if mixture.given_bounds:
        # The others have theirs given that it stays there: it has none itself.
        at_bound = (sizes == 0) & ((vector == 0) | (vector == 1)) & (np.arange(len(vector)) >= k)
        sizes = np.where(at_bound, np.nan, sizes)
    told = list(zip(mixture.names(), vector, sizes, mixture.scales(), strict=True))
    with np.errstate(divide="ignore", invalid="ignore"):
        for name, place in _standard_deviations(mixture.names()).items():
            deviation = np.sqrt(vector[place])
            told.append((name, deviation, sizes[place] / (2 * deviation), "log"))
    for name, (place, against) in _log_odds(mixture.names()).items():
        slope = np.eye(len(vector))[place] - np.eye(len(vector))[against]
        told.append((name, slope @ vector, np.sqrt(slope @ errors.covariance @ slope), "identity"))
    if mixture.average:
        slope = np.zeros(len(vector))
        slope[: 2 * k] = np.roll(vector[: 2 * k], k)
        error = np.sqrt(slope @ errors.covariance @ slope)
        told.append((mixture.average, vector[:k] @ vector[k : 2 * k], error, mixture.scales()[k]))
    return [_estimate(name, float(value), float(error), scale) for name, value, error, scale in told]


def _estimate(name: str, value: float, error: float, scale: Scale) -> Estimate:
    # What is held fixed is its own interval, also at a bound.
    low, high = (value, value) if error == 0 else wald(scale, value, error)
    return Estimate(name, value, error, low, high, scale)


def quantity(mixture: Mixture[Any, Any], name: str) -> Quantity:
    """Read the name of a quantity.

    Raises
    ------
    TypeError, ValueError
        for a name that this mixture does not have
    """
    names, k = mixture.names(), mixture.n_components
    if not isinstance(name, str):
        raise TypeError(f"name is {shown(name)} of type {type(name).__name__}; give one of {some_of(names)}")
    spread = float(mixture.points.std(axis=0).max())
    deviations = _standard_deviations(names)

    def entry(place: int, scale: Scale, unit: float = 1.0, power: float = 1.0) -> Quantity:
        gradient = mixture.by_feature(np.eye(len(names)))[place]
        return Quantity(
            lambda vector: float(gradient @ vector),
            lambda _: gradient,
            scale,
            lambda vector: float(vector[place]),
            unit,
            power,
        )

    if name in deviations:
        return entry(deviations[name], "log", power=0.5)
    if name in names:
        place = names.index(name)
        scale = mixture.scales()[place]
        if scale != "identity":
            return entry(place, scale)
        return entry(place, scale, unit=spread if name.startswith("means") else spread**2)
    if name in (odds := _log_odds(names)):
        place, against = odds[name]
        apart = mixture.by_feature(np.eye(len(names)))
        direction = apart[place] - apart[against]
        return Quantity(
            lambda vector: float(direction @ vector),
            lambda _: direction,
            "identity",
            lambda vector: float(vector[place] - vector[against]),
        )
    if mixture.average and name == mixture.average:
        rest = np.zeros(len(names) - 2 * k)

        def chance(vector: Floats) -> float:
            return float(vector[:k] @ vector[k : 2 * k])

        def gradient(vector: Floats) -> Floats:
            return np.concatenate([vector[k : 2 * k], vector[:k], rest])

        return Quantity(chance, gradient, mixture.scales()[k], chance)
    known = [*names, *deviations, *odds, *([mixture.average] if mixture.average else [])]
    raise ValueError(f'name is "{one_line(name)}"; give one of {some_of(known)}')


def _standard_deviations(names: list[str]) -> dict[str, int]:
    """Names of the standard deviations, where there are covariances, and the place of the variance of each."""
    places = {name: place for place, name in enumerate(names)}
    found = {}
    for mean in names:
        if mean.startswith("variances["):
            found[mean.replace("variances", "standard_deviations")] = places[mean]
        elif mean.startswith("means["):
            inside = mean[len("means[") : -1]
            component, _, feature = inside.partition(", ")
            variance = f"covariances[{component}, {feature}, {feature}]" if feature else f"covariances[{component}]"
            if variance in places:
                found[f"standard_deviations[{inside}]"] = places[variance]
    return found


def _log_odds(names: list[str]) -> dict[str, tuple[int, int]]:
    """Names of what concomitants do to the log odds of a component against the first, and the places whose difference it is."""
    places = {name.removeprefix("gating["): place for place, name in enumerate(names) if name.startswith("gating[")}
    first = {name.partition(", ")[2]: place for name, place in places.items() if name.startswith("1, ")}
    return {
        f"log_odds[{component}, 1, {concomitant}": (place, first[concomitant])
        for name, place in places.items()
        for component, _, concomitant in [name.partition(", ")]
        if component != "1"
    }
