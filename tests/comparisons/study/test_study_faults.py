"""Claims about planted faults: each changes what it says it does, and nothing once it is taken out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from comparisons import quantities
from comparisons.checks.evidence import curvature_of
from comparisons.checks.same_density import same_density
from comparisons.study import faults, settings
from comparisons.study.fault import Fault
from comparisons.study.setting import simulate
from comparisons.study.settings import SETTINGS
from em.ascent.climb import ObjectiveDecreased
from models import LogPosterior

SEED = 1
SHARED = [f for f in faults.ALL if f.shared]


def errors(setting: str) -> Any:
    """EM's standard errors: of the parameters, and of the quantities of the comparison."""
    problem = simulate(SETTINGS[setting], SEED).problem
    fit = problem.fit(None, seed=SEED)
    judged = curvature_of(problem, None, fit)
    assert judged is not None
    slopes = problem.gradients(fit.parameters)
    return np.sqrt(np.diag(fit.standard_errors.covariance)), quantities.standard_errors(judged, slopes)


@pytest.mark.parametrize("setting", ["coins-repeated", "normals-plane-diagonal-apart"])
def test_broken_informations_change_every_standard_error_by_their_factor(setting: str) -> None:
    sound, table = errors(setting)
    problem = simulate(SETTINGS[setting], SEED).problem
    for factor in faults.FACTORS:
        with faults.FAULTS[f"em-information-times-{factor:g}"].planted(problem):
            broken, broken_table = errors(setting)
        np.testing.assert_allclose(broken, sound / np.sqrt(factor), rtol=1e-12)
        np.testing.assert_allclose(list(broken_table.values()), np.array(list(table.values())) / np.sqrt(factor))
    with faults.FAULTS["em-complete-data-errors"].planted(problem):
        complete = errors(setting)[0]
    # What is missing with the components cannot but make estimates less certain; an entry that is held has no error at all.
    assert (complete[sound > 0] < 0.999 * sound[sound > 0]).any()
    assert (complete <= sound * (1 + 1e-9)).all()
    with faults.FAULTS["comparison-errors-of-others"].planted(problem):
        others = errors(setting)[1]
    assert sorted(others.values()) == sorted(table.values())
    assert others != table
    np.testing.assert_array_equal(errors(setting)[0], sound)


# A broken step goes anywhere.
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("setting", faults.FAULTS["em-lowers-its-objective"].settings)
def test_the_step_that_lowers_the_objective_meets_the_guard(setting: str) -> None:
    problem = simulate(SETTINGS[setting], SEED).problem
    with faults.FAULTS["em-lowers-its-objective"].planted(problem), pytest.raises(ObjectiveDecreased):
        problem.fit(None, seed=SEED, path=True)


@pytest.mark.parametrize(("fault", "setting"), [(f, s) for f in SHARED for s in f.settings], ids=str)
def test_what_both_engines_share_is_broken_for_both(fault: Fault, setting: str) -> None:
    sound = simulate(SETTINGS[setting], SEED).problem

    def told(problem: Any) -> list[Any]:
        rows = problem.data
        shrinkage = getattr(problem.prior, "shrinkage", None)
        parameters = problem.fit(None, seed=SEED).parameters
        table = quantities.of_parameters(problem, parameters)
        return [problem.family.columns(rows).tolist(), rows.counts.tolist(), shrinkage, table]

    with faults.FAULTS[fault.name].planted(sound):
        broken = told(simulate(SETTINGS[setting], SEED).problem)
    assert broken != told(sound)
    assert told(simulate(SETTINGS[setting], SEED).problem) == told(sound)


@pytest.mark.parametrize("setting", ["coins-repeated", "normals-plane-tied-apart", "exponentials-repeated"])
def test_broken_models_have_another_density(setting: str) -> None:
    problem = simulate(SETTINGS[setting], SEED).problem
    fit = problem.fit(problem.prior, seed=SEED)
    values = problem.to_pymc(fit.parameters)
    sound = LogPosterior(problem.model())
    x = sound.unconstrained(values)
    with faults.FAULTS["pymc-jacobian-dropped"].planted(problem):
        assert LogPosterior(problem.model()).parts(x)[2] == 0
    assert sound.parts(x)[2] != 0
    for name in ("pymc-potential", "pymc-ordering"):
        with faults.FAULTS[name].planted(problem):
            assert len(problem.model().potentials) == 1
    assert not problem.model().potentials


@pytest.mark.parametrize("engine", ["em", "pymc"])
@pytest.mark.parametrize("setting", faults.WAITS)
def test_censoring_that_an_engine_ignores_is_found_and_laid_at_it(setting: str, engine: str) -> None:
    problem = simulate(SETTINGS[setting], SEED).problem
    assert 0 < problem.data.censored.mean() < 1

    def judged() -> tuple[str, str | None]:
        fits = [problem.fit(prior, seed=SEED) for prior in (None, problem.prior)]
        check = same_density(problem, LogPosterior(problem.model()), fits, np.random.default_rng(SEED))
        return check.outcome, check.engine

    with faults.FAULTS[f"{engine}-censoring-ignored"].planted(problem):
        assert judged() == ("fail", engine)
    assert judged() == ("pass", None)


@pytest.mark.parametrize("setting", faults.FAULTS["pymc-weights-left-free"].settings)
def test_weights_that_are_held_are_free_in_the_broken_model(setting: str) -> None:
    problem = simulate(settings.SETTINGS[setting], SEED).problem
    assert "weights" not in {v.name for v in problem.model().free_RVs}
    with faults.FAULTS["pymc-weights-left-free"].planted(problem):
        assert "weights" in {v.name for v in problem.model().free_RVs}
