"""Hidden Markov chains: sequences, parameters, and the PyMC model by a forward pass of its own.

    z_1 ~ initial,   z_t | z_(t-1) = j ~ transitions[j],   y_t | z_t = k ~ f_k

with f_k normal, Poisson or binomial (a coin). The forward pass of the model is a scan in logarithms; where a sequence begins
what came before is added up, so that it runs over the sequences as if they were one. States that last other than geometric times
are not modelled. Source: Zucchini & MacDonald (2009), Hidden Markov Models for Time Series, chapter 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from models.coins.nouns import CoinPrior
from models.display import displayed
from models.gaussians.nouns import GaussianPrior
from models.inputs import Floats, Integers, finite_array, read_only, shown, weight_vector, whole_number, whole_numbers
from models.poissons import PoissonPrior

if TYPE_CHECKING:
    import pymc as pm

type Emissions = Literal["normal", "poisson", "binomial"]
type Initial = Literal["free", "stationary"] | ArrayLike
type ChainPrior = PoissonPrior | CoinPrior | GaussianPrior

PRIORS: dict[str, type[Any]] = {"normal": GaussianPrior, "poisson": PoissonPrior, "binomial": CoinPrior}
# Parameters of a state, the first of which orders states.
OWN = {"normal": ("means", "variances"), "poisson": ("rates",), "binomial": ("head_probabilities",)}


@dataclass(frozen=True, slots=True, init=False, eq=False)
class Sequences:
    """One or several sequences, one after the other.

    Parameters
    ----------
    y : ``(n,)`` numbers in the order of time, whole ones of counts and heads; NaN where missing
    lengths : of the sequences, which sum to n; one sequence where left out
    tosses : of coins, the tosses of which y are heads: one number or ``(n,)``

    Raises
    ------
    TypeError, ValueError
        for what is no number, infinite, or does not fit together; the message names the first such place
    """

    y: Floats
    lengths: Integers
    tosses: Integers

    def __init__(self, y: ArrayLike, lengths: ArrayLike | None = None, tosses: ArrayLike = 1) -> None:
        values = finite_array("y", y, (1,), missing=True)
        n = len(values)
        parts = whole_numbers("lengths", [n] if lengths is None else lengths, least=1)
        if parts.sum() != n:
            raise ValueError(f"lengths sum to {parts.sum()} but y has {n} values; give the length of each sequence")
        tossed = whole_numbers("tosses", np.full(n, tosses) if np.ndim(tosses) == 0 else tosses, least=1)
        if len(tossed) != n:
            raise ValueError(f"tosses has {len(tossed)} values but y has {n}; give one number for all or one each")
        for name, value in (("y", values), ("lengths", parts), ("tosses", tossed)):
            object.__setattr__(self, name, read_only(value))

    __repr__ = displayed

    @property
    def begins(self) -> Any:
        """``(n,)`` whether a sequence begins here."""
        return np.isin(np.arange(len(self.y)), np.cumsum(self.lengths) - self.lengths)

    def checked(self, emissions: Emissions, n_states: int, prior: ChainPrior | None) -> Sequences:
        """Refuse values that such states cannot emit, and data that say nothing of so many; ValueError."""
        if not isinstance(emissions, str) or emissions not in OWN:
            raise ValueError(f'emissions is {shown(emissions)}; give "normal", "poisson" or "binomial"')
        seen = ~np.isnan(self.y)
        if not seen.any():
            raise ValueError("y has no value that was seen, all are NaN; give some")
        if emissions != "normal":
            most = self.tosses if emissions == "binomial" else np.inf
            wrong = seen & ((self.y < 0) | (self.y > most) | (self.y != np.floor(np.where(seen, self.y, 0))))
            if wrong.any():
                at, upto = int(np.argmax(wrong)), " to tosses" if emissions == "binomial" else ""
                further = "tosses of Sequences where these are more" if upto else 'emissions="normal" for measurements'
                raise ValueError(
                    f"y[{at}] is {self.y[at]:g}; {emissions} states emit whole numbers from 0{upto}: correct it, make it NaN "
                    f"where it is not known, or give {further}"
                )
        if seen.sum() < n_states:
            were = "value that was" if seen.sum() == 1 else "values that were"
            raise ValueError(
                f"n_states is {n_states} but y has {seen.sum()} {were} seen; ask for fewer states, or give more values"
            )
        if emissions == "normal" and prior is None and np.ptp(self.y[seen]) == 0:
            at = int(np.argmax(seen))
            raise ValueError(
                f"y is {self.y[at]:g} wherever it was seen, from y[{at}] on, and has no spread to model; give values that "
                "differ, or a prior: models.GaussianPrior"
            )
        return self


@dataclass(frozen=True, slots=True, init=False, eq=False)
class HiddenMarkovParameters:
    """A hidden Markov chain.

    Parameters
    ----------
    initial : ``(K,)`` distribution of the first state
    transitions : ``(K, K)`` chances of the next state, by rows of the state before
    emissions : ``(K,)`` arrays by name: ``rates``, ``head_probabilities``, or ``means`` and ``variances``

    Raises
    ------
    ValueError
        for shapes that do not fit, or rows that do not sum to 1
    """

    initial: Floats
    transitions: Floats
    emissions: Mapping[str, Floats]

    def __init__(self, initial: ArrayLike, transitions: ArrayLike, emissions: Mapping[str, ArrayLike]) -> None:
        first = weight_vector("initial", initial)
        k = len(first)
        rows = finite_array("transitions", transitions, (2,))
        if rows.shape != (k, k):
            raise ValueError(f"transitions has shape {rows.shape} but initial has {k} values; give ({k}, {k})")
        rows = np.stack([weight_vector(f"transitions[{j}]", row) for j, row in enumerate(rows)])
        own = {name: read_only(finite_array(name, value, (1,))) for name, value in emissions.items()}
        if wrong := [name for name, value in own.items() if len(value) != k]:
            raise ValueError(f"{wrong[0]} has {len(own[wrong[0]])} values but there are {k} states; give one each")
        for name, value in (("initial", first), ("transitions", read_only(rows)), ("emissions", MappingProxyType(own))):
            object.__setattr__(self, name, value)

    __repr__ = displayed


def default_prior(data: Sequences, emissions: Emissions, n_states: int) -> ChainPrior:
    """Weakly informative as of the mixture; its concentration is that of the first state and of each row of transitions."""
    from models.poissons import EventCounts

    seen = data.y[~np.isnan(data.y)]
    if emissions == "poisson":
        if not seen.any():
            raise ValueError(
                "y is 0 wherever it was seen, so there is no rate for the default prior to be about; give "
                "prior=models.PoissonPrior(shape=..., rate=...)"
            )
        return PoissonPrior.weakly_informative(EventCounts(seen))
    return CoinPrior() if emissions == "binomial" else GaussianPrior.weakly_informative(seen, n_states)


def held_initial(initial: Initial, n_states: int) -> Floats | None:
    """``(K,)`` at which the distribution of the first state is held, None where it is not; ValueError."""
    whole_number("n_states", n_states, least=1)
    if isinstance(initial, str):
        if initial not in ("free", "stationary"):
            raise ValueError(f'initial is {shown(initial)}; give "free", "stationary" or {n_states} numbers')
        return None
    if initial is None:
        raise TypeError(f'initial is None; give "free", "stationary" or {n_states} numbers')
    held = weight_vector("initial", initial)
    if len(held) != n_states:
        raise ValueError(f"initial has {len(held)} values but n_states is {n_states}; give one each")
    return held


def checked_prior(prior: Any, emissions: Emissions) -> None:
    """Refuse a prior of other emissions; TypeError."""
    if not isinstance(prior, PRIORS[emissions]):
        raise TypeError(f"prior is {shown(prior)}; of {emissions} states give a models.{PRIORS[emissions].__name__}")


def hidden_markov(
    y: ArrayLike | Sequences,
    n_states: int = 2,
    emissions: Emissions = "normal",
    initial: Initial = "free",
    prior: ChainPrior | None = None,
) -> pm.Model:
    """Build the PyMC model of a hidden Markov chain, its states summed out.

    Parameters
    ----------
    y : ``(n,)`` in the order of time, NaN where missing; or `Sequences`
    n_states : K
    emissions : ``"normal"``, ``"poisson"`` or ``"binomial"``
    initial : distribution of the first state: ``"free"``, ``"stationary"`` (that of the transitions), or ``(K,)`` held fixed
    prior : `GaussianPrior`, `PoissonPrior` or `CoinPrior`, whose concentration is that of the first state and of each row of
        transitions; the default of the mixture where None

    Returns
    -------
    pymc.Model
        Free variables ``transitions`` (dims ``state``, ``next_state``), ``initial`` where it is free, and ``rates``,
        ``head_probabilities``, or ``means`` and ``variances``, with the dim ``state``; observed ``y``

    Raises
    ------
    TypeError, ValueError
        for what does not fit, with its place

    References
    ----------
    Zucchini & MacDonald (2009), Hidden Markov Models for Time Series, chapter 2.
    """
    import pymc as pm
    import pytensor
    import pytensor.tensor as pt

    held, k = held_initial(initial, n_states), n_states
    data = (y if isinstance(y, Sequences) else Sequences(y)).checked(emissions, k, prior)
    prior = default_prior(data, emissions, k) if prior is None else prior
    checked_prior(prior, emissions)
    states = [str(j + 1) for j in range(k)]

    def logp(value: Any, missing: Any, first: Any, rows: Any, *own: Any) -> Any:
        at, missing = value[:, None], missing[:, None] > 0
        if emissions == "poisson":
            density = pm.logp(pm.Poisson.dist(mu=own[0]), at)
        elif emissions == "binomial":
            density = pm.logp(pm.Binomial.dist(n=data.tosses[:, None], p=own[0]), at)
        else:
            density = pm.logp(pm.Normal.dist(mu=own[0], sigma=pt.sqrt(own[1])), at)
        density = pt.switch(missing, 0.0, density)
        log_first, log_rows = pt.log(first), pt.log(rows)

        def following(row: Any, begins: Any, before: Any, log_first: Any, log_rows: Any) -> Any:
            anew = pt.logsumexp(before) + log_first
            return pt.switch(begins, anew, pt.logsumexp(before[:, None] + log_rows, axis=0)) + row

        nothing = pt.full((k,), -np.log(k))
        forward = pytensor.scan(
            following,
            sequences=[density, pt.as_tensor(data.begins.astype(float))],
            outputs_info=nothing,
            non_sequences=[log_first, log_rows],
            return_updates=False,
        )
        return pt.logsumexp(forward[-1])

    with pm.Model(coords={"state": states, "next_state": states}, check_bounds=False) as model:
        rows = pm.Dirichlet("transitions", np.full((k, k), prior.concentration), dims=("state", "next_state"))
        if held is not None:
            first = pt.as_tensor(np.asarray(held))
        elif initial == "free":
            first = pm.Dirichlet("initial", np.full(k, prior.concentration), dims="state")
        else:
            first = pt.linalg.solve((pt.eye(k) - rows + 1.0).T, pt.ones(k))
        own = _own(emissions, prior)
        signature = f"(n),(k),(k,k){',(k)' * len(own)}->(n)"
        # PyMC fills in what is NaN in data that it is given.
        missing, seen = np.isnan(data.y).astype(float), np.nan_to_num(data.y)
        pm.CustomDist("y", missing, first, rows, *own, logp=logp, signature=signature, observed=seen)
    return model


def _own(emissions: Emissions, prior: Any) -> list[Any]:
    """Add the parameters of the states to the model on the context stack."""
    import pymc as pm

    # Numbers as arrays, since PyTensor may take one of Python's for one of less precision.
    if emissions == "poisson":
        return [pm.Gamma("rates", alpha=np.array(prior.shape), beta=np.array(prior.rate), dims="state")]
    if emissions == "binomial":
        return [pm.Beta("head_probabilities", np.array(prior.heads), np.array(prior.tails), dims="state")]
    mean, scale, spread = np.array(prior.mean[0]), np.array(prior.scale[0, 0]), np.array(prior.degrees_of_freedom)
    variances = pm.InverseGamma("variances", alpha=spread / 2, beta=scale / 2, dims="state")
    deviations = pm.math.sqrt(variances / np.array(prior.shrinkage))
    return [pm.Normal("means", mean, deviations, dims="state"), variances]
