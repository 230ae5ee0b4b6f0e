"""Mixtures of exponential waiting times: waits, parameters, prior, and the PyMC model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from models.elementwise import ElementwiseParameters, NaturalForm, RatePrior, as_rows, asked, elementwise_model
from models.inputs import Floats, Integers
from models.mixture_distribution import Likelihood, asks_for_fused
from models.mixtures import Weights
from models.waits import Waits, log_density_of

if TYPE_CHECKING:
    import pymc as pm


@dataclass(frozen=True, slots=True, init=False, eq=False, repr=False)
class WaitingTimes(Waits):
    """Waiting times from 0, some of which may have been cut short.

    Parameters
    ----------
    y : ``(n,)`` waits in one unit, each as long as it was watched
    censored : ``(n,)`` 1 or True where the wait had not ended then, 0 or False where it had; none where left out
    counts : ``(n,)`` how many times such a row was seen; 1 each where left out
    labels : ``(n,)`` index of the component, -1 where not known; all unknown where left out

    Raises
    ------
    TypeError, ValueError
        if a value is missing, no number or negative, or the indicator neither 0 nor 1; the message names the first such row
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


@dataclass(frozen=True, slots=True, init=False, eq=False, repr=False)
class ExponentialParameters(ElementwiseParameters):
    """A mixture of exponential distributions: ``weights`` ``(K,)``, and ``rates`` ``(K,)``, 1 over the mean wait of each."""

    weights: Floats
    rates: Floats

    def __init__(self, weights: ArrayLike, rates: ArrayLike) -> None:
        self._hold(weights, rates=rates)
        self._none_below_0("rates")

    @property
    def means(self) -> Floats:
        """``(K,)`` expected waits."""
        return np.asarray(1 / self.rates)

    @property
    def deviations(self) -> Floats:
        """``(K,)`` standard deviations of waits."""
        return self.means

    def simulate(self, components: Integers, random: np.random.Generator) -> Floats:
        """Draw whole waits of these ``components`` ``(n,)``, counted from 0."""
        with np.errstate(divide="ignore"):
            scales = 1 / self.rates[components]
        return np.asarray(random.exponential(scales))


@dataclass(frozen=True, slots=True)
class ExponentialPrior(RatePrior):
    """``rates[k] ~ Gamma(shape, rate)``, worth ``shape`` waits, one less at the mode, of ``rate`` together; weights Dirichlet."""


def _natural(rates: Any) -> tuple[Any, Any]:
    """Of the length of a wait, and of 1 where its end was seen."""
    import pytensor.tensor as pt

    return -rates, pt.log(rates)


def exponential_mixture(
    y: WaitingTimes | ArrayLike,
    n_components: int = 2,
    weights: Weights = "free",
    prior: ExponentialPrior | None = None,
    *,
    censored: ArrayLike | None = None,
    counts: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    likelihood: Likelihood = "pymc",
) -> pm.Model:
    """Build the PyMC model of a mixture of exponential distributions.

    Arguments are as in `em.exponential_mixture`, ``likelihood`` as in `models.coin_mixture`.

    Returns
    -------
    pymc.Model
        Free variables ``rates`` and, unless held, ``weights``, both with the dim ``component``; observed ``y``. What is drawn of
        ``y`` are whole waits. ``prior`` is `ExponentialPrior.weakly_informative` where None.
    """
    data = as_rows(WaitingTimes, "y", y, censored=censored, counts=counts, labels=labels)
    treated = asked("y", data, WaitingTimes, n_components, weights, prior, ExponentialPrior)
    prior = ExponentialPrior.weakly_informative(data) if prior is None else prior

    some = bool(data.censored.any())

    def log_density(y: Any, censored: Any, rates: Any) -> Any:
        import pymc as pm

        return log_density_of(pm.Exponential.dist(lam=rates), y, censored, (lambda t: -rates * t) if some else None)

    def drawn(censored: Floats, rates: Floats, rng: np.random.Generator) -> Floats:
        return np.asarray(rng.exponential(1 / rates))

    fused = NaturalForm(_natural, shift=np.array([0.0, 1.0]), turn=np.diag([1.0, -1.0]))
    return elementwise_model(
        data,
        treated,
        prior.concentration,
        lambda: prior.variables(n_components),
        log_density,
        drawn,
        fused=fused if asks_for_fused(likelihood) else None,
    )
