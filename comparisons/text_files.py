"""Text files of columns as people have them: encoding, separator and decimal mark are recognised, and what is no number is told.

Not read are numbers with separated thousands, with a percent sign or with a unit: a cell of two meanings is refused, not guessed.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

import numpy as np

from models.inputs import shown, some_of

# A separator that no text has.
ONE_COLUMN = "\x1f"
SEPARATORS = {";": "semicolons", "\t": "tabs", ",": "commas", "|": "bars", " ": "blanks"}
# How a missing cell is written.
MISSING = frozenset(("", "na", "n/a", "nan", "null", ".", "-", "?", "missing"))
POINT, COMMA = (re.compile(rf"[+-]?(\d+({mark}\d*)?|{mark}\d+)([eE][+-]?\d+)?") for mark in (r"\.", ","))
THOUSANDS = re.compile(r"[+-]?\d{1,3}([.,' ’]\d{3})+([.,]\d*)?")
# One comma and three digits: a thousand and more, or a number with three decimals.
EITHER = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
DATE = re.compile(r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}(\D.*)?")
INFINITE = re.compile(r"[+-]?(inf(inity)?|∞)", re.IGNORECASE)
WITH_UNIT = re.compile(r"[+-]?[\d.,]+\s*[^\W\d_]\S*")
# Lines that are looked at to recognise the separator, and cells of a column for the decimal mark.
LOOKED_AT, CELLS_LOOKED_AT = 50, 1000
# What begins as one of these is no text.
OTHERS = {
    b"PK\x03\x04": "a workbook or an archive; save its sheet as CSV",
    b"\xd0\xcf\x11\xe0": "a workbook; save its sheet as CSV",
    b"\x1f\x8b": "compressed; decompress it first",
    b"PAR1": "Parquet; call it .parquet",
    b"ARROW1": "Arrow; call it .arrow",
}


@dataclass(frozen=True, slots=True)
class Text:
    """A text file taken apart.

    Attributes
    ----------
    columns : text ``(n,)`` by header
    lines : ``(n,)`` of the file, of each row
    decimal : ``"."`` or ``","``
    decimal_told : whether the user said so
    notes : what was recognised, a sentence each
    """

    columns: dict[str, Any]
    lines: tuple[int, ...]
    decimal: str
    decimal_told: bool
    notes: list[str]


def parsed(name: str, raw: bytes, separator: str | None, decimal: str | None) -> Text:
    """Take the content of a file apart.

    Raises
    ------
    ValueError
        for what is no text, has no rows, a quote that is not closed, lines of unequal numbers of columns, or two columns of one
        header; the message has the line
    """
    if separator is not None and len(separator) != 1:
        raise ValueError(f"separator is {shown(separator)}; give one character")
    if decimal not in (None, ".", ","):
        raise ValueError(f'decimal is {shown(decimal)}; give "." or ","')
    if separator is not None and separator == decimal:
        raise ValueError(f"separator and decimal are both {separator!r}; name two marks")
    text, encoding = _decoded(name, raw)
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 2:
        there = "has one line" if lines else "is empty"
        raise ValueError(f"{name} {there}; give a header and one line for each row")
    notes = [] if encoding == "UTF-8" else [f"{name} is read as {encoding}."]
    if separator is None:
        separator = _separator(lines[:LOOKED_AT])
        if separator != ONE_COLUMN:
            notes.append(f"Columns of {name} are separated by {SEPARATORS[separator]}.")
    headers, rows, places, nothing = _rows(name, text, separator)
    # Blank lines at the end are how files end.
    nothing = [(line, cells) for line, cells in nothing if cells > 1 or line < places[-1]]
    if nothing:
        notes.append(
            f"Lines of {name} with nothing in any column are left out: {len(nothing)}, first line {nothing[0][0]}."
        )
    unnamed = [j for j, header in enumerate(headers) if not header]
    if unnamed:
        told = some_of(j + 1 for j in unnamed)
        notes.append(f"Columns of {name} without a header are left out: {told}.")
    distinct_headers([header for header in headers if header], f"line 1 of {name}")
    cells = zip(*rows, strict=True)
    columns = {h: np.array(each, dtype=object) for h, each in zip(headers, cells, strict=True) if h}
    found = _decimal(columns) if decimal is None else decimal
    if found == "," and decimal is None:
        notes.append(f"Numbers of {name} have a decimal comma.")
    return Text(columns, places, found, decimal is not None, notes)


def _rows(
    name: str, text: str, separator: str
) -> tuple[list[str], list[list[str]], tuple[int, ...], list[tuple[int, int]]]:
    """Headers, cells by row, and lines; and lines with nothing in any of so many columns."""
    reader = csv.reader(StringIO(text, newline=""), delimiter=separator, strict=True, skipinitialspace=separator == " ")
    rows: list[list[str]] = []
    places: list[int] = []
    nothing: list[tuple[int, int]] = []
    headers: list[str] = []
    begun = 1
    try:
        for row in reader:
            line, begun = begun, reader.line_num + 1
            if separator == " " and len(row) > 1 and not row[-1]:
                # Blanks at the end of a line separate nothing.
                row.pop()
            if not any(cell.strip() for cell in row):
                nothing += [(line, len(row))] if headers else []
                continue
            if not headers:
                headers = [each.strip() for each in row]
                if all(POINT.fullmatch(header) or COMMA.fullmatch(header) for header in headers if header):
                    raise ValueError(f"line {line} of {name} has numbers where headers belong; name the columns there")
                continue
            if len(row) != len(headers):
                raise ValueError(
                    f"line {line} of {name} has {len(row)} columns where the header has {len(headers)}; mend it, or "
                    "name the separator and the decimal mark"
                )
            rows.append(row)
            places.append(line)
    except csv.Error as error:
        raise ValueError(
            f"line {begun} of {name}: a quote is opened or closed where none belongs ({error}); mend it"
        ) from error
    if not rows:
        raise ValueError(f"{name} has no rows under its header; give one line for each observation")
    return headers, rows, tuple(places), nothing


def _decoded(name: str, raw: bytes) -> tuple[str, str]:
    """The text of a file and its encoding: by a mark at its beginning, else UTF-8, else that of Windows."""
    for begin, told in OTHERS.items():
        if raw.startswith(begin):
            raise ValueError(f"{name} is no text but {told}")
    for mark, encoding, told in (
        (b"\xef\xbb\xbf", "utf-8-sig", "UTF-8"),
        (b"\xff\xfe", "utf-16", "UTF-16"),
        (b"\xfe\xff", "utf-16", "UTF-16"),
    ):
        if raw.startswith(mark):
            try:
                return raw.decode(encoding), told
            except UnicodeDecodeError as error:
                raise ValueError(f"{name} begins as {told} and is none at byte {error.start}; save it again") from error
    if (place := raw.find(b"\0")) >= 0:
        line = raw.count(b"\n", 0, place) + 1
        raise ValueError(f"line {line} of {name} has a NUL byte, so it is no text; save it as CSV in UTF-8")
    try:
        return raw.decode(), "UTF-8"
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace"), "Windows-1252, as it is not UTF-8"


def _separator(lines: Sequence[str]) -> str:
    """What cuts all lines into the same number of columns, the most of them; else what stands in the header."""
    even = {}
    for mark in SEPARATORS:
        # Fields of more characters than a reader takes are told below, with their line.
        cut = csv.reader([line.strip(" ")[:100_000] for line in lines], delimiter=mark, skipinitialspace=mark == " ")
        numbers = {len(row) for row in cut}
        if len(numbers) == 1 and (number := numbers.pop()) > 1:
            even[mark] = number
    # A comma may be decimal, and blanks stand inside of cells.
    if even:
        return max(even, key=lambda mark: (mark != " ", mark != ",", even[mark]))
    return next((mark for mark in SEPARATORS if mark != " " and mark in lines[0]), ONE_COLUMN)


def _decimal(columns: Mapping[str, Iterable[Any]]) -> str:
    """The decimal mark: a comma where numbers have one, and none has a point."""
    cells = [str(cell).strip() for column in columns.values() for cell in list(column)[:CELLS_LOOKED_AT]]
    with_comma = any("," in cell and COMMA.fullmatch(cell) for cell in cells)
    with_point = any("." in cell and POINT.fullmatch(cell) for cell in cells)
    return "," if with_comma and not with_point else "."


def distinct_headers(headers: Sequence[str], source: str) -> None:
    """Refuse two columns of one header; ValueError."""
    for place, header in enumerate(headers):
        if header in headers[:place]:
            raise ValueError(f"{source} has two columns {header!r}; rename one of them")


def number(text: str, decimal: str) -> float | None:
    """A cell as a finite number, None where it is none."""
    text = text.strip().replace("−", "-")
    if not (COMMA if decimal == "," else POINT).fullmatch(text):
        return None
    value = float(text.replace(",", "."))
    return value if math.isfinite(value) else None


def is_meant(text: str) -> bool:
    """Whether a cell is a number, if one written otherwise: with another decimal mark, separated thousands or a percent sign."""
    text = text.strip().removesuffix("%").strip()
    return any(number(text, mark) is not None for mark in ".,") or THOUSANDS.fullmatch(text) is not None


def remedy(cell: Any, header: str, decimal: str) -> str:
    """What to do about a cell that is no number."""
    text = str(cell).strip()
    other = "." if decimal == "," else ","
    if isinstance(cell, bool | np.bool_):
        return "write 1 and 0 if these are meant"
    if INFINITE.fullmatch(text):
        return "numbers have to be finite, so mend it or take the row out"
    if (COMMA if decimal == "," else POINT).fullmatch(text):
        return "it is larger than a computer's numbers, so give the column in another unit"
    if DATE.fullmatch(text):
        return "it is a date, so give a number such as days since the first"
    if text.endswith("%"):
        return f"take the percent signs out of the cells, into the header as {f'{header} (%)'!r}"
    if number(text, other) is not None and not THOUSANDS.fullmatch(text):
        return f'name the decimal mark, decimal="{other}" (--decimal {other}), or write all numbers with one'
    if THOUSANDS.fullmatch(text):
        either = f", or name the decimal mark (--decimal {other})" if number(text, other) is not None else ""
        return f"take out what separates thousands{either}"
    if WITH_UNIT.fullmatch(text):
        return f"take the unit out of the cells, into the header as {f'{header} (unit)'!r}"
    return "mend it, or choose a column of numbers"
