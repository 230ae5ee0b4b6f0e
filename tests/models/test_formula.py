"""Claims about designs that formulas make."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import em
import models
from models import RegressionDesign

N = 60
RANDOM = np.random.default_rng(7)
X, GROUP, SEX = RANDOM.uniform(1, 3, N), RANDOM.integers(1, 4, N), np.array(["f", "m"])[RANDOM.integers(2, size=N)]
TABLE: dict[str, Any] = {"y": 1 + X * np.where(np.arange(N) % 2, 3, -1) + RANDOM.normal(size=N) / 5, "x": X}
TABLE |= {"group": GROUP, "sex": SEX, "height (cm)": X**2}
ONES = np.ones(N)
DESIGNS: dict[str, dict[str, Any]] = {
    "y ~ x": {"intercept": ONES, "x": X},
    "y ~ 0 + x": {"x": X},
    "y ~ x + C(group)": {"intercept": ONES, "x": X, "C(group)[T.2]": GROUP == 2, "C(group)[T.3]": GROUP == 3},
    "y ~ x:sex": {"intercept": ONES, "x:sex[f]": X * (SEX == "f"), "x:sex[m]": X * (SEX == "m")},
    "y ~ `height (cm)`": {"intercept": ONES, "height (cm)": X**2},
    "y ~ center(x) + I(group**40)": {"intercept": ONES, "center(x)": X - X.mean(), "I(group ** 40)": 1.0 * GROUP**40.0},
    "y ~ C(sex, Treatment('m'))": {"intercept": ONES, "C(sex,Treatment('m'))[T.f]": SEX == "f"},
}


@pytest.mark.parametrize("formula", DESIGNS)
def test_a_formula_makes_the_design_that_is_written_by_hand(formula: str) -> None:
    rows = RegressionDesign(formula, TABLE).rows(TABLE)
    assert rows.covariates == tuple(DESIGNS[formula])
    np.testing.assert_allclose(rows.design, np.column_stack([*DESIGNS[formula].values()]), rtol=1e-14, atol=1e-14)
    np.testing.assert_array_equal(rows.y, TABLE["y"])


def test_a_fit_from_a_formula_is_that_from_its_columns_and_tells_of_further_rows() -> None:
    frame = pd.DataFrame(TABLE)
    design = RegressionDesign("log(y + 9) ~ center(x) + bs(x, df=4) + sex", frame)
    assert (design.response, design.intercept) == ("log(y + 9)", True)
    few = frame.iloc[[3, 8]]
    # By the state of the first rows: alone two rows would have another mean and other knots.
    np.testing.assert_allclose(design.rows(few).design, design.rows(frame).design[[3, 8]], rtol=1e-12, atol=1e-14)
    simple = RegressionDesign("y ~ x + sex", frame)
    rows = simple.rows(frame, labels=np.where(np.arange(N) < 4, np.arange(N) % 2, -1))
    fit = em.regression_mixture(rows, n_components=2)
    by_hand = em.regression_mixture(TABLE["y"], np.column_stack([X, SEX == "m"]), 2, labels=rows.labels)
    assert fit.log_likelihood == pytest.approx(by_hand.log_likelihood, abs=1e-9)
    assert "coefficients[1, sex[T.m]]" in fit.standard_errors.names
    further, among = simple.rows(few), rows.taken(np.array([3, 8]))
    np.testing.assert_allclose(fit.score_rows(further), fit.score_rows(among.like(among.y, among.design)), rtol=1e-12)


def test_categories_keep_the_order_that_they_were_given() -> None:
    frame = pd.DataFrame(TABLE)
    frame["sex"] = pd.Categorical(frame["sex"], categories=["m", "f"])
    assert RegressionDesign("y ~ sex", frame).covariates == ("sex[T.f]",)


@pytest.mark.parametrize(
    ("formula", "told"),
    [
        (3, "formula is 3; give a text"),
        ("", "it has not one response"),
        ("y", "it has not one response"),
        ("~ x", "it has not one response"),
        ("y ~ x | sex", "it has not one response"),
        ("y ~ x +", "Operator"),
        ("y ~ .", "context"),
        ("y ~ xx", "'xx' is no column; did you mean 'x'"),
        ("y ~ `heigth (cm)`", "did you mean 'height (cm)'"),
        ("y ~ open(x)", "'open' is no column"),
        ("y ~ np", "'np' is no column"),
        ("y ~ np.nothing(x)", "no attribute 'nothing'"),
        ("y + x ~ sex", "whose response is y, x; give one"),
        ("sex ~ x", "whose response is sex[f], sex[m]; give one"),
        ("y ~ log(x - 2)", r"is nan in log(x - 2), where y is"),
        ("y ~ 1 + Q('x')", "Unable to evaluate"),
    ],
)
def test_what_is_no_formula_of_these_columns_is_refused(formula: Any, told: str) -> None:
    with pytest.raises((TypeError, ValueError)) as refused:
        RegressionDesign(formula, TABLE)
    assert told in str(refused.value)
    assert str(refused.value).startswith("formula")


def test_rows_that_do_not_fit_are_refused() -> None:
    design = RegressionDesign("y ~ x + sex", TABLE)
    with pytest.raises(ValueError, match="'sex' is no column"):
        design.rows({"y": [1.0], "x": [2.0]})
    with pytest.raises(ValueError, match="column 'x' has nothing in row 1; leave such rows out"):
        design.rows({"y": [1.0, 2.0], "x": [2.0, np.nan], "sex": ["f", "m"]})
    with pytest.raises(ValueError, match=r"data do not fit the formula 'y ~ x \+ sex'"):
        design.rows({"y": [1.0, 2.0], "x": [2.0, 1.0], "sex": ["f", "other"]})


def test_both_engines_take_the_rows_of_a_design() -> None:
    rows = RegressionDesign("y ~ x + C(group)", TABLE).rows(TABLE)
    model = models.regression_mixture(rows, n_components=2)
    assert model.coords["covariate"] == ("intercept", "x", "C(group)[T.2]", "C(group)[T.3]")
