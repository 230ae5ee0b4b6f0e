"""Programs of small data that can be exchanged, and plain steps of the EMs derived from them in many random problems."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm

import em

# Rows of each data set, plain steps of a run, and draws of a start until the data have a density there.
ROWS, STEPS, TRIES = 40, 40, 20
X = np.linspace(-2, 2, ROWS)


def _data(dtype: type = float, shape: Any = ROWS) -> Any:
    return pm.Data("data", np.zeros(shape, dtype=dtype))


def coins() -> None:
    """Three coins, summed out, of 1 to 8 tosses."""
    w, p = pm.Dirichlet("w", np.ones(3)), pm.Beta("p", 1, 1, shape=3)
    tosses = np.arange(ROWS)[:, None] % 8 + 1
    pm.Mixture("y", w, pm.Binomial.dist(tosses, p), observed=_data(int))


def poissons() -> None:
    """Two rates, of rows with exposures."""
    w, rates = pm.Dirichlet("w", [2, 2]), pm.Gamma("rates", 2, 0.5, shape=2)
    z = pm.Categorical("z", w, shape=ROWS)
    pm.Poisson("y", rates[z] * (1 + np.abs(X)), observed=_data(int))


def exponentials() -> None:
    """Two rates of waits."""
    w, rates = pm.Dirichlet("w", [1, 1]), pm.Gamma("rates", 2, 1, shape=2)
    pm.Exponential("y", rates[pm.Categorical("z", w, shape=ROWS)], observed=_data())


def gammas() -> None:
    """Two shapes and rates."""
    w, shapes, rates = pm.Dirichlet("w", [1, 1]), pm.Gamma("shapes", 3, 1, shape=2), pm.Gamma("rates", 2, 1, shape=2)
    pm.Mixture("y", w, pm.Gamma.dist(shapes, rates), observed=_data())


def negative_binomials() -> None:
    """Two means and dispersions."""
    w, mu, alpha = pm.Dirichlet("w", [1, 1]), pm.Gamma("mu", 2, 0.3, shape=2), pm.Gamma("alpha", 3, 1, shape=2)
    pm.Mixture("y", w, pm.NegativeBinomial.dist(mu=mu, alpha=alpha), observed=_data(int))


def beta_binomials() -> None:
    """Two coins whose bags differ, of 10 tosses."""
    w, a, b = pm.Dirichlet("w", [1, 1]), pm.Gamma("a", 3, 1, shape=2), pm.Gamma("b", 3, 1, shape=2)
    pm.Mixture("y", w, pm.BetaBinomial.dist(n=10, alpha=a, beta=b), observed=_data(int))


def normals() -> None:
    """Three normals with own standard deviations."""
    w, mu, sigma = pm.Dirichlet("w", np.ones(3)), pm.Normal("mu", 0, 3, shape=3), pm.HalfNormal("sigma", 1, shape=3)
    pm.NormalMixture("y", w, mu, sigma=sigma, observed=_data())


def tied_normals() -> None:
    """Two features, each component with its own means, all with one spread for each feature."""
    w, sigma = pm.Dirichlet("w", [1, 1]), pm.HalfNormal("sigma", 1, shape=2)
    mu = pm.Normal("mu", 0, 2, shape=(2, 2))
    pm.Normal("y", mu[pm.Categorical("z", w, shape=ROWS)], sigma, observed=_data(shape=(ROWS, 2)))


def regressions() -> None:
    """Two lines with own standard deviations."""
    w, sigma = pm.Dirichlet("w", [1, 1]), pm.HalfNormal("sigma", 1, shape=2)
    a, b = pm.Normal("a", 0, 2, shape=2), pm.Normal("b", 0, 1, shape=2)
    z = pm.Categorical("z", w, shape=ROWS)
    pm.Normal("y", a[z] + b[z] * X, sigma[z], observed=_data())


def poisson_regressions() -> None:
    """Counts in two groups with own intercepts and slopes."""
    w, a, b = pm.Dirichlet("w", [1, 1]), pm.Normal("a", 1, 1, shape=2), pm.Normal("b", 0, 0.5, shape=2)
    z = pm.Categorical("z", w, shape=ROWS)
    pm.Poisson("y", pm.math.exp(a[z] + b[z] * X), observed=_data(int))


def latent_classes() -> None:
    """Two classes of five items of two categories."""
    w, p = pm.Dirichlet("w", [1, 1]), pm.Beta("p", 1, 1, shape=(2, 5))
    pm.Bernoulli("y", p[pm.Categorical("z", w, shape=ROWS)], observed=_data(int, (ROWS, 5)))


def zero_inflated() -> None:
    """Counts that are 0 more often than Poisson's."""
    psi, mu = pm.Beta("psi", 1, 1), pm.Exponential("mu", 0.3)
    pm.ZeroInflatedPoisson("y", psi, mu, observed=_data(int))


def outliers() -> None:
    """A line through rows some of which are far off."""
    a, b, sigma, share = pm.Normal("a", 0, 3), pm.Normal("b", 0, 3), pm.HalfNormal("sigma", 1), pm.Beta("share", 2, 8)
    far = pm.Bernoulli("far", share, shape=ROWS)
    pm.Normal("y", a + b * X, pm.math.switch(far, 10 * sigma, sigma), observed=_data())


def raters() -> None:
    """Four raters of items of two kinds (Dawid and Skene 1979)."""
    share, hit, right = pm.Beta("share", 2, 2), pm.Beta("hit", 3, 2, shape=4), pm.Beta("right", 3, 2, shape=4)
    kind = pm.Bernoulli("kind", share, shape=(ROWS, 1))
    pm.Bernoulli("y", pm.math.switch(kind, hit, 1 - right), observed=_data(int, (ROWS, 4)))


def change_point() -> None:
    """Counts whose rate changes once."""
    change = pm.DiscreteUniform("change", 0, ROWS - 1)
    early, late = pm.Exponential("early", 0.3), pm.Exponential("late", 0.3)
    pm.Poisson("y", pm.math.switch(change >= np.arange(ROWS), early, late), observed=_data(int))


PROGRAMS: dict[str, Callable[[], None]] = {
    make.__name__.replace("_", "-"): make
    for make in (
        coins,
        poissons,
        exponentials,
        gammas,
        negative_binomials,
        beta_binomials,
        normals,
        tied_normals,
        regressions,
        poisson_regressions,
        latent_classes,
        zero_inflated,
        outliers,
        raters,
        change_point,
    )
}


@dataclass(frozen=True)
class Climbed:
    """Random problems of one program: runs, steps of all, and the largest fall relative to the objective's size."""

    problems: int
    runs: int
    steps: int
    fall: float


def climbed(make: Callable[[], None], number: int, random: np.random.Generator) -> Climbed:
    """Climb from a random start in so many problems, drawn from the program's prior, by likelihood and with the prior.

    Raises
    ------
    ObjectiveDecreased
        where a step lowers the objective beyond rounding
    """
    with pm.Model() as model:
        make()
    derived = em.derive(model)
    names = derived.parameters
    variables = [*(model[name] for name in names), model["y"]]
    *starts, data = pm.draw(variables, draws=number * (TRIES + 1), random_seed=int(random.integers(2**31)))
    # The truth of one draw is the start of another problem.
    starts = [dict(zip(names, values, strict=True)) for values in zip(*starts, strict=True)]
    runs = steps = solved = 0
    fall = 0.0
    for j in range(number):
        model.set_data("data", data[j])
        tried = (each for each in starts[number + j :: number] if np.isfinite(derived.log_likelihood(each)))
        start = next(tried, None)
        if start is None:
            continue
        solved += 1
        for prior in (False, True):
            trace = derived.fit(start=start, prior=prior, accelerated=False, max_iterations=STEPS).trace
            runs, steps = runs + 1, steps + len(trace) - 1
            falls = -np.diff(trace) / np.maximum(1.0, np.abs(trace[:-1]))
            fall = max(fall, float(falls.max(initial=0.0)))
    return Climbed(solved, runs, steps, fall)
