"""How values show themselves: field by field on one screen, arrays that are longer by their shape and range; and in notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from html import escape
from typing import Any

from models.inputs import cut, some_of

# A screen: characters of a line, and lines.
WIDTH, LINES = 100, 24
# Characters of one field, and of a mapping on one line; lines of a field that is a value of several fields itself.
LONGEST_FIELD, SHORT, FIELD_LINES = 80, 60, 8
# Entries of an array and of a list that are shown one by one.
MOST_ENTRIES, MOST_ITEMS = 16, 6
# Rows of a table in a notebook.
MOST_ROWS = 40


def displayed(value: Any, names: Iterable[str] = (), width: int = WIDTH) -> str:
    """Show a dataclass: the fields ``names``, else all but private ones, on at most `LINES` lines of `width` characters."""
    told = list(names) or [field.name for field in fields(value) if not field.name.startswith("_")]
    parts = [f"{name}={brief(getattr(value, name))}" for name in told]
    title = type(value).__name__
    line = f"{title}({', '.join(parts)})"
    if len(line) <= width and "\n" not in line:
        return line
    inside = [cut(f"    {each}", width) for part in parts for each in f"{part},".split("\n")]
    if len(inside) > LINES - 2:
        inside = [*inside[: LINES - 3], f"    ... and {len(inside) - LINES + 3} more lines"]
    return "\n".join([f"{title}(", *inside, ")"])


def brief(value: Any) -> str:
    """One field of a value: on one line, but where it is itself a value of several fields."""
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return _array(value)
    if isinstance(value, str):
        return cut(" ".join(repr(value[:1000]).split()), LONGEST_FIELD)
    if isinstance(value, Mapping):
        return _mapping(value)
    if isinstance(value, list | tuple):
        return _several(value)
    if is_dataclass(value) and not isinstance(value, type):
        # Where it is shown by this function, it has the lines that its place leaves it.
        own = type(value).__repr__ is displayed
        lines = (displayed(value, width=LONGEST_FIELD) if own else repr(value)).split("\n")
        if len(lines) <= FIELD_LINES:
            return "\n".join(lines)
        return f"{type(value).__name__}(...)"
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    if hasattr(value, "item"):
        return repr(value.item())
    return f"<{type(value).__module__.partition('.')[0]}.{type(value).__name__}>"


def as_html(title: str, sentences: Iterable[str], head: Sequence[str], rows: Sequence[Sequence[str]], more: str) -> str:
    """Show a value in a notebook: sentences, and a table of at most `MOST_ROWS` rows, of which ``more`` says where all are."""
    told = [f"<p><strong>{escape(title)}</strong></p>", *(f"<p>{escape(each)}</p>" for each in sentences)]
    if rows:
        names = "".join(f'<th scope="col">{escape(each)}</th>' for each in head)
        body = "".join(
            f'<tr><th scope="row">{escape(name)}</th>{"".join(f"<td>{escape(each)}</td>" for each in cells)}</tr>'
            for name, *cells in rows[:MOST_ROWS]
        )
        told.append(f"<table><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table>")
    if len(rows) > MOST_ROWS:
        told.append(f"<p>... and {len(rows) - MOST_ROWS} more rows in {escape(more)}</p>")
    return f"<div>{''.join(told)}</div>"


def _long(value: Any) -> bool:
    return len(repr(value)) > LONGEST_FIELD


def _mapping(value: Mapping[Any, Any]) -> str:
    """On one line where it is short; else an entry a line, or its keys where they are many."""
    if len(value) > MOST_ITEMS:
        return f"{{{some_of(value)}}}"
    told = [f"{cut(repr(key), LONGEST_FIELD // 2)}: {brief(each)}" for key, each in value.items()]
    line = f"{{{', '.join(told)}}}"
    if len(line) <= SHORT and "\n" not in line:
        return line
    return "\n".join(["{", *(f"    {each},".replace("\n", "\n    ") for each in told), "}"])


def _several(values: list[Any] | tuple[Any, ...]) -> str:
    if len(values) <= MOST_ITEMS and not any(is_dataclass(v) for v in values) and not _long(values):
        return repr(values)
    kinds = sorted({type(v).__name__ for v in values})
    if kinds == ["str"]:
        return f"[{some_of(values)}]"
    return f"<{len(values)} of {' and '.join(kinds)}>"


def _array(array: Any) -> str:
    import numpy as np

    if array.size <= MOST_ENTRIES:
        text = " ".join(repr(np.asarray(array)).split()).replace("[ ", "[")
        if len(text) <= LONGEST_FIELD:
            return text
    shape = f"array of shape {array.shape}"
    if array.size == 0 or array.dtype.kind not in "iuf":
        return f"<{shape}>"
    known = array[np.isfinite(array)]
    if not known.size:
        return f"<{shape}, none of it finite>"
    return f"<{shape}, {known.min():.4g} to {known.max():.4g}>"
