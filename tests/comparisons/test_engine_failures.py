"""Claims about engines that stop with an error, or that cannot be read: each is a finding about that engine, told in full."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import em
import models
from comparisons import catalogue, datasets, judgement, pipeline, report
from comparisons.checks import best_mode as modes
from comparisons.command import terminal
from comparisons.engine_failures import NAME, EngineFailure, failing
from comparisons.families.mixtures import MixtureProblem
from comparisons.judgement import Clock, Judgement
from comparisons.posterior import nuts
from comparisons.results import store
from comparisons.results.result import Check
from comparisons.sampled import SampledResult
from comparisons.study.broken_em import with_fields
from em.coins.mixture import CoinMixture
from em.gaussians.mixture import GaussianMixture
from models import LogPosterior
from tests.declared import BAGS, COINS, PRIOR, Case, coins_density, declare

PASSED = Check("best-mode", "No better mode", "pass", 0.0, 0.0, "None.")


def decreased(*arguments: Any, **options: Any) -> Any:
    raise em.ObjectiveDecreased(7, -10.0, -12.5)


def judged(problem: MixtureProblem = COINS, density: Any = lambda model: coins_density()) -> Judgement:
    return judgement.judge(problem, seed=1, draws=500, chains=4, clock=Clock(lambda stage: None), density=density)


def chains() -> Any:
    """Independent draws of two coins of equal weights, as a sampler would return them; of no posterior in particular."""
    import xarray as xr

    source, shape = np.random.default_rng(17), (4, 500)
    p = np.stack([source.beta(10, 12, shape), source.beta(24, 7, shape)], axis=-1)
    posterior = {"head_probabilities": (("chain", "draw", "component"), p)}
    recorded = {
        "logp": -source.chisquare(3, shape),
        "energy": source.normal(size=shape),
        "max_energy_error": source.normal(size=shape),
        "diverging": np.zeros(shape, dtype=bool),
        "n_steps": np.ones(shape),
        "step_size": np.ones(shape),
    }
    statistics = {name: (("chain", "draw"), values) for name, values in recorded.items()}
    return xr.DataTree.from_dict({"posterior": xr.Dataset(posterior), "sample_stats": xr.Dataset(statistics)})


def compared(name: str = "two-coin") -> SampledResult:
    comparison = catalogue.declaration(name)
    dataset = datasets.load(comparison.dataset)
    return pipeline.compare(comparison, dataset, "key", seed=1, draws=500, chains=4, progress=lambda stage: None)


def told(result: SampledResult, out: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What report, index and terminal say of a result, which must be whole for that."""
    directory = out / result.name
    store.write(result, directory)
    page = report.write_report(directory).read_text(encoding="utf-8")
    report.write_index(out)
    terminal.print_result(store.read(directory))
    shown = capsys.readouterr().out
    for text in (page, shown):
        assert "stopped" in text
        assert result.verdict in text
    return page + shown


def test_the_guard_of_em_tells_step_and_loss_and_travels_between_processes() -> None:
    error = pickle.loads(pickle.dumps(em.ObjectiveDecreased(7, -10.0, -12.5)))
    assert str(error) == "step 7 lowered the objective from -10.0 to -12.5"
    assert error.loss == 2.5


@pytest.mark.parametrize(
    ("mixture", "name"), [(CoinMixture, "two-coin"), pytest.param(GaussianMixture, "faithful", marks=pytest.mark.long)]
)
def test_a_step_of_em_that_lowers_its_objective_is_a_finding_with_step_and_loss(
    mixture: Any, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    right = mixture.m_step

    def wrong(self: Any, statistics: Any) -> Any:
        vector = self.to_vector(right(self, statistics))
        # Back towards the middle, further than any step is long.
        k = self.n_components
        vector[..., k:] = 0.5 * vector[..., k:] + 0.5 * np.roll(vector[..., k:], 1, axis=-1)
        return self.from_vector(vector)

    monkeypatch.setattr(mixture, "m_step", wrong)
    result = compared(name)
    assert result.verdict == "wrong"
    assert "the EM fit" in result.summary
    (check,) = [c for c in result.checks if c.name == NAME]
    assert (check.outcome, check.engine) == ("fail", "em")
    assert check.statistic is not None
    assert check.statistic > 0
    assert "lowered the objective by" in check.explanation
    assert result.quantities == []
    assert "its step" in told(result, tmp_path, capsys)


OUTSIDE = (
    (
        Case(1, 2, "free", "tied"),
        "covariances",
        lambda v: v * [[[1.0]], [[1.1]]],
        "covariances differ between components",
    ),
    (
        Case(2, 2, "free", "tied"),
        "covariances",
        lambda v: v * [[[1.0]], [[1.1]]],
        "covariances differ between components",
    ),
    (Case(2, 2, "free", "diagonal"), "covariances", lambda v: v + 0.01 * v.max(), "entries off the diagonal"),
    (
        Case(2, 2, "free", "spherical"),
        "covariances",
        lambda v: v * [[1.0, 1.0], [1.0, 1.1]],
        "variances differ between",
    ),
    (Case(2, 2, "fixed"), "weights", lambda v: v[::-1], "where they are held at"),
    (Case(0, 2, "free"), "weights", lambda v: 1.1 * v, "no shares of 1"),
    (Case(0, 2, "free"), "head_probabilities", lambda v: v + 0.5, r"do not all lie in [0, 1]"),
)


@pytest.mark.parametrize(("case", "field", "change", "words"), OUTSIDE, ids=lambda v: str(v) if not callable(v) else "")
def test_an_estimate_that_the_declared_model_does_not_have_is_em_s_fault(
    case: Case, field: str, change: Any, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = MixtureProblem.fit

    def outside(self: MixtureProblem, *arguments: Any, **options: Any) -> Any:
        fit = sound(self, *arguments, **options)
        fields = {field: change(getattr(fit.parameters, field))}
        return replace(fit, parameters=with_fields(fit.parameters, **fields))

    monkeypatch.setattr(MixtureProblem, "fit", outside)
    found = judged(case.problem(4))
    (check,) = found.checks
    assert (found.verdict, check.name, check.outcome, check.engine) == ("wrong", NAME, "fail", "em")
    assert words in check.explanation


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sampler that needs no model compiled."""
    monkeypatch.setattr(nuts, "sample", lambda *arguments: chains())


@pytest.mark.parametrize("at", ["restart", "reached", "profile", "replicate"])
def test_every_fit_of_em_is_guarded(
    at: str, drawn: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if at == "restart":
        monkeypatch.setattr(modes, "_starts", decreased)
    elif at == "reached":
        right = MixtureProblem.fit

        def from_the_estimate(self: MixtureProblem, prior: Any, start: Any = None, **options: Any) -> Any:
            return right(self, prior, start, **options) if start is None else decreased()

        monkeypatch.setattr(
            judgement, "best_mode", lambda problem, fit, map_fit, *rest: modes.BestMode(fit, map_fit, PASSED, {})
        )
        monkeypatch.setattr(MixtureProblem, "fit", from_the_estimate)
    elif at == "profile":
        monkeypatch.setattr(em, "profile_interval", decreased)
    else:
        monkeypatch.setattr("comparisons.families.simulation.climb", decreased)
    result = compared()
    assert result.verdict == "wrong"
    check = result.checks[-1]
    assert (check.name, check.outcome, check.engine, check.statistic) == (NAME, "fail", "em", 2.5)
    assert "its step 7 lowered the objective by 2.5 nats, from -10 to -12.5" in check.explanation
    assert any("its step 7" in reason for reason in result.reasons)
    assert result.em.status == "converged"
    assert bool(result.quantities) is (at in ("profile", "replicate"))
    told(result, tmp_path, capsys)


def test_a_density_of_pymc_that_stops_is_inconclusive_where_it_was_right_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stops(*arguments: Any, **options: Any) -> Any:
        raise FloatingPointError("divide by zero encountered")

    monkeypatch.setattr(models, "find_map", stops)
    found = judged()
    assert found.verdict == "inconclusive"
    assert [(c.name, c.outcome, c.engine) for c in found.checks] == [
        ("same-density", "pass", None),
        (NAME, "inconclusive", "pymc"),
    ]
    assert "divide by zero encountered (FloatingPointError)" in found.reasons[0]


def test_a_density_of_pymc_that_stops_at_a_random_point_is_not_em_s(monkeypatch: pytest.MonkeyPatch) -> None:
    def stops(self: Any, x: Any) -> Any:
        raise np.linalg.LinAlgError("not positive definite")

    monkeypatch.setattr(LogPosterior, "parts", stops)
    found = judged()
    assert found.verdict == "wrong"
    assert (found.checks[0].name, found.checks[0].outcome, found.checks[0].engine) == ("same-density", "fail", "pymc")


def test_a_sampler_that_cannot_start_is_inconclusive(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import nutpie

    def fails(*arguments: Any, **options: Any) -> Any:
        raise RuntimeError(
            "All initialization points failed\n\nCaused by:\n    Logp function returned error: ErrorCode(4)"
        )

    monkeypatch.setattr(nuts, "_callbacks", lambda density: None)
    monkeypatch.setattr(nutpie, "sample", fails)
    result = compared()
    assert result.verdict == "inconclusive"
    check = result.checks[-1]
    assert (check.name, check.outcome, check.engine) == (NAME, "inconclusive", "sampler")
    assert check.explanation == "The sampler stopped with an error: All initialization points failed (RuntimeError)."
    assert result.em.map_status == "converged"
    told(result, tmp_path, capsys)


def test_what_is_no_fault_of_an_engine_stays_an_error() -> None:
    for engine in ("em", "pymc"):
        with pytest.raises(RuntimeError), failing(engine):
            raise RuntimeError
    with pytest.raises(ValueError, match="bad input"), failing("sampler"):
        raise ValueError("bad input")


def test_draws_that_are_no_numbers_end_the_judgement(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*arguments: Any) -> Any:
        tree = chains()
        tree["posterior"]["head_probabilities"].values[2, 3, 0] = np.nan
        return tree

    monkeypatch.setattr(nuts, "sample", missing)
    result = compared()
    assert result.verdict == "inconclusive"
    assert (result.checks[-1].name, result.checks[-1].engine) == ("sampler-converged", "sampler")
    assert "1 of 4000 values that were drawn of head_probabilities" in result.checks[-1].explanation


EQUAL, FREE = declare(BAGS, weights="equal", prior=PRIOR), COINS
UNEQUAL = declare(BAGS, weights=[0.3, 0.7], prior=PRIOR)


@pytest.mark.parametrize(
    ("declared", "built"),
    [(EQUAL, FREE), (FREE, EQUAL), (UNEQUAL, FREE), (UNEQUAL, EQUAL), (EQUAL, UNEQUAL)],
    ids=["free for equal", "equal for free", "free for fixed", "equal for fixed", "fixed for equal"],
)
def test_weights_that_the_pymc_model_treats_otherwise_are_its_fault(
    declared: MixtureProblem, built: MixtureProblem, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = built.model()
    monkeypatch.setattr(MixtureProblem, "model", lambda self: model)
    monkeypatch.setattr(nuts, "sampled", stopped_before)
    found = judged(declared, LogPosterior)
    assert found.verdict == "wrong"
    assert "the PyMC model" in found.summary
    assert (found.checks[0].name, found.checks[0].engine) == ("same-density", "pymc")


def stopped_before(*arguments: Any) -> Any:
    with failing("sampler"):
        raise RuntimeError("not sampled in this test")


def test_covariances_that_the_pymc_model_treats_otherwise_are_its_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    declared, other = Case(2, 2, "free", "tied-diagonal").problem(1), Case(2, 2, "free", "diagonal").problem(1)
    model = other.model()
    monkeypatch.setattr(MixtureProblem, "model", lambda self: model)
    found = judged(declared, LogPosterior)
    assert found.verdict == "wrong"
    assert "other free variables than the declaration: variances (2, 2) in place of variances (2,)." in found.reasons[0]


def test_an_engine_that_fails_in_a_block_is_the_one_named() -> None:
    with pytest.raises(EngineFailure) as caught, failing("em"):
        raise np.linalg.LinAlgError("Singular matrix")
    check = caught.value.check
    assert (check.outcome, check.engine) == ("fail", "em")
    assert check.explanation == "EM stopped with an error: Singular matrix (LinAlgError)."
