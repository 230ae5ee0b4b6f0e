"""EM for mixtures of coins: bags of tosses, each bag tossed with one of K coins that is not known.

    E-step:  r_ik  proportional to  w_k p_k^h_i (1 - p_k)^(t_i - h_i)
    M-step:  p_k = (sum_i r_ik h_i + a - 1) / (sum_i r_ik t_i + a + b - 2),
             w_k = (sum_i r_ik + c - 1) / (n + K (c - 1))

with the prior ``p_k ~ Beta(a, b)``, ``w ~ Dirichlet(c)``; a = b = c = 1 without one. Source: Do & Batzoglou (2008),
Nature Biotechnology 26, 897; Dempster, Laird & Rubin (1977), JRSS B 39, 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betaln, gammaln, xlog1py, xlogy

from em.coins.binomials import FEW_TOSSES, deviances, largest_log_probability
from em.mixture import log_weights, responsibilities, trusted
from em.weights import log_dirichlet, mode_of_weights
from models.coins.nouns import CoinParameters, CoinPrior, CoinTosses
from models.inputs import Floats
from models.mixtures import MixtureWeights


def log_densities(parameters: CoinParameters, tosses: CoinTosses) -> Floats:
    """``(..., n_bags, n_components)`` log probability of each bag's heads under each coin, binomial coefficient included."""
    h, t = tosses.heads[:, None], tosses.tosses[:, None]
    p = parameters.head_probabilities[..., None, :]
    if many_tosses(tosses):
        return largest_log_probability(h, t) - deviances(h, t, p)
    coefficient = gammaln(t + 1) - gammaln(h + 1) - gammaln(t - h + 1)
    return np.asarray(coefficient + xlogy(h, p) + xlog1py(t - h, -p))


def many_tosses(tosses: CoinTosses) -> bool:
    """Whether there is a bag of so many tosses that its probability has to be computed by differences."""
    return bool(tosses.tosses.max(initial=0) > FEW_TOSSES)


def log_likelihood(parameters: CoinParameters, tosses: CoinTosses) -> float:
    """Log probability of all tosses, the hidden coins summed out.

    Natural log, summed over bags, binomial coefficients included, so it compares across models.

    Parameters
    ----------
    parameters : weights ``(n_components,)``, head probabilities ``(n_components,)``
    tosses : heads and tosses ``(n_bags,)``, each row counted ``counts`` times

    References
    ----------
    Do & Batzoglou (2008), Nature Biotechnology 26, 897.
    """
    return e_step(parameters, tosses).log_likelihood


def log_prior(parameters: CoinParameters, prior: CoinPrior, weights: MixtureWeights) -> Floats:
    """``(...)`` log density of the prior at the parameters, in nats; weights held fixed have none."""
    p = parameters.head_probabilities
    beta = xlogy(prior.heads - 1, p) + xlog1py(prior.tails - 1, -p) - betaln(prior.heads, prior.tails)
    return np.asarray(beta).sum(axis=-1) + log_dirichlet(parameters.weights, weights.fixed, prior.concentration)


@dataclass(frozen=True, slots=True, eq=False)
class CoinStatistics:
    """What the E-step sends to the M-step: expected bags, heads, tosses and tails of each coin, all ``(n_components,)``.

    Tails beside tosses, as they may be few of very many.
    """

    log_likelihood: float
    bags: Floats
    heads: Floats
    tosses: Floats
    tails: Floats

    @property
    def rows(self) -> Floats:
        """The bags, as what all families have in common calls them."""
        return self.bags

    def __add__(self, other: CoinStatistics) -> CoinStatistics:
        """Statistics of both sets of bags together."""
        return CoinStatistics(
            self.log_likelihood + other.log_likelihood,
            self.bags + other.bags,
            self.heads + other.heads,
            self.tosses + other.tosses,
            self.tails + other.tails,
        )


def statistics_of(expected: Floats, log_likelihood: float, tosses: CoinTosses) -> CoinStatistics:
    """Statistics of bags that belong to the coins ``expected`` ``(..., n, K)`` times."""
    heads, tails = tosses.heads @ expected, (tosses.tosses - tosses.heads) @ expected
    return CoinStatistics(log_likelihood, expected.sum(axis=-2), heads, tosses.tosses @ expected, tails)


def e_step(parameters: CoinParameters, tosses: CoinTosses) -> CoinStatistics:
    """Expected sufficient statistics of the tosses at the parameters, known labels respected."""
    joint = log_weights(parameters.weights) + log_densities(parameters, tosses)
    r, row_log_likelihood = responsibilities(joint, tosses.labels)
    return statistics_of(r * tosses.counts[:, None], float(row_log_likelihood @ tosses.counts), tosses)


def m_step(
    statistics: CoinStatistics, prior: CoinPrior | None, weights: MixtureWeights, *, many_tosses: bool = False
) -> CoinParameters:
    """Mode of the conjugate posterior given the statistics; ``prior=None`` is maximum likelihood.

    With ``many_tosses`` what a few tails say of a probability near 1 is not to drown in the rounding of the heads.

    A coin that nothing was assigned to, under a flat prior, has no mode; any value serves, and 1/2 is returned.
    """
    heads, tosses, tails, concentration = statistics.heads, statistics.tosses, statistics.tails, 1.0
    if prior is not None:
        heads, tosses = heads + (prior.heads - 1), tosses + (prior.heads + prior.tails - 2)
        tails, concentration = tails + (prior.tails - 1), prior.concentration
    p = (
        heads / tosses
        if tosses.min() > 0
        else np.divide(heads, tosses, out=np.full(heads.shape, 0.5), where=tosses > 0)
    )
    if many_tosses:
        p = np.where(tails < heads, 1 - tails / np.where(tosses > 0, tosses, 1.0), p)
    w = mode_of_weights(statistics.bags, weights.fixed, concentration)
    return trusted(CoinParameters, weights=w, head_probabilities=np.minimum(p, 1.0))
