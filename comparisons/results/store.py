"""Results on disk: ``result.json`` and ``posterior.nc`` in the directory of each comparison.

The schema is the dataclasses of `comparisons.results.result`, and a digest of all of it. What is written is read back strictly
first, and both files are complete before either is moved into place, ``result.json`` last. A run that has begun and not ended
leaves ``later_run.json`` beside an older result, which is then no longer the last word.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from comparisons.results.files import replacing, write_text
from comparisons.results.result import SCHEMA_VERSION, Result
from comparisons.results.strict_json import intact, sealed

if TYPE_CHECKING:
    import xarray

RESULT = "result.json"
POSTERIOR = "posterior.nc"
LATER_RUN = "later_run.json"


class StoredResultError(Exception):
    """A stored result that is missing, or cannot be used; the message says which file, why, and what to do."""


class NoStoredResult(StoredResultError):
    """There is no result in this directory: the comparison has not been run into it."""


@dataclass(frozen=True, slots=True)
class LaterRun:
    """A run that began after the result beside it was written, and has not ended with one of its own.

    Attributes
    ----------
    name : of the comparison
    started : date and time, UTC
    error : what ended it, None where that is not known or it is still under way
    """

    name: str
    started: str
    error: str | None = None

    @property
    def told(self) -> str:
        """What to make of it, in a sentence or two."""
        if self.error is None:
            return f"A run of {self.started} has not ended: it is still under way, or was stopped."
        return f"The run of {self.started} crashed: {self.error}."


class Sampled(Protocol):
    """A `Result` with its draws, as `comparisons.sampled.SampledResult`."""

    @property
    def posterior(self) -> Any:
        """An `xarray.DataTree`."""


def write(result: Sampled, directory: Path | str) -> None:
    """Store the result in its directory, ``DIR/<name>``, in place of an older one.

    Raises
    ------
    StoredResultError
        The result does not fit its own schema, as with a NaN where a number has to be; nothing is written then.
    """
    directory = Path(directory)
    stored = Result(**{field.name: getattr(result, field.name) for field in fields(Result)})
    content = encode(stored)
    # NaN and infinity are written as null, so a number that has to exist and does not is found here.
    _decode(content, directory / RESULT, "this is a bug of the comparison: number() turns what may be missing to None")
    posterior = result.posterior.copy()
    posterior.attrs.update(_identity(stored))
    with replacing(directory / RESULT) as unfinished:
        unfinished.write_bytes(content)
        with replacing(directory / POSTERIOR) as unfinished_posterior:
            posterior.to_netcdf(unfinished_posterior, engine="h5netcdf")


def encode(result: Result) -> bytes:
    """Return the result as strict JSON, indented, its fields in the order of their declaration, its digest last."""
    return sealed(msgspec.json.encode(result, enc_hook=_plain_number))


def begin_run(name: str, directory: Path) -> None:
    """Write down that a run into this directory has begun."""
    _write_later_run(LaterRun(name, f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"), directory)


def fail_run(name: str, directory: Path, error: str) -> None:
    """Write down what ended the run that had begun; it has begun just now where that is not known."""
    try:
        begun = later_run(directory)
    except StoredResultError:  # damaged, and about to be written anew
        begun = None
    started = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC" if begun is None else begun.started
    _write_later_run(LaterRun(name, started, error.rstrip(".")), directory)


def end_run(directory: Path) -> None:
    """Write down that the run has ended with a result and its report."""
    (directory / LATER_RUN).unlink(missing_ok=True)


def later_run(directory: Path | str) -> LaterRun | None:
    """Return the run that began after the result here was written, None where there is none.

    Raises
    ------
    StoredResultError
        What is written of it is damaged.
    """
    path = Path(directory) / LATER_RUN
    try:
        return msgspec.json.decode(path.read_bytes(), type=LaterRun)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except msgspec.DecodeError as error:
        raise StoredResultError(f"{path} is damaged: {error}; run the comparison again: {_rerun(path)}") from error


def _write_later_run(run: LaterRun, directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    write_text(directory / LATER_RUN, msgspec.json.encode(run).decode())


def read(directory: Path | str) -> Result:
    """Read the result in a comparison's directory, or in the ``result.json`` named.

    Raises
    ------
    NoStoredResult
        No such file.
    StoredResultError
        It is not JSON, of another schema version, does not fit the schema, or was changed since it was written.
    """
    path = Path(directory)
    if path.suffix != ".json":
        path = path / RESULT
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NoStoredResult(f"{path} does not exist; run the comparison first: {_rerun(path)}") from error
    return _decode(content, path, f"run the comparison again: {_rerun(path)}")


def read_posterior(directory: Path | str) -> xarray.DataTree:
    """Read the draws that belong to the result in a comparison's directory, in full, and close the file.

    Raises
    ------
    StoredResultError
        The file is missing, damaged, or of another run than ``result.json``.
    """
    import xarray

    path = Path(directory) / POSTERIOR
    remedy = f"run the comparison again: {_rerun(path)} --fresh"
    try:
        with xarray.open_datatree(path, engine="h5netcdf") as opened:
            posterior = opened.load()
    except FileNotFoundError as error:
        raise NoStoredResult(f"{path} does not exist; {remedy}") from error
    except (OSError, ValueError, KeyError) as error:
        raise StoredResultError(f"{path} cannot be read ({error}); {remedy}") from error
    identity = _identity(read(directory))
    if any(posterior.attrs.get(key) != value for key, value in identity.items()):
        raise StoredResultError(f"{path} holds the draws of another run than {RESULT} beside it; {remedy}")
    return posterior


def reusable(directory: Path | str, key: str) -> Result | None:
    """Return the stored result where it and its draws are complete and were made with this key, else None.

    ``key`` is `Provenance.key`: a digest of all that decides the numbers.
    """
    import h5netcdf

    try:
        result = read(directory)
        if result.provenance.key != key:
            return None
        with h5netcdf.File(Path(directory) / POSTERIOR, "r") as posterior:
            same_run = all(posterior.attrs.get(name) == value for name, value in _identity(result).items())
    except (StoredResultError, OSError):
        return None
    return result if same_run else None


def _plain_number(value: Any) -> Any:
    import numpy as np

    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a result cannot hold {value!r} of type {type(value).__name__}")


def _identity(result: Result) -> dict[str, Any]:
    return {"comparison": result.name, "key": result.provenance.key, "started": result.provenance.started}


def command_of(directory: Path) -> str | None:
    """Return the command that made the result here, whatever its schema; None where it is damaged."""
    try:
        return str(msgspec.json.decode((directory / RESULT).read_bytes())["provenance"]["command"])
    except (OSError, msgspec.DecodeError, LookupError, TypeError):
        return None


def _rerun(path: Path) -> str:
    return f"comparisons run {path.parent.name} --out {path.parent.parent}"


def decoded[T](content: bytes, path: Path, kind: type[T], schema_version: int, called: str, remedy: str) -> T:
    """Return the record that a file holds, of a result or of what stands beside it.

    Raises
    ------
    StoredResultError
        It is not what it is ``called``, of another version, or was changed since it was written; with the ``remedy``.
    """

    class Version(msgspec.Struct):
        schema_version: int

    try:
        version = msgspec.json.decode(content, type=Version).schema_version
        if version != schema_version:
            raise StoredResultError(f"{path} has schema version {version}, this program {schema_version}; {remedy}")
        record = msgspec.json.decode(content, type=kind)
        if not intact(content):
            raise StoredResultError(
                f"{path} was changed after it was written: its digest is of other numbers; {remedy}"
            )
        return record
    except msgspec.DecodeError as error:  # ValidationError is one
        raise StoredResultError(f"{path} is not {called}: {error}; {remedy}") from error


def read_beside[T](path: Path, decode: Callable[[bytes, Path], T]) -> T | None:
    """Return the record of a file that may stand beside a result; None where there is none."""
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return decode(content, path)


def _decode(content: bytes, path: Path, remedy: str) -> Result:
    return decoded(content, path, Result, SCHEMA_VERSION, "a result", remedy)
