"""What somebody wrote, a family or a pair, from the file that it stands in, told as ``FILE.py:NAME``."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from em.conformance.telling import telling
from models.inputs import some_of

PLACE = re.compile(r"(?P<file>.+\.py)(:(?P<name>.*))?")


def is_place(told: str) -> bool:
    """Whether something is told by its file."""
    return PLACE.fullmatch(told) is not None


def load[T](told: str, kind: type[T], word: str, also: Callable[[Any], bool] = lambda value: False) -> T | Any:
    """Read the file and take from it what has this name and is of this ``kind``, called by a ``word`` in messages.

    ``also`` says what else will do.

    Raises
    ------
    ValueError
        for a file that is not there or stops with an error, told with its line, or has no such thing
    """
    found = PLACE.fullmatch(told)
    if found is None:
        raise ValueError(f"{word} is {told!r}, which is no place of one; give it as FILE.py:NAME")
    path, name = Path(found["file"]), found["name"] or ""
    if not path.is_file():
        raise ValueError(f"{word} is {told!r}, but there is no file {path}")
    content = path.read_bytes()
    there = {
        each: value for each, value in _named(path.resolve(), content).items() if isinstance(value, kind) or also(value)
    }
    if name in there:
        return there[name]
    if not name:
        raise ValueError(f"{path} has {some_of(there) or f'no {word}'}; tell which, as {path}:NAME")
    near = difflib.get_close_matches(name, list(there), n=1, cutoff=0.4)
    meant = f"did you mean {path}:{near[0]}?" if near else f"it has {some_of(there) or 'none'}"
    raise ValueError(f"{path} has no {word} called {name!r}; {meant}")


@cache
def _named(path: Path, content: bytes) -> dict[str, Any]:
    """All that has a name in a file, read once while its content is the same."""
    module = ModuleType(f"own_in_{path.stem}")
    module.__file__ = str(path)
    # Where classes look for the names in their annotations.
    sys.modules[module.__name__] = module
    with telling(path.name, path):
        exec(compile(content, path, "exec"), vars(module))
    return dict(vars(module))
