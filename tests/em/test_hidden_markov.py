"""Hidden Markov chains: published and independent numbers, a forward pass by hand, all paths one by one, and other libraries."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy import stats

import em
import models
from comparisons import datasets
from comparisons.pair import Pair, PairDeclaration
from comparisons.pairs.making import problem_of
from em.hidden_markov_chains import climb, starts
from em.hidden_markov_steps import chain_of
from models.hidden_markov_chains import default_prior
from models.inputs import Floats

QUAKES = np.asarray(datasets.load("earthquakes").columns["count"], dtype=float)
LONG = (np.asarray(datasets.load("geyser").columns["duration"]) >= 3).astype(float)
# Newton's method in 50 digits and, apart from it, BFGS with automatic derivatives; both agree to 1e-11. Rates, then moves from
# the first to the second state and back, with standard errors.
TWO: dict[str, Any] = {
    "stationary": (
        -342.3182667880589,
        [15.472276994823, 26.125438510639, 0.065959361806312, 0.12850914826784],
        [0.702560863283, 1.36011996254, 0.035422292246, 0.0637730543184],
    ),
    "first": (
        -341.8787010117195,
        [15.420761902998, 26.018235666684, 0.071626055696129, 0.11903438638804],
        [0.7171840447674, 1.382455634123, 0.03762342545067, 0.06360938545823],
    ),
}
# Rates and standard errors of three states, and the moves between different ones by rows, of which that from 3 to 1 is at 0.
THREE: dict[str, Any] = {
    "stationary": (
        -329.4602762645099,
        [13.145744385621, 19.721054252385, 29.714447716294],
        [0.6604543289067, 0.8701920112133, 1.6797864345567],
        [0.024443117949, 0.02093306936118, 0.04976692733725, 0.05086576456203, 0.0, 0.1966432080206],
        [0.0341728836342, 0.0258139416168, 0.0336599249223, 0.0427547390069, np.nan, 0.1134356672631],
    ),
    "first": (
        -328.5274833802031,
        [13.1337616865949, 19.7131640789979, 29.7097233254664],
        [0.6604382751289, 0.8683313215959, 1.6798521726297],
        [0.0320984672053, 0.0286076504893, 0.0404017193299, 0.0531621640508, 0.0, 0.1902558452934],
        [0.0421945964856, 0.033925749895, 0.0320092556993, 0.044185929468657, np.nan, 0.1138994933721],
    ),
}
OTHER = ~np.eye(3, dtype=bool)


def initial(how: str, k: int) -> Any:
    return "stationary" if how == "stationary" else np.eye(k)[0]


def by_hand(y: Floats, first: Floats, moves: Floats, density: Any) -> float:
    """The forward pass in plain probabilities, as a textbook has it."""
    forward, total = first, 0.0
    for t, each in enumerate(y):
        forward = (forward if t == 0 else forward @ moves) * (1.0 if np.isnan(each) else density(each))
        total += np.log(forward.sum())
        forward = forward / forward.sum()
    return float(total)


@pytest.mark.parametrize("how", TWO)
def test_two_states_of_earthquakes_have_the_digits_of_two_routes(how: str) -> None:
    fit = em.hidden_markov(QUAKES, 2, "poisson", initial(how, 2))
    height, values, errors = TWO[how]
    assert fit.status == "converged"
    assert fit.log_likelihood == pytest.approx(height, abs=1e-9)
    p, e = fit.parameters, fit.standard_errors
    found = [*p.emissions["rates"], p.transitions[0, 1], p.transitions[1, 0]]
    np.testing.assert_allclose(found, values, rtol=0, atol=1e-6)
    told = [*e.emissions["rates"], e.transitions[0, 1], e.transitions[1, 0]]
    np.testing.assert_allclose(told, errors, rtol=0, atol=1e-6)


@pytest.mark.parametrize("how", THREE)
def test_three_states_of_earthquakes_have_them_too_with_one_move_at_its_bound(how: str) -> None:
    fit = em.hidden_markov(QUAKES, 3, "poisson", initial(how, 3))
    height, rates, rate_errors, moves, move_errors = THREE[how]
    assert fit.status == "boundary"
    assert fit.log_likelihood == pytest.approx(height, abs=1e-9)
    np.testing.assert_allclose(fit.parameters.emissions["rates"], rates, rtol=0, atol=1e-6)
    np.testing.assert_allclose(fit.standard_errors.emissions["rates"], rate_errors, rtol=0, atol=1e-6)
    np.testing.assert_allclose(fit.parameters.transitions[OTHER], moves, rtol=0, atol=1e-6)
    np.testing.assert_allclose(fit.standard_errors.transitions[OTHER], move_errors, rtol=0, atol=1e-6)


def test_other_maxima_are_among_the_modes() -> None:
    # Where the chain begins in the lively state, and of three states in either that is not the quietest.
    two = em.hidden_markov(QUAKES, 2, "poisson", [1, 0])
    three = em.hidden_markov(QUAKES, 3, "poisson", [1, 0, 0])
    assert any(m.log_likelihood == pytest.approx(-347.4535148980807, abs=1e-9) and m.regular for m in two.modes)
    assert any(m.log_likelihood == pytest.approx(-332.3002246670932, abs=1e-9) and m.regular for m in three.modes)


def test_a_free_first_state_is_where_the_first_year_says() -> None:
    for k, height in ((2, -341.8787010117195), (3, -328.5274833802031)):
        fit = em.hidden_markov(QUAKES, k, "poisson")
        assert fit.status == "boundary"
        np.testing.assert_array_equal(fit.parameters.initial, np.eye(k)[0])
        assert fit.log_likelihood == pytest.approx(height, abs=1e-9)


def test_what_is_at_a_bound_has_no_standard_error_and_is_named() -> None:
    # A free first state that ends in the first is one held there, but for its own errors; what the user holds has none to lose.
    free, held = em.hidden_markov(QUAKES, 2, "poisson"), em.hidden_markov(QUAKES, 2, "poisson", [1, 0])
    np.testing.assert_array_equal(free.standard_errors.initial, [np.nan, np.nan])
    np.testing.assert_array_equal(held.standard_errors.initial, [0, 0])
    np.testing.assert_allclose(free.standard_errors.transitions, held.standard_errors.transitions, rtol=1e-6)
    assert free.standard_errors.reason == "at a bound: initial[1], initial[2]; the errors of the others are given that"
    assert held.standard_errors.reason is None
    # Of the covariance too, and of a coin that always falls heads.
    assert np.isnan(free.standard_errors.covariance[:2]).all()
    coins = em.hidden_markov(LONG, 2, "binomial", "stationary")
    np.testing.assert_array_equal(np.isnan(coins.standard_errors.emissions["head_probabilities"]), [False, True])
    np.testing.assert_array_equal(coins.parameters.transitions[0], [0, 1])
    assert np.isfinite(coins.standard_errors.initial).all()


@pytest.mark.parametrize(("how", "height"), [("stationary", -127.31096727), ("free", -126.707761857)])
def test_geyser_as_a_chain_of_two_coins_is_at_its_bounds(how: Any, height: float) -> None:
    fit = em.hidden_markov(LONG, 2, "binomial", how)
    assert fit.status == "boundary"
    # That of the stationary chain is from BFGS alone, which stopped 3e-7 nats short.
    assert fit.log_likelihood == pytest.approx(height, abs=1e-6)
    assert fit.log_likelihood > height - 1e-8
    assert fit.parameters.emissions["head_probabilities"][1] == pytest.approx(1, abs=1e-9)
    assert fit.parameters.transitions[0, 1] == pytest.approx(1, abs=1e-9)


def random_chain(emissions: str, random: np.random.Generator, k: int = 3) -> tuple[Any, Any, Any]:
    """Three sequences with a sixth of them missing, parameters, and the densities of the states by SciPy."""
    lengths = np.array([1, 12, 17])
    first, moves = random.dirichlet(np.ones(k)), random.dirichlet(np.ones(k), size=k)
    where = np.arange(k) + random.random(k)
    z = random.integers(k, size=lengths.sum())
    density: Any
    if emissions == "normal":
        y, own = random.normal(where[z]), {"means": where, "variances": 0.5 + random.random(k)}
        density = lambda v: stats.norm.pdf(v, own["means"], np.sqrt(own["variances"]))  # noqa: E731
    elif emissions == "poisson":
        y, own = random.poisson(3 * where[z]).astype(float), {"rates": 3 * where}
        density = lambda v: stats.poisson.pmf(v, own["rates"])  # noqa: E731
    else:
        y, own = random.binomial(7, where[z] / 5).astype(float), {"head_probabilities": where / 5}
        density = lambda v: stats.binom.pmf(v, 7, own["head_probabilities"])  # noqa: E731
    y[random.permutation(len(y))[:5]] = np.nan
    return models.Sequences(y, lengths, tosses=7), models.HiddenMarkovParameters(first, moves, own), density


def parts(data: models.Sequences) -> list[Floats]:
    return np.split(data.y, np.cumsum(data.lengths)[:-1])


EACH = pytest.mark.parametrize("emissions", ["normal", "poisson", "binomial"])


@EACH
def test_log_likelihood_is_that_of_a_forward_pass_by_hand_and_of_the_pymc_model(emissions: Any) -> None:
    data, p, density = random_chain(emissions, np.random.default_rng(1))
    chain = chain_of(data, 3, emissions, "free", None)
    hand = sum(by_hand(each, p.initial, p.transitions, density) for each in parts(data))
    assert chain.e_step(p).log_likelihood == pytest.approx(hand, rel=1e-12)
    prior = default_prior(data, emissions, 3)
    told = models.LogPosterior(models.hidden_markov(data, 3, emissions, prior=prior))
    likelihood, log_prior, _ = told.parts(told.unconstrained(chain.by_name(p)))
    assert likelihood == pytest.approx(hand, rel=1e-11)
    with_prior = chain_of(data, 3, emissions, "free", prior)
    assert log_prior == pytest.approx(with_prior.log_prior(p), rel=1e-11)


@EACH
def test_states_moves_and_the_likeliest_path_are_those_of_all_paths_one_by_one(emissions: Any) -> None:
    data, p, density = random_chain(emissions, np.random.default_rng(2), k=2)
    data = models.Sequences(data.y[1:8], tosses=7)
    chain = chain_of(data, 2, emissions, p.initial, None)
    f = np.array([np.ones(2) if np.isnan(v) else density(v) for v in data.y])
    paths = np.array(list(itertools.product(range(2), repeat=7)))
    joint = p.initial[paths[:, 0]] * p.transitions[paths[:, :-1], paths[:, 1:]].prod(axis=1)
    joint *= f[np.arange(7), paths].prod(axis=1)
    share = joint / joint.sum()
    found = chain.e_step(p)
    assert found.log_likelihood == pytest.approx(np.log(joint.sum()), rel=1e-12)
    np.testing.assert_allclose(found.states[:, 1], share @ paths, rtol=1e-12)
    for i, j in itertools.product(range(2), repeat=2):
        expected = share @ ((paths[:, :-1] == i) & (paths[:, 1:] == j)).sum(axis=1)
        assert found.moves[i, j] == pytest.approx(expected, rel=1e-11)
    fit = em.hidden_markov(data, 2, emissions, p.initial, default_prior(data, emissions, 2), start=p)
    at = fit.parameters
    logs = chain.state.log_densities(at.emissions)
    with np.errstate(divide="ignore"):
        heights = np.log(at.initial[paths[:, 0]]) + np.log(at.transitions[paths[:, :-1], paths[:, 1:]]).sum(axis=1)
    heights += logs[np.arange(7), paths].sum(axis=1)
    np.testing.assert_array_equal(fit.states(), paths[np.argmax(heights)])


@EACH
@pytest.mark.parametrize("how", ["free", "stationary"])
def test_second_derivatives_are_those_of_differences(emissions: Any, how: Any) -> None:
    data, p, _ = random_chain(emissions, np.random.default_rng(3))
    prior = default_prior(data, emissions, 3)
    chain = chain_of(data, 3, emissions, how, prior)
    p = chain.parameters(chain.vector(p))
    judged, vector, h = chain.curvature(p), chain.vector(p), 1e-4

    def height(x: Floats) -> float:
        # The first state follows from the transitions where it is stationary.
        at = chain.parameters(vector + judged.basis @ x)
        return chain.e_step(at).log_likelihood + chain.log_prior(at)

    f = judged.basis.shape[1]
    unit = np.eye(f) * h
    slopes = np.array([(8 * (height(e) - height(-e)) - height(2 * e) + height(-2 * e)) / (12 * h) for e in unit])
    np.testing.assert_allclose(judged.gradient, slopes, rtol=1e-6, atol=1e-7)
    for i, j in itertools.combinations_with_replacement(range(f), 2):
        a, b = unit[i], unit[j]
        second = (height(a + b) - height(a - b) - height(b - a) + height(-a - b)) / (4 * h * h)
        assert judged.information[i, j] == pytest.approx(-second, rel=1e-4, abs=2e-4)


@settings(max_examples=40, derandomize=True)
@given(
    seed=some.integers(0, 2**32),
    emissions=some.sampled_from(["normal", "poisson", "binomial"]),
    how=some.sampled_from(["free", "stationary", "held"]),
    with_prior=some.booleans(),
)
def test_em_never_lowers_its_objective(seed: int, emissions: Any, how: str, with_prior: bool) -> None:
    data, _, _ = random_chain(emissions, np.random.default_rng(seed))
    held: Any = [0.5, 0.5, 0.0] if how == "held" else how
    prior = default_prior(data, emissions, 3) if with_prior else None
    chain = chain_of(data, 3, emissions, held, prior)
    begin = next(starts(chain, np.random.default_rng(seed)))
    run = climb(chain, begin, None, most=60)  # raises where it falls
    assert (np.diff(run.trace) >= -1e-9).all()
    assert run.trace[-1] > run.trace[0]


def test_a_step_that_counts_one_move_too_many_is_found_to_fall(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from em.hidden_markov_steps import Chain

    right = Chain.m_step

    def wrong(self: Chain, e: Any, before: Any) -> Any:
        return right(self, replace(e, moves=e.moves + np.array([[0, 1], [0, 0]])), before)

    monkeypatch.setattr(Chain, "m_step", wrong)
    with pytest.raises(em.ObjectiveDecreased):
        em.hidden_markov(QUAKES, 2, "poisson", "free")


@pytest.mark.parametrize("acceleration", ["squarem", "anderson"])
def test_accelerated_steps_come_to_the_same_maximum_in_fewer(acceleration: Any) -> None:
    plain = em.hidden_markov(QUAKES, 2, "poisson", "stationary")
    fast = em.hidden_markov(QUAKES, 2, "poisson", "stationary", acceleration=acceleration)
    assert fast.log_likelihood == pytest.approx(plain.log_likelihood, abs=1e-10)
    # To within a billionth of a nat of the maximum: what comes after is rounding, and differs from machine to machine.
    arrived = [int(np.argmax(fit.trace > plain.log_likelihood - 1e-9)) for fit in (fast, plain)]
    assert 0 < arrived[0] < arrived[1]


def test_what_an_extrapolation_leaves_of_1_is_no_likelihood() -> None:
    # Rows that sum to 1 + 1e-13 count for 107 years: a plain step from there fell by 1e-11 nats, more than is rounded.
    fit = em.hidden_markov(QUAKES, 2, "normal", "free")
    assert fit.status == "boundary"
    np.testing.assert_allclose(fit.parameters.transitions.sum(axis=1), 1, rtol=0, atol=4e-16)


def test_the_mode_under_a_prior_is_one_and_inside() -> None:
    prior = default_prior(models.Sequences(QUAKES), "poisson", 3)
    fit = em.hidden_markov(QUAKES, 3, "poisson", "stationary", prior)
    assert fit.status == "converged"
    assert fit.log_posterior is not None
    assert fit.parameters.transitions.min() > 1e-3
    assert np.isfinite(fit.standard_errors.transitions).all()


def test_a_normal_state_that_closes_in_on_one_value_is_no_optimum() -> None:
    y = np.concatenate([np.random.default_rng(4).normal(size=40), [30.0]])
    start = models.HiddenMarkovParameters(
        [1, 0], [[0.9, 0.1], [0.9, 0.1]], {"means": [0.0, 30.0], "variances": [1.0, 0.1]}
    )
    fit = em.hidden_markov(y, 2, "normal", start=start)
    assert fit.status == "collapsed"
    assert not fit.modes[0].regular
    assert str(fit.standard_errors.reason).startswith("a state has collapsed onto rows")


def test_score_is_that_of_hmmlearn() -> None:
    hmm = pytest.importorskip("hmmlearn.hmm", reason="hmmlearn is not installed: its score is not compared")
    p = em.hidden_markov(QUAKES, 2, "poisson", "stationary").parameters
    theirs = hmm.PoissonHMM(2)
    theirs.startprob_, theirs.transmat_, theirs.lambdas_ = p.initial, p.transitions, p.emissions["rates"][:, None]
    own = chain_of(QUAKES, 2, "poisson", "stationary", None).e_step(p).log_likelihood
    assert theirs.score(QUAKES[:, None].astype(int)) == pytest.approx(own, rel=1e-12)


def test_of_the_same_count_at_all_times_nothing_is_known_of_moves() -> None:
    # Rounding of no information is no sign of a saddle.
    fit = em.hidden_markov([3] * 20, 2, "poisson")
    assert fit.status == "ridge"
    assert str(fit.standard_errors.reason).startswith("not identified")


def test_a_pair_permutes_moves_along_both_axes_and_refuses_others() -> None:
    with pytest.raises(ValueError, match="moves names 'g', which is not among exchangeable"):
        Pair(model=QUAKES.sum, log_likelihood=QUAKES.sum, em_step=QUAKES.sum, moves=("g",))
    asked: dict[str, Any] = {
        "title": "t",
        "question": "q?",
        "dataset": "d",
        "description": "",
        "unit": "",
        "data": None,
    }
    chain = chain_of(QUAKES, 2, "poisson", "stationary", None)

    def step(transitions: Floats, rates: Floats, y: Floats) -> dict[str, Floats]:
        p = chain.from_names({"transitions": transitions, "rates": rates})
        return chain.by_name(chain.m_step(chain.e_step(p), p))

    def likelihood(transitions: Floats, rates: Floats, y: Floats) -> float:
        return chain.e_step(chain.from_names({"transitions": transitions, "rates": rates})).log_likelihood

    pair = Pair(
        model=lambda y: models.hidden_markov(y, 2, "poisson", "stationary"),
        log_likelihood=likelihood,
        em_step=step,
        start={"transitions": np.array([[0.8, 0.2], [0.1, 0.9]]), "rates": np.array([25.0, 15.0])},
        exchangeable=("rates", "transitions"),
        moves=("transitions",),
    )
    problem = problem_of(PairDeclaration(pair=pair, name="chain", **asked), QUAKES)
    fit = problem.fit(None)
    height, values, errors = TWO["stationary"]
    assert fit.log_likelihood == pytest.approx(height, abs=1e-9)
    p, e = fit.parameters, fit.standard_errors.values
    np.testing.assert_allclose([*p["rates"], p["transitions"][0, 1], p["transitions"][1, 0]], values, atol=1e-5)
    # By differences of the pair, apart from the derivatives of em.
    np.testing.assert_allclose([*e["rates"], e["transitions"][0, 1], e["transitions"][1, 0]], errors, rtol=1e-4)
