"""Stein's identities: what holds on average of draws from a posterior, and of no others, without a second sample of it.

For a smooth field of directions ``f`` the mean of ``f . grad log p + div f`` under a density ``p`` is 0. In unconstrained
coordinates ``x`` two fields are asked of each: a constant one, which shows draws that are shifted, and ``x - centre``, which
shows draws that are too narrow or too wide, as where tails are missing: there a twentieth on either side that was cut shows
in a thousand draws, while as many draws of another sampler differ by two standard errors.

Components that can be exchanged give every draw several labellings. A field is therefore multiplied by the share of one
labelling, smooth in the coordinates, and summed over all of them; no order of the components is imposed, at whose border
a term would be missing.

Source: Stein (1972); Gorham & Mackey (2015), NeurIPS 28. Densities and gradients come from `em` alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri, softmax

from comparisons.capabilities import Unconstrained
from comparisons.differences import central_gradient
from comparisons.posterior import importance, proposals
from comparisons.posterior.nuts import thinned
from comparisons.problem import Fit, Problem
from models.inputs import Floats

if TYPE_CHECKING:
    import xarray as xr

# Chance that right draws fail. The Monte Carlo errors of the identities are themselves uncertain: at a nominal .001 some three of
# 350 sets of right draws failed, before the correction for skewness.
FALSE_ALARMS_OF_IDENTITIES = 0.0001
# Draws asked: the more, the smaller a departure that shows. Where rows are many, as few as cost that many densities of a row.
MOST_DRAWS, FEWEST_DRAWS = 4000, 1000
ROW_DENSITIES = 50_000_000


@dataclass(frozen=True, slots=True)
class Identities:
    """The identity that is met worst.

    Attributes
    ----------
    departure : mean over its Monte Carlo standard error
    allowed : what all together exceed with the stated chance, two-sided
    n_identities : how many there are
    field : in words
    """

    departure: float
    allowed: float
    n_identities: int
    field: str

    @property
    def hold(self) -> bool:
        """Whether draws of the posterior might give this."""
        return bool(abs(self.departure) <= self.allowed)


def identities(problem: Problem, map_fit: Fit, posterior: xr.Dataset) -> Identities | None:
    """The worst of the identities.

    None with too many labellings to sum over, without coordinates that have no bounds, or a draw at which there is no gradient.

    Parameters
    ----------
    map_fit : MAP-EM, whose modes say where a labelling is at home
    posterior : canonical draws, ``(chain, draw, ...)``
    """
    target = problem.unconstrained
    if target is None or target.n_labellings > importance.LABELLINGS:
        return None
    home = proposals.at_modes(target, map_fit).log_density
    # Each takes two densities of all rows for every coordinate.
    affordable = ROW_DENSITIES // (2 * problem.n_free * target.row_densities)
    draws = thinned(posterior, int(np.clip(affordable, FEWEST_DRAWS, MOST_DRAWS)))
    x = coordinates(problem, target, draws)
    return worst(target, home, x.reshape(draws.sizes["chain"], draws.sizes["draw"], -1), problem.names)


def worst(
    target: Unconstrained, home: Callable[[Floats], Floats], x: Floats, names: Sequence[str]
) -> Identities | None:
    """The worst of the identities at the points ``(chains, draws, f)``; None where one of them has no gradient."""
    import arviz_stats

    f = x.shape[-1]
    terms = stein_terms(target, home, x.reshape(-1, f)).reshape(*x.shape[:2], -1)
    if not np.isfinite(terms).all():
        return None
    stats: Any = arviz_stats
    departures = np.array([_departure(t, float(stats.mcse(t, method="mean"))) for t in np.moveaxis(terms, -1, 0)])
    at = int(np.argmax(np.where(np.isfinite(departures), np.abs(departures), np.inf)))
    centre = x.reshape(-1, f).mean(axis=0)
    moved = np.abs(target.moves(centre)[:, at % f])
    field = f"{'location' if at < f else 'spread'} of the coordinate that moves {names[int(moved.argmax())]} most"
    if at == 2 * f:
        field = "spread of all coordinates together"
    allowed = float(-ndtri(FALSE_ALARMS_OF_IDENTITIES / 2 / len(departures)))
    return Identities(float(departures[at]), allowed, len(departures), field)


def _departure(term: Floats, error: float) -> float:
    """Mean over its Monte Carlo ``error``, corrected for skewness.

    Terms of spread have a skewness of -3 and more, so that mean and error are correlated and large ratios are too common on
    one side (Johnson 1978, JASA 73, 536).
    """
    mean, deviation = term.mean(), term.std()
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = mean / error
        skewness = ((term - mean) ** 3).mean() / deviation**3 * error / deviation
    return float(ratio + skewness * (1 / 6 + ratio**2 / 3))


def coordinates(problem: Problem, target: Unconstrained, draws: xr.Dataset) -> Floats:
    """Unconstrained coordinates ``(m, f)`` of draws, chain by chain."""
    arrays = problem.arrays_of_draws(draws)
    return target.coordinates(problem.of_arrays({name: v.reshape(-1, *v.shape[2:]) for name, v in arrays.items()}))


def stein_terms(target: Unconstrained, home: Callable[[Floats], Floats], x: Floats) -> Floats:
    """``(m, 2 f + 1)`` terms at the points ``(m, f)`` whose means are 0 under the posterior.

    They are those of constant fields, then of ``x - centre`` in each coordinate, and in all at once.

    ``home`` is the log of any positive function of points ``(m, f)`` that is high where one labelling is at home.
    """
    labellings = target.labellings()
    relabelled = x @ labellings.swapaxes(1, 2)
    shares = softmax(np.stack([home(y) for y in relabelled]), axis=0)[..., None]
    # Labellings are a group, so that one of a relabelled point is another of the point: ``home`` is asked once for each.
    slopes = np.stack(
        [central_gradient(home, y, y.std(axis=0)) @ p for y, p in zip(relabelled, labellings, strict=True)]
    )
    # The density is the same under every labelling. Its gradient, and that of the log share, are turned with the labels.
    gradient = target.gradient(x, x.std(axis=0)) + slopes - (shares * slopes).sum(axis=0)
    turned = gradient @ np.linalg.inv(labellings)
    centre = (shares * relabelled).sum(axis=0).mean(axis=0)
    located = (shares * turned).sum(axis=0)
    spread = (shares * (1 + (relabelled - centre) * turned)).sum(axis=0)
    terms = [located, spread, spread.sum(axis=1, keepdims=True)] if x.shape[1] > 1 else [located, spread]
    return np.concatenate(terms, axis=1)
