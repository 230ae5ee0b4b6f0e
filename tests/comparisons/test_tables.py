"""Claims about tables: cells of any library are read as what they are, and a file that is none is refused with its line."""

from __future__ import annotations

import datetime
import os
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from comparisons import tables
from comparisons.tables import read

NUMBERS = "".join(f"{150 + k}.5,{k}\n" for k in range(6))
# Content, and what is said of column h, or of the file.
REFUSED: dict[str, tuple[str | bytes, str]] = {
    "a typing error": (f"h,w\n{NUMBERS}abc,1\n", "it has 'abc' in line 8 of t.csv; mend it"),
    "text": (
        "h,w\na,1\nb,2\n",
        "it has 'a' in line 2 of t.csv and 1 more cell that is no number; mend it, or choose",
    ),
    "dates": (
        "h,w\n2024-01-31,1\n2024-02-01,2\n",
        "it has '2024-01-31' in line 2 of t.csv and 1 more cell that is no number; it is a date",
    ),
    "too large": (
        f"h,w\n{NUMBERS}1e400,1\n",
        "it has '1e400' in line 8 of t.csv; it is larger than a computer's numbers",
    ),
    "infinite": (f"h,w\n{NUMBERS}-inf,1\n", "it has '-inf' in line 8 of t.csv; numbers have to be finite"),
    "percent": ("h,w\n5 %,1\n6 %,2\n", "take the percent signs out of the cells, into the header as 'h (%)'"),
    "units": ("h,w\n5 cm,1\n6 cm,2\n", "take the unit out of the cells, into the header as 'h (unit)'"),
    "thousands": (
        'h,w\n"1,234.5",1\n"1,300.0",2\n',
        "it has '1,234.5' in line 2 of t.csv and 1 more cell that is no number; take out",
    ),
    "two meanings": (
        "h;w\n1,234;1\n12,300;2\n",
        "column 'h' has '1,234' in line 2 of t.csv, which may be a thousand and more",
    ),
    "a point beside decimal commas": (
        "h;w\n1,5;1\n" + "2,5;1\n" * 1000 + "1.234;2\n",
        "it has '1.234' in line 1003 of t.csv; take out what",
    ),
    "headers alike": ("h,h\n1,2\n", "line 1 of t.csv has two columns 'h'; rename one"),
    "nothing": ("", "t.csv is empty"),
    "blank lines": ("\n\n\n", "t.csv is empty"),
    "a header alone": ("h,w\n", "t.csv has one line; give a header and one line for each row"),
    "no header": ("1.5,2\n2.5,3\n", "line 1 of t.csv has numbers where headers belong"),
    "a quote that is not closed": (
        f'h,w\n"1,2\n{NUMBERS}',
        "line 2 of t.csv: a quote is opened or closed where none belongs",
    ),
    "text after a quote": (
        f'h,w\n"1"5,2\n{NUMBERS}',
        "line 2 of t.csv: a quote is opened or closed where none belongs",
    ),
    "a short line": (f"h,w\n{NUMBERS}3\n", "line 8 of t.csv has 1 columns where the header has 2"),
    "NUL": (f"h,w\n{NUMBERS}\0,1\n", "line 8 of t.csv has a NUL byte, so it is no text"),
    "a workbook": (b"PK\x03\x04 and more", "t.csv is no text but a workbook or an archive; save its sheet as CSV"),
    "half of UTF-16": (b"\xff\xfeh\0,\0w", "t.csv begins as UTF-16 and is none at byte"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_a_cell_that_is_no_number_is_told_with_its_line_and_what_to_do(kind: str, tmp_path: Path) -> None:
    content, told = REFUSED[kind]
    path = tmp_path / "t.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ValueError, match=re.escape(told)) as refused:
        read(path).numbers("h")
    assert len(str(refused.value)) < 300


READ: dict[str, str] = {
    "blanks around": " h , w \n 1.5 , 2 \n 2.5 ,3\n",
    "aligned by blanks": "h    w\n1.5  2\n  2.5 3 \n",
    "row names": '"","h","w"\n"1",1.5,2\n"2",2.5,3\n',
    "a separator at the end": "h,w,\n1.5,2,\n2.5,3,\n",
    "old line ends": "h,w\r1.5,2\r2.5,3\r",
    "quoted separators": 'h;"w; or so"\n1.5;2\n2.5;"3"\n',
    "decimal commas between commas": 'h,w\n"1,5",2\n"2,5",3\n',
    "a true minus": "h,w\n1.5,−2\n2.5,3\n",
}


@pytest.mark.parametrize("kind", READ)
def test_what_people_write_is_read(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(READ[kind], newline="")
    table = read(path)
    assert table.numbers("h").tolist() == [1.5, 2.5]
    assert np.abs(table.numbers(list(table.columns)[1])).tolist() == [2, 3]


def test_none_is_a_category_in_a_file_as_in_a_frame(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("sport,n\nnone,1\nlots,2\nn/a,3\nsome,4\n")
    frame = pd.DataFrame({"sport": ["none", "lots", None, "some"]})
    assert read(path).words("sport") == read(frame).words("sport") == ["none", "lots", None, "some"]


def test_a_column_of_numbers_with_a_mistake_is_not_left_out_in_silence(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"h,name\n{NUMBERS}abc,1\n")
    table = read(path)
    assert table.why_not_numeric("name") is None
    with pytest.raises(ValueError, match="'abc' in line 8"):
        table.why_not_numeric("h")
    path.write_text("h,name\n1,ann\n2,3\n3,bob\n")
    assert read(path).why_not_numeric("name") == "name has 'ann'"


NULLABLE: dict[str, Any] = {
    "pandas integers": pd.array([None, 2, 3], dtype="Int64"),
    "pandas floats": pd.array([pd.NA, 2.0, 3.0], dtype="Float64"),
    "pandas objects": pd.Series([None, 2, 3], dtype=object),
    "Arrow in pandas": pd.array([None, 2.0, 3.0], dtype="double[pyarrow]"),
    "Arrow": pa.chunked_array([[None, 2, 3]]),
    "Arrow decimals": pa.chunked_array([pa.array([None, Decimal(2), Decimal(3)])]),
    "a mask over floats": np.ma.masked_array([9.0, 2.0, 3.0], [True, False, False]),
    "a mask over integers": np.ma.masked_array([9, 2, 3], [True, False, False]),
    "NaN": np.array([np.nan, 2.0, 3.0]),
    "text": ["", "2", "3.0"],
}  # fmt: skip


@pytest.mark.parametrize("kind", NULLABLE)
def test_what_is_missing_is_missing_in_any_library(kind: str) -> None:
    table = read({"h": NULLABLE[kind]})
    assert table.missing("h").tolist() == [0]
    assert table.numbers("h")[1:].tolist() == [2, 3]


def test_words_are_words_in_any_library() -> None:
    for values in (
        pd.Categorical([None, "f", "m"]),
        pd.array([None, "f", "m"], dtype="string"),
        pa.chunked_array([pa.array([None, "f", "m"]).dictionary_encode()]),
    ):
        assert read({"s": values}).words("s") == [None, "f", "m"]


DAYS = [datetime.datetime(2024, 1, day) for day in (1, 2)]
NO_NUMBERS: dict[str, Any] = {
    "dates of NumPy": np.array(DAYS, dtype="datetime64[ns]"),
    "dates of pandas": pd.date_range("2024", periods=2),
    "dates with a zone": pd.date_range("2024", periods=2, tz="UTC"),
    "dates of Arrow": pa.chunked_array([DAYS]),
    "spans of time": np.array([1, 2], dtype="timedelta64[s]"),
    "booleans": [True, False],
    "mixed": [1, "a"],
    "complex": [1j, 2j],
    "lists": pd.Series([[1], [2]]),
    "infinite": [np.inf, 1.0],
}


@pytest.mark.parametrize("kind", NO_NUMBERS)
def test_no_other_kind_becomes_a_number(kind: str) -> None:
    table = read({"h": NO_NUMBERS[kind]})
    with pytest.raises(ValueError, match=r"column 'h' is not numeric: it has .* in row [01] of a mapping of columns"):
        table.numbers("h")


def test_a_lazy_frame_is_to_be_collected_first() -> None:
    import dask.dataframe

    lazy = dask.dataframe.from_pandas(pd.DataFrame({"h": [1.0, 2.0]}), npartitions=1)
    with pytest.raises(TypeError, match="data is a lazy DataFrame of dask; collect or compute it first"):
        read(lazy)


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_a_file_beyond_memory_is_refused_before_it_is_read(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / name
    frame = pd.DataFrame({"h": np.arange(1000.0)})
    frame.to_parquet(path) if path.suffix == ".parquet" else frame.to_csv(path, index=False)
    assert read(path).n == 1000
    monkeypatch.setattr(tables, "available_memory", lambda: 10_000)
    told = rf"{name} takes about .* GB of memory and 1e-05 GB are free; .* by EM alone, which reads Parquet in parts"
    with pytest.raises(ValueError, match=told):
        read(path)


def test_the_memory_that_is_free_is_known() -> None:
    assert 10**7 < tables.available_memory() < 10**15


def test_options_of_text_files_are_refused_for_others(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="separator and decimal are of text files"):
        read({"h": [1.0]}, separator=";")
    path = tmp_path / "t.csv"
    path.write_text("h;w\n1;2\n")
    for options, told in (
        ({"separator": ";;"}, "separator is ';;'; give one character"),
        ({"separator": ",", "decimal": ","}, "separator and decimal are both ','"),
    ):
        with pytest.raises(ValueError, match=re.escape(told)):
            read(path, **options)


@pytest.mark.parametrize("name", ["t.parquet", "t.feather", "folder"])
def test_what_is_no_parquet_or_arrow_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if path.suffix:
        path.write_text("h,w\n1,2\n")
    else:
        path.mkdir()
        (path / "t.csv").write_text("h,w\n1,2\n")
    with pytest.raises(ValueError, match=f"{name} is no (Parquet|Arrow) file, nor a directory of such"):
        read(path)


def test_a_directory_of_parquet_is_one_table(tmp_path: Path) -> None:
    for part in (1, 2):
        pd.DataFrame({"h": [1.0 * part, 2.0]}).to_parquet(tmp_path / f"{part}.parquet")
    assert read(tmp_path).numbers("h").tolist() == [1.0, 2.0, 2.0, 2.0]


def test_what_cannot_be_read_twice_is_refused() -> None:
    reading, writing = os.pipe()
    try:
        with pytest.raises(ValueError, match="is no file that can be read again; save it as one first"):
            read(f"/dev/fd/{reading}")
    finally:
        os.close(reading)
        os.close(writing)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a;b\n1;2\n;\n3;4\n;\n", "Lines of x.csv with nothing in any column are left out: 2, first line 3."),
        ("a\n1\n\n3\n\n", "Lines of x.csv with nothing in any column are left out: 1, first line 3."),
        ("a;b\n1;2\n3;4\n\n", ""),
    ],
)
def test_lines_without_anything_are_left_out_and_told(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(text)
    table = read(tmp_path / "x.csv")
    assert table.n == 2
    assert [note for note in table.notes if "nothing" in note] == ([told] if told else [])


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("height (cm)", ("height", "cm")),
        ("Größe [m²]", ("Größe", "m²")),
        ("mmol/L", ("mmol/L", "")),
        (" weight ", ("weight", "")),
    ],
)
def test_a_unit_is_taken_off_a_header(header: str, expected: tuple[str, str]) -> None:
    assert tables.name_and_unit(header) == expected


def test_numbers_have_one_digest_however_they_lie_in_memory() -> None:
    y = np.arange(12.0).reshape(6, 2)
    digest = read(y).sha256
    assert {read(each).sha256 for each in (y.copy(order="F"), y.astype(">f8"), y[::-1][::-1])} == {digest}
    assert len({digest, read(y + 1).sha256, read(y[:, ::-1]).sha256, read(y.astype(int)).sha256}) == 4


def test_numbers_that_are_missing_or_infinite_are_found_by_row() -> None:
    table = read({"y": np.array([1.0, np.nan, 3.0]), "n": np.array([1, 2, 3]), "x": np.array([1.0, np.inf, 3.0])})
    assert [table.missing(name).tolist() for name in table.columns] == [[1], [], []]
    assert [table.why_not_numeric(name) for name in ("y", "n")] == [None, None]
    with pytest.raises(ValueError, match="it has inf in row 1"):
        table.why_not_numeric("x")
