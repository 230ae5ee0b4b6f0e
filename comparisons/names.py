"""What users may call things: comparisons, components, features. A name is any text that can be read and told from others.

Brackets, slashes, commas without a blank, quotes, line ends and any script are the user's to choose, at any length; what
cannot hold them (the name of a directory, a page, a table for LaTeX) escapes them. Refused is what no reader or file could
tell apart: names that are empty, two alike, or with characters that are no text.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

from comparisons.quantity_names import SEPARATOR
from models.inputs import shown
from models.tables import told_apart

# Columns of a result's data beside the features.
RESERVED = ("counts", "labels")


def readable_text(argument: str, value: Any) -> str:
    """Return text that a file can hold.

    Raises
    ------
    TypeError
        if it is no string
    ValueError
        if it holds characters that are no text, such as NUL; line ends and tabs are
    """
    if not isinstance(value, str):
        raise TypeError(f"{argument} is {shown(value)} of type {type(value).__name__}; give a string")
    for place, character in enumerate(value):
        if unicodedata.category(character) in ("Cc", "Cs") and character not in "\n\r\t":
            raise ValueError(
                f"{argument} has {shown(character)} at index {place}, which no file can show; leave it out"
            )
    return value


def distinct_names(kind: str, names: Any) -> tuple[str, ...]:
    """Return names that can be told apart, of components or features.

    Raises
    ------
    TypeError, ValueError
        as `readable_text` does, and for a string in place of several, a name that is empty, and two alike
    """
    if isinstance(names, str) or not isinstance(names, Sequence):
        raise TypeError(f"{kind}s is {shown(names)} of type {type(names).__name__}; give a list of names")
    told = tuple(readable_text(f"{kind}s[{place}]", name) for place, name in enumerate(names))
    told_apart(kind, told, "the comparison")
    for place, name in enumerate(told):
        if SEPARATOR in name:
            raise ValueError(
                f"{kind}s[{place}] is {shown(name)}, with a comma and a blank as between the labels of a quantity; "
                "leave out one of the two"
            )
    if kind == "feature" and (taken := set(told) & set(RESERVED)):
        raise ValueError(
            f"features has {shown(taken.pop())}, which is a column of its own in results; call it otherwise"
        )
    return told
