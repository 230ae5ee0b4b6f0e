"""Sandwich standard errors: right in large samples also where the rows do not follow the model.

With ``I`` the observed information of the objective and ``s_i`` the score of row ``i``, which sum to 0 at the estimate,

    covariance = I^-1 (sum_i s_i s_i') I^-1,

White (1982), Econometrica 50, 1. A row that was seen c times counts c times; a labelled row has the score of its own
component; a prior adds a share of its gradient to every row.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from em.fit import Fit, checked_fit
from em.mixture import Mixture, parts
from em.uncertainty.curvature import curvature
from em.uncertainty.scores import row_scores
from models.inputs import Floats


def sandwich[E](fit: Fit[Any, E]) -> E:
    """Sandwich standard errors of a fit, in the form of ``fit.standard_errors``.

    Parameters
    ----------
    fit : as `em.coin_mixture` or `em.gaussian_mixture` return

    Returns
    -------
    Standard errors; NaN with the fit's own reason where its standard errors are withheld

    Raises
    ------
    ValueError
        for a fit that was read from a file
    """
    checked_fit(fit)
    mixture: Mixture[Any, Any] = fit._mixture
    parameters = mixture.from_vector(fit.path._vectors[-1])
    p, reason = mixture.n_parameters, fit.standard_errors.reason  # type: ignore[attr-defined]
    if reason is not None:
        return mixture.standard_errors(parameters, np.full((p, p), np.nan), reason)  # type: ignore[no-any-return]
    prior = mixture.prior_derivatives(parameters)[0] / mixture.n
    meat = mixture.summed(partial(_products, parameters=parameters, prior=prior))
    half = np.linalg.solve(curvature(mixture, parameters).information, mixture.basis.T)
    return mixture.standard_errors(parameters, half.T @ meat @ half, None)  # type: ignore[no-any-return]


def _products(mixture: Mixture[Any, Any], parameters: Any, prior: Floats) -> Floats:
    """``(f, f)`` sum of the outer products of the rows' scores by the free coordinates."""
    f = mixture.basis.shape[1]
    meat = np.zeros((f, f))
    for part in parts(mixture):
        of_weights = part.of_weights(parameters)[0]
        scores = (row_scores(part, parameters).full + of_weights + prior) @ mixture.basis
        meat += (scores * part.counts[:, None]).T @ scores
    return meat
