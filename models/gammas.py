"""Mixtures of gamma-distributed waiting times: waits, parameters, prior, and the PyMC model."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from models.elementwise import ElementwiseParameters, as_rows, asked, elementwise_model
from models.inputs import Floats, Integers, instance_of, positive_number
from models.mixtures import Weights
from models.waits import Waits, log_density_of

if TYPE_CHECKING:
    import pymc as pm


@dataclass(frozen=True, slots=True, init=False, eq=False, repr=False)
class PositiveTimes(Waits):
    """Waiting times above 0, some of which may have been cut short.

    Parameters
    ----------
    y, censored, counts, labels : as of `models.WaitingTimes`, but no wait is 0

    Raises
    ------
    TypeError, ValueError
        if a value is missing, no number or not positive, or the indicator neither 0 nor 1; the message names the first such row
    """

    y: Floats
    censored: Integers
    counts: Integers
    labels: Integers

    def __init__(
        self,
        y: ArrayLike,
        censored: ArrayLike | None = None,
        counts: ArrayLike | None = None,
        labels: ArrayLike | None = None,
    ) -> None:
        self._hold_waits(y, censored, counts, labels)
        if (self.y == 0).any():
            row = int(np.argmax(self.y == 0))
            raise ValueError(
                f"y[{row}] is 0, where a gamma density is 0 or infinite; leave the row out, or take exponentials"
            )

    @property
    def shape(self) -> float:
        """Squared mean over variance of all rows together, as of a gamma distribution; infinite where all are equal."""
        mean = self.counts @ self.y / self.n
        variance = self.counts @ (self.y - mean) ** 2 / self.n
        return float(mean**2 / variance) if variance else np.inf


@dataclass(frozen=True, slots=True, init=False, eq=False, repr=False)
class GammaParameters(ElementwiseParameters):
    """A mixture of gamma distributions: ``weights``, ``shapes`` and ``rates``, ``(K,)`` each; means are shapes over rates."""

    weights: Floats
    shapes: Floats
    rates: Floats

    def __init__(self, weights: ArrayLike, shapes: ArrayLike, rates: ArrayLike) -> None:
        self._hold(weights, shapes=shapes, rates=rates)
        self._none_below_0("shapes", "rates")

    @property
    def order_keys(self) -> Floats:
        """``(..., n_components, 2)`` what canonical order compares: mean, then weight."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.stack([self.shapes / self.rates, self.weights], axis=-1)

    @property
    def means(self) -> Floats:
        """``(K,)`` expected waits."""
        return np.asarray(self.shapes / self.rates)

    @property
    def deviations(self) -> Floats:
        """``(K,)`` standard deviations of waits."""
        return np.asarray(np.sqrt(self.shapes) / self.rates)

    def simulate(self, components: Integers, random: np.random.Generator) -> Floats:
        """Draw whole waits of these ``components`` ``(n,)``, counted from 0."""
        with np.errstate(divide="ignore"):
            scales = 1 / self.rates[components]
        return np.asarray(random.gamma(self.shapes[components], scales))


@dataclass(frozen=True, slots=True)
class GammaPrior:
    """The prior of a mixture of gamma distributions, the same for every component; conjugate given the shapes.

    Parameters
    ----------
    shape_shape, shape_rate : ``shapes[k] ~ Gamma(shape_shape, shape_rate)``
    rate_shape, rate_rate : ``rates[k] / shapes[k] ~ Gamma(rate_shape, rate_rate)``, of which the mean of a component is 1 over
    concentration : ``weights ~ Dirichlet(concentration, ..., concentration)``

    Raises
    ------
    ValueError
        if a number is not positive: the prior would not be proper
    """

    shape_shape: float
    shape_rate: float
    rate_shape: float
    rate_rate: float
    concentration: float = 1.0

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, positive_number(field.name, getattr(self, field.name)))

    @classmethod
    def weakly_informative(cls, data: PositiveTimes, n_components: int) -> Self:
        """Means about that of all waits, shapes of components K times narrower, and one row more for each weight.

        Raises
        ------
        TypeError, ValueError
            if the data are no `models.PositiveTimes`; if no wait ended, or all are equal
        """
        instance_of("data", data, PositiveTimes)
        if data.rate == 0 or np.isinf(data.shape):
            told = data.no_events if data.rate == 0 else "all waits are equal"
            raise ValueError(f"{told}, so a prior cannot be read off them; give a prior")
        return cls(3.0, 1.0 / (n_components**2 * data.shape), 2.0, 2.0 / data.rate, 2.0)


def gamma_mixture(
    y: PositiveTimes | ArrayLike,
    n_components: int = 2,
    weights: Weights = "free",
    prior: GammaPrior | None = None,
    *,
    censored: ArrayLike | None = None,
    counts: ArrayLike | None = None,
    labels: ArrayLike | None = None,
) -> pm.Model:
    """Build the PyMC model of a mixture of gamma distributions; arguments as in `em.gamma_mixture`.

    Returns
    -------
    pymc.Model
        Free variables ``shapes``, ``rates`` and, unless held, ``weights``, and ``means`` computed from them, all with the dim
        ``component``; observed ``y``. What is drawn of ``y`` are whole waits. ``prior`` is `GammaPrior.weakly_informative`
        where None.
    """
    data = as_rows(PositiveTimes, "y", y, censored=censored, counts=counts, labels=labels)
    treated = asked("y", data, PositiveTimes, n_components, weights, prior, GammaPrior)
    held = GammaPrior.weakly_informative(data, n_components) if prior is None else prior

    def variables() -> list[Any]:
        import pymc as pm

        numbers = {f.name: pm.Data(f"prior_{f.name}", getattr(held, f.name)) for f in fields(held)[:-1]}
        of_components = {"dims": "component", "shape": (n_components,)}
        shapes = pm.Gamma("shapes", alpha=numbers["shape_shape"], beta=numbers["shape_rate"], **of_components)
        beta = numbers["rate_rate"] / shapes
        rates = pm.Gamma("rates", alpha=numbers["rate_shape"], beta=beta, **of_components)
        pm.Deterministic("means", shapes / rates, dims="component")
        return [shapes, rates]

    some = bool(data.censored.any())

    def log_density(y: Any, censored: Any, shapes: Any, rates: Any) -> Any:
        import pymc as pm
        import pytensor.tensor as pt

        base = pm.Gamma.dist(alpha=shapes, beta=rates)
        survival = (lambda t: pt.log(pt.gammaincc(shapes, rates * t))) if some else None
        return log_density_of(base, y, censored, survival)

    def drawn(censored: Floats, shapes: Floats, rates: Floats, rng: np.random.Generator) -> Floats:
        return np.asarray(rng.gamma(shapes, 1 / rates))

    return elementwise_model(data, treated, held.concentration, variables, log_density, drawn)
