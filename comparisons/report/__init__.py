"""Reports from result files alone: a page, tables and figures for each comparison, and an index of all.

Nothing here fits anything or imports what does; a report can be written again wherever ``result.json`` and
``posterior.nc`` are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

__all__ = ["is_current", "last_word", "mention_failure", "write_index", "write_report"]


@contextmanager
def last_word(name: str, directory: Path | str) -> Iterator[None]:
    """Where the block, a run of the comparison, ends with an error, say so beside and on what is there of an earlier run."""
    from comparisons.results import store

    try:
        yield
    except BaseException as error:
        if (Path(directory) / store.LATER_RUN).exists():
            mention_failure(name, directory, f"{type(error).__name__}: {error}".strip(": "))
        raise
    store.end_run(Path(directory))


def mention_failure(name: str, directory: Path | str, error: str) -> None:
    """Write down what ended a run of the comparison, and say so on the page of an earlier one."""
    from comparisons.report import page
    from comparisons.results import store

    store.fail_run(name, Path(directory), error)
    page.mention_later_run(Path(directory))


def write_report(directory: Path | str, *, own: bool = False) -> Path:
    """Write ``report.html``, ``estimates.csv``, ``paper/`` and ``figures/`` beside a stored result.

    Parameters
    ----------
    directory : of one comparison, with ``result.json`` and ``posterior.nc``
    own : the result is that of the run which writes this, so there is no later one to tell of

    Returns
    -------
    Path
        The page.

    Raises
    ------
    comparisons.results.store.StoredResultError
        The result is missing, damaged or of another version of this program.
    """
    from comparisons.report import page

    return page.write_report(Path(directory), own=own)


def is_current(directory: Path | str) -> bool:
    """Whether the report in this directory was written from the result there, by this version of the report."""
    from comparisons.report import page

    return page.is_current(Path(directory))


def write_index(out: Path | str, order: Sequence[str] = ()) -> Path:
    """Write ``index.html`` over all comparisons in a directory: a table to sort and to filter.

    Parameters
    ----------
    out : directory with one directory for each comparison
    order : names that come first, in this order; the others follow by name, what has no result last
    """
    from comparisons.report import index

    return index.write_index(Path(out), order)
