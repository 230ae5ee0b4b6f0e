"""What a comparison declares is checked, with its data and settings, before anything is fitted or sampled."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import comparisons
import em
from comparisons import datasets, families, pipeline, quantities
from comparisons.declaration import Comparison
from comparisons.results.files import LONGEST_DIRECTORY, directory_name
from models import CoinPrior, CoinTosses, GaussianPrior, Measurements

RANDOM = np.random.default_rng(15)
FRAME = pd.DataFrame({"glucose [mmol/L]": RANDOM.normal(size=60), "HbA1c [%]": RANDOM.normal(size=60)})
FRAME.iloc[30:] += 4
ROWS = Measurements(FRAME)
BAGS = CoinTosses([5, 9, 8, 4, 7], 10)
ONE = GaussianPrior(0.0, 1.0, 5.0, 1.0)


def declared(data: Any = ROWS, **options: Any) -> Comparison:
    given: dict[str, Any] = {
        "name": "mine",
        "title": "Mine",
        "question": "Are there two?",
        "dataset": "two_coin",
        "description": "rows",
        "unit": "",
        "components": ["1", "2"],
        **options,
    }
    return Comparison(data=lambda _: data, **given)


REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"name": " "}, ValueError, "name is empty"),
    ({"name": 3}, TypeError, "name is 3 of type int; give a string"),
    ({"title": None}, TypeError, "title is None of type NoneType; give a string"),
    ({"unit": "a\0b"}, ValueError, r"unit has '\x00' at index 1, which no file can show; leave it out"),
    ({"question": "\ud800"}, ValueError, r"question has '\ud800' at index 0, which no file can show"),
    ({"components": "AB"}, TypeError, "components is 'AB' of type str; give a list of names"),
    ({"components": 2}, TypeError, "components is 2 of type int; give a list of names"),
    ({"components": []}, ValueError, "components is empty; give a name for each component"),
    ({"components": ["A", 2]}, TypeError, "components[1] is 2 of type int; give a string"),
    ({"components": ["A", "A"]}, ValueError, "the comparison has 2 components named 'A'; give each a name of its own"),
    ({"components": ["A", ""]}, ValueError, "component 2 of the comparison has an empty name"),
    ({"components": ["A", "A" * 10_000, "A" * 10_000]}, ValueError, "the comparison has 2 components named 'AAA"),
    ({"features": ["x", "x"]}, ValueError, "the comparison has 2 features named 'x'; give each a name of its own"),
    ({"features": ["x", "\n"]}, ValueError, "feature 2 of the comparison has an empty name"),
    ({"features": ["x", "counts"]}, ValueError, "features has 'counts', which is a column of its own in results"),
    ({"components": ["A, b", "B"]}, ValueError, "components[0] is 'A, b', with a comma and a blank as between the labels"),
    ({"features": ["x"]}, ValueError, "features has 1 names but y has 2 columns; give one name per column, or none"),
    ({"features": ["HbA1c [%]", "glucose"]}, ValueError, "features[0] is 'HbA1c [%]' but column 1 of y is 'glucose [mmol/L]'"),
    ({"data": FRAME}, TypeError, "data must be models.CoinTosses, models.Measurements, models.EventCounts"),
    ({"data": BAGS, "features": ["x"]}, ValueError, "features is x but tosses of coins have none; leave them out"),
    ({"data": BAGS, "prior": ONE}, TypeError, "prior must be models.CoinPrior, but is GaussianPrior"),
    ({"data": BAGS, "prior": CoinPrior(heads=0.5)}, ValueError, "prior.heads is 0.5; below 1"),
    ({"prior": CoinPrior()}, TypeError, "prior must be models.GaussianPrior, but is CoinPrior"),
    ({"prior": ONE}, ValueError, "prior is for 1 features but y has 2"),
    ({"prior": GaussianPrior([0, 0], 1, 5, np.eye(2), features=["a", "b"])}, ValueError, "prior is for the columns a, b but"),
    ({"prior": GaussianPrior([0, 0], 1, 5, np.eye(2), concentration=0.5)}, ValueError, "prior.concentration is 0.5; below 1"),
    ({"data": Measurements(FRAME, labels=np.full(60, 2))}, ValueError, "labels[0] is 2 but there are 2 components"),
    ({"data": BAGS, "components": list("ABCDEF")}, ValueError, "there are 5 rows for 6 components"),
    ({"weights": [0.5, 0.4]}, ValueError, "weights sum to 0.9, not 1"),
    ({"covariance": "diag"}, ValueError, "covariance is 'diag'; give one of full"),
    ({"seed": -1}, ValueError, "seed is -1, but must be at least 0"),
    ({"seed": 1.0}, TypeError, "seed is 1.0, but must be a whole number"),
    ({"draws": 3}, ValueError, "draws is 3, but must be at least 4"),
    ({"chains": 0}, ValueError, "chains is 0, but must be at least 1"),
    ({"chains": True}, TypeError, "chains is True, but must be a whole number"),
]  # fmt: skip


@pytest.fixture
def _nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def fitted(*_: Any, **__: Any) -> None:
        raise AssertionError("something was fitted before everything was checked")

    monkeypatch.setattr(pipeline, "judge", fitted)


@pytest.mark.usefixtures("_nothing_runs")
@pytest.mark.parametrize(("options", "error", "message"), REFUSED, ids=[message[:60] for *_, message in REFUSED])
def test_what_cannot_end_well_is_refused_before_anything_runs(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    settings = {
        "seed": 1,
        "draws": 100,
        "chains": 4,
        **{k: v for k, v in options.items() if k in ("seed", "draws", "chains")},
    }

    def compared() -> None:
        comparison = declared(**{k: v for k, v in options.items() if k not in settings})
        pipeline.compare(comparison, datasets.load("two_coin"), "key", progress=lambda _: None, **settings)

    with pytest.raises(error, match=re.escape(message)) as refused:
        compared()
    assert len(str(refused.value)) <= 300


@pytest.mark.usefixtures("_nothing_runs")
def test_a_place_that_cannot_be_written_is_refused_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        comparisons.run("two-coin", tmp_path / "file")
    (tmp_path / "two-coin").write_text("")
    with pytest.raises(OSError, match="two-coin"):
        comparisons.run("two-coin", tmp_path)
    for settings in ({"draws": 0}, {"chains": -1}, {"seed": -1}):
        with pytest.raises(ValueError, match="but must be at least"):
            comparisons.run("two-coin", **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (Measurements(FRAME), tuple(FRAME.columns)),
        (Measurements(FRAME.to_numpy()), ("y1", "y2")),
        (Measurements(FRAME.to_numpy()[:, 0]), ("y",)),
        (Measurements(FRAME[["HbA1c [%]"]]), ("HbA1c [%]",)),
        (Measurements(FRAME.set_axis([0, 1], axis=1)), ("0", "1")),
        (BAGS, ()),
    ],
    ids=["frame", "array", "vector", "one column", "numbered columns", "coins"],
)
def test_features_left_out_are_those_of_the_data(data: Any, told: tuple[str, ...]) -> None:
    problem = families.problem(declared(data), data)
    assert problem.comparison.features == told
    fit = problem.fit(None)
    values = quantities.of_parameters(problem, fit.parameters)
    names = problem.em_names
    for name in values:
        # Every quantity of a comparison is one that EM knows under a name of its own.
        interval = em.profile_interval(fit, names[name])
        assert interval.low < values[name] < interval.high or interval.reason is not None


def test_features_may_be_called_otherwise_than_the_columns() -> None:
    comparison = declared(features=["mmol/L", "%"])
    problem = families.problem(comparison, ROWS)
    assert "means[1, mmol/L]" in quantities.names(problem)
    assert replace(comparison, features=FRAME.columns.tolist()).features == tuple(FRAME.columns)


def test_directories_bear_any_name_and_each_its_own() -> None:
    names = ["two-coin", "a/b", "a%2Fb", "a b", "..", ".", "...", "a.", "a", " a", "a ", "\n", "A\tB", "שלום", "?", "*"]
    names += ['"', "\u00e9", "e\u0301"]
    names += ["x" * 10_000, "x" * 9_999 + "y", "/" * 10_000, "א" * 200]
    found = [directory_name(name) for name in names]
    assert len(set(found)) == len(names)
    assert found[0] == "two-coin"
    for name in found:
        assert len(name.encode()) <= LONGEST_DIRECTORY
        assert Path(name).name == name
        assert not set(name) & set('/\\:*?"<>|\n\t')
        assert name.strip(". ") == name
