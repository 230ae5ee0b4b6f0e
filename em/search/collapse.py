"""What has collapsed: a narrow component that a few rows hold, or no more rows than lie together by chance.

The likelihood of normals with covariances of their own grows without limit as one of them narrows onto a row (Day 1969,
Biometrika 56, 463), and beside these spikes it has maxima of no meaning, where a few rows happen to lie close together. Narrow
alone means nothing: clusters far apart are narrow beside the spread of all rows, and a sharp peak is narrow on a broad
background. What tells them apart is the rows. A full covariance goes through d + 1 rows, one of another shape through 2,
whatever they are. And of n rows some lie close together in any sample: a component of q parameters, each of which can be
chosen to fit one of the rows, gains up to about q log n nats by that choice alone. In samples of a single normal the best
component narrower than 5 % of the spread was seen to gain at most 9.5, 11.8 and 18.2 nats for n = 60, 300 and 2000, 60 of each,
where q log n is 12.3, 17.1 and 22.8.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from em.mixture import Mixture, parts, row_posteriors
from models.inputs import Floats

# Least number that a logarithm is taken of.
TINY = float(np.finfo(float).tiny)
# A component narrower than this share of the data's spread, in some direction, is asked for its rows.
NARROW = 0.05
# A collapsed component narrower than this is at its spike: second derivatives there say nothing.
NEVER_REGULAR = 1e-6


def collapsed(mixture: Mixture[Any, Any], parameters: Any, narrow: float = NARROW) -> NDArray[np.bool_]:
    """``(...)`` whether a component narrower than ``narrow`` has too few rows, or rows that may lie together by chance.

    Never where the objective is bounded.
    """
    many = parameters.weights.shape[:-1]
    if mixture.bounded:
        return np.zeros(many, dtype=bool)
    narrow_ones = mixture.spreads(parameters) < narrow
    found = np.zeros(many, dtype=bool)
    for place in np.argwhere(narrow_ones.any(axis=-1)):
        at = tuple(place)
        one = mixture.from_vector(mixture.to_vector(parameters)[at]) if many else parameters
        found[at] = bool((narrow_ones[at] & ~supported(mixture, one)).any())
    return found


def supported(mixture: Mixture[Any, Any], parameters: Any) -> NDArray[np.bool_]:
    """``(K,)`` whether more rows hold a component than it goes through whatever they are, and than chance puts together."""
    rows, _, gains = supports(mixture, parameters)
    return np.asarray((rows > mixture.interpolated) & (gains > chance_gain(mixture)))


def supports(mixture: Mixture[Any, Any], parameters: Any) -> Floats:
    """``(3, K)`` distinct rows that each component holds, how many with their counts, and nats that it gains over the others."""
    return mixture.summed(partial(_supports, parameters=parameters))


def chance_gain(mixture: Mixture[Any, Any]) -> float:
    """Nats that a component may gain where there is none: q log n."""
    return float((1 + mixture.own_parameters) * np.log(mixture.n))


def _supports(mixture: Mixture[Any, Any], parameters: Any) -> Floats:
    return np.asarray(sum(_supports_of_part(part, parameters) for part in parts(mixture)))


def _supports_of_part(mixture: Mixture[Any, Any], parameters: Any) -> Floats:
    shares = row_posteriors(mixture, parameters)[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        # The others, with its weight divided among them; a row that is none of theirs is impossible without it.
        weights = mixture.row_weights(parameters, slice(None))
        # A weight next to 1 is 1 to rounding: the sum of the others is not its difference from 1.
        others = 1.0 - np.eye(mixture.n_components)
        least = np.maximum(weights @ others, TINY)
        gains = np.where(shares @ others > 0, np.log(least) - np.log(shares @ others), np.inf)
    seen = mixture.sees_narrowest(parameters)
    return np.stack(
        [
            np.where(seen, shares, 0.0).sum(axis=0),
            mixture.counts @ shares,
            mixture.counts @ np.where(seen, gains, 0.0),
        ]
    )
