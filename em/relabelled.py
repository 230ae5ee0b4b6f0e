"""A fit with its components in another order: what both engines' results are compared in."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from typing import Any

import numpy as np

from em.fit import Fit, Path
from em.mixture import permuted_places
from em.search.optima import Mode
from models.inputs import Integers, read_only
from models.order import Order


def relabelled(fit: Fit[Any, Any], order: Order) -> Fit[Any, Any]:
    """The same fit with exchangeable components in ``order``; each of its modes is ordered by itself."""
    mixture = fit._mixture

    def ordered(mode: Mode[Any]) -> Mode[Any]:
        return replace(mode, parameters=mode.parameters.permuted(order.permutation(mode.parameters, mixture.groups)))

    permutation = order.permutation(fit.parameters, mixture.groups)
    fit = replace(fit, modes=tuple(ordered(mode) for mode in fit.modes))
    if (permutation == np.arange(mixture.n_components)).all():
        return fit
    places = permuted_places(mixture, permutation)
    return replace(
        fit,
        parameters=fit.parameters.permuted(permutation),
        path=Path(fit.path._vectors[:, places], mixture),
        standard_errors=_errors(fit.standard_errors, permutation, places),
        doubts=tuple(replace(d, component=permutation.tolist().index(d.component)) for d in fit.doubts),
    )


def _errors(errors: Any, permutation: Integers, places: Integers) -> Any:
    """Standard errors of the components in their new places, which a reason names too."""
    reason, names = errors.reason, errors.names
    if reason is not None:
        new = {names[old]: names[place] for place, old in enumerate(places)}
        every = "|".join(map(re.escape, sorted(new, key=len, reverse=True)))
        reason = re.sub(every, lambda found: new[found[0]], reason)
    each = {f.name for f in fields(errors)} - {"reason", "covariance", "names"}
    moved = {name: read_only(getattr(errors, name)[permutation]) for name in each}
    return replace(errors, reason=reason, covariance=errors.covariance[np.ix_(places, places)], **moved)
