"""A comparison of own data as a TOML file: read with line and key in every message, and written with comments to start from."""

from __future__ import annotations

import difflib
import inspect
import tomllib
from pathlib import Path
from typing import Any

from comparisons.own import Own, declared
from models.inputs import shown

# Keys beside those of `comparisons.own.declared`, of the run.
OF_RUN = ("seed", "draws", "chains")


def keys() -> list[str]:
    """Every key that a file may have, in the words of `comparisons.compare`."""
    return [*inspect.signature(declared).parameters, *OF_RUN]


def read(path: Path) -> dict[str, Any]:
    """Options of `comparisons.compare` from a file; ``data`` is found beside the file.

    Raises
    ------
    OSError
        for a file that cannot be read
    ValueError
        for what is no TOML, an unknown key, or a missing ``data``; the message has file, line and key
    """
    if not path.is_file():
        raise ValueError(f"there is no file {path}; write one with: comparisons init {path} --data FILE")
    text = path.read_text(encoding="utf-8")
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path.name} is no TOML: {error}") from error
    for key in found:
        if key not in keys():
            near = difflib.get_close_matches(key, keys(), n=1, cutoff=0.4)
            meant = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(keys())}"
            raise ValueError(f"{path.name}, line {_line(text, key)}: there is no key {key!r}; {meant}")
    if "data" not in found:
        raise ValueError(f'{path.name} has no key "data"; name the file of your data, as data = "heights.csv"')
    if not isinstance(found["data"], str):
        raise ValueError(f"{path.name}, line {_line(text, 'data')}: data is {shown(found['data'])}; give a file name")
    if "prior" in found:
        found["prior"] = _prior(path, text, found)
    found["data"] = str(path.parent / found["data"])
    found.setdefault("name", path.stem)
    return found


def _prior(path: Path, text: str, found: dict[str, Any]) -> Any:
    """The prior of the family that the file names, from a table of its numbers."""
    from comparisons import families

    family = families.FAMILIES.get(found.get("family", ""))
    if family is None or not isinstance(found["prior"], dict):
        raise ValueError(
            f"{path.name}, line {_line(text, 'prior')}: prior is a table of numbers, and family has to be named beside it"
        )
    try:
        return family.prior(**found["prior"])
    except TypeError as error:
        numbers = ", ".join(inspect.signature(family.prior).parameters)
        raise ValueError(
            f"{path.name}, line {_line(text, 'prior')}: the prior of {family.name} has {numbers}"
        ) from error
    except ValueError as error:
        raise ValueError(f"{path.name}, line {_line(text, 'prior')}: prior of {family.name}: {error}") from error


def _line(text: str, key: str) -> int:
    """The line on which a key stands."""
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        begin = line.strip().removeprefix("[").split("=")[0].strip(" ]\"'")
        if begin == key:
            return number
    return 1


def template(own: Own, options: dict[str, Any]) -> str:
    """A commented file that asks for this comparison."""

    def line(key: str, value: Any, comment: str, *, on: bool) -> str:
        return f"{'' if on else '# '}{key} = {_toml(value)}{' ' * max(1, 40 - len(key) - len(_toml(value)))}# {comment}"

    c = own.comparison
    told = [f"# {note}" for note in own.notes]
    columns = options["columns"]
    return "\n".join(
        [
            f"# A comparison of EM and the posterior: comparisons run {c.name}.toml",
            *told,
            line("data", options["data"], "beside this file", on=True),
            line("family", own.told["family"], "of: comparisons families", on=True),
            line("columns", columns, "in the order of the family's, or all that are measured", on=True),
            line("n_components", c.n_components, "how many components", on=True),
            line(
                "labels",
                options.get("labels") or "group",
                "column that tells the component of some rows",
                on=bool(options.get("labels")),
            ),
            line(
                "counts",
                options.get("counts") or "n",
                "column that says how often each row was seen",
                on=bool(options.get("counts")),
            ),
            line("components", list(c.components), "what they are called", on=False),
            line("weights", "free", 'or "equal", or numbers that are held', on=False),
            line(
                "covariance",
                "full",
                'of gaussians: or "tied", "diagonal", "spherical", "tied-diagonal", "tied-spherical"',
                on=False,
            ),
            line(
                "missing",
                options.get("missing", "refuse"),
                'or "drop" rows of which a cell is missing',
                on=options.get("missing") == "drop",
            ),
            line("title", c.title, "of the report", on=False),
            line("question", c.question, "that it answers", on=False),
            line("unit", c.unit or "cm", "of what was measured", on=bool(c.unit)),
            line("seed", 2008, "of all random numbers", on=False),
            "",
        ]
    )


def _toml(value: Any) -> str:
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
        return f'"{escaped}"'
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(each) for each in value)}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_toml(key)} = {_toml(each)}' for key, each in value.items())} }}"
    return str(value)
