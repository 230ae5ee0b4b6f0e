"""The data sets are the published ones, and their description is true of the files."""

from pathlib import Path

import numpy as np
import pytest

from comparisons import datasets
from comparisons.datasets import SOURCES, load

FOLDER = Path(datasets.__file__).parent
README = (FOLDER / "README.md").read_text(encoding="utf-8")

each_dataset = pytest.mark.parametrize("name", SOURCES)


def test_every_file_has_a_source_and_every_source_a_file() -> None:
    assert {path.stem for path in FOLDER.glob("*.csv")} == set(SOURCES)


@each_dataset
def test_readme_states_the_rows_and_columns_of_each_file(name: str) -> None:
    dataset = load(name)
    (line,) = (line for line in README.splitlines() if line.startswith(f"| `{name}.csv` "))
    _, _, rows, _, columns, _, _ = line.split("|")
    assert int(rows) == dataset.n
    assert all(f"`{column}`: " in columns for column in dataset.columns)


@each_dataset
def test_readme_states_the_source_of_each_file(name: str) -> None:
    assert f"* `{name}.csv`: {SOURCES[name]}" in README.splitlines()


@each_dataset
def test_readme_states_the_checksum_of_each_file(name: str) -> None:
    assert f"{load(name).sha256}  {name}.csv" in README.splitlines()


@each_dataset
def test_columns_are_of_equal_length_and_cannot_be_changed(name: str) -> None:
    dataset = load(name)
    assert {column.shape for column in dataset.columns.values()} == {(dataset.n,)}
    assert not any(column.flags.writeable for column in dataset.columns.values())


@each_dataset
def test_nothing_is_missing_but_the_documented_blanks(name: str) -> None:
    blanks = {
        title: np.count_nonzero(~np.isfinite(column))
        for title, column in load(name).columns.items()
        if column.dtype.kind == "f" and not np.isfinite(column).all()
    }
    assert blanks == ({"repwt": 17, "repht": 17} if name == "davis" else {})


def test_cells_become_integers_else_floats_else_strings() -> None:
    kinds = {title: column.dtype.kind for title, column in load("davis").columns.items()}
    assert kinds == {"sex": "U", "weight": "i", "height": "i", "repwt": "f", "repht": "f"}


def test_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"no data set 'old_faithful'; choose one of two_coin, .*faithful"):
        load("old_faithful")


def test_two_coin_tosses_are_those_of_do_and_batzoglou() -> None:
    columns = load("two_coin").columns
    np.testing.assert_array_equal(np.strings.count(columns["tosses"], "H"), [5, 9, 8, 4, 7])
    np.testing.assert_array_equal(np.strings.str_len(columns["tosses"]), 10)
    assert "".join(columns["coin"]) == "BAABA"


def test_single_tosses_are_those_of_li() -> None:
    np.testing.assert_array_equal(load("single_tosses").columns["heads"], [1, 1, 0, 1, 0, 0, 1, 0, 1, 1])


def test_saxony_has_6115_families_of_twelve_children() -> None:
    columns = load("saxony").columns
    assert columns["families"].sum() == 6115
    np.testing.assert_array_equal(columns["children"], 12)
    np.testing.assert_array_equal(columns["boys"], range(13))


def test_davis_has_weight_and_height_exchanged_in_row_12() -> None:
    columns = load("davis").columns
    assert (columns["weight"][11], columns["height"][11]) == (166, 57)
    assert (np.delete(columns["weight"], 11) < np.delete(columns["height"], 11)).all()


def test_galaxies_has_its_misprint_in_row_78() -> None:
    assert load("galaxies").columns["velocity_km_s"][77] == 26690


def test_faithful_and_geyser_are_different_data() -> None:
    # Number of eruptions: R packages datasets and MASS; the mean waiting time of faithful as summary() prints it in R.
    faithful, geyser = load("faithful"), load("geyser")
    assert (faithful.n, geyser.n) == (272, 299)
    assert round(float(faithful.columns["waiting"].mean()), 1) == 70.9
    assert set(np.unique(geyser.columns["duration"])) >= {2, 3, 4}, "the codes of nights"
