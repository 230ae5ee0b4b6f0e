"""What a declaration and its data must be to each other, asked before anything is fitted or sampled."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from comparisons.declaration import Comparison
from comparisons.names import distinct_names
from em.mixture import has_mode
from models import CoinPrior, CoinTosses, GaussianPrior, Measurements
from models.covariances import CovarianceForm
from models.inputs import instance_of, shown, some_of, whole_number
from models.mixtures import MixtureWeights, checked_labels, enough_rows


def fitting(comparison: Comparison, data: Any) -> Comparison:
    """Return the declaration, its features named, or refuse what would end a run that has taken minutes.

    Raises
    ------
    TypeError, ValueError
        for data of no family, fewer rows than components, labels that are no component, weights, covariance, features or a
        prior that do not fit
    """
    if not isinstance(data, CoinTosses | Measurements):
        raise TypeError(f"data must be models.CoinTosses or models.Measurements, but is {type(data).__name__}")
    k = comparison.n_components
    MixtureWeights.of(comparison.weights, k)
    CovarianceForm.of(comparison.covariance)
    enough_rows(data.n, k)
    checked_labels(data.labels, k)
    if isinstance(data, CoinTosses):
        if comparison.features:
            raise ValueError(
                f"features is {some_of(comparison.features)} but tosses of coins have none; leave them out"
            )
        _check_prior(comparison.prior, CoinPrior)
        return comparison
    prior = _check_prior(comparison.prior, GaussianPrior)
    if prior is not None:
        prior.checked(data.d, data.columns)
    return replace(comparison, features=_features(comparison, data))


def _check_prior(prior: Any, family: type[Any]) -> Any:
    if prior is not None:
        instance_of("prior", prior, family)
        for name in ("heads", "tails", "concentration") if family is CoinPrior else ("concentration",):
            has_mode(name, getattr(prior, name))
    return prior


def _features(comparison: Comparison, data: Measurements) -> tuple[str, ...]:
    """Names of the columns: as declared, else as the data have them, else ``y``, or ``y1``, ``y2``, ..."""
    told, own = tuple(comparison.features), data.features if data.columns is not None else ()
    if not told:
        unnamed = ("y",) if data.d == 1 else tuple(f"y{j + 1}" for j in range(data.d))
        return distinct_names("feature", own or unnamed)
    if len(told) != data.d:
        raise ValueError(
            f"features has {len(told)} names but y has {data.d} columns; give one name per column, or none"
        )
    for j, name in enumerate(told):
        if name in own and own.index(name) != j:
            raise ValueError(
                f"features[{j}] is {shown(name)} but column {j + 1} of y is {shown(own[j])}; keep to their order"
            )
    return told


def checked_settings(seed: Any, draws: Any, chains: Any) -> None:
    """Refuse settings with which sampling would end in an error, or in no verdict.

    Raises
    ------
    TypeError, ValueError
        if one is no whole number, or below what it must be at least
    """
    # Split R-hat needs two draws in each half of a chain.
    for name, value, least in (("seed", seed, 0), ("draws", draws, 4), ("chains", chains, 1)):
        whole_number(name, value, least=least)
