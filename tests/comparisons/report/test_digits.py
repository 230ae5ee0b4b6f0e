"""Numbers have the digits that mean something, and are set alike in tables and in sentences."""

from __future__ import annotations

import numpy as np
import pytest

from comparisons.report.digits import decimals_for, prose, rounded, statistic


@pytest.mark.parametrize(
    ("value", "uncertainty", "text"),
    [
        (0.79678907, 0.0779, "0.797"),
        (54.6148, 0.699, "54.61"),
        (1234567.8, 250.0, "1234568"),
        (-0.0001, 0.1, "0.00"),
        (-2.5, 0.1, "−2.50"),
        (3.21e-12, 4e-13, "3.21\u00a0×\u00a010⁻¹²"),
        (0.5, None, "0.5"),
        (None, 0.1, "–"),
    ],
)
def test_numbers_have_the_digits_that_their_uncertainty_allows(
    value: float | None, uncertainty: float | None, text: str
) -> None:
    assert rounded(value, decimals_for(uncertainty)) == text


@pytest.mark.parametrize(
    ("text", "typeset"),
    [
        ("-0.5 sd from the prior, 3.6e-09 nats", "−0.5 sd from the prior, 3.6\u00a0×\u00a010⁻⁹ nats"),
        ("p[1] - 0.37 p[2] and (-163.558)", "p[1] − 0.37 p[2] and (−163.558)"),
        ("gains less than 1e-6 of 7.0%", "gains less than 10⁻⁶ of 7.0\u00a0%"),
        ("agree to 0.0e+00 and to 2.5e+00", "agree to 0 and to 2.5"),
        ("two-coin, posterior-2, 1990-2000, --seed 8, 2026-01-02", "two-coin, posterior-2, 1990-2000, --seed 8, 2026-01-02"),
    ],
)  # fmt: skip
def test_numbers_in_sentences_are_set_as_in_tables(text: str, typeset: str) -> None:
    assert prose(text) == typeset


@pytest.mark.parametrize(
    ("value", "threshold", "text"),
    [(1.0095, 1.01, "1.0095"), (1.00996, 1.01, "1.00996"), (1.01, 1.01, "1.0100"), (2.2357e-16, 1e-9, "2.2\u00a0×\u00a010⁻¹⁶")],
)  # fmt: skip
def test_a_statistic_can_be_told_from_its_threshold(value: float, threshold: float, text: str) -> None:
    assert statistic(value, threshold) == text


def test_an_uncertainty_that_is_not_finite_decides_nothing() -> None:
    assert decimals_for(np.nan, 0.0, None, 0.02) == 3
    assert decimals_for(np.inf, 0.0) is None
