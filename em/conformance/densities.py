"""Whether SciPy's and PyMC's densities of a family are one, and which slip it looks like where they are not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import permutations

import numpy as np

from em.conformance.functions import CLOSE, differences
from em.conformance.telling import telling_of
from em.conformance.trial import Trial, at, log_densities
from models.family import log_densities_by_pymc
from models.inputs import Floats

# What a parameter may have been taken for.
READINGS: dict[str, Callable[[Floats], Floats]] = {
    "1 / {}": lambda x: 1 / x,
    "{} ** 2": lambda x: x**2,
    "sqrt({})": np.sqrt,
    "1 / {} ** 2": lambda x: 1 / x**2,
    "1 / sqrt({})": lambda x: 1 / np.sqrt(x),
    "-{}": lambda x: -x,
    "1 - {}": lambda x: 1 - x,
    "log({})": np.log,
    "exp({})": np.exp,
    "2 * {}": lambda x: 2 * x,
    "{} / 2": lambda x: x / 2,
    "{} * sqrt(2)": lambda x: x * np.sqrt(2),
    "{} / sqrt(2)": lambda x: x / np.sqrt(2),
}


def densities_agree(trial: Trial) -> Iterator[str]:
    """By SciPy and by PyMC the log densities are equal, inside and outside of the support."""
    family, y, values = trial.family, trial.y, trial.draws()
    wide = max(np.ptp(y), 1.0)
    outside = np.array([y.min() - wide, -1 - abs(y.min()), y.max() + wide])
    if trial.discrete:
        outside = np.round(outside)
    for rows in (y, outside):
        by_scipy = log_densities(family, rows, values)
        with telling_of(family, "pymc"), np.errstate(all="ignore"):
            by_pymc = log_densities_by_pymc(family, rows, values)
        off = differences(by_scipy, by_pymc)
        if not off.any():
            continue
        i, j = np.unravel_index(off.argmax(), off.shape)
        impossible = np.isfinite(by_scipy[i, j]) != np.isfinite(by_pymc[i, j])
        support = "one of them calls the row impossible; give both the same support"
        reading = _as_other(trial, rows, values, by_pymc) or (support if impossible else _apart(by_scipy, by_pymc))
        yield (
            f"the log density of {family.name} at {family.data} = {rows[i]:.6g}, {at(values, int(j))} is {by_scipy[i, j]:.6g} by "
            f"scipy and {by_pymc[i, j]:.6g} by pymc: {reading}"
        )
        return


def _as_other(trial: Trial, y: Floats, values: dict[str, Floats], by_pymc: Floats) -> str | None:
    """Which other values scipy has to be given for the density of pymc, and the remedy; None where none are found."""

    def same(changed: dict[str, Floats]) -> bool:
        with np.errstate(all="ignore"):
            other = log_densities(trial.family, y, changed)
        there = np.isfinite(other) & np.isfinite(by_pymc)
        return bool(there.mean() > 0.5 and not differences(other, by_pymc)[there].any())

    names = list(values)
    for name in names:
        for told, of in READINGS.items():
            with np.errstate(all="ignore"):
                if same({**values, name: of(values[name])}):
                    return f"what scipy calls {told.format(name)} is {name} in pymc; give both the same"
    for order in permutations(names):
        if list(order) != names and same(dict(zip(names, (values[name] for name in order), strict=True))):
            return f"pymc has {', '.join(names)} in the places of {', '.join(order)}; put them in order"
    return None


def _apart(by_scipy: Floats, by_pymc: Floats) -> str:
    """What the difference looks like, and the remedy."""
    with np.errstate(invalid="ignore"):
        apart = np.where(np.isfinite(by_scipy), by_pymc - by_scipy, np.nan)
    if np.nanmax(np.ptp(apart, axis=0)) < CLOSE:
        return "the difference is the same for all rows; one of them lacks a factor of the density without the row"
    return "mend one of the two"
