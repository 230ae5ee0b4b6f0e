"""Files that are there whole or not at all: written under another name beside their place, then moved into it."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

# Bytes of a directory's name; file systems end at 255, and files are written under a longer name first.
LONGEST_DIRECTORY = 120


def directory_name(name: str) -> str:
    """Return a name for the directory of a comparison, the same for the same name and never for another.

    What a path cannot hold is written as in an address; of a long name the beginning stays, with a digest of the whole.

    Examples
    --------
    >>> directory_name("two-coin"), directory_name("a/b"), directory_name("..")
    ('two-coin', 'a%2Fb', '%2E%2E')
    """
    escaped = quote(name, safe=" ")
    if escaped.strip(". ") != escaped:
        # Names of points alone are other directories, and some systems drop points and blanks at the ends.
        escaped = quote(name, safe="").replace(".", "%2E")
    if len(escaped) <= LONGEST_DIRECTORY:
        return escaped
    return f"{escaped[: LONGEST_DIRECTORY - 33]}-{hashlib.sha256(name.encode()).hexdigest()[:32]}"


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


def check_writable(directory: Path) -> None:
    """Make the directory and a file in it, which is taken away again, so that hours of work are not lost at their end.

    Raises
    ------
    OSError
        if that cannot be done
    """
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=directory):
        pass


def write_text(path: Path, text: str) -> Path:
    """Write the text as UTF-8 with plain line ends, whole or not at all, and return its path."""
    with replacing(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", newline="\n")
    return path
