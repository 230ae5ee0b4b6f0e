"""Normal mixtures read and computed again, by `scipy.stats` and names alone: shares nothing with the rest of the suite."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from comparisons.declared_rows import DeclaredRows
from comparisons.families.family import Setup
from models import GaussianParameters
from models.inputs import Floats


def unit_of(rows: DeclaredRows) -> float:
    """One number by which measurements are divided, so that squares neither overflow nor vanish."""
    return float(rows.spread.max())


def normal(y: Floats, mean: Floats, covariance: Floats, unit: float) -> Floats:
    """Log density ``(n,)`` of a normal distribution; of a row with cells missing that of the others, by their own normal."""
    found, missing = np.zeros(len(y)), np.isnan(y)
    for without in np.unique(missing, axis=0):
        kept = np.flatnonzero(~without)
        if len(kept):
            rows = (missing == without).all(axis=1)
            root = np.linalg.cholesky(covariance[np.ix_(kept, kept)] / unit / unit)
            normal = stats.multivariate_normal(cov=stats.Covariance.from_cholesky(root))
            found[rows] = normal.logpdf((y[np.ix_(rows, kept)] - mean[kept]) / unit) - len(kept) * np.log(unit)
    return found


def prior_numbers(problem: Setup) -> dict[str, Any]:
    """The default prior worked out from the declared rows."""
    c, rows = problem.comparison, problem.declared
    d, k = len(c.features), len(c.components)
    z = (rows.columns - rows.mean) / rows.spread
    seen = [np.isfinite(z[:, a]) for a in range(d)]
    n = [rows.counts[there].sum() for there in seen]
    # The mean is rounded; what it is off by is taken off.
    z -= [rows.counts[there] @ z[there, a] / n[a] for a, there in enumerate(seen)]
    covariance = np.empty((d, d))
    for a in range(d):
        for b in range(d):
            both = seen[a] & seen[b]
            products = rows.counts[both] @ (z[both, a] * z[both, b])
            covariance[a, b] = products / np.sqrt((n[a] - 1) * (n[b] - 1)) * rows.spread[a] * rows.spread[b]
    return {
        "concentration": 2.0,
        "mean": rows.mean,
        "shrinkage": 1 / 20,
        "degrees_of_freedom": d + 4.0,
        "scale": covariance * np.exp(-2 / d * np.log(k)),
    }


def log_prior(problem: Setup, parameters: GaussianParameters, numbers: dict[str, Any]) -> float:
    """Log density of means and covariances, by a unit as of the rows."""
    unit, total, d = unit_of(problem.declared), 0.0, len(numbers["mean"])
    for mean, covariance in zip(parameters.means, parameters.covariances, strict=True):
        total += float(normal(mean[None], numbers["mean"], covariance / numbers["shrinkage"], unit)[0])
    nu, scale, log_unit = numbers["degrees_of_freedom"], numbers["scale"] / unit / unit, np.log(unit)
    form = str(problem.comparison.covariance)
    for covariance in parameters.covariances[:1] if form.startswith("tied") else parameters.covariances:
        own = covariance / unit / unit
        if form.endswith("diagonal"):
            total += float(stats.invgamma(nu / 2, scale=np.diag(scale) / 2).logpdf(np.diag(own)).sum())
            total -= 2 * d * log_unit
        elif form.endswith("spherical"):
            total += float(stats.invgamma(nu / 2, scale=np.trace(scale) / d / 2).logpdf(own[0, 0])) - 2 * log_unit
        else:
            total += float(stats.invwishart(nu, scale).logpdf(own)) - d * (d + 1) * log_unit
    return total


def rounding(rows: DeclaredRows, parameters: GaussianParameters) -> float:
    """Nats: squared distances lose digits to one another where a covariance is near singular."""
    eps = np.finfo(float).eps
    worst = 0.0
    for mean, covariance in zip(parameters.means, parameters.covariances, strict=True):
        deviations = np.sqrt(np.diag(covariance))
        condition, size = np.linalg.cond(covariance / deviations / deviations[:, None]), 0.0
        for part in rows.parts():
            distances = np.nansum(((part.columns - mean) / deviations) ** 2, axis=1)
            size += float(part.counts @ (1 + distances))
        worst = max(worst, float(4 * eps * condition * size))
    return worst


def natural(problem: Setup, values: dict[str, Floats], n: int) -> dict[str, Floats]:
    """See `comparisons.families.family.Family.reread`."""
    k, d = len(problem.comparison.components), len(problem.comparison.features)
    covariances = np.zeros((n, k, d, d))
    form = str(problem.comparison.covariance)
    for j in range(k):
        if "covariance_factors" in values:
            packed = values["covariance_factors"]
            own = packed if form.startswith("tied") else packed[:, j]
            root, place = np.zeros((n, d, d)), 0
            for a in range(d):
                for b in range(a + 1):
                    root[:, a, b] = own[:, place]
                    place += 1
            covariances[:, j] = np.einsum("nab,ncb->nac", root, root)
            continue
        own = values["variances"] if form.startswith("tied") else values["variances"][:, j]
        for a in range(d):
            covariances[:, j, a, a] = own if form.endswith("spherical") else own[:, a]
    return {"means": values["means"], "covariances": covariances}


def quantities_of(problem: Setup, arrays: dict[str, Floats]) -> dict[str, Floats]:
    """See `comparisons.families.family.Family.reread_quantities`."""
    c = problem.comparison
    found: dict[str, Floats] = {}
    for k, component in enumerate(c.components):
        for a, feature in enumerate(c.features):
            mean, variance = arrays["means"][:, k, a], arrays["covariances"][:, k, a, a]
            if len(c.features) == 1:
                found[f"means[{component}]"] = mean
                found[f"standard_deviations[{component}]"] = found["standard_deviations"] = variance**0.5
                continue
            found[f"means[{component}, {feature}]"] = mean
            if str(c.covariance).endswith("spherical"):
                found[f"variances[{component}]"] = found["variances"] = variance
            for b, other in enumerate(c.features[: a + 1]):
                entry = arrays["covariances"][:, k, b, a]
                found[f"covariances[{component}, {other}, {feature}]"] = entry
                found[f"covariances[{other}, {feature}]"] = entry  # where all components share one
    return found
