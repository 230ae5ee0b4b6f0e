"""Mixtures of normal distributions fitted by EM."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.mixture import GaussianMixture as SklearnMixture

import em
from comparisons.datasets import load
from em.gaussians.mixture import GaussianMixture
from em.uncertainty.curvature import derivatives
from models import GaussianParameters, GaussianPrior, Measurements
from models.gaussians.covariances import Covariance, CovarianceForm
from models.inputs import Floats
from models.mixtures import MixtureWeights
from tests.differences import root_of, second_derivatives, slope
from tests.problems import COVARIANCES, gaussian_problem
from tests.slow_densities import gaussian_log_likelihood, gaussian_log_prior

FAITHFUL = np.column_stack([load("faithful").columns[name] for name in ("eruptions", "waiting")])
WAITING = FAITHFUL[:, 1]
FEW = FAITHFUL[::4]
START = GaussianParameters([0.4, 0.6], [[2.0, 50.0], [4.5, 80.0]], [np.eye(2) * 30] * 2)
START_WAITING = GaussianParameters([0.4, 0.6], [50, 80], [30, 30])
each_form = pytest.mark.parametrize("covariance", COVARIANCES)


def shaped(matrices: Floats, form: CovarianceForm) -> Floats:
    """The same matrices with what the form has no entry for left out or averaged."""
    variances = np.diagonal(matrices, axis1=1, axis2=2)
    if form.shape == "spherical":
        variances = np.tile(variances.mean(axis=1, keepdims=True), matrices.shape[1])
    return matrices if form.shape == "full" else np.stack([np.diag(v) for v in variances])


def brute_force_step(
    parameters: GaussianParameters,
    data: Measurements,
    weights: MixtureWeights,
    prior: GaussianPrior | None,
    form: CovarianceForm,
) -> GaussianParameters:
    """One EM step by the definition: every labelling of every single row, weighed by its posterior probability.

    Then the complete-data posterior mode from the plain moments about 0, form by form.
    """
    rows = np.repeat(np.arange(len(data.y)), data.counts)
    y, known = data.y[rows], data.labels[rows]
    n, k, d = len(y), parameters.n_components, data.d
    density = [stats.multivariate_normal.pdf(y, *p) for p in zip(parameters.means, parameters.covariances, strict=True)]
    total, size, first, second = 0.0, np.zeros(k), np.zeros((k, d)), np.zeros((k, d, d))
    for labelling in itertools.product(*(range(k) if label < 0 else [label] for label in known)):
        z = np.array(labelling)
        chance = np.prod(np.array(density)[z, np.arange(n)] * parameters.weights[z])
        total += chance
        for j in range(k):
            own = y[z == j]
            size[j] += chance * len(own)
            first[j] += chance * own.sum(axis=0)
            second[j] += chance * own.T @ own
    size, first, second = size / total, first / total, second / total
    w = size / n if prior is None else (size + prior.concentration - 1) / (n + k * (prior.concentration - 1))
    w = w if weights.fixed is None else weights.fixed
    pull, centre = (0.0, np.zeros(d)) if prior is None else (prior.shrinkage, prior.mean)
    means = (first + pull * centre) / (size + pull)[:, None]
    scatter = second + pull * np.outer(centre, centre)
    scatter = scatter - np.stack([(s + pull) * np.outer(m, m) for s, m in zip(size, means, strict=True)])
    nu, scale = (0.0, np.zeros((d, d))) if prior is None else (prior.degrees_of_freedom, prior.scale)
    located = 0.0 if prior is None else 1.0
    # Inverse-Wishart: nu + d + 1; inverse-gamma of each variance: nu + 2, of one for all: nu + 2 of the d n_k numbers.
    extra = {"full": nu + d + 1, "diagonal": nu + 2, "spherical": nu + 2}[form.shape] * located
    divisor = size + located
    if form.tied:
        scatter, divisor = scatter.sum(axis=0, keepdims=True), divisor.sum(keepdims=True)
    if form.shape == "spherical":
        mean_scale = np.trace(scale) / d
        variances = (mean_scale + np.trace(scatter, axis1=1, axis2=2)) / (extra + d * divisor)
        covariances = variances[:, None, None] * np.eye(d)
    else:
        covariances = shaped((scale + scatter) / (extra + divisor)[:, None, None], form)
    return GaussianParameters(w, means, np.repeat(covariances, k if form.tied else 1, axis=0))


@each_form
@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5, 7, 8])  # 0 and 6 have a component of one known row
def test_one_em_step_is_the_brute_force_step(seed: int, covariance: Covariance) -> None:
    random = np.random.default_rng(seed)
    problem = gaussian_problem(random, n=5, k=2, d=1 + seed % 2, covariance=covariance)
    mixture: Any = problem.mixture
    expected = brute_force_step(problem.start, problem.data, mixture.weights, mixture.prior, mixture.form)
    step = mixture.m_step(mixture.e_step(problem.start))
    np.testing.assert_allclose(step.weights, expected.weights, rtol=1e-12)
    # Moments about 0 cancel: their rounding is relative to the data's own size.
    size = np.abs(problem.data.y).max(axis=0)
    np.testing.assert_allclose(step.means / size, expected.means / size, rtol=1e-12, atol=1e-12)
    areas = np.outer(size, size)
    np.testing.assert_allclose(step.covariances / areas, expected.covariances / areas, rtol=1e-12, atol=1e-12)


@each_form
@pytest.mark.parametrize("d", [1, 2, 3])
def test_m_step_is_the_mode_given_the_responsibilities(d: int, covariance: Covariance) -> None:
    random = np.random.default_rng(d)
    y = random.normal(size=(12, d)) @ random.normal(size=(d, d)) + 3
    prior = GaussianPrior(np.full(d, 1.0), 0.7, d + 2.5, np.cov(y.T).reshape(d, d), concentration=3)
    weights, form = MixtureWeights.of("free", 2), CovarianceForm.of(covariance)
    mixture = GaussianMixture(Measurements(y), weights, form, prior, standardise=False)
    r = random.dirichlet([1, 1], size=12)
    points = mixture.points  # sorted
    statistics = em.gaussians.moments.statistics_of(r, np.nan, points, np.zeros((2, d)))
    mode = mixture.m_step(statistics)
    vector, steps = mixture.to_vector(mode), mixture.basis
    sizes = np.sqrt(np.diag(steps.T @ derivatives(mixture, mode)[2] @ steps))

    def log_posterior(x: Floats) -> float:
        there = mixture.from_vector(vector + steps @ (x / sizes))
        table = [stats.multivariate_normal.logpdf(points, *p) for p in zip(there.means, there.covariances, strict=True)]
        complete = (r * (np.log(there.weights) + np.column_stack(table))).sum()
        return float(complete) + gaussian_log_prior(there, prior, weights, form)

    # Along complete-data standard errors the posterior bends by about 1, so 1e-8 is 1e-8 of them from the mode.
    slopes = [slope(log_posterior, u, h=2e-3) for u in np.eye(len(sizes))]
    np.testing.assert_allclose(slopes, 0, atol=2e-8)


def test_one_normal_is_the_mean_and_covariance_of_the_rows() -> None:
    fit = em.gaussian_mixture(FAITHFUL, 1)
    np.testing.assert_allclose(fit.parameters.means[0], FAITHFUL.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(fit.parameters.covariances[0], np.cov(FAITHFUL.T, ddof=0), rtol=1e-12)
    n, sd = len(FAITHFUL), fit.parameters.standard_deviations
    np.testing.assert_allclose(fit.standard_errors.means, sd / np.sqrt(n), rtol=1e-12)
    np.testing.assert_allclose(fit.standard_errors.standard_deviations, sd / np.sqrt(2 * n), rtol=1e-12)
    assert fit.standard_errors.weights.tolist() == [0]
    assert fit.log_likelihood == pytest.approx(
        float(np.sum(stats.multivariate_normal.logpdf(FAITHFUL, FAITHFUL.mean(axis=0), np.cov(FAITHFUL.T, ddof=0)))),
        rel=1e-13,
    )


def test_labelled_normals_are_those_of_each_group() -> None:
    labels = (WAITING > 67).astype(int)
    fit = em.gaussian_mixture(WAITING, 2, labels=labels)
    for k in (0, 1):
        assert fit.parameters.means[k, 0] == pytest.approx(WAITING[labels == k].mean(), rel=1e-13)
        assert fit.parameters.standard_deviations[k, 0] == pytest.approx(WAITING[labels == k].std(), rel=1e-12)
    assert fit.parameters.weights[1] == pytest.approx(labels.mean(), rel=1e-13)
    assert fit.status == "converged"


@pytest.mark.parametrize(
    ("covariance", "theirs"), [("full", "full"), ("tied", "tied"), ("diagonal", "diag"), ("spherical", "spherical")]
)
def test_scikit_learn_agrees(covariance: Covariance, theirs: str) -> None:
    start = GaussianParameters([0.5, 0.5], [[2.0, 50.0], [4.5, 80.0]], [np.diag([1.0, 100])] * 2)
    if covariance == "spherical":
        start = GaussianParameters(start.weights, start.means, [np.eye(2) * 50] * 2)
    precisions = np.linalg.inv(start.covariances)
    initial = {
        "full": precisions,
        "tied": precisions[0],
        "diag": np.diagonal(precisions, axis1=1, axis2=2),
        "spherical": precisions[:, 0, 0],
    }[theirs]
    oracle = SklearnMixture(
        2,
        covariance_type=theirs,
        tol=1e-14,
        reg_covar=0,
        max_iter=1000,
        weights_init=start.weights,
        means_init=start.means,
        precisions_init=initial,
    ).fit(FAITHFUL)
    fit = em.gaussian_mixture(FAITHFUL, 2, covariance, start=start)
    # Its stop leaves a mean change of 1e-14 nats a row: some 1e-6 standard errors, a fifteenth of the spread each.
    np.testing.assert_allclose(fit.parameters.means, oracle.means_, rtol=1e-7)
    np.testing.assert_allclose(fit.parameters.weights, oracle.weights_, rtol=1e-7)
    expected = {
        "full": oracle.covariances_,
        "tied": np.stack([oracle.covariances_] * 2),
        "diag": np.stack([np.diag(v) for v in oracle.covariances_]) if theirs == "diag" else None,
        "spherical": np.multiply.outer(oracle.covariances_, np.eye(2)) if theirs == "spherical" else None,
    }[theirs]
    np.testing.assert_allclose(fit.parameters.covariances, expected, rtol=1e-6, atol=1e-12)
    assert fit.log_likelihood == pytest.approx(oracle.score(FAITHFUL) * len(FAITHFUL), rel=1e-12)


@each_form
@pytest.mark.parametrize("with_prior", [False, True])
def test_standard_errors_are_those_of_the_density_by_differences(covariance: Covariance, with_prior: bool) -> None:
    prior = GaussianPrior.weakly_informative(FEW, 2) if with_prior else None
    labels = np.where(np.arange(len(FEW)) < 20, (FEW[:, 1] > 67).astype(int), -1)
    fit = em.gaussian_mixture(FEW, 2, covariance, labels=labels, prior=prior)
    form, free = CovarianceForm.of(covariance), MixtureWeights.of("free", 2)
    data = Measurements(FEW, labels=labels)
    mixture = GaussianMixture(data, free, form, prior, standardise=False)
    steps, vector = root_of(fit.standard_errors.covariance), mixture.to_vector(fit.parameters)
    assert len(steps.T) == len(mixture.basis.T)

    def log_posterior(x: Floats) -> float:
        there = mixture.from_vector(vector + steps @ x)
        before = 0.0 if prior is None else gaussian_log_prior(there, prior, free, form)
        return gaussian_log_likelihood(there, data) + before

    # In independent standard errors the observed information is the identity.
    gradient = [slope(log_posterior, u) for u in np.eye(len(steps.T))]
    np.testing.assert_allclose(gradient, 0, atol=1e-7)
    picked = np.random.default_rng(0).normal(size=(len(steps.T), 3))
    picked /= np.linalg.norm(picked, axis=0)
    curved = second_derivatives(lambda x: log_posterior(picked @ x), 3)
    np.testing.assert_allclose(curved, -picked.T @ picked, atol=1e-6)
    errors = fit.standard_errors
    sd = fit.parameters.standard_deviations
    variances = np.diagonal(errors.covariances, axis1=1, axis2=2)
    np.testing.assert_allclose(errors.standard_deviations, variances / (2 * sd), rtol=1e-12)
    assert len(errors.names) == len(errors.covariance)


@each_form
@pytest.mark.parametrize(("shift", "scale"), [(1e9, 1.0), (0.0, 1e-150), (0.0, 1e150), (-3.0, 7.0)])
@pytest.mark.parametrize("with_prior", [False, True])
def test_shift_and_scale_give_the_same_fit_mapped_back(
    covariance: Covariance, shift: float, scale: float, with_prior: bool
) -> None:
    y = FAITHFUL * scale + shift
    spread = FAITHFUL.std(axis=0) * scale
    priors = [GaussianPrior.weakly_informative(rows, 2) if with_prior else None for rows in (FAITHFUL, y)]
    moved = GaussianParameters(START.weights, START.means * scale + shift, START.covariances * scale * scale)
    one = em.gaussian_mixture(FAITHFUL, 2, covariance, prior=priors[0], start=START)
    two = em.gaussian_mixture(y, 2, covariance, prior=priors[1], start=moved)
    # Rounding of the shifted data, per standard deviation of the narrower column.
    tolerance = 1e-8 + np.spacing(np.abs(y)).max() / spread.min()
    back = (two.parameters.means - shift - one.parameters.means * scale) / spread
    np.testing.assert_allclose(back, 0, atol=tolerance)
    np.testing.assert_allclose(two.parameters.weights, one.parameters.weights, atol=tolerance)
    covariances = two.parameters.covariances / spread / spread[:, None]
    size = one.parameters.covariances / (spread / scale) / (spread / scale)[:, None]
    np.testing.assert_allclose(covariances, size, atol=2 * tolerance)
    errors = two.standard_errors.means / scale
    np.testing.assert_allclose(errors, one.standard_errors.means, rtol=10 * tolerance)
    # A density per unit: n log(scale) a column; shape and tying do not enter.
    n, d = FAITHFUL.shape
    change = one.log_likelihood - n * d * np.log(scale)
    assert two.log_likelihood == pytest.approx(change, rel=1e-12, abs=n * tolerance)


@pytest.mark.parametrize(("shift", "scale"), [(1e9, 1.0), (0.0, 1e-150), (0.0, 1e150)])
def test_default_starts_find_the_same_optimum_at_any_scale(shift: float, scale: float) -> None:
    one, two = em.gaussian_mixture(FEW, 2), em.gaussian_mixture(FEW * scale + shift, 2)
    # The rounding of the shifted data, per standard deviation of the narrower column.
    assert two.parameters.weights[0] == pytest.approx(one.parameters.weights[0], abs=1e-7)
    assert two.status == "converged"
    assert two.modes[0].regular


@each_form
def test_log_posterior_counts_the_prior_per_unit_of_its_free_entries(covariance: Covariance) -> None:
    prior = GaussianPrior.weakly_informative(FAITHFUL, 2)
    fit = em.gaussian_mixture(FAITHFUL, 2, covariance, prior=prior, start=START)
    assert fit.log_posterior is not None
    form, free = CovarianceForm.of(covariance), MixtureWeights.of("free", 2)
    assert fit.log_likelihood == pytest.approx(
        gaussian_log_likelihood(fit.parameters, Measurements(FAITHFUL)), rel=1e-12
    )
    slow = gaussian_log_prior(fit.parameters, prior, free, form)
    assert fit.log_posterior - fit.log_likelihood == pytest.approx(slow, rel=1e-11)


def test_row_order_changes_nothing() -> None:
    order = np.random.default_rng(0).permutation(len(FEW))
    one, two = em.gaussian_mixture(FEW, 2), em.gaussian_mixture(FEW[order], 2)
    np.testing.assert_allclose(two.parameters.means, one.parameters.means, rtol=1e-9)
    np.testing.assert_allclose(two.parameters.covariances, one.parameters.covariances, rtol=1e-9)


def test_a_start_keeps_its_labelling() -> None:
    start = GaussianParameters([0.5, 0.5], [80, 50], [30, 30])
    fit = em.gaussian_mixture(WAITING, 2, start=start)
    best = em.gaussian_mixture(WAITING, 2)
    np.testing.assert_allclose(fit.parameters.means, best.parameters.means[::-1], rtol=1e-8)
    np.testing.assert_allclose(fit.standard_errors.means, best.standard_errors.means[::-1], rtol=1e-6)
    assert fit.path[0].means[:, 0].tolist() == [80, 50]


def test_a_label_on_one_component_alone_decides_which_it_is() -> None:
    labels = np.where(WAITING > 93, 0, -1)
    fit = em.gaussian_mixture(WAITING, 2, labels=labels)
    assert fit.parameters.means[0, 0] > fit.parameters.means[1, 0]
    assert fit.status == "converged"


def test_responsibilities_of_new_rows_and_of_labelled_ones() -> None:
    fit = em.gaussian_mixture(WAITING, 2)
    np.testing.assert_allclose(fit.responsibilities(WAITING).sum(axis=1), 1, rtol=1e-14)
    new = fit.responsibilities([50, 90])
    np.testing.assert_allclose(new, [[1, 0], [0, 1]], atol=1e-5)
    labelled = fit.responsibilities(Measurements([50.0, 90.0], labels=[1, -1]))
    assert labelled[0].tolist() == [0, 1]
    np.testing.assert_allclose(labelled[1], new[1], rtol=1e-14)
    # Rows so far out that every density underflows still belong somewhere.
    assert fit.responsibilities([1e6]).sum() == pytest.approx(1)
    with pytest.raises(ValueError, match="data has 2 features but the fit has 1"):
        fit.responsibilities(FAITHFUL)


def test_a_data_frame_gives_its_columns_to_the_names() -> None:
    frame = pd.DataFrame(FAITHFUL, columns=["eruptions", "waiting"])
    names = em.gaussian_mixture(frame, 2).standard_errors.names
    assert names[:4] == ("weights[1]", "weights[2]", "means[1, eruptions]", "means[1, waiting]")
    assert names[-1] == "covariances[2, waiting, waiting]"


def test_huge_counts_give_the_same_estimate() -> None:
    fit, many = (
        em.gaussian_mixture(WAITING, 2, counts=np.full(len(WAITING), c), start=START_WAITING) for c in (1, 10**10)
    )
    # The objective is 1e13 nats: what EM sees of it is its rounding, 1e-3, against an information of 1e10.
    np.testing.assert_allclose(many.parameters.means, fit.parameters.means, rtol=1e-7)
    np.testing.assert_allclose(many.standard_errors.means * 1e5, fit.standard_errors.means, rtol=1e-5)


def test_a_prior_in_other_units_follows_its_data() -> None:
    minutes, seconds = WAITING, WAITING * 60.0
    one = em.gaussian_mixture(minutes, 2, prior=GaussianPrior(70, 0.1, 5, 100), seed=1)
    two = em.gaussian_mixture(seconds, 2, prior=GaussianPrior(70 * 60, 0.1, 5, 100 * 3600))
    np.testing.assert_allclose(two.parameters.means, one.parameters.means * 60, rtol=1e-8)
    assert one.log_posterior is not None
    assert two.log_posterior is not None
    # One unit for each row, each mean, and two for each variance.
    units = len(WAITING) + 2 + 2 * 2
    assert two.log_posterior == pytest.approx(one.log_posterior - units * np.log(60), rel=1e-12)


def test_default_prior_is_read_off_the_data() -> None:
    prior = GaussianPrior.weakly_informative(FAITHFUL, 2, counts=np.ones(len(FAITHFUL), int))
    np.testing.assert_allclose(prior.mean, FAITHFUL.mean(axis=0), rtol=1e-13)
    # Two components share the volume evenly.
    np.testing.assert_allclose(prior.scale, np.cov(FAITHFUL.T) / 2, rtol=1e-12)
    assert (prior.degrees_of_freedom, prior.shrinkage, prior.concentration) == (6, 0.05, 2)


def test_direct_maximisation_agrees_with_em_in_every_form() -> None:
    for covariance in COVARIANCES:
        best = em.gaussian_mixture(FAITHFUL, 2, covariance, start=START)
        direct = em.gaussian_mixture(FAITHFUL, 2, covariance, start=START, method="bfgs")
        # BFGS ends at the rounding of the objective: 1e-6 standard errors.
        assert direct.log_likelihood == pytest.approx(best.log_likelihood, abs=1e-8)
        np.testing.assert_allclose(direct.parameters.means, best.parameters.means, rtol=1e-5)
