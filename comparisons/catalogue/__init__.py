"""The comparisons by name. Each is a small script beside this file that declares one; a new one is a file and a name here."""

from __future__ import annotations

import ast
import difflib
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from comparisons.declaration import Comparison, Declaration

# In the order in which they are listed and run.
NAMES = (
    "two-coin-labelled",
    "two-coin",
    "three-coin",
    "three-coin-single-toss",
    "two-coin-per-toss",
    "saxony-families",
    "saxony-overdispersed",
    "death-notices",
    "school-absences",
    "coal-intervals",
    "carcinoma",
    "role-conflict",
    "tone-perception",
    "npreg",
    "one-normal",
    "heights-labelled",
    "heights",
    "faithful",
    "geyser",
    "faithful-equal-weights",
    "faithful-gammas",
    "faithful-2d",
    "faithful-2d-diagonal",
    "galaxies",
    "simulated-mixture",
    "linkage",
    "earthquakes",
)


# Characters of a name that a message quotes.
LONGEST_QUOTED = 60


class UnknownComparison(ValueError):
    """No comparison has this name; the message names the nearest that there is."""


def names() -> tuple[str, ...]:
    """Names of all comparisons, in the order in which they run."""
    return NAMES


def declaration(name: str) -> Comparison:
    """Load the declaration of a mixture by name; else as `declared`."""
    comparison = declared(name)
    # After an unknown name was refused: it loads NumPy.
    from comparisons.declaration import Comparison

    assert isinstance(comparison, Comparison), f"{name} is no mixture"
    return comparison


def declared(name: str) -> Declaration:
    """Load one declaration by name, of a mixture or of a pair.

    Raises
    ------
    UnknownComparison
        if there is none of that name
    """
    if not isinstance(name, str) or name not in NAMES:
        near = difflib.get_close_matches(str(name)[:200], NAMES, n=1, cutoff=0.5)
        meant = f"did you mean {near[0]!r}?" if near else f"`comparisons list` tells all {len(NAMES)}"
        raise UnknownComparison(f"there is no comparison {_quoted(name)}; {meant}")
    comparison: Declaration = import_module(f"comparisons.catalogue.{name.replace('-', '_')}").COMPARISON
    return comparison


def _quoted(name: object) -> str:
    """A name as a message quotes it; of a long one the beginning."""
    told = repr(name)
    return told if len(told) <= LONGEST_QUOTED else f"{told[:LONGEST_QUOTED]}..."


def questions() -> dict[str, str]:
    """Every comparison with the question it asks, read off its source, which is quicker by seconds than to import it."""
    return {name: _question(Path(__file__).with_name(f"{name.replace('-', '_')}.py")) for name in NAMES}


def _question(source: Path) -> str:
    """The text after ``question=`` in a declaration."""
    nodes = ast.walk(ast.parse(source.read_text(encoding="utf-8")))
    texts = (node.value for node in nodes if isinstance(node, ast.keyword) and node.arg == "question")
    return str(ast.literal_eval(next(texts)))
