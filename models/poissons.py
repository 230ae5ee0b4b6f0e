"""Mixtures of Poisson counts: events with their exposure, parameters, prior, and the PyMC model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, xlogy

from models.elementwise import CountedRows, ElementwiseParameters, NaturalForm, RatePrior, asked, elementwise_model
from models.inputs import Floats, Integers, finite_array, whole_numbers
from models.mixture_distribution import Likelihood, asks_for_fused
from models.mixtures import Weights

if TYPE_CHECKING:
    import pymc as pm


@dataclass(frozen=True, slots=True, init=False, eq=False, repr=False)
class EventCounts(CountedRows):
    """Numbers of events, each seen over some exposure.

    Parameters
    ----------
    events : ``(n,)`` whole numbers from 0
    exposure : time, length or people over which the events of a row were counted, in one unit: one positive number for all
        rows or ``(n,)``; 1 where left out
    counts : ``(n,)`` how many times such a row was seen; 1 each where left out
    labels : ``(n,)`` index of the component, -1 where not known; all unknown where left out

    Raises
    ------
    TypeError
        if booleans, strings or other objects stand where numbers belong
    ValueError
        if a value is missing, not whole, negative, or an exposure not positive; the message names the first such row
    """

    events: Integers
    exposure: Floats
    counts: Integers
    labels: Integers

    def __init__(
        self,
        events: ArrayLike,
        exposure: ArrayLike = 1.0,
        counts: ArrayLike | None = None,
        labels: ArrayLike | None = None,
    ) -> None:
        numbers = whole_numbers("events", events, least=0)
        n = len(numbers)
        over = finite_array("exposure", np.full(n, exposure) if np.ndim(exposure) == 0 else exposure, (1,))
        if len(over) != n:
            raise ValueError(
                f"exposure has {len(over)} values but events has {n}; give one number for all rows or one per row"
            )
        if not (over > 0).all():
            row = int(np.argmin(over > 0))
            raise ValueError(f"exposure[{row}] is {over[row]:g}; events are counted over a positive exposure")
        self._hold(counts, labels, events=numbers, exposure=over)

    @property
    def rate(self) -> float:
        """Events over exposure, of all rows together."""
        return float((self.counts @ self.events) / (self.counts @ self.exposure))

    @property
    def no_events(self) -> str:
        """What there is where the rate is 0."""
        return "events are 0 in every row"


@dataclass(frozen=True, slots=True, init=False, eq=False, repr=False)
class PoissonParameters(ElementwiseParameters):
    """A mixture of Poisson distributions.

    Parameters
    ----------
    weights : ``(n_components,)`` probability of each component, summing to 1
    rates : ``(n_components,)`` expected events for each unit of exposure

    Raises
    ------
    ValueError
        if lengths differ, a rate is negative, or the weights do not sum to 1
    """

    weights: Floats
    rates: Floats

    def __init__(self, weights: ArrayLike, rates: ArrayLike) -> None:
        self._hold(weights, rates=rates)
        self._none_below_0("rates")

    def simulate(self, components: Integers, exposure: Floats, random: np.random.Generator) -> Integers:
        """Draw the events of rows of these ``components`` ``(n,)``, counted from 0, over such an exposure ``(n,)``."""
        return np.asarray(random.poisson(exposure * self.rates[components]))


@dataclass(frozen=True, slots=True)
class PoissonPrior(RatePrior):
    """The conjugate prior of a mixture of Poisson distributions; the same for every component.

    Parameters
    ----------
    shape, rate : ``rates[k] ~ Gamma(shape, rate)``, of mean ``shape / rate``: worth ``shape`` events, one less at the mode, in
        an exposure of ``rate``
    concentration : ``weights ~ Dirichlet(concentration, ..., concentration)``. 1, the default, is uniform.

    Raises
    ------
    ValueError
        if a number is not positive: the prior would not be proper
    """


def _log_density(events: Any, exposure: Any, rates: Any) -> Any:
    import pymc as pm

    return pm.logp(pm.Poisson.dist(mu=exposure * rates), events)


def _natural_form(events: EventCounts) -> NaturalForm:
    """Of events and exposure."""
    import pytensor.tensor as pt

    y = events.events.astype(float)
    return NaturalForm(lambda rates: (pt.log(rates), -rates), xlogy(y, events.exposure) - gammaln(y + 1))


def poisson_mixture(
    events: EventCounts,
    n_components: int = 2,
    weights: Weights = "free",
    prior: PoissonPrior | None = None,
    likelihood: Likelihood = "pymc",
) -> pm.Model:
    """Build the PyMC model of a mixture of Poisson distributions.

    Data and prior numbers are `pymc.Data`, so that a compiled model serves other rows with ``with_data``. Many equal rows cost
    much less as ``events.distinct()``, which counts them.

    Parameters
    ----------
    events : rows ``(n,)`` with their exposure, with counts and known labels if there are any
    n_components : K
    weights : ``"free"``, ``"equal"``, or ``(K,)`` values held fixed
    prior : `PoissonPrior.weakly_informative` where None
    likelihood : as in `models.coin_mixture`

    Returns
    -------
    pymc.Model
        Free variables ``rates`` and, unless held, ``weights``, both with the dim ``component``; observed ``events``. Its
        posterior is symmetric in exchangeable components: see `models.canonical_order`.

    Raises
    ------
    ValueError
        for rows fewer than components, or weights or labels that do not fit

    References
    ----------
    Hasselblad (1969), Journal of the American Statistical Association 64, 1459.
    """
    treated = asked("events", events, EventCounts, n_components, weights, prior, PoissonPrior)
    prior = PoissonPrior.weakly_informative(events) if prior is None else prior

    def drawn(exposure: Floats, rates: Floats, rng: np.random.Generator) -> Integers:
        return np.asarray(rng.poisson(exposure * rates))

    fused = _natural_form(events.seen()) if asks_for_fused(likelihood) else None
    return elementwise_model(
        events, treated, prior.concentration, lambda: prior.variables(n_components), _log_density, drawn, fused=fused
    )
