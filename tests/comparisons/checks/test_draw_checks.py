"""Claims about the checks of the draws: chains that have not met, copies, and draws of another model are found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import models
from comparisons.checks.draws_belong import as_recorded, draws_belong
from comparisons.checks.sampler_converged import sampler_converged
from comparisons.judgement import Clock, judge
from comparisons.posterior import nuts
from comparisons.posterior.nuts import described, low_chain, sampled
from comparisons.results.result import Check
from models import (
    CoinPrior,
    CoinTosses,
    LogPosterior,
)
from models.inputs import Floats
from tests.conjugate_draws import coins, tree
from tests.conjugate_draws import density as density_of
from tests.declared import BAGS, COINS, PRIOR, coins_density, declare, given


@pytest.fixture(scope="module")
def density() -> LogPosterior:
    return coins_density()


def chains(draws: int = 500, **changed: Any) -> Any:
    """Four chains of independent draws of the two coins, as a sampler would return them."""
    import xarray as xr

    source = np.random.default_rng(17)
    p = np.stack([source.beta(10, 12, (4, draws)), source.beta(24, 7, (4, draws))], axis=-1)
    sampled: dict[str, Any] = {
        "weights": source.dirichlet([5, 5], (4, draws)),
        "head_probabilities": p,
        "logp": -source.chisquare(3, (4, draws)),
        "energy": source.normal(size=(4, draws)),
        "diverging": np.zeros((4, draws), dtype=bool),
        "max_energy_error": source.normal(size=(4, draws)),
        **changed,
    }
    component = ("chain", "draw", "component")
    posterior = {name: (component, sampled[name]) for name in ("weights", "head_probabilities")}
    recorded = ("logp", "energy", "diverging", "max_energy_error")
    statistics = {name: (("chain", "draw"), sampled[name]) for name in recorded}
    return xr.DataTree.from_dict({"posterior": xr.Dataset(posterior), "sample_stats": xr.Dataset(statistics)})


def converged(density: LogPosterior, tree: Any, regular_modes: int = 1) -> Check:
    drawn = described(COINS, density, tree, 0.9, 0)
    return sampler_converged(drawn.summary, tree, drawn.label_free, 0, regular_modes, canonical(tree))


def test_chains_that_have_met_have_converged(density: LogPosterior) -> None:
    assert converged(density, chains()).outcome == "pass"


def test_chains_at_places_of_one_height_are_told_as_label_switching(density: LogPosterior) -> None:
    right = chains()
    p = right["posterior"]["head_probabilities"]
    right["posterior"] = right["posterior"].to_dataset().assign(head_probabilities=p + 3 * (p["chain"] > 1) * p.std())
    drawn = described(COINS, density, right, 0.9, 0)
    for ordered in (True, False):
        found = sampler_converged(
            drawn.summary, right, drawn.label_free, 0, 1, right["posterior"].to_dataset(), ordered=ordered
        )
        assert found.outcome == "inconclusive"
        assert ("label switching" in found.explanation) is not ordered
        assert ("one vector" in (found.remedy or "")) is not ordered


@pytest.mark.parametrize("lower", [{}, {2: 30.0}, {1: 30.0, 3: 4.5}])
def test_a_chain_at_a_lower_mode_is_not_told_as_one_that_lost_a_component(
    density: LogPosterior, lower: dict[int, float]
) -> None:
    tree = chains()
    tree["sample_stats"]["logp"][0] -= 40
    tree["posterior"]["head_probabilities"][0] -= 0.3
    drawn = described(COINS, density, tree, 0.9, 0)
    found = sampler_converged(drawn.summary, tree, drawn.label_free, 0, 1, canonical(tree), lower=lower)
    assert found.outcome == "inconclusive"
    at_modes = "EM, begun at their draws, ends below the best mode by 30 nats for chain 1 and 4.5 nats for chain 3."
    # Chain 1 is the low one.
    assert (at_modes in found.explanation) is (1 in lower)
    assert ("left without rows" in found.explanation) is (1 not in lower)
    assert ("numbers of components" in (found.remedy or "")) is (1 in lower)


def copied(values: Floats) -> Floats:
    values = values.copy()
    values[2] = values[0]
    return values


def faulty_chains() -> dict[str, tuple[Any, str]]:
    right = chains()
    posterior, statistics = right["posterior"].to_dataset(), right["sample_stats"].to_dataset()
    p, log_density = posterior["head_probabilities"].values, statistics["logp"].values
    stuck = np.array([1, 0, 0, 0])[:, None]
    constant, missing, diverging = p.copy(), p.copy(), np.zeros((4, 500), dtype=bool)
    constant[1], missing[3, 7, 0], diverging[2, 5] = constant[1, 0], np.nan, True
    energy_error = np.zeros((4, 500))
    energy_error[0, 3], energy_error[1, 4], energy_error[2, 5] = -np.inf, np.nan, 1001.0
    still = log_density.copy()
    still[1] = still[1, 0]
    walk = np.cumsum(np.random.default_rng(18).normal(size=(4, 500)), axis=1)
    copies = chains(head_probabilities=copied(p), weights=copied(posterior["weights"].values), logp=copied(log_density))
    return {
        "a constant chain": (chains(head_probabilities=constant, logp=still), "R-hat of"),
        "all chains constant": (chains(logp=np.zeros((4, 500))), "copies of one another"),
        "copied chains": (copies, "hains 0 and 2 are copies of one another"),
        "not a number": (chains(head_probabilities=missing), "R-hat of some quantity is nan"),
        "few draws": (chains(draws=80), "the smallest effective sample size is"),
        "a divergence": (chains(diverging=diverging), "1 transitions diverged"),
        "divergences without a flag": (chains(max_energy_error=energy_error), "3 transitions diverged"),
        "low energy": (chains(energy=walk), "E-BFMI is 0.0"),
        "energy not a number": (chains(energy=np.full((4, 500), np.nan)), "E-BFMI is nan"),
        "two modes": (chains(head_probabilities=np.where(stuck[..., None] == 1, p * 0.5, p)), "R-hat of"),
    }


FAULTS = faulty_chains()


def copies() -> dict[str, Any]:
    """Three sound chains, and the fourth or a part of it made of the first."""
    sound = chains()
    arrays = {n: np.array(sound["posterior"][n].values) for n in ("weights", "head_probabilities")}
    arrays["logp"] = np.array(sound["sample_stats"]["logp"].values)
    other = np.random.default_rng(20)

    def changed(change: Any) -> Any:
        return chains(**{name: change(name, values.copy()) for name, values in arrays.items()})

    def copied_by(places: Any) -> Any:
        def change(name: str, values: Floats) -> Floats:
            values[3] = values[0][places]
            return values

        return changed(change)

    def in_part(name: str, values: Floats) -> Floats:
        values[3, 100:105] = values[0, 300:305]
        return values

    def within(name: str, values: Floats) -> Floats:
        values[2, 250:] = values[2, :250]
        return values

    def permuted(name: str, values: Floats) -> Floats:
        # The density of the permuted draws, computed anew, is the same to rounding.
        values[3] = values[0][::-1] * (1 + 2e-16) if name == "logp" else values[0][::-1, ::-1]
        return values

    return {
        "shifted": copied_by(np.roll(np.arange(500), 1)),
        "reversed": copied_by(np.arange(500)[::-1]),
        "shuffled": copied_by(other.permutation(500)),
        "thinned and repeated": copied_by(np.arange(500) // 2 * 2),
        "five draws": changed(in_part),
        "half a chain by itself": changed(within),
        "reversed, components permuted": changed(permuted),
    }


COPIES = copies()


@pytest.mark.parametrize("kind", COPIES)
def test_copies_are_found_in_any_order_number_and_labelling(kind: str, density: LogPosterior) -> None:
    check = converged(density, COPIES[kind])
    assert (check.outcome, check.engine) == ("inconclusive", "sampler")
    assert "draws occur more than once" in check.explanation


def test_a_step_that_was_refused_is_no_copy(density: LogPosterior) -> None:
    sound = chains()

    def stays(values: Floats) -> Floats:
        values = values.copy()
        values[:, 1::20] = values[:, ::20]
        return values

    arrays: dict[str, Any] = {n: stays(sound["posterior"][n].values) for n in ("weights", "head_probabilities")}
    tree = chains(**arrays, logp=stays(sound["sample_stats"]["logp"].values))
    assert converged(density, tree).outcome == "pass"


def test_points_that_meet_in_the_last_bit_are_told_apart_by_their_density(density: LogPosterior) -> None:
    # Near a probability of 1 few numbers are left: a third of these draws have the parameters of another.
    sound = chains()
    p = np.array(sound["posterior"]["head_probabilities"].values)
    weights = np.array(sound["posterior"]["weights"].values)
    p[3], weights[3] = p[0, ::-1], weights[0, ::-1]
    assert "more than once" not in converged(density, chains(head_probabilities=p, weights=weights)).explanation


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning:arviz_stats")
def test_chains_that_say_nothing_of_the_posterior_are_inconclusive(fault: str, density: LogPosterior) -> None:
    tree, told = FAULTS[fault]
    check = converged(density, tree)
    assert (check.outcome, check.engine) == ("inconclusive", "sampler")
    assert told in check.explanation


def test_stranded_chains_are_told_of_the_modes_that_em_knows(density: LogPosterior) -> None:
    assert "EM knows 3 regular modes" in converged(density, FAULTS["two modes"][0], regular_modes=3).explanation


def test_one_chain_of_wider_energy_does_not_condemn_the_others(density: LogPosterior) -> None:
    energy = np.random.default_rng(19).normal(size=(4, 500)) * [[1.0], [1.0], [1.0], [3.0]]
    assert converged(density, chains(energy=energy)).outcome == "pass"


def canonical(tree: Any) -> Any:
    return models.canonical_order(tree, np.zeros(2, dtype=np.int64))["posterior"].to_dataset()


def drawn_from(density: LogPosterior) -> Any:
    tree = chains(draws=50)
    values = {name: tree["posterior"][name].values for name in density.names}
    for place in np.ndindex(4, 50):
        x = density.unconstrained({name: value[place] for name, value in values.items()})
        tree["sample_stats"]["logp"].values[place] = sum(density.parts(x))
    return tree


def test_draws_belong_to_the_model_and_data_they_were_drawn_from(density: LogPosterior) -> None:
    tree = drawn_from(density)
    assert draws_belong(COINS, density, canonical(tree), tree).outcome == "pass"


def test_draws_whose_components_were_mixed_up_are_found(density: LogPosterior) -> None:
    tree = drawn_from(density)
    mixed = canonical(tree)
    values = mixed["head_probabilities"]
    mixed["head_probabilities"] = (values.dims, values.values[..., ::-1])
    check = draws_belong(COINS, density, mixed, tree)
    assert (check.outcome, check.engine) == ("fail", "comparison")


def test_draws_of_other_data_or_another_prior_are_found(density: LogPosterior) -> None:
    tree = drawn_from(density)
    for other in (
        declare(CoinTosses([5, 9, 8, 4, 8], 10), prior=PRIOR),
        declare(BAGS, prior=CoinPrior(2.0, 3.1, 1.5)),
    ):
        check = draws_belong(other, given(other, LogPosterior(COINS.model())), canonical(tree), tree)
        assert (check.outcome, check.engine) == ("fail", "sampler")


def test_a_recorded_density_that_is_not_a_number_is_found() -> None:
    assert as_recorded(np.array([np.nan, 1.0]), np.array([1.0, 1.0]), np.array([1.0, 1.0])).outcome == "fail"


def test_a_chain_that_stays_low_is_told_with_its_distance(density: LogPosterior) -> None:
    logp = -np.random.default_rng(3).chisquare(3, (4, 500))
    logp[2] -= 96
    check = converged(density, chains(logp=logp))
    assert check.outcome == "inconclusive"
    assert "Chain 3 stays 96" in check.explanation
    assert check.remedy == "Start the chains nearer to the data, or let them warm up for longer."
    # Of several modes that EM knows they are the better explanation.
    assert "Chain 3" not in converged(density, chains(logp=logp), 2).explanation


def test_where_a_chain_stays_low_others_are_started_once(
    density: LogPosterior, monkeypatch: pytest.MonkeyPatch
) -> None:
    low = -np.random.default_rng(3).chisquare(3, (4, 500))
    low[2] -= 96
    seeds: list[int] = []

    def sample(problem: Any, density: Any, draws: int, chains_: int, seed: int, target: float, near: Any) -> Any:
        seeds.append(seed)
        return chains(logp=low) if len(seeds) < stays else chains()

    monkeypatch.setattr(nuts, "sample", sample)
    stays = 2
    assert sampled(COINS, density, COINS.fit(COINS.prior), 500, 4, 7).reruns == 1
    assert seeds == [7, 8]
    seeds, stays = [], 9
    drawn = sampled(COINS, density, COINS.fit(COINS.prior), 500, 4, 7)
    assert set(seeds[1:]) == {8}
    assert low_chain(drawn.tree) is not None


@pytest.mark.parametrize(("shifted", "outcome"), [((False,), "pass"), ((True, False), "pass"), ((True, True), "fail")])
def test_a_difference_convicts_once_draws_of_another_seed_have_it_too(
    monkeypatch: pytest.MonkeyPatch, shifted: tuple[bool, ...], outcome: str
) -> None:
    """Right draws are off by more than any limit once in a while, those of a wrong sampler always are."""
    import xarray as xr

    sound, seeds, off = tree(coins), [], iter(shifted)

    def sample(problem: Any, log_posterior: Any, draws: int, chains: int, seed: int, target: float, near: Any) -> Any:
        seeds.append(seed)
        posterior = sound["posterior"].to_dataset()
        p = posterior["head_probabilities"] + (0.01 if next(off) else 0.0)
        posterior = posterior.assign(head_probabilities=p)
        return xr.DataTree.from_dict({"posterior": posterior, "sample_stats": sound["sample_stats"].to_dataset()})

    monkeypatch.setattr(nuts, "sample", sample)
    log_posterior = density_of(coins)
    judged = judge(
        coins(), seed=3, draws=500, chains=4, clock=Clock(lambda stage: None), density=lambda model: log_posterior
    )
    (check,) = [c for c in judged.checks if c.name == "posterior-agrees"]
    assert check.outcome == outcome
    assert len(set(seeds)) == len(seeds) == len(shifted)
    told = {(False,): "NUTS agrees with", (True, False): "so that was chance", (True, True): "do not agree either"}
    assert told[shifted] in check.explanation
