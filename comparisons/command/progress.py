"""What a run shows on standard error while it goes on: bars on a terminal, elsewhere a line for each stage and each end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from comparisons.command.processes import Crashed, Finished, Outcome, Stage
from comparisons.report.digits import seconds
from comparisons.settings import REUSED

if TYPE_CHECKING:
    from rich.progress import TaskID

COLOURS = {"agree": "green", "differ": "yellow", "wrong": "red", "inconclusive": "magenta"}


@contextmanager
def shown(n_comparisons: int) -> Iterator[Callable[[Stage | Outcome], None]]:
    """Give a function that shows each event of a run of so many comparisons."""
    if not sys.stderr.isatty():
        yield _print_line
        return
    with _bars(n_comparisons) as show:
        yield show


@contextmanager
def counted(title: str) -> Iterator[Callable[[int, int], None]]:
    """Give a function that shows how many of so many are done: a bar on a terminal, elsewhere a line for each twentieth."""
    if not sys.stderr.isatty():
        told = -1

        def tell(done: int, of: int) -> None:
            nonlocal told
            if of and 20 * done // of > told:
                told = 20 * done // of
                print(f"{title}: {done} of {of}", file=sys.stderr, flush=True)

        yield tell
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task(title, total=None)
        yield lambda done, of: progress.update(bar, completed=done, total=of)


@contextmanager
def stages() -> Iterator[Callable[[str, int, int], None]]:
    """Give a function that shows the stage of a single piece of work, and how many of how many parts of it are done."""
    if not sys.stderr.isatty():
        yield lambda stage, done, of: None if done else print(stage, file=sys.stderr, flush=True)
        return
    from rich.console import Console

    console = Console(stderr=True, markup=False, highlight=False, emoji=False)
    with console.status("starting") as status:
        yield lambda stage, done, of: status.update(f"{stage}, {done} of {of}" if of else stage)


def line(outcome: Outcome) -> str:
    """Return what is said of a comparison that has ended."""
    if isinstance(outcome, Crashed):
        return f"{outcome.name}: crashed after {seconds(outcome.seconds)}: {outcome.reason} (see {outcome.log})"
    return f"{outcome.name}: {outcome.verdict} ({REUSED if outcome.reused else seconds(outcome.seconds)})"


def _print_line(event: Stage | Outcome) -> None:
    if not isinstance(event, Stage):
        print(line(event), file=sys.stderr, flush=True)
    elif event.stage != REUSED:  # which the line of its end says
        print(f"{event.name}: {event.stage} ...", file=sys.stderr, flush=True)


@contextmanager
def _bars(n_comparisons: int) -> Iterator[Callable[[Stage | Outcome], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.text import Text

    console = Console(stderr=True, markup=False, highlight=False, emoji=False)
    columns = (
        SpinnerColumn(finished_text=" "),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        total = progress.add_task(f"{n_comparisons} comparison{'s' * (n_comparisons > 1)}", total=n_comparisons)
        running: dict[str, TaskID] = {}

        def show(event: Stage | Outcome) -> None:
            if isinstance(event, Stage):
                if event.name not in running:
                    running[event.name] = progress.add_task(event.name, total=None)
                progress.update(running[event.name], description=f"{event.name}: {event.stage}")
                return
            if event.name in running:
                progress.remove_task(running.pop(event.name))
            progress.advance(total)
            colour = COLOURS[event.verdict] if isinstance(event, Finished) else "red"
            progress.console.print(Text(line(event), style=colour))

        yield show
