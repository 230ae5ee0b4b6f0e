"""The index: one row for each comparison in a directory, which a small script in the page sorts and filters.

Of a result no more is kept than its row tells, so that a thousand of them need the memory of one; pictures are files of the
results, which a browser loads as they come into sight. Without the script the page is a plain table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from markupsafe import Markup

from comparisons.report.appearance import FIRST
from comparisons.report.page import FIGURES, PAGE, environment
from comparisons.results import store
from comparisons.results.files import write_text
from comparisons.results.result import Degree, Result

INDEX = "index.html"
# What needs a reader first; within `differ` the degrees follow, the worst first.
NO_RESULT = "no result"
SEVEREST_FIRST = (NO_RESULT, "wrong", "inconclusive", "differ", "agree")
_DEGREES = (*reversed(get_args(Degree.__value__)), None)


@dataclass(frozen=True, slots=True)
class Row:
    """What the index tells of one directory.

    ``later`` is what is known of a run after the result; ``told`` is the summary, or the reason why there is no result;
    ``differing`` counts, of all quantities, those whose verdict is `differ`.
    """

    folder: str
    name: str
    title: str
    told: str
    verdict: str
    degree: Degree | None = None
    question: str = ""
    later: str = ""
    n: int | None = None
    differing: int | None = None
    quantities: int | None = None
    started: str = ""
    report: bool = False
    picture: bool = False

    @property
    def severity(self) -> int:
        """Place of the verdict, the severest 0, with its degree."""
        return len(_DEGREES) * SEVEREST_FIRST.index(self.verdict) + _DEGREES.index(self.degree)


def write_index(out: Path, order: Sequence[str]) -> Path:
    """Write the index over every directory with a result in it; one that cannot be read is listed last, with the reason."""
    directories = {path.parent for name in (store.RESULT, store.LATER_RUN) for path in out.glob(f"*/{name}")}
    place = {name: position for position, name in enumerate(order)}
    rows = sorted(
        map(_row, directories),
        key=lambda row: (row.verdict == NO_RESULT, place.get(row.name, len(place)), row.name, row.folder),
    )
    counts = {verdict: sum(row.verdict == verdict for row in rows) for verdict in SEVEREST_FIRST}
    script = Markup((Path(__file__).parent / "index.js").read_text(encoding="utf-8"))
    page = environment().get_template("index.html.jinja")
    return write_text(out / INDEX, page.render(rows=rows, counts=counts, script=script))


def _row(directory: Path) -> Row:
    run: store.LaterRun | None = None
    try:
        run = store.later_run(directory)
        result = store.read(directory)
    except store.NoStoredResult:
        assert run is not None
        return Row(directory.name, run.name, run.name, run.told, NO_RESULT)
    except store.StoredResultError as error:
        return Row(directory.name, directory.name, directory.name, f"{error}", NO_RESULT)
    return _row_of(result, directory, "" if run is None else run.told)


def _row_of(result: Result, directory: Path, later: str) -> Row:
    return Row(
        folder=directory.name,
        name=result.name,
        title=result.title,
        told=result.summary,
        verdict=result.verdict,
        degree=result.degree,
        question=result.question,
        later=later,
        n=result.data.n,
        differing=sum(quantity.verdict == "differ" for quantity in result.quantities),
        quantities=len(result.quantities),
        started=result.provenance.started,
        report=(directory / PAGE).exists(),
        picture=(directory / FIGURES / f"{FIRST}.svg").exists(),
    )
