"""What made a result, and the key that says whether it would come out the same again."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from comparisons.results.result import Provenance

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("models", "em", "comparisons")
# What shows results and runs comparisons, and cannot change a number.
TELLING = ("report", "paper", "archive", "sampled", "study", "command", "__main__")
DECIDING = ("numpy", "scipy", "pymc", "pytensor", "nutpie", "arviz", "numba")


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that decide the numbers."""
    return {"python": platform.python_version(), **{name: version(name) for name in DECIDING}}


def git_commit() -> str | None:
    """The commit of the sources, with ``+changes`` where they differ from it; None outside a checkout."""
    try:
        commit = subprocess.run(
            ["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
        changes = subprocess.run(
            ["git", "-C", str(ROOT), "status", "--porcelain", "--", *PACKAGES],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return f"{commit}+changes" if changes.strip() else commit


def key(name: str, sha256: str, settings: dict[str, Any]) -> str:
    """Digest of all that decides the numbers: name, data, settings, versions, and the sources of the three packages."""
    digest = hashlib.sha256()
    digest.update(json.dumps([name, sha256, settings, versions()], sort_keys=True).encode())
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if not path.relative_to(ROOT / package).as_posix().startswith(TELLING):
                digest.update(path.relative_to(ROOT).as_posix().encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()


def made(command: str, seed: int, started: datetime, seconds: dict[str, float], key: str) -> Provenance:
    """All that may differ between two equal runs of the command, as it is now."""
    began = started.isoformat(timespec="seconds")
    return Provenance(versions(), seed, command, git_commit(), began, seconds, key)
