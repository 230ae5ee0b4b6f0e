"""Claims about who is named: a fault of the PyMC model is not laid at the sampler, nor one of the comparison."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from comparisons.checks.change_of_variables import SAME_JACOBIAN, jacobian_error
from comparisons.checks.draws_belong import draws_belong
from comparisons.checks.same_density import same_density
from comparisons.families.mixtures import MixtureProblem, exchangeable
from comparisons.posterior.nuts import canonical
from comparisons.results.result import Check
from models import GaussianPrior, LogPosterior, Measurements
from tests.declared import CASES, COINS, Case, compiled, declare, given

NORMALS = Case(1, 2, "free").problem(1)
PLANE = Case(2, 2, "free").problem(1)
each_problem = pytest.mark.parametrize("problem", [COINS, NORMALS, PLANE], ids=["coins", "normals", "plane"])


def compared(problem: MixtureProblem, model: Any) -> Check:
    random = np.random.default_rng(16)
    return same_density(problem, LogPosterior(model), [problem.fit(problem.prior)], random)


def with_potential(problem: MixtureProblem, term: Callable[[Any], Any]) -> Any:
    """The PyMC model with one term more in its log density."""
    import pymc as pm

    model = problem.model()
    place = model["head_probabilities"] if "head_probabilities" in model.named_vars else model["means"][:, 0]
    with model:
        pm.Potential("more", term(place))
    return model


def hard_order(place: Any) -> Any:
    """Components in order, and no other place for them: a density over a K!-th of the space that is not multiplied by K!."""
    import pytensor.tensor as pt

    return pt.switch(pt.lt(place[0], place[1]), 0.0, -np.inf)


@each_problem
@pytest.mark.parametrize("term", [lambda place: -0.5 * (place[0] - place[1]) ** 2, hard_order], ids=["soft", "order"])
def test_a_potential_is_the_pymc_model_s(problem: MixtureProblem, term: Callable[[Any], Any]) -> None:
    check = compared(problem, with_potential(problem, term))
    assert (check.outcome, check.engine) == ("fail", "pymc")
    assert "agrees with the other engine" in check.explanation


def test_an_ordered_transform_is_the_pymc_model_s(monkeypatch: pytest.MonkeyPatch) -> None:
    import pymc as pm

    beta = pm.Beta
    ordered = pm.distributions.transforms.Chain(
        [pm.distributions.transforms.logodds, pm.distributions.transforms.ordered]
    )
    monkeypatch.setattr(
        pm, "Beta", lambda *rest, **options: beta(*rest, **options, transform=ordered, initval=[0.3, 0.6])
    )
    check = compared(COINS, COINS.model())
    assert (check.outcome, check.engine) == ("fail", "pymc")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_jacobian_of_every_model_is_that_of_its_change_of_variables(case: Case) -> None:
    problem = case.problem(7)
    density = given(problem, compiled(case))
    random = np.random.default_rng(8)
    for _ in range(3):
        x = density.unconstrained(problem.to_pymc(problem.random_parameters(random)))
        # The tolerance has a margin of a hundred over what rounding and the step of the differences leave.
        assert jacobian_error(problem, density, x) < SAME_JACOBIAN / 100


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_the_jacobian_is_told_in_any_unit(size: float) -> None:
    y = np.random.default_rng(9).normal(size=(40, 2)) * size
    prior = GaussianPrior([0.0, 0.0], 0.1, 6.0, np.eye(2) * size * size)
    problem = declare(Measurements(y), 2, prior=prior)
    density = LogPosterior(problem.model())
    x = density.unconstrained(problem.to_pymc(problem.random_parameters(np.random.default_rng(10))))
    assert jacobian_error(problem, density, x) < SAME_JACOBIAN


@pytest.mark.parametrize("away", [1e5, 1e9])
def test_means_far_from_0_are_no_other_jacobian(away: float) -> None:
    problem = declare(Measurements(np.random.default_rng(9).normal(size=60) + away), 2)
    density = LogPosterior(problem.model())
    x = density.unconstrained(problem.to_pymc(problem.fit(problem.prior).parameters))
    assert jacobian_error(problem, density, x) < SAME_JACOBIAN / 100


@pytest.mark.parametrize(
    ("problem", "variable"),
    [
        (COINS, "head_probabilities"),
        (COINS, "weights"),
        (NORMALS, "variances"),
        (PLANE, "covariance_factors"),
        (PLANE, "means"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_missing_jacobian_is_the_pymc_model_s(problem: MixtureProblem, variable: str) -> None:
    import pytensor.tensor as pt

    model = problem.model()
    assert compared(problem, model).outcome == "pass"
    transform = model.rvs_to_transforms[model[variable]]
    without, right = copy.copy(transform), transform.log_jac_det
    without.log_jac_det = lambda value, *inputs: pt.zeros_like(right(value, *inputs))
    model.rvs_to_transforms[model[variable]] = without
    check = compared(problem, model)
    assert (check.outcome, check.engine) == ("fail", "pymc")
    assert "log Jacobian" in check.explanation


def sampled(problem: MixtureProblem, density: LogPosterior) -> Any:
    """Draws in no order, with their log density, as a sampler returns them."""
    import xarray as xr

    random = np.random.default_rng(11)
    points = [problem.to_pymc(problem.random_parameters(random)) for _ in range(40)]
    xs = [density.unconstrained(point) for point in points]
    values = [density.natural(x) for x in xs]
    dims = {name: ("chain", "draw", *density.model.named_vars_to_dims[name]) for name in values[0]}
    posterior = {
        name: (dims[name], np.stack([v[name] for v in values]).reshape(4, 10, *values[0][name].shape)) for name in dims
    }
    logp = np.array([sum(density.parts(x)) for x in xs]).reshape(4, 10)
    statistics = xr.Dataset({"logp": (("chain", "draw"), logp)})
    return xr.DataTree.from_dict({"posterior": xr.Dataset(posterior), "sample_stats": statistics})


LABELS = [Case(0, 2, "free"), Case(0, 3, "fixed"), Case(1, 3, "equal", "tied-diagonal"), Case(2, 2, "free")]


@pytest.mark.parametrize("case", LABELS, ids=str)
def test_labels_rotated_after_sampling_are_the_comparison_s(case: Case) -> None:
    problem = case.problem(12)
    density = given(problem, compiled(case))
    tree, groups = sampled(problem, density), exchangeable(density.model)
    right = canonical(problem, tree, groups)
    assert draws_belong(problem, density, right, tree).outcome == "pass"
    # All of a component's numbers together, which leaves the density as it was where they are exchangeable.
    rotated = right.roll(component=1, roll_coords=False)
    check = draws_belong(problem, density, rotated, tree)
    assert (check.outcome, check.engine) == ("fail", "comparison")
    if len(set(groups.tolist())) == 1:
        assert "a second reading of the same variables" in check.explanation
    names = right.assign_coords(component=np.roll(right["component"].values, 1))
    check = draws_belong(problem, density, names, tree)
    assert (check.outcome, check.engine) == ("fail", "comparison")
    assert "the coordinates of component are not the names declared" in check.explanation
