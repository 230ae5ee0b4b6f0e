"""What a fit of normals tells in the user's own units: standard errors, and what parameters say of any rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from em.gaussians.covariances import from_lower
from em.gaussians.patterns import marginal_log_densities
from em.gaussians.steps import log_densities
from em.gaussians.units import Units
from em.mixture import log_weights
from em.rows.chunks import Rows
from em.rows.places import chunks_of
from models.display import displayed
from models.gaussians.measurements import Measurements, Missing
from models.gaussians.nouns import GaussianParameters
from models.inputs import Floats, Integers, names_of
from models.mixtures import checked_labels
from models.tables import Columns


@dataclass(frozen=True, slots=True, eq=False)
class GaussianStandardErrors:
    """Standard errors of `models.GaussianParameters`, the same shapes; 0 where held fixed, NaN where withheld.

    Attributes
    ----------
    standard_deviations : ``(K, d)`` by the delta method, se(variance) / (2 sd)
    reason : why they are withheld, None where they are not
    covariance : ``(p, p)`` of the weights, means and lower entries of the covariances, ordered as ``names``
    """

    weights: Floats
    means: Floats
    covariances: Floats
    standard_deviations: Floats
    reason: str | None
    covariance: Floats
    names: tuple[str, ...]

    __repr__ = displayed


def standard_errors_of(
    covariance: Floats, reason: str | None, deviations: Floats, units: Floats, names: tuple[str, ...]
) -> GaussianStandardErrors:
    """Read the covariance ``(p, p)`` of a full vector of features in units of their own as standard errors in the user's units.

    ``deviations`` ``(K, d)`` are the estimates in the user's units, ``units`` ``(p,)`` what one unit of each entry is there.
    """
    k, d = deviations.shape
    sizes = np.sqrt(np.diag(covariance)) * units
    covariances = from_lower(sizes[k + k * d :], d)
    variances = np.diagonal(covariances, axis1=1, axis2=2)
    with np.errstate(over="ignore", under="ignore"):  # variances of covariances, in units to the fourth power
        scaled = covariance if reason is not None else covariance * units * units[:, None]
    return GaussianStandardErrors(
        weights=sizes[:k],
        means=sizes[k : k + k * d].reshape(k, d),
        covariances=covariances,
        standard_deviations=variances / (2 * deviations),
        reason=reason,
        covariance=scaled,
        names=names,
    )


def told_of_rows(
    data: Any,
    columns: Columns | None,
    units: Units,
    published: GaussianParameters,
    of: Callable[[Floats, Integers], Floats],
    told: int,
    missing: Missing,
) -> Any:
    """``(n, told)`` what ``of`` says of the user's data, wherever they are; of a table the ``columns`` that were fitted.

    See `em.mixture.Mixture.of_rows`; columns of a table go by their names.
    """
    of_some, d = partial(_told, units=units, published=published, of=of), published.means.shape[1]
    chunks = chunks_of(data, None, None, columns)
    if chunks is not None:
        _check_features(len(chunks.features), d)
        return chunks.mapped(partial(_of_rows, of=of_some), told)
    rows = data if isinstance(data, Measurements) else _measured(data, columns, missing)
    if columns is not None and rows.columns is not None and rows.features != columns.features:
        places, _, _ = replace(columns, counts=None, labels=None).found_in(rows.features)
        order = [rows.features.index(name) for name in places]
        rows = Measurements(rows.y[:, order], rows.counts, rows.labels, missing="marginal")
    _check_features(rows.d, d)
    return of_some(rows)


def _measured(data: Any, columns: Columns | None, missing: Missing) -> Measurements:
    """Rows in memory, of a table those columns, with the labels that it has there."""
    names = names_of(data)
    if names is None or columns is None:
        return Measurements(data, missing=missing)
    features, _, labels = columns.found_in(names)
    return Measurements(data[features], labels=None if labels is None else data[labels], missing=missing)


def _check_features(d: int, fitted: int) -> None:
    if d != fitted:
        raise ValueError(f"data has {d} features but the fit has {fitted}; give the features that were fitted")


def _told(
    data: Measurements, units: Units, published: GaussianParameters, of: Callable[[Floats, Integers], Floats]
) -> Floats:
    """What ``of`` says of rows in the user's units, densities too."""
    densities, volume = log_densities, np.broadcast_to(units.log_volume, data.y.shape[:1])
    if not data.complete:
        units, densities = replace(units, turn=None, turn_back=None), marginal_log_densities
        volume = ~np.isnan(data.y) @ np.log(units.unit)
    density = densities(units.parameters(published), units.rows(data.y)) - volume[:, None]
    return of(log_weights(published.weights) + density, checked_labels(data.labels, len(published.weights)))


def _of_rows(rows: Rows, of: Callable[[Measurements], Floats]) -> Floats:
    return of(rows.checked())
