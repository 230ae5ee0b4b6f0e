"""The PyMC model of coins."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import gammaln

from models.coins.binomial_distribution import FEW_TOSSES, binomial_logp, log_largest, many_tosses
from models.inputs import (
    Floats,
    Integers,
    instance_of,
)
from models.mixture_distribution import (
    Likelihood,
    add_weights,
    asks_for_fused,
    draw_components,
    fused_log_density,
    mixture_log_density,
    take_components,
)
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


def _logp_in_one_pass(
    heads: Any, tosses: Any, weights: Any, probabilities: Any, counts: Any, labels: Any, coefficient: Any
) -> Any:
    import pytensor.tensor as pt

    natural = pt.log(weights), pt.log(probabilities), pt.log1p(-probabilities), pt.ones_like(probabilities)
    # Heads, tails and the log binomial coefficient.
    turn = np.array([[1.0, 0.0, 0.0], [-1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    return fused_log_density(natural, counts, labels, (heads, tosses, coefficient), turn=turn)


def _random(
    tosses: Any, weights: Any, probabilities: Any, counts: Any, labels: Any, *_: Any, rng: Any = None, size: Any = None
) -> Integers:
    component = draw_components(weights, labels, size, rng)
    drawn = rng.binomial(np.asarray(tosses).astype(np.int64), take_components(probabilities, component, core=0))
    return np.asarray(drawn if tosses.dtype.kind == "i" else drawn.astype(float))


def _log_coefficient(tosses: CoinTosses) -> Floats:
    """``(n_bags,)`` log binomial coefficients."""
    h, t = tosses.heads, tosses.tosses
    return np.asarray(gammaln(t + 1) - gammaln(h + 1) - gammaln(t - h + 1))


def coin_mixture(
    tosses: CoinTosses,
    n_components: int = 2,
    weights: Weights = "free",
    prior: CoinPrior | None = None,
    likelihood: Likelihood = "pymc",
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
    likelihood : ``"pymc"``, of PyMC's own distributions, or ``"fused"``, the same by one compiled pass over the rows, which is
        faster the more there are; it has no second derivatives

    Returns
    -------
    pymc.Model
        Free variables ``head_probabilities`` and, unless held, ``weights``, both with the dim ``component``; observed
        ``heads``. Its posterior is symmetric in exchangeable coins: see `models.canonical_order`.

    Raises
    ------
    ValueError
        for bags fewer than coins, weights or labels that do not fit, or a fused likelihood of bags of more than 1000 tosses

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
    many, fused = many_tosses(data.tosses), asks_for_fused(likelihood)
    if many and fused:
        raise ValueError(
            f'likelihood is "fused" but a bag has {data.tosses.max()} tosses; beyond {FEW_TOSSES} it loses digits, so give "pymc"'
        )
    # Bounds need no checks: the transforms keep every value inside, and the graph compiles faster without.
    with pm.Model(coords={"component": range(n_components)}, check_bounds=False) as model:
        # PyMC holds whole numbers in 32 bits, which 2e9 tosses leave without a word.
        numbers = np.float64 if many else np.int64
        observed = pm.Data("observed_heads", data.heads.astype(numbers))
        bags = pm.Data("tosses", data.tosses.astype(numbers))
        counts = pm.Data("counts", data.counts.astype(float))
        known = pm.Data("labels", np.array(data.labels))
        further: list[Any] = []
        logp: Callable[..., Any] = _logp
        if many:
            further, logp = [pm.Data("log_largest", log_largest(data.heads, data.tosses))], _logp_of_many
        elif fused:
            further, logp = [pm.Data("log_coefficient", _log_coefficient(data))], _logp_in_one_pass
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
            *further,
            logp=logp,
            random=_random,
            signature=f"(),(k),(k),(),(){',()' * len(further)}->()",
            dtype="float64" if many else "int64",
            class_name="CoinMixture",
            observed=observed,
        )
    return model
