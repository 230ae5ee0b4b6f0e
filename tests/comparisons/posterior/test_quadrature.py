"""Exact posteriors of coins by quadrature, held to closed forms and to sums over all labelings of the bags."""

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy.special import betaln, gammaln, logit, logsumexp
from scipy.stats import beta

from comparisons import catalogue, datasets, families, quantities
from comparisons.checks.posterior_agrees import posterior_agrees
from comparisons.families.coins import COINS, quadrature
from comparisons.families.exact import ExactPosterior
from comparisons.families.mixtures import MixtureProblem
from models import CoinPrior, CoinTosses
from models.mixtures import Weights

# Ten times what two grids must agree to.
TOLERANCE = 10 * quadrature.AGREEMENT


def coins(
    tosses: CoinTosses, components: str, weights: Weights = "free", prior: CoinPrior | None = None
) -> MixtureProblem:
    comparison = replace(
        catalogue.declaration("three-coin"), components=tuple(components), weights=weights, prior=prior
    )
    # Not by `families.problem`, which refuses a prior without a mode; quadrature needs none.
    return MixtureProblem(COINS, comparison, tosses.distinct(), prior or CoinPrior(), COINS.declared(tosses))


def known(asked: MixtureProblem, thresholds: list[float]) -> ExactPosterior:
    found = quadrature.exact(asked, dict.fromkeys(quantities.names(asked), thresholds))
    assert found is not None
    return found


def log_coefficients(tosses: CoinTosses) -> float:
    h, t = tosses.heads, tosses.tosses
    return float(tosses.counts @ (gammaln(t + 1) - gammaln(h + 1) - gammaln(t - h + 1)))


def labelings(tosses: CoinTosses, weights: np.ndarray | None, prior: CoinPrior) -> tuple[np.ndarray, ...]:
    """Of every labeling of the bags: log probability, and the Beta numbers of both coins and the first weight."""
    allowed = [(0, 1) if label < 0 else (label,) for label in tosses.labels]
    second = np.array(list(product(*allowed)))
    a, b, n = np.empty((2, len(second))), np.empty((2, len(second))), np.empty((2, len(second)))
    for k, mine in enumerate((second == 0, second == 1)):
        a[k] = prior.heads + mine @ (tosses.counts * tosses.heads)
        b[k] = prior.tails + mine @ (tosses.counts * (tosses.tosses - tosses.heads))
        n[k] = mine @ tosses.counts
    logs = betaln(a, b).sum(axis=0) - 2 * betaln(prior.heads, prior.tails)
    c = prior.concentration
    logs += betaln(n[0] + c, n[1] + c) - betaln(c, c) if weights is None else n.T @ np.log(weights)
    return logs, a, b, n + c


def test_the_two_coins_have_the_published_posterior() -> None:
    asked = coins(CoinTosses([5, 9, 8, 4, 7], 10), "BA", "equal")
    found = known(asked, [0.5])
    assert found.means["head_probabilities[A]"] == pytest.approx(0.7700912, abs=5e-8)
    assert found.means["head_probabilities[B]"] == pytest.approx(0.5046021, abs=5e-8)
    assert found.log_evidence == pytest.approx(-11.6783, abs=5e-5)
    one = known(coins(CoinTosses([5, 9, 8, 4, 7], 10), "A"), [0.5])
    assert one.sds["head_probabilities[A]"] == pytest.approx(beta(34, 18).std(), abs=TOLERANCE)
    assert one.log_evidence == pytest.approx(-12.0768, abs=5e-5)
    assert np.exp(found.log_evidence - one.log_evidence) == pytest.approx(1.49, abs=5e-3)


@pytest.mark.parametrize("prior", [CoinPrior(), CoinPrior(2.0, 3.0, 2.0), CoinPrior(0.5, 0.5, 0.5)])
def test_known_coins_have_beta_posteriors(prior: CoinPrior) -> None:
    tosses = CoinTosses([5, 9, 8, 4, 7], 10, counts=[1, 2, 1, 1, 3], labels=[0, 1, 1, 0, 1])
    found = known(coins(tosses, "BA", prior=prior), [0.3, 0.5, 0.8])
    (log_probability,), a, b, n = labelings(tosses, None, prior)
    # The labels are known, but counts of equal bags are not labelings: the binomial coefficient is of the bags.
    assert found.log_evidence == pytest.approx(log_probability + log_coefficients(tosses), abs=TOLERANCE)
    for name, posterior in {
        "head_probabilities[B]": beta(a[0, 0], b[0, 0]),
        "head_probabilities[A]": beta(a[1, 0], b[1, 0]),
        "weights[B]": beta(n[0, 0], n[1, 0]),
        "weights[A]": beta(n[1, 0], n[0, 0]),
    }.items():
        assert found.means[name] == pytest.approx(posterior.mean(), abs=TOLERANCE)
        assert found.sds[name] == pytest.approx(posterior.std(), abs=TOLERANCE)
        assert found.below[name] == pytest.approx(posterior.cdf([0.3, 0.5, 0.8]), abs=TOLERANCE)
        mean = posterior.expect(logit)
        sd = np.sqrt(posterior.expect(lambda p: logit(p) ** 2) - mean**2)
        assert found.unbounded[name] == pytest.approx((mean, sd), abs=1e-5)


@pytest.mark.parametrize("weights", ["free", "equal", [0.3, 0.7]])
@pytest.mark.parametrize("labels", [None, [-1, 0, -1, -1, 1]])
def test_hidden_coins_have_the_posterior_of_all_labelings(weights: Weights, labels: list[int] | None) -> None:
    tosses, prior = CoinTosses([2, 9, 8, 4, 1], [9, 10, 8, 7, 6], labels=labels), CoinPrior(2.0, 1.0, 2.0)
    asked = coins(tosses, "BA", weights, prior)
    levels = [0.25, 0.55, 0.85]
    found = known(asked, levels)
    logs, a, b, n = labelings(tosses, asked.weights.fixed, prior)
    evidence = logsumexp(logs)
    assert found.log_evidence == pytest.approx(evidence + log_coefficients(tosses), abs=TOLERANCE)
    shares = np.exp(logs - evidence)
    # Independent draws from the exact mixture of Betas: every mean and probability within Monte Carlo error.
    random, size = np.random.default_rng(3), 200_000
    which = random.choice(len(shares), size=size, p=shares)
    p = random.beta(a[:, which], b[:, which])
    w = random.beta(n[0, which], n[1, which]) if asked.weights.fixed is None else np.full(size, asked.weights.fixed[0])
    w = np.stack([w, 1 - w])
    if exchangeable := labels is None and not isinstance(weights, list):
        order = p.argsort(axis=0)
        p, w = np.take_along_axis(p, order, axis=0), np.take_along_axis(w, order, axis=0)
    for j, level in enumerate(levels):
        one, other = (beta(a[k], b[k]).cdf(level) for k in (0, 1))
        lower, higher = (one + other - one * other, one * other) if exchangeable else (one, other)
        assert found.below["head_probabilities[B]"][j] == pytest.approx(shares @ lower, abs=TOLERANCE)
        assert found.below["head_probabilities[A]"][j] == pytest.approx(shares @ higher, abs=TOLERANCE)
    drawn = asked.quantities({"weights": w.T, "head_probabilities": p.T})
    assert set(drawn) == set(found.means)
    for name, values in drawn.items():
        for given, mean, sd in (
            (values, found.means[name], found.sds[name]),
            (logit(values), *found.unbounded[name]),
        ):
            squares = (given - mean) ** 2
            assert abs(given.mean() - mean) <= 4.5 * given.std() / np.sqrt(size)
            assert abs(squares.mean() - sd**2) <= 4.5 * squares.std() / np.sqrt(size)
        for level, exact in zip(levels, found.below[name], strict=True):
            # Where few draws are expected their number is no normal one: ten more or less are then never seen.
            assert abs((values < level).mean() - exact) < 4.5 * np.sqrt(exact * (1 - exact) / size) + 10 / size


def test_there_is_no_exact_posterior_of_three_coins_or_of_six_thousand_families() -> None:
    tosses = CoinTosses([5, 9, 8, 4, 7], 10)
    three = coins(tosses, "ABC")
    assert quadrature.exact(three, {name: [0.5] for name in quantities.names(three)}) is None
    comparison = catalogue.declaration("saxony-families")
    saxony = families.problem(comparison, comparison.data(datasets.load(comparison.dataset)))
    assert quadrature.exact(saxony, {name: [0.5] for name in quantities.names(saxony)}) is None


def test_draws_are_held_to_the_exact_numbers() -> None:
    asked = coins(CoinTosses([5, 9, 8, 4, 7], 10), "BA", "equal")
    exact = known(asked, [0.4, 0.6, 0.8])
    tosses = CoinTosses([5, 9, 8, 4, 7], 10)
    logs, a, b, _ = labelings(tosses, np.array([0.5, 0.5]), CoinPrior())
    random = np.random.default_rng(2)
    which = random.choice(len(logs), size=(4, 1000), p=np.exp(logs - logsumexp(logs)))
    p = np.sort(random.beta(a[:, which], b[:, which]), axis=0)
    thresholds = {name: [0.4, 0.6, 0.8] for name in exact.means}
    for shift, expected in ((0.0, "pass"), (0.01, "fail")):
        values = asked.quantities(
            {"weights": np.array([0.5, 0.5]), "head_probabilities": np.moveaxis(p + shift, 0, -1)}
        )
        check = posterior_agrees("", exact, True, summary_of(values), values, thresholds)
        assert check.outcome == expected
        assert "exact" in check.explanation


def summary_of(draws: dict[str, np.ndarray]) -> pd.DataFrame:
    import arviz as az

    return az.summary(az.from_dict({"posterior": draws}), ci_prob=0.94, ci_kind="hdi", round_to="none")  # type: ignore[no-any-return]
