"""The model of waiting times is told with what is known of those that were cut short."""

from __future__ import annotations

import pytest

from comparisons import families, own

WAITS = [1.0, 2.0, 3.0, 5.0, 8.0]


@pytest.mark.parametrize(
    ("family", "told"),
    [("exponentials", "Exponential(rate = rates[k])"), ("gammas", "Gamma(shape = shapes[k], rate = rates[k])")],
)
def test_the_model_says_what_its_numbers_are_and_what_is_known_of_a_censored_wait(family: str, told: str) -> None:
    for censored, beside in (
        ([0, 0, 0, 0, 0], ""),
        ([0, 0, 1, 0, 1], "; of a censored row only that it is y[i] or more"),
    ):
        asked = own.declared({"wait": WAITS, "censored": censored}, family, 2)
        problem = families.problem(asked.comparison, asked.comparison.data(asked.dataset))
        assert problem.in_words().formula[-1] == f"y[i] | z[i] = k ~ {told}{beside}"
