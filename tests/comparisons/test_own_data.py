"""Claims about own data: what is recognised of a table, what is refused and how, and what becomes a comparison."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from comparisons import own
from comparisons.command import own_data
from comparisons.command.command_line import main
from comparisons.families import FAMILIES
from comparisons.tables import read
from models import CoinTosses, Measurements

# As people have them: a byte order mark or none, separators, decimal marks, an empty line at the end.
WRITTEN: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "commas": ("height,sex\n1.5,f\n2.5,m\n", "utf-8", ("commas",)),
    "semicolons and decimal commas": ("height;sex\n1,5;f\n2,5;m\n\n", "utf-8", ("semicolons", "decimal comma")),
    "tabs": ("height\tsex\n1.5\tf\n2.5\tm\n", "utf-8-sig", ("tabs",)),
    "Windows": ("height;sex;Größe\n1,5;f;ä\n2,5;m;ö\n", "cp1252", ("Windows-1252", "semicolons", "decimal comma")),
    "UTF-16": ("height;sex\n1.5;f\n2.5;m\n", "utf-16", ("UTF-16", "semicolons")),
    "one column with decimal commas": ("height\n1,5\n2,5\n", "utf-8", ("decimal comma",)),
    "quotes": ('height,"sex"\n"1.5",f\n2.5,"m, or so"\n', "utf-8", ()),
}


@pytest.mark.parametrize("kind", WRITTEN)
def test_a_text_file_is_read_as_it_was_written_and_that_is_told(kind: str, tmp_path: Path) -> None:
    text, encoding, told = WRITTEN[kind]
    path = tmp_path / "people.csv"
    path.write_bytes(text.encode(encoding))
    table = read(path)
    assert table.numbers("height").tolist() == [1.5, 2.5]
    assert "sex" not in table.columns or table.words("sex")[0] == "f"
    notes = " ".join(table.notes)
    assert all(each in notes for each in told), notes


def test_frames_arrays_and_mappings_are_tables_too() -> None:
    values = {"a": [1.0, 2.0], "b": [3.0, 4.0]}
    for data in (values, pd.DataFrame(values), np.array([[1.0, 3.0], [2.0, 4.0]])):
        table = read(data)
        first, second = table.columns
        assert table.numbers(first).tolist() == [1.0, 2.0]
        assert table.numbers(second).tolist() == [3.0, 4.0]


def test_parquet_and_arrow_are_read_where_pyarrow_is(tmp_path: Path) -> None:
    frame = pd.DataFrame({"height": [1.5, None, 2.5], "sex": ["f", "m", None]})
    for name in ("people.parquet", "people.feather"):
        path = tmp_path / name
        frame.to_parquet(path) if path.suffix == ".parquet" else frame.to_feather(path)
        table = read(path)
        assert table.numbers("height")[[0, 2]].tolist() == [1.5, 2.5]
        assert table.words("sex") == ["f", "m", None]


PEOPLE = "height (cm);sex;day;n\n" + "".join(
    f"{h};{s};2024-01-0{d};{n}\n"
    for h, s, d, n in [
        ("181,5", "male", 1, 1),
        ("", "female", 2, 2),
        ("160,2", "", 3, 1),
        ("NA", "male", 4, 1),
        ("158,0", "female", 5, 3),
        ("176,4", "male", 6, 1),
        ("165,3", "female", 7, 2),
    ]
)


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text(PEOPLE)
    return path


def test_words_are_labels_empty_ones_unknown_and_names_of_components(people: Path) -> None:
    found = own.declared(people, columns="height", labels="sex", counts="n", missing="drop")
    rows = found.comparison.data(found.dataset)
    assert isinstance(rows, Measurements)
    assert found.comparison.components == ("female", "male")
    assert rows.labels.tolist() == [1, -1, 0, 1, 0]
    assert rows.counts.tolist() == [1, 1, 3, 1, 2]
    assert rows.y[:, 0].tolist() == [181.5, 160.2, 158.0, 176.4, 165.3]
    assert (found.comparison.features, found.comparison.unit) == (("height",), "cm")
    assert "2 of 7 rows are left out: column 'height (cm)' has 2 missing values, the first in line 3." in found.notes
    assert found.command == (
        f"comparisons run --data {people} --family gaussians --column 'height (cm)' --labels sex --counts n --components 2 "
        "--missing drop"
    )


@pytest.mark.parametrize(
    "labels",
    [["f", None, "m", ""], np.array(["f", "", "m", "NA"]), pd.array(["f", pd.NA, "m", pd.NA], dtype="string")],
)
def test_labels_beside_the_data_are_words_too(labels: Any) -> None:
    found = own.declared(np.array([1.0, 2.0, 4.0, 8.0]), labels=labels)
    assert found.comparison.components == ("f", "m")
    assert found.comparison.data(found.dataset).labels.tolist() == [0, -1, 1, -1]


def test_labels_that_tell_every_row_apart_are_none(people: Path) -> None:
    with pytest.raises(ValueError, match="column 'day' has another word in every row, so it tells no components"):
        own.declared(people, columns="n", labels="day")


def test_several_numbers_of_components_are_one_call_each(people: Path) -> None:
    with pytest.raises(TypeError, match=r"n_components is range\(1, 3\); compare one number at a time"):
        own.declared(people, columns="n", n_components=range(1, 3))  # type: ignore[arg-type]


def test_a_noun_of_models_is_taken_as_it_is() -> None:
    tosses = CoinTosses([1, 2], [3, 4])
    assert own.declared(tosses, n_components=1).command == "comparisons.compare(CoinTosses, n_components=1)"
    with pytest.raises(
        ValueError,
        match=r"columns, formula, labels, counts and concomitants are in models.CoinTosses; leave the arguments out",
    ):
        own.declared(tosses, n_components=1, columns="heads")
    with pytest.raises(ValueError, match=r"family is poissons but data is models.CoinTosses; leave the family out"):
        own.declared(tosses, "poissons", 1)


def test_names_of_components_are_matched_to_the_words_of_labels(people: Path) -> None:
    found = own.declared(people, columns="height", labels="sex", components=["male", "female"], missing="drop")
    assert found.comparison.data(found.dataset).labels.tolist() == [0, -1, 1, 0, 1]


def test_columns_called_as_a_family_calls_them_are_of_that_family() -> None:
    found = own.declared({"Events": [1, 4], "Exposure": [0.5, 2.0]}, n_components=1, columns=["Events", "Exposure"])
    assert found.told["family"] == "poissons"
    assert own.declared({"Heads": [1, 4], "TOSSES": [5, 5]}, n_components=1).told["family"] == "coins"


def test_own_data_do_not_take_the_name_of_a_comparison_of_the_catalogue(people: Path) -> None:
    path = people.with_name("heights.csv")
    path.write_text(people.read_text())
    options: dict[str, Any] = {"columns": "height", "labels": "sex", "missing": "drop"}
    assert own.declared(path, **options).comparison.name == "own-heights"
    with pytest.raises(ValueError, match="name is 'heights', which is a comparison of the catalogue"):
        own.declared(path, name="heights", **options)


REFUSED: list[tuple[dict[str, Any], str]] = [
    (
        {"columns": "height"},
        "column 'height (cm)' has 2 missing values, the first in line 3; fill them, or leave such rows out",
    ),
    ({"columns": "heigth"}, "people.csv has no column 'heigth'; did you mean 'height (cm)'?"),
    ({"columns": "day"}, "column 'day' is not numeric: it has '2024-01-01' in line 2 of people.csv"),
    (
        {"columns": "height", "missing": "drop", "decimal": "."},
        "column 'height (cm)' is not numeric: it has '181,5' in line 2",
    ),
    ({"columns": "height", "missing": "drop"}, "n_components is missing; say how many components there are"),
    ({"columns": "height", "labels": "sexe"}, "people.csv has no column 'sexe'; did you mean 'sex'?"),
    (
        {"columns": "height", "labels": "sex", "components": ["men", "women"], "missing": "drop"},
        "labels has 'female', which is none of the components men, women",
    ),
    (
        {"columns": ["height", "n"], "counts": "n", "missing": "drop"},
        "column 'n' of people.csv is named for two purposes",
    ),
    ({"columns": "height", "missing": "omit"}, 'missing is \'omit\'; give "refuse", "drop" or "marginal"'),
    ({"columns": "height", "family": "gaussian"}, "family is 'gaussian'; did you mean 'gaussians'?"),
    ({"columns": "height", "family": "normal"}, "family is 'normal'; did you mean 'gaussians'?"),
    ({"columns": "height", "family": "binomial"}, "family is 'binomial'; did you mean 'coins'?"),
    ({"columns": "height", "family": "weird"}, "family is 'weird'; there are coins, gaussians"),
    ({"columns": {"head": "n", "tosses": "n"}}, "which are no columns of one family"),
    ({"columns": "n", "family": "coins"}, "name heads and tosses, or heads and tails"),
    (
        {"columns": "height", "missing": "drop", "n_components": 3, "components": ["a", "b"]},
        "n_components is 3 but there are 2 components",
    ),
]


@pytest.mark.parametrize(("options", "message"), REFUSED, ids=[message[:50] for _, message in REFUSED])
def test_what_does_not_fit_is_refused_with_its_place_and_a_remedy(
    people: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as refused:
        own.declared(people, **options)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "people.csv is empty"),
        ("height\n", "people.csv has one line"),
        ("height,height\n1,2\n", "people.csv has two columns 'height'"),
        ("a,b\n1,2\n1,2,3\n", "line 3 of people.csv has 3 columns where the header has 2"),
        ("x,w\n1,5,2\n2,5,3\n", "line 2 of people.csv has 3 columns where the header has 2"),
        ("1.5\n2.5\n", "line 1 of people.csv has numbers where headers belong"),
        ("a\n3\n3\n3\n", "constant"),
        ("a,b\nx,y\nz,w\n", "people.csv has no column of numbers among a, b"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "people.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=re.escape(message)):
        own.declared(path, n_components=1)


def test_what_decides_a_comparison_changes_its_key(people: Path) -> None:
    options: dict[str, Any] = {"columns": "height", "missing": "drop", "n_components": 2}
    keys = {
        own.key_of(own.declared(people, **(options | changed)))
        for changed in ({}, {"weights": "equal"}, {"covariance": "tied"}, {"components": ["a", "b"]}, {"title": "T"})
    }
    assert len(keys) == 5
    assert own.key_of(own.declared(people, **options)) in keys


ROWS: list[tuple[str, dict[str, Any], str]] = [
    ("heads,tosses\n5,10\n,3\n5.5,10\n", {}, "column 'heads' in line 4 of t.csv is 5.5, which is not a whole number"),
    ("heads,tosses\n5,10\n,3\n11,10\n", {}, "column 'heads' in line 4 of t.csv is 11 but only 10 coins were tossed"),
    ("heads,tails\n5,10\n,3\n5,-2\n", {}, "column 'tails' in line 4 of t.csv is -2, which is below 0"),
    (
        "events,exposure\n5,1\n,3\n5,0\n",
        {},
        "column 'exposure' in line 4 of t.csv is 0; events are counted over a positive",
    ),
    ("y,n\n5,1\n,3\n6,-1\n", {"columns": "y", "counts": "n"}, "column 'n' in line 4 of t.csv is -1, which is below 0"),
    ("toss,bag\nH,a\n,b\nK,a\n", {}, "column 'toss' has 'K' in line 4 of t.csv; a toss is one of 1, h, head"),
    (
        "toss,bag,coin\nH,a,A\n,b,B\nT,a,B\n",
        {"labels": "coin"},
        "column 'coin' in line 4 of t.csv is not that of the first toss of its bag",
    ),
    ("height (cm)\n3\n3\n3\n", {}, "column 'height (cm)' of t.csv is constant (3)"),
]


@pytest.mark.parametrize(("text", "options", "told"), ROWS, ids=[told[:40] for *_, told in ROWS])
def test_what_a_family_cannot_have_is_told_by_column_and_line(
    text: str, options: dict[str, Any], told: str, tmp_path: Path
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=re.escape(told)):
        own.declared(path, n_components=2, missing="drop", **options)


@pytest.mark.parametrize(("heads", "tails"), [("H", "T"), ("heads", "tails"), ("yes", "no"), (True, False), (1, 0)])
def test_a_toss_may_be_a_word_and_which_is_heads_is_told(heads: Any, tails: Any) -> None:
    data = {"toss": [heads, tails, heads, heads], "bag": ["a", "a", "b", "b"]}
    found = own.declared(data, n_components=2)
    rows = found.comparison.data(found.dataset)
    assert (rows.heads.tolist(), rows.tosses.tolist()) == ([1, 2], [2, 2])
    told = f"In column 'toss' stands {heads} for 1, {tails} for 0."
    assert (told in found.notes) == (heads != 1 or heads is True)


def test_every_measurement_has_a_title_and_a_unit_of_its_own() -> None:
    values = {
        "height (cm)": [1.0, 2.0, 4.0, 3.0, 2.0],
        "w": [2.0, 7.0, 1.0, 0.0, 5.0],
        "mmol/L": [3.0, 1.0, 1.0, 2.0, 0.0],
    }
    found = own.declared(values, n_components=1).comparison
    assert (found.features, found.unit, found.units) == (("height", "w", "mmol/L"), "", {"height": "cm"})
    assert own.declared(values, n_components=1, unit="m").comparison.units == {}
    titled = {"stature (cm)": "height", "mass (kg)": "w"}
    asked = own.declared(values, n_components=1, columns=titled)
    assert asked.comparison.features == ("stature", "mass")
    assert asked.comparison.units == {"stature": "cm", "mass": "kg"}
    assert "Units: stature in cm, mass in kg." in asked.notes
    alike = own.declared({"x (cm)": [1.0, 2.0, 4.0], "x (in)": [2.0, 1.0, 5.0]}, n_components=1).comparison
    assert (alike.features, alike.units) == (("x (cm)", "x (in)"), {})


def test_columns_of_a_family_are_not_guessed_by_their_order() -> None:
    with pytest.raises(
        ValueError, match=re.escape("has number, h, n, none called as coins call theirs (heads, tosses")
    ):
        own.declared({"number": [1, 2], "h": [1, 2], "n": [3, 4]}, "coins", 2)
    asked = own.declared({"tosses": [3, 4], "heads": [1, 2]}, "coins", 2, columns=["tosses", "heads"])
    assert asked.comparison.data(asked.dataset).tosses.tolist() == [3, 4]


def test_an_option_that_a_family_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="covariance is 'tied' but coins have none"):
        own.declared({"heads": [1, 2], "tosses": [3, 4]}, n_components=2, covariance="tied")


def test_names_of_components_say_how_many_there_are(people: Path) -> None:
    assert own.declared(people, columns="n", components=["a", "b"]).comparison.components == ("a", "b")


def test_the_command_that_is_told_asks_for_the_same(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from models import GaussianPrior

    monkeypatch.chdir(people.parent)
    written: list[dict[str, Any]] = [
        {"columns": "height", "labels": "sex", "missing": "drop", "decimal": ",", "separator": ";"},
        {
            "columns": {"stature (m)": "height"},
            "n_components": 2,
            "missing": "drop",
            "weights": "equal",
            "name": "it's",
        },
        {"columns": ["height", "n"], "n_components": 1, "missing": "drop", "covariance": "diagonal"},
        {"columns": ["n"], "family": "poissons", "n_components": 2},
    ]
    for options in written:
        asked = own.declared("people.csv", **options)
        context = main.make_context("comparisons", shlex.split(asked.command)[1:])
        run = main.commands["run"].make_context("run", shlex.split(asked.command)[2:], parent=context)
        (again,) = own_data.asked(run, (), {k: run.params[k] for k in own.ON_COMMAND_LINE}, None)
        assert own.key_of(again.own) == own.key_of(asked)
        assert again.command == asked.command
    # For what the command line has no words there is Python.
    prior = GaussianPrior(mean=170.0, shrinkage=0.05, degrees_of_freedom=5.0, scale=1 / 3)
    in_python: list[dict[str, Any]] = [
        {"weights": [0.25, 0.75]},
        {"prior": prior},
        {"title": "It's"},
        {"components": ["a", "b"]},
    ]
    for options in in_python:
        asked = own.declared("people.csv", n_components=2, columns="height", missing="drop", **options)
        assert asked.command.startswith("comparisons.compare('people.csv', ")
        names = {"comparisons": SimpleNamespace(compare=own.declared), "GaussianPrior": GaussianPrior}
        assert own.key_of(eval(asked.command, names)) == own.key_of(asked)
    assert own.declared({"heads": [1, 2], "tosses": [3, 4]}, n_components=2, labels=[0, -1]).command == (
        "comparisons.compare(a_mapping_of_columns, n_components=2, labels=labels, family='coins', columns=['heads', 'tosses'])"
    )


def test_every_digit_of_a_prior_decides() -> None:
    from models import GaussianPrior

    y, scale = np.random.default_rng(1).normal(size=(40, 5)), np.eye(5)
    keys = set()
    for last in (1.0, 1.0 + 1e-12):
        scale[4, 4] = last
        keys.add(own.key_of(own.declared(y, n_components=1, prior=GaussianPrior(np.zeros(5), 0.1, 9.0, scale))))
    assert len(keys) == 2


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_says_what_columns_it_has(name: str) -> None:
    family = FAMILIES[name]
    assert family.columns_told
    assert family.default_reason
    assert all(role in family.columns_told for role in family.roles[:2])
