"""Mixtures of overdispersed counts: parameters, prior, and the PyMC model; the data are `models.EventCounts`.

    y_i | z_i = k, lambda_i ~ Poisson(e_i lambda_i),    lambda_i | z_i = k ~ Gamma(1 / alpha_k, 1 / (alpha_k mu_k))

so that y is negative binomial with mean ``e mu`` and variance ``e mu + alpha (e mu)^2``: the rates of rows vary about that of
their component, whatever the exposure. The dispersion ``alpha`` is 1 over the size, R's theta; Stata has alpha itself. At 0,
where the size is infinite, the component is a Poisson one. Source: Greenwood & Yule (1920), JRSS 83, 255.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from models.elementwise import ElementwiseParameters, RatePrior, asked, elementwise_model
from models.inputs import Floats, Integers, positive_number
from models.mixtures import Weights
from models.poissons import EventCounts

if TYPE_CHECKING:
    import pymc as pm

# Below this PyMC's density is a difference of numbers so large that the Poisson limit has more digits.
NO_DISPERSION = 1e-6


@dataclass(frozen=True, slots=True, init=False, eq=False, repr=False)
class NegativeBinomialParameters(ElementwiseParameters):
    """A mixture of negative binomial distributions.

    Parameters
    ----------
    weights : ``(n_components,)`` probability of each component, summing to 1
    rates : ``(n_components,)`` expected events for each unit of exposure
    dispersions : ``(n_components,)`` squared coefficients of variation of the rates of rows; 0 for a Poisson component

    Raises
    ------
    ValueError
        if lengths differ, a number is negative, or the weights do not sum to 1
    """

    weights: Floats
    rates: Floats
    dispersions: Floats

    def __init__(self, weights: ArrayLike, rates: ArrayLike, dispersions: ArrayLike) -> None:
        self._hold(weights, rates=rates, dispersions=dispersions)
        self._none_below_0("rates", "dispersions")

    @property
    def sizes(self) -> Floats:
        """``(n_components,)`` 1 over the dispersions, infinite where a component is Poisson.

        At a maximum of the likelihood the standard error of a size is that of the dispersion times the squared size.
        """
        with np.errstate(divide="ignore"):
            return np.asarray(1 / self.dispersions)

    def simulate(self, components: Integers, exposure: Floats, random: np.random.Generator) -> Integers:
        """Draw the events of rows of these ``components`` ``(n,)``, counted from 0, over such an exposure ``(n,)``."""
        rates, dispersions = self.rates[components], self.dispersions[components]
        varied = random.gamma(1 / np.where(dispersions > 0, dispersions, 1.0), dispersions)
        return np.asarray(random.poisson(exposure * rates * np.where(dispersions > 0, varied, 1.0)))


@dataclass(frozen=True, slots=True)
class NegativeBinomialPrior(RatePrior):
    """The prior of a mixture of negative binomial distributions; the same for every component.

    Parameters
    ----------
    shape, rate : ``rates[k] ~ Gamma(shape, rate)``
    concentration : ``weights ~ Dirichlet(concentration, ..., concentration)``
    dispersion_shape, dispersion_rate : ``dispersions[k] ~ Gamma(dispersion_shape, dispersion_rate)``, for which no prior is
        conjugate. The default has mean 1, at which rates of rows vary as exponential ones do, and mode 1/2; with a shape above 1
        no mode is at the bound (Chung et al. 2013, Psychometrika 78, 685).

    Raises
    ------
    ValueError
        if a number is not positive: the prior would not be proper
    """

    dispersion_shape: float = 2.0
    dispersion_rate: float = 2.0

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, positive_number(field.name, getattr(self, field.name)))

    def variables(self, n_components: int) -> list[Any]:
        """Add ``rates`` and ``dispersions`` to the PyMC model on the context stack."""
        import pymc as pm

        # Without super(): a class with slots is made anew.
        rates = RatePrior.variables(self, n_components)
        shape, rate = (
            pm.Data(f"prior_{name}", getattr(self, name)) for name in ("dispersion_shape", "dispersion_rate")
        )
        return [*rates, pm.Gamma("dispersions", alpha=shape, beta=rate, dims="component", shape=(n_components,))]


def _log_density(events: Any, exposure: Any, rates: Any, dispersions: Any) -> Any:
    import pymc as pm
    import pytensor.tensor as pt

    means = exposure * rates
    varied = pm.logp(pm.NegativeBinomial.dist(mu=means, alpha=1 / pt.maximum(dispersions, NO_DISPERSION)), events)
    return pt.switch(dispersions > NO_DISPERSION, varied, pm.logp(pm.Poisson.dist(mu=means), events))


def negative_binomial_mixture(
    events: EventCounts,
    n_components: int = 2,
    weights: Weights = "free",
    prior: NegativeBinomialPrior | None = None,
) -> pm.Model:
    """Build the PyMC model of a mixture of negative binomial distributions; arguments as in `models.poisson_mixture`.

    Returns
    -------
    pymc.Model
        Free variables ``rates``, ``dispersions`` and, unless held, ``weights``, each with the dim ``component``; observed
        ``events``. ``prior`` is `NegativeBinomialPrior.weakly_informative` where None.

    Raises
    ------
    ValueError
        for rows fewer than components, or weights or labels that do not fit
    """
    treated = asked("events", events, EventCounts, n_components, weights, prior, NegativeBinomialPrior)
    prior = NegativeBinomialPrior.weakly_informative(events) if prior is None else prior

    def drawn(exposure: Floats, rates: Floats, dispersions: Floats, rng: np.random.Generator) -> Integers:
        return np.asarray(rng.poisson(exposure * rates * dispersions * rng.gamma(1 / dispersions)))

    return elementwise_model(
        events, treated, prior.concentration, lambda: prior.variables(n_components), _log_density, drawn
    )
