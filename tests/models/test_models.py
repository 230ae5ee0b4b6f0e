"""Claims about the PyMC side: its densities, their derivatives, and what a model is built from."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

import em
import models
from comparisons.families import third_density
from comparisons.problem import em_densities
from models import LogPosterior
from models.inputs import Floats
from tests.declared import CASES, Case, compiled, free_entries, given

LABELS: Any = ("hidden", "partly known", "known")
each_case = pytest.mark.parametrize("case", CASES, ids=str)


def slope(f: Any, direction: Floats) -> Any:
    """Fourth-order difference at 0: its error is a fifth derivative times 1e-12, and rounding 1e-13 of the size of f."""
    h = 1e-3
    near, far = f(h * direction) - f(-h * direction), f(2 * h * direction) - f(-2 * h * direction)
    return (8 * near - far) / (12 * h)


@each_case
@pytest.mark.parametrize("labels", LABELS)
def test_both_engines_and_scipy_have_one_density(case: Case, labels: Any) -> None:
    problem = case.problem(1, labels)
    density = given(problem, compiled(case))
    random = np.random.default_rng(2)
    for _ in range(3):
        point = problem.random_parameters(random)
        by_pymc = density.parts(density.unconstrained(problem.to_pymc(point)))[:2]
        by_scipy = (third_density.log_likelihood(problem, point), third_density.log_prior(problem, point))
        # Sums of a hundred logarithms, each rounded.
        assert by_pymc == pytest.approx(em_densities(problem, point), rel=1e-9, abs=1e-9)
        assert by_pymc == pytest.approx(by_scipy, rel=1e-9, abs=1e-9)


def test_data_and_prior_numbers_are_no_part_of_the_graph() -> None:
    case = Case(2, 2, "free", "diagonal")
    shared = compiled(case)
    x = shared.start + 0.1
    for seed, labels, n in ((1, "hidden", 40), (2, "partly known", 25)):
        problem = case.problem(seed, labels, n)  # type: ignore[arg-type]
        alone = LogPosterior(problem.model())
        assert given(problem, shared).parts(x) == alone.parts(x)


@each_case
def test_gradient_is_that_of_the_log_posterior_without_jacobian(case: Case) -> None:
    problem = case.problem(3, "partly known")
    density = given(problem, compiled(case))
    x = density.unconstrained(problem.to_pymc(problem.random_parameters(np.random.default_rng(4))))
    value, gradient = density.value_and_gradient(x)
    assert value == pytest.approx(sum(density.parts(x)[:2]), rel=1e-12)
    slopes = [slope(lambda step: density.value_and_gradient(x + step)[0], unit) for unit in np.eye(density.size)]
    np.testing.assert_allclose(gradient, slopes, rtol=1e-6, atol=1e-6 * np.abs(gradient).max())


@each_case
def test_log_jacobian_is_the_determinant_of_all_free_numbers_by_x(case: Case) -> None:
    problem = case.problem(5)
    density = given(problem, compiled(case))
    x = density.unconstrained(problem.to_pymc(problem.random_parameters(np.random.default_rng(6))))
    columns = [
        slope(lambda step: free_entries(problem, density.natural(x + step)), unit) for unit in np.eye(density.size)
    ]
    assert density.parts(x)[2] == pytest.approx(np.linalg.slogdet(columns)[1], rel=1e-8, abs=1e-8)


@each_case
def test_unconstrained_and_natural_are_inverses(case: Case) -> None:
    problem = case.problem(7)
    density = given(problem, compiled(case))
    point = problem.random_parameters(np.random.default_rng(8))
    values = density.natural(density.unconstrained(problem.to_pymc(point)))
    back = problem.from_pymc(values)
    for name in back.__slots__:
        expected = getattr(point, name)
        np.testing.assert_allclose(getattr(back, name), expected, rtol=1e-12, atol=1e-12 * np.abs(expected).max())
    if case.d == 1:
        np.testing.assert_allclose(values["standard_deviations"], point.standard_deviations)


def test_unconstrained_names_what_is_missing() -> None:
    with pytest.raises(ValueError, match="parameters lack weights; give every free variable"):
        compiled(Case(0, 2, "free")).unconstrained({"head_probabilities": [0.2, 0.4]})


@cache
def second_derivatives(case: Case) -> Any:
    """PyMC's automatic second derivatives times a vector, and the slopes of all parameters along the rows of a matrix."""
    import pytensor
    import pytensor.tensor as pt
    from pytensor.compile.mode import Mode
    from pytensor.link.vm import VMLinker

    model = compiled(case).model
    values = [model.rvs_to_values[variable] for variable in model.free_RVs]
    share = pt.dscalar("share_of_the_prior")
    objective = model.logp(vars=model.observed_RVs) + share * model.logp(vars=model.free_RVs, jacobian=False)
    along = [value.type() for value in values]
    slopes = pytensor.grad(objective, values)
    product = pytensor.grad(sum((s * v).sum() for s, v in zip(slopes, along, strict=True)), values)
    names = [name for name in ("weights", "head_probabilities", "means", "covariances") if name in model.named_vars]
    names = [name for name in names if model[name] in model.unobserved_RVs]
    natural = model.replace_rvs_by_values([model[name] for name in names])
    weights = [part.type() for part in natural]
    backwards = pytensor.grad(
        sum((part * u).sum() for part, u in zip(natural, weights, strict=True)), values, disconnected_inputs="ignore"
    )
    slow_but_soon = Mode(VMLinker(use_cloop=False, c_thunks=False), "fast_compile")
    options: Any = {"mode": slow_but_soon, "on_unused_input": "ignore"}
    with pytensor.config.change_flags(cxx=""):
        times_vector = pytensor.function([share, *values, *along], product, **options)
        turned = pytensor.function([*values, *weights], backwards, **options)
    return names, times_vector, turned


def automatic_standard_errors(case: Case, parameters: dict[str, Any], share_of_the_prior: float) -> dict[str, Floats]:
    """Standard errors from PyMC's Hessian at a maximum, where it transforms like a tensor."""
    density = compiled(case)
    names, times_vector, turned = second_derivatives(case)
    x = density.unconstrained(parameters)
    natural = density.natural(x)

    def split(vector: Floats) -> list[Floats]:
        pieces = np.split(vector, np.cumsum([int(np.prod(shape)) for shape in density.shapes])[:-1])
        return [piece.reshape(shape) for piece, shape in zip(pieces, density.shapes, strict=True)]

    def joined(pieces: list[Floats]) -> Floats:
        return np.concatenate([np.ravel(piece) for piece in pieces])

    here = split(x)
    hessian = np.array([joined(times_vector(share_of_the_prior, *here, *split(u))) for u in np.eye(density.size)])
    covariance = np.linalg.inv(-hessian)
    errors = {}
    for name in names:
        variances = np.zeros(natural[name].shape)
        for place in np.ndindex(variances.shape):
            picked = [np.zeros(natural[other].shape) for other in names]
            picked[names.index(name)][place] = 1.0
            gradient = joined(turned(*here, *picked))
            variances[place] = gradient @ covariance @ gradient
        errors[name] = np.sqrt(variances)
    return errors


@pytest.mark.parametrize("with_prior", [False, True], ids=["maximum likelihood", "with prior"])
@pytest.mark.parametrize("case", [case for case in CASES if case.k == 2 and case.d < 3], ids=str)
def test_standard_errors_are_those_of_pymcs_automatic_second_derivatives(case: Case, with_prior: bool) -> None:
    problem = case.problem(9, "partly known", n=60)
    given(problem, compiled(case))
    fit = problem.fit(problem.prior if with_prior else None, seed=1)
    assert fit.standard_errors.reason is None
    expected = automatic_standard_errors(case, problem.to_pymc(fit.parameters), float(with_prior))
    for name, errors in expected.items():
        np.testing.assert_allclose(
            getattr(fit.standard_errors, name), errors, rtol=1e-6, atol=1e-9 * errors.max(), err_msg=name
        )


def test_a_model_keeps_the_rows_in_the_order_in_which_they_were_given() -> None:
    heads, y = [9, 2, 9, 5], [3.0, 1.0, 3.0, 2.0]
    coins = models.coin_mixture(models.CoinTosses(heads, 10), 2)
    assert coins["observed_heads"].get_value().tolist() == heads
    assert models.gaussian_mixture(y, 2)["observed_y"].get_value().ravel().tolist() == y


@pytest.mark.parametrize("prior", [{}, 0, False, "", models.CoinPrior])
def test_what_is_no_prior_is_refused_by_both_engines(prior: Any) -> None:
    y = [1.0, 2.0, 4.0, 8.0]
    for fit in (em.gaussian_mixture, models.gaussian_mixture):
        with pytest.raises(TypeError, match=r"prior must be models\.GaussianPrior"):
            fit(y, 2, prior=prior)


def test_labels_beside_measurements_are_refused_not_dropped() -> None:
    data = models.Measurements([1.0, 2.0, 4.0])
    with pytest.raises(ValueError, match="labels and counts of its own"):
        models.gaussian_mixture(data, 2, labels=[0, 0, 1])
