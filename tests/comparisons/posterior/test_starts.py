"""Where chains begin: spread out over the data, and of very many rows around EM's posterior mode, which is said."""

from __future__ import annotations

import numpy as np
import pytest

from comparisons.checks import sampler_converged
from comparisons.judgement import Clock, judge
from comparisons.posterior import nuts
from comparisons.posterior.proposals import root_of
from models import LogPosterior, Measurements
from tests.declared import declare

ROWS = np.concatenate([np.random.default_rng(1).normal(centre, 1.0, 60) for centre in (0.0, 6.0)])


def test_starts_around_the_mode_are_as_wide_as_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = declare(Measurements(ROWS), 2)
    fit = problem.fit(problem.prior)
    problem = problem.ordered_by(fit.parameters)
    density = LogPosterior(problem.model(), compiled=True)
    mapped = problem.relabelled(fit)
    assert nuts._around_the_mode(problem, density, mapped) is None, "of few rows they are spread out"
    monkeypatch.setattr(nuts, "MANY_ROWS", len(ROWS))
    near = nuts._around_the_mode(problem, density, mapped)
    assert near is not None
    mode = density.unconstrained(problem.to_pymc(mapped.parameters))
    apart = np.stack([near.point(near.start(seed)) for seed in range(2000)]) - mode
    covariance = apart.T @ apart / len(apart)
    expected = nuts.WIDE**2 * np.linalg.inv(-density.hessian(mode))
    np.testing.assert_allclose(covariance, expected, atol=0.1 * np.diag(expected).max())
    np.testing.assert_allclose(np.diag(covariance), np.diag(expected), rtol=0.15)
    np.testing.assert_array_equal(near.start(7), near.start(7))


@pytest.mark.sampling
def test_coordinates_near_a_mode_leave_the_posterior_as_it_is() -> None:
    """Those of its curvature, and others that fit it badly; and draws are the same again."""
    problem = declare(Measurements(ROWS), 2)
    fit = problem.fit(problem.prior)
    problem = problem.ordered_by(fit.parameters)
    density, mapped = LogPosterior(problem.model(), compiled=True), problem.relabelled(fit)
    mode = density.unconstrained(problem.to_pymc(mapped.parameters))
    root = root_of(-density.hessian(mode))
    askew = root @ np.tril(np.random.default_rng(1).uniform(0.3, 1.5, root.shape))
    coordinates = (None, nuts.Near(mode, root), nuts.Near(mode + root[:, 0], askew), nuts.Near(mode, root))
    trees = [nuts.sample(problem, density, 1000, 4, 1, 0.9, near) for near in coordinates]
    usual, *others, _ = (nuts.described(problem, density, tree, 0.9, 0).summary for tree in trees)
    for told in others:
        error = np.hypot(usual["mcse_mean"], told["mcse_mean"])
        assert (np.abs(usual["mean"] - told["mean"]) < 4 * error).all()
        assert (np.abs(np.log(usual["sd"] / told["sd"])) < 0.15).all()
    for name, drawn in trees[1]["posterior"].data_vars.items():
        np.testing.assert_array_equal(drawn, trees[-1]["posterior"][str(name)])


@pytest.mark.sampling
def test_a_verdict_on_very_many_rows_says_where_chains_began(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = declare(Measurements(ROWS), 2)
    usual = judge(problem, seed=1, draws=500, chains=4, clock=Clock(lambda stage: None))
    monkeypatch.setattr(nuts, "MANY_ROWS", len(ROWS))
    near = judge(problem, seed=1, draws=500, chains=4, clock=Clock(lambda stage: None))
    told, before = (next(c for c in each.checks if c.name == "sampler-converged") for each in (near, usual))
    assert told.outcome == before.outcome == "pass"
    assert told.explanation.startswith(sampler_converged.NEAR)
    assert sampler_converged.NEAR not in before.explanation
    assert near.drawn is not None
    assert usual.drawn is not None
    assert near.drawn.sampler == "NUTS (nutpie), begun around EM's posterior mode"
    assert near.drawn.tune == nuts.NEAR_TUNE < usual.drawn.tune
    for one, other in zip(usual.quantities, near.quantities, strict=True):
        error = 4 * np.hypot(one.posterior.mcse or np.nan, other.posterior.mcse or np.nan)
        assert abs((one.posterior.mean or np.nan) - (other.posterior.mean or np.nan)) < error, one.name
