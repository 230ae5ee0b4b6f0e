"""Claims about whole comparisons, from declaration to verdict and stored result: these sample."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from comparisons import DEFAULT_SEED, catalogue, datasets, families, pipeline
from comparisons.results import provenance, store
from comparisons.results.result import Result
from comparisons.sampled import SampledResult
from models import LogPosterior

pytestmark = pytest.mark.sampling

# Exact posterior of two equally likely coins with uniform priors, by all assignments of bags to coins.
EXACT = {"head_probabilities[A]": (0.7700912, 0.0900441), "head_probabilities[B]": (0.5046021, 0.1227580)}


@cache
def result(name: str) -> SampledResult:
    """The comparison at its default settings, run once for all claims."""
    return anew(name)


def anew(name: str, out: Path | None = None, seed: int = DEFAULT_SEED, draws: int = 1000) -> SampledResult:
    return pipeline.run(name, out, seed=seed, draws=draws, chains=4, fresh=False, progress=lambda stage: None)


def quantity(name: str, of: str) -> Any:
    return next(q for q in result(name).quantities if q.name == of)


def numbers(of: SampledResult) -> Any:
    """What is stored in ``result.json``, but for what may differ between two equal runs."""
    stored = json.loads(store.encode(Result(**{f.name: getattr(of, f.name) for f in dataclasses.fields(Result)})))
    del stored["provenance"], stored["digest"]
    return stored


@pytest.mark.parametrize("name", EXACT)
def test_means_of_the_draws_are_those_of_the_exact_posterior(name: str) -> None:
    posterior = quantity("two-coin", name).posterior
    assert abs(posterior.mean - EXACT[name][0]) <= 4 * posterior.mcse


@pytest.mark.parametrize("name", EXACT)
def test_standard_deviations_of_the_draws_are_those_of_the_exact_posterior(name: str) -> None:
    import arviz as az

    draws = result("two-coin").posterior["posterior"]["head_probabilities"].sel(component=name[-2]).values
    error = float(az.mcse(draws, method="sd"))
    assert abs(quantity("two-coin", name).posterior.sd - EXACT[name][1]) <= 4 * error


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("two-coin", "differ"),
        ("faithful", "agree"),
        pytest.param("three-coin-single-toss", "differ", marks=pytest.mark.long),
        pytest.param("faithful-2d-diagonal", "differ", marks=pytest.mark.long),
    ],
)
def test_every_check_passes_or_says_why_it_does_not_apply(name: str, verdict: str) -> None:
    found = result(name)
    assert found.verdict == verdict, found.reasons
    assert found.reasons
    outcomes = {check.name: check.outcome for check in found.checks}
    assert outcomes.keys() == {
        "same-density",
        "stationary",
        "best-mode",
        "map-agrees",
        "sampler-converged",
        "draws-belong",
        "posterior-agrees",
        "identified",
        "standard-errors",
    }
    assert outcomes.pop("identified") == ("fail" if name == "three-coin-single-toss" else "pass")
    assert set(outcomes.values()) <= {"pass", "not applicable"}


def test_both_fits_of_old_faithful_are_those_known() -> None:
    # Maximum likelihood computed two independent ways; the posterior lies within a third of its sd.
    for name, expected in (("means[short]", 54.614856141), ("standard_deviations[long]", 5.867734424)):
        found = quantity("faithful", name)
        assert found.em == pytest.approx(expected, rel=1e-6)
        assert abs(found.posterior.mean - expected) < found.posterior.sd / 3


def test_what_single_tosses_do_not_identify_is_told_and_what_they_do_is_compared() -> None:
    found = result("three-coin-single-toss")
    assert "do not identify all parameters" in found.summary
    assert any(reason.startswith("Not identified: ") for reason in found.reasons)
    assert quantity(found.name, "weights[A]").em_se is None
    # Ten tosses, six heads: a proportion with its binomial standard error.
    chance = quantity(found.name, "chance_of_heads")
    assert chance.em == pytest.approx(0.6, rel=1e-9)
    assert chance.em_se == pytest.approx(np.sqrt(0.6 * 0.4 / 10), rel=1e-6)


def test_gaps_of_all_quantities_add_up() -> None:
    for name in ("two-coin", "faithful", "three-coin-single-toss"):
        for found in result(name).quantities:
            if found.gap is None:
                assert found.em_se is None  # not identified: there is no maximum to measure from
                continue
            parts = found.gap.prior + found.gap.mode_switch + found.gap.averaging
            assert parts == pytest.approx(found.gap.total, abs=1e-12 * max(1.0, abs(found.em or 0.0)))


def test_the_same_seed_gives_the_same_result_whatever_was_compiled_before() -> None:
    first = result("two-coin")
    np.testing.assert_equal(numbers(anew("two-coin")), numbers(first))
    comparison = catalogue.declaration("two-coin-per-toss")
    problem = families.problem(comparison, comparison.data(datasets.load(comparison.dataset)))
    assert LogPosterior(problem.model()).code.loaded  # the same structure, compiled for other data
    per_toss = anew("two-coin-per-toss")
    np.testing.assert_equal(numbers(anew("two-coin")), numbers(first))
    np.testing.assert_equal(numbers(anew("two-coin-per-toss")), numbers(per_toss))


def test_another_seed_gives_other_draws() -> None:
    one, other = result("two-coin"), anew("two-coin", seed=DEFAULT_SEED + 1)
    assert not np.array_equal(*(r.posterior["posterior"]["head_probabilities"].values for r in (one, other)))
    assert other.verdict == one.verdict


class Sampled(Exception):
    """Something was computed."""


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a result of two-coin, stored under sources of its own, and no way to compute another."""
    for package in provenance.PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__", "*.csv")
        shutil.copytree(provenance.ROOT / package, tmp_path / package, ignore=ignored)
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    settings = {"seed": DEFAULT_SEED, "draws": 1000, "chains": 4}
    key = provenance.key("two-coin", datasets.load("two_coin").sha256, settings)
    kept = result("two-coin")
    kept = dataclasses.replace(kept, provenance=dataclasses.replace(kept.provenance, key=key))
    store.write(kept, tmp_path / "results" / "two-coin")

    def refuse(*arguments: Any, **settings: Any) -> None:
        raise Sampled

    monkeypatch.setattr(pipeline, "compare", refuse)
    return tmp_path / "results"


def test_a_stored_result_is_reused_with_its_draws(stored: Path) -> None:
    again = anew("two-coin", stored)
    assert numbers(again) == numbers(result("two-coin"))
    for group in ("posterior", "sample_stats"):
        for name, values in result("two-coin").posterior[group].data_vars.items():
            np.testing.assert_array_equal(again.posterior[group][name].values, values.values)


@pytest.mark.parametrize("settings", [{"seed": 3}, {"draws": 1001}])
def test_a_stored_result_of_other_settings_is_not_reused(settings: dict[str, int], stored: Path) -> None:
    with pytest.raises(Sampled):
        anew("two-coin", stored, **settings)


def test_a_stored_result_of_other_data_is_not_reused(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = dataclasses.replace(datasets.load("two_coin"), sha256="0" * 64)
    monkeypatch.setattr(datasets, "load", lambda name: other)
    with pytest.raises(Sampled):
        anew("two-coin", stored)


def test_a_stored_result_of_another_library_is_not_reused(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = provenance.versions()
    monkeypatch.setattr(provenance, "versions", lambda: {**right, "nutpie": "0.0"})
    with pytest.raises(Sampled):
        anew("two-coin", stored)


def appended(path: str) -> Callable[[Path], object]:
    return lambda root: (root / path).write_text((root / path).read_text() + "\n# changed\n")


@pytest.mark.parametrize(
    ("change", "reused"),
    [
        (appended("models/coins/nouns.py"), False),
        (appended("em/ascent/climb.py"), False),
        (appended("comparisons/catalogue/two_coin.py"), False),
        (lambda root: (root / "em" / "new.py").touch(), False),
        (appended("comparisons/report/page.py"), True),  # shows numbers, cannot change them
    ],
    ids=["models", "em", "declaration", "a new file", "report"],
)
def test_a_stored_result_of_other_sources_is_not_reused(
    change: Callable[[Path], object], reused: bool, stored: Path
) -> None:
    change(stored.parent)
    if reused:
        anew("two-coin", stored)
    else:
        with pytest.raises(Sampled):
            anew("two-coin", stored)
