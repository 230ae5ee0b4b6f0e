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
from scipy.special import logsumexp, ndtri

import em
from comparisons import proposals, second_route
from comparisons.engines import Problem
from comparisons.sampling import thinned
from comparisons.unconstrained import UnconstrainedPosterior
from em.gaussian_family import GaussianMixture
from em.mixture import trusted
from models import CoinParameters, GaussianParameters
from models.inputs import Floats

if TYPE_CHECKING:
    import xarray as xr

# Chance that draws of a right sampler fail; as for the second route, all identities together.
FALSE_ALARMS = 0.001
# Draws looked at, and those that have to show a departure too before it counts.
DRAWS = 1000
CONFIRMING_DRAWS = 4000
# Step of central differences, of log densities of order 100 by coordinates of order 1: ten digits are left.
STEP = 1e-5


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


def identities(
    problem: Problem, map_fit: em.Fit[Any, Any], posterior: xr.Dataset, names: Sequence[str]
) -> Identities | None:
    """The worst of the identities; None where there are too many labellings to sum over.

    Parameters
    ----------
    map_fit : MAP-EM, whose modes say where a labelling is at home
    posterior : canonical draws, ``(chain, draw, ...)``
    names : of the entries of EM's full vector
    """
    target = UnconstrainedPosterior(second_route.mixture_of(problem))
    if target.n_labellings > second_route.LABELLINGS:
        return None
    home = proposals.at_modes(target, map_fit).log_density
    found = _worst(problem, target, home, posterior, names, DRAWS)
    return found if found.hold else _worst(problem, target, home, posterior, names, CONFIRMING_DRAWS)


def _worst(
    problem: Problem,
    target: UnconstrainedPosterior,
    home: Callable[[Floats], Floats],
    posterior: xr.Dataset,
    names: Sequence[str],
    most: int,
) -> Identities:
    """All identities on at most so many draws."""
    import arviz as az

    draws = thinned(posterior, most)
    chains, kept = draws.sizes["chain"], draws.sizes["draw"]
    x = coordinates(problem, target, draws)
    terms = stein_terms(target, home, x).reshape(chains, kept, -1)
    departures = np.array([t.mean() / float(az.mcse(t, method="mean")) for t in np.moveaxis(terms, -1, 0)])
    worst = int(np.argmax(np.where(np.isfinite(departures), np.abs(departures), np.inf)))
    f = x.shape[1]
    moved = np.abs(target.mixture.from_coordinates(x.mean(axis=0), unbounded=True)[1][:, worst % f])
    field = f"{'location' if worst < f else 'spread'} of the coordinate that moves {names[int(moved.argmax())]} most"
    allowed = float(-ndtri(FALSE_ALARMS / 2 / len(departures)))
    return Identities(float(departures[worst]), allowed, len(departures), field)


def coordinates(problem: Problem, target: UnconstrainedPosterior, draws: xr.Dataset) -> Floats:
    """Unconstrained coordinates ``(m, f)`` of draws, chain by chain."""
    values = {str(name): v.values.reshape(-1, *v.shape[2:]) for name, v in draws.data_vars.items()}
    fixed, many = problem.weights.fixed, draws.sizes["chain"] * draws.sizes["draw"]
    weights = values["weights"] if fixed is None else np.tile(fixed, (many, 1))
    weights = weights / weights.sum(axis=1, keepdims=True)
    parameters: CoinParameters | GaussianParameters
    if isinstance(target.mixture, GaussianMixture):
        units = target.mixture.units
        means, covariances = units.rows(values["means"]), units.matrices(values["covariances"])
        parameters = trusted(GaussianParameters, weights=weights, means=means, covariances=covariances)
    else:
        parameters = trusted(CoinParameters, weights=weights, head_probabilities=values["head_probabilities"])
    return np.asarray(target.mixture.coordinates(parameters, unbounded=True))


def stein_terms(target: UnconstrainedPosterior, home: Callable[[Floats], Floats], x: Floats) -> Floats:
    """``(m, 2 f)`` terms at the points ``(m, f)`` whose means are 0 under the posterior: of constant fields, then of ``x``'s.

    ``home`` is the log of any positive function of points ``(m, f)`` that is high where one labelling is at home.
    """
    labellings = target.labellings()

    def log_share(points: Floats) -> Floats:
        heights = [home(points @ relabelled.T) for relabelled in labellings]
        return np.asarray(home(points) - logsumexp(heights, axis=0))

    gradient = _gradient(target, x)
    relabelled = [x @ permuted.T for permuted in labellings]
    shares = [np.exp(log_share(y))[:, None] for y in relabelled]
    centre = np.mean(sum(share * y for share, y in zip(shares, relabelled, strict=True)), axis=0)
    located, spread = np.zeros_like(x), np.zeros_like(x)
    for permuted, y, share in zip(labellings, relabelled, shares, strict=True):
        # The density is the same there, its gradient turned with the labels.
        there = gradient @ np.linalg.inv(permuted)
        by_share = share * _gradient(log_share, y)
        located += share * there + by_share
        spread += share * (1 + (y - centre) * there) + (y - centre) * by_share
    return np.concatenate([located, spread], axis=1)


def _gradient(function: Callable[[Floats], Floats], x: Floats) -> Floats:
    """``(m, f)`` central differences of a function of points at the points ``(m, f)``."""
    moves = STEP * np.eye(x.shape[1])
    points = np.concatenate([x[:, None] + moves, x[:, None] - moves], axis=1).reshape(-1, x.shape[1])
    values = function(points).reshape(len(x), 2, -1)
    return np.asarray((values[:, 0] - values[:, 1]) / (2 * STEP))
