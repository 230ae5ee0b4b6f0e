"""Claims about an EM derived from a PyMC program: it is the hand-written one, never descends, and refuses with a reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import stats
from scipy.special import logsumexp

import em
from comparisons import datasets
from em.derived import ascent
from em.derived.ascent import (
    NEWTON,
    PATIENCE,
    TRIALS,
    Climb,
    beyond_rounding,
    climb,
    finished,
    led_on,
    rough,
    smooth_part,
)
from em.derived.densities import Values
from em.derived.derive import DerivedEM
from em.derived.fit import DerivedFit
from em.derived.fit import fitted as fitted_of
from em.derived.program import columns_of
from models import (
    CoinParameters,
    CoinPrior,
    CoinTosses,
    EventCounts,
    ExponentialParameters,
    ItemResponses,
    LatentClassParameters,
    PoissonParameters,
    PoissonPrior,
    WaitingTimes,
)
from models.inputs import Floats
from tests import pymc_programs as programs

HEADS = np.array([5, 9, 8, 4, 7])


def notices() -> Any:
    told = datasets.load("death_notices").columns
    return np.repeat(told["deaths"], told["days"].astype(int))


def roles() -> Any:
    return np.column_stack(list(datasets.load("role_conflict").columns.values()))


@cache
def derived(name: str) -> DerivedEM:
    """Each program once; as machine code, which takes half a minute to make, where M-steps are sought in many calls."""
    data: dict[str, tuple[Any, ...]] = {
        "coins": (HEADS, 10),
        "poissons": (notices(),),
        "exponentials": (datasets.load("coal_intervals").columns["days"],),
        "normals": (datasets.load("faithful").columns["eruptions"],),
        "latent_classes": (roles(),),
        "zero_inflated": (programs.many_zeros(),),
        "outliers": programs.line(),
        "raters": programs.rated(),
        "change_point": (programs.DISASTERS,),
    }
    return em.derive(getattr(programs, name)(*data[name]), compiled=name in ("normals", "outliers"))


@cache
def fitted(name: str) -> DerivedFit:
    """By maximum likelihood, each once."""
    return derived(name).fit()


def by_hand(name: str, **options: Any) -> Any:
    """The same by the hand-written EM."""
    data = datasets.load
    fits: dict[str, Callable[..., Any]] = {
        "coins": lambda **o: em.coin_mixture(CoinTosses(HEADS, 10), 2, **o),
        "poissons": lambda **o: em.poisson_mixture(EventCounts(notices()), 2, **o),
        "exponentials": lambda **o: em.exponential_mixture(
            WaitingTimes(data("coal_intervals").columns["days"]), 2, **o
        ),
        "normals": lambda **o: em.gaussian_mixture(data("faithful").columns["eruptions"], 2, **o),
        "latent_classes": lambda **o: em.latent_class_mixture(ItemResponses(roles()), 2, **o),
    }
    return fits[name](**options)


def numbers(name: str, parameters: Any) -> dict[str, Floats]:
    """Parameters or standard errors of the hand-written EM, by the names of the program."""
    if name == "coins":
        return {"w": parameters.weights, "p": parameters.head_probabilities}
    if name == "normals":
        return {"w": parameters.weights, "mu": parameters.means[:, 0], "sigma": parameters.standard_deviations[:, 0]}
    if name == "latent_classes":
        return {"w": parameters.weights, "p": parameters.item_probabilities[..., 1]}
    return {"w": parameters.weights, "rates": parameters.rates}


SAME = ["coins", "poissons", "exponentials", "normals", "latent_classes"]


@pytest.mark.parametrize("name", [*SAME[:-1], pytest.param("latent_classes", marks=pytest.mark.long)])
def test_maximum_and_standard_errors_are_those_of_the_em_by_hand(name: str) -> None:
    mine, fit = by_hand(name), fitted(name)
    assert fit.status == mine.status == "converged"
    assert fit.log_likelihood == pytest.approx(mine.log_likelihood, abs=1e-7)
    order = np.argsort(key_of(numbers(name, mine.parameters)))
    for key, value in numbers(name, mine.parameters).items():
        np.testing.assert_allclose(fit.parameters[key], value[order], rtol=1e-6)
    for key, value in numbers(name, mine.standard_errors).items():
        np.testing.assert_allclose(fit.standard_errors.values[key], value[order], rtol=1e-5)
    assert fit.remaining < 1e-12
    np.testing.assert_allclose(fit.rate, mine.rate, rtol=1e-4)


def key_of(told: dict[str, Floats]) -> Any:
    """What the components of a derived fit are in the order of."""
    return next(told[key] for key in ("p", "rates", "mu") if key in told).reshape(2, -1)[:, 0]


STARTS: dict[str, Any] = {
    "coins": CoinParameters([0.3, 0.7], [0.45, 0.7]),
    "poissons": PoissonParameters([0.5, 0.5], [1.0, 3.0]),
    "exponentials": ExponentialParameters([0.4, 0.6], [0.002, 0.01]),
    "latent_classes": LatentClassParameters([0.4, 0.6], np.array([[[0.7, 0.3]] * 4, [[0.2, 0.8]] * 4])),
}


@pytest.mark.parametrize("name", [*STARTS, "normals"])
def test_plain_steps_are_those_of_the_em_by_hand(name: str) -> None:
    start = STARTS[name] if name in STARTS else by_hand(name).path[1]
    mine = by_hand(name, start=start, acceleration=None)
    path = derived(name).fit(start=numbers(name, start), accelerated=False, max_iterations=25).path
    assert len(path) > 15
    for here, there in zip(path, mine.path, strict=False):
        for key, value in numbers(name, there).items():
            np.testing.assert_allclose(here[key], value, rtol=1e-8)


def test_an_m_step_ends_at_the_maximum_from_wherever_it_is_sought() -> None:
    """Normals have it in closed form, which the program does not show: it is sought, near the start first."""
    mine, random = derived("normals"), np.random.default_rng(4)
    y = datasets.load("faithful").columns["eruptions"]
    for _ in range(8):
        shares = random.dirichlet([0.2, 0.2], size=len(y)).T
        start = {"w": np.array([0.5, 0.5]), "mu": random.normal(3, 2, size=2), "sigma": random.gamma(1, 2, size=2)}
        after, n = mine.steps.m_step([shares], start, prior=False, near=True), shares.sum(axis=1)
        mu = shares @ y / n
        sigma = np.sqrt((shares * (y - mu[:, None]) ** 2).sum(axis=1) / n)
        np.testing.assert_allclose(after["mu"], mu, rtol=1e-8)
        np.testing.assert_allclose(after["sigma"], sigma, rtol=1e-8)


def test_a_point_that_a_distribution_does_not_take_has_no_density() -> None:
    beyond = derived("coins").steps.at({"w": np.array([0.5, 0.5]), "p": np.array([0.4, 1 + 1e-9])})
    assert beyond.log_likelihood == -np.inf


def test_the_posterior_mode_is_that_on_the_natural_scale() -> None:
    start = {"w": [0.5, 0.5], "rates": [1.0, 3.0]}
    fit = em.derive(programs.poissons(notices()[:80]), compiled=False).fit(prior=True, start=start)
    mine = em.poisson_mixture(EventCounts(notices()[:80]), 2, prior=PoissonPrior(2, 1, 1))
    assert fit.log_posterior == pytest.approx(mine.log_posterior, abs=1e-7)
    np.testing.assert_allclose(fit.parameters["rates"], mine.parameters.rates, rtol=1e-6)
    coins = derived("coins").fit(prior=True)
    flat = em.coin_mixture(CoinTosses(HEADS, 10), 2, prior=CoinPrior())
    assert coins.log_posterior == pytest.approx(flat.log_posterior, abs=1e-7)


def _log_density(model: pm.Model) -> Callable[[dict[str, Any]], float]:
    """By PyMC itself, of parameters on their natural scale and latent variables, but for the prior of the parameters."""
    import pytensor
    from pymc.logprob.basic import conditional_logp

    values = {v: v.type() for v in model.free_RVs}
    observed = {v: model.rvs_to_values[v] for v in model.observed_RVs}
    terms = conditional_logp({**values, **observed})
    counted = [terms[value].sum() for v, value in {**values, **observed}.items() if v in observed or "int" in v.dtype]
    of = pytensor.function(
        list(values.values()), sum(counted[1:], counted[0]), mode="FAST_COMPILE", on_unused_input="ignore"
    )
    return lambda point: float(of(*(np.asarray(point[str(v.name)], dtype=v.dtype) for v in values)))


def two_kinds() -> pm.Model:
    """Two latent variables a row, of which the second hangs on the first, and one of three rows in a vector."""
    with pm.Model() as model:
        rates = pm.Gamma("rates", 2, 1, shape=3)
        share = pm.Beta("share", 1, 1)
        first = pm.Bernoulli("first", share, shape=3)
        second = pm.Categorical(
            "second", p=pt.stack([0.2 + 0.3 * first, 0.5 - 0.2 * first, 0.3 - 0.1 * first], axis=-1)
        )
        pm.Poisson("y", rates[second] * (1 + first), observed=[2, 5, 1])
    return model


def with_groups() -> pm.Model:
    """Latent variables of two groups, in whose rows they stand in no order."""
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 3, shape=2)
        z = pm.Bernoulli("z", 0.3, shape=2)
        pm.Normal("y", mu[z[np.array([1, 0, 0, 1, 1])]], 1, observed=[0.3, -1, 0.2, 2, 1.5])
    return model


@pytest.mark.parametrize("make", [two_kinds, with_groups, lambda: programs.change_point(programs.DISASTERS[:6])])
def test_likelihood_and_responsibilities_are_sums_over_all_labelings(make: Callable[[], pm.Model]) -> None:
    model = make()
    mine = em.derive(model, compiled=False)
    latents = {each.name: each for each in mine.steps.densities.program.latents}
    random = np.random.default_rng(3)
    point = mine.steps.densities.space.values(0.4 * random.normal(size=mine.n_parameters))
    grids = [np.array(list(np.ndindex(*[len(v.states)] * int(np.prod(v.shape))))) for v in latents.values()]
    labelings = [
        {
            name: latents[name].states[grid[j]].reshape(latents[name].shape)
            for name, grid, j in zip(latents, grids, at, strict=True)
        }
        for at in np.ndindex(*map(len, grids))
    ]
    of = _log_density(model)
    logs = np.array([of(point | labels) for labels in labelings])
    assert mine.log_likelihood(point) == pytest.approx(logsumexp(logs), abs=1e-6)
    chances = np.exp(logs - logsumexp(logs))
    for name, latent in latents.items():
        told = np.stack([np.tensordot(chances, [x[name] == s for x in labelings], 1) for s in latent.states], axis=-1)
        np.testing.assert_allclose(mine.responsibilities(point, name), told, atol=1e-7)


def test_entries_that_do_not_hang_on_each_other_are_groups_of_their_own() -> None:
    groups = em.derive(two_kinds(), compiled=False).steps.densities.groups
    assert groups is not None
    assert (groups.n, len(groups.possible)) == (3, 6)
    assert groups.of_entries[0].tolist() == groups.of_entries[1].tolist() == [0, 1, 2]
    grouped = em.derive(with_groups(), compiled=False).steps.densities.groups
    assert grouped is not None
    assert [each.tolist() for each in grouped.of_terms] == [[0, 1], [1, 0, 0, 1, 1]]


def test_the_m_step_is_in_closed_form_where_the_program_is_conjugate() -> None:
    assert set(derived("coins").closed) == {"w", "p"}
    assert set(derived("normals").closed) == {"w"}
    assert set(derived("zero_inflated").closed) == {"psi", "mu"}
    with pm.Model() as model:
        mu, w = pm.Normal("mu", 0, 3, shape=2), pm.Dirichlet("w", [2, 3])
        p = pm.Beta("p", 1, 1, shape=2)
        # The product of two probabilities is no conjugate factor of either.
        pm.Mixture("y", w, pm.Normal.dist(mu, 2.0), observed=[0.1, 3.0, 2.0, -1.0])
        pm.Bernoulli("b", p[0] * p[1], observed=[1, 0, 1])
    fit = em.derive(model, compiled=False)
    assert fit.steps.closed == {False: ("mu", "w"), True: ("mu", "w")}
    shares = [np.array([[0.2, 0.5, 1, 0.3], [0.8, 0.5, 0, 0.7]])]
    start = {"mu": [0, 1], "w": [0.5, 0.5], "p": [0.4, 0.5]}
    after, y = fit.m_step(shares, start, prior=True), np.array([0.1, 3, 2, -1])
    counts, sums = shares[0].sum(axis=1), shares[0] @ y
    np.testing.assert_allclose(after["mu"], (sums / 4) / (counts / 4 + 1 / 9), rtol=1e-12)
    np.testing.assert_allclose(after["w"], (counts + np.array([1, 2])) / 7, rtol=1e-12)
    assert np.prod(after["p"]) == pytest.approx(2 / 3, abs=1e-7)


def test_a_mode_at_a_bound_a_ridge_and_a_collapse_are_told_as_such() -> None:
    # Under Beta(1, 9) no outlier is the mode; two raters of two kinds do not tell five numbers.
    x = np.linspace(-1, 1, 20)
    with pm.Model() as model:
        share, slope = pm.Beta("share", 1, 9), pm.Normal("slope", 0, 5)
        outlier = pm.Bernoulli("outlier", share, shape=20)
        pm.Normal("y", slope * x, pm.math.switch(outlier, 5.0, 1.0), observed=2 * x + 0.3 * np.sin(9 * x))
    bound = em.derive(model, compiled=False).fit(prior=True, start={"share": 0.1, "slope": 1.0})
    assert bound.status == "boundary"
    assert "share" in str(bound.standard_errors.reason)
    start = {"share": 0.4, "hit": [0.8, 0.7], "right": [0.6, 0.9]}
    ridge = derived("raters").fit(start=start)
    assert ridge.status == "ridge"
    assert np.isnan(ridge.standard_errors.values["hit"]).all()
    assert derived("raters").fit(prior=True, start=start).status == "converged"
    # A normal that closes in on one row has a likelihood without bound; the search returns another one.
    spike = {"w": [0.1, 0.9], "mu": [1.6, 3.5], "sigma": [1e-3, 1.1]}
    assert derived("normals").fit(start=spike).status == "collapsed"
    assert fitted("normals").status == "converged"


def test_an_end_that_is_made_of_rounding_is_no_maximum() -> None:
    """PyMC's beta-binomial density is rounding where alpha and beta are 1e14: there a likelihood came out 66 nats too high."""
    with pm.Model() as model:
        weight = pm.Beta("weight", 1, 1)
        z = pm.Bernoulli("z", weight, shape=6)
        chance = pm.Beta("chance", 1, 1, shape=2)
        correlation = pm.Beta("correlation", 1, 1)
        total = 1 / correlation - 1
        pm.BetaBinomial(
            "heads", alpha=chance[z] * total, beta=(1 - chance[z]) * total, n=20, observed=[1, 2, 3, 14, 15, 16]
        )
    made = em.derive(model, compiled=False)

    def at(rho: float) -> Values:
        return {"weight": np.array(0.5), "chance": np.array([0.1, 0.75]), "correlation": np.array(rho)}

    for rho, is_rounding in ((0.1, False), (1e-6, False), (1e-9, True), (1e-14, True)):
        assert rough(made.steps, made.steps.at(at(rho)), prior=False) == is_rounding
    path = [at(rho) for rho in (0.1, 1e-3, 1e-6, 1e-13, 1e-14)]
    run = Climb(path, [0.0] * 5, made.steps.at(path[-1]), True, 5)
    cut = smooth_part(made.steps, run, prior=False)
    assert cut is not None
    assert (len(cut.path), cut.ended, float(cut.end.values["correlation"])) == (3, False, 1e-6)
    assert smooth_part(made.steps, replace(run, path=path[-1:]), prior=False) is None
    with pytest.raises(ValueError, match="rounding alone at every start"):
        fitted_of(made, [replace(run, path=path[-1:], trace=[0.0])], 0, prior=False, in_order=False, accelerated=False)


def overdispersed(counts: Any) -> DerivedEM:
    """Two negative binomials, of which one may be a Poisson distribution, at a dispersion of 0."""
    with pm.Model() as model:
        weights = pm.Dirichlet("weights", [2, 2])
        rates, dispersions = pm.Gamma("rates", 2, 0.2, shape=2), pm.Gamma("dispersions", 2, 2, shape=2)
        pm.Mixture("y", weights, pm.NegativeBinomial.dist(mu=rates, alpha=1 / dispersions), observed=counts)
    return em.derive(model)


def test_a_maximum_at_a_bound_is_found_from_one_inside() -> None:
    """Of absences from school the likelihood is .34 nats higher where one dispersion is 0, which no step comes to."""
    made = overdispersed(datasets.load("quine").columns["days"])
    inside = {"weights": [0.887, 0.113], "rates": [12.62, 46.69], "dispersions": [0.8, 0.076]}
    end = made.fit(start=inside)
    assert end.log_likelihood == pytest.approx(-557.935, abs=2e-3)
    runs = made._climbed(made._bounded(made.steps.at(end.parameters)), prior=False, accelerated=True)
    assert max(run.trace[-1] for run in runs) == pytest.approx(-557.599, abs=2e-3)
    # A run that is cut where the density becomes rounding is led on from the bound behind, where it is rounding of 1e-5 nats.
    cut = made._values({"weights": [0.11, 0.89], "rates": [5.63, 17.81], "dispersions": [1e-5, 0.94]})
    run = Climb([cut], [made.log_likelihood(cut)], made.steps.at(cut), False, 1)
    led = beyond_rounding(made.steps, run, prior=False)
    assert led.end.values["dispersions"][0] < 1e-12
    assert led.trace[-1] == pytest.approx(-557.599, abs=1e-3)


def test_a_bound_where_the_program_has_no_derivatives_is_no_end() -> None:
    """EM was led onto it, and the fit ended with an error that blamed the program."""
    random = np.random.default_rng(5)
    counts = np.concatenate([random.poisson(4, 12), random.negative_binomial(1, 1 / 19, 12)])
    found = overdispersed(counts).fit()
    assert found.log_likelihood == pytest.approx(-79.0538, abs=1e-3)
    assert found.status == "converged"


def test_a_state_that_is_too_wide_for_what_it_holds_is_narrowed() -> None:
    """From draws and cuts alone every search ends 4.22 nats lower: no start tells rows on the line from those around it."""
    told = datasets.load("tone_perception").columns
    x, y = told["stretchratio"], told["tuned"]
    with pm.Model() as model:
        weights = pm.Dirichlet("weights", np.ones(2))
        lines = pm.Normal("lines", 0, 5, shape=(2, 2))
        spreads = pm.HalfNormal("spreads", 1, shape=2)
        z = pm.Categorical("z", p=weights, shape=len(y))
        pm.Normal("y", lines[z, 0] + lines[z, 1] * x, spreads[z], observed=y)
    search = em.derive(model, compiled=False)
    hand = em.regression_mixture(y, x)
    assert search.fit().log_likelihood == pytest.approx(hand.log_likelihood, abs=1e-7)
    columns = columns_of(model, len(y))
    assert any(np.allclose(column, (x - x.mean()) / x.std()) for column in columns.T)
    assert any(np.allclose(column, (y - y.mean()) / y.std()) for column in columns.T)


def test_a_symmetric_start_stays_on_its_saddle_and_says_so() -> None:
    at = {"w": [0.5, 0.5], "p": [0.66, 0.66]}
    assert derived("coins").fit(start=at).status == "saddle"
    modes = fitted("coins").modes
    assert modes[0].regular
    assert not any(mode.regular for mode in modes[1:])


def slow() -> DerivedEM:
    """Two normals of one width that hardly differ: EM creeps, between them and beside the saddle where they coincide."""
    random = np.random.default_rng(1)
    y = np.where(random.random(150) < 0.35, random.normal(4, 1.5, 150), random.normal(0, 1, 150))
    with pm.Model() as model:
        share, means = pm.Uniform("share", 0, 1), pm.Normal("means", 0, 5, shape=2)
        z = pm.Bernoulli("z", share, shape=len(y))
        pm.Normal("y", means[z], pm.HalfNormal("sd", 3), observed=y)
    return em.derive(model)


def test_a_run_that_creeps_ends_at_the_maximum_or_is_given_up_far_below_the_best() -> None:
    derived = slow()
    best, beside = {"share": 0.3, "means": [0.2, 4.0], "sd": 1.0}, {"share": 0.5, "means": [1.344, 1.342], "sd": 2.0}
    start = {name: np.asarray(value, dtype=float) for name, value in beside.items()}
    right = derived.fit(start=best, prior=True)
    assert right.status == "converged"
    how: dict[str, Any] = {"prior": True, "accelerated": True, "progress": None}
    near, creeping = derived._climbed([right.parameters, start], max_iterations=1000, **how)
    assert near.ended
    assert not creeping.ended
    assert PATIENCE * TRIALS < len(creeping.trace) < 1000
    # Alone it goes on, since nothing is known that is better.
    (alone,) = derived._climbed([start], max_iterations=1000, **how)
    assert len(alone.trace) > 1000
    # A few plain steps from the maximum Newton's method sees it.
    begun = climb(derived.steps, right.path[0], prior=True, accelerated=False, max_iterations=5)
    assert not begun.ended
    ended = led_on(derived.steps, begun, prior=True)
    assert ended.ended
    assert ended.trace[-1] == pytest.approx(right.trace[-1], abs=1e-9)
    assert len(ended.trace) < 20


def test_what_not_even_complete_data_tell_apart_is_a_ridge() -> None:
    """Means and effects of groups share a level: in that direction both informations are rounding, and so is their ratio."""
    random = np.random.default_rng(2)
    group = np.repeat(np.arange(5), 20)
    y = np.where(random.random(100) < 0.4, 4.0, 0.0) + random.normal(size=100)
    with pm.Model() as model:
        share, means = pm.Beta("share", 2, 2), pm.Normal("means", 0, 5, shape=2)
        effects = pm.Normal("effects", 0, 1, shape=5)
        z = pm.Bernoulli("z", share, shape=100)
        pm.Normal("y", means[z] + effects[group], 1.0, observed=y)
    fit = em.derive(model, compiled=False).fit(start={"share": 0.4, "means": [0, 4], "effects": np.zeros(5)})
    assert fit.status == "ridge"
    assert "not identified" in (fit.standard_errors.reason or "")
    assert "withheld" in repr(fit)


def test_a_run_that_has_not_ended_goes_a_few_steps_from_a_bound() -> None:
    """From there it crept for 36,880 steps, far below the best end."""
    derived = slow()
    start = {"share": np.array(0.5), "means": np.array([1.344, 1.342]), "sd": np.array(2.0)}
    begun = climb(derived.steps, start, prior=True, accelerated=True, max_iterations=20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ascent, "_on_bounds", lambda *args, **kwargs: start)
        assert len(finished(derived.steps, begun, prior=True).trace) <= 20 + 1 + PATIENCE + NEWTON


def test_exchangeable_components_are_found_and_put_in_order() -> None:
    assert derived("coins").exchangeable == ("p", "w")
    assert derived("outliers").exchangeable == ()
    fit = fitted("normals")
    assert fit.parameters["mu"][0] < fit.parameters["mu"][1]
    with pm.Model() as model:
        w = pm.Dirichlet("w", [1, 2])
        pm.Mixture("y", w, pm.Normal.dist(pm.Normal("mu", 0, 3, shape=2), 1.0), observed=[0.1, 3.0])
    assert em.derive(model, compiled=False).exchangeable == ()  # by its prior the second component is the larger one


def test_em_never_descends_on_random_problems() -> None:
    """In random programs of four kinds, from any start, with and without the prior; a descent would raise."""
    random, climbed = np.random.default_rng(11), 0
    for mine in (derived("zero_inflated"), derived("outliers"), derived("raters"), derived("change_point")):
        for _ in range(3):
            space = mine.steps.densities.space
            start = space.values(random.normal(size=space.size))
            for prior in (False, True):
                fit = mine.fit(start=start, prior=prior, accelerated=False, max_iterations=60)
                gains = np.diff(fit.trace)
                assert gains.min() >= -1e-11 * np.abs(fit.trace).max()
                climbed += len(gains)
    assert climbed > 300


def test_a_broken_m_step_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = derived("zero_inflated")
    kind = type(mine.steps)
    right = kind.m_step
    monkeypatch.setattr(
        kind, "m_step", lambda *a, **o: {name: 0.7 * np.asarray(v) for name, v in right(*a, **o).items()}
    )
    with pytest.raises(em.ObjectiveDecreased):
        mine.fit(start={"psi": 0.7, "mu": 3.0}, accelerated=False)


def test_standard_errors_are_those_of_numerical_second_derivatives() -> None:
    mine = derived("outliers")
    start = {"a": 0.9, "b": 2.0, "sigma": 0.4, "share": 0.15}
    fit, space = mine.fit(prior=True, start=start), mine.steps.densities.space
    at = space.vector(fit.parameters)
    step = 1e-4 * np.maximum(np.abs(at), 0.1)

    def height(x: Floats) -> float:
        values = space.by_name(x)
        return mine.log_likelihood(values) + mine.log_prior(values)

    second = np.empty((len(at), len(at)))
    for i, a in enumerate(np.diag(step)):
        for j, b in enumerate(np.diag(step)):
            second[i, j] = height(at + a + b) - height(at + a - b) - height(at - a + b) + height(at - a - b)
    information = -second / (4 * step * step[:, None])
    np.testing.assert_allclose(
        space.vector(fit.standard_errors.values), np.sqrt(np.diag(np.linalg.inv(information))), rtol=1e-4
    )


def test_a_fit_is_read_like_an_em_fit() -> None:
    fit = fitted("coins")
    assert len(fit.trace) == len(fit.path) == fit.iterations + 1
    joint = np.array([w * stats.binom.pmf(HEADS, 10, p) for w, p in zip(*fit.parameters.values(), strict=True)])
    np.testing.assert_allclose(fit.responsibilities(), (joint / joint.sum(axis=0)).T, atol=1e-12)
    assert fit.aic == pytest.approx(-2 * fit.log_likelihood + 6)
    assert fit.standard_errors.names == ("w[0]", "w[1]", "p[0]", "p[1]")
    assert "status='converged'" in repr(fit)
    assert "'p': array([0.51391659" in repr(fit)
    assert "'p': array([0.16593652" in repr(fit)
    assert "latents=('heads',)" in repr(derived("coins"))


def test_names_and_values_are_checked() -> None:
    with pytest.raises(TypeError, match="model"):
        em.derive(HEADS)
    model = programs.change_point(programs.DISASTERS)
    with pytest.raises(ValueError, match=r"early.*continuous"):
        em.derive(model, latent="early")
    with pytest.raises(ValueError, match=r"latent is 'z'.*are change"):
        em.derive(model, latent="z")
    with pytest.raises(ValueError, match="leaves out the discrete variable second"):
        em.derive(two_kinds(), latent="first")
    coins = derived("coins")
    with pytest.raises(ValueError, match="parameters are p; the program has w, p"):
        coins.log_likelihood({"p": [0.1, 0.2]})
    with pytest.raises(ValueError, match=r"p is .* outside its domain"):
        coins.fit(start={"w": [0.5, 0.5], "p": [0.1, 1.2]})
    with pytest.raises(ValueError, match="p has the shape"):
        coins.fit(start={"w": [0.5, 0.5], "p": 0.1})
    with pytest.raises(ValueError, match="latent is 'y'; give one of heads"):
        coins.fit().responsibilities("y")
