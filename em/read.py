"""Read a fit that `em.Fit.write` wrote."""

from __future__ import annotations

import json
import os
from dataclasses import fields
from pathlib import Path as Place
from typing import Any

import numpy as np

from em.beta_binomials import BetaBinomialMixture
from em.coins.mixture import CoinMixture
from em.exponentials import WaitMixture
from em.fit import Fit, Path
from em.gammas import GammaMixture
from em.gaussians.mixture import GaussianMixture
from em.general import GeneralMixture
from em.latent_classes import LatentClassMixture
from em.mixture import trusted
from em.negative_binomials import NegativeBinomialMixture
from em.poissons import PoissonMixture
from em.regressions.concomitants import ConcomitantMixture
from em.regressions.mixture import RegressionMixture
from em.search.doubts import Doubt
from em.search.optima import Mode
from em.written import DIGEST, VERSION, digest
from models.family import Family
from models.inputs import Floats, cut, instance_of, read_only
from models.mixtures import MixtureWeights

FAMILIES: dict[str, Any] = {
    each.kind: each
    for each in (
        CoinMixture,
        GaussianMixture,
        PoissonMixture,
        WaitMixture,
        GammaMixture,
        NegativeBinomialMixture,
        BetaBinomialMixture,
        LatentClassMixture,
        RegressionMixture,
        ConcomitantMixture,
    )
}


def read_fit(path: str | os.PathLike[str], family: Family | None = None) -> Fit[Any, Any]:
    """Read a fit that ``fit.write(path)`` wrote.

    Parameters
    ----------
    path : of the file
    family : of one's own, where the fit is of such a one: its densities are in no file

    Returns
    -------
    `em.Fit`, equal to the one that was written in every number, but without its rows: it speaks of any rows, as
    `em.Fit.predict` does, and simulates; what needs the rows that were fitted (profiles, bootstrap, sandwich) refuses it

    Raises
    ------
    OSError
        for a file that cannot be read
    TypeError, ValueError
        for one that is no fit, was changed since, or is of another version; and for a family that is not the fit's
    """
    where = cut(os.fspath(path))
    record = _record(Place(path), where)
    mixture, told = _mixture(record, family, where), record["fit"]
    p = mixture.n_parameters
    errors = {name: _array(v) for name, v in told["standard_errors"].items() if name not in ("reason", "names")}
    if told["standard_errors"]["covariance"] is None:
        errors["covariance"] = np.broadcast_to(np.nan, (p, p))
    reason, names = told["standard_errors"]["reason"], tuple(told["standard_errors"]["names"])
    whole = {name: told[name] for name in ("iterations", "evaluations", "extrapolations", "refused", "status")}
    return Fit(
        **whole,
        parameters=_parameters(mixture, told["parameters"]),
        log_likelihood=float(told["log_likelihood"]),
        log_posterior=None if told["log_posterior"] is None else float(told["log_posterior"]),
        trace=_array(told["trace"]),
        path=Path(_array(told["path"]), mixture),
        standard_errors=trusted(mixture.errors, **errors, reason=reason, names=names),
        modes=tuple(
            Mode(float(m["log_likelihood"]), _parameters(mixture, m["parameters"]), m["starts"], m["regular"])
            for m in told["modes"]
        ),
        doubts=tuple(
            Doubt(
                d["ground"],
                d["component"],
                **{each.name: float(d.get(each.name, np.nan)) for each in fields(Doubt)[2:]},
            )
            for d in told["doubts"]
        ),
        rate=float(told["rate"]),
        decrement=float(told["decrement"]),
        remaining=float(told["remaining"]),
        _mixture=mixture,
    )


def _record(path: Place, where: str) -> dict[str, Any]:
    """What stands in the file, as it was written."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # no UTF-8, or no JSON
        raise ValueError(f"{where} is no fit: {cut(str(error))}; write one with fit.write(path)") from None
    if not isinstance(record, dict) or "version" not in record or DIGEST not in record:
        raise ValueError(f"{where} is no fit; write one with fit.write(path)")
    if record["version"] != VERSION:
        raise ValueError(
            f"{where} is of version {cut(str(record['version']))}, and this program of {VERSION}; fit again"
        )
    if record[DIGEST] != digest(record):
        raise ValueError(f"{where} was changed after it was written: its digest is of other numbers; fit again")
    return record


def _mixture(record: dict[str, Any], family: Family | None, where: str) -> Any:
    kind, kept, held = record["family"], record["kept"], record["weights"]["fixed"]
    weights = MixtureWeights(record["weights"]["n_components"], None if held is None else _array(held))
    if kind in FAMILIES:
        if family is not None:
            raise ValueError(f"family is given but {where} is a fit of {kind}; leave it out")
        return FAMILIES[kind].without_rows(weights, kept)
    if family is None:
        raise ValueError(f"{where} is a fit of the family {kept['family']}; give it: em.read_fit(path, family=...)")
    instance_of("family", family, Family)
    name, parameters = kept.pop("family"), kept.pop("parameters")
    if (family.name, list(family.parameters)) != (name, parameters):
        raise ValueError(
            f"family is {cut(family.name)} with {cut(', '.join(family.parameters))} but {where} is a fit of {cut(name)} with "
            f"{cut(', '.join(parameters))}; give the family that was fitted"
        )
    return GeneralMixture.without_rows(weights, kept, family)


def _parameters(mixture: Any, told: dict[str, Any]) -> Any:
    return trusted(mixture.parameters, **{name: _array(values) for name, values in told.items()})


def _array(values: Any) -> Floats:
    return read_only(np.array(values, dtype=np.float64))
