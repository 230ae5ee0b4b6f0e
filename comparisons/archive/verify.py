"""Is a bundle what it says? Its checksums, and its command run again in an empty folder, number by number."""

from __future__ import annotations

import csv
import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from comparisons.archive.bundle import extract
from comparisons.archive.crate import INPUTS, METADATA, ROWS, checksums
from comparisons.archive.differences import Compared, Difference, compare
from comparisons.archive.recipe import RUN, safe_words
from comparisons.results import store
from comparisons.results.files import directory_name
from comparisons.results.provenance import ROOT
from comparisons.results.result import SCHEMA_VERSION, Result
from comparisons.results.strict_json import intact


@dataclass(frozen=True, slots=True)
class Verified:
    """What a bundle comes to.

    Attributes
    ----------
    name : of the comparison
    files : how many have a checksum
    damaged : what is wrong with checksums, a sentence each
    rows : cells in which the rows of the bundle are others than those of the result
    compared : the result of the bundle and the one that its command came to; None where nothing was computed
    told : how it was computed and what counts as equal, or why nothing was
    failed : the command came to no result
    """

    name: str
    files: int
    damaged: list[str]
    rows: list[Difference]
    compared: Compared | None
    told: str
    failed: bool = field(default=False)

    @property
    def equal(self) -> bool:
        """Whether nothing is wrong, as far as it could be looked at; other sources and versions alone are only told."""
        beyond = self.compared.beyond if self.compared is not None else []
        return not (self.damaged or self.rows or self.failed or any(each.section != "versions" for each in beyond))


def verify(path: Path, *, run_code: bool = False) -> Verified:
    """Check the bundle, and run its command again.

    Parameters
    ----------
    path : of the zip
    run_code : whether Python that stands in the bundle, a family or a pair of somebody's own, may run here

    Raises
    ------
    ValueError
        It is no bundle, is of another version of the schema, reaches out of its folder, or brings code that may not run.
    """
    with TemporaryDirectory(prefix="verify-") as temporary:
        folder = Path(temporary) / "bundle"
        folder.mkdir()
        names = extract(path, folder)
        if METADATA not in names or store.RESULT not in names:
            raise ValueError(f"{path} has no {METADATA if METADATA not in names else store.RESULT}; it is no bundle")
        described, command = checksums((folder / METADATA).read_bytes())
        damaged = _damaged(folder, names, described)
        content = (folder / store.RESULT).read_bytes()
        stored = _read(path, content)
        if not intact(content):
            damaged.append(f"{store.RESULT}: its own digest is of other numbers")
        if tuple(command.split()[:2]) != RUN:
            rows = _rows(folder / ROWS, stored)
            return Verified(stored.name, len(described), damaged, rows, None, f"Checksums alone. {command}")
        inputs = folder / INPUTS
        inputs.mkdir(exist_ok=True)
        words = safe_words(command, inputs)
        if not run_code and (code := [name for name in names if name.startswith(INPUTS) and name.endswith(".py")]):
            raise ValueError(f"{path} runs Python of its own, {', '.join(code)}; read it, then add --run-code")
        again, told = _again(words, inputs, Path(temporary) / "again", stored.name)
        if again is None:
            rows = _rows(folder / ROWS, stored)
            return Verified(stored.name, len(described), damaged, rows, None, told, failed=True)
        compared = compare(stored, again)
        told = f"{command}\n{_expected(stored, again, compared)}"
        return Verified(stored.name, len(described), damaged, _rows(folder / ROWS, again), compared, told)


def _damaged(folder: Path, names: list[str], described: dict[str, str]) -> list[str]:
    told = [f"{name}: not in the bundle" for name in described if name not in names]
    told += [f"{name}: without a checksum" for name in names if name not in described and name != METADATA]
    for name in (name for name in described if name in names):
        found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        if found != described[name]:
            told.append(f"{name}: the checksum is {found[:12]}…, not {described[name][:12]}…")
    return told


def _read(path: Path, content: bytes) -> Result:
    """The result, changed or not: what was changed is to be told."""
    try:
        return msgspec.json.decode(content, type=Result)
    except msgspec.DecodeError as error:
        version = f"this program reads schema version {SCHEMA_VERSION}"
        raise ValueError(f"{store.RESULT} in {path} cannot be read ({error}); {version}, or it is damaged") from error


def _again(words: list[str], inputs: Path, out: Path, name: str) -> tuple[Result | None, str]:
    """What the command comes to, or why to nothing."""
    arguments = [*words[1:], "--out", str(out), "--fresh", "--jobs", "1"]
    # The sources that this program itself is of.
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    }
    ended = subprocess.run(
        [sys.executable, "-m", "comparisons", *arguments],
        cwd=inputs,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    try:
        return store.read(out / directory_name(name)), ""
    except store.StoredResultError:
        last = next((line for line in reversed(ended.stderr.splitlines()) if line.strip()), "it said nothing")
        return None, f"The command ended with status {ended.returncode} and no result: {last}"


def _expected(stored: Result, again: Result, compared: Compared) -> str:
    """What should have come again, and within what."""
    alike = compared.n - len(compared.found)
    before, now = stored.provenance, again.provenance
    others = [
        f"{name} {version} → {now.versions.get(name, 'none')}"
        for name, version in before.versions.items()
        if now.versions.get(name) != version
    ]
    if others:
        why = f"Versions differ ({', '.join(others)}), so draws and last digits may."
    elif before.key != now.key:
        why = "Library versions are the same, sources or data are not, so draws and last digits may differ."
    else:
        why = "Versions and sources are the same, so every digit comes again on a like processor."
    return (
        f"{why} Equal to nine digits: {alike} of {compared.n} numbers. Beyond that EM's numbers may differ by 0.0014 standard "
        "errors (its objective by 1e-6), posterior means and tail probabilities by 4 Monte Carlo errors of both runs."
    )


def _rows(path: Path, result: Result) -> list[Difference]:
    """Cells of the bundle's rows that the result has otherwise."""
    if not path.is_file():
        return []
    header, *lines = list(csv.reader(path.read_text(encoding="utf-8").splitlines())) or [[]]
    told = {name: [line[k] if k < len(line) else "" for line in lines] for k, name in enumerate(header)}
    found: list[Difference] = []
    for name in dict.fromkeys([*told, *result.data.columns]):
        cells, values = told.get(name, []), result.data.columns.get(name, [])
        for row in range(max(len(cells), len(values))):
            cell = cells[row] if row < len(cells) else ""
            value = values[row] if row < len(values) else None
            if cell != ("" if value is None else str(value)):
                found.append(Difference("data", f"{ROWS}.{name}[{row + 1}]", cell, value, None, None, "beyond"))
    return found
