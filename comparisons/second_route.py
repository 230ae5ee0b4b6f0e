"""A second route to the posterior, guided by EM: importance sampling with densities from `em` alone.

In unconstrained coordinates (log ratios of weights, logits, log-Cholesky factors) the posterior with its Jacobian has a peak
near every mode that EM found, and one more for every way to permute exchangeable components. The proposal is a mixture of
multivariate t distributions at these peaks, scaled by the curvature there. The weights are Pareto-smoothed (Vehtari et al.
2024, JMLR 25(72)); where their shape k-hat is above 0.7 the proposal is fitted anew, by EM, to the draws it gave, and if that
does not help the route says that it cannot be trusted.

Nothing here has seen PyMC or its draws, so the two posteriors share nothing but the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
from scipy.special import gammaln, logsumexp

import em
from comparisons import quantities
from comparisons.engines import Problem
from em.coins import CoinMixture
from em.gaussians import GaussianMixture
from models import CoinTosses, GaussianPrior
from models.inputs import Floats
from models.mixtures import canonical_permutation

DRAWS = 4000
# Tails heavier than any posterior of these priors has in unconstrained coordinates, light enough to waste few draws.
DEGREES_OF_FREEDOM = 5.0
# Vehtari et al. (2024): above this the error of importance sampling cannot be told from its own draws.
K_HAT = 0.7
REFRESHES = 3
# Components of the proposal when it is fitted to earlier draws.
REFRESHED_COMPONENTS = 6


@dataclass(frozen=True, slots=True, eq=False)
class SecondRoute:
    """Weighted draws of every quantity, components in canonical order.

    Attributes
    ----------
    values : ``(n,)`` draws of each quantity by name
    weights : ``(n,)`` summing to 1, Pareto-smoothed
    k_hat : shape of the tail of the raw weights; above 0.7 nothing here can be trusted
    effective : effective number of draws, 1 / sum of squared weights
    log_evidence, log_evidence_error : log marginal likelihood over all labellings, and its Monte Carlo standard error
    refreshes : how often the proposal was fitted anew
    """

    values: dict[str, Floats]
    weights: Floats
    k_hat: float
    effective: float
    log_evidence: float
    log_evidence_error: float
    refreshes: int

    @property
    def trusted(self) -> bool:
        """Whether the weights allow a conclusion."""
        return bool(self.k_hat <= K_HAT)

    def mean(self, values: Floats) -> tuple[float, float]:
        """Posterior mean of a function of the draws, and its Monte Carlo standard error."""
        mean = float(self.weights @ values)
        return mean, float(np.sqrt((self.weights**2) @ (values - mean) ** 2))


class _Target:
    """Log posterior with Jacobian in unconstrained coordinates, as `em` has it."""

    def __init__(self, problem: Problem) -> None:
        self.mixture: Any
        if isinstance(problem.data, CoinTosses):
            self.mixture = CoinMixture(problem.data, problem.weights, problem.prior)  # type: ignore[arg-type]
        else:
            self.mixture = GaussianMixture(problem.data, problem.weights, problem.form, problem.prior)  # type: ignore[arg-type]
        self._to_free = np.linalg.pinv(self.mixture.basis)

    def __call__(self, x: Floats) -> float:
        try:
            vector, jacobian = self.mixture.from_coordinates(x, unbounded=True)
            parameters = self.mixture.from_vector(vector)
            sign, log_jacobian = np.linalg.slogdet(self._to_free @ jacobian)
            value = self.mixture.e_step(parameters).log_likelihood + self.mixture.log_prior(parameters) + log_jacobian
        except (FloatingPointError, np.linalg.LinAlgError):
            return -np.inf
        # Parameters and their density are both in the mixture's own units; only the data's units are left to account for.
        return float(value + self.mixture.likelihood_offset) if sign != 0 and np.isfinite(value) else -np.inf

    def at(self, parameters: Any) -> Floats:
        """Coordinates of parameters in the user's units; probabilities at a bound are moved a little inside."""
        inside = parameters
        if isinstance(self.mixture, GaussianMixture):
            inside = self.mixture.units.parameters(parameters)
        vector = self.mixture.to_vector(inside)
        k = self.mixture.n_components
        vector[:k] = np.maximum(vector[:k], 1e-4)
        vector[:k] /= vector[:k].sum()
        for place, _ in self.mixture.bounds():
            vector[place] = np.clip(vector[place], 1e-3, 1 - 1e-3)
        return np.asarray(self.mixture.coordinates(self.mixture.from_vector(vector), unbounded=True))

    def parameters(self, x: Floats) -> Any:
        """Parameters at the coordinates, in the user's units."""
        return self.mixture.published(self.mixture.from_vector(self.mixture.from_coordinates(x, unbounded=True)[0]))


@dataclass(frozen=True, slots=True, eq=False)
class _Proposal:
    """A mixture of multivariate t distributions: chances ``(m,)``, centres ``(m, f)``, Cholesky roots ``(m, f, f)``."""

    chances: Floats
    centres: Floats
    roots: Floats

    def draw(self, n: int, random: np.random.Generator) -> Floats:
        which = random.choice(len(self.chances), size=n, p=self.chances)
        normal = random.normal(size=(n, self.centres.shape[1]))
        scale = np.sqrt(DEGREES_OF_FREEDOM / random.chisquare(DEGREES_OF_FREEDOM, size=n))
        moved: Floats = self.centres[which] + scale[:, None] * np.einsum("nab,nb->na", self.roots[which], normal)
        return moved

    def log_density(self, x: Floats) -> Floats:
        f, nu = x.shape[1], DEGREES_OF_FREEDOM
        constant = gammaln((nu + f) / 2) - gammaln(nu / 2) - 0.5 * f * np.log(nu * np.pi)
        parts = np.empty((len(x), len(self.chances)))
        for j, (chance, centre, root) in enumerate(zip(self.chances, self.centres, self.roots, strict=True)):
            distance = (np.linalg.solve(root, (x - centre).T) ** 2).sum(axis=0)
            determinant = np.log(np.diag(root)).sum()
            parts[:, j] = np.log(chance) + constant - determinant - 0.5 * (nu + f) * np.log1p(distance / nu)
        return np.asarray(logsumexp(parts, axis=1))


def sample(problem: Problem, map_fit: em.Fit[Any, Any], random: np.random.Generator) -> SecondRoute:
    """Draw from the posterior by importance sampling at the modes of MAP-EM.

    Parameters
    ----------
    map_fit : MAP-EM with all its modes
    random : for the proposal's draws
    """
    from arviz_stats.base.array import BaseArray

    target = _Target(problem)
    proposal = _at_modes(target, map_fit)
    for refreshes in range(REFRESHES + 1):
        x = proposal.draw(DRAWS, random)
        raw = np.array([target(point) for point in x]) - proposal.log_density(x)
        # ArviZ's function is written for leave-one-out and takes the negative of the log weights.
        possible = np.where(np.isfinite(raw), raw, raw[np.isfinite(raw)].min() - 50)
        smoothed, k_hat = BaseArray().psislw(-possible)  # type: ignore[no-untyped-call]
        if float(k_hat) <= K_HAT or refreshes == REFRESHES:
            break
        proposal = _refreshed(x, np.exp(smoothed - logsumexp(smoothed)), random)
    weights = np.exp(smoothed - logsumexp(smoothed))
    raw_weights = np.exp(raw - raw.max())
    error = float(raw_weights.std() / raw_weights.mean() / np.sqrt(len(raw)))
    return SecondRoute(
        values=_canonical_values(problem, target, x),
        weights=weights,
        k_hat=float(k_hat),
        effective=float(1 / (weights**2).sum()),
        log_evidence=float(logsumexp(raw) - np.log(len(raw))),
        log_evidence_error=error,
        refreshes=refreshes,
    )


def _at_modes(target: _Target, map_fit: em.Fit[Any, Any]) -> _Proposal:
    """One t distribution at each peak near a mode of MAP-EM, for every permutation of exchangeable components."""
    from scipy.optimize import minimize

    def falling(x: Floats) -> float:
        return -target(x)

    peaks: list[tuple[float, Floats]] = []
    for parameters in [map_fit.parameters, *(m.parameters for m in map_fit.modes)]:
        with np.errstate(all="ignore"):
            found = minimize(falling, target.at(parameters), method="BFGS", options={"gtol": 1e-3})
        if np.isfinite(found.fun) and not any(abs(found.fun + value) < 1e-3 for value, _ in peaks):
            peaks.append((-float(found.fun), found.x))
    chances, centres, roots = [], [], []
    groups = target.mixture.groups
    for value, peak in peaks:
        vector = target.mixture.from_coordinates(peak, unbounded=True)[0]
        for order in permutations(range(len(groups))):
            if any(groups[j] != groups[k] for j, k in enumerate(order)):
                continue
            places = np.arange(len(vector))
            places[: len(groups)] = order
            for j, k in enumerate(order):
                places[target.mixture.own_coordinates(j)] = target.mixture.own_coordinates(k)
            permuted = target.mixture.from_vector(vector[places])
            centre = np.asarray(target.mixture.coordinates(permuted, unbounded=True))
            root = _scale(target, centre)
            chances.append(value + np.log(np.diag(root)).sum())
            centres.append(centre)
            roots.append(root)
    shares = np.exp(np.array(chances) - logsumexp(chances))
    # No peak is left to chance: one that the Laplace approximation belittles still gets a tenth of an even share.
    shares = 0.9 * shares + 0.1 / len(shares)
    return _Proposal(shares / shares.sum(), np.array(centres), np.array(roots))


def _scale(target: _Target, peak: Floats) -> Floats:
    """Cholesky root of the inverse negative Hessian, by central differences; flat directions get a wide but finite scale."""
    f = len(peak)
    step = 1e-3
    eye = step * np.eye(f)
    middle = target(peak)
    hessian = np.empty((f, f))
    for a in range(f):
        for b in range(a + 1):
            if a == b:
                second = target(peak + eye[a]) - 2 * middle + target(peak - eye[a])
                hessian[a, a] = second / step**2
                continue
            corners = target(peak + eye[a] + eye[b]) + target(peak - eye[a] - eye[b])
            corners -= target(peak + eye[a] - eye[b]) + target(peak - eye[a] + eye[b])
            hessian[a, b] = hessian[b, a] = corners / (4 * step**2)
    values, vectors = np.linalg.eigh(-hessian)
    # A logit spread by 2.5 covers nearly all of a probability; nothing in these priors is wider.
    spread = 1 / np.sqrt(np.maximum(values, 1 / 2.5**2))
    return np.asarray(np.linalg.cholesky((vectors * spread**2) @ vectors.T))


def _refreshed(x: Floats, weights: Floats, random: np.random.Generator) -> _Proposal:
    """Fit the proposal anew to weighted draws: resampled, jittered, and fitted by EM for Gaussian mixtures."""
    spread = np.sqrt(np.maximum(np.average((x - weights @ x) ** 2, axis=0, weights=weights), 1e-12))
    chosen = x[random.choice(len(x), size=len(x) // 2, p=weights)]
    chosen = chosen + 0.05 * spread * random.normal(size=chosen.shape)
    fit = em.gaussian_mixture(
        chosen,
        n_components=REFRESHED_COMPONENTS,
        prior=GaussianPrior.weakly_informative(chosen, REFRESHED_COMPONENTS),
        seed=int(random.integers(2**31)),
        acceleration="squarem",
    )
    p = fit.parameters
    # A little wider than what was seen: what the first proposal missed lies outside it.
    return _Proposal(np.array(p.weights), np.array(p.means), np.linalg.cholesky(1.5 * p.covariances))


def _canonical_values(problem: Problem, target: _Target, x: Floats) -> dict[str, Floats]:
    with np.errstate(all="ignore"):
        points = [target.parameters(row) for row in x]
    keys = np.stack([p.order_keys for p in points])
    orders = canonical_permutation(keys, target.mixture.groups)
    arrays: dict[str, Any] = {}
    for name in ("weights", "head_probabilities", "means", "covariances"):
        if hasattr(points[0], name):
            arrays[name] = np.stack([getattr(p, name)[o] for p, o in zip(points, orders, strict=True)])
    return quantities.of_arrays(problem, arrays)
