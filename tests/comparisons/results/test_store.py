"""What is stored is whole, strict and read back as it was; what cannot be used says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray

from comparisons import read
from comparisons.results import store
from comparisons.results.files import write_text
from comparisons.results.result import SCHEMA_VERSION, Result
from comparisons.results.store import NoStoredResult, StoredResultError
from comparisons.sampled import SampledResult
from tests.stored_results import geyser, two_coins


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "two-coin"
    store.write(two_coins(), path)
    return path


def without_draws(result: SampledResult) -> Result:
    return Result(**{field.name: getattr(result, field.name) for field in fields(Result)})


@pytest.mark.parametrize("make", [two_coins, geyser])
def test_a_result_is_read_back_as_it_was_written(make: Any, tmp_path: Path) -> None:
    result = make()
    store.write(result, tmp_path / result.name)
    assert store.read(tmp_path / result.name) == without_draws(result)
    assert read(tmp_path / result.name / "result.json") == without_draws(result)
    xarray.testing.assert_equal(
        store.read_posterior(tmp_path / result.name)["posterior"].dataset, result.posterior["posterior"].dataset
    )


def test_json_is_strict_and_in_the_order_of_declaration(directory: Path) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    stored = json.loads((directory / "result.json").read_text(), parse_constant=refuse)
    assert list(stored) == [*(field.name for field in fields(Result)), "digest"]


def numbers(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where numbers stand in a JSON value."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from numbers(inner, (*place, key))
    elif isinstance(value, float | int) and not isinstance(value, bool):
        yield place


def test_a_number_changed_by_hand_is_noticed_wherever_it_stands(directory: Path) -> None:
    path = directory / "result.json"
    original = path.read_text()
    places = [place for place in numbers(json.loads(original)) if place != ("schema_version",)]
    # Every fortieth of some thousand, and the first of each field.
    first = {place[0]: place for place in reversed(places)}
    for place in [*first.values(), *places[::40]]:
        changed = json.loads(original)
        *way, last = place
        inner = changed
        for key in way:
            inner = inner[key]
        inner[last] += 1
        path.write_text(json.dumps(changed))
        with pytest.raises(StoredResultError, match=r"was changed after it was written.*run the comparison again"):
            store.read(directory)
    path.write_text(json.dumps(json.loads(original)))
    assert store.read(directory) == without_draws(two_coins()), "another layout is no change"


def test_a_crash_is_told_until_a_run_ends(directory: Path) -> None:
    assert store.later_run(directory) is None
    store.begin_run("two-coin", directory)
    under_way = store.later_run(directory)
    assert under_way is not None
    assert "has not ended" in under_way.told
    store.fail_run("two-coin", directory, "ValueError: bad luck")
    crashed = store.later_run(directory)
    assert crashed is not None
    assert crashed.told == f"The run of {under_way.started} crashed: ValueError: bad luck."
    store.end_run(directory)
    assert store.later_run(directory) is None


def test_two_equal_results_have_the_same_bytes(directory: Path, tmp_path: Path) -> None:
    store.write(two_coins(), tmp_path / "again")
    assert (directory / "result.json").read_bytes() == (tmp_path / "again" / "result.json").read_bytes()


def test_a_number_that_has_to_exist_and_does_not_is_refused(directory: Path) -> None:
    before = (directory / "result.json").read_bytes()
    result = two_coins()
    broken = replace(result, em=replace(result.em, modes=[replace(result.em.modes[0], log_likelihood=np.nan)]))
    with pytest.raises(StoredResultError, match=r"em\.modes\[0\]\.log_likelihood"):
        store.write(broken, directory)
    assert (directory / "result.json").read_bytes() == before


def test_a_failure_in_the_middle_leaves_the_old_result(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path.name: path.read_bytes() for path in directory.iterdir()}

    def fail(self: xarray.DataTree, path: Path, **_: Any) -> None:
        Path(path).write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(xarray.DataTree, "to_netcdf", fail)
    with pytest.raises(OSError, match="no space left"):
        store.write(replace(two_coins(), summary="newer"), directory)
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == before


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = write_text(tmp_path / "a" / "table.csv", "old\n")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "half \ud800")
    assert path.read_text() == "old\n"
    assert list(path.parent.iterdir()) == [path]


def test_a_missing_result_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(NoStoredResult, match=r"result\.json does not exist.*comparisons run two-coin --out"):
        store.read(tmp_path / "two-coin")


def test_a_missing_posterior_says_how_to_make_it(directory: Path) -> None:
    (directory / "posterior.nc").unlink()
    with pytest.raises(NoStoredResult, match=r"posterior\.nc does not exist"):
        store.read_posterior(directory)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[: len(text) // 2], "is not a result"),
        (lambda text: text.replace('"differ"', '"perhaps"', 1), "Invalid enum value 'perhaps'"),
        (
            lambda text: text.replace(f'"schema_version": {SCHEMA_VERSION}', '"schema_version": 99', 1),
            "has schema version 99",
        ),
        (lambda text: text.replace('"reasons"', '"excuses"', 1), "missing required field `reasons`"),
        (lambda text: "[]", "is not a result"),
    ],
)
def test_a_damaged_result_is_refused_with_a_remedy(directory: Path, change: Any, message: str) -> None:
    path = directory / "result.json"
    path.write_text(change(path.read_text()))
    with pytest.raises(StoredResultError) as error:
        store.read(directory)
    assert message in str(error.value)
    assert str(path) in str(error.value)
    assert "run the comparison again" in str(error.value)


def test_a_damaged_posterior_is_refused_with_a_remedy(directory: Path) -> None:
    (directory / "posterior.nc").write_bytes(b"half")
    with pytest.raises(StoredResultError, match=r"posterior\.nc cannot be read.*run the comparison again"):
        store.read_posterior(directory)


def test_draws_of_another_run_are_refused(directory: Path) -> None:
    other = two_coins()
    other = replace(other, provenance=replace(other.provenance, started="2026-01-03T00:00:00+00:00"))
    (directory / "result.json").write_bytes(store.encode(without_draws(other)))
    with pytest.raises(StoredResultError, match="another run"):
        store.read_posterior(directory)
    assert store.reusable(directory, "ef" * 32) is None


def test_only_a_complete_result_of_the_same_key_is_reused(directory: Path) -> None:
    assert store.reusable(directory, "ef" * 32) == without_draws(two_coins())
    assert store.reusable(directory, "another") is None
    assert store.reusable(directory / "elsewhere", "ef" * 32) is None
    (directory / "posterior.nc").unlink()
    assert store.reusable(directory, "ef" * 32) is None
