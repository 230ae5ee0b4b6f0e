"""Derivatives by differences: slow, and independent of every formula."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from em.uncertainty.curvature import derivatives
from models.inputs import Floats


def slope(f: Callable[[Floats], Any], direction: Floats, h: float = 1e-2) -> Any:
    """Fourth-order difference of ``f`` at 0 along a direction.

    Along a standard error its error is a fifth derivative times the step to the fourth, 1e-8, and rounding of 1e2 over
    the step, 1e-12.
    """
    near, far = f(h * direction) - f(-h * direction), f(2 * h * direction) - f(-2 * h * direction)
    return (8 * near - far) / (12 * h)


def second_derivatives(f: Callable[[Floats], float], size: int, h: float = 0.1) -> Floats:
    """Hessian ``(size, size)`` of ``f`` at 0, differences extrapolated to order 8.

    Along standard errors: of the steps h, h/2, h/4 and h/8 the error is a tenth derivative times h^8 / 1e6, 1e-13, and
    rounding of 1e3 over the last step squared, 1e-9.
    """
    unit = np.eye(size)
    hessian = np.empty((size, size))
    for i in range(size):
        for j in range(i + 1):
            u, v = unit[i], unit[j]
            table = []
            for s in (h, h / 2, h / 4, h / 8):
                corners = f(s * (u + v)) - f(s * (u - v)) - f(s * (v - u)) + f(-s * (u + v))
                table.append(corners / (4 * s * s))
            for order in (1, 2, 3):
                pairs = zip(table[1:], table[:-1], strict=True)
                table = [(4**order * fine - coarse) / (4**order - 1) for fine, coarse in pairs]
            hessian[i, j] = hessian[j, i] = table[0]
    return hessian


def root_of(covariance: Floats) -> Floats:
    """``(p, rank)`` matrix whose columns are independent standard errors: root root' is the covariance."""
    sizes = np.sqrt(np.diag(covariance))
    scale = np.where(sizes > 0, sizes, 1.0)
    values, vectors = np.linalg.eigh(covariance / scale / scale[:, None])
    kept = values > 1e-12
    return np.asarray(scale[:, None] * vectors[:, kept] * np.sqrt(values[kept]))


def derivatives_are_those_of(height: Callable[[Floats], float], mixture: Any, parameters: Any, share: float) -> None:
    """See that objective, gradient and Hessian of a mixture are those of a function of its full vector.

    Steps are ``share`` of each free direction long.
    """
    vector = mixture.to_vector(parameters)
    objective = float(mixture.e_step(parameters).log_likelihood + mixture.log_prior(parameters))
    assert objective == pytest.approx(height(vector))
    gradient, hessian, _ = derivatives(mixture, parameters)
    for column in mixture.basis.T:
        step = column * share

        def along(t: Any, step: Any = step) -> float:
            return height(vector + t * step)

        def turned(t: Any, step: Any = step) -> Any:
            return derivatives(mixture, mixture.from_vector(vector + t * step))[0] @ mixture.basis

        unit = np.ones(1)
        assert gradient @ step == pytest.approx(float(slope(along, unit)), rel=1e-5)
        np.testing.assert_allclose(hessian @ step @ mixture.basis, slope(turned, unit), rtol=1e-5, atol=1e-5)
