"""Every check that scikit-learn has for an estimator, with no failure expected.

The checks draw real numbers, in as many columns as they like; the families take counts, bags of tosses, times above 0 or more
rows than columns. Where they do, a row of that kind is made of each row that a check draws, and nothing else is changed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks

from em.sklearn import (
    BetaBinomialMixture,
    BinomialMixture,
    ExponentialMixture,
    GammaMixture,
    GaussianMixture,
    LatentClassMixture,
    MixtureEstimator,
    NegativeBinomialMixture,
    PoissonMixture,
    RegressionMixture,
)
from models import LatentClassPrior
from models.inputs import Floats


class Made(MixtureEstimator):
    """An estimator on rows that are made of those that it is given."""

    @staticmethod
    def made(x: Floats) -> Floats:
        """The rows."""
        raise NotImplementedError

    def _checked(self, x: Any, *, reset: bool) -> Floats:
        return self.made(super()._checked(x, reset=reset))


class Whole(Made):
    @staticmethod
    def made(x: Floats) -> Floats:
        return np.floor(4 * x)


class Bags(Made):
    @staticmethod
    def made(x: Floats) -> Floats:
        numbers = np.floor(4 * x)
        # Heads, and as many tosses at least; a column alone stays alone.
        return numbers if x.shape[1] == 1 else np.column_stack([numbers[:, 0], numbers[:, 0] + numbers[:, -1] + 1])


class Above0(Made):
    @staticmethod
    def made(x: Floats) -> Floats:
        return np.where(x < 0, x, x + 0.5)


class Binary(Made):
    @staticmethod
    def made(x: Floats) -> Floats:
        return np.where(x < 0, x, (np.floor(x) + np.floor(2 * (x % 1))) % 2)


class FewColumns(Made):
    @staticmethod
    def made(x: Floats) -> Floats:
        return x[:, :2]


class OneColumn(Made):
    @staticmethod
    def made(x: Floats) -> Floats:
        return x[:, :1]


# The names of the classes are read by some checks, and pickled ones are found by them.
class Gaussians(FewColumns, GaussianMixture): ...


class Gammas(Above0, GammaMixture): ...


class Poissons(Whole, PoissonMixture): ...


class NegativeBinomials(Whole, NegativeBinomialMixture): ...


class Binomials(Bags, BinomialMixture): ...


class BetaBinomials(Bags, BetaBinomialMixture): ...


class LatentClasses(Binary, LatentClassMixture): ...


class Regressions(FewColumns, RegressionMixture): ...


class RegressionsOnOne(OneColumn, RegressionMixture): ...


# Of two components, since shares of one are 1 whatever its weights; of one where fits of many are dear, and of these
# tests/em/test_sklearn.py asks the same.
ESTIMATORS = [
    GaussianMixture(2, covariance_type="diag"),
    Gaussians(2, covariance_type="spherical"),
    GaussianMixture(prior="weakly_informative"),
    Gaussians(2),
    Gaussians(2, covariance_type="tied"),
    ExponentialMixture(2, remainder="drop"),
    Gammas(2, remainder="drop"),
    Poissons(2, remainder="drop"),
    NegativeBinomials(remainder="drop"),
    Binomials(2),
    BetaBinomials(),
    LatentClasses(2, prior=LatentClassPrior.weakly_informative()),
    Regressions(2, response=-1),
    RegressionsOnOne(2),
]


@parametrize_with_checks(ESTIMATORS)  # type: ignore[untyped-decorator]  # scikit-learn is published without types
def test_scikit_learns_check(estimator: MixtureEstimator, check: Callable[[MixtureEstimator], None]) -> None:
    check(estimator)


class Forgetful(Gaussians):
    """Leaves sample weights out."""

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Any:
        return super().fit(X, y)


def test_the_checks_find_weights_that_are_left_out() -> None:
    assert isinstance(Forgetful(), BaseEstimator)
    found = check_estimator(Forgetful(2), on_fail=None, on_skip=None)
    failed = {each["check_name"] for each in found if each["status"] == "failed"}
    assert "check_sample_weight_equivalence_on_dense_data" in failed
