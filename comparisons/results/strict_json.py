"""What stored records are: strict JSON, in which a number that does not exist is null, with a digest of itself."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import msgspec

DIGEST = "digest"

type Number = float | None


def number(value: float) -> Number:
    """Return the value for JSON, None where it is NaN or infinite."""
    value = float(value)
    return value if math.isfinite(value) else None


def sealed(record: bytes) -> bytes:
    """Return the JSON object, indented, with a digest of itself as its last field."""
    content = msgspec.json.decode(record)
    content[DIGEST] = _digest(content)
    return msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n"


def intact(record: bytes) -> bool:
    """Whether a JSON object is what was sealed, its layout apart; False without a digest."""
    content = msgspec.json.decode(record)
    return bool(content.pop(DIGEST, None) == _digest(content))


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(msgspec.json.encode(content)).hexdigest()
