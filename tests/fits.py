"""One fit of each family, with the rows that it is of and their densities by SciPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

import em
from em.general import family_mixture
from models import CoinTosses, EventCounts, GaussianPrior, Measurements
from models.family import Family, Gamma, Normal, Positive, Real, Rows
from models.inputs import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A fit, its rows, and the log density ``(n, K)`` of each row under each component, by SciPy."""

    fit: em.Fit[Any, Any]
    rows: Any
    density: Callable[[], Any]
    family: Family | None = None


def _pymc(means: Any, sds: Any) -> Any:
    import pymc as pm

    return pm.Normal.dist(mu=means, sigma=sds)


def _m_step(y: Floats, r: Floats, prior: Any) -> dict[str, Floats]:
    """Of the likelihood."""
    means = r.T @ y / r.sum(axis=0)
    return {"means": means, "sds": np.sqrt((r * (y[:, None] - means) ** 2).sum(axis=0) / r.sum(axis=0))}


# Its parameters have names that normals of several features have, too.
OWN = Family(
    "own normals",
    "y",
    {"means": Real(Normal(0.0, 9.0)), "sds": Positive(Gamma(3.0, 2.0))},
    lambda means, sds: stats.norm(means, sds),
    _pymc,
    _m_step,
)


def coins() -> Fitted:
    """Bags of two sizes, counted, the coin of some known."""
    rows = CoinTosses(
        [5, 9, 8, 4, 7, 3, 19], [10, 10, 10, 10, 10, 10, 20], [3, 2, 2, 3, 1, 2, 1], [-1, -1, -1, 0, -1, -1, 1]
    )
    fit = em.coin_mixture(rows, 2)
    heads, tosses = rows.heads[:, None], rows.tosses[:, None]
    return Fitted(fit, rows, lambda: stats.binom.logpmf(heads, tosses, fit.parameters.head_probabilities))


def poissons() -> Fitted:
    """Rows of three exposures."""
    random = np.random.default_rng(4)
    exposure = random.choice([0.5, 1.0, 2.5], size=60)
    events = random.poisson(exposure * np.where(np.arange(60) < 25, 2.0, 11.0))
    rows = EventCounts(events, exposure)
    fit = em.poisson_mixture(rows)
    return Fitted(fit, rows, lambda: stats.poisson.logpmf(events[:, None], exposure[:, None] * fit.parameters.rates))


def gaussians() -> Fitted:
    """A table of two columns, one with a comma in its name, with counts and labels; the posterior mode."""
    random = np.random.default_rng(5)
    z = random.choice(2, size=90, p=[0.4, 0.6])
    y = np.array([[0.0, 50.0], [4.0, 80.0]])[z] + random.normal(size=(90, 2)) * [1.0, 6.0]
    frame = pd.DataFrame({"long, wide": y[:, 0], "wait": y[:, 1], "n": random.integers(1, 3, 90)})
    frame["z"] = np.where(np.arange(90) < 9, z, -1)
    rows = Measurements(frame, counts="n", labels="z")
    fit = em.gaussian_mixture(rows, 2, prior=GaussianPrior.weakly_informative(frame[["long, wide", "wait"]], 2))
    p = fit.parameters

    def density() -> Floats:
        of_each = zip(p.means, p.covariances, strict=True)
        return np.stack([stats.multivariate_normal(m, c).logpdf(rows.y) for m, c in of_each], axis=1)

    return Fitted(fit, rows, density)


def own() -> Fitted:
    """Numbers of a family of one's own."""
    random = np.random.default_rng(6)
    rows = Rows(np.concatenate([random.normal(-2, 1, 30), random.normal(3, 1.5, 30)]))
    fit = family_mixture(OWN, rows)
    p = fit.parameters
    return Fitted(fit, rows, lambda: stats.norm.logpdf(rows.y[:, None], p.means, p.sds), OWN)


FITS = {made.__name__: made() for made in (coins, poissons, gaussians, own)}
