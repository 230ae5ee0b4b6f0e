"""The families in examples/: what `em.check_family` says, published and independent numbers, and exact derivatives."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats

import em
from comparisons.datasets import load
from comparisons.families import from_file
from em.general import GeneralMixture, family_mixture
from em.uncertainty.curvature import curvature
from models import LogPosterior
from models.family import Family, Rows
from models.family import family_mixture as family_model
from models.inputs import Floats

EXAMPLES = Path(__file__).parent.parent / "examples"
NAMES = ("weibulls", "students", "von_mises")
WAITING = np.asarray(load("faithful").columns["waiting"], dtype=float)
TURTLES = np.loadtxt(EXAMPLES / "turtles.csv", delimiter=",", skiprows=1)


def example(name: str) -> Any:
    return from_file.load(f"{EXAMPLES / name}.py:{name}", Family, "family")


@pytest.mark.parametrize("name", NAMES)
def test_examples_pass_the_check_of_families(name: str) -> None:
    em.check_family(example(name))


@pytest.mark.parametrize("name", NAMES)
def test_both_engines_have_one_density_of_a_whole_mixture(name: str) -> None:
    family = example(name)
    y = WAITING[:9] if name != "von_mises" else TURTLES[:9, 1]
    centre = {n: p.prior.scipy().ppf([0.3, 0.6]) for n, p in family.parameters.items()}
    point = family.kind([0.3, 0.7], *centre.values())
    fit = family_mixture(family, Rows(y), prior=family.prior, start=point)
    density = LogPosterior(family_model(family, Rows(y)))
    at = {"weights": fit.parameters.weights} | {n: getattr(fit.parameters, n) for n in family.parameters}
    likelihood, prior, _ = density.parts(density.unconstrained(at))
    assert likelihood == pytest.approx(fit.log_likelihood, rel=1e-9)
    assert likelihood + prior == pytest.approx(fit.log_posterior, rel=1e-9)


@cache
def fitted(name: str, k: int, numerical: bool = False) -> Any:
    family = example(name)
    return family_mixture(replace(family, m_step=None) if numerical else family, Rows(WAITING), k)


# Maxima and standard errors in 50 digits, by Newton's method on an own likelihood, of the waiting times of faithful.
REFERENCE: dict[tuple[str, int], tuple[float, dict[str, list[float]], dict[str, list[float]]]] = {
    ("weibulls", 1): (
        -1085.007899740414,
        {"shapes": [6.446858234], "scales": [76.40372863]},
        {"shapes": [0.3237655682], "scales": [0.7548960199]},
    ),
    ("weibulls", 2): (
        -1040.210626796890,
        {
            "weights": [0.3006608022, 0.6993391978],
            "shapes": [11.9347017, 12.24362547],
            "scales": [55.32445701, 81.84120494],
        },
        {
            "weights": [0.03437855554, 0.03437855554],
            "shapes": [1.426131255, 0.9483590477],
            "scales": [0.8587055082, 0.6151015225],
        },
    ),
    ("students", 1): (
        -1114.386209695231,
        {"locations": [72.44708801], "scales": [12.17746248]},
        {"locations": [0.9162867284], "scales": [0.6469430342]},
    ),
    ("students", 2): (
        -1039.199386018664,
        {
            "weights": [0.3524429145, 0.6475570855],
            "locations": [54.21773564, 79.92976876],
            "scales": [5.138284103, 5.060787338],
        },
        {
            "weights": [0.03304461222, 0.03304461222],
            "locations": [0.7422990144, 0.4920757133],
            "scales": [0.5883841865, 0.4190604066],
        },
    ),
}


def told(values: Any, at: Any, name: str, *, errors: bool) -> Floats:
    """Estimates or standard errors; of a scale by those of its precision, which at a maximum is exact."""
    if hasattr(values, name):
        return np.asarray(getattr(values, name))
    own = values.precisions
    return np.asarray(own * at.precisions**-1.5 / 2 if errors else own**-0.5)


@pytest.mark.parametrize("numerical", [False, True], ids=["own M-step", "numerical"])
@pytest.mark.parametrize(("name", "k"), REFERENCE)
def test_examples_have_the_reference_results(name: str, k: int, numerical: bool) -> None:
    log_likelihood, estimates, errors = REFERENCE[name, k]
    fit = fitted(name, k, numerical)
    assert fit.status == "converged"
    assert fit.log_likelihood == pytest.approx(log_likelihood, abs=1e-7)
    assert (np.diff(fit.trace) >= -1e-9).all()
    for values in estimates:
        np.testing.assert_allclose(
            told(fit.parameters, fit.parameters, values, errors=False), estimates[values], rtol=1e-6
        )
        np.testing.assert_allclose(
            told(fit.standard_errors, fit.parameters, values, errors=True), errors[values], rtol=1e-6
        )


def test_directions_have_the_maximum_of_an_independent_optimiser() -> None:
    degrees, y = TURTLES.T
    np.testing.assert_allclose(np.rad2deg(y) % 360, degrees, atol=1e-4)
    # Mean direction and mean resultant length of these turtles, as printed: Fisher (1993), Statistical Analysis of Circular Data.
    mean = np.exp(1j * y).mean()
    assert (round(np.rad2deg(np.angle(mean)), 1), round(abs(mean), 3)) == (64.2, 0.497)

    def negative(x: Floats) -> float:
        w, directions, concentrations = float(stats.logistic.cdf(x[0])), x[1:3], np.exp(x[3:])
        densities = stats.vonmises.pdf(y[:, None], concentrations, loc=directions)
        return -float(np.log(densities @ np.array([w, 1 - w])).sum())

    best = optimize.minimize(negative, [-1.0, -2.0, 1.0, 1.0, 1.0], method="BFGS", options={"gtol": 1e-7})
    fit = family_mixture(example("von_mises"), Rows(y))
    assert fit.log_likelihood == pytest.approx(-best.fun, abs=1e-7)
    found = 2 * np.pi * fit.parameters.turns - np.pi
    np.testing.assert_allclose(found, best.x[1:3], atol=1e-4)
    np.testing.assert_allclose(fit.parameters.concentrations, np.exp(best.x[3:]), rtol=1e-4)


@pytest.mark.parametrize(("name", "k"), REFERENCE)
def test_the_estimated_error_of_derivatives_covers_the_true_one(name: str, k: int) -> None:
    fit = fitted(name, k)
    mixture: GeneralMixture = fit._mixture
    covariance = curvature(mixture, fit.parameters).covariance
    own, errors = mixture.error_of_derivatives(fit.parameters, covariance), REFERENCE[name, k][2]
    true = max(np.abs(told(fit.standard_errors, fit.parameters, n, errors=True) / errors[n] - 1).max() for n in errors)
    # The reference is printed to ten digits.
    assert true <= own + 1e-9
    assert own < 1e-6
