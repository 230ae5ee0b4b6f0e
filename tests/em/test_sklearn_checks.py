"""Every check that scikit-learn has for an estimator, with no failure expected.

The checks draw real numbers, in as many columns as they like; the families take counts, bags of tosses, times above 0 or more
rows than columns. Where they do, a row of that kind is made of each row that a check draws, and nothing else is changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
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


WEIGHTS = "check_sample_weight_equivalence_on_dense_data"
# As they stand: which checks fail, and the word of the family that their rows are refused with.
BARE: dict[type[MixtureEstimator], dict[str, str]] = {
    # 15 distinct rows in 30 columns: the likelihood of a full covariance has no maximum.
    GaussianMixture: {WEIGHTS: "a covariance needs more rows than columns, or a prior"},
    # Real numbers, though the estimator is tagged as categorical.
    LatentClassMixture: {WEIGHTS: "categories are whole numbers from 0"},
    # 15 distinct rows for 31 coefficients; and y that is the first column of X, which leaves no error.
    RegressionMixture: {
        WEIGHTS: "give more rows, or fewer covariates",
        "check_sample_weights_shape": "there is no error to model",
        "check_sample_weights_not_overwritten": "there is no error to model",
    },
}
# Of families whose columns have roles: further columns, and rows that are no bags of tosses or no gamma-distributed times.
REFUSED = "have no role|coins were tossed|must be whole numbers of at least 1|a gamma density is 0 or infinite"


@pytest.mark.parametrize("kind", BARE, ids=lambda kind: kind.__name__)
def test_bare_estimators_fail_no_check_but_those_whose_rows_their_model_cannot_have(
    kind: type[MixtureEstimator],
) -> None:
    found = check_estimator(kind(), on_fail=None, on_skip=None)
    failed = {each["check_name"]: str(each["exception"]) for each in found if each["status"] == "failed"}
    assert failed.keys() == BARE[kind].keys()
    assert all(BARE[kind][name] in told for name, told in failed.items())


@pytest.mark.parametrize(
    "kind", [PoissonMixture, ExponentialMixture, GammaMixture, BinomialMixture], ids=lambda kind: kind.__name__
)
def test_bare_estimators_of_columns_with_roles_refuse_rows_of_other_columns(kind: type[MixtureEstimator]) -> None:
    found = check_estimator(kind(), on_fail=None, on_skip=None)
    told = [each["exception"] for each in found if each["status"] == "failed"]
    causes = [error.__context__ or error for error in told]
    assert told
    assert all(re.search(REFUSED, f"{error} {cause}") for error, cause in zip(told, causes, strict=True))
