"""A fit as JSON: all that is public of it, and what its family keeps of the mixture.

Of rows that is no outcome, but of waits some of which were censored how long each was watched.

The JSON is strict: what is no number is a word, as "nan". A digest of it all is its last field, so that what is read is what
was written.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

VERSION = 1
DIGEST = "digest"


def content(fit: Any) -> dict[str, Any]:
    """All that is public of a fit, in dictionaries, lists, words and finite numbers."""
    mixture, own = fit._mixture, {each.name: getattr(fit, each.name) for each in fields(fit)}
    del own["_mixture"]
    own["path"] = fit.path._vectors
    errors = {each.name: getattr(fit.standard_errors, each.name) for each in fields(fit.standard_errors)}
    # Where it is withheld there is nothing in it, of whatever size.
    own["standard_errors"] = errors if errors["reason"] is None else errors | {"covariance": None}
    told: dict[str, Any] = _plain({"family": mixture.kind, "weights": mixture.weights, "fit": own})
    return told


def write(fit: Any, path: str | os.PathLike[str]) -> None:
    """Write the fit, whole or not at all; see `em.Fit.write`."""
    record = {"version": VERSION, "kept": _plain(fit._mixture.kept()), **content(fit)}
    record[DIGEST] = digest(record)
    whole = Path(path)
    unfinished = whole.with_name(f".{os.getpid()}-{whole.name}")
    try:
        unfinished.write_text(json.dumps(record, allow_nan=False) + "\n", encoding="utf-8")
        unfinished.replace(whole)
    finally:
        unfinished.unlink(missing_ok=True)


def digest(record: dict[str, Any]) -> str:
    """Of what a record holds beside its digest."""
    content = {name: value for name, value in record.items() if name != DIGEST}
    return hashlib.sha256(json.dumps(content, allow_nan=False, sort_keys=True).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """The value in dictionaries, lists, words and finite numbers."""
    if hasattr(value, "tolist"):  # of NumPy
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if is_dataclass(value):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
