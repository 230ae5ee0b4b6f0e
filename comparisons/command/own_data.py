"""The command line for own data: what `run` and `components` are given beside names, `init` and `families`."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from comparisons.command import own_pairs
from comparisons.command.endings import refused

if TYPE_CHECKING:
    from comparisons.command.processes import Task
    from comparisons.components.record import Components
    from comparisons.declaration import Comparison
    from comparisons.own import Own
    from comparisons.pairs.own_chains import OwnChain

FILE = click.Path(exists=True, dir_okay=True, path_type=Path)
SETTINGS = ("seed", "draws", "chains")
# Directory of results where none is named.
RESULTS = "results"


def numbers(told: Any) -> list[int]:
    """Numbers of components: of ``2`` one, of ``"2:4"`` or a list several.

    Raises
    ------
    ValueError
        for anything else
    """
    several = told if isinstance(told, list) else str(told).split(":")
    if all(str(each).isdecimal() and int(each) > 0 for each in several) and several and not isinstance(told, bool):
        found = [int(each) for each in several]
        if isinstance(told, list) or len(found) == 1:
            return sorted(set(found))
        if len(found) == 2 and found[0] < found[1]:
            return list(range(found[0], found[1] + 1))
    raise ValueError(
        f"n_components is {told!r}; give a whole number from 1, or the first and the last of several, as 2:4"
    )


class Numbers(click.ParamType[list[int]]):
    """See `numbers`."""

    name = "K | FIRST:LAST"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Any:
        """Return numbers of components."""
        try:
            return numbers(value)
        except ValueError as error:
            self.fail(str(error).removeprefix("n_components is "), parameter, context)


OPTIONS: tuple[Callable[..., Any], ...] = (
    click.option("--data", type=FILE, help="Your own data: a CSV, TSV, Parquet or Arrow file."),
    click.option("--family", help="One of: comparisons families; or FILE.py:NAME.  [default: by the columns]"),
    click.option("--column", "columns", multiple=True, help="COLUMN, ROLE=COLUMN or TITLE=COLUMN; again for more."),
    click.option("--formula", help="Of regressions, in place of columns: 'y ~ x + C(group)'."),
    click.option("--components", "n_components", type=Numbers(), help="How many; of 2:4 each, and how many there are."),
    click.option("--labels", help="Column that tells the component of some rows."),
    click.option("--counts", help="Column that says how often each row was seen."),
    click.option(
        "--concomitant", "concomitants", multiple=True, help="Of regressions, what weights depend on; again for more."
    ),
    click.option("--weights", type=click.Choice(["free", "equal"]), help="Of the components.  [default: free]"),
    click.option("--covariance", help="Form of the covariances.  [default: full]"),
    click.option("--name", help="Of the directory of the result.  [default: that of the file]"),
    click.option(
        "--missing",
        type=click.Choice(["refuse", "drop", "marginal"]),
        help="Rows with empty cells; marginal keeps them.  [default: as the family]",
    ),
    click.option("--separator", help="Between columns.  [default: recognised]"),
    click.option("--decimal", type=click.Choice([".", ","]), help="Decimal mark.  [default: recognised]"),
)


def options[C: Callable[..., Any]](command: C) -> C:
    """Give a command the options of own data."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class Asked:
    """One comparison of own data, read and checked.

    Attributes
    ----------
    own : the comparison
    options : of `comparisons.compare`
    settings : seed, draws and chains, where they were told
    command : that asks for the same again
    among : the comparison with the most components, where several numbers of these are asked for: it has the table of all
    """

    own: Own[Comparison] | OwnChain
    options: dict[str, Any]
    settings: dict[str, Any]
    command: str
    among: Own[Comparison] | None = None

    @property
    def name(self) -> str:
        """Of its result."""
        return self.own.comparison.name


def is_stored(name: str, out: Path | None) -> bool:
    """Whether there is a result of this name, of the catalogue or not."""
    from comparisons.results.files import directory_name

    return out is not None and (out / directory_name(name) / "result.json").is_file()


def typed(context: click.Context) -> dict[str, Any]:
    """Settings of the run that stand on the command line."""
    source = click.core.ParameterSource.COMMANDLINE
    return {key: context.params[key] for key in SETTINGS if context.get_parameter_source(key) is source}


def asked(context: click.Context, names: Sequence[str], own: Mapping[str, Any], out: Path | None) -> list[Asked]:
    """All comparisons of own data that are asked for, by ``--data``, TOML files, and names of stored results."""
    from comparisons import catalogue

    given = _given(own)
    mine = [name for name in names if name not in catalogue.names() and not own_pairs.is_pair(name)]
    if "data" in given:
        if names:
            raise click.UsageError(f"--data and {names[0]} are two things to do; ask for one at a time", context)
        with refused(context):
            return _each(given, typed(context), None)
    if given and (not mine or len(mine) < len(names)):
        word = next(iter(given)).replace("n_components", "components").replace("columns", "column")
        word = word.replace("concomitants", "concomitant")
        of = next((f"and {name} is of the catalogue; ask for that by itself" for name in names if name not in mine), "")
        raise click.UsageError(f"--{word} belongs to your own data, {of or 'whose file --data names'}", context)
    found: list[Asked] = []
    for name in mine:
        found += _of_file(context, name, given) if name.endswith(".toml") else _of_stored(context, name, given, out)
    for place, each in enumerate(found):
        if each.name in [other.name for other in found[:place]]:
            raise click.UsageError(
                f"two results would be called {each.name!r}; run one at a time, with --name", context
            )
    return found


def _given(own: Mapping[str, Any]) -> dict[str, Any]:
    """The options that stand on the command line, in the words of `comparisons.compare`."""
    given = {option: value for option, value in own.items() if value not in (None, ())}
    if "columns" in given:
        pairs = [each.partition("=") for each in given["columns"]]
        # Beside others that are named by role or title a column stands for itself.
        roles = {role: column if mark else role for role, mark, column in pairs if role}
        named = len(roles) == len(pairs) and any(mark for _, mark, _ in pairs)
        given["columns"] = roles if named else list(given["columns"])
    return given


def _of_file(context: click.Context, name: str, given: dict[str, Any]) -> list[Asked]:
    """What a TOML file asks for; what stands on the command line goes before it."""
    from comparisons import toml_files

    with refused(context):
        told = toml_files.read(Path(name))
        for key in (key for key in told if key in given or key in typed(context)):
            click.echo(f"{name}: {key} is taken from the command line, in place of {told[key]}.", err=True)
        settings = {key: told.pop(key) for key in SETTINGS if key in told} | typed(context)
        with toml_files.telling(Path(name)):
            return _each(told | given, settings, (f"comparisons run {shlex.quote(name)}", given))


def _of_stored(context: click.Context, name: str, given: dict[str, Any], out: Path | None) -> list[Asked]:
    """What the command asks for that made a stored result."""
    from comparisons.own import ON_COMMAND_LINE
    from comparisons.results import store
    from comparisons.results.files import directory_name

    assert out is not None
    command = store.command_of(out / directory_name(name))
    if command is None:
        raise click.UsageError(
            f"the result of {name} in {out} is damaged; run it again by --data or its TOML file", context
        )
    words = shlex.split(command)
    if words[:2] != ["comparisons", "run"]:
        raise click.UsageError(f"{name} was made in Python; ask there, as it was: {command}", context)
    if given:
        raise click.UsageError(
            f"{name} is a stored result; ask otherwise by the command that made it: {command}", context
        )
    again = context.find_root().command
    assert isinstance(again, click.Group)
    inner = again.commands["run"].make_context("run", words[2:], parent=context.parent)
    own = {key: value for key, value in inner.params.items() if key in ON_COMMAND_LINE}
    found = asked(inner, inner.params["names"], own, out)
    return [replace(each, settings=each.settings | typed(context)) for each in found]


def _each(options: dict[str, Any], settings: dict[str, Any], of_file: tuple[str, dict[str, Any]] | None) -> list[Asked]:
    """The comparison for each number of components, in the words of the command line, or of a file and what goes before it."""
    from comparisons import own
    from comparisons.components import comparing
    from comparisons.pairs import own_chains

    several = numbers(options["n_components"]) if "n_components" in options else []
    if len(several) < 2:
        options = options | ({"n_components": several[0]} if several else {})
        among, each_options = None, [options]
    else:
        among = own_chains.of_components(own_chains.declared(**options | {"n_components": several[-1]}))
        comparing.refuse(among.comparison, among.dataset, several[-1])
        name = among.comparison.name
        each_options = [options | {"n_components": k, "name": f"{name}-{k}"} for k in several]
    found = []
    for each in each_options:
        declared = own_chains.declared(**each)
        if of_file is None:
            command = declared.command
        else:
            words, given = of_file
            overruled = given if among is None else given | {key: each[key] for key in ("n_components", "name")}
            command = own.command_line(overruled, words)
        found.append(Asked(declared, each, settings, command, among))
    for note in found[0].own.notes:
        click.echo(note, err=True)
    return found


def one_asked(
    context: click.Context, names: Sequence[str], own: Mapping[str, Any], out: Path, seed: int, verb: str = "components"
) -> tuple[Own[Comparison] | str, str, int]:
    """The comparison that a command asks about, or its name in the catalogue; the command for it, and the seed."""
    if not names and own["data"] is None:
        raise click.UsageError("there is no NAME, and no --data; give one of them", context)
    if own["data"] is not None and own["n_components"] is None and own["labels"] is None:
        own = {**own, "n_components": numbers(2)}
    found = asked(context, names, own, out)
    if not found:
        return names[0], f"comparisons {verb} {names[0]}", seed
    last = found[-1]
    if verb == "methods" and len(found) > 1:
        raise click.UsageError("methods are compared for one number of components; give it as --components 2", context)
    for name in names:
        _refuse_changed(context, name, last, out)
    command = last.command.replace("comparisons run", f"comparisons {verb}", 1)
    from comparisons.pairs.own_chains import of_components

    with refused(context):
        return of_components(last.own), command, last.settings.get("seed", seed)


def _refuse_changed(context: click.Context, name: str, each: Asked, out: Path) -> None:
    """Refuse a stored result whose data are others by now."""
    from comparisons.results import store
    from comparisons.results.files import directory_name

    if is_stored(name, out):
        try:
            result = store.read(out / directory_name(name))
        except store.StoredResultError as error:
            raise click.UsageError(str(error), context) from error
        if result.data.sha256 != each.own.dataset.sha256:
            raise click.UsageError(
                f"{each.own.dataset.source} has changed since {name} was run; run it again: {each.command}", context
            )


def tasks(found: Sequence[Asked], out: Path, settings: Mapping[str, Any], *, fresh: bool) -> list[Task]:
    """What there is to run, under these settings where none were told."""
    from comparisons.command.processes import Task

    for each in found:
        _tell_replaced(each, out)
    return [
        Task(each.name, out, **{**settings, **each.settings}, fresh=fresh, own=each.options, command=each.command)
        for each in found
    ]


def _tell_replaced(each: Asked, out: Path) -> None:
    """Say where a stored result of this name is of other data, or of other columns of them."""
    from comparisons.results import store
    from comparisons.results.files import directory_name

    try:
        before = store.read(out / directory_name(each.name))
    except store.StoredResultError:
        return
    dataset, beside = each.own.dataset, {"counts", "labels"}
    now = (dataset.sha256, each.own.comparison.description, each.own.told["family"], {*dataset.columns} - beside)
    if (before.data.sha256, before.data.description, before.model.family, {*before.data.columns} - beside) != now:
        click.echo(
            f"{each.name}: the stored result is of other data or columns and will be replaced; --name keeps both.",
            err=True,
        )


def compare_numbers(found: Sequence[Asked], out: Path, seed: int, *, fresh: bool) -> list[Components]:
    """Compare the numbers of components where several are asked for, so that each report has the table."""
    several = {id(each.among): each.among for each in found if each.among is not None}.values()
    if not several:
        return []
    from comparisons.command import progress
    from comparisons.components import comparing
    from comparisons.results.files import directory_name

    compared = []
    for among in several:
        of = [each for each in found if each.among is among]
        command = of[-1].command.replace("comparisons run", "comparisons components", 1)
        with progress.stages() as show:
            places = [out / directory_name(each.name) for each in of]
            own = of[-1].settings.get("seed", seed)
            compared.append(
                comparing.compare_once(among, places, seed=own, fresh=fresh, progress=show, command=command)
            )
    return compared


def questions(out: Path) -> dict[str, str]:
    """Results of own data, each with its question."""
    from comparisons import catalogue
    from comparisons.results import store

    found = {}
    for path in sorted(out.glob(f"*/{store.RESULT}")):
        with suppress(store.StoredResultError):
            result = store.read(path)
            if result.name not in catalogue.names():
                found[result.name] = result.question
    return found


@click.command("init", short_help="Write a commented FILE.toml for your own data.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@options
@click.pass_context
def write_toml(context: click.Context, /, file: Path, **own: Any) -> None:
    """Write FILE, a commented TOML file that asks for a comparison of your own data; run it with: comparisons run FILE."""
    from comparisons import toml_files
    from comparisons.missing_rows import MissingCells
    from comparisons.pairs.own_chains import declared

    given = _given(own)
    if file.suffix != ".toml":
        raise click.UsageError(f"{file} has to end in .toml, so that it can be told from a name", context)
    if file.exists():
        raise click.UsageError(f"{file} is there already; name another file, or remove it first", context)
    if "data" not in given:
        raise click.UsageError("the file of your data is missing; name it with --data", context)
    with refused(context):
        several = numbers(given.get("n_components", 2))
        first = {**given, "data": str(given["data"]), "name": given.get("name", file.stem), "n_components": several[0]}
        if "labels" in given and "n_components" not in given:
            del first["n_components"]
        try:
            asked = declared(**first)
        except MissingCells:
            asked = declared(**first | {"missing": "drop"})
        told = asked.asked | {"data": os.path.relpath(given["data"], file.parent)}
        if len(several) > 1:
            told["n_components"] = several
        file.write_text(toml_files.template(asked, told), encoding="utf-8")
    for note in asked.notes:
        click.echo(note, err=True)
    click.echo(f"{file} is written; look at it, then: comparisons run {shlex.quote(str(file))}", err=True)


@click.command("families")
@click.option("--markdown", is_flag=True, help="All that is told of them, as a table in Markdown.")
def list_families(markdown: bool) -> None:
    """List the families of mixtures, and hidden Markov chains, with their columns and options."""
    from comparisons import families
    from comparisons.hidden_markov_chains import COLUMNS_TOLD, NAME, REASONS

    if markdown:
        from comparisons.families import table

        click.echo(table.told(list(families.FAMILIES.values())), nl=False)
        return
    for family in families.FAMILIES.values():
        click.echo(f"{family.name}\n    columns: {family.columns_told}\n    default prior: {family.default_reason}\n")
    click.echo(f"{NAME}\n    columns: {COLUMNS_TOLD}\n    default prior: {REASONS['poisson']}\n")
    click.echo("FILE.py:NAME\n    columns: one, as the models.family.Family of this name in your file calls its data")
