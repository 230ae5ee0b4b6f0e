"""What a comparison of methods comes to, field by field, and ``methods.json``, which holds it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from comparisons.display import displayed
from comparisons.results.files import write_text
from comparisons.results.result import Limits, Provenance
from comparisons.results.store import decoded, read_beside
from comparisons.results.strict_json import Number, sealed

SCHEMA_VERSION = 2
FILE = "methods.json"
# Probability beyond either end of an interval of 94 %.
NOMINAL = 0.03
# As in the verdict: within its limits, "slightly off" them, or of no use as a summary.
type Grade = Literal["yes", "slightly off", "no"]


@dataclass(frozen=True, slots=True)
class Method:
    """One way to the posterior, by the quantity in which it is worst off.

    Every number is on the scale on which the quantity has no bounds, as in the verdict. ``mean``: its mean minus the posterior's,
    in posterior sds, the largest by size; ``sd_ratio``: its standard deviation over the posterior's, the farthest from 1;
    ``tail``:
    posterior probability beyond an end of its 94 % interval, nominal 0.03, the worst by its limit; each with the
    quantity it is of, and null where the method has no such number. ``seconds`` are of the processor, compiling included;
    ``per_second``: effective draws for each of them, of the quantity with fewest, null where nothing is drawn from a chain.
    ``good``: whether every quantity keeps to the limits of the verdict, or is slightly off them; null where the method came to
    nothing. Where it is not "yes", ``reason`` says why.
    """

    __repr__ = displayed

    name: str
    mean: Number
    mean_of: str
    sd_ratio: Number
    sd_ratio_of: str
    tail: Number
    tail_of: str
    seconds: Number
    per_second: Number
    good: Grade | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Methods:
    """All methods on one comparison; ``reference`` says what they are held against, ``conclusion`` what to make of them."""

    __repr__ = displayed

    schema_version: int
    name: str
    title: str
    n: int
    data_sha256: str
    reference: str
    limits: Limits
    methods: list[Method]
    conclusion: str
    provenance: Provenance


def share_of(ratio: float, limits: tuple[float, float]) -> float:
    """How far a ratio is from 1, as a share of how far its limits are; infinite where it is 0.

    Examples
    --------
    >>> share_of(0.8, (0.8, 1.25)), share_of(1.0, (0.5, 2.0))
    (1.0, 0.0)
    """
    if ratio <= 0:
        return math.inf
    return abs(math.log(ratio) / math.log(limits[1] if ratio > 1 else limits[0]))


def share_of_tail(tail: float, limits: Limits) -> float:
    """The same of a probability beyond an end of an interval, against what is nominal."""
    return share_of(tail / NOMINAL, (limits.tail[0] / NOMINAL, limits.tail[1] / NOMINAL))


def encode(methods: Methods) -> str:
    """Return the record as strict JSON, indented, its digest last."""
    return sealed(msgspec.json.encode(methods)).decode()


def write(methods: Methods, directory: Path | str) -> Path:
    """Store the record in the directory of its comparison, ``DIR/<name>``, in place of an older one."""
    return write_text(Path(directory) / FILE, encode(methods))


def read(directory: Path | str) -> Methods | None:
    """Read the record in a comparison's directory; None where there is none.

    Raises
    ------
    StoredResultError
        It is damaged, of another version, or was changed since it was written.
    """
    return read_beside(Path(directory) / FILE, _decode)


def _decode(content: bytes, path: Path) -> Methods:
    remedy = f"make it again: comparisons methods {path.parent.name} --out {path.parent.parent}"
    return decoded(content, path, Methods, SCHEMA_VERSION, "a comparison of methods", remedy)
