"""Mixtures of overdispersed coins: parameters, prior, and the PyMC model; the data are `models.CoinTosses`.

    h_i | z_i = k, q_i ~ Binomial(t_i, q_i),    q_i | z_i = k ~ Beta(p_k (1 - rho_k) / rho_k, (1 - p_k) (1 - rho_k) / rho_k)

so that the heads of a bag are beta-binomial with mean ``t p`` and variance ``t p (1 - p) (1 + (t - 1) rho)``: any two tosses of
one bag have the correlation ``rho``. At 0 they are independent and the component is a binomial one; at 1 all tosses of a bag fall
alike. Source: Skellam (1948), JRSS B 10, 257; Griffiths (1973), Biometrics 29, 637.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from models.coins.nouns import CoinTosses
from models.elementwise import ElementwiseParameters, asked, elementwise_model
from models.inputs import Floats, Integers, positive_number
from models.mixtures import Weights

if TYPE_CHECKING:
    import pymc as pm

# Below this PyMC's density is a difference of numbers so large that the binomial limit has more digits.
NO_CORRELATION = 1e-6
# Stands for 0 where its logarithm would be taken.
TINY = 1e-300


@dataclass(frozen=True, slots=True, init=False, eq=False, repr=False)
class BetaBinomialParameters(ElementwiseParameters):
    """A mixture of beta-binomial distributions.

    Parameters
    ----------
    weights : ``(n_components,)`` probability of each component, summing to 1
    head_probabilities : ``(n_components,)`` probability of heads
    correlations : ``(n_components,)`` of two tosses of one bag, from 0 to 1; 0 for a binomial component

    Raises
    ------
    ValueError
        if lengths differ, a value lies outside [0, 1], or the weights do not sum to 1
    """

    weights: Floats
    head_probabilities: Floats
    correlations: Floats

    def __init__(self, weights: ArrayLike, head_probabilities: ArrayLike, correlations: ArrayLike) -> None:
        self._hold(weights, head_probabilities=head_probabilities, correlations=correlations)
        for name in ("head_probabilities", "correlations"):
            values = getattr(self, name)
            if (outside := (values < 0) | (values > 1)).any():
                k = int(np.argmax(outside))
                raise ValueError(f"{name}[{k}] is {values[k]:g}; it must lie in [0, 1]")

    @property
    def precisions(self) -> Floats:
        """``(n_components,)`` sums of both numbers of the beta distributions, infinite where a component is binomial."""
        with np.errstate(divide="ignore"):
            return np.asarray((1 - self.correlations) / self.correlations)

    def simulate(self, components: Integers, tosses: Integers, random: np.random.Generator) -> Integers:
        """Toss coins of these ``components`` ``(n,)``, counted from 0, ``tosses`` ``(n,)`` times each: heads ``(n,)``."""
        return drawn_heads(tosses, self.head_probabilities[components], self.correlations[components], random)


def drawn_heads(tosses: Any, p: Floats, correlations: Floats, random: np.random.Generator) -> Integers:
    """Heads ``(n,)`` of bags that each have a coin of their own."""
    between = (correlations > 0) & (correlations < 1) & (p > 0) & (p < 1)
    precisions = (1 - correlations) / np.where(between, correlations, 1.0)
    alike = np.where(correlations == 1, random.random(np.shape(p)) < p, p)
    a, b = (np.where(between, x * precisions, 1.0) for x in (p, 1 - p))
    return np.asarray(random.binomial(np.asarray(tosses, dtype=np.int64), np.where(between, random.beta(a, b), alike)))


@dataclass(frozen=True, slots=True)
class BetaBinomialPrior:
    """The prior of a mixture of beta-binomial distributions; the same for every component. No prior is conjugate.

    Parameters
    ----------
    heads, tails : ``head_probabilities[k] ~ Beta(heads, tails)``, by default uniform
    correlated, uncorrelated : ``correlations[k] ~ Beta(correlated, uncorrelated)``. The default has mean 1/5 and mode 1/8; with
        a first number above 1 no mode is at the bound (Chung et al. 2013, Psychometrika 78, 685).
    concentration : ``weights ~ Dirichlet(concentration, ..., concentration)``. 1, the default, is uniform.

    Raises
    ------
    ValueError
        if a number is not positive: the prior would not be proper
    """

    heads: float = 1.0
    tails: float = 1.0
    correlated: float = 2.0
    uncorrelated: float = 8.0
    concentration: float = 1.0

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, positive_number(field.name, getattr(self, field.name)))

    @classmethod
    def weakly_informative(cls, data: CoinTosses) -> Self:
        """The default numbers, whatever the data, and one bag more for each weight, so that the mode empties no component."""
        return cls(concentration=2.0)


def _log_density(heads: Any, tosses: Any, p: Any, correlations: Any) -> Any:
    import pymc as pm
    import pytensor.tensor as pt

    bags = pt.cast(tosses, "int64")
    precisions = pt.maximum(1 - correlations, TINY) / pt.maximum(correlations, NO_CORRELATION)
    alpha, beta = (pt.maximum(x * precisions, TINY) for x in (p, 1 - p))
    varied = pm.logp(pm.BetaBinomial.dist(n=bags, alpha=alpha, beta=beta), heads)
    return pt.switch(correlations > NO_CORRELATION, varied, pm.logp(pm.Binomial.dist(n=bags, p=p), heads))


def beta_binomial_mixture(
    tosses: CoinTosses,
    n_components: int = 2,
    weights: Weights = "free",
    prior: BetaBinomialPrior | None = None,
) -> pm.Model:
    """Build the PyMC model of a mixture of beta-binomial distributions; arguments as in `models.coin_mixture`.

    Returns
    -------
    pymc.Model
        Free variables ``head_probabilities``, ``correlations`` and, unless held, ``weights``, each with the dim ``component``;
        observed ``heads``. ``prior`` is `BetaBinomialPrior.weakly_informative` where None.

    Raises
    ------
    ValueError
        for bags fewer than components, or weights or labels that do not fit
    """
    treated = asked("tosses", tosses, CoinTosses, n_components, weights, prior, BetaBinomialPrior)
    held = BetaBinomialPrior.weakly_informative(tosses) if prior is None else prior

    def variables() -> list[Any]:
        import pymc as pm

        numbers = {f.name: pm.Data(f"prior_{f.name}", getattr(held, f.name)) for f in fields(held)[:-1]}
        of_components = {"dims": "component", "shape": (n_components,)}
        return [
            pm.Beta("head_probabilities", alpha=numbers["heads"], beta=numbers["tails"], **of_components),
            pm.Beta("correlations", alpha=numbers["correlated"], beta=numbers["uncorrelated"], **of_components),
        ]

    return elementwise_model(tosses, treated, held.concentration, variables, _log_density, drawn_heads)
