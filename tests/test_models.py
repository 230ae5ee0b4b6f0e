"""Claims about the PyMC side: its densities, derivatives, modes, random draws and canonical order."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy.special import digamma

import em
import models
from comparisons import third_density
from comparisons.checks import em_densities
from models import CoinPrior, CoinTosses, GaussianPrior, LogPosterior, Measurements
from models.inputs import Floats
from models.mixture_distribution import take_components
from tests.declared import CASES, Case, canonical, compiled, declare, free_entries, given

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
        np.testing.assert_allclose(values["standard_deviations"], point.standard_deviations)  # type: ignore[union-attr]


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


@pytest.mark.parametrize(
    "case",
    [
        Case(0, 2, "free"),
        Case(0, 3, "fixed"),
        Case(1, 2, "fixed", "tied"),
        Case(2, 2, "free"),
        Case(2, 2, "free", "diagonal"),
    ],
    ids=str,
)
def test_the_mode_that_pymc_finds_is_that_of_map_em(case: Case) -> None:
    problem = case.problem(10, n=60)
    maximum = models.find_map(given(problem, compiled(case)), starts=4, seed=3)
    fit = problem.fit(problem.prior)
    assert maximum.kind == "maximum"
    assert maximum.log_posterior == pytest.approx(fit.log_posterior, abs=1e-6)
    found = canonical(problem, problem.from_pymc(maximum.parameters))
    for name in found.__slots__:
        error = getattr(fit.standard_errors, name)
        distance = np.abs(getattr(found, name) - getattr(fit.parameters, name))
        assert (distance <= 1e-3 * error).all(), name


def test_a_saddle_is_told_from_a_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    model = models.coin_mixture(CoinTosses([5, 9, 8, 4, 7], 10), 2, "equal")
    monkeypatch.setattr(LogPosterior, "spread_out_start", lambda density, random, jitter: density.start)
    saddle = models.find_map(model, starts=1)
    np.testing.assert_allclose(saddle.parameters["head_probabilities"], 0.66, rtol=1e-6)
    assert saddle.kind == "saddle"
    monkeypatch.undo()
    mode = models.find_map(model, starts=4)
    assert mode.kind == "maximum"
    np.testing.assert_allclose(np.sort(mode.parameters["head_probabilities"]), [0.5195831, 0.7967891], rtol=1e-5)


def test_a_ridge_is_told_from_a_mode() -> None:
    maximum = models.find_map(models.coin_mixture(CoinTosses([1, 1, 0, 1, 0], 1), 2, "equal"), starts=2)
    assert maximum.kind == "ridge"


def test_a_mode_at_a_bound_is_found() -> None:
    # At the mode one coin always falls heads, which is infinitely far away in unconstrained coordinates; another is inside.
    tosses = CoinTosses([5, 6, 7, 7, 10], 10)
    maximum = models.find_map(models.coin_mixture(tosses, 2, "equal"))
    assert maximum.log_posterior == pytest.approx(em.coin_mixture(tosses, 2, "equal", prior=CoinPrior()).log_posterior)


def drawn(problem: Any, names: list[str], draws: int = 4000) -> list[Floats]:
    """Independent draws from prior and data model."""
    import pymc as pm
    import pytensor
    from pytensor.compile.mode import Mode
    from pytensor.link.vm import VMLinker

    model = problem.model()
    mode = Mode(VMLinker(use_cloop=False, c_thunks=False), "fast_compile")
    with pytensor.config.change_flags(cxx=""):
        return list(pm.draw([model[name] for name in names], draws=draws, random_seed=11, mode=mode))


def assert_mean(sample: Floats, expected: Any) -> None:
    """The mean of independent draws is the expected one within 5 Monte Carlo standard errors."""
    error = sample.std(axis=0) / np.sqrt(len(sample))
    assert (np.abs(sample.mean(axis=0) - expected) <= 5 * error + 1e-12).all()


@pytest.mark.parametrize("covariance", ["full", "tied", "diagonal", "spherical"])
def test_draws_of_normal_mixtures_follow_the_prior(covariance: Any) -> None:
    scale = np.array([[2.0, 0.6], [0.6, 1.0]])
    prior = GaussianPrior([1.0, -1.0], shrinkage=0.5, degrees_of_freedom=14.0, scale=scale, concentration=2.0)
    rows = np.random.default_rng(0).normal(size=(3, 2))
    problem = declare(Measurements(rows, labels=[-1, 0, 1]), 2, "free", covariance, prior)
    weights, means, covariances, y = drawn(problem, ["weights", "means", "covariances", "y"])
    assert_mean(weights, [0.5, 0.5])
    assert_mean(weights**2, 0.5 * 3 / 5)  # Beta(2, 2)
    # Bartlett: the mean of an inverse-Wishart is scale / (nu - d - 1), of an inverse-gamma scale / (nu - 2).
    expected = {"diagonal": np.diag(np.diag(scale)) / 12, "spherical": 1.5 * np.eye(2) / 12}.get(covariance, scale / 11)
    assert_mean(covariances, expected)
    if expected[0, 1]:
        log_determinant = np.log(np.linalg.det(scale / 2)) - digamma([7.0, 6.5]).sum()
        assert_mean(np.linalg.slogdet(covariances)[1], log_determinant)
    if covariance == "tied":
        np.testing.assert_array_equal(covariances[:, 0], covariances[:, 1])
    roots = np.linalg.inv(np.linalg.cholesky(covariances))
    z = np.sqrt(0.5) * np.einsum("nkab,nkb->nka", roots, means - prior.mean)
    assert_mean(z, 0.0)
    assert_mean(z[..., :, None] * z[..., None, :], np.eye(2))
    # Rows come sorted by label; the first is drawn from the mixture, the others from the component they belong to.
    assert problem.data.labels.tolist() == [-1, 0, 1]
    own = np.einsum("nkab,nkb->nka", roots, y[:, 1:] - means)
    assert_mean(own, 0.0)
    assert_mean(own[..., :, None] * own[..., None, :], np.eye(2))
    centre = np.einsum("nk,nka->na", weights, means)
    about = means - centre[:, None]
    spread = np.einsum("nk,nkab->nab", weights, covariances + about[..., :, None] * about[..., None, :])
    mixed = np.einsum("nab,nb->na", np.linalg.inv(np.linalg.cholesky(spread)), y[:, 0] - centre)
    assert_mean(mixed, 0.0)
    assert_mean(mixed[..., :, None] * mixed[..., None, :], np.eye(2))


def test_draws_of_coin_mixtures_follow_the_prior() -> None:
    problem = declare(CoinTosses([3, 5, 5], [10, 10, 8], labels=[-1, 0, 1]), 2, [0.3, 0.7], prior=CoinPrior(3.0, 2.0))
    p, heads = drawn(problem, ["head_probabilities", "heads"])
    assert_mean(p, 3 / 5)
    assert_mean(p**2, 3 * 4 / (5 * 6))
    np.testing.assert_array_equal(heads, np.rint(heads))
    assert_mean(heads[:, 1:] - p * [10, 8], 0.0)
    assert_mean((heads[:, 1:] - p * [10, 8]) ** 2 - [10, 8] * p * (1 - p), 0.0)
    chance = p @ [0.3, 0.7]
    variance = 10 * (p * (1 - p)) @ [0.3, 0.7] + 100 * ((p - chance[:, None]) ** 2) @ [0.3, 0.7]
    assert_mean(heads[:, 0] - 10 * chance, 0.0)
    assert_mean((heads[:, 0] - 10 * chance) ** 2 - variance, 0.0)


def test_components_are_taken_draw_by_draw() -> None:
    random = np.random.default_rng(12)
    parameters = random.normal(size=(4, 3, 2))
    component = random.integers(3, size=(4, 5))
    expected = np.array([parameters[i][component[i]] for i in range(4)])
    np.testing.assert_array_equal(take_components(parameters, component, core=1), expected)
    np.testing.assert_array_equal(take_components(parameters[:1], component[0], core=1), expected[0])


def tree(posterior: dict[str, Any], **constant_data: Any) -> Any:
    import arviz as az

    dims = {
        "weights": ["component"],
        "head_probabilities": ["component"],
        "means": ["component", "feature"],
        "covariances": ["component", "feature", "feature_2"],
        "variances": ["component"],
        "exchangeable": ["component"],
    }
    groups = {"posterior": posterior, **({"constant_data": constant_data} if constant_data else {})}
    return az.from_dict(groups, dims={name: d for name, d in dims.items() if name in {**posterior, **constant_data}})


def ordered_draws(*arguments: Any) -> dict[str, Floats]:
    posterior: Any = models.canonical_order(*arguments)["posterior"].to_dataset()
    return {name: variable.values for name, variable in posterior.data_vars.items()}


def test_canonical_order_permutes_all_of_a_component_together_and_nothing_else() -> None:
    random = np.random.default_rng(13)
    means = random.normal(size=(2, 50, 3, 2))
    draws = {
        "means": means,
        "weights": means[..., 0] + 10,
        "covariances": means[..., 0, None, None] * np.ones((2, 2)),
        "chance": random.normal(size=(2, 50)),
    }
    given_draws = tree(draws)
    ordered = ordered_draws(given_draws)
    rank = np.sort(means[..., 0], axis=-1)
    np.testing.assert_array_equal(ordered["means"][..., 0], rank)
    np.testing.assert_array_equal(ordered["weights"], rank + 10)
    np.testing.assert_array_equal(ordered["covariances"][..., 1, 0], rank)
    np.testing.assert_array_equal(ordered["chance"], draws["chance"])
    np.testing.assert_array_equal(given_draws["posterior"]["means"].values, means)


def test_canonical_order_compares_feature_by_feature_and_then_weights() -> None:
    means = np.array([[[[1.0, 5.0], [1.0, 4.0], [1.0, 4.0]]]])
    ordered = ordered_draws(tree({"means": means, "weights": np.array([[[0.2, 0.5, 0.3]]])}))
    np.testing.assert_array_equal(ordered["weights"], [[[0.3, 0.5, 0.2]]])


def test_canonical_order_leaves_components_that_are_told_apart_where_they_are() -> None:
    draws = {"head_probabilities": np.array([[[0.9, 0.8, 0.7, 0.1]]])}
    groups = np.array([0, 1, 1, 3])
    as_sampled = tree(draws, exchangeable=groups)  # where `pymc.sample` leaves it
    assert as_sampled["constant_data"]["exchangeable"].shape == (4,)
    for ordered in (ordered_draws(tree(draws), groups), ordered_draws(as_sampled)):
        np.testing.assert_array_equal(ordered["head_probabilities"], [[[0.9, 0.7, 0.8, 0.1]]])
    alike = ordered_draws(tree(draws))["head_probabilities"]
    np.testing.assert_array_equal(alike, [[[0.1, 0.7, 0.8, 0.9]]])


def test_canonical_order_does_not_change_the_log_density() -> None:
    case = Case(3, 3, "free", "spherical")
    problem = case.problem(14)
    density = given(problem, compiled(case))
    random = np.random.default_rng(15)
    points = [problem.to_pymc(problem.random_parameters(random)) for _ in range(10)]
    draws = {name: np.array([point[name] for point in points])[None] for name in density.names}
    ordered = ordered_draws(tree(draws))
    assert not np.array_equal(ordered["means"], draws["means"])
    for j, point in enumerate(points):
        there = {name: ordered[name][0, j] for name in density.names}
        expected = density.parts(density.unconstrained(point))[:2]
        # The Jacobian belongs to the coordinates of the sampler; the logarithms of a simplex single out its last weight.
        assert density.parts(density.unconstrained(there))[:2] == pytest.approx(expected, rel=1e-12)


def test_canonical_order_says_what_it_needs() -> None:
    with pytest.raises(ValueError, match="the posterior has the variables rate, but canonical order needs"):
        models.canonical_order(tree({"rate": np.zeros((1, 3))}))


@pytest.mark.parametrize("unit", [1e-100, 1e-3, 1e6, 1e100])
def test_find_map_does_not_depend_on_the_unit(unit: float) -> None:
    random = np.random.default_rng(0)
    y = np.concatenate([random.normal(0, 1, 50), random.normal(5, 1, 50)])
    one, other = (models.find_map(models.gaussian_mixture(y * u, 2)) for u in (1.0, unit))
    assert one.kind == other.kind == "maximum"
    np.testing.assert_allclose(
        np.sort(other.parameters["means"] / unit, axis=0), np.sort(one.parameters["means"], axis=0), rtol=1e-6
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
