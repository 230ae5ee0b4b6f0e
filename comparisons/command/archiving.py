"""The commands that hand results on and hold them against each other: bundle, verify, diff. Exit status 1 means: they differ."""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click

from comparisons.command.endings import DIFFERENT
from comparisons.command.own_data import RESULTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from comparisons.archive.differences import Compared, Difference
    from comparisons.results.result import Result

DIRECTORY = click.Path(file_okay=False, path_type=Path)
OUT = click.option("--out", type=DIRECTORY, default=RESULTS, show_default=True, help="Directory of results.")
# Of many numbers of one kind that differ the first ones tell enough; diff --json has all.
MOST = 12


@click.command(short_help="Bundle a stored result in one zip, to hand on.")
@click.argument("name")
@click.argument("file", required=False, metavar="[FILE.zip]", type=click.Path(dir_okay=False, path_type=Path))
@OUT
def bundle(name: str, file: Path | None, out: Path) -> None:
    """Write FILE.zip (default: NAME.zip) with all that a stored result is made of, as an RO-Crate.

    That is data, result, draws, report, locked versions, and the command that makes it again. Files that it names are looked for
    from here.
    """
    from comparisons.archive import bundle as archive
    from comparisons.results import store
    from comparisons.results.files import directory_name

    path = file or Path(f"{directory_name(name)}.zip")
    if path.suffix != ".zip":
        raise click.UsageError(f"{path} has to end in .zip")
    try:
        again = archive.write(out / directory_name(name), path, Path.cwd())
    except store.StoredResultError as error:
        raise click.UsageError(str(error)) from error
    if again.why:
        click.echo(f"{again.why} The bundle has data and checksums, and verify checks these alone.", err=True)
    else:
        click.echo(f"Made again by: {again.command}", err=True)
    click.echo(path)


@click.command(
    short_help="Check a bundle, and compute it again.", epilog="Exit status: 0 equal; 1 something differs; 2 wrong use."
)
@click.argument("file", metavar="FILE.zip", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--run-code", is_flag=True, help="Run Python that stands in the bundle: a family or a pair of its own.")
def verify(file: Path, run_code: bool) -> None:
    """Check the checksums of a bundle, then run its command in an empty folder and say what differs, number by number."""
    from comparisons.archive import verify as verifying

    try:
        found = verifying.verify(file, run_code=run_code)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    click.echo(f"Checksums: {found.files} files, {f'{len(found.damaged)} wrong' if found.damaged else 'all right'}.")
    for each in found.damaged:
        click.echo(f"  {each}")
    click.echo(found.told)
    differences = found.rows + (found.compared.found if found.compared else [])
    _print(differences, "stored", "new")
    if not found.equal:
        click.echo(f"{found.name} DIFFERS from what the bundle says.")
    elif found.compared is None:
        click.echo(f"{found.name}: the files are as they were bundled; nothing was computed again.")
    else:
        click.echo(f"{found.name}: EQUAL, computed again.")
    sys.exit(0 if found.equal else DIFFERENT)


@click.command(
    short_help="Hold two stored results against each other.",
    epilog="Exit status: 0 the same; 1 they differ; 2 wrong use.",
)
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@OUT
@click.option("--json", "as_json", is_flag=True, help="Print all differences as JSON.")
def diff(first: str, second: str, out: Path, as_json: bool) -> None:
    """Say what two results, names or directories, have otherwise.

    Data, model, settings, versions, EM, posterior, checks and verdict stand in this order: the first is what the others may
    follow from. The clock does not count.
    """
    from comparisons.archive.differences import compare

    one, other = _read(first, out), _read(second, out)
    compared = compare(one, other)
    if as_json:
        import msgspec

        told = {"same": not compared.found, "first": compared.first, "n": compared.n, "differences": compared.found}
        click.echo(msgspec.json.format(msgspec.json.encode(told), indent=1))
    else:
        from comparisons.report.explanations import told as verdict_told

        for result, name in ((one, first), (other, second)):
            click.echo(f"{name}: {verdict_told(result.verdict, result.degree)} – {result.summary}")
        click.echo(_told(compared))
        _print(compared.found, "A", "B")
    sys.exit(DIFFERENT if compared.found else 0)


def _read(name: str, out: Path) -> Result:
    from comparisons.results import store
    from comparisons.results.files import directory_name

    stored = out / directory_name(name)
    directory = stored if (stored / store.RESULT).is_file() or not Path(name).is_dir() else Path(name)
    try:
        return store.read(directory)
    except store.StoredResultError as error:
        raise click.UsageError(str(error)) from error


def _told(compared: Compared) -> str:
    if not compared.found:
        return f"The same: all {compared.n} numbers and words, to nine digits."
    if compared.first is None:
        return f"{len(compared.found)} of {compared.n} numbers differ, none by more than its own error."
    return f"{len(compared.found)} of {compared.n} numbers and words differ. What changed first: {compared.first}."


def _print(differences: Sequence[Difference], first: str, second: str) -> None:
    """A line for each difference, under its section; numbers without an error of their own are only counted."""
    shown = [each for each in differences if each.judged != "told"]
    width = min(max((len(each.name) for each in shown), default=0), 60)
    for section, group in groupby(shown, lambda each: each.section):
        of_section = list(group)
        click.echo(f"{section}: {len(of_section)} differ{'s' if len(of_section) == 1 else ''}")
        for each in of_section[:MOST]:
            size = "" if each.relative is None else f", relative difference {each.relative:.2g}"
            limit = "" if each.tolerance is None else f", {each.judged} {each.tolerance:.2g}"
            click.echo(
                f"  {each.name:<{width}}  {first} {_value(each.first)}, {second} {_value(each.second)}{size}{limit}"
            )
        if len(of_section) > MOST:
            click.echo(f"  ... and {len(of_section) - MOST} more")
    if told := len(differences) - len(shown):
        click.echo(f"{told} other numbers, of figures, checks and what follows from draws, differ with the draws.")


def _value(value: object) -> str:
    if value is None:
        return "none"
    text = " ".join(str(value).split())
    return f"{value:.10g}" if isinstance(value, float) else text if len(text) <= 60 else f"{text[:57]}..."
