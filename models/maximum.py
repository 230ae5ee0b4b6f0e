"""The posterior mode by PyMC's own density: several jittered starts, and a look at the curvature where they end.

PyMC's ``find_MAP`` from its default start returns the saddle of a symmetric mixture without a word. Here every start is
jittered, BFGS runs on one compiled value-and-gradient function, and the second derivatives tell a maximum from a saddle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from models.display import displayed
from models.inputs import Floats, whole_number
from models.posterior import LogPosterior

if TYPE_CHECKING:
    import pymc as pm

# Second derivatives below this, relative to the largest, are rounding error of central differences.
FLAT = 1e-6
# Jitter of the starts in turn. The narrow one finds modes inside, the wide one those near a bound, where a probability is 0
# or 1: of eleven simulated coin data sets whose mode eight narrow starts missed, eight starts of both kinds found nine.
JITTERS = (1.0, 3.0)


@dataclass(frozen=True, slots=True, eq=False)
class Maximum:
    """The highest point that the starts reached.

    Attributes
    ----------
    parameters : by name on the natural scale, deterministics among them
    log_posterior : log-likelihood plus log prior density without Jacobian, in nats
    x : the point on PyMC's unconstrained scale
    kind : "maximum", "saddle", "ridge" (flat in some direction), or "not converged"
    gradient_norm : largest absolute entry of the gradient there, means in units of the data's standard deviation
    reached : how many of the starts ended within 1e-6 nats of it
    starts : how many there were
    """

    parameters: dict[str, Floats]
    log_posterior: float
    x: Floats
    kind: Literal["maximum", "saddle", "ridge", "not converged"]
    gradient_norm: float
    reached: int
    starts: int

    __repr__ = displayed


def find_map(model: pm.Model | LogPosterior, starts: int = 8, seed: int = 0) -> Maximum:
    """Find the posterior mode of a PyMC model on its natural scale.

    Parameters
    ----------
    model : a model of this package, or its `LogPosterior` where that exists already
    starts : how many jittered starts
    seed : of the jitter

    Returns
    -------
    `Maximum`, in the labelling of the start that won; a saddle or a ridge is returned and called so

    Raises
    ------
    TypeError, ValueError
        if ``model`` is none, ``starts`` is no whole number of at least 1, or ``seed`` none of at least 0
    """
    from scipy.optimize import minimize

    whole_number("starts", starts, least=1)
    whole_number("seed", seed, least=0)
    density = model if isinstance(model, LogPosterior) else LogPosterior(model)
    random = np.random.default_rng(seed)

    def falling(z: Floats) -> tuple[float, Floats]:
        value, gradient = density.value_and_gradient(z * density.scale)
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            return np.inf, np.zeros_like(z)
        return -value, -gradient * density.scale

    ends: list[tuple[float, Any]] = []
    with np.errstate(all="ignore"):
        for origin in (density.spread_out_start(random, JITTERS[j % len(JITTERS)]) for j in range(starts)):
            # SciPy stops earlier by itself when rounding keeps the line search from gaining anything.
            scaled = origin / density.scale
            result = minimize(falling, scaled, jac=True, method="BFGS", options={"gtol": 1e-7, "maxiter": 2000})
            ends.append((-float(result.fun), result.x * density.scale))
    best, x = max(ends, key=lambda end: end[0] if np.isfinite(end[0]) else -np.inf)
    x, hessian = _polished(density, x)
    value, gradient = density.value_and_gradient(x)
    gradient = gradient * density.scale
    curvatures = np.linalg.eigvalsh(-hessian * density.scale * density.scale[:, None])
    size = np.abs(curvatures).max()
    kind: Literal["maximum", "saddle", "ridge", "not converged"] = "maximum"
    if np.abs(gradient).max() > 1e-3 * max(1.0, np.sqrt(size)):
        kind = "not converged"
    elif curvatures[0] < -FLAT * size:
        kind = "saddle"
    elif curvatures[0] < FLAT * size:
        kind = "ridge"
    reached = sum(abs(end - best) < 1e-6 for end, _ in ends)
    return Maximum(density.natural(x), value, x, kind, float(np.abs(gradient).max()), reached, starts)


def _polished(density: LogPosterior, x: Floats) -> tuple[Floats, Floats]:
    """A few Newton steps where the Hessian is negative definite, and the Hessian at the end."""
    hessian = density.hessian(x)
    for _ in range(3):
        value, gradient = density.value_and_gradient(x)
        scaled = hessian * density.scale * density.scale[:, None]
        if not (np.linalg.eigvalsh(scaled) < 0).all():
            break
        further = x - density.scale * np.linalg.solve(scaled, gradient * density.scale)
        if not density.value_and_gradient(further)[0] > value:
            break
        x, hessian = further, density.hessian(further)
    return x, hessian
