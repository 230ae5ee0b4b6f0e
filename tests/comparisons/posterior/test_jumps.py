"""Chains that jump: right where EM knows the modes, apart where it does not, and asked only where NUTS stayed apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from comparisons import catalogue, datasets, families, quantities
from comparisons.checks.sampler_converged import sampler_converged
from comparisons.families.mixtures import MixtureProblem
from comparisons.posterior import importance, jumps, nuts
from comparisons.posterior.proposals import Proposal
from comparisons.settings import JUMPS, NUTS
from models import LogPosterior
from models.inputs import Floats

DRAWS, CHAINS = 3000, 4


class Galaxies:
    """Three normals for 82 velocities: a posterior with modes between which chains of NUTS do not move."""

    def __init__(self) -> None:
        declared: Any = catalogue.declaration("galaxies")
        problem: MixtureProblem = families.problem(declared, declared.data(datasets.load(declared.dataset)))
        self.map_fit = problem.fit(problem.prior)
        self.problem = problem.ordered_by(self.map_fit.parameters)
        self.density = LogPosterior(self.problem.model(), compiled=True)
        found = jumps.proposal_of(self.problem, self.density, self.map_fit)
        assert found is not None
        self.proposal = found
        self.jumped = self.drawn(found, found.centres[:CHAINS])

    def drawn(self, proposal: Proposal, starts: Floats, draws: int = DRAWS) -> nuts.Drawn:
        tree = jumps.sample(self.problem, self.density, draws, CHAINS, 1, (proposal, starts))
        return nuts.described(self.problem, self.density, tree, jumps.TARGET_ACCEPT, 0)


@pytest.fixture(scope="module")
def galaxies() -> Galaxies:
    return Galaxies()


@pytest.mark.sampling
def test_every_mode_of_em_is_proposed_in_every_labelling(galaxies: Galaxies) -> None:
    known = len({round(jumps.Target(galaxies.density)(centre)[0], 3) for centre in galaxies.proposal.centres})
    assert known > 1
    assert len(galaxies.proposal.centres) == 6 * known
    one = replace(galaxies.map_fit, modes=galaxies.map_fit.modes[:1])
    assert jumps.proposal_of(galaxies.problem, galaxies.density, one) is None


@pytest.mark.sampling
def test_chains_that_jump_meet_and_have_the_moments_of_importance_sampling(galaxies: Galaxies) -> None:
    route = importance.sample(galaxies.problem, galaxies.map_fit, np.random.default_rng(3), 16000)
    assert not isinstance(route, str)
    drawn = galaxies.jumped
    assert drawn.summary["r_hat"].max() < nuts.R_HAT
    assert not drawn.divergences
    for name, values in route.values.items():
        mean, error = route.mean(values)
        found = drawn.summary.loc[name]
        assert abs(found["mean"] - mean) < 4 * np.hypot(found["mcse_mean"], error), name
    again = galaxies.drawn(galaxies.proposal, galaxies.proposal.centres[:CHAINS])
    np.testing.assert_array_equal(again.tree["sample_stats"]["logp"].values, drawn.tree["sample_stats"]["logp"].values)
    told = replace(drawn, apart=1.7)
    posterior = nuts.canonical(galaxies.problem, told.tree, galaxies.problem.exchangeable(galaxies.density.model))
    check = sampler_converged(told.summary, told.tree, told.label_free, 0, 2, posterior, told.apart)
    assert check.outcome == "pass"
    assert "Chains of NUTS stayed in different modes (largest R-hat 1.700)" in check.explanation
    assert set(quantities.of_draws(galaxies.problem, posterior)) == set(route.values)


@pytest.mark.sampling
def test_a_mode_that_em_does_not_know_shows_as_chains_apart(galaxies: Galaxies) -> None:
    heights = np.array([jumps.Target(galaxies.density)(centre)[0] for centre in galaxies.proposal.centres])
    best = heights > heights.max() - 0.01
    assert best.sum() == 6
    others = np.flatnonzero(~best)[:6]
    lacking = Proposal(np.full(6, 1 / 6), galaxies.proposal.centres[others], galaxies.proposal.roots[others] / 4)
    starts = np.concatenate([galaxies.proposal.centres[best][:1], lacking.centres[: CHAINS - 1]])
    assert galaxies.drawn(lacking, starts, 500).summary["r_hat"].max() > nuts.R_HAT


@pytest.mark.sampling
def test_chains_jump_only_where_those_of_nuts_stayed_apart(galaxies: Galaxies, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = galaxies.jumped
    asked: list[int] = []

    def apart(problem: Any, density: Any, draws: int, chains: int, seed: int, target: float, near: Any) -> Any:
        asked.append(draws)
        values = drawn.tree["posterior"].to_dataset()
        moved = values.assign(means=values["means"] + 1e3 * values["chain"])
        return type(drawn.tree).from_dict({"posterior": moved, "sample_stats": drawn.tree["sample_stats"].to_dataset()})

    arguments = (galaxies.problem, galaxies.density, galaxies.map_fit, DRAWS, CHAINS, 1)
    monkeypatch.setattr(nuts, "sample", lambda *_: drawn.tree)
    assert nuts.sampled(*arguments).sampler == NUTS
    monkeypatch.setattr(nuts, "sample", apart)
    monkeypatch.setattr(jumps, "sample", lambda *_: drawn.tree)
    found = nuts.sampled(*arguments)
    assert asked == [DRAWS]
    assert (found.sampler, found.tune) == (JUMPS, jumps.TUNE)
    assert found.apart is not None
    assert found.apart > 2
    asked.clear()
    one = replace(galaxies.map_fit, modes=galaxies.map_fit.modes[:1])
    found = nuts.sampled(galaxies.problem, galaxies.density, one, DRAWS, CHAINS, 1)
    assert asked == [DRAWS * factor for factor in (1, *nuts.MORE_DRAWS)]
    assert found.apart is None
