"""Programs with discrete latent variables as users of PyMC write them, with data to go with them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm

from models.inputs import Floats, Integers


def coins(heads: Any, tosses: int) -> pm.Model:
    """Two coins, with their mixture already summed out."""
    with pm.Model() as model:
        w = pm.Dirichlet("w", np.ones(2))
        p = pm.Beta("p", 1, 1, shape=2)
        pm.Mixture("heads", w=w, comp_dists=pm.Binomial.dist(n=tosses, p=p), observed=heads)
    return model


def poissons(events: Any) -> pm.Model:
    """Two rates, with an explicit component for each row."""
    with pm.Model() as model:
        w = pm.Dirichlet("w", np.ones(2))
        rates = pm.Gamma("rates", 2, 1, shape=2)
        z = pm.Categorical("z", w, shape=len(events))
        pm.Poisson("events", mu=rates[z], observed=events)
    return model


def exponentials(waits: Any) -> pm.Model:
    """Two rates of waiting times."""
    with pm.Model() as model:
        w = pm.Dirichlet("w", np.ones(2))
        rates = pm.Gamma("rates", 2, 200, shape=2)
        z = pm.Categorical("z", w, shape=len(waits))
        pm.Exponential("waits", lam=rates[z], observed=waits)
    return model


def normals(y: Floats) -> pm.Model:
    """Two normals with own standard deviations."""
    with pm.Model() as model:
        w = pm.Dirichlet("w", np.ones(2))
        mu = pm.Normal("mu", y.mean(), 2 * y.std(), shape=2)
        sigma = pm.InverseGamma("sigma", 3, y.std(), shape=2)
        pm.NormalMixture("y", w=w, mu=mu, sigma=sigma, observed=y)
    return model


def latent_classes(items: Any) -> pm.Model:
    """Two classes of binary items."""
    with pm.Model() as model:
        w = pm.Dirichlet("w", np.ones(2))
        p = pm.Beta("p", 1, 1, shape=(2, items.shape[1]))
        z = pm.Categorical("z", w, shape=len(items))
        pm.Bernoulli("items", p=p[z], observed=items)
    return model


def zero_inflated(counts: Any) -> pm.Model:
    """Counts that are 0 more often than Poisson's."""
    with pm.Model() as model:
        psi = pm.Beta("psi", 1, 1)
        mu = pm.Exponential("mu", 0.2)
        pm.ZeroInflatedPoisson("counts", psi=psi, mu=mu, observed=counts)
    return model


def regressions(x: Floats, counts: Any) -> pm.Model:
    """Counts in two groups with intercepts and slopes of their own."""
    with pm.Model() as model:
        w = pm.Dirichlet("w", np.ones(2))
        intercept = pm.Normal("intercept", 0, 3, shape=2)
        slope = pm.Normal("slope", 0, 1, shape=2)
        z = pm.Categorical("z", w, shape=len(x))
        pm.Poisson("counts", mu=pm.math.exp(intercept[z] + slope[z] * x), observed=counts)
    return model


def outliers(x: Floats, y: Floats) -> pm.Model:
    """A line through rows some of which are far off."""
    with pm.Model() as model:
        a, b = pm.Normal("a", 0, 10), pm.Normal("b", 0, 10)
        sigma = pm.HalfNormal("sigma", 5)
        share = pm.Beta("share", 2, 8)
        outlier = pm.Bernoulli("outlier", share, shape=len(x))
        pm.Normal("y", a + b * x, pm.math.switch(outlier, 10 * sigma, sigma), observed=y)
    return model


def raters(first: Any, second: Any) -> pm.Model:
    """Two raters of items whose kind nobody knows (Dawid and Skene 1979), each better than chance by the prior."""
    with pm.Model() as model:
        share = pm.Beta("share", 2, 2)
        hit = pm.Beta("hit", 8, 2, shape=2)
        right = pm.Beta("right", 8, 2, shape=2)
        kind = pm.Bernoulli("kind", share, shape=len(first))
        for j, seen in enumerate((first, second)):
            pm.Bernoulli(f"rater_{j + 1}", pm.math.switch(kind, hit[j], 1 - right[j]), observed=seen)
    return model


def change_point(counts: Any) -> pm.Model:
    """Counts a year whose rate changes in one of them."""
    years = np.arange(len(counts))
    with pm.Model() as model:
        change = pm.DiscreteUniform("change", 0, len(counts) - 1)
        early, late = pm.Exponential("early", 1), pm.Exponential("late", 1)
        pm.Poisson("counts", pm.math.switch(change >= years, early, late), observed=counts)
    return model


# Coal-mining disasters a year from 1851 to 1961 (Jarrett 1979).
DISASTERS: Integers = np.array(
    [
        int(digit)
        for digit in (
            "45401434063340263354531441553425223421322111130010110031"
            "0322011101010002100011023311211112420014000100000100101"
        )
    ]
)


def line(seed: int = 5, n: int = 60) -> tuple[Floats, Floats]:
    """Rows about a line, every eighth far off."""
    random = np.random.default_rng(seed)
    x = random.uniform(-2, 2, n)
    return x, 1 + 2 * x + random.normal(0, np.where(np.arange(n) % 8 == 0, 5.0, 0.5))


def counts_in_groups(seed: int = 6, n: int = 120) -> tuple[Floats, Integers]:
    """Counts of two groups that a covariate tells apart."""
    random = np.random.default_rng(seed)
    x = random.normal(size=n)
    return x, random.poisson(np.exp(np.where(np.arange(n) % 3 == 0, 0.5 - 0.5 * x, 2.0 + 0.4 * x)))


def rated(seed: int = 7, n: int = 80) -> tuple[Integers, Integers]:
    """Ratings of two raters, right nine times of ten."""
    random = np.random.default_rng(seed)
    kind = random.integers(0, 2, n)
    first, second = (np.where(random.random(n) < 0.9, kind, 1 - kind) for _ in range(2))
    return first, second


def many_zeros(seed: int = 8, n: int = 100) -> Integers:
    """Counts three of ten of which are 0 by themselves."""
    random = np.random.default_rng(seed)
    return np.where(random.random(n) < 0.3, 0, random.poisson(3.0, n))
