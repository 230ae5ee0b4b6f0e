"""The PyMC model of normal mixtures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from models.gaussians.covariances import Covariance, CovarianceForm
from models.gaussians.measurements import Measurements, Missing, measured
from models.inputs import (
    instance_of,
)
from models.mixture_distribution import Likelihood, asks_for_fused
from models.mixtures import MixtureWeights, Weights, checked_labels, enough_rows

if TYPE_CHECKING:
    import pymc as pm
from models.gaussians.nouns import GaussianPrior


def gaussian_mixture(
    y: ArrayLike | Measurements,
    n_components: int = 2,
    covariance: Covariance = "full",
    weights: Weights = "free",
    labels: ArrayLike | None = None,
    counts: ArrayLike | None = None,
    prior: GaussianPrior | None = None,
    missing: Missing = "refuse",
    likelihood: Likelihood = "pymc",
) -> pm.Model:
    """Build the PyMC model of a mixture of normal distributions.

    Data and prior numbers are `pymc.Data`, so that a compiled model serves other rows with ``with_data``. Rows stay as they
    are given, but for those counted 0 times; many equal rows cost less as ``Measurements(y).distinct()``, which counts them.

    Parameters
    ----------
    y : ``(n,)`` or ``(n, d)``, an array or a DataFrame, in any units; or `Measurements`
    n_components : K
    covariance : ``"full"``, ``"tied"``, ``"diagonal"``, ``"spherical"``, ``"tied-diagonal"`` or ``"tied-spherical"``
    weights : ``"free"``, ``"equal"``, or ``(K,)`` values held fixed
    labels : ``(n,)`` known component of each row, -1 where unknown; of a table also the name of a column
    counts : ``(n,)`` how many times each row was seen; of a table also the name of a column
    prior : `GaussianPrior.weakly_informative` where None
    missing : what to do where cells of y are missing, as `Measurements` has it; with ``"marginal"`` the rows have the density of
        what was seen, with the same free variables, and draws of ``y`` are of whole rows
    likelihood : ``"pymc"``, of PyMC's own distributions, or ``"fused"``, the same by one compiled pass over the rows, which is
        faster the more there are: of a component a thousandth as wide as the data a row's log density has its tenth digit, and
        there are no second derivatives

    Returns
    -------
    pymc.Model
        ``means`` with the dims ``component`` and ``feature``; ``weights`` unless held; ``covariances``, a deterministic of
        ``variances`` (inverse-gamma; one feature, diagonal and spherical forms) or of ``covariance_factors``
        (inverse-Wishart, as packed Cholesky factors); ``standard_deviations`` for one feature; observed ``y``.

    Raises
    ------
    TypeError, ValueError
        as `em.gaussian_mixture` does for the same arguments

    References
    ----------
    Fraley & Raftery (2007), Journal of Classification 24, 155.
    """
    import pymc as pm

    from models.gaussians.fused_distribution import diagonal_logp_in_one_pass, full_logp_in_one_pass
    from models.gaussians.marginal_distribution import marginal_diagonal_logp, marginal_full_logp
    from models.gaussians.normal_components import add_diagonal, add_full
    from models.gaussians.normal_distribution import diagonal_logp, diagonal_random, full_logp, full_random
    from models.gaussians.white import add_white
    from models.mixture_distribution import add_weights

    data = measured(y, counts, labels, missing)
    treated, form = MixtureWeights.of(weights, n_components), CovarianceForm.of(covariance)
    enough_rows(data.n, n_components)
    checked_labels(data.labels, n_components)
    fused, data = asks_for_fused(likelihood), data.seen()
    if fused and not data.complete:
        raise ValueError(
            'likelihood is "fused" but cells of y are missing; give "pymc", which has the density of what was seen'
        )
    if prior is None:
        prior = GaussianPrior.weakly_informative(data.y, n_components, data.counts, "marginal")
    instance_of("prior", prior, GaussianPrior)
    prior.checked(data.d, data.columns)
    k, d = n_components, data.d
    logp: Any
    random: Any
    coords = {"component": range(k), "feature": data.features, "feature_2": data.features}
    # Bounds need no checks: the transforms keep every value inside, and the graph compiles faster without.
    with pm.Model(coords=coords, check_bounds=False) as model:
        # PyMC fills in what is NaN in data that it is given; of a variable's value it asks nothing.
        observed = pm.Data("observed_y", np.nan_to_num(data.y), shape=(None, d))
        observed.set_value(np.array(data.y), borrow=True)
        seen = pm.Data("counts", data.counts.astype(float))
        known = pm.Data("labels", np.array(data.labels))
        w = add_weights(treated, prior.concentration, data.labels)
        white = add_white(data, form, prior)
        if form.shape == "full" and d > 1:
            parameters = add_full(k, form, prior, white)
            logp = full_logp if data.complete else marginal_full_logp
            logp = full_logp_in_one_pass(*white[1::2]) if fused else logp
            random, signature = full_random, "(k),(k,d),(k,p),(d),(),()->(d)"
        else:
            parameters = add_diagonal(k, form, prior, white)
            logp = diagonal_logp if data.complete else marginal_diagonal_logp
            logp = diagonal_logp_in_one_pass(*white[1::2]) if fused else logp
            random, signature = diagonal_random, "(k),(k,d),(k,d),(d),(),()->(d)"
        pm.CustomDist(
            "y",
            w,
            *parameters,
            white[0],
            seen,
            known,
            logp=logp,
            random=random,
            signature=signature,
            class_name="GaussianMixture",
            observed=observed,
        )
    return model
