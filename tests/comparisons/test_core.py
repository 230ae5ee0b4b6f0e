"""The core knows nothing of mixtures: Rao's linkage, one parameter and no components, is judged by what it has."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pymc as pm
import pytest
from scipy.stats import beta, multinomial

from comparisons import pipeline, quantities, report
from comparisons.datasets import Dataset
from comparisons.declaration import Declaration
from comparisons.judgement import Clock, Judgement, judge
from comparisons.model_fit import model_checks
from comparisons.posterior.importance import sample
from comparisons.problem import Problem
from comparisons.results import store
from comparisons.results.result import NOTES, Model
from comparisons.summary import curves, profiles
from em import Interval
from em.mixture import Scale
from em.search.optima import Mode
from em.uncertainty.curvature import Curvature
from models.inputs import Floats

# Rao (1973), Linear Statistical Inference, 5g; Louis (1982) has the information, 377.5.
COUNTS = np.array([125, 18, 20, 34])
MAXIMUM, STANDARD_ERROR = 0.6268215, 0.0515
DECLARED = Declaration(
    name="linkage",
    title="Genetic linkage",
    question="How far apart are two genes?",
    dataset="rao",
    description="197 animals.",
    unit="",
    data=lambda dataset: dataset,
)


@dataclass(frozen=True)
class Errors:
    theta: float
    covariance: Floats
    names: tuple[str, ...] = ("theta",)
    reason: str | None = None


@dataclass(frozen=True)
class Fitted:
    """What a comparison reads of a fit by EM."""

    parameters: dict[str, float]
    log_likelihood: float
    log_posterior: float | None
    trace: Floats
    path: tuple[dict[str, float], ...]
    standard_errors: Errors
    modes: tuple[Mode[Any], ...]
    status: str = "converged"
    rate: float = 0.1328

    @property
    def iterations(self) -> int:
        return len(self.trace) - 1


def cells(theta: Any) -> list[Any]:
    return [0.5 + theta / 4, (1 - theta) / 4, (1 - theta) / 4, theta / 4]


@dataclass(frozen=True)
class Linkage(Problem):
    """The cell of 125 is two cells whose border was not seen; theta has a Beta prior of two numbers."""

    comparison: Declaration = DECLARED
    prior: tuple[float, float] = (1.0, 1.0)
    slip: float = 0.0

    @property
    def n(self) -> int:
        return int(COUNTS.sum())

    @property
    def structure(self) -> tuple[Any, ...]:
        return ("linkage",)

    def in_words(self) -> Model:
        return Model("linkage", 1, [], {}, ["y ~ Multinomial(cells(theta))"], [], "", {}, dict.fromkeys(NOTES, ""))

    def observed(self) -> dict[str, list[Any]]:
        return {"y": COUNTS.tolist()}

    def fit(self, prior: Any, start: Any = None, seed: int = 0, *, path: bool = False) -> Fitted:
        a, b = prior or (1.0, 1.0)
        points = [0.5 if start is None else start["theta"]]
        while len(points) < 2 or abs(points[-1] - points[-2]) > 1e-15:
            hidden = COUNTS[0] * points[-1] / (2 + points[-1])
            heads = hidden + COUNTS[3] + a - 1 + self.slip
            points.append(heads / (heads + COUNTS[1] + COUNTS[2] + b - 1))
        every = [{"theta": float(theta)} for theta in points]
        height = [self.log_likelihood(p) + (self.log_prior(p) if prior else 0.0) for p in every]
        error = float(np.sqrt(1 / self.curvature(prior, every[-1]).information[0, 0]))
        likelihood = self.log_likelihood(every[-1])
        return Fitted(
            every[-1],
            likelihood,
            height[-1] if prior else None,
            np.array(height),
            tuple(every),
            Errors(error, np.array([[error**2]])),
            (Mode(likelihood, every[-1], 1, True),),
        )

    def log_likelihood(self, parameters: Any) -> float:
        return float(multinomial.logpmf(COUNTS, self.n, cells(parameters["theta"])))

    def log_prior(self, parameters: Any) -> float:
        return float(beta.logpdf(parameters["theta"], *self.prior))

    @property
    def names(self) -> tuple[str, ...]:
        return ("theta",)

    @property
    def n_free(self) -> int:
        return 1

    def entries(self, values: Any) -> Floats:
        return np.array([values["theta"] if isinstance(values, dict) else values.theta])

    def curvature(self, prior: Any, parameters: Any) -> Curvature:
        t, (a, b) = parameters["theta"], prior or (1.0, 1.0)
        up, down = COUNTS[3] + a - 1, COUNTS[1] + COUNTS[2] + b - 1
        gradient = COUNTS[0] / (2 + t) + up / t - down / (1 - t)
        information = COUNTS[0] / (2 + t) ** 2 + up / t**2 + down / (1 - t) ** 2
        off = abs(gradient) / np.sqrt(information)
        one, none = np.ones((1, 1)), np.zeros((1, 0))
        return Curvature(
            "maximum", np.array([gradient]), information * one, one, off, off, off, 0.1328, np.zeros(1), none, none, ()
        )

    def profile_interval(self, fit: Any, name: str, probability: float) -> Interval:
        return Interval(name, np.nan, np.nan, probability, "no profile: this model has none")

    def model(self) -> pm.Model:
        with pm.Model() as model:
            theta = pm.Beta("theta", *self.prior)
            # As a constant a small n is a short integer, of which PyTensor takes factorials in single precision.
            n, seen = pm.Data("n", np.array(self.n)), pm.Data("seen", COUNTS)
            pm.Multinomial("y", n=n, p=pm.math.stack(cells(theta)), observed=seen)
        return model

    def from_pymc(self, values: dict[str, Any]) -> dict[str, float]:
        return {"theta": float(values["theta"])}

    def to_pymc(self, parameters: Any) -> dict[str, Floats]:
        return {"theta": np.asarray(parameters["theta"])}

    def free_numbers(self, natural: dict[str, Floats]) -> Floats:
        return natural["theta"][None]

    def interior(self, parameters: Any) -> bool:
        return bool(0 < parameters["theta"] < 1)

    def refuse_others(self, parameters: Any) -> None:
        if not 0 <= parameters["theta"] <= 1:
            raise ValueError("theta is outside 0..1")

    def random_parameters(self, random: np.random.Generator) -> dict[str, float]:
        return {"theta": float(random.uniform(0.05, 0.95))}

    def arrays(self, parameters: Any) -> dict[str, Floats]:
        return {"theta": np.asarray(parameters["theta"])}

    def arrays_of_draws(self, posterior: Any) -> dict[str, Floats]:
        return {"theta": posterior["theta"].values}

    def of_arrays(self, arrays: dict[str, Floats]) -> dict[str, Floats]:
        return arrays

    def quantities(self, arrays: dict[str, Any]) -> dict[str, Any]:
        return {"theta": arrays["theta"]}

    def gradients(self, parameters: Any) -> dict[str, Floats]:
        return {"theta": np.ones(1)}

    def of_fit(self, fit: Any) -> dict[str, tuple[float, float]]:
        return {"theta": (fit.parameters["theta"], fit.standard_errors.theta)}

    def scale(self, name: str) -> Scale:
        return "logit"

    def prior_draws(self, groups: Any, n: int, random: np.random.Generator) -> dict[str, Floats]:
        return {"theta": random.beta(*self.prior, size=n)}

    def prior_is_flat(self) -> bool:
        return self.prior == (1.0, 1.0)


@pytest.fixture(scope="module")
def judged() -> Judgement:
    return judge(Linkage(), seed=1, draws=1000, chains=4, clock=Clock(lambda stage: None))


@pytest.mark.sampling
def test_a_model_without_components_is_judged(judged: Judgement) -> None:
    assert judged.verdict == "agree", judged.reasons
    (theta,) = judged.quantities
    assert theta.em == pytest.approx(MAXIMUM, abs=5e-8)
    assert theta.em_se == pytest.approx(STANDARD_ERROR, abs=5e-5)
    outcomes = {check.name: check.outcome for check in judged.checks}
    assert outcomes.pop("posterior-agrees") == "not applicable"
    assert set(outcomes.values()) == {"pass"}


@pytest.mark.sampling
def test_what_a_model_is_without_is_told_by_name(judged: Judgement) -> None:
    told = {check.name: check.explanation for check in judged.checks}
    assert "no third density" in told["same-density"]
    assert "No coordinates without bounds" in told["posterior-agrees"]
    assert "coordinates without bounds" in told["draws-belong"]
    assert judged.fit is not None
    assert judged.posterior is not None
    checks = model_checks.model_checks(judged.problem, judged.fit, judged.posterior, True, 1)
    assert checks.goodness_of_fit.sentence == "Not applicable. This model cannot simulate data."
    assert checks.predictive.sentence == "Not applicable. This model cannot simulate data."
    assert {q.name for q in checks.prior_sensitivity.quantities} == {"theta"}
    assert curves.fitted(judged.problem, judged.fit.parameters, judged.posterior) == []
    (theta,) = profiles.with_profiles(judged.problem, judged.fit, judged.quantities, judged.values)
    assert theta.profile_reason == "no profile: this model has none"


@pytest.mark.sampling
def test_its_report_is_written(tmp_path: Path) -> None:
    rao = Dataset("rao", "Rao (1973)", {"y": COUNTS}, "")
    result = pipeline.compared(Linkage(), COUNTS, rao, "key", seed=1, draws=1000, chains=4, progress=lambda stage: None)
    store.write(result, tmp_path / "linkage")
    report.write_report(tmp_path / "linkage")
    page = (tmp_path / "linkage" / "report.html").read_text(encoding="utf-8")
    for told in (
        "0.627",
        "The model is no mixture of rows, whose memberships could be compared",
        "This model cannot simulate data",
    ):
        assert told in page


@pytest.mark.sampling
def test_a_wrong_step_of_it_is_found(judged: Judgement) -> None:
    """The M-step counts half an animal too many."""
    found = judge(Linkage(slip=0.5), seed=1, draws=1000, chains=4, clock=Clock(lambda stage: None))
    assert found.verdict == "wrong"
    failed = [check for check in found.checks if check.outcome == "fail"]
    assert {check.engine for check in failed} == {"em"}
    assert "stationary" in {check.name for check in failed}


def test_a_second_route_without_coordinates_says_why() -> None:
    problem = Linkage()
    assert isinstance(sample(problem, problem.fit(problem.prior), np.random.default_rng(0)), str)
    assert quantities.names(problem) == ["theta"]
    assert replace(problem, slip=0.5).fit(None).parameters["theta"] > MAXIMUM
