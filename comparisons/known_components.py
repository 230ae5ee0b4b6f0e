"""Which component each row of a table is known to be of, from a column of words or numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from comparisons.quantity_names import as_label
from comparisons.tables import Table, read
from models.inputs import Integers, shown, some_of


def known_components(
    table: Table, labels: Any, kept: Integers, components: Sequence[str] | None
) -> tuple[Integers | None, list[str] | None, list[str]]:
    """Known components of the rows that are kept, their names, and what was recognised; None where none is told."""
    if labels is None:
        return None, None, []
    if isinstance(labels, str):
        of, words = f"column {table.header(labels)!r}", table.words(table.header(labels))
    else:
        array = np.asarray(labels)
        if array.shape != (table.n,):
            raise ValueError(f"labels has shape {array.shape} but there are {table.n} rows; give one label for each")
        if array.dtype.kind in "iu":
            return array[kept].astype(np.int64), None, []
        of = "labels"
        words = read({of: labels}).words(of)
    levels = sorted({word for word in words if word is not None}, key=as_read)
    if not levels:
        raise ValueError(f"{of} is empty in every row; leave it out")
    if len(levels) == table.n > 2:
        raise ValueError(f"{of} has another word in every row, so it tells no components; leave it out")
    if components is not None:
        unknown = [word for word in levels if word not in components]
        if unknown:
            raise ValueError(
                f"labels has {shown(unknown[0])}, which is none of the components {some_of(components)}; name them as labels do"
            )
        levels = list(components)
    places = {word: place for place, word in enumerate(levels)}
    levels = [as_label(word) for word in levels]
    known = np.array([-1 if words[row] is None else places[words[row]] for row in kept], dtype=np.int64)
    seen = some_of(f"{word} {int((known == place).sum())}" for word, place in places.items())
    return known, levels, [f"By {of} the component of {int((known >= 0).sum())} of {len(kept)} rows is known: {seen}."]


def as_read(word: str) -> tuple[bool, float, str]:
    """Numbers by size, then words by letter."""
    try:
        return False, float(word), word
    except ValueError:
        return True, 0.0, word
