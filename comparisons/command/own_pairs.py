"""The command line for a `comparisons.Pair`, an EM and a PyMC program of one's own: what `run` is given of it, and `audit`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from comparisons import DEFAULT_SEED
from comparisons.command.endings import WRONG, refused

if TYPE_CHECKING:
    from comparisons.command.processes import Task

SEED = click.option(
    "--seed", type=click.IntRange(min=0), default=DEFAULT_SEED, show_default=True, help="Of all random numbers."
)


def is_pair(name: str) -> bool:
    """Whether a name is the place of a `comparisons.Pair`, or of a PyMC program."""
    return ".py:" in name


def pairs(
    context: click.Context, names: Sequence[str], out: Path, settings: Mapping[str, Any], *, fresh: bool
) -> list[Task]:
    """The pairs among the names, read and checked, each as what there is to run."""
    named = [name for name in names if is_pair(name)]
    if not named:
        return []
    from comparisons.command.processes import Task
    from comparisons.pairs import own

    found = []
    for name in named:
        with refused(context):
            asked = own.declared(name)
        found.append(
            Task(asked.comparison.name, out, **settings, fresh=fresh, own={"data": name}, command=asked.command)
        )
    return found


@click.command(short_help="Is each step of your own EM right?")
@click.argument("place", metavar="FILE.py:PAIR")
@SEED
def audit(place: str, seed: int) -> None:
    """Try each step of the EM of a comparisons.Pair: E-step, M-step, objective, prior, start and rule to stop.

    Each is held against the complete-data log density of its PyMC program. Exit status: 0 nothing found; 1 something found;
    2 wrong use.
    """
    import comparisons

    if not is_pair(place):
        raise click.UsageError(f"{place} is no place of a pair; tell it as FILE.py:NAME")
    try:
        found = comparisons.audit(place, seed=seed)
    except (ValueError, TypeError) as error:
        raise click.UsageError(str(error)) from error
    click.echo(str(found))
    sys.exit(0 if found.sound else WRONG)
