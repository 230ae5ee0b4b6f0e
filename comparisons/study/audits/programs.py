"""Every family in plain PyMC, as a user would write it: parameters with their prior, and the distribution of a row.

``program`` adds the parameters of ``k`` components to the model on the context stack and returns, of columns ``at`` ``(c, n)`` or
``(c, n, 1)`` and of the components ``of`` the rows or of all, the distribution of the rows. The family is told by its prior. It
shares nothing with the models of the house but the names of the parameters.
"""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import numpy as np
import pymc as pm

from models import (
    BetaBinomialPrior,
    CoinPrior,
    ExponentialPrior,
    GammaPrior,
    GaussianPrior,
    LatentClassPrior,
    NegativeBinomialPrior,
    PoissonPrior,
    RegressionPrior,
)
from models.inputs import Floats


@singledispatch
def program(prior: Any, k: int) -> Any:
    """See the module."""
    raise TypeError(f"no program is written for {type(prior).__name__}")


@program.register
def _(prior: CoinPrior, k: int) -> Any:
    p = pm.Beta("head_probabilities", prior.heads, prior.tails, shape=k)
    return lambda at, of: pm.Binomial.dist(n=at[1].astype(int), p=p[of])


@program.register
def _(prior: BetaBinomialPrior, k: int) -> Any:
    p = pm.Beta("head_probabilities", prior.heads, prior.tails, shape=k)
    correlations = pm.Beta("correlations", prior.correlated, prior.uncorrelated, shape=k)
    size = (1 - correlations) / correlations
    return lambda at, of: pm.BetaBinomial.dist(n=at[1].astype(int), alpha=p[of] * size[of], beta=(1 - p[of]) * size[of])


@program.register
def _(prior: PoissonPrior, k: int) -> Any:
    rates = pm.Gamma("rates", prior.shape, prior.rate, shape=k)
    return lambda at, of: pm.Poisson.dist(mu=at[1] * rates[of])


@program.register
def _(prior: NegativeBinomialPrior, k: int) -> Any:
    rates = pm.Gamma("rates", prior.shape, prior.rate, shape=k)
    dispersions = pm.Gamma("dispersions", prior.dispersion_shape, prior.dispersion_rate, shape=k)
    return lambda at, of: pm.NegativeBinomial.dist(mu=at[1] * rates[of], alpha=1 / dispersions[of])


@program.register
def _(prior: ExponentialPrior, k: int) -> Any:
    rates = pm.Gamma("rates", prior.shape, prior.rate, shape=k)
    return lambda at, of: pm.Exponential.dist(lam=rates[of])


@program.register
def _(prior: GammaPrior, k: int) -> Any:
    shapes = pm.Gamma("shapes", prior.shape_shape, prior.shape_rate, shape=k)
    rates = pm.Gamma("rates", prior.rate_shape, prior.rate_rate / shapes, shape=k)
    return lambda at, of: pm.Gamma.dist(alpha=shapes[of], beta=rates[of])


@program.register
def _(prior: GaussianPrior, k: int) -> Any:
    # Of one feature, each component with a variance of its own.
    variances = pm.InverseGamma("variances", prior.degrees_of_freedom / 2, prior.scale[0, 0] / 2, shape=(k, 1))
    means = pm.Normal("means", prior.mean[0], pm.math.sqrt(variances / prior.shrinkage), shape=(k, 1))
    return lambda at, of: pm.Normal.dist(means[of, 0], pm.math.sqrt(variances[of, 0]))


@program.register
def _(prior: RegressionPrior, k: int) -> Any:
    # Of one covariate, under a prior whose coefficients are independent.
    deviations = pm.math.sqrt(pm.InverseGamma("variances", prior.degrees_of_freedom / 2, prior.scale / 2, shape=k))
    spread = deviations[:, None] / np.diag(prior.root)
    lines = pm.Normal("coefficients", prior.mean, spread, shape=(k, 2))
    return lambda at, of: pm.Normal.dist(lines[of, 0] + lines[of, 1] * at[-1], deviations[of])


@program.register
def _(prior: LatentClassPrior, k: int) -> Any:
    # Of items with two categories, whose pattern is one outcome.
    items = len(prior.sizes or ())
    p = pm.Dirichlet("item_probabilities", np.full(2, prior.item_concentration), shape=(k, items, 2))
    patterns = np.arange(2**items)[:, None] >> np.arange(items) & 1
    chances = p[:, np.arange(items), patterns].prod(axis=-1)
    return lambda at, of: pm.Categorical.dist(p=chances[of])


@singledispatch
def outcomes(prior: Any, columns: Floats) -> Floats:
    """``(n,)`` what such a distribution is of."""
    return columns[:, 0]


@outcomes.register
def _(prior: LatentClassPrior, columns: Floats) -> Floats:
    return np.asarray(columns.astype(int) @ 2 ** np.arange(columns.shape[1]))


@singledispatch
def natural(prior: Any, values: dict[str, Floats]) -> dict[str, Floats]:
    """The family's own arrays from values of the program's variables."""
    return values


@natural.register
def _(prior: GaussianPrior, values: dict[str, Floats]) -> dict[str, Floats]:
    return {**values, "covariances": values["variances"][..., None]}


@singledispatch
def expressed(prior: Any) -> bool:
    """Whether the program says the model that has such a prior."""
    return True


@expressed.register
def _(prior: GaussianPrior) -> bool:
    return len(prior.mean) == 1


@expressed.register
def _(prior: LatentClassPrior) -> bool:
    return set(prior.sizes or ()) == {2}


@expressed.register
def _(prior: RegressionPrior) -> bool:
    return bool((prior.root == np.diag(np.diag(prior.root))).all())
