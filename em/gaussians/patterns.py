"""Rows by which of their cells were seen: the marginal density of those, and what is expected of the others.

With ``o`` the cells of row i that were seen,

    E-step:  r_ik  proportional to  w_k Normal(y_io; mu_ko, Sigma_koo),
             E[y_i - mu_k] = A_k (y_io - mu_ko),   A_k = Sigma_k[:, o] Sigma_koo^-1,   Cov[y_i] = Sigma_k - A_k Sigma_koo A_k',

so rows with the same cells seen are rows of a mixture of fewer features, whose moments are led to all features by ``A_k``; the
M-step is that of whole rows. The marginal density has no other parameters than those of its features, so that scores and
second derivatives of what was seen stand at the places of these, and are 0 elsewhere. All this is the likelihood of what was
seen where cells are missing at random.

Sources: Orchard & Woodbury (1972), 6th Berkeley Symposium 1, 697; Ghahramani & Jordan (1994), NIPS 6, 120, for mixtures.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from em.gaussians.moments import GaussianStatistics
from em.gaussians.steps import log_densities
from em.mixture import log_weights, responsibilities, trusted
from models.gaussians.measurements import Measurements
from models.gaussians.nouns import GaussianParameters
from models.inputs import Floats, Integers


class Pattern(NamedTuple):
    """Rows of which the same cells were seen.

    Attributes
    ----------
    rows : their places
    seen, unseen : ``(s,)`` and ``(d - s,)`` features
    """

    rows: Integers
    seen: Integers
    unseen: Integers

    @property
    def entries(self) -> Integers:
        """Where among the means and lower entries of all features, ``(d + q,)``, those of the seen ones stand."""
        d = len(self.seen) + len(self.unseen)
        a, b = (self.seen[place] for place in np.tril_indices(len(self.seen)))
        return np.concatenate([self.seen, d + a * (a + 1) // 2 + b])

    def marginal(self, parameters: GaussianParameters) -> GaussianParameters:
        """The mixture of what was seen."""
        means, covariances = (
            parameters.means[..., self.seen],
            parameters.covariances[..., self.seen[:, None], self.seen],
        )
        return trusted(GaussianParameters, weights=parameters.weights, means=means, covariances=covariances)

    def filled(self, seen: GaussianStatistics, means: Floats, covariances: Floats) -> GaussianStatistics:
        """Expected moments of all features about ``means`` ``(..., d)`` from those of the seen ones, at these parameters."""
        if not len(self.unseen):
            return seen
        turn, left = self.expectation(covariances)
        first = (turn @ seen.first[..., None])[..., 0]
        second = turn @ seen.second @ turn.swapaxes(-1, -2) + seen.rows[..., None, None] * left
        return GaussianStatistics(seen.log_likelihood, seen.rows, first, second, means)

    def expectation(self, covariances: Floats) -> tuple[Floats, Floats]:
        """What leads from what was seen, about its mean, to the expectation of all, ``(..., d, s)``, and the covariance left."""
        s, m = self.seen, self.unseen
        turn, left = np.zeros((*covariances.shape[:-1], len(s))), np.zeros_like(covariances)
        turn[..., s, range(len(s))] = 1.0
        across = covariances[..., s[:, None], m]
        own = np.linalg.solve(covariances[..., s[:, None], s], across).swapaxes(-1, -2)
        turn[..., m, :] = own
        left[..., m[:, None], m] = covariances[..., m[:, None], m] - own @ across
        return turn, left


def patterns_of(y: Floats) -> list[Pattern]:
    """The rows ``(n, d)`` by which of their cells were seen, whole ones first."""
    absent = np.isnan(y)
    different, which = np.unique(absent, axis=0, return_inverse=True)
    which = which.ravel()
    rows = np.split(np.argsort(which, kind="stable"), np.cumsum(np.bincount(which))[:-1])
    return [Pattern(each, *map(np.flatnonzero, (~cells, cells))) for each, cells in zip(rows, different, strict=True)]


def marginal_log_densities(parameters: GaussianParameters, y: Floats, *, diagonal: bool = False) -> Floats:
    """``(..., n, n_components)`` log density of what was seen of each row ``y`` ``(n, d)`` under each component."""
    found = np.empty((*parameters.weights.shape[:-1], len(y), parameters.weights.shape[-1]))
    for each in patterns_of(y):
        if not len(each.seen):
            found[..., each.rows, :] = 0.0
            continue
        found[..., each.rows, :] = log_densities(
            each.marginal(parameters), y[each.rows[:, None], each.seen], diagonal=diagonal
        )
    return found


def marginal_log_likelihood(parameters: GaussianParameters, data: Measurements) -> float:
    """Log density of what was seen of all rows, the hidden components summed out, in nats, all constants included."""
    joint = log_weights(parameters.weights) + marginal_log_densities(parameters, data.y)
    return float(responsibilities(joint, data.labels)[1] @ data.counts)
