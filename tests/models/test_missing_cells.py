"""Gaussian rows of which cells are missing: PyMC's density, EM's and SciPy's are one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import models
from comparisons.families import shared_code, third_density
from comparisons.families.mixtures import MixtureProblem
from comparisons.problem import em_densities
from models import LogPosterior, Measurements
from models.gaussians.covariances import Covariance
from models.mixtures import Weights
from tests.declared import declare, given
from tests.em.test_missing_cells import two_clusters
from tests.problems import COVARIANCES


def problem(covariance: Covariance, seed: int, weights: Weights = "free", d: int = 3) -> MixtureProblem:
    """Rows with counts, known labels and missing cells, one of them a label alone; the default prior."""
    random = np.random.default_rng(seed)
    y = two_clusters(random, n=50, d=d)
    labels = np.where(random.random(50) < 0.2, random.integers(2, size=50), -1)
    y[3], labels[3] = np.nan, 1
    return declare(Measurements(y, random.integers(1, 4, size=50), labels, missing="marginal"), 2, weights, covariance)


@pytest.mark.parametrize("weights", ["free", [0.3, 0.7]])
@pytest.mark.parametrize("covariance", COVARIANCES)
def test_both_engines_and_scipy_have_one_density_of_what_was_seen(covariance: Covariance, weights: Weights) -> None:
    asked = problem(covariance, 1, weights)
    density = LogPosterior(asked.model())
    whole = LogPosterior(problem_without_gaps(asked).model())
    assert density.names == whole.names
    assert density.shapes == whole.shapes
    random = np.random.default_rng(2)
    for _ in range(4):
        point = asked.random_parameters(random)
        by_pymc = density.parts(density.unconstrained(asked.to_pymc(point)))[:2]
        by_scipy = (third_density.log_likelihood(asked, point), third_density.log_prior(asked, point))
        # Sums of a hundred logarithms, each rounded.
        assert by_pymc == pytest.approx(em_densities(asked, point), rel=1e-9, abs=1e-9)
        assert by_pymc == pytest.approx(by_scipy, rel=1e-9, abs=1e-9)
    assert shared_code.other_data(asked, density) is None
    assert shared_code.other_prior(asked) is None


def problem_without_gaps(asked: MixtureProblem) -> MixtureProblem:
    """The same with the means in place of missing cells."""
    y = np.where(np.isnan(asked.data.y), np.nanmean(asked.data.y, axis=0), asked.data.y)
    c = asked.comparison
    return declare(Measurements(y, asked.data.counts, asked.data.labels), 2, c.weights, c.covariance)


def test_one_graph_serves_any_pattern_of_missing_cells_and_no_whole_rows() -> None:
    first, second = problem("full", 3, d=2), problem("full", 4, d=2)
    assert first.structure == second.structure != problem_without_gaps(first).structure
    shared, alone = LogPosterior(first.model()), LogPosterior(second.model())
    x = alone.start + 0.1
    assert given(second, shared).parts(x) == alone.parts(x)


def test_the_gradient_is_that_of_the_log_posterior() -> None:
    density = LogPosterior(problem("full", 5).model())
    x = density.spread_out_start(np.random.default_rng(6))
    h = 1e-3 * np.eye(density.size)

    def value(at: Any) -> float:
        return density.value_and_gradient(at)[0]

    slopes = [(8 * (value(x + u) - value(x - u)) - value(x + 2 * u) + value(x - 2 * u)) / 12e-3 for u in h]
    gradient = density.value_and_gradient(x)[1]
    np.testing.assert_allclose(gradient, slopes, rtol=1e-6, atol=1e-6 * np.abs(gradient).max())


def test_totals_tell_a_cell_that_moved_to_another_row() -> None:
    asked = problem("diagonal", 7, d=2)
    density = LogPosterior(asked.model())
    rows = density.model["observed_y"].get_value()
    gap, full = (np.flatnonzero(np.isnan(rows[:, 0]) == missing) for missing in (True, False))
    rows[gap[0], 0], rows[full[0], 0] = rows[full[0], 0], np.nan
    density.model["observed_y"].set_value(rows)
    found = shared_code.other_data(asked, density)
    assert found is not None
    assert found.outcome == "fail"


def test_missing_cells_are_refused_by_default() -> None:
    y = two_clusters(np.random.default_rng(8), n=30, d=2)
    with pytest.raises(ValueError, match='keep them with missing="marginal"'):
        models.gaussian_mixture(y)
    assert np.isnan(models.gaussian_mixture(y, missing="marginal")["observed_y"].get_value()).any()
    assert not np.isnan(models.gaussian_mixture(y, missing="drop")["observed_y"].get_value()).any()
