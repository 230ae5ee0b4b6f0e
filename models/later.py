"""Names of a package that are imported at their first use, so that an import of the package itself costs little."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any


def at_first_use(
    package: str, offered: Iterable[str], places: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """What such a package has for ``__getattr__`` and ``__dir__`` (PEP 562).

    Parameters
    ----------
    package : its name
    offered : all that it offers, loaded or not
    places : the module of each name that comes later; no module of the package has that name
    """

    def attribute(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(places[name]), name)

    def names() -> list[str]:
        return sorted(offered)

    return attribute, names
