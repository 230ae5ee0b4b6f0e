"""What the components of a mixture are ordered by: chosen once, from one point, and held for all draws.

Of component ``k`` let ``x_k`` be its mean, the log determinant of its covariance ``S_k`` and the log of its weight ``w_k``. If
every row told its component, estimates of them from ``n`` rows would have about the covariance

    C_k / n,   C_k = blockdiag(S_k, 2 d, 1) / w_k,

so that a direction ``v`` separates components ``j`` and ``k`` by ``|v'(x_j - x_k)| / sqrt(v'(C_j + C_k) v)`` standard errors for
each root of a row; a direction is worth what it makes of the pair that it separates least. It is best for one pair where
``v = (C_j + C_k)^-1 (x_j - x_k)``, and for several pairs a sum or difference of two such directions does.

Components without means are ordered by their first parameter, as coins by head probability; latent classes by the first item
that separates them about as well as any does.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.inputs import Floats, Integers, read_only
from models.mixtures import canonical_permutation

# A simpler order is taken where it separates at least this share of what the best one does.
AS_WELL = 0.5
# Standard errors for each root of a row below which components coincide: a million rows would not tell them apart.
COINCIDE = 1e-3
# Directions, the likeliest of all, whose sums and differences are tried: of K = 20 components there are 190.
MOST_COMBINED = 50
# Of a component without rows.
LEAST_WEIGHT = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """Components ascend along a direction in means, log determinant and log weight; ties by `order_keys`, as all do by default.

    Attributes
    ----------
    direction : ``(d + 2,)`` coefficients of the means, of the log determinant of the covariance, and of the log weight, each in
        ``units``; None for the order of the parameters themselves: head probability, or mean of the first feature
    units : ``(d,)`` of the features, None likewise
    first : without a direction, the column of `order_keys` that is compared before all
    """

    direction: Floats | None = None
    units: Floats | None = None
    first: int = 0

    @classmethod
    def of(cls, parameters: Any, groups: Integers) -> Order:
        """Choose the simplest order that separates the components of a point about as well as any does.

        In turn are tried the mean of each feature, the best direction of the means, the covariance, and all together; the weight
        where nothing else differs.

        Parameters
        ----------
        parameters : `models.CoinParameters` or `models.GaussianParameters`
        groups : ``(K,)`` as `models.mixtures.exchangeable_groups` returns: only components of one group need an order
        """
        pairs = [(j, k) for j, k in itertools.combinations(range(len(parameters.weights)), 2) if groups[j] == groups[k]]
        if pairs and hasattr(parameters, "order_variances"):
            return cls(first=_separating(parameters.order_keys, parameters.order_variances, np.array(pairs)))
        if not pairs or not hasattr(parameters, "covariances"):
            return cls()
        d = parameters.means.shape[1]
        units = np.sqrt(np.diagonal(parameters.covariances, axis1=1, axis2=2).max(axis=0))
        x = _statistics(parameters.weights, parameters.means, parameters.covariances, units)
        inside = np.zeros((len(x), d + 2, d + 2))
        inside[:, :d, :d] = parameters.covariances / units / units[:, None]
        inside[:, d, d], inside[:, d + 1, d + 1] = 2 * d, 1
        inside /= np.maximum(parameters.weights, LEAST_WEIGHT)[:, None, None]
        first, second = np.array(pairs).T
        steps, spreads = x[second] - x[first], inside[first] + inside[second]

        unit: Floats = np.eye(d + 2)

        def worst(directions: Floats) -> Floats:
            squares = (directions[:, :, None] * directions[:, None, :]).reshape(len(directions), -1)
            return np.asarray(
                (np.abs(steps @ directions.T) / np.sqrt(spreads.reshape(len(steps), -1) @ squares.T)).min(axis=0)
            )

        def best(part: slice) -> Floats:
            own = np.zeros_like(steps)
            own[:, part] = np.linalg.solve(spreads[:, part, part], steps[:, part, None])[..., 0]
            sizes = np.sqrt(np.einsum("pa,pab,pb->p", own, spreads, own))
            own = own[sizes > 0] / sizes[sizes > 0, None]
            if not len(own):
                return np.asarray(unit[0])
            a, b = np.triu_indices(min(len(own), MOST_COMBINED), 1)
            likeliest = own[np.argsort(-worst(own), kind="stable")]
            both = np.concatenate([likeliest[a] + likeliest[b], likeliest[a] - likeliest[b]])
            tried = np.concatenate([own, both[both.any(axis=1)]])
            return np.asarray(tried[worst(tried).argmax()])

        candidates = [*unit[:d], best(slice(d)), unit[d], best(slice(d + 1))]
        reached = worst(np.array(candidates)).tolist()
        if max(reached) < COINCIDE:
            return cls(read_only(unit[d + 1]), read_only(units))
        place = next(j for j, value in enumerate(reached) if value >= AS_WELL * max(reached))
        if place == 0:
            return cls()
        chosen = candidates[place] / np.abs(candidates[place]).max()
        # Ascending along what counts most.
        chosen = chosen * np.sign(chosen[np.abs(chosen).argmax()])
        return cls(read_only(chosen), read_only(units))

    def keys(self, parameters: Any) -> Floats:
        """``(..., K, m)`` what is compared, from the first of the ``m`` columns to the last, along any leading axes."""
        own = np.asarray(parameters.order_keys)
        if self.direction is None:
            return np.concatenate([own[..., [self.first]], own], axis=-1) if self.first else own
        along = self.along(parameters.weights, parameters.means, parameters.covariances)
        return np.concatenate([along[..., None], own], axis=-1)

    def along(self, weights: Floats | float, means: Floats, covariances: Floats) -> Floats:
        """``(..., K)`` how far each component lies along the direction."""
        assert self.direction is not None
        assert self.units is not None
        # Not by a matrix product, whose rounding depends on a component's place.
        return np.asarray((_statistics(weights, means, covariances, self.units) * self.direction).sum(axis=-1))

    def permutation(self, parameters: Any, groups: Integers) -> Integers:
        """``(..., K)`` as `models.mixtures.canonical_permutation` returns it."""
        return canonical_permutation(self.keys(parameters), groups)

    def told(self, features: Sequence[str], otherwise: str = "head probability") -> str:
        """By what components are ordered, in words; ``otherwise`` where there are no features."""
        if not features:
            return f"by {otherwise}"
        d = len(features)
        of = "the mean" if d == 1 else "the mean of {}"
        if self.direction is None:
            return f"by {of.format(features[0])}"
        parts = np.flatnonzero(np.abs(self.direction) > 0.005)
        spread = "variance" if d == 1 else "the determinant of the covariance"
        if (parts == d + 1).all():
            return "by weight, as neither means nor covariances separate them"
        if (parts == d).all():
            return f"by {spread}, which separates them better than their means"
        if len(parts) == 1:
            return f"by {of.format(features[parts[0]])}, which separates them better than that of {features[0]}"
        names = [*(of.format(name) for name in features), f"the log of {spread}"]
        terms = [f"{self.direction[j]:+.2f} times {names[j]}".replace("-", "−") for j in parts]
        return f"along the direction that separates them best: {', '.join(terms)}, means in units of the largest SD"


FIRST = Order()
"""Head probability, or the mean of the first feature."""


def _separating(keys: Floats, variances: Floats, pairs: Integers) -> int:
    """The first column of keys ``(K, m)`` that separates the pair it separates least at least `AS_WELL` as the best one does."""
    first, second = pairs.T
    apart = np.abs(keys[first] - keys[second])[:, : variances.shape[1]]
    spread = np.sqrt(variances[first] + variances[second])
    # What is at one bound in both has no spread, nor a distance.
    worst = np.divide(apart, spread, out=np.where(apart > 0, np.inf, 0.0), where=spread > 0).min(axis=0)
    return int(np.argmax(worst >= AS_WELL * worst.max()))


def _statistics(weights: Floats | float, means: Floats, covariances: Floats, units: Floats) -> Floats:
    """``(..., K, d + 2)`` means in ``units``, log determinant of the covariance in these, and log weight."""
    determinants = np.linalg.slogdet(covariances / units / units[:, None])[1]
    shares = np.log(np.maximum(np.broadcast_to(weights, determinants.shape), LEAST_WEIGHT))
    return np.concatenate([means / units, determinants[..., None], shares[..., None]], axis=-1)
