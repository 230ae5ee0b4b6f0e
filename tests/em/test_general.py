"""Claims about mixtures of any family that has a log density: the same fits as by a family's own formulas, and no fall."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

import em
from comparisons.datasets import load
from em.differences import maximised
from em.general import GeneralMixture, Weighted, family_mixture
from em.poissons import PoissonMixture
from em.uncertainty.curvature import derivatives
from models import EventCounts, LogPosterior, PoissonPrior
from models.family import Beta, Family, FamilyPrior, Gamma, Normal, Positive, Probability, Real, Rows
from models.family import family_mixture as family_model
from models.mixtures import MixtureWeights

Y = np.random.default_rng(3).poisson([[2.0], [9.0]], size=(2, 40)).ravel()


def closed(y: Any, r: Any, prior: Any) -> dict[str, Any]:
    return {"rates": (r.T @ y + prior.alpha - 1) / (r.sum(0) + prior.beta)}


def poissons(m_step: Any = closed) -> Family:
    def pymc(rates: Any) -> Any:
        import pymc as pm

        return pm.Poisson.dist(mu=rates)

    return Family(
        "counts", "y", {"rates": Positive(prior=Gamma(2.0, 0.4))}, lambda rates: stats.poisson(rates), pymc, m_step
    )


FREE = MixtureWeights.of("free", 2)
OWN = poissons()


@pytest.mark.parametrize("prior", [None, PoissonPrior(2.0, 0.4, 2.0)])
def test_it_has_the_fit_of_the_family_that_has_its_own_formulas(prior: PoissonPrior | None) -> None:
    expected = em.poisson_mixture(EventCounts(Y), prior=prior)
    found = family_mixture(OWN, Rows(Y), prior=None if prior is None else OWN.prior)
    assert found.status == expected.status
    assert found.log_likelihood == pytest.approx(expected.log_likelihood, abs=1e-9)
    np.testing.assert_allclose(found.parameters.rates, expected.parameters.rates, rtol=1e-6)
    np.testing.assert_allclose(found.standard_errors.rates, expected.standard_errors.rates, rtol=1e-4)


@pytest.mark.parametrize("prior", [None, PoissonPrior(2.0, 0.4, 2.0)])
def test_numerical_derivatives_are_those_by_formula(prior: PoissonPrior | None) -> None:
    own = GeneralMixture(OWN, Rows(Y), FREE, None if prior is None else OWN.prior)
    other = PoissonMixture(EventCounts(Y), FREE, prior)
    vector = np.array([0.4, 0.6, 2.5, 8.0])
    for one, two in zip(
        derivatives(own, own.from_vector(vector)), derivatives(other, other.from_vector(vector)), strict=True
    ):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-4)


def test_a_numerical_m_step_ends_where_the_closed_one_does_and_never_lower() -> None:
    by_formula, numerical = (GeneralMixture(poissons(m), Rows(Y), FREE, OWN.prior) for m in (closed, None))
    statistics = by_formula.e_step(by_formula.from_vector(np.array([0.5, 0.5, 1.0, 4.0])))
    np.testing.assert_allclose(numerical.m_step(statistics).rates, by_formula.m_step(statistics).rates, rtol=1e-6)
    nowhere = Weighted(np.nan, statistics.r, np.full(4, np.nan))
    np.testing.assert_allclose(numerical.m_step(nowhere).rates, by_formula.m_step(statistics).rates, rtol=1e-6)


def test_a_wrong_m_step_is_told_as_that() -> None:
    wrong = poissons(lambda y, r, prior: {"rates": (r.T @ y) / r.sum() + 0.1})
    with pytest.raises(em.ObjectiveDecreased):
        family_mixture(wrong, Rows(Y))


def test_every_domain_has_a_prior_with_the_density_of_pymc() -> None:
    def pymc(places: Any, widths: Any, shares: Any) -> Any:
        import pymc as pm

        return pm.Normal.dist(mu=places + shares, sigma=widths)

    family = Family(
        "three kinds",
        "y",
        {"places": Real(Normal(1.0, 3.0)), "widths": Positive(Gamma(3.0, 2.0)), "shares": Probability(Beta(2.0, 5.0))},
        lambda places, widths, shares: stats.norm(places + shares, widths),
        pymc,
    )
    rows = Rows([0.3, 1.7, 2.2, 5.0], counts=[1, 2, 1, 1], labels=[-1, -1, 0, 1])
    point = family.kind([0.3, 0.7], [0.5, 3.0], [1.2, 0.7], [0.2, 0.6])
    mixture = GeneralMixture(family, rows, FREE, family.prior)
    density = LogPosterior(family_model(family, rows))
    values = {"weights": point.weights} | {name: getattr(point, name) for name in family.parameters}
    likelihood, prior, _ = density.parts(density.unconstrained(values))
    assert float(mixture.e_step(point).log_likelihood) == pytest.approx(likelihood, rel=1e-12)
    assert float(mixture.log_prior(point)) == pytest.approx(prior, rel=1e-12)


def test_what_is_no_family_is_refused() -> None:
    with pytest.raises(ValueError, match="parameters of nothing is empty"):
        Family("nothing", "y", {}, stats.norm, stats.norm)
    with pytest.raises(TypeError, match="Positive, Probability or Real"):
        Family("odd", "y", {"rates": 3.0}, stats.norm, stats.norm)  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="rates has 1 values but weights has 2"):
        OWN.kind([0.5, 0.5], [1.0])
    assert isinstance(OWN.prior, FamilyPrior)


WAITS = np.concatenate([np.random.default_rng(1).exponential(scale, 60) for scale in (1.0, 8.0)])


def exponentials(scipy: Any = lambda rates: stats.expon(scale=1 / rates), m_step: Any = None) -> Family:
    return Family("waits", "y", {"rates": Positive(prior=Gamma(2.0, 1.0))}, scipy, stats.expon, m_step)


def of_exponentials(y: Any, r: Any, prior: Any) -> dict[str, Any]:
    return {"rates": (r.sum(0) + prior.alpha - 1) / (r.T @ y + prior.beta)}


@pytest.mark.parametrize("prior", [None, exponentials().prior])
def test_without_an_m_step_it_has_the_optimum_and_standard_errors_of_a_closed_one(prior: FamilyPrior | None) -> None:
    closed_form, numerical = (
        family_mixture(exponentials(m_step=m), Rows(WAITS), prior=prior) for m in (of_exponentials, None)
    )
    assert numerical.status == closed_form.status == "converged"
    assert numerical.log_likelihood == pytest.approx(closed_form.log_likelihood, abs=1e-8)
    assert numerical.evaluations < 1.1 * closed_form.evaluations
    np.testing.assert_allclose(numerical.parameters.rates, closed_form.parameters.rates, rtol=1e-6)
    # By hand: the rows' scores are r_ik (1 / rate - y) and r_ik / w_k, and those of a component bend by -1 / rate^2.
    w, rates = numerical.parameters.weights, numerical.parameters.rates
    joint = w * rates * np.exp(-rates * WAITS[:, None])
    r = joint / joint.sum(axis=1, keepdims=True)
    own = 1 / rates - WAITS[:, None]
    scores = np.column_stack([r[:, 0] / w[0] - r[:, 1] / w[1], r * own])
    missing = np.zeros((3, 3))
    missing[1:, 1:] = np.diag((r * own**2 - r / rates**2).sum(axis=0))
    missing[0, 1:] = missing[1:, 0] = (r * own / w * [1, -1]).sum(axis=0)
    information = scores.T @ scores - missing
    if prior is not None:
        # Gamma(2, 1) bends by -1 / rate^2; the weights have one row more each.
        information += np.diag([(1 / w**2).sum(), *(1 / rates**2)])
    expected = np.sqrt(np.diag(np.linalg.inv(information)))[1:]
    np.testing.assert_allclose(numerical.standard_errors.rates, expected, rtol=1e-5)


@pytest.mark.parametrize("prior", [False, True])
def test_a_numerical_m_step_never_lowers_what_it_maximises(prior: bool) -> None:
    family = Family(
        "students",
        "y",
        {"places": Real(Normal(0.0, 10.0)), "widths": Positive(Gamma(2.0, 1.0)), "freedoms": Positive(Gamma(2.0, 0.1))},
        lambda places, widths, freedoms: stats.t(freedoms, places, widths),
        stats.t,
    )
    random = np.random.default_rng(4)
    mixture = GeneralMixture(family, Rows(random.standard_t(4, 60) * 3), FREE, family.prior if prior else None)
    for _ in range(20):
        r = random.dirichlet([0.5, 0.5], size=60)
        weights = random.dirichlet([2.0, 2.0])
        before = family.kind(
            weights, random.normal(scale=5, size=2), random.gamma(2, size=2), random.gamma(2, 5, size=2)
        )
        after = mixture.m_step(Weighted(np.nan, r, mixture.to_vector(before)))

        def objective(at: Any, r: Any = r) -> Any:
            return mixture._weighted(r, mixture._priors)(mixture._unbounded(mixture.fields(at))[None])[0]

        assert (objective(after) >= objective(before) - 1e-12 * np.abs(objective(before))).all()
        again = mixture.m_step(Weighted(np.nan, r, mixture.to_vector(after)))
        np.testing.assert_allclose(objective(again), objective(after), rtol=0, atol=1e-5)


def test_standard_errors_are_withheld_where_the_density_is_noisy() -> None:
    class Noisy:
        def __init__(self, rates: Any) -> None:
            self.smooth, self.noise = stats.expon(scale=1 / rates), 5e-7 * np.sin(1e8 * rates)

        def pdf(self, y: Any) -> Any:
            return np.exp(self.logpdf(y))

        def logpdf(self, y: Any) -> Any:
            return self.smooth.logpdf(y) + self.noise

    start = exponentials().kind([0.5, 0.5], [0.1, 1.0])
    smooth, noisy = (
        family_mixture(f, Rows(WAITS), prior=f.prior, start=f.kind(start.weights, start.rates))
        for f in (exponentials(), exponentials(Noisy))
    )
    assert smooth.standard_errors.reason is None
    np.testing.assert_allclose(noisy.parameters.rates, smooth.parameters.rates, rtol=0.05)
    assert "not smooth enough for numerical derivatives" in noisy.standard_errors.reason
    assert np.isnan(noisy.standard_errors.rates).all()


def test_a_component_that_closes_in_on_one_row_has_collapsed() -> None:
    family = Family(
        "students",
        "y",
        {"places": Real(Normal(0.0, 10.0)), "widths": Positive(Gamma(2.0, 1.0))},
        lambda places, widths: stats.t(4, places, widths),
        stats.t,
    )
    y = np.append(np.random.default_rng(2).standard_t(4, 40), 9.0)
    fit = family_mixture(family, Rows(y), start=family.kind([0.95, 0.05], [0.0, 9.0], [1.0, 0.01]))
    assert fit.status == "collapsed"
    assert fit.standard_errors.reason is not None


def test_a_place_that_rounding_holds_leaves_the_width_its_maximum() -> None:
    """A log-normal component narrows onto a row until the place, which is rounded, decides: then the width is their distance."""
    y = np.exp(np.random.default_rng(3).normal(size=20))

    def of_some(which: Any) -> Any:
        def log_density(points: Any) -> Any:
            places, log_widths = points[..., 0, :], points[..., 1, :]
            with np.errstate(all="ignore"):
                return -log_widths - 0.5 * (np.log(y[which] / np.exp(places)) / np.exp(log_widths)) ** 2

        return log_density

    beside = np.stack([np.log(y) * (1 + 1e-14), np.full(20, -20.0)])
    found = maximised(of_some, beside, np.ones(20), np.full((2, 20), 0.003))
    distance = np.abs(np.log(y / np.exp(found[0])))
    off = distance > 0
    assert off.sum() > 10
    # The last step is one that promises less than that; the next would promise about its square.
    np.testing.assert_allclose(of_some(np.arange(20))(found)[off], -np.log(distance[off]) - 0.5, atol=1e-6)


def test_standard_errors_are_withheld_where_the_density_has_a_kink() -> None:
    """Of the place of a Laplace distribution the log density is a sum of absolute values: straight lines, and no information."""
    family = Family(
        "laplaces",
        "y",
        {"places": Real(Normal(0.0, 10.0)), "widths": Positive(Gamma(2.0, 1.0))},
        lambda places, widths: stats.laplace(places, widths),
        stats.laplace,
    )
    # Of an odd number of rows the median is one of them, where the kink is.
    samples = [np.random.default_rng(5).laplace(size=n) for n in (41, 40)]
    odd, even = (family_mixture(family, Rows(y), 1) for y in samples)
    assert odd.parameters.places[0] == pytest.approx(np.median(samples[0]), abs=1e-3)
    assert "not smooth enough for numerical derivatives" in odd.standard_errors.reason
    assert "short of the maximum" in even.standard_errors.reason
    for fit in (odd, even):
        assert np.isnan(fit.standard_errors.places).all()
        assert (np.diff(fit.trace) >= -1e-12).all()


def test_what_has_a_limit_and_no_maximum_is_told() -> None:
    family = Family(
        "students",
        "y",
        {
            "places": Real(Normal(70.0, 30.0)),
            "widths": Positive(Gamma(2.0, 0.2)),
            "freedoms": Positive(Gamma(2.0, 0.1)),
        },
        lambda places, widths, freedoms: stats.t(freedoms, places, widths),
        stats.t,
    )
    waits = np.asarray(load("faithful").columns["waiting"], dtype=float)
    fit = family_mixture(family, Rows(waits), 1)
    # That of a normal distribution.
    assert fit.log_likelihood == pytest.approx(stats.norm(waits.mean(), waits.std()).logpdf(waits).sum(), abs=1e-6)
    assert fit.standard_errors.reason == "the objective has a limit and no maximum, as freedoms[1] goes to infinity"
    assert np.isnan(fit.standard_errors.widths).all()


def test_a_row_outside_of_the_support_is_told_with_its_value() -> None:
    with pytest.raises(
        ValueError, match=r"y has 1 distinct values to which counts gives density 0, the first is -1; leave out"
    ):
        family_mixture(OWN, Rows(np.append(Y, -1)))
