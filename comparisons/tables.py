"""Tables as people have them: files and frames, read to columns of text and numbers, with what was recognised on the way."""

from __future__ import annotations

import difflib
import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from comparisons import text_files
from comparisons.text_files import MISSING
from models.inputs import Floats, Integers, shown, some_of

# A unit at the end of a header: in parentheses, or in brackets.
UNIT = re.compile(r"(?P<name>.*\S)\s*[(\[](?P<unit>[^()\[\]]+)[)\]]")
SUFFIXES = {".parquet": "parquet", ".arrow": "ipc", ".feather": "ipc", ".ipc": "ipc"}
# Bytes of memory while a text file is read, for each of its own (seen: 12 where cells have 24 characters, 39 where they have
# one), and for each of a number in Parquet or Arrow.
OF_TEXT, OF_COLUMNS = 40, 4


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Columns by their headers.

    Attributes
    ----------
    source : file name, or what kind of object it was
    columns : ``(n,)`` each, text as it stands in a file, or whatever a frame holds
    sha256 : of the file's bytes, or of the columns
    lines : of a text file the line of each row, for messages; empty for what has no lines
    decimal : ``"."`` or ``","``
    decimal_told : whether the user said so
    notes : what was recognised, a sentence each
    """

    source: str
    columns: Mapping[str, Any]
    sha256: str
    lines: tuple[int, ...] = ()
    decimal: str = "."
    decimal_told: bool = False
    notes: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(next(iter(self.columns.values())))

    def place(self, row: int) -> str:
        """Where a row stands."""
        return f"line {self.lines[row]}" if self.lines else f"row {row}"

    def header(self, name: Any) -> str:
        """The header that was asked for, with or without its unit.

        Raises
        ------
        ValueError
            if there is none; the message has the nearest
        """
        asked = str(name)
        if asked in self.columns:
            return asked
        without = [header for header in self.columns if name_and_unit(header)[0] == asked]
        if len(without) == 1:
            return without[0]
        names = {name_and_unit(header)[0].lower(): header for header in self.columns}
        near = difflib.get_close_matches(name_and_unit(asked)[0].lower(), list(names), n=1, cutoff=0.5)
        meant = f"did you mean {names[near[0]]!r}?" if near else f"there are {some_of(self.columns)}"
        raise ValueError(f"{self.source} has no column {shown(asked)}; {meant}")

    def numbers(self, header: str) -> Floats:
        """``(n,)`` finite numbers of a column, NaN where a cell is missing.

        Raises
        ------
        ValueError
            for a column that holds anything else; the message has its first such line
        """
        array = self.columns[header]
        if array.dtype.kind in "iuf":
            found: Floats = array.astype(float)
            wrong = np.isinf(found)
        else:
            found = np.full(self.n, np.nan)
            wrong = np.zeros(self.n, dtype=bool)
            for row, cell in enumerate(_cells(array)):
                if not _is_missing(cell):
                    value = self._number(cell)
                    wrong[row] = value is None
                    found[row] = np.nan if value is None else value
        if wrong.any():
            raise ValueError(self._no_number(header, wrong))
        if self.decimal == "," and not self.decimal_told:
            self._refuse_two_meanings(header)
        return found

    def _number(self, cell: Any) -> float | None:
        if isinstance(cell, str):
            return text_files.number(cell, self.decimal)
        if isinstance(cell, int | float | Decimal | np.integer | np.floating) and not isinstance(cell, bool):
            return float(cell) if np.isfinite(float(cell)) else None
        return None

    def _no_number(self, header: str, wrong: Any) -> str:
        row, others = int(np.argmax(wrong)), int(wrong.sum()) - 1
        cell = _cells(self.columns[header])[row]
        more = f" and {others} more cell{'s' * (others > 1)} that {'are no numbers' if others > 1 else 'is no number'}"
        return (
            f"column {header!r} is not numeric: it has {shown(cell)} in {self.place(row)} of {self.source}"
            f"{more if others else ''}; {text_files.remedy(cell, header, self.decimal)}"
        )

    def _refuse_two_meanings(self, header: str) -> None:
        """Refuse commas that may as well separate thousands."""
        cells = {row: str(cell).strip() for row, cell in enumerate(self.columns[header]) if "," in str(cell)}
        if cells and all(text_files.EITHER.fullmatch(cell) for cell in cells.values()):
            row = next(iter(cells))
            raise ValueError(
                f"column {header!r} has {cells[row]!r} in {self.place(row)} of {self.source}, which may be a thousand and more, "
                'or have three decimals; say decimal="," (--decimal ,) where it has, or take the commas out'
            )

    def words(self, header: str) -> list[str | None]:
        """What a column says in words, None where a cell is missing."""
        found: list[str | None] = []
        for cell in _cells(self.columns[header]):
            whole = isinstance(cell, float) and cell == cell and cell.is_integer()
            found.append(None if _is_missing(cell) else str(int(cell)) if whole else str(cell).strip())
        return found

    def missing(self, header: str) -> Integers:
        """Rows whose cell of a column is missing."""
        array = self.columns[header]
        if array.dtype.kind in "iuf":
            return np.flatnonzero(np.isnan(array))
        return np.flatnonzero([_is_missing(cell) for cell in _cells(array)])

    def why_not_numeric(self, header: str) -> str | None:
        """Why a column is none of numbers, None where it is one.

        Raises
        ------
        ValueError
            for a column most of whose cells are meant as numbers
        """
        array = self.columns[header]
        if array.dtype.kind in "iuf" and np.isfinite(array).all():
            return None
        known = [cell for cell in _cells(array) if not _is_missing(cell)]
        if not known:
            return f"{header} is empty"
        try:
            self.numbers(header)
        except ValueError:
            meant = [self._number(cell) is not None or text_files.is_meant(str(cell)) for cell in known]
            if 2 * sum(meant) > len(known):
                raise
            return f"{header} has {shown(known[0])}"
        return None


def name_and_unit(header: str) -> tuple[str, str]:
    """Take a header such as ``height (cm)`` apart; no unit where there is none.

    Examples
    --------
    >>> name_and_unit("height (cm)"), name_and_unit("mmol/L")
    (('height', 'cm'), ('mmol/L', ''))
    """
    found = UNIT.fullmatch(header.strip())
    return (found["name"], found["unit"].strip()) if found else (header.strip(), "")


def _cells(array: Any) -> list[Any]:
    """Each cell as Python has it; dates stay dates, which NumPy would make numbers of."""
    if array.dtype.kind in "mM":
        return [None if missing else str(cell) for cell, missing in zip(array, np.isnat(array), strict=True)]
    return list(array.tolist())


def _is_missing(cell: Any) -> bool:
    if isinstance(cell, str):
        return cell.strip().lower() in MISSING
    return cell is None or (isinstance(cell, float | Decimal | np.floating) and cell != cell)


def read(data: Any, separator: str | None = None, decimal: str | None = None) -> Table:
    """Read a table from a path, a frame of pandas, polars or Arrow, a mapping of columns, a series, or an array.

    Parameters
    ----------
    data : path of CSV, TSV, Parquet or Arrow, a DataFrame, a mapping of columns, or ``(n,)`` or ``(n, d)`` numbers
    separator, decimal : of a text file; recognised where None

    Raises
    ------
    OSError
        for a file that cannot be read
    TypeError, ValueError
        for what is no table, is empty, has two columns of one header, or is larger than memory
    """
    if isinstance(data, str | Path):
        path = Path(data)
        kind = "parquet" if path.is_dir() else SUFFIXES.get(path.suffix.lower())
        if kind is None:
            return _of_text(path, separator, decimal)
    if separator is not None or decimal is not None:
        raise ValueError("separator and decimal are of text files, and these data are none; leave them out")
    if isinstance(data, str | Path):
        return _of_arrow(path, kind or "")
    if type(data).__module__.partition(".")[0] == "pyarrow" and hasattr(data, "column_names"):
        return _table("an Arrow table", {name: data[name] for name in data.column_names}, data.column_names)
    # Asked of the type, as a frame may have a column of any name.
    if hasattr(type(data), "columns"):
        library = type(data).__module__.partition(".")[0]
        if not hasattr(type(data), "__len__") or hasattr(type(data), "dask"):
            raise TypeError(f"data is a lazy {type(data).__name__} of {library}; collect or compute it first")
        headers = [str(each).strip() for each in data.columns]
        text_files.distinct_headers(headers, f"a {library} DataFrame")
        return _table(f"a {library} DataFrame", {str(each).strip(): data[each] for each in data.columns}, headers)
    if isinstance(data, Mapping):
        return _table("a mapping of columns", {str(name): values for name, values in data.items()}, [*map(str, data)])
    if hasattr(data, "to_numpy") and getattr(data, "name", None):
        return _table(f"a {type(data).__module__.partition('.')[0]} Series", {str(data.name): data}, [str(data.name)])
    if isinstance(data, list | tuple | np.ndarray) or hasattr(data, "__array__"):
        array = data if isinstance(data, np.ndarray) else np.asarray(data)
        if array.dtype.kind in "iuf" and array.ndim in (1, 2):
            columns = {"y": array} if array.ndim == 1 else {f"y{j + 1}": column for j, column in enumerate(array.T)}
            return _table("an array", columns, list(columns))
    raise TypeError(
        f"data is {shown(data)} of type {type(data).__name__}; give a path, a DataFrame, a mapping of columns, numbers of "
        "shape (n,) or (n, d), a pymc.Model or a comparisons.Pair"
    )


def _table(source: str, given: Mapping[str, Any], headers: Sequence[str], sha256: str = "") -> Table:
    text_files.distinct_headers(headers, source)
    columns = {name: _column(source, name, values) for name, values in given.items()}
    lengths = {len(values) for values in columns.values()}
    if not lengths or not max(lengths):
        raise ValueError(f"{source} has no rows; give one row for each observation")
    if len(lengths) > 1:
        raise ValueError(f"{source} has columns of {some_of(sorted(lengths))} rows; give columns of one length")
    digest = hashlib.sha256()
    for name, values in columns.items():
        digest.update(f"{name}\0{values.dtype.name}\0".encode())
        if values.dtype.kind in "iuf":
            # The numbers as they lie in memory, in the same order of bytes on every machine.
            digest.update(np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).data)
        else:
            digest.update("\0".join(map(str, values.tolist())).encode())
    return Table(source, columns, digest.hexdigest())


def _column(source: str, name: str, values: Any) -> Any:
    """A column as an array ``(n,)``, with None or NaN where a cell is missing."""
    gone = None
    if isinstance(values, np.ma.MaskedArray):
        gone, values = np.ma.getmaskarray(values), np.asarray(values.data)
    elif (empty := getattr(values, "isna", None) or getattr(values, "is_null", None)) is not None:
        # A category that is missing becomes another one where Arrow makes an array.
        gone = np.asarray(empty())
    try:
        array = values.to_numpy() if hasattr(values, "to_numpy") else np.asarray(values)
    except ValueError:
        array = np.empty(0)[None]
    if array.ndim != 1:
        raise ValueError(f"column {name!r} of {source} is no row of cells; give one value for each row")
    if gone is not None and gone.any():
        array = array.astype(float if array.dtype.kind == "f" else object)
        array[gone] = None
    return array


def _of_text(path: Path, separator: str | None, decimal: str | None) -> Table:
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is no file that can be read again; save it as one first")
    _refuse_beyond_memory(path, OF_TEXT * path.stat().st_size)
    raw = path.read_bytes()
    text = text_files.parsed(path.name, raw, separator, decimal)
    digest = hashlib.sha256(raw).hexdigest()
    return Table(path.name, text.columns, digest, text.lines, text.decimal, text.decimal_told, tuple(text.notes))


def _of_arrow(path: Path, kind: str) -> Table:
    try:
        import pyarrow.dataset
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"reading {path} needs pyarrow, which is not installed; pip install em-comparisons[dask]"
        ) from error
    if not path.exists():
        raise FileNotFoundError(2, "there is no such file", str(path))
    try:
        dataset = pyarrow.dataset.dataset(path, format=kind)
        _refuse_beyond_memory(path, OF_COLUMNS * 8 * len(dataset.schema.names) * dataset.count_rows())
        found = dataset.to_table()
    except pyarrow.ArrowInvalid as error:
        told = "Parquet" if kind == "parquet" else "Arrow"
        raise ValueError(f"{path.name} is no {told} file, nor a directory of such; name one that is") from error
    return _table(path.name, {name: found[name] for name in found.column_names}, found.column_names)


def _refuse_beyond_memory(path: Path, needed: int) -> None:
    """Refuse a file whose rows do not fit, before they are read; ValueError."""
    free = available_memory()
    if needed > free:
        raise ValueError(
            f"{path.name} takes about {needed / 1e9:.3g} GB of memory and {free / 1e9:.3g} GB are free; compare a sample of its "
            f"rows, or fit all by EM alone, which reads Parquet in parts: em.gaussian_mixture(Path('{path.stem}.parquet'), 2)"
        )


def available_memory() -> int:
    """Bytes that are free for a program, as the system tells it; all there are where it does not."""
    told = Path("/proc/meminfo")
    if told.exists():
        found = re.search(r"^MemAvailable:\s*(\d+) kB", told.read_text(), re.MULTILINE)
        if found:
            return 1024 * int(found[1])
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
