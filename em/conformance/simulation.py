"""Whether rows that a family simulates have its density, and its distribution function too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import special

from em.conformance.telling import telling_of
from em.conformance.trial import Trial, at
from em.general import GeneralMixture
from models.family import Rows
from models.inputs import Floats
from models.mixtures import MixtureWeights

# Rows that place the bins, rows that are counted in them, bins, and points at which a density is summed over a bin.
PLACING, COUNTED, BINS, NODES = 2000, 8000, 20, 64
# Parameters at which rows are simulated, and how often at most a family without fault is told one at any of them.
TIMES, FALSE_ALARM = 3, 1e-6
# What a distribution function may be off by: the sums over bins are exact to far less.
CLOSE = 1e-4


def simulation_has_the_density(trial: Trial) -> Iterator[str]:
    """Counts of simulated rows in bins are those that the density expects, by a chi-squared test; and the cdf fits both."""
    # A vague prior has no middle of use; somebody's rows say where one component is.
    points = _of_rows(trial) if len(trial.given) else trial.central(TIMES)
    for j in range(len(next(iter(points.values())))):
        values = {name: float(v[j]) for name, v in points.items()}
        with telling_of(trial.family, "scipy"):
            found = _wrong_with(trial, values, trial.random(1 + j))
        if found:
            yield found
            return


def _of_rows(trial: Trial) -> dict[str, Floats]:
    """``(1,)`` of each parameter, where one component has all rows."""
    family = replace(trial.family, m_step=None)
    mixture = GeneralMixture(family, Rows(trial.y), MixtureWeights.of("free", 1), trial.prior)
    return mixture.named(mixture.start_from(np.ones((len(trial.y), 1))), over_rows=False)


def _wrong_with(trial: Trial, values: dict[str, float], random: np.random.Generator) -> str | None:
    family, frozen = trial.family, trial.family.scipy(**values)
    rows = np.asarray(frozen.rvs(size=PLACING + COUNTED, random_state=random), dtype=float)
    seed = int(random.integers(2**31))
    if not np.array_equal(*(frozen.rvs(size=9, random_state=np.random.default_rng(seed)) for _ in range(2))):
        return f"rvs of {family.name} draws other rows from the same random_state; take all randomness from it"
    placing, counted = rows[:PLACING], rows[PLACING:]
    shares = np.linspace(0, 1, BINS + 1)[1:-1]
    edges = np.unique(np.quantile(placing, shares, method="inverted_cdf"))
    if trial.discrete:
        edges = edges + 0.5
    seen = np.bincount(np.searchsorted(edges, counted), minlength=len(edges) + 1)
    # The two ends are one bin, as what a density has there is what it has nowhere else.
    inner, inside = seen[1:-1], _probabilities(frozen, edges, trial.discrete)
    total = inside.sum()
    if not np.isfinite(total) or total > 1 + CLOSE:
        return (
            f"the density of {family.name} sums to {total:.4g} over a part of the rows where {at(values)}; it is none"
        )
    observed, expected = np.append(inner, seen[0] + seen[-1]), COUNTED * np.append(inside, max(1 - total, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(observed == expected, 0.0, (observed - expected) ** 2 / expected)
    if not special.chdtrc(max(len(edges) - 1, 1), terms.sum()) >= FALSE_ALARM / (2 * TIMES):
        worst = int(terms.argmax())
        place = f"from {edges[worst]:.4g} to {edges[worst + 1]:.4g}" if worst < len(inside) else "beyond all bins"
        return (
            f"simulation and density of {family.name} do not match where {at(values)}: of {COUNTED} rows {observed[worst]} lie "
            f"{place}, where the density expects {expected[worst]:.0f}; mend rvs or the density of scipy"
        )
    below = np.asarray(frozen.cdf(edges), dtype=float)
    # Dvoretzky, Kiefer and Wolfowitz (1956), with the constant of Massart (1990).
    far = np.sqrt(np.log(2 / (FALSE_ALARM / (2 * TIMES))) / (2 * COUNTED))
    off = np.abs(below - np.cumsum(seen)[:-1] / COUNTED)
    if not (np.abs(np.diff(below) - inside) <= CLOSE).all() or not (off <= far).all():
        j = int(off.argmax())
        return (
            f"the cdf of {family.name} at {edges[j]:.4g} is {below[j]:.4g} where {at(values)}, but "
            f"{np.cumsum(seen)[j] / COUNTED:.4g} of the rows are below; mend cdf, the "
            "integral of the density from the left end of its support"
        )
    return None


def _probabilities(frozen: Any, edges: Floats, discrete: bool) -> Floats:
    """Between each two edges, by the density."""
    if discrete:
        numbers = np.arange(edges[0] + 0.5, edges[-1])
        upto = np.concatenate([[0.0], np.cumsum(frozen.pmf(numbers))])
        return np.asarray(np.diff(upto[(edges - edges[0]).astype(int)]))
    places, weights = special.roots_legendre(NODES)
    half = np.diff(edges) / 2
    return np.asarray(frozen.pdf(edges[:-1, None] + half[:, None] * (1 + places)) @ weights * half)
