"""How a command ends: every way out has a status of its own, and a message that says what to do."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

import click

WRONG, WRONG_USE, INCONCLUSIVE, CRASHED = 1, 2, 3, 4
# Of verify and diff.
DIFFERENT = 1
# Of the kind that shells and sysexits.h know.
UNFORESEEN, INTERRUPTED, NOBODY_READS = 70, 130, 141


class Commands(click.Group):
    """The commands, each way out of which has a status of its own: 1 is a verdict."""

    def main(self, *arguments: Any, **options: Any) -> NoReturn:
        """Run a command; the one place where an error that nobody foresaw ends."""
        try:
            status = super().main(*arguments, **options | {"standalone_mode": False}) or 0
        except click.UsageError as error:
            status = WRONG_USE
            # Where nothing can be told the status still is what it is.
            with suppress(OSError):
                pointed(error).show()
        except (KeyboardInterrupt, click.Abort):
            status = _ended(INTERRUPTED, "Interrupted.")
        except OSError as error:
            if error.errno is None:
                status = _unforeseen(error)
            else:
                place = "" if error.filename is None else f"{error.filename}: "
                status = _ended(WRONG_USE, f"Error: {place}{error.strerror}; give a place that can be read and written")
        except Exception as error:
            status = _unforeseen(error)
        sys.exit(status)

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        """Read the arguments, and print the help where they ask for it."""
        with _until_nobody_reads():
            return super().make_context(*arguments, **options)

    def invoke(self, context: click.Context) -> Any:
        """Run the command that the arguments name."""
        with _until_nobody_reads():
            return super().invoke(context)


@contextmanager
def _until_nobody_reads() -> Iterator[None]:
    """End quietly where the pipe is closed that the block prints to; click itself would end with 1."""
    try:
        yield
    except BrokenPipeError:
        # What is left to print goes nowhere, without an error at the end of the program.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise click.exceptions.Exit(NOBODY_READS) from None


def _unforeseen(error: Exception) -> int:
    told = f"{type(error).__name__}: {error}".splitlines()[0][:200]
    trace = "".join(traceback.format_exception(error))
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="comparisons-", suffix=".log", delete=False, encoding="utf-8"
        ) as log:
            log.write(f"comparisons {' '.join(sys.argv[1:])}\n\n{trace}")
        where = f"The log is {log.name}"
    except OSError as unwritable:
        where = f"No log can be written ({unwritable.strerror}), so here it is:\n{trace}"
    return _ended(UNFORESEEN, f"Error: {told}\nNobody foresaw this, so please report it. {where}")


def _ended(status: int, why: str) -> int:
    with suppress(OSError):
        click.echo(why, err=True)
    return status


@contextmanager
def refused(context: click.Context) -> Iterator[None]:
    """Tell what own data are refused for as wrong use."""
    try:
        yield
    except (ValueError, TypeError, ModuleNotFoundError) as error:
        raise click.UsageError(str(error), context) from error


def pointed(error: click.UsageError) -> click.UsageError:
    """Say where an option stands that `comparisons.compare` has and the command line has not, or not under that name."""
    if not isinstance(error, click.NoSuchOption):
        return error
    from comparisons.own import ON_COMMAND_LINE
    from comparisons.toml_files import keys

    key = error.option_name.lstrip("-").replace("-", "_")
    if key in ON_COMMAND_LINE:
        return click.NoSuchOption(error.option_name, possibilities=[f"--{ON_COMMAND_LINE[key]}"], ctx=error.ctx)
    if key in keys():
        file = f"{key} stands in a file: comparisons init FILE.toml --data DATA writes one with comments."
        return click.NoSuchOption(error.option_name, f"{error.message} {file}", ctx=error.ctx)
    return error
