"""The PyMC model of coins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.coins.binomial_distribution import binomial_logp, log_largest, many_tosses
from models.inputs import (
    Integers,
    instance_of,
)
from models.mixture_distribution import add_weights, draw_components, mixture_log_density, take_components
from models.mixtures import MixtureWeights, Weights, checked_labels, enough_rows

if TYPE_CHECKING:
    import pymc as pm
from models.coins.nouns import CoinPrior, CoinTosses


def _logp(heads: Any, tosses: Any, weights: Any, probabilities: Any, counts: Any, labels: Any) -> Any:
    import pymc as pm
    import pytensor.tensor as pt

    binomial = pm.Binomial.dist(n=tosses[..., None], p=probabilities)
    return mixture_log_density(pt.log(weights), pm.logp(binomial, heads[..., None]), counts, labels)


def _logp_of_many(
    heads: Any, tosses: Any, weights: Any, probabilities: Any, counts: Any, labels: Any, largest: Any
) -> Any:
    import pytensor.tensor as pt

    log_densities = binomial_logp(heads[..., None], tosses[..., None], probabilities, largest[..., None])
    return mixture_log_density(pt.log(weights), log_densities, counts, labels)


def _random(
    tosses: Any, weights: Any, probabilities: Any, counts: Any, labels: Any, *_: Any, rng: Any = None, size: Any = None
) -> Integers:
    component = draw_components(weights, labels, size, rng)
    drawn = rng.binomial(np.asarray(tosses).astype(np.int64), take_components(probabilities, component, core=0))
    return np.asarray(drawn if tosses.dtype.kind == "i" else drawn.astype(float))


def coin_mixture(
    tosses: CoinTosses,
    n_components: int = 2,
    weights: Weights = "free",
    prior: CoinPrior | None = None,
) -> pm.Model:
    """Build the PyMC model of a mixture of coins.

    Data and prior numbers are `pymc.Data`, so that a compiled model serves other bags with ``with_data``. Rows stay as they
    are given, but for those counted 0 times; many equal bags cost much less as ``tosses.distinct()``, which counts them, and
    then a posterior predictive draw is one draw for each distinct bag.

    Parameters
    ----------
    tosses : bags ``(n_bags,)``, with counts and known labels if there are any
    n_components : number of coins, K
    weights : ``"free"``, ``"equal"``, or ``(K,)`` values held fixed
    prior : uniform where None

    Returns
    -------
    pymc.Model
        Free variables ``head_probabilities`` and, unless held, ``weights``, both with the dim ``component``; observed
        ``heads``. Its posterior is symmetric in exchangeable coins: see `models.canonical_order`.

    Raises
    ------
    ValueError
        for bags fewer than coins, or weights or labels that do not fit

    References
    ----------
    Do & Batzoglou (2008), Nature Biotechnology 26, 897.
    """
    import pymc as pm

    instance_of("tosses", tosses, CoinTosses)
    treated = MixtureWeights.of(weights, n_components)
    enough_rows(tosses.n, n_components)
    prior = CoinPrior() if prior is None else prior
    instance_of("prior", prior, CoinPrior)
    checked_labels(tosses.labels, n_components)
    data = tosses.seen()
    many = many_tosses(data.tosses)
    # Bounds need no checks: the transforms keep every value inside, and the graph compiles faster without.
    with pm.Model(coords={"component": range(n_components)}, check_bounds=False) as model:
        # PyMC holds whole numbers in 32 bits, which 2e9 tosses leave without a word.
        numbers = np.float64 if many else np.int64
        observed = pm.Data("observed_heads", data.heads.astype(numbers))
        bags = pm.Data("tosses", data.tosses.astype(numbers))
        counts = pm.Data("counts", data.counts.astype(float))
        known = pm.Data("labels", np.array(data.labels))
        largest = [pm.Data("log_largest", log_largest(data.heads, data.tosses))] if many else []
        w = add_weights(treated, prior.concentration, data.labels)
        p = pm.Beta(
            "head_probabilities",
            pm.Data("prior_heads", prior.heads),
            pm.Data("prior_tails", prior.tails),
            dims="component",
            shape=(n_components,),
        )
        pm.CustomDist(
            "heads",
            bags,
            w,
            p,
            counts,
            known,
            *largest,
            logp=_logp_of_many if many else _logp,
            random=_random,
            signature="(),(k),(k),(),(),()->()" if many else "(),(k),(k),(),()->()",
            dtype="float64" if many else "int64",
            class_name="CoinMixture",
            observed=observed,
        )
    return model
