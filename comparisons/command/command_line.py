"""The command ``comparisons``: list, run, components, methods, audit, report, show, bundle, verify, diff.

Exit status of ``run``: 0 every verdict reached and none ``wrong`` or ``inconclusive``; 1 some verdict is ``wrong``;
2 wrong use, or a file that cannot be read or written; 3 some is ``inconclusive`` and none ``wrong``; 4 some comparison
crashed, so that its verdict is missing, and none is ``wrong``. Of all commands: 70 an error that nobody foresaw, 130
interrupted, 141 nobody reads on. What only some commands need is imported inside them: ``--help`` loads no NumPy.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from comparisons import DEFAULT_SEED
from comparisons.command import archiving, own_data, own_pairs
from comparisons.command.endings import CRASHED, INCONCLUSIVE, INTERRUPTED, WRONG, Commands
from comparisons.command.own_data import RESULTS
from comparisons.command.own_pairs import SEED

if TYPE_CHECKING:
    from comparisons.command.processes import Outcome
    from comparisons.results.store import LaterRun

DIRECTORY = click.Path(file_okay=False, path_type=Path)
PDF = click.option(
    "--pdf", is_flag=True, callback=lambda context, parameter, asked: _typst_for(context, asked),
    help="Write paper/paper.pdf too: methods, results, table, figures and references.",
)  # fmt: skip


def _typst_for(context: click.Context, asked: bool) -> bool:
    """Refuse before anything runs what cannot be set."""
    from comparisons import paper

    if asked:
        try:
            paper.refuse_without_typst()
        except ModuleNotFoundError as error:
            raise click.UsageError(str(error), context) from error
    return asked


def _write_pdf(directory: Path) -> None:
    """Write the PDF, from the result alone where the paper there is of another one, and say where it is."""
    from comparisons import paper, report

    if not report.is_current(directory):
        report.write_report(directory)
    click.echo(f"PDF: {paper.write_pdf(directory)}", err=True)


def _version(context: click.Context, parameter: click.Parameter, asked: bool) -> None:
    if asked:
        from importlib.metadata import PackageNotFoundError, version

        try:
            click.echo(f"comparisons {version('em-comparisons')}")
        except PackageNotFoundError:
            click.echo("comparisons, not installed: run from its sources")
        context.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def main() -> None:
    """Compare EM estimates with the PyMC posterior of the same latent-variable model.

    Each comparison fits one model to one data set both ways, checks both fits, and says whether they agree.
    """


@main.command("list")
@click.option(
    "--out", type=DIRECTORY, default=RESULTS, show_default=True, help="Directory of results, of your own data too."
)
def list_comparisons(out: Path) -> None:
    """List every comparison with its question, and results of your own data."""
    from comparisons import catalogue

    questions = catalogue.questions() | own_data.questions(out)
    width = max(len(name) for name in questions)
    for name, question in questions.items():
        click.echo(f"{name:<{width}}  {question}")


def _known(context: click.Context, parameter: click.Parameter, names: Sequence[str] | str | None) -> tuple[str, ...]:
    """Refuse an unknown name before anything runs, and run nothing twice."""
    from comparisons import catalogue

    names = [names] if isinstance(names, str) else names or ()
    for name in names:
        if (
            name.endswith(".toml")
            or own_pairs.is_pair(name)
            or own_data.is_stored(name, context.params.get("out") or Path(RESULTS))
        ):
            continue
        if name not in catalogue.names():
            if Path(name).is_file():
                raise click.UsageError(
                    f"{name} is a file; for your own data: comparisons {context.command.name} --data {name}", context
                )
            try:
                catalogue.declaration(name)
            except catalogue.UnknownComparison as error:
                raise click.UsageError(str(error), context) from error
    return tuple(dict.fromkeys(names))


@main.command(
    short_help="Run comparisons, write results and reports.",
    epilog="Exit status: 0 fine; 1 some verdict is wrong; 2 wrong use; 3 some is inconclusive; 4 some crashed.",
)
@click.argument("names", metavar="[NAME | FILE.toml | FILE.py:NAME]...", nargs=-1, callback=_known)
@own_data.options
@click.option(
    "--out", type=DIRECTORY, default=RESULTS, show_default=True, is_eager=True, help="Directory of results and reports."
)
@SEED
@click.option(
    "--draws", type=click.IntRange(min=100), default=1000, show_default=True, help="Of each chain, after tuning."
)
@click.option("--chains", type=click.IntRange(min=2), default=4, show_default=True, help="Of the sampler.")
@click.option("--jobs", type=click.IntRange(min=1), default=2, show_default=True, help="Comparisons at the same time.")
@click.option("--fresh", is_flag=True, help="Compute anew even what has not changed.")
@click.option("--json", "as_json", is_flag=True, help="Print result.json: one object for one NAME, else an array.")
@PDF
@click.pass_context
def run(
    context: click.Context,
    /,
    names: tuple[str, ...],
    out: Path,
    seed: int,
    draws: int,
    chains: int,
    jobs: int,
    fresh: bool,
    as_json: bool,
    pdf: bool,
    **own: Any,
) -> None:
    """Run comparisons of the catalogue, all of them where none is named, or one of your own data.

    Your own data are a FILE.toml (comparisons init writes one), the NAME of their stored result, or --data with its options; your
    own EM with your own PyMC program is a comparisons.Pair in FILE.py, and a PyMC program alone, with discrete latent
    variables, a pymc.Model there or a function that returns one:

    comparisons run --data heights.csv --column height --labels sex --components 2

    A stored result is used again while nothing that decides it has changed.
    """
    from comparisons import catalogue, report
    from comparisons.command import processes, progress, terminal
    from comparisons.results.files import directory_name

    asked = own_data.asked(context, names, own, out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.UsageError(f"--out {out} cannot be made: {error.strerror}") from error
    settings = {"seed": seed, "draws": draws, "chains": chains}
    pairs = own_pairs.pairs(context, names, out, settings, fresh=fresh)
    chosen = [name for name in names if name in catalogue.names()]
    chosen = chosen or ([] if asked or pairs else list(catalogue.names()))
    tasks = [
        processes.Task(name, out, seed, draws, chains, fresh, structure)
        for name, structure in zip(chosen, _structures(chosen), strict=True)
    ]
    tasks += [*pairs, *own_data.tasks(asked, out, settings, fresh=fresh)]
    numbers = own_data.compare_numbers(asked, out, seed, fresh=fresh)
    try:
        with progress.shown(len(tasks)) as show:
            outcomes = processes.run_all(tasks, jobs, show)
    except KeyboardInterrupt:
        click.echo("Interrupted; comparisons that had ended keep their results.", err=True)
        sys.exit(INTERRUPTED)
    index = report.write_index(out, catalogue.names())
    if as_json:
        _print_json(out, outcomes, alone=len(tasks) == 1)
    else:
        for each in numbers:
            terminal.print_components(each)
        terminal.print_outcomes(outcomes)
    for rows in dict.fromkeys(each.own.comparison.description for each in asked):
        click.echo(rows, err=True)
    if pdf:
        for ended in outcomes:
            if isinstance(ended, processes.Finished):
                _write_pdf(out / directory_name(ended.name))
    click.echo(f"Reports: {index}", err=True)
    sys.exit(_status(outcomes))


def _structures(names: Sequence[str]) -> list[tuple[Any, ...]]:
    """What decides the PyMC graph of each, which is a second's work and nobody's concern where there is only one."""
    if len(names) < 2:
        return [()] * len(names)
    from comparisons.pipeline import structure

    return [structure(name) for name in names]


def _status(outcomes: Sequence[Outcome]) -> int:
    from comparisons.command.processes import Finished

    verdicts = {each.verdict if isinstance(each, Finished) else "crashed" for each in outcomes}
    ranked = {"wrong": WRONG, "crashed": CRASHED, "inconclusive": INCONCLUSIVE}
    return next((status for verdict, status in ranked.items() if verdict in verdicts), 0)


def _print_json(out: Path, outcomes: Sequence[Outcome], *, alone: bool) -> None:
    from comparisons.command.processes import Finished
    from comparisons.results import store
    from comparisons.results.files import directory_name

    ended = [each.name for each in outcomes if isinstance(each, Finished)]
    texts = [(out / directory_name(name) / store.RESULT).read_text(encoding="utf-8").strip() for name in ended]
    if alone:
        click.echo("".join(texts))
    else:
        click.echo("[" + ",\n".join(texts) + "]")


@contextmanager
def _nothing_stored() -> Iterator[None]:
    """Say so, and end, where what answers one question is interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo("Interrupted; nothing was stored.", err=True)
        sys.exit(INTERRUPTED)


@main.command(short_help="How many components? Test, Bayes factors and criteria.")
@click.argument("of", metavar="[NAME | FILE.toml]", required=False, callback=_known)
@own_data.options
@click.option(
    "--max", "most", type=click.IntRange(min=2), help="Largest number of components.  [default: one more than NAME's]"
)
@SEED
@click.option(
    "--out", type=DIRECTORY, default=RESULTS, show_default=True, is_eager=True, help="Directory of results and reports."
)
@click.option("--json", "as_json", is_flag=True, help="Print what is stored as JSON.")
@click.pass_context
def components(
    context: click.Context,
    /,
    of: tuple[str, ...],
    most: int | None,
    seed: int,
    out: Path,
    as_json: bool,
    **own: Any,
) -> None:
    """Ask whether the second component of NAME is there at all, and a third: compare 1, 2, ... components.

    Bootstrap likelihood ratio and Bayes factor for each step, AIC, BIC, ICL and leave-one-out for each number. NAME is of the
    catalogue or of a stored result of your own data; these may also be told as for run.
    """
    from comparisons.command import progress, terminal
    from comparisons.components import comparing, record
    from comparisons.results.files import directory_name

    asked, command, seed = own_data.one_asked(context, of, own, out, seed)
    try:
        with _nothing_stored(), progress.stages() as show:
            found = comparing.compare(asked, most, seed=seed, out=out, progress=show, command=command)
    except comparing.NoQuestion as error:
        raise click.UsageError(str(error)) from error
    if as_json:
        click.echo(record.encode(found), nl=False)
    else:
        terminal.print_components(found)
    _tell_stored(out / directory_name(found.name) / record.FILE, command)


def _tell_stored(file: Path, command: str) -> None:
    """Say where an answer is stored, and put it into the report that is there."""
    from comparisons import report
    from comparisons.results import store

    directory = file.parent
    if (directory / store.RESULT).exists():
        told = f"in the report: {report.write_report(directory)}"
    else:
        verb, run = f"comparisons {file.stem} ", "comparisons run "
        told = f"a report with it is made by: {command.replace(verb, run, 1)} --out {directory.parent}"
    click.echo(f"Stored in {file}; {told}", err=True)


@main.command(short_help="Which shortcut would have been good enough?")
@click.argument("of", metavar="[NAME | FILE.toml]", required=False, callback=_known)
@own_data.options
@SEED
@click.option(
    "--out", type=DIRECTORY, default=RESULTS, show_default=True, is_eager=True, help="Directory of results and reports."
)
@click.option("--json", "as_json", is_flag=True, help="Print what is stored as JSON.")
@click.pass_context
def methods(context: click.Context, /, of: tuple[str, ...], seed: int, out: Path, as_json: bool, **own: Any) -> None:
    """Ask which quicker way would have come to the posterior of NAME.

    EM with Wald and profile intervals, Laplace, importance sampling from EM, ADVI, Pathfinder, SMC and other samplers, each held
    against the posterior by quadrature or by a long run of NUTS: how far mean, spread and tails are off, what it took, and why it
    is not good enough. NAME is of the catalogue or of a stored result of your own data; these may also be told as for run.
    """
    from comparisons.command import progress, terminal
    from comparisons.engine_failures import EngineFailure
    from comparisons.methods import comparing, record
    from comparisons.results.files import directory_name

    asked, command, seed = own_data.one_asked(context, of, own, out, seed, "methods")
    try:
        with _nothing_stored(), progress.stages() as show:
            found = comparing.compare(
                asked, seed=seed, out=out, progress=lambda stage: show(stage, 0, 0), command=command
            )
    except (comparing.NoReference, EngineFailure) as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(INCONCLUSIVE)
    if as_json:
        click.echo(record.encode(found), nl=False)
    else:
        terminal.print_methods(found)
    _tell_stored(out / directory_name(found.name) / record.FILE, command)


@main.command("report", short_help="Write reports again, from result files alone.")
@click.argument("directory", metavar="[DIR]", type=DIRECTORY, default=RESULTS)
def write_reports(directory: Path) -> None:
    """Write the reports in DIR (default: results) again, from the result files alone."""
    from comparisons import catalogue, report
    from comparisons.results import store

    found = sorted(path.parent for path in directory.glob(f"*/{store.RESULT}"))
    if not found:
        raise click.UsageError(
            f"there are no results in {directory}; make them with: comparisons run --out {directory}"
        )
    unreadable = 0
    for each in found:
        try:
            report.write_report(each)
        except store.StoredResultError as error:
            unreadable += 1
            click.echo(f"{each.name}: {error}", err=True)
        else:
            click.echo(f"{each.name}: written", err=True)
    click.echo(report.write_index(directory, catalogue.names()))
    sys.exit(CRASHED if unreadable else 0)


@main.command(short_help="Show a stored result in the terminal.")
@click.argument("name")
@click.option("--out", type=DIRECTORY, default=RESULTS, show_default=True, help="Directory of results.")
@PDF
@click.pass_context
def show(context: click.Context, name: str, out: Path, pdf: bool) -> None:
    """Show the verdict, the table and the reasons of a stored result, of the catalogue or not."""
    from comparisons.command import terminal
    from comparisons.results import store
    from comparisons.results.files import directory_name

    directory = out / directory_name(name)
    later: store.LaterRun | None = None
    try:
        later = store.later_run(directory)
        result = store.read(directory)
    except store.NoStoredResult as error:
        not_run = f"{error}. {later.told}" if later is not None else str(error)
        raise click.UsageError(_no_result(context, name, out, later) or not_run) from error
    except store.StoredResultError as error:
        raise click.UsageError(str(error)) from error
    terminal.print_result(result, later)
    if pdf:
        _write_pdf(directory)


def _no_result(context: click.Context, name: str, out: Path, later: LaterRun | None) -> str:
    """What to do where there is none of this name; empty where the comparison of the catalogue has just not been run."""
    from comparisons.results import store
    from comparisons.results.files import directory_name

    directory = out / directory_name(name)
    try:
        _known(context, context.command.params[0], [name])
    except click.UsageError as unknown:
        if later is not None:
            # Own data are named by the options of their run.
            again = "run it again with the options that it was begun with, --data among them"
            return f"{directory} has no result; {again}. {later.told}"
        stored = sorted(path.parent.name for path in out.glob(f"*/{store.RESULT}"))
        numbered = [each for each in stored if re.fullmatch(rf"{re.escape(directory.name)}-\d+", each)]
        if numbered:
            return (
                f"{name} was run with several numbers of components, each a result of its own: {', '.join(numbered)}; "
                f"see one with: comparisons {context.command.name} {numbered[0]}"
            )
        return unknown.message + (f"\nResults in {out}: {', '.join(stored)}" if stored else "")
    return ""


@main.command(short_help="Measure the error rates of the verdict itself, by simulation.")
@click.argument("study", type=click.Choice(["clean", "faults", "curves", "calibration", "audits"]))
@click.option(
    "--replicates",
    type=click.IntRange(min=1),
    help="Data sets: of a clean setting, of a fault that depends on chance, of a point of a curve, of a calibration setting. "
    "Or audits of right steps, in all families together. [default: 100, 60, 20, 500; 1000]",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=DEFAULT_SEED, show_default=True, help="Of the first replicate."
)
@click.option(
    "--out",
    type=DIRECTORY,
    default="study",
    show_default=True,
    help="Directory of the tables, one folder a family; OUT.md tells what it comes to.",
)
@click.option("--family", help="Whose populations: one of comparisons families.  [default: all]")
@click.option("--scheduler", metavar="ADDRESS", help="Of a dask.distributed cluster. [default: this machine's cores]")
@click.option("--json", "as_json", is_flag=True, help="Print the rates as JSON.")
def study(
    study: str, replicates: int | None, seed: int, out: Path, family: str | None, scheduler: str | None, as_json: bool
) -> None:
    """Run the whole pipeline on many simulated data sets: a row for each in OUT/FAMILY, a summary with figures in OUT.md.

    clean: sound engines, where no verdict may be "wrong". faults: one fault planted at a time, which should be found and its
    engine named. curves: how small a fault in the draws is still seen. calibration: ranks of the truth in the posterior, and
    the coverage of EM's intervals. audits: whether slips in a step of EM are named, and right steps left alone. An interrupted
    study goes on where it was. Exit status: 0 done; 2 wrong use; 4 some replicate crashed.
    """
    from typing import cast

    from comparisons.command import terminal
    from comparisons.command.progress import counted
    from comparisons.families import FAMILIES
    from comparisons.study import campaign, summary

    if family not in (None, *FAMILIES):
        raise click.UsageError(f"--family is {family!r}; there are {', '.join(FAMILIES)}")
    number = campaign.REPLICATES[study] if replicates is None else replicates
    kind = cast(campaign.Study, study)
    try:
        with counted(f"study {study}") as progress:
            ended = campaign.run(
                kind, out, replicates=number, seed=seed, family=family, scheduler=scheduler, progress=progress
            )
    except campaign.StudyError as error:
        raise click.UsageError(str(error)) from error
    except KeyboardInterrupt:
        click.echo(f"Interrupted; what is in {out} is kept, and the same command goes on from there.", err=True)
        sys.exit(INTERRUPTED)
    terminal.print_study(kind, out, ended, as_json=as_json)
    click.echo(f"Summary: {summary.write(out)}", err=True)
    sys.exit(CRASHED if ended.crashed else 0)


main.add_command(own_pairs.audit)
main.add_command(own_data.write_toml)
main.add_command(own_data.list_families)
main.add_command(archiving.bundle)
main.add_command(archiving.verify)
main.add_command(archiving.diff)
