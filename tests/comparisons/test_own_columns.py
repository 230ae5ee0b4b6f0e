"""Claims about columns of own data: which family they are of, what each is of, and what is told of them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from comparisons import own
from comparisons.quantity_names import in_prose, variable_and_labels
from models import CoinTosses

COIN_COLUMNS: list[dict[str, list[Any]]] = [
    {"heads": [5, 9], "tosses": [10, 10]},
    {"heads": [5, 9], "tails": [5, 1]},
    {"toss": [1] * 5 + [0] * 5 + [1] * 9 + [0], "bag": ["a"] * 10 + ["b"] * 10},
]


@pytest.mark.parametrize("columns", COIN_COLUMNS, ids=lambda c: " and ".join(c))
def test_bags_of_coins_are_told_in_three_ways(columns: dict[str, list[Any]]) -> None:
    found = own.declared(columns, n_components=2)
    rows = found.comparison.data(found.dataset)
    assert isinstance(rows, CoinTosses)
    assert (rows.heads.tolist(), rows.tosses.tolist()) == ([5, 9], [10, 10])


def test_events_have_an_exposure_where_there_is_one() -> None:
    found = own.declared({"events": [1, 4], "exposure": [0.5, 2.0]}, n_components=1)
    assert found.told["family"] == "poissons"
    assert found.comparison.data(found.dataset).exposure.tolist() == [0.5, 2.0]
    found = own.declared({"deaths": [1, 4]}, "poissons", 1, columns="deaths")
    assert found.comparison.data(found.dataset).exposure.tolist() == [1.0, 1.0]


def test_columns_that_a_family_does_not_take_are_told() -> None:
    asked = own.declared({"wait": [3.0, 1.0, 5.0, 2.0], "event": [1, 1, 0, 1]}, n_components=1)
    assert any("Columns left out: event. Exponentials take wait, and censored" in note for note in asked.notes)


def test_a_column_of_a_family_that_is_not_named_is_told() -> None:
    counts = {"events": [1, 4], "exposure": [0.5, 2.0]}
    for columns in ("events", {"events": "events"}):
        assert (
            "Columns left out, as others are named: exposure." in own.declared(counts, None, 1, columns=columns).notes
        )
    every = own.declared(counts, None, 1, columns=["events", "exposure"])
    assert not any("left out" in note for note in every.notes)


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        ({"sex": ["f", None], "h": [1, 2]}, {"columns": "sex"}, "column 'sex' is not numeric: it has 'f'"),
        (
            {"sex": ["f", "m"], "h": [1, 2], "g": [1, 2]},
            {"family": "poissons"},
            "say which is which, as --column events=h",
        ),
        ({"n": [1, 2]}, {"counts": "n"}, "has no column but n, named for labels or counts"),
        ({"wait": [1, 2], "censored": ["no", "so"]}, {}, "a censored is one of 1, yes, true, 0, no, false"),
    ],
)
def test_a_message_points_at_what_can_be_done(table: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        own.declared(table, n_components=1, **options)


@pytest.mark.parametrize("words", [["no", "Yes"], [False, True], ["false", "TRUE"], [0.0, 1.0]], ids=str)
def test_whether_a_wait_is_censored_may_be_words(words: list[Any]) -> None:
    found = own.declared({"wait": [1.0, 4.0], "censored": words}, n_components=1)
    assert found.comparison.data(found.dataset).censored.tolist() == [0, 1]


def test_waits_may_be_censored_by_a_column() -> None:
    found = own.declared({"wait": [1.5, 4.0, 2.0], "censored": [0, 1, 0]}, n_components=1)
    assert found.told["family"] == "exponentials"
    rows = found.comparison.data(found.dataset)
    assert (rows.y.tolist(), rows.censored.tolist()) == ([1.5, 4.0, 2.0], [0, 1, 0])
    found = own.declared(
        {"days": [1, 4], "cut": [0, 1]}, "exponentials", 1, columns={"wait": "days", "censored": "cut"}
    )
    assert found.notes[-1] == "1 of 2 waits is censored; the mean wait is 2.5, until each ended or was cut short."
    assert "1 of 2 waits is censored" in found.comparison.description
    counted = own.declared({"wait": [1.0, 4.0], "n": [3, 1]}, "gammas", 1, counts="n")
    assert counted.notes[-1] == "None of 4 waits is censored; the mean wait is 1.75."
    assert found.comparison.data(found.dataset).censored.tolist() == [0, 1]
    assert own.declared({"y": [1.5, 4.0, 2.0]}, n_components=1).told["family"] == "gaussians"


def test_names_may_hold_commas() -> None:
    table = {
        "Height, standing": [1.0, 2.0, 4.0, 8.0],
        "Mass, kg": [1.0, 3.0, 2.0, 7.0],
        "who": ["a, b", "c", "a, b", "c"],
    }
    found = own.declared(table, "gaussians", columns=["Height, standing", "Mass, kg"], labels="who")
    # They look as they did, but for a blank at which no name ends.
    height, mass = found.comparison.features
    assert height.split() == ["Height,", "standing"]
    first, second = found.comparison.components
    assert (first.split(), second) == (["a,", "b"], "c")
    assert variable_and_labels(f"covariances[{first}, {height}, {mass}]") == ("covariances", [first, height, mass])
    assert in_prose(f"means[{first}, {height}]") == f"mean of “{height}” in component “{first}”"


def test_titles_and_units_are_those_of_the_column_that_is_named() -> None:
    table = {
        "Wait (min)": [3.0, 1.0, 5.0, 2.0],
        "cut": [0, 1, 0, 0],
        "Deaths (dozens)": [1, 4, 2, 0],
        "Mass [kg]": [4.0, 2.0, 1.0, 9.0],
    }
    waits = own.declared(table, "exponentials", 1, columns={"wait": "Wait (min)", "censored": "cut"})
    assert (waits.comparison.unit, waits.comparison.title) == ("min", "Wait of a mapping of columns")
    assert "Columns by role: censored is 'cut'." in waits.comparison.description
    counts = own.declared(table, "poissons", 1, columns={"events": "Deaths (dozens)", "exposure": "Wait (min)"})
    assert counts.comparison.unit == "dozens"
    assert "Columns by role: events is 'Deaths (dozens)', exposure is 'Wait (min)'." in counts.comparison.description
    lines = own.declared(table, "regressions", 1, columns={"y": "Wait (min)", "x": "Mass [kg]"})
    assert lines.comparison.units == {"y": "min", "x": "kg"}
    renamed = own.declared(table, "gaussians", 1, columns={"Delay (s)": "Wait (min)"})
    assert (renamed.comparison.features, renamed.comparison.unit) == (("Delay",), "s")


NUMBERED: dict[str, list[Any]] = {"row": [1, 2, 3, 4], "subject_id": [90, 17, 33, 8], "length": [2.5, 1.0, 4.0, 3.5]}


def test_columns_that_number_the_rows_are_no_data() -> None:
    found = own.declared(NUMBERED, n_components=1)
    assert found.comparison.features == ("length",)
    assert "Columns left out, as they number the rows: row, subject_id." in found.notes
    assert own.declared({**NUMBERED, "row": [2, 1, 3, 4]}, n_components=1).comparison.features == ("row", "length")
    assert own.declared(NUMBERED, n_components=1, columns="row").comparison.features == ("row",)
    with pytest.raises(ValueError, match="say which is which, as --column heads=length"):
        own.declared(NUMBERED, "coins", 1)


def test_a_column_of_counts_is_not_taken_for_data() -> None:
    table = {"length": [2.5, 1.0, 4.0, 3.5], "count": [3, 1, 1, 2]}
    with pytest.raises(
        ValueError, match=r"column 'count' of .* is called as counts of rows are; name it as counts='count'"
    ):
        own.declared(table, n_components=1)
    assert own.declared(table, n_components=1, counts="count").comparison.features == ("length",)
    assert own.declared(table, n_components=1, columns=["length", "count"]).comparison.features == ("length", "count")


def test_a_column_of_words_is_pointed_at_as_labels() -> None:
    with pytest.raises(ValueError, match=r"name it as labels='sex' \(--labels sex\)"):
        own.declared({"sex": ["m", "f", "m"], "y": [1.0, 2.0, 4.0]}, n_components=2, columns="sex")
    with pytest.raises(ValueError, match="is not numeric") as refused:
        own.declared({"y": ["1", "2", "abc", "4"]}, n_components=2, columns="y")
    assert "labels" not in str(refused.value)
