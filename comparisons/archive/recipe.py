"""What makes a result again: its command with the files that it names, by paths that hold in any folder."""

from __future__ import annotations

import hashlib
import os
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path, PurePosixPath

from comparisons.results.result import Result

RUN = ("comparisons", "run")
# Options of the run that name a file.
DATA, FAMILY = "--data", "--family"


@dataclass(frozen=True, slots=True)
class Recipe:
    """The command and its files.

    Attributes
    ----------
    command : with paths in one folder; empty where there is none
    inputs : what to find at these paths
    why : why there is no command, a sentence
    """

    command: str
    inputs: dict[str, Path] = field(default_factory=dict)
    why: str = ""


def recipe(result: Result, here: Path) -> Recipe:
    """Return what makes a result again, its files looked for from ``here``, where the command was given."""
    words = shlex.split(result.provenance.command)
    if tuple(words[:2]) != RUN:
        return Recipe("", why=f"It was made in Python, so no command makes it again: {result.provenance.command}")
    needed: dict[Path, str] = {}
    for word, path, within in _files(words, here):
        if within and Path(word).is_absolute():
            return Recipe("", why=f"{within} names {word}, a path that no other machine has.")
        if not path.is_file():
            return Recipe("", why=f"{word}, which the command needs, is not in {here}.")
        if path.suffix not in (".py", ".toml") and _sha256(path) != result.data.sha256:
            return Recipe("", why=f"{word} is not the file any more that was fitted: its checksum is another.")
        needed[Path(os.path.normpath(path.absolute()))] = "" if within else word
    root = Path(os.path.commonpath([path.parent for path in needed])) if needed else here
    places = {path: path.relative_to(root).as_posix() for path in needed}
    written = {word: places[path] for path, word in needed.items() if word}
    again = [_replaced(word, written) for word in words]
    return Recipe(shlex.join(again), {place: path for path, place in places.items()})


def safe_words(command: str, folder: Path) -> list[str]:
    """Return the words of a command that somebody else wrote down, once nothing in it reaches out of the folder.

    Raises
    ------
    ValueError
        It is no plain run, or names a file elsewhere.
    """
    words = shlex.split(command)
    if tuple(words[:2]) != RUN or any(word.split("=")[0] in ("--out", "--jobs") for word in words):
        raise ValueError(f"the command of the bundle is {command!r}; only a plain comparisons run is done again")
    for word, path, _ in _files(words, folder):
        if not path.resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"the command of the bundle names {word!r}, which is outside of it")
    return words


def is_inside(place: str) -> bool:
    """Whether a path stays in the folder that it begins in, on any system.

    Examples
    --------
    >>> is_inside("figures/forest.svg"), is_inside("../a"), is_inside("/a"), is_inside("C:/a")
    (True, False, False, False)
    """
    strange = "\\" in place or "\0" in place or place[1:2] == ":"
    path = PurePosixPath(place)
    return bool(place) and not strange and not path.is_absolute() and ".." not in path.parts


def _files(words: list[str], folder: Path) -> Iterator[tuple[str, Path, str]]:
    """The files that a command names, each as told, its path, and the TOML file that tells it where the command does not."""
    for before, word in pairwise(words[1:]):
        option = before.startswith("--")
        told = word if before == DATA or (not option and word.endswith(".toml")) else ""
        if before == FAMILY or not option:
            told = told or _of_python(word)
        if told:
            yield told, folder / told, ""
        if told.endswith(".toml") and (folder / told).is_file():
            inside = tomllib.loads((folder / told).read_text(encoding="utf-8-sig"))
            for each in (str(inside.get("data", "")), _of_python(str(inside.get("family", "")))):
                if each:
                    yield each, (folder / told).parent / each, told


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _of_python(word: str) -> str:
    """The file of ``FILE.py:NAME``, empty where it is none."""
    file, _, _ = word.partition(".py:")
    return f"{file}.py" if file != word else ""


def _replaced(word: str, written: dict[str, str]) -> str:
    file = _of_python(word)
    if file in written:
        return written[file] + word.removeprefix(file)
    return written.get(word, word)
