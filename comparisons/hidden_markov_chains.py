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
from comparisons.pair import PRIOR, Pair, Values, Words, taking
from comparisons.results.result import N_STATES
from em.hidden_markov_steps import Chain, Expected, chain_of
from models.hidden_markov_chains import OWN, ChainPrior, Emissions, Initial, Sequences, default_prior

if TYPE_CHECKING:
    import pymc as pm

# As a family of own data.
NAME = "hidden-markov"
# What states emit is called so in own data, and what a number of one is given its state.
VALUES: dict[Emissions, str] = {"normal": "value", "poisson": "events", "binomial": "heads"}
DENSITIES: dict[Emissions, str] = {
    "normal": "Normal(means[k], variances[k])",
    "poisson": "Poisson(rates[k])",
    "binomial": "Binomial(tosses[t], head_probabilities[k])",
}
COLUMNS_TOLD = (
    "measurements of any name, or events, or heads and tosses (1 where left out), in the order of time; and sequence, where "
    "there are several; of what was seen cells may be missing"
)
MOVES = "and one move more for each transition, so that the mode leaves none at 0."
# One sentence that defends each default prior.
REASONS: dict[Emissions, str] = {
    "normal": f"Read off the data: mean and scale of a state as of a normal mixture of these values; {MOVES}",
    "poisson": f"Read off the data: gamma about the mean of the counts, worth two events; {MOVES}",
    "binomial": "Uniform in the head probabilities and in each row of transitions.",
}


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

    def words(y: Sequences) -> Words:
        return words_of(y, n_states, emissions, initial, chain(y).prior)

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
        words=words,
        name=name,
        data=data,
    )


def words_of(y: Sequences, n_states: int, emissions: Emissions, initial: Initial, prior: Any) -> Words:
    """What a report says of a chain and its data."""
    how = initial if isinstance(initial, str) else f"held at {', '.join(f'{p:.6g}' for p in np.ravel(initial))}"
    first = {"stationary": "stationary(transitions)", "free": "initial"}.get(how, how)
    shares = f"Dirichlet({', '.join([f'{prior.concentration:.6g}'] * n_states)})"
    told = [f"transitions[j] ~ {shares}", *([f"initial ~ {shares}"] if how == "free" else [])]
    tosses = {"tosses": y.tosses} if emissions == "binomial" else {}
    several = {"sequence": np.repeat(np.arange(1, len(y.lengths) + 1), y.lengths)} if len(y.lengths) > 1 else {}
    return Words(
        family=NAME,
        options={N_STATES: str(n_states), "emissions": emissions, "first state": how},
        formula=[
            f"state[1] ~ {first}" if len(y.lengths) == 1 else f"state[t] ~ {first} where a sequence begins",
            "state[t] | state[t - 1] = j ~ Categorical(transitions[j])",
            f"{VALUES[emissions]}[t] | state[t] = k ~ {DENSITIES[emissions]}",
        ],
        prior=[*told, *_priors_told(emissions, prior)],
        columns={VALUES[emissions]: y.y, **tosses, **several},
    )


def _priors_told(emissions: Emissions, prior: Any) -> list[str]:
    """The priors of the states' own parameters, as lines of mathematics."""
    if emissions == "poisson":
        return [f"rates[k] ~ Gamma({prior.shape:.6g}, {prior.rate:.6g})"]
    if emissions == "binomial":
        return [f"head_probabilities[k] ~ Beta({prior.heads:.6g}, {prior.tails:.6g})"]
    spread, scale = prior.degrees_of_freedom / 2, prior.scale[0, 0] / 2
    return [
        f"variances[k] ~ InverseGamma({spread:.6g}, {scale:.6g})",
        f"means[k] | variances[k] ~ Normal({prior.mean[0]:.6g}, variances[k] / {prior.shrinkage:.6g})",
    ]
