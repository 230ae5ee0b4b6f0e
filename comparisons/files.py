"""Files that are there whole or not at all: written under another name beside their place, then moved into it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a new file's temporary path; on leaving, move it to ``path``; on an error, leave ``path`` as it was.

    Examples
    --------
    >>> with replacing(Path("table.csv")) as unfinished:  # doctest: +SKIP
    ...     unfinished.write_text("name,em")
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # In the same directory, since a move between file systems is not atomic; hidden, and with the same suffix.
    unfinished = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> Path:
    """Write the text as UTF-8 with plain line ends, whole or not at all, and return its path."""
    with replacing(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", newline="\n")
    return path
