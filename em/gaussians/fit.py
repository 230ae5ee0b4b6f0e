"""Fit a mixture of normal distributions in d dimensions by EM: `gaussian_mixture`, and what it refuses.

The steps are in `em.gaussians.steps`.
"""

from __future__ import annotations

from typing import Any

from em.ascent.acceleration import Acceleration
from em.fit import Fit, Method, checked_options, fit_mixture
from em.gaussians.missing import mixture_of
from em.gaussians.results import GaussianStandardErrors
from em.mixture import fitting_start, has_mode
from em.progress import Progress
from em.rows.places import chunks_of
from em.search.starts import Starts
from models.gaussians.covariances import Covariance, CovarianceForm
from models.gaussians.measurements import Missing, measured
from models.gaussians.nouns import GaussianParameters, GaussianPrior
from models.inputs import finite_array, instance_of
from models.mixtures import MixtureWeights, Weights, checked_labels, enough_rows
from models.tables import Columns


def gaussian_mixture(
    y: Any,
    n_components: int = 2,
    covariance: Covariance = "full",
    weights: Weights = "free",
    labels: Any = None,
    counts: Any = None,
    prior: GaussianPrior | None = None,
    *,
    missing: Missing = "refuse",
    start: GaussianParameters | None = None,
    seed: int = 0,
    method: Method = "em",
    acceleration: Acceleration = "auto",
    starts: Starts = "default",
    minimum_ratio: float | None = None,
    progress: bool = True,
) -> Fit[GaussianParameters, GaussianStandardErrors]:
    """Fit a mixture of normal distributions by EM.

    Parameters
    ----------
    y : ``(n,)`` or ``(n, d)`` in any units, in memory or in one of the other places of the table below; or
        `models.Measurements`
    n_components : K
    covariance : ``"full"``, ``"tied"``, ``"diagonal"``, ``"spherical"``, ``"tied-diagonal"`` or ``"tied-spherical"``
    weights : ``"free"``, ``"equal"``, or ``(K,)`` values held fixed
    labels : ``(n,)`` known component of each row, -1 where unknown; of a table also the name of a column
    counts : ``(n,)`` how many times each row was seen; of a table also the name of a column
    prior : maximise the log posterior under it; maximum likelihood where None
    missing : what to do where cells of y are missing, as `models.Measurements` has it: ``"refuse"``, ``"drop"`` their rows, or
        ``"marginal"``, keep these by the density of what was seen, right where cells are missing at random; for rows in memory
    start : where to start, its labelling kept; several starts and canonical order where None
    seed : of the random starts
    method : ``"em"``, or ``"nelder-mead"`` or ``"bfgs"`` to maximise the same objective directly
    acceleration : ``"newton"``, ``"squarem"`` or ``"anderson"`` make the steps of EM longer, and lower the objective by rounding
        at most; None leaves ``path[k]`` what k plain iterations give; ``"auto"`` is None below 1000 distinct rows, else
        ``"newton"`` where components and features are few, else ``"anderson"``
    starts : ``"thorough"`` tries four times as many starts, follows more of them to the end, and rearranges more of the optima
    minimum_ratio : c of ``min sigma_j / sigma_k >= c`` over all components, each relative to the data's own spread in the
        same direction; under it the likelihood is bounded
    progress : say on standard error how far a fit is that takes more than 5 seconds

    Returns
    -------
    `em.Fit` with `models.GaussianParameters`, in every case. The likelihood of components with their own covariances
    has no maximum: it grows without limit as one collapses onto a row. What is returned is the best *regular* optimum
    (Hathaway 1985, Annals of Statistics 13, 795) if any was found; ``modes`` lists the others. A component that many rows hold
    is regular however narrow it is; see `em.Mode`. With ``minimum_ratio`` it is the
    best of all; where it lies at that ratio the ``status`` is "boundary" and the standard errors are withheld.

    Raises
    ------
    TypeError, ValueError
        for data that are not finite numbers, or missing and refused; for too few rows, constant or collinear columns, or
        arguments that do not fit
    ObjectiveDecreased
        if the objective falls beyond rounding

    Notes
    -----
    Where the rows may be, and what memory a fit takes beside them:

    ======================================  =====================================  =====================================
    y                                       labels and counts                      memory
    ======================================  =====================================  =====================================
    array, list                             ``(n,)`` arrays                        some copies of the rows
    `pandas.DataFrame`                      ``(n,)`` arrays, or names of columns   the same
    `numpy.memmap`                          ``(n,)`` arrays, also mapped           10 MB
    `pathlib.Path` of a Parquet or Arrow    names of columns                       10 MB, and what pyarrow takes to read
    file or a directory of them, or                                                a row group
    `pyarrow.dataset.Dataset`
    `dask.array.Array`                      Dask arrays cut alike, or arrays       10 MB here and on each thread of a
                                                                                   worker, beside a partition
    `dask.dataframe.DataFrame`              names of columns                       the same, and a copy of the partition
    ======================================  =====================================  =====================================

    All columns of a table but those of labels and counts are features; give a DataFrame or Dataset with those that are meant.
    All but the first two are read in chunks of 1 MB, again and again: some hundred times for a fit. Memory grows with the
    square of the number of parameters and, where there are more than six components, with the number of starts: 24 kB for
    each of some ``11 K (K - 1) / 2 + 30 K``. Dask's rows stay where they are; ``y.persist()`` keeps them there between two
    passes, on the cluster of the active `distributed.Client` if there is one. The fit is the one that the same rows in memory
    have: the search is made in the same sample of 3000 distinct rows, and sums differ by rounding.

    References
    ----------
    McLachlan & Peel (2000), Finite Mixture Models; Fraley & Raftery (2007), Journal of Classification 24, 155; with missing
    cells Ghahramani & Jordan (1994), NIPS 6, 120.
    """
    checked_options(method, acceleration, starts)
    treated, form = MixtureWeights.of(weights, n_components), CovarianceForm.of(covariance)
    if minimum_ratio is not None:
        minimum_ratio = _checked_ratio(minimum_ratio, method)
    # Nelder-Mead moves in the user's own units, as in the published example; its simplex is not invariant.
    standardise = method != "nelder-mead"
    shown = Progress()
    told = shown.step if progress else None
    options: dict[str, Any] = {"minimum_ratio": minimum_ratio, "standardise": standardise, "told": told}
    chunks = chunks_of(y, counts, labels)
    if chunks is not None and missing != "refuse":
        raise ValueError(
            f"missing is {missing!r} but y is read in chunks, where no cell may be missing; give rows in memory, or fill "
            "them first"
        )
    if chunks is None:
        data = measured(y, counts, labels, missing)
        enough_rows(data.n, n_components)
        checked_labels(data.labels, n_components)
        _check_numbers(data.d, data.columns, prior, start, treated, form)
        mixture = mixture_of(data, treated, form, prior, **options)
    else:
        from em.rows.chunked import over_chunks

        _check_numbers(len(chunks.features), chunks.columns, prior, start, treated, form)
        mixture = over_chunks(chunks, seed, treated, form, prior, **options)
    internal = None if start is None else mixture.units.parameters(start)
    if internal is not None and mixture.ratio is not None and not mixture.ratio.kept(internal.covariances):
        raise ValueError(
            f"start.covariances have a ratio of standard deviations of {mixture.ratio.ratio(internal.covariances):.3g}, "
            f"below minimum_ratio={minimum_ratio:g}; start from wider components"
        )
    try:
        return fit_mixture(
            mixture, start=internal, seed=seed, method=method, acceleration=acceleration, starting=starts
        )
    finally:
        shown.end()


def _check_numbers(
    d: int,
    columns: Columns | None,
    prior: GaussianPrior | None,
    start: GaussianParameters | None,
    weights: MixtureWeights,
    form: CovarianceForm,
) -> None:
    """Refuse a prior or a start of other than ``d`` features or other columns, or that fits neither weights nor form."""
    if prior is not None:
        instance_of("prior", prior, GaussianPrior)
        prior.checked(d, columns)
        has_mode("concentration", prior.concentration)
    if start is not None:
        instance_of("start", start, GaussianParameters)
        fitting_start(start.weights, weights)
        if start.means.shape[1] != d:
            raise ValueError(f"start has {start.means.shape[1]} features but y has {d}; give as many of both")
        form.checked(start.covariances)


def _checked_ratio(minimum_ratio: float, method: Method) -> float:
    """A least ratio of standard deviations in (0, 1], and a method that keeps to it."""
    ratio = float(finite_array("minimum_ratio", minimum_ratio, (0,)))
    if not 0 < ratio <= 1:
        raise ValueError(f"minimum_ratio is {ratio:g}; a smallest over a largest standard deviation lies in (0, 1]")
    if method != "em":
        raise ValueError(f'minimum_ratio is kept by EM alone; leave it out with method="{method}"')
    return ratio
