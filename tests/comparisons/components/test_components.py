"""How many components there are: every number held to a closed form, an exact sum, another library or a study."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import multigammaln
from scipy.stats import beta, betabinom, binom, binomtest

from comparisons import catalogue, datasets, families, quantities
from comparisons.binomial import exact_interval
from comparisons.catalogue.two_coin import log_evidence
from comparisons.components import comparing, likelihood_ratio, marginal
from comparisons.components.comparing import NoQuestion, criteria, n_parameters, with_components
from comparisons.components.marginal import Marginal
from comparisons.components.record import LikelihoodRatio
from comparisons.families.mixtures import MixtureProblem
from comparisons.posterior import importance
from em.search.doubts import MINIMUM_RATIO
from models import CoinTosses, GaussianPrior, Measurements
from models.gaussians.covariances import Covariance
from models.inputs import Floats
from tests.declared import declare
from tests.problems import COVARIANCES

# Standard errors beyond which a right number falls once in 16,000.
FAR = 4.0


def problem(name: str, k: int | None = None) -> MixtureProblem:
    comparison = catalogue.declaration(name)
    declared = families.problem(comparison, comparison.data(datasets.load(comparison.dataset)))
    return declared if k is None else with_components(declared, k)


def gaussian_problem(y: Floats, k: int, prior: GaussianPrior | None = None) -> MixtureProblem:
    return declare(Measurements(y), k, prior=prior)


def coin_problem(tosses: CoinTosses, k: int) -> MixtureProblem:
    return replace(with_components(problem("two-coin"), k), data=tosses.distinct())


def marginal_of(asked: MixtureProblem, seed: int = 1) -> Marginal:
    return marginal.marginal(asked, asked.fit(asked.prior), np.random.default_rng(seed))


def closed_form(y: Floats, prior: GaussianPrior) -> float:
    """Log marginal likelihood of one normal under its conjugate prior (Murphy 2007, section 9)."""
    n, d = y.shape
    nu, kappa = prior.degrees_of_freedom, prior.shrinkage
    mean = y.mean(axis=0)
    away = np.outer(mean - prior.mean, mean - prior.mean) * kappa * n / (kappa + n)
    total = prior.scale + (y - mean).T @ (y - mean) + away
    value = multigammaln((nu + n) / 2, d) - multigammaln(nu / 2, d) + 0.5 * d * np.log(kappa / (kappa + n))
    value += 0.5 * nu * np.linalg.slogdet(prior.scale)[1] - 0.5 * (nu + n) * np.linalg.slogdet(total)[1]
    return float(value - 0.5 * n * d * np.log(np.pi))


def test_aic_bic_and_icl_are_what_a_hand_gets() -> None:
    asked = problem("two-coin", 2)
    fit = asked.fit(None)
    p, log_likelihood = fit.parameters.head_probabilities, -9.7969242923
    h = np.array([5, 9, 8, 4, 7])
    joint = p ** h[:, None] * (1 - p) ** (10 - h[:, None])
    r = joint / joint.sum(axis=1, keepdims=True)
    found = criteria(asked, fit)
    assert found.aic == pytest.approx(-2 * log_likelihood + 2 * 2, abs=1e-9)
    assert found.bic == pytest.approx(-2 * log_likelihood + 2 * np.log(5), abs=1e-9)
    assert found.icl == pytest.approx(found.bic - 2 * (r * np.log(r)).sum(), abs=1e-9)


@pytest.mark.parametrize(
    ("covariance", "theirs"),
    [("full", "full"), ("tied", "tied"), ("diagonal", "diag"), ("spherical", "spherical")],
)
def test_aic_and_bic_are_those_of_scikit_learn_at_the_same_parameters(covariance: Covariance, theirs: str) -> None:
    from sklearn.mixture import GaussianMixture

    declared = problem("faithful-2d", 2)
    asked = replace(declared, comparison=replace(declared.comparison, covariance=covariance))
    y = np.repeat(asked.data.y, asked.data.counts, axis=0)
    fit = asked.fit(None)
    ours, p = criteria(asked, fit), fit.parameters
    other = GaussianMixture(2, covariance_type=theirs)
    forms = {"full": p.covariances, "tied": p.covariances[0], "diag": p.standard_deviations**2}
    covariances = forms.get(theirs, p.covariances[:, 0, 0])
    other.weights_, other.means_, other.covariances_ = p.weights, p.means, covariances
    roots = np.linalg.inv(np.linalg.cholesky(p.covariances)).transpose(0, 2, 1)
    other.precisions_cholesky_ = {"full": roots, "tied": roots[0]}.get(theirs, 1 / np.sqrt(covariances))
    assert ours.aic == pytest.approx(other.aic(y), rel=1e-12)
    assert ours.bic == pytest.approx(other.bic(y), rel=1e-12)


def test_free_parameters_are_counted() -> None:
    assert [n_parameters(problem("two-coin", k)) for k in (1, 2, 3)] == [1, 2, 3]  # weights equal
    assert [n_parameters(problem("saxony-families", k)) for k in (1, 2, 3)] == [1, 3, 5]
    assert [n_parameters(problem("faithful-2d", k)) for k in (1, 2, 3)] == [5, 11, 17]


@pytest.mark.parametrize("covariance", COVARIANCES)
@pytest.mark.parametrize("name", ["faithful", "faithful-2d"])
def test_parameters_come_back_from_their_quantities(name: str, covariance: Covariance) -> None:
    declared = problem(name, 2)
    asked = replace(declared, comparison=replace(declared.comparison, covariance=covariance))
    drawn = [asked.random_parameters(np.random.default_rng(seed)) for seed in range(3)]
    values = [quantities.of_parameters(asked, p) for p in drawn]
    arrays = asked.arrays_of({name: np.array([v[name] for v in values]) for name in values[0]})
    for field, array in arrays.items():
        np.testing.assert_allclose(array, [getattr(p, field) for p in drawn], rtol=1e-12)


def test_the_bayes_factor_of_two_coins_is_the_exact_one() -> None:
    found = [marginal_of(problem("two-coin", k)) for k in (1, 2, 3)]
    data = problem("two-coin").data
    assert isinstance(data, CoinTosses)
    two, three = (marginal.bayes_factor(*found[k : k + 2]) for k in (0, 1))
    # Over all labellings: were the components taken as ordered, log 2! and log 3! would be missing.
    for factor, k in ((two, 2), (three, 3)):
        assert factor.log_value is not None
        assert factor.error is not None
        assert abs(factor.log_value - (log_evidence(data, k) - log_evidence(data, k - 1))) < FAR * factor.error
    assert two.log_value is not None
    assert np.exp(two.log_value) == pytest.approx(1.49, abs=0.005 + FAR * 1.49 * (two.error or np.nan))


def test_one_normal_has_its_closed_form_evidence_under_every_prior() -> None:
    y = np.random.default_rng(1).normal(size=(25, 2)) @ np.array([[1.0, 0.5], [0.0, 0.7]]) + [3.0, -1.0]
    # Numbers of two components, which are those of every K.
    asked = gaussian_problem(y, 1, GaussianPrior.weakly_informative(y, 2))
    found = marginal_of(asked)
    assert asked.prior == with_components(asked, 3).prior
    assert found.log_evidence.trusted
    assert isinstance(asked.prior, GaussianPrior)
    assert abs(found.log_evidence.value - closed_form(y, asked.prior)) < FAR * found.log_evidence.error
    changed = asked.family.changed_priors(asked.prior)
    assert (
        list(found.under)
        == list(changed)
        == [f"{n} {w}" for w in ("halved", "doubled") for n in ("scale", "shrinkage")]
    )
    for name, prior in changed.items():
        assert isinstance(prior, GaussianPrior)
        exact = closed_form(y, prior)
        assert abs(found.under[name].value - exact) < FAR * found.under[name].error
        assert abs(exact - closed_form(y, asked.prior)) > 2 * FAR * found.under[name].error  # it is another number


def test_leave_one_out_is_that_of_the_conjugate_posterior_without_the_row() -> None:
    y = np.random.default_rng(2).normal(size=(40, 1)).round(1)
    y[:5] = y[5]  # equal rows, of which one at a time is left out
    asked = gaussian_problem(y, 1)
    assert isinstance(asked.prior, GaussianPrior)
    assert isinstance(asked.data, Measurements)
    found = marginal_of(asked)
    everything = closed_form(y, asked.prior)
    by_row = {row: everything - closed_form(np.delete(y, row, axis=0), asked.prior) for row in range(len(y))}
    exact = np.array([by_row[int(np.argmax(y == value))] for value in asked.data.y])
    # Relative sd of a row's density over the posterior, to first order, over the root of the draws that count.
    z = (asked.data.y[:, 0] - y.mean()) / y.std()
    spread = np.sqrt((z**2 + (z**2 - 1) ** 2 / 2) / len(y))
    assert (np.abs(found.predictive - exact) < FAR * (0.2 + spread) / np.sqrt(found.effective)).all()
    told = marginal.leave_one_out(found, None, asked.data.counts)
    terms = np.array(list(by_row.values()))
    assert told.elpd == pytest.approx(terms.sum(), abs=FAR * (spread @ asked.data.counts) / np.sqrt(found.effective))
    assert told.standard_error == pytest.approx(np.sqrt(len(y)) * terms.std(), rel=0.05)
    assert told.unreliable_rows == 0


def test_what_cannot_be_relied_on_is_no_number() -> None:
    found = marginal_of(problem("two-coin", 2))
    heavy = replace(found, log_evidence=replace(found.log_evidence, k_hat=0.71))
    assert marginal.evidence(heavy).log_evidence is None
    assert "0.71" in (marginal.evidence(heavy).reason or "")
    for pair in ((found, heavy), (heavy, found)):
        assert marginal.bayes_factor(*pair).log_value is None
    assert marginal.leave_one_out(heavy, found, problem("two-coin").data.counts).elpd is None
    assert marginal.leave_one_out(found, heavy, problem("two-coin").data.counts).difference is None
    unknown = replace(found, log_evidence=replace(found.log_evidence, k_hat=np.nan))
    assert marginal.evidence(unknown).reason is not None


@pytest.mark.sampling
@pytest.mark.long
def test_evidence_agrees_with_sequential_monte_carlo() -> None:
    import pymc as pm

    asked = problem("three-coin")
    found = marginal_of(asked)
    assert found.log_evidence.trusted
    with asked.model():
        drawn = pm.sample_smc(draws=1000, chains=6, cores=1, random_seed=1, progressbar=False)
    per_chain = [float(np.ravel(v)[-1]) for v in drawn["sample_stats"]["log_marginal_likelihood"].values]
    error = np.std(per_chain, ddof=1) / np.sqrt(len(per_chain))
    # Six chains leave their spread uncertain: 6.9 is the quantile of Student's t with 5 degrees of freedom at 0.9995.
    assert abs(np.mean(per_chain) - found.log_evidence.value) < 6.9 * np.hypot(error, found.log_evidence.error)


@pytest.mark.parametrize(("successes", "trials"), [(0, 99), (3, 99), (50, 99), (99, 99)])
def test_the_interval_of_a_p_value_is_exact(successes: int, trials: int) -> None:
    exact = binomtest(successes, trials).proportion_ci(0.95, method="exact")
    assert exact_interval(successes, trials) == pytest.approx((exact.low, exact.high), abs=1e-12)


def bootstrap(asked: tuple[MixtureProblem, MixtureProblem], seed: int, samples: int) -> LikelihoodRatio:
    random = np.random.default_rng(seed)
    return likelihood_ratio.bootstrap(*asked, asked[0].fit(None), random, lambda done: None, samples)


def test_two_different_coins_are_found_and_the_statistic_is_that_of_em() -> None:
    tosses = CoinTosses(heads=[1, 2, 1, 2, 8, 9, 8, 9], tosses=10)
    one, two = coin_problem(tosses, 1), coin_problem(tosses, 2)
    found = bootstrap((one, two), 1, 19)
    gain = two.fit(None).log_likelihood - one.fit(None).log_likelihood
    assert found.statistic == pytest.approx(2 * gain, abs=1e-6)
    assert (found.exceeding, found.p_value) == (0, 1 / 20)


def test_p_values_are_as_small_as_they_say_where_there_is_one_component() -> None:
    random = np.random.default_rng(7)
    levels, studies, samples = 0.2, 40, 4
    small = 0
    for seed in range(studies):
        tosses = CoinTosses(random.binomial(10, 0.6, size=15), tosses=10)
        found = bootstrap((coin_problem(tosses, 1), coin_problem(tosses, 2)), seed, samples)
        assert found.p_value is not None
        small += found.p_value <= levels
    # Two-sided, at 1 in 1000.
    assert binom.ppf(0.0005, studies, levels) <= small <= binom.ppf(0.9995, studies, levels)


def test_no_optimum_beyond_the_minimum_ratio_is_compared() -> None:
    one, two = problem("galaxies", 1), problem("galaxies", 2)
    fit = two.fit(None)
    assert families.of(fit.parameters).standard_deviation_ratio(fit.parameters) < MINIMUM_RATIO
    assert likelihood_ratio.admissible(fit) is None
    found = bootstrap((one, two), 1, 3)
    assert (found.statistic, found.p_value, found.samples) == (None, None, 0)
    assert "2 components" in (found.reason or "")
    three = bootstrap((two, problem("galaxies", 3)), 1, 3)
    assert "2 components" in (three.reason or "")


def test_the_fit_that_is_compared_satisfies_the_ratio_where_em_finds_a_spurious_maximum() -> None:
    rows = np.random.default_rng(5).normal(size=60)
    y = np.append(rows, [4.0, 4.001, 4.002, 4.003])[:, None]
    one, two = gaussian_problem(y, 1), gaussian_problem(y, 2)
    random = np.random.default_rng(1)
    statistic, ratio = likelihood_ratio.statistic(one, two, one.data, one.fit(None).parameters, random)
    assert ratio is None or ratio >= MINIMUM_RATIO
    assert statistic < 2 * (max(m.log_likelihood for m in two.fit(None).modes) - one.fit(None).log_likelihood) - 1


def test_simulated_data_have_the_size_and_the_moments_of_the_fit() -> None:
    asked = problem("faithful-2d", 2)
    parameters = asked.fit(None).parameters
    big = replace(asked, data=Measurements(asked.data.y, counts=400 * asked.data.counts))
    drawn = likelihood_ratio.simulated(big, parameters, np.random.default_rng(1))
    assert isinstance(drawn, Measurements)
    assert drawn.n == 400 * asked.data.n
    mean = parameters.weights @ parameters.means
    error = drawn.y.std(axis=0) / np.sqrt(drawn.n)
    assert (np.abs(drawn.y.mean(axis=0) - mean) < FAR * error).all()
    centred = parameters.means - mean
    exact = np.einsum(
        "k,kab->ab", parameters.weights, parameters.covariances + np.einsum("ka,kb->kab", centred, centred)
    )
    np.testing.assert_allclose(np.cov(drawn.y.T), exact, rtol=FAR * np.sqrt(2 / drawn.n))
    families = problem("saxony-families", 2)
    tossed = likelihood_ratio.simulated(families, families.fit(None).parameters, np.random.default_rng(1))
    assert isinstance(tossed, CoinTosses)
    assert (tossed.n, set(tossed.tosses)) == (6115, {12})


@pytest.mark.parametrize(("name", "twin"), [("two-coin-labelled", "two-coin"), ("heights-labelled", "heights")])
def test_labelled_rows_are_refused_and_the_question_without_labels_is_named(name: str, twin: str) -> None:
    with pytest.raises(NoQuestion, match=f"comparisons components {twin}$"):
        comparing.compare(name)


def test_more_components_than_rows_are_refused() -> None:
    with pytest.raises(NoQuestion, match="5 rows for 6"):
        comparing.compare("two-coin", 6)


def test_a_point_that_is_no_regular_maximum_is_flagged() -> None:
    asked = problem("two-coin-per-toss", 2)
    reservation = comparing._reservation(asked, asked.fit(None))
    assert reservation is not None
    assert "not identified" in reservation
    regular = problem("two-coin", 2)
    assert comparing._reservation(regular, regular.fit(None)) is None


def test_all_of_it_is_the_same_again_and_does_not_depend_on_how_many_were_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(likelihood_ratio, "SAMPLES", 3)
    monkeypatch.setattr(importance, "DRAWS", 400)
    stages: list[str] = []
    two = comparing.compare("two-coin", 2, seed=4, progress=lambda stage, done, of: stages.append(stage))
    three = comparing.compare("two-coin", 3, seed=4)
    assert three.candidates[:2] == two.candidates
    assert [c.n_components for c in three.candidates] == [1, 2, 3]
    assert stages[-1] == "K = 2: bootstrap of 1 against 2"


def test_a_rival_is_held_against_this_model_by_the_same_criteria() -> None:
    asked, other = problem("saxony-overdispersed"), problem("saxony-families")
    own = marginal_of(asked)
    # Of two parameters the evidence is a sum over a grid that goes eight standard errors to all sides.
    fit, data = asked.fit(None), asked.data
    p, rho = fit.parameters.head_probabilities[0], fit.parameters.correlations[0]
    steps = np.linspace(-8, 8, 65)
    ps, rhos = p + fit.standard_errors.head_probabilities[0] * steps, rho + fit.standard_errors.correlations[0] * steps
    inside = rhos > 0
    ps, rhos = (grid[..., None] for grid in np.meshgrid(ps, rhos[inside], indexing="ij"))
    a, b = ps * (1 - rhos) / rhos, (1 - ps) * (1 - rhos) / rhos
    heights = betabinom.logpmf(data.heads, data.tosses, a, b) @ data.counts + beta.logpdf(rhos[..., 0], 2, 8)
    cell = np.diff(ps[:2, 0, 0])[0] * np.diff(rhos[0, :2, 0])[0]
    exact = heights.max() + np.log(np.exp(heights - heights.max()).sum() * cell)
    assert abs(own.log_evidence.value - exact) < FAR * own.log_evidence.error
    rival = comparing._rival(asked.comparison, own, asked.family.name, seed=1)
    coins, found = other.fit(None), rival.candidate
    assert (rival.name, rival.family, rival.own_family, rival.against) == (
        "saxony-families", "coins", "beta-binomials", 1,
    )  # fmt: skip
    assert found.criteria.aic == pytest.approx(coins.aic, abs=1e-6)
    assert found.likelihood_ratio is None
    assert found.bayes_factor is not None
    assert found.bayes_factor.log_value is not None
    assert found.evidence.log_evidence is not None
    assert found.bayes_factor.log_value == pytest.approx(found.evidence.log_evidence - own.log_evidence.value)
    loo, mine = found.leave_one_out, float(own.predictive @ data.counts)
    assert loo.elpd is not None
    assert loo.difference == pytest.approx(loo.elpd - mine, abs=1e-8)
