"""Whether one more coin would raise the likelihood, and where: the gradient function of a mixture.

A little weight of a coin with head probability ``p``, the others giving way, raises the log-likelihood by
``D(p) = sum_i (f_i(p) / f_i - 1)`` for each unit of weight, with ``f_i`` the probability of bag ``i`` under the mixture.
Where two of its coins are one and ``D`` is positive somewhere, there is a higher maximum. This one may be flat to second
order all the same, and the higher one may give a coin a weight of a thousandth, to which no other start leads.

Source: Lindsay (1983), Annals of Statistics 11, 86.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from em.coin_steps import log_densities
from em.mixture import log_weights, responsibilities, trusted
from models.coins import CoinParameters, CoinTosses
from models.inputs import Floats, Integers

# Head probabilities at which another coin is tried.
TRIED = np.linspace(0.0, 1.0, 401)
# Difference of two head probabilities below which the coins are one.
SAME_COIN = 1e-3
# Rise in nats by row and unit of weight that is not rounding.
RISING = 1e-10


def moved_apart(parameters: CoinParameters, tosses: CoinTosses, groups: Integers) -> CoinParameters | None:
    """One of two coins that are one, put where the gradient function is highest; None where it rises nowhere.

    Parameters
    ----------
    parameters : weights ``(K,)``, which are free, and head probabilities ``(K,)``
    groups : ``(K,)`` which coins the model cannot tell apart; see `models.mixtures.exchangeable_groups`
    """
    w, p = parameters.weights.copy(), parameters.head_probabilities.copy()
    pair = _one_coin(w, p, groups)
    if pair is None:
        return None
    gains = _gains(parameters, tosses)
    slopes = tosses.counts @ gains
    at = int(slopes.argmax())
    if not slopes[at] > RISING * tosses.n:
        return None
    # The weight at the maximum of the quadratic that has the first two derivatives.
    share = min(slopes[at] / (tosses.counts @ gains[:, at] ** 2), 0.5)
    kept, moved = pair
    if w[kept] > 0:
        p[kept] = np.average(p[pair], weights=w[pair])
    w[kept] += w[moved]
    w *= 1 - share
    w[moved], p[moved] = share, TRIED[at]
    return trusted(CoinParameters, weights=w, head_probabilities=p)


def _one_coin(w: Floats, p: Floats, groups: Integers) -> list[int] | None:
    """Two exchangeable coins that are one, or one of which no bag is of, the heavier first."""
    for j, k in combinations(range(len(p)), 2):
        if groups[j] == groups[k] and (abs(p[j] - p[k]) < SAME_COIN or w[j] * w[k] == 0):
            return [j, k] if w[j] >= w[k] else [k, j]
    return None


def _gains(parameters: CoinParameters, tosses: CoinTosses) -> Floats:
    """``(n, len(TRIED))`` what each row adds to the gradient function; a row whose coin is known only loses."""
    joint = log_weights(parameters.weights) + log_densities(parameters, tosses)
    rows = responsibilities(joint, tosses.labels)[1][:, None]
    tried = log_densities(trusted(CoinParameters, head_probabilities=TRIED), tosses)
    return np.asarray(np.exp(tried - rows) * (tosses.labels < 0)[:, None] - 1)
