"""Student's t with four degrees of freedom: robust clusters, and an M-step with a latent scale of each row.

A t variable is a normal one whose precision is drawn anew for each row. Given location and precision its expectation is

    u = (nu + 1) / (nu + precision (y - location)^2),

times the precision of the component, and given the u both are those of weighted normals (ECM, Liu & Rubin 1995, Statistica
Sinica 5, 19). One such round would raise the objective already; here rounds are made until they rest, at the maximum.

The precision, and not the scale, is the parameter since a gamma prior of it falls fast enough as a component closes in on one
row: of the scale such a prior leaves the posterior without bound there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
from scipy import stats

from models.family import Family, Gamma, Normal, Positive, Real

NU = 4


def m_step(y: Any, r: Any, prior: Any) -> dict[str, Any]:
    """Rounds of u, location and precision, from the weighted mean and variance."""
    of_location, of_precision = prior["locations"], prior["precisions"]
    y, n = y[:, None], r.sum(axis=0)
    location = (r * y).sum(axis=0) / n
    precision = n / (r * (y - location) ** 2).sum(axis=0)
    for _ in range(200):
        before = location, precision
        u = r * (NU + 1) / (NU + precision * (y - location) ** 2)
        # Of the prior of a location, which is worth as many rows as this; none without a prior, where sd is infinite.
        rows = 1 / (precision * of_location.sd**2)
        location = ((u * y).sum(axis=0) + rows * of_location.mean) / (u.sum(axis=0) + rows)
        squares = (u * (y - location) ** 2).sum(axis=0)
        precision = (n / 2 + of_precision.alpha - 1) / (squares / 2 + of_precision.beta)
        moved = np.abs(location - before[0]) * np.sqrt(precision) + np.abs(precision / before[1] - 1)
        if moved.max() < 1e-10:
            break
    return {"locations": location, "precisions": precision}


students = Family(
    "students",
    data="waiting",
    parameters={"locations": Real(prior=Normal(70, 30)), "precisions": Positive(prior=Gamma(2, 50))},
    scipy=lambda locations, precisions: stats.t(NU, locations, 1 / np.sqrt(precisions)),
    pymc=lambda locations, precisions: pm.StudentT.dist(nu=NU, mu=locations, lam=precisions),
    m_step=m_step,
)
