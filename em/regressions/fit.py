"""Mixtures of linear regressions from data to a fit."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike

from em.fit import Fit, Options, fit_mixture, taken
from em.mixture import fitting_start, has_mode
from em.regressions.concomitants import ConcomitantMixture
from em.regressions.mixture import RegressionMixture
from em.regressions.units import RegressionStandardErrors
from models.elementwise import asked
from models.inputs import instance_of
from models.mixtures import Weights
from models.regressions.nouns import (
    ConcomitantParameters,
    RegressionParameters,
    RegressionPrior,
    Variances,
    is_tied,
    refuse_held,
    rows_of,
)
from models.regressions.regressors import RegressionRows


def regression_mixture(
    y: RegressionRows | ArrayLike,
    x: Any = None,
    n_components: int = 2,
    covariance: Variances = "own",
    weights: Weights = "free",
    prior: RegressionPrior | None = None,
    *,
    counts: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    intercept: bool = True,
    concomitants: Any = None,
    **options: Unpack[Options],
) -> Fit[RegressionParameters, RegressionStandardErrors]:
    """Fit a mixture of linear regressions by EM.

    Parameters
    ----------
    y : ``(n,)`` responses, or `models.RegressionRows` with all that belongs to them
    x : ``(n,)`` or ``(n, m)`` covariates, an array or a DataFrame, without the intercept
    n_components : K
    covariance : ``"own"`` variances of the components, or one that is ``"tied"``
    weights : ``"free"``, ``"equal"``, or ``(K,)`` values held fixed
    prior : maximise the log posterior under it; maximum likelihood where None
    counts, labels : as in `models.RegressionRows`
    intercept : whether an intercept stands before the covariates
    concomitants : ``(n,)`` or ``(n, m)`` what the weights depend on by a multinomial logit, see `em.regressions.concomitants`;
        weights are free then. Rows for `em.Fit.predict` are ``rows.with_concomitants(w)``.
    options : ``start``, ``seed``, ``method``, ``acceleration`` and ``starts`` as in `em.coin_mixture`

    Returns
    -------
    `em.Fit` with `models.RegressionParameters`, in every case: ``status`` tells a saddle, ridge or collapse from a maximum. A
    component collapses where it goes through as many rows as it has coefficients, as one of normals does onto a row.

    Raises
    ------
    TypeError, ValueError
        for columns that are collinear, rows fewer than components, or weights, labels, a prior or a start that do not fit
    ObjectiveDecreased
        if the objective falls beyond rounding

    References
    ----------
    DeSarbo & Cron (1988), Journal of Classification 5, 249.
    """
    own = ["y", "x", "n_components", "weights", "prior", "covariance", "intercept", "concomitants", "counts", "labels"]
    start, seed, method, acceleration, starts = taken(options, own)
    data, tied = rows_of(y, x, counts, labels, intercept, concomitants), is_tied(covariance)
    treated, p = (
        asked("y", data, RegressionRows, n_components, weights, prior, RegressionPrior),
        len(data.lines.covariates),
    )
    further = data.n_concomitants
    if further:
        refuse_held(weights)
    if prior is not None:
        has_mode("concentration", prior.checked(data).concentration)
    if start is not None:
        instance_of("start", start, ConcomitantParameters if further else RegressionParameters)
        fitting_start(start.weights, treated)
        if start.coefficients.shape[1] != p:
            raise ValueError(
                f"start has {start.coefficients.shape[1]} coefficients but there are {p}; give as many of both"
            )
        if tied and np.ptp(start.variances) > 1e-8 * start.variances.max():
            raise ValueError('start.variances differ but covariance is "tied"; give one value for all')
        if further and start.gating.shape[1] != further:
            raise ValueError(
                f"start.gating has {start.gating.shape[1]} columns but there are {further} concomitants; give as many of both"
            )
    kind = ConcomitantMixture if further else RegressionMixture
    mixture: Any = kind(data, treated, prior, tied)
    inside = None if start is None else mixture.from_published(start)
    return fit_mixture(mixture, start=inside, seed=seed, method=method, acceleration=acceleration, starting=starts)
