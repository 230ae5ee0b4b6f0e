"""What stops a function that somebody else wrote, told with its line."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from models.family import Family
from models.inputs import cut

# Characters of what an error says.
LONGEST = 150


class Stopped(ValueError):
    """Somebody else's program stopped with an error."""


@contextmanager
def telling(what: str, path: Path | str) -> Iterator[None]:
    """Tell an error inside the block, which is somebody else's program, with its line in their file; raises `Stopped`."""
    try:
        yield
    # Whatever stops it.
    except (Exception, SystemExit) as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
        told = f"{what} stops with {type(error).__name__}: {cut(' '.join(str(error).split()), LONGEST)}"
        raise Stopped(f"{told}{'' if line is None else f', in line {line} of {path}'}; mend it") from error


def telling_of(family: Family, function: str) -> AbstractContextManager[None]:
    """`telling` of a function of a family."""
    code = getattr(getattr(family, function), "__code__", None)
    return telling(f"{function} of {family.name}", "" if code is None else code.co_filename)
