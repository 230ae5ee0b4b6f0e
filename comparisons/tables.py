"""Tables as people have them: files and frames, read to columns of text and numbers, with what was recognised on the way."""

from __future__ import annotations

import csv
import difflib
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from models.inputs import Floats, Integers, shown, some_of

# A separator that no text has.
ONE_COLUMN = "\x1f"
SEPARATORS = {";": "semicolons", "\t": "tabs", ",": "commas", "|": "bars"}
# How a missing cell is written.
MISSING = frozenset(("", "na", "n/a", "nan", "null", "none", ".", "-", "?", "missing"))
NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
# A unit at the end of a header: in parentheses, or in brackets.
UNIT = re.compile(r"(?P<name>.*\S)\s*[(\[](?P<unit>[^()\[\]]+)[)\]]")
# Lines that are looked at to recognise the separator, and cells for the decimal mark.
LOOKED_AT = 50
SUFFIXES = {".parquet": "parquet", ".arrow": "ipc", ".feather": "ipc", ".ipc": "ipc"}


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Columns by their headers.

    Attributes
    ----------
    source : file name, or what kind of object it was
    columns : ``(n,)`` each, text as it stands in a file, or whatever a frame holds
    lines : of a text file the line of each row, for messages; empty for what has no lines
    decimal : ``"."`` or ``","``
    notes : what was recognised, a sentence each
    sha256 : of the file's bytes, or of the columns
    """

    source: str
    columns: Mapping[str, Any]
    lines: tuple[int, ...]
    decimal: str
    notes: tuple[str, ...]
    sha256: str

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def place(self, row: int) -> str:
        """Where a row stands."""
        return f"line {self.lines[row]}" if self.lines else f"row {row}"

    def header(self, asked: str) -> str:
        """The header that was asked for, with or without its unit.

        Raises
        ------
        ValueError
            if there is none; the message has the nearest
        """
        if asked in self.columns:
            return asked
        without = [header for header in self.columns if name_and_unit(header)[0] == asked]
        if len(without) == 1:
            return without[0]
        names = {name_and_unit(header)[0].lower(): header for header in self.columns}
        near = difflib.get_close_matches(name_and_unit(asked)[0].lower(), list(names), n=1, cutoff=0.5)
        meant = f"did you mean {names[near[0]]!r}?" if near else f"there are {some_of(self.columns)}"
        raise ValueError(f"{self.source} has no column {asked!r}; {meant}")

    def numbers(self, header: str) -> Floats:
        """``(n,)`` numbers of a column, NaN where a cell is missing.

        Raises
        ------
        ValueError
            for a column that holds anything else; the message has its first such line
        """
        column = self.columns[header]
        array = np.asarray(column)
        if array.dtype.kind in "iuf":
            return array.astype(float)
        found = np.empty(self.n)
        for row, cell in enumerate(array.tolist()):
            if _is_missing(cell):
                found[row] = np.nan
                continue
            text = cell.strip() if isinstance(cell, str) else cell
            if isinstance(text, str) and NUMBER.fullmatch(text) and not (self.decimal == "." and "," in text):
                found[row] = float(text.replace(",", "."))
            elif isinstance(text, int | float) and not isinstance(text, bool):
                found[row] = float(text)
            else:
                raise ValueError(
                    f"column {header!r} is not numeric: it has {shown(cell)} in {self.place(row)} of {self.source}; choose a "
                    "column of numbers, or name the decimal mark"
                )
        return found

    def words(self, header: str) -> list[str | None]:
        """What a column says in words, None where a cell is missing."""
        found: list[str | None] = []
        for cell in np.asarray(self.columns[header]).tolist():
            whole = isinstance(cell, float) and cell == cell and cell.is_integer()
            found.append(None if _is_missing(cell) else str(int(cell)) if whole else str(cell).strip())
        return found

    def is_numeric(self, header: str) -> bool:
        """Whether a column holds numbers."""
        try:
            return not np.isnan(self.numbers(header)).all()
        except ValueError:
            return False


def name_and_unit(header: str) -> tuple[str, str]:
    """Take a header such as ``height (cm)`` apart; no unit where there is none.

    Examples
    --------
    >>> name_and_unit("height (cm)"), name_and_unit("mmol/L")
    (('height', 'cm'), ('mmol/L', ''))
    """
    found = UNIT.fullmatch(header.strip())
    return (found["name"], found["unit"].strip()) if found else (header.strip(), "")


def _is_missing(cell: Any) -> bool:
    return cell is None or cell != cell or (isinstance(cell, str) and cell.strip().lower() in MISSING)


def read(data: Any, separator: str | None = None, decimal: str | None = None) -> Table:
    """Read a table from a path, a frame of pandas or polars, a mapping of columns, or an array.

    Parameters
    ----------
    data : path of CSV, TSV, Parquet or Arrow, a DataFrame, a mapping of columns, or ``(n,)`` or ``(n, d)`` numbers
    separator, decimal : of a text file; recognised where None

    Raises
    ------
    OSError
        for a file that cannot be read
    TypeError, ValueError
        for what is no table, is empty, or has two columns of one header
    """
    if isinstance(data, str | Path):
        path = Path(data)
        if path.suffix.lower() in SUFFIXES:
            return _of_arrow(path, SUFFIXES[path.suffix.lower()])
        return _of_text(path, separator, decimal)
    if hasattr(data, "columns"):
        headers = [str(each) for each in data.columns]
        _distinct(headers, type(data).__name__)
        columns = {str(each): np.asarray(data[each]) for each in data.columns}
        return _table(f"a {type(data).__module__.partition('.')[0]} DataFrame", columns)
    if isinstance(data, Mapping):
        return _table("a mapping of columns", {str(each): np.asarray(values) for each, values in data.items()})
    array = np.asarray(data)
    if array.dtype.kind not in "iufb" or array.ndim not in (1, 2):
        raise TypeError(
            f"data is {shown(data)} of type {type(data).__name__}; give a path, a DataFrame, a mapping of columns, or numbers of "
            "shape (n,) or (n, d)"
        )
    if array.ndim == 1:
        return _table("an array", {"y": array})
    return _table("an array", {f"y{j + 1}": column for j, column in enumerate(array.T)})


def _table(source: str, columns: dict[str, Any]) -> Table:
    lengths = {name: len(values) for name, values in columns.items()}
    if not lengths or not max(lengths.values()):
        raise ValueError(f"{source} has no rows; give one row for each observation")
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{source} has columns of {some_of(lengths.values())} rows; give columns of one length")
    digest = hashlib.sha256()
    for name, values in columns.items():
        digest.update(f"{name}\0{values.dtype}\0".encode())
        digest.update("\0".join(map(str, values.tolist())).encode())
    return Table(source, columns, (), ".", (), digest.hexdigest())


def _of_text(path: Path, separator: str | None, decimal: str | None) -> Table:
    raw = path.read_bytes()
    text, encoding = _decoded(raw)
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 2:
        raise ValueError(f"{path.name} has {len(lines)} lines; give a header and one line for each row")
    notes = [] if encoding == "UTF-8" else [f"{path.name} is read as {encoding}."]
    if separator is None:
        separator = _separator(lines[:LOOKED_AT])
        if separator is None:
            # One column; or lines of unequal numbers of columns, which are refused below.
            separator = next((mark for mark in SEPARATORS if mark in lines[0]), ONE_COLUMN)
        else:
            notes.append(f"Columns of {path.name} are separated by {SEPARATORS[separator]}.")
    reader = csv.reader(StringIO(text), delimiter=separator)
    headers = [each.strip() for each in next(reader)]
    if all(NUMBER.fullmatch(header) for header in headers):
        raise ValueError(f"the first line of {path.name} has numbers where headers belong; name the columns there")
    _distinct(headers, path.name)
    rows, places = [], []
    for row in reader:
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(headers):
            raise ValueError(
                f"line {reader.line_num} of {path.name} has {len(row)} columns where the header has {len(headers)}; mend it, or "
                "name the separator and the decimal mark"
            )
        rows.append(row)
        places.append(reader.line_num)
    if not rows:
        raise ValueError(f"{path.name} has no rows under its header; give one line for each observation")
    columns = {
        header: np.array(cells, dtype=object) for header, cells in zip(headers, zip(*rows, strict=True), strict=True)
    }
    if decimal is None:
        decimal = _decimal(columns, separator)
        if decimal == ",":
            notes.append(f"Numbers of {path.name} have a decimal comma.")
    return Table(path.name, columns, tuple(places), decimal, tuple(notes), hashlib.sha256(raw).hexdigest())


def _of_arrow(path: Path, kind: str) -> Table:
    try:
        import pyarrow.dataset
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"reading {path} needs pyarrow, which is not installed; pip install em-comparisons[dask]"
        ) from error
    if not path.exists():
        raise FileNotFoundError(2, "there is no such file", str(path))
    found = pyarrow.dataset.dataset(path, format=kind).to_table()
    columns = {name: found[name].to_numpy() for name in found.column_names}
    table = _table(path.name, columns)
    return Table(path.name, columns, (), ".", (), table.sha256)


def _decoded(raw: bytes) -> tuple[str, str]:
    """The text of a file and its encoding: by a mark at its beginning, else UTF-8, else that of Windows."""
    for mark, encoding, told in (
        (b"\xef\xbb\xbf", "utf-8-sig", "UTF-8"),
        (b"\xff\xfe", "utf-16", "UTF-16"),
        (b"\xfe\xff", "utf-16", "UTF-16"),
    ):
        if raw.startswith(mark):
            return raw.decode(encoding), told
    try:
        return raw.decode(), "UTF-8"
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace"), "Windows-1252, as it is not UTF-8"


def _separator(lines: Sequence[str]) -> str | None:
    """The separator that cuts all lines into the same number of columns, the most of them; None where there is one column."""
    counted = {mark: {line.count(mark) for line in lines} for mark in SEPARATORS}
    even = {mark: counts.pop() for mark, counts in counted.items() if len(counts) == 1}
    best = max(even, key=lambda mark: (even[mark] > 0, mark != ",", even[mark]), default=None)
    return best if best is not None and even[best] else None


def _decimal(columns: Mapping[str, Iterable[Any]], separator: str) -> str:
    """The decimal mark: a comma where numbers have one, and none has a point."""
    if separator == ",":
        return "."
    cells = [str(cell).strip() for column in columns.values() for cell in list(column)[: LOOKED_AT * 20]]
    numbers = [cell for cell in cells if NUMBER.fullmatch(cell)]
    return "," if any("," in cell for cell in numbers) and not any("." in cell for cell in numbers) else "."


def _distinct(headers: Sequence[str], source: str) -> None:
    for place, header in enumerate(headers):
        if header in headers[:place]:
            raise ValueError(f"{source} has two columns {header!r}; rename one of them")


def rows_without(table: Table, headers: Sequence[str]) -> dict[str, Integers]:
    """Rows whose cell is missing, by column; columns without such rows left out."""
    found = {
        header: np.flatnonzero([_is_missing(c) for c in np.asarray(table.columns[header]).tolist()])
        for header in headers
    }
    return {header: rows for header, rows in found.items() if len(rows)}
