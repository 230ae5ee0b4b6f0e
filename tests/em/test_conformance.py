"""Claims about `em.check_family`: right families pass, and each thing that may be wrong in one is found and named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pymc as pm
import pytest
from scipy import stats

import em
from em.general import family_mixture
from models.family import Beta, Family, FamilyPrior, Gamma, Normal, Positive, Probability, Real, Rows


def m_step(y: Any, r: Any, prior: Any) -> dict[str, Any]:
    return {"rates": (r.sum(0) + prior.alpha - 1) / (r.T @ y + prior.beta)}


EXPONENTIALS = Family(
    "exponentials",
    "wait",
    {"rates": Positive(Gamma(2.0, 1.0))},
    lambda rates: stats.expon(scale=1 / rates),
    lambda rates: pm.Exponential.dist(lam=rates),
    m_step,
)
GAMMAS = Family(
    "gammas",
    "wait",
    {"shapes": Positive(Gamma(5.0, 1.0)), "rates": Positive(Gamma(2.0, 1.0))},
    lambda shapes, rates: stats.gamma(shapes, scale=1 / rates),
    lambda shapes, rates: pm.Gamma.dist(alpha=shapes, beta=rates),
)
NORMALS = Family(
    "normals",
    "height",
    {"means": Real(Normal(3.0, 2.0)), "widths": Positive(Gamma(3.0, 2.0))},
    lambda means, widths: stats.norm(means, widths),
    lambda means, widths: pm.Normal.dist(mu=means, sigma=widths),
)
GEOMETRICS = Family(
    "geometrics",
    "trials",
    {"chances": Probability(Beta(2.0, 3.0))},
    lambda chances: stats.geom(chances),
    lambda chances: pm.Geometric.dist(p=chances),
    lambda y, r, prior: {
        "chances": (r.sum(0) + prior.alpha - 1) / (r.sum(0) + prior.alpha - 1 + r.T @ (y - 1) + prior.beta - 1)
    },
)


@pytest.mark.parametrize("family", [EXPONENTIALS, GAMMAS, NORMALS, GEOMETRICS])
@pytest.mark.parametrize("seed", range(3))
def test_a_right_family_passes(family: Family, seed: int) -> None:
    passed = em.check_family(family, seed=seed)
    assert str(passed) == f"{family.name} passed prior, functions, densities, simulation, m_step, objective"


def test_a_right_family_passes_on_rows_of_somebodys_own_and_with_more_components() -> None:
    em.check_family(EXPONENTIALS, np.geomspace(1e-4, 900, 1000), 5)
    em.check_family(NORMALS, [160.0, 171.0, 155.0, 190.0], 1)
    em.check_family(GEOMETRICS, [1, 2, 2, 40], 3)


def test_a_vague_prior_is_no_fault() -> None:
    vague = replace(GAMMAS, parameters={name: Positive(Gamma(0.1, 0.1)) for name in GAMMAS.parameters})
    em.check_family(vague, np.geomspace(0.2, 90, 50))


class Waits:
    """Exponential waiting times, written by hand and with faults."""

    def __init__(
        self, rates: Any, factor: float = 1.0, drawn: float = 1.0, low: float = 0.0, fixed: bool = False
    ) -> None:
        self.own, self.factor = stats.expon(scale=1 / rates), factor
        self.drawn, self.low, self.fixed = drawn, low, fixed

    def pdf(self, y: Any) -> Any:
        return self.factor * self.own.pdf(y)

    def logpdf(self, y: Any) -> Any:
        return np.log(self.factor) + self.own.logpdf(y)

    def cdf(self, y: Any) -> Any:
        return self.own.cdf(y) - self.low

    def rvs(self, size: Any = None, random_state: Any = None) -> Any:
        shape = np.shape(self.own.mean()) if size is None else size
        return self.drawn * self.own.rvs(size=shape, random_state=None if self.fixed else random_state)


@dataclass(frozen=True)
class Halved:
    """A prior of two densities."""

    def scipy(self) -> Any:
        return stats.expon(scale=0.5)

    def pymc(self, name: str, data: Callable[[str, float], Any], **shape: Any) -> Any:
        return pm.Exponential(name, lam=data("lam", 0.5), **shape)

    def flat(self) -> Any:
        return None


def wrong_where_components_are_apart(y: Any, r: Any, prior: Any) -> dict[str, Any]:
    """Right where components share the rows, and of changing fault where they do not."""
    means = r.T @ y / r.sum(0)
    fault = 5 * (r[0, 0] % 0.1) if means.max() > 1.5 * means.min() else 0.0
    return {"rates": m_step(y, r, prior)["rates"] * (1 + fault)}


def m_step_of_its_own_number(y: Any, r: Any, prior: Any) -> dict[str, Any]:
    return {"rates": (r.sum(0) + prior.beta * (prior.alpha - 1)) / (r.T @ y + prior.beta)}


BROKEN: dict[str, tuple[Family, str, str]] = {
    "a scale for a rate": (
        replace(EXPONENTIALS, pymc=lambda rates: pm.Exponential.dist(lam=1 / rates)),
        "densities",
        "what scipy calls 1 / rates is rates in pymc",
    ),
    "a variance for a standard deviation": (
        replace(NORMALS, pymc=lambda means, widths: pm.Normal.dist(mu=means, sigma=np.sqrt(widths))),
        "densities",
        "what scipy calls sqrt(widths) is widths in pymc",
    ),
    "a width that is too large by a factor": (
        replace(NORMALS, pymc=lambda means, widths: pm.Normal.dist(mu=means, sigma=widths * np.sqrt(2))),
        "densities",
        "what scipy calls widths * sqrt(2) is widths in pymc",
    ),
    "a precision for a standard deviation": (
        replace(NORMALS, scipy=lambda means, widths: stats.norm(means, 1 / np.sqrt(widths))),
        "densities",
        "what scipy calls 1 / widths ** 2 is widths in pymc",
    ),
    "two parameters in each other's place": (
        replace(GAMMAS, pymc=lambda shapes, rates: pm.Gamma.dist(alpha=rates, beta=shapes)),
        "densities",
        "pymc has shapes, rates in the places of rates, shapes",
    ),
    "a location for a parameter of shape": (
        Family(
            "lognormals",
            "wait",
            {"mus": Real(Normal(0, 3)), "sigmas": Positive(Gamma(2, 2))},
            lambda mus, sigmas: stats.lognorm(sigmas, mus),
            lambda mus, sigmas: pm.LogNormal.dist(mu=mus, sigma=sigmas),
        ),
        "objective",
        "where EM starts from these rows; give scipy's arguments by their names",
    ),
    "another density": (
        replace(EXPONENTIALS, pymc=lambda rates: pm.HalfNormal.dist(sigma=1 / rates)),
        "densities",
        "mend one of the two",
    ),
    "another support": (
        replace(EXPONENTIALS, pymc=lambda rates: pm.Truncated.dist(pm.Exponential.dist(lam=rates), lower=0.0, upper=2.0)),
        "densities",
        "one of them calls the row impossible",
    ),
    "no density": (replace(EXPONENTIALS, scipy=lambda rates: Waits(rates, 2.0)), "simulation", "; it is none"),
    "a lacking factor": (
        replace(EXPONENTIALS, scipy=lambda rates: Waits(rates, 0.5)),
        "densities",
        "one of them lacks a factor of the density without the row",
    ),
    "other rows": (
        replace(EXPONENTIALS, scipy=lambda rates: Waits(rates, drawn=1.15)),
        "simulation",
        "simulation and density of exponentials do not match",
    ),
    "rows of no seed": (
        replace(EXPONENTIALS, scipy=lambda rates: Waits(rates, fixed=True)),
        "simulation",
        "draws other rows from the same random_state",
    ),
    "a distribution function from elsewhere": (
        replace(EXPONENTIALS, scipy=lambda rates: Waits(rates, low=0.2)),
        "simulation",
        "the cdf of exponentials at",
    ),
    "an M-step that leaves the prior out": (
        replace(EXPONENTIALS, m_step=lambda y, r, prior: {"rates": r.sum(0) / (r.T @ y)}),
        "m_step",
        "without a prior it is right, so the prior is left out or used wrongly",
    ),
    "an M-step with numbers of its own": (
        replace(EXPONENTIALS, m_step=lambda y, r, prior: {"rates": (r.sum(0) + 1) / (r.T @ y + 1)}),
        "m_step",
        "with the prior it is right, so that the numbers of the prior are not those that it is given",
    ),
    "an M-step with a number of its own": (
        replace(EXPONENTIALS, m_step=m_step_of_its_own_number),
        "m_step",
        "with its own prior it is right",
    ),
    "an M-step of means": (
        replace(EXPONENTIALS, m_step=lambda y, r, prior: {"rates": (r.T @ y + prior.beta) / (r.sum(0) + prior.alpha - 1)}),
        "m_step",
        "with a prior and without, so it is not the maximum of r log f",
    ),
    "an M-step of shares": (
        replace(EXPONENTIALS, m_step=lambda y, r, prior: m_step(y, r / r.sum(1, keepdims=True), prior)),
        "m_step",
        "m_step of exponentials is no maximum without a prior: it gives rates = ",
    ),
    "an M-step outside of the domain": (
        replace(EXPONENTIALS, m_step=lambda y, r, prior: {"rates": -np.ones(r.shape[1])}),
        "m_step",
        "it gives rates = -1, which is outside of the domain",
    ),
    "an objective that falls": (
        replace(EXPONENTIALS, m_step=wrong_where_components_are_apart),
        "objective",
        "the objective of exponentials falls by",
    ),
    "two priors": (
        replace(EXPONENTIALS, parameters={"rates": Positive(Halved())}),  # type: ignore[arg-type]
        "prior",
        "the log density of the prior of rates at",
    ),
    "a prior of other numbers": (
        replace(EXPONENTIALS, parameters={"rates": Positive(Normal(1.0, 1.0))}),  # type: ignore[arg-type]
        "prior",
        "the prior of rates goes to -1.32635, which is no number of the kind Positive",
    ),
    "one row for all": (
        replace(EXPONENTIALS, scipy=lambda rates: stats.expon(scale=1 / np.mean(rates))),
        "functions",
        "mend it to take arrays that broadcast",
    ),
    "NaN at an end": (
        replace(EXPONENTIALS, scipy=lambda rates: stats.expon(scale=np.where(rates < 0.01, np.nan, 1 / rates))),
        "functions",
        "is NaN where rates = ",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_wrong_is_found_and_named(kind: str) -> None:
    family, check, told = BROKEN[kind]
    with pytest.raises(em.FamilyFailed) as failed:
        em.check_family(family)
    assert any(told in sentence for sentence in failed.value.findings[check]), failed.value.findings
    assert str(failed.value).count("\n") < 3


def test_it_is_tried_with_the_prior_that_is_given() -> None:
    with pytest.raises(em.FamilyFailed, match="has density 0 at all 100 draws"):
        em.check_family(EXPONENTIALS, [-1.0, 2.0])

    def of_one_prior(y: Any, r: Any, prior: Any) -> dict[str, Any]:
        return m_step(y, r, prior if prior.beta == 0 else Gamma(2.0, 1.0))

    with pytest.raises(em.FamilyFailed, match="is no maximum with the prior"):
        em.check_family(replace(EXPONENTIALS, m_step=of_one_prior), prior=FamilyPrior({"rates": Gamma(3.0, 4.0)}))


def test_one_row_is_simulated_as_well_as_many() -> None:
    fit = family_mixture(EXPONENTIALS, Rows([1.0, 2.0, 5.0]), 1)
    assert fit.simulate(1, seed=1).y.shape == (1,)
