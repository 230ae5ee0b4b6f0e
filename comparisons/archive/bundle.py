"""A bundle: one zip with all that a result is made of, the same bytes for the same files; and its way out of the zip, bounded."""

from __future__ import annotations

import csv
import io
import stat
import zipfile
import zlib
from importlib.metadata import distributions
from pathlib import Path

from comparisons.archive.crate import INPUTS, METADATA, ROWS, described
from comparisons.archive.recipe import Recipe, is_inside, recipe
from comparisons.results import store
from comparisons.results.files import replacing
from comparisons.results.provenance import ROOT
from comparisons.results.result import Data

LOCK = "requirements.lock"
# The earliest time that a zip can hold: the same files are the same bytes whenever they are bundled.
NO_TIME = (1980, 1, 1, 0, 0, 0)
READABLE = (stat.S_IFREG | 0o644) << 16
# A report has some sixty files, and a hundred thousand draws of fifty quantities are 40 MB.
MOST_FILES, MOST_BYTES = 10_000, 4 * 2**30
PIECE = 2**20


def write(directory: Path, path: Path, here: Path) -> Recipe:
    """Bundle the result in its directory into the zip at ``path``; files of its command are looked for from ``here``.

    Returns
    -------
    Recipe
        What makes it again, or why nothing does.

    Raises
    ------
    comparisons.results.store.StoredResultError
        The result or its draws are missing, damaged or of two runs.
    """
    result = store.read(directory)
    store.read_posterior(directory)
    again = recipe(result, here)
    files = {
        each.relative_to(directory).as_posix(): each.read_bytes()
        for each in directory.rglob("*")
        if each.is_file() and not each.is_symlink() and _of_result(each.relative_to(directory))
    }
    files |= {f"{INPUTS}/{place}": source.read_bytes() for place, source in again.inputs.items()}
    files |= {ROWS: rows_table(result.data).encode(), LOCK: _locked()}
    files[METADATA] = described(result, files, again.command, again.why)
    with replacing(path) as unfinished, zipfile.ZipFile(unfinished, "w") as zipped:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, NO_TIME)
            entry.create_system, entry.external_attr, entry.compress_type = 3, READABLE, zipfile.ZIP_DEFLATED
            zipped.writestr(entry, content)
    return again


def extract(path: Path, folder: Path) -> list[str]:
    """Write the files of a bundle into the folder, and nowhere else; return their names.

    Raises
    ------
    ValueError
        It is no zip, is damaged, or has what no bundle has: a name that leads out of the folder, a link, a password, one name
        twice, or more than `MOST_FILES` files or `MOST_BYTES` bytes.
    """
    try:
        with zipfile.ZipFile(path) as zipped:
            entries = [entry for entry in zipped.infolist() if not entry.is_dir()]
            _refuse_strange(path, entries)
            left = MOST_BYTES
            for entry in entries:
                target = folder / entry.filename
                target.parent.mkdir(parents=True, exist_ok=True)
                with zipped.open(entry) as packed, target.open("xb") as unpacked:
                    # What is counted is what comes out, whatever the zip says of itself.
                    while piece := packed.read(PIECE):
                        left -= len(piece)
                        if left < 0:
                            raise ValueError(f"{path} holds more than {MOST_BYTES / 2**30:.0f} GiB; no bundle does")
                        unpacked.write(piece)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError) as error:
        raise ValueError(f"{path} is no bundle, or damaged ({error}); make it anew: comparisons bundle NAME") from error
    except (FileExistsError, NotADirectoryError) as error:
        raise ValueError(f"{path} has two files in one place, {error.filename}; no bundle has") from error
    return [entry.filename for entry in entries]


def rows_table(data: Data) -> str:
    """Return the rows as fitted, as CSV with every digit; a missing cell is empty."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(data.columns)
    table.writerows(zip(*data.columns.values(), strict=True))
    return text.getvalue()


def _of_result(path: Path) -> bool:
    """Whether a file of a result's directory is of the result: neither unfinished nor of a later run."""
    return not any(part.startswith(".") for part in path.parts) and path.as_posix() != store.LATER_RUN


def _locked() -> bytes:
    """The lock of the sources; where they have none, what is installed."""
    lock = ROOT / LOCK
    if lock.is_file():
        return lock.read_bytes()
    installed = sorted({f"{each.name}=={each.version}" for each in distributions()})
    return "\n".join([*installed, ""]).encode()


def _refuse_strange(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    if len(entries) > MOST_FILES or sum(entry.file_size for entry in entries) > MOST_BYTES:
        raise ValueError(
            f"{path} holds more than {MOST_FILES} files or {MOST_BYTES / 2**30:.0f} GiB; no bundle does, so it is not opened"
        )
    for entry in entries:
        mode = entry.external_attr >> 16
        if not is_inside(entry.filename) or (mode and not stat.S_ISREG(mode) and stat.S_IFMT(mode)):
            raise ValueError(
                f"{path} has {entry.filename!r}, which leads out of its folder or is no file; it is not opened"
            )
        if entry.flag_bits & 1:
            raise ValueError(f"{path} has a password; no bundle has")
