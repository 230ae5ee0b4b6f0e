"""Mixtures of Poisson counts: events with their exposure, parameters, prior, and the PyMC model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from models.display import displayed
from models.inputs import (
    Floats,
    Integers,
    distinct_rows,
    finite_array,
    instance_of,
    one_each,
    positive_number,
    reordered,
    row_counts,
    row_labels,
    weight_vector,
    whole_numbers,
)
from models.mixture_distribution import add_weights, draw_components, mixture_log_density, take_components
from models.mixtures import MixtureWeights, Weights, checked_labels, enough_rows

if TYPE_CHECKING:
    import pymc as pm


@dataclass(frozen=True, slots=True, init=False, eq=False)
class EventCounts:
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
        object.__setattr__(self, "events", numbers)
        object.__setattr__(self, "exposure", over)
        object.__setattr__(self, "counts", row_counts(counts, n))
        object.__setattr__(self, "labels", row_labels(labels, n))

    __repr__ = displayed

    @property
    def n(self) -> int:
        """Number of rows, each counted as often as it was seen."""
        return int(self.counts.sum())

    @property
    def rate(self) -> float:
        """Events over exposure, of all rows together."""
        return float((self.counts @ self.events) / (self.counts @ self.exposure))

    def seen(self) -> EventCounts:
        """The same data without the rows that were counted 0 times, which are not there."""
        kept = self.counts > 0
        return EventCounts(self.events[kept], self.exposure[kept], self.counts[kept], self.labels[kept])

    def distinct(self) -> EventCounts:
        """The same data as sorted distinct (label, exposure, events) with their counts: what row order cannot change."""
        seen = self.seen()
        unique, counts = distinct_rows(np.column_stack([seen.labels, seen.exposure, seen.events]), seen.counts)
        labels, exposure, events = unique.T
        return EventCounts(events, exposure, counts, labels.astype(np.int64))


@dataclass(frozen=True, slots=True, init=False, eq=False)
class PoissonParameters:
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
        chances = weight_vector("weights", weights)
        expected = one_each("rates", rates, chances)
        if (expected < 0).any():
            k = int(np.argmax(expected < 0))
            raise ValueError(f"rates[{k}] is {expected[k]:g}; a rate is 0 at least")
        object.__setattr__(self, "weights", chances)
        object.__setattr__(self, "rates", expected)

    __repr__ = displayed

    @property
    def n_components(self) -> int:
        """Number of components."""
        return len(self.weights)

    @property
    def order_keys(self) -> Floats:
        """``(..., n_components, 2)`` what canonical order compares: rate, then weight."""
        return np.stack([self.rates, self.weights], axis=-1)

    def simulate(self, components: Integers, exposure: Floats, random: np.random.Generator) -> Integers:
        """Draw the events of rows of these ``components`` ``(n,)``, counted from 0, over such an exposure ``(n,)``."""
        return np.asarray(random.poisson(exposure * self.rates[components]))

    def permuted(self, permutation: ArrayLike) -> PoissonParameters:
        """The same mixture with its components read in the order ``permutation``."""
        return reordered(self, permutation)


@dataclass(frozen=True, slots=True)
class PoissonPrior:
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

    shape: float
    rate: float
    concentration: float = 1.0

    def __post_init__(self) -> None:
        for name in ("shape", "rate", "concentration"):
            object.__setattr__(self, name, positive_number(name, getattr(self, name)))

    @classmethod
    def weakly_informative(cls, data: EventCounts) -> PoissonPrior:
        """Gamma of shape 2 about the rate of all rows together, and one row more for each weight.

        Worth two events, so that nine in ten rates lie between a sixth of the overall one and two and a half times it; the mode
        empties no component and none is at a rate of 0.

        Raises
        ------
        ValueError
            if no row has an event: there is no rate to be about
        """
        if data.rate == 0:
            raise ValueError("events are 0 in every row, so there is no rate for a prior to be about; give a prior")
        return cls(shape=2.0, rate=2.0 / data.rate, concentration=2.0)


def _logp(events: Any, exposure: Any, weights: Any, rates: Any, counts: Any, labels: Any) -> Any:
    import pymc as pm
    import pytensor.tensor as pt

    poisson = pm.Poisson.dist(mu=exposure[..., None] * rates)
    return mixture_log_density(pt.log(weights), pm.logp(poisson, events[..., None]), counts, labels)


def _random(
    exposure: Any, weights: Any, rates: Any, counts: Any, labels: Any, rng: Any = None, size: Any = None
) -> Integers:
    component = draw_components(weights, labels, size, rng)
    return np.asarray(rng.poisson(np.asarray(exposure) * take_components(rates, component, core=0)))


def poisson_mixture(
    events: EventCounts,
    n_components: int = 2,
    weights: Weights = "free",
    prior: PoissonPrior | None = None,
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
    import pymc as pm

    instance_of("events", events, EventCounts)
    treated = MixtureWeights.of(weights, n_components)
    enough_rows(events.n, n_components)
    checked_labels(events.labels, n_components)
    prior = PoissonPrior.weakly_informative(events) if prior is None else prior
    instance_of("prior", prior, PoissonPrior)
    data = events.seen()
    # Bounds need no checks: the transforms keep every value inside, and the graph compiles faster without.
    with pm.Model(coords={"component": range(n_components)}, check_bounds=False) as model:
        # PyMC holds whole numbers in 32 bits, which large counts leave without a word.
        observed = pm.Data("observed_events", data.events.astype(float))
        over = pm.Data("exposure", np.array(data.exposure))
        counts = pm.Data("counts", data.counts.astype(float))
        known = pm.Data("labels", np.array(data.labels))
        w = add_weights(treated, prior.concentration, data.labels)
        rates = pm.Gamma(
            "rates",
            alpha=pm.Data("prior_shape", prior.shape),
            beta=pm.Data("prior_rate", prior.rate),
            dims="component",
            shape=(n_components,),
        )
        pm.CustomDist(
            "events",
            over,
            w,
            rates,
            counts,
            known,
            logp=_logp,
            random=_random,
            signature="(),(k),(k),(),()->()",
            dtype="float64",
            class_name="PoissonMixture",
            observed=observed,
        )
    return model
