"""What importance sampling guided by EM is good for, held to exact posteriors, and when it says that it is not."""

import tracemalloc
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import betaln, gammaln, logsumexp

import em
from comparisons import catalogue, datasets, families
from comparisons.checks.posterior_agrees import posterior_agrees
from comparisons.families.mixtures import MixtureProblem
from comparisons.families.unconstrained import BLOCK, UnconstrainedPosterior
from comparisons.posterior import importance, proposals
from comparisons.posterior.importance import SecondRoute
from comparisons.posterior.proposals import Proposal
from comparisons.results.result import Check
from comparisons.study.faults import FAULTS
from comparisons.study.setting import simulate
from comparisons.study.settings import SETTINGS
from em.gaussians.mixture import GaussianMixture
from models import CoinTosses, Measurements
from models.gaussians.covariances import CovarianceForm
from models.mixtures import MixtureWeights
from tests.problems import COVARIANCES, coin_problem, gaussian_problem
from tests.problems import Problem as Drawn


def problem(name: str) -> MixtureProblem:
    comparison = catalogue.declaration(name)
    return families.problem(comparison, comparison.data(datasets.load(comparison.dataset)))


def route(name: str, seed: int = 1) -> SecondRoute:
    asked = problem(name)
    found = importance.sample(asked, asked.fit(asked.prior), np.random.default_rng(seed))
    assert not isinstance(found, str)
    return found


def every_kind() -> list[Drawn]:
    """Coins and Gaussians of every form, K and d to 3; five of each kind, for counts, labels, priors and weights."""
    random = np.random.default_rng(7)
    drawn = [coin_problem(random, 12, k) for k in (1, 2, 3) for _ in range(5)]
    for covariance in COVARIANCES:
        for k in (1, 2, 3):
            drawn += [gaussian_problem(random, 12, k, d, covariance) for d in (1, 2, 3) for _ in range(5)]
    return drawn


@pytest.mark.parametrize("name", SETTINGS)
def test_the_gradient_by_one_pass_over_the_rows_is_that_of_differences(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = simulate(SETTINGS[name], 5).problem
    target, random = asked.unconstrained, np.random.default_rng(6)
    assert target is not None
    x = np.stack([target.at(asked.random_parameters(random)) for _ in range(3)])
    reach = np.ones(x.shape[1])
    differences = target.gradient(x, reach)
    monkeypatch.setattr("comparisons.families.unconstrained.BLOCK", 1)
    np.testing.assert_allclose(target.gradient(x, reach), differences, rtol=1e-5, atol=1e-5 * np.abs(differences).max())


def points_about_the_start(drawn: Drawn, random: np.random.Generator) -> np.ndarray:
    start = drawn.mixture.coordinates(drawn.start, unbounded=True)
    return start + random.normal(size=(6, len(start)))


def test_the_density_of_many_points_is_that_of_each_and_one_without_density_harms_no_other() -> None:
    random = np.random.default_rng(8)
    for drawn in every_kind():
        mixture = drawn.mixture
        x = points_about_the_start(drawn, random)
        to_free = np.linalg.pinv(mixture.basis)
        expected = []
        for point in x:
            vector, jacobian = mixture.from_coordinates(point, unbounded=True)
            parameters = mixture.from_vector(vector)
            terms = [mixture.e_step(parameters).log_likelihood, float(mixture.log_prior(parameters))]
            expected.append(sum(terms) + np.linalg.slogdet(to_free @ jacobian)[1] + mixture.likelihood_offset)
        beyond = x[0].copy()
        beyond[-1] = 1e4  # no double holds a probability or a variance there
        found = UnconstrainedPosterior(mixture)(np.vstack([x[:3], beyond, x[3:]]))
        np.testing.assert_allclose(np.delete(found, 3), expected, rtol=1e-12)
        assert found[3] == -np.inf


def test_the_density_does_not_change_when_exchangeable_components_are_permuted() -> None:
    random = np.random.default_rng(9)
    permuted = 0
    for drawn in every_kind():
        target = UnconstrainedPosterior(drawn.mixture)
        x = points_about_the_start(drawn, random)
        maps = target.labellings()
        assert len(maps) == target.n_labellings
        for relabelled in maps:
            assert abs(np.linalg.det(relabelled)) == pytest.approx(1.0)
            np.testing.assert_allclose(target(x @ relabelled.T), target(x), rtol=1e-9)
        permuted += len(maps) > 1
        assert len(np.unique(maps.round(6), axis=0)) == len(maps)
    assert permuted > 30


def test_memory_does_not_grow_with_the_number_of_points() -> None:
    random = np.random.default_rng(10)
    data = Measurements(random.normal(size=(1000, 2)))
    target = UnconstrainedPosterior(
        GaussianMixture(data, MixtureWeights.of("free", 3), CovarianceForm.of("full"), None)
    )
    x = random.normal(size=(4000, 17))
    tracemalloc.start()
    target(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * 8 * BLOCK  # bytes; all points at once would take 96 MB for each array


def test_the_two_coins_have_their_exact_moments_and_evidence() -> None:
    found = route("two-coin")
    assert found.trusted
    exact = {"head_probabilities[B]": (0.5046021, 0.1227580), "head_probabilities[A]": (0.7700912, 0.0900441)}
    for name, (mean, sd) in exact.items():
        value, error = found.mean(found.values[name])
        assert abs(value - mean) < 4 * error
        square, square_error = found.mean((found.values[name] - mean) ** 2)
        assert abs(square - sd**2) < 4 * square_error
    assert abs(found.log_evidence - -11.6783) < 4 * found.log_evidence_error + 5e-5


def test_known_coins_have_the_evidence_of_two_beta_integrals() -> None:
    found = route("two-coin-labelled")
    data = problem("two-coin-labelled").data
    h, t = data.heads, data.tosses
    exact = (data.counts * (gammaln(t + 1) - gammaln(h + 1) - gammaln(t - h + 1) - np.log(2))).sum()
    for k in (0, 1):
        of_coin = data.labels == k
        heads, tosses = ((data.counts * v)[of_coin].sum() for v in (h, t))
        exact += betaln(heads + 1, tosses - heads + 1)
    assert abs(found.log_evidence - exact) < 4 * found.log_evidence_error


def test_one_normal_has_its_closed_form_mean_and_evidence() -> None:
    asked, found = problem("one-normal"), route("one-normal", seed=3)
    prior, data = asked.prior, asked.data
    y, counts = data.y[:, 0], data.counts
    n, nu, kappa, s = counts.sum(), prior.degrees_of_freedom, prior.shrinkage, prior.scale[0, 0]
    mean = counts @ y / n
    total = s + counts @ (y - mean) ** 2 + kappa * n / (kappa + n) * (mean - prior.mean[0]) ** 2
    exact = gammaln((nu + n) / 2) - gammaln(nu / 2) + nu / 2 * np.log(s) - (nu + n) / 2 * np.log(total)
    exact += 0.5 * np.log(kappa / (kappa + n)) - n / 2 * np.log(np.pi)
    assert abs(found.log_evidence - exact) < 4 * found.log_evidence_error
    deviation = np.sqrt(total / 2) * np.exp(gammaln((nu + n - 1) / 2) - gammaln((nu + n) / 2))
    value, error = found.mean(found.values["standard_deviations[all]"])
    assert abs(value - deviation) < 4 * error


@pytest.mark.parametrize("name", ["three-coin", "three-coin-single-toss", "saxony-families"])
def test_weights_sum_to_one_and_components_ascend(name: str) -> None:
    found = route(name)
    assert found.weights.sum() == pytest.approx(1.0)
    components = catalogue.declaration(name).components
    low, high = (found.values[f"head_probabilities[{c}]"] for c in components)
    assert (low <= high).all()
    assert found.trusted


def test_five_coins_have_the_evidence_of_all_labelings_of_the_bags() -> None:
    comparison = replace(catalogue.declaration("two-coin"), components=tuple("ABCDE"))
    heads, tosses = np.array([5, 9, 8, 4, 7]), np.full(5, 10)
    asked = families.problem(comparison, CoinTosses(heads, tosses))
    found = importance.sample(asked, asked.fit(asked.prior), np.random.default_rng(4))
    assert not isinstance(found, str)
    assert found.trusted
    labelings = np.array(list(product(range(5), repeat=5)))[:, :, None] == np.arange(5)
    of_coin = betaln((heads @ labelings) + 1, ((tosses - heads) @ labelings) + 1).sum(axis=1)
    coefficients = gammaln(tosses + 1) - gammaln(heads + 1) - gammaln(tosses - heads + 1) - np.log(5)
    assert abs(found.log_evidence - (coefficients.sum() + logsumexp(of_coin))) < 4 * found.log_evidence_error


def test_six_exchangeable_coins_have_no_second_route() -> None:
    comparison = replace(catalogue.declaration("two-coin"), components=tuple("ABCDEF"))
    asked = families.problem(comparison, CoinTosses([5, 9, 8, 4, 7, 1], 10))
    found = importance.sample(asked, asked.fit(asked.prior), np.random.default_rng(4))
    assert isinstance(found, str)
    assert "too many labellings" in found
    assert posterior_agrees(found, None, True, None, {}, {}).outcome == "not applicable"


def summary_of(draws: dict[str, np.ndarray]) -> pd.DataFrame:
    import arviz as az

    return az.summary(az.from_dict({"posterior": draws}), ci_prob=0.94, ci_kind="hdi", round_to="none")  # type: ignore[no-any-return]


def independent_chains(found: SecondRoute, shift: float = 0.0) -> dict[str, np.ndarray]:
    """Chains of independent draws from the weighted ones, moved by so many sds."""
    random = np.random.default_rng(5)
    chosen = random.choice(len(found.weights), size=(4, 1000), p=found.weights)
    return {name: v[chosen] + shift * v.std() for name, v in found.values.items()}


def outcome(found: SecondRoute, draws: dict[str, np.ndarray], *, converged: bool = True) -> Check:
    thresholds = {name: list(np.quantile(v, [0.2, 0.5, 0.8])) for name, v in found.values.items()}
    return posterior_agrees(found, None, converged, summary_of(draws), draws, thresholds)


def test_chains_of_the_same_posterior_agree_with_it() -> None:
    found = route("two-coin")
    assert outcome(found, independent_chains(found)).outcome == "pass"


def test_chains_of_a_moved_posterior_fail_and_the_sampler_is_named() -> None:
    found = route("two-coin")
    check = outcome(found, independent_chains(found, shift=0.15))
    assert (check.outcome, check.engine) == ("fail", "sampler")


def test_chains_with_their_tails_cut_fail() -> None:
    found = route("two-coin")
    draws = independent_chains(found)
    cut = {name: np.clip(v, *np.quantile(v, [0.1, 0.9])) for name, v in draws.items()}
    ends = {name: list(np.quantile(v, [0.05, 0.95])) for name, v in found.values.items()}
    assert posterior_agrees(found, None, True, summary_of(cut), cut, ends).outcome == "fail"


def test_a_route_with_heavy_weights_is_not_used() -> None:
    found = route("two-coin")
    heavy = SecondRoute(
        found.values, found.weights, 0.71, found.effective, found.log_evidence, found.log_evidence_error, 3
    )
    check = outcome(heavy, independent_chains(found, shift=5.0))
    assert check.outcome == "not applicable"
    assert "cannot be trusted" in check.explanation


def test_chains_that_have_not_converged_are_not_held_against_the_route() -> None:
    found = route("two-coin")
    assert outcome(found, independent_chains(found, shift=5.0), converged=False).outcome == "not applicable"


def test_a_proposal_fitted_anew_still_gives_the_exact_moments_and_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importance, "K_HAT", -10.0)  # no proposal is good enough
    monkeypatch.setattr(importance, "REFRESHES", 1)
    found = route("two-coin")
    assert found.refreshes == 1
    value, error = found.mean(found.values["head_probabilities[A]"])
    assert abs(value - 0.7700912) < 4 * error
    assert abs(found.log_evidence - -11.6783) < 4 * found.log_evidence_error + 5e-5


BAD_PROPOSALS = {
    "far off": (4.0, 1.0, 5.0),
    "narrow with light tails": (0.0, 0.2, 200.0),
}


@pytest.mark.parametrize("kind", BAD_PROPOSALS)
@pytest.mark.parametrize("name", ["two-coin-labelled", "one-normal", "three-coin"])
def test_a_bad_proposal_is_never_believed_and_a_refreshed_one_recovers(
    monkeypatch: pytest.MonkeyPatch, name: str, kind: str
) -> None:
    away, narrowed, freedom = BAD_PROPOSALS[kind]
    good = proposals.at_modes

    def bad(target: UnconstrainedPosterior, map_fit: em.Fit[Any, Any]) -> Proposal:
        kept = good(target, map_fit)
        return Proposal(kept.chances, kept.centres + away * kept.roots.sum(axis=-1), narrowed * kept.roots)

    monkeypatch.setattr(proposals, "at_modes", bad)
    monkeypatch.setattr(proposals, "DEGREES_OF_FREEDOM", freedom)
    monkeypatch.setattr(importance, "REFRESHES", 0)
    refused = route(name)
    assert refused.k_hat > importance.K_HAT
    check = outcome(refused, independent_chains(refused))
    assert check.outcome == "not applicable"
    assert "cannot be trusted" in check.explanation

    monkeypatch.setattr(proposals, "DEGREES_OF_FREEDOM", 5.0)
    monkeypatch.setattr(importance, "REFRESHES", 6)
    recovered = route(name)
    assert recovered.refreshes > 0
    assert recovered.trusted
    monkeypatch.setattr(proposals, "at_modes", good)
    honest = route(name, seed=2)
    error = np.hypot(recovered.log_evidence_error, honest.log_evidence_error)
    assert abs(recovered.log_evidence - honest.log_evidence) < 4 * error


def test_a_spike_among_the_modes_does_not_end_the_route() -> None:
    """Of a component that a broken EM let collapse under a prior: its scale has no Cholesky factor by rounding."""
    problem = simulate(SETTINGS["normals-repeated"], 19001).problem
    with FAULTS["em-prior-forgotten"].planted(problem):
        map_fit = problem.fit(problem.prior, seed=19001)
    assert min(m.parameters.covariances.min() for m in map_fit.modes) < 1e-12
    route = importance.sample(problem, map_fit, np.random.default_rng(19001), draws=500)
    assert not isinstance(route, str)
    assert np.isfinite(route.log_evidence)
