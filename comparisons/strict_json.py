"""Numbers as strict JSON holds them: one that does not exist is null."""

from __future__ import annotations

import math

type Number = float | None


def number(value: float) -> Number:
    """Return the value for JSON, None where it is NaN or infinite."""
    value = float(value)
    return value if math.isfinite(value) else None
