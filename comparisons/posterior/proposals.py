"""From where importance sampling draws: mixtures of multivariate t distributions, at modes or fitted to earlier draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import gammaln, logsumexp

from comparisons.capabilities import Unconstrained
from comparisons.differences import reach_of
from comparisons.problem import Fit
from em.ascent.climb import climb
from em.gaussians.mixture import GaussianMixture
from em.mixture import AT_A_TIME
from em.search.starts import spread_out
from models import GaussianPrior, Measurements
from models.gaussians.covariances import CovarianceForm
from models.inputs import Floats
from models.mixtures import MixtureWeights

# Tails heavier than any posterior of these priors has in unconstrained coordinates, light enough to waste few draws.
DEGREES_OF_FREEDOM = 5.0
# In posterior sds: the gradient at which a peak is found, and how near points share a curvature.
GRADIENT, NEAR = 0.01, 0.1
# Components of a proposal that is fitted to earlier draws, and the EM steps for it: its shape matters, not its last digit.
REFRESHED_COMPONENTS = 6
REFRESHED_STEPS = 30


@dataclass(frozen=True, slots=True, eq=False)
class Proposal:
    """A mixture of multivariate t distributions.

    Attributes
    ----------
    chances : ``(m,)`` summing to 1
    centres : ``(m, f)``
    roots : ``(m, f, f)`` Cholesky roots of the scales
    """

    chances: Floats
    centres: Floats
    roots: Floats

    def draw(self, n: int, random: np.random.Generator) -> Floats:
        """``(n, f)`` independent draws."""
        which = random.choice(len(self.chances), size=n, p=self.chances)
        normal = random.normal(size=(n, self.centres.shape[1]))
        scale = np.sqrt(DEGREES_OF_FREEDOM / random.chisquare(DEGREES_OF_FREEDOM, size=n))
        moved: Floats = self.centres[which] + scale[:, None] * np.einsum("nab,nb->na", self.roots[which], normal)
        return moved

    def log_density(self, x: Floats) -> Floats:
        """``(n,)`` log density at the points ``(n, f)``."""
        rows = max(AT_A_TIME // self.centres.size, 1)
        return np.concatenate([self._of_block(x[first : first + rows]) for first in range(0, max(len(x), 1), rows)])

    def _of_block(self, x: Floats) -> Floats:
        f, nu = x.shape[1], DEGREES_OF_FREEDOM
        constant = gammaln((nu + f) / 2) - gammaln(nu / 2) - 0.5 * f * np.log(nu * np.pi)
        apart = np.linalg.solve(self.roots, (x - self.centres[:, None]).swapaxes(1, 2))
        distances = (apart**2).sum(axis=1)
        determinants = np.log(np.diagonal(self.roots, axis1=1, axis2=2)).sum(axis=1)
        heights = np.log(self.chances) + constant - determinants
        parts = heights[:, None] - 0.5 * (nu + f) * np.log1p(distances / nu)
        return np.asarray(np.logaddexp.reduce(parts, axis=0))


class _Peak(NamedTuple):
    """Log density ``height`` at a ``centre``, and the Cholesky ``root`` of the scale there."""

    height: float
    centre: Floats
    root: Floats


def at_modes(target: Unconstrained, map_fit: Fit) -> Proposal:
    """One t distribution at each peak near a mode of MAP-EM, in the mode's own labelling."""
    from scipy.optimize import minimize

    peaks: list[_Peak] = []
    started: list[tuple[Floats, Floats]] = []
    for parameters in [map_fit.parameters, *(m.parameters for m in map_fit.modes)]:
        start = target.at(parameters)
        if any(np.linalg.norm(np.linalg.solve(root, start - other)) < NEAR for other, root in started):
            continue
        root = _scale(target, start)
        started.append((start, root))
        with np.errstate(all="ignore"):
            found = minimize(
                _falling,
                np.zeros(len(start)),
                args=(target, start, root),
                jac=True,
                method="BFGS",
                options={"gtol": GRADIENT},
            )
        if np.isfinite(found.fun) and not any(abs(found.fun + peak.height) < 1e-3 for peak in peaks):
            centre = start + root @ found.x
            near = np.linalg.norm(found.x) < NEAR
            peaks.append(_Peak(-float(found.fun), centre, root if near else _scale(target, centre)))
    heights = np.array([peak.height + np.log(np.diag(peak.root)).sum() for peak in peaks])
    # No peak is left to chance: one that the Laplace approximation belittles still gets a tenth of an even share.
    shares = 0.9 * np.exp(heights - logsumexp(heights)) + 0.1 / len(heights)
    return Proposal(
        shares / shares.sum(), np.stack([peak.centre for peak in peaks]), np.stack([peak.root for peak in peaks])
    )


def _falling(z: Floats, target: Unconstrained, centre: Floats, root: Floats) -> tuple[float, Floats]:
    """Negative log density and its gradient in coordinates about a centre in which the posterior there has sd 1 every way."""
    x = (centre + root @ z)[None]
    reach = np.sqrt((root**2).sum(axis=1))
    return -float(target(x)[0]), -root.T @ target.gradient(x, reach)[0]


def _scale(target: Unconstrained, peak: Floats) -> Floats:
    """Cholesky root of the inverse negative Hessian, by central differences."""
    f = len(peak)
    step = np.minimum(1e-3, 0.1 * reach_of(target, peak))
    moves = np.diag(step)
    a, b = np.tril_indices(f)
    # For a = b two of the four corners are the peak itself, and the step is doubled.
    corners = [peak + one * moves[a] + other * moves[b] for one, other in ((1, 1), (-1, -1), (1, -1), (-1, 1))]
    both, neither, one, other = target(np.concatenate(corners)).reshape(4, len(a))
    hessian = np.empty((f, f))
    hessian[a, b] = hessian[b, a] = (both + neither - one - other) / (4 * step[a] * step[b])
    return root_of(-hessian)


def root_of(precision: Floats) -> Floats:
    """Cholesky root ``(f, f)`` of the inverse of a precision; flat directions get a wide but finite scale."""
    values, vectors = np.linalg.eigh(precision)
    # A logit spread by 2.5 covers nearly all of a probability; nothing in these priors is wider.
    spread = 1 / np.sqrt(np.maximum(values, 1 / 2.5**2))
    # Of a spike beside flat directions the product has no Cholesky factor by rounding; the triangle of its root is one.
    root = np.linalg.qr((vectors * spread).T, mode="r").T
    return np.asarray(root * np.sign(np.diag(root)))


def refreshed(x: Floats, weights: Floats, random: np.random.Generator) -> Proposal:
    """Fit a proposal to weighted draws ``(n, f)``: resampled, jittered, and fitted by a few steps of EM."""
    # Where one draw has all the weight, a millionth of how far the draws reach.
    spread = np.sqrt(np.maximum(np.average((x - weights @ x) ** 2, axis=0, weights=weights), 1e-12 * x.var(axis=0)))
    chosen = x[random.choice(len(x), size=len(x) // 2, p=weights)]
    data = Measurements(chosen + 0.05 * spread * random.normal(size=chosen.shape))
    prior = GaussianPrior.weakly_informative(data.y, REFRESHED_COMPONENTS)
    mixture = GaussianMixture(data, MixtureWeights.of("free", REFRESHED_COMPONENTS), CovarianceForm.of("full"), prior)
    run = climb(mixture, mixture.start_from(spread_out(mixture, random)), max_iterations=REFRESHED_STEPS)
    fitted = mixture.published(mixture.from_vector(run.points[-1]))
    # A little wider than what was seen: what the first proposal missed lies outside it.
    return Proposal(fitted.weights / fitted.weights.sum(), fitted.means, np.linalg.cholesky(1.5 * fitted.covariances))
