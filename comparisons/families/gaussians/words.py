"""A normal mixture in words."""

from __future__ import annotations

import numpy as np

from comparisons.families.family import Setup
from models import Measurements
from models.gaussians.covariances import CovarianceForm

# Of distances of features, where cells are missing.
OF_SEEN_CELLS = (
    "Where which cells are missing depends on other cells, the values that were seen are no sample of a margin, and a departure "
    "may be of that. "
)


def of_missing_cells(data: Measurements) -> list[str]:
    """What a report says of them, nothing where there are none."""
    cells = int(data.counts @ (~data.observed).sum(axis=1))
    if not cells:
        return []
    return [
        f"{cells} of {data.n * data.d} cells are missing. Rows are kept by the marginal density of what was seen, which is right "
        "where cells are missing at random."
    ]


def _number(value: float) -> str:
    return f"{value:.6g}"


def of_rows_and_prior(problem: Setup) -> tuple[dict[str, str], str, list[str]]:
    """See `comparisons.families.family.Family.words`."""
    c, prior = problem.comparison, problem.prior
    k, form = c.n_components, CovarianceForm.of(c.covariance)
    told: list[str] = []
    one = len(c.features) == 1
    at, its = ("[z[i]]" if k > 1 else "", "[k]")
    own, each = ("", "") if form.tied else (at, its)
    nu, scale = prior.degrees_of_freedom, prior.scale
    half = _number(nu / 2)
    if one:
        spread, over = f"standard_deviations{own}", f"standard_deviations{each} / sqrt({_number(prior.shrinkage)})"
        told.append(f"standard_deviations{each}^2 ~ inverse-gamma({half}, {_number(scale[0, 0] / 2)})")
    elif form.shape == "spherical":
        spread, over = f"variances{own} I", f"variances{each} I / {_number(prior.shrinkage)}"
        told.append(f"variances{each} ~ inverse-gamma({half}, {_number(np.trace(scale) / len(scale) / 2)})")
    else:
        spread, over = f"covariances{own}", f"covariances{each} / {_number(prior.shrinkage)}"
        if form.shape == "full":
            rows = "; ".join(", ".join(_number(v) for v in row) for row in scale)
            told.append(f"covariances{each} ~ inverse-Wishart({_number(nu)}, [{rows}])")
        else:
            inside = "" if form.tied else "k, "
            told += [
                f"covariances[{inside}{f}, {f}] ~ inverse-gamma({half}, {_number(scale[j, j] / 2)})"
                for j, f in enumerate(c.features)
            ]
    centre = ", ".join(_number(v) for v in prior.mean)
    told.append(f"means[k] ~ Normal({centre if one else f'[{centre}]'}, {over})")
    return {"covariance": c.covariance}, f"y[i] ~ Normal(means{at}, {spread})", told
