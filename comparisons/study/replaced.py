"""One function replaced wherever the packages have it by name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

PACKAGES = ("em", "models", "comparisons")


def everywhere(sound: Callable[..., Any], broken: Callable[..., Any]) -> list[Any]:
    """Patches that put ``broken(sound, ...)`` in place of a function, in every module that has imported it."""

    def replaced(*arguments: Any, **options: Any) -> Any:
        return broken(sound, *arguments, **options)

    return [
        patch.object(module, name, replaced)
        for place, module in sorted(sys.modules.items())
        if place.partition(".")[0] in PACKAGES and not place.startswith("comparisons.study")
        for name, value in list(vars(module).items())
        if value is sound
    ]
