"""The observed information of em is PyMC's automatic second derivative of the same model, its arithmetic written apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import em
import models
from em.coins import CoinMixture
from em.curvature import derivatives
from em.gaussians import GaussianMixture
from models import CoinPrior, CoinTosses, GaussianPrior, Measurements
from models.gaussians import CovarianceForm
from models.inputs import Floats
from models.mixtures import MixtureWeights

FREE = MixtureWeights.of("free", 2)
TOSSES = CoinTosses([5, 9, 8, 4, 7], 10, counts=[1, 2, 1, 1, 3], labels=[1, -1, -1, -1, -1])
ROWS = np.concatenate([np.random.default_rng(0).normal(size=20), np.random.default_rng(1).normal(5, 2, size=20)])


def coins() -> tuple[Any, Floats, dict[str, Floats]]:
    prior = CoinPrior(2, 3, 2)
    fitted = em.coin_mixture(TOSSES, 2, prior=prior).parameters
    hessian = derivatives(CoinMixture(TOSSES, FREE, prior), fitted)[1]
    values = {"weights": fitted.weights, "head_probabilities": fitted.head_probabilities}
    return models.coin_mixture(TOSSES, 2, prior=prior), hessian, values


def normals() -> tuple[Any, Floats, dict[str, Floats]]:
    prior = GaussianPrior.weakly_informative(ROWS, 2)
    fitted = em.gaussian_mixture(ROWS, 2, prior=prior).parameters
    mixture = GaussianMixture(Measurements(ROWS), FREE, CovarianceForm.of("full"), prior, standardise=False)
    values = {"weights": fitted.weights, "means": fitted.means, "variances": fitted.covariances[:, :, 0]}
    return models.gaussian_mixture(ROWS, 2, prior=prior), derivatives(mixture, fitted)[1], values


@pytest.mark.sampling
@pytest.mark.parametrize("family", [coins, normals])
def test_observed_information_is_the_automatic_second_derivative(family: Any) -> None:
    from pymc.model.transform.conditioning import remove_value_transforms
    from pytensor.compile.mode import Mode

    model, hessian, values = family()
    natural = remove_value_transforms(model)  # the parameters themselves, without Jacobian
    # Evaluated once: interpreted, it takes seconds; compiled to C, minutes.
    mode = Mode(linker="py", optimizer="fast_compile")
    second = natural.compile_fn(natural.d2logp(negate_output=False), inputs=natural.value_vars, mode=mode)(values)
    names = [variable.name for variable in natural.value_vars]
    starts = dict(zip(values, np.cumsum([0, *(v.size for v in values.values())]), strict=False))
    order = np.concatenate([starts[name] + np.arange(values[name].size) for name in names])
    expected = hessian[np.ix_(order, order)]
    sizes = np.sqrt(np.abs(np.diag(expected)))
    np.testing.assert_allclose(
        second / np.outer(sizes, sizes), expected / np.outer(sizes, sizes), rtol=1e-9, atol=1e-12
    )
