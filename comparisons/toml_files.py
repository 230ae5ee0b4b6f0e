"""A comparison of own data as a TOML file: read with line and key in every message, and written with comments to start from."""

from __future__ import annotations

import difflib
import inspect
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from comparisons import families
from comparisons.declaration import Comparison
from comparisons.families import from_file
from comparisons.hidden_markov_chains import NAME as CHAINS
from comparisons.own import Own, declared, plain
from comparisons.pairs.own_chains import LEFT_OUT, OwnChain
from comparisons.settings import checked_settings
from models.family import Family
from models.inputs import shown, some_of

# Keys beside those of `comparisons.own.declared`, of the run.
OF_RUN = {"seed": 0, "draws": 1000, "chains": 4}
# What may stand in place of a text.
OTHER_KINDS = {
    "columns": (str, list, dict),
    "components": (list,),
    "concomitants": (str, list),
    "weights": (str, list),
    "prior": (dict,),
    "n_components": (int, str, list),
    **dict.fromkeys(OF_RUN, (int,)),
}
SEVERAL = 'how many; or "2:4", for each of these and how many there are'
WORDS = {str: "a text", list: "a list", dict: "a table", int: "a whole number"}


def keys() -> list[str]:
    """Every key that a file may have, in the words of `comparisons.compare`."""
    return [*inspect.signature(declared).parameters, *OF_RUN]


def read(path: Path) -> dict[str, Any]:
    """Options of `comparisons.compare` from a file; ``data`` and a family's own file are found beside it.

    Raises
    ------
    OSError
        for a file that cannot be read
    ValueError
        for what is no TOML, an unknown key, a value of another kind, or a missing ``data``; the message has file, line and key
    """
    if not path.is_file():
        raise ValueError(f"there is no file {path}; write one with: comparisons init {path} --data FILE")
    try:
        text = path.read_text(encoding="utf-8-sig")
        found = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name} is not in UTF-8 from byte {error.start} on; save it in UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path.name} is no TOML: {error}") from error
    for key, value in found.items():
        if key not in keys():
            same_words = [each for each in keys() if sorted(each.split("_")) == sorted(key.split("_"))]
            near = same_words or difflib.get_close_matches(key, keys(), n=1, cutoff=0.4)
            meant = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(keys())}"
            raise ValueError(f"{_place(path, text, key)}: there is no key {key!r}; {meant}")
        kinds = OTHER_KINDS.get(key, (str,))
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise ValueError(
                f"{_place(path, text, key)}: {key} is {shown(value)}; give {' or '.join(WORDS[kind] for kind in kinds)}"
                f"{'; how many there are is n_components' if key == 'components' else ''}"
            )
    if "data" not in found:
        raise ValueError(f'{path.name} has no key "data"; name the file of your data, as data = "heights.csv"')
    if not (path.parent / found["data"]).exists():
        raise ValueError(f"{_place(path, text, 'data')}: there is no file {path.parent / found['data']}")
    with telling(path):
        checked_settings(**OF_RUN | {key: found[key] for key in OF_RUN if key in found})
        if "prior" in found:
            found["prior"] = _prior(found)
    if from_file.is_place(found.get("family", "")):
        found["family"] = str(path.parent / found["family"])
    found["data"] = str(path.parent / found["data"])
    found.setdefault("name", path.stem)
    return found


@contextmanager
def telling(path: Path) -> Iterator[None]:
    """Put file and line before a message that begins with a key of the file; the file alone before others."""
    try:
        yield
    except (ValueError, TypeError) as error:
        begin = re.match(r"\w+", str(error))
        text = path.read_text(encoding="utf-8-sig")
        raise type(error)(f"{_place(path, text, begin[0] if begin else '')}: {error}") from error


def _prior(found: dict[str, Any]) -> Any:
    """The prior of the family that the file names, from a table of its numbers."""
    if found.get("family") == CHAINS:
        raise ValueError(
            f"prior of {CHAINS} is told in Python alone, as comparisons.compare(..., prior=models.PoissonPrior(...))"
        )
    family = families.FAMILIES.get(found.get("family", ""))
    if family is None:
        raise ValueError(f"prior needs one of {', '.join(families.FAMILIES)} as family beside it, whose numbers it has")
    numbers, given = inspect.signature(family.prior).parameters, found["prior"]
    lacking = [name for name, each in numbers.items() if each.default is each.empty and name not in given]
    unknown = [name for name in given if name not in numbers]
    if lacking or unknown:
        told = f"{some_of(lacking)} {'are' if len(lacking) > 1 else 'is'} missing" if lacking else ""
        told += f"{' and ' if lacking else ''}there is no {some_of(unknown)}" if unknown else ""
        raise ValueError(f"prior of {family.name} has {', '.join(numbers)}; {told}")
    try:
        return family.prior(**given)
    except (TypeError, ValueError) as error:
        raise ValueError(f"prior of {family.name}: {error}") from error


def _place(path: Path, text: str, key: str) -> str:
    """The file, and the line on which a key stands."""
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(rf"\s*(\[\s*)?[\"']?{re.escape(key)}[\"']?\s*[\].=]", line):
            return f"{path.name}, line {number}"
    return path.name


def template(own: Own[Comparison] | OwnChain, asked: Mapping[str, Any]) -> str:
    """A commented file that asks for this comparison, in these words; what it leaves to the defaults is there as a comment."""
    c = own.comparison
    mixture = c if isinstance(c, Comparison) else None
    own_family = mixture is not None and isinstance(mixture.family, Family)
    none: list[str] = []
    if mixture is None:
        none = [*LEFT_OUT, "missing"]
    else:
        family = families.of_family(mixture.family) if own_family else families.FAMILIES[own.told["family"]]
        none = [
            *(["covariance"] if "covariance" not in family.options else []),
            *([] if family.of_weights else ["concomitants"]),
        ]
    # A key, what stands there as a comment where it is not asked for, and what it is.
    lines: list[tuple[str, Any, str]] = [
        ("data", "", "beside this file"),
        ("family", "", "of: comparisons families; or FILE.py:NAME"),
        ("columns", "", 'or { "NAME (UNIT)" = "COLUMN" }, or of families with names for them { heads = "COLUMN" }'),
        ("formula", "", "in place of columns; words are categories"),
        (
            "n_components",
            2,
            "how many states" if mixture is None else SEVERAL,
        ),
        ("labels", "group", "column that tells the component of some rows"),
        ("counts", "n", "column that says how often each row was seen"),
        ("concomitants", ["age"], "columns that the weights depend on"),
        ("components", [] if mixture is None else list(mixture.components), "what they are called"),
        ("weights", "free", 'or "equal", or numbers that are held'),
        ("covariance", "full", 'or "tied", "diagonal", "spherical", "tied-diagonal", "tied-spherical"'),
        (
            "missing",
            "refuse",
            'or "drop" rows of which a cell is missing; of gaussians and latent classes also "marginal", which keeps them',
        ),
        ("separator", ";", "between columns; recognised where left out"),
        ("decimal", ",", "mark; recognised where left out"),
        ("name", "", "of the directory of the result"),
        ("title", c.title, "of the report"),
        ("question", c.question, "that it answers"),
        ("unit", c.unit or "cm", "of what was measured"),
        ("seed", 2008, "of all random numbers"),
    ]
    told = [
        f"# A comparison of EM and the posterior: comparisons run {c.name}.toml",
        *(f"# {' '.join(n.split())}" for n in own.notes),
    ]
    for key, value, comment in lines:
        if key in none:
            continue
        # One of the two is asked for.
        if (key == "columns" and "formula" in asked) or (key == "formula" and key not in asked):
            continue
        line = f"{'' if key in asked else '# '}{key} = {_toml(asked.get(key, value))}"
        told.append(f"{line:<42}  # {comment}")
    prior = {} if own_family or mixture is None else plain(own.prior)
    if prior:
        off = "" if "prior" in asked else "# "
        told += ["", f"{off}[prior]", *(f"{off}{key} = {_toml(value)}" for key, value in prior.items())]
    return "\n".join([*told, ""])


def _toml(value: Any) -> str:
    if isinstance(value, str):
        # What JSON writes for a text is TOML too.
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(each) for each in value)}]"
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{_toml(key)} = {_toml(each)}' for key, each in value.items())} }}"
    return str(value)
