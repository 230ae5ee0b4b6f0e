"""Hidden Markov chains as a pair: Baum-Welch of `em`, and the PyMC model with a forward pass of its own.

The two engines share the nouns of `models.hidden_markov_chains` alone: EM's passes are compiled loops over scaled probabilities,
PyMC's is a scan in logarithms over its own distributions. There is no third density.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

import em
import models
from comparisons.pair import PRIOR, Pair, Values, taking
from em.hidden_markov_steps import Chain, Expected, chain_of
from models.hidden_markov_chains import OWN, ChainPrior, Emissions, Initial, Sequences, default_prior

if TYPE_CHECKING:
    import pymc as pm


def pair_of(
    n_states: int,
    emissions: Emissions,
    initial: Initial = "stationary",
    prior: ChainPrior | None = None,
    *,
    name: str = "hidden-markov",
    data: Sequences | None = None,
) -> Pair:
    """Pair of the two engines of a hidden Markov chain, whose data are `Sequences`.

    EM begins where the best fits of its own search began, and at the lower maxima that this found.

    Parameters
    ----------
    n_states, emissions, initial : as in `models.hidden_markov`
    prior : as there; made from the data where None
    name, data : of the pair

    Raises
    ------
    TypeError, ValueError
        with the data, for what does not fit
    """

    @cache
    def chain(y: Sequences) -> Chain:
        return chain_of(y, n_states, emissions, initial, prior or default_prior(y, emissions, n_states))

    @cache
    def without_prior(y: Sequences) -> Chain:
        return chain_of(y, n_states, emissions, initial, None)

    def model(y: Sequences) -> pm.Model:
        return models.hidden_markov(y, n_states, emissions, initial, chain(y).prior)

    def log_likelihood(y: Sequences, **values: Any) -> float:
        return e_step(y, **values).log_likelihood

    def log_prior(y: Sequences, **values: Any) -> float:
        return chain(y).log_prior(chain(y).from_names(values))

    def e_step(y: Sequences, **values: Any) -> Expected:
        return chain(y).e_step(chain(y).from_names(values))

    def m_step(expected: Expected, prior: bool, y: Sequences, **values: Any) -> Values:
        asked = chain(y) if prior else without_prior(y)
        return asked.by_name(asked.m_step(expected, asked.from_names(values)))

    def complete(expected: Expected, y: Sequences, **values: Any) -> float:
        asked = chain(y)
        p = asked.from_names(values)
        states = np.sum(expected.states * asked.state.log_densities(p.emissions))
        return float(states + np.sum(expected.moves * np.log(p.transitions)) + expected.first @ np.log(p.initial))

    @cache
    def start(y: Sequences) -> list[Values]:
        fits = [em.hidden_markov(y, n_states, emissions, initial, each) for each in (None, chain(y).prior)]
        lower = [mode.parameters for fit in fits for mode in fit.modes[1:] if mode.regular]
        return [chain(y).by_name(p) for p in [*(fit.path[0] for fit in fits), *lower]]

    free = ("initial",) if isinstance(initial, str) and initial == "free" else ()
    names = ("transitions", *free, *OWN[emissions])
    return Pair(
        model=model,
        log_likelihood=taking(log_likelihood, (*names, "y")),
        e_step=taking(e_step, (*names, "y")),
        m_step=taking(m_step, ("expected", PRIOR, *names, "y")),
        log_prior=taking(log_prior, (*names, "y")),
        complete=taking(complete, ("expected", *names, "y")),
        start=start,
        exchangeable=(*OWN[emissions], "transitions", *free),
        moves=("transitions",),
        name=name,
        data=data,
    )
